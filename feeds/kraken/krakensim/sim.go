// Package krakensim is a loopback Kraken Spot: market data of websocket v2 over real websockets, with the venue's channels,
// shapes, checksums, depth rule and limits, the public pair list over REST, and for configured accounts the private side:
// order entry, executions and balances of websocket v2 and the signed REST endpoints that recovery needs.
//
// Ownership: Run's goroutine moves the market; server goroutines answer clients. A mutex guards pairs and subscribers
// between them, and a message takes its place in the connection's queue under it.
//
// Decisions
//   - 2026-11-25: the checksum is computed here anew, from printed text and hash/crc32, so that the adapter's own is tested
//     against another hand.
//   - 2026-11-25: the venue's messages carry no number. What a client can count is the book messages of a pair that reach
//     it on one connection, so those are counted behind the faults, and the state that each one's checksum stands for is
//     remembered under that count. A count does not name its connection: Truth takes the newest, Matches believes any.
//   - 2026-11-25: accounts' orders go into the flow's own books, money is exact decimals, and signatures, costs of the
//     trading counter and filters are computed here anew, so that the adapter is tested against another hand. Cancels count
//     but are never refused for the count: no source says that they are.
//   - 2026-11-25: the sheet leaves most error texts open; those here are the ones that v1 documents.
//
// Source: ../shared/venues/kraken.md sections 1 to 5 (2026-07).
package krakensim

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"oneprice/books/match"
	"oneprice/books/venue"
	"oneprice/feeds/venuesim"
	"oneprice/feeds/wire"
)

// What the venue does and allows.
const (
	beatSpan       = venue.Second
	mostConnects   = 150
	connectSpan    = 600 * venue.Second
	mostMessages   = 20 // a second and connection
	defaultDepth   = 10
	checksumLevels = 10
)

// depths that can be subscribed.
var depths = []int{10, 25, 100, 500, 1000}

// Config of a simulator.
type Config struct {
	Net     wire.Net
	Clock   *wire.Clock
	Faults  *venuesim.Faults
	Address string
	Seed    uint64
	// Pairs are the instruments, each with a symbol like BTC/USD. Their scales are the decimals that the venue prints.
	Pairs []venuesim.PairConfig
	// Accounts may trade; without any there is no private side.
	Accounts []AccountConfig
	// ActsPerMs is how many things the flow of each pair does in a millisecond, in thousandths. Every is how long the market
	// rests between two looks at it, 0 for 1 ms.
	ActsPerMs int64
	Every     venue.Nanos
}

// Counters are exact tallies, readable from any thread: what clients did beyond the venue's limits.
type Counters struct{ Connections, Messages atomic.Uint64 }

// Sim is the simulated venue.
type Sim struct {
	cfg         Config
	server      *venuesim.Server
	connections *wire.Limiter
	count       Counters

	mu     sync.Mutex
	pairs  []*pair
	subs   []*subscriber // in the order of connecting: a seed then gives one order of everything
	serial uint64        // of the last subscriber
	debt   int64         // acts owed, in thousandths

	// The private side. accounts does not change.
	accounts                                   []*account
	clients                                    []*peer // in the order of connecting
	late                                       []late
	lastOrder, lastTrade, lastAmend, lastToken uint64
}

// New listens; Run serves.
func New(cfg Config) (*Sim, error) {
	s := &Sim{cfg: cfg, connections: wire.NewLimiter(cfg.Clock, mostConnects, connectSpan)}
	for i, p := range cfg.Pairs {
		s.pairs = append(s.pairs, newPair(cfg.Seed*1000+uint64(i), p))
	}
	var err error
	if s.accounts, err = newAccounts(cfg.Accounts, len(s.pairs)); err != nil {
		return nil, fmt.Errorf("krakensim: %w", err)
	}
	if s.server, err = venuesim.NewServer(cfg.Net, cfg.Clock, cfg.Faults, cfg.Address); err != nil {
		return nil, fmt.Errorf("krakensim: %w", err)
	}
	s.server.Socket("/v2", s.session)
	s.server.Rest("GET /0/public/AssetPairs", tooMany, s.assetPairs)
	s.server.Rest("GET /0/public/Time", tooMany, s.time)
	if len(s.accounts) > 0 {
		s.server.Socket("/auth/v2", s.privateSession)
		s.server.Rest("POST /0/private/", tooMany, s.privateREST)
	}
	return s, nil
}

// Addr is host:port.
func (s *Sim) Addr() string { return s.server.Addr() }

// Counters are the tallies so far.
func (s *Sim) Counters() *Counters { return &s.count }

