package coinbase

import (
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// shipped is the grid of well-known products as the venue's product list stated it on 2026-08-09. The least size of each
// is one lot. X-USDC products are not here: on public channels the venue sends them as X-USD.
var shipped = [...]struct{ base, quote, tick, lot, maxQty, minNotional string }{
	{"BTC", "USD", "0.01", "0.00000001", "3400", "1"},
	{"ETH", "USD", "0.01", "0.00000001", "42000", "1"},
	{"SOL", "USD", "0.01", "0.00000001", "1274000", "1"},
	{"XRP", "USD", "0.0001", "0.000001", "11996772.840729", "1"},
	{"ADA", "USD", "0.00001", "0.00000001", "30176000", "1"},
	{"DOGE", "USD", "0.00001", "0.1", "141834300", "1"},
	{"LTC", "USD", "0.01", "0.00000001", "122300", "1"},
	{"BCH", "USD", "0.01", "0.00000001", "84200", "1"},
	{"AVAX", "USD", "0.001", "0.00000001", "631600", "1"},
	{"LINK", "USD", "0.001", "0.01", "1503100", "1"},
	{"DOT", "USD", "0.0001", "0.00000001", "1732900", "1"},
	{"UNI", "USD", "0.0001", "0.000001", "1726300", "1"},
	{"SHIB", "USD", "0.00000001", "1", "970443076600", "1"},
	{"ATOM", "USD", "0.001", "0.01", "896400", "1"},
	{"XLM", "USD", "0.000001", "0.00000001", "116945400", "1"},
	{"USDT", "USD", "0.00001", "0.01", "10480600", "1"},
	{"BTC", "USDT", "0.01", "0.00000001", "400", "1"},
	{"ETH", "USDT", "0.01", "0.00000001", "6200", "1"},
	{"SOL", "USDT", "0.01", "0.001", "510400", "1"},
	{"XRP", "USDT", "0.0001", "0.000001", "11988060.178198", "1"},
	{"ADA", "USDT", "0.0001", "0.01", "30224000", "1"},
	{"DOGE", "USDT", "0.0001", "0.1", "142083900", "1"},
	{"AVAX", "USDT", "0.01", "0.001", "632700", "1"},
	{"LINK", "USDT", "0.01", "0.001", "1505600", "1"},
	{"DOT", "USDT", "0.01", "0.001", "1735900", "1"},
	{"SHIB", "USDT", "0.0000001", "1", "971943238500", "1"},
	{"ATOM", "USDT", "0.001", "0.001", "897900", "1"},
	{"XLM", "USDT", "0.0001", "0.1", "117150700", "1"},
	{"BTC", "EUR", "0.01", "0.00000001", "400", "1"},
	{"ETH", "EUR", "0.01", "0.00000001", "6700", "1"},
	{"SOL", "EUR", "0.01", "0.001", "60000", "1"},
	{"XRP", "EUR", "0.0001", "0.000001", "11996772.840729", "1"},
	{"ADA", "EUR", "0.0001", "0.01", "32381300", "1"},
	{"DOGE", "EUR", "0.0001", "0.1", "7300000", "1"},
	{"LTC", "EUR", "0.01", "0.00000001", "8100", "1"},
	{"BCH", "EUR", "0.01", "0.00000001", "2200", "1"},
	{"AVAX", "EUR", "0.01", "0.001", "9700", "1"},
	{"LINK", "EUR", "0.01", "0.01", "76000", "1"},
	{"DOT", "EUR", "0.01", "0.001", "35000", "1"},
	{"UNI", "EUR", "0.01", "0.001", "16000", "1"},
	{"SHIB", "EUR", "0.00000001", "1", "1040747752500", "1"},
	{"ATOM", "EUR", "0.001", "0.001", "11000", "1"},
	{"XLM", "EUR", "0.000001", "1", "3000000", "1"},
	{"USDT", "EUR", "0.00001", "0.01", "11241800", "1"},
	{"USDC", "EUR", "0.0001", "0.01", "10000000", "1"},
	{"ETH", "BTC", "0.000001", "0.00000001", "6100", "0.00001"},
	{"SOL", "BTC", "0.0000001", "0.001", "499800", "0.000016"},
	{"ADA", "BTC", "0.00000001", "0.01", "29647700", "0.000016"},
	{"DOGE", "BTC", "0.00000001", "0.1", "138960500", "0.000016"},
	{"LTC", "BTC", "0.000001", "0.00000001", "120000", "0.000016"},
	{"BCH", "BTC", "0.000001", "0.00000001", "82400", "0.00001"},
	{"AVAX", "BTC", "0.00000001", "0.001", "619900", "0.000016"},
	{"LINK", "BTC", "0.00000001", "0.01", "1475200", "0.000016"},
	{"DOT", "BTC", "0.00000001", "0.001", "1699000", "0.000016"},
	{"UNI", "BTC", "0.00000001", "0.000001", "1686800", "0.00003"},
	{"ATOM", "BTC", "0.00000001", "0.1", "875100", "0.00002"},
	{"XLM", "BTC", "0.00000001", "1", "115195100", "0.000016"},
}

// listings makes the shipped table.
func listings() []wire.Listing {
	out := make([]wire.Listing, 0, len(shipped))
	for _, r := range shipped {
		l := spot(r.base, r.quote, r.tick, r.lot, r.lot, r.maxQty, r.minNotional)
		l.Status = venue.Trading
		out = append(out, l)
	}
	return out
}

// spot is the listing of a spot product. The greatest size is cut to the lot, since the venue states some with sixteen
// decimals, and to what a Qty holds at the lot's scale (XLM-USD: 90 million of 117).
func spot(base, quote, tick, lot, minQty, maxQty, minNotional string) wire.Listing {
	qty := wire.Decimals([]byte(lot))
	return wire.Listing{
		Symbol: base + "-" + quote, Base: base, Quote: quote, Settle: quote, Kind: venue.Spot,
		Tick: tick, Lot: lot, MinQty: minQty, MaxQty: greatest(maxQty, qty), MinNotional: minNotional, Multiplier: "1",
		PriceText: wire.Decimals([]byte(tick)), QtyText: qty, Chain: venue.ChainNone,
	}
}

// greatest cuts a size to a number of decimals and to fixed.Limit.
func greatest(size string, decimals uint8) string {
	size = wire.CutDecimals(size, decimals)
	if _, why := fixed.Parse([]byte(size), decimals); why == fixed.Overflow {
		return string(fixed.Append(nil, fixed.Limit, decimals))
	}
	return size
}
