package books

import (
	"math"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// Cursor walks one side, best first. A value: copy it to remember a place. Invalid after the next Apply or ApplyTouch.
type Cursor struct {
	// Level is the level that the last Next stopped at.
	venue.Level
	s *side
	// i is the offset in the window above the next level; run and in say the same in far, once the window is through.
	i       int64
	run, in int
	// cap and capQty bound the level at the key of a newer touch; capQty is the largest int64 where there is none.
	cap, capQty int64
}

// start is a cursor over all levels of the side.
func (s *side) start() Cursor {
	return Cursor{s: s, i: s.best + 1, run: len(s.far.runs), capQty: math.MaxInt64}
}

// startAt is a cursor over the levels from key k on, with at most q at k itself.
func (s *side) startAt(k, q int64) Cursor {
	c := s.start()
	c.cap, c.capQty = k, q
	if k-s.base < c.i {
		c.i = max(k-s.base+1, 0)
	}
	if k < s.base && s.far.n > 0 {
		r, i := s.far.find(k)
		if x := s.far.runs[r]; i < x.n && x.key[i] == k {
			i++
		}
		c.run, c.in = r, i
	}
	return c
}

// Next moves to the next level; false at the end of the side.
func (c *Cursor) Next() bool {
	if c.i > 0 {
		if i := c.s.below(c.i); i >= 0 {
			c.i = i
			c.stop(c.s.base+i, c.s.qty[i])
			return true
		}
		c.i = 0
	}
	return c.nextFar()
}

func (c *Cursor) nextFar() bool {
	if c.s == nil {
		return false
	}
	if c.in == 0 {
		if c.run == 0 {
			return false
		}
		c.run--
		c.in = c.s.far.runs[c.run].n
	}
	c.in--
	x := c.s.far.runs[c.run]
	c.stop(x.key[c.in], x.qty[c.in])
	return true
}

func (c *Cursor) stop(k, q int64) {
	if k == c.cap {
		q = min(q, c.capQty)
	}
	c.Price, c.Qty = fixed.Price(k*c.s.step), fixed.Qty(q)
}

// Walk is what taking qty from a side would do.
type Walk struct {
	// Filled ≤ the asked quantity; Best and Worst are the first and last price touched (0 when Filled is 0).
	Filled      fixed.Qty
	Best, Worst fixed.Price
}

// Take walks the side that a taker of the given side would hit: asks for venue.Buy. A quantity that is not positive
// fills nothing.
func (b *Book) Take(taker venue.Side, qty fixed.Qty) Walk {
	var w Walk
	if qty <= 0 {
		return w
	}
	if best := b.best[taker.Other()]; best.Qty >= qty && b.touch.seq <= b.seq {
		return Walk{Filled: qty, Best: best.Price, Worst: best.Price}
	}
	for c := b.Levels(taker.Other()); c.Next(); {
		if w.Filled == 0 {
			w.Best = c.Price
		}
		w.Worst = c.Price
		if c.Qty >= qty-w.Filled {
			w.Filled = qty
			return w
		}
		w.Filled += c.Qty
	}
	return w
}

// Levels returns a cursor over the side, best first: bids for venue.Buy, asks for venue.Sell.
//
//	for c := b.Levels(venue.Sell); c.Next(); { use c.Price, c.Qty }
//
// The cursor is invalid after the next Apply or ApplyTouch. It starts at Best: levels that a newer venue touch has
// removed are skipped, and the level at the touch's own price holds no more than the touch says.
func (b *Book) Levels(side venue.Side) Cursor {
	s := b.side(side)
	if b.touch.seq > b.seq {
		l := b.touch.side(side)
		if l.Qty == 0 {
			return Cursor{}
		}
		return s.startAt(b.bound(s, l))
	}
	return s.start()
}

// Rows is Levels without regard to a newer venue touch: every level of the side as the book has it, best first.
func (b *Book) Rows(side venue.Side) Cursor { return b.side(side).start() }
