package engine

import (
	"oneprice/books/desk"
	"oneprice/books/venue"
)

// What a venue changes of an instrument while it trades reaches Step as an event, and holds from the very drain that brings
// it: the gate and the strategies read the instrument itself. Orders that stood before and may not stand now are cancelled
// here, without the strategies' help, and again until they are gone. Feeds tell the state and not the change, so an event
// that says what is known already is passed over without a record.

// status takes another status.
func (e *Engine) status(x *venue.Event) {
	in := e.d.Instruments[x.Inst]
	if in.Status == x.Status() {
		return
	}
	in.Status = x.Status()
	e.record().SetListed(in, x.Why())
	e.touch(x.Inst)
	if !in.Status.Rests() {
		e.weeding = true
		e.weed(x.Inst)
	}
}

// rules takes another grid and other bounds.
func (e *Engine) rules(x *venue.Event) {
	in := e.d.Instruments[x.Inst]
	before := in.Tick
	if in.Rules() == x.Rules() {
		return
	}
	in.SetRules(x.Rules())
	e.record().SetListed(in, venue.OK)
	e.touch(x.Inst)
	e.trust(x.Inst, e.d.Books[x.Inst].Admit(in.Tick))
	if in.Tick != before {
		e.weeding = true
		e.weed(x.Inst)
	}
}

// fees takes other fees.
func (e *Engine) fees(x *venue.Event) {
	in := e.d.Instruments[x.Inst]
	if in.Fees == x.Fees() {
		return
	}
	in.Fees = x.Fees()
	e.gate.OnFees(x.Inst, e.d)
	e.record().SetListed(in, venue.OK)
	e.touch(x.Inst)
}

// clock takes a measured offset. What the measurement leaves open counts for us: the offset that is certain is what the
// limit is held against, and a measurement that is coarser than the limit says nothing below it. Beyond the limit the gate
// refuses what is new at the venue, and what stands there is cancelled: its age, its deadlines and the lag of its books are
// then measured wrongly.
func (e *Engine) clock(x *venue.Event) {
	c := Clock{Offset: venue.Nanos(x.W[0]), Within: venue.Nanos(x.W[1]), At: x.Seen()}
	e.clocks[x.Venue] = c
	certain := max(max(c.Offset, -c.Offset)-c.Within, 0)
	limit := e.gate.MaxOffset(x.Venue)
	if c.Within > limit && certain <= limit {
		return
	}
	before := e.gate.Apart(x.Venue)
	e.gate.OnClock(x.Venue, certain)
	now := e.gate.Apart(x.Venue)
	if now == before {
		return
	}
	e.record().SetClock(x.Venue, c.Offset, c.Within, limit, now)
	if now {
		e.weeding = true
		e.cancelAll(x.Venue, 0)
	}
}

// Clock is a venue's clock less ours as it was measured last, how far that may be from the truth, and when; At is 0 before
// the first.
type Clock struct{ Offset, Within, At venue.Nanos }

// weed cancels the orders of an instrument that must not stand.
func (e *Engine) weed(i venue.Inst) {
	live := e.d.Live[i]
	for k := range live {
		if o := &e.d.Orders[live[k]]; e.unwanted(o) {
			e.cancel(o)
		}
	}
}

// unwanted reports whether an order must not stand: its venue is killed or disarmed or its clock lies apart, its instrument
// lets nothing rest, or its price is not on the grid any more, so that it could not be amended. A plan under way goes on
// after a disarm. But for a kill or a disarm a stop stands: it protects.
func (e *Engine) unwanted(o *desk.Order) bool {
	if e.killed && e.gate.Killed(o.Venue, o.Strategy) || e.disarmed && o.Plan == 0 && e.gate.Disarmed(o.Venue, o.Strategy) {
		return true
	}
	if !e.weeding || o.Role == venue.RoleStop {
		return false
	}
	in := e.d.Instruments[o.Inst]
	return e.gate.Apart(o.Venue) || !in.Status.Rests() || in.Tick > 0 && o.Price%in.Tick != 0
}
