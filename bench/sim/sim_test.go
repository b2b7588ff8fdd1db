package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/engine"
	"oneprice/engine/audit"
	"oneprice/engine/ring"
	"oneprice/risk"
)

// world is everything outside the machine, and the judge.
type world struct {
	t    testing.TB
	seed uint64
	step int
	r    *rand.Rand
	now  venue.Nanos
	m    *machine
	tame bool // no new mischief: what is under way comes to its end

	bell    *ring.Bell
	events  *ring.Ring[venue.Event]
	reports *ring.Ring[venue.Report]
	markets []*market

	orders map[uint64]*order // by client id
	list   []*order
	out    []trip
	back   []letter
	trades uint64
	truth  [5]fixed.Qty // what has really traded
	seen   map[string]bool
	booked [5]fixed.Qty // distinct fills that the engine was told of

	heal     []venue.Inst // to be set back to Trading
	roomless bool
	killed   [3]bool // by venue; 0 is all
	disarmed bool

	// The audit.
	full    bool
	queued  map[uint64]bool // client ids with an Order record
	last    uint64
	ids     map[uint64]bool // client ids of commands seen
	perLeg  map[[2]uint64]uint64
	opened  int
	grew    bool // a new order or an amend left in this step
	before  [3]exposure
	base    exposure
	batches []engine.Batch
	records []audit.Record
	calmed  int // the batch from which chaos is silent
}

// exposure is what a venue, or all of them (0), may come to: in size, and with everything bought or sold.
type exposure struct{ gross, long, short decimal.Decimal }

// feed makes a venue.Feed of the world.
type feed struct{ w *world }

func (f feed) Run(context.Context, venue.Sink) error { return nil }
func (f feed) Resync(i venue.Inst)                   { f.w.Resync(i) }

func (w *world) Run(context.Context, venue.Reports) error { return nil }
func (w *world) Now() venue.Nanos                         { return w.now }

func (w *world) require(ok bool, format string, args ...any) {
	if !ok {
		w.t.Helper()
		require.FailNow(w.t, fmt.Sprintf("seed %d, step %d: ", w.seed, w.step)+fmt.Sprintf(format, args...))
	}
}

func (w *world) put(e []venue.Event) {
	w.require(w.events.Put(e) == venue.OK, "the event ring is full")
}

// Put is the audit: it takes all or nothing.
func (w *world) Put(rs []audit.Record) bool {
	if w.full {
		return false
	}
	for i := range rs {
		w.require(rs[i].Seq == w.last+1, "record %d follows record %d", rs[i].Seq, w.last)
		w.last = rs[i].Seq
		w.records = append(w.records, rs[i])
		if rs[i].Kind == audit.Order {
			w.queued[rs[i].Client] = true
		}
	}
	return true
}

// Frame keeps every batch for the second run.
func (w *world) Frame(b *engine.Batch) {
	w.batches = append(w.batches, engine.Batch{Now: b.Now, Events: append([]venue.Event(nil), b.Events...), Reports: append([]venue.Report(nil), b.Reports...)})
}

// told notes a fill that the engine is told of, once however often it is told.
func (w *world) told(r *venue.Report) {
	if id := fmt.Sprint(r.Venue, r.Inst, string(r.RefBytes())); !w.seen[id] {
		w.seen[id] = true
		w.booked[r.Inst] += fixed.Qty(w.orders[r.Client].c.Side.Sign()) * r.Fill
	}
}

