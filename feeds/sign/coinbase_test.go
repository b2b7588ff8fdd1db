package sign

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/venue"
)

// The keys of the tests of the venue's own client (coinbase-advanced-py, tests/constants.py).
const (
	coinbaseName = "organizations/test-organization/apiKeys/test-api-key"
	coinbaseEC   = "MHcCAQEEIKwf3Uox30cRWzRBOPoPOH5p0Gpb0Dt8zUKXUEM5fMkGoAoGCCqGSM49AwEHoUQDQgAEbAtpLlSZYVOwYICz+uEyxcS29vRIujiES/gQ1DC7FV4zK4JuYE9vqDyGZQYjdXHLM7I6f/QnnOITL+dXYWBHRA=="
	coinbaseEd   = "k0BUni0p0vZG1BdpVjS6ogBJ7kxm630AJ2dN+tuputDOKsRAwgyrpEQLeBtS1znTmzPX6Xr2eOWpzx6nW8knkA=="
	coinbaseHost = "api.coinbase.com"
	accounts     = "/api/v3/brokerage/accounts"
	orders       = "/api/v3/brokerage/orders"
	someTime     = 1_700_000_000 * venue.Second
)

func coinbase(t testing.TB, key string) *Coinbase {
	t.Helper()
	c, err := NewCoinbase(coinbaseName, coinbaseHost, SecretOf("a test", []byte(key)))
	require.NoError(t, err)
	return c
}

func TestCoinbase_makesTheExactEdDSAToken(t *testing.T) {
	c := coinbase(t, coinbaseEd)
	tok := string(c.token(nil, "GET", accounts, someTime, [16]byte{}))
	cut := strings.LastIndexByte(tok, '.')
	input, signature := tok[:cut], tok[cut+1:]
	require.Len(t, input, 394)
	sum := sha256.Sum256([]byte(input))
	require.Equal(t, "48b59ec76b60d0b9a4ccec5026a2ac1bd9f3e90c2c7ef87d78e083ce715c7a74", hex.EncodeToString(sum[:]))
	require.Equal(t, "ysF3-KIAYR6HDJntx5jD718Vo9btvfpTiVWnET46LSmTyzuuyXnPCr4Umopm2JjGacRdHOp8Vz6m9KH5EsmzAg", signature)

	seed := unb64(t, coinbaseEd)[:32]
	short := coinbase(t, base64.StdEncoding.EncodeToString(seed))
	require.Equal(t, tok, string(short.token(nil, "GET", accounts, someTime, [16]byte{})))
}

func TestCoinbase_readsThePrivateScalar(t *testing.T) {
	c := coinbase(t, coinbaseEC)
	d, err := c.ec().Bytes()
	require.NoError(t, err)
	require.Equal(t, "ac1fdd4a31df47115b344138fa0f387e69d06a5bd03b7ccd42975043397cc906", hex.EncodeToString(d))
}

func TestCoinbase_makesES256TokensThatVerify(t *testing.T) {
	c := coinbase(t, coinbaseEC)
	tok, err := c.Append([]byte("Bearer "), "POST", orders, someTime+999)
	require.NoError(t, err)
	head, claims := verified(t, c, strings.TrimPrefix(string(tok), "Bearer "))
	require.Regexp(t, `^\{"alg":"ES256","typ":"JWT","kid":"`+coinbaseName+`","nonce":"[0-9a-f]{32}"\}$`, head)
	require.Equal(t, `{"sub":"`+coinbaseName+`","iss":"cdp","nbf":1700000000,"exp":1700000120,"uri":"POST api.coinbase.com/api/v3/brokerage/orders"}`, claims)
	require.True(t, json.Valid([]byte(head)) && json.Valid([]byte(claims)))
}

func TestCoinbase_makesSocketTokensWithoutURI(t *testing.T) {
	for _, key := range []string{coinbaseEC, coinbaseEd} {
		c := coinbase(t, key)
		a, b := string(c.AppendSocket(nil, someTime)), string(c.AppendSocket(nil, someTime))
		require.NotEqual(t, a, b, "each token has a nonce of its own")
		_, claims := verified(t, c, a)
		require.Equal(t, `{"sub":"`+coinbaseName+`","iss":"cdp","nbf":1700000000,"exp":1700000120}`, claims)
	}
}

