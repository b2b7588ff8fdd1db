package audit

import (
	"strconv"

	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

var (
	opWords      = words(venue.CancelAll, venue.Op.String)
	typeWords    = words(venue.StopLimit, venue.OrderType.String)
	tifWords     = words(venue.FOK, venue.TIF.String)
	sideWords    = words(venue.Sell, venue.Side.String)
	roleWords    = words(venue.RoleStop, venue.Role.String)
	reportWords  = words(venue.PositionIs, venue.ReportKind.String)
	sentWords    = words(venue.Maybe, venue.Sent.String)
	shapeWords   = words(desk.HedgeOnFill, desk.Shape.String)
	policyWords  = words(desk.InTurn, desk.Policy.String)
	failWords    = words(desk.Hold, desk.Playbook.String)
	bookWords    = words(books.Stale, books.State.String)
	breakerWords = words(Locked, BreakerState.String)
	statusWords  = words(venue.Halted, venue.Status.String)
	opKindWords  = words(venue.OpNote, venue.OpKind.String)

	finalityWords = []string{"final", "provisional", "reversed"}
	// stopWords are those of stops.Act, which this package may not see; a test of engine compares them.
	stopWords = []string{"none", "armed", "fired", "resumed", "closed", "dead", "spent"}
)

// Formatter turns the records of one session into lines. Not safe for concurrent use.
type Formatter struct {
	l       line
	epoch   []byte // `,"epoch":7,"time":`
	opening []byte
	// ins holds `,"venue":"…","instrument":"…"` and the scales by instrument; the others hold escaped names.
	ins                                   []insText
	venues, currencies, strategies, stops []string
	rules                                 []rule
	reporting                             string
}

type insText struct {
	text                 string
	priceScale, qtyScale uint8
	spot                 bool
	base, quote, settle  string
}

// NewFormatter makes the formatter of a session, for whoever compares records with lines (replay).
func NewFormatter(epoch uint64, c *Catalogue) (*Formatter, error) {
	return newFormatter(newSession(epoch, c))
}

func newFormatter(s *session) (*Formatter, error) {
	opening, err := s.opening()
	if err != nil {
		return nil, err
	}
	f := &Formatter{opening: opening, ins: make([]insText, len(s.Instruments)), reporting: quoted(s.Reporting), rules: make([]rule, 0, len(s.Rules))}
	f.epoch = append(strconv.AppendUint([]byte(`,"epoch":`), s.Epoch, 10), `,"time":`...)
	for i, x := range s.Instruments {
		f.ins[i] = insText{`,"venue":"` + quoted(x.Venue) + `","instrument":"` + quoted(x.Name) + `"`, x.PriceScale, x.QtyScale,
			x.Kind == venue.Spot.String(), quoted(x.Base), quoted(x.Quote), quoted(x.Settle)}
	}
	for _, r := range s.Rules {
		f.rules = append(f.rules, rule{quoted(r.Name), r.Unit})
	}
	for _, t := range []struct {
		to   *[]string
		from []string
	}{{&f.venues, s.Venues}, {&f.currencies, s.Currencies}, {&f.strategies, s.Strategies}, {&f.stops, s.Stops}} {
		for _, name := range t.from {
			*t.to = append(*t.to, quoted(name))
		}
	}
	return f, nil
}

// Append writes r as a JSON object without its closing brace: the chain, which closes it, is the Writer's.
func (f *Formatter) Append(dst []byte, r *Record) []byte {
	l := &f.l
	l.b = dst
	l.uint(`{"seq":`, r.Seq)
	l.b = append(l.b, f.epoch[:len(f.epoch)-len(`,"time":`)]...)
	l.time(`,"time":`, r.At)
	l.word(`,"kind":`, r.Kind.String())
	switch r.Kind {
	case Start:
		l.b = append(append(l.b, ','), f.opening...)
		l.hex(`,"config_id":`, r.Config)
	case Decision:
		f.verdict(r)
		f.order(r)
	case Planned:
		f.verdict(r)
		f.plan(r)
	case Leg, Order:
		f.order(r)
	case Reported:
		f.report(r)
	case Book:
		f.where(r)
		l.word(`,"state":`, wordOf(bookWords, r.Sub))
		f.reason(r)
		l.id(`,"book_seq":`, r.BookSeq)
	case Breaker:
		f.where(r)
		l.word(`,"state":`, wordOf(breakerWords, r.Sub))
		f.reason(r)
		l.instant(`,"until":`, r.NotAfter)
	case Operator:
		f.where(r)
		l.word(`,"action":`, wordOf(opKindWords, r.Sub))
		f.name(`,"strategy":`, f.strategies, int(r.Strategy))
		l.id(`,"operator":`, uint64(r.Operator))
		f.reason(r)
		l.escaped(`,"text":`, r.RefBytes())
	case Naked:
		f.where(r)
		l.id(`,"plan":`, r.Plan)
		l.decimal(`,"qty":`, int64(r.Qty), f.instrument(r.Inst).qtyScale)
	case Stop:
		f.stop(r)
	case Listed:
		f.listed(r)
	case Clock:
		f.where(r)
		f.reason(r)
		l.decimal(`,"offset_ms":`, r.Value, msScale)
		l.decimal(`,"within_ms":`, r.Headroom, msScale)
		l.decimal(`,"limit_ms":`, r.Limit, msScale)
	}
	return l.b
}

// stop writes what happened to a stop.
func (f *Formatter) stop(r *Record) {
	l, in := &f.l, f.instrument(r.Inst)
	l.word(`,"act":`, wordOf(stopWords, r.Sub))
	if int(r.Link) < len(f.stops) {
		l.word(`,"guard":`, f.stops[r.Link])
	} else {
		l.id(`,"guard":`, uint64(r.Link))
	}
	f.where(r)
	l.amount(`,"touch":`, int64(r.Price), in.priceScale)
	l.amount(`,"level":`, int64(r.Stop), in.priceScale)
	l.amount(`,"loss":`, r.Value, fixed.CashScale)
	l.amount(`,"max_loss":`, r.Limit, fixed.CashScale)
	l.amount(`,"qty":`, int64(r.Qty), in.qtyScale)
}

// msScale is the scale of nanoseconds in milliseconds.
const msScale = 6

// listed writes what is in force of an instrument.
func (f *Formatter) listed(r *Record) {
	l, in := &f.l, f.instrument(r.Inst)
	f.where(r)
	l.word(`,"status":`, wordOf(statusWords, r.Sub))
	f.reason(r)
	l.decimal(`,"tick":`, int64(r.Price), in.priceScale)
	l.decimal(`,"lot":`, int64(r.Qty), in.qtyScale)
	l.decimal(`,"min_qty":`, int64(r.Cum), in.qtyScale)
	l.amount(`,"max_qty":`, int64(r.Fill), in.qtyScale)
	l.decimal(`,"min_notional":`, int64(r.Fee), fixed.CashScale)
	l.decimal(`,"maker_fee":`, int64(r.Edge), fixed.RateScale)
	l.decimal(`,"taker_fee":`, int64(r.Allowance), fixed.RateScale)
}

// where writes venue and instrument; a record without an instrument names its venue, or none.
func (f *Formatter) where(r *Record) {
	if r.Inst != 0 {
		f.l.b = append(f.l.b, f.instrument(r.Inst).text...)
	} else if r.Venue != 0 {
		f.name(`,"venue":`, f.venues, int(r.Venue))
	}
}

// instrument is what lines need of an instrument. One that the table does not know has scale 0, so that its figures are the
// integers themselves.
func (f *Formatter) instrument(i venue.Inst) *insText {
	if int(i) < len(f.ins) {
		return &f.ins[i]
	}
	return &insText{text: `,"instrument":"` + strconv.Itoa(int(i)) + `"`}
}

func (f *Formatter) name(key string, table []string, i int) {
	if i == 0 {
		return
	}
	if i < len(table) && table[i] != "" {
		f.l.word(key, table[i])
		return
	}
	f.l.id(key, uint64(i))
}

// strategy names the strategy; 0 is one too.
func (f *Formatter) strategy(r *Record) {
	if int(r.Strategy) < len(f.strategies) {
		f.l.word(`,"strategy":`, f.strategies[r.Strategy])
	} else {
		f.l.id(`,"strategy":`, uint64(r.Strategy))
	}
}

func (f *Formatter) reason(r *Record) {
	if r.Reason != venue.OK {
		f.l.word(`,"reason":`, r.Reason.String())
	}
}

// order writes what an intent, a leg or a command asks.
func (f *Formatter) order(r *Record) {
	l := &f.l
	in := f.instrument(r.Inst)
	f.strategy(r)
	f.where(r)
	l.word(`,"op":`, wordOf(opWords, r.Op))
	if r.Type != venue.NoType {
		l.word(`,"type":`, wordOf(typeWords, r.Type))
	}
	if r.TIF != venue.NoTIF {
		l.word(`,"tif":`, wordOf(tifWords, r.TIF))
	}
	f.side(r)
	l.amount(`,"price":`, int64(r.Price), in.priceScale)
	l.amount(`,"stop":`, int64(r.Stop), in.priceScale)
	l.amount(`,"qty":`, int64(r.Qty), in.qtyScale)
	l.amount(`,"edge":`, int64(r.Edge), fixed.RateScale)
	l.id(`,"client":`, r.Client)
	l.id(`,"target":`, r.Target)
	if r.Slot != 0 {
		l.uint(`,"slot":`, uint64(r.Slot))
	}
	f.leg(r)
	l.id(`,"book_seq":`, r.BookSeq)
	l.instant(`,"not_after":`, r.NotAfter)
	l.id(`,"operator":`, uint64(r.Operator))
	l.hex(`,"config_id":`, r.Config)
	if r.Flags&venue.ReduceOnlyFlag != 0 {
		l.b = append(l.b, `,"reduce_only":true`...)
	}
	if r.Flags&venue.Probe != 0 {
		l.b = append(l.b, `,"probe":true`...)
	}
}

func (f *Formatter) side(r *Record) {
	if r.Side != venue.NoSide {
		f.l.word(`,"side":`, wordOf(sideWords, r.Side))
	}
	if r.Role != venue.NoRole {
		f.l.word(`,"role":`, wordOf(roleWords, r.Role))
	}
}

func (f *Formatter) leg(r *Record) {
	if r.Plan != 0 {
		f.l.id(`,"plan":`, r.Plan)
		f.l.uint(`,"leg":`, uint64(r.Leg))
	}
}

func (f *Formatter) plan(r *Record) {
	l := &f.l
	f.strategy(r)
	l.word(`,"shape":`, wordOf(shapeWords, r.Sub))
	l.word(`,"policy":`, wordOf(policyWords, r.Policy))
	l.word(`,"on_fail":`, wordOf(failWords, r.OnFail))
	l.id(`,"plan":`, r.Plan)
	l.uint(`,"legs":`, uint64(r.Leg))
	if r.Slot != 0 {
		l.uint(`,"refused_leg":`, uint64(r.Slot-1))
	}
	l.decimal(`,"edge":`, int64(r.Edge), fixed.RateScale)
	l.decimal(`,"base":`, int64(r.Qty), f.instrument(r.Inst).qtyScale)
	l.amount(`,"allowance":`, int64(r.Allowance), fixed.RateScale)
	l.amount(`,"max_loss":`, int64(r.MaxLoss), fixed.CashScale)
	l.instant(`,"deadline":`, r.NotAfter)
	l.id(`,"link":`, uint64(r.Link))
}

// report writes what a venue, or our gateway, said.
func (f *Formatter) report(r *Record) {
	l := &f.l
	in := f.instrument(r.Inst)
	kind := venue.ReportKind(r.Sub)
	l.word(`,"report":`, wordOf(reportWords, kind))
	if r.Side != venue.NoSide { // the engine knows the order
		f.strategy(r)
	}
	f.where(r)
	f.reason(r)
	if kind == venue.Balance {
		l.decimal(`,"balance":`, int64(r.Cum), fixed.CashScale)
		f.name(`,"ccy":`, f.currencies, int(r.FeeCcy))
	} else if kind == venue.PositionIs {
		l.decimal(`,"position":`, int64(r.Cum), in.qtyScale)
	} else {
		f.side(r)
		l.amount(`,"price":`, int64(r.Price), in.priceScale)
		l.amount(`,"qty":`, int64(r.Qty), in.qtyScale)
		l.amount(`,"fill":`, int64(r.Fill), in.qtyScale)
		l.amount(`,"cum":`, int64(r.Cum), in.qtyScale)
		if kind == venue.Fill {
			l.decimal(`,"fee":`, int64(r.Fee), fixed.CashScale)
			f.name(`,"fee_ccy":`, f.currencies, int(r.FeeCcy))
		}
	}
	l.id(`,"client":`, r.Client)
	if r.Slot != 0 {
		l.uint(`,"slot":`, uint64(r.Slot))
	}
	f.leg(r)
	l.escaped(`,"ref":`, r.RefBytes())
	if kind == venue.SentReport {
		l.word(`,"op":`, wordOf(opWords, venue.Op(min(r.ReportSeq, 255)))) // the loop says there what was submitted
		l.word(`,"sent":`, wordOf(sentWords, r.Flags))
	} else {
		l.id(`,"report_seq":`, r.ReportSeq)
		f.reportFlags(r)
	}
	if r.Finality != venue.Final {
		l.word(`,"finality":`, wordOf(finalityWords, r.Finality))
	}
	l.instant(`,"received":`, r.Recv)
	l.instant(`,"venue_time":`, r.VenueAt)
}

func (f *Formatter) reportFlags(r *Record) {
	l := &f.l
	if r.Flags&venue.Maker != 0 {
		l.b = append(l.b, `,"maker":true`...)
	}
	if r.Flags&venue.CumulativeOnly != 0 {
		l.b = append(l.b, `,"cumulative_only":true`...)
	}
	if r.Flags&venue.Recovered != 0 {
		l.b = append(l.b, `,"recovered":true`...)
	}
}
