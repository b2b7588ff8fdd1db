package risk

import (
	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/planted"
	"oneprice/books/venue"
)

// fx is the cached rate of a currency, brought up to date; nil when it was never seen.
func (g *Gate) fx(c venue.Ccy, d *desk.Desk) *rate {
	if k, q := &g.rates[c], &d.FX[c]; k.bid == q.Bid && k.ask == q.Ask && k.high > 0 && k.known {
		return k
	}
	return g.reprice(c, d)
}

// reprice is fx where the rate has moved or is not known. Bid moves down and ask up by the haircut.
func (g *Gate) reprice(c venue.Ccy, d *desk.Desk) *rate {
	k, q := &g.rates[c], &d.FX[c]
	if k.bid != q.Bid || k.ask != q.Ask {
		if q.Bid <= 0 || q.Ask < q.Bid {
			return nil
		}
		cut, ok1 := fixed.MulDiv(int64(q.Bid), int64(fixed.One-k.haircut), int64(fixed.One), fixed.Down)
		add, ok2 := fixed.MulDiv(int64(q.Ask), int64(fixed.One+k.haircut), int64(fixed.One), fixed.Up)
		if !ok1 || !ok2 {
			return nil
		}
		k.bid, k.ask, k.low, k.high = q.Bid, q.Ask, fixed.Rate(cut), fixed.Rate(add)
	}
	if k.high <= 0 || !k.known {
		return nil
	}
	return k
}

// reporting is an amount in the reporting currency.
func reporting(c fixed.Cash, r fixed.Rate, how fixed.Rounding) (fixed.Cash, bool) {
	if r == fixed.One {
		return c, true
	}
	return r.Apply(c, how)
}

// extra is an order not yet in d.Working, as it would add to one side.
type extra struct {
	qty   fixed.Qty
	price fixed.Price
}

// worst computes into p the part of one side of i with x added to what works and what plans hold. k is the rate of its
// quote currency. The reason is NoFX or Overflowed when it cannot be stated; p is then zero.
func (g *Gate) worst(p *part, i venue.Inst, sd venue.Side, x extra, k *rate, d *desk.Desk) venue.Reason {
	*p = part{}
	s := &g.slots[i]
	in, w, pos := s.in, s.work, s.pos
	h := &s.holds[side(sd)]
	pending, price := w.BuyQty, w.BuyWorst
	if sd == venue.Sell {
		pending, price = w.SellQty, w.SellWorst
	}
	if planted.On(planted.WorkingIgnored) {
		pending = 0
	}
	pending += h.qty + x.qty
	end := pos.Qty + fixed.Qty(sd.Sign())*pending
	if pending == 0 && end == 0 {
		return venue.OK
	}
	if k == nil {
		return venue.NoFX
	}
	top, bottom := max(price, h.price, x.price), lowest(lowest(price, h.price), x.price)
	high := max(top, s.high) // the mark counts too, for it may be worse than any order's price
	if s.high == 0 {
		high = max(top, pos.Avg)
	}
	if s.top > 0 && end < 0 {
		high = s.top - lowest(bottom, s.low)
	}
	size := max(end, -end)
	mag, ok1 := s.worth(k).up(high, size)
	base, ok2 := end, true
	if !s.whole {
		base, ok2 = baseUnits(in, end, s.low, high)
	}
	var lock fixed.Cash
	var ok3 bool
	if s.spot && sd == venue.Buy && pending != 0 {
		lock, ok3 = s.bind.up(top, pending)
	} else {
		lock, ok3 = s.binding(in, sd, pending, size, top, bottom, high)
	}
	if !ok1 || !ok2 || !ok3 || max(mag, lock, fixed.Cash(size)) > g.maxPart {
		return venue.Overflowed
	}
	val := mag
	switch {
	case end < 0 && sd == venue.Sell:
		val = -mag
	case (end > 0) != (sd == venue.Buy):
		// This side only reduces: it offsets others, and counts at its least.
		if val, ok1 = g.least(in, s, k, end); !ok1 {
			return venue.Overflowed
		}
	}
	p.qty, p.base, p.mag, p.val, p.lock = end, base, mag, val, lock
	return venue.OK
}

