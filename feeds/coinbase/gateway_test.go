package coinbase_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/coinbase"
	"oneprice/feeds/coinbase/coinbasesim"
	"oneprice/feeds/sign"
	"oneprice/feeds/venuesim"
	"oneprice/feeds/wire"
)

const keyName = "organizations/test-organization/apiKeys/test-api-key"

// The sheet's Ed25519 test key, which its vendor published.
const edKey = "k0BUni0p0vZG1BdpVjS6ogBJ7kxm630AJ2dN+tuputDOKsRAwgyrpEQLeBtS1znTmzPX6Xr2eOWpzx6nW8knkA=="

// usd, btc and eth are the rig's currencies.
const usd, btc, eth venue.Ccy = 1, 2, 3

func ccy(name string) venue.Ccy {
	return map[string]venue.Ccy{"USD": usd, "BTC": btc, "ETH": eth}[name]
}

// reports collects what a gateway says.
type reports struct {
	mu   sync.Mutex
	list []venue.Report
}

func (p *reports) Put(rs []venue.Report) venue.Reason {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list = append(p.list, rs...)
	return venue.OK
}

func (p *reports) all() []venue.Report {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]venue.Report(nil), p.list...)
}

// desk is a simulator and a gateway that trades at it over loopback sockets.
type desk struct {
	t      *testing.T
	sim    *coinbasesim.Sim
	faults *venuesim.Faults
	clock  *wire.Clock
	kill   venue.Kill
	opts   coinbase.GatewayOptions
	gw     *coinbase.Gateway
	got    reports
	lost   chan struct{}
	next   uint64
	stop   func()
}

// setup changes what a desk is made of.
type setup struct {
	rates venuesim.Rates
	acts  int64
	sim   func(*coinbasesim.Config)
	gw    func(*coinbase.GatewayOptions)
}

func newDesk(t *testing.T, s setup) *desk {
	n, clock := &wire.Machine{}, wire.NewClock(false)
	d := &desk{t: t, clock: clock, faults: venuesim.NewFaults(5, s.rates), lost: make(chan struct{}, 100), next: 1<<40 | 1}
	key, err := sign.NewCoinbase(keyName, "api.coinbase.com", sign.SecretOf("a test", []byte(edKey)))
	require.NoError(t, err)
	ins := instruments()
	var pairs []venuesim.PairConfig
	for i, in := range ins {
		in.Quote, in.Base, in.Settle = usd, btc+venue.Ccy(i), usd
		in.Lot = 1000
		pairs = append(pairs, venuesim.PairConfig{Symbol: in.Symbol, Fair: venuesim.NewFair(uint64(i)+7, 6_000_000, 300), FairScale: 2, PriceScale: 2, QtyScale: 8,
			Tick: 1, Lot: 1000, HalfSpread: 500, Levels: 30, Size: 100})
	}
	cfg := coinbasesim.Config{Net: n, Clock: clock, Faults: d.faults, Address: "127.0.0.1:0", Seed: 7, ActsPerMs: s.acts, Pairs: pairs,
		Accounts: []coinbasesim.Account{{Key: keyName, Public: key.Public(), Maker: 40 * fixed.Bps, Taker: 60 * fixed.Bps,
			Money: []coinbasesim.Money{{Currency: "USD", Amount: 1_000_000 * 1e8}, {Currency: "BTC", Amount: 10 * 1e8}, {Currency: "ETH", Amount: 10 * 1e8}}}}}
	if s.sim != nil {
		s.sim(&cfg)
	}
	d.sim, err = coinbasesim.New(cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.sim.Run(ctx) }()
	d.opts = coinbase.GatewayOptions{GatewayConfig: wire.GatewayConfig{Venue: 3, Instruments: ins, Currency: ccy, Net: n, Clock: clock, Kill: &d.kill, Slots: 4096,
		WS: "ws://" + d.sim.Addr() + "/", REST: "http://" + d.sim.Addr(), Seed: 3,
		Lost: func() {
			select {
			case d.lost <- struct{}{}:
			default:
			}
		}}, Signer: key, Timeout: 400 * venue.Millisecond, LookEvery: 200 * venue.Millisecond}
	if s.gw != nil {
		s.gw(&d.opts)
	}
	d.gw, err = coinbase.NewGateway(d.opts)
	require.NoError(t, err)
	d.run(d.gw)
	t.Cleanup(func() {
		d.stop()
		cancel()
		require.NoError(t, <-ended)
	})
	return d
}

