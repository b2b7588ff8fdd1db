package arb

import (
	"fmt"
	"math"
	"math/bits"

	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// form is how the prices of a cross become one ratio.
type form uint8

const (
	pair     form = iota // sale ÷ buy
	triangle             // two buys and a sale, or a buy and two sales, in a ring
	set                  // one ÷ the sum of the buys
)

// maxSetScale keeps the sum of a set's prices at RateScale more digits inside an int64.
const maxSetScale = 9

// leg is one instrument of a cross and the side that is taken on it.
type leg struct {
	in   *venue.Instrument
	inst venue.Inst
	side venue.Side
	// net is what one unit of price costs a buyer, or leaves a seller, after the taker fee, rounded against us.
	net fixed.Rate
	// keep is what is left of one bought base unit; less than One where the fee is charged in base.
	keep fixed.Rate
	// whole: one unit of it delivers one of base.
	whole bool
	// cash is what affords was last asked for, reach the price × quantity that it surely pays for.
	cash  fixed.Cash
	reach uint64
}

func newLeg(in *venue.Instrument, side venue.Side) leg {
	l := leg{in: in, inst: in.Inst, side: side, net: fixed.One - in.Fees.Taker, keep: fixed.One}
	l.whole = in.Contract == venue.Linear && in.Multiplier == fixed.One
	if side == venue.Sell {
		return l
	}
	l.net = fixed.One + in.Fees.Taker
	if in.Fees.In == venue.FeeInBase && in.Kind == venue.Spot && in.Fees.Taker > 0 {
		l.keep, l.whole = fixed.One-in.Fees.Taker, false
		v, _ := fixed.MulDiv(int64(fixed.One), int64(fixed.One), int64(l.keep), fixed.Up)
		l.net = fixed.Rate(v)
	}
	return l
}

// prices are one price per leg.
type prices [desk.MaxLegs]fixed.Price

// cross is one direction of a link. The parts above state are fixed, but for what a change of FX or of fees does.
type cross struct {
	link *Link
	id   uint16 // place in Config.Links, from 1
	form form
	n    uint8
	// buy and sell are the legs of a pair; top, mid and low those of a triangle (P, Q, R of the package comment).
	buy, sell     uint8
	top, mid, low uint8
	long          bool      // the triangle that buys P
	quote         venue.Ccy // of MaxNotional
	viaFX         bool
	legs          [desk.MaxLegs]leg
	// fx and gain are the factors of the gross and the net ratio.
	fx, gain fixed.Rate
	// need is threshold plus costs; unit the power of ten that a triangle's or a set's scales ask for.
	need fixed.Rate
	unit int64

	// State: the figures that the running episode has counted, and the drain in which it was last judged.
	flags uint16
	seen  uint64
}

func (l *Link) isPair() bool { return l.Shape == desk.TwoVenue || l.Shape == desk.ComplementPair }

func newCross(l *Link, i int, ins []*venue.Instrument) cross {
	return cross{link: l, id: uint16(i + 1), n: uint8(len(l.Legs)), quote: ins[l.Legs[0]].Quote,
		need: l.Threshold + l.Costs.sum(), fx: fixed.One}
}

// newPair makes the direction of a pair that buys the given leg.
func newPair(l *Link, i int, buy uint8, ins []*venue.Instrument) cross {
	c := newCross(l, i, ins)
	c.buy, c.sell = buy, 1-buy
	c.legs[c.buy], c.legs[c.sell] = newLeg(ins[l.Legs[c.buy]], venue.Buy), newLeg(ins[l.Legs[c.sell]], venue.Sell)
	switch {
	case ins[l.Legs[0]].Quote == ins[l.Legs[1]].Quote:
		c.setFX(fixed.One)
	case l.Par == 0:
		c.viaFX = true // no rate yet: no cross
	case buy == 0: // sold for Legs[1]'s currency, worth Par in Legs[0]'s
		c.setFX(l.Par)
	default:
		c.setFX(crossRate(fixed.One, l.Par))
	}
	return c
}

// newSet makes the cross that buys every outcome.
func newSet(l *Link, i int, ins []*venue.Instrument) cross {
	c := newCross(l, i, ins)
	c.form = set
	for k, j := range l.Legs {
		c.legs[k] = newLeg(ins[j], venue.Buy)
	}
	c.unit = fixed.Pow10(ins[l.Legs[0]].PriceScale)
	return c
}

// newTriangle makes one direction of a triangle: long buys top in the bottom currency and sells it through the middle one.
func newTriangle(l *Link, i int, long bool, ins []*venue.Instrument) cross {
	c := newCross(l, i, ins)
	at, _ := orient(l.Legs, ins) // checked by validate
	p, q, r := ins[at[0]], ins[at[1]], ins[at[2]]
	c.form, c.long = triangle, long
	c.unit = fixed.Pow10(q.PriceScale + r.PriceScale - p.PriceScale)
	if long {
		c.top, c.mid, c.low = 0, 1, 2
		c.legs[0], c.legs[1], c.legs[2] = newLeg(p, venue.Buy), newLeg(q, venue.Sell), newLeg(r, venue.Sell)
		c.gain = c.whole()
		return c
	}
	c.low, c.mid, c.top = 0, 1, 2
	c.legs[0], c.legs[1], c.legs[2] = newLeg(r, venue.Buy), newLeg(q, venue.Buy), newLeg(p, venue.Sell)
	c.gain = c.whole()
	return c
}

// whole is what a unit that goes round a triangle comes back as at even prices.
func (c *cross) whole() fixed.Rate {
	top, mid, low := int64(c.legs[c.top].net), int64(c.legs[c.mid].net), int64(c.legs[c.low].net)
	if c.long {
		v, _ := fixed.MulDiv(mid, low, top, fixed.Down)
		return fixed.Rate(v)
	}
	v, _ := fixed.MulDiv3(top, int64(fixed.One), int64(fixed.One), mid, low, fixed.Down)
	return fixed.Rate(v)
}

// charge takes the fees of its instruments as they are now.
func (c *cross) charge() {
	for i := range c.n {
		c.legs[i] = newLeg(c.legs[i].in, c.legs[i].side)
	}
	switch {
	case c.link.isPair():
		c.setFX(c.fx)
	case c.form == triangle:
		c.gain = c.whole()
	}
}

// orient finds which of three instruments are top/bottom, top/middle and middle/bottom.
func orient(legs []venue.Inst, ins []*venue.Instrument) (at [3]venue.Inst, err error) {
	for _, o := range [6][3]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		at = [3]venue.Inst{legs[o[0]], legs[o[1]], legs[o[2]]}
		p, q, r := ins[at[0]], ins[at[1]], ins[at[2]]
		if p.Base != q.Base || q.Quote != r.Base || r.Quote != p.Quote || p.Base == p.Quote || q.Base == q.Quote || r.Base == r.Quote {
			continue
		}
		for _, in := range [3]*venue.Instrument{p, q, r} {
			if in.Contract != venue.Linear || in.Multiplier != fixed.One || in.Kind != venue.Spot {
				return at, fmt.Errorf("%s is not a plain spot instrument", in.Name)
			}
		}
		if lo, hi := min(p.QtyScale, q.QtyScale, r.QtyScale), max(p.QtyScale, q.QtyScale, r.QtyScale); hi-lo > maxShift {
			return at, fmt.Errorf("quantity scales of %s, %s and %s are too far apart", p.Name, q.Name, r.Name)
		}
		if e := int(q.PriceScale) + int(r.PriceScale) - int(p.PriceScale); e < 0 || e > fixed.MaxScale {
			return at, fmt.Errorf("price scales of %s, %s and %s do not go together", p.Name, q.Name, r.Name)
		}
		return at, nil
	}
	return at, fmt.Errorf("%s, %s and %s do not join three currencies as top/bottom, top/middle, middle/bottom",
		ins[legs[0]].Name, ins[legs[1]].Name, ins[legs[2]].Name)
}

