package app

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"oneprice/books/venue"
	"oneprice/engine"
	"oneprice/engine/ring"
	"oneprice/feeds/sign"
	"oneprice/feeds/wire"
)

// Account is what the orders of one venue are signed with.
type Account struct {
	Name        string
	Key, Secret sign.Secret
	// Shared says that others trade on it.
	Shared bool
	// Tier is its level in the venue's own word, "" the lowest.
	Tier string
}

// orderSide is the order side of a session that sends its orders to venues: a gateway for each, and the rings that their
// reports come by. Slices are by venue, nil where a venue takes no orders.
type orderSide struct {
	names    []string
	gateways []wire.Gateway
	// live are the rings of the private streams, swept those of sweeps: a ring has one writer.
	live, swept []*ring.Ring[venue.Report]
	// again asks for a sweep, since the stream had a gap.
	again []chan struct{}
	clock *wire.Clock
}

// reportRecords is the room of a ring of reports.
const reportRecords = 1 << 13

// newOrderSide makes the gateways of every venue that has an account; spin makes their order connections busy-poll.
func newOrderSide(t *Trading, e Edges, accounts map[string]Account, spin bool, seed uint64) (*orderSide, error) {
	n := len(t.Venues)
	s := &orderSide{names: make([]string, n), gateways: make([]wire.Gateway, n), live: make([]*ring.Ring[venue.Report], n), swept: make([]*ring.Ring[venue.Report], n),
		again: make([]chan struct{}, n), clock: e.Clock}
	for id := 1; id < n; id++ {
		v := &t.Venues[id]
		ins := t.Of(venue.ID(id))
		if len(ins) == 0 {
			continue
		}
		a, ok := accounts[v.Name]
		if !ok {
			return nil, &UsageError{fmt.Errorf("%s has no account; write one under venues.%s.account, or take its instruments out", v.Name, v.Name)}
		}
		if v.Adapter.Gateway == nil {
			return nil, &UsageError{fmt.Errorf("%s: the adapter %s takes no orders yet; trade it on paper", v.Name, v.Adapter.Name)}
		}
		again := make(chan struct{}, 1)
		g, err := v.Adapter.Gateway(wire.GatewayConfig{Venue: venue.ID(id), Instruments: ins, Currency: t.currency, Net: e.Net, Clock: e.Clock, TLS: e.TLS,
			WS: e.PrivateWS[v.Name], REST: e.REST[v.Name], Kill: &t.Kill, Slots: orderSlots, Account: a.Name, Shared: a.Shared, Tier: a.Tier, Key: a.Key, Secret: a.Secret,
			Spin: spin, Seed: seed + uint64(id), Lost: func() {
				select {
				case again <- struct{}{}:
				default: // one is asked for already
				}
			}})
		if err != nil {
			return nil, &UsageError{err}
		}
		s.names[id], s.gateways[id], s.again[id] = v.Name, g, again
		s.live[id], s.swept[id] = ring.Reports(reportRecords, t.Bell), ring.Reports(reportRecords, t.Bell)
	}
	return s, nil
}

// currency finds the index of a currency by name, 0 for one that the process has none for. The table is read-only by now.
func (t *Table) currency(name string) venue.Ccy {
	for i := 1; i < len(t.Currencies); i++ {
		if t.Currencies[i] == name {
			return venue.Ccy(i)
		}
	}
	return 0
}

// rings are all rings of reports.
func (s *orderSide) rings() []*ring.Ring[venue.Report] {
	var out []*ring.Ring[venue.Report]
	for id := range s.gateways {
		if s.gateways[id] != nil {
			out = append(out, s.live[id], s.swept[id])
		}
	}
	return out
}

// offering is a ring of reports under inline: whoever publishes also runs the engine.
type offering struct {
	*ring.Ring[venue.Report]
	loop *engine.Loop
}

func (o offering) Put(rs []venue.Report) venue.Reason {
	why := o.Ring.Put(rs)
	if why == venue.OK {
		o.loop.Offer()
	}
	return why
}

// to is a ring as gateways see it.
func to(r *ring.Ring[venue.Report], l *engine.Loop, p engine.Policy) venue.Reports {
	if p == engine.Inline {
		return offering{r, l}
	}
	return r
}

// run lets every gateway work until ctx ends, and sweeps a venue whenever its private stream had a gap. fail hears of what
// cannot go on.
func (s *orderSide) run(ctx context.Context, wg *sync.WaitGroup, l *engine.Loop, p engine.Policy, fail func(error)) {
	for id, g := range s.gateways {
		if g == nil {
			continue
		}
		wg.Go(func() {
			if err := g.Run(ctx, to(s.live[id], l, p)); err != nil && ctx.Err() == nil {
				fail(fmt.Errorf("%s: the order side ended: %w", s.names[id], err))
			}
		})
		wg.Go(func() { s.sweeps(ctx, id, to(s.swept[id], l, p)) })
	}
}

// Sweeps look back further than the gap that asked for them, since clocks differ and the ledger knows what it has booked;
// but not beyond the start, whose recovery has booked what was before.
const (
	sweepBack  = 120 * venue.Second
	sweepRetry = 2 * venue.Second
)

// sweeps sweeps a venue each time it is asked for, from before the last whole sweep, until it succeeds.
func (s *orderSide) sweeps(ctx context.Context, id int, out venue.Reports) {
	start := s.clock.Now()
	whole := start
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.again[id]:
		}
		for {
			began := s.clock.Now()
			err := s.gateways[id].Sweep(ctx, max(start, whole-sweepBack), out)
			if err == nil {
				whole = began
				break
			}
			if s.clock.Sleep(ctx, sweepRetry) != nil {
				return
			}
		}
	}
}

// readyWithin bounds the wait for the gateways at the start.
const readyWithin = 20 * venue.Second

// ready waits until orders can leave at every venue.
func (s *orderSide) ready(ctx context.Context) error {
	until := s.clock.Now() + readyWithin
	for {
		var waiting []string
		for id, g := range s.gateways {
			if g != nil && !g.Ready() {
				waiting = append(waiting, s.names[id])
			}
		}
		if len(waiting) == 0 {
			return nil
		}
		if s.clock.Now() > until {
			return fmt.Errorf("no orders can leave at %s after %s; check keys, permissions and the network", strings.Join(waiting, ", "), time.Duration(readyWithin))
		}
		if err := s.clock.Sleep(ctx, 5*venue.Millisecond); err != nil {
			return err
		}
	}
}
