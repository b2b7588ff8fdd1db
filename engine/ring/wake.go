package ring

import "sync/atomic"

// Bell wakes one parked consumer of any number of rings. Producers pay one load while the consumer is awake. The
// consumer announces first and looks at its rings afterwards, the producer publishes first and looks at the
// announcement afterwards; in the one order of all atomic operations one of them sees the other, so no wake-up is lost.
//
//	for {
//		work until every ring is empty
//		bell.Arm()
//		if any ring has records { bell.Disarm(); continue }
//		select { case <-bell.C(): case <-ctx.Done(): … }
//	}
type Bell struct {
	_     [line]byte
	armed atomic.Bool // set by the consumer, cleared by the producer that rings or by the consumer
	_     [line - 4]byte
	c     chan struct{}
}

// NewBell makes a silent bell.
func NewBell() *Bell { return &Bell{c: make(chan struct{}, 1)} }

// Ring wakes the consumer if it has announced that it sleeps. Any goroutine, after its publish.
func (b *Bell) Ring() {
	if b.armed.Load() {
		b.wake()
	}
}

func (b *Bell) wake() {
	if !b.armed.CompareAndSwap(true, false) {
		return
	}
	select {
	case b.c <- struct{}{}:
	default: // a wake-up is already on its way
	}
}

// Arm announces that the consumer is about to sleep. It must look at its rings once more before it waits on C. The
// consumer only.
func (b *Bell) Arm() { b.armed.Store(true) }

// Disarm takes the announcement back. A producer may have rung already: the next wait may then return at once, and the
// consumer finds nothing to do. The consumer only.
func (b *Bell) Disarm() {
	b.armed.Store(false)
	select {
	case <-b.c:
	default:
	}
}

// C carries a value when records came after Arm.
func (b *Bell) C() <-chan struct{} { return b.c }

// Token makes one goroutine at a time the owner of the consumer side: under the inline policy the producer that holds
// new records runs the engine itself. The zero value is free.
type Token struct {
	_    [line]byte
	held atomic.Bool
	_    [line - 4]byte
}

// Try takes the token if it is free. Any goroutine; never blocks.
func (t *Token) Try() bool { return !t.held.Load() && t.held.CompareAndSwap(false, true) }

// Release frees the token. Its holder only. The rings must be looked at after it, as Run does: looking before strands
// what a producer publishes between the look and the release, since that producer's Try fails.
func (t *Token) Release() { t.held.Store(false) }

// Run works until nothing is pending or another goroutine holds the token; that one then does the work. The caller has
// published its records before. drain is called by the holder and empties the rings; pending is called without the
// token and reports whether any ring has records.
func (t *Token) Run(pending func() bool, drain func()) {
	for t.Try() {
		drain()
		t.Release()
		if !pending() {
			return
		}
	}
}
