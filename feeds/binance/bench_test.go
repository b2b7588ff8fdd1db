package binance

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/valyala/fastjson"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/wire"
	"oneprice/feeds/wire/wiretest"
)

// baseline is what this job costs with a good general parser and nothing else: fastjson with a reused parser, fields
// read from its tree, decimals converted by a byte loop, levels in a plain reused slice.
type baseline struct {
	parser      fastjson.Parser
	levels      []venue.Level
	ids         [4]uint64
	symbol      uint64
	price, size uint8
}

func (f *baseline) data(msg []byte) *fastjson.Value {
	v, err := f.parser.ParseBytes(msg)
	if err != nil {
		return nil
	}
	if data := v.Get("data"); data != nil {
		v = data
	}
	f.symbol = 0
	for _, c := range v.GetStringBytes("s") {
		f.symbol = f.symbol<<8 | uint64(c)
	}
	return v
}

func (f *baseline) depth(msg []byte) bool {
	v := f.data(msg)
	if v == nil {
		return false
	}
	f.ids = [4]uint64{v.GetUint64("E"), v.GetUint64("U"), v.GetUint64("u"), v.GetUint64("pu")}
	f.levels = f.levels[:0]
	for _, side := range [2]string{"b", "a"} {
		for _, l := range v.GetArray(side) {
			pair := l.GetArray()
			if len(pair) != 2 {
				return false
			}
			p, ok1 := scalar(pair[0].GetStringBytes(), f.price)
			q, ok2 := scalar(pair[1].GetStringBytes(), f.size)
			if !ok1 || !ok2 {
				return false
			}
			f.levels = append(f.levels, venue.Level{Price: fixed.Price(p), Qty: fixed.Qty(q)})
		}
	}
	return true
}

func (f *baseline) ticker(msg []byte) bool {
	v := f.data(msg)
	if v == nil {
		return false
	}
	f.ids[0] = v.GetUint64("u")
	f.levels = f.levels[:0]
	for _, side := range [2][2]string{{"b", "B"}, {"a", "A"}} {
		p, ok1 := scalar(v.GetStringBytes(side[0]), f.price)
		q, ok2 := scalar(v.GetStringBytes(side[1]), f.size)
		if !ok1 || !ok2 {
			return false
		}
		f.levels = append(f.levels, venue.Level{Price: fixed.Price(p), Qty: fixed.Qty(q)})
	}
	return true
}

func (f *baseline) trade(msg []byte) bool {
	v := f.data(msg)
	if v == nil {
		return false
	}
	f.ids = [4]uint64{v.GetUint64("E"), v.GetUint64("t")}
	p, ok1 := scalar(v.GetStringBytes("p"), f.price)
	q, ok2 := scalar(v.GetStringBytes("q"), f.size)
	f.levels = append(f.levels[:0], venue.Level{Price: fixed.Price(p), Qty: fixed.Qty(q)})
	return ok1 && ok2 && v.Exists("m")
}

// scalar converts digits[.digits] one byte at a time; digits beyond the scale must be zeros.
func scalar(s []byte, scale uint8) (int64, bool) {
	var v uint64
	i := 0
	for ; i < len(s) && s[i]-'0' <= 9; i++ {
		v = v*10 + uint64(s[i]-'0')
	}
	if i == 0 || i > 10 {
		return 0, false
	}
	f := 0
	if i < len(s) {
		if s[i] != '.' {
			return 0, false
		}
		for i++; i < len(s); i++ {
			c := s[i] - '0'
			if c > 9 || f == int(scale) && c != 0 {
				return 0, false
			}
			if f < int(scale) {
				v = v*10 + uint64(c)
				f++
			}
		}
	}
	return int64(v) * fixed.Pow10(scale-uint8(f)), true
}

// synthetic makes spot depth updates of n levels around a moving price: 40 % deletions, sizes spread over decades, one in
// thirteen with two digits before the point.
func synthetic(n int) [][]byte {
	r := rand.New(rand.NewPCG(7, uint64(n)))
	mid, seq := 9_723_412, 58_123_456_789
	pool := make([][]byte, 256)
	for k := range pool {
		mid += r.IntN(201) - 100
		seq += 1 + r.IntN(40)
		m := fmt.Appendf(nil, `{"e":"depthUpdate","E":%d,"s":"BTCUSDT","U":%d,"u":%d,"b":[`, 1767225600123+100*k, seq-r.IntN(9), seq)
		for i := range n {
			if i == n/2 {
				m = append(m, `],"a":[`...)
			} else if i > 0 {
				m = append(m, ',')
			}
			p := mid - 3*i - r.IntN(3)
			if i >= n/2 {
				p = mid + 1 + 3*(i-n/2) + r.IntN(3)
			}
			q := 0
			if r.IntN(100) >= 40 {
				q = []int{r.IntN(99), r.IntN(99_999), r.IntN(999_999), r.IntN(20) * 100_000}[r.IntN(4)]
			}
			m = fmt.Appendf(m, `["%d.%02d000000","%d.%05d000"]`, p/100, p%100, q/100_000, q%100_000)
		}
		pool[k] = wiretest.Slacked(string(m) + "]}")
	}
	return pool
}

