package wire

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"oneprice/books/venue"
)

// bubble runs f in virtual time with a clock and the elapsed span.
func bubble(t *testing.T, f func(t *testing.T, c *Clock, elapsed func() time.Duration)) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		f(t, NewClock(false), func() time.Duration { return time.Since(start) })
	})
}

func TestLimiter_neverLetsMoreThroughInAnySpan(t *testing.T) {
	bubble(t, func(t *testing.T, c *Clock, elapsed func() time.Duration) {
		l := NewLimiter(c, 5, venue.Second)
		var at []time.Duration
		for range 23 {
			require.NoError(t, l.Wait(context.Background(), c, 1))
			at = append(at, elapsed())
			c.Sleep(context.Background(), 30*venue.Millisecond)
		}
		for i := 5; i < len(at); i++ {
			require.Greater(t, at[i]-at[i-5], time.Second, "six within a span, from number %d", i-5)
		}
		require.Less(t, at[22], 5*time.Second, "and does not dawdle")
	})
}

func TestLimiter_saysWhenToAskAgain(t *testing.T) {
	bubble(t, func(t *testing.T, c *Clock, elapsed func() time.Duration) {
		l := NewLimiter(c, 10, venue.Second)
		f := func(cost int64, ok bool, wait venue.Nanos) {
			t.Helper()
			w, got := l.Try(cost)
			require.Equal(t, ok, got)
			require.Equal(t, wait, w)
		}
		f(6, true, 0)
		c.Sleep(context.Background(), 400*venue.Millisecond)
		f(4, true, 0)
		f(1, false, 600*venue.Millisecond+1)
		f(7, false, venue.Second+1) // both must go
		c.Sleep(context.Background(), 600*venue.Millisecond)
		f(6, true, 0)
		f(1, false, 400*venue.Millisecond+1)
		c.Sleep(context.Background(), venue.Second)
		f(25, true, 0) // more than is ever allowed passes alone
		f(1, false, venue.Second+1)
	})
}

func TestLimiter_believesTheVenueOverItself(t *testing.T) {
	bubble(t, func(t *testing.T, c *Clock, elapsed func() time.Duration) {
		l := NewLimiter(c, 100, 60*venue.Second)
		f := func(cost int64, want bool) {
			t.Helper()
			_, ok := l.Try(cost)
			require.Equal(t, want, ok)
		}
		f(10, true)
		l.Stated(95) // somebody else spends from the same address
		f(6, false)
		f(5, true)
		l.Stated(3) // a new window there: ours has not ended
		f(1, false)
		c.Sleep(context.Background(), 60*venue.Second)
		f(100, true)
	})
}

func TestLimiter_isClosedAsLongAsTheVenueSays(t *testing.T) {
	bubble(t, func(t *testing.T, c *Clock, elapsed func() time.Duration) {
		l := NewLimiter(c, 100, venue.Second)
		l.Close(120 * venue.Second)
		l.Close(3 * venue.Second) // a later, shorter word does not open it
		require.NoError(t, l.Wait(context.Background(), c, 1))
		require.Equal(t, 120*time.Second, elapsed())
		require.Equal(t, 120*venue.Second, l.Until()-venue.Nanos(c.utc))
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		l.Close(5 * venue.Second)
		require.ErrorIs(t, l.Wait(ctx, c, 1), context.DeadlineExceeded)
		require.Equal(t, 121*time.Second, elapsed())
	})
}

func TestLimiter_manyWaitersShareOneAllowance(t *testing.T) {
	bubble(t, func(t *testing.T, c *Clock, elapsed func() time.Duration) {
		l := NewLimiter(c, 3, venue.Second)
		done := make(chan time.Duration, 12)
		for range 12 {
			go func() {
				if l.Wait(context.Background(), c, 1) == nil {
					done <- elapsed()
				}
			}()
		}
		var at []time.Duration
		for range 12 {
			at = append(at, <-done)
		}
		for i := 3; i < len(at); i++ {
			require.Greater(t, at[i]-at[i-3], time.Second)
		}
		require.Less(t, at[11], 4*time.Second)
	})
}

func TestBackoff_doublesUpToItsMaximumWithJitter(t *testing.T) {
	b := Backoff{Min: 100 * venue.Millisecond, Max: 5 * venue.Second}
	b.Seed(7)
	want := b.Min
	differ := map[venue.Nanos]bool{}
	for range 40 {
		d := b.Next()
		require.LessOrEqual(t, d, want)
		require.GreaterOrEqual(t, d, want-want/2-1)
		differ[d] = true
		want = min(2*want, b.Max)
	}
	require.Greater(t, len(differ), 30, "waits differ")
	b.Reset()
	require.LessOrEqual(t, b.Next(), b.Min)
	other := Backoff{Min: b.Min, Max: b.Max}
	other.Seed(8)
	b.Reset()
	require.NotEqual(t, b.Next(), other.Next(), "two clients do not return at once")
	long := Backoff{Min: venue.Second, Max: 1 << 62}
	for range 200 {
		require.Positive(t, long.Next(), "no shift runs over")
	}
}
