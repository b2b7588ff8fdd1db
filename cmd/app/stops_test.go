package app

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"oneprice/engine/audit"
	"oneprice/engine/recovery"
)

// withStops is an example with stops.
func withStops(t *testing.T, name, stops string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "stops.yaml")
	require.NoError(t, os.WriteFile(path, []byte(example(t, name)+"\nstops:\n"+stops), 0o600))
	return path
}

// stopLine is what the tests read of an audit line of any kind.
type stopLine struct {
	Kind, Act, Guard, Instrument, Side, Role, Report, Strategy string
	Touch, Level, Loss, Fill, Qty                              decimal.Decimal
	MaxLoss                                                    decimal.Decimal `json:"max_loss"`
}

// auditLines calls f for every line of an audit.
func auditLines(t *testing.T, dir string, f func(*stopLine)) {
	t.Helper()
	require.NoError(t, audit.Show(dir, audit.Filter{}, func(e *audit.Entry) error {
		var l stopLine
		require.NoError(t, json.Unmarshal(e.Raw, &l))
		f(&l)
		return nil
	}))
}

// firesOnce proves of an audit that every guard fired at or beyond its level, once for each instrument, and that what was
// stopped was closed by its own orders alone and never opened the other way. It returns how often guards fired.
func firesOnce(t *testing.T, dir string) (fired int) {
	seen, closing, position := map[string]bool{}, map[string]bool{}, map[string]decimal.Decimal{}
	auditLines(t, dir, func(l *stopLine) {
		switch {
		case l.Kind == "report" && l.Report == "fill":
			was := position[l.Instrument]
			if l.Side == "sell" {
				l.Fill = l.Fill.Neg()
			}
			now := was.Add(l.Fill)
			position[l.Instrument] = now
			if l.Role == "stop" {
				require.True(t, now.Sign()*was.Sign() >= 0 && now.Abs().LessThan(was.Abs()), "%s from %s to %s", l.Instrument, was, now)
			}
		case l.Kind == "order" && closing[l.Instrument]:
			require.NotEqual(t, "quote", l.Role, "a new quote of a stopped instrument")
		case l.Kind == "stop" && l.Act == "fired":
			fired++
			key := l.Guard + " " + l.Instrument
			require.False(t, seen[key], "%s fired twice", key)
			seen[key], closing[l.Instrument] = true, true
			switch long := l.Qty.Sign() > 0; {
			case l.MaxLoss.Sign() > 0:
				require.True(t, l.Loss.GreaterThanOrEqual(l.MaxLoss), "%+v", l)
			case long:
				require.True(t, l.Touch.LessThanOrEqual(l.Level), "%+v", l)
			default:
				require.True(t, l.Touch.GreaterThanOrEqual(l.Level), "%+v", l)
			}
			require.True(t, l.Qty.Equal(position[l.Instrument]), "%s of %s", l.Qty, position[l.Instrument])
		}
	})
	return fired
}

func TestBacktest_stopsFireOnceAndReplay(t *testing.T) {
	t.Parallel()
	paths, err := WriteSynthetic(t.TempDir(), SyntheticOptions{Seed: 3, Seconds: 20})
	require.NoError(t, err)
	config := withStops(t, "backtest-zero-fee", "  trail: {product: BTC, trail: 0.2bps}\n  pain: {instrument: binance-usdm:BTCUSDT, loss: 1}\n")
	r := backtest(t, config, "inline", paths)
	require.Positive(t, r.Stops.Fired)
	require.Positive(t, r.Stops.Orders)
	require.Positive(t, firesOnce(t, r.AuditDir))
	rep, err := Replay(context.Background(), ReplayOptions{Tape: r.Tape, Audit: r.AuditDir})
	require.NoError(t, err)
	require.True(t, rep.Same)
}

func TestBacktest_stopsOnTheRecordedTrio(t *testing.T) {
	t.Parallel()
	paths := trio(t)
	config := withStops(t, "backtest-zero-fee", "  trail: {instrument: binance-usdm:BTCUSDT, trail: 5bps}\n  pain: {product: BTC, loss: 5}\n")
	r := backtest(t, config, "inline", paths)
	require.Positive(t, r.Stops.Fired, "%+v", r.Stops)
	require.Positive(t, firesOnce(t, r.AuditDir))
	require.Zero(t, r.Stops.AtWork)
	t.Logf("%+v", r.Stops)
}

