package tape

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"oneprice/books/venue"
	"oneprice/engine"
)

var _ engine.Tap = (*Writer)(nil)

// memory is a file in memory that may fail.
type memory struct {
	bytes.Buffer
	room int // bytes until it fails; negative: never
}

func (m *memory) Write(b []byte) (int, error) {
	if m.room >= 0 && len(b) > m.room {
		n, _ := m.Buffer.Write(b[:m.room])
		m.room = 0
		return n, errors.New("disk full")
	}
	if m.room >= 0 {
		m.room -= len(b)
	}
	return m.Buffer.Write(b)
}

func (m *memory) Close() error { return nil }

// drain makes a drain of random records.
func drain(rnd *rand.Rand, now venue.Nanos, eventsMax int) engine.Batch {
	b := engine.Batch{Now: now, Events: make([]venue.Event, rnd.IntN(eventsMax+1)), Reports: make([]venue.Report, rnd.IntN(4)*rnd.IntN(2))}
	scramble(rnd, bytesOf(b.Events))
	scramble(rnd, bytesOf(ofReports(b.Reports)))
	return b
}

func scramble(rnd *rand.Rand, b []byte) {
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
}

func drains(seed uint64, n, eventsMax int) []engine.Batch {
	rnd := rand.New(rand.NewPCG(seed, 9))
	bs := make([]engine.Batch, n)
	for i := range bs {
		bs[i] = drain(rnd, venue.Nanos(i)*1000, eventsMax)
	}
	return bs
}

var testHeader = Header{Build: "abc123", Config: []byte("mode: backtest\n"), Meta: []byte(`{"instruments":[]}`)}

// tapeOf writes drains inline and returns the file.
func tapeOf(t testing.TB, bs []engine.Batch, o Options) []byte {
	m := &memory{room: -1}
	o.Inline = true
	w, err := newWriter(m, testHeader, o)
	require.NoError(t, err)
	for i := range bs {
		w.Frame(&bs[i])
	}
	require.NoError(t, w.Close())
	require.False(t, w.Broken())
	return m.Bytes()
}

// readAll reads to the end and demands that what comes equals the first drains of want; it returns how many and the end.
func readAll(t testing.TB, file []byte, want []engine.Batch) (int, error) {
	t.Helper()
	r, err := NewReader(bytes.NewReader(file))
	require.NoError(t, err)
	var b engine.Batch
	for n := 0; ; n++ {
		if err := r.Next(&b); err != nil {
			require.EqualValues(t, n, r.Drains())
			again := r.Next(&b)
			require.Equal(t, err, again, "the end must stay the end")
			return n, err
		}
		require.Less(t, n, len(want))
		if b.Now != want[n].Now || !bytes.Equal(bytesOf(b.Events), bytesOf(want[n].Events)) ||
			!bytes.Equal(bytesOf(ofReports(b.Reports)), bytesOf(ofReports(want[n].Reports))) {
			require.FailNow(t, "a drain came back changed", "drain %d", n)
		}
	}
}

func TestCells_haveNoPointersAndNoPadding(t *testing.T) {
	for _, v := range []any{venue.Event{}, venue.Report{}} {
		typ := reflect.TypeOf(v)
		end := uintptr(0)
		for i := range typ.NumField() {
			f := typ.Field(i)
			require.Equal(t, end, f.Offset, "padding before %s.%s", typ, f.Name)
			end += f.Type.Size()
			kind := f.Type.Kind()
			if kind == reflect.Array {
				kind = f.Type.Elem().Kind()
			}
			require.NotContains(t, []reflect.Kind{reflect.Pointer, reflect.Slice, reflect.String, reflect.Interface, reflect.Map}, kind)
		}
		require.Equal(t, typ.Size(), end)
	}
	require.EqualValues(t, cellBytes, unsafe.Sizeof(venue.Event{}))
}

