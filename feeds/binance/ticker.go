package binance

import (
	"encoding/binary"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// ticker decodes a bookTicker, i standing before `"u":`. Three orders are known: spot (u s b B a A), USD-M
// (e u s b B a A T E) and COIN-M (u e s ps b B a A T E), with "E" and "T" also before "s", and "st" and "ps" before or
// behind the prices, as the documentation of 2026 has them. One pass reads them all: what may stand in a place is
// compared there, and each optional comparison goes the same way for every message of a product.
func (d *Decoder) ticker(recv venue.Nanos, b []byte, i, n, tail int) ([]venue.Event, venue.Reason) {
	const other = venue.NotMyShape
	seq, i := number(b, wire.Lit(b, i, `"u":`), n)
	if i > 0 && b[i+2] == 'e' {
		i = wire.Lit(b, wire.Lit(b, i, `,"e":"bo`), `okTicker"`)
	}
	at, early := recv, i > 0 && b[i+2] == 'E'
	if early {
		at, i = when(b, wire.Lit(b, i, `,"E":`), n)
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
	bid, i := e.price.field(b, i, n, 'b')
	bidQty, i := e.qty.field(b, i, n, 'B')
	ask, i := e.price.field(b, i, n, 'a')
	askQty, i := e.qty.field(b, i, n, 'A')
	if i > 0 && b[i+2] == 'T' {
		if early {
			return nil, other // the time twice
		}
		i = past(b, wire.Lit(b, i, `,"T":`), n)
		at, i = when(b, wire.Lit(b, i, `,"E":`), n)
	}
	if !closed(b, about(b, i, n), n, tail) {
		return nil, other
	}
	d.ev[0].SetTouch(d.venue, e.inst, venue.Last, seq, fixed.Price(bid), fixed.Qty(bidQty), fixed.Price(ask), fixed.Qty(askQty), recv, at)
	return d.ev[:1], venue.OK
}

// field reads the price under a key of one letter, which must come next.
func (s *shape) field(b []byte, i, n int, key byte) (uint64, int) {
	if i = keyed(b, i, n, key); i < 0 {
		return 0, bad
	}
	return s.read(b, i)
}

// field reads the quantity under a key of one letter.
func (s *size) field(b []byte, i, n int, key byte) (uint64, int) {
	if i = keyed(b, i, n, key); i < 0 {
		return 0, bad
	}
	return s.read(b, i)
}

// keyed steps over a comma, a key of one letter, and the quote that opens its text.
func keyed(b []byte, i, n int, key byte) int {
	const frame = ',' | '"'<<8 | '"'<<24 | ':'<<32 | '"'<<40
	if uint(i) >= uint(n) || wire.Load8(b, i)&(1<<48-1) != frame|uint64(key)<<16 {
		return bad
	}
	return i + 6
}

// trade decodes a trade, i standing behind `{"e":"trade"`. Spot has E s t p q T m M, futures E T s t p q X m, with "st"
// behind. "m" says that the buyer was the maker, so the taker sold. A futures trade that is not a fill in the book (X
// other than MARKET: insurance fund, deleveraging, or a filler with price 0) is the fallback's.
func (d *Decoder) trade(recv venue.Nanos, b []byte, i, n, tail int) ([]venue.Event, venue.Reason) {
	const other = venue.NotMyShape
	at, i := when(b, wire.Lit(b, i, `,"E":`), n)
	futures := i > 0 && b[i+2] == 'T'
	if futures {
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
	id, i := number(b, wire.Lit(b, about(b, i, n), `,"t":`), n)
	price, i := e.price.field(b, i, n, 'p')
	qty, i := e.qty.field(b, i, n, 'q')
	if futures {
		i = wire.Lit(b, i, `,"X":"MARKET"`)
	} else {
		i = past(b, wire.Lit(b, i, `,"T":`), n)
	}
	if i = wire.Lit(b, i, `,"m":`); i < 0 {
		return nil, other
	}
	side, i := venue.Asks, i
	switch binary.LittleEndian.Uint32(b[i:]) {
	case 't' | 'r'<<8 | 'u'<<16 | 'e'<<24:
		i += 4
	case 'f' | 'a'<<8 | 'l'<<16 | 's'<<24:
		side, i = venue.Bids, wire.Lit(b, i, "false")
	default:
		return nil, other
	}
	if !futures {
		if j := wire.Lit(b, i, `,"M":true`); j > 0 {
			i = j
		} else {
			i = wire.Lit(b, i, `,"M":false`)
		}
	}
	if !closed(b, about(b, i, n), n, tail) {
		return nil, other
	}
	d.ev[0].SetTrade(d.venue, e.inst, venue.Last|side, id, fixed.Price(price), fixed.Qty(qty), recv, at)
	return d.ev[:1], venue.OK
}
