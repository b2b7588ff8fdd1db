package binance

import (
	"bytes"

	"github.com/valyala/fastjson"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// keys are the fields of an event by their one-letter names, nil where there is none, and "pu". The venue uses letters in
// both cases for different things. Of a name that comes twice the first counts.
type keys struct {
	letter ['z' - 'A' + 1]*fastjson.Value
	pu     *fastjson.Value
}

func (k *keys) at(letter byte) *fastjson.Value { return k.letter[letter-'A'] }

// read takes the fields of an object in one walk: looking each up by name costs a walk of its own.
func (k *keys) read(o *fastjson.Object) {
	*k = keys{}
	o.Visit(func(key []byte, v *fastjson.Value) {
		switch {
		case len(key) == 1 && key[0] >= 'A' && key[0] <= 'z':
			if p := &k.letter[key[0]-'A']; *p == nil {
				*p = v
			}
		case string(key) == "pu" && k.pu == nil:
			k.pu = v
		}
	})
}

// fallback decodes any valid JSON message of the venue with a general parser. It is cold: a scanner has refused the
// message. It gives the records that a scanner would, and the reason where there are none.
func (d *Decoder) fallback(recv venue.Nanos, msg []byte) ([]venue.Event, venue.Reason) {
	v, err := d.parser.ParseBytes(msg)
	if err != nil {
		return nil, venue.Malformed
	}
	diff := true
	if data := v.Get("data"); data != nil {
		diff = diffStream(v.GetStringBytes("stream"))
		v = data
	}
	o := v.GetObject()
	if o == nil {
		return nil, venue.Ignored
	}
	k := &d.keys
	k.read(o)
	switch event := str(k.at('e')); {
	case string(event) == "depthUpdate" && diff:
		return d.depthSlow(recv, k)
	case string(event) == "bookTicker", k.at('e') == nil && k.at('u') != nil && k.at('A') != nil:
		return d.tickerSlow(recv, k)
	case string(event) == "trade":
		return d.tradeSlow(recv, k)
	case string(event) == "serverShutdown":
		d.leaving = true
	case k.at('e') == nil:
		d.refusal = string(v.GetStringBytes("error", "msg"))
	}
	return nil, venue.Ignored
}

// diffStream is diffs for a whole stream name: "@depth" ends it, but for a last "@100ms".
func diffStream(name []byte) bool {
	if i := bytes.LastIndexByte(name, '@'); i >= 0 && bytes.HasSuffix(name, []byte("ms")) {
		name = name[:i]
	}
	return bytes.HasSuffix(name, []byte("@depth"))
}

func (d *Decoder) depthSlow(recv venue.Nanos, f *keys) ([]venue.Event, venue.Reason) {
	at, ok1 := whenOf(f.at('E'))
	first, ok2 := idOf(f.at('U'))
	last, ok3 := idOf(f.at('u'))
	prev, ok4 := uint64(0), true
	if d.chain == venue.ChainPrev {
		prev, ok4 = idOf(f.pu)
	}
	symbol := str(f.at('s'))
	if !ok1 || !ok2 || !ok3 || !ok4 || symbol == nil {
		return nil, venue.Malformed
	}
	e := d.symbols.find(symbol)
	if e == nil {
		return nil, venue.UnknownSymbol
	}
	k, why := d.sidesSlow(f.at('b'), f.at('a'), e, last)
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
	seq, ok := idOf(v.Get("lastUpdateId"))
	at := venue.Nanos(0)
	if e := v.Get("E"); ok && e != nil {
		at, ok = whenOf(e)
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

func (d *Decoder) tickerSlow(recv venue.Nanos, f *keys) ([]venue.Event, venue.Reason) {
	seq, ok := idOf(f.at('u'))
	at := recv
	if e := f.at('E'); ok && e != nil {
		at, ok = whenOf(e)
	}
	symbol := str(f.at('s'))
	if !ok || symbol == nil {
		return nil, venue.Malformed
	}
	e := d.symbols.find(symbol)
	if e == nil {
		return nil, venue.UnknownSymbol
	}
	var w [4]int64
	for i, key := range [4]byte{'b', 'B', 'a', 'A'} {
		scale := e.price.scale
		if i&1 == 1 {
			scale = e.qty.scale
		}
		var why venue.Reason
		if w[i], why = fixedOf(f.at(key), scale); why != venue.OK {
			return nil, why
		}
	}
	d.ev[0].SetTouch(d.venue, e.inst, venue.Last, seq, fixed.Price(w[0]), fixed.Qty(w[1]), fixed.Price(w[2]), fixed.Qty(w[3]), recv, at)
	return d.ev[:1], venue.OK
}

func (d *Decoder) tradeSlow(recv venue.Nanos, f *keys) ([]venue.Event, venue.Reason) {
	at, ok1 := whenOf(f.at('E'))
	id, ok2 := idOf(f.at('t'))
	symbol, maker := str(f.at('s')), f.at('m')
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
	p, why := fixedOf(f.at('p'), e.price.scale)
	if why != venue.OK {
		return nil, why
	}
	q, why := fixedOf(f.at('q'), e.qty.scale)
	if why != venue.OK {
		return nil, why
	}
	if x := f.at('X'); x != nil && string(str(x)) != "MARKET" {
		return nil, venue.Ignored
	}
	side := venue.Bids
	if maker.Type() == fastjson.TypeTrue {
		side = venue.Asks
	}
	d.ev[0].SetTrade(d.venue, e.inst, venue.Last|side, id, fixed.Price(p), fixed.Qty(q), recv, at)
	return d.ev[:1], venue.OK
}

// str is the text of a JSON string, nil for anything else.
func str(v *fastjson.Value) []byte {
	if v == nil || v.Type() != fastjson.TypeString {
		return nil
	}
	return v.GetStringBytes()
}

// idOf is v as an unsigned integer; false when it is none.
func idOf(v *fastjson.Value) (uint64, bool) {
	if v == nil {
		return 0, false
	}
	u, err := v.Uint64()
	return u, err == nil
}

// whenOf is v as a time.
func whenOf(v *fastjson.Value) (venue.Nanos, bool) {
	u, ok := idOf(v)
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
	if n, ok := plain(text, scale); ok {
		return n, venue.OK
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

// plain reads digits, or digits, a point and digits of which those beyond the scale are zeros, with 15 digits at the scale
// at most; false for any other form, which fixed.Parse then judges. It is here so that a message that misses
// its scanner costs no more than a general parser does.
func plain(text []byte, scale uint8) (int64, bool) {
	var v int64
	i := 0
	for i < len(text) && text[i]-'0' <= 9 {
		v = v*10 + int64(text[i]-'0')
		i++
	}
	if i == 0 || i+int(scale) > 15 {
		return 0, false
	}
	if i == len(text) {
		return v * fixed.Pow10(scale), true
	}
	end := min(i+1+int(scale), len(text))
	if text[i] != '.' || len(text) == i+1 {
		return 0, false
	}
	for _, c := range text[i+1 : end] {
		if c-'0' > 9 {
			return 0, false
		}
		v = v*10 + int64(c-'0')
	}
	for _, c := range text[end:] {
		if c != '0' {
			return 0, false
		}
	}
	return v * fixed.Pow10(scale-uint8(end-i-1)), true
}
