package app

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"oneprice/books"
	"oneprice/books/venue"
	"oneprice/engine/audit"
	"oneprice/feeds/venuesim"
)

// long reports whether the slow tests run (make long).
func long() bool { return os.Getenv("ONEPRICE_LONG") != "" }

// patience is how long a test waits for what must come, on a machine that does other work too.
const patience = time.Minute

// faulty makes the demo's venues for a test, with faults at these rates.
func faulty(t *testing.T, faults venuesim.Rates) *Simulators {
	t.Helper()
	s, err := NewSimulators(Machine(), SimOptions{Seed: 7, Address: "127.0.0.1:0", Faults: faults})
	require.NoError(t, err)
	return s
}

// watched runs the demo until step, which is asked a few times a second, says that all has been seen.
func (s *Simulators) watched(t *testing.T, step func(*Live) bool) *LiveResult {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), 2*patience)
	defer stop()
	done := false
	r, err := s.demo(ctx, DemoOptions{Config: "demo", Seed: 7, Out: t.TempDir(), Status: func(l *Live) {
		if !done && step(l) {
			done = true
			stop()
		}
	}})
	require.NoError(t, err)
	require.True(t, done, "what was waited for did not come: %+v", r)
	require.True(t, r.AuditOK)
	return r
}

func TestDemo_printsOneObjectAndAnswersWhileItRuns(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	dir, over := t.TempDir(), make(chan ran, 1)
	go func() {
		over <- run(t, "demo", "--for", "6s", "--seed", "7", "--json", "--out", dir, "--metrics", addr)
	}()
	answers(t, addr, "/healthz", "")
	answers(t, addr, "/readyz", "")
	answers(t, addr, "/metrics", "oneprice_feed_messages_total{venue=\"binance\"")
	r := <-over
	require.Equal(t, ExitOK, r.code, r.err)
	var fields map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(r.out), &fields), "one object")
	for _, name := range []string{"events", "frames", "instruments", "books_live", "intents", "approved", "refused", "orders", "fills", "pnl", "audit_records",
		"audit_ok", "stage_ns", "allocs_per_event"} {
		require.Contains(t, fields, name)
	}
	var v LiveResult
	require.NoError(t, json.Unmarshal([]byte(r.out), &v))
	for name, n := range map[string]uint64{"events": v.Events, "frames": v.Frames, "intents": v.Intents, "approved": v.Approved, "orders": v.Orders, "fills": v.Fills,
		"audit_records": v.AuditRecords} {
		require.Positive(t, n, name)
	}
	require.True(t, v.AuditOK)
	require.Equal(t, 6, v.Instruments)
	require.Equal(t, 6, v.BooksLive, v.NotLive)
	num(t, v.PnL)
	require.NotEmpty(t, v.StageNs)
	for _, s := range v.StageNs {
		require.Positive(t, s.P50, s.Stage)
		require.LessOrEqual(t, s.P50, s.P99)
		require.LessOrEqual(t, s.P99, s.P999)
		require.LessOrEqual(t, s.P999, s.Max)
	}
	// Buffers that grow to the busiest drain; anything per event would be above 1.
	require.True(t, num(t, v.AllocsPerEvent).LessThan(decimal.New(1, -2)), v.AllocsPerEvent)
}

// answers waits until the console says OK, and this, on a path.
func answers(t *testing.T, addr, path, this string) {
	t.Helper()
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	require.Eventually(t, func() bool {
		resp, err := c.Get("http://" + addr + path)
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return err == nil && resp.StatusCode == http.StatusOK && strings.Contains(string(body), this)
	}, patience, 10*time.Millisecond, path)
}

// Under every fault at once no book is Live while wrong, no order leaves on a book that is not Live, and every book comes
// back within five seconds of what held it up; when the faults end, all are Live, and nothing of the session remains.
func TestDemo_survivesEveryFault(t *testing.T) {
	strike, enough := 6*time.Second, uint64(30)
	if long() {
		strike, enough = time.Minute, 1000
	}
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	s := faulty(t, venuesim.AllFaults)
	var warm, end uint64
	var over time.Time
	owed := false
	r := s.watched(t, func(l *Live) bool {
		age := time.Since(l.Began)
		switch {
		case warm == 0 && age > strike/4:
			warm = heap()
		case !owed && age > strike/3: // what is rare strikes too
			owed = true
			s.each(func(f *venuesim.Faults, k venuesim.Fault) { f.Owe(k) })
		case end == 0 && age > strike && s.spared() == "" && l.Newest.Counters.Steps > 3*judgeOneIn*enough:
			end, over = heap(), time.Now()
			for _, v := range s.Venues {
				v.faults.Set(venuesim.Rates{})
			}
		}
		return !over.IsZero() && l.ready() == ""
	})
	require.Empty(t, s.spared(), "every fault of the menu has struck: %v", r.Demo.Faults)
	require.GreaterOrEqual(t, r.Demo.TruthCompared, enough)
	require.Zero(t, r.Demo.TruthWrong, r.Demo.FirstWrong)
	require.Zero(t, r.Demo.OrdersNotLive)
	require.Less(t, r.Demo.LiveAgainMaxMs, int64(5000))
	require.Positive(t, r.Orders)
	require.Positive(t, r.Fills)
	require.False(t, r.TapeBroken)
	t.Logf("down %d ms at most, %d ms of it unexplained; %d compared, heap %d KiB, then %d KiB, faults %v", r.Demo.DownMaxMs, r.Demo.LiveAgainMaxMs, r.Demo.TruthCompared, warm>>10, end>>10, r.Demo.Faults)
	if long() {
		require.Less(t, end, warm+heapSlack)
	}
}

