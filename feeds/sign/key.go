package sign

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"
)

// Ed25519 signs with one Ed25519 key (RFC 8032). Safe for use by many goroutines until Close.
type Ed25519 struct {
	hidden
	key func() ed25519.PrivateKey // at one address for life, by which crypto/ed25519 finds what it prepared
}

func newEd25519(key ed25519.PrivateKey) *Ed25519 {
	own := append(ed25519.PrivateKey(nil), key...)
	return &Ed25519{key: func() ed25519.PrivateKey { return own }}
}

// ParseEd25519 reads a private key: PKCS8 as PEM or as bare base64, or the base64 of the 32-byte seed, alone or followed
// by the 32-byte public key. The error is a *KeyError.
func ParseEd25519(s Secret) (*Ed25519, error) {
	ed, ec, err := parseKey(s)
	if err == nil && ec != nil {
		return nil, s.fault("it is an elliptic-curve key (P-256)", "make an Ed25519 key at the venue")
	}
	return ed, err
}

// Append appends the raw signature of message, 64 bytes, to dst.
func (e *Ed25519) Append(dst, message []byte) []byte {
	return append(dst, ed25519.Sign(e.key(), message)...)
}

// AppendBase64 appends the signature of message to dst in standard base64, padded.
func (e *Ed25519) AppendBase64(dst, message []byte) []byte {
	return base64.StdEncoding.AppendEncode(dst, ed25519.Sign(e.key(), message))
}

// Public returns the public key.
func (e *Ed25519) Public() ed25519.PublicKey {
	return append(ed25519.PublicKey(nil), e.key()[ed25519.SeedSize:]...)
}

// Close overwrites the key; later signatures panic. The cleared key is dropped as well, because zeros would sign too.
func (e *Ed25519) Close() {
	if e.key != nil {
		clear(e.key())
		e.key = nil
	}
}

// parseKey reads whatever private key a venue hands out; one of the two results is set.
func parseKey(s Secret) (*Ed25519, *ecdsa.PrivateKey, error) {
	text := s.Reveal()
	if len(text) == 0 {
		return nil, nil, s.fault("there is no key", "load it from env:NAME or file:PATH")
	}
	if isPEM(text) {
		return parsePEM(s, text)
	}
	raw := decode64(text)
	defer clear(raw)
	switch len(raw) {
	case 0:
		return nil, nil, s.fault("it is neither PEM nor base64", "copy the whole private key as the venue showed it")
	case ed25519.SeedSize:
		key := ed25519.NewKeyFromSeed(raw)
		defer clear(key)
		return newEd25519(key), nil, nil
	case ed25519.PrivateKeySize:
		key := ed25519.NewKeyFromSeed(raw[:ed25519.SeedSize])
		defer clear(key)
		if !bytes.Equal(key, raw) {
			return nil, nil, s.fault("its public half does not belong to its private half", "copy the key again; this one is damaged")
		}
		return newEd25519(key), nil, nil
	}
	return parseDER(s, raw)
}

func isPEM(text []byte) bool { return bytes.Contains(text, []byte("-----BEGIN")) }

// parsePEM reads the first block that is a key. Environment variables often carry line ends as the two characters \n.
func parsePEM(s Secret, text []byte) (*Ed25519, *ecdsa.PrivateKey, error) {
	text = bytes.ReplaceAll(text, []byte(`\r`), nil)
	plain := bytes.ReplaceAll(text, []byte(`\n`), []byte("\n"))
	clear(text)
	defer clear(plain)
	for rest := plain; ; {
		var b *pem.Block
		b, rest = pem.Decode(rest)
		if b == nil {
			return nil, nil, s.fault("its PEM text has no complete private key", `copy all lines from -----BEGIN to -----END; line ends may be written as \n`)
		}
		defer clear(b.Bytes)
		if strings.HasPrefix(b.Type, "ENCRYPTED") || strings.Contains(b.Headers["Proc-Type"], "ENCRYPTED") {
			return nil, nil, s.fault("the private key is encrypted with a passphrase",
				"decrypt it into a file of its own (openssl pkey -in OLD -out NEW) and run: chmod 600 NEW")
		}
		switch b.Type {
		case "EC PARAMETERS": // openssl writes the name of the curve ahead of the key
		case "PRIVATE KEY", "EC PRIVATE KEY":
			return parseDER(s, b.Bytes)
		case "RSA PRIVATE KEY":
			return nil, nil, s.fault("it is an RSA key", "make an Ed25519 key at the venue")
		default:
			return nil, nil, s.fault("its PEM text is no private key but another thing", "copy the private key, not the public key or a certificate")
		}
	}
}

// parseDER reads PKCS8 or SEC1.
func parseDER(s Secret, der []byte) (*Ed25519, *ecdsa.PrivateKey, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		ec, sec1 := x509.ParseECPrivateKey(der)
		if sec1 != nil {
			// The parsers' own words are left out: they are no help to the operator, and might quote the key.
			return nil, nil, s.fault("it is no private key that we can read", "copy the whole key again; Ed25519 (PKCS8) and P-256 (PKCS8, SEC1) are read")
		}
		key = ec
	}
	switch k := key.(type) {
	case ed25519.PrivateKey:
		defer clear(k)
		return newEd25519(k), nil, nil
	case *ecdsa.PrivateKey:
		if k.Curve != elliptic.P256() {
			return nil, nil, s.fault("its curve is "+k.Curve.Params().Name+", not P-256", "make an Ed25519 or P-256 key at the venue")
		}
		return nil, k, nil
	}
	return nil, nil, s.fault("it is a key of another kind (RSA or X25519)", "make an Ed25519 key at the venue")
}

// decode64 decodes standard base64 that may contain line ends; nil where it is none.
func decode64(text []byte) []byte {
	out := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Decode(out, text)
	if err != nil {
		clear(out)
		return nil
	}
	return out[:n]
}
