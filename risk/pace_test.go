package risk

import (
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/risk/ledger"
)

func TestRules_openOrders(t *testing.T) {
	run := func(r Rule, i venue.Inst) func(w *world) {
		return func(w *world) {
			o := w.rest(buy(spotA))
			w.rest(priced(buy(spotA), 99_800_00, 100))
			w.refuses(priced(buy(i), 99_700_00, 100), r, venue.OpenOrderLimit, 3, 2, 0)
			w.passes(desk.Intent{Op: venue.Amend, Inst: spotA, Target: o.Client, Price: 99_910_00, Qty: 100})
			o.State = desk.Cancelled
			w.work(spotA)
			w.passes(priced(buy(i), 99_700_00, 100))
		}
	}
	f(t, "instrument", run(RuleOpenInstrument, spotA), at(func(l *InstrumentLimits) { l.MaxOpen = 2 }))
	f(t, "venue", run(RuleOpenVenue, spotA), func(c *Config) { c.Venues[1].MaxOpen = 2 })
	f(t, "global", run(RuleOpenGlobal, spotB), func(c *Config) { c.Global.MaxOpen = 2 })
}

func TestRules_perDay(t *testing.T) {
	for name, c := range map[string]func(*Config){
		"venue": func(c *Config) { c.Venues[1].OrdersPerDay = 2 }, "strategy": func(c *Config) { c.Strategies[0].OrdersPerDay = 2 },
		"global": func(c *Config) { c.Global.OrdersPerDay = 2 },
	} {
		f(t, "orders, "+name, func(w *world) {
			w.passes(buy(spotA))
			w.passes(sell(spotA))
			w.refuses(priced(buy(spotA), 99_800_00, 100), RuleOrdersDay, venue.OrdersPerDay, 3, 2, 0)
			w.step(Day - start%Day - 1)
			w.refuses(priced(buy(spotA), 99_800_00, 100), RuleOrdersDay, venue.OrdersPerDay, 3, 2, 0)
			w.step(1)
			w.passes(buy(spotA))
		}, c)
	}
	for name, c := range map[string]func(*Config){
		"venue": func(c *Config) { c.Venues[1].TradesPerDay = 2 }, "global": func(c *Config) { c.Global.TradesPerDay = 2 },
	} {
		f(t, "trades, "+name, func(w *world) {
			o := w.rest(buy(spotA))
			w.report(o, venue.Fill, venue.OK)
			w.passes(sell(spotA))
			w.report(o, venue.Fill, venue.OK)
			w.refuses(buy(spotA), RuleTradesDay, venue.TradesPerDay, 3, 2, 0)
			w.step(Day)
			w.passes(buy(spotA))
		}, c)
	}
	f(t, "the day ends where the zone says", func(w *world) {
		w.passes(buy(spotA))
		w.step(3600*venue.Second - 1)
		require.Equal(t, RuleOrdersDay, w.check(sell(spotA)).Rule)
		w.step(1)
		w.passes(sell(spotA))
	}, func(c *Config) {
		c.Venues[1].OrdersPerDay = 1
		c.Global.ZoneOffset = Day - start%Day - 3600*venue.Second
	})
}

func TestRules_losses(t *testing.T) {
	worth := func(w *world, pnl int64) {
		w.g.OnWorth(ledger.Worth{PnL: cash(pnl), Equity: cash(1_000_000), OK: true}, w.d.Now)
	}
	f(t, "daily loss", func(w *world) {
		worth(w, -10_000)
		w.passes(buy(spotA))
		w.g.OnWorth(ledger.Worth{PnL: -cash(10_000) - 1, Equity: cash(1_000_000), OK: true}, w.d.Now)
		w.refuses(sell(spotA), RuleDailyLoss, venue.DailyLoss, int64(cash(10_000))+1, int64(cash(10_000)), -1)
		w.hold(spotA, 100, 100_000_00)
		w.passes(sell(spotA)) // it reduces
		w.step(Day)
		w.passes(buy(spotA)) // a new day counts anew
	})
	f(t, "drawdown", func(w *world) {
		worth(w, 15_000)
		w.step(Day)
		worth(w, 5_000)
		w.passes(buy(spotA))
		w.step(Day)
		w.g.OnWorth(ledger.Worth{PnL: -cash(5000) - 1, Equity: cash(1_000_000), OK: true}, w.d.Now)
		w.refuses(buy(spotA), RuleDailyLoss, venue.DailyLoss, int64(cash(10_000))+1, int64(cash(10_000)), -1)
		w.step(Day)
		w.refuses(buy(spotA), RuleDrawdown, venue.Drawdown, int64(cash(20_000))+1, int64(cash(20_000)), -1)
	})
	f(t, "what was lost before the start does not count", func(w *world) {
		g, err := New(w.cfg, w.d, &w.kill)
		require.NoError(t, err)
		w.g = g
		w.g.Mark(w.d)
		worth(w, -50_000)
		w.passes(buy(spotA))
	})
}

