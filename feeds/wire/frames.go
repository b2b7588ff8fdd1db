package wire

import (
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// PartRecords is the most records that one part of a snapshot holds, its Head included.
const PartRecords = 256

// Frames collects the records of one message for venues whose books carry no chain of ids (Coinbase numbers the
// connection, Kraken sends a checksum): Reset, then per instrument Open, Level…, Close, then End. A large snapshot is
// cut into parts. Records are overwritten whole, so nothing of an older message shows through. It must not be copied
// after first use. One goroutine.
type Frames struct {
	ev   []venue.Event
	cur  *venue.Event // the Levels record that may have room; &full when none is open
	head int          // index of the Head of the open part
	from int          // index of the first Head of the open frame
	full venue.Event
}

// Reset forgets all records.
func (f *Frames) Reset() {
	f.ev = f.ev[:0]
	f.shut()
}

// Len is the number of records so far.
func (f *Frames) Len() int { return len(f.ev) }

// shut makes the next Level start a record of its own.
func (f *Frames) shut() {
	f.full.N = 3
	f.cur = &f.full
}

// Add appends a zeroed record for the caller to set: a Trade, Touch, Gap or Alive. The pointer is valid until the next
// call of any method.
func (f *Frames) Add() *venue.Event {
	f.shut()
	f.ev = append(f.ev, venue.Event{})
	return &f.ev[len(f.ev)-1]
}

// Open begins the frame of one instrument; flags is venue.Snapshot or 0, seq the venue's id of the frame.
func (f *Frames) Open(v venue.ID, in venue.Inst, flags uint8, recv venue.Nanos, seq uint64) {
	first := seq
	if flags&venue.Snapshot != 0 {
		first = 0
	}
	f.head = len(f.ev)
	f.from = f.head
	f.Add().SetHead(v, in, flags, recv, 0, first, 0, seq, venue.NoChecksum, 0)
}

// Level adds one price level to the open frame; side is venue.Bids or venue.Asks, and nothing else.
func (f *Frames) Level(side uint8, p fixed.Price, q fixed.Qty) {
	e := f.cur
	if e.Flags != side || e.N > 2 {
		e = f.next(side)
	}
	i := e.N * 2
	e.W[i], e.W[i+1] = int64(p), int64(q)
	e.N++
}

// next opens a Levels record, in a new part of the snapshot when this one is full.
func (f *Frames) next(side uint8) *venue.Event {
	h := &f.ev[f.head]
	v, in, seq := h.Venue, h.Inst, h.Seq
	if h.Flags&venue.Snapshot != 0 && len(f.ev)-f.head == PartRecords {
		h.Flags |= venue.Part
		f.ev[len(f.ev)-1].Flags |= venue.Last
		h.W[5] = PartRecords - 1
		recv, part := h.Recv(), h.First()+1
		f.head = len(f.ev)
		f.Add().SetHead(v, in, venue.Snapshot, recv, 0, part, 0, seq, venue.NoChecksum, 0)
	}
	f.ev = append(f.ev, venue.Event{})
	e := &f.ev[len(f.ev)-1]
	e.Kind, e.Flags, e.Venue, e.Inst, e.Seq = venue.Levels, side, v, in, seq
	f.cur = e
	return e
}

// Close ends the frame: at is the venue's time, 0 when unknown; crc the checksum of the book after the whole frame, which
// only the last part carries, or venue.NoChecksum.
func (f *Frames) Close(at venue.Nanos, crc int64) {
	f.shut()
	last := &f.ev[f.head]
	last.W[4], last.W[5] = crc, int64(len(f.ev)-f.head-1)
	for i := f.from; i <= f.head; i += PartRecords {
		f.ev[i].W[1] = int64(at)
	}
}

// End flags the final record and returns all of them, valid until Reset. Nil when there are none.
func (f *Frames) End() []venue.Event {
	if len(f.ev) == 0 {
		return nil
	}
	f.ev[len(f.ev)-1].Flags |= venue.Last
	return f.ev
}
