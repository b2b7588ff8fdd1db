package app

import (
	"fmt"
	"sync"

	"oneprice/books/venue"
)

// scope is what an operator's command concerns: one venue, one strategy, or everything.
type scope struct {
	venue    venue.ID
	strategy uint16
}

// lane takes operators' commands to the engine, through a ring of its own, so that they stand on the tape.
type lane struct {
	mu    sync.Mutex // the ring has one writer at a time
	out   venue.Sink
	clock venue.Clock
	last  uint64
}

// put gives one command to the engine, with text for the audit: who gives it and why. It returns the number that the engine's
// status shows once the command has been carried out. who is an operator's number, 0 for the engine itself.
func (l *lane) put(k venue.OpKind, s scope, who uint16, text string) (request uint64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	var e venue.Event
	e.SetOperator(k, s.venue, who, now)
	e.SetStrategy(s.strategy)
	e.SetRequest(l.last + 1)
	message := []venue.Event{e}
	for rest := []byte(text); len(rest) > 0; {
		rest = e.SetNote(rest, who, now)
		message[len(message)-1].Flags = 0
		message = append(message, e)
	}
	if why := l.out.Put(message); why != venue.OK {
		return 0, fmt.Errorf("the command does not reach the engine: %s", why)
	}
	l.last++
	return l.last, nil
}
