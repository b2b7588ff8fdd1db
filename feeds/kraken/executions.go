package kraken

import (
	dec "github.com/shopspring/decimal"
	"github.com/valyala/fastjson"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// The private channels, as indexes of state.seq.
const (
	executions = iota
	balances
)

// sequence follows the numbers of one subscription.
type sequence struct {
	next uint64 // 0: whatever comes next
	gap  bool   // a number was skipped, and a fresh snapshot has been asked for
}

// take judges a number. Until the snapshot that ends a gap everything is taken: what is late is still true.
func (s *sequence) take(n uint64, snapshot bool) (fresh, gap bool) {
	switch {
	case snapshot:
		s.next, s.gap = n+1, false
		return true, false
	case s.gap:
		return true, false
	case s.next != 0 && n < s.next:
		return false, false
	case s.next != 0 && n > s.next:
		s.gap = true
		return true, true
	}
	s.next = n + 1
	return true, false
}

// channel takes one message of a private channel. gap says that others before it are missing.
func (g *Gateway) channel(which int, v *fastjson.Value, recv venue.Nanos) (gap bool, why venue.Reason) {
	snapshot := wire.Is(v.Get("type"), "snapshot")
	if !snapshot && !wire.Is(v.Get("type"), "update") {
		return false, venue.Malformed
	}
	n, why := g.state.doc.Uint(v.Get("sequence"))
	if why != venue.OK {
		return false, why
	}
	fresh, gap := g.state.seq[which].take(n, snapshot)
	if !fresh {
		g.count.Duplicates.Add(1)
		return false, venue.OK
	}
	for _, x := range v.GetArray("data") {
		of := venue.OK
		if which == executions {
			of = g.execution(x, snapshot, n, recv)
		} else {
			of = g.balance(x, recv)
		}
		if of != venue.OK {
			why = of // the others of the message are good
		}
	}
	return gap, why
}

// execution takes one item of the executions channel.
func (g *Gateway) execution(x *fastjson.Value, snapshot bool, seq uint64, recv venue.Nanos) venue.Reason {
	s := &g.state
	id := x.GetStringBytes("order_id")
	if len(id) == 0 {
		return venue.Malformed
	}
	in := s.ins[string(x.GetStringBytes("symbol"))]
	o := s.find(id, x.Get("cl_ord_id"), in)
	g.rateCount(x, o, recv)
	if o == nil {
		return venue.OK // a pair that is not ours to trade, or the end of an order that was never shown to us
	}
	at, why := s.doc.Time(x.Get("timestamp"))
	if why != venue.OK {
		at = recv
	}
	flags := uint8(0)
	if snapshot {
		flags = venue.Recovered
	}
	switch string(x.GetStringBytes("exec_type")) {
	case "pending_new", "new", "status", "iceberg_refill":
		return g.stands(x, o, flags, recv, at)
	case "amended", "restated":
		return g.changed(x, o, flags, recv, at)
	case "trade":
		return g.fill(x, o, flags, seq, recv, at)
	case "filled":
		if snapshot {
			return venue.OK
		}
		return g.filled(x, o)
	case "canceled", "expired":
		return g.closed(x, o, flags, recv, at)
	}
	return venue.Malformed
}

// rateCount takes the venue's own count of the pair, where the item has it.
func (g *Gateway) rateCount(x *fastjson.Value, o *order, recv venue.Nanos) {
	v := x.Get("ratecounter")
	if v == nil || o == nil {
		return
	}
	if n, why := g.state.doc.Fixed(v, 2); why == venue.OK {
		g.stated[o.in.Inst].Store(packStated(n, recv))
	}
}

// numbers reads what an item states of an order's quantity and limit.
func (g *Gateway) numbers(x *fastjson.Value, o *order) venue.Reason {
	s := &g.state
	if v := x.Get("side"); v != nil {
		o.side = sideOf(v)
	}
	for _, f := range [3]struct {
		name  string
		scale uint8
		to    *int64
	}{{"order_qty", o.in.QtyScale, (*int64)(&o.qty)}, {"limit_price", o.in.PriceScale, (*int64)(&o.price)}, {"cum_qty", o.in.QtyScale, nil}} {
		v := x.Get(f.name)
		if v == nil || v.Type() == fastjson.TypeNull {
			continue
		}
		n, why := s.doc.Fixed(v, f.scale)
		if why != venue.OK {
			return why
		}
		if f.to != nil {
			*f.to = n
		} else {
			o.cum = max(o.cum, fixed.Qty(n))
		}
	}
	return venue.OK
}

func sideOf(v *fastjson.Value) venue.Side {
	if wire.Is(v, "buy") {
		return venue.Buy
	}
	return venue.Sell
}

// stands is an order that rests or waits for its trigger.
func (g *Gateway) stands(x *fastjson.Value, o *order, flags uint8, recv, at venue.Nanos) venue.Reason {
	price, qty := o.price, o.qty
	if why := g.numbers(x, o); why != venue.OK {
		return why
	}
	g.acknowledge(o, flags, recv, at)
	if flags&venue.Recovered != 0 && o.client != 0 && (price != o.price || qty != o.qty) && qty != 0 {
		g.amended(o, flags, recv, at) // while we were away
	}
	return venue.OK
}

func (g *Gateway) amended(o *order, flags uint8, recv, at venue.Nanos) {
	seq := uint64(0)
	if r := g.state.pending(o, venue.Amend); r != nil && r.price == o.price && r.qty == o.qty {
		r.answered, seq = true, r.client
	}
	g.bornAt(o, recv)
	q := g.report(venue.Amended, o, recv, at)
	q.Flags, q.Seq = flags, seq
}

// changed is an order with other numbers than before: by our amend, or by the venue.
func (g *Gateway) changed(x *fastjson.Value, o *order, flags uint8, recv, at venue.Nanos) venue.Reason {
	price, qty := o.price, o.qty
	if why := g.numbers(x, o); why != venue.OK {
		return why
	}
	if o.amendsReported > 0 && wire.Is(x.Get("exec_type"), "amended") {
		o.amendsReported-- // the answer was here first; a later answer may have changed the numbers again
		o.price, o.qty = price, qty
		return venue.OK
	}
	g.amended(o, flags, recv, at)
	return venue.OK
}

// fill is an execution. Its id is exec_id, which REST calls the trade's id.
func (g *Gateway) fill(x *fastjson.Value, o *order, flags uint8, seq uint64, recv, at venue.Nanos) venue.Reason {
	s := &g.state
	id := x.GetStringBytes("exec_id")
	qty, why := s.doc.Fixed(x.Get("last_qty"), o.in.QtyScale)
	if why == venue.OK && (len(id) == 0 || qty <= 0) {
		why = venue.Malformed
	}
	if why != venue.OK {
		return why
	}
	if v := x.Get("side"); v != nil {
		o.side = sideOf(v)
	}
	price, why := g.priceOf(x.Get("last_price"), o)
	if why != venue.OK {
		return why
	}
	cum := o.cum + fixed.Qty(qty)
	if v := x.Get("cum_qty"); v != nil {
		n, why := s.doc.Fixed(v, o.in.QtyScale)
		if why != venue.OK {
			return why
		}
		cum = fixed.Qty(n)
	}
	if flags&venue.Recovered == 0 {
		g.acknowledge(o, 0, recv, at)
	}
	if wire.Is(x.Get("liquidity_ind"), "m") {
		flags |= venue.Maker
	}
	o.cum = max(o.cum, cum)
	g.count.Fills.Add(1)
	r := g.report(venue.Fill, o, recv, at)
	r.Flags, r.Cum, r.Fill, r.Price, r.Seq = flags, cum, fixed.Qty(qty), price, seq
	if !r.SetRef(id) {
		return venue.Malformed
	}
	for i, f := range x.GetArray("fees") {
		if i > 0 { // one currency has room; the balance check shows the rest
			g.count.OddFees.Add(1)
			break
		}
		if why := g.fee(r, f.GetStringBytes("asset"), f.Get("qty")); why != venue.OK {
			return why
		}
	}
	if o.qty > 0 && o.cum >= o.qty {
		s.end(o, g)
	}
	return venue.OK
}

// priceOf reads the price of a fill. An average over several makers may lie between ticks; it is then moved against us.
func (g *Gateway) priceOf(v *fastjson.Value, o *order) (fixed.Price, venue.Reason) {
	p, why := g.state.doc.Fixed(v, o.in.PriceScale)
	if why != venue.OffScale {
		if why == venue.OK && p <= 0 {
			why = venue.Malformed
		}
		return fixed.Price(p), why
	}
	d, ok := exact(v)
	if !ok {
		return 0, venue.Malformed
	}
	if o.side == venue.Sell {
		d = d.RoundFloor(int32(o.in.PriceScale))
	} else {
		d = d.RoundCeil(int32(o.in.PriceScale))
	}
	n, f := fixed.FromDecimal(d, o.in.PriceScale)
	if f != fixed.OK {
		return 0, venue.TooLarge
	}
	return fixed.Price(n), venue.OK
}

// fee sets a report's fee, rounded up where it is finer than 10^-8.
func (g *Gateway) fee(r *venue.Report, asset []byte, v *fastjson.Value) venue.Reason {
	n, why := g.cash(v, true)
	r.Fee, r.FeeCcy = n, g.currency(string(asset))
	return why
}

// cash reads an amount at 10^-8, rounded up or down where it is finer.
func (g *Gateway) cash(v *fastjson.Value, up bool) (fixed.Cash, venue.Reason) {
	n, why := g.state.doc.Fixed(v, fixed.CashScale)
	if why != venue.OffScale {
		return fixed.Cash(n), why
	}
	d, ok := exact(v)
	if !ok {
		return 0, venue.Malformed
	}
	if up {
		d = d.RoundCeil(fixed.CashScale)
	} else {
		d = d.RoundFloor(fixed.CashScale)
	}
	n, f := fixed.FromDecimal(d, fixed.CashScale)
	if f != fixed.OK {
		return 0, venue.TooLarge
	}
	return fixed.Cash(n), venue.OK
}

// exact is a JSON number or string as a decimal.
func exact(v *fastjson.Value) (dec.Decimal, bool) {
	text := v.GetStringBytes()
	if v.Type() == fastjson.TypeNumber {
		text = v.MarshalTo(nil)
	}
	d, err := dec.NewFromString(string(text))
	return d, err == nil && d.Exponent() > -64 && d.Exponent() < 64
}

// filled closes an order whose fills have all come; one that states more than they sum to shows a gap.
func (g *Gateway) filled(x *fastjson.Value, o *order) venue.Reason {
	before := o.cum
	if why := g.numbers(x, o); why != venue.OK {
		return why
	}
	g.state.end(o, g)
	if o.acked && o.cum > before && o.client != 0 {
		return venue.SequenceGap
	}
	return venue.OK
}

// closed is a cancelled or expired order.
func (g *Gateway) closed(x *fastjson.Value, o *order, flags uint8, recv, at venue.Nanos) venue.Reason {
	if why := g.numbers(x, o); why != venue.OK {
		return why
	}
	text := string(x.GetStringBytes("reason"))
	if text == "" {
		text = string(x.GetStringBytes("cancel_reason"))
	}
	kind, why := g.endOf(o, wire.Is(x.Get("exec_type"), "expired"), text)
	g.acknowledge(o, flags, recv, at)
	for _, op := range [3]venue.Op{venue.New, venue.Cancel, venue.Amend} {
		for r := g.state.pending(o, op); r != nil; r = g.state.pending(o, op) {
			r.answered = true
		}
	}
	g.state.end(o, g)
	r := g.report(kind, o, recv, at)
	r.Flags, r.Reason = flags, why
	ccy := o.in.Quote
	if o.side == venue.Sell {
		ccy = o.in.Base
	}
	if total, known := g.state.totals[ccy]; known { // what it held is free again, of which the venue says nothing
		g.balanceIs(ccy, total-g.holds(ccy), recv, at, 0)
	}
	return venue.OK
}

// endOf names how an order ended without being filled.
func (g *Gateway) endOf(o *order, expired bool, text string) (venue.ReportKind, venue.Reason) {
	switch why := reasonOf(text); {
	case why == venue.PostOnlyCross, why == venue.SelfTradePrevented, why == venue.InsufficientFunds:
		return venue.Cancelled, why
	case o.tif == venue.IOC && !o.cancelled && o.cum == 0:
		return venue.Expired, venue.Unfilled
	case o.tif == venue.IOC && !o.cancelled:
		return venue.Expired, venue.OK
	case expired:
		return venue.Expired, venue.VenueCancel
	case o.cancelled || text == "User requested":
		return venue.Cancelled, venue.UserCancel
	}
	return venue.Cancelled, venue.VenueCancel
}

// balance takes one item of the balances channel: the venue states what the spot wallet has, of which open orders hold a
// part. A report is of what is free, rounded down; another follows when an order that held some ends.
func (g *Gateway) balance(x *fastjson.Value, recv venue.Nanos) venue.Reason {
	asset := string(x.GetStringBytes("asset"))
	if asset == "" {
		return venue.Malformed
	}
	v := x.Get("balance")
	if w := x.GetStringBytes("wallet_type"); len(w) > 0 && string(w) != "spot" {
		return venue.OK
	}
	for _, w := range x.GetArray("wallets") {
		if wire.Is(w.Get("type"), "spot") {
			v = w.Get("balance")
			break
		}
	}
	n, why := g.cash(v, false)
	if why != venue.OK {
		return why
	}
	ccy := g.currency(asset)
	if ccy == 0 {
		return venue.OK // nothing that we trade
	}
	g.state.totals[ccy] = n
	g.balanceIs(ccy, n-g.holds(ccy), recv, recv, 0)
	return venue.OK
}

func (g *Gateway) balanceIs(ccy venue.Ccy, free fixed.Cash, recv, at venue.Nanos, flags uint8) {
	r := g.report(venue.Balance, nil, recv, at)
	r.Flags, r.FeeCcy, r.Cum = flags, ccy, fixed.Qty(free)
}

// holds is what the account's open orders keep of a currency, rounded up. Stops hold as limits do.
func (g *Gateway) holds(ccy venue.Ccy) (sum fixed.Cash) {
	for o := range g.state.live { // a sum: the order does not matter
		if o.cum >= o.qty {
			continue
		}
		var n fixed.Cash
		ok := true
		switch {
		case o.side == venue.Buy && o.in.Quote == ccy:
			n, ok = o.in.Notional(o.price, o.qty-o.cum, fixed.Up)
		case o.side == venue.Sell && o.in.Base == ccy:
			n, ok = o.in.Coin(o.price, o.qty-o.cum, fixed.Up)
		}
		if ok { // what does not fit in Cash is more than any account has
			sum += n
		}
	}
	return sum
}

// currency is our index of an asset, by its new or its old name.
func (g *Gateway) currency(asset string) venue.Ccy { return g.cfg.Currency(currency(modern(asset))) }
