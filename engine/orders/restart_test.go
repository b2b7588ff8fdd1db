package orders_test

import (
	"fmt"
	"slices"

	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/engine/journal"
	"oneprice/engine/orders"
	"oneprice/engine/recovery"
)

const (
	within = 5 * venue.Second
	plenty = fixed.Cash(1e15)
)

// restart kills the engine. What was said is lost; what was asked arrives, or does not.
func (r *rig) restart(s *state, tell next) {
	for _, all := range [...]bool{false, true} {
		to := *s
		to.used.restarts++
		to.down, to.table, to.says = true, orders.Snapshot{}, [lines]word{}
		for k := range to.each {
			to.each[k].doubt, to.each[k].doubted = 0, 0
		}
		if all && to.asks[0] == (ask{}) {
			continue
		}
		if all {
			to.asks = [len(to.asks)]ask{}
		}
		tell("the engine is killed", &to, "")
	}
}

// recover lets the real recovery judge a whole sweep, with or without what was told meanwhile, and do what it decides:
// cancel, wait, or begin.
func (r *rig) recover(s *state, tell next) {
	for _, told := range [...]bool{false, true} {
		if told && s.says[0] == (word{}) {
			continue
		}
		for _, policy := range [...]recovery.Policy{recovery.Adopt, recovery.Cancel} {
			r.judge(s, told, policy, tell)
		}
	}
}

func (r *rig) judge(s *state, told bool, policy recovery.Policy, tell next) {
	c := r.start(s, policy)
	to := *s
	sweep, heard := r.sweep(s), []venue.Report(nil)
	if told {
		for _, w := range s.says {
			if w != (word{}) {
				heard = append(heard, r.report(s, w))
			}
		}
		to.says = [lines]word{}
	}
	from := 100 * within
	if s.asks[0] != (ask{}) {
		from = 2 // a request may still be accepted
	}
	v := c.Judge(sweep, heard, from)
	if v.Wait > 0 {
		v = c.Judge(sweep, heard, from+1)
	}
	switch what := fmt.Sprintf("recovery (%s, %d told): ", policy, len(heard)); {
	case len(v.Cancel) > 0:
		to = *s // what was told is told again
		if !s.asked(0, venue.Cancel) && to.send(ask{op: venue.Cancel, of: 0}) {
			tell(what+"cancels", &to, "")
		}
	case v.Wait > 0:
	case len(v.Differences) > 0:
		tell(what, &to, "the start is refused: "+v.Differences[0])
	default:
		to.down = false
		for i := range v.News {
			l := &to.each[0]
			l.booked += int8(v.News[i].Fill)
			if ref := v.News[i].RefBytes(); len(ref) > 0 {
				l.seen |= 1 << (ref[2] - '0')
			}
		}
		r.d.Orders[1], r.d.Live[1], r.d.Working[1] = desk.Order{}, r.d.Live[1][:0], desk.Working{}
		r.tab = orders.New(r.d, 2, 100)
		for i := range v.Opening.Orders {
			if !r.tab.Adopt(&v.Opening.Orders[i]) {
				tell(what, &to, "an order cannot be adopted")
			}
		}
		to.table = r.tab.Save()
		tell(what+"begins", &to, "")
	}
}

// start is the case of a start-up: what the journal has.
func (r *rig) start(s *state, policy recovery.Policy) *recovery.Case {
	j := &journal.State{Known: map[journal.Trade]struct{}{}, CheckpointAt: 1, Balances: []journal.Balance{{Venue: "v", Currency: "USD", Amount: plenty}, {Venue: "v", Currency: "X", Amount: plenty}}}
	l := &s.each[0]
	for n := int8(1); n <= 3; n++ {
		if l.seen&(1<<n) != 0 || r.max.totals && n <= l.booked {
			f := journal.Fill{Report: r.report(s, r.fill(n, price)), Side: venue.Buy, VenueName: "v", Instrument: "v:X"}
			if f.Ref[0] != 0 {
				j.Known[f.Trade()] = struct{}{}
			}
			j.Fills = append(j.Fills, f)
		}
	}
	if l.client != 0 && !s.kept.State.Done() {
		j.Orders = []journal.Order{{Order: s.kept, VenueName: "v", Instrument: "v:X"}}
	}
	return &recovery.Case{Names: recovery.Names{Instruments: []*venue.Instrument{nil, r.in}, Venues: []string{"", "v"}, Currencies: []string{"", "USD", "X"}, Reporting: 1},
		State: j, Policy: policy, Shared: []bool{false, true}, Within: within}
}

// fill is the n-th trade of the first order.
func (r *rig) fill(n, price int8) word {
	w := word{kind: venue.Fill, cum: n, trade: n, price: price}
	if r.max.totals {
		w.flags, w.trade = venue.CumulativeOnly, 0
	}
	return w
}

// sweep is all that the venue says when asked for everything.
func (r *rig) sweep(s *state) (out []venue.Report) {
	l := &s.each[0]
	say := func(w word) {
		w.flags |= venue.Recovered
		out = append(out, r.report(s, w))
	}
	if !l.known {
		return nil
	}
	r.trades(l, say)
	if l.open {
		say(word{kind: venue.Ack, open: l.qty, price: l.price, cum: l.cum})
	}
	if l.end != 0 {
		say(word{kind: l.end, cum: l.cum})
	}
	return slices.Clip(out)
}
