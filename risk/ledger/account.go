package ledger

import (
	"fmt"
	"math/bits"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// account is the exact state of one instrument. Amounts are wide counts of a raw unit: price × qty × fine for a Linear
// instrument, 10^-unit coins for an Inverse one. The average cost of a position is cost ÷ qty, never rounded until shown.
//
// For an Inverse contract cost is −n·Face/price, so that the same sums hold for both kinds: a buy adds to cost, a close
// realises proceeds less the share of cost, and value − cost is unrealised.
type account struct {
	qty fixed.Qty
	// cost of qty, signed like value: what was paid for a long, minus what was received for a short.
	cost wide
	// realised is exact and without fees; flow is the sum of −dq × p over all fills.
	realised, flow wide
	// bought is the sum of the signed fill quantities, before fees in base.
	bought fixed.Qty
	// fees are those charged in the settlement currency; baseFees those in base, baseUnits what they took from qty.
	fees, baseFees fixed.Cash
	baseUnits      fixed.Qty
	// shown is fees plus fees in base valued at their fill, for display.
	shown fixed.Cash
	// bid and ask are the last marks seen on a Live book; 0 none.
	bid, ask fixed.Price
	active   bool
}

// fineScale is the least number of decimals of a raw unit: what splitting a cost may round away is then far below the
// last digit of a Cash.
const fineScale = 14

// terms are the constants of an instrument that turn raw amounts into Cash.
type terms struct {
	inverse bool
	// mul and div make Cash of raw: raw × mul ÷ (div[0] × div[1]).
	mul uint64
	div [2]uint64
	// fine makes the raw unit of a Linear instrument at most 10^-14.
	fine uint64
	// face and k make raw of an Inverse quantity: −n × face × k ÷ price.
	face int64
	k    uint64
	unit uint8
	// top is the highest price that can be, for a Binary: with no bids it is worth 0, with no asks a short owes top.
	top fixed.Price
	// ccy is where profit and loss arise: quote for Linear, base for Inverse.
	ccy venue.Ccy
}

// newTerms derives the constants; an error names an instrument that the ledger cannot keep exactly.
func newTerms(in *venue.Instrument) (terms, error) {
	scales := int(in.PriceScale) + int(in.QtyScale)
	s := max(scales, fineScale)
	if in.Contract == venue.Linear {
		t := terms{mul: uint64(in.Multiplier), ccy: in.Quote, fine: uint64(fixed.Pow10(uint8(s - scales)))}
		if in.Kind == venue.Binary && in.PriceScale <= fixed.MaxScale {
			t.top = fixed.Price(fixed.Pow10(in.PriceScale))
		}
		first := min(s, fixed.MaxScale)
		t.div = [2]uint64{uint64(fixed.Pow10(uint8(first))), uint64(fixed.Pow10(uint8(s - first)))}
		switch {
		case in.PriceScale > fixed.MaxScale || in.QtyScale > fixed.MaxScale:
			return t, fmt.Errorf("ledger: %s: scale beyond %d", in.Name, fixed.MaxScale)
		case in.Multiplier <= 0:
			return t, fmt.Errorf("ledger: %s: multiplier %d; want more than 0", in.Name, in.Multiplier)
		case in.Settle != in.Quote && in.Settle != 0:
			return t, fmt.Errorf("ledger: %s: a linear contract that settles in another currency than its quote is not supported", in.Name)
		}
		return t, nil
	}
	// The raw unit is 10^-20 coins where the numerator's factor stays a 64-bit power of ten.
	unit := 20
	k := int(in.PriceScale) + unit - fixed.CashScale - int(in.QtyScale)
	if k > fixed.MaxScale {
		unit, k = unit-(k-fixed.MaxScale), fixed.MaxScale
	}
	if k < 0 {
		unit, k = unit-k, 0
	}
	t := terms{inverse: true, face: int64(in.Face), unit: uint8(unit), ccy: in.Base}
	switch {
	case unit < fixed.CashScale || unit-fixed.CashScale > fixed.MaxScale:
		return t, fmt.Errorf("ledger: %s: price scale %d and quantity scale %d are too far apart", in.Name, in.PriceScale, in.QtyScale)
	case in.Face <= 0:
		return t, fmt.Errorf("ledger: %s: face %d; want more than 0", in.Name, in.Face)
	case in.Settle != in.Base && in.Settle != 0:
		return t, fmt.Errorf("ledger: %s: an inverse contract that settles in another currency than its base is not supported", in.Name)
	}
	t.k, t.mul = uint64(fixed.Pow10(uint8(k))), 1
	t.div = [2]uint64{uint64(fixed.Pow10(uint8(unit - fixed.CashScale))), 1}
	return t, nil
}

// raw is the value of a signed quantity at a price. Linear is exact; Inverse needs a rounding, Up when it is a cost.
func (t *terms) raw(q fixed.Qty, p fixed.Price, r fixed.Rounding) (wide, bool) {
	if !t.inverse {
		return product(int64(q), int64(p)).mulDiv(t.fine, 1, 1, fixed.ToZero)
	}
	if p <= 0 {
		return wide{}, false
	}
	return product(-int64(q), t.face).mulDiv(t.k, uint64(p), 1, r)
}

// cash is a raw amount in the settlement currency.
func (t *terms) cash(a wide, r fixed.Rounding) (fixed.Cash, bool) {
	v, ok := a.mulDiv(t.mul, t.div[0], t.div[1], r)
	if !ok {
		return 0, false
	}
	return v.cash()
}

// trade applies a signed fill at average cost. Whatever splitting the cost rounds away stays in the account, so realised
// less cost always equals the sum of flows. A partial close rounds the share of cost Up, against the realised result.
func (a *account) trade(t *terms, dq fixed.Qty, p fixed.Price) bool {
	v, ok := t.raw(dq, p, fixed.Up)
	if !ok && dq != 0 {
		return false
	}
	if a.flow, ok = a.flow.add(v.neg()); !ok {
		return false
	}
	q, ok := fixed.Add(a.qty, dq)
	if !ok {
		return false
	}
	open, held := magnitude(int64(dq)), magnitude(int64(a.qty))
	if held == 0 || (dq > 0) == (a.qty > 0) {
		a.cost, ok = a.cost.add(v)
		a.qty = q
		return ok
	}
	closed, share := v, a.cost // a full close takes the whole cost
	switch {
	case open > held:
		if closed, ok = v.mulDiv(held, open, 1, fixed.Up); !ok {
			return false
		}
	case open < held:
		if share, ok = a.cost.mulDiv(open, held, 1, fixed.Up); !ok {
			return false
		}
	}
	gain, ok := closed.neg().add(share.neg())
	if !ok {
		return false
	}
	if a.realised, ok = a.realised.add(gain); !ok {
		return false
	}
	if a.cost, ok = a.cost.add(share.neg()); !ok {
		return false
	}
	rest, ok := v.add(closed.neg()) // what a flip through zero opens
	if !ok {
		return false
	}
	a.cost, ok = a.cost.add(rest)
	a.qty = q
	return ok
}

// avg is the average entry price, rounded against us: up for a long, down for a short.
func (a *account) avg(t *terms) fixed.Price {
	if a.qty == 0 || a.cost.zero() {
		return 0
	}
	r := fixed.Up
	if a.qty < 0 {
		r = fixed.Down
	}
	n := magnitude(int64(a.qty))
	c := a.cost
	if c.hi < 0 {
		c = c.neg()
	}
	if !t.inverse {
		v, ok := c.mulDiv(1, n, t.fine, r)
		if p, fits := v.cash(); ok && fits {
			return fixed.Price(p)
		}
		return 0
	}
	// n × face × k ÷ cost. The divisor is cut to 63 bits, moved so that the price errs the same way as its rounding.
	num := product(int64(n), t.face)
	m := t.k
	if shift := 64 - bits.LeadingZeros64(uint64(c.hi)); c.hi > 0 {
		shift++
		low := c.lo & (1<<shift - 1)
		c = wide{c.hi >> shift, c.lo>>shift | uint64(c.hi)<<(64-shift)}
		if r == fixed.Down && low != 0 {
			c.lo++
		}
		v, ok := num.mulDiv(m, c.lo, 1<<shift, r)
		if p, fits := v.cash(); ok && fits {
			return fixed.Price(p)
		}
		return 0
	}
	v, ok := num.mulDiv(m, c.lo, 1, r)
	if p, fits := v.cash(); ok && fits {
		return fixed.Price(p)
	}
	return 0
}

// mark is the worse side for closing; ok is false when no book has shown one.
func (a *account) mark(t *terms) (fixed.Price, bool) {
	m := a.bid
	if a.qty < 0 {
		m = a.ask
	}
	if m > 0 {
		return m, true
	}
	if t.top > 0 && a.bid+a.ask > 0 {
		if a.qty < 0 {
			return t.top, true
		}
		return 0, true
	}
	return 0, false
}

// unrealised is value − cost at the worse mark, rounded Down.
func (a *account) unrealised(t *terms) (fixed.Cash, bool) {
	if a.qty == 0 {
		return 0, true
	}
	m, ok := a.mark(t)
	if !ok {
		return 0, false
	}
	v, ok := t.raw(a.qty, m, fixed.Down)
	if !ok {
		return 0, false
	}
	if v, ok = v.add(a.cost.neg()); !ok {
		return 0, false
	}
	return t.cash(v, fixed.Down)
}
