package books

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"hash/crc32"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/valyala/fastjson"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// recording calls f for every line of a recorded file under ../shared/data, and skips the test where there is none.
func recording(t *testing.T, name string, f func(recv venue.Nanos, line *fastjson.Value)) {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		require.NotEqual(t, dir, filepath.Dir(dir), "no go.mod above the test")
		dir = filepath.Dir(dir)
	}
	file, err := os.Open(filepath.Join(dir, "..", "shared", "data", filepath.FromSlash(name)))
	if err != nil {
		t.Skip("no recorded data: ../shared/data/" + name)
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	require.NoError(t, err)
	lines := bufio.NewReaderSize(z, 1<<20)
	var p fastjson.Parser
	for {
		line, err := lines.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) == 0 {
			require.Error(t, err)
			return
		}
		v, err := p.ParseBytes(line)
		require.NoError(t, err)
		f(venue.Nanos(v.GetInt64("recv_ns")), v)
	}
}

func number(t *testing.T, v *fastjson.Value, scale uint8) int64 {
	s := v.GetStringBytes()
	n, fault := fixed.Parse(s, scale)
	if fault != fixed.OK {
		t.Fatalf("unexpected %v in %q at scale %d", fault, s, scale)
	}
	return n
}

func levelsOf(t *testing.T, in *venue.Instrument, vs []*fastjson.Value) []venue.Level {
	var out []venue.Level
	for _, v := range vs {
		a := v.GetArray()
		out = append(out, venue.Level{Price: fixed.Price(number(t, a[0], in.PriceScale)), Qty: fixed.Qty(number(t, a[1], in.QtyScale))})
	}
	return out
}

// binance turns a line of a single-instrument Binance recording into a frame or a touch.
func binance(t *testing.T, in *venue.Instrument, recv venue.Nanos, line *fastjson.Value) (frame []venue.Event, touch *venue.Event) {
	msg := line.Get("msg")
	if string(line.GetStringBytes("kind")) == "rest" {
		l := [2][]venue.Level{levelsOf(t, in, msg.GetArray("bids")), levelsOf(t, in, msg.GetArray("asks"))}
		return pack(l, venue.Snapshot, recv, 0, 0, 0, msg.GetUint64("lastUpdateId"), venue.NoChecksum), nil
	}
	d := msg.Get("data")
	switch stream := string(msg.GetStringBytes("stream")); {
	case strings.Contains(stream, "@depth"):
		l := [2][]venue.Level{levelsOf(t, in, d.GetArray("b")), levelsOf(t, in, d.GetArray("a"))}
		at := venue.Nanos(d.GetInt64("E")) * venue.Millisecond
		return pack(l, 0, recv, at, d.GetUint64("U"), d.GetUint64("pu"), d.GetUint64("u"), venue.NoChecksum), nil
	case strings.Contains(stream, "@bookTicker"):
		touch = new(venue.Event)
		touch.SetTouch(1, 1, venue.Last, d.GetUint64("u"),
			fixed.Price(number(t, d.Get("b"), in.PriceScale)), fixed.Qty(number(t, d.Get("B"), in.QtyScale)),
			fixed.Price(number(t, d.Get("a"), in.PriceScale)), fixed.Qty(number(t, d.Get("A"), in.QtyScale)), recv, recv)
	}
	return nil, touch
}

var binanceFiles = []struct {
	name     string
	in       venue.Instrument
	diffs    uint64
	compared uint64
}{
	{"spot-btcusdt", venue.Instrument{PriceScale: 2, QtyScale: 8, Tick: 1, Chain: venue.ChainRange}, 6495, 1072},
	{"usdm-btcusdt", venue.Instrument{PriceScale: 2, QtyScale: 3, Tick: 10, Chain: venue.ChainPrev}, 6551, 629},
	{"cm-btcusd_perp", venue.Instrument{PriceScale: 1, QtyScale: 0, Tick: 1, Chain: venue.ChainPrev}, 44795, 1885},
}

