package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"oneprice/feeds/binance/binancesim"
	"oneprice/feeds/coinbase/coinbasesim"
	"oneprice/feeds/kraken/krakensim"
	"oneprice/feeds/venuesim"

	"github.com/shopspring/decimal"
)

// What a soak is judged by. Growth is the median of the last fifth of the samples after the warm-up against that of the
// first fifth: medians, since bursts are no growth, and no slope, since a single step is one.
const (
	soakFor    = 30 * time.Minute
	soakWarmUp = 5 * time.Minute
	soakEvery  = 10 * time.Second
	// soakCalm is how long before the end the last fault strikes, and for how much longer the end waits for what is in doubt: a
	// venue may take a minute to be sure of an order, and grant a connection again as late.
	soakCalm       = 2 * time.Minute
	soakGrowthMax  = 5 // percent of anonymous memory
	goroutineSlack = 5 // a reconnect under way has a few more
)

// SoakReport is what a soak has seen.
type SoakReport struct {
	// Judged: the run was long enough past its warm-up for its memory to be judged.
	Judged bool   `json:"judged"`
	WarmUp string `json:"warm_up"`
	// Anonymous memory and goroutines: medians of the first and the last fifth of the samples after the warm-up, and the growth.
	RSSFirstKB      int64  `json:"rss_anon_first_kb"`
	RSSLastKB       int64  `json:"rss_anon_last_kb"`
	RSSGrowth       string `json:"rss_anon_growth_percent"`
	GoroutinesFirst int64  `json:"goroutines_first"`
	GoroutinesLast  int64  `json:"goroutines_last"`
	// OrdersAtVenues is how many orders the simulators know.
	OrdersAtVenues int          `json:"orders_at_venues"`
	Violations     []string     `json:"violations"`
	Samples        []SoakSample `json:"samples"`
}

// SoakSample is one look.
type SoakSample struct {
	Second     int64  `json:"second"`
	RSSAnonKB  int64  `json:"rss_anon_kb"`
	Goroutines int64  `json:"goroutines"`
	Orders     uint64 `json:"orders"`
	Fills      uint64 `json:"fills"`
}

// soak watches a demo from its Status hook.
type soak struct {
	sims  *Simulators
	log   *slog.Logger
	lasts time.Duration
	over  context.CancelFunc
	// at is how long it has gone on, in looks: a machine that stands still for a while takes nothing off the calm at the end.
	at      time.Duration
	calm    bool
	samples []SoakSample
	err     error
}

// Soak runs the demo with every fault and signed orders for a time, and reports all that it came to; it fails where memory or
// goroutines grow, or anything was violated. Breakers never open, as a soak that stands still shows nothing.
func Soak(ctx context.Context, o DemoOptions, lasts time.Duration) (*LiveResult, error) {
	text, _ := exampleText("demo")
	o.Config = filepath.Join(o.Out, "soak.yaml")
	if err := os.MkdirAll(o.Out, 0o700); err != nil {
		return nil, &UsageError{err}
	}
	if err := os.WriteFile(o.Config, []byte(strings.ReplaceAll(string(text), "failures: 5,", "failures: 10000,")), 0o600); err != nil {
		return nil, &UsageError{err}
	}
	c, err := ReadConfig(o.Config, nil)
	if err != nil {
		return nil, err
	}
	sims, err := NewSimulators(Machine(), SimOptions{Seed: o.Seed, Address: "127.0.0.1:0", Accounts: c})
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	s, show := &soak{sims: sims, log: o.Log, lasts: lasts, over: stop}, o.Status
	o.Status = func(l *Live) {
		s.look(l)
		if show != nil {
			show(l)
		}
	}
	r, err := sims.demo(ctx, o)
	if r == nil || r.Demo == nil {
		return r, err
	}
	r.Soak = s.report(r)
	if n := len(r.Soak.Violations); n > 0 {
		err = errors.Join(err, fmt.Errorf("the soak failed: %s", strings.Join(r.Soak.Violations, "; ")))
	}
	return r, errors.Join(err, s.err)
}

// look samples from time to time, and ends the faults before the end.
func (s *soak) look(l *Live) {
	if s.at == 0 { // not before: a start that a venue refuses is rightly none
		s.sims.strike(venuesim.AllFaults.And(venuesim.PrivateFaults))
	}
	s.at += lookEvery
	at := s.at
	if !s.calm && at > s.lasts-min(soakCalm, s.lasts/2) {
		s.calm = true
		s.sims.strike(venuesim.Rates{})
	}
	if at >= s.lasts && (l.clear() || at >= s.lasts+soakCalm) {
		s.over()
	}
	n := len(s.samples)
	if n > 0 && at < time.Duration(s.samples[n-1].Second)*time.Second+soakEvery {
		return
	}
	// The collector lets garbage grow to a multiple of what is in use before it works, which takes minutes and looks like
	// growth: what is measured is what stays after it has worked.
	debug.FreeOSMemory()
	kb, err := anonymous()
	if err != nil {
		s.err = err
	}
	x := SoakSample{int64(at / time.Second), kb, int64(runtime.NumGoroutine()), l.Newest.Counters.Orders, l.Newest.Orders.Fills}
	s.samples = append(s.samples, x)
	if s.log != nil && n%6 == 0 {
		s.log.Info("soak", "for", at.Round(time.Second), "of", s.lasts, "rss_anon_kb", x.RSSAnonKB, "goroutines", x.Goroutines, "orders", x.Orders, "fills", x.Fills)
	}
}

// clear: no order is in doubt, and every venue can be reached, so that all can be cancelled.
func (l *Live) clear() bool {
	if l.Newest.Doubts > 0 {
		return false
	}
	for _, g := range l.orders.gateways {
		if g != nil && !g.Ready() {
			return false
		}
	}
	return true
}

