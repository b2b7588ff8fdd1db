package krakensim

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"slices"
	"strconv"
	"time"

	"oneprice/books/fixed"
	"oneprice/books/match"
	"oneprice/books/venue"
	"oneprice/feeds/venuesim"
)

// historyTrades is how many trades the snapshot of the trade channel tells.
const historyTrades = 50

// top is the best levels of both sides, as many as are under the checksum.
type top struct{ bids, asks [checksumLevels]venue.Level }

// pair is one instrument: its market, and what of it has been published.
type pair struct {
	*venuesim.Pair
	views   []view // by position in depths
	touch   [2]venue.Level
	trades  uint64
	history [][]byte // the last historyTrades, oldest first
	last    fixed.Price
	volume  fixed.Qty
	frozen  bool

	said  [4096]state // states published, by checksum
	nSaid int
	got   [4096]reached // messages that reached clients
	nGot  int
}

// view is the book as subscribers of one depth have it.
type view struct{ sides [2][]venue.Level }

// state is a published book and its checksum.
type state struct {
	crc  uint32
	real bool
	top
}

// reached is one book message behind the faults.
type reached struct {
	serial, count uint64 // connection, and place among its messages of the pair
	real          bool   // its checksum stands for a state
	top
}

func newPair(seed uint64, cfg venuesim.PairConfig) *pair {
	return &pair{Pair: venuesim.NewPair(seed, cfg), views: make([]view, len(depths))}
}

// note takes the trades of an act and returns them as the trade channel lists them.
func (p *pair) note(r *match.Result, now venue.Nanos) [][]byte {
	var out [][]byte
	for i := range r.Trades {
		t := &r.Trades[i]
		p.trades++
		p.last, p.volume = t.Price, p.volume+t.Qty
		m := fmt.Appendf(nil, `{"symbol":%q,"side":%q,"price":`, p.Symbol, [...]string{venue.Buy: "buy", venue.Sell: "sell"}[t.Taker])
		m = fixed.Append(m, int64(t.Price), p.PriceScale)
		m = fixed.Append(append(m, `,"qty":`...), int64(t.Qty), p.QtyScale)
		m = fmt.Appendf(m, `,"ord_type":"limit","trade_id":%d,"timestamp":%q}`, p.trades, stamp(now))
		out = append(out, m)
	}
	p.history = append(p.history, out...)
	p.history = p.history[max(0, len(p.history)-historyTrades):]
	return out
}

func (p *pair) tradeMessage(kind string, list [][]byte) []byte {
	return fmt.Appendf(nil, `{"channel":"trade","type":%q,"data":[%s]}`, kind, bytes.Join(list, []byte(",")))
}

// moved reports whether the touch differs from the last time.
func (p *pair) moved() bool {
	t := [2]venue.Level{p.Book.Best(venue.Buy), p.Book.Best(venue.Sell)}
	moved := t != p.touch
	p.touch = t
	return moved
}

func (p *pair) ticker(kind string, now venue.Nanos) []byte {
	m := fmt.Appendf(nil, `{"channel":"ticker","type":%q,"data":[{"symbol":%q`, kind, p.Symbol)
	bid, ask := p.Book.Best(venue.Buy), p.Book.Best(venue.Sell)
	for _, f := range []struct {
		name  string
		value int64
		scale uint8
	}{
		{"bid", int64(bid.Price), p.PriceScale}, {"bid_qty", int64(bid.Qty), p.QtyScale},
		{"ask", int64(ask.Price), p.PriceScale}, {"ask_qty", int64(ask.Qty), p.QtyScale},
		{"last", int64(p.last), p.PriceScale}, {"volume", int64(p.volume), p.QtyScale},
	} {
		m = fixed.Append(fmt.Appendf(m, `,%q:`, f.name), f.value, f.scale)
	}
	return fmt.Appendf(m, `,"timestamp":%q}]}`, stamp(now))
}

// best is the best levels of a side as the market has them, at most depth.
func (p *pair) best(s venue.Side, depth int) []venue.Level {
	out := make([]venue.Level, min(depth, p.Book.Depth(s)))
	for n := range out {
		out[n] = p.Book.Level(s, n)
	}
	return out
}

// snapshot is the book at a depth as its subscribers have it.
func (p *pair) snapshot(depth int, now venue.Nanos) []byte {
	v := p.view(depth)
	return p.message("snapshot", v.sides, p.publish(v.sides), now)
}

// refresh begins a depth that nobody had subscribed.
func (p *pair) refresh(depth int) {
	v := p.view(depth)
	v.sides = [2][]venue.Level{p.best(venue.Buy, depth), p.best(venue.Sell, depth)}
}

func (p *pair) view(depth int) *view { return &p.views[slices.Index(depths, depth)] }

// update is what changed at a depth since the last message, nil when nothing did. A level that better ones push out of the
// depth gets no message; one that returns is told like a new one.
func (p *pair) update(depth int, now venue.Nanos) []byte {
	v := p.view(depth)
	var changes [2][]venue.Level
	for i, s := range []venue.Side{venue.Buy, venue.Sell} {
		next := p.best(s, depth)
		changes[i] = p.difference(s, v.sides[i], next)
		v.sides[i] = next
	}
	if len(changes[0])+len(changes[1]) == 0 {
		return nil
	}
	return p.message("update", changes, p.publish(v.sides), now)
}

