package sign

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
)

// secretMax bounds a credential file. The longest key a venue issues is a PEM of about 2 KiB.
const secretMax = 16 << 10

// Load reads the secret that ref names: env:NAME is an environment variable, file:PATH a file that its owner alone may
// read. White space around the secret is cut off. The error is a *KeyError and does not repeat ref unless it has one of
// these two forms, as it may be the secret itself.
func Load(ref string) (Secret, error) {
	if name, ok := strings.CutPrefix(ref, "env:"); ok {
		return FromEnv(name)
	}
	if path, ok := strings.CutPrefix(ref, "file:"); ok {
		return FromFile(path)
	}
	return Secret{}, &KeyError{"it is neither env:NAME nor file:PATH", "a reference to a secret", "name the place of the secret, never the secret"}
}

// FromEnv reads the environment variable name.
func FromEnv(name string) (Secret, error) {
	from := "environment variable " + name
	text, ok := os.LookupEnv(name)
	if !ok {
		return Secret{}, &KeyError{"it is not set", from, "set it in the environment of this process"}
	}
	return trimmed(from, []byte(text), "set it to the secret")
}

// FromFile reads a regular file that belongs to the user of this process, or to root, and that nobody else may touch: mode
// 0600 or less.
func FromFile(path string) (Secret, error) {
	from := "file " + path
	// A named pipe would block the open that follows, hence two looks; the second, on the open file, is the one that counts.
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return Secret{}, &KeyError{"it is not a regular file", from, "keep the secret in a file of its own"}
	}
	f, err := os.Open(path)
	if err != nil {
		return Secret{}, &KeyError{"it cannot be opened (" + reason(err) + ")", from, "check the path and that this user may read it"}
	}
	defer f.Close() // read only: closing loses nothing
	info, err := f.Stat()
	if err != nil {
		return Secret{}, &KeyError{"it cannot be examined (" + reason(err) + ")", from, "check the file system"}
	}
	if err := ownerOnly(from, path, info); err != nil {
		return Secret{}, err
	}
	raw := make([]byte, info.Size())
	defer clear(raw)
	if _, err := io.ReadFull(f, raw); err != nil {
		return Secret{}, &KeyError{"it cannot be read (" + reason(err) + ")", from, "check the file and start again"}
	}
	return trimmed(from, raw, "put the secret into it")
}

func ownerOnly(from, path string, info os.FileInfo) error {
	switch mode := info.Mode(); {
	case !mode.IsRegular():
		return &KeyError{"it is not a regular file", from, "keep the secret in a file of its own"}
	case mode.Perm()&0o077 != 0:
		return &KeyError{fmt.Sprintf("others than its owner may use it (mode %04o)", mode.Perm()), from, "run: chmod 600 " + path}
	case info.Size() > secretMax:
		return &KeyError{fmt.Sprintf("it has %d bytes, more than any key (%d)", info.Size(), secretMax), from, "keep the secret in a file of its own"}
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() && st.Uid != 0 {
		return &KeyError{fmt.Sprintf("it belongs to user %d, and we are user %d", st.Uid, os.Geteuid()), from, "make it a file of the user that runs this process"}
	}
	return nil
}

// trimmed makes a secret of raw without the white space around it.
func trimmed(from string, raw []byte, do string) (Secret, error) {
	text := bytes.TrimSpace(raw)
	if len(text) == 0 {
		return Secret{}, &KeyError{"it is empty", from, do}
	}
	if bytes.IndexByte(text, 0) >= 0 {
		return Secret{}, &KeyError{"it holds a zero byte, which no key text does", from, "store the key as text (PEM or base64)"}
	}
	return SecretOf(from, text), nil
}

// reason is the system's own word for an error, without the path that stands in the error's place already.
func reason(err error) string {
	if p, ok := err.(*os.PathError); ok {
		err = p.Err
	}
	return err.Error()
}
