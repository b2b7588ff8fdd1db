package legs

import (
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// stage is a desk with two instruments and one plan at work: buy 100 of the first, sell 1000 of the second (ten to one).
type stage struct {
	t    *testing.T
	d    *desk.Desk
	r    *Runner
	out  *desk.Out
	slot uint32
}

func newStage(t *testing.T, edit func(*desk.Plan)) *stage {
	ins := []*venue.Instrument{nil,
		{Inst: 1, Venue: 1, Product: 1, Name: "a:X", Tick: 5, Lot: 10, Multiplier: fixed.One},
		{Inst: 2, Venue: 2, Product: 1, Name: "b:X", Tick: 5, Lot: 100, Multiplier: fixed.One}}
	s := &stage{t: t, d: desk.New(ins, 2, 1, 64, 1, books.Config{}), r: New(4), out: desk.NewOut(16, 4)}
	p := desk.Plan{ID: 9, Strategy: 3, Shape: desk.TwoVenue, N: 2, Allowance: 100 * fixed.Bps, Deadline: 1000}
	p.Legs[0] = desk.Intent{Op: venue.New, Side: venue.Buy, Inst: 1, Price: 10_000, Qty: 100, Plan: 9}
	p.Legs[1] = desk.Intent{Op: venue.New, Side: venue.Sell, Inst: 2, Price: 10_100, Qty: 1000, Plan: 9, Leg: 1}
	if edit != nil {
		edit(&p)
	}
	require.True(t, s.r.Start(&p))
	for i := range First(&p) {
		s.send(p.Legs[i].Inst, p.Legs[i].Side, uint8(i), venue.RoleLeg)
	}
	return s
}

// send puts an order of the plan to work.
func (s *stage) send(i venue.Inst, side venue.Side, leg uint8, role venue.Role) *desk.Order {
	s.slot++
	o := s.d.Order(s.slot)
	*o = desk.Order{State: desk.Open, Side: side, Inst: i, Slot: s.slot, Client: uint64(s.slot), Plan: 9, Leg: leg, Role: role}
	s.r.Sent(9, leg, s.slot)
	return o
}

// end ends the order of a leg after a fill.
func (s *stage) end(slot uint32, q fixed.Qty) {
	o := s.d.Order(slot)
	s.r.Fill(o, q)
	o.State = desk.Expired
}

// step returns what the playbook wants at an instant, and what it gave up.
func (s *stage) step(now venue.Nanos) ([]desk.Intent, []Naked, []uint64) {
	s.d.Now = now
	s.out.Reset()
	naked, ended := s.r.Step(s.d, s.out)
	return s.out.Intents(), naked, ended
}

func TestRunner_evenFillsEndThePlan(t *testing.T) {
	s := newStage(t, nil)
	ins, _, ended := s.step(1)
	require.Empty(t, ins)
	require.Empty(t, ended)
	s.end(1, 50)
	s.end(2, 500)
	ins, naked, ended := s.step(2)
	require.Empty(t, ins)
	require.Empty(t, naked)
	require.Equal(t, []uint64{9}, ended)
	require.Equal(t, 0, s.r.Active())
}

func TestRunner_completesTheShortLegWithinItsAllowance(t *testing.T) {
	s := newStage(t, nil)
	s.end(1, 100)
	s.end(2, 400)
	ins, _, ended := s.step(2)
	require.Empty(t, ended)
	require.Len(t, ins, 1)
	in := ins[0]
	require.Equal(t, venue.Sell, in.Side)
	require.Equal(t, venue.RoleHedge, in.Role)
	require.EqualValues(t, 2, in.Inst)
	require.EqualValues(t, 600, in.Qty)
	require.EqualValues(t, 10_000, in.Price, "1 %% below 10,100 is 9,999, rounded up to the tick")
	require.EqualValues(t, 9, in.Plan)
	s.send(2, venue.Sell, 1, venue.RoleHedge)
	ins, _, _ = s.step(3)
	require.Empty(t, ins, "one order of the playbook at a time")
	s.end(3, 600)
	_, naked, ended := s.step(4)
	require.Empty(t, naked)
	require.Equal(t, []uint64{9}, ended)
}

func TestRunner_unwindsTheExcess(t *testing.T) {
	s := newStage(t, func(p *desk.Plan) { p.OnFail = desk.Unwind })
	s.end(1, 100)
	s.end(2, 300)
	ins, _, _ := s.step(2)
	require.Len(t, ins, 1)
	require.Equal(t, venue.Sell, ins[0].Side)
	require.Equal(t, venue.RoleUnwind, ins[0].Role)
	require.EqualValues(t, 1, ins[0].Inst)
	require.EqualValues(t, 70, ins[0].Qty)
	require.EqualValues(t, 9_900, ins[0].Price)
	s.send(1, venue.Sell, 0, venue.RoleUnwind)
	s.end(3, 70)
	_, naked, ended := s.step(3)
	require.Empty(t, naked)
	require.Equal(t, []uint64{9}, ended)
}

func TestRunner_holdListsWhatIsNaked(t *testing.T) {
	s := newStage(t, func(p *desk.Plan) { p.OnFail = desk.Hold })
	s.end(1, 100)
	s.end(2, 0)
	ins, naked, ended := s.step(2)
	require.Empty(t, ins)
	require.Equal(t, []Naked{{9, 1, 100}}, naked)
	require.Equal(t, []uint64{9}, ended)
}

func TestRunner_neverActsWhileALegIsUnknown(t *testing.T) {
	s := newStage(t, nil)
	s.end(1, 100)
	s.d.Order(2).State = desk.Unknown
	ins, naked, ended := s.step(999)
	require.Empty(t, ins)
	require.Empty(t, naked)
	require.Empty(t, ended)
	ins, naked, ended = s.step(1001)
	require.Empty(t, ins, "the deadline does not resend")
	require.Equal(t, []Naked{{9, 1, 100}}, naked)
	require.Equal(t, []uint64{9}, ended)
}

func TestRunner_inTurnSendsTheNextLegForWhatFilled(t *testing.T) {
	s := newStage(t, func(p *desk.Plan) { p.Policy = desk.InTurn })
	s.end(1, 50)
	ins, _, _ := s.step(2)
	require.Len(t, ins, 1)
	require.Equal(t, venue.RoleLeg, ins[0].Role)
	require.EqualValues(t, 500, ins[0].Qty)
	require.EqualValues(t, 1, ins[0].Leg)
	s.send(2, venue.Sell, 1, venue.RoleLeg)
	s.end(2, 500)
	_, naked, ended := s.step(3)
	require.Empty(t, naked)
	require.Equal(t, []uint64{9}, ended)
}

func TestRunner_inTurnEndsWhenTheFirstLegFindsNothing(t *testing.T) {
	s := newStage(t, func(p *desk.Plan) { p.Policy = desk.InTurn })
	s.end(1, 0)
	ins, naked, ended := s.step(2)
	require.Empty(t, ins)
	require.Empty(t, naked)
	require.Equal(t, []uint64{9}, ended)
}

func TestRunner_givesUpAfterItsTries(t *testing.T) {
	s := newStage(t, nil)
	s.end(1, 100)
	s.end(2, 0)
	sent := 0
	for now := venue.Nanos(2); s.r.Active() > 0 && now < 100; now++ {
		ins, naked, _ := s.step(now)
		for _, in := range ins {
			sent++
			o := s.send(in.Inst, in.Side, in.Leg, in.Role)
			s.end(o.Slot, 0)
		}
		if s.r.Active() == 0 {
			require.Equal(t, []Naked{{9, 1, 100}}, naked)
		}
	}
	require.Equal(t, 0, s.r.Active())
	require.Equal(t, MaxTries, sent)
}

func TestRunner_hedgeRetriesAndNeverUnwindsWhatItHedges(t *testing.T) {
	s := newStage(t, func(p *desk.Plan) { p.Shape, p.N = desk.HedgeOnFill, 1 })
	s.end(1, 40)
	var left []Naked
	for now := venue.Nanos(2); s.r.Active() > 0 && now < 100; now++ {
		ins, naked, _ := s.step(now)
		left = append(left, naked...)
		for _, in := range ins {
			require.Equal(t, venue.RoleHedge, in.Role)
			require.Equal(t, venue.Buy, in.Side)
			require.EqualValues(t, 60, in.Qty)
			o := s.send(in.Inst, in.Side, in.Leg, in.Role)
			s.end(o.Slot, 0)
		}
	}
	require.Equal(t, 0, s.r.Active())
	require.Equal(t, []Naked{{9, 1, -60}}, left, "60 bought less than was sold")
}

func TestRunner_refusesAboveItsRoom(t *testing.T) {
	s := newStage(t, nil)
	for id := uint64(20); s.r.Room(); id++ {
		require.True(t, s.r.Start(&desk.Plan{ID: id, N: 1, Legs: [desk.MaxLegs]desk.Intent{{Inst: 1, Qty: 1}}}))
	}
	require.False(t, s.r.Start(&desk.Plan{ID: 99, N: 1}))
}