// commanded judges a command at the moment of its leaving.
func (w *world) commanded(c *venue.Command) {
	w.require(!w.ids[c.Client], "client id %d is used twice", c.Client)
	w.ids[c.Client] = true
	if c.Op == venue.Cancel {
		return
	}
	w.grew = true
	w.require(w.queued[c.Client], "%s %d leaves without its record", c.Op, c.Client)
	w.require(!w.killed[0] && !w.killed[c.Venue], "%s %d leaves after the kill", c.Op, c.Client)
	b, m := w.m.desk.Books[c.Inst], w.markets[c.Inst]
	w.require(b.State() == books.Live, "%s %d leaves on a book that is %s", c.Op, c.Client, b.State())
	w.require(w.now-m.heard <= maxAge, "%s %d leaves on a book silent for %d ns", c.Op, c.Client, w.now-m.heard)
	w.require(c.NotAfter >= w.now, "%s %d leaves too late", c.Op, c.Client)
	w.require(c.Price > 0 && c.Qty > 0 && c.Qty%m.in.Lot == 0, "%s %d wants %d at %d", c.Op, c.Client, c.Qty, c.Price)
	if c.Op == venue.New {
		w.opened++
	}
	if c.Op == venue.New && c.Plan != 0 {
		// Nothing of unknown fate is resent: the leg's last order must have come to its end.
		leg := [2]uint64{c.Plan, uint64(c.Leg)}
		if before := w.perLeg[leg]; before != 0 {
			o := w.m.desk.Order(uint32(before >> 48))
			w.require(o.Client&0xffffffffff != before&0xffffffffff || o.State.Done(), "leg %d of plan %d is sent again while its order is %s", c.Leg, c.Plan, o.State)
		}
		w.perLeg[leg] = uint64(c.Slot)<<48 | c.Client&0xffffffffff
	}
	if c.Plan == 0 {
		w.require(w.m.gate.Breaker(c.Venue).State(w.now) != risk.Open, "%s %d leaves while the breaker is open", c.Op, c.Client)
		w.require(!w.disarmed && !w.roomless, "%s %d leaves while disarmed or without room", c.Op, c.Client)
	}
}

// judge looks at everything after a step.
func (w *world) judge() {
	d := w.m.desk
	w.trusts()
	var reach [5][3]fixed.Qty // true position if everything of a side fills
	for i := range reach {
		reach[i] = [3]fixed.Qty{0, w.truth[i], w.truth[i]}
	}
	for _, o := range w.list {
		reach[o.c.Inst][o.c.Side] += fixed.Qty(o.c.Side.Sign()) * o.most()
	}
	for i := spotA; i <= coinA; i++ {
		p, work := d.Positions[i].Qty, d.Working[i]
		w.require(p == w.booked[i], "%s: position %d; the fills it was told of make %d", d.Instruments[i].Name, p, w.booked[i])
		long, short := p+work.BuyQty, p-work.SellQty
		w.require(long >= reach[i][venue.Buy], "%s: counts on %d at most; %d may come", d.Instruments[i].Name, long, reach[i][venue.Buy])
		w.require(short <= reach[i][venue.Sell], "%s: counts on %d at least; %d may come", d.Instruments[i].Name, short, reach[i][venue.Sell])
		limit := fixed.Qty(maxPosition)
		if i == coinA {
			limit = 1_500_000
		}
		w.require(long <= limit && short >= -limit, "%s: may come to %d or %d; the limit is %d", d.Instruments[i].Name, long, short, limit)
		w.live(i)
	}
	w.exposed()
}

// exposed recomputes exposures in decimals at the true touches and holds them against the limits whenever something new
// has left. What was beyond already, by the market or by a rate, may not grow. The gate's marks are up to 50 ms old, and
// its contribution of an order is at the order's price, so 2 % are allowed for.
func (w *world) exposed() {
	d := w.m.desk
	var now [3]exposure
	var base exposure // of the product, in units of it
	for i := spotA; i <= coinA; i++ {
		work, in, t := &d.Working[i], d.Instruments[i], w.markets[i].touch()
		long, short := d.Positions[i].Qty+work.BuyQty, d.Positions[i].Qty-work.SellQty
		p := max(t[venue.Sell].Price, work.BuyWorst)
		a, b := worth(in, long, p), worth(in, short, p)
		base.long, base.short = base.long.Add(a.Div(fixed.Decimal(p, 1))), base.short.Add(b.Div(fixed.Decimal(p, 1)))
		for _, e := range []*exposure{&now[0], &now[in.Venue]} {
			e.gross = e.gross.Add(decimal.Max(a.Abs(), b.Abs()))
			e.long, e.short = e.long.Add(a), e.short.Add(b)
		}
	}
	slack := decimal.RequireFromString("1.02")
	for v, e := range now {
		most, net := fixed.Decimal(fixed.Cash(maxGross), 8), fixed.Decimal(fixed.Cash(maxNet), 8)
		if v == 0 {
			most = most.Mul(decimal.NewFromInt(2))
		}
		was := w.before[v]
		if w.grew {
			w.require(e.gross.LessThanOrEqual(decimal.Max(most, was.gross).Mul(slack)), "venue %d: gross %s after an order; the limit is %s, before it was %s", v, e.gross, most, was.gross)
			w.require(e.long.LessThanOrEqual(decimal.Max(net, was.long).Mul(slack)), "venue %d: long %s after an order; the limit is %s", v, e.long, net)
			w.require(e.short.Neg().LessThanOrEqual(decimal.Max(net, was.short.Neg()).Mul(slack)), "venue %d: short %s after an order; the limit is %s", v, e.short, net)
		}
	}
	if most := fixed.Decimal(fixed.Qty(maxBase), 3); w.grew {
		w.require(base.long.LessThanOrEqual(decimal.Max(most, w.base.long).Mul(slack)), "the product may come to %s; the limit is %s", base.long, most)
		w.require(base.short.Neg().LessThanOrEqual(decimal.Max(most, w.base.short.Neg()).Mul(slack)), "the product may come to %s; the limit is -%s", base.short, most)
	}
	w.before, w.base, w.grew = now, base, false
}

