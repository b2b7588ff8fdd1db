package app

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing/synctest"

	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/engine/audit"
	"oneprice/feeds/binance/binancesim"
	"oneprice/feeds/coinbase/coinbasesim"
	"oneprice/feeds/kraken/krakensim"
	"oneprice/feeds/wire"
)

// peaceWithin is how long orders of unknown fate may take: a minute and some where Kraken names no bound.
const peaceWithin = 100 * venue.Second

// peace disarms the engine and lets time run until nothing is open and nothing on its way.
func (s *simulation) peace() {
	for s.holds() && !s.life.runs {
		s.advance()
	}
	if !s.holds() {
		return
	}
	s.order(venue.OpDisarm, 0)
	s.life.stopFeeds()
	quiet, began := 0, s.own.Now()
	for s.holds() && quiet < 40 {
		synctest.Wait()
		s.step++
		if s.waiting = s.net.Waiting(s.waiting[:0]); len(s.waiting) > 0 && s.rnd.IntN(10) > 0 {
			s.arrive()
			continue
		}
		if s.life.pending() {
			s.turn()
			continue
		}
		quiet++
		if len(s.life.open()) > 0 || s.life.Engine.Legs().Active() > 0 {
			quiet = 0
		}
		passed := s.own.Now() - began
		if passed > peaceWithin && quiet == 0 {
			s.fail(holdsFate, "%s", strings.Join(s.life.open(), "; "))
		}
		s.rest(5*venue.Millisecond + passed/50)
	}
}

// simOrder is an order as its venue has it.
type simOrder struct {
	venue, text string
	client      uint64
	ours, open  bool
	cum         fixed.Qty // at the scale of its pair
}

// venueOrders are all orders that our accounts ever had.
func (s *simulation) venueOrders() (out []simOrder) {
	for _, v := range s.sims.Venues {
		key := string(v.account.Key.Reveal())
		add := func(client, status string, cum fixed.Qty) {
			o := simOrder{venue: v.name, text: client, cum: cum}
			o.client, o.ours = clientOf(client)
			switch status {
			case "NEW", "PARTIALLY_FILLED", "OPEN", "PENDING", "CANCEL_QUEUED", "open", "pending":
				o.open = true
			}
			out = append(out, o)
		}
		switch x := v.sim.(type) {
		case *binancesim.Sim:
			for _, o := range x.Orders(key) {
				add(o.Client, o.Status, o.Cum)
			}
		case *coinbasesim.Sim:
			for _, o := range x.Orders(key) {
				add(o.Client, o.Status, o.Cum)
			}
		case *krakensim.Sim:
			for _, o := range x.Orders(key) {
				add(o.Client, o.Status, o.Cum)
			}
		}
	}
	return out
}

// clientOf reads a client id in any of the forms on the wires.
func clientOf(text string) (uint64, bool) {
	if id, ok := wire.ParseClientID([]byte(text)); ok {
		return id, true
	}
	if id, ok := wire.ParseClientUUID([]byte(text)); ok {
		return id, true
	}
	id, err := strconv.ParseUint(text, 16, 64)
	return id, err == nil && len(text) == 16
}

// beyond looks whether more is booked than was filled. Venues that replace an order go on counting under another id, so
// only orders that were never amended are held against theirs.
func (w *guard) beyond(d *desk.Desk) {
	by := map[uint64]simOrder{}
	for _, o := range w.s.venueOrders() {
		by[o.client] = o
	}
	for i := range d.Orders {
		o := &d.Orders[i]
		theirs, ok := by[o.Client]
		if o.State == desk.NoOrder || o.Alias != 0 || o.Filled == 0 {
			continue
		}
		in := d.Instruments[o.Inst]
		if cum := fixed.Decimal(theirs.cum, w.s.scale(in)); !ok || cum.LessThan(fixed.Decimal(o.Filled, in.QtyScale)) {
			w.s.fail(holdsVenue, "%s %x has %s, its venue filled %s", in.Name, o.Client, fixed.Decimal(o.Filled, in.QtyScale), cum)
		}
	}
}

// scale is that of quantities of an instrument's orders at its simulator.
func (s *simulation) scale(in *venue.Instrument) uint8 {
	for _, v := range s.sims.Venues {
		for i := range v.pairs {
			if v.name == s.life.Venues[in.Venue].Name && v.pairs[i].Symbol == in.Symbol {
				return v.pairs[i].QtyScale
			}
		}
	}
	panic(in.Name)
}

// final holds the books against the venues', at peace.
func (w *guard) final() {
	s := w.s
	if !s.holds() {
		return
	}
	d := w.life.Engine.Desk()
	w.beyond(d)
	for i := range d.Orders {
		if d.Orders[i].State == desk.Unknown {
			s.fail(holdsFate, "%x is unknown", d.Orders[i].Client)
		}
	}
	seen := map[string]bool{}
	for _, o := range s.venueOrders() {
		name := o.venue + " " + o.text
		if seen[name] {
			s.fail(holdsSingle, "%s", name)
		}
		if seen[name] = true; o.open {
			s.fail(holdsKnown, "%s is open at its venue", name)
		}
	}
	var r LiveResult
	l := w.life.Live
	l.holds, l.tally.venues = s.sims.holds, make([]OrderReport, len(l.Venues))
	for i := range l.tally.venues {
		l.tally.venues[i].Fills = uint64(w.fills) // the slack of rounding, a unit for each
	}
	if l.accounts(&r); len(r.Mismatches) > 0 {
		s.fail(holdsEqual, "%s", strings.Join(r.Mismatches, "; "))
	}
	for _, in := range l.Instruments[1:] {
		fmt.Fprintln(s.history, in.Name, d.Positions[in.Inst], d.Balances[in.Venue])
	}
	for i := range d.Orders {
		fmt.Fprintln(s.history, d.Orders[i])
	}
}

// proven looks at what a life has left on disk.
func (s *simulation) proven(l *simLife) {
	v, err := audit.Verify(l.AuditDir)
	if err != nil || !v.OK {
		s.fail(holdsAudit, "%v", err)
	}
	if r, err := Replay(context.Background(), ReplayOptions{Tape: l.TapePath, Audit: l.AuditDir}); err != nil {
		s.fail(holdsReplay, "%v", err)
	} else if r.Compared == 0 {
		s.fail(holdsReplay, "nothing was compared")
	}
}
