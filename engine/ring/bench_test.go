package ring

import (
	"runtime"
	"testing"

	"oneprice/books/venue"
)

// BenchmarkHandOver moves messages of 7 records between two goroutines: by ring, by a channel of records, and by a
// channel of whole messages. ns/op is per message.
func BenchmarkHandOver(b *testing.B) {
	const n = 7
	m := message(0, n)
	var sum uint64
	b.Run("ring", func(b *testing.B) {
		r := Events(512, nil)
		b.ReportAllocs()
		go func() {
			for range b.N {
				for r.Put(m) != venue.OK {
					runtime.Gosched()
				}
			}
		}()
		dst := make([]venue.Event, 0, 512)
		for got := 0; got < b.N*n; {
			all := r.Drain(dst)
			if len(all) == 0 {
				runtime.Gosched()
			}
			for i := range all {
				sum += all[i].Seq
			}
			got += len(all)
		}
	})
	b.Run("channel-of-records", func(b *testing.B) {
		c := make(chan venue.Event, 512)
		b.ReportAllocs()
		go func() {
			for range b.N {
				for i := range m {
					c <- m[i]
				}
			}
		}()
		for range b.N * n {
			e := <-c
			sum += e.Seq
		}
	})
	b.Run("channel-of-messages", func(b *testing.B) {
		c := make(chan [n]venue.Event, 512/n)
		b.ReportAllocs()
		go func() {
			for range b.N {
				c <- [n]venue.Event(m)
			}
		}()
		for range b.N {
			one := <-c
			for i := range one {
				sum += one[i].Seq
			}
		}
	})
}

// BenchmarkOneThread is the price of the ring where producer and consumer are one thread (inline, backtest): one
// message of 7 records in and out.
func BenchmarkOneThread(b *testing.B) {
	m := message(0, 7)
	dst := make([]venue.Event, 0, 64)
	b.Run("ring-drain", func(b *testing.B) {
		r := Events(64, NewBell())
		b.ReportAllocs()
		for range b.N {
			r.Put(m)
			dst = r.Drain(dst[:0])
		}
	})
	b.Run("ring-drain-one", func(b *testing.B) {
		r := Events(64, NewBell())
		b.ReportAllocs()
		for range b.N {
			r.Put(m)
			dst = r.DrainOne(dst[:0])
		}
	})
	b.Run("channel-of-messages", func(b *testing.B) {
		c := make(chan [7]venue.Event, 64)
		b.ReportAllocs()
		for range b.N {
			c <- [7]venue.Event(m)
			one := <-c
			dst = append(dst[:0], one[:]...)
		}
	})
}
