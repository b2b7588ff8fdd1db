package kraken

import (
	"strconv"
	"time"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// orderKind numbers the orders that the venue's websocket takes.
type orderKind uint8

const (
	limitGTC orderKind = iota
	limitIOC
	postOnly
	stopLoss
	stopLimit
	orderKinds
)

// kindOf names the order that a command asks for; false when the venue's websocket has none like it, above all FOK, which
// only REST may know (venues/kraken.md, 2.2).
func kindOf(s venue.Side, t venue.OrderType, f venue.TIF) (orderKind, bool) {
	switch {
	case s != venue.Buy && s != venue.Sell:
		return 0, false
	case t == venue.Limit && f == venue.GTC:
		return limitGTC, true
	case t == venue.Limit && f == venue.IOC:
		return limitIOC, true
	case t == venue.PostOnly && f == venue.GTC:
		return postOnly, true
	case t == venue.StopLoss && f == venue.GTC:
		return stopLoss, true
	case t == venue.StopLimit && f == venue.GTC:
		return stopLimit, true
	}
	return 0, false
}

// words of each kind, before and after the side and symbol.
var words = [orderKinds]struct{ before, after string }{
	limitGTC:  {`"order_type":"limit"`, `"time_in_force":"gtc"`},
	limitIOC:  {`"order_type":"limit"`, `"time_in_force":"ioc"`},
	postOnly:  {`"order_type":"limit"`, `"time_in_force":"gtc","post_only":true`},
	stopLoss:  {`"order_type":"stop-loss"`, `"triggers":{"reference":"last","price_type":"static","price":`},
	stopLimit: {`"order_type":"stop-loss-limit"`, `"time_in_force":"gtc","triggers":{"reference":"last","price_type":"static","price":`},
}

// encoder writes the requests of order entry. What does not change from order to order is kept as text. One goroutine;
// allocates nothing as long as dst has room.
//
// Numbers are unquoted decimals made from integers. token is `,"token":"…"},"req_id":` of the connection.
type encoder struct {
	ins   []*venue.Instrument // by Inst
	text  [][2][orderKinds]string
	batch [][2][orderKinds]string // inside a batch, whose symbol stands outside
	stamp stamp
}

func newEncoder(ins []*venue.Instrument) *encoder {
	n := venue.Inst(0)
	for _, in := range ins {
		n = max(n, in.Inst)
	}
	e := &encoder{ins: make([]*venue.Instrument, n+1), text: make([][2][orderKinds]string, n+1), batch: make([][2][orderKinds]string, n+1)}
	for _, in := range ins {
		e.ins[in.Inst] = in
		for s, side := range [2]string{"buy", "sell"} {
			for k, w := range words {
				e.text[in.Inst][s][k] = `{"method":"add_order","params":{` + w.before + `,"side":"` + side + `","symbol":"` + in.Symbol + `",` + w.after
				e.batch[in.Inst][s][k] = `{` + w.before + `,"side":"` + side + `",` + w.after
			}
		}
	}
	return e
}

// in is an instrument that may be traded, nil for another.
func (e *encoder) in(i venue.Inst) *venue.Instrument {
	if int(i) >= len(e.ins) {
		return nil
	}
	return e.ins[i]
}

// place appends an add_order. deadline 0 sets none.
func (e *encoder) place(dst []byte, c *venue.Command, k orderKind, deadline venue.Nanos, token []byte, req uint64) []byte {
	dst = append(dst, e.text[c.Inst][c.Side-venue.Buy][k]...)
	dst = e.numbers(dst, c, k)
	dst = e.deadline(dst, deadline)
	return end(dst, token, req)
}

// numbers appends the prices, the quantity and the client id of an order.
func (e *encoder) numbers(dst []byte, c *venue.Command, k orderKind) []byte {
	in := e.ins[c.Inst]
	if k == stopLoss || k == stopLimit {
		dst = append(fixed.AppendTrim(dst, int64(c.Stop), in.PriceScale), '}')
	}
	if k != stopLoss {
		dst = append(dst, `,"limit_price":`...)
		dst = fixed.AppendTrim(dst, int64(c.Price), in.PriceScale)
	}
	dst = append(dst, `,"order_qty":`...)
	dst = fixed.AppendTrim(dst, int64(c.Qty), in.QtyScale)
	dst = append(dst, `,"cl_ord_id":"`...)
	return append(wire.AppendClientUUID(dst, c.Client), '"')
}

// amend appends an amend_order of c.Target to c's price and quantity; post keeps a post-only order from taking.
func (e *encoder) amend(dst []byte, c *venue.Command, post bool, deadline venue.Nanos, token []byte, req uint64) []byte {
	in := e.ins[c.Inst]
	dst = append(dst, `{"method":"amend_order","params":{"cl_ord_id":"`...)
	dst = wire.AppendClientUUID(dst, c.Target)
	dst = append(dst, `","order_qty":`...)
	dst = fixed.AppendTrim(dst, int64(c.Qty), in.QtyScale)
	if c.Price > 0 {
		dst = append(dst, `,"limit_price":`...)
		dst = fixed.AppendTrim(dst, int64(c.Price), in.PriceScale)
	}
	if c.Stop > 0 {
		dst = append(dst, `,"trigger_price":`...)
		dst = fixed.AppendTrim(dst, int64(c.Stop), in.PriceScale)
	}
	if post {
		dst = append(dst, `,"post_only":true`...)
	}
	dst = e.deadline(dst, deadline)
	return end(dst, token, req)
}

// cancel appends a cancel_order by client id.
func (e *encoder) cancel(dst []byte, client uint64, token []byte, req uint64) []byte {
	dst = append(dst, `{"method":"cancel_order","params":{"cl_ord_id":["`...)
	dst = wire.AppendClientUUID(dst, client)
	return end(append(dst, `"]`...), token, req)
}

// cancels appends a batch_cancel by client ids, 2 to 50 of them.
func (e *encoder) cancels(dst []byte, clients []uint64, token []byte, req uint64) []byte {
	dst = append(dst, `{"method":"batch_cancel","params":{"orders":[],"cl_ord_id":[`...)
	for i, id := range clients {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(wire.AppendClientUUID(append(dst, '"'), id), '"')
	}
	return end(append(dst, ']'), token, req)
}

// cancelAll appends the cancelling of everything that the account has.
func (e *encoder) cancelAll(dst, token []byte, req uint64) []byte {
	return end(append(dst, `{"method":"cancel_all","params":{`...), token[1:], req) // without the comma that precedes the token
}

// places appends a batch_add of orders of one instrument.
func (e *encoder) places(dst []byte, cs []*venue.Command, deadline venue.Nanos, token []byte, req uint64) []byte {
	dst = append(dst, `{"method":"batch_add","params":{"symbol":"`...)
	dst = append(dst, e.ins[cs[0].Inst].Symbol...)
	dst = append(dst, `","orders":[`...)
	for i, c := range cs {
		if i > 0 {
			dst = append(dst, ',')
		}
		k, _ := kindOf(c.Side, c.Type, c.TIF) // the caller has looked
		dst = append(dst, e.batch[c.Inst][c.Side-venue.Buy][k]...)
		dst = append(e.numbers(dst, c, k), '}')
	}
	dst = e.deadline(append(dst, ']'), deadline)
	return end(dst, token, req)
}

func (e *encoder) deadline(dst []byte, at venue.Nanos) []byte {
	if at == 0 {
		return dst
	}
	dst = append(dst, `,"deadline":"`...)
	return append(e.stamp.append(dst, at), '"')
}

func end(dst, token []byte, req uint64) []byte {
	dst = append(dst, token...)
	return append(strconv.AppendUint(dst, req, 10), '}')
}

// stamp writes instants in RFC 3339 with milliseconds. It keeps the text of the second.
type stamp struct {
	second venue.Nanos
	text   [len("2006-01-02T15:04:05")]byte
}

func (s *stamp) append(dst []byte, at venue.Nanos) []byte {
	sec := at / venue.Second
	if sec != s.second || s.text[0] == 0 {
		s.second = sec
		time.Unix(int64(sec), 0).UTC().AppendFormat(s.text[:0], "2006-01-02T15:04:05")
	}
	ms := at % venue.Second / venue.Millisecond
	dst = append(dst, s.text[:]...)
	return append(dst, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10), 'Z')
}
