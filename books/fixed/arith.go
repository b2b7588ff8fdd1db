package fixed

import "math/bits"

var pow10 = [MaxScale + 1]int64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18}

// Pow10 returns 10^n. n must be in [0, MaxScale].
func Pow10(n uint8) int64 { return pow10[n] }

// MulDiv returns a × b ÷ d through 128 bits, rounded as asked. ok is false when d is not positive or when the result is
// beyond Limit in magnitude; the value is then 0.
func MulDiv(a, b, d int64, r Rounding) (v int64, ok bool) {
	if d <= 0 {
		return 0, false
	}
	sign := (a ^ b) >> 63 // all ones for a negative result
	hi, lo := bits.Mul64(abs(a), abs(b))
	if hi >= uint64(d) {
		return 0, false
	}
	q, rem := bits.Div64(hi, lo, uint64(d))
	if rem != 0 && q <= Limit && bump(q, rem, uint64(d), sign != 0, r) { // beyond Limit q++ could wrap to 0
		q++
	}
	if q > Limit {
		return 0, false
	}
	return int64(q) ^ sign - sign, true
}

// Mul returns a × b. ok is false when the product is beyond Limit in magnitude; the value is then 0.
func Mul(a, b int64) (v int64, ok bool) {
	hi, lo := bits.Mul64(abs(a), abs(b))
	if hi != 0 || lo > Limit {
		return 0, false
	}
	return a * b, true
}

// bump reports whether a magnitude with remainder rem of d moves one away from zero.
func bump(q, rem, d uint64, neg bool, r Rounding) bool {
	switch r {
	case Down:
		return neg
	case Up:
		return !neg
	case FromZero:
		return true
	case HalfEven:
		twice := rem - (d - rem) // wraps when rem < d/2
		if rem < d-rem {
			return false
		}
		return twice > 0 || q&1 == 1
	}
	return false
}

func abs(v int64) uint64 {
	s := v >> 63
	return uint64(v ^ s - s)
}

// Add returns a + b. ok is false when the sum is beyond Limit in magnitude.
func Add[T ~int64](a, b T) (T, bool) {
	s := a + b
	if s > Limit || s < -Limit || (a > 0 && b > 0 && s < 0) || (a < 0 && b < 0 && s >= 0) {
		return 0, false
	}
	return s, true
}

// Rescale moves v from one scale to another, both in [0, MaxScale], rounding as asked. ok is false when the result is
// beyond Limit.
func Rescale(v int64, from, to uint8, r Rounding) (int64, bool) {
	if to >= from {
		return Mul(v, pow10[to-from])
	}
	return MulDiv(v, 1, pow10[from-to], r)
}

// Apply returns c × rate rounded as asked.
func (r Rate) Apply(c Cash, how Rounding) (Cash, bool) {
	v, ok := MulDiv(int64(c), int64(r), int64(One), how)
	return Cash(v), ok
}

// RoundTo moves v to a multiple of step, rounding as asked. step must be positive, and v within Limit.
func RoundTo[T ~int64](v, step T, r Rounding) T {
	rem := v % step
	if rem == 0 {
		return v
	}
	q, neg := v/step, rem < 0
	if bump(abs(int64(q)), abs(int64(rem)), uint64(step), neg, r) {
		if neg {
			return v - rem - step
		}
		return v - rem + step
	}
	return v - rem
}

// MulDiv3 returns a × b × c ÷ (d × e) through 192 bits, rounded once as asked. ok is false when d or e is not positive or
// when the result is beyond Limit in magnitude; the value is then 0. For inverse contracts and odd scales.
func MulDiv3(a, b, c, d, e int64, r Rounding) (v int64, ok bool) {
	if d <= 0 || e <= 0 {
		return 0, false
	}
	sign := (a ^ b ^ c) >> 63 // all ones for a negative result
	// n = a × b × c as three words
	h1, l1 := bits.Mul64(abs(a), abs(b))
	h2, n0 := bits.Mul64(l1, abs(c))
	n2, l3 := bits.Mul64(h1, abs(c))
	n1, carry := bits.Add64(h2, l3, 0)
	n2 += carry
	// divide by d, then by e: floor(floor(n/d)/e) = floor(n/(d·e)); the remainder is zero only when both are
	if n2 >= uint64(d) {
		return 0, false
	}
	q1, r1 := bits.Div64(n2, n1, uint64(d))
	q0, rem1 := bits.Div64(r1, n0, uint64(d))
	if q1 >= uint64(e) {
		return 0, false
	}
	q, rem2 := bits.Div64(q1, q0, uint64(e))
	if rem1|rem2 != 0 && q <= Limit && bump3(q, rem1, rem2, uint64(d), uint64(e), sign != 0, r) {
		q++
	}
	if q > Limit {
		return 0, false
	}
	return int64(q) ^ sign - sign, true
}

// bump3 is bump for a remainder kept as rem2 + rem1/d of e.
func bump3(q, rem1, rem2, d, e uint64, neg bool, r Rounding) bool {
	if r != HalfEven {
		return bump(q, 1, 2, neg, r)
	}
	// compare rem2 + rem1/d with e/2: 2·rem2·d + 2·rem1 against e·d
	left, right := rem2, e-rem2
	switch {
	case left > right, left == right && rem1 > 0:
		return true
	case left == right:
		return q&1 == 1
	}
	// left < right: the half is passed only when e is odd, rem2 = (e-1)/2, and rem1/d ≥ 1/2
	if right-left != 1 || rem1 < d-rem1 {
		return false
	}
	return rem1 > d-rem1 || q&1 == 1
}
