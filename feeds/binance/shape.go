package binance

import (
	"math/bits"

	"oneprice/feeds/wire"
)

const zeros = 0x3030303030303030

// pow10 of the scales that shapes know.
var pow10 = [9]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8}

// shape is the way in which one number of an instrument is printed, as last seen: how many digits before the point and
// behind it. The fraction has the same number of digits in every message of an instrument, and consecutive prices nearly
// always have the same number of digits before the point. So a scanner assumes them, takes every byte from where it
// then must be, and checks afterwards that each byte was what the assumption needs. What is gained: where the next
// number starts does not wait for the scan of this one. The processor's branch predictor, not the chain of loads, says
// where to go on. What is lost: a wrong guess costs a measurement (measure) and starts over.
//
// With A the eight bytes from the first digit on and F the eight bytes behind the point, the digits that count make one
// word,
//
//	A<<shA & mA | F<<shF & mF | fill
//
// right-aligned at the product's scale and filled with '0', which one conversion turns into the count. The point, and the
// digits beyond the scale, which must be zeros, are compared in place: (A ^ dot) & mDot, (F ^ "00000000") & mZ. No
// division, no loop, no power of ten.
//
// The digits that count must fit one word. Where a price below one is printed at a scale of 8 they do as well: its single
// integer digit is compared with '0' together with the point. What does not fit is read digit by digit.
type shape struct {
	scale        uint8
	zero         bool // the integer part is the digit 0
	np           int  // digits before the point
	fp           int  // digits behind it
	frac, end    uint // offsets behind the point and of the closing quote
	shA, shF     uint
	mA, mF, fill uint64
	dot, mDot    uint64
	mZ           uint64
}

// guess assumes np digits before the point and fp behind it, the former a single 0 if zero says so. A shape that does
// not fit gets a word that is never made of digits, so that other reads it every time.
func (s *shape) guess(np, fp int, zero bool) {
	sc := int(s.scale)
	*s = shape{scale: s.scale, np: np, fp: fp, zero: zero, fill: ^uint64(0)}
	if sc > 8 || np < 1 || np > 7 || fp < 1 || fp > 8 || np+sc > 8 && !(zero && np == 1) {
		return
	}
	s.frac, s.end = uint(np+1), uint(np+1+fp)
	s.shF = uint(64-8*sc) & 63
	s.mF = ones(min(sc, fp)) << s.shF
	s.mZ = ones(fp) &^ ones(min(sc, fp))
	s.dot, s.mDot = '.'<<(8*np), 0xff<<(8*np)
	if np+sc > 8 {
		s.dot, s.mDot = s.dot|'0', s.mDot|0xff
	} else {
		s.shA = uint(64-8*np-8*sc) & 63
		s.mA = ones(np) << s.shA
	}
	s.fill = zeros &^ (s.mF | s.mA)
}

// digits counts the digits that b has at i, up to 8.
func digits(b []byte, i int) int {
	return bits.TrailingZeros64(wire.NonDigit(wire.Load8(b, i))) >> 3
}

// measure guesses the shape of the number at b[i:].
func (s *shape) measure(b []byte, i int) {
	np, fp := digits(b, i), 0
	if b[i+np] == '.' {
		fp = digits(b, i+np+1)
	}
	if zero := np == 1 && b[i] == '0'; np != s.np || fp != s.fp || zero != s.zero {
		s.guess(np, fp, zero)
	}
}

// read reads the number at b[i:] and its closing quote, by shape.
func (s *shape) read(b []byte, i int) (uint64, int) {
	if i+wire.Slack > len(b) {
		return 0, bad
	}
	w := (*window)(b[i:])
	a, f := w.word(0), w.word(s.frac)
	x := a<<(s.shA&63)&s.mA | f<<(s.shF&63)&s.mF | s.fill
	if unlike(x)|(a^s.dot)&s.mDot|(f^zeros)&s.mZ|uint64(w[s.end&31]^'"') != 0 {
		return s.other(b, i)
	}
	return wire.Parse8(x), i + int(s.end) + 1
}

// other is read for a number of another shape: it is measured for the next time and read digit by digit.
//
//go:noinline
func (s *shape) other(b []byte, i int) (uint64, int) {
	v, j := wire.Fixed(b, i, s.scale)
	if j < 0 || v < 0 || j >= len(b)-wire.Slack || b[j] != '"' {
		return 0, bad
	}
	s.measure(b, i)
	return uint64(v), j + 1
}

// size is the shape of a quantity. Quantities of one instrument differ in length, often from one to the next, so that
// assuming the integer digits would be wrong too often: they are counted, and only the number of digits behind the point
// is assumed. The loop over levels first tries one digit before the point, which spot has in 99 levels of 100; counting
// always, which has no branch to mispredict, cost it a quarter (the next level waits for the count).
type size struct {
	scale        uint8
	fp           uint
	shF          uint
	mF, fill, mZ uint64
	mul          uint64
	never        uint64 // not zero at a scale above 8: every quantity is read by other
}

// guess assumes fp digits behind the point.
func (s *size) guess(fp int) {
	sc := int(s.scale)
	s.fp = uint(fp)
	s.shF = uint(64-8*sc) & 63
	s.mF = ones(min(sc, fp)) << s.shF
	s.mZ = ones(fp) &^ ones(min(sc, fp))
	s.fill = zeros &^ s.mF
	s.mul = pow10[min(sc, 8)]
	s.never = uint64(max(sc-8, 0))
}

// read reads the quantity at b[i:] and its closing quote.
func (s *size) read(b []byte, i int) (uint64, int) {
	a := wire.Load8(b, i)
	c := uint(bits.TrailingZeros64(wire.NonDigit(a))) >> 3
	if c-1 > 6 || s.never != 0 {
		return s.other(b, i)
	}
	v := wire.Parse8(a<<((64-8*c)&63)|zeros>>((8*c)&63)) * s.mul
	j := i + int(c)
	if b[j] == '"' {
		return v, j + 1
	}
	f := wire.Load8(b, j+1)
	x := f<<(s.shF&63)&s.mF | s.fill
	k := j + 1 + int(s.fp)
	if unlike(x)|(f^zeros)&s.mZ|uint64((b[j]^'.')|(b[k]^'"')) != 0 {
		return s.other(b, i)
	}
	return v + wire.Parse8(x), k + 1
}

// other is read for a quantity with another number of digits behind the point.
//
//go:noinline
func (s *size) other(b []byte, i int) (uint64, int) {
	v, j := wire.Fixed(b, i, s.scale)
	if j < 0 || v < 0 || j >= len(b)-wire.Slack || b[j] != '"' {
		return 0, bad
	}
	if k := digits(b, i); b[i+k] == '.' && s.scale <= 8 {
		s.guess(digits(b, i+k+1))
	}
	return uint64(v), j + 1
}
