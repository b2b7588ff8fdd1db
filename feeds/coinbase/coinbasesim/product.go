package coinbasesim

import (
	"fmt"
	"time"

	"oneprice/books/fixed"
	"oneprice/books/match"
	"oneprice/books/venue"
	"oneprice/feeds/venuesim"
)

// topLevels is how many levels of each side are remembered for a published state.
const topLevels = 10

// historyTrades is how many trades the snapshot of market_trades tells.
const historyTrades = 50

// product is one instrument: its market, and what of it has not been published yet.
type product struct {
	*venuesim.Pair
	changes []match.Change // since the last book update, the last quantity of each level
	trades  uint64         // id of the last trade
	batch   [][]byte       // trades since the last market_trades, oldest first
	history [][]byte       // the last historyTrades, oldest first
	last    fixed.Price    // of the last trade
	volume  fixed.Qty
	frozen  bool
	past    [4096]published
	n       int
}

// published is the book as one message left it.
type published struct {
	serial, id uint64 // connection and sequence_num
	bids, asks [topLevels]venue.Level
}

func newProduct(seed uint64, cfg venuesim.PairConfig) *product {
	return &product{Pair: venuesim.NewPair(seed, cfg)}
}

// note takes what an act changed and traded.
func (p *product) note(r *match.Result, now venue.Nanos) {
	for _, c := range r.Changes {
		p.change(c)
	}
	for i := range r.Trades {
		t := &r.Trades[i]
		p.trades++
		p.last, p.volume = t.Price, p.volume+t.Qty
		side := "SELL" // of the maker
		if t.Taker == venue.Sell {
			side = "BUY"
		}
		m := fmt.Appendf(nil, `{"product_id":%q,"trade_id":"%d","price":"`, p.Symbol, p.trades)
		m = number(m, int64(t.Price), p.PriceScale)
		m = number(append(m, `","size":"`...), int64(t.Qty), p.QtyScale)
		m = fmt.Appendf(m, `","time":%q,"side":%q}`, stamp(now), side)
		p.batch = append(p.batch, m)
		p.history = append(p.history, m)
		if len(p.history) > historyTrades {
			p.history = p.history[1:]
		}
	}
}

func (p *product) change(c match.Change) {
	for i := range p.changes {
		if x := &p.changes[i]; x.Side == c.Side && x.Price == c.Price {
			x.Qty = c.Qty
			return
		}
	}
	p.changes = append(p.changes, c)
}

// update is the l2_data event of everything since the last one.
func (p *product) update(now venue.Nanos) []byte {
	m := fmt.Appendf(nil, `{"type":"update","product_id":%q,"updates":[`, p.Symbol)
	for i, c := range p.changes {
		if i > 0 {
			m = append(m, ',')
		}
		m = p.level(m, c.Side, venue.Level{Price: c.Price, Qty: c.Qty}, stamp(now))
	}
	p.changes = p.changes[:0]
	return append(m, `]}`...)
}

// snapshot is the l2_data event of the whole book as it is now. What the next update says of it again changes nothing,
// since quantities are absolute.
func (p *product) snapshot() []byte {
	m := fmt.Appendf(nil, `{"type":"snapshot","product_id":%q,"updates":[`, p.Symbol)
	for _, s := range []venue.Side{venue.Buy, venue.Sell} {
		for n := range p.Book.Depth(s) {
			if m[len(m)-1] == '}' {
				m = append(m, ',')
			}
			m = p.level(m, s, p.Book.Level(s, n), "1970-01-01T00:00:00Z")
		}
	}
	return append(m, `]}`...)
}

func (p *product) level(m []byte, s venue.Side, l venue.Level, at string) []byte {
	side := "bid"
	if s == venue.Sell {
		side = "offer"
	}
	m = fmt.Appendf(m, `{"side":%q,"event_time":%q,"price_level":"`, side, at)
	m = number(m, int64(l.Price), p.PriceScale)
	m = number(append(m, `","new_quantity":"`...), int64(l.Qty), p.QtyScale)
	return append(m, `"}`...)
}

// ticker is the event of the venue's own touch.
func (p *product) ticker(kind string) []byte {
	m := fmt.Appendf(nil, `{"type":%q,"tickers":[{"type":"ticker","product_id":%q,"price":"`, kind, p.Symbol)
	m = number(m, int64(p.last), p.PriceScale)
	m = number(append(m, `","volume_24_h":"`...), int64(p.volume), p.QtyScale)
	bid, ask := p.Book.Best(venue.Buy), p.Book.Best(venue.Sell)
	for _, f := range []struct {
		name  string
		value int64
		scale uint8
	}{
		{"best_bid", int64(bid.Price), p.PriceScale}, {"best_ask", int64(ask.Price), p.PriceScale},
		{"best_bid_quantity", int64(bid.Qty), p.QtyScale}, {"best_ask_quantity", int64(ask.Qty), p.QtyScale},
	} {
		m = number(fmt.Appendf(m, `","%s":"`, f.name), f.value, f.scale)
	}
	return append(m, `"}]}`...)
}

// tradeEvent lists trades newest first, as the venue does.
func tradeEvent(kind string, oldestFirst [][]byte) []byte {
	m := fmt.Appendf(nil, `{"type":%q,"trades":[`, kind)
	for i := range oldestFirst {
		if i > 0 {
			m = append(m, ',')
		}
		m = append(m, oldestFirst[len(oldestFirst)-1-i]...)
	}
	return append(m, `]}`...)
}

// remember keeps the top of the book as a connection is told it under its number.
func (p *product) remember(serial, id uint64) {
	p.n++
	x := &p.past[p.n%len(p.past)]
	x.serial, x.id = serial, id
	for n := range topLevels {
		x.bids[n], x.asks[n] = p.Book.Level(venue.Buy, n), p.Book.Level(venue.Sell, n)
	}
}

// newest is the state of a number at the connection that came last, nil when there is none.
func (p *product) newest(id uint64) *published {
	var found *published
	for i := range p.past {
		if x := &p.past[i]; x.serial > 0 && x.id == id && (found == nil || x.serial > found.serial) {
			found = x
		}
	}
	return found
}

func (p *product) matches(id uint64, bids, asks []venue.Level) (same, known bool) {
	for i := range p.past {
		if x := &p.past[i]; x.serial > 0 && x.id == id {
			known = true
			same = same || equal(x.bids[:], bids) && equal(x.asks[:], asks)
		}
	}
	return same, known
}

func equal(have, want []venue.Level) bool {
	for n := range min(len(have), len(want)) {
		if have[n] != want[n] && (have[n].Qty != 0 || want[n].Qty != 0) {
			return false
		}
	}
	return true
}

// number writes a decimal as the venue does: no trailing zeros, no point without digits behind it.
func number(m []byte, v int64, scale uint8) []byte { return fixed.AppendTrim(m, v, scale) }

func instant(t venue.Nanos) time.Time { return time.Unix(0, int64(t)).UTC() }

func stamp(t venue.Nanos) string { return instant(t).Format(time.RFC3339Nano) }
