package engine

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/venue"
	"oneprice/engine/ring"
)

// atomicClock may be read by whoever holds the token.
type atomicClock struct{ now atomic.Int64 }

func (c *atomicClock) Now() venue.Nanos { return venue.Nanos(c.now.Add(1)) }

// TestInline_strandsNoRecord lets producers publish at the same instant, round after round, beside one that pulses: when
// all have returned, whoever held the token must have stepped every record. A stranded one would wait for the next message.
func TestInline_strandsNoRecord(t *testing.T) {
	const producers = 3
	rounds := int64(30_000)
	if testing.Short() {
		rounds = 3_000
	}
	c := &atomicClock{}
	c.now.Store(int64(1_800_000_000 * venue.Second))
	rings := make([]*ring.Ring[venue.Event], producers)
	for i := range rings {
		rings[i] = ring.Events(4, nil)
	}
	r := newRig(t, func(cfg *LoopConfig) { cfg.Policy, cfg.Clock, cfg.Events = Inline, c, rings })
	var round, back atomic.Int64
	wait := func(a *atomic.Int64, v int64) {
		for n := 0; a.Load() < v; n++ {
			if n > 100 {
				runtime.Gosched()
			}
		}
	}
	var done sync.WaitGroup
	for i := range producers + 1 {
		done.Go(func() {
			for n := int64(1); n <= rounds; n++ {
				wait(&round, n)
				if i == producers {
					if r.loop.Pulse() != nil {
						panic("engine: a pulse failed")
					}
				} else {
					var e venue.Event
					e.SetAlive(1, 1, c.Now(), 0)
					if rings[i].Put([]venue.Event{e}) != venue.OK {
						panic("engine: no room for one record a round")
					}
					r.loop.Offer()
				}
				back.Add(1)
			}
		})
	}
	for n := int64(1); n <= rounds; n++ {
		round.Store(n)
		wait(&back, n*(producers+1))
		if got := r.e.Counters().Events; got != uint64(n*producers) { // nobody steps between two rounds
			round.Store(rounds)
			require.EqualValues(t, n*producers, got, "a record was stranded in round %d", n)
		}
	}
	done.Wait()
}
