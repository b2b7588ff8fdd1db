package audit

import (
	"encoding/json"
	"strconv"
	"time"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// line is a JSON object under construction. Keys are given as they stand in the text, comma, quotes and colon included:
// one append each.
type line struct {
	b []byte
	// day is the UTC day that date spells ("2026-11-25T").
	day  int64
	date []byte
}

const (
	second    = int64(venue.Second)
	daySecond = 86_400
)

// uint writes a number, for values that stay below 2^53.
func (l *line) uint(key string, v uint64) {
	l.b = strconv.AppendUint(append(l.b, key...), v, 10)
}

// id writes a 64-bit number as text, since JSON readers with doubles would round it. 0 is left out.
func (l *line) id(key string, v uint64) {
	if v == 0 {
		return
	}
	l.b = append(l.b, key...)
	l.b = append(l.b, '"')
	l.b = append(strconv.AppendUint(l.b, v, 10), '"')
}

// hex writes a fingerprint in sixteen digits. 0 is left out.
func (l *line) hex(key string, v uint64) {
	if v == 0 {
		return
	}
	l.b = append(append(l.b, key...), '"')
	for shift := 60; shift >= 0; shift -= 4 {
		l.b = append(l.b, hexDigits[v>>shift&15])
	}
	l.b = append(l.b, '"')
}

const hexDigits = "0123456789abcdef"

// word writes text that needs no escaping.
func (l *line) word(key, v string) {
	l.b = append(l.b, key...)
	l.b = append(l.b, '"')
	l.b = append(l.b, v...)
	l.b = append(l.b, '"')
}

// decimal writes v × 10^-scale exactly, without trailing zeros.
func (l *line) decimal(key string, v int64, scale uint8) {
	l.b = append(l.b, key...)
	l.b = append(l.b, '"')
	l.b = append(fixed.AppendTrim(l.b, v, scale), '"')
}

// amount is decimal that leaves 0 out.
func (l *line) amount(key string, v int64, scale uint8) {
	if v != 0 {
		l.decimal(key, v, scale)
	}
}

// instant writes RFC 3339 with nanoseconds, UTC. 0 is left out.
func (l *line) instant(key string, t venue.Nanos) {
	if t != 0 {
		l.time(key, t)
	}
}

func (l *line) time(key string, t venue.Nanos) {
	sec, nano := int64(t)/second, int64(t)%second
	if nano < 0 {
		sec, nano = sec-1, nano+second
	}
	day := dayOf(t)
	if day != l.day || len(l.date) == 0 {
		l.day, l.date = day, time.Unix(day*daySecond, 0).UTC().AppendFormat(l.date[:0], "2006-01-02T")
	}
	s := sec - day*daySecond
	l.b = append(l.b, key...)
	l.b = append(l.b, '"')
	l.b = append(l.b, l.date...)
	h, m, s := s/3600, s/60%60, s%60
	l.b = append(l.b, byte('0'+h/10), byte('0'+h%10), ':', byte('0'+m/10), byte('0'+m%10), ':', byte('0'+s/10), byte('0'+s%10), '.')
	var d [9]byte
	for i := len(d) - 1; i >= 0; i-- {
		d[i] = byte('0' + nano%10)
		nano /= 10
	}
	l.b = append(l.b, d[:]...)
	l.b = append(l.b, 'Z', '"')
}

// dayOf is the UTC day of t, in days since 1970.
func dayOf(t venue.Nanos) int64 {
	const day = daySecond * second
	d := int64(t) / day
	if int64(t)%day < 0 {
		d--
	}
	return d
}

// escaped writes bytes that came from a venue. Each byte beyond ASCII becomes the code point of the same number, so that
// the text stays valid whatever the venue sent.
func (l *line) escaped(key string, v []byte) {
	if len(v) == 0 {
		return
	}
	l.b = append(l.b, key...)
	l.b = append(l.b, '"')
	for _, c := range v {
		if c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			l.b = append(l.b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			continue
		}
		l.b = append(l.b, c)
	}
	l.b = append(l.b, '"')
}

// quoted is text as it stands between the quotes of a JSON string.
func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic("audit: a string has no JSON form") // encoding/json replaces what is not UTF-8
	}
	return string(b[1 : len(b)-1])
}

// words spells an enum once, so that a damaged value can be written without a panic.
func words[T ~uint8](last T, spell func(T) string) []string {
	w := make([]string, int(last)+1)
	for i := range w {
		w[i] = spell(T(i))
	}
	return w
}

// word of an enum value; one that the table does not know is written so.
func wordOf[T ~uint8](table []string, v T) string {
	if int(v) < len(table) {
		return table[v]
	}
	return "out_of_range"
}
