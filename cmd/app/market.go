package app

import (
	"oneprice/books"
	"oneprice/books/venue"
	"oneprice/feeds/recording"
	"oneprice/feeds/wire"
)

// Market turns recorded lines into events, one decoder per file and connection, and tallies what it saw. One goroutine.
type Market struct {
	Table *Table
	files []fileFeed
	// venues by venue.ID, tally by Inst.
	venues []VenueTally
	tally  []Tally
}

// fileFeed is one file of the recording.
type fileFeed struct {
	venue venue.ID
	conns []*conn
	last  *conn
	// rest reads the answers to requests. It knows the instruments of this file only, so that a book whose request names
	// no symbol can be told where the file has one.
	rest wire.Decoder
}

// conn is one of the recorder's connections.
type conn struct {
	name string
	dec  wire.Decoder
	// carries marks the instruments whose books came over it since it opened.
	carries []bool
}

// VenueTally counts the messages of one venue by what became of them.
type VenueTally struct {
	// Messages are received ones: ws and rest lines. Other counts lines that are neither (sent, opened, ticks).
	Messages, Other uint64
	// Outcome is by the decoder's reason; Outcome[venue.OK] gave events.
	Outcome [venue.Reasons]uint64
	// Damaged counts lines that were no lines of a recording, Reopened connections that were opened again after use.
	Damaged, Reopened uint64
	// FirstRefused is the line number of the first message refused as not valid, with its file; 0 when there is none.
	FirstRefused     int64
	FirstRefusedFile int
}

// Tally counts what was decoded for one instrument.
type Tally struct {
	// Frames are book messages: deltas, and snapshots as one each. Touches and Trades are events.
	Frames, Touches, Trades uint64
	// Offsets are receive time less venue time of its deltas.
	Offsets Offsets
}

// NewMarket makes a Market for the files of a survey, whose instruments are in the table.
func NewMarket(t *Table, s *Survey) *Market {
	ids := s.Venues(t)
	m := &Market{Table: t, files: make([]fileFeed, len(ids)), venues: make([]VenueTally, len(t.Venues)), tally: make([]Tally, len(t.Instruments))}
	for i, id := range ids {
		f := &m.files[i]
		f.venue = id
		own := t.Of(id)
		if ls := s.Files[i].Listings; len(ls) > 0 {
			own = own[:0]
			for _, l := range ls {
				if in := t.Find(t.Venues[id].Name + ":" + l.Symbol); in != nil {
					own = append(own, in)
				}
			}
		}
		f.rest = t.Venues[id].Adapter.Decoder(id, own)
	}
	return m
}

// Decode reads one line and returns its events, nil when it has none. They are valid until the next call.
func (m *Market) Decode(l *recording.Line) []venue.Event {
	f := &m.files[l.File]
	v := &m.venues[f.venue]
	var c *conn
	var ev []venue.Event
	var why venue.Reason
	switch l.Kind {
	case recording.WS:
		c = m.conn(f, l.Conn)
		ev, why = c.dec.Decode(l.RecvNs, l.Msg)
	case recording.Rest:
		ev, why = f.rest.Rest(l.RecvNs, l.Request, l.Msg)
	case recording.Open:
		v.Other++
		return m.open(f, l)
	case recording.Damaged:
		v.Damaged++
		for _, c := range f.conns {
			ev = append(ev, m.lost(f, c, venue.Malformed, l.RecvNs)...)
		}
		return ev
	default:
		v.Other++
		return nil
	}
	v.Messages++
	v.Outcome[why]++
	if why != venue.OK {
		if !refused(why) {
			return ev
		}
		if v.FirstRefused == 0 {
			v.FirstRefused, v.FirstRefusedFile = l.No, l.File
		}
		if c != nil {
			return m.lost(f, c, why, l.RecvNs)
		}
		return nil
	}
	m.note(ev, c)
	return ev
}

// lost is what a damaged message or a lost connection means: it may have been any book's that the connection carries. A book
// with a chain of its own shows by its next frame whether a damaged message was one of its; the others are not to be
// trusted until a snapshot comes.
func (m *Market) lost(f *fileFeed, c *conn, why venue.Reason, recv venue.Nanos) []venue.Event {
	var ev []venue.Event
	for i, carried := range c.carries {
		if carried && (why == venue.ConnectionLost || m.Table.Instruments[i].Chain == venue.ChainNone) {
			ev = append(ev, venue.Event{})
			ev[len(ev)-1].SetGap(f.venue, venue.Inst(i), why, 0, 0, recv)
		}
	}
	return ev
}

