package binance

import (
	"strconv"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/sign"
)

// OrderConfig is what the requests of one account carry.
type OrderConfig struct {
	// Key and MAC sign every request. A connection that has logged on (session.logon) leaves both empty.
	Key string
	MAC *sign.HMAC
	// RecvWindow is how long after its timestamp the venue may still accept a request; whole milliseconds.
	RecvWindow venue.Nanos
	// Instruments are indexed by Inst; those of other venues may be nil.
	Instruments []*venue.Instrument
	// Futures spells the requests of USD-M: post-only is a time in force (GTX), an order may be bound to reduce the position,
	// and a cancelled order keeps its client id.
	Futures bool
}

// Orders encodes the venue's order requests (venues/binance.md, sections 2.1, 2.2 and 3): the parameters sorted by name,
// as the WS API demands of what is signed, and the request around them.
//
// Everything that does not change from order to order is kept as text by instrument, side and kind of order, in the
// form that is signed and in the form that is sent, so that an order costs its numbers, once each, and copies. One
// goroutine; allocates nothing as long as dst has room.
type Orders struct {
	mac     *sign.HMAC
	open    [2]string // what stands before the client id: signed, sent
	texts   [][16]words
	buf     []byte // what is signed
	key     string
	window  string
	symbols []string
	futures bool
	dst     []byte // the request under way, see orders.go
	some    bool   // it has a parameter already
}

// words are the fixed texts of one kind of order: behind the quantity, and behind the timestamp.
type words struct {
	known                bool
	query, json          string
	queryEnd, jsonEnd    string
	priceScale, qtyScale uint8
}

const (
	placeMethod = `","method":"order.place","params":{`
	// idMark makes a client id ours: wire.AppendClientID writes the same.
	idMark = "op1-"
	// acked asks for the shortest answer; fills come by the user stream of the same connection.
	ackedQuery = "&newOrderRespType=ACK&price="
	ackedJSON  = `","newOrderRespType":"ACK","price":"`
)

// NewOrders prepares the texts of every instrument.
func NewOrders(cfg OrderConfig) *Orders {
	o := &Orders{mac: cfg.MAC, key: cfg.Key, futures: cfg.Futures, texts: make([][16]words, len(cfg.Instruments)), symbols: make([]string, len(cfg.Instruments)), buf: make([]byte, 0, 1024)}
	o.open = [2]string{"", placeMethod}
	if o.mac != nil {
		o.open = [2]string{"apiKey=" + cfg.Key + "&", placeMethod + `"apiKey":"` + cfg.Key + `",`}
	}
	o.window = strconv.FormatInt(int64(cfg.RecvWindow/venue.Millisecond), 10)
	for i, in := range cfg.Instruments {
		if in == nil {
			continue
		}
		o.symbols[i] = in.Symbol
		for k := range o.texts[i] {
			o.texts[i][k] = newWords(in, k, o.window, o.futures)
		}
	}
	return o
}

// newWords spells kind k, which is kindOf's answer, of an order.
func newWords(in *venue.Instrument, k int, window string, futures bool) words {
	side, tif, name := "BUY", [4]string{"GTC", "IOC", "FOK", ""}[k>>1&3], "LIMIT"
	if k&1 != 0 {
		side = "SELL"
	}
	if futures && tif == "" {
		tif = "GTX"
	}
	w := words{known: true, priceScale: in.PriceScale, qtyScale: in.QtyScale}
	w.query = "&recvWindow=" + window
	w.json = `","recvWindow":` + window
	if k&reducing != 0 {
		w.query += "&reduceOnly=true"
		w.json += `,"reduceOnly":"true"`
	}
	w.query += "&side=" + side + "&symbol=" + in.Symbol
	w.json += `,"side":"` + side + `","symbol":"` + in.Symbol
	if tif == "" {
		name = "LIMIT_MAKER"
	} else {
		w.query += "&timeInForce=" + tif
		w.json += `","timeInForce":"` + tif
	}
	w.query, w.queryEnd = w.query+"&timestamp=", "&type="+name
	w.json, w.jsonEnd = w.json+`","timestamp":`, `,"type":"`+name+`"`
	return w
}

// reducing marks the kinds that may only reduce a position; spot has none to reduce.
const reducing = 8

// kindOf numbers the orders that have texts: time in force above side, a post-only order last, and all again for those that
// may only reduce.
func (o *Orders) kindOf(c *venue.Command) int {
	k := int(c.TIF-venue.GTC) << 1
	if c.Type == venue.PostOnly {
		k = 6
	}
	k = k&6 | int(c.Side-venue.Buy)&1
	if o.futures && c.Flags&venue.ReduceOnlyFlag != 0 {
		k |= reducing
	}
	return k
}

