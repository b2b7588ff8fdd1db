package venue

import (
	"context"
	"sync/atomic"
)

// Sink takes one whole message (records up to and including the one flagged Last) and publishes it by one store; readers
// never see half of it. It answers OK, or RingFull when there is no room: the feed then waits (snapshots) or reports a
// Gap (deltas). One goroutine.
type Sink interface{ Put(frame []Event) Reason }

// Reports takes whole reports. One goroutine; a full ring makes the gateway wait.
type Reports interface{ Put(reports []Report) Reason }

// Feed is the market-data side of a venue.
type Feed interface {
	// Run owns its goroutine and socket until ctx ends.
	Run(ctx context.Context, out Sink) error
	// Resync asks for a fresh snapshot of an instrument. Any thread; never blocks; coalesced.
	Resync(Inst)
}

// Gateway is the order side of a venue.
type Gateway interface {
	// Run owns the private stream, heartbeats and the flushing of an unsent tail until ctx ends.
	Run(ctx context.Context, out Reports) error
	// Submit is called by Step's owner only: kill, not-after, encode, one write that never blocks.
	Submit(*Command) Sent
	// Sweep reports open orders, executions since the instant, and balances; recovery waits for it.
	Sweep(ctx context.Context, since Nanos, out Reports) error
}

// Kill is the one gate at the last instruction before a socket write. Safe for concurrent use. The zero value lets
// orders through.
type Kill struct{ on atomic.Bool }

// Set closes the gate, Lift opens it.
func (k *Kill) Set()  { k.on.Store(true) }
func (k *Kill) Lift() { k.on.Store(false) }

// On reports whether the gate is closed.
func (k *Kill) On() bool { return k.on.Load() }

// Blocks reports whether an instruction of this kind must not leave. Cancels always may.
func (k *Kill) Blocks(op Op) bool { return op != Cancel && op != CancelAll && k.on.Load() }
