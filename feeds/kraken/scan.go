package kraken

import (
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// scan is the hot path: book updates of v2 and v1, read once from front to back. Every byte that it relies on is checked,
// and whatever is not exactly the shape that the venue sends is NotMyShape, left to parse: another order of keys, spaces,
// escapes, an unknown pair, a fault, and the message after a refused one. Literals are compared against msg, which ends
// with the message; numbers and times are read from b, which has the Slack that their readers need.
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
	i = d.levels(s.in, venue.Bids, msg, b, i)
	if i = wire.Lit(msg, i, `,"asks":[`); i < 0 {
		return -1
	}
	if i = d.levels(s.in, venue.Asks, msg, b, i); i < 0 {
		return -1
	}
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

// levels reads v2 levels up to and with the closing bracket.
func (d *decoder) levels(in *venue.Instrument, side uint8, msg, b []byte, i int) int {
	if i < len(msg) && msg[i] == ']' {
		return i + 1
	}
	for {
		if i = wire.Lit(msg, i, `{"price":`); i < 0 {
			return -1
		}
		p, j := wire.Fixed(b, i, in.PriceScale)
		if i = wire.Lit(msg, j, `,"qty":`); i < 0 || p <= 0 {
			return -1
		}
		q, j := wire.Fixed(b, i, in.QtyScale)
		if j < 0 || q < 0 {
			return -1
		}
		d.frames.Level(side, fixed.Price(p), fixed.Qty(q))
		switch {
		case j+1 >= len(msg) || msg[j] != '}':
			return -1
		case msg[j+1] == ',':
			i = j + 2
		case msg[j+1] == ']':
			return j + 2
		default:
			return -1
		}
	}
}
