package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"oneprice/books/venue"
)

// SessionConfig describes one websocket connection of a venue. Spans must be set: nothing waits for ever.
type SessionConfig struct {
	// Name is for errors: the venue and what the connection is for.
	Name  string
	Net   Net
	Clock *Clock
	TLS   *tls.Config
	// Spin makes reads busy-poll on the reading goroutine's own thread instead of parking in the netpoller.
	Spin bool
	// URL is asked before each attempt; Header may be nil.
	URL    func() string
	Header func() http.Header
	// Hello is what is sent after connecting, paced by Messages.
	Hello func() [][]byte
	// Ping, where not nil, makes the venue's own heartbeat message, sent every PingEvery.
	Ping      func() []byte
	PingEvery venue.Nanos
	// Silence is how long the connection may be without a control frame or a message that the decoder did not ignore before
	// it counts as dead.
	Silence venue.Nanos
	// Dial bounds an attempt to connect, handshake included; Write bounds one write.
	Dial, Write venue.Nanos
	// MaxMessage is the largest message believed, in bytes.
	MaxMessage int64
	Backoff    Backoff
	// Proven is how long a connection must have lived, from its upgrade on, for the backoff to start anew.
	Proven venue.Nanos
	// Attempts is the venue's budget of connections, of which Leave is for others; Messages that of what we send.
	Attempts, Messages *Limiter
	Leave              int64
	// Decoder makes a fresh decoder for each connection, since sequences begin anew.
	Decoder func() Decoder
	Sink    venue.Sink
	Venue   venue.ID
	// Insts are the instruments on this connection; each gets a Gap when it is lost.
	Insts []venue.Inst
	// Opened, where not nil, is called on the reading goroutine once connected, before the first message is read; Hello may
	// still be on its way.
	Opened func()
	// Leaving, where not nil, is called on the reading goroutine when the venue says that it will end the connection (see
	// Leaver).
	Leaving func()
	// Raw, where not nil, sees every message before it is decoded.
	Raw func(recv venue.Nanos, msg []byte)
	// Report, where not nil, hears why each connection ended or could not be made, what could not be decoded, and what the
	// venue refused (see Refuser). Called on the session's goroutines, so it must not wait.
	Report func(*Error)
}

// SessionCounters are exact tallies, readable from any thread.
type SessionCounters struct {
	Attempts, Connects, Losses, Messages, Bytes, Damaged, Unknown, Refused, Dropped, Sent atomic.Uint64
}

// Session keeps one websocket connection alive and feeds its messages through a decoder into a sink. Run owns the reading
// goroutine; Send may be called from any.
type Session struct {
	cfg   SessionConfig
	pace  *Clock // the writing goroutine's
	out   chan []byte
	buf   []byte
	count SessionCounters
	drop  bool // an overflow has to be told before anything else of the connection
	conn  atomic.Pointer[websocket.Conn]
	began venue.Nanos  // of the connection, 0 while there never was one
	again atomic.Int64 // when the last backoff is over
	fault atomic.Pointer[error]
}

// NewSession makes a session that Run brings to life.
func NewSession(cfg SessionConfig) *Session {
	cfg.Clock = cfg.Clock.Own()
	return &Session{cfg: cfg, pace: cfg.Clock.Own(), out: make(chan []byte, 256), buf: make([]byte, 0, 64<<10)}
}

// SetSink names where records go; before Run.
func (s *Session) SetSink(out venue.Sink) { s.cfg.Sink = out }

// Counters are the tallies so far.
func (s *Session) Counters() *SessionCounters { return &s.count }

// Fault is why the last connection ended or could not be made, or what the venue refused on it since; nil while nothing
// was wrong. Any goroutine.
func (s *Session) Fault() error {
	if e := s.fault.Load(); e != nil {
		return *e
	}
	return nil
}

// Until is the latest instant for which the venue's budget or the backoff has held up a connection or a message, 0 never.
// Any goroutine.
func (s *Session) Until() venue.Nanos {
	at := venue.Nanos(s.again.Load())
	for _, l := range [...]*Limiter{s.cfg.Attempts, s.cfg.Messages} {
		if l != nil {
			at = max(at, l.Until())
		}
	}
	return at
}

