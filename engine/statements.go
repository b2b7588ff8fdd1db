package engine

import (
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// statements are what the venues say of balances and positions: a check of our own figures, never their source. A figure
// that differs for longer than a grace halts its venue.
//
// A statement speaks of the instant at which the venue made it, and fills overtake it both ways. So one that differs is
// judged only while no fill has been booked since, and one that agrees, at any moment, clears the doubt.
type statements struct {
	free  [][]statement // by venue and currency
	held  []statement   // by instrument: positions that the venue keeps, of derivatives
	fills []fixed.Cash  // by venue: how many were booked, each of which may round once against us
}

type statement struct {
	// value is a free balance, or a signed position.
	value int64
	// since is when it began to differ, 0 while it agrees or nothing was said.
	since venue.Nanos
	// said: there is one. fresh: no fill has been booked since that concerns it.
	said, fresh bool
}

// stateGrace is how long a venue's figure may differ from ours: fills and balances come by streams of their own.
const stateGrace = 5 * venue.Second

func newStatements(d *desk.Desk) statements {
	s := statements{free: make([][]statement, len(d.Balances)), held: make([]statement, len(d.Instruments)), fills: make([]fixed.Cash, len(d.Balances))}
	for v := range s.free {
		s.free[v] = make([]statement, len(d.Balances[v]))
	}
	return s
}

// stated takes a Balance or PositionIs report.
func (e *Engine) stated(r *venue.Report) venue.Reason {
	s := &e.statements
	var at *statement
	switch {
	case r.Kind == venue.Balance && int(r.Venue) < len(s.free) && r.FeeCcy != 0 && int(r.FeeCcy) < len(s.free[r.Venue]):
		at = &s.free[r.Venue][r.FeeCcy]
	case r.Kind == venue.PositionIs && r.Inst != 0 && int(r.Inst) < len(s.held):
		at = &s.held[r.Inst]
	default:
		return venue.Malformed
	}
	at.value, at.said, at.fresh = int64(r.Cum), true, true
	if r.Kind == venue.Balance {
		return e.compare(at, e.balanceAgrees(r.Venue, r.FeeCcy))
	}
	return e.compare(at, fixed.Qty(at.value) == e.d.Positions[r.Inst].Qty)
}

// compare notes whether a statement agrees, and since when it does not.
func (e *Engine) compare(s *statement, agrees bool) venue.Reason {
	if agrees {
		s.since = 0
		return venue.OK
	}
	if s.fresh && s.since == 0 {
		s.since = e.d.Now
	}
	return venue.AccountDiffers
}

// booked notes a fill: what the venue stated before it may have been without it.
func (e *Engine) booked(i venue.Inst, fee venue.Ccy) {
	in, s := e.d.Instruments[i], &e.statements
	s.fills[in.Venue]++
	s.held[i].fresh = false
	for _, c := range [...]venue.Ccy{in.Base, in.Quote, in.Settle, fee} {
		s.free[in.Venue][c].fresh = false
	}
}

// differing looks at every statement that differs, and halts the venues whose difference has outlived its grace.
func (e *Engine) differing() {
	s := &e.statements
	for v := range s.free {
		for c := range s.free[v] {
			if at := &s.free[v][c]; at.since != 0 {
				e.compare(at, e.balanceAgrees(venue.ID(v), venue.Ccy(c)))
				e.outlived(at, venue.ID(v))
			}
		}
	}
	for i := range s.held {
		if at := &s.held[i]; at.since != 0 {
			e.compare(at, fixed.Qty(at.value) == e.d.Positions[i].Qty)
			e.outlived(at, e.d.Instruments[i].Venue)
		}
	}
}

// outlived halts a venue over a statement that has differed for too long: a person must look and arm it again.
func (e *Engine) outlived(s *statement, v venue.ID) {
	if s.since == 0 || !s.fresh || e.d.Now-s.since <= stateGrace {
		return
	}
	*s = statement{} // said once; the next statement counts anew
	e.disarmed = true
	e.gate.OnOperator(venue.OpDisarm, v, e.d.Now)
	e.record().SetOperator(venue.OpDisarm, v, 0, venue.AccountDiffers)
	e.cancelAll(v, 0)
}

// balanceAgrees reports whether a free balance is what we hold less what our working orders may hold back. How much the
// venue holds back for an order is its own affair (worst price, fees or not), so anything between the two agrees.
func (e *Engine) balanceAgrees(v venue.ID, c venue.Ccy) bool {
	free, total := fixed.Cash(e.statements.free[v][c].value), e.d.Balances[v][c]
	slack := 2*e.statements.fills[v] + 1
	if free > total+slack {
		return false
	}
	held, ok := e.heldBack(v, c)
	return !ok || free >= total-held-slack
}

// heldBack is the most that working orders may hold back of a currency; false when it cannot be counted.
func (e *Engine) heldBack(v venue.ID, c venue.Ccy) (sum fixed.Cash, ok bool) {
	for i, in := range e.d.Instruments {
		if in == nil || in.Venue != v || (in.Base != c && in.Quote != c && in.Settle != c) {
			continue
		}
		w := &e.d.Working[i]
		if w.Buys == 0 && w.Sells == 0 {
			continue
		}
		if in.Kind != venue.Spot {
			return 0, false // margin is the venue's own reckoning
		}
		for _, x := range [...]struct {
			side  venue.Side
			price fixed.Price
			qty   fixed.Qty
		}{{venue.Buy, w.BuyWorst, w.BuyQty}, {venue.Sell, w.SellWorst, w.SellQty}} {
			ccy, n, ok := in.HeldBack(x.side, x.price, x.qty)
			if !ok {
				return 0, false
			}
			if ccy == c {
				if sum, ok = fixed.Add(sum, n); !ok {
					return 0, false
				}
			}
		}
	}
	return sum, true
}
