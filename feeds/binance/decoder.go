package binance

import (
	"github.com/valyala/fastjson"

	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// Decoder is the wire.Decoder of one connection. A message goes to the scanner of its shape; what that one does not know
// byte for byte goes to the fallback (fallback.go), which reads any valid JSON and alone says why a message is refused.
type Decoder struct {
	venue   venue.ID
	chain   venue.Chain
	symbols symbols
	ev      []venue.Event // records of the last answer
	parser  fastjson.Parser
	keys    keys // of the fallback
	refusal string
	leaving bool
}

// Refusal implements wire.Refuser.
func (d *Decoder) Refusal() string {
	text := d.refusal
	d.refusal = ""
	return text
}

// Leaving implements wire.Leaver.
func (d *Decoder) Leaving() bool {
	leaving := d.leaving
	d.leaving = false
	return leaving
}

// newDecoder makes the decoder of a connection that carries ins, of a product whose deltas chain as chain says.
func newDecoder(id venue.ID, ins []*venue.Instrument, chain venue.Chain) *Decoder {
	return &Decoder{venue: id, chain: chain, symbols: newSymbols(ins), ev: make([]venue.Event, 64)}
}

// Decode implements wire.Decoder.
func (d *Decoder) Decode(recv venue.Nanos, msg []byte) ([]venue.Event, venue.Reason) {
	ev, why := d.scan(recv, msg[:len(msg)+wire.Slack], len(msg))
	if why == venue.NotMyShape {
		return d.fallback(recv, msg)
	}
	return ev, why
}

// Rest implements wire.Decoder.
func (d *Decoder) Rest(recv venue.Nanos, request string, body []byte) ([]venue.Event, venue.Reason) {
	ev, why := d.snapshot(recv, request, body[:len(body)+wire.Slack], len(body))
	if why == venue.NotMyShape {
		return d.restFallback(recv, request, body)
	}
	return ev, why
}

// The first eight bytes of the events that have a scanner, as words.
const (
	startDepth  = '{' | '"'<<8 | 'e'<<16 | '"'<<24 | ':'<<32 | '"'<<40 | 'd'<<48 | 'e'<<56
	startTicker = '{' | '"'<<8 | 'e'<<16 | '"'<<24 | ':'<<32 | '"'<<40 | 'b'<<48 | 'o'<<56
	startTrade  = '{' | '"'<<8 | 'e'<<16 | '"'<<24 | ':'<<32 | '"'<<40 | 't'<<48 | 'r'<<56
	startUpdate = '{' | '"'<<8 | 'u'<<16 | '"'<<24 | ':'<<32
)

// scan finds the scanner for a message by its first bytes, behind the wrapper of a combined stream where it has one.
func (d *Decoder) scan(recv venue.Nanos, b []byte, n int) ([]venue.Event, venue.Reason) {
	i, tail, diff := 0, 1, true
	if j := wire.Lit(b, 0, `{"stream":"`); j > 0 {
		if i = text(b, j, n); i < 0 {
			return nil, venue.NotMyShape
		}
		diff, tail = diffs(b, i), 2
		if i = wire.Lit(b, i, `,"data":`); i < 0 {
			return nil, venue.NotMyShape
		}
	}
	switch w := wire.Load8(b, i); {
	case w == startDepth && diff:
		return d.depth(recv, b, wire.Lit(b, i+8, `pthUpdate"`), n, tail)
	case w == startTicker:
		return d.ticker(recv, b, wire.Lit(b, i+8, `okTicker",`), n, tail)
	case w == startTrade:
		return d.trade(recv, b, wire.Lit(b, i+8, `ade"`), n, tail)
	case w&(1<<40-1) == startUpdate:
		return d.ticker(recv, b, i+1, n, tail)
	}
	return nil, venue.NotMyShape
}

// diffs reports whether the stream whose name ends before b[i-1] (its closing quote) is one of book deltas: "@depth",
// or that with "@0ms" to "@999ms". A partial book ("@depth20") and the RPI book ("@rpiDepth") send depthUpdate too, but
// their levels do not belong in this book.
func diffs(b []byte, i int) bool {
	i -= 2
	if b[i] == 's' && b[i-1] == 'm' {
		if b[i-3] == '@' {
			i -= 4
		} else if b[i-5] == '@' {
			i -= 6
		}
	}
	return wire.Load8(b, i-7)>>16 == '@'|'d'<<8|'e'<<16|'p'<<24|'t'<<32|'h'<<40
}

// reserve makes room for the records of a message of n bytes: the head, and for each side a record per three levels,
// each of at least ten bytes, with one cut short.
func (d *Decoder) reserve(n int) {
	if need := 4 + n/30; need > len(d.ev) {
		d.ev = make([]venue.Event, need+need/2)
	}
}
