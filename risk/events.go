package risk

import (
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/risk/ledger"
)

// OnWorth takes what the account is worth, for daily loss, drawdown and leverage. The engine calls it with Mark.
func (g *Gate) OnWorth(w ledger.Worth, now venue.Nanos) {
	if now >= g.dayEnd {
		g.newDay(now)
	}
	g.worth.OK, g.worthAt = w.OK, now
	g.date()
	if !w.OK {
		return
	}
	if !g.started {
		g.started, g.dayStart, g.high = true, w.PnL+g.lost, w.PnL+g.fell
	}
	g.worth, g.high = w, max(g.high, w.PnL)
	g.measure()
	lever, ok := g.limits.MaxLeverage.Apply(max(w.Equity, 0), fixed.Down)
	if !ok {
		lever = fixed.Limit
	}
	g.leverage = lever
}

// measure states what may still be lost.
func (g *Gate) measure() {
	g.spare = g.worth.PnL + min(g.limits.MaxDailyLoss-g.dayStart, g.limits.MaxDrawdown-g.high)
}

// date states until when marks and worth are to be trusted.
func (g *Gate) date() {
	g.sound = -1
	if g.markedAt != 0 && g.worthAt != 0 && g.worth.OK {
		g.sound = min(g.markedAt, g.worthAt) + g.limits.MaxMarkAge
	}
}

// newDay is called when a day is over: counts begin anew and the day's loss is measured from here.
func (g *Gate) newDay(now venue.Nanos) {
	z := g.limits.ZoneOffset
	if g.dayEnd = (now+z)/Day*Day + Day - z; g.limits.NextDay != nil {
		g.dayEnd = g.limits.NextDay(now)
	}
	g.orders, g.trades, g.dayStart, g.lost = 0, 0, g.worth.PnL, 0
	g.measure()
	g.breaker.NewDay()
	for i := range g.venues {
		v := &g.venues[i]
		v.orders, v.trades = 0, 0
		v.breaker.NewDay()
	}
	for i := range g.strats {
		g.strats[i].orders = 0
	}
}

// weight is what a report means for the breakers.
type weight uint8

const (
	nothing weight = iota
	success
	soft
	failure
	unsent // the order never left: a probe may be tried again
)

// weigh judges a report: rejects that say we are wrong, and sends of unknown outcome, are failures; crosses, unfilled
// orders, late cancels and late amends are soft; what a gateway drops before the wire says nothing of the venue.
func weigh(r *venue.Report) weight {
	switch r.Kind {
	case venue.SentReport:
		switch venue.Sent(r.Flags) {
		case venue.Maybe:
			return failure
		case venue.NotSent:
			return unsent
		}
		return nothing
	case venue.Ack, venue.Fill, venue.Amended:
		return success
	case venue.CancelRejected:
		return soft
	case venue.Cancelled, venue.Expired:
		if r.Reason == venue.Unfilled || r.Reason == venue.PostOnlyCross {
			return soft
		}
		return success
	case venue.RejectedReport, venue.AmendRejected:
		switch r.Reason {
		case venue.PostOnlyCross, venue.Unfilled:
			return soft
		case venue.UnknownTarget, venue.BookNotLive: // filled on the amend's way, or a paper venue that cannot see its queue
			if r.Kind == venue.AmendRejected {
				return soft
			}
		case venue.Late, venue.Killed, venue.UserCancel, venue.OrderRate: // it never left: our own gateway held it back
			return unsent
		}
		return failure
	}
	return nothing
}

// OnReport learns from a report after ledger and orders have booked it; o is nil when no order of ours is known. Fills
// that were duplicates must not be given. It does not refresh the instrument's contribution: call Refresh.
func (g *Gate) OnReport(r *venue.Report, o *desk.Order, d *desk.Desk) {
	if d.Now >= g.dayEnd {
		g.newDay(d.Now)
	}
	if int(r.Venue) >= len(g.venues) {
		return
	}
	v, probe := &g.venues[r.Venue], o != nil && o.Flags&venue.Probe != 0
	switch weigh(r) {
	case failure:
		g.fail(v, d.Now, probe)
	case soft:
		v.soft.take(d.Now, 1)
		g.succeed(v, probe)
	case success:
		g.succeed(v, probe)
	case unsent:
		if probe {
			v.breaker.Return()
			g.breaker.Return()
		}
	}
	if r.Kind == venue.Fill {
		g.filled(r, o, v, d)
	}
	if o != nil && o.Plan != 0 && o.State.Done() && ends(r) {
		g.unfilled(o, d)
	}
}

