package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"oneprice/books/venue"
)

// wordDecoder decodes "alive" as a record, "book" as a snapshot of instrument 1, "bad" as damage, "other" as an unknown
// symbol, and ignores everything else.
type wordDecoder struct{ f Frames }

func (d *wordDecoder) Decode(recv venue.Nanos, msg []byte) ([]venue.Event, venue.Reason) {
	switch word, _, _ := strings.Cut(string(msg), " "); word {
	case "alive":
		ev := make([]venue.Event, 1)
		ev[0].SetAlive(1, 1, recv, 0)
		return ev, venue.OK
	case "book":
		d.f.Open(1, 1, venue.Snapshot, recv, 1)
		d.f.Close(0, venue.NoChecksum)
		return d.f.End(), venue.OK
	case "bad":
		return nil, venue.Malformed
	case "other":
		return nil, venue.UnknownSymbol
	}
	return nil, venue.Ignored
}

func (d *wordDecoder) Rest(recv venue.Nanos, _ string, body []byte) ([]venue.Event, venue.Reason) {
	return d.Decode(recv, body)
}

// basin is a sink that can be full. It keeps what it takes as words.
type basin struct {
	mu   sync.Mutex
	full bool
	got  []string
}

func (b *basin) Put(ev []venue.Event) venue.Reason {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.full {
		return venue.RingFull
	}
	for i := range ev {
		switch e := &ev[i]; e.Kind {
		case venue.Gap:
			b.got = append(b.got, fmt.Sprintf("gap %d %s", e.Inst, venue.Reason(e.W[0])))
		case venue.Alive:
			b.got = append(b.got, "alive")
		case venue.Head:
			b.got = append(b.got, "book")
		}
	}
	if ev[len(ev)-1].Flags&venue.Last == 0 {
		return venue.Malformed
	}
	return venue.OK
}

func (b *basin) fill(full bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.full = full
}

// words are what has arrived since the last call.
func (b *basin) words() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	got := b.got
	b.got = nil
	return got
}

// stage is a venue in virtual time: serve is called with each connection's number, from 1, and the connection closes when
// it returns. A connection that refuse has a status for is not upgraded.
type stage struct {
	clock  *Clock
	start  time.Time
	net    *Held
	addr   string
	serve  func(n int, c *websocket.Conn)
	refuse func(n int) int
	// retryAfter stands in the header of a refusal.
	retryAfter string

	mu    sync.Mutex
	tries []time.Duration
	said  []string // by clients, with the time
}

// onStage runs f in a bubble with a venue on a free held network, and takes everything down after it.
func onStage(t *testing.T, s *stage, f func(t *testing.T)) {
	synctest.Test(t, func(t *testing.T) {
		s.clock, s.start, s.net = NewClock(false), time.Now(), NewHeld()
		s.net.Free()
		l, err := s.net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		s.addr = l.Addr().String()
		srv := &http.Server{Handler: http.HandlerFunc(s.handle)}
		go srv.Serve(l)
		defer synctest.Wait()
		defer srv.Close()
		f(t)
	})
}

func (s *stage) handle(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.tries = append(s.tries, time.Since(s.start))
	n := len(s.tries)
	s.mu.Unlock()
	if s.refuse != nil {
		if status := s.refuse(n); status != 0 {
			if s.retryAfter != "" {
				w.Header().Set("Retry-After", s.retryAfter)
			}
			w.WriteHeader(status)
			return
		}
	}
	up := websocket.Upgrader{}
	c, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer c.Close()
	s.serve(n, c)
}

// hear notes what the client says until the connection ends.
func (s *stage) hear(c *websocket.Conn) {
	for {
		_, m, err := c.ReadMessage()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.said = append(s.said, fmt.Sprintf("%s at %v", m, time.Since(s.start)))
		s.mu.Unlock()
	}
}

func (s *stage) attempts() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]time.Duration(nil), s.tries...)
}

func say(t *testing.T, c *websocket.Conn, words ...string) {
	for _, w := range words {
		require.NoError(t, c.WriteMessage(websocket.TextMessage, []byte(w)))
	}
}

// config is a session's with limits that do not matter.
func (s *stage) config(out venue.Sink) SessionConfig {
	return SessionConfig{Name: "stage", Net: s.net, Clock: s.clock, URL: func() string { return "ws://" + s.addr + "/" },
		Silence: 10 * venue.Second, Dial: 5 * venue.Second, Write: venue.Second, MaxMessage: 1 << 20, Proven: 2 * venue.Second,
		Backoff: Backoff{Min: 100 * venue.Millisecond, Max: 4 * venue.Second}, Decoder: func() Decoder { return &wordDecoder{} },
		Sink: out, Venue: 1, Insts: []venue.Inst{1, 2}}
}

