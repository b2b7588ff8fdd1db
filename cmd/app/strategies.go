package app

import "go.yaml.in/yaml/v3"

// StrategiesConfig is every strategy by name. The order here is the order in which they decide.
type StrategiesConfig struct {
	Arb     Named[ArbConfig]     `yaml:"arb,optional"`
	Quoting Named[QuotingConfig] `yaml:"quoting,optional"`
}

// ArbConfig is one arb strategy.
type ArbConfig struct {
	Enabled  Flag               `yaml:"enabled" want:"write true or false"`
	MaxFXAge Span               `yaml:"max_fx_age" want:"write how old an exchange rate may be, such as 5s"`
	Links    Family[LinkConfig] `yaml:"links" want:"write the crosses by name"`
}

// LinkConfig is one cross; see arb.Link.
type LinkConfig struct {
	Shape       Shape     `yaml:"shape" want:"write two_venue, complement, triangle or outcome_set"`
	Legs        []Text    `yaml:"legs" want:"list the instruments, less certain one first"`
	Threshold   SignedBps `yaml:"threshold" want:"write the net edge that is needed, such as 2bps"`
	MinNotional Money     `yaml:"min_notional" want:"write the least size worth doing"`
	MaxNotional Money     `yaml:"max_notional" want:"write the greatest size of one cross"`
	// MaxPosition bounds what a plan may make of each leg's position; a triangle has none.
	MaxPosition Money       `yaml:"max_position,optional"`
	Policy      LegPolicy   `yaml:"policy" want:"write together or in_turn"`
	OnFail      Playbook    `yaml:"on_fail" want:"write complete, unwind or hold"`
	Allowance   ZeroBps     `yaml:"allowance" want:"write how far beyond its limit a leg may be completed or unwound, such as 10bps"`
	MaxLoss     Money       `yaml:"max_loss" want:"write the most that an unequal fill may cost"`
	Deadline    Span        `yaml:"deadline" want:"write how long the playbook has, such as 2s"`
	NotAfter    Span        `yaml:"not_after" want:"write how long a leg may wait for its socket, such as 50ms"`
	MaxAge      Span        `yaml:"max_age" want:"write how long ago each book may have been heard of, such as 1s"`
	Cooldown    ZeroSpan    `yaml:"cooldown" want:"write how long a taken side is left alone, such as 100ms"`
	Basis       Flag        `yaml:"basis" want:"write true to allow legs that differ in kind or settlement currency"`
	BasisLimit  Bps         `yaml:"basis_limit" want:"write the largest gross cross that is believed, such as 50bps"`
	Costs       CostsConfig `yaml:"costs" want:"write what carrying it costs: fx, funding, borrow, other"`
	Par         Factor      `yaml:"par,optional"`
	Exhaustive  Flag        `yaml:"exhaustive,optional"`
}

// CostsConfig is what carrying a cross until it converges costs.
type CostsConfig struct {
	FX      ZeroBps   `yaml:"fx" want:"write a rate, such as 1bps, or 0bps"`
	Funding SignedBps `yaml:"funding" want:"write a rate, such as 1bps, or 0bps"`
	Borrow  ZeroBps   `yaml:"borrow" want:"write a rate, such as 1bps, or 0bps"`
	Other   SignedBps `yaml:"other" want:"write a rate, such as 1bps, or 0bps"`
}

// QuotingConfig is one quoting strategy.
type QuotingConfig struct {
	Enabled Flag                `yaml:"enabled" want:"write true or false"`
	Quotes  Family[QuoteConfig] `yaml:"quotes" want:"write the quoted instruments by name"`
}

