package engine

import (
	"context"
	"fmt"
	"time"

	"oneprice/books/venue"
	"oneprice/engine/audit"
	"oneprice/engine/ring"
	"oneprice/engine/stats"
)

// Policy is how the loop waits for records.
type Policy uint8

const (
	// Spin never sleeps: production, on a pinned thread.
	Spin Policy = iota
	// Park sleeps on a bell: laptops and tests.
	Park
	// Inline has no thread: the producer that holds new records runs Step itself under a token.
	Inline
)

func (p Policy) String() string { return [...]string{"spin", "park", "inline"}[p] }

// ParsePolicy reads a policy's name.
func ParsePolicy(s string) (Policy, error) {
	for _, p := range []Policy{Spin, Park, Inline} {
		if s == p.String() {
			return p, nil
		}
	}
	return 0, fmt.Errorf("wait policy %q is not one of spin, park, inline", s)
}

// Source gives reports that become due with time: paper fills.
type Source interface {
	// Due appends the reports due by now, in order.
	Due(now venue.Nanos, dst []venue.Report) []venue.Report
	// Next is when the next report is due; false when none waits.
	Next() (venue.Nanos, bool)
}

// Recorder takes audit records; false says that it has no room for all of them and has taken none.
type Recorder interface {
	Put(records []audit.Record) bool
}

// LoopConfig is what a Loop connects.
type LoopConfig struct {
	Engine  *Engine
	Events  []*ring.Ring[venue.Event]
	Reports []*ring.Ring[venue.Report]
	Sources []Source
	Taps    []Tap
	// Gateways and Feeds are indexed by venue; a nil Feed has no resync (recordings).
	Gateways []venue.Gateway
	Feeds    []venue.Feed
	Audit    Recorder
	// Journal is what a restart recovers from; nil where nothing outlives the run: backtest, replay, paper.
	Journal Journal
	// MakeRoom, where not nil, is called when the audit has no room, and then Put is tried again: a backtest waits for
	// its disk. Live it is nil: new orders stop instead.
	MakeRoom func() error
	// Clock is nil when time is the recording's own: Now is then the receive time of what is drained.
	Clock venue.Clock
	// OneMessage makes one Step of one message, so that decisions do not depend on how many had gathered.
	OneMessage bool
	Policy     Policy
	Bell       *ring.Bell
	// Tick wakes a parked or spinning loop for what time alone brings; nil when Clock is nil.
	Tick <-chan time.Time
	// DrainRecords bounds one drain; every message must fit.
	DrainRecords int
	// Shadow, where not nil, is played by a spinning loop that has nothing to do. Under Inline nobody waits here: a
	// connection that spins has an idle hook of its own.
	Shadow *Shadow
}

// Loop is the thread around an Engine: it drains, stamps, lets taps see, steps, records, sends, and asks for snapshots.
// One goroutine at a time runs Turn; under Inline the token says which.
type Loop struct {
	cfg     LoopConfig
	batch   Batch
	out     Out
	sent    []venue.Report // answers of Submit that the next Batch carries
	backlog []audit.Record // records that the audit had no room for; while it is not empty, no new order leaves
	behind  bool           // Step has been told that the audit is full
	stuck   bool           // Step has been told that the journal is full
	control []venue.Event  // control records that the next Batch carries
	token   ring.Token
	pending func() bool
	drain   func()
	err     error
	status  board
}

// NewLoop makes a loop.
func NewLoop(cfg LoopConfig) *Loop {
	l := &Loop{cfg: cfg}
	l.batch.Events = make([]venue.Event, 0, cfg.DrainRecords)
	l.batch.Reports = make([]venue.Report, 0, 1024)
	l.sent = make([]venue.Report, 0, 256)
	l.pending = l.waiting
	l.drain = func() {
		for l.Turn() {
		}
	}
	return l
}

