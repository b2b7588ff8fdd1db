// Package pair measures candidates against one another on a noisy machine. In every round each candidate runs for a short
// slice in turn, so that whatever disturbs the machine meets all of them; the figure that counts is the ratio of two
// candidates within one round, and of those the median and the band from the 10th to the 90th percentile. Absolute times
// are for the reader and are never judged.
//
// Ownership: one goroutine.
//
// Decisions
//   - 2026-11-25: process CPU time, not wall time, for what runs on one thread: time that other processes take on the same
//     core does not count. What a candidate leaves to the garbage collector does.
//   - 2026-11-25: a candidate may need work between its operations that is not what is measured (answers to orders, fresh
//     sequence numbers). It then runs in bursts: only Run is timed, and what reading the clock twice costs is measured
//     beforehand and taken off.
package pair

import (
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// CPU is the processor time that this process has used.
func CPU() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		panic("pair: no process clock: " + err.Error())
	}
	return time.Duration(t.Nano())
}

// Candidate is one way to do a job.
type Candidate struct {
	Name string
	// Run does n operations.
	Run func(n int)
	// Burst, where not 0, is how many operations Run is asked for at once; Before then runs untimed ahead of each.
	Burst  int
	Before func(n int)
}

// Loop makes the Run of a single operation.
func Loop(f func()) func(int) {
	return func(n int) {
		for ; n > 0; n-- {
			f()
		}
	}
}

// Result is what one candidate showed: nanoseconds per operation of every round, and allocations per operation.
type Result struct {
	Name   string
	Rounds []float64
	Allocs float64
}

// Median is the median time.
func (r *Result) Median() float64 { return Quantile(r.Rounds, 0.5) }

// Least is the time of the quietest round.
func (r *Result) Least() float64 { return slices.Min(r.Rounds) }

// Ratio is how many times longer base took than r: the median of the rounds' own ratios and their 10th and 90th
// percentiles.
func (r *Result) Ratio(base *Result) (median, low, high float64) {
	return Ratios(base.Rounds, r.Rounds)
}

// Ratios is the median of a[i] ÷ b[i] and its 10th and 90th percentiles.
func Ratios(a, b []float64) (median, low, high float64) {
	q := make([]float64, min(len(a), len(b)))
	for i := range q {
		q[i] = a[i] / b[i]
	}
	return Quantile(q, 0.5), Quantile(q, 0.1), Quantile(q, 0.9)
}

// Quantile is the p-th quantile of v, 0 for none.
func Quantile(v []float64, p float64) float64 {
	if len(v) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(v))
	return s[min(len(s)-1, int(p*float64(len(s))))]
}

// Run rotates the candidates for so many rounds, a slice each.
func Run(rounds int, slice time.Duration, cs ...Candidate) []Result {
	out := make([]Result, len(cs))
	n := make([]int, len(cs))
	overhead := clockCost()
	for i := range cs {
		c := &cs[i]
		out[i].Name = c.Name
		n[i] = c.size(slice, overhead)
		out[i].Allocs = c.allocs(n[i])
	}
	for round := range rounds {
		for j := range cs {
			i := (j + round) % len(cs)
			out[i].Rounds = append(out[i].Rounds, cs[i].time(n[i], overhead))
		}
	}
	return out
}

// clockCost is what an empty timed piece shows.
func clockCost() time.Duration {
	v := make([]float64, 2001)
	for i := range v {
		t := CPU()
		v[i] = float64(CPU() - t)
	}
	return time.Duration(Quantile(v, 0.5))
}

// size finds how many operations fill a slice, warming the candidate on the way.
func (c *Candidate) size(slice, overhead time.Duration) int {
	for n := max(c.Burst, 1); ; n *= 2 {
		took := c.time(n, overhead) * float64(n)
		if took > float64(slice)/2 || n > 1<<30 {
			n = max(1, int(float64(n)*float64(slice)/max(took, 1)))
			if c.Burst > 0 {
				n = (n + c.Burst - 1) / c.Burst * c.Burst
			}
			return n
		}
	}
}

// time is nanoseconds per operation over n of them.
func (c *Candidate) time(n int, overhead time.Duration) float64 {
	if c.Burst == 0 {
		t := CPU()
		c.Run(n)
		return float64(max(CPU()-t-overhead, 1)) / float64(n)
	}
	var sum time.Duration
	for done := 0; done < n; done += c.Burst {
		if c.Before != nil {
			c.Before(c.Burst)
		}
		t := CPU()
		c.Run(c.Burst)
		sum += CPU() - t - overhead
	}
	return float64(max(sum, 1)) / float64(n)
}

// allocs counts heap allocations per operation in n of them, outside Before.
func (c *Candidate) allocs(n int) float64 {
	var a, b runtime.MemStats
	if c.Burst == 0 {
		runtime.ReadMemStats(&a)
		c.Run(n)
		runtime.ReadMemStats(&b)
		return float64(b.Mallocs-a.Mallocs) / float64(n)
	}
	total, count := uint64(0), 0
	for count < min(n, 40*c.Burst) {
		if c.Before != nil {
			c.Before(c.Burst)
		}
		runtime.ReadMemStats(&a)
		c.Run(c.Burst)
		runtime.ReadMemStats(&b)
		total += b.Mallocs - a.Mallocs
		count += c.Burst
	}
	return float64(total) / float64(count)
}
