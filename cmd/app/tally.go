package app

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/engine"

	"github.com/shopspring/decimal"
)

// OrderReport is what became of a venue's orders, counted from its reports.
type OrderReport struct {
	OrdersSent uint64 `json:"orders_sent"`
	NotSent    uint64 `json:"not_sent"`
	Acks       uint64 `json:"acks"`
	Fills      uint64 `json:"fills"`
	Rejects    uint64 `json:"rejects"`
	Cancelled  uint64 `json:"cancelled"`
	// Unknown is how often the fate of an order was in doubt, UnknownNow how many are at the end.
	Unknown    uint64 `json:"unknown"`
	UnknownNow uint64 `json:"unknown_now"`
	// Reconciled counts what sweeps reported: found by asking, not told by the stream.
	Reconciled uint64 `json:"reconciled"`
}

// tally is a tap that counts reports by venue. It sees them as they came: what was known already counts too.
type tally struct{ venues []OrderReport }

// Frame counts the reports of a drain.
func (t *tally) Frame(b *engine.Batch) {
	for i := range b.Reports {
		r := &b.Reports[i]
		v := &t.venues[r.Venue]
		if r.Flags&venue.Recovered != 0 && r.Kind != venue.SentReport {
			v.Reconciled++
			continue
		}
		switch r.Kind {
		case venue.SentReport:
			v.sent(r)
		case venue.Ack:
			v.Acks++
		case venue.Fill:
			v.Fills++
		case venue.RejectedReport:
			v.Rejects++
		case venue.Cancelled, venue.Expired:
			v.Cancelled++
		}
	}
}

// sent counts a gateway's answer to a new order.
func (v *OrderReport) sent(r *venue.Report) {
	switch sent := venue.Sent(r.Flags); {
	case sent == venue.Maybe:
		v.Unknown++
	case venue.Op(r.Seq) != venue.New:
	case sent == venue.Out:
		v.OrdersSent++
	case sent == venue.NotSent:
		v.NotSent++
	}
}

// accounts reports the venues' orders, and how many currencies differ between our ledger and what a venue's own books
// hold.
func (l *Live) accounts(r *LiveResult) {
	d := l.Engine.Desk()
	r.Venues = map[string]*OrderReport{}
	for id := 1; id < len(l.Venues); id++ {
		if l.orders.gateways[id] != nil {
			r.Venues[l.Venues[id].Name] = &l.tally.venues[id]
		}
	}
	for i := range d.Orders {
		if o := &d.Orders[i]; o.State == desk.Unknown {
			r.Venues[l.Venues[o.Venue].Name].UnknownNow++
			r.UnknownNow++
		}
	}
	earlier := make([]uint64, len(l.Venues)) // fills of the runs before
	for i := range l.opening.Seen {
		earlier[l.opening.Seen[i].Venue]++
	}
	for id := 1; id < len(l.Venues) && l.holds != nil; id++ {
		for c := 1; c < len(l.Currencies); c++ {
			ours := fixed.Decimal(d.Balances[id][c], fixed.CashScale)
			theirs, known := l.holds(l.Venues[id].Name, l.Currencies[c])
			// Our figures keep eight decimals and round against us once for each fill, told by a stream or found by a sweep; a
			// venue's may have had more decimals before.
			if slack := decimal.New(int64(2*(l.Engine.Orders().Stats().Fills+earlier[id]))+1, -fixed.CashScale); known && theirs.Sub(ours).Abs().GreaterThan(slack) {
				r.PositionMismatch++
				r.Mismatches = append(r.Mismatches, fmt.Sprintf("%s %s: ours %s, the venue's %s", l.Venues[id].Name, l.Currencies[c], ours, theirs))
			}
		}
	}
}

// ordersText writes what became of the orders for a person.
func (r *LiveResult) ordersText(w io.Writer) {
	for _, name := range slices.Sorted(maps.Keys(r.Venues)) {
		v := r.Venues[name]
		fmt.Fprintf(w, "%s: %d orders sent, %d not sent, %d acknowledged, %d fills, %d rejected, %d ended, %d reconciled, %d in doubt (%d now)\n", name, v.OrdersSent, v.NotSent, v.Acks,
			v.Fills, v.Rejects, v.Cancelled, v.Reconciled, v.Unknown, v.UnknownNow)
	}
	for _, m := range r.Mismatches {
		fmt.Fprintf(w, "balance differs: %s\n", m)
	}
}
