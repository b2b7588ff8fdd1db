package engine

import (
	"oneprice/books/venue"
	"oneprice/engine/audit"
	"oneprice/risk/stops"
)

// Batch is all that one Step reads: one drain of the rings, and one entry on the tape.
type Batch struct {
	// Now is the clock value of the drain. Never less than the one before.
	Now venue.Nanos
	// Events are whole messages in the order seen; Reports likewise.
	Events  []venue.Event
	Reports []venue.Report
}

// Tap sees every Batch before Step does, on the engine goroutine: tape and paper sit here, Step knows neither. The Batch
// is valid only during the call.
type Tap interface{ Frame(*Batch) }

// Out is what one Step wants done: what a restart must know first, then records, commands and snapshots. Valid until the
// next Step.
type Out struct {
	Keeps    []stops.Keep
	Records  []audit.Record
	Commands []venue.Command
	Resync   []venue.Inst
}

func (o *Out) reset() {
	o.Keeps, o.Records, o.Commands, o.Resync = o.Keeps[:0], o.Records[:0], o.Commands[:0], o.Resync[:0]
}