func TestTape_givesBackEveryDrain(t *testing.T) {
	for seed := range uint64(40) {
		bs := drains(seed, 300, 1+int(seed)%40)
		n, err := readAll(t, tapeOf(t, bs, Options{Cells: 1 << (1 + seed%12)}), bs)
		require.Equal(t, io.EOF, err)
		require.Equal(t, len(bs), n)
	}
	big := drains(7, 3, 3*blockCells) // larger than ring and block
	n, err := readAll(t, tapeOf(t, big, Options{Cells: 512}), big)
	require.Equal(t, io.EOF, err)
	require.Equal(t, 3, n)
	n, err = readAll(t, tapeOf(t, nil, Options{}), nil)
	require.Equal(t, io.EOF, err)
	require.Zero(t, n)
}

func TestReader_givesTheHeader(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tape")
	w, err := Create(path, testHeader, Options{Inline: true})
	require.NoError(t, err)
	require.NoError(t, w.Close())
	_, err = Create(path, testHeader, Options{})
	require.ErrorIs(t, err, os.ErrExist)
	r, err := Open(path)
	require.NoError(t, err)
	require.Equal(t, &testHeader, r.Header())
	require.NoError(t, r.Close())

	b, err := os.ReadFile(path)
	require.NoError(t, err)
	for at := range headBytes + len(testHeader.Build) + len(testHeader.Config) {
		bad := bytes.Clone(b)
		bad[at] ^= 0x10
		_, err := NewReader(bytes.NewReader(bad))
		require.Error(t, err, "byte %d", at)
	}
	_, err = NewReader(bytes.NewReader(b[:50]))
	require.Error(t, err)
}

func TestReader_tornTapeGivesAllWholeDrains(t *testing.T) {
	bs := drains(3, 60, 5)
	file := tapeOf(t, bs, Options{Cells: 16})
	whole := len(file) - blockBytes
	last := -1
	for cut := headBytes + 50; cut < len(file); cut += 13 {
		n, err := readAll(t, file[:cut], bs)
		require.ErrorIs(t, err, ErrTorn)
		require.GreaterOrEqual(t, n, last)
		last = n
	}
	n, err := readAll(t, file[:whole], bs)
	require.ErrorIs(t, err, ErrTorn)
	require.Equal(t, len(bs), n)
	require.ErrorContains(t, err, "after 60 drains")
}

func TestReader_namesTheCorruptBlock(t *testing.T) {
	bs := drains(4, 200, 6)
	file := tapeOf(t, bs, Options{Cells: 64})
	starts := blockStarts(t, file)
	require.Greater(t, len(starts), 10)
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		at := int(starts[0]) + rnd.IntN(len(file)-int(starts[0]))
		bad := bytes.Clone(file)
		bad[at] ^= 1 << rnd.IntN(8)
		_, err := readAll(t, bad, bs)
		var e *Error
		require.True(t, errors.As(err, &e), "byte %d: %v", at, err)
		require.Contains(t, []error{ErrCorrupt, ErrTorn}, e.Kind) // a changed length may run past the end
		want := starts[0]
		for _, s := range starts {
			if s <= int64(at) {
				want = s
			}
		}
		require.Equal(t, want, e.Offset)
	}
	second, third := starts[1], starts[2]
	swapped := append(append(append([]byte(nil), file[:second]...), file[third:starts[3]]...), file[second:third]...)
	_, err := readAll(t, swapped, bs)
	require.ErrorIs(t, err, ErrCorrupt)
	require.ErrorContains(t, err, "does not belong here")
}

// blockStarts walks the file by the lengths in it.
func blockStarts(t *testing.T, file []byte) []int64 {
	at := int64(headBytes + len(testHeader.Build) + len(testHeader.Config) + len(testHeader.Meta))
	var starts []int64
	for at < int64(len(file)) {
		starts = append(starts, at)
		var b block
		require.Empty(t, b.parse((*[blockBytes]byte)(file[at:at+blockBytes])))
		at += blockBytes + int64(b.bytes)
	}
	return starts
}

func TestFrame_fullRingBreaksTheTapeOff(t *testing.T) {
	m := &memory{room: -1}
	w, err := newWriter(m, testHeader, Options{Cells: 16})
	require.NoError(t, err)
	bs := drains(5, 100, 4)
	kept := 0
	for i := range bs {
		w.Frame(&bs[i])
		if !w.Broken() {
			kept++
		}
	}
	require.True(t, w.Broken())
	w.write()
	w.Frame(&engine.Batch{}) // room again, but the tape has a hole
	require.NoError(t, w.Close())
	n, err := readAll(t, m.Bytes(), bs)
	require.ErrorIs(t, err, ErrBroken)
	require.Equal(t, kept, n)
}

