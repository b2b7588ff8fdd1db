package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/VictoriaMetrics/metrics"
	"github.com/stretchr/testify/require"

	"oneprice/books/fixed"
)

func TestBucket_tilesAllValues(t *testing.T) {
	next := uint64(0) // lowest value of bucket i
	for i := range buckets - 1 {
		require.Equal(t, i, bucket(next), "of %d", next)
		require.Equal(t, i, bucket(upper(i)))
		require.GreaterOrEqual(t, upper(i), next)
		require.LessOrEqual(t, (upper(i)-next)*perStep, next, "bucket %d is wider than 1/32", i)
		next = upper(i) + 1
	}
	require.EqualValues(t, Ceiling, next)
	require.Equal(t, buckets-1, bucket(Ceiling))
	require.Equal(t, buckets-1, bucket(math.MaxInt64))
}

func TestHistogram_quantilesAreNeverBelowTheExactOnes(t *testing.T) {
	qs := []fixed.Rate{1, fixed.One / 10, fixed.One / 2, 99 * fixed.One / 100, 999 * fixed.One / 1000, fixed.One}
	for seed := range uint64(50) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var h Histogram
		var all []int64
		var sum int64
		for range 1 + rnd.IntN(3000) {
			v := rnd.Int64N(1 << (1 + rnd.IntN(45)))
			h.Add(v)
			all, sum = append(all, v), sum+v
		}
		slices.Sort(all)
		require.EqualValues(t, len(all), h.Count())
		require.EqualValues(t, sum, h.Sum())
		require.EqualValues(t, all[len(all)-1], h.Max())
		for _, q := range qs {
			rank := (len(all)*int(q) + int(fixed.One) - 1) / int(fixed.One)
			exact := uint64(all[max(rank, 1)-1])
			got := h.Quantile(q)
			require.GreaterOrEqual(t, got, exact, "seed %d, q %d", seed, q)
			if exact < Ceiling {
				require.LessOrEqual(t, got, exact+exact/perStep, "seed %d, q %d", seed, q)
			}
		}
	}
}

func TestHistogram_edges(t *testing.T) {
	var h Histogram
	require.Zero(t, h.Quantile(fixed.One/2))
	h.Add(-5)
	require.Zero(t, h.Quantile(fixed.One))
	require.EqualValues(t, 1, h.Count())
	h.Add(math.MaxInt64)
	require.EqualValues(t, math.MaxInt64, h.Quantile(fixed.One))
	require.Zero(t, h.Quantile(0))
}

func TestHistogram_mergeIsTheSameAsAddingAll(t *testing.T) {
	rnd := rand.New(rand.NewPCG(9, 1))
	var a, b, both Histogram
	for i := range 10_000 {
		v := rnd.Int64N(1 << rnd.IntN(50))
		both.Add(v)
		if i%3 == 0 {
			a.Add(v)
		} else {
			b.Add(v)
		}
	}
	a.Merge(&b)
	require.Equal(t, both, a)
}

// ticks returns a clock that advances by one more each time: 1, 3, 6, 10, …
func ticks() (now func() int64, reads *int) {
	t, n := int64(0), 0
	return func() int64 { n++; t += int64(n); return t }, &n
}

func TestLatency_splitsATickIntoItsStages(t *testing.T) {
	now, _ := ticks()
	l := NewLatency(1, now)
	l.Begin()      // 1
	l.Mark(Apply)  // 3: 2
	l.Skip()       // 6
	l.Mark(Check)  // 10: 4
	l.Mark(Check)  // 15: 5
	l.Mark(Decide) // 21: 6
	l.End()        // 28: 27
	l.Mark(Submit) // outside a tick: nothing
	l.Close()
	s := l.Snapshot()
	require.EqualValues(t, 2, s[Apply].Max())
	require.EqualValues(t, 9, s[Check].Sum())
	require.EqualValues(t, 2, s[Check].Count())
	require.EqualValues(t, 6, s[Decide].Max())
	require.EqualValues(t, 27, s[Whole].Max())
	require.Zero(t, s[Submit].Count())
}

