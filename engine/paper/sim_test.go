package paper

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// market is a random book that never crosses itself, with prints, and a random trader on it.
type market struct {
	*rig
	rnd    *rand.Rand
	prints bool
	mid    fixed.Price
	shown  [2]map[fixed.Price]fixed.Qty // what the book displays
	budget [2]map[fixed.Price]fixed.Qty // displayed first plus all growth
	orders []uint64
	fok    map[uint64]bool
	all    []venue.Report
}

func newMarket(t *testing.T, seed uint64, prints bool, queue Queue) *market {
	m := &market{rnd: rand.New(rand.NewPCG(seed, 7)), prints: prints, mid: 1000, fok: map[uint64]bool{}}
	m.rig = newRig(t, func(c *Config, in *venue.Instrument) {
		c.Queue, c.Orders, c.Commands, c.Levels = queue, 12, 16, 8
		in.MinNotional, in.Fees.Maker = 0, -fixed.Bps
	})
	for s := range m.shown {
		m.shown[s], m.budget[s] = map[fixed.Price]fixed.Qty{}, map[fixed.Price]fixed.Qty{}
	}
	return m
}

// next makes the frame of one turn: some levels change, and none is left on the wrong side of the middle.
func (m *market) next() []venue.Event {
	m.mid += fixed.Price(m.rnd.IntN(5) - 2)
	var set [2]map[fixed.Price]fixed.Qty
	for s := range set {
		set[s] = map[fixed.Price]fixed.Qty{}
		for p := range m.shown[s] {
			if s == 0 && p >= m.mid || s == 1 && p <= m.mid {
				set[s][p] = 0
			}
		}
		for range m.rnd.IntN(4) {
			p := m.mid + fixed.Price(1+m.rnd.IntN(5))*fixed.Price(2*s-1)
			set[s][p] = fixed.Qty(max(m.rnd.IntN(40)-8, 0))
		}
	}
	flags := uint8(0)
	if m.seq == 0 || m.rnd.IntN(40) == 0 { // a snapshot of all, after a gap or not
		flags = venue.Snapshot
		for s := range set {
			whole := maps.Clone(m.shown[s])
			maps.Copy(whole, set[s])
			set[s] = whole
		}
	}
	var out [2]levels
	for s := range set {
		for _, p := range slices.Sorted(maps.Keys(set[s])) {
			q := set[s][p]
			if flags == 0 || q > 0 {
				out[s] = append(out[s], venue.Level{Price: p, Qty: q})
			}
			if q == 0 {
				delete(m.shown[s], p)
			} else {
				m.shown[s][p] = q
			}
		}
	}
	if len(out[0])+len(out[1]) == 0 {
		return nil
	}
	return m.frame(flags, m.now-venue.Nanos(m.rnd.IntN(6)), out[0], out[1])
}

// act sends something random.
func (m *market) act() {
	target := uint64(m.rnd.IntN(30))
	if n := len(m.orders); n > 0 {
		target = m.orders[m.rnd.IntN(n)]
	}
	side, p := venue.Side(1+m.rnd.IntN(2)), m.mid+fixed.Price(m.rnd.IntN(13)-6)
	c := venue.Command{Op: venue.New, Type: venue.Limit, TIF: venue.TIF(1 + m.rnd.IntN(3)), Side: side, Venue: 1, Inst: 1, Price: p,
		Qty: fixed.Qty(1 + m.rnd.IntN(30)), Target: target}
	switch m.rnd.IntN(10) {
	case 0, 1:
		c.Op = venue.Cancel
	case 2, 3:
		c.Op = venue.Amend
	case 4, 5, 6:
		c.Type, c.TIF = venue.PostOnly, venue.GTC
	}
	m.rig.next++
	c.Client = m.rig.next
	c.Slot = uint32(c.Client)
	if c.Op != venue.New {
		c.Slot = uint32(target)
	}
	if m.g.Submit(&c) == venue.Out && c.Op == venue.New {
		m.orders = append(m.orders, c.Client)
		m.fok[c.Client] = c.TIF == venue.FOK
	}
}

