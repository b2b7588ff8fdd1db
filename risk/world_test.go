package risk

import (
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/risk/ledger"
)

// Currencies and instruments of the test world. Prices have 2 decimals, quantities 4.
const (
	usd venue.Ccy = 1 + iota
	usdt
	btc
)

const (
	spotA venue.Inst = 1 + iota // venue 1, BTC/USD spot
	spotB                       // venue 2, BTC/USDT spot
	perp                        // venue 2, BTC/USDT linear perpetual
	inv                         // venue 2, BTC/USD inverse perpetual, 100 USD a contract
	yes                         // venue 1, a binary in USD
	no_                         // its complement
)

const start = venue.Nanos(1_764_000_000) * venue.Second

// cash is whole units of a currency.
func cash(v int64) fixed.Cash { return fixed.Cash(v) * 100_000_000 }

// world is a desk with live books, wide limits, and a gate.
type world struct {
	t    testing.TB
	d    *desk.Desk
	cfg  Config
	g    *Gate
	kill venue.Kill
	// notes are what the gates before a restart have noted.
	notes []Note
	seq   uint64
	out   Approved
}

func newWorld(t testing.TB, change ...func(*Config)) *world {
	mk := func(i venue.Inst, v venue.ID, k venue.Kind, quote, settle venue.Ccy) *venue.Instrument {
		return &venue.Instrument{Inst: i, Venue: v, Product: 1, Symbol: "x", Name: "x", Base: btc, Quote: quote, Settle: settle, Kind: k,
			Status: venue.Trading, PriceScale: 2, QtyScale: 4, Tick: 10, Lot: 10, MinQty: 20, MaxQty: 1_000_000, MinNotional: cash(5),
			Multiplier: fixed.One, Fees: venue.Fees{Maker: 5 * fixed.Bps, Taker: 10 * fixed.Bps}}
	}
	ins := []*venue.Instrument{nil, mk(spotA, 1, venue.Spot, usd, usd), mk(spotB, 2, venue.Spot, usdt, usdt),
		mk(perp, 2, venue.Perpetual, usdt, usdt), mk(inv, 2, venue.Perpetual, usd, btc), mk(yes, 1, venue.Binary, usd, usd), mk(no_, 1, venue.Binary, usd, usd)}
	ins[inv].Contract, ins[inv].Face, ins[inv].Multiplier, ins[inv].MinNotional = venue.Inverse, cash(100), 0, cash(1)
	for _, i := range []venue.Inst{yes, no_} {
		ins[i].Product, ins[i].Base, ins[i].Tick, ins[i].MinNotional, ins[i].Complement = 2, 0, 1, 0, i == no_
	}
	w := &world{t: t, d: desk.New(ins, 2, 3, 64, usd, books.Config{})}
	w.d.Now = start
	w.d.FX[usdt] = desk.FXRate{Bid: 99_900_000, Ask: 100_100_000, At: start}
	w.d.FX[btc] = desk.FXRate{Bid: 10_000_000_000_000, Ask: 10_010_000_000_000, At: start}
	for v := range w.d.Balances {
		w.d.Balances[v][usd], w.d.Balances[v][usdt], w.d.Balances[v][btc] = cash(1_000_000), cash(1_000_000), cash(100)
	}
	for _, i := range []venue.Inst{spotA, spotB, perp, inv} {
		w.book(i, 100_000_00, 100_010_00, 50_000)
	}
	w.book(yes, 48, 50, 50_000)
	w.book(no_, 48, 50, 50_000)
	w.cfg = wide()
	for _, f := range change {
		f(&w.cfg)
	}
	w.build()
	return w
}

