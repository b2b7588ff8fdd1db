package sign

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLoad_readsTheEnvironment(t *testing.T) {
	t.Setenv("SIGN_TEST_KEY", "  "+krakenSecret+"\n")
	s, err := Load("env:SIGN_TEST_KEY")
	require.NoError(t, err)
	require.Equal(t, krakenSecret, string(s.Reveal()))
	require.Equal(t, "environment variable SIGN_TEST_KEY", s.From())

	t.Setenv("SIGN_TEST_KEY", " \n ")
	_, err = Load("env:SIGN_TEST_KEY")
	require.EqualError(t, err, "environment variable SIGN_TEST_KEY: it is empty; set it to the secret")
	require.NoError(t, os.Unsetenv("SIGN_TEST_KEY"))
	_, err = Load("env:SIGN_TEST_KEY")
	require.EqualError(t, err, "environment variable SIGN_TEST_KEY: it is not set; set it in the environment of this process")
}

func TestLoad_doesNotRepeatASecretGivenInPlaceOfItsName(t *testing.T) {
	for _, ref := range []string{binanceSecret, "", "env", "/keys/binance", "vault:" + krakenSecret} {
		_, err := Load(ref)
		require.EqualError(t, err, "a reference to a secret: it is neither env:NAME nor file:PATH; name the place of the secret, never the secret")
	}
}

func TestLoad_readsFilesOfTheOwnerAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key.pem")
	require.NoError(t, os.WriteFile(path, []byte("\n"+binanceSecret+"\r\n"), 0o600))
	for mode, ok := range map[os.FileMode]bool{0o600: true, 0o400: true, 0o700: true, 0o640: false, 0o604: false, 0o644: false, 0o660: false, 0o601: false, 0o620: false, 0o666: false} {
		require.NoError(t, os.Chmod(path, mode))
		s, err := Load("file:" + path)
		if ok {
			require.NoError(t, err, mode)
			require.Equal(t, binanceSecret, string(s.Reveal()))
			require.Equal(t, "file "+path, s.From())
			continue
		}
		require.ErrorContains(t, err, "file "+path+": others than its owner may use it (mode 0")
		require.ErrorContains(t, err, "run: chmod 600 "+path)
		require.False(t, s.Present())
	}
}

func TestLoad_refusesOddFiles(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	pipe := filepath.Join(dir, "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	link := filepath.Join(dir, "link")
	loose := file("loose", binanceSecret)
	require.NoError(t, os.Chmod(loose, 0o644))
	require.NoError(t, os.Symlink(loose, link))
	for path, say := range map[string]string{
		dir:                            "not a regular file",
		pipe:                           "not a regular file",
		link:                           "others than its owner may use it (mode 0644)",
		filepath.Join(dir, "missing"):  "cannot be opened (no such file or directory)",
		file("empty", "\n"):            "it is empty",
		file("nothing", ""):            "it is empty",
		file("binary", "a\x00b"):       "zero byte",
		file("long", longText(16<<10)): "more than any key",
	} {
		_, err := FromFile(path)
		require.ErrorContains(t, err, say)
		require.ErrorContains(t, err, "file "+path+": ")
	}
}

func TestLoad_refusesFilesOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	path := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(path, []byte(binanceSecret), 0o600))
	require.NoError(t, os.Chown(path, 12345, -1))
	_, err := FromFile(path)
	require.ErrorContains(t, err, "it belongs to user 12345, and we are user 0")
}

func longText(n int) string { return strings.Repeat("x", n+1) }