// qty is a quantity from a plain number.
func qty(v int64) fixed.Qty { return fixed.Qty(v) }

// trade books a fill that leaves the position and result given.
func (w *world) trade(o *desk.Order, pos, realised int64) {
	w.d.Positions[o.Inst] = desk.Position{Qty: qty(pos), Realised: cash(realised)}
	w.report(o, venue.Fill, venue.OK)
	w.g.Refresh(o.Inst, w.d)
}

func TestRules_lossStreak(t *testing.T) {
	f(t, "more than three losing orders in a row", func(w *world) {
		long, short := w.rest(buy(perp)), w.rest(sell(perp))
		short.Client = 1_000_000
		result := int64(0)
		lose := func(by int64) {
			w.trade(long, 100, result)
			short.Client++
			result -= by
			w.trade(short, 50, result)
			w.trade(short, 0, result)
		}
		lose(5)
		lose(5)
		lose(-1) // a gain starts anew
		for range 3 {
			lose(5)
		}
		w.passes(buy(spotA))
		lose(1)
		w.refuses(sell(spotA), RuleLossStreak, venue.LossStreak, 4, 3, -1)
		w.passes(with(sell(spotA), func(in *desk.Intent) { in.Strategy = 1 }))
		lose(-100)
		require.Equal(t, RuleLossStreak, w.check(sell(spotA)).Rule, "only an operator lifts it")
		w.hold(spotA, 100, 100_000_00)
		w.passes(sell(spotA))
		w.g.OnOperator(venue.OpArm, 0, w.d.Now)
		w.passes(priced(buy(spotA), 99_700_00, 100))
	}, func(c *Config) { c.Strategies[0].MaxLossStreak = 3 })
	f(t, "one order that loses, then gains", func(w *world) {
		long, short := w.rest(buy(perp)), w.rest(sell(perp))
		w.trade(long, 200, 0)
		w.trade(short, 100, -5)
		require.EqualValues(t, 1, w.g.strats[0].streak)
		w.trade(short, 0, 5)
		require.Zero(t, w.g.strats[0].streak)
	})
}

func TestRules_repeatedExecutions(t *testing.T) {
	f(t, "one order too many within the window", func(w *world) {
		o := w.rest(buy(spotA))
		for i := range 3 {
			o.Client = uint64(1000 + i)
			w.report(o, venue.Fill, venue.OK)
			w.report(o, venue.Fill, venue.OK) // the same order counts once
			w.step(venue.Second / 4)
		}
		w.passes(priced(buy(spotA), 99_800_00, 100))
		o.Client++
		w.report(o, venue.Fill, venue.OK)
		w.refuses(priced(buy(spotA), 99_700_00, 100), RuleRepeats, venue.RepeatedExecutions, 4, 3, -1)
		w.passes(sell(spotA))
		w.step(10 * venue.Second)
		require.Equal(t, RuleRepeats, w.check(buy(spotA)).Rule, "time does not lift it")
		w.g.OnOperator(venue.OpArm, 0, w.d.Now)
		w.passes(buy(spotA))
	}, func(c *Config) { c.Strategies[0].MaxRepeats = 3 })
	f(t, "spread over more than the window", func(w *world) {
		o := w.rest(buy(spotA))
		for i := range 20 {
			o.Client = uint64(1000 + i)
			w.report(o, venue.Fill, venue.OK)
			w.step(venue.Second/3 + 1)
		}
		w.passes(buy(spotA))
	}, func(c *Config) { c.Strategies[0].MaxRepeats = 3 })
}