// lowest is the lower of two prices where 0 is none.
func lowest(a, b fixed.Price) fixed.Price {
	if a == 0 || (b != 0 && b < a) {
		return b
	}
	return a
}

// least is the signed worth of a position at the mark that makes it smallest.
func (g *Gate) least(in *venue.Instrument, s *slot, k *rate, q fixed.Qty) (fixed.Cash, bool) {
	p := s.low
	if s.top > 0 && q < 0 {
		p = s.top - s.high
	}
	n, ok := in.Notional(p, max(q, -q), fixed.Down)
	if !ok {
		return 0, false
	}
	v, ok := reporting(n, k.low, fixed.Down)
	if q < 0 {
		return -v, ok
	}
	return v, ok
}

// baseUnits is a position in base units of its product, away from zero; an inverse one at the lowest price known.
func baseUnits(in *venue.Instrument, q fixed.Qty, low, high fixed.Price) (fixed.Qty, bool) {
	if low <= 0 {
		low = high
	}
	return in.BaseQty(low, q, fixed.FromZero)
}

// binding is what one side binds in balances: a spot buy its cost and worst fee in quote, a spot sell its base, a
// derivative the margin and worst fee of the position q that it leads to, a binary the price of what is bought. top and
// bottom are the extreme prices of what is pending, high the worst price of the position.
func (s *slot) binding(in *venue.Instrument, sd venue.Side, pending, q fixed.Qty, top, bottom, high fixed.Price) (fixed.Cash, bool) {
	switch {
	case s.margined && in.Contract == venue.Inverse:
		coin, ok := in.Coin(lowest(bottom, s.low), q, fixed.Up)
		if !ok {
			return 0, q == 0
		}
		return s.margin.Apply(coin, fixed.Up)
	case s.margined:
		return s.bind.up(high, q)
	case pending == 0:
		return 0, true
	case s.spot && sd == venue.Sell:
		coin, ok := in.Coin(0, pending, fixed.Up)
		if ok && in.Fees.In == venue.FeeInBase {
			return withFee(coin, in)
		}
		return coin, ok
	case in.Complement:
		if sd == venue.Buy {
			return 0, true
		}
		return s.bind.up(s.top-bottom, pending) // the NO side pays 1 − p
	case sd == venue.Sell:
		return 0, true
	}
	return s.bind.up(top, pending)
}

// withFee adds the worst fee of the instrument.
func withFee(c fixed.Cash, in *venue.Instrument) (fixed.Cash, bool) {
	fee, ok := max(in.Fees.Taker, in.Fees.Maker, 0).Apply(c, fixed.Up)
	if !ok {
		return 0, false
	}
	return fixed.Add(c, fee)
}

// Refresh must follow every change of d.Positions[i] or d.Working[i]: it recomputes what i contributes and moves every
// sum by the difference.
func (g *Gate) Refresh(i venue.Inst, d *desk.Desk) {
	s := &g.slots[i]
	if s.venue == 0 {
		return
	}
	var buy, sell part
	k := g.fx(s.quote, d)
	why := g.worst(&buy, i, venue.Buy, extra{}, k, d)
	if why2 := g.worst(&sell, i, venue.Sell, extra{}, k, d); why == venue.OK {
		why = why2
	}
	if (s.bad != venue.OK) != (why != venue.OK) {
		if why != venue.OK {
			g.bad++
		} else {
			g.bad--
		}
	}
	if s.bad = why; why != venue.OK {
		g.badWhy = why
		buy, sell = part{}, part{}
	}
	g.put(i, 0, &buy, d)
	g.put(i, 1, &sell, d)
}

// refresh is Refresh where only what works or is held on one side has changed.
func (g *Gate) refresh(i venue.Inst, sd venue.Side, d *desk.Desk) {
	s := &g.slots[i]
	if s.bad == venue.OK && g.worst(&g.part, i, sd, extra{}, g.fx(s.quote, d), d) == venue.OK {
		g.put(i, side(sd), &g.part, d)
		return
	}
	g.Refresh(i, d)
}

