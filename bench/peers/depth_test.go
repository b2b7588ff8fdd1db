package peers

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	stock "github.com/adshao/go-binance/v2"
	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"oneprice/bench"
	"oneprice/bench/market"
	"oneprice/bench/pair"
	"oneprice/books"
	"oneprice/books/venue"
	"oneprice/engine/ring"
	"oneprice/feeds/binance"
	"oneprice/feeds/wire"
)

// serverLevels in the environment makes this test binary the server of a stream, so that its CPU time is not ours.
const serverLevels = "ONEPRICE_BENCH_SERVER_LEVELS"

func TestMain(m *testing.M) {
	if text := os.Getenv(serverLevels); text != "" {
		var levels int
		_, err := fmt.Sscan(text, &levels)
		if err == nil {
			err = serveDepth(levels)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// serveDepth is the server process: it prints its address, and each line "connection messages" on its input sends so many
// messages on that connection, as fast as the socket takes them. The stream of each connection begins where the book of a
// market.Live has come to. It ends with its input.
func serveDepth(levels int) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(ln.Addr())
	conns := make(chan net.Conn, 1)
	up := websocket.Upgrader{}
	go http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ws, err := up.Upgrade(w, r, nil); err == nil {
			conns <- ws.NetConn()
		}
	}))
	var open []net.Conn
	var depths []*market.Depth
	for in := bufio.NewReader(os.Stdin); ; {
		var k, n int
		if _, err := fmt.Fscanln(in, &k, &n); err != nil {
			return err
		}
		for len(open) <= k {
			d := market.NewDepth("BTCUSDT", levels, 1)
			for range market.Settling {
				d.Next()
			}
			open, depths = append(open, <-conns), append(depths, d)
		}
		out := bufio.NewWriterSize(open[k], 64<<10)
		for range n {
			m := depths[k].Next()
			head := [4]byte{0x81, 126}
			binary.BigEndian.PutUint16(head[2:], uint16(len(m)))
			out.Write(head[:])
			out.Write(m)
		}
		if err := out.Flush(); err != nil {
			return err
		}
	}
}

// stream is a server process.
type stream struct {
	address string
	in      io.WriteCloser
}

func newStream(t testing.TB, levels int) *stream {
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self)
	cmd.Env, cmd.Stderr = append(os.Environ(), fmt.Sprintf("%s=%d", serverLevels, levels)), os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		in.Close()
		require.NoError(t, cmd.Wait())
	})
	s := &stream{in: in}
	_, err = fmt.Fscanln(bufio.NewReader(out), &s.address)
	require.NoError(t, err)
	return s
}

// send lets the server send n messages on a connection; they are numbered in the order in which they were first sent to.
func (s *stream) send(t testing.TB, connection, n int) {
	_, err := fmt.Fprintln(s.in, connection, n)
	require.NoError(t, err)
}

// reader is a client of the stream: arrived says when n messages have been dealt with since the last time.
type reader struct {
	name    string
	arrived func(n int)
	last    func() uint64 // the id of the last one
}

// stockReader is go-binance: levels as strings, to a handler.
func stockReader(t testing.TB, s *stream) *reader {
	stock.BaseWsMainURL = "ws://" + s.address + "/ws"
	events, count, last := make(chan int, 1), 0, uint64(0)
	target := make(chan int, 1)
	want := 0
	done, stop, err := stock.WsDepthServe("BTCUSDT", func(e *stock.WsDepthEvent) {
		if want == 0 {
			want = <-target
		}
		last = uint64(e.LastUpdateID)
		if count++; count == want {
			events <- count
			count, want = 0, 0
		}
	}, func(err error) { panic(err) })
	require.NoError(t, err)
	t.Cleanup(func() {
		close(stop)
		<-done
	})
	return &reader{"go-binance", func(n int) { target <- n; <-events }, func() uint64 { return last }}
}

// session runs the product's session into a sink, and a consumer beside it, until end is called or the test is over.
func (s *stream) session(t testing.TB, r *market.Rig, sink venue.Sink, waiting func() int, consume func(ctx context.Context) error) (arrived func(n int), end func()) {
	const long = 3600 * venue.Second
	session := wire.NewSession(wire.SessionConfig{Name: "oneprice", Net: &wire.Machine{}, Clock: r.Clock, URL: func() string { return "ws://" + s.address + "/ws" }, Silence: long,
		Dial: 10 * venue.Second, Write: 10 * venue.Second, MaxMessage: 1 << 20, Backoff: wire.Backoff{Min: venue.Second, Max: venue.Second}, Proven: long,
		Decoder: func() wire.Decoder { return binance.Spot.Decoder(1, r.At(1)) }, Sink: sink, Venue: 1})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- session.Run(ctx) }()
	go func() { ended <- consume(ctx) }()
	seen, look := uint64(0), time.NewTicker(time.Millisecond)
	arrived = func(n int) {
		for seen += uint64(n); session.Counters().Messages.Load() < seen || waiting() > 0; {
			<-look.C
		}
	}
	end = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-ended)
		require.NoError(t, <-ended)
		look.Stop()
		book := r.Engine.Desk().Book(1)
		require.Equal(t, books.Live, book.State(), "%v", book.Why())
		require.NoError(t, r.Close())
	})
	t.Cleanup(end)
	return arrived, end
}

