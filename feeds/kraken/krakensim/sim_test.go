package krakensim

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"slices"
	"strings"
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
}

// visit runs a simulator of two pairs and a client inside a bubble.
func visit(t *testing.T, acts int64, test func(c *client)) {
	synctest.Test(t, func(t *testing.T) {
		n, clock := wire.NewHeld(), wire.NewClock(true)
		n.Free()
		var pairs []venuesim.PairConfig
		for i, s := range []string{"BTC/USD", "DOGE/USD"} {
			pairs = append(pairs, venuesim.PairConfig{Symbol: s, Fair: venuesim.NewFair(7+uint64(i), 6_000_000, 300), FairScale: 2, PriceScale: 1, QtyScale: 8,
				Tick: 1, Lot: 1000, HalfSpread: 2, Levels: 40, Size: 100})
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
		c := &client{t: t, sim: sim, net: n}
		c.dial()
		defer c.conn.Close()
		test(c)
	})
}

func (c *client) dial() {
	d := websocket.Dialer{NetDialContext: c.net.DialContext}
	conn, _, err := d.Dial("ws://"+c.sim.Addr()+"/v2", nil)
	require.NoError(c.t, err)
	c.conn = conn
	v := c.hear()
	require.Equal(c.t, "status", string(v.GetStringBytes("channel")))
	require.Equal(c.t, "online", string(v.GetStringBytes("data", "0", "system")))
}

// say sends a message.
func (c *client) say(format string, a ...any) {
	require.NoError(c.t, c.conn.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, format, a...)))
}

// hear reads a message.
func (c *client) hear() *fastjson.Value {
	require.NoError(c.t, c.conn.SetReadDeadline(time.Now().Add(3*time.Second)))
	_, m, err := c.conn.ReadMessage()
	require.NoError(c.t, err)
	v, err := fastjson.ParseBytes(m)
	require.NoError(c.t, err)
	return v
}

// refused is the next message's error.
func (c *client) refused() string {
	v := c.hear()
	require.False(c.t, v.GetBool("success"))
	return string(v.GetStringBytes("error"))
}

func TestSim_refusesWhatTheVenueRefuses(t *testing.T) {
	visit(t, 0, func(c *client) {
		for _, x := range [][2]string{
			{`{"method":"subscribe"`, "Malformed request"},
			{`{"method":"hello"}`, "Unsupported method"},
			{`{"method":"subscribe","params":{"channel":"spread","symbol":["BTC/USD"]}}`, "Subscription name invalid"},
			{`{"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD"],"depth":20}}`, "Subscription depth not supported"},
			{`{"method":"subscribe","params":{"channel":"book"}}`, "Symbol(s) not found"},
			{`{"method":"subscribe","params":{"channel":"book","symbol":["XBT/USD"]}}`, "Currency pair not supported XBT/USD"},
			{`{"method":"unsubscribe","params":{"channel":"book","symbol":["BTC/USD"]}}`, "Subscription Not Found"},
		} {
			c.say("%s", x[0])
			require.Equal(t, x[1], c.refused())
		}
		c.say(`{"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD"],"depth":25},"req_id":5}`)
		v := c.hear()
		require.Equal(t, `{"channel":"book","depth":25,"snapshot":true,"symbol":"BTC/USD"}`, string(v.Get("result").MarshalTo(nil)))
		require.Equal(t, 5, v.GetInt("req_id"))
		require.True(t, v.GetBool("success"))
		require.Equal(t, "snapshot", string(c.hear().GetStringBytes("type")))
		c.say(`{"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD"],"depth":10}}`)
		require.Equal(t, "Already subscribed", c.refused())
		c.say(`{"method":"unsubscribe","params":{"channel":"book","symbol":["BTC/USD"],"depth":10}}`)
		require.Equal(t, "Subscription Not Found", c.refused(), "of another depth")
	})
}

func TestSim_answersPingAndBeatsOnlyWhenIdle(t *testing.T) {
	visit(t, 0, func(c *client) {
		c.say(`{"method":"ping","req_id":101}`)
		v := c.hear()
		require.Equal(t, []string{"pong", "101"}, []string{string(v.GetStringBytes("method")), string(v.Get("req_id").MarshalTo(nil))})
		<-time.After(3 * time.Second)
		c.say(`{"method":"subscribe","params":{"channel":"trade","symbol":["BTC/USD"],"snapshot":false}}`)
		require.Equal(t, "subscribe", string(c.hear().GetStringBytes("method")), "without a subscription there was no heartbeat")
		for range 3 {
			start := time.Now()
			require.Equal(t, "heartbeat", string(c.hear().GetStringBytes("channel")))
			require.InDelta(t, time.Second, time.Since(start), float64(10*time.Millisecond))
		}
	})
}

func TestSim_limitsConnectionsAndMessages(t *testing.T) {
	visit(t, 0, func(c *client) {
		for range mostMessages {
			c.say(`{"method":"ping"}`)
			require.Equal(t, "pong", string(c.hear().GetStringBytes("method")))
		}
		c.say(`{"method":"ping"}`)
		require.Equal(t, "Exceeded msg rate", c.refused())
		for range mostConnects - 1 {
			c.conn.Close()
			c.dial()
		}
		c.conn.Close()
		d := websocket.Dialer{NetDialContext: c.net.DialContext}
		for range 2 {
			<-time.After(time.Duration(connectSpan) / 3)
			conn, _, err := d.Dial("ws://"+c.sim.Addr()+"/v2", nil)
			require.NoError(t, err)
			_, _, err = conn.ReadMessage()
			require.Error(t, err, "banned")
			conn.Close()
		}
		<-time.After(time.Duration(connectSpan))
		c.dial()
	})
}

