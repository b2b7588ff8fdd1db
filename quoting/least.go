package quoting

import (
	"math"

	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// maxOwn bounds the own orders of a side that are matched to layers.
const maxOwn = 4 * MaxLayers

// flank is what stands of our own on one side, found by one look over the live orders. Best price first.
type flank struct {
	// open orders may be changed and are not spoken for.
	n     int
	slot  [maxOwn]uint32
	price [maxOwn]fixed.Price
	// frozen are the prices of orders with a request pending, or of unknown fate: they occupy a layer and are not touched.
	frozen  int
	stuck   [maxOwn]fixed.Price
	crowded bool // there are more of either than fit
	// limit is the most aggressive price of this side that meets none of our own orders on the other side, whosever
	// strategy's they are and wherever a pending amend may have them.
	limit fixed.Price
}

// survey fills both flanks.
func (s *Strategy) survey(d *desk.Desk, q *quote) {
	buy, sell := &q.flanks[venue.Buy], &q.flanks[venue.Sell]
	buy.n, buy.frozen, buy.crowded, buy.limit = 0, 0, false, fixed.Limit
	sell.n, sell.frozen, sell.crowded, sell.limit = 0, 0, false, 1
	for _, slot := range d.Live[q.in.Inst] {
		o := &d.Orders[slot]
		f, g := &q.flanks[o.Side], &q.flanks[o.Side.Other()]
		step := fixed.Price(o.Side.Other().Sign()) * q.in.Tick
		g.limit = inside(g.limit, o.Price-step, o.Side.Other())
		at := o.Price
		if o.NextPrice > 0 {
			at = o.NextPrice
			g.limit = inside(g.limit, at-step, o.Side.Other())
		}
		switch {
		case !s.mine(o):
		case touchable(o):
			f.add(slot, o.Price, o.Side)
		case f.frozen == maxOwn:
			f.crowded = true
		default:
			f.stuck[f.frozen] = at
			f.frozen++
		}
	}
}

// add files an open order at its place; they mostly come in order.
func (f *flank) add(slot uint32, p fixed.Price, side venue.Side) {
	if f.n == maxOwn {
		f.crowded = true
		return
	}
	i := f.n
	for ; i > 0 && f.price[i-1] != p && inside(f.price[i-1], p, side) == f.price[i-1]; i-- {
		f.price[i], f.slot[i] = f.price[i-1], f.slot[i-1]
	}
	f.price[i], f.slot[i] = p, slot
	f.n++
}

func (f *flank) remove(i int) {
	f.n--
	copy(f.price[i:f.n], f.price[i+1:f.n+1])
	copy(f.slot[i:f.n], f.slot[i+1:f.n+1])
}

// rearrange makes the least changes that bring the open orders of a side to the ladder: as many orders as possible that are
// near enough to a layer stay and keep their place in the queue, others move to the nearest free layer, surplus ones go. It leaves in w the
// layers that are still free.
func (s *Strategy) rearrange(d *desk.Desk, q *quote, side venue.Side, w *ladder, band fixed.Price, out *desk.Out) {
	f := &q.flanks[side]
	if f.frozen == 0 && f.inPlace(w, side, band) {
		for k := range w.n {
			w.taken[k] = true
		}
		return
	}
	for i := range f.frozen {
		w.occupy(f.stuck[i])
	}
	f.keep(w, side, band)
	for f.n > 0 {
		i, k := f.nearest(w)
		if i < 0 {
			break
		}
		s.move(d, q, &d.Orders[f.slot[i]], w, k, out)
		f.remove(i)
	}
	for i := range f.n {
		s.cancel(d, q, &d.Orders[f.slot[i]], out)
	}
	if f.crowded { // more than we can see: nothing new until they are gone
		w.n = 0
	}
}

// inPlace reports whether every layer has its order, the usual case: as many orders as layers, each within the band of
// the layer of its rank. No other pairing is nearer then.
func (f *flank) inPlace(w *ladder, side venue.Side, band fixed.Price) bool {
	if f.n != w.n || f.crowded {
		return false
	}
	for k := range w.n {
		if distance(f.price[k], w.price[k]) > band || inside(f.price[k], w.bound, side) != f.price[k] {
			return false
		}
	}
	return true
}

// occupy takes the free layer nearest to the price of an order that cannot be changed.
func (w *ladder) occupy(p fixed.Price) {
	at, least := -1, fixed.Price(0)
	for k := range w.n {
		if gap := distance(w.price[k], p); !w.taken[k] && (at < 0 || gap < least) {
			at, least = k, gap
		}
	}
	if at >= 0 {
		w.taken[at] = true
	}
}

// whole is what a kept order counts in keep; distances, up to MaxLayers of them, must not add up to it.
const whole = int64(1) << 57

// keep finds the pairing of orders and free layers within the band that keeps most orders, and among those the one with
// the least distance, and takes both out. Orders and layers lie sorted, so the best pairing need not cross itself and the
// usual table of prefixes finds it. An order that breaks the bound is not kept; such orders come first.
func (f *flank) keep(w *ladder, side venue.Side, band fixed.Price) {
	var free [MaxLayers]int
	m, first := 0, 0
	for k := range w.n {
		if !w.taken[k] {
			free[m] = k
			m++
		}
	}
	for first < f.n && inside(f.price[first], w.bound, side) != f.price[first] {
		first++
	}
	if m == 0 || first == f.n {
		return
	}
	var score [maxOwn + 1][MaxLayers + 1]int64 // of the orders from first to i, and the first k free layers
	gain := func(i, k int) int64 {
		if gap := distance(f.price[i-1], w.price[free[k-1]]); gap <= band {
			return whole - int64(gap)
		}
		return -1
	}
	for i := first + 1; i <= f.n; i++ {
		for k := 1; k <= m; k++ {
			v := max(score[i-1][k], score[i][k-1])
			if g := gain(i, k); g >= 0 {
				v = max(v, score[i-1][k-1]+g)
			}
			score[i][k] = v
		}
	}
	for i, k := f.n, m; i > first && k > 0; {
		switch g := gain(i, k); {
		case g >= 0 && score[i][k] == score[i-1][k-1]+g:
			w.taken[free[k-1]] = true
			f.remove(i - 1)
			i, k = i-1, k-1
		case score[i][k] == score[i-1][k]:
			i--
		default:
			k--
		}
	}
}

// nearest finds the free layer and the order that are closest to each other; -1 when there are none.
func (f *flank) nearest(w *ladder) (order, layer int) {
	order, layer = -1, -1
	least := fixed.Price(math.MaxInt64)
	for i := range f.n {
		for k := range w.n {
			if gap := distance(f.price[i], w.price[k]); !w.taken[k] && gap < least {
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
