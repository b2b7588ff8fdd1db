package app

import (
	"oneprice/arb"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/quoting"
	"oneprice/quoting/model"
	"oneprice/risk"

	"github.com/shopspring/decimal"
)

// risk fills every table of limits.
func (a *assembler) risk() {
	l := &a.Config.Limits
	a.StrategyNames = append([]string{stopsName}, append(a.Config.Strategies.Arb.Names(), a.Config.Strategies.Quoting.Names()...)...)
	r := &a.Risk
	*r = risk.Config{
		Fingerprint: a.Fingerprint, Names: risk.Names{Venues: append([]string{""}, a.venueNames()...), Strategies: a.StrategyNames}, Instruments: make([]risk.InstrumentLimits, len(a.Instruments)), Products: make([]risk.ProductLimits, len(a.Products)),
		Venues: make([]risk.VenueLimits, len(a.Venues)), Strategies: make([]risk.StrategyLimits, len(a.StrategyNames)),
		Currencies: make([]risk.CurrencyLimits, len(a.Currencies)), Global: l.Global.risk(),
	}
	a.MaxAge = make([]venue.Nanos, len(a.Instruments))
	for i, asked := range a.asked {
		if !asked {
			continue
		}
		in := a.Instruments[i]
		r.Instruments[i] = a.instrument(in, l.Instruments.For(in.Name), layer("limits.instruments", in.Name, l.Instruments.By.Find(in.Name) != nil))
		a.MaxAge[i] = r.Instruments[i].MaxAge
	}
	for _, name := range l.Restricted {
		if in := a.Find(string(name)); in != nil {
			r.Instruments[in.Inst].Restricted = true
		}
	}
	for i := range a.Config.Products {
		p := &a.Products[i+1]
		lim := l.Products.For(p.Name)
		r.Products[i+1].MaxBase = a.base(a.Instruments[p.Members[0]], lim.MaxPosition, layer("limits.products", p.Name, l.Products.By.Find(p.Name) != nil)+".max_position")
	}
	for i, v := range a.Config.Venues {
		r.Venues[i+1] = l.Venues.For(v.Name).risk()
	}
	for i, name := range a.StrategyNames {
		r.Strategies[i] = l.Strategies.For(name).risk()
	}
	for _, f := range a.Config.FX {
		c := risk.CurrencyLimits{MaxAge: venue.Nanos(f.Value.MaxAge), Haircut: fixed.Rate(f.Value.Haircut)}
		if c.MaxAge == 0 {
			c.MaxAge = risk.Day // a fixed rate does not age
		}
		if p := f.Value.Peg; p != nil {
			c.Pegged, c.PegLow, c.PegHigh = true, fixed.Rate(p.Low), fixed.Rate(p.High)
		}
		r.Currencies[a.Currency(f.Name)] = c
	}
}

// layer is the path of what holds for a name.
func layer(path, name string, own bool) string {
	if own {
		return path + "." + name
	}
	return path + ".default"
}

func (a *assembler) instrument(in *venue.Instrument, l *InstrumentLimits, path string) risk.InstrumentLimits {
	out := risk.InstrumentLimits{
		Allowed: true, MaxQty: a.lots(in, l.MaxOrder, path+".max_order"), MaxPosition: a.lots(in, l.MaxPosition, path+".max_position"),
		MaxNotional: fixed.Cash(l.MaxOrder), Collar: fixed.Rate(l.Collar), Guard: fixed.Rate(l.Guard),
		Reference: risk.Reference{Smooth: venue.Nanos(l.Reference.Smooth), MaxAge: venue.Nanos(l.Reference.MaxAge)},
		MaxAge:    venue.Nanos(l.MaxAge), MaxLag: venue.Nanos(l.MaxLag), MaxOpen: int32(min(l.MaxOpen, 1<<31-1)),
		MayShort: bool(l.MayShort), Margin: fixed.Rate(l.Margin), Session: risk.Session(l.Session),
	}
	if in.MaxQty > 0 {
		out.MaxQty = min(out.MaxQty, in.MaxQty)
	}
	for _, name := range l.Reference.From {
		if ref := a.Find(string(name)); ref != nil && ref.Inst != in.Inst {
			out.Reference.From = append(out.Reference.From, ref.Inst)
		}
	}
	return out
}

