package kraken

import (
	"github.com/valyala/fastjson"

	"oneprice/books/venue"
)

// statusOf reads a pair's or the system's status. What is not known to trade does not.
func statusOf(text []byte) venue.Status {
	switch string(text) {
	case "online":
		return venue.Trading
	case "cancel_only":
		return venue.CancelOnly
	case "post_only":
		return venue.PostOnlyMode
	case "limit_only":
		return venue.LimitOnly
	case "reduce_only":
		return venue.ReduceOnly
	case "delisted":
		return venue.Unlisted
	}
	return venue.Halted
}

// pairs takes the instrument channel: the status and the grid of the pairs in the table.
func (d *decoder) pairs(recv venue.Nanos, list []*fastjson.Value) venue.Reason {
	all := venue.Ignored
	for _, v := range list {
		s := d.find(v)
		if s == nil {
			continue
		}
		s.pair = statusOf(v.GetStringBytes("status"))
		if !d.sameGrid(s.in, v) {
			s.pair = venue.Halted
		}
		if d.say(recv, s) {
			all = venue.OK
		}
	}
	return all
}

// sameGrid reports whether the tick and lot that v states are the instrument's. An instrument without a tick or lot (one
// known from data alone) takes any.
func (d *decoder) sameGrid(in *venue.Instrument, v *fastjson.Value) bool {
	tick, why := d.doc.Fixed(v.Get("price_increment"), in.PriceScale)
	if why != venue.OK || in.Tick != 0 && tick != int64(in.Tick) {
		return false
	}
	lot, why := d.doc.Fixed(v.Get("qty_increment"), in.QtyScale)
	return why == venue.OK && (in.Lot == 0 || lot == int64(in.Lot))
}

// venueStatus takes the status of the whole venue.
func (d *decoder) venueStatus(recv venue.Nanos, text []byte) venue.Reason {
	d.system = statusOf(text)
	all := venue.Ignored
	for _, s := range d.order {
		if d.say(recv, s) {
			all = venue.OK
		}
	}
	return all
}

// say tells the engine when the status in force, the system's unless that is Trading, is not the one it knows.
func (d *decoder) say(recv venue.Nanos, s *slot) bool {
	now := s.pair
	if d.system != venue.Trading && now == venue.Trading {
		now = d.system
	}
	if now == s.said {
		return false
	}
	s.said = now
	e := d.frames.Add()
	e.SetStatus(d.id, s.in.Inst, now, recv)
	e.Flags = 0 // Last belongs to the end of the message
	return true
}