// heapSlack is how much more a session may hold after a minute than after a quarter of it.
const heapSlack = 8 << 20

// heap is what is in use after a collection.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what finalizers held
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// each visits every market-data fault of every venue.
func (s *Simulators) each(f func(*venuesim.Faults, venuesim.Fault)) {
	for _, v := range s.Venues {
		for k, rate := range venuesim.AllFaults {
			if rate > 0 {
				f(v.faults, venuesim.Fault(k))
			}
		}
	}
}

// spared is a fault that has struck nowhere yet, "" when none is left.
func (s *Simulators) spared() string {
	struck := s.struck()
	for k, rate := range venuesim.AllFaults {
		if name := venuesim.FaultNames[k]; rate > 0 && struck[name] == 0 {
			return name
		}
	}
	return ""
}

func TestDemo_aFrozenStreamDisarmsItsInstrumentAlone(t *testing.T) {
	t.Parallel()
	const frozen = "kraken:ETH/USD"
	s := faulty(t, venuesim.Rates{})
	sim, ok := s.Venues[2].sim.(interface{ Freeze(string, bool) bool })
	require.True(t, ok)
	phase, orders := 0, uint64(0)
	r := s.watched(t, func(l *Live) bool {
		if len(l.Newest.Books) == 0 {
			return false
		}
		i := l.instrument(frozen)
		b := &l.Newest.Books[i]
		require.True(t, b.Silent || b.Age <= l.MaxAge[i]+sweepEvery, "silent within its configured age, not after %d ns", b.Age)
		switch phase {
		case 0:
			if l.Newest.Counters.Orders > 20 && l.ready() == "" {
				require.True(t, sim.Freeze("ETH/USD", true))
				phase++
			}
		case 1:
			if b.Silent {
				orders = l.Newest.Counters.Orders
				phase++
			}
		case 2:
			if l.Newest.Counters.Orders > orders+20 {
				require.True(t, sim.Freeze("ETH/USD", false))
				phase++
			}
		default:
			return !b.Silent
		}
		return false
	})
	a := frozenAudit{frozen: frozen}
	require.NoError(t, audit.Show(r.AuditDir, audit.Filter{}, func(e *audit.Entry) error { a.take(e); return nil }))
	require.Equal(t, 1, a.silences, "it fell silent once and spoke again")
	require.Zero(t, a.its, "no order on it meanwhile")
	require.Greater(t, a.others, 20, "the others traded on")
	require.Empty(t, a.disarmed, "nothing else was disarmed")
	require.Zero(t, r.Demo.TruthWrong, r.Demo.FirstWrong)
	require.Equal(t, r.Instruments, r.BooksLive)
}

// instrument is the number of an instrument by name.
func (l *Live) instrument(name string) venue.Inst {
	for _, in := range l.Instruments[1:] {
		if in.Name == name {
			return in.Inst
		}
	}
	return 0
}

// frozenAudit counts what an audit shows while one instrument was silent.
type frozenAudit struct {
	frozen      string
	silent      bool
	silences    int
	its, others int // orders in the meantime
	disarmed    []string
}

func (a *frozenAudit) take(e *audit.Entry) {
	switch {
	case e.Kind == "book" && e.State != "live":
		if e.Instrument != a.frozen {
			a.disarmed = append(a.disarmed, e.Instrument)
			return
		}
		a.silent, a.silences = true, a.silences+1
	case e.Kind == "book" && e.Instrument == a.frozen:
		a.silent = false
	case e.Kind != "order" || e.Op == "cancel":
	case e.Instrument == a.frozen && a.silent:
		a.its++
	case e.Instrument == a.frozen: // it was not silent yet
	case a.silent:
		a.others++
	}
}

func TestNotLive_countsOrdersThatTheAuditShowsOnUntrustedBooks(t *testing.T) {
	dir := t.TempDir()
	in := &venue.Instrument{Inst: 1, Venue: 1, Name: "a:X"}
	ring, w, err := audit.Open(audit.Config{Dir: dir, Catalogue: audit.Catalogue{Instruments: []*venue.Instrument{nil, in}, Venues: []string{"", "a"}, Strategies: []string{"s"}}})
	require.NoError(t, err)
	var rs []audit.Record
	add := func(set func(*audit.Record)) {
		rs = append(rs, audit.Record{})
		r := &rs[len(rs)-1]
		r.Reset(uint64(len(rs)), venue.Nanos(len(rs)))
		set(r)
	}
	order := func(op venue.Op) {
		add(func(r *audit.Record) { r.SetOrder(&venue.Command{Op: op, Venue: 1, Inst: 1}) })
	}
	book := func(s books.State, why venue.Reason) { add(func(r *audit.Record) { r.SetBook(1, 1, s, why, 0) }) }
	add(func(r *audit.Record) { r.SetStart(1) })
	order(venue.New) // counts: nothing was Live yet
	book(books.Live, venue.OK)
	order(venue.New)
	order(venue.Amend)
	book(books.Stale, venue.TooOld)
	order(venue.Cancel)
	order(venue.Amend) // counts
	book(books.Live, venue.OK)
	book(books.Stale, venue.SequenceGap)
	order(venue.New) // counts
	require.True(t, ring.Put(rs))
	require.NoError(t, w.Close())
	n, err := notLive(dir, w.Epoch())
	require.NoError(t, err)
	require.EqualValues(t, 3, n)
}
