package binancesim

import (
	"slices"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// position is what an account holds of one contract, in one-way mode: above zero long, below it short.
type position struct {
	p    *pair
	qty  fixed.Qty
	cost fixed.Cash // what its quantity was worth when it was entered, above zero on both sides
}

func (h *position) asset() string {
	_, quote := assets(h.p.Symbol)
	return quote
}

// entry is the average price of what is held, 0 where there is nothing.
func (h *position) entry() fixed.Price {
	if h.qty == 0 {
		return 0
	}
	return h.p.mean(h.cost, size(h.qty))
}

// signed is the cost with the position's sign.
func (h *position) signed() fixed.Cash {
	if h.qty < 0 {
		return -h.cost
	}
	return h.cost
}

func size(q fixed.Qty) fixed.Qty { return max(q, -q) }

// mean is the price at which a quantity is worth so much.
func (p *pair) mean(worth fixed.Cash, q fixed.Qty) fixed.Price {
	v, ok := fixed.MulDiv3(int64(worth), fixed.Pow10(p.PriceScale), fixed.Pow10(p.QtyScale), fixed.Pow10(fixed.CashScale), int64(q), fixed.Down)
	if !ok {
		panic("binancesim: a price beyond what can be counted")
	}
	return fixed.Price(v)
}

// hold finds a position, new at its first use.
func (a *account) hold(p *pair) *position {
	for _, h := range a.held {
		if h.p == p {
			return h
		}
	}
	h := &position{p: p}
	a.held = append(a.held, h)
	return h
}

// moves books a trade: what closes realises its gain against the average entry, what opens adds to it, and the fee is paid in
// the margin's asset.
func (a *account) moves(t *trade, fee fixed.Rate) {
	p, h := t.o.p, a.hold(t.o.p)
	signed := t.qty
	if t.o.side == venue.Sell {
		signed = -signed
	}
	if closes := min(size(h.qty), t.qty); h.qty != 0 && (h.qty > 0) != (signed > 0) {
		part, ok := fixed.MulDiv(int64(h.cost), int64(closes), int64(size(h.qty)), fixed.Up)
		if !ok {
			panic("binancesim: a position beyond what can be counted")
		}
		t.gain = p.worth(t.price, closes) - fixed.Cash(part)
		if h.qty < 0 {
			t.gain = -t.gain
		}
		h.cost -= fixed.Cash(part)
		if opens := t.qty - closes; opens > 0 {
			h.cost += p.worth(t.price, opens)
		}
	} else {
		h.cost += t.quote
	}
	h.qty += signed
	t.asset = h.asset()
	t.fee = feeOf(fee, t.quote)
	a.fund(t.asset).Free += t.gain - t.fee
}

// margin is the initial margin of an account in an asset: of each contract what it would hold if all orders of the worse side
// were filled.
func (a *account) margin(asset string) (sum fixed.Cash) {
	leverage := a.Leverage
	if leverage == 0 {
		leverage = 20
	}
	for _, h := range a.held {
		if h.asset() != asset {
			continue
		}
		long := h.signed()
		short := long
		for _, o := range a.orders {
			switch {
			case o.p != h.p || !o.open() || o.reduces:
			case o.side == venue.Buy:
				long += h.p.worth(o.price, o.left())
			default:
				short -= h.p.worth(o.price, o.left())
			}
		}
		sum += (max(long, -long, short, -short) + fixed.Cash(leverage) - 1) / fixed.Cash(leverage)
	}
	return sum
}

// covers reports whether the wallet has the margin of an account with an order, which may be among its orders already. One
// that only reduces needs none.
func (a *account) covers(o *order) bool {
	if o.reduces {
		return true
	}
	asset := a.hold(o.p).asset()
	if !slices.Contains(a.orders, o) {
		was := o.status
		o.status = "NEW"
		a.orders = append(a.orders, o)
		defer func() { a.orders, o.status = a.orders[:len(a.orders)-1], was }()
	}
	return a.margin(asset) <= a.fund(asset).Free
}

// reducible is how much an order of a side may reduce, beyond what other orders would.
func (a *account) reducible(p *pair, side venue.Side, but *order) fixed.Qty {
	room := a.hold(p).qty
	if side == venue.Buy {
		room = -room
	}
	for _, o := range a.orders {
		if o.p == p && o != but && o.open() && o.reduces && o.side == side {
			room -= o.left()
		}
	}
	return max(room, 0)
}

// trim ends what would reduce more than there is left, the newest first.
func (s *Sim) trim(p *pair, now venue.Nanos) {
	if p.kind != USDM {
		return
	}
	for _, a := range s.accounts {
		for _, o := range slices.Backward(a.orders) {
			if o.p == p && o.open() && o.reduces && o.left() > a.reducible(p, o.side, o) {
				s.withdraw(o, now)
				s.finish(o, "EXPIRED", "", now)
			}
		}
	}
}

// PositionState is what the simulator knows of one position; Cost is below zero for a short one.
type PositionState struct {
	Symbol string
	Qty    fixed.Qty
	Entry  fixed.Price
	Cost   fixed.Cash
}

// Positions are the positions of an account that are not zero.
func (s *Sim) Positions(key string) (out []PositionState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.account(key); a != nil {
		for _, h := range a.held {
			if h.qty != 0 {
				out = append(out, PositionState{h.p.Symbol, h.qty, h.entry(), h.signed()})
			}
		}
	}
	return out
}
