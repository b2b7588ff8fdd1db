package binance

import (
	"bytes"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"github.com/valyala/fastjson"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/wire"
	"oneprice/feeds/wire/wiretest"
)

// oracle decodes a websocket message the obvious way: a JSON tree, decimals of arbitrary precision, and a fresh slice.
// ok is false where the message carries no event or is not valid.
func oracle(ins []*venue.Instrument, chain venue.Chain, recv venue.Nanos, msg []byte) (out []venue.Event, ok bool) {
	v, err := fastjson.ParseBytes(msg)
	if err != nil || v.Type() != fastjson.TypeObject {
		return nil, false
	}
	stream := ""
	if data := v.Get("data"); data != nil {
		stream = string(v.GetStringBytes("stream"))
		if v = data; v.Type() != fastjson.TypeObject {
			return nil, false
		}
		if string(v.GetStringBytes("e")) == "depthUpdate" && !diffName.MatchString(stream) {
			return nil, false
		}
	}
	var in *venue.Instrument
	for _, i := range ins {
		if v.Exists("s") && i.Symbol == string(v.GetStringBytes("s")) {
			in = i
		}
	}
	if in == nil {
		return nil, false
	}
	o := &reading{v: v, in: in, ok: true}
	switch event := string(v.GetStringBytes("e")); {
	case event == "depthUpdate":
		bids, asks := o.side("b"), o.side("a")
		last, prev := o.id("u"), uint64(0)
		if chain == venue.ChainPrev {
			prev = o.id("pu")
		}
		out = append(out, venue.Event{})
		for i, side := range [2][]venue.Level{bids, asks} {
			for len(side) > 0 {
				n := min(3, len(side))
				e := venue.Event{Kind: venue.Levels, Flags: [2]uint8{venue.Bids, venue.Asks}[i], N: uint8(n), Venue: in.Venue, Inst: in.Inst, Seq: last}
				for k, l := range side[:n] {
					e.W[2*k], e.W[2*k+1] = int64(l.Price), int64(l.Qty)
				}
				out, side = append(out, e), side[n:]
			}
		}
		out[0].SetHead(in.Venue, in.Inst, 0, recv, o.when("E"), o.id("U"), prev, last, venue.NoChecksum, len(out)-1)
		out[len(out)-1].Flags |= venue.Last
	case event == "bookTicker", !v.Exists("e") && v.Exists("A"):
		at := recv
		if v.Exists("E") {
			at = o.when("E")
		}
		out = make([]venue.Event, 1)
		out[0].SetTouch(in.Venue, in.Inst, venue.Last, o.id("u"), fixed.Price(o.number("b", in.PriceScale)), fixed.Qty(o.number("B", in.QtyScale)),
			fixed.Price(o.number("a", in.PriceScale)), fixed.Qty(o.number("A", in.QtyScale)), recv, at)
	case event == "trade":
		if v.Exists("X") && string(v.GetStringBytes("X")) != "MARKET" {
			return nil, false
		}
		side, maker := venue.Bids, v.Get("m")
		if maker == nil || maker.Type() != fastjson.TypeTrue && maker.Type() != fastjson.TypeFalse {
			return nil, false
		}
		if maker.GetBool() {
			side = venue.Asks
		}
		out = make([]venue.Event, 1)
		out[0].SetTrade(in.Venue, in.Inst, venue.Last|side, o.id("t"), fixed.Price(o.number("p", in.PriceScale)), fixed.Qty(o.number("q", in.QtyScale)), recv, o.when("E"))
	default:
		return nil, false
	}
	return out, o.ok
}

// reading reads fields of an object and remembers whether one was missing or wrong.
type reading struct {
	v  *fastjson.Value
	in *venue.Instrument
	ok bool
}

func (o *reading) id(key string) uint64 {
	if o.v.Get(key) == nil {
		o.ok = false
		return 0
	}
	u, err := o.v.Get(key).Uint64()
	o.ok = o.ok && err == nil
	return u
}

func (o *reading) when(key string) venue.Nanos {
	u := o.id(key)
	unit := decimal.New(1, 6)
	if u >= 1e15 {
		unit = decimal.New(1, 3)
	}
	at := decimal.NewFromUint64(u).Mul(unit)
	o.ok = o.ok && at.BigInt().IsInt64() && (u < 1e14 || u >= 1e15)
	return venue.Nanos(at.IntPart())
}

