package bench

import (
	"time"

	"github.com/shopspring/decimal"

	"oneprice/bench/market"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/risk"
)

// situation is what a rule needs to speak: limits and state of both gates.
type situation struct {
	name          string
	rule          risk.Rule
	before, after func(w *world)
}

// tight is a rate whose tokens do not come back within a test.
func tight(burst int64) risk.Rate { return risk.Rate{N: 1, Per: 1000 * venue.Second, Burst: burst} }

// situations has one for every rule of a new order.
func situations() []situation {
	all := permitSituations()
	all = append(all, bookSituations()...)
	all = append(all, countSituations()...)
	return append(all, moneySituations()...)
}

func permitSituations() []situation {
	in := func(f func(l *risk.InstrumentLimits)) func(w *world) {
		return func(w *world) {
			for i := range w.cfg.Instruments[1:] {
				f(&w.cfg.Instruments[i+1])
			}
		}
	}
	fails := func(v venue.ID) func(w *world) {
		return func(w *world) {
			for range risk.DefaultBreaker.Failures {
				w.ours.OnReport(&venue.Report{Kind: venue.SentReport, Flags: uint8(venue.Maybe), Venue: v, Inst: venue.Inst(v)}, nil, w.d)
			}
			w.naive.BreakerOpen[venueNames[v]], w.naive.BreakerOpen["all"] = true, true
		}
	}
	return []situation{
		{name: "calm", rule: risk.NoRule},
		{name: "form", rule: risk.RuleShape},
		{name: "too late", rule: risk.RuleLate},
		{name: "killed", rule: risk.RuleKill, after: func(w *world) {
			w.ours.OnOperator(venue.OpKill, 0, w.d.Now)
			w.naive.Kill = true
		}},
		{name: "disarmed", rule: risk.RuleArmed, after: func(w *world) {
			w.ours.OnOperator(venue.OpDisarm, 0, w.d.Now)
			w.naive.Disarmed = true
		}},
		{name: "instrument not allowed", rule: risk.RuleAllow, before: func(w *world) { w.cfg.Instruments[1] = risk.InstrumentLimits{} }},
		{name: "strategy not allowed", rule: risk.RuleAllow, before: func(w *world) { w.cfg.Strategies[1].Allowed = false }},
		{name: "restricted", rule: risk.RuleRestricted, before: in(func(l *risk.InstrumentLimits) { l.Restricted = true })},
		{name: "audit full", rule: risk.RuleRoom, after: func(w *world) {
			w.ours.Room(venue.RingAudit, true)
			w.naive.Full = true
		}},
		{name: "stop fired", rule: risk.RuleStopped, after: func(w *world) {
			w.ours.Stop(1, true)
			w.naive.Fired["v1:BTCUSDT"] = true
		}},
		{name: "tick unknown", rule: risk.RuleMissing, after: func(w *world) {
			w.ins[1].Tick = 0
			w.naive.Limits["v1:BTCUSDT"].Tick = decimal.Zero
		}},
		{name: "halted", rule: risk.RuleStatus, after: func(w *world) {
			w.ins[1].Status, w.ins[2].Status = venue.Halted, venue.PostOnlyMode
			w.naive.Status["v1:BTCUSDT"], w.naive.Status["v2:BTCUSDT"] = venue.Halted.String(), venue.PostOnlyMode.String()
		}},
		{name: "out of hours", rule: risk.RuleSession, before: in(func(l *risk.InstrumentLimits) { l.Session = risk.Session{Open: 0, Close: 1} })},
		{name: "a venue's breaker", rule: risk.RuleVenueBreaker, after: fails(1)},
		{name: "the global breaker", rule: risk.RuleGlobalBreaker, after: fails(1)},
		{name: "repeated executions", rule: risk.RuleRepeats, before: func(w *world) { w.cfg.Strategies[1].MaxRepeats = 1 }, after: func(w *world) {
			w.fills(2, venue.Buy)
			w.naive.Stopped["arbBUY"] = true
		}},
		{name: "loss streak", rule: risk.RuleLossStreak,
			before: func(w *world) { w.cfg.Strategies[1].MaxLossStreak, w.d.Positions[1].Qty = 1, 200 },
			after: func(w *world) {
				w.fills(2, venue.Sell)
				w.naive.Streak["arb"] = 2
			}},
	}
}

