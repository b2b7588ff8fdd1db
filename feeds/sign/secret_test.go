package sign

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// forms are the ways in which eight bytes of a secret could show in text.
func forms(b []byte) []string {
	dec, hx := make([]string, len(b)), make([]string, len(b))
	for i, c := range b {
		dec[i], hx[i] = strconv.Itoa(int(c)), fmt.Sprintf("0x%x", c)
	}
	return []string{
		string(b), hex.EncodeToString(b), strings.ToUpper(hex.EncodeToString(b)), fmt.Sprintf("% x", b),
		strings.Join(dec, " "), strings.Join(dec, ", "), strings.Join(dec, ","), strings.Join(hx, ", "), strings.Join(hx, " "),
		strings.Trim(strconv.Quote(string(b)), `"`), strings.Trim(strconv.QuoteToASCII(string(b)), `"`), url.QueryEscape(string(b)),
	}
}

// leaks returns what of the material shows in text: any eight bytes in any form, or any base64 of a part.
func leaks(text string, material [][]byte) []string {
	var out []string
	for _, m := range material {
		for i := 0; i+8 <= len(m); i += 8 {
			for _, f := range forms(m[i : i+8]) {
				if strings.Contains(text, f) {
					out = append(out, f)
				}
			}
		}
		for i := 0; i+9 <= len(m); i += 9 { // base64 of nine bytes has no padding and is part of the whole's
			for _, e := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
				if f := e.EncodeToString(m[i : i+9]); strings.Contains(text, f) {
					out = append(out, f)
				}
			}
		}
	}
	return out
}

func escapedPEM() string {
	return strings.ReplaceAll(string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: must64(coinbaseEC)})), "\n", `\n`)
}

