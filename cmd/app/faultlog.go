package app

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"oneprice/feeds/wire"
)

// Bounds of the fault log.
const (
	faultsQueued  = 1024
	faultsKnown   = 256
	faultsAgain   = 10 * time.Second
	faultsText    = 300
	faultsFurther = "further faults of other kinds"
)

// faultLog writes the faults of the edges for the operator: a new one at once with its cause, one that repeats as a count,
// at most every ten seconds. Those who hear of faults never wait for it: its goroutine alone writes.
type faultLog struct {
	log    *slog.Logger
	in     chan heard
	missed atomic.Uint64 // there was no room for them in the queue
	known  map[string]*repeated
	order  []*repeated
}

// heard is one fault and the venue, as the config names it, that it is of.
type heard struct {
	venue string
	err   *wire.Error
}

// repeated is a fault that has been told, and how often it has come again since.
type repeated struct {
	heard
	text  string
	again uint64
	told  time.Time
}

// newFaultLog makes a log that run brings to life; a nil logger says nothing.
func newFaultLog(log *slog.Logger) *faultLog {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &faultLog{log: log, in: make(chan heard, faultsQueued), known: map[string]*repeated{}}
}

// of hears the faults of a venue, from any goroutine, and never waits.
func (f *faultLog) of(venue string) func(*wire.Error) {
	return func(e *wire.Error) {
		select {
		case f.in <- heard{venue, e}:
		default:
			f.missed.Add(1)
		}
	}
}

// run writes until ctx ends, and then what is left.
func (f *faultLog) run(ctx context.Context) {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case h := <-f.in:
			f.take(h, time.Now())
		case now := <-t.C:
			f.counts(now.Add(-faultsAgain))
		case <-ctx.Done():
			for len(f.in) > 0 {
				f.take(<-f.in, time.Now())
			}
			f.counts(time.Now())
			return
		}
	}
}

// take tells a fault that is new and counts one that is not.
func (f *faultLog) take(h heard, now time.Time) {
	text := h.err.Error()
	if len(text) > faultsText { // a venue may say anything
		text = strings.ToValidUTF8(text[:faultsText], "") + "..."
	}
	key := h.venue + " " + strings.Map(noDigits, text)
	r := f.known[key]
	if r == nil && len(f.known) >= faultsKnown {
		key, text = faultsFurther, faultsFurther
		r = f.known[key]
	}
	if r != nil {
		r.again++
		return
	}
	r = &repeated{h, text, 0, now}
	f.known[key] = r
	f.order = append(f.order, r)
	f.log.Warn(text, "venue", h.venue, "op", h.err.Op, "kind", h.err.Kind.String())
}

// noDigits drops what differs between two faults that are the same: ports, sequences, times.
func noDigits(r rune) rune {
	if '0' <= r && r <= '9' {
		return -1
	}
	return r
}

// counts tells how often faults have come again that were last told before an instant.
func (f *faultLog) counts(before time.Time) {
	for _, r := range f.order {
		if r.again > 0 && !r.told.After(before) {
			f.log.Warn("again: "+r.text, "venue", r.venue, "op", r.err.Op, "kind", r.err.Kind.String(), "times", r.again)
			r.again, r.told = 0, time.Now()
		}
	}
	if n := f.missed.Swap(0); n > 0 {
		f.log.Warn("more faults than could be written", "times", n)
	}
}
