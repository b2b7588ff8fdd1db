package binance

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// market is what differs between the venue's three markets, as the sheet gives it (sections 1.1, 1.2 and 6).
type market struct {
	ws, rest   string // public addresses
	wsPath     string
	depthPath  string
	depth      string // the stream of book deltas
	touch      string // that of the venue's own touch
	perSecond  int64  // messages that a connection may send
	weight     int64  // request weight per minute
	bookWeight int64  // of the book with bookLimit levels
	silence    venue.Nanos
}

const (
	bookLimit = 1000
	// firstDeltas is how long a connection collects before its books are fetched: the venue's procedure is to have deltas
	// that the book joins, and a book fetched before them would have to be fetched again.
	firstDeltas = 250 * venue.Millisecond
	// attempts of connecting in attemptSpan, of the 300 that an address may make; the feed leaves attemptsLeave of them to the
	// order side.
	attempts      = 250
	attemptsLeave = 50
	attemptSpan   = 300 * venue.Second
	// overlap is for how long two connections stream when one gives way to the other.
	overlap = 3 * venue.Second
	// weightShare of the venue's weight, in sixths, is ours; books leave booksLeave of it to the order side.
	weightShare = 5
	booksLeave  = 2
)

var markets = map[string]market{
	"binance":       {"wss://stream.binance.com:9443", "https://api.binance.com", "/stream", "/api/v3/depth", "depth@100ms", "bookTicker", 5, 6000, 50, 30 * venue.Second},
	"binance-usdm":  {"wss://fstream.binance.com", "https://fapi.binance.com", "/public/stream", "/fapi/v1/depth", "depth@100ms", "bookTicker", 10, 2400, 20, 60 * venue.Second},
	"binance-coinm": {"wss://dstream.binance.com", "https://dapi.binance.com", "/stream", "/dapi/v1/depth", "depth@100ms", "bookTicker", 10, 2400, 20, 60 * venue.Second},
}

// limits are one address's; messages are counted by connection.
func limits(name string, c *wire.Clock) *wire.Limits {
	return &wire.Limits{Connections: wire.NewLimiter(c, attempts, attemptSpan), Weight: wire.NewLimiter(c, markets[name].weight*weightShare/6, 60*venue.Second)}
}

// feed follows one of the venue's markets: one combined stream for all instruments, of which the next connection is opened
// before the venue ends the last, and books by REST.
type feed struct {
	cfg     wire.FeedConfig
	m       market
	streams *wire.Pair
	books   *wire.Snapshots
	symbols map[venue.Inst]string // read only after New
}

