package binance

import (
	"bytes"

	"github.com/valyala/fastjson"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// fallback decodes any valid JSON message of the venue with a general parser. It is cold: a scanner has refused the
// message. It gives the records that a scanner would, and the reason where there are none.
func (d *Decoder) fallback(recv venue.Nanos, msg []byte) ([]venue.Event, venue.Reason) {
	v, err := d.parser.ParseBytes(msg)
	if err != nil {
		return nil, venue.Malformed
	}
	diff := true
	if name := v.GetStringBytes("stream"); name != nil {
		diff = diffStream(name)
		v = v.Get("data")
	}
	if v == nil || v.Type() != fastjson.TypeObject {
		return nil, venue.Ignored
	}
	event := v.GetStringBytes("e")
	switch {
	case string(event) == "depthUpdate" && diff:
		return d.depthSlow(recv, v)
	case string(event) == "bookTicker", !v.Exists("e") && v.Exists("u") && v.Exists("A"):
		return d.tickerSlow(recv, v)
	case string(event) == "trade":
		return d.tradeSlow(recv, v)
	}
	return nil, venue.Ignored
}

// diffStream is diffs for a whole stream name.
func diffStream(name []byte) bool {
	_, kind, _ := bytes.Cut(name, []byte("@"))
	kind, _, _ = bytes.Cut(kind, []byte("@"))
	return string(kind) == "depth"
}

func (d *Decoder) depthSlow(recv venue.Nanos, v *fastjson.Value) ([]venue.Event, venue.Reason) {
	at, ok1 := whenOf(v, "E")
	first, ok2 := idOf(v, "U")
	last, ok3 := idOf(v, "u")
	prev, ok4 := uint64(0), true
	if d.chain == venue.ChainPrev {
		prev, ok4 = idOf(v, "pu")
	}
	symbol := v.GetStringBytes("s")
	if !ok1 || !ok2 || !ok3 || !ok4 || symbol == nil {
		return nil, venue.Malformed
	}
	e := d.symbols.find(symbol)
	if e == nil {
		return nil, venue.UnknownSymbol
	}
	k, why := d.sidesSlow(v.Get("b"), v.Get("a"), e, last)
	if why != venue.OK {
		return nil, why
	}
	d.ev[0].SetHead(d.venue, e.inst, 0, recv, at, first, prev, last, venue.NoChecksum, k-1)
	d.ev[k-1].Flags |= venue.Last
	return d.ev[:k], venue.OK
}

// restFallback is fallback for the body of a REST answer.
func (d *Decoder) restFallback(recv venue.Nanos, request string, body []byte) ([]venue.Event, venue.Reason) {
	v, err := d.parser.ParseBytes(body)
	if err != nil {
		return nil, venue.Malformed
	}
	if !v.Exists("lastUpdateId") {
		return nil, venue.Ignored
	}
	seq, ok := idOf(v, "lastUpdateId")
	at := venue.Nanos(0)
	if ok && v.Exists("E") {
		at, ok = whenOf(v, "E")
	}
	e := d.requested(request)
	if ok && v.Exists("symbol") {
		symbol := v.GetStringBytes("symbol")
		ok = symbol != nil
		e = d.symbols.find(symbol)
	}
	if !ok {
		return nil, venue.Malformed
	}
	if e == nil {
		return nil, venue.UnknownSymbol
	}
	k, why := d.sidesSlow(v.Get("bids"), v.Get("asks"), e, seq)
	if why != venue.OK {
		return nil, why
	}
	return d.cut(recv, at, e, seq, k-1), venue.OK
}

// sidesSlow writes both sides from d.ev[1] on and returns the next free record.
func (d *Decoder) sidesSlow(bids, asks *fastjson.Value, e *listed, seq uint64) (int, venue.Reason) {
	if bids == nil || asks == nil || bids.Type() != fastjson.TypeArray || asks.Type() != fastjson.TypeArray {
		return 0, venue.Malformed
	}
	b, a := bids.GetArray(), asks.GetArray()
	if need := 1 + (len(b)+2)/3 + (len(a)+2)/3; need > len(d.ev) {
		d.ev = make([]venue.Event, need+need/2)
	}
	k, why := d.sideSlow(b, 1, e, venue.Bids, seq)
	if why != venue.OK {
		return 0, why
	}
	return d.sideSlow(a, k, e, venue.Asks, seq)
}

func (d *Decoder) sideSlow(levels []*fastjson.Value, k int, e *listed, side uint8, seq uint64) (int, venue.Reason) {
	slot := 0
	for i, l := range levels {
		pair := l.GetArray()
		if len(pair) < 2 {
			return 0, venue.Malformed
		}
		p, why := fixedOf(pair[0], e.price.scale)
		if why != venue.OK {
			return 0, why
		}
		q, why := fixedOf(pair[1], e.qty.scale)
		if why != venue.OK {
			return 0, why
		}
		r := &d.ev[k]
		r.W[2*slot], r.W[2*slot+1] = p, q
		if slot++; slot == 3 || i == len(levels)-1 {
			setLevels(r, d.venue, e.inst, side, slot, seq)
			k, slot = k+1, 0
		}
	}
	return k, venue.OK
}

func (d *Decoder) tickerSlow(recv venue.Nanos, v *fastjson.Value) ([]venue.Event, venue.Reason) {
	seq, ok := idOf(v, "u")
	at := recv
	if ok && v.Exists("E") {
		at, ok = whenOf(v, "E")
	}
	symbol := v.GetStringBytes("s")
	if !ok || symbol == nil {
		return nil, venue.Malformed
	}
	e := d.symbols.find(symbol)
	if e == nil {
		return nil, venue.UnknownSymbol
	}
	var w [4]int64
	for i, key := range [4]string{"b", "B", "a", "A"} {
		scale := e.price.scale
		if i&1 == 1 {
			scale = e.qty.scale
		}
		var why venue.Reason
		if w[i], why = fixedOf(v.Get(key), scale); why != venue.OK {
			return nil, why
		}
	}
	d.ev[0].SetTouch(d.venue, e.inst, venue.Last, seq, fixed.Price(w[0]), fixed.Qty(w[1]), fixed.Price(w[2]), fixed.Qty(w[3]), recv, at)
	return d.ev[:1], venue.OK
}

func (d *Decoder) tradeSlow(recv venue.Nanos, v *fastjson.Value) ([]venue.Event, venue.Reason) {
	at, ok1 := whenOf(v, "E")
	id, ok2 := idOf(v, "t")
	symbol, maker := v.GetStringBytes("s"), v.Get("m")
	if !ok1 || !ok2 || symbol == nil || maker == nil {
		return nil, venue.Malformed
	}
	if maker.Type() != fastjson.TypeTrue && maker.Type() != fastjson.TypeFalse {
		return nil, venue.Malformed
	}
	e := d.symbols.find(symbol)
	if e == nil {
		return nil, venue.UnknownSymbol
	}
	p, why := fixedOf(v.Get("p"), e.price.scale)
	if why != venue.OK {
		return nil, why
	}
	q, why := fixedOf(v.Get("q"), e.qty.scale)
	if why != venue.OK {
		return nil, why
	}
	if x := v.GetStringBytes("X"); x != nil && string(x) != "MARKET" {
		return nil, venue.Ignored
	}
	side := venue.Bids
	if maker.Type() == fastjson.TypeTrue {
		side = venue.Asks
	}
	d.ev[0].SetTrade(d.venue, e.inst, venue.Last|side, id, fixed.Price(p), fixed.Qty(q), recv, at)
	return d.ev[:1], venue.OK
}

// idOf is the unsigned integer under key; false when there is none.
func idOf(v *fastjson.Value, key string) (uint64, bool) {
	f := v.Get(key)
	if f == nil {
		return 0, false
	}
	u, err := f.Uint64()
	return u, err == nil
}

// whenOf is the time under key.
func whenOf(v *fastjson.Value, key string) (venue.Nanos, bool) {
	u, ok := idOf(v, key)
	if !ok {
		return 0, false
	}
	at, next := stamp(u, 0)
	return at, next == 0
}

// fixedOf is the decimal text of v as a count of 10^-scale, not negative.
func fixedOf(v *fastjson.Value, scale uint8) (int64, venue.Reason) {
	if v == nil {
		return 0, venue.Malformed
	}
	text, err := v.StringBytes()
	if err != nil {
		return 0, venue.Malformed
	}
	n, fault := fixed.Parse(text, scale)
	switch {
	case fault == fixed.OffScale:
		return 0, venue.OffScale
	case fault == fixed.Overflow:
		return 0, venue.TooLarge
	case fault != fixed.OK || n < 0:
		return 0, venue.Malformed
	}
	return n, venue.OK
}
