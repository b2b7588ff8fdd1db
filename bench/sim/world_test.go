// Package sim runs the whole decision machine (loop, engine, gate, ledger, plans, arbitrage and quoting) against hostile
// venues under a seed, and holds every step against what must always be true, computed here from the venues' own truth.
//
// Decisions
//   - 2026-11-25: it lives under bench because only cmd and bench may import arb and quoting together with engine. It uses
//     the real Loop, single-threaded, so that the rule "record before command" is proved where commands leave.
package sim

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/arb"
	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/engine"
	"oneprice/engine/ring"
	"oneprice/quoting"
	"oneprice/quoting/model"
	"oneprice/risk"
	"oneprice/risk/ledger"
)

const (
	usd venue.Ccy = 1
	btc venue.Ccy = 2

	spotA venue.Inst = 1
	spotB venue.Inst = 2
	perpB venue.Inst = 3
	coinA venue.Inst = 4

	maxAge = venue.Second
	// Every limit below binds within a few seconds of a simulation.
	maxPosition = 3_000
	maxBase     = 6_000
	maxNet      = 200_000_00000000
	maxGross    = 250_000_00000000
)

// instruments are two spot markets, a linear and an inverse perpetual of one product: prices at 0.1, quantities at 0.001.
func instruments() []*venue.Instrument {
	ins := []*venue.Instrument{nil,
		{Inst: spotA, Venue: 1, Name: "a:spot", Kind: venue.Spot, Settle: usd, Chain: venue.ChainRange},
		{Inst: spotB, Venue: 2, Name: "b:spot", Kind: venue.Spot, Settle: usd, Chain: venue.ChainPrev},
		{Inst: perpB, Venue: 2, Name: "b:perp", Kind: venue.Perpetual, Settle: usd, Chain: venue.ChainPrev},
		{Inst: coinA, Venue: 1, Name: "a:coin", Kind: venue.Perpetual, Contract: venue.Inverse, Face: 100_00000000, Settle: btc, Chain: venue.ChainRange},
	}
	for _, in := range ins[1:] {
		in.Product, in.Base, in.Quote, in.Symbol, in.Status = 1, btc, usd, in.Name, venue.Trading
		in.PriceScale, in.QtyScale, in.Tick, in.Lot, in.MinQty, in.MinNotional = 1, 3, 1, 1, 1, 10_00000000
		in.Multiplier, in.Fees = fixed.One, venue.Fees{Maker: -fixed.Bps / 2, Taker: 2 * fixed.Bps}
	}
	ins[coinA].Lot, ins[coinA].MinQty = 1_000, 1_000
	return ins
}

// limits are those of the simulation; every one can bind.
func limits() risk.Config {
	rate := risk.Rate{N: 50, Per: venue.Second, Burst: 100}
	c := risk.Config{Fingerprint: 9, Instruments: make([]risk.InstrumentLimits, 5), Products: []risk.ProductLimits{{}, {MaxBase: maxBase}},
		Venues: make([]risk.VenueLimits, 3), Strategies: make([]risk.StrategyLimits, 4), Currencies: make([]risk.CurrencyLimits, 3)}
	for i := range c.Instruments[1:] {
		c.Instruments[i+1] = risk.InstrumentLimits{Allowed: true, MaxQty: 2_000, MaxPosition: maxPosition, MaxNotional: 100_000_00000000, Collar: fixed.One / 50,
			Reference: risk.Reference{Smooth: venue.Second, MaxAge: 5 * venue.Second}, Guard: fixed.One / 100, MaxAge: maxAge, MaxLag: venue.Second,
			MaxOpen: 12, MayShort: true, Margin: fixed.One / 10, Session: risk.AllDay}
	}
	coin := &c.Instruments[coinA]
	coin.MaxQty, coin.MaxPosition = 1_000_000, 1_500_000
	breaker := risk.BreakerConfig{Failures: 8, Window: 10 * venue.Second, Wait: 2 * venue.Second, MaxWait: 8 * venue.Second, OpeningsPerDay: 1000}
	for v := 1; v <= 2; v++ {
		c.Venues[v] = risk.VenueLimits{Allowed: true, MaxGross: maxGross, MaxNet: maxNet, MaxOpen: 20, Orders: rate, Messages: rate, CancelReserve: 20, Soft: rate,
			OrdersPerDay: 1e6, TradesPerDay: 1e6, MaxClockOffset: venue.Second, Breaker: breaker}
	}
	for i := 1; i < len(c.Strategies); i++ {
		c.Strategies[i] = risk.StrategyLimits{Allowed: true, Orders: rate, Messages: rate, OrdersPerDay: 1e6, DuplicateWindow: 1, MaxLossStreak: 1000,
			MaxRepeats: 1000, RepeatWindow: venue.Second}
	}
	c.Currencies[btc] = risk.CurrencyLimits{MaxAge: 10 * venue.Second, Haircut: fixed.Bps}
	breaker.Failures = 12
	c.Global = risk.GlobalLimits{MaxGross: 2 * maxGross, MaxNet: maxNet, MaxOpen: 40, OrdersPerDay: 1e6, TradesPerDay: 1e6, MaxDailyLoss: 1e13, MaxDrawdown: 1e13,
		MaxLeverage: 10 * fixed.One, MaxPlanLoss: 1e12, MaxMarkAge: 10 * venue.Second, MaxDelay: 100 * venue.Millisecond, Breaker: breaker}
	return c
}

