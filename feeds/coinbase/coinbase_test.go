package coinbase

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/valyala/fastjson"

	"oneprice/books"
	"oneprice/books/venue"
	"oneprice/feeds/wire"
	"oneprice/feeds/wire/wiretest"
)

const recorded = "coinbase/advanced-l2-btc-eth-20260809.jsonl.gz"

var update = flag.Bool("update", false, "rewrite the golden files")

// two is BTC-USD and ETH-USD of the shipped table, as Inst 1 and 2.
func two(t testing.TB, more uint8) []*venue.Instrument {
	return wiretest.Instruments(t, Adapter.Listings[:2], more, more)
}

func fresh(t testing.TB) *decoder { return Adapter.Decoder(wiretest.Venue, two(t, 0)).(*decoder) }

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

func TestDecode_recordedScannerAgreesWithParser(t *testing.T) {
	for _, more := range []uint8{0, 1, 3} {
		a, b := Adapter.Decoder(wiretest.Venue, two(t, more)).(*decoder), Adapter.Decoder(wiretest.Venue, two(t, more)).(*decoder)
		books, scanned := 0, 0
		for _, l := range wiretest.WS(wiretest.Lines(t, recorded)) {
			if bytes.HasPrefix(l.Msg, []byte(`{"channel":"l2_data"`)) {
				books++
				c := *a // the scanner alone, on a copy
				c.frames = wire.Frames{}
				c.frames.Reset()
				if c.scan(l.Recv, l.Msg) == venue.OK {
					scanned++
				}
			}
			got, why := a.Decode(l.Recv, l.Msg)
			want, wantWhy := b.cold(l.Recv, l.Msg)
			require.Equal(t, wantWhy, why)
			require.True(t, why == venue.OK || why == venue.Ignored)
			wiretest.Same(t, want, got)
			if why == venue.OK {
				wiretest.WellFormed(t, got)
			}
		}
		require.Equal(t, 775, books)
		require.Equal(t, books, scanned, "the scanner must know every recorded book message")
		require.EqualValues(t, 1029, a.seq)
	}
}

// feed gives what a decoder returned to the books, as the engine does.
func feed(bs map[venue.Inst]*books.Book, evs []venue.Event) {
	for i := 0; i < len(evs); i++ {
		e := &evs[i]
		switch e.Kind {
		case venue.Head:
			bs[e.Inst].Apply(evs[i : i+1+e.Count()])
			i += e.Count()
		case venue.Touch:
			bs[e.Inst].ApplyTouch(e)
		case venue.Gap:
			bs[e.Inst].Invalidate(venue.Reason(e.W[0]))
		}
	}
}

func shelf(ins []*venue.Instrument) map[venue.Inst]*books.Book {
	bs := map[venue.Inst]*books.Book{}
	for _, in := range ins {
		bs[in.Inst] = books.New(in, books.Config{})
	}
	return bs
}

func TestDecode_recordedBooksEndAsTheRecordingSays(t *testing.T) {
	ins := two(t, 0)
	d, bs := Adapter.Decoder(wiretest.Venue, ins), shelf(ins)
	for _, l := range wiretest.WS(wiretest.Lines(t, recorded)) {
		evs, _ := d.Decode(l.Recv, l.Msg)
		feed(bs, evs)
	}
	// the counts were taken by an independent replay of the file
	for inst, want := range map[venue.Inst][2]int{1: {18769, 27238}, 2: {6925, 16403}} {
		b := bs[inst]
		require.Equal(t, books.Live, b.State())
		require.Equal(t, want, [2]int{b.Depth(venue.Buy), b.Depth(venue.Sell)})
		require.Zero(t, b.Counters().Gaps)
	}
}

