package binance

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/wire"
	"oneprice/feeds/wire/wiretest"
)

// binaryBTC is spotBTC for the binary streams.
func binaryBTC(price, size uint8) binaryDecoder {
	return binaryDecoder{newDecoder(wiretest.Venue, []*venue.Instrument{{Inst: 1, Venue: wiretest.Venue, Symbol: "BTCUSDT", PriceScale: price, QtyScale: size, PriceText: 8, QtyText: 8}}, venue.ChainRange)}
}

// header begins a message.
func header(root, template, schema, version uint16) []byte {
	b := le.AppendUint16(nil, root)
	b = le.AppendUint16(b, template)
	b = le.AppendUint16(b, schema)
	return le.AppendUint16(b, version)
}

// fields appends 64-bit fields.
func fields(b []byte, vs ...int64) []byte {
	for _, v := range vs {
		b = le.AppendUint64(b, uint64(v))
	}
	return b
}

func symbol(b []byte, s string) []byte { return append(append(b, byte(len(s))), s...) }

// exponents appends two of them.
func exponents(b []byte, price, qty int8) []byte { return append(b, byte(price), byte(qty)) }

// group appends levels.
func group(b []byte, levels [][2]int64) []byte {
	b = le.AppendUint16(le.AppendUint16(b, sbeLevel), uint16(len(levels)))
	for _, l := range levels {
		b = fields(b, l[0], l[1])
	}
	return b
}

func depthMessage(at, first, last int64, bids, asks [][2]int64) []byte {
	b := exponents(fields(header(sbeDepthRoot, sbeDepth, 1, 0), at, first, last), -8, -8)
	return symbol(group(group(b, bids), asks), "BTCUSDT")
}

func touchMessage(at, id, bid, bidQty, ask, askQty int64) []byte {
	return symbol(fields(exponents(fields(header(sbeTouchRoot, sbeTouch, 1, 0), at, id), -8, -8), bid, bidQty, ask, askQty), "BTCUSDT")
}

func tradesMessage(at int64, trades ...[4]int64) []byte {
	b := exponents(fields(header(sbeTradesRoot, sbeTrades, 1, 0), at, at-5), -8, -8)
	b = le.AppendUint32(le.AppendUint16(b, sbeTrade), uint32(len(trades)))
	for _, t := range trades {
		b = append(fields(b, t[:3]...), byte(t[3]))
	}
	return symbol(b, "BTCUSDT")
}

func slacked(b []byte) []byte { return wiretest.Slacked(string(b)) }

// TestBinary_readsTheSchemasOwnBytes holds the decoder, and the helpers above, against a message written out by hand from
// stream_1_0.xml.
func TestBinary_readsTheSchemasOwnBytes(t *testing.T) {
	text := strings.NewReplacer(" ", "", "\n", "", "\t", "").Replace(`
		1a00 1327 0100 0000
		c031a9482a150600 0102000000000000 0302000000000000 f8 f8
		1000 0100 00e8 0d75 d208 0000 00e1 f505 0000 0000
		1000 0000
		07 42544355534454`)
	msg, err := hex.DecodeString(text)
	require.NoError(t, err)
	require.Equal(t, msg, depthMessage(1712121212121536, 513, 515, [][2]int64{{9_700_000_000_000, 100_000_000}}, nil))
	ev, why := binaryBTC(2, 5).Decode(7, slacked(msg))
	require.Equal(t, venue.OK, why)
	require.Len(t, ev, 2)
	var head venue.Event
	head.SetHead(wiretest.Venue, 1, 0, 7, 1712121212121536000, 513, 0, 515, venue.NoChecksum, 1)
	require.Equal(t, head, ev[0])
	require.Equal(t, venue.Level{Price: 9_700_000, Qty: 100_000}, ev[1].Level(0))
}

// levelText is a mantissa at exponent -8 as the text streams print it.
func levelText(v int64) string { return string(fixed.Append(nil, v, 8)) }

