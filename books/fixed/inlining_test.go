package fixed

import (
	"os/exec"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestInlining_smallOperationsCostNoCall asks the compiler, as net/netip does: a busy machine cannot break it.
func TestInlining_smallOperationsCostNoCall(t *testing.T) {
	want := []string{"Pow10", "Rate.Apply", "abs", "bump", "place"}
	out, err := exec.Command("go", "build", "-gcflags=-m", ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	var got []string
	for _, m := range regexp.MustCompile(`can inline ([^\s:]+)`).FindAllSubmatch(out, -1) {
		got = append(got, string(m[1]))
	}
	for _, name := range want {
		require.True(t, slices.Contains(got, name), "%s is no longer inlined; inlined are %q", name, got)
	}
}
