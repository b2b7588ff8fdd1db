package sign

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The venue's published example keys (REST and WebSocket API pages; FIX page for Ed25519).
const (
	binanceID     = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
	binanceSecret = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
	binanceDER    = "MC4CAQAwBQYDK2VwBCIEIIJEYWtGBrhACmb9Dvy+qa8WEf0lQOl1s4CLIAB9m89u"
	wideDigits    = "１２３４５６" // six full-width digits
)

func binance(t testing.TB, key string) *Binance {
	t.Helper()
	b, err := NewBinance(SecretOf("a test", []byte(key)))
	require.NoError(t, err)
	return b
}

func TestBinance_signsTheVenuesRESTExamples(t *testing.T) {
	b := binance(t, binanceSecret)
	require.False(t, b.Session())
	require.Nil(t, b.Public())
	const rest = "&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559"

	r1 := []byte("symbol=LTCBTC" + rest)
	require.Equal(t, "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71", string(b.AppendREST(nil, r1)))

	r2 := append(AppendEscaped([]byte("symbol="), []byte(wideDigits)), rest...)
	require.Equal(t, "symbol=%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96"+rest, string(r2))
	require.Equal(t, "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3", string(b.AppendREST(nil, r2)))
}

func TestBinance_signsTheVenuesWebSocketExamples(t *testing.T) {
	b := binance(t, binanceSecret)
	w1 := []Param{{"symbol", "BTCUSDT"}, {"side", "SELL"}, {"type", "LIMIT"}, {"timeInForce", "GTC"}, {"quantity", "0.01000000"},
		{"price", "52000.00"}, {"recvWindow", "100"}, {"timestamp", "1645423376532"}, {"signature", "left out"}, {"apiKey", binanceID}}
	payload := AppendParams(nil, w1)
	require.Equal(t, "apiKey="+binanceID+"&price=52000.00&quantity=0.01000000&recvWindow=100&side=SELL&symbol=BTCUSDT&timeInForce=GTC&timestamp=1645423376532&type=LIMIT", string(payload))
	require.Equal(t, "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24", string(b.Append(nil, payload)))

	w2 := []Param{{"symbol", wideDigits}, {"side", "BUY"}, {"type", "LIMIT"}, {"timeInForce", "GTC"}, {"quantity", "1.00000000"},
		{"price", "0.10000000"}, {"recvWindow", "5000"}, {"timestamp", "1645423376532"}, {"apiKey", binanceID}}
	require.Equal(t, "b33892ae8e687c939f4468c6268ddd4c40ac1af18ad19a064864c47bae0752cd", string(b.Append(nil, AppendParams(nil, w2))))
}

func TestBinance_signsWithEd25519(t *testing.T) {
	b := binance(t, binanceDER)
	require.True(t, b.Session())
	public, err := x509.MarshalPKIXPublicKey(b.Public())
	require.NoError(t, err)
	require.Equal(t, "MCowBQYDK2VwAyEAGUIKv9dSpWXBViXp2m6vAIb8QMFJYBgyFEQsFJlqgA0=", base64.StdEncoding.EncodeToString(public))

	e1 := []byte("A\x01EXAMPLE\x01SPOT\x011\x0120240627-11:17:25.223")
	want := "4MHXelVVcpkdwuLbl6n73HQUXUf1dse2PCgT1DYqW9w8AVZ1RACFGM+5UdlGPrQHrgtS3CvsRURC1oj73j8gCA=="
	require.Equal(t, want, string(b.Append(nil, e1)))
	require.Equal(t, url.QueryEscape(want), string(b.AppendREST(nil, e1)))

	e2 := AppendParams(nil, []Param{{"timestamp", "1649729878532"}, {"apiKey", "sBRXrJx2DsOraMXOaUovEhgVRcjOvCtQwnWj8VxkOh1xqboS02SPGfKi2h8spZJb"}})
	require.Equal(t, "QkxRSX10rV71REvvMibSfvHCKvHoDFDweKdzKXhHhcKIGkHoZPXAPVNsZYgJtf0CuKIm+cVrCqO07JHjZCVpAg==", string(b.Append(nil, e2)))

	pem := binance(t, "-----BEGIN PRIVATE KEY-----\n"+binanceDER+"\n-----END PRIVATE KEY-----\n")
	require.Equal(t, want, string(pem.Append(nil, e1)))
}

