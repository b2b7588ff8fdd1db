package app

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"oneprice/engine/audit"
	"oneprice/engine/console"
)

// session is a demo that runs until end, and what oneprice ctl says of it.
type session struct {
	t     *testing.T
	dir   string
	live  *Live
	end   func() *LiveResult
	stats chan struct{} // a status was taken
}

func newSession(t *testing.T, o DemoOptions) *session {
	dir, err := os.MkdirTemp("", "ctl") // short: a socket's path has its bound
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	ctx, stop := context.WithTimeout(context.Background(), 2*patience)
	s := &session{t: t, dir: dir, stats: make(chan struct{}, 1)}
	started, done := make(chan struct{}), make(chan struct{})
	var r *LiveResult
	o.Config, o.Seed, o.Out = "demo", 7, dir
	o.Started = func(l *Live) { s.live = l; close(started) }
	o.Status = func(*Live) {
		select {
		case s.stats <- struct{}{}:
		default:
		}
	}
	var fault error
	go func() {
		defer close(done)
		r, fault = Demo(ctx, o)
	}()
	t.Cleanup(func() { stop(); <-done })
	select {
	case <-started:
	case <-done:
		require.NoError(t, fault)
	}
	s.end = func() *LiveResult {
		stop()
		<-done
		require.NoError(t, fault)
		require.True(t, r.AuditOK)
		return r
	}
	return s
}

// ctl runs oneprice ctl and returns its exit code and what it printed.
func (s *session) ctl(args ...string) (code int, out, errs string) {
	var o, e bytes.Buffer
	code = Main(append([]string{"ctl", "--out", s.dir, "--by", "anna"}, args...), &o, &e)
	return code, o.String(), e.String()
}

// does demands that ctl succeeds, and returns the last answer.
func (s *session) does(args ...string) (a CtlAnswer) {
	s.t.Helper()
	code, out, errs := s.ctl(append(args, "--json")...)
	require.Equal(s.t, ExitOK, code, "%v: %s", args, errs)
	d := json.NewDecoder(strings.NewReader(out))
	for d.More() {
		a = CtlAnswer{}
		require.NoError(s.t, d.Decode(&a))
	}
	require.True(s.t, a.OK && a.Done)
	return a
}

// orders waits until the session has sent n more orders.
func (s *session) orders(n uint64) {
	s.t.Helper()
	until := time.After(patience)
	for first, seen := uint64(0), false; ; {
		select {
		case <-s.stats:
			s.live.mu.Lock()
			now := s.live.latest.Counters.Orders
			s.live.mu.Unlock()
			if !seen {
				seen, first = true, now
			}
			if now >= first+n {
				return
			}
		case <-until:
			s.t.Fatalf("no %d orders in %s", n, patience)
		}
	}
}

// operatorLines are the audit's lines of what operators did.
func operatorLines(t *testing.T, dir string) (lines []string) {
	require.NoError(t, audit.Show(filepath.Join(dir, "audit"), audit.Filter{Kind: "operator"}, func(e *audit.Entry) error {
		lines = append(lines, strings.Join([]string{e.Action, e.Venue, e.Strategy, e.Operator, e.Text}, " "))
		return nil
	}))
	return lines
}

