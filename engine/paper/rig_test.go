package paper

import (
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/engine"
)

const (
	orderNs  = 10
	reportNs = 5
)

// rig drives a gateway as the loop does: Due, Frame, then the books (which Step would apply), then Submit.
type rig struct {
	t    testing.TB
	g    *Gateway
	d    *desk.Desk
	in   *venue.Instrument
	now  venue.Nanos
	seq  uint64
	next uint64 // client ids
}

func newRig(t testing.TB, change func(*Config, *venue.Instrument)) *rig {
	in := &venue.Instrument{Inst: 1, Venue: 1, Product: 1, Name: "v:X", Base: 1, Quote: 2, Settle: 2, Kind: venue.Spot, Status: venue.Trading,
		Tick: 1, Lot: 1, MinQty: 2, MaxQty: 1_000_000, MinNotional: 300 * fixed.Cash(fixed.One), Multiplier: fixed.One,
		Fees: venue.Fees{Maker: 10 * fixed.Bps, Taker: 20 * fixed.Bps}}
	d := desk.New([]*venue.Instrument{nil, in}, 1, 2, 8, 2, books.Config{Window: 256})
	cfg := Config{Desk: d, Latency: []Latency{{}, {Order: orderNs, Report: reportNs}}, Orders: 64, Commands: 64, Levels: 16}
	if change != nil {
		change(&cfg, in)
	}
	g, err := New(cfg)
	require.NoError(t, err)
	return &rig{t: t, g: g, d: d, in: in}
}

type levels []venue.Level

// frame makes one frame at venue time at: bids and asks as given, a snapshot where asked.
func (r *rig) frame(flags uint8, at venue.Nanos, bids, asks levels) []venue.Event {
	f := []venue.Event{{}}
	add := func(flag uint8, ls levels) {
		for _, l := range ls {
			e := venue.Event{Kind: venue.Levels, Flags: flag, N: 1, Venue: 1, Inst: 1}
			e.W[0], e.W[1] = int64(l.Price), int64(l.Qty)
			f = append(f, e)
		}
	}
	add(venue.Bids, bids)
	add(venue.Asks, asks)
	r.seq++
	f[0].SetHead(1, 1, flags, at, at, 0, 0, r.seq, venue.NoChecksum, len(f)-1)
	f[len(f)-1].Flags |= venue.Last
	return f
}

// trade makes a print by a taker of the given side at venue time at.
func trade(taker venue.Side, p fixed.Price, q fixed.Qty, at venue.Nanos) []venue.Event {
	e := make([]venue.Event, 1)
	flags := venue.Last
	switch taker {
	case venue.Buy:
		flags |= venue.Bids
	case venue.Sell:
		flags |= venue.Asks
	}
	e[0].SetTrade(1, 1, flags, 1, p, q, at, at)
	return e
}

// at runs one turn at an instant with the given events and returns the reports that came out.
func (r *rig) at(now venue.Nanos, events ...venue.Event) []venue.Report {
	r.now = now
	b := engine.Batch{Now: now, Events: events, Reports: r.g.Due(now, nil)}
	r.g.Frame(&b)
	for i := 0; i < len(events); i++ {
		switch e := &events[i]; e.Kind {
		case venue.Head:
			r.d.Books[1].Apply(events[i : i+1+e.Count()])
			i += e.Count()
		case venue.Touch:
			r.d.Books[1].ApplyTouch(e)
		case venue.Gap:
			r.d.Books[1].Invalidate(venue.SequenceGap)
		}
	}
	return b.Reports
}

// live opens with bids 99×10, 98×20 and asks 101×10, 102×20, 103×30 at time 1.
func (r *rig) live() *rig {
	r.at(1, r.frame(venue.Snapshot, 1, levels{{Price: 99, Qty: 10}, {Price: 98, Qty: 20}}, levels{{Price: 101, Qty: 10}, {Price: 102, Qty: 20}, {Price: 103, Qty: 30}})...)
	require.Equal(r.t, books.Live, r.d.Books[1].State())
	return r
}

// order submits a new order now and returns its client id.
func (r *rig) order(s venue.Side, kind venue.OrderType, tif venue.TIF, p fixed.Price, q fixed.Qty) uint64 {
	r.t.Helper()
	r.next++
	c := venue.Command{Op: venue.New, Type: kind, TIF: tif, Side: s, Venue: 1, Inst: 1, Slot: uint32(r.next), Client: r.next, Price: p, Qty: q}
	require.Equal(r.t, venue.Out, r.g.Submit(&c))
	return r.next
}

func (r *rig) limit(s venue.Side, p fixed.Price, q fixed.Qty) uint64 {
	r.t.Helper()
	return r.order(s, venue.Limit, venue.GTC, p, q)
}

func (r *rig) cancel(target uint64) {
	r.t.Helper()
	require.Equal(r.t, venue.Out, r.g.Submit(&venue.Command{Op: venue.Cancel, Venue: 1, Inst: 1, Slot: uint32(target), Client: 900, Target: target}))
}

func (r *rig) amend(target uint64, p fixed.Price, q fixed.Qty) {
	r.t.Helper()
	require.Equal(r.t, venue.Out, r.g.Submit(&venue.Command{Op: venue.Amend, Venue: 1, Inst: 1, Slot: uint32(target), Client: 901, Target: target, Price: p, Qty: q}))
}

// quiet lets everything that travels arrive and returns all reports on the way.
func (r *rig) quiet() (all []venue.Report) {
	for {
		next, ok := r.g.Next()
		if !ok {
			return all
		}
		all = append(all, r.at(max(next, r.now))...)
	}
}

// line is a report as the tables of these tests write it.
type line struct {
	kind  venue.ReportKind
	fill  fixed.Qty
	price fixed.Price
	cum   fixed.Qty
	why   venue.Reason
}

func lines(rs []venue.Report) []line {
	out := make([]line, 0, len(rs))
	for _, r := range rs {
		l := line{kind: r.Kind, cum: r.Cum, why: r.Reason}
		if r.Kind == venue.Fill {
			l.fill, l.price = r.Fill, r.Price
		}
		out = append(out, l)
	}
	return out
}

var ack = line{kind: venue.Ack}

func filled(fill fixed.Qty, price fixed.Price, cum fixed.Qty) line {
	return line{kind: venue.Fill, fill: fill, price: price, cum: cum}
}
