package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"oneprice/bench/market"
	"oneprice/bench/pair"
	"oneprice/books/venue"
	"oneprice/engine/stats"
	"oneprice/feeds/binance"
	"oneprice/feeds/wire"
)

// server is the venue's end: two websockets of a client each, one for market data and one for orders.
type server struct {
	address string
	conns   chan net.Conn
	buf     []byte
}

func newServer(t testing.TB) *server {
	s := &server{conns: make(chan net.Conn, 1), buf: make([]byte, 64<<10)}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.address = "ws://" + ln.Addr().String() + "/"
	up := websocket.Upgrader{}
	h := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ws, err := up.Upgrade(w, r, nil); err == nil {
			s.conns <- ws.NetConn()
		}
	})}
	served := make(chan error, 1)
	go func() { served <- h.Serve(ln) }()
	t.Cleanup(func() {
		h.Close()
		require.ErrorIs(t, <-served, http.ErrServerClosed)
	})
	return s
}

// framed is a message as the server sends it.
func framed(dst, msg []byte) []byte {
	dst = append(dst, 0x80|websocket.TextMessage, 126, 0, 0)
	binary.BigEndian.PutUint16(dst[2:], uint16(len(msg)))
	return append(dst, msg...)
}

// turn lets one client at a time run: whose turn it is not, is parked where it would spin.
type turn struct {
	on   atomic.Bool
	wake chan struct{}
	once sync.Once
}

func newTurn() *turn { return &turn{wake: make(chan struct{}, 1)} }

func (t *turn) begin() {
	t.on.Store(true)
	select {
	case t.wake <- struct{}{}:
	default: // it is awake, or will be
	}
}

func (t *turn) end() { t.on.Store(false) }

// pin keeps this goroutine on a thread of its own and that on one processor, as the product's loops are: two spinning
// threads that share a processor answer after a slice of the kernel's. It tells where the thread might run before.
func pin(processor int) (before unix.CPUSet) {
	runtime.LockOSThread()
	mustDo(unix.SchedGetaffinity(0, &before))
	if one := (unix.CPUSet{}); runtime.NumCPU() > 1 {
		for k, seen := 0, 0; k < 1024; k++ {
			if before.IsSet(k) {
				if seen == processor {
					one.Set(k)
				}
				seen++
			}
		}
		mustDo(unix.SchedSetaffinity(0, &one))
	}
	return before
}

// idle is what a spinning connection does between empty reads.
func (t *turn) idle() {
	t.once.Do(func() { pin(1) })
	for !t.on.Load() {
		<-t.wake
	}
}

// spinNet is a network whose connections spin by the product's own means, while it is their turn.
type spinNet struct {
	wire.Machine
	turn *turn
}

func (n *spinNet) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := n.Machine.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return wire.Spinning(c, n.turn.idle)
}

// client is one way to answer market data with an order.
type client struct {
	name         string
	turn         *turn
	next         func() []byte // the following message
	feed, orders net.Conn      // the server's ends
	frame        []byte
	stopped      chan struct{} // closed when its goroutines are gone
}

// join connects the order socket and gives back the client's end of it.
func (c *client) join(t testing.TB, s *server) *websocket.Conn {
	ws, _, err := websocket.DefaultDialer.Dial(s.address, nil)
	require.NoError(t, err)
	c.orders = spinning(t, <-s.conns)
	return ws
}

func spinning(t testing.TB, c net.Conn) net.Conn {
	s, err := wire.Spinning(c, nil)
	require.NoError(t, err)
	return s
}

// ask sends one message and returns when the whole order is there, in nanoseconds.
func (c *client) ask(buf []byte) (took int64, order []byte, err error) {
	c.frame = framed(c.frame[:0], c.next())
	from := stats.Nanotime()
	if _, err := c.feed.Write(c.frame); err != nil {
		return 0, nil, err
	}
	n, need := 0, 8 // a head with a length of two bytes, and the mask
	for n < need {
		k, err := c.orders.Read(buf[n:])
		if err != nil {
			return 0, nil, err
		}
		if n += k; n >= 8 {
			need = 8 + int(binary.BigEndian.Uint16(buf[2:]))
		}
	}
	took = stats.Nanotime() - from
	for i := 8; i < need; i++ {
		buf[i] ^= buf[4+(i-8)&3]
	}
	return took, buf[8:need], nil
}

