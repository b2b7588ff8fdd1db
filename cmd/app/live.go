package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"oneprice/books/venue"
	"oneprice/engine"
	"oneprice/engine/audit"
	"oneprice/engine/recovery"
	"oneprice/engine/ring"
	"oneprice/feeds"
	"oneprice/feeds/sign"
	"oneprice/feeds/wire"

	"github.com/shopspring/decimal"
)

// Edges is where a live session's connections and time come from.
type Edges struct {
	Net   wire.Net
	Clock *wire.Clock
	TLS   *tls.Config
	// WS and REST are base addresses by venue name; a venue that is not there is reached at its public ones.
	WS, REST map[string]string
	// PrivateWS are the base addresses of the private sockets by venue name, in the same way.
	PrivateWS map[string]string
	// Keys are what market data that are not for everybody are asked for with, by venue name; a venue that is not there is
	// asked with the key of its account in the config.
	Keys map[string]sign.Secret
	// Limits are what each venue allows this address, by adapter: one set for all that reaches venues by these edges. Who
	// opens the edges shares them.
	Limits map[string]*wire.Limits
}

// share makes the limits, unless a caller has.
func (e *Edges) share() {
	if e.Limits == nil {
		e.Limits = feeds.Limits(e.Clock)
	}
}

// Machine are the edges of this machine and the public venues.
func Machine() Edges {
	e := Edges{Net: &wire.Machine{}, Clock: wire.NewClock(false)}
	e.share()
	return e
}

// LiveOptions are the options of a session on live market data with paper fills.
type LiveOptions struct {
	Edges
	// Config is a file, or the name of a shipped example.
	Config string
	// Confirmed, where not nil, is the config as the operator confirmed it, so that Config is not read again.
	Confirmed *Config
	Out       string
	Mode      string
	// Waiver is what an operator said about what the session lacks, for the audit.
	Waiver string
	// Wait overrides the config's policy; "" keeps it.
	Wait string
	// Metrics is the console's address, "" for none.
	Metrics string
	Profile bool
	// Log is where faults of the edges are told; nil for nowhere.
	Log  *slog.Logger
	Seed uint64
	// Accounts, where not nil, sign real orders by venue name; otherwise orders fill on paper.
	Accounts map[string]Account
	// Open is what becomes of our own orders that stand at the venues at the start; Fresh says that the venues are new.
	Open  recovery.Policy
	Fresh bool
	// Believe takes the venues' word for balances that differ from our books.
	Believe bool
	// Within is how long after a request a venue may still accept it, 0 for what holds everywhere.
	Within venue.Nanos
	// Holds, where not nil, is what a venue's own books hold of a currency: simulators can say.
	Holds func(venue, currency string) (amount decimal.Decimal, known bool)
	// Raw, where not nil, sees every raw message of every feed, from the feeds' goroutines.
	Raw func(venue, kind, conn, request string, recv venue.Nanos, msg []byte)
	// Only, where not nil, replaces the config's strategies.
	Only func(*Assembly) error
	// Tap, where not nil, makes one more tap once engine and feeds exist.
	Tap func(*Live) engine.Tap
	// Over, where not nil, is called when everything has stopped, before the tape is stepped again alone.
	Over func()
	// Queued, where not nil, hears the sequence of the last record after each has been queued.
	Queued func(seq uint64)
	// Status, where not nil, is called a few times a second.
	Status func(*Live)
	// Started, where not nil, is called once the session runs.
	Started func(*Live)
}

// Live is a running session.
type Live struct {
	*Trading
	Feeders []wire.Feeder // by venue, nil where none
	// Address is the console's, "" without one.
	Address string
	Began   time.Time
	// Newest is the engine's status, for the hook Status alone.
	Newest engine.Status
	// refreshers tell what venues change, through the last ring but one.
	refreshers []*refresher
	news       *wire.Shared
	edges      Edges
	faults     *faultLog
	spin       bool // the connections spin
	tally      tally
	holds      func(venue, currency string) (decimal.Decimal, bool)
	lane       *lane

	mu     sync.Mutex
	latest engine.Status // a copy of Newest for the console
}

