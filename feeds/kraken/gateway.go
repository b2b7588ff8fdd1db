package kraken

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"oneprice/books/desk"
	"oneprice/books/venue"
	"oneprice/feeds/sign"
	"oneprice/feeds/wire"
)

const (
	privateWS  = "wss://ws-auth.kraken.com"
	publicREST = "https://api.kraken.com"
	// takeWithin is how long after its writing the venue may still execute an order that takes, amendWithin an amend: the
	// least span that every source agrees on is two seconds.
	takeWithin  = 2 * venue.Second
	amendWithin = 5 * venue.Second
	// answerWithin is how long an answer may be on its way before the fate of its instruction counts as unknown.
	answerWithin = 5 * venue.Second
	// deadMan is the countdown after which the venue cancels everything, refreshed every deadManEvery.
	deadMan      = 60 * venue.Second
	deadManEvery = 18 * venue.Second
	// mostBatch orders go in a batch_add, mostCancels ids in a batch_cancel.
	mostBatch   = 15
	mostCancels = 50
	// mostFrame bounds the encoding of any instruction: a batch of fifteen, or fifty ids.
	mostFrame = 8 << 10
)

// GatewayOptions is what the gateway of an account is made of. Key and Secret are the API key and its base64 private key.
type GatewayOptions struct {
	wire.GatewayConfig
	// Nonces is shared by everything in the process that signs with the key; nil makes its own.
	Nonces *sign.Nonces
	Tier   Tier
	// Reserve is how many counts of each pair's trading counter only cancels may use; 0 takes a quarter of the threshold.
	Reserve int64
	// NoDeadMan leaves the venue's countdown alone. It cancels the whole account, so that of several processes on one
	// account only one may keep it.
	NoDeadMan bool
}

// GatewayCounters are exact tallies, readable from any thread.
type GatewayCounters struct {
	Sent, NotSent, Maybe, Acks, Fills, Rejects, Unknown, Foreign, Gaps, Duplicates, Damaged, Connects, Losses, OddFees atomic.Uint64
}

// Gateway is the order side of the venue: orders, executions and balances on one private websocket, REST for its token and
// for recovery.
//
// Submit and SubmitBatch belong to the engine's thread and share only the ring of asked, the link and atomics with the
// rest. What the private stream knows is under mu, which Submit never takes.
type Gateway struct {
	cfg  GatewayOptions
	enc  *encoder
	rest *rest
	reqs atomic.Uint64 // the last req_id of all
	link atomic.Pointer[link]
	asks *asks

	// Submit's own.
	buf      []byte
	mask     uint32
	why      venue.Reason
	counters []Counter // by Inst
	places   []placed  // by slot
	ids      []uint64  // of a CancelAll by id

	// By Inst: the venue's own counter as last stated, written by the stream; and ours, written by Submit.
	stated, spent []atomic.Uint64
	// By slot, written by the stream: when the order there was born, by our clock, 0 while the venue has not said, and the
	// client id of the order there that has ended.
	born  []atomic.Int64
	ended []atomic.Uint64

	mu     sync.Mutex
	state  state
	out    venue.Reports
	ctx    context.Context // of Run
	queued []venue.Report
	count  GatewayCounters
}

// placed is the order that Submit last placed in a slot.
type placed struct {
	client uint64
	inst   venue.Inst
	kind   orderKind
}

// link is one private connection as Submit sees it. Immutable but for ready.
type link struct {
	sock  *socket
	w     io.Writer
	token []byte // `,"token":"…"},"req_id":`
	// ready: the streams are complete and the countdown is armed, so that new orders may leave. Cancels always may.
	ready atomic.Bool
}

