package risk

import (
	"math/bits"

	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// prices asks what the order is worth and whether its price makes sense: exchange rate, notional, collar, slippage.
func (g *Gate) prices(c *candidate) bool {
	if g.bad > 0 && !c.reduces {
		return c.refuse(RuleFX, g.badWhy, int64(g.bad), 0, int64(g.bad))
	}
	k := g.fx(c.s.quote, c.d)
	if c.rate = k; k == nil {
		return c.no(RuleFX, venue.NoFX)
	}
	if !k.fixed {
		if age := c.d.Now - c.d.FX[c.s.quote].At; age > k.maxAge {
			return c.refuse(RuleFX, venue.NoFX, int64(age), int64(k.maxAge), 0)
		}
		if k.bid < k.pegLow {
			return c.refuse(RuleFX, venue.NoFX, int64(k.bid), int64(k.pegLow), 0)
		}
		if k.ask > k.pegHigh {
			return c.refuse(RuleFX, venue.NoFX, int64(k.ask), int64(k.pegHigh), 0)
		}
	}
	s, p := c.s, c.in.Price
	worth := s.worth(k)
	if s.minNotional != c.inst.MinNotional {
		s.minNotional = c.inst.MinNotional
		s.least = s.cost.least(max(s.minNotional, 0))
	}
	// Bounds on price × quantity are kept, so that an order within them needs no valuation.
	if raw, ok := worth.raw(p, c.in.Qty); (!ok || s.top != 0 || raw < s.least || raw > s.most) && !c.sized(worth) {
		return false
	}
	if c.leg != nil {
		return true // within the plan's allowance of a price that passed both
	}
	if ref := g.reference(c); ref <= 0 || beyond(p, ref, s.collar) {
		return c.collared(ref)
	}
	return g.slips(c)
}

// sized bounds the notional of the order.
func (c *candidate) sized(worth *scale) bool {
	s, p, q := c.s, c.in.Price, c.in.Qty
	if n, fits := c.inst.Notional(p, q, fixed.Down); !fits || n < s.minNotional {
		return c.refuse(RuleMinNotional, venue.BelowMinNotional, int64(n), int64(s.minNotional), 0)
	}
	if s.top > 0 && c.side == venue.Sell {
		p = max(s.top-p, 0) // what a sold binary may cost
	}
	n, fits := worth.up(p, q)
	if !fits {
		return c.no(RuleMaxNotional, venue.Overflowed)
	}
	if n > s.maxCash {
		return c.refuse(RuleMaxNotional, venue.AboveMaxNotional, int64(n), int64(s.maxCash), 0)
	}
	return true
}

// beyond reports whether |a − b| is more than part of b, exactly.
func beyond(a, b fixed.Price, part fixed.Rate) bool {
	diff := a - b
	if diff < 0 {
		diff = -diff
	}
	h1, l1 := bits.Mul64(uint64(diff), uint64(fixed.One))
	h2, l2 := bits.Mul64(uint64(part), uint64(b))
	return h1 > h2 || (h1 == h2 && l1 > l2)
}

// share is |a − b| as a fraction of b, rounded up, for a refusal.
func share(a, b fixed.Price) int64 {
	v, ok := fixed.MulDiv(int64(max(a-b, b-a)), int64(fixed.One), int64(b), fixed.Up)
	if !ok {
		return fixed.Limit
	}
	return v
}

// collared refuses a price too far from an independent one.
func (c *candidate) collared(ref fixed.Price) bool {
	if ref <= 0 {
		return c.no(RuleCollar, venue.NoReference)
	}
	return c.refuse(RuleCollar, venue.PriceCollar, share(c.in.Price, ref), int64(c.s.collar), 0)
}

// reference is the first fresh reference price in the units of the candidate's instrument, 0 when there is none.
func (g *Gate) reference(c *candidate) fixed.Price {
	s, d := c.s, c.d
	if s.smoothing > 0 {
		if s.smoothAt == 0 || d.Now-s.smoothAt > s.refAge {
			return 0
		}
		return s.smooth
	}
	for i := range s.refs[:s.nrefs] {
		r := &s.refs[i]
		b := r.book
		if b == nil || b.State() != books.Live || d.Now-b.Recv() > s.refAge {
			continue
		}
		bid, ask := b.Best(venue.Buy), b.Best(venue.Sell)
		if bid.Qty <= 0 || ask.Qty <= 0 {
			continue
		}
		mid := bid.Price + (ask.Price-bid.Price)/2
		if r.quote != s.quote {
			if mid = g.cross(s, mid, r.quote, s.quote, d); mid == 0 {
				continue
			}
		}
		return mid
	}
	return 0
}

// cross converts a reference price between two quote currencies at the middle of their rates, rounded up; 0 when a rate
// is missing or old.
func (g *Gate) cross(s *slot, p fixed.Price, from, to venue.Ccy, d *desk.Desk) fixed.Price {
	a, b := g.fx(from, d), g.fx(to, d)
	if a == nil || b == nil || (!a.fixed && d.Now-d.FX[from].At > a.maxAge) || (!b.fixed && d.Now-d.FX[to].At > b.maxAge) {
		return 0
	}
	num, den := int64(a.bid+a.ask), int64(b.bid+b.ask)
	if s.crossing.num != num || s.crossing.den1 != den {
		s.crossing = newScale(num, den, 1, false)
	}
	v, ok := s.crossing.up(p, 1)
	if !ok {
		return 0
	}
	return fixed.Price(v)
}

// slips guards a taker: neither may the walk through the live book end too far from the touch, nor the limit price lie
// too far beyond that walk.
func (g *Gate) slips(c *candidate) bool {
	p := c.in.Price
	if c.in.Type == venue.PostOnly || (c.order != nil && c.order.Type == venue.PostOnly) {
		return true
	}
	best := c.book.Best(c.side.Other())
	crosses := best.Qty > 0 && ((c.side == venue.Buy && p >= best.Price) || (c.side == venue.Sell && p <= best.Price))
	if !crosses && c.in.TIF != venue.IOC && c.in.TIF != venue.FOK {
		return true
	}
	if best.Qty <= 0 || best.Price <= 0 {
		return c.no(RuleSlippage, venue.NoReference)
	}
	if !crosses {
		return true // it takes nothing
	}
	worst := best.Price
	if c.qty > best.Qty {
		worst = c.book.Take(c.side, c.qty).Worst
		reach := worst // what may be paid: the limit price stops the walk
		if (c.side == venue.Buy && p < worst) || (c.side == venue.Sell && p > worst) {
			reach = p
		}
		if beyond(reach, best.Price, c.s.guard) {
			return c.refuse(RuleSlippage, venue.Slippage, share(reach, best.Price), int64(c.s.guard), 0)
		}
		if reach != worst {
			return true
		}
	}
	if beyond(p, worst, c.s.guard) {
		return c.refuse(RuleSlippage, venue.Slippage, share(p, worst), int64(c.s.guard), 0)
	}
	return true
}
