package app

import (
	"bytes"
	"encoding/binary"
	"net"

	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/engine"
	"oneprice/engine/audit"
	"oneprice/feeds/coinbase"
	"oneprice/feeds/wire"
)

// What must hold always (design.md, section 10), as the simulation names it when it does not.
const (
	holdsApproved = "no order without an Approved"
	holdsLive     = "no order on a book that is not Live"
	holdsOnce     = "nothing is sent twice"
	holdsRecord   = "an order's record is queued before it leaves"
	holdsKill     = "kill means no further order bytes"
	holdsLimit    = "exposure stays within its limit, counting what may still fill"
	holdsBooks    = "positions are the opening ones and the fills"
	holdsVenue    = "no more is booked of an order than its venue has filled"
	holdsFills    = "an order closes only when its fills agree"
	holdsEvidence = "only the venue's word ends an order"
	holdsFate     = "at peace the fate of every order is known"
	holdsEqual    = "at peace positions and balances are the venues'"
	holdsSingle   = "no order exists twice at a venue"
	holdsKnown    = "nothing is open that is not known"
	holdsAudit    = "the audit is whole"
	holdsReplay   = "same tape, same decisions"
)

// guard holds the invariants against everything that happens. What leaves and what is recorded it sees at once; what the
// engine believes it looks at after every step of the engine.
type guard struct {
	s *simulation
	// sent are the client ids of all instructions that gateways were given, over all lives, recorded those with a record.
	sent, recorded map[uint64]bool
	life           *simLife
	before         audit.Record      // the last record
	plans          map[uint64]uint64 // approved plans, and which of their legs have left, as bits
	seen           []fills           // by slot
	position       []fixed.Qty       // by instrument
	traded         []fixed.Qty
	ended          map[uint64]bool // client ids of which the venue, or our gateway, said that they are over
	stated         map[uint64]fixed.Qty
	orders, fills  int
	looks          int
	kinds          map[string]int
}

// fills is what a slot's order had been filled when it was last looked at.
type fills struct {
	client uint64
	qty    fixed.Qty
}

func newGuard(s *simulation) *guard {
	return &guard{s: s, sent: map[uint64]bool{}, recorded: map[uint64]bool{}, ended: map[uint64]bool{}, stated: map[uint64]fixed.Qty{}, kinds: map[string]int{}}
}

// begin guards a new life.
func (w *guard) begin(l *simLife) {
	w.life, w.plans, w.before = l, map[uint64]uint64{}, audit.Record{}
	d := l.Engine.Desk()
	w.seen, w.position, w.traded = make([]fills, len(d.Orders)), make([]fixed.Qty, len(d.Positions)), make([]fixed.Qty, len(d.Positions))
	for i := range d.Positions {
		w.position[i] = d.Positions[i].Qty
	}
	for i := range d.Orders {
		w.seen[i] = fills{d.Orders[i].Client, d.Orders[i].Filled}
	}
	l.Loop.Record(guardedRing{l.ring, w})
	l.Loop.Tap(w)
}

// wrap puts the guard before every gateway of an assembly.
func (w *guard) wrap(a *Assembly) {
	for id := range a.Venues {
		if a.Venues[id].Adapter == nil || a.Venues[id].Adapter.Gateway == nil {
			continue
		}
		own := *a.Venues[id].Adapter
		open := own.Gateway
		own.Gateway = func(cfg wire.GatewayConfig) (wire.Gateway, error) {
			var g wire.Gateway
			var err error
			if own.Name == "coinbase" {
				g, err = coinbase.NewGateway(coinbase.GatewayOptions{GatewayConfig: cfg, Accepted: 20 * venue.Second}) // its tokens live for two minutes: a long peace
			} else {
				g, err = open(cfg)
			}
			return guarded{g, w}, err
		}
		a.Venues[id].Adapter = &own
	}
}

// guarded is a gateway under guard.
type guarded struct {
	wire.Gateway
	w *guard
}

func (g guarded) Submit(c *venue.Command) venue.Sent {
	g.w.leaves(c)
	return g.Gateway.Submit(c)
}

// leaves looks at a command on its way to a gateway.
func (w *guard) leaves(c *venue.Command) {
	s := w.s
	if !s.life.runs {
		return // recovery's cancels may be repeated
	}
	if w.sent[c.Client] {
		s.fail(holdsOnce, "%s %x of order %x", c.Op, c.Client, c.Target)
	}
	w.sent[c.Client] = true
	if c.Op != venue.New && c.Op != venue.Amend {
		return
	}
	w.orders++
	if !w.recorded[c.Client] {
		s.fail(holdsRecord, "%s %x", c.Op, c.Client)
	}
	if b := w.life.Engine.Desk().Book(c.Inst); b.State() != books.Live {
		s.fail(holdsLive, "%s %x on a book that is %s (%s)", c.Op, c.Client, b.State(), b.Why())
	}
}

// guardedRing is the audit's ring under guard.
type guardedRing struct {
	*audit.Ring
	w *guard
}

func (r guardedRing) Put(rs []audit.Record) bool {
	if !r.Ring.Put(rs) {
		return false
	}
	placed := false
	for i := range rs {
		r.w.record(&rs[i])
		placed = placed || rs[i].Kind == audit.Order && rs[i].Op == venue.New
	}
	if placed {
		r.w.s.interfere()
	}
	return true
}

// record looks at a record that has been queued.
func (w *guard) record(r *audit.Record) {
	switch {
	case r.Kind == audit.Planned && r.Reason == venue.OK:
		w.plans[r.Plan] = 0
	case r.Kind == audit.Order:
		w.recorded[r.Client] = true
		if (r.Op == venue.New || r.Op == venue.Amend) && !w.approved(r) {
			w.s.fail(holdsApproved, "%s %x", r.Op, r.Client)
		}
	}
	w.before = *r
}

