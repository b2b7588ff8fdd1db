package kraken

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// What the venue allows (venues/kraken.md, 1.6), and what we keep below it.
const (
	publicWS = "wss://ws.kraken.com"
	path     = "/v2"
	// mostPairs per connection: the venue states 200 for its order-by-order feed and nothing for this one.
	mostPairs = 200
	// perSecond messages: the venue's allowance is dynamic, others keep to 20.
	perSecond = 10
	// attempts of connecting in attemptSpan: about 150 bring a ban of ten minutes, the venue's own client keeps to 120.
	// The feed leaves attemptsLeave of them to the order side.
	attempts      = 120
	attemptsLeave = 20
	attemptSpan   = 600 * venue.Second
	// silence: a heartbeat comes about once a second when there is nothing else.
	silence   = 3 * venue.Second
	pingEvery = 10 * venue.Second
	// mostBytes: the largest message is the list of all pairs, below two megabytes.
	mostBytes = 16 << 20
)

// depths that the venue serves.
var depths = [...]int{10, 25, 100, 500, 1000}

func serves(depth int) bool {
	for _, d := range depths {
		if d == depth {
			return true
		}
	}
	return false
}

// live follows the pairs of one connection.
type live struct {
	cfg      wire.FeedConfig
	session  *wire.Session
	resyncs  *wire.Resyncs
	ins      map[venue.Inst]*venue.Instrument // read only after newFeed
	requests atomic.Uint64                    // req_id of the last request
	pinged   pinged
}

// limits are one address's; messages are counted by connection.
func limits(c *wire.Clock) *wire.Limits {
	return &wire.Limits{Connections: wire.NewLimiter(c, attempts, attemptSpan)}
}

// newFeed makes the feed; the error says what it cannot follow.
func newFeed(cfg wire.FeedConfig) (wire.Feeder, error) {
	switch n := len(cfg.Instruments); {
	case n == 0:
		return nil, fmt.Errorf("kraken: a feed without instruments")
	case n > mostPairs:
		return nil, fmt.Errorf("kraken: %d instruments are more than the %d that one connection carries; follow them in several feeds", n, mostPairs)
	}
	if cfg.WS == "" {
		cfg.WS = publicWS
	}
	if cfg.Limits == nil {
		cfg.Limits = limits(cfg.Clock)
	}
	cfg.Instruments = wire.Copies(cfg.Instruments)
	f := &live{cfg: cfg, ins: map[venue.Inst]*venue.Instrument{}}
	var ids []venue.Inst
	for _, in := range cfg.Instruments {
		if !serves(in.Depth) {
			return nil, fmt.Errorf("kraken: %s has a depth of %d; the venue serves %v", in.Symbol, in.Depth, depths)
		}
		f.ins[in.Inst] = in
		ids = append(ids, in.Inst)
	}
	f.resyncs = wire.NewResyncs(wire.ResyncsConfig{Clock: cfg.Clock, Insts: ids, Ask: f.ask, Gap: 250 * venue.Millisecond, Again: 2 * venue.Second})
	url := cfg.WS + path
	var before *decoder // its own goroutine's, the reading one
	sc := wire.SessionConfig{
		Name: "kraken", Net: cfg.Net, Clock: cfg.Clock, TLS: cfg.TLS, Spin: cfg.Spin,
		URL: func() string { return url }, Hello: func() [][]byte { return f.hello(ids) },
		Ping: f.ping, PingEvery: pingEvery,
		Silence: silence, Dial: 10 * venue.Second, Write: 5 * venue.Second, MaxMessage: mostBytes,
		Backoff: wire.Backoff{Min: 250 * venue.Millisecond, Max: 4 * venue.Second}, Proven: 2 * venue.Second,
		Attempts: cfg.Limits.Connections, Leave: attemptsLeave, Messages: wire.NewLimiter(cfg.Clock, perSecond, venue.Second),
		Decoder: func() wire.Decoder {
			before = newDecoder(cfg.Venue, cfg.Instruments).after(before)
			before.pong = f.pong
			return before
		},
		Venue: cfg.Venue, Insts: ids, Opened: f.resyncs.Opened, Report: cfg.Report,
	}
	sc.Backoff.Seed(cfg.Seed)
	if cfg.Raw != nil {
		sc.Raw = func(recv venue.Nanos, msg []byte) { cfg.Raw("ws", "kraken", url, recv, msg) }
	}
	f.session = wire.NewSession(sc)
	return f, nil
}

