package binance_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/binance"
	"oneprice/feeds/binance/binancesim"
	"oneprice/feeds/sign"
	"oneprice/feeds/venuesim"
	"oneprice/feeds/wire"
)

const (
	edKey    = "op-ed"
	macKey   = "op-mac"
	macWord  = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
	edSecret = "MC4CAQAwBQYDK2VwBCIEIIJEYWtGBrhACmb9Dvy+qa8WEf0lQOl1s4CLIAB9m89u"
)

// traded is what the reports say of one order.
type traded struct {
	kinds  []venue.ReportKind
	last   venue.Report
	open   fixed.Qty
	price  fixed.Price
	filled fixed.Qty
	worth  int64 // the sum of price times quantity
	fees   fixed.Cash
	trades map[string]bool
	acked  bool
	ref    [40]byte // of the last Ack or Amended
	end    venue.ReportKind
	stated fixed.Qty // Cum of the end
	why    venue.Reason
}

// book collects reports as the engine would: fills once for each trade id.
type book struct {
	mu       sync.Mutex
	orders   map[uint64]*traded
	balances map[venue.Ccy]fixed.Qty
	position fixed.Qty
	foreign  int
	moved    chan struct{}
}

func newBook() *book {
	return &book{orders: map[uint64]*traded{}, balances: map[venue.Ccy]fixed.Qty{}, moved: make(chan struct{}, 1)}
}

func (b *book) Put(rs []venue.Report) venue.Reason {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range rs {
		b.take(&rs[i])
	}
	select {
	case b.moved <- struct{}{}:
	default:
	}
	return venue.OK
}

func (b *book) take(r *venue.Report) {
	if r.Kind == venue.Balance {
		b.balances[r.FeeCcy] = r.Cum
		return
	}
	if r.Kind == venue.PositionIs {
		b.position = r.Cum
		return
	}
	if r.Client == 0 {
		b.foreign++
		return
	}
	o := b.orders[r.Client]
	if o == nil {
		o = &traded{trades: map[string]bool{}}
		b.orders[r.Client] = o
	}
	o.kinds, o.last = append(o.kinds, r.Kind), *r
	switch r.Kind {
	case venue.Ack, venue.Amended:
		o.acked, o.ref = true, r.Ref
		o.open, o.price = r.Open, r.Price
	case venue.Fill:
		if ref := string(r.RefBytes()); !o.trades[ref] {
			o.trades[ref] = true
			o.filled += r.Fill
			o.worth += int64(r.Price) * int64(r.Fill)
			o.fees += r.Fee
		}
	case venue.Cancelled, venue.Expired, venue.RejectedReport:
		o.end, o.stated, o.why = r.Kind, r.Cum, r.Reason
	case venue.NotFound:
		if r.Proves() {
			o.end, o.why = r.Kind, r.Reason
		}
	}
}

// saw reports whether an order has had a report of a kind.
func (o *traded) saw(k venue.ReportKind) bool {
	if o == nil {
		return false
	}
	for _, x := range o.kinds {
		if x == k {
			return true
		}
	}
	return false
}

// ended reports whether an order's end has been reported as k.
func (o *traded) ended(k venue.ReportKind) bool { return o != nil && o.end == k }

// rig is a simulator, a gateway and what it reported.
type rig struct {
	t     *testing.T
	sim   *binancesim.Sim
	gw    *binance.Gateway
	book  *book
	kill  venue.Kill
	clock *wire.Clock
	in    *venue.Instrument
	lost  chan struct{}
	next  uint64
	slot  uint32
	key   string
	fault *venuesim.Faults
	opt   binance.GatewayOptions
	make  func(binance.GatewayOptions) (*binance.Gateway, error)
	stop  func() // ends the gateway and waits for it
}

type rigOptions struct {
	hmac   bool
	usdm   bool
	hedge  bool
	acts   int64
	faults *venuesim.Faults
	change func(*binance.GatewayOptions)
	skip   bool // do not wait for the session
	limit  int64
	funds  []binancesim.Funds
}

