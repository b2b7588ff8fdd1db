package binance_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/binance"
	"oneprice/feeds/binance/binancesim"
	"oneprice/feeds/venuesim"
	"oneprice/feeds/wire"
)

// held is the simulator's position of the account.
func (r *rig) held() (qty fixed.Qty, entry fixed.Price) {
	for _, p := range r.sim.Positions(r.key) {
		qty, entry = p.Qty, p.Entry
	}
	return qty, entry
}

func TestFutures_ordinaryLifeOfOrders(t *testing.T) {
	both(t, func(t *testing.T, hmac bool) {
		t.Parallel()
		r := newRig(t, rigOptions{usdm: true, hmac: hmac})
		bid, ask := r.touch(venue.Buy), r.touch(venue.Sell)
		rests := r.send(r.new(venue.Limit, venue.GTC, venue.Buy, bid-1000, 1000))
		maker := r.send(r.new(venue.PostOnly, venue.GTC, venue.Sell, ask+1000, 1000))
		takes := r.send(r.new(venue.Limit, venue.IOC, venue.Buy, ask+500, 700))
		misses := r.send(r.new(venue.Limit, venue.IOC, venue.Buy, bid-500, 700))
		whole := r.send(r.new(venue.Limit, venue.FOK, venue.Sell, bid-500, 900))
		cannot := r.send(r.new(venue.Limit, venue.FOK, venue.Buy, ask, 8_00000))
		crosses := r.send(r.new(venue.PostOnly, venue.GTC, venue.Buy, ask+10, 1000))
		r.until("first answers", func() bool {
			return r.of(rests).saw(venue.Ack) && r.of(maker).saw(venue.Ack) && r.of(takes) != nil && r.of(takes).filled == 700 && r.of(misses).saw(venue.Expired) &&
				r.of(whole) != nil && r.of(whole).filled == 900 && r.of(cannot).saw(venue.Expired) && r.of(crosses).saw(venue.RejectedReport)
		})
		require.Equal(t, venue.Unfilled, r.of(misses).why)
		require.Equal(t, venue.Unfilled, r.of(cannot).why)
		require.Equal(t, venue.PostOnlyCross, r.of(crosses).why)
		fill := r.of(takes).last
		require.EqualValues(t, 2, fill.FeeCcy, "fees are paid in the margin's asset")
		require.Positive(t, int64(fill.Fee))
		require.True(t, strings.HasPrefix(string(fill.RefBytes()), "BTCUSDT:"))
		r.until("the position", func() bool { return r.book.position == -200 })

		id := r.at(rests).ID
		r.send(r.about(venue.Amend, rests, bid-1000, 600))
		r.until("the reduction", func() bool { return r.of(rests).open == 600 })
		moved := r.send(r.about(venue.Amend, rests, bid-900, 900))
		r.until("another price", func() bool { return r.of(rests).open == 900 && r.of(rests).price == bid-900 })
		require.Equal(t, moved.Client, r.of(rests).last.Seq)
		require.Equal(t, id, r.at(rests).ID, "it is the same order still")
		same := r.send(r.about(venue.Amend, rests, bid-900, 900))
		r.until("its refusal", func() bool { return r.of(rests).saw(venue.AmendRejected) })
		require.Equal(t, same.Client, r.of(rests).last.Seq)
		through := r.send(r.about(venue.Amend, maker, bid-100, 1000))
		r.until("the end of a maker that would take", func() bool { return r.of(maker).end != venue.NoReport })
		require.NotZero(t, through.Client)
		require.Zero(t, r.of(maker).filled)

		r.send(r.about(venue.Cancel, rests, 0, 0))
		r.until("the cancel", func() bool { return r.of(rests).ended(venue.Cancelled) })
		require.Equal(t, venue.UserCancel, r.of(rests).why)
		a, b := r.send(r.new(venue.Limit, venue.GTC, venue.Buy, bid-1000, 1000)), r.send(r.new(venue.Limit, venue.GTC, venue.Sell, ask+2000, 1000))
		r.until("two orders", func() bool { return r.of(a).saw(venue.Ack) && r.of(b).saw(venue.Ack) })
		r.next++
		r.send(&venue.Command{Op: venue.CancelAll, Venue: 1, Inst: 1, Client: r.next})
		r.until("cancel all", func() bool { return r.of(a).ended(venue.Cancelled) && r.of(b).ended(venue.Cancelled) })
		require.Equal(t, venue.UserCancel, r.of(a).why)
		require.Empty(t, r.openAtVenue())
		r.agrees([]*venue.Command{rests, maker, takes, misses, whole, a, b})
	})
}

