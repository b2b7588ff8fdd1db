package binance

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"
	mrand "math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gorilla/websocket"

	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// line is one order connection. Anyone may send; one goroutine receives.
type line struct {
	ws    *websocket.Conn
	out   net.Conn // TLS where there is one, else the tail itself
	tail  *tail
	until atomic.Int64 // when it is to be given up for a new one
}

// headroom is the room before a payload for a frame's header: 4 bytes of length and 4 of mask.
const headroom = 8

// framer makes a client's websocket frames in place. One goroutine.
type framer struct{ mask *mrand.ChaCha8 }

func newFramer() framer {
	var seed [32]byte
	rand.Read(seed[:]) // never fails
	return framer{mrand.NewChaCha8(seed)}
}

// seal turns headroom and a payload of less than 64 KiB into one text frame. The payload is masked in place.
func (f framer) seal(b []byte) []byte {
	n := len(b) - headroom
	key := uint32(f.mask.Uint64())
	p := b[headroom:]
	wide := uint64(key)<<32 | uint64(key)
	i := 0
	for ; i+8 <= n; i += 8 {
		binary.LittleEndian.PutUint64(p[i:], binary.LittleEndian.Uint64(p[i:])^wide)
	}
	for ; i < n; i++ {
		p[i] ^= byte(key >> (8 * (i & 3)))
	}
	if n < 126 {
		b = b[2:]
		b[1] = 0x80 | byte(n)
	} else {
		b[1] = 0x80 | 126
		binary.BigEndian.PutUint16(b[2:], uint16(n))
	}
	b[0] = 0x80 | websocket.TextMessage
	binary.LittleEndian.PutUint32(b[len(b)-n-4:], key)
	return b
}

// send writes one frame, or hands what the socket does not take to the tail. It never blocks. NotSent means that no byte
// has left and none will.
func (l *line) send(frame []byte) venue.Sent {
	if !l.tail.fits(len(frame) + 1024) { // TLS adds a record's overhead
		return venue.NotSent
	}
	before := l.tail.taken.Load()
	if _, err := l.out.Write(frame); err != nil {
		if l.tail.taken.Load() == before {
			return venue.NotSent
		}
		return venue.Maybe
	}
	return venue.Out
}

// close ends the connection; the reader sees it.
func (l *line) close() { l.tail.Conn.Close() }

// dialLine connects and upgrades. Its flusher runs until the connection ends.
func dialLine(ctx context.Context, cfg *wire.GatewayConfig, url string) (*line, error) {
	var t *tail
	d := websocket.Dialer{TLSClientConfig: cfg.TLS, HandshakeTimeout: 10 * time.Second, ReadBufferSize: 64 << 10, WriteBufferSize: 4 << 10}
	d.NetDialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := cfg.Net.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		if t, err = newTail(c, cfg.Clock); err != nil {
			c.Close()
			return nil, err
		}
		if cfg.Spin {
			if t.Conn, err = wire.Spinning(c, nil); err != nil {
				c.Close()
				return nil, err
			}
		}
		go t.flush()
		return t, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	ws, answer, err := d.DialContext(ctx, url, nil)
	if err != nil {
		if t != nil {
			t.Close()
		}
		kind := wire.Transient
		if answer != nil {
			switch answer.StatusCode {
			case http.StatusTooManyRequests, http.StatusTeapot:
				kind = wire.RateLimited
			}
		}
		return nil, &wire.Error{Venue: "binance", Op: "connect for orders", Kind: kind, Err: err}
	}
	ws.SetReadLimit(8 << 20)
	l := &line{ws: ws, out: ws.NetConn(), tail: t}
	l.until.Store(int64(cfg.Clock.Now() + lifetime))
	return l, nil
}

// tailMax is how many bytes may wait for the socket: some hundred orders. Beyond it the venue does not read any more.
const tailMax = 64 << 10

var errFull = errors.New("the connection takes no more")

// tail is a connection whose writes never block: what the socket does not take at once waits in a bounded tail that
// flush, a goroutine of its own, writes. Write deadlines are the flusher's own business.
type tail struct {
	net.Conn
	clock *wire.Clock
	raw   syscall.RawConn // nil for a connection without a socket: everything goes by the tail
	try   func(fd uintptr) bool
	wake  chan struct{}
	done  chan struct{}
	once  sync.Once
	taken counter // bytes that left or wait

	mu   sync.Mutex
	wait []byte
	p    []byte // try's argument
	n    int    // and results
	err  error
}

func newTail(c net.Conn, clock *wire.Clock) (*tail, error) {
	t := &tail{Conn: c, clock: clock, wake: make(chan struct{}, 1), done: make(chan struct{}), wait: make([]byte, 0, tailMax)}
	if sc, ok := c.(syscall.Conn); ok {
		raw, err := sc.SyscallConn()
		if err != nil {
			return nil, err
		}
		t.raw = raw
	}
	t.try = func(fd uintptr) bool { // made once: a closure for each write would be garbage
		for {
			n, err := syscall.Write(int(fd), t.p)
			switch err {
			case nil:
				t.n = n
			case syscall.EINTR:
				continue
			case syscall.EAGAIN:
			default:
				t.err = err
			}
			return true
		}
	}
	return t, nil
}

// fits reports whether so many bytes have room whatever the socket does.
func (t *tail) fits(n int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err == nil && len(t.wait)+n <= cap(t.wait)
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err != nil {
		return 0, t.err
	}
	t.n = 0
	if len(t.wait) == 0 && t.raw != nil {
		t.p = p
		err := t.raw.Write(t.try)
		t.p = nil
		if t.err == nil {
			t.err = err
		}
	}
	n := t.n
	t.taken.Add(uint64(n))
	if t.err == nil && len(p)-n > cap(t.wait)-len(t.wait) {
		t.err = errFull
	}
	if t.err != nil {
		t.Close()
		return n, t.err
	}
	if n < len(p) {
		t.wait = append(t.wait, p[n:]...)
		t.taken.Add(uint64(len(p) - n))
		select {
		case t.wake <- struct{}{}:
		default:
		}
	}
	return len(p), nil
}

// flush writes the tail until the connection ends.
func (t *tail) flush() {
	own := make([]byte, 0, tailMax)
	for {
		select {
		case <-t.done:
			return
		case <-t.wake:
		}
		for {
			t.mu.Lock()
			own = append(own[:0], t.wait...)
			t.mu.Unlock()
			if len(own) == 0 {
				break
			}
			t.Conn.SetWriteDeadline(t.clock.Deadline(5 * venue.Second))
			n, err := t.Conn.Write(own)
			t.Conn.SetWriteDeadline(time.Time{})
			t.mu.Lock()
			t.wait = t.wait[:copy(t.wait, t.wait[n:])] // until now it was not empty, so that nothing overtook it
			if err != nil && t.err == nil {
				t.err = err
			}
			t.mu.Unlock()
			if err != nil {
				t.Close()
				return
			}
		}
	}
}

// Close ends the connection and the flusher.
func (t *tail) Close() error {
	t.once.Do(func() { close(t.done) })
	return t.Conn.Close()
}

// SetWriteDeadline does nothing: a write does not wait.
func (t *tail) SetWriteDeadline(time.Time) error { return nil }

// SetDeadline sets that of reads.
func (t *tail) SetDeadline(at time.Time) error { return t.SetReadDeadline(at) }

// fill reads the next message into b, which it returns grown.
func (l *line) fill(b []byte) ([]byte, error) {
	_, r, err := l.ws.NextReader()
	if err != nil {
		return b, err
	}
	b = b[:0]
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
}