func newRig(t *testing.T, o rigOptions) *rig {
	t.Helper()
	n, clock := &wire.Machine{}, wire.NewClock(false)
	if o.faults == nil {
		o.faults = venuesim.NewFaults(1, venuesim.Rates{})
	}
	kind, maker := binancesim.Spot, binance.NewGateway
	if o.usdm {
		kind, maker = binancesim.USDM, binance.NewFutures
		if o.funds == nil {
			o.funds = []binancesim.Funds{{Asset: "USDT", Free: 1_000_000_00000000}}
		}
	}
	if o.limit == 0 {
		o.limit = 100_000
	}
	if o.funds == nil {
		o.funds = []binancesim.Funds{{Asset: "BTC", Free: 100_00000000}, {Asset: "USDT", Free: 10_000_000_00000000}}
	}
	der, err := base64.StdEncoding.DecodeString(edSecret)
	require.NoError(t, err)
	public := ed25519.NewKeyFromSeed(der[len(der)-32:]).Public().(ed25519.PublicKey)
	fair := venuesim.NewFair(7, 6_000_000, 100)
	sim, err := binancesim.New(binancesim.Config{Kind: kind, Net: n, Clock: clock, Faults: o.faults, Address: "127.0.0.1:0", Seed: 7, ActsPerMs: o.acts,
		DepthEvery: 10 * venue.Millisecond, OrdersPer10s: o.limit, Accounts: []binancesim.Account{
			{Key: edKey, Public: public, Funds: o.funds, Maker: 100_000, Taker: 100_000, Hedge: o.hedge},
			{Key: macKey, Secret: []byte(macWord), Funds: o.funds, Maker: 0, Taker: 100_000}},
		Pairs: []venuesim.PairConfig{{Symbol: "BTCUSDT", Fair: fair, FairScale: 2, PriceScale: 2, QtyScale: 5, Tick: 1, Lot: 1, HalfSpread: 5, Levels: 30, Size: 1000}}})
	require.NoError(t, err)
	r := &rig{t: t, sim: sim, book: newBook(), clock: clock, lost: make(chan struct{}, 64), next: 7 << 40, key: edKey, fault: o.faults, make: maker}
	r.in = &venue.Instrument{Inst: 1, Venue: 1, Product: 1, Symbol: "BTCUSDT", Name: "binance:BTCUSDT", PriceScale: 2, QtyScale: 5, Tick: 1, Lot: 1, Multiplier: fixed.One}
	ccy := func(name string) venue.Ccy {
		return map[string]venue.Ccy{"BTC": 1, "USDT": 2}[name]
	}
	opt := binance.GatewayOptions{GatewayConfig: wire.GatewayConfig{Venue: 1, Instruments: []*venue.Instrument{r.in}, Currency: ccy, Net: n, Clock: clock,
		WS: "ws://" + sim.Addr(), REST: "http://" + sim.Addr(), Kill: &r.kill, Slots: 512, Account: "test",
		Key: sign.SecretOf("test", []byte(edKey)), Secret: sign.SecretOf("test", []byte(edSecret)), Lost: func() { r.lost <- struct{}{} }},
		Window: 2 * venue.Second, Engine: 100 * venue.Millisecond, Margin: 50 * venue.Millisecond, Answer: 250 * venue.Millisecond}
	if o.hmac {
		r.key = macKey
		opt.Key, opt.Secret = sign.SecretOf("test", []byte(macKey)), sign.SecretOf("test", []byte(macWord))
	}
	if o.change != nil {
		o.change(&opt)
	}
	r.opt = opt
	runs(t, sim.Run)
	r.restart(nil)
	if !o.skip {
		r.until("the session", r.gw.Ready)
	}
	return r
}

func (r *rig) secret(word string) sign.Secret { return sign.SecretOf("test", []byte(word)) }

// restart puts a new gateway in the place of the old one, as another process would; before runs between its making and its
// life.
func (r *rig) restart(before func()) {
	r.t.Helper()
	if r.stop != nil {
		r.stop()
	}
	var err error
	r.gw, err = r.make(r.opt)
	require.NoError(r.t, err)
	r.book = newBook()
	if before != nil {
		before()
	}
	gw, book := r.gw, r.book
	r.stop = runs(r.t, func(ctx context.Context) error { return gw.Run(ctx, book) })
}

// runs runs f until the test ends, or until the returned function is called.
func runs(t *testing.T, f func(context.Context) error) func() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	t.Cleanup(stop)
	return stop
}

// until waits for a condition on what was reported.
func (r *rig) until(what string, ok func() bool) {
	r.t.Helper()
	deadline := time.After(15 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		r.book.mu.Lock()
		done := ok()
		r.book.mu.Unlock()
		if done {
			return
		}
		select {
		case <-r.book.moved:
		case <-tick.C:
		case <-deadline:
			r.t.Fatalf("no %s in time; orders %s; simulator %+v", what, r.dump(), r.sim.Orders(r.key))
		}
	}
}

