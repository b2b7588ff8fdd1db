package kraken

import (
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// scan is the hot path: book updates of v2 and v1, read once from front to back. Every byte that it relies on is checked,
// and whatever is not exactly the shape that the venue sends is NotMyShape, left to parse: another order of keys, spaces,
// escapes, an unknown pair, a fault, and the message after a refused one. Literals are compared against msg, which ends
// with the message; levels, numbers and times are read from b, which has the Slack that their readers need.
func (d *decoder) scan(recv venue.Nanos, msg []byte) venue.Reason {
	n := len(msg)
	if cap(msg)-n < wire.Slack || n < 8 || d.lost != venue.OK {
		return venue.NotMyShape
	}
	b := msg[:n+wire.Slack]
	if msg[0] == '[' {
		return d.scanV1(recv, msg, b)
	}
	i := wire.Lit(msg, 0, `{"channel":"book","type":"update","data":[{"symbol":"`)
	if i < 0 {
		return venue.NotMyShape
	}
	for {
		if i = d.item(recv, msg, b, i); i < 0 {
			return venue.NotMyShape
		}
		j := wire.Lit(msg, i, `,{"symbol":"`)
		if j < 0 {
			break
		}
		i = j
	}
	if i+2 != n || msg[i] != ']' || msg[i+1] != '}' {
		return venue.NotMyShape
	}
	return venue.OK
}

// item reads one pair's update from its symbol on, and returns the index behind it; negative when it is not the shape.
func (d *decoder) item(recv venue.Nanos, msg, b []byte, i int) int {
	s, i := d.symbol(msg, i)
	if s == nil {
		return -1
	}
	if i = wire.Lit(msg, i, `,"bids":[`); i < 0 {
		return -1
	}
	d.frames.Open(d.id, s.in.Inst, 0, recv, d.count(s))
	i = d.levels(s.in, venue.Bids, b, i)
	if i = wire.Lit(msg, i, `,"asks":[`); i < 0 {
		return -1
	}
	i = d.levels(s.in, venue.Asks, b, i)
	if i = wire.Lit(msg, i, `,"checksum":`); i < 0 {
		return -1
	}
	crc, i := wire.Uint(b, i)
	if i = wire.Lit(msg, i, `,"timestamp":"`); i < 0 || crc > 1<<32-1 {
		return -1
	}
	at, i := wire.Time(b, i)
	d.frames.Close(at, int64(crc))
	return wire.Lit(msg, i, `"}`)
}

// symbol reads a symbol and its closing quote; nil when it is not in the table.
func (d *decoder) symbol(msg []byte, i int) (*slot, int) {
	if s := d.last; s != nil && wire.Lit(msg, i, s.quoted) > 0 {
		return s, i + len(s.quoted)
	}
	for j := i; j < len(msg); j++ {
		if msg[j] == '"' {
			s := d.slots[string(msg[i:j])]
			if s != nil {
				d.last = s
			}
			return s, j + 1
		}
	}
	return nil, i
}

// What stands between the numbers of a level, in words that may overlap; qty is one of seven bytes.
var (
	price1, price2 = wire.Word(`{"price"`), wire.Word(`"price":`)
	qty            = wire.Word("\x00" + `,"qty":`)
)

// levels reads v2 levels up to and with the closing bracket. The text of a level is compared in words whose differences
// are or-ed together, and with what the numbers must be, in one branch. It may run into the Slack of a message cut short,
// where the caller's next literal fails.
func (d *decoder) levels(in *venue.Instrument, side uint8, b []byte, i int) int {
	if i < 0 || i >= len(b) {
		return -1
	}
	if b[i] == ']' {
		return i + 1
	}
	for {
		if len(b)-i < 40 {
			return -1
		}
		odd := (wire.Load8(b, i) ^ price1) | (wire.Load8(b, i+1) ^ price2)
		p, j := wire.Fixed(b, i+9, in.PriceScale)
		if odd != 0 || p <= 0 || j < 0 || len(b)-j < 40 {
			return -1
		}
		odd = wire.Load8(b, j-1)>>8 ^ qty>>8
		q, j := wire.Fixed(b, j+7, in.QtyScale)
		if odd != 0 || q < 0 || j < 0 || len(b)-j < 2 || b[j] != '}' {
			return -1
		}
		d.frames.Level(side, fixed.Price(p), fixed.Qty(q))
		if i = j + 2; b[j+1] != ',' {
			if b[j+1] != ']' {
				return -1
			}
			return i
		}
	}
}
