package orders_test

import (
	"slices"

	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/engine/orders"
)

// next hears of a move and what it leads to; fault is what it broke already, "" for nothing.
type next func(what string, to *state, fault string)

// moves tells all that can happen next.
func (r *rig) moves(s *state, tell next) {
	switch {
	case s.down:
		r.recover(s, tell)
	case !s.unanswered():
		r.decide(s, tell)
	}
	if !s.down && s.used.orders > 0 && s.used.restarts < r.max.restarts {
		r.restart(s, tell)
	}
	r.venue(s, tell)
	for i, w := range s.says {
		if w == (word{}) || i > 0 && w == s.says[i-1] {
			continue
		}
		r.hear(s, i, tell)
		if s.used.lost < r.max.lost && w.kind != venue.SentReport && !s.down {
			to := *s
			to.used.lost++
			to.drop(i)
			to.misses(w)
			r.doubts(&to, tell, "lost: "+w.kind.String(), w.of)
		}
	}
	if s.used.lost < r.max.lost && s.used.lost == 0 && !s.down && (s.says[0] != (word{}) || s.asks[0] != (ask{})) {
		r.disconnect(s, tell)
	}
	for k := range int8(most) {
		if s.each[k].doubt != 0 && !s.down && !s.unanswered() {
			r.ask(s, k, tell)
		}
	}
}

// unanswered: the gateway's own word of a command is under way. It comes before the engine decides again, and before what
// the gateway finds out of its doubt; what the venue says may come first.
func (s *state) unanswered() bool {
	return slices.ContainsFunc(s.says[:], func(w word) bool { return w.kind == venue.SentReport })
}

// decide is what the engine may do of itself: place, cancel, amend, and give up waiting.
func (r *rig) decide(s *state, tell next) {
	if k := s.used.orders; k < r.max.orders && s.table.Free {
		for _, sent := range [...]venue.Sent{venue.NotSent, venue.Out, venue.Maybe} {
			to := *s
			to.used.orders++
			r.tab.Load(&to.table)
			c := venue.Command{Op: venue.New, Type: venue.Limit, TIF: venue.GTC, Side: venue.Buy, Inst: 1, Venue: 1, Price: price, Qty: size, Decided: 1}
			if !r.tab.Open(&c) {
				continue
			}
			for i := range k {
				if s.each[i].client >= c.Client {
					tell("place", &to, "a client id is used again")
				}
			}
			to.table, to.each[k].client = r.tab.Save(), c.Client
			if r.max.restarts > 0 {
				to.kept = orders.Placed(&c)
			}
			r.submit(&to, ask{op: venue.New, of: k}, sent, "place: ", tell)
		}
	}
	o, k := &s.table.Order, s.held()
	if k < 0 || o.State.Done() {
		return
	}
	if s.used.cancels < r.max.cancels {
		r.request(s, k, venue.Cancel, ask{op: venue.Cancel, of: k}, tell)
	}
	if n := s.used.amends; n < r.max.amends {
		r.request(s, k, venue.Amend, ask{op: venue.Amend, of: k, amend: n + 1, qty: [...]int8{3, 1}[n], price: [...]int8{price + 1, price - 1}[n]}, tell)
	}
	if s.used.timeouts < r.max.timeouts && orders.Overdue(o, venue.Second, 1) {
		to := *s
		to.used.timeouts++
		r.tab.Load(&to.table)
		if r.tab.TimeOut(r.d.Order(1)) {
			to.table = r.tab.Save()
			tell("the engine waits no longer", &to, "")
		}
	}
}

// held is the order in the slot, −1 for none.
func (s *state) held() int8 {
	for k := range int8(most) {
		if c := s.each[k].client; c != 0 && c == s.table.Order.Client {
			return k
		}
	}
	return -1
}

// request asks for a cancel or an amend.
func (r *rig) request(s *state, k int8, op venue.Op, a ask, tell next) {
	for _, sent := range [...]venue.Sent{venue.NotSent, venue.Out, venue.Maybe} {
		to := *s
		r.tab.Load(&to.table)
		c := venue.Command{Op: op, Inst: 1, Venue: 1, Target: s.table.Order.Client, Price: fixed.Price(a.price), Qty: fixed.Qty(a.qty), Decided: 1}
		if !r.tab.Ask(&c) {
			return
		}
		if op == venue.Cancel {
			to.used.cancels++
		} else {
			to.used.amends++
			to.amends[a.amend] = c.Client
			if s.table.Order.State == desk.Unknown {
				tell("amend", &to, "an order of unknown fate is amended")
			}
		}
		to.table = r.tab.Save()
		if r.max.restarts > 0 {
			orders.Asked(&to.kept, &c)
		}
		r.submit(&to, a, sent, op.String()+": ", tell)
	}
}

