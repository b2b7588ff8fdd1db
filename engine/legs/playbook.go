package legs

import (
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// whole is the fraction 1: fractions of a leg are counts of 10^-12, fine enough for any lot of any leg.
const whole = 1_000_000_000_000

// fraction is how much of leg i has been filled, rounded down.
func (x *run) fraction(i uint8) int64 {
	f, ok := fixed.MulDiv(int64(x.legs[i].filled), whole, int64(x.plan.Legs[i].Qty), fixed.Down)
	if !ok {
		return 0
	}
	return f
}

// part is the fraction f of q, rounded down: what the least filled leg makes of another.
func part(q fixed.Qty, f int64) fixed.Qty {
	v, _ := fixed.MulDiv(int64(q), f, whole, fixed.Down)
	return fixed.Qty(v)
}

// least is the smallest fraction over the legs.
func (x *run) least() int64 {
	f := int64(whole)
	for i := range x.plan.N {
		f = min(f, x.fraction(i))
	}
	return f
}

// most is the fraction that the others must reach: the largest one, or all of a hedge.
func (x *run) most() int64 {
	if x.plan.Shape == desk.HedgeOnFill {
		return whole
	}
	f := int64(0)
	for i := range x.plan.N {
		f = max(f, x.fraction(i))
	}
	return f
}

// shortest is the leg that lacks most, and how much it lacks in its own units, rounded down to its lot; 0 when the plan is
// even to within a lot.
func (x *run) shortest(d *desk.Desk) (uint8, fixed.Qty) {
	most := x.most()
	var at uint8
	var lack fixed.Qty
	var least int64 = whole + 1
	for i := range x.plan.N {
		leg := &x.plan.Legs[i]
		q := fixed.RoundTo(part(leg.Qty, most)-x.legs[i].filled, lotOf(d, leg), fixed.ToZero)
		if f := x.fraction(i); q > 0 && f < least {
			at, lack, least = i, q, f
		}
	}
	return at, lack
}

// nextLeg sends the next leg of an InTurn plan for what the one before has filled. It reports whether one is on its way.
func (x *run) nextLeg(d *desk.Desk, out *desk.Out) bool {
	for i := uint8(1); i < x.plan.N; i++ {
		if x.legs[i].sent {
			continue
		}
		leg := &x.plan.Legs[i]
		q := fixed.RoundTo(part(leg.Qty, x.fraction(i-1)), lotOf(d, leg), fixed.ToZero)
		if q <= 0 {
			return false
		}
		in := out.Intent()
		if in == nil {
			return true // no room in this drain: again in the next
		}
		*in = *leg
		in.Plan, in.Strategy, in.Leg, in.Qty, in.Role = x.plan.ID, x.plan.Strategy, i, q, venue.RoleLeg
		x.legs[i].sent = true
		return true
	}
	return false
}

// complete asks for what the short leg lacks, up to the plan's allowance beyond its limit.
func (x *run) complete(i uint8, want fixed.Qty, d *desk.Desk, out *desk.Out) {
	leg := &x.plan.Legs[i]
	x.ask(i, leg.Side, want, venue.RoleHedge, x.allowed(leg, leg.Side, d), d, out)
}

// unwind takes back what the most filled leg has beyond the least one.
func (x *run) unwind(d *desk.Desk, out *desk.Out) {
	least := x.least()
	for i := range x.plan.N {
		leg := &x.plan.Legs[i]
		excess := fixed.RoundTo(x.legs[i].filled-part(leg.Qty, least), lotOf(d, leg), fixed.ToZero)
		if excess > 0 {
			side := leg.Side.Other()
			x.ask(i, side, excess, venue.RoleUnwind, x.allowed(leg, side, d), d, out)
		}
	}
}

// allowed is the worst price that the playbook may pay on a side of a leg's instrument: the leg's limit moved by the
// allowance against us, on the tick that favours us least within it.
func (x *run) allowed(leg *desk.Intent, side venue.Side, d *desk.Desk) fixed.Price {
	move, ok := fixed.MulDiv(int64(leg.Price), int64(x.plan.Allowance), int64(fixed.One), fixed.Down)
	if !ok {
		move = 0
	}
	tick := d.Instrument(leg.Inst).Tick
	if side == venue.Buy {
		return fixed.RoundTo(leg.Price+fixed.Price(move), tick, fixed.Down)
	}
	return fixed.RoundTo(leg.Price-fixed.Price(move), tick, fixed.Up)
}

// ask writes one IOC of the playbook.
func (x *run) ask(i uint8, side venue.Side, q fixed.Qty, role venue.Role, p fixed.Price, d *desk.Desk, out *desk.Out) {
	in := out.Intent()
	if in == nil {
		return
	}
	leg := &x.plan.Legs[i]
	in.Op, in.Type, in.TIF, in.Side, in.Role, in.Leg = venue.New, venue.Limit, venue.IOC, side, role, i
	in.Strategy, in.Inst, in.Plan, in.Price, in.Qty = x.plan.Strategy, leg.Inst, x.plan.ID, p, q
	in.BookSeq, in.NotAfter = d.Book(leg.Inst).Seq(), x.plan.Deadline
	x.tries++
}

// lotOf is the lot of a leg's instrument.
func lotOf(d *desk.Desk, leg *desk.Intent) fixed.Qty { return d.Instrument(leg.Inst).Lot }
