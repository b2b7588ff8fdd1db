// Package tape writes down all that Step reads, and gives it back: drain by drain, each with its clock value, events and
// reports in the order seen. A replay feeds the drains to Step and must come to the same decisions.
//
// Ownership: the engine goroutine owns Writer.Frame. Live, the goroutine of Writer.Run owns the file; Inline, the engine
// goroutine owns both. A Reader belongs to one goroutine.
//
// Decisions
//   - 2026-11-25: the file holds the records as they lie in memory, in cells of 64 bytes, in the machine's byte order,
//     which the magic betrays. Encoding them field by field would cost more than the whole write.
//   - 2026-11-25: blocks end wherever the writer found the ring empty, also within a drain: the reader joins cells, so
//     nothing of a killed process is lost but what was not yet read from the ring.
//   - 2026-11-25: a full ring or a failing disk ends a live tape with a mark that names the first missing drain. Trading
//     goes on; a tape with a hole would replay to other decisions, so nothing follows the mark.
//   - 2026-11-25: a backtest writes inline, from a ring that stays in the cache, when the ring is full: no second thread,
//     no waiting.
package tape

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// Header is what a tape says of its session, before the first drain.
type Header struct {
	// Build identifies the binary, Config is the configuration as it was given (YAML).
	Build  string
	Config []byte
	// Meta is the caller's: the instrument table and whatever else a replay must restore.
	Meta []byte
}

// Errors of a Reader; an *Error says where. Each comes after every sound drain before it has been returned.
var (
	// ErrTorn: the file ends without its closing mark, as a killed process leaves it.
	ErrTorn = errors.New("the tape ends without its closing mark")
	// ErrBroken: the writer lost drains, because its ring was full or the disk failed, and ended the tape.
	ErrBroken = errors.New("the tape was broken off by its writer")
	// ErrCorrupt: bytes are not as they were written.
	ErrCorrupt = errors.New("the tape is corrupt")
)

// Error is one of the above at a place. Use errors.Is for the kind.
type Error struct {
	// Offset is that of the block concerned in the file, Drain the number of sound drains before.
	Offset int64
	Drain  uint64
	Kind   error
	What   string
}

func (e *Error) Error() string {
	text := fmt.Sprintf("tape: %v: block at byte %d, after %d drains", e.Kind, e.Offset, e.Drain)
	if e.What != "" {
		text += ": " + e.What
	}
	return text
}

func (e *Error) Unwrap() error { return e.Kind }

// The file: a head of 40 bytes (little-endian but for the magic), build, config, meta, then blocks.
//
//	head:  0 magic · 8 version · 12 cell bytes · 16 build, 20 config, 24 meta bytes · 28 zero · 32 CRC-32C of all · 36 zero
//	block: 0 magic · 4 kind · 8 payload bytes · 12 CRC-32C of the other fields and the payload · 16 number · payload
const (
	fileMagic  = 0x31657061_7430706f // "op0tape1"
	version    = 1
	headBytes  = 40
	headSumAt  = 32
	blockMagic = 0x4b4c4231 // "1BLK"
	blockBytes = 24
	blockSumAt = 12

	// blockCells bounds a block: what one write and one checksum cover.
	blockCells = 4096
	// textMax bounds each of the header's texts, so that a damaged length cannot ask for all memory.
	textMax = 64 << 20
)

// Kinds of block. The number of a cells block counts blocks from 0; that of the others is the number of drains.
const (
	blockOfCells uint32 = iota + 1
	blockBroken
	blockEnd
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// append writes the header.
func (h *Header) append(dst []byte) ([]byte, error) {
	for _, n := range []int{len(h.Build), len(h.Config), len(h.Meta)} {
		if n > textMax {
			return nil, fmt.Errorf("tape: %d bytes of header text; at most %d fit", n, textMax)
		}
	}
	le := binary.LittleEndian
	dst = binary.NativeEndian.AppendUint64(dst, fileMagic)
	for _, v := range []int{version, cellBytes, len(h.Build), len(h.Config), len(h.Meta), 0, 0, 0} {
		dst = le.AppendUint32(dst, uint32(v))
	}
	dst = append(dst, h.Build...)
	dst = append(dst, h.Config...)
	dst = append(dst, h.Meta...)
	le.PutUint32(dst[headSumAt:], crc32.Checksum(dst, castagnoli))
	return dst, nil
}

// readHeader reads a header and reports how many bytes it took.
func readHeader(r io.Reader) (Header, int64, error) {
	var h Header
	head := make([]byte, headBytes)
	if _, err := io.ReadFull(r, head); err != nil {
		return h, 0, fmt.Errorf("tape: header: %w", err)
	}
	le := binary.LittleEndian
	if binary.NativeEndian.Uint64(head) != fileMagic {
		return h, 0, errors.New("tape: not a tape")
	}
	if v, c := le.Uint32(head[8:]), le.Uint32(head[12:]); v != version || c != uint32(cellBytes) {
		return h, 0, fmt.Errorf("tape: version %d with cells of %d bytes; this program reads version %d with %d", v, c, version, cellBytes)
	}
	build, config, meta := int(le.Uint32(head[16:])), int(le.Uint32(head[20:])), int(le.Uint32(head[24:]))
	if max(build, config, meta) > textMax {
		return h, 0, &Error{Kind: ErrCorrupt, What: "the header's lengths are out of range"}
	}
	text := make([]byte, build+config+meta)
	if _, err := io.ReadFull(r, text); err != nil {
		return h, 0, fmt.Errorf("tape: header: %w", err)
	}
	sum := le.Uint32(head[headSumAt:])
	le.PutUint32(head[headSumAt:], 0)
	if crc32.Update(crc32.Checksum(head, castagnoli), castagnoli, text) != sum {
		return h, 0, &Error{Kind: ErrCorrupt, What: "the header's checksum is wrong"}
	}
	h.Build, h.Config, h.Meta = string(text[:build]), text[build:build+config], text[build+config:]
	return h, int64(headBytes + len(text)), nil
}

// block is a block's head.
type block struct {
	kind, bytes uint32
	number      uint64
}

// put writes the head of a block with this payload into dst.
func (b *block) put(dst *[blockBytes]byte, payload []byte) {
	le := binary.LittleEndian
	le.PutUint32(dst[0:], blockMagic)
	le.PutUint32(dst[4:], b.kind)
	le.PutUint32(dst[8:], b.bytes)
	le.PutUint32(dst[blockSumAt:], 0)
	le.PutUint64(dst[16:], b.number)
	le.PutUint32(dst[blockSumAt:], crc32.Update(crc32.Checksum(dst[:], castagnoli), castagnoli, payload))
}

// parse reads the head of a block; "" when it makes sense.
func (b *block) parse(src *[blockBytes]byte) string {
	le := binary.LittleEndian
	b.kind, b.bytes, b.number = le.Uint32(src[4:]), le.Uint32(src[8:]), le.Uint64(src[16:])
	switch {
	case le.Uint32(src[0:]) != blockMagic:
		return "no block begins here"
	case b.kind < blockOfCells || b.kind > blockEnd:
		return "unknown kind of block"
	case b.bytes > blockCells*uint32(cellBytes) || b.bytes%uint32(cellBytes) != 0:
		return "impossible size"
	}
	return ""
}

// sound reports whether head and payload carry their checksum.
func sound(head *[blockBytes]byte, payload []byte) bool {
	le := binary.LittleEndian
	sum := le.Uint32(head[blockSumAt:])
	bare := *head
	le.PutUint32(bare[blockSumAt:], 0)
	return crc32.Update(crc32.Checksum(bare[:], castagnoli), castagnoli, payload) == sum
}
