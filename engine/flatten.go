package engine

import (
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// flattening closes positions on an operator's word: it sees to it that the closer of each instrument works for as long as
// anything is held there, also when an order of unknown fate fills later.
type flattening struct {
	venues []bool // by venue: to be flat
	on     bool   // one of them is
	// By instrument: the position when its closing was last begun, and what came in between since.
	begun []fixed.Qty
	why   []venue.Reason
}

func newFlattening(d *desk.Desk) flattening {
	n := len(d.Instruments)
	return flattening{venues: make([]bool, len(d.Balances)), begun: make([]fixed.Qty, n), why: make([]venue.Reason, n)}
}

// flatten begins to flatten a venue, or all for 0.
func (e *Engine) flatten(v venue.ID) {
	f := &e.flat
	for i := range f.venues {
		f.venues[i] = f.venues[i] || v == 0 || int(v) == i
	}
	f.on = true
	for _, in := range e.d.Instruments[1:] {
		if v == 0 || in.Venue == v {
			f.begun[in.Inst], f.why[in.Inst] = 0, venue.OK
		}
	}
	e.flattened()
}

// unflatten ends it; a closer at work goes on unless it is killed.
func (e *Engine) unflatten() {
	e.flat.on = false
	clear(e.flat.venues)
}

// flattened begins to close what is held and not being closed. What a closer has left, since no order can close it, is
// begun again once it has changed.
func (e *Engine) flattened() {
	f, s := &e.flat, e.cfg.Stops
	if !f.on || s == nil {
		return
	}
	for _, in := range e.d.Instruments[1:] {
		i := in.Inst
		q := e.d.Positions[i].Qty
		if !f.venues[in.Venue] || s.Closing(i) {
			continue
		}
		if q != f.begun[i] {
			e.stopped(s.Close(e.d, i))
		}
		f.begun[i] = q
	}
}

// hindered notes what came in between a closing order and its fill.
func (e *Engine) hindered(i venue.Inst, why venue.Reason) { e.flat.why[i] = why }

// Closing is how far an instrument is on its way to be flat.
type Closing struct {
	Inst venue.Inst
	// Qty is the position, AtWork says that it is still being closed. Without that it is too little for the venue.
	Qty    fixed.Qty
	AtWork bool
	// Orders is how many orders work in the instrument, Why what came in between last, OK where nothing did.
	Orders int
	Why    venue.Reason
}

// closings appends where every instrument stands that is to be flat.
func (e *Engine) closings(dst []Closing) []Closing {
	if !e.flat.on || e.cfg.Stops == nil {
		return dst
	}
	for _, in := range e.d.Instruments[1:] {
		if i := in.Inst; e.flat.venues[in.Venue] {
			q := e.d.Positions[i].Qty
			dst = append(dst, Closing{i, q, e.cfg.Stops.Closing(i) || q != e.flat.begun[i], len(e.d.Live[i]), e.flat.why[i]})
		}
	}
	return dst
}
