package binance

import (
	"encoding/binary"
	"math/bits"

	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

var le = binary.LittleEndian

// Texts around numbers, as little-endian words.
const (
	openLevel  = '[' | '"'<<8           // ["
	betweenPQ  = '"' | ','<<8 | '"'<<16 // ","
	closeLevel = '"' | ']'<<8           // "]
	nextText   = ',' | '"'<<8           // ,"
)

// depth decodes a depthUpdate, i standing behind `{"e":"depthUpdate"` (negative: not
// that text); tail is the number of closing braces. Fields come
// in the order of the recordings and of the 2026 documentation, those of one product optional in their places ("T",
// "ps", "st", "pu"). Literals between the numbers are compared, numbers read, and any other byte is the fallback's.
func (d *Decoder) depth(recv venue.Nanos, b []byte, i, n, tail int) ([]venue.Event, venue.Reason) {
	const other = venue.NotMyShape
	at, i := when(b, wire.Lit(b, i, `,"E":`), n)
	if i > 0 && b[i+2] == 'T' {
		i = past(b, wire.Lit(b, i, `,"T":`), n)
	}
	if i = wire.Lit(b, i, `,"s":"`); i < 0 {
		return nil, other
	}
	e, i := d.symbols.at(b, i, n)
	if i < 0 {
		return nil, other
	}
	if e == nil {
		return nil, venue.UnknownSymbol
	}
	i = about(b, i, n)
	first, i := number(b, wire.Lit(b, i, `,"U":`), n)
	last, i := number(b, wire.Lit(b, i, `,"u":`), n)
	prev := uint64(0)
	if d.chain == venue.ChainPrev {
		prev, i = number(b, wire.Lit(b, i, `,"pu":`), n)
	}
	d.reserve(n)
	k := 1
	if i, k = d.levels(b, wire.Lit(b, i, `,"b":[`), n, k, e, venue.Bids, last); i < 0 {
		return nil, other
	}
	if i, k = d.levels(b, wire.Lit(b, i, `,"a":[`), n, k, e, venue.Asks, last); i < 0 {
		return nil, other
	}
	if !closed(b, about(b, i, n), n, tail) {
		return nil, other
	}
	d.ev[0].SetHead(d.venue, e.inst, 0, recv, at, first, prev, last, venue.NoChecksum, k-1)
	d.ev[k-1].Flags |= venue.Last
	return d.ev[:k], venue.OK
}

// levels decodes one side into Levels records from d.ev[k] on, i standing behind its opening bracket; it returns the
// index behind the closing one and the next free record. d.ev has room (see reserve).
//
// This loop is where a decoder's time goes. It is shape.read and size.read written out over a window of 64 bytes that
// moves from level to level, with offsets that need no bounds checks. Every byte of the level, digit or punctuation, is
// compared with what the shape wants; the differences are or-ed together and decided by one branch for the price and one
// for the quantity. A level that differs is read by oddLevel, which also measures it for the next.
func (d *Decoder) levels(b []byte, i, n, k int, e *listed, side uint8, seq uint64) (int, int) {
	if i < 0 || i >= n {
		return bad, k
	}
	if b[i] == ']' {
		return i + 1, k
	}
	p, q := &e.price, &e.qty
	r := &d.ev[k]
	slot := uint(0)
	for b = b[i:]; len(b) > wire.Slack; {
		var price, qty, odd uint64
		var end uint32
		w := (*window)(b)
		a, f := w.word(2), w.word(p.frac+2)
		x := a<<(p.shA&63)&p.mA | f<<(p.shF&63)&p.mF | p.fill
		j := p.end + 2
		diff := unlike(x) | (a^p.dot)&p.mDot | (f^zeros)&p.mZ |
			uint64((w[0]^'[')|(w[1]^'"')) | uint64(w.half(j)&0xffffff^betweenPQ)
		if diff == 0 {
			j += 3
			price = wire.Parse8(x)
			if w[(j+1)&31] == '.' {
				ip := uint64(w[j&31] - '0')
				f := w.word(j + 2)
				x := f<<(q.shF&63)&q.mF | q.fill
				j += 2 + q.fp
				end = w.half(j)
				odd = unlike(x) | (f^zeros)&q.mZ | (9-ip)>>63 | q.never | uint64(end&0xffff^closeLevel)
				qty = ip*q.mul + wire.Parse8(x)
			} else {
				qty, j, end, odd = q.long(w, j)
			}
		}
		if diff|odd != 0 {
			if price, qty, j, end = e.oddLevel(b); j == 0 {
				break
			}
		}
		b = b[j+3:]
		r.W[2*slot], r.W[2*slot+1] = int64(price), int64(qty)
		slot++
		if end>>16&0xff == ',' {
			if slot == 3 {
				setLevels(r, d.venue, e.inst, side, 3, seq)
				k++
				r, slot = &d.ev[k], 0
			}
			continue
		}
		if end>>16&0xff != ']' {
			break
		}
		setLevels(r, d.venue, e.inst, side, int(slot), seq)
		return n + wire.Slack - len(b), k + 1
	}
	return bad, k
}

// oddLevel reads the level that b begins with number by number. It returns the index of the quote behind the quantity, 0
// when this is no level, and the four bytes there.
//
//go:noinline
func (e *listed) oddLevel(b []byte) (price, qty uint64, next uint, end uint32) {
	if le.Uint16(b) != openLevel {
		return 0, 0, 0, 0
	}
	price, i := e.price.read(b, 2)
	if i < 0 || le.Uint16(b[i:]) != nextText {
		return 0, 0, 0, 0
	}
	qty, i = e.qty.read(b, i+2)
	if i < 0 || b[i] != ']' {
		return 0, 0, 0, 0
	}
	return price, qty, uint(i - 1), le.Uint32(b[i-1:])
}

// setLevels makes e a Levels record of n levels, whose words are set; those of an older record behind them are cleared.
func setLevels(e *venue.Event, v venue.ID, in venue.Inst, side uint8, n int, seq uint64) {
	e.Kind, e.Flags, e.N, e.Venue, e.Inst, e.Seq = venue.Levels, side, uint8(n), v, in, seq
	for i := 2 * n; i < len(e.W); i++ {
		e.W[i] = 0
	}
}

// long reads a quantity of any number of digits before the point, or without one, and the four bytes behind it. odd is
// not zero when it is of another shape.
//
//go:noinline
func (s *size) long(w *window, j uint) (qty uint64, next uint, end uint32, odd uint64) {
	a := w.word(j)
	c := uint(bits.TrailingZeros64(wire.NonDigit(a))) >> 3
	if c-1 > 6 || s.never != 0 {
		return 0, 0, 0, 1
	}
	qty = wire.Parse8(a<<((64-8*c)&63)|zeros>>((8*c)&63)) * s.mul
	j += c
	if w[j&63] == '.' {
		f := w.word(j + 1)
		x := f<<(s.shF&63)&s.mF | s.fill
		qty += wire.Parse8(x)
		odd = unlike(x) | (f^zeros)&s.mZ
		j += 1 + s.fp
	}
	end = uint32(w[j&63]) | uint32(w[(j+1)&63])<<8 | uint32(w[(j+2)&63])<<16 // up to 39 bytes into the window
	return qty, j, end, odd | uint64(end&0xffff^closeLevel)
}
