package app

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"oneprice/books/venue"
	"oneprice/engine"
	"oneprice/engine/recovery"
	"oneprice/feeds"
	"oneprice/feeds/venuesim"
	"oneprice/feeds/wire"
)

// The whole engine in virtual time: engine, gateways and feeds against the three simulated venues, over a network that is
// held. One goroutine, the scheduler, does one thing at a time, and only when all others are at rest: it lets one write
// arrive, or the engine step, or time go on, or the process die and another start. What happens, and when, so comes from
// the seed alone.

// simulation is the world of one seed. The scheduler's goroutine owns it.
type simulation struct {
	t      *testing.T
	seed   uint64
	rnd    *rand.Rand
	net    *wire.Held
	clock  *wire.Clock
	own    *wire.Clock // the scheduler's
	sims   *Simulators
	config *Config
	root   string
	log    *slog.Logger
	lives  int
	life   *simLife
	down   bool // an operator has forbidden something
	// traded is for how long engines have run, crashAt when the next one is killed.
	traded, crashAt venue.Nanos
	step            int
	waiting         []int
	history         io.Writer
	guard           *guard

	mu     sync.Mutex
	failed string // what does not hold, "" while all does
}

// simLife is one run of the engine: from a start to a crash, or to the end.
type simLife struct {
	*Live
	out    string
	net    *severed
	ctx    context.Context
	cancel context.CancelFunc
	begun  chan error
	work   sync.WaitGroup
	runs   bool
	// stopFeeds ends the market data.
	stopFeeds func()
}

// severed is the network of one process: when that is dead, nothing of it leaves any more.
type severed struct {
	wire.Net
	guard *guard
	mu    sync.Mutex
	conns []net.Conn
	dead  atomic.Bool
}

func (n *severed) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := n.Net.DialContext(ctx, network, address)
	n.mu.Lock()
	defer n.mu.Unlock()
	if err == nil && n.dead.Load() {
		err = errors.Join(errors.New("the process is dead"), c.Close())
	}
	if err != nil {
		return nil, err
	}
	n.conns = append(n.conns, c)
	return guardedConn{c, n}, nil
}

func (n *severed) kill() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dead.Store(true)
	for _, c := range n.conns {
		c.Close() // its error would be of a connection that is closed
	}
}

// simConfig is the demo's config with breakers that close again soon, so that orders go on leaving, and limits that orders
// at work come close to.
func simConfig(t *testing.T) *Config {
	text := strings.NewReplacer(
		"{failures: 5, window: 60s, wait: 300s, max_wait: 1h, openings_per_day: 3}", "{failures: 5, window: 2s, wait: 100ms, max_wait: 200ms, openings_per_day: 100000}",
		"      max_position: 200000\n      collar", "      max_position: 7000\n      collar",
		"max_daily_loss: 5000", "max_daily_loss: 100000", "max_drawdown: 5000", "max_drawdown: 100000",
	).Replace(example(t, "demo"))
	c, err := ParseConfig("sim", []byte(text), nil)
	require.NoError(t, err)
	return c
}

// simPrices are those with which the simulated markets begin.
func simPrices() *Facts {
	return &Facts{Prices: []FoundPrice{{"binance:BTCUSDT", "60000"}, {"coinbase:BTC-USD", "60000"}, {"kraken:BTC/USD", "60000"},
		{"binance:ETHUSDT", "3000"}, {"coinbase:ETH-USD", "3000"}, {"kraken:ETH/USD", "3000"}}}
}

const (
	// simRecords is the room of audit ring and journal files.
	simRecords = 1 << 13
	// simSpan is how long a seed's faults last.
	simSpan = 6 * venue.Second
)

// simResult is what came of a seed.
type simResult struct {
	hash   uint64
	failed string
	tally  string
}

// simulate runs a seed.
func simulate(t *testing.T, seed uint64) (r simResult) {
	config, root := simConfig(t), simFolder(t)
	synctest.Test(t, func(t *testing.T) {
		h := fnv.New64a()
		clock := wire.NewClock(true)
		s := &simulation{t: t, seed: seed, rnd: rand.New(rand.NewPCG(seed, 0x51e)), net: wire.NewHeld(), clock: clock, own: clock.Own(), config: config, root: root, history: h, log: slog.New(slog.DiscardHandler)}
		s.guard = newGuard(s)
		s.run()
		r = simResult{h.Sum64(), s.failed, fmt.Sprintf("%d steps, %d lives, %d instructions, %d fills, %v", s.step, s.lives, len(s.guard.sent), s.guard.fills, s.guard.kinds)}
	})
	return r
}

