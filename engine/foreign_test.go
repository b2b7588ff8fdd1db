package engine

import (
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/desk"
	"oneprice/books/venue"
	"oneprice/engine/audit"
	"oneprice/risk"
)

// working is a script with one resting buy of five at 999.
func working(t *testing.T) *script {
	s := newScript(t)
	s.run("book a:X seq 5 bid 1000@50 ask 1001@40\nbook b:X seq 5 bid 1000@50 ask 1001@40\nstep 1\nsay new buy a:X 999@5 post\nstep 2\nsent out #1 new\nreport ack #1\nstep 3\n")
	require.Equal(t, desk.Open, s.order("#1").State)
	return s
}

func TestStep_fillOfAnUnknownOrderAllowsReducingOnly(t *testing.T) {
	s := working(t)
	r := venue.Report{Kind: venue.Fill, Venue: 1, Inst: 1, Slot: 9, Client: 99, Fill: 1, Price: 999}
	require.True(t, r.SetRef([]byte("other")))
	s.batch.Reports = append(s.batch.Reports, r)
	s.run("say new buy a:X 998@5 post\nstep 4\n")
	require.Equal(t, []audit.Kind{audit.Reported, audit.Operator, audit.Decision}, kinds(s))
	require.Equal(t, venue.StrayOrder, s.out.Records[0].Reason)
	require.Equal(t, uint8(venue.OpReduceOnly), s.out.Records[1].Sub)
	require.Equal(t, venue.ReduceOnlyMode, s.out.Records[2].Reason, "the position is not what we think")
}

func TestStep_repetitionOfAFillWhoseSlotHasAnotherOrderIsADuplicate(t *testing.T) {
	s := working(t)
	s.run("report fill #1 999@5 id x1\nstep 4\n")
	r := venue.Report{Kind: venue.Fill, Venue: 1, Inst: 1, Slot: 9, Client: 99, Fill: 5, Price: 999}
	require.True(t, r.SetRef([]byte("x1")))
	s.batch.Reports = append(s.batch.Reports, r)
	s.run("step 5\n")
	require.Equal(t, []audit.Kind{audit.Reported}, kinds(s))
	require.Equal(t, venue.Duplicate, s.out.Records[0].Reason)
	require.EqualValues(t, 5, s.d.Position(1).Qty)
}

func TestStep_strategyCannotUseAPlansReservation(t *testing.T) {
	s := working(t)
	s.run("plan buy a:X 1001@5 / sell b:X 1000@5 in_turn\nstep 4\nroom audit full\nstep 5\n")
	s.say = append(s.say, desk.Intent{Op: venue.New, Type: venue.Limit, TIF: venue.IOC, Side: venue.Sell, Role: venue.RoleHedge, Inst: 2, Price: 1000, Qty: 5,
		Plan: 1, Leg: 1, BookSeq: 5, NotAfter: 1 << 62})
	s.run("step 6\n")
	require.Equal(t, []audit.Kind{audit.Decision}, kinds(s))
	require.Equal(t, uint8(risk.RuleRoom), s.out.Records[0].Rule, "with the plan's reservation it would pass a full audit")
	require.Empty(t, s.out.Commands)
}

func kinds(s *script) []audit.Kind {
	var out []audit.Kind
	for i := range s.out.Records {
		out = append(out, s.out.Records[i].Kind)
	}
	return out
}