func (o *reading) number(key string, scale uint8) int64 { return o.decimal(o.v.Get(key), scale) }

func (o *reading) decimal(v *fastjson.Value, scale uint8) int64 {
	if v == nil || v.Type() != fastjson.TypeString {
		o.ok = false
		return 0
	}
	text := string(v.GetStringBytes())
	d, err := decimal.NewFromString(text)
	if err != nil || !grammar.MatchString(text) {
		o.ok = false
		return 0
	}
	n, f := fixed.FromDecimal(d, scale)
	o.ok = o.ok && f == fixed.OK && n >= 0
	return n
}

// diffName is the name of a stream of book deltas.
var diffName = regexp.MustCompile(`@depth(@[^@]*ms)?$`)

// grammar is what fixed.Parse calls a number.
var grammar = regexp.MustCompile(`^-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$`)

func (o *reading) side(key string) []venue.Level {
	v := o.v.Get(key)
	if v == nil || v.Type() != fastjson.TypeArray {
		o.ok = false
		return nil
	}
	var out []venue.Level
	for _, l := range v.GetArray() {
		out = append(out, venue.Level{Price: fixed.Price(o.decimal(l.Get("0"), o.in.PriceScale)), Qty: fixed.Qty(o.decimal(l.Get("1"), o.in.QtyScale))})
	}
	return out
}

// captures are the recorded sessions, and the scales at which they are decoded: with room, as the product's are.
var captures = []struct {
	file    string
	product product
	adapter *wire.Adapter
}{
	{"binance/spot-btcusdt.jsonl.gz", spot, &Spot},
	{"binance/usdm-btcusdt.jsonl.gz", usdm, &USDM},
	{"binance/cm-btcusd_perp.jsonl.gz", coinm, &COINM},
	{"binance/us-spot-4sym-20211012.jsonl.gz", spot, &Spot},
}

// discovered are the instruments of a recording.
func discovered(t testing.TB, a *wire.Adapter, ls []wiretest.Line) []*venue.Instrument {
	d := a.Discover()
	for _, l := range ls[:min(len(ls), 5000)] {
		d.Line(l.Kind, l.URL, l.Msg)
	}
	return wiretest.Instruments(t, d.Listings(), 0, 2)
}

func TestScanner_agreesWithTheOracleOnEveryRecordedMessage(t *testing.T) {
	for _, c := range captures {
		ls := wiretest.Lines(t, c.file)
		ins := discovered(t, c.adapter, ls)
		d := c.adapter.Decoder(wiretest.Venue, ins).(*Decoder)
		scanned, compared := 0, 0
		for i, l := range wiretest.WS(ls) {
			ev, why := d.scan(l.Recv, l.Msg[:len(l.Msg)+wire.Slack], len(l.Msg))
			got := append([]venue.Event(nil), ev...)
			slow, whySlow := d.fallback(l.Recv, l.Msg)
			if why == venue.NotMyShape {
				require.Equal(t, venue.Ignored, whySlow, "the scanner should know this: %s", l.Msg)
				continue
			}
			require.Equal(t, venue.OK, why)
			scanned++
			wiretest.WellFormed(t, got)
			wiretest.Same(t, slow, got)
			if i%20 == 0 { // the oracle is slow
				want, ok := oracle(ins, c.product.chain, l.Recv, l.Msg)
				require.True(t, ok)
				wiretest.Same(t, want, got)
				compared++
			}
		}
		t.Logf("%s: %d messages scanned, %d of them against the oracle", c.file, scanned, compared)
		require.Greater(t, scanned, 400)
	}
}

// agree checks one message of any bytes: no panic, all or nothing, well formed, and where scanner, fallback and oracle
// accept it, the same records; what the scanner accepts the others accept.
func agree(t testing.TB, d *Decoder, ins []*venue.Instrument, msg []byte) venue.Reason {
	const recv = 1_700_000_000_000_000_000
	ev, why := d.scan(recv, msg[:len(msg)+wire.Slack], len(msg))
	scanned := append([]venue.Event(nil), ev...)
	want, ok := oracle(ins, d.chain, recv, msg)
	if why == venue.OK {
		require.True(t, ok, "only the scanner takes %q", msg)
		wiretest.Same(t, want, scanned)
	}
	ev, slow := d.fallback(recv, msg)
	require.Equal(t, ok, slow == venue.OK, "%v: %q", slow, msg)
	if slow == venue.OK {
		wiretest.Same(t, want, ev)
	}
	ev, why = d.Decode(recv, msg)
	if why != venue.OK {
		require.Empty(t, ev)
	} else {
		wiretest.WellFormed(t, ev)
	}
	return why
}