// submit is the gateway's answer to a command: it never left, it left, or it may have, and then the venue has it or not.
func (r *rig) submit(to *state, a ask, sent venue.Sent, what string, tell next) {
	if !to.put(word{kind: venue.SentReport, of: a.of, sent: sent, op: a.op}) {
		return
	}
	what += sent.String()
	if sent == venue.Maybe {
		gone := *to
		gone.each[a.of].doubts(a)
		tell(what+", and gone", &gone, "")
		to.each[a.of].doubts(a)
	}
	if sent != venue.NotSent && !to.send(a) {
		return
	}
	tell(what, to, "")
}

// doubts notes that the gateway does not know what became of a command.
func (l *life) doubts(a ask) {
	switch a.op {
	case venue.New:
		l.doubt |= ofNew
	case venue.Cancel:
		l.doubt |= ofCancel
	case venue.Amend:
		l.doubt |= ofAmend
		l.doubted = max(l.doubted, a.amend) // the last one: an earlier has been answered
	}
}

// venue is what the venue may do: take a command, fill, expire.
func (r *rig) venue(s *state, tell next) {
	for i, a := range s.asks {
		if a == (ask{}) || i > 0 && a == s.asks[i-1] {
			continue
		}
		to := *s
		to.arrive(i)
		r.take(&to, a, tell)
		if s.used.lost < r.max.lost && !s.down {
			to := *s
			to.used.lost++
			to.arrive(i)
			to.each[a.of].doubts(a)
			if to.put(word{kind: venue.SentReport, of: a.of, sent: venue.Maybe, op: a.op}) {
				tell("lost on its way: "+a.op.String(), &to, "")
			}
		}
	}
	for k := range int8(most) {
		l := &s.each[k]
		if !l.open {
			continue
		}
		if !r.max.still {
			r.trade(s, k, tell)
		}
		if s.used.whims == r.max.whims {
			continue
		}
		to := *s
		to.used.whims++
		to.each[k].open, to.each[k].end = false, venue.Expired
		if to.put(word{kind: venue.Expired, of: k, cum: l.cum}) {
			tell("the venue expires it", &to, "")
		}
	}
}

// trade fills one of an open order.
func (r *rig) trade(s *state, k int8, tell next) {
	to := *s
	x := &to.each[k]
	x.cum++
	if x.cum == x.qty {
		x.open = false
	}
	w := word{kind: venue.Fill, of: k, cum: x.cum, trade: x.cum, open: x.qty, price: x.price}
	if r.max.totals {
		w.flags, w.trade = venue.CumulativeOnly, 0
	}
	if to.put(w) {
		tell("the venue fills", &to, "")
	}
}

// take is the venue's answer to a command, which it may refuse.
func (r *rig) take(to *state, a ask, tell next) {
	l := &to.each[a.of]
	say := func(what string, w word) {
		if w.of = a.of; to.put(w) {
			tell("the venue "+what, to, "")
		}
	}
	refused := *to
	refused.used.whims++
	may := to.used.whims < r.max.whims
	switch {
	case a.op == venue.New:
		x := &refused.each[a.of]
		x.known, x.end = true, venue.RejectedReport
		if may && refused.put(word{kind: venue.RejectedReport, of: a.of}) {
			tell("the venue refuses it", &refused, "")
		}
		l.known, l.open, l.qty, l.price = true, true, size, price
		say("takes it", word{kind: venue.Ack, open: size, price: price})
	case a.op == venue.Cancel && l.open:
		l.open, l.end = false, venue.Cancelled
		say("cancels it", word{kind: venue.Cancelled, cum: l.cum})
	case a.op == venue.Cancel:
		say("finds nothing to cancel", word{kind: venue.CancelRejected})
	case l.open && a.qty > l.cum:
		if may && refused.put(word{kind: venue.AmendRejected, of: a.of, amend: a.amend}) {
			tell("the venue refuses the amend", &refused, "")
		}
		l.qty, l.price, l.took, l.name = a.qty, a.price, l.took|1<<a.amend, a.amend
		say("amends it", word{kind: venue.Amended, open: a.qty, price: a.price, cum: l.cum, amend: a.amend})
	default:
		say("finds nothing to amend", word{kind: venue.AmendRejected, amend: a.amend})
	}
}

// misses notes what the gateway is in doubt of when a report does not come.
func (s *state) misses(w word) {
	l := &s.each[w.of]
	switch w.kind {
	case venue.Ack:
		l.doubt |= ofNew
	case venue.CancelRejected:
		l.doubt |= ofCancel
	case venue.Amended, venue.AmendRejected:
		l.doubt |= ofAmend
		l.doubted = max(l.doubted, w.amend)
	case venue.Cancelled:
		l.doubt |= ofCancel | ofStream
	case venue.RejectedReport, venue.NotFound:
		l.doubt |= ofNew | ofStream
	default:
		l.doubt |= ofStream
	}
}

// doubts lets the gateway say once, of each request without an answer, that it may have left.
func (r *rig) doubts(to *state, tell next, what string, k int8) {
	for bit, op := range map[uint8]venue.Op{ofNew: venue.New, ofCancel: venue.Cancel, ofAmend: venue.Amend} {
		if to.each[k].doubt&bit == 0 {
			continue
		}
		if !to.put(word{kind: venue.SentReport, of: k, sent: venue.Maybe, op: op}) {
			return
		}
	}
	tell(what, to, "")
}

