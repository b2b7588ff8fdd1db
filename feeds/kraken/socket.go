package kraken

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"

	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// tailRoom is how many bytes may wait for the kernel before an instruction is refused for lack of room; slackRoom is kept
// for what the websocket itself answers (pongs) and for the records of TLS.
const (
	tailRoom  = 64 << 10
	slackRoom = 2 << 10
)

var errNoRoom = errors.New("the unsent tail is full")

// socket is a connection whose Write never blocks: what the kernel does not take at once waits in a bounded tail, which
// flush empties. Safe for concurrent use: the lock is held over a write that cannot block, never while anything waits.
//
// A connection without a descriptor (a held one, in tests) is written to directly; it takes megabytes before it blocks.
type socket struct {
	net.Conn
	raw   syscall.RawConn
	write func(fd uintptr)
	wake  chan struct{}

	mu   sync.Mutex
	tail []byte
	err  error // sticky
	// p, n and werr are the argument and results of write, kept here so that it is one closure for life.
	p    []byte
	n    int
	werr error
}

func newSocket(c net.Conn) (*socket, error) {
	s := &socket{Conn: c, wake: make(chan struct{}, 1), tail: make([]byte, 0, tailRoom)}
	sc, ok := c.(syscall.Conn)
	if !ok {
		return s, nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil, err
	}
	s.raw = raw
	s.write = func(fd uintptr) { s.n, s.werr = syscall.Write(int(fd), s.p) }
	return s, nil
}

// SyscallConn lets the reading side busy-poll the same descriptor.
func (s *socket) SyscallConn() (syscall.RawConn, error) {
	if s.raw == nil {
		return nil, errors.New("a connection in memory has no descriptor")
	}
	return s.raw, nil
}

// SetWriteDeadline does nothing: a write that never blocks has none, and flush sets its own.
func (s *socket) SetWriteDeadline(time.Time) error { return nil }

// SetDeadline sets the read deadline only.
func (s *socket) SetDeadline(t time.Time) error { return s.Conn.SetReadDeadline(t) }

// Write takes all of p or nothing: an error says that no byte of it can have left.
func (s *socket) Write(p []byte) (int, error) {
	if s.raw == nil {
		return s.Conn.Write(p)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.err != nil:
		return 0, s.err
	case len(s.tail)+len(p) > tailRoom:
		return 0, errNoRoom
	case len(s.tail) > 0:
		s.tail = append(s.tail, p...)
		return len(p), nil
	}
	s.p = p
	if err := s.raw.Control(s.write); err != nil {
		s.err = err
		return 0, err
	}
	n := max(s.n, 0)
	if s.werr != nil && s.werr != syscall.EAGAIN && s.werr != syscall.EINTR {
		s.err = s.werr
		return 0, s.err
	}
	if n < len(p) {
		s.tail = append(s.tail, p[n:]...)
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
	return len(p), nil
}

// room reports whether n bytes more, and what TLS puts around them, will be taken.
func (s *socket) room(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err == nil && len(s.tail)+n+slackRoom <= tailRoom
}

// flush sends the tail whenever there is one, until ctx ends. A tail that the peer does not take for limit ends the
// connection.
func (s *socket) flush(ctx context.Context, clock *wire.Clock, limit venue.Nanos) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		}
		s.Conn.SetWriteDeadline(clock.Deadline(limit))
		err := s.raw.Write(func(fd uintptr) bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			for len(s.tail) > 0 && s.err == nil {
				n, err := syscall.Write(int(fd), s.tail)
				switch {
				case err == syscall.EAGAIN:
					return false
				case err == syscall.EINTR:
				case err != nil:
					s.err = err
				default:
					s.tail = s.tail[:copy(s.tail, s.tail[n:])]
				}
			}
			return true
		})
		if err != nil {
			s.Conn.Close() // the reader sees it
			return
		}
	}
}

// secure runs the TLS handshake over c, by the host's name.
func secure(ctx context.Context, c net.Conn, conf *tls.Config, address string) (net.Conn, error) {
	conf = conf.Clone()
	if conf == nil {
		conf = &tls.Config{}
	}
	if conf.ServerName == "" {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		conf.ServerName = host
	}
	t := tls.Client(c, conf)
	return t, t.HandshakeContext(ctx)
}

// masked turns buf, whose message begins at frameHead, into a websocket text frame of a client (RFC 6455, 5.2) and returns
// it. The mask only has to differ from frame to frame: it protects old intermediaries, and nobody here reads it.
func masked(buf []byte, mask uint32) []byte {
	msg := buf[frameHead:]
	from := frameHead - 4
	for i := range 4 {
		buf[from+i] = byte(mask >> (8 * i))
	}
	switch n := len(msg); {
	case n < 126:
		from -= 2
		buf[from+1] = 0x80 | byte(n)
	default: // at most 65,535: the largest is a batch of fifteen orders
		from -= 4
		buf[from+1], buf[from+2], buf[from+3] = 0x80|126, byte(n>>8), byte(n)
	}
	buf[from] = 0x81
	for i := range msg {
		msg[i] ^= byte(mask >> (8 * (i & 3)))
	}
	return buf[from:]
}

// frameHead is the room for the largest head of a frame before its message.
const frameHead = 8
