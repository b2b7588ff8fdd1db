package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"oneprice/books"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/engine"
	"oneprice/engine/audit"
	"oneprice/engine/console"
	"oneprice/engine/ring"
	"oneprice/engine/stats"
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
}

// Machine are the edges of this machine and the public venues.
func Machine() Edges { return Edges{Net: &wire.Machine{}, Clock: wire.NewClock(false)} }

// LiveOptions are the options of a session on live market data with paper fills.
type LiveOptions struct {
	Edges
	// Config is a file, or the name of a shipped example.
	Config string
	Out    string
	Mode   string
	// Wait overrides the config's policy; "" keeps it.
	Wait string
	// Metrics is the console's address, "" for none.
	Metrics string
	Profile bool
	Seed    uint64
	// Accounts, where not nil, sign real orders by venue name; otherwise orders fill on paper.
	Accounts map[string]Account
	// Holds, where not nil, is what a venue's own books hold of a currency: simulators can say.
	Holds func(venue, currency string) (amount decimal.Decimal, known bool)
	// Raw, where not nil, sees every raw message of every feed, from the feeds' goroutines.
	Raw func(venue, kind, conn, request string, recv venue.Nanos, msg []byte)
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
	Newest  engine.Status
	edges   Edges
	tally   tally
	holds   func(venue, currency string) (decimal.Decimal, bool)
	console *console.Server
}

// RunLive runs a session until ctx ends, and returns what it came to.
func RunLive(ctx context.Context, o LiveOptions) (*LiveResult, error) {
	c, err := ReadConfig(o.Config, nil)
	if err != nil {
		return nil, err
	}
	policy := engine.Policy(c.Wait)
	if o.Wait != "" {
		if policy, err = engine.ParsePolicy(o.Wait); err != nil {
			return nil, &UsageError{err}
		}
	}
	facts, err := firstLook(ctx, c, o.Edges)
	if err != nil {
		return nil, err
	}
	a, err := Assemble(c, facts)
	if err != nil {
		return nil, err
	}
	l := &Live{edges: o.Edges, Feeders: make([]wire.Feeder, len(a.Venues)), Began: time.Now()}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	shadow, err := keepWarm(policy, c, facts, o.Clock)
	if err != nil {
		return nil, err
	}
	var orders func(*Trading) (*orderSide, error)
	if o.Accounts != nil {
		orders = func(t *Trading) (*orderSide, error) { return newOrderSide(t, o.Edges, o.Accounts, o.Seed) }
	}
	l.Trading, err = NewTrading(a, TradingOptions{Orders: orders, Out: o.Out, Mode: o.Mode, Feeds: 2 * (len(a.Venues) - 1), Policy: policy, Clock: o.Clock,
		Loop: func(cfg *engine.LoopConfig) { cfg.Tick, cfg.Shadow = tick.C, shadow }})
	if err != nil {
		return nil, err
	}
	if l.orders != nil {
		l.tally.venues, l.holds = make([]OrderReport, len(l.Venues)), o.Holds
		l.Loop.Tap(&l.tally)
	}
	if o.Queued != nil {
		l.Loop.Record(queued{l.ring, o.Queued})
	}
	if err := l.feeds(o); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if o.Tap != nil {
		l.Loop.Tap(o.Tap(l))
	}
	if err := l.listen(o); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if o.Started != nil {
		o.Started(l)
	}
	err = l.run(ctx, policy, tick.C, o.Status)
	return l.finish(err, o.Over)
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
	for id := 1; id < len(l.Venues); id++ {
		v := &l.Venues[id]
		cfg := wire.FeedConfig{Venue: venue.ID(id), Instruments: l.Of(venue.ID(id)), Net: o.Net, Clock: o.Clock, TLS: o.TLS, WS: o.WS[v.Name], REST: o.REST[v.Name],
			Spin: l.policy == engine.Spin, Snapshots: l.sink(2*(id-1) + 1), Touches: true, Trades: true, Seed: o.Seed + uint64(id)}
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
		f, err := v.Adapter.Feed(cfg)
		if err != nil {
			return &UsageError{err}
		}
		l.Feeders[id] = f
		l.Loop.Feed(venue.ID(id), f)
	}
	return nil
}

// sink is the n-th ring as feeds see it: under inline, whoever publishes also runs the engine.
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

