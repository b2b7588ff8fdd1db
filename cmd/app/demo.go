package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/engine"
	"oneprice/feeds/binance/binancesim"
	"oneprice/feeds/coinbase/coinbasesim"
	"oneprice/feeds/kraken/krakensim"
	"oneprice/feeds/sign"
	"oneprice/feeds/venuesim"
	"oneprice/feeds/wire"

	"github.com/shopspring/decimal"
)

// simulator is a loopback venue.
type simulator interface {
	Addr() string
	Run(context.Context) error
	// Matches holds best levels against the simulator's own book at the id that a client's book claims.
	Matches(symbol string, id uint64, bids, asks []venue.Level) (same, known bool)
}

// simVenue is one simulated venue of the demo, under its name in the config.
type simVenue struct {
	name    string
	address string // where to listen
	sim     simulator
	faults  *venuesim.Faults
	pairs   []venuesim.PairConfig
	account *simAccount // nil where nobody may trade
	// holds is what the account has of a currency by the simulator's own books.
	holds func(currency string) decimal.Decimal
	// private is the base address of the private socket, binary that of the binary streams, "" where there are none.
	private, binary string
}

// Simulators are the demo's venues on loopback sockets, sharing one market.
type Simulators struct {
	Venues []simVenue
	edges  Edges
}

// SimOptions shape the simulators.
type SimOptions struct {
	Seed uint64
	// Faults strike at these rates; the zero value never.
	Faults venuesim.Rates
	// Address is where they listen, as host:port: each takes its own port, from this one on, or any with port 0.
	Address string
	// Accounts, where not nil, is the config whose balances and fees an account at each venue has.
	Accounts *Config
	// Acts is how many things the flow of each pair does in a millisecond, in thousandths, 0 for simActs. Every is how long
	// the markets rest between two looks, 0 for 1 ms.
	Acts  int64
	Every venue.Nanos
}

// simMarket is the fair value of the two products, which all venues share.
type simMarket struct{ btc, eth *venuesim.Fair }

// pair is the market of one instrument: how fine its grid is, how much stands in a level, and how late it follows the fair
// value.
func (m *simMarket) pair(symbol string, f *venuesim.Fair, tick fixed.Price, price, qty uint8, size int64, lag int) venuesim.PairConfig {
	p := venuesim.PairConfig{Symbol: symbol, Fair: f, FairScale: 2, PriceScale: price, QtyScale: qty, Tick: tick, Lot: 1, HalfSpread: 10, Levels: 40, Size: size,
		Lag: lag, Dislocation: 4000, Every: 3 * venue.Second, For: 400 * venue.Millisecond}
	if f == m.eth {
		p.Dislocation = 250
		p.HalfSpread = 4
	}
	if price == 1 { // a coarser grid
		p.HalfSpread, p.Dislocation = 2, p.Dislocation/10
	}
	return p
}

