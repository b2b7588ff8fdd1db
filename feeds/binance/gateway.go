package binance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/valyala/fastjson"

	"oneprice/books/desk"
	"oneprice/books/venue"
	"oneprice/feeds/sign"
	"oneprice/feeds/wire"
)

// GatewayOptions is what a gateway is made of.
type GatewayOptions struct {
	// GatewayConfig's Secret is an Ed25519 private key or an HMAC secret. With Ed25519 the session logs on once and orders
	// carry no signature; with HMAC each order is signed.
	wire.GatewayConfig
	// Window is how long after its timestamp the venue may accept a request, 0 for 2 s. Engine is how long the venue's
	// matching engine may take beyond it, 0 for 10 s (error -1007); Margin is the wait before an order that was not found is
	// asked for again, 0 for 2 s. Past all three, an order that was not found was never there.
	Window, Engine, Margin venue.Nanos
	// Answer is how long a request may be without an answer before its fate counts as unknown, 0 for 5 s.
	Answer venue.Nanos
	// Stream is the base address of the user stream at futures, where it is another than that of orders; "" takes WS, or the
	// public one where that is empty too.
	Stream string
	// DeadMan is the countdown after which USD-M cancels everything, 0 for two minutes; unused on a shared account and at spot.
	DeadMan venue.Nanos
}

// GatewayCounters are exact tallies, readable from any thread.
type GatewayCounters struct {
	Sent, NotSent, Maybe, Acks, Fills, Rejects, Cancels, Foreign, Damaged, Unknown, Queries, Connects, Losses, Rest atomic.Uint64
	// Armed counts ends that had to leave the venue's countdown running.
	Armed atomic.Uint64
}

// Gateway is the order side of Binance: the WebSocket API with the user-data stream on the same connection, or on one beside
// it at futures, and REST for Sweep, and for cancels while there is no connection (venues/binance.md, sections 2 to 6).
//
// Submit belongs to the engine's thread, Run and Sweep have goroutines of their own. Everything that makes reports holds
// mu; Submit never does.
type Gateway struct {
	o     GatewayOptions
	v     *trading
	count GatewayCounters
	ids   ids

	// Submit's own.
	orders *Orders
	frames framer
	buf    []byte
	copy   venue.Command
	rate   orderRate

	line   atomic.Pointer[line] // nil while orders cannot leave
	shut   atomic.Int64         // the venue wants to hear nothing before then
	full   atomic.Int64         // nor a new order before then
	offset atomic.Int64         // the venue's clock less ours
	gone   atomic.Int64         // when all orders were last told to go
	queue  chan venue.Command   // cancels for REST
	// strange are orders in no slot that we have cancelled last: at futures nothing else tells whose cancel it was.
	strange [64]atomic.Uint64
	want    chan ask // orders whose trades only REST tells

	mu      sync.Mutex // everything below
	out     venue.Reports
	ctx     context.Context
	cold    *Orders
	signer  *sign.Binance
	coldF   framer
	coldBuf []byte
	parser  fastjson.Parser
	symbols map[string]*venue.Instrument
	asks    []ask
	reports []venue.Report
	failed  error
	fixed   bool // the clock has been set once since the last success
	adrift  bool // it has to be set before the next session

	rest rest
}

var errAssembly = errors.New("binance: a gateway lacks a network, a clock, a kill gate, slots or instruments")

// NewGateway makes the gateway of a spot account; Run brings it to life.
func NewGateway(o GatewayOptions) (*Gateway, error) { return newGateway(o, &spotTrading) }

// NewFutures makes the gateway of a USD-M account in one-way position mode. Balances are wallet balances: they change by fees,
// realised profit and funding, which come as balances only.
func NewFutures(o GatewayOptions) (*Gateway, error) { return newGateway(o, &usdmTrading) }

