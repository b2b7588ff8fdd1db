package coinbasesim

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"oneprice/books/venue"
)

// tokenLife is the longest that a token may be good for.
const tokenLife = 120

// claims are the parts of a token that are looked at.
type claims struct {
	Sub string `json:"sub"`
	Iss string `json:"iss"`
	Nbf int64  `json:"nbf"`
	Exp int64  `json:"exp"`
	URI string `json:"uri"`
}

type header struct {
	Alg   string `json:"alg"`
	Typ   string `json:"typ"`
	Kid   string `json:"kid"`
	Nonce string `json:"nonce"`
}

// verify checks a JSON web token against the public key of the account that it names, for one request (uri is "METHOD
// host/path") or, with an empty uri, for a socket. The error says what is wrong; the venue itself says 401 and no more.
func (s *Sim) verify(token, uri string, now venue.Nanos) (*account, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, errors.New("not three segments")
	}
	var h header
	var c claims
	if err := segment(parts[0], &h); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	if err := segment(parts[1], &c); err != nil {
		return nil, fmt.Errorf("claims: %w", err)
	}
	signature, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err != nil {
		return nil, fmt.Errorf("signature: %w", err)
	}
	a := s.account(h.Kid)
	second := int64(now / venue.Second)
	switch {
	case a == nil:
		return nil, errors.New("unknown key")
	case h.Typ != "JWT" || h.Nonce == "":
		return nil, errors.New("no type or no nonce")
	case c.Sub != h.Kid || c.Iss != "cdp":
		return nil, errors.New("wrong subject or issuer")
	case c.Nbf > second || c.Exp <= second || c.Exp-c.Nbf > tokenLife:
		return nil, errors.New("not valid now")
	case c.URI != uri:
		return nil, fmt.Errorf("made for %q, not %q", c.URI, uri)
	case !signed(a.Public, h.Alg, parts[0]+"."+parts[1], signature):
		return nil, errors.New("wrong signature")
	}
	return a, nil
}

// segment reads one part of a token. A field that is not known is refused: it would be one that the venue does not look at.
func segment(text string, to any) error {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode(to)
}

// signed checks a signature: r and s of 32 bytes each for ES256, 64 bytes for EdDSA.
func signed(key crypto.PublicKey, alg, message string, sig []byte) bool {
	if len(sig) != 64 {
		return false
	}
	switch k := key.(type) {
	case ed25519.PublicKey:
		return alg == "EdDSA" && ed25519.Verify(k, []byte(message), sig)
	case *ecdsa.PublicKey:
		digest := sha256.Sum256([]byte(message))
		return alg == "ES256" && ecdsa.Verify(k, digest[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:]))
	}
	return false
}
