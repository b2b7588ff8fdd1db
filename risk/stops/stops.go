// Package stops closes positions by itself: when their unrealised loss passes a limit, when a Live book reaches a level,
// when it falls back from its best price since the position was opened, or when an operator says so. The engine holds
// these stops; no venue knows of them.
//
// A guard watches and fires once. What it fires at is closed by the closer of that instrument, which asks for reducing
// orders through the same gate as everything else until what was stopped is closed or the position is flat. Until an
// operator arms again, the gate takes nothing else for the instrument.
//
// Ownership: the engine goroutine owns a Stops. Decide allocates nothing, but where more happens in one drain than ever
// before.
//
// Decisions
//   - 2026-11-25: a guard looks when its book has changed and is Live, never at a book that is not: after a gap it looks at
//     the first Live touch, and fires there if that is beyond its level.
//   - 2026-11-25: what a restart must know leaves as Keeps, which the loop journals before the drain's records and orders:
//     first what is to be closed, with the name of its guard, then the guard. A process killed in between therefore finds
//     the guard fired and the closer at work, and one killed before finds neither: a stop fires once.
//   - 2026-11-25: one closer per instrument. Two guards that fire at the same position close it once.
//   - 2026-11-25: a closer sends nothing while an order of its own lives, of known fate or not. A restart finds such an order
//     by its role, so that nothing is sent beside it.
//   - 2026-11-25: what was stopped counts down by fills and is bounded by the position, so that neither a fill missed by a
//     kill nor a reduction by somebody else can open the other way. Whatever else works in the instrument is cancelled, and
//     what it fills until then is closed too: a market maker's bids are hit in the very fall that its stop fires in.
//   - 2026-11-25: the loss of a product is the sum over its instruments, judged only while every book that it holds a
//     position in is Live and fresh: the loss of one leg of a hedge is no loss. A level or a trail of a product is one
//     guard for each of its instruments, on that instrument's own touch: one venue's price closes only what is held there.
//   - 2026-11-25: a market order is an IOC at the touch moved by the instrument's slippage limit, which is the worst that the
//     gate would take. Rejected: a slippage of its own, a second number that can only be stricter or refused.
//   - 2026-11-25: a kill ends closers and guards (their exposure is listed); they watch again when an operator arms.
package stops

