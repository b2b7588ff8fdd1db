package kraken

import (
	"flag"
	"hash/crc32"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/wire"
	"oneprice/feeds/wire/wiretest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const recorded = "kraken/v1-book1000-trade-ticker-20210417.jsonl.gz"

// table is BTC/USD and ETH/USD of the shipped table and a v1 pair, as Inst 1 to 3.
func table(t testing.TB, more uint8) []*venue.Instrument {
	v1 := spot("XBT/EUR", "BTC", "EUR")
	v1.Tick, v1.Lot, v1.PriceText, v1.QtyText = "0.1", "0.00000001", 5, 8
	return wiretest.Instruments(t, append(append([]wire.Listing{}, Adapter.Listings[:2]...), v1), more, more)
}

func fresh(t testing.TB) *decoder {
	return Adapter.Decoder(wiretest.Venue, table(t, 0)).(*decoder)
}

// TestDecode_golden decodes each testdata/*.json (a message a line, one connection) into its .want.
func TestDecode_golden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		msgs, err := os.ReadFile(f)
		require.NoError(t, err)
		d, got := fresh(t), ""
		for l := range strings.Lines(string(msgs)) {
			evs, why := d.Decode(1000, wiretest.Slacked(strings.TrimSpace(l)))
			got += "# " + why.String() + "\n" + wiretest.Render(evs)
		}
		want := strings.TrimSuffix(f, ".json") + ".want"
		if *update {
			require.NoError(t, os.WriteFile(want, []byte(got), 0o644))
		}
		b, err := os.ReadFile(want)
		require.NoError(t, err)
		require.Equal(t, string(b), got, f)
	}
}

// discovered is what the recording tells of itself.
func discovered(t testing.TB) []wire.Listing {
	d := Adapter.Discover()
	for _, l := range wiretest.Lines(t, recorded) {
		d.Line(l.Kind, l.URL, l.Msg)
	}
	return d.Listings()
}

func TestDiscover_recordedPairs(t *testing.T) {
	ls := discovered(t)
	got := map[string][]any{}
	for _, l := range ls {
		got[l.Symbol] = []any{l.Base, l.Quote, l.Tick, l.Lot, l.MinQty, l.PriceText, l.QtyText, l.Depth, l.Status}
	}
	require.Equal(t, map[string][]any{
		"ADA/XBT":   {"ADA", "BTC", "0.00000001", "0.00000001", "25", uint8(9), uint8(8), 1000, venue.Trading},
		"WAVES/EUR": {"WAVES", "EUR", "0.0001", "0.00000001", "2", uint8(6), uint8(8), 1000, venue.Trading},
		"XMR/USD":   {"XMR", "USD", "0.01", "0.00000001", "0.05", uint8(8), uint8(8), 1000, venue.Trading},
		"ETH/CHF":   {"ETH", "CHF", "0.01", "0.00000001", "0.005", uint8(5), uint8(8), 1000, venue.Trading},
		"XBT/CHF":   {"BTC", "CHF", "0.1", "0.00000001", "0.0002", uint8(5), uint8(8), 1000, venue.Trading},
	}, got)
}

func TestDiscover_v2(t *testing.T) {
	d := Adapter.Discover()
	d.Line("send", "", []byte(`{"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD","ABC/USD"],"depth":25}}`))
	d.Line("ws", "", []byte(`{"channel":"instrument","type":"snapshot","data":{"pairs":[{"symbol":"BTC/USD","base":"BTC","quote":"USD","status":"limit_only","qty_precision":8,"qty_increment":1E-8,"price_precision":2,"cost_precision":5,"cost_min":0.50,"price_increment":0.05,"qty_min":0.00010000}]}}`))
	d.Line("ws", "", []byte(`{"channel":"book","type":"snapshot","data":[{"symbol":"BTC/USD","bids":[{"price":1.00,"qty":1.00000000}],"asks":[]}]}`))
	d.Line("ws", "", []byte(`{"channel":"trade","type":"update","data":[{"symbol":"ABC/USD","price":1.250,"qty":1.5}]}`))
	d.Line("ws", "", []byte(`{"channel":"ticker","type":"update","data":[{"symbol":"ETH/USD"}]}`))
	ls := d.Listings()
	require.Len(t, ls, 2)
	b, a := ls[0], ls[1]
	require.Equal(t, []any{"BTC/USD", "0.05", "0.00000001", "0.0001", "0.5", uint8(2), uint8(8), 25, venue.LimitOnly},
		[]any{b.Symbol, b.Tick, b.Lot, b.MinQty, b.MinNotional, b.PriceText, b.QtyText, b.Depth, b.Status})
	require.Equal(t, []any{"ABC/USD", "0.001", "0.1", uint8(3), 25, venue.Unlisted}, []any{a.Symbol, a.Tick, a.Lot, a.PriceText, a.Depth, a.Status})
}

