package stops

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

const (
	usd venue.Ccy = 1
	btc venue.Ccy = 2
)

// rig is a desk with spot, a linear perpetual with a multiplier, and an inverse perpetual, all Live at 1000 to 1001.
type rig struct {
	t   testing.TB
	d   *desk.Desk
	s   *Stops
	out *desk.Out
	seq uint64
}

func instruments() []*venue.Instrument {
	ins := []*venue.Instrument{nil,
		{Name: "a:BTC", Kind: venue.Spot, Multiplier: fixed.One, MinQty: 2, MinNotional: 5_00000000},
		{Name: "b:BTC", Kind: venue.Perpetual, Multiplier: fixed.One / 100, MinQty: 1},
		{Name: "c:BTC", Kind: venue.Perpetual, Contract: venue.Inverse, Face: 10_00000000, MinQty: 1},
	}
	for i, in := range ins[1:] {
		in.Inst, in.Venue, in.Product, in.Base, in.Quote, in.Settle = venue.Inst(i+1), venue.ID(i+1), 1, btc, usd, usd
		in.PriceScale, in.QtyScale, in.Tick, in.Lot, in.Status = 2, 3, 1, 1, venue.Trading
	}
	return ins
}

func newRig(t testing.TB, cfg ...Stop) *rig {
	ins := instruments()
	r := &rig{t: t, d: desk.New(ins, 3, 2, 8, usd, books.Config{}), out: desk.NewOut(64, 1)}
	terms := make([]Terms, len(ins))
	for i := range terms {
		terms[i] = Terms{Slip: 50 * fixed.Bps, MaxQty: 1e9, MaxNotional: fixed.Limit, MaxAge: venue.Second}
	}
	var err error
	r.s, err = New(cfg, terms, ins)
	require.NoError(t, err)
	r.d.FX[btc] = desk.FXRate{Bid: 999 * fixed.One, Ask: 1001 * fixed.One}
	r.d.Now = 1_800_000_000 * venue.Second
	return r
}

// touch makes a book Live with a touch.
func (r *rig) touch(i venue.Inst, bid, ask fixed.Price) {
	in := r.d.Instruments[i]
	r.seq++
	frame := make([]venue.Event, 3)
	frame[0].SetHead(in.Venue, i, venue.Snapshot, r.d.Now, r.d.Now, 0, 0, r.seq, venue.NoChecksum, 2)
	for k, p := range []fixed.Price{bid, ask} {
		e := &frame[k+1]
		e.Kind, e.Flags, e.N, e.Venue, e.Inst = venue.Levels, venue.Bids<<k, 1, in.Venue, i
		e.W[0], e.W[1] = int64(p), 1e9
	}
	frame[2].Flags |= venue.Last
	r.d.Books[i].Apply(frame)
	require.Equal(r.t, books.Live, r.d.Books[i].State(), "%s", r.d.Books[i].Why())
	r.d.Changed = append(r.d.Changed, i)
}

// turn is one drain; it returns the names of the guards that fired in it.
func (r *rig) turn() map[string]Said {
	r.d.Now += venue.Millisecond
	r.out.Reset()
	fired := map[string]Said{}
	for _, x := range r.s.Decide(r.d, r.out) {
		if x.Act == Fired {
			fired[r.s.Names()[x.Stop]] = x
		}
	}
	r.s.Taken()
	r.d.Changed = r.d.Changed[:0]
	return fired
}

// naive judges the same prices in decimals.
type naive struct {
	best map[string]decimal.Decimal
}

func dec(p fixed.Price) decimal.Decimal { return fixed.Decimal(p, 2) }

