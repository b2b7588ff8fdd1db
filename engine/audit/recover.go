package audit

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// recoverDir brings the files of a folder to the end of the last session: what a killed process left in the ring is
// written; a broken line behind the published head is cut off first, if the ring still holds its record. It returns the
// head from which a new session goes on. The caller holds the lock.
func recoverDir(dir string) (Head, Recovered, error) {
	var got Recovered
	h, fresh, err := headOrOrigin(dir)
	if err != nil {
		return h, got, err
	}
	r, s, err := openRing(filepath.Join(dir, ringName))
	if err != nil {
		return h, got, err
	}
	end, broken, err := durable(dir, h)
	if err == nil && r == nil && (broken != nil || end.Lines != h.Lines) {
		err = fmt.Errorf("audit: %s: the files go on after the published head, and the ring that could explain it is missing", dir)
	}
	if err == nil && r != nil {
		end, got, err = finish(dir, r, s, end, broken)
	} else if err == nil && fresh {
		err = end.publish(dir, true)
	}
	if r != nil {
		err = errors.Join(err, r.unmap())
	}
	return end, got, err
}

// headOrOrigin reads the head; a folder that never had a line has none.
func headOrOrigin(dir string) (h Head, fresh bool, err error) {
	if _, err := os.Stat(filepath.Join(dir, headName)); errors.Is(err, os.ErrNotExist) {
		files, err := dayFiles(dir)
		if err != nil {
			return h, false, err
		}
		if len(files) == 0 {
			return origin(), true, nil
		}
	}
	h, err = readHead(dir)
	return h, false, err
}

// durable walks from the head to the last sound line: a killed process may have written lines without publishing them. A
// broken line behind them is returned where only its own file is concerned, as one batch leaves it.
func durable(dir string, h Head) (Head, *Fault, error) {
	w, err := walk(dir, h)
	if err != nil {
		return h, nil, err
	}
	for {
		_, _, err := w.next()
		if err == io.EOF {
			return w.at.head(), nil, nil
		}
		if f := (*Fault)(nil); errors.As(err, &f) && len(w.files) == 0 {
			return w.at.head(), f, w.close()
		}
		if err != nil {
			return w.at.head(), nil, errors.Join(err, w.close())
		}
	}
}

// finish writes the rest of a ring behind end.
func finish(dir string, r *Ring, s *session, end Head, broken *Fault) (Head, Recovered, error) {
	got := Recovered{Epoch: s.Epoch}
	proven := uint64(0)
	switch {
	case end.Epoch == s.Epoch:
		proven = end.Seq
	case end.Epoch > s.Epoch:
		return end, got, fmt.Errorf("audit: %s: the files are at session %d, the ring at %d: it is not theirs", dir, end.Epoch, s.Epoch)
	}
	written, consumed := r.written.Load(), r.consumed.Load()
	if proven < consumed {
		return end, got, &Fault{File: end.File, Line: end.Line + 1, Epoch: s.Epoch, Seq: proven + 1,
			What: fmt.Sprintf("the files end here, but records up to %d were proven on disk", consumed)}
	}
	sound := r.sound(consumed, written)
	got.Lost = int(written - sound)
	if broken != nil {
		if sound <= proven {
			return end, got, fmt.Errorf("%w, and the ring does not hold its record", broken)
		}
		if err := os.Truncate(filepath.Join(dir, broken.File), soundBytes(end, broken)); err != nil {
			return end, got, fmt.Errorf("audit: %w", err)
		}
		got.Torn = true
	}
	r.written.Store(max(sound, proven))
	r.consumed.Store(max(proven, consumed))
	w, err := newWriter(dir, r, s, end)
	if err != nil {
		return end, got, err
	}
	n, err := w.Drain()
	got.Records = n
	if err != nil {
		return w.head, got, errors.Join(err, w.seal())
	}
	// The last lines may have been written without fsync, and the head may be behind them.
	if err := errors.Join(w.seal(), syncFile(dir, w.head.File), w.head.publish(dir, true)); err != nil {
		return w.head, got, err
	}
	return w.head, got, nil
}

// soundBytes is the length of a broken line's file before it.
func soundBytes(end Head, broken *Fault) int64 {
	if end.File == broken.File {
		return end.Bytes
	}
	return 0
}

func syncFile(dir, name string) error {
	if name == "" {
		return nil
	}
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return errors.Join(f.Sync(), f.Close())
}

// sound is the end of the unbroken run of records from one index to another: after a lost machine the header may be
// newer than the records.
func (r *Ring) sound(from, to uint64) uint64 {
	for i := from; i < to; i++ {
		if c := &r.cells[i&r.mask]; c.Seq != i+1 || c.Kind == NoKind || c.Kind >= kinds {
			return i
		}
	}
	return to
}
