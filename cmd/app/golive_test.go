package app

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"oneprice/books/fixed"
	"oneprice/engine/audit"
)

// rig is a live config whose accounts are at simulated venues, with its keys in files of their own.
type rig struct {
	dir, config string
	at          Edges
	edges       []string // at, as flags
	keys        map[string][]byte
	paper       string // the output folder of its paper sessions
}

// live is an example with what a live start needs added to it.
func live(text, dir string) string {
	text = "live: {paper_for: 1s, open_orders: cancel, balances: refuse}\n" + text
	for _, name := range []string{"binance", "coinbase", "kraken"} {
		tier := ""
		if name == "kraken" {
			tier = ", tier: pro"
		}
		text = strings.Replace(text, "    adapter: "+name+"\n", fmt.Sprintf("    adapter: %s\n    account: {name: main, key: file:%s/%s.key, secret: file:%s/%s.secret, mode: dedicated%s}\n", name, dir, name, dir, name, tier), 1)
	}
	return text
}

// newRig serves the venues until the test ends.
func newRig(t *testing.T) *rig {
	c, err := ReadConfig("demo", nil)
	require.NoError(t, err)
	sims := withAccounts(t, c)
	r := &rig{dir: t.TempDir(), at: sims.Edges(), keys: map[string][]byte{}}
	e := &r.at
	for _, v := range sims.Venues {
		r.edges = append(r.edges, "--ws", v.name+"="+e.WS[v.name], "--rest", v.name+"="+e.REST[v.name], "--private-ws", v.name+"="+e.PrivateWS[v.name])
		r.keys[v.name+".key"], r.keys[v.name+".secret"] = v.account.Key.Reveal(), v.account.Secret.Reveal()
	}
	for name, key := range r.keys {
		r.write(t, name, string(key))
	}
	r.config, r.paper = r.write(t, "live.yaml", live(example(t, "demo"), r.dir)), filepath.Join(r.dir, "paper")
	return r
}

func (r *rig) write(t *testing.T, name, text string) string {
	path := filepath.Join(r.dir, name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// goLive runs the command line with --live and the right code, below the folder out.
func (r *rig) goLive(t *testing.T, args ...string) ran {
	t.Helper()
	return r.run(t, append([]string{"run", "--config", r.config, "--live", "--confirm", r.code(t, time.Now()), "--paper", r.paper, "--out", filepath.Join(r.dir, "out"), "--json"}, args...)...)
}

// run runs the command line against the rig's venues.
func (r *rig) run(t *testing.T, args ...string) ran {
	t.Helper()
	return run(t, append(args, r.edges...)...)
}

// onPaper trades on paper for a span.
func (r *rig) onPaper(t *testing.T, span string) ran {
	t.Helper()
	x := r.run(t, "run", "--config", r.config, "--for", span, "--out", r.paper, "--metrics", "", "--json")
	require.Equal(t, ExitOK, x.code, x.err)
	return x
}

// secretsIn fails where a text holds a key of the rig, in any of the ways that a key may be written.
func (r *rig) secretsIn(t *testing.T, where string, text []byte) {
	t.Helper()
	for name, key := range r.keys {
		for _, form := range []string{string(key), hex.EncodeToString(key), base64.StdEncoding.EncodeToString(key), base64.RawURLEncoding.EncodeToString(key)} {
			require.NotContains(t, string(text), form, "%s in %s", name, where)
		}
		if raw, err := base64.StdEncoding.DecodeString(string(key)); err == nil {
			require.False(t, bytes.Contains(text, raw), "%s in %s", name, where)
		}
	}
}

// filesHoldNoSecrets looks at everything below a folder.
func (r *rig) filesHoldNoSecrets(t *testing.T, dir string) {
	t.Helper()
	n := 0
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		r.secretsIn(t, path, text)
		n++
		return err
	}))
	require.Positive(t, n)
}

// freePort is an address that nobody listens on.
func freePort(t *testing.T) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	return ln.Addr().String()
}