func TestFutures_reduceOnlyReducesAndNothingElse(t *testing.T) {
	r := newRig(t, rigOptions{usdm: true})
	bid, ask := r.touch(venue.Buy), r.touch(venue.Sell)
	reduce := func(side venue.Side, tif venue.TIF, price fixed.Price, qty fixed.Qty) *venue.Command {
		c := r.new(venue.Limit, tif, side, price, qty)
		c.Flags |= venue.ReduceOnlyFlag
		return r.send(c)
	}
	nothing := reduce(venue.Sell, venue.GTC, ask, 500)
	r.until("a refusal without a position", func() bool { return r.of(nothing).ended(venue.RejectedReport) })
	require.Equal(t, venue.ReduceOnlyMode, r.of(nothing).why)

	opens := r.send(r.new(venue.Limit, venue.IOC, venue.Buy, ask+500, 1000))
	r.until("a position", func() bool { return r.of(opens) != nil && r.of(opens).filled == 1000 && r.book.position == 1000 })
	qty, entry := r.held()
	require.EqualValues(t, 1000, qty)
	require.EqualValues(t, r.of(opens).worth/1000, entry, "the average of its fills")
	more := reduce(venue.Sell, venue.GTC, ask+1000, 1001)
	r.until("a refusal of too much", func() bool { return r.of(more).ended(venue.RejectedReport) })
	rests := reduce(venue.Sell, venue.GTC, ask+1000, 1000)
	r.until("an order over all of it", func() bool { return r.of(rests).saw(venue.Ack) })
	tiny := reduce(venue.Sell, venue.GTC, ask+2000, 1) // there is nothing left to reduce, and it is no matter of the notional
	r.until("a refusal beside it", func() bool { return r.of(tiny).ended(venue.RejectedReport) })
	require.Equal(t, venue.ReduceOnlyMode, r.of(tiny).why)

	before := r.sim.Balances(r.key)[0].Free
	closes := r.send(r.new(venue.Limit, venue.IOC, venue.Sell, bid-500, 1000))
	r.until("an end of what has nothing to reduce", func() bool { return r.of(rests).ended(venue.Expired) && r.book.position == 0 })
	require.Equal(t, venue.VenueCancel, r.of(rests).why)
	require.EqualValues(t, 1000, r.of(closes).filled)
	gain := fixed.Cash(r.of(closes).worth-r.of(opens).worth) * 10 // cents x 10^-5 coins, at 10^-8
	require.Equal(t, before+gain-r.of(closes).fees, r.sim.Balances(r.key)[0].Free, "what the average entry says is realised")
	r.until("the same wallet by the stream", func() bool { return r.book.balances[2] == fixed.Qty(r.sim.Balances(r.key)[0].Free) })
}

func TestFutures_refusalsByReason(t *testing.T) {
	r := newRig(t, rigOptions{usdm: true, funds: []binancesim.Funds{{Asset: "USDT", Free: 10_000_00000000}}})
	bid, ask := r.touch(venue.Buy), r.touch(venue.Sell)
	for _, c := range []struct {
		price fixed.Price
		qty   fixed.Qty
		why   venue.Reason
	}{
		{bid, 1, venue.BelowMinNotional},
		{bid * 6, 1000, venue.PriceCollar},
		{ask + 100, 5_00000, venue.InsufficientFunds}, // 300,000 at leverage 20
		{ask + 100, 9001_00000, venue.AboveMaxQty},
	} {
		o := r.send(r.new(venue.Limit, venue.GTC, venue.Sell, c.price, c.qty))
		r.until(c.why.String(), func() bool { return r.of(o).saw(venue.RejectedReport) })
		require.Equal(t, c.why, r.of(o).why)
	}
	c := r.new(venue.StopLoss, venue.GTC, venue.Buy, ask+2000, 500)
	c.Stop = ask + 4
	require.Equal(t, venue.NotSent, r.gw.Submit(c), "stops are another service's at this venue")
	require.Empty(t, r.sim.Orders(r.key))
}

