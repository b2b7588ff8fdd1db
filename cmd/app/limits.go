package app

import (
	"strings"

	"oneprice/books/venue"
	"oneprice/engine/journal"
	"oneprice/risk"
)

// LimitsConfig is every limit. Zero is never unlimited and nothing has a hidden default.
type LimitsConfig struct {
	Global      GlobalLimits              `yaml:"global" want:"write the limits over everything"`
	Venues      Layered[VenueLimits]      `yaml:"venues" want:"write the limits of each venue, under default"`
	Products    Layered[ProductLimits]    `yaml:"products" want:"write the limits of each product, under default"`
	Instruments Layered[InstrumentLimits] `yaml:"instruments" want:"write the limits of each instrument, under default"`
	Strategies  Layered[StrategyLimits]   `yaml:"strategies" want:"write the limits of each strategy, under default"`
	// Restricted instruments take no orders, whatever else is said.
	Restricted []Text `yaml:"restricted,optional"`
}

// GlobalLimits hold over everything together.
type GlobalLimits struct {
	MaxGross     Money    `yaml:"max_gross" want:"write the greatest sum of all exposures"`
	MaxNet       Money    `yaml:"max_net" want:"write the greatest net exposure"`
	MaxOpen      Count    `yaml:"max_open_orders" want:"write how many orders may be open at once"`
	OrdersPerDay Count    `yaml:"orders_per_day" want:"write how many orders a day"`
	TradesPerDay Count    `yaml:"trades_per_day" want:"write how many fills a day"`
	MaxDailyLoss Money    `yaml:"max_daily_loss" want:"write the loss of a day that stops new orders"`
	MaxDrawdown  Money    `yaml:"max_drawdown" want:"write the fall from the high-water mark that stops new orders"`
	MaxLeverage  Factor   `yaml:"max_leverage" want:"write gross exposure over equity, such as 3"`
	MaxPlanLoss  Money    `yaml:"max_plan_loss" want:"write the most that one plan may lose when legs fill unequally"`
	MaxMarkAge   Span     `yaml:"max_mark_age" want:"write how old the valuation may be, such as 5s"`
	MaxDelay     Span     `yaml:"max_delay" want:"write how long an order may wait for its socket, such as 50ms"`
	DayStarts    ZeroSpan `yaml:"day_starts,optional"`
	// ResetZone is by whose clock the day starts; UTC where it is not given.
	ResetZone Zone          `yaml:"reset_zone,optional"`
	Breaker   BreakerConfig `yaml:"breaker" want:"write failures, window, wait, max_wait and openings_per_day"`
}

// BreakerConfig shapes a breaker.
type BreakerConfig struct {
	Failures Count `yaml:"failures" want:"write how many failures open it, such as 5"`
	Window   Span  `yaml:"window" want:"write within what time, such as 60s"`
	Wait     Span  `yaml:"wait" want:"write the first pause, such as 300s"`
	MaxWait  Span  `yaml:"max_wait" want:"write the longest pause, such as 1h"`
	Openings Count `yaml:"openings_per_day" want:"write after how many openings a person must re-arm, such as 3"`
}

// RateLimit is a budget of messages: n per span, saving up to burst.
type RateLimit struct {
	N     Count `yaml:"n" want:"write how many, such as 50"`
	Per   Span  `yaml:"per" want:"write the span, such as 1s"`
	Burst Count `yaml:"burst" want:"write how many may be saved up, such as 100"`
}

// VenueLimits hold at one venue.
type VenueLimits struct {
	MaxGross       Money         `yaml:"max_gross" want:"write the greatest sum of exposures at a venue"`
	MaxNet         Money         `yaml:"max_net" want:"write the greatest net exposure at a venue"`
	MaxOpen        Count         `yaml:"max_open_orders" want:"write how many orders may be open at a venue"`
	Orders         RateLimit     `yaml:"orders" want:"write n, per and burst"`
	Messages       RateLimit     `yaml:"messages" want:"write n, per and burst"`
	CancelReserve  Count         `yaml:"cancel_reserve" want:"write how much of messages.burst is for cancels alone"`
	Soft           RateLimit     `yaml:"soft_failures" want:"write n, per and burst of unfilled IOC orders, post-only crosses and late cancels"`
	OrdersPerDay   Count         `yaml:"orders_per_day" want:"write how many orders a day"`
	TradesPerDay   Count         `yaml:"trades_per_day" want:"write how many fills a day"`
	MaxClockOffset Span          `yaml:"max_clock_offset" want:"write how far the clocks may lie apart, such as 500ms"`
	Breaker        BreakerConfig `yaml:"breaker" want:"write failures, window, wait, max_wait and openings_per_day"`
}

