// Package console serves the operator over HTTP, on loopback by default: /metrics in Prometheus text, /healthz, /readyz
// and pprof where it is asked for.
//
// Ownership: the server's own goroutines. It reads what the engine hands over on request; the engine never waits for it.
//
// Decisions
//   - 2026-11-25: figures are written at scrape time from one Status instead of being kept as metric objects: the engine
//     keeps plain integers, and a scrape shows one instant. VictoriaMetrics/metrics writes the text and the process's own
//     figures.
//   - 2026-11-25: it answers from before the first look at the markets on, so that an operator sees why a start takes long;
//     the engine is shown once it exists. A starting process is healthy and not ready.
//   - 2026-11-25: an answer is rendered whole before a byte of it is sent, and no lock is held while it is: a client that
//     does not read costs a buffer until the write deadline, nothing else.
//   - 2026-11-25: money is written as exact decimal text, which Prometheus reads; no float holds it on the way.
package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
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
	// Profile adds pprof under /debug/pprof.
	Profile bool
}

// View is what a console shows once there is an engine. Its functions are called from the server's goroutines.
type View struct {
	// Status copies the engine's newest figures, no older than a fraction of a second; false while there are none.
	Status func(*engine.Status) bool
	// Clock is the one that Status.Now comes from.
	Clock       venue.Clock
	Latency     []*stats.Latency
	Instruments []*venue.Instrument
	Currencies  []string
	Reporting   venue.Ccy
	// Ready says what keeps the engine from trading beside its books, "" when nothing does. It may be nil.
	Ready func() string
	// More writes further metrics: feeds, audit, tape. It may be nil.
	More func(io.Writer)
}

// staleAfter is the age from which figures mean that the engine does not step any more: time alone makes it step many
// times a second.
const staleAfter = 3 * venue.Second

// Server is the console.
type Server struct {
	http     http.Server
	listener net.Listener

	mu    sync.Mutex // never held while a client is written to
	view  *View      // nil before there is an engine
	shown venue.Nanos
	set   *metrics.Set
	st    engine.Status
}

// New makes a console; Run serves it.
func New(cfg Config) *Server {
	s := &Server{listener: cfg.Listener}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", s.metrics)
	mux.HandleFunc("GET /healthz", s.answer("ok", s.health))
	mux.HandleFunc("GET /readyz", s.answer("ready", s.ready))
	if cfg.Profile { // which prolongs the write deadline by itself
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
	s.http = http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	return s
}

// Show makes the console show an engine from now on. Any goroutine.
func (s *Server) Show(v View) {
	set := metrics.NewSet()
	stats.Register(set, "oneprice_stage_ns", v.Latency...)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.view, s.shown, s.set, s.st = &v, v.Clock.Now(), set, engine.Status{}
}

// Run answers until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { s.http.Close() })
	defer stop()
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("console: %w", err)
	}
	return nil
}

// metrics renders everything first: a client that reads slowly holds nobody up.
func (s *Server) metrics(w http.ResponseWriter, _ *http.Request) {
	var b bytes.Buffer
	s.render(&b)
	metrics.WriteProcessMetrics(&b)
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	w.Write(b.Bytes())
}

func (s *Server) render(b *bytes.Buffer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.view == nil {
		return
	}
	if s.view.Status(&s.st) {
		s.engine(b)
		s.instruments(b)
	}
	s.set.WritePrometheus(b)
	if s.view.More != nil {
		s.view.More(b)
	}
}

// answer says fine with 200, or with 503 what is wrong.
func (s *Server) answer(fine string, wrong func() string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		why := wrong()
		s.mu.Unlock()
		if why != "" {
			http.Error(w, why, http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, fine)
	}
}

// health says why the process is not well, "" while it starts and while the engine steps.
func (s *Server) health() string {
	if s.view == nil {
		return ""
	}
	last := s.shown
	if s.view.Status(&s.st) {
		last = s.st.Now
	}
	if age := s.view.Clock.Now() - last; age > staleAfter {
		return fmt.Sprintf("the engine has not stepped for %v", time.Duration(age).Round(time.Second))
	}
	return ""
}

// ready says why the engine cannot trade on everything.
func (s *Server) ready() string {
	if s.view == nil {
		return "looking for first prices"
	}
	var bad []string
	switch why := s.health(); {
	case why != "":
		bad = append(bad, why)
	case s.st.Now == 0:
		bad = append(bad, "the engine has not stepped yet")
	}
	for i := range s.st.Books {
		in, b := s.view.Instruments[i], &s.st.Books[i]
		switch {
		case in == nil:
		case b.State != books.Live:
			bad = append(bad, fmt.Sprintf("%s is %s (%s)", in.Name, b.State, b.Why))
		case b.Silent:
			bad = append(bad, fmt.Sprintf("%s is silent for %v", in.Name, time.Duration(b.Age).Round(time.Millisecond)))
		}
	}
	if s.view.Ready != nil {
		if why := s.view.Ready(); why != "" {
			bad = append(bad, why)
		}
	}
	return strings.Join(bad, "; ")
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
		{"stray_orders_total", c.Strays}, {"foreign_reports_total", c.Foreign},
		{"late_fills_total", o.LateFills}, {"plans_even_total", p.Even}, {"plans_completed_total", p.Completed}, {"plans_unwound_total", p.Unwound},
		{"naked_total", p.Naked}, {"stops_fired_total", s.st.Stops.Fired}, {"stop_closings_total", s.st.Stops.Closings},
		{"stop_leftovers_total", s.st.Stops.Left},
	} {
		metrics.WriteCounterUint64(w, "oneprice_"+m.name, m.value)
	}
	for why, n := range c.Refused {
		if n > 0 {
			metrics.WriteCounterUint64(w, fmt.Sprintf("oneprice_refused_total{reason=%q}", venue.Reason(why)), n)
		}
	}
	metrics.WriteGaugeUint64(w, "oneprice_plans_active", uint64(s.st.Active))
	metrics.WriteGaugeUint64(w, "oneprice_stops_armed", uint64(s.st.Stops.Armed))
	metrics.WriteGaugeUint64(w, "oneprice_stops_closing", uint64(s.st.Stops.AtWork))
	ccy := s.view.Currencies[s.view.Reporting]
	money(w, fmt.Sprintf("oneprice_pnl{currency=%q}", ccy), s.st.Worth.PnL)
	money(w, fmt.Sprintf("oneprice_equity{currency=%q}", ccy), s.st.Worth.Equity)
}

func money(w io.Writer, name string, v fixed.Cash) {
	fmt.Fprintf(w, "%s %s\n", name, fixed.Decimal(v, fixed.CashScale))
}

func (s *Server) instruments(w io.Writer) {
	for i, in := range s.view.Instruments {
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
