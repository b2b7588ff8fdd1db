package kraken

import (
	"github.com/valyala/fastjson"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// object takes a v2 message, or a v1 event, which is an object too.
func (d *decoder) object(recv venue.Nanos, v *fastjson.Value) venue.Reason {
	data := v.GetArray("data")
	switch string(v.GetStringBytes("channel")) {
	case "book":
		return d.each(data, func(b *fastjson.Value) venue.Reason { return d.book(recv, v, b) })
	case "trade":
		if wire.Is(v.Get("type"), "snapshot") {
			return venue.Ignored // history before the subscription
		}
		return d.each(data, func(t *fastjson.Value) venue.Reason { return d.trade(recv, t) })
	case "ticker":
		return d.each(data, func(t *fastjson.Value) venue.Reason { return d.touch(recv, t) })
	case "heartbeat":
		return d.alive(recv)
	case "instrument":
		return d.pairs(recv, v.GetArray("data", "pairs"))
	case "status":
		if len(data) == 0 {
			return venue.Malformed
		}
		return d.venueStatus(recv, data[0].GetStringBytes("system"))
	case "":
		return d.event(recv, v)
	}
	return venue.Ignored
}

// event takes a v1 event or the answer to a request.
func (d *decoder) event(recv venue.Nanos, v *fastjson.Value) venue.Reason {
	switch string(v.GetStringBytes("event")) {
	case "heartbeat":
		return d.alive(recv)
	case "systemStatus":
		return d.venueStatus(recv, v.GetStringBytes("status"))
	case "":
		if !v.Exists("method") && !v.Exists("error") {
			return venue.Malformed
		}
		if d.pong != nil && wire.Is(v.Get("method"), "pong") {
			in, whyIn := d.doc.Time(v.Get("time_in"))
			out, whyOut := d.doc.Time(v.Get("time_out"))
			if whyIn == venue.OK && whyOut == venue.OK {
				d.pong(recv, v.GetUint64("req_id"), in, out)
			}
		}
		d.refusal = string(v.GetStringBytes("error"))
	}
	return venue.Ignored
}

// each runs f over a list whose items may each be of another pair: OK when any gave records, the first fault otherwise,
// then UnknownSymbol when there was one, then Ignored.
func (d *decoder) each(items []*fastjson.Value, f func(*fastjson.Value) venue.Reason) venue.Reason {
	if len(items) == 0 {
		return venue.Malformed
	}
	all := venue.UnknownSymbol
	for _, e := range items {
		switch why := f(e); why {
		case venue.OK:
			all = venue.OK
		case venue.UnknownSymbol:
		default:
			return why
		}
	}
	return all
}

// find is the slot of a pair, nil when the table has none.
func (d *decoder) find(v *fastjson.Value) *slot {
	return d.slots[string(v.GetStringBytes("symbol"))]
}

// time reads the timestamp of an item; 0 when it has none.
func (d *decoder) time(v *fastjson.Value) (venue.Nanos, venue.Reason) {
	t := v.Get("timestamp")
	if t == nil {
		return 0, venue.OK
	}
	return d.doc.Time(t)
}

// book adds one pair's frame of a v2 book message. Each has a checksum; without it the book could not be trusted.
func (d *decoder) book(recv venue.Nanos, v, b *fastjson.Value) venue.Reason {
	flags := uint8(0)
	if kind := v.Get("type"); wire.Is(kind, "snapshot") {
		flags = venue.Snapshot
	} else if !wire.Is(kind, "update") {
		return venue.Malformed
	}
	if !b.Exists("symbol") || !b.Exists("bids") && !b.Exists("asks") {
		return venue.Malformed
	}
	s := d.find(b)
	if s == nil {
		return venue.UnknownSymbol
	}
	crc, why := d.doc.Uint(b.Get("checksum"))
	if why != venue.OK || crc > 1<<32-1 {
		return venue.Malformed
	}
	at, why := d.time(b)
	if why != venue.OK {
		return why
	}
	d.frames.Open(d.id, s.in.Inst, flags, recv, d.count(s))
	if why := d.side(s.in, venue.Bids, b.Get("bids")); why != venue.OK {
		return why
	}
	if why := d.side(s.in, venue.Asks, b.Get("asks")); why != venue.OK {
		return why
	}
	d.frames.Close(at, int64(crc))
	return venue.OK
}

// side adds the levels of one side; a missing side has none.
func (d *decoder) side(in *venue.Instrument, side uint8, list *fastjson.Value) venue.Reason {
	if list == nil {
		return venue.OK
	}
	if list.Type() != fastjson.TypeArray {
		return venue.Malformed
	}
	for _, l := range list.GetArray() {
		p, q, why := d.level(in, l.Get("price"), l.Get("qty"))
		if why != venue.OK {
			return why
		}
		d.frames.Level(side, p, q)
	}
	return venue.OK
}

// trade adds one trade; the side is the taker's.
func (d *decoder) trade(recv venue.Nanos, v *fastjson.Value) venue.Reason {
	s := d.find(v)
	if s == nil {
		return venue.UnknownSymbol
	}
	flags := venue.Asks
	if side := v.Get("side"); wire.Is(side, "buy") {
		flags = venue.Bids
	} else if !wire.Is(side, "sell") {
		return venue.Malformed
	}
	id, why := d.doc.Uint(v.Get("trade_id"))
	if why != venue.OK {
		return why
	}
	at, why := d.time(v)
	if why != venue.OK {
		return why
	}
	p, q, why := d.level(s.in, v.Get("price"), v.Get("qty"))
	if why != venue.OK {
		return why
	}
	d.frames.Add().SetTrade(d.id, s.in.Inst, flags, id, p, q, recv, at)
	return venue.OK
}

// touch adds the best bid and offer of a ticker.
func (d *decoder) touch(recv venue.Nanos, v *fastjson.Value) venue.Reason {
	s := d.find(v)
	if s == nil {
		return venue.UnknownSymbol
	}
	bid, bidQty, why := d.quote(s.in, v.Get("bid"), v.Get("bid_qty"))
	if why != venue.OK {
		return why
	}
	ask, askQty, why := d.quote(s.in, v.Get("ask"), v.Get("ask_qty"))
	if why != venue.OK {
		return why
	}
	at, why := d.time(v)
	if why != venue.OK {
		return why
	}
	if at == 0 {
		at = recv
	}
	d.frames.Add().SetTouch(d.id, s.in.Inst, 0, 0, bid, bidQty, ask, askQty, recv, at)
	return venue.OK
}

// quote reads one side of a ticker: 0 and 0 when it is empty.
func (d *decoder) quote(in *venue.Instrument, price, qty *fastjson.Value) (fixed.Price, fixed.Qty, venue.Reason) {
	if price == nil || price.Type() == fastjson.TypeNull {
		return 0, 0, venue.OK
	}
	p, q, why := d.level(in, price, qty)
	if why == venue.BadLevel && p == 0 && q >= 0 {
		return 0, 0, venue.OK
	}
	return p, q, why
}
