package app

import (
	"fmt"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// Table is the dense index of everything that the process knows by number. Entry 0 of each list is unused. Written while
// assembling; read-only once the engine runs, but for the Status and tick that the engine itself keeps.
type Table struct {
	Venues      []VenueEntry
	Currencies  []string
	Products    []ProductEntry
	Instruments []*venue.Instrument
}

// VenueEntry is one venue of the process.
type VenueEntry struct {
	Name    string
	Adapter *wire.Adapter
}

// venueNames are the venues by name.
func (t *Table) venueNames() (names []string) {
	for i := range t.Venues[1:] {
		names = append(names, t.Venues[i+1].Name)
	}
	return names
}

// ProductEntry is one product; its scales are those of all its instruments.
type ProductEntry struct {
	Name                 string
	PriceScale, QtyScale uint8
	Members              []venue.Inst
}

// member is an instrument on its way into the table.
type member struct {
	venue   venue.ID
	listing wire.Listing
	fees    venue.Fees
}

// NewTable makes an empty table.
func NewTable() *Table {
	return &Table{Venues: make([]VenueEntry, 1), Currencies: make([]string, 1), Products: make([]ProductEntry, 1), Instruments: make([]*venue.Instrument, 1)}
}

// Venue returns the index of a venue, adding it when it is new.
func (t *Table) Venue(name string, a *wire.Adapter) venue.ID {
	for i := 1; i < len(t.Venues); i++ {
		if t.Venues[i].Name == name {
			return venue.ID(i)
		}
	}
	t.Venues = append(t.Venues, VenueEntry{name, a})
	return venue.ID(len(t.Venues) - 1)
}

// Currency returns the index of a currency, adding it when it is new; 0 for "".
func (t *Table) Currency(name string) venue.Ccy {
	for i, c := range t.Currencies {
		if c == name {
			return venue.Ccy(i)
		}
	}
	t.Currencies = append(t.Currencies, name)
	return venue.Ccy(len(t.Currencies) - 1)
}

// Find returns the instrument of that name (venue:symbol), nil when there is none.
func (t *Table) Find(name string) *venue.Instrument {
	for _, in := range t.Instruments[1:] {
		if in.Name == name {
			return in
		}
	}
	return nil
}

// Of lists the instruments of a venue in index order.
func (t *Table) Of(id venue.ID) []*venue.Instrument {
	var out []*venue.Instrument
	for _, in := range t.Instruments[1:] {
		if in.Venue == id {
			out = append(out, in)
		}
	}
	return out
}

// AddProduct adds a product and its instruments. price and qty force a scale; nil lets the table choose. On an error
// nothing was added; it names the instrument.
func (t *Table) AddProduct(name string, ms []member, price, qty *uint8) error {
	p, err := t.scales(ms, price, qty)
	if err != nil {
		return err
	}
	p.Name = name
	ins := make([]*venue.Instrument, len(ms))
	for i := range ms {
		if ins[i], err = t.instrument(&ms[i], p); err != nil {
			return err
		}
	}
	if len(t.Products) > 1<<16-1 {
		return fmt.Errorf("%s: there are more than 65,535 products", name)
	}
	for _, in := range ins {
		in.Inst, in.Product = venue.Inst(len(t.Instruments)), venue.Product(len(t.Products))
		p.Members = append(p.Members, in.Inst)
		t.Instruments = append(t.Instruments, in)
	}
	t.Products = append(t.Products, *p)
	return nil
}

// Room that a scale leaves. A price is believed up to ticksMax ticks of the coarsest grid; a level may hold as much as
// ordersMax orders of the venue's greatest size.
const (
	ticksMax  = 1_000_000_000
	ordersMax = 8
)

// scales chooses the product's scales: every tick and lot exactly, a finer grid where there is room (one digit for
// prices, two for quantities, up to 8), and what is asked for where it is.
func (t *Table) scales(ms []member, price, qty *uint8) (*ProductEntry, error) {
	var needP, needQ uint8
	for i := range ms {
		l := &ms[i].listing
		needP = max(needP, decimals(l.TickText()))
		needQ = max(needQ, decimals(l.LotText()))
	}
	p := &ProductEntry{PriceScale: max(needP, min(needP+1, 8)), QtyScale: max(needQ, min(needQ+2, 8))}
	for p.PriceScale > needP && t.pricesFit(ms, p.PriceScale) != nil {
		p.PriceScale--
	}
	for p.QtyScale > needQ && t.sizesFit(ms, p.QtyScale) != nil {
		p.QtyScale--
	}
	if price != nil {
		p.PriceScale = *price
	}
	if qty != nil {
		p.QtyScale = *qty
	}
	if err := t.pricesFit(ms, p.PriceScale); err != nil {
		return nil, err
	}
	return p, t.sizesFit(ms, p.QtyScale)
}

// pricesFit reports whether every tick is exact at the scale and leaves room for believable prices.
func (t *Table) pricesFit(ms []member, scale uint8) error {
	for i := range ms {
		tick, err := t.exact(&ms[i], "tick", ms[i].listing.TickText(), scale)
		if err != nil {
			return err
		}
		if tick > fixed.Limit/ticksMax {
			return t.tooLarge(&ms[i], "price_scale", scale)
		}
	}
	return nil
}

// sizesFit is pricesFit for quantities.
func (t *Table) sizesFit(ms []member, scale uint8) error {
	for i := range ms {
		if _, err := t.exact(&ms[i], "lot", ms[i].listing.LotText(), scale); err != nil {
			return err
		}
		if most := ms[i].listing.MaxQty; most != "" {
			v, f := fixed.Parse([]byte(wire.CutDecimals(most, scale)), scale)
			if f != fixed.OK || v > fixed.Limit/ordersMax {
				return t.tooLarge(&ms[i], "qty_scale", scale)
			}
		}
	}
	return nil
}

func (t *Table) tooLarge(m *member, what string, scale uint8) error {
	return fmt.Errorf("%s: its largest values do not fit at %s %d with room to spare; give a smaller scale or leave the instrument out", t.name(m), what, scale)
}

// exact reads a step of the grid at the scale.
func (t *Table) exact(m *member, what, text string, scale uint8) (int64, error) {
	v, f := fixed.Parse([]byte(text), scale)
	switch {
	case f == fixed.OffScale:
		return 0, fmt.Errorf("%s: its %s %s needs more than the %d decimals of the product's scale; give a larger scale or none", t.name(m), what, text, scale)
	case f != fixed.OK || v <= 0:
		return 0, fmt.Errorf("%s: its %s %q is not a step of a grid (%s)", t.name(m), what, text, f)
	}
	return v, nil
}

func (t *Table) name(m *member) string { return t.Venues[m.venue].Name + ":" + m.listing.Symbol }

// decimals is how many decimals a number needs.
func decimals(s string) uint8 { return wire.Decimals([]byte(wire.TrimZeros(s))) }

// instrument makes the instrument of a member at the product's scales.
func (t *Table) instrument(m *member, p *ProductEntry) (*venue.Instrument, error) {
	l := &m.listing
	in := &venue.Instrument{
		Venue: m.venue, Symbol: l.Symbol, Name: t.name(m),
		Base: t.Currency(l.Base), Quote: t.Currency(l.Quote), Settle: t.Currency(l.Settle),
		Kind: l.Kind, Contract: l.Contract, Status: l.Status, Fees: m.fees,
		PriceScale: p.PriceScale, QtyScale: p.QtyScale, PriceText: l.PriceText, QtyText: l.QtyText,
		Multiplier: fixed.One, Chain: l.Chain, Depth: l.Depth, Checksum: l.Checksum, ChecksumDepth: l.ChecksumDepth,
	}
	rules, what, why := l.Rules(p.PriceScale, p.QtyScale)
	if why != venue.OK {
		return nil, fmt.Errorf("%s: its %s cannot be kept at the product's scales (%s)", in.Name, what, why)
	}
	in.SetRules(rules)
	var err error
	if in.Face, err = cashText(t.name(m), "contract value", l.Face); err != nil {
		return nil, err
	}
	if l.Contract == venue.Inverse && in.Face <= 0 {
		return nil, fmt.Errorf("%s: an inverse contract without a contract value", in.Name)
	}
	if l.Multiplier != "" {
		v, f := fixed.Parse([]byte(l.Multiplier), fixed.RateScale)
		if f != fixed.OK || v <= 0 {
			return nil, fmt.Errorf("%s: its multiplier %q cannot be kept at 8 decimals (%s)", in.Name, l.Multiplier, f)
		}
		in.Multiplier = fixed.Rate(v)
	}
	return in, nil
}

func cashText(name, what, text string) (fixed.Cash, error) {
	if text == "" {
		return 0, nil
	}
	v, f := fixed.Parse([]byte(text), fixed.CashScale)
	if f != fixed.OK || v < 0 {
		return 0, fmt.Errorf("%s: its %s %q cannot be kept at 8 decimals (%s)", name, what, text, f)
	}
	return fixed.Cash(v), nil
}
