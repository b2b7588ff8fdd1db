package risk

import (
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

const (
	// maxReferences bounds Reference.From, maxTwins the instruments that an order could trade against itself through.
	maxReferences = 4
	maxTwins      = 4
	// recents is how many approvals of an instrument the duplicate rule looks back on.
	recents = 16
)

// part is the worst case of one side of one instrument: what it becomes when everything of that side fills.
type part struct {
	// qty is the signed position then, base the same in base units of the product.
	qty, base fixed.Qty
	// mag is its size and val its signed worth in the reporting currency, both rounded against us.
	mag, val fixed.Cash
	// lock is what it binds: quote for a spot buy, base for a spot sell, margin for a derivative.
	lock fixed.Cash
}

// hold is what plans have reserved on one side of an instrument and not yet sent.
type hold struct {
	qty   fixed.Qty
	price fixed.Price // worst of all holds
	n     int32
}

// recent is one approval, for the duplicate rule.
type recent struct {
	at       venue.Nanos
	price    fixed.Price
	qty      fixed.Qty
	target   uint64
	strategy uint16
	side     venue.Side
	op       venue.Op
}

// slot is all that the gate keeps of one instrument: limits first, then what is in use. Buy and sell sides are indexed
// by side(venue.Side).
type slot struct {
	missing             bool // a limit is missing
	allowed, restricted bool
	short               bool // may sell what is not held
	spot                bool
	margined            bool
	nrefs               uint8
	ntwins              uint8
	venue               venue.ID
	product             venue.Product
	quote               venue.Ccy
	base                venue.Ccy
	settle              venue.Ccy
	maxOpen             int32
	refs                [maxReferences]venue.Inst
	twins               [maxTwins]venue.Inst
	maxQty              fixed.Qty
	maxPos              fixed.Qty
	maxCash             fixed.Cash
	collar              fixed.Rate
	guard               fixed.Rate
	maxAge              venue.Nanos
	maxLag              venue.Nanos
	refAge              venue.Nanos
	margin              fixed.Rate // initial margin plus the worst fee
	open                venue.Nanos
	close               venue.Nanos
	expiry              venue.Nanos
	smoothing           venue.Nanos
	// top is the price of certainty of a binary, 0 for everything else: a short owes at most top − p.
	top fixed.Price

	// high and low are the marks: worst ask and bid of the last Live book, 0 before the first.
	high, low fixed.Price
	// smooth is the smoothed mid at smoothAt.
	smooth   fixed.Price
	smoothAt venue.Nanos
	parts    [2]part
	holds    [2]hold
	gross    fixed.Cash
	loss     fixed.Cash // unrealised loss, binds margin
	locked   fixed.Cash // in settle or quote
	lockBase fixed.Cash // in base
	orders   int32
	bad      venue.Reason // why the contribution cannot be stated

	// qty and realised are those of the last fill seen; client, result and before belong to the order that closes.
	qty      fixed.Qty
	realised fixed.Cash
	client   uint64
	result   fixed.Cash
	before   int64

	last    int
	recents [recents]recent
}

func side(s venue.Side) int { return int(s) - 1 }

// sums are the totals that limits bound. They change by difference and always equal the sum over all slots.
type sums struct {
	gross  fixed.Cash
	val    [2]fixed.Cash
	orders int32
}

// mode is what an operator has set.
type mode struct{ killed, disarmed, reduce bool }

// venueState is what the gate keeps of one venue.
type venueState struct {
	allowed, missing         bool
	clockKnown               bool
	mode                     mode
	maxOpen                  int32
	maxGross, maxNet         fixed.Cash
	sums                     sums
	ordersPerDay, orders     int64
	tradesPerDay, trades     int64
	offset, maxOffset        venue.Nanos
	ordersRate, messagesRate bucket
	soft                     bucket
	reserve                  int64
	breaker                  Breaker
}

// productState is what the gate keeps of one product: worst-case base units by side.
type productState struct {
	base    [2]fixed.Qty
	maxBase fixed.Qty
}

// repeated is the sliding window of executions of one strategy and side.
type repeated struct {
	times    []venue.Nanos // ring of the last MaxRepeats + 1
	next, n  int
	client   uint64 // the last order counted
	disabled bool
}

// strategyState is what the gate keeps of one strategy.
type strategyState struct {
	allowed, missing         bool
	ordersRate, messagesRate bucket
	ordersPerDay, orders     int64
	duplicate                venue.Nanos
	streak, maxStreak        int64
	stopped                  bool // the streak was reached; only an operator lifts it
	window                   venue.Nanos
	repeats                  [2]repeated
}

// rate is an exchange rate with its haircut, kept until the quoted one changes.
type rate struct {
	bid, ask fixed.Rate
	// low and high are bid and ask moved against us; 0 before the first.
	low, high fixed.Rate
	maxAge    venue.Nanos
	haircut   fixed.Rate
	pegLow    fixed.Rate
	pegHigh   fixed.Rate
	known     bool // limits are set
	fixed     bool // the reporting currency itself
}

// fill makes the slot of one instrument from its limits.
func (s *slot) fill(in *venue.Instrument, l *InstrumentLimits) {
	s.allowed, s.restricted, s.short = l.Allowed, l.Restricted, l.MayShort
	s.spot = in.Kind == venue.Spot
	s.margined = in.Kind == venue.Perpetual || in.Kind == venue.Dated
	s.venue, s.product = in.Venue, in.Product
	s.quote, s.base, s.settle = in.Quote, in.Base, in.Settle
	if s.settle == 0 {
		s.settle = s.quote
	}
	s.maxOpen, s.maxQty, s.maxPos, s.maxCash = l.MaxOpen, l.MaxQty, l.MaxPosition, l.MaxNotional
	s.collar, s.guard, s.maxAge, s.maxLag = l.Collar, l.Guard, l.MaxAge, l.MaxLag
	s.nrefs = uint8(copy(s.refs[:], l.Reference.From))
	s.refAge, s.smoothing = l.Reference.MaxAge, l.Reference.Smooth
	s.open, s.close, s.expiry = l.Session.Open, l.Session.Close, l.Expiry
	if s.margined {
		s.margin = l.Margin + max(in.Fees.Taker, in.Fees.Maker, 0)
	}
	if in.Kind == venue.Binary && in.PriceScale <= fixed.MaxScale {
		s.top = fixed.Price(fixed.Pow10(in.PriceScale))
	}
}

// twin finds the instruments of each slot's product and venue that trade against it: itself, and for a binary the
// other side of the same market.
func (g *Gate) twin(d *desk.Desk) {
	for i, in := range d.Instruments {
		if in == nil {
			continue
		}
		s := &g.slots[i]
		s.twins[0], s.ntwins = venue.Inst(i), 1
		for j, other := range d.Instruments {
			if other == nil || i == j || other.Venue != in.Venue || other.Product != in.Product || other.Kind != in.Kind ||
				other.Settle != in.Settle || other.Quote != in.Quote || in.Kind != venue.Binary || int(s.ntwins) == maxTwins {
				continue
			}
			s.twins[s.ntwins] = venue.Inst(j)
			s.ntwins++
		}
	}
}
