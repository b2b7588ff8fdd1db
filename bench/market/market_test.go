package market

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/valyala/fastjson"
)

func TestRig_sendsOneSignedOrderForEveryMessage(t *testing.T) {
	for _, c := range []Config{{Levels: 2, Signed: true}, {Levels: 20}, {Levels: 100, Signed: true}, {Symbols: 8, Venues: 2, Levels: 20}} {
		c.Audit = t.TempDir()
		r, err := NewRig(c)
		require.NoError(t, err)
		for i := range 1000 {
			require.Equal(t, 1, r.Tick(r.Depths[i%r.Symbols].Next()), "message %d", i)
			if i%8 == 7 {
				r.Answer()
			}
		}
		require.NoError(t, fastjson.ValidateBytes(r.Sent))
		require.NoError(t, r.Close())
	}
}

func TestTick_allocatesNothing(t *testing.T) {
	r, err := NewRig(Config{Levels: 20, Signed: true, Audit: t.TempDir()})
	require.NoError(t, err)
	for range 2000 { // slices grow to what the busiest drain needed
		r.Tick(r.Depths[0].Next())
		r.Answer()
	}
	require.Zero(t, testing.AllocsPerRun(7, func() { r.Tick(r.Depths[0].Next()) }))
	require.NoError(t, r.Close())
}

func TestLive_sendsOneOrderForEveryMessage(t *testing.T) {
	l, err := NewLive(Config{Levels: 20, Audit: t.TempDir()})
	require.NoError(t, err)
	for range 100 {
		n := l.Count
		l.Settle()
		l.Play(l.Depths[0].Next())
		require.Greater(t, l.Count, n) // one more where the machine paused beyond the cooldown
	}
	require.NoError(t, l.Close())
}
