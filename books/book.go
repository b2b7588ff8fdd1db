// Package books keeps one order book per instrument and says how far it may be trusted.
//
// A Book takes whole frames of Events, enforces the venue's rules (sequence, checksum, tick, depth), and is Live only
// while every rule holds. A broken rule makes it Stale first; only a snapshot that joins makes it Live again.
//
// Ownership: the engine goroutine is the only caller of everything but View, which any thread may call. A Book holds no
// pointer into the frames it is given.
//
// Decisions
//   - 2026-11-25: a side is a ladder: quantities by tick offset in a window around the touch, a two-level bitmap, and
//     short sorted runs for what is farther away (far). Rejected: the sorted slice with its best at the end, which is
//     simpler but moves memory in proportion to the distance from the touch, and google/btree (numbers below).
//   - 2026-11-25: the window is 8192 ticks a side (136 KiB a book), not 4096: with 4096 a depth of 5000 reaches into far.
//   - 2026-11-25: windows of different books start at different lines of the cache. All began a power of two apart, with
//     the touch at the same place, and evicted one another: a step in turn among 128 instruments took 5877 ns, now 5082
//     (least of 3 alternating runs).
//   - 2026-11-25: both sides use one code through a key that rises toward the touch (tick number, or its negative).
//   - 2026-11-25: an update runs without branches but for the loss of the best level: with branches 18 ns, without 14.
//   - 2026-11-25: prices become tick numbers by an exact reciprocal (see grid), valid for every tick, so no fallback.
//   - 2026-11-25: a touch that is ahead of the book is never believed where it is better than the book, and where it is
//     worse, the book's levels beyond it are not believed: both errors would cost us, their opposites only a chance.
//   - 2026-11-25: touches ahead wait in a queue in id order, not in a ring to be searched: each is looked at once.
//   - 2026-11-25: a snapshot that does not reach the waiting deltas leaves the book Syncing and asks again; Resyncs counts
//     returns to Live only. A delta whose previous id is the snapshot's joins it though its first id is later.
//
// Least ns for an update of one level and a read of both touches, and in brackets the median ratio to google/btree in
// the same run: go test ./books -run xxx -bench Structure -benchtime 201x (2 shared cores, CPU time, rotating slices).
// "away" is a price that runs by one tick in 22 updates, or by eight in 43, so that the windows re-centre.
//
//	depth          ladder, 8192 ticks  ladder, 4096  slice        btree
//	20             14.4 (4.2)          14.5 (4.3)    31.0 (2.1)   59.3
//	100            14.3 (5.0)          14.4 (5.1)    31.9 (2.4)   72.8
//	1000           14.7 (6.2)          14.5 (6.2)    34.7 (2.7)   85.0
//	5000           15.1 (7.3)          16.8 (6.6)    38.8 (3.1)   110.1
//	20, away 1     14.8 (4.6)          14.7 (4.7)    31.8 (2.2)   66.0
//	5000, away 1   15.5 (6.7)          19.2 (5.5)    59.7 (1.8)   99.9
//	20, away 8     15.1 (4.0)          14.9 (3.9)    29.3 (1.9)   55.7
//	5000, away 8   15.3 (5.6)          24.6 (3.5)    152.6 (0.5)  83.7
package books

