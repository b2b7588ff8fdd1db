package sizing

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

const (
	one = fixed.One
	usd = fixed.Cash(fixed.One)
)

func TestKelly_definition(t *testing.T) {
	f := func(p fixed.Rate, win, loss fixed.Cash, want fixed.Rate) {
		t.Helper()
		require.Equal(t, want, Kelly(p, win, loss))
	}
	f(60*one/100, 1, -1, 20*one/100)
	f(60*one/100, 1, 1, 20*one/100) // the sign of the loss does not matter
	f(60*one/100, usd, -usd, 20*one/100)
	f(40*one/100, 1, -1, 0)
	f(50*one/100, 1, -1, 0)
	f(50*one/100, 2, -1, 25*one/100)
	f(60*one/100, 3, -1, 46_666_666) // 0.4666… rounds down
	f(1, fixed.Limit, -1, 0)
	f(0, 1, -1, 0)
	f(one, 1, -1, 0)
	f(-1, 1, -1, 0)
	f(2*one, 1, -1, 0)
	f(60*one/100, 0, -1, 0)
	f(60*one/100, 1, 0, 0)
	f(60*one/100, 1, fixed.Limit, 0)
	f(60*one/100, math.MinInt64, math.MinInt64, 0)
	f(one-1, fixed.Limit, 1, one-2)
}

func TestKelly_isTheDefinitionRoundedDown(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	positive := 0
	for range 20_000 {
		p := fixed.Rate(rnd.Int64N(int64(one)-1) + 1)
		win := fixed.Cash(rnd.Int64N(1<<rnd.IntN(53)) + 1)
		loss := -fixed.Cash(rnd.Int64N(1<<rnd.IntN(53)) + 1)
		got := Kelly(p, win, loss)
		// (p·W − q·L) ÷ W with integers, floored
		w, l := decimal.New(int64(win), 0), decimal.New(int64(-loss), 0)
		n := decimal.New(int64(p), 0).Mul(w).Sub(decimal.New(int64(one-p), 0).Mul(l))
		if n.Sign() <= 0 {
			require.Zero(t, got)
			continue
		}
		positive++
		q, _ := n.QuoRem(w, 0)
		require.EqualValues(t, q.IntPart(), got, "p %d win %d loss %d", p, win, loss)
		require.LessOrEqual(t, got, p)
	}
	require.Greater(t, positive, 5_000)
}

func TestStake_boundsAndRounding(t *testing.T) {
	f := func(bankroll fixed.Cash, fraction, multiplier fixed.Rate, limit, want fixed.Cash) {
		t.Helper()
		require.Equal(t, want, Stake(bankroll, fraction, multiplier, limit))
	}
	f(100_000*usd, one/2, one, 1_000*usd, 1_000*usd)
	f(100_000*usd, one/2, one, 1_000_000*usd, 50_000*usd)
	f(100_000*usd, 20*one/100, DefaultMultiplier, 1_000_000*usd, 5_000*usd)
	f(100_000*usd, one, 3*one, 1_000_000*usd, 100_000*usd) // never more than there is
	f(3, one/2, one, usd, 1)
	f(3, one/2, one/2, usd, 0)
	f(-usd, one/2, one, usd, 0)
	f(usd, -1, one, usd, 0)
	f(usd, one, 0, usd, 0)
	f(usd, one, one, 0, 0) // no maximum is no size
	f(fixed.Limit, math.MaxInt64, math.MaxInt64, usd, 0)
}

func spot() *venue.Instrument {
	return &venue.Instrument{PriceScale: 2, QtyScale: 5, Multiplier: one, Tick: 1, Lot: 10, MinQty: 20, MaxQty: 1_000_00000, MinNotional: 5 * usd}
}

func coinm() *venue.Instrument {
	return &venue.Instrument{Contract: venue.Inverse, PriceScale: 1, Tick: 1, Lot: 1, MinQty: 1, MaxQty: 1_000_000, Face: 100 * usd}
}

func TestLots_knownSizes(t *testing.T) {
	require.EqualValues(t, 166660, Lots(spot(), 60_000_00, 100_000*usd)) // 1.66666… rounds down to a lot of 0.0001
	require.EqualValues(t, 0, Lots(spot(), 60_000_00, 11*usd), "below the minimum quantity")
	require.EqualValues(t, 0, Lots(spot(), 10_00, 4*usd), "below the minimum notional")
	require.EqualValues(t, 1_000_00000, Lots(spot(), 1_00, 1_000_000*usd), "above the maximum quantity")
	require.EqualValues(t, 9, Lots(coinm(), 600_000, 999*usd))
	require.Zero(t, Lots(spot(), 0, usd))
	require.Zero(t, Lots(spot(), 1, -usd))
	in := spot()
	in.MaxQty = 0
	require.EqualValues(t, 2_00000, Lots(in, 60_000_00, 120_000*usd), "no maximum is stated")
	require.Zero(t, Lots(&venue.Instrument{}, 1, usd))
	require.Zero(t, Lots(&venue.Instrument{Contract: venue.Inverse}, 1, usd))
}

