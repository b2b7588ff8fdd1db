package orders_test

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"slices"
	"unsafe"

	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/engine/orders"
)

// The model's sizes: an order is for 2, every trade is of 1, an amend asks for 3 at a worse price and then for 1 at a
// better one.
const (
	most  = 2 // orders in one walk
	lines = 5 // reports under way at once
	size  = 2
	price = 100
)

// bounds say how much may happen in one walk.
type bounds struct {
	orders, cancels, amends, lost, doubled, timeouts, restarts int8
	// whims are what the venue does of itself: refuse, expire.
	whims int8
	// totals: the venue states what has filled in all, without trade ids.
	totals bool
	// still: it fills nothing.
	still bool
}

// state is everything: the real table, the venue as it is, what is under way between them, and what the gateway does not know.
type state struct {
	table  orders.Snapshot
	kept   desk.Order // the first one as the journal has it, where a walk restarts
	each   [most]life
	asks   [3]ask      // commands under way; they overtake each other
	says   [lines]word // reports under way; so do they
	amends [3]uint64   // ids of the amends, by number
	down   bool        // the engine is dead, or recovers
	used   bounds
}

// life is one order, as each side has it.
type life struct {
	client uint64

	// What the venue has.
	known, open bool
	end         venue.ReportKind // what ended it, 0 while it is open or when its fills did
	qty, cum    int8
	price       int8
	took        uint8 // amends that took effect, by bit
	name        int8  // the last of them

	// What the engine has been told.
	booked int8
	seen   uint8 // trades booked, by bit

	// What the gateway is in doubt of: requests, and whether reports of its own accord were lost.
	doubt   uint8
	doubted int8 // the amend
}

// Doubts, by bit.
const (
	ofNew uint8 = 1 << iota
	ofCancel
	ofAmend
	ofStream
)

// ask is a command under way. amend numbers it among the amends, from 1.
type ask struct {
	op         venue.Op
	of         int8
	amend      int8
	qty, price int8
}

// word is a report under way.
type word struct {
	kind             venue.ReportKind
	of               int8
	sent             venue.Sent // of a SentReport, with op
	op               venue.Op
	flags            uint8
	cum, open, price int8
	trade            int8 // of a Fill, from 1
	amend            int8
	proves           bool
}

// rig is one table that takes the place of each state in turn.
type rig struct {
	max bounds
	d   *desk.Desk
	tab *orders.Table
	in  *venue.Instrument
}

func newRig(max bounds) *rig {
	in := &venue.Instrument{Inst: 1, Venue: 1, Product: 1, Symbol: "X", Name: "v:X", Tick: 1, Lot: 1, Multiplier: fixed.One, Kind: venue.Spot, Base: 2, Quote: 1, Settle: 1}
	r := &rig{max: max, in: in, d: desk.New([]*venue.Instrument{nil, in}, 1, 2, 2, 1, books.Config{})}
	r.tab = orders.New(r.d, 1, 100)
	return r
}

// key identifies a state by its bytes: padding between fields could at worst make two of one.
func (s *state) key(seed maphash.Seed) uint64 {
	return maphash.Bytes(seed, unsafe.Slice((*byte)(unsafe.Pointer(s)), unsafe.Sizeof(*s)))
}

func (r *rig) first() state { return state{table: r.tab.Save()} }

// put adds a report; false where there is no room.
func (s *state) put(w word) bool {
	if s.says[lines-1] != (word{}) {
		return false
	}
	s.says[lines-1] = w
	slices.SortFunc(s.says[:], compareWords)
	return true
}

func compareWords(a, b word) int {
	return cmp.Or(cmp.Compare(b.kind, a.kind), cmp.Compare(a.of, b.of), cmp.Compare(a.sent, b.sent), cmp.Compare(a.op, b.op), cmp.Compare(a.flags, b.flags), cmp.Compare(a.cum, b.cum),
		cmp.Compare(a.open, b.open), cmp.Compare(a.price, b.price), cmp.Compare(a.trade, b.trade), cmp.Compare(a.amend, b.amend))
}

// drop takes a report away.
func (s *state) drop(i int) {
	copy(s.says[i:], s.says[i+1:])
	s.says[lines-1] = word{}
}

func (s *state) send(a ask) bool {
	if s.asks[len(s.asks)-1] != (ask{}) {
		return false
	}
	s.asks[len(s.asks)-1] = a
	slices.SortFunc(s.asks[:], func(a, b ask) int {
		return cmp.Or(cmp.Compare(b.op, a.op), cmp.Compare(a.of, b.of), cmp.Compare(a.amend, b.amend))
	})
	return true
}

