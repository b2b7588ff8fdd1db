package risk

import (
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

const (
	// maxPlans is how many plans may be open at once.
	maxPlans = 64
	// playbookOrders is how many orders the playbook may need for each leg, to complete or to unwind it.
	playbookOrders = 3
)

// legHold is what a plan has reserved for one leg.
type legHold struct {
	inst  venue.Inst
	side  venue.Side
	limit fixed.Price // its limit price
	worst fixed.Price // with the plan's allowance
	best  fixed.Price // the other way round, for an unwind
	qty   fixed.Qty
	// held is the part of qty that neither works nor has filled.
	held fixed.Qty
	// tokens are orders that the playbook may still send without asking the rate budgets.
	tokens int64
	// released: the leg has left, or never will; what returns to held since then is for the playbook.
	released bool
}

// planHold is the reservation of one open plan.
type planHold struct {
	strategy uint16
	n        uint8
	loss     fixed.Cash
	legs     [desk.MaxLegs]legHold
}

// planTable holds the open plans; an id of 0 is free. loss is the sum of what they may lose.
type planTable struct {
	ids   [maxPlans]uint64
	plans [maxPlans]planHold
	open  int
	loss  fixed.Cash
}

// find is the reservation of an open plan. New plans take the first free place, so the open ones lie in front, and the
// search ends when it has seen them all.
func (t *planTable) find(id uint64) *planHold {
	for k, left := 0, t.open; left > 0; k++ {
		if t.ids[k] == id && id != 0 {
			return &t.plans[k]
		}
		if t.ids[k] != 0 {
			left--
		}
	}
	return nil
}

// free is the first free place, -1 when there is none.
func (t *planTable) free() int {
	if t.open == maxPlans {
		return -1
	}
	k := 0
	for t.ids[k] != 0 {
		k++
	}
	return k
}

// CheckPlan approves every leg of p into out[:p.N] and reserves them, MaxLoss, balances and the rate tokens of the
// playbook under p.ID, or refuses (Leg says which) and reserves nothing. It sets Strategy, Plan and Leg of the legs.
//
// The caller places each leg that it sends into d.Working and then calls Release for it; a leg that is sent later
// (InTurn) goes through Check with its Plan and Leg for what is then wanted, and is covered by the reservation. So are
// the playbook's orders, which must stay within the leg's quantity and the plan's allowance. EndPlan gives the rest back.
func (g *Gate) CheckPlan(p *desk.Plan, d *desk.Desk, out []Approved) Verdict {
	if d.Now >= g.dayEnd {
		g.newDay(d.Now)
	}
	for i := range out {
		out[i].cmd.Op = venue.NoOp
	}
	n := int(p.N)
	if n < 1 || n > desk.MaxLegs || n > len(out) || p.ID == 0 || p.Allowance < 0 || p.Allowance >= fixed.One || p.MaxLoss < 0 {
		return Verdict{Reason: venue.BadIntent, Rule: RuleShape}
	}
	if p.MaxLoss == 0 {
		return Verdict{Reason: venue.NoReference, Rule: RulePlan}
	}
	if p.MaxLoss > g.limits.MaxPlanLoss {
		return Verdict{venue.PlanLimit, RulePlan, 0, int64(p.MaxLoss), int64(g.limits.MaxPlanLoss), int64(g.limits.MaxPlanLoss)}
	}
	if g.plans.find(p.ID) != nil {
		return Verdict{Reason: venue.DuplicateIntent, Rule: RuleDuplicate}
	}
	at := g.plans.free()
	if at < 0 {
		return Verdict{Reason: venue.PlanLimit, Rule: RulePlan, Value: maxPlans + 1, Limit: maxPlans}
	}
	var c candidate
	if !g.losses(&c, p.MaxLoss) {
		return c.verdict
	}
	h, cs := &g.plans.plans[at], &g.legs
	*h = planHold{strategy: p.Strategy, loss: p.MaxLoss}
	for i := range n {
		cs[i] = candidate{}
		if !g.reserve(h, p, i, &cs[i], d) {
			for j := range i {
				g.charge(&cs[j], -cs[j].tokens, -1)
				g.unhold(&h.legs[j], h.legs[j].held, d)
			}
			cs[i].verdict.Leg = uint8(i)
			return cs[i].verdict
		}
	}
	for i := range n {
		cs[i].note(d.Now)
		cs[i].command(g, &out[i])
	}
	g.plans.ids[at] = p.ID
	g.plans.open++
	g.plans.loss += p.MaxLoss
	return Verdict{}
}

// reserve checks one leg and holds it, so that the next leg is judged with it.
func (g *Gate) reserve(h *planHold, p *desk.Plan, i int, c *candidate, d *desk.Desk) bool {
	leg := &p.Legs[i]
	leg.Strategy, leg.Plan, leg.Leg = p.Strategy, p.ID, uint8(i)
	if leg.Op != venue.New {
		return c.no(RuleShape, venue.BadIntent)
	}
	if !g.open(c, leg, d) {
		return false
	}
	away, ok := fixed.MulDiv(int64(leg.Price), int64(p.Allowance), int64(fixed.One), fixed.Up)
	if !ok || int64(leg.Price)+away > fixed.Limit {
		return c.no(RulePlan, venue.Overflowed)
	}
	slack := fixed.Price(away * leg.Side.Sign())
	l := &h.legs[i]
	*l = legHold{inst: leg.Inst, side: leg.Side, limit: leg.Price, worst: leg.Price + slack, best: leg.Price - slack, qty: leg.Qty, tokens: playbookOrders}
	c.planned, c.tokens, c.worst = true, 1+playbookOrders, l.worst
	if p.Policy == desk.InTurn && i > 0 {
		l.tokens++ // it comes through Check once more when its turn is
	}
	if !g.rules(c) {
		return false
	}
	h.n = uint8(i) + 1
	g.charge(c, c.tokens, 1)
	g.keep(l, leg.Qty)
	if g.slots[l.inst].bad == venue.OK {
		g.put(l.inst, side(l.side), &g.part, d) // exposes has just found what the side becomes
	} else {
		g.Refresh(l.inst, d)
	}
	return true
}

// hold adds to what plans have reserved of an instrument.
func (g *Gate) hold(l *legHold, q fixed.Qty, d *desk.Desk) {
	g.keep(l, q)
	g.refresh(l.inst, l.side, d)
}

// keep is hold without the refresh that must follow.
func (g *Gate) keep(l *legHold, q fixed.Qty) {
	h := &g.slots[l.inst].holds[side(l.side)]
	if l.held == 0 && q > 0 {
		h.n++
	}
	l.held += q
	h.qty += q
	if h.price == 0 || (l.side == venue.Buy) == (l.worst > h.price) {
		h.price = l.worst
	}
}

// unhold takes from it.
func (g *Gate) unhold(l *legHold, q fixed.Qty, d *desk.Desk) {
	if q != 0 {
		g.drop(l, q)
		g.refresh(l.inst, l.side, d)
	}
}

// drop is unhold without the refresh that must follow.
func (g *Gate) drop(l *legHold, q fixed.Qty) {
	if q == 0 {
		return
	}
	h := &g.slots[l.inst].holds[side(l.side)]
	l.held -= q
	h.qty -= q
	if l.held == 0 {
		h.n--
	}
	if h.n == 0 {
		h.price = 0
	}
}

// Release drops the reservation of one leg: it now counts in d.Working, or will never leave. It refreshes the leg's
// instrument, so that an order that has just been placed needs no Refresh of its own. Only the first Release of a leg does
// anything, and answers true; what the leg leaves unfilled is held again, for the playbook.
func (g *Gate) Release(plan uint64, leg uint8, d *desk.Desk) bool {
	h := g.plans.find(plan)
	if h == nil || leg >= h.n || h.legs[leg].released {
		return false
	}
	l := &h.legs[leg]
	l.released = true
	g.drop(l, l.held)
	g.refresh(l.inst, l.side, d)
	return true
}

// EndPlan drops what is left of a plan's reservation; unused rate tokens return to their budgets. Unknown plans are
// ignored.
func (g *Gate) EndPlan(plan uint64, d *desk.Desk) {
	if plan == 0 {
		return
	}
	for k, id := range g.plans.ids {
		if id != plan {
			continue
		}
		h := &g.plans.plans[k]
		st := &g.strats[h.strategy]
		for i := range h.legs[:h.n] {
			l := &h.legs[i]
			v := &g.venues[g.slots[l.inst].venue]
			g.unhold(l, l.held, d)
			v.ordersRate.give(l.tokens)
			v.messagesRate.give(l.tokens)
			st.ordersRate.give(l.tokens)
			st.messagesRate.give(l.tokens)
		}
		g.plans.loss -= h.loss
		g.plans.ids[k] = 0
		g.plans.open--
		return
	}
}

// cover finds the reservation that covers an order of a plan and moves its part from held to the candidate. It answers
// how much was moved. An order that leaves the plan's bounds is refused.
func (g *Gate) cover(c *candidate) (fixed.Qty, bool) {
	h := g.plans.find(c.in.Plan)
	if h == nil || c.in.Op != venue.New {
		return 0, true
	}
	for i := range h.legs[:h.n] {
		l := &h.legs[i]
		if l.inst != c.in.Inst {
			continue
		}
		bound := l.worst
		if c.side != l.side {
			bound = l.best // an unwind gives back at most the allowance
		}
		if (c.side == venue.Buy && c.in.Price > max(bound, l.limit)) || (c.side == venue.Sell && c.in.Price < min(bound, l.limit)) {
			return 0, c.refuse(RulePlan, venue.PlanLimit, int64(c.in.Price), int64(bound), 0)
		}
		if c.in.Qty > l.qty {
			return 0, c.refuse(RulePlan, venue.PlanLimit, int64(c.in.Qty), int64(l.qty), 0)
		}
		c.leg = l
		if c.side != l.side {
			return 0, true
		}
		q := min(l.held, c.more)
		g.unhold(l, q, c.d)
		return q, true
	}
	return 0, true
}

// unfilled returns to the reservation what a leg or a completing order left unfilled.
func (g *Gate) unfilled(o *desk.Order, d *desk.Desk) {
	h := g.plans.find(o.Plan)
	if h == nil {
		return
	}
	for i := range h.legs[:h.n] {
		l := &h.legs[i]
		if l.inst == o.Inst && l.side == o.Side {
			if q := min(o.Qty-o.Filled, l.qty-l.held); q > 0 {
				g.hold(l, q, d)
			}
			return
		}
	}
}
