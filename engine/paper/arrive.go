package paper

import (
	"oneprice/books"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// arrive is one command reaching its venue.
func (g *Gateway) arrive(c *venue.Command, at venue.Nanos) {
	p := &g.pits[c.Inst]
	switch c.Op {
	case venue.New:
		g.place(p, c, at)
	case venue.Cancel:
		g.cancel(p, c, at)
	case venue.Amend:
		g.amend(p, c, at)
	case venue.CancelAll:
		for i := range g.pits {
			if p := &g.pits[i]; p.in != nil && p.in.Venue == c.Venue && (c.Inst == 0 || c.Inst == p.in.Inst) {
				g.cancelAll(p, at)
			}
		}
	}
}

// place is a new order.
func (g *Gateway) place(p *pit, c *venue.Command, at venue.Nanos) {
	g.open-- // until it rests
	o := rest{client: c.Client, slot: c.Slot, side: c.Side, kind: c.Type, price: c.Price, qty: c.Qty}
	if why := g.refuses(p, c); why != venue.OK {
		g.counts.Rejects++
		g.report(p, &o, venue.RejectedReport, at).Reason = why
		return
	}
	g.orders++
	o.id = g.orders
	g.counts.Acks++
	g.report(p, &o, venue.Ack, at)
	if p.book.State() != books.Live {
		why := venue.BookNotLive
		if c.TIF != venue.GTC {
			why = venue.Unfilled
		}
		g.expire(p, &o, why, at)
		return
	}
	if c.TIF != venue.FOK || g.reachable(p, &o) >= o.qty {
		g.take(p, &o, at)
	}
	switch {
	case o.qty == o.cum:
	case c.TIF == venue.GTC:
		g.rest(p, o)
	case o.cum == 0:
		g.expire(p, &o, venue.Unfilled, at)
	default:
		g.expire(p, &o, venue.OK, at)
	}
}

func (g *Gateway) expire(p *pit, o *rest, why venue.Reason, at venue.Nanos) {
	g.counts.Expired++
	g.report(p, o, venue.Expired, at).Reason = why
}

// refuses is what the venue has against a new order.
func (g *Gateway) refuses(p *pit, c *venue.Command) venue.Reason {
	if c.Side != venue.Buy && c.Side != venue.Sell {
		return venue.BadIntent
	}
	if p.sides[0].find(c.Client) >= 0 || p.sides[1].find(c.Client) >= 0 {
		return venue.Duplicate
	}
	switch c.Type {
	case venue.Limit:
		if c.TIF != venue.GTC && c.TIF != venue.IOC && c.TIF != venue.FOK {
			return venue.BadIntent
		}
	case venue.PostOnly:
		if c.TIF != venue.GTC {
			return venue.BadIntent
		}
	default:
		return venue.VenueRejected // stops are held by the engine
	}
	switch p.in.Status {
	case venue.Trading, venue.LimitOnly:
	case venue.PostOnlyMode:
		if c.Type != venue.PostOnly {
			return venue.InstrumentHalted
		}
	case venue.ReduceOnly:
		if c.Flags&venue.ReduceOnlyFlag == 0 {
			return venue.ReduceOnlyMode
		}
	default:
		return venue.InstrumentHalted
	}
	return g.misfits(p, c.Type, c.Side, c.Price, c.Qty)
}

// misfits is what the venue has against an order's numbers, and against a PostOnly that would take.
func (g *Gateway) misfits(p *pit, kind venue.OrderType, s venue.Side, price fixed.Price, qty fixed.Qty) venue.Reason {
	in := p.in
	if in.Tick <= 0 || price <= 0 || price > fixed.Limit || price%in.Tick != 0 {
		return venue.BadTick
	}
	if in.Lot <= 0 || qty <= 0 || qty%in.Lot != 0 {
		return venue.BadLot
	}
	if qty < in.MinQty {
		return venue.BelowMinQty
	}
	if in.MaxQty > 0 && qty > in.MaxQty {
		return venue.AboveMaxQty
	}
	worth, ok := in.Notional(price, qty, fixed.Down)
	if !ok {
		return venue.Overflowed
	}
	if worth < in.MinNotional {
		return venue.BelowMinNotional
	}
	if _, _, ok := g.fee(in, price, qty, venue.Maker); !ok {
		return venue.Overflowed
	}
	if kind == venue.PostOnly {
		if l := p.book.Best(s.Other()); l.Qty > 0 && !beyond(s, l.Price, price) {
			return venue.PostOnlyCross
		}
	}
	return venue.OK
}

// beyond reports whether price a is out of reach for a taker of side s with limit b: above it for a buyer.
func beyond(s venue.Side, a, b fixed.Price) bool {
	if s == venue.Buy {
		return a > b
	}
	return a < b
}

// reachable is how much the order could take now.
func (g *Gateway) reachable(p *pit, o *rest) fixed.Qty {
	var sum fixed.Qty
	fresh := 0 // prices that the walk would add to the memory
	s := p.of(o.side.Other())
	for l := p.book.Levels(o.side.Other()); sum < o.qty && l.Next() && !beyond(o.side, l.Price, o.price); {
		if _, _, ok := g.fee(p.in, l.Price, o.qty, 0); ok {
			q, known := s.taken.left(l.Level, fresh)
			if !known {
				fresh++
			}
			sum += min(q, o.qty-sum)
		}
	}
	return sum
}

// take walks the book up to the order's price and consumes what is left there.
func (g *Gateway) take(p *pit, o *rest, at venue.Nanos) {
	s := p.of(o.side.Other())
	for l := p.book.Levels(o.side.Other()); o.cum < o.qty && l.Next() && !beyond(o.side, l.Price, o.price); {
		q, _ := s.taken.left(l.Level, 0)
		if q = min(q, o.qty-o.cum); q <= 0 {
			continue
		}
		if _, _, ok := g.fee(p.in, l.Price, o.qty, 0); !ok {
			continue // a value that Cash cannot hold cannot be booked, so it is not traded
		}
		s.taken.add(l.Price, q)
		g.fill(p, o, l.Price, q, 0, at)
	}
}

func (g *Gateway) cancel(p *pit, c *venue.Command, at venue.Nanos) {
	s, i := p.search(c)
	if s == nil {
		g.denied(p, c, venue.CancelRejected, venue.UnknownTarget, at)
		return
	}
	g.counts.Cancelled++
	g.report(p, &s.rests[i], venue.Cancelled, at).Reason = venue.UserCancel
	g.remove(s, i)
}

func (g *Gateway) cancelAll(p *pit, at venue.Nanos) {
	for k := range p.sides {
		s := &p.sides[k]
		for i := range s.rests {
			g.counts.Cancelled++
			g.report(p, &s.rests[i], venue.Cancelled, at).Reason = venue.UserCancel
		}
		g.open -= len(s.rests)
		s.rests = s.rests[:0]
	}
}

// amend changes a resting order. It keeps its place only when the price stays and the quantity does not grow.
func (g *Gateway) amend(p *pit, c *venue.Command, at venue.Nanos) {
	s, i := p.search(c)
	if s == nil {
		g.denied(p, c, venue.AmendRejected, venue.UnknownTarget, at)
		return
	}
	o := s.rests[i]
	live := p.book.State() == books.Live
	why := g.misfits(p, o.kind, o.side, c.Price, c.Qty)
	switch {
	case why != venue.OK:
	case c.Qty <= o.cum:
		why = venue.BadIntent // it has filled more than that
	case !live && (c.Price != o.price || c.Qty > o.qty):
		why = venue.BookNotLive // the queue it would join cannot be seen
	}
	if why != venue.OK {
		r := g.report(p, &o, venue.AmendRejected, at)
		r.Reason, r.Seq = why, c.Client
		return
	}
	keeps := c.Price == o.price && c.Qty <= o.qty
	o.price, o.qty = c.Price, c.Qty
	g.report(p, &o, venue.Amended, at).Seq = c.Client
	if keeps {
		s.rests[i].qty = o.qty
		return
	}
	g.remove(s, i)
	g.take(p, &o, at)
	if o.cum < o.qty {
		g.rest(p, o)
	}
}

// denied answers a cancel or amend of an order that is not there.
func (g *Gateway) denied(p *pit, c *venue.Command, kind venue.ReportKind, why venue.Reason, at venue.Nanos) {
	o := rest{client: c.Target, slot: c.Slot}
	r := g.report(p, &o, kind, at)
	r.Reason, r.Seq = why, c.Client
}
