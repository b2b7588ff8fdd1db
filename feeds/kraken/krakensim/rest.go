package krakensim

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/venuesim"
)

// pageOf is how many entries of a history an answer holds.
const pageOf = 50

// endpoint answers a private request with its result, or with an error. Sim.mu is held.
type endpoint struct {
	cost int64
	do   func(a *account, f url.Values, now venue.Nanos) (result, why string)
}

func (s *Sim) endpoints() map[string]endpoint {
	return map[string]endpoint{
		"GetWebSocketsToken": {1, s.restToken},
		"GetApiKeyInfo":      {1, s.restKey},
		"Balance":            {1, s.restBalance},
		"BalanceEx":          {1, s.restBalanceEx},
		"OpenOrders":         {1, s.restOpen},
		"ClosedOrders":       {1, s.restClosed},
		"QueryOrders":        {1, s.restQuery},
		"TradesHistory":      {2, s.restTrades},
		"TradeVolume":        {1, s.restVolume},
		"CancelOrder":        {0, s.restCancel},
		"CancelAll":          {0, s.restCancelAll},
	}
}

// privateREST answers POST /0/private/NAME: key, signature, nonce, counter, then the endpoint.
func (s *Sim) privateREST(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	fail := func(why string) { fmt.Fprintf(w, `{"error":[%q]}`, why) }
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		fail("EGeneral:Invalid arguments")
		return
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		fail("EGeneral:Invalid arguments")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.cfg.Clock.Now()
	if s.cfg.Faults.Strikes(venuesim.Banned, now) {
		w.WriteHeader(http.StatusTooManyRequests)
		fail("EGeneral:Temporary lockout")
		return
	}
	a := s.account(r.Header.Get("API-Key"))
	if a == nil {
		fail("EAPI:Invalid key")
		return
	}
	nonce := form.Get("nonce")
	if !signed(a.secret, r.URL.Path, nonce, body, r.Header.Get("API-Sign")) {
		a.count.Signatures.Add(1)
		fail("EAPI:Invalid signature")
		return
	}
	n, err := strconv.ParseUint(nonce, 10, 64)
	if err != nil || n <= a.nonce {
		a.count.Nonces.Add(1)
		fail("EAPI:Invalid nonce")
		return
	}
	a.nonce = n
	e, ok := s.endpoints()[strings.TrimPrefix(r.URL.Path, "/0/private/")]
	if !ok {
		fail("EGeneral:Unknown method")
		return
	}
	l := limitsOf[a.Tier]
	if a.rest.now(now, l.restDecay)+e.cost*100*hundredth > l.rest*100*hundredth {
		a.count.Rates.Add(1)
		fail("EAPI:Rate limit exceeded")
		return
	}
	a.rest.level += e.cost * 100 * hundredth
	result, why := e.do(a, form, now)
	if why != "" {
		fail(why)
		return
	}
	fmt.Fprintf(w, `{"error":[],"result":%s}`, result)
}

// signed recomputes an API-Sign.
func signed(secret []byte, path, nonce string, body []byte, given string) bool {
	sha := sha256.Sum256(append([]byte(nonce), body...))
	mac := hmac.New(sha512.New, secret)
	mac.Write([]byte(path))
	mac.Write(sha[:])
	want, err := base64.StdEncoding.DecodeString(given)
	return err == nil && hmac.Equal(want, mac.Sum(nil))
}

func (s *Sim) restToken(a *account, _ url.Values, now venue.Nanos) (result, why string) {
	s.lastToken++
	token := base64.RawURLEncoding.EncodeToString([]byte(ident('K', s.lastToken) + ident('k', s.cfg.Seed)))
	a.tokens[token] = now
	return fmt.Sprintf(`{"token":%q,"expires":900}`, token), ""
}

func (s *Sim) restKey(a *account, _ url.Values, _ venue.Nanos) (result, why string) {
	may := `"query-funds","query-open-trades","query-closed-trades"`
	if !a.ReadOnly {
		may += `,"modify-trades","close-trades"`
	}
	return fmt.Sprintf(`{"api_key_name":"simulated","api_key":%q,"nonce_window":"0","permissions":[%s],"valid_until":"0"}`, a.Key, may), ""
}

