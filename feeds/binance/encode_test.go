package binance

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/valyala/fastjson"

	"oneprice/books/venue"
	"oneprice/feeds/sign"
)

// The account of the vectors in venues/binance.md, section 3.
const (
	vectorKey    = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
	vectorSecret = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
)

func orders(key string, mac *sign.HMAC) *Orders {
	in := &venue.Instrument{Inst: 1, Symbol: "BTCUSDT", PriceScale: 2, QtyScale: 8}
	return NewOrders(OrderConfig{Key: key, MAC: mac, RecvWindow: 100 * venue.Millisecond, Instruments: []*venue.Instrument{nil, in}})
}

func command() venue.Command {
	return venue.Command{Op: venue.New, Type: venue.Limit, TIF: venue.GTC, Side: venue.Sell, Inst: 1, Client: 0x1f00000000abcdef,
		Price: 52_000_00, Qty: 1_000_000}
}

const at = 1645423376532 * venue.Millisecond

// TestPlace_signsWhatTheVenuesVectorSigns holds the signed text against vector W1, which has no client id.
func TestPlace_signsWhatTheVenuesVectorSigns(t *testing.T) {
	o := orders(vectorKey, sign.NewHMAC256([]byte(vectorSecret)))
	c := command()
	_, ok := o.Place(nil, &c, at)
	require.True(t, ok)
	bare := strings.Replace(string(o.buf), "newClientOrderId=op1-1f00000000abcdef&newOrderRespType=ACK&", "", 1)
	require.Equal(t, "apiKey="+vectorKey+"&price=52000.00&quantity=0.01000000&recvWindow=100&side=SELL&symbol=BTCUSDT&timeInForce=GTC&timestamp=1645423376532&type=LIMIT", bare)
	require.Equal(t, "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24", string(o.mac.AppendHex(nil, []byte(bare))))
}

// TestPlace_sendsWhatItSigns rebuilds the signed text from the request's own parameters, sorted by name.
func TestPlace_sendsWhatItSigns(t *testing.T) {
	mac := sign.NewHMAC256([]byte(vectorSecret))
	o := orders(vectorKey, mac)
	for _, tif := range []venue.TIF{venue.GTC, venue.IOC, venue.FOK} {
		for _, typ := range []venue.OrderType{venue.Limit, venue.PostOnly} {
			for _, side := range []venue.Side{venue.Buy, venue.Sell} {
				c := command()
				c.TIF, c.Type, c.Side = tif, typ, side
				out, ok := o.Place(nil, &c, at)
				require.True(t, ok)
				v, err := fastjson.ParseBytes(out)
				require.NoError(t, err, "%s", out)
				require.Equal(t, "1f00000000abcdef", string(v.GetStringBytes("id")))
				require.Equal(t, "order.place", string(v.GetStringBytes("method")))
				var text []string
				signature := ""
				v.GetObject("params").Visit(func(k []byte, v *fastjson.Value) {
					s := strings.Trim(v.String(), `"`)
					if string(k) == "signature" {
						signature = s
						return
					}
					text = append(text, string(k)+"="+s)
				})
				require.IsNonDecreasing(t, text)
				require.Equal(t, string(o.buf), strings.Join(text, "&"))
				require.Equal(t, string(mac.AppendHex(nil, []byte(strings.Join(text, "&")))), signature)
				require.Contains(t, text, "side="+strings.ToUpper(side.String()))
				if typ == venue.PostOnly {
					require.Contains(t, text, "type=LIMIT_MAKER")
					require.NotContains(t, string(o.buf), "timeInForce")
				} else {
					require.Contains(t, text, "timeInForce="+strings.ToUpper(tif.String()))
				}
			}
		}
	}
}

func TestPlace_withoutAKeySendsNeitherKeyNorSignature(t *testing.T) {
	o := orders("", nil)
	c := command()
	out, ok := o.Place(nil, &c, at)
	require.True(t, ok)
	require.Equal(t, `{"id":"1f00000000abcdef","method":"order.place","params":{"newClientOrderId":"op1-1f00000000abcdef","newOrderRespType":"ACK","price":"52000.00","quantity":"0.01000000","recvWindow":100,"side":"SELL","symbol":"BTCUSDT","timeInForce":"GTC","timestamp":1645423376532,"type":"LIMIT"}}`, string(out))
}

func TestQuery_isSignedAsItIsSent(t *testing.T) {
	mac := sign.NewHMAC256([]byte(vectorSecret))
	c := command()
	out, ok := orders(vectorKey, mac).Query([]byte("x?"), &c, at)
	require.True(t, ok)
	q, signature, found := strings.Cut(strings.TrimPrefix(string(out), "x?"), "&signature=")
	require.True(t, found)
	require.Equal(t, "newClientOrderId=op1-1f00000000abcdef&newOrderRespType=ACK&price=52000.00&quantity=0.01000000&recvWindow=100&side=SELL&symbol=BTCUSDT&timeInForce=GTC&timestamp=1645423376532&type=LIMIT", q)
	require.Equal(t, string(mac.AppendHex(nil, []byte(q))), signature)
}