func newGateway(o GatewayOptions, v *trading) (*Gateway, error) {
	if o.Net == nil || o.Clock == nil || o.Kill == nil || o.Currency == nil || o.Slots <= 0 || len(o.Instruments) == 0 {
		return nil, errAssembly
	}
	if !o.Key.Present() {
		return nil, fmt.Errorf("binance: account %q has no API key", o.Account)
	}
	signer, err := sign.NewBinance(o.Secret)
	if err != nil {
		return nil, fmt.Errorf("binance: account %q: %w", o.Account, err)
	}
	o.Net = wire.Apart(o.Net, o.Clock)
	defaults(&o, v)
	g := &Gateway{o: o, v: v, want: make(chan ask, 64), ids: newIDs(o.Slots), frames: newFramer(), coldF: newFramer(), buf: make([]byte, 0, 64<<10),
		coldBuf: make([]byte, 0, 4<<10), queue: make(chan venue.Command, 256), signer: signer, symbols: map[string]*venue.Instrument{}}
	oc := OrderConfig{RecvWindow: o.Window, Futures: v.futures}
	for _, in := range o.Instruments {
		for int(in.Inst) >= len(oc.Instruments) {
			oc.Instruments = append(oc.Instruments, nil)
		}
		oc.Instruments[in.Inst] = in
		g.symbols[in.Symbol] = in
	}
	if !signer.Session() {
		oc.Key, oc.MAC = string(o.Key.Reveal()), sign.NewHMAC256(o.Secret.Reveal())
	}
	g.orders = NewOrders(oc)
	if oc.MAC != nil {
		oc.MAC = sign.NewHMAC256(o.Secret.Reveal()) // an HMAC belongs to one goroutine
	}
	g.cold = NewOrders(oc)
	g.rate.limit(v.orders10s)
	g.rest = rest{g: g, client: http.Client{Transport: &http.Transport{DialContext: wire.Apart(o.Net, o.Clock).DialContext, TLSClientConfig: o.TLS, MaxIdleConnsPerHost: 2}},
		weight: o.Limits.Weight, key: string(o.Key.Reveal())}
	return g, nil
}

func defaults(o *GatewayOptions, v *trading) {
	for _, d := range []struct {
		to *venue.Nanos
		d  venue.Nanos
	}{{&o.Window, 2 * venue.Second}, {&o.Engine, 10 * venue.Second}, {&o.Margin, 2 * venue.Second}, {&o.Answer, 5 * venue.Second}, {&o.DeadMan, deadMan}} {
		if *d.to <= 0 {
			*d.to = d.d
		}
	}
	if o.Limits == nil {
		o.Limits = limits(v.name, o.Clock)
	}
	if o.Stream == "" {
		o.Stream = o.WS
	}
	if o.WS == "" {
		o.WS = v.ws
	}
	if o.Stream == "" {
		o.Stream = v.stream
	}
	if o.REST == "" {
		o.REST = v.rest
	}
}

// Counters are the tallies so far.
func (g *Gateway) Counters() *GatewayCounters { return &g.count }

// Ready reports whether orders can leave now.
func (g *Gateway) Ready() bool { return g.line.Load() != nil }

// Adopt implements wire.Gateway. An order that was replaced has the client id of its amend; the venue's own id says which of
// them is in force, and the order's state then by which.
func (g *Gateway) Adopt(o *desk.Order) {
	if o.Slot == 0 || int(o.Slot) >= len(g.ids.slots) || !g.orders.knows(o.Inst) {
		return
	}
	for _, id := range [...]uint64{o.Client, o.Alias, o.NextClient} {
		if id != 0 {
			g.ids.put(id, o.Client, o.Slot)
		}
	}
	op := g.ids.slots[o.Slot].adopt(o, g.v.futures)
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.o.Clock.Now() // whoever sent it has sent nothing since
	g.ask(o.Slot, o.Client, op, now, now)
}

// marks of request ids, before the 16 digits of the instruction's client id. A New has none.
const (
	markNew     = 'n' // as the encoder leaves it out, only in what parses ids
	markStop    = 'N'
	markCancel  = 'c'
	markQuiet   = 'q' // a cancel beside another, whose failure says nothing
	markForeign = 'x' // a cancel of an order that is in no slot: the digits are the order's
	markReduce  = 'r'
	markReplace = 'p'
	markAll     = 'a'
	markStatus  = 's'
	markOther   = 'o' // a status asked for by the second id that the order may have
	markTrades  = 't'
)

// Submit sends one instruction (books/venue, Gateway). Nothing is allocated.
func (g *Gateway) Submit(c *venue.Command) venue.Sent {
	now := g.o.Clock.Now()
	sent := g.submit(c, now)
	switch sent {
	case venue.Out:
		g.count.Sent.Add(1)
	case venue.Maybe:
		g.count.Maybe.Add(1)
	default:
		g.count.NotSent.Add(1)
	}
	return sent
}

