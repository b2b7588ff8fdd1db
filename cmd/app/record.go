package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"oneprice/books/venue"
	"oneprice/feeds/recording"
	"oneprice/feeds/wire"
)

// RecordOptions are the options of record.
type RecordOptions struct {
	Edges
	// Config names venues and instruments; nothing is traded.
	Config string
	// Out is the folder of the recordings: one file per venue and UTC day.
	Out string
	// Log is where faults of the feeds are told; nil for nowhere.
	Log *slog.Logger
	// Status, where not nil, is told a few times a second how many messages have been written.
	Status func(messages uint64)
}

// RecordReport is what record prints.
type RecordReport struct {
	Seconds  string       `json:"seconds"`
	Messages uint64       `json:"messages"`
	Files    []string     `json:"files"`
	Feeds    []FeedReport `json:"feeds"`
}

// Record follows the instruments of a config and writes every raw message until ctx ends.
func Record(ctx context.Context, o RecordOptions) (*RecordReport, error) {
	c, err := ReadConfig(o.Config, nil)
	if err != nil {
		return nil, err
	}
	a := &assembler{Assembly: &Assembly{Table: NewTable(), Config: c}, w: walker{where: c.where}}
	a.Currency(string(c.Reporting))
	if a.products(); len(a.w.faults) > 0 {
		a.w.sort()
		return nil, a.w.faults
	}
	if err := os.MkdirAll(o.Out, 0o755); err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	began := time.Now()
	faults := newFaultLog(o.Log)
	defer beside(faults, nil)()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	rec := &recorder{dir: o.Out, stop: stop, files: make([]*day, len(a.Venues))}
	var wg sync.WaitGroup
	feeders := make([]wire.Feeder, len(a.Venues))
	for id := 1; id < len(a.Venues); id++ {
		v := &a.Venues[id]
		rec.files[id] = &day{venue: v.Name}
		if v.Adapter.Feed == nil || len(a.Of(venue.ID(id))) == 0 {
			continue
		}
		f, err := v.Adapter.Feed(wire.FeedConfig{Venue: venue.ID(id), Instruments: a.Of(venue.ID(id)), Net: o.Net, Clock: o.Clock, TLS: o.TLS,
			WS: o.WS[v.Name], REST: o.REST[v.Name], Snapshots: nowhere{}, Touches: true, Trades: true, Report: faults.of(v.Name), Seed: uint64(id),
			Raw: func(kind, conn, request string, recv venue.Nanos, msg []byte) {
				rec.write(id, kind, conn, request, recv, msg)
			}})
		if err != nil {
			return nil, errors.Join(&UsageError{err}, rec.close())
		}
		feeders[id] = f
		wg.Go(func() {
			if err := f.Run(ctx, nowhere{}); err != nil {
				rec.fail(err)
			}
		})
	}
	rec.watch(ctx, o.Status)
	wg.Wait()
	err = rec.close()
	r := &RecordReport{Seconds: time.Since(began).Round(time.Millisecond).String(), Messages: rec.messages, Files: rec.names}
	for id, f := range feeders {
		if f != nil {
			for _, s := range f.Sessions() {
				if s.Counters().Attempts.Load() == 0 {
					continue
				}
				r.Feeds = append(r.Feeds, feedReport(a.Venues[id].Name, s))
			}
		}
	}
	return r, err
}

// nowhere takes records and forgets them.
type nowhere struct{}

// Put takes everything.
func (nowhere) Put([]venue.Event) venue.Reason { return venue.OK }

// recorder writes what the feeds' goroutines see. A lock per call is fine here: nothing trades.
type recorder struct {
	mu       sync.Mutex
	dir      string
	files    []*day // by venue
	names    []string
	messages uint64
	err      error
	stop     func()
}

// day is the open file of a venue.
type day struct {
	venue string
	date  string
	w     *recording.Writer
}

func (r *recorder) write(id int, kind, conn, request string, recv venue.Nanos, msg []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return
	}
	d := r.files[id]
	if err := r.turn(d, recv); err != nil {
		r.broken(err)
		return
	}
	r.messages++
	if err := d.w.Write(&recording.Line{RecvNs: recv, Kind: kind, Conn: conn, Request: request, Msg: msg}); err != nil {
		r.broken(err)
	}
}

// turn opens the file of the message's UTC day. A recording is never overwritten: a second run of a day gets a number.
func (r *recorder) turn(d *day, recv venue.Nanos) error {
	date := time.Unix(0, int64(recv)).UTC().Format("2006-01-02")
	if d.w != nil && date <= d.date {
		return nil
	}
	if d.w != nil {
		if err := d.w.Close(); err != nil {
			return err
		}
		d.w = nil
	}
	for n := 1; ; n++ {
		name := fmt.Sprintf("%s-%s.jsonl.zst", d.venue, date)
		if n > 1 {
			name = fmt.Sprintf("%s-%s-%d.jsonl.zst", d.venue, date, n)
		}
		path := filepath.Join(r.dir, name)
		w, err := recording.Create(path)
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err != nil {
			return err
		}
		d.w, d.date = w, date
		r.names = append(r.names, path)
		return nil
	}
}

// broken keeps the first failure and ends the recording; mu is held.
func (r *recorder) broken(err error) {
	if r.err == nil {
		r.err = err
		r.stop()
	}
}

func (r *recorder) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broken(err)
}

// watch flushes now and then, so that a killed recorder loses seconds, and tells the status.
func (r *recorder) watch(ctx context.Context, status func(uint64)) {
	t := time.NewTicker(500 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			r.mu.Lock()
			for _, d := range r.files {
				if d != nil && d.w != nil {
					if err := d.w.Flush(); err != nil {
						r.broken(err)
					}
				}
			}
			n := r.messages
			r.mu.Unlock()
			if status != nil {
				status(n)
			}
		}
	}
}

func (r *recorder) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	errs := []error{r.err}
	for _, d := range r.files {
		if d != nil && d.w != nil {
			errs = append(errs, d.w.Close())
		}
	}
	return errors.Join(errs...)
}

// Text writes the report for a person.
func (r *RecordReport) Text(w io.Writer) {
	fmt.Fprintf(w, "%d messages in %s\n", r.Messages, r.Seconds)
	for _, f := range r.Files {
		fmt.Fprintln(w, "  "+f)
	}
}
