// Package match is price-time matching for simulators: limit orders rest in the order they came, takers trade at the
// makers' prices, and every trade and change of a level is reported in the order it happened.
//
// Ownership: one goroutine. Results alias the Book's buffers and are valid until the next call.
//
// Decisions
//   - 2026-11-25: levels are a slice sorted from worst to best, orders of a level a linked list, ids a map that is never
//     walked. A simulator needs plain code and the same answer for the same calls; speed is for package books.
package match

import (
	"sort"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// Order is one resting or arriving order. Qty is what remains.
type Order struct {
	ID    uint64
	Owner uint32
	Side  venue.Side
	Price fixed.Price
	Qty   fixed.Qty

	prev, next *Order
	level      *level
}

// Trade is one match. The price is the maker's.
type Trade struct {
	ID           uint64
	Price        fixed.Price
	Qty          fixed.Qty
	Taker        venue.Side
	MakerID      uint64
	TakerID      uint64
	MakerOwner   uint32
	TakerOwner   uint32
	MakerRemains fixed.Qty
}

// Change is the total of a level after something happened to it; 0 when it is gone.
type Change struct {
	Side  venue.Side
	Price fixed.Price
	Qty   fixed.Qty
}

// Result is what one call did.
type Result struct {
	// Why is OK, or why nothing of the order stands: PostOnlyCross, Unfilled (FOK), BadIntent.
	Why     venue.Reason
	Trades  []Trade
	Changes []Change
	// Filled is what the arriving order traded, Rests what of it stays in the book.
	Filled, Rests fixed.Qty
}

type level struct {
	price       fixed.Price
	total       fixed.Qty
	first, last *Order
}

// Book is the order book of one instrument.
type Book struct {
	sides  [3][]*level // by venue.Side, best last
	orders map[uint64]*Order
	trades uint64
	res    Result
	spare  *Order // free orders
}

// New makes an empty book.
func New() *Book { return &Book{orders: map[uint64]*Order{}} }

// Rules of an arriving order.
type Rules struct {
	TIF      venue.TIF
	PostOnly bool
}

// Add takes an order: it trades with what it crosses and, if GTC, rests with the remainder. An id already in the book, or
// a price or quantity that is not positive, is BadIntent.
func (b *Book) Add(o Order, r Rules) *Result {
	b.reset()
	if _, known := b.orders[o.ID]; known || o.Price <= 0 || o.Qty <= 0 || o.Side == venue.NoSide {
		b.res.Why = venue.BadIntent
		return &b.res
	}
	if r.PostOnly && b.crosses(o.Side, o.Price) {
		b.res.Why = venue.PostOnlyCross
		return &b.res
	}
	if r.TIF == venue.FOK && b.within(o.Side, o.Price) < o.Qty {
		b.res.Why = venue.Unfilled
		return &b.res
	}
	want := o.Qty
	b.take(&o)
	b.res.Filled = want - o.Qty
	if o.Qty > 0 && r.TIF == venue.GTC {
		b.rest(o)
		b.res.Rests = o.Qty
	}
	return &b.res
}

// Cancel takes an order out. Why is UnknownTarget when it is not there.
func (b *Book) Cancel(id uint64) *Result {
	b.reset()
	o := b.orders[id]
	if o == nil {
		b.res.Why = venue.UnknownTarget
		return &b.res
	}
	b.res.Rests = o.Qty
	b.remove(o)
	return &b.res
}

// Reduce lowers an order's remaining quantity in place, keeping its priority. Why is UnknownTarget, or BadIntent when qty
// is not below what remains and above zero.
func (b *Book) Reduce(id uint64, qty fixed.Qty) *Result {
	b.reset()
	o := b.orders[id]
	switch {
	case o == nil:
		b.res.Why = venue.UnknownTarget
	case qty <= 0 || qty >= o.Qty:
		b.res.Why = venue.BadIntent
	default:
		o.level.total -= o.Qty - qty
		o.Qty = qty
		b.changed(o.Side, o.level)
		b.res.Rests = qty
	}
	return &b.res
}

// Order returns a resting order, nil when there is none; it must not be changed.
func (b *Book) Order(id uint64) *Order { return b.orders[id] }

// Best is the best level of a side; Qty 0 when it is empty.
func (b *Book) Best(s venue.Side) venue.Level { return b.Level(s, 0) }

// Depth is the number of levels of a side.
func (b *Book) Depth(s venue.Side) int { return len(b.sides[s]) }

// Level is the n-th best level of a side from 0; Qty 0 when there is none.
func (b *Book) Level(s venue.Side, n int) venue.Level {
	ls := b.sides[s]
	if n >= len(ls) {
		return venue.Level{}
	}
	l := ls[len(ls)-1-n]
	return venue.Level{Price: l.price, Qty: l.total}
}

// OldestAt is the id of the order that has waited longest at the n-th best level, 0 when there is none.
func (b *Book) OldestAt(s venue.Side, n int) uint64 {
	ls := b.sides[s]
	if n >= len(ls) {
		return 0
	}
	return ls[len(ls)-1-n].first.ID
}

func (b *Book) reset() {
	b.res = Result{Trades: b.res.Trades[:0], Changes: b.res.Changes[:0]}
}

// better reports whether p is nearer to the touch than q on a side.
func better(s venue.Side, p, q fixed.Price) bool {
	if s == venue.Buy {
		return p > q
	}
	return p < q
}

// reaches reports whether an order of side s at price p may trade with a level of the other side at q.
func reaches(s venue.Side, p, q fixed.Price) bool { return !better(s, q, p) }

// crosses reports whether an order of a side at p would trade.
func (b *Book) crosses(s venue.Side, p fixed.Price) bool {
	t := b.Best(s.Other())
	return t.Qty > 0 && reaches(s, p, t.Price)
}

// within is what a taker of side s may get up to price p.
func (b *Book) within(s venue.Side, p fixed.Price) fixed.Qty {
	var sum fixed.Qty
	for n := 0; ; n++ {
		l := b.Level(s.Other(), n)
		if l.Qty == 0 || !reaches(s, p, l.Price) {
			return sum
		}
		sum += l.Qty
	}
}

// take trades o with the other side up to its price.
func (b *Book) take(o *Order) {
	other := o.Side.Other()
	for o.Qty > 0 && len(b.sides[other]) > 0 {
		l := b.sides[other][len(b.sides[other])-1]
		if !reaches(o.Side, o.Price, l.price) {
			return
		}
		for o.Qty > 0 && l.first != nil {
			m := l.first
			q := min(o.Qty, m.Qty)
			o.Qty -= q
			m.Qty -= q
			l.total -= q
			b.trades++
			b.res.Trades = append(b.res.Trades, Trade{ID: b.trades, Price: l.price, Qty: q, Taker: o.Side, MakerID: m.ID, TakerID: o.ID,
				MakerOwner: m.Owner, TakerOwner: o.Owner, MakerRemains: m.Qty})
			if m.Qty == 0 {
				b.unlink(m)
			}
		}
		b.changed(other, l)
		if l.first == nil {
			b.sides[other] = b.sides[other][:len(b.sides[other])-1]
		}
	}
}

// rest puts o at the end of its level.
func (b *Book) rest(o Order) {
	ls := b.sides[o.Side]
	i := sort.Search(len(ls), func(i int) bool { return !better(o.Side, o.Price, ls[i].price) })
	if i == len(ls) || ls[i].price != o.Price {
		ls = append(ls, nil)
		copy(ls[i+1:], ls[i:])
		ls[i] = &level{price: o.Price}
		b.sides[o.Side] = ls
	}
	l := ls[i]
	x := b.spare
	if x == nil {
		x = new(Order)
	} else {
		b.spare = x.next
	}
	*x = o
	x.level, x.prev, x.next = l, l.last, nil
	if l.last == nil {
		l.first = x
	} else {
		l.last.next = x
	}
	l.last = x
	l.total += x.Qty
	b.orders[x.ID] = x
	b.changed(o.Side, l)
}

// remove takes a resting order out and its level with it when it was the last there.
func (b *Book) remove(o *Order) {
	l, s := o.level, o.Side
	l.total -= o.Qty
	b.unlink(o)
	b.changed(s, l)
	if l.first != nil {
		return
	}
	ls := b.sides[s]
	i := sort.Search(len(ls), func(i int) bool { return !better(s, l.price, ls[i].price) })
	b.sides[s] = append(ls[:i], ls[i+1:]...)
}

// unlink takes o out of its level's list and forgets it.
func (b *Book) unlink(o *Order) {
	l := o.level
	if o.prev == nil {
		l.first = o.next
	} else {
		o.prev.next = o.next
	}
	if o.next == nil {
		l.last = o.prev
	} else {
		o.next.prev = o.prev
	}
	delete(b.orders, o.ID)
	*o = Order{next: b.spare}
	b.spare = o
}

func (b *Book) changed(s venue.Side, l *level) {
	b.res.Changes = append(b.res.Changes, Change{s, l.price, l.total})
}
