package engine

import (
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/engine/audit"
	"oneprice/risk/ledger"
	"oneprice/risk/stops"
)

// killed is a script whose process may die at any instant of a step: before what was kept, within it, or within the sending.
type killed struct {
	*script
	m     *market
	rnd   *rand.Rand
	now   venue.Nanos
	price fixed.Price
	holds [3]fixed.Qty // by the venues' own books
	fired map[string]int
	kills int
}

// tick is one step at a new price. Every fill told moves what the venues hold.
func (k *killed) tick() {
	s := k.script
	k.price = min(max(k.price+fixed.Price(k.rnd.IntN(13)-6), 500), 1500)
	k.now += tickTime
	if len(k.m.due) > 0 {
		k.told(k.m.due[0])
		s.batch.Reports, k.m.due = append(s.batch.Reports, k.m.due[0]...), k.m.due[1:]
	}
	if k.m.n++; k.m.n%50 == 0 {
		s.commands(venue.OpBreakerReset, 0, 0, 2, 0)
	}
	for i := 1; i <= 2; i++ {
		k.quote(venue.Inst(i))
	}
	s.batch.Now = k.now
	s.e.Step(&s.batch, &s.out)
	s.batch = Batch{}
	die := k.rnd.IntN(40) == 0 || (len(s.out.Keeps) > 0 && k.rnd.IntN(3) == 0)
	keeps, sent := len(s.out.Keeps), len(s.out.Commands)
	if die {
		if keeps = k.rnd.IntN(keeps + 1); keeps < len(s.out.Keeps) {
			sent = 0
		} else {
			sent = k.rnd.IntN(sent + 1)
		}
	}
	for _, x := range s.out.Keeps[:keeps] {
		s.kept[x.Name] = x
	}
	for i := range s.out.Records {
		k.record(&s.out.Records[i], s.out.Keeps[:keeps])
	}
	for i := range s.out.Commands[:sent] {
		k.m.takes(&s.out.Commands[i])
	}
	if die {
		k.restart()
	}
}

const tickTime = 20 * venue.Millisecond

// quote makes a book Live at the price, all of it new.
func (k *killed) quote(i venue.Inst) {
	in := k.d.Instruments[i]
	frame := make([]venue.Event, 3)
	frame[0].SetHead(in.Venue, i, venue.Snapshot, k.now, 0, 0, 0, uint64(k.now), venue.NoChecksum, 2)
	for n, p := range []fixed.Price{k.price, k.price + 1} {
		e := &frame[n+1]
		e.Kind, e.Flags, e.N, e.Venue, e.Inst = venue.Levels, venue.Bids<<n, 1, in.Venue, i
		e.W[0], e.W[1] = int64(p), 1e6
	}
	frame[2].Flags |= venue.Last
	k.batch.Events = append(k.batch.Events, frame...)
}

// told books reports as the venues would.
func (k *killed) told(rs []venue.Report) {
	for i := range rs {
		if r := &rs[i]; r.Kind == venue.Fill {
			was := k.holds[r.Inst]
			side := fixed.Qty(1)
			if was > 0 {
				side = -1 // all orders are stops, which reduce
			}
			k.holds[r.Inst] += side * r.Fill
			require.True(k.t, was*k.holds[r.Inst] >= 0, "instrument %d from %d to %d", r.Inst, was, k.holds[r.Inst])
		}
	}
}

// record checks a firing. One whose closing was kept is the last of its guard.
func (k *killed) record(r *audit.Record, kept []stops.Keep) {
	if r.Kind != audit.Stop || stops.Act(r.Sub) != stops.Fired {
		return
	}
	name := k.e.cfg.Stops.Names()[r.Link]
	require.Zero(k.t, k.fired[name], "%s fires again", name)
	if r.Limit > 0 {
		require.GreaterOrEqual(k.t, r.Value, r.Limit)
	} else {
		require.LessOrEqual(k.t, r.Price, r.Stop)
	}
	for _, x := range kept {
		if x.Inst == r.Inst {
			k.fired[name]++
		}
	}
}

// restart finds, as recovery does, what became of every order that left, and begins with that.
func (k *killed) restart() {
	k.kills++
	for _, rs := range k.m.due {
		k.told(rs)
	}
	k.m.due = nil
	var held []ledger.Holding
	for i := 1; i <= 2; i++ {
		if q := k.holds[i]; q != 0 {
			held = append(held, ledger.Holding{Inst: venue.Inst(i), Qty: q, Avg: 1000})
		}
	}
	k.begin(k.d.Instruments, held)
	k.batch = Batch{}
}

// However often the process dies, at whatever instant, each stop fires once, at or past its level, closes what it should,
// and never opens the other way.
func TestStops_fireOnceHoweverOftenTheProcessDies(t *testing.T) {
	kills, seeds := 0, uint64(20)
	if os.Getenv("ONEPRICE_LONG") != "" {
		seeds = 1000
	}
	for seed := range seeds {
		s := newScript(t)
		s.stopLine(words("fall", "a:X", "trail", "150"))
		s.stopLine(words("pain", "b:X", "loss", "2000"))
		rnd := rand.New(rand.NewPCG(seed, 9))
		k := &killed{script: s, m: &market{s: s, rnd: rnd}, rnd: rnd, now: 1_800_000_000 * venue.Second, price: 1000, fired: map[string]int{}}
		k.holds = [3]fixed.Qty{0, 1 + fixed.Qty(rnd.Int64N(300)), -100 - fixed.Qty(rnd.Int64N(300))}
		s.begin(s.d.Instruments, []ledger.Holding{{Inst: 1, Qty: k.holds[1], Avg: 1000}, {Inst: 2, Qty: k.holds[2], Avg: 1000}})
		for n := 0; k.holds[1] != 0 || k.holds[2] != 0 || len(k.d.Live[1])+len(k.d.Live[2]) > 0; n++ {
			require.Less(t, n, 60_000, "seed %d: %v", seed, k.holds)
			k.tick()
		}
		require.Equal(t, map[string]int{"fall": 1, "pain": 1}, k.fired, "seed %d", seed)
		require.Equal(t, desk.Position{}.Qty, k.holds[1]+k.holds[2])
		kills += k.kills
	}
	t.Logf("%d kills", kills)
	require.Greater(t, kills, 10*int(seeds))
}
