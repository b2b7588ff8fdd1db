package binance

import (
	"context"
	"errors"
	"strings"

	"github.com/valyala/fastjson"

	"oneprice/feeds/wire"
)

// load asks for the product's exchangeInfo.
func (p product) load(ctx context.Context, cfg wire.FeedConfig) ([]wire.Listing, error) {
	m := markets[p.name]
	if cfg.REST == "" {
		cfg.REST = m.rest
	}
	body, err := wire.Fetch(ctx, &cfg, p.name, cfg.REST+strings.TrimSuffix(m.depthPath, "depth")+"exchangeInfo")
	if err != nil {
		return nil, err
	}
	v, err := fastjson.ParseBytes(body)
	if err != nil {
		return nil, &wire.Error{Venue: p.name, Op: "load instruments", Kind: wire.Protocol, Err: err}
	}
	var out []wire.Listing
	for _, s := range v.GetArray("symbols") {
		if l := p.listing(s); l.Symbol != "" {
			out = append(out, l)
		}
	}
	if len(out) == 0 {
		return nil, &wire.Error{Venue: p.name, Op: "load instruments", Kind: wire.Protocol, Err: errors.New("an exchangeInfo without symbols")}
	}
	return out, nil
}
