package paper

import (
	"oneprice/books"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// taken remembers how much of each displayed level our orders have consumed, in ascending price, at most room levels.
//
// The rule is one line: consumed = min(consumed, displayed), at every look. Growth of the displayed quantity is then
// available, a fall takes what was left before it takes what we took, and what our orders fill at a price never exceeds
// what was displayed first plus all growth.
type taken struct {
	room int
	l    []venue.Level
}

// find is the place of a price and whether it is there.
func (t *taken) find(p fixed.Price) (int, bool) {
	lo, hi := 0, len(t.l)
	for lo < hi {
		if m := (lo + hi) / 2; t.l[m].Price < p {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo, lo < len(t.l) && t.l[lo].Price == p
}

// left is what of a displayed level may still be consumed: 0 for a new price when the table is full, or would be after
// the given number of new prices more.
func (t *taken) left(l venue.Level, more int) (q fixed.Qty, known bool) {
	i, known := t.find(l.Price)
	if known {
		return max(l.Qty-t.l[i].Qty, 0), true
	}
	if len(t.l)+more >= t.room {
		return 0, false
	}
	return l.Qty, false
}

// add consumes q at a price for which left was not 0.
func (t *taken) add(p fixed.Price, q fixed.Qty) {
	i, ok := t.find(p)
	if !ok {
		t.l = append(t.l, venue.Level{})
		copy(t.l[i+1:], t.l[i:])
		t.l[i] = venue.Level{Price: p}
	}
	t.l[i].Qty += q
}

// look holds every entry against what the book displays on that side.
func (t *taken) look(b *books.Book, s venue.Side) {
	n := 0
	for _, l := range t.l {
		if l.Qty = min(l.Qty, b.QtyAt(s, l.Price)); l.Qty > 0 {
			t.l[n] = l
			n++
		}
	}
	t.l = t.l[:n]
}
