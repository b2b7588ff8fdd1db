package coinbase

import (
	"encoding/binary"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// scan is the hot path: an l2_data message whose number is the next one, read once from front to back. Every byte that it
// relies on is checked, and whatever is not exactly the shape that the venue sends is NotMyShape, left to parse: another
// order of keys, spaces, escapes, an unknown product, a fault. Literals are compared against msg, which ends with the
// message; levels, numbers and times are read from b, which has the Slack that their readers need. After a failure the index is
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
	if i = d.updates(s.in, b, i); i < 0 {
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

// window is the part of a message that holds a level up to its price. From its brace on a level is followed by at least as
// many bytes, Slack included; offsets in it need no bounds check.
type window [136]byte

func (w *window) word(i uint) uint64 { return binary.LittleEndian.Uint64(w[i&127:]) }

// What stands between the numbers of a level, in words that may overlap.
var (
	openSide               = wire.Word(`{"side":`)
	bid, bidEvent          = wire.Word(`"bid","e`), wire.Word(`vent_tim`)
	offer, offerEvent      = wire.Word(`"offer",`), wire.Word(`"event_t`)
	eventTime              = wire.Word(`_time":"`)
	price1, price2, price3 = wire.Word(`","price`), wire.Word(`_level":`), wire.Word(`level":"`)
	qty1, qty2, qty3       = wire.Word(`","new_q`), wire.Word(`uantity"`), wire.Word(`ntity":"`)
)

// updates reads levels up to and with the closing bracket. The text of a level is compared in words whose differences are
// or-ed together, with one branch for the side and one for the rest. The venue stamps all levels of a batch with one
// event_time, so a time is compared with the one before as text, in four words that cover its 20 to 30 bytes, and read
// only when it differs; at 20 and 21 bytes they also cover what follows, which is the same in both places.
func (d *decoder) updates(in *venue.Instrument, b []byte, i int) int {
	var last [4]uint64
	size := uint(0) // of the last event_time
	for {
		if len(b)-i < len(window{}) {
			return -1
		}
		w := (*window)(b[i:])
		side, at := venue.Bids, uint(28)
		odd := w.word(0) ^ openSide
		if second := w.word(8); second == bid {
			odd |= w.word(16) ^ bidEvent
		} else {
			side, at = venue.Asks, 30
			odd |= (second ^ offer) | (w.word(16) ^ offerEvent)
		}
		if odd|(w.word(at-8)^eventTime) != 0 {
			return -1
		}
		if (w.word(at)^last[0])|(w.word(at+8)^last[1])|(w.word(at+14)^last[2])|(w.word(at+size-8)^last[3]) != 0 || size == 0 {
			_, j := wire.Time(b, i+int(at))
			if j < 0 {
				return -1
			}
			size = uint(j-i) - at
			last = [4]uint64{w.word(at), w.word(at + 8), w.word(at + 14), w.word(at + size - 8)}
		}
		j := at + size
		odd = (w.word(j) ^ price1) | (w.word(j+8) ^ price2) | (w.word(j+9) ^ price3)
		p, k := wire.Fixed(b, i+int(j)+17, in.PriceScale)
		if odd != 0 || p <= 0 || k < 0 || len(b)-k < 64 {
			return -1
		}
		odd = (wire.Load8(b, k) ^ qty1) | (wire.Load8(b, k+8) ^ qty2) | (wire.Load8(b, k+10) ^ qty3)
		q, k := wire.Fixed(b, k+18, in.QtyScale)
		if odd != 0 || q < 0 || k < 0 || len(b)-k < 3 || b[k] != '"' || b[k+1] != '}' {
			return -1
		}
		d.frames.Level(side, fixed.Price(p), fixed.Qty(q))
		if i = k + 3; b[k+2] != ',' {
			if b[k+2] != ']' {
				return -1
			}
			return i
		}
	}
}
