package console

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/venue"
	"oneprice/engine"
	"oneprice/risk/ledger"
)

// serve runs a console over a status that may be absent, and returns a getter.
func serve(t *testing.T, st *engine.Status, ready string) func(path string) (int, string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := New(Config{Listener: ln, Status: func(dst *engine.Status) bool {
		if st == nil {
			return false
		}
		*dst = *st
		return true
	}, Instruments: []*venue.Instrument{nil, {Name: "a:X", QtyScale: 2}}, Currencies: []string{"", "USD"}, Reporting: 1,
		Ready: func() string { return ready }, More: func(w io.Writer) { io.WriteString(w, "oneprice_more 1\n") }})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	return func(path string) (int, string) {
		r, err := http.Get("http://" + ln.Addr().String() + path)
		require.NoError(t, err)
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		return r.StatusCode, string(b)
	}
}

func TestConsole_showsOneInstantOfTheEngine(t *testing.T) {
	st := &engine.Status{Worth: ledger.Worth{PnL: -123456789}, Positions: make([]desk.Position, 2), Working: make([]desk.Working, 2), Books: make([]engine.BookStatus, 2)}
	st.Counters.Events, st.Counters.Refused[venue.Slippage] = 7, 3
	st.Positions[1].Qty, st.Books[1].State = 150, books.Live
	get := serve(t, st, "")
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
	get := serve(t, nil, "binance:BTCUSDT is stale")
	code, _ := get("/healthz")
	require.Equal(t, 503, code)
	code, text := get("/readyz")
	require.Equal(t, 503, code)
	require.Contains(t, text, "binance:BTCUSDT is stale")
}
