package engine

import (
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/desk"
	"oneprice/books/venue"
	"oneprice/engine/audit"
	"oneprice/engine/orders"
)

// hears steps once with reports of kind about an id that the gateway of venue 1 has in no slot.
func (s *script) hears(client uint64, kinds ...venue.ReportKind) {
	for _, k := range kinds {
		s.batch.Reports = append(s.batch.Reports, venue.Report{Kind: k, Flags: venue.Recovered, Venue: 1, Inst: 1, Client: client, Price: 999, Open: 5})
	}
	s.step(s.d.Now+venue.Millisecond, &s.log)
}

// ended requires that the last step asked for the end of one stray, on record before its command.
func ended(t *testing.T, s *script, client uint64) {
	require.Len(t, s.out.Commands, 1)
	c := s.out.Commands[0]
	require.Equal(t, venue.Command{Op: venue.Cancel, Venue: 1, Inst: 1, Target: client, Client: c.Client, Decided: s.d.Now, NotAfter: c.NotAfter, Config: 77}, c)
	require.True(t, s.e.Orders().Gave(c.Client))
	require.Equal(t, venue.StrayOrder, s.out.Records[0].Reason)
	r := s.out.Records[1]
	require.Equal(t, []any{audit.Order, venue.StrayOrder, venue.Cancel, client, c.Client}, []any{r.Kind, r.Reason, r.Op, r.Target, r.Client})
}

func TestStep_strayIsCancelledOnce(t *testing.T) {
	for name, id := range map[string]uint64{
		"of an earlier run": orders.ID(0, 99), "of a later run": orders.ID(2, 1), "never given": orders.ID(1, 1000), "of sequence 0": orders.ID(1, 0),
	} {
		for _, kind := range []venue.ReportKind{venue.Ack, venue.Amended} {
			t.Run(name+" "+kind.String(), func(t *testing.T) {
				s := working(t)
				s.hears(id, kind, venue.Ack, venue.Amended)
				require.Equal(t, []audit.Kind{audit.Reported, audit.Order, audit.Reported, audit.Reported}, kinds(s))
				ended(t, s, id)
				s.hears(id, venue.Ack)
				require.Empty(t, s.out.Commands)
				s.hears(id, venue.Cancelled)
				require.Equal(t, venue.StrayOrder, s.out.Records[0].Reason)
				require.Empty(t, s.out.Commands)
				require.EqualValues(t, 1, s.e.Counters().Strays)
				require.Equal(t, desk.Open, s.order("#1").State, "our own order has nothing to do with it")
			})
		}
	}
}

func TestStep_strayWhoseCancelDidNotLeaveIsCancelledAtItsNextWord(t *testing.T) {
	s, id := working(t), orders.ID(0, 99)
	s.hears(id, venue.Ack)
	ended(t, s, id)
	s.batch.Reports = append(s.batch.Reports, venue.Report{Kind: venue.SentReport, Flags: uint8(venue.NotSent), Seq: uint64(venue.Cancel), Venue: 1, Inst: 1, Client: id})
	s.step(s.d.Now+1, &s.log)
	require.Empty(t, s.out.Commands, "nothing is resent by itself")
	s.hears(id, venue.Ack)
	ended(t, s, id)
}

func TestStep_memoryOfStraysIsBounded(t *testing.T) {
	s := working(t)
	n := uint64(len(s.e.strays.ids))
	for id := range n + 1 {
		s.hears(orders.ID(0, id+1), venue.Ack)
		require.Len(t, s.out.Commands, 1)
	}
	s.hears(orders.ID(0, n), venue.Ack)
	require.Empty(t, s.out.Commands)
	s.hears(orders.ID(0, 1), venue.Ack)
	ended(t, s, orders.ID(0, 1))
}

func TestStep_lateWordOfAnOrderThatEndedHereIsNoStray(t *testing.T) {
	s := working(t)
	first := s.order("#1").Client
	slot := s.order("#1").Slot
	for n := 0; s.d.Order(slot).Client == first; n++ { // until its slot has another order
		require.Less(t, n, 100)
		s.run("say new buy a:X 998@5 ioc\nstep " + s.next() + "\n")
		c := s.out.Commands[0]
		s.batch.Reports = append(s.batch.Reports,
			venue.Report{Kind: venue.Expired, Venue: 1, Inst: 1, Slot: c.Slot, Client: c.Client}, venue.Report{Kind: venue.Cancelled, Venue: 1, Inst: 1, Slot: slot, Client: first})
		s.run("step " + s.next() + "\n")
	}
	s.hears(first, venue.Ack, venue.Amended)
	require.Equal(t, []audit.Kind{audit.Reported, audit.Reported}, kinds(s))
	require.Equal(t, venue.UnknownTarget, s.out.Records[0].Reason)
	require.Empty(t, s.out.Commands)
	require.Zero(t, s.e.Counters().Strays)
}

