package risk

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/venue"
)

// small is a breaker whose whole life is small: 3 failures within 4, a pause of 2 that doubles up to 5, 3 openings a day.
var small = BreakerConfig{Failures: 3, Window: 4, Wait: 2, MaxWait: 5, OpeningsPerDay: 3}

// spec is what the breaker should be, in the words of the design and with ages instead of instants: the failures since it
// last changed, each with its age, however old.
type spec struct {
	state    BreakerState
	left     venue.Nanos // of the pause
	wait     venue.Nanos
	ages     [6]venue.Nanos // of failures, newest first, −1 for none
	openings int
	probing  bool
}

var none = [6]venue.Nanos{-1, -1, -1, -1, -1, -1}

// pass lets time pass; a failure that no window can hold any more is forgotten.
func (s *spec) pass() {
	if s.left--; s.left <= 0 {
		s.left = 0
		if s.state == Open {
			s.state = HalfOpen
		}
	}
	for i, a := range s.ages {
		if a >= 0 {
			s.ages[i] = a + 1
		}
		if s.ages[i] > small.Window {
			s.ages[i] = -1
		}
	}
}

func (s *spec) open(wait venue.Nanos) {
	s.state, s.left, s.wait, s.ages, s.probing = Open, wait, wait, none, false
	if s.openings++; s.openings >= small.OpeningsPerDay {
		s.state, s.left = Locked, 0
	}
}

func (s *spec) close() {
	s.state, s.left, s.wait, s.ages, s.probing = Closed, 0, small.Wait, none, false
}

// fail counts a failure.
func (s *spec) fail(probe bool) {
	switch {
	case s.state == HalfOpen && s.probing && probe:
		s.open(min(2*s.wait, small.MaxWait))
	case s.state == Closed:
		copy(s.ages[1:], s.ages[:])
		s.ages[0] = 0
		n := 0
		for _, a := range s.ages {
			if a >= 0 {
				n++
			}
		}
		if n >= small.Failures {
			s.open(small.Wait)
		}
	}
}

// pair is the real breaker, in a form that compares, and what it should be.
type pair struct {
	spec
	real breakerImage
}

type breakerImage struct {
	state       BreakerState
	probing     bool
	until, wait venue.Nanos // until from now on
	times       [3]venue.Nanos
	next, n     int
	openings    int
}

// instant is when every step is taken: what matters of time are the distances.
const instant = venue.Nanos(1000)

// image forgets what can no longer matter: how long ago a pause ended, and ages beyond the window.
func image(b *Breaker) breakerImage {
	m := breakerImage{b.state, b.probing, max(b.until-instant, 0), b.wait, [3]venue.Nanos{}, b.next, b.n, b.openings}
	for i, t := range b.times {
		m.times[i] = max(t-instant, -small.Window-1)
	}
	return m
}

func (m *breakerImage) breaker(passed venue.Nanos) *Breaker {
	b := NewBreaker(small)
	b.state, b.probing, b.until, b.wait, b.next, b.n, b.openings = m.state, m.probing, instant+m.until-passed, m.wait, m.next, m.n, m.openings
	for i, t := range m.times {
		b.times[i] = instant + t - passed
	}
	return &b
}

// Every life of a small breaker, call by call, beside what the design says of it.
func TestBreaker_everyLifeIsAsDesigned(t *testing.T) {
	fresh := NewBreaker(small)
	first := pair{spec{wait: small.Wait, ages: none}, image(&fresh)}
	came, frontier, moves := map[pair]string{first: ""}, []pair{first}, 0
	for len(frontier) > 0 {
		p := frontier[0]
		frontier = frontier[1:]
		step := func(what string, passed venue.Nanos, do func(b *Breaker, s *spec)) {
			b, s := p.real.breaker(passed), p.spec
			do(b, &s)
			moves++
			way := came[p] + " " + what
			require.Equal(t, s.state, b.State(instant), "state after%s", way)
			require.Equal(t, s.probing, b.Probing(), "a probe is out after%s", way)
			left := s.left
			if s.state == Locked {
				left = -1
			}
			require.Equal(t, left, b.Left(instant), "what is left of the pause after%s", way)
			ok, probe := b.Allows(instant)
			require.Equal(t, s.state == Closed || s.state == HalfOpen && !s.probing, ok, "lets through after%s", way)
			require.Equal(t, s.state == HalfOpen, probe, "as the probe after%s", way)
			require.LessOrEqual(t, s.openings, small.OpeningsPerDay)
			to := pair{s, image(b)}
			if _, seen := came[to]; !seen {
				came[to] = way
				frontier = append(frontier, to)
			}
		}
		step("passes", 1, func(_ *Breaker, s *spec) { s.pass() })
		for _, probe := range [...]bool{false, true} {
			step(fmt.Sprintf("fails(%t)", probe), 0, func(b *Breaker, s *spec) {
				was := s.openings
				s.fail(probe)
				require.Equal(t, s.openings > was, b.Fail(instant, probe), "said that it opened after%s", came[p])
			})
			step(fmt.Sprintf("succeeds(%t)", probe), 0, func(b *Breaker, s *spec) {
				closes := s.state == HalfOpen && s.probing && probe
				if closes {
					s.close()
				}
				require.Equal(t, closes, b.Succeed(probe), "said that it closed after%s", came[p])
			})
		}
		step("probes", 0, func(b *Breaker, s *spec) {
			if ok, probe := b.Allows(instant); ok && probe {
				b.Probe(instant)
				s.probing = true
			}
		})
		step("returns", 0, func(b *Breaker, s *spec) { b.Return(); s.probing = false })
		step("resets", 0, func(b *Breaker, s *spec) { b.Reset(); s.close(); s.openings = 0 })
		step("newday", 0, func(b *Breaker, s *spec) { b.NewDay(); s.openings = 0 })
	}
	require.Greater(t, len(came), 1000)
	t.Logf("%d states, %d moves", len(came), moves)
}
