package sign

import (
	"bytes"
	"crypto/ed25519"
)

// Binance signs requests to Binance (spot and USD-M, REST and WebSocket API) by the kind of key at hand: HMAC-SHA256 in
// hexadecimal, or Ed25519 in base64, which the session logon demands. It belongs to one goroutine at a time.
//
// Source: Binance Spot REST and WebSocket API, "Request security"; since 2026-01-15 REST payloads are signed after
// percent-encoding.
type Binance struct {
	hidden
	mac *HMAC
	ed  *Ed25519
}

// The venue's HMAC secrets are 64 letters and digits. What is far longer is meant to be a private key, and so is what begins
// as every Ed25519 key in the plain form of PKCS8 does in base64; a damaged one must not pass for an HMAC secret.
const secretLong = 128

var derHead = []byte("MC4CAQAwBQYDK2Vw")

// NewBinance prepares the private key or HMAC secret s. An Ed25519 key is PKCS8, as PEM or as bare base64. The error is a
// *KeyError.
func NewBinance(s Secret) (*Binance, error) {
	text := s.Reveal()
	switch {
	case len(text) == 0:
		return nil, s.fault("there is no key", "load it from env:NAME or file:PATH")
	case isPEM(text), bytes.HasPrefix(text, derHead), len(text) > secretLong:
		ed, err := ParseEd25519(s)
		if err != nil {
			return nil, err
		}
		return &Binance{ed: ed}, nil
	case bytes.ContainsAny(text, " \t\r\n"):
		return nil, s.fault("it holds white space, which no HMAC secret does", "store the secret alone, without its name")
	}
	return &Binance{mac: NewHMAC256(text)}, nil
}

// Session reports whether the key can log on to a WebSocket session, after which orders carry no signature.
func (b *Binance) Session() bool { return b.ed != nil }

// Public returns the public key of an Ed25519 key, nil for an HMAC secret.
func (b *Binance) Public() ed25519.PublicKey {
	if b.ed == nil {
		return nil
	}
	return b.ed.Public()
}

// Append appends the signature of payload as it stands in a JSON value: for the WebSocket API, where payload is what
// AppendParams makes.
func (b *Binance) Append(dst, payload []byte) []byte {
	if b.mac != nil {
		return b.mac.AppendHex(dst, payload)
	}
	return b.ed.AppendBase64(dst, payload)
}

// AppendREST appends the signature of payload as it stands in a query or form, percent-encoded. payload is the query
// string followed at once by the body, in the order sent, its values percent-encoded already; "signature" comes after it.
func (b *Binance) AppendREST(dst, payload []byte) []byte {
	if b.mac != nil {
		return b.mac.AppendHex(dst, payload)
	}
	var text [88]byte
	return AppendEscaped(dst, b.ed.AppendBase64(text[:0], payload))
}

// Close overwrites the key; later signatures panic.
func (b *Binance) Close() {
	if b.mac != nil {
		b.mac.Close()
	}
	if b.ed != nil {
		b.ed.Close()
	}
}

// Param is one named value of a request, in raw UTF-8.
type Param struct{ Name, Value string }

// AppendParams appends the payload that a WebSocket API request signs: every parameter except signature, apiKey
// included, sorted by the bytes of its name, name=value joined by &, without percent-encoding. It sorts params in place.
func AppendParams(dst []byte, params []Param) []byte {
	for i := 1; i < len(params); i++ { // an order has about ten, mostly in order
		for j := i; j > 0 && params[j].Name < params[j-1].Name; j-- {
			params[j], params[j-1] = params[j-1], params[j]
		}
	}
	start := len(dst)
	for _, p := range params {
		if p.Name == "signature" {
			continue
		}
		if len(dst) > start {
			dst = append(dst, '&')
		}
		dst = append(dst, p.Name...)
		dst = append(dst, '=')
		dst = append(dst, p.Value...)
	}
	return dst
}

// AppendEscaped appends text with every byte percent-encoded that is not unreserved in RFC 3986, section 2.3.
func AppendEscaped(dst, text []byte) []byte {
	const digits = "0123456789ABCDEF"
	for _, c := range text {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '.', c == '_', c == '~':
			dst = append(dst, c)
		default:
			dst = append(dst, '%', digits[c>>4], digits[c&15])
		}
	}
	return dst
}