// report hands an error of the edge to whoever listens.
func (s *Session) report(err error) {
	var e *Error
	if s.cfg.Report != nil && errors.As(err, &e) {
		s.cfg.Report(e)
	}
}

// Send queues a control message. It never blocks; false when the queue is full or the session is between connections and
// has too much queued already.
func (s *Session) Send(msg []byte) bool {
	select {
	case s.out <- msg:
		return true
	default:
		return false
	}
}

// Restart ends the current connection; Run opens another. Any goroutine, never blocks.
func (s *Session) Restart() {
	if c := s.conn.Load(); c != nil {
		c.UnderlyingConn().Close() // the reader sees it and reports the loss
	}
}

// Run connects, reads and reconnects until ctx ends; it then returns nil. Other errors are of assembly.
func (s *Session) Run(ctx context.Context) error {
	c := &s.cfg
	if c.Net == nil || c.Clock == nil || c.Silence <= 0 || c.Dial <= 0 || c.Write <= 0 || c.MaxMessage <= 0 || c.Backoff.Min <= 0 {
		return fmt.Errorf("wire: session %s lacks a network, a clock or a limit", c.Name)
	}
	for ctx.Err() == nil {
		s.began = 0
		err := s.once(ctx)
		if ctx.Err() != nil {
			break
		}
		s.fault.Store(&err)
		s.report(err)
		s.lost()
		if s.began != 0 && c.Clock.Now()-s.began > c.Proven {
			c.Backoff.Reset()
		}
		wait := c.Backoff.Next()
		s.again.Store(int64(c.Clock.Now() + wait))
		if c.Clock.Sleep(ctx, wait) != nil {
			break
		}
	}
	return nil
}

// once is the life of one connection; it returns what ended it.
func (s *Session) once(ctx context.Context) error {
	c := &s.cfg
	if c.Attempts != nil {
		if err := c.Attempts.WaitLeaving(ctx, c.Clock, 1, c.Leave); err != nil {
			return err
		}
	}
	if err := c.Clock.Turn(ctx); err != nil {
		return err
	}
	s.count.Attempts.Add(1)
	conn, err := s.dial(ctx)
	if err != nil {
		return err
	}
	s.count.Connects.Add(1)
	s.began = c.Clock.Now()
	before := s.count.Messages.Load()
	s.conn.Store(conn)
	life, end := context.WithCancel(ctx)
	written := make(chan struct{})
	go func() {
		defer close(written)
		s.write(life, conn)
	}()
	stop := context.AfterFunc(ctx, func() { conn.UnderlyingConn().Close() })
	err = s.read(ctx, conn)
	stop()
	end()
	s.conn.Store(nil)
	conn.Close()
	<-written
	if ctx.Err() == nil { // not by our own closing
		if ctx.Err() == nil {
			s.count.Losses.Add(1)
		}
	}
	if s.count.Messages.Load() == before {
		err = &Error{c.Name, "read", Transient, fmt.Errorf("%s ended before its first message: %w", where(c.URL()), errors.Unwrap(err))}
	}
	return err
}

// where is the part of an address that tells one venue's door from another's: scheme and host, and no stream names.
func where(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "a malformed address" // which the error beside it quotes
	}
	return u.Scheme + "://" + u.Host
}