func TestBinary_saysWhatTheTextSays(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	text, binary := binaryBTC(2, 5).Decoder, binaryBTC(2, 5)
	same := func(msg []byte, json string) {
		want, why := text.Decode(9, wiretest.Slacked(json))
		require.Equal(t, venue.OK, why, json)
		want = append([]venue.Event(nil), want...)
		got, why := binary.Decode(9, slacked(msg))
		require.Equal(t, venue.OK, why, json)
		wiretest.WellFormed(t, got)
		require.Equal(t, want, got, json)
	}
	side := func() (levels [][2]int64, json string) {
		var out []string
		for range r.IntN(40) {
			l := [2]int64{r.Int64N(10_000_000) * 1_000_000, r.Int64N(100_000_000) * 1000 * r.Int64N(2)}
			levels = append(levels, l)
			out = append(out, fmt.Sprintf(`["%s","%s"]`, levelText(l[0]), levelText(l[1])))
		}
		return levels, strings.Join(out, ",")
	}
	for range 500 {
		ms, id := int64(1.7e12)+r.Int64N(1e10), r.Int64N(1e15)
		bids, b := side()
		asks, a := side()
		same(depthMessage(ms*1000, id, id+5, bids, asks), fmt.Sprintf(`{"e":"depthUpdate","E":%d,"s":"BTCUSDT","U":%d,"u":%d,"b":[%s],"a":[%s]}`, ms, id, id+5, b, a))
		p, q, maker := r.Int64N(1e7)*1_000_000, r.Int64N(1e8)*1000, r.Int64N(2)
		same(tradesMessage(ms*1000, [4]int64{id, p, q, maker}), fmt.Sprintf(`{"e":"trade","E":%d,"s":"BTCUSDT","t":%d,"p":"%s","q":"%s","T":%d,"m":%t,"M":true}`,
			ms, id, levelText(p), levelText(q), ms, maker == 1))
		// A touch has no time in text, where the time of receipt stands for it.
		same(touchMessage(0, id, p, q, p+1_000_000, q), fmt.Sprintf(`{"u":%d,"s":"BTCUSDT","b":"%s","B":"%s","a":"%s","A":"%s","E":0}`, id, levelText(p), levelText(q), levelText(p+1_000_000), levelText(q)))
	}
}

func TestBinary_givesEveryTradeOfAnOrder(t *testing.T) {
	ev, why := binaryBTC(2, 5).Decode(9, slacked(tradesMessage(1.7e15, [4]int64{11, 9_700_000_000_000, 100_000, 0}, [4]int64{12, 9_700_001_000_000, 200_000, 1})))
	require.Equal(t, venue.OK, why)
	require.Len(t, ev, 2)
	for i, side := range []uint8{venue.Bids, venue.Asks} {
		require.Equal(t, venue.Last|side, ev[i].Flags)
		require.EqualValues(t, 11+i, ev[i].Seq)
		require.EqualValues(t, 9_700_000+int64(i), ev[i].W[0])
	}
	_, why = binaryBTC(2, 5).Decode(9, slacked(tradesMessage(1.7e15)))
	require.Equal(t, venue.Ignored, why)
}

