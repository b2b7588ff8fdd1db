package app

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"oneprice/books"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// simulated runs the demo's venues until the test and its subtests have ended.
func simulated(t *testing.T) *Simulators { return withAccounts(t, nil) }

// withAccounts is simulated with accounts as a config has them.
func withAccounts(t *testing.T, c *Config) *Simulators {
	s, err := NewSimulators(Machine(), SimOptions{Seed: 3, Address: "127.0.0.1:0", Accounts: c})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-done)
	})
	return s
}

// logged is a log that a test reads.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// with are the lines that contain a text.
func (l *logged) with(text string) (out []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.b.String()) {
		if strings.Contains(line, text) {
			out = append(out, line)
		}
	}
	return out
}

func liveBooks(l *Live) (n int) {
	for i := range l.Newest.Books {
		if b := &l.Newest.Books[i]; b.State == books.Live && !b.Silent {
			n++
		}
	}
	return n
}

// trade runs the demo's config on paper until enough holds.
func trade(t *testing.T, e Edges, out *logged, change func(*LiveOptions), enough func(*Live) bool) *LiveResult {
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	held := false
	o := LiveOptions{Edges: e, Config: "demo", Out: t.TempDir(), Mode: "paper", Log: slog.New(slog.NewTextHandler(out, nil)), Status: func(l *Live) {
		if !held && enough(l) {
			held = true
			stop()
		}
	}}
	if change != nil {
		change(&o)
	}
	r, err := RunLive(ctx, o)
	require.NoError(t, err)
	require.True(t, held, "books not live: %v; log:\n%s", r.NotLive, out.b.String())
	require.True(t, r.AuditOK)
	require.Empty(t, r.OpenAtExit)
	return r
}

// door stands before a venue: closed, it ends every connection at its first words.
type door struct {
	net.Listener
	open atomic.Bool
}

func newDoor(t *testing.T, to string) *door {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	d := &door{Listener: ln}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go d.pass(c, to)
		}
	}()
	return d
}

func (d *door) pass(c net.Conn, to string) {
	defer c.Close()
	if !d.open.Load() {
		c.Read(make([]byte, 4096)) // what is unread when a connection closes would end it with a reset
		return
	}
	v, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer v.Close()
	go func() {
		io.Copy(v, c)
		v.Close()
	}()
	io.Copy(c, v)
}

// noSayer is a venue that says no to every request.
func noSayer(t *testing.T) string {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		for {
			if _, _, err := c.ReadMessage(); err != nil {
				return
			}
			if c.WriteMessage(websocket.TextMessage, []byte(`{"error":"Currency pair not supported BTC/USD","method":"subscribe","success":false}`)) != nil {
				return
			}
		}
	}))
	t.Cleanup(srv.Close)
	return strings.TrimPrefix(srv.URL, "http://")
}

// tlsVenue is a TLS server whose certificate is for 127.0.0.1 and example.com, by an authority that only the pool knows.
func tlsVenue(t *testing.T) (port string, pool *x509.CertPool) {
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	_, port, err := net.SplitHostPort(srv.Listener.Addr().String())
	require.NoError(t, err)
	pool = x509.NewCertPool()
	pool.AddCert(srv.Certificate())
	return port, pool
}

func TestLive_oneFaultyVenueStopsNothingElse(t *testing.T) {
	sims := simulated(t)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	nobody := closed.Addr().String()
	require.NoError(t, closed.Close())
	port, pool := tlsVenue(t)
	shut := newDoor(t, "")
	for name, c := range map[string]struct {
		ws   string
		tls  *tls.Config
		line string
	}{
		"unreachable":     {"ws://" + nobody, nil, "kraken: connect: transient: ws://" + nobody + ": dial tcp " + nobody + ": connect: connection refused"},
		"unknown signer":  {"wss://127.0.0.1:" + port, nil, "kraken: connect: refused: wss://127.0.0.1:" + port + ": tls: failed to verify certificate: x509: certificate signed by unknown authority"},
		"another's name":  {"wss://localhost:" + port, &tls.Config{RootCAs: pool}, "kraken: connect: refused: wss://localhost:" + port + ": tls: failed to verify certificate: x509: certificate is valid for example.com"},
		"closes at once":  {"ws://" + shut.Addr().String(), nil, "kraken: connect: transient: ws://" + shut.Addr().String() + ": unexpected EOF"},
		"refuses streams": {"ws://" + noSayer(t), nil, "kraken: subscribe: refused: Currency pair not supported BTC/USD"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := sims.Edges()
			e.TLS, e.WS["kraken"] = c.tls, c.ws
			out := &logged{}
			r := trade(t, e, out, nil, func(l *Live) bool { return liveBooks(l) == 4 && l.Newest.Counters.Approved > 0 })
			require.Equal(t, 4, r.BooksLive, "%v", r.NotLive)
			require.Contains(t, r.NotLive, "kraken:BTC/USD")
			require.Contains(t, r.NotLive, "kraken:ETH/USD")
			require.Len(t, out.with(`msg="`+c.line), 1, "%s", out.b.String())
			require.Len(t, out.with("kraken:BTC/USD has shown no price: its limits follow the price of another instrument of product BTC"), 1)
			require.Empty(t, r.Untraded)
		})
	}
}

