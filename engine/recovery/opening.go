package recovery

import (
	"fmt"

	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/engine/journal"
	"oneprice/engine/orders"
	"oneprice/risk"
	"oneprice/risk/ledger"
	"oneprice/risk/stops"
)

// Opening is what an engine begins with, by the numbers of Names. It survives JSON.
type Opening struct {
	// Epoch numbers the run in client ids.
	Epoch     uint64
	Balances  []ledger.Opening
	Positions []ledger.Holding
	// Orders are adopted: they stand at the venues.
	Orders []desk.Order
	// Seen are the trades that must not be booked again, should a venue repeat them.
	Seen []venue.Report
	// Stops is what stops kept, for whoever has them.
	Stops []stops.Keep
	// Limits is what was in use of limits.
	Limits []risk.Note
}

// adopt takes over an order as the venue has it now.
func (p *Opening) adopt(o *journal.Order, i venue.Inst, r *venue.Report) {
	a := o.Order
	a.Inst, a.Venue, a.State, a.Plan = i, r.Venue, desk.Open, 0
	a.Price, a.Qty, a.Ref, a.AckAt = r.Price, r.Open, r.Ref, r.Recv
	if r.Client != o.Client {
		a.Alias = r.Client
	}
	p.Orders = append(p.Orders, a)
}

// book makes balances and positions from the checkpoint, or from the config where there never was one, and from every fill
// since, and compares them with what the venues state.
func (c *Case) book(e *evidence, v *Verdict) {
	start := ledger.Config{Balances: c.Balances}
	if c.State.CheckpointAt != 0 {
		start = c.checkpoint(v)
	}
	d := desk.New(c.Instruments, len(c.Venues)-1, len(c.Currencies)-1, 1, c.Reporting, books.Config{})
	l, err := ledger.New(d, start)
	if err != nil {
		v.differ("the opening cannot be booked: %s", err)
		return
	}
	fills := map[venue.ID]fixed.Cash{}
	for i := range c.State.Fills {
		f := &c.State.Fills[i]
		if r, ok := c.mapped(f, v); ok {
			c.fill(l, r, f.Side, v)
			fills[r.Venue]++
		}
	}
	c.news(l, e, fills, v)
	stated := c.compare(d, e, fills, v)
	for id := range d.Balances {
		for ccy := range d.Balances[id] {
			amount := d.Balances[id][ccy]
			if n, ok := stated[balance{venue.ID(id), venue.Ccy(ccy)}]; ok {
				amount = n
			}
			if amount != 0 {
				v.Opening.Balances = append(v.Opening.Balances, ledger.Opening{Venue: venue.ID(id), Ccy: venue.Ccy(ccy), Amount: amount})
			}
		}
	}
	for i := range d.Positions {
		if p := &d.Positions[i]; p.Qty != 0 {
			v.Opening.Positions = append(v.Opening.Positions, ledger.Holding{Inst: venue.Inst(i), Qty: p.Qty, Avg: p.Avg})
		}
	}
}

// checkpoint is the ledger as the journal's checkpoint has it.
func (c *Case) checkpoint(v *Verdict) (cfg ledger.Config) {
	for _, b := range c.State.Balances {
		id, ccy := c.venue(b.Venue), c.currency(b.Currency)
		if id == 0 || ccy == 0 {
			if b.Amount != 0 {
				v.differ("the journal holds %s %s at %s, which the config does not name; add it back", fixed.Decimal(b.Amount, fixed.CashScale), b.Currency, b.Venue)
			}
			continue
		}
		cfg.Balances = append(cfg.Balances, ledger.Opening{Venue: id, Ccy: ccy, Amount: b.Amount})
	}
	for i := range c.State.Positions {
		p := &c.State.Positions[i]
		if p.Qty == 0 {
			continue
		}
		if in := c.scaled(p.Instrument, p.PriceScale, p.QtyScale, v); in != nil {
			cfg.Positions = append(cfg.Positions, ledger.Holding{Inst: in.Inst, Qty: p.Qty, Avg: p.Avg})
		}
	}
	return cfg
}

// scaled finds an instrument by name and holds its scales against those that the journal's figures have.
func (c *Case) scaled(name string, price, qty uint8, v *Verdict) *venue.Instrument {
	i := c.instrument(name)
	switch {
	case i == 0:
		v.differ("the journal speaks of %s, which the config does not name; add it back", name)
	case c.Instruments[i].PriceScale != price || c.Instruments[i].QtyScale != qty:
		v.differ("the journal's figures of %s have %d and %d decimals; write price_scale: %d and qty_scale: %d in its product", name, price, qty, price, qty)
	default:
		return c.Instruments[i]
	}
	return nil
}

// mapped is a fill of the journal by this process's numbers.
func (c *Case) mapped(f *journal.Fill, v *Verdict) (*venue.Report, bool) {
	i := c.instrument(f.Instrument)
	if i == 0 {
		v.differ("the journal has a fill of %s, which the config does not name; add it back", f.Instrument)
		return nil, false
	}
	r := f.Report
	r.Inst, r.Venue, r.FeeCcy = i, c.venue(f.VenueName), c.currency(f.FeeCurrency)
	if r.Fee != 0 && r.FeeCcy == 0 {
		v.differ("the journal has a fee in %s, which the config does not name; add it under fx", f.FeeCurrency)
		return nil, false
	}
	return &r, true
}

