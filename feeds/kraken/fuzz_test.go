package kraken

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"oneprice/books/venue"
	"oneprice/feeds/wire/wiretest"
)

// state is what must be equal after equal messages.
func (d *decoder) state() []any {
	s := []any{d.lost, d.system}
	for _, x := range d.order {
		s = append(s, x.frames, x.pair, x.said)
	}
	return s
}

// FuzzDecode holds the scanner against the parser on any bytes: equal records, equal reason, equal state after it, and
// nothing at all of a message that is refused.
func FuzzDecode(f *testing.F) {
	for _, name := range []string{"testdata/v1.json", "testdata/v2.json"} {
		session, err := os.ReadFile(name)
		require.NoError(f, err)
		for l := range strings.Lines(string(session)) {
			f.Add([]byte(strings.TrimSpace(l)), false)
			f.Add([]byte(strings.TrimSpace(l)), true)
		}
	}
	f.Add([]byte(`{"channel":"book","type":"update","data":[{"symbol":"","bids":[],"asks":[],"checksum":1,"timestamp":"2023-10-06T17:35:55Z"}]}`), false)
	f.Add([]byte(`[560,{"a":[["5542.70000","0.1","1534614248.456738"]],"c":"1"},"book-10",""]`), false)
	f.Fuzz(func(t *testing.T, msg []byte, lost bool) {
		a, b := fresh(t), fresh(t)
		if lost { // so that the message comes after a refused one
			_, why := a.Decode(1, wiretest.Slacked("{"))
			require.Equal(t, venue.Malformed, why)
			_, why = b.cold(1, wiretest.Slacked("{"))
			require.Equal(t, venue.Malformed, why)
		}
		for range 2 {
			slacked := wiretest.Slacked(string(msg))
			got, why := a.Decode(2, slacked)
			want, wantWhy := b.cold(2, slacked)
			require.Equal(t, wantWhy, why)
			wiretest.Same(t, want, got)
			require.Equal(t, why == venue.OK, len(got) > 0)
			if why == venue.OK {
				wiretest.WellFormed(t, got)
			}
			require.Equal(t, b.state(), a.state())
		}
	})
}

// TestScan_cutAndEditedMessages cuts and edits a message at every byte: the scanner may never read on into what lies
// behind it.
func TestScan_cutAndEditedMessages(t *testing.T) {
	for _, msg := range []string{
		`{"channel":"book","type":"update","data":[{"symbol":"BTC/USD","bids":[{"price":45283.5,"qty":0.10000000},{"price":45283.4,"qty":1}],"asks":[{"price":45285.2,"qty":0.00100000}],"checksum":3310070434,"timestamp":"2023-10-06T17:35:55.440295Z"},{"symbol":"ETH/USD","bids":[],"asks":[],"checksum":1,"timestamp":"2023-10-06T17:35:55.440295Z"}]}`,
		`[560,{"a":[["5542.70000","0.40100000","1534614248.456738","r"],["5542.8","1","1534614248.456738"]]},{"b":[["5541.30000","0.00000000","1534614335.345903"]],"c":"974942667"},"book-10","XBT/EUR"]`,
	} {
		for cut := range len(msg) {
			// what lies behind is the rest of the same message, as in a buffer that is used again
			evs, why := fresh(t).Decode(1, append([]byte(msg), wiretest.Slacked("")[:64]...)[:cut])
			require.Equal(t, venue.Malformed, why, msg[:cut])
			require.Empty(t, evs)
		}
		for at := range len(msg) {
			for _, c := range []byte(`"\,:]}09-.eZ xab`) {
				edited := []byte(msg)
				edited[at] = c
				slacked := wiretest.Slacked(string(edited))
				a, b := fresh(t), fresh(t)
				want, wantWhy := b.cold(1, slacked)
				got, why := a.Decode(1, slacked)
				require.Equal(t, wantWhy, why, string(edited))
				wiretest.Same(t, want, got)
				require.Equal(t, b.state(), a.state())
			}
		}
	}
}

// v1Session is the recorded messages but for the big snapshots.
func v1Session(t testing.TB) [][]byte {
	var out [][]byte
	for _, l := range wiretest.WS(wiretest.Lines(t, recorded)) {
		if len(l.Msg) < 10_000 {
			out = append(out, l.Msg)
		}
	}
	return out
}

