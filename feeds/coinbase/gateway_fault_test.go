package coinbase_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/venuesim"
)

func TestGateway_losesAndDoublesNothingUnderFaults(t *testing.T) {
	for _, f := range []struct {
		name  string
		rates venuesim.Rates
	}{
		{"lost_ack", venuesim.Rates{venuesim.LostAck: 300_000}},
		{"late_ack", venuesim.Rates{venuesim.LateAck: 400_000}},
		{"cut_accepted", venuesim.Rates{venuesim.CutAccepted: 300_000}},
		{"error_accepted", venuesim.Rates{venuesim.ErrorAccepted: 300_000}},
		{"reports", venuesim.Rates{venuesim.DuplicateReport: 300_000, venuesim.ReorderReport: 300_000}},
		{"lost_reports", venuesim.Rates{venuesim.Drop: 300_000}},
		{"disconnects", venuesim.Rates{venuesim.Disconnect: 400_000}},
		{"lost_cancel", venuesim.Rates{venuesim.LostCancel: 1_000_000}},
		{"limit", venuesim.Rates{venuesim.LimitOrders: 200_000}},
		{"expiry", venuesim.Rates{venuesim.SessionExpiry: 250_000}},
		{"restart", venuesim.Rates{venuesim.Restart: 3000}},
		{"lost_ack_and_report", venuesim.Rates{venuesim.LostAck: 300_000, venuesim.Drop: 300_000}},
	} {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, setup{acts: 1000})
			d.faults.Set(f.rates)
			var cs []venue.Command
			submit := func(c venue.Command) bool {
				out := d.gw.Submit(&c)
				<-time.After(45 * time.Millisecond)
				return out == venue.Out
			}
			for i := range 24 {
				bid, ask := d.touch(venue.Buy), d.touch(venue.Sell)
				var c venue.Command
				switch i % 3 {
				case 0:
					c = d.order(venue.Buy, venue.Limit, venue.IOC, ask.Price+50, 60_000)
				case 1:
					c = d.order(venue.Sell, venue.PostOnly, venue.GTC, ask.Price+fixed.Price(i), 60_000)
				default:
					c = d.order(venue.Buy, venue.Limit, venue.GTC, bid.Price-2000, 60_000)
				}
				if !submit(c) {
					continue
				}
				if i%3 != 0 {
					cs = append(cs, c)
				}
				if i%4 == 3 {
					submit(d.amendOf(c, c.Price-1, c.Qty-10_000))
				}
				if i%5 == 4 {
					submit(d.cancelOf(c))
				}
			}
			struck := uint64(0)
			for _, n := range d.faults.Counts() {
				struck += n
			}
			require.NotZero(t, struck, "the fault happened")
			d.faults.Set(venuesim.Rates{})
			d.until("agreement: "+f.name, func() bool { return d.disagreement() == "" })
			_ = cs
			d.until("lines", d.gw.Ready)
			d.submit(venue.Command{Op: venue.CancelAll, Venue: 3})
			d.until("the end of all orders", func() bool {
				for _, o := range d.sim.Orders(keyName) {
					if o.Status == "OPEN" {
						return false
					}
				}
				return d.disagreement() == ""
			})
			seen := map[string]bool{}
			for _, o := range d.sim.Orders(keyName) {
				require.False(t, seen[o.Client])
				seen[o.Client] = true
			}
			require.Zero(t, d.sim.Counters().Duplicates.Load(), "no create was sent twice")
			t.Log(f.name, "struck", struck, counters(d.gw))
		})
	}
}
