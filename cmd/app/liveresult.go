package app

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"sort"
	"text/tabwriter"
	"time"

	"oneprice/books"
	"oneprice/books/venue"
	"oneprice/engine"
	"oneprice/engine/audit"
	"oneprice/engine/tape"

	"github.com/shopspring/decimal"
)

// LiveResult is what a session on live data prints at its end. Money is decimal text in the reporting currency.
type LiveResult struct {
	Mode           string            `json:"mode"`
	Wait           string            `json:"wait"`
	Seconds        string            `json:"seconds"`
	Frames         uint64            `json:"frames"`
	Events         uint64            `json:"events"`
	Steps          uint64            `json:"steps"`
	Instruments    int               `json:"instruments"`
	BooksLive      int               `json:"books_live"`
	NotLive        map[string]string `json:"books_not_live,omitempty"`
	Intents        uint64            `json:"intents"`
	Approved       uint64            `json:"approved"`
	Refused        map[string]uint64 `json:"refused"`
	Plans          uint64            `json:"plans"`
	PlansApproved  uint64            `json:"plans_approved"`
	Orders         uint64            `json:"orders"`
	Fills          uint64            `json:"fills"`
	PnL            string            `json:"pnl"`
	Equity         string            `json:"equity"`
	Reporting      string            `json:"reporting"`
	Strategies     []StrategyReport  `json:"strategies"`
	Positions      []PositionReport  `json:"positions"`
	Playbooks      PlaybookReport    `json:"playbooks"`
	Feeds          []FeedReport      `json:"feeds"`
	StageNs        []StageReport     `json:"stage_ns"`
	AuditRecords   uint64            `json:"audit_records"`
	AuditOK        bool              `json:"audit_ok"`
	AllocsPerEvent string            `json:"allocs_per_event"`
	Console        string            `json:"console,omitempty"`
	AuditDir       string            `json:"audit_dir"`
	Tape           string            `json:"tape"`
	TapeBroken     bool              `json:"tape_broken"`
	Demo           *DemoReport       `json:"demo,omitempty"`
}

// FeedReport is what one connection counted.
type FeedReport struct {
	Venue    string `json:"venue"`
	Messages uint64 `json:"messages"`
	Bytes    uint64 `json:"bytes"`
	Connects uint64 `json:"connects"`
	Losses   uint64 `json:"losses"`
	Damaged  uint64 `json:"damaged"`
	Dropped  uint64 `json:"dropped"`
}

// finish gathers the result of a session that has ended, closes its files and proves the audit.
func (l *Live) finish(err error) (*LiveResult, error) {
	c, d := l.Engine.Counters(), l.Engine.Desk()
	r := &LiveResult{Wait: l.policy.String(), Seconds: time.Since(l.Began).Round(time.Millisecond).String(), Events: c.Events, Steps: c.Steps,
		Instruments: len(l.Instruments) - 1, NotLive: map[string]string{}, Intents: c.Intents, Approved: c.Approved, Refused: map[string]uint64{},
		Plans: c.Plans, PlansApproved: c.PlansApproved, Orders: c.Orders, Fills: l.Paper.Counters().Fills, Reporting: l.Currencies[l.Reporting],
		Console: l.Address, AuditDir: l.AuditDir, Tape: l.TapePath, TapeBroken: l.tape.Broken()}
	for why, n := range c.Refused {
		if n > 0 {
			r.Refused[venue.Reason(why).String()] = n
		}
	}
	common := &Result{}
	for _, in := range l.Instruments[1:] {
		if b := d.Book(in.Inst); b.State() == books.Live {
			r.BooksLive++
		} else {
			r.NotLive[in.Name] = fmt.Sprintf("%s (%s)", b.State(), b.Why())
		}
		l.position(common, in, d.Position(in.Inst))
	}
	r.Positions, r.Strategies, r.Playbooks = common.Positions, l.strategies(), l.playbooks()
	w := l.Ledger.Worth()
	r.PnL, r.Equity = cash(w.PnL), cash(w.Equity)
	for id, f := range l.Feeders {
		if f == nil {
			continue
		}
		for _, s := range f.Sessions() {
			k := s.Counters()
			r.Frames += k.Messages.Load()
			r.Feeds = append(r.Feeds, FeedReport{l.Venues[id].Name, k.Messages.Load(), k.Bytes.Load(), k.Connects.Load(), k.Losses.Load(), k.Damaged.Load(), k.Dropped.Load()})
		}
	}
	l.Latency.Close()
	common.stages(l.Latency.Snapshot())
	r.StageNs = common.StageNs
	if err = errors.Join(err, l.Close()); err != nil {
		return r, err
	}
	s, err := audit.Verify(l.AuditDir)
	r.AuditOK, r.AuditRecords = s.OK && err == nil, s.Records
	if err != nil {
		return r, err
	}
	r.AllocsPerEvent, err = l.stepAgain()
	return r, err
}

