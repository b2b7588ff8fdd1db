package wiretest

import (
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// Bubble runs f in virtual time over a held network, whose writes a seed releases one by one: with the same seed everything
// happens at the same instants, in the same order. The history is a digest of that: when how much arrived where. What
// arrived is not in it, since clients mask what they send at random.
func Bubble(t *testing.T, seed uint64, f func(t *testing.T, n *wire.Held, clock *wire.Clock)) (history uint64) {
	h := fnv.New64a()
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
			release(ctx, n, clock.Own(), rand.New(rand.NewPCG(seed, 0x4e1d)), h)
		}()
		clock.Sleep(ctx, venue.Microsecond) // until that is at rest
		f(t, n, clock)
		clock.Sleep(ctx, 1) // until whatever f's last look was part of is written down
		history = h.Sum64() // of the end, where all stop at once, there is none
	})
	return history
}

// release lets one write after the other arrive, each when all goroutines are at rest, and then time go on.
func release(ctx context.Context, n *wire.Held, clock *wire.Clock, rnd *rand.Rand, history io.Writer) {
	defer n.Free() // who closes connections afterwards must not wait
	var waiting []int
	for ctx.Err() == nil {
		synctest.Wait()
		if waiting = n.Waiting(waiting[:0]); len(waiting) > 0 {
			i := waiting[rnd.IntN(len(waiting))]
			bytes, _ := n.Release(i)
			fmt.Fprintln(history, clock.Now(), i, bytes)
		} else if clock.Sleep(ctx, 2*venue.Millisecond) != nil {
			return
		}
	}
}

// Lives runs a feed against its simulator in a bubble: follow starts both, without faults. First a stream is frozen for
// over a minute, so that pings must be answered; then every fault of the simulator strikes for a while; then every book is
// Live within five seconds of peace, and of the budget. All that happens twice, with one history and the same records.
func Lives(t *testing.T, follow func(t *testing.T, n wire.Net, clock *wire.Clock) (r *Rig, strike func(on bool))) {
	run := func(seed uint64) (history, transcript uint64) {
		history = Bubble(t, seed, func(t *testing.T, n *wire.Held, clock *wire.Clock) {
			r, strike := follow(t, n, clock)
			h := fnv.New64a()
			r.Seen = func(ev []venue.Event) {
				for i := range ev {
					fmt.Fprintln(h, ev[i])
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
		return history, transcript
	}
	arrived, seen := run(1)
	arrivedAgain, seenAgain := run(1)
	require.Equal(t, arrived, arrivedAgain, "one seed, one history of what arrived")
	require.Equal(t, seen, seenAgain, "one seed, one history of records")
}
