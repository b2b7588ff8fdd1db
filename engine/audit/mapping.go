package audit

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The ring file: one page of header, the session as JSON rounded up to whole pages, the records.
//
//	0 magic · 8 version · 16 record size · 24 capacity · 32 epoch · 40 session bytes · 48 CRC-32C of header and session
//	1024 written · 2048 consumed
const (
	ringName = "ring"
	lockName = "lock"

	ringMagic   = 0x3172746964756131 // "1auditr1"
	ringVersion = 1
	page        = 4096
	offWritten  = 1024
	offConsumed = 2048
	headerBytes = 48
)

const recordSize = int(unsafe.Sizeof(Record{}))

// A record never straddles a page, so a lost machine leaves whole records or none.
var _ [0]byte = [page % recordSize]byte{}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// lockDir takes the folder for this process; a killed one leaves it free.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("audit: lock: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close() // nothing was written
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("audit: %s is in use by another engine", dir)
		}
		return nil, fmt.Errorf("audit: lock %s: %w", dir, err)
	}
	return f, nil
}

// inUse reports whether an engine holds the folder.
func inUse(dir string) (bool, error) {
	f, err := os.Open(filepath.Join(dir, lockName))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("audit: lock: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	_ = f.Close() // gives a shared lock back
	if errors.Is(err, unix.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}

// createRing makes an empty ring for a session beside the old one and then takes its place, so that a killed process
// leaves the one or the other whole.
func createRing(path string, capacity int, s *session, free uint64) (_ *Ring, err error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("audit: ring: %w", err)
	}
	size := page + pages(len(text)) + capacity*recordSize
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("audit: ring: %w", err)
	}
	defer func() {
		_ = f.Close() // the mapping keeps the file
		if err != nil {
			_ = os.Remove(tmp) // the error at hand is the one to report
		}
	}()
	if err := reserve(f, size, free); err != nil {
		return nil, err
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("audit: map %s: %w", path, err)
	}
	first := page + pages(len(text))
	touch(mem[first:]) // the blocks of a file that was only reserved are made ready here
	le := binary.LittleEndian
	for i, v := range []uint64{ringMagic, ringVersion, uint64(recordSize), uint64(capacity), s.Epoch, uint64(len(text))} {
		le.PutUint64(mem[8*i:], v)
	}
	copy(mem[page:], text)
	le.PutUint32(mem[headerBytes:], headerSum(mem, len(text)))
	if err := f.Sync(); err != nil {
		return nil, errors.Join(fmt.Errorf("audit: ring: %w", err), unix.Munmap(mem))
	}
	if err := os.Rename(tmp, path); err != nil {
		return nil, errors.Join(fmt.Errorf("audit: ring: %w", err), unix.Munmap(mem))
	}
	touch(mem[first:]) // Sync has taken the pages' write permission: fault them in again, here and not under an order
	return overlay(mem, first, capacity), nil
}

// touch writes to every page of empty memory.
func touch(mem []byte) {
	for i := 0; i < len(mem); i += page {
		mem[i] = 0
	}
}

// reserve makes sure of the file's blocks. Where the file system cannot, they are written.
func reserve(f *os.File, size int, free uint64) error {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &st); err != nil {
		return fmt.Errorf("audit: ring: free space: %w", err)
	}
	// fallocate promises nothing on a copy-on-write file system, hence the look.
	if have := st.Bavail * uint64(st.Bsize); have < uint64(size)+free {
		return fmt.Errorf("audit: ring: %w: %d MiB are free at %s, the ring takes %d and %d must remain", unix.ENOSPC, have>>20,
			filepath.Dir(f.Name()), (size+1<<20-1)>>20, free>>20)
	}
	err := unix.Fallocate(int(f.Fd()), 0, 0, int64(size))
	if errors.Is(err, unix.EOPNOTSUPP) {
		zero := make([]byte, 1<<20)
		for at := 0; at < size; at += len(zero) {
			if _, werr := f.WriteAt(zero[:min(len(zero), size-at)], int64(at)); werr != nil {
				return fmt.Errorf("audit: ring: reserve %d bytes: %w", size, werr)
			}
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("audit: ring: reserve %d bytes: %w", size, err)
	}
	return nil
}

// openRing maps the ring that a session left; nil when there is none.
func openRing(path string) (*Ring, *session, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("audit: ring: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, nil, fmt.Errorf("audit: ring: %w", err)
	}
	size := int(st.Size())
	if size < page {
		return nil, nil, fmt.Errorf("audit: %s is cut short", path)
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, nil, fmt.Errorf("audit: map %s: %w", path, err)
	}
	r, s, err := adopt(mem)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("audit: %s: %w", path, err), unix.Munmap(mem))
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
	if text > uint64(len(mem)) || capacity > uint64(len(mem)) || len(mem) != page+pages(int(text))+int(capacity)*recordSize {
		return nil, nil, errors.New("the file's size does not match its header")
	}
	if headerSum(mem, int(text)) != binary.LittleEndian.Uint32(mem[headerBytes:]) {
		return nil, nil, errors.New("the header is damaged")
	}
	var s session
	if err := json.Unmarshal(mem[page:page+text], &s); err != nil {
		return nil, nil, fmt.Errorf("session: %w", err)
	}
	r := overlay(mem, page+pages(int(text)), int(capacity))
	if w, c := r.written.Load(), r.consumed.Load(); c > w || w-c > capacity {
		return nil, nil, fmt.Errorf("the indices are damaged: %d written, %d consumed", w, c)
	}
	return r, &s, nil
}

func headerSum(mem []byte, text int) uint32 {
	return crc32.Update(crc32.Checksum(mem[:headerBytes], castagnoli), castagnoli, mem[page:page+text])
}

func pages(n int) int { return (n + page - 1) / page * page }

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
	return unix.Munmap(mem)
}
