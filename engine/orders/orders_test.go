package orders

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

func newDesk(slots int) *desk.Desk {
	in := &venue.Instrument{Inst: 1, Venue: 1, Product: 1, Symbol: "X", Name: "v:X", Tick: 1, Lot: 1, Multiplier: fixed.One}
	return desk.New([]*venue.Instrument{nil, in}, 1, 1, slots, 1, books.Config{})
}

// open opens one buy of 10 at 100 and returns its order.
func open(t *testing.T, tab *Table, d *desk.Desk, side venue.Side) *desk.Order {
	t.Helper()
	c := venue.Command{Op: venue.New, Type: venue.Limit, TIF: venue.GTC, Side: side, Inst: 1, Venue: 1, Price: 100, Qty: 10}
	require.True(t, tab.Open(&c))
	return d.Order(c.Slot)
}

func report(o *desk.Order, k venue.ReportKind, f func(*venue.Report)) *venue.Report {
	r := &venue.Report{Kind: k, Inst: o.Inst, Slot: o.Slot, Client: o.Client, Venue: o.Venue}
	if f != nil {
		f(r)
	}
	return r
}

func sentAs(o *desk.Order, op venue.Op, s venue.Sent) *venue.Report {
	return report(o, venue.SentReport, func(r *venue.Report) { r.Flags, r.Seq = uint8(s), uint64(op) })
}

func fill(o *desk.Order, q fixed.Qty) *venue.Report {
	return report(o, venue.Fill, func(r *venue.Report) { r.Fill, r.Cum, r.Price = q, o.Filled+q, 100 })
}

func TestTable_ordinaryLife(t *testing.T) {
	d := newDesk(4)
	tab := New(d, 7, 100)
	o := open(t, tab, d, venue.Buy)
	require.Equal(t, desk.Pending, o.State)
	require.Equal(t, ID(7, 1), o.Client)
	require.EqualValues(t, 10, d.Working[1].BuyQty)
	tab.Apply(sentAs(o, venue.New, venue.Out), 1)
	require.Equal(t, desk.Sent, o.State)
	tab.Apply(report(o, venue.Ack, nil), 2)
	require.Equal(t, desk.Open, o.State)
	e := tab.Apply(fill(o, 4), 3)
	require.EqualValues(t, 4, e.Fill)
	require.Equal(t, desk.PartlyFilled, o.State)
	require.EqualValues(t, 6, d.Working[1].BuyQty)
	e = tab.Apply(fill(o, 6), 4)
	require.True(t, e.Closed)
	require.Equal(t, desk.Filled, o.State)
	require.Zero(t, d.Working[1].BuyQty)
	require.Empty(t, d.Live[1])
}

func TestTable_maybeSentIsUnknownUntilTheVenueSpeaks(t *testing.T) {
	d := newDesk(4)
	tab := New(d, 1, 100)
	o := open(t, tab, d, venue.Buy)
	tab.Apply(sentAs(o, venue.New, venue.Maybe), 1)
	require.Equal(t, desk.Unknown, o.State)
	tab.Apply(report(o, venue.NotFound, nil), 2)
	require.Equal(t, desk.Unknown, o.State, "one not-found proves nothing")
	require.EqualValues(t, 10, d.Working[1].BuyQty, "an Unknown counts in full")
	tab.Apply(report(o, venue.Ack, nil), 3)
	require.Equal(t, desk.Open, o.State)
}

func TestTable_provenAbsenceEndsTheOrder(t *testing.T) {
	d := newDesk(4)
	tab := New(d, 1, 100)
	o := open(t, tab, d, venue.Buy)
	tab.Apply(sentAs(o, venue.New, venue.Maybe), 1)
	e := tab.Apply(report(o, venue.NotFound, func(r *venue.Report) { r.Reason = venue.Timeout }), 2)
	require.True(t, e.Closed)
	require.Equal(t, desk.Rejected, o.State)
	require.Zero(t, d.Working[1].BuyQty)
}

