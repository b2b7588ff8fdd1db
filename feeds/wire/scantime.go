package wire

import (
	"math/bits"

	"oneprice/books/venue"
)

// Time reads an RFC 3339 instant in UTC, "2026-08-09T20:32:50.714964855Z", with up to nine digits after an optional
// point, as Coinbase and Kraken print them. Years 1970 to 2261. Anything else is Malformed: another offset than Z, a
// date that does not exist, a leap second (no venue prints one), a tenth digit. It needs 40 readable bytes at b[i:].
func Time(b []byte, i int) (venue.Nanos, int) {
	const bad = -int(venue.Malformed)
	// The digits of "YYYY-MM-" and "DDTHH:MM" are checked as words, the separators with them.
	d, t := Load8(b, i), Load8(b, i+8)
	if d>>32&0xff != '-' || d>>56 != '-' || t>>16&0xff != 'T' || t>>40&0xff != ':' || b[i+16] != ':' {
		return 0, bad
	}
	if NonDigit(d)&^(0x80<<32|0x80<<56) != 0 || NonDigit(t)&^(0x80<<16|0x80<<40) != 0 || b[i+17]-'0' > 5 || b[i+18]-'0' > 9 {
		return 0, bad
	}
	year, month, day := two(d)*100+two(d>>16), two(d>>40), two(t)
	hour, minute, second := two(t>>24), two(t>>48), two(uint64(b[i+17])|uint64(b[i+18])<<8)
	if year < 1970 || year > 2261 || month-1 > 11 || day-1 >= daysIn(year, month) || hour > 23 || minute > 59 {
		return 0, bad
	}
	at := venue.Nanos(days(year, month, day)*86400+hour*3600+minute*60+second) * venue.Second
	j := i + 19
	if b[j] == '.' {
		ns, k := fraction(b, j+1)
		if k < 0 {
			return 0, bad
		}
		at += venue.Nanos(ns)
		j = k
	}
	if b[j] != 'Z' {
		return 0, bad
	}
	return at, j + 1
}

// fraction reads one to nine digits as a fraction of 10^9.
func fraction(b []byte, i int) (uint64, int) {
	w := Load8(b, i)
	m := NonDigit(w)
	n := uint(bits.TrailingZeros64(m)) >> 3
	if n == 0 {
		return 0, fail(venue.Malformed)
	}
	if n < 8 {
		return Parse8(w&(1<<(8*n)-1)|zeros<<(8*n)) * 10, i + int(n)
	}
	v := Parse8(w) * 10
	if c := uint64(b[i+8] - '0'); c <= 9 {
		return v + c, i + 9
	}
	return v, i + 8
}

// two is the number that the lowest two bytes of w, digits both, spell.
func two(w uint64) uint64 { return w&0x0f*10 + w>>8&0x0f }

// daysIn is the number of days of a month, 1 to 12.
func daysIn(year, month uint64) uint64 {
	if month == 2 {
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 30 + (month+month>>3)&1
}

// days counts from 1970-01-01 to a date of the Gregorian calendar: the year is taken to begin in March, so that the leap
// day is its last, and the months of such a year begin at (153 m + 2) / 5.
func days(year, month, day uint64) uint64 {
	m := month + 9
	if month > 2 {
		m = month - 3
	} else {
		year--
	}
	return 365*year + year/4 - year/100 + year/400 + (153*m+2)/5 + day - 1 - 719468
}