func TestFrame_failingDiskIsReportedAndStopsNobody(t *testing.T) {
	bs := drains(6, 100, 4)
	m := &memory{room: 3000}
	w, err := newWriter(m, testHeader, Options{Cells: 16, Inline: true})
	require.NoError(t, err)
	for i := range bs {
		w.Frame(&bs[i])
	}
	require.True(t, w.Broken())
	require.ErrorContains(t, w.Close(), "disk full")
	n, err := readAll(t, m.Bytes(), bs)
	require.ErrorIs(t, err, ErrTorn)
	require.Greater(t, n, 1)
	_, err = newWriter(&memory{room: 10}, testHeader, Options{})
	require.ErrorContains(t, err, "disk full")
	_, err = newWriter(&memory{room: -1}, testHeader, Options{Cells: 17})
	require.ErrorContains(t, err, "power of two")
}

func TestWriter_twoGoroutinesKeepEveryDrain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tape")
	w, err := Create(path, testHeader, Options{Cells: 1 << 12, Poll: 1})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	bs := drains(8, 3000, 8)
	for i := range bs {
		for w.written.Load()-w.consumed.Load() > 1<<11 { // what a live engine never does: wait for the disk
			runtime.Gosched()
		}
		w.Frame(&bs[i])
	}
	stop()
	require.NoError(t, <-ended)
	require.NoError(t, w.Close())
	require.False(t, w.Broken())
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	n, err := readAll(t, file, bs)
	require.Equal(t, io.EOF, err)
	require.Equal(t, len(bs), n)
}

func TestTape_hotPathAllocatesNothing(t *testing.T) {
	bs := drains(9, 64, 8)
	w, err := newWriter(nothing{}, testHeader, Options{Inline: true, Cells: 64})
	require.NoError(t, err)
	i := 0
	require.Zero(t, testing.AllocsPerRun(2000, func() {
		w.Frame(&bs[i%len(bs)])
		i++
	}))
	r, err := NewReader(bytes.NewReader(tapeOf(t, drains(9, 3000, 8), Options{})))
	require.NoError(t, err)
	b := engine.Batch{Events: make([]venue.Event, 0, 8), Reports: make([]venue.Report, 0, 4)}
	require.Zero(t, testing.AllocsPerRun(2000, func() {
		if r.Next(&b) != nil {
			panic("too short")
		}
	}))
}

type nothing struct{}

func (nothing) Write(b []byte) (int, error) { return len(b), nil }
func (nothing) Close() error                { return nil }

// BenchmarkFrame is a drain of six events. ns/op includes the file.
func BenchmarkFrame(b *testing.B) {
	bs := []engine.Batch{{Events: make([]venue.Event, 6)}}
	b.Run("inline-file", func(b *testing.B) {
		w, err := Create(filepath.Join(b.TempDir(), "tape"), testHeader, Options{Inline: true})
		require.NoError(b, err)
		b.ReportAllocs()
		for range b.N {
			w.Frame(&bs[0])
		}
		b.StopTimer()
		require.NoError(b, w.Close())
	})
	b.Run("hot-side", func(b *testing.B) {
		w, err := newWriter(nothing{}, testHeader, Options{})
		require.NoError(b, err)
		b.ReportAllocs()
		for range b.N {
			w.Frame(&bs[0])
			w.consumed.Store(w.written.Load())
		}
	})
}

func BenchmarkNext(b *testing.B) {
	bs := make([]engine.Batch, 4096)
	for i := range bs {
		bs[i].Events = make([]venue.Event, 6)
	}
	file := tapeOf(b, bs, Options{})
	var batch engine.Batch
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; {
		r, err := NewReader(bytes.NewReader(file))
		require.NoError(b, err)
		for ; n < b.N && r.Next(&batch) == nil; n++ {
		}
	}
}