// NewGateway makes a gateway that Run brings to life. The error says which instrument or setting it cannot trade with.
func NewGateway(o GatewayOptions) (*Gateway, error) {
	if o.Net == nil || o.Clock == nil || o.Kill == nil || o.Currency == nil || o.Slots <= 0 || len(o.Instruments) == 0 {
		return nil, errors.New("kraken: a gateway needs a network, a clock, a kill gate, currencies, slots and instruments")
	}
	if int(o.Tier) >= len(tiers) {
		return nil, fmt.Errorf("kraken: unknown tier %d", o.Tier)
	}
	if o.Reserve == 0 {
		o.Reserve = tiers[o.Tier].threshold / 4
	}
	if o.Reserve < 0 || o.Reserve >= tiers[o.Tier].threshold {
		return nil, fmt.Errorf("kraken: a reserve of %d counts for cancels leaves nothing of the %d of tier %s", o.Reserve, tiers[o.Tier].threshold, o.Tier)
	}
	if !o.Key.Present() {
		return nil, fmt.Errorf("kraken: account %s has no API key", o.Account)
	}
	for _, in := range o.Instruments {
		if in.Inst == 0 || in.Symbol == "" || in.Kind != venue.Spot || in.Contract != venue.Linear {
			return nil, fmt.Errorf("kraken: %q is not a spot pair with an index; nothing else is traded here", in.Symbol)
		}
		for _, name := range [2]venue.Ccy{in.Base, in.Quote} {
			if name == 0 {
				return nil, fmt.Errorf("kraken: %s lacks a base or quote currency", in.Symbol)
			}
		}
	}
	if o.Limits == nil {
		o.Limits = limits(o.Clock)
	}
	if o.WS == "" {
		o.WS = privateWS
	}
	if o.REST == "" {
		o.REST = publicREST
	}
	if o.Nonces == nil {
		o.Nonces = new(sign.Nonces)
	}
	signer, err := sign.NewKraken(o.Secret)
	if err != nil {
		return nil, fmt.Errorf("kraken: account %s: %w", o.Account, err)
	}
	o.Net = wire.Apart(o.Net, o.Clock)
	g := &Gateway{cfg: o, enc: newEncoder(o.Instruments), rest: newREST(&o, signer), asks: newAsks(4 * o.Slots),
		buf: make([]byte, frameHead, mostFrame), mask: uint32(o.Seed) | 1, places: make([]placed, o.Slots), ids: make([]uint64, 0, o.Slots),
		born: make([]atomic.Int64, o.Slots), ended: make([]atomic.Uint64, o.Slots)}
	n := len(g.enc.ins)
	g.counters, g.stated, g.spent = make([]Counter, n), make([]atomic.Uint64, n), make([]atomic.Uint64, n)
	for i := range g.counters {
		g.counters[i] = NewCounter(o.Tier)
	}
	g.state = newState(o.Instruments)
	return g, nil
}

// Counters are the tallies so far.
func (g *Gateway) Counters() *GatewayCounters { return &g.count }

// Ready reports whether a new order could leave now. Any thread.
func (g *Gateway) Ready() bool {
	l := g.link.Load()
	return l != nil && l.ready.Load()
}

// Why is why the last Submit answered NotSent, OK after another answer. Submit's thread.
func (g *Gateway) Why() venue.Reason { return g.why }

// Budget is what our copy of the venue's trading counter of an instrument stood at after the last instruction, and its
// threshold. It has decayed since. Any thread.
func (g *Gateway) Budget(i venue.Inst) (used, threshold int64) {
	if int(i) >= len(g.spent) {
		return 0, 0
	}
	return int64(g.spent[i].Load()), tiers[g.cfg.Tier].threshold
}

// Submit implements venue.Gateway. Its NotSent has a reason in Why: NotAllowed for an order that the venue's websocket does
// not take (FOK), Late, Killed, RateLimited before the venue would say so, ConnectionLost, CommandRingFull.
func (g *Gateway) Submit(c *venue.Command) venue.Sent {
	l := g.link.Load()
	now := g.cfg.Clock.Now()
	if why := g.refuses(l, c, now); why != venue.OK {
		return g.notSent(why)
	}
	switch c.Op {
	case venue.New:
		return g.place(l, c, now)
	case venue.Amend:
		return g.amend(l, c, now)
	case venue.Cancel:
		return g.cancel(l, c, now)
	}
	return g.cancelAll(l, c, now)
}

