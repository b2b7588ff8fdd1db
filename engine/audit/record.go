package audit

import (
	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// Kind says what a Record states.
type Kind uint8

const (
	NoKind Kind = iota
	// Start opens a session and End closes it in order; a session without an End was killed.
	Start
	End
	// Decision is an intent and the verdict on it. An approved one is followed by its Order.
	Decision
	// Planned is a plan and the verdict on it; a Leg record with the same plan id follows for each of its legs.
	Planned
	Leg
	// Order is a command, recorded before it is submitted.
	Order
	// Reported is what the venue, or our gateway (sent), said of an order.
	Reported
	// Book is a change of a book's trust.
	Book
	// Breaker is a change of a breaker; venue 0 is the global one.
	Breaker
	// Operator is what a person or the watchdog did.
	Operator
	// Naked is exposure that a plan left behind.
	Naked
	// Stop is what happened to a stop that the engine holds.
	Stop
	// Listed is what a venue has changed of an instrument: all that is now in force.
	Listed
	// Clock is that the clocks of a venue and ours came to lie too far apart, or near enough again.
	Clock

	kinds // count
)

// Kinds is the number of kinds, for counters indexed by Kind.
const Kinds = int(kinds)

var kindText = [kinds]string{"none", "start", "end", "decision", "plan", "leg", "order", "report", "book", "breaker", "operator", "naked", "stop", "instrument", "clock"}

var endText = kindText[End]

// String is the stable snake_case name used in the files.
func (k Kind) String() string {
	if k < kinds {
		return kindText[k]
	}
	return "kind_out_of_range"
}

// BreakerState is where a breaker stands, as the files name it.
type BreakerState uint8

const (
	Closed BreakerState = iota
	Opened
	HalfOpen
	// Locked: only an operator re-arms it.
	Locked
)

func (s BreakerState) String() string { return [...]string{"closed", "open", "half_open", "locked"}[s] }

// Record is one audited fact: 256 bytes, no pointers, every field with one meaning; what a kind does not use is zero.
// Reset it, then fill it with one Set function (a Decision or Planned takes SetVerdict as well).
type Record struct {
	// Seq is the engine's sequence: consecutive from 1 in each session. At is Now of the drain.
	Seq uint64
	At  venue.Nanos

	Kind Kind
	// Rule is the number of the gate's rule that spoke, Reason its answer; OK is approval.
	Rule   uint8
	Reason venue.Reason
	Inst   venue.Inst
	Venue  venue.ID
	Op     venue.Op
	Type   venue.OrderType
	TIF    venue.TIF
	Side   venue.Side
	Role   venue.Role
	// Leg is the number of a leg, or of the legs of a plan.
	Leg uint8
	// Flags are those of the command or report.
	Flags    uint8
	Strategy uint16
	Operator uint16
	// Slot is the order's slot, or one above the refused leg of a plan.
	Slot uint32
	// Value, Limit and Headroom are the verdict's figures, in the unit of the Rule's limit.
	Value, Limit, Headroom int64

	// Target is the order that a cancel or amend aims at, or the instrument of a plan's refused leg.
	Client, Target uint64
	// Price is also the touch that a stop fired at, Stop the price at which it fires, Value a loss that it fired at.
	Price, Stop fixed.Price
	// Qty is what an intent or order asks for, a report's quantity in force, a plan's base, a naked position's size. Of a
	// Listed, Price is the tick and Qty the lot, Cum and Fill the least and the most of an order, Fee its least worth, and
	// Edge and Allowance the fees of maker and taker.
	Qty fixed.Qty
	// BookSeq is the version of the book decided on, or of the book whose trust changed.
	BookSeq uint64
	// NotAfter is also a plan's deadline, and when an open breaker lets its probe through.
	NotAfter     venue.Nanos
	Plan, Config uint64
	Edge         fixed.Rate
	Allowance    fixed.Rate
	MaxLoss      fixed.Cash
	// Sub is the kind within the kind: venue.ReportKind, desk.Shape, books.State, BreakerState, venue.OpKind stops.Act or venue.Status.
	// Link is also the number of a stop's guard.
	Sub      uint8
	Finality venue.Finality
	FeeCcy   venue.Ccy
	Link     uint16
	Policy   desk.Policy
	OnFail   desk.Playbook

	// Recv is our clock at a report's receipt, VenueAt the venue's.
	Recv, VenueAt venue.Nanos
	Cum, Fill     fixed.Qty
	Fee           fixed.Cash
	ReportSeq     uint64
	// Ref[0] is the length of the venue's order or trade id, or of a note's text, in Ref[1:].
	Ref [40]byte
}

// Reset clears r and stamps it. Call it before any Set function.
func (r *Record) Reset(seq uint64, at venue.Nanos) {
	*r = Record{}
	r.Seq, r.At = seq, at
}

// SetStart makes r the first record of a session; config is the number that the session's commands carry.
func (r *Record) SetStart(config uint64) { r.Kind, r.Config = Start, config }

// SetEnd makes r the last record of a session.
func (r *Record) SetEnd() { r.Kind = End }

// SetIntent makes r a Decision on an intent. SetVerdict completes it.
func (r *Record) SetIntent(in *desk.Intent) {
	r.Kind = Decision
	r.intent(in)
}

// SetLeg makes r one leg of the plan p, whose own record carries the verdict.
func (r *Record) SetLeg(p *desk.Plan, leg int) {
	r.Kind = Leg
	r.intent(&p.Legs[leg])
	r.Plan, r.Leg, r.Strategy = p.ID, uint8(leg), p.Strategy
}

// SetPlan makes r a Planned. SetVerdict completes it; a SetLeg record for each leg follows.
func (r *Record) SetPlan(p *desk.Plan) {
	r.Kind, r.Sub, r.Policy, r.OnFail, r.Leg = Planned, uint8(p.Shape), p.Policy, p.OnFail, p.N
	r.Plan, r.Strategy, r.Link, r.Edge, r.Qty = p.ID, p.Strategy, p.Link, p.Edge, p.Base
	r.Allowance, r.MaxLoss, r.NotAfter = p.Allowance, p.MaxLoss, p.Deadline
	r.Inst = p.Legs[0].Inst
}

// SetVerdict adds the gate's answer to a Decision or Planned; the figures and the rule are those of risk.Verdict.
func (r *Record) SetVerdict(why venue.Reason, rule uint8, value, limit, headroom int64) {
	r.Reason, r.Rule, r.Value, r.Limit, r.Headroom = why, rule, value, limit, headroom
}

// SetRefusedLeg adds to a refused Planned which of its legs the gate refused, where it was one leg.
func (r *Record) SetRefusedLeg(p *desk.Plan, leg uint8) {
	r.Slot, r.Target = uint32(leg)+1, uint64(p.Legs[leg].Inst)
}

// SetOrder makes r an Order: the command about to be submitted.
func (r *Record) SetOrder(c *venue.Command) {
	r.Kind, r.Op, r.Type, r.TIF, r.Side, r.Role = Order, c.Op, c.Type, c.TIF, c.Side, c.Role
	r.Venue, r.Inst, r.Slot, r.Flags, r.Leg = c.Venue, c.Inst, c.Slot, c.Flags, c.Leg
	r.Strategy, r.Operator, r.Client, r.Target = c.Strategy, c.Operator, c.Client, c.Target
	r.Price, r.Stop, r.Qty, r.BookSeq = c.Price, c.Stop, c.Qty, c.BookSeq
	r.NotAfter, r.Plan, r.Config = c.NotAfter, c.Plan, c.Config
}

// SetReport makes r a Reported. A gateway's Sent answer is a report too. The order's strategy, side and plan are the
// engine's to add: a report carries the slot and client id only.
func (r *Record) SetReport(p *venue.Report) {
	r.Kind, r.Sub, r.Flags, r.Finality = Reported, uint8(p.Kind), p.Flags, p.Finality
	r.Venue, r.Inst, r.Slot, r.Reason, r.FeeCcy = p.Venue, p.Inst, p.Slot, p.Reason, p.FeeCcy
	r.Client, r.Recv, r.VenueAt, r.Price, r.Qty = p.Client, p.Recv, p.At, p.Price, p.Open
	r.Cum, r.Fill, r.Fee, r.ReportSeq, r.Ref = p.Cum, p.Fill, p.Fee, p.Seq, p.Ref
}

// SetOf adds to a Reported what the engine knows of the order that it concerns.
func (r *Record) SetOf(o *desk.Order) {
	r.Side, r.Role, r.Leg, r.Strategy, r.Plan = o.Side, o.Role, o.Leg, o.Strategy, o.Plan
}

// SetBook makes r a change of a book's trust; seq is the venue id of the last frame applied.
func (r *Record) SetBook(v venue.ID, in venue.Inst, s books.State, why venue.Reason, seq uint64) {
	r.Kind, r.Venue, r.Inst, r.Sub, r.Reason, r.BookSeq = Book, v, in, uint8(s), why, seq
}

// SetBreaker makes r a change of a venue's breaker, or of the global one (0). until is when an open one lets a probe
// through, 0 when only a person may re-arm it.
func (r *Record) SetBreaker(v venue.ID, s BreakerState, why venue.Reason, until venue.Nanos) {
	r.Kind, r.Venue, r.Sub, r.Reason, r.NotAfter = Breaker, v, uint8(s), why, until
}

// SetOperator makes r an operator's action; why is OK when it was carried out.
func (r *Record) SetOperator(k venue.OpKind, v venue.ID, who uint16, why venue.Reason) {
	r.Kind, r.Sub, r.Venue, r.Operator, r.Reason = Operator, uint8(k), v, who, why
}

// SetCommand makes r what an operator's event commands; the text of a note stands in Ref.
func (r *Record) SetCommand(e *venue.Event) {
	r.SetOperator(venue.OpKind(e.N), e.Venue, uint16(e.Seq), venue.OK)
	if venue.OpKind(e.N) == venue.OpNote {
		r.Ref[0] = uint8(len(e.AppendNote(r.Ref[1:1])))
		return
	}
	r.Strategy, r.Inst = e.Strategy(), e.Inst
}

// SetNaked makes r the exposure that a plan left in an instrument; q is signed, long positive.
func (r *Record) SetNaked(plan uint64, v venue.ID, in venue.Inst, q fixed.Qty) {
	r.Kind, r.Plan, r.Venue, r.Inst, r.Qty = Naked, plan, v, in, q
}

// SetStop makes r what happened to a stop: act is the stops.Act, guard its number in the catalogue. Of what does not
// apply the figure is 0: an instrument with its touch, level and position, and a loss with its limit.
func (r *Record) SetStop(act uint8, guard uint16, v venue.ID, in venue.Inst, touch, level fixed.Price, loss, limit fixed.Cash, q fixed.Qty) {
	r.Kind, r.Sub, r.Link, r.Venue, r.Inst = Stop, act, guard, v, in
	r.Price, r.Stop, r.Value, r.Limit, r.Qty = touch, level, int64(loss), int64(limit), q
}

// SetListed makes r what is in force of an instrument; why says why we do not trade what the venue does.
func (r *Record) SetListed(in *venue.Instrument, why venue.Reason) {
	r.Kind, r.Venue, r.Inst, r.Sub, r.Reason = Listed, in.Venue, in.Inst, uint8(in.Status), why
	r.Price, r.Qty, r.Cum, r.Fill, r.Fee = in.Tick, in.Lot, in.MinQty, in.MaxQty, in.MinNotional
	r.Edge, r.Allowance = in.Fees.Maker, in.Fees.Taker
}

// SetClock makes r the offset of a venue's clock, known to within so much, against the limit; apart says whether it is beyond.
func (r *Record) SetClock(v venue.ID, offset, within, limit venue.Nanos, apart bool) {
	r.Kind, r.Venue, r.Value, r.Headroom, r.Limit = Clock, v, int64(offset), int64(within), int64(limit)
	if apart {
		r.Reason = venue.ClockOffset
	}
}

func (r *Record) intent(in *desk.Intent) {
	r.Op, r.Type, r.TIF, r.Side, r.Role, r.Leg = in.Op, in.Type, in.TIF, in.Side, in.Role, in.Leg
	r.Strategy, r.Inst, r.Target, r.Plan = in.Strategy, in.Inst, in.Target, in.Plan
	r.Price, r.Stop, r.Qty, r.Edge = in.Price, in.Stop, in.Qty, in.Edge
	r.BookSeq, r.NotAfter = in.BookSeq, in.NotAfter
	if in.ReduceOnly {
		r.Flags = venue.ReduceOnlyFlag
	}
}

// RefBytes returns the venue's id. It aliases r.
func (r *Record) RefBytes() []byte { return r.Ref[1 : 1+int(r.Ref[0])%len(r.Ref)] }
