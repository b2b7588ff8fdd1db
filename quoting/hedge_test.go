package quoting

import (
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// hedged is plain with a hedge at instrument 2.
func hedged() Quote {
	q := plain(1)
	q.Hedge = &Hedge{Inst: 2, Slip: 100_000, Allowance: 200_000, MaxLoss: 1e8, Deadline: second, NotAfter: second / 2, Retry: second / 10, MaxCarry: 150}
	return q
}

func (r *rig) plans() []desk.Plan {
	r.decide()
	return append([]desk.Plan(nil), r.out.Plans()...)
}

func TestHedge_coversAFillAtOnce(t *testing.T) {
	r := newRig(t, hedged(), spot(1), spot(2))
	r.fill(r.live(1, venue.Buy)[0], 40)
	ps := r.plans()
	require.Len(t, ps, 1)
	p, l := ps[0], ps[0].Legs[0]
	require.Equal(t, desk.HedgeOnFill, p.Shape)
	require.EqualValues(t, 1, p.N)
	require.EqualValues(t, 40, p.Base)
	require.Equal(t, venue.Sell, l.Side)
	require.Equal(t, venue.Inst(2), l.Inst)
	require.EqualValues(t, 40, l.Qty)
	require.EqualValues(t, 99_90, l.Price, "99.99 less 0.1 %% is 99.89001, to the tick that favours us")
	require.Equal(t, venue.RoleHedge, l.Role)
	require.Equal(t, venue.IOC, l.TIF)
	require.Equal(t, r.d.Now+second, p.Deadline)
}

func TestHedge_neverCoversTheSameFillTwice(t *testing.T) {
	r := newRig(t, hedged(), spot(1), spot(2))
	r.fill(r.live(1, venue.Buy)[0], 40)
	require.Len(t, r.plans(), 1)
	r.obey()
	h := r.live(2, venue.Sell)[0]
	r.fill(r.live(1, venue.Buy)[0], 60) // more is filled while the first hedge works
	require.Empty(t, r.plans())
	r.fill(h, 15)
	require.Empty(t, r.plans(), "the playbook of the plan sees to the rest")
	r.d.Now += second / 5
	r.touch(1, 99_99, 100_01)
	r.touch(2, 99_99, 100_01)
	r.fill(h, 25)
	ps := r.plans()
	require.Len(t, ps, 1)
	require.EqualValues(t, 60, ps[0].Legs[0].Qty)
	r.obey()
	r.fill(r.live(2, venue.Sell)[0], 60)
	require.Empty(t, r.plans())
	require.Zero(t, r.s.quotes[0].carry)
	require.EqualValues(t, 2, r.figure("hedges"))
}

func TestHedge_reportsSeenTwiceCountOnce(t *testing.T) {
	r := newRig(t, hedged(), spot(1), spot(2))
	r.fill(r.live(1, venue.Buy)[0], 40)
	r.d.Reports = append(r.d.Reports, r.d.Reports[0])
	ps := r.plans()
	require.Len(t, ps, 1)
	require.EqualValues(t, 40, ps[0].Legs[0].Qty)
}

func TestHedge_isTriedAgainWhenRefused(t *testing.T) {
	r := newRig(t, hedged(), spot(1), spot(2))
	r.fill(r.live(1, venue.Sell)[0], 40)
	require.Len(t, r.plans(), 1)
	require.Empty(t, r.plans(), "no answer yet")
	r.d.Now += second / 10
	ps := r.plans() // nothing has changed but the time
	require.Len(t, ps, 1)
	require.Equal(t, venue.Buy, ps[0].Legs[0].Side)
	require.EqualValues(t, 100_11, ps[0].Legs[0].Price)
}

func TestHedge_waitsForTheDeadlineOfAPlanThatFellShort(t *testing.T) {
	r := newRig(t, hedged(), spot(1), spot(2))
	r.fill(r.live(1, venue.Buy)[0], 40)
	require.Len(t, r.plans(), 1)
	r.obey()
	h := r.live(2, venue.Sell)[0]
	r.fill(h, 10)
	r.close(h, desk.Expired)
	for range 10 {
		require.Empty(t, r.plans())
		r.d.Now += second / 10
		r.touch(1, 99_99, 100_01)
		r.touch(2, 99_99, 100_01)
	}
	r.d.Now++
	ps := r.plans()
	require.Len(t, ps, 1)
	require.EqualValues(t, 30, ps[0].Legs[0].Qty)
}

func TestHedge_countsWhatIsOfUnknownFate(t *testing.T) {
	r := newRig(t, hedged(), spot(1), spot(2))
	r.fill(r.live(1, venue.Buy)[0], 40)
	require.Len(t, r.plans(), 1)
	r.obey()
	h := r.live(2, venue.Sell)[0]
	h.State = desk.Unknown
	r.d.Reports = append(r.d.Reports, venue.Report{Kind: venue.SentReport, Inst: 2, Slot: h.Slot})
	r.decide()
	r.d.Now += 2 * second
	r.touch(1, 99_99, 100_01)
	r.touch(2, 99_99, 100_01)
	require.Empty(t, r.plans(), "it may still fill")
}

func TestHedge_carriesLessThanALotAndBlocksTheSide(t *testing.T) {
	other := spot(2)
	other.Lot, other.MinQty = 200, 200
	r := newRig(t, hedged(), spot(1), other)
	r.fill(r.live(1, venue.Buy)[0], 100)
	require.Empty(t, r.plans(), "0.001 is less than the lot of 0.002")
	require.Len(t, asks(r.out.Intents()), 1, "and within the carry, so the bid is placed again")
	r.obey()
	r.fill(r.live(1, venue.Buy)[0], 99)
	require.Empty(t, r.plans())
	require.Empty(t, asks(r.out.Intents())[1:])
	require.Equal(t, venue.Cancel, r.out.Intents()[0].Op, "0.00199 are carried, more than 0.0015: the bid goes")
	r.obey()
	require.Empty(t, r.live(1, venue.Buy))
	require.Len(t, r.live(1, venue.Sell), 1)
	require.EqualValues(t, 1, r.figure("carry_blocks"))
	r.fill(r.live(1, venue.Sell)[0], 100) // what is sold brings the carry back
	r.decide()
	require.Len(t, asks(r.out.Intents()), 2)
}

func TestHedge_feesInBaseShrinkWhatIsCovered(t *testing.T) {
	r := newRig(t, hedged(), spot(1), spot(2))
	r.fill(r.live(1, venue.Buy)[0], 100)
	r.d.Reports[0].Fee, r.d.Reports[0].FeeCcy = 10_000, btc // 0.0001
	ps := r.plans()
	require.Len(t, ps, 1)
	require.EqualValues(t, 90, ps[0].Legs[0].Qty)
}

func TestHedge_boundsTheQuotesByItsOwnBook(t *testing.T) {
	q := hedged()
	q.MinHalf, q.MinEdge = 0, 500_000 // 0.5 %
	other := spot(2)
	other.Fees.Taker = 100_000 // 0.1 %
	r := newRig(t, q, spot(1), other)
	r.touch(2, 97_99, 98_01)
	// A bid is covered at 97.99·0.999/1.005 = 97.4049…, an ask must still earn 0.5 % against the fair value of 100.00.
	require.Equal(t, []ask{{venue.Amend, venue.Buy, 97_40, 100}, {venue.Amend, venue.Sell, 100_50, 100}}, asks(r.decide()))
}

func TestHedge_goesOnWhileQuotesArePulled(t *testing.T) {
	r := newRig(t, hedged(), spot(1), spot(2))
	r.fill(r.live(1, venue.Buy)[0], 40)
	r.lose(1, venue.SequenceGap)
	require.Len(t, r.plans(), 1)
	r2 := newRig(t, hedged(), spot(1), spot(2))
	r2.fill(r2.live(1, venue.Buy)[0], 40)
	r2.lose(2, venue.SequenceGap)
	require.Empty(t, r2.plans(), "there is no price to hedge at")
	require.NotEmpty(t, r2.out.Intents(), "and without a hedge there are no quotes")
}

func TestHedge_allocatesNothing(t *testing.T) {
	r := newRig(t, hedged(), spot(1), spot(2))
	o := r.live(1, venue.Buy)[0]
	o.Qty = fixed.Limit
	plans := 0
	require.Zero(t, testing.AllocsPerRun(100, func() {
		r.d.Now += 2 * second // past the deadline of the plan before
		r.d.Books[1].Alive(r.d.Now)
		r.d.Books[2].Alive(r.d.Now)
		o.Filled += 10
		r.d.Reports = append(r.d.Reports[:0], venue.Report{Kind: venue.Fill, Inst: 1, Slot: o.Slot, Price: o.Price})
		r.out.Reset()
		r.s.Decide(r.d, r.out)
		plans += len(r.out.Plans())
	}))
	require.Greater(t, plans, 100)
}
