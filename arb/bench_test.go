package arb

import (
	"fmt"
	"testing"

	"oneprice/books/venue"
)

// BenchmarkDecide_signal is one changed book in a set where every pair is linked and nothing crosses: what every tick pays.
func BenchmarkDecide_signal(b *testing.B) {
	for _, n := range []int{2, 4, 8, 16} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r, s := everyPair(b, n)
			r.decide(s)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				r.d.Changed = append(r.d.Changed[:0], venue.Inst(1+i%n))
				s.Decide(r.d, r.out)
			}
		})
	}
}

// BenchmarkDecide_gross is the same while every pair is crossed gross but not net of fees, as with a standing basis.
func BenchmarkDecide_gross(b *testing.B) {
	for _, n := range []int{2, 4, 8, 16} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r, s := everyPair(b, n)
			for i := range n {
				at := int64(6_000_000 + i*30)
				r.book(venue.Inst(i+1), levels{at - 1, 100}, levels{at + 1, 100})
			}
			r.decide(s)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				r.d.Changed = append(r.d.Changed[:0], venue.Inst(1+i%n))
				s.Decide(r.d, r.out)
			}
		})
	}
}

// BenchmarkDecide_plan is a net edge that is walked ten levels deep on both sides and planned.
func BenchmarkDecide_plan(b *testing.B) {
	for _, inverse := range []bool{false, true} {
		b.Run(fmt.Sprintf("inverse=%t", inverse), func(b *testing.B) {
			second := spot(2)
			l := link(1, 2)
			if inverse {
				second = coin(2)
				l.Basis, l.Par = true, 100_000_000
			}
			r := newRig(b, spot(1), second)
			s := r.strategy(l)
			var offers, bids levels
			for k := range int64(10) {
				offers, bids = append(offers, 6_000_000+10*k, 1000), append(bids, 6_010_000-10*k, 1e5)
			}
			r.book(1, levels{1000, 1}, offers)
			r.book(2, bids, levels{9_000_000, 1e5})
			plans := 0
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				r.d.Now++
				r.d.Changed = append(r.d.Changed[:0], venue.Inst(1+i%2))
				r.out.Reset()
				s.Decide(r.d, r.out)
				plans += len(r.out.Plans())
			}
			if plans == 0 {
				b.Fatal("no plan was measured")
			}
		})
	}
}

func everyPair(t testing.TB, n int) (*rig, *Strategy) {
	var ins []*venue.Instrument
	for i := range n {
		in := spot(venue.ID(i + 1))
		in.Fees.Taker = 100_000
		ins = append(ins, in)
	}
	r := newRig(t, ins...)
	var all []Link
	for i := range n {
		for j := range i {
			all = append(all, link(venue.Inst(j+1), venue.Inst(i+1)))
		}
	}
	s := r.strategy(all...)
	for i := range n {
		r.book(venue.Inst(i+1), levels{6_000_000, 100}, levels{6_000_010, 100})
	}
	return r, s
}
