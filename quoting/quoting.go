// Package quoting keeps two-sided ladders around a fair value: a reservation price skewed by inventory and a spread that
// widens with volatility (quoting/model), layers, hysteresis, the least set of changes, pull rules, and a hedge at another
// instrument for what has been filled.
//
// What a price promises. With m the maker fee of the quoted instrument and e = MinEdge, a bid is never above
// fair·(1 − e)/(1 + m) and an ask never below fair·(1 + e)/(1 − m), whatever the skew; with a Hedge of taker fee t that
// walks one layer to price h, a bid is never above h·(1 − t)/((1 + m)(1 + e)), an ask never below h·(1 + t)(1 + e)/(1 − m).
// Inside that, half spread = max(model, MinHalf) + m. All of it rounds away from the market.
//
// Ownership: a Strategy belongs to the engine goroutine and is written by Decide only.
//
// Decisions
//   - 2026-11-25: fills are read as the growth of Order.Filled, not from the reports' increments: a venue that states totals
//     only, or a report seen twice, then books the same.
//   - 2026-11-25: a strategy learns its own number from its first filled order. Until then it has nothing to hedge.
//   - 2026-11-25: what is hedged is fills of quotes plus fills of hedges, not positions: positions are shared with other
//     strategies. One hedge plan runs at a time; the next waits until it is filled, was refused, or is past its deadline, so
//     that the playbook and the strategy never cover the same fill twice.
//   - 2026-11-25: without Amend an order is cancelled and its layer stays empty until it is gone: two orders for one layer
//     could both fill.
//   - 2026-11-25: an order within the hysteresis is still moved when it breaks the promise above.
package quoting

import (
	"fmt"

	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/quoting/model"
)

// Strategy quotes. It implements desk.Strategy and desk.Reporter; the engine goroutine owns it.
type Strategy struct {
	name    string
	quotes  []quote
	due     []venue.Nanos // by quote: nothing changes before then; kept apart, for every drain looks at all of them
	readers [][]uint16    // by Inst: quotes that read its book
	own     []int32       // by Inst: the quote of that instrument, -1 none
	seen    []seen        // by order slot
	// id is the number that the engine gave this strategy, once known.
	id     uint16
	known  bool
	counts [figures]uint64
}

// seen is how much of an order's fill has been booked.
type seen struct {
	client uint64
	filled fixed.Qty
}

// quote is one quoted instrument at work.
type quote struct {
	cfg       Quote
	in, hedge *venue.Instrument
	table     *model.Table
	vol       model.Vol
	maxBucket int // of volatility
	bounds    bounds
	made      terms       // what bounds are of
	misfit    bool        // its orders cannot be placed on them
	dirty     bool        // something it reads has changed since it last looked
	again     venue.Nanos // when to look again without a change
	pulled    int         // the figure of the running pull, 0 none
	budget    budget
	toxic     [3]toxic // by own side
	// carry is what has been filled and not hedged, in base units: long positive.
	carry  fixed.Qty
	cover  cover
	flanks [3]flank // by side
}

// The figures of Stats.
const (
	noPull = iota
	pullStale
	pullMismatch
	pullAge
	pullFair
	pullVol
	pullTerms
	toxicSides
	carryBlocks
	newQuotes
	amends
	cancels
	fills
	hedges
	noRoom
	noBudget
	figures
)

var figureNames = [figures]string{"", "pulled_stale", "pulled_mismatch", "pulled_age", "pulled_fair", "pulled_volatility", "pulled_terms",
	"toxic_sides", "carry_blocks", "new_quotes", "amends", "cancels", "fills", "hedges", "no_room", "no_budget"}

// New checks cfg against the instruments (indexed by Inst, entry 0 nil), which must outlive the strategy, and makes it.
// The error joins all faults.
func New(cfg Config, ins []*venue.Instrument) (*Strategy, error) {
	if err := cfg.validate(ins); err != nil {
		return nil, err
	}
	s := &Strategy{name: cfg.Name, readers: make([][]uint16, len(ins)), own: make([]int32, len(ins))}
	for i := range s.own {
		s.own[i] = -1
	}
	tables := map[model.Params]*model.Table{} // equal parameters share one, in memory and in the cache
	for k := range cfg.Quotes {
		q, err := newQuote(cfg.Quotes[k], ins, tables)
		if err != nil {
			return nil, fmt.Errorf("quotes[%d]: %w", k, err)
		}
		s.quotes, s.due = append(s.quotes, q), append(s.due, 0)
		s.own[q.in.Inst] = int32(k)
		s.reads(k, q.in.Inst)
		for _, r := range q.cfg.Fair.Refs {
			s.reads(k, r.Inst)
		}
		if q.hedge != nil {
			s.reads(k, q.hedge.Inst)
		}
	}
	return s, nil
}

func (s *Strategy) reads(k int, i venue.Inst) { s.readers[i] = append(s.readers[i], uint16(k)) }

