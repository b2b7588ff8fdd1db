package app

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"oneprice/engine/console"
)

const childArgs = "ONEPRICE_TEST_ARGS"

// TestSecrets_child is no test: it is the program as a process of its own. It panics where its parent says so by a signal.
func TestSecrets_child(t *testing.T) {
	text := os.Getenv(childArgs)
	if text == "" {
		t.Skip("only the secrets test starts it")
	}
	var args []string
	require.NoError(t, json.Unmarshal([]byte(text), &args))
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR1)
	go func() {
		<-c
		panic("planted by a test")
	}()
	os.Exit(Main(args, os.Stdout, os.Stderr))
}

// needle is one way in which a secret may be written.
type needle struct {
	what string
	text []byte
}

// needles are the ways to write a secret: raw, hexadecimal, base64 of both alphabets at each alignment and with or without
// padding, escaped for URLs and JSON, quoted, and as a list of numbers.
func needles(what string, secret []byte) (out []needle) {
	add := func(form string, text []byte) { out = append(out, needle{what + " " + form, text}) }
	add("raw", secret)
	add("hex", []byte(hex.EncodeToString(secret)))
	add("HEX", []byte(strings.ToUpper(hex.EncodeToString(secret))))
	for alphabet, e := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "base64url": base64.RawURLEncoding} {
		for shift := range 3 {
			// What comes before and after a secret changes the first and last characters: they are left out.
			text := e.EncodeToString(append(make([]byte, shift), secret...))
			whole := (shift + len(secret)) / 3 * 4
			add(fmt.Sprintf("%s+%d", alphabet, shift), []byte(text[(shift*8+5)/6:whole]))
		}
	}
	quoted, _ := json.Marshal(string(secret))
	add("json", quoted[1:len(quoted)-1])
	goQuoted := fmt.Sprintf("%q", secret)
	add("quoted", []byte(goQuoted[1:len(goQuoted)-1]))
	add("query", []byte(url.QueryEscape(string(secret))))
	add("path", []byte(url.PathEscape(string(secret))))
	percent, unicode := "", ""
	for _, b := range secret {
		percent, unicode = percent+fmt.Sprintf("%%%02X", b), unicode+fmt.Sprintf("\\u%04x", b)
	}
	add("percent", []byte(percent))
	add("percent lower", []byte(strings.ToLower(percent)))
	add("unicode", []byte(unicode))
	numbers := fmt.Sprint(secret)
	add("numbers", []byte(numbers[1:len(numbers)-1]))
	add("commas", []byte(strings.ReplaceAll(numbers[1:len(numbers)-1], " ", ",")))
	return out
}

// vault is a folder of commands' doings and the secrets that must not show in it.
type vault struct {
	*rig
	t       *testing.T
	env     []string
	needles []needle
	mu      sync.Mutex
	ran     map[string]bool // command paths
	said    bytes.Buffer    // all output and pages
}

// hide adds a secret, and what it is made of: the key inside an armour is as secret as the text.
func (v *vault) hide(what string, secret []byte) {
	v.needles = append(v.needles, needles(what, secret)...)
	der, text := []byte(nil), secret
	if b, _ := pem.Decode(secret); b != nil {
		der, text = b.Bytes, []byte(base64.StdEncoding.EncodeToString(b.Bytes))
		v.needles = append(v.needles, needles(what+" body", text)...)
	} else if raw, err := base64.StdEncoding.DecodeString(string(text)); err == nil {
		der = raw
	}
	if der != nil {
		v.needles = append(v.needles, needles(what+" decoded", der)...)
		v.needles = append(v.needles, needles(what+" seed", seed(der))...)
	}
}

// seed is the private number at the heart of a key: the last 32 bytes of an Ed25519 key in PKCS8; after the head of an EC key.
func seed(der []byte) []byte {
	if i := bytes.Index(der, []byte{0x02, 0x01, 0x01, 0x04, 0x20}); i >= 0 && len(der) >= i+37 {
		return der[i+5 : i+37]
	}
	return der[len(der)-32:]
}

