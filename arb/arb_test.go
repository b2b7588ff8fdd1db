package arb

import (
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

func TestPair_handComputedEdges(t *testing.T) {
	type want struct {
		buy, sell         fixed.Price
		buyQty, sellQty   fixed.Qty
		edge              fixed.Rate
		buyInst, sellInst venue.Inst
	}
	cases := []struct {
		name   string
		change func(a, b *venue.Instrument, l *Link)
		b      *venue.Instrument
		asks   levels // of instrument 1
		bids   levels // of instrument 2
		want   *want
	}{
		{
			name: "no fees, one level: 100.00 to 101.00 is 1 %",
			asks: levels{10000, 50}, bids: levels{10100, 30},
			want: &want{10000, 10100, 30, 30, 1_000_000, 1, 2},
		},
		{
			name:   "fees of 0.1 % on both sides: 101.00·0.999 / (100.00·1.001) − 1 = 0.79820179 %, less two roundings",
			change: func(a, b *venue.Instrument, _ *Link) { a.Fees.Taker, b.Fees.Taker = 100_000, 100_000 },
			asks:   levels{10000, 50}, bids: levels{10100, 30},
			want: &want{10000, 10100, 30, 30, 798_200, 1, 2},
		},
		{
			name: "a fee in base of 0.1 %: 101.00 / (100.00/0.999) − 1 = 0.899 % less roundings, and 1000 bought leave 999 to sell",
			change: func(a, b *venue.Instrument, _ *Link) {
				a.Fees.Taker, a.Fees.In = 100_000, venue.FeeInBase
			},
			asks: levels{10000, 1000}, bids: levels{10100, 5000},
			want: &want{10000, 10100, 1000, 999, 898_998, 1, 2},
		},
		{
			name: "two levels each, walked while the marginal edge holds: 100.50 against 100.60 does, 100.50 against 100.40 does not",
			asks: levels{10000, 50, 10050, 50}, bids: levels{10100, 30, 10060, 40, 10040, 100},
			want: &want{10050, 10060, 70, 70, 99_502, 1, 2},
		},
		{
			name:   "the threshold of 0.5 % stops the walk at 100.50 against 101.00 (0.497 %)",
			change: func(_, _ *venue.Instrument, l *Link) { l.Threshold = 500_000 },
			asks:   levels{10000, 10, 10050, 50}, bids: levels{10100, 30},
			want: &want{10000, 10100, 10, 10, 1_000_000, 1, 2},
		},
		{
			name:   "carry costs of 0.4 % leave 0.6 %",
			change: func(_, _ *venue.Instrument, l *Link) { l.Costs = Costs{FX: 100_000, Funding: 200_000, Other: 100_000} },
			asks:   levels{10000, 50}, bids: levels{10100, 30},
			want: &want{10000, 10100, 30, 30, 600_000, 1, 2},
		},
		{
			name:   "the coarser lot of 0.0002 cuts both legs",
			change: func(_, b *venue.Instrument, _ *Link) { b.Lot = 20 },
			asks:   levels{10000, 50}, bids: levels{10100, 35},
			want: &want{10000, 10100, 20, 20, 1_000_000, 1, 2},
		},
		{
			name:   "the largest notional of 0.02 USDT allows 0.0002 at 100.00",
			change: func(_, _ *venue.Instrument, l *Link) { l.MaxNotional = 2_020_000 },
			asks:   levels{10000, 50}, bids: levels{10100, 50},
			want: &want{10000, 10100, 20, 20, 1_000_000, 1, 2},
		},
		{
			name:   "a minimum notional of 1 USDT is not met by 0.0003 at 100.00",
			change: func(a, _ *venue.Instrument, _ *Link) { a.MinNotional = 1e8 },
			asks:   levels{10000, 30}, bids: levels{10100, 50},
		},
		{
			name: "no cross",
			asks: levels{10000, 30}, bids: levels{10000, 50},
		},
		{
			// 100 USD a contract: 3 contracts sold at 60600.0 are 3·(100/60600) = 0.00495 BTC (each level rounded down), so
			// 0.00495 BTC are bought. 60600/60000 − 1 = 1 %.
			name: "linear against inverse of 100 USD at par",
			b:    coin(2), change: func(_, _ *venue.Instrument, l *Link) { l.Basis, l.Par = true, fixed.One },
			asks: levels{6000000, 100_000}, bids: levels{6060000, 3e5},
			want: &want{6000000, 6060000, 495, 3e5, 1_000_000, 1, 2},
		},
		{
			// One USD is worth 0.9990 USDT, so the sale leaves 60600·0.999 = 60539.4: 0.899 %.
			name: "linear against inverse, USD at 0.999 USDT",
			b:    coin(2), change: func(_, _ *venue.Instrument, l *Link) { l.Basis, l.Par = true, 99_900_000 },
			asks: levels{6000000, 100_000}, bids: levels{6060000, 3e5},
			want: &want{6000000, 6060000, 495, 3e5, 899_000, 1, 2},
		},
		{
			// 0.008 BTC at 60000 are 480 USD at 60600·… : one contract is 0.00165 BTC, four are 0.00660, five would be 0.00825.
			name: "whole contracts only, and the linear leg is cut to them",
			b:    coin(2), change: func(_, _ *venue.Instrument, l *Link) { l.Basis, l.Par = true, fixed.One },
			asks: levels{6000000, 800}, bids: levels{6060000, 90e5},
			want: &want{6000000, 6060000, 660, 4e5, 1_000_000, 1, 2},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			a, b := spot(1), c.b
			if b == nil {
				b = spot(2)
			}
			l := link(1, 2)
			if c.change != nil {
				c.change(a, b, &l)
			}
			r := newRig(t, a, b)
			s := r.strategy(l)
			r.book(1, levels{1000, 1}, c.asks)
			r.book(2, c.bids, levels{9999990, 1e5})
			ps := r.decide(s)
			if c.want == nil {
				require.Empty(t, ps)
				return
			}
			require.Len(t, ps, 1)
			p, w := ps[0], c.want
			require.EqualValues(t, 2, p.N)
			require.Equal(t, *w, want{p.Legs[0].Price, p.Legs[1].Price, p.Legs[0].Qty, p.Legs[1].Qty, p.Edge, p.Legs[0].Inst, p.Legs[1].Inst})
			require.Equal(t, []venue.Side{venue.Buy, venue.Sell}, []venue.Side{p.Legs[0].Side, p.Legs[1].Side})
			require.Equal(t, venue.IOC, p.Legs[0].TIF)
			require.EqualValues(t, 1, p.Link)
			require.Equal(t, r.d.Now+second, p.Deadline)
		})
	}
}