// beyond reports whether a guard of one instrument is at or beyond its level.
func (n *naive) beyond(name string, c *Stop, long, flat bool, bid, ask fixed.Price) bool {
	if flat {
		clear(n.best)
		return false
	}
	key, p := name+fmt.Sprint(long), dec(bid)
	if !long {
		p = dec(ask)
	}
	delete(n.best, name+fmt.Sprint(!long))
	if c.Kind == Level {
		return long == (c.Closes == venue.Buy) && (long && p.LessThanOrEqual(dec(c.Level)) || !long && p.GreaterThanOrEqual(dec(c.Level)))
	}
	best, seen := n.best[key]
	if !seen || long && p.GreaterThan(best) || !long && p.LessThan(best) {
		best = p
		n.best[key] = p
	}
	trail := fixed.Decimal(c.Trail, fixed.RateScale)
	if long {
		return p.LessThanOrEqual(best.Mul(decimal.NewFromInt(1).Sub(trail)))
	}
	return p.GreaterThanOrEqual(best.Mul(decimal.NewFromInt(1).Add(trail)))
}

// loss is the unrealised loss of a position in the reporting currency, exactly but for the division of an inverse contract.
func loss(in *venue.Instrument, p *desk.Position, bid, ask fixed.Price, fx desk.FXRate) decimal.Decimal {
	at := dec(bid)
	if p.Qty < 0 {
		at = dec(ask)
	}
	q := fixed.Decimal(p.Qty, in.QtyScale)
	if in.Contract == venue.Inverse {
		face := fixed.Decimal(in.Face, fixed.CashScale)
		coins := q.Mul(face).Mul(decimal.NewFromInt(1).DivRound(at, 30).Sub(decimal.NewFromInt(1).DivRound(dec(p.Avg), 30)))
		rate := fx.Ask
		if coins.Sign() < 0 {
			rate = fx.Bid
		}
		return coins.Mul(fixed.Decimal(rate, fixed.RateScale))
	}
	return q.Mul(dec(p.Avg).Sub(at)).Mul(fixed.Decimal(in.Multiplier, fixed.RateScale))
}

func TestStops_fireWhereANaiveModelInDecimalsDoes(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	fired := map[Kind]int{}
	for range 500 {
		i := venue.Inst(1 + rnd.IntN(3))
		all := []venue.Inst{1, 2, 3}
		cfg := []Stop{
			{Name: "trail", Kind: Trail, Insts: []venue.Inst{i}, Trail: fixed.Rate(1+rnd.IntN(100)) * fixed.Bps},
			{Name: "level", Kind: Level, Insts: []venue.Inst{i}, Level: fixed.Price(99_000 + rnd.IntN(2000)), Closes: venue.Buy + venue.Side(rnd.IntN(2))},
			{Name: "loss", Kind: Loss, Insts: all, MaxLoss: fixed.Cash(1 + rnd.Int64N(3*1e8))},
		}
		r := newRig(t, cfg...)
		n := &naive{best: map[string]decimal.Decimal{}}
		was := map[string]bool{}
		var bid, ask [4]fixed.Price
		for step := range 30 {
			for _, j := range all {
				if step == 0 || rnd.IntN(2) == 0 {
					bid[j] = fixed.Price(100_000 + rnd.IntN(1500) - 750)
					ask[j] = bid[j] + 1 + fixed.Price(rnd.IntN(20))
					r.touch(j, bid[j], ask[j])
				}
				if step == 0 || rnd.IntN(8) == 0 {
					r.d.Positions[j] = desk.Position{Qty: fixed.Qty(rnd.IntN(7)-3) * 100, Avg: fixed.Price(100_000 + rnd.IntN(200) - 100)}
					if rnd.IntN(4) == 0 {
						r.d.Positions[j] = desk.Position{}
					}
					r.d.Changed = append(r.d.Changed, j)
				}
			}
			got := r.turn()
			q := r.d.Positions[i].Qty
			for k := range cfg[:2] {
				c := &cfg[k]
				want := n.beyond(c.Name, c, q > 0, q == 0, bid[i], ask[i]) && !was[c.Name]
				_, did := got[c.Name]
				require.Equal(t, want, did, "%+v step %d: position %d, bid %d, ask %d, best %v", c, step, q, bid[i], ask[i], n.best)
				if did {
					was[c.Name], fired[c.Kind] = true, fired[c.Kind]+1
				}
			}
			sum := decimal.Zero
			for _, j := range all {
				if p := &r.d.Positions[j]; p.Qty != 0 {
					sum = sum.Add(loss(r.d.Instruments[j], p, bid[j], ask[j], r.d.FX[btc]))
				}
			}
			x, did := got["loss"]
			limit, unit := fixed.Decimal(cfg[2].MaxLoss, fixed.CashScale), decimal.New(1, -4) // coins are rounded before they are valued
			if !was["loss"] && sum.GreaterThanOrEqual(limit) {
				require.True(t, did, "a loss of %s of %s does not fire", sum, limit)
			}
			if did {
				require.False(t, was["loss"], "it fires once")
				require.True(t, sum.Add(unit).GreaterThanOrEqual(limit), "%s of %s", sum, limit)
				require.True(t, fixed.Decimal(x.Loss, fixed.CashScale).Sub(sum).Abs().LessThan(unit), "said %d, is %s", x.Loss, sum)
				was["loss"] = true
				fired[Loss]++
			}
		}
	}
	require.Greater(t, min(fired[Trail], fired[Level], fired[Loss]), 100, "%v", fired)
}