// run starts a gateway and waits until it takes orders and hears.
func (d *desk) run(gw *coinbase.Gateway) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- gw.Run(ctx, &d.got) }()
	d.stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(d.t, <-ended)
	})
	d.until("a gateway that is ready", func() bool { return gw.Ready() })
}

// until waits for a condition.
func (d *desk) until(what string, done func() bool) {
	d.t.Helper()
	deadline := time.After(10 * time.Second)
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for !done() {
		select {
		case <-look.C:
		case <-deadline:
			for _, r := range d.got.all() {
				d.t.Log(text(r))
			}
			d.t.Fatalf("no %s in time; counters %s", what, counters(d.gw))
		}
	}
}

func counters(g *coinbase.Gateway) string {
	c := g.Counters()
	return fmt.Sprintf("sent %d acks %d fills %d rejects %d unknown %d auth %d lost %d damaged %d", c.Sent.Load(), c.Acks.Load(), c.Fills.Load(), c.Rejects.Load(),
		c.Unknown.Load(), c.Auth.Load(), c.Lost.Load(), c.Damaged.Load())
}

func text(r venue.Report) string {
	return fmt.Sprintf("%s flags=%d slot=%d client=%x why=%s cum=%d fill=%d price=%d open=%d fee=%d ref=%s seq=%d", r.Kind, r.Flags, r.Slot, r.Client, r.Reason, r.Cum, r.Fill,
		r.Price, r.Open, r.Fee, r.RefBytes(), r.Seq)
}

// order makes a new order of the first instrument.
func (d *desk) order(side venue.Side, kind venue.OrderType, tif venue.TIF, price fixed.Price, qty fixed.Qty) venue.Command {
	d.next++
	return venue.Command{Op: venue.New, Type: kind, TIF: tif, Side: side, Venue: 3, Inst: 1, Slot: uint32(d.next%4000) + 1, Client: d.next, Price: price, Qty: qty,
		NotAfter: d.clock.Now() + 5*venue.Second}
}

// cancelOf and amendOf aim at an order.
func (d *desk) cancelOf(c venue.Command) venue.Command {
	d.next++
	return venue.Command{Op: venue.Cancel, Venue: 3, Inst: c.Inst, Slot: c.Slot, Client: d.next, Target: c.Client}
}

func (d *desk) amendOf(c venue.Command, price fixed.Price, qty fixed.Qty) venue.Command {
	d.next++
	return venue.Command{Op: venue.Amend, Venue: 3, Inst: c.Inst, Slot: c.Slot, Client: d.next, Target: c.Client, Price: price, Qty: qty,
		NotAfter: d.clock.Now() + 5*venue.Second}
}

func (d *desk) submit(c venue.Command) {
	d.t.Helper()
	require.Equal(d.t, venue.Out, d.gw.Submit(&c))
}

// wait is the first report of an order of some kind.
func (d *desk) wait(c venue.Command, kind venue.ReportKind) (found venue.Report) {
	d.t.Helper()
	d.until(kind.String(), func() bool {
		for _, r := range d.got.all() {
			if r.Client == c.Client && r.Kind == kind {
				found = r
				return true
			}
		}
		return false
	})
	require.Equal(d.t, c.Slot, found.Slot)
	return found
}

// of is what was reported of an order.
func (d *desk) of(client uint64) (out []venue.Report) {
	for _, r := range d.got.all() {
		if r.Client == client {
			out = append(out, r)
		}
	}
	return out
}

// touch is the best of a side of the first product.
func (d *desk) touch(side venue.Side) venue.Level {
	bid, ask := d.sim.Touch("BTC-USD")
	if side == venue.Buy {
		return bid
	}
	return ask
}

func TestGateway_placesAndCancels(t *testing.T) {
	d := newDesk(t, setup{})
	c := d.order(venue.Buy, venue.PostOnly, venue.GTC, d.touch(venue.Buy).Price-1000, 200_000)
	d.submit(c)
	ack := d.wait(c, venue.Ack)
	require.Len(t, ack.RefBytes(), 36)
	require.Equal(t, c.Qty, ack.Open)
	d.submit(d.cancelOf(c))
	end := d.wait(c, venue.Cancelled)
	require.Equal(t, venue.UserCancel, end.Reason)
	require.Zero(t, end.Cum)
	require.Len(t, d.of(c.Client), 2, "an Ack and an end, each once")
	_, free := d.sim.Balance(keyName, "USD")
	require.Equal(t, "1000000", free.String())
}

