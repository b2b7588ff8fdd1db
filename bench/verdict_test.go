package bench

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"oneprice/bench/market"
	"oneprice/bench/naive"
	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/risk"
	"oneprice/risk/ledger"
)

const eur = market.BTC + 1

// world is one desk with two gates over it: three spot instruments of one product at three venues, the third in EUR.
type world struct {
	t     *testing.T
	r     *rand.Rand
	ins   []*venue.Instrument
	cfg   risk.Config
	d     *desk.Desk
	ours  *risk.Gate
	naive *naive.Gate
	kill  venue.Kill
	seq   uint64
	// pnl and equity are told to both gates before every intent, unless stale says that nothing values the account.
	pnl, equity int64
	stale       bool
	// rest lets every approved order work; equal makes all intents the same.
	rest, equal bool
}

func newWorld(t *testing.T, c *situation) *world {
	w := &world{t: t, r: rand.New(rand.NewPCG(uint64(len(c.name)), 11)), ins: []*venue.Instrument{nil}, equity: 10_000_000}
	for v := venue.ID(1); v <= 3; v++ {
		w.ins = append(w.ins, &venue.Instrument{Inst: venue.Inst(v), Venue: v, Product: 1, Symbol: "BTCUSDT", Name: fmt.Sprintf("v%d:BTCUSDT", v), Base: market.BTC, Quote: market.USDT,
			Settle: market.USDT, Kind: venue.Spot, Status: venue.Trading, PriceScale: 2, QtyScale: 5, Tick: 10, Lot: 10, MinQty: 20, MaxQty: 1e9, MinNotional: 1, Multiplier: fixed.One,
			Fees: venue.Fees{Maker: 2 * fixed.Bps, Taker: 4 * fixed.Bps}})
	}
	w.ins[3].Quote, w.ins[3].Settle = eur, eur
	w.cfg = (&market.Rig{Config: market.Config{Symbols: 1, Venues: 3}, Instruments: w.ins}).Limits()
	w.cfg.Instruments[1].Reference.From[0] = 2
	w.cfg.Instruments[2].Reference.From[0] = 1
	w.cfg.Instruments[3].Reference = risk.Reference{Smooth: venue.Second, MaxAge: 3600 * venue.Second}
	w.cfg.Currencies = append(w.cfg.Currencies, risk.CurrencyLimits{MaxAge: 60 * venue.Second, Haircut: 10 * fixed.Bps, Pegged: true, PegLow: fixed.One, PegHigh: 2 * fixed.One})
	w.d = desk.New(w.ins, 3, 3, 64, market.USDT, books.Config{})
	w.d.Now = 1_764_000_000 * venue.Second
	w.d.FX[eur] = desk.FXRate{Bid: 108_123_456, Ask: 108_234_567, At: w.d.Now}
	for v := range w.d.Balances {
		w.d.Balances[v][market.USDT], w.d.Balances[v][eur], w.d.Balances[v][market.BTC] = 1e15, 1e15, 1e11
	}
	for i := 1; i <= 3; i++ {
		w.book(venue.Inst(i))
	}
	if c.before != nil {
		c.before(w)
	}
	var err error
	w.ours, err = risk.New(w.cfg, w.d, &w.kill)
	require.NoError(t, err, c.name)
	w.naive = naive.NewGate(&w.cfg, w.d, venueNames[:4], strategyNames, func() time.Time { return w.now() })
	w.mark()
	if c.after != nil {
		c.after(w)
	}
	return w
}

func (w *world) now() time.Time { return time.Unix(0, int64(w.d.Now)).UTC() }

// book gives an instrument ten levels a side.
func (w *world) book(i venue.Inst) {
	var cs []change
	for k := int64(0); k < 10; k++ {
		cs = append(cs, change{true, 9_700_000 - 20*k, 1000 + 100*k}, change{false, 9_700_020 + 20*k, 900 + 100*k})
	}
	w.seq++
	f := frame(nil, cs, venue.Snapshot, w.seq)
	for k := range f {
		f[k].Inst, f[k].Venue = i, w.ins[i].Venue
	}
	f[0].SetHead(w.ins[i].Venue, i, venue.Snapshot, w.d.Now, w.d.Now, 0, 0, w.seq, venue.NoChecksum, len(f)-1)
	w.d.Books[i].Apply(f)
	require.Equal(w.t, books.Live, w.d.Books[i].State())
}

// update shows life of a book, late by so much.
func (w *world) update(i venue.Inst, late venue.Nanos) {
	w.seq++
	var f [1]venue.Event
	f[0].SetHead(w.ins[i].Venue, i, venue.Last, w.d.Now, w.d.Now-late, w.seq, w.seq-1, w.seq, venue.NoChecksum, 0)
	w.d.Books[i].Apply(f[:])
}

func (w *world) mark() {
	if w.stale {
		return
	}
	w.ours.Mark(w.d)
	w.ours.OnWorth(ledger.Worth{PnL: fixed.Cash(w.pnl * 1e8), Equity: fixed.Cash(w.equity * 1e8), OK: true}, w.d.Now)
	w.naive.Worth(decimal.New(w.pnl, 0), decimal.New(w.equity, 0), w.now())
}

