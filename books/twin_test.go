package books

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// twin is the naive book: two maps, sorted whenever a level is asked for, plain division, every rule written out again
// from the contract. It shares nothing with Book but the hash's mixing step.
type twin struct {
	in         *venue.Instrument
	tick       fixed.Price
	limit      int // records that may wait
	room       int // touches that may be ahead
	bids, asks map[fixed.Price]fixed.Qty
	tops       [3]venue.Level
	state      State
	why        venue.Reason
	seq        uint64
	applied    bool // since the snapshot
	lived      bool
	part       uint64
	taking     uint64
	pending    [][]venue.Event
	touches    []venue.Event
	newest     venue.Event
	recv       venue.Nanos
	c          Counters
}

func newTwin(in *venue.Instrument, cfg Config) *twin {
	w := &twin{in: in, tick: in.Tick, limit: cfg.Pending, room: cfg.Touches, why: venue.NoSnapshot}
	w.bids, w.asks = map[fixed.Price]fixed.Qty{}, map[fixed.Price]fixed.Qty{}
	return w
}

func (w *twin) levels(side venue.Side) []venue.Level {
	m := w.bids
	if side == venue.Sell {
		m = w.asks
	}
	var out []venue.Level
	for _, p := range slices.Sorted(maps.Keys(m)) {
		out = append(out, venue.Level{Price: p, Qty: m[p]})
	}
	if side == venue.Buy {
		slices.Reverse(out)
	}
	return out
}

// believed is levels after a newer touch has had its say.
func (w *twin) believed(side venue.Side) []venue.Level {
	all := w.levels(side)
	if w.newest.Seq <= w.seq {
		return all
	}
	p, q := fixed.Price(w.newest.W[0]), fixed.Qty(w.newest.W[1])
	if side == venue.Sell {
		p, q = fixed.Price(w.newest.W[2]), fixed.Qty(w.newest.W[3])
	}
	var out []venue.Level
	for _, l := range all {
		better := l.Price > p
		if side == venue.Sell {
			better = l.Price < p
		}
		if q == 0 || better {
			continue
		}
		if l.Price == p {
			l.Qty = min(l.Qty, q)
		}
		out = append(out, l)
	}
	return out
}

// top is the best level. A recording asks for it after every frame, so it is remembered until its level goes.
func (w *twin) top(side venue.Side) venue.Level {
	if w.tops[side].Qty > 0 {
		return w.tops[side]
	}
	m := w.bids
	if side == venue.Sell {
		m = w.asks
	}
	for p, q := range m {
		w.see(side, venue.Level{Price: p, Qty: q})
	}
	return w.tops[side]
}

// see updates the remembered top for one level of the side.
func (w *twin) see(side venue.Side, l venue.Level) {
	top := &w.tops[side]
	better := l.Price > top.Price
	if side == venue.Sell {
		better = l.Price < top.Price
	}
	switch {
	case l.Price == top.Price && l.Qty == 0:
		*top = venue.Level{} // look again
	case l.Qty > 0 && (top.Qty == 0 || better || l.Price == top.Price):
		*top = l
	}
}

func (w *twin) stale(why venue.Reason) {
	w.part = 0
	if w.state != Stale {
		w.state, w.why = Stale, why
	}
}

func (w *twin) empty() {
	clear(w.bids)
	clear(w.asks)
	w.tops = [3]venue.Level{}
}

func (w *twin) levelFault(l venue.Level) venue.Reason {
	switch {
	case l.Price <= 0, l.Price > fixed.Limit, l.Qty < 0, l.Qty > fixed.Limit:
		return venue.BadLevel
	case l.Price%w.tick != 0:
		return venue.OffTick
	}
	return venue.OK
}

func (w *twin) fault(frame []venue.Event) venue.Reason {
	for _, e := range frame[1:] {
		for i := range e.N {
			if why := w.levelFault(e.Level(i)); why != venue.OK {
				return why
			}
		}
	}
	return venue.OK
}

func (w *twin) apply(frame []venue.Event) {
	w.c.Frames++
	w.recv = max(w.recv, frame[0].Recv())
	switch why := w.fault(frame); {
	case why != venue.OK:
		w.stale(why)
	case frame[0].Flags&venue.Snapshot != 0:
		w.snapshot(frame)
	case w.state == Live:
		w.delta(frame)
	default:
		w.wait(frame)
	}
}

func (w *twin) write(frame []venue.Event) {
	for _, e := range frame[1:] {
		m, side := w.bids, venue.Buy
		if e.Flags&venue.Asks != 0 {
			m, side = w.asks, venue.Sell
		}
		for i := range e.N {
			l := e.Level(i)
			if l.Qty == 0 {
				delete(m, l.Price)
			} else {
				m[l.Price] = l.Qty
			}
			if w.tops[side].Qty > 0 {
				w.see(side, l)
			}
		}
	}
}

