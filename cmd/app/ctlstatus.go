package app

import (
	"fmt"
	"strings"
	"time"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/engine"
	"oneprice/risk"
)

// CtlStatus is how a running engine stands. Money is decimal text in the reporting currency.
type CtlStatus struct {
	Time      string `json:"time"`
	Mode      string `json:"mode"`
	Operator  string `json:"operator"`
	Reporting string `json:"reporting"`
	PnL       string `json:"pnl"`
	Equity    string `json:"equity"`
	Open      int    `json:"open_orders"`
	Unknown   int    `json:"unknown_orders"`
	Plans     int    `json:"plans"`
	CtlWord
	Breaker    CtlBreaker    `json:"breaker"`
	Venues     []CtlVenue    `json:"venues"`
	Strategies []CtlStrategy `json:"strategies"`
	Closing    []CtlClosing  `json:"closing,omitempty"`
}

// CtlWord is what an operator has said of something.
type CtlWord struct {
	Killed     bool `json:"killed"`
	Disarmed   bool `json:"disarmed"`
	ReduceOnly bool `json:"reduce_only"`
}

// CtlBreaker is where a breaker stands. Left is how long its pause still lasts, "" for none; a locked one waits for an operator.
type CtlBreaker struct {
	State    string `json:"state"`
	Left     string `json:"left,omitempty"`
	Openings int64  `json:"openings_today"`
	Most     int64  `json:"openings_per_day"`
}

// CtlVenue is a venue.
type CtlVenue struct {
	Venue string `json:"venue"`
	CtlWord
	Breaker CtlBreaker `json:"breaker"`
	Open    int64      `json:"open_orders"`
}

// CtlStrategy is a strategy. Stopped is what only an operator ends by arming it.
type CtlStrategy struct {
	Strategy string `json:"strategy"`
	CtlWord
	Stopped []string `json:"stopped,omitempty"`
}

// CtlClosing is an instrument that is to be flat.
type CtlClosing struct {
	Instrument string `json:"instrument"`
	Position   string `json:"position"`
	AtWork     bool   `json:"at_work"`
	Orders     int    `json:"orders"`
	Why        string `json:"why,omitempty"`
}

// CtlUse is a limit and what is in use of it.
type CtlUse struct {
	Of    string `json:"of"`
	Limit string `json:"limit"`
	Used  string `json:"used"`
	Most  string `json:"most"`
	Unit  string `json:"unit"`
}

func ctlWord(w risk.Word) CtlWord { return CtlWord(w) }

func ctlBreaker(b *risk.BreakerStatus) CtlBreaker {
	out := CtlBreaker{State: b.State.String(), Openings: b.Openings.Used, Most: b.Openings.Limit}
	if b.Left > 0 {
		out.Left = time.Duration(b.Left).Round(time.Second).String()
	}
	return out
}

// ctlStatus words the engine's figures.
func (l *Live) ctlStatus(st *engine.Status) *CtlStatus {
	r := &st.Operator.Risk
	s := &CtlStatus{Time: time.Unix(0, int64(st.Now)).UTC().Format(time.RFC3339Nano), Mode: l.mode, Operator: l.operator, Reporting: l.Currencies[l.Reporting],
		PnL: cash(st.Worth.PnL), Equity: cash(st.Worth.Equity), Open: openOf(st), Unknown: st.Operator.Unknown, Plans: st.Active, CtlWord: ctlWord(r.Word), Breaker: ctlBreaker(&r.Breaker)}
	for id := 1; id < len(l.Venues); id++ {
		v := &r.Venues[id]
		s.Venues = append(s.Venues, CtlVenue{l.Venues[id].Name, ctlWord(v.Word), ctlBreaker(&v.Breaker), v.Open.Used})
	}
	for i, name := range l.StrategyNames[1:] {
		x := &r.Strategies[i+1]
		t := CtlStrategy{Strategy: name, CtlWord: ctlWord(x.Word)}
		for n, side := range []string{"buys, by repeated executions", "sells, by repeated executions"} {
			if x.Stopped[n] {
				t.Stopped = append(t.Stopped, side)
			}
		}
		if x.StreakReached {
			t.Stopped = append(t.Stopped, "what opens, by a loss streak")
		}
		s.Strategies = append(s.Strategies, t)
	}
	for _, c := range st.Operator.Closing {
		in := l.Instruments[c.Inst]
		x := CtlClosing{Instrument: in.Name, Position: fixed.Decimal(c.Qty, in.QtyScale).String(), AtWork: c.AtWork, Orders: c.Orders}
		if c.Why != venue.OK {
			x.Why = c.Why.String()
		}
		s.Closing = append(s.Closing, x)
	}
	return s
}

