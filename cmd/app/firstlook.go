package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/engine/ring"
	"oneprice/feeds/wire"
)

// The first look lasts until every instrument has shown a price, at most lookMost; after lookLeast it no longer waits for
// venues that have reported a fault.
const (
	lookMost  = 20 * venue.Second
	lookLeast = 2 * venue.Second
)

// look is the first look at the markets of a config: limits in money become lots at the prices that it finds.
type look struct {
	*assembler
	out     *ring.Ring[venue.Event]
	clock   *wire.Clock
	faulty  []atomic.Bool // by venue
	seen    []bool        // by instrument
	bid     []fixed.Price // by instrument: the best one so far
	feeders []wire.Feeder
	found   Facts
}

// firstLook follows every instrument of a config for a moment. What shows no price in time is not in the facts; the error
// is for a config that cannot be followed, the end of ctx, and when nothing at all shows a price. What it finds is added to
// the facts given.
func firstLook(ctx context.Context, c *Config, facts *Facts, e Edges, faults *faultLog) (*Facts, error) {
	a := &assembler{Assembly: &Assembly{Table: NewTable(), Config: c, Facts: facts}, w: walker{where: c.where}}
	a.Currency(string(c.Reporting))
	if a.products(); len(a.w.faults) > 0 {
		a.w.sort()
		return nil, a.w.faults
	}
	k := &look{assembler: a, out: ring.Events(ringRecords, ring.NewBell()), clock: e.Clock, faulty: make([]atomic.Bool, len(a.Venues)),
		seen: make([]bool, len(a.Instruments)), bid: make([]fixed.Price, len(a.Instruments)), found: *facts}
	looking, stop := context.WithTimeout(ctx, time.Duration(lookMost))
	defer stop()
	shared := &lockedSink{out: k.out}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	for id := 1; id < len(a.Venues); id++ {
		v := &a.Venues[id]
		ins, hear := a.Of(venue.ID(id)), faults.of(v.Name)
		if len(ins) == 0 || v.Adapter.Feed == nil {
			continue
		}
		// Books alone: they show a price, and the feed proper needs what the venue's budgets have left.
		cfg := wire.FeedConfig{Venue: venue.ID(id), Instruments: ins, Net: e.Net, Clock: e.Clock, TLS: e.TLS, WS: e.WS[v.Name], REST: e.REST[v.Name],
			Limits: e.Limits[v.Adapter.Name], Snapshots: shared, Report: func(err *wire.Error) {
				k.faulty[id].Store(true)
				hear(err)
			}}
		if err := e.form(c, v.Name, &cfg); err != nil {
			return nil, err
		}
		f, err := v.Adapter.Feed(cfg)
		if err != nil {
			return nil, &UsageError{err}
		}
		k.feeders = append(k.feeders, f)
		wg.Go(func() { f.Run(looking, shared) }) // its faults show as a missing price
	}
	k.run(looking)
	switch {
	case ctx.Err() != nil:
		return nil, errors.New("stopped before the first prices were known")
	case len(k.found.Prices) == 0:
		return nil, k.nothing()
	}
	return &k.found, nil
}

// run reads records until every instrument has shown a price, or no more is to be expected, or ctx ends.
func (k *look) run(ctx context.Context) {
	began := k.clock.Now()
	buf := make([]venue.Event, 0, ringRecords)
	for len(k.found.Prices) < len(k.Instruments)-1 {
		buf = k.out.Drain(buf[:0])
		k.take(buf)
		if k.clock.Sleep(ctx, venue.Millisecond) != nil || (k.clock.Now()-began > lookLeast && k.hopeless()) {
			return
		}
	}
}

// take reads whole messages. The price of an instrument is the best bid of its first snapshot, in whatever order that is.
func (k *look) take(ev []venue.Event) {
	for ; len(ev) > 0; ev = ev[1:] {
		head := &ev[0]
		if head.Kind != venue.Head {
			continue
		}
		i, levels := head.Inst, ev[1:1+head.Count()]
		if ev = ev[len(levels):]; head.Flags&venue.Snapshot == 0 || k.seen[i] {
			continue
		}
		for n := range levels {
			for l := range levels[n].N {
				if levels[n].Flags&venue.Bids != 0 {
					k.bid[i] = max(k.bid[i], levels[n].Level(l).Price)
				}
			}
		}
		if k.bid[i] > 0 && head.Flags&venue.Part == 0 {
			in := k.Instruments[i]
			k.seen[i] = true
			k.found.Prices = append(k.found.Prices, FoundPrice{in.Name, string(fixed.AppendTrim(nil, int64(k.bid[i]), in.PriceScale))})
		}
	}
}

// hopeless reports whether every venue that still owes a price has reported a fault.
func (k *look) hopeless() bool {
	for _, in := range k.Instruments[1:] {
		if !k.seen[in.Inst] && !k.faulty[in.Venue].Load() {
			return false
		}
	}
	return true
}

// nothing is the error of a look that found no price, with every connection's cause.
func (k *look) nothing() error {
	errs := []error{errors.New("no price came from any venue, so nothing can be traded; check the network and the addresses")}
	for _, f := range k.feeders {
		for _, s := range f.Sessions() {
			errs = append(errs, s.Fault()) // names its venue
		}
	}
	return errors.Join(errs...)
}

// missed tells what becomes of the instruments that showed no price at the first look. The error is that nothing is left.
func (a *Assembly) missed(log *slog.Logger) error {
	for _, in := range a.Instruments[1:] {
		switch {
		case slices.Contains(a.Untraded, in.Name):
			log.Warn(in.Name + " has shown no price and no other instrument gives one for its limits: it takes no orders in this run")
		case !slices.ContainsFunc(a.Facts.Prices, func(p FoundPrice) bool { return p.Instrument == in.Name }):
			log.Warn(in.Name + " has shown no price: its limits follow the price of another instrument of product " + a.Products[in.Product].Name)
		}
	}
	if len(a.Untraded) == len(a.Instruments)-1 {
		return fmt.Errorf("no price gives limits for any of %s, so nothing can be traded; check the network and the addresses", strings.Join(a.Untraded, ", "))
	}
	return nil
}

// lockedSink lets several feeds share one ring, for the first look only.
type lockedSink struct {
	mu  sync.Mutex
	out *ring.Ring[venue.Event]
}

func (s *lockedSink) Put(ev []venue.Event) venue.Reason {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Put(ev)
}
