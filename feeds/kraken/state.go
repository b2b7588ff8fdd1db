package kraken

import (
	"context"
	"strings"

	"github.com/valyala/fastjson"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// state is what the private stream knows: the requests without an answer and the orders of the account. Gateway.mu guards
// it.
type state struct {
	doc      wire.Doc
	ins      map[string]*venue.Instrument // by the websocket's name
	byInst   map[venue.Inst]*venue.Instrument
	requests map[uint64][]*request // by req_id: several for a batch or a cancelling by ids
	waiting  []*request            // oldest first; answered ones are dropped as they reach the front
	orders   map[uint64]*order     // ours, by client id
	byID     map[string]*order     // all, by the venue's order id
	live     map[*order]struct{}   // acknowledged and not over
	done     []*order              // ended, oldest first: kept a while for late fills
	totals   map[venue.Ccy]fixed.Cash
	seq      [2]sequence // of executions and balances
	missed   bool        // reports are missing, and Lost has not been told
}

// request is one instruction on its way.
type request struct {
	asked
	// answered: nothing more is expected. told: its fate was reported as unknown, and is asked for at due.
	answered, told bool
	due            venue.Nanos
	misses         int // answers that did not show its order, once it could no longer be executed
}

// order is one order of the account as reports have shown it. client 0 is a foreign one.
type order struct {
	client         uint64
	slot           uint32
	in             *venue.Instrument
	side           venue.Side
	kind           venue.OrderType
	tif            venue.TIF
	id             string
	price          fixed.Price
	qty, cum       fixed.Qty
	acked, done    bool
	cancelled      bool // by us
	amendsReported int  // amends that the answer told and whose event is still to come
}

// keptDone is how many ended orders are remembered.
const keptDone = 4096

func newState(ins []*venue.Instrument) state {
	s := state{ins: map[string]*venue.Instrument{}, byInst: map[venue.Inst]*venue.Instrument{}, requests: map[uint64][]*request{},
		orders: map[uint64]*order{}, byID: map[string]*order{}, live: map[*order]struct{}{}, totals: map[venue.Ccy]fixed.Cash{}}
	for _, in := range ins {
		s.ins[in.Symbol], s.byInst[in.Inst] = in, in
	}
	return s
}

// catchUp takes in what Submit has asked so far. Before anything that the venue says is looked at.
func (g *Gateway) catchUp() {
	s := &g.state
	var a asked
	for g.asks.pop(&a) {
		if a.void {
			for _, r := range s.requests[a.req] {
				r.answered = true
				if o := s.orders[r.client]; r.op == venue.New && o != nil && !o.acked {
					s.end(o, g)
				}
			}
			delete(s.requests, a.req)
			continue
		}
		r := &request{asked: a, told: a.adopted}
		s.requests[a.req] = append(s.requests[a.req], r)
		s.waiting = append(s.waiting, r)
		switch a.op {
		case venue.Cancel, venue.Amend:
			o := s.orders[a.target]
			if o == nil { // of an earlier run
				o = &order{client: a.target, in: s.byInst[a.inst]}
				s.orders[a.target] = o
			}
			if a.slot != 0 {
				o.slot = a.slot
			}
			o.cancelled = o.cancelled || a.op == venue.Cancel
		case venue.New:
			if o := s.orders[a.client]; o != nil { // adopted, and the stream was quicker
				o.slot, r.answered = a.slot, o.acked
				break
			}
			s.orders[a.client] = &order{client: a.client, slot: a.slot, in: s.byInst[a.inst], side: a.side, kind: a.kind, tif: a.tif, price: a.price, qty: a.qty}
		}
	}
}

// of is the order that a request is about, nil for a CancelAll and for what is not known.
func (s *state) of(r *request) *order {
	if r.op == venue.New {
		return s.orders[r.client]
	}
	return s.orders[r.target]
}

// pending is the oldest request of an op about an order that has no final answer.
func (s *state) pending(o *order, op venue.Op) *request {
	for _, r := range s.waiting {
		if !r.answered && r.op == op && o.client != 0 && (r.target == o.client || op == venue.New && r.client == o.client) {
			return r
		}
	}
	return nil
}

// name ties an order to the venue's id.
func (s *state) name(o *order, id []byte) {
	if o.id == "" && len(id) > 0 {
		o.id = string(id)
		s.byID[o.id] = o
	}
}

// end notes that an order is over, and forgets the oldest of those.
func (s *state) end(o *order, g *Gateway) {
	if o.done {
		return
	}
	o.done = true
	delete(s.live, o)
	if o.slot != 0 && int(o.slot) < len(g.ended) {
		g.ended[o.slot].Store(o.client)
	}
	s.done = append(s.done, o)
	if len(s.done) <= keptDone {
		return
	}
	old := s.done[0]
	s.done = s.done[1:]
	delete(s.byID, old.id)
	if s.orders[old.client] == old {
		delete(s.orders, old.client)
	}
}

// find is the order that an item of the stream or of REST speaks of, made when it is new to us. Nil for a pair that is not
// in the table.
func (s *state) find(id []byte, clientID *fastjson.Value, in *venue.Instrument) *order {
	if o := s.byID[string(id)]; o != nil {
		return o
	}
	client, ours := uint64(0), false
	if clientID != nil {
		client, ours = wire.ParseClientUUID(clientID.GetStringBytes())
	}
	if ours {
		if o := s.orders[client]; o != nil {
			s.name(o, id)
			return o
		}
	}
	if in == nil {
		return nil
	}
	o := &order{in: in}
	if ours { // of an earlier run: its slot is for recovery to find
		o.client = client
		s.orders[client] = o
	}
	s.name(o, id)
	return o
}

// report queues a report of an order. It is valid until the next one.
func (g *Gateway) report(kind venue.ReportKind, o *order, recv, at venue.Nanos) *venue.Report {
	g.queued = append(g.queued, venue.Report{})
	r := &g.queued[len(g.queued)-1]
	r.Kind, r.Venue, r.Recv, r.At = kind, g.cfg.Venue, recv, at
	if o != nil {
		r.Inst, r.Slot, r.Client = o.in.Inst, o.slot, o.client
		r.Cum, r.Open, r.Price = o.cum, o.qty, o.price
		r.SetRef([]byte(o.id)) // a venue's id is far shorter than the room; an empty one stays empty
		if o.client == 0 {
			g.count.Foreign.Add(1)
		}
	}
	return r
}

// acknowledge reports an order as the venue's, once.
func (g *Gateway) acknowledge(o *order, flags uint8, recv, at venue.Nanos) {
	if o.acked && flags&venue.Recovered == 0 {
		return
	}
	if !o.acked {
		g.bornAt(o, recv)
		g.count.Acks.Add(1)
	}
	o.acked = true
	if !o.done {
		g.state.live[o] = struct{}{}
	}
	g.report(venue.Ack, o, recv, at).Flags = flags
	if r := g.state.pending(o, venue.New); r != nil {
		r.answered = true // the venue has it, whatever becomes of the answer
	}
}

// bornAt publishes the order's age for Submit. Amends count as a birth: whether the venue's penalty looks at the order or
// at its last change is not written anywhere, and the later instant is the dearer one.
func (g *Gateway) bornAt(o *order, at venue.Nanos) {
	if o.slot != 0 && int(o.slot) < len(g.born) {
		g.born[o.slot].Store(int64(at))
	}
}

// unknown reports that the fate of a request is not known.
func (g *Gateway) unknown(r *request, now venue.Nanos) {
	if r.told || r.answered {
		return
	}
	r.told, r.due = true, now+settled
	g.count.Unknown.Add(1)
	g.queued = append(g.queued, venue.Report{Kind: venue.SentReport, Venue: g.cfg.Venue, Inst: r.inst, Slot: r.slot, Client: r.subject(),
		Flags: uint8(venue.Maybe), Reason: venue.Timeout, Recv: now, At: now, Seq: uint64(r.op)})
}

// subject is the client id of the order that a request is about.
func (r *request) subject() uint64 {
	if r.op == venue.New {
		return r.client
	}
	return r.target
}

// overdue reports the requests that have waited too long; all of them when the connection that could answer is gone. Those
// about one order are then asked for until they are settled (doubt.go).
func (g *Gateway) overdue(now venue.Nanos, all bool) {
	s := &g.state
	front := 0
	for i, r := range s.waiting {
		if !r.answered && (all || now-r.at >= answerWithin) {
			g.unknown(r, now)
		}
		if r.told && r.op == venue.CancelAll {
			r.answered = true // what became of its orders, they say themselves
		}
		if front == i && r.answered {
			front++
			s.forget(r)
		}
	}
	s.waiting = s.waiting[:copy(s.waiting, s.waiting[front:])]
}

func (s *state) forget(r *request) {
	list := s.requests[r.req]
	for i, x := range list {
		if x == r {
			list = append(list[:i], list[i+1:]...)
			break
		}
	}
	if len(list) == 0 {
		delete(s.requests, r.req)
	} else {
		s.requests[r.req] = list
	}
}

// deliver hands the queued reports over; a full ring is waited for as long as ctx lasts.
func (g *Gateway) deliver(ctx context.Context, out venue.Reports) {
	for len(g.queued) > 0 && out != nil && out.Put(g.queued) != venue.OK {
		if g.cfg.Clock.Sleep(ctx, 20*venue.Microsecond) != nil {
			break
		}
	}
	g.queued = g.queued[:0]
}

// reasonOf maps the venue's words (venues/kraken.md, section 5).
func reasonOf(text string) venue.Reason {
	has := func(s string) bool { return strings.Contains(text, s) }
	switch {
	case has("Insufficient"):
		return venue.InsufficientFunds
	case has("Post only"):
		return venue.PostOnlyCross
	case has("Rate limit"), has("Too many requests"), has("Exceeded msg rate"), has("Throttled"):
		return venue.RateLimited
	case has("Unknown order"):
		return venue.UnknownTarget
	case has("Deadline"):
		return venue.Late
	case has("Order minimum"), has("Invalid volume"):
		return venue.BelowMinQty
	case has("Cost minimum"):
		return venue.BelowMinNotional
	case has("Tick size"), has("Invalid price"):
		return venue.BadTick
	case has("Unknown asset pair"), has("pair not supported"):
		return venue.UnknownSymbol
	case has("Orders limit"):
		return venue.OpenOrderLimit
	case has("Market in"):
		return venue.InstrumentHalted
	case has("Unavailable"), has("Busy"):
		return venue.VenueBusy
	case has("Self trade"), has("STP"), has("self-trade"):
		return venue.SelfTradePrevented
	case has("Invalid key"), has("Invalid signature"), has("Invalid nonce"), has("Permission denied"), has("Invalid session"), has("lockout"):
		return venue.AuthFailed
	}
	return venue.VenueRejected
}

// uncertain reports whether an error leaves open if the instruction was executed.
func uncertain(text string) bool {
	return strings.Contains(text, "Internal error") || strings.Contains(text, "EService:Timeout")
}
