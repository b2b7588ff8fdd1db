package risk

import (
	"oneprice/books/venue"
)

// paces asks whether this is one time too often: against our own orders, a repetition, or faster than allowed.
func (g *Gate) paces(c *candidate) bool {
	p, now := c.in.Price, c.d.Now
	for _, w := range c.s.twins[:c.s.ntwins] {
		if c.side == venue.Buy && w.Sells > 0 && p >= w.SellWorst {
			return c.refuse(RuleSelfMatch, venue.SelfMatch, int64(p), int64(w.SellWorst), 0)
		}
		if c.side == venue.Sell && w.Buys > 0 && p <= w.BuyWorst {
			return c.refuse(RuleSelfMatch, venue.SelfMatch, int64(p), int64(w.BuyWorst), 0)
		}
	}
	if c.leg != nil && c.leg.tokens > 0 {
		return true // its tokens were taken with the plan
	}
	if r := &c.s.recents[c.s.last&(recents-1)]; r.at != 0 && now-r.at < c.st.duplicate && !c.repetition(now) {
		return false
	}
	n := c.tokens
	switch {
	case c.v.soft.empty > now:
		over := -c.v.soft.left(now)
		return c.refuse(RuleSoft, venue.MessageRate, over, 0, over)
	case c.v.ordersRate.lacks(now, n):
		return c.rated(RuleVenueOrders, venue.OrderRate, &c.v.ordersRate)
	case c.st.ordersRate.lacks(now, n):
		return c.rated(RuleStrategyOrders, venue.OrderRate, &c.st.ordersRate)
	case c.v.messagesRate.lacks(now, n):
		return c.rated(RuleVenueMessages, venue.MessageRate, &c.v.messagesRate)
	case c.st.messagesRate.lacks(now, n):
		return c.rated(RuleStrategyMessages, venue.MessageRate, &c.st.messagesRate)
	}
	return true
}

// rated refuses for want of tokens: Value is what was asked, Limit the burst, Headroom what is left but for a reserve.
func (c *candidate) rated(r Rule, why venue.Reason, b *bucket) bool {
	c.verdict = Verdict{Reason: why, Rule: r, Value: c.tokens, Limit: int64(b.burst / b.step), Headroom: b.left(c.d.Now) - b.reserve}
	return false
}

// repetition looks for an equal approval within the strategy's window among the instrument's last ones.
func (c *candidate) repetition(now venue.Nanos) bool {
	s := c.s
	for i := 0; i < recents; i++ {
		r := &s.recents[(s.last-i)&(recents-1)]
		age := now - r.at
		if r.at == 0 || age >= c.st.duplicate {
			return true
		}
		if r.price == c.in.Price && r.qty == c.in.Qty && r.side == c.side && r.op == c.in.Op && r.target == c.in.Target &&
			r.strategy == c.in.Strategy {
			return c.refuse(RuleDuplicate, venue.DuplicateIntent, int64(age), int64(c.st.duplicate), 0)
		}
	}
	return true
}

// spend takes the tokens of an approved order and counts it.
func (g *Gate) spend(c *candidate) {
	if c.leg != nil && c.leg.tokens > 0 {
		c.leg.tokens--
		return
	}
	g.charge(c, c.tokens, 1)
}

// charge takes tokens from every budget and counts orders; negative figures give them back.
func (g *Gate) charge(c *candidate, tokens, orders int64) {
	now := c.d.Now
	c.v.ordersRate.take(now, tokens)
	c.st.ordersRate.take(now, tokens)
	c.v.messagesRate.take(now, tokens)
	c.st.messagesRate.take(now, tokens)
	g.orders, c.v.orders, c.st.orders = g.orders+orders, c.v.orders+orders, c.st.orders+orders
	if c.probe {
		g.probeAt = c.s.venue
		c.v.breaker.Probe(now)
		g.breaker.Probe(now)
	}
}

// note remembers an approval for the duplicate rule.
func (c *candidate) note(now venue.Nanos) {
	s := c.s
	s.last = (s.last + 1) & (recents - 1)
	r, in := &s.recents[s.last], c.in
	r.at, r.price, r.qty, r.target, r.strategy, r.side, r.op = now, in.Price, in.Qty, in.Target, in.Strategy, c.side, in.Op
}
