package venue

import "oneprice/books/fixed"

// EventKind says what an Event's words mean; see the Set functions.
type EventKind uint8

const (
	NoEvent EventKind = iota
	// Head opens one instrument's frame; Levels of the same frame follow.
	Head
	// Levels holds up to three price levels of one side.
	Levels
	// Touch is the venue's own best bid and offer.
	Touch
	// Trade is one public trade.
	Trade
	// StatusChange is a change of the instrument's Status.
	StatusChange
	// TickChange is a change of tick, lot or minimums.
	TickChange
	// Gap says that the feed lost messages of the instrument (0: of every instrument of the venue).
	Gap
	// Alive says that the connection of the instrument (0: of the venue) showed life without data.
	Alive
	// FX is an exchange rate between two currencies.
	FX
	// Timer marks the passing of time for code that counts ticks; it carries nothing.
	Timer
	// Operator is a command from a person or the watchdog.
	Operator
	// Room says that a ring is full or has room again.
	Room
	// Budget is a rate allowance as the venue's headers state it.
	Budget
	// End says that the session is over: reports are still booked, nothing is decided any more.
	End
	// FeeChange is a change of what the account pays in an instrument.
	FeeChange
	// ClockIs is a measured offset between a venue's clock and ours.
	ClockIs
)

// Flags of an Event.
const (
	// Last closes the message: readers never stop between two records before it.
	Last uint8 = 1 << iota
	// Bids and Asks name the side of a Levels record; for a Trade, Bids means that the taker bought.
	Bids
	Asks
	// Snapshot replaces the book. Part means that more parts of the same snapshot follow.
	Snapshot
	Part
	// Venuewide marks a Gap or Alive that concerns a whole connection.
	Venuewide
)

// Event is one market-data or control record. 64 bytes, no pointers. Assign field by field on hot paths: a composite
// literal through a pointer costs four times as much.
type Event struct {
	Kind  EventKind
	Flags uint8
	// N is the number of levels used, 0..3.
	N     uint8
	Venue ID
	Inst  Inst
	// Seq is the venue's last id for this record: u at Binance, sequence_num at Coinbase, a frame count at Kraken.
	Seq uint64
	W   [6]int64
}

// SetHead makes e the head of a frame. recv is our clock, at the venue's (0 unknown); first and prev are the chain ids
// (for a Snapshot, first is the part number from 0); crc is the checksum that the book must have after this frame, or
// NoChecksum; count is the number of Levels records that follow in this frame.
func (e *Event) SetHead(v ID, in Inst, flags uint8, recv, at Nanos, first, prev, last uint64, crc int64, count int) {
	e.Kind, e.Flags, e.N, e.Venue, e.Inst, e.Seq = Head, flags, 0, v, in, last
	e.W[0], e.W[1], e.W[2], e.W[3], e.W[4], e.W[5] = int64(recv), int64(at), int64(first), int64(prev), crc, int64(count)
}

// NoChecksum in a Head says that the frame carries none.
const NoChecksum int64 = -1

// Recv is the receive time of a Head.
func (e *Event) Recv() Nanos { return Nanos(e.W[0]) }

// At is the venue's time of a Head, 0 when unknown.
func (e *Event) At() Nanos { return Nanos(e.W[1]) }

// First is the first id of a Head, or the part number of a Snapshot head.
func (e *Event) First() uint64 { return uint64(e.W[2]) }

// Prev is the previous id of a Head.
func (e *Event) Prev() uint64 { return uint64(e.W[3]) }

// CRC is the checksum of a Head, NoChecksum when there is none.
func (e *Event) CRC() int64 { return e.W[4] }

// Count is the number of Levels records that follow a Head.
func (e *Event) Count() int { return int(e.W[5]) }

// Level returns the i-th level of a Levels record, i < N. A Qty of 0 deletes.
func (e *Event) Level(i uint8) Level {
	return Level{fixed.Price(e.W[2*i]), fixed.Qty(e.W[2*i+1])}
}

// SetTouch makes e a Touch: best bid and offer with their quantities (0 and 0 for an empty side). seq is the venue's id
// in the same space as the book's, 0 when it has none. at is the venue's time, or recv where the venue gives none.
func (e *Event) SetTouch(v ID, in Inst, flags uint8, seq uint64, bid fixed.Price, bidQty fixed.Qty, ask fixed.Price, askQty fixed.Qty, recv, at Nanos) {
	e.Kind, e.Flags, e.N, e.Venue, e.Inst, e.Seq = Touch, flags, 0, v, in, seq
	e.W[0], e.W[1], e.W[2], e.W[3], e.W[4], e.W[5] = int64(bid), int64(bidQty), int64(ask), int64(askQty), int64(recv), int64(at)
}

// SetTrade makes e a Trade. Set Bids in flags when the taker bought, Asks when it sold.
func (e *Event) SetTrade(v ID, in Inst, flags uint8, id uint64, p fixed.Price, q fixed.Qty, recv, at Nanos) {
	e.Kind, e.Flags, e.N, e.Venue, e.Inst, e.Seq = Trade, flags, 0, v, in, id
	e.W[0], e.W[1], e.W[2], e.W[3], e.W[4], e.W[5] = int64(p), int64(q), int64(id), 0, int64(recv), int64(at)
}

