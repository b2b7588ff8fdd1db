package wire

import (
	"context"
	"fmt"
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

// bookDecoder decodes "book 1 2" as a snapshot of instruments 1 and 2, and ignores everything else.
type bookDecoder struct{}

func (bookDecoder) Decode(recv venue.Nanos, msg []byte) ([]venue.Event, venue.Reason) {
	var f Frames
	words := strings.Fields(string(msg))
	if len(words) < 2 || words[0] != "book" {
		return nil, venue.Ignored
	}
	for _, w := range words[1:] {
		f.Open(1, venue.Inst(w[0]-'0'), venue.Snapshot, recv, 1)
		f.Close(0, venue.NoChecksum)
	}
	return f.End(), venue.OK
}

func (bookDecoder) Rest(venue.Nanos, string, []byte) ([]venue.Event, venue.Reason) {
	return nil, venue.Ignored
}

// discard takes everything.
type discard struct{}

func (discard) Put([]venue.Event) venue.Reason { return venue.OK }

// clerk is a venue of one connection: it notes what it is asked and when, and says what the test tells it to.
type clerk struct {
	mu   sync.Mutex
	conn *websocket.Conn
	log  []string
}

func (d *clerk) serve(w http.ResponseWriter, r *http.Request, start time.Time) {
	up := websocket.Upgrader{}
	c, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer c.Close()
	d.mu.Lock()
	d.conn = c
	d.mu.Unlock()
	for {
		_, m, err := c.ReadMessage()
		if err != nil {
			return
		}
		d.mu.Lock()
		d.log = append(d.log, fmt.Sprintf("%s %s", time.Since(start).Round(time.Millisecond), m))
		d.mu.Unlock()
	}
}

func (d *clerk) say(text string) error {
	return d.conn.WriteMessage(websocket.TextMessage, []byte(text))
}

// heard takes the log.
func (d *clerk) heard() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.log
	d.log = nil
	return l
}

// asking runs a session with Resyncs of three instruments against a clerk, in virtual time.
func asking(t *testing.T, test func(d *clerk, s *Session, r *Resyncs)) {
	synctest.Test(t, func(t *testing.T) {
		h, clock, start := NewHeld(), NewClock(false), time.Now()
		h.Free()
		l, err := h.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		d := &clerk{}
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { d.serve(w, r, start) })}
		go srv.Serve(l)
		ids := []venue.Inst{1, 2, 3}
		r := NewResyncs(ResyncsConfig{Clock: clock, Insts: ids, Gap: 300 * venue.Millisecond, Again: 2 * venue.Second,
			Ask: func(in []venue.Inst) [][]byte { return [][]byte{fmt.Append(nil, "ask ", in)} }})
		s := NewSession(SessionConfig{Name: "clerk", Net: h, Clock: clock, URL: func() string { return "ws://" + l.Addr().String() },
			Hello:   func() [][]byte { return [][]byte{[]byte("hello")} },
			Silence: 3600 * venue.Second, Dial: venue.Second, Write: venue.Second, MaxMessage: 1 << 20, Backoff: Backoff{Min: venue.Second, Max: venue.Second},
			Decoder: func() Decoder { return bookDecoder{} }, Insts: ids, Opened: r.Opened})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.Run(ctx, s, discard{}) }()
		synctest.Wait()
		test(d, s, r)
		cancel()
		require.NoError(t, <-ended)
		srv.Close()
	})
}

// after lets virtual time pass.
func after(span time.Duration) {
	<-time.After(span)
	synctest.Wait()
}

func TestResyncs_askAgainUntilTheBookComes(t *testing.T) {
	asking(t, func(d *clerk, _ *Session, r *Resyncs) {
		require.NoError(t, d.say("book 1 3"))
		after(4500 * time.Millisecond)
		require.Equal(t, []string{"0s hello", "2s ask [2]", "4s ask [2]"}, d.heard())
		require.NoError(t, d.say("book 2"))
		after(10 * time.Second)
		require.Empty(t, d.heard(), "everything has come")
		require.EqualValues(t, 2, r.Counters().Asked.Load())
		require.EqualValues(t, 2, r.Counters().Again.Load())
	})
}

func TestResyncs_askOnceForWhatIsWantedOften(t *testing.T) {
	asking(t, func(d *clerk, _ *Session, r *Resyncs) {
		require.NoError(t, d.say("book 1 2 3"))
		after(time.Second)
		for range 5 {
			r.Resync(3)
			r.Resync(3)
			r.Resync(9) // of another connection
			after(10 * time.Millisecond)
		}
		r.Resync(1)
		r.Resync(2)
		after(900 * time.Millisecond)
		require.Equal(t, []string{"0s hello", "1s ask [3]", "1.3s ask [1 2]"}, d.heard(), "the gap gathers what is wanted meanwhile")
		require.NoError(t, d.say("book 1 2 3"))
		after(10 * time.Second)
		require.Empty(t, d.heard())
		require.Zero(t, r.Counters().Again.Load())
	})
}

func TestResyncs_waitForANewConnection(t *testing.T) {
	asking(t, func(d *clerk, s *Session, r *Resyncs) {
		require.NoError(t, d.say("book 1 2 3"))
		after(time.Second)
		d.heard()
		s.Restart()
		synctest.Wait()
		r.Resync(1)
		after(2500 * time.Millisecond) // the backoff is between half a second and one
		l := d.heard()
		require.Len(t, l, 1, "%v", l)
		require.Contains(t, l[0], "hello", "which asks for everything")
		require.NoError(t, d.say("book 2"))
		after(2 * time.Second)
		l = d.heard()
		require.NotEmpty(t, l)
		require.Contains(t, l[0], "ask [1 3]", "of the new connection only one book came")
	})
}

func TestSession_ourOwnAnswersAreNoLife(t *testing.T) {
	asking(t, func(d *clerk, s *Session, _ *Resyncs) {
		s.cfg.Silence = 3 * venue.Second // from the next connection on
		s.Restart()
		after(1500 * time.Millisecond)
		for range 4 {
			require.NoError(t, d.say("book 1"))
			after(2 * time.Second)
		}
		require.EqualValues(t, 1, s.Counters().Losses.Load(), "books are life")
		for range 2 {
			require.NoError(t, d.say("pong"))
			after(700 * time.Millisecond)
		}
		require.EqualValues(t, 2, s.Counters().Losses.Load(), "answers are not")
	})
}
