package tape

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"oneprice/books/venue"
	"oneprice/engine"
)

// drainMax bounds what one drain may claim to hold, so that damage cannot ask for all memory.
const drainMax = 1 << 20

// Reader reads a tape drain by drain. One goroutine.
type Reader struct {
	in     *bufio.Reader
	close  func() error
	header Header
	offset int64 // of the block that comes next
	at     int64 // of the block that cells came from
	blocks uint64
	drains uint64
	buf    []venue.Event
	cells  []venue.Event // what is left of buf
	end    error         // why no block comes any more
}

// Open opens a tape and reads its header.
func Open(path string) (*Reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("tape: %w", err)
	}
	r, err := NewReader(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	r.close = f.Close
	return r, nil
}

// NewReader reads a tape's header from in.
func NewReader(in io.Reader) (*Reader, error) {
	r := &Reader{in: bufio.NewReaderSize(in, 1<<20), buf: make([]venue.Event, blockCells), close: func() error { return nil }}
	var err error
	r.header, r.offset, err = readHeader(r.in)
	return r, err
}

// Header returns what the tape says of its session.
func (r *Reader) Header() *Header { return &r.header }

// Drains is the number of drains returned so far.
func (r *Reader) Drains() uint64 { return r.drains }

// Close closes the file that Open opened.
func (r *Reader) Close() error { return r.close() }

// Next fills b with the next drain, in b's own memory. At the end of a whole tape it answers io.EOF; else an *Error that
// is ErrTorn, ErrBroken or ErrCorrupt, after every sound drain. b is then undefined.
func (r *Reader) Next(b *engine.Batch) error {
	b.Events, b.Reports = b.Events[:0], b.Reports[:0]
	if len(r.cells) == 0 {
		if err := r.load(); err != nil {
			return err // between two drains: also the good end
		}
	}
	open := r.cells[0]
	if open.Kind != opening || open.Seq != r.drains {
		return r.corrupt(r.at, fmt.Sprintf("drain %d does not begin where it should", r.drains))
	}
	events, reports := open.W[1], open.W[2]
	if events < 0 || events > drainMax || reports < 0 || reports > drainMax {
		return r.corrupt(r.at, fmt.Sprintf("drain %d has an impossible size", r.drains))
	}
	r.cells = r.cells[1:]
	b.Now = venue.Nanos(open.W[0])
	var err error
	if b.Events, err = r.take(b.Events, int(events)); err != nil {
		return err
	}
	if cap(b.Reports) < int(reports) {
		b.Reports = make([]venue.Report, 0, reports)
	}
	b.Reports = b.Reports[:reports]
	into := ofReports(b.Reports)
	if _, err = r.take(into[:0], len(into)); err != nil {
		return err
	}
	r.drains++
	return nil
}

// take appends n cells to dst.
func (r *Reader) take(dst []venue.Event, n int) ([]venue.Event, error) {
	for n > 0 {
		if len(r.cells) == 0 {
			if err := r.load(); err == io.EOF {
				return dst, r.corrupt(r.at, fmt.Sprintf("the tape is closed within drain %d", r.drains))
			} else if err != nil {
				return dst, err
			}
		}
		k := min(n, len(r.cells))
		dst = append(dst, r.cells[:k]...)
		r.cells, n = r.cells[k:], n-k
	}
	return dst, nil
}

func (r *Reader) corrupt(at int64, what string) error {
	r.cells = nil
	r.end = &Error{Offset: at, Drain: r.drains, Kind: ErrCorrupt, What: what}
	return r.end
}

// load reads the next block of cells.
func (r *Reader) load() error {
	if r.end != nil {
		return r.end
	}
	r.end = r.read()
	return r.end
}

func (r *Reader) read() error {
	r.at = r.offset
	var head [blockBytes]byte
	if _, err := io.ReadFull(r.in, head[:]); err != nil {
		return r.ended(err)
	}
	var b block
	if what := b.parse(&head); what != "" {
		return r.corrupt(r.at, what)
	}
	cells := r.buf[:int(b.bytes)/cellBytes]
	if _, err := io.ReadFull(r.in, bytesOf(cells)); err != nil {
		return r.ended(err)
	}
	if !sound(&head, bytesOf(cells)) {
		return r.corrupt(r.at, "the checksum is wrong")
	}
	r.offset += int64(blockBytes) + int64(b.bytes)
	switch {
	case b.kind == blockEnd && b.number == r.drains:
		return io.EOF
	case b.kind == blockBroken && b.number == r.drains:
		return &Error{Offset: r.at, Drain: r.drains, Kind: ErrBroken}
	case b.kind == blockOfCells && b.number == r.blocks && b.bytes > 0:
		r.blocks++
		r.cells = cells
		return nil
	}
	return r.corrupt(r.at, fmt.Sprintf("block %d does not belong here", b.number))
}

// ended turns an early end of the file into ErrTorn.
func (r *Reader) ended(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return &Error{Offset: r.at, Drain: r.drains, Kind: ErrTorn}
	}
	return fmt.Errorf("tape: %w", err)
}