// NewSimulators makes the demo's three venues on two products.
func NewSimulators(e Edges, o SimOptions) (*Simulators, error) {
	s := &Simulators{edges: e}
	m := simMarket{venuesim.NewFair(o.Seed*2+1, 6_000_000, 8000), venuesim.NewFair(o.Seed*2+2, 300_000, 400)}
	for i, v := range []struct {
		name  string
		pairs []venuesim.PairConfig
		open  func(*simVenue) error
	}{
		{"binance", []venuesim.PairConfig{m.pair("BTCUSDT", m.btc, 1, 2, 5, 2000, 1), m.pair("ETHUSDT", m.eth, 1, 2, 4, 5000, 1)}, func(v *simVenue) error {
			x, err := binancesim.New(binancesim.Config{Kind: binancesim.Spot, Net: e.Net, Clock: e.Clock, Faults: v.faults, Address: v.address, Seed: o.Seed + 10, ActsPerMs: cmp.Or(o.Acts, simActs), Every: o.Every,
				DepthEvery: 20 * venue.Millisecond, Pairs: v.pairs, Accounts: v.account.atBinance(), SBE: v.binary})
			if err != nil {
				return err
			}
			v.binary = "ws://" + x.SBEAddr()
			v.sim, v.holds = x, func(ccy string) decimal.Decimal {
				for _, f := range x.Balances(string(v.account.Key.Reveal())) {
					if f.Asset == ccy {
						return fixed.Decimal(f.Free+f.Locked, fixed.CashScale)
					}
				}
				return decimal.Decimal{}
			}
			return nil
		}},
		{"coinbase", []venuesim.PairConfig{m.pair("BTC-USD", m.btc, 1, 2, 8, 2_000_000, 10), m.pair("ETH-USD", m.eth, 1, 2, 8, 50_000_000, 10)}, func(v *simVenue) error {
			x, err := coinbasesim.New(coinbasesim.Config{Net: e.Net, Clock: e.Clock, Faults: v.faults, Address: v.address, Seed: o.Seed + 20, ActsPerMs: cmp.Or(o.Acts, simActs), Every: o.Every, Pairs: v.pairs,
				Accounts: v.account.atCoinbase()})
			if err != nil {
				return err
			}
			v.sim, v.holds = x, func(ccy string) decimal.Decimal {
				total, _ := x.Balance(string(v.account.Key.Reveal()), ccy)
				return total
			}
			return nil
		}},
		{"kraken", []venuesim.PairConfig{m.pair("BTC/USD", m.btc, 1, 1, 8, 2_000_000, 30), m.pair("ETH/USD", m.eth, 1, 2, 8, 50_000_000, 30)}, func(v *simVenue) error {
			x, err := krakensim.New(krakensim.Config{Net: e.Net, Clock: e.Clock, Faults: v.faults, Address: v.address, Seed: o.Seed + 30, ActsPerMs: cmp.Or(o.Acts, simActs), Every: o.Every, Pairs: v.pairs,
				Accounts: v.account.atKraken()})
			if err != nil {
				return err
			}
			v.sim, v.private = x, x.PrivateWS()
			v.holds = func(ccy string) decimal.Decimal {
				total, _ := x.Balance(string(v.account.Key.Reveal()), ccy)
				return total
			}
			return nil
		}},
	} {
		x, err := o.venue(i, v.name, v.pairs)
		if err != nil {
			return nil, err
		}
		if err := v.open(&x); err != nil {
			return nil, fmt.Errorf("simulators: %w", err)
		}
		if x.private == "" {
			x.private = "ws://" + x.sim.Addr()
		}
		s.Venues = append(s.Venues, x)
	}
	return s, nil
}

// venue is the i-th venue, whose simulator does not exist yet.
func (o *SimOptions) venue(i int, name string, pairs []venuesim.PairConfig) (simVenue, error) {
	v := simVenue{name: name, pairs: pairs, faults: venuesim.NewFaults(o.Seed*10+uint64(i), o.Faults)}
	var err error
	if v.address, err = portAfter(o.Address, i); err != nil {
		return v, &UsageError{fmt.Errorf("simulators: %w", err)}
	}
	if v.binary, err = portAfter(o.Address, i+simVenues); err != nil {
		return v, &UsageError{fmt.Errorf("simulators: %w", err)}
	}
	if o.Accounts != nil {
		v.account, err = newSimAccount(name, o.Accounts)
	}
	return v, err
}

// simVenues is how many venues are simulated: the ports behind theirs are for binary streams.
const simVenues = 3

// portAfter is the address n ports after one with a port, and the same for port 0.
func portAfter(address string, n int) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", err
	}
	p, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return "", fmt.Errorf("%q is no port", port)
	}
	if p != 0 {
		p += uint64(n)
	}
	return net.JoinHostPort(host, strconv.FormatUint(p, 10)), nil
}

// simActs is how many things the flow of each simulated pair does in a millisecond, in thousandths.
const simActs = 1000

// Edges are the addresses of the simulators.
func (s *Simulators) Edges() Edges {
	e := s.edges
	e.WS, e.REST, e.PrivateWS = map[string]string{}, map[string]string{}, map[string]string{}
	for _, v := range s.Venues {
		e.WS[v.name], e.REST[v.name], e.PrivateWS[v.name] = "ws://"+v.sim.Addr(), "http://"+v.sim.Addr(), v.private
	}
	return e
}

// edgesFor are the addresses for a config: some of its venues' market data may be binary. Where nobody has an account any key
// will do.
func (s *Simulators) edgesFor(c *Config) Edges {
	e := s.Edges()
	e.Keys = map[string]sign.Secret{}
	for _, v := range s.Venues {
		if at := c.Venues.Find(v.name); at == nil || wire.Format(at.Feed) != wire.SBE {
			continue
		}
		e.WS[v.name], e.Keys[v.name] = v.binary, sign.SecretOf("the demo", []byte("demo"))
		if v.account != nil {
			e.Keys[v.name] = v.account.Key
		}
	}
	return e
}

