package binance

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"strings"

	"github.com/valyala/fastjson"

	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// infoWeight is that of spot's exchangeInfo; the others' is less.
const infoWeight = 20

// load asks for the product's exchangeInfo: of spot, which is many megabytes in whole, for the instruments alone where there
// are any. A name that is listed no more refuses that question; the whole list then shows which.
func (p product) load(ctx context.Context, cfg wire.FeedConfig) ([]wire.Listing, error) {
	m := markets[p.name]
	if cfg.REST == "" {
		cfg.REST = m.rest
	}
	address := cfg.REST + strings.TrimSuffix(m.depthPath, "depth") + "exchangeInfo"
	if p.kind == venue.Spot && len(cfg.Instruments) > 0 {
		body, err := wire.Fetch(ctx, &cfg, p.name, address+"?symbols="+url.QueryEscape(nameList(cfg.Instruments)), infoWeight)
		if e := (*wire.Error)(nil); !errors.As(err, &e) || e.Kind != wire.Refused {
			return p.listed(body, err)
		}
	}
	return p.listed(wire.Fetch(ctx, &cfg, p.name, address, infoWeight))
}

// nameList is a JSON list of the instruments' names.
func nameList(ins []*venue.Instrument) string {
	m := []byte{'['}
	for i, in := range ins {
		if i > 0 {
			m = append(m, ',')
		}
		m = strconv.AppendQuote(m, in.Symbol)
	}
	return string(append(m, ']'))
}

// listed reads an exchangeInfo.
func (p product) listed(body []byte, err error) ([]wire.Listing, error) {
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

// clock is where the product's venue tells its time.
func (p product) clock() *wire.ClockSource {
	m := markets[p.name]
	return &wire.ClockSource{REST: m.rest, Path: strings.TrimSuffix(m.depthPath, "depth") + "time", Grain: venue.Millisecond, Weight: 1, Read: func(body []byte) (venue.Nanos, error) {
		v, err := fastjson.ParseBytes(body)
		if err == nil && v.GetInt64("serverTime") <= 0 {
			err = errors.New("an answer without serverTime")
		}
		return millis(v, "serverTime"), err
	}}
}