func TestPair_bothDirectionsAndInstrumentOrder(t *testing.T) {
	r := newRig(t, spot(1), spot(2))
	s := r.strategy(link(1, 2))
	r.book(1, levels{10200, 10}, levels{10300, 10})
	r.book(2, levels{9900, 10}, levels{10000, 10})
	ps := r.decide(s)
	require.Len(t, ps, 1)
	require.Equal(t, venue.Inst(1), ps[0].Legs[0].Inst, "legs stay in configured order")
	require.Equal(t, venue.Sell, ps[0].Legs[0].Side)
	require.Equal(t, venue.Buy, ps[0].Legs[1].Side)
}

func TestFees_countFromWhenTheyChange(t *testing.T) {
	r := newRig(t, spot(1), spot(2))
	s := r.strategy(link(1, 2))
	cross := func() []desk.Plan {
		r.book(1, levels{9800, 10}, levels{9900, 10})
		r.book(2, levels{10000, 10}, levels{10100, 10})
		return r.decide(s)
	}
	r.d.Instruments[2].Fees.Taker = 200 * fixed.Bps
	require.Empty(t, cross(), "2 % of a sale at 1 % more")
	r.d.Instruments[2].Fees.Taker = 50 * fixed.Bps
	require.Len(t, cross(), 1)
}

