package krakensim

import (
	"encoding/json"
	"fmt"

	"oneprice/books/fixed"
	"oneprice/books/match"
	"oneprice/books/venue"
	"oneprice/feeds/venuesim"
)

// step of an action's cost by the age of its order, in counts.
func amendCost(age venue.Nanos) int64 {
	switch {
	case age < 5*venue.Second:
		return 4
	case age < 10*venue.Second:
		return 3
	case age < 15*venue.Second:
		return 2
	}
	return 1
}

func cancelCost(age venue.Nanos) int64 {
	switch {
	case age < 5*venue.Second:
		return 8
	case age < 10*venue.Second:
		return 6
	case age < 15*venue.Second:
		return 5
	case age < 45*venue.Second:
		return 4
	case age < 90*venue.Second:
		return 2
	case age < 300*venue.Second:
		return 1
	}
	return 0
}

// named is an account's order by either id, nil when there is none. The newest of a client id counts.
func (a *account) named(id, client string) *order {
	for i := len(a.orders) - 1; i >= 0; i-- {
		if o := a.orders[i]; id != "" && o.id == id || client != "" && o.client == client {
			return o
		}
	}
	return nil
}

// amendOne takes an amend_order: the id stays, and the place in the queue where only the quantity shrinks.
func (s *Sim) amendOne(x *peer, a *account, q *command, p *params) {
	var id, cl string
	if len(p.OrderID) > 0 && json.Unmarshal(p.OrderID, &id) != nil || len(p.ClientID) > 0 && json.Unmarshal(p.ClientID, &cl) != nil || (id == "") == (cl == "") {
		s.deny(x, q, "EGeneral:Invalid arguments:order_id")
		return
	}
	if why := s.deadline(p.Deadline, q.in); why != "" {
		s.deny(x, q, why)
		return
	}
	o := a.named(id, cl)
	if o == nil || o.over() {
		s.deny(x, q, "EOrder:Unknown order")
		return
	}
	if !s.spend(a, o.pair, amendCost(q.in-o.born), q.in) {
		s.deny(x, q, "EOrder:Rate limit exceeded")
		return
	}
	want := *o
	why := ""
	if len(p.Limit) > 0 {
		why = s.price(p.Limit, o.pair, &want.price)
	}
	if why == "" && len(p.TriggerPrice) > 0 && o.waits {
		why = s.price(p.TriggerPrice, o.pair, &want.stop)
	}
	if why == "" && len(p.Qty) > 0 {
		why = s.size(p.Qty, o.pair, &want)
	}
	if why == "" {
		why = s.judge(o, &want, p.PostOnly)
	}
	if why != "" {
		s.deny(x, q, why)
		return
	}
	a.count.Amends.Add(1)
	s.lastAmend++
	s.accept(x, q, fmt.Sprintf(`"result":{"amend_id":%q,"order_id":%q%s},"success":true`, ident('A', s.lastAmend), o.id, clientItem(o)))
	s.change(o, &want, q.in)
}

// judge is what the venue has against an amended order.
func (s *Sim) judge(o, want *order, post bool) string {
	qty := o.qty
	o.qty = o.cum // holds nothing while the changed one is judged
	ok := s.affords(want)
	o.qty = qty
	switch {
	case !ok:
		return "EOrder:Insufficient funds"
	case post && !want.waits && s.crosses(want):
		return "EOrder:Post only order"
	}
	return ""
}

// change makes the amended numbers the order's.
func (s *Sim) change(o, want *order, now venue.Nanos) {
	p := s.pairs[o.pair]
	stays := want.price == o.price && want.qty <= o.qty
	o.price, o.stop, o.qty, o.born = want.price, want.stop, want.qty, now
	if o.qty <= o.cum { // cut below what is filled: the rest is cancelled
		o.qty = o.cum
		p.Client(p.Book.Cancel(o.number), func(r *match.Result) { s.happened(o.pair, r, now) })
		s.execution(o, "amended", orderStatus(o), true, now)
		s.finish(o, "canceled", "Amended below the filled quantity", now)
		return
	}
	s.execution(o, "amended", orderStatus(o), true, now)
	switch {
	case o.waits:
	case stays:
		if left := o.qty - o.cum; left < p.Book.Order(o.number).Qty {
			p.Client(p.Book.Reduce(o.number, left), func(r *match.Result) { s.happened(o.pair, r, now) })
		}
	default:
		p.Client(p.Book.Cancel(o.number), func(r *match.Result) { s.happened(o.pair, r, now) })
		s.work(o, now)
	}
}

// texts reads an id or a list of them.
func texts(raw json.RawMessage) (out []string) {
	if len(raw) == 0 || json.Unmarshal(raw, &out) == nil {
		return out
	}
	var one string
	if json.Unmarshal(raw, &one) == nil {
		out = []string{one}
	}
	return out
}

