package bench

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/btree"
	"github.com/stretchr/testify/require"

	"oneprice/bench/pair"
	"oneprice/books"
	"oneprice/books/venue"
)

// change is one level of one side.
type change struct {
	bid  bool
	p, q int64
}

const home = 1_000_000

// walk is a random walk of the middle: changes at an exponential distance from it (mean 8 ticks), 5 % in a far tail up to
// depth, two in five deletions. With drift 0 it comes home again at the end; else it runs away by drift ticks a step, and
// what is left behind is deleted at the far end. The second result is how far it got. Messages hold perMessage changes.
func walk(n, depth int, drift int64) (out []change, moved int64) {
	r := rand.New(rand.NewPCG(7, 1))
	mid := int64(home)
	for len(out) < n || drift == 0 && mid != home || len(out)%perMessage != 0 {
		if r.IntN(20) == 0 {
			d := 1 - 2*int64(r.IntN(2))
			if drift != 0 || len(out) >= n && mid < home {
				d = 1
			} else if len(out) >= n {
				d = -1
			}
			for range max(drift, 1) {
				mid += d
				out = append(out, change{d < 0, mid, 0}, change{d > 0, mid - d, 1 + r.Int64N(1e6)})
				if drift != 0 {
					out = append(out, change{true, mid - int64(max(depth, 200)), 0})
				}
			}
			continue
		}
		d := int64(1 + r.ExpFloat64()*8)
		if r.IntN(20) == 0 {
			d = 1 + r.Int64N(int64(depth))
		}
		c := change{bid: r.IntN(2) == 0, p: mid + d}
		if c.bid {
			c.p = mid - d
		}
		if r.IntN(100) >= 40 {
			c.q = 1 + r.Int64N(1e6)
		}
		out = append(out, c)
	}
	return out, mid - home
}

// perMessage is how many levels a message has; the touch is read after each message.
const (
	perMessage = 20
	perBurst   = 64 // messages
)

// player goes through a walk for ever, each time from where it ended.
type player struct {
	walk      []change
	moved, at int64
	k         int
	depth     int
}

// next is the following message's changes, prices moved on.
func (p *player) next(dst []change) []change {
	if p.k == len(p.walk) {
		p.k, p.at = 0, p.at+p.moved
	}
	for _, c := range p.walk[p.k : p.k+perMessage] {
		c.p += p.at
		dst = append(dst, c)
	}
	p.k += perMessage
	return dst
}

// seeded are depth levels a side.
func seeded(depth int) (out []change) {
	for i := int64(1); i <= int64(depth); i++ {
		out = append(out, change{true, home - i, i}, change{false, home + i, i})
	}
	return out
}

// frame packs changes the way decoders do: a head, then three levels a record.
func frame(f []venue.Event, cs []change, flags uint8, seq uint64) []venue.Event {
	f = append(f[:0], venue.Event{})
	for _, side := range [2]bool{true, false} {
		var e *venue.Event
		for _, c := range cs {
			if c.bid != side {
				continue
			}
			if e == nil || e.N == 3 {
				f = append(f, venue.Event{Kind: venue.Levels, Flags: venue.Asks, Inst: 1, Seq: seq})
				e = &f[len(f)-1]
				if side {
					e.Flags = venue.Bids
				}
			}
			e.W[2*e.N], e.W[2*e.N+1] = c.p, c.q
			e.N++
		}
	}
	f[0].SetHead(1, 1, flags, 1, 0, seq, 0, seq, venue.NoChecksum, len(f)-1)
	if flags&venue.Snapshot != 0 {
		f[0].W[2] = 0
	}
	f[len(f)-1].Flags |= venue.Last
	return f
}

var sum int64

