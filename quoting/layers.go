package quoting

import (
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/quoting/model"
)

// ladder is what one side should look like, best price first.
type ladder struct {
	n     int
	price [MaxLayers]fixed.Price
	taken [MaxLayers]bool
	// bound is the price that a working order must not be beyond to be kept; 0 where none may be.
	bound fixed.Price
}

// requote computes both ladders and asks for the changes. All cancels and moves come before new orders.
func (s *Strategy) requote(d *desk.Desk, q *quote, fair model.Fair, out *desk.Out) {
	inv, ok := q.inventory(d, fair)
	if !ok {
		s.pull(d, q, pullFair, out)
		return
	}
	s.survey(d, q)
	var want [3]ladder
	for _, side := range [2]venue.Side{venue.Buy, venue.Sell} {
		if s.blocked(d, q, side) {
			continue
		}
		if n := q.room(inv, side, fair); n > 0 {
			q.lay(d, fair, inv, side, n, &want[side])
		}
	}
	band, ok := fixed.MulDiv(int64(price(fair)), int64(q.cfg.Hysteresis), int64(fixed.One), fixed.Down)
	if !ok {
		band = 0
	}
	q.budget.refill(d.Now)
	for _, side := range [2]venue.Side{venue.Buy, venue.Sell} {
		s.rearrange(d, q, side, &want[side], fixed.Price(band), out)
	}
	for _, side := range [2]venue.Side{venue.Buy, venue.Sell} {
		s.place(d, q, side, &want[side], out)
	}
}

// inventory is what the skew and the limit look at, in base units: what is not hedged, or the position.
func (q *quote) inventory(d *desk.Desk, fair model.Fair) (fixed.Qty, bool) {
	if q.hedge != nil {
		return q.carry, true
	}
	pos := d.Positions[q.in.Inst].Qty
	v, ok := q.in.BaseQty(price(fair), max(pos, -pos), fixed.Up)
	if pos < 0 {
		v = -v
	}
	return v, ok
}

// blocked reports whether a side must stay empty.
func (s *Strategy) blocked(d *desk.Desk, q *quote, side venue.Side) bool {
	t := &q.toxic[side]
	if d.Now < t.until {
		q.again = min(q.again, t.until)
		return true
	}
	if q.hedge == nil {
		return false
	}
	over := q.carry > q.cfg.Hedge.MaxCarry
	if side == venue.Sell {
		over = -q.carry > q.cfg.Hedge.MaxCarry
	}
	if over && !t.carrying {
		s.counts[carryBlocks]++
	}
	t.carrying = over
	return over
}

// room is the number of layers that the inventory limit leaves to a side.
func (q *quote) room(inv fixed.Qty, side venue.Side, fair model.Fair) int {
	each, ok := q.in.BaseQty(price(fair), q.cfg.Qty, fixed.Up)
	if !ok || each <= 0 {
		return 0
	}
	left := q.cfg.MaxInventory - fixed.Qty(side.Sign())*inv
	return int(min(max(left/each, 0), fixed.Qty(q.cfg.Layers)))
}

// lay computes the prices of n layers of a side.
func (q *quote) lay(d *desk.Desk, fair model.Fair, inv fixed.Qty, side venue.Side, n int, w *ladder) {
	bound, ok := q.bound(d, fair, side)
	if !ok {
		return
	}
	w.bound = bound
	limit := inside(q.passive(d, side), bound, side)
	limit = inside(limit, q.flanks[side].limit, side)
	tick := q.in.Tick
	skew := q.table.Skew(q.vol.Bucket(), inv, q.cfg.MaxInventory)
	half := max(q.table.Half(q.vol.Bucket()), q.cfg.MinHalf) + q.in.Fees.Maker
	for k := range n {
		off := skew + half + fixed.Rate(k)*q.cfg.Step
		if side == venue.Buy {
			off = skew - half - fixed.Rate(k)*q.cfg.Step
		}
		p, ok := model.Quote(fair, off, side, tick)
		p = inside(p, limit, side)
		if !ok || p <= 0 {
			return
		}
		w.price[k], w.n = p, k+1
		limit = p - fixed.Price(side.Sign())*tick // layers never share a price
	}
}

// inside is the less aggressive of two prices of a side.
func inside(a, b fixed.Price, side venue.Side) fixed.Price {
	if side == venue.Buy {
		return min(a, b)
	}
	return max(a, b)
}

// passive is the most aggressive price that neither takes nor improves the touch by more than a tick.
func (q *quote) passive(d *desk.Desk, side venue.Side) fixed.Price {
	b, tick := d.Books[q.in.Inst], q.in.Tick
	own, other := b.Best(side), b.Best(side.Other())
	p := fixed.Price(fixed.Limit)
	if side == venue.Sell {
		p = 1
	}
	if own.Qty > 0 {
		p = inside(p, own.Price+fixed.Price(side.Sign())*tick, side)
	}
	if other.Qty > 0 {
		p = inside(p, other.Price-fixed.Price(side.Sign())*tick, side)
	}
	return p
}