// ends reports whether a report is one that ends an order.
func ends(r *venue.Report) bool {
	return r.Kind == venue.Cancelled || r.Kind == venue.Expired || r.Kind == venue.RejectedReport ||
		(r.Kind == venue.SentReport && venue.Sent(r.Flags) == venue.NotSent)
}

func (g *Gate) fail(v *venueState, now venue.Nanos, probe bool) {
	v.breaker.Fail(now, probe)
	g.breaker.Fail(now, probe)
}

func (g *Gate) succeed(v *venueState, probe bool) {
	v.breaker.Succeed(probe)
	g.breaker.Succeed(probe)
}

// filled counts a trade, its strategy's executions, and its losses.
func (g *Gate) filled(r *venue.Report, o *desk.Order, v *venueState, d *desk.Desk) {
	v.trades++
	g.trades++
	if int(r.Inst) >= len(g.slots) {
		return
	}
	s, p := &g.slots[r.Inst], &d.Positions[r.Inst]
	gain, was := p.Realised-s.realised, s.qty
	s.realised, s.qty = p.Realised, p.Qty
	if o == nil || int(o.Strategy) >= len(g.strats) {
		return
	}
	st := &g.strats[o.Strategy]
	st.repeats[side(o.Side)].count(o.Client, d.Now, st.window)
	if was == 0 || (was > 0) == (o.Side == venue.Buy) {
		return // it opened or added: no result yet
	}
	if s.client != o.Client {
		s.client, s.result, s.before = o.Client, 0, st.streak
	}
	s.result += gain
	switch {
	case s.result < 0:
		st.streak = s.before + 1
	case s.result > 0:
		st.streak = 0
	default:
		st.streak = s.before
	}
	if st.streak > st.maxStreak {
		st.flags |= streakReached
	}
}

// count notes an order's first fill and disables the side when more orders than allowed have filled within the window.
func (r *repeated) count(client uint64, now, window venue.Nanos) {
	if client == r.client {
		return
	}
	r.client = client
	r.times[r.next] = now
	if r.next++; r.next == len(r.times) {
		r.next = 0
	}
	if r.n < len(r.times) {
		r.n++
	}
	if r.n == len(r.times) && now-r.times[r.next] <= window {
		r.disabled = true
	}
}

// OnTimeout counts an order that got no answer in time (it became Unknown). While a probe is out at v, the timeout is
// taken for the probe's.
func (g *Gate) OnTimeout(v venue.ID, now venue.Nanos) {
	if int(v) < len(g.venues) {
		b := &g.venues[v].breaker
		b.Fail(now, b.Probing())
		g.breaker.Fail(now, g.breaker.Probing() && g.probeAt == v)
	}
}

// OnFault counts a failure of a venue that belongs to no order: a checksum mismatch, a lost private stream. It speaks of
// that venue alone, so the global breaker, which looks for what we do wrong everywhere, does not hear of it.
func (g *Gate) OnFault(v venue.ID, now venue.Nanos) {
	if int(v) < len(g.venues) {
		g.venues[v].breaker.Fail(now, false)
	}
}

// OnClock takes the measured offset between our clock and the venue's. Live trading waits for the first.
func (g *Gate) OnClock(v venue.ID, offset venue.Nanos) {
	if int(v) < len(g.venues) {
		g.venues[v].offset, g.venues[v].clockKnown = offset, true
	}
}

// OnFees takes other fees of an instrument, which are in it already, into what its orders bind.
func (g *Gate) OnFees(i venue.Inst, d *desk.Desk) {
	g.slots[i].charge(d.Instruments[i])
	g.Refresh(i, d)
}

// Stop notes that an instrument takes nothing but RoleStop orders and the legs of plans under way, or trades freely again.
func (g *Gate) Stop(i venue.Inst, on bool) { g.slots[i].flags.set(stopped, on) }

// Room notes that a ring is full or has room again. A full audit, command or journal ring stops new orders; a full tape
// does not.
func (g *Gate) Room(ring uint8, full bool) {
	if ring != venue.RingAudit && ring != venue.RingCommand && ring != venue.RingJournal {
		return
	}
	if full {
		g.full |= 1 << ring
	} else {
		g.full &^= 1 << ring
	}
	g.flags.set(ringFull, g.full != 0)
}
