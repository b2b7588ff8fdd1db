package sign

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding"
	"encoding/base64"
	"encoding/hex"
	"hash"
)

// keyed is what the standard library's SHA-2 digests are beneath hash.Hash:
// their state can be saved and put back.
type keyed interface {
	hash.Hash
	encoding.BinaryUnmarshaler
	encoding.BinaryAppender
}

// HMAC signs with one key (RFC 2104) by SHA-256 or SHA-512. The two blocks that
// depend only on the key are hashed once, by the constructor, and their states
// are kept: a signature then costs the message plus one block, where
// crypto/hmac.New costs three blocks more and several allocations.
//
// An HMAC belongs to one goroutine at a time. Its methods do not allocate as
// long as dst has room.
type HMAC struct {
	digest keyed
	inner  []byte // saved state after key xor 0x36…
	outer  []byte // saved state after key xor 0x5c…
	sum    [sha512.Size]byte
	size   int
}

// NewHMAC256 prepares HMAC-SHA256 for key, of any length; it keeps no reference to key.
func NewHMAC256(key []byte) *HMAC { return newHMAC(sha256.New(), key) }

// NewHMAC512 prepares HMAC-SHA512 for key, of any length; it keeps no reference to key.
func NewHMAC512(key []byte) *HMAC { return newHMAC(sha512.New(), key) }

func newHMAC(h hash.Hash, key []byte) *HMAC {
	m := &HMAC{digest: h.(keyed), size: h.Size()}
	block := make([]byte, h.BlockSize())
	defer clear(block)
	if len(key) > len(block) {
		h.Write(key)
		h.Sum(block[:0])
	} else {
		copy(block, key)
	}
	m.inner = m.after(block, 0x36)
	m.outer = m.after(block, 0x36^0x5c) // block holds key xor 0x36 by now
	return m
}

// after xors every byte of block with x and returns the state of a fresh digest
// that has hashed it.
func (m *HMAC) after(block []byte, x byte) []byte {
	for i := range block {
		block[i] ^= x
	}
	m.digest.Reset()
	m.digest.Write(block)
	state, err := m.digest.AppendBinary(nil)
	if err != nil {
		panic("sign: a digest cannot save its state: " + err.Error())
	}
	return state
}

// Size returns the length of a signature in bytes: 32 or 64.
func (m *HMAC) Size() int { return m.size }

// Append appends the raw signature of message to dst.
func (m *HMAC) Append(dst, message []byte) []byte {
	return append(dst, m.of(message, nil)...)
}

// AppendHex appends the signature of message to dst in lower-case hexadecimal.
func (m *HMAC) AppendHex(dst, message []byte) []byte {
	return hex.AppendEncode(dst, m.of(message, nil))
}

// AppendBase64 appends the signature of message to dst in standard base64, padded.
func (m *HMAC) AppendBase64(dst, message []byte) []byte {
	return base64.StdEncoding.AppendEncode(dst, m.of(message, nil))
}

// of returns the signature of a followed by b; the result is valid until the next call.
func (m *HMAC) of(a, b []byte) []byte {
	m.restore(m.inner)
	m.digest.Write(a)
	if len(b) > 0 {
		m.digest.Write(b)
	}
	s := m.digest.Sum(m.sum[:0])
	m.restore(m.outer)
	m.digest.Write(s)
	return m.digest.Sum(m.sum[:0])
}

func (m *HMAC) restore(state []byte) {
	if err := m.digest.UnmarshalBinary(state); err != nil {
		panic("sign: a prepared key state is unusable: " + err.Error())
	}
}

// Close overwrites the prepared states; later signatures panic.
func (m *HMAC) Close() {
	clear(m.inner)
	clear(m.outer)
	clear(m.sum[:])
	m.digest.Reset()
}