func TestBinary_refusesByReason(t *testing.T) {
	level := func(p, q int64) []byte { return depthMessage(1.7e15, 1, 2, nil, [][2]int64{{p, q}}) }
	alter := func(msg []byte, at int, to ...byte) []byte {
		msg = bytes.Clone(msg)
		copy(msg[at:], to)
		return msg
	}
	good := level(9_700_000_000_000, 100_000_000)
	for name, c := range map[string]struct {
		msg  []byte
		want venue.Reason
	}{
		"whole":                    {good, venue.OK},
		"a digit beyond the scale": {level(9_700_000_000_001, 100_000_000), venue.OffScale},
		"of the quantity":          {level(9_700_000_000_000, 100_000_001), venue.OffScale},
		"too large":                {level(9_700_000_000_000, (fixed.Limit+1)*1000), venue.TooLarge},
		"negative":                 {level(-9_700_000_000_000, 0), venue.Malformed},
		"no time":                  {depthMessage(-1, 1, 2, nil, nil), venue.Malformed},
		"a negative id":            {depthMessage(1.7e15, -1, 2, nil, nil), venue.Malformed},
		"another schema":           {alter(good, 4, 2), venue.NotMyShape},
		"another template":         {alter(good, 2, 0xff, 0xff), venue.Ignored},
		"the partial book":         {alter(good, 2, 0x12, 0x27), venue.Ignored},
		"a longer root":            {alter(good, 0, 27), venue.Malformed},
		"a shorter root":           {alter(good, 0, 18), venue.Malformed},
		"longer levels":            {alter(good, 8+26, 17), venue.Malformed},
		"more levels than bytes":   {alter(good, 8+26+2, 0xff, 0xff), venue.Malformed},
		"another symbol":           {alter(good, len(good)-1, 'C'), venue.UnknownSymbol},
		"a longer symbol":          {alter(good, len(good)-8, 8), venue.Malformed},
		"something behind":         {append(bytes.Clone(good), 0), venue.Malformed},
		"nothing":                  {nil, venue.Malformed},
		"a trade of neither side":  {tradesMessage(1.7e15, [4]int64{1, 9_700_000_000_000, 0, 2}), venue.Malformed},
		"more trades than bytes":   {alter(tradesMessage(1.7e15, [4]int64{1, 9_700_000_000_000, 0, 1}), 8+18+2, 0xff, 0xff, 0xff, 0xff), venue.Malformed},
		"an answer":                {[]byte(`{"result":null,"id":1}`), venue.Ignored},
	} {
		ev, why := binaryBTC(2, 5).Decode(1, slacked(c.msg))
		require.Equal(t, c.want, why, name)
		require.Equal(t, c.want == venue.OK, len(ev) > 0, name)
	}
	for _, whole := range [][]byte{good, touchMessage(1.7e15, 3, 1e12, 1e8, 2e12, 1e8), tradesMessage(1.7e15, [4]int64{1, 1e12, 1e8, 0})} {
		_, why := binaryBTC(2, 5).Decode(1, slacked(whole))
		require.Equal(t, venue.OK, why)
		for n := range len(whole) {
			ev, why := binaryBTC(2, 5).Decode(1, slacked(whole[:n]))
			require.Equal(t, venue.Malformed, why, "cut to %d of %d bytes", n, len(whole))
			require.Empty(t, ev)
		}
	}
}

func TestBinary_stepsOverWhatALaterVersionAdds(t *testing.T) {
	b := append(exponents(fields(header(sbeDepthRoot+3, sbeDepth, 1, 1), 1.7e15, 5, 6), -8, -8), 1, 2, 3)
	b = append(fields(le.AppendUint16(le.AppendUint16(b, sbeLevel+1), 1), 9_700_000_000_000, 100_000_000), 0xee)
	b = append(symbol(group(b, nil), "BTCUSDT"), 4, 5)
	want, why := binaryBTC(2, 5).Decode(9, slacked(depthMessage(1.7e15, 5, 6, [][2]int64{{9_700_000_000_000, 100_000_000}}, nil)))
	require.Equal(t, venue.OK, why)
	got, why := binaryBTC(2, 5).Decode(9, slacked(b))
	require.Equal(t, venue.OK, why)
	require.Equal(t, want, got)
	b[6] = 0 // as our own version these lengths are wrong
	_, why = binaryBTC(2, 5).Decode(9, slacked(b))
	require.Equal(t, venue.Malformed, why)
}

// TestScale_isExactOrRefuses holds every exponent and scale against big integers.
func TestScale_isExactOrRefuses(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 9))
	counts := map[venue.Reason]int{}
	for range 300_000 {
		exponent, to := int8(r.IntN(256)-128), uint8(r.IntN(fixed.MaxScale+1))
		if r.IntN(8) > 0 {
			exponent = int8(-r.IntN(20))
		}
		mantissa := r.Int64() >> r.IntN(64) * fixed.Pow10(uint8(r.IntN(8))) // wraps now and then
		if r.IntN(9) == 0 {
			mantissa = -mantissa
		}
		got, why := scaling(byte(exponent), to).of(uint64(mantissa))
		counts[why]++
		want, rest := new(big.Int), new(big.Int)
		shift := int(exponent) + int(to)
		ten := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(shift, -shift))), nil)
		if shift >= 0 {
			want.Mul(big.NewInt(mantissa), ten)
		} else {
			want.QuoRem(big.NewInt(mantissa), ten, rest)
		}
		switch {
		case mantissa < 0:
			require.Equal(t, venue.Malformed, why)
		case rest.Sign() != 0:
			require.Equal(t, venue.OffScale, why, "%d at %d to %d", mantissa, exponent, to)
		case want.Cmp(big.NewInt(fixed.Limit)) > 0:
			require.Equal(t, venue.TooLarge, why, "%d at %d to %d", mantissa, exponent, to)
		default:
			require.Equal(t, venue.OK, why, "%d at %d to %d", mantissa, exponent, to)
			require.Equal(t, want.Uint64(), got)
		}
	}
	for _, why := range []venue.Reason{venue.OK, venue.OffScale, venue.TooLarge, venue.Malformed} {
		require.Greater(t, counts[why], 1000, why)
	}
}

