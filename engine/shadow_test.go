package engine

import (
	"context"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/venue"
)

type handClock struct{ now venue.Nanos }

func (c *handClock) Now() venue.Nanos { return c.now }

func TestShadow_playsOnceInEverySoOften(t *testing.T) {
	c := &handClock{now: 1}
	n := 0
	s := NewShadow(c, 5, func() { n++ })
	for range 3 {
		s.Idle()
	}
	require.Equal(t, 1, n)
	c.now = 5
	s.Idle()
	require.Equal(t, 1, n)
	c.now = 6
	s.Idle()
	require.Equal(t, 2, n)
	require.EqualValues(t, 2, s.Plays())
}

func TestLoop_spinningPlaysItsShadowBetweenTwoLooksForWork(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	var r *rig
	plays := 0
	shadow := NewShadow(&handClock{now: 1}, 0, func() {
		require.Zero(t, r.ring.Len(), "a record waited for more than one play")
		require.EqualValues(t, plays, r.e.Counters().Steps)
		if plays++; plays == 100 {
			stop()
		}
		r.put(words("book", "a:X", "seq", strconv.Itoa(plays), "bid", "1000@50", "ask", "1001@40")) // in the midst of a play
	})
	r = newRig(t, func(c *LoopConfig) { c.Policy, c.Shadow = Spin, shadow })
	require.NoError(t, r.loop.Run(ctx))
	require.EqualValues(t, 100, r.e.Counters().Steps)
}
