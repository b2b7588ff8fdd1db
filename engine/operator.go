package engine

import (
	"oneprice/books/desk"
	"oneprice/books/venue"
	"oneprice/risk"
)

// operator carries out what an operator, or the watchdog, commands.
func (e *Engine) operator(x *venue.Event) {
	k, v, s := venue.OpKind(x.N), x.Venue, x.Strategy()
	if k != venue.OpNote {
		if s != 0 {
			e.gate.OnStrategy(k, s)
		} else {
			e.gate.OnOperator(k, v, e.d.Now)
		}
	}
	e.record().SetCommand(x)
	switch k {
	case venue.OpKill:
		e.killed = true
		e.cancelAll(v, s)
	case venue.OpDisarm:
		e.disarmed = true
		e.cancelAll(v, s)
	case venue.OpFlatten:
		e.cancelAll(v, 0)
		e.flatten(v)
	case venue.OpArm:
		e.answers(uint16(x.Seq), s)
	case venue.OpNote:
		return
	}
	if s == 0 {
		e.rule(k, v)
		if k == venue.OpKill || k == venue.OpArm {
			e.unflatten()
		}
	}
	e.operated = max(e.operated, x.Request())
}

// answers makes an operator the one whom the orders of a strategy, or of all for 0, name from now on.
func (e *Engine) answers(who, strategy uint16) {
	if who == 0 {
		return
	}
	for i := range e.answerable {
		if strategy == 0 || int(strategy) == i {
			e.answerable[i] = who
		}
	}
}

// operatorOf is whom the orders of a strategy name: of one that only an earlier run had, who started this one.
func (e *Engine) operatorOf(strategy uint16) uint16 {
	if int(strategy) < len(e.answerable) {
		return e.answerable[strategy]
	}
	return e.cfg.Operator
}

// OperatorStatus is what operators have said, and where the limits and an order to flatten stand.
type OperatorStatus struct {
	// Applied is the number of the last request that was carried out.
	Applied uint64
	Risk    risk.Status
	Closing []Closing
	// Unknown is how many orders are of unknown fate.
	Unknown int
}

func (e *Engine) operatorStatus(s *OperatorStatus) {
	s.Applied = e.operated
	e.gate.Status(&s.Risk, e.d)
	s.Closing, s.Unknown = e.closings(s.Closing[:0]), 0
	for i := range e.d.Live {
		for _, slot := range e.d.Live[i] {
			if e.d.Orders[slot].State == desk.Unknown {
				s.Unknown++
			}
		}
	}
}

// Copy makes s a copy of from that shares nothing with it.
func (s *OperatorStatus) Copy(from *OperatorStatus) {
	c := s.Closing
	s.Applied, s.Unknown, s.Closing = from.Applied, from.Unknown, append(c[:0], from.Closing...)
	s.Risk.Copy(&from.Risk)
}
