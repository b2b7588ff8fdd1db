package model

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

var params = Params{Gamma: 100, Kappa: 5000, Horizon: 60 * venue.Second, Window: 10 * venue.Second}

func TestTable_isTheFormula(t *testing.T) {
	table, err := NewTable(params)
	require.NoError(t, err)
	for _, vol := range []fixed.Rate{100, 2_000, 8_900, 100_000} { // per root second: 1e-6 … 1e-3
		b := BucketOfVol(vol)
		s := float64(vol) / 1e8
		risk := 100 * s * s * 60 // γσ²T
		half := risk/2 + math.Log(1+100.0/5000)/100
		got := float64(table.Half(b)) / 1e8
		require.GreaterOrEqual(t, got, half-1e-12, "volatility is never understated")
		require.Less(t, got, half+risk/2*0.26+2e-8)
		for _, inv := range []fixed.Qty{1, 10, 100, 320} {
			want := -risk * float64(inv) / 320
			skew := float64(table.Skew(b, inv, 320)) / 1e8
			require.LessOrEqual(t, skew, want+1e-12)
			require.Greater(t, skew, want*1.26-risk/Points*1.26-2e-8)
			require.Equal(t, table.Skew(b, inv, 320), -table.Skew(b, -inv, 320))
		}
		require.Zero(t, table.Skew(b, 0, 320))
		require.Equal(t, table.Skew(b, 320, 320), table.Skew(b, 99_999, 320))
		require.Equal(t, table.Skew(b, -320, 320), table.Skew(b, -99_999, 320))
	}
}

func TestTable_skewAndSpreadAreMonotone(t *testing.T) {
	table, err := NewTable(params)
	require.NoError(t, err)
	for b := range buckets {
		for i := -Points; i < Points; i++ {
			require.GreaterOrEqual(t, table.Skew(b, fixed.Qty(i), Points), table.Skew(b, fixed.Qty(i+1), Points))
		}
		if b > 0 {
			require.GreaterOrEqual(t, table.Half(b), table.Half(b-1))
		}
		require.LessOrEqual(t, table.Half(b), MaxOffset)
	}
}

func TestBucket_upperEdgeIsNeverBelow(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		v := math.Exp2(-49 + 43*rnd.Float64())
		u := upper(bucketOf(v))
		require.GreaterOrEqual(t, u, v)
		require.LessOrEqual(t, u, v*1.25)
	}
	require.Zero(t, bucketOf(0))
	require.Zero(t, bucketOf(math.NaN()))
	require.Zero(t, bucketOf(1e-300))
	require.Equal(t, buckets-1, bucketOf(math.Inf(1)))
	require.Equal(t, bucketOf(math.Exp2(-20)), bucketOf(math.Nextafter(math.Exp2(-20), 0)), "an edge belongs to the bucket below it")
}

func TestVol_findsTheVolatilityOfAWalk(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	p := params
	p.Window = 100 * venue.Second
	v := NewVol(p)
	price, now := 60_000.0, venue.Second
	const sigma = 1e-4 // per root second
	for range 20_000 {
		dt := venue.Nanos(1 + rnd.Int64N(int64(200*venue.Millisecond)))
		now += dt
		price *= 1 + sigma*math.Sqrt(float64(dt)/1e9)*rnd.NormFloat64()
		v.Update(Fair(price*100*(1<<FairBits)), now)
	}
	require.True(t, v.Ready())
	got := math.Sqrt(upper(v.Bucket()))
	require.InEpsilon(t, sigma, got, 0.25)
}

func TestVol_isNotReadyBeforeAQuarterOfItsWindow(t *testing.T) {
	v := NewVol(params)
	n := 0
	for now := venue.Second; !v.Ready(); now += 100 * venue.Millisecond {
		v.Update(1_000_000, now)
		n++
	}
	require.Greater(t, n, 25, "2.5 seconds of ten")
	require.Less(t, n, 35, "what is decayed counts less")
}

func TestVol_restartForgetsTheMoveAcrossASilence(t *testing.T) {
	v := NewVol(params)
	now := venue.Second
	for range 100 {
		now += 100 * venue.Millisecond
		v.Update(1_000_000, now)
	}
	require.Zero(t, v.Bucket())
	v.Restart()
	v.Update(2_000_000, now+venue.Second)
	require.Zero(t, v.Bucket())
	v.Update(2_100_000, now+2*venue.Second)
	require.Greater(t, v.Bucket(), 100)
}

func TestVol_leavesOutWhatComesTooSoon(t *testing.T) {
	p := params
	p.Sample = venue.Second
	v := NewVol(p)
	v.Update(1_000_000, venue.Second)
	v.Update(9_000_000, venue.Second+1)
	v.Update(1_000_000, 2*venue.Second)
	require.Zero(t, v.Bucket())
	v.Update(1_000_000, 2*venue.Second) // no time has passed
	v.Update(-5, 9*venue.Second)
	require.Zero(t, v.Bucket())
}

func TestQuote_roundsAwayFromTheMarket(t *testing.T) {
	rnd := rand.New(rand.NewPCG(8, 9))
	for range 10_000 {
		fair := Fair(1<<FairBits + rnd.Int64N(1<<40))
		off := fixed.Rate(rnd.Int64N(20_000_000) - 10_000_000)
		tick := fixed.Price(1 + rnd.Int64N(50))
		exact := decimal.NewFromInt(int64(fair)).Div(decimal.NewFromInt(1 << FairBits)).Mul(fixed.Decimal(fixed.One+off, 8)).Div(decimal.NewFromInt(int64(tick)))
		bid, ok := Quote(fair, off, venue.Buy, tick)
		want := exact.Floor().IntPart() * int64(tick)
		require.Equal(t, want > 0, ok)
		if ok {
			require.EqualValues(t, want, bid)
		}
		ask, ok := Quote(fair, off, venue.Sell, tick)
		require.True(t, ok)
		require.EqualValues(t, exact.Ceil().IntPart()*int64(tick), ask)
	}
}

func TestParams_everyFaultIsNamed(t *testing.T) {
	err := Params{Gamma: math.NaN(), Kappa: -1, Sample: 1}.Validate()
	for _, w := range []string{"gamma", "kappa", "horizon", "window", "sample"} {
		require.ErrorContains(t, err, w)
	}
	_, err = NewTable(Params{})
	require.Error(t, err)
}

func TestHotPath_allocatesNothing(t *testing.T) {
	table, err := NewTable(params)
	require.NoError(t, err)
	v := NewVol(params)
	now, sum := venue.Second, fixed.Price(0)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		now += venue.Millisecond
		v.Update(Fair(1_000_000+now%1000), now)
		p, _ := Quote(1_000_000, table.Skew(v.Bucket(), 5, 10)-table.Half(v.Bucket()), venue.Buy, 1)
		sum += p
	}))
	require.Positive(t, sum)
}
