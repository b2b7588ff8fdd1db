package coinbase

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// cancelsAtOnce is the most orders of one batch_cancel.
const cancelsAtOnce = 100

// sender owns one line and sends on it, a command at a time.
type sender struct {
	g       *Gateway
	line    *line
	only    bool // takes cancels only
	orders  *Orders
	body    []byte
	request []byte
	warm    []byte
	backoff wire.Backoff
	clock   *wire.Clock
	// Of the batch in work.
	cancels []venue.Command
	ids     []string
}

func newSender(g *Gateway, cancelsOnly bool, seed uint64) *sender {
	s := &sender{g: g, clock: g.clock.Own(), only: cancelsOnly, orders: NewOrders(g.host, g.Instruments), body: make([]byte, 0, 8<<10), request: make([]byte, 0, 8<<10),
		warm: g.target.warm(), backoff: wire.Backoff{Min: 50 * venue.Millisecond, Max: 5 * venue.Second}}
	s.backoff.Seed(seed)
	return s
}

// run keeps a line open and serves it until ctx ends.
func (s *sender) run(ctx context.Context) {
	g := s.g
	for ctx.Err() == nil {
		if s.clock.Turn(ctx) != nil {
			return
		}
		l, err := g.dial(ctx)
		if err != nil {
			if g.clock.Sleep(ctx, s.backoff.Next()) != nil {
				return
			}
			continue
		}
		s.line = l
		s.opened(1)
		s.serve(ctx)
		s.opened(-1)
		l.close()
	}
}

func (s *sender) opened(n int32) {
	s.g.upAny.Add(n)
	if !s.only {
		s.g.up.Add(n)
	}
}

// serve sends what is queued, cancels first, until the line or ctx ends.
func (s *sender) serve(ctx context.Context) {
	g := s.g
	news := g.news
	if s.only {
		news = nil
	}
	idle := g.clock.Timer(warmEvery)
	defer idle.Stop()
	for s.line.alive() && ctx.Err() == nil {
		select {
		case c := <-g.cancels:
			s.do(ctx, &c)
			continue
		default:
		}
		select {
		case <-ctx.Done():
			return
		case <-s.line.dead:
			return
		case c := <-g.cancels:
			s.do(ctx, &c)
		case c := <-news:
			s.do(ctx, &c)
		case <-idle.C:
			if a, f := s.line.ask(ctx, nil, s.warm); f == answered && a.status == http.StatusOK {
				s.backoff.Reset()
			}
			idle = g.clock.Timer(warmEvery)
		}
	}
}

func (s *sender) do(ctx context.Context, c *venue.Command) {
	switch c.Op {
	case venue.New:
		s.place(ctx, c)
	case venue.Amend:
		s.edit(ctx, c)
	case venue.Cancel:
		s.cancel(ctx, c)
	case venue.CancelAll:
		s.cancelAll(ctx, c)
	}
}

// may reports whether a new order or edit may leave now, within its share of the allowance.
func (g *Gateway) may(c *venue.Command) venue.Reason {
	if g.Kill.Blocks(c) {
		return venue.Killed
	}
	if g.late(c) {
		g.count.Late.Add(1)
		return venue.Late
	}
	if _, ok := g.orders.Try(1); !ok {
		return venue.OrderRate // ours, not the venue's: nothing left
	}
	if _, ok := g.all.Try(1); !ok {
		return venue.OrderRate // an order that had to wait would be another order
	}
	return venue.OK
}

// post sends a request of the order side. c is the order or edit that it carries, nil for cancels.
func (s *sender) post(ctx context.Context, c *venue.Command, p Post, body []byte) (answer, fate) {
	g := s.g
	bearer, err := g.rest.bearer(http.MethodPost, p.Path())
	if err != nil {
		return answer{}, unsent
	}
	s.request = s.orders.Request(s.request[:0], p, bearer, body)
	a, f := s.line.ask(ctx, c, s.request)
	if f != unsent && f != killed {
		g.count.Sent.Add(1)
	}
	if f == answered {
		s.backoff.Reset()
		g.rest.heed(a.status, a.header)
	}
	return a, f
}