// killed names what is killed.
func (s *CtlStatus) killed() (out []string) {
	if s.Killed {
		out = append(out, "everything")
	}
	for i := range s.Venues {
		if s.Venues[i].Killed {
			out = append(out, s.Venues[i].Venue)
		}
	}
	for i := range s.Strategies {
		if s.Strategies[i].Killed {
			out = append(out, s.Strategies[i].Strategy)
		}
	}
	return out
}

// closingText says how flattening goes on, and whether it is over: flat, but for what no order can close.
func (s *CtlStatus) closingText() (text string, over bool) {
	var open, left []string
	for i := range s.Closing {
		c := &s.Closing[i]
		switch {
		case c.AtWork && c.Why != "":
			open = append(open, fmt.Sprintf("%s %s (%s)", c.Instrument, c.Position, c.Why))
		case c.AtWork:
			open = append(open, c.Instrument+" "+c.Position)
		case c.Position != "0":
			left = append(left, c.Instrument+" "+c.Position)
		case c.Orders > 0:
			open = append(open, fmt.Sprintf("%s has %d orders", c.Instrument, c.Orders))
		}
	}
	switch {
	case len(open) > 0:
		return "still held: " + strings.Join(open, ", "), false
	case len(left) > 0:
		return "flat, but for what is too little for an order: " + strings.Join(left, ", "), true
	}
	return "flat", true
}

// ctlLimits lists every limit that something is used of, and what.
func (l *Live) ctlLimits(st *engine.Status) (out []CtlUse) {
	r, ccy := &st.Operator.Risk, l.Currencies[l.Reporting]
	add := func(of, limit string, u risk.Use, scale uint8, unit string) {
		out = append(out, CtlUse{of, limit, fixed.Decimal(u.Used, scale).String(), fixed.Decimal(u.Limit, scale).String(), unit})
	}
	money := func(of, limit string, u risk.Use) { add(of, limit, u, fixed.CashScale, ccy) }
	count := func(of, limit string, u risk.Use) { add(of, limit, u, 0, "count") }
	const all = "everything"
	money(all, "max_gross", r.Gross)
	money(all, "max_net", r.Net)
	count(all, "max_open_orders", r.Open)
	count(all, "orders_per_day", r.OrdersDay)
	count(all, "trades_per_day", r.TradesDay)
	money(all, "max_daily_loss", r.DailyLoss)
	money(all, "max_drawdown", r.Drawdown)
	for id := 1; id < len(l.Venues); id++ {
		v, name := &r.Venues[id], l.Venues[id].Name
		money(name, "max_gross", v.Gross)
		money(name, "max_net", v.Net)
		count(name, "max_open_orders", v.Open)
		count(name, "orders_per_day", v.OrdersDay)
		count(name, "trades_per_day", v.TradesDay)
	}
	for i := 1; i < len(l.Products); i++ {
		add(l.Products[i].Name, "max_position", r.Products[i], l.Products[i].QtyScale, "base")
	}
	for _, in := range l.Instruments[1:] {
		x := &r.Instruments[in.Inst]
		if x.Position.Limit == 0 {
			continue // only watched
		}
		add(in.Name, "max_position", x.Position, in.QtyScale, "qty")
		count(in.Name, "max_open_orders", x.Open)
	}
	for i, name := range l.StrategyNames {
		x := &r.Strategies[i]
		count(name, "orders_per_day", x.OrdersDay)
		count(name, "max_loss_streak", x.Streak)
	}
	return out
}
