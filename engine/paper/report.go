package paper

import (
	"strconv"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// report sends a report of an order on its way back, and returns it to be completed before the next one.
func (g *Gateway) report(p *pit, o *rest, kind venue.ReportKind, at venue.Nanos) *venue.Report {
	l := &g.links[p.in.Venue]
	r := l.back.push()
	g.seq++
	r.Kind, r.Venue, r.Inst, r.Slot, r.Client = kind, p.in.Venue, p.in.Inst, o.slot, o.client
	r.At, r.Recv, r.Seq = at, at+l.latency.Report, g.seq
	r.Cum, r.Open, r.Price = o.cum, o.qty, o.price
	if o.id != 0 {
		ref(r, 'O', o.id)
	}
	return r
}

// ref writes an id such as P-17.
func ref(r *venue.Report, kind byte, n uint64) {
	r.Ref[1], r.Ref[2] = kind, '-'
	r.Ref[0] = byte(2 + len(strconv.AppendUint(r.Ref[3:3], n, 10)))
}

// fill books q at a price on the order and reports it. The price has a fee that Cash can hold.
func (g *Gateway) fill(p *pit, o *rest, price fixed.Price, q fixed.Qty, flags uint8, at venue.Nanos) {
	o.cum += q
	g.trades++
	g.counts.Fills++
	if flags&venue.Maker != 0 {
		g.counts.MakerFills++
	}
	fee, ccy, ok := g.fee(p.in, price, q, flags)
	if !ok {
		panic("paper: a fill whose fee was not checked")
	}
	r := g.report(p, o, venue.Fill, at)
	r.Flags, r.Fill, r.Price, r.Fee, r.FeeCcy = flags, q, price, fee, ccy
	ref(r, 'P', g.trades)
}

// fee is what the venue charges, rounded against us: a fee up, a rebate down. ok is false when Cash cannot hold it.
func (g *Gateway) fee(in *venue.Instrument, price fixed.Price, q fixed.Qty, flags uint8) (fixed.Cash, venue.Ccy, bool) {
	rate := in.Fees.Taker
	if flags&venue.Maker != 0 {
		rate = in.Fees.Maker
	}
	how := fixed.Up
	if rate < 0 {
		how = fixed.Down
	}
	var worth fixed.Cash
	var ok bool
	ccy := in.Quote
	switch {
	case in.Fees.In == venue.FeeInBase, in.Fees.In == venue.FeeInSettle && in.Contract == venue.Inverse:
		ccy = in.Base
		worth, ok = in.Coin(price, q, how)
	default:
		worth, ok = in.Notional(price, q, how)
	}
	if in.Fees.In == venue.FeeInSettle {
		ccy = in.Settle
	}
	if !ok {
		return 0, 0, false
	}
	fee, ok := rate.Apply(worth, fixed.Up)
	return fee, ccy, ok
}
