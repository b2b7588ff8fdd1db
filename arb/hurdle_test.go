package arb

import (
	"math/bits"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

func TestHurdle_neverHidesACrossAndHidesNearlyAllElse(t *testing.T) {
	rnd := rand.New(rand.NewPCG(11, 20261125))
	seen, hidden, idle := 0, 0, 0
	for range 200_000 {
		a, b := spot(1), spot(2)
		a.Fees.Taker, b.Fees.Taker = fixed.Rate(rnd.IntN(200_000)-50_000), fixed.Rate(rnd.IntN(200_000)-50_000)
		l := link(1, 2)
		l.Threshold = fixed.Rate(rnd.IntN(400_000) - 200_000)
		c := newPair(&l, 0, 0, []*venue.Instrument{nil, a, b})
		fx := fixed.One + fixed.Rate(rnd.IntN(4_000_000)-2_000_000)
		switch rnd.IntN(4) { // far from one, too: 1400 KRW to the dollar, and back
		case 0:
			fx = fixed.Rate(70_000 + rnd.IntN(1000))
		case 1:
			fx = 1_400*fixed.One + fixed.Rate(rnd.Int64N(int64(fixed.One)))
		}
		c.setFX(fx)
		ask := fixed.Price(1 + rnd.Int64N(1<<(1+rnd.IntN(52))))
		at, ok := fixed.MulDiv(int64(ask), int64(fixed.One), int64(fx), fixed.HalfEven)
		if !ok || at == 0 {
			continue
		}
		bid := fixed.Price(at + rnd.Int64N(at/200+3) - at/400 - 1)
		if bid <= 0 || bid > fixed.Limit {
			continue
		}
		p := prices{ask, bid}
		need, _ := bits.Mul64(uint64(ask)<<2, c.hurdle())
		interesting := c.crossed(&p, 0) || c.meets(&p)
		passes := int64(bid) >= int64(need)
		if interesting {
			seen++
			require.True(t, passes, "ask %d, bid %d, fx %d, gain %d, need %d", ask, bid, c.fx, c.gain, c.need)
		} else if passes {
			idle++
		} else {
			hidden++
		}
	}
	require.Greater(t, seen, 30_000)
	require.Greater(t, hidden, 10_000)
	t.Logf("%d crosses seen, %d others hidden, %d looked at for nothing", seen, hidden, idle)
}

func TestHurdle_emptySidesNeverPass(t *testing.T) {
	l := link(1, 2)
	c := newPair(&l, 0, 0, []*venue.Instrument{nil, spot(1), spot(2)})
	for _, fx := range []fixed.Rate{0, 1, fixed.One, 1000 * fixed.One} {
		c.setFX(fx)
		need, _ := bits.Mul64(uint64(nothing)<<2, c.hurdle())
		require.Greater(t, int64(need), int64(-1), "no ask, no bid")
		need, _ = bits.Mul64(1<<2, c.hurdle())
		require.Less(t, int64(-1), int64(need), "an ask, no bid")
	}
}

func TestDecide_allocatesNothingForRingsAndSets(t *testing.T) {
	p, q, r := ring()
	x := newRig(t, p, q, r, binary(1, 4, "v:A"), binary(1, 5, "v:B"))
	l := link(4, 5)
	l.Shape, l.Exhaustive, l.BasisLimit = desk.OutcomeSet, true, fixed.One
	s := x.strategy(triangleLink(), l)
	x.book(1, levels{200000, 1}, levels{300000, 1000, 300100, 1000})
	x.book(2, levels{5050, 500, 5049, 500}, levels{6000, 1})
	x.book(3, levels{6000000, 500_000}, levels{7000000, 1})
	x.book(4, levels{10, 1}, levels{40, 100, 41, 100})
	x.book(5, levels{10, 1}, levels{50, 100, 51, 100})
	changed := append([]venue.Inst(nil), x.d.Changed...)
	total := 0
	require.Zero(t, testing.AllocsPerRun(100, func() {
		x.d.Now++
		x.d.Changed = append(x.d.Changed[:0], changed...)
		x.out.Reset()
		s.Decide(x.d, x.out)
		total += len(x.out.Plans())
	}))
	require.Greater(t, total, 200)
}
