package wiretest

import (
	"context"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// Storm is a venue that lets nobody stay, for an hour of virtual time.
type Storm struct {
	Adapter     wire.Adapter
	Instruments []*venue.Instrument
	// Most is how many connections an address may make in Span before the venue turns it away; Ours how many a feed allows
	// itself beside the order side.
	Most, Ours int
	Span       time.Duration
	// Proven is a life after which a connection counts as proved, so that the next comes soonest.
	Proven time.Duration
}

const (
	stormSpan = time.Hour
	// longest is how late an attempt may come that the budget permits; a second is left of the five for the book to come.
	longest = 4*time.Second + time.Millisecond
)

// attempt is one connection: when it was dialled, and when the feed was rid of it.
type attempt struct{ at, ended time.Duration }

// Test tries every way of not being let in, and requires that the limit holds in every window, that attempts are spread at
// random, and that none comes later than the budget, or four seconds, asks for.
func (s Storm) Test(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"refused":           nil,
		"cut at once":       func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"not served":        func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		"told to wait":      func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) },
		"cut once upgraded": upgraded(0),
		"cut once proved":   upgraded(s.Proven),
	} {
		t.Run(name, func(t *testing.T) {
			one, other := s.attempts(t, 1, answer), s.attempts(t, 2, answer)
			s.judge(t, one)
			s.judge(t, other)
			moments, same := map[time.Duration]bool{}, 0
			for _, a := range one {
				moments[a.at] = true
			}
			for _, a := range other {
				if moments[a.at] {
					same++
				}
			}
			require.Less(t, same, len(other)/10+2, "two clients come at the same moments")
		})
	}
}

// upgraded serves a websocket that lives for a span and says nothing.
func upgraded(life time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		up := websocket.Upgrader{}
		if c, err := up.Upgrade(w, r, nil); err == nil {
			<-time.After(life)
			c.Close()
		}
	}
}

// attempts lets a feed try for the whole storm.
func (s Storm) attempts(t *testing.T, seed uint64, answer http.HandlerFunc) (out []*attempt) {
	synctest.Test(t, func(t *testing.T) {
		n := &logged{Held: wire.NewHeld(), start: time.Now(), address: "127.0.0.1:9"}
		n.Free()
		if answer != nil {
			l, err := n.Listen("tcp", n.address)
			require.NoError(t, err)
			srv := &http.Server{Handler: answer}
			go srv.Serve(l)
			defer func() {
				srv.Close()
				<-time.After(s.Proven) // the last handler
			}()
		}
		feed, err := s.Adapter.Feed(wire.FeedConfig{Venue: Venue, Instruments: s.Instruments, Net: n, Clock: wire.NewClock(false), WS: "ws://" + n.address,
			REST: "http://127.0.0.1:10", Snapshots: discard{}, Touches: true, Trades: true, Seed: seed})
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), stormSpan)
		defer cancel()
		require.NoError(t, feed.Run(ctx, discard{}))
		out = n.all
	})
	return out
}

// judge holds the attempts of one feed against the venue's limit and ours.
func (s Storm) judge(t *testing.T, all []*attempt) {
	budget, pace := int(stormSpan/s.Span)*s.Ours, int(stormSpan/(longest+s.Proven))
	require.GreaterOrEqual(t, len(all), min(budget, pace), "the feed goes on trying")
	waits, from := map[time.Duration]bool{}, 0
	for i, a := range all {
		for all[from].at+s.Span <= a.at {
			from++
		}
		require.LessOrEqual(t, i-from+1, s.Ours, "connections in %v until %v; the venue allows %d", s.Span, a.at, s.Most)
		if i == 0 {
			continue
		}
		wait := a.at - all[i-1].ended
		waits[wait] = true
		full := i >= s.Ours && a.at-all[i-s.Ours].at < s.Span+10*time.Millisecond
		require.True(t, wait <= longest || full, "waited %v before %v though the budget had room", wait, a.at)
	}
	require.Less(t, s.Ours, s.Most, "something is left for others")
	require.Greater(t, len(waits), len(all)*3/4, "waits are spread")
}

// logged is a network that notes the connections to one address. One feed dials it, one at a time.
type logged struct {
	*wire.Held
	address string
	start   time.Time
	all     []*attempt
}

func (n *logged) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if address != n.address {
		return n.Held.DialContext(ctx, network, address)
	}
	a := &attempt{at: time.Since(n.start)}
	n.all = append(n.all, a)
	conn, err := n.Held.DialContext(ctx, network, address)
	if err != nil {
		a.ended = a.at
		return nil, err
	}
	end := sync.OnceFunc(func() { a.ended = time.Since(n.start) })
	return &loggedConn{conn, end}, nil
}

type loggedConn struct {
	net.Conn
	end func()
}

func (c *loggedConn) Close() error {
	c.end()
	return c.Conn.Close()
}

// discard takes everything.
type discard struct{}

func (discard) Put([]venue.Event) venue.Reason { return venue.OK }
