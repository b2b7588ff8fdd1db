package coinbase

import (
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// scan is the hot path: an l2_data message whose number is the next one, read once from front to back. Every byte that it
// relies on is checked, and whatever is not exactly the shape that the venue sends is NotMyShape, left to parse: another
// order of keys, spaces, escapes, an unknown product, a fault. Literals are compared against msg, which ends with the
// message; numbers and times are read from b, which has the Slack that their readers need. After a failure the index is
// negative and every further literal fails too, so one look at the end of a chain is enough.
func (d *decoder) scan(recv venue.Nanos, msg []byte) venue.Reason {
	n := len(msg)
	if cap(msg)-n < wire.Slack {
		return venue.NotMyShape
	}
	b := msg[:n+wire.Slack]
	i := wire.Lit(msg, 0, `{"channel":"l2_data",`)
	if j := wire.Lit(msg, i, `"client_id":"",`); j > 0 {
		i = j
	}
	if i = wire.Lit(msg, i, `"timestamp":"`); i < 0 {
		return venue.NotMyShape
	}
	at, i := wire.Time(b, i)
	if i = wire.Lit(msg, i, `","sequence_num":`); i < 0 {
		return venue.NotMyShape
	}
	seq, i := wire.Uint(b, i)
	if i = wire.Lit(msg, i, `,"events":[`); i < 0 || d.started && seq != d.seq+1 {
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
	} else {
		i, flags = wire.Lit(msg, i, `{"type":"snapshot"`), venue.Snapshot
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
		side := venue.Bids
		if j := wire.Lit(msg, i, `{"side":"bid",`); j > 0 {
			i = j
		} else {
			i, side = wire.Lit(msg, i, `{"side":"offer",`), venue.Asks
		}
		if i = wire.Lit(msg, i, `"event_time":"`); i < 0 {
			return -1
		}
		if size > 0 && sameTime(b, i, from, size) {
			i += size
		} else {
			_, j := wire.Time(b, i)
			from, size, i = i, j-i, j
		}
		if i = wire.Lit(msg, wire.Lit(msg, i, `","price_level"`), `:"`); i < 0 {
			return -1
		}
		p, j := wire.Fixed(b, i, in.PriceScale)
		if i = wire.Lit(msg, wire.Lit(msg, j, `","new_quantity"`), `:"`); i < 0 || p <= 0 {
			return -1
		}
		q, j := wire.Fixed(b, i, in.QtyScale)
		if i = wire.Lit(msg, j, `"}`); i < 0 || i >= len(msg) || q < 0 {
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

// sameTime reports whether the n bytes at i, 20 to 30 as a time has, equal those at from, with words that overlap. At 20
// and 21 bytes it also compares what follows, which is the same literal in both places.
func sameTime(b []byte, i, from, n int) bool {
	x := wire.Load8(b, i) ^ wire.Load8(b, from)
	x |= wire.Load8(b, i+8) ^ wire.Load8(b, from+8)
	x |= wire.Load8(b, i+14) ^ wire.Load8(b, from+14)
	x |= wire.Load8(b, i+n-8) ^ wire.Load8(b, from+n-8)
	return x == 0
}
