package sign

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"
)

// Source: RFC 4231, sections 4.2 to 4.8 (case 5, a truncated tag, compares its first 16 bytes).
func TestHMAC_agreesWithRFC4231(t *testing.T) {
	cases := []struct{ key, data, sum256, sum512 string }{
		{"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
			"b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
			"87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854"},
		{"4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
			"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
			"164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"},
		{repeat("aa", 20), repeat("dd", 50),
			"773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
			"fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39bf3e848279a722c806b485a47e67c807b946a337bee8942674278859e13292fb"},
		{"0102030405060708090a0b0c0d0e0f10111213141516171819", repeat("cd", 50),
			"82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
			"b0ba465637458c6990e5a8c5f61d4af7e576d97ff94b872de76f8050361ee3dba91ca5c11aa25eb4d679275cc5788063a5f19741120c4f2de2adebeb10a298dd"},
		{repeat("0c", 20), hex.EncodeToString([]byte("Test With Truncation")),
			"a3b6167473100ee06e0c796c2955552b", "415fad6271580a531d4179bc891d87a6"},
		{repeat("aa", 131), hex.EncodeToString([]byte("Test Using Larger Than Block-Size Key - Hash Key First")),
			"60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
			"80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598"},
		{repeat("aa", 131), hex.EncodeToString([]byte("This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm.")),
			"9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
			"e37b6a775dc87dbaa4dfa9f96e5e3ffddebd71f8867289865df5a32d20cdc944b6022cac3c4982b10d5eeb55c3e4de15134676fb6de0446065c97440fa8c6a58"},
	}
	for _, c := range cases {
		key, data := unhex(t, c.key), unhex(t, c.data)
		require.Equal(t, c.sum256, string(NewHMAC256(key).AppendHex(nil, data))[:len(c.sum256)])
		require.Equal(t, c.sum512, string(NewHMAC512(key).AppendHex(nil, data))[:len(c.sum512)])
	}
}

func TestHMAC_agreesWithTheStandardLibraryForEveryLength(t *testing.T) {
	text := bytes.Repeat([]byte("price is a promise; "), 20)
	for n := range 300 {
		key, data := text[:n/2+1], text[:n]
		m, o := NewHMAC256(key), hmac.New(sha256.New, key)
		m.Append(nil, []byte("an earlier message leaves no trace"))
		o.Write(data)
		want := o.Sum(nil)
		require.Equal(t, append([]byte("x"), want...), m.Append([]byte("x"), data))
		require.Equal(t, base64.StdEncoding.EncodeToString(want), string(m.AppendBase64(nil, data)))
		require.Equal(t, 32, m.Size())

		m, o = NewHMAC512(key), hmac.New(sha512.New, key)
		o.Write(data)
		require.Equal(t, o.Sum(nil), m.Append(nil, data))
		require.Equal(t, o.Sum(nil), m.of(data[:n/3], data[n/3:]))
		require.Equal(t, 64, m.Size())
	}
}

func TestHMAC_allocatesNothing(t *testing.T) {
	m, k := NewHMAC256([]byte("key")), NewHMAC512([]byte("key"))
	data, dst := make([]byte, 250), make([]byte, 0, 256)
	require.Zero(t, testing.AllocsPerRun(200, func() {
		dst = m.Append(dst[:0], data)
		dst = m.AppendHex(dst, data)
		dst = k.AppendBase64(dst, data)
	}))
}

func TestHMAC_refusesToSignAfterClose(t *testing.T) {
	m := NewHMAC256([]byte("key"))
	m.Close()
	require.Equal(t, make([]byte, len(m.k().inner)), m.k().inner)
	require.Panics(t, func() { m.Append(nil, []byte("x")) })
}

func repeat(s string, n int) string { return string(bytes.Repeat([]byte(s), n)) }

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}
