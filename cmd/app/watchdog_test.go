package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"oneprice/feeds/sign"
)

// life is an engine's /healthz without a network.
type life struct {
	answer func() (*http.Response, error)
}

func (l life) RoundTrip(*http.Request) (*http.Response, error) { return l.answer() }

func answer(code int) (*http.Response, error) {
	return &http.Response{StatusCode: code, Status: http.StatusText(code), Body: io.NopCloser(strings.NewReader(""))}, nil
}

// watched runs the wait for an engine in virtual time until it acts or a span is over, and says when it acted.
func watched(t *testing.T, absent bool, answer func(after time.Duration) (*http.Response, error)) (acted bool, after time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		began := time.Now()
		p := newPulse("http://engine/healthz", 8*time.Second)
		p.client.Transport = life{func() (*http.Response, error) { return answer(time.Since(began)) }}
		acted = p.wait(ctx, WatchdogOptions{Limit: 8 * time.Second, Absent: absent, Log: slog.New(slog.DiscardHandler)}, new(WatchdogReport))
		after = time.Since(began)
	})
	return acted, after
}

func TestWatchdog_actsOnSilenceBeyondTheLimitAndNotBefore(t *testing.T) {
	gone := errors.New("connection refused")
	for name, c := range map[string]struct {
		absent bool
		answer func(time.Duration) (*http.Response, error)
		acts   bool
		after  time.Duration
	}{
		"always alive": {answer: func(time.Duration) (*http.Response, error) { return answer(http.StatusOK) }},
		"never seen":   {answer: func(time.Duration) (*http.Response, error) { return nil, gone }},
		"never seen, and that is enough": {absent: true, acts: true, after: 9 * time.Second,
			answer: func(time.Duration) (*http.Response, error) { return nil, gone }},
		"silent for a while, again and again": {answer: func(at time.Duration) (*http.Response, error) {
			if at%(10*time.Second) >= 7*time.Second {
				return answer(http.StatusOK)
			}
			return nil, gone
		}},
		"dead after a minute": {acts: true, after: 69 * time.Second, answer: func(at time.Duration) (*http.Response, error) {
			if at <= time.Minute {
				return answer(http.StatusOK)
			}
			return nil, gone
		}},
		"says that it hangs after a minute": {acts: true, after: 69 * time.Second, answer: func(at time.Duration) (*http.Response, error) {
			if at <= time.Minute {
				return answer(http.StatusOK)
			}
			return answer(http.StatusServiceUnavailable)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			acts, after := watched(t, c.absent, c.answer)
			require.Equal(t, c.acts, acts)
			if c.acts {
				require.InDelta(t, c.after, after, float64(time.Second))
			}
		})
	}
}

// TestWatchdog_endsWhatAKilledAndAStoppedEngineHaveLeft lets an engine in a process of its own trade at the simulators, and
// takes it away with its orders standing.
func TestWatchdog_endsWhatAKilledAndAStoppedEngineHaveLeft(t *testing.T) {
	t.Parallel()
	for i, signal := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			loses(t, uint64(21+i), signal)
		})
	}
}

// loses lets a watchdog lose its engine to a signal.
func loses(t *testing.T, seed uint64, signal syscall.Signal) {
	sims := serve(t, seed)
	w := worldOf(sims)
	text, err := json.Marshal(w)
	require.NoError(t, err)
	c, err := ReadConfig("demo", nil)
	require.NoError(t, err)
	address := freePort(t)
	child := startChild(t, t.TempDir(), "live", childWorld+"="+string(text), childMetrics+"="+address)
	defer child.kill(t)
	require.True(t, child.tells(50), "the child ended by itself: %s", &child.said)
	var seen atomic.Bool
	o := w.options("")
	done := make(chan watchedTo, 1)
	go func() {
		r, err := Watchdog(t.Context(), WatchdogOptions{Edges: o.Edges, Config: c, Accounts: o.Accounts, Engine: "http://" + address + "/healthz", Limit: 10 * time.Second,
			Settle: time.Second, Log: slog.New(sees{seen: &seen, text: "the engine is alive"})})
		done <- watchedTo{r, err}
	}()
	eventually(t, seen.Load)
	require.True(t, child.tells(400), "the child ended by itself: %s", &child.said)
	require.Empty(t, done, "a healthy engine is left alone")
	require.NoError(t, child.cmd.Process.Signal(signal))
	rests(t, w) // whatever the market takes of the engine's own meanwhile
	r := <-done
	var acted *ActedError
	require.ErrorAs(t, r.err, &acted)
	require.False(t, acted.Undone, "%v %+v", r.err, r.Venues)
	require.True(t, r.Acted && r.Seen)
	require.Equal(t, ExitActed, exitCode(r.err))
	ended := 0
	for _, v := range r.Venues {
		require.Empty(t, v.Error)
		ended += v.Cancelled
	}
	require.Positive(t, ended)
	_, open := sims.orders()
	require.Zero(t, open)
}