// wide is limits that stop nothing the tests do unless they say so.
func wide() Config {
	rate := Rate{N: 1000, Per: venue.Second, Burst: 1000}
	il := InstrumentLimits{Allowed: true, MaxQty: 500_000, MaxPosition: 1_000_000, MaxNotional: cash(10_000_000), Collar: 500 * fixed.Bps, Guard: 100 * fixed.Bps,
		Reference: Reference{Smooth: venue.Second, MaxAge: 10 * venue.Second}, MaxAge: 5 * venue.Second, MaxLag: venue.Second, MaxOpen: 20, MayShort: true, Session: AllDay}
	bin := il
	bin.Collar, bin.Guard = fixed.One, fixed.One
	mrg := il
	mrg.Margin = 1000 * fixed.Bps
	mrg.Reference = Reference{From: []venue.Inst{spotA}, MaxAge: 10 * venue.Second}
	vl := VenueLimits{Allowed: true, MaxGross: cash(100_000_000 / 2), MaxNet: cash(50_000_000), MaxOpen: 30, Orders: rate, Messages: rate, CancelReserve: 10, Soft: rate,
		OrdersPerDay: 10_000, TradesPerDay: 10_000, MaxClockOffset: venue.Second, Breaker: DefaultBreaker}
	sl := StrategyLimits{Allowed: true, Orders: rate, Messages: rate, OrdersPerDay: 10_000, DuplicateWindow: 1, MaxLossStreak: 100, MaxRepeats: 1000, RepeatWindow: venue.Second}
	return Config{
		Fingerprint: 7,
		Instruments: []InstrumentLimits{{}, il, il, mrg, mrg, bin, bin},
		Products:    []ProductLimits{{}, {MaxBase: 5_000_000}, {MaxBase: 5_000_000}},
		Venues:      []VenueLimits{{}, vl, vl},
		Strategies:  []StrategyLimits{sl, sl},
		Currencies: []CurrencyLimits{{}, {}, {MaxAge: 60 * venue.Second, Haircut: 10 * fixed.Bps, Pegged: true, PegLow: 98_000_000, PegHigh: 102_000_000},
			{MaxAge: 60 * venue.Second, Haircut: 50 * fixed.Bps}},
		Global: GlobalLimits{MaxGross: cash(80_000_000), MaxNet: cash(80_000_000), MaxOpen: 40, OrdersPerDay: 20_000, TradesPerDay: 20_000,
			MaxDailyLoss: cash(10_000), MaxDrawdown: cash(20_000), MaxLeverage: 100 * fixed.One, MaxPlanLoss: cash(1000), MaxMarkAge: venue.Second,
			MaxDelay: venue.Second, Breaker: DefaultBreaker},
	}
}

func (w *world) build() {
	g, err := New(w.cfg, w.d, &w.kill)
	require.NoError(w.t, err)
	w.g = g
	w.mark()
}

// mark makes everything fresh at Now.
func (w *world) mark() {
	w.g.Mark(w.d)
	w.g.OnWorth(ledger.Worth{PnL: w.g.worth.PnL, Equity: cash(1_000_000), OK: true}, w.d.Now)
}

// book gives an instrument two levels a side, ten ticks apart, received now.
func (w *world) book(i venue.Inst, bid, ask fixed.Price, qty fixed.Qty) {
	w.seq++
	in := w.d.Instruments[i]
	var f [3]venue.Event
	f[0].SetHead(in.Venue, i, venue.Snapshot|venue.Last, w.d.Now, w.d.Now, 0, 0, w.seq, venue.NoChecksum, 2)
	f[1] = venue.Event{Kind: venue.Levels, Flags: venue.Bids, N: 2, Inst: i, W: [6]int64{int64(bid), int64(qty), int64(bid - 10*in.Tick), int64(qty)}}
	f[2] = venue.Event{Kind: venue.Levels, Flags: venue.Asks | venue.Last, N: 2, Inst: i, W: [6]int64{int64(ask), int64(qty), int64(ask + 10*in.Tick), int64(qty)}}
	if i >= yes {
		f[1].N, f[2].N = 1, 1
	}
	w.d.Books[i].Apply(f[:])
	require.Equal(w.t, books.Live, w.d.Books[i].State(), "book %d: %v", i, w.d.Books[i].Why())
}

// step moves the clock and keeps books, rates and marks fresh.
func (w *world) step(dt venue.Nanos) {
	w.d.Now += dt
	for i := spotA; i <= no_; i++ {
		w.d.Books[i].Alive(w.d.Now)
	}
	w.d.FX[usdt].At, w.d.FX[btc].At = w.d.Now, w.d.Now
	w.mark()
}

// buy and sell are plain resting limits at the touch's far side, 0.01 each.
func buy(i venue.Inst) desk.Intent {
	return desk.Intent{Op: venue.New, Type: venue.Limit, TIF: venue.GTC, Side: venue.Buy, Role: venue.RoleQuote, Inst: i, Price: 99_900_00, Qty: 100}
}

