package journal

import (
	"cmp"
	"slices"
	"strings"

	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// State is what a folder says. Names are those of the run that wrote; where a scale is given, amounts are at that scale.
type State struct {
	// Epoch is the last run's, 0 when there was none. Ranges are the ids that may have been used, oldest run first.
	Epoch  uint64
	Ranges []Range
	// Clean: the last run ended in order and left no order that may be open.
	Clean bool
	// Records is how many were read. Torn were half written when a process was killed; Lost are holes that a lost machine
	// left; Orphans speak of orders that are not in the files kept.
	Records, Torn, Lost, Orphans uint64
	// Missed are reports since the checkpoint that found no room.
	Missed Missed
	// Durable is up to where a lost machine lost nothing: ask the venues for executions from then on, less a margin for
	// what was still under way to the journal.
	Durable struct {
		Seq uint64
		At  venue.Nanos
	}
	// Since is the time of the oldest record kept: a fill before it may not be in Known.
	Since venue.Nanos
	// Orders may still be open, in the order they were placed. Their state is what was journalled last; a time-out of the
	// engine is not.
	Orders []Order
	// Filled is how many fills the last run had seen at the checkpoint since it began: each may have rounded once.
	Filled uint64
	// CheckpointAt is the instant of the last whole checkpoint, 0 for none. Positions and Balances are its; Fills came
	// after it, in order, each once.
	CheckpointAt venue.Nanos
	Positions    []Position
	Balances     []Balance
	Fills        []Fill
	// Known are all fills in the files kept.
	Known map[Trade]struct{}
	// Values are what was noted last under each name, by name.
	Values []Value

	last uint64 // record
}

// Missed says that reports found no room, the first of them received at Since.
type Missed struct {
	Count uint64
	Since venue.Nanos
}

// Order is one that may still be open. Inst, Venue and Slot are the writing run's.
type Order struct {
	desk.Order
	VenueName, Instrument string
	PriceScale, QtyScale  uint8
	// NotFound is how often the venue said that it does not know the order.
	NotFound int
}

// Position of an instrument at the checkpoint.
type Position struct {
	Instrument           string
	PriceScale, QtyScale uint8
	Qty                  fixed.Qty
	Avg                  fixed.Price
	Realised, Fees       fixed.Cash
}

// Balance at the checkpoint.
type Balance struct {
	Venue, Currency string
	Amount          fixed.Cash
}

// Fill is one fill as ledger.Fill takes it, once its numbers are mapped: Report.Fill is what it adds.
type Fill struct {
	venue.Report
	Side                               venue.Side
	VenueName, Instrument, FeeCurrency string
}

// Trade is a fill's exact identity. Reversed is that of its reversal.
type Trade struct {
	Venue, Instrument, ID string
	Reversed              bool
}

// Trade is the fill's identity; without an id it has none.
func (f *Fill) Trade() Trade {
	return Trade{f.VenueName, f.Instrument, string(f.RefBytes()), f.Finality == venue.Reversed}
}

// Value is a small named fact; Scale are the decimals of Value.
type Value struct {
	Name, Text string
	Value      int64
	Scale      uint8
	At         venue.Nanos
}

// Killed reports whether a venue is killed, or everything (""), and not lifted since.
func (s *State) Killed(venue string) bool {
	v, ok := s.Value(killName(venue))
	return ok && v.Value != 0
}

// KilledStrategy reports whether a strategy is killed, and not lifted since.
func (s *State) KilledStrategy(name string) bool {
	v, ok := s.Value(stopName(name))
	return ok && v.Value != 0
}

// Value is what was noted last under a name.
func (s *State) Value(name string) (Value, bool) {
	i, ok := slices.BinarySearchFunc(s.Values, name, func(v Value, name string) int { return strings.Compare(v.Name, name) })
	if !ok {
		return Value{}, false
	}
	return s.Values[i], true
}

// Reserved is the highest id that an epoch may have used, 0 for an epoch that is not known.
func (s *State) Reserved(epoch uint64) uint64 {
	for _, r := range s.Ranges {
		if r.Epoch == epoch {
			return r.Reserved
		}
	}
	return 0
}

// done completes the state.
func (r *replay) done() *State {
	s := r.s
	for _, o := range r.list {
		if !o.State.Done() {
			s.Orders = append(s.Orders, *o)
		}
	}
	slices.SortFunc(s.Orders, func(a, b Order) int { return cmp.Compare(a.Client, b.Client) }) // a checkpoint lists them otherwise
	s.Clean = r.closed && len(s.Orders) == 0
	slices.SortFunc(s.Values, func(a, b Value) int { return strings.Compare(a.Name, b.Name) })
	return s
}