func TestStep_adoptedOrderIsNoStray(t *testing.T) {
	s := newScript(t)
	old := desk.Order{State: desk.Unknown, Side: venue.Buy, Venue: 1, Inst: 1, Slot: 3, Client: orders.ID(0, 7), NextClient: orders.ID(0, 8), Price: 999, Qty: 5}
	require.NoError(t, s.e.Adopt([]desk.Order{old}))
	s.run("step 1\n")
	s.hears(old.Client, venue.Ack)
	require.Empty(t, s.out.Commands)
	s.hears(old.NextClient, venue.Ack)
	require.Empty(t, s.out.Commands)
	s.hears(orders.ID(0, 9), venue.Ack)
	ended(t, s, orders.ID(0, 9))
}

func TestStep_foreignOrderIsLeftAlone(t *testing.T) {
	s := working(t)
	s.hears(0, venue.Ack, venue.Amended, venue.Cancelled)
	require.Equal(t, []audit.Kind{audit.Reported, audit.Reported, audit.Reported}, kinds(s))
	for i := range s.out.Records {
		require.Equal(t, venue.ForeignOrder, s.out.Records[i].Reason)
	}
	require.Empty(t, s.out.Commands)
	require.EqualValues(t, 3, s.e.Counters().Foreign)
}

func TestLoop_cancelOfAStrayLeavesThroughTheGatewayOfItsVenue(t *testing.T) {
	seen := &due{}
	r := newRig(t, func(c *LoopConfig) { c.Sources = []Source{seen} })
	r.quote()
	seen.at = r.clock.now + 1
	seen.r = venue.Report{Kind: venue.Ack, Flags: venue.Recovered, Venue: 1, Inst: 1, Client: orders.ID(0, 5), Price: 998, Open: 5}
	r.put(words("delta", "a:X", "first", "7", "seq", "7", "bid", "1000@52"))
	for r.turn() {
	}
	require.Len(t, r.gate.got, 2)
	require.Equal(t, []any{venue.Cancel, orders.ID(0, 5), uint32(0)}, []any{r.gate.got[1].Op, r.gate.got[1].Target, r.gate.got[1].Slot})
}

// A venue that states totals, and is asked for the last minutes, repeats the fills of orders that have made room for others:
// they are known, and no reason to trust no position any more.
func TestStep_repeatedTotalOfAnOrderThatMadeRoomIsKnown(t *testing.T) {
	s := working(t)
	s.run("say new buy a:X 998@5 ioc\nstep " + s.next() + "\n")
	c := s.out.Commands[0]
	total := venue.Report{Kind: venue.Fill, Flags: venue.CumulativeOnly, Venue: 1, Inst: 1, Slot: c.Slot, Client: c.Client, Price: 998, Fill: 5, Cum: 5}
	s.batch.Reports = append(s.batch.Reports, total)
	s.run("step " + s.next() + "\n")
	require.EqualValues(t, 5, s.d.Position(1).Qty)
	for n := 0; s.d.Order(c.Slot).Client == c.Client; n++ { // until its slot has another order
		require.Less(t, n, 100)
		s.run("say new buy a:X 998@5 ioc\nstep " + s.next() + "\n")
		x := s.out.Commands[0]
		s.batch.Reports = append(s.batch.Reports, venue.Report{Kind: venue.Expired, Venue: 1, Inst: 1, Slot: x.Slot, Client: x.Client})
		s.run("step " + s.next() + "\n")
	}
	again := total
	again.Flags |= venue.Recovered
	again.SetRef([]byte("t1"))
	s.batch.Reports = append(s.batch.Reports, again)
	s.run("step " + s.next() + "\n")
	require.Equal(t, []audit.Kind{audit.Reported}, kinds(s))
	require.Equal(t, venue.Duplicate, s.out.Records[0].Reason)
	require.EqualValues(t, 5, s.d.Position(1).Qty)
	again.Cum = 6
	s.batch.Reports = append(s.batch.Reports, again)
	s.run("step " + s.next() + "\n")
	require.Equal(t, []audit.Kind{audit.Reported, audit.Operator}, kinds(s), "one that is news has no order to be booked on")
}
