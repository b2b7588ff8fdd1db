package ring

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"oneprice/books/venue"
)

var (
	_ venue.Sink    = (*Ring[venue.Event])(nil)
	_ venue.Reports = (*Ring[venue.Report])(nil)
)

// message makes n records numbered from seq, the final one closing.
func message(seq uint64, n int) []venue.Event {
	m := make([]venue.Event, n)
	for i := range m {
		m[i].Seq = seq + uint64(i)
	}
	m[n-1].Flags = venue.Last
	return m
}

func TestRing_indicesLieOnLinesOfTheirOwn(t *testing.T) {
	var r Ring[venue.Event]
	at := []uintptr{unsafe.Offsetof(r.bell), unsafe.Offsetof(r.head), unsafe.Offsetof(r.put), unsafe.Offsetof(r.tail),
		unsafe.Offsetof(r.get), unsafe.Sizeof(r)}
	for i := 1; i < len(at); i++ {
		require.GreaterOrEqual(t, at[i]-at[i-1], uintptr(line), "unexpected neighbours at %d", i)
	}
}

func TestPut_wholeMessageOrNothing(t *testing.T) {
	r := Events(8, nil)
	require.Equal(t, 8, r.Cap())
	require.Equal(t, venue.OK, r.Put(nil))
	require.Equal(t, venue.OK, r.Put(message(1, 5)))
	require.Equal(t, venue.RingFull, r.Put(message(6, 4)))
	require.Equal(t, 5, r.Len())
	require.Equal(t, venue.TooLarge, r.Put(message(6, 9)))
	require.Equal(t, venue.Malformed, r.Put(make([]venue.Event, 2)))
	require.Equal(t, 5, r.Len())
	require.Equal(t, venue.OK, r.Put(message(6, 3)))
	require.Equal(t, venue.RingFull, r.Put(message(9, 1)))
	got := r.Drain(make([]venue.Event, 0, 8))
	require.Len(t, got, 8)
	for i := range got {
		require.EqualValues(t, i+1, got[i].Seq)
	}
	require.Zero(t, r.Len())
	require.Empty(t, r.Drain(got[:0]))
	require.Empty(t, r.DrainOne(got[:0]))
}

func TestDrain_stopsAtAMessageThatDoesNotFit(t *testing.T) {
	r := Events(16, nil)
	for seq := uint64(0); seq < 12; seq += 3 {
		require.Equal(t, venue.OK, r.Put(message(seq, 3)))
	}
	dst := make([]venue.Event, 0, 8)
	require.Len(t, r.Drain(dst), 6)
	dst = append(dst, venue.Event{}, venue.Event{}, venue.Event{}, venue.Event{}, venue.Event{}, venue.Event{})
	require.Len(t, r.Drain(dst), 6, "a message went into room that it does not have")
	require.Len(t, r.DrainOne(dst), 6)
	require.Len(t, r.DrainOne(dst[:1]), 4)
	require.Panics(t, func() { r.Drain(make([]venue.Event, 0, 2)) })
	require.Panics(t, func() { r.DrainOne(make([]venue.Event, 0, 2)) })
	require.Equal(t, 3, r.Len())
}

func TestDrainOne_reportsAreMessagesOfTheirOwn(t *testing.T) {
	r := Reports(4, nil)
	require.Equal(t, venue.OK, r.Put([]venue.Report{{Seq: 1}, {Seq: 2}, {Seq: 3}}))
	dst := make([]venue.Report, 0, 4)
	require.EqualValues(t, 1, r.DrainOne(dst)[0].Seq)
	require.Len(t, r.Drain(dst[:3:4]), 4, "one more had room")
	require.EqualValues(t, 3, r.DrainOne(dst)[0].Seq)
}

// TestRing_behavesAsAQueueOfMessages runs random puts and drains beside a plain slice.
func TestRing_behavesAsAQueueOfMessages(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		r := Events(1<<(1+rnd.IntN(6)), nil)
		var model [][]venue.Event
		held, seq := 0, uint64(0)
		for range 500 {
			switch rnd.IntN(3) {
			case 0:
				m := message(seq, 1+rnd.IntN(r.Cap()))
				why := r.Put(m)
				require.Equal(t, held+len(m) <= r.Cap(), why == venue.OK, "seed %d", seed)
				if why == venue.OK {
					model, held, seq = append(model, m), held+len(m), seq+uint64(len(m))
				}
			case 1:
				got := r.DrainOne(make([]venue.Event, 0, r.Cap()))
				if len(model) == 0 {
					require.Empty(t, got)
					break
				}
				require.Equal(t, model[0], got)
				held, model = held-len(got), model[1:]
			case 2:
				used := rnd.IntN(r.Cap() + 1)
				dst := make([]venue.Event, used, 2*r.Cap())
				got := r.Drain(dst[:used:min(cap(dst), used+r.Cap())])[used:]
				var want []venue.Event
				for _, m := range model {
					want = append(want, m...)
				}
				require.Equal(t, len(want), len(got))
				for i := range want {
					require.Equal(t, want[i], got[i])
				}
				held, model = 0, nil
			}
			require.Equal(t, held, r.Len())
		}
	}
}

func TestRing_twoGoroutinesSeeWholeMessagesInOrder(t *testing.T) {
	const messages = 20_000
	r := Events(64, nil)
	go func() {
		rnd := rand.New(rand.NewPCG(1, 2))
		for seq, n := uint64(0), 0; n < messages; n++ {
			m := message(seq, 1+rnd.IntN(7))
			for r.Put(m) != venue.OK {
				runtime.Gosched()
			}
			seq += uint64(len(m))
		}
	}()
	dst := make([]venue.Event, 0, 64)
	for seq, n := uint64(0), 0; n < messages; {
		got := r.Drain(dst)
		if len(got) == 0 {
			runtime.Gosched()
			continue
		}
		require.NotZero(t, got[len(got)-1].Flags&venue.Last, "half a message was visible")
		for i := range got {
			require.Equal(t, seq, got[i].Seq)
			seq++
			n += int(got[i].Flags & venue.Last)
		}
	}
}

