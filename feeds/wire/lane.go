package wire

import (
	"context"
	"sync"
	"sync/atomic"

	"oneprice/books/venue"
)

// waitMost is how many records may wait in a lane: several seconds of the busiest venue.
const waitMost = 1 << 16

// lane is what one session of a Pair publishes into: the sink, while it owns that, and otherwise a queue.
type lane struct {
	pair    *Pair
	me      int32
	clock   *Clock
	session *Session
	opened  func()
	insts   []venue.Inst
	venue   venue.ID
	// leaving says that the venue will end the connection; since is when it was made, 0 while there is none; intact since
	// when nothing has been missed on it.
	leaving       atomic.Bool
	since, intact atomic.Int64
	// known are the ids that the other lane had published when this one took over.
	known [ids][]uint64
	full  bool // the sink was, when this lane took over

	mu    sync.Mutex // of what follows, while the other lane owns the sink
	waits []venue.Event
	first []uint64 // by instrument: the first id of the first delta that waits, 0 none
}

func newLane(p *Pair, me int32, c SessionConfig) *lane {
	l := &lane{pair: p, me: me, clock: c.Clock.Own(), opened: c.Opened, insts: c.Insts, venue: c.Venue, first: make([]uint64, p.cfg.Insts)}
	for k := range l.known {
		l.known[k] = make([]uint64, p.cfg.Insts)
	}
	c.Opened, c.Leaving, c.Sink = l.open, l.leave, l
	c.Backoff.Seed(p.cfg.Seed + uint64(me))
	l.session = NewSession(c)
	return l
}

// start runs the session until the function that it returns is called, which waits for the end.
func (l *lane) start(ctx context.Context) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- l.session.Run(ctx) }()
	return func() error {
		cancel()
		err := <-done
		l.since.Store(0)
		return err
	}
}

// open notes a new connection.
func (l *lane) open() {
	now := int64(l.clock.Now())
	l.leaving.Store(false)
	l.since.Store(now)
	l.intact.Store(now)
	if l.owns() && l.opened != nil {
		l.opened()
	}
}

// leave notes that the venue will end the connection.
func (l *lane) leave() {
	l.leaving.Store(true)
	select {
	case l.pair.told <- struct{}{}:
	default:
	}
}

func (l *lane) owns() bool { return l.pair.owner.Load() == l.me }

// whole reports whether the lane has missed nothing for long enough.
func (l *lane) whole(now venue.Nanos) bool {
	return l.since.Load() != 0 && now-venue.Nanos(l.intact.Load()) >= l.pair.cfg.Overlap
}

// joins reports whether the deltas that wait begin, for every instrument that has any, no later than where the owner is.
func (l *lane) joins() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, id := range l.first {
		if id > l.pair.last[deltaID][i].Load()+1 {
			return false
		}
	}
	return true
}

// Put implements venue.Sink for the session.
func (l *lane) Put(ev []venue.Event) venue.Reason {
	if l.owns() {
		return l.publish(ev)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.owns() {
		return l.publish(ev)
	}
	return l.wait(ev)
}

// publish is Put of the owner.
func (l *lane) publish(ev []venue.Event) venue.Reason {
	p := l.pair
	if l.full {
		l.full = false
		return venue.RingFull // the session then tells of the loss
	}
	if ev[0].Kind == venue.Gap {
		return l.gap(ev)
	}
	if !p.published(ev, &l.known) {
		return venue.OK
	}
	return p.out.Put(ev)
}

// gap is a loss that the owner's session tells.
func (l *lane) gap(ev []venue.Event) venue.Reason {
	if venue.Reason(ev[0].W[0]) == venue.ConnectionLost {
		l.since.Store(0)
		l.pair.lost.Store(true)
		l.forget()
	}
	return l.pair.out.Put(ev)
}

// forget drops all ids, since the venue may begin them anew.
func (l *lane) forget() {
	l.pair.forget()
	for k := range l.known {
		clear(l.known[k])
	}
}

// wait is Put while the other lane owns the sink. Under mu.
func (l *lane) wait(ev []venue.Event) venue.Reason {
	if ev[0].Kind == venue.Gap || len(l.waits)+len(ev) > waitMost {
		if ev[0].Kind == venue.Gap && venue.Reason(ev[0].W[0]) == venue.ConnectionLost {
			l.since.Store(0)
		}
		l.intact.Store(int64(l.clock.Now()))
		l.empty()
		return venue.OK
	}
	for i := range ev {
		if e := &ev[i]; e.Kind == venue.Head && e.Flags&venue.Snapshot == 0 && l.first[e.Inst] == 0 {
			l.first[e.Inst] = e.First()
		}
	}
	l.waits = append(l.waits, ev...)
	return venue.OK
}

func (l *lane) empty() {
	l.waits = l.waits[:0]
	clear(l.first)
}

// take makes the lane the owner, after the other one's session has ended, and publishes what waits. Whoever cannot vouch for
// what the other one has missed says so first.
func (l *lane) take() {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.pair
	if now := l.clock.Now(); l.whole(now) {
		for k := range l.known {
			for i := range l.known[k] {
				l.known[k][i] = p.last[k][i].Load()
			}
		}
	} else {
		l.forget()
		l.full = p.out.Put(gapsOf(l.venue, l.insts, venue.ConnectionLost, now)) != venue.OK
	}
	for rest := l.waits; len(rest) > 0 && !l.full; {
		n := 1
		for rest[n-1].Flags&venue.Last == 0 {
			n++
		}
		if p.published(rest[:n], &l.known) {
			l.full = p.out.Put(rest[:n]) != venue.OK
		}
		rest = rest[n:]
	}
	l.empty()
	p.owner.Store(l.me)
}