// turn is one drain: a frame or a print, then perhaps a command.
func (m *market) turn() {
	m.now += venue.Nanos(m.rnd.IntN(8))
	var ev []venue.Event
	if m.prints && m.rnd.IntN(2) == 0 {
		ev = trade(venue.Side(m.rnd.IntN(3)), m.mid+fixed.Price(m.rnd.IntN(9)-4), fixed.Qty(1+m.rnd.IntN(30)), m.now-venue.Nanos(m.rnd.IntN(6)))
	} else {
		ev = m.next()
	}
	if m.rnd.IntN(60) == 0 {
		var gap venue.Event
		gap.SetGap(1, 1, venue.SequenceGap, 0, 0, m.now)
		ev = append(ev, gap)
	}
	before := [2]map[fixed.Price]fixed.Qty{}
	for s := range before {
		before[s] = m.displayed(s)
	}
	m.all = append(m.all, m.at(m.now, ev...)...)
	for s := range before {
		for p, q := range m.displayed(s) {
			m.budget[s][p] += max(q-before[s][p], 0)
		}
	}
	if m.rnd.IntN(3) == 0 {
		m.act()
	}
}

// displayed is a side as the engine's book has it.
func (m *market) displayed(s int) map[fixed.Price]fixed.Qty {
	out := map[fixed.Price]fixed.Qty{}
	for l := m.d.Books[1].Levels(venue.Buy + venue.Side(s)); l.Next(); {
		out[l.Price] = l.Qty
	}
	return out
}

// within checks what must hold between turns; queues maps order ids to what was ahead before.
func (m *market) within(queues map[uint64]rest) map[uint64]rest {
	now := map[uint64]rest{}
	resting := 0
	for k := range m.g.pits[1].sides {
		s := &m.g.pits[1].sides[k]
		resting += len(s.rests)
		require.LessOrEqual(m.t, len(s.taken.l), 8)
		for i, o := range s.rests { // plain conditions: this loop runs a million times
			if o.cum >= o.qty || min(o.ahead, o.early, o.printed, o.cum) < 0 {
				require.Fail(m.t, "an order is out of range", "%+v", o)
			}
			if was, ok := queues[o.id]; ok && was.price == o.price && was.qty >= o.qty && (o.ahead > was.ahead || o.cum < was.cum) {
				require.Fail(m.t, "an order fell back", "%+v, was %+v", o, was)
			}
			if i > 0 && beyond(o.side, o.price, s.rests[i-1].price) {
				require.Fail(m.t, "orders are not in price order")
			}
			now[o.id] = o
		}
	}
	travel := 0
	for _, t := range m.g.links[1].out.q[m.g.links[1].out.from:] {
		if t.c.Op == venue.New {
			travel++
		}
	}
	require.Equal(m.t, resting+travel, m.g.open)
	require.LessOrEqual(m.t, m.g.open, 12)
	return now
}

// streams checks the reports of every order as its state machine will read them.
func (m *market) streams() {
	type stream struct {
		acked, done bool
		cum         fixed.Qty
	}
	seen := map[uint64]*stream{}
	ids := map[string]bool{}
	last := venue.Nanos(0)
	for _, r := range m.all {
		require.GreaterOrEqual(m.t, r.Recv, last)
		require.Equal(m.t, r.At+reportNs, r.Recv)
		last = r.Recv
		s := seen[r.Client]
		if s == nil {
			s = new(stream)
			seen[r.Client] = s
		}
		if r.Kind != venue.CancelRejected && r.Kind != venue.AmendRejected {
			require.False(m.t, s.done, "%s after the end of order %d", r.Kind, r.Client)
		}
		switch r.Kind {
		case venue.Ack:
			require.False(m.t, s.acked)
			s.acked = true
		case venue.Fill:
			require.True(m.t, s.acked)
			require.False(m.t, ids[string(r.RefBytes())], "trade id %s twice", r.RefBytes())
			ids[string(r.RefBytes())] = true
			require.Positive(m.t, r.Fill)
			s.cum += r.Fill
			require.Equal(m.t, s.cum, r.Cum)
			require.LessOrEqual(m.t, r.Cum, r.Open)
			s.done = r.Cum == r.Open
		case venue.RejectedReport:
			require.False(m.t, s.acked)
			s.done = true
		case venue.Cancelled, venue.Expired:
			require.Equal(m.t, s.cum, r.Cum)
			require.False(m.t, m.fok[r.Client] && r.Cum > 0, "a FOK filled in part")
			s.done = true
		}
	}
	for _, id := range m.orders {
		require.NotNil(m.t, seen[id], "order %d was never answered", id)
	}
}