func TestDecode_recordedScannerAgreesWithParser(t *testing.T) {
	for _, more := range []uint8{0, 1, 4} {
		ins := wiretest.Instruments(t, discovered(t), more, more/4)
		a, b := Adapter.Decoder(wiretest.Venue, ins).(*decoder), Adapter.Decoder(wiretest.Venue, ins).(*decoder)
		scanned := 0
		for _, l := range wiretest.WS(wiretest.Lines(t, recorded)) {
			a.begin()
			if a.scan(l.Recv, l.Msg) == venue.OK {
				scanned++
			}
			a.takeBack()
			got, why := a.Decode(l.Recv, l.Msg)
			want, wantWhy := b.cold(l.Recv, l.Msg)
			require.Equal(t, wantWhy, why)
			require.True(t, why == venue.OK || why == venue.Ignored)
			wiretest.Same(t, want, got)
			if why == venue.OK {
				wiretest.WellFormed(t, got)
			}
		}
		require.Equal(t, 2375, scanned, "the scanner must know every recorded update")
	}
}

// replay applies recorded messages to books and returns them by symbol.
func replay(t testing.TB, msgs []wiretest.Line, more uint8) map[string]*books.Book {
	ins := wiretest.Instruments(t, discovered(t), more, more/4)
	d, bs, byName := Adapter.Decoder(wiretest.Venue, ins), map[venue.Inst]*books.Book{}, map[string]*books.Book{}
	for _, in := range ins {
		bs[in.Inst] = books.New(in, books.Config{})
		byName[in.Symbol] = bs[in.Inst]
	}
	for _, l := range msgs {
		evs, _ := d.Decode(l.Recv, l.Msg)
		for i := 0; i < len(evs); i++ {
			switch e := &evs[i]; e.Kind {
			case venue.Head:
				bs[e.Inst].Apply(evs[i : i+1+e.Count()])
				i += e.Count()
			case venue.Gap:
				bs[e.Inst].Invalidate(venue.Reason(e.W[0]))
			}
		}
	}
	return byName
}

func TestDecode_everyRecordedChecksumVerifies(t *testing.T) {
	for _, more := range []uint8{0, 2, 4} { // below, between and above the decimals of the text
		verified := uint64(0)
		for name, b := range replay(t, wiretest.WS(wiretest.Lines(t, recorded)), more) {
			c := b.Counters()
			require.Zero(t, c.ChecksumsFailed, name)
			require.Equal(t, books.Live, b.State(), name)
			require.Equal(t, c.Applied, c.ChecksumsVerified, name)
			verified += c.ChecksumsVerified
		}
		require.EqualValues(t, 2375, verified)
	}
}

// TestDecode_damage drops, repeats, swaps and cuts one message that moves the best levels.
func TestDecode_damage(t *testing.T) {
	msgs := wiretest.WS(wiretest.Lines(t, recorded))
	whole := replay(t, msgs, 0)["XMR/USD"]
	// the first of two neighbours of one pair that both move the best ten: found by looking for one whose loss is seen
	at := -1
	for i := 200; i < len(msgs)-1 && at < 0; i++ {
		if xmr(msgs[i]) && xmr(msgs[i+1]) {
			lost := append(append([]wiretest.Line{}, msgs[:i]...), msgs[i+1])
			if b := replay(t, lost, 0)["XMR/USD"]; b.State() == books.Stale {
				require.Equal(t, venue.ChecksumMismatch, b.Why())
				at = i
			}
		}
	}
	require.Positive(t, at)
	require.EqualValues(t, 1, replay(t, append(append([]wiretest.Line{}, msgs[:at]...), msgs[at+1:]...), 0)["XMR/USD"].Counters().ChecksumsFailed)

	repeated := append(append(append([]wiretest.Line{}, msgs[:at+1]...), msgs[at]), msgs[at+1:]...)
	b := replay(t, repeated, 0)["XMR/USD"]
	require.Equal(t, books.Live, b.State())
	require.Equal(t, whole.Hash(), b.Hash())

	swapped := append([]wiretest.Line{}, msgs...)
	swapped[at], swapped[at+1] = swapped[at+1], swapped[at]
	require.Equal(t, books.Stale, replay(t, swapped, 0)["XMR/USD"].State())

	cut := append([]wiretest.Line{}, msgs...)
	cut[at].Msg = wiretest.Slacked(string(cut[at].Msg[:20]))
	for name, b := range replay(t, cut, 0) {
		require.Equal(t, books.Stale, b.State(), name)
		require.Equal(t, venue.Malformed, b.Why(), "whose message it was cannot be told")
	}
}

func xmr(l wiretest.Line) bool {
	return strings.HasSuffix(string(l.Msg), `"book-1000","XMR/USD"]`)
}

// naive is the checksum as the venue documents it: text without the point and without leading zeros.
func naive(in *venue.Instrument, bids, asks []venue.Level) uint32 {
	s := ""
	text := func(v int64, scale, decimals uint8) string {
		d := fixed.Decimal(fixed.Qty(v), scale).Truncate(int32(decimals)).StringFixed(int32(decimals))
		return strings.TrimLeft(strings.ReplaceAll(d, ".", ""), "0")
	}
	for _, side := range [][]venue.Level{asks, bids} {
		for _, l := range side[:min(len(side), 10)] {
			s += text(int64(l.Price), in.PriceScale, in.PriceText) + text(int64(l.Qty), in.QtyScale, in.QtyText)
		}
	}
	return crc32.ChecksumIEEE([]byte(s))
}

