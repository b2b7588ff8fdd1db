package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"oneprice/books/venue"
	"oneprice/engine/journal"
	"oneprice/engine/orders"
	"oneprice/engine/recovery"
	"oneprice/feeds/wire"
	"oneprice/risk"
)

// Start-up is recovery: what the journal left, what the venues show, and what the config says to do about it.
const (
	// recoverWithin bounds it: an order can be in doubt for as long as acceptWithin after it was last asked for.
	recoverWithin = 90 * venue.Second
	// acceptWithin, where the options name none, is how long after a request the slowest venue may still accept it, with a margin: Binance's receive window
	// and matching time-out, the deadlines that Kraken is given, the time-out of a request at Coinbase.
	acceptWithin = 20 * venue.Second
	// recoverBack is how much earlier than the journal's durable end executions are asked for, since clocks differ.
	recoverBack = 60 * venue.Second
	cancelPause = 300 * venue.Millisecond
	waitPause   = venue.Second
	// differMost is how many sweeps, waitPause apart, must show a difference before it counts.
	differMost = 4
	sweepPause = 3 * venue.Second
)

// gathered takes the reports of sweeps.
type gathered struct {
	mu  sync.Mutex
	all []venue.Report
}

func (g *gathered) Put(rs []venue.Report) venue.Reason {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.all = append(g.all, rs...)
	return venue.OK
}

// differs says why a live session must not begin.
type differs struct{ lines []string }

func (d *differs) Error() string {
	return "the start is refused, since books and venues differ:\n  " + strings.Join(d.lines, "\n  ")
}

// recover brings a session to where it may trade, or says why it may not. state is what earlier runs left.
func (t *Trading) recover(ctx context.Context, state *journal.State, o *OrderOptions) (*recovery.Opening, error) {
	s := t.orders
	if err := t.adopt(state); err != nil {
		return nil, err
	}
	s.start()
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	c := &recovery.Case{Names: recovery.Names{Instruments: t.Instruments, Venues: s.names, Currencies: t.Currencies, Reporting: t.Reporting}, State: state,
		Policy: o.Open, Balances: t.Assembly.Ledger.Balances, Shared: s.shared, Within: cmp.Or(o.Within, acceptWithin)}
	until := s.clock.Now() + recoverWithin
	said, differed, moving := map[string]bool{}, 0, len(state.Orders) > 0
	for {
		s.since = s.clock.Now()
		sweep, err := s.sweepAll(ctx, t.sweepFrom(state))
		if err != nil {
			// A venue may be busy, or have counted the requests of the run before: nothing is lost by asking again.
			if refusal := new(wire.Error); errors.As(err, &refusal) && refusal.Kind == wire.Auth || s.clock.Now() > until {
				return nil, err
			}
			o.Log.Warn("recovery: asked again: " + err.Error())
			if err := s.clock.Sleep(ctx, sweepPause); err != nil {
				return nil, err
			}
			continue
		}
		v := c.Judge(sweep, s.told(), s.since)
		moving = moving || len(v.Cancel) > 0
		for _, line := range append(v.Did, v.Foreign...) {
			if !said[line] {
				said[line] = true
				o.Log.Warn("recovery: " + line)
			}
		}
		switch {
		case len(v.Cancel) == 0 && v.Wait == 0 && len(v.Differences) > 0:
			// A sweep is not one instant: an order that stands may fill between its list and the balances. Where none of ours
			// could, the first difference counts.
			if differed++; differed == differMost || !moving {
				if c.Believe || !o.Believe {
					return nil, &differs{v.Differences}
				}
				c.Believe, differed = true, 0
			}
		case len(v.Cancel) == 0 && v.Wait == 0:
			for i := range v.News {
				if !t.journal.Report(&v.News[i]) {
					return nil, errors.New("the journal has no room for what recovery found; move it to a larger disk")
				}
			}
			v.Opening.Epoch = t.journal.Epoch()
			return &v.Opening, nil
		case s.clock.Now() > until:
			return nil, &differs{[]string{fmt.Sprintf("%d of our orders cannot be ended, and the fate of %d is not proven, after %s; look at the venues, then start again",
				len(v.Cancel), v.Wait, time.Duration(recoverWithin))}}
		}
		if err := s.clock.Sleep(ctx, t.end(v.Cancel)); err != nil {
			return nil, err
		}
	}
}

// end sends cancels, and says how long to wait for what comes of them. Whether one left shows in the next sweep, and it may be
// repeated; their own ids come from the upper end of the range, where no order will be.
func (t *Trading) end(xs []recovery.Target) venue.Nanos {
	for _, x := range xs {
		t.ended++
		cmd := risk.Ending(x.Venue, x.Inst, x.Client, orders.ID(t.journal.Epoch(), orders.LastSequence-t.ended), t.orders.clock.Now())
		t.orders.gateways[x.Venue].Submit(&cmd)
	}
	if len(xs) > 0 {
		return cancelPause
	}
	return waitPause
}

// secondOf is the least epoch of a run that starts now: the second since 2026. Folders can be lost, moved or changed, and a
// run that began to count at 1 again would give its orders ids that the venues know already.
func secondOf(now venue.Nanos) uint64 {
	const year2026 = 1_767_225_600 * venue.Second
	return uint64(max(now-year2026, 0) / venue.Second)
}

// adopt gives every order that may be open a slot, and its gateway, which finds out what became of it.
func (t *Trading) adopt(state *journal.State) error {
	if n := len(state.Orders); n >= orderSlots {
		return fmt.Errorf("the journal holds %d orders that may be open, and there is room for %d; end them at the venues, move the journal away and start again", n, orderSlots-1)
	}
	for i := range state.Orders {
		j := &state.Orders[i]
		j.Slot = uint32(i + 1)
		in := t.Find(j.Instrument)
		if in == nil || t.orders.gateways[in.Venue] == nil {
			continue // recovery says so
		}
		o := j.Order
		o.Inst, o.Venue = in.Inst, in.Venue
		t.orders.gateways[in.Venue].Adopt(&o)
	}
	return nil
}

// told is what the private streams have said so far.
func (s *orderSide) told() []venue.Report {
	var all []venue.Report
	for _, x := range s.streams {
		if x != nil {
			x.mu.Lock()
			all = append(all, x.held...)
			x.mu.Unlock()
		}
	}
	return all
}

// sweepFrom is the instant from which executions may not be in the journal.
func (t *Trading) sweepFrom(state *journal.State) venue.Nanos {
	from := t.orders.since
	if state.Durable.At != 0 {
		from = min(from, state.Durable.At)
	}
	if state.Missed.Count > 0 {
		from = min(from, state.Missed.Since)
	}
	return from - recoverBack
}

// sweepAll sweeps every venue, each by itself.
func (s *orderSide) sweepAll(ctx context.Context, since venue.Nanos) ([]venue.Report, error) {
	out := make([]gathered, len(s.gateways))
	errs := make([]error, len(s.gateways))
	var wg sync.WaitGroup
	for id, g := range s.gateways {
		if g != nil {
			wg.Go(func() {
				if err := g.Sweep(ctx, since, &out[id]); err != nil {
					errs[id] = fmt.Errorf("%s: orders, executions and balances cannot be read: %w", s.names[id], err)
				}
			})
		}
	}
	wg.Wait()
	var all []venue.Report
	for id := range out {
		all = append(all, out[id].all...)
	}
	return all, errors.Join(errs...)
}
