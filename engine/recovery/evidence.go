package recovery

import (
	"fmt"

	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/engine/journal"
	"oneprice/engine/orders"
)

// key is how a venue knows an order of ours.
type key struct {
	venue  venue.ID
	client uint64
}

// evidence is one sweep, sorted.
type evidence struct {
	acks, ends map[key]*venue.Report
	// gone are proven never to have been.
	gone  map[key]bool
	fills []*venue.Report
	// strangers are orders with ids of ours that the journal does not know.
	strangers []*venue.Report
	free      map[balance]fixed.Cash
	positions map[venue.Inst]fixed.Qty
	// swept are the venues that stated balances: completely, so that one not stated is nothing.
	swept map[venue.ID]bool
	// others are venues where somebody else's orders stand.
	others map[venue.ID]bool
}

type balance struct {
	venue venue.ID
	ccy   venue.Ccy
}

// gather sorts a sweep.
func (c *Case) gather(sweep []venue.Report, v *Verdict) *evidence {
	e := &evidence{acks: map[key]*venue.Report{}, ends: map[key]*venue.Report{}, gone: map[key]bool{}, free: map[balance]fixed.Cash{}, positions: map[venue.Inst]fixed.Qty{},
		swept: map[venue.ID]bool{}, others: map[venue.ID]bool{}}
	var acks []*venue.Report
	for i := range sweep {
		r := &sweep[i]
		switch k := (key{r.Venue, r.Client}); r.Kind {
		case venue.Ack:
			if r.Client != 0 {
				e.acks[k] = r
			}
			acks = append(acks, r)
		case venue.Cancelled, venue.Expired, venue.RejectedReport:
			if r.Client != 0 {
				e.ends[k] = r
			}
		case venue.Fill:
			e.fills = append(e.fills, r)
		case venue.Balance:
			e.free[balance{r.Venue, r.FeeCcy}] = fixed.Cash(r.Cum)
			e.swept[r.Venue] = true
		case venue.PositionIs:
			e.positions[r.Inst] = r.Cum
		}
	}
	known := c.known()
	for _, r := range acks {
		switch k := (key{r.Venue, r.Client}); {
		case r.Client == 0 && r.Cum < r.Open && !ended(sweep, r):
			e.foreign(c, r, v)
		case r.Client != 0 && !known[k] && e.ends[k] == nil && r.Cum < r.Open && e.acks[k] == r:
			e.strangers = append(e.strangers, r)
		}
	}
	return e
}

// hear takes what gateways told besides: fills and ends, which stay true. That an order stood then says nothing of now.
func (e *evidence) hear(told []venue.Report) {
	for i := range told {
		switch r := &told[i]; r.Kind {
		case venue.Cancelled, venue.Expired, venue.RejectedReport:
			if k := (key{r.Venue, r.Client}); r.Client != 0 && e.acks[k] == nil {
				e.ends[k] = r
			}
		case venue.Fill:
			e.fills = append(e.fills, r)
		case venue.NotFound:
			if r.Proves() {
				e.gone[key{r.Venue, r.Client}] = true
			}
		}
	}
}

// known are the orders that the journal holds as perhaps open, under every id that a venue may have them by.
func (c *Case) known() map[key]bool {
	m := map[key]bool{}
	for i := range c.State.Orders {
		o := &c.State.Orders[i]
		for _, id := range names(o) {
			m[key{c.venue(o.VenueName), id}] = true
		}
	}
	return m
}

// ended reports whether a sweep also says that somebody else's order has ended: they are told apart by the venue's id.
func ended(sweep []venue.Report, ack *venue.Report) bool {
	for i := range sweep {
		switch r := &sweep[i]; r.Kind {
		case venue.Cancelled, venue.Expired, venue.RejectedReport:
			if r.Client == 0 && r.Venue == ack.Venue && r.Ref == ack.Ref {
				return true
			}
		}
	}
	return false
}

// foreign lists an order of somebody else. On an account that is ours alone there must be none.
func (e *evidence) foreign(c *Case, r *venue.Report, v *Verdict) {
	e.others[r.Venue] = true
	text := fmt.Sprintf("order %s of %s, not ours, stands at the venue", r.RefBytes(), c.name(r.Inst))
	v.Foreign = append(v.Foreign, text)
	if !c.shared(r.Venue) {
		v.differ("%s, though the account is ours alone; cancel it there, or say that the account is shared", text)
	}
}

// stranger is an order with an id of ours that the journal does not know: it is ended, whatever the policy.
func (c *Case) stranger(r *venue.Report, v *Verdict) {
	v.did("order %s of %s has an id of ours, but no journal knows it: it is cancelled", ID(r.Client), c.name(r.Inst))
	v.Cancel = append(v.Cancel, Target{r.Venue, r.Inst, r.Client})
}

// names are the client ids that a venue may have an order by: its own, that of its last amend, and that of one under way.
func names(o *journal.Order) []uint64 {
	ids := []uint64{o.Client}
	for _, id := range [...]uint64{o.Alias, o.NextClient} {
		if id != 0 {
			ids = append(ids, id)
		}
	}
	return ids
}

// standing is the venue's word that an order is open, nil when it does not list it. A later name goes before an earlier.
func (e *evidence) standing(at venue.ID, o *journal.Order) *venue.Report {
	ids := names(o)
	for i := len(ids) - 1; i >= 0; i-- {
		k := key{at, ids[i]}
		if r := e.acks[k]; r != nil && e.ends[k] == nil {
			return r
		}
	}
	return nil
}

// ended reports whether the venue says that an order has ended under one of its names.
func (e *evidence) ended(at venue.ID, o *journal.Order) bool {
	for _, id := range names(o) {
		if e.ends[key{at, id}] != nil {
			return true
		}
	}
	return false
}

// ID is how a client id is shown to people: run and number.
func ID(client uint64) string { return fmt.Sprintf("%d-%d", orders.Epoch(client), orders.Seq(client)) }

func (v *Verdict) differ(format string, args ...any) {
	v.Differences = append(v.Differences, fmt.Sprintf(format, args...))
}

func (v *Verdict) did(format string, args ...any) {
	v.Did = append(v.Did, fmt.Sprintf(format, args...))
}

func (c *Case) instrument(name string) venue.Inst {
	for _, in := range c.Instruments[1:] {
		if in.Name == name {
			return in.Inst
		}
	}
	return 0
}

func (c *Case) name(i venue.Inst) string {
	if int(i) < len(c.Instruments) && i != 0 {
		return c.Instruments[i].Name
	}
	return "an unknown instrument"
}

func (c *Case) venue(name string) venue.ID     { return venue.ID(index(c.Venues, name)) }
func (c *Case) currency(name string) venue.Ccy { return venue.Ccy(index(c.Currencies, name)) }
func (c *Case) shared(v venue.ID) bool         { return int(v) < len(c.Shared) && c.Shared[v] }
func pendingAmend(o *journal.Order) bool       { return o.NextClient != 0 || o.State == desk.PendingAmend }

func index(names []string, name string) int {
	for i := 1; i < len(names); i++ {
		if names[i] == name {
			return i
		}
	}
	return 0
}
