package conform

import (
	"math"
	"runtime"

	"github.com/stretchr/testify/require"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

var orderCards = []Card{
	{Number: 10, Says: "places an order and reports its acknowledgement once, with the venue's id", Run: func(t *T) {
		c := t.placed(t.resting())
		o, f := t.one(c), t.of(c.Client)
		require.Equal(t, []any{c.Price, c.Qty, true}, []any{o.Price, o.Qty, o.Open})
		require.Equal(t, []any{o.ID, c.Price, c.Qty, 1}, []any{f.ref, f.price, f.open, f.saw[venue.Ack]})
		require.Zero(t, f.saw[venue.SentReport])
	}},
	{Number: 11, Says: "reports a fill of the whole order at the venue's price", Run: func(t *T) {
		ask, have := t.touch(venue.Sell)
		c := t.send(t.order(venue.Buy, venue.Limit, venue.IOC, ask, min(t.lots(1), have)))
		t.settled(c)
		f := t.of(c.Client)
		require.Equal(t, c.Qty, f.cum)
		require.Equal(t, ask, f.fills[0].Price)
		require.Zero(t, f.fills[0].Flags&venue.Maker)
		require.Equal(t, c.Slot, f.fills[0].Slot)
	}},
	{Number: 12, Says: "reports an order that fills in parts, each part once, with its total", Run: func(t *T) {
		ask, have := t.touch(venue.Sell)
		c := t.send(t.order(venue.Buy, venue.Limit, venue.IOC, ask+200*t.in.Tick, have+t.lots(5)))
		t.settled(c)
		sum := fixed.Qty(0)
		for _, r := range t.of(c.Client).fills {
			sum += r.Fill
			require.Equal(t, sum, r.Cum)
		}
		require.Equal(t, c.Qty, sum)
		require.Equal(t, sum, t.one(c).Cum)
	}},
	{Number: 13, Says: "gives each live fill the venue's own trade id", Needs: []wire.Capability{wire.FillIDs}, Run: func(t *T) {
		ask, have := t.touch(venue.Sell)
		c := t.send(t.order(venue.Buy, venue.Limit, venue.IOC, ask+200*t.in.Tick, have+t.lots(5)))
		t.settled(c)
		ids := map[string]bool{}
		for _, r := range t.of(c.Client).fills {
			require.NotEmpty(t, r.RefBytes())
			require.Zero(t, r.Flags&venue.CumulativeOnly)
			ids[string(r.RefBytes())] = true
		}
		require.Len(t, ids, len(t.of(c.Client).fills))
		require.Greater(t, len(ids), 1)
	}},
	{Number: 14, Says: "reports a resting order's fill as the maker's", Acts: busy, Run: func(t *T) {
		var c *venue.Command
		t.until("a maker's fill", func() bool {
			if c == nil || t.of(c.Client).over() {
				bid, _ := t.touch(venue.Buy)
				if c = t.order(venue.Buy, venue.PostOnly, venue.GTC, bid+t.in.Tick, t.lots(1)); t.gw.Submit(c) == venue.NotSent {
					c = nil
				}
				return false
			}
			for _, r := range t.of(c.Client).fills {
				require.NotZero(t, r.Flags&venue.Maker)
				return true
			}
			return false
		})
	}},
	{Number: 15, Says: "reports a post-only order that would cross as rejected for that", Run: func(t *T) {
		ask, _ := t.touch(venue.Sell)
		require.Equal(t, venue.PostOnlyCross, t.refused(t.order(venue.Buy, venue.PostOnly, venue.GTC, ask, t.lots(1))))
	}},
	{Number: 16, Says: "reports an IOC order that finds nothing as expired unfilled", Run: func(t *T) {
		c := t.send(t.order(venue.Buy, venue.Limit, venue.IOC, t.away(venue.Buy, 100), t.lots(1)))
		r := t.sees(c, venue.Expired)
		require.Equal(t, venue.Unfilled, r.Reason)
		require.Zero(t, r.Cum)
	}},
	{Number: 17, Says: "reports what an IOC order filled before its rest expired", Run: func(t *T) {
		ask, have := t.touch(venue.Sell)
		c := t.send(t.order(venue.Buy, venue.Limit, venue.IOC, ask, have+t.lots(1)))
		require.Equal(t, have, t.sees(c, venue.Expired).Cum)
		t.until("the fill", func() bool { return t.of(c.Client).cum == have })
	}},
	{Number: 18, Says: "reports a FOK order as filled whole or expired unfilled", Needs: []wire.Capability{wire.FOK}, Run: func(t *T) {
		ask, have := t.touch(venue.Sell)
		no := t.send(t.order(venue.Buy, venue.Limit, venue.FOK, ask, have+t.lots(1)))
		r := t.sees(no, venue.Expired)
		require.Equal(t, venue.Unfilled, r.Reason)
		require.Zero(t, r.Cum)
		yes := t.send(t.order(venue.Buy, venue.Limit, venue.FOK, ask, have))
		t.settled(yes)
		require.Equal(t, have, t.of(yes.Client).cum)
	}},
	{Number: 19, Says: "lets a stop-loss wait, and reports its fill when the market has traded there", Needs: []wire.Capability{wire.StopLoss}, Run: func(t *T) {
		ask, have := t.touch(venue.Sell)
		c := t.order(venue.Buy, venue.StopLoss, venue.GTC, ask+3000*t.in.Tick, t.lots(1))
		c.Stop = ask + t.in.Tick
		t.placed(c)
		require.Zero(t, t.of(c.Client).cum)
		t.send(t.order(venue.Buy, venue.Limit, venue.IOC, ask+10*t.in.Tick, have+t.lots(2)))
		t.settled(c)
		require.Equal(t, c.Qty, t.of(c.Client).cum)
	}},
	{Number: 20, Says: "lets a stop-limit wait and be cancelled", Needs: []wire.Capability{wire.StopLimit}, Run: func(t *T) {
		ask, _ := t.touch(venue.Sell)
		c := t.order(venue.Buy, venue.StopLimit, venue.GTC, ask+3000*t.in.Tick, t.lots(1))
		c.Stop = ask + 2000*t.in.Tick
		t.placed(c)
		require.True(t, t.one(c).Open)
		require.Zero(t, t.cancelled(c).Cum)
	}},
	{Number: 21, Says: "charges each fill's fee in the currency and to the amount that the venue does", Run: func(t *T) {
		bid, have := t.touch(venue.Buy)
		ask, there := t.touch(venue.Sell)
		buy := t.send(t.order(venue.Buy, venue.Limit, venue.IOC, ask, min(there, t.lots(1))))
		sell := t.send(t.order(venue.Sell, venue.Limit, venue.IOC, bid, min(have, t.lots(1))))
		t.settled(buy, sell)
		for _, c := range []*venue.Command{buy, sell} {
			for _, r := range t.of(c.Client).fills {
				require.Positive(t, int64(r.Fee))
				require.NotZero(t, r.FeeCcy)
			}
		} // agree adds the fees up, currency by currency
	}},
	{Number: 22, Says: "tells balances as they change, and they are the venue's", Needs: []wire.Capability{wire.BalanceStream}, Run: func(t *T) {
		ask, there := t.touch(venue.Sell)
		t.settled(t.send(t.order(venue.Buy, venue.Limit, venue.IOC, ask, min(there, t.lots(1)))))
		t.without("the venue's balances", func() string { return t.balancesDiffer(&t.got) })
	}},
	{Number: 23, Says: "takes nothing from the heap between Submit and the socket", Solo: true, Run: func(t *T) {
		var cs, cancels []*venue.Command
		for range 12 {
			c := t.resting()
			cs, cancels = append(cs, c), append(cancels, t.about(venue.Cancel, c, 0, 0))
		}
		submit := func(c *venue.Command) { require.Equal(t, venue.Out, t.gw.Submit(c)) }
		require.Zero(t, leastAllocated(cs, submit))
		for _, c := range cs {
			t.sees(c, venue.Ack)
		}
		require.Zero(t, leastAllocated(cancels, submit))
		t.settled(cs...)
	}},
}

// balancesDiffer names a currency of which the last report is not what the venue has free; of a contract its base is the
// position.
func (t *T) balancesDiffer(b *book) string {
	for _, name := range []string{t.quote, bases[0]} {
		all := b.where(func(r *venue.Report) bool { return r.Kind == venue.Balance && r.FeeCcy == t.currency(name) })
		if t.in.Kind != venue.Spot && name == bases[0] {
			all = b.where(func(r *venue.Report) bool { return r.Kind == venue.PositionIs && r.Inst == t.in.Inst })
			for i := range all {
				all[i].Cum *= fixed.Qty(fixed.Pow10(fixed.CashScale - t.in.QtyScale))
			}
		}
		_, free := t.sim.Balance(name)
		if len(all) == 0 && free != 0 || len(all) > 0 && fixed.Cash(all[len(all)-1].Cum) != free {
			return name + " differs"
		}
	}
	return ""
}

// leastAllocated is the least number of allocations that the process made while one of several commands was submitted. What
// every Submit takes shows in it, and what others do beside one does not.
func leastAllocated(cs []*venue.Command, submit func(*venue.Command)) uint64 {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // so that little else runs meanwhile
	var before, after runtime.MemStats
	least := uint64(math.MaxUint64)
	for _, c := range cs {
		runtime.ReadMemStats(&before)
		submit(c)
		runtime.ReadMemStats(&after)
		least = min(least, after.Mallocs-before.Mallocs)
	}
	return least
}
