package binance_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"oneprice/books"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/binance"
	"oneprice/feeds/binance/binancesim"
	"oneprice/feeds/venuesim"
	"oneprice/feeds/wire"
	"oneprice/feeds/wire/wiretest"
)

// market is one of the venue's three markets.
type market struct {
	kind    binancesim.Kind
	adapter wire.Adapter
	chain   venue.Chain
}

var (
	spot  = market{binancesim.Spot, binance.Spot, venue.ChainRange}
	usdm  = market{binancesim.USDM, binance.USDM, venue.ChainPrev}
	coinm = market{binancesim.COINM, binance.COINM, venue.ChainPrev}
)

func (m market) instruments() (out []*venue.Instrument) {
	for i, s := range []string{"BTCUSDT", "ETHUSDT"} {
		out = append(out, &venue.Instrument{Inst: venue.Inst(i + 1), Venue: wiretest.Venue, Product: 1, Symbol: s, Name: "binance:" + s, PriceScale: 2, QtyScale: 5,
			PriceText: 2, QtyText: 5, Tick: 1, Lot: 1, Multiplier: fixed.One, Chain: m.chain})
	}
	return out
}

// follower is a simulator of two symbols and a feed of both, with the books that the feed fills.
type follower struct {
	*wiretest.Rig
	sim    *binancesim.Sim
	faults *venuesim.Faults
}

// config is a simulator of two symbols.
func (m market) config(n wire.Net, clock *wire.Clock, acts int64, faults *venuesim.Faults) binancesim.Config {
	var pairs []venuesim.PairConfig
	for i, in := range m.instruments() {
		pairs = append(pairs, venuesim.PairConfig{Symbol: in.Symbol, Fair: venuesim.NewFair(uint64(i)+7, 6_000_000, 300), FairScale: 2, PriceScale: 2, QtyScale: 5,
			Tick: 1, Lot: 1, HalfSpread: 5, Levels: 30, Size: 100})
	}
	return binancesim.Config{Kind: m.kind, Net: n, Clock: clock, Faults: faults, Address: "127.0.0.1:0", Seed: 7, ActsPerMs: acts,
		DepthEvery: 10 * venue.Millisecond, Pairs: pairs}
}

// follow starts a follower on a network; it ends with the test.
func (m market) follow(t *testing.T, n wire.Net, clock *wire.Clock, acts int64, faults *venuesim.Faults) *follower {
	sim, err := binancesim.New(m.config(n, clock, acts, faults))
	require.NoError(t, err)
	return &follower{wiretest.Follow(t, sim, m.adapter, wire.FeedConfig{Instruments: m.instruments(), Net: n, Clock: clock, Seed: 7}), sim, faults}
}

// onSockets starts a follower on loopback sockets.
func (m market) onSockets(t *testing.T, faults *venuesim.Faults) *follower {
	return m.follow(t, &wire.Machine{}, wire.NewClock(false), 1000, faults)
}

func TestFeed_followsTheVenueOverSockets(t *testing.T) {
	for name, m := range map[string]market{"spot": spot, "usdm": usdm, "coinm": coinm} {
		t.Run(name, func(t *testing.T) {
			r := m.onSockets(t, venuesim.NewFaults(1, venuesim.Rates{}))
			r.Until(20*time.Second, func() bool { return r.Compared >= 500 && r.Trades > 0 && r.Touches > 0 })
			for _, b := range r.Books {
				r.Until(20*time.Second, func() bool { return b.State() == books.Live && b.Counters().TouchCompared > 0 })
				require.EqualValues(t, 1, b.Counters().Snapshots, "the deltas that had come joined the book")
				bids, asks, ok := r.sim.Truth(b.Instrument().Symbol, b.Seq())
				require.True(t, ok)
				require.Equal(t, wiretest.Tops(b), [2][]venue.Level{bids, asks})
			}
			k := r.Feed.Sessions()[0].Counters()
			require.Zero(t, k.Damaged.Load()+k.Unknown.Load()+k.Dropped.Load()+k.Losses.Load())
		})
	}
}

func TestFeed_isNeverLiveWhileWrongUnderFaults(t *testing.T) {
	r := spot.onSockets(t, venuesim.NewFaults(3, venuesim.AllFaults.Times(4)))
	r.Until(60*time.Second, func() bool {
		return r.Compared >= 1500 && min(r.Books[0].Counters().Resyncs, r.Books[1].Counters().Resyncs) >= 3
	})
	r.faults.Set(venuesim.Rates{})
	last := max(r.faults.Last(), r.Clock.Now())
	compared := r.Compared
	r.Until(20*time.Second, func() bool { return r.Live() && r.Compared >= compared+100 })
	require.Less(t, r.Clock.Now()-last, 5*venue.Second, "Live again after the last fault")
}

func TestFeed_aFrozenBookAloneFallsSilent(t *testing.T) {
	for name, m := range map[string]market{"spot": spot, "usdm": usdm, "coinm": coinm} {
		t.Run(name, func(t *testing.T) {
			m.onSockets(t, venuesim.NewFaults(1, venuesim.Rates{})).FreezeOne(venue.Second, 1500*venue.Millisecond)
		})
	}
}

func TestFeed_livesInVirtualTime(t *testing.T) {
	for name, m := range map[string]market{"spot": spot, "usdm": usdm, "coinm": coinm} {
		t.Run(name, func(t *testing.T) {
			wiretest.Lives(t, func(t *testing.T, n wire.Net, clock *wire.Clock) (*wiretest.Rig, func(bool)) {
				f := m.follow(t, n, clock, 50, venuesim.NewFaults(3, venuesim.Rates{}))
				return f.Rig, func(on bool) { f.faults.Set(map[bool]venuesim.Rates{true: venuesim.AllFaults.Times(3)}[on]) }
			})
		})
	}
}

func TestFeed_followsARecordedMarketOverSockets(t *testing.T) {
	for name, c := range map[string]struct {
		market market
		file   string
		least  int
	}{
		"spot":  {spot, "binance/spot-btcusdt.jsonl.gz", 300},
		"usdm":  {usdm, "binance/usdm-btcusdt.jsonl.gz", 300},
		"coinm": {coinm, "binance/cm-btcusd_perp.jsonl.gz", 300},
		"four":  {spot, "binance/us-spot-4sym-20211012.jsonl.gz", 200},
	} {
		t.Run(name, func(t *testing.T) {
			wiretest.Replay(t, c.file, c.market.adapter, c.least, func(n wire.Net, clock *wire.Clock, path string, ins []*venue.Instrument) (wiretest.Server, error) {
				return binancesim.NewReplay(c.market.kind, venuesim.ReplayConfig{Net: n, Clock: clock, Faults: venuesim.NewFaults(1, venuesim.Rates{}), Address: "127.0.0.1:0",
					Files: []string{path}, Speed: 20, Adapter: c.market.adapter, Instruments: ins})
			})
		})
	}
}
