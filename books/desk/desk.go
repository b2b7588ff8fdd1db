// Package desk is what a strategy may see and say: books, positions, own orders and reports in; intents and plans out.
//
// Ownership: the engine goroutine owns a Desk. Positions and Balances are written by risk/ledger, Orders and Working by
// engine/orders, the rest by engine; bench/rules lets nobody else write. Strategies read.
package desk

import (
	"oneprice/books"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// Strategy decides what it wants and why; risk decides whether. Decide is called once per drain on the engine goroutine
// and must be pure in the Desk and its own state: no clock, no randomness, no map iteration, no allocation.
type Strategy interface {
	Name() string
	Decide(*Desk, *Out)
}

// Stat is one figure that a strategy, or another part, reports of itself at the end of a run.
type Stat struct {
	Name  string
	Value uint64
}

// Reporter is a Strategy that counts; Stats is for edges, after or between Steps.
type Reporter interface{ Stats() []Stat }

// Position is what the engine holds in one instrument.
type Position struct {
	// Qty is signed: long positive.
	Qty fixed.Qty
	// Avg is the average entry price, rounded against us; exact cost lives in the ledger.
	Avg fixed.Price
	// Realised P&L net of fees and Fees paid, both in the settlement currency.
	Realised, Fees fixed.Cash
}

// Working is what may still fill in one instrument, Unknown orders at full size and unknown amends at the worse of both.
type Working struct {
	BuyQty, SellQty fixed.Qty
	// BuyWorst and SellWorst are the worst prices among them, for exposure: highest buy, lowest sell.
	BuyWorst, SellWorst fixed.Price
	Buys, Sells         int32
}

// OrderState is where an order stands. Only venue evidence ends Unknown.
type OrderState uint8

const (
	NoOrder OrderState = iota
	Pending
	Sent
	Open
	PartlyFilled
	PendingCancel
	PendingAmend
	Unknown
	Filled
	Cancelled
	Rejected
	Expired
)

func (s OrderState) String() string {
	return [...]string{"none", "pending", "sent", "working", "partly_filled", "pending_cancel", "pending_amend", "unknown",
		"filled", "cancelled", "rejected", "expired"}[s]
}

// Done reports whether the order can no longer fill.
func (s OrderState) Done() bool { return s >= Filled }

// Order is one own order.
type Order struct {
	State    OrderState
	Side     venue.Side
	Type     venue.OrderType
	TIF      venue.TIF
	Role     venue.Role
	Leg      uint8
	Venue    venue.ID
	Flags    uint8
	Strategy uint16
	Inst     venue.Inst
	Slot     uint32
	Client   uint64
	Plan     uint64
	Price    fixed.Price
	// Qty is the quantity in force, Filled the cumulative fill.
	Qty, Filled fixed.Qty
	// NextPrice and NextQty are what a pending amend asks for, NextClient its own client id; 0 when none is pending.
	NextPrice  fixed.Price
	NextQty    fixed.Qty
	NextClient uint64
	// Alias is the client id of the last amend that took effect: some venues know the order by it from then on. 0 for none.
	Alias uint64
	// Stated is the cumulative fill that a terminal report states; the order closes as Ending when Filled reaches it.
	Stated fixed.Qty
	Ending OrderState
	// AskedAt is when a cancel or amend was last asked for, 0 before the first.
	AskedAt venue.Nanos
	// SentAt is when it was sent, AckAt when the venue confirmed it (0 before), EndAt when it ended.
	SentAt, AckAt, EndAt, NotAfter venue.Nanos
	// Reason is why it ended or was refused.
	Reason venue.Reason
	// Ref is the venue's order id, length first.
	Ref [40]byte
}

// Remaining is what may still fill, at the worse of an amend's old and new size.
func (o *Order) Remaining() fixed.Qty {
	if o.State.Done() || o.State == NoOrder {
		return 0
	}
	q := max(o.Qty, o.NextQty)
	if o.Ending != NoOrder {
		q = o.Stated // the venue has closed it: only the fills it states can still come
	}
	if q < o.Filled {
		return 0
	}
	return q - o.Filled
}

// FXRate is the worth of one unit of a currency in the reporting currency.
type FXRate struct {
	Bid, Ask fixed.Rate
	// At is when it was last seen, Nanos max for a fixed rate from config.
	At venue.Nanos
}

// Desk is everything a strategy may look at.
type Desk struct {
	// Now is the drain's clock value.
	Now venue.Nanos
	// Changed lists the instruments whose book, touch or trust changed in this drain, each once, in first-change order.
	Changed []venue.Inst
	// Reports are the private-side records of this drain, in order, after the engine has booked them.
	Reports []venue.Report
	// Instruments, Books, Positions, Working and Live are indexed by Inst; entry 0 is unused.
	Instruments []*venue.Instrument
	Books       []*books.Book
	Positions   []Position
	Working     []Working
	// Live lists the slots of the orders of an instrument that are not done.
	Live [][]uint32
	// Orders is indexed by slot.
	Orders []Order
	// Balances is free plus reserved cash by venue and currency, at 10^-8.
	Balances [][]fixed.Cash
	// FX is by currency.
	FX []FXRate
	// Reporting is the currency of limits.
	Reporting venue.Ccy
}

// Book returns the book of i.
func (d *Desk) Book(i venue.Inst) *books.Book { return d.Books[i] }

// Instrument returns the instrument i.
func (d *Desk) Instrument(i venue.Inst) *venue.Instrument { return d.Instruments[i] }

// Position returns the position in i.
func (d *Desk) Position(i venue.Inst) *Position { return &d.Positions[i] }

// Order returns the order in a slot.
func (d *Desk) Order(slot uint32) *Order { return &d.Orders[slot] }

// New makes an empty Desk for the given instruments (index 0 nil), venues, currencies and order slots.
func New(ins []*venue.Instrument, venues, currencies, slots int, reporting venue.Ccy, cfg books.Config) *Desk {
	d := &Desk{
		Instruments: ins, Books: make([]*books.Book, len(ins)), Positions: make([]Position, len(ins)),
		Working: make([]Working, len(ins)), Live: make([][]uint32, len(ins)), Orders: make([]Order, slots),
		Balances: make([][]fixed.Cash, venues+1), FX: make([]FXRate, currencies+1), Reporting: reporting,
		Changed: make([]venue.Inst, 0, len(ins)),
	}
	for i := range d.Balances {
		d.Balances[i] = make([]fixed.Cash, currencies+1)
	}
	for i, in := range ins {
		if in != nil {
			d.Books[i] = books.New(in, cfg)
			d.Live[i] = make([]uint32, 0, 64)
		}
	}
	d.FX[reporting] = FXRate{fixed.One, fixed.One, 1<<63 - 1}
	return d
}
