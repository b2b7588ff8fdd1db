package wiretest

import (
	"cmp"
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"oneprice/books"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// Simulator is what a Rig needs of a simulated venue.
type Simulator interface {
	Addr() string
	Run(context.Context) error
	// Matches holds best levels against what the simulator published under an id.
	Matches(symbol string, id uint64, bids, asks []venue.Level) (same, known bool)
	// Freeze stops the book messages of a symbol, or lets them go on.
	Freeze(symbol string, on bool) bool
}

// Rig is a feed with the books that it fills, beside the simulator that it follows. One goroutine.
type Rig struct {
	Sim   Simulator
	Feed  wire.Feeder
	Clock *wire.Clock
	// Books are in the order of the instruments, whose Inst must be 1, 2, 3 …
	Books []*books.Book
	// Compared counts comparisons of a Live book with the simulator's, Unknown those that failed since the simulator does not
	// know the id that the book claims. Trades and Touches count the records that came.
	Compared, Unknown, Trades, Touches int
	// Seen, where not nil, is shown all that comes.
	Seen func([]venue.Event)
	// Look is how often Until asks at least, 0 for every 10 ms.
	Look time.Duration

	t   testing.TB
	out put
}

// put collects records from the feed's goroutines.
type put chan []venue.Event

func (p put) Put(ev []venue.Event) venue.Reason {
	p <- append([]venue.Event(nil), ev...)
	return venue.OK
}

// Follow starts a feed of a simulator, and both run until the test ends. cfg needs instruments, Net and Clock. The
// simulator's scales are the instruments' PriceText and QtyText. WS is the simulator's own address unless cfg has another.
func Follow(t testing.TB, sim Simulator, a wire.Adapter, cfg wire.FeedConfig) *Rig {
	r := &Rig{Sim: sim, Clock: cfg.Clock.Own(), t: t, out: make(put, 1024)}
	for _, in := range cfg.Instruments {
		r.Books = append(r.Books, books.New(in, books.Config{}))
	}
	cfg.Venue, cfg.WS, cfg.REST, cfg.Snapshots, cfg.Touches, cfg.Trades = Venue, cmp.Or(cfg.WS, "ws://"+sim.Addr()), "http://"+sim.Addr(), r.out, true, true
	var err error
	r.Feed, err = a.Feed(cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- sim.Run(ctx) }()
	r.Clock.Sleep(ctx, venue.Microsecond) // in a bubble the simulator is at rest then: one order of starting
	go func() { ended <- r.Feed.Run(ctx, r.out) }()
	t.Cleanup(func() {
		cancel()
		for left := 2; left > 0; {
			select {
			case err := <-ended:
				require.NoError(t, err)
				left--
			case <-r.out: // what is still on its way
			}
		}
	})
	return r
}

// Until applies what comes until done says so, which is asked at least at every Look. Every book that is Live is held against
// the simulator's.
func (r *Rig) Until(limit time.Duration, done func() bool) {
	r.t.Helper()
	deadline := time.After(limit)
	every := venue.Nanos(cmp.Or(r.Look, 10*time.Millisecond))
	look := r.Clock.Timer(every)
	defer func() { look.Stop() }()
	for !done() {
		select {
		case <-look.C:
			look = r.Clock.Timer(every)
		case ev := <-r.out:
			r.apply(ev)
			for _, b := range r.Books {
				if b.State() == books.Live {
					r.hold(b)
				}
			}
		case <-deadline:
			for _, b := range r.Books {
				r.t.Errorf("%s is %s (%s), counters %+v", b.Instrument().Symbol, b.State(), b.Why(), b.Counters())
			}
			r.t.Fatalf("no result in time; compared %d, last fault %v", r.Compared, r.Feed.Sessions()[0].Fault())
		}
	}
}

func (r *Rig) apply(ev []venue.Event) {
	if r.Seen != nil {
		r.Seen(ev)
	}
	for i := 0; i < len(ev); i++ {
		e := &ev[i]
		if e.Inst == 0 {
			require.Equal(r.t, venue.Alive, e.Kind)
			continue
		}
		b, o := r.Books[e.Inst-1], books.Outcome(0)
		switch e.Kind {
		case venue.Head:
			n := e.Count()
			o = b.Apply(ev[i : i+1+n])
			i += n
		case venue.Touch:
			r.Touches++
			o = b.ApplyTouch(e)
		case venue.Trade:
			r.Trades++
		case venue.TickChange:
			o = b.Admit(e.Rules().Tick)
		case venue.Gap:
			o = b.Invalidate(venue.Reason(e.W[0]))
		}
		if o&books.WantSnapshot != 0 {
			r.Feed.Resync(e.Inst)
		}
	}
}

// hold requires that a Live book is what the simulator published under the id that the book claims.
func (r *Rig) hold(b *books.Book) {
	in, top := b.Instrument(), Tops(b)
	same, known := r.Sim.Matches(in.Symbol, b.Seq(), top[0], top[1])
	if !known {
		r.Unknown++
		return
	}
	require.True(r.t, same, "%s is wrong at %d", in.Symbol, b.Seq())
	if in.Depth > 0 {
		require.LessOrEqual(r.t, b.Depth(venue.Buy), in.Depth)
	}
	r.Compared++
}

// Tops are the best ten levels of both sides of a book, zero where there is none, in the decimals that the venue prints, or
// in the book's own where those are fewer.
func Tops(b *books.Book) (top [2][]venue.Level) {
	in := b.Instrument()
	price, qty := fixed.Pow10(in.PriceScale-min(in.PriceText, in.PriceScale)), fixed.Pow10(in.QtyScale-min(in.QtyText, in.QtyScale))
	for i, s := range []venue.Side{venue.Buy, venue.Sell} {
		top[i] = make([]venue.Level, 10)
		c := b.Rows(s)
		for n := 0; n < 10 && c.Next(); n++ {
			top[i][n] = venue.Level{Price: c.Price / fixed.Price(price), Qty: c.Qty / fixed.Qty(qty)}
		}
	}
	return top
}

// Live reports whether every book is.
func (r *Rig) Live() bool {
	for _, b := range r.Books {
		if b.State() != books.Live {
			return false
		}
	}
	return true
}

// More lets a book take so many more deltas.
func (r *Rig) More(b *books.Book, n uint64) {
	r.t.Helper()
	from := b.Counters().Applied
	r.Until(20*time.Second, func() bool { return b.Counters().Applied >= from+n })
}

// FreezeOne freezes the first book's stream for a span, which must be longer than age, and requires that this book alone
// falls silent, as soon as age has passed and not before, that the connection lives on, and that the stream goes on whole.
func (r *Rig) FreezeOne(age, span venue.Nanos) {
	r.t.Helper()
	frozen, others := r.Books[0], r.Books[1:]
	silent := func(b *books.Book) bool { return r.Clock.Now()-b.Recv() > age }
	r.Until(20*time.Second, r.Live)
	r.More(frozen, 5) // a first book that came before the stream began is found out
	r.Until(20*time.Second, r.Live)
	require.True(r.t, r.Sim.Freeze(frozen.Instrument().Symbol, true))
	r.More(others[0], 5) // what was on its way has come
	c := frozen.Counters()
	faults, applied, last, began, fell := c.Gaps+c.ChecksumsFailed, c.Applied, frozen.Recv(), r.Clock.Now(), venue.Nanos(0)
	r.Until(time.Duration(span)+20*time.Second, func() bool {
		for _, b := range others {
			require.False(r.t, silent(b), "%s is silent though its stream goes on", b.Instrument().Symbol)
		}
		if fell == 0 && silent(frozen) {
			fell = r.Clock.Now()
		}
		return r.Clock.Now()-began > span
	})
	require.Equal(r.t, applied, frozen.Counters().Applied)
	require.NotZero(r.t, fell, "the frozen book never fell silent")
	require.Greater(r.t, fell-last, age)
	require.Less(r.t, fell-last, 2*age)
	require.Zero(r.t, r.Feed.Sessions()[0].Counters().Losses.Load())
	require.True(r.t, r.Sim.Freeze(frozen.Instrument().Symbol, false))
	r.More(frozen, 5)
	require.True(r.t, r.Live())
	require.False(r.t, silent(frozen))
	c = frozen.Counters()
	require.Equal(r.t, faults, c.Gaps+c.ChecksumsFailed)
}