func TestLive_aVenueThatReturnsIsFollowedAgain(t *testing.T) {
	t.Parallel()
	sims := simulated(t)
	e := sims.Edges()
	d := newDoor(t, strings.TrimPrefix(e.WS["kraken"], "ws://"))
	e.WS["kraken"] = "ws://" + d.Addr().String()
	r := trade(t, e, &logged{}, nil, func(l *Live) bool {
		d.open.Store(true) // the engine runs
		return liveBooks(l) == 6
	})
	require.Equal(t, 6, r.BooksLive, "%v", r.NotLive)
}

func TestLive_consoleWhosePortIsTakenIsDoneWithout(t *testing.T) {
	t.Parallel()
	sims := simulated(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	out := &logged{}
	r := trade(t, sims.Edges(), out, func(o *LiveOptions) { o.Metrics = ln.Addr().String() }, func(l *Live) bool { return liveBooks(l) == 6 })
	require.Equal(t, 6, r.BooksLive)
	require.Empty(t, r.Console)
	require.Len(t, out.with(`level=ERROR msg="the console cannot listen on `+ln.Addr().String()+`, which is in use; the engine runs without it; give another address with --metrics"`), 1)
}

func TestLive_nothingAtAllIsNoStart(t *testing.T) {
	t.Parallel()
	shut := newDoor(t, "")
	e := Machine()
	at := shut.Addr().String()
	e.WS = map[string]string{"binance": "ws://" + at, "coinbase": "ws://" + at, "kraken": "ws://" + at}
	e.REST = map[string]string{"binance": "http://" + at, "coinbase": "http://" + at, "kraken": "http://" + at}
	_, err := RunLive(context.Background(), LiveOptions{Edges: e, Config: "demo", Out: t.TempDir(), Mode: "paper"})
	require.ErrorContains(t, err, "no price came from any venue, so nothing can be traded")
	for _, v := range []string{"binance", "coinbase", "kraken"} {
		require.ErrorContains(t, err, v+": connect: transient: ws://"+at)
	}
}

func TestFirstLook_whatHasNoPriceAndNoSiblingTakesNoOrders(t *testing.T) {
	c, err := ReadConfig("demo", nil)
	require.NoError(t, err)
	f := func(prices ...FoundPrice) (*Assembly, *logged, error) {
		a, err := Assemble(c, &Facts{Prices: prices})
		require.NoError(t, err)
		out := &logged{}
		return a, out, a.missed(slog.New(slog.NewTextHandler(out, nil)))
	}
	a, out, err := f(FoundPrice{"kraken:BTC/USD", "60000"})
	require.NoError(t, err)
	require.Equal(t, []string{"binance:ETHUSDT", "coinbase:ETH-USD", "kraken:ETH/USD"}, a.Untraded)
	require.Len(t, out.with("has shown no price and no other instrument gives one for its limits: it takes no orders in this run"), 3)
	require.Len(t, out.with("has shown no price: its limits follow the price of another instrument of product BTC"), 2)
	_, _, err = f()
	require.ErrorContains(t, err, "nothing can be traded")
}

func TestFirstLook_takesTheBestBidOfAWholeSnapshot(t *testing.T) {
	k := &look{assembler: &assembler{Assembly: &Assembly{Table: NewTable()}}, seen: make([]bool, 3), bid: make([]fixed.Price, 3)}
	k.Instruments = []*venue.Instrument{nil, {Name: "a:X", Inst: 1, PriceScale: 2}, {Name: "a:Y", Inst: 2}}
	var f wire.Frames
	say := func(in venue.Inst, flags uint8, levels ...fixed.Price) {
		f.Open(1, in, flags, 1, 1)
		f.Level(venue.Asks, 1100, 1)
		for _, p := range levels {
			f.Level(venue.Bids, p, 1)
		}
		f.Close(0, venue.NoChecksum)
	}
	say(1, 0, 999) // a delta that came first
	say(1, venue.Snapshot|venue.Part, 900, 901)
	say(1, venue.Snapshot, 1, 1000, 2)
	say(2, venue.Snapshot) // no bids
	k.take(f.End())
	require.Equal(t, []FoundPrice{{"a:X", "10"}}, k.found.Prices)
	require.Equal(t, []bool{false, true, false}, k.seen)
}
