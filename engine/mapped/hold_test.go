package mapped_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/engine/mapped"
)

func TestHold_oneAtATime(t *testing.T) {
	dir := t.TempDir()
	for range 3 {
		h, err := mapped.Hold(dir, "name")
		require.NoError(t, err)
		_, err = mapped.Hold(dir, "name")
		require.ErrorIs(t, err, mapped.ErrHeld)
		other, err := mapped.Hold(dir, "other")
		require.NoError(t, err)
		require.NoError(t, h.Release())
		require.NoError(t, other.Release())
	}
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestRunFolder_isOursAlone(t *testing.T) {
	dir, err := mapped.RunFolder()
	require.NoError(t, err)
	info, err := os.Stat(dir)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	again, err := mapped.RunFolder()
	require.NoError(t, err)
	require.Equal(t, dir, again)
}
