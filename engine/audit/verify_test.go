package audit

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// folder is a proven folder of two days that tests damage in memory.
type folder struct {
	t     *testing.T
	dir   string
	names []string
	lines [][][]byte // by file
}

func newFolder(t *testing.T) *folder {
	dir := t.TempDir()
	write(t, config(dir), records(60, day+86_000*1e9, 10*1e9))
	f := &folder{t: t, dir: dir, names: []string{"trades_2026-11-25.jsonl", "trades_2026-11-26.jsonl"}}
	for _, name := range f.names {
		b, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		f.lines = append(f.lines, slices.DeleteFunc(bytes.SplitAfter(b, newline), func(l []byte) bool { return len(l) == 0 }))
	}
	return f
}

// broken saves the files as given and demands that Verify names the line.
func (f *folder) broken(name string, line, seq uint64, what string, files ...[][]byte) {
	f.t.Helper()
	for i, lines := range files {
		require.NoError(f.t, os.WriteFile(filepath.Join(f.dir, f.names[i]), bytes.Join(lines, nil), 0o600))
	}
	s, err := Verify(f.dir)
	var fault *Fault
	require.True(f.t, errors.As(err, &fault), "unexpected error %v; want a fault", err)
	require.False(f.t, s.OK)
	require.Equal(f.t, fault, s.Broken)
	require.Equal(f.t, [3]any{name, line, seq}, [3]any{fault.File, fault.Line, fault.Seq}, fault.What)
	require.ErrorContains(f.t, err, what)
}

func TestVerify_namesTheFirstBrokenRecord(t *testing.T) {
	f := newFolder(t)
	a, b := f.lines[0], f.lines[1]
	na, nb := uint64(len(a)), uint64(len(b))
	require.EqualValues(t, 60, na+nb)
	with := func(lines [][]byte, change func(l [][]byte) [][]byte) [][]byte {
		c := slices.Clone(lines)
		for i := range c {
			c[i] = bytes.Clone(c[i])
		}
		return change(c)
	}
	f.broken(f.names[0], 8, 8, "record 9 stands here", with(a, func(l [][]byte) [][]byte { return slices.Delete(l, 7, 8) }), b)
	f.broken(f.names[0], 9, 9, "record 8 stands here again", with(a, func(l [][]byte) [][]byte { return slices.Insert(l, 8, l[7]) }), b)
	f.broken(f.names[0], 8, 8, "record 9 stands here", with(a, func(l [][]byte) [][]byte { l[7], l[8] = l[8], l[7]; return l }), b)
	f.broken(f.names[0], 1, 1, "session 1 begins with record 2", a[1:], b)
	f.broken(f.names[1], 1, na+1, "stands here: the one that belongs here is missing", a, b[1:])
	f.broken(f.names[1], 1, na, "stands here", a[:na-1], b)
	f.broken(f.names[1], nb, 60, "missing: the published head has 60 lines", a, b[:nb-1])
	f.broken(f.names[0], 5, 5, "this line was altered", with(a, func(l [][]byte) [][]byte {
		l[4] = bytes.Replace(l[4], []byte(`"state":"stale"`), []byte(`"state":"empty"`), 1)
		return l
	}), b)
	f.broken(f.names[1], nb+1, 61, "stands behind the published head", a, with(b, func(l [][]byte) [][]byte {
		return append(l, f.forge(l[nb-1]))
	}))
	require.NoError(t, os.Remove(filepath.Join(f.dir, f.names[1])))
	f.broken(f.names[0], na+1, na+1, "missing", a)
}

// forge makes a line that chains well to the last one: only the head can tell.
func (f *folder) forge(before []byte) []byte {
	var h Head
	h.Chain = string(before[len(before)-len(chainEnd)-64 : len(before)-len(chainEnd)])
	l, err := h.link()
	require.NoError(f.t, err)
	var j joiner
	body := []byte(`{"seq":61,"epoch":1,"time":"2026-11-26T00:00:00Z","kind":"end"`)
	return []byte(string(body) + chainKey + j.join(l, body).String() + chainEnd)
}

func TestVerify_everyFlippedByteIsNoticed(t *testing.T) {
	f := newFolder(t)
	rnd := rand.New(rand.NewPCG(5, 6))
	for _, name := range append(f.names, headName) {
		path := filepath.Join(f.dir, name)
		good, err := os.ReadFile(path)
		require.NoError(t, err)
		tries := 250
		if name == headName {
			tries = len(good)
		}
		for i := range tries {
			at := i
			if name != headName {
				at = rnd.IntN(len(good))
			}
			if i == tries-1 {
				at = len(good) - 1 // the last newline
			}
			bad := bytes.Clone(good)
			bad[at] ^= 1 << rnd.IntN(8)
			require.NoError(t, os.WriteFile(path, bad, 0o600))
			s, err := Verify(f.dir)
			require.Errorf(t, err, "byte %d of %s went from %q to %q unnoticed", at, name, good[at], bad[at])
			require.False(t, s.OK)
			if name == headName {
				continue
			}
			var fault *Fault
			require.True(t, errors.As(err, &fault))
			require.Equal(t, name, fault.File)
			require.EqualValues(t, 1+bytes.Count(good[:at], newline), fault.Line, fault.What)
		}
		require.NoError(t, os.WriteFile(path, good, 0o600))
	}
	_, err := Verify(f.dir)
	require.NoError(t, err)
}

func TestVerify_missingHeadIsAnError(t *testing.T) {
	f := newFolder(t)
	require.NoError(t, os.Remove(filepath.Join(f.dir, headName)))
	_, err := Verify(f.dir)
	require.ErrorContains(t, err, "has no head.json")
	_, err = Verify(filepath.Join(f.dir, "nowhere"))
	require.Error(t, err)
}

func TestVerify_standsBesideARunningEngine(t *testing.T) {
	dir := t.TempDir()
	cfg := config(dir)
	cfg.NoSync = true
	ring, w, err := Open(cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	verified := make(chan error, 1)
	stop := make(chan struct{})
	go func() {
		for {
			select {
			case <-stop:
				verified <- nil
				return
			default:
			}
			if _, err := Verify(dir); err != nil {
				verified <- err
				return
			}
		}
	}()
	rs := records(5000, day, 1)
	for i := 0; i < len(rs); {
		n := min(10, len(rs)-i)
		if ring.Put(rs[i : i+n]) {
			i += n
		}
	}
	close(stop)
	require.NoError(t, <-verified)
	cancel()
	require.NoError(t, <-done)
	require.Zero(t, ring.Waiting())
	require.NoError(t, w.Close())
	s, err := Verify(dir)
	require.NoError(t, err)
	require.EqualValues(t, 5000, s.Records)
}
