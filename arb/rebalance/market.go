package rebalance

import (
	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// market is one instrument as the search sees it: how many lots are bought (negative: sold) and what that does.
type market struct {
	in   *venue.Instrument
	book *books.Book
	// base and quote are what one unit of each is worth in the reporting currency.
	base, quote fixed.Rate
	lot         fixed.Cash // worth of one lot
	least       [2]int64   // lots of the smallest order, bought and sold
	most        [2]int64   // lots that may be traded
	at          int64
	now         effect // of at
}

// effect is what a trade moves: signed amounts of base and quote, its fee and what it costs, both in the reporting currency.
// cost does not count below the fee.
type effect struct {
	base, quote, fee, cost fixed.Cash
}

func newMarket(in *venue.Instrument, d *desk.Desk, times int64) (m market, ok bool) {
	b := d.Books[in.Inst]
	bid, ask := b.Best(venue.Buy), b.Best(venue.Sell)
	if bid.Qty <= 0 || ask.Qty <= 0 || in.Lot <= 0 {
		return m, false
	}
	m = market{in: in, book: b, base: middle(&d.FX[in.Base]), quote: middle(&d.FX[in.Quote])}
	coins, ok := fixed.Rescale(int64(in.Lot), in.QtyScale, fixed.CashScale, fixed.Up)
	if !ok {
		return m, false
	}
	if m.lot, ok = m.base.Apply(fixed.Cash(coins), fixed.Up); !ok || m.lot <= 0 {
		return m, false
	}
	for k, side := range []venue.Side{venue.Buy, venue.Sell} {
		p := ask.Price
		if side == venue.Sell {
			p = bid.Price
		}
		depth := fixed.Qty(0)
		for c := b.Levels(side.Other()); c.Next(); {
			depth += c.Qty
		}
		m.least[k], m.most[k] = minimum(in, p), int64(min(depth, fixed.Qty(fixed.Limit/times))/in.Lot)*times
	}
	return m, true
}

// middle is the mid rate of a currency.
func middle(r *desk.FXRate) fixed.Rate { return r.Bid + (r.Ask-r.Bid)/2 }

// minimum is the smallest order in lots, with a lot to spare where it follows from a price that may move.
func minimum(in *venue.Instrument, p fixed.Price) int64 {
	lots := max((int64(in.MinQty)+int64(in.Lot)-1)/int64(in.Lot), 1)
	if one, ok := in.Notional(p, in.Lot, fixed.Down); ok && in.MinNotional > 0 && one > 0 {
		lots = max(lots, (int64(in.MinNotional)+int64(one)-1)/int64(one)+1)
	}
	return lots
}

// near is the order size that is allowed nearest to lots in the direction of from: none, or between least and most.
func (m *market) near(lots, from int64) (int64, bool) {
	if lots == 0 {
		return 0, true
	}
	k, sign := 0, int64(1)
	if lots < 0 {
		k, sign = 1, -1
	}
	n := lots * sign
	if n > m.most[k] || m.most[k] < m.least[k] {
		return 0, false
	}
	if n < m.least[k] {
		if from*sign >= m.least[k] {
			return 0, true // from the smallest order to none
		}
		n = m.least[k]
	}
	return n * sign, true
}

// does is the effect of trading lots, with figures rounded against us. False when they cannot be counted.
func (m *market) does(lots int64) (e effect, ok bool) {
	if lots == 0 {
		return e, true
	}
	side, n := venue.Buy, lots
	if lots < 0 {
		side, n = venue.Sell, -lots
	}
	q := fixed.Qty(n) * m.in.Lot
	var cash fixed.Cash
	how := fixed.Up
	if side == venue.Sell {
		how = fixed.Down
	}
	left, worst := q, fixed.Price(0)
	for c := m.book.Levels(side.Other()); left > 0 && c.Next(); {
		part := min(left, c.Qty)
		v, ok := m.in.Notional(c.Price, part, how)
		if !ok {
			return e, false
		}
		cash += v
		left, worst = left-part, c.Price
	}
	beyond, ok0 := m.in.Notional(worst, left, how)
	cash += beyond
	coins, ok1 := fixed.Rescale(int64(q), m.in.QtyScale, fixed.CashScale, how)
	if !ok0 || !ok1 {
		return e, false
	}
	if e.base, e.quote = fixed.Cash(coins), -cash; side == venue.Sell {
		e.base, e.quote = -e.base, cash
	}
	rate := max(m.in.Fees.Taker, 0)
	ok2 := true
	if m.in.Fees.In == venue.FeeInBase && side == venue.Buy {
		v, ok := rate.Apply(fixed.Cash(coins), fixed.Up)
		e.base -= v
		e.fee, ok2 = m.base.Apply(v, fixed.Up)
		ok2 = ok2 && ok
	} else {
		v, ok := rate.Apply(cash, fixed.Up)
		e.quote -= v
		e.fee, ok2 = m.quote.Apply(v, fixed.Up)
		ok2 = ok2 && ok
	}
	lost, ok3 := m.loses(&e)
	e.cost = max(lost, e.fee)
	return e, ok2 && ok3
}

// loses is what an effect takes from the value of everything, negative for a gain.
func (m *market) loses(e *effect) (fixed.Cash, bool) {
	b, ok1 := m.base.Apply(e.base, fixed.Down)
	q, ok2 := m.quote.Apply(e.quote, fixed.Down)
	return -(b + q), ok1 && ok2
}

// trade is what stands in the plan.
func (m *market) trade(s *search) (t Trade, ok bool) {
	side, n := venue.Buy, m.at
	if n < 0 {
		side, n = venue.Sell, -n
	}
	t = Trade{Inst: m.in.Inst, Side: side, Qty: fixed.Qty(n) * m.in.Lot, Fee: m.now.fee}
	w := m.book.Take(side, t.Qty)
	slip, ok1 := fixed.MulDiv(int64(w.Worst), int64(s.cfg.Slip), int64(fixed.One), fixed.Down)
	if t.Limit = fixed.RoundTo(w.Worst+fixed.Price(slip), m.in.Tick, fixed.Down); side == venue.Sell {
		t.Limit = fixed.RoundTo(w.Worst-fixed.Price(slip), m.in.Tick, fixed.Up)
	}
	var ok2, ok3 bool
	t.Value, ok2 = m.base.Apply(max(m.now.base, -m.now.base), fixed.Up)
	t.Cost, ok3 = m.loses(&m.now)
	return t, ok1 && ok2 && ok3
}
