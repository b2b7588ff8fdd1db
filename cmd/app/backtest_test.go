package app

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/engine/audit"
)

// backtest runs a config over files under a policy.
func backtest(t *testing.T, config, wait string, paths []string) *Result {
	t.Helper()
	r, err := Backtest(context.Background(), BacktestOptions{Config: config, Paths: paths, Out: t.TempDir(), Wait: wait})
	require.NoError(t, err)
	require.True(t, r.AuditOK)
	return r
}

func TestBacktest_decidesTheSameUnderEveryPolicyAndReplays(t *testing.T) {
	t.Parallel()
	paths, err := WriteSynthetic(t.TempDir(), SyntheticOptions{Seed: 3, Seconds: 10})
	require.NoError(t, err)
	first := backtest(t, "backtest-zero-fee", "inline", paths)
	require.NotZero(t, first.Fills)
	for _, wait := range []string{"inline", "park", "spin"} {
		require.Equal(t, first.Decisions, backtest(t, "backtest-zero-fee", wait, paths).Decisions, wait)
	}
	rep, err := Replay(context.Background(), ReplayOptions{Tape: first.Tape, Audit: first.AuditDir})
	require.NoError(t, err)
	require.True(t, rep.Same)
	require.Equal(t, first.Decisions, rep.Decisions)
	require.Equal(t, first.AuditRecords, rep.Compared)
}

func TestReplay_namesTheFirstDifference(t *testing.T) {
	t.Parallel()
	paths, err := WriteSynthetic(t.TempDir(), SyntheticOptions{Seed: 3, Seconds: 5})
	require.NoError(t, err)
	a, b := backtest(t, "backtest-zero-fee", "inline", paths), backtest(t, "backtest", "inline", paths)
	rep, err := Replay(context.Background(), ReplayOptions{Tape: a.Tape, Audit: b.AuditDir})
	require.ErrorIs(t, err, errDiffers)
	require.False(t, rep.Same)
	require.NotNil(t, rep.First)
}

func TestAudit_tamperingIsNamed(t *testing.T) {
	t.Parallel()
	paths, err := WriteSynthetic(t.TempDir(), SyntheticOptions{Seed: 3, Seconds: 5})
	require.NoError(t, err)
	r := backtest(t, "backtest-zero-fee", "inline", paths)
	days, err := filepath.Glob(filepath.Join(r.AuditDir, "trades_*.jsonl"))
	require.NoError(t, err)
	day := days[len(days)-1]
	text, err := os.ReadFile(day)
	require.NoError(t, err)
	f := func(name string, edit func([]byte) []byte) {
		t.Helper()
		require.NoError(t, os.WriteFile(day, edit(bytes.Clone(text)), 0o600))
		_, err := audit.Verify(r.AuditDir)
		var fault *audit.Fault
		require.ErrorAs(t, err, &fault, name)
		require.NotZero(t, fault.Seq, name)
	}
	f("one byte changed", func(b []byte) []byte { b[bytes.Index(b, []byte(`"price":"`))+9] ^= 1; return b })
	f("last line cut", func(b []byte) []byte { return b[:bytes.LastIndexByte(b[:len(b)-1], '\n')+1] })
	require.NoError(t, os.WriteFile(day, text, 0o600))
	_, err = audit.Verify(r.AuditDir)
	require.NoError(t, err)
}

func TestBacktest_recordedTrio(t *testing.T) {
	t.Parallel()
	paths := trio(t)
	r := backtest(t, "backtest-zero-fee", "inline", paths)
	require.EqualValues(t, 291914, r.Frames)
	require.GreaterOrEqual(t, r.Fills, uint64(100))
	require.NotZero(t, r.TouchCompared)
	require.Zero(t, r.TouchMismatched)
	for _, in := range r.Instruments {
		require.Zero(t, in.Gaps, in.Instrument)
		require.Equal(t, "live", in.State, in.Instrument)
	}
	silent := silentOrders(t, r.AuditDir)
	require.Zero(t, silent, "orders on a book that had gone silent")
	honest := backtest(t, "backtest", "park", paths)
	require.LessOrEqual(t, honest.Fills, uint64(20), "with honest fees there is next to nothing to take")
}

// silentOrders counts new orders on a book whose last trust record is not live; USD-M falls silent five minutes early.
func silentOrders(t *testing.T, dir string) (n int) {
	state := map[string]string{}
	sawSilence := false
	require.NoError(t, audit.Show(dir, audit.Filter{}, func(e *audit.Entry) error {
		var line struct{ Kind, Op, Instrument, State, Reason string }
		if err := json.Unmarshal(e.Raw, &line); err != nil {
			return err
		}
		switch line.Kind {
		case "book":
			state[line.Instrument] = line.State
			sawSilence = sawSilence || line.Reason == "too_old"
		case "order":
			if line.Op == "new" && state[line.Instrument] != "live" {
				n++
			}
		}
		return nil
	}))
	require.True(t, sawSilence, "the recording has a book that falls silent")
	return n
}

func TestBacktest_everyOtherCaptureRuns(t *testing.T) {
	t.Parallel()
	f := func(name string, look func(r *Result)) {
		t.Helper()
		r := backtest(t, "backtest", "park", []string{recorded(t, name)})
		live := 0
		for _, in := range r.Instruments {
			if in.Frames > 0 {
				require.Equal(t, "live", in.State, in.Instrument)
				require.Zero(t, in.Gaps, in.Instrument)
				live++
			}
		}
		require.NotZero(t, live, name)
		look(r)
	}
	f("kraken/v1-book1000-trade-ticker-20210417.jsonl.gz", func(r *Result) {
		require.EqualValues(t, 2375, r.CRCVerified)
		require.Zero(t, r.CRCFailed)
	})
	f("coinbase/advanced-l2-btc-eth-20260809.jsonl.gz", func(r *Result) {
		require.Equal(t, 18769, r.Instruments[len(r.Instruments)-2].BidLevels)
	})
	f("binance/us-spot-4sym-20211012.jsonl.gz", func(*Result) {})
}
