package coinbase_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"oneprice/books"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/coinbase"
	"oneprice/feeds/coinbase/coinbasesim"
	"oneprice/feeds/venuesim"
	"oneprice/feeds/wire"
)

// put collects records from the feed's goroutines.
type put chan []venue.Event

func (p put) Put(ev []venue.Event) venue.Reason {
	p <- append([]venue.Event(nil), ev...)
	return venue.OK
}

// rig is a simulator of two products and a feed of both on loopback sockets, with the books that the feed fills.
type rig struct {
	t        *testing.T
	sim      *coinbasesim.Sim
	faults   *venuesim.Faults
	clock    *wire.Clock
	feed     wire.Feeder
	books    []*books.Book // by Inst less one
	out      put
	compared int
	trades   int
	touches  int
}

// instruments are the products of the rig.
func instruments() []*venue.Instrument {
	var out []*venue.Instrument
	for i, s := range []string{"BTC-USD", "ETH-USD"} {
		out = append(out, &venue.Instrument{Inst: venue.Inst(i + 1), Venue: 3, Product: 1, Symbol: s, Name: "coinbase:" + s, PriceScale: 2, QtyScale: 8,
			PriceText: 2, QtyText: 8, Tick: 1, Lot: 1, Multiplier: fixed.One})
	}
	return out
}

// follow starts a rig; it ends with the test.
func follow(t *testing.T, faults *venuesim.Faults) *rig {
	n, clock := &wire.Machine{}, wire.NewClock(false)
	r := &rig{t: t, faults: faults, clock: clock, out: make(put, 1024)}
	var pairs []venuesim.PairConfig
	ins := instruments()
	for i, in := range ins {
		r.books = append(r.books, books.New(in, books.Config{}))
		pairs = append(pairs, venuesim.PairConfig{Symbol: in.Symbol, Fair: venuesim.NewFair(uint64(i)+7, 6_000_000, 300), FairScale: 2, PriceScale: 2, QtyScale: 8,
			Tick: 1, Lot: 1000, HalfSpread: 5, Levels: 30, Size: 100})
	}
	var err error
	r.sim, err = coinbasesim.New(coinbasesim.Config{Net: n, Clock: clock, Faults: faults, Address: "127.0.0.1:0", Seed: 7, ActsPerMs: 2000, BookEvery: 10 * venue.Millisecond, Pairs: pairs})
	require.NoError(t, err)
	r.feed, err = coinbase.Adapter.Feed(wire.FeedConfig{Venue: 3, Instruments: ins, Net: n, Clock: clock, WS: "ws://" + r.sim.Addr(), Touches: true, Trades: true, Seed: 7})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- r.sim.Run(ctx) }()
	go func() { ended <- r.feed.Run(ctx, r.out) }()
	t.Cleanup(func() {
		cancel()
		for left := 2; left > 0; {
			select {
			case err := <-ended:
				require.NoError(t, err)
				left--
			case <-r.out: // what is still on its way
			}
		}
	})
	return r
}

// until applies what comes until done says so; every book that is Live is held against the simulator.
func (r *rig) until(limit time.Duration, done func() bool) {
	r.t.Helper()
	deadline := time.After(limit)
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for !done() {
		select {
		case <-look.C:
		case ev := <-r.out:
			r.apply(ev)
			for _, b := range r.books {
				if b.State() == books.Live {
					r.hold(b)
				}
			}
		case <-deadline:
			for _, b := range r.books {
				r.t.Errorf("%s is %s (%s), counters %+v", b.Instrument().Name, b.State(), b.Why(), b.Counters())
			}
			r.t.Fatalf("no result in time; compared %d, faults %v", r.compared, r.faults.Counts())
		}
	}
}

func (r *rig) apply(ev []venue.Event) {
	for i := 0; i < len(ev); i++ {
		e := &ev[i]
		if e.Inst == 0 {
			require.Equal(r.t, venue.Alive, e.Kind)
			continue
		}
		b, o := r.books[e.Inst-1], books.Outcome(0)
		switch e.Kind {
		case venue.Head:
			n := e.Count()
			o = b.Apply(ev[i : i+1+n])
			i += n
		case venue.Touch:
			r.touches++
			o = b.ApplyTouch(e)
		case venue.Trade:
			r.trades++
		case venue.Gap:
			o = b.Invalidate(venue.Reason(e.W[0]))
		}
		if o&books.WantSnapshot != 0 {
			r.feed.Resync(e.Inst)
		}
	}
}