func crosses(r *rand.Rand) arb.Config {
	link := func(name string, a, b venue.Inst) arb.Link {
		return arb.Link{Name: name, Shape: desk.TwoVenue, Legs: []venue.Inst{a, b}, Threshold: 2 * fixed.Bps, MinBase: 1, MaxBase: 500, MaxNotional: 1e13,
			Policy: desk.Policy(r.IntN(2)), OnFail: desk.Playbook(r.IntN(3)), Allowance: fixed.Rate(r.IntN(30)) * fixed.Bps, MaxLoss: 1e10,
			Deadline: 2 * venue.Second, NotAfter: venue.Second / 2, MaxAge: maxAge, Basis: true, BasisLimit: fixed.One / 10}
	}
	return arb.Config{Name: "arb", Links: []arb.Link{link("spots", spotA, spotB), link("basis", spotA, perpB), link("coin", coinA, perpB)}}
}

func quotes(r *rand.Rand) quoting.Config {
	q := quoting.Quote{Inst: spotB, MinHalf: 3 * fixed.Bps, MinEdge: fixed.Bps, Layers: 2, Step: 2 * fixed.Bps, Qty: 100, MaxInventory: 2_000,
		Hysteresis: fixed.Bps, PerSecond: 50, Burst: 50, PostOnly: r.IntN(2) == 0, Amend: r.IntN(2) == 0, NotAfter: venue.Second,
		Pull:  quoting.Pull{MaxAge: maxAge, MaxVol: fixed.One, Fills: 30, Window: venue.Second, Pause: venue.Second},
		Model: model.Params{Gamma: 1e-6, Kappa: 1e9, Horizon: venue.Second, Window: venue.Second},
	}
	if r.IntN(2) == 0 {
		q.Hedge = &quoting.Hedge{Inst: perpB, Slip: 5 * fixed.Bps, Allowance: 10 * fixed.Bps, MaxLoss: 1e10, Deadline: 2 * venue.Second, NotAfter: venue.Second,
			Retry: 200 * venue.Millisecond, MaxCarry: 2_000}
	}
	return quoting.Config{Name: "quoting", Quotes: []quoting.Quote{q}}
}

// machine is what decides, freshly made from a seed; two of one seed are equal.
type machine struct {
	engine *engine.Engine
	desk   *desk.Desk
	gate   *risk.Gate
	kill   venue.Kill
	quiet  *bool
}

func newMachine(t testing.TB, seed uint64) *machine {
	m := &machine{quiet: new(bool)}
	r := rand.New(rand.NewPCG(seed, 1))
	ins := instruments()
	m.desk = desk.New(ins, 2, 2, 64, usd, books.Config{})
	var opening []ledger.Opening
	for v := venue.ID(1); v <= 2; v++ {
		opening = append(opening, ledger.Opening{Venue: v, Ccy: usd, Amount: 300_000_00000000}, ledger.Opening{Venue: v, Ccy: btc, Amount: 10_00000000})
	}
	led, err := ledger.New(m.desk, ledger.Config{Balances: opening})
	require.NoError(t, err)
	m.gate, err = risk.New(limits(), m.desk, &m.kill)
	require.NoError(t, err)
	takes, err := arb.New(crosses(r), ins)
	require.NoError(t, err)
	makes, err := quoting.New(quotes(r), ins)
	require.NoError(t, err)
	m.engine = engine.New(engine.Config{Desk: m.desk, Ledger: led, Gate: m.gate, Strategies: []desk.Strategy{takes, makes, &chaos{r: r, quiet: m.quiet}},
		Epoch: 1, Fingerprint: 9, Plans: 8, Intents: 32, AnswerWithin: venue.Second, MarkEvery: 50 * venue.Millisecond, SweepEvery: 50 * venue.Millisecond,
		MaxAge: []venue.Nanos{0, maxAge, maxAge, maxAge, maxAge}, FX: []engine.RateSource{{Inst: spotA, Ccy: btc}}})
	return m
}

