// Package paper fills orders from real books: the gateway of paper trading and of backtests.
//
// Ownership: the engine goroutine calls everything but Run and Sweep, which touch no state. It reads the Desk's books and
// instruments and writes nothing of the Desk.
//
// Decisions
//   - 2026-11-25: it looks at the engine's own books instead of keeping a second set, which would double the cost of a
//     backtest frame. A tap runs before Step applies the batch, so the rule is: Due and Frame see the books as every
//     earlier batch left them. Orders that arrive by now meet that state, which is the state at their arrival; the prints
//     of the batch come after them; what the batch does to the books is looked at by the next Due, in the name of the
//     batch's own time. Nothing depends on how Step works, and the same batches and commands give the same reports.
//   - 2026-11-25: liquidity that was consumed is remembered per price and only ever forgotten when the displayed quantity
//     falls below it; a bounded table that is full hides further levels instead of forgetting.
//   - 2026-11-25: a print through our price fills at most its own quantity, not the whole order: on thin instruments a
//     whole fill would invent volume.
package paper

import (
	"context"
	"fmt"

	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/venue"
	"oneprice/engine"
)

// Queue is how a resting order moves up its level's queue when quantity leaves without a trade.
type Queue uint8

const (
	// Back: what leaves was behind us, unless less is displayed than we thought ahead.
	Back Queue = iota
	// ProRata: what leaves was ahead of us and behind us in equal proportion.
	ProRata
)

// Latency is how long an order travels to its venue, and an answer back. Receive time stands for the venue's time, so
// the delay of the feed itself belongs into Order.
type Latency struct{ Order, Report venue.Nanos }

// Config is what a Gateway is made of. Every bound must be positive.
type Config struct {
	Desk *desk.Desk
	// Latency is indexed by venue.
	Latency []Latency
	Queue   Queue
	// Orders bounds the orders that rest or travel, Commands those that travel per venue, Levels the consumed prices
	// remembered per side of an instrument.
	Orders, Commands, Levels int
	// Kill, where not nil, is the gate before the wire.
	Kill *venue.Kill
}

// Gateway simulates the order side of every venue of a Desk. It assumes:
//
//   - Time. A command arrives Order after Submit and is answered Report after that; cancels in flight race with fills.
//   - Trust. Nothing fills on a book that is not Live; an order that arrives then expires.
//   - Takers walk the book as it stands at arrival, level by level, never against liquidity that an earlier order of ours
//     consumed. When a level's displayed quantity grows, the growth is new; when it shrinks, what was left goes first.
//   - FOK fills whole or expires; IOC expires with what it found; PostOnly that would cross is rejected; Limit takes what
//     crosses and rests with the remainder.
//   - Resting orders queue behind everything displayed at their price on arrival. Prints at the price consume the queue;
//     cancels help only as Queue says, or when less is displayed than was ahead. A print that the displayed quantity
//     already accounts for (by the venue's time) is not counted a second time.
//   - Resting orders fill at their own price, as maker: from prints beyond the queue, from prints through the price up to
//     the printed quantity, and from the opposite side when it shows at or through the price, which consumes it.
//   - Amends keep the place in the queue only when the price stays and the quantity does not grow.
//   - Own orders never meet each other, and do not move the market. Balances are the gate's business.
//   - The venue rejects what breaks its tick, lot, minimums, maximum or status, unknown targets and used client ids.
type Gateway struct {
	cfg    Config
	now    venue.Nanos
	pits   []pit  // by instrument
	links  []link // by venue
	dirty  []venue.Inst
	open   int    // orders that rest or travel
	orders uint64 // venue order ids given
	trades uint64 // trade ids given
	seq    uint64
	counts Counters
}

// Counters are exact tallies since New.
type Counters struct{ Acks, Rejects, Fills, MakerFills, Expired, Cancelled uint64 }

// link is the way to one venue and back. Latencies are constant, so both directions are first in, first out.
type link struct {
	latency Latency
	out     fifo[travelling]
	back    fifo[venue.Report]
}

type travelling struct {
	at venue.Nanos
	c  venue.Command
}

var (
	_ venue.Gateway = (*Gateway)(nil)
	_ engine.Tap    = (*Gateway)(nil)
	_ engine.Source = (*Gateway)(nil)
)

// New makes a gateway for every venue of the Desk.
func New(cfg Config) (*Gateway, error) {
	if cfg.Orders <= 0 || cfg.Commands <= 0 || cfg.Levels <= 0 {
		return nil, fmt.Errorf("paper: bounds must be positive; got orders %d, commands %d, levels %d", cfg.Orders, cfg.Commands, cfg.Levels)
	}
	g := &Gateway{cfg: cfg, pits: make([]pit, len(cfg.Desk.Instruments)), links: make([]link, len(cfg.Latency))}
	for v, l := range cfg.Latency {
		if l.Order < 0 || l.Report < 0 {
			return nil, fmt.Errorf("paper: latency of venue %d is negative: order %d ns, report %d ns", v, l.Order, l.Report)
		}
		g.links[v] = link{latency: l, out: newFIFO[travelling](cfg.Commands), back: newFIFO[venue.Report](4 * cfg.Commands)}
	}
	for i, in := range cfg.Desk.Instruments {
		if in == nil {
			continue
		}
		if int(in.Venue) >= len(cfg.Latency) {
			return nil, fmt.Errorf("paper: %s is at venue %d, which has no latency", in.Name, in.Venue)
		}
		g.pits[i] = pit{in: in, book: cfg.Desk.Books[i]}
		for s := range g.pits[i].sides {
			g.pits[i].sides[s] = side{rests: make([]rest, 0, 16), taken: taken{room: cfg.Levels, l: make([]venue.Level, 0, min(cfg.Levels, 64))}}
		}
	}
	g.dirty = make([]venue.Inst, 0, len(g.pits))
	return g, nil
}

