// Package coinbasesim is a loopback Coinbase Advanced Trade: market data over real websockets, with the venue's channels,
// shapes, numbering and limits, the public product list over REST, and a private side: orders, edits, cancels and lists
// over REST with verified tokens, and the user channel.
//
// Ownership: Run's goroutine moves the market; server goroutines answer clients. A mutex guards products and subscribers
// between them, and a message takes its number and its place in the connection's queue under it.
//
// Decisions
//
//   - 2026-11-25: shapes are those of the recording of 2026-08-09: no client_id, numbers without trailing zeros, one
//     event_time per batch, snapshots before the subscriptions message that answers a subscribe.
//
//   - 2026-11-25: the sheet leaves the texts of most errors open, what a repeated subscribe does, and what happens beyond
//     the limits. Here the texts are ours, a repeated subscribe brings no second snapshot (so a client that relies on one
//     is found out), a message too many is answered by an error and not obeyed, a connection too many is cut, and a
//     seventeenth level2 product is refused.
//
//   - 2026-11-25: sequence_num is the connection's, so a number alone does not name a state of the book: each is remembered
//     with its connection, Truth takes the newest connection's, and Matches believes any of them.
//
//   - 2026-11-25: clients' orders stand in the same books as the flow. Money is exact decimals, so that the simulator is an
//     oracle for what a client computes in integers. Which order a self trade ends is not documented: here the newer one,
//     whole. Edits are applied at once; an edit that keeps the price and does not add keeps the order's place.
//
//   - 2026-11-25: a field or parameter that is not known here is refused, since the venue refuses unknown fields.
//
// Source: ../shared/venues/coinbase.md sections 1 to 5 (2026-08).
package coinbasesim

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
	bookSpan    = 50 * venue.Millisecond
	tradeSpan   = 250 * venue.Millisecond
	beatSpan    = venue.Second
	helloWithin = 5 * venue.Second
	perSecond   = 8
	mostBooks   = 16
)

// Config of a simulator.
type Config struct {
	Net     wire.Net
	Clock   *wire.Clock
	Faults  *venuesim.Faults
	Address string
	Seed    uint64
	// Pairs are the products, each with a symbol like BTC-USD.
	Pairs []venuesim.PairConfig
	// ActsPerMs is how many things the flow of each product does in a millisecond, in thousandths. Every is how long the market
	// rests between two looks at it, 0 for 1 ms.
	ActsPerMs int64
	Every     venue.Nanos
	// BookEvery is the span that one book update covers; 0 is the venue's 50 ms.
	BookEvery venue.Nanos
	// Accounts may trade. Host is what tokens are made for, "" api.coinbase.com.
	Accounts []Account
	Host     string
}

// Counters are exact tallies, readable from any thread: what clients did beyond the venue's limits.
type Counters struct {
	Connections, Messages, Late atomic.Uint64
	// Unauthorized requests and subscriptions, Private requests beyond the allowance, Duplicates of client ids.
	Unauthorized, Private, Duplicates atomic.Uint64
}

// Sim is the simulated venue.
type Sim struct {
	cfg         Config
	server      *venuesim.Server
	connections *wire.Limiter
	messages    *wire.Limiter
	count       Counters

	mu       sync.Mutex
	products []*product
	subs     []*subscriber // in the order of connecting: a seed then gives one order of everything
	serial   uint64        // of the last subscriber
	beats    uint64
	debt     int64 // acts owed, in thousandths
	dueBook  venue.Nanos
	dueTrade venue.Nanos
	dueBeat  venue.Nanos
	// The private side: orders by their id in the books, and the last ids given out.
	accounts          []*account
	orders            map[uint64]*order
	orderIDs, fillIDs uint64
	blocked           bool // no new orders
}

// New listens; Run serves.
func New(cfg Config) (*Sim, error) {
	if cfg.BookEvery == 0 {
		cfg.BookEvery = bookSpan
	}
	s := &Sim{cfg: cfg, orders: map[uint64]*order{}, connections: wire.NewLimiter(cfg.Clock, perSecond, venue.Second), messages: wire.NewLimiter(cfg.Clock, perSecond, venue.Second)}
	for i, p := range cfg.Pairs {
		s.products = append(s.products, newProduct(cfg.Seed*1000+uint64(i), p))
	}
	var err error
	if s.server, err = venuesim.NewServer(cfg.Net, cfg.Clock, cfg.Faults, cfg.Address); err != nil {
		return nil, fmt.Errorf("coinbasesim: %w", err)
	}
	s.server.Socket("/{$}", s.session)
	s.server.Rest("GET /api/v3/brokerage/market/products", tooMany, s.list)
	return s, s.openPrivate()
}

// Addr is host:port.
func (s *Sim) Addr() string { return s.server.Addr() }

// Counters are the tallies so far.
func (s *Sim) Counters() *Counters { return &s.count }

// Exceeded is how often clients went beyond what the venue allows one address or connection.
func (s *Sim) Exceeded() uint64 {
	return s.count.Connections.Load() + s.count.Messages.Load() + s.count.Late.Load()
}

