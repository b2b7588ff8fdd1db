package kraken

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/valyala/fastjson"

	"oneprice/feeds/wire"
)

// load asks for all pairs.
func load(ctx context.Context, cfg wire.FeedConfig) ([]wire.Listing, error) {
	if cfg.REST == "" {
		cfg.REST = publicREST
	}
	body, err := wire.Fetch(ctx, &cfg, "kraken", cfg.REST+"/0/public/AssetPairs", 1)
	if err != nil {
		return nil, err
	}
	v, err := fastjson.ParseBytes(body)
	if err == nil && len(v.GetArray("error")) > 0 {
		text := string(v.GetStringBytes("error", "0"))
		return nil, &wire.Error{Venue: "kraken", Op: "load instruments", Kind: kindOfError(text), Err: errors.New(text)}
	}
	var out []wire.Listing
	if err == nil {
		out, err = parsePairs(v.Get("result"))
	}
	if err != nil {
		return nil, &wire.Error{Venue: "kraken", Op: "load instruments", Kind: wire.Protocol, Err: err}
	}
	return out, nil
}

// parsePairs reads the result of AssetPairs, in its order: pairs by their name on the websocket.
func parsePairs(v *fastjson.Value) (out []wire.Listing, err error) {
	o := v.GetObject()
	if o == nil || o.Len() == 0 {
		return nil, errBadAnswer
	}
	d := newDiscoverer()
	o.Visit(func(name []byte, p *fastjson.Value) {
		symbol := symbolOf(p)
		if symbol == "" || err != nil {
			return // dark pools have no name on the websocket
		}
		delete(d.known, symbol)
		d.assetPair(p)
		l, ok := d.known[symbol]
		if !ok {
			err = fmt.Errorf("pair %s lacks its decimals", name)
			return
		}
		out = append(out, l)
	})
	return out, err
}

// symbolOf is the websocket's name of an entry of AssetPairs, "" when it has none.
func symbolOf(p *fastjson.Value) string {
	base, quote, ok := strings.Cut(string(p.GetStringBytes("wsname")), "/")
	if !ok {
		return ""
	}
	return currency(base) + "/" + currency(quote)
}

// oldest are the names that the ledger of balances has for assets since before it had others.
var oldest = map[string]string{
	"XXBT": "XBT", "XETH": "ETH", "XLTC": "LTC", "XXDG": "XDG", "XXLM": "XLM", "XXMR": "XMR", "XXRP": "XRP", "XZEC": "ZEC", "XETC": "ETC", "XREP": "REP",
	"XMLN": "MLN", "ZUSD": "USD", "ZEUR": "EUR", "ZGBP": "GBP", "ZCAD": "CAD", "ZJPY": "JPY", "ZAUD": "AUD",
}

// modern is the name that pairs use of an asset.
func modern(asset string) string {
	if name, ok := oldest[asset]; ok {
		return name
	}
	return asset
}
