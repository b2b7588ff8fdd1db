package books

import (
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/venue"
)

func TestBook_touchIsComparedWhicheverArrivesFirst(t *testing.T) {
	b := live(t, venue.ChainRange)
	require.Zero(t, b.ApplyTouch(tell(100, 100, 5, 102, 5)), "after the book")
	require.EqualValues(t, 1, b.Counters().TouchCompared)

	b.ApplyTouch(tell(101, 100, 5, 102, 4)) // ahead, of an id that no delta ends at
	b.ApplyTouch(tell(103, 100, 6, 102, 4)) // ahead
	b.ApplyTouch(tell(102, 100, 5, 102, 4)) // late on the wire
	require.Equal(t, Changed, b.Apply(diff(101, 0, 103, l(100, 6), l(102, 4))))
	require.EqualValues(t, 2, b.Counters().TouchCompared)
	require.Zero(t, b.ApplyTouch(tell(99, 1, 1, 2, 1)), "older than the book")
	b.Apply(diff(104, 0, 104, nil, nil))
	require.EqualValues(t, 2, b.Counters().TouchCompared, "each once")
	require.Zero(t, b.Counters().TouchMismatched)
	require.Equal(t, Live, b.State())
}

func TestBook_touchMismatchMakesStale(t *testing.T) {
	f := func(e *venue.Event) {
		t.Helper()
		b := live(t, venue.ChainRange)
		require.Equal(t, StateChanged|WantSnapshot, b.ApplyTouch(e))
		require.Equal(t, venue.TouchMismatch, b.Why())
		require.EqualValues(t, 1, b.Counters().TouchMismatched)
	}
	f(tell(100, 100, 6, 102, 5))
	f(tell(100, 99, 5, 102, 5))
	f(tell(100, 100, 5, 102, 4))
	f(tell(100, 100, 5, 101, 5))
	f(tell(100, 0, 0, 102, 5))

	b := live(t, venue.ChainRange)
	b.ApplyTouch(tell(103, 100, 5, 102, 5))
	require.Equal(t, Changed|StateChanged|WantSnapshot, b.Apply(diff(101, 0, 103, l(100, 6), nil)))
	require.Equal(t, venue.TouchMismatch, b.Why())
}

func TestBook_touchIsComparedWhenTheBookBecomesLive(t *testing.T) {
	b := bookOf(venue.ChainRange)
	b.ApplyTouch(tell(99, 1, 1, 2, 2))
	b.ApplyTouch(tell(100, 100, 5, 102, 5))
	b.ApplyTouch(tell(104, 101, 1, 102, 5))
	b.Apply(diff(101, 0, 104, l(101, 1), nil))
	b.Apply(snap(100, l(100, 5), l(102, 5)))
	require.Equal(t, Live, b.State())
	require.EqualValues(t, 1, b.Counters().TouchCompared, "100 is passed within the replay")
}

func TestBook_newerTouchRemovesWhatIsBetterThanIt(t *testing.T) {
	f := func(e *venue.Event, bids, asks []venue.Level) {
		t.Helper()
		b := live(t, venue.ChainRange)
		b.ApplyTouch(e)
		for i, want := range [2][]venue.Level{bids, asks} {
			side := venue.Buy + venue.Side(i)
			var got []venue.Level
			for c := b.Levels(side); c.Next(); {
				got = append(got, c.Level)
			}
			require.Equal(t, want, got)
			best := venue.Level{}
			if len(want) > 0 {
				best = want[0]
			}
			require.Equal(t, best, b.Best(side))
			require.Equal(t, best.Price, b.Take(side.Other(), 1).Best)
		}
		// once the book is there the touch no longer matters
		b.Apply(diff(101, 0, 110, nil, nil))
		require.EqualValues(t, 100, b.Best(venue.Buy).Price)
	}
	bids, asks := l(100, 5, 98, 6, 97, 7), l(102, 5, 103, 6, 105, 7)
	f(tell(105, 100, 5, 102, 5), bids, asks)
	f(tell(105, 100, 3, 102, 9), l(100, 3, 98, 6, 97, 7), asks)     // the lesser quantity
	f(tell(105, 98, 2, 103, 1), l(98, 2, 97, 7), l(103, 1, 105, 7)) // moved away
	f(tell(105, 99, 2, 104, 1), l(98, 6, 97, 7), l(105, 7))         // between levels: the next one that the book knows
	f(tell(105, 90, 2, 200, 1), nil, nil)                           // beyond all that the book knows
	f(tell(105, 101, 9, 102, 5), bids, asks)                        // better than the book is not believed
	f(tell(105, 100, 5, 101, 9), bids, asks)
	f(tell(105, 0, 0, 102, 5), nil, asks)    // the venue says that the side is empty
	f(tell(105, 103, 5, 102, 5), bids, asks) // crossed: ignored
	f(tell(0, 98, 2, 103, 1), bids, asks)    // no id: cannot be placed
	f(tell(90, 98, 2, 103, 1), bids, asks)   // older than the book
}

