package risk

import (
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/desk"
	"oneprice/books/venue"
)

// amendOf is an amend of a resting order to a larger one.
func amendOf(o *desk.Order) desk.Intent {
	return desk.Intent{Op: venue.Amend, Inst: o.Inst, Strategy: o.Strategy, Target: o.Client, Price: o.Price, Qty: o.Qty + 10}
}

func TestOperator_killOfAStrategyOrAVenueStopsItsOrdersAlone(t *testing.T) {
	f(t, "strategy", func(w *world) {
		o := w.rest(buy(spotA))
		w.g.OnStrategy(venue.OpKill, 0)
		w.refuses(buy(spotA), RuleKill, venue.Killed, 0, 0, 0)
		w.refuses(amendOf(o), RuleKill, venue.Killed, 0, 0, 0)
		require.True(t, w.g.Killed(1, 0))
		require.False(t, w.g.Killed(1, 1))
		require.True(t, w.kill.Blocks(&venue.Command{Op: venue.New, Venue: 1}))
		require.False(t, w.kill.Blocks(&venue.Command{Op: venue.New, Venue: 1, Strategy: 1}))
		w.passes(desk.Intent{Op: venue.Cancel, Inst: spotA, Target: o.Client})
		w.g.OnOperator(venue.OpLift, 0, w.d.Now)
		require.True(t, w.g.Killed(1, 0), "lifting everything lifts no strategy")
		w.g.OnStrategy(venue.OpLift, 0)
		w.passes(sell(spotA))
	})
	f(t, "venue", func(w *world) {
		o := w.rest(buy(spotA))
		w.g.OnOperator(venue.OpKill, 1, w.d.Now)
		w.refuses(amendOf(o), RuleKill, venue.Killed, 0, 0, 0)
		require.True(t, w.kill.Blocks(&venue.Command{Op: venue.Amend, Venue: 1}))
		require.False(t, w.kill.Blocks(&venue.Command{Op: venue.Amend, Venue: 2}))
		w.g.OnOperator(venue.OpLift, 1, w.d.Now)
		require.False(t, w.kill.Blocks(&venue.Command{Op: venue.Amend, Venue: 1}))
	})
}

func TestOperator_disarmsAndReducesOneStrategy(t *testing.T) {
	f(t, "disarm", func(w *world) {
		o := w.rest(buy(spotA))
		w.g.OnStrategy(venue.OpDisarm, 0)
		w.refuses(buy(spotA), RuleArmed, venue.NotArmed, 0, 0, 0)
		w.refuses(amendOf(o), RuleArmed, venue.NotArmed, 0, 0, 0)
		w.g.OnStrategy(venue.OpArm, 0)
		w.passes(amendOf(o))
	})
	f(t, "reduce-only", func(w *world) {
		w.g.OnStrategy(venue.OpReduceOnly, 0)
		w.refuses(buy(spotA), RuleReduceOnly, venue.ReduceOnlyMode, 100, 0, 0)
		w.hold(spotA, -100, 100_00)
		w.passes(buy(spotA))
	})
	f(t, "a strategy that is not there changes nothing", func(w *world) {
		w.g.OnStrategy(venue.OpKill, 77)
		w.passes(buy(spotA))
		require.False(t, w.g.Killed(1, 77))
	})
}

// What closes on an operator's word passes disarm; everything else of it is checked as ever.
func TestOperator_closingPassesDisarm(t *testing.T) {
	f(t, "disarmed", func(w *world) {
		w.g.OnOperator(venue.OpFlatten, 0, w.d.Now)
		in := sell(spotA)
		w.refuses(in, RuleArmed, venue.NotArmed, 0, 0, 0)
		w.hold(spotA, 100, 100_00)
		w.refuses(in, RuleArmed, venue.NotArmed, 0, 0, 0)
		in.Role, in.ReduceOnly = venue.RoleStop, true
		w.passes(in)
		in.Qty += 10
		w.refuses(in, RuleArmed, venue.NotArmed, 0, 0, 0)
	})
}

func TestStatus_saysWhatIsUsedOfEachLimit(t *testing.T) {
	w := newWorld(t)
	var s Status
	w.g.Status(&s, w.d)
	require.Zero(t, s.Gross.Used)
	require.EqualValues(t, w.cfg.Global.MaxGross, s.Gross.Limit)
	w.rest(buy(spotA))
	w.g.OnOperator(venue.OpKill, 2, w.d.Now)
	w.g.OnStrategy(venue.OpReduceOnly, 0)
	w.g.Status(&s, w.d)
	require.Positive(t, s.Gross.Used)
	require.Equal(t, Use{1, int64(w.cfg.Global.MaxOpen)}, s.Open)
	require.Equal(t, s.Gross.Used, s.Venues[1].Gross.Used)
	require.EqualValues(t, 100, s.Instruments[spotA].Position.Used)
	require.EqualValues(t, 1, s.OrdersDay.Used)
	require.Equal(t, []bool{false, false, true}, []bool{s.Killed, s.Venues[1].Killed, s.Venues[2].Killed})
	require.True(t, s.Strategies[0].ReduceOnly)
	var copied Status
	copied.Copy(&s)
	w.g.Status(&s, w.d)
	require.Equal(t, s, copied)
}