// anonymous is the memory of this process that no file backs, in kB. Linux only.
func anonymous() (int64, error) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("soak: memory cannot be read: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "RssAnon:" {
			return strconv.ParseInt(f[1], 10, 64)
		}
	}
	return 0, errors.New("soak: /proc/self/status has no RssAnon")
}

// report judges a soak that is over.
func (s *soak) report(r *LiveResult) *SoakReport {
	q := &SoakReport{WarmUp: soakWarmUp.String(), RSSGrowth: "0", Samples: s.samples, Violations: []string{}}
	ids, open := s.sims.orders()
	q.OrdersAtVenues = len(ids)
	q.grown(s.samples)
	f := func(broken bool, format string, args ...any) {
		if broken {
			q.Violations = append(q.Violations, fmt.Sprintf(format, args...))
		}
	}
	f(!r.AuditOK, "the audit is broken")
	f(r.TapeBroken, "the tape is broken")
	f(r.PositionMismatch > 0, "%d balances differ from the venues' own: %s", r.PositionMismatch, strings.Join(r.Mismatches, ", "))
	f(r.UnknownNow > 0, "%d orders are still in doubt", r.UnknownNow)
	f(len(r.OpenAtExit) > 0, "orders are open at the end: %s", strings.Join(r.OpenAtExit, ", "))
	f(open > 0, "%d orders stand at the venues", open)
	f(r.Demo.TruthWrong > 0, "%d books were wrong: %s", r.Demo.TruthWrong, r.Demo.FirstWrong)
	f(r.Demo.OrdersNotLive > 0, "%d orders left on a book that was not live", r.Demo.OrdersNotLive)
	f(r.Orders == 0, "nothing was traded")
	slices.Sort(ids)
	for i := 1; i < len(ids); i++ {
		f(ids[i] == ids[i-1], "order %s exists twice", ids[i])
	}
	return q
}

// grown judges memory and goroutines, and that trading went on to the end.
func (q *SoakReport) grown(all []SoakSample) {
	first := slices.IndexFunc(all, func(x SoakSample) bool { return x.Second >= int64(soakWarmUp/time.Second) })
	if first < 0 || all[len(all)-1].Second-all[first].Second < int64(soakWarmUp/time.Second) {
		return
	}
	q.Judged = true
	from, to := all[first:][:(len(all)-first)/5], all[len(all)-(len(all)-first)/5:]
	rss, routines := func(x SoakSample) int64 { return x.RSSAnonKB }, func(x SoakSample) int64 { return x.Goroutines }
	q.RSSFirstKB, q.RSSLastKB = median(from, rss), median(to, rss)
	q.GoroutinesFirst, q.GoroutinesLast = median(from, routines), median(to, routines)
	growth := decimal.NewFromInt(100*(q.RSSLastKB-q.RSSFirstKB)).DivRound(decimal.NewFromInt(max(q.RSSFirstKB, 1)), 2)
	q.RSSGrowth = growth.String()
	if growth.GreaterThan(decimal.NewFromInt(soakGrowthMax)) {
		q.Violations = append(q.Violations, fmt.Sprintf("anonymous memory grew by %s %%, from %d to %d kB", growth, q.RSSFirstKB, q.RSSLastKB))
	}
	if q.GoroutinesLast > q.GoroutinesFirst+goroutineSlack {
		q.Violations = append(q.Violations, fmt.Sprintf("goroutines grew from %d to %d", q.GoroutinesFirst, q.GoroutinesLast))
	}
	if to[len(to)-1].Orders == to[0].Orders {
		q.Violations = append(q.Violations, "no order left in the last fifth of the run")
	}
}

func median(xs []SoakSample, of func(SoakSample) int64) int64 {
	var all []int64
	for _, x := range xs {
		all = append(all, of(x))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// text writes the report for a person.
func (q *SoakReport) text(w io.Writer) {
	if q.Judged {
		fmt.Fprintf(w, "soak: anonymous memory %d kB, then %d kB (%s %%); goroutines %d, then %d; %d orders at the venues\n", q.RSSFirstKB, q.RSSLastKB, q.RSSGrowth,
			q.GoroutinesFirst, q.GoroutinesLast, q.OrdersAtVenues)
	} else {
		fmt.Fprintf(w, "soak: too short to judge memory by (twice %s are needed); %d orders at the venues\n", q.WarmUp, q.OrdersAtVenues)
	}
	for _, v := range q.Violations {
		fmt.Fprintf(w, "VIOLATION: %s\n", v)
	}
}

// strike changes the rates of every simulator's faults.
func (s *Simulators) strike(r venuesim.Rates) {
	for _, v := range s.Venues {
		v.faults.Set(r)
	}
}

// orders are the client ids of all orders that the accounts ever had at the simulators, and how many are open.
func (s *Simulators) orders() (ids []string, open int) {
	for _, v := range s.Venues {
		key := string(v.account.Key.Reveal())
		add := func(client, status string) {
			ids = append(ids, v.name+" "+client)
			switch status {
			case "NEW", "PARTIALLY_FILLED", "OPEN", "PENDING", "CANCEL_QUEUED", "open", "pending":
				open++
			}
		}
		switch x := v.sim.(type) {
		case *binancesim.Sim:
			for _, o := range x.Orders(key) {
				add(o.Client, o.Status)
			}
		case *coinbasesim.Sim:
			for _, o := range x.Orders(key) {
				add(o.Client, o.Status)
			}
		case *krakensim.Sim:
			for _, o := range x.Orders(key) {
				add(o.Client, o.Status)
			}
		}
	}
	return ids, open
}
