package fixed

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

var roundings = [...]Rounding{Down, Up, ToZero, FromZero, HalfEven}

// quotient is the oracle: n ÷ d rounded as asked, nil when beyond Limit.
func quotient(n, d *big.Int, r Rounding) *big.Int {
	q, rem := new(big.Int).QuoRem(n, d, new(big.Int)) // toward zero
	if rem.Sign() != 0 {
		away := false
		switch r {
		case Down:
			away = n.Sign() < 0
		case Up:
			away = n.Sign() > 0
		case FromZero:
			away = true
		case HalfEven:
			switch new(big.Int).Abs(new(big.Int).Lsh(rem, 1)).Cmp(d) {
			case 1:
				away = true
			case 0:
				away = q.Bit(0) == 1
			}
		}
		if away {
			q.Add(q, big.NewInt(int64(n.Sign())))
		}
	}
	if q.CmpAbs(big.NewInt(Limit)) > 0 {
		return nil
	}
	return q
}

// wide draws integers of every magnitude, with the extremes and round numbers over-represented.
func wide(rnd *rand.Rand) int64 {
	edge := [...]int64{0, 1, -1, 2, 3, 5, 10, Limit, Limit - 1, -Limit, math.MaxInt64, math.MinInt64, math.MinInt64 + 1, 1e8, 1e18}
	switch rnd.IntN(4) {
	case 0:
		return edge[rnd.IntN(len(edge))]
	case 1:
		return pow10[rnd.IntN(len(pow10))] * (rnd.Int64N(19) - 9)
	}
	return int64(rnd.Uint64()) >> rnd.IntN(64)
}

func product(v ...int64) *big.Int {
	p := big.NewInt(1)
	for _, x := range v {
		p.Mul(p, big.NewInt(x))
	}
	return p
}

func requireQuotient(t *testing.T, want *big.Int, got int64, ok bool, in ...any) {
	t.Helper()
	if want == nil && !ok && got == 0 || want != nil && ok && want.IsInt64() && want.Int64() == got {
		return // the assertions below are slow
	}
	if want == nil {
		require.False(t, ok, "unexpected result %d of %v; want none", got, in)
		require.Zero(t, got)
		return
	}
	require.True(t, ok, "unexpected refusal of %v; want %s", in, want)
	require.Equal(t, want.Int64(), got, "of %v", in)
}

func checkMulDiv(t *testing.T, a, b, d int64) {
	t.Helper()
	for _, r := range roundings {
		got, ok := MulDiv(a, b, d, r)
		var want *big.Int
		if d > 0 {
			want = quotient(product(a, b), big.NewInt(d), r)
		}
		requireQuotient(t, want, got, ok, a, b, d, r)
	}
}

func checkMulDiv3(t *testing.T, a, b, c, d, e int64) {
	t.Helper()
	for _, r := range roundings {
		got, ok := MulDiv3(a, b, c, d, e, r)
		var want *big.Int
		if d > 0 && e > 0 {
			want = quotient(product(a, b, c), product(d, e), r)
		}
		requireQuotient(t, want, got, ok, a, b, c, d, e, r)
	}
}

func TestMul_agreesWithBigIntegers(t *testing.T) {
	rnd := rand.New(rand.NewPCG(2, 2))
	for range 200_000 {
		a, b := wide(rnd), wide(rnd)
		want := quotient(product(a, b), big.NewInt(1), Down)
		v, ok := Mul(a, b)
		require.Equal(t, want != nil, ok, "%d × %d", a, b)
		if ok {
			require.Equal(t, want.Int64(), v)
		} else {
			require.Zero(t, v)
		}
	}
}

func TestMulDiv_agreesWithBigIntegers(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for range 30_000 {
		checkMulDiv(t, wide(rnd), wide(rnd), wide(rnd))
	}
}

