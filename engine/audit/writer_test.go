package audit

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// moody is a file whose fsync fails while the disk is bad.
type moody struct {
	file
	bad *atomic.Bool
}

func (m moody) Sync() error {
	if m.bad.Load() {
		return unix.EIO
	}
	return m.file.Sync()
}

func TestRun_triesAgainUntilTheDiskIsBack(t *testing.T) {
	cfg := config(t.TempDir())
	heard := make(chan error, 8)
	cfg.Fault = func(err error) { heard <- err }
	ring, w, err := Open(cfg)
	require.NoError(t, err)
	var bad atomic.Bool
	bad.Store(true)
	w.open = func(path string) (file, error) {
		f, err := openFile(path)
		return moody{f, &bad}, err
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	rs := records(200, day, 1)
	require.True(t, ring.Put(rs[:100]))
	require.ErrorIs(t, <-heard, unix.EIO)
	require.Equal(t, 100, ring.Waiting())
	bad.Store(false)
	require.NoError(t, <-heard)
	require.True(t, ring.Put(rs[100:]))
	stop()
	require.NoError(t, <-ended)
	require.Zero(t, ring.Waiting())
	require.Empty(t, heard, "a fault is reported once")
	require.NoError(t, w.Close())
	require.False(t, ring.Put(rs[:1]), "a closed ring has no room")
	s, err := Verify(cfg.Dir)
	require.NoError(t, err)
	require.EqualValues(t, 200, s.Records)
}

func TestRun_saysWhatStaysBehindWhenItMustEnd(t *testing.T) {
	cfg := config(t.TempDir())
	ring, w, err := Open(cfg)
	require.NoError(t, err)
	var bad atomic.Bool
	bad.Store(true)
	w.open = func(path string) (file, error) {
		f, err := openFile(path)
		return moody{f, &bad}, err
	}
	require.True(t, ring.Put(records(100, day, 1)))
	ctx, stop := context.WithCancel(t.Context())
	stop()
	require.ErrorContains(t, w.Run(ctx), "100 records wait for the disk")
	require.ErrorIs(t, w.Close(), unix.EIO)
	_, again, err := Open(cfg)
	require.NoError(t, err)
	require.Equal(t, 100, again.Recovered().Records)
	require.NoError(t, again.Close())
}

func TestFormatter_anyRecordIsValidJSON(t *testing.T) {
	f, err := NewFormatter(7, ptr(catalogue()))
	require.NoError(t, err)
	rnd := rand.New(rand.NewPCG(8, 8))
	var r Record
	for i := range 20_000 {
		for j := range r.bytes() {
			r.bytes()[j] = byte(rnd.Uint32() >> (rnd.Uint32() % 32))
		}
		r.Kind = Kind(i) % (kinds + 1)
		require.True(t, json.Valid(append(f.Append(nil, &r), '}')), "%+v", r)
	}
}

func TestLine_allocatesNothing(t *testing.T) {
	_, w, err := Open(config(t.TempDir()))
	require.NoError(t, err)
	rs := records(64, day, 1)
	i := 0
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		w.buf, w.chain = w.line(w.buf[:0], w.chain, &rs[i%len(rs)])
		w.digest.Add(rs[i%len(rs) : i%len(rs)+1])
		i++
	}))
	require.NoError(t, w.Close())
}

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