func TestStops_lookCostsNoAllocation(t *testing.T) {
	r := newRig(t, Stop{Name: "trail", Kind: Trail, Insts: []venue.Inst{1}, Trail: 500 * fixed.Bps}, Stop{Name: "loss", Kind: Loss, Insts: []venue.Inst{1, 2}, MaxLoss: 1e8},
		Stop{Name: "level", Kind: Level, Insts: []venue.Inst{1}, Closes: venue.Buy, Level: 90_000})
	r.touch(1, 100_000, 100_001)
	r.touch(2, 100_000, 100_001)
	r.d.Positions[1], r.d.Positions[2] = desk.Position{Qty: 100, Avg: 100_000}, desk.Position{Qty: -100, Avg: 100_000}
	r.turn()
	r.d.Changed = append(r.d.Changed[:0], 1, 2)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		r.out.Reset()
		r.s.Decide(r.d, r.out)
		r.s.Taken()
	}))
	r.touch(1, 89_000, 89_001) // all of them fire; orders are asked for again and again
	r.turn()
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		r.d.Now += 10 * venue.Second
		r.out.Reset()
		r.s.Decide(r.d, r.out)
		r.s.Taken()
	}))
	require.Equal(t, 2, r.s.AtWork())
}

func TestStops_orderKeepsWithinWhatTheGateTakes(t *testing.T) {
	f := func(maxQty fixed.Qty, maxNotional fixed.Cash, pos, want fixed.Qty, price fixed.Price) {
		r := newRig(t, Stop{Name: "level", Kind: Level, Insts: []venue.Inst{1}, Closes: venue.Buy, Level: 100_000}, Stop{Name: "roof", Kind: Level, Insts: []venue.Inst{1}, Closes: venue.Sell, Level: 100_000})
		r.s.terms[1].MaxQty, r.s.terms[1].MaxNotional = maxQty, maxNotional
		r.d.Positions[1].Qty = pos
		r.touch(1, 100_000, 100_001)
		require.Len(t, r.turn(), 1)
		if want == 0 {
			require.Empty(t, r.out.Intents())
			require.EqualValues(t, 1, r.s.Counters().Left)
			return
		}
		require.Len(t, r.out.Intents(), 1)
		in := r.out.Intents()[0]
		require.Equal(t, want, in.Qty)
		require.Equal(t, price, in.Price)
		require.True(t, in.ReduceOnly)
		require.Equal(t, venue.RoleStop, in.Role)
	}
	f(1e9, fixed.Limit, 100, 100, 99_500)   // the touch less the slippage limit
	f(1e9, fixed.Limit, -100, 100, 100_501) // rounded to the tick within it
	f(70, fixed.Limit, 100, 50, 99_500)     // two halves, not 70 and a rest
	f(70, fixed.Limit, 200, 70, 99_500)
	f(1e9, 30_00000000, 100, 30, 99_500) // 30 units of 0.001 at 995.00 are 29.85
	f(1e9, fixed.Limit, 1, 0, 0)         // below the least quantity
	f(1e9, fixed.Limit, 5, 0, 0)         // 0.005 at 995.00 is below the least notional of 5
}

