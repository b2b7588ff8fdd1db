package books

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// rig is a small venue with a faulty wire, steered by bytes: its true book moves, its frames wait on the wire and are
// delivered, dropped, doubled, swapped or altered on their way to a Book and its twin, which must agree throughout.
type rig struct {
	t     *testing.T
	steer []byte
	in    venue.Instrument
	b     *Book
	w     *twin
	mid   int64 // tick number
	bids  map[int64]int64
	asks  map[int64]int64
	id    uint64
	clock venue.Nanos
	wire  [][]venue.Event
	late  []venue.Event // touches on their way
	last  []venue.Event
	seen  [4]int // steps by the State after them
	steps int
}

// toy is a stand-in for a venue's checksum.
func toy(_ *venue.Instrument, bids, asks []venue.Level) uint32 {
	h := uint64(len(bids))
	for _, ls := range [2][]venue.Level{bids, asks} {
		for _, l := range ls {
			h = mix(mix(h, uint64(l.Price)), uint64(l.Qty))
		}
	}
	return uint32(h)
}

func newRig(t *testing.T, steer []byte) *rig {
	r := &rig{t: t, steer: steer, bids: map[int64]int64{}, asks: map[int64]int64{}, id: 1000}
	kind := r.byte()
	r.in = venue.Instrument{Inst: 1, Venue: 1, Chain: venue.Chain(kind % 3)}
	r.in.Tick = [...]fixed.Price{1, 10, 25, 1 << 20, 3, 1000, 96, 7}[kind/3%8]
	if kind&0x40 != 0 {
		r.in.Depth = 12
	}
	if kind&0x80 != 0 {
		r.in.Checksum, r.in.ChecksumDepth = toy, 5
	}
	cfg := Config{Window: 256, Pending: 64, Touches: 8}
	r.b, r.w = New(&r.in, cfg), newTwin(&r.in, cfg)
	r.mid = 5000
	return r
}

// byte is the next steering byte, 0 when there is none left.
func (r *rig) byte() int {
	if len(r.steer) == 0 {
		return 0
	}
	v := r.steer[0]
	r.steer = r.steer[1:]
	return int(v)
}

func (r *rig) run() {
	r.capture()
	for len(r.steer) > 0 {
		r.clock += venue.Nanos(r.byte()) * venue.Millisecond
		r.step()
		r.steps++
		r.seen[r.b.State()]++
		agree(r.t, r.b, r.w)
		sound(r.t, &r.b.sides[0])
		sound(r.t, &r.b.sides[1])
		r.probe()
	}
}

func (r *rig) step() {
	switch op := r.byte(); {
	case op < 40 && r.b.State() != Live:
		r.capture()
		for len(r.wire) > 0 {
			r.deliver(0)
		}
	case op < 90:
		r.move()
	case op < 170:
		r.deliver(0)
	case op < 180:
		r.say(r.touch())
	case op < 190:
		r.late = append(r.late, r.touch())
	case op < 200 && len(r.late) > 0:
		r.say(r.late[0])
		r.late = r.late[1:]
	case op < 212:
		r.capture()
		for len(r.wire) > 1 {
			r.deliver(len(r.wire) - 1)
		}
	case op < 216:
		r.capture() // and deliver after the deltas
	case op < 220 && len(r.wire) > 0:
		r.wire = r.wire[1:]
	case op < 226 && r.last != nil:
		r.hand(r.last)
	case op < 230 && len(r.wire) > 1:
		r.deliver(1)
	case op < 236 && len(r.wire) > 0:
		r.spoil(r.wire[0])
		r.deliver(0)
	case op < 240:
		e := r.touch()
		e.W[r.byte()%4] += int64(r.in.Tick) * int64(r.byte()-128)
		r.say(e)
	case op < 242:
		r.invalidate(venue.Reason(r.byte() % venue.Reasons))
	case op < 244:
		r.retick()
	case op < 248:
		r.jump()
	default:
		r.clock += venue.Nanos(r.byte()) * venue.Second
		r.b.Alive(r.clock)
		r.w.recv = max(r.w.recv, r.clock)
	}
}

