package conform

import (
	"github.com/stretchr/testify/require"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

var changeCards = []Card{
	{Number: 30, Says: "cancels an order and reports its end once", Run: func(t *T) {
		c := t.placed(t.resting())
		r := t.cancelled(c)
		require.Equal(t, venue.UserCancel, r.Reason)
		require.Zero(t, r.Cum)
		require.False(t, t.one(c).Open)
		require.Equal(t, 1, t.of(c.Client).ends)
	}},
	{Number: 31, Says: "reports what a cancelled order had filled", Run: func(t *T) {
		ask, have := t.touch(venue.Sell)
		c := t.send(t.order(venue.Buy, venue.Limit, venue.GTC, ask, have+t.lots(1)))
		t.until("a part", func() bool { return t.of(c.Client).cum == have })
		require.Equal(t, have, t.cancelled(c).Cum)
	}},
	{Number: 32, Says: "ends nothing by a cancel that comes after the fill", Run: func(t *T) {
		ask, have := t.touch(venue.Sell)
		c := t.send(t.order(venue.Buy, venue.Limit, venue.IOC, ask, min(have, t.lots(1))))
		t.settled(c)
		t.gw.Submit(t.about(venue.Cancel, c, 0, 0))
		other := t.placed(t.resting())
		t.cancelled(other)
		f := t.of(c.Client)
		require.Zero(t, f.saw[venue.Cancelled]+f.saw[venue.Expired]+f.saw[venue.RejectedReport])
	}},
	{Number: 33, Says: "reports the cancel of an order that the venue does not have as rejected for that", Run: func(t *T) {
		ghost := t.resting()
		ghost.Slot = 0
		t.send(t.about(venue.Cancel, ghost, 0, 0))
		var said []venue.Report
		t.until("the refusal", func() bool {
			said = t.got.where(func(r *venue.Report) bool { return r.Client == ghost.Client })
			return len(said) > 0
		})
		require.Equal(t, []any{venue.CancelRejected, venue.UnknownTarget, uint32(0)}, []any{said[0].Kind, said[0].Reason, said[0].Slot})
	}},
	{Number: 34, Says: "amends an order to less", Run: func(t *T) {
		c := t.placed(t.order(venue.Buy, venue.Limit, venue.GTC, t.away(venue.Buy, 2000), t.lots(3)))
		t.amended(c, c.Price, t.lots(2))
	}},
	{Number: 35, Says: "amends an order to more", Run: func(t *T) {
		c := t.placed(t.resting())
		t.amended(c, c.Price, t.lots(2))
	}},
	{Number: 36, Says: "amends an order to another price, again and again, and cancels it then", Run: func(t *T) {
		c := t.placed(t.resting())
		for n := range int64(3) {
			t.amended(c, c.Price-fixed.Price(100*(n+1))*t.in.Tick, t.lots(1+n))
		}
		t.cancelled(c)
		require.Equal(t, 1, t.of(c.Client).ends)
	}},
	{Number: 37, Says: "leaves an order as it was when its amend is refused, and says whose", Run: func(t *T) {
		c := t.placed(t.resting())
		a := t.send(t.about(venue.Amend, c, 10*t.in.Tick, c.Qty)) // worth less than an order may be
		r := t.sees(c, venue.AmendRejected)
		require.Equal(t, a.Client, r.Seq)
		require.NotEqual(t, venue.OK, r.Reason)
		o := t.one(c)
		require.Equal(t, []any{true, c.Price, c.Qty}, []any{o.Open, o.Price, o.Qty})
	}},
	{Number: 38, Says: "cancels all of one instrument and leaves the other", Run: func(t *T) {
		a, b := t.placed(t.resting()), t.placed(t.onSecond())
		t.next++
		t.send(&venue.Command{Op: venue.CancelAll, Venue: ours, Inst: 1, Client: t.next})
		t.sees(a, venue.Cancelled)
		require.True(t, t.one(b).Open)
	}},
	{Number: 39, Says: "cancels all of every instrument", Run: func(t *T) {
		cs := []*venue.Command{t.placed(t.resting()), t.placed(t.resting()), t.placed(t.onSecond())}
		t.next++
		t.send(&venue.Command{Op: venue.CancelAll, Venue: ours, Client: t.next})
		t.settled(cs...)
		for _, c := range cs {
			require.Equal(t, venue.UserCancel, t.sees(c, venue.Cancelled).Reason)
		}
	}},
}

// onSecond is an order of the second instrument that rests.
func (t *T) onSecond() *venue.Command {
	c := t.resting()
	c.Inst, c.Price = 2, c.Price/2/t.in.Tick*t.in.Tick
	return c
}

// amended changes an order and requires that reports and the venue say so.
func (t *T) amended(c *venue.Command, price fixed.Price, qty fixed.Qty) {
	t.Helper()
	a := t.send(t.about(venue.Amend, c, price, qty))
	t.until("the amend", func() bool {
		return len(t.got.where(func(r *venue.Report) bool {
			return r.Kind == venue.Amended && r.Client == c.Client && r.Seq == a.Client
		})) > 0
	})
	r := t.sees(c, venue.Amended)
	require.Equal(t, []any{price, qty}, []any{r.Price, r.Open})
	o := t.one(c)
	require.Equal(t, []any{true, price, qty, o.ID}, []any{o.Open, o.Price, o.Qty, t.of(c.Client).ref})
}