func TestLatency_readsTheClockOneTickInN(t *testing.T) {
	now, reads := ticks()
	l := NewLatency(10, now)
	for range 100 {
		l.Begin()
		l.Mark(Apply)
		l.Skip()
		l.End()
	}
	require.Equal(t, 40, *reads)
	l.Close()
	s := l.Snapshot()
	require.EqualValues(t, 10, s[Whole].Count())
}

func TestSnapshot_isHandedOverOnRequest(t *testing.T) {
	l := NewLatency(1, nil)
	tick := func() { l.Begin(); l.Mark(Apply); l.End() }
	tick()
	s := l.Snapshot()
	require.Zero(t, s[Apply].Count(), "nothing was asked for yet")
	tick()
	tick()
	s = l.Snapshot()
	require.EqualValues(t, 2, s[Apply].Count())
	s = l.Snapshot()
	require.EqualValues(t, 2, s[Apply].Count(), "the writer has not run since")
	l.Offer()
	s = l.Snapshot()
	require.EqualValues(t, 3, s[Apply].Count())
}

// TestSnapshot_whileTheWriterRuns is for the race detector; every copy must be whole and none older than the last.
func TestSnapshot_whileTheWriterRuns(t *testing.T) {
	l := NewLatency(1, nil)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 20_000 {
			l.Begin()
			l.Mark(Apply)
			l.End()
		}
		l.Close()
	}()
	last := uint64(0)
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		s := l.Snapshot()
		require.Equal(t, s[Apply].Count(), s[Whole].Count())
		require.GreaterOrEqual(t, s[Whole].Count(), last)
		last = s[Whole].Count()
	}
	require.EqualValues(t, 20_000, last)
}

func TestRegister_writesMetricsText(t *testing.T) {
	var a, b Latency
	a.hist[Apply].Add(10)
	b.hist[Apply].Add(30)
	b.hist[Whole].Add(1000)
	a.Close()
	b.Close()
	set := metrics.NewSet()
	Register(set, "oneprice_stage_ns", &a, &b)
	var out strings.Builder
	set.WritePrometheus(&out)
	require.Equal(t, `oneprice_stage_ns{stage="apply",quantile="0.5"} 10
oneprice_stage_ns{stage="apply",quantile="0.99"} 30
oneprice_stage_ns{stage="apply",quantile="0.999"} 30
oneprice_stage_ns_sum{stage="apply"} 40
oneprice_stage_ns_count{stage="apply"} 2
oneprice_stage_ns_max{stage="apply"} 30
oneprice_stage_ns{stage="whole",quantile="0.5"} 1000
oneprice_stage_ns{stage="whole",quantile="0.99"} 1000
oneprice_stage_ns{stage="whole",quantile="0.999"} 1000
oneprice_stage_ns_sum{stage="whole"} 1000
oneprice_stage_ns_count{stage="whole"} 1
oneprice_stage_ns_max{stage="whole"} 1000
`, out.String())
}

func TestLatency_allocatesNothing(t *testing.T) {
	l := NewLatency(1, nil)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		l.Begin()
		l.Mark(Apply)
		l.End()
		l.state.Store(wanted)
	}))
}

func BenchmarkLatency(b *testing.B) {
	b.Run("add", func(b *testing.B) {
		var h Histogram
		for i := range b.N {
			h.Add(int64(i & 1023))
		}
	})
	b.Run("metrics-library-update", func(b *testing.B) {
		h := metrics.NewSet().NewHistogram("x")
		for i := range b.N {
			h.Update(float64(i & 1023))
		}
	})
	for _, every := range []uint32{1, 64} {
		name := map[uint32]string{1: "tick-of-6-stages-every-1", 64: "tick-of-6-stages-every-64"}[every]
		b.Run(name, func(b *testing.B) {
			l := NewLatency(every, nil)
			for range b.N {
				l.Begin()
				for s := Decode; s < Whole; s++ {
					l.Mark(s)
				}
				l.End()
			}
		})
	}
}
