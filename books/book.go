package books

import (
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// State is how far a book may be trusted.
type State uint8

const (
	Empty State = iota
	Syncing
	Live
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
	Frames, Snapshots, StaleDropped, Applied, Gaps, Resyncs uint64
	SnapshotSeq                                             uint64
	TouchCompared, TouchMismatched                          uint64
	ChecksumsVerified, ChecksumsFailed                      uint64
}

// Config sizes a book; zero fields take defaults.
type Config struct {
	// Window is the number of ticks per side held in the ladder, a power of two.
	Window int
	// Pending is the number of records that may wait for a snapshot.
	Pending int
}

type Book struct{ in *venue.Instrument }

func New(in *venue.Instrument, cfg Config) *Book { panic("books: not built yet") }

// Apply applies one frame: a Head followed by its Count Levels records.
func (b *Book) Apply(frame []venue.Event) Outcome { panic("books: not built yet") }

// ApplyTouch takes the venue's own best bid and offer.
func (b *Book) ApplyTouch(e *venue.Event) Outcome { panic("books: not built yet") }

// Invalidate makes the book Stale (a Gap event, age, halted).
func (b *Book) Invalidate(why venue.Reason) Outcome { panic("books: not built yet") }

// Alive notes proof of life of the feed at recv.
func (b *Book) Alive(recv venue.Nanos) { panic("books: not built yet") }

func (b *Book) Instrument() *venue.Instrument { return b.in }
func (b *Book) State() State                  { panic("books: not built yet") }

// Why is the reason of the last change to Stale or Syncing.
func (b *Book) Why() venue.Reason { panic("books: not built yet") }

// Seq is the venue id of the last applied frame.
func (b *Book) Seq() uint64 { panic("books: not built yet") }

// Recv is when the last frame or touch or sign of life was received.
func (b *Book) Recv() venue.Nanos { panic("books: not built yet") }

// Lag is venue lag: (recv − venue time) of the last frame less its rolling minimum; 0 when the venue gives no time.
func (b *Book) Lag() venue.Nanos { panic("books: not built yet") }

// Best is the best level of the bid side (venue.Buy) or ask side (venue.Sell); Qty 0 when the side is empty. It is the
// worse of book and of a newer venue touch.
func (b *Book) Best(side venue.Side) venue.Level { panic("books: not built yet") }

// Levels returns a cursor over the side, best first: bids for venue.Buy, asks for venue.Sell.
//
//	for c := b.Levels(venue.Sell); c.Next(); { use c.Price, c.Qty }
//
// The cursor is invalid after the next Apply. It starts at Best: levels that a newer venue touch has removed are skipped.
func (b *Book) Levels(side venue.Side) Cursor { panic("books: not built yet") }

// Cursor walks one side.
type Cursor struct {
	venue.Level
}

func (c *Cursor) Next() bool { panic("books: not built yet") }

// Walk is what taking qty from a side would do.
type Walk struct {
	// Filled ≤ the asked quantity; Best and Worst are the first and last price touched (0 when Filled is 0).
	Filled      fixed.Qty
	Best, Worst fixed.Price
}

// Take walks the side that a taker of the given side would hit: asks for venue.Buy.
func (b *Book) Take(taker venue.Side, qty fixed.Qty) Walk { panic("books: not built yet") }

// QtyAt is the quantity resting at exactly that price of the side.
func (b *Book) QtyAt(side venue.Side, p fixed.Price) fixed.Qty { panic("books: not built yet") }

// Depth is the number of levels of a side.
func (b *Book) Depth(side venue.Side) int { panic("books: not built yet") }

func (b *Book) Counters() Counters { panic("books: not built yet") }

// Hash is a state hash over both sides, equal for equal books.
func (b *Book) Hash() uint64 { panic("books: not built yet") }

// Publish makes the current top visible to View; the engine calls it once per drain.
func (b *Book) Publish() { panic("books: not built yet") }

// View is a consistent copy of the published top. Any thread, lock-free.
func (b *Book) View() View { panic("books: not built yet") }

// View is the top of a book for readers outside the engine.
type View struct {
	Bid, Ask venue.Level
	Seq      uint64
	Recv     venue.Nanos
	State    State
	Why      venue.Reason
}
