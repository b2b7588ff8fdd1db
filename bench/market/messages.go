// Package market is what the benchmarks feed to product and baseline alike: synthetic messages in the venues' own shapes,
// and an engine assembled around them the way the application assembles one.
//
// Ownership: one goroutine.
//
// Decisions
//   - 2026-11-25: the middle of the market stands still and levels come and go around it, so that a pool of messages can
//     be replayed for ever without the book ever being crossed; sequence numbers have a fixed width and are written over
//     the old ones before a message is used again, outside of what is timed.
package market

import (
	"fmt"
	"math/rand/v2"
	"strconv"

	"oneprice/feeds/wire"
)

// Home is the middle of every synthetic market in ticks of 0.01.
const Home = 9_723_412

// Pool is how many different messages of one kind there are.
const Pool = 256

// Slacked copies a message and leaves behind it the room that decoders need, as a session's buffer has.
func Slacked(m []byte) []byte {
	b := make([]byte, len(m), len(m)+wire.Slack)
	copy(b, m)
	return b
}

// Received copies a message into dst as a read from its socket would: into memory written just now. A pool of messages for
// many markets is larger than the cache, and what a candidate would wait for there no read leaves to it.
func Received(dst, m []byte) []byte {
	if cap(dst) < len(m)+wire.Slack {
		dst = make([]byte, 0, 2*len(m)+wire.Slack)
	}
	return append(dst[:0], m...)
}

func pool(f func() []byte) [][]byte {
	out := make([][]byte, Pool)
	for i := range out {
		out[i] = Slacked(f())
	}
	return out
}

// Depth makes depth updates of n levels of one symbol.
type Depth struct {
	Messages [][]byte
	places   []int // of the first digit of U
	first    uint64
	at       int
}

// firstID leaves room for a hundred million messages of eleven digits.
const (
	firstID  = 58_000_000_000
	idDigits = 11
	perFrame = 9 // ids that one message covers
)

// NewDepth makes the pool.
func NewDepth(symbol string, n int, seed uint64) *Depth {
	r := rand.New(rand.NewPCG(seed, uint64(n)))
	d := &Depth{first: firstID + 1}
	at := 1_767_225_600_123
	d.Messages = pool(func() []byte {
		at += 100
		m := fmt.Appendf(nil, `{"e":"depthUpdate","E":%d,"s":"%s","U":`, at, symbol)
		d.places = append(d.places, len(m))
		m = fmt.Appendf(m, `%d,"u":%d,"b":`, firstID, firstID)
		bids := n / 2
		if n > 3 {
			bids += r.IntN(n/4+1) - n/8
		}
		m = levels(m, r, bids, -1)
		m = append(m, `,"a":`...)
		return append(levels(m, r, n-bids, 1), '}')
	})
	return d
}

// levels appends one side: three ticks apart on average from next to the middle on, two in five a deletion.
func levels(dst []byte, r *rand.Rand, n int, away int64) []byte {
	dst = append(dst, '[')
	for i := range int64(n) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '[', '"')
		dst = fixed8(dst, (Home+away*(1+3*i+r.Int64N(3)))*1_000_000)
		dst = append(dst, `","`...)
		dst = fixed8(dst, quantity(r, 40))
		dst = append(dst, '"', ']')
	}
	return append(dst, ']')
}

// quantity is a size at 10^-8 with five decimals, spread over decades; 0 so often in a hundred.
func quantity(r *rand.Rand, zero int) int64 {
	if r.IntN(100) < zero {
		return 0
	}
	switch r.IntN(4) {
	case 0:
		return (1 + r.Int64N(99)) * 1000
	case 1:
		return (1 + r.Int64N(99_999)) * 1000
	case 2:
		return (1 + r.Int64N(999_999)) * 1000
	}
	return (1 + r.Int64N(20)) * 100_000_000
}

// fixed8 writes all eight decimals, as Binance spot does, trimmed none, as the others do.
func fixed8(dst []byte, v int64) []byte {
	dst = strconv.AppendInt(dst, v/100_000_000, 10)
	return fmt.Appendf(dst, ".%08d", v%100_000_000)
}

func trimmed(dst []byte, v int64) []byte {
	dst = fixed8(dst, v)
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	if dst[len(dst)-1] == '.' {
		dst = dst[:len(dst)-1]
	}
	return dst
}

// Next is the following message with the ids that continue the last one's.
func (d *Depth) Next() []byte {
	m, p := d.Messages[d.at], d.places[d.at]
	if d.at++; d.at == len(d.Messages) {
		d.at = 0
	}
	digits(m[p:p+idDigits], d.first)
	d.first += perFrame
	digits(m[p+idDigits+5:p+2*idDigits+5], d.first-1)
	return m
}