// hold requires that a Live book is what the simulator published under the number that it claims.
func (r *rig) hold(b *books.Book) {
	var top [2][]venue.Level
	for i, s := range []venue.Side{venue.Buy, venue.Sell} {
		for c := b.Rows(s); len(top[i]) < 10 && c.Next(); {
			top[i] = append(top[i], c.Level)
		}
		for len(top[i]) < 10 {
			top[i] = append(top[i], venue.Level{})
		}
	}
	same, known := r.sim.Matches(b.Instrument().Symbol, b.Seq(), top[0], top[1])
	require.True(r.t, known, "%s claims %d, which was never sent", b.Instrument().Name, b.Seq())
	require.True(r.t, same, "%s is wrong at %d", b.Instrument().Name, b.Seq())
	r.compared++
}

func (r *rig) live() bool {
	for _, b := range r.books {
		if b.State() != books.Live {
			return false
		}
	}
	return true
}

func TestFeed_followsTheVenueOverSockets(t *testing.T) {
	r := follow(t, venuesim.NewFaults(1, venuesim.Rates{}))
	r.until(20*time.Second, func() bool { return r.compared >= 200 && r.trades > 0 && r.touches > 0 })
	for _, b := range r.books {
		c := b.Counters()
		require.EqualValues(t, 1, c.Snapshots)
		require.Zero(t, c.Gaps)
		bids, asks, ok := r.sim.Truth(b.Instrument().Symbol, b.Seq())
		require.True(t, ok)
		require.Equal(t, b.Best(venue.Buy), bids[0])
		require.Equal(t, b.Best(venue.Sell), asks[0])
	}
	k := r.feed.Sessions()[0].Counters()
	require.Zero(t, k.Damaged.Load()+k.Unknown.Load()+k.Dropped.Load()+k.Losses.Load())
}

func TestFeed_bringsAFreshBookWhenAsked(t *testing.T) {
	r := follow(t, venuesim.NewFaults(1, venuesim.Rates{}))
	r.until(20*time.Second, r.live)
	r.feed.Resync(2)
	r.feed.Resync(2)
	r.until(20*time.Second, func() bool { return r.books[1].Counters().Snapshots == 2 })
	compared := r.compared
	r.until(20*time.Second, func() bool { return r.compared >= compared+100 })
	require.EqualValues(t, 1, r.books[0].Counters().Snapshots, "nobody asked for this one")
	require.EqualValues(t, 2, r.books[1].Counters().Snapshots, "asked twice, fetched once")
	require.Zero(t, r.books[1].Counters().Gaps)
}

func TestFeed_isNeverLiveWhileWrongUnderFaults(t *testing.T) {
	rates := venuesim.AllFaults
	for i := range rates {
		rates[i] *= 8
	}
	rates[venuesim.Refuse] = 300_000 // of connections, not of messages
	r := follow(t, venuesim.NewFaults(3, rates))
	r.until(60*time.Second, func() bool {
		return r.compared >= 1500 && r.books[0].Counters().Resyncs >= 4 && r.books[1].Counters().Resyncs >= 4
	})
	r.faults.Set(venuesim.Rates{})
	last := max(r.faults.Last(), r.clock.Now())
	compared := r.compared
	r.until(20*time.Second, func() bool { return r.live() && r.compared >= compared+100 })
	require.Less(t, r.clock.Now()-last, 5*venue.Second, "Live again after the last fault")
	c := r.sim.Counters()
	require.Zero(t, c.Connections.Load()+c.Messages.Load()+c.Late.Load(), "the venue's limits were kept")
}

func TestFeed_aFrozenBookHoldsUpNothingElse(t *testing.T) {
	r := follow(t, venuesim.NewFaults(1, venuesim.Rates{}))
	r.until(20*time.Second, r.live)
	frozen, other := r.books[0], r.books[1]
	more := func(b *books.Book, n uint64) {
		from := b.Counters().Applied
		r.until(20*time.Second, func() bool { return b.Counters().Applied >= from+n })
	}
	require.True(t, r.sim.Freeze(frozen.Instrument().Symbol, true))
	more(other, 20) // what was on its way has come
	from := frozen.Counters().Applied
	more(other, 200)
	require.Equal(t, from, frozen.Counters().Applied)
	require.True(t, r.sim.Freeze(frozen.Instrument().Symbol, false))
	more(frozen, 20)
	require.Zero(t, r.feed.Sessions()[0].Counters().Losses.Load())
	require.Zero(t, frozen.Counters().Gaps+frozen.Counters().ChecksumsFailed)
}

func TestFeed_asksAgainWhenNoBookComes(t *testing.T) {
	r := follow(t, venuesim.NewFaults(1, venuesim.Rates{venuesim.Silence: 1_000_000})) // every message starts a silence, most are lost
	r.until(20*time.Second, func() bool { return r.faults.Counts()[venuesim.Silence] > 0 })
	r.faults.Set(venuesim.Rates{})
	r.until(10*time.Second, r.live)
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
