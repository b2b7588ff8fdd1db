package quoting

import (
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// maxFills bounds Pull.Fills.
const maxFills = 32

// toxic watches the fills of one side.
type toxic struct {
	at       [maxFills]venue.Nanos
	n        int
	until    venue.Nanos
	carrying bool // blocked by the carry
}

// note takes a fill and reports whether it was the Fills-th within the window.
func (t *toxic) note(now venue.Nanos, p *Pull) bool {
	i := t.n % p.Fills
	t.at[i] = now
	t.n++
	oldest := t.at[t.n%p.Fills]
	if t.n < p.Fills || now-oldest > p.Window {
		return false
	}
	t.until, t.n = now+p.Pause, 0
	return true
}

// cover is the hedge plan at work.
type cover struct {
	open        bool
	answered    bool      // an order of it has been heard of
	left        fixed.Qty // in the hedge's units
	at, until   venue.Nanos
	retryBefore venue.Nanos
}

// booked takes one report: fills of quotes and of hedges move the carry.
func (s *Strategy) booked(d *desk.Desk, r *venue.Report) {
	if int(r.Slot) >= len(d.Orders) || int(r.Inst) >= len(s.own) {
		return
	}
	o := &d.Orders[r.Slot]
	if o.Inst != r.Inst {
		return
	}
	if k := s.own[r.Inst]; k >= 0 && s.mine(o) {
		q := &s.quotes[k]
		s.stir(int(k))
		if got := s.growth(o, r.Slot); got > 0 {
			s.quoteFilled(d, q, o, r, got)
		}
		return
	}
	if !s.known || o.Strategy != s.id || (o.Role != venue.RoleHedge && o.Role != venue.RoleUnwind) {
		return
	}
	for k := range s.quotes {
		if q := &s.quotes[k]; q.hedge != nil && q.hedge.Inst == r.Inst {
			s.stir(k)
			q.cover.answered = true
			if got := s.growth(o, r.Slot); got > 0 {
				q.add(o, q.hedge, r, got)
				q.cover.left = max(q.cover.left-got, 0)
			}
			return
		}
	}
}

// growth is what an order has filled since it was last looked at.
func (s *Strategy) growth(o *desk.Order, slot uint32) fixed.Qty {
	b := &s.seen[slot]
	if b.client != o.Client {
		*b = seen{client: o.Client}
	}
	got := o.Filled - b.filled
	b.filled = o.Filled
	return got
}

func (s *Strategy) quoteFilled(d *desk.Desk, q *quote, o *desk.Order, r *venue.Report, got fixed.Qty) {
	s.id, s.known = o.Strategy, true
	s.counts[fills]++
	if q.hedge != nil {
		q.add(o, q.in, r, got)
	}
	if q.toxic[o.Side].note(d.Now, &q.cfg.Pull) {
		s.counts[toxicSides]++
	}
}

// add moves the carry by a fill, less a fee that was taken out of the base.
func (q *quote) add(o *desk.Order, in *venue.Instrument, r *venue.Report, got fixed.Qty) {
	p := r.Price
	if p <= 0 { // a report that states totals only may have none
		p = o.Price
	}
	b, ok := in.BaseQty(p, got, fixed.HalfEven)
	if !ok {
		panic("quoting: a fill beyond the range of a quantity")
	}
	q.carry += fixed.Qty(o.Side.Sign()) * b
	if r.Fee != 0 && r.FeeCcy == in.Base && in.Kind == venue.Spot {
		if fee, ok := fixed.Rescale(int64(r.Fee), fixed.CashScale, in.QtyScale, fixed.Up); ok {
			q.carry -= fixed.Qty(fee)
		}
	}
}

// coverFills sends one hedge plan for what is carried, in whole lots; the rest stays in the carry.
func (s *Strategy) coverFills(d *desk.Desk, q *quote, out *desk.Out) {
	h, c := q.cfg.Hedge, &q.cover
	if c.open {
		refused := !c.answered && d.Now >= c.at+h.Retry && d.Now > c.at
		if c.left > 0 && d.Now <= c.until && !refused {
			q.again = min(q.again, c.until+1)
			if !c.answered {
				q.again = min(q.again, max(c.at+h.Retry, d.Now+1))
			}
			return
		}
		c.open = false
	}
	if q.carry == 0 {
		return
	}
	if d.Now < c.retryBefore {
		q.again = min(q.again, c.retryBefore)
		return
	}
	side := venue.Sell
	if q.carry < 0 {
		side = venue.Buy
	}
	qty, limit, ok := q.coverable(d, side, s.inFlight(d, q, side))
	if !ok {
		return
	}
	p := out.Plan()
	if p == nil {
		s.counts[noRoom]++
		q.dirty = true
		return
	}
	p.Shape, p.Policy, p.OnFail, p.N = desk.HedgeOnFill, desk.Together, desk.Complete, 1
	p.Allowance, p.MaxLoss, p.Deadline = h.Allowance, h.MaxLoss, d.Now+h.Deadline
	p.Base = max(q.carry, -q.carry)
	l := &p.Legs[0]
	l.Op, l.Type, l.TIF, l.Side, l.Role, l.Inst = venue.New, venue.Limit, venue.IOC, side, venue.RoleHedge, q.hedge.Inst
	l.Price, l.Qty, l.BookSeq, l.NotAfter = limit, qty, d.Books[q.hedge.Inst].Seq(), d.Now+h.NotAfter
	*c = cover{open: true, left: qty, at: d.Now, until: p.Deadline, retryBefore: d.Now + h.Retry}
	q.again = min(q.again, max(c.retryBefore, d.Now+1))
	s.counts[hedges]++
}

// inFlight is what hedges of ours that outlived their plan (of unknown fate, say) may still fill, in base units.
func (s *Strategy) inFlight(d *desk.Desk, q *quote, side venue.Side) fixed.Qty {
	sum := fixed.Qty(0)
	for _, slot := range d.Live[q.hedge.Inst] {
		o := &d.Orders[slot]
		if o.Side != side || !s.known || o.Strategy != s.id || (o.Role != venue.RoleHedge && o.Role != venue.RoleUnwind) {
			continue
		}
		if b, ok := q.hedge.BaseQty(o.Price, o.Remaining(), fixed.Up); ok {
			sum += b
		}
	}
	return sum
}

// coverable is the order that covers the carry less what is in flight; false when that is below a lot or a minimum, or
// the book does not hold it.
func (q *quote) coverable(d *desk.Desk, side venue.Side, inFlight fixed.Qty) (fixed.Qty, fixed.Price, bool) {
	h, b := q.hedge, d.Books[q.hedge.Inst]
	best := b.Best(side.Other())
	want := max(q.carry, -q.carry) - inFlight
	if best.Qty <= 0 || want <= 0 {
		return 0, 0, false
	}
	v, ok := h.FromBase(best.Price, want, fixed.Down)
	if !ok {
		return 0, 0, false
	}
	if h.MaxQty > 0 {
		v = min(v, h.MaxQty)
	}
	w := b.Take(side, v)
	v = fixed.RoundTo(w.Filled, h.Lot, fixed.Down)
	slip, ok := fixed.MulDiv(int64(w.Worst), int64(q.cfg.Hedge.Slip), int64(fixed.One), fixed.Down)
	if !ok || v <= 0 || v < h.MinQty {
		return 0, 0, false
	}
	limit, how := w.Worst+fixed.Price(slip), fixed.Down
	if side == venue.Sell {
		limit, how = w.Worst-fixed.Price(slip), fixed.Up
	}
	limit = fixed.RoundTo(limit, h.Tick, how)
	n, ok := h.Notional(limit, v, fixed.Down)
	return v, limit, ok && limit > 0 && n >= h.MinNotional
}
