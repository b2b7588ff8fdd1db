package coinbase_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	orders "oneprice/books/desk"
	"oneprice/books/venue"
	"oneprice/feeds/coinbase"
	"oneprice/feeds/coinbase/coinbasesim"
	"oneprice/feeds/wire"
)

// again puts a new gateway in the place of the old one, as another process would; before runs between its making and its
// life.
func (d *desk) again(before func()) {
	d.t.Helper()
	d.stop()
	var err error
	d.gw, err = coinbase.NewGateway(d.opts)
	require.NoError(d.t, err)
	d.got.mu.Lock()
	d.got.list = nil
	d.got.mu.Unlock()
	if before != nil {
		before()
	}
	d.run(d.gw)
}

// rests places an order that stays.
func (d *desk) rests() venue.Command {
	d.t.Helper()
	c := d.order(venue.Buy, venue.PostOnly, venue.GTC, d.touch(venue.Buy).Price-1000, 200_000)
	d.submit(c)
	d.wait(c, venue.Ack)
	return c
}

func TestGateway_ordersOfAnEarlierRunAreCancelledByTheirClientIDs(t *testing.T) {
	d := newDesk(t, setup{})
	a, b := d.rests(), d.rests()
	d.again(nil)
	a.Slot, b.Slot = 0, 77
	ghost := d.order(venue.Buy, venue.PostOnly, venue.GTC, 1, 1)
	ghost.Slot = 0
	for _, c := range []venue.Command{a, b, ghost} {
		d.submit(d.cancelOf(c))
	}
	require.Equal(t, a.Client, d.wait(a, venue.Cancelled).Client)
	d.until("the second", func() bool {
		for _, r := range d.of(b.Client) {
			if r.Kind == venue.Cancelled {
				return true
			}
		}
		return false
	})
	require.Equal(t, venue.UnknownTarget, d.wait(ghost, venue.CancelRejected).Reason)
}

func TestGateway_adoptedOrdersKeepTheirSlotsAndAreFound(t *testing.T) {
	d := newDesk(t, setup{gw: func(o *coinbase.GatewayOptions) { o.Accepted = 500 * venue.Millisecond }})
	began := d.clock.Now()
	rests, moved, gone := d.rests(), d.rests(), d.rests()
	amend := d.amendOf(moved, moved.Price-100, 150_000)
	d.submit(amend)
	require.Equal(t, amend.Client, d.wait(moved, venue.Amended).Seq)
	d.submit(d.cancelOf(gone))
	d.wait(gone, venue.Cancelled)
	never := d.order(venue.Buy, venue.PostOnly, venue.GTC, d.touch(venue.Buy).Price-1000, 200_000)
	d.again(func() {
		for i, c := range []*venue.Command{&rests, &moved, &gone, &never} {
			c.Slot = uint32(3000 + i)
			o := &orders.Order{Side: c.Side, Type: c.Type, TIF: c.TIF, Inst: c.Inst, Slot: c.Slot, Client: c.Client, Price: c.Price, Qty: c.Qty, SentAt: began,
				NotAfter: began + venue.Second}
			if c == &moved { // nobody journalled that it took effect
				o.NextClient, o.NextPrice, o.NextQty = amend.Client, amend.Price, amend.Qty
			}
			d.gw.Adopt(o)
		}
	})
	d.wait(rests, venue.Ack)
	require.Equal(t, amend.Client, d.wait(moved, venue.Amended).Seq)
	d.wait(gone, venue.Cancelled)
	missed := 0
	d.until("the proof that there is no fourth", func() bool {
		missed = 0
		for _, r := range d.of(never.Client) {
			if r.Kind == venue.NotFound {
				missed++
			}
			if r.Proves() {
				return true
			}
		}
		return false
	})
	require.GreaterOrEqual(t, missed, 2, "one not-found proves nothing")
	d.submit(d.amendOf(rests, rests.Price-100, 150_000))
	d.wait(rests, venue.Amended)
	d.submit(venue.Command{Op: venue.CancelAll, Venue: 3})
	d.wait(rests, venue.Cancelled)
	d.wait(moved, venue.Cancelled)
}

// stranger places an order as another program on the account would.
func (d *desk) stranger(name string, price string) {
	d.t.Helper()
	const path = "/api/v3/brokerage/orders"
	bearer, err := d.opts.Signer.Append([]byte("Bearer "), http.MethodPost, path, d.clock.Now())
	require.NoError(d.t, err)
	body := fmt.Sprintf(`{"client_order_id":%q,"product_id":"BTC-USD","side":"BUY","order_configuration":{"limit_limit_gtc":{"base_size":"0.002","limit_price":%q,"post_only":false}}}`, name, price)
	req, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, d.opts.REST+path, strings.NewReader(body))
	require.NoError(d.t, err)
	req.Header.Set("Authorization", string(bearer))
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(d.t, err)
	require.NoError(d.t, resp.Body.Close())
	require.Equal(d.t, http.StatusOK, resp.StatusCode)
}

func TestGateway_ordersOfOthersAreReportedAndLeftAlone(t *testing.T) {
	d := newDesk(t, setup{})
	seen := func() (acks, fills int) {
		for _, r := range d.of(0) {
			switch r.Kind {
			case venue.Ack:
				acks++
				require.Len(t, r.RefBytes(), 36)
			case venue.Fill:
				fills++
			}
		}
		return acks, fills
	}
	d.stranger("another-1", "59000.00")
	d.stranger("another-2", "70000.00")
	d.until("news of both", func() bool { acks, fills := seen(); return acks == 2 && fills > 0 })
	d.again(nil)
	d.until("news of the one that is open", func() bool { acks, _ := seen(); return acks == 1 })
	_, fills := seen()
	require.Zero(t, fills, "what was filled before is no news")
	d.submit(venue.Command{Op: venue.CancelAll, Venue: 3})
	mine := d.rests()
	d.submit(d.cancelOf(mine))
	d.wait(mine, venue.Cancelled)
	require.Len(t, d.of(0), 1, "nothing happened to it")
}

func TestAdapter_loadsTheInstrumentsOfToday(t *testing.T) {
	d := newDesk(t, setup{})
	ls, err := coinbase.Adapter.Load(t.Context(), wire.FeedConfig{Net: d.opts.Net, Clock: d.clock, REST: d.opts.REST})
	require.NoError(t, err)
	require.Len(t, ls, len(d.opts.Instruments))
	l := ls[0]
	require.Equal(t, []string{"BTC-USD", "BTC", "USD", "0.01", "0.00001000"}, []string{l.Symbol, l.Base, l.Quote, l.Tick, l.Lot})
	require.Equal(t, venue.Trading, l.Status)
}

func TestGateway_checkSaysTheClockTheKeyAndTheFees(t *testing.T) {
	d := newDesk(t, setup{sim: func(c *coinbasesim.Config) { c.Accounts[0].ReadOnly = true }})
	a, err := d.gw.Check(t.Context())
	require.NoError(t, err)
	require.True(t, a.Stated && !a.Trade && !a.Withdraw)
	require.LessOrEqual(t, max(a.Offset, -a.Offset), a.Within, "it is our own clock")
	require.Len(t, a.Fees, len(d.opts.Instruments))
	require.EqualValues(t, 600_000, a.Fees[0].Taker)
	c := d.order(venue.Buy, venue.PostOnly, venue.GTC, d.touch(venue.Buy).Price-1000, 200_000)
	d.submit(c)
	require.Equal(t, venue.AuthFailed, d.wait(c, venue.RejectedReport).Reason)
}
