package binance

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/wire"
	"oneprice/feeds/wire/wiretest"
)

func TestDecode_allocatesNothing(t *testing.T) {
	for _, path := range goldenFiles(t) {
		if strings.Contains(path, "nojson") || strings.Contains(path, "-cut") {
			continue // what is not JSON costs an error inside the parser
		}
		d, _, msg := golden(t, path)
		decode := func() { d.Decode(1, msg) }
		if strings.Contains(path, "rest") {
			decode = func() { d.Rest(1, "GET depth?symbol=BTCUSDT", msg) }
		}
		decode()
		require.Zero(t, testing.AllocsPerRun(50, decode), path)
		slow := func() { d.fallback(1, msg) }
		slow()
		require.Zero(t, testing.AllocsPerRun(50, slow), path)
	}
	for _, n := range []int{20, 1000} {
		d := spotBTC(2, 5)
		pool := synthetic(n)
		d.Decode(1, pool[0])
		i := 0
		require.Zero(t, testing.AllocsPerRun(100, func() { d.Decode(1, pool[i%len(pool)]); i++ }))
	}
}

// bookBody is a REST book of n levels a side, and its levels as a decoder at scales 2 and 5 must give them.
func bookBody(n int) (body []byte, bids, asks []venue.Level) {
	text := strings.Builder{}
	text.WriteString(`{"lastUpdateId":77,"bids":[`)
	side := func(sign int) (out []venue.Level) {
		for i := range n {
			p, q := 9_700_000+sign*(i+1), 1+i*7919%1_000_000
			if i > 0 {
				text.WriteByte(',')
			}
			fmt.Fprintf(&text, `["%d.%02d000000","%d.%05d000"]`, p/100, p%100, q/100_000, q%100_000)
			out = append(out, venue.Level{Price: fixed.Price(p), Qty: fixed.Qty(q)})
		}
		return out
	}
	bids = side(-1)
	text.WriteString(`],"asks":[`)
	asks = side(1)
	text.WriteString(`]}`)
	return wiretest.Slacked(text.String()), bids, asks
}

func TestRest_cutsALargeBookIntoParts(t *testing.T) {
	for _, n := range []int{0, 1, 3, 382, 383, 384, 765, 766, 5000} {
		body, bids, asks := bookBody(n)
		d := spotBTC(2, 5)
		for _, rest := range []func() ([]venue.Event, venue.Reason){
			func() ([]venue.Event, venue.Reason) { return d.Rest(5, "", body) },
			func() ([]venue.Event, venue.Reason) { return d.restFallback(5, "", body) },
		} {
			ev, why := rest()
			require.Equal(t, venue.OK, why)
			var got [2][]venue.Level
			parts := 0
			for i := 0; i < len(ev); {
				h := ev[i]
				require.Equal(t, venue.Head, h.Kind)
				require.EqualValues(t, parts, h.First())
				require.EqualValues(t, 77, h.Seq)
				last := i+h.Count() == len(ev)-1
				require.Equal(t, last, h.Flags&venue.Part == 0)
				require.NotZero(t, h.Flags&venue.Snapshot)
				require.Less(t, h.Count(), wire.PartRecords)
				require.NotZero(t, ev[i+h.Count()].Flags&venue.Last)
				for _, e := range ev[i+1 : i+1+h.Count()] {
					for k := range e.N {
						s := 0
						if e.Flags&venue.Asks != 0 {
							s = 1
						}
						got[s] = append(got[s], e.Level(k))
					}
				}
				i += 1 + h.Count()
				parts++
			}
			require.Equal(t, [2][]venue.Level{bids, asks}, got)
			require.Equal(t, max(1, (2*((n+2)/3)+254)/255), parts)
		}
	}
}

func TestRest_findsItsSymbol(t *testing.T) {
	body, _, _ := bookBody(1)
	two := newDecoder(1, []*venue.Instrument{
		{Inst: 1, Symbol: "BTCUSDT", PriceScale: 2, QtyScale: 5}, {Inst: 2, Symbol: "ETHUSDT", PriceScale: 2, QtyScale: 5}}, venue.ChainRange)
	ev, why := two.Rest(1, "https://api.binance.com/api/v3/depth?symbol=ETHUSDT&limit=1000", body)
	require.Equal(t, venue.OK, why)
	require.EqualValues(t, 2, ev[0].Inst)
	for _, request := range []string{"depth limit=1000", "depth?symbol=XRPUSDT"} {
		ev, why = two.Rest(1, request, body)
		require.Equal(t, venue.UnknownSymbol, why)
		require.Empty(t, ev)
	}
	ev, why = spotBTC(2, 5).Rest(1, "depth limit=1000", body)
	require.Equal(t, venue.OK, why)
	require.EqualValues(t, 1, ev[0].Inst)
}

