package fixed

import (
	"github.com/shopspring/decimal"
)

// Parse reads a decimal number (sign, digits, point, digits, exponent) as a count of 10^-scale. Trailing zeros beyond
// the scale are accepted, any other digit there is OffScale: text is never rounded. It reads the whole of text and
// allocates nothing. Accepted: "5", "05", "5.", ".5", "-5.10", "5e-7", "5E+2". Not accepted: "", "+5", " 5", "0x5", "5_0",
// an exponent of more than three digits. With a Fault the value is 0. A number with more significant digits than 63 bits
// hold is refused where it becomes too long, whatever follows.
func Parse(text []byte, scale uint8) (int64, Fault) {
	i, neg := 0, false
	if len(text) > 0 && text[0] == '-' {
		neg, i = true, 1
	}
	var mant uint64 // significant digits, without trailing zeros that are still pending
	zeros := 0      // zeros seen since the last significant digit, not yet in mant
	digits, frac := 0, 0
	point := false
	for ; i < len(text); i++ {
		c := text[i]
		if c == '.' {
			if point {
				return 0, Syntax
			}
			point = true
			continue
		}
		d := c - '0'
		if d > 9 {
			break
		}
		digits++
		if point {
			frac++
		}
		if d == 0 {
			zeros++
			continue
		}
		if mant != 0 {
			if zeros >= MaxScale || mant > (1<<63)/uint64(pow10[zeros])/10 {
				return 0, tooLong(point, frac, scale)
			}
			mant *= uint64(pow10[zeros]) * 10
		}
		mant, zeros = mant+uint64(d), 0
	}
	if digits == 0 {
		if i < len(text) || point || neg {
			return 0, Syntax
		}
		return 0, Empty
	}
	exp := zeros - frac // value = mant × 10^exp
	if i < len(text) {
		e, ok := exponent(text[i:])
		if !ok {
			return 0, Syntax
		}
		exp += e
	}
	if mant == 0 {
		return 0, OK
	}
	return place(mant, exp+int(scale), neg)
}

// tooLong names the fault of a number with more digits than 63 bits hold: one that has no point yet is too large, one
// deep in its fraction has digits beyond any scale.
func tooLong(point bool, frac int, scale uint8) Fault {
	if point && frac > int(scale) {
		return OffScale
	}
	return Overflow
}

// place returns ±mant × 10^shift when that is an integer within Limit. mant ends in a digit other than 0.
func place(mant uint64, shift int, neg bool) (int64, Fault) {
	if shift < 0 {
		return 0, OffScale
	}
	if shift > MaxScale || mant > Limit/uint64(pow10[shift]) {
		return 0, Overflow
	}
	mant *= uint64(pow10[shift])
	if neg {
		return -int64(mant), OK
	}
	return int64(mant), OK
}

// exponent reads "e-7", "E+2" or "e3": at most three digits, since anything larger is beyond every scale.
func exponent(s []byte) (int, bool) {
	if s[0] != 'e' && s[0] != 'E' {
		return 0, false
	}
	s = s[1:]
	neg := false
	if len(s) > 0 && (s[0] == '-' || s[0] == '+') {
		neg, s = s[0] == '-', s[1:]
	}
	if len(s) == 0 || len(s) > 3 {
		return 0, false
	}
	v := 0
	for _, c := range s {
		if c-'0' > 9 {
			return 0, false
		}
		v = v*10 + int(c-'0')
	}
	if neg {
		return -v, true
	}
	return v, true
}

// pairs holds "00" to "99": two digits for one division.
const pairs = "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748495051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899"

// Append writes v with exactly scale decimals ("1.50" at scale 2), as venues print them. Any v; scale in [0, MaxScale].
func Append(dst []byte, v int64, scale uint8) []byte {
	u := abs(v)
	if v < 0 {
		dst = append(dst, '-')
	}
	var buf [40]byte
	i := len(buf)
	if scale > 0 {
		whole := u / uint64(pow10[scale])
		frac := u - whole*uint64(pow10[scale])
		for n := scale; n > 1; n -= 2 {
			i -= 2
			d := frac % 100 * 2
			frac /= 100
			buf[i], buf[i+1] = pairs[d], pairs[d+1]
		}
		if scale&1 == 1 {
			i--
			buf[i] = byte('0' + frac)
		}
		i--
		buf[i] = '.'
		u = whole
	}
	for u >= 10 {
		i -= 2
		d := u % 100 * 2
		u /= 100
		buf[i], buf[i+1] = pairs[d], pairs[d+1]
	}
	if u > 0 || i == len(buf) || buf[i] == '.' {
		i--
		buf[i] = byte('0' + u)
	}
	return append(dst, buf[i:]...)
}

// AppendTrim is Append without trailing zeros and without a bare point ("1.5", "2").
func AppendTrim(dst []byte, v int64, scale uint8) []byte {
	dst = Append(dst, v, scale)
	if scale == 0 {
		return dst
	}
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	if dst[len(dst)-1] == '.' {
		dst = dst[:len(dst)-1]
	}
	return dst
}

// Decimal returns v at the given scale as an exact decimal. For edges and tests, never the hot path.
func Decimal[T ~int64](v T, scale uint8) decimal.Decimal { return decimal.New(int64(v), -int32(scale)) }

// FromDecimal returns d as a count of 10^-scale. A digit beyond the scale is OffScale, a value beyond Limit Overflow;
// exponents of any size are answered at once.
func FromDecimal(d decimal.Decimal, scale uint8) (int64, Fault) {
	if d.IsZero() {
		return 0, OK
	}
	if int(d.Exponent())+int(scale) > MaxScale {
		return 0, Overflow // before Shift and BigInt, which would write out a million zeros
	}
	s := d.Shift(int32(scale))
	if !s.IsInteger() {
		return 0, OffScale
	}
	b := s.BigInt()
	if !b.IsInt64() || abs(b.Int64()) > Limit {
		return 0, Overflow
	}
	return b.Int64(), OK
}
