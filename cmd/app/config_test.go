package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/risk"

	"github.com/stretchr/testify/require"
)

func example(t *testing.T, name string) string {
	t.Helper()
	text, ok := exampleText(name)
	require.True(t, ok)
	return string(text)
}

// faults reads a config that must have faults.
func faults(t *testing.T, text string) Faults {
	t.Helper()
	_, err := ParseConfig("x.yaml", []byte(text), nil)
	var ce *ConfigError
	require.True(t, errors.As(err, &ce), "got %v", err)
	require.Equal(t, ExitUsage, exitCode(err))
	return ce.Faults
}

// lineOf is the number of the line that holds the text.
func lineOf(t *testing.T, text, part string) int {
	t.Helper()
	i := strings.Index(text, part)
	require.GreaterOrEqual(t, i, 0, part)
	return 1 + strings.Count(text[:i], "\n")
}

func TestConfig_everyExampleIsSound(t *testing.T) {
	require.Contains(t, ExampleNames(), "backtest")
	require.Contains(t, ExampleNames(), "backtest-zero-fee")
	for _, name := range ExampleNames() {
		coins := []string{"BTC"}
		if strings.HasPrefix(name, "backtest") {
			coins = append(coins, "ETH", "SOL") // another coin is a matter of replacing its name
		}
		for _, coin := range coins {
			text := strings.ReplaceAll(example(t, name), "BTC", coin)
			c, err := ParseConfig(name, []byte(text), nil)
			require.NoError(t, err, "%s for %s", name, coin)
			a, err := Assemble(c, nil)
			require.NoError(t, err, "%s for %s", name, coin)
			require.True(t, a.Nominal)
			require.Len(t, a.Strategies, len(a.StrategyNames)-1)
		}
	}
}

func TestConfig_reportsTenFaultsAtOnceEachWithItsLine(t *testing.T) {
	text := example(t, "backtest")
	type change struct{ old, new, path, want string }
	changes := []change{
		{"wait: park", "wait: parked", "wait", `"parked"; write spin, park or inline`},
		{"adapter: binance-usdm", "adapter: binanse-usdm", "venues.binance-usdm.adapter", "unknown venue"},
		{"max_gross: 1000000\n", "max_gros: 1000000\n", "limits.global.max_gros", "did you mean max_gross?"},
		{"max_net: 200000", "max_net: 0", "limits.global.max_net", "zero is not unlimited"},
		{"max_open_orders: 60", "max_open_orders: 6.5", "limits.global.max_open_orders", "whole number"},
		{"max_delay: 50ms", "max_delay: 50", "limits.global.max_delay", "write a span with its unit"},
		{"slippage: 20bps", "slippage: 0.2%", "limits.instruments.default.slippage", "basis points"},
		{"may_short: false", "may_short: no", "limits.instruments.default.may_short", "write true or false"},
		{"usdm-coinm: {legs: [binance-usdm:BTCUSDT", "usdm-coinm: {legs: [binance-usdm:BTCUSD", "strategies.arb.cross.links.usdm-coinm.legs[0]", "did you mean binance-usdm:BTCUSDT?"},
		{"session: always", "session: sometimes", "limits.instruments.default.session", "13:30-20:00"},
		{"audit: audit, tape: tape", "audit: same, tape: same", "folders.tape", "different names"},
	}
	for _, c := range changes {
		require.Equal(t, 1, strings.Count(text, c.old), c.old)
		text = strings.Replace(text, c.old, c.new, 1)
	}
	fs := faults(t, text)
	for _, c := range changes {
		found := false
		for _, f := range fs {
			if f.Path == c.path {
				found = true
				require.Contains(t, f.Text, c.want)
				require.Equal(t, lineOf(t, text, c.new), f.Line, c.path)
			}
		}
		require.True(t, found, "no fault at %s in %v", c.path, fs)
	}
	require.Len(t, fs, len(changes)+1, "and max_gross itself is missing")
	for i := 1; i < len(fs); i++ {
		require.LessOrEqual(t, fs[i-1].Line, fs[i].Line)
	}
}

