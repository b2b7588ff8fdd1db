package coinbasesim

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
	"github.com/valyala/fastjson"

	"oneprice/books/venue"
	"oneprice/feeds/venuesim"
	"oneprice/feeds/wire"
)

// client is a plain websocket client of a simulator in virtual time.
type client struct {
	t    *testing.T
	sim  *Sim
	net  *wire.Held
	conn *websocket.Conn
	next int // sequence_num
}

// visit runs a simulator of many products and a client inside a bubble.
func visit(t *testing.T, acts int64, test func(c *client)) {
	synctest.Test(t, func(t *testing.T) {
		n, clock := wire.NewHeld(), wire.NewClock(true)
		n.Free()
		var pairs []venuesim.PairConfig
		for i := range 20 {
			pairs = append(pairs, venuesim.PairConfig{Symbol: fmt.Sprintf("P%d-USD", i), Fair: venuesim.NewFair(7, 6_000_000, 300), FairScale: 2, PriceScale: 2, QtyScale: 8,
				Tick: 1, Lot: 1000, HalfSpread: 5, Levels: 3, Size: 100})
		}
		sim, err := New(Config{Net: n, Clock: clock, Faults: venuesim.NewFaults(1, venuesim.Rates{}), Address: "127.0.0.1:0", Seed: 7, ActsPerMs: acts, Pairs: pairs})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- sim.Run(ctx) }()
		defer func() {
			cancel()
			require.NoError(t, <-ended)
		}()
		<-time.After(time.Second)
		d := websocket.Dialer{NetDialContext: n.DialContext}
		conn, _, err := d.Dial("ws://"+sim.Addr()+"/", nil)
		require.NoError(t, err)
		defer conn.Close()
		test(&client{t: t, sim: sim, net: n, conn: conn})
	})
}

// say sends a message.
func (c *client) say(format string, a ...any) {
	require.NoError(c.t, c.conn.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, format, a...)))
}

// hear reads a message; what has a number must have the next.
func (c *client) hear() *fastjson.Value {
	require.NoError(c.t, c.conn.SetReadDeadline(time.Now().Add(3*time.Second)))
	_, m, err := c.conn.ReadMessage()
	require.NoError(c.t, err)
	v, err := fastjson.ParseBytes(m)
	require.NoError(c.t, err)
	if v.Exists("sequence_num") {
		require.Equal(c.t, c.next, v.GetInt("sequence_num"), "%s", m)
		c.next++
	}
	return v
}

// answer is the next message's error, or what its subscriptions list.
func (c *client) answer() string {
	v := c.hear()
	if string(v.GetStringBytes("type")) == "error" {
		return string(v.GetStringBytes("message"))
	}
	require.Equal(c.t, "subscriptions", string(v.GetStringBytes("channel")))
	return string(v.Get("events", "0", "subscriptions").MarshalTo(nil))
}

// pause lets the venue's second of messages pass.
func (c *client) pause() { <-time.After(1100 * time.Millisecond) }

func TestSim_refusesWhatTheVenueRefuses(t *testing.T) {
	visit(t, 0, func(c *client) {
		for _, x := range [][2]string{
			{`{"type":"subscribe"`, "failed to parse message"},
			{`{"type":"hello","channel":"level2"}`, "unknown message type hello"},
			{`{"type":"subscribe","channel":"l2_data","product_ids":["P1-USD"]}`, "channel l2_data is not supported"},
			{`{"type":"subscribe","channel":"level2"}`, "product_ids required"},
			{`{"type":"subscribe","channel":"level2","product_ids":["P1-USD","P1/USD"]}`, "P1/USD is not a valid product"},
		} {
			c.say("%s", x[0])
			require.Equal(t, x[1], c.answer())
		}
		c.pause()
		c.say(`{"type":"subscribe","channel":"heartbeats"}`)
		require.Equal(t, `{"heartbeats":["heartbeats"]}`, c.answer(), "a refused subscribe leaves nothing behind")
	})
}

