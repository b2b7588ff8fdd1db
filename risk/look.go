package risk

import "oneprice/books/venue"

// Breaker returns the breaker of a venue, or the global one for 0. The engine reads its state; only the gate moves it.
func (g *Gate) Breaker(v venue.ID) *Breaker {
	if v == 0 {
		return &g.breaker
	}
	return &g.venues[v].breaker
}