func bookSituations() []situation {
	return []situation{
		{name: "stale book", rule: risk.RuleBookState, after: func(w *world) {
			w.d.Books[1].Invalidate(venue.SequenceGap)
			w.naive.Look(w.ins[1], w.d)
		}},
		{name: "old book", rule: risk.RuleBookAge, before: func(w *world) { w.cfg.Instruments[1].MaxAge = 100 * venue.Millisecond }},
		{name: "lagging", rule: risk.RuleBookLag, before: func(w *world) { w.cfg.Instruments[1].MaxLag = venue.Second }, after: func(w *world) {
			w.update(1, 0)
			w.update(1, 2*venue.Second)
			w.naive.Look(w.ins[1], w.d)
		}},
		{name: "clock", rule: risk.RuleClock, after: func(w *world) {
			w.ours.OnClock(1, -2*venue.Second)
			w.naive.Offset["v1"] = -2 * time.Second
		}},
		{name: "marks too old", rule: risk.RuleMarkAge, before: func(w *world) { w.cfg.Global.MaxMarkAge = 100 * venue.Millisecond }, after: func(w *world) { w.stale = true }},
		{name: "tick", rule: risk.RuleTick},
		{name: "lot", rule: risk.RuleLot},
		{name: "small", rule: risk.RuleMinQty},
		{name: "large", rule: risk.RuleMaxQty, before: func(w *world) { w.cfg.Instruments[1].MaxQty = 300 }},
		{name: "large for the venue", rule: risk.RuleMaxQty, before: func(w *world) { w.ins[2].MaxQty = 300 }},
		{name: "reduce only", rule: risk.RuleReduceOnly, before: func(w *world) { w.d.Positions[1].Qty, w.d.Positions[2].Qty = 300, -300 }, after: func(w *world) {
			w.ours.OnOperator(venue.OpReduceOnly, 0, w.d.Now)
			w.naive.ReduceOnly = true
		}},
	}
}

func countSituations() []situation {
	resting := func(w *world) { w.rest = true }
	return []situation{
		{name: "open in an instrument", rule: risk.RuleOpenInstrument, before: func(w *world) { w.cfg.Instruments[1].MaxOpen = 3 }, after: resting},
		{name: "open at a venue", rule: risk.RuleOpenVenue, before: func(w *world) { w.cfg.Venues[1].MaxOpen = 3 }, after: resting},
		{name: "open at all", rule: risk.RuleOpenGlobal, before: func(w *world) { w.cfg.Global.MaxOpen = 7 }, after: resting},
		{name: "a venue's orders of the day", rule: risk.RuleOrdersDay, before: func(w *world) { w.cfg.Venues[1].OrdersPerDay = 5 }},
		{name: "a strategy's orders of the day", rule: risk.RuleOrdersDay, before: func(w *world) { w.cfg.Strategies[2].OrdersPerDay = 5 }},
		{name: "orders of the day", rule: risk.RuleOrdersDay, before: func(w *world) { w.cfg.Global.OrdersPerDay = 20 }},
		{name: "trades of the day", rule: risk.RuleTradesDay, before: func(w *world) { w.cfg.Venues[1].TradesPerDay = 2 }, after: func(w *world) { w.fills(2, venue.Buy) }},
		{name: "own orders on the other side", rule: risk.RuleSelfMatch, after: resting},
		{name: "the same again", rule: risk.RuleDuplicate, before: func(w *world) {
			w.equal = true
			w.cfg.Strategies[1].DuplicateWindow = 20 * venue.Millisecond
		}},
		{name: "soft rejects", rule: risk.RuleSoft, before: func(w *world) { w.cfg.Venues[1].Soft = tight(3) }, after: func(w *world) {
			for range 4 {
				w.ours.OnReport(&venue.Report{Kind: venue.CancelRejected, Venue: 1, Inst: 1}, nil, w.d)
				w.naive.Buckets["v1/soft"].Tokens--
			}
		}},
		{name: "a venue's order rate", rule: risk.RuleVenueOrders, before: func(w *world) { w.cfg.Venues[1].Orders = tight(5) }},
		{name: "a strategy's order rate", rule: risk.RuleStrategyOrders, before: func(w *world) { w.cfg.Strategies[1].Orders = tight(5) }},
		{name: "a venue's message rate", rule: risk.RuleVenueMessages, before: func(w *world) { w.cfg.Venues[1].Messages = tight(15) }}, // ten are for cancels
		{name: "a strategy's message rate", rule: risk.RuleStrategyMessages, before: func(w *world) { w.cfg.Strategies[1].Messages = tight(5) }},
	}
}

