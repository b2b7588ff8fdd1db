package risk

import (
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// Config is everything that a Gate needs to know before it starts. Money is fixed.Cash in the reporting currency,
// fractions are fixed.Rate, spans are venue.Nanos, counts are plain. Tables are indexed by the dense index they name;
// entry 0 of Instruments, Products, Venues and Currencies is unused, Strategies start at 0.
//
// A zero limit is a missing limit: New names every missing limit of what is allowed to trade, and Check refuses with
// NoReference where one is missing all the same. Zero never means unlimited.
type Config struct {
	// Live starts disarmed and demands a measured clock offset; otherwise (paper, backtest) the gate starts armed.
	Live bool
	// Fingerprint identifies the configuration in every Command.
	Fingerprint uint64
	// Names, where given, let limits survive a restart: see Gate.Notes.
	Names       Names
	Instruments []InstrumentLimits
	Products    []ProductLimits
	Venues      []VenueLimits
	Strategies  []StrategyLimits
	Currencies  []CurrencyLimits
	Global      GlobalLimits
}

// InstrumentLimits bound one instrument.
type InstrumentLimits struct {
	// Allowed puts the instrument on the allow-list; Restricted takes it off again by name.
	Allowed, Restricted bool
	// MaxQty per order and MaxPosition (worst case long or short) are in the instrument's own quantity.
	MaxQty, MaxPosition fixed.Qty
	// MaxNotional per order, in the reporting currency.
	MaxNotional fixed.Cash
	// Collar is how far a price may lie from the reference, as a fraction of it.
	Collar    fixed.Rate
	Reference Reference
	// Guard is how far beyond the touch a taker may walk, and how far beyond that walk its limit price may lie.
	Guard fixed.Rate
	// MaxAge is how long ago the book may have shown life, MaxLag how late its feed may run.
	MaxAge, MaxLag venue.Nanos
	// MaxOpen is the number of own orders that may rest at once.
	MaxOpen int32
	// MayShort permits selling what is not held (a borrow is arranged, or the venue mints). Derivatives ignore it.
	MayShort bool
	// Margin is the initial margin as a fraction of notional, for perpetual and dated contracts; others ignore it.
	Margin fixed.Rate
	// Session is when new orders may be sent; AllDay for a venue that never closes.
	Session Session
	// Expiry is the last instant for new orders of a Dated instrument.
	Expiry venue.Nanos
}

// Reference names an independent price. Exactly one of From and Smooth is set.
type Reference struct {
	// From lists instruments of the same product; the first whose book is Live and no older than MaxAge gives its mid,
	// converted where its quote currency differs.
	From []venue.Inst
	// Smooth is the time constant of the instrument's own smoothed mid, fed by Mark.
	Smooth venue.Nanos
	MaxAge venue.Nanos
}

// Session is a span of the UTC day, as offsets from midnight; Open > Close runs over midnight. The zero value is closed.
type Session struct{ Open, Close venue.Nanos }

// Day is one day.
const Day = 24 * 3600 * venue.Second

// AllDay never closes.
var AllDay = Session{0, Day}

// ProductLimits bound one product over all of its instruments, in base units at the product's quantity scale.
type ProductLimits struct{ MaxBase fixed.Qty }

// Rate is a token bucket: N per span, saving up to Burst.
type Rate struct {
	N     int64
	Per   venue.Nanos
	Burst int64
}

// VenueLimits bound one venue.
type VenueLimits struct {
	Allowed bool
	// MaxGross and MaxNet bound the worst-case exposure at the venue.
	MaxGross, MaxNet fixed.Cash
	MaxOpen          int32
	// Orders counts new orders and amends, Messages those and cancels. CancelReserve of the message burst is for
	// cancels alone.
	Orders, Messages Rate
	CancelReserve    int64
	// Soft counts post-only crosses, unfilled IOC or FOK and late cancels; new orders wait while it is overdrawn.
	Soft                       Rate
	OrdersPerDay, TradesPerDay int64
	MaxClockOffset             venue.Nanos
	Breaker                    BreakerConfig
}

// StrategyLimits bound one strategy.
type StrategyLimits struct {
	Allowed          bool
	Orders, Messages Rate
	OrdersPerDay     int64
	// DuplicateWindow is how long an equal intent is refused after one was approved.
	DuplicateWindow venue.Nanos
	// MaxLossStreak is the number of closing orders that may lose in a row before an operator must re-arm.
	MaxLossStreak int64
	// MaxRepeats is the number of orders of one side that may fill within RepeatWindow; one more disables that side
	// until an operator re-arms.
	MaxRepeats   int
	RepeatWindow venue.Nanos
}

// CurrencyLimits bound the use of an exchange rate. The reporting currency needs none.
type CurrencyLimits struct {
	// MaxAge is how old a rate may be, Haircut how far it is moved against us.
	MaxAge  venue.Nanos
	Haircut fixed.Rate
	// Pegged currencies must stay within PegLow and PegHigh of the reporting currency.
	Pegged          bool
	PegLow, PegHigh fixed.Rate
}

// GlobalLimits bound everything together.
type GlobalLimits struct {
	MaxGross, MaxNet           fixed.Cash
	MaxOpen                    int32
	OrdersPerDay, TradesPerDay int64
	// MaxDailyLoss is since the day's reset, MaxDrawdown from the high-water mark of profit and loss.
	MaxDailyLoss, MaxDrawdown fixed.Cash
	// MaxLeverage is gross exposure over equity.
	MaxLeverage fixed.Rate
	// MaxPlanLoss bounds the MaxLoss of one plan.
	MaxPlanLoss fixed.Cash
	// MaxMarkAge is how long ago Mark and OnWorth may have run.
	MaxMarkAge venue.Nanos
	// MaxDelay is the longest that a command may wait for its socket.
	MaxDelay venue.Nanos
	// ZoneOffset moves the daily reset: 0 is midnight UTC, positive is east of it.
	ZoneOffset venue.Nanos
	Breaker    BreakerConfig
	// NextDay, where not nil, is when the first day after an instant begins, instead of ZoneOffset: days of a zone that
	// changes its clock differ. It must be a function of its argument alone.
	NextDay func(venue.Nanos) venue.Nanos
}

// BreakerConfig shapes a Breaker.
type BreakerConfig struct {
	// Failures within Window open it.
	Failures int
	Window   venue.Nanos
	// Wait is the first pause; each failed probe doubles it up to MaxWait.
	Wait, MaxWait venue.Nanos
	// OpeningsPerDay is how often it may open before an operator must re-arm.
	OpeningsPerDay int
}

// DefaultBreaker is 5 failures in 60 s, then 300 s, at most an hour, three times a day.
var DefaultBreaker = BreakerConfig{Failures: 5, Window: 60 * venue.Second, Wait: 300 * venue.Second, MaxWait: 3600 * venue.Second, OpeningsPerDay: 3}
