package app

import (
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"

	"oneprice/engine"
)

// The collector's settings of a live session; see the decisions of the package. The environment's word (GOGC, GOMEMLIMIT)
// goes before them.
const (
	gcPercent   = 400
	memoryLimit = 1 << 30
)

// collector sets when the garbage collector works.
func collector() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
}

// processors fixes the number of processors and says what may spin on them: whatever spins has one to itself, and one is
// left for everything else.
func processors(p engine.Policy, conns int, log *slog.Logger) (policy engine.Policy, connsSpin bool) {
	n := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(n) // said aloud it stays, whatever becomes of the container's share
	return spinners(p, conns, n, log)
}

func spinners(p engine.Policy, conns, n int, log *slog.Logger) (engine.Policy, bool) {
	switch {
	case p != engine.Spin:
		return p, false
	case n >= 1+conns+1:
		return p, true
	case n >= 2:
		log.Warn(fmt.Sprintf("spin: the engine and %d connections need %d processors and there are %d, so the connections park", conns, 1+conns+1, n))
		return p, false
	}
	log.Warn("spin: there is one processor, so engine and connections park")
	return engine.Park, false
}