func TestBinary_allocatesNothing(t *testing.T) {
	d := binaryBTC(2, 5)
	pool := append(binarySynthetic(20), slacked(touchMessage(1.7e15, 3, 1e12, 1e8, 2e12, 1e8)), slacked(tradesMessage(1.7e15, [4]int64{1, 1e12, 1e8, 0})))
	i := 0
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		if _, why := d.Decode(1, pool[i%len(pool)]); why != venue.OK {
			panic(why)
		}
		i++
	}))
}

// binarySynthetic is synthetic as the binary stream has it.
func binarySynthetic(n int) (pool [][]byte) {
	d := spotBTC(2, 5)
	for _, m := range synthetic(n) {
		ev, _ := d.Decode(1, m)
		var sides [2][][2]int64
		for i := range ev[1:] {
			e := &ev[1+i]
			for k := range e.N {
				l := e.Level(k)
				s := e.Flags / venue.Asks & 1
				sides[s] = append(sides[s], [2]int64{int64(l.Price) * 1e6, int64(l.Qty) * 1e3})
			}
		}
		pool = append(pool, slacked(depthMessage(int64(ev[0].At()/venue.Microsecond), int64(ev[0].First()), int64(ev[0].Seq), sides[0], sides[1])))
	}
	return pool
}

// BenchmarkBinary decodes the same depth updates from text and from binary, in turns.
func BenchmarkBinary(b *testing.B) {
	for _, n := range []int{2, 20, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			texts, binaries := synthetic(n), binarySynthetic(n)
			pool := make([][]byte, len(texts))
			copy(pool, texts)
			text, binary, i := spotBTC(2, 5), binaryBTC(2, 5), 0
			versus(b, pool, []string{"text", "binary"}, scanOnly(text), func([]byte) bool {
				_, why := binary.Decode(1, binaries[i%len(binaries)])
				i++
				return why == venue.OK
			})
		})
	}
}

func FuzzBinary(f *testing.F) {
	f.Add(depthMessage(1.7e15, 1, 2, [][2]int64{{1e12, 1e8}, {2e12, 0}}, [][2]int64{{3e12, 1e8}}), uint8(2), uint8(5))
	f.Add(touchMessage(1.7e15, 3, 1e12, 1e8, 2e12, 1e8), uint8(8), uint8(8))
	f.Add(tradesMessage(1.7e15, [4]int64{1, 1e12, 1e8, 0}), uint8(0), uint8(18))
	f.Fuzz(func(t *testing.T, msg []byte, price, qty uint8) {
		d := binaryBTC(price%(fixed.MaxScale+1), qty%(fixed.MaxScale+1))
		ev, why := d.Decode(1, slacked(msg))
		if why != venue.OK {
			require.Empty(t, ev)
			return
		}
		wiretest.WellFormed(t, ev)
		for i := range ev {
			if ev[i].Kind == venue.Levels {
				for k := range ev[i].N {
					l := ev[i].Level(k)
					require.LessOrEqual(t, uint64(l.Price)|uint64(l.Qty), uint64(2*fixed.Limit-1))
				}
			}
		}
		again, why := d.Decode(1, append(bytes.Clone(msg), make([]byte, wire.Slack)...)[:len(msg)])
		require.Equal(t, venue.OK, why, "what lies behind a message has no say")
		require.Equal(t, ev, again)
	})
}
