package app

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/engine"
	"oneprice/feeds/wire"
)

// trace is all that a run leaves behind.
type trace struct {
	plays     uint64
	counters  engine.Counters
	tape      []byte
	audit     map[string]string // by file
	books     []uint64          // hashes
	positions []desk.Position
	balances  [][]fixed.Cash
	decisions [32]byte
}

// between plays a shadow before every step too: a loop that is fed as fast as it can be may never be idle.
type between struct{ *engine.Shadow }

func (b between) Frame(*engine.Batch) { b.Idle() }

// traceOf runs recordings under spin, with a shadow or without.
func traceOf(t *testing.T, run *Run, shadowed bool) trace {
	a, err := run.Assemble()
	require.NoError(t, err)
	var warm *engine.Shadow
	if shadowed {
		s, err := newShadow(run.Config, run.Facts)
		require.NoError(t, err)
		warm = engine.NewShadow(wire.NewClock(false), 0, s.play)
	}
	tr, err := NewTrading(t.Context(), a, TradingOptions{Out: t.TempDir(), Mode: "backtest", Feeds: 1, Policy: engine.Spin, Recorded: true,
		Loop: func(c *engine.LoopConfig) {
			if c.Shadow = warm; shadowed {
				c.Taps = append(c.Taps, between{warm})
			}
		}})
	require.NoError(t, err)
	in, err := run.Survey.Open()
	require.NoError(t, err)
	defer in.Close()
	require.NoError(t, tr.play(context.Background(), NewMarket(tr.Table, run.Survey), in, engine.Spin, nil))
	require.NoError(t, tr.Close())
	x := trace{counters: *tr.Engine.Counters(), audit: map[string]string{}, positions: tr.Engine.Desk().Positions, balances: tr.Engine.Desk().Balances, decisions: tr.writer.Decisions()}
	if shadowed {
		x.plays = warm.Plays()
	}
	for _, b := range tr.Engine.Desk().Books[1:] {
		x.books = append(x.books, b.Hash())
	}
	x.tape, err = os.ReadFile(tr.TapePath)
	require.NoError(t, err)
	files, err := filepath.Glob(filepath.Join(tr.AuditDir, "trades_*.jsonl"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		x.audit[filepath.Base(f)] = string(text)
	}
	return x
}

func TestShadow_leavesStateTapeAndAuditByteForByte(t *testing.T) {
	paths, err := WriteSynthetic(t.TempDir(), SyntheticOptions{Seed: 7, Seconds: 10})
	require.NoError(t, err)
	run, err := Prepare("backtest-zero-fee", paths, "")
	require.NoError(t, err)
	with, without := traceOf(t, run, true), traceOf(t, run, false)
	require.GreaterOrEqual(t, with.plays, with.counters.Steps, "the shadow played beside the run")
	require.Greater(t, with.counters.Orders, uint64(10))
	with.plays = 0
	require.Equal(t, without, with)
}

// demoShadow is the shadow of the demo's config.
func demoShadow(t testing.TB) *shadow {
	c, err := ReadConfig("demo", nil)
	require.NoError(t, err)
	s, err := newShadow(c, &Facts{Prices: []FoundPrice{{"binance:BTCUSDT", "60000"}, {"coinbase:BTC-USD", "60000"}, {"kraken:BTC/USD", "60000"},
		{"binance:ETHUSDT", "3000"}, {"coinbase:ETH-USD", "3000"}, {"kraken:ETH/USD", "3000"}}})
	require.NoError(t, err)
	return s
}

func TestShadow_takesTheWholePathAndAllocatesNothing(t *testing.T) {
	s := demoShadow(t)
	before := *s.Engine.Counters()
	require.Zero(t, testing.AllocsPerRun(2000, s.play))
	after := s.Engine.Counters()
	require.EqualValues(t, 2001, after.Steps-before.Steps, "a play is one step") // AllocsPerRun runs once more, to warm up
	require.Greater(t, after.Approved-before.Approved, uint64(100))
	require.Greater(t, after.Orders-before.Orders, uint64(100))
}

func BenchmarkShadow_play(b *testing.B) {
	s := demoShadow(b)
	for b.Loop() {
		s.play()
	}
}