func TestConfig_refusesOneFault(t *testing.T) {
	base := example(t, "backtest")
	f := func(old, new, path, want string) {
		t.Helper()
		require.Contains(t, base, old)
		fs := faults(t, strings.Replace(base, old, new, 1))
		require.Len(t, fs, 1, "%v", fs)
		require.Equal(t, path, fs[0].Path)
		require.Contains(t, fs[0].Text, want)
		require.Positive(t, fs[0].Line)
	}
	f("instruments: [binance:BTCUSDT, ", "price_scale: 1\n    instruments: [binance:BTCUSDT, ", "products.BTC.price_scale", "cannot hold the tick 0.01 of binance:BTCUSDT; write 2 or more")
	f("instruments: [binance:BTCUSDT, ", "qty_scale: 4\n    instruments: [binance:BTCUSDT, ", "products.BTC.qty_scale", "cannot hold the lot")
	f("instruments: [binance:BTCUSDT, ", "instruments: [binance:BTCUSDT, binance:BTCUSDTT, ", "products.BTC.instruments[1]", `has no instrument "BTCUSDTT" in its table; did you mean BTCUSDT?`)
	f("instruments: [binance:BTCUSDT, ", "instruments: [binance:BTCUSDT, binance:BTCUSDT, ", "products.BTC.instruments[1]", "belongs to one product")
	f("instruments: [binance:BTCUSDT, ", "instruments: [binance:BTCUSDT, okx:BTCUSDT, ", "products.BTC.instruments[1]", `no venue "okx"`)
	f(`source: "the operator: USDT at par for this recording", `, "", "fx.USD.source", "on whose word")
	f("BTC: {instrument: binance:BTCUSDT, ", "BTC: {instrument: binance:BTCUSDT, rate: 60000, ", "fx.BTC", "either an instrument or a rate")
	f("fx:\n", "fx:\n  USDT: {rate: 1, source: x, haircut: 1bps}\n", "fx.USDT", "needs no rate")
	f("binance-coinm: {BTC: 20}", "binance-coinm: {BTC: 1e999}", "balances.binance-coinm.BTC", "write a number above 0")
	f("binance-coinm: {BTC: 20}", "binance-coin: {BTC: 20}", "balances.binance-coin", "did you mean binance-coinm?")
	f("cancel_reserve: 50", "cancel_reserve: 200", "limits.venues.default.cancel_reserve", "write less than 200")
	f("reference: {smooth: 10s, max_age: 5s}", "reference: {max_age: 5s}", "limits.instruments.default.reference", "either from")
	f("spot-usdm: {legs", "spot-usdm: {min_notional: 20000, legs", "strategies.arb.cross.links.spot-usdm.min_notional", "")
	f("max_position: 100000", "max_position: 100000, max_position: 5", "limits.products.default.max_position", "was given on line")
	f("wait: park", "wait: &x park", "wait", "anchors")
	f("wait: park", "wait:", "wait", "has no value")
	f("wait: park", "wait: [park]", "wait", "not a list")
	f("policy: together", "policy: together\n          exhaustive: maybe", "strategies.arb.cross.links.default.exhaustive", "true or false")
}

func TestConfig_refusesWhatLooksLikeASecretWithoutPrintingIt(t *testing.T) {
	base := example(t, "backtest")
	for _, planted := range []string{"api_key: hunter2", "secret: x9", "note: aB3dE5gH7jK9mN1pQ3sT5vX7zA9cE1gH", "# key aB3dE5gH7jK9mN1pQ3sT5vX7zA9cE1gH",
		"pem: \"-----BEGIN EC PRIVATE KEY-----\""} {
		text := base + planted + "\n"
		if planted[0] == '#' {
			text = strings.Replace(base, "wait: park", "wait: park  "+planted, 1)
		}
		secret := false
		for _, f := range faults(t, text) {
			secret = secret || strings.Contains(f.Text, "seems to be a secret")
			require.NotContains(t, f.String(), "hunter2")
			require.NotContains(t, f.String(), "aB3dE5")
		}
		require.True(t, secret, planted)
	}
}

