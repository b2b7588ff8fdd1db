package venue_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/venue"
)

func TestKill_closesEachGateByItself(t *testing.T) {
	var k venue.Kill
	c := venue.Command{Op: venue.New, Venue: 2, Strategy: 3}
	other := venue.Command{Op: venue.Amend, Venue: 1, Strategy: 1}
	blocks := func(mine, others bool) {
		t.Helper()
		require.Equal(t, mine, k.Blocks(&c))
		require.Equal(t, others, k.Blocks(&other))
	}
	blocks(false, false)
	k.Venue(2, true)
	k.Venue(2, true) // once more changes nothing
	blocks(true, false)
	k.Strategy(3, true)
	k.Venue(2, false)
	blocks(true, false)
	k.Set()
	require.True(t, k.On())
	blocks(true, true)
	k.Strategy(3, false)
	k.Strategy(3, false)
	blocks(true, true)
	for _, op := range []venue.Op{venue.Cancel, venue.CancelAll} {
		require.False(t, k.Blocks(&venue.Command{Op: op}), "cancels leave whatever is killed")
	}
	require.False(t, k.Blocks(nil))
	k.Lift()
	blocks(false, false)
	require.False(t, k.On())
}

// Whatever others open and close meanwhile, who has closed a gate sees it closed.
func TestKill_isClosedForWhoClosedIt(t *testing.T) {
	var k venue.Kill
	var wg sync.WaitGroup
	for v := range venue.ID(8) {
		wg.Go(func() {
			c := venue.Command{Op: venue.New, Venue: v}
			for range 2000 {
				k.Venue(v, true)
				require.True(t, k.Blocks(&c))
				k.Venue(v, false)
				require.False(t, k.Blocks(&c))
			}
		})
	}
	wg.Wait()
}
