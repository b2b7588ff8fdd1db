package binance

import (
	"bytes"
	"strconv"

	"github.com/valyala/fastjson"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// ask is an order whose fate has to be asked for.
type ask struct {
	slot  uint32
	owner uint64
	// bound is when the last of its requests can no longer be carried out: receive window and engine timeout are over.
	bound venue.Nanos
	// due is when to ask next; busy when an answer was asked for that has not come, 0 none.
	due, busy venue.Nanos
	// by is the client id that the question under way named, wire and next what the order had then: the answer says nothing
	// of an order that has been replaced since.
	by, wire, next uint64
	// misses counts answers after bound that found nothing, or nothing done.
	misses int
	// amend: whether an amend in place took effect is also open.
	amend bool
	// fills is a filled quantity whose trades have still to be fetched; the order itself is known then.
	fills fixed.Qty
}

// unknown reports that nobody knows what became of a request, and asks. at is when the request left.
func (g *Gateway) unknown(i uint32, owner uint64, op venue.Op, at, now venue.Nanos, why venue.Reason) {
	s := &g.ids.slots[i]
	if !s.cold(owner) || s.ended.Load() {
		return
	}
	g.count.Unknown.Add(1)
	r := g.report(venue.SentReport, i, owner, s.inst(), now, 0)
	r.Flags, r.Seq, r.Reason = uint8(venue.Maybe), uint64(op), why
	g.ask(i, owner, op, at, now)
}

// ask adds a question; what is asked twice is asked once.
func (g *Gateway) ask(i uint32, owner uint64, op venue.Op, at, now venue.Nanos) {
	bound := at + g.o.Window + g.o.Engine
	amend := op == venue.Amend && g.ids.slots[i].next.Load() == 0
	for k := range g.asks {
		if a := &g.asks[k]; a.owner == owner {
			a.bound, a.due, a.misses, a.busy = max(a.bound, bound), now, 0, 0
			a.amend = a.amend || amend
			return
		}
	}
	g.asks = append(g.asks, ask{slot: i, owner: owner, bound: bound, due: now, amend: amend})
}

// query sends what is due. Under mu.
func (g *Gateway) query(l *line, now venue.Nanos) {
	kept := g.asks[:0]
	for _, a := range g.asks {
		if s := &g.ids.slots[a.slot]; s.cold(a.owner) && !(s.ended.Load() && a.fills == 0) {
			kept = append(kept, a)
		}
	}
	g.asks = kept
	for k := range g.asks {
		a := &g.asks[k]
		if now < a.due || a.busy != 0 && now-a.busy < g.o.Answer {
			continue
		}
		s := &g.ids.slots[a.slot]
		a.wire, a.next = s.wire.Load(), s.next.Load()
		t := s.target()
		if a.next != 0 {
			t = Target{Client: a.next}
		}
		if !g.askFor(l, a, markStatus, t, now) {
			return
		}
	}
}

// askFor sends one question.
func (g *Gateway) askFor(l *line, a *ask, mark byte, t Target, now venue.Nanos) bool {
	s, at := &g.ids.slots[a.slot], now+venue.Nanos(g.offset.Load())
	if a.fills > 0 {
		if g.v.futures { // only REST tells
			select {
			case g.want <- *a:
				a.busy = now
			default:
			}
			return true
		}
		g.coldBuf = g.cold.Trades(g.coldBuf[:headroom], markTrades, s.inst(), a.owner, s.order.Load(), at)
	} else {
		a.by = t.Client
		g.coldBuf = g.cold.Status(g.coldBuf[:headroom], mark, s.inst(), a.by, t, at)
	}
	a.busy = now
	g.count.Queries.Add(1)
	return g.sendCold(l)
}

// idle frees the question about an order to be asked again.
func (g *Gateway) idle(owner uint64, now venue.Nanos) {
	for k := range g.asks {
		if a := &g.asks[k]; a.owner == owner {
			a.busy, a.due = 0, max(a.due, now+g.o.Margin)
		}
	}
}

// drop ends the question about an order.
func (g *Gateway) drop(owner uint64) {
	for k := range g.asks {
		if g.asks[k].owner == owner {
			g.asks = append(g.asks[:k], g.asks[k+1:]...)
			return
		}
	}
}

// told takes the answer to a question that named the order by a client id; other says that this was its second one.
func (g *Gateway) told(i uint32, owner, by uint64, ok bool, recv venue.Nanos, other bool, status int, f fate, r *fastjson.Value) {
	var a *ask
	for k := range g.asks {
		if g.asks[k].owner == owner {
			a = &g.asks[k]
		}
	}
	if a == nil || !ok || by != a.by {
		return
	}
	since := a.busy
	if since == 0 {
		since = recv
	}
	a.busy = 0
	s, l := &g.ids.slots[i], g.line.Load()
	next := s.next.Load()
	switch {
	case s.wire.Load() != a.wire || next != a.next:
		a.due, a.misses = recv, 0 // replaced, or about to be: the state of the old order is no news of this one
	case status != 200 && f != refused:
		a.due = recv + g.o.Margin // the question itself failed
	case status == 200 && next != 0 && !other:
		g.takesOver(i, owner, r.GetUint64("orderId"), recv, millis(r, "updateTime"))
		g.settle(a, r, recv)
	case status == 200 && next != 0:
		g.oldStands(a, r, since, recv)
	case status == 200:
		g.settle(a, r, recv)
	case other || l == nil:
		g.missed(a, since, recv)
	case next != 0:
		g.askFor(l, a, markOther, s.target(), recv)
	case s.order.Load() == 0: // unless our cancel has given it another id
		g.askFor(l, a, markOther, Target{Client: a.wire, Gone: true}, recv)
	default:
		g.missed(a, since, recv)
	}
}

// missed takes an answer that found nothing. Only after the request's time is over does it prove something, and only twice.
func (g *Gateway) missed(a *ask, since, recv venue.Nanos) {
	s := &g.ids.slots[a.slot]
	if since < a.bound {
		g.report(venue.NotFound, a.slot, a.owner, s.inst(), recv, 0)
		a.due = a.bound
		return
	}
	if a.misses++; a.misses < 2 {
		g.report(venue.NotFound, a.slot, a.owner, s.inst(), recv, 0)
		a.due = recv + g.o.Margin
		return
	}
	owner := a.owner
	g.ends(venue.NotFound, a.slot, owner, 0, venue.Timeout, recv, 0)
	g.drop(owner)
}

// oldStands takes the state of an order whose replacement was not found.
func (g *Gateway) oldStands(a *ask, r *fastjson.Value, since, recv venue.Nanos) {
	s := &g.ids.slots[a.slot]
	if string(r.GetStringBytes("status")) != "FILLED" { // what is filled cannot be replaced any more
		if since < a.bound {
			a.due = a.bound
			return
		}
		if a.misses++; a.misses < 2 {
			a.due = recv + g.o.Margin
			return
		}
	}
	s.next.Store(0)
	s.held = false
	g.amendRejected(a.slot, a.owner, venue.Timeout, recv)
	g.settle(a, r, recv)
}

// settle takes the state of an order as order.status gives it.
func (g *Gateway) settle(a *ask, r *fastjson.Value, recv venue.Nanos) {
	s := &g.ids.slots[a.slot]
	in := g.instrument(s.inst())
	cum, f1 := fixed.Parse(r.GetStringBytes("executedQty"), in.QtyScale)
	qty, f2 := fixed.Parse(r.GetStringBytes("origQty"), in.QtyScale)
	price, f3 := fixed.Parse(r.GetStringBytes("price"), in.PriceScale)
	if f1 != fixed.OK || f2 != fixed.OK || f3 != fixed.OK {
		g.count.Damaged.Add(1)
		a.due = recv + g.o.Margin
		return
	}
	at := millis(r, "updateTime")
	state := string(r.GetStringBytes("status"))
	if a.amend {
		switch open := state == "NEW" || state == "PARTIALLY_FILLED"; {
		case fixed.Qty(qty) == fixed.Qty(s.askedFor.Load()) && fixed.Price(price) == fixed.Price(s.askedAt.Load()):
			g.amended(a.slot, a.owner, fixed.Price(price), fixed.Qty(qty), recv, at)
		case open && recv < a.bound:
			a.due = a.bound
			return
		default:
			g.amendRejected(a.slot, a.owner, venue.Timeout, recv)
		}
		a.amend = false
	}
	s.order.Store(r.GetUint64("orderId"))
	if id, ours := parseOurs(r.GetStringBytes("clientOrderId")); ours {
		s.wire.Store(id) // an order of an earlier run may have had another
	}
	s.price.Store(price)
	s.qty.Store(qty)
	s.acked = true
	ack := g.report(venue.Ack, a.slot, a.owner, s.inst(), recv, at)
	ack.Flags, ack.Price, ack.Open, ack.Cum = venue.Recovered, fixed.Price(price), fixed.Qty(qty), fixed.Qty(cum)
	setNumber(ack, s.order.Load())
	if k, why, over := terminalOf(state, string(r.GetStringBytes("expiryReason")), string(r.GetStringBytes("timeInForce")), cum); over {
		if rep := g.ends(k, a.slot, a.owner, fixed.Qty(cum), why, recv, at); rep != nil {
			rep.Flags = venue.Recovered
		}
	}
	if fixed.Qty(cum) > fixed.Qty(s.cum.Load()) {
		a.fills, a.due = fixed.Qty(cum), recv
		return
	}
	g.drop(a.owner)
}

// terminalOf is what a status of the venue ends an order with; FILLED needs no report beyond its fills.
func terminalOf(state, why, tif string, cum int64) (venue.ReportKind, venue.Reason, bool) {
	switch state {
	case "CANCELED", "PENDING_CANCEL":
		return venue.Cancelled, venue.UserCancel, true
	case "REJECTED":
		return venue.RejectedReport, venue.VenueRejected, true
	case "EXPIRED_IN_MATCH":
		return venue.Expired, venue.SelfTradePrevented, true
	case "EXPIRED":
		return venue.Expired, expiry(why, tif, cum), true
	}
	return 0, 0, false
}

// expiry is why an order ended that nobody cancelled: an IOC or FOK with the rest unfilled is as it should be.
func expiry(reason, tif string, cum int64) venue.Reason {
	switch reason {
	case "EXCHANGE_CANCELED", "EXECUTION_RULE_PRICE_RANGE_EXCEEDED", "REJECTED":
		return venue.VenueCancel
	}
	switch {
	case tif == "IOC" && cum > 0:
		return venue.OK
	case tif == "IOC", tif == "FOK":
		return venue.Unfilled
	case tif == "GTX":
		return venue.PostOnlyCross
	}
	return venue.VenueCancel
}

// traded takes the trades of one order, which are all there are of it.
func (g *Gateway) traded(i uint32, owner uint64, recv venue.Nanos, trades []*fastjson.Value) {
	s := &g.ids.slots[i]
	in := g.instrument(s.inst())
	var sum fixed.Qty
	for _, t := range trades {
		r := g.report(venue.Fill, i, owner, s.inst(), recv, millis(t, "time"))
		if !g.trade(r, in, t) {
			g.reports = g.reports[:len(g.reports)-1]
			g.count.Damaged.Add(1)
			return
		}
		sum += r.Fill
		r.Cum, r.Open = sum, s.inForce()
	}
	s.cum.Store(max(s.cum.Load(), int64(sum)))
	for k := range g.asks {
		if a := &g.asks[k]; a.owner == owner && a.fills <= sum {
			g.drop(owner)
			return
		}
	}
}

// trade fills in a Fill from an element of myTrades.
func (g *Gateway) trade(r *venue.Report, in *venue.Instrument, t *fastjson.Value) bool {
	price, f1 := fixed.Parse(t.GetStringBytes("price"), in.PriceScale)
	qty, f2 := fixed.Parse(t.GetStringBytes("qty"), in.QtyScale)
	fee, ok := feeOf(t.GetStringBytes("commission"))
	if f1 != fixed.OK || f2 != fixed.OK || !ok || qty <= 0 {
		return false
	}
	r.Flags, r.Price, r.Fill, r.Fee = venue.Recovered, fixed.Price(price), fixed.Qty(qty), fee
	r.FeeCcy = g.o.Currency(string(t.GetStringBytes("commissionAsset")))
	if t.GetBool("isMaker") || t.GetBool("maker") { // spot, futures
		r.Flags |= venue.Maker
	}
	return r.SetRef(tradeRef(in.Symbol, t.GetUint64("id")))
}

// tradeRef is the key of a trade: its number is one of the symbol's.
func tradeRef(symbol string, id uint64) []byte {
	return strconv.AppendUint(append(append(make([]byte, 0, 40), symbol...), ':'), id, 10)
}

// feeOf reads a commission; what is finer than Cash counts against us.
func feeOf(text []byte) (fixed.Cash, bool) {
	v, fault := fixed.Parse(text, fixed.CashScale)
	if fault == fixed.OffScale {
		if v, fault = fixed.Parse(text, fixed.MaxScale); fault == fixed.OK {
			up, ok := fixed.Rescale(v, fixed.MaxScale, fixed.CashScale, fixed.Up)
			return fixed.Cash(up), ok
		}
	}
	return fixed.Cash(v), fault == fixed.OK
}

func appendUint(dst []byte, n uint64) []byte { return strconv.AppendUint(dst, n, 10) }

// parseOurs reads a client id, also of an order that we cancelled; false for one that is not ours.
func parseOurs(text []byte) (uint64, bool) {
	return wire.ParseClientID(bytes.TrimSuffix(text, []byte(goneMark)))
}