// scraped polls an address until a page of it has come, and hands the last one over when ctx ends.
func scraped(ctx context.Context, url string) <-chan []byte {
	out := make(chan []byte, 1)
	go func() {
		var last []byte
		t := time.NewTicker(50 * time.Millisecond)
		defer t.Stop()
		for {
			if resp, err := http.Get(url); err == nil {
				if b, err := io.ReadAll(resp.Body); err == nil && len(b) > 0 {
					last = b
				}
				resp.Body.Close()
			}
			select {
			case <-ctx.Done():
				out <- last
				return
			case <-t.C:
			}
		}
	}()
	return out
}

func TestGoLive_fromPaperToRealOrders(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	metrics := freePort(t)
	paper := r.onPaper(t, "4s")
	checked := r.run(t, "check", r.config, "--live", "--json", "--paper", r.paper)
	require.Equal(t, ExitOK, checked.code, checked.err)
	var p LivePlan
	require.NoError(t, json.Unmarshal([]byte(checked.out), &p))
	require.Empty(t, p.Refusals)
	require.Equal(t, 1, p.Paper.Sessions)
	require.Equal(t, []string{"cross", "maker"}, p.Strategies)
	require.Equal(t, r.code(t, time.Now()), p.Code)
	require.Len(t, p.Venues, 3)
	for _, v := range p.Venues {
		require.Equal(t, "100", v.Said.Balances["ETH"], v.Venue)
		require.Empty(t, v.Said.Warnings)
		require.Len(t, v.Instruments, 2)
		require.Equal(t, "trading", v.Instruments[0].Status)
	}

	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	page := scraped(ctx, "http://"+metrics+"/metrics")
	var x ran
	var res LiveResult
	for span := 5 * time.Second; res.Fills == 0 && span < patience; span *= 2 { // its start alone may take that on a busy machine
		x, res = r.goLive(t, "--confirm", strings.ToLower(p.Code), "--for", span.String(), "--metrics", metrics), LiveResult{}
		require.Equal(t, ExitOK, x.code, x.err)
		require.Contains(t, x.err, "LIVE: "+r.config)
		require.NotContains(t, x.err, p.Code)
		require.NoError(t, json.Unmarshal([]byte(x.out), &res))
	}
	stop()
	require.Equal(t, modeLive, res.Mode)
	require.True(t, res.AuditOK)
	require.Zero(t, res.UnknownNow)
	require.Empty(t, res.OpenAtExit)
	require.Len(t, res.Venues, 3)
	sent, acks := uint64(0), uint64(0)
	for _, v := range res.Venues {
		sent, acks = sent+v.OrdersSent, acks+v.Acks
	}
	require.Positive(t, sent)
	require.Positive(t, acks)
	require.Positive(t, res.Fills)

	again := run(t, "replay", res.Tape, "--audit", res.AuditDir, "--json")
	require.Equal(t, ExitOK, again.code, again.err)
	s, err := audit.Verify(res.AuditDir)
	require.NoError(t, err)
	require.NotEmpty(t, s.Each)
	require.Equal(t, p.Source, s.Each[0].Source)
	require.Empty(t, s.Each[0].Waiver)

	got := <-page
	require.Contains(t, string(got), "oneprice_")
	for where, x := range map[string]ran{"run on paper": paper, "check": checked, "run --live": x, "replay": again, "metrics": {out: string(got)}} {
		r.secretsIn(t, where, []byte(x.out+x.err))
	}
	r.filesHoldNoSecrets(t, filepath.Join(r.dir, "out"))
	r.filesHoldNoSecrets(t, r.paper)

	// The same folder with one line altered proves nothing any more.
	days, err := filepath.Glob(filepath.Join(r.paper, "audit", "trades_*.jsonl"))
	require.NoError(t, err)
	b, err := os.ReadFile(days[0])
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(days[0], bytes.Replace(b, []byte(`"mode":"paper"`), []byte(`"mode":"PAPER"`), 1), 0o600))
	x = r.goLive(t)
	require.Equal(t, ExitUsage, x.code, x.err)
	require.Contains(t, x.err, "has traded on paper for 0s")
	require.Contains(t, x.err, "what does not verify does not count ("+r.paper+": audit: ")
	require.Contains(t, x.err, "the chain is broken")
}