// simFolder is a folder in memory where there is one: the kernel keeps what a killed process wrote, on any file system.
func simFolder(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "oneprice-sim-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

// run is the life of the world.
func (s *simulation) run() {
	var err error
	s.sims, err = NewSimulators(Edges{Net: s.net, Clock: s.clock}, SimOptions{Seed: s.seed, Address: "127.0.0.1:0", Accounts: s.config, Acts: 300, Every: 4 * venue.Millisecond})
	require.NoError(s.t, err)
	serving, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.sims.Run(serving) }()
	s.own.Sleep(serving, 1)
	s.crashAt = venue.Nanos(s.rnd.Int64N(int64(2 * simSpan)))
	s.begin(filepath.Join(s.root, "1"))
	for s.holds() && !s.life.runs {
		s.advance()
	}
	s.strike(venuesim.AllFaults.Times(2).And(venuesim.PrivateFaults.Times(2)).And(venuesim.Rates{venuesim.TooMany: 20_000, venuesim.Refuse: 50_000}))
	for s.holds() && s.traded < simSpan {
		at, runs := s.own.Now(), s.life.runs
		if s.advance(); runs {
			s.traded += s.own.Now() - at
		}
	}
	s.strike(venuesim.Rates{})
	s.peace()
	s.guard.final()
	s.die()
	if s.holds() {
		s.proven(s.life)
	}
	stop()
	s.net.Free()
	require.NoError(s.t, <-served)
}

func (s *simulation) strike(r venuesim.Rates) {
	for _, v := range s.sims.Venues {
		v.faults.Set(r)
	}
}

// advance is one step of the scheduler.
func (s *simulation) advance() {
	synctest.Wait()
	s.step++
	s.started()
	s.waiting = s.net.Waiting(s.waiting[:0])
	ready := s.life.runs && s.life.pending()
	switch roll := s.rnd.IntN(10_000); {
	case s.life.runs && s.traded > s.crashAt:
		s.crash()
	case s.life.runs && (roll < 2 || s.down && roll < 30):
		s.operate()
	case len(s.waiting) > 0 && (roll < 5500 || !ready && roll < 9000):
		s.arrive()
	case ready && roll < 9000:
		s.turn()
	case len(s.waiting) == 0 && !s.life.runs:
		s.rest(5 * venue.Millisecond)
	default:
		s.rest(50*venue.Microsecond + venue.Nanos(s.rnd.Int64N(int64(950*venue.Microsecond))))
	}
}

// arrive lets one write arrive.
func (s *simulation) arrive() {
	i := s.waiting[s.rnd.IntN(len(s.waiting))]
	s.net.Release(i)
	s.note("arrive", i)
}

// rest lets time go on, and the engine see it.
func (s *simulation) rest(span venue.Nanos) {
	s.own.Sleep(context.Background(), span)
	synctest.Wait()
	s.note("time")
	if s.life.runs {
		s.stepped(s.life.Loop.Pulse())
	}
}

// turn lets the engine step what waits.
func (s *simulation) turn() {
	s.note("turn")
	s.life.Loop.Turn()
	s.stepped(s.life.Loop.Err())
}

// stepped looks at the engine after a step.
func (s *simulation) stepped(err error) {
	if err != nil {
		s.fail("the engine runs", "%v", err)
	}
	s.guard.check()
	if l := s.life; s.step%256 == 0 {
		_, err := l.writer.Drain()
		require.NoError(s.t, errors.Join(err, l.journal.Sync()))
	}
}

// operate is an operator at work, who soon allows again what is forbidden.
func (s *simulation) operate() {
	if s.down {
		for v := range s.life.Venues {
			s.order(venue.OpLift, venue.ID(v))
			s.order(venue.OpArm, venue.ID(v))
		}
	} else {
		k := []venue.OpKind{venue.OpKill, venue.OpDisarm, venue.OpReduceOnly}[s.rnd.IntN(3)]
		s.order(k, venue.ID(s.rnd.IntN(len(s.life.Venues))))
	}
	s.down = !s.down
}

// interfere is another thread that kills between an order's decision and its leaving.
func (s *simulation) interfere() {
	if s.down || s.rnd.IntN(40) != 0 {
		return
	}
	s.down = true
	s.life.Kill.Set()
	s.order(venue.OpKill, 0)
}

// order gives an operator's order to the engine.
func (s *simulation) order(k venue.OpKind, v venue.ID) {
	s.note("operator", k, v)
	_, err := s.life.lane.put(k, scope{venue: v}, 1, "the simulation")
	require.NoError(s.t, err)
}

// note adds to the history.
func (s *simulation) note(what string, n ...any) {
	fmt.Fprintln(s.history, s.clock.Now(), what, n)
}

