package engine

import (
	"context"
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

func TestLoop_spinningPlaysItsShadowWhileIdle(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	l := NewLoop(LoopConfig{Policy: Spin, Clock: &handClock{}, Shadow: NewShadow(&handClock{now: 1}, 0, stop)})
	require.NoError(t, l.Run(ctx))
	require.ErrorIs(t, ctx.Err(), context.Canceled)
}
