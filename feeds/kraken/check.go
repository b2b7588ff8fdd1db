package kraken

import (
	"context"
	"fmt"
	"strings"

	"github.com/valyala/fastjson"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// Check implements wire.Gateway. The venue tells its time in whole seconds.
func (g *Gateway) Check(ctx context.Context) (wire.Account, error) {
	var a wire.Account
	err := a.Time(ctx, g.cfg.Clock, venue.Second, func(ctx context.Context) (at venue.Nanos, err error) {
		err = g.rest.public(ctx, "Time", func(v *fastjson.Value) error {
			at = venue.Nanos(v.GetInt64("unixtime")) * venue.Second
			return nil
		})
		return at, err
	})
	if err != nil {
		return a, err
	}
	err = g.rest.private(ctx, "GetApiKeyInfo", "", 1, func(v *fastjson.Value) error {
		a.Stated = true
		for _, p := range v.GetArray("permissions") {
			switch name := strings.ToLower(string(p.GetStringBytes())); {
			case strings.Contains(name, "withdraw"):
				a.Withdraw = true
			case strings.Contains(name, "modify") && (strings.Contains(name, "order") || strings.Contains(name, "trade")):
				a.Trade = true
			}
		}
		return nil
	})
	if err != nil && !strings.Contains(err.Error(), "Unknown method") {
		return a, err
	}
	w := g.newSweep(0)
	if err := w.pairs(ctx); err != nil {
		return a, err
	}
	for _, in := range g.cfg.Instruments {
		fees, err := g.fees(ctx, in, w.altnames[in])
		if err != nil {
			return a, err
		}
		a.Fees = append(a.Fees, fees)
	}
	return a, nil
}

// fees are the account's rates in a pair, which the venue states in percent.
func (g *Gateway) fees(ctx context.Context, in *venue.Instrument, name string) (venue.Fees, error) {
	fees := in.Fees
	err := g.rest.private(ctx, "TradeVolume", "&pair="+name, 1, func(v *fastjson.Value) (err error) {
		if fees.Taker, err = rateOf(v.GetObject("fees")); err != nil {
			return err
		}
		if fees.Maker = fees.Taker; v.Exists("fees_maker") { // absent where a pair has one rate for both
			fees.Maker, err = rateOf(v.GetObject("fees_maker"))
		}
		return err
	})
	return fees, err
}

// rateOf reads the only entry of an object of fees.
func rateOf(o *fastjson.Object) (fixed.Rate, error) {
	if o == nil || o.Len() != 1 {
		return 0, errBadAnswer
	}
	var rate fixed.Rate
	var err error
	o.Visit(func(_ []byte, v *fastjson.Value) {
		d, ok := exact(v.Get("fee"))
		n, f := fixed.FromDecimal(d.Shift(-2).RoundCeil(fixed.RateScale), fixed.RateScale)
		if !ok || f != fixed.OK {
			err = fmt.Errorf("a fee that cannot be read: %.100s", v)
		}
		rate = fixed.Rate(n)
	})
	return rate, err
}