// cpu is the processor time that this process has used.
func cpu() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// versus runs the candidates in turns of a few milliseconds over the pool and reports the best time per message of each,
// and how many times slower the first is than each: the median over the turns (x) and that of the best times (min-x).
func versus(b *testing.B, pool [][]byte, names []string, run ...func(msg []byte) bool) {
	const rounds = 41
	per := make([][]float64, len(run))
	reps := 1 + 300_000/(len(pool)*len(pool[0]))
	for range b.N {
		for range rounds {
			for k, f := range run {
				start := cpu()
				for range reps {
					for _, m := range pool {
						if !f(m) {
							b.Fatalf("%s refused %s", names[k], m)
						}
					}
				}
				per[k] = append(per[k], float64(cpu()-start)/float64(reps*len(pool)))
			}
		}
	}
	b.ReportMetric(0, "ns/op")
	for k := range run {
		b.ReportMetric(slices.Min(per[k]), names[k]+"-ns")
		if k == 0 {
			continue
		}
		ratio := make([]float64, len(per[0]))
		for i := range ratio {
			ratio[i] = per[0][i] / per[k][i]
		}
		slices.Sort(ratio)
		b.ReportMetric(ratio[len(ratio)/2], names[k]+"-x")
		b.ReportMetric(slices.Min(per[0])/slices.Min(per[k]), names[k]+"-min-x")
	}
}

// scanOnly and fallbackOnly run one path of a decoder alone.
func scanOnly(d *Decoder) func([]byte) bool {
	return func(m []byte) bool {
		_, why := d.scan(1, m[:len(m)+wire.Slack], len(m))
		return why == venue.OK
	}
}

func fallbackOnly(d *Decoder) func([]byte) bool {
	return func(m []byte) bool {
		_, why := d.fallback(1, m)
		return why == venue.OK
	}
}

var compared = []string{"fastjson", "scanner", "fallback"}

// recorded are the first of a recording's websocket messages of one kind, as they came (in the combined wrapper).
func recorded(b *testing.B, file, kind string) [][]byte {
	var pool [][]byte
	for _, l := range wiretest.WS(wiretest.Lines(b, file)) {
		if len(pool) < 512 && bytes.Contains(l.Msg[:min(60, len(l.Msg))], []byte(kind)) {
			pool = append(pool, wiretest.Slacked(string(l.Msg)))
		}
	}
	return pool
}

func BenchmarkDepth(b *testing.B) {
	for _, n := range []int{2, 20, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			f := &baseline{price: 2, size: 5}
			versus(b, synthetic(n), compared, f.depth, scanOnly(spotBTC(2, 5)), fallbackOnly(spotBTC(2, 5)))
		})
	}
}

// BenchmarkRecorded runs every kind of message of the three recordings.
func BenchmarkRecorded(b *testing.B) {
	for _, c := range []struct {
		file, symbol string
		chain        venue.Chain
		price, size  uint8
	}{
		{"spot-btcusdt", "BTCUSDT", venue.ChainRange, 2, 7},
		{"usdm-btcusdt", "BTCUSDT", venue.ChainPrev, 2, 7},
		{"cm-btcusd_perp", "BTCUSD_PERP", venue.ChainPrev, 2, 0},
	} {
		for kind, name := range map[string]string{"@depth": "depth", "@bookTicker": "ticker", "@trade": "trade"} {
			b.Run(c.file+"/"+name, func(b *testing.B) {
				f := &baseline{price: c.price, size: c.size}
				job := map[string]func([]byte) bool{"depth": f.depth, "ticker": f.ticker, "trade": f.trade}[name]
				decoder := func() *Decoder {
					return newDecoder(1, []*venue.Instrument{{Inst: 1, Venue: 1, Symbol: c.symbol, PriceScale: c.price, QtyScale: c.size}}, c.chain)
				}
				versus(b, recorded(b, "binance/"+c.file+".jsonl.gz", kind), compared, job, scanOnly(decoder()), fallbackOnly(decoder()))
			})
		}
	}
}

// spotBTC is a decoder of BTCUSDT alone at these scales.
func spotBTC(price, size uint8) *Decoder {
	return newDecoder(1, []*venue.Instrument{{Inst: 1, Venue: 1, Symbol: "BTCUSDT", PriceScale: price, QtyScale: size, PriceText: 8, QtyText: 8}}, venue.ChainRange)
}

func TestBaseline_isTheSameJob(t *testing.T) {
	f, d := &baseline{price: 2, size: 5}, spotBTC(2, 5)
	for _, n := range []int{2, 20, 100} {
		for _, m := range synthetic(n) {
			require.True(t, f.depth(m))
			ev, why := d.Decode(1, m)
			require.Equal(t, venue.OK, why)
			var got []venue.Level
			for i := range ev {
				for k := range ev[i].N {
					got = append(got, ev[i].Level(k))
				}
			}
			require.Equal(t, f.levels, got)
		}
	}
}
