package wire

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gorilla/websocket"
)

// spinConn is a net.Conn whose Read polls the socket without ever parking, on the calling goroutine's thread. Deadlines and
// Close keep working: a Close from another goroutine makes the raw read fail, and the deadline is looked at once in many
// turns, since reading the clock costs more than a turn. One goroutine reads.
type spinConn struct {
	net.Conn
	raw  syscall.RawConn
	due  atomic.Int64 // read deadline, nanoseconds since spinBegan, 0 none
	idle func()       // called between empty turns; never nil

	try func(fd uintptr) bool // made once: a closure for each turn would be garbage
	p   []byte                // try's argument
	n   int                   // and results
	err error
}

// Spinning wraps a TCP connection so that reads busy-poll. idle, where not nil, is called between empty turns: the place to
// keep caches warm. The descriptor stays non-blocking and owned by the runtime.
func Spinning(c net.Conn, idle func()) (net.Conn, error) {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return c, nil // a held connection has no socket to poll
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil, err
	}
	if idle == nil {
		idle = func() {}
	}
	s := &spinConn{Conn: c, raw: raw, idle: idle}
	s.try = func(fd uintptr) bool {
		s.n, s.err = syscall.Read(int(fd), s.p)
		return true // never park: what would block is tried again
	}
	return s, nil
}

// Every so many empty turns of some half a microsecond, a power of two, the deadline is looked at, and other goroutines of
// this processor are let in. The latter costs a thread that is locked to its goroutine two switches of threads; an idle
// processor takes them over sooner, and the collector needs no leave.
const (
	lookEvery  = 64
	yieldEvery = 1024
)

func (c *spinConn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	c.p = p
	defer func() { c.p = nil }()
	for turn := 1; ; turn++ {
		if err := c.raw.Read(c.try); err != nil {
			return 0, err
		}
		switch c.err {
		case nil:
			if c.n == 0 {
				return 0, io.EOF
			}
			return c.n, nil
		case syscall.EAGAIN, syscall.EINTR:
		default:
			return 0, &net.OpError{Op: "read", Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: os.NewSyscallError("read", c.err)}
		}
		c.idle()
		if turn%lookEvery == 0 {
			if d := c.due.Load(); d != 0 && int64(time.Since(spinBegan)) > d {
				return 0, os.ErrDeadlineExceeded
			}
		}
		if turn%yieldEvery == 0 {
			runtime.Gosched()
		}
	}
}

// SetReadDeadline is kept here as well: the poller's own never fires, since nothing waits in it.
func (c *spinConn) SetReadDeadline(t time.Time) error {
	c.due.Store(sinceBegan(t))
	return nil
}

func (c *spinConn) SetDeadline(t time.Time) error {
	c.due.Store(sinceBegan(t))
	return c.Conn.SetWriteDeadline(t)
}

// spinBegan anchors deadlines on the monotonic clock: a step of the wall clock must not end or prolong a read.
var spinBegan = time.Now()

func sinceBegan(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	if d := int64(t.Sub(spinBegan)); d != 0 {
		return d
	}
	return 1
}

// spin makes a dialer's connections busy-poll, under TLS too: the handshake is done here, over the spinning connection.
func spin(d *websocket.Dialer, n Net, conf *tls.Config) {
	d.NetDialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := n.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		s, err := Spinning(c, nil)
		if err != nil {
			c.Close()
			return nil, err
		}
		return s, nil
	}
	d.NetDialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := d.NetDialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		conf := conf.Clone()
		if conf == nil {
			conf = &tls.Config{}
		}
		if conf.ServerName == "" {
			host, _, err := net.SplitHostPort(address)
			if err != nil {
				c.Close()
				return nil, err
			}
			conf.ServerName = host
		}
		t := tls.Client(c, conf)
		if err := t.HandshakeContext(ctx); err != nil {
			c.Close()
			return nil, err
		}
		return t, nil
	}
}
