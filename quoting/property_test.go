package quoting

import (
	"math/rand/v2"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// most is the largest number of orders that can stay, found by trying everything.
func most(orders []fixed.Price, layers []fixed.Price, band fixed.Price, used uint) int {
	if len(orders) == 0 {
		return 0
	}
	n := most(orders[1:], layers, band, used)
	for k, p := range layers {
		if used&(1<<k) == 0 && distance(p, orders[0]) <= band {
			n = max(n, 1+most(orders[1:], layers, band, used|1<<k))
		}
	}
	return n
}

func TestProperty_asManyOrdersAsPossibleStay(t *testing.T) {
	rnd := rand.New(rand.NewPCG(20261125, 1))
	kept := 0
	for range 4000 {
		side := []venue.Side{venue.Buy, venue.Sell}[rnd.IntN(2)]
		dir := fixed.Price(side.Sign())
		w := ladder{n: 1 + rnd.IntN(5), bound: fixed.Price(1000) + 20*dir}
		var layers, orders []fixed.Price
		p := fixed.Price(1000)
		for k := range w.n {
			w.price[k] = p
			layers = append(layers, p)
			p -= dir * fixed.Price(1+rnd.IntN(8))
		}
		f := &flank{}
		for i := range rnd.IntN(6) {
			p := fixed.Price(1000) + dir*(10-fixed.Price(rnd.IntN(40)))
			f.add(uint32(i), p, side)
			orders = append(orders, p)
		}
		for i := 1; i < f.n; i++ {
			require.Equal(t, f.price[i-1], inside(f.price[i-1], f.price[i-1], side))
			require.LessOrEqual(t, (f.price[i]-f.price[i-1])*dir, fixed.Price(0), "not sorted best first")
		}
		band := fixed.Price(rnd.IntN(8))
		want := most(orders, layers, band, 0)
		if f.inPlace(&w, side, band) {
			require.Equal(t, want, w.n)
			continue
		}
		before := f.n
		f.keep(&w, side, band)
		require.Equal(t, want, before-f.n, "%v to %v within %d", orders, layers, band)
		kept += want
	}
	require.Greater(t, kept, 3000)
}

// TestProperty_promisesHoldOverARandomDay drives a hedged ladder through random books, fills, refusals and unknowns, and
// checks every intent against the package comment with exact decimals.
func TestProperty_promisesHoldOverARandomDay(t *testing.T) {
	for seed := range uint64(6) {
		rnd := rand.New(rand.NewPCG(seed, 42))
		q := hedged()
		q.Layers, q.Step, q.MinHalf, q.MinEdge, q.Hysteresis = 1+rnd.IntN(4), 30_000, 20_000, 10_000, 20_000
		q.Pull.Fills, q.MaxInventory, q.Hedge.MaxCarry = 8, 400, 300
		q.Amend = seed%2 == 0
		q.PerSecond, q.Burst = 50, 20
		in, other := spot(1), spot(2)
		in.Fees.Maker = fixed.Rate(seed)*10_000 - 10_000
		other.Fees.Taker = 20_000
		other.Lot, other.MinQty = 7, 7
		r := newRig(t, q, in, other)
		for i := range r.d.Orders {
			r.d.Orders[i] = desk.Order{}
		}
		r.d.Live[1], r.free = r.d.Live[1][:0], 1
		day(r, rnd, q)
		require.Greater(t, r.figure("fills"), uint64(50), "seed %d", seed)
		require.Greater(t, r.figure("hedges"), uint64(20))
		require.Greater(t, r.figure("new_quotes"), uint64(50))
	}
}

func day(r *rig, rnd *rand.Rand, q Quote) {
	mid := fixed.Price(100_00)
	for range 3000 {
		r.d.Now += venue.Nanos(rnd.Int64N(int64(50 * venue.Millisecond)))
		mid += fixed.Price(rnd.IntN(9) - 4)
		r.touch(1, mid-1-fixed.Price(rnd.IntN(3)), mid+1+fixed.Price(rnd.IntN(3)))
		r.touch(2, mid-2, mid+2)
		if rnd.IntN(50) == 0 {
			r.lose(venue.Inst(1+rnd.IntN(2)), venue.SequenceGap)
		}
		for _, i := range []venue.Inst{1, 2} {
			for k := 0; k < len(r.d.Live[i]); k++ {
				o := &r.d.Orders[r.d.Live[i][k]]
				switch n := rnd.IntN(20); {
				case n == 0 && o.State != desk.Unknown && i == 1:
					o.State = desk.Unknown
				case n < 3 || i == 2:
					before := len(r.d.Live[i])
					r.fill(o, min(o.Qty-o.Filled, fixed.Qty(1+rnd.IntN(100))))
					k -= before - len(r.d.Live[i])
				case o.State == desk.Unknown && n < 10:
					o.State = desk.Open
				}
			}
		}
		checkIntents(r, q)
		r.obey()
		r.recycle()
	}
}

// recycle frees the slots of finished orders, so that a long day fits.
func (r *rig) recycle() {
	if int(r.free) < len(r.d.Orders)-16 {
		return
	}
	for i := range r.d.Orders {
		if o := &r.d.Orders[i]; o.State == desk.NoOrder || o.State.Done() {
			*o = desk.Order{}
		}
	}
	used := map[uint32]bool{}
	for _, l := range r.d.Live {
		for _, s := range l {
			used[s] = true
		}
	}
	for r.free = 1; used[r.free]; r.free++ {
	}
	require.Less(r.t, int(r.free), len(r.d.Orders)-16)
}

func checkIntents(r *rig, q Quote) {
	t := r.t
	carry := decimal.Zero
	ins := r.decide()
	fair, ok := micro(r.d.Books[1])
	one := decimal.NewFromInt(1)
	rate := func(x fixed.Rate) decimal.Decimal { return fixed.Decimal(x, 8) }
	m, e, h := rate(r.d.Instruments[1].Fees.Maker), rate(q.MinEdge), rate(r.d.Instruments[2].Fees.Taker)
	for i := range ins {
		in := &ins[i]
		if in.Op == venue.Cancel {
			o := r.find(in.Target)
			require.True(t, touchable(o), "a cancel of an order that is %s", o.State)
			continue
		}
		require.True(t, ok)
		f := decimal.NewFromInt(int64(fair)).Div(decimal.NewFromInt(25600))
		p := fixed.Decimal(in.Price, 2)
		b := r.d.Books[1]
		if in.Side == venue.Buy {
			require.True(t, p.Mul(one.Add(m)).LessThanOrEqual(f.Mul(one.Sub(e))), "bid %s at fair %s", p, f)
			w := r.d.Books[2].Take(venue.Sell, q.Qty)
			require.True(t, p.Mul(one.Add(m)).Mul(one.Add(e)).LessThanOrEqual(fixed.Decimal(w.Worst, 2).Mul(one.Sub(h))))
			require.Less(t, in.Price, b.Best(venue.Sell).Price)
			require.LessOrEqual(t, in.Price, b.Best(venue.Buy).Price+1)
		} else {
			require.True(t, p.Mul(one.Sub(m)).GreaterThanOrEqual(f.Mul(one.Add(e))), "ask %s at fair %s", p, f)
			w := r.d.Books[2].Take(venue.Buy, q.Qty)
			require.True(t, p.Mul(one.Sub(m)).GreaterThanOrEqual(fixed.Decimal(w.Worst, 2).Mul(one.Add(h)).Mul(one.Add(e))))
			require.Greater(t, in.Price, b.Best(venue.Buy).Price)
			require.GreaterOrEqual(t, in.Price, b.Best(venue.Sell).Price-1)
		}
		for _, s := range r.d.Live[1] {
			if o := &r.d.Orders[s]; o.Side != in.Side {
				require.Positive(t, int64(o.Price-in.Price)*in.Side.Sign(), "a quote meets our own order")
			}
		}
		if in.Op == venue.Amend {
			require.True(t, touchable(r.find(in.Target)))
		}
	}
	r.t.Helper()
	for _, side := range []venue.Side{venue.Buy, venue.Sell} {
		n := len(r.live(1, side))
		for i := range ins {
			if ins[i].Op == venue.New && ins[i].Side == side {
				n++
			}
		}
		require.LessOrEqual(t, n, q.Layers+cancelled(ins, side), "too many orders on the %s side", side)
	}
	for k := range r.d.Positions {
		carry = carry.Add(fixed.Decimal(r.d.Positions[k].Qty, 5))
	}
	require.True(t, carry.Equal(fixed.Decimal(r.s.quotes[0].carry, 5)), "carry %d; positions say %s", r.s.quotes[0].carry, carry)
}

func cancelled(ins []desk.Intent, side venue.Side) (n int) {
	for i := range ins {
		if ins[i].Op == venue.Cancel && ins[i].Side == side {
			n++
		}
	}
	return n
}
