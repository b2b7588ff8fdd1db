package wire

import (
	"context"
	"errors"
	"sync"

	"oneprice/books/venue"
)

// Copies are instruments for another goroutine than the engine's, which writes what the venue changes into its own.
func Copies(ins []*venue.Instrument) []*venue.Instrument {
	out := make([]*venue.Instrument, len(ins))
	for i, in := range ins {
		c := *in
		out[i] = &c
	}
	return out
}

// listedGap is the least time between two questions of a Refresh, however often changes are announced.
const listedGap = venue.Second

// Refresh asks a venue again and again what it lists, and tells the engine the status and the rules of its instruments as
// they are: what it knows already is passed over there. An instrument that is not listed any more is Unlisted, one with a
// grid finer than the product's scales is Halted with the reason. A venue that does not answer changes nothing: its
// refusals would show what has become wrong. Run owns the asking goroutine; Ask may be called from any.
type Refresh struct {
	load  func(context.Context, FeedConfig) ([]Listing, error)
	cfg   FeedConfig
	every venue.Nanos
	wake  chan struct{}
}

// NewRefresh makes one that asks each interval, and when Ask says that something has changed. Of cfg, what Adapter.Load
// takes is used, and Instruments and Report. Nil where nothing need be asked: the feed tells all of it (Adapter.Announces).
func NewRefresh(a *Adapter, cfg FeedConfig, every venue.Nanos) *Refresh {
	if a.Load == nil || a.Announces {
		return nil
	}
	cfg.Instruments = Copies(cfg.Instruments)
	return &Refresh{load: a.Load, cfg: cfg, every: every, wake: make(chan struct{}, 1)}
}

// Ask asks now. It never blocks.
func (r *Refresh) Ask() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Run asks until ctx ends.
func (r *Refresh) Run(ctx context.Context, out venue.Sink) {
	for {
		t := r.cfg.Clock.Timer(r.every)
		select {
		case <-t.C:
		case <-r.wake:
		case <-ctx.Done():
		}
		t.Stop()
		if ctx.Err() != nil {
			return
		}
		ls, err := r.load(ctx, r.cfg)
		var e *Error
		switch {
		case err == nil && out.Put(r.state(ls)) != venue.OK:
			r.Ask()
		case errors.As(err, &e) && ctx.Err() == nil && r.cfg.Report != nil:
			r.cfg.Report(e)
		}
		if r.cfg.Clock.Sleep(ctx, listedGap) != nil {
			return
		}
	}
}

// state is what listings say of every instrument, as one message.
func (r *Refresh) state(ls []Listing) []venue.Event {
	at := map[string]*Listing{}
	for i := range ls {
		at[ls[i].Symbol] = &ls[i]
	}
	now := r.cfg.Clock.Now()
	var out []venue.Event
	for _, in := range r.cfg.Instruments {
		l, status, why := at[in.Symbol], venue.Unlisted, venue.OK
		if l != nil {
			var rules venue.Rules
			status = l.Status
			if rules, _, why = l.Rules(in.PriceScale, in.QtyScale); why == venue.OK {
				var e venue.Event
				e.SetRules(in.Venue, in.Inst, rules, now)
				out = append(out, e)
			} else {
				status = venue.Halted
			}
		}
		var e venue.Event
		e.SetStatus(in.Venue, in.Inst, status, why, now)
		out = append(out, e)
	}
	for i := range out {
		out[i].Flags = 0
	}
	out[len(out)-1].Flags = venue.Last
	return out
}

// Shared lets several goroutines put into one ring, for what is rare.
type Shared struct {
	mu  sync.Mutex
	out venue.Sink
}

// Share makes a Shared.
func Share(out venue.Sink) *Shared { return &Shared{out: out} }

// Put implements venue.Sink. Any goroutine.
func (s *Shared) Put(frame []venue.Event) venue.Reason {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Put(frame)
}
