package console

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/venue"
	"oneprice/engine"
	"oneprice/risk/ledger"
)

// serve runs a console and returns it, its address and a getter.
func serve(t *testing.T) (s *Server, addr string, get func(path string) (int, string)) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s = New(Config{Listener: ln})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	return s, ln.Addr().String(), func(path string) (int, string) {
		r, err := http.Get("http://" + ln.Addr().String() + path)
		require.NoError(t, err)
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		return r.StatusCode, string(b)
	}
}

// clock is a clock that a test sets.
type clock struct{ atomic.Int64 }

func (c *clock) Now() venue.Nanos { return venue.Nanos(c.Load()) }

// view shows a status that may be absent.
func view(st *engine.Status) View {
	return View{Status: func(dst *engine.Status) bool {
		if st == nil {
			return false
		}
		*dst = *st
		return true
	}, Clock: &clock{}, Instruments: []*venue.Instrument{nil, {Name: "a:X", QtyScale: 2}}, Currencies: []string{"", "USD"}, Reporting: 1,
		More: func(w io.Writer) { io.WriteString(w, "oneprice_more 1\n") }}
}

// status is that of an engine with one Live book.
func status() *engine.Status {
	st := &engine.Status{Now: 1, Worth: ledger.Worth{PnL: -123456789}, Positions: make([]desk.Position, 2), Working: make([]desk.Working, 2), Books: make([]engine.BookStatus, 2)}
	st.Books[1].State = books.Live
	return st
}

func TestConsole_showsOneInstantOfTheEngine(t *testing.T) {
	st := status()
	st.Counters.Events, st.Counters.Refused[venue.Slippage], st.Positions[1].Qty = 7, 3, 150
	s, _, get := serve(t)
	s.Show(view(st))
	code, text := get("/metrics")
	require.Equal(t, 200, code)
	for _, want := range []string{"oneprice_events_total 7", `oneprice_refused_total{reason="slippage"} 3`, `oneprice_pnl{currency="USD"} -1.23456789`,
		`oneprice_position{instrument="a:X"} 1.5`, `oneprice_book_live{instrument="a:X"} 1`, "oneprice_more 1", "process_cpu_seconds_total"} {
		require.Contains(t, text, want)
	}
	code, _ = get("/healthz")
	require.Equal(t, 200, code)
	code, _ = get("/readyz")
	require.Equal(t, 200, code)
	code, _ = get("/debug/pprof/")
	require.Equal(t, 404, code, "pprof only on demand")
}

func TestConsole_saysWhatIsMissing(t *testing.T) {
	s, _, get := serve(t)
	f := func(path string, code int, want string) {
		t.Helper()
		got, text := get(path)
		require.Equal(t, code, got)
		require.Contains(t, text, want)
	}
	f("/healthz", 200, "ok")
	f("/readyz", 503, "looking for first prices")
	for _, st := range []*engine.Status{nil, status()} {
		v, now := view(st), &clock{}
		v.Clock = now
		s.Show(v)
		f("/healthz", 200, "ok")
		now.Store(int64(4 * venue.Second))
		f("/healthz", 503, "the engine has not stepped for 4s")
		f("/readyz", 503, "the engine has not stepped for 4s")
	}
	s.Show(view(nil))
	f("/readyz", 503, "the engine has not stepped yet")
	st := status()
	st.Books[1].Silent, st.Books[1].Age = true, 2500*venue.Millisecond
	s.Show(view(st))
	f("/healthz", 200, "ok")
	f("/readyz", 503, "a:X is silent for 2.5s")
	st = status()
	st.Books[1].State, st.Books[1].Why = books.Stale, venue.ConnectionLost
	v := view(st)
	v.Ready = func() string { return "the tape is broken off" }
	s.Show(v)
	f("/readyz", 503, "a:X is stale (connection_lost); the tape is broken off")
}

func TestConsole_aClientThatDoesNotReadHoldsNobodyUp(t *testing.T) {
	s, addr, get := serve(t)
	v := view(status())
	asked := make(chan struct{}, 2)
	v.More = func(w io.Writer) {
		io.WriteString(w, strings.Repeat("# filling\n", 1<<21)) // more than the sockets between us hold
		asked <- struct{}{}
	}
	s.Show(v)
	c, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer c.Close()
	_, err = io.WriteString(c, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	<-asked
	code, _ := get("/readyz")
	require.Equal(t, 200, code)
	code, _ = get("/metrics")
	require.Equal(t, 200, code)
}
