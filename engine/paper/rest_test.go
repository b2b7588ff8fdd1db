package paper

import (
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// resting opens a live book with our buy of 10 at 99 behind the 10 displayed there.
func resting(t *testing.T, change func(*Config, *venue.Instrument)) (*rig, uint64) {
	r := newRig(t, change).live()
	id := r.limit(venue.Buy, 99, 10)
	require.Equal(t, []line{ack}, lines(r.quiet()))
	return r, id
}

// bid shows a quantity at 99, at venue time now.
func (r *rig) bid(q fixed.Qty) []venue.Report {
	r.now++
	return append(r.at(r.now, r.frame(0, r.now, levels{{Price: 99, Qty: q}}, nil)...), r.quiet()...)
}

// sold prints a sale at a price, at venue time at.
func (r *rig) sold(p fixed.Price, q fixed.Qty, at venue.Nanos) []line {
	r.now++
	return lines(append(r.at(r.now, trade(venue.Sell, p, q, at)...), r.quiet()...))
}

const later = 1 << 40 // a venue time after every frame

func TestQueue_onlyPrintsConsumeIt(t *testing.T) {
	r, _ := resting(t, nil)
	require.Empty(t, r.sold(99, 4, later))
	require.Empty(t, r.bid(30), "who comes later stands behind us")
	require.Empty(t, r.sold(99, 6, later))
	require.Equal(t, []line{filled(3, 99, 3)}, r.sold(99, 3, later))
	require.Equal(t, []line{filled(7, 99, 10)}, r.sold(99, 30, later))
	require.Empty(t, r.sold(99, 30, later))
}

func TestQueue_oneprintConsumesTheQueueAndFills(t *testing.T) {
	r, _ := resting(t, nil)
	require.Equal(t, []line{filled(4, 99, 4)}, r.sold(99, 14, later))
}

func TestQueue_takersOfTheOtherSideAndUnknownOnesDoNothing(t *testing.T) {
	r, _ := resting(t, nil)
	r.at(r.now+1, trade(venue.Buy, 99, 100, later)...)
	r.at(r.now+1, trade(venue.NoSide, 98, 100, later)...)
	require.Empty(t, r.quiet())
	require.Empty(t, r.sold(100, 100, later), "a sale above our bid")
}

func TestQueue_cancelsAheadDoNotHelpUntilLessIsDisplayed(t *testing.T) {
	r, _ := resting(t, nil)
	r.bid(30) // 10 ahead, 20 behind
	r.bid(12) // 18 left, from behind as far as we know
	require.Empty(t, r.sold(99, 9, later))
	r.bid(1) // one of the ten was ahead
	require.Equal(t, []line{filled(1, 99, 1)}, r.sold(99, 2, later))
	r, _ = resting(t, nil)
	r.bid(4) // six of ten went without a print
	require.Equal(t, []line{filled(1, 99, 1)}, r.sold(99, 5, later))
}

func TestQueue_aPrintThatTheBookKnowsAlreadyCountsOnce(t *testing.T) {
	r, _ := resting(t, nil)
	before := r.now
	r.bid(4) // the sale of 6 shows in the book first
	require.Empty(t, r.sold(99, 6, before), "its print must not move the queue again")
	require.Empty(t, r.sold(99, 4, before))
	require.Equal(t, []line{filled(2, 99, 2)}, r.sold(99, 2, before))
	// A venue without times cannot tell: a print is then taken for one that the book knows.
	r, _ = resting(t, nil)
	r.now++
	r.at(r.now, r.frame(0, 0, levels{{Price: 99, Qty: 4}}, nil)...)
	require.Empty(t, r.quiet())
	require.Empty(t, r.sold(99, 10, later))
	require.Equal(t, []line{filled(1, 99, 1)}, r.sold(99, 1, later))
}

func TestQueue_proRataSharesCancels(t *testing.T) {
	r, _ := resting(t, func(c *Config, _ *venue.Instrument) { c.Queue = ProRata })
	r.bid(20) // 10 ahead, 10 behind
	r.bid(10) // half of each left: 5 ahead
	require.Equal(t, []line{filled(1, 99, 1)}, r.sold(99, 6, later))
	r, _ = resting(t, func(c *Config, _ *venue.Instrument) { c.Queue = ProRata })
	r.bid(20)
	require.Empty(t, r.sold(99, 6, later)) // 4 ahead
	r.bid(14)                              // the print, no cancel
	require.Empty(t, r.sold(99, 4, later))
	require.Equal(t, []line{filled(1, 99, 1)}, r.sold(99, 1, later))
}

func TestPrint_throughOurPriceFillsItsQuantity(t *testing.T) {
	r, _ := resting(t, nil)
	require.Equal(t, []line{filled(4, 99, 4)}, r.sold(98, 4, later))
	require.Equal(t, []line{filled(1, 99, 5)}, r.sold(99, 1, later), "the queue before us is gone")
}

func TestPrint_isSharedByPriceThenTime(t *testing.T) {
	r := newRig(t, nil).live()
	r.bid(0)
	first := r.limit(venue.Buy, 99, 5)
	second := r.limit(venue.Buy, 99, 5)
	better := r.limit(venue.Buy, 100, 5)
	r.quiet()
	r.at(r.now+1, trade(venue.Sell, 99, 12, later)...)
	got := r.quiet()
	require.Equal(t, []line{filled(5, 100, 5), filled(5, 99, 5), filled(2, 99, 2)}, lines(got))
	require.Equal(t, []uint64{better, first, second}, []uint64{got[0].Client, got[1].Client, got[2].Client})
}

func TestCrossed_oppositeTouchFillsAtOurPriceAndIsConsumed(t *testing.T) {
	r, _ := resting(t, nil)
	r.bid(0)
	r.now++
	// The ask comes down onto our 99 with 4, and shows 3 below it.
	got := lines(append(r.at(r.now, r.frame(0, r.now, levels{{Price: 98, Qty: 0}}, levels{{Price: 99, Qty: 4}, {Price: 98, Qty: 3}})...), r.quiet()...))
	require.Equal(t, []line{filled(3, 99, 3), filled(4, 99, 7)}, got)
	r.now++
	require.Empty(t, append(r.at(r.now, r.frame(0, r.now, nil, levels{{Price: 98, Qty: 3}})...), r.quiet()...), "the same quantity again")
	r.order(venue.Buy, venue.Limit, venue.IOC, 99, 7)
	require.Equal(t, []line{ack, {kind: venue.Expired, why: venue.Unfilled}}, lines(r.quiet()), "a taker meets what crossing consumed")
	r.now++
	got = lines(append(r.at(r.now, r.frame(0, r.now, nil, levels{{Price: 98, Qty: 9}})...), r.quiet()...))
	require.Equal(t, []line{filled(3, 99, 10)}, got, "six are new, three are wanted")
}

func TestCrossed_ordersShareOneLevel(t *testing.T) {
	r, _ := resting(t, nil)
	r.limit(venue.Buy, 99, 10)
	r.limit(venue.Buy, 98, 10)
	r.quiet()
	r.now++
	got := r.at(r.now, r.frame(0, r.now, levels{{Price: 99, Qty: 0}, {Price: 98, Qty: 0}}, levels{{Price: 99, Qty: 14}})...)
	require.Equal(t, []line{filled(10, 99, 10), filled(4, 99, 4)}, lines(append(got, r.quiet()...)))
}

func TestLimit_remainderRestsAndFillsAsMaker(t *testing.T) {
	r := newRig(t, nil).live()
	r.limit(venue.Buy, 101, 15)
	require.Equal(t, []line{ack, filled(10, 101, 10)}, lines(r.quiet()))
	r.now++
	r.at(r.now, r.frame(0, r.now, nil, levels{{Price: 101, Qty: 10}})...)
	require.Empty(t, r.quiet(), "the level that it consumed itself")
	got := r.at(r.now+1, trade(venue.Sell, 101, 5, later)...)
	got = append(got, r.quiet()...)
	require.Equal(t, []line{filled(5, 101, 15)}, lines(got))
	require.NotZero(t, got[0].Flags&venue.Maker)
}

func TestAmend_keepsTheQueueOnlyWhenItShrinks(t *testing.T) {
	f := func(p fixed.Price, q fixed.Qty, reaches fixed.Qty) {
		t.Helper()
		r, id := resting(t, nil)
		r.bid(30)
		r.sold(99, 8, later) // 2 ahead
		r.bid(22)
		r.amend(id, p, q)
		got := r.quiet()
		require.Equal(t, []line{{kind: venue.Amended}}, lines(got))
		require.Equal(t, q, got[0].Open)
		require.Equal(t, p, got[0].Price)
		want := []line(nil)
		if reaches > 0 {
			want = []line{filled(reaches, p, reaches)}
		}
		require.ElementsMatch(t, want, r.sold(p, 5, later))
	}
	f(99, 7, 3)
	f(99, 10, 3)
	f(99, 11, 0)
	f(98, 10, 0)
	f(100, 10, 5) // nobody is displayed there
}

func TestAmend_rules(t *testing.T) {
	r, id := resting(t, nil)
	f := func(target uint64, p fixed.Price, q fixed.Qty, want ...line) {
		t.Helper()
		r.amend(target, p, q)
		require.Equal(t, want, lines(r.quiet()))
	}
	f(77, 99, 10, line{kind: venue.AmendRejected, why: venue.UnknownTarget})
	f(id, 99, 1, line{kind: venue.AmendRejected, why: venue.BelowMinQty})
	require.Equal(t, []line{filled(4, 99, 4)}, r.sold(99, 14, later))
	f(id, 99, 4, line{kind: venue.AmendRejected, cum: 4, why: venue.BadIntent})
	f(id, 101, 20, line{kind: venue.Amended, cum: 4}, filled(10, 101, 14))
	post := r.order(venue.Buy, venue.PostOnly, venue.GTC, 97, 10)
	r.quiet()
	f(post, 102, 10, line{kind: venue.AmendRejected, why: venue.PostOnlyCross})
	f(post, 98, 10, line{kind: venue.Amended})
}

func TestCancel_racesWithFills(t *testing.T) {
	r, id := resting(t, nil)
	r.cancel(id)
	sent := r.now
	r.at(sent+orderNs-1, trade(venue.Sell, 98, 4, later)...)
	require.Equal(t, []line{filled(4, 99, 4), {kind: venue.Cancelled, cum: 4, why: venue.UserCancel}}, lines(r.quiet()))
	require.Empty(t, r.sold(98, 4, later))
	r.cancel(id)
	got := r.quiet()
	require.Equal(t, []line{{kind: venue.CancelRejected, why: venue.UnknownTarget}}, lines(got))
	require.Equal(t, id, got[0].Client, "the answer names the order, not the cancel")
}

func TestCancelAll_endsEveryOrderOfItsScope(t *testing.T) {
	for _, inst := range []venue.Inst{0, 1} {
		r, _ := resting(t, nil)
		r.limit(venue.Sell, 105, 10)
		r.quiet()
		require.Equal(t, venue.Out, r.g.Submit(&venue.Command{Op: venue.CancelAll, Venue: 1, Inst: inst}))
		end := line{kind: venue.Cancelled, why: venue.UserCancel}
		require.Equal(t, []line{end, end}, lines(r.quiet()))
		require.Zero(t, r.g.open)
	}
}

func TestNew_namesWhatIsMissing(t *testing.T) {
	r := newRig(t, nil)
	for _, c := range []Config{
		{Desk: r.d, Latency: []Latency{{}, {}}, Orders: 0, Commands: 1, Levels: 1},
		{Desk: r.d, Latency: []Latency{{}, {Order: -1}}, Orders: 1, Commands: 1, Levels: 1},
		{Desk: r.d, Latency: []Latency{{}}, Orders: 1, Commands: 1, Levels: 1},
	} {
		_, err := New(c)
		require.Error(t, err)
	}
}
