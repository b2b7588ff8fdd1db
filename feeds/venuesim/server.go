package venuesim

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// Server is the chassis of a simulated venue: REST handlers and websockets on one listener, with faults in between.
type Server struct {
	// Clock and Faults are shared with the venue's own code.
	Clock  *wire.Clock
	Faults *Faults
	// Admit, where not nil, is asked before a websocket is opened; it has answered when it says no. Set it before Serve.
	Admit func(http.ResponseWriter, *http.Request) bool
	mux   http.ServeMux
	http  http.Server
	ln    net.Listener
	up    websocket.Upgrader

	mu     sync.Mutex
	conns  []*Conn // in the order of their coming: a seed then gives one order of everything
	closed bool
	wg     sync.WaitGroup
}

// NewServer listens on an address of a network; Serve answers.
func NewServer(n wire.Net, clock *wire.Clock, faults *Faults, address string) (*Server, error) {
	ln, err := n.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	s := &Server{Clock: clock, Faults: faults, ln: ln}
	s.up = websocket.Upgrader{ReadBufferSize: 4 << 10, WriteBufferSize: 64 << 10, CheckOrigin: func(*http.Request) bool { return true }}
	s.http = http.Server{Handler: &s.mux, ReadHeaderTimeout: 10 * time.Second}
	return s, nil
}

// Addr is host:port.
func (s *Server) Addr() string { return s.ln.Addr().String() }

// Rest adds a REST endpoint. A TooMany fault answers instead with what tooMany writes.
func (s *Server) Rest(pattern string, tooMany, h http.HandlerFunc) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		if s.Faults.Strikes(TooMany, s.Clock.Now()) {
			tooMany(w, r)
			return
		}
		h(w, r)
	})
}

// Socket adds a websocket endpoint. session owns the connection's reading goroutine and returns when it ends.
func (s *Server) Socket(pattern string, session func(*Conn, *http.Request)) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		if s.Faults.Strikes(Refuse, s.Clock.Now()) {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		if s.Admit != nil && !s.Admit(w, r) {
			return
		}
		ws, err := s.up.Upgrade(w, r, nil)
		if err != nil {
			return // Upgrade has answered
		}
		c := &Conn{s: s, clock: s.Clock.Own(), faults: s.Faults.Part(), ws: ws, out: make(chan frame, 4096), done: make(chan struct{})}
		if !s.enter(c) {
			ws.Close()
			return
		}
		ws.SetPongHandler(c.alive)
		c.alive("")
		s.wg.Go(c.write)
		session(c, r)
		c.Close()
		<-c.done
		s.leave(c)
	})
}

func (s *Server) enter(c *Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.conns = append(s.conns, c)
	s.wg.Add(1)
	return true
}

func (s *Server) leave(c *Conn) {
	s.mu.Lock()
	s.conns = slices.DeleteFunc(s.conns, func(x *Conn) bool { return x == c })
	s.mu.Unlock()
	s.wg.Done()
}

// Trade is Serve while a market moves: step lets each span of it happen.
func (s *Server) Trade(ctx context.Context, every venue.Nanos, step func(now venue.Nanos)) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var moving sync.WaitGroup
	clock := s.Clock.Own()
	moving.Go(func() {
		for clock.Sleep(ctx, every) == nil {
			step(clock.Now())
		}
	})
	err := s.Serve(ctx)
	stop() // a server that failed has no market
	moving.Wait()
	return err
}

// Serve answers until ctx ends; it returns when every connection is over.
func (s *Server) Serve(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { s.Close() })
	defer stop()
	err := s.http.Serve(s.ln)
	s.wg.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Close ends every connection and the listener.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	for _, c := range s.conns {
		c.cut()
	}
	s.mu.Unlock()
	return s.http.Close()
}

// CutAll ends every websocket.
func (s *Server) CutAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		c.Close()
	}
}

// Conn is the server's end of one websocket.
type Conn struct {
	// Delivered, where not nil, sees each message of Send as it leaves: after the faults, in order, under Send's caller. For
	// venues whose clients count messages. Set it before the first Send.
	Delivered func(msg []byte)
	// Binary says that what Send takes is no text. Set it before the first Send.
	Binary bool

	s      *Server
	clock  *wire.Clock // the writing goroutine's
	faults *Faults
	ws     *websocket.Conn
	out    chan frame
	done   chan struct{}
	once   sync.Once

	mu     sync.Mutex
	kept   []byte      // a message that Reorder holds back
	lose   int64       // messages that a Burst has still to lose
	silent venue.Nanos // say nothing until then
	late   venue.Nanos // nothing leaves before then
}

