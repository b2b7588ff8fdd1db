package engine

import (
	"oneprice/books/desk"
	"oneprice/books/venue"
	"oneprice/engine/audit"
	"oneprice/risk/stops"
)

// Journal keeps what a restart must know (engine/journal). False says that there is no room for it. The loop's goroutine
// only; nothing here may block or allocate.
type Journal interface {
	// Intent keeps a command before it is submitted. A New or Amend whose Intent found no room does not leave; a cancel
	// does.
	Intent(*venue.Command) bool
	// Report keeps what a report proves of an order. The journal itself remembers that one found no room.
	Report(*venue.Report) bool
	// Operator keeps a kill and its lifting.
	Operator(k venue.OpKind, v venue.ID, strategy uint16, now venue.Nanos) bool
	// Note keeps a small named value, the newest of its name. The error says that there is no room now: it is then kept
	// when there is, before anything else.
	Note(name, text string, amount int64, scale uint8, now venue.Nanos) error
	// Room reports whether new orders may be decided: records and reserved ids are left.
	Room() bool
	// Stepped is called when a step is over and everything said before has been applied: the moment for a checkpoint.
	Stepped(*desk.Desk)
}

// remember journals the reports of a batch, before Step sees them.
func (l *Loop) remember(rs []venue.Report) {
	if l.cfg.Journal == nil {
		return
	}
	for i := range rs {
		l.cfg.Journal.Report(&rs[i]) // found no room: counted there, and recovery asks the venue again
	}
}

// keep journals what a restart must know of stops, before the records and orders that follow from it.
func (l *Loop) keep(ks []stops.Keep) {
	if l.cfg.Journal == nil {
		return
	}
	for i := range ks {
		k := &ks[i]
		_ = l.cfg.Journal.Note(k.Name, k.Text, k.Value, k.Scale, l.batch.Now) // no room: it is owed, and no order leaves before
	}
}

// rulings journals what operators did in a drain, and tells the next Step when the journal fills or has room again.
func (l *Loop) rulings(rs []audit.Record) {
	j := l.cfg.Journal
	if j == nil {
		return
	}
	for i := range rs {
		if r := &rs[i]; r.Kind == audit.Operator {
			j.Operator(venue.OpKind(r.Sub), r.Venue, r.Strategy, r.At)
		}
	}
	l.tell(venue.RingJournal, !j.Room(), &l.stuck)
	j.Stepped(l.cfg.Engine.d)
}

// tell puts a Room event into the next batch where a ring's state has changed.
func (l *Loop) tell(ring uint8, full bool, told *bool) {
	if full == *told {
		return
	}
	*told = full
	l.next().SetRoom(ring, full, l.batch.Now)
}

// holds reports why a command must not leave: an order whose audit record or journal entry is not queued stays, a cancel
// never does.
func (l *Loop) holds(c *venue.Command, recorded bool) venue.Reason {
	risky := c.Op == venue.New || c.Op == venue.Amend
	if risky && !recorded {
		return venue.AuditBehind
	}
	if l.cfg.Journal != nil && !l.cfg.Journal.Intent(c) && risky {
		return venue.JournalFull
	}
	return venue.OK
}
