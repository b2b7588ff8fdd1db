package market

import (
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/risk"
)

// Limits are every limit of the catalogue, wide enough that none binds: what is measured is an order that passes them
// all.
func (r *Rig) Limits() risk.Config {
	const wide = fixed.Cash(fixed.Limit / 4)
	rate := risk.Rate{N: 1_000_000_000, Per: venue.Second, Burst: 1_000_000_000}
	c := risk.Config{Fingerprint: 7, Instruments: make([]risk.InstrumentLimits, len(r.Instruments)), Products: make([]risk.ProductLimits, r.Symbols+1),
		Venues: make([]risk.VenueLimits, r.Venues+1), Strategies: make([]risk.StrategyLimits, 3), Currencies: make([]risk.CurrencyLimits, 3)}
	for _, in := range r.Instruments[1:] {
		l := risk.InstrumentLimits{Allowed: true, MaxQty: 1e9, MaxPosition: 1e12, MaxNotional: wide, Collar: fixed.One / 10, Guard: fixed.One / 10,
			MaxAge: 3600 * venue.Second, MaxLag: 3600 * venue.Second, MaxOpen: 1000, MayShort: true, Session: risk.AllDay}
		// The reference is the market's third venue; the third's own is the first.
		ref := in.Inst - venue.Inst(in.Venue) + 3
		if r.Venues < 3 || in.Venue == 3 {
			ref = in.Inst - venue.Inst(in.Venue) + 1
		}
		l.Reference = risk.Reference{From: []venue.Inst{ref}, MaxAge: 3600 * venue.Second}
		if ref == in.Inst {
			l.Reference = risk.Reference{Smooth: venue.Second, MaxAge: 3600 * venue.Second}
		}
		c.Instruments[in.Inst] = l
	}
	for k := range r.Symbols {
		c.Products[k+1] = risk.ProductLimits{MaxBase: 1e13}
	}
	for v := range r.Venues {
		c.Venues[v+1] = risk.VenueLimits{Allowed: true, MaxGross: wide, MaxNet: wide, MaxOpen: 4000, Orders: rate, Messages: rate, CancelReserve: 10, Soft: rate,
			OrdersPerDay: 1 << 60, TradesPerDay: 1 << 60, MaxClockOffset: venue.Second, Breaker: risk.DefaultBreaker}
	}
	for i := range c.Strategies {
		c.Strategies[i] = risk.StrategyLimits{Allowed: true, Orders: rate, Messages: rate, OrdersPerDay: 1 << 60, DuplicateWindow: 1, MaxLossStreak: 1000,
			MaxRepeats: 1000, RepeatWindow: venue.Second}
	}
	c.Currencies[BTC] = risk.CurrencyLimits{MaxAge: 3600 * venue.Second, Haircut: fixed.Bps}
	c.Global = risk.GlobalLimits{MaxGross: wide, MaxNet: wide, MaxOpen: 4000, OrdersPerDay: 1 << 60, TradesPerDay: 1 << 60, MaxDailyLoss: wide, MaxDrawdown: wide,
		MaxLeverage: 1000 * fixed.One, MaxPlanLoss: wide, MaxMarkAge: 3600 * venue.Second, MaxDelay: venue.Second, Breaker: risk.DefaultBreaker}
	return c
}
