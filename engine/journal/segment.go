package journal

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"unsafe"

	"oneprice/books/venue"
	"oneprice/engine/mapped"
)

// A file: one page of header, the session as JSON rounded up to whole pages, the records.
//
//	0 magic · 8 version · 16 capacity · 24 number · 32 first record · 40 epoch · 48 session bytes · 56 CRC-32C of header and session
//	1024 durable record · 1032 durable instant
const (
	prefix      = "journal-"
	magic       = 0x316c6e72756f6a31 // "1journl1"
	version     = 1
	headerWords = 7
	headerBytes = 8 * headerWords
	offDurable  = 1024
)

// file is one of a folder's.
type file struct {
	number, first uint64
	records       int // valid ones
}

func (f file) path(dir string) string { return filepath.Join(dir, nameOf(f.number)) }

func nameOf(number uint64) string { return fmt.Sprintf("%s%06d", prefix, number) }

// segment is a mapped file. Its cells are written by the engine, the rest by Run.
type segment struct {
	file
	mem   []byte
	cells []record
	head  int // bytes before the cells
}

// session is what every file says of the run that wrote it: what its numbers mean.
type session struct {
	Epoch       uint64       `json:"epoch"`
	Fingerprint uint64       `json:"fingerprint"`
	Venues      []string     `json:"venues"`
	Currencies  []string     `json:"currencies"`
	Instruments []instrument `json:"instruments"`
}

type instrument struct {
	Name       string `json:"name"`
	PriceScale uint8  `json:"price_scale"`
	QtyScale   uint8  `json:"qty_scale"`
}

func newSession(epoch uint64, c *Config) *session {
	s := &session{epoch, c.Fingerprint, c.Venues, c.Currencies, make([]instrument, len(c.Instruments))}
	for i, in := range c.Instruments {
		if in != nil {
			s.Instruments[i] = instrument{in.Name, in.PriceScale, in.QtyScale}
		}
	}
	return s
}

func (s *session) text() ([]byte, error) {
	b, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("journal: session: %w", err)
	}
	return b, nil
}

func (s *session) instrument(i venue.Inst) (instrument, bool) {
	if i == 0 || int(i) >= len(s.Instruments) || s.Instruments[i].Name == "" {
		return instrument{}, false
	}
	return s.Instruments[i], true
}

// nameAt is the name of number i; false when the session has none.
func nameAt(table []string, i int) (string, bool) {
	if i <= 0 || i >= len(table) || table[i] == "" {
		return "", false
	}
	return table[i], true
}

// create makes a file and maps it.
func (j *Journal) create(number, first uint64) (*segment, error) {
	head := make([]byte, mapped.Page+len(j.names))
	for i, v := range []uint64{magic, version, uint64(j.cfg.Capacity), number, first, j.epoch, uint64(len(j.names))} {
		binary.NativeEndian.PutUint64(head[8*i:], v)
	}
	copy(head[mapped.Page:], j.names)
	binary.NativeEndian.PutUint32(head[headerBytes:], headerSum(head, len(j.names)))
	s := &segment{file: file{number: number, first: first}, head: mapped.Pages(len(head))}
	var err error
	if s.mem, err = mapped.Create(s.path(j.cfg.Dir), head, s.head+j.cfg.Capacity*recordBytes, j.cfg.FreeBytesMin); err != nil {
		return nil, fmt.Errorf("journal: %s: %w", nameOf(number), err)
	}
	s.cells = unsafe.Slice((*record)(unsafe.Pointer(&s.mem[s.head])), j.cfg.Capacity)
	j.segs = append(j.segs, s)
	if err := mapped.SyncDir(j.cfg.Dir); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	return s, nil
}

func headerSum(b []byte, text int) uint32 {
	return crc32.Update(crc32.Checksum(b[:headerBytes], castagnoli), castagnoli, b[mapped.Page:mapped.Page+text])
}

// end is the number behind the last record that fits.
func (s *segment) end() uint64 { return s.first + uint64(len(s.cells)) }

// sync makes the records from one number to another durable, and leaves the page at work as the engine wants it.
func (s *segment) sync(from, to uint64) error {
	from, to = max(from, s.first), min(to, s.end())
	if from >= to {
		return nil
	}
	a, b := s.head+int(from-s.first)*recordBytes, s.head+int(to-s.first)*recordBytes
	if err := mapped.Sync(s.mem, a, b); err != nil {
		return fmt.Errorf("journal: sync %s: %w", nameOf(s.number), err)
	}
	if b%mapped.Page != 0 { // adds nothing to a record that is complete: a store faults its page in
		atomic.AddUint32(&s.cells[to-1-s.first].Sum, 0)
	}
	return nil
}

// state publishes in the file up to where it is durable. It reaches the disk later: a lost machine finds an older one.
func (s *segment) state(seq uint64, at venue.Nanos) {
	atomic.StoreUint64((*uint64)(unsafe.Pointer(&s.mem[offDurable])), seq)
	atomic.StoreInt64((*int64)(unsafe.Pointer(&s.mem[offDurable+8])), int64(at))
}

// layout is a file's header.
type layout struct {
	file
	capacity   int
	head       int // bytes before the records
	epoch      uint64
	names      *session
	durable    uint64
	durableAt  venue.Nanos
	lastRecord int // index of the last valid record; -1 for none
}

// parse reads a file's header. Whatever the bytes, it answers a layout that lies within them, or an error.
func parse(b []byte) (layout, error) {
	l := layout{lastRecord: -1}
	if len(b) < mapped.Page {
		return l, errors.New("cut short")
	}
	var w [headerWords]uint64
	for i := range w {
		w[i] = binary.NativeEndian.Uint64(b[8*i:])
	}
	if w[0] != magic {
		return l, errors.New("not a journal")
	}
	if w[1] != version {
		return l, fmt.Errorf("version %d; this program reads %d", w[1], version)
	}
	n, text := uint64(len(b)), w[6]
	if w[2] > n/recordBytes || text > n-mapped.Page || uint64(mapped.Page+mapped.Pages(int(text)))+w[2]*recordBytes != n {
		return l, errors.New("its size is not the header's")
	}
	if headerSum(b, int(text)) != binary.NativeEndian.Uint32(b[headerBytes:]) {
		return l, errors.New("the header is damaged")
	}
	l.names = new(session)
	if err := json.Unmarshal(b[mapped.Page:mapped.Page+text], l.names); err != nil {
		return l, fmt.Errorf("session: %w", err)
	}
	l.capacity, l.number, l.first, l.epoch = int(w[2]), w[3], w[4], w[5]
	l.head = mapped.Page + mapped.Pages(int(text))
	l.durable = binary.NativeEndian.Uint64(b[offDurable:])
	l.durableAt = venue.Nanos(binary.NativeEndian.Uint64(b[offDurable+8:]))
	return l, nil
}

// files lists the journal's files of a folder by number. One missing in between is an error.
func files(dir string) ([]uint64, error) {
	es, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	var out []uint64
	for _, e := range es {
		var n uint64
		if _, err := fmt.Sscanf(e.Name(), prefix+"%d", &n); err == nil && e.Name() == nameOf(n) {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	for i := 1; i < len(out); i++ {
		if out[i] != out[i-1]+1 {
			return nil, fmt.Errorf("journal: %s: %s is missing; %s", dir, nameOf(out[i-1]+1), advice)
		}
	}
	return out, nil
}
