package engine

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/venue"
)

// atomicClock may be read by whoever holds the token.
type atomicClock struct{ now atomic.Int64 }

func (c *atomicClock) Now() venue.Nanos { return venue.Nanos(c.now.Add(1)) }

// TestInline_strandsNoRecord lets a producer publish at the instant at which another goroutine pulses, round after round:
// when both have returned, whoever held the token must have stepped the record. A stranded one would wait for the next
// message. (Producers among themselves: ring.TestToken_noRecordIsStranded.)
func TestInline_strandsNoRecord(t *testing.T) {
	rounds := int64(30_000)
	if testing.Short() {
		rounds = 3_000
	}
	c := &atomicClock{}
	c.now.Store(int64(1_800_000_000 * venue.Second))
	r := newRig(t, func(cfg *LoopConfig) { cfg.Policy, cfg.Clock = Inline, c })
	var round, back atomic.Int64
	wait := func(a *atomic.Int64, v int64) {
		for n := 0; a.Load() < v; n++ {
			if n > 100 {
				runtime.Gosched()
			}
		}
	}
	var done sync.WaitGroup
	every := func(late int64, act func()) {
		done.Go(func() {
			for n := int64(1); n <= rounds; n++ {
				wait(&round, n)
				for range n * late % 101 { // so that all phases are met
					c.Now()
				}
				act()
				back.Add(1)
			}
		})
	}
	every(1, func() { r.loop.Pulse() })
	e := make([]venue.Event, 1)
	every(7, func() {
		e[0].SetAlive(1, 1, c.Now(), 0)
		r.ring.Put(e)
		r.loop.Offer()
	})
	for n := int64(1); n <= rounds; n++ {
		round.Store(n)
		wait(&back, 2*n)
		if got := r.e.Counters().Events; got != uint64(n) { // nobody steps between two rounds
			round.Store(rounds)
			require.EqualValues(t, n, got, "a record was stranded")
		}
	}
	done.Wait()
	require.NoError(t, r.loop.Err())
}
