// Package ledger keeps positions, profit and loss, fees and balances. It alone writes desk.Positions and desk.Balances.
//
// Ownership: the engine goroutine owns a Ledger. Fill, Book and Worth allocate nothing.
//
// Decisions
//   - 2026-11-25: average cost, kept as an exact total in 128-bit integers of 10^-14 or finer (Linear) or 10^-20 coins
//     (Inverse), not as an average price: realised + unrealised = cash flows + value holds to the last unit however a
//     partial close was split, and what is shown in Cash is rounded from the exact total, so roundings never add up.
//     Rejected: decimal (allocates), FIFO lots (unbounded, and no venue of ours reports that way).
//   - 2026-11-25: everything rounds against us: a share of cost Up, gains and values Down, fees Up, an average price up
//     for a long and down for a short.
//   - 2026-11-25: a fee in base is booked as a sale of those units at price 0, so one rule serves cost, realised result
//     and position alike. Units finer than the quantity scale stay in an exact remainder; the position shrinks first.
//   - 2026-11-25: trade ids are unique per venue and instrument (Binance numbers them per symbol), so the key of the
//     duplicate check holds both, and whether it is a reversal.
package ledger

import (
	"errors"
	"fmt"

	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/planted"
	"oneprice/books/venue"
)

// Opening is a confirmed balance at start-up.
type Opening struct {
	Venue  venue.ID
	Ccy    venue.Ccy
	Amount fixed.Cash
}

// Holding is a confirmed position at start-up, at its average entry price.
type Holding struct {
	Inst venue.Inst
	Qty  fixed.Qty
	Avg  fixed.Price
}

// Config of a Ledger.
type Config struct {
	Balances  []Opening
	Positions []Holding
	// Horizon is how many trade ids are remembered against duplicates; 0 takes 65,536.
	Horizon int
}

const defaultHorizon = 1 << 16

// FlowKind is why cash moved other than by a fill.
type FlowKind uint8

const (
	NoFlow FlowKind = iota
	// Deposit (negative: withdrawal) and Transfer (between venues, one booking each) never touch profit and loss.
	Deposit
	Transfer
	Funding
	Interest
	Rebate
	Settlement
	Correction
	flowKinds // count
)

func (k FlowKind) String() string {
	return [...]string{"none", "deposit", "transfer", "funding", "interest", "rebate", "settlement", "correction", "unknown"}[min(k, flowKinds)]
}

// money is what happened in one currency outside of positions.
type money struct {
	// pnl is what earned or cost: flows but deposits and transfers, and fees charged in a foreign currency.
	pnl fixed.Cash
	// fees are all fees charged in this currency, whatever they were for.
	fees  fixed.Cash
	flows [flowKinds]fixed.Cash
}

// Ledger writes d.Positions and d.Balances. One goroutine.
type Ledger struct {
	d        *desk.Desk
	accounts []account
	terms    []terms
	ccys     []money
	active   []venue.Inst // instruments that ever held something, in order of first sight
	seen     seen
	sums     []fixed.Cash // scratch of Worth, by currency
}

// New books the opening balances and positions into d. Every fault is named, joined into one error.
func New(d *desk.Desk, cfg Config) (*Ledger, error) {
	if cfg.Horizon <= 0 {
		cfg.Horizon = defaultHorizon
	}
	l := &Ledger{
		d: d, accounts: make([]account, len(d.Instruments)), terms: make([]terms, len(d.Instruments)),
		ccys: make([]money, len(d.FX)), active: make([]venue.Inst, 0, len(d.Instruments)),
		seen: newSeen(cfg.Horizon), sums: make([]fixed.Cash, len(d.FX)),
	}
	var faults []error
	for i, in := range d.Instruments {
		if in == nil {
			continue
		}
		var err error
		if l.terms[i], err = newTerms(in); err != nil {
			faults = append(faults, err)
		}
	}
	for _, o := range cfg.Balances {
		if !l.known(o.Venue, o.Ccy) {
			faults = append(faults, fmt.Errorf("ledger: opening balance of venue %d in currency %d: unknown", o.Venue, o.Ccy))
			continue
		}
		b := &d.Balances[o.Venue][o.Ccy]
		v, ok := fixed.Add(*b, o.Amount)
		if !ok {
			faults = append(faults, fmt.Errorf("ledger: opening balance of venue %d in currency %d: too large", o.Venue, o.Ccy))
			continue
		}
		*b = v
	}
	for _, h := range cfg.Positions {
		if int(h.Inst) >= len(d.Instruments) || d.Instruments[h.Inst] == nil {
			faults = append(faults, fmt.Errorf("ledger: opening position in instrument %d: unknown", h.Inst))
			continue
		}
		a := &l.accounts[h.Inst]
		if !a.trade(&l.terms[h.Inst], h.Qty, h.Avg) {
			faults = append(faults, fmt.Errorf("ledger: opening position in %s: too large, or without a price", d.Instruments[h.Inst].Name))
			continue
		}
		// What was held before the start was paid for before the start.
		a.bought, a.flow = 0, wide{}
		p, ok := a.position(&l.terms[h.Inst])
		if !ok {
			faults = append(faults, fmt.Errorf("ledger: opening position in %s: too large", d.Instruments[h.Inst].Name))
			continue
		}
		l.show(h.Inst, p)
	}
	return l, errors.Join(faults...)
}