// TestDecode_lostRepeatedAndSwappedMessages drops, repeats and swaps recorded messages and looks what the books make of it.
func TestDecode_lostRepeatedAndSwappedMessages(t *testing.T) {
	msgs := wiretest.WS(wiretest.Lines(t, recorded))
	run := func(msgs []wiretest.Line) map[venue.Inst]*books.Book {
		ins := two(t, 0)
		d, bs := Adapter.Decoder(wiretest.Venue, ins), shelf(ins)
		for _, l := range msgs {
			evs, why := d.Decode(l.Recv, l.Msg)
			require.True(t, len(evs) == 0 || why == venue.OK)
			feed(bs, evs)
		}
		return bs
	}
	whole := run(msgs)
	const at = 500
	repeated := append(append(append([]wiretest.Line{}, msgs[:at]...), msgs[at-1]), msgs[at:]...)
	require.Equal(t, whole[1].Hash(), run(repeated)[1].Hash())
	require.Equal(t, whole[1].Counters(), run(repeated)[1].Counters())

	for _, lost := range []int{at, len(msgs) - 2} { // whatever the message was
		bs := run(append(append([]wiretest.Line{}, msgs[:lost]...), msgs[lost+1:]...))
		for _, b := range bs {
			require.Equal(t, books.Stale, b.State())
			require.Equal(t, venue.SequenceGap, b.Why())
			require.EqualValues(t, 1, b.Counters().Gaps)
		}
	}

	swapped := append([]wiretest.Line{}, msgs...)
	swapped[at], swapped[at+1] = swapped[at+1], swapped[at]
	require.Equal(t, books.Stale, run(swapped)[1].State())

	altered := append([]wiretest.Line{}, msgs...)
	altered[at].Msg = wiretest.Slacked(string(msgs[at].Msg[:len(msgs[at].Msg)-3]))
	require.Equal(t, books.Stale, run(altered)[1].State())
}

func TestDecode_snapshotHealsAfterGap(t *testing.T) {
	ins := two(t, 0)
	d, bs := Adapter.Decoder(wiretest.Venue, ins), shelf(ins)
	say := func(msg string) venue.Reason {
		evs, why := d.Decode(1, wiretest.Slacked(msg))
		feed(bs, evs)
		return why
	}
	snap := `{"channel":"l2_data","timestamp":"2026-01-01T00:00:00Z","sequence_num":%,"events":[{"type":"snapshot","product_id":"BTC-USD","updates":[` +
		`{"side":"bid","event_time":"1970-01-01T00:00:00Z","price_level":"10.5","new_quantity":"1"}]}]}`
	require.Equal(t, venue.OK, say(strings.Replace(snap, "%", "0", 1)))
	require.Equal(t, books.Live, bs[1].State())
	require.Equal(t, venue.OK, say(`{"channel":"subscriptions","timestamp":"2026-01-01T00:00:00Z","sequence_num":4,"events":[{"subscriptions":{}}]}`))
	require.Equal(t, books.Stale, bs[1].State())
	require.Equal(t, books.Empty, bs[2].State(), "a product that this connection never showed is not concerned")
	require.Equal(t, venue.Duplicate, say(strings.Replace(snap, "%", "4", 1)))
	require.Equal(t, venue.OK, say(strings.Replace(snap, "%", "6", 1)))
	require.Equal(t, books.Live, bs[1].State(), "gap first, then the snapshot of the same message")
	require.EqualValues(t, 2, bs[1].Counters().Gaps)
}

func TestDecode_refusedMessageIsAGap(t *testing.T) {
	const good = `{"channel":"l2_data","timestamp":"2026-01-01T00:00:00Z","sequence_num":1,"events":[{"type":"update","product_id":"BTC-USD","updates":[` +
		`{"side":"bid","event_time":"1970-01-01T00:00:00Z","price_level":"10.5","new_quantity":"1"}]}]}`
	for want, edit := range map[venue.Reason][2]string{
		venue.Malformed:     {`"10.5"`, `"10.5x"`},
		venue.OffScale:      {`"10.5"`, `"10.501"`},
		venue.TooLarge:      {`"1"`, `"100000000000"`},
		venue.BadLevel:      {`"1"`, `"-1"`},
		venue.UnknownSymbol: {`BTC-USD`, `BTC-EUR`},
	} {
		d := fresh(t)
		_, why := d.Decode(1, wiretest.Slacked(strings.Replace(good, `"sequence_num":1`, `"sequence_num":0`, 1)))
		require.Equal(t, venue.OK, why)
		evs, why := d.Decode(1, wiretest.Slacked(strings.Replace(good, edit[0], edit[1], 1)))
		require.Equal(t, want, why)
		require.Empty(t, evs)
		evs, why = d.Decode(1, wiretest.Slacked(strings.Replace(good, `"sequence_num":1`, `"sequence_num":2`, 1)))
		require.Equal(t, venue.OK, why)
		require.Equal(t, want != venue.UnknownSymbol, evs[0].Kind == venue.Gap, want.String())
	}
}

