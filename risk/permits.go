package risk

import (
	"math"

	"oneprice/books"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// flags are what stands against new orders in the whole, at a venue, for an instrument or a strategy. One OR finds that
// nothing does.
type flags uint16

const (
	killed flags = 1 << iota
	disarmed
	notAllowed
	restricted
	ringFull
	missing
	reduceOnly
	streakReached
	stopped
)

// set raises or lowers one flag.
func (f *flags) set(bit flags, on bool) {
	*f &^= bit
	if on {
		*f |= bit
	}
}

// permits asks whether anything may be sent at all.
func (g *Gate) permits(c *candidate) bool {
	c.flags = g.flags | c.v.flags | c.s.flags | c.st.flags
	if c.flags&^(reduceOnly|streakReached) != 0 && !g.flagged(c) {
		return false
	}
	if c.inst.Status != venue.Trading && !c.status() {
		return c.refuse(RuleStatus, venue.InstrumentHalted, int64(c.inst.Status), int64(venue.Trading), 0)
	}
	if !c.s.allDay && !c.s.inSession(c.d.Now) {
		return c.refuse(RuleSession, venue.SessionClosed, int64(c.d.Now%Day), int64(c.s.close), 0)
	}
	if c.leg != nil {
		return true // a reserved hedge passes every breaker
	}
	if c.v.breaker.state != Closed && !c.tripped(&c.v.breaker, RuleVenueBreaker, venue.BreakerOpen) {
		return false
	}
	if g.breaker.state != Closed && !c.tripped(&g.breaker, RuleGlobalBreaker, venue.GlobalBreakerOpen) {
		return false
	}
	if r := &c.st.repeats[side(c.side)]; r.disabled {
		n := int64(len(r.times))
		return c.refuse(RuleRepeats, venue.RepeatedExecutions, n, n-1, n)
	}
	if c.flags&streakReached != 0 && !c.reduces {
		return c.refuse(RuleLossStreak, venue.LossStreak, c.st.streak, c.st.maxStreak, c.st.streak)
	}
	return true
}

// flagged names the first of the flags that refuses.
func (g *Gate) flagged(c *candidate) bool {
	switch f := c.flags; {
	case f&killed != 0:
		return c.no(RuleKill, venue.Killed)
	case f&disarmed != 0 && c.leg == nil && !c.closes():
		return c.no(RuleArmed, venue.NotArmed)
	case f&notAllowed != 0:
		return c.no(RuleAllow, venue.NotAllowed)
	case f&restricted != 0:
		return c.no(RuleRestricted, venue.Restricted)
	case f&ringFull != 0 && c.leg == nil:
		return c.no(RuleRoom, g.fullWhy())
	case f&missing != 0:
		return c.no(RuleMissing, venue.NoReference)
	case f&stopped != 0 && c.leg == nil && c.in.Role != venue.RoleStop:
		return c.no(RuleStopped, venue.StopFired)
	}
	return true
}

// closes reports whether it is the engine's own order, on an operator's word, that takes a position towards zero: no
// strategy has the number 0.
func (c *candidate) closes() bool {
	return c.in.Strategy == 0 && c.in.Role == venue.RoleStop && c.reduces
}

func (g *Gate) fullWhy() venue.Reason {
	switch {
	case g.full&(1<<venue.RingAudit) != 0:
		return venue.AuditBehind
	case g.full&(1<<venue.RingJournal) != 0:
		return venue.JournalFull
	}
	return venue.CommandRingFull
}

// status reports whether an instrument that does not trade freely takes this order all the same.
func (c *candidate) status() bool {
	switch c.inst.Status {
	case venue.LimitOnly:
		return true
	case venue.PostOnlyMode:
		return c.in.Type == venue.PostOnly || (c.order != nil && c.order.Type == venue.PostOnly)
	case venue.ReduceOnly:
		return c.reduces
	}
	return false
}

func (s *slot) inSession(now venue.Nanos) bool {
	if s.expiry != 0 && now > s.expiry {
		return false
	}
	at := now % Day
	if s.open < s.close {
		return at >= s.open && at < s.close
	}
	return at >= s.open || at < s.close
}

// tripped asks a breaker that is not closed. Legs of a plan are never probes.
func (c *candidate) tripped(b *Breaker, r Rule, why venue.Reason) bool {
	if pass, probe := b.Allows(c.d.Now); pass && !(probe && c.planned) {
		c.probe = c.probe || probe
		return true
	}
	left := int64(b.Left(c.d.Now))
	if left > 0 {
		left = (left + int64(venue.Second) - 1) / int64(venue.Second)
	}
	c.verdict = Verdict{Reason: why, Rule: r, Value: left, Limit: int64(b.wait / venue.Second), Headroom: -max(left, 0)}
	return false
}

// trusts asks whether what we know is fresh: book, clock and marks.
func (g *Gate) trusts(c *candidate) bool {
	now := c.d.Now
	if st := c.book.State(); st != books.Live {
		return c.refuse(RuleBookState, venue.BookNotLive, int64(st), int64(books.Live), 0)
	}
	if age := now - c.book.Recv(); age > c.s.maxAge {
		return c.refuse(RuleBookAge, venue.BookTooOld, int64(age), int64(c.s.maxAge), 0)
	}
	if lag := c.book.Lag(); lag > c.s.maxLag {
		return c.refuse(RuleBookLag, venue.Lagging, int64(lag), int64(c.s.maxLag), 0)
	}
	if !c.v.clockKnown && g.live {
		return c.no(RuleClock, venue.ClockOffset)
	}
	if off := max(c.v.offset, -c.v.offset); off > c.v.maxOffset {
		return c.refuse(RuleClock, venue.ClockOffset, int64(off), int64(c.v.maxOffset), 0)
	}
	return now <= g.sound || g.unsound(c)
}

// unsound says why marks are not to be trusted.
func (g *Gate) unsound(c *candidate) bool {
	if g.markedAt == 0 || g.worthAt == 0 || !g.worth.OK {
		return c.no(RuleMarkAge, venue.NoReference)
	}
	age := c.d.Now - min(g.markedAt, g.worthAt)
	return c.refuse(RuleMarkAge, venue.NoReference, int64(age), int64(g.limits.MaxMarkAge), 0)
}

// shapes asks whether the venue can take such an order.
func (g *Gate) shapes(c *candidate) bool {
	in, i, s := c.in, c.inst, c.s
	if s.tick.step != uint64(i.Tick) || s.lot.step != uint64(i.Lot) {
		if i.Tick <= 0 || i.Lot <= 0 {
			return c.no(RuleMissing, venue.NoReference)
		}
		s.tick, s.lot = newGrid(int64(i.Tick)), newGrid(int64(i.Lot))
	}
	if !s.tick.on(int64(in.Price)) {
		return c.refuse(RuleTick, venue.BadTick, int64(in.Price), int64(i.Tick), 0)
	}
	if in.Stop != 0 && !s.tick.on(int64(in.Stop)) {
		return c.refuse(RuleTick, venue.BadTick, int64(in.Stop), int64(i.Tick), 0)
	}
	if !s.lot.on(int64(in.Qty)) {
		return c.refuse(RuleLot, venue.BadLot, int64(in.Qty), int64(i.Lot), 0)
	}
	if in.Qty < i.MinQty {
		return c.refuse(RuleMinQty, venue.BelowMinQty, int64(in.Qty), int64(i.MinQty), 0)
	}
	if i.MaxQty > 0 && in.Qty > i.MaxQty {
		return c.refuse(RuleMaxQty, venue.AboveMaxQty, int64(in.Qty), int64(i.MaxQty), 0)
	}
	if in.Qty > s.maxQty {
		return c.refuse(RuleMaxQty, venue.AboveMaxQty, int64(in.Qty), int64(s.maxQty), 0)
	}
	if !c.reduces && (in.ReduceOnly || (c.flags&reduceOnly != 0 && c.leg == nil)) {
		pos := int64(c.d.Positions[in.Inst].Qty)
		return c.refuse(RuleReduceOnly, venue.ReduceOnlyMode, int64(c.more), max(-pos*c.side.Sign(), 0), 0)
	}
	return true
}

// counts asks how much was done already: orders open, orders and trades of the day, and losses.
func (g *Gate) counts(c *candidate) bool {
	if c.leg != nil {
		return true // counted when the plan was approved
	}
	n := int64(c.orders)
	if used := int64(c.s.orders); used+n > int64(c.s.maxOpen) && n > 0 {
		return c.refuse(RuleOpenInstrument, venue.OpenOrderLimit, used+n, int64(c.s.maxOpen), used)
	}
	if used := int64(c.v.sums.orders); used+n > int64(c.v.maxOpen) && n > 0 {
		return c.refuse(RuleOpenVenue, venue.OpenOrderLimit, used+n, int64(c.v.maxOpen), used)
	}
	if used := int64(g.sums.orders); used+n > int64(g.limits.MaxOpen) && n > 0 {
		return c.refuse(RuleOpenGlobal, venue.OpenOrderLimit, used+n, int64(g.limits.MaxOpen), used)
	}
	if min(c.v.ordersPerDay-c.v.orders, c.st.ordersPerDay-c.st.orders, g.limits.OrdersPerDay-g.orders) < 1 {
		used, limit := tightest(c.v.orders, c.v.ordersPerDay, c.st.orders, c.st.ordersPerDay, g.orders, g.limits.OrdersPerDay)
		return c.refuse(RuleOrdersDay, venue.OrdersPerDay, used+1, limit, used)
	}
	if min(c.v.tradesPerDay-c.v.trades, g.limits.TradesPerDay-g.trades) < 1 {
		used, limit := tightest(c.v.trades, c.v.tradesPerDay, g.trades, g.limits.TradesPerDay, 0, math.MaxInt64)
		return c.refuse(RuleTradesDay, venue.TradesPerDay, used+1, limit, used)
	}
	return c.reduces || g.plans.loss <= g.spare || g.losses(c, 0)
}

// losses asks whether what is lost, and what open plans and one more may lose, is within bounds.
func (g *Gate) losses(c *candidate, more fixed.Cash) bool {
	if g.plans.loss+more <= g.spare {
		return true
	}
	if lost := g.dayStart - g.worth.PnL + g.plans.loss; lost+more > g.limits.MaxDailyLoss {
		return c.refuse(RuleDailyLoss, venue.DailyLoss, int64(lost+more), int64(g.limits.MaxDailyLoss), int64(lost))
	}
	if lost := g.high - g.worth.PnL + g.plans.loss; lost+more > g.limits.MaxDrawdown {
		return c.refuse(RuleDrawdown, venue.Drawdown, int64(lost+more), int64(g.limits.MaxDrawdown), int64(lost))
	}
	return true
}

// tightest is the pair of used and limit with the least room.
func tightest(pairs ...int64) (used, limit int64) {
	used, limit = pairs[0], pairs[1]
	for i := 2; i < len(pairs); i += 2 {
		if pairs[i+1]-pairs[i] < limit-used {
			used, limit = pairs[i], pairs[i+1]
		}
	}
	return used, limit
}
