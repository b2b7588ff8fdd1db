package app

import (
	"fmt"
	"io"
	"strings"
	"time"

	"oneprice/books/fixed"
	"oneprice/risk"
)

// Control is one line of the operator's checklist.
type Control struct {
	Control string `json:"control"`
	// Limit is what the config says of it.
	Limit string `json:"limit"`
	// Enforced is where it is enforced.
	Enforced string `json:"enforced"`
	// Tests violate it, by new orders and by amends.
	Tests []ControlTest `json:"tests"`
}

// ControlTest is a test of this repository: its package, its name, and the case in it, "" for all of it.
type ControlTest struct {
	Package string `json:"package"`
	Test    string `json:"test"`
	Case    string `json:"case,omitempty"`
}

func (t ControlTest) text() string {
	s := t.Package + " " + t.Test
	if t.Case != "" {
		s += " (" + t.Case + ")"
	}
	return s
}

// gated is a control that the gate enforces by rules; the tests of package risk violate it under its own name.
func gated(name, limit string, rules ...risk.Rule) Control {
	var by []string
	for _, r := range rules {
		by = append(by, r.String())
	}
	return Control{name, limit, "risk.Gate: " + strings.Join(by, ", "), []ControlTest{{"risk", "TestControls_areViolatedByNewOrdersAndByAmends", name}}}
}

// also adds tests of other packages, and where else it is enforced.
func (c Control) also(where string, tests ...ControlTest) Control {
	if where != "" {
		c.Enforced += "; " + where
	}
	c.Tests = append(c.Tests, tests...)
	return c
}