// SetGap makes e a Gap for one instrument, or for every instrument of the connection's venue when in is 0.
func (e *Event) SetGap(v ID, in Inst, why Reason, expected, got uint64, recv Nanos) {
	e.Kind, e.Flags, e.N, e.Venue, e.Inst, e.Seq = Gap, Last, 0, v, in, got
	e.W[0], e.W[1], e.W[2], e.W[3], e.W[4], e.W[5] = int64(why), int64(expected), 0, 0, int64(recv), 0
}

// SetAlive makes e an Alive: proof that the connection of in works though it had no data.
func (e *Event) SetAlive(v ID, in Inst, recv, at Nanos) {
	e.Kind, e.Flags, e.N, e.Venue, e.Inst, e.Seq = Alive, Last, 0, v, in, 0
	e.W[0], e.W[1], e.W[2], e.W[3], e.W[4], e.W[5] = 0, 0, 0, 0, int64(recv), int64(at)
}

// SetFX makes e an exchange rate: one unit of from is worth rate of to. at is when it was observed. Inst, where not 0,
// is the book it came from.
func (e *Event) SetFX(in Inst, from, to Ccy, bid, ask fixed.Rate, at Nanos) {
	e.Kind, e.Flags, e.N, e.Venue, e.Inst, e.Seq = FX, Last, 0, 0, in, 0
	e.W[0], e.W[1], e.W[2], e.W[3], e.W[4], e.W[5] = int64(from), int64(to), int64(bid), int64(ask), int64(at), 0
}

// SetStatus makes e a StatusChange: the status from now on. why is OK where the venue says so, and otherwise why we do not
// trade what the venue does (OffScale: a grid finer than the product's).
func (e *Event) SetStatus(v ID, in Inst, s Status, why Reason, recv Nanos) {
	e.Kind, e.Flags, e.N, e.Venue, e.Inst, e.Seq = StatusChange, Last, 0, v, in, 0
	e.W[0], e.W[1], e.W[2], e.W[3], e.W[4], e.W[5] = int64(s), int64(why), 0, 0, int64(recv), 0
}

// Status and Why are those of a StatusChange.
func (e *Event) Status() Status { return Status(e.W[0]) }
func (e *Event) Why() Reason    { return Reason(e.W[1]) }

// SetRules makes e a TickChange: the rules from now on.
func (e *Event) SetRules(v ID, in Inst, r Rules, recv Nanos) {
	e.Kind, e.Flags, e.N, e.Venue, e.Inst, e.Seq = TickChange, Last, 0, v, in, 0
	e.W[0], e.W[1], e.W[2], e.W[3], e.W[4], e.W[5] = int64(r.Tick), int64(r.Lot), int64(r.MinQty), int64(r.MinNotional), int64(recv), int64(r.MaxQty)
}

// Rules are those of a TickChange.
func (e *Event) Rules() Rules {
	return Rules{fixed.Price(e.W[0]), fixed.Qty(e.W[1]), fixed.Qty(e.W[2]), fixed.Qty(e.W[5]), fixed.Cash(e.W[3])}
}

// SetFees makes e a FeeChange: the fees from now on.
func (e *Event) SetFees(v ID, in Inst, f Fees, recv Nanos) {
	e.Kind, e.Flags, e.N, e.Venue, e.Inst, e.Seq = FeeChange, Last, 0, v, in, 0
	e.W[0], e.W[1], e.W[2], e.W[3], e.W[4], e.W[5] = int64(f.Maker), int64(f.Taker), int64(f.In), 0, int64(recv), 0
}

// Fees are those of a FeeChange.
func (e *Event) Fees() Fees { return Fees{fixed.Rate(e.W[0]), fixed.Rate(e.W[1]), FeeIn(e.W[2])} }

// SetClock makes e a ClockIs: the venue's clock less ours, and how far that may be from the truth.
func (e *Event) SetClock(v ID, offset, within, recv Nanos) {
	e.Kind, e.Flags, e.N, e.Venue, e.Inst, e.Seq = ClockIs, Last, 0, v, 0, 0
	e.W[0], e.W[1], e.W[2], e.W[3], e.W[4], e.W[5] = int64(offset), int64(within), 0, 0, int64(recv), 0
}

// SetRoom makes e a Room event: ring is one of the Ring constants, full whether it lacks room.
func (e *Event) SetRoom(ring uint8, full bool, now Nanos) {
	e.Kind, e.Flags, e.N, e.Venue, e.Inst, e.Seq = Room, Last, ring, 0, 0, 0
	f := int64(0)
	if full {
		f = 1
	}
	e.W[0], e.W[1], e.W[2], e.W[3], e.W[4], e.W[5] = f, 0, 0, 0, int64(now), 0
}

// SetEnd makes e the end of the session.
func (e *Event) SetEnd(now Nanos) {
	e.Kind, e.Flags, e.N, e.Venue, e.Inst, e.Seq = End, Last, 0, 0, 0, 0
	e.W[0], e.W[1], e.W[2], e.W[3], e.W[4], e.W[5] = 0, 0, 0, 0, int64(now), 0
}

// Rings that a Room event names.
const (
	RingAudit uint8 = iota + 1
	RingTape
	RingCommand
	RingJournal
)

// Seen is the receive time of any record but a Head or Levels, which keep theirs in Recv.
func (e *Event) Seen() Nanos { return Nanos(e.W[4]) }