// refused reports whether a message was not taken although it was meant for us: damage, not choice.
func refused(why venue.Reason) bool {
	return why != venue.OK && why != venue.Ignored && why != venue.UnknownSymbol && why != venue.Duplicate
}

// conn finds the connection of that name, making it when it is new, and remembers it as the last one.
func (m *Market) conn(f *fileFeed, name string) *conn {
	if f.last != nil && f.last.name == name {
		return f.last
	}
	for _, c := range f.conns {
		if c.name == name {
			f.last = c
			return c
		}
	}
	c := &conn{name: name, dec: m.decoder(f), carries: make([]bool, len(m.Table.Instruments))}
	f.conns = append(f.conns, c)
	f.last = c
	return c
}

func (m *Market) decoder(f *fileFeed) wire.Decoder {
	return m.Table.Venues[f.venue].Adapter.Decoder(f.venue, m.Table.Of(f.venue))
}

// open handles a connection that opens. When it was in use before, what was sent between is lost: its books are gone,
// and its message numbers start anew.
func (m *Market) open(f *fileFeed, l *recording.Line) []venue.Event {
	c := m.conn(f, l.Conn)
	ev := m.lost(f, c, venue.ConnectionLost, l.RecvNs)
	if len(ev) > 0 {
		clear(c.carries)
		m.venues[f.venue].Reopened++
		c.dec = m.decoder(f)
	}
	return ev
}

// note tallies decoded events; c is the connection that brought them, nil for an answer to a request.
func (m *Market) note(ev []venue.Event, c *conn) {
	for i := 0; i < len(ev); i++ {
		e := &ev[i]
		switch e.Kind {
		case venue.Head:
			t := &m.tally[e.Inst]
			if c != nil {
				c.carries[e.Inst] = true
			}
			if e.Flags&venue.Snapshot == 0 {
				if e.At() != 0 {
					t.Offsets.Add(e.Recv() - e.At())
				}
				t.Frames++
			} else if e.First() == 0 {
				t.Frames++
			}
			i += e.Count()
		case venue.Touch:
			m.tally[e.Inst].Touches++
		case venue.Trade:
			m.tally[e.Inst].Trades++
		}
	}
}

// Shelf keeps a book per instrument and applies events to it, as the engine does but without deciding: for inspect.
type Shelf struct {
	Books []*books.Book
	table *Table
	// changed is called after each change of a book, or after each frame applied to it.
	changed func(b *books.Book, o books.Outcome)
}

// NewShelf makes an empty book for every instrument of the table.
func NewShelf(t *Table, changed func(*books.Book, books.Outcome)) *Shelf {
	s := &Shelf{Books: make([]*books.Book, len(t.Instruments)), table: t, changed: changed}
	for _, in := range t.Instruments[1:] {
		s.Books[in.Inst] = books.New(in, books.Config{})
	}
	return s
}

// Apply applies the events of one line. Asking for a snapshot has no effect on a recording: a later one in it may heal.
func (s *Shelf) Apply(ev []venue.Event) {
	for i := 0; i < len(ev); i++ {
		e := &ev[i]
		switch e.Kind {
		case venue.Head:
			b, n := s.Books[e.Inst], e.Count()
			s.changed(b, b.Apply(ev[i:i+1+n]))
			i += n
		case venue.Touch:
			b := s.Books[e.Inst]
			s.changed(b, b.ApplyTouch(e))
		case venue.Gap:
			why := venue.Reason(e.W[0])
			s.each(e, func(b *books.Book) books.Outcome { return b.Invalidate(why) })
		case venue.Alive:
			if e.Inst != 0 { // a heartbeat of the connection proves no book
				s.Books[e.Inst].Alive(e.Seen())
			}
		case venue.TickChange:
			b := s.Books[e.Inst]
			b.Instrument().SetRules(e.Rules())
			s.changed(b, b.Admit(e.Rules().Tick))
		case venue.StatusChange:
			s.Books[e.Inst].Instrument().Status = e.Status()
		}
	}
}

// each applies f to the book that e names, or to every book of its venue.
func (s *Shelf) each(e *venue.Event, f func(*books.Book) books.Outcome) {
	if e.Inst != 0 {
		s.changed(s.Books[e.Inst], f(s.Books[e.Inst]))
		return
	}
	for _, b := range s.Books[1:] {
		if b.Instrument().Venue == e.Venue {
			s.changed(b, f(b))
		}
	}
}
