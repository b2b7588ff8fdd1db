package paper

import (
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

func TestOrder_rules(t *testing.T) {
	f := func(name string, s venue.Side, kind venue.OrderType, tif venue.TIF, p fixed.Price, q fixed.Qty, want ...line) {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil).live()
			r.order(s, kind, tif, p, q)
			require.Equal(t, want, lines(r.quiet()))
		})
	}
	refused := func(why venue.Reason) line { return line{kind: venue.RejectedReport, why: why} }
	expired := func(cum fixed.Qty, why venue.Reason) line { return line{kind: venue.Expired, cum: cum, why: why} }

	f("ioc walks levels", venue.Buy, venue.Limit, venue.IOC, 102, 15, ack, filled(10, 101, 10), filled(5, 102, 15))
	f("ioc expires the rest", venue.Buy, venue.Limit, venue.IOC, 101, 15, ack, filled(10, 101, 10), expired(10, venue.OK))
	f("ioc finds nothing", venue.Buy, venue.Limit, venue.IOC, 100, 15, ack, expired(0, venue.Unfilled))
	f("ioc sell", venue.Sell, venue.Limit, venue.IOC, 98, 25, ack, filled(10, 99, 10), filled(15, 98, 25))
	f("fok whole", venue.Buy, venue.Limit, venue.FOK, 102, 30, ack, filled(10, 101, 10), filled(20, 102, 30))
	f("fok or nothing", venue.Buy, venue.Limit, venue.FOK, 102, 31, ack, expired(0, venue.Unfilled))
	f("limit takes and rests", venue.Buy, venue.Limit, venue.GTC, 101, 15, ack, filled(10, 101, 10))
	f("limit rests", venue.Buy, venue.Limit, venue.GTC, 100, 15, ack)
	f("post-only rests", venue.Buy, venue.PostOnly, venue.GTC, 100, 15, ack)
	f("post-only would cross", venue.Buy, venue.PostOnly, venue.GTC, 101, 15, refused(venue.PostOnlyCross))
	f("post-only sell would cross", venue.Sell, venue.PostOnly, venue.GTC, 99, 15, refused(venue.PostOnlyCross))
	f("post-only takes no IOC", venue.Sell, venue.PostOnly, venue.IOC, 101, 15, refused(venue.BadIntent))
	f("no time in force", venue.Sell, venue.Limit, venue.NoTIF, 101, 15, refused(venue.BadIntent))
	f("no side", venue.NoSide, venue.Limit, venue.GTC, 101, 15, refused(venue.BadIntent))
	f("stops are not held", venue.Sell, venue.StopLoss, venue.GTC, 101, 15, refused(venue.VenueRejected))
	f("no price", venue.Sell, venue.Limit, venue.GTC, 0, 15, refused(venue.BadTick))
	f("no quantity", venue.Sell, venue.Limit, venue.GTC, 101, 0, refused(venue.BadLot))
	f("minimum quantity", venue.Buy, venue.Limit, venue.GTC, 101, 1, refused(venue.BelowMinQty))
	f("minimum notional", venue.Buy, venue.Limit, venue.GTC, 99, 3, refused(venue.BelowMinNotional))
	f("maximum quantity", venue.Buy, venue.Limit, venue.GTC, 99, 1_000_001, refused(venue.AboveMaxQty))
}

