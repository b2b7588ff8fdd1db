package mapped

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestCreate_replacesWholeAndIsReadBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	require.NoError(t, os.WriteFile(path, []byte("old"), 0o600))
	head := append(make([]byte, Page), "more than a page"...)
	mem, err := Create(path, head, 5*Page, 1)
	require.NoError(t, err)
	require.Equal(t, head, mem[:len(head)])
	require.Equal(t, make([]byte, 3*Page), mem[2*Page:])
	mem[4*Page+7] = 9
	require.NoError(t, Sync(mem, 4*Page+7, 4*Page+8))
	require.NoError(t, Unmap(mem))
	require.NoFileExists(t, path+".new")
	mem, err = Open(path)
	require.NoError(t, err)
	require.Len(t, mem, 5*Page)
	require.EqualValues(t, 9, mem[4*Page+7])
	require.NoError(t, Unmap(mem))
}

func TestCreate_refusesWhenTooLittleRemains(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	require.NoError(t, os.WriteFile(path, []byte("old"), 0o600))
	_, err := Create(path, nil, Page, 1<<62)
	require.ErrorIs(t, err, unix.ENOSPC)
	require.NoFileExists(t, path+".new")
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "old", string(b), "the old file is whole")
	_, err = Open(path)
	require.ErrorContains(t, err, "cut short")
	_, err = Open(path + "y")
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestLock_isOneAtATime(t *testing.T) {
	dir := t.TempDir()
	used, err := InUse(dir)
	require.NoError(t, errors.Join(err, SyncDir(dir)))
	require.False(t, used)
	f, err := Lock(dir)
	require.NoError(t, err)
	_, err = Lock(dir)
	require.ErrorContains(t, err, "in use by another engine")
	used, err = InUse(dir)
	require.NoError(t, err)
	require.True(t, used)
	require.NoError(t, f.Close())
	used, err = InUse(dir)
	require.NoError(t, err)
	require.False(t, used)
}
