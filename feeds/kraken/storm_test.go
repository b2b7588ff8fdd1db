package kraken_test

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"oneprice/books/venue"
	"oneprice/feeds/kraken"
	"oneprice/feeds/kraken/krakensim"
	"oneprice/feeds/venuesim"
	"oneprice/feeds/wire"
)

// cutting is a network whose connections live for a span only. It notes when each was dialled.
type cutting struct {
	*wire.Held
	life  time.Duration
	start time.Time
	at    []time.Duration
}

func (c *cutting) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c.at = append(c.at, time.Since(c.start))
	conn, err := c.Held.DialContext(ctx, network, address)
	if err == nil {
		time.AfterFunc(c.life, func() { conn.Close() })
	}
	return conn, err
}

// discard takes everything.
type discard struct{}

func (discard) Put([]venue.Event) venue.Reason { return venue.OK }

func TestFeed_keepsTheBudgetOfConnectionsInAStorm(t *testing.T) {
	for name, c := range map[string]struct {
		life, span time.Duration
		least      int // the feed goes on trying
	}{"cut at once": {0, 200 * time.Second, 20}, "cut once proven": {2100 * time.Millisecond, 700 * time.Second, 150}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &cutting{Held: wire.NewHeld(), life: c.life, start: time.Now()}
				n.Free()
				clock := wire.NewClock(true)
				sim, err := krakensim.New(krakensim.Config{Net: n.Held, Clock: clock, Faults: venuesim.NewFaults(1, venuesim.Rates{}), Address: "127.0.0.1:0"})
				require.NoError(t, err)
				feed, err := kraken.Adapter.Feed(wire.FeedConfig{Venue: 4, Instruments: instruments(), Net: n, Clock: clock, WS: "ws://" + sim.Addr(), Seed: 7})
				require.NoError(t, err)
				ctx, cancel := context.WithTimeout(t.Context(), c.span)
				defer cancel()
				ended := make(chan error, 2)
				go func() { ended <- sim.Run(ctx) }()
				go func() { ended <- feed.Run(ctx, discard{}) }()
				require.NoError(t, <-ended)
				require.NoError(t, <-ended)
				require.Zero(t, sim.Counters().Connections.Load(), "the venue would have banned us")
				for i, from := range n.at {
					in := 0
					for _, at := range n.at[i:] {
						if at < from+600*time.Second {
							in++
						}
					}
					require.LessOrEqual(t, in, 120, "connections in 600 s from %s", from)
				}
				require.Greater(t, len(n.at), c.least)
			})
		})
	}
}
