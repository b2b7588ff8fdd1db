package risk

import (
	"errors"
	"fmt"

	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// need is one limit that must be stated: more than 0, and no more than most where most is not 0.
type need struct {
	name string
	v    int64
	most int64
}

func unmet(needs ...need) []string {
	var bad []string
	for _, n := range needs {
		switch {
		case n.v == 0:
			bad = append(bad, n.name+" is missing")
		case n.v < 0:
			bad = append(bad, fmt.Sprintf("%s is %d; want more than 0", n.name, n.v))
		case n.most != 0 && n.v > n.most:
			bad = append(bad, fmt.Sprintf("%s is %d; want at most %d", n.name, n.v, n.most))
		}
	}
	return bad
}

const (
	maxCount = 1 << 31
	maxSpan  = int64(366 * Day)
)

func (l *InstrumentLimits) missing(in *venue.Instrument) []string {
	bad := unmet(
		need{"max_qty", int64(l.MaxQty), fixed.Limit}, need{"max_position", int64(l.MaxPosition), fixed.Limit},
		need{"max_notional", int64(l.MaxNotional), fixed.Limit}, need{"collar", int64(l.Collar), int64(fixed.One)},
		need{"guard", int64(l.Guard), int64(fixed.One)}, need{"max_age", int64(l.MaxAge), maxSpan},
		need{"max_lag", int64(l.MaxLag), maxSpan}, need{"max_open", int64(l.MaxOpen), 0},
		need{"reference.max_age", int64(l.Reference.MaxAge), maxSpan},
	)
	if (len(l.Reference.From) == 0) == (l.Reference.Smooth == 0) {
		bad = append(bad, "reference wants either instruments or a smoothing time")
	}
	if s := l.Reference.Smooth; s < 0 || int64(s) > maxSpan {
		bad = append(bad, fmt.Sprintf("reference.smooth is %d; want at most a year", s))
	}
	if in.Kind == venue.Perpetual || in.Kind == venue.Dated {
		bad = append(bad, unmet(need{"margin", int64(l.Margin), int64(fixed.One)})...)
	}
	if in.Kind == venue.Dated {
		bad = append(bad, unmet(need{"expiry", int64(l.Expiry), 0})...)
	}
	if s := l.Session; s.Open < 0 || s.Close < 0 || s.Open > Day || s.Close > Day || s.Open == s.Close {
		bad = append(bad, "session is missing or beyond one day")
	}
	return bad
}

func (r Rate) missing(name string) []string {
	bad := unmet(need{name + ".n", r.N, maxCount}, need{name + ".per", int64(r.Per), maxSpan}, need{name + ".burst", r.Burst, maxCount})
	if len(bad) == 0 && r.Burst > maxSpan/(int64(r.Per)/r.N+1) {
		bad = append(bad, name+".burst takes more than a year to refill")
	}
	return bad
}

func (l *VenueLimits) missing() []string {
	bad := unmet(
		need{"max_gross", int64(l.MaxGross), fixed.Limit}, need{"max_net", int64(l.MaxNet), fixed.Limit},
		need{"max_open", int64(l.MaxOpen), 0}, need{"orders_per_day", l.OrdersPerDay, 0},
		need{"trades_per_day", l.TradesPerDay, 0}, need{"max_clock_offset", int64(l.MaxClockOffset), maxSpan},
		need{"cancel_reserve", l.CancelReserve, 0},
	)
	bad = append(bad, l.Orders.missing("orders")...)
	bad = append(bad, l.Messages.missing("messages")...)
	bad = append(bad, l.Soft.missing("soft")...)
	if l.CancelReserve >= l.Messages.Burst && l.CancelReserve > 0 {
		bad = append(bad, "cancel_reserve leaves nothing of messages.burst for orders")
	}
	return append(bad, l.Breaker.missing()...)
}

func (l *StrategyLimits) missing() []string {
	bad := unmet(
		need{"orders_per_day", l.OrdersPerDay, 0}, need{"duplicate_window", int64(l.DuplicateWindow), maxSpan},
		need{"max_loss_streak", l.MaxLossStreak, 0}, need{"max_repeats", int64(l.MaxRepeats), 1 << 20},
		need{"repeat_window", int64(l.RepeatWindow), maxSpan},
	)
	bad = append(bad, l.Orders.missing("orders")...)
	return append(bad, l.Messages.missing("messages")...)
}

func (l *GlobalLimits) missing() []string {
	bad := unmet(
		need{"max_gross", int64(l.MaxGross), fixed.Limit}, need{"max_net", int64(l.MaxNet), fixed.Limit},
		need{"max_open", int64(l.MaxOpen), 0}, need{"orders_per_day", l.OrdersPerDay, 0},
		need{"trades_per_day", l.TradesPerDay, 0}, need{"max_daily_loss", int64(l.MaxDailyLoss), fixed.Limit},
		need{"max_drawdown", int64(l.MaxDrawdown), fixed.Limit}, need{"max_leverage", int64(l.MaxLeverage), fixed.Limit},
		need{"max_plan_loss", int64(l.MaxPlanLoss), fixed.Limit}, need{"max_mark_age", int64(l.MaxMarkAge), maxSpan},
		need{"max_delay", int64(l.MaxDelay), maxSpan},
	)
	if z := l.ZoneOffset; z <= -Day || z >= Day {
		bad = append(bad, fmt.Sprintf("zone_offset is %d; want less than a day", z))
	}
	return append(bad, l.Breaker.missing()...)
}

func (c BreakerConfig) missing() []string {
	bad := unmet(
		need{"breaker.failures", int64(c.Failures), 1 << 16}, need{"breaker.window", int64(c.Window), maxSpan},
		need{"breaker.wait", int64(c.Wait), maxSpan}, need{"breaker.max_wait", int64(c.MaxWait), maxSpan},
		need{"breaker.openings_per_day", int64(c.OpeningsPerDay), 0},
	)
	if c.MaxWait < c.Wait {
		bad = append(bad, "breaker.max_wait is less than breaker.wait")
	}
	return bad
}

// Validate names every fault of cfg, joined into one error: a limit that is missing, negative or out of range for
// anything allowed to trade, and whatever refers to an instrument, venue or currency that d does not have.
func (cfg *Config) Validate(d *desk.Desk) error {
	var faults []error
	say := func(where string, bad []string) {
		for _, b := range bad {
			faults = append(faults, fmt.Errorf("risk: %s: %s", where, b))
		}
	}
	say("global", cfg.Global.missing())
	for i := range cfg.Instruments {
		l := &cfg.Instruments[i]
		if i >= len(d.Instruments) || d.Instruments[i] == nil {
			if l.Allowed {
				say(fmt.Sprintf("instrument %d", i), []string{"not known"})
			}
			continue
		}
		if l.Allowed {
			cfg.instrument(d, d.Instruments[i], l, say)
		}
	}
	for i := range cfg.Venues {
		if cfg.Venues[i].Allowed {
			say(fmt.Sprintf("venue %d", i), cfg.Venues[i].missing())
		}
	}
	for i := range cfg.Strategies {
		if cfg.Strategies[i].Allowed {
			say(fmt.Sprintf("strategy %d", i), cfg.Strategies[i].missing())
		}
	}
	for i := range cfg.Currencies {
		c := &cfg.Currencies[i]
		where := fmt.Sprintf("currency %d", i)
		if c.Haircut < 0 || c.Haircut >= fixed.One {
			say(where, []string{"haircut is outside [0, 1)"})
		}
		if c.Pegged && (c.PegLow <= 0 || c.PegHigh < c.PegLow) {
			say(where, []string{"peg band is empty"})
		}
	}
	return errors.Join(faults...)
}

// instrument checks the limits of one allowed instrument, and what it depends on.
func (cfg *Config) instrument(d *desk.Desk, in *venue.Instrument, l *InstrumentLimits, say func(string, []string)) {
	say(in.Name, l.missing(in))
	if !indexed(in, d) {
		say(in.Name, []string{"its venue or a currency is not known"})
	}
	if int(in.Venue) >= len(cfg.Venues) || !cfg.Venues[in.Venue].Allowed {
		say(in.Name, []string{"its venue is not allowed"})
	}
	if int(in.Product) >= len(cfg.Products) || cfg.Products[in.Product].MaxBase <= 0 {
		say(in.Name, []string{"its product has no max_base"})
	}
	if in.Quote != d.Reporting && (int(in.Quote) >= len(cfg.Currencies) || cfg.Currencies[in.Quote].MaxAge <= 0) {
		say(in.Name, []string{"its quote currency has no max_age"})
	}
	if f := factor(in, fixed.One); f.num <= 0 {
		say(in.Name, []string{"its scales, multiplier or face cannot be valued"})
	}
	if in.Tick <= 0 || in.Lot <= 0 {
		say(in.Name, []string{"tick or lot is not known"})
	}
	if len(l.Reference.From) > maxReferences {
		say(in.Name, []string{fmt.Sprintf("reference names %d instruments; want at most %d", len(l.Reference.From), maxReferences)})
	}
	for _, r := range l.Reference.From {
		switch {
		case int(r) >= len(d.Instruments) || d.Instruments[r] == nil:
			say(in.Name, []string{fmt.Sprintf("reference instrument %d is not known", r)})
		case r == in.Inst:
			say(in.Name, []string{"an instrument is no reference for itself; use smooth"})
		case d.Instruments[r].Product != in.Product:
			say(in.Name, []string{"reference " + d.Instruments[r].Name + " is of another product"})
		}
	}
}
