package app

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	simSeed  = flag.Uint64("sim.seed", 1, "the first seed of the simulation")
	simCount = flag.Int("sim.count", 0, "how many seeds to simulate; 0 for those of make test, each twice")
)

// The child of a sweep is this test binary, on one processor; it finds its seeds in the environment.
const (
	childSeeds = "ONEPRICE_TEST_SEEDS"
	simPrefix  = "simulated "
	// simAtOnce is how many seeds a child is given.
	simAtOnce = 5
)

// TestSim_child is no test: it simulates the seeds of one child of a sweep, "first count times", and says what came of each.
func TestSim_child(t *testing.T) {
	var first uint64
	var count, times int
	if n, _ := fmt.Sscan(os.Getenv(childSeeds), &first, &count, &times); n != 3 {
		t.Skip("only a sweep starts it")
	}
	for seed := first; seed < first+uint64(count); seed++ {
		r := simulate(t, seed)
		for range times - 1 {
			if again := simulate(t, seed); again.hash != r.hash && r.failed == "" {
				r.failed = fmt.Sprintf("seed %d: the same seed has two histories, %016x and %016x", seed, r.hash, again.hash)
			}
		}
		fmt.Printf("%s%d %016x %q %s\n", simPrefix, seed, r.hash, r.failed, r.tally)
		if r.failed != "" {
			return
		}
	}
}

// swept is what came of one seed.
type swept struct {
	seed   uint64
	failed string
	line   string
}

// sweep simulates seeds, each so many times, in processes of one processor each, as many as the machine has, and tells each
// as soon as it is done. It ends with the first that fails.
func sweep(t *testing.T, first uint64, count, times int, env []string, tell func(swept)) (failed []swept) {
	var mu sync.Mutex
	next, end := first, first+uint64(count)
	take := func() (from, n uint64) {
		mu.Lock()
		defer mu.Unlock()
		from = next
		if len(failed) > 0 {
			next = end
		}
		n = min(simAtOnce, end-next)
		next += n
		return from, n
	}
	var work sync.WaitGroup
	for range runtime.NumCPU() {
		work.Go(func() {
			for from, n := take(); n > 0; from, n = take() {
				for _, s := range sweepChild(t, from, n, times, env) {
					mu.Lock()
					if tell(s); s.failed != "" {
						failed = append(failed, s)
					}
					mu.Unlock()
				}
			}
		})
	}
	work.Wait()
	return failed
}

// sweepChild is one process of a sweep; what it does not say of a seed is said as its failure.
func sweepChild(t *testing.T, from, n uint64, times int, env []string) (out []swept) {
	c := exec.Command(os.Args[0], "-test.run=^TestSim_child$", "-test.timeout=30m")
	c.Env = append(append(os.Environ(), "GOMAXPROCS=1", fmt.Sprintf("%s=%d %d %d", childSeeds, from, n, times)), env...)
	said, err := c.CombinedOutput()
	lines := bufio.NewScanner(strings.NewReader(string(said)))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		rest, ok := strings.CutPrefix(lines.Text(), simPrefix)
		if !ok {
			continue
		}
		var s swept
		var hash string
		if _, err := fmt.Sscan(rest, &s.seed, &hash); err != nil {
			t.Errorf("a child says %q: %v", rest, err)
		}
		quoted, err := strconv.QuotedPrefix(strings.TrimPrefix(rest, fmt.Sprintf("%d %s ", s.seed, hash)))
		if err == nil {
			s.failed, err = strconv.Unquote(quoted)
		}
		if err != nil {
			t.Errorf("a child says %q: %v", rest, err)
		}
		s.line = rest
		out = append(out, s)
	}
	if broke := uint64(len(out)) < n && (len(out) == 0 || out[len(out)-1].failed == ""); err != nil || broke {
		seed := from + uint64(len(out))
		out = append(out, swept{seed: seed, failed: fmt.Sprintf("seed %d: the process ended (%v); again: make sim SEED=%d COUNT=1\n%s", seed, err, seed, said)})
	}
	return out
}

// Whatever goes wrong at once, in whatever order, and whenever the process is killed: what must hold does, and a seed has one
// history.
func TestSim_holdsWhateverHappens(t *testing.T) {
	if os.Getenv(childSeeds) != "" {
		t.Skip("this is a child")
	}
	count, times := *simCount, 1
	if count == 0 {
		count, times = 25, 2
	}
	began, done := time.Now(), 0
	failed := sweep(t, *simSeed, count, times, nil, func(s swept) {
		if done++; *simCount > 0 {
			fmt.Fprintf(os.Stderr, "%d of %d, %v: %s\n", done, count, time.Since(began).Round(time.Second), s.line)
		}
	})
	for _, s := range failed {
		t.Error(s.failed)
	}
	require.True(t, t.Failed() || done == count)
}