// feed makes the feed of a market.
func (p product) feed(cfg wire.FeedConfig) (wire.Feeder, error) {
	name, m, decoder := p.name, markets[p.name], p.decoder
	var header func() http.Header
	if cfg.Format == wire.SBE {
		if err := p.binary(&cfg); err != nil {
			return nil, err
		}
		m, decoder, header = binaryMarket, newBinaryDecoder, keyHeader(cfg.Key)
	}
	if cfg.WS == "" {
		cfg.WS = m.ws
	}
	if cfg.REST == "" {
		cfg.REST = m.rest
	}
	if len(cfg.Instruments) == 0 {
		return nil, fmt.Errorf("%s: a feed without instruments", name)
	}
	if cfg.Limits == nil {
		cfg.Limits = limits(name, cfg.Clock)
	}
	f := &feed{cfg: cfg, m: m, symbols: map[venue.Inst]string{}}
	var ids []venue.Inst
	most := venue.Inst(0)
	for _, in := range cfg.Instruments {
		f.symbols[in.Inst] = in.Symbol
		ids = append(ids, in.Inst)
		most = max(most, in.Inst)
	}
	names := f.names()
	if len(names) > 1024 {
		return nil, fmt.Errorf("%s: %d streams are more than the 1024 that one connection carries; follow fewer instruments", name, len(names))
	}
	url := cfg.WS + m.wsPath + "?streams=" + strings.Join(names, "/")
	sc := wire.SessionConfig{
		Name: name, Net: cfg.Net, Clock: cfg.Clock, TLS: cfg.TLS, Spin: cfg.Spin,
		URL: func() string { return url }, Header: header,
		Silence: m.silence, Dial: 10 * venue.Second, Write: 5 * venue.Second, MaxMessage: 8 << 20,
		Backoff: wire.Backoff{Min: 100 * venue.Millisecond, Max: 4 * venue.Second}, Proven: 10 * venue.Second,
		Attempts: cfg.Limits.Connections, Leave: attemptsLeave,
		Decoder: func() wire.Decoder { return decoder(cfg.Venue, cfg.Instruments) },
		Venue:   cfg.Venue, Insts: ids, Report: cfg.Report,
		Opened: func() {
			for _, i := range ids {
				f.books.AskIn(i, firstDeltas)
			}
		},
	}
	bc := wire.SnapshotsConfig{
		Name: name, Net: cfg.Net, Clock: cfg.Clock, TLS: cfg.TLS, Request: f.request, Decoder: decoder(cfg.Venue, cfg.Instruments),
		Sink: cfg.Snapshots, Weight: cfg.Limits.Weight, Leave: m.weight * booksLeave / 6, Used: usedWeight,
		Gap: 300 * venue.Millisecond, Timeout: 10 * venue.Second, MaxBody: 8 << 20, Insts: int(most) + 1,
		Report: cfg.Report,
	}
	if cfg.Raw != nil {
		sc.Raw = func(recv venue.Nanos, msg []byte) { cfg.Raw("ws", name, url, recv, msg) }
		bc.Raw = func(request string, recv venue.Nanos, body []byte) { cfg.Raw("rest", name, request, recv, body) }
	}
	pc := wire.PairConfig{Life: cmp.Or(cfg.Life, lifetime), Overlap: overlap, Patience: 5 * overlap, Insts: int(most) + 1, Seed: cfg.Seed,
		Session: func() wire.SessionConfig {
			sc.Messages = wire.NewLimiter(cfg.Clock, m.perSecond-1, venue.Second) // a connection's own
			return sc
		}}
	pc.Jitter = pc.Life / 48
	f.streams, f.books = wire.NewPair(pc), wire.NewSnapshots(bc)
	return f, nil
}

// names are the streams of everything to follow; they stand in the URL, since each SUBSCRIBE message costs allowance.
func (f *feed) names() []string {
	var out []string
	for _, in := range f.cfg.Instruments {
		s := strings.ToLower(in.Symbol)
		out = append(out, s+"@"+f.m.depth)
		if f.cfg.Touches {
			out = append(out, s+"@"+f.m.touch)
		}
		if f.cfg.Trades {
			out = append(out, s+"@trade")
		}
	}
	return out
}

func (f *feed) request(i venue.Inst) (string, int64) {
	return f.cfg.REST + f.m.depthPath + "?symbol=" + f.symbols[i] + "&limit=" + strconv.Itoa(bookLimit), f.m.bookWeight
}

// usedWeight is the venue's own count of the minute's weight.
func usedWeight(h http.Header) (int64, bool) {
	n, err := strconv.ParseInt(h.Get("X-Mbx-Used-Weight-1m"), 10, 64)
	return n, err == nil
}

// Run follows until ctx ends.
func (f *feed) Run(ctx context.Context, out venue.Sink) error {
	var wg sync.WaitGroup
	wg.Go(func() { f.books.Run(ctx) })
	err := f.streams.Run(ctx, out)
	wg.Wait()
	return err
}

// Resync asks for a fresh book.
func (f *feed) Resync(i venue.Inst) { f.books.Ask(i) }

func (f *feed) Until() venue.Nanos { return max(f.streams.Until(), f.books.Until()) }

func (f *feed) Sessions() []*wire.Session { return f.streams.Sessions() }