// search fails where a text holds a secret.
func (v *vault) search(where string, text []byte) {
	v.t.Helper()
	text = bytes.TrimRight(text, "\x00")
	for _, n := range v.needles {
		if bytes.Contains(text, n.text) {
			v.t.Errorf("%s shows in %s", n.what, where)
		}
	}
}

// start starts the program with these words; done waits for it and keeps what it said.
func (v *vault) start(args ...string) (cmd *exec.Cmd, done func() ran) {
	words, err := json.Marshal(args)
	require.NoError(v.t, err)
	cmd = exec.Command(os.Args[0], "-test.run=^TestSecrets_child$")
	cmd.Env = append(append(os.Environ(), v.env...), childArgs+"="+string(words), "GOTRACEBACK=all")
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Dir = &out, &errOut, v.dir
	require.NoError(v.t, cmd.Start())
	return cmd, func() ran {
		cmd.Wait() // its code says how it ended
		v.mu.Lock()
		defer v.mu.Unlock()
		v.ran[commandOf(args)] = true
		v.said.Write(out.Bytes())
		v.said.Write(errOut.Bytes())
		return ran{cmd.ProcessState.ExitCode(), out.String(), errOut.String()}
	}
}

// run runs the program to its end, which must have that code.
func (v *vault) run(code int, args ...string) ran {
	v.t.Helper()
	_, done := v.start(args...)
	x := done()
	require.Equal(v.t, code, x.code, "%v: %s", args, x.err)
	return x
}

// commandOf is the path of the command that these words run.
func commandOf(args []string) string {
	cmd, _, err := (&cli{out: io.Discard, err: io.Discard}).root().Find(args)
	if err != nil {
		return ""
	}
	return cmd.CommandPath()
}

// commands are the paths of all commands that do something.
func commands(cmd *cobra.Command) (out []string) {
	if !cmd.HasSubCommands() || cmd.CommandPath() == "oneprice ctl breaker" {
		out = append(out, cmd.CommandPath())
	}
	for _, sub := range cmd.Commands() {
		out = append(out, commands(sub)...)
	}
	return out
}

// newVault serves the venues and makes a config whose keys are in files, of which Binance's is in PEM, and one whose keys are
// in the environment.
func newVault(t *testing.T) (v *vault, byEnv string) {
	v = &vault{rig: newRig(t), t: t, ran: map[string]bool{}}
	der, err := base64.StdEncoding.DecodeString(string(v.keys["binance.secret"]))
	require.NoError(t, err)
	armoured := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	text, err := os.ReadFile(v.config)
	require.NoError(t, err)
	config := string(text)
	for name, secret := range v.keys {
		variable := "ONEPRICE_CANARY_" + strings.ToUpper(strings.ReplaceAll(name, ".", "_"))
		v.env = append(v.env, variable+"="+string(secret))
		config = strings.ReplaceAll(config, "file:"+filepath.Join(v.dir, name), "env:"+variable)
		if strings.HasSuffix(name, ".secret") {
			v.hide(name, secret)
		}
	}
	require.Contains(t, config, "env:ONEPRICE_CANARY_KRAKEN_SECRET")
	v.write(t, "binance.secret", string(armoured))
	return v, v.write(t, "env.yaml", config)
}

// Every command of the program, also where it fails, panics or is made to dump its goroutines, runs with keys of every kind,
// from files and from the environment; neither what it says nor what it leaves holds any of them, in any spelling.
func TestSecrets_showNowhere(t *testing.T) {
	t.Parallel()
	ran := map[string]bool{}
	var mu sync.Mutex
	searched := func(v *vault) {
		v.search("what the commands said", v.said.Bytes())
		v.files()
		mu.Lock()
		defer mu.Unlock()
		maps.Copy(ran, v.ran)
	}
	t.Run("all", func(t *testing.T) {
		t.Run("files", func(t *testing.T) {
			t.Parallel()
			v, _ := newVault(t)
			v.live(v.config, syscall.SIGQUIT, "goroutine ")
			v.others(v.config)
			v.watchdog()
			out := filepath.Join(v.dir, "out")
			v.run(ExitOK, "audit", "verify", out+"/audit")
			v.run(ExitOK, "audit", "tail", out+"/audit", "-n", "1000", "--json")
			v.run(ExitOK, "audit", "show", out+"/audit", "--json")
			searched(v)
		})
		t.Run("environment", func(t *testing.T) {
			t.Parallel()
			v, byEnv := newVault(t)
			for _, x := range v.env { // for the confirmation code, which this process works out; nobody else uses these names
				name, value, _ := strings.Cut(x, "=")
				require.NoError(t, os.Setenv(name, value))
				t.Cleanup(func() { os.Unsetenv(name) })
			}
			v.live(byEnv, syscall.SIGUSR1, "panic: planted by a test")
			v.refusals(byEnv)
			searched(v)
		})
	})
	for _, path := range commands((&cli{}).root()) {
		require.True(t, ran[path], "%s is not run with canary keys: add it to others or live", path)
	}
}

