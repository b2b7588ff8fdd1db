package arb

import (
	"math"
	"math/bits"

	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// makes is what q of the leg's instrument at price p delivers in base units, fee in base taken off, rounded down.
func (l *leg) makes(p fixed.Price, q fixed.Qty) (fixed.Qty, bool) {
	if l.whole {
		return q, true
	}
	return l.converts(p, q)
}

func (l *leg) converts(p fixed.Price, q fixed.Qty) (fixed.Qty, bool) {
	b, ok := l.in.BaseQty(p, q, fixed.Down)
	if !ok || l.keep == fixed.One {
		return b, ok
	}
	v, ok := fixed.MulDiv(int64(b), int64(l.keep), int64(fixed.One), fixed.Down)
	return fixed.Qty(v), ok
}

// needs is the quantity of the instrument that delivers base units at price p, rounded down. What a fee in base takes is
// added rounded up, so that makes gives the same base back and not a unit less.
func (l *leg) needs(p fixed.Price, base fixed.Qty) (fixed.Qty, bool) {
	if l.whole {
		return base, true
	}
	if l.keep != fixed.One {
		v, ok := fixed.MulDiv(int64(base), int64(fixed.One), int64(l.keep), fixed.Up)
		if !ok {
			return 0, false
		}
		base = fixed.Qty(v)
	}
	return l.in.FromBase(p, base, fixed.Down)
}

// buys is the base quantity whose quote value at p is cash, rounded down; Limit when that is beyond it.
func (l *leg) buys(p fixed.Price, cash fixed.Cash) fixed.Qty {
	v, ok := fixed.MulDiv3(int64(cash), fixed.Pow10(l.in.PriceScale), fixed.Pow10(l.in.QtyScale), int64(p), fixed.Pow10(fixed.CashScale), fixed.Down)
	if !ok {
		return fixed.Limit
	}
	return fixed.Qty(v)
}

// affords reports whether base is surely not more than buys(p, cash), by a kept bound on price × quantity instead of a
// division.
func (l *leg) affords(p fixed.Price, base fixed.Qty, cash fixed.Cash) bool {
	if l.cash != cash {
		part, ok := fixed.MulDiv(int64(cash), fixed.Pow10(l.in.PriceScale), fixed.Pow10(fixed.CashScale), fixed.Down)
		if !ok {
			part = fixed.Limit
		}
		hi, lo := bits.Mul64(uint64(part), uint64(fixed.Pow10(l.in.QtyScale)))
		if hi != 0 {
			lo = math.MaxUint64
		}
		l.cash, l.reach = cash, lo
	}
	hi, lo := bits.Mul64(uint64(p), uint64(base))
	return hi == 0 && lo <= l.reach
}

// walkTo is the quantity, in lots, that delivers at most base units when the book is walked. An inverse contract's value
// in base depends on the price, so it is converted level by level.
func (l *leg) walkTo(b *books.Book, base fixed.Qty) fixed.Qty {
	q := fixed.Qty(0)
	if l.in.Contract != venue.Inverse {
		q, _ = l.needs(0, base)
		return fixed.RoundTo(q, l.in.Lot, fixed.Down)
	}
	for c := b.Levels(l.side.Other()); base > 0 && c.Next(); {
		got, ok := l.makes(c.Price, c.Qty)
		if !ok {
			break
		}
		if got > base {
			part, _ := l.needs(c.Price, base)
			q += part
			break
		}
		q, base = q+c.Qty, base-got
	}
	return fixed.RoundTo(q, l.in.Lot, fixed.Down)
}

// walked is what q delivers in base units when the book is walked.
func (l *leg) walked(b *books.Book, q fixed.Qty) fixed.Qty {
	if l.in.Contract != venue.Inverse {
		v, _ := l.makes(0, q)
		return v
	}
	sum := fixed.Qty(0)
	for c := b.Levels(l.side.Other()); q > 0 && c.Next(); {
		part := min(q, c.Qty)
		v, _ := l.makes(c.Price, part)
		sum, q = sum+v, q-part
	}
	return sum
}

// fit rounds a common size to the lots of every leg: first the leg whose lots are coarsest, then the others to what that
// one delivers, so that legs differ by less than a lot of the finer one. A triangle's low leg follows from the mid one. It sets o.qty and o.base, what every leg
// delivers at least; false when a leg comes to nothing.
func (c *cross) fit(d *desk.Desk, size fixed.Qty, o *order) bool {
	n := c.n
	if c.form == triangle && c.long {
		n-- // the low leg is the last
	}
	first := uint8(0)
	if c.form == triangle && !c.long {
		first++ // the low leg is the first
	}
	coarse, most := first, fixed.Qty(-1)
	for k := first; k < n; k++ {
		l := &c.legs[k]
		lot, _ := l.makes(d.Books[l.inst].Best(l.side.Other()).Price, l.in.Lot)
		if v := c.common(k, lot, nil); v > most {
			coarse, most = k, v
		}
	}
	o.base = c.round(d, coarse, size, o)
	least, ok := o.base, o.base > 0
	for k := first; k < n; k++ {
		if k != coarse {
			o.base = min(o.base, c.round(d, k, least, o))
			ok = ok && o.qty[k] > 0
		}
	}
	if ok && c.form == triangle {
		return c.funded(d, o) && c.chain(d, o)
	}
	return ok
}

// funded cuts the sale of top to what its purchase delivers: within one venue there may be no other. Between venues a
// leg may be short by less than its lot, which is nearer to even than a whole lot of the coarser one.
func (c *cross) funded(d *desk.Desk, o *order) bool {
	sale := c.mid
	if !c.long {
		sale = c.top
	}
	o.base = min(o.base, c.round(d, sale, o.base, o))
	return o.qty[sale] > 0
}

// round sets the quantity of leg k, in lots, for a common size and returns what that delivers of it.
func (c *cross) round(d *desk.Desk, k uint8, size fixed.Qty, o *order) fixed.Qty {
	l := &c.legs[k]
	b := d.Books[l.inst]
	o.qty[k] = l.walkTo(b, c.own(k, size))
	return c.common(k, l.walked(b, o.qty[k]), nil)
}

// own turns a common size into base units of leg k, which is not a low one.
func (c *cross) own(k uint8, size fixed.Qty) fixed.Qty {
	if c.form != triangle || k == c.top {
		return size
	}
	v, ok := fixed.Rescale(int64(size), c.legs[c.top].in.QtyScale, c.legs[k].in.QtyScale, fixed.Down)
	return orLimit(v, ok)
}

// common turns what leg k delivers into the common size of the cross. For a pair and a set it is the same; in a triangle
// the common size is in top units and the low leg's are middle units, worth what the mid leg's price says; p is read for that leg only.
func (c *cross) common(k uint8, base fixed.Qty, p *prices) fixed.Qty {
	if c.form == triangle && k != c.top {
		return c.inTop(k, base, p)
	}
	return base
}

// inTop is common for the legs of a triangle that do not trade top.
func (c *cross) inTop(k uint8, base fixed.Qty, p *prices) fixed.Qty {
	to := c.legs[c.top].in.QtyScale
	if k == c.mid {
		v, ok := fixed.Rescale(int64(base), c.legs[k].in.QtyScale, to, fixed.Down)
		return orLimit(v, ok)
	}
	// base/10^from middle units ÷ (price/10^ps × factor) top units, as a count of 10^-to
	m := &c.legs[c.mid]
	up, down := shift(to, c.legs[k].in.QtyScale)
	v, ok := fixed.MulDiv3(int64(base), fixed.Pow10(m.in.PriceScale), int64(fixed.One)*up, int64(p[c.mid]), int64(c.through())*down, fixed.Down)
	return orLimit(v, ok)
}

func orLimit(v int64, ok bool) fixed.Qty {
	if !ok {
		return fixed.Limit
	}
	return fixed.Qty(v)
}

// shift is the factor and the divisor that move a value from one scale to another. Scales of one triangle differ by at
// most maxShift, which validate checks.
func shift(to, from uint8) (up, down int64) {
	if to >= from {
		return fixed.Pow10(to - from), 1
	}
	return 1, fixed.Pow10(from - to)
}

const maxShift = 9

// through is how much of the middle currency the mid leg's notional yields when it sells top, or needs when it buys it.
func (c *cross) through() fixed.Rate {
	m := &c.legs[c.mid]
	if m.keep != fixed.One { // its fee is charged in top
		return fixed.One
	}
	return m.net
}

// chain sizes the low leg to what the mid leg yields or needs at its limit.
func (c *cross) chain(d *desk.Desk, o *order) bool {
	m, l := &c.legs[c.mid], &c.legs[c.low]
	limit := d.Books[m.inst].Take(m.side, o.qty[c.mid]).Worst
	how := fixed.Down
	if !c.long {
		how = fixed.Up // it pays for the mid leg, so it must not fall short
	}
	up, down := shift(l.in.QtyScale, m.in.QtyScale)
	v, ok := fixed.MulDiv3(int64(o.qty[c.mid]), int64(limit), int64(c.through())*up, fixed.Pow10(m.in.PriceScale), int64(fixed.One)*down, how)
	if ok && l.keep != fixed.One {
		v, ok = fixed.MulDiv(v, int64(fixed.One), int64(l.keep), how)
	}
	o.qty[c.low] = fixed.RoundTo(fixed.Qty(v), l.in.Lot, how)
	return ok && o.qty[c.low] > 0
}