func (g *Gateway) notSent(why venue.Reason) venue.Sent {
	g.why = why
	g.count.NotSent.Add(1)
	return venue.NotSent
}

// refuses is what we have against an instruction before it is encoded.
func (g *Gateway) refuses(l *link, c *venue.Command, now venue.Nanos) venue.Reason {
	switch {
	case c.Op != venue.New && c.Op != venue.Amend && c.Op != venue.Cancel && c.Op != venue.CancelAll:
		return venue.BadIntent
	case (c.Inst != 0 || c.Op != venue.CancelAll) && g.enc.in(c.Inst) == nil:
		return venue.UnknownSymbol
	case (c.Op == venue.New || c.Op == venue.Amend) && (c.Slot == 0 || int(c.Slot) >= len(g.places)):
		return venue.BadIntent
	case l == nil:
		return venue.ConnectionLost
	case c.Op == venue.Cancel || c.Op == venue.CancelAll:
		return venue.OK
	case !l.ready.Load():
		return venue.ConnectionLost
	case c.NotAfter != 0 && now > c.NotAfter:
		return venue.Late
	case c.Qty <= 0 || c.Price < 0 || c.Stop < 0:
		return venue.BadIntent
	}
	return venue.OK
}

// counter is our copy of an instrument's trading counter with what the venue has said of it since.
func (g *Gateway) counter(i venue.Inst, now venue.Nanos) *Counter {
	k := &g.counters[i]
	if g.stated[i].Load() != 0 {
		hundredths, at := unpackStated(g.stated[i].Swap(0), now)
		k.Stated(hundredths, at, now)
	}
	return k
}

// packStated keeps a counter of the venue and its instant, to the millisecond, in one word that is never 0.
func packStated(hundredths int64, at venue.Nanos) uint64 {
	return uint64(min(max(hundredths, 0), 1<<20-1))<<44 | uint64(at/venue.Millisecond)&(1<<43-1)<<1 | 1
}

func unpackStated(v uint64, now venue.Nanos) (hundredths int64, at venue.Nanos) {
	at = venue.Nanos(v>>1&(1<<43-1)) * venue.Millisecond
	return int64(v >> 44), min(at, now)
}

func (g *Gateway) place(l *link, c *venue.Command, now venue.Nanos) venue.Sent {
	k, ok := kindOf(c.Side, c.Type, c.TIF)
	if !ok {
		return g.notSent(venue.NotAllowed)
	}
	n := g.counter(c.Inst, now)
	if !n.Try(AddCost, g.cfg.Reserve, now) {
		return g.notSent(venue.RateLimited)
	}
	a := g.ask(c, now)
	if k == limitGTC || k == limitIOC {
		a.deadline = now + takeWithin
	}
	g.buf = g.enc.place(g.buf[:frameHead], c, k, a.deadline, l.token, a.req)
	g.places[c.Slot] = placed{c.Client, c.Inst, k}
	g.born[c.Slot].Store(0)
	sent := g.send(l, c, &a)
	if sent == venue.NotSent {
		n.Refund(AddCost)
	}
	g.show(c.Inst, now)
	return sent
}

func (g *Gateway) amend(l *link, c *venue.Command, now venue.Nanos) venue.Sent {
	n, cost := g.counter(c.Inst, now), AmendCost(g.age(c.Slot, now))
	if !n.Try(cost, g.cfg.Reserve, now) {
		return g.notSent(venue.RateLimited)
	}
	post := c.Type == venue.PostOnly
	if p := &g.places[c.Slot]; p.client == c.Target {
		post = p.kind == postOnly
	}
	a := g.ask(c, now)
	a.deadline = now + amendWithin
	g.buf = g.enc.amend(g.buf[:frameHead], c, post, a.deadline, l.token, a.req)
	sent := g.send(l, c, &a)
	if sent == venue.NotSent {
		n.Refund(cost)
	}
	g.show(c.Inst, now)
	return sent
}