func TestGoLive_aWaiverIsInTheAudit(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const why = `moved from another machine, whose audits "are kept" there`
	x := r.goLive(t, "--waive", why, "--for", "4s", "--metrics", "")
	require.Equal(t, ExitOK, x.code, x.err)
	require.Contains(t, x.err, "WAIVED by the operator: "+why)
	var res LiveResult
	require.NoError(t, json.Unmarshal([]byte(x.out), &res))
	s, err := audit.Verify(res.AuditDir)
	require.NoError(t, err)
	require.Equal(t, why, s.Each[0].Waiver)
	again := run(t, "replay", res.Tape, "--audit", res.AuditDir)
	require.Equal(t, ExitOK, again.code, again.err)
}

// offline is a live config whose venues nobody asks, with keys that sign for nothing.
func offline(t *testing.T) *rig {
	r := &rig{dir: t.TempDir(), keys: map[string][]byte{}}
	for _, name := range []string{"binance", "coinbase", "kraken"} {
		r.keys[name+".key"], r.keys[name+".secret"] = []byte("canary-id-of-"+name), bytes.Repeat([]byte("canary"+name[:1]+"7"), 8)
	}
	for name, key := range r.keys {
		r.write(t, name, string(key))
	}
	r.config, r.paper = r.write(t, "live.yaml", live(example(t, "demo"), r.dir)), filepath.Join(r.dir, "paper")
	return r
}

// code is the right code of a day.
func (r *rig) code(t *testing.T, day time.Time) string {
	var g goLive
	require.NoError(t, g.read(r.config, &r.at))
	defer g.close()
	return g.confirmation.code(day)
}

func TestGoLive_refusesWithOneSentence(t *testing.T) {
	t.Parallel()
	r := offline(t)
	f := func(want string, args ...string) {
		t.Helper()
		x := run(t, append([]string{"run", "--config", r.config, "--live", "--paper", r.paper, "--out", filepath.Join(r.dir, "out"), "--metrics", ""}, args...)...)
		require.Equal(t, ExitUsage, x.code, x.err)
		require.Equal(t, 1, strings.Count(x.err, "\n"), "one sentence: %s", x.err)
		require.Contains(t, x.err, want)
		require.Empty(t, x.out)
		require.NotContains(t, x.err, r.code(t, time.Now()), "a refusal does not tell the code")
		require.NoDirExists(t, filepath.Join(r.dir, "out"))
		r.secretsIn(t, want, []byte(x.err))
	}
	now := time.Now()
	f("live trading needs a confirmation code; read the plan that oneprice check " + r.config + " --live prints")
	f("the confirmation code is not that of this config, these accounts and this binary", "--confirm", "AAAA-AAAA")
	f("the confirmation code is stale: it was good on "+now.UTC().AddDate(0, 0, -1).Format(time.DateOnly), "--confirm", r.code(t, now.AddDate(0, 0, -1)))
	f("the confirmation code is not that of", "--confirm", r.code(t, now), "--rest", "kraken=http://127.0.0.1:1")
	f("has traded on paper for 0s in all by the audits below "+r.paper, "--confirm", r.code(t, now))
	f(`invalid argument`, "--ws", "kraken")

	// The same file with one byte more is another config.
	before := r.code(t, now)
	text := live(example(t, "demo"), r.dir)
	r.write(t, "live.yaml", text+"\n")
	f("the confirmation code is not that of", "--confirm", before)
	r.write(t, "live.yaml", text)

	// So is another key.
	r.write(t, "kraken.key", "canary-id-of-kraken-2")
	f("the confirmation code is not that of", "--confirm", before)
	r.write(t, "kraken.key", "canary-id-of-kraken")
	require.Equal(t, before, r.code(t, now))
}