// ourBook plays a walk into a Book.
func ourBook(p *player) pair.Candidate {
	b := books.New(&venue.Instrument{Inst: 1, Tick: 1, Chain: venue.ChainRange}, books.Config{})
	seq := uint64(1)
	b.Apply(frame(nil, seeded(p.depth), venue.Snapshot, seq))
	frames, cs := make([][]venue.Event, perBurst), []change(nil)
	return pair.Candidate{Name: "book", Burst: perBurst * perMessage,
		Before: func(int) {
			for i := range frames {
				cs = p.next(cs[:0])
				seq++
				frames[i] = frame(frames[i], cs, 0, seq)
			}
		},
		Run: func(int) {
			for _, f := range frames {
				if b.Apply(f); b.State() != books.Live {
					panic("bench: the book is " + b.State().String() + ": " + b.Why().String())
				}
				bid, ask := b.Best(venue.Buy), b.Best(venue.Sell)
				sum += int64(bid.Price+ask.Price) + int64(bid.Qty+ask.Qty)
			}
		}}
}

type node struct{ k, q int64 }

// theirBook plays a walk into two google/btrees.
func theirBook(p *player) pair.Candidate {
	less := func(a, b node) bool { return a.k < b.k }
	sides := [2]*btree.BTreeG[node]{btree.NewG(32, less), btree.NewG(32, less)}
	set := func(c *change) {
		t, k := sides[0], c.p
		if c.bid {
			t, k = sides[1], -c.p
		}
		if c.q == 0 {
			t.Delete(node{k, 0})
		} else {
			t.ReplaceOrInsert(node{k, c.q})
		}
	}
	for _, c := range seeded(p.depth) {
		set(&c)
	}
	var cs []change
	return pair.Candidate{Name: "google/btree", Burst: perBurst * perMessage,
		Before: func(int) {
			cs = cs[:0]
			for range perBurst {
				cs = p.next(cs)
			}
		},
		Run: func(int) {
			for i := 0; i < len(cs); i += perMessage {
				for j := range cs[i : i+perMessage] {
					set(&cs[i+j])
				}
				bid, _ := sides[1].Min()
				ask, _ := sides[0].Min()
				sum += ask.k - bid.k + bid.q + ask.q
			}
		}}
}

// BenchmarkBook holds Book.Apply, a message of twenty levels and a look at the touch, against two google/btrees.
func BenchmarkBook(b *testing.B) {
	group(b, func(b *testing.B) {
		for _, c := range []struct {
			depth int
			drift int64
			bar   float64
		}{{20, 0, 0}, {100, 0, 4}, {1000, 0, 0}, {5000, 0, 6}, {100, 1, 4}, {5000, 1, 0}, {5000, 8, 0}} {
			us, moved := walk(1<<16, c.depth, c.drift)
			rs := pair.Run(rounds, slice, theirBook(&player{walk: us, moved: moved, depth: c.depth}), ourBook(&player{walk: us, moved: moved, depth: c.depth}))
			name := fmt.Sprintf("depth %d", c.depth)
			if c.drift > 0 {
				name += fmt.Sprintf(", running away by %d", c.drift)
			}
			faster(b, name, &rs[1], &rs[0], c.bar, true)
		}
		var cs []pair.Candidate
		for _, c := range []struct {
			depth int
			drift int64
			name  string
		}{{20, 0, "depth 20"}, {5000, 0, "flat: depth 5000"}, {5000, 1, "flat: depth 5000, running away"}} {
			us, moved := walk(1<<16, c.depth, c.drift)
			x := ourBook(&player{walk: us, moved: moved, depth: c.depth})
			x.Name = c.name
			cs = append(cs, x)
		}
		rs := pair.Run(rounds, slice, cs...)
		costs(b, rs[1].Name, &rs[1], &rs[0], 1.15, true)
		costs(b, rs[2].Name, &rs[2], &rs[0], 1.15, true)
	})
}

func TestWalk_keepsTheBookWhole(t *testing.T) {
	for _, drift := range []int64{0, 1, 8} {
		us, moved := walk(1<<12, 100, drift)
		require.Equal(t, drift == 0, moved == 0)
		c := ourBook(&player{walk: us, moved: moved, depth: 100})
		for range 10 {
			c.Before(0)
			c.Run(0) // panics when the book is not Live
		}
	}
}
