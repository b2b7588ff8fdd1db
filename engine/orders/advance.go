package orders

import (
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/planted"
	"oneprice/books/venue"
)

// Advance is the transition function: it moves o by one report and returns the newly filled quantity. It is total: every
// report is legal in every state, and one that proves nothing changes nothing. Pure in its arguments.
func Advance(o *desk.Order, r *venue.Report) fixed.Qty {
	if r.Kind == venue.Fill {
		return filled(o, r)
	}
	if o.State.Done() {
		return 0
	}
	switch r.Kind {
	case venue.SentReport:
		sent(o, r)
	case venue.Ack:
		o.Ref, o.AckAt = r.Ref, max(r.Recv, 1) // 0 says that it was never confirmed
		if o.State == desk.Pending || o.State == desk.Sent || o.State == desk.Unknown {
			o.State = rests(o)
		}
	case venue.Cancelled:
		ends(o, desk.Cancelled, r)
	case venue.Expired:
		ends(o, desk.Expired, r)
	case venue.RejectedReport:
		ends(o, desk.Rejected, r)
	case venue.Amended:
		amended(o, r)
	case venue.AmendRejected:
		if r.Seq == 0 || r.Seq == o.NextClient { // else it answers an amend before the pending one
			forget(o)
			answered(o, desk.PendingAmend)
		}
	case venue.NotFound:
		if r.Proves() {
			ends(o, desk.Rejected, r)
		}
	case venue.CancelRejected:
		answered(o, desk.PendingCancel)
	}
	closes(o)
	return 0
}

// sent books our own gateway's answer. r.Seq is the Op that was submitted.
func sent(o *desk.Order, r *venue.Report) {
	op := venue.Op(r.Seq)
	switch venue.Sent(r.Flags) {
	case venue.Out:
		if op == venue.New && o.State == desk.Pending {
			o.State = desk.Sent
		}
	case venue.Maybe:
		// The venue's own word may have come first; then there is no doubt.
		if op == venue.New && o.AckAt == 0 && o.Filled == 0 || op == venue.Cancel && o.State == desk.PendingCancel ||
			op == venue.Amend && o.State == desk.PendingAmend {
			o.State = desk.Unknown
		}
	case venue.NotSent:
		switch {
		case op == venue.New: // whatever was asked of it since: nobody has it
			o.State, o.Reason = desk.Rejected, r.Reason
		case op == venue.Amend:
			forget(o)
		case op == venue.Cancel && o.State == desk.PendingCancel:
			o.State = rests(o)
		}
	}
}

// amended takes the price and quantity that the venue states to be in force. They end the pending amend only when they
// are its own, or when nothing more can fill; after any other change it may still come.
func amended(o *desk.Order, r *venue.Report) {
	if r.Seq != 0 && r.Seq != o.NextClient {
		return // said before, of an amend before the pending one
	}
	o.Qty, o.Price = r.Open, r.Price
	if r.Ref[0] != 0 {
		o.Ref = r.Ref // where an amend replaces the order, it has another id
	}
	if r.Seq != 0 {
		o.Alias = r.Seq
	}
	if r.Seq != 0 || (r.Open == o.NextQty && r.Price == o.NextPrice) || r.Open <= r.Cum {
		forget(o)
	}
	if o.State != desk.PendingCancel {
		o.State = rests(o)
	}
}

// forget drops the pending amend.
func forget(o *desk.Order) {
	o.NextQty, o.NextPrice, o.NextClient = 0, 0, 0
	if o.State == desk.PendingAmend {
		o.State = rests(o)
	}
}

// answered ends the wait for a request's answer, which may come after the engine has given up waiting. It says nothing of
// an order that no venue has confirmed: that one stays Unknown.
func answered(o *desk.Order, waits desk.OrderState) {
	if o.State == waits || o.State == desk.Unknown && (o.AckAt != 0 || o.Filled > 0) {
		o.State = rests(o)
	}
}

// closes ends an order whose fills are all known: those that a terminal report stated, or its whole quantity with no
// larger one pending.
func closes(o *desk.Order) {
	switch {
	case o.State.Done():
	case o.Ending != desk.NoOrder:
		if o.Filled >= o.Stated || planted.On(planted.CancelCloses) {
			o.State = o.Ending
		}
	case o.Filled >= max(o.Qty, o.NextQty):
		o.State = desk.Filled
	}
}

// Increment is what a Fill adds to its order: the report's own increment, or where the venue states totals only, or a fill
// has no id by which it could be told from its repetition, the total less what is known. Not positive for a fill that is
// known already.
func Increment(o *desk.Order, r *venue.Report) fixed.Qty {
	if totals(r) {
		return r.Cum - o.Filled
	}
	return r.Fill
}

// totals reports whether a fill counts by the total that it states.
func totals(r *venue.Report) bool {
	return r.Flags&venue.CumulativeOnly != 0 || (r.Ref[0] == 0 && r.Cum > 0)
}

// filled books a fill. One that is reversed concerns the ledger alone: the order does not work again.
func filled(o *desk.Order, r *venue.Report) fixed.Qty {
	add := Increment(o, r)
	if add <= 0 || r.Finality == venue.Reversed {
		return 0
	}
	o.Filled += add
	switch o.State {
	case desk.Pending, desk.Sent, desk.Unknown, desk.Open, desk.PartlyFilled:
		o.State = rests(o)
	}
	closes(o) // a late fill of a done order is legal, and the ledger books it
	return add
}

// ends closes an order once its fills agree with what the terminal report states.
func ends(o *desk.Order, as desk.OrderState, r *venue.Report) {
	o.Reason, o.Ending, o.Stated = r.Reason, as, r.Cum
}

// rests is the state of an order that stands at the venue, as far as is known.
func rests(o *desk.Order) desk.OrderState {
	switch {
	case o.NextClient != 0:
		return desk.PendingAmend
	case o.Filled > 0:
		return desk.PartlyFilled
	case o.AckAt == 0:
		return desk.Sent // a cancel overtook it
	}
	return desk.Open
}