// room holds a whole burst, so that a slow machine makes no gap, and stays in the cache.
const room = 1 << 15

// bookReader is the product under park as far as the stock client goes, and a book: session, decoder, ring, and a consumer
// that sleeps on the ring's bell.
func bookReader(t testing.TB, s *stream, levels int) *reader {
	r, err := market.NewRig(market.Config{Levels: levels, Calm: true, Audit: filepath.Join(t.TempDir(), "audit")})
	require.NoError(t, err)
	bell, book := ring.NewBell(), r.Engine.Desk().Book(1)
	events, buf := ring.Events(room, bell), make([]venue.Event, 0, 1<<14)
	arrived, end := s.session(t, r, events, events.Len, func(ctx context.Context) error {
		for {
			buf = events.Drain(buf[:0])
			for rest := buf; len(rest) > 0; {
				n := 1 + rest[0].Count()
				book.Apply(rest[:n])
				rest = rest[n:]
			}
			if len(buf) > 0 {
				continue
			}
			if bell.Arm(); events.Len() > 0 {
				bell.Disarm()
				continue
			}
			select {
			case <-bell.C():
			case <-ctx.Done():
				return nil
			}
		}
	})
	return &reader{"oneprice's book", arrived, func() uint64 { end(); return book.Seq() }}
}

// engineReader is the whole engine under park: both strategies look at every drain.
func engineReader(t testing.TB, s *stream, levels int) *reader {
	tick := time.NewTicker(10 * time.Millisecond)
	t.Cleanup(tick.Stop)
	l, err := market.NewParked(market.Config{Levels: levels, Audit: filepath.Join(t.TempDir(), "audit")}, room, tick.C)
	require.NoError(t, err)
	arrived, end := s.session(t, l.Rig, l, l.Waiting, l.Loop.Run)
	return &reader{"oneprice's engine", arrived, func() uint64 { end(); return l.Engine.Desk().Book(1).Seq() }}
}

// readers are the stock client, the book and the engine on connections of their own, warm.
func readers(t testing.TB, s *stream, levels, warm int) []*reader {
	var out []*reader
	for k, open := range []func() *reader{func() *reader { return stockReader(t, s) }, func() *reader { return bookReader(t, s, levels) }, func() *reader { return engineReader(t, s, levels) }} {
		r := open()
		s.send(t, k, warm)
		r.arrived(warm)
		out = append(out, r)
	}
	return out
}

// BenchmarkDepth holds the CPU time of a message in a saturated burst against the stock client's.
func BenchmarkDepth(b *testing.B) {
	if b.N > 1 {
		return
	}
	var report bench.Report
	for _, c := range []struct {
		levels, n int
		bar       float64
	}{{2, 8000, 0}, {20, 3000, 15}, {100, 800, 0}} {
		s := newStream(b, c.levels)
		rs := readers(b, s, c.levels, 100)
		times := make([][]float64, len(rs))
		for round := range 31 {
			for j := range rs {
				k := (j + round) % len(rs)
				from := pair.CPU()
				s.send(b, k, c.n)
				rs[k].arrived(c.n)
				times[k] = append(times[k], float64(pair.CPU()-from)/float64(c.n))
			}
		}
		add := func(name string, k int, bar float64) float64 {
			q, lo, hi := pair.Ratios(times[0], times[k])
			report.Rows = append(report.Rows, bench.Row{Group: "Peers", Name: fmt.Sprintf("binance depth stream into the %s, %d levels", name, c.levels), Base: rs[0].name,
				Ratio: q, Low: lo, High: hi, Bar: bar, Ns: pair.Quantile(times[k], 0.5), BaseNs: pair.Quantile(times[0], 0.5)})
			return q
		}
		q := add("book", 1, c.bar)
		add("whole engine", 2, 0)
		b.ReportMetric(q, fmt.Sprintf("%d-levels-x", c.levels))
	}
	b.ReportMetric(0, "ns/op")
	require.NoError(b, os.MkdirAll("../../out", 0o755))
	f, err := os.Create("../../out/peers.json")
	require.NoError(b, err)
	defer f.Close()
	require.NoError(b, report.JSON(f))
}

// TestDepthRow_allReadTheWholeStream: all end at the same id, ours with a live book.
func TestDepthRow_allReadTheWholeStream(t *testing.T) {
	s := newStream(t, 20)
	rs := readers(t, s, 20, 500)
	for _, r := range rs[1:] {
		require.Equal(t, rs[0].last(), r.last(), r.name)
	}
}
