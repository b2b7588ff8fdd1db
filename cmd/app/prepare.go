package app

import "oneprice/books/venue"

// Run is a config and its recordings, read and found fit for each other; what a backtest starts from.
type Run struct {
	Config *Config
	Facts  *Facts
	Survey *Survey
}

// Prepare surveys the recordings, reads the config against what they brought, and notes the first price of each of its
// instruments. forced names the venue of every file, "" to find it.
func Prepare(config string, paths []string, forced string) (*Run, error) {
	s, err := NewSurvey(paths, forced, Quick)
	if err != nil {
		return nil, err
	}
	f := s.Facts()
	c, err := ReadConfig(config, f)
	if err != nil {
		return nil, err
	}
	a := &assembler{Assembly: &Assembly{Table: NewTable(), Config: c, Facts: f}, w: walker{where: c.where}}
	a.Currency(string(c.Reporting))
	if a.products(); len(a.w.faults) > 0 {
		a.w.sort()
		return nil, &ConfigError{c.Path, a.w.faults}
	}
	want := make([]venue.Inst, 0, len(a.Instruments))
	for _, in := range a.Instruments[1:] {
		if at := f.of(a.Venues[in.Venue].Adapter.Name); at != nil && at.find(in.Symbol) != nil {
			want = append(want, in.Inst)
		}
	}
	if err := f.Watch(a.Table); err != nil {
		return nil, err
	}
	if err := s.FindPrices(a.Table, want, f); err != nil {
		return nil, err
	}
	return &Run{c, f, s}, nil
}

// Assemble makes a fresh Assembly.
func (r *Run) Assemble() (*Assembly, error) { return Assemble(r.Config, r.Facts) }