func TestBook_recordedBinanceChainsAndAgreesWithItsTouch(t *testing.T) {
	for i := range binanceFiles {
		c := &binanceFiles[i]
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b, w := New(&c.in, Config{}), newTwin(&c.in, Config{Pending: 16384, Touches: 1024})
			diffs, messages := uint64(0), 0
			recording(t, "binance/"+c.name+".jsonl.gz", func(recv venue.Nanos, line *fastjson.Value) {
				frame, touch := binance(t, &c.in, recv, line)
				switch {
				case frame != nil:
					if frame[0].Flags&venue.Snapshot == 0 {
						diffs++
					}
					b.Apply(frame)
					w.apply(frame)
				case touch != nil:
					b.ApplyTouch(touch)
					w.touch(touch)
				}
				if messages++; messages%5000 == 0 {
					agree(t, b, w)
				}
				agreeTop(t, b, w)
			})
			agree(t, b, w)
			n := b.Counters()
			t.Logf("%+v bids %d asks %d", n, b.Depth(venue.Buy), b.Depth(venue.Sell))
			require.Equal(t, Live, b.State())
			require.Equal(t, c.diffs, diffs)
			require.Equal(t, diffs, n.StaleDropped+n.Applied)
			require.EqualValues(t, 1, n.Snapshots)
			require.Zero(t, n.Gaps)
			require.Zero(t, n.Resyncs)
			require.Zero(t, n.TouchMismatched)
			require.Equal(t, c.compared, n.TouchCompared)
		})
	}
}

// krakenDecimals is pair_decimals of the recorded pairs; v1 prints more.
var krakenDecimals = map[string]uint8{"WAVES/EUR": 4, "XMR/USD": 2, "ETH/CHF": 2, "XBT/CHF": 1, "ADA/XBT": 8}

// krakenSum is the checksum of the venue's v1 and v2 books: the integers of ten asks and ten bids, one after another.
func krakenSum(in *venue.Instrument, bids, asks []venue.Level) uint32 {
	var text []byte
	for _, ls := range [2][]venue.Level{asks, bids} {
		for _, l := range ls {
			text = strconv.AppendInt(text, int64(l.Price)*fixed.Pow10(in.PriceText-in.PriceScale), 10)
			text = strconv.AppendInt(text, int64(l.Qty), 10)
		}
	}
	return crc32.ChecksumIEEE(text)
}

func TestBook_recordedKrakenChecksumsVerify(t *testing.T) {
	t.Parallel()
	type pair struct {
		in *venue.Instrument
		b  *Book
		w  *twin
	}
	pairs := map[string]*pair{}
	updates, seq := 0, uint64(0)
	recording(t, "kraken/v1-book1000-trade-ticker-20210417.jsonl.gz", func(recv venue.Nanos, line *fastjson.Value) {
		msg := line.GetArray("msg")
		if len(msg) < 4 || string(msg[len(msg)-2].GetStringBytes()) != "book-1000" {
			return
		}
		name := string(msg[len(msg)-1].GetStringBytes())
		seq++
		if as := msg[1].GetArray("as"); as != nil {
			text := as[0].GetArray()[0].GetStringBytes()
			decimals := uint8(len(text) - 1 - bytes.IndexByte(text, '.'))
			in := &venue.Instrument{PriceScale: krakenDecimals[name], PriceText: decimals, QtyScale: 8, QtyText: 8, Tick: 1,
				Depth: 1000, Checksum: krakenSum, ChecksumDepth: 10}
			p := &pair{in, New(in, Config{}), newTwin(in, Config{})}
			pairs[name] = p
			f := pack([2][]venue.Level{levelsOf(t, in, msg[1].GetArray("bs")), levelsOf(t, in, as)}, venue.Snapshot, recv, 0, 0, 0, seq, venue.NoChecksum)
			p.b.Apply(f)
			p.w.apply(f)
			agree(t, p.b, p.w)
			return
		}
		p := pairs[name]
		require.NotNil(t, p, name)
		var l [2][]venue.Level
		crc := venue.NoChecksum
		for _, part := range msg[1 : len(msg)-2] {
			l[0] = append(l[0], levelsOf(t, p.in, part.GetArray("b"))...)
			l[1] = append(l[1], levelsOf(t, p.in, part.GetArray("a"))...)
			if c := part.GetStringBytes("c"); c != nil {
				v, err := strconv.ParseUint(string(c), 10, 32)
				require.NoError(t, err)
				crc = int64(v)
			}
		}
		f := pack(l, 0, recv, 0, 0, 0, seq, crc)
		p.b.Apply(f)
		p.w.apply(f)
		agreeTop(t, p.b, p.w)
		if updates++; updates%20 == 0 {
			agree(t, p.b, p.w)
		}
	})
	verified := uint64(0)
	for name, p := range pairs {
		require.Equal(t, Live, p.b.State(), name)
		require.Zero(t, p.b.Counters().ChecksumsFailed, name)
		verified += p.b.Counters().ChecksumsVerified
		agree(t, p.b, p.w)
	}
	require.Len(t, pairs, 5)
	require.EqualValues(t, 2375, verified)
}