// setFX sets the rate between a pair's quote currencies.
func (c *cross) setFX(fx fixed.Rate) {
	v, ok := fixed.MulDiv(int64(fx), int64(c.legs[c.sell].net), int64(c.legs[c.buy].net), fixed.Down)
	c.fx, c.gain = fx, fixed.Rate(v)
	if !ok {
		c.fx, c.gain = 0, 0
	}
}

// crossRate is a ÷ b rounded down, 0 when either is missing or the result is out of range.
func crossRate(a, b fixed.Rate) fixed.Rate {
	if a <= 0 || b <= 0 {
		return 0
	}
	v, _ := fixed.MulDiv(int64(a), int64(fixed.One), int64(b), fixed.Down)
	return fixed.Rate(v)
}

// hurdle is the least bid ÷ ask of a pair that is a gross cross or meets the threshold, as a count of 2^-62 rounded down;
// the largest value (4) where it is larger, so that the exact judgement decides.
func (c *cross) hurdle() uint64 {
	return min(fraction(fixed.One, c.fx), fraction(fixed.One+c.need, c.gain))
}

func fraction(a, b fixed.Rate) uint64 {
	hi, lo := uint64(a)>>2, uint64(a)<<62
	if b <= 0 || hi >= uint64(b) {
		return math.MaxUint64
	}
	q, _ := bits.Div64(hi, lo, uint64(b))
	return q
}

