package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"oneprice/engine/mapped"
)

const (
	// batch bounds one commit: what one write, one fsync and one head cover.
	batch = 4096
	// closing is what follows a line's body: `,"chain":"` + hex + `"}` + newline.
	chainKey = `,"chain":"`
	chainEnd = "\"}\n"
	closing  = len(chainKey) + 2*sha256.Size + len(chainEnd)
)

// file is what the Writer needs of one. *os.File opened for appending is it; tests fill the disk.
type file interface {
	Write([]byte) (int, error)
	Sync() error
	Truncate(int64) error
	Close() error
}

// Writer is the cold side: it turns records into chained lines. One goroutine.
type Writer struct {
	dir       string
	ring      *Ring
	format    *Formatter
	digest    *Digest
	sum       joiner
	buf       []byte
	head      Head // as published
	chain     link // of head
	file      file // the open day file, named by name and sealed to day
	name      string
	day       int64
	cut       bool // file may hold more than head counts: cut it back first
	nosync    bool
	poll      time.Duration
	fault     func(error)
	recovered Recovered
	epoch     uint64
	lock      *os.File
	open      func(path string) (file, error)
}

// newWriter makes the writer that goes on after h.
func newWriter(dir string, r *Ring, s *session, h Head) (*Writer, error) {
	chain, err := h.link()
	if err != nil {
		return nil, err
	}
	f, err := newFormatter(s)
	if err != nil {
		return nil, err
	}
	return &Writer{dir: dir, ring: r, format: f, digest: NewDigest(), head: h, chain: chain, epoch: s.Epoch,
		poll: defaultPoll, open: openFile}, nil
}

func openFile(path string) (file, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
}

// Epoch is the session's number.
func (w *Writer) Epoch() uint64 { return w.epoch }

// Recovered says what Open found of the session before.
func (w *Writer) Recovered() Recovered { return w.recovered }

// Head is where the proven part ends now.
func (w *Writer) Head() Head { return w.head }

// Decisions is the digest of every record written so far.
func (w *Writer) Decisions() [sha256.Size]byte { return w.digest.Sum() }

// Run writes until ctx ends, then once more until the ring is empty. While the disk refuses, the records stay in the
// ring and writing is tried again; an error at the end says how many wait there for the next Open. The engine must have
// put its last record before ctx ends.
func (w *Writer) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	failing := false
	for {
		ended := ctx.Err() != nil // looked at before the ring, so that its last record is seen
		n, err := w.Drain()
		if ended {
			return err
		}
		if bad := err != nil; bad != failing && w.fault != nil {
			w.fault(err)
		}
		failing = err != nil
		pause := w.poll
		if failing {
			pause = retryAfter
		} else if n > 0 {
			pause = 0 // the fsync was pause enough for a batch to gather
		}
		timer.Reset(pause)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
	}
}

// Drain writes everything that waits in the ring and reports how many records it was. On error the rest is still in the
// ring, the files end at the head, and Drain may be called again. For callers that write between steps instead of Run.
func (w *Writer) Drain() (int, error) {
	total := 0
	for {
		records := w.ring.take(batch)
		if len(records) == 0 {
			return total, nil
		}
		n, err := w.commit(records)
		total += n
		if err != nil {
			return total, fmt.Errorf("audit: %d records wait for the disk: %w", w.ring.Waiting(), err)
		}
	}
}

