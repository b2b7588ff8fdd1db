package risk

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// cross is a plan that buys at one venue and sells at another.
func cross(id uint64) *desk.Plan {
	p := &desk.Plan{ID: id, N: 2, Shape: desk.TwoVenue, MaxLoss: cash(10), Allowance: 10 * fixed.Bps,
		Legs: [desk.MaxLegs]desk.Intent{taker(buy(spotA), 100_010_00, 100), taker(sell(spotB), 100_000_00, 100)}}
	p.Legs[0].Role, p.Legs[1].Role = venue.RoleLeg, venue.RoleLeg
	return p
}

func (w *world) plan(p *desk.Plan) ([desk.MaxLegs]Approved, Verdict) {
	var out [desk.MaxLegs]Approved
	v := w.g.CheckPlan(p, w.d, out[:])
	for i := range out {
		want := venue.NoOp
		if v.Reason == venue.OK && i < int(p.N) {
			want = venue.New
		}
		require.Equal(w.t, want, out[i].Command().Op)
	}
	return out, v
}

// snapshot is everything that a refusal must leave as it was.
func (w *world) snapshot() any {
	type state struct {
		sums     [3]sums
		locks    []fixed.Cash
		slots    [2]slot
		products [2]productState
		orders   int64
		loss     fixed.Cash
		buckets  [4]venue.Nanos
	}
	g := w.g
	s := state{[3]sums{g.sums, g.venues[1].sums, g.venues[2].sums}, append(append([]fixed.Cash(nil), g.locks[1]...), g.locks[2]...),
		[2]slot{g.slots[spotA], g.slots[spotB]}, [2]productState{g.products[1], g.products[2]}, g.orders, g.plans.loss, [4]venue.Nanos{}}
	for i := range s.slots { // what is only computed once is no state
		c := &s.slots[i]
		c.tick, c.lot, c.value, c.valued, c.crossing = grid{}, grid{}, scale{}, 0, scale{}
		c.least, c.most, c.minNotional = 0, 0, 0
	}
	for i, b := range []*bucket{&g.venues[1].ordersRate, &g.venues[2].ordersRate, &g.venues[1].messagesRate, &g.strats[0].ordersRate} {
		s.buckets[i] = max(b.empty, w.d.Now-b.burst)
	}
	return s
}

func TestCheckPlan_reservesEveryLegOrNone(t *testing.T) {
	w := newWorld(t)
	before := w.snapshot()
	p := cross(1)
	p.Legs[1].Price = 100_000_01
	_, v := w.plan(p)
	require.Equal(t, Verdict{Reason: venue.BadTick, Rule: RuleTick, Leg: 1, Value: 100_000_01, Limit: 10, Headroom: 10}, v)
	require.Equal(t, before, w.snapshot())

	out, v := w.plan(cross(1))
	require.Equal(t, Verdict{}, v)
	require.EqualValues(t, 1, out[1].Command().Leg)
	require.EqualValues(t, 1, out[1].Command().Plan)
	s := &w.g.slots[spotA]
	require.EqualValues(t, 100, s.parts[0].qty)
	require.EqualValues(t, 100, -w.g.slots[spotB].parts[1].qty)
	require.EqualValues(t, cash(10), w.g.plans.loss)
	require.EqualValues(t, 1, s.orders)
	// the buy is bound at its price and the allowance beyond it, with the worst fee: 100,110.01 × 1.001 × 0.01
	require.EqualValues(t, 1_002_10120010, w.g.locks[1][usd])

	for l := range 2 {
		w.place(out[l].Command())
		w.g.Release(1, uint8(l), w.d)
		w.g.Release(1, uint8(l), w.d)
	}
	require.EqualValues(t, 100, s.parts[0].qty, "working now, not held twice")
	require.EqualValues(t, 1_001_10010000, w.g.locks[1][usd])
	w.g.EndPlan(1, w.d)
	require.Zero(t, w.g.plans.loss)
	require.EqualValues(t, 100, s.parts[0].qty)
	w.g.EndPlan(1, w.d)
	require.Zero(t, w.g.plans.loss, "ending twice gives nothing back twice")
}

