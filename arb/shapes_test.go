package arb

import (
	"math/rand/v2"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// ring is ETH/USDT, ETH/BTC and BTC/USDT at one venue, each a product with scales of its own.
func ring() (p, q, r *venue.Instrument) {
	p, q, r = spot(1), spot(1), spot(1)
	p.Product, p.Name, p.Base, p.PriceScale, p.QtyScale, p.Lot, p.MinQty = 2, "v:ETHUSDT", eth, 2, 4, 1, 1
	q.Product, q.Name, q.Base, q.Quote, q.Settle, q.PriceScale, q.QtyScale, q.Lot, q.MinQty = 3, "v:ETHBTC", eth, btc, btc, 5, 4, 1, 1
	r.Product, r.Name = 1, "v:BTCUSDT"
	return p, q, r
}

func triangleLink() Link {
	l := link(3, 1) // in any order
	l.Shape, l.Legs = desk.Triangle, []venue.Inst{3, 1, 2}
	return l
}

func TestTriangle_buysTopAndSellsItThroughTheMiddle(t *testing.T) {
	p, q, r := ring()
	for _, in := range []*venue.Instrument{p, q, r} {
		in.Fees.Taker = 100_000 // 0.1 %
	}
	x := newRig(t, p, q, r)
	s := x.strategy(triangleLink())
	// 1 ETH costs 3000 USDT, sells for 0.0505 BTC, which sells for 60000: 3030. Fees: 0.999·0.999/1.001 of that.
	x.book(1, levels{200000, 1}, levels{300000, 100_000})
	x.book(2, levels{5050, 20_000}, levels{6000, 1})
	x.book(3, levels{6000000, 500_000}, levels{7000000, 1})
	ps := x.decide(s)
	require.Len(t, ps, 1)
	l := ps[0].Legs
	require.Equal(t, desk.Triangle, ps[0].Shape)
	require.EqualValues(t, 3, ps[0].N)
	require.Equal(t, []venue.Inst{1, 2, 3}, []venue.Inst{l[0].Inst, l[1].Inst, l[2].Inst})
	require.Equal(t, []venue.Side{venue.Buy, venue.Sell, venue.Sell}, []venue.Side{l[0].Side, l[1].Side, l[2].Side})
	require.EqualValues(t, 20_000, ps[0].Base, "2.0 ETH, all that the middle pair bids for")
	require.EqualValues(t, 20_000, l[0].Qty)
	require.EqualValues(t, 20_000, l[1].Qty)
	require.EqualValues(t, 10_089, l[2].Qty, "2·0.0505·0.999 = 0.100899 BTC, rounded down to the lot")
	// 0.999·0.999/1.001 = 0.99700399…, ·1.01 = 1.00697403…
	require.EqualValues(t, 697_402, ps[0].Edge)
}

func TestTriangle_theOtherWayRoundPaysForTheMiddle(t *testing.T) {
	p, q, r := ring()
	x := newRig(t, p, q, r)
	s := x.strategy(triangleLink())
	// 0.0495 BTC at 60000 is 2970 for an ETH that sells at 3000.
	x.book(1, levels{300000, 30_000}, levels{400000, 1})
	x.book(2, levels{4000, 1}, levels{4950, 50_000})
	x.book(3, levels{5000000, 1}, levels{6000000, 9_907})
	ps := x.decide(s)
	require.Len(t, ps, 1)
	l := ps[0].Legs
	require.Equal(t, []venue.Inst{3, 2, 1}, []venue.Inst{l[0].Inst, l[1].Inst, l[2].Inst})
	require.Equal(t, []venue.Side{venue.Buy, venue.Buy, venue.Sell}, []venue.Side{l[0].Side, l[1].Side, l[2].Side})
	// 0.09907 BTC pay for 2.00141… ETH; 2.0014 ETH need 0.0990693, rounded up to 0.09907.
	require.EqualValues(t, 20_014, ps[0].Base)
	require.EqualValues(t, 9_907, l[0].Qty)
	require.EqualValues(t, 20_014, l[1].Qty)
	require.EqualValues(t, 20_014, l[2].Qty)
	require.EqualValues(t, 1_010_101, ps[0].Edge)
}

func TestTriangle_randomPlansAreFundedAndMeetTheThreshold(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 20261125))
	n := 0
	for range 3000 {
		p, q, r := ring()
		ins := []*venue.Instrument{p, q, r}
		for _, in := range ins {
			in.Fees.Taker = fixed.Rate(rnd.IntN(100_000))
			in.Lot = []fixed.Qty{1, 10, 100}[rnd.IntN(3)]
			if rnd.IntN(2) == 0 {
				in.Fees.In = venue.FeeInBase
			}
		}
		x := newRig(t, p, q, r)
		l := triangleLink()
		l.Threshold = fixed.Rate(rnd.IntN(100_000))
		s := x.strategy(l)
		for i, mid := range []int64{300_000, 5_000, 6_000_000} {
			at := mid + rnd.Int64N(mid/50)
			var bids, offers levels
			for k := range int64(1 + rnd.IntN(5)) {
				gap := max(mid/2000, 1)
				bids = append(bids, at-gap*(k+1), 1+rnd.Int64N(30_000))
				offers = append(offers, at+gap*(k+1), 1+rnd.Int64N(30_000))
			}
			x.book(venue.Inst(i+1), bids, offers)
		}
		for _, plan := range x.decide(s) {
			n++
			checkTriangle(t, x, ins, &plan, l.Threshold)
		}
	}
	require.Greater(t, n, 500)
}