func TestLots_nextLotWouldExceedTheCash(t *testing.T) {
	rnd := rand.New(rand.NewPCG(2, 1))
	sized := 0
	for range 20_000 {
		in := spot()
		if rnd.IntN(2) == 0 {
			in = coinm()
		}
		in.Multiplier = fixed.Rate(rnd.Int64N(1<<rnd.IntN(40)) + 1)
		in.Lot, in.MinQty, in.MinNotional, in.MaxQty = fixed.Qty(rnd.Int64N(1000)+1), 0, 0, fixed.Limit
		p, cash := fixed.Price(rnd.Int64N(1<<rnd.IntN(40))+1), fixed.Cash(rnd.Int64N(1<<rnd.IntN(53))+1)
		q := Lots(in, p, cash)
		require.Zero(t, q%in.Lot)
		if q > 0 {
			sized++
			worth, ok := in.Notional(p, q, fixed.Up)
			require.True(t, ok)
			require.LessOrEqual(t, worth, cash)
		}
		exact := fixed.Decimal(cash, fixed.CashScale).Div(fixed.Decimal(p, in.PriceScale).Mul(fixed.Decimal(in.Multiplier, fixed.RateScale)))
		if in.Contract == venue.Linear && exact.Shift(int32(in.QtyScale)).GreaterThan(decimal.New(fixed.Limit, 0)) {
			require.Zero(t, q, "a size beyond the range is no size")
			continue
		}
		if worth, ok := in.Notional(p, q+in.Lot, fixed.Up); ok {
			require.Greater(t, worth, cash, "%+v p %d cash %d q %d", in, p, cash, q)
		}
	}
	require.Greater(t, sized, 5_000)
}

func TestFixedFraction_knownSizes(t *testing.T) {
	// 1 % of 100,000 is 1,000; a stop 500 away: 2 coins
	require.EqualValues(t, 2_00000, FixedFraction(spot(), 100_000*usd, one/100, 60_000_00, 59_500_00, 1_000_000*usd))
	require.EqualValues(t, 2_00000, FixedFraction(spot(), 100_000*usd, one/100, 60_000_00, 60_500_00, 1_000_000*usd), "a short")
	require.EqualValues(t, 1_00000, FixedFraction(spot(), 100_000*usd, one/100, 60_000_00, 59_500_00, 60_000*usd), "the maximum binds")
	// 1 % of 10 coins is 0.1; from 50,000 to 40,000 a contract of 100 loses 100·(1/40000 − 1/50000) = 0.0005: 200
	require.EqualValues(t, 200, FixedFraction(coinm(), 10*usd, one/100, 500_000, 400_000, 1_000_000*usd))
	require.Zero(t, FixedFraction(spot(), 100_000*usd, one/100, 60_000_00, 60_000_00, usd))
	require.Zero(t, FixedFraction(spot(), 100_000*usd, 0, 60_000_00, 59_000_00, 1_000_000*usd))
	require.Zero(t, FixedFraction(spot(), 100_000*usd, one/100, 60_000_00, 59_000_00, 0))
}

func TestFixedFraction_losesAtMostItsFraction(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 1))
	sized := 0
	for range 20_000 {
		in := spot()
		if rnd.IntN(2) == 0 {
			in = coinm()
		}
		entry := fixed.Price(rnd.Int64N(1<<30) + 1)
		stop := fixed.Price(rnd.Int64N(1<<30) + 1)
		equity, fraction := fixed.Cash(rnd.Int64N(1<<50)+1), fixed.Rate(rnd.Int64N(int64(one)))
		q := FixedFraction(in, equity, fraction, entry, stop, fixed.Limit)
		if q == 0 {
			continue
		}
		sized++
		e, s := fixed.Decimal(entry, in.PriceScale), fixed.Decimal(stop, in.PriceScale)
		// loss ≤ equity × fraction, both sides multiplied out so that nothing is divided
		loss := fixed.Decimal(q, in.QtyScale).Mul(e.Sub(s).Abs())
		budget := fixed.Decimal(equity, fixed.CashScale).Mul(fixed.Decimal(fraction, fixed.RateScale))
		if in.Contract == venue.Inverse {
			loss = loss.Mul(fixed.Decimal(in.Face, fixed.CashScale))
			budget = budget.Mul(e).Mul(s)
		}
		require.True(t, loss.LessThanOrEqual(budget), "%d of %+v at %d stop %d", q, in, entry, stop)
	}
	require.Greater(t, sized, 3_000)
}

func TestSizing_allocatesNothing(t *testing.T) {
	in := spot()
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		Lots(in, 60_000_00, Stake(100_000*usd, Kelly(60*one/100, 2, 1), DefaultMultiplier, 5_000*usd))
		FixedFraction(in, 100_000*usd, one/100, 60_000_00, 59_500_00, 1_000_000*usd)
	}))
}
