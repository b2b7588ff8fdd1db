package audit

import (
	"math/rand/v2"
	"runtime"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// memoryRing lays a ring over plain memory, which the race detector watches; mapped memory it does not.
func memoryRing(capacity int) *Ring {
	words := make([]Record, page/recordSize+capacity)
	return overlay(unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), len(words)*recordSize), page, capacity)
}

func TestRecord_is256BytesWithoutPadding(t *testing.T) {
	require.EqualValues(t, 256, unsafe.Sizeof(Record{}))
	var r Record
	end := unsafe.Offsetof(r.Ref) + unsafe.Sizeof(r.Ref)
	require.EqualValues(t, 256, end, "padding would make the digest depend on memory")
}

func TestPut_allOrNone(t *testing.T) {
	r := memoryRing(8)
	rs := records(20, day, 1)
	require.True(t, r.Put(nil))
	require.True(t, r.Put(rs[:5]))
	require.False(t, r.Put(rs[5:9]))
	require.Equal(t, 5, r.Waiting())
	require.Equal(t, 3, r.Room(3))
	require.True(t, r.Put(rs[5:8]))
	require.Zero(t, r.Room(1))
	require.False(t, r.Put(rs[8:9]))
	r.release(2)
	require.Equal(t, 2, r.Room(1))
	require.True(t, r.Put(rs[8:10]))
	require.Equal(t, rs[2:8], r.take(100))
	r.release(6)
	require.Equal(t, rs[8:10], r.take(100))
	require.Panics(t, func() { r.Put(rs[11:12]) })
	require.Panics(t, func() { r.Put(rs[9:10]) })
	require.False(t, r.Put(rs[10:19]), "more than the ring can hold")
}

func TestRing_twoGoroutinesSeeWholeRecordsInOrder(t *testing.T) {
	const total = 50_000
	r := memoryRing(64)
	go func() {
		rnd := rand.New(rand.NewPCG(3, 3))
		out := make([]Record, 8)
		for seq := uint64(1); seq <= total; {
			n := min(1+rnd.IntN(8), int(total-seq)+1)
			for i := range n {
				out[i].Seq, out[i].Client, out[i].Ref[39] = seq+uint64(i), ^(seq + uint64(i)), byte(seq+uint64(i))
			}
			for !r.Put(out[:n]) {
				runtime.Gosched()
			}
			seq += uint64(n)
		}
	}()
	for seq := uint64(1); seq <= total; {
		got := r.take(16)
		if len(got) == 0 {
			runtime.Gosched()
			continue
		}
		for i := range got {
			if got[i].Seq != seq || got[i].Client != ^seq || got[i].Ref[39] != byte(seq) {
				require.FailNow(t, "a record was seen in part", "record %d", seq)
			}
			seq++
		}
		r.release(len(got))
	}
}

func TestPut_allocatesNothing(t *testing.T) {
	r := memoryRing(64)
	rs := records(2, day, 1)
	seq := uint64(0)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		for i := range rs {
			seq++
			rs[i].Reset(seq, day)
			rs[i].SetStart(1)
		}
		if !r.Put(rs) {
			panic("full")
		}
		r.release(2)
	}))
}

func BenchmarkPut(b *testing.B) {
	r := memoryRing(1 << 12)
	rs := records(2, day, 1)
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			rs[0].Seq = r.next + 1
			if !r.Put(rs[:1]) {
				b.Fatal("full")
			}
			r.release(1)
		}
	})
}