func TestPair_convertsThroughTheDesk(t *testing.T) {
	b := spot(2)
	b.Quote, b.Settle = usd, usd
	r := newRig(t, spot(1), b)
	l := link(1, 2)
	l.Basis = true
	s := r.strategy(l)
	r.book(1, levels{1000, 1}, levels{10000, 10})
	r.book(2, levels{10100, 10}, levels{20000, 1})
	require.Empty(t, r.decide(s), "no rate, no cross")

	r.d.FX[usdt] = desk.FXRate{Bid: 99_900_000, Ask: 100_100_000, At: r.d.Now}
	r.book(2, levels{10100, 10}, levels{20000, 1})
	ps := r.decide(s)
	require.Len(t, ps, 1)
	// Sold for USD, which is 1/1.001 USDT: 101/100 ÷ 1.001 − 1, rounded down twice.
	require.Equal(t, fixed.Rate(899_099), ps[0].Edge)

	r.d.Now += 11 * second
	r.book(1, levels{1000, 1}, levels{10000, 10})
	r.book(2, levels{10100, 10}, levels{20000, 1})
	require.Empty(t, r.decide(s), "a rate of 11 seconds ago is not used")
	require.EqualValues(t, 1, figure(t, s, "edges_fx"))
}

func TestFigures_countAppearancesOnce(t *testing.T) {
	r := newRig(t, spot(1), spot(2))
	l := link(1, 2)
	l.Threshold = 500_000
	l.Cooldown = 10 * second
	s := r.strategy(l)
	quiet := func() { r.book(2, levels{9000, 30}, levels{20000, 1}) }
	r.book(1, levels{1000, 1}, levels{10000, 50})
	for range 5 { // gross only
		r.book(2, levels{10010, 30}, levels{20000, 1})
		require.Empty(t, r.decide(s))
	}
	require.EqualValues(t, 1, figure(t, s, "edges_gross"))
	require.EqualValues(t, 5, figure(t, s, "ticks_gross"))
	require.EqualValues(t, 0, figure(t, s, "edges_net"))
	n := 0
	for range 5 { // the same appearance becomes net: one plan, then the cooldown
		r.book(2, levels{10100, 30}, levels{20000, 1})
		n += len(r.decide(s))
	}
	require.Equal(t, 1, n)
	require.EqualValues(t, 1, figure(t, s, "edges_gross"))
	require.EqualValues(t, 1, figure(t, s, "edges_net"))
	require.EqualValues(t, 1, figure(t, s, "edges_cooldown"))
	require.EqualValues(t, 1, figure(t, s, "plans"))
	quiet()
	r.decide(s)
	r.d.Now += 11 * second
	r.book(1, levels{1000, 1}, levels{10000, 50})
	r.book(2, levels{10100, 30}, levels{20000, 1})
	require.Len(t, r.decide(s), 1)
	require.EqualValues(t, 2, figure(t, s, "edges_gross"))
	require.EqualValues(t, 2, figure(t, s, "edges_net"))
}

func TestHindrances_areNamed(t *testing.T) {
	for _, c := range []struct {
		figure string
		do     func(r *rig, l *Link)
	}{
		{"edges_basis", func(r *rig, l *Link) { l.BasisLimit = 999_999 }},
		{"edges_stale", func(r *rig, l *Link) { r.d.Now += 2 * second }},
		{"edges_stale", func(r *rig, l *Link) { r.d.Instruments[1].Status = venue.Halted }},
		{"edges_sized_out", func(r *rig, l *Link) { l.MinBase = 31 }},
	} {
		r := newRig(t, spot(1), spot(2))
		l := link(1, 2)
		r.book(1, levels{1000, 1}, levels{10000, 50})
		c.do(r, &l)
		s := r.strategy(l)
		r.book(2, levels{10100, 30}, levels{20000, 1})
		require.Empty(t, r.decide(s), c.figure)
		require.EqualValues(t, 1, figure(t, s, c.figure), c.figure)
		require.EqualValues(t, 1, figure(t, s, "edges_net"))
	}
}

func TestStaleBook_isNoTouch(t *testing.T) {
	r := newRig(t, spot(1), spot(2))
	s := r.strategy(link(1, 2))
	r.book(1, levels{1000, 1}, levels{10000, 50})
	r.book(2, levels{10100, 30}, levels{20000, 1})
	r.d.Books[1].Invalidate(venue.SequenceGap)
	require.Empty(t, r.decide(s))
	require.EqualValues(t, 0, figure(t, s, "edges_gross"))
}

func TestLinks_shareNoLiquidity(t *testing.T) {
	r := newRig(t, spot(1), spot(2), spot(3))
	s := r.strategy(link(1, 2), link(1, 3))
	r.book(1, levels{1000, 1}, levels{10000, 50})
	r.book(2, levels{10100, 30}, levels{20000, 1})
	r.book(3, levels{10100, 30}, levels{20000, 1})
	require.Len(t, r.decide(s), 1, "both links would take the same ask")
}