// time answers GET /0/public/Time.
func (s *Sim) time(w http.ResponseWriter, _ *http.Request) {
	now := time.Unix(0, int64(s.cfg.Clock.Now())).UTC()
	fmt.Fprintf(w, `{"error":[],"result":{"unixtime":%d,"rfc1123":%q}}`, now.Unix(), now.Format(time.RFC1123))
}

// ledgerName is the name of an asset in balances, which is older than that in pairs.
func ledgerName(asset string) string {
	switch asset {
	case "USD", "EUR", "GBP":
		return "Z" + asset
	case "BTC":
		return "XXBT"
	case "ETH", "LTC", "XMR", "XRP", "XLM":
		return "X" + asset
	case "DOGE":
		return "XXDG"
	}
	return asset
}

func (s *Sim) restBalance(a *account, _ url.Values, _ venue.Nanos) (result, why string) {
	return s.balanceObject(a, func(_ string, b decimal.Decimal) string { return fmt.Sprintf("%q", b) }), ""
}

func (s *Sim) restBalanceEx(a *account, _ url.Values, _ venue.Nanos) (result, why string) {
	return s.balanceObject(a, func(name string, b decimal.Decimal) string {
		return fmt.Sprintf(`{"balance":%q,"hold_trade":%q}`, b, s.held(a, name))
	}), ""
}

func (s *Sim) balanceObject(a *account, f func(name string, b decimal.Decimal) string) string {
	var names []string
	for name := range a.balance {
		names = append(names, name)
	}
	sort.Strings(names)
	var out []string
	for _, name := range names {
		out = append(out, fmt.Sprintf("%q:%s", ledgerName(name), f(name, a.balance[name])))
	}
	return "{" + strings.Join(out, ",") + "}"
}

// seconds is an instant as REST writes it.
func seconds(t venue.Nanos) string { return string(fixed.Append(nil, int64(t/venue.Microsecond), 6)) }

// altname is a pair's altname.
func altname(symbol string) string {
	base, quote := assets(symbol)
	return older(base) + older(quote)
}

// restOrder is an order as REST writes it.
func (s *Sim) restOrder(o *order) string {
	p := s.pairs[o.pair]
	price, price2 := o.price, fixed.Price(0)
	if o.stop > 0 {
		price, price2 = o.stop, o.price
	}
	m := fmt.Appendf(nil, `%q:{"refid":null,"userref":null,"status":%q,"opentm":%s,"starttm":0,"expiretm":0,"descr":{"pair":%q,"type":%q,"ordertype":%q,"price":"%s","price2":"%s","leverage":"none"},`,
		o.id, o.status, seconds(o.opened), altname(p.Symbol), o.side, o.kind, fixed.Append(nil, int64(price), p.PriceScale), fixed.Append(nil, int64(price2), p.PriceScale))
	m = fmt.Appendf(m, `"vol":"%s","vol_exec":"%s","cost":%q,"fee":%q,"misc":"","oflags":"fciq","time_in_force":%q`, fixed.Append(nil, int64(o.qty), p.QtyScale),
		fixed.Append(nil, int64(o.cum), p.QtyScale), o.cost, o.fee, strings.ToUpper(o.tif))
	m = append(m, clientItem(o)...)
	if o.over() {
		m = fmt.Appendf(m, `,"closetm":%s,"reason":%q`, seconds(o.closed), o.reason)
	}
	return string(append(m, '}'))
}

func (s *Sim) restOpen(a *account, _ url.Values, _ venue.Nanos) (result, why string) {
	var out []string
	for _, o := range a.orders {
		if !o.over() {
			out = append(out, s.restOrder(o))
		}
	}
	return `{"open":{` + strings.Join(out, ",") + `}}`, ""
}