// chaos is a strategy without sense: it says whatever the types allow, of anybody's orders and plans.
type chaos struct {
	r     *rand.Rand
	quiet *bool
}

func (c *chaos) Name() string { return "chaos" }

func (c *chaos) Decide(d *desk.Desk, out *desk.Out) {
	if *c.quiet || c.r.IntN(4) > 0 {
		return
	}
	switch c.r.IntN(6) {
	case 0:
		c.plan(d, out.Plan())
	case 1, 2:
		c.change(d, out.Intent())
	default:
		if in := out.Intent(); in != nil {
			c.order(d, in)
		}
	}
}

// order fills in a new order near the touch, mostly sane.
func (c *chaos) order(d *desk.Desk, in *desk.Intent) {
	in.Op, in.Inst, in.Side = venue.New, venue.Inst(1+c.r.IntN(4)), venue.Side(1+c.r.IntN(2))
	in.Type, in.TIF, in.Role = venue.OrderType(1+c.r.IntN(2)), venue.TIF(1+c.r.IntN(3)), venue.Role(c.r.IntN(7))
	if in.Type == venue.PostOnly {
		in.TIF = venue.GTC
	}
	b := d.Book(in.Inst)
	in.BookSeq = b.Seq()
	in.Price = b.Best(in.Side).Price + fixed.Price(c.r.IntN(400)-200)
	in.Qty = d.Instrument(in.Inst).Lot * fixed.Qty(1+c.r.IntN(900))
	if c.r.IntN(20) == 0 {
		in.Plan, in.Leg = uint64(c.r.IntN(50)), uint8(c.r.IntN(4)) // somebody's reservation
	}
	in.ReduceOnly = c.r.IntN(20) == 0
	if c.r.IntN(50) == 0 {
		in.Qty, in.Price = -in.Qty, fixed.Price(c.r.Int64())
	}
}

// change asks for the end or another shape of any live order.
func (c *chaos) change(d *desk.Desk, in *desk.Intent) {
	i := venue.Inst(1 + c.r.IntN(4))
	if in == nil {
		return
	}
	in.Op, in.Inst, in.Target = venue.Cancel, i, c.r.Uint64N(100)
	live := d.Live[i]
	if len(live) == 0 {
		return
	}
	o := d.Order(live[c.r.IntN(len(live))])
	in.Target, in.Side, in.Role = o.Client, o.Side, o.Role
	if c.r.IntN(3) > 0 {
		in.Op, in.Price = venue.Amend, o.Price+fixed.Price(c.r.IntN(40)-20)
		in.Qty = d.Instrument(i).Lot * fixed.Qty(1+c.r.IntN(900))
		in.BookSeq = d.Book(i).Seq()
	}
}

func (c *chaos) plan(d *desk.Desk, p *desk.Plan) {
	if p == nil {
		return
	}
	p.N, p.Shape = uint8(1+c.r.IntN(3)), desk.TwoVenue
	p.Policy, p.OnFail = desk.Policy(c.r.IntN(2)), desk.Playbook(c.r.IntN(3))
	p.Allowance, p.MaxLoss, p.Deadline = fixed.Rate(c.r.IntN(50))*fixed.Bps, 1e9, d.Now+venue.Second
	for l := range p.N {
		in := &p.Legs[l]
		c.order(d, in)
		in.Type, in.TIF, in.Role = venue.Limit, venue.IOC, venue.RoleLeg
	}
}

// newLoop connects a machine to the hostile world.
func newLoop(m *machine, w *world) *engine.Loop {
	w.bell = ring.NewBell()
	w.events, w.reports = ring.Events(1<<12, w.bell), ring.Reports(1<<12, w.bell)
	return engine.NewLoop(engine.LoopConfig{Engine: m.engine, Events: []*ring.Ring[venue.Event]{w.events}, Reports: []*ring.Ring[venue.Report]{w.reports},
		Taps: []engine.Tap{w}, Gateways: []venue.Gateway{nil, w, w}, Feeds: []venue.Feed{nil, feed{w}, feed{w}}, Audit: w, Clock: w, Policy: engine.Park,
		Bell: w.bell, DrainRecords: 1 << 12})
}