func TestConfig_stopsAreCheckedAndExplained(t *testing.T) {
	f := func(stop, path, want string) {
		t.Helper()
		fs := faults(t, example(t, "backtest")+"\nstops:\n  s: "+stop+"\n")
		require.Len(t, fs, 1, "%v", fs)
		require.Equal(t, path, fs[0].Path)
		require.Contains(t, fs[0].Text, want)
		require.Positive(t, fs[0].Line)
	}
	f("{loss: 5}", "stops.s", "either the instrument or the product")
	f("{product: BTC, instrument: binance:BTCUSDT, loss: 5}", "stops.s", "either the instrument or the product")
	f("{product: BTCC, loss: 5}", "stops.s.product", "did you mean BTC?")
	f("{instrument: binance:BTCUSD, loss: 5}", "stops.s.instrument", "did you mean binance:BTCUSDT?")
	f("{product: BTC}", "stops.s", "one of loss, level and trail")
	f("{product: BTC, loss: 5, trail: 5bps}", "stops.s", "one of loss, level and trail")
	f("{product: BTC, level: 60000}", "stops.s.closes", "long or short")
	f("{product: BTC, loss: 5, limit: 60000}", "stops.s", "belong to a level")
	f("{product: BTC, loss: 0}", "stops.s.loss", "above 0")
	f("{product: BTC, trail: 5}", "stops.s.trail", "7.5bps")
	f("{product: BTC, level: 60000, closes: both}", "stops.s.closes", "write long or short")

	g := func(stop, want string) { // what needs the venue's table
		t.Helper()
		c, err := ParseConfig("x", []byte(example(t, "backtest")+"\nstops:\n  s: "+stop+"\n"), nil)
		require.NoError(t, err)
		_, err = Assemble(c, nil)
		require.ErrorContains(t, err, want)
	}
	g("{instrument: binance:BTCUSDT, level: 60000.123456789, closes: long}", "is no price of binance:BTCUSDT")
	g("{instrument: binance:BTCUSDT, level: 60000.001, closes: long}", "no multiple of the tick")
	g("{instrument: binance:BTCUSDT, level: 60000, limit: 60001, closes: long}", "before its level")
	g("{instrument: binance:BTCUSDT, trail: 10000bps}", "between 0")

	r := run(t, "check", withStops(t, "backtest", "  floor: {instrument: binance:BTCUSDT, level: 60000, limit: 59990.5, closes: long}\n  pain: {product: BTC, loss: 5}\n  fall: {product: BTC, trail: 50bps}\n"))
	require.Equal(t, ExitOK, r.code, r.err)
	for _, want := range []string{
		"stop floor: closes binance:BTCUSDT, long at a bid of 60000 or less, by a limit order at 59990.5",
		"stop pain: closes every instrument of BTC when their unrealised loss together is 5 USDT",
		"stop fall: closes every instrument of BTC when the touch is 50bps behind its best since the position was opened",
	} {
		require.True(t, strings.Contains(r.out, want), "%s\nin\n%s", want, r.out)
	}
}

// Sessions at the simulated venues are killed and begun again on one journal: over all of them each guard fires at most
// once, what it fired at stays closed to others, and our books end as the venues' own.
func TestLive_stopsFireOnceOverKilledSessions(t *testing.T) {
	t.Parallel()
	sims := serve(t, uint64(os.Getpid())) // keys of its own: another run of this test on the machine holds its accounts
	w := worldOf(sims)
	text, err := json.Marshal(w)
	require.NoError(t, err)
	config := withStops(t, "demo", "  btc: {product: BTC, trail: 0.5bps}\n  eth: {instrument: kraken:ETH/USD, loss: 0.5}\n")
	dir, rnd := t.TempDir(), rand.New(rand.NewPCG(11, 2))
	for range 2 {
		c := startChild(t, dir, "live", childWorld+"="+string(text), childConfig+"="+config)
		require.True(t, c.tells(50+rnd.IntN(200)), "the child ended by itself: %s", &c.said)
		c.kill(t)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	o := w.options(dir)
	o.Config, o.Open, o.Holds = config, recovery.Adopt, sims.holds
	looks := 0
	o.Status = func(l *Live) {
		looks++
		if s := &l.Newest; looks > 8 && s.Stops.Armed < len(l.Stops.Names())-1 && s.Stops.AtWork == 0 {
			cancel()
		}
	}
	r, err := RunLive(ctx, o)
	require.NoError(t, err)
	require.True(t, r.AuditOK)
	require.Zero(t, r.PositionMismatch, "%v", r.Mismatches)
	require.Zero(t, r.UnknownNow)
	once(t, sims)

	fired, acts := map[string]bool{}, map[string]int{}
	auditLines(t, r.AuditDir, func(l *stopLine) {
		if l.Kind != "stop" {
			return
		}
		acts[l.Act]++
		if key := l.Guard + " " + l.Instrument; l.Act == "fired" {
			require.False(t, fired[key], "%s fired twice", key)
			fired[key] = true
		}
	})
	t.Logf("%v", acts)
	require.Positive(t, acts["fired"]+acts["resumed"]+acts["spent"])
}
