package binance

import (
	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// trading is what differs between the order sides of spot and of USD-M futures (venues/binance.md, sections 2 to 6).
type trading struct {
	name    string
	futures bool
	ws      string // the WebSocket API's public address, and path
	wsPath  string
	stream  string // the user stream's public address, where it is a connection of its own, and path
	private string
	rest    string
	// Paths of REST and their weights.
	time, order, openOrders, cancelAll, trades, balances string
	orderWeight, openWeight, tradesWeight, balanceWeight int64
	openAll                                              int64 // weight of the open orders of every symbol
	orders10s                                            int64 // new orders in ten seconds, until the venue states its limit
	// silence is how long a connection may say nothing: spot pings every 20 s, futures every 3 min.
	silence venue.Nanos
}

var (
	spotTrading = trading{name: "binance", ws: "wss://ws-api.binance.com:443", wsPath: "/ws-api/v3", rest: markets[spot.name].rest,
		time: "/api/v3/time", order: "/api/v3/order", openOrders: "/api/v3/openOrders", cancelAll: "/api/v3/openOrders", trades: "/api/v3/myTrades",
		balances: "/api/v3/account", orderWeight: 4, openWeight: 6, openAll: 80, orders10s: 50, tradesWeight: 20, balanceWeight: 20, silence: 45 * venue.Second}
	usdmTrading = trading{name: "binance-usdm", futures: true, ws: "wss://ws-fapi.binance.com:443", wsPath: "/ws-fapi/v1", stream: "wss://fstream.binance.com",
		private: "/private/ws", rest: markets[usdm.name].rest, time: "/fapi/v1/time", order: "/fapi/v1/order", openOrders: "/fapi/v1/openOrders",
		cancelAll: "/fapi/v1/allOpenOrders", trades: "/fapi/v1/userTrades", balances: "/fapi/v3/balance", orderWeight: 1, openWeight: 1, openAll: 40, orders10s: 300, tradesWeight: 5,
		balanceWeight: 5, silence: 200 * venue.Second}
)

// gateway makes a product's order side for the catalogue, nil for COIN-M, which has none yet.
func (p product) gateway() func(wire.GatewayConfig) (wire.Gateway, error) {
	var make func(GatewayOptions) (*Gateway, error)
	switch p.name {
	case spot.name:
		make = NewGateway
	case usdm.name:
		make = NewFutures
	default:
		return nil
	}
	return func(cfg wire.GatewayConfig) (wire.Gateway, error) { return make(GatewayOptions{GatewayConfig: cfg}) }
}
