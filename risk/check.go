package risk

import (
	"math"

	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// candidate is an order on its way through the rules. A rule answers true, or false with the refusal in verdict.
type candidate struct {
	in   *desk.Intent
	d    *desk.Desk
	inst *venue.Instrument
	s    *slot
	v    *venueState
	st   *strategyState
	book *books.Book
	rate *rate // of the quote currency
	// order is the target of an amend, nil for a new order.
	order *desk.Order
	// leg is set when a plan's reservation covers it.
	leg *legHold
	// qty is what may fill after it, more what it adds to what may fill already.
	qty, more fixed.Qty
	// worst is the worst price that it may trade at: its own, or what its plan allows beyond it.
	worst fixed.Price
	// tokens is how many orders its rate budgets must still hold.
	tokens int64
	// orders is 1 when it opens another order.
	orders int32
	flags  flags
	side   venue.Side
	// planned while a plan is being approved; probe when a breaker lets it through as its one probe.
	planned, probe bool
	// reduces: everything of its side that may fill only reduces the position.
	reduces bool
	verdict Verdict
}

// refuse keeps a refusal, out of line to keep the rules short; used is what the limit already holds without the intent.
//
//go:noinline
func (c *candidate) refuse(r Rule, why venue.Reason, value, limit, used int64) bool {
	c.verdict = Verdict{Reason: why, Rule: r, Value: value, Limit: limit, Headroom: limit - used}
	return false
}

// no keeps a refusal that has no figures.
//
//go:noinline
func (c *candidate) no(r Rule, why venue.Reason) bool {
	c.verdict = Verdict{Reason: why, Rule: r}
	return false
}

// Check approves or refuses one intent; it never resizes. On refusal out holds no command. A new order or an amend passes
// every rule, an amend for what it adds; a cancel needs only its target and a message. The caller must put an approved
// order into d.Working and call Refresh before the next Check, and set Slot and Client of its command.
func (g *Gate) Check(in *desk.Intent, d *desk.Desk, out *Approved) Verdict {
	out.cmd.Op = venue.NoOp
	if d.Now >= g.dayEnd {
		g.newDay(d.Now)
	}
	if in.Op == venue.Cancel || in.Op == venue.CancelAll {
		return g.cancel(in, d, out)
	}
	var c candidate
	if !g.open(&c, in, d) {
		return c.verdict
	}
	var held fixed.Qty
	if in.Plan != 0 {
		var covered bool
		if held, covered = g.cover(&c); !covered {
			return c.verdict
		}
	}
	if !g.rules(&c) {
		if held > 0 {
			g.hold(c.leg, held, d)
		}
		return c.verdict
	}
	g.spend(&c)
	c.note(d.Now)
	c.command(g, out)
	return Verdict{}
}

// rules applies the catalogue in its fixed order.
func (g *Gate) rules(c *candidate) bool {
	return g.permits(c) && g.trusts(c) && g.shapes(c) && g.counts(c) && g.prices(c) && g.exposes(c) && g.paces(c)
}

// open finds what an intent is about: shape, target and time.
func (g *Gate) open(c *candidate, in *desk.Intent, d *desk.Desk) bool {
	if (in.Op != venue.New && in.Op != venue.Amend) || in.Inst == 0 || int(in.Inst) >= len(g.slots) ||
		in.Price <= 0 || in.Qty <= 0 || in.Price > fixed.Limit || in.Qty > fixed.Limit || in.Stop < 0 || in.Stop > fixed.Limit {
		return c.no(RuleShape, venue.BadIntent)
	}
	c.s = &g.slots[in.Inst]
	if int(in.Strategy) >= len(g.strats) || c.s.venue == 0 {
		return c.no(RuleAllow, venue.NotAllowed)
	}
	c.in, c.d, c.inst, c.book = in, d, c.s.in, c.s.book
	c.v, c.st, c.side, c.worst, c.tokens = c.s.at, &g.strats[in.Strategy], in.Side, in.Price, 1
	if in.Op == venue.Amend {
		o := target(in, d)
		if o == nil || o.State == desk.Unknown || o.State == desk.PendingCancel || (in.Side != venue.NoSide && in.Side != o.Side) {
			return c.no(RuleTarget, venue.UnknownTarget)
		}
		c.order, c.side = o, o.Side
		c.qty = max(in.Qty-o.Filled, 0)
		c.more = max(c.qty-o.Remaining(), 0)
	} else {
		if (in.Side != venue.Buy && in.Side != venue.Sell) || in.TIF < venue.GTC || in.TIF > venue.FOK ||
			in.Type < venue.Limit || in.Type > venue.StopLimit || (in.Type == venue.PostOnly && in.TIF != venue.GTC) ||
			(in.Type >= venue.StopLoss) != (in.Stop > 0) {
			return c.no(RuleShape, venue.BadIntent)
		}
		c.qty, c.more, c.orders = in.Qty, in.Qty, 1
	}
	if in.NotAfter != 0 && d.Now > in.NotAfter {
		return c.refuse(RuleLate, venue.Late, int64(d.Now), int64(in.NotAfter), int64(d.Now))
	}
	if pos := c.s.pos.Qty; pos != 0 {
		w, h := c.s.work, c.s.holds[side(c.side)].qty
		if c.side == venue.Buy {
			c.reduces = pos < 0 && pos+w.BuyQty+h+c.more <= 0
		} else {
			c.reduces = pos > 0 && pos-w.SellQty-h-c.more >= 0
		}
	}
	return true
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

// cancel lets a cancel pass as long as its venue can take a message. It may use the reserve that orders may not.
func (g *Gate) cancel(in *desk.Intent, d *desk.Desk, out *Approved) Verdict {
	var o desk.Order
	if in.Op == venue.Cancel {
		t := target(in, d)
		if t == nil {
			return Verdict{Reason: venue.UnknownTarget, Rule: RuleTarget}
		}
		o = *t
	} else if in.Inst == 0 || int(in.Inst) >= len(g.slots) || g.slots[in.Inst].venue == 0 {
		return Verdict{Reason: venue.BadIntent, Rule: RuleShape}
	}
	if b := &g.venues[g.slots[in.Inst].venue].messagesRate; b.step > 0 {
		if b.wait(d.Now, 1) > 0 {
			return Verdict{Reason: venue.MessageRate, Rule: RuleVenueMessages, Value: 1, Limit: int64(b.burst / b.step), Headroom: b.left(d.Now)}
		}
		b.take(d.Now, 1)
	}
	out.cmd = venue.Command{
		Op: in.Op, Type: o.Type, TIF: o.TIF, Side: o.Side, Venue: g.slots[in.Inst].venue, Strategy: in.Strategy, Inst: in.Inst,
		Slot: o.Slot, Target: in.Target, Price: o.Price, Qty: o.Qty, BookSeq: in.BookSeq, Decided: d.Now, NotAfter: math.MaxInt64,
		Plan: in.Plan, Config: g.config, Leg: in.Leg, Role: in.Role,
	}
	return Verdict{}
}

// Ending is a cancel of an order of an earlier run, for recovery: of what this run's gate does not know nothing can be
// checked, and a cancel needs no approval. client is the cancel's own id.
func Ending(v venue.ID, i venue.Inst, target, client uint64, now venue.Nanos) venue.Command {
	return venue.Command{Op: venue.Cancel, Venue: v, Inst: i, Target: target, Client: client, Decided: now, NotAfter: math.MaxInt64}
}

// command writes the approved instruction.
func (c *candidate) command(g *Gate, out *Approved) {
	in, now, cmd := c.in, c.d.Now, &out.cmd
	*cmd = venue.Command{}
	cmd.Op, cmd.Type, cmd.TIF, cmd.Side = in.Op, in.Type, in.TIF, c.side
	cmd.Venue, cmd.Strategy, cmd.Inst, cmd.Target = c.s.venue, in.Strategy, in.Inst, in.Target
	cmd.Price, cmd.Stop, cmd.Qty, cmd.BookSeq = in.Price, in.Stop, in.Qty, in.BookSeq
	cmd.Decided, cmd.NotAfter = now, now+g.limits.MaxDelay
	cmd.Plan, cmd.Config, cmd.Leg, cmd.Role = in.Plan, g.config, in.Leg, in.Role
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
