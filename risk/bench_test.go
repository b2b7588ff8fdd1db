package risk

import (
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// fast is a world whose budgets never end, so that every Check of a run is approved.
func fast(tb testing.TB) *world {
	return newWorld(tb, func(c *Config) {
		r := Rate{N: 1_000_000_000, Per: venue.Second, Burst: 1_000_000_000}
		for i := 1; i < len(c.Venues); i++ {
			c.Venues[i].Orders, c.Venues[i].Messages, c.Venues[i].OrdersPerDay = r, r, 1<<60
		}
		for i := range c.Strategies {
			c.Strategies[i].Orders, c.Strategies[i].Messages, c.Strategies[i].OrdersPerDay = r, r, 1<<60
		}
		c.Global.OrdersPerDay = 1 << 60
	})
}

func TestCheck_allocatesNothing(t *testing.T) {
	w := fast(t)
	taker := buy(perp)
	taker.Price, taker.TIF, taker.Qty = 100_020_00, venue.IOC, 60_000
	p := &desk.Plan{N: 2, MaxLoss: 1, Allowance: fixed.Bps, Legs: [desk.MaxLegs]desk.Intent{buy(spotA), sell(spotB)}}
	var out [desk.MaxLegs]Approved
	require.Zero(t, testing.AllocsPerRun(100, func() {
		w.d.Now += 2
		require.Equal(t, venue.OK, w.g.Check(&taker, w.d, &w.out).Reason)
		p.ID++
		require.Equal(t, venue.OK, w.g.CheckPlan(p, w.d, out[:]).Reason)
		w.g.Release(p.ID, 0, w.d)
		w.g.EndPlan(p.ID, w.d)
		w.g.Refresh(perp, w.d)
		w.g.Mark(w.d)
	}))
}

// BenchmarkCheck runs the whole catalogue on orders that pass it. The decimal rows are the same rules as most bots write
// them: decimals, maps by name, a mutex, the clock read inside. `go test ./risk -bench Check -benchmem`.
func BenchmarkCheck(b *testing.B) {
	maker, taker := buy(spotA), buy(spotA)
	taker.Price, taker.TIF = 100_010_00, venue.IOC
	deep, swap := taker, taker
	deep.Price, deep.Qty = 100_020_00, 60_000
	swap.Inst = perp
	for _, c := range []struct {
		name string
		in   desk.Intent
	}{{"maker, reporting currency", maker}, {"taker, reporting currency", taker}, {"taker, two levels", deep}, {"taker, perpetual with FX and reference", swap}} {
		b.Run(c.name, func(b *testing.B) {
			w := fast(b)
			for b.Loop() {
				w.d.Now += 2
				if v := w.g.Check(&c.in, w.d, &w.out); v.Reason != venue.OK {
					b.Fatal(v)
				}
			}
		})
	}
	b.Run("decimal, taker, perpetual with FX and reference", func(b *testing.B) {
		w := newDecimal()
		o := decOrder{"binance", "BTCUSDT", "arb", true, true, decimal.New(10001000, -2), decimal.New(100, -4)}
		for b.Loop() {
			o.price = o.price.Add(w.zero)
			if why := w.check(o); why != "" {
				b.Fatal(why)
			}
			w.forget(o)
		}
	})
}

// decOrder and decGate are the catalogue in the common style.
type decOrder struct {
	venue, symbol, strategy string
	buy, taker              bool
	price, qty              decimal.Decimal
}

type decLimits struct {
	tick, lot, minQty, maxQty, minNotional, maxNotional, maxPos, collar, guard decimal.Decimal
	maxAge                                                                     time.Duration
	maxOpen                                                                    int
}

type decGate struct {
	mu                                                     sync.Mutex
	zero, one                                              decimal.Decimal
	kill, armed                                            bool
	allowed, breaker, stopped                              map[string]bool
	limits                                                 map[string]decLimits
	pos, buys, sells, bids, asks, refs, fx, expo, balances map[string]decimal.Decimal
	asksDeep                                               map[string][][2]decimal.Decimal
	seen, received                                         map[string]time.Time
	open, ordersDay, tradesDay                             map[string]int
	tokens                                                 map[string]float64
	filled                                                 map[string]time.Time
	maxGross, maxNet, pnl, high, maxLoss, equity, leverage decimal.Decimal
	margin, fee, haircut, worstSell                        decimal.Decimal
}

func newDecimal() *decGate {
	n := decimal.NewFromInt
	m := func(kv ...any) map[string]decimal.Decimal {
		out := map[string]decimal.Decimal{}
		for i := 0; i < len(kv); i += 2 {
			out[kv[i].(string)] = n(int64(kv[i+1].(int)))
		}
		return out
	}
	now := time.Now()
	return &decGate{zero: n(0), one: n(1), armed: true, allowed: map[string]bool{"binance": true, "BTCUSDT": true, "arb": true}, breaker: map[string]bool{},
		stopped: map[string]bool{}, limits: map[string]decLimits{"BTCUSDT": {decimal.New(10, -2), decimal.New(10, -4), decimal.New(20, -4), n(100), n(5), n(10_000_000), n(100),
			decimal.New(5, -2), decimal.New(1, -2), time.Hour, 20}},
		pos: m("BTCUSDT", 0), buys: m("BTCUSDT", 0), sells: m("BTCUSDT", 0), bids: m("BTCUSDT", 100_000), asks: m("BTCUSDT", 100_010), refs: m("BTCUSDT", 100_005),
		fx: map[string]decimal.Decimal{"USDT": decimal.New(1001, -3)}, expo: m("binance", 0, "gross", 0, "net", 0, "BTC", 0), balances: m("USDT", 1_000_000),
		asksDeep: map[string][][2]decimal.Decimal{"BTCUSDT": {{n(100_010), n(5)}, {n(100_011), n(5)}}}, seen: map[string]time.Time{},
		received: map[string]time.Time{"BTCUSDT": now, "USDT": now}, open: map[string]int{}, ordersDay: map[string]int{}, tradesDay: map[string]int{},
		tokens: map[string]float64{"binance": 1e9, "arb": 1e9, "binance-messages": 1e9, "arb-messages": 1e9}, filled: map[string]time.Time{"binance": now},
		maxGross: n(80_000_000), maxNet: n(80_000_000), maxLoss: n(10_000), equity: n(1_000_000), leverage: n(100), margin: decimal.New(1, -1), fee: decimal.New(1, -3),
		haircut: decimal.New(1001, -3), worstSell: n(200_000)}
}

func (g *decGate) forget(o decOrder) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for k := range g.seen {
		delete(g.seen, k)
	}
}

