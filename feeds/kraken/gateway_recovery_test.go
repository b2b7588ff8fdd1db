package kraken_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	orders "oneprice/books/desk"
	"oneprice/books/venue"
	"oneprice/feeds/kraken"
	"oneprice/feeds/venuesim"
	"oneprice/feeds/wire"
)

// again puts a new gateway in the place of the old one, as another process would; before runs between its making and its
// life.
func (d *desk) again(before func()) {
	d.t.Helper()
	require.NoError(d.t, d.stop())
	var err error
	d.gate, err = kraken.NewGateway(d.opt)
	require.NoError(d.t, err)
	d.got.mu.Lock()
	d.got.all = nil
	d.got.mu.Unlock()
	if before != nil {
		before()
	}
	gate := d.gate
	d.stop = go0(d.t, func(ctx context.Context) error { return gate.Run(ctx, &d.got) })
	d.until("the gateway to be ready", d.gate.Ready)
}

func (d *desk) rest() *venue.Command {
	c := d.order()
	d.out(c)
	d.sees(c, venue.Ack)
	return c
}

func TestGateway_ordersOfAnEarlierRunAreCancelledByTheirClientIDs(t *testing.T) {
	d := open(t, option{tier: kraken.Pro, quiet: true})
	a, b := d.rest(), d.rest()
	d.again(nil)
	k := d.sweep()
	require.Len(t, k.of(func(r *venue.Report) bool { return r.Kind == venue.Ack && r.Client == a.Client && r.Slot == 0 }), 1)
	for _, slot := range []uint32{0, 77} {
		c := &venue.Command{Op: venue.Cancel, Venue: 4, Inst: 1, Slot: slot, Client: 1<<40 + uint64(slot), Target: a.Client}
		if slot != 0 {
			c.Target = b.Client
		}
		d.out(c)
	}
	a.Slot, b.Slot = 0, 77
	d.sees(a, venue.Cancelled)
	d.sees(b, venue.Cancelled)
	ghost := &venue.Command{Op: venue.Cancel, Venue: 4, Inst: 1, Client: 1<<40 + 99, Target: 12345}
	d.out(ghost)
	d.until("the refusal of a third", func() bool {
		return len(d.got.of(func(r *venue.Report) bool {
			return r.Kind == venue.CancelRejected && r.Client == 12345 && r.Slot == 0 && r.Reason == venue.UnknownTarget
		})) == 1
	})
}

func TestGateway_adoptedOrdersKeepTheirSlotsAndAreFound(t *testing.T) {
	d := open(t, option{tier: kraken.Pro, quiet: true})
	rests, gone := d.rest(), d.rest()
	d.out(d.about(gone, venue.Cancel))
	d.sees(gone, venue.Cancelled)
	began := d.clock.Now()
	never := d.order()
	never.TIF = venue.IOC
	d.again(func() {
		for i, c := range []*venue.Command{rests, gone, never} {
			c.Slot = uint32(200 + i)
			d.gate.Adopt(&orders.Order{Side: c.Side, Type: c.Type, TIF: c.TIF, Inst: c.Inst, Slot: c.Slot, Client: c.Client, Price: c.Price, Qty: c.Qty,
				SentAt: began - venue.Second})
		}
	})
	d.sees(rests, venue.Ack)
	d.sees(gone, venue.Cancelled)
	d.until("the proof that there is no third", func() bool {
		return len(d.got.of(func(r *venue.Report) bool { return r.Client == never.Client && r.Proves() })) == 1
	})
	require.Greater(t, d.clock.Now()-began, 4*venue.Second, "only once it could no longer be executed, and again")
	for _, r := range d.got.of(func(r *venue.Report) bool { return r.Client == rests.Client }) {
		require.EqualValues(t, 200, r.Slot)
	}
	d.out(&venue.Command{Op: venue.CancelAll, Venue: 4, Inst: 1, Client: 1 << 41})
	d.sees(rests, venue.Cancelled)
}

func TestGateway_doubtEndsByItself(t *testing.T) {
	for _, f := range []venuesim.Fault{venuesim.LostAck, venuesim.ErrorAccepted} {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			d := open(t, option{tier: kraken.Pro, quiet: true})
			c := d.rest()
			var rates venuesim.Rates
			rates[f], rates[venuesim.Drop] = 1_000_000, 1_000_000
			d.faults.Set(rates)
			amend := d.about(c, venue.Amend)
			amend.Price, amend.Qty = c.Price-1000, c.Qty
			d.out(amend)
			d.until("doubt", func() bool { return len(d.reports(c, venue.SentReport)) > 0 })
			d.faults.Set(venuesim.Rates{})
			d.until("its end", func() bool {
				return len(d.got.of(func(r *venue.Report) bool {
					return r.Kind == venue.Amended && r.Client == c.Client && r.Seq == amend.Client
				})) > 0
			})
		})
	}
}

func TestAdapter_loadsTheInstrumentsOfToday(t *testing.T) {
	d := open(t, option{noSocket: true})
	ls, err := kraken.Adapter.Load(t.Context(), wire.FeedConfig{Net: d.opt.Net, Clock: d.clock, REST: d.opt.REST})
	require.NoError(t, err)
	require.Len(t, ls, 2)
	l := ls[0]
	require.Equal(t, []string{"BTC/USD", "BTC", "USD", "0.1", "0.00000001"}, []string{l.Symbol, l.Base, l.Quote, l.Tick, l.Lot})
	require.Equal(t, venue.Trading, l.Status)
	require.NotNil(t, l.Checksum)
	_, err = kraken.Adapter.Load(t.Context(), wire.FeedConfig{Net: d.opt.Net, Clock: d.clock, REST: d.opt.REST + "/nothing"})
	var e *wire.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, wire.Refused, e.Kind)
}

func TestGateway_checkSaysTheClockTheKeyAndTheFees(t *testing.T) {
	d := open(t, option{noSocket: true})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	a, err := d.gate.Check(ctx)
	require.NoError(t, err)
	require.True(t, a.Stated && a.Trade && !a.Withdraw)
	require.LessOrEqual(t, max(a.Offset, -a.Offset), a.Within, "it is our own clock")
	require.Len(t, a.Fees, 2)
	require.EqualValues(t, 400_000, a.Fees[0].Taker)
	require.EqualValues(t, 250_000, a.Fees[1].Maker)
}
