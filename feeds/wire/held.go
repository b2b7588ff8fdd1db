package wire

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// Held is a network in memory whose bytes move only when told: each write waits on its link until Release. With a seeded
// choice of links, and with testing/synctest at rest before each release, the order of everything that arrives comes from
// the seed alone. Connections have working deadlines. Safe for concurrent use.
type Held struct {
	mu        sync.Mutex
	listeners map[string]*heldListener
	links     []*link
	free      bool
	ports     int
}

// NewHeld makes an empty network.
func NewHeld() *Held { return &Held{listeners: map[string]*heldListener{}, ports: 40000} }

// Free stops holding: what waits is released in order of links, and from now on every write arrives at once.
func (h *Held) Free() {
	h.mu.Lock()
	h.free = true
	links := h.links
	h.mu.Unlock()
	for _, l := range links {
		l.flush()
	}
}

// Waiting appends the numbers of the links that hold something, in order of creation: the two links of a connection are
// numbered 2n (from the dialer) and 2n+1 (to it).
func (h *Held) Waiting(dst []int) []int {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, l := range h.links {
		if l.holds() {
			dst = append(dst, i)
		}
	}
	return dst
}

// Release lets one write, or the end of the stream, of a link arrive: so many bytes. It reports whether there was any.
func (h *Held) Release(i int) (bytes int, ok bool) {
	h.mu.Lock()
	l := h.links[i]
	h.mu.Unlock()
	return l.release()
}

// Cut breaks the connection of a link both ways: what waits is lost, reads and writes fail.
func (h *Held) Cut(i int) {
	h.mu.Lock()
	a, b := h.links[i&^1], h.links[i|1]
	h.mu.Unlock()
	a.cut()
	b.cut()
}

// Listen opens an address; port 0 takes a free one.
func (h *Held) Listen(_, address string) (net.Listener, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if port == "0" {
		h.ports++
		address = net.JoinHostPort(host, fmt.Sprint(h.ports))
	}
	if h.listeners[address] != nil {
		return nil, fmt.Errorf("listen %s: address is in use", address)
	}
	l := &heldListener{net: h, addr: heldAddr(address), accept: make(chan net.Conn, 128), closed: make(chan struct{})}
	h.listeners[address] = l
	return l, nil
}

// DialContext connects at once; only bytes are held.
func (h *Held) DialContext(ctx context.Context, _, address string) (net.Conn, error) {
	h.mu.Lock()
	l := h.listeners[address]
	if l == nil {
		h.mu.Unlock()
		return nil, fmt.Errorf("dial %s: connection refused", address)
	}
	out, in := newLink(h), newLink(h)
	phase := owners + int64(2*len(h.links))%owners // of four deadlines
	h.links = append(h.links, out, in)
	h.ports++
	local := heldAddr(fmt.Sprintf("127.0.0.1:%d", h.ports))
	h.mu.Unlock()
	select {
	case l.accept <- newHeldConn(in, out, l.addr, local, phase):
		return newHeldConn(out, in, local, l.addr, phase+2), nil
	case <-l.closed:
		return nil, fmt.Errorf("dial %s: connection refused", address)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (h *Held) isFree() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.free
}

type heldAddr string

func (heldAddr) Network() string  { return "tcp" }
func (a heldAddr) String() string { return string(a) }

type heldListener struct {
	net    *Held
	addr   heldAddr
	accept chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *heldListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.accept:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *heldListener) Addr() net.Addr { return l.addr }

func (l *heldListener) Close() error {
	l.once.Do(func() {
		close(l.closed)
		l.net.mu.Lock()
		delete(l.net.listeners, string(l.addr))
		l.net.mu.Unlock()
	})
	return nil
}

// window is how many unread bytes a link takes before writes wait, as a socket buffer does.
const window = 4 << 20

// link is one direction of a connection.
type link struct {
	net     *Held
	mu      sync.Mutex
	queue   [][]byte // written and held
	ended   bool     // the writer has closed; the end is held behind the queue
	arrived []byte   // released and unread
	eof     bool     // the end has been released
	broken  bool
	held    int
	moved   chan struct{} // closed and remade whenever anything changes
}

func newLink(h *Held) *link { return &link{net: h, moved: make(chan struct{})} }

// move wakes whoever waits on the link; mu is held.
func (l *link) move() {
	close(l.moved)
	l.moved = make(chan struct{})
}

func (l *link) holds() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.broken && (len(l.queue) > 0 || l.ended && !l.eof)
}

