package venue

import (
	"sync/atomic"

	"oneprice/books/planted"
)

// Strategies bounds the numbers of strategies, so that the gate of each is a flag of its own.
const Strategies = 256

// Kill is the one gate at the last instruction before a socket write: for everything, for one venue, for one strategy. Safe
// for concurrent use. The zero value lets orders through.
type Kill struct {
	shut       atomic.Int32 // how many of the gates below are closed, so that an order looks at one word
	all        atomic.Bool
	venues     [256]atomic.Bool
	strategies [Strategies]atomic.Bool
}

// Set closes the gate for everything, Lift opens it again; what is closed for a venue or a strategy stays closed.
func (k *Kill) Set()  { k.turn(&k.all, true) }
func (k *Kill) Lift() { k.turn(&k.all, false) }

// Venue closes or opens the gate of one venue, Strategy that of one strategy.
func (k *Kill) Venue(v ID, shut bool) { k.turn(&k.venues[v], shut) }

// Strategy closes or opens the gate of one strategy, which must be less than Strategies.
func (k *Kill) Strategy(s uint16, shut bool) { k.turn(&k.strategies[s], shut) }

// turn counts before it closes and after it opened: an order never sees a closed gate uncounted.
func (k *Kill) turn(gate *atomic.Bool, shut bool) {
	if shut {
		k.shut.Add(1)
	}
	if gate.Swap(shut) { // it was closed, and counted, before
		k.shut.Add(-1)
	}
}

// On reports whether the gate is closed for everything.
func (k *Kill) On() bool { return k.all.Load() }

// Blocks reports whether an instruction must not leave. Cancels always may, and so may what carries none: c is nil.
func (k *Kill) Blocks(c *Command) bool {
	if planted.On(planted.KillAtDecision) {
		return false
	}
	return k.shut.Load() != 0 && c != nil && c.Op != Cancel && c.Op != CancelAll &&
		(k.all.Load() || k.venues[c.Venue].Load() || k.strategies[c.Strategy%Strategies].Load())
}
