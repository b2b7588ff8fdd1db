package risk

import (
	"math"
	"math/bits"

	"oneprice/books"
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

// reference is a book that a price is held against.
type reference struct {
	book  *books.Book
	quote venue.Ccy
}

// slot is all that the gate keeps of one instrument: what every check reads comes first. Pairs are indexed by
// side(venue.Side).
type slot struct {
	in       *venue.Instrument
	at       *venueState
	of       *productState
	book     *books.Book // this and the next two are the desk's
	work     *desk.Working
	pos      *desk.Position
	lock     *fixed.Cash // what is bound in settle, and below in base
	lockBase *fixed.Cash
	free     *fixed.Cash // the balances
	freeBase *fixed.Cash
	flags    flags
	venue    venue.ID // 0: there is no such instrument
	allDay   bool     // trades round the clock and does not expire
	short    bool     // may sell what is not held
	whole    bool     // a unit of it is a unit of base
	spot     bool
	margined bool
	nrefs    uint8
	ntwins   uint8
	product  venue.Product
	quote    venue.Ccy
	base     venue.Ccy
	settle   venue.Ccy // quote where the venue names none
	orders   int32     // own orders, held legs included
	maxOpen  int32
	tick     grid
	lot      grid

	maxQty, maxPos fixed.Qty
	maxCash        fixed.Cash
	collar, guard  fixed.Rate
	maxAge, maxLag venue.Nanos
	refAge         venue.Nanos
	// high and low are the marks: ask and bid of the last Live book, 0 before the first.
	high, low fixed.Price
	// top is the price of certainty of a binary, 0 for everything else: a short owes at most top − p.
	top fixed.Price

	// cost makes quote cash of price × quantity, bind the cash that an order binds (cost and worst fee, or margin and
	// worst fee), value the worth in the reporting currency at the rate valued.
	cost, bind, value scale
	valued            fixed.Rate
	// least and most bound price × quantity of one order: what makes minNotional of quote cash, and maxCash of value.
	least, most uint64
	minNotional fixed.Cash
	crossing    scale // from the reference's quote currency
	parts       [2]part
	gross       fixed.Cash
	loss        fixed.Cash // unrealised loss, binds margin
	locked      fixed.Cash // bound in settle
	lockedBase  fixed.Cash // bound in base
	holds       [2]hold
	refs        [maxReferences]reference
	twins       [maxTwins]*desk.Working

	initial, margin     fixed.Rate // margin without, and with the worst fee
	open, close, expiry venue.Nanos
	smoothing, smoothAt venue.Nanos
	smooth              fixed.Price
	bad                 venue.Reason // why the contribution cannot be stated
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

// venueState is what the gate keeps of one venue.
type venueState struct {
	flags                    flags
	clockKnown               bool
	maxOpen                  int32
	maxGross, maxNet         fixed.Cash
	sums                     sums
	ordersPerDay, orders     int64
	tradesPerDay, trades     int64
	offset, maxOffset        venue.Nanos
	ordersRate, messagesRate bucket
	soft                     bucket
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
	flags                    flags
	ordersRate, messagesRate bucket
	ordersPerDay, orders     int64
	duplicate                venue.Nanos
	streak, maxStreak        int64
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
	s.in = in
	s.flags.set(notAllowed, !l.Allowed)
	s.flags.set(restricted, l.Restricted)
	s.short = l.MayShort
	s.whole = in.Contract == venue.Linear && in.Multiplier == fixed.One
	s.spot = in.Kind == venue.Spot
	s.margined = in.Kind == venue.Perpetual || in.Kind == venue.Dated
	s.venue, s.product = in.Venue, in.Product
	s.quote, s.base, s.settle = in.Quote, in.Base, in.Settle
	if s.settle == 0 {
		s.settle = s.quote
	}
	s.maxOpen, s.maxQty, s.maxPos, s.maxCash = l.MaxOpen, l.MaxQty, l.MaxPosition, l.MaxNotional
	s.collar, s.guard, s.maxAge, s.maxLag = l.Collar, l.Guard, l.MaxAge, l.MaxLag
	s.refAge, s.smoothing = l.Reference.MaxAge, l.Reference.Smooth
	s.open, s.close, s.expiry = l.Session.Open, l.Session.Close, l.Expiry
	s.allDay = l.Session == AllDay && l.Expiry == 0
	s.initial = l.Margin
	if in.Kind == venue.Binary && in.PriceScale <= fixed.MaxScale {
		s.top = fixed.Price(fixed.Pow10(in.PriceScale))
	}
	s.charge(in)
}

// tie points the slot at what it belongs to, so that a check looks nothing up.
func (s *slot) tie(g *Gate, l *InstrumentLimits, d *desk.Desk) {
	i := s.in.Inst
	s.at, s.of = &g.venues[s.venue], &g.products[s.product]
	s.book, s.work, s.pos = d.Books[i], &d.Working[i], &d.Positions[i]
	s.free, s.freeBase = &d.Balances[s.venue][s.settle], &d.Balances[s.venue][s.base]
	s.lock, s.lockBase = &g.locks[s.venue][s.settle], &g.locks[s.venue][s.base]
	for _, r := range l.Reference.From[:min(len(l.Reference.From), maxReferences)] {
		s.refs[s.nrefs] = reference{d.Books[r], d.Instruments[r].Quote}
		s.nrefs++
	}
}

// charge takes the fees of the instrument into what an order binds.
func (s *slot) charge(in *venue.Instrument) {
	fee := max(in.Fees.Taker, in.Fees.Maker, 0)
	s.cost = factor(in, fixed.One)
	switch {
	case s.margined:
		s.margin = s.initial + fee
		s.bind = factor(in, s.margin)
	case in.Fees.In == venue.FeeInBase:
		s.bind = s.cost
	default:
		s.bind = factor(in, fixed.One+fee)
	}
}

// factor makes the scale from price × quantity of an instrument to its notional times a rate. A multiplier and a rate
// that do not fit together in 63 bits are first rounded up to one rate.
func factor(in *venue.Instrument, r fixed.Rate) scale {
	if in.PriceScale > fixed.MaxScale || in.QtyScale > fixed.MaxScale-fixed.CashScale {
		return scale{} // divides by nothing, so everything is refused; Validate names it
	}
	unit, m := fixed.Pow10(in.PriceScale), int64(in.Multiplier)
	if in.Contract == venue.Inverse {
		unit, m = fixed.Pow10(fixed.CashScale), int64(in.Face)
	}
	if m <= 0 || r <= 0 {
		return scale{}
	}
	hi, num := bits.Mul64(uint64(m), uint64(r))
	switch {
	case in.Contract == venue.Linear && in.Multiplier == fixed.One:
		return newScale(int64(r), unit, fixed.Pow10(in.QtyScale), false)
	case hi == 0 && num <= math.MaxInt64 && in.Contract == venue.Inverse:
		return newScale(int64(num), unit, fixed.Pow10(in.QtyScale), true)
	case hi == 0 && num <= math.MaxInt64:
		return newScale(int64(num), unit, fixed.Pow10(in.QtyScale+fixed.CashScale), false)
	}
	one, ok := fixed.MulDiv(m, int64(r), int64(fixed.One), fixed.Up)
	if !ok {
		return scale{}
	}
	return newScale(one, fixed.Pow10(in.PriceScale), fixed.Pow10(in.QtyScale), in.Contract == venue.Inverse)
}

// worth is the scale to the reporting currency at a rate moved against us.
func (s *slot) worth(k *rate) *scale {
	if s.valued != k.high {
		s.revalue(k)
	}
	return &s.value
}

//go:noinline
func (s *slot) revalue(k *rate) {
	s.value, s.valued = factor(s.in, k.high), k.high
	s.most = s.value.most(s.maxCash)
}

// twin finds the instruments of each slot's product and venue that trade against it: itself, and for a binary the
// other side of the same market.
func (g *Gate) twin(d *desk.Desk) {
	for i, in := range d.Instruments {
		s := &g.slots[i]
		if s.venue == 0 {
			continue
		}
		s.twins[0], s.ntwins = &d.Working[i], 1
		for j, other := range d.Instruments {
			if other == nil || i == j || other.Venue != in.Venue || other.Product != in.Product || other.Kind != in.Kind ||
				other.Settle != in.Settle || other.Quote != in.Quote || in.Kind != venue.Binary || int(s.ntwins) == maxTwins {
				continue
			}
			s.twins[s.ntwins] = &d.Working[j]
			s.ntwins++
		}
	}
}
