package app

import (
	"fmt"
	"strings"

	"oneprice/books/venue"
	"oneprice/feeds"
	"oneprice/feeds/recording"
	"oneprice/feeds/wire"
)

// Survey is what each recording says: its venue and its instruments.
type Survey struct {
	Files []SurveyedFile
}

// SurveyedFile is one recording.
type SurveyedFile struct {
	Path     string
	Adapter  *wire.Adapter
	Listings []wire.Listing
}

// Depth is how much of each file a survey reads.
type Depth uint8

const (
	// Quick ends after surveyBytes of text, or earlier when both quietBytes and quietLines have passed without a new
	// symbol: symbols of a busy socket show soon, and parsing more would cost a good part of the run. One that shows later
	// is counted as unknown.
	Quick Depth = iota
	// Whole reads everything.
	Whole
)

const (
	surveyBytes = 8 << 20
	quietBytes  = 1 << 18
	quietLines  = 2000
)

// NewSurvey looks at each file. forced names the venue where the lines do not tell, "" to find it.
func NewSurvey(paths []string, forced string, depth Depth) (*Survey, error) {
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
		if err := f.discover(depth); err != nil {
			return nil, err
		}
		s.Files = append(s.Files, f)
	}
	return s, nil
}

// discover learns the instruments of a file.
func (f *SurveyedFile) discover(depth Depth) error {
	d := f.Adapter.Discover()
	var line, offset int64 // of the last new symbol
	known := 0
	err := head(f.Path, func(l *recording.Line) bool {
		if l.Kind == recording.Damaged {
			return true
		}
		d.Line(l.Kind, l.Request, l.Msg)
		if depth == Whole || l.No%500 != 0 {
			return true
		}
		if l.Offset >= surveyBytes {
			return false
		}
		if n := len(d.Listings()); n != known {
			known, line, offset = n, l.No, l.Offset
		}
		return l.No-line < quietLines || l.Offset-offset < quietBytes
	})
	f.Listings = d.Listings()
	return err
}

// detect finds the venue of a file: the first line that can only come from one.
func detect(path string) (*wire.Adapter, error) {
	var a *wire.Adapter
	lines, damaged := 0, 0
	err := head(path, func(l *recording.Line) bool {
		lines++
		if l.Kind == recording.Damaged {
			damaged++
		} else {
			a = feeds.Detect(l.Kind, l.Request, l.Msg)
		}
		return a == nil && l.Offset < surveyBytes
	})
	if err == nil && damaged == lines {
		return nil, &InputError{fmt.Errorf(`%s: this is no recording: none of its first %d lines has the form {"recv_ns":…,"kind":…,"msg":…}; give a file in that form`, path, lines)}
	}
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
	for r.Next(&l) && do(&l) {
	}
	if err := r.Close(); err != nil {
		return &InputError{err}
	}
	return nil
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
