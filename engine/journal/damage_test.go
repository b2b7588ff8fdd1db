package journal

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"oneprice/books/venue"
	"oneprice/engine/mapped"
)

const firstFile = prefix + "000001"

// written is a folder with records of a killed run, none of them synced, and the bytes of its file.
func written(t testing.TB, n uint64) (dir string, b []byte) {
	dir = t.TempDir()
	j, _ := open(t, config(dir))
	for seq := range n {
		c := newOrder(j, seq+1)
		require.True(t, j.Intent(&c))
	}
	b, err := os.ReadFile(filepath.Join(dir, firstFile))
	require.NoError(t, err)
	require.NoError(t, errors.Join(j.unmap(), j.lock.Close())) // as a kill leaves it
	return dir, b
}

// at is the offset of record i of the file.
func at(t testing.TB, b []byte, i int) int {
	l, err := parse(b)
	require.NoError(t, err)
	return l.head + i*recordBytes
}

func TestRead_tornTailIsCountedAndTheRestIsKept(t *testing.T) {
	dir, b := written(t, 20)
	for cut := 1; cut < recordBytes; cut += 17 {
		torn := append([]byte(nil), b...)
		end := at(t, b, 20)
		clear(torn[end-recordBytes+cut : end])
		require.NoError(t, os.WriteFile(filepath.Join(dir, firstFile), torn, 0o600))
		s := reread(t, dir)
		if cut < 100 { // behind it the record is zeros in any case
			require.EqualValues(t, 1, s.Torn, "cut at %d", cut)
			require.Len(t, s.Orders, 19)
		}
	}
	j, s := open(t, config(dir)) // and the next run goes on
	require.Len(t, s.Orders, 20-int(s.Torn))
	put(t, j, newOrder(j, 1))
	require.NoError(t, j.Close())
	require.Len(t, reread(t, dir).Orders, 21-int(s.Torn))
}

func TestRead_damageIsNamedWithFileAndOffset(t *testing.T) {
	dir, b := written(t, 20)
	path := filepath.Join(dir, firstFile)
	for _, bit := range []int{0, 4, 9, 16, 30, 200, 255} {
		bad := append([]byte(nil), b...)
		bad[at(t, b, 7)+bit] ^= 4
		require.NoError(t, os.WriteFile(path, bad, 0o600))
		_, err := Read(dir)
		var d *Damage
		require.ErrorAs(t, err, &d, "bit %d", bit)
		require.Equal(t, firstFile, d.File)
		require.EqualValues(t, at(t, b, 7), d.Offset)
		require.ErrorContains(t, err, "start reduce-only")
		_, _, err = Open(config(dir))
		require.ErrorAs(t, err, &d, "a damaged journal is not built upon")
	}
	for _, f := range []func([]byte) []byte{
		func(b []byte) []byte { b[20] ^= 1; return b },
		func(b []byte) []byte { b[mapped.Page+3] ^= 1; return b },
		func(b []byte) []byte { return b[:len(b)-1] },
		func(b []byte) []byte { return b[:100] },
	} {
		require.NoError(t, os.WriteFile(path, f(append([]byte(nil), b...)), 0o600))
		_, err := Read(dir)
		require.ErrorContains(t, err, firstFile)
	}
}

func TestRead_holeOfALostMachineIsCounted(t *testing.T) {
	dir, b := written(t, 40)
	clear(b[at(t, b, 10):at(t, b, 13)])
	path := filepath.Join(dir, firstFile)
	require.NoError(t, os.WriteFile(path, b, 0o600))
	s := reread(t, dir)
	require.EqualValues(t, 3, s.Lost)
	require.Len(t, s.Orders, 37, "what the disk has behind the hole is used")
	binary.NativeEndian.PutUint64(b[offDurable:], 11) // but what was durable cannot be lost
	require.NoError(t, os.WriteFile(path, b, 0o600))
	_, err := Read(dir)
	require.ErrorContains(t, err, "record 11 was durable and is no more")
}

func TestRead_missingFileIsNamed(t *testing.T) {
	dir := t.TempDir()
	j, _ := open(t, config(dir))
	for seq := uint64(1); seq < 150; seq++ {
		put(t, j, newOrder(j, seq))
		if seq%40 == 0 {
			require.NoError(t, j.Sync())
		}
	}
	require.NoError(t, j.Close())
	require.NoError(t, os.Remove(filepath.Join(dir, prefix+"000002")))
	_, err := Read(dir)
	require.ErrorContains(t, err, "journal-000002 is missing")
}

func TestRead_halfACheckpointCountsForNothing(t *testing.T) {
	dir := t.TempDir()
	j, _ := open(t, config(dir))
	a := newOrder(j, 1)
	put(t, j, a, fill(&a, "T1", 2))
	*as[span](j.cell()) = span{}
	j.seal(&j.cells[j.pos], begin, now)
	*as[position](j.cell()) = position{Inst: 1, Qty: 7}
	j.seal(&j.cells[j.pos], holding, now)
	require.NoError(t, j.Close())
	s := reread(t, dir)
	require.Zero(t, s.CheckpointAt)
	require.Empty(t, s.Positions)
	require.Len(t, s.Fills, 1)
	require.Len(t, s.Orders, 1)
}

// FuzzRead changes bytes of a sound file, makes the record's checksum right again, and reads: never a panic.
func FuzzRead(f *testing.F) {
	dir, b := written(f, 12)
	f.Add(uint16(0), uint16(4), []byte{9}, true)
	f.Add(uint16(3), uint16(24), []byte{2, 1, 0, 0, 0, 200}, true)
	for k := range kinds {
		f.Add(uint16(2), uint16(4), []byte{byte(k)}, true)
	}
	f.Add(uint16(0), uint16(100), make([]byte, 5000), false)
	first := at(f, b, 0)
	f.Fuzz(func(t *testing.T, i, off uint16, with []byte, sound bool) {
		x := append([]byte(nil), b...)
		if !sound {
			copy(x[min(int(i)<<8|int(off)&255, len(x)):], with)
			check(t, dir, x)
			return
		}
		i %= 64
		rec := x[first+int(i)*recordBytes:][:recordBytes]
		copy(rec[4+int(off)%(recordBytes-4):], with)
		binary.NativeEndian.PutUint64(rec[8:], uint64(i)+1)
		var r record
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&r)), recordBytes), rec)
		binary.NativeEndian.PutUint32(rec, r.sum())
		check(t, dir, x)
	})
}

func check(t *testing.T, dir string, b []byte) {
	require.NoError(t, os.WriteFile(filepath.Join(dir, firstFile), b, 0o600))
	s, err := Read(dir)
	if err != nil {
		require.ErrorContains(t, err, "journal")
		return
	}
	for i := range s.Orders {
		require.NotEqual(t, venue.NoSide, s.Orders[i].Side)
		require.NotEmpty(t, s.Orders[i].Instrument)
	}
}
