package kraken

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/gorilla/websocket"
	"github.com/valyala/fastjson"

	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// tick is how often the private stream looks for what is overdue.
const tick = 100 * venue.Millisecond

// control is a request of the stream itself.
type control uint8

const (
	subscribeExecutions control = iota + 1
	subscribeBalances
	unsubscribe
	armDeadMan
	disarm
)

// session is one private connection as its own goroutines see it. Gateway.mu guards what changes.
type session struct {
	*link
	ws       *websocket.Conn
	token    string
	controls map[uint64]control
	asked    map[uint64]venue.Nanos
	armed    venue.Nanos // until when the countdown is known to run
	arming   venue.Nanos // when it was last asked for
	whole    [2]bool     // the snapshot of executions, balances has come
	disarmed chan struct{}
}

// connect keeps a private connection alive until ctx ends.
func (g *Gateway) connect(ctx context.Context) error {
	backoff := wire.Backoff{Min: 250 * venue.Millisecond, Max: 30 * venue.Second}
	backoff.Seed(g.cfg.Seed)
	for ctx.Err() == nil {
		if g.cfg.Limits.Connections.Wait(ctx, g.cfg.Clock, 1) != nil {
			break
		}
		lived, err := g.once(ctx)
		var e *wire.Error
		if ctx.Err() == nil && errors.As(err, &e) && e.Kind == wire.Auth {
			return err
		}
		if lived > 2*venue.Second {
			backoff.Reset()
		}
		if g.cfg.Clock.Sleep(ctx, backoff.Next()) != nil {
			break
		}
	}
	return nil
}

// once is the life of one connection; it returns how long it lived and what ended it.
func (g *Gateway) once(ctx context.Context) (lived venue.Nanos, err error) {
	token, err := g.rest.token(ctx)
	if err != nil {
		return 0, err
	}
	ws, sock, err := g.dial(ctx)
	if err != nil {
		return 0, &wire.Error{Venue: "kraken", Op: "connect", Kind: wire.Transient, Err: err}
	}
	g.count.Connects.Add(1)
	began := g.cfg.Clock.Now()
	s := &session{ws: ws, token: token, controls: map[uint64]control{}, asked: map[uint64]venue.Nanos{}, disarmed: make(chan struct{}),
		link: &link{sock: sock, w: ws.NetConn(), token: fmt.Appendf(nil, `,"token":%q},"req_id":`, token)}}
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{}, 2)
	if sock.raw != nil {
		go func() { sock.flush(life, g.cfg.Clock, 5*venue.Second); ended <- struct{}{} }()
	} else {
		ended <- struct{}{}
	}
	go func() { g.watch(life, ctx, s); ended <- struct{}{} }()
	g.mu.Lock()
	g.state.seq = [2]sequence{}
	g.subscribe(s, subscribeExecutions)
	g.subscribe(s, subscribeBalances)
	g.arm(s)
	g.mu.Unlock()
	g.link.Store(s.link) // cancels may leave from now on
	err = g.read(s)
	g.link.Store(nil)
	end()
	ws.Close()
	<-ended
	<-ended
	g.lost(s)
	return g.cfg.Clock.Now() - began, err
}

// dial connects and upgrades over a socket that never blocks a write.
func (g *Gateway) dial(ctx context.Context) (*websocket.Conn, *socket, error) {
	var sock *socket
	open := func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := g.cfg.Net.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		if sock, err = newSocket(c); err != nil {
			c.Close()
			return nil, err
		}
		if g.cfg.Spin && sock.raw != nil {
			return wire.Spinning(sock, nil)
		}
		return sock, nil
	}
	d := websocket.Dialer{NetDialContext: open, HandshakeTimeout: 10 * time.Second, ReadBufferSize: 64 << 10, WriteBufferSize: 4 << 10,
		NetDialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := open(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return secure(ctx, c, g.cfg.TLS, address)
		}}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	ws, _, err := d.DialContext(ctx, g.cfg.WS+path, nil)
	if err != nil {
		return nil, nil, err
	}
	ws.SetReadLimit(mostBytes)
	return ws, sock, nil
}

// request writes a request of the stream itself. mu is held.
func (g *Gateway) request(s *session, c control, body string) {
	req := g.reqs.Add(1)
	s.controls[req], s.asked[req] = c, g.cfg.Clock.Now()
	buf := fmt.Appendf(make([]byte, frameHead, 512), `%s,"req_id":%d}`, body, req)
	if _, err := s.w.Write(masked(buf, uint32(req)*2654435761)); err != nil {
		s.ws.NetConn().Close() // the reader sees it
	}
}

func (g *Gateway) subscribe(s *session, c control) {
	channel := `"channel":"executions","snap_orders":true,"snap_trades":true,"order_status":true,"ratecounter":true`
	if c == subscribeBalances {
		channel = `"channel":"balances","snapshot":true`
	}
	g.request(s, c, fmt.Sprintf(`{"method":"subscribe","params":{%s,"token":%q}`, channel, s.token))
}

// resubscribe asks for a fresh snapshot of a channel.
func (g *Gateway) resubscribe(s *session, which int) {
	name, again := "executions", subscribeExecutions
	if which == balances {
		name, again = "balances", subscribeBalances
	}
	s.whole[which] = false
	s.ready.Store(false)
	g.state.seq[which].gap = true
	g.request(s, unsubscribe, fmt.Sprintf(`{"method":"unsubscribe","params":{"channel":%q,"token":%q}`, name, s.token))
	g.subscribe(s, again)
}

