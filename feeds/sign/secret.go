package sign

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// hidden gives the type that embeds it one face in every format verb, log, marshaller and panic.
type hidden struct{}

// Format writes the same for every verb and flag.
func (hidden) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

func (hidden) String() string               { return redacted }
func (hidden) GoString() string             { return redacted }
func (hidden) MarshalText() ([]byte, error) { return []byte(redacted), nil }
func (hidden) LogValue() slog.Value         { return slog.StringValue(redacted) }

// UnmarshalText refuses: a config that holds a secret does not load.
func (hidden) UnmarshalText([]byte) error {
	return errors.New("a secret is not read from a config; name it by env:NAME or file:PATH")
}

// Secret is a key, passphrase or key id that shows itself to Reveal alone. The zero value is an absent one. Copies share
// the bytes. It does not change until Close, which its owner calls when no other goroutine uses it.
type Secret struct {
	hidden
	open func(last bool) []byte
	from string
}

// SecretOf makes a secret of a copy of text, for keys that are made in the process, as a demo's are. from says where it
// came from, for the errors about it.
func SecretOf(from string, text []byte) Secret {
	own := append([]byte(nil), text...)
	return Secret{from: from, open: func(last bool) []byte {
		if last {
			clear(own)
			own = nil
		}
		return own
	}}
}

// Reveal returns the bytes themselves: to be read at once, neither kept nor changed nor printed. It is empty for an absent
// or closed secret.
func (s Secret) Reveal() []byte {
	if s.open == nil {
		return nil
	}
	return s.open(false)
}

// Present reports whether there is something to reveal.
func (s Secret) Present() bool { return len(s.Reveal()) > 0 }

// From says where the secret came from, such as "environment variable BINANCE_KEY". It is safe to print.
func (s Secret) From() string { return s.from }

// Close overwrites the bytes, for all copies of the secret.
func (s Secret) Close() {
	if s.open != nil {
		s.open(true)
	}
}

// KeyError says what is wrong with a secret, where it is, and what to do. It never holds the secret or a part of it.
type KeyError struct {
	What, Where, Do string
}

func (e *KeyError) Error() string { return e.Where + ": " + e.What + "; " + e.Do }

// fault makes the error about a secret.
func (s Secret) fault(what, do string) error {
	where := s.from
	if where == "" {
		where = "a secret of unknown origin"
	}
	return &KeyError{what, where, do}
}
