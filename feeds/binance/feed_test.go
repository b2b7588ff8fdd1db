package binance_test

import (
	"context"
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
)

// put collects records from feed goroutines.
type put chan []venue.Event

func (p put) Put(ev []venue.Event) venue.Reason {
	p <- append([]venue.Event(nil), ev...)
	return venue.OK
}

// follow runs a simulator and a feed on loopback sockets and hands every message to look until it answers true.
func follow(t *testing.T, kind binancesim.Kind, a wire.Adapter, faults *venuesim.Faults, look func(b *books.Book, s *binancesim.Sim) bool) {
	t.Helper()
	n, clock := &wire.Machine{}, wire.NewClock(false)
	fair := venuesim.NewFair(7, 6_000_000, 300)
	sim, err := binancesim.New(binancesim.Config{Kind: kind, Net: n, Clock: clock, Faults: faults, Address: "127.0.0.1:0", Seed: 7, ActsPerMs: 2000,
		DepthEvery: 10 * venue.Millisecond, Pairs: []venuesim.PairConfig{{Symbol: "BTCUSDT", Fair: fair, FairScale: 2, PriceScale: 2, QtyScale: 5,
			Tick: 1, Lot: 1, HalfSpread: 5, Levels: 30, Size: 100}}})
	require.NoError(t, err)
	in := &venue.Instrument{Inst: 1, Venue: 1, Product: 1, Symbol: "BTCUSDT", Name: "x:BTCUSDT", PriceScale: 2, QtyScale: 5, PriceText: 2, QtyText: 5,
		Tick: 1, Lot: 1, Multiplier: fixed.One, Chain: venue.ChainRange}
	if kind != binancesim.Spot {
		in.Chain = venue.ChainPrev
	}
	out := make(put, 1024)
	feed, err := a.Feed(wire.FeedConfig{Venue: 1, Instruments: []*venue.Instrument{in}, Net: n, Clock: clock, WS: "ws://" + sim.Addr(), REST: "http://" + sim.Addr(),
		Snapshots: out, Touches: true, Trades: true, Seed: 7})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- sim.Run(ctx) }()
	go func() { ended <- feed.Run(ctx, out) }()
	defer func() {
		cancel()
		for left := 2; left > 0; {
			select {
			case err := <-ended:
				require.NoError(t, err)
				left--
			case <-out: // what is still on its way
			}
		}
	}()
	b := books.New(in, books.Config{})
	deadline := time.After(20 * time.Second)
	for {
		select {
		case ev := <-out:
			for i := 0; i < len(ev); i++ {
				var o books.Outcome
				switch e := &ev[i]; e.Kind {
				case venue.Head:
					n := e.Count()
					o = b.Apply(ev[i : i+1+n])
					i += n
				case venue.Touch:
					o = b.ApplyTouch(e)
				case venue.Gap:
					o = b.Invalidate(venue.Reason(e.W[0]))
				}
				if o&books.WantSnapshot != 0 {
					feed.Resync(1)
				}
			}
			if look(b, sim) {
				return
			}
		case <-deadline:
			t.Fatalf("no result in time: book %s (%s), counters %+v", b.State(), b.Why(), b.Counters())
		}
	}
}

// agrees compares a Live book with the simulator's own at the id that it claims; false when the simulator has forgotten it.
func agrees(t *testing.T, b *books.Book, s *binancesim.Sim) bool {
	bids, asks, known := s.Truth("BTCUSDT", b.Seq())
	if !known {
		return false
	}
	for side, want := range map[venue.Side][]venue.Level{venue.Buy: bids, venue.Sell: asks} {
		c := b.Rows(side)
		for n := range want {
			if want[n].Qty == 0 {
				break
			}
			require.True(t, c.Next())
			require.Equal(t, want[n], c.Level, "level %d of side %s at id %d", n, side, b.Seq())
		}
	}
	return true
}

func TestFeed_followsTheVenueOverSockets(t *testing.T) {
	for name, c := range map[string]struct {
		kind binancesim.Kind
		a    wire.Adapter
	}{"spot": {binancesim.Spot, binance.Spot}, "usdm": {binancesim.USDM, binance.USDM}, "coinm": {binancesim.COINM, binance.COINM}} {
		t.Run(name, func(t *testing.T) {
			compared := 0
			follow(t, c.kind, c.a, venuesim.NewFaults(1, venuesim.Rates{}), func(b *books.Book, s *binancesim.Sim) bool {
				if b.State() == books.Live && agrees(t, b, s) {
					compared++
				}
				return compared >= 100 && b.Counters().TouchCompared > 0
			})
		})
	}
}

func TestFeed_isNeverLiveWhileWrongUnderFaults(t *testing.T) {
	rates := venuesim.AllFaults
	for i := range rates {
		rates[i] *= 4
	}
	compared := 0
	follow(t, binancesim.Spot, binance.Spot, venuesim.NewFaults(3, rates), func(b *books.Book, s *binancesim.Sim) bool {
		if b.State() == books.Live && agrees(t, b, s) {
			compared++
		}
		return compared >= 500 && b.Counters().Resyncs >= 3
	})
}
