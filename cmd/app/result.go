package app

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/engine/audit"
	"oneprice/engine/stats"
	"oneprice/risk"
)

// Outcome is what every session comes to. Money is decimal text in the reporting currency unless a currency stands beside
// it.
type Outcome struct {
	Wait          string            `json:"wait"`
	Frames        uint64            `json:"frames"`
	Events        uint64            `json:"events"`
	Steps         uint64            `json:"steps"`
	Intents       uint64            `json:"intents"`
	Approved      uint64            `json:"approved"`
	Refused       map[string]uint64 `json:"refused"`
	Plans         uint64            `json:"plans"`
	PlansApproved uint64            `json:"plans_approved"`
	Orders        uint64            `json:"orders"`
	Fills         uint64            `json:"fills"`
	PnL           string            `json:"pnl"`
	Equity        string            `json:"equity"`
	Reporting     string            `json:"reporting"`
	// Marked is false when a position has no mark or a loss no exchange rate: P&L and equity are then incomplete.
	Marked       bool             `json:"marked"`
	Strategies   []StrategyReport `json:"strategies"`
	Stops        StopReport       `json:"stops"`
	Positions    []PositionReport `json:"positions"`
	Playbooks    PlaybookReport   `json:"playbooks"`
	Breakers     []BreakerReport  `json:"breakers,omitempty"`
	StageNs      []StageReport    `json:"stage_ns"`
	AuditRecords uint64           `json:"audit_records"`
	AuditOK      bool             `json:"audit_ok"`
	AuditDir     string           `json:"audit_dir"`
	Tape         string           `json:"tape"`
}

// Result is what a backtest prints.
type Result struct {
	Config string `json:"config"`
	Outcome
	FramesPerSecond uint64             `json:"frames_per_second"`
	CPUPerFrame     int64              `json:"cpu_ns_per_frame"`
	WallNs          int64              `json:"wall_ns"`
	TouchCompared   uint64             `json:"touch_compared"`
	TouchMismatched uint64             `json:"touch_mismatched"`
	CRCVerified     uint64             `json:"checksums_verified"`
	CRCFailed       uint64             `json:"checksums_failed"`
	Untraded        []string           `json:"untraded,omitempty"`
	Files           []FileReport       `json:"files,omitempty"`
	Venues          []VenueReport      `json:"venues"`
	Instruments     []InstrumentReport `json:"instruments"`
	Decisions       string             `json:"decisions_sha256"`
	// Fault is why an input could not be read to its end, "" otherwise.
	Fault string `json:"fault,omitempty"`
}

// StrategyReport is what a strategy counted, in its own order.
type StrategyReport struct {
	Name  string            `json:"name"`
	Stats map[string]uint64 `json:"stats"`
	order []desk.Stat
}

// PositionReport is what is held in an instrument at the end.
type PositionReport struct {
	Instrument string `json:"instrument"`
	Qty        string `json:"qty"`
	Average    string `json:"average"`
	Realised   string `json:"realised"`
	Fees       string `json:"fees"`
	Settle     string `json:"settle"`
	Unrealised string `json:"unrealised"`
}

// PlaybookReport is what became of the plans.
type PlaybookReport struct {
	Started   uint64 `json:"started"`
	Even      uint64 `json:"even"`
	Completed uint64 `json:"completed"`
	Unwound   uint64 `json:"unwound"`
	Held      uint64 `json:"held"`
	Naked     uint64 `json:"naked"`
}

// BreakerReport is a breaker that is not closed at the end.
type BreakerReport struct {
	// Venue is "" for the global one.
	Venue string `json:"venue"`
	State string `json:"state"`
	// Left is how long until it lets a probe through, "" where only an operator re-arms it.
	Left string `json:"left,omitempty"`
}

// StageReport is the latency of one stage in nanoseconds, over the sampled ticks.
type StageReport struct {
	Stage string `json:"stage"`
	Count uint64 `json:"count"`
	P50   uint64 `json:"p50"`
	P99   uint64 `json:"p99"`
	P999  uint64 `json:"p999"`
	Max   uint64 `json:"max"`
}

