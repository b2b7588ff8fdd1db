package ledger

import (
	"github.com/shopspring/decimal"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// Line is one instrument of a Snapshot. Amounts are in its settlement currency and exact, Avg is rounded against us.
type Line struct {
	Inst                     venue.Inst
	Ccy                      venue.Ccy
	Qty, Avg, Realised, Fees decimal.Decimal
	// Unrealised is at the worse mark; Marked is false when there is none.
	Unrealised decimal.Decimal
	Marked     bool
}

// Total is one currency of a Snapshot.
type Total struct {
	Ccy venue.Ccy
	// Balance is over all venues, Fees all fees charged in the currency.
	Balance, Fees decimal.Decimal
	// PnL is realised net of fees and flows; Unrealised is beside it.
	PnL, Unrealised decimal.Decimal
	// Flows is by FlowKind.
	Flows [flowKinds]decimal.Decimal
}

// Snapshot is the account for reports.
type Snapshot struct {
	Lines  []Line
	Totals []Total
	Worth  Worth
}

// Snapshot describes the account. It allocates; for edges, on the engine goroutine or after it.
func (l *Ledger) Snapshot() Snapshot {
	s := Snapshot{Worth: l.Worth()}
	totals := make([]Total, len(l.ccys))
	for c := range totals {
		t := &totals[c]
		t.Ccy, t.Fees, t.PnL = venue.Ccy(c), coins(l.ccys[c].fees), coins(l.ccys[c].pnl)
		for k, v := range l.ccys[c].flows {
			t.Flows[k] = coins(v)
		}
		for v := range l.d.Balances {
			t.Balance = t.Balance.Add(coins(l.d.Balances[v][c]))
		}
	}
	for _, i := range l.active {
		line := l.line(i)
		t := &totals[line.Ccy]
		t.PnL, t.Unrealised = t.PnL.Add(line.Realised), t.Unrealised.Add(line.Unrealised)
		s.Lines = append(s.Lines, line)
	}
	for _, t := range totals {
		if t.used() {
			s.Totals = append(s.Totals, t)
		}
	}
	return s
}

func (t *Total) used() bool {
	for _, f := range t.Flows {
		if !f.IsZero() {
			return true
		}
	}
	return !t.Balance.IsZero() || !t.Fees.IsZero() || !t.PnL.IsZero() || !t.Unrealised.IsZero()
}

func (l *Ledger) line(i venue.Inst) Line {
	in, a, t := l.d.Instruments[i], &l.accounts[i], &l.terms[i]
	u, marked := l.Unrealised(i)
	p := &l.d.Positions[i]
	return Line{
		Inst: i, Ccy: t.ccy, Qty: fixed.Decimal(a.qty, in.QtyScale), Avg: fixed.Decimal(p.Avg, in.PriceScale),
		Realised: t.decimal(a.realised).Sub(coins(a.fees)), Fees: coins(a.shown), Unrealised: coins(u), Marked: marked,
	}
}

// decimal is a raw amount in the settlement currency, exactly.
func (t *terms) decimal(a wide) decimal.Decimal {
	d := decimal.NewFromBigInt(a.big(), 0).Mul(decimal.NewFromUint64(t.mul))
	return d.Shift(-int32(digits(t.div[0]) + digits(t.div[1]) + fixed.CashScale))
}

// digits is n for 10^n.
func digits(v uint64) int {
	n := 0
	for ; v >= 10; v /= 10 {
		n++
	}
	return n
}

func coins(c fixed.Cash) decimal.Decimal { return fixed.Decimal(c, fixed.CashScale) }
