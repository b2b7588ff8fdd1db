package risk

import "oneprice/books/venue"

// BreakerState says what a Breaker lets through.
type BreakerState uint8

const (
	// Closed: everything.
	Closed BreakerState = iota
	// Open: nothing until its wait is over.
	Open
	// HalfOpen: exactly one probe.
	HalfOpen
	// Locked: nothing until an operator re-arms, for it opened too often in a day.
	Locked
)

func (s BreakerState) String() string {
	return [...]string{"closed", "open", "half_open", "locked"}[s]
}

// Breaker stops what keeps failing. Time comes in as an argument; one goroutine.
type Breaker struct {
	cfg   BreakerConfig
	state BreakerState
	// probing: the one probe is out.
	probing bool
	// until is when Open turns HalfOpen, wait the pause that led there.
	until, wait venue.Nanos
	// times is a ring of the last Failures failures; n counts them up to its length.
	times    []venue.Nanos
	next, n  int
	openings int
}

// NewBreaker makes a closed Breaker. cfg must be valid (BreakerConfig.faults).
func NewBreaker(cfg BreakerConfig) Breaker {
	return Breaker{cfg: cfg, wait: cfg.Wait, times: make([]venue.Nanos, max(cfg.Failures, 1))}
}

// State is what the breaker lets through at now.
func (b *Breaker) State(now venue.Nanos) BreakerState {
	if b.state == Open && now >= b.until {
		return HalfOpen
	}
	return b.state
}

// Left is how long the pause still lasts: 0 when HalfOpen or Closed, −1 when only an operator ends it.
func (b *Breaker) Left(now venue.Nanos) venue.Nanos {
	switch {
	case b.state == Locked:
		return -1
	case b.state == Open && now < b.until:
		return b.until - now
	}
	return 0
}

// Probing reports whether the one probe of a half-open breaker is out.
func (b *Breaker) Probing() bool { return b.probing }

// Allows reports whether an order may pass at now, and whether it would be the probe.
func (b *Breaker) Allows(now venue.Nanos) (ok, probe bool) {
	switch b.State(now) {
	case Closed:
		return true, false
	case HalfOpen:
		return !b.probing, true
	}
	return false, false
}

// Probe notes that the one probe was let through.
func (b *Breaker) Probe(now venue.Nanos) {
	if b.State(now) == HalfOpen {
		b.state, b.probing = HalfOpen, true
	}
}

// Return notes that the probe never left; another may take its place.
func (b *Breaker) Return() { b.probing = false }

// Fail counts a failure. probe says that it was the probe's. It reports whether the breaker opened.
func (b *Breaker) Fail(now venue.Nanos, probe bool) bool {
	switch b.State(now) {
	case HalfOpen:
		// A late failure of an order from before the pause does not speak for the probe.
		if !probe || !b.probing {
			return false
		}
		b.open(now, min(2*b.wait, b.cfg.MaxWait))
		return true
	case Closed:
		b.times[b.next] = now
		if b.next++; b.next == len(b.times) {
			b.next = 0
		}
		if b.n < len(b.times) {
			b.n++
		}
		if b.n == len(b.times) && now-b.times[b.next] <= b.cfg.Window {
			b.open(now, b.cfg.Wait)
			return true
		}
	}
	return false
}

func (b *Breaker) open(now, wait venue.Nanos) {
	b.state, b.probing, b.wait, b.until, b.n = Open, false, wait, now+wait, 0
	if b.openings++; b.openings >= b.cfg.OpeningsPerDay {
		b.state = Locked
	}
}

// Succeed closes a half-open breaker when its probe succeeded. It reports whether it closed.
func (b *Breaker) Succeed(probe bool) bool {
	if b.state != HalfOpen || !b.probing || !probe {
		return false
	}
	b.close()
	return true
}

func (b *Breaker) close() {
	b.state, b.probing, b.wait, b.until, b.n = Closed, false, b.cfg.Wait, 0, 0
}

// Reset is an operator's re-arming.
func (b *Breaker) Reset() {
	b.close()
	b.openings = 0
}

// NewDay starts the count of openings anew; a Locked breaker stays so.
func (b *Breaker) NewDay() { b.openings = 0 }