// outcome gathers what the engine, its ledger and its strategies counted. The session has ended.
func (t *Trading) outcome() Outcome {
	c, d := t.Engine.Counters(), t.Engine.Desk()
	o := Outcome{
		Wait: t.policy.String(), Events: c.Events, Steps: c.Steps, Intents: c.Intents, Approved: c.Approved, Refused: map[string]uint64{},
		Plans: c.Plans, PlansApproved: c.PlansApproved, Orders: c.Orders, Fills: t.Engine.Orders().Stats().Fills, Reporting: t.Currencies[t.Reporting],
		Playbooks: t.playbooks(), Breakers: t.breakers(), Strategies: t.strategies(), Stops: t.stopReport(), AuditDir: t.AuditDir, Tape: t.TapePath,
	}
	for why, n := range c.Refused {
		if n > 0 {
			o.Refused[venue.Reason(why).String()] = n
		}
	}
	w := t.Ledger.Worth()
	o.PnL, o.Equity, o.Marked = cash(w.PnL), cash(w.Equity), w.OK
	for _, in := range t.Instruments[1:] {
		if p := d.Position(in.Inst); *p != (desk.Position{}) {
			o.Positions = append(o.Positions, t.position(in, p))
		}
	}
	t.Latency.Close()
	o.StageNs = stages(t.Latency.Snapshot())
	return o
}

// result gathers what a backtest counted.
func (t *Trading) result(m *Market, wall time.Duration) *Result {
	r := &Result{Config: t.Config.Path, Outcome: t.outcome(), WallNs: int64(wall), Untraded: t.Untraded, Venues: m.VenueReports()}
	for _, v := range r.Venues {
		r.Frames += v.Messages
	}
	if wall > 0 {
		r.FramesPerSecond = r.Frames * uint64(time.Second) / uint64(wall)
	}
	for _, in := range t.Instruments[1:] {
		ir := m.InstrumentReport(t.Engine.Desk().Book(in.Inst))
		r.TouchCompared += ir.TouchCompared
		r.TouchMismatched += ir.TouchMismatched
		r.CRCVerified += ir.ChecksumsVerified
		r.CRCFailed += ir.ChecksumsFailed
		r.Instruments = append(r.Instruments, ir)
	}
	return r
}

// playbooks reports the plans.
func (t *Trading) playbooks() PlaybookReport {
	l := t.Engine.Legs().Stats()
	return PlaybookReport{l.Started, l.Even, l.Completed, l.Unwound, l.Held, l.Naked}
}

// breakers reports those that are not closed.
func (t *Trading) breakers() (out []BreakerReport) {
	now := t.Engine.Desk().Now
	for v := range t.Venues {
		b := t.Gate.Breaker(venue.ID(v))
		r := BreakerReport{Venue: t.Venues[v].Name, State: b.State(now).String()}
		if left := b.Left(now); left >= 0 {
			r.Left = time.Duration(left).Round(time.Second).String()
		}
		if b.State(now) != risk.Closed {
			out = append(out, r)
		}
	}
	return out
}

// strategies reports what each strategy counted.
func (t *Trading) strategies() []StrategyReport {
	var out []StrategyReport
	for _, s := range t.Strategies {
		rep, ok := s.(desk.Reporter)
		if !ok {
			continue
		}
		x := StrategyReport{Name: s.Name(), Stats: map[string]uint64{}, order: rep.Stats()}
		for _, st := range x.order {
			x.Stats[st.Name] = st.Value
		}
		out = append(out, x)
	}
	return out
}

// position reports an instrument that was traded.
func (t *Trading) position(in *venue.Instrument, p *desk.Position) PositionReport {
	x := PositionReport{Instrument: in.Name, Qty: fixed.Decimal(p.Qty, in.QtyScale).String(), Average: fixed.Decimal(p.Avg, in.PriceScale).String(),
		Realised: cash(p.Realised), Fees: cash(p.Fees), Settle: t.Currencies[in.Settle], Unrealised: "unknown"}
	if u, ok := t.Ledger.Unrealised(in.Inst); ok {
		x.Unrealised = cash(u)
	}
	return x
}

func cash(c fixed.Cash) string { return fixed.Decimal(c, fixed.CashScale).String() }

