package risk

import "oneprice/books/venue"

// bucket is a token bucket kept as one instant: the time at which it was, or will be, empty. Each token costs step, and
// no more than burst of them can be saved. Nothing is multiplied by elapsed time, so no silence is long enough to
// overflow.
type bucket struct {
	empty, step, burst venue.Nanos
	// one is what a single token costs on top of those that must stay in reserve.
	one     venue.Nanos
	reserve int64
}

func newBucket(r Rate, reserve int64) bucket {
	if r.N <= 0 || r.Per <= 0 || r.Burst <= reserve {
		return bucket{}
	}
	step := (r.Per + venue.Nanos(r.N) - 1) / venue.Nanos(r.N) // rounded up: slower, never faster
	return bucket{step: step, burst: step * venue.Nanos(r.Burst), one: step * venue.Nanos(1+reserve), reserve: reserve}
}

// lacks reports whether n tokens cannot be taken now without touching the reserve.
func (b *bucket) lacks(now venue.Nanos, n int64) bool {
	if n == 1 {
		return b.empty > now-b.one // one is within the burst
	}
	return b.wait(now, n+b.reserve) > 0
}

// wait is how long until n tokens can be taken, reserve or not; not more than 0 is now.
func (b *bucket) wait(now venue.Nanos, n int64) venue.Nanos {
	return max(b.empty, now-b.burst) + venue.Nanos(n)*b.step - now
}

// take uses n tokens, below nothing if need be.
func (b *bucket) take(now venue.Nanos, n int64) {
	b.empty = max(b.empty, now-b.burst) + venue.Nanos(n)*b.step
}

// give returns n tokens.
func (b *bucket) give(n int64) { b.empty -= venue.Nanos(n) * b.step }

// left is the number of whole tokens; negative when overdrawn.
func (b *bucket) left(now venue.Nanos) int64 {
	if b.step == 0 {
		return 0
	}
	return int64((now - max(b.empty, now-b.burst)) / b.step)
}