// since reads the start of a history, in seconds, exclusive.
func since(f url.Values) (venue.Nanos, bool) {
	if f.Get("start") == "" {
		return 0, true
	}
	d, err := decimal.NewFromString(f.Get("start"))
	return venue.Nanos(d.Shift(9).IntPart()), err == nil
}

// page cuts a page out of a list whose newest comes first.
func page(list []string, f url.Values) ([]string, bool) {
	from := 0
	if text := f.Get("ofs"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return nil, false
		}
		from = n
	}
	from = min(from, len(list))
	return list[from:min(from+pageOf, len(list))], true
}

func (s *Sim) restClosed(a *account, f url.Values, _ venue.Nanos) (result, why string) {
	start, ok := since(f)
	var list []string
	for i := len(a.orders) - 1; i >= 0; i-- {
		if o := a.orders[i]; o.over() && o.closed > start {
			list = append(list, s.restOrder(o))
		}
	}
	out, good := page(list, f)
	if !ok || !good {
		return "", "EGeneral:Invalid arguments"
	}
	return fmt.Sprintf(`{"closed":{%s},"count":%d}`, strings.Join(out, ","), len(list)), ""
}

func (s *Sim) restQuery(a *account, f url.Values, _ venue.Nanos) (result, why string) {
	ids := strings.Split(f.Get("txid"), ",")
	if len(ids) > 50 {
		return "", "EGeneral:Invalid arguments"
	}
	var out []string
	for _, id := range ids {
		o := a.named(id, "")
		if o == nil {
			return "", "EOrder:Invalid order"
		}
		out = append(out, s.restOrder(o))
	}
	return "{" + strings.Join(out, ",") + "}", ""
}

func (s *Sim) restTrades(a *account, f url.Values, _ venue.Nanos) (result, why string) {
	start, ok := since(f)
	var list []string
	for i := len(a.trades) - 1; i >= 0; i-- {
		t := a.trades[i]
		if t.at <= start {
			continue
		}
		p := s.pairs[t.o.pair]
		list = append(list, fmt.Sprintf(`%q:{"ordertxid":%q,"pair":%q,"time":%s,"type":%q,"ordertype":%q,"price":"%s","cost":%q,"fee":%q,"vol":"%s","margin":"0","misc":"","trade_id":%d,"maker":%t}`,
			t.id, t.o.id, altname(p.Symbol), seconds(t.at), t.o.side, t.o.kind, fixed.Append(nil, int64(t.price), p.PriceScale), t.cost, t.fee,
			fixed.Append(nil, int64(t.qty), p.QtyScale), t.n, t.maker))
	}
	out, good := page(list, f)
	if !ok || !good {
		return "", "EGeneral:Invalid arguments"
	}
	return fmt.Sprintf(`{"trades":{%s},"count":%d}`, strings.Join(out, ","), len(list)), ""
}

func (s *Sim) restVolume(a *account, f url.Values, _ venue.Nanos) (result, why string) {
	hundred := decimal.NewFromInt(100)
	pair := f.Get("pair")
	for _, p := range s.pairs {
		if altname(p.Symbol) == pair {
			return fmt.Sprintf(`{"currency":"ZUSD","volume":"0.0000","fees":{%q:{"fee":%q,"minfee":"0.1","maxfee":"0.4"}},"fees_maker":{%q:{"fee":%q,"minfee":"0","maxfee":"0.25"}}}`,
				pair, a.Taker.Mul(hundred), pair, a.Maker.Mul(hundred)), ""
		}
	}
	return "", "EQuery:Unknown asset pair"
}

func (s *Sim) restCancel(a *account, f url.Values, now venue.Nanos) (result, why string) {
	o := a.named(f.Get("txid"), f.Get("cl_ord_id"))
	if o == nil || o.over() {
		return "", "EOrder:Unknown order"
	}
	s.cancel(o, "User requested", now)
	return `{"count":1}`, ""
}

func (s *Sim) restCancelAll(a *account, _ url.Values, now venue.Nanos) (result, why string) {
	return fmt.Sprintf(`{"count":%d}`, s.cancelEvery(a, "User requested", now)), ""
}
