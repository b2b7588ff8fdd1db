package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"oneprice/arb/rebalance"
	"oneprice/books/fixed"
)

// rebalanceName is what limits.strategies and the audit call it.
const rebalanceName = "rebalance"

// RebalancePlan is a plan as it is printed, confirmed and worked off. Money is decimal text in the reporting currency.
type RebalancePlan struct {
	Config    string    `json:"config"`
	Mode      string    `json:"mode"`
	At        time.Time `json:"at"`
	Reporting string    `json:"reporting"`
	// Total is what everything is worth, Cost what the trades lose of it, CostBps the same as a share.
	Total   string             `json:"total"`
	Cost    string             `json:"cost"`
	CostBps string             `json:"cost_bps"`
	Inside  bool               `json:"inside"`
	Trades  []RebalanceTrade   `json:"trades"`
	Weights []RebalanceHolding `json:"weights"`
}

// RebalanceTrade is one trade of a plan.
type RebalanceTrade struct {
	Instrument string `json:"instrument"`
	Side       string `json:"side"`
	Qty        string `json:"qty"`
	Limit      string `json:"limit"`
	Value      string `json:"value"`
	Fee        string `json:"fee"`
	Cost       string `json:"cost"`
}

// RebalanceHolding is the share of an asset of everything, or of a venue of the asset.
type RebalanceHolding struct {
	Asset  string `json:"asset"`
	Venue  string `json:"venue,omitempty"`
	Target string `json:"target"`
	Band   string `json:"band"`
	Before string `json:"before"`
	After  string `json:"after"`
}

// RebalanceReport is a plan with the code that confirms it, or what became of it.
type RebalanceReport struct {
	RebalancePlan
	// Day and Code confirm the plan; "" where there is nothing to trade.
	Day  string `json:"day,omitempty"`
	Code string `json:"code,omitempty"`
	// Done is what was traded, nil for a plan.
	Done *RebalanceDone `json:"done,omitempty"`
}

// RebalanceDone is what trading a plan came to.
type RebalanceDone struct {
	Inside  bool               `json:"inside"`
	Filled  []RebalanceFilled  `json:"filled"`
	Weights []RebalanceHolding `json:"weights"`
	Session *LiveResult        `json:"session"`
}

// RebalanceFilled is what was filled of a trade.
type RebalanceFilled struct {
	Instrument string `json:"instrument"`
	Side       string `json:"side"`
	Qty        string `json:"qty"`
	Of         string `json:"of"`
}

// Bounds of a plan's life.
const (
	planWithin = 60 * time.Second // until everything can be valued
	planGood   = 10 * time.Minute // and then it is too old to be traded
	planFile   = "rebalance.json"
)

// PlanRebalance follows the markets of a config until everything can be valued, and plans. Nothing is traded. held are the
// balances by venue and currency; nil takes the config's.
func PlanRebalance(ctx context.Context, o LiveOptions, held map[string]map[string]string) (*RebalancePlan, error) {
	ctx, stop := context.WithTimeout(ctx, planWithin)
	defer stop()
	var a *Assembly
	var t *rebalance.Trader
	o.Mode, o.Accounts, o.Out = "plan", nil, filepath.Join(o.Out, "plan")
	o.Only = func(made *Assembly) error {
		a = made
		have, err := a.held(held)
		t = rebalance.NewPlanner(a.portfolio(), have)
		a.only(t, nil)
		return err
	}
	if _, err := untilDone(ctx, stop, o, func() bool { return t.Done() }); err != nil {
		return nil, err
	}
	if !t.Done() {
		return nil, fmt.Errorf("there is no plan after %s: %s", planWithin, strings.Join(t.Lacks(), "; "))
	}
	p, err := t.Result()
	if err != nil {
		return nil, err
	}
	return a.planReport(p), nil
}

// TradeRebalance works a plan off: at venues where o has accounts, on paper otherwise.
func TradeRebalance(ctx context.Context, o LiveOptions, plan *RebalancePlan) (*RebalanceDone, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var a *Assembly
	var t *rebalance.Trader
	o.Only = func(made *Assembly) error {
		a = made
		orders, err := a.orders(plan.Trades)
		t = a.trader(orders)
		a.only(t, orders)
		return err
	}
	r, err := untilDone(ctx, stop, o, func() bool { return t.Done() })
	if err != nil {
		return nil, err
	}
	d := &RebalanceDone{Session: r}
	if !t.Done() {
		return d, errors.New("stopped before the trades were through; the session says what was filled")
	}
	p, err := t.Result()
	if err != nil {
		return d, err
	}
	d.Inside, d.Weights = p.Inside, a.weights(p.Holdings)
	for i, x := range p.Trades {
		in := a.Instruments[x.Inst]
		d.Filled = append(d.Filled, RebalanceFilled{in.Name, x.Side.String(), string(fixed.AppendTrim(nil, int64(x.Qty), in.QtyScale)), plan.Trades[i].Qty})
	}
	return d, nil
}

