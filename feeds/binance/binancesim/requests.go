package binancesim

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"oneprice/books/fixed"
	"oneprice/books/match"
	"oneprice/books/venue"
)

// failure is an error in the venue's words.
type failure struct {
	status, code int
	msg          string
	data         string // JSON, "" none
}

func fail(code int, format string, args ...any) *failure {
	return &failure{400, code, fmt.Sprintf(format, args...), ""}
}

// params are a request's parameters as text.
type params map[string]string

var clientID = regexp.MustCompile(`^[a-zA-Z0-9-_]{1,36}$`)

// known are the parameters of each method beyond the signed request's own. The venue refuses what it does not know.
var known = map[string]string{
	"order.place":              "symbol side type timeInForce quantity quoteOrderQty price stopPrice newClientOrderId newOrderRespType",
	"order.test":               "symbol side type timeInForce quantity quoteOrderQty price stopPrice newClientOrderId newOrderRespType",
	"order.cancel":             "symbol orderId origClientOrderId newClientOrderId cancelRestrictions",
	"order.cancelReplace":      "symbol side type timeInForce quantity quoteOrderQty price newClientOrderId newOrderRespType cancelReplaceMode cancelOrderId cancelOrigClientOrderId cancelNewClientOrderId cancelRestrictions",
	"order.amend.keepPriority": "symbol orderId origClientOrderId newClientOrderId newQty",
	"openOrders.cancelAll":     "symbol",
	"order.status":             "symbol orderId origClientOrderId",
	"openOrders.status":        "symbol",
	"allOrders":                "symbol orderId startTime endTime limit",
	"myTrades":                 "symbol orderId startTime endTime fromId limit",
	"account.status":           "omitZeroBalances",
	"account.commission":       "symbol",
	"account.restrictions":     "",
}

