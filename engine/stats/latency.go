package stats

import (
	"sync"
	"sync/atomic"
	"time"
)

// Stage is one part of a tick.
type Stage uint8

const (
	Decode Stage = iota
	Apply
	Decide
	Check
	Record
	Submit
	// Whole is the tick from Begin to End.
	Whole
	// Stages is their number.
	Stages int = iota
)

func (s Stage) String() string {
	return [...]string{"decode", "apply", "decide", "check", "record", "submit", "whole"}[s]
}

// Snapshot is a copy of all stages.
type Snapshot [Stages]Histogram

// Merge adds all of o to s.
func (s *Snapshot) Merge(o *Snapshot) {
	for i := range s {
		s[i].Merge(&o[i])
	}
}

// Who owns the hand-over buffer of a Latency.
const (
	idle    uint32 = iota // the reader; nothing asked for
	wanted                // the writer may fill it
	handed                // the reader may take it
	closing               // the writer is done; its histograms may be read directly
)

// Latency measures the stages of one thread's ticks, one tick in every so many. Begin, Mark and End belong to that
// thread and cost one branch on a tick that is not measured; nothing decided may depend on them.
//
//	l.Begin()
//	… apply …
//	l.Mark(stats.Apply)
//	… decide …
//	l.Mark(stats.Decide)
//	l.End()
type Latency struct {
	now         func() int64
	every, left uint32
	on          bool
	start, last int64
	hist        Snapshot

	_     [128]byte
	state atomic.Uint32
	copy  Snapshot // owned as state says

	mu    sync.Mutex // readers among themselves
	taken Snapshot
}

var origin = time.Now()

// Nanotime is the default stamp: monotonic nanoseconds since the process started.
func Nanotime() int64 { return int64(time.Since(origin)) }

// NewLatency measures one tick in every (0 counts as 1) with stamps in nanoseconds from now; nil is Nanotime.
func NewLatency(every uint32, now func() int64) *Latency {
	if now == nil {
		now = Nanotime
	}
	every = max(every, 1)
	return &Latency{now: now, every: every, left: 1}
}

// Begin opens a tick.
func (l *Latency) Begin() {
	if l.left--; l.left == 0 {
		l.begin()
	}
}

func (l *Latency) begin() {
	l.left, l.on = l.every, true
	l.start = l.now()
	l.last = l.start
}

// Mark counts the time since the previous Mark, or Begin, for the stage. A stage may be marked more than once a tick.
func (l *Latency) Mark(s Stage) {
	if l.on {
		l.mark(s)
	}
}

func (l *Latency) mark(s Stage) {
	t := l.now()
	l.hist[s].Add(t - l.last)
	l.last = t
}

// Skip leaves the time since the previous Mark out of every stage but Whole.
func (l *Latency) Skip() {
	if l.on {
		l.last = l.now()
	}
}

// End closes the tick and hands a copy over if a reader asked for one.
func (l *Latency) End() {
	if l.on {
		l.on = false
		l.hist[Whole].Add(l.now() - l.start)
	}
	l.Offer()
}

// Offer is the handing over alone, for an idle loop. The writer only.
func (l *Latency) Offer() {
	if l.state.Load() == wanted {
		l.offer()
	}
}

func (l *Latency) offer() {
	l.copy = l.hist
	l.state.Store(handed)
}

// Close lets readers see everything counted. The writer only, after its last tick.
func (l *Latency) Close() { l.state.Store(closing) }

// Snapshot returns the newest copy that the writer has handed over and asks for the next one: while the writer runs, the
// figures are as old as the previous call. Any goroutine.
func (l *Latency) Snapshot() Snapshot {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch l.state.Load() {
	case closing:
		return l.hist
	case handed:
		l.taken = l.copy
		l.state.CompareAndSwap(handed, wanted) // fails only against Close
	case idle:
		l.state.CompareAndSwap(idle, wanted)
	}
	return l.taken
}
