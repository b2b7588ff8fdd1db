package wire

import (
	"context"
	"sync"

	"oneprice/books/venue"
)

// Limiter is a sliding allowance of cost per span, shared by everything that spends it. The venue's own count, where it
// states one, is believed over ours. Safe for concurrent use.
//
// It is for edges (connections, REST, control messages); order budgets belong to risk.
type Limiter struct {
	mu     sync.Mutex
	clock  *Clock
	max    int64
	span   venue.Nanos
	spent  []spend // oldest first
	sum    int64
	closed venue.Nanos // nothing before this instant: the venue said so
	until  venue.Nanos // the latest instant that Wait has waited for
}

type spend struct {
	at   venue.Nanos
	cost int64
}

// Limits are what a venue allows one address, whatever part of a session spends it: the first look, the feed and the order
// side share one set. Nil stands for what the venue counts otherwise, by connection or by account.
type Limits struct {
	// Connections are attempts of connecting, Messages what is sent on all sockets together, Weight the cost of REST.
	Connections, Messages, Weight *Limiter
}

// NewLimiter allows max cost per span. max must be positive.
func NewLimiter(clock *Clock, max int64, span venue.Nanos) *Limiter {
	return &Limiter{clock: clock, max: max, span: span}
}

// Try spends cost if the allowance has room now, and otherwise says how long to wait before asking again.
func (l *Limiter) Try(cost int64) (venue.Nanos, bool) { return l.try(cost, 0) }

func (l *Limiter) try(cost, leave int64) (venue.Nanos, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	if now < l.closed {
		return l.closed - now, false
	}
	l.forget(now)
	if l.sum+cost+leave <= l.max || l.sum == 0 { // a cost above the whole allowance passes when nothing else is spent
		l.spent = append(l.spent, spend{now, cost})
		l.sum += cost
		return 0, true
	}
	free := l.sum + cost + leave - l.max
	for _, s := range l.spent {
		if free -= s.cost; free <= 0 {
			return s.at + l.span - now + 1, false
		}
	}
	return l.span, false
}

// Wait spends cost as soon as the allowance has room, or returns the error of ctx. own is the clock of who waits.
func (l *Limiter) Wait(ctx context.Context, own *Clock, cost int64) error {
	return l.WaitLeaving(ctx, own, cost, 0)
}

// WaitLeaving is Wait for who must leave a share of the allowance to others: it waits until there is room for leave more.
func (l *Limiter) WaitLeaving(ctx context.Context, own *Clock, cost, leave int64) error {
	for {
		wait, ok := l.try(cost, leave)
		if ok {
			return nil
		}
		l.waits(wait)
		if err := own.Sleep(ctx, wait); err != nil {
			return err
		}
	}
}

func (l *Limiter) waits(wait venue.Nanos) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.until = max(l.until, l.clock.Now()+wait)
}

// Spent is what now counts against the allowance.
func (l *Limiter) Spent() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forget(l.clock.Now())
	return l.sum
}

// Until is the latest instant for which the allowance has made anyone wait, 0 never: what was held up before it was so by
// the venue's limits.
func (l *Limiter) Until() venue.Nanos {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.until
}

// Stated takes the venue's own figure of what is spent in the current span. What it counts beyond ours (another process,
// another weight) is added; it never frees what we know that we spent.
func (l *Limiter) Stated(used int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	l.forget(now)
	if used > l.sum {
		l.spent = append(l.spent, spend{now, used - l.sum})
		l.sum = used
	}
}

// Close lets nothing through for a span: the answer to a 429, a 418 or a Retry-After.
func (l *Limiter) Close(span venue.Nanos) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = max(l.closed, l.clock.Now()+span)
}

func (l *Limiter) forget(now venue.Nanos) {
	n := 0
	for n < len(l.spent) && l.spent[n].at+l.span <= now {
		l.sum -= l.spent[n].cost
		n++
	}
	l.spent = l.spent[:copy(l.spent, l.spent[n:])]
}

// Backoff is a wait that doubles from Min to Max with each failure, less a random part of up to half, so that many
// clients do not return at once.
type Backoff struct {
	Min, Max venue.Nanos
	tries    uint
	rnd      uint64
}

// Next is the wait before the next attempt.
func (b *Backoff) Next() venue.Nanos {
	d := b.Max
	if b.tries < 32 && b.Min<<b.tries < b.Max {
		d = b.Min << b.tries
	}
	b.tries++
	b.rnd = b.rnd*6364136223846793005 + 1442695040888963407
	return d - venue.Nanos(b.rnd>>33)%(d/2+1)
}

// Full is the wait after many failures, which it counts as: from half of Max to Max.
func (b *Backoff) Full() venue.Nanos {
	b.tries = max(b.tries, 32)
	return b.Next()
}

// Reset forgets the failures: the connection has proved itself.
func (b *Backoff) Reset() { b.tries = 0 }

// Seed makes the jitter differ from that of another Backoff.
func (b *Backoff) Seed(s uint64) { b.rnd = s }
