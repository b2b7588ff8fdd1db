package kraken

import (
	"sync/atomic"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// asked is what Submit tells the private stream of one instruction, before its first byte leaves.
type asked struct {
	op   venue.Op
	kind venue.OrderType
	tif  venue.TIF
	side venue.Side
	// void says that the instruction of this request did not leave after all; adopted that an earlier run may have sent it,
	// when it was decided at born.
	void, adopted  bool
	inst           venue.Inst
	slot           uint32
	req            uint64
	client, target uint64 // target: of a Cancel or Amend
	price          fixed.Price
	qty            fixed.Qty
	at, deadline   venue.Nanos
	born           venue.Nanos
}

// asks is a ring from Submit to the private stream: one producer, one consumer at a time. The answer to an instruction can
// then never be met before the instruction itself.
type asks struct {
	slot []asked
	head atomic.Uint64 // written by the consumer
	tail atomic.Uint64 // written by the producer
	seen uint64        // the producer's last look at head
}

func newAsks(n int) *asks {
	size := 64
	for size < n {
		size *= 2
	}
	return &asks{slot: make([]asked, size)}
}

// room reports whether n more will be taken. The producer only.
func (a *asks) room(n int) bool {
	t := a.tail.Load()
	if int(t-a.seen)+n > len(a.slot) {
		a.seen = a.head.Load()
	}
	return int(t-a.seen)+n <= len(a.slot)
}

// push publishes x; the producer has asked for room.
func (a *asks) push(x *asked) {
	t := a.tail.Load()
	a.slot[t&uint64(len(a.slot)-1)] = *x
	a.tail.Store(t + 1)
}

// pop takes the oldest. The consumer only.
func (a *asks) pop(x *asked) bool {
	h := a.head.Load()
	if h == a.tail.Load() {
		return false
	}
	*x = a.slot[h&uint64(len(a.slot)-1)]
	a.head.Store(h + 1)
	return true
}