// frame is a message on its way out, which must not leave before an instant; a kind of 0 ends the connection.
type frame struct {
	kind int
	data []byte
	late venue.Nanos
}

// Read is the client's next message; an error when the connection is over.
func (c *Conn) Read() ([]byte, error) {
	_, m, err := c.ws.ReadMessage()
	return m, err
}

// alive gives the client another minute to answer a ping, as Binance does.
func (c *Conn) alive(string) error {
	return c.ws.SetReadDeadline(c.clock.Deadline(60 * venue.Second))
}

// Reply sends a control message, which no fault touches but a cut.
func (c *Conn) Reply(msg []byte) { c.queue(frame{kind: websocket.TextMessage, data: msg}) }

// Send sends a market-data message through the faults. corrupt, where not nil, makes the message that BadChecksum sends.
func (c *Conn) Send(msg []byte, corrupt func([]byte) []byte) {
	now := c.clock.Now()
	f := c.faults
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.lose > 0:
		c.lose--
		f.Ended(now)
		return
	case now < c.silent:
		f.Ended(now)
		return
	case f.Strikes(Disconnect, now):
		c.Close()
		return
	case f.Strikes(Silence, now):
		c.silent = now + venue.Nanos(f.Amount(4000))*venue.Millisecond
		return
	case f.Strikes(Burst, now):
		c.lose = 1 + f.Amount(20)
		return
	case f.Strikes(Drop, now):
		return
	case f.Strikes(Delay, now):
		c.late = now + venue.Nanos(f.Amount(200))*venue.Millisecond
	}
	if corrupt != nil && f.Strikes(BadChecksum, now) {
		msg = corrupt(msg)
	} else if f.Strikes(Garble, now) {
		msg = append([]byte(nil), msg[:len(msg)/2]...)
	}
	if c.kept == nil && f.Strikes(Reorder, now) {
		c.kept = msg
		return
	}
	c.deliver(msg)
	if c.kept != nil {
		c.deliver(c.kept)
		c.kept = nil
	}
	if f.Strikes(Duplicate, now) {
		c.deliver(msg)
	}
}

func (c *Conn) deliver(msg []byte) {
	if c.Delivered != nil {
		c.Delivered(msg)
	}
	kind := websocket.TextMessage
	if c.Binary {
		kind = websocket.BinaryMessage
	}
	c.queue(frame{kind, msg, c.late})
}

// queue hands a message to the writing goroutine; a client that does not read is cut, as venues do.
func (c *Conn) queue(f frame) {
	select {
	case c.out <- f:
	default:
		c.cut()
	}
}

// Close ends the connection behind what is on its way out: how much of that still leaves is not the machine's to say.
func (c *Conn) Close() { c.queue(frame{}) }

// cut ends the connection at once.
func (c *Conn) cut() {
	c.once.Do(func() {
		close(c.done)
		c.ws.UnderlyingConn().Close()
	})
}

// Done is closed when the connection is over.
func (c *Conn) Done() <-chan struct{} { return c.done }

// write is the writing goroutine: messages in order, and a ping frame every 20 s, which goes before a message that waits too:
// of several that are ready select takes one at random.
func (c *Conn) write() {
	defer c.cut()
	t := c.clock.Timer(20 * venue.Second)
	defer func() { t.Stop() }()
	ping := func() bool {
		t = c.clock.Timer(20 * venue.Second)
		return c.ws.WriteControl(websocket.PingMessage, nil, c.clock.Deadline(5*venue.Second)) == nil
	}
	for ok := true; ok; {
		select {
		case <-t.C:
			ok = ping()
			continue
		default:
		}
		select {
		case <-c.done:
			return
		case <-t.C:
			ok = ping()
		case f := <-c.out:
			if f.kind == 0 || !c.wait(f.late) {
				return
			}
			c.ws.SetWriteDeadline(c.clock.Deadline(5 * venue.Second))
			ok = c.ws.WriteMessage(f.kind, f.data) == nil
		}
	}
}

// wait holds the stream up where Delay says so. False when the connection ended meanwhile.
func (c *Conn) wait(late venue.Nanos) bool {
	left := late - c.clock.Now()
	if left <= 0 {
		return true
	}
	t := c.clock.Timer(left)
	defer t.Stop()
	select {
	case <-t.C:
		c.faults.Ended(c.clock.Now())
		return true
	case <-c.done:
		return false
	}
}
