// Package binancesim is a loopback Binance: spot, USD-M or COIN-M market data over real websockets and REST, with the
// venue's paths, shapes, sequence rules, weights and limits; at spot and USD-M also its WebSocket API and signed REST, with accounts
// whose orders trade with the flow in the same books.
//
// Ownership: Run's goroutine moves the market; server goroutines answer clients. A mutex guards the pairs between them.
//
// Source: ../shared/venues/binance.md (2026-07); binance/binance-spot-api-docs, web-socket-api.md, rest-api.md,
// user-data-stream.md, errors.md (2026-07-21).
package binancesim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"oneprice/books/match"
	"oneprice/books/venue"
	"oneprice/feeds/venuesim"
	"oneprice/feeds/wire"
)

// Kind is which of the venue's markets is simulated.
type Kind uint8

const (
	Spot Kind = iota
	USDM
	COINM
)

// Config of a simulator.
type Config struct {
	Kind    Kind
	Net     wire.Net
	Clock   *wire.Clock
	Faults  *venuesim.Faults
	Address string
	Seed    uint64
	Pairs   []venuesim.PairConfig
	// ActsPerMs is how many things the flow of each pair does in a millisecond, in thousandths.
	ActsPerMs int64
	// DepthEvery is the span that one depth update covers: 100 ms at spot, less at futures.
	DepthEvery venue.Nanos
	// SBE is the address of the binary streams, at spot; without one there are none. Depth updates cover 20 ms there. Whoever
	// names the Ed25519 key of an account is let in; where there are no accounts, any key is one.
	SBE string
	// Life is how long a connection to the streams lasts, 0 for 24 h. Every is how long the market rests between two looks at
	// it, 0 for 1 ms.
	Life, Every venue.Nanos
	// Accounts may trade, at spot and USD-M. OrdersPer10s is how many unfilled orders each may have placed in ten seconds, 0 for 50.
	Accounts     []Account
	OrdersPer10s int64
}

// Counters are exact tallies, readable from any thread: what clients did beyond the venue's limits.
type Counters struct {
	Connections, Messages, Weight atomic.Uint64
	// Countdowns are settings of a countdown to a cancel of everything.
	Countdowns atomic.Uint64
}

// Sim is one simulated market of the venue.
type Sim struct {
	cfg    Config
	server *venuesim.Server
	sbe    *venuesim.Server // nil without binary streams
	weight *wire.Limiter
	opened *wire.Limiter // connections
	count  Counters

	mu    sync.Mutex
	pairs []*pair
	subs  []*subscriber // in the order of connecting: a seed then gives one order of everything
	due   venue.Nanos
	sbeAt venue.Nanos // when the next binary depth update is due
	debt  int64       // acts owed, in thousandths

	accounts            []*account
	clients             []*client
	next, random, execs uint64 // order ids, invented client ids, execution ids
	rnd                 *rand.Rand
}

// New listens; Run serves.
func New(cfg Config) (*Sim, error) {
	if cfg.OrdersPer10s == 0 {
		cfg.OrdersPer10s = 50
	}
	if cfg.Life == 0 {
		cfg.Life = 24 * 3600 * venue.Second
	}
	if cfg.Every == 0 {
		cfg.Every = venue.Millisecond
	}
	s := &Sim{cfg: cfg, rnd: rand.New(rand.NewPCG(cfg.Seed, 0xacc)), weight: wire.NewLimiter(cfg.Clock, weights[cfg.Kind], 60*venue.Second),
		opened: wire.NewLimiter(cfg.Clock, mostConnects, connectSpan)}
	for i, p := range cfg.Pairs {
		s.pairs = append(s.pairs, newPair(cfg.Kind, cfg.Seed*1000+uint64(i), p))
	}
	for i, a := range cfg.Accounts {
		s.accounts = append(s.accounts, &account{Account: a, n: uint32(i + 1), funds: slices.Clone(a.Funds), dead: map[*pair]venue.Nanos{}})
	}
	var err error
	if s.server, err = venuesim.NewServer(cfg.Net, cfg.Clock, cfg.Faults, cfg.Address); err != nil {
		return nil, err
	}
	s.routes()
	if cfg.SBE == "" {
		return s, nil
	}
	if s.sbe, err = venuesim.NewServer(cfg.Net, cfg.Clock, cfg.Faults, cfg.SBE); err != nil {
		return nil, err
	}
	s.binaryRoutes()
	return s, nil
}

