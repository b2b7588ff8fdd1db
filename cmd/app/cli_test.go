package app

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// ran is what one run of the program answered.
type ran struct {
	code     int
	out, err string
}

func run(t *testing.T, args ...string) ran {
	t.Helper()
	var out, errOut bytes.Buffer
	code := Main(args, &out, &errOut)
	return ran{code, out.String(), errOut.String()}
}

func TestMain_answersWithDocumentedCodes(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.jsonl")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	junk := filepath.Join(t.TempDir(), "junk.jsonl")
	require.NoError(t, os.WriteFile(junk, []byte("a\nb\n"), 0o600))
	f := func(code int, want string, args ...string) {
		t.Helper()
		r := run(t, args...)
		require.Equal(t, code, r.code, "%v: %s", args, r.err)
		require.Contains(t, r.out+r.err, want)
		if code != ExitOK {
			require.Equal(t, 1, strings.Count(r.err, "\n"), "one line: %s", r.err)
			require.True(t, strings.HasPrefix(r.err, "oneprice: "))
		}
	}
	f(ExitOK, "inspect", "--help")
	f(ExitOK, "Exit codes", "inspect", "--help")
	f(ExitOK, "oneprice", "version")
	f(ExitOK, "backtest-zero-fee", "config", "example")
	f(ExitOK, "reporting: USDT", "config", "example", "backtest")
	f(ExitOK, "is sound", "check", "backtest")
	f(ExitUsage, `no example is called "x"`, "config", "example", "x")
	f(ExitUsage, "unknown command", "frobnicate")
	f(ExitUsage, "unknown flag", "inspect", "--frobnicate")
	f(ExitUsage, "requires at least 1 arg", "inspect")
	f(ExitUsage, "known venues: binance", "inspect", "--venue", "nope", junk)
	f(ExitUsage, "no example has that name", "check", "no-such-config")
	f(ExitUsage, "--synthetic", "backtest")
	f(ExitUsage, "--confirm and --waive belong to a live start", "run", "--config", "demo", "--confirm", "AAAA-AAAA")
	f(ExitUsage, "--confirm and --waive belong to a live start", "check", "demo", "--waive", "x")
	f(ExitUsage, "demo does not say how to trade live; add to it: live: {", "check", "demo", "--live")
	f(ExitUsage, "give no recordings with it", "check", "live", "x.jsonl", "--live")
	f(ExitUsage, "--audit is missing", "replay", "x.tape")
	f(ExitUsage, "is not a time", "audit", "show", t.TempDir(), "--since", "yesterday")
	f(ExitInput, "cannot be opened", "inspect", "no-such-file")
	f(ExitInput, "this is no recording", "inspect", junk)
	f(ExitInput, "this is no recording", "inspect", empty)
	f(ExitInput, "no-such-folder", "audit", "verify", "no-such-folder")
}

func TestMain_printsJSON(t *testing.T) {
	ls := generated(t, 0)
	r := run(t, "inspect", "--json", "--checkpoint-every", "10", saved(t, ls))
	require.Equal(t, ExitOK, r.code)
	require.Empty(t, r.err, "no bar where the error stream is no terminal")
	var v struct {
		Instruments []map[string]any `json:"instruments"`
	}
	require.NoError(t, json.Unmarshal([]byte(r.out), &v))
	require.Len(t, v.Instruments, 1)
	for _, field := range []string{"frames", "snapshot_last_update_id", "stale_dropped", "diffs_applied", "gaps", "resyncs", "final_update_id", "touch_compared",
		"touch_mismatched", "checksums_verified", "checksums_failed", "bid_levels", "ask_levels", "top10", "checkpoints", "recv_minus_venue_ns"} {
		require.Contains(t, v.Instruments[0], field)
	}
	for _, args := range [][]string{{"version"}, {"config", "example"}, {"check", "backtest"}} {
		r := run(t, append(args, "--json")...)
		require.Equal(t, ExitOK, r.code)
		require.True(t, json.Valid([]byte(r.out)), r.out)
	}
}

func TestMain_listsEveryFaultOfAConfig(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.yaml")
	text := strings.NewReplacer("wait: park", "wait: p", "max_net: 200000", "max_net: x", "20bps", "20").Replace(example(t, "backtest"))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	r := run(t, "check", path)
	require.Equal(t, ExitUsage, r.code)
	require.Contains(t, r.err, path+": 3 faults:")
	require.Equal(t, 4, strings.Count(r.err, "\n"))
	r = run(t, "check", "--json", path)
	require.Equal(t, ExitUsage, r.code)
	var v CheckReport
	require.NoError(t, json.Unmarshal([]byte(r.out), &v))
	require.Len(t, v.Faults, 3)
	require.False(t, v.OK)
}

func TestMain_inspectTextNamesWhatBroke(t *testing.T) {
	ls := generated(t, 0)
	r := run(t, "inspect", saved(t, without(ls, nth(t, ls, "depthUpdate", 0))))
	require.Equal(t, ExitOK, r.code)
	require.Contains(t, r.out, "stale (sequence_gap)")
	require.Contains(t, r.out, "left live at line")
	require.Contains(t, r.out, "What its rules cannot show")
}

func TestSynthetic_isTheSameForTheSameSeed(t *testing.T) {
	f := func(seed uint64) [][]byte {
		paths, err := WriteSynthetic(t.TempDir(), SyntheticOptions{Seed: seed, Seconds: 2})
		require.NoError(t, err)
		require.Len(t, paths, 3)
		var out [][]byte
		for _, p := range paths {
			out = append(out, lines(t, p)...)
		}
		return out
	}
	require.Equal(t, f(1), f(1))
	require.NotEqual(t, f(1), f(2))
}
