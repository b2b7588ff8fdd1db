package binancesim

import (
	"bytes"
	"fmt"
	"math"
	"strconv"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// minNotional is in the quote asset.
const minNotional fixed.Cash = 5_00_000_000

// maxQty is the largest order, in whole units.
const maxQty = 9000

// maxOpen is how many orders of an account may rest.
const maxOpen = 200

func ms(at venue.Nanos) int64 { return int64(at / venue.Millisecond) }

func sideName(s venue.Side) string { return [...]string{venue.Buy: "BUY", venue.Sell: "SELL"}[s] }

func cash(c fixed.Cash) string { return string(fixed.Append(nil, int64(c), fixed.CashScale)) }

func (o *order) px(p fixed.Price) string { return string(o.p.number(nil, int64(p), o.p.PriceScale)) }
func (o *order) qt(q fixed.Qty) string   { return string(o.p.number(nil, int64(q), o.p.QtyScale)) }

// numbers are the fields that all answers about an order share.
func (o *order) numbers(m []byte) []byte {
	tif := o.tif
	if tif == "" {
		tif = "GTC"
	}
	m = fmt.Appendf(m, `"price":"%s","origQty":"%s","executedQty":"%s","origQuoteOrderQty":"%s","cummulativeQuoteQty":"%s","status":"%s","timeInForce":"%s","type":"%s","side":"%s"`,
		o.px(o.price), o.qt(o.qty), o.qt(o.cum), cash(o.funds), cash(o.quote), o.status, tif, o.typ, sideName(o.side))
	if o.stop > 0 {
		m = fmt.Appendf(m, `,"stopPrice":"%s"`, o.px(o.stop))
	}
	if o.expiry != "" {
		m = fmt.Appendf(m, `,"expiryReason":"%s"`, o.expiry)
	}
	return append(m, `,"selfTradePreventionMode":"NONE"`...)
}

// placed answers a new order.
func (o *order) placed(form string) []byte {
	if o.future() {
		return o.futureState(nil)
	}
	m := fmt.Appendf(nil, `{"symbol":"%s","orderId":%d,"orderListId":-1,"clientOrderId":"%s","transactTime":%d`, o.p.Symbol, o.id, o.client, ms(o.updated))
	if form == "" && (o.typ == "LIMIT" || o.typ == market) {
		form = "FULL"
	}
	if form == "RESULT" || form == "FULL" {
		m = append(o.numbers(append(m, ',')), fmt.Sprintf(`,"workingTime":%d`, ms(o.born))...)
	}
	if form == "FULL" {
		m = append(m, `,"fills":[`...)
		n := 0
		for _, t := range o.a.trades {
			if t.o == o {
				if n++; n > 1 {
					m = append(m, ',')
				}
				m = fmt.Appendf(m, `{"price":"%s","qty":"%s","commission":"%s","commissionAsset":"%s","tradeId":%d}`, o.px(t.price), o.qt(t.qty), cash(t.fee), t.asset, t.id)
			}
		}
		m = append(m, ']')
	}
	return append(m, '}')
}

// cancelled answers a cancel of what was called was.
func (o *order) cancelled(was string) []byte {
	if o.future() {
		return o.futureState(nil)
	}
	m := fmt.Appendf(nil, `{"symbol":"%s","origClientOrderId":"%s","orderId":%d,"orderListId":-1,"clientOrderId":"%s","transactTime":%d,`, o.p.Symbol, was, o.id, o.client, ms(o.updated))
	return append(o.numbers(m), '}')
}

func (o *order) amended(was string) []byte {
	o.execution++
	return fmt.Appendf(nil, `{"transactTime":%d,"executionId":%d,"amendedOrder":{"symbol":"%s","orderId":%d,"orderListId":-1,"origClientOrderId":"%s","clientOrderId":"%s","price":"%s","qty":"%s","executedQty":"%s","preventedQty":"0.00000000","quoteOrderQty":"0.00000000","cumulativeQuoteQty":"%s","status":"%s","timeInForce":"GTC","type":"%s","side":"%s","workingTime":%d,"selfTradePreventionMode":"NONE"}}`,
		ms(o.updated), o.execution, o.p.Symbol, o.id, was, o.client, o.px(o.price), o.qt(o.qty), o.qt(o.cum), cash(o.quote), o.status, o.typ, sideName(o.side), ms(o.born))
}

// state is an order as queries answer it.
func (o *order) state(m []byte) []byte {
	if o.future() {
		return o.futureState(m)
	}
	m = fmt.Appendf(m, `{"symbol":"%s","orderId":%d,"orderListId":-1,"clientOrderId":"%s",`, o.p.Symbol, o.id, o.client)
	if o.stop == 0 {
		m = append(m, `"stopPrice":"0.00000000",`...)
	}
	m = o.numbers(m)
	return fmt.Appendf(m, `,"icebergQty":"0.00000000","time":%d,"updateTime":%d,"isWorking":%t,"workingTime":%d}`, ms(o.born), ms(o.updated), !o.waits, ms(o.born))
}

// list are the orders of an account: the open ones, or all of a symbol within the request's bounds.
func (a *account) list(p *pair, all bool, q params) []byte {
	var out [][]byte
	from, _ := strconv.ParseInt(q["startTime"], 10, 64)
	least, _ := strconv.ParseUint(q["orderId"], 10, 64)
	for _, o := range a.orders {
		if (p == nil || o.p == p) && (all || o.open()) && o.id >= least && ms(o.born) >= from && len(out) < 1000 {
			out = append(out, o.state(nil))
		}
	}
	return append(append([]byte{'['}, bytes.Join(out, []byte{','})...), ']')
}

// listTrades are the trades of an account in a symbol.
func (a *account) listTrades(p *pair, q params) ([]byte, *failure) {
	if q["fromId"] != "" && (q["startTime"] != "" || q["endTime"] != "") || q["orderId"] != "" && q["startTime"] != "" {
		return nil, fail(-1128, "Combination of optional parameters invalid.")
	}
	from, _ := strconv.ParseInt(q["startTime"], 10, 64)
	to := int64(math.MaxInt64)
	if n, err := strconv.ParseInt(q["endTime"], 10, 64); err == nil {
		to = n
	}
	if p.kind == USDM && from != 0 && to-from > 7*24*3600*1000 && to != math.MaxInt64 {
		return nil, fail(-1127, "More than 168 hours between startTime and endTime.")
	}
	least, _ := strconv.ParseUint(q["fromId"], 10, 64)
	limit := 500
	if n, err := strconv.Atoi(q["limit"]); err == nil {
		limit = min(n, 1000)
	}
	var out [][]byte
	for _, t := range a.trades {
		if t.o.p != p || t.id < least || ms(t.at) < from || ms(t.at) > to || q["orderId"] != "" && strconv.FormatUint(t.o.id, 10) != q["orderId"] || len(out) == limit {
			continue
		}
		if p.kind == USDM {
			out = append(out, t.future())
			continue
		}
		out = append(out, fmt.Appendf(nil, `{"symbol":"%s","id":%d,"orderId":%d,"orderListId":-1,"price":"%s","qty":"%s","quoteQty":"%s","commission":"%s","commissionAsset":"%s","time":%d,"isBuyer":%t,"isMaker":%t,"isBestMatch":true}`,
			p.Symbol, t.id, t.o.id, t.o.px(t.price), t.o.qt(t.qty), cash(t.quote), cash(t.fee), t.asset, ms(t.at), t.o.side == venue.Buy, t.maker))
	}
	return append(append([]byte{'['}, bytes.Join(out, []byte{','})...), ']'), nil
}

func rate(r fixed.Rate) string { return string(fixed.Append(nil, int64(r), fixed.RateScale)) }

// state is the account with its balances.
func (a *account) state(omitZero bool, now venue.Nanos) []byte {
	m := fmt.Appendf(nil, `{"makerCommission":0,"takerCommission":0,"buyerCommission":0,"sellerCommission":0,"commissionRates":{"maker":"%s","taker":"%s","buyer":"0.00000000","seller":"0.00000000"},"canTrade":true,"canWithdraw":false,"canDeposit":false,"brokered":false,"requireSelfTradePrevention":false,"preventSor":false,"updateTime":%d,"accountType":"SPOT","balances":[`,
		rate(a.Maker), rate(a.Taker), ms(now))
	n := 0
	for _, f := range a.funds {
		if omitZero && f.Free == 0 && f.Locked == 0 {
			continue
		}
		if n++; n > 1 {
			m = append(m, ',')
		}
		m = fmt.Appendf(m, `{"asset":"%s","free":"%s","locked":"%s"}`, f.Asset, cash(f.Free), cash(f.Locked))
	}
	return fmt.Appendf(m, `],"permissions":["SPOT"],"uid":%d}`, a.n)
}

func (a *account) commission(p *pair) []byte {
	const none = `{"maker":"0.00000000","taker":"0.00000000","buyer":"0.00000000","seller":"0.00000000"}`
	return fmt.Appendf(nil, `{"symbol":"%s","standardCommission":{"maker":"%s","taker":"%s","buyer":"0.00000000","seller":"0.00000000"},"specialCommission":%s,"taxCommission":%s,"discount":{"enabledForAccount":false,"enabledForSymbol":false,"discountAsset":"BNB","discount":"0.75000000"}}`,
		p.Symbol, rate(a.Maker), rate(a.Taker), none, none)
}

// report is an executionReport.
func (o *order) report(kind string, t *trade, was string, exec uint64, now venue.Nanos) []byte {
	tif := o.tif
	if tif == "" {
		tif = "GTC"
	}
	lastQty, lastPrice, quote, fee, asset, id, maker := fixed.Qty(0), fixed.Price(0), fixed.Cash(0), "0", "null", int64(-1), false
	if t != nil {
		lastQty, lastPrice, quote, fee, asset, id, maker = t.qty, t.price, t.quote, cash(t.fee), `"`+t.asset+`"`, int64(t.id), t.maker
	}
	m := fmt.Appendf(nil, `{"e":"executionReport","E":%d,"s":"%s","c":"%s","S":"%s","o":"%s","f":"%s","q":"%s","p":"%s","P":"%s","F":"0.00000000","g":-1,"C":"%s","x":"%s","X":"%s","r":"NONE","i":%d,`,
		ms(now), o.p.Symbol, o.client, sideName(o.side), o.typ, tif, o.qt(o.qty), o.px(o.price), o.px(o.stop), was, kind, o.status, o.id)
	m = fmt.Appendf(m, `"l":"%s","z":"%s","L":"%s","n":"%s","N":%s,"T":%d,"t":%d,"I":%d,"w":%t,"m":%t,"M":false,"O":%d,"Z":"%s","Y":"%s","Q":"%s","W":%d,"V":"NONE"`,
		o.qt(lastQty), o.qt(o.cum), o.px(lastPrice), fee, asset, ms(now), id, exec, o.open() && !o.waits, maker, ms(o.born), cash(o.quote), cash(quote), cash(o.funds), ms(o.born))
	if kind == "EXPIRED" && o.expiry != "" {
		m = fmt.Appendf(m, `,"eR":"%s"`, o.expiry)
	}
	return append(m, '}')
}