// TestMulDiv_quotientOfAllOnesDoesNotWrap hits the quotient 2^64-1 with a remainder, which rounding up would turn into 0.
func TestMulDiv_quotientOfAllOnesDoesNotWrap(t *testing.T) {
	rnd := rand.New(rand.NewPCG(8, 1))
	found := 0
	for range 10_000 {
		d := 1<<60 + rnd.Int64N(1<<61)
		a := math.MaxInt64 - rnd.Int64N(1<<60)
		b, rem := new(big.Int).QuoRem(new(big.Int).Lsh(big.NewInt(d), 64), big.NewInt(a), new(big.Int))
		if rem.Sign() == 0 || rem.Cmp(big.NewInt(d)) >= 0 || !b.IsInt64() {
			continue
		}
		found++
		checkMulDiv(t, a, b.Int64(), d)
		checkMulDiv3(t, a, b.Int64(), 1, d, 1)
		checkMulDiv3(t, a, b.Int64(), 1, 1, d)
	}
	require.Greater(t, found, 100)
}

func TestMulDiv3_agreesWithBigIntegers(t *testing.T) {
	rnd := rand.New(rand.NewPCG(2, 1))
	for range 30_000 {
		checkMulDiv3(t, wide(rnd), wide(rnd), wide(rnd), wide(rnd), wide(rnd))
	}
	for range 30_000 { // small numbers meet ties and exact quotients often
		f := func() int64 { return rnd.Int64N(41) - 20 }
		checkMulDiv3(t, f(), f(), f(), f(), f())
		checkMulDiv(t, f(), f(), f())
	}
}

func FuzzMulDiv(f *testing.F) {
	f.Add(int64(3), int64(5), int64(7), int64(2), int64(2))
	f.Add(int64(math.MinInt64), int64(math.MinInt64), int64(math.MinInt64), int64(1), int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, a, b, c, d, e int64) {
		checkMulDiv(t, a, b, d)
		checkMulDiv3(t, a, b, c, d, e)
	})
}

func TestAdd_refusesWhatIsBeyondLimit(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 1))
	for range 30_000 {
		a, b := wide(rnd), wide(rnd)
		sum := new(big.Int).Add(big.NewInt(a), big.NewInt(b))
		if sum.CmpAbs(big.NewInt(Limit)) > 0 {
			sum = nil
		}
		got, ok := Add(Cash(a), Cash(b))
		requireQuotient(t, sum, int64(got), ok, a, b)
	}
}

func TestRescale_agreesWithBigIntegers(t *testing.T) {
	rnd := rand.New(rand.NewPCG(4, 1))
	for range 20_000 {
		v, from, to := wide(rnd), uint8(rnd.IntN(MaxScale+1)), uint8(rnd.IntN(MaxScale+1))
		for _, r := range roundings {
			want := quotient(product(v, pow10[to]), big.NewInt(pow10[from]), r)
			got, ok := Rescale(v, from, to, r)
			requireQuotient(t, want, got, ok, v, from, to, r)
		}
	}
}

func TestApply_roundsAsNamed(t *testing.T) {
	f := func(c Cash, r Rate, how Rounding, want Cash) {
		t.Helper()
		got, ok := r.Apply(c, how)
		require.True(t, ok)
		require.Equal(t, want, got)
	}
	f(100*Cash(One), 10*Bps, Up, 10_000_000) // 0.1 % of 100 is 0.1
	f(1, 10*Bps, Up, 1)
	f(1, 10*Bps, Down, 0)
	f(-1, 10*Bps, Down, -1)
	f(-1, 10*Bps, ToZero, 0)
	f(7, -One, Down, -7)
	f(1, One/2, HalfEven, 0)
	f(3, One/2, HalfEven, 2)
}

func TestRoundTo_movesToAMultipleOfStep(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 1))
	for range 30_000 {
		v, step := rnd.Int64N(2*Limit)-Limit, rnd.Int64N(1<<rnd.IntN(50)+1)+1
		if rnd.IntN(2) == 0 {
			v, step = rnd.Int64N(200)-100, rnd.Int64N(12)+1
		}
		for _, r := range roundings {
			got := int64(RoundTo(Price(v), Price(step), r))
			// |v| ≤ Limit, so the quotient by step ≥ 1 is never beyond it
			want := quotient(big.NewInt(v), big.NewInt(step), r).Int64() * step
			if want != got {
				require.Equal(t, want, got, "of %d to %d, rounding %d", v, step, r)
			}
		}
	}
}