func (l *GlobalLimits) risk() risk.GlobalLimits {
	var next func(venue.Nanos) venue.Nanos
	if l.ResetZone.at != nil {
		next = func(now venue.Nanos) venue.Nanos { return l.ResetZone.next(now, l.DayStarts) }
	}
	return risk.GlobalLimits{NextDay: next,
		MaxGross: fixed.Cash(l.MaxGross), MaxNet: fixed.Cash(l.MaxNet), MaxOpen: int32(min(l.MaxOpen, 1<<31-1)),
		OrdersPerDay: int64(l.OrdersPerDay), TradesPerDay: int64(l.TradesPerDay), MaxDailyLoss: fixed.Cash(l.MaxDailyLoss),
		MaxDrawdown: fixed.Cash(l.MaxDrawdown), MaxLeverage: fixed.Rate(l.MaxLeverage), MaxPlanLoss: fixed.Cash(l.MaxPlanLoss),
		MaxMarkAge: venue.Nanos(l.MaxMarkAge), MaxDelay: venue.Nanos(l.MaxDelay), ZoneOffset: -venue.Nanos(l.DayStarts), Breaker: l.Breaker.risk(),
	}
}

func (l *VenueLimits) risk() risk.VenueLimits {
	return risk.VenueLimits{
		Allowed: true, MaxGross: fixed.Cash(l.MaxGross), MaxNet: fixed.Cash(l.MaxNet), MaxOpen: int32(min(l.MaxOpen, 1<<31-1)),
		Orders: l.Orders.risk(), Messages: l.Messages.risk(), CancelReserve: int64(l.CancelReserve), Soft: l.Soft.risk(),
		OrdersPerDay: int64(l.OrdersPerDay), TradesPerDay: int64(l.TradesPerDay), MaxClockOffset: venue.Nanos(l.MaxClockOffset), Breaker: l.Breaker.risk(),
	}
}

func (l *StrategyLimits) risk() risk.StrategyLimits {
	return risk.StrategyLimits{
		Allowed: true, Orders: l.Orders.risk(), Messages: l.Messages.risk(), OrdersPerDay: int64(l.OrdersPerDay),
		DuplicateWindow: venue.Nanos(l.DuplicateWindow), MaxLossStreak: int64(l.MaxLossStreak), MaxRepeats: int(l.MaxRepeats), RepeatWindow: venue.Nanos(l.RepeatWindow),
	}
}

// arb makes the arb strategies that are enabled; the others keep their number and take no part.
func (a *assembler) arb() {
	for _, s := range a.Config.Strategies.Arb {
		path := "strategies.arb." + s.Name
		cfg := arb.Config{Name: s.Name, MaxFXAge: venue.Nanos(s.Value.MaxFXAge), Balances: true}
		for _, l := range s.Value.Links.Named {
			cfg.Links = append(cfg.Links, a.link(l.Name, &l.Value, path+".links."+l.Name))
		}
		if len(a.w.faults) > 0 {
			continue
		}
		st, err := arb.New(cfg, a.Instruments)
		if err != nil {
			a.joined(path, err)
			continue
		}
		a.strategy(st, bool(s.Value.Enabled))
	}
}

// off is a strategy that is not enabled.
type off struct{ desk.Strategy }

// Decide says nothing.
func (off) Decide(*desk.Desk, *desk.Out) {}

func (a *assembler) strategy(s desk.Strategy, enabled bool) {
	if !enabled {
		s = off{s}
	}
	a.Strategies = append(a.Strategies, s)
}

