package audit

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"sync/atomic"
	"unsafe"

	"oneprice/engine/mapped"
)

// The ring file: one page of header, the session as JSON rounded up to whole pages, the records.
//
//	0 magic · 8 version · 16 record size · 24 capacity · 32 epoch · 40 session bytes · 48 CRC-32C of header and session
//	1024 written · 2048 consumed
const (
	ringName = "ring"

	ringMagic   = 0x3172746964756131 // "1auditr1"
	ringVersion = 1
	page        = mapped.Page
	offWritten  = 1024
	offConsumed = 2048
	headerBytes = 48
)

const recordSize = int(unsafe.Sizeof(Record{}))

// A record never straddles a page, so a lost machine leaves whole records or none.
var _ [0]byte = [page % recordSize]byte{}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// createRing makes an empty ring for a session and puts it in the place of the old one.
func createRing(path string, capacity int, s *session, free uint64) (*Ring, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("audit: ring: %w", err)
	}
	head := make([]byte, page+len(text))
	le := binary.LittleEndian
	for i, v := range []uint64{ringMagic, ringVersion, uint64(recordSize), uint64(capacity), s.Epoch, uint64(len(text))} {
		le.PutUint64(head[8*i:], v)
	}
	copy(head[page:], text)
	le.PutUint32(head[headerBytes:], headerSum(head, len(text)))
	first := mapped.Pages(len(head))
	mem, err := mapped.Create(path, head, first+capacity*recordSize, free)
	if err != nil {
		return nil, fmt.Errorf("audit: ring: %w", err)
	}
	return overlay(mem, first, capacity), nil
}

// openRing maps the ring that a session left; nil when there is none.
func openRing(path string) (*Ring, *session, error) {
	mem, err := mapped.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("audit: ring: %w", err)
	}
	r, s, err := adopt(mem)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("audit: %s: %w", path, err), mapped.Unmap(mem))
	}
	return r, s, nil
}

// adopt checks a mapped file's header and overlays a ring on it.
func adopt(mem []byte) (*Ring, *session, error) {
	var h [6]uint64
	for i := range h {
		h[i] = binary.LittleEndian.Uint64(mem[8*i:])
	}
	capacity, text := h[3], h[5]
	if h[0] != ringMagic {
		return nil, nil, errors.New("not an audit ring")
	}
	if h[1] != ringVersion || h[2] != uint64(recordSize) {
		return nil, nil, fmt.Errorf("version %d with records of %d bytes; this program reads version %d with %d", h[1], h[2], ringVersion, recordSize)
	}
	if text > uint64(len(mem)) || capacity > uint64(len(mem)) || len(mem) != page+mapped.Pages(int(text))+int(capacity)*recordSize {
		return nil, nil, errors.New("the file's size does not match its header")
	}
	if headerSum(mem, int(text)) != binary.LittleEndian.Uint32(mem[headerBytes:]) {
		return nil, nil, errors.New("the header is damaged")
	}
	var s session
	if err := json.Unmarshal(mem[page:page+text], &s); err != nil {
		return nil, nil, fmt.Errorf("session: %w", err)
	}
	r := overlay(mem, page+mapped.Pages(int(text)), int(capacity))
	if w, c := r.written.Load(), r.consumed.Load(); c > w || w-c > capacity {
		return nil, nil, fmt.Errorf("the indices are damaged: %d written, %d consumed", w, c)
	}
	return r, &s, nil
}

func headerSum(mem []byte, text int) uint32 {
	return crc32.Update(crc32.Checksum(mem[:headerBytes], castagnoli), castagnoli, mem[page:page+text])
}

// overlay lays the ring over memory whose records begin at off. mem must be aligned to 64 bytes and outlive the ring.
func overlay(mem []byte, off, capacity int) *Ring {
	r := &Ring{
		mem:      mem,
		cells:    unsafe.Slice((*Record)(unsafe.Pointer(&mem[off])), capacity),
		mask:     uint64(capacity - 1),
		written:  (*atomic.Uint64)(unsafe.Pointer(&mem[offWritten])),
		consumed: (*atomic.Uint64)(unsafe.Pointer(&mem[offConsumed])),
	}
	r.next, r.seen = r.written.Load(), r.consumed.Load()
	return r
}

// bytes is the record as it lies in memory; it has no padding.
func (r *Record) bytes() []byte { return unsafe.Slice((*byte)(unsafe.Pointer(r)), recordSize) }

// unmap ends the ring: later Puts find no room.
func (r *Ring) unmap() error {
	mem := r.mem
	if mem == nil {
		return nil
	}
	r.cells, r.mem = nil, nil
	r.written, r.consumed = new(atomic.Uint64), new(atomic.Uint64)
	return mapped.Unmap(mem)
}