// intent is a plain order near the touch, or every third time one with something odd about it.
func (w *world) intent() desk.Intent {
	r := w.r
	in := desk.Intent{Op: venue.New, Type: venue.Limit, TIF: venue.GTC, Side: venue.Buy, Role: venue.RoleQuote, Strategy: 1 + uint16(r.IntN(2)), Inst: venue.Inst(1 + r.IntN(3)),
		Price: 9_700_010, Qty: fixed.Qty(20 + 10*r.Int64N(40))}
	if r.IntN(2) == 0 {
		in.Side = venue.Sell
	}
	in.Price += fixed.Price(in.Side.Sign() * 10 * (r.Int64N(60) - 40))
	if w.equal {
		in.Inst, in.Strategy, in.Qty, in.Price = 1, 1, 100, 9_700_010-fixed.Price(in.Side.Sign()*500)
	}
	switch r.IntN(36) {
	case 0, 1:
		in.TIF = venue.IOC
	case 2:
		in.TIF = venue.FOK
	case 3:
		in.Type = venue.PostOnly
	case 4:
		in.Price++
	case 5:
		in.Qty += 3
	case 6:
		in.Qty = 10
	case 7:
		in.Price -= in.Price / 3 / 10 * 10
	case 8:
		in.Qty *= 40
	case 9:
		in.NotAfter = w.d.Now - venue.Nanos(r.IntN(2))
	case 10:
		in.ReduceOnly = true
	case 11:
		in.TIF = 0
	case 12:
		in.Type, in.TIF = venue.PostOnly, venue.IOC
	}
	return in
}

// order is an intent as the baseline's strategies would say it.
func (w *world) order(in *desk.Intent) *naive.Order {
	i := w.ins[in.Inst]
	o := &naive.Order{Venue: venueNames[i.Venue], Symbol: i.Name, Strategy: strategyNames[in.Strategy], Buy: in.Side == venue.Buy, Type: "LIMIT",
		TIF: [...]string{"", "GTC", "IOC", "FOK"}[in.TIF], Price: fixed.Decimal(in.Price, 2), Qty: fixed.Decimal(in.Qty, 5), ReduceOnly: in.ReduceOnly}
	if in.Type == venue.PostOnly {
		o.Type = "LIMIT_MAKER"
	}
	if in.NotAfter != 0 {
		o.NotAfter = time.Unix(0, int64(in.NotAfter))
	}
	return o
}

// check asks both gates, and requires one answer.
func (w *world) check(name string) risk.Verdict {
	in := w.intent()
	o := w.order(&in)
	var out risk.Approved
	v := w.ours.Check(&in, w.d, &out)
	why := w.naive.Check(o)
	if v.OK() {
		require.Empty(w.t, why, "%s: %+v", name, in)
	} else {
		require.Equal(w.t, v.Reason.String(), why, "%s: %v of %+v", name, v.Rule, in)
	}
	if v.OK() && (w.rest || w.r.IntN(8) == 0) {
		w.works(&in, o)
	}
	return v
}

// works lets an order rest at its venue.
func (w *world) works(in *desk.Intent, o *naive.Order) {
	k := &w.d.Working[in.Inst]
	if in.Side == venue.Buy {
		k.BuyQty, k.BuyWorst, k.Buys = k.BuyQty+in.Qty, max(k.BuyWorst, in.Price), k.Buys+1
	} else {
		if k.Sells == 0 || in.Price < k.SellWorst {
			k.SellWorst = in.Price
		}
		k.SellQty, k.Sells = k.SellQty+in.Qty, k.Sells+1
	}
	w.ours.Refresh(in.Inst, w.d)
	w.naive.Place(o, 1)
}

// fills tells both gates of n fills of different orders of the first strategy at the first venue, each with a loss.
func (w *world) fills(n int, side venue.Side) {
	for i := range n {
		w.d.Positions[1].Realised -= 5
		w.ours.OnReport(&venue.Report{Kind: venue.Fill, Venue: 1, Inst: 1, Client: uint64(i + 1)}, &desk.Order{Side: side, Strategy: 1, Inst: 1, Venue: 1, Client: uint64(i + 1)}, w.d)
		w.naive.TradesToday["v1"]++
		w.naive.TradesToday["all"]++
	}
}

// TestBaseline_judgesAsTheGateDoes puts a seeded set of intents to both gates in a situation for every rule. The rules
// on what B has no use for are left out: amends and cancels (target), derivatives (margin), reservations (plan).
func TestBaseline_judgesAsTheGateDoes(t *testing.T) {
	hits := map[risk.Rule]int{}
	approved := 0
	for _, c := range situations() {
		w := newWorld(t, &c)
		here := 0
		for range 400 {
			w.d.Now += venue.Millisecond
			w.mark()
			v := w.check(c.name)
			hits[v.Rule]++
			if v.OK() {
				approved++
			}
			if v.Rule == c.rule {
				here++
			}
		}
		require.Positive(t, here, "the situation %q never met its rule", c.name)
	}
	require.Greater(t, approved, 1000)
	missed := 0
	for rule := risk.NoRule + 1; int(rule) < risk.Rules; rule++ {
		if rule != risk.RuleTarget && rule != risk.RuleMargin && rule != risk.RulePlan && hits[rule] == 0 {
			t.Errorf("no intent met the rule %v", rule)
			missed++
		}
	}
	require.Zero(t, missed)
	require.Equal(t, risk.Rules-4, naive.Rules, "the baseline counts its rules") // none, target, margin and plan are not B's
}
