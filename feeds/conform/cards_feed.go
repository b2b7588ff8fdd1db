package conform

import (
	"time"

	"github.com/stretchr/testify/require"

	"oneprice/books/venue"
	"oneprice/feeds/venuesim"
	"oneprice/feeds/wire"
	"oneprice/feeds/wire/wiretest"
)

// busy is a market in which something happens every millisecond.
const busy = 1000

var feedCards = []Card{
	{Number: 1, Says: "loads the instruments that the venue lists today, with tick, lot and status", Alone: true, Run: func(t *T) {
		for i, in := range t.feed.Instruments {
			p := t.venue.Pairs[i]
			require.Equal(t, p.Tick*finer, in.Tick)
			require.Positive(t, int64(in.Lot))
			require.Zero(t, p.Lot%in.Lot)
			require.Equal(t, venue.Trading, in.Status)
			require.NotZero(t, in.Base*in.Quote)
		}
	}},
	{Number: 2, Says: "keeps books that are the venue's at every id, with its touches and trades", Alone: true, Acts: busy, Run: func(t *T) {
		r := t.follow()
		r.Until(patience, func() bool { return r.Compared >= 200 && r.Touches > 0 && r.Trades > 0 && r.Live() })
		require.Zero(t, r.Feed.Sessions()[0].Counters().Losses.Load())
	}},
	{Number: 3, Says: "heals a book whose messages were lost, and is never Live while it is wrong", Alone: true, Acts: busy, Run: func(t *T) {
		t.heals(venuesim.Rates{venuesim.Burst: 20_000, venuesim.Drop: 5_000}, 3)
	}},
	{Number: 4, Says: "heals a book whose checksum disagrees", Needs: []wire.Capability{wire.BookChecksum}, Alone: true, Acts: busy, Run: func(t *T) {
		r := t.heals(venuesim.Rates{venuesim.BadChecksum: 20_000}, 2)
		require.Positive(t, r.Books[0].Counters().ChecksumsFailed)
	}},
	{Number: 5, Says: "is never Live while it is wrong when messages are repeated, swapped or damaged", Alone: true, Acts: busy, Run: func(t *T) {
		t.heals(venuesim.Rates{venuesim.Duplicate: 20_000, venuesim.Reorder: 20_000, venuesim.Garble: 10_000}, 2)
	}},
	{Number: 6, Says: "comes back after its connection was cut", Alone: true, Acts: busy, Run: func(t *T) {
		r := t.follow()
		r.Until(patience, r.Live)
		lost := &r.Feed.Sessions()[0].Counters().Losses
		t.faults.Owe(venuesim.Disconnect)
		r.Until(patience, func() bool { return lost.Load() > 0 })
		t.heard(r)
	}},
	{Number: 7, Says: "shows that one book alone has fallen silent, and that it goes on", Alone: true, Acts: busy, Run: func(t *T) {
		t.follow().FreezeOne(2*venue.Second, 2500*venue.Millisecond) // long enough for a machine that is busy
	}},
	{Number: 8, Says: "brings a fresh book when asked, and the other goes on", Alone: true, Acts: busy, Run: func(t *T) {
		r := t.follow()
		for _, b := range r.Books {
			r.More(b, 5) // a first book that came before the stream began is found out
		}
		r.Until(patience, r.Live)
		one, two := r.Books[0], r.Books[1]
		before := one.Counters()
		two.Invalidate(venue.SequenceGap)
		r.Feed.Resync(2)
		t.heard(r)
		c := one.Counters()
		require.Equal(t, before.Gaps, c.Gaps)
		require.Greater(t, c.Applied, before.Applied)
	}},
	{Number: 9, Says: "keeps the same books from the venue's binary streams", Needs: []wire.Capability{wire.BinaryFeed}, Alone: true, Acts: busy, Run: func(t *T) {
		t.feed.Format, t.feed.WS, t.feed.Key = wire.SBE, t.sim.Login().Binary, t.sim.Login().Key
		r := t.follow()
		r.Until(patience, func() bool { return r.Compared >= 200 && r.Touches > 0 && r.Trades > 0 && r.Live() })
		k := r.Feed.Sessions()[0].Counters()
		require.Zero(t, k.Damaged.Load()+k.Losses.Load())
	}},
}

// heard waits until books are Live and have been compared a while.
func (t *T) heard(r *wiretest.Rig) {
	t.Helper()
	from := r.Compared
	r.Until(patience, func() bool { return r.Live() && r.Compared >= from+50 })
}

// heals lets faults strike until each book has been built anew so many times, and requires that then all is well.
func (t *T) heals(rates venuesim.Rates, times uint64) *wiretest.Rig {
	t.Helper()
	r := t.follow()
	r.Until(patience, r.Live)
	t.faults.Set(rates)
	r.Until(patience, func() bool { return min(r.Books[0].Counters().Resyncs, r.Books[1].Counters().Resyncs) >= times })
	t.faults.Set(venuesim.Rates{})
	began := time.Now()
	t.heard(r)
	require.Less(t, time.Since(began), 10*time.Second, "all is well after the last fault")
	return r
}
