package venue

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

func TestSizes_areExact(t *testing.T) {
	require.EqualValues(t, 64, unsafe.Sizeof(Event{}))
	require.EqualValues(t, 128, unsafe.Sizeof(Report{}))
	require.EqualValues(t, 128, unsafe.Sizeof(Command{}))
}

func TestReason_everyOneHasAName(t *testing.T) {
	seen := map[string]bool{}
	for r := range reasons {
		require.NotEmpty(t, r.String())
		require.False(t, seen[r.String()], "unexpected second use of %q", r)
		seen[r.String()] = true
	}
}
