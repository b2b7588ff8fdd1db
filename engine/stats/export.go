package stats

import (
	"io"
	"strconv"

	"github.com/VictoriaMetrics/metrics"

	"oneprice/books/fixed"
)

var quantiles = [...]struct {
	text string
	q    fixed.Rate
}{
	{"0.5", fixed.One / 2}, {"0.99", 99 * fixed.One / 100}, {"0.999", 999 * fixed.One / 1000},
}

// Register adds the stages of all given threads, summed, to a metrics set as a Prometheus summary
// name{stage="apply",quantile="0.99"} in nanoseconds, with _sum, _count and _max.
func Register(set *metrics.Set, name string, threads ...*Latency) {
	set.RegisterMetricsWriter(func(w io.Writer) {
		var all Snapshot
		for _, l := range threads {
			s := l.Snapshot()
			all.Merge(&s)
		}
		// A scrape whose reader went away has nobody to tell.
		_, _ = w.Write(all.Append(nil, name))
	})
}

// Append writes the figures of every stage as metrics text. Stages that never ran are left out.
func (s *Snapshot) Append(dst []byte, name string) []byte {
	line := func(suffix, stage, quantile string, v uint64) {
		dst = append(append(append(append(dst, name...), suffix...), `{stage="`...), stage...)
		if quantile != "" {
			dst = append(append(dst, `",quantile="`...), quantile...)
		}
		dst = append(strconv.AppendUint(append(dst, `"} `...), v, 10), '\n')
	}
	for i := range s {
		h, stage := &s[i], Stage(i).String()
		if h.Count() == 0 {
			continue
		}
		for _, q := range quantiles {
			line("", stage, q.text, h.Quantile(q.q))
		}
		line("_sum", stage, "", h.Sum())
		line("_count", stage, "", h.Count())
		line("_max", stage, "", h.Max())
	}
	return dst
}
