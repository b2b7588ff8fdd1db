package sim

import (
	"context"
	"strconv"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// order is the truth about one order that may have reached its venue.
type order struct {
	c        venue.Command
	price    fixed.Price
	qty, cum fixed.Qty
	arrived  bool
	done     bool
	// end is the report that ended it.
	end venue.ReportKind
	why venue.Reason
	// amends that travel, newest last.
	amends []venue.Command
}

// most is what may still fill, at the worst of what stands and what travels.
func (o *order) most() fixed.Qty {
	if o.done {
		return 0
	}
	q := o.qty
	for i := range o.amends {
		q = max(q, o.amends[i].Qty)
	}
	return max(q-o.cum, 0)
}

// trip is one command on its way.
type trip struct {
	at venue.Nanos
	c  venue.Command
}

// letter is one report on its way back.
type letter struct {
	at venue.Nanos
	r  venue.Report
}

// Submit answers as a bad gateway would. The record of a new order must be queued by now.
func (w *world) Submit(c *venue.Command) venue.Sent {
	w.commanded(c)
	n := w.r.IntN(100)
	if w.tame {
		n = 100
	}
	switch {
	case n < 4:
		return venue.NotSent
	case n < 8: // nothing of it arrives, and nobody knows
		w.sent(c, false)
		return venue.Maybe
	case n < 12:
		w.sent(c, true)
		return venue.Maybe
	case n < 14: // handed over and lost
		w.sent(c, false)
		return venue.Out
	}
	w.sent(c, true)
	return venue.Out
}

func (w *world) sent(c *venue.Command, arrives bool) {
	if c.Op == venue.New {
		o := &order{c: *c, price: c.Price, qty: c.Qty, done: !arrives, end: venue.Expired, why: venue.Late}
		w.orders[c.Client] = o
		w.list = append(w.list, o)
	}
	if o := w.orders[c.Target]; c.Op == venue.Amend && arrives && o != nil && !o.done {
		o.amends = append(o.amends, *c)
	}
	if arrives {
		w.out = append(w.out, trip{w.now + venue.Nanos(w.r.Int64N(int64(40*venue.Millisecond))), *c})
	}
}

// trade lets everything that has arrived by now happen at the venues.
func (w *world) trade() {
	rest := w.out[:0]
	for _, t := range w.out {
		if t.at <= w.now {
			w.arrive(&t.c)
		} else {
			rest = append(rest, t)
		}
	}
	w.out = rest
	for _, o := range w.list {
		if !o.arrived || o.done {
			continue
		}
		switch n := w.r.IntN(100); {
		case n < 6:
			w.fill(o, false)
		case n == 6 && !w.tame:
			w.end(o, venue.Cancelled, venue.VenueCancel)
		}
	}
}

func (w *world) arrive(c *venue.Command) {
	if c.Op == venue.New {
		o := w.orders[c.Client]
		w.require(!o.arrived, "order %d arrived twice", c.Client)
		w.place(o)
		return
	}
	o := w.orders[c.Target]
	if o == nil { // the order itself never left
		o = &order{c: *c, done: true}
		o.c.Client = c.Target
	}
	if c.Op == venue.Amend {
		for i := range o.amends {
			if o.amends[i].Client == c.Client {
				o.amends = append(o.amends[:i], o.amends[i+1:]...)
				break
			}
		}
	}
	switch {
	case o.done || !o.arrived:
		kind := venue.CancelRejected
		if c.Op == venue.Amend {
			kind = venue.AmendRejected
		}
		w.answer(o, c, kind, venue.UnknownTarget)
	case c.Op == venue.Cancel:
		w.end(o, venue.Cancelled, venue.UserCancel)
	case c.Qty <= o.cum || w.r.IntN(5) == 0:
		w.answer(o, c, venue.AmendRejected, venue.VenueRejected)
	default:
		o.qty, o.price = c.Qty, c.Price
		w.answer(o, c, venue.Amended, venue.OK)
	}
}

func (w *world) place(o *order) {
	o.arrived = true
	if w.r.IntN(20) == 0 && !w.tame {
		w.end(o, venue.RejectedReport, venue.VenueRejected)
		return
	}
	w.report(o, venue.Ack, venue.OK)
	if o.c.TIF == venue.GTC {
		return
	}
	switch w.r.IntN(3) {
	case 0:
		w.fill(o, true)
	case 1:
		w.fill(o, false)
	}
	if !o.done {
		why := venue.OK
		if o.cum == 0 {
			why = venue.Unfilled
		}
		w.end(o, venue.Expired, why)
	}
}

// fill trades a part of an order, or all of it.
func (w *world) fill(o *order, whole bool) {
	lot := w.markets[o.c.Inst].in.Lot
	q := o.qty - o.cum
	if !whole {
		q = min(q, lot*fixed.Qty(1+w.r.IntN(300)))
	}
	o.cum += q
	w.trades++
	w.truth[o.c.Inst] += fixed.Qty(o.c.Side.Sign()) * q
	if o.cum >= o.qty {
		o.done, o.end = true, venue.Fill
	}
	r := w.about(o, venue.Fill)
	r.Fill, r.Price = q, o.price
	fee, ok := w.markets[o.c.Inst].in.Notional(o.price, q, fixed.Down)
	w.require(ok, "a fill of %d at %d is beyond cash", q, o.price)
	r.Fee, r.FeeCcy = fee/10_000, usd
	if o.c.Inst == coinA {
		r.Fee, r.FeeCcy = 17, btc
	}
	if w.r.IntN(4) == 0 {
		r.Fee = -r.Fee
	}
	r.SetRef(strconv.AppendUint([]byte("T"), w.trades, 10))
	w.mail(r)
}

func (w *world) end(o *order, kind venue.ReportKind, why venue.Reason) {
	o.done, o.end, o.why = true, kind, why
	w.report(o, kind, why)
}

// about is a report of how an order stands.
func (w *world) about(o *order, kind venue.ReportKind) venue.Report {
	return venue.Report{Kind: kind, Venue: o.c.Venue, Inst: o.c.Inst, Slot: o.c.Slot, Client: o.c.Client, Cum: o.cum, Open: o.qty, Price: o.price, At: w.now}
}

func (w *world) report(o *order, kind venue.ReportKind, why venue.Reason) {
	r := w.about(o, kind)
	r.Reason = why
	if kind == venue.Ack {
		r.SetRef(strconv.AppendUint([]byte("O"), o.c.Client, 10))
	}
	w.mail(r)
}

// answer is a report on a cancel or amend.
func (w *world) answer(o *order, c *venue.Command, kind venue.ReportKind, why venue.Reason) {
	r := w.about(o, kind)
	r.Reason, r.Seq = why, c.Client
	w.mail(r)
}

// mail sends a report on its way: late, out of order, twice, or only with the next sweep.
func (w *world) mail(r venue.Report) {
	delay := func(most venue.Nanos) venue.Nanos { return w.now + venue.Nanos(w.r.Int64N(int64(most))) }
	n := w.r.IntN(100)
	if w.tame {
		n = 100
	}
	switch {
	case n < 5:
		r.Flags |= venue.Recovered
		w.back = append(w.back, letter{delay(8 * venue.Second), r})
		return
	case n < 12:
		w.back = append(w.back, letter{delay(20 * venue.Second), r})
	}
	most := 30 * venue.Millisecond
	if n > 95 {
		most = 2 * venue.Second
	}
	w.back = append(w.back, letter{delay(most), r})
}

// sweep asks every venue how the orders stand: what stands is acknowledged, what has ended says so once more.
func (w *world) sweep() {
	for _, o := range w.list {
		known := w.m.desk.Order(o.c.Slot)
		if known.Client != o.c.Client || known.State.Done() {
			continue
		}
		switch {
		case !o.done && o.arrived:
			w.report(o, venue.Ack, venue.OK)
		case o.done && o.end != venue.Fill && w.now > o.c.NotAfter+venue.Second:
			w.report(o, o.end, o.why)
		case o.done && o.end == venue.Fill && len(o.amends) == 0: // whatever became of an amend
			w.report(o, venue.Amended, venue.OK)
		}
	}
}

// post delivers what has arrived by now.
func (w *world) post() {
	rest := w.back[:0]
	for _, l := range w.back {
		if l.at > w.now {
			rest = append(rest, l)
			continue
		}
		l.r.Recv = w.now
		w.require(w.reports.Put([]venue.Report{l.r}) == venue.OK, "the report ring is full")
		if l.r.Kind == venue.Fill {
			w.told(&l.r)
		}
	}
	w.back = rest
}

// Sweep is not used: the simulation drives the venue itself.
func (w *world) Sweep(context.Context, venue.Nanos, venue.Reports) error { return nil }

// Resync is asked by the loop; the snapshot comes when it comes.
func (w *world) Resync(i venue.Inst) {
	w.markets[i].asked = w.now + venue.Nanos(w.r.Int64N(int64(200*venue.Millisecond)))
}
