package coinbase

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/valyala/fastjson"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// load asks for the venue's spot products: grids, least and greatest sizes, and the flags as a Status. X-USDC products keep
// their own name, which orders carry; their market data is published as X-USD.
func load(ctx context.Context, cfg wire.FeedConfig) ([]wire.Listing, error) {
	if cfg.REST == "" {
		cfg.REST = publicREST
	}
	body, err := wire.Fetch(ctx, &cfg, "coinbase", cfg.REST+pathProducts+"?product_type=SPOT", 1) // without a limit all come at once
	if err != nil {
		return nil, err
	}
	v, err := fastjson.ParseBytes(body)
	if err != nil {
		return nil, &wire.Error{Venue: "coinbase", Op: "load instruments", Kind: wire.Protocol, Err: err}
	}
	d := discoverer{known: map[string]wire.Listing{}}
	var out []wire.Listing
	for _, p := range v.GetArray("products") {
		d.product(p)
		if l, ok := d.known[string(p.GetStringBytes("product_id"))]; ok {
			out = append(out, l)
		}
	}
	if len(out) == 0 {
		return nil, &wire.Error{Venue: "coinbase", Op: "load instruments", Kind: wire.Protocol, Err: errors.New("a list without products")}
	}
	return out, nil
}

// Check implements wire.Gateway. The account's rates are those of every product.
func (g *Gateway) Check(ctx context.Context) (wire.Account, error) {
	var a wire.Account
	err := a.Time(ctx, g.clock, venue.Millisecond, func(ctx context.Context) (venue.Nanos, error) {
		v, err := g.rest.ask(ctx, pathTime, nil)
		if err != nil {
			return 0, err
		}
		at, err := timeOf(v)
		if err != nil {
			err = g.rest.fault(pathTime, wire.Protocol, err)
		}
		return at, err
	})
	if err != nil {
		return a, err
	}
	v, err := g.rest.ask(ctx, pathKey, nil)
	if err != nil {
		return a, err
	}
	a.Stated, a.Trade, a.Withdraw = v.Exists("can_trade"), v.GetBool("can_trade"), v.GetBool("can_transfer")
	fees, err := g.rest.fees(ctx)
	if err != nil {
		return a, err
	}
	a.Fees = slices.Repeat([]venue.Fees{fees}, len(g.Instruments))
	return a, nil
}

// timeOf reads an answer that tells the venue's time.
func timeOf(v *fastjson.Value) (venue.Nanos, error) {
	n, fault := fixed.Parse(v.GetStringBytes("epochMillis"), 0)
	if fault != fixed.OK {
		return 0, fmt.Errorf("epochMillis is %s", fault)
	}
	return venue.Nanos(n) * venue.Millisecond, nil
}

// clock is where the venue tells its time.
var clock = wire.ClockSource{REST: publicREST, Path: pathTime, Grain: venue.Millisecond, Read: func(body []byte) (venue.Nanos, error) {
	v, err := fastjson.ParseBytes(body)
	if err != nil {
		return 0, err
	}
	return timeOf(v)
}}

// fees are the account's rates; those of a text with more decimals than a Rate are rounded against us.
func (r *rest) fees(ctx context.Context) (venue.Fees, error) {
	v, err := r.ask(ctx, pathSummary, url.Values{"product_type": {"SPOT"}})
	if err != nil {
		return venue.Fees{}, err
	}
	fees := venue.Fees{In: venue.FeeInQuote}
	for _, f := range []struct {
		name string
		to   *fixed.Rate
	}{{"maker_fee_rate", &fees.Maker}, {"taker_fee_rate", &fees.Taker}} {
		text := v.Get("fee_tier", f.name)
		d, ok := exact(text)
		n, why := fixed.FromDecimal(d.RoundCeil(fixed.RateScale), fixed.RateScale)
		if absent(text) || !ok || why != fixed.OK {
			return venue.Fees{}, r.fault(pathSummary, wire.Protocol, fmt.Errorf("no usable %s", f.name))
		}
		*f.to = fixed.Rate(n)
	}
	return fees, nil
}