// QuoteConfig is one quoted instrument; see quoting.Quote.
type QuoteConfig struct {
	Instrument   Text         `yaml:"instrument" want:"write the instrument, such as binance:BTCUSDT"`
	Fair         FairConfig   `yaml:"fair" want:"write where the fair value comes from: {source: own}"`
	MinHalf      ZeroBps      `yaml:"min_half_spread" want:"write the least half spread after fees, such as 2bps"`
	MinEdge      ZeroBps      `yaml:"min_edge" want:"write what a fill must earn after fees, such as 1bps"`
	Model        ModelConfig  `yaml:"model" want:"write gamma, kappa, horizon, window and sample"`
	Layers       Count        `yaml:"layers" want:"write the number of orders per side"`
	Step         ZeroBps      `yaml:"step" want:"write the distance between layers, such as 1bps"`
	Size         Money        `yaml:"size" want:"write what one layer is worth"`
	MaxInventory Money        `yaml:"max_inventory" want:"write the most inventory that quoting may hold"`
	Hysteresis   ZeroBps      `yaml:"hysteresis" want:"write how far a price must move before an order is moved, such as 0.5bps"`
	PerSecond    Count        `yaml:"messages_per_second" want:"write the message budget"`
	Burst        Count        `yaml:"messages_burst" want:"write how many messages may be saved up"`
	PostOnly     Flag         `yaml:"post_only" want:"write true or false"`
	Amend        Flag         `yaml:"amend" want:"write whether the venue moves an order in one message: true or false"`
	NotAfter     Span         `yaml:"not_after" want:"write how long an order may wait for its socket, such as 50ms"`
	Pull         PullConfig   `yaml:"pull" want:"write when quotes are taken away: max_age, max_vol, fills, window, pause"`
	Hedge        *HedgeConfig `yaml:"hedge,optional"`
}

// FairConfig says where the fair value comes from.
type FairConfig struct {
	Source    FairSource  `yaml:"source" want:"write own, weighted or external"`
	Refs      []RefConfig `yaml:"refs,optional"`
	MinWeight Factor      `yaml:"min_weight,optional"`
}

// RefConfig is one book of a fair value.
type RefConfig struct {
	Instrument Text   `yaml:"instrument" want:"write the instrument, such as binance:BTCUSDT"`
	Weight     Factor `yaml:"weight" want:"write its weight, such as 0.5"`
}

// ModelConfig is the reservation-price model.
type ModelConfig struct {
	Gamma   Factor   `yaml:"gamma" want:"write the risk aversion, such as 5"`
	Kappa   Factor   `yaml:"kappa" want:"write how fast fills fade with distance, such as 5000"`
	Horizon Span     `yaml:"horizon" want:"write how long inventory is at risk, such as 30s"`
	Window  Span     `yaml:"window" want:"write the decay time of volatility, such as 60s"`
	Sample  ZeroSpan `yaml:"sample" want:"write the least time between two returns, such as 100ms"`
}

// PullConfig says when quotes are taken away.
type PullConfig struct {
	MaxAge Span  `yaml:"max_age" want:"write how old a book may be, such as 1s"`
	MaxVol Bps   `yaml:"max_vol" want:"write the volatility per square root of a second, such as 5bps"`
	Fills  Count `yaml:"fills" want:"write how many fills of a side within window pull it"`
	Window Span  `yaml:"window" want:"write a span, such as 1s"`
	Pause  Span  `yaml:"pause" want:"write how long a pulled side stays away, such as 2s"`
}

// HedgeConfig covers fills at another instrument of the product.
type HedgeConfig struct {
	Instrument Text     `yaml:"instrument" want:"write the instrument to hedge at"`
	Slip       ZeroBps  `yaml:"slip" want:"write how far beyond the walked price the limit lies, such as 2bps"`
	Allowance  ZeroBps  `yaml:"allowance" want:"write how far beyond its limit it may be completed, such as 10bps"`
	MaxLoss    Money    `yaml:"max_loss" want:"write the most that a hedge may cost"`
	Deadline   Span     `yaml:"deadline" want:"write how long the playbook has, such as 2s"`
	NotAfter   Span     `yaml:"not_after" want:"write how long it may wait for its socket, such as 50ms"`
	Retry      ZeroSpan `yaml:"retry" want:"write the least time between two hedges, such as 100ms"`
	MaxCarry   Money    `yaml:"max_carry" want:"write how much may stay unhedged"`
}

// Family is a mapping of like things: what stands under "default" holds for each that does not say otherwise, and each
// must be complete with it.
type Family[T any] struct{ Named[T] }

func (f *Family[T]) walk(w *walker, n *yaml.Node, path string) {
	var common T
	given := map[string]bool{}
	var rest []*yaml.Node
	w.members(n, path, func(key, val *yaml.Node) {
		if key.Value != "default" {
			rest = append(rest, key, val)
			return
		}
		before := w.partial
		w.partial = true
		w.into(val, &common, join(path, "default"))
		w.partial = before
		for i := 0; i+1 < len(val.Content); i += 2 {
			given[val.Content[i].Value] = true
		}
	})
	for i := 0; i < len(rest); i += 2 {
		e := Entry[T]{Name: rest[i].Value, Line: rest[i].Line, Value: common}
		w.given = given
		w.into(rest[i+1], &e.Value, join(path, e.Name))
		w.given = nil
		f.Named = append(f.Named, e)
	}
}
