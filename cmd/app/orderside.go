package app

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"oneprice/books/venue"
	"oneprice/engine"
	"oneprice/engine/recovery"
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
	shared   []bool
	gateways []wire.Gateway
	// live are the rings of the private streams, swept those of sweeps: a ring has one writer.
	live, swept []*ring.Ring[venue.Report]
	streams     []*stream
	// again asks for a sweep, since the stream had a gap.
	again []chan struct{}
	clock *wire.Clock
	// since is when the sweep began that recovery ended with.
	since  venue.Nanos
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup
	failed chan error // room for one of each gateway
}

// reportRecords is the room of a ring of reports.
const reportRecords = 1 << 13

// OrderOptions say how a session's orders reach venues.
type OrderOptions struct {
	Edges
	// Accounts sign the orders, by venue name.
	Accounts map[string]Account
	// Open is what becomes of our own orders that stand at the venues when the session begins.
	Open recovery.Policy
	// Believe takes the venues' word for balances that differ from our books.
	Believe bool
	// Fresh: the venues are new with every session, as the demo's are; each then has a journal of its own.
	Fresh bool
	// Alone: no other engine can reach these accounts, so none is shut out.
	Alone bool
	// Within is how long after a request a venue may still accept it, 0 for what holds everywhere.
	Within venue.Nanos
	// Spin makes the order connections busy-poll.
	Spin bool
	Seed uint64
	Log  *slog.Logger
}

// newOrderSide makes the gateways of every venue that has an account.
func newOrderSide(t *Trading, o *OrderOptions) (*orderSide, error) {
	e := o.Edges
	n := len(t.Venues)
	s := &orderSide{names: make([]string, n), shared: make([]bool, n), gateways: make([]wire.Gateway, n), live: make([]*ring.Ring[venue.Report], n), swept: make([]*ring.Ring[venue.Report], n),
		streams: make([]*stream, n), again: make([]chan struct{}, n), clock: e.Clock, failed: make(chan error, n)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	for id := 1; id < n; id++ {
		v := &t.Venues[id]
		ins := t.Of(venue.ID(id))
		if len(ins) == 0 {
			continue
		}
		a, ok := o.Accounts[v.Name]
		if !ok {
			return nil, &UsageError{fmt.Errorf("%s has no account; write one under venues.%s.account, or take its instruments out", v.Name, v.Name)}
		}
		if v.Adapter.Gateway == nil {
			return nil, &UsageError{fmt.Errorf("%s: the adapter %s takes no orders yet; trade it on paper", v.Name, v.Adapter.Name)}
		}
		again := make(chan struct{}, 1)
		g, err := v.Adapter.Gateway(wire.GatewayConfig{Venue: venue.ID(id), Instruments: ins, Currency: t.currency, Net: e.Net, Clock: e.Clock, TLS: e.TLS,
			WS: e.PrivateWS[v.Name], REST: e.REST[v.Name], Kill: &t.Kill, Slots: orderSlots, Account: a.Name, Shared: a.Shared, Tier: a.Tier, Key: a.Key, Secret: a.Secret,
			Limits: e.Limits[v.Adapter.Name], Spin: o.Spin, Seed: o.Seed + uint64(id), Lost: func() {
				select {
				case again <- struct{}{}:
				default: // one is asked for already
				}
			}})
		if err != nil {
			return nil, &UsageError{err}
		}
		s.names[id], s.shared[id], s.gateways[id], s.again[id] = v.Name, a.Shared, g, again
		s.streams[id] = &stream{}
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

// stream is a ring of reports as a gateway sees it. Until the session starts it holds what comes back: recovery sweeps, and
// what a sweep shows must not be told again.
type stream struct {
	mu   sync.Mutex
	held []venue.Report
	live atomic.Pointer[ring.Ring[venue.Report]]
	// loop runs on whoever publishes, under inline; nil otherwise.
	loop *engine.Loop
}

func (s *stream) Put(rs []venue.Report) venue.Reason {
	r := s.live.Load()
	if r == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		if r = s.live.Load(); r == nil {
			s.held = append(s.held, rs...)
			return venue.OK
		}
	}
	why := r.Put(rs)
	if why == venue.OK && s.loop != nil {
		s.loop.Offer()
	}
	return why
}

// open lets reports through to a ring, first those held that came after the last sweep began.
func (s *stream) open(r *ring.Ring[venue.Report], l *engine.Loop, after venue.Nanos) venue.Reason {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loop = l
	for i := range s.held {
		if s.held[i].Recv >= after {
			if why := r.Put(s.held[i : i+1]); why != venue.OK {
				return why
			}
		}
	}
	s.held = nil
	s.live.Store(r)
	return venue.OK
}

// start lets every gateway work until stop. What cannot go on is told to failed.
func (s *orderSide) start() {
	for id, g := range s.gateways {
		if g != nil {
			s.work.Go(func() {
				if err := g.Run(s.ctx, s.streams[id]); err != nil && s.ctx.Err() == nil {
					s.failed <- fmt.Errorf("%s: the order side ended: %w", s.names[id], err)
				}
			})
		}
	}
}

// open lets reports through to the engine, and from then on sweeps a venue whenever its private stream had a gap.
func (s *orderSide) open(l *engine.Loop, p engine.Policy) error {
	offer := l
	if p != engine.Inline {
		offer = nil
	}
	for id, g := range s.gateways {
		if g == nil {
			continue
		}
		swept := &stream{}
		if s.streams[id].open(s.live[id], offer, s.since) != venue.OK || swept.open(s.swept[id], offer, 0) != venue.OK {
			return fmt.Errorf("%s: more reports came during the start than there is room for (%d); start again", s.names[id], reportRecords)
		}
		s.work.Go(func() { s.sweeps(id, swept) })
	}
	return nil
}

// stop ends the gateways and waits for them.
func (s *orderSide) stop() {
	s.cancel()
	s.work.Wait()
}

// Sweeps look back further than the gap that asked for them, since clocks differ, a silent connection is found out late, and
// the engine knows what it has booked; but not beyond the start, whose recovery has booked what was before.
const (
	sweepBack  = 120 * venue.Second
	sweepRetry = 2 * venue.Second
)

// sweeps sweeps a venue each time it is asked for, from before the gap, until it succeeds. A gap that came while the sweep
// before was under way is no older than that sweep's beginning.
func (s *orderSide) sweeps(id int, out venue.Reports) {
	ctx := s.ctx
	start := s.clock.Now()
	began := start // the last sweep that was whole
	for {
		gap := began
		select {
		case <-s.again[id]:
		default:
			select {
			case <-ctx.Done():
				return
			case <-s.again[id]:
			}
			gap = s.clock.Now()
		}
		for {
			began = s.clock.Now()
			err := s.gateways[id].Sweep(ctx, max(start, gap-sweepBack), out)
			if err == nil {
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