// cancel is never held back by the counter: the venue's refusal, should it come, ends nothing, and an order that stays may.
func (g *Gateway) cancel(l *link, c *venue.Command, now venue.Nanos) venue.Sent {
	a := g.ask(c, now)
	g.buf = g.enc.cancel(g.buf[:frameHead], c.Target, l.token, a.req)
	sent := g.send(l, c, &a)
	if sent != venue.NotSent {
		g.counter(c.Inst, now).Spend(CancelCost(g.age(c.Slot, now)), now)
		g.show(c.Inst, now)
	}
	return sent
}

// cancelAll asks for everything at once where the account is ours alone and no instrument is named, else by our ids.
func (g *Gateway) cancelAll(l *link, c *venue.Command, now venue.Nanos) venue.Sent {
	if c.Inst == 0 && !g.cfg.Shared {
		a := g.ask(c, now)
		g.buf = g.enc.cancelAll(g.buf[:frameHead], l.token, a.req)
		return g.send(l, c, &a)
	}
	g.ids = g.ids[:0]
	for s := range g.places {
		p := &g.places[s]
		if p.client != 0 && (c.Inst == 0 || p.inst == c.Inst) && g.ended[s].Load() != p.client {
			g.ids = append(g.ids, p.client)
			g.counter(p.inst, now).Spend(CancelCost(g.age(uint32(s), now)), now)
		}
	}
	for ids := g.ids; len(ids) > 0; {
		n := min(len(ids), mostCancels)
		a := g.ask(c, now)
		if n == 1 {
			g.buf = g.enc.cancel(g.buf[:frameHead], ids[0], l.token, a.req)
		} else {
			g.buf = g.enc.cancels(g.buf[:frameHead], ids[:n], l.token, a.req)
		}
		if g.send(l, c, &a) == venue.NotSent {
			if len(ids) == len(g.ids) {
				return venue.NotSent
			}
			return venue.Maybe // what went before is with the venue; the caller has to ask again for the rest
		}
		ids = ids[n:]
	}
	g.why = venue.OK
	return venue.Out
}

// SubmitBatch sends 2 to 15 new orders of one instrument as one request, all or none of which leave. The venue judges their
// form together and each by itself thereafter; reports come per order. Submit's thread.
func (g *Gateway) SubmitBatch(cs []*venue.Command) venue.Sent {
	l := g.link.Load()
	now := g.cfg.Clock.Now()
	if len(cs) < 2 || len(cs) > mostBatch {
		return g.notSent(venue.BadIntent)
	}
	takes := false
	for _, c := range cs {
		if why := g.refuses(l, c, now); why != venue.OK {
			return g.notSent(why)
		}
		k, ok := kindOf(c.Side, c.Type, c.TIF)
		switch {
		case c.Op != venue.New || c.Inst != cs[0].Inst:
			return g.notSent(venue.BadIntent)
		case !ok:
			return g.notSent(venue.NotAllowed)
		}
		takes = takes || k == limitGTC || k == limitIOC
	}
	n, cost := g.counter(cs[0].Inst, now), int64(len(cs))*AddCost
	if !n.Try(cost, g.cfg.Reserve, now) {
		return g.notSent(venue.RateLimited)
	}
	if !g.asks.room(len(cs) + 1) {
		n.Refund(cost)
		return g.notSent(venue.CommandRingFull)
	}
	req, deadline := g.reqs.Add(1), venue.Nanos(0)
	if takes {
		deadline = now + takeWithin
	}
	for _, c := range cs {
		k, _ := kindOf(c.Side, c.Type, c.TIF) // looked at above
		a := askedOf(c, req, now)
		a.deadline = deadline
		g.asks.push(&a)
		g.places[c.Slot] = placed{c.Client, c.Inst, k}
		g.born[c.Slot].Store(0)
	}
	g.buf = g.enc.places(g.buf[:frameHead], cs, deadline, l.token, req)
	sent := g.write(l, req, cs...)
	if sent == venue.NotSent {
		n.Refund(cost)
	}
	g.show(cs[0].Inst, now)
	return sent
}

