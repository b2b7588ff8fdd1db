package app

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// A short soak: every fault strikes signed orders, and nothing is lost, doubled, or left behind.
func TestSoak_findsNothingInAShortRun(t *testing.T) {
	t.Parallel()
	r := run(t, "demo", "--soak", "--for", "8s", "--seed", "5", "--json", "--out", t.TempDir(), "--metrics", "")
	require.Equal(t, ExitOK, r.code, r.err)
	var v LiveResult
	require.NoError(t, json.Unmarshal([]byte(r.out), &v))
	require.Empty(t, v.Soak.Violations)
	require.False(t, v.Soak.Judged, "nothing can be said of memory so soon")
	require.Positive(t, v.Soak.OrdersAtVenues)
	require.NotEmpty(t, v.Soak.Samples)
	require.Positive(t, v.Soak.Samples[0].RSSAnonKB)
	require.NotEmpty(t, v.Demo.Faults)
}

// hour are the samples of an hour whose figures are given by the second.
func hour(memory, goroutines, orders func(second int64) int64) (out []SoakSample) {
	for s := int64(0); s < 3600; s += 5 {
		out = append(out, SoakSample{Second: s, RSSAnonKB: memory(s), Goroutines: goroutines(s), Orders: uint64(orders(s))})
	}
	return out
}

func TestSoak_judgesGrowthByMediansPastTheWarmUp(t *testing.T) {
	flat := func(n int64) func(int64) int64 { return func(int64) int64 { return n } }
	rising := func(s int64) int64 { return s }
	sawtooth := func(s int64) int64 {
		if s < 300 {
			return 1000 * s // what a start takes is no growth
		}
		return 200_000 + s%35*3000
	}
	f := func(memory, goroutines, orders func(int64) int64, want ...string) {
		t.Helper()
		var q SoakReport
		q.grown(hour(memory, goroutines, orders))
		require.True(t, q.Judged)
		require.Len(t, q.Violations, len(want))
		for i := range want {
			require.Contains(t, q.Violations[i], want[i])
		}
	}
	f(sawtooth, flat(80), rising)
	f(func(s int64) int64 { return 200_000 + s*2 }, flat(80), rising)
	f(func(s int64) int64 { return 200_000 + s*5 }, flat(80), rising, "anonymous memory grew by 6.")
	f(func(s int64) int64 { return 200_000 + s/1800*11_000 }, flat(80), rising, "anonymous memory grew by 5.5 %")
	f(flat(200_000), func(s int64) int64 { return 80 + s/300 }, rising, "goroutines grew from 82 to 90")
	f(flat(200_000), func(s int64) int64 { return 80 + s/5%2*4 }, rising)
	f(flat(200_000), flat(80), func(s int64) int64 { return min(s, 2000) }, "no order left in the last fifth")

	var q SoakReport
	q.grown(hour(rising, rising, flat(0))[:119])
	require.False(t, q.Judged)
	q.grown(nil)
	require.Empty(t, q.Violations)
}

func TestSoak_namesWhateverWasViolated(t *testing.T) {
	s := &soak{sims: serve(t, 1)}
	r := &LiveResult{Demo: &DemoReport{TruthWrong: 1, FirstWrong: "x", OrdersNotLive: 2}, PositionMismatch: 1, Mismatches: []string{"m"}, UnknownNow: 3, OpenAtExit: []string{"o"}, TapeBroken: true}
	require.Equal(t, []string{"the audit is broken", "the tape is broken", "1 balances differ from the venues' own: m", "3 orders are still in doubt", "orders are open at the end: o",
		"1 books were wrong: x", "2 orders left on a book that was not live", "nothing was traded"}, s.report(r).Violations)
	r = &LiveResult{Demo: &DemoReport{}, OpenAtExit: []string{}}
	r.AuditOK, r.Orders = true, 1
	require.Empty(t, s.report(r).Violations)
}
