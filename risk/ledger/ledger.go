// Package ledger keeps positions, profit and loss, fees and balances.
package ledger

import (
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// Worth is the account in the reporting currency, marked at the worse side.
type Worth struct {
	// PnL is everything earned and lost since the start, deposits and transfers excluded.
	PnL fixed.Cash
	// Equity is all balances plus unrealised results of derivatives; balances without a rate count as nothing.
	Equity fixed.Cash
	// OK is false when a position has no mark or a loss no exchange rate: nothing new may be risked then.
	OK bool
}

// Opening is a confirmed balance at start-up, Holding a confirmed position.
type Opening struct {
	Venue  venue.ID
	Ccy    venue.Ccy
	Amount fixed.Cash
}

// Holding is a confirmed position at start-up.
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

// FlowKind is why cash moved other than by a fill.
type FlowKind uint8

const (
	NoFlow FlowKind = iota
	// Deposit (negative: withdrawal) and Transfer (between venues) never touch profit and loss.
	Deposit
	Transfer
	Funding
	Interest
	Rebate
	Settlement
	Correction
)

// Ledger writes d.Positions and d.Balances. One goroutine.
type Ledger struct{ d *desk.Desk }

// New books the opening balances and positions into d.
func New(d *desk.Desk, cfg Config) (*Ledger, error) { return &Ledger{d: d}, nil }

// Fill books one fill: OK, Duplicate (nothing booked), Malformed or Overflowed (nothing booked).
func (l *Ledger) Fill(r *venue.Report, side venue.Side) venue.Reason { return venue.Overflowed }

// Book books cash that moved other than by a fill, positive when we received it.
func (l *Ledger) Book(k FlowKind, v venue.ID, c venue.Ccy, amount fixed.Cash) venue.Reason {
	return venue.Overflowed
}

// Unrealised is the result of closing the position in i at the book's worse side, in its settlement currency.
func (l *Ledger) Unrealised(i venue.Inst) (fixed.Cash, bool) { return 0, false }

// Worth values the account.
func (l *Ledger) Worth() Worth { return Worth{} }
