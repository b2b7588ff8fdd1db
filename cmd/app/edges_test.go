package app

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"oneprice/engine/audit"
)

// ledgerless recomputes what arb claims from nothing but the lines of the audit and the text of the config: no code of
// package arb, fixed or desk is used.
type ledgerless struct {
	t         *testing.T
	threshold decimal.Decimal
	basis     decimal.Decimal
	ins       map[string]auditInstrument
	plans     map[string]*auditPlan
	checked   int
	inverse   int
}

type auditInstrument struct {
	Instrument, Kind, Contract, Quote, Taker, Face string
	FeeIn                                          string `json:"fee_in"`
}

type auditPlan struct {
	edge, base decimal.Decimal
	approved   bool
	legs       []auditLeg
}

type auditLeg struct {
	in         auditInstrument
	side       string
	price, qty decimal.Decimal
}

func num(t *testing.T, s string) decimal.Decimal {
	t.Helper()
	d, err := decimal.NewFromString(s)
	require.NoError(t, err, "%q", s)
	return d
}

// line takes one audit line.
func (l *ledgerless) line(raw []byte) {
	var e struct {
		Kind, Verdict, Plan, Edge, Base, Instrument, Side, Price, Qty, Role string
		Legs                                                                int
		Instruments                                                         []auditInstrument
	}
	// A start line is the only one whose "instruments" is a list, and the only one without an instrument.
	require.NoError(l.t, json.Unmarshal(raw, &e))
	switch e.Kind {
	case "start":
		for _, in := range e.Instruments {
			l.ins[in.Instrument] = in
		}
	case "plan":
		l.plans[e.Plan] = &auditPlan{edge: num(l.t, e.Edge), base: num(l.t, e.Base), approved: e.Verdict == "approved"}
	case "leg":
		p := l.plans[e.Plan]
		require.NotNil(l.t, p, "a leg without its plan")
		p.legs = append(p.legs, auditLeg{l.ins[e.Instrument], e.Side, num(l.t, e.Price), num(l.t, e.Qty)})
		if len(p.legs) == 2 {
			l.judge(p)
		}
	case "order":
		if e.Role == "leg" {
			require.True(l.t, l.plans[e.Plan].approved, "an order of a plan that was refused")
		}
	}
}

// judge recomputes one cross at its limit prices.
func (l *ledgerless) judge(p *auditPlan) {
	one := decimal.NewFromInt(1)
	var paid, left, buy, sell decimal.Decimal
	var base [2]decimal.Decimal
	for i, leg := range p.legs {
		f := num(l.t, leg.in.Taker)
		switch leg.side {
		case "buy":
			buy, paid = leg.price, leg.price.Mul(one.Add(f))
			if leg.in.FeeIn == "base" {
				paid = leg.price.DivRound(one.Sub(f), 20)
			}
		case "sell":
			sell, left = leg.price, leg.price.Mul(one.Sub(f))
		}
		base[i] = leg.qty
		if leg.in.Contract == "inverse" { // contracts of Face quote units
			base[i] = leg.qty.Mul(num(l.t, leg.in.Face)).DivRound(leg.price, 20)
			l.inverse++
		}
	}
	require.True(l.t, buy.IsPositive() && sell.IsPositive(), "a cross buys and sells")
	edge := left.DivRound(paid, 20).Sub(one) // USD and USDT at par, no carry: as the config says
	require.True(l.t, edge.GreaterThanOrEqual(l.threshold), "net edge %s is below the threshold %s: %+v", edge, l.threshold, p.legs)
	require.True(l.t, p.edge.LessThanOrEqual(edge), "the claimed edge %s is above the exact one %s", p.edge, edge)
	gross := sell.DivRound(buy, 20).Sub(one)
	require.True(l.t, gross.LessThanOrEqual(l.basis), "gross cross %s is beyond the basis limit %s", gross, l.basis)
	// The legs cover each other to within one contract of the coarser leg.
	lot := decimal.New(1, -5)
	for _, leg := range p.legs {
		if leg.in.Contract == "inverse" {
			lot = decimal.Max(lot, num(l.t, leg.in.Face).DivRound(leg.price, 20))
		} else if strings.HasPrefix(leg.in.Instrument, "binance-usdm") {
			lot = decimal.Max(lot, decimal.New(1, -3))
		}
	}
	require.True(l.t, base[0].Sub(base[1]).Abs().LessThanOrEqual(lot), "legs of %s and %s base units do not cover each other", base[0], base[1])
	l.checked++
}

// recompute runs the zero-fee example at a taker fee and judges every plan of its audit.
func recompute(t *testing.T, fee string, paths []string) *ledgerless {
	text, ok := exampleText("backtest-zero-fee")
	require.True(t, ok)
	config := filepath.Join(t.TempDir(), "config.yaml")
	require.NoError(t, os.WriteFile(config, []byte(strings.ReplaceAll(string(text), "taker: 0bps", "taker: "+fee)), 0o600))
	r, err := Backtest(context.Background(), BacktestOptions{Config: config, Paths: paths, Out: t.TempDir(), Wait: "inline"})
	require.NoError(t, err)
	require.True(t, r.AuditOK)
	l := &ledgerless{t: t, threshold: decimal.New(5, -5), basis: decimal.New(50, -4), ins: map[string]auditInstrument{}, plans: map[string]*auditPlan{}}
	require.NoError(t, audit.Show(r.AuditDir, audit.Filter{}, func(e *audit.Entry) error {
		l.line(e.Raw)
		return nil
	}))
	require.EqualValues(t, r.Plans, l.checked, "every plan has been judged")
	return l
}

func TestBacktest_everyEdgeHoldsWhenRecomputedFromTheAudit(t *testing.T) {
	t.Parallel()
	paths, err := WriteSynthetic(t.TempDir(), SyntheticOptions{Seed: 7, Seconds: 20})
	require.NoError(t, err)
	for _, fee := range []string{"0bps", "0.3bps"} {
		l := recompute(t, fee, paths)
		require.Greater(t, l.checked, 10)
	}
}

func TestBacktest_everyEdgeHoldsOnRecordedMarkets(t *testing.T) {
	t.Parallel()
	paths := trio(t)
	l := recompute(t, "0bps", paths)
	require.Greater(t, l.checked, 50)
	require.Greater(t, l.inverse, 10, "crosses with the inverse contract are among them")
	recompute(t, "0.5bps", paths)
}

// trio is the recorded Binance spot, USD-M and COIN-M session; the test is skipped where it is absent.
func trio(t *testing.T) []string {
	return []string{recorded(t, "binance/spot-btcusdt.jsonl.gz"), recorded(t, "binance/usdm-btcusdt.jsonl.gz"), recorded(t, "binance/cm-btcusd_perp.jsonl.gz")}
}
