package naive

import (
	"sync"
	"time"

	"github.com/shopspring/decimal"
)

// Rules is how many rules of the catalogue a new spot order meets in Check.
const Rules = 53

// Order is what a strategy asks for.
type Order struct {
	Venue, Symbol, Strategy string
	Buy                     bool
	Type, TIF               string
	Price, Qty              decimal.Decimal
	ReduceOnly              bool
	NotAfter                time.Time
}

// Limits of one instrument.
type Limits struct {
	Venue, Product, Base, Quote                                       string
	Restricted                                                        bool
	Tick, Lot, MinQty, VenueMaxQty, MinNotional                       decimal.Decimal
	MaxQty, MaxPosition, MaxNotional, Collar, Guard, WorstFee, OnePay decimal.Decimal
	Reference                                                         string
	ReferenceAge, MaxAge, MaxLag                                      time.Duration
	MaxOpen                                                           int
	PriceScale                                                        int32
	MayShort                                                          bool
	Opens, Closes                                                     time.Duration
}

// VenueLimits of one venue.
type VenueLimits struct {
	MaxGross, MaxNet           decimal.Decimal
	MaxOpen                    int
	OrdersPerDay, TradesPerDay int
	MaxOffset                  time.Duration
}

// StrategyLimits of one strategy.
type StrategyLimits struct {
	OrdersPerDay, MaxLossStreak int
	DuplicateWindow             time.Duration
}

// GlobalLimits bound everything together.
type GlobalLimits struct {
	MaxGross, MaxNet, MaxDailyLoss, MaxDrawdown, Leverage decimal.Decimal
	MaxOpen, OrdersPerDay, TradesPerDay                   int
	MaxMarkAge                                            time.Duration
}

// Bucket is a token bucket.
type Bucket struct {
	Tokens, Burst, PerSecond float64
	Last                     time.Time
}

func (b *Bucket) has(now time.Time, n float64) bool {
	b.Tokens = min(b.Tokens+now.Sub(b.Last).Seconds()*b.PerSecond, b.Burst)
	b.Last = now
	return b.Tokens >= n
}

// Market is what the gate knows of one instrument's book.
type Market struct {
	State    string
	Bid, Ask decimal.Decimal
	AskQty   decimal.Decimal
	BidQty   decimal.Decimal
	Seen     time.Time
	Lag      time.Duration
	// Walk gives the worst price at which so much can be taken.
	Walk func(buy bool, qty decimal.Decimal) decimal.Decimal
}

// Rate is what one unit of a currency is worth, at its worse side for us.
type Rate struct {
	Bid, Ask, Low, High, PegLow, PegHigh decimal.Decimal
	At                                   time.Time
	MaxAge                               time.Duration // 0 for the reporting currency
	Pegged                               bool
}

// Working is what may still fill in one instrument.
type Working struct {
	Buy, Sell, BuyWorst, SellWorst decimal.Decimal
	Orders                         int
}

// side is the worst case of one side of one instrument.
type side struct{ qty, mag, val, lock decimal.Decimal }

// Gate checks orders the way most bots do: decimals, maps by name, one mutex, the clock read inside. The rules and their
// order are those of package risk.
type Gate struct {
	mu  sync.Mutex
	Now func() time.Time

	Kill, Disarmed, Full                     bool
	VenueAllowed, Allowed, StrategyAllowed   map[string]bool
	Status                                   map[string]string
	BreakerOpen                              map[string]bool
	Stopped                                  map[string]bool // by strategy and side
	Fired                                    map[string]bool // by symbol: its stop
	ReduceOnly                               bool
	Limits                                   map[string]*Limits
	Venues                                   map[string]VenueLimits
	Strategies                               map[string]StrategyLimits
	Global                                   GlobalLimits
	MaxBase                                  map[string]decimal.Decimal
	Markets                                  map[string]*Market
	Position                                 map[string]decimal.Decimal
	Working                                  map[string]Working
	Balance                                  map[string]decimal.Decimal // by venue and currency
	Rates                                    map[string]*Rate
	Offset                                   map[string]time.Duration
	Open, OrdersToday, TradesToday, Streak   map[string]int
	Buckets                                  map[string]*Bucket
	MarkedAt                                 time.Time
	PnL, DayStart, High, Equity, PlansAtRisk decimal.Decimal
	seen                                     map[string]time.Time

	buys, sells                     map[string]side
	gross, netBuy, netSell, baseBuy map[string]decimal.Decimal
	baseSell, locked                map[string]decimal.Decimal
}

const everything = "all"

var one = decimal.NewFromInt(1)

// Worth takes what the account is worth: profit and loss for the day's loss and drawdown, equity for leverage.
func (g *Gate) Worth(pnl, equity decimal.Decimal, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.PnL, g.Equity, g.High, g.MarkedAt = pnl, equity, decimal.Max(g.High, pnl), now
}

// Check answers "" or the reason of the refusal, as package venue spells it.
func (g *Gate) Check(o *Order) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.check(o, g.Now())
}

func (g *Gate) check(o *Order, now time.Time) string {
	l, known := g.Limits[o.Symbol]
	if why := g.shape(o, known, now); why != "" {
		return why
	}
	if why := g.permits(o, l, now); why != "" {
		return why
	}
	if why := g.trusts(o, l, now); why != "" {
		return why
	}
	if why := g.form(o, l); why != "" {
		return why
	}
	if why := g.counts(o); why != "" {
		return why
	}
	if why := g.prices(o, l, now); why != "" {
		return why
	}
	if why := g.exposes(o, l); why != "" {
		return why
	}
	return g.paces(o, l, now)
}

