package orders

import (
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// Advance is the transition function: it moves o by one report and returns the newly filled quantity. It is total: every
// report is legal in every state, and one that proves nothing changes nothing. Pure in its arguments.
func Advance(o *desk.Order, r *venue.Report) fixed.Qty {
	var fill fixed.Qty
	switch r.Kind {
	case venue.SentReport:
		sent(o, r)
	case venue.Ack:
		if !o.State.Done() {
			o.Ref = r.Ref
			o.AckAt = r.Recv
			if o.State == desk.Pending || o.State == desk.Sent || o.State == desk.Unknown {
				o.State = rests(o)
			}
		}
	case venue.Fill:
		fill = filled(o, r)
	case venue.Cancelled:
		ends(o, desk.Cancelled, r)
	case venue.Expired:
		ends(o, desk.Expired, r)
	case venue.RejectedReport:
		ends(o, desk.Rejected, r)
	case venue.Amended:
		if !o.State.Done() {
			o.Qty, o.Price = r.Open, r.Price
			o.NextQty, o.NextPrice = 0, 0
			if o.State != desk.PendingCancel {
				o.State = rests(o)
			}
			if o.Filled >= o.Qty {
				o.State = desk.Filled
			}
		}
	case venue.AmendRejected:
		if !o.State.Done() {
			o.NextQty, o.NextPrice = 0, 0
			if o.State == desk.PendingAmend {
				o.State = rests(o)
			}
		}
	case venue.CancelRejected:
		if o.State == desk.PendingCancel {
			o.State = rests(o)
		}
	}
	return fill
}

// sent books our own gateway's answer. r.Seq is the Op that was submitted.
func sent(o *desk.Order, r *venue.Report) {
	if o.State.Done() {
		return
	}
	op := venue.Op(r.Seq)
	switch venue.Sent(r.Flags) {
	case venue.Out:
		if op == venue.New && o.State == desk.Pending {
			o.State = desk.Sent
		}
	case venue.Maybe:
		o.State = desk.Unknown
	case venue.NotSent:
		switch {
		case op == venue.New && o.State == desk.Pending:
			o.State, o.Reason = desk.Rejected, r.Reason
		case op == venue.Amend && o.State == desk.PendingAmend:
			o.NextQty, o.NextPrice = 0, 0
			o.State = rests(o)
		case op == venue.Cancel && o.State == desk.PendingCancel:
			o.State = rests(o)
		}
	}
}

// Increment is what a Fill adds to its order: the report's own increment, or where the venue states totals only, the
// total less what is known. Not positive for a fill that is known already.
func Increment(o *desk.Order, r *venue.Report) fixed.Qty {
	if r.Flags&venue.CumulativeOnly != 0 {
		return r.Cum - o.Filled
	}
	return r.Fill
}

// filled books a fill.
func filled(o *desk.Order, r *venue.Report) fixed.Qty {
	add := Increment(o, r)
	if add <= 0 {
		return 0
	}
	o.Filled += add
	if o.State.Done() {
		return add // late, legal: the ledger books it
	}
	switch {
	case o.Ending != desk.NoOrder:
		if o.Filled >= o.Stated {
			o.State = o.Ending
		}
	case o.Filled >= o.Qty && o.NextQty <= o.Qty:
		o.State = desk.Filled
	case o.State == desk.PendingCancel || o.State == desk.PendingAmend:
	default:
		o.State = desk.PartlyFilled
	}
	return add
}

// ends closes an order once its fills agree with what the terminal report states.
func ends(o *desk.Order, as desk.OrderState, r *venue.Report) {
	if o.State.Done() {
		return
	}
	o.Reason = r.Reason
	if r.Cum > o.Filled {
		o.Ending, o.Stated = as, r.Cum
		return
	}
	o.State = as
}

// rests is the state of an order that stands at the venue.
func rests(o *desk.Order) desk.OrderState {
	if o.Filled > 0 {
		return desk.PartlyFilled
	}
	return desk.Open
}
