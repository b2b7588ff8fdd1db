package risk

import (
	"math"
	"math/bits"

	"oneprice/books/fixed"
)

// scale turns price × quantity into cash by a multiplication instead of divisions: the factor num ÷ (den1 × den2) is
// kept as m ÷ 2^(64 + right − left) with 64 significant bits, rounded up. What up answers is the exact value rounded up
// all the same: where the error of m might have carried it past a whole number, and only there, it multiplies back.
type scale struct {
	m           uint64 // 0: always divide
	left, right uint8  // one of them is 0
	exact       bool   // m is the factor exactly
	inverse     bool   // the price does not count
	mask        uint64 // the bits that right drops
	fits        uint64 // the largest price × quantity that left does not push out of 64 bits; 0: always divide
	den         uint64 // den1 × den2, where m is not 0
	num         int64
	den1, den2  int64
}

// newScale keeps num ÷ (den1 × den2); all are positive.
func newScale(num, den1, den2 int64, inverse bool) scale {
	s := scale{num: num, den1: den1, den2: den2, inverse: inverse}
	hi, den := bits.Mul64(uint64(den1), uint64(den2))
	if hi != 0 {
		return s
	}
	s.den = den
	// The factor as a binary fraction: whole . f1 f2, and whether anything is left.
	whole, rem := uint64(num)/den, uint64(num)%den
	f1, rem := bits.Div64(rem, 0, den)
	f2, rem := bits.Div64(rem, 0, den)
	var rest uint64
	switch {
	case whole != 0:
		n := bits.Len64(whole)
		s.left = uint8(n)
		s.m, rest = whole<<(64-n)|f1>>n, f1<<(64-n)|f2
	case f1 != 0:
		z := bits.LeadingZeros64(f1)
		s.right = uint8(z)
		s.m, rest = f1<<z|f2>>(64-z), f2<<z
	default:
		return s
	}
	s.mask = 1<<s.right - 1
	if s.left == 64 { // a factor beyond any cash
		s.m = 0
	}
	if s.m != 0 {
		s.fits = math.MaxUint64 >> s.left
	}
	if s.exact = rest|rem == 0; !s.exact {
		s.m++
	}
	return s
}

// up is price × qty × num ÷ (den1 × den2), rounded up. ok is false beyond fixed.Limit. Neither may be negative.
func (s *scale) up(p fixed.Price, q fixed.Qty) (fixed.Cash, bool) {
	if s.inverse {
		p = 1
	}
	over, pq := bits.Mul64(uint64(p), uint64(q))
	if over != 0 || pq-1 >= s.fits { // nothing at all is divided too, so that a scale that divides by nothing refuses it
		return s.divide(p, q)
	}
	n := pq << (s.left & 63)
	v, frac := bits.Mul64(n, s.m)
	part := v & s.mask
	v >>= s.right & 63
	// m errs by less than 1, so the fraction errs by less than n: with a smaller one the value is within a hair of the
	// whole number v, on either side of it.
	if part|frac != 0 && (s.exact || part != 0 || frac >= n || s.above(pq, v)) {
		v++
	}
	return fixed.Cash(v), v <= fixed.Limit
}

// above reports whether pq × num is more than v × den.
func (s *scale) above(pq, v uint64) bool {
	h1, l1 := bits.Mul64(pq, uint64(s.num))
	h2, l2 := bits.Mul64(v, s.den)
	return h1 > h2 || (h1 == h2 && l1 > l2)
}

// raw is what up multiplies, price × quantity; ok is false when it does not fit in 64 bits, or up divides.
func (s *scale) raw(p fixed.Price, q fixed.Qty) (v uint64, ok bool) {
	if s.inverse {
		p = 1
	}
	over, v := bits.Mul64(uint64(p), uint64(q))
	return v, over == 0 && s.m != 0
}

// most is the largest raw whose cash, rounded up, is not more than c; least the smallest whose cash, rounded down, is not
// less.
func (s *scale) most(c fixed.Cash) uint64 {
	v, _ := s.back(c)
	return v
}

func (s *scale) least(c fixed.Cash) uint64 {
	v, rest := s.back(c)
	if rest && v < math.MaxUint64 {
		v++
	}
	return v
}

// back is c × den ÷ num rounded down, and whether anything was left; the largest number when it does not fit.
func (s *scale) back(c fixed.Cash) (v uint64, rest bool) {
	hi, lo := bits.Mul64(uint64(c), s.den)
	if s.num <= 0 || hi >= uint64(s.num) {
		return math.MaxUint64, false
	}
	v, rem := bits.Div64(hi, lo, uint64(s.num))
	return v, rem != 0
}

// divide is up by exact division.
func (s *scale) divide(p fixed.Price, q fixed.Qty) (fixed.Cash, bool) {
	v, ok := fixed.MulDiv3(int64(p), int64(q), s.num, s.den1, s.den2, fixed.Up)
	return fixed.Cash(v), ok
}

// grid tells multiples of a step by one multiplication: n is a multiple of an odd number exactly when n × its inverse
// modulo 2^64 does not exceed (2^64 − 1) ÷ step, and the twos are rotated out of the way.
type grid struct {
	step, inverse, most uint64
	twos                int
}

// newGrid makes the grid of a positive step.
func newGrid(step int64) grid {
	g := grid{step: uint64(step), most: ^uint64(0) / uint64(step), twos: bits.TrailingZeros64(uint64(step))}
	odd := g.step >> g.twos
	g.inverse = odd // right to 3 bits; each round of Newton's doubles them
	for range 5 {
		g.inverse *= 2 - odd*g.inverse
	}
	return g
}

// on reports whether n, not negative, is a multiple of the step.
func (g *grid) on(n int64) bool { return bits.RotateLeft64(uint64(n)*g.inverse, -g.twos) <= g.most }
