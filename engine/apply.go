package engine

import (
	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/engine/audit"
	"oneprice/engine/orders"
	"oneprice/risk"
	"oneprice/risk/stops"
)

// events applies whole messages to the books.
func (e *Engine) events(ev []venue.Event) {
	e.counts.Events += uint64(len(ev))
	for i := 0; i < len(ev); {
		x := &ev[i]
		n := 1
		switch x.Kind {
		case venue.Head:
			n += x.Count()
			e.trust(x.Inst, e.d.Books[x.Inst].Apply(ev[i:i+n]))
			e.heard(x.Inst)
		case venue.Touch:
			e.trust(x.Inst, e.d.Books[x.Inst].ApplyTouch(x))
		case venue.Gap:
			e.each(x, func(b *books.Book) books.Outcome { return b.Invalidate(venue.Reason(x.W[0])) })
		case venue.Alive:
			// A heartbeat of the whole connection proves the socket, not a book: one stream may freeze beneath it.
			if x.Inst != 0 {
				e.d.Books[x.Inst].Alive(x.Seen())
				e.heard(x.Inst)
			}
		case venue.Trade: // for taps; trades have a stream of their own and prove nothing of the book
		default:
			e.control(x)
		}
		i += n
	}
	e.fx()
}

// each applies f to the book that x names, or to every book of its venue.
func (e *Engine) each(x *venue.Event, f func(*books.Book) books.Outcome) {
	if x.Inst != 0 {
		e.trust(x.Inst, f(e.d.Books[x.Inst]))
		return
	}
	for _, in := range e.d.Instruments[1:] {
		if in.Venue == x.Venue {
			e.trust(in.Inst, f(e.d.Books[in.Inst]))
		}
	}
}

// control applies everything that is not market data.
func (e *Engine) control(x *venue.Event) {
	switch x.Kind {
	case venue.StatusChange:
		e.status(x)
	case venue.TickChange:
		e.rules(x)
	case venue.FeeChange:
		e.fees(x)
	case venue.ClockIs:
		e.clock(x)
	case venue.FX:
		e.d.FX[x.W[0]] = desk.FXRate{Bid: fixed.Rate(x.W[2]), Ask: fixed.Rate(x.W[3]), At: venue.Nanos(x.W[4])}
	case venue.Room:
		e.gate.Room(x.N, x.W[0] != 0)
	case venue.Operator:
		e.operator(x)
	case venue.End:
		e.ended = true
	}
}

// fx takes exchange rates from the books that changed and are Live.
func (e *Engine) fx() {
	for _, s := range e.cfg.FX {
		if !e.changed[s.Inst] {
			continue
		}
		b := e.d.Books[s.Inst]
		if b.State() != books.Live {
			continue
		}
		bid, ask := b.Best(venue.Buy), b.Best(venue.Sell)
		if bid.Qty == 0 || ask.Qty == 0 {
			continue
		}
		scale := b.Instrument().PriceScale
		lo, ok1 := fixed.Rescale(int64(bid.Price), scale, fixed.RateScale, fixed.Down)
		hi, ok2 := fixed.Rescale(int64(ask.Price), scale, fixed.RateScale, fixed.Up)
		if ok1 && ok2 {
			e.d.FX[s.Ccy] = desk.FXRate{Bid: fixed.Rate(lo), Ask: fixed.Rate(hi), At: b.Recv()}
		}
	}
}

// report books one record of the private side: ledger before orders, since the ledger knows what has been booked before.
func (e *Engine) report(r *venue.Report) {
	e.counts.Reports++
	rec := e.record()
	rec.SetReport(r)
	if r.Kind == venue.Balance || r.Kind == venue.PositionIs {
		rec.Reason = e.stated(r)
		return
	}
	o := e.orders.Lookup(r)
	if o == nil {
		e.orders.Apply(r, e.d.Now) // counted as an orphan
		whose := e.whose(r)
		rec.Reason = whose
		if r.Kind == venue.Fill && (e.ledger.Known(r) || e.orders.Told(r)) {
			rec.Reason = venue.Duplicate
			e.counts.Duplicates++
			return
		}
		e.gate.OnReport(r, nil, e.d)
		if r.Kind == venue.Fill {
			e.reduceOnly(whose)
		}
		e.astray(r, whose)
		return
	}
	rec.SetOf(o)
	if r.Kind == venue.Fill {
		if why := e.book(r, o); why != venue.OK {
			rec.Reason = why
			return
		}
	}
	e.orders.Apply(r, e.d.Now)
	if r.Kind == venue.RejectedReport && o.Role == venue.RoleStop {
		e.hindered(o.Inst, r.Reason)
	}
	e.gate.OnReport(r, o, e.d)
	e.gate.Refresh(o.Inst, e.d)
	e.touch(o.Inst)
}