func (g *Gateway) submit(c *venue.Command, now venue.Nanos) venue.Sent {
	l := g.line.Load()
	cancels := c.Op == venue.Cancel || c.Op == venue.CancelAll
	switch {
	case c.NotAfter != 0 && now > c.NotAfter, now < venue.Nanos(g.shut.Load()), !cancels && (l == nil || now < venue.Nanos(g.full.Load())):
		return venue.NotSent
	case !cancels && int(c.Slot) >= len(g.ids.slots), c.Op != venue.CancelAll && !g.orders.knows(c.Inst):
		return venue.NotSent
	case l == nil:
		return g.later(c)
	}
	at := now + venue.Nanos(g.offset.Load())
	switch c.Op {
	case venue.New:
		return g.place(l, c, now, at)
	case venue.Amend:
		return g.amend(l, c, now, at)
	case venue.Cancel:
		return g.cancel(l, c, now, at)
	case venue.CancelAll:
		return g.cancelAll(l, c, now, at)
	}
	return venue.NotSent
}

// write looks at the kill gate and sends what buf holds.
func (g *Gateway) write(l *line, c *venue.Command) venue.Sent {
	frame := g.frames.seal(g.buf)
	if g.o.Kill.Blocks(c) {
		return venue.NotSent
	}
	return l.send(frame)
}

// fresh is buf with headroom for a frame's header.
func (g *Gateway) fresh() []byte { return g.buf[:headroom] }

func (g *Gateway) place(l *line, c *venue.Command, now, at venue.Nanos) venue.Sent {
	var ok bool
	if c.Type >= venue.StopLoss {
		g.buf, ok = g.orders.Stop(g.fresh(), markStop, c, at)
	} else {
		g.buf, ok = g.orders.Place(g.fresh(), c, at)
	}
	if !ok || c.Slot == 0 || !g.rate.room(now) {
		return venue.NotSent
	}
	s := &g.ids.slots[c.Slot]
	s.open(c, now)
	g.ids.put(c.Client, c.Client, c.Slot)
	sent := g.write(l, c)
	if sent == venue.NotSent {
		s.asked.Store(0)
		return sent
	}
	g.rate.took(now)
	return sent
}

// amend lowers the quantity in place where only that changes, and otherwise replaces the order, which must then not have
// been filled: what has been filled in part is amended by a cancel and a new order of the engine's own. Futures change price
// and quantity in place, of what is filled in part too.
func (g *Gateway) amend(l *line, c *venue.Command, now, at venue.Nanos) venue.Sent {
	s := &g.ids.slots[c.Slot]
	if s.owner.Load() != c.Target || s.asked.Load() != 0 || s.next.Load() != 0 || c.Qty <= 0 {
		return venue.NotSent
	}
	var ok bool
	stays := g.v.futures || s.reduces(c.Price, c.Qty)
	switch g.copy = *c; {
	case g.v.futures:
		s.shape(&g.copy)
		g.buf, ok = g.orders.Modify(g.fresh(), markReduce, &g.copy, s.target(), at)
	case stays:
		g.buf, ok = g.orders.Reduce(g.fresh(), markReduce, c.Inst, c.Client, s.wire.Load(), s.target(), c.Qty, at)
	default:
		s.shape(&g.copy)
		if s.cum.Load() == 0 {
			g.buf, ok = g.orders.Replace(g.fresh(), markReplace, &g.copy, s.target(), at)
		}
	}
	counts := !stays || g.v.futures // a reduction in place is no new order
	if !ok || counts && !g.rate.room(now) {
		return venue.NotSent
	}
	g.ids.put(c.Client, c.Target, c.Slot)
	if !stays {
		s.next.Store(c.Client)
	}
	s.asks(c.Op, c.Client, c.Price, c.Qty, now)
	sent := g.write(l, c)
	switch {
	case sent == venue.NotSent:
		s.next.Store(0)
		s.asked.Store(0)
	case counts:
		g.rate.took(now)
	}
	return sent
}

