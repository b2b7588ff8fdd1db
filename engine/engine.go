// Package engine decides: Step is the pure machine that applies market data and reports, lets strategies look once, asks
// risk, and says what to record and send. Loop is the thread around it.
//
// Ownership: one goroutine owns an Engine, its Desk, books, orders, ledger, gate and strategies as plain memory.
//
// Order within a Step: reports, events, time, plans, strategies. Every order's record is in Out before its command.
//
// Decisions
//   - 2026-11-25: a silent book keeps its state: the sequence of the next frame proves or breaks it. Silence is an age
//     that the gate, the strategies and the trust record look at; it needs no snapshot to heal.
//   - 2026-11-25: exchange rates that come from a followed book are taken from that book inside Step, not sent as events:
//     the book's own events are on the tape already, so a replay sees the same rate at the same instant.
//   - 2026-11-25: records that the audit has no room for wait in the loop, which keeps stepping: reports must be booked and
//     cancels must leave. While any waits no new order leaves, and what strategies still ask for is refused on record, so
//     the backlog grows by refusals and reports only. It is bounded all the same, because a disk that stays full would
//     otherwise take all memory. At the bound nothing is dropped: Step is disarmed by an event, which cancels every order
//     and stands on the tape, and the loop ends with ErrHalted. Rejected: to stop draining, which leaves orders at work
//     that nobody watches; and to overwrite or thin out records.
//   - 2026-11-25: at the end of a session an End event stops decisions: what still comes is booked, but neither a strategy
//     nor a playbook acts on books that no longer move. A plan that the end cuts in two leaves its position in the report.
//   - 2026-11-25: an order in our id space that this run neither placed nor adopted is cancelled when its venue says that it
//     stands, once, on record as stray_order: nobody here would watch it. Ids that this run gave are never strays, however
//     late their reports come. Somebody else's orders are recorded, counted, and left alone.
//   - 2026-11-25: Step returns slices of its own; nothing is called back, so that the same Step serves live trading,
//     backtest and replay.
package engine

import (
	"fmt"
	"slices"

	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/venue"
	"oneprice/engine/audit"
	"oneprice/engine/legs"
	"oneprice/engine/orders"
	"oneprice/engine/stats"
	"oneprice/risk"
	"oneprice/risk/ledger"
	"oneprice/risk/stops"
)

// Config is what an Engine is made of. The Desk, Ledger and Gate belong to the engine once given.
type Config struct {
	Desk       *desk.Desk
	Ledger     *ledger.Ledger
	Gate       *risk.Gate
	Strategies []desk.Strategy
	// Stops, where not nil, decide before the strategies, under the number 0.
	Stops *stops.Stops
	// Epoch distinguishes the client ids of this run.
	Epoch uint64
	// Fingerprint of the config, carried by every command and by the session's first record.
	Fingerprint uint64
	// Plans bounds the plans at work, Intents what strategies may say in one drain.
	Plans, Intents int
	// AnswerWithin is how long an order may stay unanswered before it is Unknown.
	AnswerWithin venue.Nanos
	// MarkEvery is how often exposures are marked to the books, SweepEvery how often ages and timeouts are looked at.
	MarkEvery, SweepEvery venue.Nanos
	// MaxAge is how long a book may be silent before the trust record says so, by instrument.
	MaxAge []venue.Nanos
	// Latency takes the stamps of the stages; nil measures nothing. It is invisible to what is decided.
	Latency *stats.Latency
	// Operator is the number of the one who started the run: whom its orders name until another arms. 0 where nobody did.
	Operator uint16
	// FX lists the books that give exchange rates to the reporting currency.
	FX []RateSource
}

// RateSource is a followed book whose mid market prices its base in the reporting currency: its quote must be that.
type RateSource struct {
	Inst venue.Inst
	Ccy  venue.Ccy
}

// Engine is the machine. Make it with New.
type Engine struct {
	cfg    Config
	d      *desk.Desk
	orders *orders.Table
	legs   *legs.Runner
	ledger *ledger.Ledger
	gate   *risk.Gate
	said   *desk.Out
	out    *Out

	flat       flattening
	answerable []uint16 // by strategy: the operator whom its orders name
	operated   uint64   // the last request of an operator that was carried out
	statements statements
	strays     strays

	changed  []bool              // by instrument, within a drain
	silent   []bool              // by instrument: the trust record says too_old
	clocks   []Clock             // by venue
	tripped  []risk.BreakerState // by venue, as recorded; 0 is the global one
	approved [desk.MaxLegs]risk.Approved
	seq      uint64
	plans    uint64
	nextMark venue.Nanos
	nextLook venue.Nanos
	nextNote venue.Nanos
	notes    []risk.Note
	started  bool
	killed   bool // there was a kill: look for orders that outlive it
	disarmed bool // the same of a disarm
	weeding  bool // something has changed that lets orders not stand: look for those
	ended    bool // the session is over: nothing is decided any more
	counts   Counters
}

// Counters are exact tallies since New.
type Counters struct {
	Steps, Events, Intents, Approved, Orders, Reports, Plans, PlansApproved, Duplicates uint64
	// Strays are orders of ours that stood unknown to this run and were cancelled; Foreign are reports of somebody else's.
	Strays, Foreign uint64
	// Refused is by reason.
	Refused [venue.Reasons]uint64
}

