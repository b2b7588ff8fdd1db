package kraken_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"oneprice/books/venue"
	"oneprice/feeds/kraken"
	"oneprice/feeds/venuesim"
)

// sweep runs a Sweep into reports of its own.
func (d *desk) sweep() *kept {
	d.t.Helper()
	k := &kept{}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	require.NoError(d.t, d.gate.Sweep(ctx, 0, k))
	return k
}

func TestGateway_everyPrivateFaultLeavesEachOrderKnownOrUnknown(t *testing.T) {
	for _, f := range []venuesim.Fault{venuesim.LostAck, venuesim.LateAck, venuesim.CutAccepted, venuesim.ErrorAccepted, venuesim.DuplicateReport,
		venuesim.ReorderReport, venuesim.LostCancel, venuesim.LimitOrders, venuesim.SessionExpiry, venuesim.Drop} {
		t.Run(f.String(), func(t *testing.T) {
			d := open(t, option{tier: kraken.Pro, quiet: true})
			var rates venuesim.Rates
			rates[f] = 400_000
			d.faults.Set(rates)
			var sent []*venue.Command
			for range 12 {
				c := d.order()
				if d.gate.Submit(c) == venue.Out {
					sent = append(sent, c)
				}
				d.until("the venue to have looked", func() bool {
					_, at := d.held(c)
					return at || len(d.got.of(func(r *venue.Report) bool { return r.Client == c.Client })) > 0 || !d.gate.Ready()
				})
				d.until("the gateway", d.gate.Ready)
			}
			if f == venuesim.LostCancel {
				for _, c := range sent {
					d.out(d.about(c, venue.Cancel))
				}
				d.until("a lost cancel", func() bool { return d.faults.Counts()[f] > 0 })
			}
			d.faults.Set(venuesim.Rates{})
			require.NotZero(t, d.faults.Counts()[f], "the fault never struck")
			d.until("an answer of each", func() bool {
				for _, c := range sent {
					if len(d.got.of(func(r *venue.Report) bool { return r.Client == c.Client })) == 0 {
						return false
					}
				}
				return true
			})
			d.until("the gateway", d.gate.Ready)
			found := d.sweep()
			seen := map[string]bool{}
			for _, h := range d.sim.Orders(apiKey) {
				require.False(t, seen[h.Client], "doubled")
				seen[h.Client] = true
			}
			for _, c := range sent {
				_, at := d.held(c)
				acked := len(d.reports(c, venue.Ack)) > 0
				swept := len(found.of(func(r *venue.Report) bool { return r.Client == c.Client && r.Kind == venue.Ack })) > 0
				require.Equal(t, at, swept, "sweep shows what the venue has")
				require.False(t, acked && !at, "acknowledged but not there")
				require.False(t, at && len(d.reports(c, venue.RejectedReport)) > 0, "rejected but there")
			}
		})
	}
}

func TestGateway_sweepFindsOrdersFillsAndBalances(t *testing.T) {
	d := open(t, option{tier: kraken.Pro, quiet: true})
	rest, take, gone := d.order(), d.order(), d.order()
	take.TIF, take.Price, take.Qty = venue.IOC, 6_100_000, 2_000_000
	for _, c := range []*venue.Command{rest, take, gone} {
		d.out(c)
		d.sees(c, venue.Ack)
	}
	d.out(d.about(gone, venue.Cancel))
	d.sees(gone, venue.Cancelled)
	d.sees(take, venue.Fill)
	k := d.sweep()
	of := func(c *venue.Command, kind venue.ReportKind) int {
		return len(k.of(func(r *venue.Report) bool {
			return r.Client == c.Client && r.Kind == kind && r.Flags&venue.Recovered != 0
		}))
	}
	h, _ := d.held(take)
	require.Equal(t, 1, of(rest, venue.Ack))
	require.Equal(t, len(h.Trades), of(take, venue.Fill))
	require.Equal(t, 1, of(gone, venue.Cancelled))
	require.Len(t, k.of(func(r *venue.Report) bool { return r.Kind == venue.Balance }), 2)
	for _, r := range k.of(func(r *venue.Report) bool { return r.Kind == venue.Fill }) {
		require.Contains(t, h.Trades, string(r.RefBytes()))
	}
}