// Run moves the market and serves until ctx ends.
func (s *Sim) Run(ctx context.Context) error {
	s.mu.Lock()
	now := s.cfg.Clock.Now()
	for _, p := range s.products {
		p.Fair.Advance(now)
		p.Fill(now, func(*match.Result) {})
	}
	s.mu.Unlock()
	if err := s.server.Trade(ctx, cmp.Or(s.cfg.Every, venue.Millisecond), s.step); err != nil {
		return fmt.Errorf("coinbasesim: %w", err)
	}
	return nil
}

// step lets a millisecond of the market happen and publishes what is due.
func (s *Sim) step(now venue.Nanos) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cfg.Faults.Strikes(venuesim.Restart, now) {
		s.restart()
	}
	s.debt += s.cfg.ActsPerMs * int64(cmp.Or(s.cfg.Every, venue.Millisecond)) / int64(venue.Millisecond)
	acts := s.debt / 1000
	s.debt %= 1000
	for i, p := range s.products {
		p.Fair.Advance(now)
		if p.Changed(now) {
			s.listed(i, now)
		}
		for range acts {
			p.Act(now, func(r *match.Result) { s.happened(i, r, now) })
		}
	}
	s.stops(now)
	s.late(now)
	if now >= s.dueBook {
		s.dueBook = now + s.cfg.BookEvery
		s.sendBooks(now)
	}
	if now >= s.dueTrade {
		s.dueTrade = now + tradeSpan
		s.sendTrades(now)
	}
	if now >= s.dueBeat {
		s.dueBeat = now + beatSpan
		s.sendBeats(now)
	}
	for _, x := range s.subs {
		if !x.subscribed && now-x.opened > helloWithin {
			s.count.Late.Add(1)
			x.conn.Close()
		}
	}
}

// restart cuts everyone; counters and trade ids begin anew, as connections' numbers do anyway.
func (s *Sim) restart() {
	s.server.CutAll()
	s.beats = 0
	for _, p := range s.products {
		p.trades, p.batch, p.history = 0, nil, nil
	}
}

// happened takes what one act of the market did; a trade makes a ticker at once.
func (s *Sim) happened(i int, r *match.Result, now venue.Nanos) {
	p := s.products[i]
	p.note(r, now)
	s.executed(i, r, now)
	if len(r.Trades) == 0 {
		return
	}
	text := p.ticker("update")
	for _, x := range s.subs {
		if x.tickers[i] {
			x.send("ticker", now, text)
		}
	}
}

func (s *Sim) sendBooks(now venue.Nanos) {
	for i, p := range s.products {
		if p.frozen || len(p.changes) == 0 {
			continue
		}
		text := p.update(now)
		for _, x := range s.subs {
			if x.books[i] {
				p.remember(x.serial, x.next)
				x.send("l2_data", now, text)
			}
		}
	}
}

func (s *Sim) sendTrades(now venue.Nanos) {
	for i, p := range s.products {
		if len(p.batch) == 0 {
			continue
		}
		text := tradeEvent("update", p.batch)
		p.batch = nil
		for _, x := range s.subs {
			if x.trades[i] {
				x.send("market_trades", now, text)
			}
		}
	}
}

func (s *Sim) sendBeats(now venue.Nanos) {
	s.beats++
	text := fmt.Appendf(nil, `{"current_time":"%s m=+%d.000000001","heartbeat_counter":%d}`, instant(now).Format("2006-01-02 15:04:05.999999999 -0700 MST"), s.beats, s.beats)
	for _, x := range s.subs {
		if x.beats {
			x.send("heartbeats", now, text)
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

// Truth is the simulator's own book as the newest connection was told it under a sequence_num: the best ten levels of both
// sides, at the scales of the pair. False when the number belongs to no book message of the symbol, or is too old.
func (s *Sim) Truth(symbol string, id uint64) (bids, asks []venue.Level, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.find(symbol)
	if p == nil {
		return nil, nil, false
	}
	x := p.newest(id)
	if x == nil {
		return nil, nil, false
	}
	return slices.Clone(x.bids[:]), slices.Clone(x.asks[:]), true
}

// Matches holds a book that claims a sequence_num against what the simulator published under that number to any connection:
// known, that there was such a message; same, that one of them left exactly this book. It compares as many levels as are
// given, at most ten a side; an empty side is one Level without quantity.
//
// This is as much as the venue's rule can show: a message that a client has not seen yet, or that was lost behind the last
// one it saw, is not in the number that its book claims.
func (s *Sim) Matches(symbol string, id uint64, bids, asks []venue.Level) (same, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.find(symbol)
	if p == nil {
		return false, false
	}
	return p.matches(id, bids, asks)
}

// Touch is the best of both sides of a symbol, at the scales of the pair.
func (s *Sim) Touch(symbol string) (bid, ask venue.Level) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.find(symbol); p != nil {
		bid, ask = p.Book.Best(venue.Buy), p.Book.Best(venue.Sell)
	}
	return bid, ask
}

// Block stops the taking of new orders, or lets it go on.
func (s *Sim) Block(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blocked = on
}

func (s *Sim) find(symbol string) *product {
	for _, p := range s.products {
		if p.Symbol == symbol {
			return p
		}
	}
	return nil
}
