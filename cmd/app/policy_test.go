package app

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"oneprice/engine"
)

// TestPolicies_tradeOnSocketsAsTheirTapesSay runs one seeded simulator session over loopback sockets under each wait
// policy, until it has traded: no book is wrong, and what the engine decided follows from its tape alone, whoever stepped
// it and however records had gathered.
func TestPolicies_tradeOnSocketsAsTheirTapesSay(t *testing.T) {
	for _, p := range []engine.Policy{engine.Spin, engine.Park, engine.Inline} {
		t.Run(p.String(), func(t *testing.T) {
			ctx, stop := context.WithTimeout(context.Background(), time.Minute)
			defer stop()
			r, err := Demo(ctx, DemoOptions{Config: "demo", Seed: 7, Out: t.TempDir(), Wait: p.String(), Status: func(l *Live) {
				if l.Newest.Counters.Orders >= 20 {
					stop()
				}
			}})
			require.NoError(t, err)
			require.Equal(t, p.String(), r.Wait)
			require.GreaterOrEqual(t, r.Orders, uint64(20))
			require.True(t, r.AuditOK)
			require.NotZero(t, r.Demo.TruthCompared)
			require.Zero(t, r.Demo.TruthWrong, r.Demo.FirstWrong)
			again, err := Replay(context.Background(), ReplayOptions{Tape: r.Tape, Audit: r.AuditDir})
			require.NoError(t, err)
			require.True(t, again.Same)
			require.Equal(t, r.AuditRecords, again.Compared)
		})
	}
}