func TestGateway_takesAndDifferencesTheTotals(t *testing.T) {
	d := newDesk(t, setup{})
	ask := d.touch(venue.Sell)
	c := d.order(venue.Buy, venue.Limit, venue.IOC, ask.Price+300, ask.Qty*3/1000*1000)
	d.submit(c)
	fill := d.wait(c, venue.Fill)
	require.NotZero(t, fill.Flags&venue.CumulativeOnly)
	require.Zero(t, fill.Flags&venue.Maker)
	require.Equal(t, usd, fill.FeeCcy)
	require.GreaterOrEqual(t, fill.Price, ask.Price)
	d.until("the whole order", func() bool {
		all := d.of(c.Client)
		return all[len(all)-1].Cum == c.Qty
	})
	d.agree()
	// The price is an average of several levels, which no price of the scale is: two fills make the sum right to 10^-8.
	spent := decimal.NewFromInt(1_000_000)
	for _, r := range d.of(c.Client) {
		if r.Kind == venue.Fill {
			spent = spent.Sub(fixed.Decimal(r.Price, 2).Mul(fixed.Decimal(r.Fill, 8))).Sub(fixed.Decimal(r.Fee, fixed.CashScale))
		}
	}
	left, _ := d.sim.Balance(keyName, "USD")
	require.True(t, left.Sub(spent).Abs().LessThan(decimal.New(2, -fixed.CashScale)), "ours %s, the venue's %s", spent, left)
	total, _ := d.sim.Balance(keyName, "BTC")
	require.Equal(t, fixed.Decimal(c.Qty, 8).String(), total.Sub(fixed.Decimal(fixed.Qty(10), 0)).String())
}

func TestGateway_reportsWhatAnOrderOfEachKindDoes(t *testing.T) {
	d := newDesk(t, setup{})
	bid, ask := d.touch(venue.Buy), d.touch(venue.Sell)
	none := d.order(venue.Buy, venue.Limit, venue.IOC, bid.Price, 100_000)
	d.submit(none)
	require.Equal(t, venue.Unfilled, d.wait(none, venue.Expired).Reason)
	part := d.order(venue.Buy, venue.Limit, venue.IOC, ask.Price, ask.Qty+5000)
	d.submit(part)
	require.Equal(t, ask.Qty, d.wait(part, venue.Expired).Cum)
	require.Equal(t, ask.Price, d.wait(part, venue.Fill).Price)
	fok := d.order(venue.Sell, venue.Limit, venue.FOK, bid.Price, bid.Qty+5000)
	d.submit(fok)
	require.Equal(t, venue.Unfilled, d.wait(fok, venue.Expired).Reason)
	whole := d.order(venue.Sell, venue.Limit, venue.FOK, bid.Price, 2000)
	d.submit(whole)
	require.EqualValues(t, 2000, d.wait(whole, venue.Fill).Cum)
	cross := d.order(venue.Buy, venue.PostOnly, venue.GTC, d.touch(venue.Sell).Price, 100_000)
	d.submit(cross)
	require.Equal(t, venue.PostOnlyCross, d.wait(cross, venue.RejectedReport).Reason)
	gtc := d.order(venue.Sell, venue.Limit, venue.GTC, d.touch(venue.Sell).Price-10, 100_000)
	d.submit(gtc)
	d.wait(gtc, venue.Ack)
	own := d.order(venue.Buy, venue.Limit, venue.IOC, gtc.Price, 2000)
	d.submit(own)
	require.Equal(t, venue.SelfTradePrevented, d.wait(own, venue.Cancelled).Reason)
	stop := d.order(venue.Buy, venue.StopLimit, venue.GTC, ask.Price+90_000, 2000)
	stop.Stop = ask.Price + 80_000
	d.submit(stop)
	d.wait(stop, venue.Ack)
	d.agree()
	loss := d.order(venue.Buy, venue.StopLoss, venue.GTC, ask.Price+90_000, 2000)
	require.Equal(t, venue.NotSent, d.gw.Submit(&loss), "the venue has no such order")
}

