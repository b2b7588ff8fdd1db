package binance

import (
	"github.com/valyala/fastjson"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// answer takes the answer to one request. Under mu.
func (g *Gateway) answer(s *session, recv venue.Nanos, mark byte, client uint64, v *fastjson.Value) {
	status, result := v.GetInt("status"), v.Get("result")
	code, msg := v.GetInt("error", "code"), v.GetStringBytes("error", "msg")
	var f fate
	var why venue.Reason
	if status != 200 {
		f, why = classify(status, code, msg)
		g.hold(f, code, v)
		switch f {
		case offClock:
			g.setClock(s)
		case badKey:
			g.stop(s, v)
		case expired:
			s.over = true
		}
	}
	i, owner, ok := g.ids.find(client)
	if ok {
		ok = g.ids.slots[i].cold(owner)
	}
	switch mark {
	case markStatus, markOther:
		g.told(i, owner, client, ok, recv, mark == markOther, status, f, result)
		return
	case markTrades:
		if status == 200 && ok {
			g.traded(i, owner, recv, result.GetArray())
		}
		g.idle(owner, recv)
		return
	case markAll:
		for _, r := range result.GetArray() {
			g.cancelled(recv, r)
		}
		return
	}
	if mark == markForeign {
		g.cancelledForeign(recv, client, status == 200, f, why, result)
		return
	}
	if !ok {
		return // the slot serves another order by now; this one ended long ago
	}
	x := answered{i, owner, recv, status, f, why, client, result, v.Get("error", "data")}
	switch mark {
	case markNew, markStop:
		g.placed(&x)
	case markCancel:
		g.quit(&x)
	case markQuiet:
		if status == 200 {
			g.cancelled(recv, result)
		}
	case markReduce:
		g.reduced(&x)
	case markReplace:
		g.replaced(&x)
	}
}

// answered is the answer to an instruction about the order in slot i.
type answered struct {
	i            uint32
	owner        uint64
	recv         venue.Nanos
	status       int
	fate         fate
	why          venue.Reason
	client       uint64 // the instruction's own id
	result, data *fastjson.Value
}

// ok reports success. fastjson answers nil pointers with zero values, so a result need not be there.
func (x *answered) ok() bool { return x.status == 200 }

func millis(v *fastjson.Value, key string) venue.Nanos {
	return venue.Nanos(v.GetInt64(key)) * venue.Millisecond
}

// acted is when the venue did what an answer says: spot calls it the time of the transaction.
func acted(v *fastjson.Value) venue.Nanos {
	return max(millis(v, "transactTime"), millis(v, "updateTime"))
}

func (g *Gateway) placed(x *answered) {
	s := &g.ids.slots[x.i]
	if s.wire.Load() != x.client {
		return // a late answer: the order has been replaced since, and has another id at the venue
	}
	if !s.answered(x.client) && !x.ok() {
		return // the stream has told the order, and an amend of it is on its way
	}
	switch {
	case x.ok():
		g.fixed = false
		g.ack(x.i, x.owner, x.result.GetUint64("orderId"), x.recv, acted(x.result))
	case x.fate == unsure:
		g.unknown(x.i, x.owner, venue.New, x.recv, x.recv, x.why)
	case x.why == venue.Unfilled: // futures refuse a FOK order that spot lets expire
		g.ends(venue.Expired, x.i, x.owner, 0, x.why, x.recv, 0)
	default:
		g.ends(venue.RejectedReport, x.i, x.owner, 0, x.why, x.recv, 0)
	}
}

// ack reports an order that the venue has, once.
func (g *Gateway) ack(i uint32, owner, order uint64, recv, at venue.Nanos) {
	s := &g.ids.slots[i]
	s.order.Store(order)
	if s.acked {
		return
	}
	s.acked = true
	r := g.report(venue.Ack, i, owner, s.inst(), recv, at)
	r.Price, r.Open, r.Cum = fixed.Price(s.price.Load()), s.inForce(), fixed.Qty(s.cum.Load())
	setNumber(r, order)
}

func setNumber(r *venue.Report, n uint64) {
	var room [20]byte
	r.SetRef(appendUint(room[:0], n))
}

// ends reports the end of an order, once.
func (g *Gateway) ends(k venue.ReportKind, i uint32, owner uint64, cum fixed.Qty, why venue.Reason, recv, at venue.Nanos) *venue.Report {
	s := &g.ids.slots[i]
	if s.ended.Load() {
		return nil
	}
	s.ended.Store(true)
	s.asked.Store(0)
	s.quit.Store(0)
	s.next.Store(0)
	r := g.report(k, i, owner, s.inst(), recv, at)
	r.Cum, r.Reason, r.Price, r.Open = cum, why, fixed.Price(s.price.Load()), s.inForce()
	return r
}

// quit takes the answer to a cancel.
func (g *Gateway) quit(x *answered) {
	s := &g.ids.slots[x.i]
	s.quit.Store(0)
	switch {
	case x.ok():
		g.cancelled(x.recv, x.result)
	case x.fate == unsure:
		g.unknown(x.i, x.owner, venue.Cancel, x.recv, x.recv, x.why)
	default:
		if s.ended.Load() {
			return // it ended on the cancel's way
		}
		r := g.report(venue.CancelRejected, x.i, x.owner, s.inst(), x.recv, 0)
		r.Reason, r.Cum = x.why, fixed.Qty(s.cum.Load())
		if x.why == venue.UnknownTarget { // it has ended and nobody told us, or never was
			g.ask(x.i, x.owner, venue.Cancel, x.recv, x.recv)
		}
	}
}

// cancelled takes one order of a cancel's result.
func (g *Gateway) cancelled(recv venue.Nanos, r *fastjson.Value) {
	name := r.GetStringBytes("origClientOrderId")
	if g.v.futures { // where a cancelled order keeps its name
		name = r.GetStringBytes("clientOrderId")
	}
	id, ours := parseOurs(name)
	if !ours {
		return
	}
	i, owner, ok := g.ids.find(id)
	if !ok || !g.ids.slots[i].cold(owner) {
		g.endsForeign(recv, id, r)
		return
	}
	s := &g.ids.slots[i]
	switch next := s.next.Load(); {
	case next != 0 && id != next: // the replacement decides
		s.held = s.held || id == s.wire.Load()
		return
	case next == 0 && id != s.wire.Load(): // replaced before
		return
	}
	in := g.instrument(s.inst())
	cum, fault := fixed.Parse(r.GetStringBytes("executedQty"), in.QtyScale)
	if fault != fixed.OK {
		g.count.Damaged.Add(1)
		g.ask(i, owner, venue.Cancel, recv, recv)
		return
	}
	g.ends(venue.Cancelled, i, owner, fixed.Qty(cum), venue.UserCancel, recv, acted(r))
}

// endsForeign reports the end by our cancel of an order that is in no slot.
func (g *Gateway) endsForeign(recv venue.Nanos, id uint64, r *fastjson.Value) {
	in := g.symbols[string(r.GetStringBytes("symbol"))]
	if in == nil {
		return
	}
	cum, ok := qtyOf(in, r, "executedQty")
	if !ok {
		g.count.Damaged.Add(1)
		return
	}
	x := g.report(venue.Cancelled, 0, id, in.Inst, recv, acted(r))
	x.Cum, x.Reason = cum, venue.UserCancel
}

// cancelledForeign takes the answer to a cancel of an order that is in no slot.
func (g *Gateway) cancelledForeign(recv venue.Nanos, id uint64, done bool, f fate, why venue.Reason, r *fastjson.Value) {
	switch {
	case done:
		g.cancelled(recv, r)
	case f == unsure:
		x := g.report(venue.SentReport, 0, id, 0, recv, 0)
		x.Flags, x.Seq, x.Reason = uint8(venue.Maybe), uint64(venue.Cancel), why
	default:
		g.report(venue.CancelRejected, 0, id, 0, recv, 0).Reason = why
	}
}

// reduced takes the answer to an amend in place.
func (g *Gateway) reduced(x *answered) {
	s := &g.ids.slots[x.i]
	open, price, qty := s.asked.Load() != 0, fixed.Price(s.askedAt.Load()), fixed.Qty(s.askedFor.Load())
	if !s.answered(x.client) || !open && !x.ok() {
		return // settled by a report of the stream or by a query
	}
	switch state := x.result.GetStringBytes("status"); {
	case x.ok() && (string(state) == "CANCELED" || string(state) == "EXPIRED"): // futures end what would cross though it is post-only
		g.amendRejected(x.i, x.owner, venue.PostOnlyCross, x.recv)
		g.ask(x.i, x.owner, venue.Cancel, x.recv, x.recv)
	case x.ok():
		g.amended(x.i, x.owner, price, qty, x.recv, acted(x.result))
	case x.fate == unsure:
		g.unknown(x.i, x.owner, venue.Amend, x.recv, x.recv, x.why)
	default:
		g.amendRejected(x.i, x.owner, x.why, x.recv)
		if x.why == venue.UnknownTarget {
			g.ask(x.i, x.owner, venue.Cancel, x.recv, x.recv)
		}
	}
}

// amended reports an amend that took effect, once for each price and quantity.
func (g *Gateway) amended(i uint32, owner uint64, price fixed.Price, qty fixed.Qty, recv, at venue.Nanos) {
	s := &g.ids.slots[i]
	if fixed.Price(s.price.Load()) == price && s.inForce() == qty {
		return
	}
	s.price.Store(int64(price))
	s.qty.Store(int64(qty))
	r := g.report(venue.Amended, i, owner, s.inst(), recv, at)
	r.Price, r.Open, r.Cum = price, qty, fixed.Qty(s.cum.Load())
	if s.op.Load() == uint32(venue.Amend) && fixed.Price(s.askedAt.Load()) == price && fixed.Qty(s.askedFor.Load()) == qty {
		r.Seq = s.askID.Load()
	}
	setNumber(r, s.order.Load())
}

func (g *Gateway) amendRejected(i uint32, owner uint64, why venue.Reason, recv venue.Nanos) {
	s := &g.ids.slots[i]
	if s.ended.Load() {
		return
	}
	r := g.report(venue.AmendRejected, i, owner, s.inst(), recv, 0)
	r.Reason, r.Price, r.Open, r.Cum = why, fixed.Price(s.price.Load()), s.inForce(), fixed.Qty(s.cum.Load())
	r.Seq = s.askID.Load()
}

// replaced takes the answer to a cancelReplace.
func (g *Gateway) replaced(x *answered) {
	s := &g.ids.slots[x.i]
	if s.next.Load() != x.client {
		return // settled by a report of the stream or by a query
	}
	s.answered(x.client)
	switch {
	case x.ok():
		g.fixed = false
		n := x.result.Get("newOrderResponse")
		g.takesOver(x.i, x.owner, n.GetUint64("orderId"), x.recv, millis(n, "transactTime"))
	case x.fate == unsure:
		g.unknown(x.i, x.owner, venue.Amend, x.recv, x.recv, x.why)
	case is(x.data, "cancelResult", "SUCCESS"): // the old order is gone and the new one was refused
		n := x.data.Get("newOrderResponse")
		_, why := classify(400, n.GetInt("code"), n.GetStringBytes("msg"))
		g.amendRejected(x.i, x.owner, why, x.recv)
		g.ends(venue.Cancelled, x.i, x.owner, fixed.Qty(s.cum.Load()), why, x.recv, millis(x.data.Get("cancelResponse"), "transactTime"))
	default:
		why := x.why
		if c := x.data.Get("cancelResponse"); c != nil {
			_, why = classify(400, c.GetInt("code"), c.GetStringBytes("msg"))
		}
		s.next.Store(0)
		g.amendRejected(x.i, x.owner, why, x.recv)
		if s.held { // the venue cancelled it meanwhile
			g.ends(venue.Cancelled, x.i, x.owner, fixed.Qty(s.cum.Load()), venue.VenueCancel, x.recv, 0)
		} else if why == venue.UnknownTarget {
			g.ask(x.i, x.owner, venue.Cancel, x.recv, x.recv)
		}
	}
}

// takesOver makes the replacement the order of its slot.
func (g *Gateway) takesOver(i uint32, owner, order uint64, recv, at venue.Nanos) {
	s := &g.ids.slots[i]
	s.wire.Store(s.next.Load())
	s.order.Store(order)
	s.asked.Store(0)
	s.next.Store(0)
	s.held, s.acked = false, true
	price, qty := fixed.Price(s.askedAt.Load()), fixed.Qty(s.askedFor.Load())
	if fixed.Price(s.price.Load()) == price && s.inForce() == qty {
		s.qty.Store(0) // the same again, at the end of the queue: still an amend
	}
	g.amended(i, owner, price, qty, recv, at)
}

func is(v *fastjson.Value, key, want string) bool { return string(v.GetStringBytes(key)) == want }

func (g *Gateway) instrument(i venue.Inst) *venue.Instrument {
	for _, in := range g.o.Instruments {
		if in.Inst == i {
			return in
		}
	}
	panic("binance: an order of an instrument that nobody trades")
}