func TestChecksum_documentedExample(t *testing.T) {
	msg, err := os.ReadFile("testdata/v2.json")
	require.NoError(t, err)
	snap := strings.Split(string(msg), "\n")[2]
	for more := range uint8(5) {
		ins := table(t, more)
		evs, why := Adapter.Decoder(wiretest.Venue, ins).Decode(1, wiretest.Slacked(snap))
		require.Equal(t, venue.OK, why)
		require.EqualValues(t, 3310070434, evs[0].CRC())
		b := books.New(ins[0], books.Config{})
		b.Apply(evs)
		require.Equal(t, books.Live, b.State())
		require.EqualValues(t, 1, b.Counters().ChecksumsVerified)
	}
}

func TestChecksum_agreesWithItsDefinition(t *testing.T) {
	seed := uint64(1)
	next := func(n uint64) uint64 { // xorshift: any values will do, the same each time
		seed ^= seed << 13
		seed ^= seed >> 7
		seed ^= seed << 17
		return seed % n
	}
	for range 3000 {
		in := &venue.Instrument{PriceScale: uint8(next(11)), QtyScale: uint8(next(11)), PriceText: uint8(next(11)), QtyText: uint8(next(19))}
		var sides [2][]venue.Level
		for i := range sides {
			for range next(13) {
				l := venue.Level{Price: fixed.Price(1 + next(fixed.Limit>>next(53))), Qty: fixed.Qty(1 + next(fixed.Limit>>next(53)))}
				sides[i] = append(sides[i], l)
			}
		}
		require.Equal(t, naive(in, sides[0], sides[1]), checksum(in, sides[0], sides[1]))
	}
	for _, v := range []uint64{0, 1, 9, 10, 99_999_999, 100_000_000, 1_0000_0001, fixed.Limit} {
		var buf [room]byte
		n := appendDigits(&buf, 0, v, 0)
		require.Equal(t, strings.TrimLeft(strconv.FormatUint(v, 10), "0"), string(buf[:n]))
	}
	for v := range uint64(100_000) { // every pair of digits in every place
		x := v * 1000 % 100_000_000
		for _, x := range []uint64{x, v} {
			w, want := digits8(x), x
			for i := 7; i >= 0; i-- {
				if w>>(8*i)&0xff != want%10 {
					t.Fatalf("unexpected digit %d of %d", i, x)
				}
				want /= 10
			}
		}
	}
}

func TestDetect_knowsItsOwnLinesOnly(t *testing.T) {
	known := 0
	for _, l := range wiretest.Lines(t, recorded) {
		if Adapter.Detect(l.Kind, l.URL, l.Msg) {
			known++
		}
	}
	// all but the 92 heartbeats, the 15 subscription answers and the 8 tickers, which could be another venue's
	require.Equal(t, 2508-92-15-8, known)
	require.True(t, Adapter.Detect("ws", "", []byte(`{"channel":"book","type":"update","data":[{"symbol":"BTC/USD","bids":[],"asks":[],"checksum":1}]}`)))
	for _, other := range []string{
		`{"channel":"l2_data","timestamp":"2026-01-01T00:00:00Z","sequence_num":2,"events":[]}`, `[1,"hb"]`, `[1,["book"]]`, `["book-10","x"]`, ``, `[`,
	} {
		require.False(t, Adapter.Detect("ws", "", []byte(other)), other)
	}
	require.False(t, Adapter.Detect("ws", "wss://futures.kraken.com/ws/v1", nil))
}

func TestListings_areWellFormed(t *testing.T) {
	seen := map[string]bool{}
	for _, l := range Adapter.Listings {
		require.False(t, seen[l.Symbol], l.Symbol)
		seen[l.Symbol] = true
		require.Equal(t, checksumDepth, l.ChecksumDepth)
	}
	wiretest.Instruments(t, Adapter.Listings, 0, 0)
}

// TestListings_areWhatTheVenueStates compares the shipped table with the recorded instrument snapshot.
func TestListings_areWhatTheVenueStates(t *testing.T) {
	d := newDiscoverer()
	d.known = map[string]wire.Listing{}
	d.Line("ws", "", snapshotOfInstruments(t))
	for _, l := range Adapter.Listings {
		got := d.known[l.Symbol]
		got.Checksum, l.Checksum = nil, nil
		require.Equal(t, got, l)
	}
}

func snapshotOfInstruments(t testing.TB) []byte {
	return wiretest.File(t, "kraken/v2-instrument-snapshot.json.gz")
}

// TestDecode_publishedShapes decodes the single messages that another project keeps as samples, spaces and all.
func TestDecode_publishedShapes(t *testing.T) {
	got := map[string]int{}
	for _, l := range wiretest.Lines(t, "kraken/v2-ws-fixtures.jsonl") {
		evs, why := fresh(t).Decode(1, l.Msg)
		got[why.String()]++
		if why == venue.OK {
			wiretest.WellFormed(t, evs)
		}
	}
	require.Equal(t, map[string]int{"ok": 4, "ignored": 15}, got)
}