func TestTable_notSentEndsTheOrder(t *testing.T) {
	d := newDesk(4)
	tab := New(d, 1, 100)
	o := open(t, tab, d, venue.Sell)
	e := tab.Apply(sentAs(o, venue.New, venue.NotSent), 1)
	require.True(t, e.Closed)
	require.Equal(t, desk.Rejected, o.State)
}

func TestTable_cancelClosesOnlyWhenFillsAgree(t *testing.T) {
	d := newDesk(4)
	tab := New(d, 1, 100)
	o := open(t, tab, d, venue.Buy)
	tab.Apply(report(o, venue.Ack, nil), 1)
	require.True(t, tab.Ask(&venue.Command{Op: venue.Cancel, Inst: 1, Target: o.Client}))
	require.Equal(t, desk.PendingCancel, o.State)
	e := tab.Apply(report(o, venue.Cancelled, func(r *venue.Report) { r.Cum = 3 }), 2)
	require.False(t, e.Closed, "three fills are still to come")
	require.EqualValues(t, 3, d.Working[1].BuyQty, "only the stated fills may still come")
	e = tab.Apply(fill(o, 3), 3)
	require.True(t, e.Closed)
	require.Equal(t, desk.Cancelled, o.State)
}

func TestTable_lateFillIsBookedAndChangesNoState(t *testing.T) {
	d := newDesk(4)
	tab := New(d, 1, 100)
	o := open(t, tab, d, venue.Buy)
	tab.Apply(report(o, venue.Ack, nil), 1)
	tab.Apply(report(o, venue.Cancelled, nil), 2)
	e := tab.Apply(fill(o, 2), 3)
	require.EqualValues(t, 2, e.Fill)
	require.Equal(t, desk.Cancelled, o.State)
	require.EqualValues(t, 1, tab.Stats().LateFills)
}

func TestTable_amendCountsAtTheWorseOfBoth(t *testing.T) {
	d := newDesk(4)
	tab := New(d, 1, 100)
	o := open(t, tab, d, venue.Buy)
	tab.Apply(report(o, venue.Ack, nil), 1)
	require.True(t, tab.Ask(&venue.Command{Op: venue.Amend, Inst: 1, Target: o.Client, Price: 105, Qty: 25}))
	require.EqualValues(t, 25, d.Working[1].BuyQty)
	require.EqualValues(t, 105, d.Working[1].BuyWorst)
	require.False(t, tab.Ask(&venue.Command{Op: venue.Amend, Inst: 1, Target: o.Client, Price: 99, Qty: 5}), "one amend at a time")
	require.True(t, tab.TimeOut(o))
	require.Equal(t, desk.Unknown, o.State)
	require.EqualValues(t, 25, d.Working[1].BuyQty, "an unknown amend counts at the worse of old and new")
	tab.Apply(report(o, venue.Amended, func(r *venue.Report) { r.Open, r.Price = 25, 105 }), 2)
	require.Equal(t, desk.Open, o.State)
	require.EqualValues(t, 25, o.Qty)
}

func TestTable_amendRejectedLeavesTheOrderAsItWas(t *testing.T) {
	d := newDesk(4)
	tab := New(d, 1, 100)
	o := open(t, tab, d, venue.Sell)
	tab.Apply(report(o, venue.Ack, nil), 1)
	require.True(t, tab.Ask(&venue.Command{Op: venue.Amend, Inst: 1, Target: o.Client, Price: 90, Qty: 5}))
	require.EqualValues(t, 90, d.Working[1].SellWorst)
	tab.Apply(report(o, venue.AmendRejected, nil), 2)
	require.Equal(t, desk.Open, o.State)
	require.EqualValues(t, 100, d.Working[1].SellWorst)
	require.EqualValues(t, 10, d.Working[1].SellQty)
}

func TestTable_foreignReportTouchesNothing(t *testing.T) {
	d := newDesk(4)
	tab := New(d, 1, 100)
	o := open(t, tab, d, venue.Buy)
	before := *o
	e := tab.Apply(&venue.Report{Kind: venue.Fill, Inst: 1, Slot: o.Slot, Client: o.Client + 1, Fill: 5}, 1)
	require.Nil(t, e.Order)
	require.Equal(t, before, *o)
	require.EqualValues(t, 1, tab.Stats().Orphans)
}

