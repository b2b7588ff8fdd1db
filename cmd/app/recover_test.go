package app

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"oneprice/books/venue"
	"oneprice/engine/recovery"
	"oneprice/feeds/sign"
	"oneprice/feeds/venuesim"
	"oneprice/risk"
)

// world is what a child needs to trade at its parent's simulators.
type world struct {
	WS, REST, PrivateWS map[string]string
	Accounts            map[string]worldAccount
}

type worldAccount struct {
	Key, Secret []byte
	Tier        string
}

// What a live child trades on, and the config that it reads where that is not the demo's.
const (
	childWorld  = "ONEPRICE_TEST_WORLD"
	childConfig = "ONEPRICE_TEST_CONFIG"
)

// worldOf describes the simulators. Their keys live as long as they do.
func worldOf(s *Simulators) *world {
	e := s.Edges()
	w := &world{e.WS, e.REST, e.PrivateWS, map[string]worldAccount{}}
	for name, a := range s.accounts() {
		w.Accounts[name] = worldAccount{a.Key.Reveal(), a.Secret.Reveal(), a.Tier}
	}
	return w
}

// serve runs the demo's simulators with accounts until the test ends.
func serve(t *testing.T, seed uint64) *Simulators {
	c, err := ReadConfig("demo", nil)
	require.NoError(t, err)
	sims, err := NewSimulators(Machine(), SimOptions{Seed: seed, Address: "127.0.0.1:0", Accounts: c})
	require.NoError(t, err)
	serving, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- sims.Run(serving) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-served)
	})
	return sims
}

// options are those of a session in this world.
func (w *world) options(dir string) LiveOptions {
	o := LiveOptions{Edges: Machine(), Config: "demo", Out: dir, Mode: "live", Seed: 7, Accounts: map[string]Account{}, Within: 2 * venue.Second}
	o.WS, o.REST, o.PrivateWS = w.WS, w.REST, w.PrivateWS
	for name, a := range w.Accounts {
		o.Accounts[name] = Account{Name: name, Key: sign.SecretOf("a test", a.Key), Secret: sign.SecretOf("a test", a.Secret), Tier: a.Tier}
	}
	return o
}

// liveChild is the process of a live session that gets killed.
func liveChild(t *testing.T, dir string, tell func(uint64)) {
	var w world
	require.NoError(t, json.Unmarshal([]byte(os.Getenv(childWorld)), &w))
	ctx, stop := context.WithTimeout(context.Background(), 2*patience)
	defer stop()
	o := w.options(dir)
	o.Config = cmp.Or(os.Getenv(childConfig), o.Config)
	o.Open, o.Log = recovery.Adopt, slog.New(slog.NewTextHandler(os.Stderr, nil))
	o.Metrics = os.Getenv(childMetrics)
	o.Started, o.Queued = func(l *Live) { tell(l.writer.Epoch()) }, tell
	_, err := RunLive(ctx, o)
	require.NoError(t, err)
}

