package books

import (
	"maps"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

func TestGrid_isDivisionForEveryTickAndPrice(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		tick := 1 + rng.Int64N(1<<rng.IntN(54))
		g := newGrid(fixed.Price(tick))
		p := 1 + rng.Int64N(1<<rng.IntN(54))
		if rng.IntN(2) == 0 {
			p = tick * (1 + rng.Int64N(max(fixed.Limit/tick, 1)))
		}
		for _, p := range []int64{p, p + 1, tick, fixed.Limit, math.MaxInt64} {
			i, ok := g.index(fixed.Price(p))
			if ok != (p%tick == 0) || ok && i != p/tick {
				t.Fatalf("unexpected %d %v for price %d at tick %d", i, ok, p, tick)
			}
		}
	}
	require.Panics(t, func() { newGrid(-1) })
	require.Panics(t, func() { newGrid(fixed.Limit + 1) })
}

func TestFar_agreesWithAMap(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var f far
	want := map[int64]int64{}
	for i := range 60_000 {
		k, q := rng.Int64N(3000), int64(0)
		if grow := i/10_000%2 == 0; grow == (rng.IntN(4) != 0) {
			q = 1 + rng.Int64N(1000)
		}
		before := len(want)
		if q == 0 {
			delete(want, k)
		} else {
			want[k] = q
		}
		require.Equal(t, len(want)-before, f.set(k, q))
		require.Equal(t, want[k], f.at(k))
		if rng.IntN(50) == 0 && f.n > 0 {
			k, q := f.pop()
			require.Equal(t, want[k], q)
			delete(want, k)
			f.push(k+rng.Int64N(10), q)
			want[f.top()] = q
		}
		if i%500 == 0 {
			var keys []int64
			for r, x := range f.runs {
				require.Equal(t, x.key[0], f.low[r])
				for j := range x.n {
					require.Equal(t, want[x.key[j]], x.qty[j])
					keys = append(keys, x.key[j])
				}
			}
			require.Equal(t, slices.Sorted(maps.Keys(want)), keys)
			require.LessOrEqual(t, len(f.runs), 3+4*f.n/runLen, "runs stay filled")
		}
	}
}

func TestSide_levelsBeyondTheWindowKeepTheirPlace(t *testing.T) {
	s := newSide(make([]int64, 256), 1, 1)
	s.set(1000, 1)
	s.set(1000-5000, 2)
	s.set(1<<52, 3)
	require.EqualValues(t, 1<<52, s.touch().Price)
	require.EqualValues(t, 1, s.at(1000))
	s.set(1<<52, 0)
	require.EqualValues(t, 1000, s.touch().Price)
	s.set(1000, 0)
	require.Equal(t, venue.Level{Price: -4000, Qty: 2}, s.touch())
	s.set(-4000, 0)
	require.Zero(t, s.n)
	require.Equal(t, venue.Level{}, s.touch())
	s.set(7, 0)
	require.Zero(t, s.n)
}

// TestSide_staysSoundWhereTheWindowsEdgeMoves sets and clears levels around the edges that re-centring moves.
func TestSide_staysSoundWhereTheWindowsEdgeMoves(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	s := newSide(make([]int64, 256), -1, 1)
	want := map[int64]int64{}
	put := func(k, q int64) {
		if q == 0 {
			delete(want, k)
		} else {
			want[k] = q
		}
		s.set(k, q)
		sound(t, &s)
		if s.n != len(want) || s.at(k) != q {
			t.Fatalf("unexpected %d levels and quantity %d of %d", s.n, s.at(k), k)
		}
	}
	top := int64(0) // in words of 64 keys
	for range 400 {
		top += rng.Int64N(9) - 4
		for _, k := range slices.Sorted(maps.Keys(want)) {
			if k > 64*top {
				put(k, 0)
			}
		}
		for range 20 {
			put(64*(top-rng.Int64N(12))+rng.Int64N(3)-2, rng.Int64N(3))
		}
	}
}

func TestBook_takesNoMoreThan160KiB(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	b := New(&venue.Instrument{Tick: 1, Chain: venue.ChainRange}, Config{})
	runtime.ReadMemStats(&after)
	require.LessOrEqual(t, after.TotalAlloc-before.TotalAlloc, uint64(160<<10))
	require.Equal(t, 8192, len(b.sides[0].qty))
	b = New(&venue.Instrument{Tick: 1}, Config{Window: 1000, Touches: 3})
	require.Equal(t, 1024, len(b.sides[0].qty))
	require.Equal(t, 4, len(b.ahead.ring))
	require.Equal(t, 256, len(New(&venue.Instrument{}, Config{Window: 1}).sides[0].qty))
}

