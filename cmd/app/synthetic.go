package app

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/recording"
)

// SyntheticOptions shape a generated recording.
type SyntheticOptions struct {
	// Seed makes the recording: the same seed, the same bytes of every line.
	Seed uint64
	// Seconds is its length; 0 takes 60.
	Seconds int
}

// WriteSynthetic writes a generated recording of three Binance-like markets in one coin, spot, USD-M and COIN-M, one
// zstd file each, and returns their paths. Chains of ids are whole, each touch agrees with the book of its id, and the
// three markets wander apart and together by a few basis points, so that crosses come and go. It stands in where no real
// recording is at hand, and in tests; it proves machinery, not profit. The files must not exist.
func WriteSynthetic(dir string, o SyntheticOptions) (paths []string, err error) {
	if o.Seconds <= 0 {
		o.Seconds = 60
	}
	markets := []*synthetic{
		{file: "spot-btcusdt", stream: "btcusdt", symbol: "BTCUSDT", decimals: 8, sizes: 8, tick: 1, lot: 1000, sizeMax: 200_000_000, every: 100},
		{file: "usdm-btcusdt", stream: "btcusdt", symbol: "BTCUSDT", decimals: 2, sizes: 3, tick: 10, lot: 1, sizeMax: 2_000, every: 50, future: true},
		{file: "cm-btcusd_perp", stream: "btcusd_perp", symbol: "BTCUSD_PERP", decimals: 1, sizes: 0, tick: 10, lot: 1, sizeMax: 2_000, every: 50, future: true, pair: "BTCUSD"},
	}
	r := rand.New(rand.NewPCG(o.Seed, 1))
	for i, m := range markets {
		m.r = rand.New(rand.NewPCG(o.Seed, uint64(i)+2))
		m.id = 1_000_000 * (uint64(i) + 1)
		m.bids, m.asks = map[int64]int64{}, map[int64]int64{}
		path := filepath.Join(dir, m.file+".jsonl.zst")
		if m.w, err = recording.Create(path); err != nil {
			return nil, err
		}
		paths = append(paths, path)
	}
	mid := int64(6_000_000) // in cents
	for ms := 0; ms < 1000*o.Seconds && err == nil; ms += 10 {
		mid += r.Int64N(401) - 200
		for i := range markets {
			if err == nil {
				err = markets[i].step(ms, mid)
			}
		}
	}
	for _, m := range markets {
		if closed := m.w.Close(); err == nil {
			err = closed
		}
	}
	return paths, err
}

// synthetic is one generated market. Prices are in cents, sizes in units of the last printed decimal.
type synthetic struct {
	file, stream, symbol, pair string
	decimals, sizes            uint8
	tick, lot, sizeMax         int64
	every                      int // milliseconds between depth messages
	future                     bool

	r          *rand.Rand
	w          *recording.Writer
	bids, asks map[int64]int64
	id, prev   uint64 // last id of the book; last id that a depth message ended with
	offset     int64  // from the common middle, in cents
	touch      [4]int64
	changed    []change
	trades     uint64
	msg        []byte
}

type change struct {
	bid        bool
	price, qty int64
}

const (
	// syntheticStart is the receive time of the first message; the venue's clock runs 1.25 s ahead, as in the real ones.
	syntheticStart = 1_723_161_253_000_000_000
	syntheticAhead = 1_250
	syntheticDepth = 40
)

// step moves the market to a new middle and writes what it would have sent at that time.
func (m *synthetic) step(ms int, mid int64) error {
	recv := venue.Nanos(syntheticStart + int64(ms)*1_000_000 + m.r.Int64N(2_000_000))
	m.offset += m.r.Int64N(601) - 300 - m.offset/20
	m.move(mid + m.offset)
	touch := m.best()
	var err error
	if touch != m.touch {
		m.touch = touch
		err = m.write(recv, recording.WS, "", m.ticker(ms))
	}
	if err == nil && m.r.IntN(4) == 0 {
		err = m.write(recv+100, recording.WS, "", m.trade(ms))
	}
	if err == nil && ms%m.every == 0 && len(m.changed) > 0 {
		err = m.write(recv+200, recording.WS, "", m.depth(ms))
	}
	if err == nil && ms == 500 {
		err = m.write(recv+300, recording.Rest, "depth limit=1000", m.snapshot(ms))
	}
	return err
}

func (m *synthetic) write(recv venue.Nanos, kind, request string, msg []byte) error {
	return m.w.Write(&recording.Line{RecvNs: recv, Kind: kind, Request: request, Msg: msg})
}

// set changes one level; each change takes the next id.
func (m *synthetic) set(bid bool, price, qty int64) {
	side := m.asks
	if bid {
		side = m.bids
	}
	if side[price] == qty {
		return
	}
	if qty == 0 {
		delete(side, price)
	} else {
		side[price] = qty
	}
	m.id++
	m.changed = append(m.changed, change{bid, price, qty})
}

// move shifts the book around a middle: what the new touch has passed goes, missing levels come, one changes its size.
func (m *synthetic) move(mid int64) {
	bid := mid / m.tick * m.tick
	ask := bid + m.tick*(1+m.r.Int64N(3))
	for _, p := range sorted(m.bids) {
		if p > bid || p < bid-syntheticDepth*2*m.tick {
			m.set(true, p, 0)
		}
	}
	for _, p := range sorted(m.asks) {
		if p < ask || p > ask+syntheticDepth*2*m.tick {
			m.set(false, p, 0)
		}
	}
	for i := int64(0); i < syntheticDepth; i++ {
		if p := bid - i*m.tick; m.bids[p] == 0 && (i == 0 || m.r.IntN(8) == 0) {
			m.set(true, p, m.size())
		}
		if p := ask + i*m.tick; m.asks[p] == 0 && (i == 0 || m.r.IntN(8) == 0) {
			m.set(false, p, m.size())
		}
	}
	m.set(true, bid, m.size())
}