func TestTable_refusesWhenFullOrOutOfIDs(t *testing.T) {
	d := newDesk(3)
	tab := New(d, 1, 2)
	a := open(t, tab, d, venue.Buy)
	open(t, tab, d, venue.Sell)
	c := venue.Command{Op: venue.New, Side: venue.Buy, Inst: 1, Price: 1, Qty: 1}
	require.False(t, tab.Open(&c), "no slot is left")
	tab.Apply(report(a, venue.RejectedReport, nil), 1)
	require.False(t, tab.Open(&c), "no id is left")
	tab.Reserve(10)
	require.True(t, tab.Open(&c))
	require.EqualValues(t, ID(1, 3), c.Client)
}

func TestAdvance_holdsItsInvariantsUnderAnyReports(t *testing.T) {
	kinds := []venue.ReportKind{venue.SentReport, venue.Ack, venue.Fill, venue.Cancelled, venue.Expired, venue.RejectedReport,
		venue.Amended, venue.CancelRejected, venue.AmendRejected, venue.NotFound}
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		d := newDesk(8)
		tab := New(d, 1, 1<<30)
		for range 400 {
			live := d.Live[1]
			switch {
			case len(live) == 0 || rnd.IntN(6) == 0 && tab.Room() > 0:
				open(t, tab, d, venue.Side(1+rnd.IntN(2)))
				continue
			case rnd.IntN(6) == 0:
				o := d.Order(live[rnd.IntN(len(live))])
				tab.Ask(&venue.Command{Op: venue.Op(2 + rnd.IntN(2)), Inst: 1, Target: o.Client, Price: 90 + fixed.Price(rnd.IntN(20)), Qty: 1 + fixed.Qty(rnd.IntN(20))})
				continue
			}
			o := d.Order(uint32(1 + rnd.IntN(7)))
			if o.State == desk.NoOrder {
				continue
			}
			was := *o
			e := tab.Apply(report(o, kinds[rnd.IntN(len(kinds))], func(r *venue.Report) {
				r.Flags, r.Seq = uint8(1+rnd.IntN(3)), uint64(1+rnd.IntN(3))
				r.Fill, r.Cum = fixed.Qty(rnd.IntN(5)), fixed.Qty(rnd.IntN(12))
				r.Open, r.Price = fixed.Qty(1+rnd.IntN(20)), fixed.Price(90+rnd.IntN(20))
			}), 1)
			require.Equal(t, was.Filled+e.Fill, o.Filled)
			require.GreaterOrEqual(t, o.Filled, was.Filled, "a fill is never unbooked")
			if was.State.Done() {
				require.Equal(t, was.State, o.State, "a terminal state is final")
			}
			sumsHold(t, d)
		}
	}
}

// sumsHold compares Working with the orders and the live list with the states.
func sumsHold(t *testing.T, d *desk.Desk) {
	t.Helper()
	var buy, sell fixed.Qty
	live := 0
	for i := range d.Orders {
		o := &d.Orders[i]
		require.GreaterOrEqual(t, o.Remaining(), fixed.Qty(0))
		if o.State == desk.NoOrder || o.State.Done() {
			continue
		}
		live++
		if o.Side == venue.Buy {
			buy += o.Remaining()
		} else {
			sell += o.Remaining()
		}
	}
	require.Len(t, d.Live[1], live)
	require.Equal(t, buy, d.Working[1].BuyQty)
	require.Equal(t, sell, d.Working[1].SellQty)
}

func TestTable_allocatesNothing(t *testing.T) {
	d := newDesk(64)
	tab := New(d, 1, 1<<30)
	n := testing.AllocsPerRun(1000, func() {
		c := venue.Command{Op: venue.New, Side: venue.Buy, Inst: 1, Venue: 1, Price: 100, Qty: 10}
		tab.Open(&c)
		r := venue.Report{Kind: venue.Ack, Inst: 1, Slot: c.Slot, Client: c.Client}
		tab.Apply(&r, 1)
		r.Kind = venue.Cancelled
		tab.Apply(&r, 2)
	})
	require.Zero(t, n)
}