// settled is the sink of a Live that lets time pass after each message.
type settled struct{ l *market.Live }

func (s settled) Put(ev []venue.Event) venue.Reason {
	why := s.l.Put(ev)
	s.l.Settle()
	return why
}

// engineClient is the product: its session, decoder, loop, gate, audit and encoder.
func engineClient(t testing.TB, s *server, name string, spin bool) *client {
	l := live(t, 20)
	c := &client{name: name, turn: newTurn(), next: l.Depths[0].Next, stopped: make(chan struct{})}
	var network wire.Net = &wire.Machine{}
	if spin {
		network = &spinNet{turn: c.turn}
		c.turn.begin()
	}
	const long = 3600 * venue.Second
	session := wire.NewSession(wire.SessionConfig{Name: name, Net: network, Clock: l.Clock, URL: func() string { return s.address }, Silence: long, Dial: 10 * venue.Second,
		Write: 10 * venue.Second, MaxMessage: 1 << 20, Backoff: wire.Backoff{Min: venue.Second, Max: venue.Second}, Proven: long,
		Decoder: func() wire.Decoder { return binance.Spot.Decoder(1, l.Rig.At(1)) }, Sink: settled{l}, Venue: 1})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(c.stopped)
		if err := session.Run(ctx); err != nil {
			panic(err)
		}
	}()
	c.feed = <-s.conns
	orders := c.join(t, s)
	l.Send = func(request []byte) error { return orders.WriteMessage(websocket.TextMessage, request) }
	c.close(t, cancel)
	return c
}

// close ends the client with the test.
func (c *client) close(t testing.TB, cancel func()) {
	t.Cleanup(func() {
		cancel()
		c.turn.begin()
		c.feed.Close()
		<-c.stopped
	})
}

// echoClient answers every message with as many bytes as an order has, on a connection that spins like the product's.
func echoClient(t testing.TB, s *server, order []byte) *client {
	c := &client{name: "echo", turn: newTurn(), next: market.NewDepth("BTCUSDT", 20, 1).Next, stopped: make(chan struct{})}
	c.turn.begin()
	c.turn.once.Do(func() {}) // who dials is not who reads
	ws, _, err := (&websocket.Dialer{NetDialContext: (&spinNet{turn: c.turn}).DialContext, ReadBufferSize: 64 << 10}).Dial(s.address, nil)
	require.NoError(t, err)
	c.feed = <-s.conns
	orders, buf := c.join(t, s), make([]byte, 64<<10)
	go func() {
		defer close(c.stopped)
		pin(1)
		for {
			_, r, err := ws.NextReader()
			for n := 0; err == nil; {
				var k int
				k, err = r.Read(buf[n:])
				n += k
			}
			if !errors.Is(err, io.EOF) || orders.WriteMessage(websocket.TextMessage, order) != nil {
				return
			}
		}
	}()
	c.close(t, func() {})
	return c
}

// naiveClient is B: ReadMessage on the netpoller, and a channel to the strategy's goroutine.
func naiveClient(t testing.TB, s *server) *client {
	theirs, depth := bot(t, rig(t, market.Config{Levels: 20}), true), market.NewDepth("BTCUSDT", 20, 1)
	for range market.Settling {
		require.NoError(t, theirs.Update("v1", depth.Next()))
	}
	c := &client{name: "B", turn: newTurn(), next: depth.Next, stopped: make(chan struct{})}
	ws, _, err := websocket.DefaultDialer.Dial(s.address, nil)
	require.NoError(t, err)
	c.feed = <-s.conns
	orders, hop := c.join(t, s), make(chan []byte, 1024)
	go func() {
		defer close(hop)
		for {
			_, m, err := ws.ReadMessage()
			if err != nil {
				return
			}
			hop <- m
		}
	}()
	go func() {
		defer close(c.stopped)
		for m := range hop {
			theirs.Step("v1", m)
			if orders.WriteMessage(websocket.TextMessage, theirs.Sent) != nil {
				return
			}
			theirs.Answer()
		}
	}()
	c.close(t, func() {})
	return c
}