func digits(dst []byte, v uint64) {
	for i := len(dst) - 1; i >= 0; i-- {
		dst[i] = byte('0' + v%10)
		v /= 10
	}
}

// Snapshot is the REST book that Next continues: depth levels a side next to the middle, moved by so many ticks.
func (d *Depth) Snapshot(depth int, moved int64) []byte {
	m := fmt.Appendf(nil, `{"lastUpdateId":%d`, d.first-1)
	for _, side := range []struct {
		name string
		away int64
	}{{"bids", -1}, {"asks", 1}} {
		m = fmt.Appendf(m, `,"%s":[`, side.name)
		for i := range int64(depth) {
			if i > 0 {
				m = append(m, ',')
			}
			m = append(m, `["`...)
			m = fixed8(m, (Home+moved+side.away*(1+i))*1_000_000)
			m = append(m, `","`...)
			m = fixed8(m, 250_000_000)
			m = append(m, `"]`...)
		}
		m = append(m, ']')
	}
	return Slacked(append(m, '}'))
}

// Tickers are spot bookTicker messages.
func Tickers() [][]byte {
	r, id := rand.New(rand.NewPCG(3, 3)), int64(firstID)
	return pool(func() []byte {
		id++
		m := fmt.Appendf(nil, `{"u":%d,"s":"BTCUSDT","b":"`, id)
		mid := Home + r.Int64N(7)
		m = fixed8(m, mid*1_000_000)
		m = append(m, `","B":"`...)
		m = fixed8(m, quantity(r, 0))
		m = append(m, `","a":"`...)
		m = fixed8(m, (mid+1)*1_000_000)
		m = append(m, `","A":"`...)
		m = fixed8(m, quantity(r, 0))
		return append(m, `"}`...)
	})
}

// Kraken are v2 book updates of n levels.
func Kraken(n int) [][]byte {
	r := rand.New(rand.NewPCG(4, uint64(n)))
	return pool(func() []byte {
		m := []byte(`{"channel":"book","type":"update","data":[{"symbol":"BTC/USD","bids":[`)
		mid := Home + r.Int64N(7)
		for i := range int64(n) {
			if i == int64(n+1)/2 {
				m = append(m, `],"asks":[`...)
			} else if i > 0 {
				m = append(m, ',')
			}
			p := mid - 10*i
			if i >= int64(n+1)/2 {
				p = mid + 10*i
			}
			m = fmt.Appendf(m, `{"price":%d.%d,"qty":`, p/100, p/10%10)
			m = append(fixed8(m, quantity(r, 40)), '}')
		}
		if n == 1 {
			m = append(m, `],"asks":[`...)
		}
		return fmt.Appendf(m, `],"checksum":%d,"timestamp":"2026-01-01T00:00:%02d.%06dZ"}]}`, r.Uint32(), r.IntN(60), r.IntN(1e6))
	})
}

// Coinbase are l2_data updates of n levels; the venue numbers its messages, so they can be decoded once in this order
// and Renumber must run before they are again.
func Coinbase(n int) [][]byte {
	r := rand.New(rand.NewPCG(5, uint64(n)))
	return pool(func() []byte {
		second := r.IntN(60)
		m := fmt.Appendf(nil, `{"channel":"l2_data","client_id":"","timestamp":"2026-01-01T00:00:%02d.%09dZ","sequence_num":%0*d,"events":[{"type":"update","product_id":"BTC-USD","updates":[`, second, r.IntN(1e9), idDigits, int64(firstID))
		mid, micro := Home+r.Int64N(7), r.IntN(1e6)
		for i := range int64(n) {
			if i > 0 {
				m = append(m, ',')
			}
			side, p := "bid", mid-i
			if i&1 == 1 {
				side, p = "offer", mid+i
			}
			m = fmt.Appendf(m, `{"side":"%s","event_time":"2026-01-01T00:00:%02d.%06dZ","price_level":"`, side, second, micro)
			m = append(trimmed(m, p*1_000_000), `","new_quantity":"`...)
			m = append(trimmed(m, quantity(r, 40)), `"}`...)
		}
		return append(m, `]}]}`...)
	})
}

// Renumber writes the next id over the sequence_num of a message made by Coinbase.
func Renumber(m []byte, id uint64) {
	const at = len(`{"channel":"l2_data","client_id":"","timestamp":"2026-01-01T00:00:00.000000000Z","sequence_num":`)
	digits(m[at:at+idDigits], firstID+id)
}
