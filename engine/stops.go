package engine

import (
	"oneprice/books/venue"
	"oneprice/risk/stops"
)

// stops lets the stops look at what has changed and sends what closes positions, before any strategy decides.
func (e *Engine) stops() {
	if e.cfg.Stops == nil {
		return
	}
	e.said.Reset()
	e.stopped(e.cfg.Stops.Decide(e.d, e.said))
	e.own(0)
	ins := e.said.Intents()
	for i := range ins {
		if in := &ins[i]; in.Op == venue.New {
			e.hindered(in.Inst, e.intent(in))
		} else {
			e.intent(in)
		}
	}
}

// stopped records what happened to stops, leaves in out what a restart must know, and tells the gate which instruments take
// nothing else.
func (e *Engine) stopped(said []stops.Said) {
	s := e.cfg.Stops
	for i := range said {
		x := &said[i]
		var v venue.ID
		if x.Inst != 0 {
			v = e.d.Instrument(x.Inst).Venue
		}
		e.record().SetStop(uint8(x.Act), x.Stop, v, x.Inst, x.Touch, x.Level, x.Loss, x.Limit, x.Qty)
	}
	for _, k := range s.Keeps() {
		if k.Inst != 0 {
			e.gate.Stop(k.Inst, s.Stopped(k.Inst))
		}
	}
	e.out.Keeps = append(e.out.Keeps, s.Keeps()...)
	s.Taken()
}

// rule obeys an operator where stops are concerned: a kill ends them, arming lets all of them watch again.
func (e *Engine) rule(k venue.OpKind, v venue.ID) {
	if e.cfg.Stops == nil {
		return
	}
	switch {
	case k == venue.OpKill:
		e.stopped(e.cfg.Stops.Kill(e.d, v))
	case k == venue.OpArm && v == 0:
		e.stopped(e.cfg.Stops.Arm(e.d))
	}
}