// hello subscribes to everything: books by depth, the status of pairs, and what else the configuration asks for.
func (f *live) hello(ids []venue.Inst) [][]byte {
	out := append(f.books("subscribe", ids), f.request("subscribe", `"channel":"instrument"`, nil))
	if f.cfg.Trades {
		out = append(out, f.request("subscribe", `"channel":"trade","snapshot":false`, ids))
	}
	if f.cfg.Touches { // without the trigger it comes with trades only
		out = append(out, f.request("subscribe", `"channel":"ticker","event_trigger":"bbo"`, ids))
	}
	return out
}

// ask brings fresh books: the venue sends one at each subscription only.
func (f *live) ask(ids []venue.Inst) [][]byte {
	return append(f.books("unsubscribe", ids), f.books("subscribe", ids)...)
}

// books is one request per depth.
func (f *live) books(method string, ids []venue.Inst) (out [][]byte) {
	for _, d := range depths {
		var of []venue.Inst
		for _, in := range ids {
			if f.ins[in].Depth == d {
				of = append(of, in)
			}
		}
		if len(of) > 0 {
			out = append(out, f.request(method, fmt.Sprintf(`"channel":"book","depth":%d`, d), of))
		}
	}
	return out
}

func (f *live) request(method, params string, ids []venue.Inst) []byte {
	m := fmt.Appendf(nil, `{"method":%q,"params":{%s`, method, params)
	for i, in := range ids {
		if i == 0 {
			m = append(m, `,"symbol":[`...)
		} else {
			m = append(m, ',')
		}
		m = fmt.Appendf(m, "%q", f.ins[in].Symbol)
	}
	if len(ids) > 0 {
		m = append(m, ']')
	}
	return fmt.Appendf(m, `},"req_id":%d}`, f.requests.Add(1))
}

// pinged is the last ping: its req_id and when it was made.
type pinged struct {
	mu sync.Mutex
	id uint64
	at venue.Nanos
}

func (f *live) ping() []byte {
	id := f.requests.Add(1)
	f.pinged.mu.Lock()
	f.pinged.id, f.pinged.at = id, f.cfg.Clock.Now()
	f.pinged.mu.Unlock()
	return fmt.Appendf(nil, `{"method":"ping","req_id":%d}`, id)
}

// pong measures the venue's clock by the answer to a ping, which says when it came in and when the answer left.
func (f *live) pong(recv venue.Nanos, id uint64, in, out venue.Nanos) {
	f.pinged.mu.Lock()
	last, at := f.pinged.id, f.pinged.at
	f.pinged.mu.Unlock()
	if f.cfg.Clocked == nil || id != last {
		return
	}
	within := max(recv-at-(out-in), 0)/2 + venue.Microsecond // times are cut to microseconds
	f.cfg.Clocked(in+(out-in)/2-(at+(recv-at)/2), within)
}

// Run follows until ctx ends.
func (f *live) Run(ctx context.Context, out venue.Sink) error {
	return f.resyncs.Run(ctx, f.session, out)
}

// Resync asks for a fresh book.
func (f *live) Resync(in venue.Inst) { f.resyncs.Resync(in) }

func (f *live) Until() venue.Nanos { return f.session.Until() }

func (f *live) Sessions() []*wire.Session { return []*wire.Session{f.session} }