// Exceeded is how often clients went beyond what the venue allows one address or connection.
func (s *Sim) Exceeded() uint64 { return s.count.Connections.Load() + s.count.Messages.Load() }

// Run moves the market and serves until ctx ends.
func (s *Sim) Run(ctx context.Context) error {
	s.mu.Lock()
	now := s.cfg.Clock.Now()
	for _, p := range s.pairs {
		p.Fair.Advance(now)
		p.Fill(now, func(*match.Result) {})
	}
	s.mu.Unlock()
	if err := s.server.Trade(ctx, cmp.Or(s.cfg.Every, venue.Millisecond), s.step); err != nil {
		return fmt.Errorf("krakensim: %w", err)
	}
	return nil
}

// step lets a millisecond of the market happen and publishes it.
func (s *Sim) step(now venue.Nanos) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cfg.Faults.Strikes(venuesim.Restart, now) {
		s.server.CutAll()
		for _, p := range s.pairs {
			p.trades, p.history = 0, nil
		}
		for _, a := range s.accounts {
			clear(a.tokens)
		}
	}
	s.debt += s.cfg.ActsPerMs * int64(cmp.Or(s.cfg.Every, venue.Millisecond)) / int64(venue.Millisecond)
	acts := s.debt / 1000
	s.debt %= 1000
	for i, p := range s.pairs {
		p.Fair.Advance(now)
		if p.Changed(now) {
			s.listed(now)
		}
		for range acts {
			p.Act(now, func(r *match.Result) { s.happened(i, r, now) })
		}
		s.sendBook(i, now)
	}
	for _, x := range s.subs {
		if x.any() && now-x.last >= beatSpan {
			x.send([]byte(`{"channel":"heartbeat"}`), now, nil)
		}
	}
	s.tick(now)
}

// happened publishes the trades and the touch of one act of the market at once.
func (s *Sim) happened(i int, r *match.Result, now venue.Nanos) {
	p := s.pairs[i]
	traded := len(r.Trades) > 0
	if traded {
		m := p.tradeMessage("update", p.note(r, now))
		for _, x := range s.subs {
			if x.trades[i] {
				x.send(m, now, nil)
			}
		}
		s.filled(i, r, now)
	}
	if moved := p.moved(); moved || traded {
		m := p.ticker("update", now)
		for _, x := range s.subs {
			if x.tickers[i] == onTouch && moved || x.tickers[i] == onTrade && traded {
				x.send(m, now, nil)
			}
		}
	}
}

// sendBook publishes what changed in each subscribed depth of a pair.
func (s *Sim) sendBook(i int, now venue.Nanos) {
	p := s.pairs[i]
	if p.frozen {
		return
	}
	for _, d := range depths {
		var m []byte
		for _, x := range s.subs {
			if x.books[i] != d {
				continue
			}
			if m == nil {
				if m = p.update(d, now); m == nil {
					break
				}
			}
			x.send(m, now, corrupt)
		}
	}
}

// Freeze stops the book messages of a symbol, or lets them go on; everything else of the connection continues. It reports
// whether the symbol is known.
func (s *Sim) Freeze(symbol string, on bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.find(symbol)
	if p != nil {
		p.frozen = on
	}
	return p != nil
}

// Truth is the simulator's own book as the message of that count left it at the newest connection: the best ten levels of
// both sides, at the scales of the pair. id counts the book messages of the symbol that reached a client on one connection,
// from 1, which is what the adapter gives as Seq. False when there was none, it carried a checksum of no book of ours (the
// BadChecksum fault), or it is too old.
func (s *Sim) Truth(symbol string, id uint64) (bids, asks []venue.Level, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.find(symbol)
	if p == nil {
		return nil, nil, false
	}
	x := p.newest(id)
	if x == nil || !x.real {
		return nil, nil, false
	}
	return slices.Clone(x.bids[:]), slices.Clone(x.asks[:]), true
}

// Matches holds a book that claims a count against what reached any connection under it: known, that there was such a
// message; same, that one of them stands for exactly this book. It compares as many levels as are given, at most ten a side;
// an empty side is one Level without quantity.
//
// This is as much as the venue's rule can show: what lies below the best ten is under no checksum, and a message that was
// lost behind the last one a client saw is in no count that its book claims.
func (s *Sim) Matches(symbol string, id uint64, bids, asks []venue.Level) (same, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.find(symbol)
	if p == nil {
		return false, false
	}
	return p.matches(id, bids, asks)
}

func (s *Sim) find(symbol string) *pair {
	for _, p := range s.pairs {
		if p.Symbol == symbol {
			return p
		}
	}
	return nil
}