import (
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// Act is what happened to a stop.
type Act uint8

const (
	NoAct Act = iota
	// Armed: the guard watches. Said of each guard when a session begins, and when an operator arms it again.
	Armed
	// Fired: the guard is beyond its level and the position of an instrument is being closed.
	Fired
	// Resumed: an earlier run had fired, and its closing goes on.
	Resumed
	// Closed: everything stopped is closed, or the position is flat; Qty is what is left that no order can close.
	Closed
	// Dead: a kill ended it. Qty is the position that nothing guards any more.
	Dead
	// Spent: the guard fired in an earlier run, and nobody has armed it since. Said when a session begins.
	Spent
)

func (a Act) String() string {
	return [...]string{"none", "armed", "fired", "resumed", "closed", "dead", "spent"}[min(a, Spent)]
}

// Said is one act, for the audit.
type Said struct {
	Act Act
	// Stop is the number of the guard in Names, 0 for an operator's closing.
	Stop uint16
	Inst venue.Inst
	// Touch is the price that a guard fired at, Level the price at which it fires or would fire now; 0 for a loss.
	Touch, Level fixed.Price
	// Loss is the unrealised loss that a loss guard fired at, Limit its limit, in the reporting currency.
	Loss, Limit fixed.Cash
	// Qty is signed: the position that is to be closed, or is left.
	Qty fixed.Qty
}

// Keep is what a restart must know under a name: the newest of each name counts. Name and Text need no memory of their own.
type Keep struct {
	Name, Text string
	Value      int64
	Scale      uint8
	// Inst is the instrument of a closer, which may have been stopped or opened by this; 0 for a guard.
	Inst venue.Inst
}

// Stops holds the guards and closers of one engine. Make it with New.
type Stops struct {
	guards  []guard
	names   []string
	closers []closer     // by Inst
	closing []venue.Inst // the instruments whose closer is at work
	watch   [][]uint16   // by Inst: its guards
	terms   []Terms      // by Inst
	ins     []*venue.Instrument
	seen    []seen // by order slot
	begun   bool
	said    []Said
	keeps   []Keep
	counts  Counters
}

// Counters are exact tallies since New.
type Counters struct {
	// Fired counts guards, Closings instruments that were to be closed, Asked the orders that were asked for.
	Fired, Closings, Asked uint64
	// Left counts closings that left something which no order can close.
	Left uint64
}

// Decide looks at what has changed and says which orders it wants. The result is valid until the next call. Once in every
// drain, after reports and events have been applied.
func (s *Stops) Decide(d *desk.Desk, out *desk.Out) []Said {
	if !s.begun {
		s.begin(d)
	}
	for i := range d.Reports {
		s.heard(d, &d.Reports[i])
	}
	for _, i := range d.Changed {
		for _, g := range s.watch[i] {
			s.look(d, int(g), i)
		}
	}
	for n := 0; n < len(s.closing); {
		if s.step(d, s.closing[n], out) {
			n++
		} else {
			s.drop(n)
		}
	}
	return s.said
}

// drop takes the n-th instrument out of closing.
func (s *Stops) drop(n int) {
	last := len(s.closing) - 1
	s.closing[n] = s.closing[last]
	s.closing = s.closing[:last]
}

// Keeps is what has changed since Taken that a restart must know, in the order in which it must be kept.
func (s *Stops) Keeps() []Keep { return s.keeps }

// Taken forgets what Decide, Arm, Kill and Close have said, and Keeps: it has been recorded and kept.
func (s *Stops) Taken() { s.said, s.keeps = s.said[:0], s.keeps[:0] }

// Stopped reports whether an instrument takes nothing but what closes it: a guard has fired there, or it is being closed.
func (s *Stops) Stopped(i venue.Inst) bool { return s.closers[i].stopped }

// Closing reports whether a closer is at work in an instrument.
func (s *Stops) Closing(i venue.Inst) bool { return s.closers[i].active }

// Close closes the position of an instrument, as an operator may ask; where there is none, nothing is said.
func (s *Stops) Close(d *desk.Desk, i venue.Inst) []Said {
	if q := d.Positions[i].Qty; q != 0 {
		s.close(i, 0, q, 0)
		s.say(Said{Act: Fired, Inst: i, Qty: q})
	}
	return s.said
}

// Arm lets every guard watch again that has fired or died, and opens the instruments that nothing is being closed at.
func (s *Stops) Arm(d *desk.Desk) []Said {
	for i := range s.closers {
		if c := &s.closers[i]; c.stopped && !c.active {
			c.stopped = false
			s.keepCloser(venue.Inst(i))
		}
	}
	for n := range s.guards {
		if g := &s.guards[n]; g.state != armed && !s.busy(g) {
			g.reset(armed)
			s.keepGuard(g)
			s.sayGuard(Armed, n, d)
			for k := range g.insts {
				s.look(d, n, g.insts[k])
			}
		}
	}
	return s.said
}

// busy reports whether anything that g watches is still being closed.
func (s *Stops) busy(g *guard) bool {
	for _, i := range g.insts {
		if s.closers[i].active {
			return true
		}
	}
	return false
}

// Kill ends closings and guards at a venue, or everywhere (0).
func (s *Stops) Kill(d *desk.Desk, v venue.ID) []Said {
	for n := 0; n < len(s.closing); {
		i := s.closing[n]
		if v != 0 && s.ins[i].Venue != v {
			n++
			continue
		}
		c := &s.closers[i]
		c.active, c.left = false, 0
		s.keepCloser(i)
		s.say(Said{Act: Dead, Stop: c.by, Inst: i, Qty: d.Positions[i].Qty})
		s.drop(n)
	}
	for n := range s.guards {
		g := &s.guards[n]
		if g.state != armed || v != 0 && !s.at(g, v) {
			continue
		}
		g.reset(dead)
		s.keepGuard(g)
		s.sayGuard(Dead, n, d)
	}
	return s.said
}

// at reports whether a guard watches an instrument of a venue.
func (s *Stops) at(g *guard, v venue.ID) bool {
	for _, i := range g.insts {
		if s.ins[i].Venue == v {
			return true
		}
	}
	return false
}

// Names are the guards, by the number in Said; entry 0 is the operator.
func (s *Stops) Names() []string { return s.names }

// Counters are the tallies.
func (s *Stops) Counters() Counters { return s.counts }

// AtWork is how many instruments are being closed now.
func (s *Stops) AtWork() int { return len(s.closing) }

// Armed is how many guards watch now.
func (s *Stops) Armed() (n int) {
	for i := range s.guards {
		if s.guards[i].state == armed {
			n++
		}
	}
	return n
}

func (s *Stops) say(x Said) { s.said = append(s.said, x) }

func (s *Stops) sayGuard(a Act, n int, d *desk.Desk) {
	g := &s.guards[n]
	x := Said{Act: a, Stop: uint16(n + 1), Level: g.trip, Limit: g.cfg.MaxLoss}
	if len(g.insts) == 1 {
		x.Inst = g.insts[0]
		x.Qty = d.Positions[x.Inst].Qty
	}
	s.say(x)
}

// begun says where each guard stands when a session begins.
var begun = [...]Act{armed: Armed, fired: Spent, dead: Dead}

func (s *Stops) begin(d *desk.Desk) {
	s.begun, s.seen = true, make([]seen, len(d.Orders))
	for i, live := range d.Live {
		for _, slot := range live { // adopted: what they filled before is in the position
			s.seen[slot] = seen{d.Orders[slot].Client, d.Orders[slot].Filled}
		}
		if c := &s.closers[i]; c.stopped && !c.active && len(live) > 0 {
			c.active = true
			s.closing = append(s.closing, venue.Inst(i))
		}
	}
	for n := range s.guards {
		s.sayGuard(begun[s.guards[n].state], n, d)
	}
	for _, i := range s.closing {
		c := &s.closers[i]
		s.say(Said{Act: Resumed, Stop: c.by, Inst: i, Qty: c.left})
	}
}
