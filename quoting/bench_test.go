package quoting

import (
	"fmt"
	"testing"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// BenchmarkDecide_keep is a changed book that moves no order: what nearly every tick of a quoted book pays.
func BenchmarkDecide_keep(b *testing.B) {
	for _, layers := range []int{1, 4, 8} {
		b.Run(fmt.Sprint(layers), func(b *testing.B) {
			q := plain(1)
			q.Layers, q.Step, q.Hysteresis = layers, 100_000, 50_000
			r := newRig(b, q, spot(1))
			b.ReportAllocs()
			for b.Loop() {
				r.d.Now += venue.Microsecond
				r.d.Changed = append(r.d.Changed[:0], 1)
				r.out.Reset()
				r.s.Decide(r.d, r.out)
				if len(r.out.Intents()) != 0 {
					b.Fatal("an order was moved")
				}
				r.d.Books[1].Alive(r.d.Now)
			}
		})
	}
}

// BenchmarkDecide_move is a changed book that moves every order.
func BenchmarkDecide_move(b *testing.B) {
	for _, layers := range []int{1, 4, 8} {
		b.Run(fmt.Sprint(layers), func(b *testing.B) {
			q := plain(1)
			q.Layers, q.Step, q.PerSecond, q.Burst = layers, 100_000, 100_000, 100_000
			r := newRig(b, q, spot(1))
			move := fixed.Price(3)
			b.ReportAllocs()
			for b.Loop() {
				r.d.Now += venue.Millisecond
				r.d.Books[1].Alive(r.d.Now)
				for _, s := range r.d.Live[1] {
					r.d.Orders[s].Price += move
				}
				move = -move
				r.d.Changed = append(r.d.Changed[:0], 1)
				r.out.Reset()
				r.s.Decide(r.d, r.out)
			}
		})
	}
}

// BenchmarkDecide_idle is a drain that changed nothing the strategy reads: the age check alone.
func BenchmarkDecide_idle(b *testing.B) {
	r := newRig(b, plain(1), spot(1))
	b.ReportAllocs()
	for b.Loop() {
		r.s.Decide(r.d, r.out)
	}
}
