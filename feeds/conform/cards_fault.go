package conform

import (
	"math/rand/v2"
	"time"

	"github.com/stretchr/testify/require"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/venuesim"
	"oneprice/feeds/wire"
)

var faultCards = []Card{
	{Number: 60, Says: "loses and doubles no order whose answer is lost", Run: func(t *T) { t.survives(venuesim.LostAck) }},
	{Number: 61, Says: "loses and doubles no order whose answer is late", Run: func(t *T) { t.survives(venuesim.LateAck) }},
	{Number: 62, Says: "loses and doubles no order that was accepted before the connection was cut", Run: func(t *T) { t.survives(venuesim.CutAccepted) }},
	{Number: 63, Says: "loses and doubles no order that was accepted and answered by a server error", Run: func(t *T) { t.survives(venuesim.ErrorAccepted) }},
	{Number: 64, Says: "finds out what became of an amend whose answer is lost", Run: func(t *T) {
		c := t.placed(t.resting())
		t.set(venuesim.LostAck)
		a := t.send(t.about(venue.Amend, c, c.Price-100*t.in.Tick, t.lots(2)))
		t.struck(venuesim.LostAck)
		t.faults.Set(venuesim.Rates{})
		t.until("the amend", func() bool {
			return len(t.got.where(func(r *venue.Report) bool {
				return r.Kind == venue.Amended && r.Client == c.Client && r.Seq == a.Client
			})) > 0
		})
		require.Equal(t, t.lots(2), t.one(c).Qty)
	}},
	{Number: 65, Says: "books a report that comes twice once", Run: func(t *T) { t.life(venuesim.DuplicateReport) }},
	{Number: 66, Says: "books reports that come in another order as they are", Run: func(t *T) { t.life(venuesim.ReorderReport) }},
	{Number: 67, Says: "says that a cancel is lost, and that its order still stands", Run: func(t *T) {
		c := t.placed(t.resting())
		t.set(venuesim.LostCancel)
		t.send(t.about(venue.Cancel, c, 0, 0))
		r := t.sees(c, venue.SentReport)
		require.Equal(t, venue.Maybe, venue.Sent(r.Flags))
		require.EqualValues(t, venue.Cancel, r.Seq)
		t.until("the order that stands", func() bool { f := t.of(c.Client); return f.last.Kind == venue.Ack && f.last.Flags&venue.Recovered != 0 })
		t.faults.Set(venuesim.Rates{})
		require.True(t, t.one(c).Open)
		t.cancelled(c)
	}},
	{Number: 68, Says: "comes back by itself when the venue forgets its session", Run: func(t *T) {
		a := t.placed(t.resting())
		t.faults.Owe(venuesim.SessionExpiry)
		t.gw.Submit(t.resting())
		t.struck(venuesim.SessionExpiry)
		var b *venue.Command
		t.until("an order that leaves", func() bool {
			b = t.resting()
			return t.gw.Submit(b) == venue.Out
		})
		t.until("its fate", func() bool { f := t.of(b.Client); return f.saw[venue.Ack] > 0 || f.over() })
		t.ready()
		t.placed(t.resting())
		t.cancelled(a)
	}},
	{Number: 69, Says: "says that reports may be missing after a cut, and a Sweep then shows all", Run: func(t *T) {
		a := t.placed(t.resting())
		lost := t.lost.Load()
		t.faults.Owe(venuesim.Restart)
		t.until("a call of Lost", func() bool { return t.lost.Load() > lost })
		t.ready()
		b := t.placed(t.resting())
		k := t.sweep(0)
		for _, c := range []*venue.Command{a, b} {
			require.NotEmpty(t, k.where(func(r *venue.Report) bool { return r.Kind == venue.Ack && r.Client == c.Client }))
		}
		require.Empty(t, t.balancesDiffer(k))
	}},
	{Number: 70, Says: "agrees with the venue after everything has gone wrong at once in a moving market", Acts: busy / 2, Run: func(t *T) {
		rates := venuesim.PrivateFaults.Times(3)
		rates[venuesim.Restart] = 500
		t.faults.Set(rates)
		t.storms(rand.New(rand.NewPCG(1, 2)), 60)
		t.faults.Set(venuesim.Rates{})
		t.ready()
		require.NoError(t, t.gw.Sweep(t.within(), 0, &t.got))
		asked := map[uint64]time.Time{} // a cancel that was refused, in the storm or since, is asked for again
		t.until("an empty venue", func() bool {
			now := time.Now()
			for client := range t.slots {
				if f := t.of(client); f.saw[venue.Ack] > 0 && !f.over() && now.Sub(asked[client]) > time.Second {
					asked[client] = now
					t.gw.Submit(t.about(venue.Cancel, &venue.Command{Inst: 1, Slot: t.slots[client], Client: client}, 0, 0))
				}
			}
			for _, o := range t.sim.Orders() {
				if o.Open {
					return false
				}
			}
			return true
		})
	}},
	{Number: 71, Says: "tells the refusal of an amend that left before its order was answered", Run: func(t *T) {
		t.set(venuesim.LateAck)
		c := t.placed(t.resting())                                // by the stream where that is faster
		a := t.send(t.about(venue.Amend, c, 10*t.in.Tick, c.Qty)) // worth less than an order may be
		require.Equal(t, a.Client, t.sees(c, venue.AmendRejected).Seq)
	}},
	{Number: 72, Says: "keeps the venue's countdown to a cancel of everything running while it trades, and ends it when it leaves in order", Needs: []wire.Capability{wire.DeadMan},
		Run: func(t *T) {
			c := t.placed(t.resting())
			require.True(t, t.sim.Armed())
			require.NoError(t, t.stop())
			require.False(t, t.sim.Armed())
			require.True(t, t.one(c).Open, "what stands was not asked to go")
			t.start(nil)
			t.ready()
			require.True(t, t.sim.Armed())
		}},
}