func (l *Ledger) known(v venue.ID, c venue.Ccy) bool {
	return int(v) < len(l.d.Balances) && int(c) < len(l.ccys) && v != 0 && c != 0
}

// Fill books one fill of an order of the given side. OK: booked. Duplicate: known already. Malformed: no such instrument,
// side, quantity, price or fee currency. Overflowed: a figure left its range. Nothing is booked but with OK. A report
// with Finality Reversed books the fill negatively; one without a trade id is never taken for a duplicate.
func (l *Ledger) Fill(r *venue.Report, side venue.Side) venue.Reason {
	if int(r.Inst) >= len(l.accounts) || l.d.Instruments[r.Inst] == nil || r.Fill <= 0 || r.Price < 0 ||
		(side != venue.Buy && side != venue.Sell) || (r.Fee != 0 && !l.known(r.Venue, r.FeeCcy)) {
		return venue.Malformed
	}
	key := keyOf(r)
	if r.Ref[0] != 0 && l.seen.has(&key) && !planted.On(planted.FillTwice) {
		return venue.Duplicate
	}
	dq, fee := fixed.Qty(side.Sign())*r.Fill, r.Fee
	if key.reversed {
		dq, fee = -dq, -fee
	}
	in, t := l.d.Instruments[r.Inst], &l.terms[r.Inst]
	before := &l.accounts[r.Inst]
	after := *before
	sum, ok := fixed.Add(after.bought, dq)
	if !ok || !after.trade(t, dq, r.Price) || !after.charge(t, in, fee, r) {
		return venue.Overflowed
	}
	after.bought = sum
	p, ok := after.position(t)
	if !ok || !l.settle(in, t, before, &after, fee, r.FeeCcy) {
		return venue.Overflowed
	}
	if r.Ref[0] != 0 {
		l.seen.add(&key)
	}
	*before = after
	l.show(r.Inst, p)
	return venue.OK
}

// keyOf is the whole identity of a trade.
func keyOf(r *venue.Report) trade {
	return trade{ref: r.Ref, inst: r.Inst, venue: r.Venue, reversed: r.Finality == venue.Reversed}
}

// Remember takes a fill with a trade id for known, so that it is not booked when a venue repeats it: the opening has it.
func (l *Ledger) Remember(r *venue.Report) {
	if key := keyOf(r); r.Ref[0] != 0 && !l.seen.has(&key) {
		l.seen.add(&key)
	}
}

// Known reports whether a fill with a trade id has been booked, as far back as is remembered.
func (l *Ledger) Known(r *venue.Report) bool {
	key := keyOf(r)
	return r.Ref[0] != 0 && l.seen.has(&key)
}

// charge books a fee into the account: in the settlement currency as a cost, in the base of a spot instrument as units
// lost, in any other currency not at all.
func (a *account) charge(t *terms, in *venue.Instrument, fee fixed.Cash, r *venue.Report) bool {
	if fee == 0 {
		return true
	}
	var ok bool
	switch {
	case r.FeeCcy == t.ccy:
		if a.fees, ok = fixed.Add(a.fees, fee); !ok {
			return false
		}
		a.shown, ok = fixed.Add(a.shown, fee)
		return ok
	case r.FeeCcy != in.Base || in.Kind != venue.Spot:
		return true
	}
	if a.baseFees, ok = fixed.Add(a.baseFees, fee); !ok {
		return false
	}
	u, ok := fixed.Rescale(int64(a.baseFees), fixed.CashScale, in.QtyScale, fixed.Up)
	if !ok || !a.trade(t, a.baseUnits-fixed.Qty(u), 0) {
		return false
	}
	a.baseUnits = fixed.Qty(u)
	worth, ok := fixed.MulDiv(int64(fee), int64(r.Price), fixed.Pow10(in.PriceScale), fixed.Up)
	if !ok {
		return false
	}
	a.shown, ok = fixed.Add(a.shown, fixed.Cash(worth))
	return ok
}

