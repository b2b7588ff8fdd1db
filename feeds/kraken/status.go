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

// pairs takes the instrument channel: the status and the rules of the pairs in the table. A checksum is of the text, so a
// pair that is printed with other decimals cannot be followed any more.
func (d *decoder) pairs(recv venue.Nanos, list []*fastjson.Value) venue.Reason {
	all := venue.Ignored
	for _, v := range list {
		s, l := d.find(v), listingOf(&d.doc, v)
		if s == nil || l.Symbol == "" {
			continue
		}
		rules, _, why := l.Rules(s.in.PriceScale, s.in.QtyScale)
		if why == venue.OK && (l.PriceText != s.in.PriceText || l.QtyText != s.in.QtyText) {
			why = venue.OffScale
		}
		s.pair, s.why = l.Status, why
		if why != venue.OK {
			s.pair = venue.Halted
		} else if s.in.Tick > 0 && rules != s.rules { // a pair known from data alone has none to change
			s.rules = rules
			e := d.frames.Add()
			e.SetRules(d.id, s.in.Inst, rules, recv)
			e.Flags = 0 // Last belongs to the end of the message
			all = venue.OK
		}
		if d.say(recv, s) {
			all = venue.OK
		}
	}
	return all
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
	now, why := s.pair, s.why
	if d.system != venue.Trading && now == venue.Trading {
		now = d.system
	}
	if now == s.said {
		return false
	}
	s.said = now
	e := d.frames.Add()
	e.SetStatus(d.id, s.in.Inst, now, why, recv)
	e.Flags = 0 // Last belongs to the end of the message
	return true
}
