package wire

import (
	"context"
	"sync"
	"sync/atomic"

	"oneprice/books/venue"
)

// ResyncsConfig describes how a venue whose books come on the socket is asked for fresh ones.
type ResyncsConfig struct {
	Clock *Clock
	// Insts are the instruments of the connection, in the order in which Ask is given them.
	Insts []venue.Inst
	// Ask makes the messages that bring a fresh book of each of these instruments, which it must not keep.
	Ask func([]venue.Inst) [][]byte
	// Gap is the least time between two askings; what is wanted meanwhile is asked together. With the number of messages
	// that Ask makes it keeps the connection's queue from growing: choose it by the venue's allowance.
	Gap venue.Nanos
	// Again is how long a book may be on its way before it is asked for once more.
	Again venue.Nanos
}

// Resyncs remembers which instruments of one connection wait for a fresh book, asks for them, and asks again when the
// answer does not come: a lost request or snapshot leaves no book behind. It stands between the session and the sink, since
// that is where a snapshot is seen before the engine can refuse it and want another.
//
// Resync may be called from any goroutine and never blocks; Put and Opened belong to the session's reading goroutine.
type Resyncs struct {
	cfg     ResyncsConfig
	session *Session
	out     venue.Sink
	wake    chan struct{}
	open    atomic.Int32 // books that wait; while 0, Put does not look
	count   ResyncCounters

	mu    sync.Mutex
	index map[venue.Inst]int
	waits []waiting // by position in Insts
	due   []venue.Inst
}

// ResyncCounters are exact tallies, readable from any thread: books asked for, and of these once more.
type ResyncCounters struct{ Asked, Again atomic.Uint64 }

// waiting is one instrument's book on its way.
type waiting struct {
	on, asked bool
	at        venue.Nanos // when it was asked for
}

// NewResyncs makes the memory of a connection. Opened must be the session's hook of the same name.
func NewResyncs(cfg ResyncsConfig) *Resyncs {
	cfg.Clock = cfg.Clock.Own()
	r := &Resyncs{cfg: cfg, wake: make(chan struct{}, 1), index: make(map[venue.Inst]int, len(cfg.Insts)), waits: make([]waiting, len(cfg.Insts))}
	for i, in := range cfg.Insts {
		r.index[in] = i
	}
	return r
}

// Counters are the tallies so far.
func (r *Resyncs) Counters() *ResyncCounters { return &r.count }

// Resync wants a fresh book of an instrument. What is already on its way is not asked for twice; an instrument of another
// connection is none of ours.
func (r *Resyncs) Resync(in venue.Inst) {
	r.mu.Lock()
	i, ours := r.index[in]
	news := ours && !r.waits[i].on
	if news {
		r.waits[i] = waiting{on: true}
		r.open.Add(1)
	}
	r.mu.Unlock()
	if news {
		r.rouse()
	}
}

// Opened notes a new connection, whose Hello has asked for every book.
func (r *Resyncs) Opened() {
	now := r.cfg.Clock.Now()
	r.mu.Lock()
	for i := range r.waits {
		r.waits[i] = waiting{true, true, now}
	}
	r.open.Store(int32(len(r.waits)))
	r.mu.Unlock()
	r.rouse()
}

func (r *Resyncs) rouse() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Put implements venue.Sink: it notes the snapshots that have come and hands everything on.
func (r *Resyncs) Put(ev []venue.Event) venue.Reason {
	if r.open.Load() > 0 {
		for i := range ev {
			if e := &ev[i]; e.Kind == venue.Head && e.Flags&(venue.Snapshot|venue.Part) == venue.Snapshot {
				r.came(e.Inst)
			}
		}
	}
	return r.out.Put(ev)
}

func (r *Resyncs) came(in venue.Inst) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i, ours := r.index[in]; ours && r.waits[i].on {
		r.waits[i] = waiting{}
		r.open.Add(-1)
	}
}

// Run keeps the session alive, with its records going through r into out, and asks until ctx ends.
func (r *Resyncs) Run(ctx context.Context, s *Session, out venue.Sink) error {
	r.session, r.out = s, out
	s.SetSink(r)
	var asking sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	asking.Go(func() { r.ask(ctx) })
	err := s.Run(ctx)
	cancel()
	asking.Wait()
	return err
}

// ask is the asking goroutine.
func (r *Resyncs) ask(ctx context.Context) {
	const never = 3600 * venue.Second
	for ctx.Err() == nil {
		wait := venue.Nanos(never)
		if r.session.conn.Load() != nil { // between connections there is nobody to ask; Opened rouses
			now := r.cfg.Clock.Now()
			var due []venue.Inst
			if due, wait = r.collect(now, never); len(due) > 0 {
				r.send(due, now)
				if r.cfg.Clock.Sleep(ctx, r.cfg.Gap) != nil {
					return
				}
				continue
			}
		}
		t := r.cfg.Clock.Timer(wait)
		select {
		case <-ctx.Done():
		case <-r.wake:
		case <-t.C:
		}
		t.Stop()
		r.cfg.Clock.Turn(ctx) // whoever rouses may want more than one book: in virtual time all of them are asked together
	}
}

// collect lists what has to be asked for now, and otherwise how long until something has.
func (r *Resyncs) collect(now, never venue.Nanos) (due []venue.Inst, wait venue.Nanos) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.due, wait = r.due[:0], never
	for i, w := range r.waits {
		left := w.at + r.cfg.Again - now
		switch {
		case !w.on:
		case w.asked && left > 0:
			wait = min(wait, left)
		default:
			r.due = append(r.due, r.cfg.Insts[i])
		}
	}
	return r.due, wait
}

// send asks. When the session's queue has no room for all of it, everything stays due.
func (r *Resyncs) send(due []venue.Inst, now venue.Nanos) {
	for _, m := range r.cfg.Ask(due) {
		if !r.session.Send(m) {
			return
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, in := range due {
		w := &r.waits[r.index[in]]
		if !w.on {
			continue // it came meanwhile
		}
		r.count.Asked.Add(1)
		if w.asked {
			r.count.Again.Add(1)
		}
		w.asked, w.at = true, now
	}
}