// settle moves the balances by what the fill changed. Balances follow the floor of exact totals, so that roundings do
// not add up. On false nothing has moved.
func (l *Ledger) settle(in *venue.Instrument, t *terms, before, after *account, fee fixed.Cash, feeCcy venue.Ccy) bool {
	var moves [3]Opening
	n := 0
	move := func(c venue.Ccy, amount fixed.Cash) {
		if amount != 0 {
			moves[n] = Opening{in.Venue, c, amount}
			n++
		}
	}
	was, ok1 := before.settled(in, t)
	is, ok2 := after.settled(in, t)
	if !ok1 || !ok2 {
		return false
	}
	move(t.ccy, is-was)
	if in.Kind == venue.Spot {
		w, ok1 := baseCash(in, before.bought)
		v, ok2 := baseCash(in, after.bought)
		if !ok1 || !ok2 {
			return false
		}
		move(in.Base, v-w)
	}
	move(feeCcy, -fee)
	done := 0
	for done < n && l.post(moves[done]) {
		done++
	}
	foreign := feeCcy != t.ccy && (feeCcy != in.Base || in.Kind != venue.Spot)
	if done == n && (fee == 0 || l.ccys[feeCcy].charge(fee, foreign)) {
		return true
	}
	for _, u := range moves[:done] {
		l.d.Balances[u.Venue][u.Ccy] -= u.Amount
	}
	return false
}

// charge counts a fee; a foreign one, in neither currency of its instrument, is a cost here and nowhere else.
func (m *money) charge(fee fixed.Cash, foreign bool) bool {
	fees, ok := fixed.Add(m.fees, fee)
	if !ok {
		return false
	}
	if foreign {
		pnl, ok := fixed.Add(m.pnl, -fee)
		if !ok {
			return false
		}
		m.pnl = pnl
	}
	m.fees = fees
	return true
}

// settled is the total that fills have moved in the settlement currency: for a derivative its realised result, for
// everything else what was paid and received, where the NO side of a binary pays 1 − p per unit.
func (a *account) settled(in *venue.Instrument, t *terms) (fixed.Cash, bool) {
	if in.Kind == venue.Perpetual || in.Kind == venue.Dated {
		return t.cash(a.realised, fixed.Down)
	}
	f := a.flow
	if in.Complement {
		one, ok := t.raw(a.bought, t.top, fixed.Down)
		if !ok {
			return 0, false
		}
		if f, ok = f.add(one); !ok {
			return 0, false
		}
	}
	return t.cash(f, fixed.Down)
}

// baseCash is a quantity of a spot instrument as an amount of its base currency.
func baseCash(in *venue.Instrument, q fixed.Qty) (fixed.Cash, bool) {
	return in.Coin(0, q, fixed.Down)
}

// post moves one balance; false when it would leave its range or is not known.
func (l *Ledger) post(m Opening) bool {
	if !l.known(m.Venue, m.Ccy) {
		return false
	}
	b := &l.d.Balances[m.Venue][m.Ccy]
	v, ok := fixed.Add(*b, m.Amount)
	if ok {
		*b = v
	}
	return ok
}

// position is what strategies see of an account; ok is false when a figure leaves its range.
func (a *account) position(t *terms) (desk.Position, bool) {
	realised, ok := t.cash(a.realised, fixed.Down)
	if ok {
		realised, ok = fixed.Add(realised, -a.fees)
	}
	return desk.Position{Qty: a.qty, Avg: a.avg(t), Realised: realised, Fees: a.shown}, ok
}

func (l *Ledger) show(i venue.Inst, p desk.Position) {
	l.d.Positions[i] = p
	if a := &l.accounts[i]; !a.active {
		a.active = true
		l.active = append(l.active, i)
	}
}

// Book books cash that moved other than by a fill, positive when we received it. OK, Malformed (unknown venue, currency
// or kind) or Overflowed (nothing booked).
func (l *Ledger) Book(k FlowKind, v venue.ID, c venue.Ccy, amount fixed.Cash) venue.Reason {
	if !l.known(v, c) || k == NoFlow || k >= flowKinds {
		return venue.Malformed
	}
	m := &l.ccys[c]
	total, ok1 := fixed.Add(m.flows[k], amount)
	pnl, ok2 := m.pnl, true
	if k != Deposit && k != Transfer {
		pnl, ok2 = fixed.Add(pnl, amount)
	}
	if !ok1 || !ok2 || !l.post(Opening{v, c, amount}) {
		return venue.Overflowed
	}
	m.flows[k], m.pnl = total, pnl
	return venue.OK
}

// remark takes the marks of i from its book where that is Live.
func (l *Ledger) remark(i venue.Inst) {
	b := l.d.Books[i]
	if b == nil || b.State() != books.Live {
		return
	}
	if v := b.Best(venue.Buy); v.Qty > 0 {
		l.accounts[i].bid = v.Price
	}
	if v := b.Best(venue.Sell); v.Qty > 0 {
		l.accounts[i].ask = v.Price
	}
}

// Unrealised is the result of closing the position in i at the worse side of its book, or of the last Live book, in its
// settlement currency, rounded Down. ok is false when no book has shown a mark.
func (l *Ledger) Unrealised(i venue.Inst) (v fixed.Cash, ok bool) {
	l.remark(i)
	return l.accounts[i].unrealised(&l.terms[i])
}
