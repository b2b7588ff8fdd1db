package books

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/btree"
	"golang.org/x/sys/unix"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// The stream, the sorted slice and the tree below are what the numbers in the package comment were measured with.

// update is one level; bid is 1 or 0, so that a side is an index and not a branch.
type update struct {
	bid  uint8
	p, q int64
}

const homeTick = 1_000_000

// stream is a random walk of the middle: updates at an exponential distance from it (mean 8 ticks), 5 % in a far tail up
// to depth, 40 % deletes. drift 0 walks home again at the end, so that the stream can be replayed without a jump; drift d
// runs away by d ticks with every step of the walk, and the levels left behind are deleted at the far end; moved is how
// far it got.
func stream(n, depth int, drift int64) (out []update, moved int64) {
	r := rand.New(rand.NewPCG(7, 1))
	mid := int64(homeTick)
	out = make([]update, 0, n)
	for len(out) < n || drift == 0 && mid != homeTick {
		if r.IntN(20) == 0 {
			d := 1 - 2*int64(r.IntN(2))
			if len(out) >= n {
				d = 1
				if mid > homeTick {
					d = -1
				}
			}
			if drift != 0 {
				d = 1
			}
			for range max(drift, 1) {
				mid += d
				out = append(out, update{of(d < 0), mid, 0}, update{of(d > 0), mid - d, int64(1 + r.IntN(1e6))})
				if drift != 0 {
					out = append(out, update{1, mid - int64(max(depth, 200)), 0})
				}
			}
			continue
		}
		d := int64(1 + int(r.ExpFloat64()*8))
		if r.IntN(20) == 0 {
			d = int64(1 + r.IntN(depth))
		}
		u := update{bid: uint8(r.IntN(2)), p: mid + d}
		if u.bid == 1 {
			u.p = mid - d
		}
		if r.IntN(100) >= 40 {
			u.q = int64(1 + r.IntN(1e6))
		}
		out = append(out, u)
	}
	return out, mid - homeTick
}

func of(b bool) uint8 { return uint8(bit(b)) }

// ladder is two sides as Book holds them.
type ladder struct{ sides [2]side }

func newLadder(window int) *ladder {
	return &ladder{[2]side{newSide(make([]int64, window), -1, 1), newSide(make([]int64, window), 1, 1)}}
}

func (l *ladder) set(bid uint8, p, q int64) (int64, int64) {
	s := &l.sides[bid&1]
	s.set(p*s.sign, q)
	b, a := l.sides[1].touch(), l.sides[0].touch()
	return int64(b.Price) + int64(b.Qty), int64(a.Price) + int64(a.Qty)
}

// sorted is the structure that was rejected: a slice by key with the best at the end.
type sorted struct {
	s    []keyed
	sign int64
}

type keyed struct{ k, q int64 }

func (s *sorted) set(k, q int64) {
	v := s.s
	i := len(v)
	for n := 0; n < 12 && i > 0 && v[i-1].k >= k; n++ {
		i--
	}
	if i > 0 && v[i-1].k >= k {
		lo, hi := 0, i
		for lo < hi {
			if m := int(uint(lo+hi) >> 1); v[m].k < k {
				lo = m + 1
			} else {
				hi = m
			}
		}
		i = lo
	}
	switch hit := i < len(v) && v[i].k == k; {
	case hit && q != 0:
		v[i].q = q
	case hit:
		s.s = append(v[:i], v[i+1:]...)
	case q != 0:
		v = append(v, keyed{})
		copy(v[i+1:], v[i:])
		v[i] = keyed{k, q}
		s.s = v
	}
}

func (s *sorted) touch() (int64, int64) {
	if len(s.s) == 0 {
		return 0, 0
	}
	l := &s.s[len(s.s)-1]
	return l.k, l.q
}

type sliced struct{ sides [2]sorted }

func (l *sliced) set(bid uint8, p, q int64) (int64, int64) {
	s := &l.sides[bid&1]
	s.set(p*s.sign, q)
	b, c := l.sides[1].touch()
	x, y := l.sides[0].touch()
	return b + c, x + y
}