func TestGateway_refusalsByReason(t *testing.T) {
	d := newDesk(t, setup{})
	price := d.touch(venue.Buy).Price - 1000
	f := func(name string, why venue.Reason, change func(*venue.Command)) {
		t.Helper()
		c := d.order(venue.Buy, venue.Limit, venue.GTC, price, 100_000)
		change(&c)
		d.submit(c)
		require.Equal(t, why, d.wait(c, venue.RejectedReport).Reason, name)
	}
	f("lot", venue.BadLot, func(c *venue.Command) { c.Qty++ })
	f("notional", venue.BelowMinNotional, func(c *venue.Command) { c.Qty = 1000 })
	f("too much", venue.AboveMaxQty, func(c *venue.Command) { c.Qty, c.Price = 4000*1e8, 100 })
	f("money", venue.InsufficientFunds, func(c *venue.Command) { c.Qty = 100 * 1e8 })
	d.sim.Block(true)
	f("closed", venue.InstrumentHalted, func(c *venue.Command) {})
	d.sim.Block(false)
	c := d.order(venue.Buy, venue.Limit, venue.GTC, price, 100_000)
	d.submit(c)
	d.wait(c, venue.Ack)
	again := c
	again.Slot++
	again.Qty += 1000
	d.submit(again)
	d.until("duplicate", func() bool {
		rs := d.of(c.Client)
		return rs[len(rs)-1].Kind == venue.RejectedReport && rs[len(rs)-1].Reason == venue.Duplicate
	})
	require.EqualValues(t, 1, d.sim.Counters().Duplicates.Load())
	gone := d.cancelOf(d.order(venue.Buy, venue.Limit, venue.GTC, price, 100_000))
	d.submit(gone)
	d.until("cancel of nothing", func() bool {
		rs := d.of(gone.Target)
		return len(rs) == 1 && rs[0].Kind == venue.CancelRejected && rs[0].Reason == venue.UnknownTarget
	})
}

func TestGateway_amends(t *testing.T) {
	d := newDesk(t, setup{})
	price := d.touch(venue.Buy).Price - 1000
	c := d.order(venue.Buy, venue.PostOnly, venue.GTC, price, 100_000)
	d.submit(c)
	d.submit(d.amendOf(c, price-5, 80_000)) // waits for the create
	r := d.wait(c, venue.Amended)
	require.Equal(t, price-5, r.Price)
	require.EqualValues(t, 80_000, r.Open)
	require.Equal(t, d.next, r.Seq)
	cross := d.amendOf(c, d.touch(venue.Sell).Price, 80_000)
	d.submit(cross)
	r = d.wait(c, venue.AmendRejected)
	require.Equal(t, venue.PostOnlyCross, r.Reason)
	require.Equal(t, price-5, r.Price)
	d.agree()
	d.submit(d.cancelOf(c))
	d.wait(c, venue.Cancelled)
}

func TestGateway_cancelsAllOfOurs(t *testing.T) {
	d := newDesk(t, setup{})
	price := d.touch(venue.Buy).Price - 1000
	var cs []venue.Command
	for i := range 12 {
		c := d.order(venue.Buy, venue.PostOnly, venue.GTC, price-fixed.Price(i), 100_000)
		cs = append(cs, c)
		d.submit(c)
	}
	for _, c := range cs {
		d.wait(c, venue.Ack)
	}
	d.kill.Set()
	no := d.order(venue.Buy, venue.PostOnly, venue.GTC, price, 100_000)
	require.Equal(t, venue.NotSent, d.gw.Submit(&no))
	d.submit(venue.Command{Op: venue.CancelAll, Venue: 3})
	for _, c := range cs {
		require.Equal(t, venue.UserCancel, d.wait(c, venue.Cancelled).Reason)
	}
}

func TestGateway_worksWithAnECKey(t *testing.T) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(k)
	require.NoError(t, err)
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	key, err := sign.NewCoinbase(keyName, "api.coinbase.com", sign.SecretOf("a test", text))
	require.NoError(t, err)
	d := newDesk(t, setup{sim: func(c *coinbasesim.Config) { c.Accounts[0].Public = &k.PublicKey },
		gw: func(o *coinbase.GatewayOptions) { o.Signer, o.SignEach = key, true }})
	c := d.order(venue.Buy, venue.PostOnly, venue.GTC, d.touch(venue.Buy).Price-1000, 200_000)
	d.submit(c)
	d.wait(c, venue.Ack)
}

