package app

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/feeds/venuesim"
)

// binaryText is the demo's config with binary market data from Binance, and an account whose key is nowhere.
func binaryText(t *testing.T) string {
	return strings.Replace(example(t, "demo"), "    adapter: binance\n",
		"    adapter: binance\n    feed: sbe\n    account: {name: main, key: env:NO_SUCH_VARIABLE_IS_SET, secret: env:NO_SUCH_VARIABLE_IS_SET, mode: dedicated}\n", 1)
}

func written(t *testing.T, text string) string {
	path := filepath.Join(t.TempDir(), "c.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestFeedFormat_theDemoTradesOnBinaryMarketData(t *testing.T) {
	t.Parallel()
	sims := faulty(t, venuesim.Rates{})
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	seen := false
	r, err := sims.demo(ctx, DemoOptions{Config: written(t, binaryText(t)), Seed: 7, Out: t.TempDir(), Status: func(l *Live) {
		if liveBooks(l) == 6 && l.Feeders[1].Sessions()[0].Counters().Messages.Load() > 2000 {
			seen = true
			stop()
		}
	}})
	require.NoError(t, err)
	require.True(t, seen, "%+v", r)
	require.Positive(t, r.Demo.TruthCompared)
	require.Zero(t, r.Demo.TruthWrong, r.Demo.FirstWrong)
}

func TestFeedFormat_wantsAKeyAndAVenueThatHasIt(t *testing.T) {
	text := binaryText(t)
	fault := func(old, new, want string) {
		t.Helper()
		fs := faults(t, strings.Replace(text, old, new, 1))
		require.Len(t, fs, 1)
		require.Equal(t, "venues.binance.feed", fs[0].Path)
		require.Contains(t, fs[0].Text, want)
	}
	fault("    account: {name: main, key: env:NO_SUCH_VARIABLE_IS_SET, secret: env:NO_SUCH_VARIABLE_IS_SET, mode: dedicated}\n", "", "holders of an Ed25519 key; add to the venue: "+accountLines)
	fault("feed: sbe", "feed: xml", "write json or sbe")
	kraken := strings.Replace(example(t, "demo"), "    adapter: kraken\n", "    adapter: kraken\n    feed: sbe\n", 1)
	require.Contains(t, faults(t, kraken)[0].Text, "kraken has no binary market data; write json")

	_, err := RunLive(context.Background(), LiveOptions{Edges: faulty(t, venuesim.Rates{}).Edges(), Config: written(t, text), Out: t.TempDir(), Mode: "paper"})
	require.ErrorContains(t, err, "venues.binance.account.key, which its feed needs: environment variable NO_SUCH_VARIABLE_IS_SET: it is not set")
	require.Equal(t, ExitUsage, exitCode(err))
}