// Place appends the order.place request of c, signed where there is a key; at is the request's time. The digits of the
// client id are also the request's id, by which its answer is found. ok is false for what is not a new limit or
// post-only order of a known instrument.
func (o *Orders) Place(dst []byte, c *venue.Command, at venue.Nanos) (out []byte, ok bool) {
	w := o.find(c)
	if w == nil {
		return dst, false
	}
	dst = append(dst, `{"id":"`...)
	dst = appendID(dst, c.Client)
	id := dst[len(dst)-16:]
	dst = append(dst, o.open[1]...)
	dst = append(dst, `"newClientOrderId":"`+idMark...)
	dst = append(dst, id...)
	dst = append(dst, ackedJSON...)
	p := len(dst)
	dst = fixed.Append(dst, int64(c.Price), w.priceScale)
	price := dst[p:]
	dst = append(dst, `","quantity":"`...)
	q := len(dst)
	dst = fixed.Append(dst, int64(c.Qty), w.qtyScale)
	qty := dst[q:]
	dst = append(dst, w.json...)
	t := len(dst)
	dst = strconv.AppendUint(dst, uint64(at/venue.Millisecond), 10)
	stamp := dst[t:]
	dst = append(dst, w.jsonEnd...)
	if o.mac != nil {
		o.buf = append(append(append(o.buf[:0], o.open[0]...), "newClientOrderId="+idMark...), id...)
		o.buf = append(append(append(o.buf, ackedQuery...), price...), "&quantity="...)
		o.buf = append(append(append(o.buf, qty...), w.query...), stamp...)
		o.buf = append(o.buf, w.queryEnd...)
		dst = append(dst, `,"signature":"`...)
		dst = o.mac.AppendHex(dst, o.buf)
		dst = append(dst, '"')
	}
	return append(dst, "}}"...), true
}

// Query appends the same order as the query of POST /api/v3/order, signed where there is a key (which then travels in
// the header X-MBX-APIKEY). No value needs percent-encoding: symbols with other than letters and digits have no order
// entry here.
func (o *Orders) Query(dst []byte, c *venue.Command, at venue.Nanos) (out []byte, ok bool) {
	w := o.find(c)
	if w == nil {
		return dst, false
	}
	from := len(dst)
	dst = append(dst, "newClientOrderId="+idMark...)
	dst = appendID(dst, c.Client)
	dst = append(dst, ackedQuery...)
	dst = fixed.Append(dst, int64(c.Price), w.priceScale)
	dst = append(dst, "&quantity="...)
	dst = fixed.Append(dst, int64(c.Qty), w.qtyScale)
	dst = append(dst, w.query...)
	dst = strconv.AppendUint(dst, uint64(at/venue.Millisecond), 10)
	dst = append(dst, w.queryEnd...)
	if o.mac != nil {
		o.buf = append(o.buf[:0], dst[from:]...)
		dst = append(dst, "&signature="...)
		dst = o.mac.AppendHex(dst, o.buf)
	}
	return dst, true
}

// find returns the texts of an order, nil when it has none.
func (o *Orders) find(c *venue.Command) *words {
	if c.Op != venue.New || (c.Type != venue.Limit && c.Type != venue.PostOnly) || c.TIF < venue.GTC || c.TIF > venue.FOK ||
		c.Side < venue.Buy || c.Side > venue.Sell || int(c.Inst) >= len(o.texts) {
		return nil
	}
	w := &o.texts[c.Inst][o.kindOf(c)]
	if !w.known {
		return nil
	}
	return w
}

// appendID appends a client id as 16 hexadecimal digits: each nibble gets a byte of its own by three doublings of the
// distance, and bytes above nine move on to the letters.
func appendID(dst []byte, id uint64) []byte {
	return le.AppendUint64(le.AppendUint64(dst, spread(id>>32)), spread(id))
}

// spread is the hexadecimal text of the low 32 bits, first digit in the lowest byte.
func spread(v uint64) uint64 {
	v &= 0xffffffff
	v = (v&0xffff)<<32 | v>>16
	v = v&0x000000ff000000ff<<16 | v>>8&0x000000ff000000ff
	v = v&0x000f000f000f000f<<8 | v>>4&0x000f000f000f000f
	letters := (v + 0x0606060606060606) >> 4 & 0x0101010101010101
	return v + zeros + letters*('a'-'9'-1)
}
