package app

import (
	"fmt"
	"strings"

	"oneprice/books/venue"
	"oneprice/feeds"
	"oneprice/feeds/recording"
	"oneprice/feeds/wire"
)

// Survey is what the beginning of each recording says: its venue and its instruments.
type Survey struct {
	Files []SurveyedFile
}

// SurveyedFile is one recording.
type SurveyedFile struct {
	Path     string
	Adapter  *wire.Adapter
	Listings []wire.Listing
}

// surveyBytes is how much text of a file is looked at. Every symbol of a busy socket shows within it, and reading it
// costs little beside the run itself.
const surveyBytes = 8 << 20

// NewSurvey looks at the beginning of each file. forced names the venue where the lines do not tell, "" to find it.
func NewSurvey(paths []string, forced string) (*Survey, error) {
	s := &Survey{}
	var a *wire.Adapter
	if forced != "" {
		var err error
		if a, err = feeds.ByName(forced); err != nil {
			return nil, &UsageError{err}
		}
	}
	for _, p := range paths {
		f := SurveyedFile{Path: p, Adapter: a}
		if f.Adapter == nil {
			var err error
			if f.Adapter, err = detect(p); err != nil {
				return nil, err
			}
		}
		d := f.Adapter.Discover()
		err := head(p, func(l *recording.Line) bool {
			if l.Kind != recording.Damaged {
				d.Line(l.Kind, l.Request, l.Msg)
			}
			return true
		})
		if err != nil {
			return nil, err
		}
		f.Listings = d.Listings()
		s.Files = append(s.Files, f)
	}
	return s, nil
}

// detect finds the venue of a file: the first line that can only come from one.
func detect(path string) (*wire.Adapter, error) {
	var a *wire.Adapter
	lines := 0
	err := head(path, func(l *recording.Line) bool {
		lines++
		if l.Kind != recording.Damaged {
			a = feeds.Detect(l.Kind, l.Request, l.Msg)
		}
		return a == nil
	})
	if err == nil && a == nil {
		err = &InputError{fmt.Errorf("%s: unknown venue: none of its first %d lines can be told to come from one; name it with --venue (%s)",
			path, lines, strings.Join(feeds.Names(), ", "))}
	}
	return a, err
}

// head calls do with the first lines of a file until it answers false. A file that ends badly is not an error here: the
// run itself reports it.
func head(path string, do func(*recording.Line) bool) error {
	r, err := recording.OpenFile(path)
	if err != nil {
		return &InputError{err}
	}
	var l recording.Line
	for r.Next(&l) && l.Offset < surveyBytes && do(&l) {
	}
	if err := r.Close(); err != nil {
		return &InputError{err}
	}
	return nil
}

// Open opens every file of the survey, merged on receive time.
func (s *Survey) Open() (*recording.Merged, error) {
	var rs []*recording.Reader
	for _, f := range s.Files {
		r, err := recording.OpenFile(f.Path)
		if err != nil {
			recording.Merge(rs...).Close()
			return nil, &InputError{err}
		}
		rs = append(rs, r)
	}
	return recording.Merge(rs...), nil
}

// Watch adds to the table every instrument of the survey that is not in it yet, each as a product of its own, and
// returns the venue of each file.
func (s *Survey) Watch(t *Table) ([]venue.ID, error) {
	ids := make([]venue.ID, len(s.Files))
	for i := range s.Files {
		f := &s.Files[i]
		ids[i] = t.venueOf(f.Adapter)
		for _, l := range f.Listings {
			name := t.Venues[ids[i]].Name + ":" + l.Symbol
			if t.Find(name) != nil {
				continue
			}
			if err := t.AddProduct(name, []member{{venue: ids[i], listing: l}}, nil, nil); err != nil {
				return nil, &InputError{fmt.Errorf("%s: %w", f.Path, err)}
			}
		}
	}
	return ids, nil
}

// venueOf is the venue that speaks through an adapter, added under the adapter's name when there is none.
func (t *Table) venueOf(a *wire.Adapter) venue.ID {
	for i := 1; i < len(t.Venues); i++ {
		if t.Venues[i].Adapter == a {
			return venue.ID(i)
		}
	}
	return t.Venue(a.Name, a)
}
