package app

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	"oneprice/books"
	"oneprice/engine"
	"oneprice/engine/tape"
	"oneprice/feeds/wire"

	"github.com/shopspring/decimal"
)

// LiveResult is what a session on live data prints at its end.
type LiveResult struct {
	Mode    string `json:"mode"`
	Seconds string `json:"seconds"`
	Outcome
	Instruments int               `json:"instruments"`
	BooksLive   int               `json:"books_live"`
	NotLive     map[string]string `json:"books_not_live,omitempty"`
	// Untraded are the instruments that took no orders, since nothing gave a price for their limits at the start.
	Untraded []string `json:"untraded,omitempty"`
	// OpenAtExit are the orders that the session's end could not cancel in time.
	OpenAtExit []string     `json:"open_at_exit"`
	Feeds      []FeedReport `json:"feeds"`
	// AllocsPerEvent is what remains when the tape is stepped again with nothing else running: room that grows to the
	// busiest drain, and is then kept.
	AllocsPerEvent string `json:"allocs_per_event"`
	Console        string `json:"console,omitempty"`
	TapeBroken     bool   `json:"tape_broken"`
	// Where orders went to venues: what became of them by venue, how many are in doubt now, and how many balances differ
	// from what the venues' own books hold, where those can be seen.
	Venues           map[string]*OrderReport `json:"venues,omitempty"`
	UnknownNow       uint64                  `json:"unknown_now"`
	PositionMismatch uint64                  `json:"position_mismatch"`
	Mismatches       []string                `json:"mismatches,omitempty"`
	Demo             *DemoReport             `json:"demo,omitempty"`
	Soak             *SoakReport             `json:"soak,omitempty"`
}

// FeedReport is what one connection counted.
type FeedReport struct {
	Venue    string `json:"venue"`
	Messages uint64 `json:"messages"`
	Bytes    uint64 `json:"bytes"`
	Connects uint64 `json:"connects"`
	Losses   uint64 `json:"losses"`
	Damaged  uint64 `json:"damaged"`
	Dropped  uint64 `json:"dropped"`
	// Fault is why the connection was last lost or could not be made, "" while it never was.
	Fault string `json:"fault,omitempty"`
}

// feedReport tells what a connection counted.
func feedReport(venue string, s *wire.Session) FeedReport {
	k := s.Counters()
	r := FeedReport{Venue: venue, Messages: k.Messages.Load(), Bytes: k.Bytes.Load(), Connects: k.Connects.Load(), Losses: k.Losses.Load(),
		Damaged: k.Damaged.Load(), Dropped: k.Dropped.Load()}
	if err := s.Fault(); err != nil {
		r.Fault = err.Error()
	}
	return r
}

// finish gathers the result of a session that has ended, closes its files and proves the audit. over, where not nil, ends
// what else runs in the process, so that what is counted after it is Step's alone.
func (l *Live) finish(err error, over func()) (*LiveResult, error) {
	r := &LiveResult{Seconds: time.Since(l.Began).Round(time.Millisecond).String(), Outcome: l.outcome(), Instruments: len(l.Instruments) - 1,
		NotLive: map[string]string{}, Untraded: l.Untraded, OpenAtExit: l.open(), Console: l.Address, TapeBroken: l.tape.Broken()}
	for _, in := range l.Instruments[1:] {
		if b := l.Engine.Desk().Book(in.Inst); b.State() == books.Live {
			r.BooksLive++
		} else {
			r.NotLive[in.Name] = fmt.Sprintf("%s (%s)", b.State(), b.Why())
		}
	}
	for id, f := range l.Feeders {
		if f == nil {
			continue
		}
		for _, s := range f.Sessions() {
			if s.Counters().Attempts.Load() == 0 {
				continue // its turn comes when the first connection is old
			}
			f := feedReport(l.Venues[id].Name, s)
			r.Frames += f.Messages
			r.Feeds = append(r.Feeds, f)
		}
	}
	if l.orders != nil {
		l.accounts(r)
	}
	if err = errors.Join(err, l.Close()); err != nil {
		return r, err
	}
	if err := r.audited(); err != nil {
		return r, err
	}
	if over != nil {
		over()
	}
	r.AllocsPerEvent, err = l.stepAgain()
	return r, err
}

// againMax bounds the drains that stepAgain holds in memory.
const againMax = 200_000

// stepAgain steps the session's tape once more through a fresh engine, alone, and counts what Step allocates per event.
func (l *Live) stepAgain() (string, error) {
	rd, err := tape.Open(l.TapePath)
	if err != nil {
		return "", err
	}
	defer rd.Close()
	a, err := Assemble(l.Config, l.Facts)
	if err != nil {
		return "", err
	}
	if r := l.Rebalancing; r != nil {
		a.only(a.trader(r.Orders), r.Orders)
	}
	t := &Trading{Assembly: a, opening: l.opening}
	if err := t.decider(l.writer.Epoch()); err != nil {
		return "", err
	}
	var drains []engine.Batch
	events := 0
	for len(drains) < againMax {
		var b engine.Batch
		if err := rd.Next(&b); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, tape.ErrBroken) {
				break
			}
			return "", err
		}
		events += len(b.Events)
		drains = append(drains, b)
	}
	if events == 0 {
		return "0", nil
	}
	var out engine.Out
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range drains {
		t.Engine.Step(&drains[i], &out)
	}
	runtime.ReadMemStats(&after)
	return decimal.NewFromUint64(after.Mallocs-before.Mallocs).DivRound(decimal.NewFromInt(int64(events)), 6).String(), nil
}

// Text writes the result for a person.
func (r *LiveResult) Text(w io.Writer) {
	fmt.Fprintf(w, "%s for %s (wait %s): %d frames, %d events, %d steps; %d of %d books live\n", r.Mode, r.Seconds, r.Wait, r.Frames, r.Events, r.Steps, r.BooksLive, r.Instruments)
	for _, f := range r.Feeds {
		fmt.Fprintf(w, "  %s: %d messages, %d connects, %d losses, %d damaged, %d dropped\n", f.Venue, f.Messages, f.Connects, f.Losses, f.Damaged, f.Dropped)
		if f.Fault != "" {
			fmt.Fprintf(w, "    last lost: %s\n", f.Fault)
		}
	}
	for _, name := range r.Untraded {
		fmt.Fprintf(w, "%s took no orders: nothing gave a price for its limits at the start\n", name)
	}
	for _, o := range r.OpenAtExit {
		fmt.Fprintf(w, "STILL OPEN: %s\n", o)
	}
	r.text(w)
	r.ordersText(w)
	fmt.Fprintf(w, "%s allocations per event, stepped again from the tape\n", r.AllocsPerEvent)
	if r.Demo != nil {
		r.Demo.text(w)
	}
	if r.Soak != nil {
		r.Soak.text(w)
	}
}