// stages reports the latency histograms.
func stages(s stats.Snapshot) (out []StageReport) {
	for i := range s {
		if h := &s[i]; h.Count() > 0 {
			out = append(out, StageReport{stats.Stage(i).String(), h.Count(), h.Quantile(fixed.One / 2), h.Quantile(fixed.One / 100 * 99),
				h.Quantile(fixed.One / 1000 * 999), h.Max()})
		}
	}
	return out
}

// audited proves the audit, whose files must be closed.
func (o *Outcome) audited() error {
	s, err := audit.Verify(o.AuditDir)
	o.AuditOK, o.AuditRecords = s.OK && err == nil, s.Records
	return err
}

// cpu states the processor time of the process so far, per frame.
func (r *Result) cpu() {
	if r.Frames > 0 {
		r.CPUPerFrame = int64(cpuTime()) / int64(r.Frames)
	}
}

// Text writes the result for a person.
func (r *Result) Text(w io.Writer) {
	fmt.Fprintf(w, "%s, wait %s: %d frames, %d events, %d steps in %s (%d frames/s, %d ns CPU per frame)\n", r.Config, r.Wait, r.Frames, r.Events, r.Steps,
		time.Duration(r.WallNs).Round(time.Millisecond), r.FramesPerSecond, r.CPUPerFrame)
	fmt.Fprintf(w, "touch compared %d, mismatched %d; checksums verified %d, failed %d\n\n", r.TouchCompared, r.TouchMismatched, r.CRCVerified, r.CRCFailed)
	instrumentsText(w, r.Instruments)
	for _, n := range r.Untraded {
		fmt.Fprintf(w, "%s takes no orders in this run: the recordings show no price of it at their beginning\n", n)
	}
	r.text(w)
	fmt.Fprintf(w, "decisions %s\n", r.Decisions)
}

// text writes the outcome for a person.
func (o *Outcome) text(w io.Writer) {
	for _, s := range o.Strategies {
		fmt.Fprintf(w, "\n%s:", s.Name)
		for _, st := range s.order {
			fmt.Fprintf(w, " %s %d", st.Name, st.Value)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "\nintents %d, approved %d, plans %d of %d, orders %d, fills %d\n", o.Intents, o.Approved, o.PlansApproved, o.Plans, o.Orders, o.Fills)
	for _, why := range slices.Sorted(maps.Keys(o.Refused)) {
		fmt.Fprintf(w, "  refused %s: %d\n", why, o.Refused[why])
	}
	for _, b := range o.Breakers {
		name, left := "the global breaker", "until an operator re-arms it"
		if b.Venue != "" {
			name = "the breaker of " + b.Venue
		}
		if b.Left != "" {
			left = "for " + b.Left
		}
		fmt.Fprintf(w, "%s is %s %s\n", name, b.State, left)
	}
	fmt.Fprintf(w, "plans: even %d, completed %d, unwound %d, held %d, naked %d\n", o.Playbooks.Even, o.Playbooks.Completed, o.Playbooks.Unwound, o.Playbooks.Held, o.Playbooks.Naked)
	if s := &o.Stops; s.Armed+int(s.Fired+s.Closings) > 0 {
		fmt.Fprintf(w, "stops: armed %d, fired %d, closings %d (%d at work, %d left what no order can close), orders %d\n", s.Armed, s.Fired, s.Closings, s.AtWork, s.Left, s.Orders)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(o.Positions) > 0 {
		fmt.Fprintln(t, "\nPOSITION\tQTY\tAVERAGE\tREALISED\tUNREALISED\tFEES\tIN")
	}
	for _, p := range o.Positions {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", p.Instrument, p.Qty, p.Average, p.Realised, p.Unrealised, p.Fees, p.Settle)
	}
	fmt.Fprintln(t, "\nSTAGE\tSAMPLES\tP50 ns\tP99\tP99.9\tMAX")
	for _, s := range o.StageNs {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\n", s.Stage, s.Count, s.P50, s.P99, s.P999, s.Max)
	}
	t.Flush()
	fmt.Fprintf(w, "\nP&L %s %s, equity %s", o.PnL, o.Reporting, o.Equity)
	if !o.Marked {
		fmt.Fprint(w, " (incomplete: a position has no mark)")
	}
	fmt.Fprintf(w, "\naudit %s: %d records, ok %t; tape %s\n", o.AuditDir, o.AuditRecords, o.AuditOK, o.Tape)
}
