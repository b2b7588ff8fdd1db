package quoting

import (
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// ask is what an intent comes to, without the bookkeeping.
type ask struct {
	op    venue.Op
	side  venue.Side
	price fixed.Price
	qty   fixed.Qty
}

func asks(ins []desk.Intent) (out []ask) {
	for i := range ins {
		out = append(out, ask{ins[i].Op, ins[i].Side, ins[i].Price, ins[i].Qty})
	}
	return out
}

func TestQuotes_lieAroundTheMicroprice(t *testing.T) {
	r := newRig(t, plain(1), spot(1))
	// Microprice 100.00, 1 % half spread: 99.00 and 101.00.
	require.Equal(t, []ask{{venue.New, venue.Buy, 99_00, 100}, {venue.New, venue.Sell, 101_00, 100}}, asks(r.out.Intents()))
	in := r.out.Intents()[0]
	require.Equal(t, venue.PostOnly, in.Type)
	require.Equal(t, venue.GTC, in.TIF)
	require.Equal(t, venue.RoleQuote, in.Role)
	require.Equal(t, r.d.Now+second, in.NotAfter)
}

func TestQuotes_widenByTheMakerFeeAndTheLeastEdge(t *testing.T) {
	in := spot(1)
	in.Fees.Maker = 100_000 // 0.1 %
	q := plain(1)
	q.MinHalf, q.MinEdge = 0, 2_000_000 // 2 %
	r := newRig(t, q, in)
	// 100·0.98/1.001 = 97.9020…, 100·1.02/0.999 = 102.1021…
	require.Equal(t, []ask{{venue.New, venue.Buy, 97_90, 100}, {venue.New, venue.Sell, 102_11, 100}}, asks(r.out.Intents()))
}

func TestLayers_stepOutwardAndNeverShareAPrice(t *testing.T) {
	q := plain(1)
	q.Layers, q.Step = 3, 100 // 0.0001 %: less than a tick
	r := newRig(t, q, spot(1))
	require.Equal(t, []ask{
		{venue.New, venue.Buy, 99_00, 100}, {venue.New, venue.Buy, 98_99, 100}, {venue.New, venue.Buy, 98_98, 100},
		{venue.New, venue.Sell, 101_00, 100}, {venue.New, venue.Sell, 101_01, 100}, {venue.New, venue.Sell, 101_02, 100},
	}, asks(r.out.Intents()))
}

func TestQuotes_neverTakeAndImproveByOneTickAtMost(t *testing.T) {
	q := plain(1)
	q.MinHalf = 0
	r := newRig(t, q, spot(1))
	require.Equal(t, []ask{{venue.New, venue.Buy, 99_99, 100}, {venue.New, venue.Sell, 100_01, 100}}, asks(r.out.Intents()))
	r.d.Now += second / 10
	r.touch(1, 90_00, 110_00) // a wide book: fair stays at 100.00, the price goes one tick inside the touch
	require.Equal(t, []ask{{venue.Amend, venue.Buy, 90_01, 100}, {venue.Amend, venue.Sell, 109_99, 100}}, asks(r.decide()))
}

func TestHysteresis_keepsThePlaceInTheQueue(t *testing.T) {
	q := plain(1)
	q.Hysteresis = 500_000 // 0.5 %: 0.50 at 100
	r := newRig(t, q, spot(1))
	for _, c := range []struct {
		mid  fixed.Price
		want []ask
	}{
		{100_40, nil}, // wants 99.39 and 101.41
		{100_49, nil}, // wants 99.48 and 101.50: 0.50 away
		{100_60, []ask{{venue.Amend, venue.Buy, 99_59, 100}, {venue.Amend, venue.Sell, 101_61, 100}}},
		{100_20, nil},
	} {
		r.d.Now += second / 10
		r.touch(1, c.mid-1, c.mid+1)
		require.Equal(t, c.want, asks(r.decide()), "mid %d", c.mid)
		r.obey()
	}
}

func TestHysteresis_yieldsToTheLeastEdge(t *testing.T) {
	q := plain(1)
	q.Hysteresis, q.MinEdge = 5_000_000, 900_000 // 5 %, 0.9 %
	r := newRig(t, q, spot(1))
	r.d.Now += second / 10
	r.touch(1, 99_79, 99_81) // the bid of 99.00 now earns 0.82 %
	require.Equal(t, []ask{{venue.Amend, venue.Buy, 98_80, 100}}, asks(r.decide()))
}

func TestLeastChanges(t *testing.T) {
	open := func(r *rig, st desk.OrderState, prices ...fixed.Price) {
		for _, o := range r.live(1, venue.Buy) {
			r.close(o, desk.Cancelled)
		}
		for _, p := range prices {
			r.open(&desk.Intent{Op: venue.New, Side: venue.Buy, Role: venue.RoleQuote, Inst: 1, Price: p, Qty: 100}, st)
		}
	}
	for _, c := range []struct {
		name   string
		state  desk.OrderState
		prices []fixed.Price
		want   []ask // of the bid side; the layers are 99.00, 98.00 and 97.00
	}{
		{"all in place", desk.Open, []fixed.Price{97_00, 99_00, 98_00}, nil},
		{"one missing", desk.Open, []fixed.Price{99_00, 97_00}, []ask{{venue.New, venue.Buy, 98_00, 100}}},
		{"one too many", desk.Open, []fixed.Price{99_00, 98_00, 97_00, 96_00}, []ask{{venue.Cancel, venue.Buy, 96_00, 100}}},
		{"one elsewhere moves to the free layer", desk.Open, []fixed.Price{99_00, 98_00, 90_00}, []ask{{venue.Amend, venue.Buy, 97_00, 100}}},
		{"unknown fate occupies the nearest layer and is not touched", desk.Unknown, []fixed.Price{90_00, 90_01, 98_00}, nil},
		{"pending ones occupy too", desk.PendingCancel, []fixed.Price{99_00}, []ask{{venue.New, venue.Buy, 98_00, 100}, {venue.New, venue.Buy, 97_00, 100}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := plain(1)
			q.Layers, q.Step = 3, 1_000_000
			r := newRig(t, q, spot(1))
			open(r, c.state, c.prices...)
			r.touch(1, 99_99, 100_01)
			require.Equal(t, c.want, asks(r.decide()))
		})
	}
}

func TestWithoutAmend_cancelsFirstAndPlacesWhenGone(t *testing.T) {
	q := plain(1)
	q.Amend = false
	r := newRig(t, q, spot(1))
	r.touch(1, 109_99, 110_01)
	require.Equal(t, []ask{{venue.Cancel, venue.Buy, 99_00, 100}, {venue.Cancel, venue.Sell, 101_00, 100}}, asks(r.decide()))
	for _, s := range r.d.Live[1] {
		r.d.Orders[s].State = desk.PendingCancel
	}
	r.touch(1, 109_99, 110_01)
	require.Empty(t, r.decide(), "the layer is occupied until the order is gone")
	for len(r.d.Live[1]) > 0 {
		r.close(&r.d.Orders[r.d.Live[1][0]], desk.Cancelled)
	}
	r.touch(1, 109_99, 110_01)
	require.Equal(t, []ask{{venue.New, venue.Buy, 108_90, 100}, {venue.New, venue.Sell, 111_10, 100}}, asks(r.decide()))
}

func TestOwnOrders_areNeverCrossed(t *testing.T) {
	r := newRig(t, plain(1), spot(1))
	r.touch(1, 104_99, 105_01)
	got := asks(r.decide())
	// The own ask still stands at 101.00, so the bid that belongs to 103.95 stops a tick below it.
	require.Equal(t, []ask{{venue.Amend, venue.Buy, 100_99, 100}, {venue.Amend, venue.Sell, 106_05, 100}}, got)
}

func TestInventory_limitsAndSkews(t *testing.T) {
	q := plain(1)
	q.Layers, q.Step, q.MaxInventory = 3, 1_000_000, 250
	r := newRig(t, q, spot(1))
	require.Len(t, r.live(1, venue.Buy), 2, "0.0025 is room for two of 0.001")
	r.d.Positions[1].Qty = 200
	r.touch(1, 99_99, 100_01)
	require.Equal(t, []ask{{venue.Cancel, venue.Buy, 99_00, 100}, {venue.Cancel, venue.Buy, 98_00, 100}, {venue.New, venue.Sell, 103_00, 100}},
		asks(r.decide()))

	q = plain(1)
	q.Model.Gamma, q.Model.Horizon = 2_000, 100*second // κ stays enormous, so that only the skew shows
	at := func(pos fixed.Qty) (bid, offer fixed.Price) {
		r := newRig(t, q, spot(1))
		r.d.Positions[1].Qty = pos
		for range 40 { // a volatility of about 1 ‰ per root second
			r.d.Now += second / 10
			r.touch(1, 99_99+fixed.Price(r.seq%2*3), 100_01+fixed.Price(r.seq%2*3))
			r.decide()
			r.obey()
		}
		return r.live(1, venue.Buy)[0].Price, r.live(1, venue.Sell)[0].Price
	}
	flatBid, flatAsk := at(0)
	longBid, longAsk := at(5_000)
	shortBid, shortAsk := at(-5_000)
	require.Less(t, longBid, flatBid)
	require.Less(t, longAsk, flatAsk)
	require.Greater(t, shortBid, flatBid)
	require.Greater(t, shortAsk, flatAsk)
}

func TestPull_takesAllAwayAndComesBack(t *testing.T) {
	both := []ask{{venue.Cancel, venue.Buy, 99_00, 100}, {venue.Cancel, venue.Sell, 101_00, 100}}
	for _, c := range []struct {
		figure string
		do     func(r *rig)
	}{
		{"pulled_age", func(r *rig) { r.d.Now += second + 1 }},
		{"pulled_stale", func(r *rig) { r.lose(1, venue.SequenceGap) }},
		{"pulled_mismatch", func(r *rig) { r.lose(1, venue.TouchMismatch) }},
		{"pulled_stale", func(r *rig) { r.d.Instruments[1].Status = venue.Halted; r.changed(1) }},
	} {
		r := newRig(t, plain(1), spot(1))
		c.do(r)
		require.Equal(t, both, asks(r.decide()), c.figure)
		r.obey()
		require.Empty(t, r.decide())
		require.EqualValues(t, 1, r.figure(c.figure))
		r.d.Instruments[1].Status = venue.Trading
		r.touch(1, 99_99, 100_01)
		require.Len(t, r.decide(), 2, "unexpected silence after %s", c.figure)
	}
}

func TestTerms_countFromWhenTheyChange(t *testing.T) {
	q := plain(1)
	q.MinHalf, q.MinEdge = 0, 2_000_000 // 2 %
	r := newRig(t, q, spot(1))
	in := r.d.Instruments[1]
	in.Fees.Maker = 100_000 // 0.1 %
	r.changed(1)
	require.Equal(t, []ask{{venue.Amend, venue.Buy, 97_90, 100}, {venue.Amend, venue.Sell, 102_11, 100}}, asks(r.decide()))
	r.obey()
	in.Tick = 25
	r.changed(1)
	require.Equal(t, []ask{{venue.Amend, venue.Buy, 97_75, 100}, {venue.Amend, venue.Sell, 102_25, 100}}, asks(r.decide()))
	r.obey()
	in.Lot = 30 // a size that the venue does not take any more
	r.changed(1)
	require.Len(t, r.decide(), 2)
	require.EqualValues(t, 1, r.figure("pulled_terms"))
	r.obey()
	in.Lot, in.Fees.Maker = 50, fixed.One // not believed
	r.changed(1)
	require.Empty(t, r.decide())
	in.Fees.Maker = 0
	r.changed(1)
	require.Len(t, r.decide(), 2)
}

func TestPull_onAFastMarket(t *testing.T) {
	q := plain(1)
	q.Pull.MaxVol = 1_000_000 // 1 % per root second
	r := newRig(t, q, spot(1))
	r.d.Now += second / 10
	r.touch(1, 149_99, 150_01)
	require.Len(t, r.decide(), 2)
	require.EqualValues(t, 1, r.figure("pulled_volatility"))
}

func TestToxicSide_isLeftForAPause(t *testing.T) {
	r := newRig(t, plain(1), spot(1))
	for range 3 {
		r.fill(r.live(1, venue.Buy)[0], 100)
		r.decide()
		r.obey()
		r.d.Now += second / 10
		r.touch(1, 99_99, 100_01)
	}
	require.Empty(t, r.live(1, venue.Buy))
	require.Len(t, r.live(1, venue.Sell), 1)
	require.EqualValues(t, 1, r.figure("toxic_sides"))
	r.d.Now += 5 * second
	r.touch(1, 99_99, 100_01)
	// Long by now, so a hair lower.
	require.Equal(t, []ask{{venue.New, venue.Buy, 98_99, 100}}, asks(r.decide()))
}

func TestBudget_holdsMovesBackAndNeverPulls(t *testing.T) {
	q := plain(1)
	q.PerSecond, q.Burst = 2, 2
	r := newRig(t, q, spot(1)) // two messages spent
	r.touch(1, 109_99, 110_01)
	require.Empty(t, asks(r.decide())[1:], "the bid of 99.00 is safe and waits")
	require.Equal(t, []ask{{venue.Cancel, venue.Sell, 101_00, 100}}, asks(r.out.Intents()), "the ask of 101.00 breaks the promise and goes at once")
	r.obey()
	r.lose(1, venue.SequenceGap)
	require.Equal(t, []ask{{venue.Cancel, venue.Buy, 99_00, 100}}, asks(r.decide()), "a pull does not wait")
	r.obey()
	r.d.Now += 900 * venue.Millisecond
	r.touch(1, 109_99, 110_01)
	require.Empty(t, r.decide(), "the cancels are owed")
	r.d.Now += 1100 * venue.Millisecond
	r.touch(1, 109_99, 110_01)
	require.Len(t, r.decide(), 2)
}

func TestDecide_allocatesNothing(t *testing.T) {
	q := plain(1)
	q.Layers, q.Step = 4, 100_000
	r := newRig(t, q, spot(1))
	move := fixed.Price(3)
	changed := 0
	require.Zero(t, testing.AllocsPerRun(100, func() {
		r.d.Now += venue.Millisecond
		move = -move
		for _, s := range r.d.Live[1] { // as if the market had moved
			r.d.Orders[s].Price += move
		}
		r.d.Changed = append(r.d.Changed[:0], 1)
		changed += len(r.decide())
	}))
	require.Greater(t, changed, 50)
}
