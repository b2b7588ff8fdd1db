package orders_test

import (
	"hash/maphash"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// visit is how a state was reached first.
type visit struct {
	from uint64
	what string
}

// explored is what a walk over a whole model came to.
type explored struct{ states, moves, rests, depth int }

// explore walks every state that a model can reach, breadth first, each once, and holds each against the invariants. A
// failure comes with the shortest way to it.
func explore(t *testing.T, r *rig) explored {
	t.Helper()
	seed := maphash.MakeSeed()
	first := r.first()
	key := first.key(seed)
	came, frontier, n := map[uint64]visit{key: {}}, []state{first}, explored{}
	way := func(at uint64) string {
		var steps []string
		for ; at != key; at = came[at].from {
			steps = append(steps, came[at].what)
		}
		slices.Reverse(steps)
		return strings.Join(steps, "\n  ")
	}
	for len(frontier) > 0 {
		n.depth++
		var next []state
		for i := range frontier {
			s := &frontier[i]
			from := s.key(seed)
			if s.rests() {
				n.rests++
				if fault := r.settled(s); fault != "" {
					t.Fatalf("%s at rest after:\n  %s\n%s", fault, way(from), s)
				}
			}
			r.moves(s, func(what string, to *state, fault string) {
				n.moves++
				if fault == "" {
					fault = r.holds(s, to)
				}
				if fault != "" {
					t.Fatalf("%s after:\n  %s\n  %s\nfrom %s\nto %s", fault, way(from), what, s, to)
				}
				k := to.key(seed)
				if _, seen := came[k]; !seen {
					came[k] = visit{from, what}
					next = append(next, *to)
				}
			})
		}
		frontier = next
	}
	n.states = len(came)
	return n
}

// Every order of events that one slot, its venue and the lines between them can go through, up to the bounds of each case:
// whatever is lost, late, doubled or out of order, no fill is counted twice or forgotten, what may still fill is never more
// than the engine counts, a slot is freed only when all its order's fills are in, and once all is said the engine's order
// is the venue's.
func TestTable_everyInterleavingKeepsItsPromises(t *testing.T) {
	for _, c := range []struct {
		name string
		max  bounds
		long bool
	}{
		{"cancel", bounds{orders: 1, cancels: 1, doubled: 1, timeouts: 1, whims: 1}, false},
		{"cancel with losses", bounds{orders: 1, cancels: 1, lost: 1, doubled: 1, timeouts: 1}, false},
		{"amend with losses", bounds{orders: 1, amends: 1, lost: 1}, false},
		{"amend and cancel", bounds{orders: 1, amends: 1, cancels: 1}, false},
		{"two amends", bounds{orders: 1, amends: 2, doubled: 1, still: true}, false},
		{"totals only", bounds{orders: 1, cancels: 1, lost: 1, doubled: 1, totals: true}, false},
		{"slot used again", bounds{orders: 2, doubled: 1, whims: 1}, false},
		{"restart", bounds{orders: 1, cancels: 1, restarts: 1}, false},
		{"restart, totals only", bounds{orders: 1, restarts: 1, totals: true}, false},
		{"restart with amends and losses", bounds{orders: 1, cancels: 1, amends: 1, lost: 1, restarts: 1, whims: 1}, true},
		{"slot used again with a cancel", bounds{orders: 2, cancels: 1, doubled: 1}, true},
		{"cancel twice", bounds{orders: 1, cancels: 2, doubled: 1, timeouts: 1, whims: 1}, true},
		{"everything lost twice", bounds{orders: 1, cancels: 1, lost: 2, doubled: 1, timeouts: 1, whims: 1}, true},
		{"amends", bounds{orders: 1, amends: 2, lost: 1, doubled: 1, timeouts: 1, whims: 1}, true},
		{"amend and cancel with losses", bounds{orders: 1, amends: 1, cancels: 1, lost: 1, doubled: 1, timeouts: 1, whims: 1}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.long && os.Getenv("ONEPRICE_LONG") == "" {
				t.Skip("set ONEPRICE_LONG=1")
			}
			t.Parallel()
			began := time.Now()
			n := explore(t, newRig(c.max))
			require.Positive(t, n.rests)
			t.Logf("%d states, %d moves, %d of them at rest, depth %d, %s", n.states, n.moves, n.rests, n.depth, time.Since(began).Round(time.Millisecond))
		})
	}
}
