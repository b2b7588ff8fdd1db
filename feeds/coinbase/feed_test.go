package coinbase_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/coinbase"
	"oneprice/feeds/coinbase/coinbasesim"
	"oneprice/feeds/venuesim"
	"oneprice/feeds/wire"
	"oneprice/feeds/wire/wiretest"
)

// instruments are the products of the rig.
func instruments() []*venue.Instrument {
	var out []*venue.Instrument
	for i, s := range []string{"BTC-USD", "ETH-USD"} {
		out = append(out, &venue.Instrument{Inst: venue.Inst(i + 1), Venue: 3, Product: 1, Symbol: s, Name: "coinbase:" + s, PriceScale: 2, QtyScale: 8,
			PriceText: 2, QtyText: 8, Tick: 1, Lot: 1, Multiplier: fixed.One})
	}
	return out
}

// rig is a simulator of two products and a feed of both, with the books that the feed fills.
type rig struct {
	*wiretest.Rig
	sim    *coinbasesim.Sim
	faults *venuesim.Faults
}

// follow starts a rig on a network; it ends with the test.
func follow(t *testing.T, n wire.Net, clock *wire.Clock, acts int64, faults *venuesim.Faults) *rig {
	var pairs []venuesim.PairConfig
	ins := instruments()
	for i, in := range ins {
		pairs = append(pairs, venuesim.PairConfig{Symbol: in.Symbol, Fair: venuesim.NewFair(uint64(i)+7, 6_000_000, 300), FairScale: 2, PriceScale: 2, QtyScale: 8,
			Tick: 1, Lot: 1000, HalfSpread: 5, Levels: 30, Size: 100})
	}
	sim, err := coinbasesim.New(coinbasesim.Config{Net: n, Clock: clock, Faults: faults, Address: "127.0.0.1:0", Seed: 7, ActsPerMs: acts, BookEvery: 10 * venue.Millisecond, Pairs: pairs})
	require.NoError(t, err)
	return &rig{wiretest.Follow(t, sim, coinbase.Adapter, wire.FeedConfig{Instruments: ins, Net: n, Clock: clock, Seed: 7}), sim, faults}
}

// onSockets starts a rig on loopback sockets.
func onSockets(t *testing.T, faults *venuesim.Faults) *rig {
	return follow(t, &wire.Machine{}, wire.NewClock(false), 2000, faults)
}

func TestFeed_followsTheVenueOverSockets(t *testing.T) {
	r := onSockets(t, venuesim.NewFaults(1, venuesim.Rates{}))
	r.Until(20*time.Second, func() bool { return r.Compared >= 200 && r.Trades > 0 && r.Touches > 0 })
	for _, b := range r.Books {
		c := b.Counters()
		require.EqualValues(t, 1, c.Snapshots)
		require.Zero(t, c.Gaps)
		bids, asks, ok := r.sim.Truth(b.Instrument().Symbol, b.Seq())
		require.True(t, ok)
		require.Equal(t, b.Best(venue.Buy), bids[0])
		require.Equal(t, b.Best(venue.Sell), asks[0])
	}
	k := r.Feed.Sessions()[0].Counters()
	require.Zero(t, k.Damaged.Load()+k.Unknown.Load()+k.Dropped.Load()+k.Losses.Load())
}

func TestFeed_bringsAFreshBookWhenAsked(t *testing.T) {
	r := onSockets(t, venuesim.NewFaults(1, venuesim.Rates{}))
	r.Until(20*time.Second, r.Live)
	r.Feed.Resync(2)
	r.Feed.Resync(2)
	r.Until(20*time.Second, func() bool { return r.Books[1].Counters().Snapshots == 2 })
	compared := r.Compared
	r.Until(20*time.Second, func() bool { return r.Compared >= compared+100 })
	require.EqualValues(t, 1, r.Books[0].Counters().Snapshots, "nobody asked for this one")
	require.EqualValues(t, 2, r.Books[1].Counters().Snapshots, "asked twice, fetched once")
	require.Zero(t, r.Books[1].Counters().Gaps)
}