type trees struct{ sides [2]tree }

type tree struct {
	*btree.BTreeG[keyed]
	sign int64
}

func newTrees() *trees {
	less := func(a, b keyed) bool { return a.k < b.k }
	return &trees{[2]tree{{btree.NewG(32, less), 1}, {btree.NewG(32, less), -1}}}
}

func (l *trees) set(bid uint8, p, q int64) (int64, int64) {
	t := &l.sides[bid&1]
	k := p * t.sign
	if q == 0 {
		t.Delete(keyed{k, 0})
	} else {
		t.ReplaceOrInsert(keyed{k, q})
	}
	b, _ := l.sides[1].Min()
	a, _ := l.sides[0].Min()
	return b.k + b.q, a.k + a.q
}

// seed fills depth levels a side.
func seed(depth int, set func(bid uint8, p, q int64) (int64, int64)) {
	for i := int64(1); i <= int64(depth); i++ {
		set(1, homeTick-i, i)
		set(0, homeTick+i, i)
	}
}

var sink int64

// candidate runs n updates.
type candidate struct {
	name string
	run  func(n int)
}

// player seeds a structure and replays the stream through it, each time from where the last one ended.
func player(us []update, moved int64, depth int, set func(bid uint8, p, q int64) (int64, int64)) func(int) {
	seed(depth, set)
	k, at := 0, int64(0)
	return func(n int) {
		var s int64
		for ; n > 0; n-- {
			if k == len(us) {
				k = 0
				at += moved
			}
			u := &us[k]
			x, y := set(u.bid, u.p+at, u.q)
			s += x + y
			k++
		}
		sink += s
	}
}

// rotate gives each candidate a slice of CPU time in turn, once per round, so that a noisy neighbour hits all alike, and
// reports the least time of each and the median over the rounds of the last one's time over each one's.
func rotate(b *testing.B, cs []candidate) {
	const slice = 2 * time.Millisecond
	n := make([]int, len(cs))
	for i, c := range cs {
		for n[i] = 1 << 12; ; n[i] *= 2 {
			if t := cpu(b); true {
				c.run(n[i])
				if cpu(b)-t > slice/2 {
					break
				}
			}
		}
	}
	took := make([][]float64, len(cs))
	for round := 0; b.Loop(); round++ {
		for j := range cs {
			i := (j + round) % len(cs)
			t := cpu(b)
			cs[i].run(n[i])
			took[i] = append(took[i], float64(cpu(b)-t)/float64(n[i]))
		}
	}
	base := took[len(cs)-1]
	for i, c := range cs {
		ratio := make([]float64, len(base))
		for r := range base {
			ratio[r] = base[r] / took[i][r]
		}
		slices.Sort(ratio)
		b.ReportMetric(slices.Min(took[i]), c.name+"-ns")
		if i < len(cs)-1 {
			b.ReportMetric(ratio[len(ratio)/2], c.name+"-x")
			b.ReportMetric(slices.Min(base)/slices.Min(took[i]), c.name+"-x-of-mins")
		}
	}
	b.ReportMetric(0, "ns/op")
}

func cpu(b *testing.B) time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &ts); err != nil {
		b.Fatal(err)
	}
	return time.Duration(ts.Nano())
}

// BenchmarkStructure updates one level and reads both touches: ladder, sorted slice and google/btree in rotation.
func BenchmarkStructure(b *testing.B) {
	for _, depth := range []int{20, 100, 1000, 5000} {
		for _, drift := range []int64{0, 1, 8} {
			name := fmt.Sprintf("depth%d", depth)
			if drift > 0 {
				name += fmt.Sprintf("/away%d", drift)
			}
			b.Run(name, func(b *testing.B) {
				us, moved := stream(1<<16, depth, drift)
				l, s, t := newLadder(8192), &sliced{[2]sorted{{sign: -1}, {sign: 1}}}, newTrees()
				rotate(b, []candidate{
					{"ladder", player(us, moved, depth, l.set)},
					{"ladder4k", player(us, moved, depth, newLadder(4096).set)},
					{"slice", player(us, moved, depth, s.set)},
					{"btree", player(us, moved, depth, t.set)},
				})
			})
		}
	}
}

