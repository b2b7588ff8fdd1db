package coinbase

import (
	"strconv"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// Paths of the private REST, each also the path of a token.
const (
	base            = "/api/v3/brokerage"
	pathOrders      = base + "/orders"
	pathBatchCancel = base + "/orders/batch_cancel"
	pathEdit        = base + "/orders/edit"
	pathHistorical  = base + "/orders/historical/" // and an order id
	pathBatch       = base + "/orders/historical/batch"
	pathFills       = base + "/orders/historical/fills"
	pathAccounts    = base + "/accounts"
	pathProducts    = base + "/market/products" // public
	pathSummary     = base + "/transaction_summary"
	pathTime        = base + "/time" // public
	pathKey         = base + "/key_permissions"
)

// Orders encodes the venue's order requests (venues/coinbase.md, section 2). What does not change from order to order is
// kept as text by instrument and kind of order. Numbers are written without trailing zeros: the venue counts decimals, and
// a product's scale may be finer than its increments. One goroutine; allocates nothing as long as dst has room.
type Orders struct {
	text  [][kinds]words
	heads [3]string // of POST requests, up to the token
	body  []byte
}

// Post is a request of the order side.
type Post uint8

// The three requests of the order side.
const (
	PostCreate Post = iota
	PostCancel
	PostEdit
)

var postPaths = [...]string{pathOrders, pathBatchCancel, pathEdit}

// Path is the request's path, which its token names.
func (p Post) Path() string { return postPaths[p] }

// kinds is the number of kinds of order: five for each side.
const kinds = 10

// words are the fixed texts of one kind of order: up to the size, up to the price, up to the stop, and the end.
type words struct{ open, price, stop, end string }

// NewOrders prepares the texts of every instrument; host is what requests are addressed to.
func NewOrders(host string, instruments []*venue.Instrument) *Orders {
	o := &Orders{body: make([]byte, 0, 1024)}
	for p := range o.heads {
		o.heads[p] = "POST " + Post(p).Path() + " HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: oneprice\r\nContent-Type: application/json\r\nAuthorization: "
	}
	for _, in := range instruments {
		for int(in.Inst) >= len(o.text) {
			o.text = append(o.text, [kinds]words{})
		}
		for k := range o.text[in.Inst] {
			o.text[in.Inst][k] = newWords(in.Symbol, k)
		}
	}
	return o
}

// newWords spells kind k, which is kindOf's answer, of an order.
func newWords(symbol string, k int) words {
	side, up := "BUY", "STOP_DIRECTION_STOP_UP"
	if k&1 != 0 {
		side, up = "SELL", "STOP_DIRECTION_STOP_DOWN"
	}
	key := [...]string{"limit_limit_gtc", "limit_limit_gtc", "sor_limit_ioc", "limit_limit_fok", "stop_limit_stop_limit_gtc"}[k>>1]
	w := words{
		open:  `","product_id":"` + symbol + `","side":"` + side + `","order_configuration":{"` + key + `":{"base_size":"`,
		price: `","limit_price":"`, end: `"}}}`,
	}
	switch k >> 1 {
	case 0:
		w.end = `","post_only":false}}}`
	case 1:
		w.end = `","post_only":true}}}`
	case 4:
		w.stop, w.end = `","stop_price":"`, `","stop_direction":"`+up+`"}}}`
	}
	return w
}

// kindOf numbers what the venue can take: side below GTC, post-only, IOC, FOK, stop-limit. -1 is none of them: the venue
// has no stop that becomes a taker.
func kindOf(c *venue.Command) int {
	k := -1
	switch {
	case c.Side != venue.Buy && c.Side != venue.Sell || c.Price <= 0 || c.Qty <= 0:
	case c.Type == venue.Limit && c.TIF >= venue.GTC && c.TIF <= venue.FOK:
		k = [...]int{0, 2, 3}[c.TIF-venue.GTC]
	case c.Type == venue.PostOnly && c.TIF == venue.GTC:
		k = 1
	case c.Type == venue.StopLimit && c.TIF == venue.GTC && c.Stop > 0:
		k = 4
	}
	if k < 0 {
		return -1
	}
	return k<<1 | int(c.Side-venue.Buy)
}

// find returns the texts of an order, nil when it has none.
func (o *Orders) find(c *venue.Command) *words {
	k := kindOf(c)
	if k < 0 || int(c.Inst) >= len(o.text) || o.text[c.Inst][k].open == "" {
		return nil
	}
	return &o.text[c.Inst][k]
}

// Create appends the body that places c. ok is false for what the venue cannot take and for an unknown instrument.
func (o *Orders) Create(dst []byte, in *venue.Instrument, c *venue.Command) (out []byte, ok bool) {
	w := o.find(c)
	if w == nil {
		return dst, false
	}
	dst = append(dst, `{"client_order_id":"`...)
	dst = wire.AppendClientUUID(dst, c.Client)
	dst = fixed.AppendTrim(append(dst, w.open...), int64(c.Qty), in.QtyScale)
	dst = fixed.AppendTrim(append(dst, w.price...), int64(c.Price), in.PriceScale)
	if w.stop != "" {
		dst = fixed.AppendTrim(append(dst, w.stop...), int64(c.Stop), in.PriceScale)
	}
	return append(dst, w.end...), true
}

// Edit appends the body that gives an order a new price and a new total quantity. Both are always sent: the venue reads a
// missing one as zero.
func (o *Orders) Edit(dst []byte, in *venue.Instrument, order string, price fixed.Price, qty fixed.Qty) []byte {
	dst = append(append(dst, `{"order_id":"`...), order...)
	dst = fixed.AppendTrim(append(dst, `","price":"`...), int64(price), in.PriceScale)
	dst = fixed.AppendTrim(append(dst, `","size":"`...), int64(qty), in.QtyScale)
	return append(dst, `"}`...)
}

// Cancel appends the body that cancels orders.
func (o *Orders) Cancel(dst []byte, orders ...string) []byte {
	dst = append(dst, `{"order_ids":[`...)
	for i, id := range orders {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, '"'), id...), '"')
	}
	return append(dst, `]}`...)
}

// Request appends a whole request, from its first byte to the last of its body. bearer is the value of Authorization.
func (o *Orders) Request(dst []byte, p Post, bearer string, body []byte) []byte {
	dst = append(append(dst, o.heads[p]...), bearer...)
	dst = append(dst, "\r\nContent-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(body)), 10)
	return append(append(dst, "\r\n\r\n"...), body...)
}

// Place appends the whole request that places c: what stands between an approved command and the socket.
func (o *Orders) Place(dst []byte, in *venue.Instrument, c *venue.Command, bearer string) (out []byte, ok bool) {
	if o.body, ok = o.Create(o.body[:0], in, c); !ok {
		return dst, false
	}
	return o.Request(dst, PostCreate, bearer, o.body), true
}
