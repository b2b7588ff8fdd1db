package kraken

import (
	"bytes"
	"strings"

	"github.com/valyala/fastjson"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// discoverer learns the pairs that have book or trade messages in a recording. What is known of them comes from AssetPairs
// or the instrument channel where the recording has them, else from the shipped table, else from the decimals seen.
type discoverer struct {
	doc   wire.Doc
	known map[string]wire.Listing
	depth map[string]int // of the book subscription
	seen  map[string]*sighting
	order []string
}

// sighting is what the data shows of a pair.
type sighting struct {
	v1 bool
	// price and qty are the most decimals printed.
	price, qty uint8
}

func newDiscoverer() *discoverer {
	d := &discoverer{known: map[string]wire.Listing{}, depth: map[string]int{}, seen: map[string]*sighting{}}
	for _, l := range listings() {
		d.known[l.Symbol] = l
	}
	return d
}

// Line implements wire.Discoverer.
func (d *discoverer) Line(kind, _ string, msg []byte) {
	if kind != "rest" && kind != "ws" && kind != "send" {
		return
	}
	v := d.doc.Parse(msg)
	if v == nil {
		return // damage is the decoder's to report
	}
	switch {
	case kind == "send":
		d.subscribed(v.Get("params"), v.GetArray("params", "symbol"))
		d.subscribed(v.Get("subscription"), v.GetArray("pair"))
	case kind == "rest":
		if o := v.GetObject("result"); o != nil {
			o.Visit(func(_ []byte, p *fastjson.Value) { d.assetPair(p) })
		}
	case v.Type() == fastjson.TypeArray:
		d.array(v.GetArray())
	default:
		d.object(v)
	}
}

// subscribed notes the depth of a book subscription: channel (v2) or name (v1), and depth.
func (d *discoverer) subscribed(v *fastjson.Value, pairs []*fastjson.Value) {
	if v == nil || !wire.Is(v.Get("channel"), "book") && !wire.Is(v.Get("name"), "book") {
		return
	}
	n := v.GetInt("depth")
	if n <= 0 {
		n = defaultDepth
	}
	for _, p := range pairs {
		d.depth[string(p.GetStringBytes())] = n
	}
}

// object takes a v2 message.
func (d *discoverer) object(v *fastjson.Value) {
	price, qty := "price", "qty"
	switch string(v.GetStringBytes("channel")) {
	case "instrument":
		for _, p := range v.GetArray("data", "pairs") {
			d.pair(p)
		}
	case "trade":
		for _, t := range v.GetArray("data") {
			d.note(t.GetStringBytes("symbol"), false).widen(t.Get(price), t.Get(qty))
		}
	case "book":
		for _, b := range v.GetArray("data") {
			s := d.note(b.GetStringBytes("symbol"), false)
			for _, side := range [...]string{"bids", "asks"} {
				for _, l := range b.GetArray(side) {
					s.widen(l.Get(price), l.Get(qty))
				}
			}
		}
	}
}

// array takes a v1 message.
func (d *discoverer) array(items []*fastjson.Value) {
	n := len(items)
	if n < 4 {
		return
	}
	name, pair := items[n-2].GetStringBytes(), items[n-1].GetStringBytes()
	if string(name) == "trade" {
		s := d.note(pair, true)
		for _, t := range items[1].GetArray() {
			s.widen(t.Get("0"), t.Get("1"))
		}
	}
	depth, isBook := bytes.CutPrefix(name, []byte("book"))
	if !isBook {
		return
	}
	s := d.note(pair, true)
	if depth, ok := bytes.CutPrefix(depth, []byte("-")); ok {
		if v, f := fixed.Parse(depth, 0); f == fixed.OK && v > 0 && v <= 1000 {
			d.depth[string(pair)] = int(v)
		}
	}
	for _, v := range items[1 : n-2] {
		for _, k := range sidesV1 {
			for _, l := range v.GetArray(k.key) {
				s.widen(l.Get("0"), l.Get("1"))
			}
		}
	}
}

// note returns the sighting of a pair.
func (d *discoverer) note(symbol []byte, v1 bool) *sighting {
	s := d.seen[string(symbol)]
	if s == nil {
		s = &sighting{v1: v1}
		if len(symbol) > 0 {
			d.seen[string(symbol)] = s
			d.order = append(d.order, string(symbol))
		}
	}
	return s
}

// widen takes the decimals of a price and a quantity, strings in v1 and numbers in v2.
func (s *sighting) widen(price, qty *fastjson.Value) {
	s.price = max(s.price, decimals(price))
	s.qty = max(s.qty, decimals(qty))
}

func decimals(v *fastjson.Value) uint8 {
	if v == nil {
		return 0
	}
	if v.Type() == fastjson.TypeString {
		return wire.Decimals(v.GetStringBytes())
	}
	return wire.Decimals(v.MarshalTo(nil))
}

// Listings implements wire.Discoverer.
func (d *discoverer) Listings() []wire.Listing {
	out := make([]wire.Listing, 0, len(d.order))
	for _, symbol := range d.order {
		s := d.seen[symbol]
		l, ok := d.known[symbol]
		if !ok {
			// Nothing states its grid or that it trades: the data can be read, orders stay refused.
			base, quote, _ := strings.Cut(symbol, "/")
			l = spot(symbol, currency(base), currency(quote))
			l.Tick, l.Lot = wire.Step(s.price), wire.Step(s.qty)
		}
		if s.v1 || !ok {
			l.PriceText, l.QtyText = s.price, s.qty
		}
		if n := d.depth[symbol]; n > 0 {
			l.Depth = n
		}
		out = append(out, l)
	}
	return out
}

// currency is our name of an asset that Kraken names by an older one.
func currency(name string) string {
	switch name {
	case "XBT":
		return "BTC"
	case "XDG":
		return "DOGE"
	}
	return name
}

// assetPair takes one entry of the REST pair list, under its v1 name and, where that differs, its v2 name.
func (d *discoverer) assetPair(v *fastjson.Value) {
	old := string(v.GetStringBytes("wsname"))
	base, quote, ok := strings.Cut(old, "/")
	if !ok || !v.Exists("pair_decimals") {
		return
	}
	price, qty := uint8(v.GetUint("pair_decimals")), uint8(v.GetUint("lot_decimals"))
	base, quote = currency(base), currency(quote)
	l := spot(old, base, quote)
	l.PriceText, l.QtyText, l.Lot, l.Tick = price, qty, wire.Step(qty), string(v.GetStringBytes("tick_size"))
	if l.Tick == "" {
		l.Tick = wire.Step(price)
	}
	l.MinQty, l.MinNotional = string(v.GetStringBytes("ordermin")), string(v.GetStringBytes("costmin"))
	l.Status = venue.Trading // older lists name only what trades and state no status
	if v.Exists("status") {
		l.Status = statusOf(v.GetStringBytes("status"))
	}
	d.known[old] = l
	l.Symbol = base + "/" + quote
	d.known[l.Symbol] = l
}

// pair takes one entry of the v2 instrument channel.
func (d *discoverer) pair(v *fastjson.Value) {
	if l := listingOf(&d.doc, v); l.Symbol != "" {
		d.known[l.Symbol] = l
	}
}

// listingOf reads one pair of the instrument channel; its Symbol is "" when it is none.
func listingOf(doc *wire.Doc, v *fastjson.Value) wire.Listing {
	symbol := string(v.GetStringBytes("symbol"))
	if symbol == "" || !v.Exists("price_precision") {
		return wire.Listing{}
	}
	l := spot(symbol, string(v.GetStringBytes("base")), string(v.GetStringBytes("quote")))
	l.PriceText, l.QtyText = uint8(v.GetUint("price_precision")), uint8(v.GetUint("qty_precision"))
	l.Tick, l.Lot = plain(doc, v.Get("price_increment"), l.PriceText), plain(doc, v.Get("qty_increment"), l.QtyText)
	l.MinQty, l.MinNotional = plain(doc, v.Get("qty_min"), l.QtyText), plain(doc, v.Get("cost_min"), uint8(v.GetUint("cost_precision")))
	l.Status = statusOf(v.GetStringBytes("status"))
	return l
}

// plain is a number as text without an exponent (the venue writes 1E-8); "" when it has more than n decimals.
func plain(doc *wire.Doc, v *fastjson.Value, n uint8) string {
	x, why := doc.Fixed(v, min(n, fixed.MaxScale))
	if why != venue.OK {
		return ""
	}
	return string(fixed.AppendTrim(nil, x, min(n, fixed.MaxScale)))
}
