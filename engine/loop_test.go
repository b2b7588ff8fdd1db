package engine

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/desk"
	"oneprice/books/venue"
	"oneprice/engine/audit"
	"oneprice/engine/ring"
)

// recorder is an audit with a bounded room.
type recorder struct {
	room int
	got  []audit.Record
}

func (r *recorder) Put(rs []audit.Record) bool {
	if len(rs) > r.room {
		return false
	}
	r.room -= len(rs)
	r.got = append(r.got, rs...)
	return true
}

// orders counts the new orders among what a gateway was given.
type gateway struct {
	got    []venue.Command
	answer venue.Sent
	before func() // called on each Submit
}

func (g *gateway) Run(ctx context.Context, _ venue.Reports) error {
	<-ctx.Done()
	return nil
}

func (g *gateway) Submit(c *venue.Command) venue.Sent {
	if g.before != nil {
		g.before()
	}
	g.got = append(g.got, *c)
	return g.answer
}

func (g *gateway) Sweep(context.Context, venue.Nanos, venue.Reports) error { return nil }

// feed notes what it was asked for.
type feed struct{ asked []venue.Inst }

func (f *feed) Run(context.Context, venue.Sink) error { return nil }
func (f *feed) Resync(i venue.Inst)                   { f.asked = append(f.asked, i) }

// clock is set by hand.
type clock struct{ now venue.Nanos }

func (c *clock) Now() venue.Nanos { return c.now }

// rig is a loop around a scripted engine.
type rig struct {
	*script
	loop  *Loop
	ring  *ring.Ring[venue.Event]
	audit *recorder
	gate  *gateway
	feed  *feed
	clock *clock
	ev    [2]venue.Event
	rep   [1]venue.Report
	in    Batch
}

func newRig(t *testing.T, edit func(*LoopConfig)) *rig {
	r := &rig{script: newScript(t), audit: &recorder{room: 1 << 20}, gate: &gateway{answer: venue.Out}, feed: &feed{}, clock: &clock{now: 1_800_000_000 * venue.Second}}
	r.ring = ring.Events(1<<10, ring.NewBell())
	cfg := LoopConfig{Engine: r.e, Events: []*ring.Ring[venue.Event]{r.ring}, Gateways: []venue.Gateway{nil, r.gate, r.gate},
		Feeds: []venue.Feed{nil, r.feed, r.feed}, Audit: r.audit, Clock: r.clock, Bell: ring.NewBell(), DrainRecords: 1 << 10}
	if edit != nil {
		edit(&cfg)
	}
	r.loop = NewLoop(cfg)
	return r
}

// put puts script lines of market data on the ring.
func (r *rig) put(lines ...[]string) {
	for _, f := range lines {
		r.frame(f)
	}
	for i := range r.batch.Events {
		if e := &r.batch.Events[i]; e.Kind == venue.Head {
			e.W[0] = int64(r.clock.now)
		}
	}
	for ev := r.batch.Events; len(ev) > 0; {
		n := 1
		for ev[n-1].Flags&venue.Last == 0 {
			n++
		}
		require.Equal(r.t, venue.OK, r.ring.Put(ev[:n]))
		ev = ev[n:]
	}
	r.batch.Events = nil
}

func words(s ...string) []string { return s }

func (r *rig) want(side, level string) {
	r.sayLine(words("new", side, "a:X", level, "ioc"))
}

func (r *rig) turn() bool {
	r.clock.now += venue.Millisecond
	return r.loop.Turn()
}

func TestLoop_recordIsQueuedBeforeItsCommandLeaves(t *testing.T) {
	r := newRig(t, nil)
	r.gate.before = func() {
		last := r.audit.got[len(r.audit.got)-1]
		require.Equal(t, audit.Order, last.Kind, "the order's record is the newest when its command leaves")
	}
	r.put(words("book", "a:X", "seq", "5", "bid", "1000@50", "ask", "1001@40"))
	require.True(t, r.turn())
	r.want("buy", "1001@5")
	r.put(words("delta", "a:X", "first", "6", "seq", "6", "bid", "1000@51"))
	require.True(t, r.turn())
	require.Len(t, r.gate.got, 1)
	require.True(t, r.turn(), "the gateway's answer is the next batch")
	require.Equal(t, desk.Sent, r.d.Order(r.gate.got[0].Slot).State)
	require.False(t, r.turn())
}

func TestLoop_fullAuditStopsNewOrdersAndLosesNothing(t *testing.T) {
	r := newRig(t, nil)
	r.put(words("book", "a:X", "seq", "5", "bid", "1000@50", "ask", "1001@40"))
	r.turn()
	r.audit.room = 0
	r.want("buy", "1001@5")
	r.put(words("delta", "a:X", "first", "6", "seq", "6", "bid", "1000@51"))
	r.turn()
	require.Empty(t, r.gate.got, "an order whose record is not queued does not leave")
	r.want("buy", "1001@4")
	r.put(words("delta", "a:X", "first", "7", "seq", "7", "bid", "1000@52"))
	r.turn()
	require.Empty(t, r.gate.got)
	require.EqualValues(t, 1, r.e.Counters().Refused[venue.AuditBehind], "Step knows by now")
	require.Equal(t, desk.Rejected, r.d.Order(1).State, "the unsent order has ended")
	r.audit.room = 1 << 20
	for r.turn() {
	}
	r.put(words("delta", "a:X", "first", "8", "seq", "8", "bid", "1000@53"))
	r.turn()
	r.want("buy", "1001@3")
	r.put(words("delta", "a:X", "first", "9", "seq", "9", "bid", "1000@54"))
	r.turn()
	require.Len(t, r.gate.got, 1)
	for i := range r.audit.got {
		require.EqualValues(t, i+1, r.audit.got[i].Seq, "every record arrived, in order")
	}
}

