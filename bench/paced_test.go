package bench

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"oneprice/bench/market"
	"oneprice/bench/pair"
	"oneprice/books/venue"
	"oneprice/engine"
	"oneprice/engine/stats"
)

func live(b testing.TB, levels int) *market.Live {
	l, err := market.NewLive(market.Config{Levels: levels, Signed: true, Audit: folder(b)})
	require.NoError(b, err)
	b.Cleanup(func() { l.Close() })
	return l
}

// shadowed is the second instance that keeps a live one warm.
func shadowed(b testing.TB, levels int) *market.Live {
	l, err := market.NewShadow(market.Config{Levels: levels, Signed: true, Audit: folder(b)})
	require.NoError(b, err)
	b.Cleanup(func() { l.Close() })
	return l
}

// received is the session's buffer.
var received []byte

// play times one message from its bytes to its order's.
func play(l *market.Live) float64 {
	received = market.Received(received, l.Depths[0].Next())
	t := stats.Nanotime()
	took := float64(l.Play(received) - t)
	l.Settle()
	return took
}

// paced plays n messages a gap apart, idling in between, and returns the median.
func paced(l *market.Live, n int, gap int64, idle func()) float64 {
	v := make([]float64, n)
	next := stats.Nanotime()
	for i := range v {
		next = max(next, stats.Nanotime()-gap) + gap
		for stats.Nanotime() < next {
			idle()
		}
		v[i] = play(l)
	}
	return pair.Quantile(v, 0.5)
}

// BenchmarkPaced holds the step at one update per millisecond against the same step in a loop, with and without a shadow
// that is played while nothing arrives.
func BenchmarkPaced(b *testing.B) {
	group(b, func(b *testing.B) {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		l, second := live(b, 20), shadowed(b, 20)
		shadow := engine.NewShadow(l.Clock, 5*venue.Microsecond, func() { play(second) })
		var loop, warm, cold []float64
		for range 11 {
			loop = append(loop, paced(l, 2000, 0, func() {}))
			warm = append(warm, paced(l, 200, int64(time.Millisecond), shadow.Idle))
			cold = append(cold, paced(l, 200, int64(time.Millisecond), func() {}))
		}
		q, lo, hi := pair.Ratios(warm, loop)
		add(b, Row{Name: "p50 at one update per ms, kept warm", Base: "p50 in a loop", Ratio: q, Low: lo, High: hi, Bar: 1.6, AtMost: true, Ns: pair.Quantile(warm, 0.5), BaseNs: pair.Quantile(loop, 0.5)})
		q, lo, hi = pair.Ratios(cold, loop)
		add(b, Row{Name: "p50 at one update per ms, not kept warm", Base: "p50 in a loop", Ratio: q, Low: lo, High: hi, Ns: pair.Quantile(cold, 0.5), BaseNs: pair.Quantile(loop, 0.5)})
	})
}

// TestShadow_leavesNoTraceInTheEngine plays two engines the same messages at the same instants, one beside a shadow.
func TestShadow_leavesNoTraceInTheEngine(t *testing.T) {
	l, second := live(t, 20), live(t, 20)
	before, orders, records := *l.Engine.Counters(), l.Count, l.Ring.Waiting()
	hash := l.Engine.Desk().Book(1).Hash()
	shadow := engine.NewShadow(l.Clock, 0, func() { play(second) })
	for range 100 {
		shadow.Idle()
	}
	require.GreaterOrEqual(t, second.Count, 100)
	require.Equal(t, before, *l.Engine.Counters())
	require.Equal(t, orders, l.Count)
	require.Equal(t, records, l.Ring.Waiting())
	require.Equal(t, hash, l.Engine.Desk().Book(1).Hash())
}

type garbage struct {
	next *garbage
	_    [6]uint64
}

var litter *garbage

// pollute makes 200 MB of garbage a second until stopped and returns how much it made. What a starved machine does not let
// it make in a tenth of a second it leaves.
func pollute(stop <-chan struct{}) (bytes float64) {
	const perTurn, size, rate = 1000, 56, 200e6
	start, owed := time.Now(), 0.0
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return bytes
		case <-tick.C:
		}
		for owed = min(time.Since(start).Seconds()*rate-bytes, rate/10); owed > 0; owed -= perTurn * size {
			for range perTurn {
				litter = &garbage{}
			}
			bytes += perTurn * size
		}
	}
}

// BenchmarkGarbage holds the step's 99th percentile beside 200 MB/s of foreign garbage against that without.
func BenchmarkGarbage(b *testing.B) {
	group(b, func(b *testing.B) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4)) // so that the collector never waits for the spinning thread's place
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		l := live(b, 20)
		var keep []*garbage
		for range 64 << 20 / 64 / 64 {
			var head *garbage
			for range 64 {
				head = &garbage{next: head}
			}
			keep = append(keep, head)
		}
		tail := func() float64 {
			v := make([]float64, 5000)
			for i := range v {
				v[i] = play(l)
			}
			return pair.Quantile(v, 0.99)
		}
		var clean, dirty []float64
		for tries := 0; len(dirty) < 15 && tries < 30; tries++ {
			runtime.GC()
			without := tail()
			stop, made, began := make(chan struct{}), make(chan float64), time.Now()
			go func() { made <- pollute(stop) }()
			with := tail()
			close(stop)
			if <-made < 0.8*200e6*time.Since(began).Seconds() {
				continue // the machine gave the garbage too little time for a round that counts
			}
			clean, dirty = append(clean, without), append(dirty, with)
		}
		runtime.KeepAlive(keep)
		if len(dirty) == 0 {
			b.Fatal("no round with as much garbage as it should have")
		}
		q, lo, hi := pair.Ratios(dirty, clean)
		add(b, Row{Name: "p99 beside 200 MB/s of foreign garbage", Base: "p99 without", Ratio: q, Low: lo, High: hi, Bar: 1.5, AtMost: true, Ns: pair.Quantile(dirty, 0.5), BaseNs: pair.Quantile(clean, 0.5)})
	})
}