func (s *state) arrive(i int) {
	copy(s.asks[i:], s.asks[i+1:])
	s.asks[len(s.asks)-1] = ask{}
}

// asked reports whether a command of a kind is under way.
func (s *state) asked(of int8, op venue.Op) bool {
	return slices.ContainsFunc(s.asks[:], func(a ask) bool { return a.op == op && a.of == of })
}

// rests: nothing is under way and nothing in doubt.
func (s *state) rests() bool {
	if s.down || s.asks[0] != (ask{}) || s.says[0] != (word{}) {
		return false
	}
	return s.each[0].doubt == 0 && s.each[1].doubt == 0
}

// could is the most that an order can come to at the venue.
func (s *state) could(k int8) int8 {
	l := &s.each[k]
	q := l.cum
	switch {
	case l.open:
		q = l.qty
	case !l.known && s.asked(k, venue.New):
		q = size
	default:
		return q
	}
	for _, a := range s.asks {
		if a.op == venue.Amend && a.of == k {
			q = max(q, a.qty)
		}
	}
	return q
}

// worst is the highest price that it could still trade at, 0 when it cannot trade.
func (s *state) worst(k int8) int8 {
	l := &s.each[k]
	p := l.price
	switch {
	case l.open:
	case !l.known && s.asked(k, venue.New):
		p = price
	default:
		return 0
	}
	for _, a := range s.asks {
		if a.op == venue.Amend && a.of == k {
			p = max(p, a.price)
		}
	}
	return p
}

// holds are the invariants of every move.
func (r *rig) holds(from, to *state) string {
	var may fixed.Qty
	var worst int8
	for k := range int8(most) {
		l := &to.each[k]
		switch {
		case l.booked > l.cum:
			return "a fill is counted twice"
		case l.booked < from.each[k].booked:
			return "a fill is taken back"
		case l.booked > 3:
			return "more is filled than was ever asked for"
		}
		may += fixed.Qty(to.could(k) - l.booked)
		worst = max(worst, to.worst(k))
	}
	if to.down {
		return ""
	}
	t, was := &to.table, &from.table
	switch {
	case may > t.Working.BuyQty:
		return "more may fill than the engine counts"
	case fixed.Price(worst) > t.Working.BuyWorst:
		return "it may fill at a worse price than the engine counts"
	case t.Live == t.Free:
		return "the slot is both live and free, or neither"
	case t.Live == (t.Order.State.Done() || t.Order.State == desk.NoOrder):
		return "an order that is done is live, or one that is not is not"
	}
	if !from.down && was.Order.Client == t.Order.Client && was.Order.State.Done() {
		if t.Order.State != was.Order.State {
			return "a terminal state changed"
		}
		if t.Order.Filled < was.Order.Filled {
			return "a fill is taken back"
		}
	}
	return ""
}

// settled are the invariants of a state at rest: the engine's order is the venue's.
func (r *rig) settled(s *state) string {
	for k := range int8(most) {
		l := &s.each[k]
		if l.client == 0 {
			continue
		}
		o := &s.table.Order
		switch {
		case l.booked != l.cum:
			return "a fill is forgotten"
		case o.Client != l.client:
			if l.open {
				return "an order stands that the engine does not know"
			}
		case l.open == o.State.Done():
			return "the engine and the venue differ over whether the order stands"
		case !l.open:
		case o.State == desk.Unknown, o.State == desk.Pending, o.State == desk.Sent, o.State == desk.PendingAmend, o.State == desk.PendingCancel:
			return "an order whose fate is known is " + o.State.String()
		case int8(o.Qty) != l.qty || int8(o.Price) != l.price:
			return "another quantity or price is in force than the engine has"
		case int8(o.Filled) != l.cum:
			return "another quantity has filled than the engine has"
		}
	}
	return ""
}

// String shows what matters of a state.
func (s *state) String() string {
	o := &s.table.Order
	text := fmt.Sprintf("engine: %s %d of %d at %d, next %d at %d, stated %d, working %+v", o.State, o.Filled, o.Qty, o.Price, o.NextQty, o.NextPrice, o.Stated, s.table.Working)
	for k, l := range s.each {
		if l.client != 0 {
			text += fmt.Sprintf("\norder %d: %+v", k, l)
		}
	}
	return text + fmt.Sprintf("\nasks: %v\nsays: %v", s.asks, s.says)
}