func TestConfig_takesWhatOnlyLooksLong(t *testing.T) {
	for _, text := range []string{"# see ../data/binance/recordings/2024/spot_btcusdt_20240808", "# aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		"# 11111111111111111111111111111111111111111111"} {
		_, err := ParseConfig("x", []byte(text+"\n"+example(t, "backtest")), nil)
		require.NoError(t, err)
	}
	require.False(t, secretLike("polymarket:71321045679252212594626385532706912750332728571942532289631379312455583992563"))
	require.False(t, secretLike("0x88e6A0c2dDD26FEEb64F039a2c41296FcB3f5640"))
	require.True(t, secretLike("0x4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"))
}

func TestConfig_readsNothingAsNothing(t *testing.T) {
	for _, text := range []string{"", "# only a comment\n", "- a\n- b\n", "5", "a: b: c", "\tx: 1", "reporting: USDT\n---\nreporting: USD\n", "\x00", strings.Repeat("[", 5000)} {
		require.NotEmpty(t, faults(t, text), "%.20q", text)
	}
	_, err := ReadConfig("no-such-file.yaml", nil)
	require.ErrorContains(t, err, "backtest-zero-fee")
	require.Equal(t, ExitUsage, exitCode(err))
}

func TestScalars_keepTheirUnit(t *testing.T) {
	var b Bps
	require.Empty(t, b.read("7.5bps"))
	require.EqualValues(t, 75_000, b)
	require.Empty(t, b.read("0.0001bps"))
	require.EqualValues(t, 1, b)
	require.NotEmpty(t, b.read("0.00001bps"))
	require.NotEmpty(t, b.read("bps"))
	require.NotEmpty(t, b.read("-1bps"))
	var s SignedBps
	require.Empty(t, s.read("-1bps"))
	require.EqualValues(t, -10_000, s)
	var p Span
	f := func(text string, want venue.Nanos) {
		t.Helper()
		require.Empty(t, p.read(text))
		require.EqualValues(t, want, p)
	}
	f("2s", 2*venue.Second)
	f("250ms", 250*venue.Millisecond)
	f("1.5us", 1500)
	f("24h", 24*3600*venue.Second)
	for _, bad := range []string{"2", "s", "-2s", "2 min", "0s", "1.5ns", "1e30h", "2s3"} {
		require.NotEmpty(t, p.read(bad), bad)
	}
	var m Money
	require.Empty(t, m.read("0.00000001"))
	require.EqualValues(t, 1, m)
	for _, bad := range []string{"5 USDT", "0.000000001", "99999999999", "-5", "0", "", "5,000", "1_000"} {
		require.NotEmpty(t, m.read(bad), bad)
	}
	var c SessionConfig
	require.Empty(t, c.read("13:30-20:00"))
	require.Equal(t, risk.Session{Open: 13*3600*venue.Second + 1800*venue.Second, Close: 20 * 3600 * venue.Second}, risk.Session(c))
	require.Empty(t, c.read("always"))
	require.Equal(t, risk.AllDay, risk.Session(c))
	require.NotEmpty(t, c.read("20:00-20:00"))
	require.NotEmpty(t, c.read("25:00-20:00"))
}

