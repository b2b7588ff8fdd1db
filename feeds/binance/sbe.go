package binance

import (
	"cmp"
	"fmt"
	"math"
	"math/bits"
	"net/http"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/sign"
	"oneprice/feeds/wire"
)

// The venue's binary streams at spot: schema 1, version 0 (venues/binance.md, section 1.6; stream_1_0.xml of 2026-07-21).
const (
	sbeSchema  = 1
	sbeVersion = 0

	sbeTrades = 10000
	sbeTouch  = 10001
	sbeDepth  = 10003

	sbeHeader = 8
	// Bytes of the roots and of the entries of groups, and of the groups' own headers, in version 0.
	sbeTradesRoot, sbeTouchRoot, sbeDepthRoot = 18, 50, 26
	sbeLevel, sbeTrade                        = 16, 25
	sbeLevels, sbeTradeGroup                  = 4, 6
)

// binaryDecoder is the wire.Decoder of a connection to the binary streams. It gives the records that Decoder gives for the
// same market's text; only the times differ, which are microseconds here and which a touch has too. Answers to requests, the
// notice of a shutdown and REST books are text, and are the text decoder's.
//
// Another schema is refused as NotMyShape, since that is what its number means: nothing in it need be where it was. A
// later version of ours may only append fields, which are skipped by the lengths that the message states. Templates that
// are not followed are ignored, the partial book (10002) among them: its twenty levels are not the book.
type binaryDecoder struct{ *Decoder }

// Decode implements wire.Decoder.
func (d binaryDecoder) Decode(recv venue.Nanos, msg []byte) ([]venue.Event, venue.Reason) {
	if len(msg) >= 2 && string(msg[:2]) == `{"` { // as a header it would announce a root of 8827 bytes
		return d.Decoder.Decode(recv, msg)
	}
	if len(msg) < sbeHeader {
		return nil, venue.Malformed
	}
	if le.Uint16(msg[4:]) != sbeSchema {
		return nil, venue.NotMyShape
	}
	m := sbeMessage{b: msg[sbeHeader:], root: int(le.Uint16(msg)), exact: le.Uint16(msg[6:]) == sbeVersion}
	switch le.Uint16(msg[2:]) {
	case sbeDepth:
		return d.binaryDepth(recv, &m)
	case sbeTouch:
		return d.binaryTouch(recv, &m)
	case sbeTrades:
		return d.binaryTrades(recv, &m)
	}
	return nil, venue.Ignored
}

// sbeMessage is what follows a message's header. exact says that its version is ours, so that every length must be too.
type sbeMessage struct {
	b     []byte
	root  int
	exact bool
}

// fits reports whether a block of so many bytes has what we read of it.
func (m *sbeMessage) fits(size, want int) bool { return size == want || size > want && !m.exact }

// begins reports whether the root is there.
func (m *sbeMessage) begins(want int) bool { return m.fits(m.root, want) && m.root <= len(m.b) }

// levels is the group of levels at i: its entries and the bytes between one's begin and the next. next is behind it, and
// negative when the message ends before.
func (m *sbeMessage) levels(i int) (entries []byte, stride, next int) {
	if i < 0 || len(m.b)-i < sbeLevels {
		return nil, 0, -1
	}
	stride, n := int(le.Uint16(m.b[i:])), int(le.Uint16(m.b[i+2:]))
	i += sbeLevels
	if !m.fits(stride, sbeLevel) || stride*n > len(m.b)-i {
		return nil, 0, -1
	}
	return m.b[i : i+stride*n], stride, i + stride*n
}

// listed is the instrument whose symbol stands at i, which must be the last thing in a message of our version.
func (d binaryDecoder) listed(m *sbeMessage, i int) (*listed, venue.Reason) {
	if i < 0 || i >= len(m.b) {
		return nil, venue.Malformed
	}
	end := i + 1 + int(m.b[i])
	if end > len(m.b) || m.exact && end != len(m.b) {
		return nil, venue.Malformed
	}
	e := d.symbols.named(m.b[i+1 : end])
	if e == nil {
		return nil, venue.UnknownSymbol
	}
	return e, venue.OK
}

