// Package legs runs every Plan: it sends the legs, watches what they fill, and when they fill unequally plays the plan's
// playbook: complete the short leg, take the excess back, or hold it, each within a price allowance and a deadline.
//
// A plan is measured in fractions: leg i has filled Filled/Qty of itself, and a plan is even when all fractions are equal
// to within a lot. What is filled beyond the least leg is naked.
//
// Ownership: the engine goroutine. The Runner reads Desk.Orders; its wishes leave as Intents with the plan's id and the
// role Hedge or Unwind, through the same gate as everything else, against the reserve that CheckPlan made.
//
// Decisions
//   - 2026-11-25: a leg that is Unknown stops its plan's playbook until the venue speaks: completing or unwinding against
//     a guess could double the exposure. The deadline then lists it as naked.
//   - 2026-11-25: at most MaxTries orders of the playbook per plan; each waits for the end of the one before.
package legs

import (
	"slices"

	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// MaxTries bounds the orders that one plan's playbook may send.
const MaxTries = 6

// leg is what one leg of a running plan has come to.
type leg struct {
	filled fixed.Qty // net of unwinds
	slot   uint32    // order at work, 0 none
	sent   bool
}

// run is one plan at work.
type run struct {
	plan  desk.Plan
	legs  [desk.MaxLegs]leg
	tries uint8
}

// Naked is exposure that a plan left behind when its deadline passed or its playbook was through.
type Naked struct {
	Plan uint64
	Inst venue.Inst
	// Qty is signed: long positive.
	Qty fixed.Qty
}

// Counters are exact tallies since New.
type Counters struct {
	Started, Even, Completed, Unwound, Held, Naked, Refused uint64
}

// Runner runs up to a fixed number of plans at once.
type Runner struct {
	runs []run
	// ids are the plans at work, 0 where none is: a new one takes the first free place, so a walk that has seen live of
	// them is over. They lie apart, for every drain walks them.
	ids   []uint64
	live  int
	naked []Naked
	ended []uint64
	stats Counters
}

// New makes a Runner for so many plans at once.
func New(plans int) *Runner {
	return &Runner{runs: make([]run, plans), ids: make([]uint64, plans), naked: make([]Naked, 0, plans*desk.MaxLegs), ended: make([]uint64, 0, plans)}
}

// Room reports whether another plan may start.
func (r *Runner) Room() bool { return r.live < len(r.runs) }

// Active is the number of plans at work.
func (r *Runner) Active() int { return r.live }

// Stats returns the tallies.
func (r *Runner) Stats() Counters { return r.stats }

// Start takes an approved plan. The caller sends the legs that First names and reports each by Sent. False when full.
func (r *Runner) Start(p *desk.Plan) bool {
	for i, id := range r.ids {
		if id == 0 {
			x := &r.runs[i]
			x.plan, x.legs, x.tries = *p, [desk.MaxLegs]leg{}, 0
			r.ids[i] = p.ID
			r.live++
			r.stats.Started++
			return true
		}
	}
	return false
}

// First is the number of legs of p that leave at once.
func First(p *desk.Plan) int {
	if p.Policy == desk.InTurn {
		return 1
	}
	return int(p.N)
}

// Sent notes that an order of a plan got its slot.
func (r *Runner) Sent(plan uint64, legNo uint8, slot uint32) {
	if x := r.find(plan); x != nil {
		x.legs[legNo].slot, x.legs[legNo].sent = slot, true
	}
}

// Refused notes that an order of a plan was not sent; for a first leg the plan is over.
func (r *Runner) Refused(plan uint64, legNo uint8) {
	if x := r.find(plan); x != nil {
		r.stats.Refused++
		x.legs[legNo].sent = true // there is no order to wait for
	}
}

// Fill books a fill of an order that belongs to a plan.
func (r *Runner) Fill(o *desk.Order, q fixed.Qty) {
	x := r.find(o.Plan)
	if x == nil {
		return
	}
	l := &x.legs[o.Leg]
	if o.Role == venue.RoleUnwind {
		l.filled -= q
	} else {
		l.filled += q
	}
}

func (r *Runner) find(plan uint64) *run {
	for i, left := 0, r.live; left > 0; i++ {
		switch r.ids[i] {
		case 0:
		case plan:
			return &r.runs[i]
		default:
			left--
		}
	}
	return nil
}

// Step looks at every plan and says what its playbook wants now. It returns the exposures given up on and the plans ended
// in this drain, valid until the next Step.
func (r *Runner) Step(d *desk.Desk, out *desk.Out) (naked []Naked, ended []uint64) {
	r.naked, r.ended = r.naked[:0], r.ended[:0]
	for i, left := 0, r.live; left > 0; i++ {
		if r.ids[i] != 0 {
			left--
			r.advance(&r.runs[i], d, out)
		}
	}
	return r.naked, r.ended
}

// advance moves one plan as far as it can go in this drain.
func (r *Runner) advance(x *run, d *desk.Desk, out *desk.Out) {
	if !x.settled(d) {
		if d.Now > x.plan.Deadline && x.unknown(d) {
			r.give(x, d)
		}
		return
	}
	p := &x.plan
	if p.Policy == desk.InTurn && x.nextLeg(d, out) {
		return
	}
	short, want := x.shortest(d)
	if want == 0 {
		if x.tries == 0 {
			r.stats.Even++
		}
		r.end(x)
		return
	}
	switch {
	case p.OnFail == desk.Hold:
		r.stats.Held++
		r.give(x, d)
	case d.Now > p.Deadline || x.tries >= MaxTries:
		r.give(x, d)
	case p.OnFail == desk.Complete && x.tries < MaxTries/2:
		r.stats.Completed++
		x.complete(short, want, d, out)
	case p.Shape == desk.HedgeOnFill: // nothing to take back: the fill that it hedges is not its own
		r.give(x, d)
	default:
		r.stats.Unwound++
		x.unwind(d, out)
	}
}

// settled reports whether no order of the plan is at work.
func (x *run) settled(d *desk.Desk) bool {
	for i := range x.plan.N {
		l := &x.legs[i]
		if l.slot == 0 {
			continue
		}
		o := d.Order(l.slot)
		if o.Plan == x.plan.ID && !o.State.Done() {
			return false
		}
		l.slot = 0
	}
	return true
}

// unknown reports whether an order of the plan is Unknown.
func (x *run) unknown(d *desk.Desk) bool {
	for i := range x.plan.N {
		if s := x.legs[i].slot; s != 0 && d.Order(s).State == desk.Unknown {
			return true
		}
	}
	return false
}

// end closes a plan.
func (r *Runner) end(x *run) {
	r.ids[slices.Index(r.ids, x.plan.ID)] = 0
	r.live--
	r.ended = append(r.ended, x.plan.ID)
}

// give closes a plan and lists what it leaves uneven.
func (r *Runner) give(x *run, d *desk.Desk) {
	least := x.least()
	for i := range x.plan.N {
		leg := &x.plan.Legs[i]
		q := x.legs[i].filled - part(leg.Qty, least)
		if x.plan.Shape == desk.HedgeOnFill {
			q = x.legs[i].filled - leg.Qty // what it should have covered stands open the other way
		}
		if lot := lotOf(d, leg); q >= lot || q <= -lot {
			r.naked = append(r.naked, Naked{x.plan.ID, leg.Inst, fixed.Qty(int64(q) * leg.Side.Sign())})
			r.stats.Naked++
		}
	}
	r.end(x)
}
