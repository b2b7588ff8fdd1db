package kraken_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/kraken"
	"oneprice/feeds/kraken/krakensim"
	"oneprice/feeds/sign"
	"oneprice/feeds/venuesim"
	"oneprice/feeds/wire"
)

const (
	apiKey = "key-of-a-test"
	// apiSecret is the one of the venue's own example.
	apiSecret = "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="
)

// kept collects reports.
type kept struct {
	mu  sync.Mutex
	all []venue.Report
}

func (k *kept) Put(rs []venue.Report) venue.Reason {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.all = append(k.all, rs...)
	return venue.OK
}

func (k *kept) of(f func(*venue.Report) bool) (out []venue.Report) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range k.all {
		if f(&k.all[i]) {
			out = append(out, k.all[i])
		}
	}
	return out
}

// desk is a gateway and its simulator on loopback sockets.
type desk struct {
	t      *testing.T
	sim    *krakensim.Sim
	faults *venuesim.Faults
	clock  *wire.Clock
	gate   *kraken.Gateway
	kill   venue.Kill
	got    kept
	lost   chan struct{}
	next   uint64
	slot   uint32
	opt    kraken.GatewayOptions
	stop   func() error // of the gateway
}

func currencies(name string) venue.Ccy {
	return map[string]venue.Ccy{"USD": 1, "BTC": 2, "ETH": 3}[name]
}

// spot are instruments with everything that trading needs, at the decimals that the simulator prints.
func spot() []*venue.Instrument {
	var out []*venue.Instrument
	for i, s := range []string{"BTC/USD", "ETH/USD"} {
		out = append(out, &venue.Instrument{Inst: venue.Inst(i + 1), Venue: 4, Product: venue.Product(i + 1), Symbol: s, Name: "kraken:" + s, Kind: venue.Spot,
			PriceScale: 2, QtyScale: 8, Tick: 10, Lot: 1000, Base: venue.Ccy(i + 2), Quote: 1, Settle: 1, Multiplier: fixed.One, Status: venue.Trading})
	}
	return out
}

type option struct {
	tier     kraken.Tier
	rates    venuesim.Rates
	quiet    bool // the flow does nothing after the first book
	noSocket bool
	change   func(*kraken.GatewayOptions)
}

func open(t *testing.T, o option) *desk {
	n, clock := &wire.Machine{}, wire.NewClock(false)
	d := &desk{t: t, clock: clock, faults: venuesim.NewFaults(5, o.rates), lost: make(chan struct{}, 100), next: 1}
	var pairs []venuesim.PairConfig
	for i, in := range spot() {
		pairs = append(pairs, venuesim.PairConfig{Symbol: in.Symbol, Fair: venuesim.NewFair(uint64(i)+7, 6_000_000, 300), FairScale: 2, PriceScale: 1, QtyScale: 8,
			Tick: 1, Lot: 1000, HalfSpread: 2, Levels: 40, Size: 100})
	}
	acts := int64(500)
	if o.quiet {
		acts = 0
	}
	var err error
	d.sim, err = krakensim.New(krakensim.Config{Net: n, Clock: clock, Faults: d.faults, Address: "127.0.0.1:0", Seed: 7, ActsPerMs: acts, Pairs: pairs,
		Accounts: []krakensim.AccountConfig{{Key: apiKey, Secret: apiSecret, Tier: int(o.tier), Maker: decimal.RequireFromString("0.0025"), Taker: decimal.RequireFromString("0.004"),
			Balances: map[string]decimal.Decimal{"USD": decimal.NewFromInt(1_000_000), "BTC": decimal.NewFromInt(10)}}}})
	require.NoError(t, err)
	go0(t, d.sim.Run)
	opt := kraken.GatewayOptions{Tier: o.tier,
		GatewayConfig: wire.GatewayConfig{Key: sign.SecretOf("a test", []byte(apiKey)), Secret: sign.SecretOf("a test", []byte(apiSecret)),
			Lost: func() { d.lost <- struct{}{} }, Venue: 4, Instruments: spot(), Currency: currencies, Net: n, Clock: clock, WS: d.sim.PrivateWS(), REST: "http://" + d.sim.Addr(),
			Kill: &d.kill, Slots: 4096, Account: "test", Seed: 3}}
	if o.change != nil {
		o.change(&opt)
	}
	d.opt = opt
	d.gate, err = kraken.NewGateway(opt)
	require.NoError(t, err)
	if !o.noSocket {
		d.stop = go0(t, func(ctx context.Context) error { return d.gate.Run(ctx, &d.got) })
		d.until("the gateway to be ready", d.gate.Ready)
	}
	return d
}