// Feed names the feed that snapshots of a venue are asked from, Tap adds a tap, Record replaces the audit. Before the
// first Turn.
func (l *Loop) Feed(v venue.ID, f venue.Feed) { l.cfg.Feeds[v] = f }
func (l *Loop) Tap(t Tap)                     { l.cfg.Taps = append(l.cfg.Taps, t) }
func (l *Loop) Record(r Recorder)             { l.cfg.Audit = r }

// Err is the first fault of the audit; the loop stops sending on it.
func (l *Loop) Err() error { return l.err }

// Run turns until ctx ends, then drains what still waits and returns. For Spin and Park.
func (l *Loop) Run(ctx context.Context) error {
	for {
		if l.Turn() {
			if l.err != nil {
				return l.err
			}
			continue
		}
		select {
		case <-ctx.Done():
			for l.Turn() {
			}
			return l.err
		default:
		}
		if l.cfg.Policy == Park {
			l.park(ctx)
			continue
		}
		select {
		case <-l.cfg.Tick:
			l.step(l.cfg.Clock.Now())
		default:
		}
		if l.cfg.Shadow != nil {
			l.cfg.Shadow.Idle()
		}
	}
}

// Pulse is Offer for the passing of time, under Inline: it steps without records, unless another goroutine holds the
// token; that one reads the clock anyway.
func (l *Loop) Pulse() {
	if !l.token.Try() {
		return
	}
	l.step(l.cfg.Clock.Now())
	l.token.Release()
	if l.waiting() {
		l.Offer()
	}
}

// park sleeps until a producer rings, time passes, or ctx ends.
func (l *Loop) park(ctx context.Context) {
	l.cfg.Bell.Arm()
	if l.waiting() {
		l.cfg.Bell.Disarm()
		return
	}
	select {
	case <-l.cfg.Bell.C():
	case <-l.cfg.Tick:
		l.cfg.Bell.Disarm()
		l.step(l.cfg.Clock.Now())
	case <-ctx.Done():
		l.cfg.Bell.Disarm()
	}
}

// Offer is called by a producer after it has published, under Inline: whoever gets the token runs the engine until no
// record waits.
func (l *Loop) Offer() { l.token.Run(l.pending, l.drain) }

// waiting reports whether any ring has records.
func (l *Loop) waiting() bool {
	for _, r := range l.cfg.Events {
		if r.Len() > 0 {
			return true
		}
	}
	for _, r := range l.cfg.Reports {
		if r.Len() > 0 {
			return true
		}
	}
	return false
}

// Turn drains once and steps. It reports whether there was anything to do.
func (l *Loop) Turn() bool {
	b := &l.batch
	b.Events = append(b.Events[:0], l.control...)
	l.control = l.control[:0]
	for _, r := range l.cfg.Events {
		if l.cfg.OneMessage {
			b.Events = r.DrainOne(b.Events)
			if len(b.Events) > 0 {
				break
			}
			continue
		}
		b.Events = r.Drain(b.Events)
	}
	b.Reports = b.Reports[:0]
	for _, r := range l.cfg.Reports {
		b.Reports = r.Drain(b.Reports)
	}
	if len(b.Events) == 0 && len(b.Reports) == 0 && (l.cfg.Clock == nil || len(l.sent) == 0) {
		return false
	}
	l.step(l.now(b))
	return true
}

// now is the drain's clock value: the clock's, or the receive time of the newest record where time is recorded.
func (l *Loop) now(b *Batch) venue.Nanos {
	if l.cfg.Clock != nil {
		return l.cfg.Clock.Now()
	}
	now := b.Now
	for i := 0; i < len(b.Events); i++ {
		e := &b.Events[i]
		if e.Kind == venue.Head {
			now = max(now, e.Recv())
			i += e.Count()
			continue
		}
		now = max(now, e.Seen())
	}
	return now
}

