package binancesim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"oneprice/books/fixed"
	"oneprice/books/match"
	"oneprice/books/venue"
	"oneprice/feeds/venuesim"
)

// topLevels is how many levels of each side the simulator remembers for a published id.
const topLevels = 10

// pair is one instrument: its market, and what of it has not been published yet.
type pair struct {
	*venuesim.Pair
	kind      Kind
	lower     string
	id        uint64 // last update id
	text, sbe window
	binary    bool // there are binary streams
	touch     [2]venue.Level
	trades    uint64
	last      fixed.Price // of a trade
	stops     []*order    // in the order of arrival
	past      [1024]published
	n         int
	frozen    bool
}

// window is what a stream of depth updates has not published yet.
type window struct {
	first, prev uint64 // first id since the last update, and the last id of that one
	changes     []match.Change
}

// published is the book at the end of one diff, or at a touch.
type published struct {
	id         uint64
	bids, asks [topLevels]venue.Level
}

func newPair(k Kind, seed uint64, cfg venuesim.PairConfig) *pair {
	p := &pair{Pair: venuesim.NewPair(seed, cfg), kind: k, lower: strings.ToLower(cfg.Symbol), id: 1_000_000 * (seed%89 + 1)}
	p.text.close(p.id)
	p.sbe.close(p.id)
	return p
}

func (p *pair) stream(what string) string { return p.lower + "@" + what }

// note takes what an act changed; it reports whether the touch moved.
func (p *pair) note(r *match.Result, _ venue.Nanos) bool {
	if len(r.Changes) == 0 {
		return false
	}
	p.id++
	for _, c := range r.Changes {
		p.text.change(c)
		if p.binary {
			p.sbe.change(c)
		}
	}
	t := [2]venue.Level{p.Book.Best(venue.Buy), p.Book.Best(venue.Sell)}
	moved := t != p.touch
	p.touch = t
	return moved
}

// change keeps the last quantity of each level of the update under way.
func (w *window) change(c match.Change) {
	for i := range w.changes {
		if x := &w.changes[i]; x.Side == c.Side && x.Price == c.Price {
			x.Qty = c.Qty
			return
		}
	}
	w.changes = append(w.changes, c)
}

// close begins the window after an id.
func (w *window) close(id uint64) { w.prev, w.first, w.changes = id, id+1, w.changes[:0] }

// diff is the depth update of everything since the last one, nil when nothing happened.
func (p *pair) diff(now venue.Nanos) []byte {
	w := &p.text
	if p.id < w.first {
		return nil
	}
	ms := int64(now / venue.Millisecond)
	m := fmt.Appendf(nil, `{"e":"depthUpdate","E":%d,`, ms)
	if p.kind != Spot {
		m = fmt.Appendf(m, `"T":%d,`, ms-1)
	}
	m = fmt.Appendf(m, `"s":"%s",`, p.Symbol)
	if p.kind == COINM {
		m = fmt.Appendf(m, `"ps":"%s",`, p.family())
	}
	m = fmt.Appendf(m, `"U":%d,"u":%d,`, w.first, p.id)
	if p.kind != Spot {
		m = fmt.Appendf(m, `"pu":%d,`, w.prev)
	}
	m = p.side(append(m, `"b":[`...), venue.Buy)
	m = p.side(append(m, `],"a":[`...), venue.Sell)
	w.close(p.id)
	p.remember()
	return append(m, `]}`...)
}

func (p *pair) side(m []byte, s venue.Side) []byte {
	n := 0
	for _, c := range p.text.changes {
		if c.Side == s {
			if n++; n > 1 {
				m = append(m, ',')
			}
			m = p.level(m, venue.Level{Price: c.Price, Qty: c.Qty})
		}
	}
	return m
}

// level writes ["price","size"] as the market prints them: spot with 8 decimals, futures at their own.
func (p *pair) level(m []byte, l venue.Level) []byte {
	m = p.number(append(m, `["`...), int64(l.Price), p.PriceScale)
	m = p.number(append(m, `","`...), int64(l.Qty), p.QtyScale)
	return append(m, `"]`...)
}

func (p *pair) number(m []byte, v int64, scale uint8) []byte {
	if p.kind == Spot {
		return fixed.Append(m, v*fixed.Pow10(8-scale), 8)
	}
	return fixed.Append(m, v, scale)
}

