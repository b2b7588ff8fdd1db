// Package venue is the vocabulary that every room shares: identifiers, instruments, events, reports, commands, reasons,
// and the contracts of a Feed and a Gateway. Types only; nothing here decides.
//
// Ownership: Event, Report and Command are fixed-size values without pointers (64, 128 and 128 bytes); a size test fails
// the build when one grows.
//
// Decisions
//   - 2026-11-25: Event carries six words read through inlined accessors instead of a union of structs: one layout for
//     ring, tape and replay, and no unsafe.
//   - 2026-11-25: sequence rules (Chain) and checksums run where the book is, not in the feed: they are written once and
//     the tape proves them. A feed only numbers its connection (Coinbase) and answers Resync.
//   - 2026-11-25: deltas that arrive before a snapshot wait in the book, not in the feed, so that a feed keeps no book
//     state and a backtest is the same under every wait policy.
package venue

// ID is the dense index of a venue in the running process; 0 is no venue.
type ID uint8

// Inst is the dense index of an instrument in the running process; 0 is no instrument, so tables are indexed directly.
type Inst uint32

// Product is the dense index of a product; 0 is none.
type Product uint16

// Ccy is the dense index of a currency; 0 is none. USD, USDT and USDC are different currencies.
type Ccy uint16

// Nanos is UTC nanoseconds since 1970 when it names an instant, or a span of them. Instants come from a Clock, which is
// anchored once and then monotonic.
type Nanos int64

// Spans of Nanos.
const (
	Microsecond Nanos = 1_000
	Millisecond Nanos = 1_000_000
	Second      Nanos = 1_000_000_000
)

// Side of an order, a level or a trade's taker.
type Side uint8

const (
	NoSide Side = iota
	Buy
	Sell
)

// Other returns the opposite side.
func (s Side) Other() Side { return 3 - s }

// Sign is +1 for Buy and -1 for Sell.
func (s Side) Sign() int64 { return 3 - 2*int64(s) }

func (s Side) String() string { return [...]string{"none", "buy", "sell"}[s] }

// OrderType says how an order meets the book.
type OrderType uint8

const (
	NoType OrderType = iota
	// Limit rests or takes up to its price. A market order is a Limit IOC with a protective price: there is no other.
	Limit
	// PostOnly rests or is rejected.
	PostOnly
	// StopLoss becomes a taker when the stop trades; StopLimit becomes a Limit.
	StopLoss
	StopLimit
)

func (t OrderType) String() string {
	return [...]string{"none", "limit", "post_only", "stop_loss", "stop_limit"}[t]
}

// TIF is how long an order stays.
type TIF uint8

const (
	NoTIF TIF = iota
	GTC
	IOC
	FOK
)

func (t TIF) String() string { return [...]string{"none", "gtc", "ioc", "fok"}[t] }

// Op is what a Command asks of a venue.
type Op uint8

const (
	NoOp Op = iota
	New
	Cancel
	Amend
	CancelAll
)

func (o Op) String() string { return [...]string{"none", "new", "cancel", "amend", "cancel_all"}[o] }

// Finality is how certain a report is. Most venues report Final; chains and clearing go through the others.
type Finality uint8

const (
	Final Finality = iota
	Provisional
	Reversed
)

// Clock is the only source of time. Only the loop and feeds/wire read it; decision code takes Now as an argument.
type Clock interface {
	// Now is UTC anchored once at start and monotonic after; it never goes back.
	Now() Nanos
}