// age is how long ago the venue had the order of a slot, 0 while it has not said so: the dearest.
func (g *Gateway) age(slot uint32, now venue.Nanos) venue.Nanos {
	if int(slot) >= len(g.born) {
		return 0
	}
	if b := g.born[slot].Load(); b != 0 {
		return now - venue.Nanos(b)
	}
	return 0
}

func (g *Gateway) show(i venue.Inst, now venue.Nanos) {
	used, _ := g.counters[i].Level(now)
	g.spent[i].Store(uint64(used))
}

// ask makes the record of an instruction under a fresh req_id.
func (g *Gateway) ask(c *venue.Command, now venue.Nanos) asked {
	return askedOf(c, g.reqs.Add(1), now)
}

func askedOf(c *venue.Command, req uint64, now venue.Nanos) asked {
	return asked{op: c.Op, kind: c.Type, tif: c.TIF, side: c.Side, inst: c.Inst, slot: c.Slot, req: req,
		client: c.Client, target: c.Target, price: c.Price, qty: c.Qty, at: now, born: now}
}

// Adopt implements wire.Gateway. Amends leave an order its client id here.
func (g *Gateway) Adopt(o *desk.Order) {
	k, ok := kindOf(o.Side, o.Type, o.TIF)
	if !ok || g.enc.in(o.Inst) == nil || o.Slot == 0 || int(o.Slot) >= len(g.places) || !g.asks.room(2) {
		return
	}
	now := g.cfg.Clock.Now() // whoever sent it has sent nothing since
	a := asked{op: venue.New, kind: o.Type, tif: o.TIF, side: o.Side, adopted: true, inst: o.Inst, slot: o.Slot, req: g.reqs.Add(1), client: o.Client,
		price: o.Price, qty: o.Qty, at: now, born: o.SentAt}
	if k == limitGTC || k == limitIOC {
		a.deadline = now + takeWithin
	}
	g.asks.push(&a)
	if o.NextClient != 0 {
		a.op, a.req, a.client, a.target = venue.Amend, g.reqs.Add(1), o.NextClient, o.Client
		a.price, a.qty, a.deadline = o.NextPrice, o.NextQty, now+amendWithin
		g.asks.push(&a)
	}
	g.places[o.Slot] = placed{o.Client, o.Inst, k}
	g.born[o.Slot].Store(0)
}

// send publishes what is asked and writes g.buf.
func (g *Gateway) send(l *link, c *venue.Command, a *asked) venue.Sent {
	if !g.asks.room(2) { // one for the void that may follow
		return g.notSent(venue.CommandRingFull)
	}
	g.asks.push(a)
	return g.write(l, a.req, c)
}

// write is the last step of every instruction: room, kill gate, one write that never blocks.
func (g *Gateway) write(l *link, req uint64, cs ...*venue.Command) venue.Sent {
	g.mask = g.mask*1664525 + 1013904223
	frame := masked(g.buf, g.mask)
	if !l.sock.room(len(frame)) {
		return g.undo(req, venue.VenueBusy)
	}
	for _, c := range cs {
		if g.cfg.Kill.Blocks(c) {
			return g.undo(req, venue.Killed)
		}
	}
	if _, err := l.w.Write(frame); err != nil {
		// Without TLS no byte left. Under TLS that is as certain, but for a record cut in two, whose first half is nothing.
		return g.undo(req, venue.ConnectionLost)
	}
	g.why = venue.OK
	g.count.Sent.Add(1)
	return venue.Out
}

// undo tells the stream that a request did not leave.
func (g *Gateway) undo(req uint64, why venue.Reason) venue.Sent {
	g.asks.push(&asked{req: req, void: true})
	return g.notSent(why)
}

// Run implements venue.Gateway. It returns nil when ctx ends, and an error only where trying again is senseless: the key is
// wrong or lacks a permission.
func (g *Gateway) Run(ctx context.Context, out venue.Reports) error {
	g.mu.Lock()
	g.out, g.ctx = out, ctx
	g.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { g.doubts(ctx) })
	err := g.connect(ctx)
	cancel()
	wg.Wait()
	return err
}
