package coinbase

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"oneprice/books/desk"
	"oneprice/books/venue"
	"oneprice/feeds/sign"
	"oneprice/feeds/wire"
)

// What the venue allows on its private side (venues/coinbase.md, section 5), and our own bounds.
const (
	publicREST = "https://api.coinbase.com"
	userWS     = "wss://advanced-trade-ws-user.coinbase.com"
	// privatePerSecond requests, of 30; ordersPerSecond of them may be new orders and edits, so that cancels and questions
	// keep a share of their own.
	privatePerSecond = 28
	ordersPerSecond  = 20
	// queued commands of either kind; more are refused.
	queued = 256
	// warmEvery is how long a line may be idle before it is used for nothing but to keep it open.
	warmEvery = 20 * venue.Second
	// lookEvery is how often open orders are compared with ours: the user channel may lose an update (section 7).
	lookEvery = 5 * venue.Second
	// acceptedFor is how long after a request its token, and so the request, may still be accepted.
	acceptedFor = sign.TokenLife + 30*venue.Second
)

// signedHost is the host that tokens are made for.
const signedHost = "api.coinbase.com"

// GatewayOptions is what a Gateway is made of. In GatewayConfig, REST "" and WS "" are the venue's own addresses; WS is
// that of the user channel.
type GatewayOptions struct {
	wire.GatewayConfig
	// Signer makes the tokens; its host is api.coinbase.com, whatever REST leads to. Nil takes Key and Secret.
	Signer *sign.Coinbase
	// SignEach makes a token for every request instead of using one for many: the switch for a venue that wants it.
	SignEach bool
	// Senders is the number of lines for orders, 0 for three; one more takes cancels only.
	Senders int
	// Timeout is how long an answer may take, 0 for five seconds. LookEvery is how often open orders are compared, 0 for
	// five seconds.
	Timeout, LookEvery venue.Nanos
	// Accepted is how long after a request the venue may still accept it, 0 for the life of its token and half a minute.
	Accepted venue.Nanos
}

// GatewayCounters are exact tallies, readable from any thread.
type GatewayCounters struct {
	Sent, Acks, Fills, Rejects, Unknown, Cancels, Edits, Late, Limited, Auth, Lost, Damaged, Looks, Unsaid atomic.Uint64
}

// Gateway is the order side of Coinbase Advanced Trade: orders by REST on lines that are kept open, their fate from the
// user channel (venues/coinbase.md, sections 1.6 and 2 to 5).
//
// Submit queues; a few sender goroutines, each with one line, send. A cancel or edit waits until its order's create was
// answered, since the venue wants its own order id; a cancel does not wait for an edit. No order request is ever sent twice:
// one without an answer is Unknown until the user channel, the comparison of open orders, or Sweep finds it.
//
// The venue states totals, so fills are CumulativeOnly: quantity, price and fee are differences. Sweep reports the trades
// themselves with their ids, still CumulativeOnly, so that what was told before is not booked again.
//
// Ownership: Submit belongs to the engine's thread; tracks and what is reported are guarded by mu; each line belongs to its
// sender. Reports of orders that this process neither placed nor adopted carry Slot 0 until a command names their slot.
type Gateway struct {
	GatewayOptions
	target
	pool    *sign.Pool
	rest    *rest
	insts   []*venue.Instrument // by Inst
	symbols map[string]*venue.Instrument
	session *wire.Session
	count   GatewayCounters

	news, cancels chan venue.Command
	// creating holds, by slot, the client id whose create is queued or not yet answered: Submit sets it, the sender clears
	// it.
	creating []atomic.Uint64
	// lines that are open: for orders, and in all.
	up, upAny atomic.Int32
	hears     atomic.Bool // the user channel has told its snapshot
	// all is the venue's allowance, orders the share of it for new orders and edits.
	all, orders *wire.Limiter
	look        chan struct{} // asks for a comparison now
	// denials is how often in a row the user channel was refused; too many end Run by way of failed.
	denials atomic.Int32
	failed  chan error

	mu      sync.Mutex
	ctx     context.Context // of Run
	out     venue.Reports   // of Run, nil before
	tracks  map[uint64]*track
	byID    map[string]*track
	ended   []*track // oldest first
	waiting map[uint64][]venue.Command
}

var _ venue.Gateway = (*Gateway)(nil)

// NewGateway makes a gateway, and the first tokens; Run brings it to life. The error says what is missing.
func NewGateway(o GatewayOptions) (*Gateway, error) {
	switch {
	case o.Net == nil || o.Clock == nil || o.Kill == nil || o.Currency == nil:
		return nil, errors.New("coinbase: a gateway lacks a network, a clock, a kill switch or currencies")
	case len(o.Instruments) == 0 || o.Slots < 1:
		return nil, errors.New("coinbase: a gateway without instruments or order slots")
	}
	if o.Signer == nil {
		if !o.Key.Present() {
			return nil, fmt.Errorf("coinbase: account %q has no API key", o.Account)
		}
		var err error
		if o.Signer, err = sign.NewCoinbase(string(o.Key.Reveal()), signedHost, o.Secret); err != nil {
			return nil, fmt.Errorf("coinbase: account %q: %w", o.Account, err)
		}
	}
	if o.Limits == nil {
		o.Limits = limits(o.Clock)
	}
	r, err := newRest(&o)
	if err != nil {
		return nil, err
	}
	if o.Senders == 0 {
		o.Senders = 3
	}
	if o.LookEvery == 0 {
		o.LookEvery = lookEvery
	}
	if o.Accepted == 0 {
		o.Accepted = acceptedFor
	}
	g := &Gateway{GatewayOptions: o, target: r.target, rest: r, pool: r.pool, symbols: map[string]*venue.Instrument{},
		news: make(chan venue.Command, queued), cancels: make(chan venue.Command, queued), creating: make([]atomic.Uint64, o.Slots+1),
		all: r.all, orders: wire.NewLimiter(o.Clock, ordersPerSecond, venue.Second), look: make(chan struct{}, 1), failed: make(chan error, 3),
		tracks: map[uint64]*track{}, byID: map[string]*track{}, waiting: map[uint64][]venue.Command{}}
	for _, in := range o.Instruments {
		for int(in.Inst) >= len(g.insts) {
			g.insts = append(g.insts, nil)
		}
		g.insts[in.Inst], g.symbols[in.Symbol] = in, in
	}
	g.session = g.newSession()
	return g, nil
}