// ProductLimits hold for one product over all of its instruments.
type ProductLimits struct {
	MaxPosition Money `yaml:"max_position" want:"write the greatest net position of a product"`
}

// InstrumentLimits hold for one instrument. Money is reporting currency; it becomes lots at start.
type InstrumentLimits struct {
	MaxOrder    Money           `yaml:"max_order" want:"write the most that one order may be worth"`
	MaxPosition Money           `yaml:"max_position" want:"write the greatest position of an instrument"`
	Collar      Bps             `yaml:"collar" want:"write how far an order's price may lie from the reference, such as 100bps"`
	Guard       Bps             `yaml:"slippage" want:"write how far beyond the touch an order may walk, such as 20bps"`
	Reference   ReferenceConfig `yaml:"reference" want:"write the independent price: {smooth: 10s, max_age: 5s}"`
	MaxAge      Span            `yaml:"max_age" want:"write after what silence a book is not traded on, such as 2s"`
	MaxLag      Span            `yaml:"max_lag" want:"write how late a feed may run, such as 500ms"`
	MaxOpen     Count           `yaml:"max_open_orders" want:"write how many orders may be open in an instrument"`
	MayShort    Flag            `yaml:"may_short" want:"write whether it may be sold without being held: true or false"`
	Margin      Factor          `yaml:"margin" want:"write the initial margin of derivatives as a share of notional, such as 0.1"`
	Session     SessionConfig   `yaml:"session" want:"write when it trades: always, or 13:30-20:00 UTC"`
}

// ReferenceConfig is the independent price of the collar: other instruments of the product, or its own smoothed middle.
type ReferenceConfig struct {
	From   []Text `yaml:"from,optional"`
	Smooth Span   `yaml:"smooth,optional"`
	MaxAge Span   `yaml:"max_age" want:"write how old it may be, such as 5s"`
}

// StrategyLimits hold for one strategy.
type StrategyLimits struct {
	Orders          RateLimit `yaml:"orders" want:"write n, per and burst"`
	Messages        RateLimit `yaml:"messages" want:"write n, per and burst"`
	OrdersPerDay    Count     `yaml:"orders_per_day" want:"write how many orders a day"`
	DuplicateWindow Span      `yaml:"duplicate_window" want:"write how long an equal order is refused, such as 1ms"`
	MaxLossStreak   Count     `yaml:"max_loss_streak" want:"write how many losses in a row stop it"`
	MaxRepeats      Count     `yaml:"max_repeats" want:"write how many fills of one side within repeat_window stop that side"`
	RepeatWindow    Span      `yaml:"repeat_window" want:"write a span, such as 1s"`
}

func (b *BreakerConfig) risk() risk.BreakerConfig {
	return risk.BreakerConfig{Failures: int(b.Failures), Window: venue.Nanos(b.Window), Wait: venue.Nanos(b.Wait), MaxWait: venue.Nanos(b.MaxWait), OpeningsPerDay: int(b.Openings)}
}

func (r *RateLimit) risk() risk.Rate {
	return risk.Rate{N: int64(r.N), Per: venue.Nanos(r.Per), Burst: int64(r.Burst)}
}

// used is what earlier runs noted of the use of limits.
func used(state *journal.State) (notes []risk.Note) {
	for _, v := range state.Values {
		if strings.HasPrefix(v.Name, risk.NotePrefix) {
			notes = append(notes, risk.Note{Name: v.Name, Value: v.Value})
		}
	}
	return notes
}