// accounts are the accounts at the simulators, nil where there are none.
func (s *Simulators) accounts() map[string]Account {
	var out map[string]Account
	for _, v := range s.Venues {
		if v.account != nil {
			if out == nil {
				out = map[string]Account{}
			}
			out[v.name] = v.account.Account
		}
	}
	return out
}

// holds is what an account has of a currency by a simulator's own books.
func (s *Simulators) holds(name, currency string) (decimal.Decimal, bool) {
	for _, v := range s.Venues {
		if v.name == name && v.account != nil {
			return v.holds(currency), true
		}
	}
	return decimal.Decimal{}, false
}

// Run serves until ctx ends.
func (s *Simulators) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	errs := make(chan error, len(s.Venues))
	for _, v := range s.Venues {
		wg.Go(func() {
			err := v.sim.Run(ctx)
			if err != nil {
				stop()
			}
			errs <- err
		})
	}
	wg.Wait()
	for range s.Venues {
		if err := <-errs; err != nil {
			return err
		}
	}
	return nil
}

// DemoOptions are the options of demo.
type DemoOptions struct {
	// Config is a file or an example's name; its venues must be the simulators'.
	Config  string
	Seed    uint64
	Out     string
	Wait    string
	Metrics string
	Faults  bool
	// LiveSim sends signed orders to the simulated venues through the real gateways, instead of filling them on paper.
	LiveSim bool
	Profile bool
	Log     *slog.Logger
	Status  func(*Live)
	Queued  func(uint64)
	Started func(*Live)
}

// Demo runs the engine against simulated venues on loopback sockets until ctx ends.
func Demo(ctx context.Context, o DemoOptions) (*LiveResult, error) {
	so := SimOptions{Seed: o.Seed, Address: "127.0.0.1:0"}
	if o.Faults {
		so.Faults = venuesim.AllFaults
	}
	if o.LiveSim {
		c, err := ReadConfig(o.Config, nil)
		if err != nil {
			return nil, err
		}
		so.Accounts = c
		if o.Faults {
			so.Faults = so.Faults.And(venuesim.PrivateFaults)
		}
	}
	sims, err := NewSimulators(Machine(), so)
	if err != nil {
		return nil, err
	}
	return sims.demo(ctx, o)
}

// demo serves, and runs the engine against what it serves until ctx ends.
func (s *Simulators) demo(ctx context.Context, o DemoOptions) (*LiveResult, error) {
	c, err := ReadConfig(o.Config, nil)
	if err != nil {
		return nil, err
	}
	serving, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Run(serving) }()
	over := sync.OnceValue(func() error {
		stop()
		return <-served
	})
	var judge *judge
	r, err := RunLive(ctx, LiveOptions{Edges: s.edgesFor(c), Config: o.Config, Out: o.Out, Mode: "demo", Accounts: s.accounts(), Fresh: true, Holds: s.holds, Wait: o.Wait, Metrics: o.Metrics, Profile: o.Profile, Log: o.Log, Seed: o.Seed,
		Status: o.Status, Queued: o.Queued, Started: o.Started,
		Tap:  func(l *Live) engine.Tap { judge = newJudge(l, s); return judge },
		Over: func() { over() }}) // its error is looked at below, whatever became of the session
	if fault := over(); err == nil {
		err = fault
	}
	if r == nil || judge == nil {
		return r, err
	}
	r.Mode, r.Demo = "demo", judge.report()
	r.Demo.Seed, r.Demo.Faults = o.Seed, s.struck()
	n, lost := notLive(r.AuditDir, judge.l.writer.Epoch())
	r.Demo.OrdersNotLive = n
	return r, errors.Join(err, lost)
}

// struck is how often each fault has happened, over all venues.
func (s *Simulators) struck() map[string]uint64 {
	out := map[string]uint64{}
	for _, v := range s.Venues {
		for i, n := range v.faults.Counts() {
			if n > 0 {
				out[venuesim.FaultNames[i]] += n
			}
		}
	}
	return out
}
