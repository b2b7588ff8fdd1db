package quoting

import (
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/quoting/model"
)

// fair is the fair value in price units and 256ths.
func (r *rig) fair() model.Fair {
	f, ok := r.s.quotes[0].fair(r.d)
	require.True(r.t, ok)
	return f
}

func TestFair_microLeansToTheThinnerSide(t *testing.T) {
	r := newRig(t, plain(1), spot(1))
	require.EqualValues(t, 100_00<<model.FairBits, r.fair())
	in := spot(1)
	in.Inst = 1
	b := books.New(in, books.Config{Window: 256})
	frame := make([]venue.Event, 3)
	frame[0].SetHead(1, 1, venue.Snapshot, r.d.Now, 0, 0, 0, 1, venue.NoChecksum, 2)
	for k, l := range [2]venue.Level{{Price: 99_00, Qty: 300}, {Price: 101_00, Qty: 100}} {
		e := &frame[k+1]
		e.Kind, e.Inst, e.N, e.Flags = venue.Levels, 1, 1, [2]uint8{venue.Bids, venue.Asks}[k]
		e.W[0], e.W[1] = int64(l.Price), int64(l.Qty)
	}
	b.Apply(frame)
	f, ok := micro(b)
	require.True(t, ok)
	require.EqualValues(t, 100_50<<model.FairBits, f, "three times as many bid as offer")
	_, ok = micro(books.New(in, books.Config{Window: 256}))
	require.False(t, ok, "an empty book has none")
}

func TestFair_weightedLeavesOutWhatIsNotFresh(t *testing.T) {
	q := plain(1)
	q.Fair = Fair{Source: Weighted, Refs: []Ref{{1, fixed.One}, {2, 3 * fixed.One / 4}, {3, fixed.One / 4}}, MinWeight: fixed.One}
	r := newRig(t, q, spot(1), spot(2), spot(3))
	r.touch(2, 103_99, 104_01)
	r.touch(3, 109_99, 110_01)
	require.EqualValues(t, 102_75<<model.FairBits, r.fair(), "(100 + 0.75·104 + 0.25·110) ÷ 2")
	r.lose(3, venue.SequenceGap)
	require.InDelta(t, 101_714285<<model.FairBits/10_000, int64(r.fair()), 1, "(100 + 0.75·104) ÷ 1.75")
	r.d.Now += 2 * second
	r.touch(1, 99_99, 100_01)
	require.EqualValues(t, 100_00<<model.FairBits, r.fair(), "one weight of two is enough")
}

func TestFair_tooLittleWeightPulls(t *testing.T) {
	q := plain(1)
	q.Fair = Fair{Source: Weighted, Refs: []Ref{{2, fixed.One}, {3, fixed.One}}, MinWeight: fixed.One + 1}
	r := newRig(t, q, spot(1), spot(2), spot(3))
	r.lose(3, venue.SequenceGap)
	r.touch(1, 99_99, 100_01)
	require.Len(t, r.decide(), 2)
	require.EqualValues(t, 2, r.figure("pulled_fair"), "the first was the warm-up")
}

func TestFair_external(t *testing.T) {
	q := plain(1)
	q.Fair = Fair{Source: External, Refs: []Ref{{Inst: 2}}}
	r := newRig(t, q, spot(1), spot(2))
	r.touch(2, 100_49, 100_51)
	require.EqualValues(t, 100_50<<model.FairBits, r.fair())
	r.lose(2, venue.ConnectionLost)
	require.Len(t, r.decide(), 2, "no fair value, no quotes")
}

func TestFair_aReferenceThatFallsSilentIsNoticed(t *testing.T) {
	q := plain(1)
	q.Fair = Fair{Source: External, Refs: []Ref{{Inst: 2}}}
	r := newRig(t, q, spot(1), spot(2))
	r.decide()
	r.d.Now += second
	r.d.Books[1].Alive(r.d.Now)
	require.Empty(t, r.decide(), "a second ago is not too old")
	r.d.Now++
	require.Len(t, r.decide(), 2, "though nothing has changed")
}
