package risk

import "oneprice/books/venue"

// Approved is an order instruction that passed every rule. Only Check and CheckPlan make one.
type Approved struct{ cmd venue.Command }

// Command returns the instruction; the engine sets Slot and Client through it. Op is NoOp when nothing was approved.
func (a *Approved) Command() *venue.Command { return &a.cmd }

// Verdict is the answer of the gate. Reason OK approves; otherwise Rule says which rule refused, Value what the intent
// would have led to, Limit what is allowed, and Headroom what the limit had left before it (Limit less what is in use).
// Units are those of the rule's limit; for a breaker Value is the seconds left (−1: until an operator re-arms).
type Verdict struct {
	Reason                 venue.Reason
	Rule                   Rule
	Leg                    uint8
	Value, Limit, Headroom int64
}

// OK reports whether the verdict approves.
func (v Verdict) OK() bool { return v.Reason == venue.OK }

// Rule numbers the rules, in the order in which Check applies them but for the last, which follows RuleMissing.
type Rule uint8

const (
	NoRule Rule = iota
	RuleShape
	RuleTarget
	RuleLate
	RuleKill
	RuleArmed
	RuleAllow
	RuleRestricted
	RuleRoom
	RuleMissing
	RuleStatus
	RuleSession
	RuleVenueBreaker
	RuleGlobalBreaker
	RuleRepeats
	RuleLossStreak
	RuleBookState
	RuleBookAge
	RuleBookLag
	RuleClock
	RuleMarkAge
	RuleTick
	RuleLot
	RuleMinQty
	RuleMaxQty
	RuleReduceOnly
	RuleOpenInstrument
	RuleOpenVenue
	RuleOpenGlobal
	RuleOrdersDay
	RuleTradesDay
	RuleDailyLoss
	RuleDrawdown
	RuleFX
	RuleMinNotional
	RuleMaxNotional
	RuleCollar
	RuleSlippage
	RulePosition
	RuleProduct
	RuleVenueNet
	RuleVenueGross
	RuleNet
	RuleGross
	RuleLeverage
	RuleShort
	RuleBalance
	RuleMargin
	RuleSelfMatch
	RuleDuplicate
	RuleSoft
	RuleVenueOrders
	RuleStrategyOrders
	RuleVenueMessages
	RuleStrategyMessages
	RulePlan
	RuleStopped
	rules // count
)

// Rules is the number of rules, for counters indexed by Rule.
const Rules = int(rules)

var ruleText = [rules]string{
	"none", "shape", "target", "late", "kill", "armed", "allow", "restricted", "room", "missing_limit", "status", "session",
	"venue_breaker", "global_breaker", "repeats", "loss_streak", "book_state", "book_age", "book_lag", "clock", "mark_age",
	"tick", "lot", "min_qty", "max_qty", "reduce_only", "open_instrument", "open_venue", "open_global", "orders_day",
	"trades_day", "daily_loss", "drawdown", "fx", "min_notional", "max_notional", "collar", "slippage", "position", "product",
	"venue_net", "venue_gross", "net", "gross", "leverage", "short", "balance", "margin", "self_match", "duplicate",
	"soft_rejects", "venue_orders", "strategy_orders", "venue_messages", "strategy_messages", "plan", "stopped",
}

// String is the stable snake_case name used in audit and metrics.
func (r Rule) String() string {
	if r < rules {
		return ruleText[r]
	}
	return "rule_out_of_range"
}
