package audit

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"oneprice/books/venue"
)

const childDir = "AUDIT_TEST_CHILD_DIR"

// TestChild is the process that TestOpen_killedProcessLosesNothing kills; alone it does nothing.
func TestChild(t *testing.T) {
	dir := os.Getenv(childDir)
	if dir == "" {
		t.Skip("runs only as a child")
	}
	cfg := config(dir)
	cfg.NoSync = os.Getenv("AUDIT_TEST_NOSYNC") != ""
	ring, w, err := Open(cfg)
	require.NoError(t, err)
	go func() { panic(w.Run(t.Context())) }()
	rnd := rand.New(rand.NewPCG(uint64(os.Getpid()), 1))
	out := make([]Record, 8)
	for seq := uint64(1); ; {
		n := 1 + rnd.IntN(len(out))
		for i := range n {
			fill(&out[i], rnd, seq+uint64(i), day+86_390*venue.Second+venue.Nanos(seq)*10*venue.Millisecond) // midnight comes
		}
		for !ring.Put(out[:n]) {
			runtime.Gosched()
		}
		if seq += uint64(n); seq%97 < uint64(n) {
			fmt.Println(seq)
		}
	}
}

func TestOpen_killedProcessLosesNothing(t *testing.T) {
	rounds := 8
	if testing.Short() {
		rounds = 4
	}
	dir := t.TempDir()
	rnd := rand.New(rand.NewPCG(11, 12))
	put := map[uint64]uint64{} // records by session
	recovered := 0
	for round := range rounds {
		child := exec.Command(os.Args[0], "-test.run=^TestChild$")
		child.Env = append(os.Environ(), childDir+"="+dir)
		if round%2 == 1 {
			child.Env = append(child.Env, "AUDIT_TEST_NOSYNC=1")
		}
		out, err := child.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, child.Start())
		lines := bufio.NewReader(out)
		for range 1 + rnd.IntN(40) {
			_, err := lines.ReadString('\n')
			require.NoError(t, err)
		}
		require.NoError(t, child.Process.Kill())
		_, err = io.Copy(io.Discard, lines)
		require.NoError(t, err)
		require.Error(t, child.Wait())

		h := ringHeader(t, dir)
		put[h.epoch] = h.written
		if round%3 == 0 && round != rounds-1 {
			continue // the next child recovers
		}
		_, w, err := Open(config(dir))
		require.NoError(t, err)
		recovered += w.Recovered().Records
		require.Zero(t, w.Recovered().Lost)
		require.NoError(t, w.Close())
		s, err := Verify(dir)
		require.NoError(t, err)
		require.Equal(t, last(put), s.Records)
	}
	t.Logf("%d records came out of the ring after a kill", recovered)
	require.NotZero(t, recovered)
	seen := map[uint64]uint64{}
	require.NoError(t, Show(dir, Filter{}, func(e *Entry) error {
		seen[e.Epoch]++
		require.Equal(t, seen[e.Epoch], e.Seq)
		return nil
	}))
	require.Equal(t, put, seen)
}

func last(put map[uint64]uint64) (sum uint64) {
	for _, n := range put {
		sum += n
	}
	return sum
}

type header struct{ epoch, written, consumed uint64 }

func ringHeader(t testing.TB, dir string) header {
	b, err := os.ReadFile(filepath.Join(dir, ringName))
	require.NoError(t, err)
	le := binary.LittleEndian
	return header{le.Uint64(b[32:]), le.Uint64(b[offWritten:]), le.Uint64(b[offConsumed:])}
}

// faulty is a file on a disk that fails as told. die, where set, is called in the middle of each operation.
type faulty struct {
	*os.File
	disk *disk
}

type disk struct {
	room     int // bytes until ENOSPC; negative: no end
	sync     error
	truncate error
	die      func(step string)
}

func (d *disk) open(path string) (file, error) {
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
	return &faulty{f.(*os.File), d}, nil
}

func (f *faulty) Write(b []byte) (int, error) {
	if f.disk.die != nil {
		n, err := f.File.Write(b[:len(b)/3])
		if err != nil {
			return n, err
		}
		f.disk.die("a third written")
		m, err := f.File.Write(b[n:])
		f.disk.die("all written")
		return n + m, err
	}
	if f.disk.room < 0 || len(b) <= f.disk.room {
		return f.File.Write(b)
	}
	n, err := f.File.Write(b[:f.disk.room])
	f.disk.room -= n
	return n, errors.Join(err, unix.ENOSPC)
}