func TestGateway_sweepFindsWhatAnotherProcessLeft(t *testing.T) {
	d := newDesk(t, setup{})
	began := d.clock.Now()
	ask := d.touch(venue.Sell)
	take := d.order(venue.Buy, venue.Limit, venue.IOC, ask.Price+300, ask.Qty*3/1000*1000)
	rest := d.order(venue.Buy, venue.PostOnly, venue.GTC, d.touch(venue.Buy).Price-1000, 100_000)
	for _, c := range []venue.Command{take, rest} {
		d.submit(c)
	}
	d.wait(take, venue.Fill)
	d.wait(rest, venue.Ack)
	d.stop()

	gw, err := coinbase.NewGateway(d.opts)
	require.NoError(t, err)
	var found reports
	require.NoError(t, gw.Sweep(t.Context(), began, &found))
	var trades, acks, cum = 0, map[uint64]bool{}, fixed.Qty(0)
	balances := map[venue.Ccy]fixed.Qty{}
	fees := fixed.Cash(0)
	for _, r := range found.all() {
		require.NotZero(t, r.Flags&venue.Recovered)
		switch r.Kind {
		case venue.Ack:
			acks[r.Client] = true
		case venue.Fill:
			require.Equal(t, take.Client, r.Client)
			require.Len(t, r.RefBytes(), 36)
			require.Equal(t, cum+r.Fill, r.Cum)
			cum, trades, fees = r.Cum, trades+1, fees+r.Fee
		case venue.Balance:
			balances[r.FeeCcy] = r.Cum
		}
	}
	require.Equal(t, take.Qty, cum)
	require.Greater(t, trades, 1, "each trade by itself")
	require.Equal(t, map[uint64]bool{take.Client: true, rest.Client: true}, acks)
	for name, c := range map[string]venue.Ccy{"USD": usd, "BTC": btc} {
		_, free := d.sim.Balance(keyName, name)
		require.Equal(t, free.RoundFloor(8).String(), fixed.Decimal(balances[c], 8).String(), name)
	}
	d.gw = gw
	d.run(gw)
	c := d.cancelOf(rest)
	c.Slot = 77 // the new process gave it another slot
	d.submit(c)
	rest.Slot = 77
	d.until("cancelled", func() bool {
		rs := d.of(rest.Client)
		return rs[len(rs)-1].Kind == venue.Cancelled && rs[len(rs)-1].Slot == 77
	})
}

// agree holds what was reported of every order against the simulator's own record.
func (d *desk) agree() {
	d.t.Helper()
	d.until("agreement", func() bool { return d.disagreement() == "" })
}

// disagreement names an order of which the reports and the venue say different things, "" when there is none.
func (d *desk) disagreement() string {
	type sum struct {
		cum, qty fixed.Qty
		fee      fixed.Cash
		end      venue.ReportKind
		acked    int
	}
	sums := map[uint64]*sum{}
	for _, r := range d.got.all() {
		s := sums[r.Client]
		if s == nil {
			s = &sum{}
			sums[r.Client] = s
		}
		switch r.Kind {
		case venue.Ack:
			s.acked++
			s.qty = r.Open
		case venue.Amended:
			s.qty = r.Open
		case venue.Fill:
			if r.Cum > s.cum {
				if r.Cum-s.cum != r.Fill {
					return text(r) + ": not the increment"
				}
				s.cum, s.fee = r.Cum, s.fee+r.Fee
			}
		case venue.Cancelled, venue.Expired, venue.RejectedReport:
			if s.end != 0 {
				return text(r) + ": ended twice"
			}
			s.end = r.Kind
			if r.Cum > s.cum {
				return text(r) + ": fills missing"
			}
		}
	}
	placed := map[uint64]bool{}
	for _, o := range d.sim.Orders(keyName) {
		client, ours := wire.ParseClientUUID([]byte(o.Client))
		if !ours {
			continue
		}
		if placed[client] {
			return o.Client + " was placed twice"
		}
		placed[client] = true
		s := sums[client]
		if s == nil {
			return o.Client + " was never reported"
		}
		ended := s.end != 0 || s.cum > 0 && s.cum == s.qty
		fee := fixed.Decimal(s.fee, 8)
		if s.cum != o.Cum || ended != (o.Status != "OPEN") || fee.LessThan(o.Fees) || fee.Sub(o.Fees).GreaterThan(fixed.Decimal(fixed.Cash(o.Trades+1), 8)) || s.acked == 0 {
			return fmt.Sprintf("%s: reported %+v, the venue has %+v", o.Client, *s, o)
		}
	}
	for client, s := range sums {
		if s.acked > 0 && !placed[client] {
			return fmt.Sprintf("%x was acknowledged and is not at the venue", client)
		}
	}
	return ""
}
