// Package console serves the operator over HTTP, on loopback by default: /metrics in Prometheus text, /healthz, /readyz
// and pprof where it is asked for.
//
// Ownership: the server's own goroutines. It reads what the engine hands over on request; the engine never waits for it.
//
// Decisions
//   - 2026-11-25: figures are written at scrape time from one Status instead of being kept as metric objects: the engine
//     keeps plain integers, and a scrape shows one instant. VictoriaMetrics/metrics writes the text and the process's own
//     figures.
//   - 2026-11-25: money is written as exact decimal text, which Prometheus reads; no float holds it on the way.
package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/pprof"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"oneprice/books"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/engine"
	"oneprice/engine/stats"
)

// Config of a console.
type Config struct {
	// Listener is where it answers.
	Listener net.Listener
	// Status copies the engine's newest figures; see engine.Loop.Status.
	Status      func(*engine.Status) bool
	Latency     []*stats.Latency
	Instruments []*venue.Instrument
	Currencies  []string
	Reporting   venue.Ccy
	// Ready says why the engine is not ready to trade, "" when it is.
	Ready func() string
	// More writes further metrics: feeds, audit, tape. It may be nil.
	More func(io.Writer)
	// Profile adds pprof under /debug/pprof.
	Profile bool
}

// Server is the console.
type Server struct {
	cfg  Config
	set  *metrics.Set
	http http.Server
	mu   sync.Mutex
	st   engine.Status
	seen bool
}

// New makes a console; Run serves it.
func New(cfg Config) *Server {
	s := &Server{cfg: cfg, set: metrics.NewSet()}
	stats.Register(s.set, "oneprice_stage_ns", cfg.Latency...)
	s.set.RegisterMetricsWriter(s.write)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", s.metrics)
	mux.HandleFunc("GET /healthz", s.health)
	mux.HandleFunc("GET /readyz", s.ready)
	if cfg.Profile {
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
	s.http = http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	return s
}

// Run answers until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { s.http.Close() })
	defer stop()
	if err := s.http.Serve(s.cfg.Listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("console: %w", err)
	}
	return nil
}

func (s *Server) metrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	s.set.WritePrometheus(w)
	metrics.WriteProcessMetrics(w)
}

// health answers 200 while the engine steps: a figure no older than a few seconds.
func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	if !s.refresh() {
		http.Error(w, "the engine has not stepped yet", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	if why := s.cfg.Ready(); why != "" {
		http.Error(w, why, http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
}

// refresh takes the newest status; false when there never was one.
func (s *Server) refresh() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cfg.Status(&s.st) {
		s.seen = true
	}
	return s.seen
}

// write is every figure of the engine.
func (s *Server) write(w io.Writer) {
	if s.refresh() {
		s.mu.Lock()
		s.engine(w)
		s.instruments(w)
		s.mu.Unlock()
	}
	if s.cfg.More != nil {
		s.cfg.More(w)
	}
}

func (s *Server) engine(w io.Writer) {
	c, o, p := &s.st.Counters, &s.st.Orders, &s.st.Plans
	for _, m := range []struct {
		name  string
		value uint64
	}{
		{"steps_total", c.Steps}, {"events_total", c.Events}, {"intents_total", c.Intents}, {"approved_total", c.Approved},
		{"orders_total", c.Orders}, {"reports_total", c.Reports}, {"plans_total", c.Plans}, {"plans_approved_total", c.PlansApproved},
		{"duplicate_fills_total", c.Duplicates}, {"fills_total", o.Fills}, {"orders_unknown_total", o.Unknown}, {"orphan_reports_total", o.Orphans},
		{"late_fills_total", o.LateFills}, {"plans_even_total", p.Even}, {"plans_completed_total", p.Completed}, {"plans_unwound_total", p.Unwound},
		{"naked_total", p.Naked},
	} {
		metrics.WriteCounterUint64(w, "oneprice_"+m.name, m.value)
	}
	for why, n := range c.Refused {
		if n > 0 {
			metrics.WriteCounterUint64(w, fmt.Sprintf("oneprice_refused_total{reason=%q}", venue.Reason(why)), n)
		}
	}
	metrics.WriteGaugeUint64(w, "oneprice_plans_active", uint64(s.st.Active))
	ccy := s.cfg.Currencies[s.cfg.Reporting]
	money(w, fmt.Sprintf("oneprice_pnl{currency=%q}", ccy), s.st.Worth.PnL)
	money(w, fmt.Sprintf("oneprice_equity{currency=%q}", ccy), s.st.Worth.Equity)
}

func money(w io.Writer, name string, v fixed.Cash) {
	fmt.Fprintf(w, "%s %s\n", name, fixed.Decimal(v, fixed.CashScale))
}

func (s *Server) instruments(w io.Writer) {
	for i, in := range s.cfg.Instruments {
		if in == nil || i >= len(s.st.Books) {
			continue
		}
		b, l := &s.st.Books[i], fmt.Sprintf("{instrument=%q}", in.Name)
		live := uint64(0)
		if b.State == books.Live && !b.Silent {
			live = 1
		}
		metrics.WriteGaugeUint64(w, "oneprice_book_live"+l, live)
		metrics.WriteCounterUint64(w, "oneprice_book_gaps_total"+l, b.Gaps)
		metrics.WriteGaugeUint64(w, "oneprice_book_age_ms"+l, uint64(max(b.Age, 0)/venue.Millisecond))
		fmt.Fprintf(w, "oneprice_position%s %s\n", l, fixed.Decimal(s.st.Positions[i].Qty, in.QtyScale))
		metrics.WriteGaugeUint64(w, "oneprice_open_orders"+l, uint64(s.st.Working[i].Buys+s.st.Working[i].Sells))
	}
}