func (f *faulty) Sync() error {
	if f.disk.sync != nil {
		return f.disk.sync
	}
	return f.File.Sync()
}

func (f *faulty) Truncate(n int64) error {
	if f.disk.truncate != nil {
		return f.disk.truncate
	}
	return f.File.Truncate(n)
}

func TestDrain_failingDiskLosesAndDoublesNothing(t *testing.T) {
	dir := t.TempDir()
	cfg := config(dir)
	ring, w, err := Open(cfg)
	require.NoError(t, err)
	d := &disk{room: -1}
	w.open = d.open
	rs := records(256, day, 400*1e9) // two days
	require.True(t, ring.Put(rs[:40]))
	waiting := "40 records wait for the disk"
	fails := func(want string) {
		t.Helper()
		before := w.Head()
		n, err := w.Drain()
		require.ErrorContains(t, err, want)
		require.Zero(t, n)
		require.Equal(t, before, w.Head())
		require.ErrorContains(t, err, waiting)
	}
	d.room = 1000
	fails("no space left on device")
	require.True(t, ring.Put(rs[40:]))
	require.Zero(t, ring.Room(1), "nothing may be overwritten")
	waiting = "256 records wait for the disk"
	d.room = 0
	fails("no space left on device")
	d.room, d.sync = -1, unix.EIO
	fails("input/output error")
	d.sync = nil
	require.NoError(t, os.Mkdir(filepath.Join(dir, headName+".new"), 0o700))
	fails("is a directory")
	d.truncate = unix.EROFS
	fails("read-only file system")
	d.truncate = nil
	fails("is a directory")
	require.NoError(t, os.Remove(filepath.Join(dir, headName+".new")))
	n, err := w.Drain()
	require.NoError(t, err)
	require.Equal(t, 256, n)
	require.NoError(t, w.Close())
	s, err := Verify(dir)
	require.NoError(t, err)
	require.EqualValues(t, 256, s.Records)
}

// TestOpen_recoversFromEveryStep copies the folder in the middle of each commit, as a kill there would leave it.
func TestOpen_recoversFromEveryStep(t *testing.T) {
	dir := t.TempDir()
	ring, w, err := Open(config(dir))
	require.NoError(t, err)
	put := uint64(0)
	steps := 0
	check := func(step string) {
		steps++
		at := copyDir(t, dir)
		_, again, err := Open(config(at))
		require.NoError(t, err, step)
		require.Zero(t, again.Recovered().Lost)
		require.Equal(t, step == "a third written", again.Recovered().Torn, step)
		require.NoError(t, again.Close())
		s, err := Verify(at)
		require.NoError(t, err, step)
		require.Equal(t, put, s.Records, step)
	}
	w.open = (&disk{die: check}).open
	rs := records(600, day+80_000*1e9, 20*1e9)
	for i := 0; i < len(rs); i += 60 {
		require.True(t, ring.Put(rs[i:i+60]))
		put += 60
		check("all put")
		proven := ringHeader(t, dir).consumed
		_, err := w.Drain()
		require.NoError(t, err)
		check("drained")
		// as if killed between the head and the release of the records
		at := copyDir(t, dir)
		setConsumed(t, at, proven)
		_, again, err := Open(config(at))
		require.NoError(t, err)
		require.Zero(t, again.Recovered().Records)
		require.NoError(t, again.Close())
		s, err := Verify(at)
		require.NoError(t, err)
		require.Equal(t, put, s.Records)
	}
	require.Greater(t, steps, 40)
	require.NoError(t, w.Close())
}

func TestOpen_lostMachineKeepsWhatIsSound(t *testing.T) {
	dir := t.TempDir()
	ring, w, err := Open(config(dir))
	require.NoError(t, err)
	rs := records(100, day, 1)
	require.True(t, ring.Put(rs))
	at := copyDir(t, dir)
	path := filepath.Join(at, ringName)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	clear(b[len(b)-(256-60)*recordSize:]) // the header reached the disk, the records after the 60th did not
	require.NoError(t, os.WriteFile(path, b, 0o600))
	_, again, err := Open(config(at))
	require.NoError(t, err)
	require.Equal(t, Recovered{Epoch: 1, Records: 60, Lost: 40}, again.Recovered())
	require.NoError(t, again.Close())
	s, err := Verify(at)
	require.NoError(t, err)
	require.EqualValues(t, 60, s.Records)
	require.NoError(t, w.Close())
}

