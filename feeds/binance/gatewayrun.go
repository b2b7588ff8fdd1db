package binance

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/valyala/fastjson"

	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

const (
	// lifetime is when a connection is replaced on our own terms; the venue cuts it at 24 h.
	lifetime = 23 * 3600 * venue.Second
	// linger is how long past its time a connection is kept for answers that are on their way.
	linger = 10 * venue.Second
	tick   = 20 * venue.Millisecond
)

// errStop ends a connection that has to be made anew.
var errStop = errors.New("the session is over")

// Run keeps the session alive until ctx ends, and then returns nil. It returns a *wire.Error of kind Auth when the venue
// refuses our key or clock: the venue must then be stopped.
func (g *Gateway) Run(ctx context.Context, out venue.Reports) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g.mu.Lock()
	g.out, g.ctx = out, ctx
	g.mu.Unlock()
	var wg sync.WaitGroup
	wg.Go(func() { g.keep(ctx) })
	wg.Go(func() { g.rest.run(ctx) })
	attempts := g.o.Limits.Connections
	back := wire.Backoff{Min: 50 * venue.Millisecond, Max: 10 * venue.Second}
	back.Seed(g.o.Seed)
	var failed error
	for failed == nil && attempts.Wait(ctx, g.o.Clock, 1) == nil {
		if wait := venue.Nanos(g.shut.Load()) - g.o.Clock.Now(); wait > 0 && g.o.Clock.Sleep(ctx, wait) != nil {
			break
		}
		ready, err := g.once(ctx)
		g.mu.Lock()
		failed = g.failed
		g.mu.Unlock()
		if ready {
			back.Reset()
		}
		var e *wire.Error
		if errors.As(err, &e) && e.Kind == wire.RateLimited {
			attempts.Close(back.Max)
		}
		if failed == nil && g.o.Clock.Sleep(ctx, back.Next()) != nil {
			break
		}
	}
	cancel()
	wg.Wait()
	return failed
}

// once is the life of one connection; ready says that orders could leave.
func (g *Gateway) once(ctx context.Context) (ready bool, err error) {
	if g.v.futures {
		var stop func()
		if ctx, stop, err = g.guarded(ctx); err != nil {
			return false, err
		}
		defer stop()
	}
	l, err := dialLine(ctx, &g.o.GatewayConfig, g.o.WS+g.v.wsPath)
	if err != nil {
		return false, err
	}
	defer l.tail.Close()
	stop := context.AfterFunc(ctx, l.close)
	defer stop()
	s := &session{l: l}
	g.mu.Lock()
	g.hello(l)
	g.mu.Unlock()
	err = g.read(s, g.handle)
	g.line.CompareAndSwap(l, nil)
	l.tail.Close()
	g.mu.Lock()
	if s.ready {
		g.count.Losses.Add(1)
		g.down(g.o.Clock.Now())
	}
	g.mu.Unlock()
	return s.ready, err
}

// session is one connection while it is read.
type session struct {
	l     *line
	ready bool
	over  bool
	asked venue.Nanos // when the time was asked for
}

// read takes messages until the connection ends.
func (g *Gateway) read(s *session, handle func(*session, venue.Nanos, []byte)) error {
	ws := s.l.ws
	alive := func() { ws.SetReadDeadline(g.o.Clock.Deadline(g.v.silence)) }
	alive()
	pong := ws.PingHandler()
	ws.SetPingHandler(func(data string) error { alive(); return pong(data) })
	var buf []byte
	for {
		var err error
		if buf, err = s.l.fill(buf); err != nil {
			return err
		}
		recv := g.o.Clock.Now()
		alive()
		first := !s.ready
		g.mu.Lock()
		handle(s, recv, buf)
		g.publish()
		g.mu.Unlock()
		if first && s.ready && g.count.Connects.Add(1) > 1 && g.o.Lost != nil {
			g.o.Lost()
		}
		if s.over {
			return errStop
		}
	}
}

// handle takes one message. Under mu.
func (g *Gateway) handle(s *session, recv venue.Nanos, msg []byte) {
	v, err := g.parser.ParseBytes(msg)
	if err != nil {
		g.count.Damaged.Add(1)
		s.over = true // what it said is found by queries and Sweep
		return
	}
	if e := v.Get("event"); e != nil {
		g.event(s, recv, e)
		return
	}
	g.limits(v.GetArray("rateLimits"))
	id := v.GetStringBytes("id")
	switch string(id) {
	case "logon", "user", "time":
		g.greeted(s, recv, string(id), v)
		return
	}
	mark, client, ok := parse(id)
	if !ok {
		if v.GetInt("status") != 200 { // the venue speaks first when a key is withdrawn
			g.refusal(s, v)
		}
		return
	}
	g.answer(s, recv, mark, client, v)
}