// worth is the value of a signed quantity in dollars.
func worth(in *venue.Instrument, q fixed.Qty, p fixed.Price) decimal.Decimal {
	if in.Contract == venue.Inverse {
		return fixed.Decimal(q, in.QtyScale).Mul(fixed.Decimal(in.Face, fixed.CashScale))
	}
	return fixed.Decimal(q, in.QtyScale).Mul(fixed.Decimal(p, in.PriceScale))
}

// live holds what the engine counts as working against its own list of orders.
func (w *world) live(i venue.Inst) {
	d := w.m.desk
	buys, sells := decimal.Zero, decimal.Zero
	for _, s := range d.Live[i] {
		o := d.Order(s)
		w.require(!o.State.Done() && o.State != desk.NoOrder, "%s: order %d is live and %s", d.Instruments[i].Name, o.Client, o.State)
		q := fixed.Decimal(max(o.Qty, o.NextQty)-o.Filled, 0)
		if o.Ending != desk.NoOrder {
			q = fixed.Decimal(o.Stated-o.Filled, 0)
		}
		if q = decimal.Max(q, decimal.Zero); o.Side == venue.Buy {
			buys = buys.Add(q)
		} else {
			sells = sells.Add(q)
		}
	}
	w.require(buys.Equal(fixed.Decimal(d.Working[i].BuyQty, 0)) && sells.Equal(fixed.Decimal(d.Working[i].SellQty, 0)), "%s: working is not what the orders say", d.Instruments[i].Name)
}

// operate lets a person do what persons do.
func (w *world) operate() {
	e := make([]venue.Event, 1)
	v := venue.ID(w.r.IntN(3))
	op := func(k venue.OpKind, v venue.ID) {
		e[0].SetOperator(k, v, 1, w.now)
		w.put(e)
	}
	switch n := w.r.IntN(400); {
	case n == 0:
		op(venue.OpKill, v)
		w.killed[v] = true
	case n < 3:
		op(venue.OpLift, v)
		w.killed[v] = false
	case n == 3:
		op(venue.OpDisarm, 0)
		w.disarmed = true
	case n < 7:
		op(venue.OpArm, 0)
		w.disarmed = false
	case n == 7:
		op(venue.OpReduceOnly, v)
	case n < 10:
		op(venue.OpBreakerReset, v)
	case n == 10:
		w.full = true
	case n < 14:
		w.full = false
	case n < 30 && len(w.heal) > 0:
		i := w.heal[0]
		w.heal = w.heal[1:]
		e[0].SetStatus(w.markets[i].in.Venue, i, venue.Trading, venue.OK, w.now)
		w.put(e)
	}
}