// others are the commands that do not trade live.
func (v *vault) others(config string) {
	at := func(name string) string { return filepath.Join(v.dir, name) }
	var wg sync.WaitGroup
	for _, args := range [][]string{
		{"version"}, {"config", "example", "demo"}, {"demo", "--live-sim", "--for", "1s", "--out", at("demo"), "--metrics", ""}, {"sim", "--for", "300ms"},
		append([]string{"check", config, "--live", "--json"}, v.edges...),
		append([]string{"rebalance", "--config", config, "--plan", "--live", "--waive", "a test", "--out", at("rebalance")}, v.edges...),
		append([]string{"record", "--config", config, "--for", "1s", "--out", at("recordings")}, v.edges[:4]...),
		{"inspect", at("none.jsonl")}, {"backtest", "--config", "backtest-zero-fee", "--synthetic", "7", "--seconds", "2", "--out", at("backtest")},
	} {
		_, done := v.start(args...)
		wg.Go(func() { done() })
	}
	wg.Wait()
	tapes, err := filepath.Glob(at("backtest/tape/*"))
	require.NoError(v.t, err)
	require.NotEmpty(v.t, tapes)
	v.run(ExitOK, "replay", tapes[0], "--audit", at("backtest/audit"))
}

// refusals are starts that fail for their keys.
func (v *vault) refusals(config string) {
	hmac := "7hQmWc2vKxT9sLpZr4NdYfBgJ8uEaXo3iVtCk6MnRq1wSbHjUyPzGlDe5FAO0I"
	v.hide("an HMAC secret", []byte(hmac))
	v.env = append(v.env, "ONEPRICE_CANARY_HMAC="+hmac)
	text, err := os.ReadFile(config)
	require.NoError(v.t, err)
	const reference = "env:ONEPRICE_CANARY_BINANCE_SECRET"
	require.Contains(v.t, string(text), reference)
	v.write(v.t, "hmac.secret", hmac)
	for name, instead := range map[string]string{"hmac-env": "env:ONEPRICE_CANARY_HMAC", "hmac-file": "file:" + filepath.Join(v.dir, "hmac.secret"), "pasted": hmac,
		"other": "file:" + filepath.Join(v.dir, "kraken.secret"), "coinbases": "file:" + filepath.Join(v.dir, "coinbase.secret")} {
		config := v.write(v.t, name+".yaml", strings.Replace(string(text), reference, instead, 1))
		_, done := v.start(append([]string{"check", config, "--live"}, v.edges...)...)
		require.NotEqual(v.t, ExitOK, done().code, name)
		require.NoError(v.t, os.Remove(config)) // the pasted one holds it by our own doing
	}
}

// watchdog finds no engine and ends what it has left, with keys of its own.
func (v *vault) watchdog() {
	text, err := os.ReadFile(v.config)
	require.NoError(v.t, err)
	config := string(text)
	args := []string{"--engine", "http://" + freePort(v.t) + "/healthz", "--limit", "1s", "--settle", "1s", "--absent", "--json"}
	for name, at := range v.at.REST {
		own := filepath.Join(v.dir, name)
		keys := fmt.Sprintf("watchdog: {key: file:%s, secret: file:%s}", v.write(v.t, name+".own.key", string(v.keys[name+".key"])), v.write(v.t, name+".own.secret", string(v.keys[name+".secret"])))
		mode := "secret: file:" + own + ".secret, mode: dedicated"
		require.Contains(v.t, config, mode)
		config = strings.Replace(config, mode, mode+", "+keys, 1)
		args = append(args, "--rest", name+"="+at)
	}
	v.run(ExitActed, append([]string{"watchdog", "--config", v.write(v.t, "watched.yaml", config)}, args...)...)
}

