package sign

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Source: RFC 8410, section 10.3: the same key without and with attributes and a public key.
const (
	rfc8410   = "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC"
	rfc8410v2 = "MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n" +
		"oB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrB\nZ9w7lshQhqowtrbLDFw4rXAxZuE="
	rfc8410Public = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="
	encrypted     = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAg=\n-----END ENCRYPTED PRIVATE KEY-----"
	encryptedOld  = "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\nAAAA\n-----END EC PRIVATE KEY-----"
)

func TestParseEd25519_readsRFC8410(t *testing.T) {
	for _, text := range []string{rfc8410, rfc8410v2,
		"-----BEGIN PRIVATE KEY-----\n" + rfc8410 + "\n-----END PRIVATE KEY-----",
		"-----BEGIN PRIVATE KEY-----\n" + rfc8410v2 + "\n-----END PRIVATE KEY-----\n"} {
		e, err := ParseEd25519(SecretOf("RFC 8410", []byte(text)))
		require.NoError(t, err)
		public, err := x509.MarshalPKIXPublicKey(e.Public())
		require.NoError(t, err)
		require.Equal(t, rfc8410Public, base64.StdEncoding.EncodeToString(public))
	}
	b := binance(t, strings.ReplaceAll(rfc8410v2, "\n", ""))
	require.True(t, b.Session(), "a long key in DER is no HMAC secret")
}

func TestKeys_areRefusedWithWhatToDo(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	other, err := x509.MarshalPKCS8PrivateKey(p384)
	require.NoError(t, err)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	rsa8, err := x509.MarshalPKCS8PrivateKey(rsaKey)
	require.NoError(t, err)
	block := func(kind string, b []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	flipped := must64(coinbaseEd)
	flipped[63] ^= 1
	for _, c := range []struct{ text, what, do string }{
		{encrypted, "encrypted with a passphrase", "openssl pkey -in OLD -out NEW"},
		{encryptedOld, "encrypted with a passphrase", "chmod 600 NEW"},
		{strings.ReplaceAll(encrypted, "\n", `\n`), "encrypted with a passphrase", "openssl"},
		{block("PUBLIC KEY", must64(rfc8410Public)), "no private key but another thing", "not the public key"},
		{block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey)), "RSA", "Ed25519"},
		{block("PRIVATE KEY", rsa8), "another kind", "Ed25519"},
		{block("PRIVATE KEY", other), "P-384, not P-256", "P-256"},
		{block("PRIVATE KEY", must64(coinbaseEC)[:60]), "no private key that we can read", "copy the whole key"},
		{block("EC PARAMETERS", unhex(t, "06082a8648ce3d030107")), "no complete private key", "-----BEGIN to -----END"},
		{"-----BEGIN PRIVATE KEY-----", "no complete private key", "-----BEGIN to -----END"},
		{base64.StdEncoding.EncodeToString(flipped), "does not belong to its private half", "copy the key again"},
		{base64.StdEncoding.EncodeToString(flipped[:33]), "no private key that we can read", "copy the whole key"},
		{"nonsense!", "neither PEM nor base64", "copy the whole private key"},
		{"", "there is no key", "load it"},
	} {
		_, err := NewCoinbase(coinbaseName, coinbaseHost, SecretOf("file /keys/c", []byte(c.text)))
		var k *KeyError
		require.ErrorAs(t, err, &k, c.what)
		require.Equal(t, "file /keys/c", k.Where)
		require.Contains(t, k.What, c.what)
		require.Contains(t, k.Do, c.do)
		if len(c.text) > 100 {
			require.Empty(t, leaks(err.Error(), [][]byte{[]byte(c.text)[40:60]}))
		}
	}
}

// FuzzKeys: no text makes the parsers panic, the text of a secret survives parsing, an error is a *KeyError that quotes
// nothing of it, and what parses signs.
func FuzzKeys(f *testing.F) {
	for _, s := range []string{"", binanceSecret, binanceDER, krakenSecret, coinbaseEd, coinbaseEC, escapedPEM(), encrypted, encryptedOld, rfc8410, rfc8410v2,
		"-----BEGIN PRIVATE KEY-----\n" + rfc8410 + "\n-----END PRIVATE KEY-----", `-----BEGIN EC PRIVATE KEY-----\r\nMA==\n-----END EC PRIVATE KEY-----`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s := SecretOf("a fuzz", text)
		check := func(err error) bool {
			if err == nil {
				return true
			}
			var k *KeyError
			require.True(t, errors.As(err, &k))
			if len(text) >= 24 {
				require.NotContains(t, err.Error(), string(text))
			}
			return false
		}
		if b, err := NewBinance(s); check(err) {
			require.NotEmpty(t, b.AppendREST(nil, []byte("x")))
		}
		if k, err := NewKraken(s); check(err) {
			require.Len(t, k.Append(nil, []byte("/0/private/Balance"), []byte("1"), []byte("nonce=1")), 88)
		}
		if c, err := NewCoinbase(coinbaseName, coinbaseHost, s); check(err) {
			verified(t, c, string(c.AppendSocket(nil, someTime)))
		}
		require.True(t, bytes.Equal(text, s.Reveal()))
	})
}
