package arb

import (
	"math/rand/v2"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// The oracle: everything below is exact decimal arithmetic on the levels that the test put into the books, written from
// the package comment and not from the code.

var one = decimal.New(1, 0)

func rate(r fixed.Rate) decimal.Decimal { return fixed.Decimal(r, fixed.RateScale) }

// world is a random pair of books.
type world struct {
	ins  [2]*venue.Instrument
	link Link
	// sides are the bids and asks of each instrument, best first.
	sides [2][3]levels
}

func randomWorld(rnd *rand.Rand) *world {
	w := &world{ins: [2]*venue.Instrument{spot(1), spot(2)}, link: link(1, 2)}
	lots := []fixed.Qty{1, 7, 10, 1000}
	for i := range w.ins {
		if rnd.IntN(3) == 0 {
			w.ins[i] = coin(venue.ID(i + 1))
		}
		in := w.ins[i]
		in.Tick = 10
		if in.Contract == venue.Linear {
			in.Lot = lots[rnd.IntN(len(lots))]
			in.MinQty = in.Lot
			if rnd.IntN(3) == 0 {
				in.Fees.In = venue.FeeInBase
			}
		}
		if rnd.IntN(2) == 0 {
			in.Fees.Taker = fixed.Rate(rnd.IntN(60_000) - 5_000)
		}
		if rnd.IntN(4) == 0 {
			in.MinNotional = fixed.Cash(rnd.IntN(1000)) * 1e8
		}
		if rnd.IntN(4) == 0 {
			in.MaxQty = in.Lot * fixed.Qty(1+rnd.IntN(500))
		}
	}
	l := &w.link
	l.Threshold = fixed.Rate(rnd.IntN(100_000))
	l.Costs = Costs{FX: fixed.Rate(rnd.IntN(2) * 10_000), Funding: fixed.Rate(rnd.IntN(3)-1) * 5_000}
	if a, b := w.ins[0], w.ins[1]; a.Quote != b.Quote || a.Kind != b.Kind {
		l.Basis = true
		if a.Quote != b.Quote {
			l.Par = fixed.One + fixed.Rate(rnd.IntN(200_000)-100_000)
		}
	}
	if rnd.IntN(2) == 0 {
		l.MaxBase = fixed.Qty(1 + rnd.IntN(400_000))
	}
	if rnd.IntN(2) == 0 {
		l.MaxNotional = fixed.Cash(1+rnd.IntN(200_000)) * 1e8
	}
	for i, in := range w.ins {
		mid := int64(6_000_000 + rnd.IntN(6_000)*10)
		for _, side := range []venue.Side{venue.Buy, venue.Sell} {
			p := mid - side.Sign()*10
			for range 1 + rnd.IntN(6) {
				q := int64(1 + rnd.IntN(50_000))
				if in.Contract == venue.Inverse {
					q = int64(1+rnd.IntN(300)) * 1e5
				}
				w.sides[i][side] = append(w.sides[i][side], p, q)
				p -= side.Sign() * 10 * int64(1+rnd.IntN(100))
			}
		}
	}
	return w
}

func (w *world) fx(buy int) decimal.Decimal {
	switch {
	case w.link.Par == 0:
		return one
	case buy == 0:
		return rate(w.link.Par)
	}
	return one.Div(rate(w.link.Par))
}

// feeInBase reports whether a purchase delivers less than was bought.
func feeInBase(in *venue.Instrument) bool {
	return in.Kind == venue.Spot && in.Fees.In == venue.FeeInBase && in.Fees.Taker > 0
}

// edge is the exact net edge of buying at p on instrument buy and selling at q on the other.
func (w *world) edge(buy int, p, q fixed.Price) decimal.Decimal {
	b, s := w.ins[buy], w.ins[1-buy]
	paid := fixed.Decimal(p, 2).Mul(one.Add(rate(b.Fees.Taker)))
	if feeInBase(b) {
		paid = fixed.Decimal(p, 2).DivRound(one.Sub(rate(b.Fees.Taker)), 30)
	}
	left := fixed.Decimal(q, 2).Mul(one.Sub(rate(s.Fees.Taker))).Mul(w.fx(buy))
	c := w.link.Costs
	return left.DivRound(paid, 30).Sub(one).Sub(rate(c.FX + c.Funding + c.Borrow + c.Other))
}

// take walks one side for a base quantity: the order quantity that is needed (rounded up to the lot), its worst price, and
// whether the book holds it.
func (w *world) take(i int, taker venue.Side, base decimal.Decimal) (qty fixed.Qty, worst, first fixed.Price, ok bool) {
	in := w.ins[i]
	if taker == venue.Buy && feeInBase(in) {
		base = base.DivRound(one.Sub(rate(in.Fees.Taker)), 30)
	}
	need := decimal.Zero // of the instrument's units
	ls := w.sides[i][taker.Other()]
	for k := 0; k < len(ls); k += 2 {
		p, q := fixed.Decimal(fixed.Price(ls[k]), 2), fixed.Decimal(fixed.Qty(ls[k+1]), 5)
		per := one // base per unit
		if in.Contract == venue.Inverse {
			per = decimal.New(100, 0).DivRound(p, 40)
		}
		if q.Mul(per).GreaterThanOrEqual(base) {
			need = need.Add(base.DivRound(per, 20))
			base = decimal.Zero
			break
		}
		need, base = need.Add(q), base.Sub(q.Mul(per))
	}
	lot := fixed.Decimal(in.Lot, 5)
	need = need.Div(lot).RoundCeil(0).Mul(lot)
	v, _ := fixed.FromDecimal(need.Round(5), 5)
	qty, first = fixed.Qty(v), fixed.Price(ls[0])
	rest := int64(qty)
	for k := 0; k < len(ls) && rest > 0; k += 2 {
		worst, rest = fixed.Price(ls[k]), rest-ls[k+1]
	}
	return qty, worst, first, base.IsZero() && rest <= 0
}

// delivers is what a quantity makes in base units when the book is walked, after a fee in base.
func (w *world) delivers(i int, taker venue.Side, qty fixed.Qty) decimal.Decimal {
	in, sum := w.ins[i], decimal.Zero
	ls := w.sides[i][taker.Other()]
	for k := 0; k < len(ls) && qty > 0; k += 2 {
		part := min(qty, fixed.Qty(ls[k+1]))
		qty -= part
		v := fixed.Decimal(part, 5)
		if in.Contract == venue.Inverse {
			v = v.Mul(decimal.New(100, 0)).DivRound(fixed.Decimal(fixed.Price(ls[k]), 2), 30)
		}
		sum = sum.Add(v)
	}
	if taker == venue.Buy && feeInBase(in) {
		sum = sum.Mul(one.Sub(rate(in.Fees.Taker)))
	}
	return sum
}

// feasible reports whether a size clearly meets everything: the threshold by a hair more than the code may lose in
// rounding, the books, and the limits.
func (w *world) feasible(buy int, base decimal.Decimal) bool {
	if base.GreaterThan(fixed.Decimal(w.link.MaxBase, 5)) {
		return false
	}
	bq, bp, _, ok := w.take(buy, venue.Buy, base)
	sq, sp, sf, ok2 := w.take(1-buy, venue.Sell, base)
	if !ok || !ok2 {
		return false
	}
	for _, x := range []struct {
		i     int
		q     fixed.Qty
		p     fixed.Price
		first fixed.Price
	}{{buy, bq, bp, bp}, {1 - buy, sq, sp, sf}} {
		in := w.ins[x.i]
		if in.MaxQty > 0 && x.q > in.MaxQty {
			return false
		}
		v := fixed.Decimal(x.p, 2).Mul(fixed.Decimal(x.q, 5))
		if in.Contract == venue.Inverse { // the code bounds a sale of contracts by the best price
			v = fixed.Decimal(x.q, 5).Mul(decimal.New(100, 0)).Mul(fixed.Decimal(x.first, 2)).DivRound(fixed.Decimal(x.p, 2), 20).Mul(decimal.New(1001, -3))
		}
		if in.Quote == w.ins[0].Quote && v.GreaterThan(fixed.Decimal(w.link.MaxNotional, 8)) {
			return false
		}
	}
	return w.edge(buy, bp, sp).GreaterThanOrEqual(rate(w.link.Threshold + 5))
}

// lotBase is one lot in base units, at the lowest price of its book and rounded up: no lot is worth more.
func (w *world) lotBase(i int, taker venue.Side) decimal.Decimal {
	in, ls := w.ins[i], w.sides[i][taker.Other()]
	if in.Contract != venue.Inverse {
		return fixed.Decimal(in.Lot, 5)
	}
	low := min(ls[0], ls[len(ls)-2])
	return decimal.New(100, 0).DivRound(fixed.Decimal(fixed.Price(low), 2), 5).Add(decimal.New(1, -5))
}

func TestProperty_plansMeetTheThresholdAndAreTheLargest(t *testing.T) {
	rnd := rand.New(rand.NewPCG(20261125, 7))
	var made, bounded, none int
	for n := range 6000 {
		w := randomWorld(rnd)
		r := newRig(t, w.ins[0], w.ins[1])
		s, err := New(Config{Name: "arb", Links: []Link{w.link}}, r.d.Instruments)
		require.NoError(t, err)
		for i := range w.ins {
			r.book(venue.Inst(i+1), w.sides[i][venue.Buy], w.sides[i][venue.Sell])
		}
		ps := r.decide(s)
		require.LessOrEqual(t, len(ps), 2)
		planned := [2]bool{}
		for k := range ps {
			buy := 0
			if ps[k].Legs[1].Side == venue.Buy {
				buy = 1
			}
			planned[buy] = true
			w.check(t, n, buy, &ps[k])
			made++
			if ps[k].Base < 50_000 {
				bounded++
			}
		}
		for buy, ok := range planned {
			// Without a plan, the smallest tradable size must be out of reach; a minimum notional may be the reason.
			if !ok && w.ins[0].MinNotional == 0 && w.ins[1].MinNotional == 0 {
				none++
				require.False(t, w.feasible(buy, w.step(buy)), "world %d: buying on %d could have been a plan", n, buy)
			}
		}
	}
	require.Greater(t, made, 1000)
	require.Greater(t, bounded, 500)
	require.Greater(t, none, 1000)
}

// step is a size increase that no rounding can hide: the coarser lot, and a unit of the scale for every level and leg.
func (w *world) step(buy int) decimal.Decimal {
	a, b := w.lotBase(buy, venue.Buy), w.lotBase(1-buy, venue.Sell)
	slack := decimal.Zero
	if w.ins[0].Contract == venue.Inverse || w.ins[1].Contract == venue.Inverse || feeInBase(w.ins[buy]) || w.ins[0].Lot != w.ins[1].Lot {
		slack = decimal.New(16, -5).Add(decimal.Min(a, b)) // the finer leg is cut to its own lots too
	}
	return decimal.Max(a, b).Add(slack)
}

func (w *world) check(t *testing.T, n, buy int, p *desk.Plan) {
	b, s := &p.Legs[buy], &p.Legs[1-buy]
	exact := w.edge(buy, b.Price, s.Price)
	require.True(t, exact.GreaterThanOrEqual(rate(w.link.Threshold)), "world %d: unexpected edge %s; want at least %s", n, exact, rate(w.link.Threshold))
	require.True(t, exact.GreaterThanOrEqual(rate(p.Edge)), "world %d: claimed edge %s is above the exact %s", n, rate(p.Edge), exact)
	require.True(t, exact.Sub(rate(p.Edge)).LessThan(rate(5)), "world %d: claimed edge %s is too far below %s", n, rate(p.Edge), exact)
	for i := range 2 {
		l, in := &p.Legs[i], w.ins[i]
		require.Zero(t, l.Qty%in.Lot)
		require.GreaterOrEqual(t, l.Qty, in.MinQty)
		require.True(t, in.MaxQty == 0 || l.Qty <= in.MaxQty)
		held, ls := fixed.Qty(0), w.sides[i][l.Side.Other()]
		for k := 0; k < len(ls); k += 2 {
			if (fixed.Price(ls[k])-l.Price)*fixed.Price(l.Side.Sign()) <= 0 {
				held += fixed.Qty(ls[k+1])
			}
		}
		require.GreaterOrEqual(t, held, l.Qty, "world %d: the book does not hold leg %d within its limit", n, i)
		v, ok := in.Notional(l.Price, l.Qty, fixed.Down)
		require.True(t, ok)
		require.GreaterOrEqual(t, v, in.MinNotional)
		if in.Quote == w.ins[0].Quote {
			require.LessOrEqual(t, v, w.link.MaxNotional)
		}
	}
	bought, sold := w.delivers(buy, venue.Buy, b.Qty), w.delivers(1-buy, venue.Sell, s.Qty)
	finer := decimal.Min(w.lotBase(buy, venue.Buy), w.lotBase(1-buy, venue.Sell)).Add(decimal.New(8, -5))
	require.True(t, bought.Sub(sold).Abs().LessThan(finer), "world %d: %s bought, %s sold", n, bought, sold)
	common := decimal.Min(bought, sold).Sub(fixed.Decimal(p.Base, 5))
	require.True(t, !common.IsNegative() && common.LessThan(decimal.New(8, -5)), "world %d: base %s; legs %s and %s", n, fixed.Decimal(p.Base, 5), bought, sold)
	require.LessOrEqual(t, p.Base, w.link.MaxBase)
	more := fixed.Decimal(p.Base, 5).Add(w.step(buy))
	require.False(t, w.feasible(buy, more), "world %d: %s would have been possible, not only %s; plan %+v", n, more, fixed.Decimal(p.Base, 5), p)
}
