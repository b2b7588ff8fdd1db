package risk

import (
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/desk"
	"oneprice/books/venue"
)

// control is one line of the operator's checklist: what violates it, by a new order and by an amend of one that rests.
type control struct {
	rule   Rule
	config func(*Config)
	// violate makes the world such that the next order violates it; o rests, bought at 99,900.00 for 0.01. It may be nil.
	violate func(w *world, o *desk.Order)
	// change makes of a plain order, or of an amend that leaves all as it is, the one that violates.
	change func(*desk.Intent)
}

func larger(in *desk.Intent)    { in.Qty = 210 }
func elsewhere(in *desk.Intent) { in.Price = 99_800_00 }

// The checklist that oneprice check --controls prints names these by their names.
var controls = map[string]control{
	"maximum order value": {rule: RuleMaxNotional, config: func(c *Config) { c.Instruments[spotA].MaxNotional = cash(2000) }, change: larger},
	"maximum order size":  {rule: RuleMaxQty, config: func(c *Config) { c.Instruments[spotA].MaxQty = 200 }, change: larger},
	"price collar":        {rule: RuleCollar, change: func(in *desk.Intent) { in.Price = 94_000_00 }},
	"aggregate exposure":  {rule: RuleGross, config: func(c *Config) { c.Global.MaxGross = cash(2000) }, change: larger},
	"duplicate orders": {rule: RuleDuplicate, config: func(c *Config) { c.Strategies[0].DuplicateWindow = venue.Second }, change: elsewhere,
		violate: func(w *world, o *desk.Order) {
			in, again := buy(spotA), amendOf(o)
			again.Qty = o.Qty
			elsewhere(&in)
			elsewhere(&again)
			w.passes(in)
			w.passes(again)
		}},
	"message limits": {rule: RuleVenueMessages, config: func(c *Config) { c.Venues[1].Messages, c.Venues[1].CancelReserve = Rate{1, Day, 3}, 2 }, change: elsewhere},
	"repeated executions": {rule: RuleRepeats, config: func(c *Config) { c.Strategies[0].MaxRepeats = 2 }, change: elsewhere, violate: func(w *world, o *desk.Order) {
		filled := *o
		for range 3 {
			filled.Client++
			w.report(&filled, venue.Fill, venue.OK)
		}
		w.step(venue.Second) // time does not lift it
	}},
	"permissions": {rule: RuleRestricted, change: elsewhere, violate: func(w *world, _ *desk.Order) {
		w.cfg.Instruments[spotA].Restricted = true
		w.build()
	}},
	"kill":               {rule: RuleKill, change: elsewhere, violate: func(w *world, _ *desk.Order) { w.g.OnOperator(venue.OpKill, 0, w.d.Now) }},
	"kill of a venue":    {rule: RuleKill, change: elsewhere, violate: func(w *world, _ *desk.Order) { w.g.OnOperator(venue.OpKill, 1, w.d.Now) }},
	"kill of a strategy": {rule: RuleKill, change: elsewhere, violate: func(w *world, _ *desk.Order) { w.g.OnStrategy(venue.OpKill, 0) }},
	"reduce-only":        {rule: RuleReduceOnly, change: larger, violate: func(w *world, _ *desk.Order) { w.g.OnOperator(venue.OpReduceOnly, 0, w.d.Now) }},
	"self-match": {rule: RuleSelfMatch, change: func(in *desk.Intent) { in.Price = 100_100_00 }, violate: func(w *world, _ *desk.Order) {
		w.rest(sell(spotA))
	}},
	"feed quality": {rule: RuleBookState, change: elsewhere, violate: func(w *world, _ *desk.Order) { w.d.Books[spotA].Invalidate(venue.SequenceGap) }},
	"clock":        {rule: RuleClock, change: elsewhere, violate: func(w *world, _ *desk.Order) { w.g.OnClock(1, 2*venue.Second) }},
	"breaker": {rule: RuleVenueBreaker, change: elsewhere, violate: func(w *world, _ *desk.Order) {
		for range DefaultBreaker.Failures {
			w.g.OnTimeout(1, w.d.Now)
		}
	}},
	"daily loss": {rule: RuleDailyLoss, change: elsewhere, violate: func(w *world, _ *desk.Order) {
		w.lose(10_001)
	}},
	"drawdown": {rule: RuleDrawdown, config: func(c *Config) { c.Global.MaxDailyLoss = cash(50_000) }, change: elsewhere, violate: func(w *world, _ *desk.Order) {
		w.lose(20_001)
	}},
	"orders per day": {rule: RuleOrdersDay, config: func(c *Config) { c.Global.OrdersPerDay = 1 }, change: elsewhere},
}

// lose makes the day's result a loss.
func (w *world) lose(amount int64) {
	worth := w.g.worth
	worth.PnL -= cash(amount)
	w.g.OnWorth(worth, w.d.Now)
}

func TestControls_areViolatedByNewOrdersAndByAmends(t *testing.T) {
	for name, c := range controls {
		for _, op := range []venue.Op{venue.New, venue.Amend} {
			t.Run(name+" "+op.String(), func(t *testing.T) {
				w := newWorld(t)
				if c.config != nil {
					c.config(&w.cfg)
					w.build()
				}
				o := w.rest(buy(spotA))
				if c.violate != nil {
					c.violate(w, o)
				}
				v := w.check(c.intent(op, o))
				require.Equal(t, c.rule, v.Rule, "%s", v.Reason)
				require.NotEqual(t, venue.OK, v.Reason)

				if c.config != nil || c.violate != nil {
					w = newWorld(t)
					w.passes(c.intent(op, w.rest(buy(spotA)))) // it is the control that refuses
				}
			})
		}
	}
}

// intent is the order or the amend of o that violates the control.
func (c *control) intent(op venue.Op, o *desk.Order) desk.Intent {
	in := buy(spotA)
	in.Price -= 10
	if op == venue.Amend {
		in = desk.Intent{Op: venue.Amend, Inst: spotA, Target: o.Client, Price: o.Price, Qty: o.Qty}
	}
	c.change(&in)
	return in
}

// A human re-enables what repeated executions stopped: everything, or the strategy alone.
func TestControls_repeatedExecutionsAreReEnabledByAnOperator(t *testing.T) {
	for _, arm := range []func(w *world){
		func(w *world) { w.g.OnOperator(venue.OpArm, 0, w.d.Now) },
		func(w *world) { w.g.OnStrategy(venue.OpArm, 0) },
	} {
		w := newWorld(t, controls["repeated executions"].config)
		controls["repeated executions"].violate(w, w.rest(buy(spotA)))
		in := priced(buy(spotA), 99_700_00, 100)
		require.Equal(t, RuleRepeats, w.check(in).Rule)
		w.g.OnOperator(venue.OpArm, 1, w.d.Now)
		require.Equal(t, RuleRepeats, w.check(in).Rule, "arming a venue says nothing of it")
		arm(w)
		w.passes(in)
	}
}
