package tape

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"oneprice/books/venue"
	"oneprice/engine"
)

// Options of a Writer.
type Options struct {
	// Inline: Frame writes to the file itself whenever the ring is full, there is no Run. For backtests and tests.
	Inline bool
	// Cells is the ring's capacity, a power of two. Default 65,536 (4 MiB), or 8,192 for Inline.
	Cells int
	// Poll is how long Run sleeps when the ring is empty. Default 1 ms.
	Poll time.Duration
}

// Writer writes a tape. It is an engine.Tap: Frame on the engine goroutine, Run on one of its own.
type Writer struct {
	inline bool
	poll   time.Duration
	out    io.WriteCloser
	cells  []venue.Event
	mask   uint64

	_        [128]byte
	written  atomic.Uint64 // by Frame
	_        [120]byte
	consumed atomic.Uint64 // by the owner of the file
	_        [120]byte
	next     uint64 // Frame's own written
	seen     uint64 // Frame's last look at consumed
	drains   uint64 // drains put in the ring
	lost     bool   // no drain is put any more

	broken atomic.Uint64 // drains before the first lost one, plus one; 0 while whole. By Frame

	blocks uint64 // of cells, written
	head   [blockBytes]byte
	fault  error // of the file; then nothing more is written
	failed atomic.Bool
}

// Create makes the file of a new tape; one that exists is never overwritten.
func Create(path string, h Header, o Options) (*Writer, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("tape: %w", err)
	}
	w, err := newWriter(f, h, o)
	if err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(path))
	}
	return w, nil
}

func newWriter(out io.WriteCloser, h Header, o Options) (*Writer, error) {
	if o.Cells == 0 {
		o.Cells = 1 << 16
		if o.Inline {
			o.Cells = 1 << 13
		}
	}
	if o.Poll == 0 {
		o.Poll = time.Millisecond
	}
	if o.Cells < 2 || o.Cells&(o.Cells-1) != 0 {
		return nil, fmt.Errorf("tape: the ring's capacity must be a power of two, not %d", o.Cells)
	}
	text, err := h.append(nil)
	if err != nil {
		return nil, err
	}
	if _, err := out.Write(text); err != nil {
		return nil, fmt.Errorf("tape: %w", err)
	}
	return &Writer{inline: o.Inline, poll: o.Poll, out: out, cells: make([]venue.Event, o.Cells), mask: uint64(o.Cells - 1)}, nil
}

// Frame takes one drain. Live, it never blocks: without room for all of it the tape is broken off. Inline, it writes to
// the file when the ring is full. Allocates nothing. The engine goroutine only.
func (w *Writer) Frame(b *engine.Batch) {
	if w.lost || w.failed.Load() {
		w.lose()
		return
	}
	need := uint64(1 + len(b.Events) + reportCells*len(b.Reports))
	if size := uint64(len(w.cells)); !w.inline && w.next+need-w.seen > size {
		w.seen = w.consumed.Load()
		if w.next+need-w.seen > size {
			w.lose()
			return
		}
	}
	w.room()
	setOpening(&w.cells[w.next&w.mask], b.Now, w.drains, len(b.Events), len(b.Reports))
	w.next++
	w.push(b.Events)
	w.push(ofReports(b.Reports))
	w.drains++
	w.written.Store(w.next)
}

// push copies cells into the ring.
func (w *Writer) push(cells []venue.Event) {
	for len(cells) > 0 {
		n := min(w.room(), uint64(len(cells)))
		done := copy(w.cells[w.next&w.mask:], cells[:n])
		copy(w.cells, cells[done:n])
		w.next += n
		cells = cells[n:]
	}
}

// room is how many cells fit now, at least one: Frame has made sure of it, or inline the ring is written out here.
func (w *Writer) room() uint64 {
	size := uint64(len(w.cells))
	if w.inline && w.next-w.seen == size {
		w.written.Store(w.next)
		w.write()
		w.seen = w.consumed.Load()
	}
	return size - (w.next - w.seen)
}

// lose notes that the tape ends before this drain.
func (w *Writer) lose() {
	if !w.lost {
		w.lost = true
		w.broken.Store(w.drains + 1)
	}
}

// Broken reports whether drains were lost. Any goroutine.
func (w *Writer) Broken() bool { return w.broken.Load() != 0 || w.failed.Load() }

// Drains is how many drains the ring has taken. The engine goroutine only.
func (w *Writer) Drains() uint64 { return w.drains }

// Run writes until ctx ends, then what is left. A disk that fails breaks the tape off, and Run returns. Not for Inline.
func (w *Writer) Run(ctx context.Context) error {
	timer := time.NewTimer(w.poll)
	defer timer.Stop()
	for {
		ended := ctx.Err() != nil // looked at before the ring, so that its last cells are seen
		w.write()
		if ended || w.fault != nil {
			return w.fault
		}
		select {
		case <-ctx.Done():
		case <-timer.C:
			timer.Reset(w.poll)
		}
	}
}

// write moves everything in the ring to the file. After a fault it only makes room.
func (w *Writer) write() {
	for {
		c := w.consumed.Load()
		n := min(w.written.Load()-c, uint64(len(w.cells))-c&w.mask, blockCells)
		if n == 0 {
			return
		}
		from := c & w.mask
		w.block(block{blockOfCells, uint32(n) * uint32(cellBytes), w.blocks}, bytesOf(w.cells[from:from+n]))
		w.blocks++
		w.consumed.Store(c + n)
	}
}

func (w *Writer) block(b block, payload []byte) {
	if w.fault != nil {
		return
	}
	b.put(&w.head, payload)
	_, err := w.out.Write(w.head[:])
	if err == nil && len(payload) > 0 {
		_, err = w.out.Write(payload)
	}
	if err != nil {
		w.fault = fmt.Errorf("tape: %w", err)
		w.failed.Store(true)
	}
}

// Close writes what is left and the closing mark, and makes the file durable. Frame and Run must have ended. The error is
// that of the file, now or before; a tape that lost drains for lack of room closes without error and is marked.
func (w *Writer) Close() error {
	w.write()
	if lost := w.broken.Load(); lost != 0 {
		w.block(block{kind: blockBroken, number: lost - 1}, nil)
	} else {
		w.block(block{kind: blockEnd, number: w.drains}, nil)
	}
	err := w.fault
	if s, ok := w.out.(interface{ Sync() error }); ok && err == nil {
		if e := s.Sync(); e != nil {
			err = fmt.Errorf("tape: %w", e)
		}
	}
	if e := w.out.Close(); e != nil {
		err = errors.Join(err, fmt.Errorf("tape: %w", e))
	}
	return err
}