func TestBook_hotPathAllocatesNothing(t *testing.T) {
	b := New(&venue.Instrument{Tick: 5, Chain: venue.ChainRange, Depth: 400, Checksum: toy, ChecksumDepth: 10}, Config{Window: 256})
	us, moved := stream(1<<14, 2000, 3)
	id, at, k := uint64(1), int64(0), 0
	b.Apply(snap(id, l(5*homeTick-5, 1), l(5*homeTick+5, 1)))
	var e venue.Event
	frame := make([]venue.Event, 2)
	var sum fixed.Qty
	step := func() {
		if k == len(us) {
			k, at = 0, at+moved
		}
		u := &us[k]
		k++
		id++
		frame[0].SetHead(1, 1, 0, venue.Nanos(id), venue.Nanos(id), id, 0, id, venue.NoChecksum, 1)
		frame[1].Kind, frame[1].N = venue.Levels, 1
		frame[1].Flags = venue.Asks >> u.bid
		frame[1].W[0], frame[1].W[1] = 5*(u.p+at), u.q
		b.Apply(frame)
		if b.state != Live {
			t.Fatal(b.why)
		}
		bid, ask := b.Best(venue.Buy), b.Best(venue.Sell)
		e.SetTouch(1, 1, 0, id+1, bid.Price, bid.Qty, ask.Price, ask.Qty, 1, 1)
		b.ApplyTouch(&e)
		b.ahead.n, b.touch = 0, touch{} // the next delta may well disagree
		sum += b.Take(venue.Buy, 1<<40).Filled + b.Levels(venue.Buy).Qty + b.View().Bid.Qty + b.QtyAt(venue.Sell, ask.Price)
		sum += fixed.Qty(b.checksum()&1) + fixed.Qty(b.Lag())
		b.Publish()
	}
	for range 2 * len(us) {
		step()
	}
	require.Zero(t, testing.AllocsPerRun(20_000, step))
	require.NotZero(t, b.sides[0].far.n+len(b.sides[0].far.free)+int(sum&1), "the ladder never re-centred")

	dead := live(t, venue.ChainRange)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		dead.Apply(diffGap)
		dead.Apply(snapGap)
	}), "a gap and its recovery")
}

var diffGap, snapGap = diff(200, 0, 201, l(99, 1), nil), snap(200, l(100, 1), l(101, 1))

func TestLag_isAgainstItsRollingMinimum(t *testing.T) {
	b := live(t, venue.ChainRange)
	require.Zero(t, b.Lag())
	id := uint64(100)
	f := func(recv, at, want venue.Nanos) {
		t.Helper()
		id++
		b.Apply(pack([2][]venue.Level{}, 0, recv, at, id, 0, id, venue.NoChecksum))
		require.Equal(t, want, b.Lag())
	}
	const s, ms = venue.Second, venue.Millisecond
	f(100*s, 101*s, 0) // the venue's clock is a second ahead
	f(101*s, 102*s-50*ms, 50*ms)
	f(102*s, 103*s+20*ms, 0)
	f(103*s, 104*s, 20*ms)
	f(103*s, 0, 20*ms) // no time: as before
	f(131*s, 132*s, 20*ms)
	f(140*s, 141*s-10*ms, 30*ms) // the minimum of the half before still counts
	f(162*s, 163*s, 0)           // and now it does not: 132 s is in the half before
	f(400*s, 300*s, 0)           // after a silence nothing old counts
}

func TestView_isNeverTorn(t *testing.T) {
	b := bookOf(venue.ChainNone)
	b.Apply(snap(1, l(1, 1), l(2, 1)))
	b.Publish()
	done := make(chan struct{})
	seen := make(chan uint64)
	for range 2 {
		go func() {
			var last, n uint64
			for {
				v := b.View()
				if v.State != Live || v.Bid.Price != fixed.Price(v.Seq) || v.Ask.Price != v.Bid.Price+1 ||
					v.Bid.Qty != fixed.Qty(v.Seq) || v.Recv != venue.Nanos(v.Seq) || v.Seq < last {
					seen <- 0
					return
				}
				last = v.Seq
				n++
				select {
				case <-done:
					seen <- n
					return
				default:
				}
			}
		}()
	}
	for i := uint64(2); i < 20_000; i++ {
		p := int64(i)
		f := snap(i, l(p, p), l(p+1, 1))
		f[0].W[0] = p
		b.Apply(f)
		b.Publish()
	}
	close(done)
	require.NotZero(t, <-seen, "a torn view")
	require.NotZero(t, <-seen, "a torn view")
	require.EqualValues(t, 19_999, b.View().Seq)
}

func TestView_showsOnlyWhatWasPublished(t *testing.T) {
	b := live(t, venue.ChainRange)
	require.Equal(t, View{State: Empty, Why: venue.NoSnapshot}, b.View())
	b.Publish()
	want := View{Bid: l(100, 5)[0], Ask: l(102, 5)[0], Seq: 100, Recv: 1, State: Live}
	require.Equal(t, want, b.View())
	b.Invalidate(venue.Lagging)
	require.Equal(t, want, b.View())
	b.Publish()
	want.State, want.Why = Stale, venue.Lagging
	require.Equal(t, want, b.View())
	version := b.view.version.Load()
	b.Publish()
	require.Equal(t, version, b.view.version.Load(), "nothing changed")
}
