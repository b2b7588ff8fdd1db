package app

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// The confirmation code says that an operator has seen what a live start will do. It is no secret and proves nobody's
// identity: it is derived from the text of the config, the accounts and their keys' ids, the addresses, the binary and the
// UTC day, so that whoever passes it has read the plan of just these.

// confirmation identifies what is confirmed, but for the day.
type confirmation [sha256.Size]byte

// newConfirmation condenses what must not change between the plan and the start.
func newConfirmation(c *Config, accounts map[string]Account, e *Edges, binary string) confirmation {
	h := sha256.New()
	put := func(parts ...string) {
		for _, p := range parts {
			fmt.Fprintf(h, "%d:%s", len(p), p)
		}
	}
	put("oneprice live", c.hash(), binary)
	for _, v := range c.Venues {
		a := accounts[v.Name]
		put(v.Name, a.Name, a.Tier, fmt.Sprint(a.Shared), string(a.Key.Reveal()), e.WS[v.Name], e.REST[v.Name], e.PrivateWS[v.Name])
	}
	return confirmation(h.Sum(nil))
}

var codeText = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

// code is the confirmation code of a day: eight letters and digits.
func (x confirmation) code(day time.Time) string {
	sum := sha256.Sum256(append(x[:], day.UTC().Format(time.DateOnly)...))
	text := codeText.EncodeToString(sum[:5])
	return text[:4] + "-" + text[4:]
}

// staleDays is how far back a code is recognised as one that was good once.
const staleDays = 30

// accepts reports whether what an operator gave is the code of this day; the error says what it is instead, and never the
// right one.
func (x confirmation) accepts(given string, now time.Time, config string) error {
	return x.confirms(given, now, fmt.Sprintf("live trading needs a confirmation code; read the plan that oneprice check %s --live prints, and give its code", config))
}

// confirms is accepts where needs says that a code is needed; and then which plan shows it.
func (x confirmation) confirms(given string, now time.Time, needs string) error {
	_, again, _ := strings.Cut(needs, "; ")
	switch given = bareCode(given); given {
	case "":
		return &UsageError{fmt.Errorf("%s with --confirm", needs)}
	case bareCode(x.code(now)):
		return nil
	}
	for back := 1; back <= staleDays; back++ {
		if day := now.AddDate(0, 0, -back); given == bareCode(x.code(day)) {
			return &UsageError{fmt.Errorf("the confirmation code is stale: it was good on %s, and a code is good for one UTC day; %s", day.UTC().Format(time.DateOnly), again)}
		}
	}
	return &UsageError{fmt.Errorf("the confirmation code is not that of this config, these accounts and this binary: it is mistyped, or one of them has changed since; %s", again)}
}

// bareCode is a code without what people add to it.
func bareCode(s string) string {
	return strings.ToUpper(strings.NewReplacer("-", "", " ", "", "\t", "", "\r", "", "\n", "").Replace(s))
}

// typed reads a line that the operator types.
func typed(ctx context.Context, in io.Reader) (string, error) {
	line := make(chan string, 1)
	go func() { // it may outlive us: a read from a terminal cannot be called off
		text, _ := bufio.NewReader(in).ReadString('\n') // what ends early is no code
		line <- text
	}()
	select {
	case text := <-line:
		return text, nil
	case <-ctx.Done():
		return "", &UsageError{errors.New("stopped before the code was given")}
	}
}

// ownHash is the hash of the running program.
func ownHash() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("the program cannot find itself, and the confirmation code depends on it: %w", err)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("the program cannot read itself, and the confirmation code depends on it: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("the program cannot read itself, and the confirmation code depends on it: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