func (r *rig) dump() string {
	var b strings.Builder
	for id, o := range r.book.orders {
		fmt.Fprintf(&b, "\n%x %v filled %d end %v why %v", id, o.kinds, o.filled, o.end, o.why)
	}
	return b.String()
}

func (r *rig) of(c *venue.Command) *traded { return r.book.orders[c.Client] }

// new makes a new order in the next slot.
func (r *rig) new(typ venue.OrderType, tif venue.TIF, side venue.Side, price fixed.Price, qty fixed.Qty) *venue.Command {
	r.next++
	r.slot = r.slot%511 + 1
	return &venue.Command{Op: venue.New, Type: typ, TIF: tif, Side: side, Venue: 1, Inst: 1, Slot: r.slot, Client: r.next, Price: price, Qty: qty}
}

// about makes a cancel or amend of an order.
func (r *rig) about(op venue.Op, c *venue.Command, price fixed.Price, qty fixed.Qty) *venue.Command {
	r.next++
	return &venue.Command{Op: op, Venue: 1, Inst: 1, Slot: c.Slot, Client: r.next, Target: c.Client, Price: price, Qty: qty}
}

func (r *rig) send(c *venue.Command) *venue.Command {
	r.t.Helper()
	require.Equal(r.t, venue.Out, r.gw.Submit(c))
	return c
}

// touch is the simulator's best price of a side.
func (r *rig) touch(s venue.Side) fixed.Price {
	return r.sim.Touch("BTCUSDT", s).Price
}

// at is the simulator's own view of an order.
func (r *rig) at(c *venue.Command) *binancesim.OrderState {
	for _, o := range r.sim.Orders(r.key) {
		if o.Client == "op1-"+fmt.Sprintf("%016x", c.Client) {
			return &o
		}
	}
	return nil
}

func both(t *testing.T, f func(t *testing.T, hmac bool)) {
	for _, hmac := range []bool{false, true} {
		t.Run("hmac="+strconv.FormatBool(hmac), func(t *testing.T) { f(t, hmac) })
	}
}

func TestGateway_ordinaryLifeOfOrders(t *testing.T) {
	both(t, func(t *testing.T, hmac bool) {
		r := newRig(t, rigOptions{hmac: hmac})
		bid, ask := r.touch(venue.Buy), r.touch(venue.Sell)

		rests := r.send(r.new(venue.Limit, venue.GTC, venue.Buy, bid-1000, 1000))
		maker := r.send(r.new(venue.PostOnly, venue.GTC, venue.Sell, ask+1000, 1000))
		takes := r.send(r.new(venue.Limit, venue.IOC, venue.Buy, ask+500, 700))
		misses := r.send(r.new(venue.Limit, venue.IOC, venue.Buy, bid-500, 700))
		whole := r.send(r.new(venue.Limit, venue.FOK, venue.Sell, bid-500, 700))
		cannot := r.send(r.new(venue.Limit, venue.FOK, venue.Buy, ask, 8_00000))
		crosses := r.send(r.new(venue.PostOnly, venue.GTC, venue.Buy, ask+10, 1000))
		r.until("first answers", func() bool {
			return r.of(rests).saw(venue.Ack) && r.of(maker).saw(venue.Ack) && r.of(takes) != nil && r.of(takes).filled == 700 && r.of(misses).saw(venue.Expired) &&
				r.of(whole) != nil && r.of(whole).filled == 700 && r.of(cannot).saw(venue.Expired) && r.of(crosses).saw(venue.RejectedReport)
		})
		require.Equal(t, venue.Unfilled, r.of(misses).why)
		require.Equal(t, venue.Unfilled, r.of(cannot).why)
		require.Equal(t, venue.PostOnlyCross, r.of(crosses).why)
		fill := r.of(takes).last
		require.Equal(t, venue.Fill, fill.Kind)
		require.Equal(t, takes.Slot, fill.Slot)
		require.EqualValues(t, 700, fill.Cum)
		require.EqualValues(t, 1, fill.FeeCcy, "a buyer pays in what it gets")
		require.Positive(t, int64(fill.Fee))
		require.True(t, strings.HasPrefix(string(fill.RefBytes()), "BTCUSDT:"))

		r.send(r.about(venue.Amend, rests, bid-1000, 600)) // lower: in place
		r.until("the reduction", func() bool { return r.of(rests).open == 600 })
		id := r.at(rests).ID
		require.EqualValues(t, 600, r.at(rests).Qty)
		moved := r.send(r.about(venue.Amend, rests, bid-900, 900)) // elsewhere: replaced
		r.until("the replacement", func() bool { return r.of(rests).open == 900 && r.of(rests).price == bid-900 })
		require.NotEqual(t, id, r.at(moved).ID, "the venue knows it by another id and client id")
		require.Equal(t, venue.NoReport, r.of(rests).end, "the old order's cancel ends nothing")
		r.send(r.about(venue.Amend, rests, bid-900, 800))
		r.until("a reduction of the replacement", func() bool { return r.of(rests).open == 800 })
		r.send(r.about(venue.Cancel, rests, 0, 0))
		r.send(r.about(venue.Cancel, maker, 0, 0))
		r.until("cancels", func() bool { return r.of(rests).end == venue.Cancelled && r.of(maker).end == venue.Cancelled })
		require.Equal(t, venue.UserCancel, r.of(rests).why)

		again := r.send(r.about(venue.Cancel, maker, 0, 0))
		a, b := r.send(r.new(venue.Limit, venue.GTC, venue.Buy, bid-1000, 1000)), r.send(r.new(venue.Limit, venue.GTC, venue.Sell, ask+2000, 1000))
		r.until("two orders", func() bool { return r.of(a).saw(venue.Ack) && r.of(b).saw(venue.Ack) })
		require.False(t, r.of(again).saw(venue.CancelRejected), "the order ended before: nothing to say")
		r.next++
		require.Equal(t, venue.Out, r.gw.Submit(&venue.Command{Op: venue.CancelAll, Venue: 1, Inst: 1, Client: r.next}))
		r.until("cancel all", func() bool { return r.of(a).end == venue.Cancelled && r.of(b).end == venue.Cancelled })
		require.Empty(t, r.openAtVenue())
	})
}

