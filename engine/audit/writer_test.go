package audit

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func BenchmarkLine(b *testing.B) {
	w := benchWriter(b)
	rs := records(1024, day, 1)
	b.Run("format", func(b *testing.B) {
		b.ReportAllocs()
		bytes := 0
		for i := range b.N {
			w.buf = w.format.Append(w.buf[:0], &rs[i%len(rs)])
			bytes += len(w.buf)
		}
		b.ReportMetric(float64(bytes)/float64(b.N), "B/line")
	})
	b.Run("format+hash", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			w.buf, w.chain = w.line(w.buf[:0], w.chain, &rs[i%len(rs)])
		}
	})
	b.Run("digest", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; i < b.N; i += len(rs) {
			w.digest.Add(rs)
		}
	})
}

// BenchmarkDrain is all that the cold side does for a record, file and heads included.
func BenchmarkDrain(b *testing.B) {
	for _, mode := range []struct {
		name   string
		nosync bool
	}{{"nosync", true}, {"fsync", false}} {
		b.Run(mode.name, func(b *testing.B) {
			cfg := config(b.TempDir())
			cfg.Capacity, cfg.NoSync = 1<<14, mode.nosync
			ring, w, err := Open(cfg)
			require.NoError(b, err)
			rs := records(1024, day, 1)
			for n := 0; n < b.N; n += len(rs) {
				for i := range rs {
					rs[i].Seq = uint64(n + i + 1)
				}
				if !ring.Put(rs) {
					_, err := w.Drain()
					require.NoError(b, err)
					require.True(b, ring.Put(rs))
				}
			}
			require.NoError(b, w.Close())
		})
	}
}

func benchWriter(b *testing.B) *Writer {
	_, w, err := Open(config(b.TempDir()))
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, w.Close()) })
	return w
}
