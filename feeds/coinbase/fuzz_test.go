package coinbase

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"oneprice/books/venue"
	"oneprice/feeds/wire/wiretest"
)

// FuzzDecode holds the scanner against the parser on any bytes: equal records, equal reason, equal state after it, and
// nothing at all of a message that is refused.
func FuzzDecode(f *testing.F) {
	session, err := os.ReadFile("testdata/session.json")
	require.NoError(f, err)
	for l := range strings.Lines(string(session)) {
		f.Add([]byte(strings.TrimSpace(l)), false)
		f.Add([]byte(strings.TrimSpace(l)), true)
	}
	f.Add([]byte(`{"channel":"l2_data","timestamp":"2000-01-01T00:00:00Z","sequence_num":0,"events":[{"type":"update","product_id":"","updates":[]}]}`), false)
	f.Fuzz(func(t *testing.T, msg []byte, begun bool) {
		a, b := fresh(t), fresh(t)
		if begun { // so that the message may follow, repeat or leave a gap
			first := wiretest.Slacked(`{"channel":"l2_data","timestamp":"2026-01-01T00:00:00Z","sequence_num":1,"events":[{"type":"snapshot","product_id":"ETH-USD","updates":[]}]}`)
			_, why := a.Decode(1, first)
			require.Equal(t, venue.OK, why)
			_, why = b.cold(1, first)
			require.Equal(t, venue.OK, why)
		}
		slacked := wiretest.Slacked(string(msg))
		got, why := a.Decode(2, slacked)
		want, wantWhy := b.cold(2, slacked)
		require.Equal(t, wantWhy, why)
		wiretest.Same(t, want, got)
		require.Equal(t, why == venue.OK, len(got) > 0)
		if why == venue.OK {
			wiretest.WellFormed(t, got)
		}
		require.Equal(t, []any{b.seq, b.started, b.order[0].seen, b.order[1].seen}, []any{a.seq, a.started, a.order[0].seen, a.order[1].seen})
	})
}

// TestScan_cutAndEditedMessages cuts and edits a message at every byte: the scanner may never read on into what lies behind.
func TestScan_cutAndEditedMessages(t *testing.T) {
	const msg = `{"channel":"l2_data","timestamp":"2026-01-01T00:00:00.123456789Z","sequence_num":2,"events":[{"type":"update","product_id":"BTC-USD","updates":[{"side":"offer","event_time":"2026-01-01T00:00:00.1Z","price_level":"21921.74","new_quantity":"0"},{"side":"bid","event_time":"2026-01-01T00:00:00.1Z","price_level":"21921.73","new_quantity":"1.5"}]}]}`
	for cut := range len(msg) {
		// what lies behind is the rest of the same message, as in a buffer that is used again
		evs, why := fresh(t).Decode(1, append([]byte(msg), wiretest.Slacked("")[:64]...)[:cut])
		require.Equal(t, venue.Malformed, why, msg[:cut])
		require.Empty(t, evs)
	}
	for at := range len(msg) {
		for _, c := range []byte(`"\,:]}09-.eZ x`) {
			edited := []byte(msg)
			edited[at] = c
			slacked := wiretest.Slacked(string(edited))
			want, wantWhy := fresh(t).cold(1, slacked)
			got, why := fresh(t).Decode(1, slacked)
			require.Equal(t, wantWhy, why, string(edited))
			wiretest.Same(t, want, got)
		}
	}
}

// session is the recorded messages that keep wants, but for the big snapshots.
func session(t testing.TB, keep func(msg string) bool) [][]byte {
	var out [][]byte
	for _, l := range wiretest.WS(wiretest.Lines(t, recorded)) {
		if msg := string(l.Msg); len(msg) < 100_000 && keep(msg) {
			out = append(out, wiretest.Slacked(msg))
		}
	}
	require.NotEmpty(t, out)
	return out
}

func isBook(msg string) bool { return strings.HasPrefix(msg, `{"channel":"l2_data"`) }

// run decodes every message as the first of its connection, so that a session can be repeated for ever.
func run(d *decoder, msgs [][]byte, decode func(venue.Nanos, []byte) ([]venue.Event, venue.Reason)) (n int) {
	for _, m := range msgs {
		d.started = false
		evs, _ := decode(1, m)
		n += len(evs)
	}
	return n
}

func TestDecode_doesNotAllocate(t *testing.T) {
	msgs := session(t, func(string) bool { return true })
	d := fresh(t)
	require.Zero(t, testing.AllocsPerRun(5, func() { run(d, msgs, d.Decode) }))
	require.Zero(t, testing.AllocsPerRun(5, func() { run(d, msgs, d.cold) }), "the parser too, once it has grown")
}

// BenchmarkDecode decodes the recorded book updates, by scanner and by parser in turns so that both see the same machine.
func BenchmarkDecode(b *testing.B) {
	msgs := session(b, isBook)
	bytes := 0
	for _, m := range msgs {
		bytes += len(m)
	}
	scan, cold := fresh(b), fresh(b)
	best := [2]time.Duration{time.Hour, time.Hour}
	for b.Loop() {
		for i, decode := range []func(venue.Nanos, []byte) ([]venue.Event, venue.Reason){scan.Decode, cold.cold} {
			from := time.Now()
			run([]*decoder{scan, cold}[i], msgs, decode)
			best[i] = min(best[i], time.Since(from))
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(best[0].Nanoseconds())/float64(len(msgs)), "scan-ns/msg")
	b.ReportMetric(float64(best[1].Nanoseconds())/float64(len(msgs)), "json-ns/msg")
	b.ReportMetric(float64(best[1])/float64(best[0]), "ratio")
	b.ReportMetric(float64(bytes)/best[0].Seconds()/1e6, "MB/s")
}