func TestOrders_refuseWhatTheyCannotSay(t *testing.T) {
	o := orders("", nil)
	for _, change := range []func(*venue.Command){
		func(c *venue.Command) { c.Op = venue.Cancel },
		func(c *venue.Command) { c.Inst = 0 },
		func(c *venue.Command) { c.Inst = 2 },
		func(c *venue.Command) { c.TIF = venue.NoTIF },
		func(c *venue.Command) { c.Side = venue.NoSide },
		func(c *venue.Command) { c.Type = venue.StopLoss },
	} {
		c := command()
		change(&c)
		out, ok := o.Place([]byte("kept"), &c, at)
		require.False(t, ok)
		require.Equal(t, "kept", string(out))
		_, ok = o.Query(nil, &c, at)
		require.False(t, ok)
	}
}

func TestAppendID_isHexadecimal(t *testing.T) {
	for range 10_000 {
		id := rand.Uint64()
		require.Equal(t, fmt.Sprintf("%016x", id), string(appendID(nil, id)))
	}
}

func TestPlace_allocatesNothing(t *testing.T) {
	o := orders(vectorKey, sign.NewHMAC256([]byte(vectorSecret)))
	c := command()
	dst := make([]byte, 0, 1024)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		_, _ = o.Place(dst, &c, at)
		_, _ = o.Query(dst, &c, at)
	}))
}

func futuresOrders(key string, mac *sign.HMAC) *Orders {
	in := &venue.Instrument{Inst: 1, Symbol: "BTCUSDT", PriceScale: 1, QtyScale: 3}
	return NewOrders(OrderConfig{Key: key, MAC: mac, RecvWindow: 100 * venue.Millisecond, Instruments: []*venue.Instrument{nil, in}, Futures: true})
}

func TestFuturesOrders_areSpelledAsTheVenueWants(t *testing.T) {
	o := futuresOrders("", nil)
	c := command()
	c.Price, c.Qty = 52_000_0, 10
	place := func(change func(*venue.Command)) string {
		c := c
		change(&c)
		out, ok := o.Place(nil, &c, at)
		require.True(t, ok)
		return string(out)
	}
	const head = `{"id":"1f00000000abcdef","method":"order.place","params":{"newClientOrderId":"op1-1f00000000abcdef","newOrderRespType":"ACK","price":"52000.0","quantity":"0.010","recvWindow":100,`
	require.Equal(t, head+`"side":"SELL","symbol":"BTCUSDT","timeInForce":"GTC","timestamp":1645423376532,"type":"LIMIT"}}`, place(func(*venue.Command) {}))
	require.Equal(t, head+`"side":"SELL","symbol":"BTCUSDT","timeInForce":"GTX","timestamp":1645423376532,"type":"LIMIT"}}`,
		place(func(c *venue.Command) { c.Type = venue.PostOnly }))
	require.Equal(t, head+`"reduceOnly":"true","side":"BUY","symbol":"BTCUSDT","timeInForce":"IOC","timestamp":1645423376532,"type":"LIMIT"}}`,
		place(func(c *venue.Command) { c.Side, c.TIF, c.Flags = venue.Buy, venue.IOC, venue.ReduceOnlyFlag }))
	out, ok := o.Modify(nil, 'r', &c, Target{Order: 7}, at)
	require.True(t, ok)
	require.Equal(t, `{"id":"r1f00000000abcdef","method":"order.modify","params":{"orderId":7,"price":"52000.0","quantity":"0.010","recvWindow":100,"side":"SELL","symbol":"BTCUSDT","timestamp":1645423376532}}`, string(out))
	require.Equal(t, `{"id":"c0000000000000001","method":"order.cancel","params":{"origClientOrderId":"op1-0000000000000002","recvWindow":100,"symbol":"BTCUSDT","timestamp":1645423376532}}`,
		string(o.Cancel(nil, 'c', 1, 1, Target{Client: 2}, at)))
	require.Equal(t, `{"id":"user","method":"v2/account.balance","params":{"recvWindow":100,"timestamp":1645423376532}}`, string(o.Balances(nil, "user", at)))
	c.Type, c.Stop = venue.StopLimit, 1
	_, ok = o.Stop(nil, 'N', &c, at)
	require.False(t, ok, "conditional orders are another service's")
	_, ok = orders("", nil).Modify(nil, 'r', &c, Target{Order: 7}, at)
	require.False(t, ok, "spot has no such request")
}

func TestFuturesOrders_signWhatTheySendAndAllocateNothing(t *testing.T) {
	mac := sign.NewHMAC256([]byte(vectorSecret))
	o := futuresOrders(vectorKey, mac)
	c := command()
	c.Flags = venue.ReduceOnlyFlag
	dst := make([]byte, 0, 1024)
	for name, encode := range map[string]func() []byte{
		"place":  func() []byte { out, _ := o.Place(dst, &c, at); return out },
		"modify": func() []byte { out, _ := o.Modify(dst, 'r', &c, Target{Order: 7}, at); return out },
		"cancel": func() []byte { return o.Cancel(dst, 'c', 1, 1, Target{Client: 2}, at) },
	} {
		v, err := fastjson.ParseBytes(encode())
		require.NoError(t, err, name)
		var text []string
		v.GetObject("params").Visit(func(k []byte, v *fastjson.Value) {
			if string(k) != "signature" {
				text = append(text, string(k)+"="+strings.Trim(v.String(), `"`))
			}
		})
		require.IsNonDecreasing(t, text)
		require.Equal(t, string(mac.AppendHex(nil, []byte(strings.Join(text, "&")))), string(v.GetStringBytes("params", "signature")), name)
		require.Zero(t, testing.AllocsPerRun(100, func() { encode() }), name)
	}
}