// settle applies depth, checksum and crossed rules.
func (w *twin) settle(h *venue.Event) venue.Reason {
	if w.in.Depth > 0 || w.in.Checksum != nil {
		bids, asks := w.levels(venue.Buy), w.levels(venue.Sell)
		if d := w.in.Depth; d > 0 {
			for _, l := range bids[min(d, len(bids)):] {
				delete(w.bids, l.Price)
			}
			for _, l := range asks[min(d, len(asks)):] {
				delete(w.asks, l.Price)
			}
		}
		n := w.in.ChecksumDepth
		switch {
		case h.CRC() == venue.NoChecksum || w.in.Checksum == nil:
		case int64(w.in.Checksum(w.in, bids[:min(n, len(bids))], asks[:min(n, len(asks))])) != h.CRC():
			w.c.ChecksumsFailed++
			return venue.ChecksumMismatch
		default:
			w.c.ChecksumsVerified++
		}
	}
	bid, ask := w.top(venue.Buy), w.top(venue.Sell)
	if bid.Qty > 0 && ask.Qty > 0 && bid.Price >= ask.Price {
		return venue.Crossed
	}
	return venue.OK
}

// verdict is what the chain says: apply, drop or gap.
func (w *twin) verdict(h *venue.Event) string {
	switch w.in.Chain {
	case venue.ChainRange:
		if h.Seq <= w.seq {
			return "drop"
		}
		if h.First() > w.seq+1 {
			return "gap"
		}
	case venue.ChainPrev:
		if !w.applied {
			if h.Seq < w.seq {
				return "drop"
			}
			if !(h.First() <= w.seq && w.seq <= h.Seq) && h.Prev() != w.seq {
				return "gap"
			}
			return "apply"
		}
		if h.Seq <= w.seq {
			return "drop"
		}
		if h.Prev() != w.seq {
			return "gap"
		}
	}
	return "apply"
}

func (w *twin) advance(frame []venue.Event) venue.Reason {
	w.write(frame)
	w.seq, w.applied = frame[0].Seq, true
	w.c.Applied++
	return w.settle(&frame[0])
}

func (w *twin) delta(frame []venue.Event) {
	switch w.verdict(&frame[0]) {
	case "drop":
		w.c.StaleDropped++
	case "gap":
		w.c.Gaps++
		w.stale(venue.SequenceGap)
		w.wait(frame)
	default:
		if why := w.advance(frame); why != venue.OK {
			w.stale(why)
		}
		w.meet()
	}
}

func (w *twin) wait(frame []venue.Event) {
	if w.in.Chain == venue.ChainNone {
		w.c.StaleDropped++
		if w.part > 0 {
			w.c.Gaps++
			w.stale(venue.SequenceGap)
		}
		return
	}
	n := len(frame)
	for _, f := range w.pending {
		n += len(f)
	}
	if n > w.limit {
		w.pending = nil
		w.stale(venue.PendingOverflow)
		if len(frame) > w.limit {
			return
		}
	}
	w.pending = append(w.pending, slices.Clone(frame))
}

func (w *twin) snapshot(frame []venue.Event) {
	h := &frame[0]
	switch {
	case h.First() == 0 && w.state == Live && w.in.Chain != venue.ChainNone && h.Seq <= w.seq:
		w.c.StaleDropped++
		return
	case h.First() != 0 && w.part == 0:
		w.c.StaleDropped++
		return
	case h.First() != 0 && (h.First() != w.part || h.Seq != w.taking):
		w.c.Gaps++
		w.stale(venue.SequenceGap)
		return
	}
	if h.First() == 0 {
		w.empty()
		w.taking, w.state, w.why = h.Seq, Syncing, venue.NoSnapshot
	}
	w.write(frame)
	w.part = h.First() + 1
	if h.Flags&venue.Part == 0 {
		w.complete(h)
	}
}

func (w *twin) complete(h *venue.Event) {
	if h.Seq < w.seq {
		w.touches, w.newest = nil, venue.Event{}
	}
	w.part, w.seq, w.applied = 0, h.Seq, false
	w.c.Snapshots++
	w.c.SnapshotSeq = h.Seq
	if why := w.settle(h); why != venue.OK {
		w.stale(why)
		return
	}
	for len(w.pending) > 0 {
		f := w.pending[0]
		if why := w.fault(f); why != venue.OK {
			w.pending = w.pending[1:]
			w.stale(why)
			return
		}
		switch w.verdict(&f[0]) {
		case "drop":
			w.c.StaleDropped++
		case "gap":
			if !w.applied {
				w.why = venue.SequenceGap // too old: stays Syncing
				return
			}
			w.c.Gaps++
			w.stale(venue.SequenceGap)
			return
		default:
			if why := w.advance(f); why != venue.OK {
				w.pending = w.pending[1:]
				w.stale(why)
				return
			}
		}
		w.pending = w.pending[1:]
	}
	if w.lived {
		w.c.Resyncs++
	}
	w.state, w.why, w.lived = Live, venue.OK, true
	w.meet()
}