import (
	"math/bits"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// State is how far a book may be trusted.
type State uint8

const (
	// Empty: nothing was ever built.
	Empty State = iota
	// Syncing: a snapshot is on its way, or is here and does not join yet.
	Syncing
	// Live: whole, in sequence, not crossed.
	Live
	// Stale: a rule was broken; the levels are as they were then and must not be traded on.
	Stale
)

func (s State) String() string { return [...]string{"empty", "syncing", "live", "stale"}[s] }

// Outcome is what one frame or touch did to a book.
type Outcome uint8

const (
	// Changed: levels or touch differ from before.
	Changed Outcome = 1 << iota
	// StateChanged: the book's State differs from before.
	StateChanged
	// WantSnapshot: the book cannot become Live by itself; ask the feed for a snapshot.
	WantSnapshot
)

// Counters are the book's exact tallies since New.
type Counters struct {
	// Frames were given to Apply; Snapshots are those of them that were taken whole.
	Frames, Snapshots uint64
	// StaleDropped deltas and snapshots were older than the book, or useless without a snapshot; Applied deltas were not.
	StaleDropped, Applied uint64
	// Gaps were found; Resyncs is how often the book became Live again after having been Live before.
	Gaps, Resyncs uint64
	// SnapshotSeq is the id of the last snapshot that was taken.
	SnapshotSeq uint64
	// TouchCompared venue touches had the id of the book, TouchMismatched of them disagreed.
	TouchCompared, TouchMismatched uint64
	// ChecksumsVerified frames agreed with the venue's checksum, ChecksumsFailed did not.
	ChecksumsVerified, ChecksumsFailed uint64
}

// Config sizes a book; zero fields take defaults.
type Config struct {
	// Window is the number of ticks per side held in the ladder (8 bytes each), rounded up to a power of two from 256
	// to 8192; default 8192. It bounds memory and speed, never what a book can hold.
	Window int
	// Pending is the number of records that may wait for a snapshot; default 16384. Room is taken as needed.
	Pending int
	// Touches is the number of touches that may be ahead of the book, rounded up to a power of two; default 512 where
	// the instrument's chain gives both ids, else 1.
	Touches int
}

// Book is one instrument's order book. Written by the engine goroutine.
type Book struct {
	sides  [2]side // bids, asks
	grid   grid
	best   [3]venue.Level // what Best says, by side
	seq    uint64
	touch  touch // the newest; it counts while its id is beyond seq
	state  State
	why    venue.Reason
	dirty  bool // not yet published
	joined bool // a delta has been applied since the snapshot
	asked  bool // WantSnapshot has been said of an Empty book
	lived  bool // has been Live
	in     *venue.Instrument
	view   *slot
	recv   venue.Nanos
	lag    lag
	ahead  touches
	c      Counters

	// part is the snapshot part that must come next, 0 when none is under way; taking is its id.
	part, taking uint64
	// pending holds whole frames that wait for a snapshot, in the order received.
	pending    []venue.Event
	pendingMax int
	// top is room for the levels that a checksum covers.
	top []venue.Level
}

// New makes an Empty book. The instrument must outlive it; its Tick is read here only.
func New(in *venue.Instrument, cfg Config) *Book {
	window, waiting := maxWords*64, cfg.Pending
	if cfg.Window > 0 {
		window = ceilPow2(min(max(cfg.Window, 256), maxWords*64))
	}
	if waiting <= 0 {
		waiting = 16384
	}
	ahead := cfg.Touches
	if ahead <= 0 {
		ahead = 1
		if in.Chain != venue.ChainNone {
			ahead = 512
		}
	}
	g := newGrid(in.Tick)
	b := &Book{
		sides: newSides(window, g.tick, in.Inst), grid: g, in: in, view: new(slot),
		pendingMax: waiting, why: venue.NoSnapshot, dirty: true,
		ahead: touches{ring: make([]touch, ceilPow2(ahead))},
		top:   make([]venue.Level, 2*max(in.ChecksumDepth, 0)),
	}
	b.Publish()
	return b
}

func ceilPow2(n int) int { return 1 << bits.Len(uint(n-1)) }

// Instrument returns what New was given.
func (b *Book) Instrument() *venue.Instrument { return b.in }

// State says how far the book may be trusted.
func (b *Book) State() State { return b.state }

// Why is the reason of the last change to Stale or Syncing.
func (b *Book) Why() venue.Reason { return b.why }

// Seq is the venue id of the last applied frame.
func (b *Book) Seq() uint64 { return b.seq }

// Recv is when the last frame, or sign of life of the book itself, was received.
func (b *Book) Recv() venue.Nanos { return b.recv }

// Lag is venue lag: (recv − venue time) of the last delta less its minimum over the last 30 to 60 seconds; 0 when the
// venue gives no time.
func (b *Book) Lag() venue.Nanos { return b.lag.value() }

// Counters returns the tallies since New.
func (b *Book) Counters() Counters { return b.c }

// Best is the best level of the bid side (venue.Buy) or ask side (venue.Sell); Qty 0 when the side is empty. It is the
// worse of book and of a newer venue touch: the first level that Levels returns.
func (b *Book) Best(side venue.Side) venue.Level { return b.best[side] }

// QtyAt is the quantity resting at exactly that price of the side, as the book has it; a newer touch is not consulted.
func (b *Book) QtyAt(side venue.Side, p fixed.Price) fixed.Qty {
	k, ok := b.grid.index(p)
	if !ok || p <= 0 {
		return 0
	}
	s := b.side(side)
	return fixed.Qty(s.at(k * s.sign))
}

// Depth is the number of levels of a side, as the book has them.
func (b *Book) Depth(side venue.Side) int { return b.side(side).n }

func (b *Book) side(side venue.Side) *side {
	return &b.sides[(side-venue.Buy)&1]
}

// Hash is a state hash over the levels of both sides as the book has them, equal for equal books.
func (b *Book) Hash() uint64 {
	h := uint64(14695981039346656037)
	for i := range b.sides {
		s := &b.sides[i]
		for c := s.start(); c.Next(); {
			h = mix(mix(h, uint64(c.Price)), uint64(c.Qty))
		}
		h = mix(h, uint64(s.n))
	}
	return h
}

// mix folds a word into a hash (the finishing step of SplitMix64).
func mix(h, v uint64) uint64 {
	h = (h ^ v) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// Invalidate makes the book Stale (a Gap event, age, halted). Reasons that mean lost messages count as a gap.
func (b *Book) Invalidate(why venue.Reason) Outcome {
	switch why {
	case venue.SequenceGap, venue.RingFull, venue.ConnectionLost:
		b.c.Gaps++
	}
	before := b.state
	return b.stale(why) | b.since(before)
}

// Alive notes proof of life of the feed at recv.
func (b *Book) Alive(recv venue.Nanos) { b.alive(recv) }

func (b *Book) alive(recv venue.Nanos) {
	if recv > b.recv {
		b.recv, b.dirty = recv, true
	}
}

// Admit lets the book hold prices of another tick too, as when a venue changes it: orders placed before stand on where they
// are. Its grid becomes the coarsest that has both.
func (b *Book) Admit(tick fixed.Price) Outcome {
	both := b.grid.tick
	for rest := max(tick, 1); rest > 0; {
		both, rest = rest, both%rest
	}
	return b.Retick(both)
}

// Retick moves the book to another tick, keeping its levels. Where one does not fit, the book is emptied and Stale with
// OffTick. Not for the hot path: it allocates.
func (b *Book) Retick(tick fixed.Price) Outcome {
	g := newGrid(tick)
	if g.tick == b.grid.tick {
		return 0
	}
	fits := true
	sides := newSides(len(b.sides[0].qty), g.tick, b.in.Inst)
	for i := range sides {
		for c := b.sides[i].start(); c.Next() && fits; {
			fits = sides[i].move(&g, c.Level)
		}
	}
	if !fits {
		sides[0].clear()
		sides[1].clear()
	}
	b.grid, b.sides = g, sides
	before, o := b.state, b.refresh()
	if !fits {
		o |= b.stale(venue.OffTick)
	}
	return o | b.since(before)
}

func (s *side) move(g *grid, l venue.Level) bool {
	k, ok := g.index(l.Price)
	if ok {
		s.set(k*s.sign, int64(l.Qty))
	}
	return ok
}