// put replaces what side b of i contributes, and how many orders it has, and moves every sum by the difference.
func (g *Gate) put(i venue.Inst, b int, p *part, d *desk.Desk) {
	s := &g.slots[i]
	w := s.work
	v, old, product := s.at, &s.parts[b], s.of
	product.base[b] += p.base - old.base
	gross, val := max(p.mag, s.parts[1-b].mag)-s.gross, p.val-old.val
	orders := w.Buys + w.Sells + s.holds[0].n + s.holds[1].n - s.orders
	v.sums.move(b, gross, val, orders)
	g.sums.move(b, gross, val, orders)
	s.gross += gross
	s.orders += orders
	*old = *p
	locked, base := s.binds()
	*s.lock += locked - s.locked
	*s.lockBase += base - s.lockedBase
	s.locked, s.lockedBase = locked, base
}

func (t *sums) move(b int, gross, val fixed.Cash, orders int32) {
	t.gross += gross
	t.val[b] += val
	t.orders += orders
}

// binds is what both sides bind together: in settle (or quote), and in base. Only one side of a derivative can be.
func (s *slot) binds() (settle, base fixed.Cash) {
	buy, sell := s.parts[0].lock, s.parts[1].lock
	switch {
	case s.margined:
		return max(buy, sell) + s.loss, 0
	case s.spot:
		return buy, sell
	}
	return buy + sell, 0
}

// Mark values everything at the books and rates of now, and feeds the smoothed mids. The engine calls it every few
// milliseconds of Now, before strategies decide; when it stops, new orders stop after MaxMarkAge.
func (g *Gate) Mark(d *desk.Desk) {
	if d.Now >= g.dayEnd {
		g.newDay(d.Now)
	}
	for i := 1; i < len(g.slots); i++ {
		s := &g.slots[i]
		if s.venue == 0 {
			continue
		}
		if b := d.Books[i]; b != nil && b.State() == books.Live {
			bid, ask := b.Best(venue.Buy), b.Best(venue.Sell)
			if bid.Qty > 0 && ask.Qty > 0 {
				s.high, s.low = ask.Price, bid.Price
				s.smoothen(bid.Price+(ask.Price-bid.Price)/2, d.Now)
			}
		}
		s.loss = min(s.lossOf(d.Instruments[i], &d.Positions[i]), g.maxPart)
		g.Refresh(venue.Inst(i), d)
	}
	g.markedAt = d.Now
	g.date()
}

// smoothen moves the smoothed mid toward mid by dt ÷ (dt + smoothing).
func (s *slot) smoothen(mid fixed.Price, now venue.Nanos) {
	if s.smoothing == 0 {
		return
	}
	dt := min(now-s.smoothAt, 100*s.smoothing)
	if s.smoothAt == 0 {
		s.smooth = mid
	} else if step, ok := fixed.MulDiv(int64(mid-s.smooth), int64(dt), int64(dt+s.smoothing), fixed.HalfEven); ok {
		s.smooth += fixed.Price(step)
	}
	s.smoothAt = now
}

// lossOf is the unrealised loss of a derivative at the worse mark, 0 for a gain, in its settlement currency.
func (s *slot) lossOf(in *venue.Instrument, p *desk.Position) fixed.Cash {
	if !s.margined || p.Qty == 0 || s.high == 0 || p.Avg <= 0 {
		return 0
	}
	mark, q := s.low, max(p.Qty, -p.Qty)
	if p.Qty < 0 {
		mark = s.high
	}
	var was, is fixed.Cash
	var ok1, ok2 bool
	if in.Contract == venue.Inverse {
		was, ok1 = in.Coin(mark, q, fixed.Up)
		is, ok2 = in.Coin(p.Avg, q, fixed.Down)
	} else {
		was, ok1 = in.Notional(p.Avg, q, fixed.Up)
		is, ok2 = in.Notional(mark, q, fixed.Down)
	}
	if !ok1 || !ok2 {
		return fixed.Limit
	}
	if p.Qty < 0 {
		was, is = is, was
	}
	return max(was-is, 0)
}
