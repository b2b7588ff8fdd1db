package risk

import (
	"oneprice/books/venue"
)

// exposes asks what the position, the exposures and the balances become if everything that may fill fills, this order
// included. A limit binds only what grows.
func (g *Gate) exposes(c *candidate) bool {
	s, b, sign := c.s, side(c.side), c.side.Sign()
	p := &g.part
	if why := g.worst(p, c.in.Inst, c.side, extra{c.more, c.worst}, c.rate, c.d); why != venue.OK {
		return c.no(RulePosition, why)
	}
	old, v, limits := &s.parts[b], c.v, &g.limits
	if used := int64(old.qty) * sign; c.more > 0 && int64(p.qty)*sign > int64(s.maxPos) {
		return c.refuse(RulePosition, venue.PositionLimit, int64(p.qty)*sign, int64(s.maxPos), used)
	}
	product := s.of
	used, more := int64(product.base[b])*sign, int64(p.base-old.base)*sign
	if more > 0 && used+more > int64(product.maxBase) {
		return c.refuse(RuleProduct, venue.ProductLimit, used+more, int64(product.maxBase), used)
	}
	if more = int64(p.val-old.val) * sign; more > 0 {
		if used = int64(v.sums.val[b]) * sign; used+more > int64(v.maxNet) {
			return c.refuse(RuleVenueNet, venue.VenuePositionLimit, used+more, int64(v.maxNet), used)
		}
		if used = int64(g.sums.val[b]) * sign; used+more > int64(limits.MaxNet) {
			return c.refuse(RuleNet, venue.NetExposure, used+more, int64(limits.MaxNet), used)
		}
	}
	if more = int64(max(p.mag, s.parts[1-b].mag) - s.gross); more > 0 {
		if used = int64(v.sums.gross); used+more > int64(v.maxGross) {
			return c.refuse(RuleVenueGross, venue.VenueExposure, used+more, int64(v.maxGross), used)
		}
		if used = int64(g.sums.gross); used+more > int64(limits.MaxGross) {
			return c.refuse(RuleGross, venue.GrossExposure, used+more, int64(limits.MaxGross), used)
		}
		if used+more > int64(g.leverage) {
			return c.refuse(RuleLeverage, venue.MarginLimit, used+more, int64(g.leverage), used)
		}
	}
	return g.funds(c, p)
}

// funds asks whether the balances carry the order: quote for a spot buy, base for a spot sell unless a short is
// permitted, margin for a derivative; and whether what is sold is held.
func (g *Gate) funds(c *candidate, p *part) bool {
	s, b := c.s, side(c.side)
	lock, free, more := s.lock, s.free, int64(p.lock-s.parts[b].lock)
	switch {
	case s.margined:
		more = int64(max(p.lock, s.parts[1-b].lock) + s.loss - s.locked)
	case s.spot && c.side == venue.Sell:
		if s.short {
			return true
		}
		lock, free = s.lockBase, s.freeBase
	case !s.spot && !s.short && !c.held(p):
		return false
	}
	if more <= 0 {
		return true
	}
	used, held := int64(*lock), int64(*free)
	switch {
	case used+more <= held:
		return true
	case s.margined:
		return c.refuse(RuleMargin, venue.MarginLimit, used+more, held, used)
	case s.spot && c.side == venue.Sell:
		return c.refuse(RuleShort, venue.ShortNotAllowed, used+more, held, used)
	}
	return c.refuse(RuleBalance, venue.NoBalance, used+more, held, used)
}

// held asks whether a stock or a binary that is sold is held, for its only balance is the position. The NO side of a
// binary is held as a short, so a buy closes it.
func (c *candidate) held(p *part) bool {
	closing := venue.Sell
	if c.inst.Complement {
		closing = venue.Buy
	}
	if c.side != closing || int64(p.qty)*closing.Sign() <= 0 {
		return true
	}
	have := -int64(c.d.Positions[c.in.Inst].Qty) * closing.Sign()
	return c.refuse(RuleShort, venue.ShortNotAllowed, int64(p.qty)*closing.Sign()+have, have, int64(c.s.parts[side(closing)].qty)*closing.Sign()+have)
}