func (l *link) release() (bytes int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.broken:
		return 0, false
	case len(l.queue) > 0:
		bytes = len(l.queue[0])
		l.arrived = append(l.arrived, l.queue[0]...)
		l.held -= bytes
		l.queue = l.queue[1:]
	case l.ended && !l.eof:
		l.eof = true
	default:
		return 0, false
	}
	l.move()
	return bytes, true
}

// flush releases everything.
func (l *link) flush() {
	for ok := true; ok; {
		_, ok = l.release()
	}
}

func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.broken {
		l.broken, l.queue = true, nil
		l.move()
	}
}

func (l *link) end() {
	l.mu.Lock()
	l.ended = true
	l.move()
	l.mu.Unlock()
	if l.net.isFree() {
		l.flush()
	}
}

// heldConn is one end of a connection: it writes to out and reads from in.
type heldConn struct {
	out, in       *link
	local, remote net.Addr
	closed        chan struct{}
	once          sync.Once
	read, write   deadline
}

func newHeldConn(out, in *link, local, remote net.Addr, phase int64) *heldConn {
	return &heldConn{out: out, in: in, local: local, remote: remote, closed: make(chan struct{}), read: deadline{phase: phase}, write: deadline{phase: phase + 1}}
}

func (c *heldConn) Read(p []byte) (int, error) {
	for {
		c.in.mu.Lock()
		moved := c.in.moved
		switch {
		case isDone(c.closed):
			c.in.mu.Unlock()
			return 0, net.ErrClosed
		case c.read.passed():
			c.in.mu.Unlock()
			return 0, os.ErrDeadlineExceeded
		case len(c.in.arrived) > 0:
			n := copy(p, c.in.arrived)
			c.in.arrived = c.in.arrived[n:]
			c.in.move()
			c.in.mu.Unlock()
			return n, nil
		case c.in.broken:
			c.in.mu.Unlock()
			return 0, io.ErrUnexpectedEOF
		case c.in.eof:
			c.in.mu.Unlock()
			return 0, io.EOF
		}
		c.in.mu.Unlock()
		select {
		case <-moved:
		case <-c.closed:
		case <-c.read.wait():
		}
	}
}

func (c *heldConn) Write(p []byte) (int, error) {
	for {
		c.out.mu.Lock()
		moved := c.out.moved
		switch {
		case isDone(c.closed):
			c.out.mu.Unlock()
			return 0, net.ErrClosed
		case c.write.passed():
			c.out.mu.Unlock()
			return 0, os.ErrDeadlineExceeded
		case c.out.broken:
			c.out.mu.Unlock()
			return 0, io.ErrClosedPipe
		case c.out.held+len(c.out.arrived) < window:
			c.out.queue = append(c.out.queue, append([]byte(nil), p...))
			c.out.held += len(p)
			c.out.mu.Unlock()
			if c.out.net.isFree() {
				c.out.release()
			}
			return len(p), nil
		}
		c.out.mu.Unlock()
		select {
		case <-moved:
		case <-c.closed:
		case <-c.write.wait():
		}
	}
}

func (c *heldConn) Close() error {
	c.once.Do(func() {
		close(c.closed)
		c.out.end()
		c.in.cut() // as a reset does: who writes to a closed end is told
	})
	return nil
}

func (c *heldConn) LocalAddr() net.Addr  { return c.local }
func (c *heldConn) RemoteAddr() net.Addr { return c.remote }

func (c *heldConn) SetDeadline(t time.Time) error {
	c.read.set(t)
	c.write.set(t)
	return nil
}
func (c *heldConn) SetReadDeadline(t time.Time) error  { c.read.set(t); return nil }
func (c *heldConn) SetWriteDeadline(t time.Time) error { c.write.set(t); return nil }

// deadline is a moment that can be moved while others wait for it. Its phase makes it end when nothing else does.
type deadline struct {
	phase int64
	mu    sync.Mutex
	timer *time.Timer
	done  chan struct{} // closed when the moment has passed
}

func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	if d.done == nil || isDone(d.done) {
		d.done = make(chan struct{}) // those who come now wait for the new moment
	}
	if t.IsZero() {
		return
	}
	done := d.done
	wait := time.Until(t)
	if wait <= 0 {
		close(done)
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(onPhase(wait, d.phase), func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.timer == timer { // not moved meanwhile
			d.timer = nil
			close(done)
		}
	})
	d.timer = timer
}

func (d *deadline) wait() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.done == nil {
		d.done = make(chan struct{})
	}
	return d.done
}

func (d *deadline) passed() bool { return isDone(d.wait()) }

func isDone(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