// go0 runs f until the test ends, or until the returned function is called.
func go0(t *testing.T, f func(context.Context) error) func() error {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	var once sync.Once
	var err error
	stop := func() error {
		once.Do(func() { cancel(); err = <-done })
		return err
	}
	t.Cleanup(func() { require.NoError(t, stop()) })
	return stop
}

// until waits for a condition.
func (d *desk) until(what string, f func() bool) {
	d.t.Helper()
	require.Eventually(d.t, f, 15*time.Second, 2*time.Millisecond, "waiting for %s", what)
}

// order is a command in a slot of its own, one that rests far from the touch.
func (d *desk) order() *venue.Command {
	d.next++
	d.slot++
	now := d.clock.Now()
	return &venue.Command{Op: venue.New, Type: venue.Limit, TIF: venue.GTC, Side: venue.Buy, Venue: 4, Inst: 1, Slot: d.slot, Client: 7<<40 | d.next,
		Price: 5_000_000, Qty: 1_000_000, Decided: now, NotAfter: now + venue.Second}
}

// about makes a cancel or amend of an order.
func (d *desk) about(c *venue.Command, op venue.Op) *venue.Command {
	d.next++
	x := *c
	x.Op, x.Client, x.Target, x.NotAfter = op, 7<<40|d.next, c.Client, 0
	return &x
}

func (d *desk) reports(c *venue.Command, kind venue.ReportKind) []venue.Report {
	return d.got.of(func(r *venue.Report) bool { return r.Client == c.Client && r.Kind == kind })
}

// sees waits for a report of an order.
func (d *desk) sees(c *venue.Command, kind venue.ReportKind) venue.Report {
	d.t.Helper()
	d.until(kind.String(), func() bool { return len(d.reports(c, kind)) > 0 })
	r := d.reports(c, kind)[0]
	require.Equal(d.t, c.Slot, r.Slot)
	require.Equal(d.t, c.Inst, r.Inst)
	return r
}

// held is the simulator's own record of an order.
func (d *desk) held(c *venue.Command) (krakensim.Held, bool) {
	want := string(wire.AppendClientUUID(nil, c.Client))
	for _, h := range d.sim.Orders(apiKey) {
		if h.Client == want {
			return h, true
		}
	}
	return krakensim.Held{}, false
}

func (d *desk) out(c *venue.Command) {
	d.t.Helper()
	require.Equal(d.t, venue.Out, d.gate.Submit(c), "%s", d.gate.Why())
}

func TestGateway_placesAmendsAndCancels(t *testing.T) {
	d := open(t, option{tier: kraken.Pro})
	c := d.order()
	d.out(c)
	ack := d.sees(c, venue.Ack)
	h, ok := d.held(c)
	require.True(t, ok)
	require.Equal(t, h.ID, string(ack.RefBytes()))
	a := d.about(c, venue.Amend)
	a.Price, a.Qty = 5_100_000, 900_000
	d.out(a)
	r := d.sees(c, venue.Amended)
	require.Equal(t, a.Qty, r.Open)
	require.Equal(t, a.Price, r.Price)
	d.out(d.about(c, venue.Cancel))
	r = d.sees(c, venue.Cancelled)
	require.Equal(t, venue.UserCancel, r.Reason)
	require.Zero(t, r.Cum)
	require.Len(t, d.reports(c, venue.Amended), 1, "the answer and the event are told once")
	require.Len(t, d.reports(c, venue.Ack), 1)
	h, _ = d.held(c)
	require.Equal(t, "canceled", h.Status)
	require.Empty(t, d.got.of(func(r *venue.Report) bool { return r.Kind == venue.SentReport }))
}

func TestGateway_fillsWithExactIdsAndFees(t *testing.T) {
	d := open(t, option{tier: kraken.Pro, quiet: true})
	c := d.order()
	c.TIF, c.Price, c.Qty = venue.IOC, 6_100_000, 20_000_000
	d.out(c)
	d.until("all fills", func() bool {
		h, ok := d.held(c)
		return ok && h.Status != "open" && len(d.reports(c, venue.Fill)) == len(h.Trades)
	})
	h, _ := d.held(c)
	sum, fees := fixed.Qty(0), fixed.Cash(0)
	for i, r := range d.reports(c, venue.Fill) {
		sum += r.Fill
		fees += r.Fee
		require.Equal(t, h.Trades[i], string(r.RefBytes()))
		require.Equal(t, sum, r.Cum)
		require.Zero(t, r.Flags&venue.Maker)
		require.EqualValues(t, 1, r.FeeCcy)
		worth, ok := spot()[0].Notional(r.Price, r.Fill, fixed.Up)
		require.True(t, ok)
		fee, ok := fixed.Rate(400_000).Apply(worth, fixed.Up)
		require.True(t, ok)
		require.InDelta(t, int64(fee), int64(r.Fee), 1)
	}
	require.Equal(t, h.Cum, sum)
	require.Positive(t, sum)
	total, _ := d.sim.Balance(apiKey, "BTC")
	require.True(t, total.Equal(decimal.NewFromInt(10).Add(fixed.Decimal(sum, 8))))
	d.until("the balance", func() bool {
		bs := d.got.of(func(r *venue.Report) bool { return r.Kind == venue.Balance && r.FeeCcy == 2 })
		return len(bs) > 0 && int64(bs[len(bs)-1].Cum) == 1_000_000_000+int64(sum)
	})
	d.until("the other balance", func() bool {
		usd, _ := d.sim.Balance(apiKey, "USD")
		bs := d.got.of(func(r *venue.Report) bool { return r.Kind == venue.Balance && r.FeeCcy == 1 })
		return len(bs) > 0 && fixed.Decimal(bs[len(bs)-1].Cum, 8).Equal(usd.RoundFloor(8))
	})
	require.Positive(t, fees)
}

