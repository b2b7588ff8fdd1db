package kraken

import (
	"github.com/valyala/fastjson"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// decoder reads the messages of one connection. One goroutine owns it.
type decoder struct {
	id     venue.ID
	slots  map[string]*slot
	order  []*slot // as given, for gaps and the system's status
	last   *slot   // of the last book message, tried before the map; nil at first
	frames wire.Frames
	doc    wire.Doc
	// counted are the slots whose frames the current message has counted, to take back when it is refused.
	counted []*slot
	// lost: a message was refused and the books have not been told yet; why is its reason.
	lost venue.Reason
	// system is the whole venue's status.
	system venue.Status
	// refusal is what the venue refused, until it is asked for.
	refusal string
	// pong, where not nil, hears the answer to a ping: its req_id, and when it came in and left by the venue's clock.
	pong func(recv venue.Nanos, id uint64, in, out venue.Nanos)
}

// slot is one instrument and what the connection has shown of it.
type slot struct {
	in *venue.Instrument
	// quoted is the symbol with its closing quote, as the scanner meets it.
	quoted string
	// frames counts the book messages taken; it is their Seq.
	frames uint64
	// pair is the status the venue stated last, or why we do not trade what it does; said and rules are what the engine was
	// told.
	pair, said venue.Status
	why        venue.Reason
	rules      venue.Rules
}

// newDecoder makes the decoder of one connection.
func newDecoder(id venue.ID, ins []*venue.Instrument) *decoder {
	d := &decoder{id: id, slots: make(map[string]*slot, len(ins)), system: venue.Trading}
	for _, in := range ins {
		s := &slot{in: in, quoted: in.Symbol + `"`, pair: in.Status, said: in.Status, rules: in.Rules()}
		d.slots[in.Symbol] = s
		d.order = append(d.order, s)
	}
	return d
}

// after makes d go on from the decoder of the connection before, as to what the engine was told.
func (d *decoder) after(before *decoder) *decoder {
	if before != nil {
		for i, s := range d.order {
			b := before.order[i]
			s.pair, s.said, s.why, s.rules = b.pair, b.said, b.why, b.rules
		}
	}
	return d
}

// Decode implements wire.Decoder. Its reasons beyond the shared ones: UnknownSymbol when every pair in the message is
// unknown, BadLevel for a price that is not positive or a negative quantity.
func (d *decoder) Decode(recv venue.Nanos, msg []byte) ([]venue.Event, venue.Reason) {
	d.begin()
	if d.scan(recv, msg) == venue.OK {
		return d.frames.End(), venue.OK
	}
	d.takeBack()
	return d.cold(recv, msg)
}

// cold decodes a message through the JSON parser alone.
func (d *decoder) cold(recv venue.Nanos, msg []byte) ([]venue.Event, venue.Reason) {
	d.begin()
	switch why := d.parse(recv, msg); why {
	case venue.OK:
		return d.frames.End(), venue.OK
	case venue.Ignored, venue.UnknownSymbol:
		return nil, why
	default:
		d.takeBack()
		d.lost = why
		return nil, why
	}
}

// Rest implements wire.Decoder. The REST book has no checksum and does not join the stream.
func (d *decoder) Rest(venue.Nanos, string, []byte) ([]venue.Event, venue.Reason) {
	return nil, venue.Ignored
}

// Refusal implements wire.Refuser.
func (d *decoder) Refusal() string {
	text := d.refusal
	d.refusal = ""
	return text
}

func (d *decoder) begin() {
	d.frames.Reset()
	d.counted = d.counted[:0]
}

// count gives the next frame of s its number.
func (d *decoder) count(s *slot) uint64 {
	s.frames++
	d.counted = append(d.counted, s)
	return s.frames
}

// takeBack undoes the counting of a message that was refused.
func (d *decoder) takeBack() {
	for _, s := range d.counted {
		s.frames--
	}
}

// parse takes any message of the venue, through Doc.
func (d *decoder) parse(recv venue.Nanos, msg []byte) venue.Reason {
	v := d.doc.Parse(msg)
	if v == nil {
		return venue.Malformed
	}
	lost := d.lost
	if lost != venue.OK {
		d.gaps(recv, lost)
	}
	missed := d.frames.Len()
	var why venue.Reason
	if v.Type() == fastjson.TypeArray {
		why = d.array(recv, v.GetArray())
	} else {
		why = d.object(recv, v)
	}
	if why != venue.OK && why != venue.Ignored && why != venue.UnknownSymbol {
		return why
	}
	d.lost = venue.OK
	if missed > 0 {
		return venue.OK
	}
	return why
}

// gaps says of every book seen on this connection that a message of it may be missing.
func (d *decoder) gaps(recv venue.Nanos, why venue.Reason) {
	for _, s := range d.order {
		if s.frames > 0 {
			e := d.frames.Add()
			e.SetGap(d.id, s.in.Inst, why, s.frames+1, s.frames+1, recv)
			e.Flags = 0 // Last belongs to the end of the message
		}
	}
}

// alive adds the proof of life that a heartbeat is.
func (d *decoder) alive(recv venue.Nanos) venue.Reason {
	e := d.frames.Add()
	e.SetAlive(d.id, 0, recv, 0)
	e.Flags = venue.Venuewide
	return venue.OK
}

// level reads a price and a quantity at the scales of the instrument.
func (d *decoder) level(in *venue.Instrument, price, qty *fastjson.Value) (fixed.Price, fixed.Qty, venue.Reason) {
	p, why := d.doc.Fixed(price, in.PriceScale)
	if why != venue.OK {
		return 0, 0, why
	}
	q, why := d.doc.Fixed(qty, in.QtyScale)
	if why == venue.OK && (p <= 0 || q < 0) {
		why = venue.BadLevel
	}
	return fixed.Price(p), fixed.Qty(q), why
}
