package binance

import (
	"bufio"
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/wire"
	"oneprice/feeds/wire/wiretest"
)

var adapters = []*wire.Adapter{&Spot, &USDM, &COINM}

func TestDetect_claimsOnlyItsOwnLines(t *testing.T) {
	for _, c := range captures {
		claimed := 0
		for _, l := range wiretest.Lines(t, c.file)[:400] {
			for _, a := range adapters {
				if a.Detect(l.Kind, l.URL, l.Msg) {
					require.Equal(t, c.adapter.Name, a.Name, "%s", l.Msg[:min(200, len(l.Msg))])
					claimed++
				}
			}
		}
		require.Greater(t, claimed, 350)
	}
}

func TestDetect_knowsTheHostsAndRefusesTheRest(t *testing.T) {
	names := func(kind, request, msg string) (out []string) {
		for _, a := range adapters {
			if a.Detect(kind, request, []byte(msg)) {
				out = append(out, a.Name)
			}
		}
		return out
	}
	for request, want := range map[string]string{
		"https://api.binance.com/api/v3/depth?symbol=BTCUSDT": "binance", "wss://stream.binance.us:9443/stream": "binance",
		"wss://data-stream.binance.vision/ws": "binance", "https://fapi.binance.com/fapi/v1/depth": "binance-usdm",
		"wss://fstream.binance.com/public/stream": "binance-usdm", "https://dapi.binance.com/dapi/v1/exchangeInfo": "binance-coinm",
		"wss://dstream.binance.com/stream": "binance-coinm",
	} {
		require.Equal(t, []string{want}, names("open", request, ""), request)
	}
	for _, msg := range []string{``, `not json`, `[]`, `{"lastUpdateId":1,"bids":[],"asks":[]}`, `{"channel":"book","type":"update","data":[]}`,
		`{"result":null,"id":1}`, `{"stream":"x","data":[1]}`} {
		require.Empty(t, names("ws", "", msg), msg)
		require.Empty(t, names("rest", "depth limit=1000", msg), msg)
	}
	require.Equal(t, []string{"binance-usdm"}, names("ws", "", `{"e":"depthUpdate","s":"BTCUSDT_261225","U":1,"u":2,"pu":0,"b":[],"a":[]}`))
	require.Equal(t, []string{"binance-coinm"}, names("ws", "", `{"e":"depthUpdate","s":"BTCUSD_261225","U":1,"u":2,"pu":0,"b":[],"a":[]}`))
}

func TestDiscover_learnsTheRecordedInstruments(t *testing.T) {
	want := map[string]wire.Listing{
		"binance/spot-btcusdt.jsonl.gz":   {Symbol: "BTCUSDT", Base: "BTC", Quote: "USDT", Settle: "USDT", Tick: "0.01", Lot: "0.00001", PriceText: 8, QtyText: 8},
		"binance/usdm-btcusdt.jsonl.gz":   {Symbol: "BTCUSDT", Base: "BTC", Quote: "USDT", Settle: "USDT", Tick: "0.1", Lot: "0.001", PriceText: 2, QtyText: 3},
		"binance/cm-btcusd_perp.jsonl.gz": {Symbol: "BTCUSD_PERP", Base: "BTC", Quote: "USD", Settle: "BTC", Tick: "0.1", Lot: "1", PriceText: 1, Face: "100"},
	}
	for _, c := range captures[:3] {
		d := c.adapter.Discover()
		for _, l := range wiretest.Lines(t, c.file)[:3000] {
			d.Line(l.Kind, l.URL, l.Msg)
		}
		ls := d.Listings()
		require.Len(t, ls, 1)
		got, w := ls[0], want[c.file]
		require.Equal(t, c.product.chain, got.Chain)
		require.Equal(t, c.product.kind, got.Kind)
		require.Equal(t, w, wire.Listing{Symbol: got.Symbol, Base: got.Base, Quote: got.Quote, Settle: got.Settle, Tick: got.Tick, Lot: got.Lot,
			PriceText: got.PriceText, QtyText: got.QtyText, Face: got.Face})
	}
}

func TestDiscover_readsExchangeInfoAndListsWhatIsSeen(t *testing.T) {
	d := Spot.Discover()
	for _, l := range wiretest.Lines(t, captures[3].file) {
		d.Line(l.Kind, l.URL, l.Msg)
	}
	var got []string
	for _, l := range d.Listings() {
		got = append(got, strings.Join([]string{l.Symbol, l.Base, l.Quote, l.Tick, l.Lot, l.MinQty, l.MinNotional}, " "))
	}
	require.Equal(t, []string{"COMPUSDT COMP USDT 0.01 0.00001 0.00001 10", "OMGBUSD OMG BUSD 0.0001 0.01 0.01 10",
		"CRVUSDT CRV USDT 0.001 0.1 0.1 10", "ZRXUSDT ZRX USDT 0.0001 0.01 0.01 10"}, got)
}