// Controls is the checklist of a config.
func (c *Config) Controls() []Control {
	l := &c.Limits
	ins, vs, ss, g := &l.Instruments, &l.Venues, &l.Strategies, &l.Global
	money := func(m Money) string { return amount(m) + " " + string(c.Reporting) }
	maxOrder := layers(ins, func(x *InstrumentLimits) string { return money(x.MaxOrder) })
	const lastGate = "venue.Kill, at the last instruction before each write"
	cards := func(says string) ControlTest { return ControlTest{"feeds/conform", "TestCards", says} }
	killed := cards("sends no new order and no amend while everything, its venue or its strategy is killed, and cancels still")
	waits := ControlTest{"feeds/coinbase", "TestGateway_killStopsWhatWaits", ""}
	return []Control{
		gated("maximum order value", maxOrder, risk.RuleMaxNotional),
		gated("maximum order size", maxOrder+", in lots at the first price; the venue's own maximum", risk.RuleMaxQty),
		gated("price collar", layers(ins, func(x *InstrumentLimits) string { return inBps(fixed.Rate(x.Collar)) }), risk.RuleCollar),
		gated("aggregate exposure", fmt.Sprintf("on orders entered: gross %s, net %s; of a venue: gross %s", money(g.MaxGross), money(g.MaxNet), layers(vs, func(x *VenueLimits) string { return money(x.MaxGross) })),
			risk.RuleGross, risk.RuleNet, risk.RuleVenueGross, risk.RuleVenueNet, risk.RulePosition, risk.RuleProduct),
		gated("duplicate orders", "within "+layers(ss, func(x *StrategyLimits) string { return lasts(x.DuplicateWindow) }), risk.RuleDuplicate),
		gated("message limits", layers(vs, func(x *VenueLimits) string {
			return fmt.Sprintf("%d in %s, at most %d at once, %d of them for cancels", x.Messages.N, lasts(x.Messages.Per), x.Messages.Burst, x.CancelReserve)
		}), risk.RuleVenueMessages, risk.RuleStrategyMessages, risk.RuleVenueOrders, risk.RuleStrategyOrders),
		gated("repeated executions", layers(ss, func(x *StrategyLimits) string {
			return fmt.Sprintf("%d fills of a side in %s, then the side is disabled until an operator arms", x.MaxRepeats, lasts(x.RepeatWindow))
		}), risk.RuleRepeats).also("", ControlTest{"risk", "TestControls_repeatedExecutionsAreReEnabledByAnOperator", ""}),
		gated("permissions", fmt.Sprintf("%d instruments may trade, %d are restricted", len(c.instruments()), len(l.Restricted)), risk.RuleAllow, risk.RuleRestricted, risk.RuleShort),
		gated("kill", "oneprice ctl kill; until lifted, across restarts", risk.RuleKill).also(lastGate, killed, waits),
		gated("kill of a venue", "oneprice ctl kill --venue", risk.RuleKill).also(lastGate, killed, waits),
		gated("kill of a strategy", "oneprice ctl kill --strategy", risk.RuleKill).also(lastGate, killed, waits),
		{"dead-man", "each venue's own countdown where it has one; else cancel on exit", "the gateways", []ControlTest{
			cards("keeps the venue's countdown to a cancel of everything running while it trades, and ends it when it leaves in order"),
			{"feeds/binance", "TestDeadMan_cancelsWhatAnEngineThatIsCutOffHasLeft", ""}}},
		gated("reduce-only", "oneprice ctl reduce-only, or a fill that cannot be booked", risk.RuleReduceOnly),
		gated("self-match", "never, across strategies and twins", risk.RuleSelfMatch),
		gated("feed quality", layers(ins, func(x *InstrumentLimits) string {
			return "silent for " + lasts(x.MaxAge) + ", late by " + lasts(x.MaxLag)
		}),
			risk.RuleBookState, risk.RuleBookAge, risk.RuleBookLag, risk.RuleMarkAge),
		gated("clock", "apart by "+layers(vs, func(x *VenueLimits) string { return lasts(x.MaxClockOffset) }), risk.RuleClock),
		gated("breaker", layers(vs, func(x *VenueLimits) string { return x.Breaker.text() })+"; over all: "+g.Breaker.text(), risk.RuleVenueBreaker, risk.RuleGlobalBreaker),
		gated("daily loss", money(g.MaxDailyLoss), risk.RuleDailyLoss),
		gated("drawdown", money(g.MaxDrawdown)+" below the best", risk.RuleDrawdown),
		gated("orders per day", fmt.Sprintf("%d", g.OrdersPerDay), risk.RuleOrdersDay, risk.RuleTradesDay),
		{"alerts", "what stops trading is logged, audited, and shown by /readyz, /metrics and oneprice ctl status; nothing is sent out", "engine/console, engine/audit",
			[]ControlTest{{"engine/console", "TestConsole_saysWhatIsMissing", ""}}},
		{"reconciliation", "a balance or position that stays different halts its venue; a start that cannot be made consistent is refused", "engine, engine/recovery", []ControlTest{
			{"engine", "TestStep_aBalanceThatStaysDifferentHaltsItsVenue", ""}, {"engine", "TestStep_aPositionThatStaysDifferentHaltsItsVenue", ""},
			{"cmd/app", "TestLive_balancesThatDifferStopTheStartUnlessTheVenuesAreBelieved", ""}}},
		{"entering = leaving", "what leaves is what was approved and recorded before", "engine.Loop, risk.Approved", []ControlTest{
			{"engine", "TestOperator_whatLeavesIsWhatWasApproved", ""}, {"engine", "TestLoop_recordIsQueuedBeforeItsCommandLeaves", ""}}},
		{"attribution", "every order names its strategy, the config's fingerprint and the operator who answers for it", "engine, engine/audit", []ControlTest{
			{"engine", "TestOperator_ordersNameWhoAnswersForThem", ""}, {"engine", "TestOperator_whatLeavesIsWhatWasApproved", ""}}},
	}
}

// layers words a limit that may differ by name.
func layers[T any](l *Layered[T], word func(*T) string) string {
	s := word(&l.Default)
	for i := range l.By {
		if own := word(&l.By[i].Value); own != word(&l.Default) {
			s += "; " + l.By[i].Name + ": " + own
		}
	}
	return s
}

func lasts(s Span) string { return time.Duration(s).String() }

// text words a breaker.
func (b *BreakerConfig) text() string {
	return fmt.Sprintf("%d failures in %s open it for %s", b.Failures, lasts(b.Window), lasts(b.Wait))
}

// ControlsReport is what check --controls prints.
type ControlsReport struct {
	Config   string    `json:"config"`
	Controls []Control `json:"controls"`
}

// Text writes the checklist for a person.
func (r *ControlsReport) Text(w io.Writer) {
	for _, c := range r.Controls {
		fmt.Fprintf(w, "%s: %s\n  enforced by %s\n", c.Control, c.Limit, c.Enforced)
		for _, x := range c.Tests {
			fmt.Fprintf(w, "  violated by %s\n", x.text())
		}
	}
}