// Addr is host:port.
func (s *Sim) Addr() string { return s.server.Addr() }

// Kind is which market it is.
func (s *Sim) Kind() Kind { return s.cfg.Kind }

// Counters are the tallies so far.
func (s *Sim) Counters() *Counters { return &s.count }

// Exceeded is how often clients went beyond what the venue allows one address or connection.
func (s *Sim) Exceeded() uint64 {
	return s.count.Connections.Load() + s.count.Messages.Load() + s.count.Weight.Load()
}

// admits reports whether the address may open one more connection.
func (s *Sim) admits() bool {
	_, ok := s.opened.Try(1)
	if !ok {
		s.count.Connections.Add(1)
	}
	return ok
}

// routes are where a market's streams and REST paths begin.
func routes(k Kind) (ws, rest string) {
	switch k {
	case USDM:
		return "/public", "/fapi/v1"
	case COINM:
		return "", "/dapi/v1"
	}
	return "", "/api/v3"
}

func (s *Sim) routes() {
	ws, rest := routes(s.cfg.Kind)
	s.server.Socket(ws+"/stream", s.session)
	s.server.Socket(ws+"/ws/{names...}", s.session)
	s.server.Socket(ws+"/ws", s.session)
	s.publicREST("GET "+rest+"/depth", s.depthWeight, s.depth)
	s.publicREST("GET "+rest+"/exchangeInfo", func(url.Values) int64 { return 20 }, s.exchangeInfo)
	switch s.cfg.Kind {
	case Spot:
		s.privateRoutes(rest)
	case USDM:
		s.futuresRoutes()
	}
	s.server.Rest("GET "+rest+"/time", s.tooMany, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"serverTime":%d}`, ms(s.cfg.Clock.Now()))
	})
}

// privateRoutes are the paths of accounts.
func (s *Sim) privateRoutes(rest string) {
	s.server.Socket("/ws-api/v3", s.private)
	for _, e := range []struct {
		pattern, method string
		weight          int64
	}{
		{"POST /order", "order.place", 1}, {"DELETE /order", "order.cancel", 1}, {"GET /order", "order.status", 4},
		{"POST /order/test", "order.test", 1}, {"POST /order/cancelReplace", "order.cancelReplace", 1},
		{"PUT /order/amend/keepPriority", "order.amend.keepPriority", 4}, {"DELETE /openOrders", "openOrders.cancelAll", 1},
		{"GET /openOrders", "openOrders.status", 6}, {"GET /allOrders", "allOrders", 20}, {"GET /myTrades", "myTrades", 20},
		{"GET /account", "account.status", 20}, {"GET /account/commission", "account.commission", 20},
	} {
		verb, path, _ := strings.Cut(e.pattern, " ")
		s.rest(verb+" "+rest+path, e.method, e.weight)
	}
	s.rest("GET /sapi/v1/account/apiRestrictions", "account.restrictions", 1)
	s.server.Rest("GET "+rest+"/ping", s.tooMany, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{}`) })
	s.server.Rest(rest+"/userDataStream", s.tooMany, func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "410 Gone", http.StatusGone) // since 2026-02-20
	})
}

// Run moves the market and serves until ctx ends.
func (s *Sim) Run(ctx context.Context) error {
	s.mu.Lock()
	now := s.cfg.Clock.Now()
	for _, p := range s.pairs {
		p.Fair.Advance(now)
		p.Fill(now, func(r *match.Result) { p.note(r, now) })
	}
	s.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var beside sync.WaitGroup
	var binary error
	if s.sbe != nil {
		beside.Go(func() { binary = s.sbe.Serve(ctx) })
	}
	err := s.server.Trade(ctx, s.cfg.Every, s.step)
	cancel()
	beside.Wait()
	if err = errors.Join(err, binary); err != nil {
		return fmt.Errorf("binancesim: %w", err)
	}
	return nil
}

