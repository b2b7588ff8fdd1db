package audit

import (
	"sync/atomic"
)

// Ring is the hot side: records in mapped memory between the engine, which puts, and the Writer, which takes. It
// outlives a killed process.
type Ring struct {
	cells []Record
	mask  uint64

	// written and consumed lie in the mapped header on lines of their own; written is stored by the engine only,
	// consumed by the Writer only.
	written, consumed *atomic.Uint64

	_    [128]byte
	next uint64 // the engine's own written
	seen uint64 // the engine's last look at consumed
	_    [112]byte

	mem []byte
}

// Put publishes records by one store, all or none. It answers false when there is no room: nothing was taken, the caller
// keeps the records, tells Step by a Room event, and tries again before the next Step. Seq must run on from the record
// before; a break of it is a fault of the engine and panics. Never blocks, allocates nothing. The engine only.
func (r *Ring) Put(records []Record) bool {
	n := uint64(len(records))
	if n == 0 {
		return true
	}
	if r.next+n-r.seen > uint64(len(r.cells)) {
		r.seen = r.consumed.Load()
		if r.next+n-r.seen > uint64(len(r.cells)) {
			return false
		}
	}
	if records[0].Seq != r.next+1 || records[n-1].Seq != r.next+n {
		panic("audit: a record is out of sequence")
	}
	done := copy(r.cells[r.next&r.mask:], records)
	if done < len(records) {
		copy(r.cells, records[done:])
	}
	r.next += n
	r.written.Store(r.next)
	return true
}

// Room is how many records surely fit now. It reads the Writer's line only when fewer than want seem to fit. The engine
// only.
func (r *Ring) Room(want int) int {
	room := len(r.cells) - int(r.next-r.seen)
	if room < want {
		r.seen = r.consumed.Load()
		room = len(r.cells) - int(r.next-r.seen)
	}
	return room
}

// Capacity is how many records fit in an empty ring.
func (r *Ring) Capacity() int { return len(r.cells) }

// Waiting is how many records are not yet proven on disk. Any goroutine.
func (r *Ring) Waiting() int {
	c := r.consumed.Load() // before written, so that the difference is never negative
	return int(r.written.Load() - c)
}

// take returns up to limit waiting records that lie together. They stay in the ring until release. The Writer only.
func (r *Ring) take(limit int) []Record {
	c := r.consumed.Load()
	i := c & r.mask
	n := min(r.written.Load()-c, uint64(len(r.cells))-i, uint64(limit))
	return r.cells[i : i+n]
}

// release gives the room of the n oldest records back. The Writer only.
func (r *Ring) release(n int) { r.consumed.Store(r.consumed.Load() + uint64(n)) }