func TestCheckPlan_worstCases(t *testing.T) {
	f(t, "max loss is missing", func(w *world) {
		p := cross(1)
		p.MaxLoss = 0
		_, v := w.plan(p)
		require.Equal(t, Verdict{Reason: venue.NoReference, Rule: RulePlan}, v)
	})
	f(t, "max loss of one plan", func(w *world) {
		p := cross(1)
		p.MaxLoss = cash(1000) + 1
		_, v := w.plan(p)
		require.Equal(t, Verdict{Reason: venue.PlanLimit, Rule: RulePlan, Value: int64(cash(1000)) + 1, Limit: int64(cash(1000)), Headroom: int64(cash(1000))}, v)
		p.MaxLoss--
		_, v = w.plan(p)
		require.Equal(t, Verdict{}, v)
	})
	f(t, "losses of open plans add to the day's", func(w *world) {
		for id := range uint64(2) {
			p := cross(id + 1)
			p.Legs[0].Price -= fixed.Price(10 * id)
			p.Legs[1].Price += fixed.Price(10 * id)
			_, v := w.plan(p)
			require.Equal(t, Verdict{}, v)
		}
		_, v := w.plan(cross(3))
		require.Equal(t, Verdict{Reason: venue.DailyLoss, Rule: RuleDailyLoss, Value: int64(cash(30)), Limit: int64(cash(29)), Headroom: int64(cash(9))}, v)
		w.g.EndPlan(1, w.d)
		w.step(1)
		_, v = w.plan(cross(3))
		require.Equal(t, Verdict{}, v)
	}, func(c *Config) { c.Global.MaxDailyLoss = cash(29) })
	f(t, "the same id twice", func(w *world) {
		w.plan(cross(1))
		_, v := w.plan(cross(1))
		require.Equal(t, Verdict{Reason: venue.DuplicateIntent, Rule: RuleDuplicate}, v)
	})
	f(t, "the second leg sees the first", func(w *world) {
		p := cross(1)
		p.Legs[1] = taker(buy(spotA), 100_010_10, 100)
		_, v := w.plan(p)
		require.Equal(t, Verdict{Reason: venue.PositionLimit, Rule: RulePosition, Leg: 1, Value: 200, Limit: 150, Headroom: 50}, v)
	}, at(func(l *InstrumentLimits) { l.MaxPosition = 150 }))
	f(t, "rate tokens of the playbook", func(w *world) {
		_, v := w.plan(cross(1))
		require.Equal(t, Verdict{Reason: venue.OrderRate, Rule: RuleVenueOrders, Leg: 1, Value: 4, Limit: 3, Headroom: 3}, v)
		require.EqualValues(t, 1000, w.g.venues[1].ordersRate.left(w.d.Now), "the first leg's are given back")
	}, func(c *Config) { c.Venues[2].Orders = Rate{N: 1, Per: venue.Second, Burst: 3} })
	f(t, "unused tokens return", func(w *world) {
		w.plan(cross(1))
		require.EqualValues(t, 996, w.g.venues[1].ordersRate.left(w.d.Now))
		w.g.EndPlan(1, w.d)
		require.EqualValues(t, 999, w.g.venues[1].ordersRate.left(w.d.Now))
		require.EqualValues(t, 998, w.g.strats[0].messagesRate.left(w.d.Now))
	})
	f(t, "no more plans than there is room for", func(w *world) {
		for id := range uint64(maxPlans) {
			p := cross(id + 1)
			p.MaxLoss = 1
			w.step(venue.Second)
			w.d.Books[spotA].Alive(w.d.Now)
			_, v := w.plan(p)
			require.Equal(t, Verdict{}, v)
		}
		_, v := w.plan(cross(1000))
		require.Equal(t, RulePlan, v.Rule)
		require.EqualValues(t, maxPlans, v.Limit)
	}, func(c *Config) {
		for _, i := range []venue.Inst{spotA, spotB} {
			c.Instruments[i].MaxOpen = 1000
		}
		c.Venues[1].MaxOpen, c.Venues[2].MaxOpen, c.Global.MaxOpen = 1000, 1000, 1000
	})
}

