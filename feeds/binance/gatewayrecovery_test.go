package binance_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"oneprice/books/desk"
	"oneprice/books/venue"
	"oneprice/feeds/binance"
	"oneprice/feeds/sign"
	"oneprice/feeds/venuesim"
	"oneprice/feeds/wire"
)

// left is an order as recovery has it, of which the venue has said nothing.
func left(c *venue.Command) *desk.Order {
	return &desk.Order{State: desk.Unknown, Side: c.Side, Type: c.Type, TIF: c.TIF, Venue: c.Venue, Inst: c.Inst, Slot: c.Slot, Client: c.Client, Price: c.Price,
		Qty: c.Qty, SentAt: c.Decided, NotAfter: c.NotAfter}
}

// earlier leaves the orders of an earlier run behind: one that rests, one that was replaced and has an amend under way, one
// that was cancelled after a fill of a part.
func (r *rig) earlier() (orders [3]*desk.Order) {
	bid, ask := r.touch(venue.Buy), r.touch(venue.Sell)
	rests := r.send(r.new(venue.Limit, venue.GTC, venue.Buy, bid-1000, 1000))
	moved := r.send(r.new(venue.Limit, venue.GTC, venue.Buy, bid-1000, 2000))
	part := r.send(r.new(venue.Limit, venue.GTC, venue.Sell, bid, 2_00000)) // more than stands there
	r.until("three orders", func() bool {
		return r.of(rests).saw(venue.Ack) && r.of(moved).saw(venue.Ack) && r.of(part).saw(venue.Ack) && r.of(part).filled > 0
	})
	reduce := r.send(r.about(venue.Amend, moved, bid-1000, 1900))
	r.until("the reduction", func() bool { return r.of(moved).last.Seq == reduce.Client })
	replace := r.send(r.about(venue.Amend, moved, bid-900, 1800))
	r.until("the replacement", func() bool { return r.of(moved).last.Seq == replace.Client })
	failed := r.send(r.about(venue.Amend, moved, ask*6, 1800))
	r.until("a refused amend", func() bool { return r.of(moved).saw(venue.AmendRejected) })
	require.Equal(r.t, failed.Client, r.of(moved).last.Seq)
	r.send(r.about(venue.Cancel, part, 0, 0))
	r.until("the cancel", func() bool { return r.of(part).end == venue.Cancelled })
	orders = [3]*desk.Order{left(rests), left(moved), left(part)}
	for _, o := range orders[:2] {
		o.Ref = r.book.orders[o.Client].ref
	}
	o := orders[1]
	o.Price, o.Qty, o.Alias = replace.Price, replace.Qty, replace.Client
	o.NextPrice, o.NextQty, o.NextClient = failed.Price, failed.Qty, failed.Client // its refusal was not journalled
	return orders
}

func (r *rig) sweep() *book {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	b := newBook()
	require.NoError(r.t, r.gw.Sweep(ctx, 0, b))
	return b
}

func TestGateway_ordersOfAnEarlierRunAreCancelledByTheirClientIDs(t *testing.T) {
	r := newRig(t, rigOptions{})
	orders := r.earlier()
	rests, moved := orders[0], orders[1].Alias
	r.restart(nil)
	r.until("the session", r.gw.Ready)
	swept := r.sweep()
	require.Zero(t, swept.orders[rests.Client].last.Slot)
	require.True(t, swept.orders[rests.Client].saw(venue.Ack))
	require.True(t, swept.orders[moved].saw(venue.Ack), "a replaced order has its amend's id")
	cancel := func(target uint64, slot uint32) *venue.Command {
		r.next++
		return r.send(&venue.Command{Op: venue.Cancel, Venue: 1, Inst: 1, Slot: slot, Client: r.next, Target: target})
	}
	cancel(rests.Client, 0)
	cancel(moved, 77)
	cancel(12345, 0)
	r.until("two cancels", func() bool {
		a, b := r.book.orders[rests.Client], r.book.orders[moved]
		return a != nil && a.end == venue.Cancelled && b != nil && b.end == venue.Cancelled
	})
	require.Empty(t, r.openAtVenue())
	r.until("the refusal of a third", func() bool { return r.book.orders[12345].saw(venue.CancelRejected) })
	require.Equal(t, venue.UnknownTarget, r.book.orders[12345].last.Reason)
}

