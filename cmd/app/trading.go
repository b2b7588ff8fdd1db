package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"oneprice/books/venue"
	"oneprice/engine"
	"oneprice/engine/audit"
	"oneprice/engine/journal"
	"oneprice/engine/mapped"
	"oneprice/engine/paper"
	"oneprice/engine/recovery"
	"oneprice/engine/ring"
	"oneprice/engine/stats"
	"oneprice/engine/tape"
	"oneprice/risk"
	"oneprice/risk/ledger"
)

// Sizes of what every run needs a bound for.
const (
	orderSlots    = 4096
	plansAtWork   = 64
	intentsADrain = 256
	ringRecords   = 1 << 15
	drainRecords  = ringRecords
	stampOneIn    = 64
	answerWithin  = 5 * venue.Second
	markEvery     = 100 * venue.Millisecond
	sweepEvery    = 50 * venue.Millisecond
)

// Trading is one engine with everything around it but where its market data comes from: ledger, gate, audit, tape, paper
// venues and the loop.
type Trading struct {
	*Assembly
	Engine *engine.Engine
	Ledger *ledger.Ledger
	Gate   *risk.Gate
	Kill   venue.Kill
	// Paper fills orders where no venue takes them; nil otherwise.
	Paper   *paper.Gateway
	Loop    *engine.Loop
	Events  []*ring.Ring[venue.Event]
	Bell    *ring.Bell
	Latency *stats.Latency
	// AuditDir and TapePath are where it writes.
	AuditDir, TapePath string

	policy engine.Policy
	ring   *audit.Ring
	writer *audit.Writer
	tape   *tape.Writer
	// On paper these are nil: the order side, what it is recovered from, and what recovery found.
	orders  *orderSide
	journal *journal.Journal
	opening *recovery.Opening
	// killed is what was killed and not lifted since: a kill survives a restart.
	killed []scope
	held   []*mapped.Held // the accounts, which no other engine may trade on
	ended  uint64         // cancels that recovery has sent
	// mode and operator are what the audit calls the session, and who started it, "" for nobody in particular.
	mode, operator string
}

// TradingOptions shape a Trading.
type TradingOptions struct {
	// Out is the folder below which audit and tape are written; it is made.
	Out string
	// Mode names the session in the audit: backtest, demo, paper, live. Waiver is what an operator said about what it lacks.
	Mode, Waiver string
	// Operator is who started it: whom its orders name as number 1. "" names nobody.
	Operator string
	// Feeds is the number of event rings.
	Feeds int
	// Records is the room of the audit's ring and of a file of the journal, 0 for what they take by themselves. Inline: the
	// tape is written in between the steps, by whoever makes them.
	Records int
	Inline  bool
	Policy  engine.Policy
	// Recorded: time is the recording's, one message is one Step, and audit and tape are written in between the steps.
	Recorded bool
	Clock    venue.Clock
	// Orders, where not nil, sends orders to venues; otherwise they fill on paper.
	Orders *OrderOptions
	// Loop lets the caller complete the loop's config (feeds, ticks) before it is made.
	Loop func(*engine.LoopConfig)
}

// NewTrading assembles an engine. Close it whatever happens. ctx bounds the recovery of a session whose orders go to venues.
func NewTrading(ctx context.Context, a *Assembly, o TradingOptions) (*Trading, error) {
	t := &Trading{Assembly: a, mode: o.Mode, operator: o.Operator, policy: o.Policy, Bell: ring.NewBell(), Latency: stats.NewLatency(stampOneIn, nil),
		AuditDir: filepath.Join(o.Out, string(a.Config.Folders.Audit))}
	if err := t.begin(ctx, o); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	if err := t.decider(t.writer.Epoch()); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	cfg := engine.LoopConfig{
		Engine: t.Engine, Taps: []engine.Tap{t.tape},
		Gateways: make([]venue.Gateway, len(a.Venues)), Feeds: make([]venue.Feed, len(a.Venues)),
		Audit: t.ring, Clock: o.Clock, OneMessage: o.Recorded, Policy: o.Policy, Bell: t.Bell, DrainRecords: drainRecords,
	}
	if err := t.takers(&cfg); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	for range o.Feeds {
		r := ring.Events(ringRecords, t.Bell)
		t.Events = append(t.Events, r)
	}
	cfg.Events = t.Events
	if o.Recorded {
		cfg.MakeRoom = func() error { _, err := t.writer.Drain(); return err }
	}
	if o.Loop != nil {
		o.Loop(&cfg)
	}
	t.Loop = engine.NewLoop(cfg)
	return t, nil
}