// RunLive runs a session until ctx ends, and returns what it came to.
func RunLive(ctx context.Context, o LiveOptions) (*LiveResult, error) {
	c, err := o.Confirmed, error(nil)
	if c == nil {
		if c, err = ReadConfig(o.Config, nil); err != nil {
			return nil, err
		}
	}
	policy := engine.Policy(c.Wait)
	if o.Wait != "" {
		if policy, err = engine.ParsePolicy(o.Wait); err != nil {
			return nil, &UsageError{err}
		}
	}
	collector()
	o.share()
	faults := newFaultLog(o.Log)
	con, address, err := listen(o, faults.log)
	if err != nil {
		return nil, err
	}
	defer beside(faults, con)()
	facts, err := listed(ctx, c, o.Edges, o.Confirmed != nil, faults.log)
	if err != nil {
		return nil, err
	}
	facts, err = firstLook(ctx, c, facts, o.Edges, faults)
	if err != nil {
		return nil, err
	}
	a, err := Assemble(c, facts)
	if err != nil {
		return nil, err
	}
	if err := a.missed(faults.log); err != nil {
		return nil, err
	}
	if o.Only != nil {
		if err := o.Only(a); err != nil {
			return nil, err
		}
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	conns := len(a.Venues) - 1
	if o.Accounts != nil {
		conns *= 2 // one for market data, one for orders
	}
	policy, spin := processors(policy, conns, faults.log)
	l := &Live{edges: o.Edges, faults: faults, Address: address, Feeders: make([]wire.Feeder, len(a.Venues)), Began: time.Now(), spin: spin}
	if err := l.assemble(ctx, a, o, policy, tick.C); err != nil {
		return nil, err
	}
	if con != nil {
		con.Show(l.view())
	}
	socket, err := l.control(&o)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if o.Started != nil {
		o.Started(l)
	}
	err = l.run(ctx, policy, tick.C, o.Status, socket)
	return l.finish(err, o.Over)
}

// assemble makes the engine and the feeds.
func (l *Live) assemble(ctx context.Context, a *Assembly, o LiveOptions, policy engine.Policy, tick <-chan time.Time) error {
	var orders *OrderOptions
	if o.Accounts != nil {
		orders = &OrderOptions{Edges: o.Edges, Accounts: o.Accounts, Open: o.Open, Fresh: o.Fresh, Believe: o.Believe, Within: o.Within, Spin: l.spin, Seed: o.Seed, Log: l.faults.log}
	}
	shadow, err := keepWarm(policy, a.Config, a.Facts, o.Clock)
	if err != nil {
		return err
	}
	l.Trading, err = NewTrading(ctx, a, TradingOptions{Orders: orders, Out: o.Out, Mode: o.Mode, Waiver: o.Waiver, Operator: starter(), Feeds: 2*(len(a.Venues)-1) + 2, Policy: policy, Clock: o.Clock,
		Loop: func(cfg *engine.LoopConfig) { cfg.Tick, cfg.Shadow = tick, shadow }})
	if err != nil {
		return err
	}
	l.lane = &lane{out: l.sink(len(l.Events) - 1), clock: o.Clock}
	if l.orders != nil {
		l.tally.venues, l.holds = make([]OrderReport, len(l.Venues)), o.Holds
		l.Loop.Tap(&l.tally)
	}
	if o.Queued != nil {
		l.Loop.Record(queued{l.ring, o.Queued})
	}
	if err := l.feeds(o); err != nil {
		return errors.Join(err, l.Close())
	}
	if o.Tap != nil {
		l.Loop.Tap(o.Tap(l))
	}
	return nil
}

// queued tells a hook what has been queued.
type queued struct {
	*audit.Ring
	tell func(uint64)
}

func (q queued) Put(rs []audit.Record) bool {
	if !q.Ring.Put(rs) {
		return false
	}
	if n := len(rs); n > 0 {
		q.tell(rs[n-1].Seq)
	}
	return true
}

// feeds makes the feed of every venue.
func (l *Live) feeds(o LiveOptions) error {
	l.news = wire.Share(l.sink(len(l.Events) - 2))
	for id := 1; id < len(l.Venues); id++ {
		v := &l.Venues[id]
		cfg := wire.FeedConfig{Venue: venue.ID(id), Instruments: l.Of(venue.ID(id)), Net: o.Net, Clock: o.Clock, TLS: o.TLS, WS: o.WS[v.Name], REST: o.REST[v.Name],
			Limits: o.Limits[v.Adapter.Name], Spin: l.spin, Snapshots: l.sink(2*(id-1) + 1), Touches: true, Trades: true, Report: l.faults.of(v.Name), Seed: o.Seed + uint64(id)}
		if o.Raw != nil {
			name := v.Name
			cfg.Raw = func(kind, conn, request string, recv venue.Nanos, msg []byte) {
				o.Raw(name, kind, conn, request, recv, msg)
			}
		}
		if len(cfg.Instruments) == 0 {
			continue
		}
		if v.Adapter.Feed == nil {
			return &UsageError{fmt.Errorf("%s: the adapter %s has no live feed", v.Name, v.Adapter.Name)}
		}
		if err := o.form(l.Config, v.Name, &cfg); err != nil {
			return err
		}
		l.refreshes(venue.ID(id), &cfg)
		f, err := v.Adapter.Feed(cfg)
		if err != nil {
			return &UsageError{err}
		}
		l.Feeders[id] = f
		l.Loop.Feed(venue.ID(id), f)
	}
	return nil
}

// sink is the n-th ring as producers see it: under inline, whoever publishes also runs the engine. Each venue has two rings,
// for its socket and its snapshots; then comes that of what venues change, and the last one is the operator's.
func (l *Live) sink(n int) venue.Sink {
	if l.policy == engine.Inline {
		return inline{l.Events[n], l.Loop}
	}
	return l.Events[n]
}

type inline struct {
	*ring.Ring[venue.Event]
	loop *engine.Loop
}

func (s inline) Put(ev []venue.Event) venue.Reason {
	why := s.Ring.Put(ev)
	if why == venue.OK {
		s.loop.Offer()
	}
	return why
}