// untilDone runs a session until it says that it is done, or ctx ends.
func untilDone(ctx context.Context, stop func(), o LiveOptions, done func() bool) (*LiveResult, error) {
	show := o.Status
	o.Status = func(l *Live) {
		if show != nil {
			show(l)
		}
		if done() {
			stop()
		}
	}
	return RunLive(ctx, o)
}

// held are balances by the numbers of this run; nil for the config's.
func (a *Assembly) held(by map[string]map[string]string) ([][]fixed.Cash, error) {
	if by == nil {
		return nil, nil
	}
	out := make([][]fixed.Cash, len(a.Venues))
	for id := range out {
		out[id] = make([]fixed.Cash, len(a.Currencies))
		for ccy, text := range by[a.Venues[id].Name] {
			c := a.currency(ccy)
			if c == 0 {
				continue
			}
			v, err := parsed(text, fixed.CashScale)
			if err != nil {
				return nil, fmt.Errorf("%s holds %s %s, which cannot be kept: %w", a.Venues[id].Name, text, ccy, err)
			}
			out[id][c] = fixed.Cash(v)
		}
	}
	return out, nil
}

// planReport is a plan for people.
func (a *Assembly) planReport(p *rebalance.Plan) *RebalancePlan {
	share, _ := fixed.MulDiv(int64(p.Cost), int64(fixed.One), int64(max(p.Total, 1)), fixed.Up)
	r := &RebalancePlan{Config: a.Config.Path, At: time.Now().UTC(), Reporting: string(a.Config.Reporting), Total: cash(p.Total), Cost: cash(p.Cost),
		CostBps: fixed.Decimal(fixed.Rate(share), fixed.RateScale-4).String(), Inside: p.Inside, Trades: []RebalanceTrade{}, Weights: a.weights(p.Holdings)}
	for _, t := range p.Trades {
		in := a.Instruments[t.Inst]
		r.Trades = append(r.Trades, RebalanceTrade{in.Name, t.Side.String(), string(fixed.AppendTrim(nil, int64(t.Qty), in.QtyScale)),
			string(fixed.AppendTrim(nil, int64(t.Limit), in.PriceScale)), cash(t.Value), cash(t.Fee), cash(t.Cost)})
	}
	return r
}

func (a *Assembly) weights(hs []rebalance.Holding) []RebalanceHolding {
	text := func(r fixed.Rate) string { return fixed.Decimal(r, fixed.RateScale).String() }
	var out []RebalanceHolding
	for _, h := range hs {
		x := RebalanceHolding{Asset: a.Config.Rebalance.Assets[h.Asset].Name, Target: text(h.Weight), Band: text(h.Band), Before: text(h.Before), After: text(h.After)}
		if h.Venue != 0 {
			x.Venue = a.Venues[h.Venue].Name
		}
		out = append(out, x)
	}
	return out
}

// save keeps a plan for whoever confirms it.
func (p *RebalancePlan) save(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("the plan cannot be kept: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, planFile), p.bytes(), 0o600); err != nil {
		return fmt.Errorf("the plan cannot be kept: %w", err)
	}
	return nil
}

// bytes are what is kept, and what the code confirms.
func (p *RebalancePlan) bytes() []byte {
	b, err := json.Marshal(p)
	if err != nil {
		panic("rebalance: a plan does not survive JSON: " + err.Error())
	}
	return b
}

// keptPlan reads the plan that was made last, and refuses one that is too old.
func keptPlan(dir string, now time.Time) (*RebalancePlan, error) {
	b, err := os.ReadFile(filepath.Join(dir, planFile))
	if err != nil {
		return nil, &UsageError{fmt.Errorf("there is no plan to confirm: %w; make one with --plan", err)}
	}
	p := new(RebalancePlan)
	if err := json.Unmarshal(b, p); err != nil {
		return nil, &UsageError{fmt.Errorf("the plan %s cannot be read: %w; make another with --plan", filepath.Join(dir, planFile), err)}
	}
	if age := now.Sub(p.At); age > planGood || age < 0 {
		return nil, &UsageError{fmt.Errorf("the plan is of %s, and a plan is good for %s; make another with --plan", p.At.Format(time.RFC3339), planGood)}
	}
	return p, nil
}
