package conform

import (
	"context"
	"slices"

	"github.com/stretchr/testify/require"

	"oneprice/books/venue"
	"oneprice/feeds/venuesim"
	"oneprice/feeds/wire"
)

var refusalCards = []Card{
	{Number: 40, Says: "never doubles an order whose client id is used again", Run: func(t *T) {
		c := t.placed(t.resting())
		again := *c
		t.other = c.Slot + 7
		again.Slot = t.other
		t.gw.Submit(&again)
		t.placed(t.resting()) // the venue has seen what came before
		require.Len(t, t.at(c), 1)
		require.True(t, t.one(c).Open)
	}},
	{Number: 41, Says: "refuses a price between ticks, or maps the venue's refusal", Run: func(t *T) {
		c := t.resting()
		c.Price += t.in.Tick / finer
		require.Contains(t, []venue.Reason{venue.OK, venue.BadTick}, t.refused(c))
	}},
	{Number: 42, Says: "maps the refusal of a size between lots or below the least", Run: func(t *T) {
		c := t.resting()
		c.Qty = 1
		small := []venue.Reason{venue.OK, venue.BadLot, venue.BelowMinQty, venue.BelowMinNotional}
		require.Contains(t, small, t.refused(c))
	}},
	{Number: 43, Says: "maps the refusal of an order that is worth too little", Run: func(t *T) {
		c := t.resting()
		c.Price, c.Qty = t.in.Tick*1000, t.lots(1)/10
		worth := []venue.Reason{venue.BelowMinNotional, venue.PriceCollar}
		require.Contains(t, worth, t.refused(c))
	}},
	{Number: 44, Says: "refuses an instrument that it was not given, before a byte leaves", Run: func(t *T) {
		c := t.resting()
		c.Inst = 9
		require.Equal(t, venue.NotSent, t.gw.Submit(c))
	}},
	{Number: 45, Says: "maps the refusal of an instrument that the venue does not have", Alone: true, Run: func(t *T) {
		in := *t.in
		in.Inst, in.Symbol = 3, "NOPE"+in.Symbol
		t.cfg.Instruments = append(slices.Clone(t.cfg.Instruments), &in)
		if _, err := t.venue.Adapter.Gateway(t.cfg); err != nil {
			return // refused at assembly
		}
		t.start(nil)
		t.ready()
		c := t.resting()
		c.Inst = 3
		require.Equal(t, venue.UnknownSymbol, t.refused(c))
		t.agree()
	}},
	{Number: 46, Says: "maps the refusal of an order that the account cannot pay", Run: func(t *T) {
		c := t.resting()
		c.Qty = t.lots(3000)
		require.Equal(t, venue.InsufficientFunds, t.refused(c))
	}},
	{Number: 47, Says: "maps one order too many (429) to a reason, and trades on when the venue lets it", Run: func(t *T) {
		t.faults.Owe(venuesim.LimitOrders)
		require.Equal(t, venue.RateLimited, t.refused(t.resting()))
		t.until("the end of the pause", func() bool {
			c := t.resting()
			if t.gw.Submit(c) == venue.NotSent {
				return false
			}
			t.until("an answer", func() bool { f := t.of(c.Client); return f.saw[venue.Ack]+f.ends > 0 })
			return t.of(c.Client).saw[venue.Ack] > 0
		})
	}},
	{Number: 48, Says: "stops new orders at its budget, and cancels go on", Run: func(t *T) {
		var cs, open []*venue.Command
		full := false
		for n := 0; n < 400 && !full; n++ {
			c := t.resting()
			if full = t.gw.Submit(c) == venue.NotSent; !full {
				cs = append(cs, c)
			}
		}
		answered := func(c *venue.Command) bool {
			f := t.of(c.Client)
			return f.saw[venue.Ack] > 0 || f.over()
		}
		t.until("answers to all", func() bool { return !slices.ContainsFunc(cs, func(c *venue.Command) bool { return !answered(c) }) })
		for _, c := range cs {
			if f := t.of(c.Client); f.ends > 0 {
				full = true
				require.Contains(t, []venue.Reason{venue.RateLimited, venue.OrderRate}, f.end.Reason) // the venue's budget, or our own share
				continue
			}
			open = append(open, c)
		}
		require.True(t, full, "%d orders and no end", len(cs))
		t.cancelled(open[0])
		t.next++
		t.send(&venue.Command{Op: venue.CancelAll, Venue: ours, Client: t.next})
		t.settled(cs...)
	}},
	{Number: 49, Says: "says in one sentence that the key is wrong, by Check and by Run, and sends nothing", Alone: true, Run: func(t *T) {
		t.cfg.Secret = t.sim.Login().Wrong
		gw := t.gateway()
		_, err := gw.Check(t.within())
		t.auth(err)
		t.auth(gw.Run(t.within(), &t.got))
		require.False(t, gw.Ready())
		require.Equal(t, venue.NotSent, gw.Submit(t.resting()))
		t.auth(gw.Sweep(t.within(), 0, &t.got))
		require.Empty(t, t.sim.Orders())
	}},
	{Number: 50, Says: "says how late its clock is, and places nothing by a request that the venue calls stale", Alone: true, Late: 300 * venue.Second, Run: func(t *T) {
		a, err := t.gateway().Check(t.within())
		off := a.Offset - 300*venue.Second
		require.LessOrEqual(t, max(off, -off), a.Within)
		if err != nil { // the offset shows beside it as its cause
			t.auth(err)
		}
		t.stale()
	}},
	{Number: 51, Says: "asks again with a higher nonce when another on the key was ahead", Needs: []wire.Capability{wire.Nonces}, Run: func(t *T) {
		t.sim.BurnNonce(t)
		_, err := t.gw.Check(t.within())
		require.NoError(t, err)
		t.sweep(0)
	}},
	{Number: 52, Says: "sends no new order and no amend while everything, its venue or its strategy is killed, and cancels still", Run: func(t *T) {
		for n, turn := range []func(shut bool){
			func(shut bool) {
				if t.kill.Lift(); shut {
					t.kill.Set()
				}
			},
			func(shut bool) { t.kill.Venue(ours, shut) },
			func(shut bool) { t.kill.Strategy(0, shut) },
		} {
			c := t.placed(t.resting())
			turn(true)
			no := t.resting()
			require.Equal(t, venue.NotSent, t.gw.Submit(no))
			require.Equal(t, venue.NotSent, t.gw.Submit(t.about(venue.Amend, c, c.Price-t.in.Tick, c.Qty)))
			t.cancelled(c)
			other := t.resting()
			turn(false)
			t.placed(other)
			require.Empty(t, t.at(no))
			require.Len(t, t.sim.Orders(), 2*(n+1))
		}
	}},
	{Number: 53, Says: "sends no order after its instant", Run: func(t *T) {
		c := t.resting()
		c.NotAfter = t.cfg.Clock.Now() - 1
		require.Equal(t, venue.NotSent, t.gw.Submit(c))
		t.placed(t.resting())
		require.Empty(t, t.at(c))
	}},
	{Number: 54, Says: "sends no new order without a connection", Alone: true, Run: func(t *T) {
		gw := t.gateway()
		require.False(t, gw.Ready())
		require.Equal(t, venue.NotSent, gw.Submit(t.resting()))
	}},
}

// stale lets a gateway whose clock is late run until its order is placed by the venue's time, is refused, or Run gives up.
func (t *T) stale() {
	t.Helper()
	gw := t.gateway()
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.within())
	go func() { ended <- gw.Run(ctx, &t.got) }()
	var c *venue.Command
	t.until("a plain answer", func() bool {
		select {
		case err := <-ended:
			t.auth(err)
			ended <- nil
			return true
		default:
		}
		if c == nil {
			if next := t.resting(); gw.Submit(next) == venue.Out {
				c = next
			}
			return false
		}
		f := t.of(c.Client)
		return f.saw[venue.Ack]+f.ends > 0
	})
	if c != nil && t.of(c.Client).ends > 0 {
		require.Contains(t, []venue.Reason{venue.Late, venue.AuthFailed}, t.of(c.Client).end.Reason)
		require.Empty(t, t.at(c))
	}
	t.agree()
	cancel()
	require.NoError(t, <-ended)
}