// arm asks the venue to cancel everything unless it hears from us again.
func (g *Gateway) arm(s *session) {
	if g.cfg.NoDeadMan {
		return
	}
	s.arming = g.cfg.Clock.Now()
	g.request(s, armDeadMan, fmt.Sprintf(`{"method":"cancel_all_orders_after","params":{"timeout":%d,"token":%q}`, deadMan/venue.Second, s.token))
}

// watch refreshes the countdown, finds what is overdue, and ends the connection with ctx: cleanly, that is disarmed.
func (g *Gateway) watch(life, ctx context.Context, s *session) {
	t := g.cfg.Clock.Timer(tick)
	defer t.Stop()
	for {
		select {
		case <-life.Done():
			return
		case <-ctx.Done():
			g.leave(life, s)
			return
		case <-t.C:
			t.Reset(time.Duration(tick))
			g.look(s)
		}
	}
}

func (g *Gateway) look(s *session) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.cfg.Clock.Now()
	g.catchUp()
	g.overdue(now, false)
	g.deliver(g.ctx, g.out)
	if now-s.arming >= deadManEvery {
		g.arm(s)
	}
	if !g.cfg.NoDeadMan && now > s.armed {
		s.ready.Store(false) // the venue may have cancelled everything, or be about to
	}
	for req, at := range s.asked { // each is judged by itself
		if now-at > answerWithin {
			if c := s.controls[req]; c != armDeadMan && c != disarm {
				s.ws.NetConn().Close() // a stream that does not start is no stream
			}
			delete(s.asked, req)
		}
	}
}

// leave disarms the countdown, so that what is meant to stay at the venue stays, and closes.
func (g *Gateway) leave(life context.Context, s *session) {
	g.mu.Lock()
	s.ready.Store(false)
	g.link.Store(nil)
	if !g.cfg.NoDeadMan {
		g.request(s, disarm, fmt.Sprintf(`{"method":"cancel_all_orders_after","params":{"timeout":0,"token":%q}`, s.token))
	} else {
		close(s.disarmed)
	}
	g.mu.Unlock()
	t := g.cfg.Clock.Timer(2 * venue.Second)
	defer t.Stop()
	select {
	case <-s.disarmed:
	case <-t.C:
	case <-life.Done():
	}
	s.ws.NetConn().Close()
}

// read is the reading goroutine: stamp, decode, report.
func (g *Gateway) read(s *session) error {
	alive := func() { s.ws.SetReadDeadline(g.cfg.Clock.Deadline(silence)) }
	alive()
	pong := s.ws.PingHandler()
	s.ws.SetPingHandler(func(data string) error { alive(); return pong(data) })
	buf := make([]byte, 0, 64<<10)
	for {
		_, r, err := s.ws.NextReader()
		if err == nil {
			buf, err = fill(buf[:0], r)
		}
		if err != nil {
			return &wire.Error{Venue: "kraken", Op: "private stream", Kind: wire.Transient, Err: err}
		}
		alive()
		if err := g.message(s, buf, g.cfg.Clock.Now()); err != nil {
			return err
		}
	}
}

// fill reads one message.
func fill(b []byte, r io.Reader) ([]byte, error) {
	for {
		if cap(b)-len(b) < 512 {
			b = append(b, make([]byte, cap(b)+512)...)[:len(b)]
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

// message takes one message of the private connection.
func (g *Gateway) message(s *session, msg []byte, recv venue.Nanos) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.catchUp()
	var err error
	v := g.state.doc.Parse(msg)
	switch {
	case v == nil:
		g.count.Damaged.Add(1)
		g.missing(s, executions)
	case v.Exists("channel"):
		g.channelMessage(s, v, recv)
	default:
		err = g.answer(s, v, recv)
	}
	g.deliver(g.ctx, g.out)
	return err
}

func (g *Gateway) channelMessage(s *session, v *fastjson.Value, recv venue.Nanos) {
	which := executions
	switch string(v.GetStringBytes("channel")) {
	case "executions":
	case "balances":
		which = balances
	default:
		return // heartbeat and status; the market-data feed reports the latter
	}
	gap, why := g.channel(which, v, recv)
	if why != venue.OK {
		g.count.Damaged.Add(1)
	}
	if gap || why != venue.OK {
		g.missing(s, which)
		return
	}
	if wire.Is(v.Get("type"), "snapshot") {
		s.whole[which] = true
		g.live(s)
	}
}

// missing says that reports are missing and asks for a fresh snapshot.
func (g *Gateway) missing(s *session, which int) {
	g.count.Gaps.Add(1)
	g.state.missed = true
	g.resubscribe(s, which)
}

// live opens the gateway once everything stands: both snapshots and the countdown.
func (g *Gateway) live(s *session) {
	if s.ready.Load() || !s.whole[executions] || !s.whole[balances] || !g.cfg.NoDeadMan && s.armed < g.cfg.Clock.Now() {
		return
	}
	s.ready.Store(true)
	if g.state.missed && g.cfg.Lost != nil {
		g.cfg.Lost()
	}
	g.state.missed = false
}

// lost ends a connection: what had no answer on it will get none.
func (g *Gateway) lost(s *session) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s.ready.Store(false)
	g.count.Losses.Add(1)
	now := g.cfg.Clock.Now()
	g.catchUp()
	g.overdue(now, true)
	g.deliver(g.ctx, g.out)
	g.state.missed = true
}