func TestFutures_aPartlyFilledOrderIsModified(t *testing.T) {
	r := newRig(t, rigOptions{usdm: true})
	bid, ask := r.touch(venue.Buy), r.touch(venue.Sell)
	c := r.send(r.new(venue.Limit, venue.GTC, venue.Sell, bid, 2_00000)) // more than stands there
	r.until("a part", func() bool { o := r.of(c); return o.saw(venue.Ack) && o.filled > 0 })
	part := r.of(c).filled
	r.send(r.about(venue.Amend, c, ask+1000, 1_90000))
	r.until("its effect", func() bool { return r.of(c).open == 1_90000 && r.of(c).price == ask+1000 })
	require.Equal(t, part, r.at(c).Cum, "the quantity counts what is filled")
	r.send(r.about(venue.Cancel, c, 0, 0))
	r.until("its end", func() bool { return r.of(c).ended(venue.Cancelled) })
	require.Equal(t, part, r.of(c).stated)
}

func TestFutures_checkAndSweepSayAllOfTheAccount(t *testing.T) {
	r := newRig(t, rigOptions{usdm: true})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	a, err := r.gw.Check(ctx)
	require.NoError(t, err)
	require.LessOrEqual(t, max(a.Offset, -a.Offset), a.Within, "it is our own clock")
	require.Len(t, a.Fees, 1)
	require.EqualValues(t, 100_000, a.Fees[0].Taker)

	bid, ask := r.touch(venue.Buy), r.touch(venue.Sell)
	rests := r.send(r.new(venue.Limit, venue.GTC, venue.Buy, bid-1000, 1000))
	takes := r.send(r.new(venue.Limit, venue.IOC, venue.Sell, bid-500, 700))
	r.until("both", func() bool { return r.of(rests).saw(venue.Ack) && r.of(takes) != nil && r.of(takes).filled == 700 })
	r.until("the position", func() bool { return r.book.position == -700 })
	swept := r.sweep()
	require.EqualValues(t, 700, swept.orders[takes.Client].filled)
	require.True(t, swept.orders[rests.Client].saw(venue.Ack))
	require.EqualValues(t, -700, swept.position)
	require.EqualValues(t, r.sim.Balances(r.key)[0].Free, swept.balances[2])

	left := []*venue.Command{rests}
	r.restart(nil) // another process knows none of it
	r.until("the session", r.gw.Ready)
	r.next++
	r.send(&venue.Command{Op: venue.Cancel, Venue: 1, Inst: 1, Client: r.next, Target: left[0].Client})
	r.until("the cancel", func() bool { o := r.of(rests); return o != nil && o.end == venue.Cancelled })
	require.NotZero(t, ask)

	hedged := newRig(t, rigOptions{usdm: true, hedge: true})
	_, err = hedged.gw.Check(ctx)
	require.ErrorContains(t, err, "one-way")
	o := hedged.send(hedged.new(venue.Limit, venue.GTC, venue.Buy, bid-1000, 1000))
	hedged.until("a refusal", func() bool { return hedged.of(o).ended(venue.RejectedReport) })
	require.Equal(t, venue.NotAllowed, hedged.of(o).why)
}

func TestFutures_wrongKeyStopsTheVenue(t *testing.T) {
	r := newRig(t, rigOptions{usdm: true, skip: true})
	for _, change := range []func(*binance.GatewayOptions){
		func(o *binance.GatewayOptions) { o.Key = r.secret("nobody") },
		func(o *binance.GatewayOptions) { o.Key = r.secret(macKey) },
		func(o *binance.GatewayOptions) { o.Key, o.Secret = r.secret(macKey), r.secret("another") },
	} {
		o := r.opt
		change(&o)
		g, err := binance.NewFutures(o)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		var e *wire.Error
		require.ErrorAs(t, g.Run(ctx, newBook()), &e)
		require.Equal(t, wire.Auth, e.Kind)
		require.False(t, g.Ready())
	}
}

