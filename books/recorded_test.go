package books

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
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

// message is one recorded frame or touch.
type message struct {
	frame []venue.Event
	touch *venue.Event
}

// TestBook_recordedFaultsAreNoticed plays the beginning of each Binance session with one message dropped, swapped,
// doubled or altered.
func TestBook_recordedFaultsAreNoticed(t *testing.T) {
	for i := range binanceFiles {
		c := &binanceFiles[i]
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var all []message
			var frames []int // indices of deltas well after the snapshot
			recording(t, "binance/"+c.name+".jsonl.gz", func(recv venue.Nanos, line *fastjson.Value) {
				if len(all) > 12_000 {
					return
				}
				frame, touch := binance(t, &c.in, recv, line)
				if frame != nil && len(all) > 1000 {
					frames = append(frames, len(all))
				}
				if frame != nil || touch != nil {
					all = append(all, message{frame, touch})
				}
			})
			play := func(ms []message) *Book {
				b := New(&c.in, Config{})
				for _, m := range ms {
					if m.frame != nil {
						b.Apply(m.frame)
					} else {
						b.ApplyTouch(m.touch)
					}
				}
				return b
			}
			whole := play(all)
			require.Equal(t, Live, whole.State())
			at := frames[len(frames)/3]

			b := play(append(slices.Clone(all[:at]), all[at+1:]...))
			require.Equal(t, Stale, b.State(), "without a later snapshot it stays Stale to the end")
			require.Equal(t, venue.SequenceGap, b.Why())
			require.EqualValues(t, 1, b.Counters().Gaps)

			swapped, next := slices.Clone(all), frames[len(frames)/3+1]
			swapped[at], swapped[next] = swapped[next], swapped[at]
			b = play(swapped)
			require.Equal(t, venue.SequenceGap, b.Why())

			b = play(slices.Insert(slices.Clone(all), at+1, all[at]))
			require.Equal(t, Live, b.State())
			require.Equal(t, whole.Hash(), b.Hash())
			require.Equal(t, whole.Counters().StaleDropped+1, b.Counters().StaleDropped)
			require.Equal(t, whole.Counters().Applied, b.Counters().Applied)

			// The venue's rule can tell where it states its touch at the very id.
			at = frames[slices.IndexFunc(frames, func(i int) bool {
				return slices.ContainsFunc(all, func(m message) bool { return m.touch != nil && m.touch.Seq == all[i].frame[0].Seq })
			})]
			altered := slices.Clone(all)
			altered[at].frame = alter(play(all[:at+1]), all[at].frame)
			b = play(altered)
			require.NotEqual(t, Live, b.State())
			require.Equal(t, venue.TouchMismatch, b.Why())
			require.EqualValues(t, 1, b.Counters().TouchMismatched)
		})
	}
}

// alter returns the frame with a bid that is far too large on top of the book that it makes.
func alter(b *Book, frame []venue.Event) []venue.Event {
	f := slices.Clone(frame)
	e := venue.Event{Kind: venue.Levels, Flags: venue.Bids | venue.Last, N: 1}
	e.W[0], e.W[1] = int64(b.Best(venue.Sell).Price-b.Instrument().Tick), 1<<40
	f = append(f, e)
	f[0].W[5]++
	return f
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

// krakenBooks reads the recorded v1 session: frames in order, and the instrument of each.
func krakenBooks(t *testing.T) (frames [][]venue.Event, of []*venue.Instrument) {
	ins := map[string]*venue.Instrument{}
	recording(t, "kraken/v1-book1000-trade-ticker-20210417.jsonl.gz", func(recv venue.Nanos, line *fastjson.Value) {
		msg := line.GetArray("msg")
		if len(msg) < 4 || string(msg[len(msg)-2].GetStringBytes()) != "book-1000" {
			return
		}
		name, crc, flags := string(msg[len(msg)-1].GetStringBytes()), venue.NoChecksum, uint8(0)
		var l [2][]venue.Level
		if as := msg[1].GetArray("as"); as != nil {
			text := as[0].GetArray()[0].GetStringBytes()
			decimals := uint8(len(text) - 1 - bytes.IndexByte(text, '.'))
			ins[name] = &venue.Instrument{Symbol: name, PriceScale: krakenDecimals[name], PriceText: decimals, QtyScale: 8, QtyText: 8,
				Tick: 1, Depth: 1000, Checksum: krakenSum, ChecksumDepth: 10}
			l, flags = [2][]venue.Level{levelsOf(t, ins[name], msg[1].GetArray("bs")), levelsOf(t, ins[name], as)}, venue.Snapshot
		}
		in := ins[name]
		require.NotNil(t, in, name)
		for _, part := range msg[1 : len(msg)-2] {
			l[0] = append(l[0], levelsOf(t, in, part.GetArray("b"))...)
			l[1] = append(l[1], levelsOf(t, in, part.GetArray("a"))...)
			if c := part.GetStringBytes("c"); c != nil {
				v, err := strconv.ParseUint(string(c), 10, 32)
				require.NoError(t, err)
				crc = int64(v)
			}
		}
		frames = append(frames, pack(l, flags, recv, 0, 0, 0, uint64(len(frames)+1), crc))
		of = append(of, in)
	})
	return frames, of
}

func TestBook_recordedKrakenChecksumsVerify(t *testing.T) {
	t.Parallel()
	frames, of := krakenBooks(t)
	books, twins := map[*venue.Instrument]*Book{}, map[*venue.Instrument]*twin{}
	for i, f := range frames {
		in := of[i]
		if books[in] == nil {
			books[in], twins[in] = New(in, Config{}), newTwin(in, Config{})
		}
		books[in].Apply(f)
		twins[in].apply(f)
		if agreeTop(t, books[in], twins[in]); i%20 == 0 {
			agree(t, books[in], twins[in])
		}
	}
	verified := uint64(0)
	for in, b := range books {
		agree(t, b, twins[in])
		require.Equal(t, Live, b.State(), in.Symbol)
		require.Zero(t, b.Counters().ChecksumsFailed, in.Symbol)
		verified += b.Counters().ChecksumsVerified
	}
	require.Len(t, books, 5)
	require.EqualValues(t, 2375, verified)
}

// TestBook_recordedKrakenFaultsFailTheChecksum drops, one at a time, updates that move the best ten levels.
func TestBook_recordedKrakenFaultsFailTheChecksum(t *testing.T) {
	t.Parallel()
	frames, of := krakenBooks(t)
	dropped := 0
	for at := 5; at < len(frames)-50 && dropped < 20; at += 100 {
		in := of[at]
		b, before, moved, noticed := New(in, Config{}), uint32(0), false, false
		for i, f := range frames {
			if of[i] != in {
				continue
			}
			if i == at {
				before = b.checksum()
				moved = int64(before) != f[0].CRC()
				continue
			}
			b.Apply(f)
			if i > at {
				noticed = b.State() == Stale
				break
			}
		}
		if moved && !noticed {
			t.Fatalf("update %d of %s was dropped and the next one verified", at, in.Symbol)
		}
		if moved {
			require.Equal(t, venue.ChecksumMismatch, b.Why())
			dropped++
		}
	}
	require.GreaterOrEqual(t, dropped, 10)
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
