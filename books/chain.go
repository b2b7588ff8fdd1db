package books

import (
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// Apply applies one frame: a Head followed by its Count Levels records. Nothing of a frame that breaks a rule of form
// (shape, price, tick, quantity) is applied; the book is then Stale.
func (b *Book) Apply(frame []venue.Event) Outcome {
	before := b.state
	return b.apply(frame) | b.since(before)
}

func (b *Book) apply(frame []venue.Event) Outcome {
	b.c.Frames++
	if len(frame) == 0 || frame[0].Kind != venue.Head {
		return b.stale(venue.Malformed)
	}
	h := &frame[0]
	b.alive(h.Recv())
	if why := b.check(frame); why != venue.OK {
		return b.stale(why)
	}
	if h.Flags&venue.Snapshot != 0 {
		return b.snapshot(frame)
	}
	if at := h.At(); at != 0 {
		b.lag.note(h.Recv(), at)
	}
	return b.delta(frame)
}

// check finds what is wrong with the form of a frame before any of it is applied.
func (b *Book) check(frame []venue.Event) venue.Reason {
	if frame[0].Count() != len(frame)-1 {
		return venue.Malformed
	}
	for i := range frame[1:] {
		e := &frame[1+i]
		s := e.Flags & (venue.Bids | venue.Asks)
		if e.Kind != venue.Levels || e.N > 3 || s != venue.Bids && s != venue.Asks {
			return venue.Malformed
		}
		for n := range e.N {
			if why := b.checkLevel(e.Level(n)); why != venue.OK {
				return why
			}
		}
	}
	return venue.OK
}

func (b *Book) checkLevel(l venue.Level) venue.Reason {
	if uint64(l.Price)-1 >= fixed.Limit || uint64(l.Qty) > fixed.Limit {
		return venue.BadLevel
	}
	if _, ok := b.grid.index(l.Price); !ok {
		return venue.OffTick
	}
	return venue.OK
}

// join is what the chain says of a delta.
type join uint8

const (
	follows join = iota // apply it
	behind              // the book has it already
	beyond              // something between is missing
)

// chain holds a delta against the last applied one, or against the snapshot while none was applied since.
func (b *Book) chain(h *venue.Event) join {
	switch b.in.Chain {
	case venue.ChainRange:
		if h.Seq <= b.seq {
			return behind
		}
		if h.First() > b.seq+1 {
			return beyond
		}
	case venue.ChainPrev:
		if h.Seq < b.seq || b.joined && h.Seq == b.seq {
			return behind
		}
		if h.Prev() != b.seq && (b.joined || h.First() > b.seq) {
			return beyond
		}
	}
	return follows
}

func (b *Book) delta(frame []venue.Event) Outcome {
	if b.state != Live {
		return b.wait(frame)
	}
	switch b.chain(&frame[0]) {
	case behind:
		b.c.StaleDropped++
		return 0
	case beyond:
		b.c.Gaps++
		o := b.stale(venue.SequenceGap)
		return o | b.wait(frame)
	}
	if why := b.advance(frame); why != venue.OK {
		return b.refresh() | Changed | b.stale(why)
	}
	return b.refresh() | Changed | b.meet()
}

// advance applies a delta whole and then looks whether the book still stands.
func (b *Book) advance(frame []venue.Event) venue.Reason {
	b.write(frame[1:])
	b.seq, b.joined, b.dirty = frame[0].Seq, true, true
	b.c.Applied++
	return b.settle(&frame[0])
}

// write sets the levels of checked records.
func (b *Book) write(records []venue.Event) {
	for i := range records {
		e := &records[i]
		s := &b.sides[e.Flags/venue.Asks&1]
		for n := range e.N {
			l := e.Level(n)
			k, _ := b.grid.index(l.Price)
			s.set(k*s.sign, int64(l.Qty))
		}
	}
}

// settle does what is due after a whole frame: cut to the depth, verify the checksum, look for a crossed book.
func (b *Book) settle(h *venue.Event) venue.Reason {
	if d := b.in.Depth; d > 0 {
		b.sides[0].trim(d)
		b.sides[1].trim(d)
	}
	if crc := h.CRC(); crc != venue.NoChecksum && b.in.Checksum != nil {
		if int64(b.checksum()) != crc {
			b.c.ChecksumsFailed++
			return venue.ChecksumMismatch
		}
		b.c.ChecksumsVerified++
	}
	bid, ask := b.sides[0].touch(), b.sides[1].touch()
	if bid.Qty > 0 && ask.Qty > 0 && bid.Price >= ask.Price {
		return venue.Crossed
	}
	return venue.OK
}

// checksum is the venue's own function over the best levels of both sides.
func (b *Book) checksum() uint32 {
	half := len(b.top) / 2
	bids := b.sides[0].copyTop(b.top[:0:half])
	asks := b.sides[1].copyTop(b.top[half:half])
	return b.in.Checksum(b.in, bids, asks)
}

// copyTop appends levels, best first, up to the capacity of dst.
func (s *side) copyTop(dst []venue.Level) []venue.Level {
	for c := s.start(); len(dst) < cap(dst) && c.Next(); {
		dst = append(dst, c.Level)
	}
	return dst
}

// wait keeps a delta for the snapshot to come. A book without a chain cannot tell where such a delta belongs and drops
// it; in the middle of a snapshot that is a loss.
func (b *Book) wait(frame []venue.Event) Outcome {
	var o Outcome
	if b.in.Chain == venue.ChainNone {
		b.c.StaleDropped++
		if b.part > 0 {
			b.c.Gaps++
			return b.stale(venue.SequenceGap)
		}
		return b.ask()
	}
	if len(b.pending)+len(frame) > b.pendingMax {
		b.pending = b.pending[:0]
		o = b.stale(venue.PendingOverflow)
		if len(frame) > b.pendingMax {
			return o
		}
	}
	b.pending = append(b.pending, frame...)
	return o | b.ask()
}

// ask wants a first snapshot, once.
func (b *Book) ask() Outcome {
	if b.state != Empty || b.asked {
		return 0
	}
	b.asked = true
	return WantSnapshot
}

// snapshot takes one part. The first part empties the book; parts must follow one another.
func (b *Book) snapshot(frame []venue.Event) Outcome {
	h := &frame[0]
	part := h.First()
	switch {
	case part == 0 && b.state == Live && b.in.Chain != venue.ChainNone && h.Seq <= b.seq,
		part != 0 && b.part == 0:
		b.c.StaleDropped++
		return 0
	case part != 0 && (part != b.part || h.Seq != b.taking):
		b.c.Gaps++
		return b.stale(venue.SequenceGap)
	}
	if part == 0 {
		b.sides[0].clear()
		b.sides[1].clear()
		b.taking = h.Seq
		b.enter(Syncing, venue.NoSnapshot)
	}
	b.write(frame[1:])
	b.part = part + 1
	if h.Flags&venue.Part == 0 {
		return b.complete(h)
	}
	return b.refresh() | Changed
}

// complete ends a snapshot: the deltas that waited are replayed, and the book is Live when they join.
func (b *Book) complete(h *venue.Event) Outcome {
	if h.Seq < b.seq {
		// The venue has begun its ids anew: what it said of later ones is of another life.
		b.touch, b.ahead.n = touch{}, 0
	}
	b.part, b.joined, b.seq, b.dirty = 0, false, h.Seq, true
	b.c.Snapshots++
	b.c.SnapshotSeq = h.Seq
	why := b.settle(h)
	tooOld := false
	if why == venue.OK {
		why, tooOld = b.replay()
	}
	o := b.refresh() | Changed
	switch {
	case tooOld:
		b.why = why
		return o | WantSnapshot
	case why != venue.OK:
		return o | b.stale(why)
	}
	if b.lived {
		b.c.Resyncs++
	}
	b.lived = true
	b.enter(Live, venue.OK)
	return o | b.meet()
}

// replay applies the waiting deltas to a whole snapshot. It stops at the first that breaks a rule and keeps that one and
// the rest for a later snapshot. tooOld: already the first useful delta begins after the snapshot.
func (b *Book) replay() (why venue.Reason, tooOld bool) {
	rest := b.pending
loop:
	for len(rest) > 0 {
		frame := rest[:1+rest[0].Count()]
		if why = b.check(frame); why != venue.OK {
			rest = rest[len(frame):]
			break
		}
		switch b.chain(&frame[0]) {
		case behind:
			b.c.StaleDropped++
		case beyond:
			why = venue.SequenceGap
			tooOld = !b.joined
			if b.joined {
				b.c.Gaps++
			}
			break loop
		default:
			why = b.advance(frame)
		}
		rest = rest[len(frame):]
		if why != venue.OK {
			break
		}
	}
	b.pending = b.pending[:copy(b.pending, rest)]
	return why, tooOld
}

// stale ends trust: the book stays as it is until a snapshot joins.
func (b *Book) stale(why venue.Reason) Outcome {
	b.part = 0
	if b.state != Stale {
		b.enter(Stale, why)
	}
	return WantSnapshot
}

func (b *Book) enter(s State, why venue.Reason) { b.state, b.why, b.dirty = s, why, true }

// since reports a State other than before.
func (b *Book) since(before State) Outcome {
	if b.state == before {
		return 0
	}
	return StateChanged
}