// dial connects and upgrades.
func (s *Session) dial(ctx context.Context) (*websocket.Conn, error) {
	c := &s.cfg
	d := websocket.Dialer{NetDialContext: c.Net.DialContext, TLSClientConfig: c.TLS, HandshakeTimeout: time.Duration(c.Dial), ReadBufferSize: 64 << 10, WriteBufferSize: 4 << 10}
	if c.Spin {
		spin(&d, c.Net, c.TLS)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(c.Dial))
	defer cancel()
	var header http.Header
	if c.Header != nil {
		header = c.Header()
	}
	address := c.URL()
	conn, answer, err := d.DialContext(ctx, address, header)
	if err == nil {
		conn.SetReadLimit(c.MaxMessage)
		return conn, nil
	}
	kind := Transient
	if answer != nil {
		switch answer.StatusCode {
		case http.StatusTooManyRequests, http.StatusTeapot:
			kind = RateLimited
			if c.Attempts != nil { // for as long as the venue says, and at random a little longer: others were told the same
				c.Attempts.Close(max(retryAfter(answer.Header)-c.Backoff.Max/2, 0) + c.Backoff.Full())
			}
		case http.StatusUnauthorized, http.StatusForbidden:
			kind = Auth
		}
		err = fmt.Errorf("%w: %s", err, answer.Status)
	}
	var cert *tls.CertificateVerificationError
	if errors.As(err, &cert) {
		kind = Refused
	}
	return nil, &Error{c.Name, "connect", kind, fmt.Errorf("%s: %w", where(address), err)}
}

// read is the reading goroutine: stamp, decode, publish.
func (s *Session) read(ctx context.Context, conn *websocket.Conn) error {
	c := &s.cfg
	// Moving a deadline costs as much as decoding a small message, so messages move it once in a part of Silence, and that
	// part longer.
	part, moved := c.Silence/256, venue.Nanos(0)
	alive := func() { conn.SetReadDeadline(c.Clock.Deadline(c.Silence + part)) }
	alive()
	pong := conn.PingHandler()
	conn.SetPingHandler(func(data string) error { alive(); return pong(data) })
	conn.SetPongHandler(func(string) error { alive(); return nil })
	dec := c.Decoder()
	if c.Opened != nil {
		c.Opened()
	}
	for {
		_, r, err := conn.NextReader()
		if err != nil {
			return &Error{c.Name, "read", Transient, err}
		}
		msg, err := s.fill(r, alive)
		if err != nil {
			return &Error{c.Name, "read", Transient, err}
		}
		recv := c.Clock.Now()
		s.count.Messages.Add(1)
		s.count.Bytes.Add(uint64(len(msg)))
		if c.Raw != nil {
			c.Raw(recv, msg)
		}
		if s.decode(ctx, dec, recv, msg) != venue.Ignored && recv-moved >= part {
			alive() // an answer to our own request is no proof that the streams live
			moved = recv
		}
	}
}

// fill reads one message into the session's buffer, with Slack behind it. A large one may take longer than Silence to
// arrive; its bytes are proof of life.
func (s *Session) fill(r io.Reader, alive func()) ([]byte, error) {
	b := s.buf[:0]
	for {
		if cap(b)-len(b) < Slack+512 {
			b = append(b, make([]byte, cap(b)+Slack+512)...)[:len(b)]
		}
		n, err := r.Read(b[len(b) : cap(b)-Slack])
		b = b[:len(b)+n]
		if err == io.EOF {
			s.buf = b
			return b, nil
		}
		if err != nil {
			return nil, err
		}
		if len(b) > 64<<10 {
			alive()
		}
	}
}

// decode turns one message into records and publishes them. It returns what the decoder said.
func (s *Session) decode(ctx context.Context, dec Decoder, recv venue.Nanos, msg []byte) venue.Reason {
	ev, why := dec.Decode(recv, msg)
	switch why {
	case venue.OK, venue.Duplicate:
	case venue.Ignored:
		s.refused(dec)
	case venue.UnknownSymbol:
		s.count.Unknown.Add(1)
	default:
		s.count.Damaged.Add(1)
		s.report(&Error{s.cfg.Name, "decode", Protocol, errors.New(why.String())})
		s.gaps(why, recv) // what it said is lost
		return why
	}
	if len(ev) == 0 {
		return why
	}
	if s.drop && !s.gaps(venue.RingFull, recv) {
		s.count.Dropped.Add(1)
		return why
	}
	if !Publish(ctx, s.cfg.Clock, s.cfg.Sink, ev) {
		s.drop = true
		s.count.Dropped.Add(1)
	}
	return why
}