func TestDecode_damagedMessagesAreRefusedOrReadAlike(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for _, c := range captures {
		ls := wiretest.Lines(t, c.file)
		ins := discovered(t, c.adapter, ls)
		d := c.adapter.Decoder(wiretest.Venue, ins).(*Decoder)
		ws := wiretest.WS(ls)
		taken, refused := 0, 0
		for range 6000 {
			msg := wiretest.Slacked(string(ws[r.IntN(len(ws))].Msg))
			for range 1 + r.IntN(2) {
				msg[r.IntN(len(msg))] = "0123456789.,:\"\\[]{}eE-+ abTU\x00\x1f\xff"[r.IntN(30)]
			}
			if r.IntN(8) == 0 {
				msg = wiretest.Slacked(string(msg[:r.IntN(len(msg))]))
			}
			if agree(t, d, ins, msg) == venue.OK {
				taken++
			} else {
				refused++
			}
		}
		require.Greater(t, taken, 300)
		require.Greater(t, refused, 300)
	}
}

var update = flag.Bool("update", false, "rewrite the golden files")

// golden runs a testdata case: the file's name begins with the product, and holds "rest" for a REST answer.
func golden(t testing.TB, path string) (*Decoder, []*venue.Instrument, []byte) {
	msg, err := os.ReadFile(path)
	require.NoError(t, err)
	p := spot
	ls := []wire.Listing{{Symbol: "BTCUSDT", Tick: "0.01", Lot: "0.00001"}, {Symbol: "SHIBUSDT", Tick: "0.00000001", Lot: "1"}}
	switch name := filepath.Base(path); {
	case strings.HasPrefix(name, "usdm"):
		p, ls = usdm, []wire.Listing{{Symbol: "BTCUSDT", Tick: "0.1", Lot: "0.001"}, {Symbol: "BTCUSDT_261225", Tick: "0.1", Lot: "0.001"}}
	case strings.HasPrefix(name, "coinm"):
		p, ls = coinm, []wire.Listing{{Symbol: "BTCUSD_PERP", Tick: "0.1", Lot: "1"}}
	}
	ins := wiretest.Instruments(t, ls, 0, 0)
	return newDecoder(wiretest.Venue, ins, p.chain), ins, wiretest.Slacked(string(bytes.TrimRight(msg, "\n")))
}

func goldenFiles(t testing.TB) []string {
	files, err := filepath.Glob("testdata/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return files
}

func TestDecode_goldenFrames(t *testing.T) {
	for _, path := range goldenFiles(t) {
		d, _, msg := golden(t, path)
		var ev []venue.Event
		var why venue.Reason
		if strings.Contains(path, "rest") {
			ev, why = d.Rest(1_700_000_000_000_000_000, "GET depth?symbol=BTCUSDT&limit=1000", msg)
		} else {
			ev, why = d.Decode(1_700_000_000_000_000_000, msg)
		}
		got := why.String() + "\n" + wiretest.Render(ev)
		want := strings.TrimSuffix(path, ".json") + ".want"
		if *update {
			require.NoError(t, os.WriteFile(want, []byte(got), 0o644))
		}
		text, err := os.ReadFile(want)
		require.NoError(t, err)
		require.Equal(t, string(text), got, path)
	}
}

func FuzzDecode(f *testing.F) {
	for _, path := range goldenFiles(f) {
		_, _, msg := golden(f, path)
		f.Add(string(msg), uint8(len(path)))
	}
	f.Fuzz(func(t *testing.T, msg string, which uint8) {
		files := []string{"testdata/spot-depth.json", "testdata/usdm-depth.json", "testdata/coinm-depth.json"}
		d, ins, _ := golden(t, files[int(which)%len(files)])
		agree(t, d, ins, wiretest.Slacked(msg))
		if ev, why := d.Rest(1, "", wiretest.Slacked(msg)); why == venue.OK {
			wiretest.WellFormed(t, ev)
		} else {
			require.Empty(t, ev)
		}
	})
}