func TestLoop_asksTheFeedForASnapshot(t *testing.T) {
	r := newRig(t, nil)
	r.put(words("book", "a:X", "seq", "5", "bid", "1000@50", "ask", "1001@40"))
	r.turn()
	r.put(words("delta", "a:X", "first", "9", "seq", "9", "bid", "1000@51"))
	r.turn()
	require.Equal(t, []venue.Inst{1}, r.feed.asked)
}

func TestLoop_oneMessageIsOneStepWhenTimeIsRecorded(t *testing.T) {
	r := newRig(t, func(c *LoopConfig) { c.Clock, c.OneMessage = nil, true })
	r.put(words("book", "a:X", "seq", "5", "bid", "1000@50", "ask", "1001@40"))
	r.clock.now += 7 * venue.Millisecond
	r.put(words("book", "b:X", "seq", "5", "bid", "1000@50", "ask", "1001@40"))
	require.True(t, r.loop.Turn())
	require.EqualValues(t, 1_800_000_000*venue.Second, r.d.Now)
	require.True(t, r.loop.Turn())
	require.EqualValues(t, 1_800_000_000*venue.Second+7*venue.Millisecond, r.d.Now)
	require.False(t, r.loop.Turn())
	require.EqualValues(t, 2, r.e.Counters().Steps)
}

func TestLoop_failingDiskEndsABacktest(t *testing.T) {
	full := errors.New("no space left")
	r := newRig(t, func(c *LoopConfig) { c.MakeRoom = func() error { return full } })
	r.audit.room = 0
	r.put(words("book", "a:X", "seq", "5", "bid", "1000@50", "ask", "1001@40"))
	r.turn()
	require.ErrorIs(t, r.loop.Err(), full)
}

func TestLoop_parksAndWakes(t *testing.T) {
	r := newRig(t, func(c *LoopConfig) { c.Policy, c.OneMessage, c.Clock = Park, true, nil })
	bell := ring.NewBell()
	r.ring = ring.Events(1<<10, bell)
	r.loop.cfg.Events, r.loop.cfg.Bell = []*ring.Ring[venue.Event]{r.ring}, bell
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.loop.Run(ctx) }()
	const messages = 2000
	var e venue.Event
	for i := range messages {
		e.SetAlive(1, 1, venue.Nanos(1_800_000_000*venue.Second)+venue.Nanos(i), 0)
		for r.ring.Put([]venue.Event{e}) != venue.OK {
		}
	}
	cancel()
	require.NoError(t, <-done)
	require.EqualValues(t, messages, r.e.Counters().Steps)
}

func TestLoop_statusIsHandedOverOnRequest(t *testing.T) {
	r := newRig(t, nil)
	var s Status
	require.False(t, r.loop.Status(&s))
	r.put(words("book", "a:X", "seq", "5", "bid", "1000@50", "ask", "1001@40"))
	r.turn()
	require.True(t, r.loop.Status(&s))
	require.EqualValues(t, 1, s.Counters.Steps)
	require.EqualValues(t, 1001, s.Books[1].Ask)
	require.False(t, r.loop.Status(&s), "the next one needs another step")
}

func TestStep_allocatesNothing(t *testing.T) {
	r := newRig(t, nil)
	r.put(words("book", "a:X", "seq", "5", "bid", "1000@50", "ask", "1001@40"))
	r.turn()
	seq := 5
	for range 3000 { // the slices of Out grow to what the busiest drain needs
		seq++
		r.step3(seq)
	}
	n := testing.AllocsPerRun(1000, func() {
		seq++
		r.step3(seq)
	})
	require.Zero(t, n)
	require.Greater(t, r.e.Counters().Orders, uint64(4000), "the steps measured include orders")
}

// step3 is a delta, an order on it, its rejection, each a step, straight through Step.
func (r *rig) step3(seq int) {
	ev := &r.ev
	r.clock.now += 50 * venue.Millisecond
	ev[0].SetHead(1, 1, 0, r.clock.now, 0, uint64(seq), 0, uint64(seq), venue.NoChecksum, 1)
	ev[1].Kind, ev[1].Flags, ev[1].N, ev[1].Venue, ev[1].Inst = venue.Levels, venue.Bids|venue.Last, 1, 1, 1
	ev[1].W[0], ev[1].W[1] = 1000, int64(50+seq%7)
	r.say = append(r.say[:0], desk.Intent{Op: venue.New, Type: venue.Limit, TIF: venue.IOC, Side: venue.Buy, Role: venue.RoleTake, Inst: 1, Price: 1001, Qty: 1, NotAfter: 1 << 62})
	r.in = Batch{Now: r.clock.now, Events: ev[:]}
	r.e.Step(&r.in, &r.out)
	for i := range r.out.Commands {
		c := &r.out.Commands[i]
		r.rep[0] = venue.Report{Kind: venue.Expired, Venue: c.Venue, Inst: c.Inst, Slot: c.Slot, Client: c.Client, Reason: venue.Unfilled}
		r.in = Batch{Now: r.clock.now, Reports: r.rep[:]}
		r.e.Step(&r.in, &r.out)
	}
}
