package coinbasesim

import (
	"fmt"

	"github.com/shopspring/decimal"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/venuesim"
)

const (
	// snapshotBatch is how many orders one message of a snapshot holds.
	snapshotBatch = 50
	// replayed is how many ended orders are told again to who comes back.
	replayed = 20
)

// user subscribes a connection to the orders of the account whose token it shows, or ends that. The snapshot of open
// orders ends with a message of fewer than a batch.
func (s *Sim) user(x *subscriber, q request, on bool, now venue.Nanos) (why string) {
	if !on {
		x.account = nil
		return s.subscribed(x, now)
	}
	a, err := s.verify(q.JWT, "", now)
	if err != nil {
		s.count.Unauthorized.Add(1)
		return "authentication failure"
	}
	x.account = a
	a.sessions++
	var open [][]byte
	for _, o := range a.orders {
		if o.status == statusOpen {
			open = append(open, s.update(o))
		}
	}
	for {
		n := min(len(open), snapshotBatch)
		x.send("user", now, orderEvent("snapshot", open[:n]))
		if open = open[n:]; n < snapshotBatch {
			break
		}
	}
	if a.sessions > 1 {
		for _, o := range a.recent {
			x.send("user", now, orderEvent("update", [][]byte{s.update(o)}))
		}
	}
	return s.subscribed(x, now)
}

// tell sends an order's state to those who follow its account, through the faults of reports.
func (s *Sim) tell(o *order, now venue.Nanos) {
	text := orderEvent("update", [][]byte{s.update(o)})
	for _, x := range s.subs {
		if x.account != o.a {
			continue
		}
		if x.kept == nil && s.cfg.Faults.Strikes(venuesim.ReorderReport, now) {
			x.kept, x.keptAt = text, now
			continue
		}
		x.send("user", now, text)
		if s.cfg.Faults.Strikes(venuesim.DuplicateReport, now) {
			x.send("user", now, text)
		}
		x.release(now)
	}
}

// release sends a report that was held back behind another.
func (x *subscriber) release(now venue.Nanos) {
	if x.kept != nil {
		x.send("user", now, x.kept)
		x.kept = nil
	}
}

// late sends the reports that nothing came after.
func (s *Sim) late(now venue.Nanos) {
	for _, x := range s.subs {
		if x.kept != nil && now-x.keptAt > 50*venue.Millisecond {
			x.release(now)
		}
	}
}

func orderEvent(kind string, orders [][]byte) []byte {
	m := fmt.Appendf(nil, `{"type":%q,"orders":[`, kind)
	for i, o := range orders {
		if i > 0 {
			m = append(m, ',')
		}
		m = append(m, o...)
	}
	return append(m, `]}`...)
}

// update is an order as the user channel tells it: totals, no limit price, and nothing left once it has ended.
func (s *Sim) update(o *order) []byte {
	p := s.products[o.product]
	left := o.size - o.cum
	cancel, reject := "", ""
	if o.status != statusOpen {
		left = 0
	}
	switch o.status {
	case statusCancelled:
		cancel = o.why
	case "FAILED":
		reject = o.why
	}
	m := fmt.Appendf(nil, `{"order_id":%q,"client_order_id":%q,"cumulative_quantity":"`, o.id, o.client)
	m = number(m, int64(o.cum), p.QtyScale)
	m = number(append(m, `","leaves_quantity":"`...), int64(left), p.QtyScale)
	return fmt.Appendf(m, `","avg_price":%q,"total_fees":%q,"status":%q,"product_id":%q,"creation_time":%q,"order_side":%q,"order_type":%q,"cancel_reason":%q,`+
		`"reject_reason":%q,"total_value_after_fees":%q,"filled_value":%q,"number_of_fills":"%d","contract_expiry_type":"UNKNOWN_CONTRACT_EXPIRY_TYPE",`+
		`"product_type":"SPOT","risk_managed_by":"UNKNOWN_RISK_MANAGEMENT_TYPE","time_in_force":%q,"trigger_status":%q,"outstanding_hold_amount":%q}`,
		o.average(p).String(), o.fees.String(), o.status, p.Symbol, stamp(o.born), word(o.side), o.kind(), cancel, reject, o.value.Add(o.fees).String(),
		o.value.String(), o.trades, o.tif, o.trigger(), o.held.String())
}

func word(d venue.Side) string {
	if d == venue.Sell {
		return "SELL"
	}
	return "BUY"
}

func (o *order) kind() string {
	if o.stop != 0 {
		return "Stop Limit"
	}
	return "Limit"
}

func (o *order) trigger() string {
	switch {
	case o.waits:
		return "STOP_PENDING"
	case o.stop != 0:
		return "STOP_TRIGGERED"
	}
	return "INVALID_ORDER_TYPE"
}

// average is the mean price, at most sixteen decimals.
func (o *order) average(p *product) decimal.Decimal {
	if o.cum == 0 {
		return decimal.Decimal{}
	}
	return o.value.Div(fixed.Decimal(o.cum, p.QtyScale))
}