func run(t *testing.T, seed uint64, prints bool, queue Queue) *market {
	m := newMarket(t, seed, prints, queue)
	queues := map[uint64]rest{}
	for range 1000 {
		m.turn()
		queues = m.within(queues)
	}
	m.all = append(m.all, m.quiet()...)
	m.streams()
	return m
}

// TestSim_consumesNoMoreThanWasShown runs without prints, so that every fill consumes displayed quantity.
func TestSim_consumesNoMoreThanWasShown(t *testing.T) {
	takers, makers := 0, 0
	for seed := range uint64(20) {
		m := run(t, seed, false, Back)
		used := map[fixed.Price]fixed.Qty{}
		var total, shown fixed.Qty
		for _, r := range m.all {
			if r.Kind != venue.Fill {
				continue
			}
			total += r.Fill
			if r.Flags&venue.Maker != 0 {
				makers++
				continue
			}
			takers++
			used[r.Price] += r.Fill
		}
		for p, q := range used {
			require.LessOrEqual(t, q, m.budget[0][p]+m.budget[1][p], "seed %d: more than was shown at %d", seed, p)
		}
		for s := range m.budget {
			for _, q := range m.budget[s] {
				shown += q
			}
		}
		require.LessOrEqual(t, total, shown)
	}
	require.Greater(t, takers, 400)
	require.Greater(t, makers, 50)
}

func TestSim_holdsWithPrints(t *testing.T) {
	fills := uint64(0)
	for seed := range uint64(20) {
		m := run(t, 100+seed, true, Queue(seed%2))
		fills += m.g.Counters().MakerFills
	}
	require.Greater(t, fills, uint64(500))
}

func TestSim_sameInputsSameReports(t *testing.T) {
	for seed := range uint64(3) {
		a, b := run(t, seed, true, ProRata), run(t, seed, true, ProRata)
		require.NotEmpty(t, a.all)
		require.Equal(t, a.all, b.all)
		require.NotEqual(t, a.all, run(t, seed+1000, true, ProRata).all)
	}
}

// TestSim_aPrintFillsNoMoreThanItself feeds one print at a time into a full set of orders.
func TestSim_aPrintFillsNoMoreThanItself(t *testing.T) {
	m := newMarket(t, 3, false, Back)
	filled := fixed.Qty(0)
	for range 2000 {
		m.turn()
		m.all = append(m.all, m.quiet()...) // nothing travels and no look is due: what follows is the print alone
		if m.d.Books[1].State() != books.Live {
			continue
		}
		q := fixed.Qty(1 + m.rnd.IntN(20))
		m.at(m.now, trade(venue.Side(1+m.rnd.IntN(2)), m.mid+fixed.Price(m.rnd.IntN(9)-4), q, m.now)...)
		var sum fixed.Qty
		for _, r := range m.quiet() {
			require.Equal(t, venue.Fill, r.Kind)
			sum += r.Fill
		}
		require.LessOrEqual(t, sum, q)
		filled += sum
	}
	require.Greater(t, filled, fixed.Qty(100))
}
