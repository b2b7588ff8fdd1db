package binancesim

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"oneprice/books/fixed"
	"oneprice/books/match"
	"oneprice/books/venue"
	"oneprice/feeds/venuesim"
)

// futuresMethods are what the WebSocket API of USD-M answers; the rest is REST's.
var futuresMethods = []string{"ping", "session.logon", "order.place", "order.modify", "order.cancel", "order.status", "v2/account.balance"}

// futuresKnown is known of USD-M.
var futuresKnown = map[string]string{
	"session.logon":      "",
	"order.place":        "symbol side positionSide type timeInForce quantity price reduceOnly newClientOrderId newOrderRespType",
	"order.test":         "symbol side positionSide type timeInForce quantity price reduceOnly newClientOrderId newOrderRespType",
	"order.modify":       "symbol side quantity price orderId origClientOrderId",
	"order.cancel":       "symbol orderId origClientOrderId",
	"order.status":       "symbol orderId origClientOrderId",
	"allOpenOrders":      "symbol",
	"openOrders.status":  "symbol",
	"allOrders":          "symbol orderId startTime endTime limit",
	"userTrades":         "symbol orderId startTime endTime fromId limit",
	"v2/account.balance": "",
	"positionRisk":       "",
	"commissionRate":     "symbol",
	"accountConfig":      "",
	"countdown":          "symbol countdownTime",
}

