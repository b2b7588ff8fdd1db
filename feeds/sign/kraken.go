package sign

import (
	"crypto/sha256"
	"hash"
	"math"
	"sync/atomic"

	"oneprice/books/venue"
)

// Kraken signs private REST requests (API-Sign) and the challenge of the futures socket. It belongs to one goroutine at a
// time.
//
// Source: Kraken REST, "Authentication"; Kraken Futures WebSocket, "Sign challenge".
type Kraken struct {
	hidden
	mac *HMAC
	sha hash.Hash
	sum [sha256.Size]byte
}

// NewKraken prepares the private key s, which is base64. The error is a *KeyError.
func NewKraken(s Secret) (*Kraken, error) {
	text := s.Reveal()
	if len(text) == 0 {
		return nil, s.fault("there is no key", "load it from env:NAME or file:PATH")
	}
	raw := decode64(text)
	defer clear(raw)
	if len(raw) < 32 { // the venue's have 64 bytes or more
		return nil, s.fault("it is not the base64 of a private key", "copy the whole private key (not the API key) as the venue showed it")
	}
	return &Kraken{mac: NewHMAC512(raw), sha: sha256.New()}, nil
}

// Append appends the API-Sign of a request: base64 of HMAC-SHA512 over path and SHA-256 of nonce and body. path begins
// with /0/private/; nonce is the text that body holds too; body is the form or JSON exactly as sent.
func (k *Kraken) Append(dst, path, nonce, body []byte) []byte {
	k.sha.Reset()
	k.sha.Write(nonce)
	k.sha.Write(body)
	return k.mac.appendBase64(dst, path, k.sha.Sum(k.sum[:0]))
}

// AppendChallenge appends the signature of a futures socket's challenge.
func (k *Kraken) AppendChallenge(dst, challenge []byte) []byte {
	return k.Append(dst, nil, challenge, nil)
}

// Close overwrites the key; later signatures panic.
func (k *Kraken) Close() { k.mac.Close() }

// Nonces hands out one key's nonces: microseconds of UTC, and always more than the one before. The venue remembers the
// highest it saw, so a key serves one process. Its zero value is ready; safe for use by many goroutines.
//
// Nonces given out in order can still arrive out of order over several connections; the venue then refuses the lower one.
type Nonces struct{ last atomic.Uint64 }

// Next returns the next nonce at the instant now. It panics when all 64 bits are used up, which only a wrong Raise can do.
func (n *Nonces) Next(now venue.Nanos) uint64 {
	at := uint64(max(now, 0) / venue.Microsecond)
	for {
		last := n.last.Load()
		if last == math.MaxUint64 {
			panic("sign: the nonces of this key are used up")
		}
		if next := max(at, last+1); n.last.CompareAndSwap(last, next) {
			return next
		}
	}
}

// Raise makes all later nonces higher than seen: after the venue refused a nonce, or from a record of an earlier run.
func (n *Nonces) Raise(seen uint64) {
	for {
		last := n.last.Load()
		if last >= seen || n.last.CompareAndSwap(last, seen) {
			return
		}
	}
}
