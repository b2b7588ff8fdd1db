package venuesim

import (
	"math/rand/v2"
	"sync"

	"oneprice/books/venue"
)

// Fault is one thing that can go wrong.
type Fault uint8

const (
	// Drop loses a message, Duplicate sends it twice, Reorder swaps it with the next, Delay holds the stream up.
	Drop Fault = iota
	Duplicate
	Reorder
	Delay
	// Burst loses a run of messages: a gap.
	Burst
	// BadChecksum alters the checksum of a message, where the venue has one; Garble replaces a message by nonsense.
	BadChecksum
	Garble
	// Disconnect cuts the socket; Silence keeps it open and says nothing for a while.
	Disconnect
	Silence
	// TooMany answers a REST request with the venue's rate-limit error; StaleSnapshot with an old book; Refuse closes a
	// new socket at once.
	TooMany
	StaleSnapshot
	Refuse
	// Restart cuts every socket and begins all sequences anew. Orders and balances survive it.
	Restart

	// On the private side, LostAck accepts a request and never answers, LateAck answers it after a while, CutAccepted
	// accepts it and cuts the connection instead of answering, ErrorAccepted accepts it and answers with a server error.
	LostAck
	LateAck
	CutAccepted
	ErrorAccepted
	// DuplicateReport sends a private report twice, ReorderReport swaps it with the next.
	DuplicateReport
	ReorderReport
	// LostCancel takes a cancel and forgets it: it is neither done nor answered.
	LostCancel
	// LimitOrders refuses a request as one too many (429), Banned as coming from an address shut out for a while (418).
	LimitOrders
	Banned
	// SessionExpiry makes the venue forget who is logged on.
	SessionExpiry

	faults // count
)

// FaultNames are the names of the menu, in order.
var FaultNames = [faults]string{"drop", "duplicate", "reorder", "delay", "burst", "bad_checksum", "garble", "disconnect", "silence",
	"too_many", "stale_snapshot", "refuse", "restart", "lost_ack", "late_ack", "cut_accepted", "error_accepted", "duplicate_report",
	"reorder_report", "lost_cancel", "limit_orders", "banned", "session_expiry"}

func (f Fault) String() string { return FaultNames[f] }

// Rates is how often each fault strikes: per message (or request, or connection) in parts per million.
type Rates [faults]uint32

// AllFaults is the whole menu of the market-data side, each at a rate that leaves a venue usable.
var AllFaults = Rates{Drop: 400, Duplicate: 1000, Reorder: 400, Delay: 400, Burst: 100, BadChecksum: 300, Garble: 200, Disconnect: 60,
	Silence: 30, TooMany: 100_000, StaleSnapshot: 50_000, Refuse: 100_000, Restart: 10}

// Times is every rate n times as high, those of connections and requests at most at 30 in 100.
func (r Rates) Times(n uint32) Rates {
	for i := range r {
		r[i] = min(r[i]*n, max(r[i], 300_000))
	}
	return r
}

// PrivateFaults is the whole menu of the private side, per request or report.
var PrivateFaults = Rates{LostAck: 10_000, LateAck: 20_000, CutAccepted: 4000, ErrorAccepted: 10_000, DuplicateReport: 20_000, ReorderReport: 20_000,
	LostCancel: 20_000, LimitOrders: 2000, Banned: 500, SessionExpiry: 1000}

// And is both: where both have a rate, the other's.
func (r Rates) And(other Rates) Rates {
	for i, n := range other {
		if n != 0 {
			r[i] = n
		}
	}
	return r
}

// Faults decides when something goes wrong and remembers when it last did. Safe for concurrent use: server goroutines
// share it.
type Faults struct {
	*menu
	rnd *rand.Rand // under the menu's mutex
}

// menu is what all parts of a venue share.
type menu struct {
	mu    sync.Mutex
	seed  uint64
	parts uint64
	rates Rates
	owed  [faults]bool
	count [faults]uint64
	last  venue.Nanos
}

// NewFaults strikes at the given rates from a seed.
func NewFaults(seed uint64, r Rates) *Faults {
	return &Faults{&menu{seed: seed, rates: r}, rand.New(rand.NewPCG(seed, 0xbad))}
}

// Part is the same menu for one connection, with chances of its own: what befalls it does not depend on how often another one
// draws. Parts are numbered in the order of being made.
func (f *Faults) Part() *Faults {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.parts++
	return &Faults{f.menu, rand.New(rand.NewPCG(f.seed, 0xbad+f.parts))}
}

// Set changes the rates.
func (f *Faults) Set(r Rates) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rates = r
}

// Owe makes a fault strike at its next chance, whatever its rate.
func (f *Faults) Owe(k Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.owed[k] = true
}

// Strikes reports whether a fault happens now, and notes it.
func (f *Faults) Strikes(k Fault, now venue.Nanos) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.owed[k] && (f.rates[k] == 0 || f.rnd.Uint32N(1_000_000) >= f.rates[k]) {
		return false
	}
	f.owed[k] = false
	f.count[k]++
	f.last = now
	return true
}

// Amount is a random number below n, for how long or how many.
func (f *Faults) Amount(n int64) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rnd.Int64N(n)
}

// Ended notes that a fault with a span (a silence, a delay) has ended only now.
func (f *Faults) Ended(now venue.Nanos) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last = max(f.last, now)
}

// Last is when a fault last struck or ended, 0 never.
func (f *Faults) Last() venue.Nanos {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last
}

// Counts is how often each fault has struck.
func (f *Faults) Counts() [len(FaultNames)]uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count
}