// disconnect loses every report under way, and no command or all of them.
func (r *rig) disconnect(s *state, tell next) {
	for _, all := range [...]bool{false, true} {
		to := *s
		to.used.lost++
		for i := lines - 1; i >= 0; i-- {
			if w := to.says[i]; w != (word{}) && w.kind != venue.SentReport {
				to.drop(i)
				to.misses(w)
			}
		}
		for all && to.asks[0] != (ask{}) {
			to.each[to.asks[0].of].doubts(to.asks[0])
			to.arrive(0)
		}
		r.doubts(&to, tell, "the connection ends", 0)
	}
}

// ask lets the gateway ask the venue for an order that it is in doubt of, and say what it learns.
func (r *rig) ask(s *state, k int8, tell next) {
	to := *s
	l := &to.each[k]
	said := true
	say := func(w word) {
		w.of, w.flags = k, w.flags|venue.Recovered
		said = said && to.put(w)
	}
	doubt := l.doubt
	l.doubt = 0
	if !l.known {
		if s.asked(k, venue.New) {
			l.doubt = doubt // it may still be accepted
			say(word{kind: venue.NotFound})
		} else {
			say(word{kind: venue.NotFound, proves: true})
		}
	} else {
		r.trades(l, say)
		if l.open {
			say(word{kind: venue.Ack, open: l.qty, price: l.price, cum: l.cum})
		}
		if l.end != 0 {
			say(word{kind: l.end, cum: l.cum})
		}
	}
	if doubt&ofAmend != 0 && l.known {
		switch {
		case s.asked(k, venue.Amend):
			l.doubt |= ofAmend
		case l.took&(1<<l.doubted) != 0:
			say(word{kind: venue.Amended, open: l.qty, price: l.price, cum: l.cum, amend: l.doubted})
		default:
			say(word{kind: venue.AmendRejected, amend: l.doubted})
		}
	}
	if said {
		tell("the gateway asks for it", &to, "")
	}
}

// trades says all fills of an order.
func (r *rig) trades(l *life, say func(word)) {
	if r.max.totals {
		if l.cum > 0 {
			say(word{kind: venue.Fill, flags: venue.CumulativeOnly, cum: l.cum, open: l.qty, price: l.price})
		}
		return
	}
	for n := int8(1); n <= l.cum; n++ {
		say(word{kind: venue.Fill, cum: n, trade: n, open: l.qty, price: l.price})
	}
}

// hear brings one report to the engine, which may come again.
func (r *rig) hear(s *state, i int, tell next) {
	to := *s
	w := s.says[i]
	to.drop(i)
	fault := ""
	if !s.down { // while it recovers, recover takes them
		fault = r.apply(&to, w)
		tell("heard: "+w.kind.String(), &to, fault)
		if s.used.doubled < r.max.doubled && w.kind != venue.SentReport {
			to.used.doubled++
			if to.put(w) {
				tell("heard, and comes again: "+w.kind.String(), &to, fault)
			}
		}
	}
}

// report is a word as the engine takes it.
func (r *rig) report(s *state, w word) venue.Report {
	p := venue.Report{Kind: w.kind, Flags: w.flags, Venue: 1, Inst: 1, Slot: 1, Client: s.each[w.of].client, Recv: 1, Cum: fixed.Qty(w.cum), Open: fixed.Qty(w.open), Price: fixed.Price(w.price)}
	switch w.kind {
	case venue.SentReport:
		p.Flags, p.Seq = uint8(w.sent), uint64(w.op)
	case venue.Fill:
		p.Fill = 1
		if w.trade != 0 {
			p.SetRef([]byte{'t', '0' + byte(w.of), '0' + byte(w.trade)})
		}
	case venue.Ack:
		p.SetRef([]byte{'o', '0' + byte(w.of)})
	case venue.Amended, venue.AmendRejected:
		p.Seq = s.amends[w.amend]
	}
	if w.proves {
		p.Reason = venue.Timeout
	}
	return p
}

// apply is what the engine does with a report: fills that are known change nothing, as the ledger knows them by trade id.
func (r *rig) apply(to *state, w word) (fault string) {
	r.tab.Load(&to.table)
	p, l := r.report(to, w), &to.each[w.of]
	o := r.tab.Lookup(&p)
	if w.kind == venue.Fill {
		bit := uint8(1) << w.trade
		known := w.trade != 0 && l.seen&bit != 0
		switch {
		case o == nil && (known || w.trade == 0 && w.cum <= l.booked):
			return ""
		case o == nil:
			return "a fill finds no order"
		case known || orders.Increment(o, &p) <= 0:
			return ""
		case w.trade != 0:
			l.seen |= bit
		}
	}
	if r.max.restarts > 0 && (w.kind != venue.SentReport || w.sent == venue.NotSent) {
		orders.Advance(&to.kept, &p)
	}
	e := r.tab.Apply(&p, 1)
	l.booked += int8(e.Fill)
	to.table = r.tab.Save()
	return ""
}