// survives places an order that rests and one that fills while a fault strikes every answer. In the end both are known to
// be where the venue has them, and neither was in doubt more than once.
func (t *T) survives(f venuesim.Fault) {
	t.Helper()
	t.set(f)
	rests := t.send(t.resting())
	t.sees(rests, venue.Ack)
	t.struck(f)
	t.ready()
	ask, have := t.touch(venue.Sell)
	takes := t.send(t.order(venue.Buy, venue.Limit, venue.IOC, ask, min(have, t.lots(1))))
	t.settled(takes)
	t.faults.Set(venuesim.Rates{})
	t.ends(rests)
	for _, c := range []*venue.Command{rests, takes} {
		require.Len(t, t.at(c), 1)
		doubts := t.got.where(func(r *venue.Report) bool {
			return r.Client == c.Client && r.Kind == venue.SentReport && r.Seq == uint64(venue.New)
		})
		require.LessOrEqual(t, len(doubts), 1)
		for _, r := range doubts {
			require.Equal(t, venue.Maybe, venue.Sent(r.Flags))
		}
	}
}

// ends cancels an order, again whenever a cancel was lost: the connection that it left on may be the one that a fault has cut.
func (t *T) ends(c *venue.Command) {
	t.Helper()
	asked := 0
	t.until("the end of the order", func() bool {
		lost := t.got.where(func(r *venue.Report) bool {
			return r.Client == c.Client && (r.Kind == venue.CancelRejected || r.Kind == venue.SentReport && r.Seq == uint64(venue.Cancel))
		})
		if len(lost) >= asked && t.gw.Submit(t.about(venue.Cancel, c, 0, 0)) != venue.NotSent {
			asked = len(lost) + 1
		}
		return t.of(c.Client).saw[venue.Cancelled] > 0
	})
}

// life lets an order be placed, amended, filled in part and cancelled under a fault.
func (t *T) life(f venuesim.Fault) {
	t.Helper()
	t.patient = true // a stream that sees a gap may be opened anew
	t.set(f)
	c := t.placed(t.order(venue.Buy, venue.Limit, venue.GTC, t.away(venue.Buy, 2000), t.lots(4)))
	t.amended(c, c.Price, t.lots(3))
	t.cancelled(c)
	ask, have := t.touch(venue.Sell)
	part := t.send(t.order(venue.Buy, venue.Limit, venue.GTC, ask, have+t.lots(1)))
	t.until("a part", func() bool { return t.of(part.Client).cum == have })
	t.cancelled(part)
	t.struck(f)
	require.Equal(t, 1, t.of(c.Client).ends)
	require.Equal(t, 1, t.of(part.Client).ends)
}

// storms sends orders, amends and cancels of every kind, a few milliseconds apart.
func (t *T) storms(rnd *rand.Rand, n int) {
	var sent []*venue.Command
	for range n {
		if t.cfg.Clock.Sleep(t.Context(), 30*venue.Millisecond) != nil {
			return
		}
		side := venue.Side(1 + rnd.IntN(2))
		best, _ := t.touch(side)
		other, _ := t.touch(side.Other())
		c := t.order(side, venue.Limit, venue.GTC, best-fixed.Price(side.Sign())*200*t.in.Tick, t.lots(1))
		switch rnd.IntN(4) {
		case 0:
			c.TIF, c.Price = venue.IOC, other
		case 1:
			c.Type, c.Price = venue.PostOnly, best
		}
		if t.gw.Submit(c) != venue.NotSent {
			sent = append(sent, c)
		}
		if len(sent) == 0 {
			continue
		}
		old := sent[rnd.IntN(len(sent))]
		switch rnd.IntN(4) {
		case 0:
			t.gw.Submit(t.about(venue.Cancel, old, 0, 0))
		case 1:
			t.gw.Submit(t.about(venue.Amend, old, old.Price-fixed.Price(side.Sign())*t.in.Tick, t.lots(1)/2))
		}
	}
}
