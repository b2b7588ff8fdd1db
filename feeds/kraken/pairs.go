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

// FeeStep is one step of a pair's fee schedule: the rates from a 30-day volume on, in USD.
type FeeStep struct {
	Volume       string
	Maker, Taker fixed.Rate
}

// Pair is what REST states of one pair: its listing under the websocket's symbol, the name that REST knows it by, and its
// fee schedule, dearest first.
type Pair struct {
	wire.Listing
	Name string
	Fees []FeeStep
}

// Worst is the fees of an account whose tier is unknown: the first step, or nothing known.
func (p *Pair) Worst() (venue.Fees, bool) {
	if len(p.Fees) == 0 {
		return venue.Fees{}, false
	}
	return venue.Fees{Maker: p.Fees[0].Maker, Taker: p.Fees[0].Taker, In: venue.FeeInQuote}, true
}

// LoadPairs asks the venue for all pairs. base is the REST address without a path, "" the public one.
func LoadPairs(ctx context.Context, n wire.Net, clock *wire.Clock, base string) ([]Pair, error) {
	if base == "" {
		base = publicREST
	}
	r := newREST(&GatewayOptions{GatewayConfig: wire.GatewayConfig{Net: n, Clock: clock, REST: base}}, nil)
	defer r.client.CloseIdleConnections()
	var out []Pair
	err := r.public(ctx, "AssetPairs", func(v *fastjson.Value) (err error) {
		out, err = parsePairs(v)
		return err
	})
	return out, err
}

// parsePairs reads the result of AssetPairs, in its order.
func parsePairs(v *fastjson.Value) (out []Pair, err error) {
	o := v.GetObject()
	if o == nil {
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
		pair := Pair{Listing: l, Name: string(name)}
		if pair.Fees, err = feeSteps(p); err != nil {
			err = fmt.Errorf("pair %s: %w", name, err)
			return
		}
		out = append(out, pair)
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

// feeSteps reads the schedules, whose rates are percent. A pair without a maker schedule charges the taker's.
func feeSteps(p *fastjson.Value) ([]FeeStep, error) {
	takers, makers := p.GetArray("fees"), p.GetArray("fees_maker")
	if makers == nil {
		makers = takers
	}
	if len(makers) != len(takers) {
		return nil, fmt.Errorf("%d fees and %d maker fees", len(takers), len(makers))
	}
	var doc wire.Doc
	out := make([]FeeStep, 0, len(takers))
	for i := range takers {
		s := FeeStep{Volume: string(takers[i].Get("0").MarshalTo(nil))}
		for _, f := range [2]struct {
			v  *fastjson.Value
			to *fixed.Rate
		}{{makers[i].Get("1"), &s.Maker}, {takers[i].Get("1"), &s.Taker}} {
			n, why := doc.Fixed(f.v, fixed.RateScale-2) // a percent at 10^-6 is a rate at 10^-8
			if why != venue.OK {
				return nil, fmt.Errorf("a fee is %s", why)
			}
			*f.to = fixed.Rate(n)
		}
		out = append(out, s)
	}
	return out, nil
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
