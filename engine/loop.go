package engine

import (
	"context"
	"errors"
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
	// Backlog bounds the records that wait here while the audit has no room for them; 0 takes 65,536. Past it the loop
	// halts.
	Backlog int
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
	halting bool           // Step has been told to cancel everything, since the backlog is full
	control []venue.Event  // control records that the next Batch carries
	token   ring.Token
	pending func() bool
	drain   func()
	err     error
	status  board
}

// Faults of the audit.
var (
	// ErrHalted: the backlog is full, so every order has been cancelled and nothing more is decided.
	ErrHalted = errors.New("engine: the audit has no room and too many records wait for it; every order was cancelled and the engine halted")
	// ErrUnwritten: records of the session still wait for room.
	ErrUnwritten = errors.New("engine: the audit has no room for the last records of the session")
)

// NewLoop makes a loop.
func NewLoop(cfg LoopConfig) *Loop {
	if cfg.Backlog == 0 {
		cfg.Backlog = 1 << 16
	}
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

// Err is the first fault of the audit; nothing is stepped after it but by Settle. The loop's own goroutine, or after it.
func (l *Loop) Err() error { return l.err }

// Run turns until ctx ends, then drains what still waits and returns. For Spin and Park.
func (l *Loop) Run(ctx context.Context) error {
	for {
		busy := l.Turn()
		if l.err != nil {
			return l.err
		}
		if busy {
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

// Pulse is Offer for the passing of time, under Inline: it steps without records, and then until no answer of a gateway
// and no record waits, unless another goroutine holds the token; that one reads the clock anyway. It returns Err.
func (l *Loop) Pulse() error {
	if !l.token.Try() {
		return nil
	}
	if l.err == nil {
		l.step(l.cfg.Clock.Now())
		l.drain()
	}
	err := l.err
	l.token.Release()
	if err == nil && l.waiting() {
		l.Offer()
	}
	return err
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

// Turn drains once and steps. It reports whether there was anything to do. After a fault of the audit there is nothing:
// what the rings hold stays there.
func (l *Loop) Turn() bool {
	if l.err != nil {
		return false
	}
	b := &l.batch
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
	for _, r := range l.cfg.Reports {
		b.Reports = r.Drain(b.Reports)
	}
	if len(b.Events)+len(b.Reports)+len(l.control) == 0 && (l.cfg.Clock == nil || len(l.sent) == 0) {
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
	b.Events = append(b.Events, l.control...)
	b.Reports = append(b.Reports, l.sent...)
	l.control, l.sent = l.control[:0], l.sent[:0]
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
	l.keep(l.out.Keeps)
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
	switch {
	case l.halting && l.err == nil:
		l.err = ErrHalted // the commands of this drain, which are the cancels, still leave
	case len(l.backlog) > l.cfg.Backlog && !l.halting:
		l.halting = true
		l.next().SetOperator(venue.OpDisarm, 0, 0, l.batch.Now)
	}
	return len(l.backlog) == 0
}

// next is one more control record of the next drain, through which Step hears of what is not in the rings, and the tape too.
func (l *Loop) next() *venue.Event {
	l.control = append(l.control, venue.Event{})
	return &l.control[len(l.control)-1]
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

// Settle ends the session: it books the reports that still come, letting recorded time run on to each, while nothing is
// decided on books that no longer move, and writes the session's last record. The producers must be done. It returns Err,
// and ErrUnwritten while the audit has no room.
func (l *Loop) Settle() error {
	l.next().SetEnd(l.batch.Now)
	for range 100_000 {
		next, ok := l.due()
		if !ok && len(l.sent)+len(l.control) == 0 {
			break
		}
		l.step(max(l.batch.Now, next))
	}
	l.cfg.Engine.Finish(&l.out)
	l.record(l.out.Records)
	return errors.Join(l.err, l.Flush())
}

// Flush tries again to queue what waits for the audit after Settle; ErrUnwritten while some of it still waits.
func (l *Loop) Flush() error {
	l.flush()
	if n := len(l.backlog); n > 0 {
		return fmt.Errorf("%w: %d wait", ErrUnwritten, n)
	}
	return nil
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
