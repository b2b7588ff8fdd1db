package audit

import (
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// unit says what the figures of a verdict count. The ring keeps it, so its numbers never change.
type unit uint8

const (
	unitCount unit = iota
	unitPrice
	unitQty
	unitRate
	unitReporting // cash of the reporting currency
	unitQuote     // cash of the instrument's quote currency
	unitSettle    // cash of its settlement currency
	unitNanos
	unitSeconds
	unitHeld // what a sale takes: cash of a spot instrument's base currency, quantity of any other
	unitPlan // a plan's loss, the number of plans, or price or quantity of an order of the plan
	unitRaw  // an age, a rate or a count: the integer itself
)

// rule is how lines name one rule of the gate.
type rule struct {
	Name string `json:"name"`
	Unit unit   `json:"unit"`
}

// unitOf lists the gate's rules whose limit is not a plain count, by name, as package risk fills its verdicts. A test
// holds the names against risk's.
var unitOf = map[string]unit{
	"late": unitNanos, "session": unitNanos, "book_age": unitNanos, "book_lag": unitNanos, "clock": unitNanos, "mark_age": unitNanos,
	"duplicate": unitNanos, "venue_breaker": unitSeconds, "global_breaker": unitSeconds,
	"tick": unitPrice, "self_match": unitPrice,
	"lot": unitQty, "min_qty": unitQty, "max_qty": unitQty, "reduce_only": unitQty, "position": unitQty, "product": unitQty,
	"short": unitHeld, "collar": unitRate, "slippage": unitRate,
	"daily_loss": unitReporting, "drawdown": unitReporting, "max_notional": unitReporting, "venue_net": unitReporting,
	"venue_gross": unitReporting, "net": unitReporting, "gross": unitReporting, "leverage": unitReporting,
	"min_notional": unitQuote, "balance": unitSettle, "margin": unitSettle, "plan": unitPlan, "fx": unitRaw,
}

func newRules(names []string) []rule {
	t := make([]rule, len(names))
	for i, name := range names {
		t[i] = rule{name, unitOf[name]}
	}
	return t
}

// verdict writes the gate's answer with its figures in the unit of the rule that spoke.
func (f *Formatter) verdict(r *Record) {
	l := &f.l
	if r.Reason == venue.OK {
		l.word(`,"verdict":`, "approved")
	} else {
		l.word(`,"verdict":`, "refused")
		l.word(`,"reason":`, r.Reason.String())
	}
	by := rule{Unit: unitRaw}
	if int(r.Rule) < len(f.rules) {
		by = f.rules[r.Rule]
	}
	if by.Name == "" && r.Rule != 0 {
		l.id(`,"rule":`, uint64(r.Rule))
	} else if r.Rule != 0 {
		l.word(`,"rule":`, by.Name)
	}
	if r.Value|r.Limit|r.Headroom == 0 {
		return
	}
	scale, name := f.unit(by.Unit, r)
	l.decimal(`,"value":`, r.Value, scale)
	l.decimal(`,"limit":`, r.Limit, scale)
	l.decimal(`,"headroom":`, r.Headroom, scale)
	l.word(`,"unit":`, name)
}

// unit is the scale of a verdict's figures and what the line calls it.
func (f *Formatter) unit(u unit, r *Record) (scale uint8, name string) {
	in := f.instrument(r.figured())
	switch u.of(r, in.spot) {
	case unitPrice:
		return in.priceScale, "price"
	case unitQty:
		return in.qtyScale, "qty"
	case unitRate:
		return fixed.RateScale, "fraction"
	case unitReporting:
		return fixed.CashScale, f.reporting
	case unitQuote:
		return fixed.CashScale, in.quote
	case unitSettle:
		return fixed.CashScale, in.settle
	case unitHeld:
		return fixed.CashScale, in.base
	case unitNanos:
		return 9, "seconds"
	case unitSeconds:
		return 0, "seconds"
	case unitRaw:
		return 0, "raw"
	}
	return 0, "count"
}

// of settles the units that depend on the record.
func (u unit) of(r *Record, spot bool) unit {
	switch {
	case u == unitHeld && !spot:
		return unitQty
	case u != unitPlan:
		return u
	case r.Kind == Planned && r.Value == int64(r.MaxLoss):
		return unitReporting
	case r.Kind == Planned:
		return unitCount
	case r.Value == int64(r.Price):
		return unitPrice
	}
	return unitQty
}

// figured is the instrument that a verdict's figures are about: of a refused plan, the refused leg's.
func (r *Record) figured() venue.Inst {
	if r.Kind == Planned && r.Slot != 0 {
		return venue.Inst(r.Target)
	}
	return r.Inst
}
