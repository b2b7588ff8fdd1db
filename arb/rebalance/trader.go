package rebalance

import (
	"sync/atomic"

	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// Order is a trade as a Trader works it off.
type Order struct {
	Trade
	// Most bounds one of its orders, Guard how far beyond the touch it may reach.
	Most  fixed.Qty
	Guard fixed.Rate
}

// A trade that was refused, or filled nothing, waits twice as long each time.
const (
	retryFirst = 100 * venue.Millisecond
	retryLast  = 2 * venue.Second
)

// Trader is the strategy of a session that rebalances: it plans once everything can be valued, or works confirmed orders off
// and then weighs again. Written by Decide; Done and what follows it may be read by others once Done is true.
type Trader struct {
	cfg    Config
	plan   bool
	held   [][]fixed.Cash // by venue and currency, nil for the desk's own
	works  []work
	within venue.Nanos
	until  venue.Nanos
	done   atomic.Bool
	result Plan
	err    error
	lacks  []string
}

// work is one order under way.
type work struct {
	Order
	filled fixed.Qty
	client uint64 // of the order last heard of
	seen   fixed.Qty
	again  venue.Nanos
	wait   venue.Nanos
}

// NewPlanner makes a Trader that plans and trades nothing. held are the balances to plan with, by venue and currency, where
// they are not the desk's.
func NewPlanner(cfg Config, held [][]fixed.Cash) *Trader {
	return &Trader{cfg: cfg, plan: true, held: held}
}

// NewTrader makes a Trader that works orders off, for no longer than within.
func NewTrader(cfg Config, orders []Order, within venue.Nanos) *Trader {
	t := &Trader{cfg: cfg, within: within}
	for _, o := range orders {
		t.works = append(t.works, work{Order: o, wait: retryFirst})
	}
	return t
}

// Name implements desk.Strategy.
func (t *Trader) Name() string { return "rebalance" }

// Done reports whether it is through. Any goroutine.
func (t *Trader) Done() bool { return t.done.Load() }

// Result is the plan, or after trading what was filled (Qty of the trades), where everything stands, and what it cost. Valid
// once Done.
func (t *Trader) Result() (*Plan, error) { return &t.result, t.err }

// Lacks is what a plan still waits for. Once the session is over.
func (t *Trader) Lacks() []string { return t.lacks }

// Decide implements desk.Strategy.
func (t *Trader) Decide(d *desk.Desk, out *desk.Out) {
	if t.done.Load() {
		return
	}
	if t.plan {
		if t.lacks = Missing(&t.cfg, d); len(t.lacks) == 0 {
			t.made(d)
		}
		return
	}
	if t.until == 0 {
		t.until = d.Now + t.within
	}
	for i := range d.Reports {
		t.heard(d, &d.Reports[i])
	}
	busy := false
	for i := range t.works {
		busy = t.step(d, &t.works[i], out) || busy
	}
	if !busy && len(Missing(&t.cfg, d)) == 0 {
		t.ended(d)
	}
}

func (t *Trader) made(d *desk.Desk) {
	p, err := makePlan(&t.cfg, d, t.held)
	if t.err = err; err == nil {
		t.result = *p
	}
	t.done.Store(true)
}

// ended weighs what is held after the last trade.
func (t *Trader) ended(d *desk.Desk) {
	s, err := newSearch(&t.cfg, d, nil)
	if t.err = err; err == nil {
		t.result = Plan{Holdings: s.holdings(nil), Total: s.total, Inside: s.best.gap == 0}
		for i := range t.works {
			w := &t.works[i]
			w.Trade.Qty = w.filled
			t.result.Trades = append(t.result.Trades, w.Trade)
		}
	}
	t.done.Store(true)
}

// heard counts what an order has filled, by its growth.
func (t *Trader) heard(d *desk.Desk, r *venue.Report) {
	if int(r.Slot) >= len(d.Orders) {
		return
	}
	o := &d.Orders[r.Slot]
	if o.Inst != r.Inst || o.Role != venue.RoleTake {
		return
	}
	for i := range t.works {
		w := &t.works[i]
		if w.Inst != o.Inst || w.Side != o.Side {
			continue
		}
		if w.client != o.Client {
			w.client, w.seen = o.Client, 0
		}
		if got := o.Filled - w.seen; got > 0 {
			w.filled, w.wait = w.filled+got, retryFirst
		}
		w.seen = o.Filled
	}
}

// step brings one trade on; false when nothing more will come of it.
func (t *Trader) step(d *desk.Desk, w *work, out *desk.Out) bool {
	for _, slot := range d.Live[w.Inst] {
		if d.Orders[slot].Role == venue.RoleTake {
			return true // of known fate or not: nothing is sent beside it
		}
	}
	in, b := d.Instruments[w.Inst], d.Books[w.Inst]
	left := w.Qty - w.filled
	q := fixed.RoundTo(min(left, w.Most), in.Lot, fixed.Down)
	if small(in, w.Limit, q) || d.Now > t.until {
		return false
	}
	if d.Now < w.again || b.State() != books.Live {
		return true
	}
	shown, limit := w.reach(b, in, q)
	if q = fixed.RoundTo(shown, in.Lot, fixed.Down); small(in, limit, q) || !affords(d, in, w, q) {
		return true
	}
	i := out.Intent()
	if i == nil {
		return true
	}
	i.Op, i.Type, i.TIF, i.Side, i.Role, i.Inst = venue.New, venue.Limit, venue.IOC, w.Side, venue.RoleTake, w.Inst
	i.Price, i.Qty, i.BookSeq = limit, q, b.Seq()
	w.again, w.wait = d.Now+w.wait, min(2*w.wait, retryLast)
	return true
}

// small reports whether an order is less than its venue takes.
func small(in *venue.Instrument, p fixed.Price, q fixed.Qty) bool {
	n, ok := in.Notional(p, q, fixed.Down)
	return q <= 0 || q < in.MinQty || !ok || n < in.MinNotional
}

// reach is how much of q the book shows within the limit and the guard, and the price that takes it.
func (w *work) reach(b *books.Book, in *venue.Instrument, q fixed.Qty) (shown fixed.Qty, limit fixed.Price) {
	best := b.Best(w.Side.Other())
	move, ok := fixed.MulDiv(int64(best.Price), int64(w.Guard), int64(fixed.One), fixed.Down)
	if best.Qty <= 0 || !ok {
		return 0, 0
	}
	if limit = min(w.Limit, fixed.RoundTo(best.Price+fixed.Price(move), in.Tick, fixed.Down)); w.Side == venue.Sell {
		limit = max(w.Limit, fixed.RoundTo(best.Price-fixed.Price(move), in.Tick, fixed.Up))
	}
	for c := b.Levels(w.Side.Other()); shown < q && c.Next(); {
		if w.Side == venue.Buy && c.Price > limit || w.Side == venue.Sell && c.Price < limit {
			break
		}
		shown += c.Qty
	}
	return min(shown, q), limit
}

// affords reports whether the balance carries an order now: a purchase may have to wait for the sale that pays for it.
func affords(d *desk.Desk, in *venue.Instrument, w *work, q fixed.Qty) bool {
	c, amount, ok := in.HeldBack(w.Side, w.Limit, q)
	return ok && d.Balances[in.Venue][c] >= amount
}
