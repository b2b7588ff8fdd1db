package binance

import (
	"math/bits"

	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// bad is the index that says: not my shape.
const bad = -int(venue.NotMyShape)

// The readers below pass a negative index through, so that a scanner writes its fields one after another and looks once.
// i < n before every read keeps it, with the Slack, inside b.

// number reads an id.
func number(b []byte, i, n int) (uint64, int) {
	if i < 0 || i >= n {
		return 0, bad
	}
	return wire.Uint(b, i)
}

// when reads a time: milliseconds, or microseconds where the socket was opened with timeUnit=MICROSECOND. Milliseconds
// have 13 digits until 2286, so those are tried first: two words in fixed places.
func when(b []byte, i, n int) (venue.Nanos, int) {
	if i < 0 || i >= n {
		return 0, bad
	}
	w, x := wire.Load8(b, i), wire.Load8(b, i+5)
	if b[i+13]-'0' > 9 && wire.NonDigit(w)|wire.NonDigit(x) == 0 {
		return stamp(wire.Parse8(w)*1e5+wire.Parse8(x&^0xffffff|0x303030), i+13)
	}
	v, i := wire.Uint(b, i)
	if i < 0 {
		return 0, bad
	}
	return stamp(v, i)
}

// past steps over a time that nobody asks for.
func past(b []byte, i, n int) int {
	if i < 0 || i >= n {
		return bad
	}
	if b[i+13]-'0' > 9 && wire.NonDigit(wire.Load8(b, i))|wire.NonDigit(wire.Load8(b, i+5)) == 0 {
		return i + 13
	}
	_, i = wire.Uint(b, i)
	return i
}

const (
	maxMilli = (1<<63 - 1) / uint64(venue.Millisecond)
	maxMicro = (1<<63 - 1) / uint64(venue.Microsecond)
	minMicro = 1e15 // 2001 in microseconds, long after any millisecond that fits
)

// stamp turns the venue's time into Nanos and passes next on; next is bad where the time is neither unit's.
func stamp(v uint64, next int) (venue.Nanos, int) {
	switch {
	case v <= maxMilli:
		return venue.Nanos(v) * venue.Millisecond, next
	case v >= minMicro && v <= maxMicro:
		return venue.Nanos(v) * venue.Microsecond, next
	}
	return 0, bad
}

// about steps over the fields "ps" (the pair) and "st" (a small number) where they stand next, in either order.
func about(b []byte, i, n int) int {
	for range 2 {
		if i < 0 || b[i+1] != '"' || b[i+2] != 'p' && b[i+2] != 's' {
			break
		}
		if j := wire.Lit(b, i, `,"ps":"`); j > 0 {
			i = text(b, j, n)
		} else if j = wire.Lit(b, i, `,"st":`); j > 0 {
			_, i = number(b, j, n)
		}
	}
	return i
}

// text steps over a string without escapes and its closing quote, eight bytes at a time: a byte equal to c makes a zero
// byte of w^c, and (x - 1) & ^x has the highest bit set at the lowest zero byte of x.
func text(b []byte, i, n int) int {
	const each, high = 0x0101010101010101, 0x8080808080808080
	for ; i < n; i += 8 {
		w := wire.Load8(b, i)
		quote, slash := w^'"'*each, w^'\\'*each
		stop := ((quote-each)&^quote | (slash-each)&^slash | (w-' '*each)&^w) & high
		if stop != 0 {
			i += bits.TrailingZeros64(stop) >> 3
			if b[i] != '"' {
				return bad
			}
			return i + 1
		}
	}
	return bad
}

// closed reports whether b[i:n] is tail closing braces and nothing else.
func closed(b []byte, i, n, tail int) bool {
	return i > 0 && i+tail == n && b[i] == '}' && b[n-1] == '}'
}
