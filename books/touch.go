package books

import (
	"math"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// touch is the venue's own best bid and offer at an id of the book's space.
type touch struct {
	seq      uint64
	bid, ask venue.Level
}

func (t *touch) side(s venue.Side) venue.Level {
	if s == venue.Buy {
		return t.bid
	}
	return t.ask
}

// touches is a bounded queue, ascending by id, of touches that the book has not reached yet. When it is full the oldest
// gives way: what is lost is a comparison, never a price.
type touches struct {
	ring    []touch // a power of two
	head, n uint64
}

func (q *touches) at(i uint64) *touch { return &q.ring[(q.head+i)&uint64(len(q.ring)-1)] }

// put adds a touch; one that comes late is moved to its place.
func (q *touches) put(t touch) {
	if q.n == uint64(len(q.ring)) {
		q.drop()
	}
	i := q.n
	q.n++
	for ; i > 0 && q.at(i-1).seq > t.seq; i-- {
		*q.at(i) = *q.at(i - 1)
	}
	*q.at(i) = t
}

func (q *touches) drop() { q.head, q.n = q.head+1, q.n-1 }

// ApplyTouch takes the venue's own best bid and offer. A touch with the id of the book is compared with it at once, one
// that is ahead when the book arrives there, each at most once; until then the worse of both is what Best and Levels say.
// A touch that is behind, or has no id, changes nothing. No touch is a sign of life of the book: it comes on a stream of its
// own, which may go on while the book's is frozen.
func (b *Book) ApplyTouch(e *venue.Event) Outcome {
	before := b.state
	return b.applyTouch(e) | b.since(before)
}

func (b *Book) applyTouch(e *venue.Event) Outcome {
	t := touch{e.Seq, venue.Level{Price: fixed.Price(e.W[0]), Qty: fixed.Qty(e.W[1])}, venue.Level{Price: fixed.Price(e.W[2]), Qty: fixed.Qty(e.W[3])}}
	if why := b.checkTouch(&t); why != venue.OK {
		return b.stale(why)
	}
	if t.seq == 0 || t.bid.Qty > 0 && t.ask.Qty > 0 && t.bid.Price >= t.ask.Price {
		return 0
	}
	if b.state == Live && t.seq <= b.seq {
		if t.seq == b.seq {
			return b.compare(&t)
		}
		return 0
	}
	b.ahead.put(t)
	if t.seq <= b.touch.seq {
		return 0
	}
	b.touch = t
	return b.refresh()
}

// checkTouch finds values that no venue may send; the price of an empty side means nothing.
func (b *Book) checkTouch(t *touch) venue.Reason {
	why := venue.OK
	if t.bid.Qty != 0 {
		why = b.checkLevel(t.bid)
	}
	if t.ask.Qty != 0 && why == venue.OK {
		why = b.checkLevel(t.ask)
	}
	return why
}

// meet compares the book with every waiting touch of its id and forgets those that it has passed.
func (b *Book) meet() Outcome {
	for b.ahead.n > 0 && b.state == Live {
		t := b.ahead.at(0)
		if t.seq > b.seq {
			return 0
		}
		b.ahead.drop()
		if t.seq == b.seq {
			if o := b.compare(t); o != 0 {
				return o
			}
		}
	}
	return 0
}

// compare checks the book's own touch against the venue's at the same id.
func (b *Book) compare(t *touch) Outcome {
	b.c.TouchCompared++
	if agrees(b.sides[0].touch(), t.bid) && agrees(b.sides[1].touch(), t.ask) {
		return 0
	}
	b.c.TouchMismatched++
	return b.stale(venue.TouchMismatch)
}

func agrees(own, theirs venue.Level) bool { return own == theirs || own.Qty == 0 && theirs.Qty == 0 }

// refresh recomputes what Best says of both sides and reports whether it changed.
func (b *Book) refresh() Outcome {
	bid, ask := b.believed(venue.Buy), b.believed(venue.Sell)
	if bid == b.best[venue.Buy] && ask == b.best[venue.Sell] {
		return 0
	}
	b.best[venue.Buy], b.best[venue.Sell] = bid, ask
	b.dirty = true
	return Changed
}

// believed is the first level of Levels, found without a walk where the touch is inside the window.
func (b *Book) believed(side venue.Side) venue.Level {
	s := b.side(side)
	own := s.touch()
	if b.touch.seq <= b.seq || own.Qty == 0 {
		return own
	}
	l := b.touch.side(side)
	if l.Qty == 0 {
		return venue.Level{}
	}
	k, q := b.bound(s, l)
	switch i := k - s.base; {
	case i > s.best: // better than the book, which is not believed
		return own
	case i == s.best:
		return venue.Level{Price: own.Price, Qty: min(own.Qty, fixed.Qty(q))}
	}
	c := s.startAt(k, q)
	c.Next()
	return c.Level
}

// bound is the best key of the side that the touch level l allows, and the most that may rest there. A price that lies
// between ticks since a Retick allows the next worse tick, of which it says nothing else.
func (b *Book) bound(s *side, l venue.Level) (k, q int64) {
	if i, ok := b.grid.index(l.Price); ok {
		return i * s.sign, int64(l.Qty)
	}
	i := int64(l.Price / b.grid.tick)
	if s.sign < 0 {
		i = -i - 1
	}
	return i, math.MaxInt64
}