func TestBook_newerTouchReachesIntoFar(t *testing.T) {
	b := bookOf(venue.ChainRange)
	const m = 1_000_000_000
	b.Apply(snap(100, l(5*m, 5, 4*m, 6, 3*m, 7, 2*m, 8), l(6*m, 5, 7*m, 6, 8*m, 7)))
	require.Equal(t, Changed, b.ApplyTouch(tell(101, 3*m, 1, 7*m+1, 9)))
	require.Equal(t, l(3*m, 1)[0], b.Best(venue.Buy))
	require.Equal(t, l(8*m, 7)[0], b.Best(venue.Sell))
	require.Equal(t, Walk{Filled: 9, Best: 3 * m, Worst: 2 * m}, b.Take(venue.Sell, 1000))
	require.Equal(t, Walk{}, b.Take(venue.Sell, 0))
	require.Equal(t, Walk{}, b.Take(venue.Buy, -1))
	c := b.Rows(venue.Buy)
	require.True(t, c.Next())
	require.EqualValues(t, 5*m, c.Price)
}

func TestBook_badTouchMakesStale(t *testing.T) {
	f := func(why venue.Reason, e *venue.Event) {
		t.Helper()
		b := New(&venue.Instrument{Tick: 10}, Config{})
		b.Apply(snap(1, l(100, 1), l(110, 1)))
		require.Equal(t, StateChanged|WantSnapshot, b.ApplyTouch(e))
		require.Equal(t, why, b.Why())
	}
	f(venue.OffTick, tell(2, 95, 1, 110, 1))
	f(venue.BadLevel, tell(2, 100, 1, 110, -1))
	f(venue.BadLevel, tell(2, 0, 1, 110, 1))
}

func TestBook_moreTouchesThanRoomLosesTheOldest(t *testing.T) {
	b := New(&venue.Instrument{Tick: 1, Chain: venue.ChainRange}, Config{Touches: 4})
	b.Apply(snap(100, l(100, 5), l(102, 5)))
	for i := uint64(101); i <= 106; i++ {
		b.ApplyTouch(tell(i, 1, 1, 2, 1)) // wrong, all but 105
		if i == 104 {
			b.ApplyTouch(tell(105, 100, 5, 102, 5))
		}
	}
	b.Apply(diff(101, 0, 102, nil, nil))
	require.Zero(t, b.Counters().TouchCompared, "102 gave way")
	b.Apply(diff(103, 0, 105, nil, nil))
	require.EqualValues(t, 2, b.Counters().TouchCompared)
}

func TestBook_idsThatBeginAnewForgetOldTouches(t *testing.T) {
	b := live(t, venue.ChainRange)
	b.ApplyTouch(tell(5000, 98, 1, 105, 1))
	require.EqualValues(t, 98, b.Best(venue.Buy).Price)
	b.Invalidate(venue.ConnectionLost)
	b.Apply(snap(7, l(100, 5), l(102, 5)))
	require.Equal(t, Live, b.State())
	require.EqualValues(t, 100, b.Best(venue.Buy).Price)
}

func TestBook_touchBetweenTheTicksOfARetickAllowsTheNextWorse(t *testing.T) {
	b := live(t, venue.ChainRange)
	b.Apply(diff(101, 0, 101, l(97, 0, 96, 7), l(103, 0, 105, 0, 104, 6, 106, 7)))
	b.ApplyTouch(tell(105, 97, 1, 103, 1))
	b.Retick(2)
	require.Equal(t, Live, b.State())
	require.Equal(t, l(96, 7)[0], b.Best(venue.Buy))
	require.Equal(t, l(104, 6)[0], b.Best(venue.Sell))
	require.EqualValues(t, 13, b.Take(venue.Buy, 100).Filled)
}
