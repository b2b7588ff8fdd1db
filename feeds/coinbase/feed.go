package coinbase

import (
	"context"
	"fmt"
	"strings"

	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// What the venue allows (venues/coinbase.md, 1.5), and what we keep below it.
const (
	publicWS = "wss://advanced-trade-ws.coinbase.com"
	// mostProducts per connection: somewhere between 16 and 32 level2 subscriptions the venue refuses the session.
	mostProducts = 10
	// perLimitSpan connections and messages, of the 8 a second each that an address may make: one is left for others, and
	// the span is longer than the venue's, which counts when things arrive.
	// The feed leaves connectsLeave of the connections to the order side.
	perLimitSpan  = 7
	connectsLeave = 2
	limitSpan     = 1200 * venue.Millisecond
	// silence: heartbeats come once a second.
	silence = 3 * venue.Second
	// mostBytes: the first book of a large product is many megabytes, about a hundred in one report.
	mostBytes = 128 << 20
)

// live follows up to mostProducts books on one connection.
type live struct {
	cfg     wire.FeedConfig
	session *wire.Session
	resyncs *wire.Resyncs
	symbols map[venue.Inst]string // read only after newFeed
}

// limits are one address's.
func limits(c *wire.Clock) *wire.Limits {
	return &wire.Limits{Connections: wire.NewLimiter(c, perLimitSpan, limitSpan), Messages: wire.NewLimiter(c, perLimitSpan, limitSpan)}
}

// newFeed makes the feed; the error says what it cannot follow.
func newFeed(cfg wire.FeedConfig) (wire.Feeder, error) {
	switch n := len(cfg.Instruments); {
	case n == 0:
		return nil, fmt.Errorf("coinbase: a feed without instruments")
	case n > mostProducts:
		return nil, fmt.Errorf("coinbase: %d instruments are more than the %d books that one connection carries safely; follow them in several feeds", n, mostProducts)
	}
	if cfg.WS == "" {
		cfg.WS = publicWS
	}
	if cfg.Limits == nil {
		cfg.Limits = limits(cfg.Clock)
	}
	cfg.Instruments = wire.Copies(cfg.Instruments)
	f := &live{cfg: cfg, symbols: map[venue.Inst]string{}}
	var ids []venue.Inst
	for _, in := range cfg.Instruments {
		if base, alias := strings.CutSuffix(in.Symbol, "-USDC"); alias && base != "USDT" && base != "EURC" {
			return nil, fmt.Errorf("coinbase: the venue publishes %s as %s-USD; follow that instrument", in.Symbol, base)
		}
		f.symbols[in.Inst] = in.Symbol
		ids = append(ids, in.Inst)
	}
	f.resyncs = wire.NewResyncs(wire.ResyncsConfig{Clock: cfg.Clock, Insts: ids, Ask: f.ask, Gap: 300 * venue.Millisecond, Again: 2 * venue.Second})
	sc := wire.SessionConfig{
		Name: "coinbase", Net: cfg.Net, Clock: cfg.Clock, TLS: cfg.TLS, Spin: cfg.Spin,
		URL: func() string { return cfg.WS }, Hello: func() [][]byte { return f.hello(ids) },
		Silence: silence, Dial: 10 * venue.Second, Write: 5 * venue.Second, MaxMessage: mostBytes,
		Backoff: wire.Backoff{Min: 200 * venue.Millisecond, Max: 4 * venue.Second}, Proven: 2 * venue.Second,
		Attempts: cfg.Limits.Connections, Leave: connectsLeave, Messages: cfg.Limits.Messages,
		Decoder: func() wire.Decoder {
			d := newDecoder(cfg.Venue, cfg.Instruments)
			d.changed = cfg.Changed
			return d
		},
		Venue: cfg.Venue, Insts: ids, Opened: f.resyncs.Opened, Report: cfg.Report,
	}
	sc.Backoff.Seed(cfg.Seed)
	if cfg.Raw != nil {
		sc.Raw = func(recv venue.Nanos, msg []byte) { cfg.Raw("ws", "coinbase", cfg.WS, recv, msg) }
	}
	f.session = wire.NewSession(sc)
	return f, nil
}

// hello subscribes to everything, a message per channel. Books come first: they take longest to arrive.
func (f *live) hello(ids []venue.Inst) [][]byte {
	out := [][]byte{f.message("subscribe", "level2", ids), f.message("subscribe", "heartbeats", nil), f.message("subscribe", "status", ids)}
	if f.cfg.Trades {
		out = append(out, f.message("subscribe", "market_trades", ids))
	}
	if f.cfg.Touches {
		out = append(out, f.message("subscribe", "ticker", ids))
	}
	return out
}

// ask brings fresh books: the venue sends one at each subscription only.
func (f *live) ask(ids []venue.Inst) [][]byte {
	return [][]byte{f.message("unsubscribe", "level2", ids), f.message("subscribe", "level2", ids)}
}

func (f *live) message(kind, channel string, ids []venue.Inst) []byte {
	m := fmt.Appendf(nil, `{"type":%q,"channel":%q`, kind, channel)
	for i, in := range ids {
		if i == 0 {
			m = append(m, `,"product_ids":[`...)
		} else {
			m = append(m, ',')
		}
		m = fmt.Appendf(m, "%q", f.symbols[in])
	}
	if len(ids) > 0 {
		m = append(m, ']')
	}
	return append(m, '}')
}

// Run follows until ctx ends.
func (f *live) Run(ctx context.Context, out venue.Sink) error {
	return f.resyncs.Run(ctx, f.session, out)
}

// Resync asks for a fresh book.
func (f *live) Resync(in venue.Inst) { f.resyncs.Resync(in) }

func (f *live) Until() venue.Nanos { return f.session.Until() }

func (f *live) Sessions() []*wire.Session { return []*wire.Session{f.session} }
