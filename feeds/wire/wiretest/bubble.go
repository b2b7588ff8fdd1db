package wiretest

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// Bubble runs f in virtual time over a held network, whose writes a seed releases one by one: with the same seed everything
// happens in the same order.
func Bubble(t *testing.T, seed uint64, f func(t *testing.T, n *wire.Held, clock *wire.Clock)) {
	synctest.Test(t, func(t *testing.T) {
		n, clock := wire.NewHeld(), wire.NewClock(true)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		t.Cleanup(func() { // after everything that f starts: cleanups run in reverse
			cancel()
			<-done
		})
		go func() {
			defer close(done)
			release(ctx, n, clock, rand.New(rand.NewPCG(seed, 0x4e1d)))
		}()
		clock.Sleep(ctx, venue.Microsecond) // until that is at rest
		f(t, n, clock)
	})
}

// release lets one write after the other arrive, each when all goroutines are at rest, and then time go on.
func release(ctx context.Context, n *wire.Held, clock *wire.Clock, rnd *rand.Rand) {
	defer n.Free() // who closes connections afterwards must not wait
	var waiting []int
	for ctx.Err() == nil {
		synctest.Wait()
		if waiting = n.Waiting(waiting[:0]); len(waiting) > 0 {
			n.Release(waiting[rnd.IntN(len(waiting))])
		} else if clock.Sleep(ctx, 2*venue.Millisecond) != nil {
			return
		}
	}
}

// Lives runs a feed against its simulator in a bubble: follow starts both, without faults. First a stream is frozen for
// over a minute, so that pings must be answered; then every fault of the simulator strikes for a while; then every book is
// Live within five seconds of peace, and of the budget. With again all that happens once more, and the records must be the
// same in the same order. Their times may differ by nanoseconds: goroutines that wake at one instant race for the phases
// of the clock.
func Lives(t *testing.T, again bool, follow func(t *testing.T, n wire.Net, clock *wire.Clock) (r *Rig, strike func(on bool))) {
	run := func(seed uint64) (transcript uint64) {
		Bubble(t, seed, func(t *testing.T, n *wire.Held, clock *wire.Clock) {
			r, strike := follow(t, n, clock)
			h := fnv.New64a()
			r.Seen = func(ev []venue.Event) {
				for i := range ev {
					fmt.Fprintln(h, ev[i].Kind, ev[i].Flags, ev[i].Inst, ev[i].Seq)
				}
			}
			r.FreezeOne(venue.Second, 70*venue.Second)
			strike(true)
			began := clock.Now()
			r.Until(10*time.Minute, func() bool { return clock.Now()-began > 40*venue.Second })
			session := r.Feed.Sessions()[0].Counters()
			require.Positive(t, session.Losses.Load(), "no connection was lost")
			for _, b := range r.Books {
				require.Greater(t, b.Counters().Resyncs, uint64(2))
			}
			strike(false)
			calm := clock.Now()
			r.Until(5*time.Second, r.Live)
			compared := r.Compared
			r.Until(20*time.Second, func() bool { return r.Compared > compared+50 })
			t.Logf("%d comparisons, %d connections, Live %v after the last fault", r.Compared, session.Connects.Load(), time.Duration(clock.Now()-calm))
			transcript = h.Sum64()
		})
		return transcript
	}
	if one := run(1); again {
		require.Equal(t, one, run(1), "one seed, one history")
	}
}