func (r *rig) openAtVenue() (out []binancesim.OrderState) {
	for _, o := range r.sim.Orders(r.key) {
		if o.Status == "NEW" || o.Status == "PARTIALLY_FILLED" {
			out = append(out, o)
		}
	}
	return out
}

func TestGateway_stopsRestUntilThePriceComes(t *testing.T) {
	r := newRig(t, rigOptions{})
	bid, ask := r.touch(venue.Buy), r.touch(venue.Sell)
	c := r.new(venue.StopLoss, venue.GTC, venue.Buy, ask+2000, 500)
	c.Stop = ask + 4
	r.send(c)
	r.until("the stop's acknowledgement", func() bool { return r.of(c).saw(venue.Ack) })
	require.Zero(t, r.of(c).filled)
	r.send(r.new(venue.Limit, venue.IOC, venue.Buy, ask+500, 20_000)) // moves the price past the stop
	r.until("the stop's fill", func() bool { return r.of(c).filled == 500 })
	require.NotZero(t, bid)
}

func TestGateway_refusalsByReason(t *testing.T) {
	r := newRig(t, rigOptions{})
	bid, ask := r.touch(venue.Buy), r.touch(venue.Sell)
	r.in.PriceScale, r.in.QtyScale = 2, 5
	for _, c := range []struct {
		price fixed.Price
		qty   fixed.Qty
		side  venue.Side
		why   venue.Reason
	}{
		{bid, 1, venue.Buy, venue.BelowMinNotional},
		{bid * 6, 1000, venue.Buy, venue.PriceCollar},
		{ask + 100, 500_00000, venue.Sell, venue.InsufficientFunds},
		{ask + 100, 9001_00000, venue.Sell, venue.BadLot},
	} {
		o := r.send(r.new(venue.Limit, venue.GTC, c.side, c.price, c.qty))
		r.until(c.why.String(), func() bool { return r.of(o).saw(venue.RejectedReport) })
		require.Equal(t, c.why, r.of(o).why)
	}
	ghost := r.new(venue.Limit, venue.GTC, venue.Buy, bid, 1000)
	gone := r.send(r.about(venue.Cancel, ghost, 0, 0))
	require.NotZero(t, gone.Client)

	late := r.new(venue.Limit, venue.GTC, venue.Buy, bid-1000, 1000)
	late.NotAfter = r.clock.Now() - 1
	require.Equal(t, venue.NotSent, r.gw.Submit(late))
	kept := r.send(r.new(venue.Limit, venue.GTC, venue.Buy, bid-1000, 1000))
	r.until("an order", func() bool { return r.of(kept).saw(venue.Ack) })
	r.kill.Set()
	require.Equal(t, venue.NotSent, r.gw.Submit(r.new(venue.Limit, venue.GTC, venue.Buy, bid-1000, 1000)))
	require.Equal(t, venue.NotSent, r.gw.Submit(r.about(venue.Amend, kept, bid-1000, 900)))
	r.send(r.about(venue.Cancel, kept, 0, 0))
	r.until("a cancel while killed", func() bool { return r.of(kept).end == venue.Cancelled })
	require.Len(t, r.sim.Orders(r.key), 1, "nothing else has reached the venue's engine")
}