// refused passes on what the venue has just refused or announced, if that is what the ignored message was.
func (s *Session) refused(dec Decoder) {
	if v, ok := dec.(Leaver); ok && s.cfg.Leaving != nil && v.Leaving() {
		s.cfg.Leaving()
	}
	r, ok := dec.(Refuser)
	if !ok {
		return
	}
	if text := r.Refusal(); text != "" {
		s.count.Refused.Add(1)
		var err error = &Error{s.cfg.Name, "subscribe", Refused, errors.New(text)}
		s.fault.Store(&err)
		s.report(err)
	}
}

// lost tells every instrument of the connection that messages are missing.
func (s *Session) lost() { s.gaps(venue.ConnectionLost, s.cfg.Clock.Now()) }

// gaps publishes one Gap per instrument. When the ring has no room even for them the session remembers to.
func (s *Session) gaps(why venue.Reason, recv venue.Nanos) bool {
	if len(s.cfg.Insts) == 0 {
		return true
	}
	s.drop = s.cfg.Sink.Put(gapsOf(s.cfg.Venue, s.cfg.Insts, why, recv)) != venue.OK
	return !s.drop
}

// gapsOf is one Gap per instrument, at least one, as one message.
func gapsOf(v venue.ID, insts []venue.Inst, why venue.Reason, recv venue.Nanos) []venue.Event {
	ev := make([]venue.Event, len(insts))
	for i, in := range insts {
		ev[i].SetGap(v, in, why, 0, 0, recv)
		ev[i].Flags = 0
	}
	ev[len(ev)-1].Flags = venue.Last
	return ev
}

// write is the writing goroutine: hello, heartbeats, and what Send queued.
func (s *Session) write(ctx context.Context, conn *websocket.Conn) {
	c := &s.cfg
	var hello [][]byte
	if c.Hello != nil {
		hello = c.Hello()
	}
	for _, m := range hello {
		if !s.put(ctx, conn, m) {
			return
		}
	}
	every := c.PingEvery
	if c.Ping == nil || every <= 0 {
		every = 24 * 3600 * venue.Second
	}
	t := s.pace.Timer(every)
	defer func() { t.Stop() }()
	ping := func() bool {
		t = s.pace.Timer(every)
		return c.Ping == nil || s.put(ctx, conn, c.Ping())
	}
	for ok := true; ok && ctx.Err() == nil; {
		select {
		case <-t.C:
			ok = ping()
			continue
		default: // of several that are ready select takes one at random
		}
		select {
		case <-ctx.Done():
		case m := <-s.out:
			ok = s.put(ctx, conn, m)
		case <-t.C:
			ok = ping()
		}
	}
}

// put writes one message within the venue's allowance. False when the connection is over.
func (s *Session) put(ctx context.Context, conn *websocket.Conn, m []byte) bool {
	c := &s.cfg
	if c.Messages != nil && c.Messages.Wait(ctx, s.pace, 1) != nil {
		return false
	}
	conn.SetWriteDeadline(c.Clock.Deadline(c.Write))
	if err := conn.WriteMessage(websocket.TextMessage, m); err != nil {
		conn.UnderlyingConn().Close() // the reader reports it
		return false
	}
	s.count.Sent.Add(1)
	return true
}

// Publish puts a decoder's records, message part by message part. A snapshot waits for room, as long as ctx lasts; deltas
// do not. False says that the rest was dropped: the ring was full, or will never take it.
func Publish(ctx context.Context, clock *Clock, out venue.Sink, ev []venue.Event) bool {
	for len(ev) > 0 {
		n := 1
		for ev[n-1].Flags&venue.Last == 0 {
			n++
		}
		for {
			why := out.Put(ev[:n])
			if why == venue.OK {
				break
			}
			patient := why == venue.RingFull && ev[0].Kind == venue.Head && ev[0].Flags&venue.Snapshot != 0
			if !patient || clock.Sleep(ctx, 20*venue.Microsecond) != nil {
				return false
			}
		}
		ev = ev[n:]
	}
	return true
}