// TestTable_isWhatTheVenueListed compares the shipped futures with recorded instrument lists, and their shape with the
// rules that every listing keeps.
func TestTable_isWhatTheVenueListed(t *testing.T) {
	in := bufio.NewScanner(bytes.NewReader(wiretest.File(t, "binance/rest-mock-routes.jsonl.gz")))
	in.Buffer(nil, 64<<20)
	compared := 0
	for in.Scan() {
		var l struct {
			Route string
			Data  json.RawMessage
		}
		require.NoError(t, json.Unmarshal(in.Bytes(), &l))
		for prefix, p := range map[string]product{"/fapi/v1/exchangeInfo": usdm, "/dapi/v1/exchangeInfo": coinm} {
			if l.Route != prefix {
				continue
			}
			d := newDiscoverer(p)
			d.Line("rest", "", l.Data)
			for _, shipped := range p.listings() {
				if listed, ok := d.listed[shipped.Symbol]; ok {
					require.Equal(t, listed, shipped)
					compared++
				}
			}
		}
	}
	require.NoError(t, in.Err())
	require.Greater(t, compared, 40)
}

func TestTable_everyListingIsComplete(t *testing.T) {
	for _, a := range adapters {
		seen := map[string]bool{}
		for _, l := range a.Listings {
			require.False(t, seen[l.Symbol], l.Symbol)
			seen[l.Symbol] = true
			require.Equal(t, venue.Trading, l.Status)
			require.NotEmpty(t, l.Base)
			require.NotEmpty(t, l.Quote)
			require.Equal(t, l.Contract == venue.Inverse, l.Face != "")
			for _, n := range []string{l.Tick, l.Lot, l.MinQty} {
				v, f := fixed.Parse([]byte(n), 8)
				require.Equal(t, fixed.OK, f, "%s %q", l.Symbol, n)
				require.Positive(t, v)
			}
			require.False(t, strings.Contains(l.Tick, ".") && strings.HasSuffix(l.Tick, "0"), l.Symbol)
		}
		require.Greater(t, len(seen), 20)
		require.NotEmpty(t, a.BlindSpots)
	}
}

func TestDiscover_derivesWhatNothingLists(t *testing.T) {
	d := Spot.Discover()
	d.Line("ws", "", []byte(`{"e":"trade","E":1,"s":"ABCFDUSD","t":1,"p":"1.25000000","q":"3.50000000","T":1,"m":true,"M":true}`))
	d.Line("ws", "", []byte(`{"u":1,"s":"ABCFDUSD","b":"1.20000000","B":"3.00000000","a":"1.50000000","A":"0.00000000"}`))
	ls := d.Listings()
	require.Len(t, ls, 1)
	require.Equal(t, []string{"ABC", "FDUSD", "0.01", "0.1", "0.1"}, []string{ls[0].Base, ls[0].Quote, ls[0].Tick, ls[0].Lot, ls[0].MinQty})
	require.Equal(t, []uint8{8, 8}, []uint8{ls[0].PriceText, ls[0].QtyText})

	u := USDM.Discover()
	u.Line("ws", "", []byte(`{"e":"bookTicker","u":1,"s":"XYZUSDT_261225","b":"5.0","B":"7","a":"5.5","A":"1"}`))
	ls = u.Listings()
	require.Equal(t, venue.Dated, ls[0].Kind)
	require.Equal(t, []string{"XYZ", "USDT", "0.1", "1"}, []string{ls[0].Base, ls[0].Quote, ls[0].Tick, ls[0].Lot})

	c := COINM.Discover()
	c.Line("ws", "", []byte(`{"e":"bookTicker","u":1,"s":"XYZUSD_PERP","ps":"XYZUSD","b":"5.01","B":"7","a":"5.5","A":"1"}`))
	ls = c.Listings()
	require.Equal(t, venue.Perpetual, ls[0].Kind)
	require.Equal(t, []string{"XYZ", "USD", "XYZ", "10", "0.01"}, []string{ls[0].Base, ls[0].Quote, ls[0].Settle, ls[0].Face, ls[0].Tick})
}

func TestGuess_prefersABaseThatIsKnown(t *testing.T) {
	for symbol, want := range map[string][2]string{"BNBUSD": {"BNB", "USD"}, "BTCBUSD": {"BTC", "BUSD"}, "SOLBTC": {"SOL", "BTC"},
		"XYZBUSD": {"XYZ", "BUSD"}, "ETHUSDT": {"ETH", "USDT"}, "USDT": {"USDT", ""}} {
		l := spot.guess(symbol)
		require.Equal(t, want, [2]string{l.Base, l.Quote}, symbol)
	}
	require.Equal(t, "BNB", coinm.guess("BNBUSD_PERP").Base)
}

func TestDiscover_aFinerGridNeedsMoreThanAFewNumbers(t *testing.T) {
	var g grid
	for range 1000 {
		g.see([]byte("1.50000000"))
	}
	g.see([]byte("1.00000700"))
	require.Equal(t, "0.1", g.finer("0.1"))
	require.Equal(t, "0.5", g.finer("0.5"))
	require.Equal(t, "0.000001", g.finer(""))
	for range 20 {
		g.see([]byte("1.25000000"))
	}
	require.Equal(t, "0.01", g.finer("0.1"))
}
