package ledger

import (
	"math/big"
	"math/bits"

	"oneprice/books/fixed"
)

// wide is a signed 128-bit integer in two's complement, held within ±2^126 so that a sum can be checked.
type wide struct {
	hi int64
	lo uint64
}

// product is a × b, exactly.
func product(a, b int64) wide {
	hi, lo := bits.Mul64(magnitude(a), magnitude(b))
	w := wide{int64(hi), lo}
	if (a < 0) != (b < 0) {
		return w.neg()
	}
	return w
}

func (a wide) neg() wide {
	lo, borrow := bits.Sub64(0, a.lo, 0)
	return wide{-a.hi - int64(borrow), lo}
}

func (a wide) zero() bool { return a.hi == 0 && a.lo == 0 }

// add is a + b; ok is false beyond ±2^126.
func (a wide) add(b wide) (wide, bool) {
	lo, carry := bits.Add64(a.lo, b.lo, 0)
	s := wide{a.hi + b.hi + int64(carry), lo}
	return s, s.fits()
}

func (a wide) fits() bool { return a.hi >= -(1<<62) && a.hi < 1<<62 }

// mulDiv is a × m ÷ (d × e), rounded once as asked; HalfEven is not offered and counts as ToZero. ok is false beyond
// ±2^126. d and e must be positive.
func (a wide) mulDiv(m, d, e uint64, r fixed.Rounding) (wide, bool) {
	neg := a.hi < 0
	if neg {
		a = a.neg()
	}
	h1, n0 := bits.Mul64(a.lo, m)
	n2, l1 := bits.Mul64(uint64(a.hi), m)
	n1, carry := bits.Add64(h1, l1, 0)
	n2 += carry
	q2, q1, q0, rem := div3(n2, n1, n0, d)
	if e != 1 {
		var rem2 uint64
		q2, q1, q0, rem2 = div3(q2, q1, q0, e)
		rem |= rem2
	}
	if rem != 0 && (r == fixed.FromZero || (r == fixed.Up && !neg) || (r == fixed.Down && neg)) {
		q0++
		if q0 == 0 {
			q1++
		}
	}
	if q2 != 0 || q1 >= 1<<62 {
		return wide{}, false
	}
	q := wide{int64(q1), q0}
	if neg {
		q = q.neg()
	}
	return q, true
}

// div3 divides a three-word number by one word.
func div3(n2, n1, n0, d uint64) (q2, q1, q0, rem uint64) {
	q2, rem = n2/d, n2%d
	q1, rem = bits.Div64(rem, n1, d)
	q0, rem = bits.Div64(rem, n0, d)
	return q2, q1, q0, rem
}

// cash is a as a Cash; ok is false beyond fixed.Limit.
func (a wide) cash() (fixed.Cash, bool) {
	if (a.hi == 0 && a.lo <= fixed.Limit) || (a.hi == -1 && -a.lo-1 < fixed.Limit) {
		return fixed.Cash(a.lo), true
	}
	return 0, false
}

// big is a for the edges.
func (a wide) big() *big.Int {
	neg := a.hi < 0
	if neg {
		a = a.neg()
	}
	v := new(big.Int).Lsh(new(big.Int).SetUint64(uint64(a.hi)), 64)
	v.Or(v, new(big.Int).SetUint64(a.lo))
	if neg {
		v.Neg(v)
	}
	return v
}

func magnitude(v int64) uint64 {
	if v < 0 {
		return uint64(-v)
	}
	return uint64(v)
}
