package engine

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/engine/audit"
)

// commands puts an operator's command into the next step.
func (s *script) commands(k venue.OpKind, v venue.ID, strategy, who uint16, request uint64) {
	var e venue.Event
	e.SetOperator(k, v, who, 0)
	e.SetStrategy(strategy)
	e.SetRequest(request)
	s.batch.Events = append(s.batch.Events, e)
}

func TestOperator_killOfAStrategyCancelsItsOrdersAndIsSaidApplied(t *testing.T) {
	s := working(t)
	s.commands(venue.OpKill, 0, 1, 3, 7)
	var e venue.Event
	require.Empty(t, e.SetNote([]byte("anna: it misprices"), 3, 0))
	s.batch.Events = append(s.batch.Events, e)
	s.run("say new buy a:X 998@5 post\nstep 4\n")
	require.Equal(t, []audit.Kind{audit.Operator, audit.Decision, audit.Order, audit.Operator, audit.Decision}, kinds(s))
	require.Equal(t, "anna: it misprices", string(s.out.Records[3].RefBytes()))
	require.Equal(t, []any{uint16(1), uint16(3), uint8(venue.OpKill)}, []any{s.out.Records[0].Strategy, s.out.Records[0].Operator, s.out.Records[0].Sub})
	require.Equal(t, venue.Cancel, s.out.Commands[0].Op)
	require.Len(t, s.out.Commands, 1)
	require.Equal(t, venue.Killed, s.out.Records[4].Reason)
	require.True(t, s.kill.Blocks(&venue.Command{Op: venue.New, Strategy: 1}))
	var st OperatorStatus
	s.e.operatorStatus(&st)
	require.EqualValues(t, 7, st.Applied)
	require.True(t, st.Risk.Strategies[1].Killed)
	s.commands(venue.OpLift, 0, 1, 3, 8)
	s.run("sent out #1 cancel\nreport cancelled #1\nstep 5\nsay new buy a:X 998@5 post\nstep 6\n")
	require.Len(t, s.out.Commands, 1)
}

// Every order names who answers for it: who started the run, and who armed its strategy since.
func TestOperator_ordersNameWhoAnswersForThem(t *testing.T) {
	s := working(t)
	require.Zero(t, s.d.Order(s.slots[0]).Flags)
	for _, c := range []struct{ strategy, who, want uint16 }{{0, 4, 4}, {1, 5, 5}, {2, 6, 5}, {0, 0, 5}} {
		s.commands(venue.OpArm, 0, c.strategy, c.who, 0)
		s.run(fmt.Sprintf("say new buy a:X %d@5 post\nstep %s\n", 990-c.who, s.next()))
		require.Equal(t, c.want, s.out.Commands[0].Operator)
		require.EqualValues(t, 77, s.out.Commands[0].Config)
		require.EqualValues(t, 1, s.out.Commands[0].Strategy)
		last := s.out.Records[len(s.out.Records)-1]
		require.Equal(t, []any{audit.Order, c.want, uint64(77), uint16(1)}, []any{last.Kind, last.Operator, last.Config, last.Strategy})
	}
}

// holds books a position, as an earlier trade would.
func (s *script) holds(i venue.Inst, q fixed.Qty) {
	r := venue.Report{Kind: venue.Fill, Venue: s.d.Instruments[i].Venue, Inst: i, FeeCcy: ccyUSD, Price: 1000, Fill: max(q, -q)}
	r.SetRef(fmt.Appendf(nil, "held %d %d", i, s.d.Now))
	side := venue.Buy
	if q < 0 {
		side = venue.Sell
	}
	require.Equal(s.t, venue.OK, s.e.ledger.Fill(&r, side))
	s.e.gate.Refresh(i, s.d)
}

