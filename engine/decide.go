package engine

import (
	"oneprice/books/desk"
	"oneprice/books/venue"
	"oneprice/engine/legs"
	"oneprice/risk"
)

// send asks risk about each intent, records the answer, and queues what was approved.
func (e *Engine) send(ins []desk.Intent) {
	for i := range ins {
		e.intent(&ins[i])
	}
}

// intent takes one intent through the gate; OK says that it was approved and queued.
func (e *Engine) intent(in *desk.Intent) venue.Reason {
	e.counts.Intents++
	a := &e.approved[0]
	v := e.gate.Check(in, e.d, a)
	if v.Reason == venue.OK && !e.admit(a) {
		v = risk.Verdict{Reason: venue.CommandRingFull}
		if in.Op != venue.New {
			v.Reason = venue.UnknownTarget
		}
	}
	r := e.record()
	r.SetIntent(in)
	r.SetVerdict(v.Reason, uint8(v.Rule), v.Value, v.Limit, v.Headroom)
	if v.Reason != venue.OK {
		e.counts.Refused[v.Reason]++
		if in.Plan != 0 {
			e.legs.Refused(in.Plan, in.Leg)
			e.gate.Release(in.Plan, in.Leg, e.d)
		}
		return v.Reason
	}
	e.counts.Approved++
	e.queue(a.Command())
	return venue.OK
}

// admit gives an approved command its slot and ids.
func (e *Engine) admit(a *risk.Approved) bool {
	c := a.Command()
	c.Config, c.Operator = e.cfg.Fingerprint, e.operatorOf(c.Strategy)
	if c.Op == venue.New {
		return e.orders.Open(c)
	}
	return e.orders.Ask(c)
}

// queue records an admitted command and hands it to the loop.
func (e *Engine) queue(c *venue.Command) {
	released := false
	if c.Plan != 0 && c.Op == venue.New {
		e.legs.Sent(c.Plan, c.Leg, c.Slot)
		released = e.gate.Release(c.Plan, c.Leg, e.d) // it counts as a working order now
	}
	if !released {
		e.gate.Refresh(c.Inst, e.d)
	}
	e.record().SetOrder(c)
	e.keep(c)
	e.out.Commands = append(e.out.Commands, *c)
	e.counts.Orders++
}

// start takes plans through the gate, whole or not at all, and sends their first legs.
func (e *Engine) start(ps []desk.Plan) {
	for i := range ps {
		e.plan(&ps[i])
	}
}

func (e *Engine) plan(p *desk.Plan) {
	e.counts.Plans++
	v := risk.Verdict{Reason: venue.PlanLimit}
	if e.legs.Room() && e.orders.Room() >= int(p.N)+legs.MaxTries {
		v = e.gate.CheckPlan(p, e.d, e.approved[:])
	}
	r := e.record()
	r.SetPlan(p)
	r.SetVerdict(v.Reason, uint8(v.Rule), v.Value, v.Limit, v.Headroom)
	if v.Reason != venue.OK {
		r.SetRefusedLeg(p, v.Leg)
	}
	for l := range p.N {
		e.counts.Intents++
		e.record().SetLeg(p, int(l))
	}
	if v.Reason != venue.OK {
		e.counts.Refused[v.Reason] += uint64(p.N)
		return
	}
	e.counts.PlansApproved++
	e.legs.Start(p)
	for l := range legs.First(p) {
		a := &e.approved[l]
		if !e.admit(a) {
			e.legs.Refused(p.ID, uint8(l))
			e.gate.Release(p.ID, uint8(l), e.d)
			continue
		}
		e.counts.Approved++
		e.queue(a.Command())
	}
}

// cancelAll asks for the end of every order of a venue and of a strategy, or of all for 0, without the strategies' help.
func (e *Engine) cancelAll(v venue.ID, strategy uint16) {
	for _, in := range e.d.Instruments[1:] {
		if v != 0 && in.Venue != v {
			continue
		}
		live := e.d.Live[in.Inst]
		for i := range live {
			if o := &e.d.Orders[live[i]]; strategy == 0 || o.Strategy == strategy {
				e.cancel(o)
			}
		}
	}
}

// cancel asks for the end of one order in the name of whoever placed it.
func (e *Engine) cancel(o *desk.Order) {
	e.intent(&desk.Intent{Op: venue.Cancel, Inst: o.Inst, Target: o.Client, Strategy: o.Strategy, Role: o.Role, Side: o.Side})
}

// outlives reports whether an order that must not stand needs another cancel: the first one found no room, did not leave,
// was refused while an amend was under way, or has had no answer for as long as one may take. A cancel may be repeated;
// it cannot make anything worse.
func (e *Engine) outlives(o *desk.Order) bool {
	switch o.State {
	case desk.PendingCancel:
		return false
	case desk.Unknown:
		return e.d.Now-o.AskedAt > e.cfg.AnswerWithin
	}
	return true
}
