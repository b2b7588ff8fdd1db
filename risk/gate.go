// Package risk is the gate between what a strategy wants and what a venue is told: it approves or refuses, never
// resizes, and nothing else can make an Approved.
//
// Ownership: the engine goroutine owns a Gate; only the Kill that it points at is shared.
package risk

import (
	"oneprice/books/desk"
	"oneprice/books/venue"
	"oneprice/risk/ledger"
)

// Gate holds limits and what is in use of them. One goroutine.
type Gate struct {
	cfg  Config
	kill *venue.Kill
}

// New validates cfg against the instruments of d and returns a Gate. Every fault is named, joined into one error.
func New(cfg Config, d *desk.Desk, kill *venue.Kill) (*Gate, error) {
	return &Gate{cfg: cfg, kill: kill}, nil
}

// Check approves or refuses one intent. On refusal out holds no command.
func (g *Gate) Check(in *desk.Intent, d *desk.Desk, out *Approved) Verdict {
	return Verdict{Reason: venue.NotArmed, Rule: RuleArmed}
}

// CheckPlan approves every leg into out[:p.N] and reserves its worst case under p.ID, or refuses and reserves nothing.
func (g *Gate) CheckPlan(p *desk.Plan, d *desk.Desk, out []Approved) Verdict {
	return Verdict{Reason: venue.NotArmed, Rule: RuleArmed}
}

// Release drops the reservation of one leg: it now counts in d.Working, or will never leave.
func (g *Gate) Release(plan uint64, leg uint8, d *desk.Desk) {}

// EndPlan drops what is left of a plan's reservation.
func (g *Gate) EndPlan(plan uint64, d *desk.Desk) {}

// Refresh must follow every change of d.Positions[i] or d.Working[i].
func (g *Gate) Refresh(i venue.Inst, d *desk.Desk) {}

// Mark values everything at current books and rates; the engine calls it every few milliseconds of Now.
func (g *Gate) Mark(d *desk.Desk) {}

// OnWorth takes profit and loss and equity, for daily loss, drawdown and leverage.
func (g *Gate) OnWorth(w ledger.Worth, now venue.Nanos) {}

// OnReport learns from a report after ledger and orders have booked it; o is nil when no order of ours is known.
func (g *Gate) OnReport(r *venue.Report, o *desk.Order, d *desk.Desk) {}

// OnTimeout counts an order that got no answer in time (it became Unknown).
func (g *Gate) OnTimeout(v venue.ID, now venue.Nanos) {}

// OnFault counts a failure of a venue that is no order's (a checksum mismatch, a lost private stream).
func (g *Gate) OnFault(v venue.ID, why venue.Reason, now venue.Nanos) {}

// OnClock takes the measured offset between our clock and the venue's.
func (g *Gate) OnClock(v venue.ID, offset venue.Nanos) {}

// OnOperator obeys an operator; v is the venue concerned, 0 for all.
func (g *Gate) OnOperator(k venue.OpKind, v venue.ID, now venue.Nanos) {}

// Room notes that a ring is full or has room again.
func (g *Gate) Room(ring uint8, full bool) {}