// gross is what one unit paid comes back as at the given prices, before fees and costs; net after fees. ok is false when
// that is out of range, or a set's price is not one of a binary.
func (c *cross) gross(p *prices) (fixed.Rate, bool) { return c.ratio(p, c.fx, false) }

func (c *cross) net(p *prices) (fixed.Rate, bool) { return c.ratio(p, c.gain, true) }

func (c *cross) ratio(p *prices, factor fixed.Rate, fees bool) (fixed.Rate, bool) {
	var v int64
	var ok bool
	switch {
	case c.form == pair:
		v, ok = fixed.MulDiv(int64(p[c.sell]), int64(factor), int64(p[c.buy]), fixed.Down)
	case c.form == triangle && c.long:
		v, ok = fixed.MulDiv3(int64(p[c.mid]), int64(p[c.low]), int64(factor), int64(p[c.top]), c.unit, fixed.Down)
	case c.form == triangle:
		v, ok = fixed.MulDiv3(int64(p[c.top]), c.unit, int64(factor), int64(p[c.mid]), int64(p[c.low]), fixed.Down)
	default:
		sum := int64(0)
		for k := range c.n {
			if p[k] <= 0 || int64(p[k]) >= c.unit {
				return 0, false
			}
			m := fixed.One
			if fees {
				m = c.legs[k].net
			}
			sum += int64(p[k]) * int64(m)
		}
		v, ok = fixed.MulDiv(c.unit*int64(fixed.One), int64(fixed.One), sum, fixed.Down)
	}
	return fixed.Rate(v), ok
}

// edge is the net edge at the given prices; ok as for net.
func (c *cross) edge(p *prices) (fixed.Rate, bool) {
	v, ok := c.net(p)
	return v - fixed.One - c.need + c.link.Threshold, ok
}

// meets reports whether the net edge at the given prices meets the threshold. For a pair it multiplies out, which is the
// same: ⌊s·gain/b⌋ ≥ n exactly when s·gain ≥ n·b.
func (c *cross) meets(p *prices) bool {
	if c.form == pair {
		return atLeast(int64(p[c.sell]), c.gain, int64(p[c.buy]), fixed.One+c.need)
	}
	v, ok := c.net(p)
	return ok && v >= fixed.One+c.need
}

// crossed reports whether there is a gross cross at the given prices, larger than a share of by. Prices that are beyond
// every range count as one.
func (c *cross) crossed(p *prices, by fixed.Rate) bool {
	if c.form == pair {
		return !atLeast(int64(p[c.buy]), fixed.One+by, int64(p[c.sell]), c.fx)
	}
	v, ok := c.gross(p)
	return !ok || v > fixed.One+by
}

// atLeast reports a·b ≥ c·d, none of them negative.
func atLeast(a int64, b fixed.Rate, c int64, d fixed.Rate) bool {
	h1, l1 := bits.Mul64(uint64(a), uint64(b))
	h2, l2 := bits.Mul64(uint64(c), uint64(d))
	return h1 > h2 || h1 == h2 && l1 >= l2
}