// shape: form of the order, and whether it is too late.
func (g *Gate) shape(o *Order, known bool, now time.Time) string {
	if !known || o.Price.Sign() <= 0 || o.Qty.Sign() <= 0 || (o.TIF != "GTC" && o.TIF != "IOC" && o.TIF != "FOK") || (o.Type == "LIMIT_MAKER" && o.TIF != "GTC") {
		return "bad_intent"
	}
	if !o.NotAfter.IsZero() && now.After(o.NotAfter) {
		return "late"
	}
	return ""
}

func (g *Gate) permits(o *Order, l *Limits, now time.Time) string {
	at := now.Sub(now.Truncate(24 * time.Hour))
	switch {
	case g.Kill:
		return "killed"
	case g.Disarmed:
		return "not_armed"
	case !g.VenueAllowed[o.Venue], !g.Allowed[o.Symbol], !g.StrategyAllowed[o.Strategy]:
		return "not_allowed"
	case l.Restricted:
		return "restricted"
	case g.Full:
		return "audit_behind"
	case l.MaxQty.IsZero(), l.MaxPosition.IsZero(), l.MaxNotional.IsZero():
		return "no_reference"
	case g.Fired[o.Symbol]:
		return "stop_fired"
	case !g.open(o):
		return "instrument_halted"
	case at < l.Opens || at >= l.Closes:
		return "session_closed"
	case g.BreakerOpen[o.Venue]:
		return "breaker_open"
	case g.BreakerOpen[everything]:
		return "global_breaker_open"
	case g.Stopped[o.Strategy+sideOf(o)]:
		return "repeated_executions"
	case g.Streak[o.Strategy] > g.Strategies[o.Strategy].MaxLossStreak && !g.reduces(o):
		return "loss_streak"
	}
	return ""
}

// open: the instrument's status lets such an order in.
func (g *Gate) open(o *Order) bool {
	switch g.Status[o.Symbol] {
	case "trading", "limit_only":
		return true
	case "post_only":
		return o.Type == "LIMIT_MAKER"
	case "reduce_only":
		return g.reduces(o)
	}
	return false
}

func (g *Gate) trusts(o *Order, l *Limits, now time.Time) string {
	m := g.Markets[o.Symbol]
	switch {
	case m.State != "live":
		return "book_not_live"
	case now.Sub(m.Seen) > l.MaxAge:
		return "book_too_old"
	case m.Lag > l.MaxLag:
		return "lagging"
	case g.Offset[o.Venue].Abs() > g.Venues[o.Venue].MaxOffset:
		return "clock_offset"
	case now.Sub(g.MarkedAt) > g.Global.MaxMarkAge:
		return "no_reference"
	}
	return ""
}

// form: what the venue can take.
func (g *Gate) form(o *Order, l *Limits) string {
	switch {
	case l.Tick.IsZero(), l.Lot.IsZero():
		return "no_reference"
	case !o.Price.Mod(l.Tick).IsZero():
		return "bad_tick"
	case !o.Qty.Mod(l.Lot).IsZero():
		return "bad_lot"
	case o.Qty.LessThan(l.MinQty):
		return "below_min_qty"
	case o.Qty.GreaterThan(l.VenueMaxQty), o.Qty.GreaterThan(l.MaxQty):
		return "above_max_qty"
	case (o.ReduceOnly || g.ReduceOnly) && !g.reduces(o):
		return "reduce_only_mode"
	}
	return ""
}

// reduces: everything of the order's side that may fill only reduces the position.
func (g *Gate) reduces(o *Order) bool {
	p := g.Position[o.Symbol]
	if o.Buy {
		return p.Sign() < 0 && p.Add(g.Working[o.Symbol].Buy).Add(o.Qty).Sign() <= 0
	}
	return p.Sign() > 0 && p.Sub(g.Working[o.Symbol].Sell).Sub(o.Qty).Sign() >= 0
}

// counts: open orders, the day's orders and trades, and losses.
func (g *Gate) counts(o *Order) string {
	v, st := g.Venues[o.Venue], g.Strategies[o.Strategy]
	switch {
	case g.Open[o.Symbol] >= g.Limits[o.Symbol].MaxOpen, g.Open[o.Venue] >= v.MaxOpen, g.Open[everything] >= g.Global.MaxOpen:
		return "open_order_limit"
	case g.OrdersToday[o.Venue] >= v.OrdersPerDay, g.OrdersToday[o.Strategy] >= st.OrdersPerDay, g.OrdersToday[everything] >= g.Global.OrdersPerDay:
		return "orders_per_day"
	case g.TradesToday[o.Venue] >= v.TradesPerDay, g.TradesToday[everything] >= g.Global.TradesPerDay:
		return "trades_per_day"
	}
	if g.reduces(o) {
		return ""
	}
	if g.DayStart.Sub(g.PnL).Add(g.PlansAtRisk).GreaterThan(g.Global.MaxDailyLoss) {
		return "daily_loss"
	}
	if g.High.Sub(g.PnL).Add(g.PlansAtRisk).GreaterThan(g.Global.MaxDrawdown) {
		return "drawdown"
	}
	return ""
}