func TestGoLive_refusesWithoutItsKeys(t *testing.T) {
	t.Parallel()
	r := offline(t)
	text := live(example(t, "demo"), r.dir)
	f := func(change func(string) string, want string) {
		t.Helper()
		r.write(t, "live.yaml", change(text))
		for _, args := range [][]string{{"run", "--config", r.config, "--live", "--confirm", "AAAA-AAAA", "--metrics", ""}, {"check", r.config, "--live"}} {
			x := run(t, args...)
			require.Equal(t, ExitUsage, x.code, x.err)
			require.Equal(t, 1, strings.Count(x.err, "\n"), "one sentence: %s", x.err)
			require.Contains(t, x.err, want)
			r.secretsIn(t, want, []byte(x.out+x.err))
		}
	}
	swap := func(old, new string) func(string) string {
		return func(s string) string {
			require.Contains(t, s, old)
			return strings.Replace(s, old, new, 1)
		}
	}
	file := func(name string) string { return "file:" + filepath.Join(r.dir, name) }
	f(swap("live: {paper_for: 1s, open_orders: cancel, balances: refuse}\n", ""), "does not say how to trade live; add to it: "+liveLines)
	f(swap(fmt.Sprintf("    account: {name: main, key: %s, secret: %s, mode: dedicated, tier: pro}\n", file("kraken.key"), file("kraken.secret")), ""),
		"venues.kraken has no account to trade live on; add to it: "+accountLines)
	f(swap(file("binance.key"), "env:NO_SUCH_VARIABLE_IS_SET"), "venues.binance.account.key: environment variable NO_SUCH_VARIABLE_IS_SET: it is not set; set it")
	f(swap(file("kraken.secret"), file("gone")), "venues.kraken.account.secret: file "+filepath.Join(r.dir, "gone")+": it cannot be opened (no such file or directory)")
	require.NoError(t, os.Chmod(filepath.Join(r.dir, "coinbase.secret"), 0o644))
	f(swap("x", "x"), "coinbase.secret: others than its owner may use it (mode 0644); run: chmod 600 ")
}

func TestGoLive_refusesAClockThatHasDrifted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	at, err := url.Parse(r.at.REST["kraken"])
	require.NoError(t, err)
	venue := httputil.NewSingleHostReverseProxy(at)
	late := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path != "/0/public/Time" {
			venue.ServeHTTP(w, q)
			return
		}
		fmt.Fprintf(w, `{"error":[],"result":{"unixtime":%d}}`, time.Now().Add(-time.Minute).Unix())
	}))
	t.Cleanup(late.Close)
	r.at.REST["kraken"] = late.URL
	r.edges = append(r.edges, "--rest", "kraken="+late.URL)
	x := r.goLive(t, "--waive", "a test")
	require.Equal(t, ExitUsage, x.code, x.err)
	require.Equal(t, 1, strings.Count(x.err, "\n"), "one sentence: %s", x.err)
	require.Contains(t, x.err, "kraken: its clock and ours differ by -")
	require.Contains(t, x.err, "allow max_clock_offset 5s")
	require.NoDirExists(t, filepath.Join(r.dir, "out"))
}

func TestConfirmation_isTypedAsShown(t *testing.T) {
	var x confirmation
	now := time.Date(2026, 11, 25, 23, 59, 59, 0, time.UTC)
	code := x.code(now)
	require.Regexp(t, `^[0-9A-Z]{4}-[0-9A-Z]{4}$`, code)
	text, err := typed(context.Background(), strings.NewReader(" "+strings.ToLower(strings.ReplaceAll(code, "-", " "))+"\r\nmore"))
	require.NoError(t, err)
	require.NoError(t, x.accepts(text, now, "c.yaml"))
	require.ErrorContains(t, x.accepts(code, now.Add(time.Second), "c.yaml"), "is stale: it was good on 2026-11-25")
	x[31]++
	require.ErrorContains(t, x.accepts(code, now, "c.yaml"), "is not that of this config")

	gone, stop := context.WithCancel(context.Background())
	stop()
	in, _ := io.Pipe() // nobody types
	_, err = typed(gone, in)
	require.ErrorContains(t, err, "stopped before the code was given")
}