func TestCtl_commandsARunningEngine(t *testing.T) {
	t.Parallel()
	s := newSession(t, DemoOptions{})
	s.orders(1)
	for _, path := range []string{"ctl", "ctl/socket"} {
		info, err := os.Stat(filepath.Join(s.dir, path))
		require.NoError(t, err)
		require.Zero(t, info.Mode().Perm()&0o077, "%s is the owner's alone", path)
	}
	a := s.does("status")
	require.False(t, a.Status.Killed)
	require.Equal(t, "demo", a.Status.Mode)
	require.Len(t, a.Status.Venues, 3)

	a = s.does("kill", "--venue", "kraken", "--why", "it is in maintenance until noon, says the status page")
	require.Equal(t, []string{"kraken"}, a.Status.killed())
	strategy := s.live.StrategyNames[1]
	s.does("kill", "--strategy", strategy)
	a = s.does("kill", "--why", "enough")
	require.Equal(t, []string{"everything", "kraken", strategy}, a.Status.killed())
	require.True(t, s.live.Kill.On())

	s.does("lift", "--why", "well again")
	s.does("lift", "--strategy", strategy, "--why", "well again")
	a = s.does("lift", "--venue", "kraken", "--why", "well again")
	require.Empty(t, a.Status.killed())
	require.False(t, s.live.Kill.On())
	s.orders(1)

	a = s.does("disarm", "--strategy", strategy)
	require.True(t, a.Status.Strategies[0].Disarmed)
	s.does("arm", "--strategy", strategy)
	require.True(t, s.does("reduce-only", "--venue", "kraken").Status.Venues[2].ReduceOnly)
	require.False(t, s.does("arm", "--venue", "kraken").Status.Venues[2].ReduceOnly)
	require.Equal(t, "closed", s.does("breaker", "reset").Status.Breaker.State)
	require.Len(t, s.does("breaker").Status.Venues, 3)
	used := map[string]CtlUse{}
	for _, u := range s.does("limits").Limits {
		used[u.Of+" "+u.Limit] = u
	}
	require.NotEqual(t, "0", used["everything orders_per_day"].Used)
	require.NotEqual(t, "0", used["everything max_gross"].Most)
	s.end()

	lines := operatorLines(t, s.dir)
	require.Equal(t, "kill kraken  2 ", lines[0])
	text := ""
	for _, l := range lines[1:] {
		if !strings.HasPrefix(l, "note") {
			break
		}
		text += strings.SplitN(l, " ", 5)[4]
	}
	require.Regexp(t, `^anna \(uid \d+\): it is in maintenance until noon, says the status page$`, text)
	require.Contains(t, lines, "kill  "+strategy+" 2 ")
}

func TestCtl_flattenTellsUntilAllIsFlat(t *testing.T) {
	t.Parallel()
	s := newSession(t, DemoOptions{LiveSim: true})
	s.orders(20)
	a := s.does("flatten", "--why", "the end of the day")
	require.Contains(t, a.Said, "flat")
	require.True(t, a.Status.Disarmed)
	for _, c := range a.Status.Closing {
		require.False(t, c.AtWork)
	}
	s.does("arm")
	s.orders(1)
	s.does("kill")
	code, _, errs := s.ctl("flatten")
	require.Equal(t, ExitUsage, code)
	require.Contains(t, errs, "everything is killed, and no order leaves; lift it first")
	s.end()
}

func TestCtl_badRequestsGetASentence(t *testing.T) {
	t.Parallel()
	s := newSession(t, DemoOptions{})
	f := func(want string, args ...string) {
		t.Helper()
		code, out, errs := s.ctl(args...)
		require.Equal(t, ExitUsage, code, errs)
		require.Empty(t, out)
		require.Contains(t, errs, want)
	}
	f("lift needs a reason; give one with --why", "lift")
	f("everything is not killed; killed: none", "lift", "--why", "x")
	f(`there is no venue "krakn"`, "kill", "--venue", "krakn")
	f("there is no strategy", "kill", "--strategy", "nobody")
	f("give either a venue or a strategy", "kill", "--venue", "kraken", "--strategy", "x")
	f("a reason has at most 200 bytes", "kill", "--why", strings.Repeat("x", 201))
	f("unknown flag: --strategy", "flatten", "--strategy", "x")
	f("unknown command", "kill", "kraken")
	f("no engine runs there; give the data folder", "status", "--out", t.TempDir())
	f("choose a data folder with a shorter path", "status", "--out", "/tmp/"+strings.Repeat("long/", 30))
	s.end()
	f("no engine runs there", "status")
}

func TestSocket_listensForItsOwnerAlone(t *testing.T) {
	dir, err := os.MkdirTemp("", "ctl")
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "ctl"), 0o777))
	for range 2 { // what a killed process left does not stand in the way
		s, err := console.Listen(dir)
		require.NoError(t, err)
		info, err := os.Stat(s.Path())
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
		info, err = os.Stat(filepath.Dir(s.Path()))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	}
}