// What leaves for a venue is what was approved and recorded, field by field: new orders, amends and cancels alike.
func TestOperator_whatLeavesIsWhatWasApproved(t *testing.T) {
	s := working(t)
	s.e.answers(9, 0)
	s.say = append(s.say, desk.Intent{Op: venue.New, Type: venue.Limit, TIF: venue.GTC, Side: venue.Sell, Role: venue.RoleQuote, Inst: 2, Price: 1002, Qty: 4, NotAfter: 1 << 62},
		desk.Intent{Op: venue.Amend, Role: venue.RoleQuote, Inst: 1, Target: s.order("#1").Client, Price: 998, Qty: 6, NotAfter: 1 << 62})
	asked := append([]desk.Intent(nil), s.say...)
	s.run("step 4\n")
	require.Len(t, s.out.Commands, len(asked))
	for i, c := range s.out.Commands {
		decision, order := s.out.Records[2*i], s.out.Records[2*i+1]
		require.Equal(t, []any{audit.Decision, venue.OK, audit.Order}, []any{decision.Kind, decision.Reason, order.Kind})
		for _, x := range []struct {
			op       venue.Op
			inst     venue.Inst
			price    fixed.Price
			qty      fixed.Qty
			target   uint64
			strategy uint16
		}{{asked[i].Op, asked[i].Inst, asked[i].Price, asked[i].Qty, asked[i].Target, 1}, {decision.Op, decision.Inst, decision.Price, decision.Qty, decision.Target, decision.Strategy},
			{order.Op, order.Inst, order.Price, order.Qty, order.Target, order.Strategy}} {
			require.Equal(t, []any{x.op, x.inst, x.price, x.qty, x.target, x.strategy}, []any{c.Op, c.Inst, c.Price, c.Qty, c.Target, c.Strategy})
		}
		require.Equal(t, []any{order.Client, order.Operator, order.Config}, []any{c.Client, c.Operator, c.Config})
		require.Equal(t, []any{uint16(9), uint64(77)}, []any{c.Operator, c.Config}, "attributed to who answers for it, and to the config")
	}
}

// market answers the commands of a script as a venue might, late and in every way that it can.
type market struct {
	n   int // steps
	s   *script
	rnd *rand.Rand
	due [][]venue.Report // by step from the next one on
	seq int
}

// later tells a report n steps from now.
func (m *market) later(n int, r venue.Report) {
	for len(m.due) <= n {
		m.due = append(m.due, nil)
	}
	m.due[n] = append(m.due[n], r)
}

func (m *market) of(c *venue.Command, k venue.ReportKind) venue.Report {
	r := venue.Report{Kind: k, Venue: c.Venue, Inst: c.Inst, Slot: c.Slot, Client: c.Client, FeeCcy: ccyUSD, Price: c.Price, Open: c.Qty}
	if c.Op == venue.Cancel {
		r.Client = c.Target
	}
	return r
}

// ends fills q of an order n steps from now, and ends it a step later.
func (m *market) ends(n int, c *venue.Command, q fixed.Qty) {
	if q > 0 {
		r := m.of(c, venue.Fill)
		r.Fill, r.Cum = q, q
		m.seq++
		r.SetRef(fmt.Appendf(nil, "t%d", m.seq))
		m.later(n, r)
	}
	end := m.of(c, venue.Expired)
	end.Reason, end.Cum = venue.Unfilled, q
	m.later(n+1, end)
}

func (m *market) takes(c *venue.Command) {
	sent := m.of(c, venue.SentReport)
	sent.Flags, sent.Seq = uint8(venue.Out), uint64(c.Op)
	soon := m.rnd.IntN(4)
	if c.Op == venue.Cancel {
		m.later(4, m.of(c, venue.Cancelled))
	} else {
		part := 1 + fixed.Qty(m.rnd.Int64N(int64(c.Qty)))
		switch m.rnd.IntN(6) {
		case 0:
			sent.Flags = uint8(venue.NotSent)
		case 1:
			r := m.of(c, venue.RejectedReport)
			r.Reason = venue.InsufficientFunds
			m.later(soon, r)
		case 2: // unknown, and found filled in part much later
			sent.Flags = uint8(venue.Maybe)
			m.ends(38, c, part)
		case 3:
			m.ends(soon, c, 0)
		default:
			m.ends(soon, c, part)
		}
	}
	m.s.batch.Reports = append(m.s.batch.Reports, sent)
}