func TestGateway_makesAsWellAsItTakes(t *testing.T) {
	d := open(t, option{tier: kraken.Pro})
	for price := fixed.Price(6_002_000); ; price -= 20 { // down to the first that does not cross
		c := d.order()
		c.Type, c.Price, c.Qty = venue.PostOnly, price, 3_000
		d.out(c)
		d.until("an answer", func() bool { return len(d.reports(c, venue.Ack))+len(d.reports(c, venue.RejectedReport)) > 0 })
		if len(d.reports(c, venue.Ack)) > 0 {
			break
		}
	}
	var fills []venue.Report
	d.until("a maker's fill", func() bool {
		fills = d.got.of(func(r *venue.Report) bool { return r.Kind == venue.Fill })
		return len(fills) > 0
	})
	require.NotZero(t, fills[0].Flags&venue.Maker)
}

func TestGateway_mapsTheVenuesRefusals(t *testing.T) {
	d := open(t, option{tier: kraken.Pro, quiet: true})
	for want, change := range map[venue.Reason]func(*venue.Command){
		venue.PostOnlyCross:     func(c *venue.Command) { c.Type, c.Price = venue.PostOnly, 6_100_000 },
		venue.InsufficientFunds: func(c *venue.Command) { c.Qty = 5_000_000_000 },
		venue.BadTick:           func(c *venue.Command) { c.Price = 5_000_001 },
		venue.BelowMinQty:       func(c *venue.Command) { c.Qty = 500 },
		venue.BelowMinNotional:  func(c *venue.Command) { c.Price, c.Qty = 1_000, 1_000_000 },
		venue.VenueRejected:     func(c *venue.Command) { c.Qty = 1_000_500 },
	} {
		c := d.order()
		change(c)
		d.out(c)
		require.Equal(t, want, d.sees(c, venue.RejectedReport).Reason)
		_, ok := d.held(c)
		require.False(t, ok)
	}
	require.True(t, d.sim.Change("BTC/USD", venuesim.Change{Status: venue.PostOnlyMode}))
	c := d.order()
	d.out(c)
	require.Equal(t, venue.InstrumentHalted, d.sees(c, venue.RejectedReport).Reason)
	require.True(t, d.sim.Change("BTC/USD", venuesim.Change{Status: venue.Trading}))
	c = d.order()
	d.out(d.about(c, venue.Cancel))
	require.Equal(t, venue.UnknownTarget, d.sees(c, venue.CancelRejected).Reason)
	a := d.about(c, venue.Amend)
	d.out(a)
	require.Equal(t, venue.UnknownTarget, d.sees(c, venue.AmendRejected).Reason)
}

func TestGateway_anIOCThatFindsNothingExpires(t *testing.T) {
	d := open(t, option{tier: kraken.Pro, quiet: true})
	c := d.order()
	c.TIF = venue.IOC
	d.out(c)
	r := d.sees(c, venue.Expired)
	require.Equal(t, venue.Unfilled, r.Reason)
	require.Zero(t, r.Cum)
}

func TestGateway_stopsTriggerAtTheVenue(t *testing.T) {
	d := open(t, option{tier: kraken.Pro})
	c := d.order()
	c.Type, c.Side, c.Price, c.Stop, c.Qty = venue.StopLoss, venue.Sell, 0, 6_900_000, 100_000 // the last trade is below it
	d.out(c)
	d.sees(c, venue.Ack)
	require.EqualValues(t, 100_000, d.sees(c, venue.Fill).Fill)
	c = d.order()
	c.Type, c.Side, c.Price, c.Stop = venue.StopLimit, venue.Buy, 6_950_000, 6_900_000
	d.out(c)
	d.sees(c, venue.Ack)
	d.out(d.about(c, venue.Cancel))
	d.sees(c, venue.Cancelled)
	h, _ := d.held(c)
	require.Zero(t, h.Cum)
}

