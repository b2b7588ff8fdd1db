// Package recovery decides what a start-up must know before it trades: which orders of earlier runs stand at the venues,
// what has filled meanwhile, and whether the venues' balances are what our own books make them.
//
// Evidence are the journal's State, whole sweeps of every venue, and what the gateways, who adopt the orders, find out about
// each. Judge is asked again with a newer sweep until nothing
// is left to cancel or to wait for; then its Opening is what the engine begins with, or its Differences say why not.
//
// Ownership: a Case belongs to one goroutine. It sends nothing and reads no clock.
//
// Decisions
//   - 2026-11-25: an order that no list shows is believed gone only when two sweeps, both begun after its last request
//     could still be accepted, do not show it. One "not found" proves nothing (design section 3).
//   - 2026-11-25: fills are booked by the ledger itself, in a scratch desk, from the journal's checkpoint on. There is no
//     second idea of what a fill does to money.
//   - 2026-11-25: completeness is proven by the balances: a fill that nobody showed us leaves one that differs, and then
//     nothing is traded.
package recovery

import (
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/engine/journal"
	"oneprice/risk/ledger"
)

// Policy is what becomes of our own orders that stand at a venue.
type Policy uint8

const (
	// Cancel ends them, Adopt takes them over, Refuse does not start.
	Cancel Policy = iota
	Adopt
	Refuse
)

// Policies are their names, in order.
var Policies = [...]string{"cancel", "adopt", "refuse"}

func (p Policy) String() string { return Policies[p] }

// Names is how the process numbers things; entry 0 of each list is unused.
type Names struct {
	Instruments []*venue.Instrument
	Venues      []string
	Currencies  []string
	Reporting   venue.Ccy
}

// Case is one start-up.
type Case struct {
	Names
	State  *journal.State
	Policy Policy
	// Believe takes a venue's word for balances that differ, and says so; otherwise nothing is traded.
	Believe bool
	// Balances are the config's: what a first start, without a checkpoint, begins with.
	Balances []ledger.Opening
	// Shared says, by venue, that others trade on the account: their orders are left alone and its balances prove nothing.
	Shared []bool
	// Within is how long after a request a venue may still accept it.
	Within venue.Nanos

	gone map[uint64]int // sweeps, by client id, that did not show an order
}

// Target is an order to cancel.
type Target struct {
	Venue  venue.ID
	Inst   venue.Inst
	Client uint64
}

// Verdict is what one sweep of every venue leads to.
type Verdict struct {
	// Cancel are our orders that must end, Wait how many have no proven fate yet. Ask again after both.
	Cancel []Target
	Wait   int
	// Foreign are orders of others, for the operator; they are left alone.
	Foreign []string
	// Differences are why nothing may be traded, in whole sentences. They count only when nothing is left to cancel or to
	// wait for.
	Differences []string
	// Did says what was found and done about it, in whole sentences.
	Did []string
	// News are the fills that were not in the journal: it must have them before the session begins, or it would take them for
	// new when their venue repeats them.
	News []venue.Report
	// Opening is what the engine begins with.
	Opening Opening
}

// Judge weighs one whole sweep of every venue that began at the instant from, and what the gateways told before.
func (c *Case) Judge(sweep, told []venue.Report, from venue.Nanos) *Verdict {
	if c.gone == nil {
		c.gone = map[uint64]int{}
	}
	v := &Verdict{}
	e := c.gather(sweep, v)
	e.hear(told)
	for i := range c.State.Orders {
		c.order(&c.State.Orders[i], e, from, v)
	}
	for _, r := range e.strangers {
		c.stranger(r, v)
	}
	c.book(e, v)
	return v
}

// order decides about one order of the journal.
func (c *Case) order(o *journal.Order, e *evidence, from venue.Nanos, v *Verdict) {
	i := c.instrument(o.Instrument)
	if i == 0 {
		v.differ("order %s of %s may be open, but the config has no such instrument; add it back, or end the order at the venue", ID(o.Client), o.Instrument)
		return
	}
	at := c.venue(o.VenueName)
	r := e.standing(at, o)
	switch {
	case r == nil && e.gone[key{at, o.Client}]:
		v.did("order %s of %s never was at the venue", ID(o.Client), o.Instrument)
	case r == nil && e.ended(at, o) || r != nil && r.Cum >= r.Open && r.Open > 0:
		v.did("order %s of %s has ended", ID(o.Client), o.Instrument)
	case r == nil && from < max(o.SentAt, o.AskedAt)+c.Within:
		v.Wait++ // a request may still be accepted
	case r == nil:
		if c.gone[o.Client]++; c.gone[o.Client] < 2 {
			v.Wait++
			return
		}
		v.did("order %s of %s is not at the venue; it never was, or has ended without a trace", ID(o.Client), o.Instrument)
	case c.Policy == Refuse:
		v.differ("order %s of %s stands at the venue, %s at %s, and the config says to refuse; cancel it there, or let the config cancel or adopt it",
			ID(o.Client), o.Instrument, fixed.Decimal(r.Open, c.Instruments[i].QtyScale), fixed.Decimal(r.Price, c.Instruments[i].PriceScale))
	case c.Policy == Adopt && !pendingAmend(o):
		v.did("order %s of %s is adopted", ID(o.Client), o.Instrument)
		v.Opening.adopt(o, i, r)
	default:
		v.did("order %s of %s is cancelled", ID(o.Client), o.Instrument)
		v.Cancel = append(v.Cancel, Target{r.Venue, i, r.Client})
	}
}