func TestBalances_boundTheSize(t *testing.T) {
	r := newRig(t, spot(1), spot(2))
	s, err := New(Config{Name: "arb", Links: []Link{link(1, 2)}, Balances: true}, r.d.Instruments)
	require.NoError(t, err)
	r.d.Balances[1][usdt] = 1_600_000 // 0.016 USDT buys 0.00016 at 100.00
	r.d.Balances[2][btc] = 20_000     // 0.0002
	r.book(1, levels{1000, 1}, levels{10000, 50})
	r.book(2, levels{10100, 30}, levels{20000, 1})
	ps := r.decide(s)
	require.Len(t, ps, 1)
	require.EqualValues(t, 16, ps[0].Base)
	r.d.Balances[1][usdt] = 1e8
	r.d.Now += second
	r.book(1, levels{1000, 1}, levels{10000, 50})
	r.book(2, levels{10100, 30}, levels{20000, 1})
	ps = r.decide(s)
	require.Len(t, ps, 1)
	require.EqualValues(t, 20, ps[0].Base)
}

func TestMaxPosition_boundsTheSize(t *testing.T) {
	r := newRig(t, spot(1), coin(2))
	l := link(1, 2)
	l.Basis, l.Par, l.MaxPosition = true, fixed.One, 1000
	s := r.strategy(l)
	for _, c := range []struct {
		spot, contracts, buying fixed.Qty
		want                    fixed.Qty
	}{
		{0, 0, 0, 990},        // six contracts at 60600 are 0.0099, seven more than 0.01
		{-1000, 0, 0, 990},    // the spot leg may go further, the contracts may not
		{900, 0, 0, 0},        // less than a contract is left
		{0, 0, 700, 165},      // 0.007 works already
		{0, -5e5, 0, 165},     // −5 contracts: one more
		{-2000, 9e5, 0, 2475}, // both come from the other side: 0.02485 of contracts, fifteen of them
	} {
		r.d.Now += second
		r.d.Positions[1].Qty, r.d.Positions[2].Qty, r.d.Working[1].BuyQty = c.spot, c.contracts, c.buying
		r.book(1, levels{1000, 1}, levels{6000000, 100_000})
		r.book(2, levels{6060000, 90e5}, levels{9000000, 1e5})
		ps := r.decide(s)
		if c.want == 0 {
			require.Empty(t, ps)
			continue
		}
		require.Len(t, ps, 1)
		require.Equal(t, c.want, ps[0].Base, "%+v", c)
	}
}

func TestInTurn_laterLegsMayWaitForTheDeadline(t *testing.T) {
	r := newRig(t, spot(1), spot(2))
	l := link(1, 2)
	l.Policy = desk.InTurn
	s := r.strategy(l)
	r.book(1, levels{1000, 1}, levels{10000, 50})
	r.book(2, levels{10100, 30}, levels{20000, 1})
	ps := r.decide(s)
	require.Len(t, ps, 1)
	require.Equal(t, r.d.Now+second/2, ps[0].Legs[0].NotAfter)
	require.Equal(t, ps[0].Deadline, ps[0].Legs[1].NotAfter)
}

func TestDecide_allocatesNothing(t *testing.T) {
	r := newRig(t, spot(1), spot(2), coin(3))
	l := link(1, 3)
	l.Basis, l.Par = true, fixed.One
	s := r.strategy(link(1, 2), l)
	r.book(1, levels{1000, 1}, levels{6000000, 50, 6001000, 50, 6002000, 50})
	r.book(2, levels{6050000, 30, 6040000, 40}, levels{9000000, 1})
	r.book(3, levels{6060000, 3e5, 6050000, 3e5}, levels{9000000, 1e5})
	changed := append([]venue.Inst(nil), r.d.Changed...)
	total := 0
	require.Zero(t, testing.AllocsPerRun(100, func() {
		r.d.Now++
		r.d.Changed = append(r.d.Changed[:0], changed...)
		r.out.Reset()
		s.Decide(r.d, r.out)
		total += len(r.out.Plans())
	}))
	require.Greater(t, total, 100, "unexpected number of plans: the walk was not measured")
}