func TestPlan_playbookIsCovered(t *testing.T) {
	w := newWorld(t)
	out, v := w.plan(cross(1))
	require.Equal(t, Verdict{}, v)
	var o [2]*desk.Order
	for l := range 2 {
		o[l] = w.place(out[l].Command())
		w.g.Release(1, uint8(l), w.d)
	}
	// the buy fills, the sell finds nothing
	o[0].State, o[0].Filled = desk.Filled, 100
	w.d.Positions[spotA] = desk.Position{Qty: 100, Avg: 100_010_00}
	w.work(spotA)
	o[1].State = desk.Expired
	w.work(spotB)
	require.Zero(t, w.g.slots[spotB].parts[1].qty)
	w.report(o[1], venue.Expired, venue.Unfilled)
	require.EqualValues(t, -100, w.g.slots[spotB].parts[1].qty, "what is unfilled is held for the playbook")
	w.g.Release(1, 1, w.d)
	require.EqualValues(t, -100, w.g.slots[spotB].parts[1].qty, "a leg is released once")

	// everything that would stop a new order
	w.fails(o[0], 5)
	w.fails(o[1], 5)
	w.g.OnOperator(venue.OpReduceOnly, 0, w.d.Now)
	w.g.Room(venue.RingAudit, true)
	require.NotEqual(t, venue.OK, w.check(buy(spotA)).Reason)

	complete := with(taker(sell(spotB), 99_900_00, 100), func(in *desk.Intent) { in.Role, in.Plan, in.Leg = venue.RoleHedge, 1, 1 })
	beyond := complete
	beyond.Price -= 10
	w.refuses(beyond, RulePlan, venue.PlanLimit, 99_899_90, 99_900_00, 99_900_00)
	beyond = complete
	beyond.Qty = 110
	w.refuses(beyond, RulePlan, venue.PlanLimit, 110, 100, 100)
	w.passes(complete)
	require.EqualValues(t, 0, w.g.slots[spotB].holds[1].qty)
	h := w.place(w.out.Command())
	h.State, h.Filled = desk.Cancelled, 40
	w.d.Positions[spotB].Qty = -40
	w.work(spotB)
	w.report(h, venue.Cancelled, venue.Unfilled)
	require.EqualValues(t, -100, w.g.slots[spotB].parts[1].qty)

	unwind := with(taker(sell(spotA), 99_910_00, 60), func(in *desk.Intent) { in.Role, in.Plan = venue.RoleUnwind, 1 })
	w.passes(unwind)
	unwind.Price = 99_909_90
	w.refuses(unwind, RulePlan, venue.PlanLimit, 99_909_90, 99_909_99, 99_909_99)
	// what no reservation helps against
	w.d.Books[spotB].Invalidate(venue.SequenceGap)
	require.Equal(t, RuleBookState, w.check(complete).Rule)
	require.EqualValues(t, 60, w.g.slots[spotB].holds[1].qty, "a refusal keeps the reservation")
	w.g.OnOperator(venue.OpKill, 0, w.d.Now)
	require.Equal(t, RuleKill, w.check(complete).Rule)
	w.g.EndPlan(1, w.d)
	require.Zero(t, w.g.slots[spotB].holds[1])
}

func TestPlan_laterLegGoesThroughCheckAgain(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Instruments[spotB].MaxPosition = 100 })
	p := cross(1)
	p.Policy = desk.InTurn
	out, v := w.plan(p)
	require.Equal(t, Verdict{}, v)
	w.place(out[0].Command())
	w.g.Release(1, 0, w.d)
	// nobody else gets what the second leg needs
	w.refuses(priced(sell(spotB), 100_100_00, 20), RulePosition, venue.PositionLimit, 120, 100, 0)
	second := p.Legs[1]
	second.Qty = 70
	w.passes(second)
	w.place(w.out.Command())
	w.g.Release(1, 1, w.d)
	require.EqualValues(t, -70, w.g.slots[spotB].parts[1].qty)
}

// truth recomputes every sum from nothing.
func (w *world) truth() {
	fresh := build(w.cfg, w.d, &w.kill)
	for i := range fresh.slots {
		a, b := &fresh.slots[i], &w.g.slots[i]
		a.high, a.low, a.loss, a.holds = b.high, b.low, b.loss, b.holds
	}
	for i := 1; i < len(fresh.slots); i++ {
		fresh.Refresh(venue.Inst(i), w.d)
	}
	require.Equal(w.t, fresh.sums, w.g.sums)
	require.Equal(w.t, fresh.locks, w.g.locks)
	require.Equal(w.t, fresh.products, w.g.products)
	for i := range fresh.venues {
		require.Equal(w.t, fresh.venues[i].sums, w.g.venues[i].sums)
	}
	for i := range fresh.slots {
		require.Equal(w.t, fresh.slots[i].parts, w.g.slots[i].parts)
	}
}

// within demands that no limit is passed, counting all that may fill.
func (w *world) within() {
	g, l := w.g, &w.cfg.Global
	require.LessOrEqual(w.t, g.sums.gross, l.MaxGross)
	require.LessOrEqual(w.t, max(g.sums.val[0], -g.sums.val[1]), l.MaxNet)
	for i := range g.venues {
		v := &g.venues[i]
		require.LessOrEqual(w.t, v.sums.gross, v.maxGross)
		require.LessOrEqual(w.t, max(v.sums.val[0], -v.sums.val[1]), v.maxNet)
	}
	for i := range g.products {
		require.LessOrEqual(w.t, max(g.products[i].base[0], -g.products[i].base[1]), g.products[i].maxBase)
	}
	for i := range g.slots {
		s := &g.slots[i]
		require.LessOrEqual(w.t, max(s.parts[0].qty, -s.parts[1].qty), s.maxPos)
	}
	for v := range g.locks {
		for c := range g.locks[v] {
			require.LessOrEqual(w.t, g.locks[v][c], max(w.d.Balances[v][c], 0), "venue %d currency %d", v, c)
		}
	}
}