func (m *synthetic) size() int64 { return m.lot * (1 + m.r.Int64N(m.sizeMax/m.lot)) }

func (m *synthetic) best() [4]int64 {
	bids, asks := sorted(m.bids), sorted(m.asks)
	b, a := bids[len(bids)-1], asks[0]
	return [4]int64{b, m.bids[b], a, m.asks[a]}
}

func sorted(side map[int64]int64) []int64 {
	out := make([]int64, 0, len(side))
	for p := range side {
		out = append(out, p)
	}
	slices.Sort(out)
	return out
}

// price and qty are the texts as this market prints them.
func (m *synthetic) price(cents int64) string {
	return textAt(cents, 2, m.decimals)
}

func (m *synthetic) qty(units int64) string { return string(fixed.Append(nil, units, m.sizes)) }

func (m *synthetic) ticker(ms int) []byte {
	t, at := m.touch, m.at(ms)
	prices := fmt.Sprintf(`"b":"%s","B":"%s","a":"%s","A":"%s"`, m.price(t[0]), m.qty(t[1]), m.price(t[2]), m.qty(t[3]))
	switch {
	case m.pair != "":
		return m.wrap("bookTicker", `{"u":%d,"e":"bookTicker","s":"%s","ps":"%s",%s,"T":%d,"E":%d}`, m.id, m.symbol, m.pair, prices, at, at)
	case m.future:
		return m.wrap("bookTicker", `{"e":"bookTicker","u":%d,"s":"%s",%s,"T":%d,"E":%d}`, m.id, m.symbol, prices, at, at)
	}
	return m.wrap("bookTicker", `{"u":%d,"s":"%s",%s}`, m.id, m.symbol, prices)
}

func (m *synthetic) trade(ms int) []byte {
	m.trades++
	maker := m.r.IntN(2) == 0
	p, q := m.touch[2], m.touch[3]
	if maker {
		p, q = m.touch[0], m.touch[1]
	}
	q = m.lot * (1 + m.r.Int64N(q/m.lot))
	at := m.at(ms)
	if m.future {
		return m.wrap("trade", `{"e":"trade","E":%d,"T":%d,"s":"%s","t":%d,"p":"%s","q":"%s","X":"MARKET","m":%t}`, at, at, m.symbol, m.trades, m.price(p), m.qty(q), maker)
	}
	return m.wrap("trade", `{"e":"trade","E":%d,"s":"%s","t":%d,"p":"%s","q":"%s","T":%d,"m":%t,"M":true}`, at, m.symbol, m.trades, m.price(p), m.qty(q), at, maker)
}

// depth writes the changes since the last depth message, each price once with its last size.
func (m *synthetic) depth(ms int) []byte {
	first, at := m.prev+1, m.at(ms)
	if m.prev == 0 {
		first = m.id - uint64(len(m.changed)) + 1
	}
	bids, asks := m.levels(true), m.levels(false)
	prev := m.prev
	if prev == 0 {
		prev = first - 1
	}
	m.prev, m.changed = m.id, m.changed[:0]
	switch {
	case m.pair != "":
		return m.wrap("depth@0ms", `{"e":"depthUpdate","E":%d,"T":%d,"s":"%s","ps":"%s","U":%d,"u":%d,"pu":%d,"b":%s,"a":%s}`, at, at, m.symbol, m.pair, first, m.id, prev, bids, asks)
	case m.future:
		return m.wrap("depth@0ms", `{"e":"depthUpdate","E":%d,"T":%d,"s":"%s","U":%d,"u":%d,"pu":%d,"b":%s,"a":%s}`, at, at, m.symbol, first, m.id, prev, bids, asks)
	}
	return m.wrap("depth@100ms", `{"e":"depthUpdate","E":%d,"s":"%s","U":%d,"u":%d,"b":%s,"a":%s}`, at, m.symbol, first, m.id, bids, asks)
}

// levels is one side of the changes.
func (m *synthetic) levels(bid bool) []byte {
	last := map[int64]int64{}
	for _, c := range m.changed {
		if c.bid == bid {
			last[c.price] = c.qty
		}
	}
	return m.list(last, false)
}

// list writes levels as the venue does.
func (m *synthetic) list(side map[int64]int64, down bool) []byte {
	prices := sorted(side)
	if down {
		slices.Reverse(prices)
	}
	b := []byte{'['}
	for i, p := range prices {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `["`+m.price(p)+`","`+m.qty(side[p])+`"]`...)
	}
	return append(b, ']')
}

func (m *synthetic) snapshot(ms int) []byte {
	b := append(m.msg[:0], `{"lastUpdateId":`...)
	b = strconv.AppendUint(b, m.id, 10)
	if m.future {
		b = fmt.Appendf(b, `,"E":%d,"T":%d`, m.at(ms), m.at(ms))
	}
	if m.pair != "" {
		b = fmt.Appendf(b, `,"symbol":"%s","pair":"%s"`, m.symbol, m.pair)
	}
	b = append(append(b, `,"bids":`...), m.list(m.bids, true)...)
	b = append(append(b, `,"asks":`...), m.list(m.asks, false)...)
	m.msg = append(b, '}')
	return m.msg
}

// at is the venue's clock in milliseconds.
func (m *synthetic) at(ms int) int64 { return syntheticStart/1_000_000 + int64(ms) + syntheticAhead }

func (m *synthetic) wrap(stream, format string, args ...any) []byte {
	b := append(m.msg[:0], `{"stream":"`+m.stream+"@"+stream+`","data":`...)
	m.msg = append(fmt.Appendf(b, format, args...), '}')
	return m.msg
}