// checkTriangle recomputes a plan from its limits: what each leg yields at its limit must pay for the next, and the ring
// must return the threshold.
func checkTriangle(t *testing.T, x *rig, ins []*venue.Instrument, plan *desk.Plan, threshold fixed.Rate) {
	ratio := one
	have := decimal.NewFromInt(-1) // of the currency that the next leg gives; -1 before the first
	for i := range 3 {
		leg := &plan.Legs[i]
		in := ins[leg.Inst-1]
		price, qty := fixed.Decimal(leg.Price, in.PriceScale), fixed.Decimal(leg.Qty, in.QtyScale)
		fee := rate(in.Fees.Taker)
		w := x.d.Books[leg.Inst].Take(leg.Side, leg.Qty)
		require.Equal(t, leg.Qty, w.Filled)
		require.Equal(t, leg.Price, w.Worst)
		require.Zero(t, leg.Qty%in.Lot)
		gives, gets := price.Mul(qty).Mul(one.Add(fee)), qty
		paid := price.Mul(one.Add(fee))
		if feeInBase(in) {
			gives, gets = price.Mul(qty), qty.Mul(one.Sub(fee))
			paid = price.DivRound(one.Sub(fee), 30)
		}
		if leg.Side == venue.Sell {
			gives, gets = qty, price.Mul(qty).Mul(one.Sub(fee))
			ratio = ratio.Mul(price).Mul(one.Sub(fee))
		} else {
			ratio = ratio.DivRound(paid, 30)
		}
		if i > 0 {
			require.True(t, gives.LessThanOrEqual(have), "leg %d gives %s of %s; plan %+v", i, gives, have, plan)
		}
		have = gets
	}
	edge := ratio.Sub(one)
	require.True(t, edge.GreaterThanOrEqual(rate(threshold)), "unexpected edge %s", edge)
	require.True(t, edge.GreaterThanOrEqual(rate(plan.Edge)))
	require.True(t, edge.Sub(rate(plan.Edge)).LessThan(rate(8)), "claimed %s of %s", rate(plan.Edge), edge)
}

// binary is an outcome at two decimals with whole shares.
func binary(v venue.ID, p venue.Product, name string) *venue.Instrument {
	return &venue.Instrument{
		Venue: v, Product: p, Name: name, Base: eth, Quote: usd, Settle: usd, Kind: venue.Binary, Status: venue.Trading,
		PriceScale: 2, QtyScale: 0, Tick: 1, Lot: 1, MinQty: 1, Multiplier: fixed.One,
	}
}

func TestComplement_yesAskPlusNoAskBelowOne(t *testing.T) {
	yes, no := binary(1, 1, "v:YES"), binary(1, 1, "v:NO")
	no.Complement = true
	x := newRig(t, yes, no)
	l := link(1, 2)
	l.Shape = desk.ComplementPair
	l.BasisLimit = fixed.One
	s := x.strategy(l)
	// YES is offered at 0.40. NO is offered at 0.55: turned into the YES product, a bid of 0.45.
	x.book(1, levels{30, 1}, levels{40, 100})
	x.book(2, levels{45, 70}, levels{60, 1})
	ps := x.decide(s)
	require.Len(t, ps, 1)
	require.Equal(t, desk.ComplementPair, ps[0].Shape)
	require.Equal(t, venue.Buy, ps[0].Legs[0].Side)
	require.Equal(t, venue.Sell, ps[0].Legs[1].Side, "the adapter flips it into a purchase of NO")
	require.EqualValues(t, 70, ps[0].Base)
	require.EqualValues(t, 12_500_000, ps[0].Edge)
}

func TestOutcomeSet_sumOfAsksBelowOne(t *testing.T) {
	a, b, c := binary(1, 1, "v:A"), binary(1, 2, "v:B"), binary(1, 3, "v:C")
	c.Fees.Taker = 1_000_000 // 1 %
	x := newRig(t, a, b, c)
	l := link(1, 2)
	l.Shape, l.Legs, l.Exhaustive = desk.OutcomeSet, []venue.Inst{1, 2, 3}, true
	l.Threshold = 1_000_000
	l.BasisLimit = fixed.One
	s := x.strategy(l)
	x.book(1, levels{10, 1}, levels{30, 40, 32, 100})
	x.book(2, levels{10, 1}, levels{20, 500})
	x.book(3, levels{10, 1}, levels{45, 60, 48, 500})
	ps := x.decide(s)
	require.Len(t, ps, 1)
	p := ps[0]
	// 0.30 + 0.20 + 0.45·1.01 = 0.9545 for 40; 0.32 + 0.20 + 0.4545 = 0.9745 for 60; 0.32 + 0.20 + 0.4848 = 1.0048 is none.
	require.EqualValues(t, 60, p.Base)
	require.Equal(t, []fixed.Price{32, 20, 45}, []fixed.Price{p.Legs[0].Price, p.Legs[1].Price, p.Legs[2].Price})
	for i := range 3 {
		require.Equal(t, venue.Buy, p.Legs[i].Side)
		require.EqualValues(t, 60, p.Legs[i].Qty)
	}
	require.EqualValues(t, 2_616_726, p.Edge) // 1/0.9745 − 1, rounded down
}
