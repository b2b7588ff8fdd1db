package sign

import (
	"context"
	"encoding/json"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/venue"
)

// fakeClock sleeps until the test says so.
type fakeClock struct {
	mu    sync.Mutex
	now   venue.Nanos
	asked chan venue.Nanos // what Sleep was asked for, when it begins to wait
	wake  chan struct{}
}

func newFakeClock(now venue.Nanos) *fakeClock {
	return &fakeClock{now: now, asked: make(chan venue.Nanos), wake: make(chan struct{})}
}

func (c *fakeClock) Now() venue.Nanos {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) Sleep(ctx context.Context, d venue.Nanos) error {
	select {
	case c.asked <- d:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-c.wake:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pass lets d go by and ends the sleep.
func (c *fakeClock) pass(d venue.Nanos) {
	c.mu.Lock()
	c.now += d
	c.mu.Unlock()
	c.wake <- struct{}{}
}

func pool(t testing.TB, c *Coinbase, clock Clock) *Pool {
	t.Helper()
	p, err := NewPool(c, clock, Route{"POST", orders}, Route{"POST", orders + "/batch_cancel"}, Route{"GET", orders})
	require.NoError(t, err)
	return p
}

func TestPool_isReadyAtOnceWithATokenOfEachRoute(t *testing.T) {
	c := coinbase(t, coinbaseEC)
	p := pool(t, c, newFakeClock(someTime))
	for _, r := range []Route{{"POST", orders}, {"POST", orders + "/batch_cancel"}, {"GET", orders}} {
		tok, ok := p.Token(r.Method, r.Path, someTime)
		require.True(t, ok)
		_, claims := verified(t, c, tok)
		var got struct {
			URI      string
			Nbf, Exp int64
		}
		require.NoError(t, json.Unmarshal([]byte(claims), &got))
		require.Equal(t, r.Method+" api.coinbase.com"+r.Path, got.URI)
		require.Equal(t, int64(120), got.Exp-got.Nbf)

		b, ok := p.Bearer(r.Method, r.Path, someTime)
		require.True(t, ok)
		require.Equal(t, "Bearer "+tok, b)
	}
	_, ok := p.Token("PUT", orders, someTime)
	require.False(t, ok)
}

func TestPool_replacesTokensAheadOfTheirEnd(t *testing.T) {
	clock := newFakeClock(someTime)
	p := pool(t, coinbase(t, coinbaseEd), clock)
	ctx, stop := context.WithCancel(t.Context())
	end := make(chan error)
	go func() { end <- p.Run(ctx) }()

	require.Equal(t, renewAfter, <-clock.asked)
	first, ok := p.Token("POST", orders, clock.Now())
	require.True(t, ok)
	clock.pass(renewAfter - 1)
	require.Equal(t, venue.Nanos(1), <-clock.asked, "woken early, it waits for the rest")
	same, _ := p.Token("POST", orders, clock.Now())
	require.Equal(t, first, same)
	clock.pass(1)
	require.Equal(t, renewAfter, <-clock.asked)
	second, ok := p.Token("POST", orders, clock.Now())
	require.True(t, ok)
	require.NotEqual(t, first, second)
	_, ok = p.Token("POST", orders, clock.Now()+TokenLife-tokenMargin-1)
	require.True(t, ok, "its life counts from its own making")

	stop()
	require.ErrorIs(t, <-end, context.Canceled)
}

func TestPool_handsOutNoTokenThatIsAboutToExpire(t *testing.T) {
	p := pool(t, coinbase(t, coinbaseEd), newFakeClock(someTime))
	_, ok := p.Token("GET", orders, someTime+TokenLife-tokenMargin-1)
	require.True(t, ok)
	for _, late := range []venue.Nanos{TokenLife - tokenMargin, TokenLife, 1000 * TokenLife} {
		tok, ok := p.Token("GET", orders, someTime+late)
		require.False(t, ok)
		require.Empty(t, tok)
	}
	next := p.Renew(someTime + TokenLife)
	require.Equal(t, someTime+TokenLife+renewAfter, next)
	_, ok = p.Token("GET", orders, someTime+TokenLife)
	require.True(t, ok)
}

func TestPool_refusesRoutesWithoutAToken(t *testing.T) {
	c, clock := coinbase(t, coinbaseEd), newFakeClock(someTime)
	_, err := NewPool(c, clock)
	require.Error(t, err)
	_, err = NewPool(c, clock, Route{"GET", orders}, Route{"GET", orders + "?limit=5"})
	require.ErrorContains(t, err, "query")
}

func TestPool_servesManyGoroutinesWhileItRenews(t *testing.T) {
	c := coinbase(t, coinbaseEd)
	p := pool(t, c, newFakeClock(someTime))
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for range 300 {
				tok, ok := p.Bearer("POST", orders, someTime+renewAfter)
				if !ok || len(tok) < 400 {
					t.Errorf("unexpected token; got %d bytes, %v", len(tok), ok)
				}
			}
		})
	}
	for i := range venue.Nanos(50) {
		p.Renew(someTime + i*renewAfter)
	}
	wg.Wait()
}

func TestPool_allocatesNothingOnTheWayOut(t *testing.T) {
	p := pool(t, coinbase(t, coinbaseEC), newFakeClock(someTime))
	dst, method, path := make([]byte, 0, 1024), "GET", orders
	require.Zero(t, testing.AllocsPerRun(200, func() {
		tok, _ := p.Bearer(method, path, someTime+1)
		dst = append(dst[:0], tok...)
		tok, _ = p.Token(method, path, someTime+1)
		dst = append(dst, tok...)
	}))
}
