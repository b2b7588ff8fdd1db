package app

import (
	"context"
	"errors"
	"sync"

	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

const (
	// refreshEvery, where the config says nothing, is how often a venue is asked what it lists.
	refreshEvery = 60 * venue.Second
	// feesEvery is how often it is asked what the account pays: tiers are reckoned once a day.
	feesEvery = 3600 * venue.Second
	// clockEvery is how often its clock is measured, where its feed does not.
	clockEvery = 15 * venue.Second
)

// refresher tells the engine what one venue changes while a session runs, through the ring that such news share.
type refresher struct {
	id       venue.ID
	ins      []*venue.Instrument // copies, with the config's fees
	listings *wire.Refresh       // nil where the feed tells
	clocks   *wire.ClockWatch    // nil where the feed measures
	gateway  wire.Gateway        // nil on paper
	clock    *wire.Clock
	report   func(*wire.Error)
}

// refreshes makes the refresher of a venue, and lets its feed say when something has changed.
func (l *Live) refreshes(id venue.ID, cfg *wire.FeedConfig) {
	r := &refresher{id: id, ins: wire.Copies(cfg.Instruments), clock: cfg.Clock, report: cfg.Report}
	every := refreshEvery
	if s := l.Config.Refresh; s != 0 {
		every = venue.Nanos(s)
	}
	if r.listings = wire.NewRefresh(l.Venues[id].Adapter, *cfg, every); r.listings != nil {
		cfg.Changed = r.listings.Ask
	}
	cfg.Clocked = func(offset, within venue.Nanos) {
		e := make([]venue.Event, 1)
		e[0].SetClock(id, offset, within, cfg.Clock.Now())
		l.news.Put(e) // without room the next measurement will do
	}
	r.clocks = wire.NewClockWatch(l.Venues[id].Adapter, *cfg, clockEvery)
	if l.orders != nil {
		r.gateway = l.orders.gateways[id]
	}
	l.refreshers = append(l.refreshers, r)
}

// run asks until ctx ends.
func (r *refresher) run(ctx context.Context, out venue.Sink) {
	var work sync.WaitGroup
	if r.listings != nil {
		work.Go(func() { r.listings.Run(ctx, out) })
	}
	if r.clocks != nil {
		work.Go(func() { r.clocks.Run(ctx) })
	}
	if r.gateway != nil {
		work.Go(func() { r.fees(ctx, out) })
	}
	work.Wait()
}

// fees asks for the account's fees. Those of the config are the least that is reckoned with, so that a better tier changes
// nothing; a dearer one counts from when it is known.
func (r *refresher) fees(ctx context.Context, out venue.Sink) {
	for r.clock.Sleep(ctx, feesEvery) == nil {
		a, err := r.gateway.Check(ctx)
		var e *wire.Error
		switch {
		case err == nil:
			out.Put(r.dearer(a.Fees)) // without room the next answer will do
		case errors.As(err, &e) && ctx.Err() == nil:
			r.report(e)
		}
	}
}

// dearer are the fees to reckon with, as one message.
func (r *refresher) dearer(fees []venue.Fees) []venue.Event {
	out := make([]venue.Event, len(r.ins))
	for i, in := range r.ins {
		f := in.Fees
		f.Maker, f.Taker = max(f.Maker, fees[i].Maker), max(f.Taker, fees[i].Taker)
		out[i].SetFees(r.id, in.Inst, f, r.clock.Now())
		out[i].Flags = 0
	}
	out[len(out)-1].Flags = venue.Last
	return out
}
