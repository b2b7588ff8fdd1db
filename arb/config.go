package arb

import (
	"errors"
	"fmt"

	"oneprice/arb/links"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// Config of one arb strategy. Nothing has a default: a missing limit is a fault.
type Config struct {
	Name  string
	Links []Link
	// MaxFXAge is how old a rate of Desk.FX may be; needed when a link converts through Desk.FX.
	MaxFXAge venue.Nanos
	// Balances says that Desk.Balances were stated: legs that deliver or pay in full (spot, stock, binary) are then sized
	// within them. Without it the gate alone decides.
	Balances bool
}

// Link is one configured cross. Both directions of a pair and of a triangle are looked at.
type Link struct {
	Name  string
	Shape desk.Shape
	// Legs are the instruments. TwoVenue and ComplementPair: two of one product. Triangle: three of one venue that join
	// three currencies. OutcomeSet: two to four outcomes, exactly one of which will pay one. A pair's and a set's legs
	// leave in this order, so under InTurn the less certain one comes first; a triangle's leave so that each is paid for
	// by the one before.
	Legs []venue.Inst
	// Threshold is the net edge, per unit of what is paid, that a plan needs at its limit prices.
	Threshold fixed.Rate
	// MinBase and MaxBase bound the size in base units at the QtyScale of the product; of a Triangle, in the currency
	// that is base of two legs, at the QtyScale of the leg that prices it in the common quote currency.
	MinBase, MaxBase fixed.Qty
	// MaxNotional, in the quote currency of Legs[0], bounds every leg that is quoted in it.
	MaxNotional fixed.Cash
	// MaxPosition, in base units, is how far a plan may take the position of a leg to either side, counting what works. 0
	// says that the gate alone decides; a link that the gate then refuses asks again after every cooldown. Not for a
	// Triangle.
	MaxPosition fixed.Qty

	Policy    desk.Policy
	OnFail    desk.Playbook
	Allowance fixed.Rate
	// MaxLoss is in the reporting currency.
	MaxLoss fixed.Cash
	// Deadline is how long the playbook has, NotAfter how long a leg may wait for its socket.
	Deadline, NotAfter venue.Nanos
	// MaxAge is how long ago each book may have been heard of.
	MaxAge venue.Nanos
	// Cooldown is how long a side of a book that a plan has taken from is left alone, by every link of the strategy; the
	// end of the drain when 0.
	Cooldown venue.Nanos

	// Basis permits legs that differ in kind or settlement currency. BasisLimit is the largest gross cross at the touch
	// that is believed, of any link; beyond it the cross is refused.
	Basis      bool
	BasisLimit fixed.Rate
	Costs      Costs
	// Par, where the quote currencies of a pair differ, is the operator's word for what one unit of Legs[1]'s is worth
	// in Legs[0]'s. 0: through Desk.FX, both at their worse sides.
	Par fixed.Rate
	// Exhaustive is the operator's word that exactly one outcome of the set must pay.
	Exhaustive bool
	// Review is needed between binaries of different venues.
	Review *links.Record
}

// Costs of carrying a cross until it converges, per unit of what is paid. Each is subtracted from the edge.
type Costs struct{ FX, Funding, Borrow, Other fixed.Rate }

func (c Costs) sum() fixed.Rate { return c.FX + c.Funding + c.Borrow + c.Other }

// maxRate bounds every configured rate: 100 %.
const maxRate = fixed.One

// validate returns all faults of the config, joined, each with its field path.
func (c *Config) validate(ins []*venue.Instrument) error {
	var errs []error
	if c.Name == "" {
		errs = append(errs, errors.New("name: missing"))
	}
	if len(c.Links) == 0 || len(c.Links) > 1<<15 {
		errs = append(errs, fmt.Errorf("links: unexpected number of links; got %d; want 1 to %d", len(c.Links), 1<<15))
	}
	for i := range c.Links {
		l := &c.Links[i]
		f := faults{path: fmt.Sprintf("links[%d] %s", i, l.Name)}
		if l.legs(ins, &f) {
			l.alike(ins, c, &f)
		}
		l.limits(&f)
		errs = append(errs, f.errs...)
	}
	return errors.Join(errs...)
}

// faults collects what is wrong with one link.
type faults struct {
	path string
	errs []error
}

func (f *faults) add(format string, args ...any) {
	f.errs = append(f.errs, fmt.Errorf("%s: %w", f.path, fmt.Errorf(format, args...)))
}

func (f *faults) want(ok bool, format string, args ...any) {
	if !ok {
		f.add(format, args...)
	}
}

// legs checks number and existence; false when nothing more can be said of them.
func (l *Link) legs(ins []*venue.Instrument, f *faults) bool {
	lo, hi := 2, 2
	switch l.Shape {
	case desk.TwoVenue, desk.ComplementPair:
	case desk.Triangle:
		lo, hi = 3, 3
	case desk.OutcomeSet:
		hi = desk.MaxLegs
	default:
		f.add("shape: unexpected %d; want two_venue, complement, triangle or outcome_set", l.Shape)
		return false
	}
	if n := len(l.Legs); n < lo || n > hi {
		f.add("legs: unexpected number; got %d; want %d to %d for %s", n, lo, hi, l.Shape)
		return false
	}
	for k, i := range l.Legs {
		if int(i) >= len(ins) || ins[i] == nil {
			f.add("legs[%d]: unknown instrument %d", k, i)
			return false
		}
		for _, j := range l.Legs[:k] {
			if i == j {
				f.add("legs[%d]: %s is named twice", k, ins[i].Name)
				return false
			}
		}
		fee := ins[i].Fees.Taker
		f.want(ins[i].Lot > 0, "legs[%d]: the lot of %s is not known", k, ins[i].Name)
		f.want(fee > -fixed.One/10 && fee < fixed.One/2, "legs[%d]: %s has a taker fee of %d, which is not believed", k, ins[i].Name, fee)
	}
	return true
}

// alike checks that the legs may be compared at all.
func (l *Link) alike(ins []*venue.Instrument, c *Config, f *faults) {
	a := ins[l.Legs[0]]
	for _, i := range l.Legs[1:] {
		b := ins[i]
		if l.Shape != desk.Triangle && !l.Basis && (a.Kind != b.Kind || a.Settle != b.Settle) {
			f.add("basis: %s and %s differ in kind or settlement currency; set basis to allow that", a.Name, b.Name)
		}
		switch l.Shape {
		case desk.TwoVenue, desk.ComplementPair:
			l.pair(a, b, c, f)
		case desk.OutcomeSet:
			f.want(b.Kind == venue.Binary && a.Kind == venue.Binary, "legs: %s and %s are not both binary", a.Name, b.Name)
			f.want(a.Quote == b.Quote, "legs: %s and %s are quoted in different currencies", a.Name, b.Name)
			f.want(a.PriceScale == b.PriceScale && a.QtyScale == b.QtyScale, "legs: %s and %s have different scales", a.Name, b.Name)
			f.want(a.Product != b.Product, "legs: %s and %s are the same outcome", a.Name, b.Name)
		}
	}
	switch l.Shape {
	case desk.Triangle:
		if _, err := orient(l.Legs, ins); err != nil {
			f.add("legs: %w", err)
		}
	case desk.OutcomeSet:
		f.want(l.Exhaustive, "exhaustive: not stated; a set pays only when one of its outcomes must")
		f.want(a.PriceScale <= maxSetScale, "legs: price scale %d of %s is beyond %d", a.PriceScale, a.Name, maxSetScale)
	}
	l.reviewed(ins, f)
}

// pair checks what two instruments of one product need.
func (l *Link) pair(a, b *venue.Instrument, c *Config, f *faults) {
	f.want(a.Product == b.Product && a.Product != 0, "legs: %s and %s are not of one product", a.Name, b.Name)
	f.want(a.PriceScale == b.PriceScale && a.QtyScale == b.QtyScale, "legs: %s and %s have different scales", a.Name, b.Name)
	if l.Shape == desk.ComplementPair {
		f.want(a.Complement != b.Complement, "legs: one of %s and %s must be the complement", a.Name, b.Name)
	}
	if a.Quote == b.Quote {
		f.want(l.Par == 0, "par: %s and %s have the same quote currency", a.Name, b.Name)
		return
	}
	f.want(l.Par == 0 || l.Par > fixed.One/1000 && l.Par < 1000*fixed.One, "par: unexpected %d; want a rate between 0.001 and 1000", l.Par)
	f.want(l.Par != 0 || c.MaxFXAge > 0, "par: neither it nor max_fx_age is given, and the quote currencies of %s and %s differ", a.Name, b.Name)
}

// reviewed checks that a cross between binaries of different venues has a record in force.
func (l *Link) reviewed(ins []*venue.Instrument, f *faults) {
	a, apart := ins[l.Legs[0]], false
	for _, i := range l.Legs[1:] {
		apart = apart || ins[i].Venue != a.Venue
	}
	if l.Shape == desk.Triangle {
		f.want(!apart, "legs: a triangle stays within one venue")
	}
	if a.Kind != venue.Binary || !apart {
		return
	}
	if l.Review == nil {
		f.add("review: missing; binaries of different venues settle alike only after review")
		return
	}
	if err := l.Review.Validate(); err != nil {
		f.add("review: %w", err)
	}
	for _, i := range l.Legs {
		f.want(l.Review.Covers(ins[i].Name), "review: says nothing of %s", ins[i].Name)
	}
	f.want(l.Review.Armed(), "review: disarmed: %s", l.Review.Disarmed)
}

// limits checks the figures.
func (l *Link) limits(f *faults) {
	rate := func(name string, v, lo fixed.Rate) {
		f.want(v >= lo && v <= maxRate, "%s: unexpected %d; want %d to %d", name, v, lo, maxRate)
	}
	span := func(name string, v venue.Nanos, lo venue.Nanos) {
		f.want(v >= lo && v <= 86_400*venue.Second, "%s: unexpected %d ns; want %d ns to a day", name, v, lo)
	}
	rate("threshold", l.Threshold, -maxRate)
	rate("basis_limit", l.BasisLimit, 1)
	rate("allowance", l.Allowance, 0)
	rate("costs.fx", l.Costs.FX, 0)
	rate("costs.funding", l.Costs.Funding, -maxRate)
	rate("costs.borrow", l.Costs.Borrow, 0)
	rate("costs.other", l.Costs.Other, -maxRate)
	span("deadline", l.Deadline, 1)
	span("not_after", l.NotAfter, 1)
	span("max_age", l.MaxAge, 1)
	span("cooldown", l.Cooldown, 0)
	f.want(l.MaxBase > 0 && l.MaxBase <= fixed.Limit, "max_base: unexpected %d; want more than 0", l.MaxBase)
	f.want(l.MinBase >= 0 && l.MinBase <= l.MaxBase, "min_base: unexpected %d; want 0 to max_base", l.MinBase)
	f.want(l.MaxNotional > 0 && l.MaxNotional <= fixed.Limit, "max_notional: unexpected %d; want more than 0", l.MaxNotional)
	f.want(l.MaxPosition >= 0 && l.MaxPosition <= fixed.Limit, "max_position: unexpected %d; want 0 or more", l.MaxPosition)
	f.want(l.MaxPosition == 0 || l.Shape != desk.Triangle, "max_position: unexpected for a triangle")
	f.want(l.MaxLoss > 0 && l.MaxLoss <= fixed.Limit, "max_loss: unexpected %d; want more than 0", l.MaxLoss)
	f.want(l.Policy <= desk.InTurn, "policy: unexpected %d", l.Policy)
	f.want(l.OnFail <= desk.Hold, "on_fail: unexpected %d", l.OnFail)
	// Below this a threshold could turn into a need for less than nothing.
	need := l.Threshold + l.Costs.sum()
	f.want(need > -fixed.One/2 && need < 4*fixed.One, "threshold: with costs it is %d, which is not believed", need)
}