// calm ends all mischief.
func (w *world) calm() {
	w.tame, w.full = true, false
	*w.m.quiet, w.calmed = true, len(w.batches)
	e := make([]venue.Event, 1)
	for _, k := range []venue.OpKind{venue.OpLift, venue.OpArm} {
		for v := venue.ID(0); v <= 2; v++ {
			e[0].SetOperator(k, v, 1, w.now)
			w.put(e)
		}
	}
	w.killed, w.disarmed = [3]bool{}, false
	for i, m := range w.markets[1:] {
		e[0].SetStatus(m.in.Venue, venue.Inst(i+1), venue.Trading, venue.OK, w.now)
		w.put(e)
	}
	e[0].SetRoom(venue.RingCommand, false, w.now)
	w.put(e)
	w.roomless = false
}

// run simulates one seed.
func run(t testing.TB, seed uint64, steps int) *world {
	w := &world{t: t, seed: seed, r: rand.New(rand.NewPCG(seed, 2)), now: 1_700_000_000 * venue.Second, m: newMachine(t, seed), markets: []*market{nil},
		orders: map[uint64]*order{}, seen: map[string]bool{}, queued: map[uint64]bool{}, ids: map[uint64]bool{}, perLeg: map[[2]uint64]uint64{}}
	for _, in := range instruments()[1:] {
		w.markets = append(w.markets, newMarket(in))
	}
	loop := newLoop(w.m, w)
	turn := func() {
		w.step++
		w.now += venue.Nanos(1 + w.r.Int64N(int64(20*venue.Millisecond)))
		w.news()
		w.trade()
		if w.r.IntN(50) == 0 {
			w.sweep()
		}
		w.post()
		if !w.tame {
			w.operate()
		}
		loop.Turn()
		w.require(loop.Err() == nil, "%v", loop.Err())
		w.judge()
	}
	for range steps {
		turn()
	}
	w.calm()
	e := make([]venue.Event, 1)
	for range 4_000 {
		turn()
		if e[0].SetOperator(venue.OpKill, 0, 1, w.now); w.step == steps+3_000 { // the end: everything is to be cancelled
			w.put(e)
			w.killed[0] = true
		}
	}
	w.settled()
	return w
}

// settled says what must hold once every letter has arrived: nothing is lost, nothing lingers.
func (w *world) settled() {
	d := w.m.desk
	for i := spotA; i <= coinA; i++ {
		w.require(d.Positions[i].Qty == w.truth[i], "%s: the end position is %d; what traded makes %d", d.Instruments[i].Name, d.Positions[i].Qty, w.truth[i])
		for _, s := range d.Live[i] {
			w.require(false, "%s: order %+v lingers; the truth is %+v", d.Instruments[i].Name, *d.Order(s), *w.orders[d.Order(s).Client])
		}
	}
	w.require(w.m.engine.Legs().Active() == 0, "%d plans linger", w.m.engine.Legs().Active())
	w.require(w.m.engine.Orders().Room() == len(d.Orders)-1, "%d slots of %d are free", w.m.engine.Orders().Room(), len(d.Orders)-1)
}

// again steps a fresh machine through the same batches: it must come to the same records.
func again(t testing.TB, w *world) {
	m := newMachine(t, w.seed)
	var out engine.Out
	n := 0
	for i := range w.batches {
		*m.quiet = i >= w.calmed
		m.engine.Step(&w.batches[i], &out)
		for k := range out.Records {
			w.require(n < len(w.records) && out.Records[k] == w.records[n], "batch %d, record %d differs: %+v", i, n, out.Records[k])
			n++
		}
	}
	w.require(n == len(w.records), "the second run has %d records; the first had %d", n, len(w.records))
}

func TestSimulation_holdsWhatMustAlwaysHold(t *testing.T) {
	seeds, steps := uint64(24), 1_500
	if os.Getenv("ONEPRICE_LONG") != "" {
		seeds, steps = 250, 4_000
	}
	orders, fills := 0, uint64(0)
	for seed := uint64(1); seed <= seeds; seed++ {
		w := run(t, seed, steps)
		again(t, w)
		orders, fills = orders+w.opened, fills+w.trades
	}
	t.Logf("%d seeds, %d orders, %d fills", seeds, orders, fills)
	require.Greater(t, orders, int(seeds)*20, "the simulation must trade to prove anything")
}