func TestFutures_unansweredRequestsAreAskedForAndNeverResent(t *testing.T) {
	for _, k := range []venuesim.Fault{venuesim.LostAck, venuesim.LateAck, venuesim.CutAccepted, venuesim.ErrorAccepted, venuesim.SessionExpiry} {
		t.Run(k.String(), func(t *testing.T) {
			t.Parallel()
			rate := uint32(1_000_000)
			if k == venuesim.SessionExpiry {
				rate = 0
			}
			r := newRig(t, rigOptions{usdm: true, faults: only(k, rate)})
			bid, ask := r.touch(venue.Buy), r.touch(venue.Sell)
			r.fault.Owe(k) // the one whose rate is nothing strikes once
			rests := r.send(r.new(venue.Limit, venue.GTC, venue.Buy, bid-1000, 1000))
			r.until("news of the order", func() bool {
				return r.of(rests).saw(venue.Ack) || r.of(rests).saw(venue.NotFound) || r.of(rests).saw(venue.RejectedReport)
			})
			r.until("the session again", r.gw.Ready)
			var takes *venue.Command
			r.until("room for an order", func() bool {
				takes = r.new(venue.Limit, venue.IOC, venue.Buy, ask+500, 700)
				return r.gw.Submit(takes) == venue.Out
			})
			r.until("news of the fill", func() bool {
				o := r.of(takes)
				return o != nil && (o.filled == 700 || o.end != venue.NoReport)
			})
			r.settles([]*venue.Command{rests, takes})
		})
	}
}

func TestFutures_agreesWithTheVenueUnderAllFaults(t *testing.T) {
	t.Parallel()
	rates := venuesim.PrivateFaults
	rates[venuesim.Restart], rates[venuesim.CutAccepted], rates[venuesim.SessionExpiry] = 500, 10_000, 5000
	r := newRig(t, rigOptions{usdm: true, faults: venuesim.NewFaults(20+rounds.Add(1), rates), acts: 500})
	r.agreesUnderFaults(2 * time.Second)
	qty, _ := r.held()
	require.Equal(t, qty, r.sweep().position)
}

// TestFutures_adoptedOrdersAreFound leaves an order with an amend in doubt, one that was filled and one that never left to
// another process.
func TestFutures_adoptedOrdersAreFound(t *testing.T) {
	for _, took := range []bool{true, false} {
		r := newRig(t, rigOptions{usdm: true, change: func(o *binance.GatewayOptions) { o.Window = 300 * venue.Millisecond }})
		bid, ask := r.touch(venue.Buy), r.touch(venue.Sell)
		rests := r.send(r.new(venue.Limit, venue.GTC, venue.Buy, bid-1000, 1000))
		filled := r.send(r.new(venue.Limit, venue.GTC, venue.Buy, ask+500, 900))
		r.until("both", func() bool { return r.of(rests).saw(venue.Ack) && r.of(filled) != nil && r.of(filled).filled == 900 })
		never := r.new(venue.Limit, venue.GTC, venue.Buy, bid-1000, 1000)
		change := r.about(venue.Amend, rests, bid-900, 1000)
		if took {
			r.send(change)
			r.until("the amend", func() bool { return r.of(rests).price == bid-900 })
		}
		r.restart(func() {
			for i, c := range []*venue.Command{rests, filled, never} {
				o := left(c)
				o.Slot = uint32(100 + i)
				if c == rests {
					o.NextClient, o.NextPrice, o.NextQty = change.Client, change.Price, change.Qty
				}
				r.gw.Adopt(o)
			}
		})
		r.until("their fates", func() bool {
			if took && !r.of(rests).saw(venue.Amended) || !took && !r.of(rests).saw(venue.AmendRejected) {
				return false
			}
			return r.of(filled) != nil && r.of(filled).filled == 900 && r.of(never).ended(venue.NotFound)
		})
		require.EqualValues(t, 100, r.of(rests).last.Slot)
		moved := &venue.Command{Slot: 100, Client: rests.Client}
		r.until("another amend", func() bool { return r.gw.Submit(r.about(venue.Amend, moved, bid-800, 1100)) == venue.Out })
		r.until("its effect", func() bool { return r.of(rests).open == 1100 && r.of(rests).price == bid-800 })
		require.Len(t, r.openAtVenue(), 1)
	}
}

func TestFutures_cancelsByRestWithoutAConnection(t *testing.T) {
	r := newRig(t, rigOptions{usdm: true})
	c := r.send(r.new(venue.Limit, venue.GTC, venue.Buy, r.touch(venue.Buy)-1000, 1000))
	r.until("the order", func() bool { return r.of(c).saw(venue.Ack) })
	var rates venuesim.Rates
	rates[venuesim.Restart], rates[venuesim.Refuse] = 1_000_000, 1_000_000
	r.fault.Set(rates)
	r.until("the loss", func() bool { return !r.gw.Ready() })
	r.send(r.about(venue.Cancel, c, 0, 0))
	r.until("the cancel", func() bool { return r.of(c).ended(venue.Cancelled) })
	require.Empty(t, r.openAtVenue())
}
