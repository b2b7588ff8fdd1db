package sign

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding"
	"encoding/base64"
	"encoding/hex"
	"hash"
)

// keyed is what the standard library's SHA-2 digests are beneath hash.Hash: their state can be saved and put back.
type keyed interface {
	hash.Hash
	encoding.BinaryUnmarshaler
	encoding.BinaryAppender
}

// HMAC signs with one key (RFC 2104) by SHA-256 or SHA-512. The two blocks that depend only on the key are hashed once, by
// the constructor, and their states are kept: a signature then costs the message plus one block, where crypto/hmac.New
// costs two blocks more and several allocations.
//
// An HMAC belongs to one goroutine at a time. Its methods do not allocate as long as dst has room.
type HMAC struct {
	hidden
	k    func() *keyState
	size int
}

type keyState struct {
	digest keyed
	inner  []byte // saved state after key xor 0x36…
	outer  []byte // saved state after key xor 0x5c…
	sum    [sha512.Size]byte
}

// NewHMAC256 prepares HMAC-SHA256 for key, of any length; it keeps no reference to key.
func NewHMAC256(key []byte) *HMAC { return newHMAC(sha256.New(), key) }

// NewHMAC512 prepares HMAC-SHA512 for key, of any length; it keeps no reference to key.
func NewHMAC512(key []byte) *HMAC { return newHMAC(sha512.New(), key) }

func newHMAC(h hash.Hash, key []byte) *HMAC {
	k := &keyState{digest: h.(keyed)}
	block := make([]byte, h.BlockSize())
	defer clear(block)
	if len(key) > len(block) {
		h.Write(key)
		h.Sum(block[:0])
	} else {
		copy(block, key)
	}
	k.inner = k.after(block, 0x36)
	k.outer = k.after(block, 0x36^0x5c) // block holds key xor 0x36 by now
	return &HMAC{k: func() *keyState { return k }, size: h.Size()}
}

// after xors every byte of block with x and returns the state of a fresh digest that has hashed it.
func (k *keyState) after(block []byte, x byte) []byte {
	for i := range block {
		block[i] ^= x
	}
	k.digest.Reset()
	k.digest.Write(block)
	state, err := k.digest.AppendBinary(nil)
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
	return m.appendBase64(dst, message, nil)
}

func (m *HMAC) appendBase64(dst, a, b []byte) []byte {
	return base64.StdEncoding.AppendEncode(dst, m.of(a, b))
}

// of returns the signature of a followed by b; the result is valid until the next call.
func (m *HMAC) of(a, b []byte) []byte {
	k := m.k()
	k.restore(k.inner)
	k.digest.Write(a)
	if len(b) > 0 {
		k.digest.Write(b)
	}
	s := k.digest.Sum(k.sum[:0])
	k.restore(k.outer)
	k.digest.Write(s)
	return k.digest.Sum(k.sum[:0])
}

func (k *keyState) restore(state []byte) {
	if err := k.digest.UnmarshalBinary(state); err != nil {
		panic("sign: a key state is unusable; was the signer closed? " + err.Error())
	}
}

// Close overwrites the prepared states; later signatures panic.
func (m *HMAC) Close() {
	k := m.k()
	clear(k.inner)
	clear(k.outer)
	clear(k.sum[:])
	k.digest.Reset()
}