// However often and whenever a live session is killed with orders in flight, the next one finds every order and every
// fill: its books agree with the venues', no order exists twice, nothing stands that it does not know, and the audit holds
// every record that was queued.
func TestLive_killedWithOrdersInFlightRecovers(t *testing.T) {
	t.Parallel()
	sims := serve(t, 7)
	w := worldOf(sims)
	text, err := json.Marshal(w)
	require.NoError(t, err)
	dir, rnd, times := t.TempDir(), rand.New(rand.NewPCG(7, 11)), 2
	k := &killing{t: t, dir: dir, told: map[uint64]uint64{}}
	if long() {
		times = 50
	}
	for range times {
		c := startChild(t, dir, "live", childWorld+"="+string(text))
		require.True(t, c.tells(50+rnd.IntN(400)), "the child ended by itself: %s", &c.said)
		k.note(c.kill(t))
		c = startChild(t, dir, "live", childWorld+"="+string(text)) // and one while it recovers
		at := time.NewTimer(time.Duration(rnd.Int64N(int64(3 * time.Second))))
		<-at.C
		k.note(c.kill(t))
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	o := w.options(dir)
	began := time.Now()
	o.Started = func(l *Live) {
		require.Contains(t, fmt.Sprint(l.opening.Limits), risk.NotePrefix+"day", "what is used of the day's limits outlives a killed process")
	}
	o.Holds = sims.holds
	o.Status = func(l *Live) {
		if l.Newest.Orders.Fills > 20 {
			cancel()
		}
	}
	r, err := RunLive(ctx, o)
	require.NoError(t, err)
	require.True(t, r.AuditOK)
	require.Zero(t, r.PositionMismatch, "%v", r.Mismatches)
	require.Zero(t, r.UnknownNow)
	require.Empty(t, r.OpenAtExit)
	k.check()
	require.GreaterOrEqual(t, len(k.told), times)
	t.Logf("%d kills, %d orders, every audit record of %d sessions; the last took %s", 2*times, once(t, sims), len(k.told), time.Since(began))
}

// Where the venues hold other balances than the config says, a session begins only if it may take the venues' word.
func TestLive_balancesThatDifferStopTheStartUnlessTheVenuesAreBelieved(t *testing.T) {
	t.Parallel()
	sims := serve(t, 9)
	text, ok := exampleText("demo")
	require.True(t, ok)
	path := filepath.Join(t.TempDir(), "other.yaml")
	require.NoError(t, os.WriteFile(path, []byte(strings.Replace(string(text), "coinbase: {USD: 500000,", "coinbase: {USD: 400000,", 1)), 0o600))
	o := worldOf(sims).options(t.TempDir())
	o.Config = path
	_, err := RunLive(t.Context(), o)
	require.ErrorContains(t, err, "the start is refused, since books and venues differ:\n  coinbase: the venue states 500000 USD free, our books say 400000")

	var said bytes.Buffer
	o.Out, o.Believe, o.Holds, o.Log = t.TempDir(), true, sims.holds, slog.New(slog.NewTextHandler(&said, nil))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	o.Status = func(l *Live) {
		if l.Newest.Orders.Fills > 5 {
			cancel()
		}
	}
	r, err := RunLive(ctx, o)
	require.NoError(t, err)
	require.Contains(t, said.String(), "coinbase: the venue's word is taken for 500000 USD; our books said 400000")
	require.Zero(t, r.PositionMismatch, "%v", r.Mismatches)

	// In yet another folder nothing is known of that session, but the venues know its orders: no id may come again.
	o.Out = t.TempDir()
	ctx, cancel = context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err = RunLive(ctx, o)
	require.NoError(t, err)
	require.Zero(t, r.PositionMismatch, "%v", r.Mismatches)
	once(t, sims)
}

// once holds that no order exists twice at the simulators, and none stands.
func once(t *testing.T, s *Simulators) int {
	ids, open := s.orders()
	require.Zero(t, open, "orders that nobody knows stand at the venues")
	seen := map[string]bool{}
	for _, id := range ids {
		require.False(t, seen[id], "order %s exists twice", id)
		seen[id] = true
	}
	return len(ids)
}

// The demo's orders travel through the real gateways, and at its end the simulators' own books of account agree with ours.
func TestDemo_liveSimAgreesWithTheVenuesBooks(t *testing.T) {
	t.Parallel()
	r := run(t, "demo", "--live-sim", "--for", "6s", "--seed", "3", "--json", "--out", t.TempDir(), "--metrics", "")
	require.Equal(t, ExitOK, r.code, r.err)
	var v LiveResult
	require.NoError(t, json.Unmarshal([]byte(r.out), &v))
	require.True(t, v.AuditOK)
	require.Positive(t, v.Orders)
	require.Positive(t, v.Fills)
	require.Zero(t, v.UnknownNow)
	require.Zero(t, v.PositionMismatch, "%v", v.Mismatches)
	require.Empty(t, v.OpenAtExit)
	require.Len(t, v.Venues, 3)
	for name, x := range v.Venues {
		require.Positive(t, x.OrdersSent, name)
		require.Positive(t, x.Acks, name)
		require.Positive(t, x.Fills, name)
		require.Zero(t, x.UnknownNow, name)
	}
}

// With every fault of market data and orders at once, and breakers that never open, no order is lost or doubled: at the end
// nothing is in doubt, nothing stands, and our balances are the venues'.
func TestDemo_liveSimUnderEveryFaultLosesNothing(t *testing.T) {
	t.Parallel()
	text, ok := exampleText("demo")
	require.True(t, ok)
	path := filepath.Join(t.TempDir(), "calm.yaml")
	require.NoError(t, os.WriteFile(path, []byte(strings.ReplaceAll(string(text), "failures: 5,", "failures: 10000,")), 0o600))
	c, err := ReadConfig(path, nil)
	require.NoError(t, err)
	sims, err := NewSimulators(Machine(), SimOptions{Seed: 7, Address: "127.0.0.1:0", Accounts: c})
	require.NoError(t, err)
	// Faults begin with the session and end before it, so that what is in doubt can be found out.
	ends, over := 16, 48 // looks, four a second
	if long() {
		ends, over = 240, 300
	}
	ctx, stop := context.WithTimeout(t.Context(), 2*patience)
	defer stop()
	looks := 0
	r, err := sims.demo(ctx, DemoOptions{Config: path, Seed: 7, Out: t.TempDir(), Status: func(l *Live) {
		switch looks++; {
		case looks == 1:
			sims.strike(venuesim.AllFaults.And(venuesim.PrivateFaults))
		case looks == ends:
			sims.strike(venuesim.Rates{})
		case looks >= over && l.clear(): // a venue's limits may keep it away for a minute
			stop()
		}
	}})
	require.NoError(t, err)
	require.True(t, r.AuditOK)
	require.Positive(t, r.Fills)
	require.Zero(t, r.Demo.TruthWrong, r.Demo.FirstWrong)
	require.Zero(t, r.UnknownNow)
	require.Empty(t, r.OpenAtExit)
	require.Zero(t, r.PositionMismatch, "%v", r.Mismatches)
	t.Logf("%d orders, %d fills, faults %v", r.Orders, r.Fills, r.Demo.Faults)
}