// v2Session is the same updates in the shape of v2, for BTC/USD: prices and quantities are of the shipped pair's form.
func v2Session(levels int) [][]byte {
	var out [][]byte
	for i := range 200 {
		side := func(n, base int) string {
			var b strings.Builder
			for k := range n {
				if k > 0 {
					b.WriteByte(',')
				}
				b.WriteString(`{"price":` + decimal(base+i*3+k*7, 1) + `,"qty":` + decimal((i*7919+k*104729)%900_000_000, 8) + `}`)
			}
			return b.String()
		}
		out = append(out, wiretest.Slacked(`{"channel":"book","type":"update","data":[{"symbol":"BTC/USD","bids":[`+side(levels/2, 1059000)+`],"asks":[`+
			side(levels-levels/2, 1060000)+`],"checksum":`+decimal(2114181697+i, 0)+`,"timestamp":"2023-10-06T17:35:55.`+decimal(100000+i, 0)+`Z"}]}`))
	}
	return out
}

// decimal prints n with so many decimals.
func decimal(n, decimals int) string {
	s := strings.Repeat("0", decimals) + strconv.Itoa(n)
	if decimals == 0 {
		return s
	}
	cut := max(len(s)-decimals, 1)
	whole := strings.TrimLeft(s[:cut], "0")
	if whole == "" {
		whole = "0"
	}
	return whole + "." + s[cut:]
}

func run(msgs [][]byte, decode func(venue.Nanos, []byte) ([]venue.Event, venue.Reason)) (refused int) {
	for _, m := range msgs {
		if _, why := decode(1, m); why != venue.OK && why != venue.Ignored {
			refused++
		}
	}
	return refused
}

func TestDecode_doesNotAllocate(t *testing.T) {
	v1 := Adapter.Decoder(wiretest.Venue, wiretest.Instruments(t, discovered(t), 0, 0)).(*decoder)
	for _, c := range []struct {
		d    *decoder
		msgs [][]byte
	}{{v1, v1Session(t)}, {fresh(t), v2Session(9)}} {
		require.Zero(t, run(c.msgs, c.d.Decode))
		require.Zero(t, run(c.msgs, c.d.cold))
		require.Zero(t, testing.AllocsPerRun(5, func() { run(c.msgs, c.d.Decode) }))
		require.Zero(t, testing.AllocsPerRun(5, func() { run(c.msgs, c.d.cold) }), "the parser too, once it has grown")
	}
}

func TestChecksum_doesNotAllocate(t *testing.T) {
	in := table(t, 1)[0]
	levels := make([]venue.Level, 10)
	for i := range levels {
		levels[i] = venue.Level{Price: 4528352, Qty: 154582015}
	}
	sum := uint32(0)
	require.Zero(t, testing.AllocsPerRun(100, func() { sum += in.Checksum(in, levels, levels) }))
	require.NotZero(t, sum)
}

// BenchmarkDecode decodes updates by scanner and by parser in turns, so that both see the same machine.
func BenchmarkDecode(b *testing.B) {
	recordedPairs := wiretest.Instruments(b, discovered(b), 0, 0)
	var updates [][]byte
	for _, m := range v1Session(b) {
		if strings.Contains(string(m), `"c":`) && strings.Contains(string(m), `"book-1000"`) {
			updates = append(updates, m)
		}
	}
	for _, c := range []struct {
		name string
		ins  []*venue.Instrument
		msgs [][]byte
	}{{"v1", recordedPairs, updates}, {"v2-1", table(b, 0), v2Session(1)}, {"v2-10", table(b, 0), v2Session(10)}, {"v2-50", table(b, 0), v2Session(50)}} {
		b.Run(c.name, func(b *testing.B) {
			scan, cold := Adapter.Decoder(wiretest.Venue, c.ins).(*decoder), Adapter.Decoder(wiretest.Venue, c.ins).(*decoder)
			best := [2]time.Duration{time.Hour, time.Hour}
			for b.Loop() {
				for i, decode := range []func(venue.Nanos, []byte) ([]venue.Event, venue.Reason){scan.Decode, cold.cold} {
					from := time.Now()
					run(c.msgs, decode)
					best[i] = min(best[i], time.Since(from))
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(best[0].Nanoseconds())/float64(len(c.msgs)), "scan-ns/msg")
			b.ReportMetric(float64(best[1].Nanoseconds())/float64(len(c.msgs)), "json-ns/msg")
			b.ReportMetric(float64(best[1])/float64(best[0]), "ratio")
		})
	}
}

func BenchmarkChecksum(b *testing.B) {
	in := table(b, 1)[0]
	levels := make([]venue.Level, 10)
	for i := range levels {
		levels[i] = venue.Level{Price: 4528352, Qty: 154582015}
	}
	for b.Loop() {
		in.Checksum(in, levels, levels)
	}
}
