package audit

import (
	"crypto/sha256"
	"hash"
)

// clientBits is the width of the sequence in a client id; the epoch above it differs from run to run.
const clientBits = 40

// Digest is one number for what an engine decided: the SHA-256 of its decisions, plans, orders, reports and naked
// positions in order. Two runs over the same input have the same, wherever, whenever and as whichever session they ran:
// sequence and configuration numbers, and the epoch within a client id, are left out.
type Digest struct {
	h   hash.Hash
	buf []byte
}

// NewDigest makes the digest of nothing.
func NewDigest() *Digest { return &Digest{h: sha256.New(), buf: make([]byte, 0, 64*recordSize)} }

// Add appends records. Kinds that state no decision are skipped.
func (d *Digest) Add(records []Record) {
	const sequence = 1<<clientBits - 1
	for i := range records {
		r := &records[i]
		switch r.Kind {
		case Decision, Planned, Leg, Order, Reported, Naked:
		default:
			continue
		}
		c := *r
		c.Seq, c.Config = 0, 0
		c.Client, c.Target = c.Client&sequence, c.Target&sequence
		if d.buf = append(d.buf, c.bytes()...); len(d.buf) == cap(d.buf) {
			d.flush()
		}
	}
}

func (d *Digest) flush() {
	d.h.Write(d.buf)
	d.buf = d.buf[:0]
}

// Sum is the digest of everything added so far.
func (d *Digest) Sum() (sum [sha256.Size]byte) {
	d.flush()
	d.h.Sum(sum[:0])
	return sum
}