func moneySituations() []situation {
	const usdt = fixed.Cash(1e8)
	short := func(w *world) {
		for i := range w.cfg.Instruments[1:] {
			w.cfg.Instruments[i+1].MayShort = false
		}
		w.d.Balances[1][market.BTC] = 1e6
	}
	resting := func(w *world) { w.rest = true }
	return []situation{
		{name: "loss of the day", rule: risk.RuleDailyLoss, before: func(w *world) { w.cfg.Global.MaxDailyLoss, w.d.Positions[1].Qty = 100*usdt, 300 }, after: func(w *world) { w.pnl = -101 }},
		{name: "drawdown", rule: risk.RuleDrawdown, before: func(w *world) { w.cfg.Global.MaxDrawdown = 100 * usdt }, after: func(w *world) {
			w.pnl = 200
			w.mark()
			w.pnl = 99
		}},
		{name: "an old exchange rate", rule: risk.RuleFX, after: func(w *world) {
			w.d.FX[eur].At -= 61 * venue.Second
			w.naive.Rates["currency3"].At = w.naive.Rates["currency3"].At.Add(-61 * time.Second)
		}},
		{name: "off its peg", rule: risk.RuleFX, before: func(w *world) { w.d.FX[eur] = desk.FXRate{Bid: 99_999_999, Ask: 100_000_001, At: w.d.Now} }},
		{name: "too little money", rule: risk.RuleMinNotional, before: func(w *world) { w.ins[1].MinNotional = 100 * usdt }},
		{name: "too much money", rule: risk.RuleMaxNotional, before: func(w *world) {
			w.cfg.Instruments[1].MaxNotional, w.cfg.Instruments[3].MaxNotional = 200*usdt, 200*usdt
		}},
		{name: "far from the reference", rule: risk.RuleCollar},
		{name: "deep into the book", rule: risk.RuleSlippage, before: func(w *world) {
			for i := range w.cfg.Instruments[1:] {
				w.cfg.Instruments[i+1].Guard = fixed.Bps / 10
			}
		}},
		{name: "position", rule: risk.RulePosition, before: func(w *world) { w.cfg.Instruments[1].MaxPosition, w.d.Positions[1].Qty = 500, 150 }},
		{name: "product", rule: risk.RuleProduct, before: func(w *world) { w.cfg.Products[1].MaxBase = 1200 }, after: resting},
		{name: "net at a venue", rule: risk.RuleVenueNet, before: func(w *world) { w.cfg.Venues[1].MaxNet = 600 * usdt }, after: resting},
		{name: "gross at a venue", rule: risk.RuleVenueGross, before: func(w *world) { w.cfg.Venues[3].MaxGross = 600 * usdt }, after: resting},
		{name: "net", rule: risk.RuleNet, before: func(w *world) { w.cfg.Global.MaxNet = 1000 * usdt }, after: resting},
		{name: "gross", rule: risk.RuleGross, before: func(w *world) { w.cfg.Global.MaxGross = 1000 * usdt }, after: resting},
		{name: "leverage", rule: risk.RuleLeverage, before: func(w *world) { w.equity, w.cfg.Global.MaxLeverage = 500, 2*fixed.One }, after: resting},
		{name: "short", rule: risk.RuleShort, before: short, after: resting},
		{name: "balance", rule: risk.RuleBalance, before: func(w *world) { w.d.Balances[1][market.USDT], w.d.Balances[3][eur] = 500*usdt, 500*usdt }, after: resting},
	}
}
