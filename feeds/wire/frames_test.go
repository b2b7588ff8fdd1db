package wire

import (
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

func TestFrames_packsThreeLevelsOfOneSideARecord(t *testing.T) {
	var f Frames
	f.Reset()
	f.Open(7, 1, 0, 1000, 42)
	for i := range 4 {
		f.Level(venue.Bids, fixed.Price(10-i), 1)
	}
	f.Level(venue.Asks, 11, 2)
	f.Level(venue.Bids, 6, 0)
	f.Close(900, 77)
	f.Open(7, 2, 0, 1000, 43)
	f.Close(0, venue.NoChecksum)
	evs := f.End()

	require.Len(t, evs, 6)
	h := &evs[0]
	require.Equal(t, []any{venue.Head, uint8(0), venue.Nanos(1000), venue.Nanos(900), uint64(42), int64(77), 4},
		[]any{h.Kind, h.Flags, h.Recv(), h.At(), h.First(), h.CRC(), h.Count()})
	for i, want := range []struct{ side, n uint8 }{{venue.Bids, 3}, {venue.Bids, 1}, {venue.Asks, 1}, {venue.Bids, 1}} {
		e := &evs[1+i]
		require.Equal(t, []any{venue.Levels, want.side, want.n, venue.Inst(1), uint64(42)}, []any{e.Kind, e.Flags, e.N, e.Inst, e.Seq})
	}
	require.Equal(t, []any{venue.Head, venue.Last, 0}, []any{evs[5].Kind, evs[5].Flags, evs[5].Count()})

	f.Reset()
	require.Nil(t, f.End(), "no records, no Put")
}

func TestFrames_cutsALargeSnapshotIntoParts(t *testing.T) {
	const levels = 3*(PartRecords-1)*2 + 1 // two full parts and one level
	var f Frames
	f.Reset()
	f.Open(7, 1, venue.Snapshot, 1000, 42)
	for i := range levels {
		f.Level(venue.Asks, fixed.Price(i+1), 1)
	}
	f.Close(900, 77)
	evs := f.End()
	require.Len(t, evs, 2*PartRecords+2)
	for part, at := range []int{0, PartRecords, 2 * PartRecords} {
		h := &evs[at]
		final := part == 2
		require.Equal(t, venue.Head, h.Kind)
		require.EqualValues(t, part, h.First())
		require.EqualValues(t, 42, h.Seq)
		require.Equal(t, venue.Nanos(900), h.At())
		require.NotZero(t, h.Flags&venue.Snapshot)
		require.Equal(t, final, h.Flags&venue.Part == 0)
		require.Equal(t, final, h.CRC() == 77, "only the whole book has the checksum")
		require.NotZero(t, evs[at+h.Count()].Flags&venue.Last, "each part is a Put of its own")
	}
	// an update is never cut: a book may not be looked at in its middle
	f.Reset()
	f.Open(7, 1, 0, 1000, 42)
	for i := range levels {
		f.Level(venue.Asks, fixed.Price(i+1), 1)
	}
	f.Close(0, venue.NoChecksum)
	require.Equal(t, levels/3+1, f.End()[0].Count())
}

func TestFrames_nothingOfAnOlderMessageShows(t *testing.T) {
	var f Frames
	for _, n := range []int{3, 1} {
		f.Reset()
		f.Open(7, 1, 0, 1000, 1)
		for range n {
			f.Level(venue.Bids, 5, 5)
		}
		f.Close(0, venue.NoChecksum)
	}
	require.Equal(t, [6]int64{5, 5}, f.End()[1].W)
}

func TestDoc_readsTextOfStringsAndNumbers(t *testing.T) {
	var d Doc
	v := d.Parse([]byte(`{"s":"1.50","n":1.50,"e":1E-8,"off":"1.505","big":1e30,"bad":"x","t":"2026-01-01T00:00:00.5Z","cut":"2026-01-01","u":"18","b":true}`))
	require.NotNil(t, v)
	for key, want := range map[string]struct {
		v   int64
		why venue.Reason
	}{"s": {150, 0}, "n": {150, 0}, "off": {0, venue.OffScale}, "big": {0, venue.TooLarge}, "bad": {0, venue.Malformed}, "b": {0, venue.Malformed}, "none": {0, venue.Malformed}} {
		got, why := d.Fixed(v.Get(key), 2)
		require.Equal(t, want.why, why, key)
		require.Equal(t, want.v, got, key)
	}
	e, why := d.Fixed(v.Get("e"), 8)
	require.Equal(t, venue.OK, why)
	require.EqualValues(t, 1, e)
	at, why := d.Time(v.Get("t"))
	require.Equal(t, venue.OK, why)
	require.EqualValues(t, 1767225600500000000, at)
	u, why := d.Uint(v.Get("u"))
	require.Equal(t, venue.OK, why)
	require.EqualValues(t, 18, u)
	_, why = d.Uint(v.Get("s"))
	require.Equal(t, venue.Malformed, why, "1.50 is no whole number")
	_, why = d.Time(v.Get("cut"))
	require.Equal(t, venue.Malformed, why)
	require.True(t, Is(v.Get("s"), "1.50"))
	require.False(t, Is(v.Get("n"), "1.50"))
	require.Nil(t, d.Parse([]byte(`{"s":`)))
}

func TestDecimals_ofText(t *testing.T) {
	require.EqualValues(t, 2, Decimals([]byte("1.50")))
	require.Zero(t, Decimals([]byte("150")))
	require.Equal(t, []string{"1", "0.1", "0.001"}, []string{Step(0), Step(1), Step(3)})
	require.Equal(t, []string{"1.23", "1", "1.2"}, []string{CutDecimals("1.239", 2), CutDecimals("1.239", 0), CutDecimals("1.2", 2)})
}