func sell(i venue.Inst) desk.Intent {
	return desk.Intent{Op: venue.New, Type: venue.Limit, TIF: venue.GTC, Side: venue.Sell, Role: venue.RoleQuote, Inst: i, Price: 100_100_00, Qty: 100}
}

func (w *world) check(in desk.Intent) Verdict {
	w.t.Helper()
	v := w.g.Check(&in, w.d, &w.out)
	if v.Reason == venue.OK {
		require.Equal(w.t, in.Op, w.out.Command().Op)
	} else {
		require.Equal(w.t, venue.NoOp, w.out.Command().Op)
	}
	return v
}

// passes approves and forgets.
func (w *world) passes(in desk.Intent) {
	w.t.Helper()
	require.Equal(w.t, Verdict{}, w.check(in))
}

// refuses demands this exact verdict.
func (w *world) refuses(in desk.Intent, r Rule, why venue.Reason, value, limit, headroom int64) {
	w.t.Helper()
	require.Equal(w.t, Verdict{Reason: why, Rule: r, Value: value, Limit: limit, Headroom: headroom}, w.check(in), "want %v by %v", why, r)
}

// rest approves an order and lets it work, as the engine does.
func (w *world) rest(in desk.Intent) *desk.Order {
	w.t.Helper()
	w.passes(in)
	return w.place(w.out.Command())
}

// place puts an approved command into the tables that engine/orders keeps.
func (w *world) place(c *venue.Command) *desk.Order {
	slot := uint32(0)
	for w.d.Orders[slot].State != desk.NoOrder && !w.d.Orders[slot].State.Done() {
		slot++
	}
	w.seq++
	o := &w.d.Orders[slot]
	*o = desk.Order{State: desk.Open, Side: c.Side, Type: c.Type, TIF: c.TIF, Role: c.Role, Leg: c.Leg, Venue: c.Venue, Flags: c.Flags, Strategy: c.Strategy,
		Inst: c.Inst, Slot: slot, Client: w.seq, Plan: c.Plan, Price: c.Price, Qty: c.Qty}
	w.d.Live[c.Inst] = append(w.d.Live[c.Inst], slot)
	w.work(c.Inst)
	return o
}

// work recomputes Working of an instrument from its live orders and refreshes the gate.
func (w *world) work(i venue.Inst) {
	k := desk.Working{}
	live := w.d.Live[i][:0]
	for _, s := range w.d.Live[i] {
		o := &w.d.Orders[s]
		if o.State.Done() {
			continue
		}
		live = append(live, s)
		if o.Side == venue.Buy {
			k.BuyQty, k.BuyWorst, k.Buys = k.BuyQty+o.Remaining(), max(k.BuyWorst, o.Price), k.Buys+1
		} else {
			if k.Sells == 0 || o.Price < k.SellWorst {
				k.SellWorst = o.Price
			}
			k.SellQty, k.Sells = k.SellQty+o.Remaining(), k.Sells+1
		}
	}
	w.d.Live[i], w.d.Working[i] = live, k
	w.g.Refresh(i, w.d)
}

// hold sets a position.
func (w *world) hold(i venue.Inst, q fixed.Qty, avg fixed.Price) {
	w.d.Positions[i] = desk.Position{Qty: q, Avg: avg}
	w.g.slots[i].qty = q
	w.g.Refresh(i, w.d)
}

// report tells the gate what became of an order.
func (w *world) report(o *desk.Order, kind venue.ReportKind, why venue.Reason) {
	w.g.OnReport(&venue.Report{Kind: kind, Venue: o.Venue, Inst: o.Inst, Reason: why, Client: o.Client}, o, w.d)
}

func TestGate_plainOrdersPass(t *testing.T) {
	w := newWorld(t)
	for i := spotA; i <= inv; i++ {
		w.passes(buy(i))
		c := w.out.Command()
		require.Equal(t, w.d.Instruments[i].Venue, c.Venue)
		require.Equal(t, start, c.Decided)
		require.Equal(t, start+venue.Second, c.NotAfter)
		require.EqualValues(t, 7, c.Config)
		w.passes(sell(i))
	}
}
