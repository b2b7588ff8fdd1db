package binance

import (
	"strings"

	"github.com/valyala/fastjson"
)

var parsers fastjson.ParserPool

// hosts in the order in which they are looked for: those of the futures contain that of spot.
var hosts = []struct{ text, name string }{
	{"dapi.binance", coinm.name}, {"dstream.binance", coinm.name},
	{"fapi.binance", usdm.name}, {"fstream.binance", usdm.name}, {"testnet.binancefuture", usdm.name},
	{"api.binance", spot.name}, {"stream.binance", spot.name}, {"binance.vision", spot.name}, {"binance.us", spot.name},
}

// detect reports whether a recorded line can only come from this product.
func (p product) detect(kind, request string, msg []byte) bool {
	if kind != "ws" && kind != "rest" && kind != "open" && kind != "send" {
		return false
	}
	if strings.Contains(request, "binance") {
		for _, h := range hosts {
			if strings.Contains(request, h.text) {
				return h.name == p.name
			}
		}
	}
	parser := parsers.Get()
	defer parsers.Put(parser)
	v, err := parser.ParseBytes(msg)
	if err != nil || v.Type() != fastjson.TypeObject {
		return false // damage is the decoder's to report
	}
	if kind == "rest" {
		return ofRest(v) == p.name
	}
	if data := v.Get("data"); data != nil && v.Exists("stream") {
		v = data
	}
	return ofMessage(v) == p.name
}

// ofMessage names the product of a websocket message, "" when it does not tell. Only futures have "pu" in a depthUpdate,
// "e" in a bookTicker and "X" in a trade; only a spot trade has "M".
func ofMessage(v *fastjson.Value) string {
	symbol := string(v.GetStringBytes("s"))
	if symbol == "" {
		return ""
	}
	switch string(v.GetStringBytes("e")) {
	case "depthUpdate":
		if v.Exists("pu") {
			return ofFuture(symbol)
		}
		if v.Exists("U") && !v.Exists("T") {
			return spot.name
		}
	case "bookTicker":
		return ofFuture(symbol)
	case "trade":
		if v.Exists("X") {
			return ofFuture(symbol)
		}
		if v.Exists("M") {
			return spot.name
		}
	case "":
		if v.Exists("u") && v.Exists("b") && v.Exists("B") && v.Exists("a") && v.Exists("A") {
			return spot.name
		}
	}
	return ""
}

// ofFuture names the product of a futures symbol: COIN-M has BTCUSD_PERP and BTCUSD_240927, USD-M BTCUSDT and
// BTCUSDT_240927.
func ofFuture(symbol string) string {
	if pair, _, dated := strings.Cut(symbol, "_"); dated && strings.HasSuffix(pair, "USD") {
		return coinm.name
	}
	return usdm.name
}

// ofRest names the product of a REST answer. The book of spot and of USD-M has no symbol, so it does not tell.
func ofRest(v *fastjson.Value) string {
	switch list := v.GetArray("symbols"); {
	case v.Exists("lastUpdateId") && v.Exists("pair"):
		return coinm.name
	case len(list) == 0:
		return ""
	case list[0].Exists("contractSize"):
		return coinm.name
	case list[0].Exists("contractType"):
		return usdm.name
	case list[0].Exists("isSpotTradingAllowed"):
		return spot.name
	}
	return ""
}
