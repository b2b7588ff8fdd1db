package arb

import (
	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// order is what a cross comes to: a quantity and a limit price per leg.
type order struct {
	qty   [desk.MaxLegs]fixed.Qty
	limit prices
	base  fixed.Qty
	edge  fixed.Rate
}

// maxShrink bounds how often a size is taken back by a lot when rounding in a triangle has pushed a leg a level too far.
const maxShrink = 4

// order finds the largest size that meets the threshold, the books and the limits; false when that is below a minimum.
func (s *Strategy) order(d *desk.Desk, c *cross) (o order, ok bool) {
	size := s.size(d, c)
	for range maxShrink {
		if size < c.link.MinBase || size <= 0 || !c.fit(d, size, &o) {
			return o, false
		}
		if full := c.limits(d, &o); full && c.meets(&o.limit) {
			break
		}
		size, ok = o.base-1, false
		o = order{}
	}
	if o.base == 0 || o.base < c.link.MinBase || !c.tradable(&o) {
		return o, false
	}
	o.edge, ok = c.edge(&o.limit)
	return o, ok
}

// limits finds the worst price that each leg walks to; false when a book does not hold its quantity.
func (c *cross) limits(d *desk.Desk, o *order) bool {
	full := true
	for k := range c.n {
		l := &c.legs[k]
		w := d.Books[l.inst].Take(l.side, o.qty[k])
		o.limit[k] = w.Worst
		full = full && w.Filled == o.qty[k]
	}
	return full
}

// tradable reports whether every leg meets its venue's minimums.
func (c *cross) tradable(o *order) bool {
	for k := range c.n {
		in := c.legs[k].in
		if o.qty[k] <= 0 || o.qty[k] < in.MinQty {
			return false
		}
		if v, ok := in.Notional(o.limit[k], o.qty[k], fixed.Down); !ok || v < in.MinNotional {
			return false
		}
	}
	return true
}

// ladder is a walk down one leg's book.
type ladder struct {
	books.Cursor
	// sum is what the levels so far deliver in base units of the leg, each rounded down; first the price it started at.
	sum   fixed.Qty
	first fixed.Price
}

func (w *ladder) next(l *leg) bool {
	if !w.Next() || w.Price <= 0 {
		return false
	}
	b, ok := l.makes(w.Price, w.Qty)
	if !ok {
		return false
	}
	w.sum, ok = fixed.Add(w.sum, b)
	return ok
}

// size is the largest common size, in base units, at which the edge at the levels reached still meets the threshold,
// within MaxBase, MaxNotional, MaxPosition, the venues' largest orders and, where asked for, balances. Not yet rounded to
// lots.
func (s *Strategy) size(d *desk.Desk, c *cross) fixed.Qty {
	var w [desk.MaxLegs]ladder
	var p prices
	for k := range c.n {
		l := &c.legs[k]
		w[k].Cursor = d.Books[l.inst].Levels(l.side.Other())
		if !w[k].next(l) {
			return 0
		}
		p[k], w[k].first = w[k].Price, w[k].Price
	}
	most := fixed.Qty(0)
	for c.meets(&p) {
		depth, bound, at := fixed.Qty(fixed.Limit), c.link.MaxBase, uint8(0)
		for k := range c.n {
			if v := c.common(k, w[k].sum, &p); v < depth {
				depth, at = v, k
			}
			bound = min(bound, s.cap(d, c, k, &p, w[k].first, bound))
		}
		most = max(most, min(depth, bound))
		if depth >= bound || !w[at].next(&c.legs[at]) {
			break
		}
		p[at] = w[at].Price
	}
	return most
}

// cap is the common size that limits and balances allow leg k at its price; first is the best one of its book, and more
// than bound is not wanted.
func (s *Strategy) cap(d *desk.Desk, c *cross, k uint8, p *prices, first fixed.Price, bound fixed.Qty) fixed.Qty {
	l := &c.legs[k]
	v := fixed.Qty(fixed.Limit)
	if c.form != triangle {
		v = bound // the common size is the leg's own
	}
	if l.in.MaxQty > 0 {
		if b, ok := l.makes(p[k], l.in.MaxQty); ok {
			v = min(v, b)
		}
	}
	if c.link.MaxPosition > 0 {
		v = min(v, l.room(d, c.link.MaxPosition, p[k]))
	}
	cash := fixed.Cash(fixed.Limit)
	if l.in.Quote == c.quote {
		cash = c.link.MaxNotional
	}
	if s.cfg.Balances && l.paysInFull() {
		if l.side == venue.Sell && !l.in.Complement {
			v = min(v, freeBase(d, l))
		} else if l.side == venue.Buy && !l.in.Complement {
			cash = min(cash, freeCash(d, l))
		}
	}
	if cash < fixed.Limit {
		at := p[k]
		if l.in.Contract == venue.Inverse && l.side == venue.Sell {
			at = first // contracts have one notional at every price: the highest makes the fewest coins of it
		}
		if !l.affords(at, v, cash) {
			v = min(v, l.buys(at, cash))
		}
	}
	return c.common(k, v, p)
}

// room is what may still be traded on the leg's side until its position, with what works on that side, is at the limit.
func (l *leg) room(d *desk.Desk, limit fixed.Qty, p fixed.Price) fixed.Qty {
	w := &d.Working[l.inst]
	q, working := fixed.Qty(l.side.Sign())*d.Positions[l.inst].Qty, w.BuyQty
	if l.side == venue.Sell {
		working = w.SellQty
	}
	q += working
	if q >= 0 {
		b, ok := l.in.BaseQty(p, q, fixed.Up)
		if !ok {
			return 0
		}
		return max(limit-b, 0)
	}
	b, ok := l.in.BaseQty(p, -q, fixed.Down)
	if !ok {
		return 0
	}
	return limit + b
}

// paysInFull reports whether a trade delivers and pays all of its value, so that a balance bounds it.
func (l *leg) paysInFull() bool {
	return l.in.Kind == venue.Spot || l.in.Kind == venue.Stock || l.in.Kind == venue.Binary
}

// freeBase is what may still be sold from the balance at the venue, in base units.
func freeBase(d *desk.Desk, l *leg) fixed.Qty {
	v, ok := fixed.Rescale(int64(d.Balances[l.in.Venue][l.in.Base]), fixed.CashScale, l.in.QtyScale, fixed.Down)
	sold, ok2 := l.makes(1, d.Working[l.inst].SellQty)
	if !ok || !ok2 {
		return 0
	}
	return max(fixed.Qty(v)-sold, 0)
}

// freeCash is what may still be spent from the balance at the venue, less the taker fee.
func freeCash(d *desk.Desk, l *leg) fixed.Cash {
	w := &d.Working[l.inst]
	used, ok := l.in.Notional(w.BuyWorst, w.BuyQty, fixed.Up)
	if !ok {
		return 0
	}
	v, _ := fixed.MulDiv(int64(max(d.Balances[l.in.Venue][l.in.Quote]-used, 0)), int64(fixed.One), int64(max(l.net, fixed.One)), fixed.Down)
	return fixed.Cash(v)
}
