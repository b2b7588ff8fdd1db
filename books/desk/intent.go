package desk

import (
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// Intent is one thing a strategy wants: a new order, an amend or a cancel.
type Intent struct {
	Op   venue.Op
	Type venue.OrderType
	TIF  venue.TIF
	Side venue.Side
	Role venue.Role
	Leg  uint8
	// Strategy is set by the engine.
	Strategy uint16
	Inst     venue.Inst
	// Target is the client id of the order to cancel or amend.
	Target uint64
	// Price is the limit, always set: a market order is IOC at a protective price.
	Price fixed.Price
	Stop  fixed.Price
	Qty   fixed.Qty
	// BookSeq is the version of the book it was decided on.
	BookSeq  uint64
	NotAfter venue.Nanos
	Plan     uint64
	// Edge is the net edge at the limit prices that the strategy claims, for the audit; 0 for quotes.
	Edge fixed.Rate
	// ReduceOnly asks that the order may only reduce a position.
	ReduceOnly bool
}

// MaxLegs bounds a Plan.
const MaxLegs = 4

// Policy is how the legs of a Plan leave.
type Policy uint8

const (
	// Together sends all legs in one drain.
	Together Policy = iota
	// InTurn sends leg n+1 for what leg n filled, less certain leg first.
	InTurn
)

func (p Policy) String() string { return [...]string{"together", "in_turn"}[p] }

// Playbook is what is done when legs fill unequally.
type Playbook uint8

const (
	// Complete retries the short leg within its price allowance, then unwinds.
	Complete Playbook = iota
	// Unwind takes the excess of the filled leg back.
	Unwind
	// Hold keeps the excess within MaxLoss.
	Hold
)

func (p Playbook) String() string { return [...]string{"complete", "unwind", "hold"}[p] }

// Shape is the kind of cross that a Plan closes.
type Shape uint8

const (
	TwoVenue Shape = iota + 1
	ComplementPair
	Triangle
	OutcomeSet
	HedgeOnFill
)

func (s Shape) String() string {
	return [...]string{"none", "two_venue", "complement", "triangle", "outcome_set", "hedge"}[s]
}

// Plan is a set of orders that belong together. Risk reserves all of its legs and its worst case, or none.
type Plan struct {
	ID       uint64 // set by the engine
	Strategy uint16 // set by the engine
	Shape    Shape
	Policy   Policy
	OnFail   Playbook
	N        uint8
	Legs     [MaxLegs]Intent
	// Allowance is how far beyond a leg's limit price the playbook may go to complete or unwind.
	Allowance fixed.Rate
	// MaxLoss in the reporting currency bounds the worst case of an unequal fill.
	MaxLoss fixed.Cash
	// Deadline is when the playbook must be through; what is left then is listed as naked exposure.
	Deadline venue.Nanos
	// Edge is the net edge at the limit prices, Base the common quantity in base units at the product's scale.
	Edge fixed.Rate
	Base fixed.Qty
	// Link is the configured cross that it came from.
	Link uint16
}

// Out collects what strategies say in one drain. It never grows past its capacity: a full Out answers nil, and the
// strategy tries again next drain.
type Out struct {
	intents []Intent
	plans   []Plan
	// Full counts refusals for lack of room.
	Full uint64
}

// NewOut makes an Out with room for so many intents and plans per drain.
func NewOut(intents, plans int) *Out {
	return &Out{intents: make([]Intent, 0, intents), plans: make([]Plan, 0, plans)}
}

// Intent returns a zeroed intent to fill in, or nil when the drain's room is used up. Valid until Reset.
func (o *Out) Intent() *Intent {
	n := len(o.intents)
	if n == cap(o.intents) {
		o.Full++
		return nil
	}
	o.intents = o.intents[:n+1]
	o.intents[n] = Intent{}
	return &o.intents[n]
}

// Plan returns a zeroed plan to fill in, or nil when the drain's room is used up. Valid until Reset.
func (o *Out) Plan() *Plan {
	n := len(o.plans)
	if n == cap(o.plans) {
		o.Full++
		return nil
	}
	o.plans = o.plans[:n+1]
	o.plans[n] = Plan{}
	return &o.plans[n]
}

// Intents and Plans return what was said since Reset. The engine reads them.
func (o *Out) Intents() []Intent { return o.intents }
func (o *Out) Plans() []Plan     { return o.plans }

// Reset forgets all.
func (o *Out) Reset() { o.intents, o.plans = o.intents[:0], o.plans[:0] }
