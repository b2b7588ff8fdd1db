package coinbase_test

import (
	"bytes"
	"context"
	"net"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/coinbase"
	"oneprice/feeds/wire"
)

// holding is a network that keeps the venue's answers back on every connection that an order has left by, until release.
type holding struct {
	wire.Net
	release chan struct{}
}

func (h *holding) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := h.Net.DialContext(ctx, network, address)
	return &heldConn{Conn: c, release: h.release}, err
}

type heldConn struct {
	net.Conn
	release chan struct{}
	ordered atomic.Bool
}

func (c *heldConn) Write(b []byte) (int, error) {
	if bytes.HasPrefix(b, []byte("POST "+coinbase.PostCreate.Path()+" ")) {
		c.ordered.Store(true)
	}
	return c.Conn.Write(b)
}

func (c *heldConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.ordered.Load() {
		<-c.release
	}
	return n, err
}

// Orders and amends that were approved before a kill and wait for their line when it comes do not leave any more.
func TestGateway_killStopsWhatWaits(t *testing.T) {
	for name, kill := range map[string]func(*venue.Kill){
		"all":      (*venue.Kill).Set,
		"venue":    func(k *venue.Kill) { k.Venue(3, true) },
		"strategy": func(k *venue.Kill) { k.Strategy(0, true) },
	} {
		t.Run(name, func(t *testing.T) {
			h := &holding{Net: &wire.Machine{}, release: make(chan struct{})}
			d := newDesk(t, setup{gw: func(o *coinbase.GatewayOptions) { o.Net, o.Senders, o.Timeout = h, 1, 60*venue.Second }})
			price := d.touch(venue.Buy).Price - 1000
			under := d.order(venue.Buy, venue.PostOnly, venue.GTC, price, 100_000)
			d.submit(under)
			d.until("an order on its way", func() bool { return len(d.sim.Orders(keyName)) == 1 })
			var waiting []venue.Command
			for i := range fixed.Price(3) {
				c := d.order(venue.Buy, venue.PostOnly, venue.GTC, price-i, 100_000)
				waiting = append(waiting, c)
				d.submit(c)
			}
			amend := d.amendOf(under, price-10, 100_000)
			d.submit(amend)
			kill(&d.kill)
			close(h.release)
			for _, c := range waiting {
				require.Equal(t, venue.Killed, d.wait(c, venue.RejectedReport).Reason)
			}
			require.Equal(t, venue.Killed, d.wait(under, venue.AmendRejected).Reason)
			require.Len(t, d.sim.Orders(keyName), 1)
			d.submit(d.cancelOf(under))
			d.wait(under, venue.Cancelled)
		})
	}
}