// micros is a time of the venue.
func micros(v uint64) (venue.Nanos, bool) {
	return venue.Nanos(v) * venue.Microsecond, v <= maxMicro
}

func (d binaryDecoder) binaryDepth(recv venue.Nanos, m *sbeMessage) ([]venue.Event, venue.Reason) {
	if !m.begins(sbeDepthRoot) {
		return nil, venue.Malformed
	}
	bids, bidStride, i := m.levels(m.root)
	asks, askStride, i := m.levels(i)
	e, why := d.listed(m, i)
	if why != venue.OK {
		return nil, why
	}
	at, ok := micros(le.Uint64(m.b))
	first, last := le.Uint64(m.b[8:]), le.Uint64(m.b[16:])
	if !ok || first > math.MaxInt64 || last > math.MaxInt64 {
		return nil, venue.Malformed
	}
	price, qty := scaling(m.b[24], e.price.scale), scaling(m.b[25], e.qty.scale)
	if need := 3 + (len(bids)+len(asks))/(3*sbeLevel); need > len(d.ev) {
		d.ev = make([]venue.Event, need+need/2)
	}
	k, why := d.binarySide(bids, bidStride, 1, e, venue.Bids, last, price, qty)
	if why == venue.OK {
		k, why = d.binarySide(asks, askStride, k, e, venue.Asks, last, price, qty)
	}
	if why != venue.OK {
		return nil, why
	}
	d.ev[0].SetHead(d.venue, e.inst, 0, recv, at, first, 0, last, venue.NoChecksum, k-1)
	d.ev[k-1].Flags |= venue.Last
	return d.ev[:k], venue.OK
}

// binarySide writes the levels of one side from d.ev[k] on, where there is room, and returns the next free record. Whether
// all numbers fit is decided by one branch for three levels, from the highest bits of differences; what is wrong is then
// found by looking once more.
func (d binaryDecoder) binarySide(b []byte, stride, k int, e *listed, side uint8, seq uint64, price, qty *scale) (int, venue.Reason) {
	p, q := *price, *qty
	for ; stride == sbeLevel && len(b) >= 3*sbeLevel; b = b[3*sbeLevel:] {
		l, r := (*[3 * sbeLevel]byte)(b), &d.ev[k]
		x0, y0, x1, y1, x2, y2 := le.Uint64(l[0:]), le.Uint64(l[8:]), le.Uint64(l[16:]), le.Uint64(l[24:]), le.Uint64(l[32:]), le.Uint64(l[40:])
		v0, v1, v2 := p.apply(x0), p.apply(x1), p.apply(x2)
		w0, w1, w2 := q.apply(y0), q.apply(y1), q.apply(y2)
		if (p.odd(x0, v0)|p.odd(x1, v1)|p.odd(x2, v2)|q.odd(y0, w0)|q.odd(y1, w1)|q.odd(y2, w2))>>63 != 0 {
			return 0, firstFault(b, stride, price, qty)
		}
		r.Kind, r.Flags, r.N, r.Venue, r.Inst, r.Seq = venue.Levels, side, 3, d.venue, e.inst, seq
		r.W = [6]int64{int64(v0), int64(w0), int64(v1), int64(w1), int64(v2), int64(w2)}
		k++
	}
	for len(b) > 0 {
		r, n, odd := &d.ev[k], min(len(b)/stride, 3), uint64(0)
		for i := range n {
			l := b[i*stride:]
			x, y := le.Uint64(l), le.Uint64(l[8:])
			v, w := p.apply(x), q.apply(y)
			odd |= p.odd(x, v) | q.odd(y, w)
			r.W[2*i], r.W[2*i+1] = int64(v), int64(w)
		}
		if odd>>63 != 0 {
			return 0, firstFault(b, stride, price, qty)
		}
		setLevels(r, d.venue, e.inst, side, n, seq)
		k++
		b = b[n*stride:]
	}
	return k, venue.OK
}