// live runs a session for a span and returns it when it has ended.
func (s *stage) live(t *testing.T, cfg SessionConfig, d time.Duration, during func(x *Session)) *Session {
	x := NewSession(cfg)
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- x.Run(ctx) }()
	if during != nil {
		during(x)
	}
	require.NoError(t, <-done)
	return x
}

var lostBoth = []string{"gap 1 connection_lost", "gap 2 connection_lost"}

func TestSession_comesBackAfterALossAndSaysWhatWasMissed(t *testing.T) {
	out := &basin{}
	s := &stage{}
	s.serve = func(n int, c *websocket.Conn) {
		say(t, c, "alive")
		if n > 1 {
			s.hear(c)
		}
	}
	onStage(t, s, func(t *testing.T) {
		x := s.live(t, s.config(out), 5*time.Second, nil)
		require.Equal(t, append(append([]string{"alive"}, lostBoth...), "alive"), out.words())
		at := s.attempts()
		require.Len(t, at, 2)
		require.InDelta(t, 75*time.Millisecond, at[1], float64(26*time.Millisecond), "after one backoff")
		require.EqualValues(t, 2, x.Counters().Connects.Load())
		require.EqualValues(t, 1, x.Counters().Losses.Load(), "our own end is none")
		require.ErrorContains(t, x.Fault(), "stage: read: transient: ")
	})
}

func TestSession_silenceIsALoss(t *testing.T) {
	out := &basin{}
	s := &stage{}
	s.serve = func(n int, c *websocket.Conn) {
		if n > 1 {
			s.hear(c)
			return
		}
		go s.hear(c)
		for range 6 { // pings are proof of life
			s.clock.Sleep(context.Background(), 8*venue.Second)
			require.NoError(t, c.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second)))
		}
		for range 3 { // so are messages
			s.clock.Sleep(context.Background(), 8*venue.Second)
			say(t, c, "alive")
		}
		for range 4 { // answers to ourselves are not
			s.clock.Sleep(context.Background(), 3*venue.Second)
			if c.WriteMessage(websocket.TextMessage, []byte("noise")) != nil {
				return
			}
		}
	}
	onStage(t, s, func(t *testing.T) {
		s.live(t, s.config(out), 85*time.Second, nil)
		require.Equal(t, append([]string{"alive", "alive", "alive"}, lostBoth...), out.words())
		at := s.attempts()
		require.Len(t, at, 2)
		require.InDelta(t, 82*time.Second, at[1], float64(150*time.Millisecond), "72 s of life, 10 s of silence")
	})
}

func TestSession_damageIsAGapAndNoReasonToLeave(t *testing.T) {
	out := &basin{}
	s := &stage{}
	s.serve = func(_ int, c *websocket.Conn) {
		say(t, c, "alive", "bad", "other", "noise", "alive")
		s.hear(c)
	}
	onStage(t, s, func(t *testing.T) {
		x := s.live(t, s.config(out), time.Second, nil)
		require.Equal(t, []string{"alive", "gap 1 malformed", "gap 2 malformed", "alive"}, out.words())
		require.EqualValues(t, 1, x.Counters().Damaged.Load())
		require.EqualValues(t, 1, x.Counters().Unknown.Load())
		require.EqualValues(t, 5, x.Counters().Messages.Load())
		require.Len(t, s.attempts(), 1)
	})
}

func TestSession_fullRingIsToldBeforeAnythingElse(t *testing.T) {
	out := &basin{}
	s := &stage{}
	onStage(t, s, func(t *testing.T) {
		step := make(chan string)
		s.serve = func(_ int, c *websocket.Conn) {
			for w := range step {
				say(t, c, w)
			}
		}
		x := s.live(t, s.config(out), time.Minute, func(x *Session) {
			send := func(w string) { step <- w; synctest.Wait() }
			send("alive")
			out.fill(true)
			send("alive")
			send("alive")
			require.Equal(t, []string{"alive"}, out.words())
			out.fill(false)
			send("alive")
			require.Equal(t, []string{"gap 1 ring_full", "gap 2 ring_full", "alive"}, out.words())
			send("alive")
			require.Equal(t, []string{"alive"}, out.words())
			out.fill(true)
			send("book") // a snapshot waits
			require.Empty(t, out.words())
			out.fill(false)
			s.clock.Sleep(context.Background(), venue.Millisecond)
			require.Equal(t, []string{"book"}, out.words())
			out.fill(true)
			send("bad") // even the gap finds no room
			out.fill(false)
			send("alive")
			require.Equal(t, []string{"gap 1 ring_full", "gap 2 ring_full", "alive"}, out.words())
			close(step)
		})
		require.EqualValues(t, 2, x.Counters().Dropped.Load())
	})
}

