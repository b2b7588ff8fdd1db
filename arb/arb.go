// Package arb finds crosses between instruments and says how to take them: two venues, a complement pair, a triangle
// within a venue, an exhaustive set of outcomes. It says what and why; risk says whether.
//
// What an edge is, so that anybody can recompute it from the audit. Prices are the limit prices of a plan's legs, f the
// instrument's taker fee; every division rounds against us and every Rate is a count of 10^-8:
//
//	paid of a buy       p·(1 + f), or p/(1 − f) on a spot instrument that charges its fees in base
//	left of a sale      p·(1 − f)
//	pair, complement    net = fx · left(sell) / paid(buy)
//	triangle P, Q, R    net = left(Q)·left(R) / paid(P), or left(P) / (paid(Q)·paid(R)), with P = top/bottom,
//	                    Q = top/middle, R = middle/bottom
//	outcome set         net = 1 / Σ paid(outcome)
//	edge                net − 1 − costs (fx, funding, borrow, other)
//
// fx is what one unit of the sale's quote currency is worth in the buy's: 1 where they are the same, Par or its inverse
// where the operator gave one, else FX(sale).Bid / FX(buy).Ask. Since paid and left are what a fill at the limit costs and
// leaves, any fill at the limit or better meets the threshold. For an inverse contract fee and gain are in coin, and the
// same ratio holds per coin: buying n contracts costs (1 + f)·p per coin of exposure.
//
// Ownership: a Strategy belongs to the engine goroutine. The touch table is written by Decide only.
//
// Decisions
//   - 2026-11-25: a touch is compared through a hurdle: the least bid ÷ ask ratio of interest as a 64-bit fraction, rounded
//     down so that it never hides a cross. One multiplication and one comparison per direction; only what passes is judged
//     exactly. Net touch prices rounded to the product's scale were rejected: at two decimals they err by a whole cent.
//   - 2026-11-25: the factor of all fees and fx is one Rate, rounded down: it costs at most 2·10^-8 of edge, always ours.
//   - 2026-11-25: a plan's size is the largest at which the marginal edge holds: the ladder that has least left is moved to
//     its next level while the edge at the current levels meets the threshold. Its limit prices are the worst ones walked.
//   - 2026-11-25: what a plan takes from a side of a book is left alone for its cooldown by every link of the strategy, not
//     only by its own: two links must not count the same liquidity.
//   - 2026-11-25: figures count appearances (an edge that lasts a thousand ticks is one); ticks_… count looks.
package arb

