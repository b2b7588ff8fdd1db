package kraken

import (
	"context"

	"oneprice/books/venue"
)

const (
	// settled is how long after its deadline an order may take to show in the lists of REST, and the wait before one that did
	// not is looked for again.
	settled = 2 * venue.Second
	// openEnded is how long an order without a deadline (post-only, stops) may be on its way: no source names a bound, and this
	// is the longest deadline that the venue takes.
	openEnded = 60 * venue.Second
)

// until is when a request can no longer be executed. A cancel that comes late does no harm.
func (r *request) until() venue.Nanos {
	switch {
	case r.op == venue.Cancel:
		return r.at
	case r.deadline != 0:
		return r.deadline + settled
	}
	return r.at + openEnded
}

// doubts finds out, until ctx ends, what became of requests without an answer, by sweeps as far back as the oldest. Not while
// there is no stream: its snapshot settles most, and REST's budget is for the token then.
func (g *Gateway) doubts(ctx context.Context) {
	for g.cfg.Clock.Sleep(ctx, tick) == nil {
		since, due := g.doubt()
		if !due || !g.Ready() {
			continue
		}
		if err := g.Sweep(ctx, since, g.out); err != nil && g.cfg.Clock.Sleep(ctx, settled) != nil {
			return
		}
	}
}

// doubt reports whether a request is due to be asked for, and how far back the orders in doubt go.
func (g *Gateway) doubt() (since venue.Nanos, due bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.catchUp()
	now := g.cfg.Clock.Now()
	since = now
	for _, r := range g.state.waiting {
		if r.told && !r.answered {
			since = min(since, r.born)
			due = due || now >= r.due
		}
	}
	return since - settled, due // the venue's clock is not ours
}

// settle ends the doubt about requests as far as the lists do, which must go back to before each. Under mu.
func (w *sweep) settle(now venue.Nanos) {
	g := w.g
	shown := map[*order]bool{}
	for _, s := range w.orders {
		shown[g.state.byID[s.id]] = true
	}
	for _, r := range g.state.waiting {
		o := g.state.of(r)
		if r.answered || !r.told || o == nil || r.at >= w.asked || w.since > r.born {
			continue
		}
		over := w.asked > r.until()
		switch {
		case o.done:
			r.answered = true // whatever was asked of it
		case !shown[o] && r.op == venue.New:
			w.missing(r, o, over, now)
		case !shown[o]: // it was acknowledged: the lists lag behind
			r.due = now + settled
		case r.op == venue.Amend && o.price == r.price && o.qty == r.qty:
			r.answered = true
			q := g.report(venue.Amended, o, now, now)
			q.Flags, q.Seq = venue.Recovered, r.client
		case !over:
			r.due = r.until()
		case r.op == venue.Amend:
			r.answered = true
			g.count.Rejects.Add(1)
			q := g.report(venue.AmendRejected, o, now, now)
			q.Flags, q.Reason, q.Seq = venue.Recovered, venue.Timeout, r.client
		default:
			r.answered = true // the cancel was lost; that the order stands has been said
		}
	}
}

// missing reports an order that no list shows, and its absence as proven at the second time that it could be no longer on
// its way.
func (w *sweep) missing(r *request, o *order, over bool, now venue.Nanos) {
	g := w.g
	q := g.report(venue.NotFound, o, now, now)
	q.Flags = venue.Recovered
	switch {
	case !over:
		r.due = r.until()
		return
	case r.misses == 0:
		r.misses, r.due = 1, now+settled
		return
	}
	q.Reason = venue.Timeout
	r.answered = true
	g.state.end(o, g)
}