// firstFault is what is wrong with the first level that has something wrong.
func firstFault(b []byte, stride int, price, qty *scale) venue.Reason {
	for ; len(b) > 0; b = b[stride:] {
		if why := cmp.Or(price.why(le.Uint64(b)), qty.why(le.Uint64(b[8:]))); why != venue.OK {
			return why
		}
	}
	return venue.OK
}

func (d binaryDecoder) binaryTouch(recv venue.Nanos, m *sbeMessage) ([]venue.Event, venue.Reason) {
	if !m.begins(sbeTouchRoot) {
		return nil, venue.Malformed
	}
	e, why := d.listed(m, m.root)
	if why != venue.OK {
		return nil, why
	}
	b := m.b[:sbeTouchRoot]
	at, ok := micros(le.Uint64(b))
	seq := le.Uint64(b[8:])
	if !ok || seq > math.MaxInt64 {
		return nil, venue.Malformed
	}
	price, qty := scaling(b[16], e.price.scale), scaling(b[17], e.qty.scale)
	bid, why1 := price.of(le.Uint64(b[18:]))
	bidQty, why2 := qty.of(le.Uint64(b[26:]))
	ask, why3 := price.of(le.Uint64(b[34:]))
	askQty, why4 := qty.of(le.Uint64(b[42:]))
	if why = cmp.Or(why1, why2, why3, why4); why != venue.OK {
		return nil, why
	}
	d.ev[0].SetTouch(d.venue, e.inst, venue.Last, seq, fixed.Price(bid), fixed.Qty(bidQty), fixed.Price(ask), fixed.Qty(askQty), recv, at)
	return d.ev[:1], venue.OK
}

// binaryTrades decodes the trades of one order. Each is a message part of its own, as in the text stream.
func (d binaryDecoder) binaryTrades(recv venue.Nanos, m *sbeMessage) ([]venue.Event, venue.Reason) {
	i := m.root
	if !m.begins(sbeTradesRoot) || len(m.b)-i < sbeTradeGroup {
		return nil, venue.Malformed
	}
	stride, n := int(le.Uint16(m.b[i:])), int(le.Uint32(m.b[i+2:]))
	i += sbeTradeGroup
	if !m.fits(stride, sbeTrade) || n > (len(m.b)-i)/stride {
		return nil, venue.Malformed
	}
	e, why := d.listed(m, i+n*stride)
	if why != venue.OK {
		return nil, why
	}
	at, ok := micros(le.Uint64(m.b))
	if !ok {
		return nil, venue.Malformed
	}
	if n == 0 {
		return nil, venue.Ignored
	}
	price, qty := scaling(m.b[16], e.price.scale), scaling(m.b[17], e.qty.scale)
	if n > len(d.ev) {
		d.ev = make([]venue.Event, n+n/2)
	}
	for k := range n {
		b := m.b[i+k*stride:][:sbeTrade]
		id, maker := le.Uint64(b), b[24]
		p, why1 := price.of(le.Uint64(b[8:]))
		q, why2 := qty.of(le.Uint64(b[16:]))
		if why = cmp.Or(why1, why2); why != venue.OK {
			return nil, why
		}
		if maker > 1 || id > math.MaxInt64 {
			return nil, venue.Malformed
		}
		d.ev[k].SetTrade(d.venue, e.inst, venue.Last|venue.Bids<<maker, id, fixed.Price(p), fixed.Qty(q), recv, at)
	}
	return d.ev[:n], venue.OK
}

// scale turns the venue's mantissas of one exponent into counts of 10^-scale of a product, exactly or not at all. Times
// 10^n and divided by 10^n are one operation: a division that must have no remainder is a product with the inverse of 5^n
// modulo 2^64, turned right by n bits, and it has none if and only if the quotient is then at most (2^64-1)/10^n (Granlund
// and Montgomery, "Division by Invariant Integers using Multiplication", 1994).
type scale struct {
	times   uint64
	turn    int
	in, out uint64       // the largest mantissa and the largest result
	beyond  venue.Reason // of a mantissa or result that is larger
}

