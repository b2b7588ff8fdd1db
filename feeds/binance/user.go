package binance

import (
	"bytes"
	"github.com/valyala/fastjson"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// event takes one event of the user-data stream. Under mu.
func (g *Gateway) event(s *session, recv venue.Nanos, e *fastjson.Value) {
	switch string(e.GetStringBytes("e")) {
	case "executionReport", "ORDER_TRADE_UPDATE":
		if o := e.Get("o"); g.v.futures {
			e = o
		}
		if !g.execution(recv, e) {
			g.count.Damaged.Add(1)
			s.over = true // Sweep finds what it said
		}
	case "outboundAccountPosition":
		for _, b := range e.GetArray("B") {
			g.balance(recv, millis(e, "u"), b.GetStringBytes("a"), b.GetStringBytes("f"))
		}
	case "ACCOUNT_UPDATE":
		a, at := e.Get("a"), millis(e, "T")
		for _, b := range a.GetArray("B") {
			g.balance(recv, at, b.GetStringBytes("a"), b.GetStringBytes("wb"))
		}
		for _, p := range a.GetArray("P") {
			g.position(recv, at, p.GetStringBytes("s"), p.GetStringBytes("ps"), p.GetStringBytes("pa"))
		}
	case "eventStreamTerminated", "listenKeyExpired":
		s.over = true
	case "serverShutdown":
		if l := g.line.Load(); l != nil && g.v.futures { // whichever connection it is said on: they end together
			l.until.Store(min(l.until.Load(), int64(recv)))
		}
		s.l.until.Store(min(s.l.until.Load(), int64(recv)))
	}
}

// position reports the position of an instrument that is traded here. Those of two-way mode are none of ours: there an account
// has two in each instrument, and its orders are refused.
func (g *Gateway) position(recv, at venue.Nanos, symbol, side, amount []byte) {
	in := g.symbols[string(symbol)]
	if in == nil || string(side) != "BOTH" {
		return
	}
	v, fault := fixed.Parse(amount, in.QtyScale)
	if fault != fixed.OK {
		g.count.Damaged.Add(1)
		return
	}
	g.report(venue.PositionIs, 0, 0, in.Inst, recv, at).Cum = fixed.Qty(v)
}

// balance reports a free balance, rounded against us, of a currency that the process knows.
func (g *Gateway) balance(recv, at venue.Nanos, asset, free []byte) {
	ccy := g.o.Currency(string(asset))
	if ccy == 0 {
		return
	}
	v, fault := fixed.Parse(free, fixed.CashScale)
	if fault == fixed.OffScale {
		if v, fault = fixed.Parse(free, fixed.MaxScale); fault == fixed.OK {
			v, _ = fixed.Rescale(v, fixed.MaxScale, fixed.CashScale, fixed.Down)
		}
	}
	if fault != fixed.OK {
		g.count.Damaged.Add(1)
		return
	}
	r := g.report(venue.Balance, 0, 0, 0, recv, at)
	r.FeeCcy, r.Cum = ccy, fixed.Qty(v)
}

// execution is an executionReport in our terms.
type execution struct {
	in               *venue.Instrument
	recv, at         venue.Nanos
	i                uint32
	owner, id, order uint64
	ours, placed     bool // placed: the order is in slot i
	qty, cum, last   fixed.Qty
	price, paid      fixed.Price // limit, and of the trade
}

// execution takes an executionReport; false when it cannot be read.
func (g *Gateway) execution(recv venue.Nanos, e *fastjson.Value) bool {
	in := g.symbols[string(e.GetStringBytes("s"))]
	if in == nil {
		g.count.Foreign.Add(1) // an instrument that this process does not trade
		return true
	}
	x := execution{in: in, recv: recv, at: millis(e, "T"), order: e.GetUint64("i")}
	kind := string(e.GetStringBytes("x"))
	for _, n := range [...]struct {
		key   string
		scale uint8
		to    *int64
	}{{"q", in.QtyScale, (*int64)(&x.qty)}, {"z", in.QtyScale, (*int64)(&x.cum)}, {"l", in.QtyScale, (*int64)(&x.last)},
		{"p", in.PriceScale, (*int64)(&x.price)}, {"L", in.PriceScale, (*int64)(&x.paid)}} {
		v, fault := fixed.Parse(e.GetStringBytes(n.key), n.scale)
		if fault != fixed.OK || v < 0 {
			return false
		}
		*n.to = v
	}
	name := e.GetStringBytes("c")
	if was := e.GetStringBytes("C"); len(was) > 0 && kind != "NEW" {
		name = was // c is the cancel's own id then
	}
	if x.id, x.ours = parseOurs(name); x.ours {
		if x.i, x.owner, x.placed = g.ids.find(x.id); x.placed {
			x.placed = g.ids.slots[x.i].cold(x.owner)
		}
	}
	if !x.placed {
		return g.stranger(&x, kind, e)
	}
	return g.moved(&x, kind, e)
}

// moved takes a report of an order in a slot; false when it cannot be read.
func (g *Gateway) moved(x *execution, kind string, e *fastjson.Value) bool {
	s := &g.ids.slots[x.i]
	next := s.next.Load()
	replacing := next != 0 && x.id != next
	if x.id == x.owner {
		s.answered(x.id)
	}
	if next != 0 && x.id == next && kind != "REJECTED" {
		g.takesOver(x.i, x.owner, x.order, x.recv, x.at)
	}
	current := x.id == s.wire.Load()
	switch kind {
	case "NEW":
		if current {
			g.ack(x.i, x.owner, x.order, x.recv, x.at)
		}
	case "TRADE":
		if current {
			g.ack(x.i, x.owner, x.order, x.recv, x.at)
		}
		return g.filled(x, e)
	case "REPLACED", "AMENDMENT":
		if current {
			news := x.price != fixed.Price(s.price.Load()) || x.qty != s.inForce() // else its answer came first, and the next amend may be on its way
			if news && s.op.Load() == uint32(venue.Amend) && fixed.Qty(s.askedFor.Load()) == x.qty && fixed.Price(s.askedAt.Load()) == x.price {
				s.asked.Store(0)
			}
			g.amended(x.i, x.owner, x.price, x.qty, x.recv, x.at)
		}
	case "CANCELED", "EXPIRED":
		switch {
		case replacing:
			s.held = s.held || current
		case !current: // the old order of a replacement
		case kind == "EXPIRED":
			why := expiry(string(e.GetStringBytes("eR")), string(e.GetStringBytes("f")), int64(x.cum))
			if is(e, "X", "EXPIRED_IN_MATCH") {
				why = venue.SelfTradePrevented
			}
			g.ends(venue.Expired, x.i, x.owner, x.cum, why, x.recv, x.at)
		default:
			g.ends(venue.Cancelled, x.i, x.owner, x.cum, g.whose(s, x.recv), x.recv, x.at)
		}
	case "REJECTED":
		if current {
			g.ends(venue.RejectedReport, x.i, x.owner, 0, rejection(string(e.GetStringBytes("r"))), x.recv, x.at)
		}
	}
	return true
}

// whose is who cancelled the order: ourselves, if we had asked for it, or for the end of all.
func (g *Gateway) whose(s *slot, now venue.Nanos) venue.Reason {
	if s.quitID.Load() != 0 || now-venue.Nanos(g.gone.Load()) < g.o.Answer {
		return venue.UserCancel
	}
	return venue.VenueCancel
}

// filled reports a trade.
func (g *Gateway) filled(x *execution, e *fastjson.Value) bool {
	s := &g.ids.slots[x.i]
	r := g.report(venue.Fill, x.i, x.owner, x.in.Inst, x.recv, x.at)
	if !g.fill(r, x, e) {
		g.reports = g.reports[:len(g.reports)-1]
		return false
	}
	s.cum.Store(max(s.cum.Load(), int64(x.cum)))
	if x.id == s.wire.Load() && s.next.Load() == 0 && is(e, "X", "FILLED") {
		s.asked.Store(0)
		s.quit.Store(0)
		s.ended.Store(true)
	}
	return true
}

// fill completes a Fill from an executionReport.
func (g *Gateway) fill(r *venue.Report, x *execution, e *fastjson.Value) bool {
	fee, ok := feeOf(e.GetStringBytes("n"))
	id := e.GetInt64("t")
	if !ok || id < 0 || x.last <= 0 {
		return false
	}
	r.Price, r.Fill, r.Cum, r.Open, r.Fee = x.paid, x.last, x.cum, x.qty, fee
	r.FeeCcy = g.o.Currency(string(e.GetStringBytes("N")))
	if e.GetBool("m") {
		r.Flags |= venue.Maker
	}
	return r.SetRef(tradeRef(x.in.Symbol, uint64(id)))
}

// stranger reports an order that is in no slot: of an earlier run, with its client id, or of somebody else, with none.
func (g *Gateway) stranger(x *execution, kind string, e *fastjson.Value) bool {
	if !x.ours {
		g.count.Foreign.Add(1)
		x.id = 0
	}
	k := venue.Ack
	switch kind {
	case "NEW":
	case "TRADE":
		k = venue.Fill
	case "CANCELED":
		k = venue.Cancelled
	case "EXPIRED":
		k = venue.Expired
	case "REJECTED":
		k = venue.RejectedReport
	case "REPLACED", "AMENDMENT":
		k = venue.Amended
	default:
		return true
	}
	r := g.report(k, 0, x.id, x.in.Inst, x.recv, x.at)
	if k == venue.Fill {
		if !g.fill(r, x, e) {
			g.reports = g.reports[:len(g.reports)-1]
			return false
		}
		return true
	}
	asked := x.ours && g.strange[x.id%uint64(len(g.strange))].Load() == x.id
	if k == venue.Cancelled && (asked || bytes.HasSuffix(e.GetStringBytes("c"), []byte(goneMark))) {
		r.Reason = venue.UserCancel
	}
	r.Price, r.Cum, r.Open = x.price, x.cum, x.qty
	setNumber(r, x.order)
	return true
}
