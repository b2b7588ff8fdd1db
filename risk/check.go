package risk

import (
	"math"

	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// candidate is an order on its way through the rules.
type candidate struct {
	in   *desk.Intent
	d    *desk.Desk
	inst *venue.Instrument
	s    *slot
	v    *venueState
	st   *strategyState
	book *books.Book
	// order is the target of an amend, nil for a new order.
	order *desk.Order
	side  venue.Side
	// qty is what may fill after it, more what it adds to what may fill already.
	qty, more fixed.Qty
	// worst is the worst price that it may trade at: its own, or what its plan allows beyond it.
	worst fixed.Price
	// orders is 1 when it opens another order.
	orders int32
	// leg is set when a plan's reservation covers it, planned while a plan is being approved, probe when a breaker lets
	// it through as its one probe.
	leg            *legHold
	planned, probe bool
	// reduces: everything of its side that may fill only reduces the position.
	reduces bool
	// tokens is how many orders its rate budgets must still hold.
	tokens int64
}

func ok() Verdict { return Verdict{} }

// refuse makes a refusal; used is what the limit already holds without the intent.
func refuse(r Rule, why venue.Reason, value, limit, used int64) Verdict {
	return Verdict{Reason: why, Rule: r, Value: value, Limit: limit, Headroom: limit - used}
}

// no is a refusal that has no figures.
func no(r Rule, why venue.Reason) Verdict { return Verdict{Reason: why, Rule: r} }

// Check approves or refuses one intent; it never resizes. On refusal out holds no command. A new order or an amend passes
// every rule, an amend for what it adds; a cancel needs only its target and a message. The caller must put an approved
// order into d.Working and call Refresh before the next Check, and set Slot and Client of its command.
func (g *Gate) Check(in *desk.Intent, d *desk.Desk, out *Approved) Verdict {
	out.cmd.Op = venue.NoOp
	g.roll(d.Now)
	if in.Op == venue.Cancel || in.Op == venue.CancelAll {
		return g.cancel(in, d, out)
	}
	var c candidate
	if v := g.open(&c, in, d); v.Reason != venue.OK {
		return v
	}
	var held fixed.Qty
	if in.Plan != 0 {
		var v Verdict
		if held, v = g.cover(&c); v.Reason != venue.OK {
			return v
		}
	}
	v := g.rules(&c)
	if v.Reason != venue.OK {
		if held > 0 {
			g.hold(c.leg, held, d)
		}
		return v
	}
	g.spend(&c)
	c.note(d.Now)
	c.command(g, out)
	return v
}

// rules applies the catalogue in its fixed order.
func (g *Gate) rules(c *candidate) Verdict {
	if v := g.permits(c); v.Reason != venue.OK {
		return v
	}
	if v := g.trusts(c); v.Reason != venue.OK {
		return v
	}
	if v := g.shapes(c); v.Reason != venue.OK {
		return v
	}
	if v := g.counts(c); v.Reason != venue.OK {
		return v
	}
	if v := g.prices(c); v.Reason != venue.OK {
		return v
	}
	if v := g.exposes(c); v.Reason != venue.OK {
		return v
	}
	return g.paces(c)
}

// open finds what an intent is about: shape, target and time.
func (g *Gate) open(c *candidate, in *desk.Intent, d *desk.Desk) Verdict {
	if (in.Op != venue.New && in.Op != venue.Amend) || in.Inst == 0 || int(in.Inst) >= len(g.slots) ||
		d.Instruments[in.Inst] == nil || in.Price <= 0 || in.Qty <= 0 || in.Price > fixed.Limit || in.Qty > fixed.Limit {
		return no(RuleShape, venue.BadIntent)
	}
	if int(in.Strategy) >= len(g.strats) {
		return no(RuleAllow, venue.NotAllowed)
	}
	c.in, c.d, c.inst, c.s, c.book = in, d, d.Instruments[in.Inst], &g.slots[in.Inst], d.Books[in.Inst]
	if c.s.venue == 0 {
		return no(RuleAllow, venue.NotAllowed)
	}
	c.v, c.st, c.side, c.worst, c.tokens = &g.venues[c.s.venue], &g.strats[in.Strategy], in.Side, in.Price, 1
	if in.Op == venue.Amend {
		o := target(in, d)
		if o == nil || o.State == desk.Unknown || o.State == desk.PendingCancel || (in.Side != venue.NoSide && in.Side != o.Side) {
			return no(RuleTarget, venue.UnknownTarget)
		}
		c.order, c.side = o, o.Side
		c.qty = max(in.Qty-o.Filled, 0)
		c.more = max(c.qty-o.Remaining(), 0)
	} else {
		if (in.Side != venue.Buy && in.Side != venue.Sell) || in.TIF < venue.GTC || in.TIF > venue.FOK ||
			in.Type < venue.Limit || in.Type > venue.StopLimit || (in.Type == venue.PostOnly && in.TIF != venue.GTC) ||
			(in.Type >= venue.StopLoss) != (in.Stop > 0) {
			return no(RuleShape, venue.BadIntent)
		}
		c.qty, c.more, c.orders = in.Qty, in.Qty, 1
	}
	if in.NotAfter != 0 && d.Now > in.NotAfter {
		return refuse(RuleLate, venue.Late, int64(d.Now), int64(in.NotAfter), int64(d.Now))
	}
	pos, w, h := d.Positions[in.Inst].Qty, &d.Working[in.Inst], c.s.holds[side(c.side)].qty
	if c.side == venue.Buy {
		c.reduces = pos < 0 && pos+w.BuyQty+h+c.more <= 0
	} else {
		c.reduces = pos > 0 && pos-w.SellQty-h-c.more >= 0
	}
	return ok()
}

// target finds the live order that an intent aims at.
func target(in *desk.Intent, d *desk.Desk) *desk.Order {
	if in.Inst == 0 || int(in.Inst) >= len(d.Live) {
		return nil
	}
	for _, slot := range d.Live[in.Inst] {
		if o := &d.Orders[slot]; o.Client == in.Target && !o.State.Done() {
			return o
		}
	}
	return nil
}

// permits asks whether anything may be sent at all.
func (g *Gate) permits(c *candidate) Verdict {
	switch {
	case g.kill.On() || g.mode.killed || c.v.mode.killed:
		return no(RuleKill, venue.Killed)
	case (g.mode.disarmed || c.v.mode.disarmed) && c.leg == nil:
		return no(RuleArmed, venue.NotArmed)
	case !c.s.allowed || !c.v.allowed || !c.st.allowed:
		return no(RuleAllow, venue.NotAllowed)
	case c.s.restricted:
		return no(RuleRestricted, venue.Restricted)
	case g.full != 0 && c.leg == nil:
		return no(RuleRoom, g.fullWhy())
	case c.s.missing || c.v.missing || c.st.missing:
		return no(RuleMissing, venue.NoReference)
	}
	switch c.inst.Status {
	case venue.Trading, venue.LimitOnly:
	case venue.PostOnlyMode:
		if c.in.Type != venue.PostOnly && (c.order == nil || c.order.Type != venue.PostOnly) {
			return refuse(RuleStatus, venue.InstrumentHalted, int64(c.inst.Status), int64(venue.Trading), 0)
		}
	case venue.ReduceOnly:
		if !c.reduces {
			return refuse(RuleStatus, venue.InstrumentHalted, int64(c.inst.Status), int64(venue.Trading), 0)
		}
	default:
		return refuse(RuleStatus, venue.InstrumentHalted, int64(c.inst.Status), int64(venue.Trading), 0)
	}
	if !c.s.inSession(c.d.Now) {
		return refuse(RuleSession, venue.SessionClosed, int64(c.d.Now%Day), int64(c.s.close), 0)
	}
	if c.leg != nil {
		return ok() // a reserved hedge passes every breaker
	}
	if v := g.tripped(c, &c.v.breaker, RuleVenueBreaker, venue.BreakerOpen); v.Reason != venue.OK {
		return v
	}
	if v := g.tripped(c, &g.breaker, RuleGlobalBreaker, venue.GlobalBreakerOpen); v.Reason != venue.OK {
		return v
	}
	if r := &c.st.repeats[side(c.side)]; r.disabled {
		return refuse(RuleRepeats, venue.RepeatedExecutions, int64(len(r.times)), int64(len(r.times))-1, int64(len(r.times)))
	}
	if c.st.stopped && !c.reduces {
		return refuse(RuleLossStreak, venue.LossStreak, c.st.streak, c.st.maxStreak, c.st.streak)
	}
	return ok()
}

// tripped asks a breaker. Legs of a plan are never probes.
func (g *Gate) tripped(c *candidate, b *Breaker, r Rule, why venue.Reason) Verdict {
	pass, probe := b.Allows(c.d.Now)
	if pass && !(probe && c.planned) {
		c.probe = c.probe || probe
		return ok()
	}
	left := int64(b.Left(c.d.Now))
	if left > 0 {
		left = (left + int64(venue.Second) - 1) / int64(venue.Second)
	}
	return Verdict{Reason: why, Rule: r, Value: left, Limit: int64(b.wait / venue.Second), Headroom: -max(left, 0)}
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

func (s *slot) inSession(now venue.Nanos) bool {
	if s.expiry != 0 && now > s.expiry {
		return false
	}
	if s.open == 0 && s.close == Day {
		return true
	}
	at := now % Day
	if s.open < s.close {
		return at >= s.open && at < s.close
	}
	return at >= s.open || at < s.close
}

// trusts asks whether what we know is fresh: book, clock and marks.
func (g *Gate) trusts(c *candidate) Verdict {
	now := c.d.Now
	if st := c.book.State(); st != books.Live {
		return refuse(RuleBookState, venue.BookNotLive, int64(st), int64(books.Live), 0)
	}
	if age := now - c.book.Recv(); age > c.s.maxAge {
		return refuse(RuleBookAge, venue.BookTooOld, int64(age), int64(c.s.maxAge), 0)
	}
	if lag := c.book.Lag(); lag > c.s.maxLag {
		return refuse(RuleBookLag, venue.Lagging, int64(lag), int64(c.s.maxLag), 0)
	}
	if !c.v.clockKnown && g.live {
		return no(RuleClock, venue.ClockOffset)
	}
	if off := max(c.v.offset, -c.v.offset); off > c.v.maxOffset {
		return refuse(RuleClock, venue.ClockOffset, int64(off), int64(c.v.maxOffset), 0)
	}
	if g.markedAt == 0 || g.worthAt == 0 || !g.worth.OK {
		return no(RuleMarkAge, venue.NoReference)
	}
	if age := now - min(g.markedAt, g.worthAt); age > g.limits.MaxMarkAge {
		return refuse(RuleMarkAge, venue.NoReference, int64(age), int64(g.limits.MaxMarkAge), 0)
	}
	return ok()
}

// shapes asks whether the venue can take such an order.
func (g *Gate) shapes(c *candidate) Verdict {
	in, i := c.in, c.inst
	if i.Tick <= 0 || i.Lot <= 0 {
		return no(RuleMissing, venue.NoReference)
	}
	if r := in.Price % i.Tick; r != 0 {
		return refuse(RuleTick, venue.BadTick, int64(in.Price), int64(i.Tick), 0)
	}
	if in.Stop%i.Tick != 0 {
		return refuse(RuleTick, venue.BadTick, int64(in.Stop), int64(i.Tick), 0)
	}
	if in.Qty%i.Lot != 0 {
		return refuse(RuleLot, venue.BadLot, int64(in.Qty), int64(i.Lot), 0)
	}
	if in.Qty < i.MinQty {
		return refuse(RuleMinQty, venue.BelowMinQty, int64(in.Qty), int64(i.MinQty), 0)
	}
	if i.MaxQty > 0 && in.Qty > i.MaxQty {
		return refuse(RuleMaxQty, venue.AboveMaxQty, int64(in.Qty), int64(i.MaxQty), 0)
	}
	if in.Qty > c.s.maxQty {
		return refuse(RuleMaxQty, venue.AboveMaxQty, int64(in.Qty), int64(c.s.maxQty), 0)
	}
	if !c.reduces && (in.ReduceOnly || ((g.mode.reduce || c.v.mode.reduce) && c.leg == nil)) {
		pos := int64(c.d.Positions[in.Inst].Qty)
		return refuse(RuleReduceOnly, venue.ReduceOnlyMode, int64(c.more), max(-pos*c.side.Sign(), 0), 0)
	}
	return ok()
}

// counts asks how much was done already: orders open, orders and trades of the day, and losses.
func (g *Gate) counts(c *candidate) Verdict {
	if c.leg != nil {
		return ok() // counted when the plan was approved
	}
	if c.orders > 0 {
		n := int64(c.orders)
		if used := int64(c.s.orders); used+n > int64(c.s.maxOpen) {
			return refuse(RuleOpenInstrument, venue.OpenOrderLimit, used+n, int64(c.s.maxOpen), used)
		}
		if used := int64(c.v.sums.orders); used+n > int64(c.v.maxOpen) {
			return refuse(RuleOpenVenue, venue.OpenOrderLimit, used+n, int64(c.v.maxOpen), used)
		}
		if used := int64(g.sums.orders); used+n > int64(g.limits.MaxOpen) {
			return refuse(RuleOpenGlobal, venue.OpenOrderLimit, used+n, int64(g.limits.MaxOpen), used)
		}
	}
	if left := min(c.v.ordersPerDay-c.v.orders, c.st.ordersPerDay-c.st.orders, g.limits.OrdersPerDay-g.orders); left < 1 {
		used, limit := tightest(c.v.orders, c.v.ordersPerDay, c.st.orders, c.st.ordersPerDay, g.orders, g.limits.OrdersPerDay)
		return refuse(RuleOrdersDay, venue.OrdersPerDay, used+1, limit, used)
	}
	if left := min(c.v.tradesPerDay-c.v.trades, g.limits.TradesPerDay-g.trades); left < 1 {
		used, limit := tightest(c.v.trades, c.v.tradesPerDay, g.trades, g.limits.TradesPerDay, 0, math.MaxInt64)
		return refuse(RuleTradesDay, venue.TradesPerDay, used+1, limit, used)
	}
	if c.reduces {
		return ok()
	}
	return g.losses(0)
}

// losses asks whether what is lost, and what open plans and one more may lose, is within bounds.
func (g *Gate) losses(more fixed.Cash) Verdict {
	if lost := g.dayStart - g.worth.PnL + g.plans.loss; lost+more > g.limits.MaxDailyLoss {
		return refuse(RuleDailyLoss, venue.DailyLoss, int64(lost+more), int64(g.limits.MaxDailyLoss), int64(lost))
	}
	if lost := g.high - g.worth.PnL + g.plans.loss; lost+more > g.limits.MaxDrawdown {
		return refuse(RuleDrawdown, venue.Drawdown, int64(lost+more), int64(g.limits.MaxDrawdown), int64(lost))
	}
	return ok()
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

// cancel lets a cancel pass as long as its venue can take a message. It may use the reserve that orders may not.
func (g *Gate) cancel(in *desk.Intent, d *desk.Desk, out *Approved) Verdict {
	o := &desk.Order{}
	if in.Op == venue.Cancel {
		if o = target(in, d); o == nil {
			return no(RuleTarget, venue.UnknownTarget)
		}
	} else if in.Inst == 0 || int(in.Inst) >= len(g.slots) || g.slots[in.Inst].venue == 0 {
		return no(RuleShape, venue.BadIntent)
	}
	v := &g.venues[g.slots[in.Inst].venue]
	if v.messagesRate.step > 0 {
		if wait := v.messagesRate.wait(d.Now, 1, 0); wait > 0 {
			return refuse(RuleVenueMessages, venue.MessageRate, 1, v.messagesRate.left(d.Now), 0)
		}
		v.messagesRate.take(d.Now, 1)
	}
	out.cmd = venue.Command{
		Op: in.Op, Type: o.Type, TIF: o.TIF, Side: o.Side, Venue: g.slots[in.Inst].venue, Strategy: in.Strategy, Inst: in.Inst,
		Slot: o.Slot, Target: in.Target, Price: o.Price, Qty: o.Qty, BookSeq: in.BookSeq, Decided: d.Now, NotAfter: math.MaxInt64,
		Plan: in.Plan, Config: g.config, Leg: in.Leg, Role: in.Role,
	}
	return ok()
}

// command writes the approved instruction.
func (c *candidate) command(g *Gate, out *Approved) {
	in, d := c.in, c.d
	cmd := &out.cmd
	*cmd = venue.Command{
		Op: in.Op, Type: in.Type, TIF: in.TIF, Side: c.side, Venue: c.s.venue, Strategy: in.Strategy, Inst: in.Inst,
		Target: in.Target, Price: in.Price, Stop: in.Stop, Qty: in.Qty, BookSeq: in.BookSeq, Decided: d.Now,
		NotAfter: d.Now + g.limits.MaxDelay, Plan: in.Plan, Config: g.config, Leg: in.Leg, Role: in.Role,
	}
	if in.NotAfter != 0 && in.NotAfter < cmd.NotAfter {
		cmd.NotAfter = in.NotAfter
	}
	if c.order != nil {
		cmd.Slot, cmd.Type, cmd.TIF = c.order.Slot, c.order.Type, c.order.TIF
	}
	if in.ReduceOnly {
		cmd.Flags |= venue.ReduceOnlyFlag
	}
	if c.probe {
		cmd.Flags |= venue.Probe
	}
}
