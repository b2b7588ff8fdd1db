package binance

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/valyala/fastjson"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/sign"
	"oneprice/feeds/wire"
)

// Check implements wire.Gateway. Requests carry the venue's time from then on.
func (g *Gateway) Check(ctx context.Context) (wire.Account, error) {
	var a wire.Account
	err := a.Time(ctx, g.o.Clock, venue.Millisecond, func(ctx context.Context) (venue.Nanos, error) {
		v, err := g.object(ctx, g.v.time, 1, nil)
		return millis(v, "serverTime"), err
	})
	if err != nil {
		return a, err
	}
	g.offset.Store(int64(a.Offset))
	if g.v.futures {
		return a, g.checkFutures(ctx, &a)
	}
	v, err := g.object(ctx, "/sapi/v1/account/apiRestrictions", 1, []sign.Param{})
	var stated *refusedError
	switch {
	case err == nil:
		a.Stated, a.Trade, a.Withdraw = true, v.GetBool("enableSpotAndMarginTrading"), v.GetBool("enableWithdrawals")
	case errors.As(err, &stated) && stated.status == http.StatusNotFound: // not every venue of this protocol has the path
	default:
		return a, err
	}
	for _, in := range g.o.Instruments {
		fees, err := g.fees(ctx, in)
		if err != nil {
			return a, err
		}
		a.Fees = append(a.Fees, fees)
	}
	return a, nil
}

// object makes a GET of an object; nil parameters leave it unsigned.
func (g *Gateway) object(ctx context.Context, path string, weight int64, params []sign.Param) (*fastjson.Value, error) {
	body, err := g.get(ctx, path, weight, params)
	if err != nil {
		return nil, err
	}
	v, err := fastjson.ParseBytes(body)
	if err != nil {
		return nil, protocol(path, err)
	}
	return v, nil
}

// fees are the account's rates in an instrument: the sum of its parts without the discount, which depends on a balance in
// the venue's own coin; of buyer and seller the dearer.
func (g *Gateway) fees(ctx context.Context, in *venue.Instrument) (venue.Fees, error) {
	const path = "/api/v3/account/commission"
	fees := in.Fees
	v, err := g.object(ctx, path, 20, []sign.Param{{Name: "symbol", Value: in.Symbol}})
	if err != nil {
		return fees, err
	}
	fees.Maker, fees.Taker = 0, 0
	for _, part := range [...]string{"standardCommission", "specialCommission", "taxCommission"} {
		p := v.Get(part)
		if p == nil {
			continue
		}
		var rates [4]fixed.Rate
		for i, name := range [...]string{"maker", "taker", "buyer", "seller"} {
			n, fault := fixed.Parse(p.GetStringBytes(name), fixed.RateScale)
			if fault != fixed.OK {
				return fees, protocol(path, fmt.Errorf("%s of %s is %s", name, part, fault))
			}
			rates[i] = fixed.Rate(n)
		}
		side := max(rates[2], rates[3])
		fees.Maker, fees.Taker = fees.Maker+rates[0]+side, fees.Taker+rates[1]+side
	}
	return fees, nil
}
