package wire

import (
	"bytes"

	"github.com/valyala/fastjson"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// Doc reads JSON messages with one reused parser: the way for cold messages and for shapes that a scanner does not
// know, and the scanners' oracle in tests. Numbers are read from their source text, never through a float. Nothing is
// allocated once the parser has grown to the largest message; a message that is not JSON costs an error inside the
// parser. One goroutine.
type Doc struct {
	p    fastjson.Parser
	text []byte
}

// Parse reads one message. The value is valid until the next call; nil when msg is not JSON.
func (d *Doc) Parse(msg []byte) *fastjson.Value {
	v, err := d.p.ParseBytes(msg)
	if err != nil {
		return nil // the reason is always the same to the caller: Malformed
	}
	return v
}

// source is the text of a JSON string or number with Slack behind it, valid until the next call; nil for any other.
func (d *Doc) source(v *fastjson.Value) []byte {
	if v == nil {
		return nil
	}
	switch v.Type() {
	case fastjson.TypeString:
		d.text = append(d.text[:0], v.GetStringBytes()...)
	case fastjson.TypeNumber:
		d.text = v.MarshalTo(d.text[:0])
	default:
		return nil
	}
	n := len(d.text)
	d.text = append(d.text, slack[:]...)
	return d.text[:n]
}

var slack [Slack]byte

// Fixed reads a string or number as a count of 10^-scale: OK, OffScale, TooLarge or Malformed.
func (d *Doc) Fixed(v *fastjson.Value, scale uint8) (int64, venue.Reason) {
	n, f := fixed.Parse(d.source(v), scale)
	switch f {
	case fixed.OK:
		return n, venue.OK
	case fixed.OffScale:
		return 0, venue.OffScale
	case fixed.Overflow:
		return 0, venue.TooLarge
	}
	return 0, venue.Malformed
}

// Uint reads a string or number as an unsigned integer of at most 19 digits: OK, TooLarge or Malformed.
func (d *Doc) Uint(v *fastjson.Value) (uint64, venue.Reason) {
	s := d.source(v)
	if s == nil {
		return 0, venue.Malformed
	}
	n, i := Uint(s[:len(s)+Slack], 0)
	if i >= 0 && i != len(s) {
		return 0, venue.Malformed
	}
	return n, Why(i)
}

// Time reads a string as an RFC 3339 instant in UTC: OK or Malformed.
func (d *Doc) Time(v *fastjson.Value) (venue.Nanos, venue.Reason) {
	s := d.source(v)
	if s == nil {
		return 0, venue.Malformed
	}
	t, i := Time(s[:len(s)+Slack], 0)
	if i != len(s) {
		return 0, venue.Malformed
	}
	return t, venue.OK
}

// Is reports whether v is a JSON string equal to want.
func Is(v *fastjson.Value, want string) bool {
	return v != nil && v.Type() == fastjson.TypeString && string(v.GetStringBytes()) == want
}

// Decimals is the number of digits behind the point of decimal text, 0 without a point.
func Decimals(text []byte) uint8 {
	i := bytes.IndexByte(text, '.')
	if i < 0 {
		return 0
	}
	return uint8(min(len(text)-i-1, 255))
}

// Step is one unit of the last of n decimals, as text: "1", "0.1", "0.01". More decimals than any Product may have count
// as fixed.MaxScale.
func Step(n uint8) string { return string(fixed.Append(nil, 1, min(n, fixed.MaxScale))) }

// CutDecimals drops the digits of decimal text beyond n decimals: toward zero.
func CutDecimals(text string, n uint8) string {
	over := int(Decimals([]byte(text))) - int(n)
	if over <= 0 {
		return text
	}
	text = text[:len(text)-over]
	if text[len(text)-1] == '.' {
		text = text[:len(text)-1]
	}
	return text
}