// TestBell_noWakeUpIsLost lets producers and a consumer that parks whenever it can race; a lost wake-up hangs the test.
func TestBell_noWakeUpIsLost(t *testing.T) {
	const producers, each = 3, 20_000
	bell := NewBell()
	rings := make([]*Ring[venue.Report], producers)
	for i := range rings {
		rings[i] = Reports(8, bell)
		go func(r *Ring[venue.Report]) {
			one := make([]venue.Report, 1)
			for n := range uint64(each) {
				one[0].Seq = n
				for r.Put(one) != venue.OK {
					runtime.Gosched()
				}
				if n%7 == 0 {
					runtime.Gosched()
				}
			}
		}(rings[i])
	}
	dst := make([]venue.Report, 0, 8)
	work := func() (n int) {
		for _, r := range rings {
			n += len(r.Drain(dst))
		}
		return n
	}
	parked := 0
	for got := 0; got < producers*each; {
		if n := work(); n > 0 {
			got += n
			continue
		}
		bell.Arm()
		if n := work(); n > 0 {
			bell.Disarm()
			got += n
			continue
		}
		<-bell.C()
		parked++
	}
	t.Logf("parked %d times", parked)
	require.NotZero(t, parked)
}

func TestBell_silentWhileTheConsumerIsAwake(t *testing.T) {
	b := NewBell()
	b.Ring()
	require.Empty(t, b.C())
	b.Arm()
	b.Ring()
	b.Ring()
	require.Len(t, b.C(), 1)
	b.Disarm()
	require.Empty(t, b.C())
}

// inlineRing is one producer's ring with the token that its consumer side hangs on.
type inlineRing struct {
	tok   Token
	r     *Ring[venue.Report]
	dst   []venue.Report
	taken int // guarded by tok
}

func newInlineRing() *inlineRing {
	return &inlineRing{r: Reports(4, nil), dst: make([]venue.Report, 0, 4)}
}

func (x *inlineRing) drain()        { x.taken += len(x.r.Drain(x.dst)) }
func (x *inlineRing) pending() bool { return x.r.Len() > 0 }

// TestTokenRun_takesWhatCameBetweenLookAndRelease plays the bad interleavings on one thread: another producer publishes,
// and fails to get or gets the token, at the two instants where its record could be left behind.
func TestTokenRun_takesWhatCameBetweenLookAndRelease(t *testing.T) {
	x := newInlineRing()
	once := true
	other := func() {
		if once {
			once = false
			require.Equal(t, venue.OK, x.r.Put([]venue.Report{{}}))
			x.tok.Run(x.pending, x.drain)
		}
	}
	x.tok.Run(x.pending, func() { x.drain(); other() })
	require.Equal(t, 1, x.taken, "a record published after the drain was stranded")

	once = true
	x.tok.Run(func() bool { more := x.pending(); other(); return more }, x.drain)
	require.Equal(t, 2, x.taken, "a record published after the look was stranded")
}

func TestToken_noRecordIsStranded(t *testing.T) {
	rounds := 300_000
	if testing.Short() {
		rounds = 30_000
	}
	const producers = 2
	var tok Token
	var rings [producers]*Ring[venue.Report]
	for i := range rings {
		rings[i] = Reports(4, nil)
	}
	dst, taken := make([]venue.Report, 0, 4), 0
	drain := func() {
		for _, r := range rings {
			taken += len(r.Drain(dst))
		}
	}
	pending := func() bool { return rings[0].Len()+rings[1].Len() > 0 }
	var gate, back atomic.Int64 // round started, producers that finished theirs
	var done sync.WaitGroup
	wait := func(a *atomic.Int64, v int64) {
		for n := 0; a.Load() < v; n++ {
			if n > 200 {
				runtime.Gosched()
			}
		}
	}
	one := func(r *Ring[venue.Report], round int64) {
		wait(&gate, round)
		r.Put([]venue.Report{{}})
		tok.Run(pending, drain)
		back.Add(1)
	}
	done.Go(func() {
		for i := int64(1); i <= int64(rounds); i++ {
			one(rings[1], i)
		}
	})
	for i := int64(1); i <= int64(rounds); i++ {
		gate.Store(i)
		one(rings[0], i)
		wait(&back, producers*i)
		if pending() {
			require.Fail(t, "a record was stranded", "round %d", i)
		}
	}
	done.Wait()
	require.Equal(t, producers*rounds, taken)
}

func TestToken_oneHolderAtATime(t *testing.T) {
	var tok Token
	require.True(t, tok.Try())
	require.False(t, tok.Try())
	tok.Release()
	require.True(t, tok.Try())
	var plain int // the race detector and the count prove exclusion
	tok.Release()
	var done sync.WaitGroup
	var ran atomic.Int64
	for range 4 {
		done.Go(func() {
			for range 5_000 {
				if tok.Try() {
					plain++
					ran.Add(1)
					tok.Release()
				}
			}
		})
	}
	done.Wait()
	require.EqualValues(t, ran.Load(), plain)
}

func TestRing_allocatesNothing(t *testing.T) {
	r := Events(64, NewBell())
	m := message(0, 7)
	dst := make([]venue.Event, 0, 64)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		r.Put(m)
		r.Put(m)
		dst = r.DrainOne(dst[:0])
		dst = r.Drain(dst[:0])
	}))
}