func TestOrder_gridAndStatus(t *testing.T) {
	f := func(change func(*venue.Instrument), flags uint8, kind venue.OrderType, p fixed.Price, q fixed.Qty, want venue.Reason) {
		t.Helper()
		r := newRig(t, nil).live()
		change(r.in)
		c := venue.Command{Op: venue.New, Type: kind, TIF: venue.GTC, Side: venue.Buy, Venue: 1, Inst: 1, Client: 7, Price: p, Qty: q, Flags: flags}
		require.Equal(t, venue.Out, r.g.Submit(&c))
		got := r.quiet()
		require.Len(t, got, 1)
		require.Equal(t, want, got[0].Reason)
		require.Equal(t, want != venue.OK, got[0].Kind == venue.RejectedReport)
	}
	status := func(s venue.Status) func(*venue.Instrument) { return func(in *venue.Instrument) { in.Status = s } }
	f(func(in *venue.Instrument) { in.Tick = 7 }, 0, venue.Limit, 99, 10, venue.BadTick)
	f(func(in *venue.Instrument) { in.Tick = 9 }, 0, venue.Limit, 99, 10, venue.OK)
	f(func(in *venue.Instrument) { in.Tick = 0 }, 0, venue.Limit, 99, 10, venue.BadTick)
	f(func(in *venue.Instrument) { in.Lot = 4 }, 0, venue.Limit, 99, 10, venue.BadLot)
	f(func(in *venue.Instrument) { in.Multiplier = fixed.Limit }, 0, venue.Limit, 99, 10, venue.Overflowed)
	f(func(in *venue.Instrument) { in.MaxQty = 0 }, 0, venue.Limit, 99, 10, venue.OK) // none stated
	f(status(venue.Halted), 0, venue.Limit, 99, 10, venue.InstrumentHalted)
	f(status(venue.Unlisted), 0, venue.Limit, 99, 10, venue.InstrumentHalted)
	f(status(venue.CancelOnly), 0, venue.Limit, 99, 10, venue.InstrumentHalted)
	f(status(venue.PostOnlyMode), 0, venue.Limit, 99, 10, venue.InstrumentHalted)
	f(status(venue.PostOnlyMode), 0, venue.PostOnly, 99, 10, venue.OK)
	f(status(venue.ReduceOnly), 0, venue.Limit, 99, 10, venue.ReduceOnlyMode)
	f(status(venue.ReduceOnly), venue.ReduceOnlyFlag, venue.Limit, 99, 10, venue.OK)
	f(status(venue.LimitOnly), 0, venue.Limit, 99, 10, venue.OK)
}

func TestSubmit_refusesBeforeTheWire(t *testing.T) {
	var kill venue.Kill
	r := newRig(t, func(c *Config, _ *venue.Instrument) { c.Kill, c.Orders, c.Commands = &kill, 2, 4 }).live()
	order := venue.Command{Op: venue.New, Type: venue.Limit, TIF: venue.GTC, Side: venue.Buy, Venue: 1, Inst: 1, Client: 1, Price: 90, Qty: 10}
	f := func(want venue.Sent, change func(*venue.Command)) {
		t.Helper()
		c := order
		change(&c)
		require.Equal(t, want, r.g.Submit(&c))
	}
	r.at(100)
	f(venue.NotSent, func(c *venue.Command) { c.NotAfter = 99 })
	f(venue.NotSent, func(c *venue.Command) { c.Inst = 0 })
	f(venue.NotSent, func(c *venue.Command) { c.Inst = 2 })
	f(venue.NotSent, func(c *venue.Command) { c.Venue = 0 })
	f(venue.NotSent, func(c *venue.Command) { c.Venue = 9 })
	kill.Set()
	f(venue.NotSent, func(*venue.Command) {})
	f(venue.Out, func(c *venue.Command) { c.Op, c.NotAfter = venue.Cancel, 99 })
	kill.Lift()
	f(venue.Out, func(c *venue.Command) { c.NotAfter = 100 })
	f(venue.Out, func(c *venue.Command) { c.Client = 2 })
	f(venue.NotSent, func(c *venue.Command) { c.Client = 3 }) // two orders travel
	f(venue.Out, func(c *venue.Command) { c.Op = venue.Cancel })
	f(venue.NotSent, func(c *venue.Command) { c.Op = venue.Cancel }) // four commands travel
	r.quiet()
	f(venue.NotSent, func(c *venue.Command) { c.Client = 3 }) // both rest
}

func TestOrder_usedClientIdIsRejected(t *testing.T) {
	r := newRig(t, nil).live()
	r.limit(venue.Buy, 98, 10)
	r.next = 0
	r.limit(venue.Sell, 105, 10)
	require.Equal(t, []line{ack, {kind: venue.RejectedReport, why: venue.Duplicate}}, lines(r.quiet()))
}

