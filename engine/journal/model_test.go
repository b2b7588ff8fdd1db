package journal

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/engine/orders"
)

// twin is one order as plainly as it can be said.
type twin struct {
	name              string
	side              venue.Side
	slot              uint32
	qty, next, filled fixed.Qty
	amend             uint64
	ends              bool // the venue says that it is over once stated is filled
	stated            fixed.Qty
	done              bool
	trades            []string
}

// model is a journal as plainly as it can be said, beside a real one.
type model struct {
	t      *testing.T
	rnd    *rand.Rand
	dir    string
	j      *Journal
	swap   bool // the run at hand numbers the instruments the other way round
	id     uint64
	orders map[uint64]*twin
	ids    []uint64
	seen   map[Trade]bool
	held   map[string]fixed.Qty
	values map[string]int64
	trades int
}

func (m *model) start() {
	cfg := config(m.dir)
	cfg.Keep = 1000
	if m.swap = m.rnd.IntN(2) == 0; m.swap {
		ins := instruments()
		ins[1].Name, ins[2].Name = "b:X", "a:X"
		ins[1].Venue, ins[2].Venue = 1, 2
		cfg.Instruments, cfg.Venues = ins, []string{"", "b", "a"}
	}
	m.j, _ = open(m.t, cfg)
	m.id = 0
}

// at is where an order's instrument is in this run; its venue has the same number.
func (m *model) at(o *twin) venue.Inst {
	if (o.name == "a:X") != m.swap {
		return 1
	}
	return 2
}

func (o *twin) settle() {
	o.done = o.done || o.ends && o.filled >= o.stated || !o.ends && o.filled >= max(o.qty, o.next)
}

func (m *model) command(op venue.Op, o *twin, client, target uint64) venue.Command {
	return venue.Command{Op: op, Type: venue.Limit, TIF: venue.GTC, Side: o.side, Venue: venue.ID(m.at(o)), Inst: m.at(o), Slot: o.slot, Client: client, Target: target,
		Price: 100, Qty: o.qty, Decided: now}
}

func (m *model) next() uint64 {
	m.id++
	return orders.ID(m.j.Epoch(), m.id)
}

func (m *model) place() {
	o := &twin{name: [...]string{"a:X", "b:X"}[m.rnd.IntN(2)], side: venue.Side(1 + m.rnd.IntN(2)), slot: uint32(1 + m.rnd.IntN(40)), qty: fixed.Qty(1 + m.rnd.IntN(9))}
	client := m.next()
	put(m.t, m.j, m.command(venue.New, o, client, 0))
	m.orders[client], m.ids = o, append(m.ids, client)
}

// ask cancels, amends, or says that the order never left.
func (m *model) ask(client uint64, o *twin) {
	id := m.next()
	switch m.rnd.IntN(4) {
	case 0, 1:
		put(m.t, m.j, m.command(venue.Cancel, o, id, client))
	case 2:
		if o.amend != 0 || o.ends || o.done {
			return
		}
		c := m.command(venue.Amend, o, id, client)
		c.Qty = o.filled + fixed.Qty(1+m.rnd.IntN(9))
		o.next, o.amend = c.Qty, id
		put(m.t, m.j, c)
	case 3:
		r := m.report(venue.SentReport, client, o)
		r.Flags, r.Seq = uint8(venue.NotSent), uint64(venue.New)
		put(m.t, m.j, r)
		o.done = true
	}
}

func (m *model) report(k venue.ReportKind, client uint64, o *twin) venue.Report {
	return venue.Report{Kind: k, Venue: venue.ID(m.at(o)), Inst: m.at(o), Slot: o.slot, Client: client, Recv: now}
}

// hear journals one report.
func (m *model) hear(client uint64, o *twin) {
	switch k := m.rnd.IntN(10); {
	case k < 5:
		m.fill(client, o)
	case k < 7:
		r := m.report([...]venue.ReportKind{venue.Cancelled, venue.Expired, venue.RejectedReport}[m.rnd.IntN(3)], client, o)
		r.Cum = o.filled + fixed.Qty(m.rnd.IntN(2))
		put(m.t, m.j, r)
		if !o.done {
			o.ends, o.stated = true, r.Cum
		}
	case k < 8 && o.amend != 0:
		r := m.report(venue.Amended, client, o)
		r.Seq, r.Open, r.Price = o.amend, o.next, 100
		put(m.t, m.j, r)
		if !o.done {
			o.qty, o.next, o.amend = r.Open, 0, 0
		}
	case k < 9 && o.amend != 0:
		put(m.t, m.j, m.report(venue.AmendRejected, client, o))
		if !o.done {
			o.next, o.amend = 0, 0
		}
	default:
		r := m.report([...]venue.ReportKind{venue.Ack, venue.NotFound, venue.CancelRejected, venue.Balance}[m.rnd.IntN(4)], client, o)
		put(m.t, m.j, r)
	}
	o.settle()
}