// TestBook_recordedCoinbaseKeepsEveryLevel replays two books of tens of thousands of levels, most of them far from the
// touch, with their snapshots in parts.
func TestBook_recordedCoinbaseKeepsEveryLevel(t *testing.T) {
	t.Parallel()
	type pair struct {
		b *Book
		w *twin
	}
	in := &venue.Instrument{PriceScale: 2, QtyScale: 8, Tick: 1}
	pairs := map[string]*pair{}
	updates := 0
	recording(t, "coinbase/advanced-l2-btc-eth-20260809.jsonl.gz", func(recv venue.Nanos, line *fastjson.Value) {
		msg := line.Get("msg")
		if string(msg.GetStringBytes("channel")) != "l2_data" {
			return
		}
		for _, ev := range msg.GetArray("events") {
			var l [2][]venue.Level
			for _, u := range ev.GetArray("updates") {
				s := 0
				if string(u.GetStringBytes("side")) == "offer" {
					s = 1
				}
				l[s] = append(l[s], venue.Level{Price: fixed.Price(number(t, u.Get("price_level"), 2)), Qty: fixed.Qty(number(t, u.Get("new_quantity"), 8))})
			}
			name, seq := string(ev.GetStringBytes("product_id")), msg.GetUint64("sequence_num")
			if string(ev.GetStringBytes("type")) == "snapshot" {
				p := &pair{New(in, Config{}), newTwin(in, Config{})}
				pairs[name] = p
				const parts = 50
				for i := range parts {
					more := venue.Part
					if i == parts-1 {
						more = 0
					}
					var part [2][]venue.Level
					for s := range l {
						part[s] = l[s][len(l[s])*i/parts : len(l[s])*(i+1)/parts]
					}
					f := pack(part, venue.Snapshot|more, recv, 0, uint64(i), 0, seq, venue.NoChecksum)
					p.b.Apply(f)
					p.w.apply(f)
					require.Equal(t, more == 0, p.b.State() == Live)
				}
				agree(t, p.b, p.w)
				continue
			}
			p := pairs[name]
			require.NotNil(t, p, name)
			f := pack(l, 0, recv, 0, 0, 0, seq, venue.NoChecksum)
			p.b.Apply(f)
			p.w.apply(f)
			agreeTop(t, p.b, p.w)
			if updates++; updates%200 == 0 {
				agree(t, p.b, p.w)
			}
		}
	})
	for name, p := range pairs {
		agree(t, p.b, p.w)
		require.Equal(t, Live, p.b.State(), name)
		t.Log(name, p.b.Depth(venue.Buy), p.b.Depth(venue.Sell))
	}
	require.Equal(t, [2]int{18769, 27238}, [2]int{pairs["BTC-USD"].b.Depth(venue.Buy), pairs["BTC-USD"].b.Depth(venue.Sell)})
}