func TestAppendEscaped_isReadBackByTheStandardLibrary(t *testing.T) {
	var all []byte
	for c := range 256 {
		all = append(all, byte(c))
	}
	text := string(AppendEscaped(nil, all))
	back, err := url.QueryUnescape(text)
	require.NoError(t, err)
	require.Equal(t, string(all), back)
	require.Equal(t, "-._~AZaz09%20%2B%26%3D%2F", string(AppendEscaped(nil, []byte("-._~AZaz09 +&=/"))))
	require.NotContains(t, text, "+")
}

func TestAppendParams_sortsAnyOrder(t *testing.T) {
	names := strings.Split("apiKey cancelRestrictions newClientOrderId price quantity recvWindow side symbol timestamp type", " ")
	for shift := range names {
		var ps []Param
		for i := range names {
			ps = append(ps, Param{names[(i*3+shift)%len(names)], "v"})
		}
		require.Equal(t, strings.Join(names, "=v&")+"=v", string(AppendParams(nil, ps)))
	}
	require.Equal(t, "x", string(AppendParams([]byte("x"), nil)))
}

func TestBinance_refusesWhatIsNoKeyOfIts(t *testing.T) {
	for text, say := range map[string]string{
		"":                                "there is no key",
		"key=" + binanceSecret + "\nid=x": "white space",
		binanceDER[:40]:                   "no private key that we can read",
		"-----BEGIN PRIVATE KEY-----\n" + binanceDER + "\n": "no complete private key",
		coinbaseEC:                "elliptic-curve",
		strings.Repeat("A1b", 60): "no private key that we can read",
	} {
		_, err := NewBinance(SecretOf("file /keys/b", []byte(text)))
		var k *KeyError
		require.ErrorAs(t, err, &k)
		require.Equal(t, "file /keys/b", k.Where)
		require.Contains(t, k.What, say)
		require.NotEmpty(t, k.Do)
	}
}

func TestBinance_allocatesNothing(t *testing.T) {
	dst, payload := make([]byte, 0, 1024), make([]byte, 250)
	mac, ed := binance(t, binanceSecret), binance(t, binanceDER)
	params := []Param{{"timestamp", "1649729878532"}, {"symbol", "BTCUSDT"}, {"apiKey", binanceID}}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		dst = mac.Append(AppendParams(dst[:0], params), payload)
		dst = mac.AppendREST(dst, payload)
	}))
	require.Zero(t, testing.AllocsPerRun(20, func() {
		dst = ed.Append(dst[:0], payload)
		dst = ed.AppendREST(dst, payload)
	}))
}

func TestBinance_doesNotSignAfterClose(t *testing.T) {
	for _, key := range []string{binanceSecret, binanceDER} {
		b := binance(t, key)
		b.Close()
		require.Panics(t, func() { b.Append(nil, []byte("x")) })
	}
}

// Source: RFC 8032, section 7.1: tests 1, 2, 3 and SHA(abc).
func TestEd25519_agreesWithRFC8032(t *testing.T) {
	for _, c := range []struct{ seed, public, message, signature string }{
		{"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
			"e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
		{"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
			"92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
		{"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
			"6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
		{"833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42", "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
			"ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
			"dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"},
	} {
		seed := base64.StdEncoding.EncodeToString(unhex(t, c.seed))
		e, err := ParseEd25519(SecretOf("RFC 8032", []byte(seed)))
		require.NoError(t, err)
		require.Equal(t, ed25519.PublicKey(unhex(t, c.public)), e.Public())
		require.Equal(t, unhex(t, c.signature), e.Append(nil, unhex(t, c.message)))
	}
}

// Source: RFC 8037, appendix A.4: the key of RFC 8032's test 1 signs a JWS.
func TestEd25519_agreesWithRFC8037(t *testing.T) {
	seed := base64.StdEncoding.EncodeToString(unhex(t, "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
	e, err := ParseEd25519(SecretOf("RFC 8037", []byte(seed)))
	require.NoError(t, err)
	got := e.Append(nil, []byte("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"))
	require.Equal(t, "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg", base64.RawURLEncoding.EncodeToString(got))
}
