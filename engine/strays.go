package engine

import (
	"slices"

	"oneprice/books/venue"
	"oneprice/risk"
)

// strays remembers the newest orders in our id space that this run neither placed nor adopted, so that each is cancelled
// once. One that is forgotten and still stands is cancelled again, which harms nothing.
type strays struct {
	ids [64]uint64
	n   int
}

// whose says why a report finds no order: it is of one that has made room for others, of a stray, or of somebody else's.
func (e *Engine) whose(r *venue.Report) venue.Reason {
	switch {
	case r.Client != 0 && !e.orders.Gave(r.Client):
		return venue.StrayOrder
	case r.Client != 0 || r.Slot != 0:
		return venue.UnknownTarget
	}
	switch r.Kind {
	case venue.Ack, venue.Amended, venue.Fill, venue.Cancelled, venue.Expired:
		return venue.ForeignOrder
	}
	return venue.UnknownTarget
}

// astray counts what is not ours, and ends a stray that stands: nobody here would watch it. Somebody else's is left alone.
func (e *Engine) astray(r *venue.Report, whose venue.Reason) {
	if whose == venue.ForeignOrder {
		e.counts.Foreign++
	}
	if whose != venue.StrayOrder {
		return
	}
	switch r.Kind {
	case venue.Ack, venue.Amended:
		e.endStray(r)
	case venue.SentReport:
		if venue.Sent(r.Flags) == venue.NotSent { // the next word of it asks for another cancel
			e.strays.forget(r.Client)
		}
	}
}

// endStray cancels a stray by its id.
func (e *Engine) endStray(r *venue.Report) {
	if r.Inst == 0 || slices.Contains(e.strays.ids[:], r.Client) {
		return
	}
	id, ok := e.orders.Take()
	if !ok {
		return
	}
	e.strays.add(r.Client)
	e.counts.Strays++
	c := risk.Ending(e.d.Instrument(r.Inst).Venue, r.Inst, r.Client, id, e.d.Now)
	c.Config = e.cfg.Fingerprint
	rec := e.record()
	rec.SetOrder(&c)
	rec.Reason = venue.StrayOrder
	e.out.Commands = append(e.out.Commands, c)
}

func (s *strays) add(id uint64) {
	s.ids[s.n%len(s.ids)] = id
	s.n++
}

func (s *strays) forget(id uint64) {
	if i := slices.Index(s.ids[:], id); i >= 0 {
		s.ids[i] = 0
	}
}
