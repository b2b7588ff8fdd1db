package binance

import (
	"sync/atomic"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

type counter = atomic.Uint64

// slot is what the gateway knows of the order in one of the engine's slots.
//
// Submit writes the first group, whoever holds Gateway.mu (the cold side) the second; each reads the other's. The cold
// flags belong to the order of `of`, and are forgotten when the slot has another owner.
type slot struct {
	owner    atomic.Uint64 // the engine's id of the order, 0 none
	meta     atomic.Uint64 // instrument, side, type, time in force
	next     atomic.Uint64 // client id of a replacement on its way, 0 none
	asked    atomic.Int64  // when a New or Amend left that has no answer yet, 0 none
	askedFor atomic.Int64  // the quantity in all that it asked for
	askedAt  atomic.Int64  // and the price
	askID    atomic.Uint64 // and its own client id
	op       atomic.Uint32 // which of the two
	quit     atomic.Int64  // when a Cancel left that has no answer yet, 0 none
	quitID   atomic.Uint64 // client id of the last Cancel, which the order has once it is cancelled
	ended    atomic.Bool   // its end has been reported; the cold side sets it

	wire       atomic.Uint64 // client id in force at the venue
	order      atomic.Uint64 // the venue's id, 0 unknown
	price, qty atomic.Int64  // in force
	cum        atomic.Int64  // filled

	of    uint64
	acked bool
	held  bool // the old order of a replacement is cancelled; what becomes of the new one decides
}

func pack(c *venue.Command) uint64 {
	return uint64(c.Inst)<<32 | uint64(c.Side)<<16 | uint64(c.Type)<<8 | uint64(c.TIF)
}

func (s *slot) inst() venue.Inst { return venue.Inst(s.meta.Load() >> 32) }

// shape puts the side, type and time in force of the order into c.
func (s *slot) shape(c *venue.Command) {
	m := s.meta.Load()
	c.Side, c.Type, c.TIF = venue.Side(m>>16), venue.OrderType(m>>8), venue.TIF(m)
}

// open gives the slot to a new order. Submit's side.
func (s *slot) open(c *venue.Command, now venue.Nanos) {
	s.owner.Store(0)
	s.meta.Store(pack(c))
	s.next.Store(0)
	s.quit.Store(0)
	s.quitID.Store(0)
	s.ended.Store(false)
	s.order.Store(0)
	s.cum.Store(0)
	s.wire.Store(c.Client)
	s.price.Store(int64(c.Price))
	s.qty.Store(int64(c.Qty))
	s.asks(c, now)
	s.owner.Store(c.Client)
}

// asks notes a New or Amend that is about to leave.
func (s *slot) asks(c *venue.Command, now venue.Nanos) {
	s.op.Store(uint32(c.Op))
	s.askedFor.Store(int64(c.Qty))
	s.askedAt.Store(int64(c.Price))
	s.askID.Store(c.Client)
	s.asked.Store(int64(now))
}

// cold readies the flags for the order of owner. False when the slot belongs to another by now. Under Gateway.mu.
func (s *slot) cold(owner uint64) bool {
	if s.owner.Load() != owner || owner == 0 {
		return false
	}
	if s.of != owner {
		s.of, s.acked, s.held = owner, false, false
	}
	return true
}

// target is how the venue knows the order best.
func (s *slot) target() Target { return Target{s.order.Load(), s.wire.Load()} }

// inForce is the order's quantity, as the venue has it.
func (s *slot) inForce() fixed.Qty { return fixed.Qty(s.qty.Load()) }

// ids finds the order of an instruction by its client id: orders, replacements and cancels. Submit writes; anyone reads.
//
// Ids are numbered, so the low bits spread them evenly; a later id takes the place of one that is eight times the slots
// older, which is then found by looking through the slots.
type ids struct {
	rows  []known
	slots []slot
}

type known struct {
	id, owner atomic.Uint64
	slot      atomic.Uint32
}

func newIDs(slots int) ids {
	n := 64
	for n < 8*slots {
		n *= 2
	}
	return ids{make([]known, n), make([]slot, slots)}
}

func (t *ids) put(id, owner uint64, at uint32) {
	r := &t.rows[id&uint64(len(t.rows)-1)]
	r.id.Store(0)
	r.owner.Store(owner)
	r.slot.Store(at)
	r.id.Store(id)
}

// find returns the slot and the engine's id of the order that an instruction concerned; ok is false when the slot has gone
// to another order since, or was never ours.
func (t *ids) find(id uint64) (at uint32, owner uint64, ok bool) {
	if id == 0 {
		return 0, 0, false
	}
	r := &t.rows[id&uint64(len(t.rows)-1)]
	if r.id.Load() == id {
		owner, at = r.owner.Load(), r.slot.Load()
		if r.id.Load() == id && int(at) < len(t.slots) && t.slots[at].owner.Load() == owner {
			return at, owner, true
		}
	}
	for i := range t.slots {
		s := &t.slots[i]
		if own := s.owner.Load(); own != 0 && (own == id || s.wire.Load() == id || s.next.Load() == id || s.quitID.Load() == id) {
			return uint32(i), own, true
		}
	}
	return 0, 0, false
}
