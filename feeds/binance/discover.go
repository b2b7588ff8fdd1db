package binance

import (
	"bytes"
	"strings"

	"github.com/valyala/fastjson"

	"oneprice/books/fixed"
	"oneprice/feeds/wire"
)

// discoverer learns the symbols that have book, touch or trade messages in a recording. What is known of each comes from
// an exchangeInfo in the recording, else from the shipped table, else from the data.
type discoverer struct {
	product product
	doc     wire.Doc
	listed  map[string]wire.Listing // from exchangeInfo
	shipped map[string]wire.Listing
	seen    map[string]*sighting
	order   []string
	loose   sighting // of books whose message does not name its symbol
}

func newDiscoverer(p product) *discoverer {
	d := &discoverer{product: p, listed: map[string]wire.Listing{}, shipped: map[string]wire.Listing{}, seen: map[string]*sighting{}}
	for _, l := range p.listings() {
		d.shipped[l.Symbol] = l
	}
	return d
}

// Line implements wire.Discoverer.
func (d *discoverer) Line(kind, request string, msg []byte) {
	if kind != "ws" && kind != "rest" {
		return
	}
	v := d.doc.Parse(msg)
	if v == nil {
		return // damage is the decoder's to report
	}
	if kind == "rest" {
		d.rest(request, v)
		return
	}
	if data := v.Get("data"); data != nil && v.Exists("stream") {
		v = data
	}
	symbol := v.GetStringBytes("s")
	event := v.GetStringBytes("e")
	switch {
	case len(symbol) == 0:
	case string(event) == "depthUpdate":
		d.note(symbol).book(v.Get("b"), v.Get("a"))
	case string(event) == "bookTicker", event == nil && v.Exists("u"):
		s := d.note(symbol)
		s.price.see(v.GetStringBytes("b"))
		s.price.see(v.GetStringBytes("a"))
		s.qty.see(v.GetStringBytes("B"))
		s.qty.see(v.GetStringBytes("A"))
	case string(event) == "trade":
		s := d.note(symbol)
		s.price.see(v.GetStringBytes("p"))
		s.qty.see(v.GetStringBytes("q"))
	}
}

// rest takes an exchangeInfo or a book.
func (d *discoverer) rest(request string, v *fastjson.Value) {
	for _, s := range v.GetArray("symbols") {
		if l := d.product.listing(s); l.Symbol != "" {
			d.listed[l.Symbol] = l
		}
	}
	if !v.Exists("lastUpdateId") {
		return
	}
	symbol := v.GetStringBytes("symbol")
	if _, named, ok := strings.Cut(request, "symbol="); ok && symbol == nil {
		symbol = []byte(named)
		if i := bytes.IndexAny(symbol, "& \t\""); i >= 0 {
			symbol = symbol[:i]
		}
	}
	s := &d.loose
	if len(symbol) > 0 {
		s = d.note(symbol)
	}
	s.book(v.Get("bids"), v.Get("asks"))
}

// note is the sighting of a symbol, new at its first sight.
func (d *discoverer) note(symbol []byte) *sighting {
	s := d.seen[string(symbol)]
	if s == nil {
		s = &sighting{}
		d.seen[string(symbol)] = s
		d.order = append(d.order, string(symbol))
	}
	return s
}

// Listings implements wire.Discoverer.
func (d *discoverer) Listings() []wire.Listing {
	if len(d.order) == 1 {
		d.seen[d.order[0]].merge(&d.loose)
	}
	out := make([]wire.Listing, 0, len(d.order))
	for _, symbol := range d.order {
		l, ok := d.listed[symbol]
		if !ok {
			l, ok = d.shipped[symbol]
		}
		if !ok {
			l = d.product.guess(symbol)
		}
		s := d.seen[symbol]
		l.Tick, l.Lot = s.price.finer(l.Tick), s.qty.finer(l.Lot)
		if l.MinQty == "" {
			l.MinQty = l.Lot
		}
		l.PriceText, l.QtyText = max(l.PriceText, s.price.printed), max(l.QtyText, s.qty.printed)
		out = append(out, l)
	}
	return out
}

// sighting is what the data shows of a symbol.
type sighting struct{ price, qty grid }

// book takes both sides of a book message.
func (s *sighting) book(sides ...*fastjson.Value) {
	for _, side := range sides {
		if side == nil {
			continue
		}
		for _, l := range side.GetArray() {
			s.price.see(l.GetStringBytes("0"))
			s.qty.see(l.GetStringBytes("1"))
		}
	}
}

func (s *sighting) merge(o *sighting) {
	s.price.merge(&o.price)
	s.qty.merge(&o.qty)
}

// grid is how finely the numbers of an instrument were printed: the decimals of the text, and how many numbers had their
// last digit other than zero at which decimal (spot prints eight decimals whatever the tick).
type grid struct {
	printed uint8
	used    [fixed.MaxScale + 1]int
}

func (g *grid) see(text []byte) {
	g.printed = max(g.printed, wire.Decimals(text))
	g.used[min(wire.Decimals(trim(text)), fixed.MaxScale)]++
}

func (g *grid) merge(o *grid) {
	g.printed = max(g.printed, o.printed)
	for i, n := range o.used {
		g.used[i] += n
	}
}

// finer is step, or a finer one where the data says that the step is out of date: more than one number in a hundred
// needs it. A few finer numbers prove nothing: a book keeps odd sizes from orders older than its lot (BTCUSDT has one in
// 30,000). Where nothing is known it is the finest step seen at all.
func (g *grid) finer(step string) string {
	all := 0
	for _, n := range g.used {
		all += n
	}
	need := 1
	if step != "" {
		need = all/100 + 1
	}
	fine := 0
	for d := len(g.used) - 1; d >= 0; d-- {
		if fine += g.used[d]; fine >= need {
			if step == "" || d > int(wire.Decimals([]byte(step))) {
				return wire.Step(uint8(d))
			}
			break
		}
	}
	return step
}

// trim drops the zeros that end a fraction, and a point that then ends the text.
func trim(text []byte) []byte {
	if bytes.IndexByte(text, '.') < 0 {
		return text
	}
	return bytes.TrimSuffix(bytes.TrimRight(text, "0"), []byte("."))
}
