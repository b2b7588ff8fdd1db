package ledger

import (
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// Worth is the account in the reporting currency: positions marked at the worse side, gains converted at the bid of
// their exchange rate and losses at its ask, the last rate seen however old (risk judges its age).
type Worth struct {
	// PnL is everything earned and lost since the start, fees and flows included, deposits and transfers excluded.
	PnL fixed.Cash
	// Equity is all balances, plus unrealised results of derivatives, plus the value of holdings that have no balance of
	// their own (stocks, binaries, and spot whose base has no exchange rate). A positive balance without a rate counts as
	// nothing.
	Equity fixed.Cash
	// OK is false when a position has no mark, or a result or a debt no exchange rate: nothing new may be risked then.
	OK bool
}

// Worth values the account at the marks and rates of now.
func (l *Ledger) Worth() Worth {
	w := Worth{OK: true}
	clear(l.sums)
	for _, i := range l.active {
		l.remark(i)
		v, ok := l.result(i)
		if !ok || !add(&l.sums[l.terms[i].ccy], v) {
			return Worth{}
		}
	}
	for c := range l.ccys {
		if !add(&l.sums[c], l.ccys[c].pnl) || !l.value(&w.PnL, venue.Ccy(c), l.sums[c], true) {
			return Worth{}
		}
	}
	clear(l.sums)
	for _, i := range l.active {
		v, ok := l.holding(i)
		if !ok || !add(&l.sums[l.terms[i].ccy], v) {
			return Worth{}
		}
	}
	for c := range l.sums {
		for v := range l.d.Balances {
			if !add(&l.sums[c], l.d.Balances[v][c]) {
				return Worth{}
			}
		}
		if !l.value(&w.Equity, venue.Ccy(c), l.sums[c], false) {
			return Worth{}
		}
	}
	return w
}

// result is realised net of fees plus unrealised, in the settlement currency.
func (l *Ledger) result(i venue.Inst) (fixed.Cash, bool) {
	v, ok := l.accounts[i].unrealised(&l.terms[i])
	if !ok {
		return 0, false
	}
	return fixed.Add(v, l.d.Positions[i].Realised)
}

// holding is what a position is worth beyond what stands in the balances.
func (l *Ledger) holding(i venue.Inst) (fixed.Cash, bool) {
	in, a, t := l.d.Instruments[i], &l.accounts[i], &l.terms[i]
	switch {
	case a.qty == 0:
		return 0, true
	case in.Kind == venue.Perpetual || in.Kind == venue.Dated:
		return a.unrealised(t)
	case in.Kind == venue.Spot && l.d.FX[in.Base].Bid > 0:
		return 0, true
	}
	m, ok := a.mark(t)
	if !ok {
		return 0, false
	}
	if in.Complement {
		m -= t.top // a NO, held as a short YES, is worth 1 − p
	}
	v, ok := t.raw(a.qty, m, fixed.Down)
	if !ok {
		return 0, false
	}
	return t.cash(v, fixed.Down)
}

// value adds an amount of a currency to a sum in the reporting currency. Without a rate a debt is a fault, and so is a
// gain when strict.
func (l *Ledger) value(sum *fixed.Cash, c venue.Ccy, amount fixed.Cash, strict bool) bool {
	if amount == 0 {
		return true
	}
	rate := l.d.FX[c].Bid
	if amount < 0 {
		rate = l.d.FX[c].Ask
	}
	if rate <= 0 {
		return amount > 0 && !strict
	}
	v, ok := rate.Apply(amount, fixed.Down)
	return ok && add(sum, v)
}

func add(sum *fixed.Cash, v fixed.Cash) bool {
	s, ok := fixed.Add(*sum, v)
	if ok {
		*sum = s
	}
	return ok
}