// place sends a new order and reports what became of it; what waited for its order id goes on then.
func (s *sender) place(ctx context.Context, c *venue.Command) {
	g := s.g
	t := g.begin(c, g.clock.Now())
	why := g.may(c)
	if why == venue.OK {
		var a answer
		var f fate
		s.body, _ = s.orders.Create(s.body[:0], t.in, c) // Submit has looked
		a, f = s.post(ctx, c, PostCreate, s.body)
		why = g.created(c, t, a, f)
	}
	if why != venue.OK {
		g.mu.Lock()
		g.drop(g.ctx, g.out, t, why, g.clock.Now())
		g.mu.Unlock()
	}
	g.mu.Lock()
	g.creating[c.Slot].CompareAndSwap(c.Client, 0)
	next := g.waiting[c.Client]
	delete(g.waiting, c.Client)
	g.mu.Unlock()
	for i := range next {
		if s.line.alive() {
			s.do(ctx, &next[i])
		} else if !send(g.cancels, &next[i]) {
			g.unsent(&next[i], venue.RingFull)
		}
	}
}

// await keeps a command for an order whose create has not been answered, and reports whether it did.
func (g *Gateway) await(c *venue.Command) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if int(c.Slot) >= len(g.creating) || c.Target == 0 || g.creating[c.Slot].Load() != c.Target {
		return false
	}
	g.waiting[c.Target] = append(g.waiting[c.Target], *c)
	return true
}

// idOf is the venue's id of a command's order; "" when it is not known. done says that the order has ended.
func (g *Gateway) idOf(c *venue.Command) (t *track, id string, done bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if t = g.find(c); t == nil {
		return nil, "", false
	}
	return t, t.id, t.ended
}

// edit gives an order a new price and total.
func (s *sender) edit(ctx context.Context, c *venue.Command) {
	g := s.g
	if g.await(c) {
		return
	}
	t, id, done := g.idOf(c)
	if done || id == "" {
		g.unsent(c, venue.UnknownTarget)
		return
	}
	if why := g.may(c); why != venue.OK {
		g.unsent(c, why)
		return
	}
	s.body = s.orders.Edit(s.body[:0], t.in, id, c.Price, c.Qty)
	a, f := s.post(ctx, c, PostEdit, s.body)
	g.edited(c, t, a, f)
}

// cancel cancels an order, and with it the others whose cancels wait: first those whose id is known.
func (s *sender) cancel(ctx context.Context, c *venue.Command) {
	g := s.g
	s.cancels, s.ids = s.cancels[:0], s.ids[:0]
	var unknown []venue.Command
	var later *venue.Command
	for c != nil {
		if c.Op != venue.Cancel {
			later = c
			break
		}
		if !s.gather(c) {
			unknown = append(unknown, *c)
		}
		c = nil
		if len(s.ids) < cancelsAtOnce {
			c = g.another()
		}
	}
	if len(s.ids) > 0 {
		s.batch(ctx)
	}
	for i := range unknown {
		s.seek(ctx, &unknown[i])
	}
	if later != nil {
		s.do(ctx, later)
	}
}

// another takes a queued cancel, nil when there is none.
func (g *Gateway) another() *venue.Command {
	select {
	case c := <-g.cancels:
		return &c
	default:
		return nil
	}
}

// gather adds a cancel to the batch, unless it has to wait or there is nothing to cancel. False when the order's id is not
// known.
func (s *sender) gather(c *venue.Command) bool {
	g := s.g
	if g.await(c) {
		return true
	}
	_, id, done := g.idOf(c)
	switch {
	case done:
		g.unsent(c, venue.UnknownTarget)
	case id == "":
		return false
	default:
		s.cancels, s.ids = append(s.cancels, *c), append(s.ids, id)
	}
	return true
}