// book moves a fill into the ledger and its plan. It answers Duplicate, with nothing booked, for a fill seen before.
func (e *Engine) book(r *venue.Report, o *desk.Order) venue.Reason {
	f := *r
	f.Fill = orders.Increment(o, r) // a cumulative report has no increment of its own
	if f.Fill <= 0 {
		return venue.Duplicate
	}
	switch why := e.ledger.Fill(&f, o.Side); why {
	case venue.OK:
		e.booked(r.Inst, r.FeeCcy)
	case venue.Duplicate:
		e.counts.Duplicates++
		return why
	default:
		e.reduceOnly(why)
	}
	if o.Plan != 0 && r.Finality != venue.Reversed {
		e.legs.Fill(o, f.Fill)
	}
	return venue.OK
}

// reduceOnly is what a fill that cannot be booked leads to: positions are untrue, and no new risk may be taken on them.
func (e *Engine) reduceOnly(why venue.Reason) {
	e.gate.OnOperator(venue.OpReduceOnly, 0, e.d.Now)
	e.record().SetOperator(venue.OpReduceOnly, 0, 0, why)
}

// time does what the passing of time asks for.
func (e *Engine) time() {
	now := e.d.Now
	if now >= e.nextMark {
		e.nextMark = now + e.cfg.MarkEvery
		e.gate.Mark(e.d)
		e.gate.OnWorth(e.ledger.Worth(), now)
	}
	if now < e.nextLook {
		return
	}
	e.nextLook = now + e.cfg.SweepEvery
	e.breakers()
	e.note(now)
	e.differing()
	e.flattened()
	for _, in := range e.d.Instruments[1:] {
		e.age(in.Inst, now)
		for _, s := range e.d.Live[in.Inst] {
			o := &e.d.Orders[s]
			if orders.Overdue(o, now, e.cfg.AnswerWithin) {
				e.overdue(o)
			}
			if e.unwanted(o) && e.outlives(o) {
				e.cancel(o)
			}
		}
	}
}

// noteEvery is how often what is in use of limits is kept for a restart: a killed process has lost no more of it.
const noteEvery = 200 * venue.Millisecond

// note leaves in out what a restart must know of limits.
func (e *Engine) note(now venue.Nanos) {
	if now < e.nextNote {
		return
	}
	e.nextNote = now + noteEvery
	e.notes = e.gate.Notes(e.notes[:0])
	for i := range e.notes {
		e.out.Keeps = append(e.out.Keeps, stops.Keep{Name: e.notes[i].Name, Value: e.notes[i].Value})
	}
}

// overdue makes an order Unknown for want of an answer, and records it.
func (e *Engine) overdue(o *desk.Order) {
	op := venue.New
	switch o.State {
	case desk.PendingCancel:
		op = venue.Cancel
	case desk.PendingAmend:
		op = venue.Amend
	}
	if !e.orders.TimeOut(o) {
		return
	}
	e.resend(o)
	rec := e.record()
	rec.SetReport(&venue.Report{Kind: venue.SentReport, Flags: uint8(venue.Maybe), Venue: o.Venue, Inst: o.Inst, Slot: o.Slot,
		Client: o.Client, Reason: venue.Timeout, Recv: e.d.Now, Seq: uint64(op)})
	rec.SetOf(o)
	e.gate.OnTimeout(o.Venue, e.d.Now)
	e.gate.Refresh(o.Inst, e.d)
	e.touch(o.Inst)
}

// breakers records every breaker that has changed since the last drain.
func (e *Engine) breakers() {
	for v := range e.tripped {
		b := e.gate.Breaker(venue.ID(v))
		now := b.State(e.d.Now)
		if now == e.tripped[v] {
			continue
		}
		e.tripped[v] = now
		var until venue.Nanos
		if left := b.Left(e.d.Now); now == risk.Open && left > 0 {
			until = e.d.Now + left
		}
		e.record().SetBreaker(venue.ID(v), audit.BreakerState(now), venue.OK, until)
	}
}

// heard looks at a silent book's age without waiting for the sweep: an order may be decided on it in this very drain, and
// the record must show it Live before.
func (e *Engine) heard(i venue.Inst) {
	if e.silent[i] {
		e.age(i, e.d.Now)
	}
}

// age records when a Live book falls silent and when it speaks again.
func (e *Engine) age(i venue.Inst, now venue.Nanos) {
	b := e.d.Books[i]
	silent := b.State() == books.Live && e.cfg.MaxAge[i] > 0 && now-b.Recv() > e.cfg.MaxAge[i]
	if silent == e.silent[i] {
		return
	}
	e.silent[i] = silent
	e.touch(i)
	if b.State() != books.Live {
		return // the change of state is on record
	}
	state, why := books.Live, venue.OK
	if silent {
		state, why = books.Stale, venue.TooOld
	}
	e.record().SetBook(b.Instrument().Venue, i, state, why, b.Seq())
}
