package kraken

import (
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// scanV1 reads a v1 book update, [992,{"b":[…],"c":"2583817756"},"book-1000","XMR/USD"], of one object or two. The pair
// comes last but its scales are needed first, so it is looked up from behind.
func (d *decoder) scanV1(recv venue.Nanos, msg, b []byte) venue.Reason {
	n := len(msg)
	if msg[n-1] != ']' || msg[n-2] != '"' {
		return venue.NotMyShape
	}
	pair := n - 2
	for pair > 0 && msg[pair-1] != '"' {
		pair--
	}
	s, end := d.symbol(msg, pair)
	if s == nil || end != n-1 {
		return venue.NotMyShape
	}
	_, i := wire.Uint(b, 1)
	if i < 0 || i >= n || msg[i] != ',' {
		return venue.NotMyShape
	}
	d.frames.Open(d.id, s.in.Inst, 0, recv, d.count(s))
	newest := venue.Nanos(0)
	for {
		side := venue.Bids
		if j := wire.Lit(msg, i, `,{"b":[`); j > 0 {
			i = j
		} else if i, side = wire.Lit(msg, i, `,{"a":[`), venue.Asks; i < 0 {
			return venue.NotMyShape
		}
		var at venue.Nanos
		if at, i = d.levelsV1(s.in, side, msg, b, i); i < 0 {
			return venue.NotMyShape
		}
		newest = max(newest, at)
		j := wire.Lit(msg, i, `,"c":"`)
		if j > 0 {
			i = j
			break
		}
		if i = wire.Lit(msg, i, "}"); i < 0 {
			return venue.NotMyShape
		}
	}
	crc, i := wire.Uint(b, i)
	if i < 0 || crc > 1<<32-1 {
		return venue.NotMyShape
	}
	if i = wire.Lit(msg, i, `"},"book-`); i < 0 {
		return venue.NotMyShape
	}
	if _, i = wire.Uint(b, i); i < 0 || wire.Lit(msg, i, `","`) != pair {
		return venue.NotMyShape
	}
	d.frames.Close(newest, int64(crc))
	return venue.OK
}

// levelsV1 reads v1 levels up to and with the closing bracket, and returns the newest time.
func (d *decoder) levelsV1(in *venue.Instrument, side uint8, msg, b []byte, i int) (venue.Nanos, int) {
	newest := venue.Nanos(0)
	for {
		if i = wire.Lit(msg, i, `["`); i < 0 {
			return 0, -1
		}
		p, j := wire.Fixed(b, i, in.PriceScale)
		if i = wire.Lit(msg, j, `","`); i < 0 || p <= 0 {
			return 0, -1
		}
		q, j := wire.Fixed(b, i, in.QtyScale)
		if i = wire.Lit(msg, j, `","`); i < 0 || q < 0 {
			return 0, -1
		}
		at, j := stampV1(msg, b, i)
		newest = max(newest, at)
		if i = wire.Lit(msg, j, `"]`); i < 0 {
			i = wire.Lit(msg, j, `","r"]`)
		}
		d.frames.Level(side, fixed.Price(p), fixed.Qty(q))
		switch {
		case i < 0 || i >= len(msg):
			return 0, -1
		case msg[i] == ',':
			i++
		case msg[i] == ']':
			return newest, i + 1
		default:
			return 0, -1
		}
	}
}

// stampV1 reads a time of ten digits, a point and six more.
func stampV1(msg, b []byte, i int) (venue.Nanos, int) {
	s, j := wire.Uint(b, i)
	if j != i+10 {
		return 0, -1
	}
	if i = wire.Lit(msg, j, "."); i < 0 {
		return 0, -1
	}
	us, j := wire.Uint(b, i)
	if us += s * 1e6; j != i+6 || us > fixed.Limit {
		return 0, -1
	}
	return venue.Nanos(us) * venue.Microsecond, j
}