func TestSession_endsWhileASnapshotWaitsForRoom(t *testing.T) {
	out := &basin{full: true}
	s := &stage{}
	s.serve = func(_ int, c *websocket.Conn) {
		say(t, c, "book")
		s.hear(c)
	}
	onStage(t, s, func(t *testing.T) {
		s.live(t, s.config(out), time.Second, nil)
		require.Equal(t, time.Second, time.Since(s.start))
	})
}

func TestSession_speaksWithinTheVenuesAllowance(t *testing.T) {
	s := &stage{}
	s.serve = func(_ int, c *websocket.Conn) { s.hear(c) }
	onStage(t, s, func(t *testing.T) {
		cfg := s.config(&basin{})
		cfg.Hello = func() [][]byte { return [][]byte{[]byte("a"), []byte("b"), []byte("c"), []byte("d"), []byte("e")} }
		cfg.Ping, cfg.PingEvery = func() []byte { return []byte("ping") }, 3*venue.Second
		cfg.Messages = NewLimiter(s.clock, 2, venue.Second)
		x := s.live(t, cfg, 8500*time.Millisecond, func(x *Session) {
			require.True(t, x.Send([]byte("first")))
			s.clock.Sleep(context.Background(), 4*venue.Second)
			require.True(t, x.Send([]byte("x")))
		})
		require.Equal(t, "a at 0s b at 0s c at 1.000000001s d at 1.000000001s e at 2.000000002s first at 2.000000002s x at 4s ping at 5.000000002s ping at 8.000000002s",
			strings.Join(s.said, " "))
		require.EqualValues(t, 9, x.Counters().Sent.Load())
	})
}

func TestSession_sendNeverBlocks(t *testing.T) {
	s := &stage{refuse: func(int) int { return http.StatusServiceUnavailable }}
	onStage(t, s, func(t *testing.T) {
		x := NewSession(s.config(&basin{}))
		sent := 0
		for x.Send([]byte("x")) {
			sent++
		}
		require.Equal(t, 256, sent)
	})
}

func TestSession_stormStaysWithinTheBudgetOfConnections(t *testing.T) {
	s := &stage{refuse: func(int) int { return http.StatusServiceUnavailable }}
	onStage(t, s, func(t *testing.T) {
		cfg := s.config(&basin{})
		cfg.Backoff = Backoff{Min: 10 * venue.Millisecond, Max: 200 * venue.Millisecond}
		cfg.Attempts = NewLimiter(s.clock, 20, 60*venue.Second)
		s.live(t, cfg, 10*time.Minute, nil)
		at := s.attempts()
		for i := 20; i < len(at); i++ {
			require.Greater(t, at[i]-at[i-20], time.Minute)
		}
		require.Greater(t, len(at), 150, "the budget is used")
	})
}

func TestSession_onlyALifeProvesAConnection(t *testing.T) {
	hold := time.Duration(0)
	s := &stage{}
	s.refuse = func(n int) int {
		if n <= 8 {
			s.clock.Sleep(context.Background(), 3*venue.Second) // longer than Proven, but it never opens
			return http.StatusServiceUnavailable
		}
		return 0
	}
	s.serve = func(n int, c *websocket.Conn) {
		if n == 9 {
			s.clock.Sleep(context.Background(), venue.Nanos(hold))
		}
	}
	onStage(t, s, func(t *testing.T) {
		f := func(life, least, most time.Duration) {
			t.Helper()
			hold, s.start = life, time.Now()
			s.mu.Lock()
			s.tries = nil
			s.mu.Unlock()
			s.live(t, s.config(&basin{}), 70*time.Second, nil)
			at := s.attempts()
			require.GreaterOrEqual(t, at[9]-at[8]-life, least)
			require.LessOrEqual(t, at[9]-at[8]-life, most)
			require.Greater(t, at[8]-at[7], 5*time.Second, "3 s of trying and at least half of the greatest backoff")
		}
		f(time.Second, 2*time.Second-1, 4*time.Second)
		f(3*time.Second, 50*time.Millisecond-1, 100*time.Millisecond)
	})
}

func TestSession_tooManyRequestsClosesTheBudget(t *testing.T) {
	s := &stage{refuse: func(n int) int { return map[bool]int{true: http.StatusTooManyRequests}[n == 1] }}
	s.serve = func(_ int, c *websocket.Conn) { s.hear(c) }
	onStage(t, s, func(t *testing.T) {
		cfg := s.config(&basin{})
		cfg.Attempts = NewLimiter(s.clock, 100, venue.Second)
		s.live(t, cfg, 10*time.Second, nil)
		requireSecond(t, s.attempts(), 2*time.Second, 4*time.Second) // no word of how long: the greatest backoff
	})
	s = &stage{refuse: s.refuse, serve: s.serve, retryAfter: "30"}
	onStage(t, s, func(t *testing.T) {
		cfg := s.config(&basin{})
		cfg.Attempts = NewLimiter(s.clock, 100, venue.Second)
		s.live(t, cfg, 35*time.Second, nil)
		requireSecond(t, s.attempts(), 30*time.Second, 32*time.Second)
	})
}

