package audit

import "oneprice/risk"

// unit says what the figures of a verdict count; the ring keeps it, so its numbers never change.
type unit uint8

const (
	unitCount unit = iota
	unitPrice
	unitQty
	unitRate
	unitCash // of the reporting currency
	unitNanos
	unitSeconds
)

// rule is how lines name one rule of the gate.
type rule struct {
	Name string `json:"name"`
	Unit unit   `json:"unit"`
}

// unitOf lists the rules whose limit is not a plain count.
var unitOf = map[risk.Rule]unit{
	risk.RuleLate: unitNanos, risk.RuleBookAge: unitNanos, risk.RuleBookLag: unitNanos, risk.RuleClock: unitNanos,
	risk.RuleMarkAge: unitNanos, risk.RuleSession: unitNanos, risk.RuleDuplicate: unitNanos,
	risk.RuleVenueBreaker: unitSeconds, risk.RuleGlobalBreaker: unitSeconds,
	risk.RuleTick: unitPrice, risk.RuleSelfMatch: unitPrice,
	risk.RuleLot: unitQty, risk.RuleMinQty: unitQty, risk.RuleMaxQty: unitQty, risk.RuleReduceOnly: unitQty,
	risk.RulePosition: unitQty, risk.RuleProduct: unitQty, risk.RuleShort: unitQty,
	risk.RuleCollar: unitRate, risk.RuleSlippage: unitRate, risk.RuleLeverage: unitRate,
	risk.RuleDailyLoss: unitCash, risk.RuleDrawdown: unitCash, risk.RuleMinNotional: unitCash, risk.RuleMaxNotional: unitCash,
	risk.RuleVenueNet: unitCash, risk.RuleVenueGross: unitCash, risk.RuleNet: unitCash, risk.RuleGross: unitCash,
	risk.RuleBalance: unitCash, risk.RuleMargin: unitCash, risk.RulePlan: unitCash,
}

// rules is the gate's table as this program knows it.
func rules() []rule {
	t := make([]rule, risk.Rules)
	for i := range t {
		t[i] = rule{risk.Rule(i).String(), unitOf[risk.Rule(i)]}
	}
	return t
}