// step lets a millisecond of the market happen and publishes it.
func (s *Sim) step(now venue.Nanos) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cfg.Faults.Strikes(venuesim.Restart, now) {
		s.server.CutAll()
		if s.sbe != nil {
			s.sbe.CutAll()
		}
	}
	s.debt += s.cfg.ActsPerMs * int64(s.cfg.Every) / int64(venue.Millisecond)
	acts := s.debt / 1000
	s.debt %= 1000
	for _, p := range s.pairs {
		p.Fair.Advance(now)
		p.Changed(now)
		s.deadMen(p, now)
		for range acts {
			p.Act(now, func(r *match.Result) { s.happened(p, r, now) })
			s.triggers(p, now)
			s.trim(p, now)
		}
	}
	if s.sbe != nil && now >= s.sbeAt {
		s.sbeAt = now + sbeEvery
		s.binaryDepth(now)
	}
	if now < s.due {
		return
	}
	s.due = now + s.cfg.DepthEvery
	for _, p := range s.pairs {
		if p.frozen {
			continue
		}
		if m := p.diff(now); m != nil {
			s.publish(false, p.stream("depth"), m)
		}
	}
}

// happened sends what one act of the market makes public at once: trades and touches.
func (s *Sim) happened(p *pair, r *match.Result, now venue.Nanos) {
	for i := range r.Trades {
		s.publish(false, p.stream("trade"), p.trade(&r.Trades[i], now))
	}
	moved := p.note(r, now) && !p.frozen
	if moved {
		s.publish(false, p.stream("bookTicker"), p.ticker(now))
	}
	if s.sbe != nil {
		s.binaryEvents(p, r.Trades, moved, now)
	}
	s.makers(p, r.Trades, now)
}

// publish sends one event to everyone subscribed to it in its form; the depth stream goes by several names of speed.
func (s *Sim) publish(binary bool, stream string, data []byte) {
	for _, x := range s.subs {
		if x.conn.Binary != binary {
			continue
		}
		for _, name := range x.names {
			if base, _ := splitSpeed(name); base != stream {
				continue
			}
			m := data
			if x.combined && !binary {
				m = wrap(name, data)
			}
			x.conn.Send(m, nil)
		}
	}
}

// subscriber is one connection and the streams that it asked for. combined wraps each event with the name of its stream:
// so at /stream, not at /ws, until the client sets the property.
type subscriber struct {
	conn     *venuesim.Conn
	names    []string
	combined bool
}

func (x *subscriber) add(names ...string) {
	for _, n := range names {
		if !slices.Contains(x.names, n) {
			x.names = append(x.names, n)
		}
	}
}

func (x *subscriber) remove(name string) {
	x.names = slices.DeleteFunc(x.names, func(n string) bool { return n == name })
}

func wrap(stream string, data []byte) []byte {
	m := make([]byte, 0, len(data)+len(stream)+24)
	m = append(append(append(m, `{"stream":"`...), stream...), `","data":`...)
	return append(append(m, data...), '}')
}

// Freeze stops the depth updates and touches of a symbol, or lets them go on; everything else of the connection continues.
// It reports whether the symbol is known.
func (s *Sim) Freeze(symbol string, on bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.pair(symbol)
	if p != nil {
		p.frozen = on
	}
	return p != nil
}

// Change changes the status or the grid of a pair, as Pairs' Changes do at their times. It reports whether the symbol is known.
func (s *Sim) Change(symbol string, c venuesim.Change) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.pair(symbol)
	if p != nil {
		p.Change(c)
	}
	return p != nil
}

// Truth is the simulator's own book at an update id that it has published: the best levels of both sides. False when the
// id is unknown or too old.
func (s *Sim) Truth(symbol string, id uint64) (bids, asks []venue.Level, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.pair(symbol); p != nil {
		return p.truth(id)
	}
	return nil, nil, false
}

// Matches holds a client's best levels against the simulator's own book at an id that it has published. known is false
// when the id is unknown or too old. Sides may be shorter than what the simulator remembers.
func (s *Sim) Matches(symbol string, id uint64, bids, asks []venue.Level) (same, known bool) {
	b, a, known := s.Truth(symbol, id)
	if !known {
		return false, false
	}
	return slices.Equal(bids, b[:min(len(bids), len(b))]) && slices.Equal(asks, a[:min(len(asks), len(a))]), true
}
