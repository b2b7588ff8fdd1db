package risk

import "oneprice/books/venue"

// Killed reports whether an operator has killed a venue, or everything, and not lifted it.
func (g *Gate) Killed(v venue.ID) bool { return (g.flags|g.venues[v].flags)&killed != 0 }

// Breaker returns the breaker of a venue, or the global one for 0. The engine reads its state; only the gate moves it.
func (g *Gate) Breaker(v venue.ID) *Breaker {
	if v == 0 {
		return &g.breaker
	}
	return &g.venues[v].breaker
}
