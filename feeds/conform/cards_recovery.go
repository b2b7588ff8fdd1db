package conform

import (
	"github.com/stretchr/testify/require"

	"oneprice/books/desk"
	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

var recoveryCards = []Card{
	{Number: 80, Says: "sweeps up open orders, executions, ends and balances, all marked as recovered", Run: func(t *T) {
		since := t.cfg.Clock.Now() - venue.Second
		rests, part := t.placed(t.resting()), t.placed(t.onTouch())
		t.until("a part", func() bool { return t.of(part.Client).cum > 0 })
		t.cancelled(part)
		ask, have := t.touch(venue.Sell)
		takes := t.send(t.order(venue.Buy, venue.Limit, venue.IOC, ask+200*t.in.Tick, have+t.lots(1)))
		t.settled(takes)
		t.start(nil) // which knows none of it
		t.ready()
		k := t.sweep(since)
		for _, r := range k.all {
			require.NotZero(t, r.Flags&venue.Recovered, "%s", r.Kind)
		}
		of := func(c *venue.Command, kind venue.ReportKind) []venue.Report {
			return k.where(func(r *venue.Report) bool { return r.Client == c.Client && r.Kind == kind })
		}
		require.NotEmpty(t, of(rests, venue.Ack))
		require.NotEmpty(t, of(part, venue.Cancelled), "how it ended")
		require.Equal(t, t.of(part.Client).cum, of(part, venue.Cancelled)[0].Cum)
		fills := of(takes, venue.Fill)
		require.Greater(t, len(fills), 1)
		for _, r := range fills {
			require.NotEmpty(t, r.RefBytes(), "each trade has its id")
		}
		require.Equal(t, takes.Qty, fills[len(fills)-1].Cum)
		require.Empty(t, t.balancesDiffer(k))
	}},
	{Number: 81, Says: "shows the orders of an earlier run and cancels them by their client ids alone", Run: func(t *T) {
		a, b := t.placed(t.resting()), t.placed(t.resting())
		t.start(nil)
		t.ready()
		k := t.sweep(0)
		for i, c := range []*venue.Command{a, b} {
			require.NotEmpty(t, k.where(func(r *venue.Report) bool { return r.Kind == venue.Ack && r.Client == c.Client && r.Slot == 0 }))
			c.Slot = uint32(i * 77) // none, and one that the gateway does not hold
			t.send(t.about(venue.Cancel, c, 0, 0))
			t.until("its end", func() bool { return t.of(c.Client).ends > 0 })
			require.Equal(t, venue.UserCancel, t.of(c.Client).end.Reason)
		}
	}},
	{Number: 82, Says: "adopts the orders of an earlier run and says in their slots what became of them", Run: func(t *T) {
		rests, gone, part := t.placed(t.resting()), t.placed(t.resting()), t.placed(t.onTouch())
		t.until("a part", func() bool { return t.of(part.Client).cum > 0 })
		t.cancelled(gone)
		cs := []*venue.Command{rests, gone, part}
		t.again(cs...)
		t.recovered(rests, venue.Ack)
		t.recovered(part, venue.Ack)
		t.recovered(gone, venue.Cancelled)
		t.ready()
		t.amended(rests, rests.Price-100*t.in.Tick, rests.Qty)
		t.cancelled(part)
		require.Equal(t, t.of(part.Client).cum, t.sees(part, venue.Cancelled).Cum)
	}},
	{Number: 83, Says: "says of an adopted order whether its pending amend took effect", Run: func(t *T) {
		c := t.placed(t.resting())
		ref := t.refOf(c)
		t.amended(c, c.Price-100*t.in.Tick, t.lots(2))
		amend := t.of(c.Client).last.Seq
		t.start(func() { // the journal ends before the amend's answer
			o := journalled(c)
			o.Ref = ref
			o.NextClient, o.NextPrice, o.NextQty = amend, c.Price-100*t.in.Tick, t.lots(2)
			t.gw.Adopt(o)
		})
		t.until("the amend", func() bool {
			return len(t.got.where(func(r *venue.Report) bool { return r.Kind == venue.Amended && r.Client == c.Client && r.Seq == amend })) > 1
		})
		t.ready()
		t.cancelled(c)
	}},
	{Number: 84, Says: "proves that an order never came to the venue, by asking more than once", Run: func(t *T) {
		c := t.resting()
		o := journalled(c)
		o.SentAt -= 3600 * venue.Second
		o.NotAfter = o.SentAt + venue.Second
		t.gw.Adopt(o)
		t.until("the proof", func() bool { return t.of(c.Client).proven })
		require.GreaterOrEqual(t, t.of(c.Client).saw[venue.NotFound], 2, "one not-found proves nothing")
	}},
	{Number: 85, Says: "finds the fills that came while it was away", Acts: busy, Run: func(t *T) {
		c := t.placed(t.order(venue.Buy, venue.Limit, venue.GTC, t.away(venue.Buy, 0), t.lots(1)))
		require.NoError(t, t.stop())
		t.until("its fill", func() bool { o := t.one(c); return !o.Open })
		t.again(c)
		t.settled(c)
		require.Equal(t, c.Qty, t.of(c.Client).cum)
	}},
	{Number: 86, Says: "reports an order of somebody else without a client id, and leaves it alone", Alone: true, Run: func(t *T) {
		t.cfg.Shared = true
		t.start(nil)
		t.ready()
		price := t.away(venue.Buy, 3000) / finer
		t.sim.Stranger(t, price, t.lots(1))
		t.until("news of it", func() bool { return len(t.got.foreign(venue.Ack)) == 1 })
		t.start(nil)
		t.ready()
		k := t.sweep(0)
		require.Len(t, k.foreign(venue.Ack), 1)
		mine := t.placed(t.resting())
		t.next++
		t.send(&venue.Command{Op: venue.CancelAll, Venue: ours, Client: t.next})
		t.settled(mine)
		open := 0
		for _, o := range t.sim.Orders() {
			if o.Open {
				open++
				require.Zero(t, o.Client)
			}
		}
		require.Equal(t, 1, open)
		require.Empty(t, t.got.foreign(venue.Cancelled))
		t.agree()
	}},
	{Number: 87, Says: "tells by Check the venue's clock, what the key may do and the account's fees", Run: func(t *T) {
		a, err := t.gw.Check(t.within())
		require.NoError(t, err)
		require.True(t, a.Trade || !a.Stated)
		require.False(t, a.Withdraw)
		require.LessOrEqual(t, max(a.Offset, -a.Offset), a.Within, "it is one clock")
		require.Len(t, a.Fees, len(t.cfg.Instruments))
		for _, f := range a.Fees {
			require.Equal(t, maker, f.Maker)
			require.Equal(t, taker, f.Taker)
		}
	}},
	{Number: 88, Says: "ends by REST alone what an engine that is gone has left, and what others have on a dedicated account", Alone: true, Run: func(t *T) {
		t.start(nil)
		t.ready()
		t.placed(t.resting())
		t.placed(t.resting())
		t.sim.Stranger(t, t.away(venue.Buy, 3000)/finer, t.lots(1))
		require.NoError(t, t.stop())
		done, err := t.end()
		require.NoError(t, err)
		require.Equal(t, wire.Ended{Found: 3}, done)
		require.Zero(t, t.open())
		done, err = t.end()
		require.NoError(t, err)
		require.Zero(t, done, "again does nothing")
	}},
	{Number: 89, Says: "ends by REST alone what has our ids on a shared account, and leaves the rest", Alone: true, Run: func(t *T) {
		t.cfg.Shared = true
		t.start(nil)
		t.ready()
		t.placed(t.resting())
		t.sim.Stranger(t, t.away(venue.Buy, 3000)/finer, t.lots(1))
		require.NoError(t, t.stop())
		done, err := t.end()
		require.NoError(t, err)
		require.Equal(t, wire.Ended{Found: 1, Foreign: 1}, done)
		require.Equal(t, 1, t.open())
	}},
}

// onTouch is an order that takes the best level and rests with what is left.
func (t *T) onTouch() *venue.Command {
	ask, have := t.touch(venue.Sell)
	return t.order(venue.Buy, venue.Limit, venue.GTC, ask, have+t.lots(2))
}

// journalled is an order as recovery has it of which the venue has said nothing.
func journalled(c *venue.Command) *desk.Order {
	return &desk.Order{State: desk.Unknown, Side: c.Side, Type: c.Type, TIF: c.TIF, Venue: c.Venue, Inst: c.Inst, Slot: c.Slot, Client: c.Client, Price: c.Price, Qty: c.Qty,
		SentAt: c.Decided, NotAfter: c.NotAfter}
}

// refOf is the venue's id of an order, as an Ack has it.
func (t *T) refOf(c *venue.Command) [40]byte { return t.sees(c, venue.Ack).Ref }

// again puts another gateway in the place of the old one, which adopts orders with the venue's ids.
func (t *T) again(cs ...*venue.Command) {
	t.Helper()
	t.mark()
	t.start(func() {
		for _, c := range cs {
			o := journalled(c)
			o.Ref = t.refOf(c)
			t.gw.Adopt(o)
		}
	})
}

// end lets a gateway that is not run end what stands.
func (t *T) end() (wire.Ended, error) {
	t.Helper()
	e, ok := t.gateway().(wire.Ender)
	require.True(t, ok, "a gateway that can stand in for an engine that is gone")
	return e.End(t.within())
}

// open is how many orders stand.
func (t *T) open() (n int) {
	for _, o := range t.sim.Orders() {
		if o.Open {
			n++
		}
	}
	return n
}

// mark remembers how much has been reported, for after.
func (t *T) mark() { t.marked = len(t.got.where(func(*venue.Report) bool { return true })) }

// after reports whether an order has had a report of a kind since mark.
func (t *T) after(c *venue.Command, kind venue.ReportKind) bool {
	for _, r := range t.got.where(func(*venue.Report) bool { return true })[t.marked:] {
		if r.Client == c.Client && r.Kind == kind {
			return r.Slot == c.Slot
		}
	}
	return false
}

// recovered waits until a report of an order has come since mark.
func (t *T) recovered(c *venue.Command, kind venue.ReportKind) {
	t.Helper()
	t.until("a recovered "+kind.String(), func() bool { return t.after(c, kind) })
}