// step runs one Batch through taps, engine, audit and gateways.
func (l *Loop) step(now venue.Nanos) {
	b := &l.batch
	b.Now = now
	b.Reports = append(b.Reports, l.sent...)
	l.sent = l.sent[:0]
	for _, s := range l.cfg.Sources {
		b.Reports = s.Due(now, b.Reports)
	}
	l.remember(b.Reports)
	for _, t := range l.cfg.Taps {
		t.Frame(b)
	}
	lat := l.cfg.Engine.cfg.Latency
	lat.Begin()
	l.cfg.Engine.Step(b, &l.out)
	ok := l.record(l.out.Records)
	lat.Mark(stats.Record)
	for i := range l.out.Commands {
		l.submit(&l.out.Commands[i], ok)
	}
	lat.Mark(stats.Submit)
	lat.End()
	l.rulings(l.out.Records)
	for _, i := range l.out.Resync {
		if f := l.cfg.Feeds[l.cfg.Engine.d.Instruments[i].Venue]; f != nil {
			f.Resync(i)
		}
	}
	b.Events, b.Reports = b.Events[:0], b.Reports[:0]
	l.status.offer(l.cfg.Engine)
}

// record queues the drain's records, behind those that still wait. It reports whether all are queued.
func (l *Loop) record(rs []audit.Record) bool {
	if len(l.backlog) > 0 || (len(rs) > 0 && !l.put(rs)) {
		l.backlog = append(l.backlog, rs...)
		l.flush()
	}
	l.tell(venue.RingAudit, len(l.backlog) > 0, &l.behind)
	return len(l.backlog) == 0
}

// flush queues the backlog piece by piece, since all of it may be more than the audit can ever hold at once.
func (l *Loop) flush() {
	const piece = 64
	done := 0
	for done < len(l.backlog) {
		n := min(piece, len(l.backlog)-done)
		if !l.put(l.backlog[done : done+n]) {
			break
		}
		done += n
	}
	l.backlog = l.backlog[:copy(l.backlog, l.backlog[done:])]
}

// put tries the audit once, and again after making room where that is allowed.
func (l *Loop) put(rs []audit.Record) bool {
	for !l.cfg.Audit.Put(rs) {
		if l.cfg.MakeRoom == nil {
			return false
		}
		if err := l.cfg.MakeRoom(); err != nil {
			l.err = err
			return false
		}
	}
	return true
}

// submit hands one command to its gateway, unless something holds it, and keeps the answer for the next Batch.
func (l *Loop) submit(c *venue.Command, recorded bool) {
	r := venue.Report{Kind: venue.SentReport, Venue: c.Venue, Inst: c.Inst, Slot: c.Slot, Client: c.Client,
		Recv: l.batch.Now, At: l.batch.Now, Seq: uint64(c.Op)}
	if c.Op != venue.New {
		r.Client = c.Target
	}
	if why := l.holds(c, recorded); why != venue.OK {
		r.Flags, r.Reason = uint8(venue.NotSent), why
	} else {
		r.Flags = uint8(l.cfg.Gateways[c.Venue].Submit(c))
	}
	l.sent = append(l.sent, r)
}

// Settle steps until no report waits any more, letting recorded time run on to each due report, and writes the session's
// last record. The producers must be done. For recordings: live, a session ends with its orders cancelled instead.
func (l *Loop) Settle() error {
	for range 100_000 {
		next, ok := l.due()
		if !ok && len(l.sent) == 0 {
			break
		}
		l.step(max(l.batch.Now, next))
	}
	l.cfg.Engine.Finish(&l.out)
	if !l.record(l.out.Records) && l.err == nil {
		l.err = fmt.Errorf("engine: %d audit records found no room at the end of the session", len(l.backlog))
	}
	return l.err
}

// due is when the next report of any source is due.
func (l *Loop) due() (venue.Nanos, bool) {
	var at venue.Nanos
	found := false
	for _, s := range l.cfg.Sources {
		if t, ok := s.Next(); ok && (!found || t < at) {
			at, found = t, true
		}
	}
	return at, found
}
