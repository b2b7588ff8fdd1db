package sign

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"math/big"
	"strconv"

	"oneprice/books/venue"
)

// TokenLife is how long a token of Coinbase is good for.
const TokenLife = 120 * venue.Second

// Coinbase makes the JSON web tokens that authorise requests at Coinbase: ES256 from a P-256 key, EdDSA from an Ed25519
// key. A token costs tens of microseconds: see Pool. Safe for use by many goroutines until Close.
//
// Source: coinbase-advanced-py, jwt_generator.py; RFC 7515, RFC 7518 section 3.4, RFC 8037.
type Coinbase struct {
	hidden
	ed   *Ed25519
	ec   func() *ecdsa.PrivateKey
	name string // of the key, as it stands in JSON
	host string
}

// NewCoinbase prepares the private key s of the key that is called name (organizations/…/apiKeys/…), for requests to
// host, such as api.coinbase.com. The kind is told by the key: P-256 as SEC1 or PKCS8, Ed25519 as PKCS8 or as the base64
// of 32 or 64 bytes. The error is a *KeyError.
func NewCoinbase(name, host string, s Secret) (*Coinbase, error) {
	if name == "" || !plain(name) {
		return nil, &KeyError{"it is empty or holds quotes, spaces or control characters", "the name of Coinbase's key", "copy it as the venue shows it: organizations/…/apiKeys/…"}
	}
	if host == "" || !plain(host) {
		return nil, &KeyError{"it is empty or holds quotes, spaces or control characters", "the host of Coinbase's REST", "use api.coinbase.com"}
	}
	ed, ec, err := parseKey(s)
	if err != nil {
		return nil, err
	}
	return &Coinbase{ed: ed, ec: func() *ecdsa.PrivateKey { return ec }, name: name, host: host}, nil
}

// Append appends a token for one REST request at the instant now. path has no host and no query:
// /api/v3/brokerage/orders. It fails on a method or path that is none.
func (c *Coinbase) Append(dst []byte, method, path string, now venue.Nanos) ([]byte, error) {
	if err := checkRoute(method, path); err != nil {
		return dst, err
	}
	return c.token(dst, method, path, now, fresh()), nil
}

// AppendSocket appends a token for one message to a socket at the instant now. Each message wants a token of its own.
func (c *Coinbase) AppendSocket(dst []byte, now venue.Nanos) []byte {
	return c.token(dst, "", "", now, fresh())
}

// Public returns the public key: ed25519.PublicKey or *ecdsa.PublicKey.
func (c *Coinbase) Public() crypto.PublicKey {
	if c.ed != nil {
		return c.ed.Public()
	}
	return &c.ec().PublicKey
}

// Close overwrites an Ed25519 key and lets go of a P-256 key, whose numbers Go does not let us overwrite; later tokens
// panic.
func (c *Coinbase) Close() {
	if c.ed != nil {
		c.ed.Close()
	}
	c.ec = nil
}

// fresh returns a new nonce. crypto/rand does not fail: it ends the process instead.
func fresh() (n [16]byte) {
	_, _ = rand.Read(n[:])
	return n
}

// token appends header.claims.signature, each in unpadded base64url; keys are in the order of the venue's own client.
func (c *Coinbase) token(dst []byte, method, path string, now venue.Nanos, nonce [16]byte) []byte {
	buf := make([]byte, 0, 512)
	if c.ed != nil {
		buf = append(buf, `{"alg":"EdDSA","typ":"JWT","kid":"`...)
	} else {
		buf = append(buf, `{"alg":"ES256","typ":"JWT","kid":"`...)
	}
	buf = append(append(buf, c.name...), `","nonce":"`...)
	buf = append(hex.AppendEncode(buf, nonce[:]), `"}`...)

	start := len(dst)
	dst = base64.RawURLEncoding.AppendEncode(dst, buf)

	second := int64(now / venue.Second)
	buf = append(append(buf[:0], `{"sub":"`...), c.name...)
	buf = strconv.AppendInt(append(buf, `","iss":"cdp","nbf":`...), second, 10)
	buf = strconv.AppendInt(append(buf, `,"exp":`...), second+int64(TokenLife/venue.Second), 10)
	if method != "" {
		buf = append(append(buf, `,"uri":"`...), method...)
		buf = append(append(buf, ' '), c.host...)
		buf = append(append(buf, path...), '"')
	}
	buf = append(buf, '}')
	dst = base64.RawURLEncoding.AppendEncode(append(dst, '.'), buf)

	if c.ed != nil {
		buf = c.ed.Append(buf[:0], dst[start:])
	} else {
		buf = appendES256(buf[:0], c.ec(), dst[start:])
	}
	return base64.RawURLEncoding.AppendEncode(append(dst, '.'), buf)
}

// appendES256 appends r and s, 32 bytes each, of the deterministic signature (RFC 6979) of message.
func appendES256(dst []byte, key *ecdsa.PrivateKey, message []byte) []byte {
	digest := sha256.Sum256(message)
	der, err := key.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		panic("sign: a P-256 key does not sign: " + err.Error())
	}
	var rs struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &rs); err != nil {
		panic("sign: a signature of our own is malformed: " + err.Error())
	}
	var raw [64]byte
	rs.R.FillBytes(raw[:32])
	rs.S.FillBytes(raw[32:])
	return append(dst, raw[:]...)
}

// checkRoute refuses what would make a wrong uri claim, or break out of its quotes.
func checkRoute(method, path string) error {
	for _, r := range method {
		if r < 'A' || r > 'Z' {
			return errors.New("sign: the method of a token is written in capitals, such as POST")
		}
	}
	if method == "" || len(path) == 0 || path[0] != '/' || !plain(path) {
		return errors.New("sign: a token needs a method and a path that begins with / and holds no quotes or spaces")
	}
	for _, r := range path {
		if r == '?' || r == '#' {
			return errors.New("sign: the path of a token has no query; cut it off at the question mark")
		}
	}
	return nil
}

// plain reports whether text stands in JSON as it is: printable ASCII without quotes, backslashes and spaces.
func plain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}
