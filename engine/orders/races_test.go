package orders

import (
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// amend asks for another quantity and returns the amend's own client id.
func amend(t *testing.T, tab *Table, o *desk.Order, q fixed.Qty) uint64 {
	t.Helper()
	c := venue.Command{Op: venue.Amend, Inst: 1, Target: o.Client, Price: 100, Qty: q}
	require.True(t, tab.Ask(&c))
	return c.Client
}

func TestTable_orderFilledBeforeItsAmendArrivesEnds(t *testing.T) {
	d := newDesk(4)
	tab := New(d, 1, 100)
	o := open(t, tab, d, venue.Buy)
	tab.Apply(report(o, venue.Ack, nil), 1)
	amend(t, tab, o, 25)
	tab.Apply(fill(o, 10), 2)
	require.EqualValues(t, 15, d.Working[1].BuyQty, "the amend may still come first")
	e := tab.Apply(report(o, venue.AmendRejected, nil), 3)
	require.True(t, e.Closed, "it was filled whole, so nothing works any more")
	require.Equal(t, desk.Filled, o.State)
}

func TestTable_repeatedAnswerOfAnEarlierAmendChangesNothing(t *testing.T) {
	d := newDesk(4)
	tab := New(d, 1, 100)
	o := open(t, tab, d, venue.Buy)
	tab.Apply(report(o, venue.Ack, nil), 1)
	first := amend(t, tab, o, 12)
	done := report(o, venue.Amended, func(r *venue.Report) { r.Open, r.Price, r.Seq = 12, 100, first })
	tab.Apply(done, 2)
	amend(t, tab, o, 25)
	tab.Apply(done, 3)
	require.EqualValues(t, 25, d.Working[1].BuyQty, "the second amend is still under way")
	tab.Apply(report(o, venue.AmendRejected, func(r *venue.Report) { r.Seq = first }), 4)
	require.EqualValues(t, 25, d.Working[1].BuyQty)
}

func TestTable_rejectedCancelLeavesThePendingAmendPending(t *testing.T) {
	d := newDesk(4)
	tab := New(d, 1, 100)
	o := open(t, tab, d, venue.Buy)
	tab.Apply(report(o, venue.Ack, nil), 1)
	amend(t, tab, o, 25)
	require.True(t, tab.Ask(&venue.Command{Op: venue.Cancel, Inst: 1, Target: o.Client}))
	tab.Apply(report(o, venue.CancelRejected, nil), 2)
	require.Equal(t, desk.PendingAmend, o.State)
	require.False(t, tab.Ask(&venue.Command{Op: venue.Amend, Inst: 1, Target: o.Client, Price: 100, Qty: 2}), "a smaller amend would hide the one under way")
	require.EqualValues(t, 25, d.Working[1].BuyQty)
}

func TestTable_orderThatNeverLeftEndsThoughItsCancelWasAsked(t *testing.T) {
	d := newDesk(4)
	tab := New(d, 1, 100)
	o := open(t, tab, d, venue.Buy)
	require.True(t, tab.Ask(&venue.Command{Op: venue.Cancel, Inst: 1, Target: o.Client}))
	e := tab.Apply(sentAs(o, venue.New, venue.NotSent), 1)
	require.True(t, e.Closed, "else a phantom stays open for ever")
}

func TestTable_doubtAfterTheVenueHasSpokenIsNone(t *testing.T) {
	d := newDesk(4)
	tab := New(d, 1, 100)
	o := open(t, tab, d, venue.Buy)
	tab.Apply(report(o, venue.Ack, nil), 1)
	tab.Apply(sentAs(o, venue.New, venue.Maybe), 1)
	require.Equal(t, desk.Open, o.State)
}

func TestTable_answerThatComesAfterItsTimeEndsTheDoubt(t *testing.T) {
	for _, ask := range []struct {
		op     venue.Op
		answer venue.ReportKind
	}{{venue.Cancel, venue.CancelRejected}, {venue.Amend, venue.AmendRejected}} {
		d := newDesk(4)
		tab := New(d, 1, 100)
		o := open(t, tab, d, venue.Buy)
		tab.Apply(report(o, venue.Ack, nil), 1)
		require.True(t, tab.Ask(&venue.Command{Op: ask.op, Inst: 1, Target: o.Client, Price: 100, Qty: 25}))
		require.True(t, tab.TimeOut(o))
		tab.Apply(report(o, ask.answer, nil), 2)
		require.Equal(t, desk.Open, o.State, "else nobody ever asks about it, and it counts as Unknown for ever")
		require.EqualValues(t, 10, d.Working[1].BuyQty)
	}
	d := newDesk(4)
	tab := New(d, 1, 100)
	o := open(t, tab, d, venue.Buy)
	tab.Apply(sentAs(o, venue.New, venue.Maybe), 1)
	tab.Apply(report(o, venue.CancelRejected, nil), 2)
	require.Equal(t, desk.Unknown, o.State, "it may still arrive")
}

func TestTable_cancelThatOvertookItsOrderLeavesItSent(t *testing.T) {
	d := newDesk(4)
	tab := New(d, 1, 100)
	o := open(t, tab, d, venue.Buy)
	require.True(t, tab.Ask(&venue.Command{Op: venue.Cancel, Inst: 1, Target: o.Client}))
	tab.Apply(sentAs(o, venue.New, venue.Out), 1)
	tab.Apply(report(o, venue.CancelRejected, nil), 2)
	require.Equal(t, desk.Sent, o.State)
	require.True(t, Overdue(o, venue.Second, venue.Millisecond), "no venue has confirmed it")
}

func TestOverdue_takerThatNeverEnds(t *testing.T) {
	o := desk.Order{State: desk.Open, TIF: venue.IOC, SentAt: 1, AckAt: 5}
	require.False(t, Overdue(&o, 10, 5))
	require.True(t, Overdue(&o, 11, 5), "its end was lost")
	o.TIF = venue.GTC
	require.False(t, Overdue(&o, 11, 5), "a resting order may rest")
	o.Ending = desk.Cancelled
	require.True(t, Overdue(&o, 11, 5), "the fills that its end stated were lost")
}

func TestTable_fillWithoutIDIsCountedByItsTotal(t *testing.T) {
	d := newDesk(4)
	tab := New(d, 1, 100)
	o := open(t, tab, d, venue.Buy)
	f := fill(o, 4)
	require.EqualValues(t, 4, tab.Apply(f, 1).Fill)
	require.Zero(t, tab.Apply(f, 2).Fill, "said twice")
}

func TestTable_reversedFillConcernsTheLedgerAlone(t *testing.T) {
	d := newDesk(4)
	tab := New(d, 1, 100)
	o := open(t, tab, d, venue.Buy)
	f := fill(o, 4)
	f.Finality = venue.Reversed
	require.Zero(t, tab.Apply(f, 1).Fill)
	require.Zero(t, o.Filled)
}
