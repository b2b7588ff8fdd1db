package binancesim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/venuesim"
)

// weights are what an address may spend in a minute.
var weights = [...]int64{Spot: 6000, USDM: 2400, COINM: 2400}

// publicREST adds an endpoint that needs no key. Each answer says how much of the minute's weight is spent.
func (s *Sim) publicREST(pattern string, weight func(url.Values) int64, serve func(url.Values) ([]byte, *failure)) {
	s.server.Rest(pattern, s.tooMany, func(w http.ResponseWriter, r *http.Request) {
		q, h := r.URL.Query(), w.Header()
		h.Set("Content-Type", "application/json")
		if wait, ok := s.weight.Try(weight(q)); !ok {
			s.count.Weight.Add(1)
			h.Set("Retry-After", strconv.FormatInt(int64(wait/venue.Second)+1, 10))
			w.WriteHeader(http.StatusTooManyRequests)
			fmt.Fprint(w, `{"code":-1003,"msg":"Too much request weight used."}`)
			return
		}
		h.Set("X-Mbx-Used-Weight-1m", strconv.FormatInt(s.weight.Spent(), 10))
		s.mu.Lock()
		text, f := serve(q)
		s.mu.Unlock()
		if f != nil {
			w.WriteHeader(f.status)
			fmt.Fprintf(w, `{"code":%d,"msg":%q}`, f.code, f.msg)
			return
		}
		w.Write(text) // a client that has gone is no business of the venue
	})
}

// tooMany is the venue's answer to too much weight.
func (s *Sim) tooMany(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Retry-After", "1")
	w.WriteHeader(http.StatusTooManyRequests)
	fmt.Fprintf(w, `{"code":-1003,"msg":"Too many requests; current limit is %d request weight per 1 MINUTE."}`, weights[s.cfg.Kind])
}

// depth answers the REST book.
func (s *Sim) depth(q url.Values) ([]byte, *failure) {
	limit, ok := depthLimit(q)
	if !ok {
		return nil, fail(-1130, "Data sent for parameter 'limit' is not valid.")
	}
	p := s.pair(q.Get("symbol"))
	if p == nil {
		return nil, fail(-1121, "Invalid symbol.")
	}
	now := s.cfg.Clock.Now()
	body := p.snapshot(now, limit)
	if s.cfg.Faults.Strikes(venuesim.StaleSnapshot, now) { // from a cache: its id is before everything that a new connection buffers
		body = []byte(strings.Replace(string(body), quoteInt(p.id), quoteInt(p.id-100_000), 1))
	}
	return body, nil
}

func depthLimit(q url.Values) (limit int, ok bool) {
	if !q.Has("limit") {
		return 100, true
	}
	n, err := strconv.Atoi(q.Get("limit"))
	return n, err == nil && n >= 1 && n <= 5000
}

func (s *Sim) depthWeight(q url.Values) int64 {
	limit, _ := depthLimit(q) // a wrong one weighs as little as may be
	for _, x := range []struct {
		limit         int
		spot, futures int64
	}{{50, 5, 2}, {100, 5, 5}, {500, 25, 10}, {1000, 50, 20}} {
		if limit <= x.limit {
			return [...]int64{Spot: x.spot, USDM: x.futures, COINM: x.futures}[s.cfg.Kind]
		}
	}
	return [...]int64{Spot: 250, USDM: 20, COINM: 20}[s.cfg.Kind]
}

// exchangeInfo lists the pairs, or those that symbol or symbols name, with the filters that requests are held against.
func (s *Sim) exchangeInfo(q url.Values) ([]byte, *failure) {
	list, f := s.named(q.Get("symbol"), q.Get("symbols"))
	if f != nil {
		return nil, f
	}
	m := fmt.Appendf(nil, `{"timezone":"UTC","serverTime":%d,"rateLimits":[{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":%d},{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":%d}],"exchangeFilters":[],"symbols":[`,
		ms(s.cfg.Clock.Now()), weights[s.cfg.Kind], s.cfg.OrdersPer10s)
	for i, p := range list {
		if i > 0 {
			m = append(m, ',')
		}
		m = p.listing(m)
	}
	return append(m, `]}`...), nil
}