func TestSymbols_findsEveryOneAndNoOther(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	var ins []*venue.Instrument
	names := map[string]venue.Inst{}
	for len(ins) < 1000 {
		b := make([]byte, 1+r.IntN(24))
		for i := range b {
			b[i] = "ABCDE_0123"[r.IntN(10)]
		}
		if names[string(b)] == 0 {
			ins = append(ins, &venue.Instrument{Inst: venue.Inst(len(ins) + 1), Symbol: string(b)})
			names[string(b)] = venue.Inst(len(ins))
		}
	}
	for _, n := range []int{0, 1, 2, 1000} {
		s := newSymbols(ins[:n])
		for range 20_000 {
			in := ins[r.IntN(len(ins))]
			text := in.Symbol
			switch r.IntN(4) {
			case 0:
				text = text[:r.IntN(len(text)+1)]
			case 1:
				text += "X"
			}
			b := wiretest.Slacked(text + `","U":1`)
			e, next := s.at(b[:len(b)+wire.Slack], 0, len(b))
			require.Equal(t, len(text)+1, next, text)
			if id := names[text]; id == 0 || int(id) > n {
				require.Nil(t, e, text)
			} else {
				require.Equal(t, id, e.inst, text)
			}
		}
	}
}

func TestShape_readsWhatParseReads(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 32))
	digits := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte('0' + r.IntN(10)*min(1, r.IntN(3)))
		}
		return string(b)
	}
	fast := 0
	for range 20_000 {
		scale := uint8(r.IntN(10))
		p, q := shape{scale: scale}, size{scale: scale}
		p.guess(1+r.IntN(8), r.IntN(9), r.IntN(4) == 0)
		q.guess(r.IntN(9))
		whole, frac := 1+r.IntN(9), r.IntN(10)
		for range 8 {
			if r.IntN(4) == 0 {
				whole, frac = 1+r.IntN(9), r.IntN(10)
			}
			text := digits(whole)
			if frac > 0 {
				kept := min(frac, int(scale))
				text += "." + digits(kept) + strings.Repeat("0", frac-kept)
				if r.IntN(10) == 0 {
					text = text[:len(text)-1] + "7"
				}
			}
			if r.IntN(20) == 0 {
				text = text[:r.IntN(len(text))] + string("x-\"e /:"[r.IntN(7)]) + text[1:]
			}
			want, fault := fixed.Parse([]byte(text), scale)
			valid := fault == fixed.OK && want >= 0
			if i := strings.IndexByte(text, '"'); i >= 0 { // the text ends at its first quote
				want, fault = fixed.Parse([]byte(text[:i]), scale)
				text, valid = text[:i], fault == fixed.OK && want >= 0
			}
			msg := wiretest.Slacked(`["` + text + `","U":1}`)
			b := msg[:len(msg)+wire.Slack]
			was := p
			for _, read := range []func([]byte, int) (uint64, int){p.read, q.read} {
				got, next := read(b, 2)
				require.Equal(t, valid, next > 0, "%q at %d", text, scale)
				if valid {
					require.EqualValues(t, want, got, "%q at %d", text, scale)
					require.Equal(t, 2+len(text)+1, next, "%q at %d", text, scale)
				}
			}
			if valid && was == p {
				fast++
			}
		}
	}
	require.Greater(t, fast, 40_000)
}

func TestDecode_readsEveryScale(t *testing.T) {
	for _, p := range []uint8{0, 1, 2, 8, 9, 10} {
		for _, q := range []uint8{0, 3, 7, 8, 9, 12} {
			ins := []*venue.Instrument{{Inst: 1, Venue: wiretest.Venue, Symbol: "BTCUSDT", PriceScale: p, QtyScale: q}}
			for _, level := range []string{`"97000","35"`, `"97000.0","3"`, `"0.00000000","0.00000000"`, `"7.00000000","12.00000000"`, `"97000.1","0.125"`,
				`"0.00001234","1234567.00"`, `"12.34567891","7.0000001"`} {
				msg := `{"e":"depthUpdate","E":1700000000123,"s":"BTCUSDT","U":1,"u":2,"b":[[` + level + `],[` + level + `]],"a":[[` + level + `]]}`
				agree(t, newDecoder(wiretest.Venue, ins, venue.ChainRange), ins, wiretest.Slacked(msg))
			}
		}
	}
}

func TestDecode_learnsAnInstrumentsShapeAndKeepsTheFastPath(t *testing.T) {
	d := spotBTC(2, 5)
	for i, price := range []string{"97000.01000000", "9700.01000000", "101000.50000000", "1.00", "97000.1"} {
		msg := wiretest.Slacked(fmt.Sprintf(`{"e":"depthUpdate","E":1700000000123,"s":"BTCUSDT","U":1,"u":2,"b":[["%s","1.00000000"]],"a":[]}`, price))
		ev, why := d.scan(1, msg[:len(msg)+wire.Slack], len(msg))
		require.Equal(t, venue.OK, why, price)
		want, _ := fixed.Parse([]byte(price), 2)
		require.EqualValues(t, want, ev[1].W[0], i)
	}
}
