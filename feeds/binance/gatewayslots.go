package binance

import (
	"sync/atomic"

	"oneprice/books/desk"
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
	quitID   atomic.Uint64 // client id of the last Cancel, 0 none
	ended    atomic.Bool   // its end has been reported; the cold side sets it

	wire       atomic.Uint64 // client id in force at the venue
	order      atomic.Uint64 // the venue's id, 0 unknown
	price, qty atomic.Int64  // in force
	cum        atomic.Int64  // filled

	of    uint64
	acked bool
	held  bool // the old order of a replacement is cancelled; what becomes of the new one decides
}

func pack(i venue.Inst, s venue.Side, t venue.OrderType, f venue.TIF) uint64 {
	return uint64(i)<<32 | uint64(s)<<16 | uint64(t)<<8 | uint64(f)
}

func (s *slot) inst() venue.Inst { return venue.Inst(s.meta.Load() >> 32) }

// shape puts the side, type and time in force of the order into c.
func (s *slot) shape(c *venue.Command) {
	m := s.meta.Load()
	c.Side, c.Type, c.TIF = venue.Side(m>>16), venue.OrderType(m>>8), venue.TIF(m)
}

// open gives the slot to a new order. Submit's side.
func (s *slot) open(c *venue.Command, now venue.Nanos) {
	s.clear(pack(c.Inst, c.Side, c.Type, c.TIF), c.Client, c.Price, c.Qty)
	s.asks(c.Op, c.Client, c.Price, c.Qty, now)
	s.owner.Store(c.Client)
}

// adopt gives it to an order of an earlier run. op is what is in doubt of it; stays says that every amend is in place. Submit's
// side.
func (s *slot) adopt(o *desk.Order, stays bool) (op venue.Op) {
	s.clear(pack(o.Inst, o.Side, o.Type, o.TIF), o.Client, o.Price, o.Qty)
	s.asks(venue.New, o.Client, o.Price, o.Qty, 0)
	if o.Alias != 0 {
		s.wire.Store(o.Alias)
	}
	if id, fault := fixed.Parse(o.Ref[1:1+int(o.Ref[0])%len(o.Ref)], 0); fault == fixed.OK && id > 0 {
		s.order.Store(uint64(id))
	}
	op = venue.New
	if o.NextClient != 0 {
		op = venue.Amend
		if !stays && !s.reduces(o.NextPrice, o.NextQty) {
			s.next.Store(o.NextClient)
		}
		s.asks(op, o.NextClient, o.NextPrice, o.NextQty, 0)
	}
	s.owner.Store(o.Client)
	return op
}

// clear takes the slot from whatever it held.
func (s *slot) clear(meta, client uint64, price fixed.Price, qty fixed.Qty) {
	s.owner.Store(0)
	s.meta.Store(meta)
	s.next.Store(0)
	s.quit.Store(0)
	s.quitID.Store(0)
	s.ended.Store(false)
	s.order.Store(0)
	s.cum.Store(0)
	s.wire.Store(client)
	s.price.Store(int64(price))
	s.qty.Store(int64(qty))
}

// asks notes a New or Amend that is about to leave.
func (s *slot) asks(op venue.Op, id uint64, price fixed.Price, qty fixed.Qty, now venue.Nanos) {
	s.op.Store(uint32(op))
	s.askedFor.Store(int64(qty))
	s.askedAt.Store(int64(price))
	s.askID.Store(id)
	s.asked.Store(int64(now))
}

// answered ends the wait for the New or Amend of id; false when something newer has been asked since, whose wait goes on: an
// order that the stream tells first may be amended before its own answer comes. Submit asks again only when nothing is
// asked, so what is read here before askID belongs to id, or is 0.
func (s *slot) answered(id uint64) bool {
	asked := s.asked.Load()
	if s.askID.Load() != id {
		return false
	}
	s.asked.CompareAndSwap(asked, 0)
	return true
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
func (s *slot) target() Target { return Target{Order: s.order.Load(), Client: s.wire.Load()} }

// reduces reports whether an amend only lowers the quantity, which is done in place.
func (s *slot) reduces(price fixed.Price, qty fixed.Qty) bool {
	return int64(price) == s.price.Load() && qty < s.inForce()
}

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