// distance is how far from the middle a level stands: mostly near, sometimes beyond the window, rarely anywhere.
func (r *rig) distance() int64 {
	d := int64(r.byte())
	switch {
	case d < 200:
		return 1 + d%20
	case d < 240:
		return 1 + int64(r.byte())*4
	case d < 250:
		return 1 + int64(r.byte())<<10
	}
	return 1 + int64(r.byte())<<40
}

// move changes the true book by one frame that then waits on the wire.
func (r *rig) move() {
	r.mid += int64(r.byte()%5) - 2
	r.mid = max(r.mid, 2)
	var levels [2][]venue.Level
	for range 1 + r.byte()%6 {
		side := r.byte()
		q := int64(max(side>>1-50, 0))
		k, m := r.mid+r.distance(), r.asks
		if side&1 == 0 {
			k, m = 2*r.mid-k, r.bids
		}
		if k <= 0 || k > fixed.Limit/int64(r.in.Tick) {
			continue
		}
		r.put(m, &levels[side&1], k, q)
	}
	for _, k := range slices.Sorted(maps.Keys(r.bids)) {
		if k >= r.mid {
			r.put(r.bids, &levels[0], k, 0)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(r.asks)) {
		if k <= r.mid {
			r.put(r.asks, &levels[1], k, 0)
		}
	}
	r.cut()
	prev := r.id
	r.id += 1 + uint64(r.byte()%3)
	r.wire = append(r.wire, r.frame(levels, 0, prev+1, prev, 0))
}

func (r *rig) put(m map[int64]int64, out *[]venue.Level, k, q int64) {
	if q == 0 {
		delete(m, k)
	} else {
		m[k] = q
	}
	*out = append(*out, venue.Level{Price: fixed.Price(k) * r.in.Tick, Qty: fixed.Qty(q)})
}

// cut keeps the true book to the subscribed depth.
func (r *rig) cut() {
	if d := r.in.Depth; d > 0 {
		for _, k := range slices.Sorted(maps.Keys(r.bids))[:max(len(r.bids)-d, 0)] {
			delete(r.bids, k)
		}
		for _, k := range slices.Sorted(maps.Keys(r.asks))[min(len(r.asks), d):] {
			delete(r.asks, k)
		}
	}
}

func (r *rig) truth() (bids, asks []venue.Level) {
	for _, k := range slices.Backward(slices.Sorted(maps.Keys(r.bids))) {
		bids = append(bids, venue.Level{Price: fixed.Price(k) * r.in.Tick, Qty: fixed.Qty(r.bids[k])})
	}
	for _, k := range slices.Sorted(maps.Keys(r.asks)) {
		asks = append(asks, venue.Level{Price: fixed.Price(k) * r.in.Tick, Qty: fixed.Qty(r.asks[k])})
	}
	return bids, asks
}

// frame packs levels into a frame whose checksum, where the venue has one, is that of the true book.
func (r *rig) frame(levels [2][]venue.Level, flags uint8, first, prev uint64, part uint8) []venue.Event {
	crc := venue.NoChecksum
	if r.in.Checksum != nil && part == 0 {
		bids, asks := r.truth()
		crc = int64(toy(nil, bids[:min(5, len(bids))], asks[:min(5, len(asks))]))
	}
	return pack(levels, flags|part, r.clock, r.clock+5*venue.Millisecond, first, prev, r.id, crc)
}

// pack makes a frame of bids (levels[0]) and asks.
func pack(levels [2][]venue.Level, flags uint8, recv, at venue.Nanos, first, prev, last uint64, crc int64) []venue.Event {
	f := make([]venue.Event, 1)
	for s, ls := range levels {
		for chunk := range slices.Chunk(ls, 3) {
			e := venue.Event{Kind: venue.Levels, Flags: [2]uint8{venue.Bids, venue.Asks}[s], N: uint8(len(chunk)), Venue: 1, Inst: 1}
			for i, l := range chunk {
				e.W[2*i], e.W[2*i+1] = int64(l.Price), int64(l.Qty)
			}
			f = append(f, e)
		}
	}
	f[0].SetHead(1, 1, flags, recv, at, first, prev, last, crc, len(f)-1)
	f[len(f)-1].Flags |= venue.Last
	return f
}

// capture puts a snapshot of the true book on the wire, in one to three parts.
func (r *rig) capture() {
	bids, asks := r.truth()
	parts := 1 + r.byte()%3
	if r.byte()&1 == 0 { // worst first
		slices.Reverse(bids)
		slices.Reverse(asks)
	}
	for p := range parts {
		l := [2][]venue.Level{bids[len(bids)*p/parts : len(bids)*(p+1)/parts], asks[len(asks)*p/parts : len(asks)*(p+1)/parts]}
		more := venue.Part
		if p == parts-1 {
			more = 0
		}
		r.wire = append(r.wire, r.frame(l, venue.Snapshot, uint64(p), 0, more))
	}
}

func (r *rig) deliver(i int) {
	if i < len(r.wire) {
		f := r.wire[i]
		r.wire = slices.Delete(r.wire, i, i+1)
		r.last = f
		r.hand(f)
	}
}

func (r *rig) hand(f []venue.Event) {
	before, hash := r.b.State(), r.b.Hash()
	o := r.b.Apply(f)
	r.w.apply(f)
	require.Equal(r.t, before != r.b.State(), o&StateChanged != 0)
	if hash != r.b.Hash() {
		require.NotZero(r.t, o&Changed)
	}
	if r.b.State() == Stale && before != Stale {
		require.NotZero(r.t, o&WantSnapshot)
	}
}

// spoil alters one word of one level, or the checksum.
func (r *rig) spoil(f []venue.Event) {
	if e := &f[r.byte()%len(f)]; e.Kind == venue.Levels {
		e.W[r.byte()%int(2*e.N)] += int64(r.byte()) - 128
	} else if e.W[4] != venue.NoChecksum {
		e.W[4] ^= 1
	}
}

func (r *rig) touch() venue.Event {
	bids, asks := r.truth()
	bids, asks = append(bids, venue.Level{}), append(asks, venue.Level{})
	var e venue.Event
	e.SetTouch(1, 1, venue.Last, r.id, bids[0].Price, bids[0].Qty, asks[0].Price, asks[0].Qty, r.clock, r.clock)
	return e
}

func (r *rig) say(e venue.Event) {
	before, bid, ask := r.b.State(), r.b.Best(venue.Buy), r.b.Best(venue.Sell)
	o := r.b.ApplyTouch(&e)
	r.w.touch(&e)
	require.Equal(r.t, before != r.b.State(), o&StateChanged != 0)
	require.Equal(r.t, bid != r.b.Best(venue.Buy) || ask != r.b.Best(venue.Sell), o&Changed != 0)
}

func (r *rig) invalidate(why venue.Reason) {
	r.b.Invalidate(why)
	if why == venue.SequenceGap || why == venue.RingFull || why == venue.ConnectionLost {
		r.w.c.Gaps++
	}
	r.w.stale(why)
}

// retick refines the grid (every level still fits) or coarsens it (some may not).
func (r *rig) retick() {
	tick := r.w.tick * 2
	if r.byte()&1 == 0 {
		tick = max(r.in.Tick/2, 1)
	}
	r.b.Retick(tick)
	r.w.retick(tick)
}

// jump moves the whole market anywhere.
func (r *rig) jump() {
	top := fixed.Limit / int64(r.in.Tick)
	r.mid = (r.mid + int64(r.byte())<<(r.byte()%46)) % top
}

// probe asks for one price and one walk.
func (r *rig) probe() {
	p := fixed.Price(r.mid-10+int64(r.steps%20)) * r.in.Tick
	require.Equal(r.t, r.w.bids[p], r.b.QtyAt(venue.Buy, p))
	require.Equal(r.t, r.w.asks[p], r.b.QtyAt(venue.Sell, p))
	for _, side := range []venue.Side{venue.Buy, venue.Sell} {
		want, left := Walk{}, fixed.Qty(r.steps%200)
		for _, l := range r.w.believed(side.Other()) {
			if left == 0 {
				break
			}
			if want.Filled == 0 {
				want.Best = l.Price
			}
			q := min(left, l.Qty)
			want.Worst, want.Filled, left = l.Price, want.Filled+q, left-q
		}
		require.Equal(r.t, want, r.b.Take(side, fixed.Qty(r.steps%200)))
	}
}