// approved reports whether an order's own decision stands right before it, or its plan was approved and this leg of it has
// not left before.
func (w *guard) approved(r *audit.Record) bool {
	b := &w.before
	if b.Kind == audit.Decision {
		return b.Reason == venue.OK && b.Op == r.Op && b.Inst == r.Inst && b.Side == r.Side && b.Price == r.Price && b.Qty == r.Qty && b.Target == r.Target
	}
	left, ok := w.plans[r.Plan]
	w.plans[r.Plan] = left | 1<<r.Leg
	return ok && left&(1<<r.Leg) == 0
}

// Frame sees the reports of a drain before the engine does.
func (w *guard) Frame(b *engine.Batch) {
	for i := range b.Reports {
		r := &b.Reports[i]
		client := r.Client
		w.kinds[r.Kind.String()+"/"+r.Reason.String()]++
		switch r.Kind {
		case venue.Cancelled, venue.Expired, venue.RejectedReport:
			w.ended[client] = true
			w.stated[client] = max(w.stated[client], r.Cum)
		case venue.NotFound:
			w.ended[client] = w.ended[client] || r.Proves()
		case venue.SentReport:
			if venue.Op(r.Seq) == venue.New && venue.Sent(r.Flags) == venue.NotSent {
				w.ended[client] = true
			}
		case venue.Fill:
			w.fills++
		}
	}
}

// check looks at what the engine believes, after a step of it.
func (w *guard) check() {
	d := w.life.Engine.Desk()
	for i := range d.Orders {
		o, was := &d.Orders[i], &w.seen[i]
		if o.State == desk.NoOrder {
			continue
		}
		if was.client != o.Client {
			*was = fills{client: o.Client}
		}
		w.position[o.Inst] += fixed.Qty(o.Side.Sign()) * (o.Filled - was.qty)
		w.traded[o.Inst] += o.Filled - was.qty
		was.qty = o.Filled
		if o.State.Done() {
			w.done(o)
		}
	}
	for i := 1; i < len(d.Positions); i++ {
		// A fee in the base currency makes it less, by a basis point of what was traded.
		if off := d.Positions[i].Qty - w.position[i]; max(off, -off) > w.traded[i]/1000 {
			w.s.fail(holdsBooks, "%s: the ledger has %d, the orders' fills come to %d", d.Instruments[i].Name, d.Positions[i].Qty, w.position[i])
		}
		w.exposure(d, venue.Inst(i))
	}
	if w.looks++; w.looks%64 == 0 {
		w.beyond(d)
	}
}

// done looks at an order that has ended.
func (w *guard) done(o *desk.Order) {
	if o.Filled < w.stated[o.Client] {
		w.s.fail(holdsFills, "%x is %s with %d filled, and the venue stated %d", o.Client, o.State, o.Filled, w.stated[o.Client])
	}
	if !w.ended[o.Client] && o.Filled < o.Qty {
		w.s.fail(holdsEvidence, "%x is %s (%s) with %d of %d filled", o.Client, o.State, o.Reason, o.Filled, o.Qty)
	}
}

// exposure adds up what an instrument's orders can still make of its position.
func (w *guard) exposure(d *desk.Desk, i venue.Inst) {
	var may [2]fixed.Qty
	for _, slot := range d.Live[i] {
		o := &d.Orders[slot]
		left := max(o.Qty, o.NextQty) - o.Filled
		if o.Ending != desk.NoOrder {
			left = o.Stated - o.Filled
		}
		may[o.Side-venue.Buy] += max(left, 0)
	}
	limit, at := w.life.Risk.Instruments[i].MaxPosition, d.Positions[i].Qty
	if long, short := at+may[0], may[1]-at; may[0] > 0 && long > limit || may[1] > 0 && short > limit {
		w.s.fail(holdsLimit, "%s: %d held, %d may be bought and %d sold, the limit is %d", d.Instruments[i].Name, at, may[0], may[1], limit)
	}
}

// guardedConn is a connection whose writes are looked at.
type guardedConn struct {
	net.Conn
	n *severed
}

// orderWords begin an order or a change of one on the wires of the three venues.
var orderWords = [][]byte{[]byte(`order.place"`), []byte(`order.cancelReplace"`), []byte(`order.amend.keepPriority"`), []byte(`"add_order"`), []byte(`"amend_order"`), []byte(`"batch_add"`),
	[]byte("POST /api/v3/brokerage/orders HTTP"), []byte("POST /api/v3/brokerage/orders/edit HTTP")}

func (c guardedConn) Write(p []byte) (int, error) {
	if c.n.dead.Load() {
		return 0, net.ErrClosed
	}
	if l := c.n.guard.life; l != nil && l.net == c.n && l.Kill.On() {
		text := unmasked(p)
		for _, x := range orderWords {
			if bytes.Contains(text, x) {
				c.n.guard.s.fail(holdsKill, "%s", text)
			}
		}
	}
	return c.Conn.Write(p)
}

// unmasked is a client's websocket frame without its mask, and anything else as it is.
func unmasked(p []byte) []byte {
	if len(p) < 8 || p[0] != 0x81 || p[1]&0x80 == 0 {
		return p
	}
	at, n := 2, int(p[1]&0x7f)
	switch n {
	case 126:
		at, n = 4, int(binary.BigEndian.Uint16(p[2:]))
	case 127:
		at, n = 10, int(binary.BigEndian.Uint64(p[2:]))
	}
	mask, out := p[at:at+4], bytes.Clone(p[at+4:min(at+4+n, len(p))])
	for i := range out {
		out[i] ^= mask[i&3]
	}
	return out
}