func TestFeed_isNeverLiveWhileWrongUnderFaults(t *testing.T) {
	r := onSockets(t, venuesim.NewFaults(3, venuesim.AllFaults.Times(8)))
	r.Until(60*time.Second, func() bool {
		return r.Compared >= 1500 && r.Books[0].Counters().Resyncs >= 4 && r.Books[1].Counters().Resyncs >= 4
	})
	r.faults.Set(venuesim.Rates{})
	last := max(r.faults.Last(), r.Clock.Now())
	compared := r.Compared
	r.Until(20*time.Second, func() bool { return r.Live() && r.Compared >= compared+100 })
	require.Less(t, r.Clock.Now()-last, 5*venue.Second, "Live again after the last fault")
	require.Zero(t, r.Unknown, "a book claimed what was never sent")
	c := r.sim.Counters()
	require.Zero(t, c.Connections.Load()+c.Messages.Load()+c.Late.Load(), "the venue's limits were kept")
}

func TestFeed_aFrozenBookAloneFallsSilent(t *testing.T) {
	onSockets(t, venuesim.NewFaults(1, venuesim.Rates{})).FreezeOne(venue.Second, 1500*venue.Millisecond)
}

func TestFeed_asksAgainWhenNoBookComes(t *testing.T) {
	r := onSockets(t, venuesim.NewFaults(1, venuesim.Rates{venuesim.Silence: 1_000_000})) // every message starts a silence, most are lost
	r.Until(20*time.Second, func() bool { return r.faults.Counts()[venuesim.Silence] > 0 })
	r.faults.Set(venuesim.Rates{})
	r.Until(10*time.Second, r.Live)
}

func TestFeed_refusesWhatItCannotFollow(t *testing.T) {
	for want, change := range map[string]func(*wire.FeedConfig){
		"without instruments": func(c *wire.FeedConfig) { c.Instruments = nil },
		"more than the 10": func(c *wire.FeedConfig) {
			for i := range 11 {
				c.Instruments = append(c.Instruments, &venue.Instrument{Inst: venue.Inst(i + 3), Symbol: fmt.Sprintf("X%d-USD", i)})
			}
		},
		"publishes BTC-USDC as BTC-USD": func(c *wire.FeedConfig) { c.Instruments[0].Symbol = "BTC-USDC" },
	} {
		cfg := wire.FeedConfig{Instruments: instruments(), Net: &wire.Machine{}, Clock: wire.NewClock(false)}
		change(&cfg)
		_, err := coinbase.Adapter.Feed(cfg)
		require.ErrorContains(t, err, want)
	}
}

func TestFeed_livesInVirtualTime(t *testing.T) {
	wiretest.Lives(t, func(t *testing.T, n wire.Net, clock *wire.Clock) (*wiretest.Rig, func(bool)) {
		r := follow(t, n, clock, 50, venuesim.NewFaults(3, venuesim.Rates{}))
		return r.Rig, func(on bool) { r.faults.Set(map[bool]venuesim.Rates{true: venuesim.AllFaults.Times(8)}[on]) }
	})
}

func TestFeed_followsARecordedMarketOverSockets(t *testing.T) {
	wiretest.Replay(t, "coinbase/advanced-l2-btc-eth-20260809.jsonl.gz", coinbase.Adapter, 500, func(n wire.Net, clock *wire.Clock, path string, ins []*venue.Instrument) (wiretest.Server, error) {
		return coinbasesim.NewReplay(venuesim.ReplayConfig{Net: n, Clock: clock, Faults: venuesim.NewFaults(1, venuesim.Rates{}), Address: "127.0.0.1:0",
			Files: []string{path}, Speed: 5, Adapter: coinbase.Adapter, Instruments: ins})
	})
}