// commit makes the first records durable: as many as belong to one file.
func (w *Writer) commit(records []Record) (int, error) {
	if err := w.repair(); err != nil {
		return 0, err
	}
	day := w.fileDay(&records[0])
	n := 1
	for n < len(records) && max(dayOf(records[n].At), day) == day {
		n++
	}
	records = records[:n]
	if err := w.turn(day); err != nil {
		return 0, err
	}
	h := w.head
	if h.File != w.name {
		h.File, h.Line, h.Bytes = w.name, 0, 0
	}
	chain := w.chain
	w.buf = w.buf[:0]
	for i := range records {
		w.buf, chain = w.line(w.buf, chain, &records[i])
	}
	h.Epoch, h.Seq = w.epoch, records[n-1].Seq
	h.Lines, h.Line, h.Bytes = h.Lines+uint64(n), h.Line+uint64(n), h.Bytes+int64(len(w.buf))
	h.Chain = chain.String()
	w.cut = true
	if _, err := w.file.Write(w.buf); err != nil {
		return 0, errors.Join(err, w.repair())
	}
	if err := w.sync(); err != nil {
		return 0, errors.Join(err, w.repair())
	}
	if err := h.publish(w.dir, !w.nosync); err != nil {
		return 0, errors.Join(err, w.repair())
	}
	w.cut = false
	w.head, w.chain = h, chain
	w.digest.Add(records)
	w.ring.release(n)
	return n, nil
}

// line appends the whole line of one record and returns its link.
func (w *Writer) line(dst []byte, before link, r *Record) ([]byte, link) {
	from := len(dst)
	dst = w.format.Append(dst, r)
	after := w.sum.join(before, dst[from:])
	dst = append(dst, chainKey...)
	dst = hex.AppendEncode(dst, after[:])
	return append(dst, chainEnd...), after
}

// fileDay is the day of the file that a record belongs to: its own, but never before the last file's.
func (w *Writer) fileDay(r *Record) int64 {
	day := dayOf(r.At)
	if last, ok := dayOfFile(w.head.File); ok && last > day {
		return last
	}
	return day
}

// turn opens the file of a day.
func (w *Writer) turn(day int64) error {
	if w.file != nil && w.day == day {
		return nil
	}
	if err := w.seal(); err != nil {
		return err
	}
	name := fileOfDay(day)
	f, err := w.open(filepath.Join(w.dir, name))
	if err != nil {
		return err
	}
	w.file, w.name, w.day = f, name, day
	if w.nosync {
		return nil
	}
	return mapped.SyncDir(w.dir)
}

// repair cuts the open file back to the head after a batch that failed half way.
func (w *Writer) repair() error {
	if !w.cut {
		return nil
	}
	keep := int64(0)
	if w.head.File == w.name {
		keep = w.head.Bytes
	}
	if err := w.file.Truncate(keep); err != nil {
		return err
	}
	w.cut = false
	return nil
}

func (w *Writer) sync() error {
	if w.nosync {
		return nil
	}
	return w.file.Sync()
}

// seal makes the open file durable and closes it.
func (w *Writer) seal() error {
	if w.file == nil {
		return nil
	}
	if err := w.file.Sync(); err != nil {
		return err
	}
	f := w.file
	w.file = nil
	return f.Close()
}

// Close writes what waits, makes it durable whatever NoSync says, and gives the folder back. The engine must have
// stopped: later Puts find no room. On error the ring keeps what is not on disk for the next Open.
func (w *Writer) Close() error {
	_, err := w.Drain()
	err = errors.Join(err, w.seal())
	if err == nil && w.nosync {
		err = errors.Join(w.head.publish(w.dir, true), mapped.SyncDir(w.dir))
	}
	return errors.Join(err, w.ring.unmap(), w.lock.Close())
}

const (
	filePrefix = "trades_"
	fileSuffix = ".jsonl"
)

// fileOfDay names the file of a day, dayOfFile reads the name.
func fileOfDay(day int64) string {
	return filePrefix + time.Unix(day*daySecond, 0).UTC().Format(time.DateOnly) + fileSuffix
}

func dayOfFile(name string) (int64, bool) {
	if len(name) != len(filePrefix)+len(time.DateOnly)+len(fileSuffix) || name[:len(filePrefix)] != filePrefix {
		return 0, false
	}
	t, err := time.Parse(time.DateOnly, name[len(filePrefix):len(name)-len(fileSuffix)])
	if err != nil {
		return 0, false
	}
	day := t.Unix() / daySecond // exact: midnight
	return day, fileOfDay(day) == name
}
