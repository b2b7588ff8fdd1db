package coinbase

import (
	"net/http"
	"strings"

	"github.com/valyala/fastjson"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// verdict is what an answer says of the request as such.
type verdict uint8

const (
	// accepted: the body says what happened.
	accepted verdict = iota
	// refused: the request was not obeyed.
	refused
	// unclear: it may have been obeyed.
	unclear
)

// judge reads an answer's status (section 5). A refusal must be one of which the venue says so: everything else that is no
// success may hide an order that was placed.
func judge(a answer) (verdict, venue.Reason) {
	switch {
	case a.status == http.StatusOK:
		return accepted, venue.OK
	case a.status == http.StatusTooManyRequests:
		return refused, venue.RateLimited
	case a.status == http.StatusUnauthorized || a.status == http.StatusForbidden:
		return refused, venue.AuthFailed
	case a.status == http.StatusRequestTimeout || a.status == http.StatusConflict || a.status < 400 || a.status >= 500:
		return unclear, venue.VenueBusy
	}
	return refused, venue.VenueRejected
}

// created takes the answer to a new order. It returns why there is no such order at the venue; OK when there is, or may be.
func (g *Gateway) created(c *venue.Command, t *track, a answer, f fate) venue.Reason {
	switch f {
	case unsent:
		return venue.ConnectionLost
	case killed:
		return venue.Killed
	case silent, lost:
		g.unknown(c, t, reasonOfFate(f))
		return venue.OK
	}
	v, why := judge(a)
	switch v {
	case refused:
		g.refusal(why)
		if why == venue.VenueRejected {
			why = reasonIn(a.body, why)
		}
		return why
	case unclear:
		g.unknown(c, t, why)
		return venue.OK
	}
	var p fastjson.Parser
	body, err := p.ParseBytes(a.body)
	if err != nil || !body.Exists("success") {
		g.unknown(c, t, venue.Malformed)
		return venue.OK
	}
	if !body.GetBool("success") {
		return reasonIn(a.body, venue.VenueRejected)
	}
	return g.placed(c, t, body)
}

// placed takes a success. The venue answers a client id that it knows with the order that has it, so what it names must be
// what was asked.
func (g *Gateway) placed(c *venue.Command, t *track, body *fastjson.Value) venue.Reason {
	s := body.Get("success_response")
	id := s.GetStringBytes("order_id")
	if len(id) == 0 {
		id = body.GetStringBytes("order_id")
	}
	client, ours := wire.ParseClientUUID(s.GetStringBytes("client_order_id"))
	if len(id) == 0 || len(id) > maxID || !ours || client != c.Client {
		g.unknown(c, t, venue.Malformed)
		return venue.OK
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if x := g.byID[string(id)]; x != nil && x != t || !sameOrder(t, s, body.Get("order_configuration")) {
		return venue.Duplicate // another order has our id; ours was not placed
	}
	now := g.clock.Now()
	if !t.ended {
		g.ack(g.ctx, g.out, t, id, 0, now, now)
	}
	return venue.OK
}

// maxID is the longest order or trade id that a report can carry.
const maxID = 39

// sameOrder compares what a success names with what was asked; what it does not say counts as right.
func sameOrder(t *track, s, conf *fastjson.Value) bool {
	if p := s.GetStringBytes("product_id"); len(p) > 0 && string(p) != t.in.Symbol {
		return false
	}
	if d := sideOf(s.GetStringBytes("side")); d != venue.NoSide && d != t.side {
		return false
	}
	price, qty := inForce(conf, t.in)
	return (price == 0 || price == t.price) && (qty == 0 || qty == t.qty)
}

// edited takes the answer to an edit.
func (g *Gateway) edited(c *venue.Command, t *track, a answer, f fate) {
	why := venue.OK
	switch f {
	case unsent:
		why = venue.ConnectionLost
	case killed:
		why = venue.Killed
	case silent, lost:
		g.unknown(c, t, reasonOfFate(f))
		return
	}
	if f == answered {
		v := accepted
		if v, why = judge(a); v == unclear {
			g.unknown(c, t, why)
			return
		}
		g.refusal(why)
		var p fastjson.Parser
		body, err := p.ParseBytes(a.body)
		switch {
		case v == refused:
			if why == venue.VenueRejected {
				why = reasonIn(a.body, why)
			}
		case err != nil || !body.Exists("success"):
			g.unknown(c, t, venue.Malformed)
			return
		case !body.GetBool("success"):
			why = reasonIn(a.body, venue.VenueRejected)
		}
	}
	if why != venue.OK {
		g.unsent(c, why)
		return
	}
	g.count.Edits.Add(1)
	now := g.clock.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	t.price, t.qty, t.nextUntil = c.Price, c.Qty, 0
	if !t.ended {
		r := t.report(venue.Amended, 0, now, now)
		r.Seq = c.Client
		g.say(g.ctx, g.out, r)
	}
}

// cancelled takes the answer to a batch of cancels. A success says that the venue will try: the end of the order comes by
// the user channel.
func (g *Gateway) cancelled(cs []venue.Command, ids []string, a answer, f fate) {
	why := venue.OK
	var body *fastjson.Value
	switch f {
	case unsent, killed:
		why = venue.ConnectionLost
	case silent, lost:
		why = reasonOfFate(f)
	default:
		v, w := judge(a)
		g.refusal(w)
		if v == unclear {
			f, why = silent, w
			break
		}
		why = w
		var p fastjson.Parser
		var err error
		if body, err = p.ParseBytes(a.body); v == accepted && (err != nil || !body.Exists("results")) {
			f, why = silent, venue.Malformed
		}
	}
	if f == silent || f == lost {
		for i := range cs {
			g.unknown(&cs[i], nil, why)
		}
		return
	}
	if why != venue.OK {
		for i := range cs {
			g.uncancelled(&cs[i], ids[i], why)
		}
		return
	}
	for _, r := range body.GetArray("results") {
		if r.GetBool("success") {
			g.count.Cancels.Add(1)
			continue
		}
		why := reasonIn(r.MarshalTo(nil), venue.VenueRejected)
		if why == venue.Duplicate {
			continue // an earlier one is at work
		}
		id := string(r.GetStringBytes("order_id"))
		for i := range cs {
			if ids[i] == id {
				g.uncancelled(&cs[i], id, why)
			}
		}
	}
}

// uncancelled reports a cancel that the venue did not take. The order may have ended meanwhile: that is looked at at once.
func (g *Gateway) uncancelled(c *venue.Command, id string, why venue.Reason) {
	g.mu.Lock()
	if t := g.byID[id]; t != nil {
		t.cancelAsked, t.unsure = 0, true
	}
	g.mu.Unlock()
	g.unsent(c, why)
	g.lookNow()
}

// unsent reports a command that did not change anything at the venue.
func (g *Gateway) unsent(c *venue.Command, why venue.Reason) {
	now := g.clock.Now()
	kind, client := venue.RejectedReport, c.Client
	switch c.Op {
	case venue.Amend:
		kind, client = venue.AmendRejected, c.Target
	case venue.Cancel, venue.CancelAll:
		kind, client = venue.CancelRejected, c.Target
	}
	r := venue.Report{Kind: kind, Venue: g.Venue, Inst: c.Inst, Slot: c.Slot, Client: client, Recv: now, At: now, Reason: why}
	g.mu.Lock()
	defer g.mu.Unlock()
	if t := g.tracks[client]; t != nil {
		r.Cum, r.Price, r.Open = t.cum, t.price, t.qty
	}
	if c.Op == venue.Amend {
		r.Seq = c.Client
	}
	if c.Op == venue.New {
		g.creating[c.Slot].CompareAndSwap(c.Client, 0)
	}
	g.say(g.ctx, g.out, r)
}

// unknown reports that a request's fate is not known. It is never sent again: the user channel or a comparison finds it.
func (g *Gateway) unknown(c *venue.Command, t *track, why venue.Reason) {
	g.count.Unknown.Add(1)
	now := g.clock.Now()
	r := venue.Report{Kind: venue.SentReport, Flags: uint8(venue.Maybe), Venue: g.Venue, Inst: c.Inst, Slot: c.Slot, Client: c.Client,
		Recv: now, At: now, Reason: why, Seq: uint64(c.Op)}
	if c.Op != venue.New {
		r.Client = c.Target
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if t == nil {
		t = g.tracks[c.Target]
	}
	if t != nil && !t.ended {
		t.unsure = true
		if c.Op == venue.Amend {
			t.nextPrice, t.nextQty, t.nextUntil, t.nextAsk = c.Price, c.Qty, now+g.Accepted, c.Client
		}
	}
	g.say(g.ctx, g.out, r)
	g.lookNow()
}

func reasonOfFate(f fate) venue.Reason {
	if f == silent {
		return venue.Timeout
	}
	return venue.ConnectionLost
}

// refusal counts what concerns the key or the allowance.
func (g *Gateway) refusal(why venue.Reason) {
	switch why {
	case venue.RateLimited:
		g.count.Limited.Add(1)
	case venue.AuthFailed:
		g.count.Auth.Add(1)
	}
}

// reasons are the venue's words and ours, the more special ones first: a refusal names several, such as
// PREVIEW_INVALID_LIMIT_PRICE_POST_ONLY beside UNKNOWN_FAILURE_REASON.
var reasons = []struct {
	word string
	why  venue.Reason
}{
	{"LIMIT_PRICE_POST_ONLY", venue.PostOnlyCross},
	{"INSUFFICIENT_", venue.InsufficientFunds},
	{"LEDGER_BALANCE", venue.InsufficientFunds},
	{"SELF_TRADE", venue.SelfTradePrevented},
	{"DUPLICATE_", venue.Duplicate},
	{"SIZE_PRECISION", venue.BadLot},
	{"PRICE_PRECISION", venue.BadTick},
	{"QUOTE_SIZE_TOO_SMALL", venue.BelowMinNotional},
	{"SIZE_TOO_SMALL", venue.BelowMinQty},
	{"SIZE_TOO_LARGE", venue.AboveMaxQty},
	{"BELOW_FILLED_SIZE", venue.BadIntent},
	{"ORDER_IS_FULLY_FILLED", venue.UnknownTarget},
	{"UNKNOWN_CANCEL_ORDER", venue.UnknownTarget},
	{"ORDER_NOT_FOUND", venue.UnknownTarget},
	{"INVALID_CANCEL_REQUEST", venue.UnknownTarget},
	{"INVALID_PRODUCT_ID", venue.UnknownSymbol},
	{"UNTRADABLE_PRODUCT", venue.InstrumentHalted},
	{"ORDER_ENTRY_DISABLED", venue.InstrumentHalted},
	{"rate_limit", venue.RateLimited},
}

// reasonIn finds the venue's reason in the text of an answer: it stands in one of several fields, by kind of request and
// by age of the API.
func reasonIn(body []byte, otherwise venue.Reason) venue.Reason {
	text := string(body)
	for _, r := range reasons {
		if strings.Contains(text, r.word) {
			return r.why
		}
	}
	return otherwise
}

func sideOf(word []byte) venue.Side {
	switch string(word) {
	case "BUY":
		return venue.Buy
	case "SELL":
		return venue.Sell
	}
	return venue.NoSide
}

// inForce reads price and total of an order_configuration; 0 for what it does not say or what is off the product's scale.
func inForce(conf *fastjson.Value, in *venue.Instrument) (price fixed.Price, qty fixed.Qty) {
	conf.GetObject().Visit(func(_ []byte, v *fastjson.Value) {
		if p, why := fixed.Parse(v.GetStringBytes("limit_price"), in.PriceScale); why == fixed.OK {
			price = fixed.Price(p)
		}
		if q, why := fixed.Parse(v.GetStringBytes("base_size"), in.QtyScale); why == fixed.OK {
			qty = fixed.Qty(q)
		}
	})
	return price, qty
}
