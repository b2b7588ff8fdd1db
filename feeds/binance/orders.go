package binance

import (
	"strconv"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// Target names an order at the venue: by the venue's own id where it is known, which is faster there, else by ours; Gone by
// the one that our cancel gives it.
type Target struct {
	Order, Client uint64
	Gone          bool
}

// goneMark ends the client id that an order gets by our cancel: it is still ours, and its own.
const goneMark = "-c"

// begin opens a request whose answer is found by mark and id. Parameters follow sorted by name.
func (o *Orders) begin(dst []byte, mark byte, id uint64, method string) {
	dst = append(dst, `{"id":"`...)
	dst = append(dst, mark)
	dst = appendID(dst, id)
	dst = append(dst, `","method":"`...)
	dst = append(dst, method...)
	o.start(append(dst, `","params":{`...))
}

// start opens the parameters.
func (o *Orders) start(dst []byte) {
	o.buf = o.buf[:0]
	o.dst, o.some = dst, false
	if o.mac != nil {
		o.text("apiKey", o.key)
	}
}

// name writes a parameter's name in both forms.
func (o *Orders) name(name string) {
	if o.some {
		o.dst = append(o.dst, ',')
		o.buf = append(o.buf, '&')
	}
	o.some = true
	o.dst = append(append(append(o.dst, '"'), name...), `":`...)
	o.buf = append(append(o.buf, name...), '=')
}

func (o *Orders) text(name, value string) {
	o.name(name)
	o.dst = append(append(append(o.dst, '"'), value...), '"')
	o.buf = append(o.buf, value...)
}

func (o *Orders) bare(name, value string) {
	o.name(name)
	o.dst = append(o.dst, value...)
	o.buf = append(o.buf, value...)
}

func (o *Orders) number(name string, v uint64) {
	o.name(name)
	o.dst = strconv.AppendUint(o.dst, v, 10)
	o.buf = strconv.AppendUint(o.buf, v, 10)
}

func (o *Orders) decimal(name string, v int64, scale uint8) {
	o.name(name)
	o.dst = append(fixed.Append(append(o.dst, '"'), v, scale), '"')
	o.buf = fixed.Append(o.buf, v, scale)
}

func (o *Orders) client(name string, id uint64) { o.marked(name, id, "") }

// marked writes a client id with a mark at its end.
func (o *Orders) marked(name string, id uint64, mark string) {
	o.name(name)
	o.dst = append(append(appendID(append(o.dst, `"`+idMark...), id), mark...), '"')
	o.buf = append(appendID(append(o.buf, idMark...), id), mark...)
}

// target writes which order is meant.
func (o *Orders) target(byOrder, byClient string, t Target) {
	switch {
	case t.Gone:
		o.marked(byClient, t.Client, goneMark)
	case t.Order != 0:
		o.number(byOrder, t.Order)
	default:
		o.client(byClient, t.Client)
	}
}

func (o *Orders) at(at venue.Nanos) { o.number("timestamp", uint64(at/venue.Millisecond)) }

// end signs and closes.
func (o *Orders) end() []byte {
	if o.mac != nil {
		o.dst = append(o.dst, `,"signature":"`...)
		o.dst = o.mac.AppendHex(o.dst, o.buf)
		o.dst = append(o.dst, '"')
	}
	return append(o.dst, "}}"...)
}

// knows reports whether an instrument has order entry here.
func (o *Orders) knows(i venue.Inst) bool { return int(i) < len(o.texts) && o.texts[i][0].known }

// Cancel appends the order.cancel request of t, whose answer is found by mark and id. Spot gives a cancelled order the
// cancel's client id: one made of its own, so that whoever meets it later still knows which it was. The instrument must be
// known.
func (o *Orders) Cancel(dst []byte, mark byte, i venue.Inst, id uint64, t Target, at venue.Nanos) []byte {
	o.begin(dst, mark, id, "order.cancel")
	if !o.futures {
		o.marked("newClientOrderId", t.Client, goneMark)
	}
	o.target("orderId", "origClientOrderId", t)
	o.bare("recvWindow", o.window)
	o.text("symbol", o.symbols[i])
	o.at(at)
	return o.end()
}

// Reduce appends the order.amend.keepPriority request that lowers t to qty in all; client is the id that the order keeps.
func (o *Orders) Reduce(dst []byte, mark byte, i venue.Inst, id, client uint64, t Target, qty fixed.Qty, at venue.Nanos) ([]byte, bool) {
	if !o.knows(i) {
		return dst, false
	}
	o.begin(dst, mark, id, "order.amend.keepPriority")
	o.client("newClientOrderId", client)
	o.decimal("newQty", int64(qty), o.texts[i][0].qtyScale)
	o.target("orderId", "origClientOrderId", t)
	o.bare("recvWindow", o.window)
	o.text("symbol", o.symbols[i])
	o.at(at)
	return o.end(), true
}

// Modify appends the order.modify request of futures: t gets a price and a quantity in all, keeps its ids and goes to the end
// of the queue. The venue wants side, price and quantity whatever changes.
func (o *Orders) Modify(dst []byte, mark byte, c *venue.Command, t Target, at venue.Nanos) ([]byte, bool) {
	if !o.futures || !o.knows(c.Inst) || c.Side < venue.Buy || c.Side > venue.Sell {
		return dst, false
	}
	w := &o.texts[c.Inst][0]
	o.begin(dst, mark, c.Client, "order.modify")
	o.target("orderId", "origClientOrderId", t)
	o.decimal("price", int64(c.Price), w.priceScale)
	o.decimal("quantity", int64(c.Qty), w.qtyScale)
	o.bare("recvWindow", o.window)
	o.text("side", sides[c.Side])
	o.text("symbol", o.symbols[c.Inst])
	o.at(at)
	return o.end(), true
}

// Balances appends the account.balance request: by its answer an account that signs each request knows that it may.
func (o *Orders) Balances(dst []byte, id string, at venue.Nanos) []byte {
	dst = append(append(append(dst, `{"id":"`...), id...), `","method":"v2/account.balance","params":{`...)
	o.start(dst)
	o.bare("recvWindow", o.window)
	o.at(at)
	return o.end()
}

// Replace appends the order.cancelReplace request that puts c, with the side, type and time in force of the order that it
// amends, in the place of t. The venue refuses it (STOP_ON_FAILURE, ONLY_NEW) when any of t has been filled, since c's
// quantity counts fills and a fill on the way would be bought twice.
func (o *Orders) Replace(dst []byte, mark byte, c *venue.Command, t Target, at venue.Nanos) ([]byte, bool) {
	if !o.knows(c.Inst) || c.Side < venue.Buy || c.Side > venue.Sell || c.Type < venue.Limit || c.Type > venue.PostOnly || c.TIF < venue.GTC || c.TIF > venue.FOK {
		return dst, false
	}
	w := &o.texts[c.Inst][0]
	o.begin(dst, mark, c.Client, "order.cancelReplace")
	o.target("cancelOrderId", "cancelOrigClientOrderId", t)
	o.text("cancelReplaceMode", "STOP_ON_FAILURE")
	o.text("cancelRestrictions", "ONLY_NEW")
	o.client("newClientOrderId", c.Client)
	o.text("newOrderRespType", "ACK")
	o.decimal("price", int64(c.Price), w.priceScale)
	o.decimal("quantity", int64(c.Qty), w.qtyScale)
	o.bare("recvWindow", o.window)
	o.text("side", sides[c.Side])
	o.text("symbol", o.symbols[c.Inst])
	if c.Type == venue.Limit {
		o.text("timeInForce", tifs[c.TIF])
	}
	o.at(at)
	o.text("type", [...]string{venue.Limit: "LIMIT", venue.PostOnly: "LIMIT_MAKER"}[c.Type])
	return o.end(), true
}

// Stop appends the order.place request of a stop. Both kinds are STOP_LOSS_LIMIT here, since nothing leaves without a
// protective price: a StopLoss takes what it can up to its price (IOC), a StopLimit keeps its time in force.
func (o *Orders) Stop(dst []byte, mark byte, c *venue.Command, at venue.Nanos) ([]byte, bool) {
	if o.futures || !o.knows(c.Inst) || c.Side < venue.Buy || c.Side > venue.Sell || c.Stop <= 0 || c.TIF < venue.GTC || c.TIF > venue.FOK ||
		c.Type != venue.StopLoss && c.Type != venue.StopLimit {
		return dst, false
	}
	tif := c.TIF
	if c.Type == venue.StopLoss {
		tif = venue.IOC
	}
	w := &o.texts[c.Inst][0]
	o.begin(dst, mark, c.Client, "order.place")
	o.client("newClientOrderId", c.Client)
	o.text("newOrderRespType", "ACK")
	o.decimal("price", int64(c.Price), w.priceScale)
	o.decimal("quantity", int64(c.Qty), w.qtyScale)
	o.bare("recvWindow", o.window)
	o.text("side", sides[c.Side])
	o.decimal("stopPrice", int64(c.Stop), w.priceScale)
	o.text("symbol", o.symbols[c.Inst])
	o.text("timeInForce", tifs[tif])
	o.at(at)
	o.text("type", "STOP_LOSS_LIMIT")
	return o.end(), true
}

// CancelAll appends the openOrders.cancelAll request of an instrument: every order of the account there, whoever's.
func (o *Orders) CancelAll(dst []byte, mark byte, i venue.Inst, id uint64, at venue.Nanos) ([]byte, bool) {
	if !o.knows(i) {
		return dst, false
	}
	o.begin(dst, mark, id, "openOrders.cancelAll")
	o.bare("recvWindow", o.window)
	o.text("symbol", o.symbols[i])
	o.at(at)
	return o.end(), true
}

// Status appends the order.status request of t.
func (o *Orders) Status(dst []byte, mark byte, i venue.Inst, id uint64, t Target, at venue.Nanos) []byte {
	o.begin(dst, mark, id, "order.status")
	o.target("orderId", "origClientOrderId", t)
	o.bare("recvWindow", o.window)
	o.text("symbol", o.symbols[i])
	o.at(at)
	return o.end()
}

// Trades appends the myTrades request of one order.
func (o *Orders) Trades(dst []byte, mark byte, i venue.Inst, id, order uint64, at venue.Nanos) []byte {
	o.begin(dst, mark, id, "myTrades")
	o.number("orderId", order)
	o.bare("recvWindow", o.window)
	o.text("symbol", o.symbols[i])
	o.at(at)
	return o.end()
}

var (
	sides = [...]string{venue.Buy: "BUY", venue.Sell: "SELL"}
	tifs  = [...]string{venue.GTC: "GTC", venue.IOC: "IOC", venue.FOK: "FOK"}
)
