package books

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBook_agreesWithTwinUnderRandomFaults(t *testing.T) {
	t.Parallel()
	seen := [4]int{}
	for kind := range 256 {
		steer := make([]byte, 2000)
		rng := rand.NewChaCha8([32]byte{byte(kind), 1})
		_, err := rng.Read(steer)
		require.NoError(t, err)
		steer[0] = byte(kind)
		r := newRig(t, steer)
		r.run()
		for s, n := range r.seen {
			seen[s] += n
		}
	}
	t.Logf("steps ended empty %d, syncing %d, live %d, stale %d times", seen[Empty], seen[Syncing], seen[Live], seen[Stale])
	require.Greater(t, seen[Live], 10_000)
	require.Greater(t, seen[Stale], 10_000)
	require.NotZero(t, seen[Syncing])
}

// Run it with -fuzzminimizetime 20x: left to itself the fuzzer spends its time on shortening what it finds.
func FuzzBook_agreesWithTwin(f *testing.F) {
	for kind := range byte(8) {
		steer := make([]byte, 400)
		rng := rand.NewChaCha8([32]byte{kind, 2})
		if _, err := rng.Read(steer); err != nil {
			f.Fatal(err)
		}
		steer[0] = kind * 37
		f.Add(steer)
	}
	f.Fuzz(func(t *testing.T, steer []byte) {
		if len(steer) > 4096 {
			return
		}
		newRig(t, steer).run()
	})
}