// againMax bounds the drains that stepAgain holds in memory.
const againMax = 200_000

// stepAgain steps the session's tape once more through a fresh engine, alone, and counts what Step allocates per event.
func (l *Live) stepAgain() (string, error) {
	rd, err := tape.Open(l.TapePath)
	if err != nil {
		return "", err
	}
	defer rd.Close()
	a, err := Assemble(l.Config, l.Facts)
	if err != nil {
		return "", err
	}
	t := &Trading{Assembly: a}
	if err := t.decider(); err != nil {
		return "", err
	}
	var drains []engine.Batch
	events := 0
	for len(drains) < againMax {
		var b engine.Batch
		if err := rd.Next(&b); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, tape.ErrBroken) {
				break
			}
			return "", err
		}
		events += len(b.Events)
		drains = append(drains, b)
	}
	if events == 0 {
		return "0", nil
	}
	var out engine.Out
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range drains {
		t.Engine.Step(&drains[i], &out)
	}
	runtime.ReadMemStats(&after)
	return decimal.NewFromUint64(after.Mallocs-before.Mallocs).DivRound(decimal.NewFromInt(int64(events)), 6).String(), nil
}

// Text writes the result for a person.
func (r *LiveResult) Text(w io.Writer) {
	fmt.Fprintf(w, "%s for %s (wait %s): %d frames, %d events, %d steps; %d of %d books live\n", r.Mode, r.Seconds, r.Wait, r.Frames, r.Events, r.Steps, r.BooksLive, r.Instruments)
	for _, f := range r.Feeds {
		fmt.Fprintf(w, "  %s: %d messages, %d connects, %d losses, %d damaged, %d dropped\n", f.Venue, f.Messages, f.Connects, f.Losses, f.Damaged, f.Dropped)
	}
	for _, s := range r.Strategies {
		fmt.Fprintf(w, "%s:", s.Name)
		for _, st := range s.order {
			fmt.Fprintf(w, " %s %d", st.Name, st.Value)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "intents %d, approved %d, plans %d of %d, orders %d, fills %d\n", r.Intents, r.Approved, r.PlansApproved, r.Plans, r.Orders, r.Fills)
	reasons := make([]string, 0, len(r.Refused))
	for why := range r.Refused {
		reasons = append(reasons, why)
	}
	sort.Strings(reasons)
	for _, why := range reasons {
		fmt.Fprintf(w, "  refused %s: %d\n", why, r.Refused[why])
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nPOSITION\tQTY\tAVERAGE\tREALISED\tUNREALISED\tFEES\tIN")
	for _, p := range r.Positions {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", p.Instrument, p.Qty, p.Average, p.Realised, p.Unrealised, p.Fees, p.Settle)
	}
	fmt.Fprintln(t, "\nSTAGE\tSAMPLES\tP50 ns\tP99\tP99.9\tMAX")
	for _, s := range r.StageNs {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\n", s.Stage, s.Count, s.P50, s.P99, s.P999, s.Max)
	}
	t.Flush()
	fmt.Fprintf(w, "\nP&L %s %s, equity %s; %s allocations per event\naudit %s: %d records, ok %t; tape %s\n", r.PnL, r.Reporting, r.Equity, r.AllocsPerEvent, r.AuditDir, r.AuditRecords, r.AuditOK, r.Tape)
	if r.Demo != nil {
		r.Demo.text(w)
	}
}