func TestSums_alwaysEqualTheTruthAndTheLimits(t *testing.T) {
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 7))
		w := newWorld(t, func(c *Config) {
			c.Global.MaxGross, c.Global.MaxNet = cash(9000), cash(5000)
			c.Venues[1].MaxGross, c.Venues[1].MaxNet = cash(5000), cash(4000)
			c.Venues[2].MaxGross, c.Venues[2].MaxNet = cash(6000), cash(3000)
			c.Products[1].MaxBase = 600
			for i := spotA; i <= no_; i++ {
				c.Instruments[i].MaxPosition, c.Instruments[i].MayShort = 400, false
			}
			c.Instruments[inv].MaxPosition = 200_000
		})
		w.d.Balances[1][usd], w.d.Balances[2][usdt], w.d.Balances[2][btc], w.d.Balances[1][btc] = cash(3000), cash(800), 400_000, 3_000_000
		approved, refused := 0, 0
		var orders []*desk.Order
		for n := range 4000 {
			w.d.Now += 2
			i := spotA + venue.Inst(r.IntN(6))
			in := buy(i)
			if r.IntN(2) == 0 {
				in = sell(i)
			}
			in.Qty = fixed.Qty(20 + 10*r.IntN(20))
			in.Price -= fixed.Price(10 * r.IntN(30) * int(in.Side.Sign()))
			if i == inv {
				in.Qty *= 200
			}
			if i >= yes {
				in.Type, in.Price = venue.PostOnly, fixed.Price(49-int64(in.Side.Sign())*int64(1+r.IntN(9)))
			}
			switch k := r.IntN(10); {
			case k < 6:
				if v := w.check(in); v.Reason == venue.OK {
					orders = append(orders, w.place(w.out.Command()))
					approved++
				} else {
					refused++
				}
				w.within()
			case k < 8 && len(orders) > 0:
				o := orders[r.IntN(len(orders))]
				if o.State.Done() {
					break
				}
				w.finish(r, o)
			case k == 8 && len(orders) > 0:
				o := orders[r.IntN(len(orders))]
				a := desk.Intent{Op: venue.Amend, Inst: o.Inst, Target: o.Client, Price: o.Price, Qty: o.Qty + fixed.Qty(10*r.IntN(5)*(1+199*int(b2i(o.Inst == inv))))}
				if !o.State.Done() && w.check(a).Reason == venue.OK {
					o.NextQty, o.State = a.Qty, desk.PendingAmend
					w.work(o.Inst)
					w.within()
				}
			case n%50 == 0:
				w.step(venue.Millisecond)
			}
			if n%100 == 0 {
				w.truth()
			}
		}
		w.truth()
		require.Greater(t, approved, 100)
		require.Greater(t, refused, 100)
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// finish fills part of an order at its price and ends it now and then, moving position and balances as a venue would.
func (w *world) finish(r *rand.Rand, o *desk.Order) {
	q := min(fixed.Qty(10*r.IntN(30)), o.Remaining())
	if o.State == desk.PendingAmend {
		o.Qty, o.NextQty, o.State = o.NextQty, 0, desk.Open
	}
	o.Filled += q
	p := &w.d.Positions[o.Inst]
	p.Qty += q * fixed.Qty(o.Side.Sign())
	p.Avg = 100_000_00
	in := w.d.Instruments[o.Inst]
	if in.Kind == venue.Spot {
		n, _ := in.Notional(o.Price, q, fixed.Up)
		fee, _ := in.Fees.Taker.Apply(n, fixed.Up)
		coin, _ := in.Coin(0, q, fixed.Down)
		w.d.Balances[o.Venue][in.Quote] -= n*fixed.Cash(o.Side.Sign()) + fee
		w.d.Balances[o.Venue][in.Base] += coin * fixed.Cash(o.Side.Sign())
	} else if in.Kind == venue.Binary {
		n, _ := in.Notional(o.Price, q, fixed.Up)
		if in.Complement {
			n -= fixed.Cash(q) * 10_000
		}
		fee, _ := in.Fees.Taker.Apply(max(n, -n), fixed.Up)
		w.d.Balances[o.Venue][in.Quote] -= n*fixed.Cash(o.Side.Sign()) + fee
	}
	if o.Remaining() == 0 || r.IntN(3) == 0 {
		o.State = desk.Cancelled
	}
	w.work(o.Inst)
	require.Equal(w.t, books.Live, w.d.Books[o.Inst].State())
}
