package kraken

import (
	"errors"

	"github.com/valyala/fastjson"

	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// answer takes the answer to a request. An error ends the connection.
func (g *Gateway) answer(s *session, v *fastjson.Value, recv venue.Nanos) error {
	req, why := g.state.doc.Uint(v.Get("req_id"))
	if why != venue.OK {
		req = 0
	}
	at, why := g.state.doc.Time(v.Get("time_out"))
	if why != venue.OK {
		at = recv
	}
	text := string(v.GetStringBytes("error"))
	ok := v.GetBool("success")
	if c := s.controls[req]; c != 0 {
		delete(s.controls, req)
		delete(s.asked, req)
		return g.controlled(s, c, ok, text)
	}
	list := g.state.requests[req]
	switch string(v.GetStringBytes("method")) {
	case "add_order", "batch_add":
		g.placedAnswer(list, v, ok, text, recv, at)
	case "amend_order":
		for _, r := range list {
			g.amendAnswer(r, ok, text, recv, at)
		}
	case "cancel_order", "batch_cancel", "cancel_all":
		for _, r := range list {
			g.cancelAnswer(r, ok, text, recv, at)
		}
	}
	// An error that names no request ("Exceeded msg rate"): whose it is cannot be known, so what it was about becomes
	// unknown in its time.
	if isSession(text) {
		return &wire.Error{Venue: "kraken", Op: "private stream", Kind: wire.Transient, Err: errors.New(text)}
	}
	return nil
}

// controlled is the answer to a request of the stream itself.
func (g *Gateway) controlled(s *session, c control, ok bool, text string) error {
	switch c {
	case armDeadMan:
		if ok {
			s.armed = s.arming + deadMan
			g.live(s)
		}
	case disarm:
		close(s.disarmed)
	case subscribeExecutions, subscribeBalances:
		if !ok && reasonOf(text) == venue.AuthFailed && !isSession(text) {
			return &wire.Error{Venue: "kraken", Op: "subscribe", Kind: wire.Auth, Err: errors.New(text)}
		}
		if !ok {
			return &wire.Error{Venue: "kraken", Op: "subscribe", Kind: wire.Refused, Err: errors.New(text)}
		}
	}
	return nil
}

// isSession reports whether an error is of the token, of which the next connection has a fresh one.
func isSession(text string) bool { return text == "ESession:Invalid session" }

// placedAnswer is the answer to one new order, or to a batch, whose items come in the order of the request.
func (g *Gateway) placedAnswer(list []*request, v *fastjson.Value, ok bool, text string, recv, at venue.Nanos) {
	items := v.GetArray("result")
	for i, r := range list {
		x, good, why := v.Get("result"), ok, text
		if i < len(items) {
			x = items[i]
			if e := x.GetStringBytes("error"); len(e) > 0 {
				good, why = false, string(e)
			}
		} else if ok && len(items) > 0 {
			continue // not spoken of; it becomes unknown in its time
		}
		o := g.state.orders[r.client]
		switch {
		case o == nil || r.answered && !good:
			// Already known by its executions, or ended and forgotten.
		case good:
			g.state.name(o, x.GetStringBytes("order_id"))
			g.acknowledge(o, 0, recv, at)
		case uncertain(why):
			g.unknown(r, recv)
			continue // the executions or Sweep will tell
		default:
			g.count.Rejects.Add(1)
			g.report(venue.RejectedReport, o, recv, at).Reason = reasonOf(why)
			g.state.end(o, g)
		}
		r.answered = true
	}
}

// amendAnswer is the answer to an amend. Its event may have come first.
func (g *Gateway) amendAnswer(r *request, ok bool, text string, recv, at venue.Nanos) {
	o := g.state.of(r)
	switch {
	case o == nil || r.answered:
	case ok:
		o.price, o.qty = r.price, r.qty
		o.amendsReported++
		g.bornAt(o, recv)
		g.report(venue.Amended, o, recv, at).Seq = r.client
	case uncertain(text):
		g.unknown(r, recv)
		return
	default:
		g.count.Rejects.Add(1)
		q := g.report(venue.AmendRejected, o, recv, at)
		q.Reason, q.Seq = reasonOf(text), r.client
		g.notThere(o, text)
	}
	r.answered = true
}

// notThere forgets an order of an earlier run that the venue does not know.
func (g *Gateway) notThere(o *order, text string) {
	if !o.acked && reasonOf(text) == venue.UnknownTarget && g.state.pending(o, venue.New) == nil {
		g.state.end(o, g)
	}
}

// cancelAnswer is the answer to a cancel: yes means that it is taken, and the event that the order is over is still to come.
func (g *Gateway) cancelAnswer(r *request, ok bool, text string, recv, at venue.Nanos) {
	o := g.state.of(r)
	if r.answered || ok && o != nil && !o.done {
		return
	}
	if !ok && uncertain(text) {
		g.unknown(r, recv)
		return
	}
	if !ok {
		g.count.Rejects.Add(1)
		q := g.report(venue.CancelRejected, o, recv, at)
		q.Reason, q.Slot, q.Client, q.Inst = reasonOf(text), r.slot, r.subject(), r.inst
		if o != nil {
			g.notThere(o, text)
		}
	}
	r.answered = true
}