func TestOpen_refusesWhatTheRingCannotExplain(t *testing.T) {
	dir := t.TempDir()
	ring, w, err := Open(config(dir))
	require.NoError(t, err)
	rs := records(50, day, 1)
	require.True(t, ring.Put(rs[:30]))
	_, err = w.Drain()
	require.NoError(t, err)
	name := "trades_2026-11-25.jsonl"
	broken := func(want string, damage func(at string)) {
		t.Helper()
		at := copyDir(t, dir)
		damage(at)
		_, _, err := Open(config(at))
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "\n")
	}
	text, err := os.ReadFile(filepath.Join(dir, name))
	require.NoError(t, err)
	save := func(at, name string, b []byte) { require.NoError(t, os.WriteFile(filepath.Join(at, name), b, 0o600)) }
	broken("before the published head", func(at string) { save(at, name, text[:len(text)-1]) })
	broken("the file is missing", func(at string) { require.NoError(t, os.Remove(filepath.Join(at, name))) })
	broken("does not carry the published head's chain", func(at string) {
		b := append([]byte(nil), text...)
		b[len(b)-10] ^= 1
		save(at, name, b)
	})
	broken("line 31 (session 1, record 31): the file ends within this line, and the ring does not hold its record", func(at string) {
		save(at, name, append(text[:len(text):len(text)], `{"seq":31`...))
	})
	broken("the ring that could explain it is missing", func(at string) {
		save(at, name, append(text[:len(text):len(text)], `{"seq":31`...))
		require.NoError(t, os.Remove(filepath.Join(at, ringName)))
	})
	broken("has no head.json", func(at string) { require.NoError(t, os.Remove(filepath.Join(at, headName))) })
	broken("the header is damaged", func(at string) {
		b, err := os.ReadFile(filepath.Join(at, ringName))
		require.NoError(t, err)
		b[page] ^= 1
		save(at, ringName, b)
	})
	broken("is cut short", func(at string) { save(at, ringName, nil) })
	require.NoError(t, w.Close())
}

// TestWriter_fullDisk runs the whole folder on a file system that really fills up.
func TestWriter_fullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=512k"); err != nil {
		t.Skip("cannot mount a small file system here: ", err)
	}
	defer func() { require.NoError(t, unix.Unmount(dir, 0)) }()
	junk := filepath.Join(dir, "junk")
	require.NoError(t, os.WriteFile(junk, make([]byte, 470<<10), 0o600))
	cfg := config(dir)
	_, _, err := Open(cfg)
	require.ErrorIs(t, err, unix.ENOSPC)

	require.NoError(t, os.Truncate(junk, 400<<10))
	ring, w, err := Open(cfg)
	require.NoError(t, err)
	rs := records(600, day, 1)
	put := 0
	for put < len(rs) && ring.Put(rs[put:put+1]) {
		if put++; put%50 == 0 {
			_, err = w.Drain()
		}
	}
	require.ErrorIs(t, err, unix.ENOSPC)
	require.True(t, strings.HasPrefix(err.Error(), "audit: "))
	require.Less(t, put, len(rs), "the engine must have been stopped by a full ring")
	require.Equal(t, ring.Capacity(), ring.Waiting())
	require.NoError(t, os.Remove(junk))
	for ; put < len(rs); put++ {
		if !ring.Put(rs[put : put+1]) {
			_, err := w.Drain()
			require.NoError(t, err)
			require.True(t, ring.Put(rs[put:put+1]))
		}
		if put == 450 {
			break
		}
	}
	require.NoError(t, w.Close())
	s, err := Verify(dir)
	require.NoError(t, err)
	require.EqualValues(t, 451, s.Records)
}

func copyDir(t testing.TB, dir string) string {
	t.Helper()
	to := t.TempDir()
	all, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range all {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(to, e.Name()), b, 0o600))
	}
	return to
}

func setConsumed(t testing.TB, dir string, v uint64) {
	path := filepath.Join(dir, ringName)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	binary.LittleEndian.PutUint64(b[offConsumed:], v)
	require.NoError(t, os.WriteFile(path, b, 0o600))
}