func TestSim_limitsBooksAndMessages(t *testing.T) {
	visit(t, 0, func(c *client) {
		for i := range mostBooks {
			if i%8 == 0 {
				c.pause()
			}
			c.say(`{"type":"subscribe","channel":"level2","product_ids":["P%d-USD"]}`, i)
			require.Equal(t, "l2_data", string(c.hear().GetStringBytes("channel")))
			c.answer()
		}
		c.pause()
		c.say(`{"type":"subscribe","channel":"level2","product_ids":["P0-USD","P19-USD"]}`)
		require.Equal(t, "too many L2 streams requested in a single session", c.answer())
		c.pause()
		for range perSecond {
			c.say("{}")
			require.Equal(t, "unknown message type ", c.answer())
		}
		c.say("{}")
		require.Equal(t, "rate limit exceeded", c.answer())
		require.EqualValues(t, 1, c.sim.Counters().Messages.Load())
	})
}

func TestSim_sendsABookPerSubscriptionOnly(t *testing.T) {
	visit(t, 0, func(c *client) {
		const sub, unsub = `{"type":"subscribe","channel":"level2","product_ids":["P3-USD"]}`, `{"type":"unsubscribe","channel":"level2","product_ids":["P3-USD"]}`
		for _, again := range []bool{false, true} {
			c.say(sub)
			v := c.hear()
			require.Equal(t, "snapshot", string(v.GetStringBytes("events", "0", "type")))
			require.Len(t, v.GetArray("events", "0", "updates"), 6)
			require.Equal(t, `{"level2":["P3-USD"]}`, c.answer())
			if !again {
				c.say(sub)
				require.Equal(t, `{"level2":["P3-USD"]}`, c.answer(), "no second snapshot")
				c.say(unsub)
				require.Equal(t, `{}`, c.answer())
			}
		}
	})
}

func TestSim_hangsUpOnWhoDoesNotSubscribe(t *testing.T) {
	visit(t, 0, func(c *client) {
		start := time.Now()
		_, _, err := c.conn.ReadMessage()
		require.Error(t, err)
		require.InDelta(t, 5*time.Second, time.Since(start), float64(50*time.Millisecond))
		require.EqualValues(t, 1, c.sim.Counters().Late.Load())
	})
}

func TestSim_numbersOneConnectionThroughAllChannels(t *testing.T) {
	visit(t, 1000, func(c *client) {
		for _, channel := range []string{"level2", "market_trades", "ticker"} {
			c.say(`{"type":"subscribe","channel":%q,"product_ids":["P1-USD","P2-USD"]}`, channel)
		}
		c.say(`{"type":"subscribe","channel":"heartbeats"}`)
		seen := map[string]int{}
		for range 400 {
			seen[string(c.hear().GetStringBytes("channel"))]++
		}
		for _, channel := range []string{"l2_data", "market_trades", "ticker", "heartbeats"} {
			require.Greater(t, seen[channel], 2, "%v", seen)
		}
		require.Equal(t, 4, seen["subscriptions"])
		_, _, ok := c.sim.Truth("P1-USD", 1<<40)
		require.False(t, ok)
		_, known := c.sim.Matches("P1-USD", 1<<40, nil, nil)
		require.False(t, known)
		same, known := c.sim.Matches("P1-USD", 0, []venue.Level{{Price: 1, Qty: 1}}, []venue.Level{{Price: 2, Qty: 1}})
		require.True(t, known, "the first message was its snapshot")
		require.False(t, same, "which said something else")
	})
}

func TestSim_listsItsProducts(t *testing.T) {
	visit(t, 0, func(c *client) {
		h := http.Client{Transport: &http.Transport{DialContext: c.net.DialContext, DisableKeepAlives: true}}
		resp, err := h.Get("http://" + c.sim.Addr() + "/api/v3/brokerage/market/products")
		require.NoError(t, err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		v, err := fastjson.ParseBytes(body)
		require.NoError(t, err)
		require.Len(t, v.GetArray("products"), 20)
		require.Equal(t, "0.00001000", string(v.GetStringBytes("products", "3", "base_increment")))
		require.Equal(t, "0.01", string(v.GetStringBytes("products", "3", "price_increment")))
		require.Equal(t, "P3-USD", string(v.GetStringBytes("products", "3", "product_id")))
	})
}