// apply is a mantissa at the product's scale, where odd has its highest bit clear.
func (s *scale) apply(mantissa uint64) uint64 {
	return bits.RotateLeft64(mantissa*s.times, -s.turn)
}

// odd has its highest bit set when a mantissa that apply made v of has digits beyond the product's scale, or is negative or
// too large: in and out are below 2^63, so that a larger number shows there itself or in the difference.
func (s *scale) odd(mantissa, v uint64) uint64 {
	return mantissa | (s.in - mantissa) | v | (s.out - v)
}

// of is a mantissa at the product's scale, or the reason why it has no place there.
func (s *scale) of(mantissa uint64) (uint64, venue.Reason) {
	v := s.apply(mantissa)
	if s.odd(mantissa, v)>>63 != 0 {
		return 0, s.why(mantissa)
	}
	return v, venue.OK
}

// why says what is wrong with a mantissa, OK when nothing is.
func (s *scale) why(mantissa uint64) venue.Reason {
	v := s.apply(mantissa)
	switch {
	case s.odd(mantissa, v)>>63 == 0:
		return venue.OK
	case mantissa > math.MaxInt64:
		return venue.Malformed // negative
	case mantissa > s.in || v <= math.MaxUint64/uint64(fixed.Pow10(uint8(s.turn))):
		return s.beyond
	}
	return venue.OffScale
}

// maxShift is more decimals than any mantissa can gain or lose: only zero is a value there.
const maxShift = fixed.MaxScale + 1

// scales are by shift, from -maxShift on.
var scales = func() (all [2*maxShift + 1]scale) {
	all[0].beyond, all[2*maxShift].beyond = venue.OffScale, venue.TooLarge
	for n := range uint8(maxShift) {
		ten := uint64(fixed.Pow10(n))
		five := ten >> n
		inverse := five // right in the lowest three bits; each step doubles their number
		for range 5 {
			inverse *= 2 - five*inverse
		}
		all[maxShift+int(n)] = scale{times: ten, in: fixed.Limit / ten, out: fixed.Limit, beyond: venue.TooLarge}
		if n > 0 {
			all[maxShift-int(n)] = scale{times: inverse, turn: int(n), in: math.MaxInt64, out: min(fixed.Limit, math.MaxUint64/ten), beyond: venue.TooLarge}
		}
	}
	return all
}()

// scaling is the scale of an exponent as it stands in a message.
func scaling(exponent byte, to uint8) *scale {
	return &scales[min(max(int(int8(exponent))+int(to), -maxShift), maxShift)+maxShift]
}

// newBinaryDecoder makes the decoder of a connection to the binary streams.
func newBinaryDecoder(id venue.ID, ins []*venue.Instrument) wire.Decoder {
	return binaryDecoder{newDecoder(id, ins, venue.ChainRange)}
}

// binaryMarket is spot by its binary streams: deltas every 20 ms, and a touch that is left out rather than sent late.
var binaryMarket = func() market {
	m := markets[spot.name]
	m.ws, m.depth, m.touch = "wss://stream-sbe.binance.com:9443", "depth", "bestBidAsk"
	return m
}()

// binary says what a feed by the binary streams lacks.
func (p product) binary(cfg *wire.FeedConfig) error {
	switch {
	case p.kind != venue.Spot:
		return fmt.Errorf("%s: there are no binary streams of this market; follow it as JSON", p.name)
	case !cfg.Key.Present():
		return fmt.Errorf("%s: the binary streams are for clients with an Ed25519 API key, and none is given; name one, or follow JSON", p.name)
	case cfg.Raw != nil:
		return fmt.Errorf("%s: a recording is of text; record JSON", p.name)
	}
	return nil
}

// keyHeader is what lets a client in: a key's id, without a signature.
func keyHeader(key sign.Secret) func() http.Header {
	return func() http.Header {
		h := http.Header{}
		h.Set("X-MBX-APIKEY", string(key.Reveal()))
		return h
	}
}