func TestNew_namesEveryFault(t *testing.T) {
	ins := instruments()
	f := func(s Stop, want string) {
		s.Name = "x"
		_, err := New([]Stop{s}, make([]Terms, len(ins)), ins)
		require.ErrorContains(t, err, want)
	}
	f(Stop{Kind: Loss}, "guards 0 instruments")
	f(Stop{Kind: Loss, Insts: []venue.Inst{9}, MaxLoss: 1}, "no instrument 9")
	f(Stop{Kind: Loss, Insts: []venue.Inst{1}}, "loss must be above 0")
	f(Stop{Kind: Level, Insts: []venue.Inst{1}, Closes: venue.Buy}, "level must be above 0")
	f(Stop{Kind: Level, Insts: []venue.Inst{1}, Level: 5}, "long or a short")
	f(Stop{Kind: Level, Insts: []venue.Inst{1}, Level: 5, Limit: 6, Closes: venue.Buy}, "before its level")
	f(Stop{Kind: Level, Insts: []venue.Inst{1}, Level: 5, Limit: 4, Closes: venue.Sell}, "before its level")
	f(Stop{Kind: Trail, Insts: []venue.Inst{1}, Trail: fixed.One}, "between 0")
	f(Stop{Insts: []venue.Inst{1}}, "no kind")
	ins[1].Tick = 10
	f(Stop{Kind: Level, Insts: []venue.Inst{1}, Level: 25, Closes: venue.Buy}, "0.25 is no multiple of the tick 0.1 of a:BTC")
	ins[1].Name = string(make([]byte, 57))
	f(Stop{Kind: Loss, Insts: []venue.Inst{1}, MaxLoss: 1}, "57 bytes")
}

func TestRestore_scalesMayHaveGrown(t *testing.T) {
	stop := Stop{Name: "trail", Kind: Trail, Insts: []venue.Inst{1}, Trail: 100 * fixed.Bps}
	r := newRig(t, stop)
	require.NoError(t, r.s.Restore([]Keep{{Name: "stop:trail", Text: "armed", Value: 10_000, Scale: 1}, {Name: "stop:gone", Text: "fired"}}, r.d))
	require.EqualValues(t, 99_000, r.s.guards[0].trip)
	require.Error(t, r.s.Restore([]Keep{{Name: "close:z:BTC", Text: "trail", Value: 5, Scale: 3}}, r.d), "nobody could close it")
	require.NoError(t, r.s.Restore([]Keep{{Name: "close:a:BTC", Text: "trail", Value: 5, Scale: 2}}, r.d))
	require.EqualValues(t, 50, r.s.closers[1].left)
	require.Zero(t, r.s.Armed(), "a kill came between the closer and its guard")
	require.True(t, r.s.Stopped(1))
}

// BenchmarkDecide_touch is a drain in which one book changed that three guards watch, and none fires.
func BenchmarkDecide_touch(b *testing.B) {
	r := newRig(b, Stop{Name: "trail", Kind: Trail, Insts: []venue.Inst{1}, Trail: 500 * fixed.Bps}, Stop{Name: "loss", Kind: Loss, Insts: []venue.Inst{1, 2, 3}, MaxLoss: 1e12},
		Stop{Name: "level", Kind: Level, Insts: []venue.Inst{1}, Closes: venue.Buy, Level: 90_000})
	for i := venue.Inst(1); i <= 3; i++ {
		r.touch(i, 100_000, 100_001)
		r.d.Positions[i] = desk.Position{Qty: 100, Avg: 100_000}
	}
	r.turn()
	r.d.Changed = append(r.d.Changed[:0], 1)
	b.ReportAllocs()
	for b.Loop() {
		r.out.Reset()
		r.s.Decide(r.d, r.out)
		r.s.Taken()
	}
}