// cancel cancels an order. While a replacement is on its way either may be the one that stands: both are cancelled.
func (g *Gateway) cancel(l *line, c *venue.Command, now, at venue.Nanos) venue.Sent {
	i, s := g.holder(c)
	if s == nil {
		g.strange[c.Target%uint64(len(g.strange))].Store(c.Target)
		g.buf = g.orders.Cancel(g.fresh(), markForeign, c.Inst, c.Target, Target{Client: c.Target}, at)
		return g.write(l, c)
	}
	t := s.target()
	if next := s.next.Load(); next != 0 {
		g.buf = g.orders.Cancel(g.fresh(), markQuiet, c.Inst, c.Client, t, at)
		if l.send(g.frames.seal(g.buf)) == venue.NotSent {
			return venue.NotSent
		}
		t = Target{Client: next}
	}
	g.ids.put(c.Client, c.Target, i)
	s.quitID.Store(c.Client)
	s.quit.Store(int64(now))
	g.buf = g.orders.Cancel(g.fresh(), markCancel, c.Inst, c.Client, t, at)
	sent := g.write(l, c)
	if sent == venue.NotSent {
		s.quit.Store(0)
	}
	return sent
}

// holder is the slot of the order that a cancel is aimed at, nil where none holds it.
func (g *Gateway) holder(c *venue.Command) (uint32, *slot) {
	if int(c.Slot) < len(g.ids.slots) && c.Target != 0 && g.ids.slots[c.Slot].owner.Load() == c.Target {
		return c.Slot, &g.ids.slots[c.Slot]
	}
	if i, owner, ok := g.ids.find(c.Target); ok && owner == c.Target {
		return i, &g.ids.slots[i]
	}
	return 0, nil
}

// cancelAll cancels every order of an instrument, or of all of them where none is named.
func (g *Gateway) cancelAll(l *line, c *venue.Command, now, at venue.Nanos) venue.Sent {
	if g.o.Shared {
		return g.cancelOurs(l, c, at)
	}
	g.gone.Store(int64(now))
	if g.v.futures { // whose WebSocket API has no such request
		return g.later(c)
	}
	var all venue.Sent
	for _, in := range g.o.Instruments {
		if c.Inst != 0 && c.Inst != in.Inst {
			continue
		}
		g.buf, _ = g.orders.CancelAll(g.fresh(), markAll, in.Inst, c.Client, at)
		all = worse(all, g.write(l, c))
	}
	return max(all, venue.NotSent)
}

// cancelOurs cancels the orders in our slots one by one.
func (g *Gateway) cancelOurs(l *line, c *venue.Command, at venue.Nanos) venue.Sent {
	all := venue.Sent(0)
	for i := range g.ids.slots {
		s := &g.ids.slots[i]
		if s.owner.Load() == 0 || s.ended.Load() || c.Inst != 0 && c.Inst != s.inst() {
			continue
		}
		g.buf = g.orders.Cancel(g.fresh(), markQuiet, s.inst(), s.wire.Load(), s.target(), at)
		all = worse(all, g.write(l, c))
		if next := s.next.Load(); next != 0 {
			g.buf = g.orders.Cancel(g.fresh(), markQuiet, s.inst(), next, Target{Client: next}, at)
			all = worse(all, g.write(l, c))
		}
	}
	return max(all, venue.NotSent)
}

// worse is what to say of several writes: Maybe if only some left. 0 is none yet.
func worse(all, one venue.Sent) venue.Sent {
	if all == 0 || all == one {
		return one
	}
	return venue.Maybe
}

// later queues a cancel for REST while there is no connection.
func (g *Gateway) later(c *venue.Command) venue.Sent {
	select {
	case g.queue <- *c:
		return venue.Out
	default:
		return venue.NotSent
	}
}

// parse reads a request's id: a mark and 16 digits, or the digits alone.
func parse(id []byte) (mark byte, client uint64, ok bool) {
	mark = markNew
	if len(id) == 17 {
		mark, id = id[0], id[1:]
	}
	if len(id) != 16 {
		return 0, 0, false
	}
	for _, c := range id {
		switch {
		case c >= '0' && c <= '9':
			client = client<<4 | uint64(c-'0')
		case c >= 'a' && c <= 'f':
			client = client<<4 | uint64(c-'a'+10)
		default:
			return 0, 0, false
		}
	}
	return mark, client, true
}
