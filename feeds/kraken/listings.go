package kraken

import (
	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// shipped is the grid of well-known pairs by their v2 names, as an instrument snapshot of the venue stated it. Tick and lot
// are one unit of the last decimal.
var shipped = [...]struct {
	base, quote         string
	price, qty          uint8
	minQty, minNotional string
}{
	{"BTC", "USD", 1, 8, "0.0001", "0.5"},
	{"ETH", "USD", 2, 8, "0.002", "0.5"},
	{"SOL", "USD", 2, 8, "0.05", "0.5"},
	{"XRP", "USD", 5, 8, "10", "0.5"},
	{"ADA", "USD", 6, 8, "10", "0.5"},
	{"DOGE", "USD", 7, 8, "60", "0.5"},
	{"LTC", "USD", 2, 8, "0.05", "0.5"},
	{"BCH", "USD", 2, 8, "0.025", "0.5"},
	{"AVAX", "USD", 2, 8, "0.1", "0.5"},
	{"LINK", "USD", 5, 8, "0.2", "0.5"},
	{"DOT", "USD", 4, 8, "0.6", "0.5"},
	{"UNI", "USD", 3, 8, "0.5", "0.5"},
	{"SHIB", "USD", 8, 5, "500000", "0.5"},
	{"ATOM", "USD", 4, 8, "0.5", "0.5"},
	{"XLM", "USD", 6, 8, "40", "0.5"},
	{"XMR", "USD", 2, 8, "0.035", "0.5"},
	{"USDT", "USD", 5, 8, "10", "0.5"},
	{"USDC", "USD", 4, 8, "5", "0.5"},
	{"EUR", "USD", 5, 8, "0.5", "0.5"},
	{"BTC", "USDT", 1, 8, "0.0001", "0.5"},
	{"ETH", "USDT", 2, 8, "0.002", "0.5"},
	{"SOL", "USDT", 2, 8, "0.05", "0.5"},
	{"XRP", "USDT", 5, 8, "10", "0.5"},
	{"ADA", "USDT", 6, 8, "10", "0.5"},
	{"DOGE", "USDT", 5, 8, "60", "0.5"},
	{"LTC", "USDT", 5, 8, "0.05", "0.5"},
	{"BCH", "USDT", 2, 8, "0.025", "0.5"},
	{"AVAX", "USDT", 2, 8, "0.1", "0.5"},
	{"LINK", "USDT", 5, 8, "0.2", "0.5"},
	{"DOT", "USDT", 4, 8, "0.6", "0.5"},
	{"SHIB", "USDT", 8, 5, "500000", "0.5"},
	{"ATOM", "USDT", 4, 8, "0.5", "0.5"},
	{"XMR", "USDT", 2, 8, "0.035", "0.5"},
	{"USDC", "USDT", 4, 8, "5", "0.5"},
	{"BTC", "USDC", 2, 8, "0.0001", "0.5"},
	{"ETH", "USDC", 2, 8, "0.002", "0.5"},
	{"BTC", "EUR", 1, 8, "0.0001", "0.45"},
	{"ETH", "EUR", 2, 8, "0.002", "0.45"},
	{"SOL", "EUR", 2, 8, "0.05", "0.45"},
	{"XRP", "EUR", 5, 8, "10", "0.45"},
	{"ADA", "EUR", 6, 8, "10", "0.45"},
	{"DOGE", "EUR", 7, 8, "60", "0.45"},
	{"LTC", "EUR", 2, 8, "0.05", "0.45"},
	{"BCH", "EUR", 2, 8, "0.025", "0.45"},
	{"AVAX", "EUR", 2, 8, "0.1", "0.45"},
	{"LINK", "EUR", 5, 8, "0.2", "0.45"},
	{"DOT", "EUR", 4, 8, "0.6", "0.45"},
	{"UNI", "EUR", 3, 8, "0.5", "0.45"},
	{"SHIB", "EUR", 8, 5, "500000", "0.45"},
	{"ATOM", "EUR", 4, 8, "0.5", "0.45"},
	{"XLM", "EUR", 6, 8, "40", "0.45"},
	{"XMR", "EUR", 2, 8, "0.035", "0.45"},
	{"USDT", "EUR", 4, 8, "10", "0.45"},
	{"USDC", "EUR", 4, 8, "5", "0.45"},
	{"ETH", "BTC", 5, 8, "0.002", "0.00002"},
	{"SOL", "BTC", 7, 8, "0.05", "0.00002"},
	{"XRP", "BTC", 8, 8, "10", "0.00002"},
	{"ADA", "BTC", 8, 8, "10", "0.00002"},
	{"DOGE", "BTC", 8, 8, "60", "0.00002"},
	{"LTC", "BTC", 6, 8, "0.05", "0.00002"},
	{"BCH", "BTC", 5, 8, "0.025", "0.00002"},
	{"LINK", "BTC", 8, 8, "0.2", "0.00002"},
	{"DOT", "BTC", 8, 8, "0.6", "0.00002"},
	{"UNI", "BTC", 7, 8, "0.5", "0.00002"},
	{"ATOM", "BTC", 7, 8, "0.5", "0.00002"},
	{"XLM", "BTC", 8, 8, "40", "0.00002"},
	{"XMR", "BTC", 6, 8, "0.035", "0.00002"},
}

// listings makes the shipped table.
func listings() []wire.Listing {
	out := make([]wire.Listing, 0, len(shipped))
	for _, r := range shipped {
		l := spot(r.base+"/"+r.quote, r.base, r.quote)
		l.Status, l.PriceText, l.QtyText = venue.Trading, r.price, r.qty
		l.Tick, l.Lot = wire.Step(r.price), wire.Step(r.qty)
		l.MinQty, l.MinNotional = r.minQty, r.minNotional
		out = append(out, l)
	}
	return out
}

// spot is the listing of a pair without its numbers.
func spot(symbol, base, quote string) wire.Listing {
	return wire.Listing{
		Symbol: symbol, Base: base, Quote: quote, Settle: quote, Kind: venue.Spot, Multiplier: "1",
		Chain: venue.ChainNone, Depth: defaultDepth, Checksum: checksum, ChecksumDepth: checksumDepth,
	}
}
