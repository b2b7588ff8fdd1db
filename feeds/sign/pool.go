package sign

import (
	"context"
	"errors"
	"sync/atomic"

	"oneprice/books/venue"
)

// Clock is what a Pool lives by; *wire.Clock is one.
type Clock interface {
	venue.Clock
	// Sleep waits for d or for the end of ctx, whose error it then returns.
	Sleep(ctx context.Context, d venue.Nanos) error
}

const (
	renewAfter  = 45 * venue.Second // a token is replaced at this age,
	tokenMargin = 10 * venue.Second // and no longer handed out when so little of its life is left
)

// Route is a request that a token can be made for ahead of time.
type Route struct{ Method, Path string }

// Pool keeps a fresh token for each of a few routes, so that sending an order waits for no signature. The goroutine in Run
// makes tokens; any goroutine takes them by Token or Bearer without lock or allocation.
//
// One token serves many requests until its successor is there: neither the venue's documents nor its client treat the
// nonce as good for one use. Where that is found to be wrong, sign each request by Coinbase.Append instead.
type Pool struct {
	hidden
	maker *Coinbase
	clock Clock
	slots []slot
}

type slot struct {
	Route
	ready atomic.Pointer[prepared] // written by Run's goroutine (first by NewPool)
}

type prepared struct {
	bearer string
	made   venue.Nanos
}

const bearer = "Bearer "

// NewPool makes the first token of every route, so that the pool is ready when it returns. It fails on a route that no
// token can be made for, and on none at all.
func NewPool(maker *Coinbase, clock Clock, routes ...Route) (*Pool, error) {
	if len(routes) == 0 {
		return nil, errors.New("sign: a pool needs at least one route")
	}
	p := &Pool{maker: maker, clock: clock, slots: make([]slot, len(routes))}
	for i, r := range routes {
		if err := checkRoute(r.Method, r.Path); err != nil {
			return nil, err
		}
		p.slots[i].Route = r
	}
	p.Renew(clock.Now())
	return p, nil
}

// Run renews tokens ahead of their end until ctx ends, whose error it returns. The caller owns its goroutine.
func (p *Pool) Run(ctx context.Context) error {
	for {
		now := p.clock.Now()
		if err := p.clock.Sleep(ctx, p.Renew(now)-now); err != nil {
			return err
		}
	}
}

// Renew replaces the tokens that are old at the instant now and says when the next one will be. One goroutine at a time
// may call it: the one in Run, or a caller with a loop of its own.
func (p *Pool) Renew(now venue.Nanos) venue.Nanos {
	next := now + renewAfter
	for i := range p.slots {
		s := &p.slots[i]
		t := s.ready.Load()
		if t == nil || now >= t.made+renewAfter {
			buf := p.maker.token(append(make([]byte, 0, 1024), bearer...), s.Method, s.Path, now, fresh())
			t = &prepared{bearer: string(buf), made: now}
			s.ready.Store(t)
		}
		next = min(next, t.made+renewAfter)
	}
	return next
}

// Token returns the token of a route. It is false for an unknown route, and when the newest token is about to expire at
// the instant now, because Run stopped or starved: sign in line then, or do not send.
func (p *Pool) Token(method, path string, now venue.Nanos) (string, bool) {
	b, ok := p.Bearer(method, path, now)
	if !ok {
		return "", false
	}
	return b[len(bearer):], true
}

// Bearer returns the token of a route as the value of the header Authorization; otherwise it is like Token.
func (p *Pool) Bearer(method, path string, now venue.Nanos) (string, bool) {
	for i := range p.slots {
		s := &p.slots[i]
		if s.Path == path && s.Method == method {
			if t := s.ready.Load(); now < t.made+TokenLife-tokenMargin {
				return t.bearer, true
			}
			return "", false
		}
	}
	return "", false
}
