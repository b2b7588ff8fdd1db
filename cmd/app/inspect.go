package app

import (
	"context"
	"time"

	"oneprice/books"
	"oneprice/books/venue"
	"oneprice/feeds/recording"
)

// InspectOptions are the options of inspect.
type InspectOptions struct {
	Paths []string
	// Venue forces the venue of every file; "" finds it by the lines.
	Venue string
	// CheckpointEvery writes down id and touch every so many applied updates of an instrument; 0 never.
	CheckpointEvery uint64
	// Progress is told, now and then, how many bytes of the files have been read. It may be nil.
	Progress func(read int64)
}

// InspectReport is what inspect prints.
type InspectReport struct {
	Lines       int64              `json:"lines"`
	Damaged     int64              `json:"damaged_lines"`
	Span        RecvSpan           `json:"span"`
	Files       []FileReport       `json:"files"`
	Venues      []VenueReport      `json:"venues"`
	Instruments []InstrumentReport `json:"instruments"`
	// Fault is why an input could not be read to its end, "" otherwise.
	Fault string `json:"fault,omitempty"`
}

// Inspect reads recordings, keeps their books, and reports. An InputError comes with the report of what could be read.
// Where a quick look at the beginning has missed a symbol, or how finely it is printed, everything is read twice more.
func Inspect(ctx context.Context, o InspectOptions) (*InspectReport, error) {
	r, err := o.inspect(ctx, Quick)
	if r == nil || !r.missed() {
		return r, err
	}
	return o.inspect(ctx, Whole)
}

// missed reports whether messages were passed over that a deeper survey might have made readable.
func (r *InspectReport) missed() bool {
	for i := range r.Venues {
		if v := &r.Venues[i]; v.Unknown > 0 || v.RefusedBy[venue.OffScale.String()] > 0 {
			return true
		}
	}
	for i := range r.Instruments {
		for _, b := range r.Instruments[i].Broken {
			if b.Why == venue.OffTick.String() {
				return true
			}
		}
	}
	return false
}

func (o *InspectOptions) inspect(ctx context.Context, depth Depth) (*InspectReport, error) {
	s, err := NewSurvey(o.Paths, o.Venue, depth)
	if err != nil {
		return nil, err
	}
	t := NewTable()
	if err := s.Facts().Watch(t); err != nil {
		return nil, err
	}
	ids := s.Venues(t)
	in, err := s.Open()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	w := newWatch(t, o.CheckpointEvery)
	m := NewMarket(t, s)
	shelf := NewShelf(t, w.changed)
	var first, last venue.Nanos
	n := 0
	for l := in.Next(); l != nil; l = in.Next() {
		if n == 0 {
			first = l.RecvNs
		}
		last = max(last, l.RecvNs)
		w.line = l
		shelf.Apply(m.Decode(l))
		if n++; n&0x3fff == 0 {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			progress(o.Progress, in)
		}
	}
	progress(o.Progress, in)
	r := &InspectReport{Span: spanOf(first, last), Files: fileReports(in, t, ids), Venues: m.VenueReports()}
	for _, f := range r.Files {
		r.Lines += f.Lines
		r.Damaged += f.Damaged
	}
	for _, inst := range t.Instruments[1:] {
		ir := m.InstrumentReport(shelf.Books[inst.Inst])
		ir.Checkpoints, ir.Broken = w.checkpoints[inst.Inst], w.broken[inst.Inst]
		r.Instruments = append(r.Instruments, ir)
	}
	if err := in.Err(); err != nil {
		r.Fault = err.Error()
		return r, &InputError{err}
	}
	return r, nil
}

func progress(tell func(int64), in *recording.Merged) {
	if tell == nil {
		return
	}
	read := int64(0)
	for _, f := range in.Files() {
		read += f.Stats().Read
	}
	tell(read)
}

// watch writes down checkpoints and breaks while a Shelf applies lines.
type watch struct {
	every       uint64
	line        *recording.Line
	next        []uint64 // by Inst: applied count of the next checkpoint
	checkpoints [][]Checkpoint
	broken      [][]Break
}

// breaksMax bounds the breaks written down per instrument; all of them are counted.
const breaksMax = 100

func newWatch(t *Table, every uint64) *watch {
	n := len(t.Instruments)
	w := &watch{every: every, next: make([]uint64, n), checkpoints: make([][]Checkpoint, n), broken: make([][]Break, n)}
	for i := range w.next {
		w.next[i] = every
	}
	return w
}

// changed is called after whatever may have changed a book.
func (w *watch) changed(b *books.Book, o books.Outcome) {
	i := b.Instrument().Inst
	if o&books.StateChanged != 0 && b.State() == books.Stale && len(w.broken[i]) < breaksMax {
		w.broken[i] = append(w.broken[i], Break{File: w.line.File, Line: w.line.No, RecvNs: int64(w.line.RecvNs), UpdateID: b.Seq(), Why: b.Why().String()})
	}
	if w.every == 0 {
		return
	}
	applied := b.Counters().Applied
	if applied < w.next[i] {
		return
	}
	w.next[i] = applied - applied%w.every + w.every
	in := b.Instrument()
	c := Checkpoint{Applied: applied, UpdateID: b.Seq(), State: b.State().String()}
	if bid := rows(b, venue.Buy, 1); len(bid) > 0 {
		c.Bid = bid[0]
	}
	if ask := rows(b, venue.Sell, 1); len(ask) > 0 {
		c.Ask = ask[0]
	}
	w.checkpoints[in.Inst] = append(w.checkpoints[in.Inst], c)
}

// RecvSpan is a span of receive time.
type RecvSpan struct {
	From    string `json:"from"`
	To      string `json:"to"`
	Seconds string `json:"seconds"`
}

func spanOf(from, to venue.Nanos) RecvSpan {
	return RecvSpan{stamp(from), stamp(to), time.Duration(to - from).String()}
}

// stamp is an instant as text, "" when it is unknown.
func stamp(at venue.Nanos) string {
	if at == 0 {
		return ""
	}
	return time.Unix(0, int64(at)).UTC().Format("2006-01-02T15:04:05.000000000Z")
}
