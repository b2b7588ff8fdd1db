package binance

import (
	"sync/atomic"

	"oneprice/books/venue"
)

// The venue counts an account's new orders in windows of ten seconds by its own clock (venues/binance.md, section 5). Ours is
// a window that slides and is a second longer, so that whatever window of the venue's it falls into, and however long a
// request travels, no more than the limit arrive in it. Fills give credit at the venue, which is not reckoned with: the
// count that it states can stop us sooner (Gateway.full), and never lets us send more.
const (
	orderSpan = 11 * venue.Second
	orderMost = 1024 // the longest window kept
)

// orderRate is the last new orders, as a ring of the instants at which they left. Submit owns it, but for most.
type orderRate struct {
	at   [orderMost]venue.Nanos
	next int
	most atomic.Int64 // the venue's limit
}

// room reports whether one more may leave now.
func (r *orderRate) room(now venue.Nanos) bool {
	oldest := r.at[(r.next+orderMost-int(r.most.Load()))%orderMost]
	return oldest == 0 || now-oldest > orderSpan
}

// took notes one that has left, or may have.
func (r *orderRate) took(now venue.Nanos) {
	r.at[r.next] = now
	r.next = (r.next + 1) % orderMost
}

// limit takes the limit that the venue states, within what is kept.
func (r *orderRate) limit(n int64) {
	if n > 0 {
		r.most.Store(min(n, orderMost))
	}
}