// hello begins a session: by logon where the key allows it, else by a signed subscription, or by a signed question where the
// stream has a connection of its own. Under mu.
func (g *Gateway) hello(l *line) {
	if g.v.futures && !g.signer.Session() {
		g.coldBuf = g.cold.Balances(g.coldBuf[:headroom], "user", g.o.Clock.Now()+venue.Nanos(g.offset.Load()))
		g.sendCold(l)
		return
	}
	at := strconv.FormatInt(int64((g.o.Clock.Now()+venue.Nanos(g.offset.Load()))/venue.Millisecond), 10)
	key := string(g.o.Key.Reveal())
	payload := "apiKey=" + key + "&timestamp=" + at
	id, method := "logon", "session.logon"
	if !g.signer.Session() {
		id, method = "user", "userDataStream.subscribe.signature"
	}
	m := `{"id":"` + id + `","method":"` + method + `","params":{"apiKey":"` + key + `","signature":"`
	b := g.signer.Append(append(g.coldBuf[:headroom], m...), []byte(payload))
	g.coldBuf = append(b, `","timestamp":`+at+`}}`...)
	g.sendCold(l)
}

// sendCold sends what coldBuf holds. Under mu.
func (g *Gateway) sendCold(l *line) bool { return l.send(g.coldF.seal(g.coldBuf)) == venue.Out }

// greeted takes the answers that make a session.
func (g *Gateway) greeted(s *session, recv venue.Nanos, id string, v *fastjson.Value) {
	if v.GetInt("status") != 200 {
		g.refusal(s, v)
		return
	}
	switch id {
	case "time":
		server := venue.Nanos(v.GetInt64("result", "serverTime")) * venue.Millisecond
		g.offset.Store(int64(server - (s.asked+recv)/2))
		g.fixed = true
		if !s.ready {
			g.hello(s.l)
		}
	case "logon":
		if g.v.futures {
			s.ready = true
			g.line.Store(s.l)
			return
		}
		g.coldBuf = append(g.coldBuf[:headroom], `{"id":"user","method":"userDataStream.subscribe"}`...)
		g.sendCold(s.l)
	case "user":
		s.ready = true
		g.line.Store(s.l)
	}
}

// refusal takes an error that is about the session itself.
func (g *Gateway) refusal(s *session, v *fastjson.Value) {
	code := v.GetInt("error", "code")
	f, _ := classify(v.GetInt("status"), code, v.GetStringBytes("error", "msg"))
	switch f {
	case offClock:
		g.setClock(s)
	case badKey:
		g.stop(s, v)
	default:
		g.hold(f, code, v)
		s.over = true
	}
}

// setClock asks for the venue's time, once; a second complaint without success in between is the end.
func (g *Gateway) setClock(s *session) {
	if g.fixed {
		g.stop(s, nil)
		return
	}
	if g.v.futures { // where REST tells the time
		g.adrift, s.over = true, true
		return
	}
	s.asked = g.o.Clock.Now()
	g.coldBuf = append(g.coldBuf[:headroom], `{"id":"time","method":"time"}`...)
	g.sendCold(s.l)
}

// stop ends the gateway: our key or clock is wrong.
func (g *Gateway) stop(s *session, v *fastjson.Value) {
	s.over = true
	err := errors.New("the venue's clock and ours differ by more than it allows, even after ours was set by it")
	if v != nil {
		err = fmt.Errorf("account %q: code %d: %s", g.o.Account, v.GetInt("error", "code"), v.GetStringBytes("error", "msg"))
	}
	g.failed = &wire.Error{Venue: "binance", Op: "log on", Kind: wire.Auth, Err: err}
}

// limits believes what the venue says it has counted.
func (g *Gateway) limits(all []*fastjson.Value) {
	now := g.o.Clock.Now()
	for _, r := range all {
		count, limit := r.GetInt64("count"), r.GetInt64("limit")
		switch string(r.GetStringBytes("rateLimitType")) {
		case "REQUEST_WEIGHT":
			g.rest.weight.Stated(count)
		case "ORDERS":
			if venue.Nanos(r.GetInt64("intervalNum"))*interval(r.GetStringBytes("interval")) == 10*venue.Second {
				g.rate.limit(limit)
			}
			if count >= limit {
				span := venue.Nanos(r.GetInt64("intervalNum")) * interval(r.GetStringBytes("interval"))
				if span > 0 {
					at := now + venue.Nanos(g.offset.Load())
					g.full.Store(max(g.full.Load(), int64(now+span-at%span)))
				}
			}
		}
	}
}

