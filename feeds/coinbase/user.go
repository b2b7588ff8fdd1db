package coinbase

import (
	"fmt"

	"github.com/shopspring/decimal"
	"github.com/valyala/fastjson"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// snapshotBatch is how many orders one message of the user channel's snapshot holds; a shorter one ends it.
const snapshotBatch = 50

// newSession is the connection of the user channel. Its Insts are only what makes a lost connection and a damaged message
// known: one Gap, which the sink turns into Lost.
func (g *Gateway) newSession() *wire.Session {
	address := g.WS
	if address == "" {
		address = userWS
	}
	opened := 0 // by the session's goroutine
	sc := wire.SessionConfig{
		Name: "coinbase user", Net: g.Net, Clock: g.Clock, TLS: g.TLS, Spin: g.Spin,
		URL: func() string { return address }, Hello: g.hello,
		Silence: silence, Dial: 10 * venue.Second, Write: 5 * venue.Second, MaxMessage: maxAnswer,
		Backoff: wire.Backoff{Min: 200 * venue.Millisecond, Max: 5 * venue.Second}, Proven: 2 * venue.Second,
		Attempts: g.Limits.Connections, Messages: g.Limits.Messages,
		Decoder: func() wire.Decoder {
			opened++
			return &userDecoder{g: g, again: opened > 1}
		},
		Sink: gapSink{g}, Venue: g.Venue, Insts: []venue.Inst{g.Instruments[0].Inst},
	}
	sc.Backoff.Seed(g.Seed + 1000)
	return wire.NewSession(sc)
}

// gapSink turns the session's Gap into Lost.
type gapSink struct{ g *Gateway }

// Put implements venue.Sink.
func (s gapSink) Put(ev []venue.Event) venue.Reason {
	if venue.Reason(ev[0].W[0]) == venue.ConnectionLost {
		s.g.hears.Store(false)
		s.g.lookNow()
		return venue.OK // told once the channel is back
	}
	s.g.lost()
	return venue.OK
}

// hello subscribes, each message with a token of its own. No product is named: that is every product of the account.
func (g *Gateway) hello() [][]byte {
	var out [][]byte
	for _, channel := range []string{"heartbeats", "user"} {
		token := g.Signer.AppendSocket(nil, g.Clock.Now())
		out = append(out, fmt.Appendf(nil, `{"type":"subscribe","channel":%q,"jwt":"%s"}`, channel, token))
	}
	return out
}

// userDecoder reads the user channel of one connection. It makes reports, no events. Totals being cumulative, a message
// that is late, repeated or behind a gap is as good as any other, and is taken.
type userDecoder struct {
	g       *Gateway
	doc     wire.Doc
	next    uint64 // sequence_num
	started bool
	again   bool        // not the first connection
	whole   bool        // the snapshot has ended
	began   venue.Nanos // the venue's time of the first message
}

// Rest implements wire.Decoder; there is none.
func (d *userDecoder) Rest(venue.Nanos, string, []byte) ([]venue.Event, venue.Reason) {
	return nil, venue.Ignored
}

// Decode implements wire.Decoder.
func (d *userDecoder) Decode(recv venue.Nanos, msg []byte) ([]venue.Event, venue.Reason) {
	v := d.doc.Parse(msg)
	if v == nil {
		d.g.count.Damaged.Add(1)
		return nil, venue.Malformed
	}
	if wire.Is(v.Get("type"), "error") {
		d.g.denied(v.GetStringBytes("message"))
		d.g.session.Restart() // not subscribed: another connection brings other tokens
		return nil, venue.AuthFailed
	}
	seq, why := d.doc.Uint(v.Get("sequence_num"))
	if why != venue.OK {
		d.g.count.Damaged.Add(1)
		return nil, venue.Malformed
	}
	gap := d.started && seq > d.next
	if !d.started || seq >= d.next {
		d.next, d.started = seq+1, true
	}
	if wire.Is(v.Get("channel"), "user") {
		why = d.orders(recv, v)
	}
	if gap && why == venue.OK {
		why = venue.SequenceGap
	}
	return nil, why
}

// mostDenials in a row are no accident of a token or of the venue's.
const mostDenials = 5

// denied takes a refusal of the user channel.
func (g *Gateway) denied(why []byte) {
	g.count.Auth.Add(1)
	if g.denials.Add(1) == mostDenials {
		g.failed <- &wire.Error{Venue: "coinbase", Op: "user channel", Kind: wire.Auth, Err: fmt.Errorf("account %q: the venue refuses the key: %.200q", g.Account, why)}
	}
}

// orders takes the events of one message.
func (d *userDecoder) orders(recv venue.Nanos, v *fastjson.Value) venue.Reason {
	g := d.g
	at, why := d.doc.Time(v.Get("timestamp"))
	if why != venue.OK {
		at = recv
	}
	if d.began == 0 {
		d.began = at
	}
	worst := venue.OK
	for _, e := range v.GetArray("events") {
		list := e.GetArray("orders")
		for _, o := range list {
			s := stated{at: at, recv: recv}
			if born, why := d.doc.Time(o.Get("creation_time")); why == venue.OK { // ended ones are told again to who comes back
				s.old = born < d.began
			}
			if why := g.readUser(&d.doc, o, &s); why != venue.OK {
				g.count.Damaged.Add(1)
				worst = why
				continue
			}
			if s.in != nil {
				g.mu.Lock()
				g.book(g.ctx, g.out, &s, 0)
				g.mu.Unlock()
			}
		}
		if wire.Is(e.Get("type"), "snapshot") && len(list) < snapshotBatch && !d.whole {
			d.whole = true
			g.denials.Store(0)
			g.hears.Store(true)
			if d.again {
				g.lost() // the channel is back: what was missed can be asked for
			}
		}
	}
	return worst
}

// readUser reads an order of the user channel; client is 0 for one that another placed, and in stays nil for a product that is
// not traded here.
func (g *Gateway) readUser(doc *wire.Doc, o *fastjson.Value, s *stated) (why venue.Reason) {
	s.client, _ = wire.ParseClientUUID(o.GetStringBytes("client_order_id"))
	s.id, s.status = o.GetStringBytes("order_id"), phaseOf(o.GetStringBytes("status"))
	in := g.symbols[string(o.GetStringBytes("product_id"))]
	if in == nil {
		return venue.OK
	}
	if s.in = in; len(s.id) == 0 || len(s.id) > maxID {
		return venue.Malformed
	}
	s.side, s.tif = sideOf(o.GetStringBytes("order_side")), tifOf(o.GetStringBytes("time_in_force"))
	s.reason = endReason(o, "cancel_reason")
	if s.cum, why = quantity(doc, o.Get("cumulative_quantity"), s.in); why != venue.OK {
		return why
	}
	leaves, why := quantity(doc, o.Get("leaves_quantity"), s.in)
	if why != venue.OK {
		return why
	}
	if s.status == open || s.status == cancelQueued {
		s.qty = s.cum + leaves // at the end leaves is 0 even when not all was filled
	}
	if s.price, why = priceOf(doc, o.Get("limit_price"), s.in); why != venue.OK {
		return why
	}
	return totals(o.Get("avg_price"), o.Get("total_fees"), s)
}

// quantity reads a quantity; absent or "" is 0.
func quantity(doc *wire.Doc, v *fastjson.Value, in *venue.Instrument) (fixed.Qty, venue.Reason) {
	if absent(v) {
		return 0, venue.OK
	}
	q, why := doc.Fixed(v, in.QtyScale)
	if why == venue.OK && q < 0 {
		why = venue.Malformed
	}
	return fixed.Qty(q), why
}

// priceOf reads a limit price; absent or "" is 0.
func priceOf(doc *wire.Doc, v *fastjson.Value, in *venue.Instrument) (fixed.Price, venue.Reason) {
	if absent(v) {
		return 0, venue.OK
	}
	p, why := doc.Fixed(v, in.PriceScale)
	return fixed.Price(p), why
}

func absent(v *fastjson.Value) bool {
	return v == nil || v.Type() == fastjson.TypeNull || v.Type() == fastjson.TypeString && len(v.GetStringBytes()) == 0
}

// totals reads the average price and the fees, of which the venue states more decimals than any scale has. A number that is
// no price and no fee makes the message Malformed.
func totals(avg, fees *fastjson.Value, s *stated) venue.Reason {
	var ok bool
	if s.avg, ok = exact(avg); !ok || s.avg.IsNegative() {
		return venue.Malformed
	}
	if s.fees, ok = exact(fees); !ok {
		return venue.Malformed
	}
	return venue.OK
}

// exact reads decimal text of at most 60 bytes and without exponent; absent is zero.
func exact(v *fastjson.Value) (decimal.Decimal, bool) {
	if absent(v) {
		return decimal.Decimal{}, true
	}
	text := v.GetStringBytes()
	if v.Type() == fastjson.TypeNumber {
		text = v.MarshalTo(nil)
	}
	if len(text) == 0 || len(text) > 60 {
		return decimal.Decimal{}, false
	}
	for _, c := range text {
		if (c < '0' || c > '9') && c != '.' && c != '-' {
			return decimal.Decimal{}, false
		}
	}
	d, err := decimal.NewFromString(string(text))
	return d, err == nil
}

// tifOf reads a time in force.
func tifOf(word []byte) venue.TIF {
	switch string(word) {
	case "GOOD_UNTIL_CANCELLED":
		return venue.GTC
	case "IMMEDIATE_OR_CANCEL":
		return venue.IOC
	case "FILL_OR_KILL":
		return venue.FOK
	}
	return venue.NoTIF
}

// endReason reads why an order ended; OK when the venue says nothing that we know.
func endReason(o *fastjson.Value, cancelField string) venue.Reason {
	if why := reasonIn(o.GetStringBytes("reject_reason"), venue.OK); why != venue.OK {
		return why
	}
	return reasonIn(o.GetStringBytes(cancelField), venue.OK)
}