func (m *model) fill(client uint64, o *twin) {
	r := m.report(venue.Fill, client, o)
	r.Price, r.Fill = 100, fixed.Qty(1+m.rnd.IntN(3))
	id := fmt.Sprint("T", m.trades)
	if len(o.trades) > 0 && m.rnd.IntN(3) == 0 {
		id = o.trades[m.rnd.IntN(len(o.trades))] // again
	}
	m.trades++
	require.True(m.t, r.SetRef([]byte(id)))
	put(m.t, m.j, r)
	key := Trade{o.name[:1], o.name, id, false}
	if m.seen[key] {
		return
	}
	m.seen[key] = true
	o.trades = append(o.trades, id)
	o.filled += r.Fill
	m.held[o.name] += r.Fill * fixed.Qty(o.side.Sign())
}

// checkpoint writes what the model holds, as a desk of this run.
func (m *model) checkpoint() {
	ins := instruments()
	d := desk.New(ins, 2, 2, len(m.ids)+1, 1, books.Config{})
	for i := range ins[1:] {
		at := venue.Inst(i + 1)
		name := "a:X"
		if (at == 1) == m.swap {
			name = "b:X"
		}
		d.Positions[at].Qty = m.held[name]
	}
	n := uint32(0)
	for _, id := range m.ids {
		o := m.orders[id]
		if o.done {
			continue
		}
		n++
		x := desk.Order{State: desk.Open, Side: o.side, TIF: venue.GTC, Venue: venue.ID(m.at(o)), Inst: m.at(o), Slot: o.slot, Client: id, Price: 100,
			Qty: o.qty, Filled: o.filled, NextQty: o.next, NextClient: o.amend, AckAt: 1}
		if o.ends {
			x.Ending, x.Stated = desk.Cancelled, o.stated
		}
		d.Orders[n] = x
		d.Live[x.Inst] = append(d.Live[x.Inst], n)
	}
	err := m.j.Checkpoint(d, d.Now)
	if err == ErrFull {
		require.NoError(m.t, m.j.Sync())
		err = m.j.Checkpoint(d, d.Now)
	}
	if int(n)+20 < m.j.cfg.Capacity {
		require.NoError(m.t, err)
	}
}

func (m *model) agrees() {
	s := reread(m.t, m.dir)
	require.Zero(m.t, s.Torn+s.Lost+s.Missed.Count)
	open := map[uint64]*Order{}
	for i := range s.Orders {
		open[s.Orders[i].Client] = &s.Orders[i]
	}
	for _, id := range m.ids {
		o := m.orders[id]
		x := open[id]
		require.Equal(m.t, !o.done, x != nil, "order %d %+v", id, *o)
		delete(open, id)
		if x == nil {
			continue
		}
		require.Equal(m.t, [...]any{o.name, o.side, o.filled, o.qty, o.next, o.amend}, [...]any{x.Instrument, x.Side, x.Filled, x.Qty, x.NextQty, x.NextClient})
	}
	require.Empty(m.t, open)
	held := map[string]fixed.Qty{"a:X": 0, "b:X": 0}
	for _, p := range s.Positions {
		held[p.Instrument] += p.Qty
	}
	for _, f := range s.Fills {
		held[f.Instrument] += f.Fill * fixed.Qty(f.Side.Sign())
	}
	for name, q := range held {
		require.Equal(m.t, m.held[name], q)
	}
	require.Len(m.t, s.Known, len(m.seen))
	for k := range m.seen {
		_, ok := s.Known[k]
		require.True(m.t, ok, "%v", k)
	}
	for name, v := range m.values {
		x, ok := s.Value(name)
		require.True(m.t, ok)
		require.Equal(m.t, v, x.Value)
	}
	again := reread(m.t, m.dir)
	require.Equal(m.t, s, again, "the same files give the same facts")
}

func TestRead_agreesWithAPlainModel(t *testing.T) {
	seeds := uint64(10)
	if os.Getenv("ONEPRICE_LONG") != "" {
		seeds = 400
	}
	for seed := range seeds {
		m := &model{t: t, rnd: rand.New(rand.NewPCG(seed, 9)), dir: t.TempDir(), orders: map[uint64]*twin{}, seen: map[Trade]bool{},
			held: map[string]fixed.Qty{}, values: map[string]int64{}}
		m.start()
		for range 600 {
			m.step()
		}
		m.agrees()
		require.NoError(t, m.j.Close())
		m.agrees()
	}
}

func (m *model) step() {
	if !m.j.Room() || m.rnd.IntN(20) == 0 {
		require.NoError(m.t, m.j.Sync())
	}
	switch k := m.rnd.IntN(200); {
	case k < 40:
		m.place()
	case k < 190 && len(m.ids) > 0:
		id := m.ids[max(0, len(m.ids)-1-m.rnd.IntN(12))]
		if k < 70 {
			m.ask(id, m.orders[id])
		} else {
			m.hear(id, m.orders[id])
		}
	case k < 195:
		name := fmt.Sprint("count", m.rnd.IntN(3))
		m.values[name] = m.rnd.Int64()
		require.NoError(m.t, m.j.Note(name, "", m.values[name], 0, now))
	case k < 198:
		m.checkpoint()
	case k == 198:
		m.agrees()
	default:
		require.NoError(m.t, m.j.Close())
		m.start()
	}
}