// step lets time pass. Breakers that all of that has opened are reset, as the operator would have to.
func (m *market) step(past venue.Nanos) {
	s := m.s
	m.n++
	if m.n%100 == 0 {
		s.commands(venue.OpBreakerReset, 0, 0, 2, 0)
	}
	if len(m.due) > 0 {
		s.batch.Reports = append(s.batch.Reports, m.due[0]...)
		m.due = m.due[1:]
	}
	s.batch.Now = s.d.Now + past
	for i := 1; i < len(s.d.Books); i++ {
		var e venue.Event
		e.SetAlive(s.d.Instruments[i].Venue, venue.Inst(i), s.batch.Now, 0)
		s.batch.Events = append(s.batch.Events, e)
	}
	s.e.Step(&s.batch, &s.out)
	s.batch = Batch{}
	for i := range s.out.Commands {
		m.takes(&s.out.Commands[i])
	}
}

// Whatever the venue makes of its orders, flattening ends flat, never beyond, and cancels first.
func TestOperator_flattenNeverCrossesZeroAndEndsFlat(t *testing.T) {
	for seed := range uint64(60) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		s := working(t)
		m := &market{s: s, rnd: rnd}
		start := [3]fixed.Qty{0, fixed.Qty(1 + rnd.Int64N(300)), -fixed.Qty(1 + rnd.Int64N(300))}
		s.holds(1, start[1])
		s.holds(2, start[2])
		s.commands(venue.OpFlatten, 0, 0, 2, 1)
		m.step(venue.Millisecond)
		require.Equal(t, venue.Cancel, s.out.Commands[0].Op, "what works is cancelled first")
		var st OperatorStatus
		for n := 0; ; n++ {
			require.Less(t, n, 40_000, "seed %d: %+v", seed, st.Closing)
			m.step(20 * venue.Millisecond)
			s.say = append(s.say, desk.Intent{Op: venue.New, Type: venue.Limit, TIF: venue.IOC, Side: venue.Buy, Role: venue.RoleTake, Inst: 1, Price: 1001, Qty: 3, NotAfter: 1 << 62})
			for i := 1; i <= 2; i++ {
				q := s.d.Positions[i].Qty
				require.True(t, q == 0 || (q > 0) == (start[i] > 0) && max(q, -q) <= max(start[i], -start[i]), "seed %d: %d from %d", seed, q, start[i])
			}
			s.e.operatorStatus(&st)
			if !st.Closing[0].AtWork && !st.Closing[1].AtWork && n > 100 {
				break
			}
		}
		require.Zero(t, s.d.Positions[1].Qty)
		require.Zero(t, s.d.Positions[2].Qty)
		require.True(t, st.Risk.Disarmed, "nothing trades until it is armed")
		require.Empty(t, s.d.Live[1])
		s.commands(venue.OpArm, 0, 0, 2, 2)
		m.step(venue.Millisecond)
		s.e.operatorStatus(&st)
		require.Empty(t, st.Closing)
	}
}

func TestOperator_flattenSaysWhatKeepsIt(t *testing.T) {
	s := working(t)
	m := &market{s: s, rnd: rand.New(rand.NewPCG(1, 1))}
	s.d.Instruments[2].MinQty = 10
	s.holds(2, -5)
	s.commands(venue.OpKill, 1, 0, 2, 1)
	m.step(venue.Millisecond)
	s.holds(1, 50)
	s.commands(venue.OpFlatten, 0, 0, 2, 2)
	for range 100 {
		m.step(20 * venue.Millisecond)
	}
	var st OperatorStatus
	s.e.operatorStatus(&st)
	require.Equal(t, Closing{Inst: 1, Qty: 50, AtWork: true, Why: venue.Killed}, st.Closing[0])
	require.Equal(t, Closing{Inst: 2, Qty: -5}, st.Closing[1], "what is too little for the venue cannot be closed")
	s.commands(venue.OpLift, 1, 0, 2, 3)
	for range 2000 {
		m.step(20 * venue.Millisecond)
	}
	s.e.operatorStatus(&st)
	require.Equal(t, Closing{Inst: 1}, st.Closing[0], "it goes on once that is over")

	// A fill that comes late is closed too.
	s.holds(1, 7)
	for range 2000 {
		m.step(20 * venue.Millisecond)
	}
	require.Zero(t, s.d.Positions[1].Qty)
}