func TestRules_duplicates(t *testing.T) {
	window := func(c *Config) { c.Strategies[0].DuplicateWindow = venue.Second }
	f(t, "within the window", func(w *world) {
		w.passes(buy(spotA))
		w.refuses(buy(spotA), RuleDuplicate, venue.DuplicateIntent, 0, int64(venue.Second), int64(venue.Second))
		w.passes(sell(spotA))
		w.passes(priced(buy(spotA), 99_900_10, 100))
		w.passes(priced(buy(spotA), 99_900_00, 110))
		w.passes(with(buy(spotA), func(in *desk.Intent) { in.Strategy = 1 }))
		w.passes(buy(spotB))
		w.step(venue.Second - 1)
		require.Equal(t, RuleDuplicate, w.check(buy(spotA)).Rule)
		w.step(1)
		w.passes(buy(spotA))
	}, window)
	f(t, "a refusal leaves no trace", func(w *world) {
		w.g.Room(venue.RingAudit, true)
		require.Equal(t, RuleRoom, w.check(buy(spotA)).Rule)
		w.g.Room(venue.RingAudit, false)
		w.passes(buy(spotA))
	}, window)
}

func TestRules_selfMatch(t *testing.T) {
	f(t, "same instrument", func(w *world) {
		w.rest(sell(spotA))
		w.rest(priced(sell(spotA), 100_060_00, 100))
		w.passes(priced(buy(spotA), 100_050_00, 100))
		w.refuses(priced(buy(spotA), 100_060_00, 100), RuleSelfMatch, venue.SelfMatch, 100_060_00, 100_060_00, 100_060_00)
	})
	f(t, "other side", func(w *world) {
		w.rest(buy(spotA))
		w.refuses(taker(sell(spotA), 99_900_00, 100), RuleSelfMatch, venue.SelfMatch, 99_900_00, 99_900_00, 99_900_00)
	})
	f(t, "the other side of a binary", func(w *world) {
		w.rest(priced(sell(yes), 52, 100))
		w.passes(priced(buy(no_), 51, 100))
		w.refuses(priced(buy(no_), 52, 100), RuleSelfMatch, venue.SelfMatch, 52, 52, 52)
	})
	f(t, "another instrument of the product is not a match", func(w *world) {
		w.rest(priced(sell(spotB), 100_020_00, 100))
		w.passes(taker(buy(perp), 100_030_00, 100))
	})
}

func TestRules_rates(t *testing.T) {
	three := Rate{N: 10, Per: venue.Second, Burst: 3}
	for r, c := range map[Rule]func(*Config){
		RuleVenueOrders:      func(c *Config) { c.Venues[1].Orders = three },
		RuleStrategyOrders:   func(c *Config) { c.Strategies[0].Orders = three },
		RuleStrategyMessages: func(c *Config) { c.Strategies[0].Messages = three },
	} {
		f(t, r.String(), func(w *world) {
			why := venue.OrderRate
			if r == RuleStrategyMessages {
				why = venue.MessageRate
			}
			next := buy(spotA)
			for range 3 {
				next.Price -= 10
				w.passes(next)
			}
			w.refuses(buy(spotA), r, why, 1, 3, 0)
			w.step(venue.Second/10 - 1)
			w.refuses(buy(spotA), r, why, 1, 3, 0)
			w.step(1)
			w.passes(buy(spotA))
			w.step(1000 * Day) // no silence is long enough to overflow
			for range 3 {
				next.Price -= 10
				w.passes(next)
			}
			w.refuses(buy(spotA), r, why, 1, 3, 0)
		}, c)
	}
	f(t, "cancels have a share of their own", func(w *world) {
		o := w.rest(buy(spotA))
		cancel := desk.Intent{Op: venue.Cancel, Inst: spotA, Target: o.Client}
		w.refuses(sell(spotA), RuleVenueMessages, venue.MessageRate, 1, 3, 0)
		w.passes(cancel)
		w.passes(cancel)
		w.refuses(cancel, RuleVenueMessages, venue.MessageRate, 1, 3, 0)
		w.step(venue.Second / 10)
		w.passes(cancel)
	}, func(c *Config) { c.Venues[1].Messages, c.Venues[1].CancelReserve = three, 2 })
	f(t, "soft rejects have a rate of their own", func(w *world) {
		o := w.rest(buy(spotA))
		for range 3 {
			w.report(o, venue.RejectedReport, venue.PostOnlyCross)
		}
		w.passes(sell(spotA))
		w.report(o, venue.CancelRejected, venue.OK)
		w.refuses(priced(buy(spotA), 99_800_00, 100), RuleSoft, venue.MessageRate, 1, 0, -1)
		require.Equal(t, Closed, w.g.venues[1].breaker.State(w.d.Now))
		w.step(venue.Second / 10)
		w.passes(buy(spotA))
	}, func(c *Config) { c.Venues[1].Soft = three })
}