// listen opens the console.
func (l *Live) listen(o LiveOptions) error {
	if o.Metrics == "" {
		return nil
	}
	ln, err := net.Listen("tcp", o.Metrics)
	if err != nil {
		return &UsageError{fmt.Errorf("the console cannot listen on %s: %w; give another address with --metrics, or --metrics \"\" for none", o.Metrics, err)}
	}
	l.Address = ln.Addr().String()
	l.console = console.New(console.Config{Listener: ln, Status: l.Loop.Status, Latency: []*stats.Latency{l.Latency}, Instruments: l.Instruments,
		Currencies: l.Currencies, Reporting: l.Reporting, Ready: l.ready, More: l.metrics, Profile: o.Profile})
	return nil
}

// ready says which book is not fit to trade on, "" when all are.
func (l *Live) ready() string {
	var bad []string
	for _, in := range l.Instruments[1:] {
		if v := l.Engine.Desk().Book(in.Inst).View(); v.State != books.Live {
			bad = append(bad, fmt.Sprintf("%s is %s (%s)", in.Name, v.State, v.Why))
		}
	}
	if l.tape.Broken() {
		bad = append(bad, "the tape is broken off")
	}
	return strings.Join(bad, "; ")
}

// metrics writes what the engine does not know: connections and files.
func (l *Live) metrics(w io.Writer) {
	for id, f := range l.Feeders {
		if f == nil {
			continue
		}
		for n, s := range f.Sessions() {
			c, label := s.Counters(), fmt.Sprintf("{venue=%q,session=\"%d\"}", l.Venues[id].Name, n)
			fmt.Fprintf(w, "oneprice_feed_messages_total%s %d\noneprice_feed_bytes_total%s %d\noneprice_feed_connects_total%s %d\noneprice_feed_losses_total%s %d\noneprice_feed_damaged_total%s %d\noneprice_feed_dropped_total%s %d\n",
				label, c.Messages.Load(), label, c.Bytes.Load(), label, c.Connects.Load(), label, c.Losses.Load(), label, c.Damaged.Load(), label, c.Dropped.Load())
		}
	}
	broken := 0
	if l.tape.Broken() {
		broken = 1
	}
	fmt.Fprintf(w, "oneprice_audit_waiting %d\noneprice_tape_broken %d\n", l.ring.Waiting(), broken)
}

// run lets everything work until ctx ends, then stops in order: feeds, engine, files.
func (l *Live) run(ctx context.Context, policy engine.Policy, tick <-chan time.Time, status func(*Live)) error {
	feeding, stopFeeds := context.WithCancel(ctx)
	deciding, stopLoop := context.WithCancel(context.Background())
	writing, stopFiles := context.WithCancel(context.Background())
	defer stopFeeds()
	defer stopLoop()
	defer stopFiles()
	ordering, stopOrders := context.WithCancel(context.Background())
	defer stopOrders()
	var gateways, feeds, engineDone, files sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	fail := func(err error) {
		if err != nil {
			mu.Lock()
			errs = append(errs, err)
			mu.Unlock()
			stopFeeds()
		}
	}
	files.Go(func() { fail(l.Write(writing)) })
	if l.console != nil {
		feeds.Go(func() { fail(l.console.Run(feeding)) })
	}
	if l.orders != nil {
		l.orders.run(ordering, &gateways, l.Loop, policy, fail)
		fail(l.orders.ready(ctx))
	}
	if policy == engine.Inline {
		engineDone.Go(func() { l.pulse(deciding, tick, stopFeeds) })
	} else {
		engineDone.Go(func() {
			if policy == engine.Spin {
				defer pin()()
			}
			if l.Loop.Run(deciding) != nil {
				stopFeeds() // Settle says why
			}
		})
	}
	for id, f := range l.Feeders {
		if f != nil {
			out := l.sink(2 * (id - 1))
			feeds.Go(func() { fail(f.Run(feeding, out)) })
		}
	}
	l.watch(feeding, status)
	feeds.Wait()
	stopOrders()
	gateways.Wait()
	stopLoop()
	l.Bell.Ring()
	engineDone.Wait()
	err := l.settle()
	stopFiles()
	files.Wait()
	return errors.Join(append(errs, err)...)
}

// pulse steps for time alone, under inline. It ends with ctx, or after stop when the engine has halted.
func (l *Live) pulse(ctx context.Context, tick <-chan time.Time, stop func()) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
			if l.Loop.Pulse() != nil {
				stop() // Settle says why
				return
			}
		}
	}
}

