package risk

import "oneprice/books/venue"

// Killed reports whether an operator has killed everything, a venue or a strategy, and not lifted it.
func (g *Gate) Killed(v venue.ID, strategy uint16) bool { return g.said(v, strategy)&killed != 0 }

// Disarmed reports whether everything, a venue or a strategy is not armed.
func (g *Gate) Disarmed(v venue.ID, strategy uint16) bool { return g.said(v, strategy)&disarmed != 0 }

// said are the flags of everything, a venue and a strategy.
func (g *Gate) said(v venue.ID, strategy uint16) flags {
	f := g.flags | g.venues[v].flags
	if int(strategy) < len(g.strats) {
		f |= g.strats[strategy].flags
	}
	return f
}

// Apart reports whether the clocks of a venue and ours lie further apart than its limit allows.
func (g *Gate) Apart(v venue.ID) bool {
	s := &g.venues[v]
	return max(s.offset, -s.offset) > s.maxOffset
}

// MaxOffset is how far apart the clocks of a venue and ours may lie.
func (g *Gate) MaxOffset(v venue.ID) venue.Nanos { return g.venues[v].maxOffset }

// Breaker returns the breaker of a venue, or the global one for 0. The engine reads its state; only the gate moves it.
func (g *Gate) Breaker(v venue.ID) *Breaker {
	if v == 0 {
		return &g.breaker
	}
	return &g.venues[v].breaker
}