// New makes an engine.
func New(cfg Config) *Engine {
	n := len(cfg.Desk.Instruments)
	if cfg.Latency == nil {
		cfg.Latency = stats.NewLatency(1<<32-1, nil)
	}
	if cfg.Stops != nil {
		for i := range n {
			if cfg.Stops.Stopped(venue.Inst(i)) {
				cfg.Gate.Stop(venue.Inst(i), true)
			}
		}
	}
	return &Engine{
		cfg: cfg, d: cfg.Desk, ledger: cfg.Ledger, gate: cfg.Gate,
		orders: orders.New(cfg.Desk, cfg.Epoch, orders.LastSequence),
		legs:   legs.New(cfg.Plans),
		said:   desk.NewOut(cfg.Intents, cfg.Plans), statements: newStatements(cfg.Desk),
		flat: newFlattening(cfg.Desk), answerable: slices.Repeat([]uint16{cfg.Operator}, len(cfg.Strategies)+1),
		changed: make([]bool, n), silent: make([]bool, n), tripped: make([]risk.BreakerState, len(cfg.Desk.Balances)),
		clocks: make([]Clock, len(cfg.Desk.Balances)),
	}
}

// Adopt takes over orders of an earlier run that stand at their venues. Before the first Step. The error says that one
// finds its slot taken.
func (e *Engine) Adopt(os []desk.Order) error {
	for i := range os {
		if !e.orders.Adopt(&os[i]) {
			return fmt.Errorf("engine: an adopted order finds slot %d taken", os[i].Slot)
		}
		e.gate.Refresh(os[i].Inst, e.d)
	}
	return nil
}

// Desk, Orders, Legs and Counters are for readers between Steps.
func (e *Engine) Desk() *desk.Desk      { return e.d }
func (e *Engine) Orders() *orders.Table { return e.orders }
func (e *Engine) Legs() *legs.Runner    { return e.legs }
func (e *Engine) Counters() *Counters   { return &e.counts }

// Step applies one batch and leaves in out what is to be recorded, sent and asked for. Pure: the same batches give the
// same outs. out is overwritten; its slices grow to what the busiest drain needed and are kept.
func (e *Engine) Step(b *Batch, out *Out) {
	out.reset()
	e.out = out
	e.d.Now = b.Now
	e.d.Reports = b.Reports
	e.counts.Steps++
	if !e.started {
		e.started = true
		e.record().SetStart(e.cfg.Fingerprint)
	}
	for i := range b.Reports {
		e.report(&b.Reports[i])
	}
	e.events(b.Events)
	e.time()
	if len(b.Reports) > 0 {
		e.breakers() // otherwise they move by time alone, which the sweep sees
	}
	e.cfg.Latency.Mark(stats.Apply)
	if !e.ended {
		e.decide()
	}
	for _, i := range e.d.Changed {
		e.changed[i] = false
		e.d.Books[i].Publish()
	}
	e.d.Changed = e.d.Changed[:0]
	e.out = nil
}

// decide lets the plans at work and then the strategies say what they want, and takes it to risk.
func (e *Engine) decide() {
	e.said.Reset()
	e.playbooks()
	e.send(e.said.Intents())
	e.stops()
	for i, s := range e.cfg.Strategies {
		e.said.Reset()
		s.Decide(e.d, e.said)
		e.cfg.Latency.Mark(stats.Decide)
		e.own(uint16(i + 1))
		e.start(e.said.Plans())
		e.send(e.said.Intents())
		e.cfg.Latency.Mark(stats.Check)
	}
}

// Finish writes the session's last record into out.
func (e *Engine) Finish(out *Out) {
	out.reset()
	e.out = out
	e.record().SetEnd()
	e.out = nil
}

// playbooks lets the plans at work say what they want, and lists what they gave up on.
func (e *Engine) playbooks() {
	naked, ended := e.legs.Step(e.d, e.said)
	for _, n := range naked {
		e.record().SetNaked(n.Plan, e.d.Instrument(n.Inst).Venue, n.Inst, n.Qty)
	}
	for _, plan := range ended {
		e.gate.EndPlan(plan, e.d)
	}
}

// own marks what a strategy said as its own. Only a plan's own legs and the playbook may use its reservation, which passes
// breakers and guards, so an intent outside of a plan names none.
func (e *Engine) own(strategy uint16) {
	in := e.said.Intents()
	for i := range in {
		in[i].Strategy, in[i].Plan, in[i].Leg = strategy, 0, 0
	}
	ps := e.said.Plans()
	for i := range ps {
		p := &ps[i]
		e.plans++
		p.ID, p.Strategy = e.plans, strategy
		for l := range p.N {
			leg := &p.Legs[l]
			leg.Strategy, leg.Plan, leg.Leg = strategy, p.ID, l
		}
	}
}

// record appends a stamped empty record to the drain's.
func (e *Engine) record() *audit.Record {
	n := len(e.out.Records)
	if n == cap(e.out.Records) {
		e.out.Records = append(e.out.Records, audit.Record{})
	}
	e.out.Records = e.out.Records[:n+1]
	r := &e.out.Records[n]
	e.seq++
	r.Reset(e.seq, e.d.Now)
	return r
}

// touch notes that an instrument changed in this drain.
func (e *Engine) touch(i venue.Inst) {
	if !e.changed[i] {
		e.changed[i] = true
		e.d.Changed = append(e.d.Changed, i)
	}
}

// trust records a change of a book's state and asks for a snapshot where the book wants one.
func (e *Engine) trust(i venue.Inst, o books.Outcome) {
	if o == 0 {
		return
	}
	b := e.d.Books[i]
	if o&books.StateChanged != 0 {
		e.record().SetBook(b.Instrument().Venue, i, b.State(), b.Why(), b.Seq())
		if b.State() == books.Stale && b.Why() == venue.ChecksumMismatch {
			e.gate.OnFault(b.Instrument().Venue, e.d.Now)
		}
	}
	if o&books.WantSnapshot != 0 {
		e.out.Resync = append(e.out.Resync, i)
	}
	e.touch(i)
}
