package venuesim

import (
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/fixed"
	"oneprice/books/match"
	"oneprice/books/venue"
)

// twoVenues is one product at two venues, run for a while.
func twoVenues(seed uint64, ms int, look func(now venue.Nanos, a, b *Pair)) {
	f := NewFair(seed, 6_000_000, 300)
	mk := func(n uint64, lag int) *Pair {
		return NewPair(seed*10+n, PairConfig{Symbol: "X", Fair: f, FairScale: 2, PriceScale: 2, QtyScale: 5, Tick: 1, Lot: 1, HalfSpread: 5, Levels: 40,
			Size: 1000, Lag: lag, Dislocation: 400, Every: 2 * venue.Second, For: 400 * venue.Millisecond})
	}
	a, b := mk(1, 1), mk(2, 30)
	now := 1_800_000_000 * venue.Second
	f.Advance(now)
	a.Fill(now, func(*match.Result) {})
	b.Fill(now, func(*match.Result) {})
	for range ms {
		now += venue.Millisecond
		f.Advance(now)
		for range 6 {
			a.Act(now, func(*match.Result) {})
			b.Act(now, func(*match.Result) {})
		}
		look(now, a, b)
	}
}

func TestMarket_looksLikeOne(t *testing.T) {
	var crossed, samples, wide int
	var depth int
	first := fixed.Price(0)
	moved := false
	twoVenues(3, 20_000, func(_ venue.Nanos, a, b *Pair) {
		samples++
		for _, p := range []*Pair{a, b} {
			bid, ask := p.Book.Best(venue.Buy), p.Book.Best(venue.Sell)
			require.True(t, bid.Qty > 0 && ask.Qty > 0, "a side ran dry")
			require.Less(t, bid.Price, ask.Price)
			if ask.Price-bid.Price > 200 {
				wide++
			}
			depth += p.Book.Depth(venue.Buy)
		}
		if first == 0 {
			first = a.Book.Best(venue.Buy).Price
		}
		moved = moved || a.Book.Best(venue.Buy).Price != first
		if a.Book.Best(venue.Buy).Price > b.Book.Best(venue.Sell).Price || b.Book.Best(venue.Buy).Price > a.Book.Best(venue.Sell).Price {
			crossed++
		}
	})
	require.True(t, moved)
	require.Greater(t, crossed, samples/200, "dislocations cross the venues now and then")
	require.Less(t, crossed, samples*3/4, "and mostly not")
	require.Less(t, wide, samples/2)
	require.Greater(t, depth/samples/2, 10)
}

func TestMarket_isTheSameForTheSameSeed(t *testing.T) {
	run := func(seed uint64) (h uint64) {
		twoVenues(seed, 500, func(_ venue.Nanos, a, b *Pair) {
			for _, p := range []*Pair{a, b} {
				l := p.Book.Best(venue.Buy)
				h = h*1099511628211 + uint64(l.Price)*31 + uint64(l.Qty)
			}
		})
		return h
	}
	require.Equal(t, run(7), run(7))
	require.NotEqual(t, run(7), run(8))
}
