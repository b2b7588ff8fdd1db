package bench

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/bench/market"
	"oneprice/bench/naive"
	"oneprice/bench/pair"
	"oneprice/books/venue"
	"oneprice/feeds/binance"
	"oneprice/feeds/coinbase"
	"oneprice/feeds/kraken"
	"oneprice/feeds/wire"
)

// cycle runs f over the messages of a pool, in order, for ever.
func cycle(pool [][]byte, f func(msg []byte) bool) func(int) {
	k := 0
	return func(n int) {
		for ; n > 0; n-- {
			if !f(pool[k]) {
				panic("bench: a message was refused: " + string(pool[k]))
			}
			if k++; k == len(pool) {
				k = 0
			}
		}
	}
}

func decoder(a wire.Adapter, symbol string, price, qty uint8) func([]byte) bool {
	in := &venue.Instrument{Inst: 1, Venue: 1, Symbol: symbol, PriceScale: price, QtyScale: qty, PriceText: 8, QtyText: 8, Status: venue.Trading}
	d := a.Decoder(1, []*venue.Instrument{in})
	return func(m []byte) bool {
		_, why := d.Decode(1, m)
		return why == venue.OK
	}
}

// numbered decodes messages that the venue numbers: the number is written first.
func numbered(f func([]byte) bool) func([]byte) bool {
	id := uint64(0)
	return func(m []byte) bool {
		id++
		market.Renumber(m, id)
		return f(m)
	}
}

// spaced are the messages with a blank behind the first brace: still JSON, no scanner's shape.
func spaced(pool [][]byte) [][]byte {
	var out [][]byte
	for _, m := range pool {
		out = append(out, market.Slacked([]byte("{ "+string(m[1:]))))
	}
	return out
}

// BenchmarkDecode holds the decoders against fastjson with a reused parser.
func BenchmarkDecode(b *testing.B) {
	group(b, func(b *testing.B) {
		for _, n := range []int{2, 20, 100} {
			pool := market.NewDepth("BTCUSDT", n, 1).Messages
			p := naive.NewParser("BTCUSDT")
			ours := decoder(binance.Spot, "BTCUSDT", 2, 5)
			rs := pair.Run(rounds, slice, pair.Candidate{Name: "fastjson", Run: cycle(pool, p.Depth)}, pair.Candidate{Name: "binance", Run: cycle(pool, ours)},
				pair.Candidate{Name: "fallback", Run: cycle(spaced(pool), decoder(binance.Spot, "BTCUSDT", 2, 5))})
			bar := 7.0
			if n == 2 {
				bar = 0
			}
			faster(b, fmt.Sprintf("binance depth, %d levels", n), &rs[1], &rs[0], bar, true)
			costs(b, fmt.Sprintf("binance fallback, %d levels", n), &rs[2], &rs[0], 1.2, false)
		}
		p := naive.NewParser("BTCUSDT")
		rs := pair.Run(rounds, slice, pair.Candidate{Name: "fastjson", Run: cycle(market.Tickers(), p.Ticker)},
			pair.Candidate{Name: "binance", Run: cycle(market.Tickers(), decoder(binance.Spot, "BTCUSDT", 2, 5))})
		faster(b, "binance bookTicker", &rs[1], &rs[0], 5, true)
		for _, n := range []int{1, 10, 50} {
			bar := 4.0
			if n == 1 {
				bar = 0
			}
			p := naive.NewParser("BTC/USD")
			rs := pair.Run(rounds, slice, pair.Candidate{Name: "fastjson", Run: cycle(market.Kraken(n), p.Kraken)},
				pair.Candidate{Name: "kraken", Run: cycle(market.Kraken(n), decoder(kraken.Adapter, "BTC/USD", 1, 8))})
			faster(b, fmt.Sprintf("kraken book, %d levels", n), &rs[1], &rs[0], bar, true)
			p = naive.NewParser("BTC-USD")
			rs = pair.Run(rounds, slice, pair.Candidate{Name: "fastjson", Run: cycle(market.Coinbase(n), numbered(p.Coinbase))},
				pair.Candidate{Name: "coinbase", Run: cycle(market.Coinbase(n), numbered(decoder(coinbase.Adapter, "BTC-USD", 2, 8)))})
			faster(b, fmt.Sprintf("coinbase l2, %d levels", n), &rs[1], &rs[0], bar, true)
		}
	})
}

// TestDecoders_readWhatTheBaselineReads holds both sides of the decode rows against each other.
func TestDecoders_readWhatTheBaselineReads(t *testing.T) {
	for _, c := range []struct {
		name       string
		pool       [][]byte
		adapter    wire.Adapter
		symbol     string
		price, qty uint8
		parse      func(p *naive.Parser, m []byte) bool
	}{
		{"depth", market.NewDepth("BTCUSDT", 20, 1).Messages, binance.Spot, "BTCUSDT", 2, 5, (*naive.Parser).Depth},
		{"fallback", spaced(market.NewDepth("BTCUSDT", 20, 1).Messages), binance.Spot, "BTCUSDT", 2, 5, (*naive.Parser).Depth},
		{"kraken", market.Kraken(10), kraken.Adapter, "BTC/USD", 1, 8, (*naive.Parser).Kraken},
		{"coinbase", market.Coinbase(10), coinbase.Adapter, "BTC-USD", 2, 8, (*naive.Parser).Coinbase},
	} {
		in := &venue.Instrument{Inst: 1, Venue: 1, Symbol: c.symbol, PriceScale: c.price, QtyScale: c.qty, PriceText: 8, QtyText: 8, Status: venue.Trading}
		d, p := c.adapter.Decoder(1, []*venue.Instrument{in}), naive.NewParser(c.symbol)
		for i, m := range c.pool {
			if c.name == "coinbase" {
				market.Renumber(m, uint64(i))
			}
			ev, why := d.Decode(1, m)
			require.Equal(t, venue.OK, why, c.name)
			require.True(t, c.parse(p, m), c.name)
			got := [2][]naive.Level{}
			for i := range ev {
				for k := range ev[i].N {
					l := ev[i].Level(k)
					s := 0
					if ev[i].Flags&venue.Asks != 0 {
						s = 1
					}
					got[s] = append(got[s], naive.Level{Price: int64(l.Price) * pow(8-c.price), Qty: int64(l.Qty) * pow(8-c.qty)})
				}
			}
			require.Equal(t, fmt.Sprint(p.Update.Bids, p.Update.Asks), fmt.Sprint(got[0], got[1]), c.name)
		}
	}
}

func pow(n uint8) int64 {
	v := int64(1)
	for range n {
		v *= 10
	}
	return v
}