func (a *assembler) link(name string, l *LinkConfig, path string) arb.Link {
	out := arb.Link{
		Name: name, Shape: desk.Shape(l.Shape), Threshold: fixed.Rate(l.Threshold), Policy: desk.Policy(l.Policy), OnFail: desk.Playbook(l.OnFail),
		Allowance: fixed.Rate(l.Allowance), MaxLoss: fixed.Cash(l.MaxLoss), Deadline: venue.Nanos(l.Deadline), NotAfter: venue.Nanos(l.NotAfter),
		MaxAge: venue.Nanos(l.MaxAge), Cooldown: venue.Nanos(l.Cooldown), Basis: bool(l.Basis), BasisLimit: fixed.Rate(l.BasisLimit),
		Costs: arb.Costs{FX: fixed.Rate(l.Costs.FX), Funding: fixed.Rate(l.Costs.Funding), Borrow: fixed.Rate(l.Costs.Borrow), Other: fixed.Rate(l.Costs.Other)},
		Par:   fixed.Rate(l.Par), Exhaustive: bool(l.Exhaustive),
	}
	for _, leg := range l.Legs {
		if in := a.Find(string(leg)); in != nil {
			out.Legs = append(out.Legs, in.Inst)
		}
	}
	if len(out.Legs) == 0 {
		a.w.fault(a.w.line(path+".legs"), path+".legs", "is empty; list the instruments of the cross")
		return out
	}
	first := a.Instruments[out.Legs[0]]
	out.MinBase = a.base(first, l.MinNotional, path+".min_notional")
	out.MaxBase = a.base(first, l.MaxNotional, path+".max_notional")
	if l.MaxPosition > 0 {
		out.MaxPosition = a.base(first, l.MaxPosition, path+".max_position")
	}
	if rate := a.rateOf(first); rate > 0 {
		v, _ := fixed.MulDiv(int64(l.MaxNotional), int64(fixed.One), int64(rate), fixed.Down)
		out.MaxNotional = fixed.Cash(v) // 0 when it overflows: arb refuses that by name
	}
	return out
}

// quoting makes the quoting strategies.
func (a *assembler) quoting() {
	for _, s := range a.Config.Strategies.Quoting {
		path := "strategies.quoting." + s.Name
		cfg := quoting.Config{Name: s.Name}
		for _, q := range s.Value.Quotes.Named {
			cfg.Quotes = append(cfg.Quotes, a.quote(&q.Value, path+".quotes."+q.Name))
		}
		if len(a.w.faults) > 0 {
			continue
		}
		st, err := quoting.New(cfg, a.Instruments)
		if err != nil {
			a.joined(path, err)
			continue
		}
		a.strategy(st, bool(s.Value.Enabled))
	}
}

func (a *assembler) quote(q *QuoteConfig, path string) quoting.Quote {
	in := a.Find(string(q.Instrument))
	out := quoting.Quote{
		Inst: in.Inst, MinHalf: fixed.Rate(q.MinHalf), MinEdge: fixed.Rate(q.MinEdge),
		Model:  model.Params{Gamma: float(q.Model.Gamma), Kappa: float(q.Model.Kappa), Horizon: venue.Nanos(q.Model.Horizon), Window: venue.Nanos(q.Model.Window), Sample: venue.Nanos(q.Model.Sample)},
		Layers: int(q.Layers), Step: fixed.Rate(q.Step), Qty: a.lots(in, q.Size, path+".size"), MaxInventory: a.base(in, q.MaxInventory, path+".max_inventory"),
		Hysteresis: fixed.Rate(q.Hysteresis), PerSecond: int(q.PerSecond), Burst: int(q.Burst), PostOnly: bool(q.PostOnly), Amend: bool(q.Amend),
		NotAfter: venue.Nanos(q.NotAfter),
		Pull:     quoting.Pull{MaxAge: venue.Nanos(q.Pull.MaxAge), MaxVol: fixed.Rate(q.Pull.MaxVol), Fills: int(q.Pull.Fills), Window: venue.Nanos(q.Pull.Window), Pause: venue.Nanos(q.Pull.Pause)},
		Fair:     quoting.Fair{Source: quoting.Source(q.Fair.Source), MinWeight: fixed.Rate(q.Fair.MinWeight)},
	}
	for _, r := range q.Fair.Refs {
		out.Fair.Refs = append(out.Fair.Refs, quoting.Ref{Inst: a.Find(string(r.Instrument)).Inst, Weight: fixed.Rate(r.Weight)})
	}
	if h := q.Hedge; h != nil {
		at := a.Find(string(h.Instrument))
		out.Hedge = &quoting.Hedge{
			Inst: at.Inst, Slip: fixed.Rate(h.Slip), Allowance: fixed.Rate(h.Allowance), MaxLoss: fixed.Cash(h.MaxLoss), Deadline: venue.Nanos(h.Deadline),
			NotAfter: venue.Nanos(h.NotAfter), Retry: venue.Nanos(h.Retry), MaxCarry: a.base(at, h.MaxCarry, path+".hedge.max_carry"),
		}
	}
	return out
}

// float is a factor for the model, the only place where one leaves the integers.
func float(f Factor) float64 {
	return decimal.New(int64(f), -fixed.RateScale).InexactFloat64()
}