func (w *twin) touch(e *venue.Event) {
	bid, ask := e.Level(0), e.Level(0)
	bid.Price, bid.Qty = fixed.Price(e.W[0]), fixed.Qty(e.W[1])
	ask.Price, ask.Qty = fixed.Price(e.W[2]), fixed.Qty(e.W[3])
	for _, l := range []venue.Level{bid, ask} {
		if l.Qty != 0 {
			if why := w.levelFault(l); why != venue.OK {
				w.stale(why)
				return
			}
		}
	}
	if e.Seq == 0 || bid.Qty > 0 && ask.Qty > 0 && bid.Price >= ask.Price || w.state == Live && e.Seq < w.seq {
		return
	}
	if e.Seq == w.seq && w.state == Live {
		w.compare(e)
		return
	}
	if len(w.touches) == w.room {
		w.touches = w.touches[1:]
	}
	w.touches = append(w.touches, *e)
	slices.SortStableFunc(w.touches, func(a, b venue.Event) int { return int(int64(a.Seq) - int64(b.Seq)) })
	if e.Seq > w.newest.Seq {
		w.newest = *e
	}
}

// meet compares what waits and forgets what is behind; a mismatch ends it.
func (w *twin) meet() {
	for len(w.touches) > 0 && w.state == Live && w.touches[0].Seq <= w.seq {
		e := w.touches[0]
		w.touches = w.touches[1:]
		if e.Seq == w.seq {
			w.compare(&e)
		}
	}
}

func (w *twin) compare(e *venue.Event) {
	w.c.TouchCompared++
	bid, ask := w.top(venue.Buy), w.top(venue.Sell)
	same := func(l venue.Level, p, q int64) bool {
		return int64(l.Qty) == q && (q == 0 || int64(l.Price) == p)
	}
	if !same(bid, e.W[0], e.W[1]) || !same(ask, e.W[2], e.W[3]) {
		w.c.TouchMismatched++
		w.stale(venue.TouchMismatch)
	}
}

func (w *twin) retick(tick fixed.Price) {
	if tick == w.tick {
		return
	}
	w.tick = tick
	for _, side := range []venue.Side{venue.Buy, venue.Sell} {
		for _, l := range w.levels(side) {
			if l.Price%tick != 0 {
				w.empty()
				w.stale(venue.OffTick)
				return
			}
		}
	}
}

// agree fails the test where book and twin differ in anything that can be seen.
func agree(t *testing.T, b *Book, w *twin) {
	t.Helper()
	agreeTop(t, b, w)
	h := uint64(14695981039346656037)
	for _, side := range []venue.Side{venue.Buy, venue.Sell} {
		all := w.levels(side)
		for _, l := range all {
			h = mix(mix(h, uint64(l.Price)), uint64(l.Qty))
		}
		h = mix(h, uint64(len(all)))
		want := w.believed(side)
		var got []venue.Level
		for c := b.Levels(side); c.Next(); {
			got = append(got, c.Level)
		}
		best := venue.Level{}
		if len(want) > 0 {
			best = want[0]
		}
		if len(all) != b.Depth(side) || best != b.Best(side) || !slices.Equal(want, got) {
			require.Equal(t, want, got, side)
			require.Equal(t, best, b.Best(side), side)
			require.Equal(t, len(all), b.Depth(side), side)
		}
	}
	if h != b.Hash() {
		require.Equal(t, h, b.Hash())
	}
}

// sound fails the test where a side breaks its own invariants.
func sound(t *testing.T, s *side) {
	t.Helper()
	n, best := s.far.n, int64(-1)
	for i, q := range s.qty {
		w := i / 64
		if is := s.words[w]>>(i%64)&1 == 1; is != (q != 0) {
			t.Fatalf("unexpected bit %v of offset %d with quantity %d", is, i, q)
		}
		if is := s.sum[w/64]>>(w%64)&1 == 1; is != (s.words[w] != 0) {
			t.Fatalf("unexpected sum bit %v of word %d", is, w)
		}
		if q != 0 {
			n, best = n+1, int64(i)
		}
	}
	if n != s.n || best != s.best || (n == 0) != (s.base == nowhere) || s.words[len(s.words)-1] != 0 {
		t.Fatalf("unexpected %d levels, best %d, base %d; want %d, %d", s.n, s.best, s.base, n, best)
	}
	if s.far.n > 0 && (s.far.top() >= s.base || best < 0) {
		t.Fatalf("unexpected %d in far; the window begins at %d and its best is %d", s.far.top(), s.base, best)
	}
}

// agreeTop compares what is cheap enough to compare after every message of a recording.
func agreeTop(t *testing.T, b *Book, w *twin) {
	t.Helper()
	if w.state != b.State() || w.why != b.Why() || w.seq != b.Seq() || w.recv != b.Recv() || w.c != b.Counters() {
		require.Equal(t, w.state, b.State())
		require.Equal(t, w.why, b.Why())
		require.Equal(t, w.seq, b.Seq())
		require.Equal(t, w.recv, b.Recv())
		require.Equal(t, w.c, b.Counters())
	}
}