// seek cancels an order whose id has to be asked for: its create had no answer, or another process placed it.
func (s *sender) seek(ctx context.Context, c *venue.Command) {
	g := s.g
	s.cancels, s.ids = s.cancels[:0], s.ids[:0]
	if err := g.reconcile(ctx); err != nil {
		g.unsent(c, reasonOf(err))
		return
	}
	if !s.gather(c) {
		g.unsent(c, venue.UnknownTarget)
	}
	if len(s.ids) > 0 {
		s.batch(ctx)
	}
}

// batch sends the gathered cancels as one request.
func (s *sender) batch(ctx context.Context) {
	g := s.g
	if err := g.all.Wait(ctx, g.clock, 1); err != nil {
		for i := range s.cancels {
			g.unsent(&s.cancels[i], venue.SessionClosed)
		}
		return
	}
	now := g.clock.Now()
	g.mu.Lock()
	for _, id := range s.ids {
		if t := g.byID[id]; t != nil {
			t.cancelAsked = now
		}
	}
	g.mu.Unlock()
	s.body = s.orders.Cancel(s.body[:0], s.ids...)
	a, f := s.post(ctx, nil, PostCancel, s.body)
	g.cancelled(s.cancels, s.ids, a, f)
}

// cancelAll cancels every open order of ours, of one instrument where the command names one: the venue has no such
// request, so open orders are listed and cancelled until none is left, a few times at most.
func (s *sender) cancelAll(ctx context.Context, c *venue.Command) {
	g := s.g
	for round := range 3 {
		list, err := g.rest.open(ctx, g.symbols)
		if err != nil {
			if round == 2 {
				g.unsent(c, reasonOf(err))
			}
			continue
		}
		s.ids, s.cancels = s.ids[:0], s.cancels[:0]
		g.mu.Lock()
		for i := range list {
			o := &list[i]
			if !o.ours || o.in == nil || c.Inst != 0 && o.in.Inst != c.Inst || o.pending || o.status == cancelQueued {
				continue
			}
			g.book(g.ctx, g.out, &o.stated, venue.Recovered)
			s.ids = append(s.ids, string(o.id))
		}
		g.mu.Unlock()
		if len(s.ids) == 0 {
			return
		}
		for len(s.ids) > 0 && s.line.alive() && ctx.Err() == nil {
			rest := s.ids[min(len(s.ids), cancelsAtOnce):]
			s.ids = s.ids[:len(s.ids)-len(rest)]
			s.batch(ctx)
			s.ids = append(s.ids[:0], rest...)
		}
		if !s.line.alive() {
			if !send(g.cancels, c) {
				g.unsent(c, venue.ConnectionLost)
			}
			return
		}
	}
}

// reasonOf says why a question failed.
func reasonOf(err error) venue.Reason {
	var e *wire.Error
	if errors.As(err, &e) {
		switch e.Kind {
		case wire.RateLimited:
			return venue.RateLimited
		case wire.Auth:
			return venue.AuthFailed
		case wire.Protocol:
			return venue.Malformed
		}
	}
	return venue.ConnectionLost
}

// heed believes what the venue says of its allowance (section 5).
func (r *rest) heed(code int, h http.Header) {
	left, err := strconv.ParseInt(h.Get("X-Ratelimit-Remaining"), 10, 64)
	known := err == nil && left >= 0
	if known && left < privatePerSecond {
		r.all.Stated(privatePerSecond - left)
	}
	if code == http.StatusTooManyRequests || known && left == 0 {
		r.all.Close(resetOf(h, r.clock.Now()))
	}
}

// resetOf is how long until the allowance is whole again: the header is seconds, or an instant in Unix seconds, or absent.
func resetOf(h http.Header, now venue.Nanos) venue.Nanos {
	n, err := strconv.ParseInt(h.Get("X-Ratelimit-Reset"), 10, 64)
	wait := venue.Second
	switch {
	case err != nil || n <= 0:
	case n < 1_000_000:
		wait = venue.Nanos(n) * venue.Second
	case n < 1<<33: // beyond it nanoseconds would overflow
		wait = venue.Nanos(n)*venue.Second - now
	}
	return min(max(wait, 50*venue.Millisecond), 60*venue.Second)
}