// cancelSome takes a cancel_order, whose every id gets an answer.
func (s *Sim) cancelSome(x *peer, a *account, q *command, p *params) {
	ids, clients := texts(p.OrderID), texts(p.ClientID)
	if len(ids)+len(clients) == 0 {
		s.deny(x, q, "EGeneral:Invalid arguments:order_id")
		return
	}
	if s.cfg.Faults.Strikes(venuesim.LostCancel, q.in) {
		return
	}
	each := func(id, cl string) {
		o := a.named(id, cl)
		if o == nil || o.over() {
			s.deny(x, q, "EOrder:Unknown order")
			return
		}
		s.accept(x, q, fmt.Sprintf(`"result":{"order_id":%q%s},"success":true`, o.id, clientItem(o)))
		s.cancel(o, "User requested", q.in)
	}
	for _, id := range ids {
		each(id, "")
	}
	for _, cl := range clients {
		each("", cl)
	}
}

// cancelBatch takes a batch_cancel, which has one answer.
func (s *Sim) cancelBatch(x *peer, a *account, q *command, p *params) {
	clients := texts(p.ClientID)
	if n := len(p.Orders) + len(clients); n < 2 || n > 50 {
		s.deny(x, q, "EGeneral:Invalid arguments:orders")
		return
	}
	var list []*order
	for _, raw := range p.Orders {
		if o := a.named(texts(raw)[0], ""); o != nil && !o.over() {
			list = append(list, o)
		}
	}
	for _, cl := range clients {
		if o := a.named("", cl); o != nil && !o.over() {
			list = append(list, o)
		}
	}
	if len(list) == 0 {
		s.deny(x, q, "EOrder:Unknown order")
		return
	}
	s.accept(x, q, fmt.Sprintf(`"orders_cancelled":%d,"success":true`, len(list)))
	for _, o := range list {
		s.cancel(o, "User requested", q.in)
	}
}

// cancel takes an order out. Its cost is counted and never stands in the way.
func (s *Sim) cancel(o *order, reason string, now venue.Nanos) {
	a, p := o.acc, s.pairs[o.pair]
	a.rates[o.pair].now(now, limitsOf[a.Tier].decay)
	a.rates[o.pair].level += cancelCost(now-o.born) * 100 * hundredth
	a.count.Cancels.Add(1)
	if !o.waits {
		p.Client(p.Book.Cancel(o.number), func(r *match.Result) { s.happened(o.pair, r, now) })
	}
	s.finish(o, "canceled", reason, now)
}

func (s *Sim) cancelEvery(a *account, reason string, now venue.Nanos) (n int) {
	for _, o := range a.orders {
		if !o.over() {
			s.cancel(o, reason, now)
			n++
		}
	}
	return n
}

// CancelAsVenue cancels an order by the venue's id for a reason of the venue's own. It reports whether there was one.
func (s *Sim) CancelAsVenue(key, id, reason string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.account(key)
	if a == nil {
		return false
	}
	o := a.named(id, "")
	if o == nil || o.over() {
		return false
	}
	s.cancel(o, reason, s.cfg.Clock.Now())
	return true
}

// settle triggers the stops that the last trades reached, until none is left.
func (s *Sim) settle(now venue.Nanos) {
	for again := true; again; {
		again = false
		for _, a := range s.accounts {
			for _, o := range a.orders {
				last := s.pairs[o.pair].last
				if o.over() || !o.waits || last == 0 || (o.side == venue.Buy && last < o.stop) || (o.side == venue.Sell && last > o.stop) {
					continue
				}
				o.waits, again = false, true
				s.execution(o, "status", "new", false, now)
				s.work(o, now)
			}
		}
	}
}

// filled books what a result of the market did to the orders of accounts.
func (s *Sim) filled(i int, r *match.Result, now venue.Nanos) {
	for n := range r.Trades {
		t := &r.Trades[n]
		s.fill(i, t.TakerOwner, t.TakerID, t.Price, t.Qty, false, now)
		s.fill(i, t.MakerOwner, t.MakerID, t.Price, t.Qty, true, now)
	}
}

// fill books one side of a trade.
func (s *Sim) fill(i int, owner uint32, number uint64, price fixed.Price, qty fixed.Qty, maker bool, now venue.Nanos) {
	if owner == venuesim.FlowOwner {
		return
	}
	a := s.accounts[owner-1]
	for _, o := range a.orders {
		if o.number != number || o.pair != i {
			continue
		}
		s.book(o, price, qty, maker, now)
		return
	}
	panic("krakensim: a trade of an order that no account has")
}
