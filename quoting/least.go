package quoting

import (
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// maxOwn bounds the own orders of a side that are matched to layers; what is beyond is cancelled.
const maxOwn = 4 * MaxLayers

// working are the orders of a side that may be changed and are not spoken for.
type working struct {
	n    int
	slot [maxOwn]uint32
}

func (w *working) remove(i int) {
	w.n--
	w.slot[i] = w.slot[w.n]
}

// rearrange makes the least changes that bring the working orders of a side to the ladder: orders near enough to a layer
// stay and keep their place in the queue, others move to the nearest free layer, surplus ones go. Orders with a request
// pending, or of unknown fate, occupy the layer nearest to them and are not touched. It leaves in w the layers that are
// still free.
func (s *Strategy) rearrange(d *desk.Desk, q *quote, side venue.Side, w *ladder, band fixed.Price, out *desk.Out) {
	var own working
	for _, slot := range d.Live[q.in.Inst] {
		o := &d.Orders[slot]
		switch {
		case o.Side != side || !s.mine(o):
		case !touchable(o):
			w.occupy(o)
		case own.n == maxOwn:
			s.cancel(d, q, o, out)
		default:
			own.slot[own.n] = slot
			own.n++
		}
	}
	for own.n > 0 { // keep
		i, k := nearest(d, &own, w, side, band, true)
		if i < 0 {
			break
		}
		w.taken[k] = true
		own.remove(i)
	}
	for own.n > 0 { // move
		i, k := nearest(d, &own, w, side, fixed.Limit, false)
		if i < 0 {
			break
		}
		s.move(d, q, &d.Orders[own.slot[i]], w, k, out)
		own.remove(i)
	}
	for i := range own.n {
		s.cancel(d, q, &d.Orders[own.slot[i]], out)
	}
}

// occupy takes the layer nearest to an order that cannot be changed.
func (w *ladder) occupy(o *desk.Order) {
	at, least := -1, fixed.Price(0)
	p := o.Price
	if o.NextPrice > 0 {
		p = o.NextPrice
	}
	for k := range w.n {
		if gap := distance(w.price[k], p); !w.taken[k] && (at < 0 || gap < least) {
			at, least = k, gap
		}
	}
	if at >= 0 {
		w.taken[at] = true
	}
}

// nearest finds the free layer and the order that are closest to each other, within band; -1 when there are none. With
// keep, an order that breaks the bound does not count.
func nearest(d *desk.Desk, own *working, w *ladder, side venue.Side, band fixed.Price, keep bool) (order, layer int) {
	order, layer = -1, -1
	least := band + 1
	for i := range own.n {
		p := d.Orders[own.slot[i]].Price
		if keep && inside(p, w.bound, side) != p {
			continue
		}
		for k := range w.n {
			if gap := distance(p, w.price[k]); !w.taken[k] && gap < least {
				order, layer, least = i, k, gap
			}
		}
	}
	return order, layer
}

func distance(a, b fixed.Price) fixed.Price { return max(a-b, b-a) }

// move brings an order to a layer, or cancels it where the venue has no amend. The layer is taken either way. An order
// that breaks the promise goes even when the budget is spent.
func (s *Strategy) move(d *desk.Desk, q *quote, o *desk.Order, w *ladder, k int, out *desk.Out) {
	w.taken[k] = true
	if inside(o.Price, w.bound, o.Side) != o.Price && (!q.cfg.Amend || !q.budget.has()) {
		s.cancel(d, q, o, out)
		return
	}
	if !q.budget.has() {
		s.starve(d, q)
		return
	}
	if !q.cfg.Amend {
		s.cancel(d, q, o, out)
		return
	}
	in := s.intent(d, q, o.Side, out)
	if in == nil {
		return
	}
	in.Op, in.Target, in.Type, in.TIF = venue.Amend, o.Client, o.Type, o.TIF
	in.Price, in.Qty = w.price[k], o.Filled+q.cfg.Qty
	q.budget.spend()
	s.counts[amends]++
}

// place fills the free layers of a side, best first.
func (s *Strategy) place(d *desk.Desk, q *quote, side venue.Side, w *ladder, out *desk.Out) {
	for k := range w.n {
		if w.taken[k] {
			continue
		}
		if !q.budget.has() {
			s.starve(d, q)
			return
		}
		if v, ok := q.in.Notional(w.price[k], q.cfg.Qty, fixed.Down); !ok || v < q.in.MinNotional {
			return
		}
		in := s.intent(d, q, side, out)
		if in == nil {
			return
		}
		in.Op, in.Type, in.TIF, in.Price, in.Qty = venue.New, venue.Limit, venue.GTC, w.price[k], q.cfg.Qty
		if q.cfg.PostOnly {
			in.Type = venue.PostOnly
		}
		q.budget.spend()
		s.counts[newQuotes]++
	}
}

// cancel asks for the end of an order. It does not wait for the budget.
func (s *Strategy) cancel(d *desk.Desk, q *quote, o *desk.Order, out *desk.Out) {
	in := s.intent(d, q, o.Side, out)
	if in == nil {
		return
	}
	in.Op, in.Target, in.Price, in.Qty = venue.Cancel, o.Client, o.Price, o.Qty
	q.budget.spend()
	s.counts[cancels]++
}

// intent begins an intent; nil, and another look in the next drain, when there is no room for it.
func (s *Strategy) intent(d *desk.Desk, q *quote, side venue.Side, out *desk.Out) *desk.Intent {
	in := out.Intent()
	if in == nil {
		s.counts[noRoom]++
		q.dirty = true
		return nil
	}
	in.Side, in.Role, in.Inst = side, venue.RoleQuote, q.in.Inst
	in.BookSeq, in.NotAfter = d.Books[q.in.Inst].Seq(), d.Now+q.cfg.NotAfter
	return in
}

// starve notes that something was left undone for want of budget, and when to try again.
func (s *Strategy) starve(d *desk.Desk, q *quote) {
	s.counts[noBudget]++
	q.again = min(q.again, d.Now+q.budget.wait())
}

// budget is a token bucket of messages. One message is a second's worth of nanoseconds, so that refilling is one
// multiplication.
type budget struct {
	tokens, burst, perSecond int64
	at                       venue.Nanos
}

const message = int64(venue.Second)

func newBudget(perSecond, burst int) budget {
	b := budget{burst: int64(burst) * message, perSecond: int64(perSecond)}
	b.tokens = b.burst
	return b
}

func (b *budget) refill(now venue.Nanos) {
	if gap := int64(now - b.at); gap > 2*b.burst/b.perSecond { // also the first time; it cannot overflow below
		b.tokens = b.burst
	} else if gap > 0 {
		b.tokens = min(b.tokens+gap*b.perSecond, b.burst)
	}
	b.at = now
}

func (b *budget) has() bool { return b.tokens >= message }

// spend takes a message, into debt where a cancel did not wait; debt is bounded by the burst.
func (b *budget) spend() { b.tokens = max(b.tokens-message, -b.burst) }

// wait is how long until there is a message again.
func (b *budget) wait() venue.Nanos {
	return venue.Nanos((message-b.tokens)/b.perSecond + 1)
}
