package audit

import (
	"encoding/json"
	"fmt"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// Catalogue names what the numbers in a Record mean. Every table is indexed by that number; entry 0 is unused but for
// Strategies and Stops, which begin there. A number without a name is written as itself.
type Catalogue struct {
	Instruments []*venue.Instrument
	Venues      []string
	Currencies  []string
	Strategies  []string
	// Stops are the guards, by the number in a Stop record; 0 is an operator's closing.
	Stops []string
	// Rules are the gate's, by risk.Rule; their names also say in which unit a verdict's figures are.
	Rules []string
	// Reporting is the currency of limits.
	Reporting venue.Ccy
	// Mode, Build and Config identify the session: backtest, the binary's id, the hash of the configuration and of what it was
	// resolved with. Source is the hash of the configuration's text alone, the same for every session of it.
	Mode, Build, Config, Source string
	// Waiver is why an operator let a session begin that lacks what it should have, "" where it lacks nothing.
	Waiver string
	// Operator is who started the session, number 1 in its records; "" where nobody did.
	Operator string
}

// session is a Catalogue reduced to what lines need, in a form that the ring file keeps.
type session struct {
	Epoch       uint64       `json:"epoch"`
	Mode        string       `json:"mode"`
	Build       string       `json:"build"`
	Config      string       `json:"config"`
	Source      string       `json:"source"`
	Waiver      string       `json:"waiver,omitempty"`
	Operator    string       `json:"operator,omitempty"`
	Reporting   string       `json:"reporting"`
	Venues      []string     `json:"venues"`
	Currencies  []string     `json:"currencies"`
	Strategies  []string     `json:"strategies"`
	Stops       []string     `json:"stops,omitempty"`
	Rules       []rule       `json:"rules"`
	Instruments []instrument `json:"instruments"`
}

// instrument is what a line, and a reader who checks an edge, needs of one.
type instrument struct {
	Name       string `json:"instrument"`
	Venue      string `json:"venue"`
	Kind       string `json:"kind"`
	Contract   string `json:"contract"`
	Base       string `json:"base"`
	Quote      string `json:"quote"`
	Settle     string `json:"settle"`
	PriceScale uint8  `json:"price_scale"`
	QtyScale   uint8  `json:"qty_scale"`
	Multiplier string `json:"multiplier,omitempty"`
	Face       string `json:"face,omitempty"`
	Maker      string `json:"maker"`
	Taker      string `json:"taker"`
	FeeIn      string `json:"fee_in"`
	Complement bool   `json:"complement,omitempty"`
}

func newSession(epoch uint64, c *Catalogue) *session {
	s := &session{Epoch: epoch, Mode: c.Mode, Build: c.Build, Config: c.Config, Source: c.Source, Waiver: c.Waiver, Operator: c.Operator, Venues: c.Venues, Currencies: c.Currencies,
		Strategies: c.Strategies, Stops: c.Stops, Rules: newRules(c.Rules), Instruments: make([]instrument, len(c.Instruments))}
	s.Reporting = named(c.Currencies, int(c.Reporting))
	for i, in := range c.Instruments {
		if in == nil {
			continue
		}
		x := instrument{Name: in.Name, Venue: named(c.Venues, int(in.Venue)), Kind: in.Kind.String(), Contract: in.Contract.String(),
			Base: named(c.Currencies, int(in.Base)), Quote: named(c.Currencies, int(in.Quote)), Settle: named(c.Currencies, int(in.Settle)),
			PriceScale: in.PriceScale, QtyScale: in.QtyScale, Complement: in.Complement,
			Maker: rate(in.Fees.Maker), Taker: rate(in.Fees.Taker), FeeIn: [...]string{"settle", "base", "quote"}[in.Fees.In]}
		if in.Contract == venue.Inverse {
			x.Face = rate(fixed.Rate(in.Face)) // Cash and Rate share their scale
		} else {
			x.Multiplier = rate(in.Multiplier)
		}
		s.Instruments[i] = x
	}
	return s
}

func rate(r fixed.Rate) string { return string(fixed.AppendTrim(nil, int64(r), fixed.RateScale)) }

// named is the name of number i, or the number itself where the table has none. 0 is nothing.
func named(table []string, i int) string {
	if i == 0 {
		return ""
	}
	if i < len(table) && table[i] != "" {
		return table[i]
	}
	return fmt.Sprint(i)
}

// opening is the part of a start line that describes the session.
func (s *session) opening() ([]byte, error) {
	list := []instrument{}
	for _, x := range s.Instruments {
		if x.Name != "" {
			list = append(list, x)
		}
	}
	text, err := json.Marshal(struct {
		Mode        string       `json:"mode"`
		Build       string       `json:"build"`
		Config      string       `json:"config"`
		Source      string       `json:"source,omitempty"`
		Waiver      string       `json:"waiver,omitempty"`
		StartedBy   string       `json:"started_by,omitempty"`
		Reporting   string       `json:"reporting"`
		Instruments []instrument `json:"instruments"`
	}{s.Mode, s.Build, s.Config, s.Source, s.Waiver, s.Operator, s.Reporting, list})
	if err != nil {
		return nil, fmt.Errorf("audit: session: %w", err)
	}
	return text[1 : len(text)-1], nil // the fields without their braces
}