// futuresRoutes are the paths of accounts at USD-M.
func (s *Sim) futuresRoutes() {
	s.server.Socket("/ws-fapi/v1", s.private)
	s.server.Socket("/private/ws", s.userStream)
	for _, e := range []struct {
		pattern, method string
		weight          int64
	}{
		{"POST /fapi/v1/order", "order.place", 1}, {"PUT /fapi/v1/order", "order.modify", 1}, {"DELETE /fapi/v1/order", "order.cancel", 1},
		{"GET /fapi/v1/order", "order.status", 1}, {"POST /fapi/v1/order/test", "order.test", 1}, {"DELETE /fapi/v1/allOpenOrders", "allOpenOrders", 1},
		{"GET /fapi/v1/openOrders", "openOrders.status", 1}, {"GET /fapi/v1/allOrders", "allOrders", 5}, {"GET /fapi/v1/userTrades", "userTrades", 5},
		{"GET /fapi/v3/balance", "v2/account.balance", 5}, {"GET /fapi/v3/positionRisk", "positionRisk", 5},
		{"POST /fapi/v1/countdownCancelAll", "countdown", 10}, {"GET /fapi/v1/commissionRate", "commissionRate", 20}, {"GET /fapi/v1/accountConfig", "accountConfig", 5},
	} {
		s.rest(e.pattern, e.method, e.weight)
	}
	s.server.Rest("/fapi/v1/listenKey", s.tooMany, s.listenKey)
	s.server.Rest("GET /fapi/v1/ping", s.tooMany, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{}`) })
}

// listenKey makes (POST), keeps (PUT) and ends (DELETE) the key of an account's user stream; it needs no signature.
func (s *Sim) listenKey(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.account(r.Header.Get("X-MBX-APIKEY"))
	switch {
	case a == nil:
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."}`)
	case r.Method == http.MethodPost:
		if a.listen == "" {
			s.random++
			a.listen = fmt.Sprintf("listen%058d", s.random)
		}
		fmt.Fprintf(w, `{"listenKey":%q}`, a.listen)
	case a.listen == "":
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"code":-1125,"msg":"This listenKey does not exist."}`)
	default:
		if r.Method == http.MethodDelete {
			a.listen = ""
		}
		fmt.Fprint(w, `{}`)
	}
}

// userStream serves the events of an account to whoever has its key.
func (s *Sim) userStream(c *venuesim.Conn, r *http.Request) {
	if !s.admits() {
		return
	}
	key := r.URL.Query().Get("listenKey")
	s.mu.Lock()
	i := slices.IndexFunc(s.accounts, func(a *account) bool { return key != "" && a.listen == key })
	if i < 0 {
		s.mu.Unlock()
		return
	}
	x := &client{conn: c, user: s.accounts[i]}
	s.clients = append(s.clients, x)
	s.mu.Unlock()
	for err := error(nil); err == nil; { // it says nothing that matters
		_, err = c.Read()
	}
	s.mu.Lock()
	s.clients = slices.DeleteFunc(s.clients, func(y *client) bool { return y == x })
	s.mu.Unlock()
}

// expireKey ends the user streams of an account, which are told so.
func (s *Sim) expireKey(a *account, now venue.Nanos) {
	for _, x := range s.clients {
		if x.user == a {
			x.user = nil
			x.conn.Reply(fmt.Appendf(nil, `{"e":"listenKeyExpired","E":%d,"listenKey":%q}`, ms(now), a.listen))
		}
	}
	a.listen = ""
}

// serveFutures carries out a signed request at USD-M.
func (s *Sim) serveFutures(a *account, p *pair, method string, q params, now venue.Nanos) ([]byte, *failure) {
	switch method {
	case "order.place", "order.test":
		if side := q["positionSide"]; a.Hedge != (side == "LONG" || side == "SHORT") {
			return nil, fail(-4061, "Order's position side does not match user's setting.")
		}
		return s.place(a, p, q, method == "order.test", now)
	case "order.modify":
		return s.modify(a, p, q, now)
	case "order.cancel":
		o, f := a.target(p, q["orderId"], q["origClientOrderId"], "")
		if f != nil {
			return nil, f
		}
		s.take(o, "", now)
		return o.futureState(nil), nil
	case "allOpenOrders":
		s.takeAll(a, p, now)
		return []byte(`{"code":200,"msg":"The operation of cancel all open order is done."}`), nil
	case "countdown":
		s.count.Countdowns.Add(1)
		return a.countdown(p, q["countdownTime"], now)
	case "order.status":
		o := a.find(p, q["orderId"], q["origClientOrderId"], false)
		if o == nil {
			return nil, fail(-2013, "Order does not exist.")
		}
		return o.futureState(nil), nil
	case "openOrders.status", "allOrders":
		return a.list(p, method == "allOrders", q), nil
	case "userTrades":
		return a.listTrades(p, q)
	case "v2/account.balance":
		return a.wallet(now), nil
	case "positionRisk":
		return a.positions(now), nil
	case "commissionRate":
		return fmt.Appendf(nil, `{"symbol":%q,"makerCommissionRate":"%s","takerCommissionRate":"%s"}`, p.Symbol, rate(a.Maker), rate(a.Taker)), nil
	case "accountConfig":
		return fmt.Appendf(nil, `{"feeTier":0,"canTrade":%t,"canDeposit":true,"canWithdraw":true,"dualSidePosition":%t,"updateTime":0,"multiAssetsMargin":false,"tradeGroupId":-1}`, !a.ReadOnly, a.Hedge), nil
	}
	return nil, fail(-1020, "This operation is not supported.")
}

// takeAll cancels what an account has in a pair.
func (s *Sim) takeAll(a *account, p *pair, now venue.Nanos) {
	for _, o := range a.orders {
		if o.p == p && o.open() {
			s.take(o, "", now)
		}
	}
}

// countdown sets when everything of an account in a pair is cancelled; 0 is never.
func (a *account) countdown(p *pair, text string, now venue.Nanos) ([]byte, *failure) {
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil || ms < 0 {
		return nil, fail(-1102, "Mandatory parameter 'countdownTime' was not sent, was empty/null, or malformed.")
	}
	delete(a.dead, p)
	if ms > 0 {
		a.dead[p] = now + venue.Nanos(ms)*venue.Millisecond
	}
	return fmt.Appendf(nil, `{"symbol":%q,"countdownTime":"%d"}`, p.Symbol, ms), nil
}

// deadMen cancels what belongs to accounts whose countdown in a pair has ended.
func (s *Sim) deadMen(p *pair, now venue.Nanos) {
	for _, a := range s.accounts {
		if at := a.dead[p]; at != 0 && now >= at {
			delete(a.dead, p)
			s.takeAll(a, p, now)
		}
	}
}

// Armed reports whether an account's countdown runs in every pair.
func (s *Sim) Armed(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.account(key)
	return a != nil && len(a.dead) == len(s.pairs)
}

// futuresWords says a failure as USD-M does, where it has a code and words of its own.
func futuresWords(f *failure) *failure {
	if f == nil {
		return nil
	}
	for _, w := range [...]struct {
		has  string
		code int
		msg  string
	}{
		{"PRICE_FILTER", -4014, "Price not increased by tick size."},
		{"LOT_SIZE", -4023, "Qty not increased by step size."},
		{"NOTIONAL", -4164, "Order's notional must be no smaller than 5 (unless you choose reduce only)."},
		{"PERCENT_PRICE", -4016, "Limit price can't be higher than the allowed multiple of the mark price."},
		{"MAX_NUM_ORDERS", -2025, "Reach max open order limit."},
		{"Duplicate order", -4116, "ClientOrderId is duplicated."},
		{"immediately match", -5022, "Due to the order could not be executed as maker, the Post Only order will be rejected. The order will not be recorded in the order history"},
		{"insufficient balance", -2019, "Margin is insufficient."},
		{"too much precision", -1111, "Precision is over the maximum defined for this asset."},
	} {
		if strings.Contains(f.msg, w.has) {
			return fail(w.code, "%s", w.msg)
		}
	}
	return f
}

// refused is why the engine does not take an order, nil when it does: one that may only reduce must, and a fill-or-kill that
// cannot be filled leaves no trace.
func (o *order) refused() *failure {
	switch {
	case o.reduces && o.left() > o.a.reducible(o.p, o.side, o):
		return fail(-2022, "ReduceOnly Order is rejected.")
	case o.tif == "FOK" && o.p.within(o.side.Other(), o.price) < o.left():
		return fail(-5021, "Due to the order could not be filled immediately, the FOK order has been rejected. The order will not be recorded in the order history")
	}
	return nil
}

// within is what a side offers up to a price.
func (p *pair) within(s venue.Side, price fixed.Price) (sum fixed.Qty) {
	for n := range p.Book.Depth(s) {
		l := p.Book.Level(s, n)
		if s == venue.Sell && l.Price > price || s == venue.Buy && l.Price < price {
			break
		}
		sum += l.Qty
	}
	return sum
}

// modify changes the price and quantity of an order, which goes to the end of the queue. What could then not stand ends.
func (s *Sim) modify(a *account, p *pair, q params, now venue.Nanos) ([]byte, *failure) {
	for _, k := range []string{"side", "quantity", "price"} {
		if q[k] == "" {
			return nil, fail(-1102, "Mandatory parameter '%s' was not sent, was empty/null, or malformed.", k)
		}
	}
	o := a.find(p, q["orderId"], q["origClientOrderId"], true)
	if o == nil {
		return nil, fail(-2013, "Order does not exist.")
	}
	price, f := grid("price", q["price"], p.PriceScale, int64(p.Tick), "PRICE_FILTER")
	if f != nil {
		return nil, f
	}
	qty, f := grid("quantity", q["quantity"], p.QtyScale, int64(p.Lot), "LOT_SIZE")
	if f != nil {
		return nil, f
	}
	was := *o
	n := *o
	n.price, n.qty = fixed.Price(price), fixed.Qty(qty)
	switch {
	case q["side"] != sideName(o.side):
		return nil, fail(-1117, "Invalid side.")
	case n.price == o.price && n.qty == o.qty:
		return nil, fail(-5027, "No need to modify the order.")
	}
	if f := s.filters(&n); f != nil {
		return nil, f
	}
	if f := s.counts(a, now); f != nil {
		return nil, f
	}
	touch := p.Book.Best(o.side.Other())
	if n.qty <= o.cum || n.postOnly() && touch.Qty > 0 && (o.side == venue.Buy && n.price >= touch.Price || o.side == venue.Sell && n.price <= touch.Price) {
		s.take(o, "", now)
		return o.futureState(nil), nil
	}
	o.price, o.qty = n.price, n.qty
	if f = o.refused(); f == nil && !a.covers(o) {
		f = fail(-2019, "Margin is insufficient.")
	}
	if f != nil {
		o.price, o.qty = was.price, was.qty
		return nil, f
	}
	p.Client(p.Book.Cancel(o.id), func(r *match.Result) { s.happened(p, r, now) })
	o.updated = now
	s.tell(o, "AMENDMENT", nil, "", now)
	s.enter(o, now)
	s.trim(p, now)
	return o.futureState(nil), nil
}

// futureState is an order as USD-M answers everything about it.
func (o *order) futureState(m []byte) []byte {
	m = fmt.Appendf(m, `{"orderId":%d,"symbol":"%s","status":"%s","clientOrderId":"%s","price":"%s","avgPrice":"%s","origQty":"%s","executedQty":"%s","cumQty":"%s","cumQuote":"%s",`,
		o.id, o.p.Symbol, o.status, o.client, o.px(o.price), o.average(), o.qt(o.qty), o.qt(o.cum), o.qt(o.cum), cash(o.quote))
	return fmt.Appendf(m, `"timeInForce":"%s","type":"%s","origType":"%s","reduceOnly":%t,"closePosition":false,"side":"%s","positionSide":"BOTH","stopPrice":"0","workingType":"CONTRACT_PRICE","priceProtect":false,"priceMatch":"NONE","selfTradePreventionMode":"NONE","goodTillDate":0,"time":%d,"updateTime":%d}`,
		o.tif, o.typ, o.typ, o.reduces, sideName(o.side), ms(o.born), ms(o.updated))
}

// average is the mean price of an order's fills.
func (o *order) average() []byte {
	if o.cum == 0 {
		return []byte("0")
	}
	return o.p.number(nil, int64(o.p.mean(o.quote, o.cum)), o.p.PriceScale)
}

// update is an ORDER_TRADE_UPDATE.
func (o *order) update(kind string, t *trade, now venue.Nanos) []byte {
	m := fmt.Appendf(nil, `{"e":"ORDER_TRADE_UPDATE","E":%d,"T":%d,"o":{"s":"%s","c":"%s","S":"%s","o":"%s","f":"%s","q":"%s","p":"%s","ap":"%s","sp":"0","x":"%s","X":"%s","i":%d,`,
		ms(now), ms(now), o.p.Symbol, o.client, sideName(o.side), o.typ, o.tif, o.qt(o.qty), o.px(o.price), o.average(), kind, o.status, o.id)
	if t == nil {
		t = &trade{}
		m = fmt.Appendf(m, `"l":"0","z":"%s","L":"0",`, o.qt(o.cum)) // without a commission none is said
	} else {
		m = fmt.Appendf(m, `"l":"%s","z":"%s","L":"%s","n":"%s","N":"%s",`, o.qt(t.qty), o.qt(o.cum), o.px(t.price), cash(t.fee), t.asset)
	}
	return fmt.Appendf(m, `"T":%d,"t":%d,"b":"0","a":"0","m":%t,"R":%t,"wt":"CONTRACT_PRICE","ot":"%s","ps":"BOTH","cp":false,"rp":"%s","pP":false,"si":0,"ss":0,"V":"NONE","pm":"NONE","gtd":0,"er":"0"}}`,
		ms(now), t.id, t.maker, o.reduces, o.typ, cash(t.gain))
}

// future is a trade as userTrades lists it.
func (t *trade) future() []byte {
	return fmt.Appendf(nil, `{"symbol":"%s","id":%d,"orderId":%d,"side":"%s","price":"%s","qty":"%s","realizedPnl":"%s","quoteQty":"%s","commission":"%s","commissionAsset":"%s","time":%d,"positionSide":"BOTH","buyer":%t,"maker":%t}`,
		t.o.p.Symbol, t.id, t.o.id, sideName(t.o.side), t.o.px(t.price), t.o.qt(t.qty), cash(t.gain), cash(t.quote), cash(t.fee), t.asset, ms(t.at), t.o.side == venue.Buy, t.maker)
}

// wallet is the account's balances.
func (a *account) wallet(now venue.Nanos) []byte {
	var out [][]byte
	for _, f := range a.funds {
		out = append(out, fmt.Appendf(nil, `{"accountAlias":"a%d","asset":"%s","balance":"%s","crossWalletBalance":"%s","crossUnPnl":"0.00000000","availableBalance":"%s","maxWithdrawAmount":"%s","marginAvailable":true,"updateTime":%d}`,
			a.n, f.Asset, cash(f.Free), cash(f.Free), cash(max(f.Free-a.margin(f.Asset), 0)), cash(f.Free), ms(now)))
	}
	return append(append([]byte{'['}, bytes.Join(out, []byte{','})...), ']')
}

// positions are the account's positions that are not zero.
func (a *account) positions(now venue.Nanos) []byte {
	var out [][]byte
	for _, h := range a.held {
		if h.qty != 0 {
			out = append(out, fmt.Appendf(nil, `{"symbol":"%s","positionSide":"BOTH","positionAmt":"%s","entryPrice":"%s","unRealizedProfit":"0.00000000","notional":"%s","marginAsset":"%s","updateTime":%d}`,
				h.p.Symbol, h.p.number(nil, int64(h.qty), h.p.QtyScale), h.p.number(nil, int64(h.entry()), h.p.PriceScale), cash(h.cost), h.asset(), ms(now)))
		}
	}
	return append(append([]byte{'['}, bytes.Join(out, []byte{','})...), ']')
}

// tellPosition sends the balance and position that a trade has changed.
func (s *Sim) tellPosition(a *account, p *pair, now venue.Nanos) {
	h := a.hold(p)
	f := a.fund(h.asset())
	s.event(a, fmt.Appendf(nil, `{"e":"ACCOUNT_UPDATE","E":%d,"T":%d,"a":{"m":"ORDER","B":[{"a":"%s","wb":"%s","cw":"%s","bc":"0"}],"P":[{"s":"%s","pa":"%s","ep":"%s","bep":"0","cr":"0","up":"0","mt":"cross","iw":"0","ps":"BOTH"}]}}`,
		ms(now), ms(now), f.Asset, cash(f.Free), cash(f.Free), p.Symbol, p.number(nil, int64(h.qty), p.QtyScale), p.number(nil, int64(h.entry()), p.PriceScale)), now)
}
