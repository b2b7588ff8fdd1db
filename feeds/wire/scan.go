package wire

import (
	"encoding/binary"
	"math/bits"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// The readers below share one convention. b is the message together with its Slack (msg[:len(msg)+Slack]), i the index
// of the first byte to read, and the second result the index of the first byte behind what was read. A negative index
// carries the reason, as Why tells. A reader may run past the message into its Slack when the message is cut short;
// so a caller compares the byte it stops at, and at the end checks that it stands exactly at len(msg): since everything
// is read without a hole, one comparison there covers all of them.
//
// They read eight bytes as one little-endian word. In such a word the digits come with the first in the lowest byte, and
// three constant multiplications add them up (parse8); the count of leading digits is the number of trailing zero
// bytes of a mask that marks every byte that is not a digit (nonDigit). Both depend on nothing but the word, so they
// cost the same for any number.

// zeros is eight times '0'.
const zeros = 0x3030303030303030

// pow10 of the digits that one word holds.
var pow10 = [9]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8}

// fail is the negative index that carries a reason.
func fail(r venue.Reason) int { return -int(r) }

// Why is the reason that a negative index carries: Malformed, OffScale or TooLarge. OK when it is not negative.
func Why(next int) venue.Reason {
	if next >= 0 {
		return venue.OK
	}
	return venue.Reason(-next)
}

// Load8 is the word of the eight bytes at b[i:].
func Load8(b []byte, i int) uint64 { return binary.LittleEndian.Uint64(b[i:]) }

// Word is eight characters as Load8 reads them. A scanner of many levels compares the text between numbers in such words
// and or-s the differences together, so that one branch judges them all.
func Word(s string) uint64 { return binary.LittleEndian.Uint64([]byte(s)) }

// Lit steps over the literal s; a negative index when b does not continue with it, or when i is negative already.
func Lit(b []byte, i int, s string) int {
	if i >= 0 && len(b)-i >= len(s) && string(b[i:i+len(s)]) == s {
		return i + len(s)
	}
	return fail(venue.Malformed)
}

// Parse8 is the number that eight digits spell. The first digit is in the lowest byte of w; every byte must be a digit.
func Parse8(w uint64) uint64 {
	w -= zeros
	w = w*10 + w>>8
	return ((w&0x000000FF000000FF)*0x000F424000000064 + (w>>16&0x000000FF000000FF)*0x0000271000000001) >> 32
}

// NonDigit marks, with its highest bit, every byte of w that is not a digit.
func NonDigit(w uint64) uint64 {
	x := w ^ zeros
	return (x | (x&0x7f7f7f7f7f7f7f7f + 0x7676767676767676)) & 0x8080808080808080
}

// leading is the number spelled by the first n bytes of w, which are digits; 0 < n < 8.
func leading(w uint64, n uint) uint64 {
	return Parse8(w<<((64-8*n)&63) | zeros>>((8*n)&63))
}

// Fixed reads a decimal number as a count of 10^-scale, exactly: digits beyond the scale must be zeros. Up to seven
// digits before the point and eight behind it, at a scale of at most 8, take the fast path; every other form that
// fixed.Parse knows (sign, exponent, long numbers) takes the slow one, with the same result. Anything beyond
// fixed.Limit is TooLarge. A second point is not part of the number and is left to the caller. It needs 24 readable
// bytes at b[i:].
func Fixed(b []byte, i int, scale uint8) (int64, int) {
	v := (*[24]byte)(b[i:]) // offsets below need no bounds checks
	w := binary.LittleEndian.Uint64(v[:])
	n := uint(bits.TrailingZeros64(NonDigit(w))) >> 3 // 8 when all are digits
	if n-1 >= 7 || scale > 8 {
		return fixedSlow(b, i, scale)
	}
	ip := leading(w, n) * pow10[scale] // at most 10^7 × 10^8, below Limit
	if c := v[n]; c != '.' {
		if c|0x20 == 'e' {
			return fixedSlow(b, i, scale)
		}
		return int64(ip), i + int(n)
	}
	w = binary.LittleEndian.Uint64(v[n+1:])
	k := uint(bits.TrailingZeros64(NonDigit(w))) >> 3
	n += 1 + k
	// The first scale digits move to the top of the word; what would be shifted out above must be zeros. A ninth digit is
	// for the slow path.
	x := w ^ zeros
	if k < 8 {
		x &= 1<<(8*k&63) - 1
	}
	s := 8 * uint(scale)
	if c := v[n]; k == 0 || c-'0' <= 9 || c|0x20 == 'e' || x>>s != 0 {
		return fixedSlow(b, i, scale)
	}
	return int64(ip + Parse8(x<<(64-s)+zeros)), i + int(n)
}

// fixedSlow finds the end of the number and reads it with fixed.Parse.
//
//go:noinline
func fixedSlow(b []byte, i int, scale uint8) (int64, int) {
	j := i
	for j < len(b) {
		c := b[j]
		if c-'0' > 9 && c != '.' && c != '-' && c != '+' && c|0x20 != 'e' {
			break
		}
		j++
	}
	if j == len(b) {
		return 0, fail(venue.Malformed) // the message ended inside the number
	}
	v, f := fixed.Parse(b[i:j], scale)
	switch f {
	case fixed.OK:
		return v, j
	case fixed.OffScale:
		return 0, fail(venue.OffScale)
	case fixed.Overflow:
		return 0, fail(venue.TooLarge)
	}
	return 0, fail(venue.Malformed)
}

// Uint reads an unsigned integer of 1 to 19 digits. It needs 24 readable bytes at b[i:].
func Uint(b []byte, i int) (uint64, int) {
	w := Load8(b, i)
	m := NonDigit(w)
	if m != 0 {
		n := uint(bits.TrailingZeros64(m)) >> 3
		if n == 0 {
			return 0, fail(venue.Malformed)
		}
		return leading(w, n), i + int(n)
	}
	v := Parse8(w)
	w = Load8(b, i+8)
	m = NonDigit(w)
	if m != 0 {
		n := uint(bits.TrailingZeros64(m)) >> 3
		if n == 0 {
			return v, i + 8
		}
		return v*pow10[n] + leading(w, n), i + 8 + int(n)
	}
	v = v*1e8 + Parse8(w)
	i += 16
	for n := 0; b[i]-'0' <= 9; n++ {
		if n == 3 {
			return 0, fail(venue.TooLarge)
		}
		v = v*10 + uint64(b[i]-'0')
		i++
	}
	return v, i
}