// fill books one fill and remembers its trade.
func (c *Case) fill(l *ledger.Ledger, r *venue.Report, side venue.Side, v *Verdict) {
	if why := l.Fill(r, side); why != venue.OK && why != venue.Duplicate {
		v.differ("trade %s of %s cannot be booked: %s", r.RefBytes(), c.name(r.Inst), why)
	}
	if r.Ref[0] != 0 {
		v.Opening.Seen = append(v.Opening.Seen, *r)
	}
}

// news books the fills that a sweep shows and the journal does not have.
func (c *Case) news(l *ledger.Ledger, e *evidence, fills map[venue.ID]fixed.Cash, v *Verdict) {
	byID := map[uint64]*journal.Order{}
	for i := range c.State.Orders {
		o := c.State.Orders[i] // a copy: judged again with the next sweep
		for _, id := range names(&o) {
			byID[id] = &o
		}
	}
	for _, r := range e.fills {
		in := c.Instruments[r.Inst]
		if r.Ref[0] != 0 {
			v.Opening.Seen = append(v.Opening.Seen, *r) // booked or not: it is part of the opening, and its venue may repeat it
		}
		if _, known := c.State.Known[journal.Trade{Venue: c.Venues[r.Venue], Instrument: in.Name, ID: string(r.RefBytes()), Reversed: r.Finality == venue.Reversed}]; known && r.Ref[0] != 0 {
			continue
		}
		if l.Known(r) {
			continue // the stream and the sweep both tell it
		}
		o := byID[r.Client]
		if r.Client == 0 || o == nil {
			continue // of somebody else, or of an order that had ended: what it did shows in the balances
		}
		f := *r
		if f.Fill = orders.Increment(&o.Order, r); f.Fill <= 0 {
			continue
		}
		o.Filled += f.Fill
		fills[r.Venue]++
		v.did("trade %s of order %s, %s %s at %s, was not in the journal and is booked", r.RefBytes(), ID(o.Client), fixed.Decimal(f.Fill, in.QtyScale), in.Name, fixed.Decimal(f.Price, in.PriceScale))
		c.fill(l, &f, o.Side, v)
		v.News = append(v.News, f)
	}
	for i := range v.Opening.Orders {
		a := &v.Opening.Orders[i]
		a.Filled = byID[a.Client].Filled
		if a.Filled > 0 {
			a.State = desk.PartlyFilled
		}
	}
}

// compare holds our balances against the venues'. Orders that stand may hold some of it back. It returns the venue's own
// figures where they agree to what rounding explains and nothing is held back: they are exact, and roundings of one run
// must not add to those of the next.
func (c *Case) compare(d *desk.Desk, e *evidence, fills map[venue.ID]fixed.Cash, v *Verdict) map[balance]fixed.Cash {
	stated := map[balance]fixed.Cash{}
	held := map[balance]fixed.Cash{}
	for i := range v.Opening.Orders {
		o := &v.Opening.Orders[i]
		if ccy, n, ok := c.Instruments[o.Inst].HeldBack(o.Side, o.Price, o.Remaining()); ok {
			held[balance{o.Venue, ccy}] += n
		}
	}
	for id := 1; id < len(c.Venues); id++ {
		if !e.swept[venue.ID(id)] || c.shared(venue.ID(id)) || e.others[venue.ID(id)] {
			continue
		}
		for ccy := 1; ccy < len(c.Currencies); ccy++ {
			b := balance{venue.ID(id), venue.Ccy(ccy)}
			ours, free, slack := d.Balances[id][ccy], e.free[b], 2*(fills[b.venue]+fixed.Cash(c.State.Filled))+1
			differs := free > ours+slack || free < ours-held[b]-slack
			if differs && c.Believe && held[b] == 0 {
				v.did("%s: the venue's word is taken for %s %s; our books said %s", c.Venues[id], fixed.Decimal(free, fixed.CashScale), c.Currencies[ccy],
					fixed.Decimal(ours, fixed.CashScale))
				stated[b] = free
			} else if differs {
				v.differ("%s: the venue states %s %s free, our books say %s%s", c.Venues[id], fixed.Decimal(free, fixed.CashScale), c.Currencies[ccy],
					fixed.Decimal(ours, fixed.CashScale), c.held(held[b]))
			} else if held[b] == 0 {
				stated[b] = free
			}
		}
	}
	for _, in := range c.Instruments[1:] {
		q, said := e.positions[in.Inst]
		if ours := d.Positions[in.Inst].Qty; said && ours != q && !c.shared(in.Venue) {
			v.differ("%s: the venue states a position of %s, our books say %s", in.Name, fixed.Decimal(q, in.QtyScale), fixed.Decimal(ours, in.QtyScale))
		}
	}
	return stated
}

func (c *Case) held(n fixed.Cash) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", of which orders may hold back %s", fixed.Decimal(n, fixed.CashScale))
}
