package wire

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"

	"oneprice/books/venue"
)

// PairConfig describes streams that are to outlive their connections.
type PairConfig struct {
	// Session makes the config of each of the two sessions. What is the address's, as Attempts is, they share.
	Session func() SessionConfig
	// Life is the age of a connection at which the other one is opened, at random up to Jitter earlier.
	Life, Jitter venue.Nanos
	// Overlap is for how long both must have streamed without a hole before the old connection is given up: longer than a
	// message is ever late. Patience is how long the new one may take to join up with the old one's ids.
	Overlap, Patience venue.Nanos
	// Insts is the number of instruments of the process.
	Insts int
	Seed  uint64
}

// Pair keeps streams whole across connections that the venue ends: by their age, or when it says so (see Leaver). Before
// the end of one the other session connects, and what it brings waits. When both have streamed for a while the old one is
// closed; what it has published is dropped from what waits, by id, and the new one goes on. So there is no Gap, no message
// comes twice, and one goroutine at a time publishes, with no lock in its way. Where the old connection is lost before that,
// there is a Gap as ever, and the new one takes over at once.
//
// It is for venues whose ids mean the same on every connection: those of an instrument's deltas and touches, and of its
// trades, grow. A hole that is left nonetheless shows in the chain of ids, as any other does.
//
// Run's goroutine owns the swap, each session's reading goroutine its lane.
type Pair struct {
	cfg   PairConfig
	lanes [2]*lane
	owner atomic.Int32  // the lane that publishes
	lost  atomic.Bool   // the owner's connection was, since the swap began
	told  chan struct{} // the venue said that it will end a connection
	out   venue.Sink
	swaps atomic.Uint64
	rnd   *rand.Rand
	// last are the ids published last, by kind and instrument, 0 none since the connection was lost. The owner writes.
	last [ids][]atomic.Uint64
}

// Kinds of ids.
const (
	deltaID = iota
	touchID
	tradeID
	ids
)

// NewPair makes a pair that Run brings to life.
func NewPair(cfg PairConfig) *Pair {
	p := &Pair{cfg: cfg, told: make(chan struct{}, 1), rnd: rand.New(rand.NewPCG(cfg.Seed, 0x9a12))}
	for k := range p.last {
		p.last[k] = make([]atomic.Uint64, cfg.Insts)
	}
	for i := range p.lanes {
		p.lanes[i] = newLane(p, int32(i), cfg.Session())
	}
	return p
}

// Sessions are both, for their counters.
func (p *Pair) Sessions() []*Session { return []*Session{p.lanes[0].session, p.lanes[1].session} }

// Swaps is how often one connection has given way to another. Any goroutine.
func (p *Pair) Swaps() uint64 { return p.swaps.Load() }

// Until is Session.Until of both.
func (p *Pair) Until() venue.Nanos {
	return max(p.lanes[0].session.Until(), p.lanes[1].session.Until())
}

// Run streams until ctx ends.
func (p *Pair) Run(ctx context.Context, out venue.Sink) error {
	c := &p.cfg
	if c.Life <= 0 || c.Jitter < 0 || c.Jitter >= c.Life || c.Overlap <= 0 || c.Patience <= c.Overlap {
		return fmt.Errorf("wire: pair %s lacks a span", p.lanes[0].session.cfg.Name)
	}
	p.out = out
	old := p.lanes[p.owner.Load()]
	stop := old.start(ctx)
	for p.due(ctx, old) {
		young := p.lanes[1-old.me]
		p.lost.Store(false)
		stopYoung := young.start(ctx)
		p.catchUp(ctx, old, young)
		if err := stop(); err != nil || ctx.Err() != nil {
			return errors.Join(err, stopYoung())
		}
		young.take()
		p.swaps.Add(1)
		old, stop = young, stopYoung
	}
	return stop()
}

// due waits until a lane's connection has to be replaced; false when ctx has ended.
func (p *Pair) due(ctx context.Context, l *lane) bool {
	c := &p.cfg
	life := c.Life
	if c.Jitter > 0 {
		life -= venue.Nanos(p.rnd.Int64N(int64(c.Jitter)))
	}
	for ctx.Err() == nil {
		wait := life
		if at := venue.Nanos(l.since.Load()); at != 0 {
			wait -= l.clock.Now() - at
		}
		if l.leaving.Load() || wait <= 0 {
			return true
		}
		t := l.clock.Timer(wait)
		select {
		case <-t.C:
		case <-p.told:
		case <-ctx.Done():
		}
		t.Stop()
	}
	return false
}

// look is how often a swap looks how far it is.
const look = 5 * venue.Millisecond

// catchUp waits until the young lane can go on where the old one is.
func (p *Pair) catchUp(ctx context.Context, old, young *lane) {
	for ctx.Err() == nil {
		if since, now := venue.Nanos(young.since.Load()), old.clock.Now(); since != 0 {
			if p.lost.Load() || now-since > p.cfg.Patience || young.whole(now) && young.joins() {
				return
			}
		}
		if old.clock.Sleep(ctx, look) != nil {
			return
		}
	}
}

// published notes the ids of a message and reports whether one of them is above what is known. The owner's.
func (p *Pair) published(ev []venue.Event, known *[ids][]uint64) (news bool) {
	for i := 0; i < len(ev); i++ {
		e, k := &ev[i], deltaID
		switch e.Kind {
		case venue.Head:
			i += e.Count()
			if e.Flags&venue.Snapshot != 0 {
				news = true
				continue
			}
		case venue.Touch:
			k = touchID
		case venue.Trade:
			k = tradeID
		default:
			news = true
			continue
		}
		news = news || e.Seq > known[k][e.Inst]
		p.last[k][e.Inst].Store(e.Seq)
	}
	return news
}

// forget drops all ids: after a loss the venue may begin them anew.
func (p *Pair) forget() {
	for k := range p.last {
		for i := range p.last[k] {
			p.last[k][i].Store(0)
		}
	}
}