func TestAssemble_turnsLimitsIntoLotsAtTheFirstPrices(t *testing.T) {
	facts := &Facts{Prices: []FoundPrice{{"binance:BTCUSDT", "60000"}, {"binance-usdm:BTCUSDT", "60000"}, {"binance-coinm:BTCUSD_PERP", "50000"}}}
	c, err := ParseConfig("x", []byte(example(t, "backtest")), facts)
	require.NoError(t, err)
	a, err := Assemble(c, facts)
	require.NoError(t, err)
	require.False(t, a.Nominal)
	require.Empty(t, a.Untraded)
	f := func(name, maxQty, maxPosition string) {
		t.Helper()
		in := a.Find(name)
		l := a.Risk.Instruments[in.Inst]
		require.True(t, l.Allowed)
		require.Equal(t, maxQty, string(fixed.AppendTrim(nil, int64(l.MaxQty), in.QtyScale)))
		require.Equal(t, maxPosition, string(fixed.AppendTrim(nil, int64(l.MaxPosition), in.QtyScale)))
		require.EqualValues(t, 20000*100_000_000, l.MaxNotional)
		require.Equal(t, 2*venue.Second, a.MaxAge[in.Inst])
	}
	f("binance:BTCUSDT", "0.33333", "3.33333")
	f("binance-usdm:BTCUSDT", "0.333", "3.333")
	f("binance-coinm:BTCUSD_PERP", "200", "2000")
	require.Equal(t, "1.6666666", string(fixed.AppendTrim(nil, int64(a.Risk.Products[1].MaxBase), a.Products[1].QtyScale)))
	require.Equal(t, []string{"stops", "cross", "maker"}, a.StrategyNames)
	require.Len(t, a.Ledger.Balances, 4)
	require.Equal(t, "USDT", a.Currencies[a.Reporting])

	again, err := Assemble(c, facts)
	require.NoError(t, err)
	require.Equal(t, a.Fingerprint, again.Fingerprint)
	facts.Prices[0].Price = "60001"
	other, err := Assemble(c, facts)
	require.NoError(t, err)
	require.NotEqual(t, a.Fingerprint, other.Fingerprint)
}

func TestAssemble_whatTheRecordingsDoNotShowTakesNoOrders(t *testing.T) {
	facts := &Facts{Prices: []FoundPrice{}}
	c, err := ParseConfig("x", []byte(example(t, "backtest")), facts)
	require.NoError(t, err)
	a, err := Assemble(c, facts)
	require.NoError(t, err)
	require.Len(t, a.Untraded, 3)
	for i := range a.Risk.Instruments {
		require.False(t, a.Risk.Instruments[i].Allowed)
	}
}

func TestAssemble_namesWhatDoesNotFit(t *testing.T) {
	base := example(t, "backtest")
	facts := &Facts{Prices: []FoundPrice{{"binance:BTCUSDT", "60000"}}}
	f := func(old, new, path, want string) {
		t.Helper()
		require.Contains(t, base, old)
		c, err := ParseConfig("x", []byte(strings.Replace(base, old, new, 1)), facts)
		require.NoError(t, err)
		_, err = Assemble(c, facts)
		var ce *ConfigError
		require.True(t, errors.As(err, &ce), "got %v", err)
		require.True(t, strings.HasPrefix(ce.Faults[0].Path, path), "%v", ce.Faults)
		require.Contains(t, ce.Faults[0].Text, want)
		require.Positive(t, ce.Faults[0].Line)
	}
	f("max_order: 20000", "max_order: 0.1", "limits.instruments.default.max_order", "buys less than one lot (0.00001) of binance:BTCUSDT")
	f("basis: true", "basis: false", "strategies.arb.cross", "basis")
	f("BTC: {instrument: binance:BTCUSDT, ", "BTC: {instrument: binance-coinm:BTCUSD_PERP, ", "fx.BTC.instrument", "does not price BTC in USDT")
	f("  USD: {rate: 1, ", "  USDC: {rate: 1, ", "limits", "USD")
}

func TestFacts_surviveJSON(t *testing.T) {
	s, err := NewSurvey([]string{recorded(t, "kraken/v1-book1000-trade-ticker-20210417.jsonl.gz")}, "", Quick)
	require.NoError(t, err)
	facts := s.Facts()
	b, err := json.Marshal(facts)
	require.NoError(t, err)
	var back Facts
	require.NoError(t, json.Unmarshal(b, &back))
	f := func(facts *Facts) []string {
		table := NewTable()
		require.NoError(t, facts.Watch(table))
		var out []string
		for _, in := range table.Instruments[1:] {
			require.NotNil(t, in.Checksum, in.Name)
			x := *in
			x.Checksum = nil
			out = append(out, fmt.Sprintf("%+v", x))
		}
		return out
	}
	require.Equal(t, f(facts), f(&back))
	require.Len(t, f(facts), 5)
}

func TestRead_fromAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.yaml")
	require.NoError(t, os.WriteFile(path, []byte(example(t, "backtest")), 0o600))
	c, err := ReadConfig(path, nil)
	require.NoError(t, err)
	require.Equal(t, path, c.Path)
}