func TestGateway_adoptedOrdersAreFoundByAnyOfTheirIDs(t *testing.T) {
	for _, swept := range []bool{false, true} {
		r := newRig(t, rigOptions{})
		orders := r.earlier()
		r.restart(func() {
			for i, o := range orders {
				o.Slot = uint32(100 + i)
				r.gw.Adopt(o)
			}
			if swept {
				r.fault.Set(venuesim.Rates{venuesim.Refuse: 1_000_000})
			}
		})
		of := func(i int) *traded { return r.book.orders[orders[i].Client] }
		moved := &venue.Command{Slot: 101, Client: orders[1].Client, Price: orders[1].Price}
		if swept { // nothing but REST says what became of them
			b := r.sweep()
			moved, part := b.orders[orders[1].Client], b.orders[orders[2].Client]
			require.True(t, moved.saw(venue.Ack))
			require.EqualValues(t, 101, moved.last.Slot)
			require.Equal(t, venue.Cancelled, part.end)
			require.Equal(t, part.stated, part.filled)
			r.fault.Set(venuesim.Rates{})
		} else {
			r.until("their fates", func() bool {
				return of(0).saw(venue.Ack) && of(1).saw(venue.AmendRejected) && of(2) != nil && of(2).end == venue.Cancelled && of(2).filled == of(2).stated
			})
			require.Positive(t, int64(of(2).filled))
			require.EqualValues(t, 1800, of(1).open)
		}
		r.until("the session", r.gw.Ready)
		r.until("an amend", func() bool { return r.gw.Submit(r.about(venue.Amend, moved, moved.Price+50, 1700)) == venue.Out })
		r.until("its effect", func() bool { return r.of(moved).saw(venue.Amended) && r.of(moved).open == 1700 })
		r.next++
		r.send(&venue.Command{Op: venue.CancelAll, Venue: 1, Client: r.next})
		r.until("the end", func() bool {
			return of(0) != nil && of(0).end == venue.Cancelled && of(1).end == venue.Cancelled
		})
		require.Equal(t, uint32(101), of(1).last.Slot)
	}
}

func TestAdapter_loadsTheInstrumentsOfToday(t *testing.T) {
	r := newRig(t, rigOptions{})
	ls, err := binance.Spot.Load(t.Context(), wire.FeedConfig{Net: r.opt.Net, Clock: r.clock, REST: r.opt.REST})
	require.NoError(t, err)
	require.Len(t, ls, 1)
	l := ls[0]
	require.Equal(t, []string{"BTCUSDT", "BTC", "USDT", "0.01", "0.00001"}, []string{l.Symbol, l.Base, l.Quote, l.Tick, l.Lot})
	require.Equal(t, venue.Trading, l.Status)
	require.NotEmpty(t, l.MinNotional)
}

func TestGateway_checkSaysTheClockTheKeyAndTheFees(t *testing.T) {
	both(t, func(t *testing.T, hmac bool) {
		r := newRig(t, rigOptions{hmac: hmac})
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		a, err := r.gw.Check(ctx)
		require.NoError(t, err)
		require.True(t, a.Stated && a.Trade && !a.Withdraw)
		require.LessOrEqual(t, max(a.Offset, -a.Offset), a.Within, "it is our own clock")
		require.Len(t, a.Fees, 1)
		require.EqualValues(t, 100_000, a.Fees[0].Taker)
		o := r.opt
		o.Secret = sign.SecretOf("test", []byte("another"))
		if !hmac {
			o.Key = sign.SecretOf("test", []byte(macKey))
		}
		g, err := binance.NewGateway(o)
		require.NoError(t, err)
		_, err = g.Check(ctx)
		var e *wire.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, wire.Auth, e.Kind)
	})
}
