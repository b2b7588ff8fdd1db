package risk

import (
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/fixed"
)

// exactUp is the definition.
func exactUp(p fixed.Price, q fixed.Qty, s *scale) *big.Int {
	n := new(big.Int).Mul(big.NewInt(int64(p)), big.NewInt(int64(q)))
	n.Mul(n, big.NewInt(s.num))
	den := new(big.Int).Mul(big.NewInt(s.den1), big.NewInt(s.den2))
	v, rem := new(big.Int).QuoRem(n, den, new(big.Int))
	if rem.Sign() != 0 {
		v.Add(v, big.NewInt(1))
	}
	return v
}

func checkScale(t *testing.T, s *scale, p fixed.Price, q fixed.Qty) {
	want := exactUp(p, q, s)
	v, ok := s.up(p, q)
	require.Equal(t, want.Cmp(big.NewInt(fixed.Limit)) <= 0, ok, "%d × %d × %d ÷ %d ÷ %d", p, q, s.num, s.den1, s.den2)
	if ok {
		require.Equal(t, want.Int64(), int64(v), "%d × %d × %d ÷ %d ÷ %d", p, q, s.num, s.den1, s.den2)
	}
}

func TestScale_isExactlyTheDivisionRoundedUp(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	fast := 0
	for range 200_000 {
		ps, qs := uint8(r.IntN(12)), uint8(r.IntN(12))
		num := 1 + r.Int64N(1<<(1+r.IntN(52)))
		switch r.IntN(4) {
		case 0:
			num = int64(fixed.One)
		case 1:
			num = int64(fixed.One) + r.Int64N(2_000_000) - 1_000_000
		}
		s := newScale(num, fixed.Pow10(ps), fixed.Pow10(qs), false)
		p, q := fixed.Price(r.Int64N(1<<(1+r.IntN(53)))), fixed.Qty(r.Int64N(1<<(1+r.IntN(53))))
		if r.IntN(3) == 0 { // round figures, where the fraction is nothing
			p, q = fixed.RoundTo(p, 1_000_000, fixed.ToZero), fixed.RoundTo(q, 1000, fixed.ToZero)
		}
		checkScale(t, &s, p, q)
		if s.m != 0 {
			fast++
		}
	}
	require.Greater(t, fast, 150_000)
}

func TestScale_edges(t *testing.T) {
	for _, s := range []scale{newScale(1, 1, 1, false), newScale(fixed.Limit, 1, 1, false), newScale(1, fixed.Pow10(18), fixed.Pow10(18), false),
		newScale(1, 3, 1, false), newScale(3, 7, 11, false), newScale(1, fixed.Pow10(18), 10, false), newScale(1<<62, 1<<62-1, 1, false)} {
		for _, p := range []fixed.Price{0, 1, 2, 3, 7, fixed.Limit} {
			for _, q := range []fixed.Qty{0, 1, 77, 1000, fixed.Limit} {
				checkScale(t, &s, p, q)
			}
		}
	}
	s := newScale(100, 10, 1, true)
	v, ok := s.up(12345, 7)
	require.True(t, ok)
	require.EqualValues(t, 70, v, "an inverse contract does not count the price")
}

func FuzzScale(f *testing.F) {
	f.Add(int64(100_000_000), uint8(2), uint8(8), int64(9_999_900), int64(12_345))
	f.Add(int64(100_100_000), uint8(8), uint8(8), int64(1)<<50, int64(1)<<52)
	f.Fuzz(func(t *testing.T, num int64, ps, qs uint8, p, q int64) {
		if num <= 0 || num > fixed.Limit || p < 0 || q < 0 || p > fixed.Limit || q > fixed.Limit {
			return
		}
		s := newScale(num, fixed.Pow10(ps%19), fixed.Pow10(qs%19), false)
		checkScale(t, &s, fixed.Price(p), fixed.Qty(q))
	})
}

func TestGrid_tellsMultiples(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 200_000 {
		step := 1 + r.Int64N(1<<(1+r.IntN(40)))
		g := newGrid(step)
		n := r.Int64N(fixed.Limit)
		require.Equal(t, n%step == 0, g.on(n), "%d of %d", n, step)
		require.True(t, g.on(n-n%step))
		require.Equal(t, step == 1, g.on(n-n%step+1))
	}
}