// Counters are the tallies so far.
func (g *Gateway) Counters() *GatewayCounters { return &g.count }

// Ready reports whether orders can leave and their fate is heard of: all lines are open and the user channel has told what
// is open. Any thread.
func (g *Gateway) Ready() bool {
	return g.up.Load() == int32(g.Senders) && int(g.upAny.Load()) == g.Senders+1 && g.hears.Load()
}

// Run sends and listens until ctx ends; what is still queued then is reported as not sent.
func (g *Gateway) Run(ctx context.Context, out venue.Reports) error {
	g.mu.Lock()
	g.ctx, g.out = ctx, out
	g.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	for i := range g.Senders + 1 {
		s := newSender(g, i == 0, g.Seed+uint64(i))
		wg.Go(func() { s.run(ctx) })
	}
	wg.Go(func() {
		if err := g.pool.Run(ctx); ctx.Err() == nil { // it ends with ctx, or because its clock failed
			g.failed <- err
		}
	})
	wg.Go(func() {
		if err := g.session.Run(ctx); err != nil {
			g.failed <- err
		}
	})
	wg.Go(func() { g.compare(ctx) })
	var err error
	select {
	case <-ctx.Done():
	case err = <-g.failed:
		cancel()
	}
	wg.Wait()
	g.rest.client.CloseIdleConnections()
	g.empty()
	return err
}

// empty reports what was queued and will not leave any more.
func (g *Gateway) empty() {
	for {
		select {
		case c := <-g.news:
			g.unsent(&c, venue.SessionClosed)
		case c := <-g.cancels:
			g.unsent(&c, venue.SessionClosed)
		default:
			return
		}
	}
}

// Submit queues a command. NotSent when it may not leave (kill, NotAfter), when no line is open or no room is left, and for
// what the venue cannot take. Out otherwise: that it did not leave after all is then reported as a refusal of it. The
// engine's thread only; it allocates nothing and never blocks.
func (g *Gateway) Submit(c *venue.Command) venue.Sent {
	if g.Kill.Blocks(c) {
		return venue.NotSent
	}
	switch c.Op {
	case venue.New:
		if c.Slot == 0 || int(c.Slot) >= len(g.creating) || g.up.Load() == 0 || g.known(c.Inst) == nil || kindOf(c) < 0 || g.late(c) {
			return venue.NotSent
		}
		g.creating[c.Slot].Store(c.Client)
		if send(g.news, c) {
			return venue.Out
		}
		g.creating[c.Slot].Store(0)
	case venue.Amend:
		if g.up.Load() > 0 && g.known(c.Inst) != nil && c.Price > 0 && c.Qty > 0 && !g.late(c) && send(g.news, c) {
			return venue.Out
		}
	case venue.Cancel, venue.CancelAll:
		if g.upAny.Load() > 0 && send(g.cancels, c) {
			return venue.Out
		}
	}
	return venue.NotSent
}

// Adopt implements wire.Gateway. Edits leave an order its client id here.
func (g *Gateway) Adopt(o *desk.Order) {
	if g.known(o.Inst) == nil {
		return
	}
	now := g.clock.Now() // whoever sent it has sent nothing since
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.tracks[o.Client] // a sweep may have found it
	if t == nil {
		t = &track{client: o.Client, in: g.insts[o.Inst], side: o.Side, kind: o.Type, tif: o.TIF, price: o.Price, qty: o.Qty, born: o.SentAt, until: now + g.Accepted}
		if o.NotAfter != 0 {
			t.until = min(now, o.NotAfter) + g.Accepted
		}
		g.tracks[o.Client] = t
	}
	t.slot, t.unsure = o.Slot, !t.ended
	if o.NextClient != 0 {
		t.nextPrice, t.nextQty, t.nextUntil, t.nextAsk = o.NextPrice, o.NextQty, now+g.Accepted, o.NextClient
	}
	if n := int(o.Ref[0]) % len(o.Ref); n > 0 && t.id == "" {
		t.id = string(o.Ref[1 : 1+n])
		g.byID[t.id] = t
	}
	g.lookNow()
}

func send(q chan venue.Command, c *venue.Command) bool {
	select {
	case q <- *c:
		return true
	default:
		return false
	}
}

func (g *Gateway) known(i venue.Inst) *venue.Instrument {
	if int(i) >= len(g.insts) {
		return nil
	}
	return g.insts[i]
}

// late reports whether a command's time is over.
func (g *Gateway) late(c *venue.Command) bool { return c.NotAfter != 0 && g.clock.Now() > c.NotAfter }

// lost tells the engine that private messages may have been missed.
func (g *Gateway) lost() {
	g.count.Lost.Add(1)
	if g.Lost != nil {
		g.Lost()
	}
	g.lookNow()
}

// lookNow asks for a comparison of open orders. It never blocks.
func (g *Gateway) lookNow() {
	select {
	case g.look <- struct{}{}:
	default:
	}
}
