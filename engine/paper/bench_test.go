package paper

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/engine"
)

// busy is a market with so many resting orders and consumed levels, and batches made beforehand: frames of 20 levels,
// one batch in four a print.
func busy(t testing.TB, orders, consumed int) (*rig, [][]venue.Event) {
	r := newRig(t, func(c *Config, in *venue.Instrument) {
		c.Orders, c.Commands, c.Levels, in.MinNotional, in.MinQty = 256, 256, 256, 0, 1
	})
	var bids, asks levels
	for i := range fixed.Price(100) {
		bids, asks = append(bids, venue.Level{Price: 999 - i, Qty: 500}), append(asks, venue.Level{Price: 1001 + i, Qty: 500})
	}
	r.at(1, r.frame(venue.Snapshot, 1, bids, asks)...)
	for i := range fixed.Price(consumed) {
		r.order(venue.Buy, venue.Limit, venue.IOC, 1001+i, 1+500*fixed.Qty(min(i, 1)))
	}
	for i := range fixed.Price(orders) {
		r.order(venue.Buy, venue.PostOnly, venue.GTC, 999-i%5, 100)
	}
	r.quiet()
	rnd := rand.New(rand.NewPCG(1, 1))
	batches := make([][]venue.Event, 256)
	for i := range batches {
		if i%4 == 0 {
			batches[i] = trade(venue.Buy, 1001, 3, 1)
			continue
		}
		var b, a levels
		for range 10 {
			b = append(b, venue.Level{Price: 999 - fixed.Price(rnd.IntN(50)), Qty: 400 + fixed.Qty(rnd.IntN(200))})
			a = append(a, venue.Level{Price: 1001 + fixed.Price(rnd.IntN(50)), Qty: 400 + fixed.Qty(rnd.IntN(200))})
		}
		batches[i] = r.frame(0, 1, b, a)
	}
	return r, batches
}

func TestGateway_allocatesNothingInSteadyState(t *testing.T) {
	r, batches := busy(t, 4, 4)
	reports := make([]venue.Report, 0, 64)
	c := venue.Command{Op: venue.New, Type: venue.Limit, TIF: venue.IOC, Side: venue.Buy, Venue: 1, Inst: 1, Price: 1003, Qty: 7}
	rest := venue.Command{Op: venue.New, Type: venue.PostOnly, TIF: venue.GTC, Side: venue.Sell, Venue: 1, Inst: 1, Price: 1010, Qty: 7}
	end := venue.Command{Op: venue.Cancel, Venue: 1, Inst: 1}
	i, sent, got := 0, venue.Out, 0
	turn := func() {
		r.now += 20
		b := engine.Batch{Now: r.now, Events: batches[i%len(batches)], Reports: r.g.Due(r.now, reports[:0])}
		got += len(b.Reports)
		r.g.Frame(&b)
		if b.Events[0].Kind == venue.Head {
			r.d.Books[1].Apply(b.Events)
		}
		i++
		c.Client, rest.Client, end.Target = uint64(1000+2*i), uint64(1001+2*i), uint64(1001+2*i)
		sent = min(sent, r.g.Submit(&c), r.g.Submit(&rest), r.g.Submit(&end))
	}
	for range 500 {
		turn()
	}
	require.Zero(t, testing.AllocsPerRun(1000, turn))
	require.Equal(t, venue.Out, sent, "a submit was refused")
	require.Greater(t, got, 5_000)
}

// BenchmarkFrame is Due and Frame of one batch, what paper adds to a backtest frame. The book stands still: applying it is
// the cost of the engine.
func BenchmarkFrame(b *testing.B) {
	for _, x := range []struct {
		name             string
		orders, consumed int
	}{{"idle", 0, 0}, {"orders-10", 10, 0}, {"orders-10-consumed-10", 10, 10}, {"orders-100-consumed-100", 100, 100}} {
		b.Run(x.name, func(b *testing.B) {
			r, batches := busy(b, x.orders, x.consumed)
			reports := make([]venue.Report, 0, 64)
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				r.now += 20
				batch := engine.Batch{Now: r.now, Events: batches[i%len(batches)]}
				batch.Reports = r.g.Due(r.now, reports[:0])
				r.g.Frame(&batch)
			}
		})
	}
}