// serve carries out a signed request of an account. Under mu.
func (s *Sim) serve(a *account, method string, q params, now venue.Nanos) ([]byte, *failure) {
	menu := known
	if s.cfg.Kind == USDM {
		menu = futuresKnown
	}
	list, served := menu[method]
	names := strings.Fields(list)
	if !served {
		return nil, fail(-1020, "This operation is not supported.")
	}
	for k := range q {
		if !slices.Contains(names, k) && k != "timestamp" && k != "recvWindow" && k != "apiKey" && k != "signature" {
			return nil, fail(-1104, "Not all sent parameters were read; read '%d' parameter(s) but was sent '%d'.", len(q)-1, len(q))
		}
	}
	var p *pair
	if slices.Contains(names, "symbol") && (q["symbol"] != "" || method != "openOrders.status") {
		if q["symbol"] == "" {
			return nil, fail(-1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.")
		}
		if p = s.pair(q["symbol"]); p == nil {
			return nil, fail(-1121, "Invalid symbol.")
		}
	}
	if a.ReadOnly && (strings.HasPrefix(method, "order.") || method == "openOrders.cancelAll") && method != "order.status" {
		return nil, &failure{401, -2015, "Invalid API-key, IP, or permissions for action.", ""}
	}
	if s.cfg.Kind == USDM {
		out, f := s.serveFutures(a, p, method, q, now)
		return out, futuresWords(f)
	}
	switch method {
	case "account.restrictions":
		return fmt.Appendf(nil, `{"ipRestrict":true,"createTime":1748736000000,"enableReading":true,"enableWithdrawals":false,"enableInternalTransfer":false,"enableMargin":false,"enableFutures":false,"permitsUniversalTransfer":false,"enableVanillaOptions":false,"enableSpotAndMarginTrading":%t}`, !a.ReadOnly), nil
	case "order.place", "order.test":
		return s.place(a, p, q, method == "order.test", now)
	case "order.cancel":
		return s.cancel(a, p, q, now)
	case "order.cancelReplace":
		return s.cancelReplace(a, p, q, now)
	case "order.amend.keepPriority":
		return s.amend(a, p, q, now)
	case "openOrders.cancelAll":
		return s.cancelAll(a, p, now)
	case "order.status":
		o := a.find(p, q["orderId"], q["origClientOrderId"], false)
		if o == nil {
			return nil, fail(-2013, "Order does not exist.")
		}
		return o.state(nil), nil
	case "openOrders.status", "allOrders":
		return a.list(p, method == "allOrders", q), nil
	case "myTrades":
		return a.listTrades(p, q)
	case "account.status":
		return a.state(q["omitZeroBalances"] == "true", now), nil
	case "account.commission":
		return a.commission(p), nil
	}
	return nil, fail(-1020, "This operation is not supported.")
}

func (s *Sim) pair(symbol string) *pair {
	for _, p := range s.pairs {
		if p.Symbol == symbol {
			return p
		}
	}
	return nil
}

// find is the order with the venue's id or, failing that, a client's; the newest where several had one.
func (a *account) find(p *pair, id, client string, openOnly bool) *order {
	for _, o := range slices.Backward(a.orders) {
		if o.p != p || openOnly && !o.open() {
			continue
		}
		if id != "" && strconv.FormatUint(o.id, 10) == id && (client == "" || client == o.client) || id == "" && client != "" && o.client == client {
			return o
		}
	}
	return nil
}

// read makes an order of a request, with the checks that the venue does before its engine sees it.
func (s *Sim) read(a *account, p *pair, q params) (*order, *failure) {
	o := &order{a: a, p: p, client: q["newClientOrderId"], typ: q["type"], tif: q["timeInForce"], reduces: q["reduceOnly"] == "true"}
	if f := q.need("side", "type"); f != nil {
		return nil, f
	}
	switch q["side"] {
	case "BUY":
		o.side = venue.Buy
	case "SELL":
		o.side = venue.Sell
	default:
		return nil, fail(-1117, "Invalid side.")
	}
	switch o.typ {
	case market:
		if o.future() { // nothing here sends one
			return nil, fail(-1116, "Invalid orderType.")
		}
	case "LIMIT", "STOP_LOSS_LIMIT":
		if o.typ == "STOP_LOSS_LIMIT" && o.future() {
			return nil, fail(-4120, "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.")
		}
		if o.tif == "" {
			return nil, fail(-1102, "Mandatory parameter 'timeInForce' was not sent, was empty/null, or malformed.")
		}
		if o.tif != "GTC" && o.tif != "IOC" && o.tif != "FOK" && !(o.tif == "GTX" && o.future()) {
			return nil, fail(-1115, "Invalid timeInForce.")
		}
	case "LIMIT_MAKER":
		if o.future() {
			return nil, fail(-1116, "Invalid orderType.")
		}
		if o.tif != "" {
			return nil, fail(-1106, "Parameter 'timeInForce' sent when not required.")
		}
	default:
		return nil, fail(-1116, "Invalid orderType.")
	}
	if o.client == "" {
		s.random++
		o.client = fmt.Sprintf("x%020d", s.random)
	} else if !clientID.MatchString(o.client) {
		return nil, fail(-1100, "Illegal characters found in parameter 'newClientOrderId'; legal range is '^[a-zA-Z0-9-_]{1,36}$'.")
	}
	if o.typ == market {
		return o, s.readMarket(o, q)
	}
	return o, s.readLimit(o, q)
}

// readLimit reads the numbers of an order with a price.
func (s *Sim) readLimit(o *order, q params) *failure {
	if f := q.need("quantity", "price"); f != nil {
		return f
	}
	switch stops := o.typ == "STOP_LOSS_LIMIT"; {
	case stops && q["stopPrice"] == "":
		return q.need("stopPrice")
	case !stops && q["stopPrice"] != "":
		return fail(-1106, "Parameter 'stopPrice' sent when not required.")
	case q["quoteOrderQty"] != "":
		return fail(-1106, "Parameter 'quoteOrderQty' sent when not required.")
	}
	p := o.p
	price, f := grid("price", q["price"], p.PriceScale, int64(p.Tick), "PRICE_FILTER")
	if f != nil {
		return f
	}
	qty, f := grid("quantity", q["quantity"], p.QtyScale, int64(p.Lot), "LOT_SIZE")
	if f != nil {
		return f
	}
	o.price, o.qty = fixed.Price(price), fixed.Qty(qty)
	if q["stopPrice"] != "" {
		stop, f := grid("stopPrice", q["stopPrice"], p.PriceScale, int64(p.Tick), "PRICE_FILTER")
		if f != nil {
			return f
		}
		o.stop = fixed.Price(stop)
	}
	return s.filters(o)
}

// need fails for the first of names that the request leaves out.
func (q params) need(names ...string) *failure {
	for _, k := range names {
		if q[k] == "" {
			return fail(-1102, "Mandatory parameter '%s' was not sent, was empty/null, or malformed.", k)
		}
	}
	return nil
}

// filters are the checks against the market and the account.
func (s *Sim) filters(o *order) *failure {
	mid := o.p.Book.Best(o.side.Other()).Price
	switch {
	case o.p.Status != venue.Trading && o.future():
		return fail(-4140, "Invalid symbol status for opening position.")
	case o.p.Status != venue.Trading:
		return fail(-2010, "Market is closed.")
	case o.typ != market && mid > 0 && (o.price > 5*mid || o.price < mid/5):
		return fail(-1013, "Filter failure: PERCENT_PRICE_BY_SIDE")
	case o.qty > maxQty*fixed.Qty(fixed.Pow10(o.p.QtyScale)) && o.future():
		return fail(-4005, "Quantity greater than max quantity.")
	case o.qty > maxQty*fixed.Qty(fixed.Pow10(o.p.QtyScale)):
		return fail(-1013, "Filter failure: LOT_SIZE")
	case !o.reduces && o.notional(mid) < minNotional:
		return fail(-1013, "Filter failure: NOTIONAL")
	}
	open := 0
	for _, x := range o.a.orders {
		if x.p == o.p && x.open() && x != o {
			open++
		}
	}
	if open >= maxOpen {
		return fail(-1013, "Filter failure: MAX_NUM_ORDERS")
	}
	return nil
}

// grid reads a number on a step.
func grid(name, text string, scale uint8, step int64, filter string) (int64, *failure) {
	v, fault := fixed.Parse([]byte(text), 8)
	switch {
	case fault == fixed.OffScale:
		return 0, fail(-1111, "Parameter '%s' has too much precision.", name)
	case fault != fixed.OK:
		return 0, fail(-1100, "Illegal characters found in parameter '%s'; legal range is '^([0-9]{1,20})(\\.[0-9]{1,20})?$'.", name)
	}
	n, fault := fixed.Parse(fixed.Append(nil, v, 8), scale)
	if fault != fixed.OK || n <= 0 || n%step != 0 {
		return 0, fail(-1013, "Filter failure: %s", filter)
	}
	return n, nil
}

// counts adds an order to the account's count of unfilled ones, unless that is full.
func (s *Sim) counts(a *account, now venue.Nanos) *failure {
	const span = 10 * venue.Second
	if at := now - now%span; at != a.window {
		a.window, a.burst = at, 0
	}
	if a.burst >= s.cfg.OrdersPer10s {
		again := (a.window + span) / venue.Millisecond
		return &failure{429, -1015, fmt.Sprintf("Too many new orders; current limit is %d orders per 10 SECOND.", s.cfg.OrdersPer10s),
			fmt.Sprintf(`{"serverTime":%d,"retryAfter":%d}`, now/venue.Millisecond, again)}
	}
	a.burst++
	return nil
}

func (s *Sim) place(a *account, p *pair, q params, test bool, now venue.Nanos) ([]byte, *failure) {
	o, f := s.read(a, p, q)
	if f != nil {
		return nil, f
	}
	if test {
		return []byte("{}"), nil
	}
	if f := s.counts(a, now); f != nil {
		return nil, f
	}
	if f := s.accept(o, now); f != nil {
		return nil, f
	}
	return o.placed(q["newOrderRespType"]), nil
}

// accept is the matching engine's part of a new order.
func (s *Sim) accept(o *order, now venue.Nanos) *failure {
	touch := o.p.Book.Best(o.side.Other())
	crosses := touch.Qty > 0 && (o.side == venue.Buy && o.price >= touch.Price || o.side == venue.Sell && o.price <= touch.Price)
	last := o.p.last
	var cost fixed.Cash
	if o.typ == market {
		cost = o.sweep()
	}
	switch {
	case o.a.find(o.p, "", o.client, true) != nil:
		return fail(-2010, "Duplicate order sent.")
	case o.postOnly() && crosses:
		return fail(-2010, "Order would immediately match and take.")
	case o.stop > 0 && last > 0 && (o.side == venue.Buy && last >= o.stop || o.side == venue.Sell && last <= o.stop):
		return fail(-2010, "Order would trigger immediately.")
	case o.typ == market && o.qty == 0:
		return fail(-1013, "Filter failure: LOT_SIZE") // the amount makes no whole lot
	case o.future() && o.refused() != nil:
		return o.refused()
	case o.typ == market && !o.affords(cost), !o.reserve():
		return fail(-2010, "Account has insufficient balance for requested action.")
	}
	s.next++
	o.id, o.born, o.updated, o.status = s.next, now, now, "NEW"
	o.a.orders = append(o.a.orders, o)
	s.tell(o, "NEW", nil, "", now)
	base, quote := assets(o.p.Symbol)
	s.tellFunds(o.a, now, base, quote)
	if o.stop > 0 {
		o.waits = true
		o.p.stops = append(o.p.stops, o)
	} else {
		s.enter(o, now)
	}
	s.triggers(o.p, now)
	s.trim(o.p, now)
	return nil
}

// target finds the open order that a request means, within its restrictions.
func (a *account) target(p *pair, id, client, restrictions string) (*order, *failure) {
	if id == "" && client == "" {
		return nil, fail(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
	}
	o := a.find(p, id, client, true)
	switch {
	case o == nil:
		return nil, fail(-2011, "Unknown order sent.")
	case restrictions != "" && restrictions != "ONLY_NEW" && restrictions != "ONLY_PARTIALLY_FILLED":
		return nil, fail(-1145, "Invalid cancelRestrictions")
	case restrictions == "ONLY_NEW" && o.status != "NEW", restrictions == "ONLY_PARTIALLY_FILLED" && o.status == "NEW":
		return nil, fail(-2011, "Order was not canceled due to cancel restrictions.")
	}
	return o, nil
}

// rename is the client id of a cancelled order: what the request says, else a random one.
func (s *Sim) rename(id string) string {
	if id != "" {
		return id
	}
	s.random++
	return fmt.Sprintf("r%020d", s.random)
}

func (s *Sim) cancel(a *account, p *pair, q params, now venue.Nanos) ([]byte, *failure) {
	o, f := a.target(p, q["orderId"], q["origClientOrderId"], q["cancelRestrictions"])
	if f != nil {
		return nil, f
	}
	was := o.client
	s.take(o, s.rename(q["newClientOrderId"]), now)
	return o.cancelled(was), nil
}

// outcome is one half of a cancel-replace in the venue's words.
type outcome struct{ word, response string }

func outcomeOf(response []byte, f *failure) outcome {
	if f != nil {
		return outcome{"FAILURE", fmt.Sprintf(`{"code":%d,"msg":%q}`, f.code, f.msg)}
	}
	return outcome{"SUCCESS", string(response)}
}

func (s *Sim) cancelReplace(a *account, p *pair, q params, now venue.Nanos) ([]byte, *failure) {
	stops := q["cancelReplaceMode"] == "STOP_ON_FAILURE"
	if !stops && q["cancelReplaceMode"] != "ALLOW_FAILURE" {
		return nil, fail(-1102, "Mandatory parameter 'cancelReplaceMode' was not sent, was empty/null, or malformed.")
	}
	n, f := s.read(a, p, q) // filters come first
	if f != nil {
		return nil, f
	}
	if f := s.counts(a, now); f != nil {
		return nil, f
	}
	gone := outcomeOf(s.cancel(a, p, params{"orderId": q["cancelOrderId"], "origClientOrderId": q["cancelOrigClientOrderId"],
		"newClientOrderId": q["cancelNewClientOrderId"], "cancelRestrictions": q["cancelRestrictions"]}, now))
	placed := outcome{"NOT_ATTEMPTED", "null"}
	if gone.word == "SUCCESS" || !stops {
		f := s.accept(n, now)
		placed = outcomeOf(n.placed(q["newOrderRespType"]), f)
	}
	both := fmt.Sprintf(`{"cancelResult":%q,"newOrderResult":%q,"cancelResponse":%s,"newOrderResponse":%s}`, gone.word, placed.word, gone.response, placed.response)
	switch {
	case gone.word == placed.word && gone.word == "SUCCESS":
		return []byte(both), nil
	case placed.word == "SUCCESS" || gone.word == "SUCCESS":
		return nil, &failure{409, -2021, "Order cancel-replace partially failed.", both}
	}
	return nil, &failure{400, -2022, "Order cancel-replace failed.", both}
}

func (s *Sim) amend(a *account, p *pair, q params, now venue.Nanos) ([]byte, *failure) {
	o, f := a.target(p, q["orderId"], q["origClientOrderId"], "")
	if f != nil {
		f.code = -2038
		return nil, f
	}
	v, f := grid("newQty", q["newQty"], p.QtyScale, int64(p.Lot), "LOT_SIZE")
	qty := fixed.Qty(v)
	switch {
	case f != nil:
		return nil, f
	case qty == o.qty:
		return nil, fail(-2038, "The requested action would change no state; rejecting.")
	case qty > o.qty:
		return nil, fail(-2038, "Order amend (quantity increase) is not supported.")
	case qty <= o.cum:
		return nil, fail(-2038, "Unknown order sent.")
	case p.worth(o.price, qty) < minNotional:
		return nil, fail(-1013, "Filter failure: NOTIONAL")
	}
	was := o.client
	o.release(o.qty - qty)
	o.qty, o.updated = qty, now
	if !o.waits {
		o.p.Client(o.p.Book.Reduce(o.id, o.left()), func(r *match.Result) { s.happened(o.p, r, now) })
	}
	o.client = s.rename(q["newClientOrderId"])
	s.tell(o, "REPLACED", nil, was, now)
	base, quote := assets(p.Symbol)
	s.tellFunds(a, now, base, quote)
	return o.amended(was), nil
}

func (s *Sim) cancelAll(a *account, p *pair, now venue.Nanos) ([]byte, *failure) {
	var out [][]byte
	for _, o := range a.orders {
		if o.p == p && o.open() {
			was := o.client
			s.take(o, s.rename(""), now)
			out = append(out, o.cancelled(was))
		}
	}
	if len(out) == 0 {
		return nil, fail(-2011, "Unknown order sent.")
	}
	return append(append([]byte{'['}, bytes.Join(out, []byte{','})...), ']'), nil
}
