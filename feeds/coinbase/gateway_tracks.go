package coinbase

import (
	"context"

	"github.com/shopspring/decimal"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// keptEnded is how many ended orders are remembered, for what the venue says of them late or twice.
const keptEnded = 4096

// phase is an order's status as the venue names it.
type phase uint8

const (
	noPhase phase = iota
	open          // OPEN, PENDING, QUEUED
	cancelQueued
	filled
	cancelled
	expired
	failed
)

// ends reports whether nothing comes after it.
func (s phase) ends() bool { return s >= filled }

// phaseOf reads the venue's word.
func phaseOf(word []byte) phase {
	switch string(word) {
	case "OPEN", "PENDING", "QUEUED":
		return open
	case "CANCEL_QUEUED":
		return cancelQueued
	case "FILLED":
		return filled
	case "CANCELLED":
		return cancelled
	case "EXPIRED":
		return expired
	case "FAILED":
		return failed
	}
	return noPhase
}

// stated is what one message says of an order, from the user channel or from REST alike. Totals are cumulative.
type stated struct {
	id      []byte
	client  uint64
	in      *venue.Instrument
	side    venue.Side
	kind    venue.OrderType
	tif     venue.TIF
	status  phase
	cum     fixed.Qty
	avg     decimal.Decimal // of all fills; zero when it was not said
	fees    decimal.Decimal
	qty     fixed.Qty // total in force, 0 when it was not said
	price   fixed.Price
	reason  venue.Reason // of its end
	at      venue.Nanos
	recv    venue.Nanos
	pending bool // a cancel is on its way at the venue
	old     bool // placed before the connection was there
}

// track is what the gateway knows of one order, of somebody else's with client 0. Guarded by Gateway.mu.
type track struct {
	client uint64
	slot   uint32
	in     *venue.Instrument
	side   venue.Side
	kind   venue.OrderType
	tif    venue.TIF
	price  fixed.Price
	qty    fixed.Qty // total in force
	id     string    // the venue's, "" while it is not known
	born   venue.Nanos
	// until is when the venue can no longer accept its create; misses counts the times that it was not found after that, the
	// last at missed.
	until, missed venue.Nanos
	misses        int

	// What reports have told: the cumulative fill, avg × cum of it, and its fees.
	cum   fixed.Qty
	value decimal.Decimal
	fee   fixed.Cash

	acked, ended bool
	// unsure: a request about it got no answer, so that the venue's next word is news even when it changes nothing.
	unsure bool
	// cancelAsked is when a cancel left, 0 none.
	cancelAsked venue.Nanos
	// An edit of unknown fate: what it asked for, and when the venue can no longer accept it.
	nextPrice fixed.Price
	nextQty   fixed.Qty
	nextUntil venue.Nanos
	nextAsk   uint64 // its client id
}

// begin makes the record of an order that is about to be placed.
func (g *Gateway) begin(c *venue.Command, now venue.Nanos) *track {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := &track{client: c.Client, slot: c.Slot, in: g.insts[c.Inst], side: c.Side, kind: c.Type, tif: c.TIF, price: c.Price, qty: c.Qty, born: now, until: now + g.Accepted}
	g.tracks[c.Client] = t
	return t
}

// find returns the record of an order, nil when there is none. A command tells the slot of an order that was recovered.
func (g *Gateway) find(c *venue.Command) *track {
	t := g.tracks[c.Target]
	if t != nil && t.slot == 0 {
		t.slot = c.Slot
	}
	return t
}

// report makes a report about an order.
func (t *track) report(kind venue.ReportKind, flags uint8, recv, at venue.Nanos) venue.Report {
	return venue.Report{Kind: kind, Flags: flags, Venue: t.in.Venue, Inst: t.in.Inst, Slot: t.slot, Client: t.client, Recv: recv, At: at,
		Cum: t.cum, Price: t.price, Open: t.qty}
}

// say publishes reports; it waits for room as long as ctx lasts. Under mu, which makes it one goroutine's.
func (g *Gateway) say(ctx context.Context, out venue.Reports, rs ...venue.Report) {
	for out != nil && len(rs) > 0 && out.Put(rs) != venue.OK {
		if g.clock.Sleep(ctx, 20*venue.Microsecond) != nil {
			g.count.Unsaid.Add(uint64(len(rs)))
			return
		}
	}
}

// ack tells that the venue has an order, once, and again when a request about it had no answer.
func (g *Gateway) ack(ctx context.Context, out venue.Reports, t *track, id []byte, flags uint8, recv, at venue.Nanos) {
	if t.id == "" {
		t.id = string(id)
		g.byID[t.id] = t
	}
	if t.acked && !t.unsure && flags&venue.Recovered == 0 {
		return
	}
	if !t.acked {
		g.count.Acks.Add(1)
	}
	t.acked, t.unsure = true, false
	r := t.report(venue.Ack, flags, recv, at)
	r.SetRef(id) // a UUID fits
	g.say(ctx, out, r)
}

// book takes what the venue says of an order of ours: it reports what is new in it and nothing twice. Under mu.
func (g *Gateway) book(ctx context.Context, out venue.Reports, s *stated, flags uint8) {
	t := g.adopt(s)
	if t == nil {
		return
	}
	if !t.ended && s.status != failed && s.status != noPhase {
		g.ack(ctx, out, t, s.id, flags, s.recv, s.at)
	}
	g.settleEdit(ctx, out, t, s, flags)
	g.fill(ctx, out, t, s, flags)
	if s.status.ends() && !t.ended {
		g.end(ctx, out, t, s, flags)
	}
}

// adopt returns the record of an order that the venue speaks of; it makes one for an order that this process did not place.
// Nil for an instrument that is not traded here.
func (g *Gateway) adopt(s *stated) *track {
	t := g.tracks[s.client]
	if s.client == 0 {
		t = g.byID[string(s.id)]
	}
	if t == nil {
		if s.in == nil || s.client == 0 && s.old && s.status.ends() {
			return nil
		}
		t = &track{client: s.client, in: s.in, side: s.side, kind: s.kind, tif: s.tif, born: s.at}
		switch {
		case s.client != 0:
			g.tracks[s.client] = t
		case s.old: // of somebody else's, what was filled before is no news
			t.cum, t.value = s.cum, s.avg.Mul(fixed.Decimal(s.cum, s.in.QtyScale))
			t.fee, _ = feesOf(s)
		}
	}
	if t.qty == 0 {
		t.qty = s.qty
	}
	if t.price == 0 {
		t.price = s.price
	}
	return t
}

// settleEdit ends the doubt about an edit whose answer did not come, once the venue states what is in force.
func (g *Gateway) settleEdit(ctx context.Context, out venue.Reports, t *track, s *stated, flags uint8) {
	if t.nextUntil == 0 || t.ended || s.status.ends() {
		return
	}
	if s.price == 0 || s.qty == 0 {
		return // REST will say
	}
	kind := venue.AmendRejected
	switch {
	case s.price == t.nextPrice && s.qty == t.nextQty:
		kind = venue.Amended
		t.price, t.qty = t.nextPrice, t.nextQty
	case s.recv < t.nextUntil:
		return // it may yet be accepted
	}
	t.nextUntil = 0
	r := t.report(kind, flags, s.recv, s.at)
	r.Seq = t.nextAsk
	g.say(ctx, out, r)
}

// fill reports what an order has filled beyond what was told: its price is what makes the average right, and its fee the
// total's growth. Where no price of the product's scale does, two fills at the prices on either side of it do.
func (g *Gateway) fill(ctx context.Context, out venue.Reports, t *track, s *stated, flags uint8) {
	if s.cum <= t.cum {
		return
	}
	more := s.cum - t.cum
	value := s.avg.Mul(fixed.Decimal(s.cum, t.in.QtyScale))
	price, better, part := t.price, fixed.Price(0), fixed.Qty(0) // the worst there can be, where the venue names none
	if s.avg.IsPositive() {
		if p, b, q, ok := derive(value.Sub(t.value), more, t.in, t.side); ok {
			price, better, part = p, b, q
		}
	} else {
		value = t.value.Add(fixed.Decimal(price, t.in.PriceScale).Mul(fixed.Decimal(more, t.in.QtyScale)))
	}
	fee := t.fee
	if total, ok := feesOf(s); ok {
		fee = total
	}
	r := t.report(venue.Fill, flags|venue.CumulativeOnly, s.recv, s.at)
	if t.kind == venue.PostOnly {
		r.Flags |= venue.Maker
	}
	r.FeeCcy = t.in.Quote
	if part > 0 {
		r.Cum, r.Fill, r.Price = t.cum+part, part, better
		g.say(ctx, out, r)
	}
	r.Cum, r.Fill, r.Price, r.Fee = s.cum, more-part, price, fee-t.fee
	t.cum, t.value, t.fee = s.cum, value, fee
	g.count.Fills.Add(1)
	g.say(ctx, out, r)
}

// feesOf is the total of fees that the venue states, false where it states none.
func feesOf(s *stated) (fixed.Cash, bool) {
	total, why := fixed.FromDecimal(s.fees.RoundCeil(fixed.CashScale), fixed.CashScale)
	return fixed.Cash(total), why == fixed.OK && !s.fees.IsZero()
}

// derive finds the price at which qty is worth value, rounded against us to the product's scale, and how much of qty must
// have had the next better price for the sum to be right, rounded against us as well. Digits of the quotient far beyond the
// scale are noise of the venue's own rounding of averages and are dropped first. ok is false when the result is no price.
func derive(value decimal.Decimal, qty fixed.Qty, in *venue.Instrument, side venue.Side) (price, better fixed.Price, part fixed.Qty, ok bool) {
	scale := int32(in.PriceScale)
	exact := value.DivRound(fixed.Decimal(qty, in.QtyScale), scale+9).Round(scale + 6)
	worse, step := exact.RoundCeil(scale), fixed.Price(-1)
	if side == venue.Sell {
		worse, step = exact.RoundFloor(scale), 1
	}
	v, why := fixed.FromDecimal(worse, in.PriceScale)
	if why != fixed.OK || v <= 0 {
		return 0, 0, 0, false
	}
	price = fixed.Price(v)
	// Of qty units of the quantity, off ÷ 1 is the share that had the better price; off is below one step of the price.
	off := worse.Sub(exact).Abs().Shift(scale)
	part = fixed.Qty(off.Mul(decimal.NewFromInt(int64(qty))).Floor().IntPart())
	return price, price + step, part, price+step > 0
}

// end ends an order.
func (g *Gateway) end(ctx context.Context, out venue.Reports, t *track, s *stated, flags uint8) {
	doubt := t.nextUntil != 0
	t.ended, t.unsure, t.nextUntil = true, false, 0
	g.forget(t)
	if s.status == failed {
		g.count.Rejects.Add(1)
	}
	g.sayEnd(ctx, out, t, s, flags, doubt)
}

// sayEnd reports how an order ended. One that is filled whole has ended with its last Fill, unless an edit was in doubt.
func (g *Gateway) sayEnd(ctx context.Context, out venue.Reports, t *track, s *stated, flags uint8, doubt bool) {
	kind, why := venue.Cancelled, s.reason
	switch {
	case s.status == filled:
		if t.cum >= t.qty && !doubt {
			return
		}
		t.qty = t.cum // whatever became of an edit, nothing more will come
		kind, why = venue.Amended, venue.OK
	case s.status == failed:
		kind = venue.RejectedReport
		if why == venue.OK {
			why = venue.VenueRejected
		}
	case s.status == expired:
		kind = venue.Expired
	case t.tif != venue.GTC && t.tif != venue.NoTIF && why != venue.SelfTradePrevented:
		kind, why = venue.Expired, venue.OK
		if t.cum == 0 {
			why = venue.Unfilled
		}
	case why == venue.OK:
		why = venue.VenueCancel
		if t.cancelAsked != 0 {
			why = venue.UserCancel
		}
	}
	r := t.report(kind, flags, s.recv, s.at)
	r.Reason = why
	g.say(ctx, out, r)
}

// forget lets go of the order that ended longest ago, once enough of them are remembered.
func (g *Gateway) forget(t *track) {
	g.ended = append(g.ended, t)
	if len(g.ended) <= keptEnded {
		return
	}
	old := g.ended[0]
	g.ended = g.ended[1:]
	delete(g.byID, old.id)
	if g.tracks[old.client] == old {
		delete(g.tracks, old.client)
	}
}

// drop ends the record of an order that the venue refused or never got.
func (g *Gateway) drop(ctx context.Context, out venue.Reports, t *track, why venue.Reason, now venue.Nanos) {
	s := stated{status: failed, reason: why, recv: now, at: now}
	if !t.ended {
		g.end(ctx, out, t, &s, 0)
	}
}