func TestGateway_partlyFilledIsNotReplaced(t *testing.T) {
	r := newRig(t, rigOptions{})
	bid, ask := r.touch(venue.Buy), r.touch(venue.Sell)
	c := r.send(r.new(venue.Limit, venue.GTC, venue.Sell, bid, 2_00000)) // more than stands there
	r.until("a part", func() bool { o := r.of(c); return o.saw(venue.Ack) && o.filled > 0 })
	require.Equal(t, venue.NotSent, r.gw.Submit(r.about(venue.Amend, c, ask, 2_00000)), "a fill on the way would be sold twice")
	r.send(r.about(venue.Cancel, c, 0, 0))
	r.until("its end", func() bool { return r.of(c).end == venue.Cancelled })
	require.Equal(t, r.of(c).filled, r.of(c).stated)
}

func TestGateway_believesTheOrderLimit(t *testing.T) {
	r := newRig(t, rigOptions{limit: 5})
	bid := r.touch(venue.Buy)
	var some []*venue.Command
	r.until("a full budget", func() bool {
		c := r.new(venue.Limit, venue.GTC, venue.Buy, bid-1000, 1000)
		if r.gw.Submit(c) == venue.NotSent {
			return true
		}
		some = append(some, c)
		return false
	})
	r.until("answers to all", func() bool {
		for _, c := range some {
			if o := r.of(c); !o.saw(venue.Ack) && !o.saw(venue.RejectedReport) {
				return false
			}
		}
		return true
	})
	for _, c := range some {
		if o := r.of(c); o.end == venue.RejectedReport {
			require.Equal(t, venue.RateLimited, o.why)
		} else {
			r.send(r.about(venue.Cancel, c, 0, 0)) // cancels go on
		}
	}
	r.until("cancels", func() bool { return len(r.openAtVenue()) == 0 })
}

func TestGateway_wrongKeyStopsTheVenue(t *testing.T) {
	for name, change := range map[string]func(*binance.GatewayOptions){
		"key":    func(o *binance.GatewayOptions) { o.Key = sign.SecretOf("test", []byte("nobody")) },
		"secret": func(o *binance.GatewayOptions) { o.Key = sign.SecretOf("test", []byte(macKey)) },
	} {
		t.Run(name, func(t *testing.T) {
			n, clock := &wire.Machine{}, wire.NewClock(false)
			r := newRig(t, rigOptions{skip: true})
			var kill venue.Kill
			o := binance.GatewayOptions{GatewayConfig: wire.GatewayConfig{Venue: 1, Instruments: []*venue.Instrument{r.in}, Net: n, Clock: clock, Kill: &kill, Slots: 8, Account: "wrong",
				Currency: func(string) venue.Ccy { return 0 }, WS: "ws://" + r.sim.Addr(), REST: "http://" + r.sim.Addr(),
				Key: sign.SecretOf("test", []byte(edKey)), Secret: sign.SecretOf("test", []byte(edSecret))}}
			change(&o)
			g, err := binance.NewGateway(o)
			require.NoError(t, err)
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			err = g.Run(ctx, newBook())
			var e *wire.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, wire.Auth, e.Kind)
			require.False(t, g.Ready())
			require.Equal(t, venue.NotSent, g.Submit(&venue.Command{Op: venue.New, Slot: 1, Inst: 1}))
			require.ErrorAs(t, g.Sweep(ctx, 0, newBook()), &e)
			require.Equal(t, wire.Auth, e.Kind)
		})
	}
}