func TestDecode_largeSnapshotComesInParts(t *testing.T) {
	d := fresh(t)
	for _, l := range wiretest.Lines(t, recorded) {
		if l.Kind != "ws" || !bytes.Contains(l.Msg[:min(len(l.Msg), 200)], []byte(`"type":"snapshot","product_id"`)) {
			continue
		}
		evs, why := Adapter.Decoder(wiretest.Venue, d.table()).Decode(l.Recv, l.Msg)
		require.Equal(t, venue.OK, why)
		wiretest.WellFormed(t, evs)
		parts, levels := 0, 0
		for i := range evs {
			if evs[i].Kind == venue.Head {
				require.EqualValues(t, parts, evs[i].First())
				parts++
			}
			levels += int(evs[i].N)
		}
		require.Greater(t, parts, 30)
		require.Equal(t, bytes.Count(l.Msg, []byte(`"price_level"`)), levels)
	}
}

func (d *decoder) table() []*venue.Instrument {
	var out []*venue.Instrument
	for _, s := range d.order {
		out = append(out, s.in)
	}
	return out
}

func TestDiscover_findsWhatHasData(t *testing.T) {
	d := Adapter.Discover()
	for _, l := range wiretest.Lines(t, recorded) {
		d.Line(l.Kind, l.URL, l.Msg)
	}
	ls := d.Listings()
	require.Len(t, ls, 2)
	require.Equal(t, Adapter.Listings[0], ls[0], "the shipped table is what the venue's list says")
	require.Equal(t, Adapter.Listings[1], ls[1])

	d = Adapter.Discover()
	d.Line("ws", "", []byte(`{"channel":"market_trades","events":[{"type":"update","trades":[{"product_id":"ABC-USD","price":"1.25","size":"3.0"}]}]}`))
	ls = d.Listings()
	require.Len(t, ls, 1)
	require.Equal(t, []string{"ABC-USD", "ABC", "USD", "0.01", "0.1"}, []string{ls[0].Symbol, ls[0].Base, ls[0].Quote, ls[0].Tick, ls[0].Lot})
	require.Equal(t, venue.Unlisted, ls[0].Status)
}

func TestDetect_knowsItsOwnLinesOnly(t *testing.T) {
	n := 0
	for _, l := range wiretest.Lines(t, recorded) {
		if l.Kind == "ws" || l.Kind == "rest" {
			require.True(t, Adapter.Detect(l.Kind, l.URL, l.Msg))
			n++
		}
	}
	require.Equal(t, 1031, n)
	for _, other := range []string{
		`{"channel":"book","type":"update","data":[{"symbol":"BTC/USD","bids":[],"asks":[],"checksum":1}]}`,
		`{"stream":"btcusdt@depth","data":{"e":"depthUpdate"}}`, `[1,[],"book-10","A/B"]`, ``,
	} {
		require.False(t, Adapter.Detect("ws", "", []byte(other)))
	}
}

func TestListings_areWellFormed(t *testing.T) {
	seen := map[string]bool{}
	for _, l := range Adapter.Listings {
		require.False(t, seen[l.Symbol], l.Symbol)
		seen[l.Symbol] = true
		require.LessOrEqual(t, wire.Decimals([]byte(l.MaxQty)), wire.Decimals([]byte(l.Lot)))
	}
	wiretest.Instruments(t, Adapter.Listings, 0, 0)
	l := spot("XRP", "USD", "0.0001", "0.000001", "", "11996772.8407292192545075", "")
	require.Equal(t, "11996772.840729", l.MaxQty)
}

func TestProduct_flagsDecideTheStatus(t *testing.T) {
	for text, want := range map[string]venue.Status{
		`{"status":"online"}`: venue.Trading, `{"status":"delisted"}`: venue.Unlisted,
		`{"status":"online","trading_disabled":true,"limit_only":true}`: venue.Halted,
		`{"status":"online","cancel_only":true,"post_only":true}`:       venue.CancelOnly,
		`{"status":"online","post_only":true}`:                          venue.PostOnlyMode,
		`{"status":"online","limit_only":true}`:                         venue.LimitOnly,
	} {
		require.Equal(t, want, status(fastjson.MustParse(text)), text)
	}
}

// TestDecode_publishedShapes decodes the single messages that another project keeps as samples, spaces and all.
func TestDecode_publishedShapes(t *testing.T) {
	got := map[string]int{}
	for _, l := range wiretest.Lines(t, "coinbase/advanced-fixtures.jsonl") {
		if bytes.Contains(l.Msg, []byte(`"sequence_num"`)) {
			evs, why := fresh(t).Decode(1, l.Msg)
			got[why.String()]++
			if why == venue.OK {
				wiretest.WellFormed(t, evs)
			}
		}
	}
	// l2 snapshot and update, trades, ticker, heartbeat; the rest is subscriptions, candles and user
	require.Equal(t, map[string]int{"ok": 5, "ignored": 3}, got)
}