func TestConfig_secretsAreNamedByTheirPlaceOnly(t *testing.T) {
	text := live(example(t, "demo"), "/etc/oneprice")
	const place, secret = "file:/etc/oneprice/kraken.secret", "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
	for _, good := range []string{place, "env:A", "env:BINANCE_OF_THE_SECOND_DESK_ACCOUNT_2_SECRET", "file:./k", "file:../keys/of-2026.pem"} {
		c, err := ParseConfig("x.yaml", []byte(strings.Replace(text, place, good, 1)), nil)
		require.NoError(t, err, good)
		require.Equal(t, Reference(good), c.Venues.Find("kraken").Account.Secret)
	}
	for _, bad := range []string{secret, "env:" + secret, "file:" + secret, "file:/" + secret, "ENV:X", "env:", "env:a-b", "file:", "kraken.secret", "'file:/a b'"} {
		for _, f := range faults(t, strings.Replace(text, place, bad, 1)) {
			require.Contains(t, f.Text, "secret", bad)
			require.NotContains(t, f.String(), secret[:20])
		}
	}
	for _, f := range faults(t, strings.Replace(text, "wait: park", "wait: "+secret, 1)) {
		require.NotContains(t, f.String(), secret[:20])
	}
	f := func(old, new, path, want string) {
		t.Helper()
		fs := faults(t, strings.Replace(text, old, new, 1))
		require.Equal(t, path, fs[0].Path)
		require.Contains(t, fs[0].Text, want)
	}
	f("mode: dedicated", "mode: mine", "venues.binance.account.mode", "write dedicated or shared")
	f(", mode: dedicated", "", "venues.binance.account.mode", "is missing; write whether others trade on it too")
	f("open_orders: cancel", "open_orders: keep", "live.open_orders", "write cancel, adopt or refuse")
	f("balances: refuse", "balances: cancel", "live.balances", "write adopt or refuse")
	f("paper_for: 1s, ", "", "live.paper_for", "is missing; write how long this config must have traded on paper")
}

func TestListings_areTheVenuesOwnOrTheTablesOfTheBuild(t *testing.T) {
	t.Parallel()
	answers := map[string]string{
		"/api/v3/exchangeInfo": `{"symbols":[{"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT","filters":[{"filterType":"PRICE_FILTER","tickSize":"0.05000000"},{"filterType":"LOT_SIZE","minQty":"0.00300000","maxQty":"9000.00000000","stepSize":"0.00100000"}]}]}`,
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if text, ok := answers[q.URL.Path]; ok {
			io.WriteString(w, text)
			return
		}
		http.Error(w, "gone", http.StatusGone)
	}))
	t.Cleanup(srv.Close)
	e := Machine()
	e.REST = map[string]string{"binance": srv.URL, "coinbase": srv.URL, "kraken": srv.URL}
	c, err := ReadConfig("demo", nil)
	require.NoError(t, err)
	out := &logged{}
	f, err := listed(context.Background(), c, e, false, slog.New(slog.NewTextHandler(out, nil)))
	require.NoError(t, err)
	a, err := Assemble(c, f)
	require.NoError(t, err)
	own, table := a.Find("binance:BTCUSDT"), a.Find("binance:ETHUSDT")
	require.Equal(t, "0.05", string(fixed.AppendTrim(nil, int64(own.Tick), own.PriceScale)))
	require.Equal(t, "0.003", string(fixed.AppendTrim(nil, int64(own.MinQty), own.QtyScale)))
	require.Equal(t, "0.01", string(fixed.AppendTrim(nil, int64(table.Tick), table.PriceScale)))
	for _, want := range []string{"binance lists no ETHUSDT; take binance:ETHUSDT out of the config; the table of this build stands for it", "coinbase does not list its instruments", "kraken does not list its instruments"} {
		require.Len(t, out.with(want), 1, want)
	}
	_, err = listed(context.Background(), c, e, true, nil)
	require.ErrorContains(t, err, "binance lists no ETHUSDT")
}