// named are the pairs that a request names: one, a JSON list, or all.
func (s *Sim) named(symbol, symbols string) ([]*pair, *failure) {
	var names []string
	var out []*pair
	switch {
	case symbol != "":
		names = []string{symbol}
	case symbols == "":
		for _, p := range s.pairs {
			if p.Status != venue.Unlisted {
				out = append(out, p)
			}
		}
		return out, nil
	case json.Unmarshal([]byte(symbols), &names) != nil:
		return nil, fail(-1100, "Illegal characters found in parameter 'symbols'.")
	}
	for _, n := range names {
		p := s.pair(n)
		if p == nil || p.Status == venue.Unlisted {
			return nil, fail(-1121, "Invalid symbol.")
		}
		out = append(out, p)
	}
	return out, nil
}

// listing is a pair as exchangeInfo has it.
func (p *pair) listing(m []byte) []byte {
	base, quote := assets(p.Symbol)
	if p.kind == COINM {
		base, quote = assets(p.family())
	}
	status := "status"
	if p.kind == COINM {
		status = "contractStatus"
	}
	word := "HALT"
	switch p.Status {
	case venue.Trading:
		word = "TRADING"
	case venue.CancelOnly:
		word = "CANCEL_ONLY"
	}
	m = fmt.Appendf(m, `{"symbol":%q,%q:%q,"baseAsset":%q,"quoteAsset":%q,`, p.Symbol, status, word, base, quote)
	if p.kind == Spot {
		m = append(m, `"baseAssetPrecision":8,"quotePrecision":8,"quoteAssetPrecision":8,"baseCommissionPrecision":8,"quoteCommissionPrecision":8,`...)
		m = append(m, `"orderTypes":["LIMIT","LIMIT_MAKER","MARKET","STOP_LOSS_LIMIT"],"icebergAllowed":false,"ocoAllowed":false,"quoteOrderQtyMarketAllowed":true,`...)
		m = append(m, `"cancelReplaceAllowed":true,"amendAllowed":true,"isSpotTradingAllowed":true,"isMarginTradingAllowed":false,"permissions":[],"permissionSets":[["SPOT"]],`...)
	} else {
		m = fmt.Appendf(m, `"pricePrecision":%d,"quantityPrecision":%d,`, p.PriceScale, p.QtyScale)
	}
	price := func(ticks int64) []byte { return p.number(nil, ticks*int64(p.Tick), p.PriceScale) }
	qty := func(lots int64) []byte { return p.number(nil, lots*int64(p.Lot), p.QtyScale) }
	m = fmt.Appendf(m, `"filters":[{"filterType":"PRICE_FILTER","minPrice":"%s","maxPrice":"%s","tickSize":"%s"},`, price(1), price(1e9), price(1))
	most := p.number(nil, maxQty*fixed.Pow10(p.QtyScale), p.QtyScale)
	m = fmt.Appendf(m, `{"filterType":"LOT_SIZE","minQty":"%s","maxQty":"%s","stepSize":"%s"}`, qty(1), most, qty(1))
	switch p.kind {
	case USDM:
		m = fmt.Appendf(m, `,{"filterType":"MIN_NOTIONAL","notional":"%s"},{"filterType":"PERCENT_PRICE","multiplierUp":"5","multiplierDown":"0.2","multiplierDecimal":"4"},{"filterType":"MAX_NUM_ORDERS","limit":%d}`, cash(minNotional), maxOpen)
	case Spot:
		m = fmt.Appendf(m, `,{"filterType":"NOTIONAL","minNotional":"%s","applyMinToMarket":true,"maxNotional":"9000000.00000000","applyMaxToMarket":false,"avgPriceMins":5},`, cash(minNotional))
		m = fmt.Appendf(m, `{"filterType":"PERCENT_PRICE_BY_SIDE","bidMultiplierUp":"5","bidMultiplierDown":"0.2","askMultiplierUp":"5","askMultiplierDown":"0.2","avgPriceMins":5},{"filterType":"MAX_NUM_ORDERS","maxNumOrders":%d}`, maxOpen)
	}
	return append(m, `]}`...)
}
