package binance

import (
	"slices"
	"strconv"
	"strings"

	"github.com/valyala/fastjson"

	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// listing reads one symbol of an exchangeInfo (venues/binance.md, section 4); its Symbol is "" when it is not this
// product's. Numbers lose the zeros that end them, so that their decimals are those of the grid.
func (p product) listing(v *fastjson.Value) wire.Listing {
	text := func(key string) string { return string(v.GetStringBytes(key)) }
	l := p.contract(text("symbol"), text("baseAsset"), text("quoteAsset"))
	if margin := text("marginAsset"); margin != "" {
		l.Settle = margin
	}
	if size := v.Get("contractSize"); size != nil {
		l.Face = string(size.MarshalTo(nil))
	}
	l.Status = status(text("status") + text("contractStatus")) // spot and USD-M have the one, COIN-M the other
	for _, f := range v.GetArray("filters") {
		number := func(key string) string { return string(trim(f.GetStringBytes(key))) }
		switch string(f.GetStringBytes("filterType")) {
		case "PRICE_FILTER":
			l.Tick = positive(number("tickSize"))
		case "LOT_SIZE":
			l.Lot, l.MinQty, l.MaxQty = positive(number("stepSize")), positive(number("minQty")), positive(number("maxQty"))
		case "MIN_NOTIONAL", "NOTIONAL":
			l.MinNotional = number("minNotional") + number("notional") // spot has the one, USD-M the other
		}
	}
	if p.kind == venue.Spot {
		l.PriceText, l.QtyText = 8, 8
	} else {
		l.PriceText, l.QtyText = uint8(v.GetUint("pricePrecision")), uint8(v.GetUint("quantityPrecision"))
	}
	return l
}

// positive is "" for zero, which switches a rule off.
func positive(number string) string {
	if strings.Trim(number, "0.") == "" {
		return ""
	}
	return number
}

// status is what the venue's word means for us; a word that we do not know halts.
func status(word string) venue.Status {
	switch word {
	case "TRADING":
		return venue.Trading
	case "CANCEL_ONLY":
		return venue.CancelOnly
	case "":
		return venue.Unlisted
	}
	return venue.Halted
}

// contract is the listing of a symbol without its numbers.
func (p product) contract(symbol, base, quote string) wire.Listing {
	l := wire.Listing{Symbol: symbol, Base: base, Quote: quote, Settle: quote, Kind: p.kind, Multiplier: "1", Chain: p.chain}
	if p.coin {
		l.Contract, l.Settle, l.Multiplier, l.Face = venue.Inverse, base, "", "10"
		if base == "BTC" {
			l.Face = "100"
		}
	}
	if _, expiry, ok := strings.Cut(symbol, "_"); ok && p.kind != venue.Spot {
		if _, err := strconv.Atoi(expiry); err == nil {
			l.Kind = venue.Dated
		}
	}
	return l
}

// quotes are the currencies that spot and USD-M symbols end in, longer before shorter where one ends the other.
var quotes = []string{
	"FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USDP", "USDS", "USD1", "EURI", "AEUR", "IDRT", "BIDR", "BVND", "BKRW", "USD",
	"DAI", "PAX", "EUR", "TRY", "BRL", "GBP", "AUD", "JPY", "UAH", "RUB", "NGN", "ZAR", "PLN", "RON", "ARS", "MXN", "COP", "CZK",
	"BTC", "ETH", "BNB", "XRP", "TRX", "DOGE", "SOL", "DOT", "VAI", "UST",
}

// guess is the listing of a symbol of which nothing is known but that it trades: base and quote from its spelling, tick
// and lot left to the data. Of two spellings (BN/BUSD, BNB/USD) the one whose base is in the shipped table is right.
func (p product) guess(symbol string) wire.Listing {
	pair, _, _ := strings.Cut(symbol, "_")
	base, quote := pair, ""
	for _, q := range quotes {
		b, ok := strings.CutSuffix(pair, q)
		if !ok || b == "" || quote != "" && !shippedBase(b) {
			continue
		}
		if base, quote = b, q; shippedBase(b) {
			break
		}
	}
	if p.coin && strings.HasSuffix(pair, "USD") {
		base, quote = strings.TrimSuffix(pair, "USD"), "USD"
	}
	l := p.contract(symbol, base, quote)
	l.Status = venue.Trading
	return l
}

func shippedBase(base string) bool {
	return slices.ContainsFunc(spotRows, func(r row) bool { return r.base == base })
}