func interval(name []byte) venue.Nanos {
	switch string(name) {
	case "SECOND":
		return venue.Second
	case "MINUTE":
		return 60 * venue.Second
	case "HOUR":
		return 3600 * venue.Second
	case "DAY":
		return 24 * 3600 * venue.Second
	}
	return 0
}

// hold keeps quiet for as long as an error asks for.
func (g *Gateway) hold(f fate, code int, v *fastjson.Value) {
	if f != limited && f != banned {
		return
	}
	now := g.o.Clock.Now()
	until := now + venue.Second
	if f == banned {
		until = now + 120*venue.Second
	}
	if at := v.GetInt64("error", "data", "retryAfter"); at > 0 {
		until = venue.Nanos(at)*venue.Millisecond - venue.Nanos(g.offset.Load())
	}
	until = min(until, now+72*3600*venue.Second) // the longest ban there is
	at := &g.shut
	if code == -1015 {
		at = &g.full // too many orders: cancels may go on
	}
	at.Store(max(at.Load(), int64(until)))
}

// down turns every request without an answer into one of unknown fate. Under mu.
func (g *Gateway) down(now venue.Nanos) {
	for i := range g.ids.slots {
		g.overdue(uint32(i), now, now, venue.ConnectionLost)
	}
	for i := range g.asks {
		g.asks[i].busy = 0
	}
	g.publish()
}

// overdue asks after what slot i sent at or before an instant and has no answer to.
func (g *Gateway) overdue(i uint32, before, now venue.Nanos, why venue.Reason) {
	s := &g.ids.slots[i]
	owner := s.owner.Load()
	if owner == 0 {
		return
	}
	if at := s.asked.Load(); at != 0 && venue.Nanos(at) <= before && s.asked.CompareAndSwap(at, 0) {
		g.unknown(i, owner, venue.Op(s.op.Load()), venue.Nanos(at), now, why)
	}
	if at := s.quit.Load(); at != 0 && venue.Nanos(at) <= before && s.quit.CompareAndSwap(at, 0) {
		g.unknown(i, owner, venue.Cancel, venue.Nanos(at), now, why)
	}
}

// keep looks after what has no answer, what is unknown, and the connection's age.
func (g *Gateway) keep(ctx context.Context) {
	for g.o.Clock.Sleep(ctx, tick) == nil {
		now := g.o.Clock.Now()
		l := g.line.Load()
		if l != nil {
			if over := now - venue.Nanos(l.until.Load()); over >= linger || over >= 0 && g.quiet() {
				l.close()
				continue
			}
		}
		g.mu.Lock()
		for i := range g.ids.slots {
			g.overdue(uint32(i), now-g.o.Answer, now, venue.Timeout)
		}
		if l != nil && now >= venue.Nanos(g.shut.Load()) {
			g.query(l, now)
		}
		g.publish()
		g.mu.Unlock()
	}
}

// quiet reports whether no request waits for its answer.
func (g *Gateway) quiet() bool {
	for i := range g.ids.slots {
		if s := &g.ids.slots[i]; s.asked.Load()|s.quit.Load() != 0 {
			return false
		}
	}
	return true
}

// report opens a report of the order of owner; the pointer is good until the next one. Under mu.
func (g *Gateway) report(k venue.ReportKind, i uint32, owner uint64, inst venue.Inst, recv, at venue.Nanos) *venue.Report {
	g.reports = append(g.reports, venue.Report{})
	r := &g.reports[len(g.reports)-1]
	r.Kind, r.Venue, r.Inst, r.Slot, r.Client, r.Recv, r.At = k, g.o.Venue, inst, i, owner, recv, at
	switch k {
	case venue.Ack:
		g.count.Acks.Add(1)
	case venue.Fill:
		g.count.Fills.Add(1)
	case venue.RejectedReport:
		g.count.Rejects.Add(1)
	case venue.Cancelled:
		g.count.Cancels.Add(1)
	}
	return r
}

// publish hands the reports on; a full ring makes it wait. Under mu.
func (g *Gateway) publish() {
	g.hand(g.ctx, g.out)
}

func (g *Gateway) hand(ctx context.Context, out venue.Reports) {
	for n := 0; n < len(g.reports); {
		end := min(n+16, len(g.reports))
		if out.Put(g.reports[n:end]) == venue.OK {
			n = end
			continue
		}
		if g.o.Clock.Sleep(ctx, 20*venue.Microsecond) != nil {
			break
		}
	}
	g.reports = g.reports[:0]
}