func TestGateway_refusesBeforeAnyByteLeaves(t *testing.T) {
	d := open(t, option{quiet: true})
	f := func(want venue.Reason, change func(*venue.Command)) {
		t.Helper()
		c := d.order()
		change(c)
		require.Equal(t, venue.NotSent, d.gate.Submit(c))
		require.Equal(t, want, d.gate.Why())
	}
	f(venue.NotAllowed, func(c *venue.Command) { c.TIF = venue.FOK })
	f(venue.NotAllowed, func(c *venue.Command) { c.Type, c.TIF = venue.PostOnly, venue.IOC })
	f(venue.Late, func(c *venue.Command) { c.NotAfter = 1 })
	f(venue.UnknownSymbol, func(c *venue.Command) { c.Inst = 9 })
	f(venue.BadIntent, func(c *venue.Command) { c.Slot = 0 })
	f(venue.BadIntent, func(c *venue.Command) { c.Qty = 0 })
	c := d.order()
	d.out(c)
	d.sees(c, venue.Ack)
	d.kill.Set()
	f(venue.Killed, func(*venue.Command) {})
	f(venue.Killed, func(x *venue.Command) { *x = *d.about(c, venue.Amend) })
	d.out(d.about(c, venue.Cancel))
	d.sees(c, venue.Cancelled)
	d.kill.Lift()
	require.Len(t, d.sim.Orders(apiKey), 1)
	require.NoError(t, d.stop())
	f(venue.ConnectionLost, func(*venue.Command) {})
	require.Empty(t, d.got.of(func(r *venue.Report) bool { return r.Kind == venue.SentReport }), "what did not leave is not unknown")
}

func TestGateway_keepsBelowTheTradingCounter(t *testing.T) {
	d := open(t, option{tier: kraken.Starter, quiet: true})
	var placed []*venue.Command
	for {
		c := d.order()
		c.Qty = 1000 + fixed.Qty(len(placed))*1000
		if d.gate.Submit(c) == venue.NotSent {
			require.Equal(t, venue.RateLimited, d.gate.Why())
			break
		}
		placed = append(placed, c)
	}
	require.InDelta(t, 45, len(placed), 3, "a quarter of the 60 is kept for cancels")
	for _, c := range placed {
		d.sees(c, venue.Ack)
	}
	require.Zero(t, d.sim.AccountCounters(apiKey).Rates.Load())
	c := placed[0]
	d.out(d.about(c, venue.Cancel))
	d.sees(c, venue.Cancelled)
	used, most := d.gate.Budget(1)
	require.EqualValues(t, 60, most)
	require.Greater(t, used, int64(len(placed)), "a young order's cancel is dear")
}

func TestGateway_cancelsAllOrByItsOwnIds(t *testing.T) {
	for _, shared := range []bool{false, true} {
		d := open(t, option{tier: kraken.Pro, quiet: true, change: func(o *kraken.GatewayOptions) { o.Shared = shared }})
		var placed []*venue.Command
		for i := range 55 { // more than one batch_cancel takes
			c := d.order()
			c.Inst = venue.Inst(1 + i%2)
			d.out(c)
			placed = append(placed, c)
		}
		for _, c := range placed {
			d.sees(c, venue.Ack)
		}
		all := d.order()
		all.Op, all.Inst, all.Slot = venue.CancelAll, 2, 0
		d.out(all)
		for i, c := range placed {
			if i%2 == 1 {
				d.sees(c, venue.Cancelled)
			}
		}
		h, _ := d.held(placed[0])
		require.Equal(t, "open", h.Status)
		all = d.order()
		all.Op, all.Inst, all.Slot = venue.CancelAll, 0, 0
		d.out(all)
		for _, c := range placed {
			d.sees(c, venue.Cancelled)
		}
	}
}

func TestGateway_sendsABatch(t *testing.T) {
	d := open(t, option{tier: kraken.Pro, quiet: true})
	a, b, bad := d.order(), d.order(), d.order()
	b.Type, b.Price = venue.PostOnly, 4_000_000
	bad.Type, bad.Price = venue.PostOnly, 6_100_000
	require.Equal(t, venue.Out, d.gate.SubmitBatch([]*venue.Command{a, b, bad}))
	d.sees(a, venue.Ack)
	d.sees(b, venue.Ack)
	require.Equal(t, venue.PostOnlyCross, d.sees(bad, venue.RejectedReport).Reason)
	fok := d.order()
	fok.TIF = venue.FOK
	require.Equal(t, venue.NotSent, d.gate.SubmitBatch([]*venue.Command{d.order(), fok}))
	require.Equal(t, venue.NotAllowed, d.gate.Why())
	require.Len(t, d.sim.Orders(apiKey), 2)
}