func TestCoinbase_readsEveryFormOfAKey(t *testing.T) {
	der := unb64(t, coinbaseEC)
	key, err := x509.ParseECPrivateKey(der)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	ed, err := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(unb64(t, coinbaseEd)[:32]))
	require.NoError(t, err)
	sec1 := string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))
	params := string(pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: unhex(t, "06082a8648ce3d030107")}))
	for name, c := range map[string]struct{ text, same string }{
		"SEC1":                  {sec1, coinbaseEC},
		"SEC1, escaped":         {strings.ReplaceAll(sec1, "\n", `\n`), coinbaseEC},
		"SEC1, escaped CR LF":   {strings.ReplaceAll(sec1, "\n", `\r\n`), coinbaseEC},
		"SEC1, CR LF":           {strings.ReplaceAll(sec1, "\n", "\r\n"), coinbaseEC},
		"SEC1 after parameters": {params + sec1, coinbaseEC},
		"PKCS8":                 {string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})), coinbaseEC},
		"PKCS8, bare":           {base64.StdEncoding.EncodeToString(pkcs8), coinbaseEC},
		"Ed25519 PKCS8":         {string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: ed})), coinbaseEd},
		"Ed25519 over lines":    {coinbaseEd[:44] + "\n" + coinbaseEd[44:] + "\n", coinbaseEd},
	} {
		want := coinbase(t, c.same).token(nil, "GET", accounts, someTime, [16]byte{1})
		require.Equal(t, string(want), string(coinbase(t, c.text).token(nil, "GET", accounts, someTime, [16]byte{1})), name)
	}
}

func TestCoinbase_refusesNamesThatBreakItsJSON(t *testing.T) {
	s := SecretOf("a test", []byte(coinbaseEd))
	for _, bad := range []string{"", `a"b`, `a\b`, "a b", "a\nb", "ä"} {
		_, err := NewCoinbase(bad, coinbaseHost, s)
		require.Error(t, err)
		_, err = NewCoinbase(coinbaseName, bad, s)
		require.Error(t, err)
	}
	c := coinbase(t, coinbaseEd)
	for _, r := range []Route{{"", orders}, {"post", orders}, {"POST", ""}, {"POST", "api/v3"}, {"GET", orders + "?limit=1"}, {"GET", "/a#b"}, {"GET", `/a"`}, {"P T", "/a"}} {
		dst, err := c.Append([]byte("kept"), r.Method, r.Path, someTime)
		require.Error(t, err, r)
		require.Equal(t, "kept", string(dst))
	}
}

func TestCoinbase_doesNotSignAfterClose(t *testing.T) {
	for _, key := range []string{coinbaseEC, coinbaseEd} {
		c := coinbase(t, key)
		c.Close()
		require.Panics(t, func() { c.AppendSocket(nil, someTime) })
	}
}

// Source: RFC 6979, appendix A.2.5: P-256 with SHA-256.
func TestES256_agreesWithRFC6979(t *testing.T) {
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), unhex(t, "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721"))
	require.NoError(t, err)
	require.Equal(t, "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
		hex.EncodeToString(appendES256(nil, key, []byte("sample"))))
	require.Equal(t, "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083",
		hex.EncodeToString(appendES256(nil, key, []byte("test"))))
}

// verified checks the signature of a token as a venue would, and returns its header and claims.
func verified(t testing.TB, c *Coinbase, tok string) (head, claims string) {
	t.Helper()
	parts := strings.Split(tok, ".")
	require.Len(t, parts, 3)
	var raw [3][]byte
	for i, p := range parts {
		b, err := base64.RawURLEncoding.DecodeString(p)
		require.NoError(t, err)
		raw[i] = b
	}
	input := []byte(parts[0] + "." + parts[1])
	require.Len(t, raw[2], 64)
	switch k := c.Public().(type) {
	case ed25519.PublicKey:
		require.True(t, ed25519.Verify(k, input, raw[2]))
	case *ecdsa.PublicKey:
		sum := sha256.Sum256(input)
		require.True(t, ecdsa.Verify(k, sum[:], new(big.Int).SetBytes(raw[2][:32]), new(big.Int).SetBytes(raw[2][32:])))
		sum[0] ^= 1
		require.False(t, ecdsa.Verify(k, sum[:], new(big.Int).SetBytes(raw[2][:32]), new(big.Int).SetBytes(raw[2][32:])))
	default:
		t.Fatalf("unexpected key type; got %T", k)
	}
	return string(raw[0]), string(raw[1])
}

func unb64(t testing.TB, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	require.NoError(t, err)
	return b
}