// fail notes the first invariant that does not hold. Any goroutine.
func (s *simulation) fail(invariant, format string, a ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed == "" {
		s.failed = fmt.Sprintf("seed %d, step %d, %s: does not hold: %s: %s\nagain: make sim SEED=%d COUNT=1", s.seed, s.step,
			time.Unix(0, int64(s.clock.Now())).UTC().Format("15:04:05.000000"), invariant, fmt.Sprintf(format, a...), s.seed)
	}
}

func (s *simulation) holds() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed == ""
}

// begin starts an engine on a folder; started says when it runs.
func (s *simulation) begin(out string) {
	a, err := Assemble(s.config, simPrices())
	require.NoError(s.t, err)
	s.lives++
	l := &simLife{out: out, net: &severed{Net: s.net, guard: s.guard}, begun: make(chan error, 1)}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	e := s.sims.Edges()
	e.Net, e.Limits = l.net, feeds.Limits(s.clock)
	s.guard.wrap(a)
	l.Live = &Live{edges: e, faults: newFaultLog(s.log), Feeders: make([]wire.Feeder, len(a.Venues)), Began: time.Now()}
	s.life = l
	o := &OrderOptions{Edges: e, Accounts: s.sims.accounts(), Open: recovery.Policy(s.rnd.IntN(2)), Within: 2 * venue.Second, Alone: true, Seed: s.seed + uint64(s.lives), Log: s.log}
	go func() {
		var err error
		l.Trading, err = NewTrading(l.ctx, a, TradingOptions{Out: out, Mode: "live", Feeds: 2*(len(a.Venues)-1) + 2, Records: simRecords, Inline: true, Policy: engine.Park, Clock: s.clock, Orders: o})
		l.begun <- err
	}()
}

// started lets a session run whose start is over.
func (s *simulation) started() {
	l := s.life
	if l.runs {
		return
	}
	select {
	case err := <-l.begun:
		if refused := new(wire.Error); errors.As(err, &refused) && refused.Kind == wire.Auth { // as the fault of a forgotten session says: the operator starts again
			l.net.kill()
			l.cancel()
			s.begin(l.out)
			return
		}
		if err != nil {
			s.fail("a start recovers", "%v", err)
			l.begun <- err // for die
			return
		}
	default:
		return
	}
	l.runs = true
	s.guard.begin(l)
	l.lane = &lane{out: l.sink(len(l.Events) - 1), clock: s.clock}
	require.NoError(s.t, l.feeds(LiveOptions{Edges: l.edges, Seed: s.seed}))
	require.NoError(s.t, l.orders.open(l.Loop, engine.Park))
	for _, k := range l.killed {
		_, err := l.lane.put(venue.OpKill, k, 0, "killed before this start")
		require.NoError(s.t, err)
	}
	feeding, stop := context.WithCancel(l.ctx)
	l.stopFeeds = stop
	for id, f := range l.Feeders {
		if f != nil {
			l.work.Go(func() { f.Run(feeding, l.sink(2*(id-1))) })
		}
	}
	news := wire.Share(l.sink(len(l.Events) - 2))
	for _, r := range l.refreshers {
		l.work.Go(func() { r.run(l.ctx, news) })
	}
	s.note("runs", s.lives)
}

// pending reports whether records wait for the engine.
func (l *simLife) pending() bool {
	for _, r := range l.Events {
		if r.Len() > 0 {
			return true
		}
	}
	for _, r := range l.orders.rings() {
		if r.Len() > 0 {
			return true
		}
	}
	return false
}

// crash kills the process, and starts another on what the kernel keeps of its files: all that was written to them, or to
// memory that they are mapped to.
func (s *simulation) crash() {
	s.note("crash", s.lives)
	s.crashAt = s.traded + venue.Second + venue.Nanos(s.rnd.Int64N(int64(simSpan)))
	old := s.life.out
	next := filepath.Join(s.root, fmt.Sprint(s.lives+1))
	require.NoError(s.t, os.CopyFS(next, os.DirFS(old)))
	s.die()
	require.NoError(s.t, os.RemoveAll(old))
	s.begin(next)
}

// die ends a life: nothing of it leaves from now on, and nothing that it still writes to its files is looked at.
func (s *simulation) die() {
	l := s.life
	l.net.kill()
	l.cancel()
	over := make(chan struct{})
	go func() {
		defer close(over)
		if !l.runs && <-l.begun != nil {
			return
		}
		l.orders.stop()
		l.work.Wait()
	}()
	for {
		synctest.Wait()
		select {
		case <-over:
			if l.runs {
				require.NoError(s.t, l.Loop.Settle())
				require.NoError(s.t, l.Close())
			}
			l.runs = false
			return
		default:
		}
		if s.waiting = s.net.Waiting(s.waiting[:0]); len(s.waiting) > 0 {
			s.arrive()
			continue
		}
		s.own.Sleep(context.Background(), venue.Millisecond)
		s.note("time")
	}
}
