package quoting

import (
	"oneprice/books/desk"
	"oneprice/books/venue"
)

const maxFills = 32

// Strategy quotes. It implements desk.Strategy and desk.Reporter; the engine goroutine owns it.
type Strategy struct {
	name string
}

// New checks cfg against the instruments (indexed by Inst, entry 0 nil) and makes the strategy. The error joins all faults.
func New(cfg Config, ins []*venue.Instrument) (*Strategy, error) {
	if err := cfg.validate(ins); err != nil {
		return nil, err
	}
	return &Strategy{name: cfg.Name}, nil
}

// Name is the operator's name for it.
func (s *Strategy) Name() string { return s.name }

// Decide implements desk.Strategy.
func (s *Strategy) Decide(d *desk.Desk, out *desk.Out) {}

// Stats implements desk.Reporter.
func (s *Strategy) Stats() []desk.Stat { return nil }
