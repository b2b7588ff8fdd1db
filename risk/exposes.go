package risk

import (
	"oneprice/books/venue"
)

// exposes asks what the position, the exposures and the balances become if everything that may fill fills, this order
// included. A limit binds only what grows.
func (g *Gate) exposes(c *candidate) Verdict {
	s, b, sign := c.s, side(c.side), c.side.Sign()
	p, why := g.worst(c.in.Inst, c.side, extra{c.more, c.worst}, c.d)
	if why != venue.OK {
		return no(RulePosition, why)
	}
	old, v, limits := &s.parts[b], c.v, &g.limits
	if used := int64(old.qty) * sign; c.more > 0 && int64(p.qty)*sign > int64(s.maxPos) {
		return refuse(RulePosition, venue.PositionLimit, int64(p.qty)*sign, int64(s.maxPos), used)
	}
	product := &g.products[s.product]
	used, more := int64(product.base[b])*sign, int64(p.base-old.base)*sign
	if more > 0 && used+more > int64(product.maxBase) {
		return refuse(RuleProduct, venue.ProductLimit, used+more, int64(product.maxBase), used)
	}
	if more = int64(p.val-old.val) * sign; more > 0 {
		if used = int64(v.sums.val[b]) * sign; used+more > int64(v.maxNet) {
			return refuse(RuleVenueNet, venue.VenuePositionLimit, used+more, int64(v.maxNet), used)
		}
		if used = int64(g.sums.val[b]) * sign; used+more > int64(limits.MaxNet) {
			return refuse(RuleNet, venue.NetExposure, used+more, int64(limits.MaxNet), used)
		}
	}
	if more = int64(max(p.mag, s.parts[1-b].mag) - s.gross); more > 0 {
		if used = int64(v.sums.gross); used+more > int64(v.maxGross) {
			return refuse(RuleVenueGross, venue.VenueExposure, used+more, int64(v.maxGross), used)
		}
		if used = int64(g.sums.gross); used+more > int64(limits.MaxGross) {
			return refuse(RuleGross, venue.GrossExposure, used+more, int64(limits.MaxGross), used)
		}
		if used+more > int64(g.leverage) {
			return refuse(RuleLeverage, venue.MarginLimit, used+more, int64(g.leverage), used)
		}
	}
	return g.funds(c, p)
}

// funds asks whether the balances carry the order: quote for a spot buy, base for a spot sell unless a short is
// permitted, margin for a derivative; and whether what is sold is held.
func (g *Gate) funds(c *candidate, p part) Verdict {
	s := c.s
	parts := s.parts
	parts[side(c.side)] = p
	settle, base := s.binds(parts[0], parts[1])
	if more := int64(base - s.lockBase); more > 0 && !s.short {
		used, free := int64(g.locks[s.venue][s.base]), int64(c.d.Balances[s.venue][s.base])
		if used+more > free {
			return refuse(RuleShort, venue.ShortNotAllowed, used+more, free, used)
		}
	}
	if !s.spot && !s.margined && !s.short {
		// A stock or a binary has no balance but its position; the NO side is held as a short.
		closing := venue.Sell
		if c.inst.Complement {
			closing = venue.Buy
		}
		if c.side == closing && int64(p.qty)*closing.Sign() > 0 {
			held := int64(c.d.Positions[c.in.Inst].Qty) * -closing.Sign()
			return refuse(RuleShort, venue.ShortNotAllowed, int64(p.qty)*closing.Sign()+held, held, int64(s.parts[side(closing)].qty)*closing.Sign()+held)
		}
	}
	more := int64(settle - s.locked)
	if more <= 0 {
		return ok()
	}
	used, free := int64(g.locks[s.venue][s.settle]), int64(c.d.Balances[s.venue][s.settle])
	switch {
	case used+more <= free:
		return ok()
	case s.margined:
		return refuse(RuleMargin, venue.MarginLimit, used+more, free, used)
	}
	return refuse(RuleBalance, venue.NoBalance, used+more, free, used)
}
