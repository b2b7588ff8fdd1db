package stops

import (
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// A closer that was refused, or filled nothing, waits twice as long each time, from retryFirst up to retryLast.
const (
	retryFirst = 100 * venue.Millisecond
	retryLast  = 5 * venue.Second
)

// Terms are what orders of an instrument must keep within: the gate's limits.
type Terms struct {
	// Slip is how far beyond the touch a limit price may lie.
	Slip fixed.Rate
	// MaxQty and MaxNotional, in the reporting currency, bound one order.
	MaxQty      fixed.Qty
	MaxNotional fixed.Cash
	// MaxAge is how long ago a book may have been heard of.
	MaxAge venue.Nanos
}

// closer closes the position of one instrument.
type closer struct {
	keep string // its name in the journal
	// left is what is still to be closed, signed as the position.
	left fixed.Qty
	// limit is the price of a stop-limit, 0 for a market order. by is the guard that fired, 0 for an operator.
	limit   fixed.Price
	by      uint16
	active  bool
	stopped bool        // nothing else may trade here until an operator arms
	again   venue.Nanos // when to ask next
	wait    venue.Nanos
}

// seen is how much of an order's fill is in what is left.
type seen struct {
	client uint64
	filled fixed.Qty
}

// close begins to close the position q of an instrument, or what it has become; 0 only ends what works there.
func (s *Stops) close(i venue.Inst, by uint16, q fixed.Qty, limit fixed.Price) {
	c := &s.closers[i]
	if !c.active {
		s.closing = append(s.closing, i)
		s.counts.Closings++
	}
	if limit == 0 || !c.active {
		c.limit, c.by = limit, by // a market order serves a stop-limit too
	}
	c.left, c.active, c.stopped, c.again, c.wait = q, true, true, 0, retryFirst
	s.keepCloser(i)
}

// heard takes one report, by the growth of its order's fill, since some venues state totals only. A fill of our own order
// counts what is left down. So does one of an order that is being cancelled, or up: it is to be closed as well. Legs of plans
// under way belong to their plans. The end of any other order makes room for the next one.
func (s *Stops) heard(d *desk.Desk, r *venue.Report) {
	if int(r.Slot) >= len(s.seen) || int(r.Inst) >= len(s.closers) {
		return
	}
	o, c, b := &d.Orders[r.Slot], &s.closers[r.Inst], &s.seen[r.Slot]
	if o.Inst != r.Inst {
		return
	}
	if b.client != o.Client {
		*b = seen{client: o.Client}
	}
	got := o.Filled - b.filled
	b.filled = o.Filled
	if !c.active {
		return
	}
	if o.Role != venue.RoleStop && o.State.Done() {
		c.again = 0
	}
	if got == 0 || o.Plan != 0 {
		return
	}
	if o.Role == venue.RoleStop {
		c.wait = retryFirst
	}
	c.left += fixed.Qty(o.Side.Sign()) * got
	s.keepCloser(r.Inst)
}

// step brings a closing on. False when it has ended.
func (s *Stops) step(d *desk.Desk, i venue.Inst, out *desk.Out) bool {
	c, pos := &s.closers[i], d.Positions[i].Qty
	if c.left > 0 {
		c.left = max(min(c.left, pos), 0)
	} else {
		c.left = min(max(c.left, pos), 0)
	}
	own, others := working(d, i)
	switch {
	case own == nil && others == 0 && c.left == 0:
		s.end(i, 0)
		return false
	case d.Now < c.again:
		return true
	case own != nil:
		if own.Remaining() > max(c.left, -c.left) && settled(own) { // it rests, and would open the other way
			s.cancel(d, own, out)
			c.later(d.Now)
		}
		return true
	}
	q, p, dust := s.order(d, i)
	if dust && others == 0 {
		s.end(i, c.left)
		return false
	}
	if q == 0 && others == 0 {
		return true // its book is not Live
	}
	c.later(d.Now)
	for _, slot := range d.Live[i] {
		if o := &d.Orders[slot]; o.Plan == 0 && settled(o) {
			s.cancel(d, o, out)
		}
	}
	if q > 0 && !s.meetsOwn(d, i, p) {
		s.ask(d, i, q, p, out)
	}
	return true
}

// later is when to ask again if nothing comes of what is asked now.
func (c *closer) later(now venue.Nanos) {
	c.again = now + c.wait
	c.wait = min(2*c.wait, retryLast)
}

// working is the living order of a closer, whatever its fate, and how many there are beside it that no plan owns.
func working(d *desk.Desk, i venue.Inst) (own *desk.Order, others int) {
	for _, slot := range d.Live[i] {
		switch o := &d.Orders[slot]; {
		case o.Role == venue.RoleStop:
			own = o
		case o.Plan == 0:
			others++
		}
	}
	return own, others
}

// settled reports whether an order stands confirmed and nothing is asked of it.
func settled(o *desk.Order) bool { return o.State == desk.Open || o.State == desk.PartlyFilled }

// closes is the side that closes a position.
func closes(q fixed.Qty) venue.Side {
	if q > 0 {
		return venue.Sell
	}
	return venue.Buy
}

// order is the next order of a closer: as much of what is left as no other order may already close, at its limit or a
// protective price. A quantity of 0 says that there is nothing to ask for now, dust that what is left is below what the
// venue takes.
func (s *Stops) order(d *desk.Desk, i venue.Inst) (q fixed.Qty, p fixed.Price, dust bool) {
	c, in, w := &s.closers[i], s.ins[i], &d.Working[i]
	p, ok := touch(d, i, c.left)
	if !ok { // nothing is left, or the book is not Live
		return 0, 0, false
	}
	if p = s.protect(p, i, closes(c.left)); c.limit != 0 {
		p = c.limit
	}
	left, pending := max(c.left, -c.left), w.SellQty
	if c.left < 0 {
		pending = w.BuyQty
	}
	if s.below(in, p, fixed.RoundTo(left, in.Lot, fixed.Down)) {
		return 0, 0, true
	}
	have := max(d.Positions[i].Qty, -d.Positions[i].Qty) - pending
	most := s.most(d, i, p, left)
	if most < left && left < 2*most {
		most = (left + 1) / 2 // rather two halves than a rest that is too small
	}
	q = min(have, most)
	if q = fixed.RoundTo(q, in.Lot, fixed.Down); s.below(in, p, q) {
		return 0, 0, false
	}
	return q, p, false
}

// below reports whether an order is smaller than its venue takes.
func (s *Stops) below(in *venue.Instrument, p fixed.Price, q fixed.Qty) bool {
	n, ok := in.Notional(p, q, fixed.Down)
	return q <= 0 || q < in.MinQty || !ok || n < in.MinNotional
}

// most is as much of q as the gate takes in one order at a price.
func (s *Stops) most(d *desk.Desk, i venue.Inst, p fixed.Price, q fixed.Qty) fixed.Qty {
	t, in := &s.terms[i], s.ins[i]
	q = min(q, t.MaxQty)
	n, ok := worth(d, in, p, q)
	for ; !ok; n, ok = worth(d, in, p, q) {
		q /= 2 // more than can be counted
	}
	if n > t.MaxNotional {
		v, _ := fixed.MulDiv(int64(q), int64(t.MaxNotional), int64(n), fixed.Down) // less than q
		q = fixed.Qty(v)
	}
	return q
}

// worth is the notional of an order in the reporting currency.
func worth(d *desk.Desk, in *venue.Instrument, p fixed.Price, q fixed.Qty) (fixed.Cash, bool) {
	n, ok := in.Notional(p, q, fixed.Up)
	if !ok {
		return 0, false
	}
	return d.FX[in.Quote].Ask.Apply(n, fixed.Up)
}

// protect is the worst price for an order that takes: the touch moved by the slippage limit, on the tick within it.
func (s *Stops) protect(touch fixed.Price, i venue.Inst, side venue.Side) fixed.Price {
	slip, ok := fixed.MulDiv(int64(touch), int64(s.terms[i].Slip), int64(fixed.One), fixed.Down)
	if !ok {
		slip = 0
	}
	if side == venue.Sell {
		return fixed.RoundTo(touch-fixed.Price(slip), s.ins[i].Tick, fixed.Up)
	}
	return fixed.RoundTo(touch+fixed.Price(slip), s.ins[i].Tick, fixed.Down)
}

// meetsOwn reports whether an order at p could trade against one of our own, which is being cancelled.
func (s *Stops) meetsOwn(d *desk.Desk, i venue.Inst, p fixed.Price) bool {
	w := &d.Working[i]
	if s.closers[i].left > 0 {
		return w.Buys > 0 && p <= w.BuyWorst
	}
	return w.Sells > 0 && p >= w.SellWorst
}

// ask says what a closer wants.
func (s *Stops) ask(d *desk.Desk, i venue.Inst, q fixed.Qty, p fixed.Price, out *desk.Out) {
	in := out.Intent()
	if in == nil {
		return // it asks again when it would after a refusal
	}
	c := &s.closers[i]
	in.Op, in.Type, in.TIF, in.Side, in.Role, in.Inst = venue.New, venue.Limit, venue.IOC, closes(c.left), venue.RoleStop, i
	if c.limit != 0 {
		in.TIF = venue.GTC
	}
	in.Price, in.Qty, in.BookSeq, in.ReduceOnly = p, q, d.Books[i].Seq(), true
	s.counts.Asked++
}

// cancel asks for the end of an order that stands in the way.
func (s *Stops) cancel(d *desk.Desk, o *desk.Order, out *desk.Out) {
	if in := out.Intent(); in != nil {
		in.Op, in.Inst, in.Target, in.Role, in.Side = venue.Cancel, o.Inst, o.Client, o.Role, o.Side
	}
}

// end ends a closing that leaves rest, which no order can close.
func (s *Stops) end(i venue.Inst, rest fixed.Qty) {
	c := &s.closers[i]
	c.active, c.left = false, 0
	s.keepCloser(i)
	if rest != 0 {
		s.counts.Left++
	}
	s.say(Said{Act: Closed, Stop: c.by, Inst: i, Qty: rest})
}