// rests places an order of ours at the simulated Binance that nobody takes.
func rests(t *testing.T, w *world) {
	a := w.Accounts["binance"]
	signer, err := sign.NewBinance(sign.SecretOf("a test", a.Secret))
	require.NoError(t, err)
	payload := url.Values{"symbol": {"BTCUSDT"}, "side": {"BUY"}, "type": {"LIMIT"}, "timeInForce": {"GTC"}, "newClientOrderId": {"op1-00000000000000ff"}, "price": {"30000.00"},
		"quantity": {"0.00100"}, "timestamp": {fmt.Sprint(time.Now().UnixMilli())}}.Encode()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.REST["binance"]+"/api/v3/order?"+payload+"&signature="+string(signer.AppendREST(nil, []byte(payload))), nil)
	require.NoError(t, err)
	req.Header.Set("X-MBX-APIKEY", string(a.Key))
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, "%s", body)
}

type watchedTo struct {
	*WatchdogReport
	err error
}

func eventually(t *testing.T, done func() bool) {
	t.Helper()
	late := time.After(patience)
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for !done() {
		select {
		case <-look.C:
		case <-late:
			t.Fatal("it did not come")
		}
	}
}

// sees is a log that notes whether a text has come.
type sees struct {
	slog.Handler
	seen *atomic.Bool
	text string
}

func (s sees) Enabled(context.Context, slog.Level) bool { return true }

func (s sees) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, s.text) {
		s.seen.Store(true)
	}
	return nil
}

func TestMain_watchdog(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	hangs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "the engine has not stepped", http.StatusServiceUnavailable)
	}))
	t.Cleanup(hangs.Close)
	rest := []string{}
	for name, at := range r.at.REST {
		rest = append(rest, "--rest", name+"="+at)
	}
	args := func(config string) []string {
		return append([]string{"watchdog", "--config", config, "--engine", hangs.URL + "/healthz", "--limit", "1s", "--settle", "0s", "--absent", "--json"}, rest...)
	}
	x := run(t, args(r.config)...)
	require.Equal(t, ExitUsage, x.code)
	require.Contains(t, x.err, "has no keys for a watchdog; add to it: watchdog: {key: env:NAME, secret: file:PATH}")

	text, err := os.ReadFile(r.config)
	require.NoError(t, err)
	own, same := string(text), string(text)
	for name := range r.at.REST {
		for _, kind := range []string{"key", "secret"} {
			r.write(t, name+".watchdog."+kind, string(r.keys[name+"."+kind]))
		}
		at := r.dir + "/" + name
		secret := "secret: file:" + at + ".secret"
		own = strings.Replace(own, secret, secret+", watchdog: {key: file:"+at+".watchdog.key, secret: file:"+at+".watchdog.secret}", 1)
		same = strings.Replace(same, secret, secret+", watchdog: {key: file:"+at+".key, "+secret+"}", 1)
	}
	x = run(t, args(r.write(t, "same.yaml", same))...)
	require.Equal(t, ExitUsage, x.code)
	require.Contains(t, x.err, "names the engine's own key; make another at the venue")

	x = run(t, args(r.write(t, "own.yaml", own))...)
	require.Equal(t, ExitActed, x.code, x.err)
	var v WatchdogReport
	require.NoError(t, json.Unmarshal([]byte(x.out), &v))
	require.True(t, v.Acted)
	require.False(t, v.Seen)
	require.Len(t, v.Venues, 3)
	r.secretsIn(t, "what the watchdog says", []byte(x.out+x.err))

	x = run(t, "watchdog", "--config", r.config, "--engine", "nowhere")
	require.Equal(t, ExitUsage, x.code)
}