func TestTime_orderAndReportTakeTheirLatency(t *testing.T) {
	r := newRig(t, nil).live()
	r.at(100)
	r.order(venue.Buy, venue.Limit, venue.IOC, 101, 10)
	require.Empty(t, r.at(100+orderNs-1))
	// The level leaves in the last frame before arrival: it is gone.
	require.Empty(t, r.at(100+orderNs-1, r.frame(0, 109, nil, levels{{Price: 101, Qty: 0}})...))
	require.Empty(t, r.at(100+orderNs+reportNs-1))
	got := r.at(100 + orderNs + reportNs)
	require.Equal(t, []line{ack, {kind: venue.Expired, why: venue.Unfilled}}, lines(got))
	for _, x := range got {
		require.EqualValues(t, 110, x.At)
		require.EqualValues(t, 115, x.Recv)
	}
	_, waits := r.g.Next()
	require.False(t, waits)
}

func TestTime_frameAtArrivalComesAfterTheOrder(t *testing.T) {
	r := newRig(t, nil).live()
	r.at(100)
	r.order(venue.Buy, venue.Limit, venue.IOC, 101, 10)
	r.at(100+orderNs, r.frame(0, 109, nil, levels{{Price: 101, Qty: 0}})...)
	require.Equal(t, []line{ack, filled(10, 101, 10)}, lines(r.quiet()))
}

func TestTaken_isNotThereTwice(t *testing.T) {
	r := newRig(t, nil).live()
	ioc := func(q fixed.Qty) []line {
		r.order(venue.Buy, venue.Limit, venue.IOC, 101, q)
		return lines(r.quiet())[1:]
	}
	nothing := []line{{kind: venue.Expired, why: venue.Unfilled}}
	require.Equal(t, []line{filled(6, 101, 6)}, ioc(6))
	require.Equal(t, []line{filled(4, 101, 4), {kind: venue.Expired, cum: 4}}, ioc(6))
	require.Equal(t, nothing, ioc(6))
	// 10 → 13: three are new
	r.at(r.now+1, r.frame(0, r.now, nil, levels{{Price: 101, Qty: 13}})...)
	require.Equal(t, []line{filled(3, 101, 3), {kind: venue.Expired, cum: 3}}, ioc(6))
	// 13 → 4: what is left is ours already; 4 → 9: five are new
	r.at(r.now+1, r.frame(0, r.now, nil, levels{{Price: 101, Qty: 4}})...)
	require.Equal(t, nothing, ioc(6))
	r.at(r.now+1, r.frame(0, r.now, nil, levels{{Price: 101, Qty: 9}})...)
	require.Equal(t, []line{filled(5, 101, 5), {kind: venue.Expired, cum: 5}}, ioc(6))
	// gone and back: all new
	r.at(r.now+1, r.frame(0, r.now, nil, levels{{Price: 101, Qty: 0}})...)
	r.at(r.now+1, r.frame(0, r.now, nil, levels{{Price: 101, Qty: 6}})...)
	require.Equal(t, []line{filled(6, 101, 6)}, ioc(6))
	// an update without a change brings nothing
	r.at(r.now+1, r.frame(0, r.now, nil, levels{{Price: 101, Qty: 6}})...)
	require.Equal(t, nothing, ioc(6))
}

func TestTaken_fullTableHidesLevels(t *testing.T) {
	r := newRig(t, func(c *Config, _ *venue.Instrument) { c.Levels = 1 }).live()
	r.order(venue.Buy, venue.Limit, venue.IOC, 103, 30)
	require.Equal(t, []line{ack, filled(10, 101, 10), {kind: venue.Expired, cum: 10}}, lines(r.quiet()))
	r.order(venue.Buy, venue.Limit, venue.FOK, 103, 10)
	require.Equal(t, []line{ack, {kind: venue.Expired, why: venue.Unfilled}}, lines(r.quiet()))
}

func TestFOK_neverFillsInPartWhenTheMemoryRunsOut(t *testing.T) {
	r := newRig(t, func(c *Config, _ *venue.Instrument) { c.Levels = 1 }).live()
	r.order(venue.Buy, venue.Limit, venue.FOK, 103, 30)
	require.Equal(t, []line{ack, {kind: venue.Expired, why: venue.Unfilled}}, lines(r.quiet()))
	r.order(venue.Buy, venue.Limit, venue.FOK, 103, 10)
	require.Equal(t, []line{ack, filled(10, 101, 10)}, lines(r.quiet()))
}

