package app

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
)

// targets are weights that the demo's accounts are a little outside of: too little cash, and too much BTC at Kraken.
const targets = `
rebalance:
  slip: 100bps
  depth: 20
  deadline: 60s
  assets:
    cash: {currencies: [USDT, USD], weight: 0.48, band: 200bps}
    BTC: {currencies: [BTC], weight: 0.26, band: 200bps, venues: {binance: 0.35, coinbase: 0.35, kraken: 0.3}, venue_band: 200bps}
    ETH: {currencies: [ETH], weight: 0.26, band: 200bps}
`

// withTargets is the demo's config with targets.
func withTargets(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "targets.yaml")
	require.NoError(t, os.WriteFile(path, []byte(example(t, "demo")+targets), 0o600))
	return path
}

// within reports whether every weight is inside its band, as the report says it.
func within(t *testing.T, hs []RebalanceHolding) bool {
	for _, h := range hs {
		var d [3]decimal.Decimal
		for i, text := range []string{h.Target, h.Band, h.After} {
			var err error
			d[i], err = decimal.NewFromString(text)
			require.NoError(t, err)
		}
		if d[2].Sub(d[0]).Abs().GreaterThan(d[1]) {
			return false
		}
	}
	return true
}

// A confirmed plan is traded through the real gateways, and brings every weight inside its band, by our books and by the
// venues' own.
func TestRebalance_bringsTheSimulatedAccountsInside(t *testing.T) {
	t.Parallel()
	c, err := ReadConfig(withTargets(t), nil)
	require.NoError(t, err)
	sims := withAccounts(t, c)
	ctx, stop := context.WithTimeout(t.Context(), 3*patience)
	defer stop()
	dir := t.TempDir()
	o := LiveOptions{Edges: sims.edgesFor(c), Confirmed: c, Out: dir, Seed: 5, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	held := map[string]map[string]string{}
	for _, b := range c.Balances {
		held[b.Name] = map[string]string{}
		for _, x := range b.Value {
			held[b.Name][x.Name] = x.Value.String()
		}
	}
	p, err := PlanRebalance(ctx, o, held)
	require.NoError(t, err)
	require.NotEmpty(t, p.Trades)
	require.True(t, p.Inside)
	require.True(t, within(t, p.Weights))

	o.Mode, o.Accounts, o.Fresh, o.Holds = modeLive, sims.accounts(), true, sims.holds
	d, err := TradeRebalance(ctx, o, p)
	require.NoError(t, err)
	require.True(t, d.Inside, "%+v\n%+v", p, d)
	require.True(t, within(t, d.Weights))
	require.Positive(t, d.Session.Fills)
	require.Zero(t, d.Session.PositionMismatch, "%v", d.Session.Mismatches)
	require.Zero(t, d.Session.UnknownNow)
	require.Empty(t, d.Session.OpenAtExit)
	for _, f := range d.Filled {
		require.False(t, decimal.RequireFromString(f.Qty).GreaterThan(decimal.RequireFromString(f.Of)), "%+v", f)
	}
	rep, err := Replay(ctx, ReplayOptions{Tape: d.Session.Tape, Audit: d.Session.AuditDir})
	require.NoError(t, err)
	require.True(t, rep.Same)
}

func TestMain_rebalanceTradesOnlyWhatIsConfirmed(t *testing.T) {
	t.Parallel()
	sims := withAccounts(t, nil)
	e := sims.Edges()
	config, out := withTargets(t), t.TempDir()
	rebalance := func(args ...string) ran {
		args = append([]string{"rebalance", "--config", config, "--out", out}, args...)
		for _, v := range sims.Venues {
			args = append(args, "--ws", v.name+"="+e.WS[v.name], "--rest", v.name+"="+e.REST[v.name])
		}
		return run(t, args...)
	}
	refused := func(r ran, want string) {
		t.Helper()
		require.Equal(t, ExitUsage, r.code, r.err)
		require.Contains(t, r.err, want)
	}
	refused(run(t, "rebalance"), "--config is missing")
	refused(run(t, "rebalance", "--config", "demo", "--plan"), "has no targets; add to it: rebalance:")
	refused(rebalance("--plan", "--confirm", "X"), "give one of them")
	refused(rebalance(), "give --plan for a plan")
	refused(rebalance("--confirm", "ABCD-EFGH"), "there is no plan to confirm")

	text := rebalance("--plan")
	require.Equal(t, ExitOK, text.code, text.err)
	for _, want := range []string{"TRADE", "WEIGHT", "inside all bands: true", "confirmation code of"} {
		require.Contains(t, text.out, want)
	}
	planned := rebalance("--plan", "--json")
	require.Equal(t, ExitOK, planned.code, planned.err)
	var p RebalanceReport
	require.NoError(t, json.Unmarshal([]byte(planned.out), &p))
	require.NotEmpty(t, p.Trades)
	refused(rebalance("--confirm", "ABCD-EFGH"), "is not that of this config")
	old := text.out[strings.LastIndex(text.out, ": ")+2:]
	refused(rebalance("--confirm", strings.TrimSpace(old)), "is not that of this config") // of the plan before

	done := rebalance("--confirm", p.Code, "--json")
	var r RebalanceReport
	require.NoError(t, json.Unmarshal([]byte(done.out), &r), done.err)
	require.NotNil(t, r.Done)
	require.Equal(t, r.Done.Inside, done.code == ExitOK, done.err)
	require.Positive(t, r.Done.Session.Fills)
	require.Len(t, r.Done.Filled, len(p.Trades))

	kept, err := keptPlan(out, time.Now())
	require.NoError(t, err)
	kept.At = kept.At.Add(-2 * planGood)
	require.NoError(t, kept.save(out))
	refused(rebalance("--confirm", p.Code), "a plan is good for 10m0s")
}

func TestConfig_targetsAreChecked(t *testing.T) {
	f := func(old, new, path, want string) {
		t.Helper()
		require.Contains(t, targets, old)
		fs := faults(t, example(t, "demo")+strings.Replace(targets, old, new, 1))
		require.Len(t, fs, 1, "%v", fs)
		require.Equal(t, path, fs[0].Path)
		require.Contains(t, fs[0].Text, want)
		require.Positive(t, fs[0].Line)
	}
	f("weight: 0.48", "weight: 0.49", "rebalance.assets", "the weights make 1.01 together")
	f("binance: 0.35", "binance: 0.36", "rebalance.assets.BTC.venues", "the shares make 1.01 together")
	f("binance: 0.35", "binanse: 0.35", "rebalance.assets.BTC.venues.binanse", "did you mean binance?")
	f(", venue_band: 200bps", "", "rebalance.assets.BTC.venue_band", "is missing")
	f("[ETH], weight: 0.26, band: 200bps", "[ETH], weight: 0.26, band: 200bps, venue_band: 1bps", "rebalance.assets.ETH.venue_band", "belongs to venues")
	f("[ETH]", "[BTC]", "rebalance.assets.ETH.currencies[0]", "belongs to BTC already")
	f("[ETH]", "[SOL]", "rebalance.assets.ETH.currencies[0]", "nothing says what SOL is worth")
	f("[ETH]", "[]", "rebalance.assets.ETH.currencies", "is empty")
	f("depth: 20", "depth: 0", "rebalance.depth", "above 0")
}
