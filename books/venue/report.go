package venue

import "oneprice/books/fixed"

// ReportKind says what a venue, or our own gateway, said of an order.
type ReportKind uint8

const (
	NoReport ReportKind = iota
	// SentReport returns the gateway's answer to Submit: Flags holds the Sent value.
	SentReport
	// Ack: the venue has the order; Ref is the venue's order id.
	Ack
	// Fill: Fill at Price, Cum after it, Fee in FeeCcy; Ref is the trade id.
	Fill
	// Cancelled, Expired and Rejected end an order; Cum is what was filled in all.
	Cancelled
	Expired
	RejectedReport
	// Amended: the amend took effect; Open is the quantity now in force and Price its price.
	Amended
	// CancelRejected and AmendRejected: the request failed and the order stands as it was.
	CancelRejected
	AmendRejected
	// NotFound: asked by id, the venue does not know the order. It proves nothing by itself, see Proves.
	NotFound
	// Balance: Cum is the free balance of FeeCcy at 10^-8 (as Cash) as the venue states it.
	Balance
	// PositionIs: Cum is the signed position of Inst as the venue states it.
	PositionIs
)

func (k ReportKind) String() string {
	return [...]string{"none", "sent", "ack", "fill", "cancelled", "expired", "rejected", "amended", "cancel_rejected",
		"amend_rejected", "not_found", "balance", "position"}[k]
}

// Flags of a Report.
const (
	// Maker: the fill added liquidity.
	Maker uint8 = 1 << iota
	// CumulativeOnly: the venue states totals, not fills; Fill is derived.
	CumulativeOnly
	// Recovered: found by Sweep, not by the live stream.
	Recovered
)

// Sent is a gateway's answer to Submit.
type Sent uint8

const (
	// NotSent: no byte left the process.
	NotSent Sent = iota + 1
	// Out: every byte was handed to the socket.
	Out
	// Maybe: some bytes may have left. The order is Unknown.
	Maybe
)

func (s Sent) String() string { return [...]string{"none", "not_sent", "out", "maybe"}[s] }

// Report is one record of the private side. 128 bytes, no pointers, two cells on the tape.
type Report struct {
	Kind     ReportKind
	Flags    uint8
	Venue    ID
	Finality Finality
	Inst     Inst
	// Slot is the order's slot in engine/orders, Client its client id.
	Slot   uint32
	Reason Reason
	FeeCcy Ccy
	Client uint64
	// Recv is our clock, At the venue's.
	Recv, At Nanos
	// Cum is the cumulative fill, Fill the increment.
	Cum, Fill fixed.Qty
	Price     fixed.Price
	// Open is the order quantity in force.
	Open fixed.Qty
	Fee  fixed.Cash
	// Seq of a SentReport is the Op that was submitted; of Amended and AmendRejected the client id of the amend itself
	// where the gateway knows it, else 0; of other kinds whatever number the venue gives its reports.
	Seq uint64
	// Ref[0] is the length of the id in Ref[1:]: order id of an Ack, trade id of a Fill. Exact, never hashed.
	Ref [40]byte
}

// Proves reports whether a NotFound ends its order as never placed: it was not found once the venue could no longer accept
// the request (its receive window and its engine's time are over), and again after a margin. Reason is then Timeout, and
// OK before.
func (r *Report) Proves() bool { return r.Kind == NotFound && r.Reason == Timeout }

// SetRef stores an id of up to 39 bytes; false when it does not fit.
func (r *Report) SetRef(id []byte) bool {
	if len(id) >= len(r.Ref) {
		return false
	}
	r.Ref = [40]byte{}
	r.Ref[0] = byte(len(id))
	copy(r.Ref[1:], id)
	return true
}

// RefBytes returns the stored id. It aliases r.
func (r *Report) RefBytes() []byte { return r.Ref[1 : 1+int(r.Ref[0])%len(r.Ref)] }

// Command is one order instruction that risk approved. 128 bytes. Only package risk builds one (bench/rules).
type Command struct {
	Op       Op
	Type     OrderType
	TIF      TIF
	Side     Side
	Venue    ID
	Flags    uint8
	Strategy uint16
	Inst     Inst
	Slot     uint32
	// Client is the client id of this instruction; Target the order that a Cancel or Amend aims at.
	Client, Target uint64
	Price, Stop    fixed.Price
	Qty            fixed.Qty
	// BookSeq is the book version that it was decided on.
	BookSeq uint64
	// Decided is Now of the deciding drain; a gateway drops the command after NotAfter and says so.
	Decided, NotAfter Nanos
	Plan, Config      uint64
	Leg               uint8
	Role              Role
	Operator          uint16
	_                 [28]byte
}

// Command flags.
const (
	// ReduceOnlyFlag: the order may only reduce a position.
	ReduceOnlyFlag uint8 = 1 << iota
	// Probe: the single order that a half-open breaker lets through.
	Probe
)

// Role is what an order is for.
type Role uint8

const (
	// RoleQuote rests, RoleTake crosses, RoleLeg is a leg of a plan.
	NoRole Role = iota
	RoleQuote
	RoleTake
	RoleLeg
	// RoleHedge completes or covers; RoleUnwind takes a filled leg back; RoleStop closes on a stop, or on an operator's word.
	RoleHedge
	RoleUnwind
	RoleStop
)

func (r Role) String() string {
	return [...]string{"none", "quote", "take", "leg", "hedge", "unwind", "stop"}[r]
}