// check answers "" or why not.
func (g *decGate) check(o decOrder) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	l, known := g.limits[o.symbol]
	switch {
	case g.kill, !g.armed, !known:
		return "killed"
	case !g.allowed[o.venue], !g.allowed[o.symbol], !g.allowed[o.strategy]:
		return "not allowed"
	case g.breaker[o.venue], g.breaker["global"], g.stopped[o.strategy]:
		return "breaker"
	case now.Sub(g.received[o.symbol]) > l.maxAge, now.Sub(g.received["USDT"]) > l.maxAge:
		return "stale"
	case !o.price.Mod(l.tick).IsZero():
		return "tick"
	case !o.qty.Mod(l.lot).IsZero():
		return "lot"
	case o.qty.LessThan(l.minQty), o.qty.GreaterThan(l.maxQty):
		return "qty"
	case g.open[o.symbol] >= l.maxOpen, g.open[o.venue] >= l.maxOpen, g.open["all"] >= l.maxOpen:
		return "open"
	case g.ordersDay[o.venue] > 1<<30, g.ordersDay[o.strategy] > 1<<30, g.tradesDay[o.venue] > 1<<30:
		return "day"
	case g.pnl.LessThan(g.maxLoss.Neg()), g.high.Sub(g.pnl).GreaterThan(g.maxLoss):
		return "loss"
	}
	rate := g.fx["USDT"].Mul(g.haircut)
	notional := o.price.Mul(o.qty)
	worth := notional.Mul(rate)
	if notional.LessThan(l.minNotional) || worth.GreaterThan(l.maxNotional) {
		return "notional"
	}
	ref := g.refs[o.symbol]
	if o.price.Sub(ref).Abs().GreaterThan(ref.Mul(l.collar)) {
		return "collar"
	}
	left, worst := o.qty, g.asks[o.symbol]
	for _, lv := range g.asksDeep[o.symbol] {
		worst = lv[0]
		if left = left.Sub(lv[1]); left.Sign() <= 0 {
			break
		}
	}
	touch := g.asks[o.symbol]
	if worst.Sub(touch).GreaterThan(touch.Mul(l.guard)) || o.price.Sub(worst).GreaterThan(worst.Mul(l.guard)) {
		return "slippage"
	}
	long := g.pos[o.symbol].Add(g.buys[o.symbol]).Add(o.qty)
	if long.GreaterThan(l.maxPos) || g.expo["BTC"].Add(o.qty).GreaterThan(l.maxPos) {
		return "position"
	}
	value := long.Mul(decimal.Max(o.price, touch)).Mul(rate)
	if g.expo["binance"].Add(value).GreaterThan(g.maxGross) || g.expo["gross"].Add(value).GreaterThan(g.maxGross) ||
		g.expo["net"].Add(value).GreaterThan(g.maxNet) || g.expo["gross"].Add(value).GreaterThan(g.equity.Mul(g.leverage)) {
		return "exposure"
	}
	if long.Mul(o.price).Mul(g.margin.Add(g.fee)).GreaterThan(g.balances["USDT"]) {
		return "balance"
	}
	if o.price.GreaterThanOrEqual(g.worstSell) {
		return "self match"
	}
	key := o.venue + o.symbol + o.strategy + o.price.String() + o.qty.String()
	if at, dup := g.seen[key]; dup && now.Sub(at) < time.Second {
		return "duplicate"
	}
	for _, b := range []string{o.venue, o.strategy, o.venue + "-messages", o.strategy + "-messages"} {
		if g.tokens[b]--; g.tokens[b] < 0 {
			return "rate"
		}
	}
	g.seen[key] = now
	g.ordersDay[o.venue]++
	g.ordersDay[o.strategy]++
	return ""
}