// volley is the median of n messages a tenth of a millisecond apart.
func (c *client) volley(t testing.TB, s *server, n int) float64 {
	c.turn.begin()
	defer c.turn.end()
	v := make([]float64, n)
	next := stats.Nanotime()
	for i := range v {
		for next = max(next, stats.Nanotime()) + int64(100*time.Microsecond); stats.Nanotime() < next; { // this thread yields to nobody
		}
		took, _, err := c.ask(s.buf)
		require.NoError(t, err, c.name)
		v[i] = float64(took)
	}
	return pair.Quantile(v, 0.5)
}

// wireClients are the product spinning, the product on the netpoller, the echo, and B.
func wireClients(t testing.TB, s *server) []*client {
	spin := engineClient(t, s, "spinning", true)
	_, order, err := spin.ask(s.buf)
	require.NoError(t, err)
	order = append([]byte(nil), order...)
	spin.turn.end()
	cs := []*client{spin, engineClient(t, s, "netpoller", false), echoClient(t, s, order), naiveClient(t, s)}
	for _, c := range cs[1:] {
		_, _, err := c.ask(s.buf) // with B's first answer come its quotes
		require.NoError(t, err)
		c.turn.end()
	}
	return cs
}

// BenchmarkWire is wire to wire over the loopback: from the server's write of an update to the order's last byte back.
func BenchmarkWire(b *testing.B) {
	group(b, func(b *testing.B) {
		free := pin(0)
		defer runtime.UnlockOSThread()
		defer func() { mustDo(unix.SchedSetaffinity(0, &free)) }()
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4)) // a spinning thread keeps its place; whoever waits on the netpoller needs one too
		s := newServer(b)
		cs := wireClients(b, s)
		const n, times = 20, 181
		p50 := make([][]float64, len(cs))
		for round := range times {
			for j := range cs {
				i := (j + round) % len(cs)
				p50[i] = append(p50[i], cs[i].volley(b, s, n))
			}
		}
		p50 = undisturbed(p50, 2)
		require.GreaterOrEqual(b, len(p50[0]), 9, "the machine leaves the echo no quiet round")
		row := func(name, base string, over, under []float64, ours, theirs int, bar float64, atMost bool) {
			q, lo, hi := pair.Ratios(over, under)
			add(b, Row{Name: name, Base: base, Ratio: q, Low: lo, High: hi, Bar: bar, AtMost: atMost, Ns: pair.Quantile(p50[ours], 0.5), BaseNs: pair.Quantile(p50[theirs], 0.5)})
		}
		row("20 levels, spinning", "echo", p50[0], p50[2], 0, 2, 1.8, true)
		row("20 levels, spinning", "B, netpoller", p50[3], p50[0], 0, 3, 3.5, false)
		row("20 levels, netpoller", "echo", p50[1], p50[2], 1, 2, 0, true)
		row("20 levels, netpoller", "B, netpoller", p50[3], p50[1], 1, 3, 0, false)
	})
}

// undisturbed leaves out, for all alike, the rounds in which candidate k, which computes nothing, took more than twice
// what it took in a quarter of them: the machine was busy with something else.
func undisturbed(rounds [][]float64, k int) [][]float64 {
	most, out := 2*pair.Quantile(rounds[k], 0.25), make([][]float64, len(rounds))
	for i, v := range rounds[k] {
		if v <= most {
			for j := range rounds {
				out[j] = append(out[j], rounds[j][i])
			}
		}
	}
	return out
}

// TestWireRow_everyClientAnswersEveryMessage holds the product's orders against B's, and the echo's length against theirs.
func TestWireRow_everyClientAnswersEveryMessage(t *testing.T) {
	s := newServer(t)
	cs := wireClients(t, s)
	length := 0
	for range 20 {
		var orders []map[string]string
		for i, c := range cs {
			c.turn.begin()
			_, order, err := c.ask(s.buf)
			c.turn.end()
			require.NoError(t, err)
			if i == 0 {
				length = len(order)
			}
			if i == 2 {
				require.Len(t, order, length)
			}
			orders = append(orders, fields(t, order))
		}
		require.Equal(t, orders[0], orders[1])
		require.Equal(t, orders[0], orders[3])
	}
}
