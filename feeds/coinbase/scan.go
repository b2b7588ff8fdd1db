package coinbase

import (
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// scan is the hot path: an l2_data message whose number is the next one, read once from front to back. Every byte that it
// relies on is checked, and whatever is not exactly the shape that the venue sends is NotMyShape, left to parse: another
// order of keys, spaces, escapes, an unknown product, a fault. Literals are compared against msg, which ends with the
// message; numbers and times are read from b, which has the Slack that their readers need.
func (d *decoder) scan(recv venue.Nanos, msg []byte) venue.Reason {
	n := len(msg)
	if cap(msg)-n < wire.Slack {
		return venue.NotMyShape
	}
	b := msg[:n+wire.Slack]
	i := wire.Lit(msg, 0, `{"channel":"l2_data",`)
	if i < 0 {
		return venue.NotMyShape
	}
	if j := wire.Lit(msg, i, `"client_id":"",`); j > 0 {
		i = j
	}
	if i = wire.Lit(msg, i, `"timestamp":"`); i < 0 {
		return venue.NotMyShape
	}
	at, i := wire.Time(b, i)
	if i < 0 {
		return venue.NotMyShape
	}
	if i = wire.Lit(msg, i, `","sequence_num":`); i < 0 {
		return venue.NotMyShape
	}
	seq, i := wire.Uint(b, i)
	if i < 0 || d.started && seq != d.seq+1 {
		return venue.NotMyShape
	}
	if i = wire.Lit(msg, i, `,"events":[`); i < 0 {
		return venue.NotMyShape
	}
	for {
		if i = d.event(recv, at, seq, msg, b, i); i < 0 || i >= n {
			return venue.NotMyShape
		}
		if msg[i] != ',' {
			break
		}
		i++
	}
	if i+2 != n || msg[i] != ']' || msg[i+1] != '}' {
		return venue.NotMyShape
	}
	d.seq, d.started = seq, true
	return venue.OK
}

// event reads one event, a frame, and returns the index behind it; negative when it is not the shape.
func (d *decoder) event(recv, at venue.Nanos, seq uint64, msg, b []byte, i int) int {
	flags := uint8(0)
	if j := wire.Lit(msg, i, `{"type":"update"`); j > 0 {
		i = j
	} else if i = wire.Lit(msg, i, `{"type":"snapshot"`); i > 0 {
		flags = venue.Snapshot
	} else {
		return -1
	}
	if i = wire.Lit(msg, i, `,"product_id":"`); i < 0 {
		return -1
	}
	s, i := d.symbol(msg, i)
	if s == nil {
		return -1
	}
	if i = wire.Lit(msg, i, `,"updates":[`); i < 0 {
		return -1
	}
	d.frames.Open(d.id, s.in.Inst, flags, recv, seq)
	if i = d.updates(s.in, msg, b, i); i < 0 {
		return -1
	}
	d.frames.Close(at, venue.NoChecksum)
	s.seen = true
	return wire.Lit(msg, i, "}")
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

// updates reads levels up to and with the closing bracket. The venue stamps all levels of a batch with one event_time, so
// a time is compared with the one before as text and read only when it differs.
func (d *decoder) updates(in *venue.Instrument, msg, b []byte, i int) int {
	from, size := 0, 0 // of the last event_time that was read
	for {
		var side uint8
		if j := wire.Lit(msg, i, `{"side":"bid",`); j > 0 {
			i, side = j, venue.Bids
		} else if i = wire.Lit(msg, i, `{"side":"offer",`); i > 0 {
			side = venue.Asks
		} else {
			return -1
		}
		if i = wire.Lit(msg, i, `"event_time":"`); i < 0 {
			return -1
		}
		if size > 0 && len(msg)-i >= size && string(msg[i:i+size]) == string(msg[from:from+size]) {
			i += size
		} else {
			_, j := wire.Time(b, i)
			if j < 0 {
				return -1
			}
			from, size, i = i, j-i, j
		}
		if i = wire.Lit(msg, i, `","price_level":`); i < 0 || i >= len(msg) || msg[i] != '"' {
			return -1
		}
		p, j := wire.Fixed(b, i+1, in.PriceScale)
		if j < 0 || p <= 0 {
			return -1
		}
		if i = wire.Lit(msg, j, `","new_quantity"`); i < 0 {
			return -1
		}
		if i = wire.Lit(msg, i, `:"`); i < 0 {
			return -1
		}
		q, j := wire.Fixed(b, i, in.QtyScale)
		if j < 0 || q < 0 {
			return -1
		}
		if i = wire.Lit(msg, j, `"}`); i < 0 || i >= len(msg) {
			return -1
		}
		d.frames.Level(side, fixed.Price(p), fixed.Qty(q))
		switch msg[i] {
		case ',':
			i++
		case ']':
			return i + 1
		default:
			return -1
		}
	}
}