// difference is what turns one list of best levels into the next, by the venue's rule. Both are sorted best first.
func (p *pair) difference(s venue.Side, was, is []venue.Level) (out []venue.Level) {
	better := func(a, b venue.Level) bool { return (a.Price > b.Price) == (s == venue.Buy) && a.Price != b.Price }
	for len(was) > 0 || len(is) > 0 {
		switch {
		case len(is) == 0 || len(was) > 0 && better(was[0], is[0]):
			if !p.stands(s, was[0].Price) {
				out = append(out, venue.Level{Price: was[0].Price})
			}
			was = was[1:]
		case len(was) == 0 || better(is[0], was[0]):
			out = append(out, is[0])
			is = is[1:]
		default:
			if was[0] != is[0] {
				out = append(out, is[0])
			}
			was, is = was[1:], is[1:]
		}
	}
	return out
}

// stands reports whether the market still has a level at a price.
func (p *pair) stands(s venue.Side, price fixed.Price) bool {
	for n := range p.Book.Depth(s) {
		if p.Book.Level(s, n).Price == price {
			return true
		}
	}
	return false
}

// message writes a book message. Numbers are unquoted, with the pair's decimals.
func (p *pair) message(kind string, sides [2][]venue.Level, crc uint32, now venue.Nanos) []byte {
	m := fmt.Appendf(nil, `{"channel":"book","type":%q,"data":[{"symbol":%q`, kind, p.Symbol)
	for i, name := range [2]string{"bids", "asks"} {
		m = fmt.Appendf(m, `,%q:[`, name)
		for n, l := range sides[i] {
			if n > 0 {
				m = append(m, ',')
			}
			m = fixed.Append(append(m, `{"price":`...), int64(l.Price), p.PriceScale)
			m = fixed.Append(append(m, `,"qty":`...), int64(l.Qty), p.QtyScale)
			m = append(m, '}')
		}
		m = append(m, ']')
	}
	return fmt.Appendf(m, `,"checksum":%d,"timestamp":%q}]}`, crc, stamp(now))
}

// publish remembers a state under its checksum, which it returns.
func (p *pair) publish(sides [2][]venue.Level) uint32 {
	var t top
	copy(t.bids[:], sides[0])
	copy(t.asks[:], sides[1])
	crc := p.checksum(&t)
	p.nSaid++
	p.said[p.nSaid%len(p.said)] = state{crc, true, t}
	return crc
}

// checksum is the venue's (1.5): asks, then bids, each price and quantity as printed without point and leading zeros.
func (p *pair) checksum(t *top) uint32 {
	var text []byte
	for _, side := range [2]*[checksumLevels]venue.Level{&t.asks, &t.bids} {
		for _, l := range side {
			if l.Qty > 0 {
				text = append(text, digits(int64(l.Price), p.PriceScale)...)
				text = append(text, digits(int64(l.Qty), p.QtyScale)...)
			}
		}
	}
	return crc32.ChecksumIEEE(text)
}

func digits(v int64, scale uint8) []byte {
	return bytes.TrimLeft(bytes.ReplaceAll(fixed.Append(nil, v, scale), []byte("."), nil), "0")
}

// checksumOf finds the checksum of a whole book message, and where its digits are.
func checksumOf(m []byte) (crc uint32, from, to int, ok bool) {
	const key = `"checksum":`
	i := bytes.LastIndex(m, []byte(key))
	if i < 0 || !bytes.HasSuffix(m, []byte(`}]}`)) {
		return 0, 0, 0, false
	}
	from = i + len(key)
	to = from + bytes.IndexByte(m[from:], ',')
	v, err := strconv.ParseUint(string(m[from:to]), 10, 32)
	return uint32(v), from, to, err == nil
}

// corrupt is a book message with another checksum.
func corrupt(m []byte) []byte {
	crc, from, to, ok := checksumOf(m)
	if !ok {
		panic("krakensim: a book message without a checksum")
	}
	out := strconv.AppendUint(slices.Clone(m[:from]), uint64(crc^1), 10)
	return append(out, m[to:]...)
}

// reach notes a book message that leaves for a client as its count-th of the pair.
func (p *pair) reach(serial, count uint64, crc uint32) {
	x := reached{serial: serial, count: count}
	for i := range p.said {
		s := &p.said[(p.nSaid+len(p.said)-i)%len(p.said)] // the newest first
		if s.real && s.crc == crc {
			x.real, x.top = true, s.top
			break
		}
	}
	p.nGot++
	p.got[p.nGot%len(p.got)] = x
}

// newest is the message of a count at the connection that came last, nil when there is none.
func (p *pair) newest(count uint64) *reached {
	var found *reached
	for i := range p.got {
		if x := &p.got[i]; x.serial > 0 && x.count == count && (found == nil || x.serial > found.serial) {
			found = x
		}
	}
	return found
}

func (p *pair) matches(count uint64, bids, asks []venue.Level) (same, known bool) {
	for i := range p.got {
		if x := &p.got[i]; x.serial > 0 && x.count == count {
			known = true
			same = same || x.real && equal(x.bids[:], bids) && equal(x.asks[:], asks)
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

func stamp(t venue.Nanos) string {
	return time.Unix(0, int64(t)).UTC().Format("2006-01-02T15:04:05.000000Z")
}