// decider makes desk, ledger, gate and engine. epoch is the session's number in the audit; on paper it numbers the client ids
// too, while a session at venues has an epoch of its own for them, with its opening.
func (t *Trading) decider(epoch uint64) error {
	if t.opening != nil {
		epoch = t.opening.Epoch
		t.Assembly.Ledger.Balances, t.Assembly.Ledger.Positions = t.opening.Balances, t.opening.Positions
	}
	d, l, g, err := t.Desk(orderSlots, &t.Kill)
	if err != nil {
		return err
	}
	t.Ledger, t.Gate = l, g
	var who uint16
	if t.operator != "" {
		who = 1
	}
	t.Engine = engine.New(engine.Config{
		Desk: d, Ledger: l, Gate: g, Strategies: t.Strategies, Stops: t.Stops, Operator: who, Epoch: epoch, Fingerprint: t.Fingerprint, Plans: plansAtWork, Intents: intentsADrain,
		AnswerWithin: answerWithin, MarkEvery: markEvery, SweepEvery: sweepEvery, MaxAge: t.MaxAge, Latency: t.Latency, FX: t.FX,
	})
	if t.opening == nil {
		return nil
	}
	g.Restore(t.opening.Limits)
	if err := t.Stops.Restore(t.opening.Stops, d); err != nil {
		return fmt.Errorf("the stops of the last run cannot go on: %w", err)
	}
	for i := range t.opening.Seen {
		l.Remember(&t.opening.Seen[i])
	}
	return t.Engine.Adopt(slices.Clone(t.opening.Orders))
}

// catalogue names what the audit's numbers mean.
func (a *Assembly) catalogue(mode, waiver, operator string) audit.Catalogue {
	c := audit.Catalogue{Instruments: a.Instruments, Currencies: a.Currencies, Strategies: a.StrategyNames, Stops: a.Stops.Names(), Reporting: a.Reporting,
		Mode: mode, Build: version().build(), Config: fmt.Sprintf("%016x", a.Fingerprint), Source: a.Config.hash(), Waiver: waiver, Operator: operator}
	for i := range a.Venues {
		c.Venues = append(c.Venues, a.Venues[i].Name)
	}
	for i := range risk.Rules {
		c.Rules = append(c.Rules, risk.Rule(i).String())
	}
	return c
}

// begin opens the audit, recovers what earlier runs left at the venues, and begins the tape with it.
func (t *Trading) begin(ctx context.Context, o TradingOptions) error {
	var err error
	t.ring, t.writer, err = audit.Open(audit.Config{Dir: t.AuditDir, Capacity: o.Records, NoSync: o.Recorded, Catalogue: t.catalogue(o.Mode, o.Waiver, o.Operator)})
	if err != nil {
		return err
	}
	if o.Orders != nil {
		if err := t.trading(ctx, o); err != nil {
			return err
		}
	}
	dir := filepath.Join(o.Out, string(t.Config.Folders.Tape))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("tape: %w", err)
	}
	t.TapePath = filepath.Join(dir, fmt.Sprintf("session-%06d.tape", t.writer.Epoch()))
	meta, err := tapeMeta{Mode: o.Mode, Waiver: o.Waiver, Operator: o.Operator, Epoch: t.writer.Epoch(), Facts: t.Facts, Opening: t.opening, Rebalancing: t.Rebalancing}.encode()
	if err != nil {
		return err
	}
	t.tape, err = tape.Create(t.TapePath, tape.Header{Build: version().build(), Config: t.Config.Source, Meta: meta}, tape.Options{Inline: o.Recorded || o.Inline})
	return err
}

