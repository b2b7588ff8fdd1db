package kraken

import (
	"bytes"

	"github.com/valyala/fastjson"

	"oneprice/books/venue"
)

// array takes a v1 message: [channelID, payload, …, channel name, pair].
func (d *decoder) array(recv venue.Nanos, items []*fastjson.Value) venue.Reason {
	n := len(items)
	if n < 4 {
		return venue.Malformed
	}
	name, pair := items[n-2].GetStringBytes(), items[n-1].GetStringBytes()
	if len(name) == 0 || len(pair) == 0 {
		return venue.Malformed
	}
	book := bytes.HasPrefix(name, []byte("book"))
	if !book && string(name) != "trade" {
		return venue.Ignored
	}
	s := d.slots[string(pair)]
	if s == nil {
		return venue.UnknownSymbol
	}
	if book {
		return d.bookV1(recv, s, items[1:n-2])
	}
	return d.tradesV1(recv, s, items[1].GetArray())
}

// bookV1 adds a v1 frame. A snapshot has "as" and "bs"; an update "a" or "b" with "c", or two objects, the second with "c".
// Its time is that of its newest level, since the message has none of its own.
func (d *decoder) bookV1(recv venue.Nanos, s *slot, parts []*fastjson.Value) venue.Reason {
	flags, crc := uint8(0), venue.NoChecksum
	if parts[0].Exists("as") || parts[0].Exists("bs") {
		flags = venue.Snapshot
	}
	d.frames.Open(d.id, s.in.Inst, flags, recv, d.count(s))
	newest, sides := venue.Nanos(0), 0
	for _, v := range parts {
		for _, k := range sidesV1 {
			if !v.Exists(k.key) {
				continue
			}
			if flags != k.flags {
				return venue.Malformed
			}
			at, why := d.sideV1(s.in, k.side, v.Get(k.key))
			if why != venue.OK {
				return why
			}
			newest = max(newest, at)
			sides++
		}
		if c := v.Get("c"); c != nil {
			n, why := d.doc.Uint(c)
			if why != venue.OK || n > 1<<32-1 {
				return venue.Malformed
			}
			crc = int64(n)
		}
	}
	if sides == 0 {
		return venue.Malformed
	}
	d.frames.Close(newest, crc)
	return venue.OK
}

// sidesV1 are the keys of a v1 book in the order in which they are taken.
var sidesV1 = [...]struct {
	key         string
	side, flags uint8
}{{"bs", venue.Bids, venue.Snapshot}, {"as", venue.Asks, venue.Snapshot}, {"b", venue.Bids, 0}, {"a", venue.Asks, 0}}

// sideV1 adds the levels of one side, [price, volume, time] or the same with "r" for a level that is sent again, and
// returns the newest time.
func (d *decoder) sideV1(in *venue.Instrument, side uint8, list *fastjson.Value) (venue.Nanos, venue.Reason) {
	if list.Type() != fastjson.TypeArray {
		return 0, venue.Malformed
	}
	newest := venue.Nanos(0)
	for _, l := range list.GetArray() {
		p, q, why := d.level(in, l.Get("0"), l.Get("1"))
		if why != venue.OK {
			return 0, why
		}
		at, why := d.timeV1(l.Get("2"))
		if why != venue.OK {
			return 0, why
		}
		newest = max(newest, at)
		d.frames.Level(side, p, q)
	}
	return newest, venue.OK
}

// timeV1 reads seconds with up to six decimals, up to fixed.Limit microseconds (the year 2255).
func (d *decoder) timeV1(v *fastjson.Value) (venue.Nanos, venue.Reason) {
	us, why := d.doc.Fixed(v, 6)
	if why != venue.OK || us < 0 {
		return 0, venue.Malformed
	}
	return venue.Nanos(us) * venue.Microsecond, venue.OK
}

// tradesV1 adds the trades of a v1 message: [price, volume, time, "b" or "s" for the taker, "m" or "l", ""].
func (d *decoder) tradesV1(recv venue.Nanos, s *slot, list []*fastjson.Value) venue.Reason {
	if len(list) == 0 {
		return venue.Malformed
	}
	for _, t := range list {
		flags := venue.Asks
		switch string(t.GetStringBytes("3")) {
		case "b":
			flags = venue.Bids
		case "s":
		default:
			return venue.Malformed
		}
		at, why := d.timeV1(t.Get("2"))
		if why != venue.OK {
			return why
		}
		p, q, why := d.level(s.in, t.Get("0"), t.Get("1"))
		if why != venue.OK {
			return why
		}
		d.frames.Add().SetTrade(d.id, s.in.Inst, flags, 0, p, q, recv, at)
	}
	return venue.OK
}
