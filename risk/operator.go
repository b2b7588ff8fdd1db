package risk

import "oneprice/books/venue"

// OnOperator obeys an operator; v is the venue concerned, 0 for all. OpKill closes the Kill gate at the sockets too, OpLift
// opens it. OpArm ends disarm and reduce-only; for all, it also re-enables what repeated executions or a loss streak had
// stopped. OpBreakerReset re-arms the breaker of v, or every breaker. What is said of everything, of a venue and of a
// strategy stands beside each other: each is taken back by its like.
func (g *Gate) OnOperator(k venue.OpKind, v venue.ID, now venue.Nanos) {
	f := &g.flags
	if v != 0 { // a command for one venue
		if int(v) >= len(g.venues) {
			return
		}
		f = &g.venues[v].flags
	}
	switch k {
	case venue.OpKill:
		if f.set(killed, true); v == 0 {
			g.kill.Set()
		} else {
			g.kill.Venue(v, true)
		}
	case venue.OpLift:
		if f.set(killed, false); v == 0 {
			g.kill.Lift()
		} else {
			g.kill.Venue(v, false)
		}
	case venue.OpBreakerReset:
		for i := range g.venues {
			if v == 0 || int(v) == i {
				g.venues[i].breaker.Reset()
			}
		}
		if v == 0 {
			g.breaker.Reset()
		}
	default:
		f.obey(k)
		if k == venue.OpArm && v == 0 {
			for i := range g.strats {
				g.strats[i].enable()
			}
		}
	}
}

// OnStrategy is OnOperator for one strategy; it has no breaker. OpArm re-enables what repeated executions or a loss streak
// of it had stopped.
func (g *Gate) OnStrategy(k venue.OpKind, s uint16) {
	if int(s) >= len(g.strats) {
		return
	}
	st := &g.strats[s]
	switch k {
	case venue.OpKill, venue.OpLift:
		st.flags.set(killed, k == venue.OpKill)
		g.kill.Strategy(s, k == venue.OpKill)
	case venue.OpArm:
		st.enable()
		fallthrough
	default:
		st.flags.obey(k)
	}
}

// obey raises or lowers what arming, disarming and reduce-only say.
func (f *flags) obey(k venue.OpKind) {
	switch k {
	case venue.OpArm:
		f.set(disarmed|reduceOnly, false)
	case venue.OpDisarm, venue.OpFlatten:
		f.set(disarmed, true)
	case venue.OpReduceOnly:
		f.set(reduceOnly, true)
	}
}

// enable lifts what only an operator may lift.
func (st *strategyState) enable() {
	st.streak = 0
	st.flags.set(streakReached, false)
	for b := range st.repeats {
		r := &st.repeats[b]
		r.disabled, r.n = false, 0
	}
}