// live trades, is commanded by ctl, and is ended by a signal that makes it dump its goroutines.
func (v *vault) live(config string, end os.Signal, dump string) {
	out, metrics := filepath.Join(v.dir, "out"), freePort(v.t)
	v.rig.config = config
	args := append([]string{"run", "--config", config, "--live", "--confirm", v.code(v.t, time.Now()), "--waive", "a test", "--out", out, "--metrics", metrics, "--pprof", "--log-json"}, v.edges...)
	cmd, done := v.start(args...)
	defer cmd.Process.Kill()
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	v.until(ctx, func() bool {
		return console.Reach(out) == nil && orderLeft.MatchString(v.page(metrics, "/metrics"))
	})
	for _, path := range []string{"/healthz", "/readyz", "/", "/debug/pprof/goroutine?debug=2", "/debug/pprof/heap?debug=1", "/debug/pprof/cmdline"} {
		v.page(metrics, path)
	}
	for _, words := range []string{"status", "limits", "breaker", "breaker reset", "reduce-only", "disarm", "arm", "kill", "lift", "flatten"} {
		args := append([]string{"ctl", "--out", out, "--json"}, strings.Fields(words)...)
		if words != "status" && words != "limits" && words != "breaker" {
			args = append(args, "--why", "a test")
		}
		_, done := v.start(args...)
		done()
	}
	require.NoError(v.t, cmd.Process.Signal(end))
	require.Contains(v.t, done().err, dump)
}

// orderLeft matches metrics by which an order has left.
var orderLeft = regexp.MustCompile(`(?m)^oneprice_orders_total [1-9]`)

// until waits for a condition.
func (v *vault) until(ctx context.Context, ok func() bool) {
	t := time.NewTicker(20 * time.Millisecond)
	defer t.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			require.FailNow(v.t, "the session does not come up", "%s", v.said.String())
		case <-t.C:
		}
	}
}

// page is what the console answers; it is kept.
func (v *vault) page(at, path string) string {
	resp, err := http.Get("http://" + at + path)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(v.t, err)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.said.Write(text)
	return string(text)
}

// files searches everything below the folder but the keys themselves.
func (v *vault) files() {
	n, size := 0, 0
	require.NoError(v.t, filepath.WalkDir(v.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || filepath.Ext(path) == ".secret" {
			return err
		}
		text, err := os.ReadFile(path)
		v.search(path, text)
		n, size = n+1, size+len(text)
		return err
	}))
	require.Greater(v.t, n, 5)
	v.t.Logf("%d spellings in %d bytes of output and %d files of %d bytes: none", len(v.needles), v.said.Len(), n, size)
}

// The search finds a secret however it is written, and wherever it stands in what is encoded.
func TestSecrets_searchFindsEverySpelling(t *testing.T) {
	secret := []byte("s3cr\"t/+key<of>€the desk&1234567890")
	found := func(text string) bool {
		for _, n := range needles("x", secret) {
			if bytes.Contains([]byte(text), n.text) {
				return true
			}
		}
		return false
	}
	quoted, err := json.Marshal(string(secret))
	require.NoError(t, err)
	for _, text := range []string{string(secret), hex.EncodeToString(secret), strings.ToUpper(hex.EncodeToString(secret)), string(quoted), url.QueryEscape(string(secret)), url.PathEscape(string(secret)),
		fmt.Sprintf("%q", secret), fmt.Sprintf("%v", secret)} {
		require.True(t, found("a"+text+"b"), text)
	}
	for _, e := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		for before := range 4 {
			for after := range 4 {
				text := append(append(bytes.Repeat([]byte{'x'}, before), secret...), bytes.Repeat([]byte{'y'}, after)...)
				require.True(t, found(e.EncodeToString(text)), "%d before, %d after", before, after)
			}
		}
	}
	require.False(t, found("nothing"))
}
