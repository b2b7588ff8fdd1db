package conform

import (
	"fmt"
	"strings"
	"sync"

	"github.com/shopspring/decimal"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// book collects what a gateway says.
type book struct {
	mu  sync.Mutex
	all []venue.Report
}

// Put implements venue.Reports.
func (b *book) Put(rs []venue.Report) venue.Reason {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all = append(b.all, rs...)
	return venue.OK
}

// where are the reports of which f is true.
func (b *book) where(f func(*venue.Report) bool) (out []venue.Report) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.all {
		if f(&b.all[i]) {
			out = append(out, b.all[i])
		}
	}
	return out
}

// foreign are the reports of other people's orders.
func (b *book) foreign(kind venue.ReportKind) []venue.Report {
	return b.where(func(r *venue.Report) bool { return r.Client == 0 && r.Kind == kind })
}

func (b *book) text() string {
	var s strings.Builder
	for _, r := range b.where(func(r *venue.Report) bool { return r.Kind != venue.Balance }) {
		fmt.Fprintf(&s, "\n%s %x slot=%d flags=%d why=%s cum=%d fill=%d price=%d open=%d fee=%d/%d ref=%s seq=%x", r.Kind, r.Client, r.Slot, r.Flags, r.Reason, r.Cum, r.Fill,
			r.Price, r.Open, r.Fee, r.FeeCcy, r.RefBytes(), r.Seq)
	}
	return s.String()
}

// fate is what was said of one order, each fill once, as the engine would book it.
type fate struct {
	saw   [venue.PositionIs + 1]int // reports by kind
	ends  int
	end   venue.Report
	last  venue.Report
	fills []venue.Report
	cum   fixed.Qty
	// open and price are those in force, ref the venue's id.
	open   fixed.Qty
	price  fixed.Price
	ref    string
	proven bool // that it was never placed
}

// over reports whether nothing more can happen to the order.
func (f fate) over() bool { return f.ends > 0 || f.proven || f.open > 0 && f.cum == f.open }

// of is the fate of an order.
func (t *T) of(client uint64) (f fate) {
	seen := map[string]bool{}
	for _, r := range t.got.where(func(r *venue.Report) bool { return r.Client == client && (r.Slot == 0 || r.Slot != t.other) }) {
		f.saw[r.Kind]++
		f.last = r
		switch r.Kind {
		case venue.Ack, venue.Amended:
			if r.Open > 0 { // a venue may not state it where the order is another run's
				f.open, f.price = r.Open, r.Price
			}
			if id := string(r.RefBytes()); id != "" {
				f.ref = id
			}
		case venue.Fill:
			if id := string(r.RefBytes()); r.Flags&venue.CumulativeOnly != 0 && r.Cum > f.cum || r.Flags&venue.CumulativeOnly == 0 && !seen[id] {
				seen[id] = true
				f.fills = append(f.fills, r)
				f.cum += r.Fill
			}
		case venue.Cancelled, venue.Expired, venue.RejectedReport:
			f.ends++
			f.end = r
		case venue.NotFound:
			f.proven = f.proven || r.Proves()
		}
	}
	return f
}

// agree waits until what was reported and what the venue has are the same.
func (t *T) agree() {
	t.Helper()
	t.without("agreement", func() string {
		if why := t.ordersDiffer(); why != "" {
			return why
		}
		return t.moneyDiffers()
	})
}

// ordersDiffer names an order of which the reports and the venue say different things.
func (t *T) ordersDiffer() string {
	type held struct {
		cum  fixed.Qty
		open bool
	}
	venueHas, names, known := map[uint64]*held{}, map[string]bool{}, t.known()
	for _, o := range t.sim.Orders() {
		if o.Client == 0 { // somebody else's, or one of ours that lost its name when all were cancelled
			o.Client = known[o.ID]
		}
		if o.Client == 0 {
			continue
		}
		if names[o.Name] {
			return o.Name + " was placed twice"
		}
		names[o.Name] = true
		client := t.origin(o.Client)
		h := venueHas[client]
		if h == nil {
			h = &held{}
			venueHas[client] = h
		}
		h.cum, h.open = h.cum+o.Cum, o.Open
	}
	for client := range t.slots {
		f, h := t.of(client), venueHas[client]
		switch {
		case h == nil && (f.saw[venue.Ack] > 0 || f.cum > 0):
			return fmt.Sprintf("%x was acknowledged and is not at the venue", client)
		case h == nil:
		case f.saw[venue.Ack] == 0:
			return fmt.Sprintf("%x is at the venue and was never acknowledged", client)
		case f.saw[venue.RejectedReport] > 0 && h.cum > 0, f.proven:
			return fmt.Sprintf("%x is at the venue and was reported as not placed", client)
		case f.cum != h.cum:
			return fmt.Sprintf("%x filled %d by the reports, %d by the venue", client, f.cum, h.cum)
		case f.over() == h.open:
			return fmt.Sprintf("%x is open at the venue: %t, and over by the reports: %t", client, h.open, f.over())
		case f.end.Kind != venue.NoReport && f.end.Cum != h.cum:
			return fmt.Sprintf("%x ended with %d filled by its last report, %d by the venue", client, f.end.Cum, h.cum)
		}
		delete(venueHas, client)
	}
	for client := range venueHas {
		return fmt.Sprintf("the venue has %x, which nobody placed", client)
	}
	return ""
}

// known are our orders by the venue's ids, as far as reports have told them.
func (t *T) known() map[string]uint64 {
	ids := map[string]uint64{}
	for _, r := range t.got.where(func(r *venue.Report) bool { return r.Client != 0 && (r.Kind == venue.Ack || r.Kind == venue.Amended) }) {
		ids[string(r.RefBytes())] = r.Client
	}
	return ids
}

// moneyDiffers names a currency of which fills and fees do not lead from the opening balance to the venue's. Each fill may
// be off by what rounding to 10^-8 leaves.
func (t *T) moneyDiffers() string {
	want := map[venue.Ccy]decimal.Decimal{1: fixed.Decimal(opened, fixed.CashScale), 2: fixed.Decimal(coins, fixed.CashScale), 3: fixed.Decimal(coins, fixed.CashScale)}
	fills := int64(1)
	for client := range t.slots {
		for _, r := range t.of(client).fills {
			in, sign := t.feed.Instruments[r.Inst-1], decimal.NewFromInt(1)
			if t.sides[client] == venue.Sell {
				sign = sign.Neg()
			}
			qty := fixed.Decimal(r.Fill, in.QtyScale).Mul(sign)
			want[in.Base] = want[in.Base].Add(qty)
			want[in.Quote] = want[in.Quote].Sub(qty.Mul(fixed.Decimal(r.Price, in.PriceScale)))
			want[r.FeeCcy] = want[r.FeeCcy].Sub(fixed.Decimal(r.Fee, fixed.CashScale))
			fills++
		}
	}
	for _, name := range []string{t.quote, bases[0], bases[1]} {
		total, _ := t.sim.Balance(name)
		if off := fixed.Decimal(total, fixed.CashScale).Sub(want[t.currency(name)]).Abs(); off.GreaterThan(decimal.New(2*fills, -fixed.CashScale)) {
			return fmt.Sprintf("%s by fills and fees %s, by the venue %s", name, want[t.currency(name)], fixed.Decimal(total, fixed.CashScale))
		}
	}
	return ""
}

// origin is the order that an amend's client id belongs to.
func (t *T) origin(client uint64) uint64 {
	for t.alias[client] != 0 {
		client = t.alias[client]
	}
	return client
}
