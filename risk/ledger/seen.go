package ledger

import (
	"encoding/binary"
	"math/bits"

	"oneprice/books/venue"
)

// trade identifies one fill exactly. The venue's trade ids may repeat between instruments, and a reversal carries the id
// of what it reverses.
type trade struct {
	ref      [40]byte
	inst     venue.Inst
	venue    venue.ID
	reversed bool
}

// seen remembers the last trades by their whole key: a ring of keys, oldest evicted first, and an open-addressing index
// into it (linear probing, at most half full). A hash only says where to look. Nothing allocates after newSeen.
type seen struct {
	keys  []trade
	index []uint32 // 1 + position in keys; 0 is free
	next  int
	full  bool
}

// newSeen makes room for at least horizon trades.
func newSeen(horizon int) seen {
	n := 1 << bits.Len(uint(max(horizon, 2)-1))
	return seen{keys: make([]trade, n), index: make([]uint32, 2*n)}
}

func (k *trade) hash() uint64 {
	h := uint64(k.inst)<<16 | uint64(k.venue)<<8
	if k.reversed {
		h |= 1
	}
	for i := 0; i < len(k.ref); i += 8 {
		hi, lo := bits.Mul64(h^binary.LittleEndian.Uint64(k.ref[i:]), 0x9e3779b97f4a7c15)
		h = hi ^ lo ^ 0xa0761d6478bd642f
	}
	return h ^ h>>29
}

// find returns the index slot that holds k, or the free one where it would go.
func (s *seen) find(k *trade) (slot int, found bool) {
	mask := len(s.index) - 1
	for slot = int(k.hash()) & mask; ; slot = (slot + 1) & mask {
		at := s.index[slot]
		if at == 0 {
			return slot, false
		}
		if s.keys[at-1] == *k {
			return slot, true
		}
	}
}

// has reports whether k is remembered.
func (s *seen) has(k *trade) bool {
	_, found := s.find(k)
	return found
}

// add remembers k, which must not be remembered yet, and forgets the oldest when there is no room.
func (s *seen) add(k *trade) {
	if s.full {
		s.drop(&s.keys[s.next])
	}
	slot, _ := s.find(k)
	s.keys[s.next] = *k
	s.index[slot] = uint32(s.next) + 1
	if s.next++; s.next == len(s.keys) {
		s.next, s.full = 0, true
	}
}

// drop takes k out of the index and moves later entries of its run back, so that no search breaks at the hole.
func (s *seen) drop(k *trade) {
	hole, found := s.find(k)
	if !found {
		panic("ledger: a remembered trade is missing from its index")
	}
	mask := len(s.index) - 1
	for i := (hole + 1) & mask; s.index[i] != 0; i = (i + 1) & mask {
		home := int(s.keys[s.index[i]-1].hash()) & mask
		if (i-home)&mask >= (i-hole)&mask {
			s.index[hole], hole = s.index[i], i
		}
	}
	s.index[hole] = 0
}
