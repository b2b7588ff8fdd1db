package venue

import (
	"math/rand/v2"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"oneprice/books/fixed"
)

// exact rounds n ÷ d to 10^-scale as asked; ok is false beyond fixed.Limit. Decimals are the oracle.
func exact(n, d decimal.Decimal, scale uint8, r fixed.Rounding) (int64, bool) {
	q, rem := n.Shift(int32(scale)).QuoRem(d, 0) // toward zero
	neg := n.Sign()*d.Sign() < 0
	if !rem.IsZero() {
		away := false
		switch r {
		case fixed.Down:
			away = neg
		case fixed.Up:
			away = !neg
		case fixed.FromZero:
			away = true
		case fixed.HalfEven:
			c := rem.Abs().Mul(decimal.New(2, 0)).Cmp(d.Abs())
			away = c > 0 || c == 0 && q.BigInt().Bit(0) == 1
		}
		if away && neg {
			q = q.Sub(decimal.New(1, 0))
		} else if away {
			q = q.Add(decimal.New(1, 0))
		}
	}
	v, fault := fixed.FromDecimal(q, 0)
	return v, fault == fixed.OK
}

func instrument(rnd *rand.Rand) *Instrument {
	in := &Instrument{PriceScale: uint8(rnd.IntN(19)), QtyScale: uint8(rnd.IntN(19)), Contract: Contract(rnd.IntN(2)), Multiplier: fixed.One}
	if rnd.IntN(2) == 0 {
		in.Multiplier = 1 + fixed.Rate(rnd.Int64N(1<<rnd.IntN(50)))
	}
	in.Face = 1 + fixed.Cash(rnd.Int64N(1<<rnd.IntN(50)))
	return in
}

func TestInstrument_valuesAgreeWithDecimals(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	valid := 0
	for range 20_000 {
		in := instrument(rnd)
		p := 1 + fixed.Price(rnd.Int64N(1<<rnd.IntN(53)))
		q := fixed.Qty(rnd.Int64N(2<<rnd.IntN(53))) - 1<<10
		r := fixed.Rounding(rnd.IntN(5))
		price, qty := fixed.Decimal(p, in.PriceScale), fixed.Decimal(q, in.QtyScale)
		one, unit := decimal.New(1, 0), fixed.Decimal(in.Multiplier, fixed.RateScale)
		notional, base, per := price.Mul(qty).Mul(unit), qty.Mul(unit), one
		backN, backD := qty, unit
		if in.Contract == Inverse {
			face := fixed.Decimal(in.Face, fixed.CashScale)
			notional, base, per = qty.Mul(face), qty.Mul(face), price
			backN, backD = qty.Mul(price), face
		}
		check := func(what string, got int64, ok bool, n, d decimal.Decimal, scale uint8) {
			t.Helper()
			want, fits := exact(n, d, scale, r)
			require.Equal(t, fits, ok, "%s of %+v: p %d q %d rounding %d", what, in, p, q, r)
			if ok {
				valid++
				require.Equal(t, want, got, "%s of %+v: p %d q %d rounding %d", what, in, p, q, r)
			}
		}
		c, ok := in.Notional(p, q, r)
		check("notional", int64(c), ok, notional, one, fixed.CashScale)
		b, ok := in.BaseQty(p, q, r)
		if in.Contract == Inverse || in.Multiplier != fixed.One { // else the quantity itself, whatever its size
			check("base", int64(b), ok, base, per, in.QtyScale)
			f, ok := in.FromBase(p, q, r)
			check("from base", int64(f), ok, backN, backD, in.QtyScale)
		}
		c, ok = in.Coin(p, q, r)
		check("coin", int64(c), ok, base, per, fixed.CashScale)
	}
	require.Greater(t, valid, 20_000)
}

func TestInstrument_knownValues(t *testing.T) {
	spot := &Instrument{PriceScale: 2, QtyScale: 5, Multiplier: fixed.One}
	c, ok := spot.Notional(60_000_12, 150_000, fixed.Up) // 1.5 at 60,000.12
	require.True(t, ok)
	require.EqualValues(t, 90_000_18_000_000, c)

	shib := &Instrument{PriceScale: 6, QtyScale: 0, Multiplier: 1000 * fixed.One} // "1000SHIB"
	b, ok := shib.BaseQty(1, 3, fixed.Down)
	require.True(t, ok)
	require.EqualValues(t, 3000, b)
	b, ok = shib.FromBase(1, 2999, fixed.Down)
	require.True(t, ok)
	require.EqualValues(t, 2, b)

	coinm := &Instrument{Contract: Inverse, PriceScale: 1, QtyScale: 0, Face: 100 * fixed.Cash(fixed.One)}
	c, ok = coinm.Notional(600_000, 6, fixed.Down) // 6 contracts of 100 USD
	require.True(t, ok)
	require.EqualValues(t, 600_00_000_000, c)
	c, ok = coinm.Coin(600_000, 6, fixed.Down) // 600 USD at 60,000 is 0.01 BTC, at a product scale of whole coins
	require.True(t, ok)
	require.EqualValues(t, 1_000_000, c)
	fine := *coinm
	fine.QtyScale = 8
	n, ok := fine.FromBase(600_000, 1_000_000, fixed.Down) // 0.01 BTC is 6 contracts
	require.True(t, ok)
	require.EqualValues(t, 6_00_000_000, n)
}

func TestInstrument_refusesWhatIsNotConfigured(t *testing.T) {
	for _, in := range []*Instrument{{PriceScale: 2}, {PriceScale: 2, Contract: Inverse}, {Multiplier: -1}, {Contract: Inverse, Face: -1}} {
		for _, f := range []func(fixed.Price, fixed.Qty, fixed.Rounding) (int64, bool){
			func(p fixed.Price, q fixed.Qty, r fixed.Rounding) (int64, bool) {
				v, ok := in.Notional(p, q, r)
				return int64(v), ok
			},
			func(p fixed.Price, q fixed.Qty, r fixed.Rounding) (int64, bool) {
				v, ok := in.BaseQty(p, q, r)
				return int64(v), ok
			},
			func(p fixed.Price, q fixed.Qty, r fixed.Rounding) (int64, bool) {
				v, ok := in.FromBase(p, q, r)
				return int64(v), ok
			},
			func(p fixed.Price, q fixed.Qty, r fixed.Rounding) (int64, bool) {
				v, ok := in.Coin(p, q, r)
				return int64(v), ok
			},
		} {
			_, ok := f(100, 100, fixed.Down)
			require.False(t, ok, "unexpected value of %+v", in)
		}
	}
	inverse := &Instrument{Contract: Inverse, Face: 1}
	for _, p := range []fixed.Price{0, -1} {
		_, ok := inverse.BaseQty(p, 1, fixed.Down)
		require.False(t, ok)
		_, ok = inverse.FromBase(p, 1, fixed.Down)
		require.False(t, ok)
		_, ok = inverse.Coin(p, 1, fixed.Down)
		require.False(t, ok)
	}
}
