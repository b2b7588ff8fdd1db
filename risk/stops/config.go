package stops

import (
	"errors"
	"fmt"

	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// Stop is one stop as an operator configures it.
type Stop struct {
	Name string
	Kind Kind
	// Insts are what it guards: one instrument, or all of a product.
	Insts []venue.Inst
	// MaxLoss, in the reporting currency, is for a Loss.
	MaxLoss fixed.Cash
	// Level, and the side of the position that it guards (Buy a long, Sell a short), are for a Level. Limit, where not 0,
	// makes it a stop-limit: an order at that price that stays until it is filled.
	Level, Limit fixed.Price
	Closes       venue.Side
	// Trail, as a fraction of the best price, is for a Trail.
	Trail fixed.Rate
}

// maxKeep bounds the name of a guard, so that the journal can keep it under a longer one.
const maxKeep = 56

// New checks the stops against the instruments (indexed by Inst, entry 0 nil), which must outlive them, and makes them.
// terms is by Inst. The error joins all faults.
func New(cfg []Stop, terms []Terms, ins []*venue.Instrument) (*Stops, error) {
	s := &Stops{names: []string{"operator"}, closers: make([]closer, len(ins)), watch: make([][]uint16, len(ins)), terms: terms, ins: ins}
	var faults []error
	for i, in := range ins {
		if in != nil {
			s.closers[i].keep = closePrefix + in.Name
			if len(in.Name) > maxKeep {
				faults = append(faults, fmt.Errorf("%s: its name has %d bytes, and %d are the most", in.Name, len(in.Name), maxKeep))
			}
		}
	}
	for k := range cfg {
		c := &cfg[k]
		if err := c.validate(ins); err != nil {
			faults = append(faults, fmt.Errorf("stop %s: %w", c.Name, err))
			continue
		}
		if c.Kind == Loss {
			s.add(c, c.Name, c.Insts)
			continue
		}
		for _, i := range c.Insts {
			name := c.Name
			if len(c.Insts) > 1 {
				name += " " + ins[i].Name
			}
			s.add(c, name, []venue.Inst{i})
		}
	}
	for _, name := range s.names {
		if len(name) > maxKeep {
			faults = append(faults, fmt.Errorf("stop %s: its name has %d bytes, and %d are the most; shorten it", name, len(name), maxKeep))
		}
	}
	n := 2 * (len(s.guards) + len(ins)) // what can happen in one drain, short of an operator's orders beside it
	s.said, s.keeps, s.closing = make([]Said, 0, n), make([]Keep, 0, n), make([]venue.Inst, 0, len(ins))
	return s, errors.Join(faults...)
}

func (s *Stops) add(c *Stop, name string, insts []venue.Inst) {
	g := guard{cfg: *c, insts: insts, keep: guardPrefix + name}
	if c.Kind == Level {
		g.trip = c.Level
	}
	if c.Kind == Loss {
		g.parts = make([]part, len(insts))
	}
	for _, i := range insts {
		s.watch[i] = append(s.watch[i], uint16(len(s.guards)))
	}
	s.guards, s.names = append(s.guards, g), append(s.names, name)
}

// validate finds what is missing or contradicts itself.
func (c *Stop) validate(ins []*venue.Instrument) error {
	if len(c.Insts) == 0 || len(c.Insts) > 1024 {
		return fmt.Errorf("it guards %d instruments; name 1 to 1024", len(c.Insts))
	}
	for _, i := range c.Insts {
		if i == 0 || int(i) >= len(ins) || ins[i] == nil {
			return fmt.Errorf("there is no instrument %d", i)
		}
		if c.Kind != Level {
			continue
		}
		for _, p := range []fixed.Price{c.Level, c.Limit} {
			if fixed.RoundTo(p, ins[i].Tick, fixed.Down) != p {
				return fmt.Errorf("%s is no multiple of the tick %s of %s", fixed.Decimal(p, ins[i].PriceScale), fixed.Decimal(ins[i].Tick, ins[i].PriceScale), ins[i].Name)
			}
		}
	}
	switch c.Kind {
	case Loss:
		if c.MaxLoss <= 0 {
			return errors.New("its loss must be above 0")
		}
	case Level:
		switch {
		case c.Level <= 0:
			return errors.New("its level must be above 0")
		case c.Closes != venue.Buy && c.Closes != venue.Sell:
			return errors.New("it must close a long or a short")
		case c.Limit < 0 || c.Limit != 0 && (c.Closes == venue.Buy) == (c.Limit > c.Level):
			return errors.New("its limit lies before its level, where it would fill at once or never; move it to the level or beyond")
		}
	case Trail:
		if c.Trail <= 0 || c.Trail >= fixed.One {
			return errors.New("its trail must lie between 0 and the whole price")
		}
	default:
		return errors.New("it has no kind")
	}
	return nil
}

// The names under which a restart finds what was kept.
const (
	guardPrefix = "stop:"
	closePrefix = "close:"
)

// IsKeep reports whether a kept value is one of a Stops.
func IsKeep(name string) bool {
	return len(name) > len(guardPrefix) && name[:len(guardPrefix)] == guardPrefix || len(name) > len(closePrefix) && name[:len(closePrefix)] == closePrefix
}

// keepGuard and keepCloser say what a restart must know now.
func (s *Stops) keepGuard(g *guard) {
	k := Keep{Name: g.keep, Text: stateText[g.state], Value: int64(g.mark), Scale: s.ins[g.insts[0]].PriceScale}
	s.keeps = append(s.keeps, k)
}

func (s *Stops) keepCloser(i venue.Inst) {
	c := &s.closers[i]
	k := Keep{Inst: i, Name: c.keep, Value: int64(c.left), Scale: s.ins[i].QtyScale}
	if c.stopped {
		k.Text = s.names[c.by]
	}
	s.keeps = append(s.keeps, k)
}

// Restore takes over what earlier runs kept, in any order; before the first Decide. A guard that the config no longer has
// is forgotten. The error joins what cannot be taken over: a closing at an instrument that the config no longer has, or a
// value that the scales cannot hold.
func (s *Stops) Restore(kept []Keep, d *desk.Desk) error {
	var faults []error
	for _, k := range kept {
		for n := range s.guards {
			if g := &s.guards[n]; g.keep == k.Name {
				faults = append(faults, s.restoreGuard(g, &k))
			}
		}
		if len(k.Name) <= len(closePrefix) || k.Name[:len(closePrefix)] != closePrefix || k.Text == "" {
			continue
		}
		i := s.closerOf(k.Name)
		if i == 0 && k.Value != 0 {
			faults = append(faults, fmt.Errorf("%s is being closed by %s, but the config has no such instrument; add it back", k.Name[len(closePrefix):], k.Text))
		}
		if i != 0 {
			faults = append(faults, s.restoreCloser(i, &k))
		}
	}
	for _, i := range s.closing { // a kill may have come between the two
		if by := s.closers[i].by; by != 0 {
			s.guards[by-1].state = fired
		}
	}
	return errors.Join(faults...)
}

func (s *Stops) closerOf(name string) venue.Inst {
	for i := range s.closers {
		if s.closers[i].keep == name {
			return venue.Inst(i)
		}
	}
	return 0
}

func (s *Stops) restoreGuard(g *guard, k *Keep) error {
	for st, text := range stateText {
		if text == k.Text {
			g.state = state(st)
		}
	}
	if g.cfg.Kind != Trail || k.Value == 0 {
		return nil
	}
	v, ok := fixed.Rescale(k.Value, k.Scale, s.ins[g.insts[0]].PriceScale, fixed.Up)
	if !ok {
		return fmt.Errorf("%s: its mark cannot be kept at %d decimals", g.keep, s.ins[g.insts[0]].PriceScale)
	}
	g.mark = fixed.Price(v)
	g.retrip()
	return nil
}

func (s *Stops) restoreCloser(i venue.Inst, k *Keep) error {
	c := &s.closers[i]
	for n, name := range s.names {
		if name == k.Text {
			c.by = uint16(n)
		}
	}
	c.stopped, c.wait = true, retryFirst
	if k.Value == 0 {
		return nil
	}
	v, ok := fixed.Rescale(k.Value, k.Scale, s.ins[i].QtyScale, fixed.Down)
	if !ok {
		return fmt.Errorf("%s: it cannot be kept at %d decimals", c.keep, s.ins[i].QtyScale)
	}
	c.left, c.active = fixed.Qty(v), true
	if c.by != 0 {
		c.limit = s.guards[c.by-1].cfg.Limit
	}
	s.closing = append(s.closing, i)
	return nil
}