// ticker is the venue's own touch; spot has neither event name nor time.
func (p *pair) ticker(now venue.Nanos) []byte {
	ms := int64(now / venue.Millisecond)
	var m []byte
	switch p.kind {
	case Spot:
		m = fmt.Appendf(nil, `{"u":%d,"s":"%s",`, p.id, p.Symbol)
	case USDM:
		m = fmt.Appendf(nil, `{"e":"bookTicker","u":%d,"s":"%s",`, p.id, p.Symbol)
	case COINM:
		m = fmt.Appendf(nil, `{"u":%d,"e":"bookTicker","s":"%s","ps":"%s",`, p.id, p.Symbol, p.family())
	}
	for i, k := range [2]string{"bB", "aA"} {
		if i > 0 {
			m = append(m, ',')
		}
		m = p.number(fmt.Appendf(m, `"%c":"`, k[0]), int64(p.touch[i].Price), p.PriceScale)
		m = p.number(fmt.Appendf(m, `","%c":"`, k[1]), int64(p.touch[i].Qty), p.QtyScale)
		m = append(m, '"')
	}
	if p.kind != Spot {
		m = fmt.Appendf(m, `,"T":%d,"E":%d`, ms-1, ms)
	}
	return append(m, '}')
}

func (p *pair) trade(t *match.Trade, now venue.Nanos) []byte {
	ms := int64(now / venue.Millisecond)
	p.trades++
	p.last = t.Price
	m := fmt.Appendf(nil, `{"e":"trade","E":%d,`, ms)
	if p.kind != Spot {
		m = fmt.Appendf(m, `"T":%d,`, ms)
	}
	m = fmt.Appendf(m, `"s":"%s","t":%d,"p":"`, p.Symbol, p.trades)
	m = p.number(m, int64(t.Price), p.PriceScale)
	m = p.number(append(m, `","q":"`...), int64(t.Qty), p.QtyScale)
	maker := t.Taker == venue.Sell
	if p.kind == Spot {
		return fmt.Appendf(m, `","T":%d,"m":%t,"M":true}`, ms, maker)
	}
	return fmt.Appendf(m, `","X":"MARKET","m":%t}`, maker)
}

// snapshot is the REST book.
func (p *pair) snapshot(now venue.Nanos, limit int) []byte {
	m := fmt.Appendf(nil, `{"lastUpdateId":%d,`, p.id)
	if p.kind != Spot {
		ms := int64(now / venue.Millisecond)
		m = fmt.Appendf(m, `"E":%d,"T":%d,`, ms, ms-1)
	}
	if p.kind == COINM {
		m = fmt.Appendf(m, `"symbol":"%s","pair":"%s",`, p.Symbol, p.family())
	}
	for _, s := range []venue.Side{venue.Buy, venue.Sell} {
		m = append(m, [...]string{venue.Buy: `"bids":[`, venue.Sell: `],"asks":[`}[s]...)
		for n := range min(limit, p.Book.Depth(s)) {
			if n > 0 {
				m = append(m, ',')
			}
			m = p.level(m, p.Book.Level(s, n))
		}
	}
	p.remember()
	return append(m, `]}`...)
}

// family is the COIN-M pair that a contract belongs to: BTCUSD of BTCUSD_PERP.
func (p *pair) family() string {
	f, _, _ := strings.Cut(p.Symbol, "_")
	return f
}

// remember keeps the top of the book as published at the current id.
func (p *pair) remember() {
	p.n++
	x := &p.past[p.n%len(p.past)]
	x.id = p.id
	for n := range topLevels {
		x.bids[n], x.asks[n] = p.Book.Level(venue.Buy, n), p.Book.Level(venue.Sell, n)
	}
}

func (p *pair) truth(id uint64) (bids, asks []venue.Level, ok bool) {
	for i := range p.past {
		if x := &p.past[i]; x.id == id {
			return slices.Clone(x.bids[:]), slices.Clone(x.asks[:]), true
		}
	}
	return nil, nil, false
}

// splitSpeed takes the speed off a depth stream's name: btcusdt@depth@100ms is btcusdt@depth.
func splitSpeed(name string) (base, speed string) {
	parts := strings.Split(name, "@")
	if len(parts) == 3 {
		return parts[0] + "@" + parts[1], parts[2]
	}
	return name, ""
}

func quoteInt(v uint64) string { return strconv.FormatUint(v, 10) }