// BenchmarkApply applies whole frames (head, check, levels, settle, touch) to a Live book and reads both touches.
func BenchmarkApply(b *testing.B) {
	for _, levels := range []int{2, 20, 100} {
		b.Run(fmt.Sprintf("levels%d", levels), func(b *testing.B) {
			us, moved := stream(1<<16, 1000, 0)
			book := New(&venue.Instrument{Tick: 10, Chain: venue.ChainRange}, Config{})
			var first [2][]venue.Level
			seed(1000, func(bid uint8, p, q int64) (int64, int64) {
				first[1-bid] = append(first[1-bid], venue.Level{Price: fixed.Price(10 * p), Qty: fixed.Qty(q)})
				return 0, 0
			})
			book.Apply(pack(first, venue.Snapshot, 1, 0, 0, 0, 1, venue.NoChecksum))
			var frames [][]venue.Event
			for chunk := range slices.Chunk(us, levels) {
				var l [2][]venue.Level
				for _, u := range chunk {
					l[1-u.bid] = append(l[1-u.bid], venue.Level{Price: fixed.Price(10 * u.p), Qty: fixed.Qty(u.q)})
				}
				frames = append(frames, pack(l, 0, 1, 1, 0, 0, 0, venue.NoChecksum))
			}
			if moved != 0 {
				b.Fatal("the stream must end where it began")
			}
			id, n := uint64(1), 0
			b.ReportAllocs()
			for b.Loop() {
				f := frames[n]
				if n++; n == len(frames) {
					n = 0
				}
				id++
				f[0].Seq, f[0].W[2] = id, int64(id)
				book.Apply(f)
				sink += int64(book.Best(venue.Buy).Price + book.Best(venue.Sell).Price)
			}
			if book.State() != Live {
				b.Fatal(book.Why())
			}
		})
	}
}

// BenchmarkTouch takes a touch that is ahead and changes what Best says.
func BenchmarkTouch(b *testing.B) {
	book := New(&venue.Instrument{Tick: 10, Chain: venue.ChainRange}, Config{})
	book.Apply(pack([2][]venue.Level{{{Price: 1000, Qty: 9}, {Price: 990, Qty: 9}}, {{Price: 1010, Qty: 9}, {Price: 1020, Qty: 9}}},
		venue.Snapshot, 1, 0, 0, 0, 1, venue.NoChecksum))
	var e venue.Event
	id := uint64(1)
	b.ReportAllocs()
	for b.Loop() {
		id++
		e.SetTouch(1, 1, 0, id, 1000-fixed.Price(id%2*10), 5, 1010, 7, 1, 1)
		book.ApplyTouch(&e)
	}
}

// BenchmarkTop10 walks the best ten levels of both sides.
func BenchmarkTop10(b *testing.B) {
	book := New(&venue.Instrument{Tick: 1}, Config{})
	var first [2][]venue.Level
	for i := range 1000 {
		first[0] = append(first[0], venue.Level{Price: fixed.Price(100_000 - 3*i), Qty: 5})
		first[1] = append(first[1], venue.Level{Price: fixed.Price(100_003 + 3*i), Qty: 5})
	}
	book.Apply(pack(first, venue.Snapshot, 1, 0, 0, 0, 1, venue.NoChecksum))
	for b.Loop() {
		for side := venue.Buy; side <= venue.Sell; side++ {
			c := book.Levels(side)
			for n := 0; n < 10 && c.Next(); n++ {
				sink += int64(c.Qty)
			}
		}
	}
}

func BenchmarkPublish(b *testing.B) {
	book := New(&venue.Instrument{Tick: 1}, Config{})
	recv := venue.Nanos(0)
	for b.Loop() {
		recv++
		book.Alive(recv)
		book.Publish()
	}
}