import (
	"math/bits"

	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// touch is the best bid and ask of a live book. An empty side is none of its prices: the bid −1, the ask nothing.
type touch struct{ bid, ask int64 }

const nothing = 1 << 61

// row is a pair link as seen from one of its two instruments. Hurdles are counts of 2^-62.
type row struct {
	// buyHere is the least other bid ÷ own ask, sellHere the least own bid ÷ other ask, that is worth a closer look.
	buyHere, sellHere uint64
	other             venue.Inst
	// cross is the index of the direction that buys here; the other direction differs in the last bit.
	cross uint32
}

// span is where an instrument's rows lie.
type span struct{ from, to uint32 }

// Strategy takes crosses. It implements desk.Strategy and desk.Reporter; the engine goroutine owns it.
type Strategy struct {
	cfg     Config
	touches []touch // by Inst
	pairs   []span  // by Inst
	rows    []row
	more    [][]uint32 // by Inst: crosses of more than two legs
	crosses []cross    // pairs first, two each
	open    []uint8    // by cross ÷ 2: whether a direction is in an episode
	fx      []fxSeen
	fees    []venue.Fees     // by Inst: what the crosses were made with
	busy    [][3]venue.Nanos // by Inst and taker side: left alone until
	drain   uint64
	counts  [figures]uint64
}

// fxSeen is the exchange rate that the hurdles were computed with.
type fxSeen struct {
	ccy      venue.Ccy
	bid, ask fixed.Rate
}

// The figures of Stats.
const (
	edgesGross = iota
	edgesNet
	edgesBasis
	edgesStale
	edgesFX
	edgesCooldown
	edgesSizedOut
	noRoom
	plans
	ticksGross
	ticksNet
	figures
)

var figureNames = [figures]string{"edges_gross", "edges_net", "edges_basis", "edges_stale", "edges_fx", "edges_cooldown",
	"edges_sized_out", "no_room", "plans", "ticks_gross", "ticks_net"}

// New checks cfg against the instruments (indexed by Inst, entry 0 nil), which must outlive the strategy, and makes it.
// The error joins all faults.
func New(cfg Config, ins []*venue.Instrument) (*Strategy, error) {
	if err := cfg.validate(ins); err != nil {
		return nil, err
	}
	s := &Strategy{
		cfg: cfg, touches: make([]touch, len(ins)), pairs: make([]span, len(ins)), more: make([][]uint32, len(ins)),
		busy: make([][3]venue.Nanos, len(ins)), fees: make([]venue.Fees, len(ins)),
	}
	for i, in := range ins {
		if in != nil {
			s.fees[i] = in.Fees
		}
	}
	s.cfg.Links = append([]Link(nil), cfg.Links...)
	for i := range s.touches {
		s.touches[i] = touch{-1, nothing}
	}
	for i := range s.cfg.Links {
		if l := &s.cfg.Links[i]; l.isPair() {
			s.crosses = append(s.crosses, newPair(l, i, 0, ins), newPair(l, i, 1, ins))
		}
	}
	s.layRows(len(ins))
	for i := range s.cfg.Links {
		switch l := &s.cfg.Links[i]; l.Shape {
		case desk.Triangle:
			s.add(newTriangle(l, i, true, ins))
			s.add(newTriangle(l, i, false, ins))
		case desk.OutcomeSet:
			s.add(newSet(l, i, ins))
		}
	}
	s.open = make([]uint8, len(s.crosses)/2+1)
	return s, nil
}

// add files a cross of more than two legs under its instruments.
func (s *Strategy) add(c cross) {
	for k := range c.n {
		i := c.legs[k].inst
		s.more[i] = append(s.more[i], uint32(len(s.crosses)))
	}
	s.crosses = append(s.crosses, c)
}

// layRows gives every instrument its pair links, next to each other.
func (s *Strategy) layRows(n int) {
	for i := range n {
		from := uint32(len(s.rows))
		for k := range s.crosses {
			c := &s.crosses[k]
			if c.legs[c.buy].inst == venue.Inst(i) {
				s.rows = append(s.rows, row{other: c.legs[c.sell].inst, cross: uint32(k)})
			}
		}
		s.pairs[i] = span{from, uint32(len(s.rows))}
	}
	for k := range s.crosses {
		if c := &s.crosses[k]; c.viaFX {
			s.watch(c.legs[c.buy].in.Quote)
			s.watch(c.legs[c.sell].in.Quote)
		}
	}
	s.setHurdles()
}

func (s *Strategy) watch(ccy venue.Ccy) {
	for i := range s.fx {
		if s.fx[i].ccy == ccy {
			return
		}
	}
	s.fx = append(s.fx, fxSeen{ccy: ccy})
}

// Name is the operator's name for it.
func (s *Strategy) Name() string { return s.cfg.Name }

// Stats implements desk.Reporter: edges_gross appearances of a gross cross at the touch (fx, no fees or costs), edges_net
// of one whose net edge there met the threshold; of the latter, by the first hindrance met, edges_basis (beyond belief),
// edges_stale (a book too old, or its instrument not trading), edges_fx (a rate too old), edges_cooldown, edges_sized_out
// (nothing above the minimum sizes, within balances); no_room of Out; plans made; ticks_gross and ticks_net looks.
func (s *Strategy) Stats() []desk.Stat {
	out := make([]desk.Stat, figures)
	for i, n := range s.counts {
		out[i] = desk.Stat{Name: figureNames[i], Value: n}
	}
	return out
}

// Decide implements desk.Strategy: it looks at the links of what changed, and at nothing else.
func (s *Strategy) Decide(d *desk.Desk, out *desk.Out) {
	if len(d.Changed) == 0 {
		return
	}
	s.drain++
	if len(s.fx) > 0 {
		s.refreshFX(d)
	}
	charged := false
	for _, i := range d.Changed {
		charged = charged || d.Instruments[i].Fees != s.fees[i]
		s.take(d, i)
	}
	if charged {
		s.refreshFees(d)
	}
	for _, i := range d.Changed {
		s.scan(d, i, out)
	}
}

// take notes the touch of a book.
func (s *Strategy) take(d *desk.Desk, i venue.Inst) {
	t, b := &s.touches[i], d.Books[i]
	t.bid, t.ask = -1, nothing
	if b.State() != books.Live {
		return
	}
	if l := b.Best(venue.Buy); l.Qty > 0 && l.Price > 0 {
		t.bid = int64(l.Price)
	}
	if l := b.Best(venue.Sell); l.Qty > 0 && l.Price > 0 {
		t.ask = int64(l.Price)
	}
}

// scan looks at every link of an instrument.
func (s *Strategy) scan(d *desk.Desk, i venue.Inst, out *desk.Out) {
	own, at := s.touches[i], s.pairs[i]
	rows := s.rows[at.from:at.to]
	for k := range rows {
		r := &rows[k]
		o := &s.touches[r.other]
		buy, _ := bits.Mul64(uint64(own.ask)<<2, r.buyHere)
		sell, _ := bits.Mul64(uint64(o.ask)<<2, r.sellHere)
		if o.bid >= int64(buy) || own.bid >= int64(sell) || s.open[r.cross>>1] != 0 {
			s.judge(d, r.cross, out)
			s.judge(d, r.cross^1, out)
		}
	}
	for _, k := range s.more[i] {
		s.judge(d, k, out)
	}
}

// refreshFX recomputes the hurdles when a rate that they use has changed.
func (s *Strategy) refreshFX(d *desk.Desk) {
	changed := false
	for i := range s.fx {
		f, now := &s.fx[i], &d.FX[s.fx[i].ccy]
		if f.bid != now.Bid || f.ask != now.Ask {
			f.bid, f.ask, changed = now.Bid, now.Ask, true
		}
	}
	if !changed {
		return
	}
	for k := range s.crosses {
		if c := &s.crosses[k]; c.viaFX {
			c.setFX(crossRate(d.FX[c.legs[c.sell].in.Quote].Bid, d.FX[c.legs[c.buy].in.Quote].Ask))
		}
	}
	s.setHurdles()
}

// refreshFees takes the fees that have changed into the crosses.
func (s *Strategy) refreshFees(d *desk.Desk) {
	for _, i := range d.Changed {
		s.fees[i] = d.Instruments[i].Fees
	}
	for k := range s.crosses {
		s.crosses[k].charge()
	}
	s.setHurdles()
}

func (s *Strategy) setHurdles() {
	for k := range s.rows {
		r := &s.rows[k]
		r.buyHere, r.sellHere = s.crosses[r.cross].hurdle(), s.crosses[r.cross^1].hurdle()
	}
}