func must64(s string) []byte {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

type holder struct {
	Open   Secret
	hidden Secret
	List   []Secret
	Map    map[string]Secret
	At     *Secret
	Any    any
	Mac    *HMAC
	mac    HMAC
	b      Binance
	Bs     []*Binance
	Kraken *Kraken
	k      Kraken
	Coin   *Coinbase
	c      Coinbase
	Pool   *Pool
	ed     *Ed25519
	Ed     Ed25519
	e      Ed25519
	cc     Coinbase
}

// exposed builds everything that holds key material, and lists that material.
func exposed(t testing.TB) (things []any, material [][]byte) {
	s := SecretOf("a test", []byte(binanceSecret))
	pemKey := SecretOf("a test", []byte(escapedPEM()))
	m, k := NewHMAC256(s.Reveal()), kraken(t, krakenSecret)
	b, e, c, ce := binance(t, binanceSecret), binance(t, binanceDER), coinbase(t, coinbaseEC), coinbase(t, coinbaseEd)
	p, err := NewPool(ce, newFakeClock(someTime), Route{"POST", orders})
	require.NoError(t, err)
	h := holder{s, s, []Secret{s, pemKey}, map[string]Secret{"key": pemKey}, &s, s, m, *m, *e, []*Binance{b, e}, k, *k, c, *ce, p, e.ed, *e.ed, *ce.ed, *ce}
	things = []any{s, &s, pemKey, m, *m, k, *k, b, *b, e, *e, c, *c, ce, *ce, p, e.ed, *e.ed, h, &h, []any{s, m}, map[string]any{"x": s}, [1]Secret{s}}

	d, err := c.ec().Bytes()
	require.NoError(t, err)
	tok, ok := p.Token("POST", orders, someTime)
	require.True(t, ok)
	// The first eight bytes of a saved digest are its public magic, and its end is a count: the state between is the key.
	material = [][]byte{[]byte(binanceSecret), []byte(binanceDER), must64(binanceDER)[16:], []byte(krakenSecret), must64(krakenSecret),
		[]byte(coinbaseEd), must64(coinbaseEd), []byte(coinbaseEC), d, m.k().inner[4:36], m.k().outer[4:36], k.mac.k().inner[4:68], []byte(tok[len(tok)-80:])}
	return things, material
}

func TestLeaks_findsEachForm(t *testing.T) {
	key := []byte(binanceSecret)
	for _, f := range []string{"%s", "%x", "%X", "% x", "%v", "%d", "%q", "%#v", "%+v"} {
		require.NotEmpty(t, leaks(fmt.Sprintf(f, key), [][]byte{key}), f)
	}
	require.NotEmpty(t, leaks(base64.StdEncoding.EncodeToString(key), [][]byte{key}))
	require.NotEmpty(t, leaks(fmt.Sprintf("%+v", struct{ k []byte }{key}), [][]byte{key}))
	require.Empty(t, leaks("nothing here", [][]byte{key}))
}

func TestSecrets_showInNoFormatVerb(t *testing.T) {
	things, material := exposed(t)
	var out strings.Builder
	for _, x := range things {
		for _, flag := range []string{"", "+", "#", "-", " ", "0", "+#", "# ", "40", ".3"} {
			for _, verb := range "vsqxXdobtTpeEfFgGcUOw" {
				fmt.Fprintf(&out, "%"+flag+string(verb)+"\n", x)
			}
		}
		fmt.Fprintln(&out, x)
		fmt.Fprintln(&out, fmt.Errorf("gateway: %v: %w", x, errors.New("refused")), errors.Join(fmt.Errorf("%+v", x)))
	}
	require.Empty(t, leaks(out.String(), material))
	require.Equal(t, "[redacted] [redacted] [redacted]", fmt.Sprintf("%v %+q %#v", things[0], things[1], things[3]))
}

func TestSecrets_showInNoEncodingOrLog(t *testing.T) {
	things, material := exposed(t)
	var out bytes.Buffer
	opts := &slog.HandlerOptions{Level: slog.LevelDebug}
	logs := []*slog.Logger{slog.New(slog.NewTextHandler(&out, opts)), slog.New(slog.NewJSONHandler(&out, opts))}
	for _, x := range things {
		for _, l := range logs {
			l.Info("starting", "with", x, "more", []any{x}, slog.Group("g", slog.Any("x", x)))
			l.With("key", x).Error("failed", "err", fmt.Errorf("key %v", x))
		}
		if b, err := json.Marshal(x); err == nil {
			out.Write(b)
		} else {
			out.WriteString(err.Error())
		}
		if err := xml.NewEncoder(&out).Encode(x); err != nil {
			out.WriteString(err.Error())
		}
		if err := gob.NewEncoder(&out).Encode(x); err != nil {
			out.WriteString(err.Error())
		}
	}
	require.Contains(t, out.String(), `"with":"[redacted]"`)
	require.Contains(t, out.String(), `with=[redacted]`)
	require.Empty(t, leaks(out.String(), material))
	b, err := json.Marshal(map[string]any{"key": things[0]})
	require.NoError(t, err)
	require.Equal(t, `{"key":"[redacted]"}`, string(b))
}

const panicVariable = "SIGN_TEST_PANIC_WITH"

// A panic prints its value by the runtime, not by fmt, hence a process of its own for each value.
func TestSecrets_showInNoPanic(t *testing.T) {
	things, material := exposed(t)
	if n, err := strconv.Atoi(os.Getenv(panicVariable)); err == nil {
		fatal := things[n]
		if n%2 == 1 {
			panic(fmt.Errorf("while signing with %v: %+v", fatal, fatal))
		}
		panic(fatal)
	}
	for _, n := range []int{0, 1, 2, 3, 8, 12, 15, 18, 19} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestSecrets_showInNoPanic$")
		cmd.Env = append(os.Environ(), panicVariable+"="+strconv.Itoa(n), "GOTRACEBACK=all")
		out, err := cmd.CombinedOutput()
		require.Error(t, err)
		require.Contains(t, string(out), "panic: ")
		require.Empty(t, leaks(string(out), material), "thing %d", n)
	}
}

func TestSecret_isNotReadFromConfig(t *testing.T) {
	var c struct{ Key Secret }
	err := json.Unmarshal([]byte(`{"Key":"`+binanceSecret+`"}`), &c)
	require.ErrorContains(t, err, "env:NAME or file:PATH")
	require.NotContains(t, err.Error(), binanceSecret[:8])
	require.False(t, c.Key.Present())
}

func TestSecret_isOverwrittenByClose(t *testing.T) {
	s := SecretOf("somewhere", []byte("abc"))
	twin, bytes := s, s.Reveal()
	require.Equal(t, "abc", string(bytes))
	require.Equal(t, "somewhere", s.From())
	s.Close()
	require.Equal(t, []byte{0, 0, 0}, bytes)
	require.False(t, twin.Present())
	require.Empty(t, twin.Reveal())
	s.Close()

	var none Secret
	none.Close()
	require.False(t, none.Present())
	_, err := NewKraken(none)
	require.ErrorContains(t, err, "unknown origin")
}
