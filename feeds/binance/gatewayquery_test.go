package binance

import (
	"fmt"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/sign"
	"oneprice/feeds/wire"
)

// heard collects reports.
type heard []venue.Report

func (h *heard) Put(rs []venue.Report) venue.Reason {
	*h = append(*h, rs...)
	return venue.OK
}

func (h *heard) kinds() (out []venue.ReportKind) {
	for i := range *h {
		out = append(out, (*h)[i].Kind)
	}
	*h = nil
	return out
}

// unwired is a gateway whose connection keeps what is sent, with an acknowledged order in slot 1: client id 100, the
// venue's id 7.
func unwired(t *testing.T) (*Gateway, *session, *heard) {
	in := &venue.Instrument{Inst: 1, Venue: 1, Symbol: "BTCUSDT", PriceScale: 2, QtyScale: 5, Tick: 1, Lot: 1, Multiplier: fixed.One}
	g, err := NewGateway(GatewayOptions{GatewayConfig: wire.GatewayConfig{Venue: 1, Instruments: []*venue.Instrument{in}, Currency: func(string) venue.Ccy { return 0 },
		Net: &wire.Machine{}, Clock: wire.NewClock(false), Kill: &venue.Kill{}, Slots: 8,
		Key: sign.SecretOf("test", []byte("key")), Secret: sign.SecretOf("test", []byte("secret"))}})
	require.NoError(t, err)
	ours, theirs := net.Pipe()
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	tail, err := newTail(ours, g.o.Clock)
	require.NoError(t, err)
	s, h := &session{l: &line{out: tail, tail: tail}, ready: true}, new(heard)
	g.line.Store(s.l)
	g.out, g.ctx = h, t.Context()
	require.Equal(t, venue.Out, g.Submit(&venue.Command{Op: venue.New, Type: venue.Limit, TIF: venue.GTC, Side: venue.Buy, Inst: 1, Slot: 1, Client: 100, Price: 6_000_000, Qty: 1000}))
	g.hears(s, `{"id":"%016x","status":200,"result":{"orderId":7}}`, 100)
	require.Equal(t, []venue.ReportKind{venue.Ack}, h.kinds())
	return g, s, h
}

func (g *Gateway) hears(s *session, format string, args ...any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.handle(s, g.o.Clock.Now(), fmt.Appendf(nil, format, args...))
	g.publish()
}

// asksOf asks after the order in slot 1.
func (g *Gateway) asksOf(t *testing.T, s *session, owner uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.o.Clock.Now()
	require.True(t, g.ids.slots[1].cold(owner))
	g.ask(1, owner, venue.NoOp, now, now)
	g.query(s.l, now)
}

const stateOf = `{"id":"s%016x","status":200,"result":{"symbol":"BTCUSDT","orderId":%d,"clientOrderId":"op1-%016x","price":"60000.00","origQty":"0.01000","executedQty":"0.00000","status":"%s","timeInForce":"GTC"}}`

func TestGateway_stateOfAReplacedOrderIsNotThatOfTheReplacement(t *testing.T) {
	amend := &venue.Command{Op: venue.Amend, Inst: 1, Slot: 1, Client: 101, Target: 100, Price: 5_999_000, Qty: 1000}
	replaced := func(g *Gateway, s *session) {
		g.hears(s, `{"id":"p%016x","status":200,"result":{"cancelResult":"SUCCESS","newOrderResult":"SUCCESS","newOrderResponse":{"orderId":8}}}`, 101)
	}
	for name, late := range map[string]struct {
		state string
		after bool // the answer comes after that to the amend
	}{"open, before": {"NEW", false}, "cancelled, before": {"CANCELED", false}, "open, after": {"NEW", true}, "cancelled, after": {"CANCELED", true}} {
		t.Run(name, func(t *testing.T) {
			g, s, h := unwired(t)
			g.asksOf(t, s, 100)
			require.Equal(t, venue.Out, g.Submit(amend))
			if !late.after {
				g.hears(s, stateOf, 100, 7, 100, late.state)
				require.Empty(t, h.kinds())
			}
			replaced(g, s)
			require.Equal(t, []venue.ReportKind{venue.Amended}, h.kinds())
			if late.after {
				g.hears(s, stateOf, 100, 7, 100, late.state)
				require.Empty(t, h.kinds())
			}
			g.hears(s, `{"id":"c%016x","status":200,"result":{"symbol":"BTCUSDT","origClientOrderId":"op1-%016x","executedQty":"0.00000"}}`, 100, 100)
			require.Empty(t, h.kinds(), "the old order's cancel ends nothing")
			require.Equal(t, Target{Order: 8, Client: 101}, g.ids.slots[1].target())
			g.asksOf(t, s, 100)
			g.hears(s, stateOf, 101, 8, 101, "CANCELED")
			require.Equal(t, []venue.ReportKind{venue.Ack, venue.Cancelled}, h.kinds(), "asked for again, by its own id")
		})
	}
}