func newQuote(cfg Quote, ins []*venue.Instrument, tables map[model.Params]*model.Table) (quote, error) {
	var err error
	t := tables[cfg.Model]
	if t == nil {
		if t, err = model.NewTable(cfg.Model); err != nil {
			return quote{}, err
		}
		tables[cfg.Model] = t
	}
	q := quote{cfg: cfg, in: ins[cfg.Inst], table: t, vol: model.NewVol(cfg.Model), maxBucket: model.BucketOfVol(cfg.Pull.MaxVol), dirty: true}
	if cfg.Hedge != nil {
		h := *cfg.Hedge
		q.cfg.Hedge, q.hedge = &h, ins[h.Inst]
	}
	q.budget = newBudget(cfg.PerSecond, cfg.Burst)
	q.made = q.terms()
	q.bounds, err = newBounds(q.made, cfg.MinEdge)
	return q, err
}

// Name is the operator's name for it.
func (s *Strategy) Name() string { return s.name }

// Stats implements desk.Reporter. pulled_… count how often all quotes of an instrument were taken away, by cause: book not
// live, its touch disagreeing, too old, no fair value, too volatile, or its size not what the venue takes any more; toxic_sides and carry_blocks how often one side was.
func (s *Strategy) Stats() []desk.Stat {
	out := make([]desk.Stat, 0, figures-1)
	for i := noPull + 1; i < figures; i++ {
		out = append(out, desk.Stat{Name: figureNames[i], Value: s.counts[i]})
	}
	return out
}

// Decide implements desk.Strategy.
func (s *Strategy) Decide(d *desk.Desk, out *desk.Out) {
	if len(s.seen) < len(d.Orders) {
		s.seen = make([]seen, len(d.Orders)) // once, in the first drain
	}
	for i := range d.Reports {
		s.booked(d, &d.Reports[i])
	}
	for _, i := range d.Changed {
		for _, k := range s.readers[i] {
			s.stir(int(k))
		}
	}
	for k, at := range s.due {
		if d.Now >= at {
			q := &s.quotes[k]
			s.step(d, q, out)
			s.due[k] = q.next(d)
		}
	}
}

// stir makes a quote look again in this drain.
func (s *Strategy) stir(k int) { s.quotes[k].dirty, s.due[k] = true, 0 }

// next is when a quote must look without being stirred: at once while it is pulled, else when it said so, or when a book
// that it leans on may be too old.
func (q *quote) next(d *desk.Desk) venue.Nanos {
	if q.dirty {
		return 0
	}
	at := min(q.again, d.Books[q.in.Inst].Recv()+q.cfg.Pull.MaxAge+1)
	if q.hedge != nil {
		at = min(at, d.Books[q.hedge.Inst].Recv()+q.cfg.Pull.MaxAge+1)
	}
	return at
}

// step brings one instrument's quotes to where they should be. What is carried is hedged even while quotes are pulled.
func (s *Strategy) step(d *desk.Desk, q *quote, out *desk.Out) {
	look := q.dirty || d.Now >= q.again
	if look {
		q.dirty, q.again = false, forever
		if q.hedge != nil && unfit(d, q.hedge, q.cfg.Pull.MaxAge) == noPull {
			s.coverFills(d, q, out)
		}
	}
	if why := q.trouble(d); why != noPull {
		s.pull(d, q, why, out)
		return
	}
	if !look {
		return
	}
	fair, ok := q.fair(d)
	if !ok {
		s.pull(d, q, pullFair, out)
		return
	}
	q.vol.Update(fair, d.Now)
	switch {
	case !q.vol.Ready():
		s.pull(d, q, pullFair, out)
		return
	case q.vol.Bucket() > q.maxBucket:
		s.pull(d, q, pullVol, out)
		return
	}
	q.pulled = noPull
	for i := range q.cfg.Fair.Refs {
		q.again = min(q.again, d.Books[q.cfg.Fair.Refs[i].Inst].Recv()+q.cfg.Pull.MaxAge+1) // it may go silent
	}
	s.requote(d, q, fair, out)
}

const forever = 1<<63 - 1

// pull takes all quotes away and counts the cause once while it lasts.
func (s *Strategy) pull(d *desk.Desk, q *quote, why int, out *desk.Out) {
	if q.pulled != why {
		q.pulled = why
		s.counts[why]++
		if why != pullVol && why != pullFair {
			q.vol.Restart() // the move across a silence is not a return
		}
	}
	q.dirty = true
	for _, slot := range d.Live[q.in.Inst] {
		if o := &d.Orders[slot]; s.mine(o) && touchable(o) {
			s.cancel(d, q, o, out)
		}
	}
}

// mine reports whether an order is one of this strategy's quotes. Until the strategy knows its number, every quote of an
// instrument that it quotes is.
func (s *Strategy) mine(o *desk.Order) bool {
	return o.Role == venue.RoleQuote && (!s.known || o.Strategy == s.id)
}

// touchable reports whether an order may be changed: confirmed, and no request pending.
func touchable(o *desk.Order) bool { return o.State == desk.Open || o.State == desk.PartlyFilled }