func TestTrust_nothingFillsOnABookThatIsNotLive(t *testing.T) {
	r := newRig(t, nil)
	r.order(venue.Buy, venue.Limit, venue.IOC, 101, 10)
	r.limit(venue.Buy, 101, 10)
	require.Equal(t, []line{ack, {kind: venue.Expired, why: venue.Unfilled}, ack, {kind: venue.Expired, why: venue.BookNotLive}}, lines(r.quiet()))

	r = newRig(t, nil).live()
	id := r.limit(venue.Buy, 100, 10)
	require.Equal(t, []line{ack}, lines(r.quiet()))
	var gap venue.Event
	gap.SetGap(1, 1, venue.SequenceGap, 0, 0, r.now)
	r.at(r.now+1, gap)
	require.Empty(t, r.at(r.now+1, trade(venue.Sell, 99, 50, r.now+1)...))
	r.amend(id, 99, 10)
	require.Equal(t, []line{{kind: venue.AmendRejected, why: venue.BookNotLive}}, lines(r.quiet()))
	r.amend(id, 100, 5)
	require.Equal(t, []line{{kind: venue.Amended}}, lines(r.quiet()))
	r.live()
	require.Empty(t, r.quiet())
	r.at(r.now+1, trade(venue.Sell, 100, 5, r.now+1)...)
	require.Equal(t, []line{filled(5, 100, 5)}, lines(r.quiet()))
}

func TestFees_chargedAndRoundedAgainstUs(t *testing.T) {
	f := func(change func(*venue.Instrument), tif venue.TIF, fee fixed.Cash, ccy venue.Ccy) {
		t.Helper()
		r := newRig(t, func(_ *Config, in *venue.Instrument) { in.MinNotional = 0; change(in) }).live()
		if tif == venue.GTC {
			r.limit(venue.Buy, 100, 3)
			r.quiet()
			r.at(r.now+1, trade(venue.Sell, 100, 3, r.now+1)...)
		} else {
			r.order(venue.Buy, venue.Limit, venue.IOC, 101, 3)
		}
		got := r.quiet()
		last := got[len(got)-1]
		require.Equal(t, venue.Fill, last.Kind)
		require.Equal(t, tif == venue.GTC, last.Flags&venue.Maker != 0)
		require.Equal(t, fee, last.Fee)
		require.Equal(t, ccy, last.FeeCcy)
	}
	f(func(*venue.Instrument) {}, venue.IOC, 60_600_000, 2)                                              // 0.2 % of 303
	f(func(*venue.Instrument) {}, venue.GTC, 30_000_000, 2)                                              // 0.1 % of 300
	f(func(in *venue.Instrument) { in.Fees.In = venue.FeeInBase }, venue.IOC, 600_000, 1)                // 0.2 % of 3 coins
	f(func(in *venue.Instrument) { in.Fees.Taker = 1 }, venue.IOC, 303, 2)                               // 10^-8 of 303
	f(func(in *venue.Instrument) { in.Fees.Taker, in.PriceScale = 1, 3 }, venue.IOC, 1, 2)               // of 0.303: up
	f(func(in *venue.Instrument) { in.Fees.Taker, in.PriceScale = fixed.One, 9 }, venue.IOC, 31, 2)      // all of 303 billionths: up
	f(func(in *venue.Instrument) { in.Fees.Maker, in.PriceScale = -5, 3 }, venue.GTC, -1, 2)             // a rebate of 1.5: less
	f(func(in *venue.Instrument) { in.Contract, in.Face, in.Settle = venue.Inverse, 100_00_000_000, 1 }, // 0.2 % of 300 ÷ 101 coins
		venue.IOC, 594_060, 1)
}

func TestReports_carryIdsThatAreUniqueAndExact(t *testing.T) {
	r := newRig(t, nil).live()
	r.order(venue.Buy, venue.Limit, venue.IOC, 102, 15)
	id := r.limit(venue.Sell, 110, 15)
	r.cancel(id)
	var refs []string
	for _, x := range r.quiet() {
		refs = append(refs, x.Kind.String()+" "+string(x.RefBytes()))
		require.EqualValues(t, 1, x.Venue)
		require.EqualValues(t, 1, x.Inst)
		require.EqualValues(t, x.Client, x.Slot)
		require.EqualValues(t, 15, x.Open)
	}
	require.Equal(t, []string{"ack O-1", "fill P-1", "fill P-2", "ack O-2", "cancelled O-2"}, refs)
}