// requireSecond requires two attempts, the second within bounds.
func requireSecond(t *testing.T, tries []time.Duration, from, to time.Duration) {
	t.Helper()
	require.GreaterOrEqual(t, len(tries), 2)
	require.GreaterOrEqual(t, tries[1], from)
	require.LessOrEqual(t, tries[1], to)
}

func TestSession_errorsSayWhatKindTheyAre(t *testing.T) {
	status := 0
	s := &stage{refuse: func(int) int { return status }}
	onStage(t, s, func(t *testing.T) {
		f := func(code int, want Kind) {
			t.Helper()
			status = code
			_, err := NewSession(s.config(&basin{})).dial(context.Background())
			var e *Error
			require.True(t, errors.As(err, &e))
			require.Equal(t, want, e.Kind)
			require.Contains(t, err.Error(), "stage: connect: ")
		}
		f(http.StatusTooManyRequests, RateLimited)
		f(http.StatusTeapot, RateLimited)
		f(http.StatusForbidden, Auth)
		f(http.StatusBadGateway, Transient)
		s.addr = "127.0.0.1:1"
		f(0, Transient)
	})
}

func TestSession_restartOpensAnotherConnection(t *testing.T) {
	out := &basin{}
	s := &stage{}
	s.serve = func(n int, c *websocket.Conn) {
		say(t, c, "alive")
		s.hear(c)
	}
	onStage(t, s, func(t *testing.T) {
		s.live(t, s.config(out), 5*time.Second, func(x *Session) {
			x.Restart() // nothing is open yet
			s.clock.Sleep(context.Background(), venue.Second)
			x.Restart()
		})
		require.Equal(t, append(append([]string{"alive"}, lostBoth...), "alive"), out.words())
	})
}

func TestSession_largestMessageIsBelievedAndNoLarger(t *testing.T) {
	out := &basin{}
	s := &stage{}
	s.serve = func(n int, c *websocket.Conn) {
		say(t, c, "alive "+strings.Repeat("x", 300<<10))
		if n == 1 {
			say(t, c, "alive "+strings.Repeat("x", 1<<20))
		}
		s.hear(c)
	}
	onStage(t, s, func(t *testing.T) {
		x := s.live(t, s.config(out), 3*time.Second, nil)
		require.Equal(t, append(append([]string{"alive"}, lostBoth...), "alive"), out.words())
		require.EqualValues(t, 2*(6+300<<10), x.Counters().Bytes.Load())
	})
}

func TestSession_slowMessageIsNoSilence(t *testing.T) {
	out := &basin{}
	s := &stage{}
	s.serve = func(n int, c *websocket.Conn) {
		w, err := c.NextWriter(websocket.TextMessage)
		require.NoError(t, err)
		fmt.Fprint(w, "alive ")
		for range 8 { // 480 kB in 40 s, with 10 s of silence allowed
			fmt.Fprint(w, strings.Repeat("x", 60<<10))
			s.clock.Sleep(context.Background(), 5*venue.Second)
		}
		if w.Close() == nil {
			s.hear(c)
		}
	}
	onStage(t, s, func(t *testing.T) {
		s.live(t, s.config(out), 45*time.Second, nil)
		require.Equal(t, []string{"alive"}, out.words())
	})
}

func TestSession_refusesToRunWithoutLimits(t *testing.T) {
	require.Error(t, NewSession(SessionConfig{Name: "x"}).Run(context.Background()))
}

func TestSession_unreachableVenueIsTriedAgain(t *testing.T) {
	out := &basin{}
	s := &stage{}
	s.serve = func(_ int, c *websocket.Conn) {
		say(t, c, "alive")
		s.hear(c)
	}
	onStage(t, s, func(t *testing.T) {
		cfg := s.config(out)
		cfg.Net = &blackhole{Held: s.net, until: s.start.Add(12 * time.Second)}
		x := s.live(t, cfg, 20*time.Second, nil)
		require.EqualValues(t, 1, x.Counters().Connects.Load())
		require.LessOrEqual(t, x.Counters().Attempts.Load(), uint64(4), "each takes the whole span of a dial")
		require.Equal(t, append(append(append(append([]string{}, lostBoth...), lostBoth...), lostBoth...), "alive"), out.words())
		require.ErrorContains(t, x.Fault(), "stage: connect: transient: ")
	})
}

// blackhole swallows connections until an instant.
type blackhole struct {
	*Held
	until time.Time
}

func (b *blackhole) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if time.Now().Before(b.until) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return b.Held.DialContext(ctx, network, address)
}
