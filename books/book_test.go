package books

import (
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// l is a list of levels: price, quantity, price, quantity.
func l(pq ...int64) []venue.Level {
	var out []venue.Level
	for i := 0; i < len(pq); i += 2 {
		out = append(out, venue.Level{Price: fixed.Price(pq[i]), Qty: fixed.Qty(pq[i+1])})
	}
	return out
}

func snap(id uint64, bids, asks []venue.Level) []venue.Event {
	return pack([2][]venue.Level{bids, asks}, venue.Snapshot, 1, 0, 0, 0, id, venue.NoChecksum)
}

func part(id, n uint64, more uint8, bids []venue.Level) []venue.Event {
	return pack([2][]venue.Level{bids, nil}, venue.Snapshot|more, 1, 0, n, 0, id, venue.NoChecksum)
}

func diff(first, prev, last uint64, bids, asks []venue.Level) []venue.Event {
	return pack([2][]venue.Level{bids, asks}, 0, 1, 0, first, prev, last, venue.NoChecksum)
}

func tell(seq uint64, bid, bidQty, ask, askQty int64) *venue.Event {
	e := new(venue.Event)
	e.SetTouch(1, 1, venue.Last, seq, fixed.Price(bid), fixed.Qty(bidQty), fixed.Price(ask), fixed.Qty(askQty), 1, 1)
	return e
}

func bookOf(chain venue.Chain) *Book {
	return New(&venue.Instrument{Tick: 1, Chain: chain}, Config{Pending: 16})
}

// live is a Live book at id 100: bids 100 98 97, asks 102 103 105.
func live(t *testing.T, chain venue.Chain) *Book {
	t.Helper()
	b := bookOf(chain)
	require.Equal(t, Changed|StateChanged, b.Apply(snap(100, l(100, 5, 98, 6, 97, 7), l(102, 5, 103, 6, 105, 7))))
	require.Equal(t, Live, b.State())
	return b
}

func TestBook_emptyAsksOnceForASnapshotAndJoinsWhatWaited(t *testing.T) {
	b := bookOf(venue.ChainRange)
	require.Equal(t, venue.NoSnapshot, b.Why())
	require.Equal(t, WantSnapshot, b.Apply(diff(90, 0, 95, l(90, 1), nil)))
	require.Zero(t, b.Apply(diff(96, 0, 100, l(91, 1), nil)))
	require.Zero(t, b.Apply(diff(101, 0, 104, l(101, 1), nil)))
	require.Equal(t, Empty, b.State())
	require.Zero(t, b.Depth(venue.Buy))
	require.Equal(t, Changed|StateChanged, b.Apply(snap(100, l(100, 5), l(102, 5))))
	require.Equal(t, Live, b.State())
	require.EqualValues(t, 104, b.Seq())
	require.EqualValues(t, 101, b.Best(venue.Buy).Price)
	require.Equal(t, Counters{Frames: 4, Snapshots: 1, StaleDropped: 2, Applied: 1, SnapshotSeq: 100}, b.Counters())
}

func TestBook_chainBoundaries(t *testing.T) {
	f := func(chain venue.Chain, joined bool, first, prev, last uint64, want string) {
		t.Helper()
		b := live(t, chain)
		if joined {
			require.Equal(t, Changed, b.Apply(diff(99, 98, 100, nil, nil))|b.Apply(diff(101, 100, 110, l(99, 1), nil)))
		}
		before := b.Counters()
		b.Apply(diff(first, prev, last, l(101, 9), nil))
		got := "gap"
		switch after := b.Counters(); {
		case after.Applied > before.Applied:
			got = "apply"
		case after.StaleDropped > before.StaleDropped:
			got = "drop"
		}
		require.Equal(t, want, got)
		require.Equal(t, got != "gap", b.State() == Live)
		require.Equal(t, got == "apply", b.Best(venue.Buy).Price == 101)
	}
	f(venue.ChainRange, false, 98, 0, 100, "drop")
	f(venue.ChainRange, false, 98, 0, 101, "apply")
	f(venue.ChainRange, false, 101, 0, 101, "apply")
	f(venue.ChainRange, false, 102, 0, 103, "gap")
	f(venue.ChainPrev, false, 90, 80, 99, "drop")
	f(venue.ChainPrev, false, 90, 80, 100, "apply")
	f(venue.ChainPrev, false, 100, 80, 105, "apply")
	f(venue.ChainPrev, false, 120, 100, 125, "apply") // follows the snapshot itself
	f(venue.ChainPrev, false, 101, 99, 105, "gap")
	f(venue.ChainPrev, true, 101, 100, 110, "drop")
	f(venue.ChainPrev, true, 105, 100, 109, "drop")
	f(venue.ChainPrev, true, 115, 110, 120, "apply")
	f(venue.ChainPrev, true, 111, 109, 120, "gap")
	f(venue.ChainPrev, true, 111, 111, 120, "gap")
	f(venue.ChainNone, false, 0, 0, 7, "apply")
}

func TestBook_gapMakesStaleUntilALaterSnapshotJoins(t *testing.T) {
	b := live(t, venue.ChainRange)
	require.Equal(t, StateChanged|WantSnapshot, b.Apply(diff(105, 0, 106, l(101, 1), nil)))
	require.Equal(t, Stale, b.State())
	require.Equal(t, venue.SequenceGap, b.Why())
	require.Zero(t, b.Apply(diff(107, 0, 108, l(99, 4), nil)), "kept, not applied")
	require.EqualValues(t, 100, b.Seq())

	require.Equal(t, Changed|StateChanged|WantSnapshot, b.Apply(snap(103, l(100, 5), l(102, 5))), "older than what waits")
	require.Equal(t, Syncing, b.State())
	require.Equal(t, venue.SequenceGap, b.Why())

	require.Equal(t, Changed|StateChanged, b.Apply(snap(104, l(100, 5), l(102, 5))))
	require.Equal(t, Live, b.State())
	require.EqualValues(t, 108, b.Seq())
	require.EqualValues(t, 1, b.QtyAt(venue.Buy, 101))
	require.EqualValues(t, 4, b.QtyAt(venue.Buy, 99))
	require.Equal(t, Counters{Frames: 5, Snapshots: 3, Applied: 2, Gaps: 1, Resyncs: 1, SnapshotSeq: 104}, b.Counters())
}

func TestBook_gapAmongWaitingDeltasIsFound(t *testing.T) {
	b := bookOf(venue.ChainPrev)
	b.Apply(diff(95, 90, 101, l(99, 1), nil))
	b.Apply(diff(120, 110, 125, l(98, 1), nil))
	require.Equal(t, Changed|StateChanged|WantSnapshot, b.Apply(snap(100, l(97, 1), l(102, 5))))
	require.Equal(t, Stale, b.State())
	require.EqualValues(t, 1, b.Counters().Gaps)
	b.Apply(snap(115, l(97, 1), l(102, 5)))
	require.Equal(t, Syncing, b.State(), "the delta from 120 does not join 115")
	b.Apply(snap(122, l(97, 1), l(102, 5)))
	require.Equal(t, Live, b.State())
	require.EqualValues(t, 125, b.Seq())
	require.Zero(t, b.Counters().Resyncs, "it was never Live before")
}

func TestBook_duplicatesChangeNothing(t *testing.T) {
	for _, chain := range []venue.Chain{venue.ChainRange, venue.ChainPrev} {
		b := live(t, chain)
		b.Apply(diff(99, 98, 100, nil, nil))
		d := diff(101, 100, 103, l(100, 0, 99, 1), l(102, 8))
		require.Equal(t, Changed, b.Apply(d))
		b.Apply(diff(104, 103, 104, l(99, 3), nil))
		hash, c := b.Hash(), b.Counters()
		require.Zero(t, b.Apply(d))
		require.Zero(t, b.Apply(snap(100, l(1, 1), nil)), "an old snapshot")
		require.Zero(t, b.Apply(snap(104, l(1, 1), nil)), "a snapshot of now")
		require.Equal(t, hash, b.Hash())
		require.Equal(t, Live, b.State())
		c.Frames += 3
		c.StaleDropped += 3
		require.Equal(t, c, b.Counters())
	}
}

func TestBook_pendingOverflowStartsOver(t *testing.T) {
	b := bookOf(venue.ChainRange) // 16 records, two a frame
	for i := uint64(1); i <= 8; i++ {
		b.Apply(diff(i, 0, i, l(90, 1), nil))
	}
	require.Equal(t, StateChanged|WantSnapshot, b.Apply(diff(9, 0, 9, l(91, 1), nil)))
	require.Equal(t, venue.PendingOverflow, b.Why())
	b.Apply(snap(7, l(80, 1), nil))
	require.Equal(t, Syncing, b.State(), "what was thrown away is missing")
	b.Apply(snap(8, l(80, 1), nil))
	require.Equal(t, Live, b.State())
	require.EqualValues(t, 91, b.Best(venue.Buy).Price)
}

func TestBook_snapshotPartsMustFollowOneAnother(t *testing.T) {
	b := bookOf(venue.ChainNone)
	require.Equal(t, Changed|StateChanged, b.Apply(part(9, 0, venue.Part, l(100, 1))))
	require.Equal(t, Syncing, b.State())
	b.Apply(part(9, 1, venue.Part, l(99, 1)))
	require.Equal(t, Changed|StateChanged, b.Apply(part(9, 2, 0, l(98, 1))))
	require.Equal(t, Live, b.State())
	require.Equal(t, 3, b.Depth(venue.Buy))
	require.Zero(t, b.Apply(part(9, 2, 0, l(1, 1))), "a part of nothing")

	b.Apply(part(20, 0, venue.Part, l(100, 1)))
	require.Equal(t, StateChanged|WantSnapshot, b.Apply(part(20, 2, 0, l(98, 1))), "part 1 is missing")
	require.Equal(t, venue.SequenceGap, b.Why())
	require.Zero(t, b.Apply(part(20, 1, 0, l(98, 1))))
	require.Equal(t, Stale, b.State())

	b.Apply(part(30, 0, venue.Part, l(100, 1)))
	b.Apply(part(31, 1, 0, l(98, 1)))
	require.Equal(t, Stale, b.State(), "a part of another snapshot")

	b.Apply(part(40, 0, venue.Part, l(100, 1)))
	b.Apply(diff(0, 0, 41, l(98, 1), nil))
	require.Equal(t, Stale, b.State(), "without a chain a delta between parts is lost")
	b.Apply(part(50, 0, 0, l(100, 1)))
	require.Equal(t, Live, b.State())
	require.EqualValues(t, 1, b.Counters().Resyncs)
	require.EqualValues(t, 3, b.Counters().Gaps)
}

func TestBook_nothingOfABadFrameIsApplied(t *testing.T) {
	f := func(why venue.Reason, spoil func(f []venue.Event) []venue.Event) {
		t.Helper()
		b := New(&venue.Instrument{Tick: 10, Chain: venue.ChainRange}, Config{})
		b.Apply(snap(100, l(100, 5), l(120, 5)))
		hash := b.Hash()
		d := spoil(diff(101, 0, 101, l(100, 0, 90, 1), l(110, 1)))
		require.Equal(t, StateChanged|WantSnapshot, b.Apply(d))
		require.Equal(t, hash, b.Hash())
		require.Equal(t, Stale, b.State())
		require.Equal(t, why, b.Why())
		require.EqualValues(t, 100, b.Seq())
		b.Apply(snap(101, l(100, 5), l(120, 5)))
		require.Equal(t, Live, b.State())
	}
	word := func(i int, v int64) func([]venue.Event) []venue.Event {
		return func(f []venue.Event) []venue.Event { f[2].W[i] = v; return f }
	}
	f(venue.OffTick, word(0, 115))
	f(venue.BadLevel, word(0, 0))
	f(venue.BadLevel, word(0, -110))
	f(venue.BadLevel, word(0, -1<<63))
	f(venue.BadLevel, word(0, fixed.Limit+8))
	f(venue.BadLevel, word(1, -1))
	f(venue.BadLevel, word(1, fixed.Limit+1))
	f(venue.Malformed, func(f []venue.Event) []venue.Event { return f[:2] })
	f(venue.Malformed, func([]venue.Event) []venue.Event { return nil })
	f(venue.Malformed, func(f []venue.Event) []venue.Event { return f[1:] })
	f(venue.Malformed, func(f []venue.Event) []venue.Event { f[1].N = 4; return f })
	f(venue.Malformed, func(f []venue.Event) []venue.Event { f[1].Flags = 0; return f })
	f(venue.Malformed, func(f []venue.Event) []venue.Event { f[1].Flags = venue.Bids | venue.Asks; return f })
	f(venue.Malformed, func(f []venue.Event) []venue.Event { f[1].Kind = venue.Touch; return f })
}

func TestBook_crossedMakesStale(t *testing.T) {
	b := live(t, venue.ChainRange)
	require.Equal(t, Changed, b.Apply(diff(101, 0, 101, l(102, 1), l(102, 0))), "crossed only between its levels")
	require.Equal(t, Changed|StateChanged|WantSnapshot, b.Apply(diff(102, 0, 102, l(103, 1), nil)))
	require.Equal(t, venue.Crossed, b.Why())
}

func TestBook_cutsToDepthAfterTheFrame(t *testing.T) {
	b := New(&venue.Instrument{Tick: 1, Depth: 2}, Config{})
	b.Apply(snap(1, l(100, 1, 1, 1, 99, 1), l(200, 1, 300, 1, 1<<50, 1)))
	require.Equal(t, 2, b.Depth(venue.Buy))
	require.EqualValues(t, 1, b.QtyAt(venue.Buy, 99))
	require.Zero(t, b.QtyAt(venue.Sell, 1<<50))
	b.Apply(diff(0, 0, 2, l(98, 1, 100, 0), nil))
	require.EqualValues(t, 1, b.QtyAt(venue.Buy, 98), "it fits once 100 is gone")
	b.Apply(diff(0, 0, 3, l(97, 1), nil))
	require.Zero(t, b.QtyAt(venue.Buy, 97))
}

func TestBook_checksumMismatchMakesStale(t *testing.T) {
	in := &venue.Instrument{Tick: 1, Checksum: toy, ChecksumDepth: 2}
	b := New(in, Config{})
	b.Apply(snap(1, l(100, 1, 99, 1, 98, 1), l(101, 1)))
	d := diff(0, 0, 2, l(97, 1), nil)
	d[0].W[4] = int64(toy(in, l(100, 1, 99, 1), l(101, 1)))
	require.Equal(t, Changed, b.Apply(d))
	d = diff(0, 0, 3, l(99, 2), nil)
	d[0].W[4] = int64(toy(in, l(100, 1, 99, 1), l(101, 1)))
	require.Equal(t, Changed|StateChanged|WantSnapshot, b.Apply(d))
	require.Equal(t, venue.ChecksumMismatch, b.Why())
	require.EqualValues(t, 1, b.Counters().ChecksumsVerified)
	require.EqualValues(t, 1, b.Counters().ChecksumsFailed)
}

func TestBook_invalidateAndRecover(t *testing.T) {
	b := live(t, venue.ChainNone)
	require.Equal(t, StateChanged|WantSnapshot, b.Invalidate(venue.TooOld))
	require.Equal(t, venue.TooOld, b.Why())
	require.Equal(t, WantSnapshot, b.Invalidate(venue.SequenceGap))
	require.Equal(t, venue.TooOld, b.Why(), "the first reason stays")
	b.Apply(diff(0, 0, 101, l(101, 1), nil))
	require.EqualValues(t, 100, b.Best(venue.Buy).Price)
	b.Apply(snap(200, l(90, 1), nil))
	require.Equal(t, Counters{Frames: 3, Snapshots: 2, StaleDropped: 1, Gaps: 1, Resyncs: 1, SnapshotSeq: 200}, b.Counters())
}

func TestBook_recvIsTheNewestSignOfLife(t *testing.T) {
	b := live(t, venue.ChainRange)
	b.Alive(50)
	b.Alive(40)
	require.EqualValues(t, 50, b.Recv())
	e := tell(0, 1, 1, 2, 1)
	e.W[4] = 60
	b.ApplyTouch(e)
	require.EqualValues(t, 50, b.Recv(), "a touch proves nothing of a frozen book")
}

func TestBook_retickKeepsLevelsThatFit(t *testing.T) {
	b := New(&venue.Instrument{Tick: 10}, Config{})
	b.Apply(snap(1, l(100, 1, 90, 2, 10, 3), l(110, 1, 1<<40-6, 2)))
	hash := b.Hash()
	require.Zero(t, b.Retick(10))
	require.Zero(t, b.Retick(2))
	require.Equal(t, hash, b.Hash())
	require.Equal(t, Live, b.State())
	b.Apply(diff(0, 0, 2, l(102, 1), nil))
	require.EqualValues(t, 102, b.Best(venue.Buy).Price)
	require.Equal(t, Changed|StateChanged|WantSnapshot, b.Retick(20))
	require.Equal(t, venue.OffTick, b.Why())
	require.Zero(t, b.Depth(venue.Buy)+b.Depth(venue.Sell))
}

func TestBook_admitsThePricesOfAnotherTickBesideItsOwn(t *testing.T) {
	b := New(&venue.Instrument{Tick: 10}, Config{})
	b.Apply(snap(1, l(100, 1), l(110, 1)))
	require.Zero(t, b.Admit(20), "what stands on the old tick stands on")
	b.Apply(diff(0, 0, 2, l(90, 4), nil))
	require.EqualValues(t, 4, b.QtyAt(venue.Buy, 90))
	require.Zero(t, b.Admit(4))
	require.EqualValues(t, 4, b.QtyAt(venue.Buy, 90))
	b.Apply(diff(0, 0, 3, l(104, 2, 90, 4), nil))
	require.EqualValues(t, 104, b.Best(venue.Buy).Price)
	require.Equal(t, Live, b.State())
	require.Equal(t, venue.OffTick, func() venue.Reason { b.Apply(diff(0, 0, 4, l(105, 1), nil)); return b.Why() }())
}

func TestBook_waitingDeltaThatARetickMadeBadIsDropped(t *testing.T) {
	b := bookOf(venue.ChainRange)
	b.Apply(diff(101, 0, 101, l(7, 1), nil))
	b.Apply(diff(102, 0, 102, l(10, 1), nil))
	b.Retick(10)
	require.Equal(t, Changed|StateChanged|WantSnapshot, b.Apply(snap(100, l(20, 1), nil)))
	require.Equal(t, venue.OffTick, b.Why())
	b.Apply(snap(101, l(20, 1), nil))
	require.Equal(t, Live, b.State())
	require.EqualValues(t, 102, b.Seq())
	require.EqualValues(t, 1, b.QtyAt(venue.Buy, 10))
}