// trading opens the journal, brings the order side to life, and recovers.
func (t *Trading) trading(ctx context.Context, o TradingOptions) (err error) {
	names := make([]string, len(t.Venues))
	for i := range t.Venues {
		names[i] = t.Venues[i].Name
	}
	if err := t.hold(o.Orders); err != nil {
		return err
	}
	dir := filepath.Join(o.Out, "journal")
	if o.Orders.Fresh {
		dir += "-simulated" // never that of a session at venues which outlive it
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("journal: %w", err)
		}
	}
	var state *journal.State
	t.journal, state, err = journal.Open(journal.Config{Dir: dir, Capacity: o.Records, Least: secondOf(o.Clock.Now()), Fingerprint: t.Fingerprint, Instruments: t.Instruments, Venues: names,
		Currencies: t.Currencies, Strategies: t.StrategyNames, Clock: o.Clock})
	if err != nil {
		return err
	}
	if t.orders, err = newOrderSide(t, o.Orders); err != nil {
		return err
	}
	for i, name := range names {
		if (i == 0 || name != "") && state.Killed(name) {
			t.killed = append(t.killed, scope{venue: venue.ID(i)})
		}
	}
	for i, name := range t.StrategyNames[1:] {
		if state.KilledStrategy(name) {
			t.killed = append(t.killed, scope{strategy: uint16(i + 1)})
		}
	}
	if t.opening, err = t.recover(ctx, state, o.Orders); err != nil {
		return err
	}
	t.opening.Stops, t.opening.Limits = kept(state), used(state)
	return nil
}

// takers connects what takes the orders: the venues, or paper.
func (t *Trading) takers(cfg *engine.LoopConfig) error {
	if t.orders == nil {
		if err := t.paper(); err != nil {
			return err
		}
		cfg.Sources, cfg.Taps = []engine.Source{t.Paper}, append(cfg.Taps, t.Paper)
		for i := range cfg.Gateways {
			cfg.Gateways[i] = t.Paper
		}
		return nil
	}
	for i, g := range t.orders.gateways {
		if g != nil {
			cfg.Gateways[i] = g
		}
	}
	cfg.Reports, cfg.Journal = t.orders.rings(), t.journal
	return t.journal.Checkpoint(t.Engine.Desk(), cfg.Clock.Now())
}

// paper makes the paper venues.
func (t *Trading) paper() error {
	cfg := paper.Config{Desk: t.Engine.Desk(), Orders: orderSlots, Commands: orderSlots, Levels: 4096, Kill: &t.Kill, Latency: make([]paper.Latency, len(t.Venues))}
	if t.Config.Paper.Queue == QueueProRata {
		cfg.Queue = paper.ProRata
	}
	for i := range t.Config.Venues {
		l := &t.Config.Venues[i].Value.Latency
		cfg.Latency[i+1] = paper.Latency{Order: venue.Nanos(l.Order), Report: venue.Nanos(l.Report)}
	}
	var err error
	t.Paper, err = paper.New(cfg)
	return err
}

// Write runs the writers of a live session's audit, tape and journal until ctx ends.
func (t *Trading) Write(ctx context.Context) error {
	done := make(chan error, 2)
	go func() { done <- t.tape.Run(ctx) }()
	go func() {
		if t.journal == nil {
			done <- nil
			return
		}
		done <- t.journal.Run(ctx)
	}()
	err := t.writer.Run(ctx)
	return errors.Join(err, <-done, <-done)
}

// Close writes what is left and closes the files.
func (t *Trading) Close() error {
	var errs []error
	if t.orders != nil {
		t.orders.stop()
	}
	errs = append(errs, t.letGo())
	if t.journal != nil {
		errs = append(errs, t.journal.Close())
	}
	if t.writer != nil {
		errs = append(errs, t.writer.Close())
	}
	if t.tape != nil {
		errs = append(errs, t.tape.Close())
	}
	return errors.Join(errs...)
}