// Submit sends a command on its way. NotSent when the kill gate is closed, NotAfter has passed, a bound is
// reached, or the instrument is not one of the venue. The engine goroutine only.
func (g *Gateway) Submit(c *venue.Command) venue.Sent {
	if !g.known(c) || (g.cfg.Kill != nil && g.cfg.Kill.Blocks(c)) {
		return venue.NotSent
	}
	if c.Op != venue.Cancel && c.Op != venue.CancelAll && c.NotAfter != 0 && g.now > c.NotAfter {
		return venue.NotSent
	}
	l := &g.links[c.Venue]
	if l.out.len() >= g.cfg.Commands || c.Op == venue.New && g.open >= g.cfg.Orders {
		return venue.NotSent
	}
	if c.Op == venue.New {
		g.open++
	}
	*l.out.push() = travelling{g.now + l.latency.Order, *c}
	return venue.Out
}

// known reports whether a command names an instrument of its venue, or a venue alone to cancel all.
func (g *Gateway) known(c *venue.Command) bool {
	if int(c.Venue) >= len(g.links) || int(c.Inst) >= len(g.pits) {
		return false
	}
	in := g.pits[c.Inst].in
	return in != nil && in.Venue == c.Venue || c.Op == venue.CancelAll && c.Inst == 0
}

// Run has nothing to keep alive: it waits for ctx.
func (g *Gateway) Run(ctx context.Context, _ venue.Reports) error {
	<-ctx.Done()
	return nil
}

// Sweep finds nothing: a simulated venue remembers no earlier run.
func (g *Gateway) Sweep(context.Context, venue.Nanos, venue.Reports) error { return nil }

// Counters returns the tallies.
func (g *Gateway) Counters() Counters { return g.counts }

// Due lets simulated time run to now against the books as they are, and appends the reports due by then, in the order of
// their arrival here. The engine goroutine, before Frame and Step of the same batch.
func (g *Gateway) Due(now venue.Nanos, dst []venue.Report) []venue.Report {
	g.advance(now)
	for {
		l := g.first(now)
		if l == nil {
			return dst
		}
		dst = append(dst, *l.back.head())
		l.back.pop()
	}
}

// first is the link whose oldest report is due first, by now; nil when none is.
func (g *Gateway) first(now venue.Nanos) *link {
	var found *link
	for v := range g.links {
		l := &g.links[v]
		if l.back.len() == 0 || l.back.head().Recv > now {
			continue
		}
		if found == nil || l.back.head().Recv < found.back.head().Recv {
			found = l
		}
	}
	return found
}

// Next is the earliest instant at which Due has something to do; false when nothing travels.
func (g *Gateway) Next() (venue.Nanos, bool) {
	if len(g.dirty) > 0 {
		return g.now, true
	}
	var at venue.Nanos
	found := false
	for v := range g.links {
		l := &g.links[v]
		if l.out.len() > 0 && (!found || l.out.head().at < at) {
			at, found = l.out.head().at, true
		}
		if l.back.len() > 0 && (!found || l.back.head().Recv < at) {
			at, found = l.back.head().Recv, true
		}
	}
	return at, found
}

// Frame takes the prints of a batch and notes which books it will change. A venue's touch is not noted: a book believes
// the worse of the two, so it shows nothing that a frame did not bring. The engine goroutine, before Step.
func (g *Gateway) Frame(b *engine.Batch) {
	g.advance(b.Now)
	for i := 0; i < len(b.Events); i++ {
		e := &b.Events[i]
		switch e.Kind {
		case venue.Trade:
			g.print(&g.pits[e.Inst], e)
		case venue.Head:
			g.touched(&g.pits[e.Inst], e.At())
			i += e.Count()
		}
	}
}

// touched notes that a book is about to change, by a frame of the venue's time at, where something is at stake.
func (g *Gateway) touched(p *pit, at venue.Nanos) {
	p.shown = at
	if p.dirty || p.idle() {
		return
	}
	p.dirty, p.since = true, g.now
	g.dirty = append(g.dirty, p.in.Inst)
}

// advance moves simulated time to now: first what the last batch did to the books, then the commands that arrived since.
func (g *Gateway) advance(now venue.Nanos) {
	for _, i := range g.dirty {
		p := &g.pits[i]
		p.dirty = false
		if p.book.State() == books.Live {
			g.look(p, p.since)
		}
	}
	g.dirty = g.dirty[:0]
	g.now = max(g.now, now)
	for v := range g.links {
		l := &g.links[v]
		for l.out.len() > 0 && l.out.head().at <= g.now {
			t := l.out.head()
			g.arrive(&t.c, t.at)
			l.out.pop()
		}
	}
}
