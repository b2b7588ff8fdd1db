package conform

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/venuesim"
	"oneprice/feeds/wire"
	"oneprice/feeds/wire/wiretest"
)

const (
	// finer is how much finer our prices are than the venue's, so that a price can be off its tick.
	finer = 10
	// patience is how long a card waits for anything.
	patience = 25 * time.Second
	ours     = wiretest.Venue
)

// Currencies of the process, by place: 0 is none.
var (
	bases  = []string{"BTC", "ETH"}
	opened = fixed.Cash(1_000_000 * 1e8) // of the quote currency
	coins  = fixed.Cash(100 * 1e8)       // of each base
	maker  = 10 * fixed.Bps
	taker  = 20 * fixed.Bps
)

// T is a card at work: a simulator that runs, and a gateway that trades at it.
type T struct {
	testing.TB
	card   *Card
	venue  *Venue
	sim    Sim
	faults *venuesim.Faults
	cfg    wire.GatewayConfig
	feed   wire.FeedConfig
	in     *venue.Instrument // the first
	quote  string
	gw     wire.Gateway
	kill   venue.Kill
	got    book
	lost   atomic.Int64
	stop   func() error // of the gateway

	next    uint64
	marked  int               // see mark
	slots   map[uint64]uint32 // by client id
	sides   map[uint64]venue.Side
	patient bool              // see send
	other   uint32            // a slot whose order has the client id of another
	alias   map[uint64]uint64 // an amend's client id to its order's
}

// open starts the venue of a card and learns its instruments.
func open(tb testing.TB, v *Venue, c *Card) *T {
	n, clock := &wire.Machine{}, wire.NewClock(false)
	t := &T{TB: tb, card: c, venue: v, faults: venuesim.NewFaults(5, venuesim.Rates{}), next: 9<<40 | 1, slots: map[uint64]uint32{}, sides: map[uint64]venue.Side{}, alias: map[uint64]uint64{}}
	var pairs []venuesim.PairConfig
	for i, p := range v.Pairs {
		p.Fair, p.FairScale, p.Levels, p.Size = venuesim.NewFair(uint64(i)+7, 6_000_000, 100), 2, 30, 1000
		pairs = append(pairs, p)
	}
	t.quote = strings.Trim(strings.TrimPrefix(pairs[0].Symbol, bases[0]), "-/")
	o := Opening{Net: n, Clock: clock, Faults: t.faults, Pairs: pairs, Acts: c.Acts, Maker: maker, Taker: taker,
		Funds: []Money{{t.quote, opened}, {bases[0], coins}, {bases[1], coins}}}
	t.sim = v.Open(tb, o)
	t.goes(t.sim.Run)
	l := t.sim.Login()
	t.feed = wire.FeedConfig{Venue: ours, Net: n, Clock: clock, REST: l.REST, Seed: 7}
	ls, err := v.Adapter.Load(t.Context(), t.feed)
	require.NoError(t, err)
	t.feed.Instruments = t.instruments(ls)
	t.in = t.feed.Instruments[0]
	t.cfg = wire.GatewayConfig{Venue: ours, Instruments: t.feed.Instruments, Currency: t.currency, Net: n, Clock: clock.Off(-c.Late), WS: l.WS, REST: l.REST,
		Kill: &t.kill, Slots: 4096, Account: "cards", Tier: l.Tier, Key: l.Key, Secret: l.Secret, Lost: func() { t.lost.Add(1) }, Seed: 3}
	return t
}

// currency is the index of a currency.
func (t *T) currency(name string) venue.Ccy {
	for i, n := range []string{t.quote, bases[0], bases[1]} {
		if n == name {
			return venue.Ccy(i + 1)
		}
	}
	return 0
}

// instruments are those of listings, in the order of the venue's pairs, with prices finer than the venue's.
func (t *T) instruments(ls []wire.Listing) (out []*venue.Instrument) {
	for i, p := range t.venue.Pairs {
		for _, l := range ls {
			if l.Symbol != p.Symbol {
				continue
			}
			in := &venue.Instrument{Inst: venue.Inst(i + 1), Venue: ours, Product: venue.Product(i + 1), Symbol: l.Symbol, Name: "cards:" + l.Symbol, Kind: l.Kind, Status: l.Status,
				Base: t.currency(l.Base), Quote: t.currency(l.Quote), Settle: t.currency(l.Settle), Chain: l.Chain, Depth: l.Depth, Checksum: l.Checksum, ChecksumDepth: l.ChecksumDepth,
				PriceScale: p.PriceScale + 1, QtyScale: p.QtyScale, PriceText: p.PriceScale, QtyText: p.QtyScale, Multiplier: fixed.One}
			rules, what, why := l.Rules(in.PriceScale, in.QtyScale)
			require.Equal(t, venue.OK, why, what)
			in.SetRules(rules)
			out = append(out, in)
		}
	}
	require.Len(t, out, len(t.venue.Pairs), "the venue lists what it trades")
	return out
}

// goes runs f until the card ends, or until the returned function is called.
func (t *T) goes(f func(context.Context) error) func() error {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f(ctx) }()
	stop := sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { require.NoError(t, stop()) })
	return stop
}

// start makes a gateway and gives it life, as another process would where there was one before. between may adopt.
func (t *T) start(between func()) {
	if t.stop != nil {
		require.NoError(t, t.stop())
	}
	t.gw = t.gateway()
	if between != nil {
		between()
	}
	gw := t.gw
	t.stop = t.goes(func(ctx context.Context) error { return gw.Run(ctx, &t.got) })
}

func (t *T) gateway() wire.Gateway {
	gw, err := t.venue.Adapter.Gateway(t.cfg)
	require.NoError(t, err)
	return gw
}

func (t *T) ready() {
	t.Helper()
	t.until("a gateway that is ready", t.gw.Ready)
}

// until waits for a condition.
func (t *T) until(what string, done func() bool) {
	t.Helper()
	t.without(what, func() string {
		if done() {
			return ""
		}
		return "not yet"
	})
}

// without waits until why is empty.
func (t *T) without(what string, why func() string) {
	t.Helper()
	end := time.After(patience)
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for why() != "" {
		select {
		case <-look.C:
		case <-end:
			t.Fatalf("card %d: no %s in time (%s)\nreports%s\nthe venue has %+v", t.card.Number, what, why(), t.got.text(), t.sim.Orders())
		}
	}
}

// within bounds a question.
func (t *T) within() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// set lets a fault strike at every chance from now on, and only it.
func (t *T) set(fs ...venuesim.Fault) {
	var r venuesim.Rates
	for _, f := range fs {
		r[f] = 1_000_000
	}
	t.faults.Set(r)
}

// struck waits until a fault has happened.
func (t *T) struck(f venuesim.Fault) {
	t.Helper()
	t.until(fmt.Sprintf("fault %s", f), func() bool { return t.faults.Counts()[f] > 0 })
}

// follow lets the adapter's feed fill books from the simulator.
func (t *T) follow() *wiretest.Rig {
	return wiretest.Follow(t, running{t.sim}, *t.venue.Adapter, t.feed)
}

// running is a simulator that is served already.
type running struct{ Sim }

func (running) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}
