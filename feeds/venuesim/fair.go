// Package venuesim is what all simulated venues share: a market with a seeded order flow, a loopback server for
// websockets and REST, and the menu of faults.
//
// Ownership: a Market and everything in it belongs to one goroutine, the simulator's; the server's own goroutines hand it
// what clients say and take what it sends.
//
// Decisions
//   - 2026-11-25: one fair value per product drives all venues, each with a lag, a slow error and now and then a
//     dislocation of its own, so that arbitrage exists, is rare, and closes by itself.
//   - 2026-11-25: the flow is orders through books/match, not painted levels: depth, queues and trades then agree with
//     each other, and the same books serve clients' orders.
//   - 2026-11-25: integers and PCG only; the same seed and the same calls give the same market on every machine.
package venuesim

import (
	"math/rand/v2"
	"sync"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// fine is how many units of a fair value make one unit of price: a walk needs steps smaller than a tick.
const fine = 1000

// Fair is the value of one product over time: a walk with rare jumps. Venues read it with a lag. Safe for concurrent use:
// the product's venues share it.
type Fair struct {
	mu   sync.Mutex
	rnd  *rand.Rand
	at   venue.Nanos
	now  int64 // in units of price / fine
	step int64 // largest move per millisecond
	past [256]int64
	n    int
}

// NewFair starts a value at price, moving at most step units of price / 1000 in a millisecond but for jumps.
func NewFair(seed uint64, price fixed.Price, step int64) *Fair {
	f := &Fair{rnd: rand.New(rand.NewPCG(seed, 0xfa1)), now: int64(price) * fine, step: step}
	for i := range f.past {
		f.past[i] = f.now
	}
	return f
}

// Advance moves the value to an instant, millisecond by millisecond. The first call sets the start.
func (f *Fair) Advance(now venue.Nanos) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.at == 0 {
		f.at = now
	}
	f.at = max(f.at, now-venue.Second) // of a longer sleep only the end is lived through
	for f.at+venue.Millisecond <= now {
		f.at += venue.Millisecond
		move := f.rnd.Int64N(2*f.step+1) - f.step + f.rnd.Int64N(2*f.step+1) - f.step
		if f.rnd.IntN(4000) == 0 { // a jump every four seconds or so
			move += (f.rnd.Int64N(2) - f.rnd.Int64N(2)) * f.step * 40
		}
		if f.now+move > fine {
			f.now += move
		}
		f.n++
		f.past[f.n%len(f.past)] = f.now
	}
}

// Lagged is the value so many milliseconds ago, at most 255, in units of price / 1000.
func (f *Fair) Lagged(ms int) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.past[(f.n-min(ms, f.n)+len(f.past))%len(f.past)]
}