// settle ends the engine's session and gives the audit's writer, which still runs, time to make room for the last records.
func (l *Live) settle() error {
	err := l.Loop.Settle()
	for n := 0; errors.Is(err, engine.ErrUnwritten) && n < 500; n++ {
		l.edges.Clock.Sleep(context.Background(), 10*venue.Millisecond)
		err = errors.Join(l.Loop.Err(), l.Loop.Flush())
	}
	return err
}

// watch shows the status until ctx ends.
func (l *Live) watch(ctx context.Context, status func(*Live)) {
	t := time.NewTicker(250 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			l.Loop.Status(&l.Newest)
			if status != nil {
				status(l)
			}
		}
	}
}

// lookFor bounds the first look at the markets.
const lookFor = 20 * venue.Second

// firstLook follows every instrument of a config until each has shown a price: limits in money become lots at it.
func firstLook(ctx context.Context, c *Config, e Edges) (*Facts, error) {
	a := &assembler{Assembly: &Assembly{Table: NewTable(), Config: c}, w: walker{where: c.where}}
	a.Currency(string(c.Reporting))
	if a.products(); len(a.w.faults) > 0 {
		a.w.sort()
		return nil, a.w.faults
	}
	ctx, stop := context.WithTimeout(ctx, time.Duration(lookFor))
	defer stop()
	out := ring.Events(ringRecords, ring.NewBell())
	shared := &lockedSink{out: out}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	feeders := make([]wire.Feeder, len(a.Venues))
	for id := 1; id < len(a.Venues); id++ {
		v := &a.Venues[id]
		ins := a.Of(venue.ID(id))
		if len(ins) == 0 || v.Adapter.Feed == nil {
			continue
		}
		f, err := v.Adapter.Feed(wire.FeedConfig{Venue: venue.ID(id), Instruments: ins, Net: e.Net, Clock: e.Clock, TLS: e.TLS, WS: e.WS[v.Name], REST: e.REST[v.Name],
			Snapshots: shared, Touches: true, Trades: true})
		if err != nil {
			return nil, &UsageError{err}
		}
		feeders[id] = f
		wg.Go(func() { f.Run(ctx, shared) }) // its faults show as a missing price
	}
	facts, err := a.look(ctx, out, e.Clock)
	if err == nil {
		return facts, nil
	}
	errs := []error{err}
	for _, f := range feeders {
		if f != nil {
			for _, s := range f.Sessions() {
				errs = append(errs, s.Fault()) // names its venue
			}
		}
	}
	return nil, errors.Join(errs...)
}

// look reads records until every instrument has shown a price.
func (a *assembler) look(ctx context.Context, out *ring.Ring[venue.Event], clock *wire.Clock) (*Facts, error) {
	f := &Facts{}
	seen := make([]bool, len(a.Instruments))
	note := func(i venue.Inst, p fixed.Price) {
		if in := a.Instruments[i]; p > 0 && !seen[i] {
			seen[i] = true
			f.Prices = append(f.Prices, FoundPrice{in.Name, string(fixed.AppendTrim(nil, int64(p), in.PriceScale))})
		}
	}
	buf := make([]venue.Event, 0, ringRecords)
	for len(f.Prices) < len(a.Instruments)-1 {
		buf = out.Drain(buf[:0])
		for i := range buf {
			switch e := &buf[i]; {
			case e.Kind == venue.Touch, e.Kind == venue.Trade:
				note(e.Inst, fixed.Price(e.W[0]))
			case e.Kind == venue.Levels && e.N > 0 && e.W[1] > 0: // the first level of a snapshot is its best
				note(e.Inst, e.Level(0).Price)
			}
		}
		if len(buf) == 0 && clock.Sleep(ctx, venue.Millisecond) != nil {
			return nil, a.unseen(seen)
		}
	}
	return f, nil
}

// unseen names the instruments that showed no price.
func (a *assembler) unseen(seen []bool) error {
	var missing []string
	for _, in := range a.Instruments[1:] {
		if !seen[in.Inst] {
			missing = append(missing, in.Name)
		}
	}
	return fmt.Errorf("no price came within %v from %s; check the network and the addresses, or take the instruments out of the config", time.Duration(lookFor), strings.Join(missing, ", "))
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