// mirror follows a pair by the venue's rules alone, as text.
type mirror struct {
	depth int
	sides [2]map[string]string
}

// take applies one book message and returns the checksum text of what is left.
func (m *mirror) take(t *testing.T, v *fastjson.Value) string {
	if string(v.GetStringBytes("type")) == "snapshot" {
		m.sides = [2]map[string]string{{}, {}}
	}
	data := v.Get("data", "0")
	var text [2]string
	for i, side := range []string{"bids", "asks"} {
		for _, l := range data.GetArray(side) {
			p, q := string(l.Get("price").MarshalTo(nil)), string(l.Get("qty").MarshalTo(nil))
			if m.sides[i][p] = q; strings.Trim(q, "0.") == "" {
				delete(m.sides[i], p)
			}
		}
		prices := make([]string, 0, len(m.sides[i]))
		for p := range m.sides[i] {
			prices = append(prices, p)
		}
		slices.Sort(prices) // all of one length here
		if i == 0 {
			slices.Reverse(prices)
		}
		for n, p := range prices {
			require.Len(t, p, len(prices[0]))
			switch {
			case n >= m.depth:
				delete(m.sides[i], p)
			case n < 10:
				text[i] += strings.TrimLeft(strings.ReplaceAll(p, ".", ""), "0") + strings.TrimLeft(strings.ReplaceAll(m.sides[i][p], ".", ""), "0")
			}
		}
	}
	return text[1] + text[0]
}

func TestSim_checksumIsOverTheTopTenCutToTheDepth(t *testing.T) {
	for _, depth := range []int{10, 25} {
		t.Run(fmt.Sprint(depth), func(t *testing.T) {
			visit(t, 500, func(c *client) {
				c.say(`{"method":"subscribe","params":{"channel":"book","symbol":["DOGE/USD"],"depth":%d}}`, depth)
				c.hear()
				m := &mirror{depth: depth}
				deletes, same := 0, 0
				for n := range 2000 {
					v := c.hear()
					require.Equal(t, "book", string(v.GetStringBytes("channel")))
					text := m.take(t, v)
					require.EqualValues(t, v.GetUint("data", "0", "checksum"), crc32.ChecksumIEEE([]byte(text)), "message %d", n)
					for _, side := range []string{"bids", "asks"} {
						for _, l := range v.GetArray("data", "0", side) {
							if strings.Trim(string(l.Get("qty").MarshalTo(nil)), "0.") == "" {
								deletes++
							}
						}
					}
					if _, _, ok := c.sim.Truth("DOGE/USD", uint64(n+1)); ok {
						same++
					}
				}
				require.Greater(t, deletes, 50)
				require.Equal(t, 2000, same, "every message can be asked for")
			})
		})
	}
}

func TestSim_countsWhatReachesTheClient(t *testing.T) {
	visit(t, 500, func(c *client) {
		c.say(`{"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD"]}}`)
		c.hear()
		c.hear()
		c.sim.cfg.Faults.Set(venuesim.Rates{venuesim.Drop: 1_000_000})
		<-time.After(time.Second)
		c.sim.cfg.Faults.Set(venuesim.Rates{venuesim.BadChecksum: 1_000_000})
		bad := c.hear()
		require.Equal(t, "update", string(bad.GetStringBytes("type")))
		_, _, ok := c.sim.Truth("BTC/USD", 2)
		require.False(t, ok, "no book has that checksum")
		same, known := c.sim.Matches("BTC/USD", 2, nil, nil)
		require.True(t, known)
		require.False(t, same)
		_, known = c.sim.Matches("BTC/USD", 1<<40, nil, nil)
		require.False(t, known, "and the lost ones were not counted")
		bids, asks, ok := c.sim.Truth("BTC/USD", 1)
		require.True(t, ok)
		same, known = c.sim.Matches("BTC/USD", 1, bids, asks)
		require.True(t, same && known)
		bids[3].Qty++
		same, _ = c.sim.Matches("BTC/USD", 1, bids, asks)
		require.False(t, same)
		same, _ = c.sim.Matches("BTC/USD", 1, []venue.Level{{}}, asks)
		require.False(t, same, "an empty side is not the book's")
	})
}

func TestSim_listsItsPairs(t *testing.T) {
	visit(t, 0, func(c *client) {
		h := http.Client{Transport: &http.Transport{DialContext: c.net.DialContext, DisableKeepAlives: true}}
		resp, err := h.Get("http://" + c.sim.Addr() + "/0/public/AssetPairs")
		require.NoError(t, err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		v, err := fastjson.ParseBytes(body)
		require.NoError(t, err)
		require.Equal(t, "XDG/USD", string(v.GetStringBytes("result", "XDGUSD", "wsname")))
		require.Equal(t, "0.1", string(v.GetStringBytes("result", "XBTUSD", "tick_size")))
		require.Equal(t, 8, v.GetInt("result", "XBTUSD", "lot_decimals"))
		c.say(`{"method":"subscribe","params":{"channel":"instrument"}}`)
		require.True(t, c.hear().GetBool("success"))
		v = c.hear()
		require.Len(t, v.GetArray("data", "pairs"), 2)
		require.Equal(t, "0.00001000", string(v.Get("data", "pairs", "1", "qty_increment").MarshalTo(nil)))
	})
}
