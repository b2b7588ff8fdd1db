package audit

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"oneprice/engine/mapped"
)

// Summary is what Verify found.
type Summary struct {
	OK      bool   `json:"ok"`
	Records uint64 `json:"records"`
	Files   int    `json:"files"`
	// Sessions counts starts, Unended those without an end: killed, or still running.
	Sessions int `json:"sessions"`
	Unended  int `json:"unended"`
	// First and Last are the times of the first and last record, "" without any.
	First string            `json:"first,omitempty"`
	Last  string            `json:"last,omitempty"`
	Kinds map[string]uint64 `json:"kinds"`
	Head  Head              `json:"head"`
	// Running: an engine holds the folder. Waiting counts records that are in its ring, or that a killed one left there.
	Running bool   `json:"running"`
	Waiting uint64 `json:"waiting"`
	// Each describes the sessions, in order.
	Each []Session `json:"-"`
	// Broken is the first record that is not as it was written.
	Broken *Fault `json:"broken,omitempty"`

	kinds map[string]*uint64 // Kinds while counting
	last  []byte             // Last while counting
}

// Session is a session as its start line has it.
type Session struct {
	Mode   string `json:"mode"`
	Source string `json:"source"`
	Waiver string `json:"waiver"`
	// Began is the time of the start, Ended that of the end; zero without one.
	Began time.Time `json:"time"`
	Ended time.Time `json:"-"`
}

// Verify proves every line of a folder: valid JSON, chained to the line before from the very first, sessions complete
// from 1 on, and the end where the published head has it. The error is the first broken record (*Fault), or why the folder
// cannot be read; the Summary says how far it went. It may run beside an engine.
func Verify(dir string) (Summary, error) {
	s := Summary{Kinds: map[string]uint64{}, kinds: map[string]*uint64{}}
	var err error
	if s.Running, err = mapped.InUse(dir); err != nil {
		return s, err
	}
	if s.Head, err = readHead(dir); err != nil {
		return s, err
	}
	if s.Waiting, err = waiting(dir); err != nil {
		return s, err
	}
	w, err := walk(dir, origin())
	if err != nil {
		return s, err
	}
	s.Files = len(w.files)
	err = s.walk(w)
	s.Last = string(s.last)
	for kind, n := range s.kinds {
		s.Kinds[kind] = *n
	}
	if errors.As(err, &s.Broken) || err != nil {
		return s, errors.Join(err, w.close())
	}
	s.OK = true
	return s, nil
}

// walk reads to the end and compares it with the head.
func (s *Summary) walk(w *walker) error {
	var extra *Fault // the first line behind the head
	for {
		before := w.at
		if before.Lines == s.Head.Lines && before.head() != s.Head {
			return s.disagreement(w)
		}
		text, st, err := w.next()
		if err == io.EOF {
			break
		}
		if f := (*Fault)(nil); errors.As(err, &f) && f.torn && before.Lines >= s.Head.Lines && s.unproven() > before.Lines-s.Head.Lines {
			break // the batch that is being written
		}
		if err != nil {
			return err
		}
		if before.Lines == s.Head.Lines {
			extra = &Fault{File: w.at.File, Line: w.at.Line, Epoch: st.epoch, Seq: st.seq, What: "this line stands behind the published head"}
		}
		if err := s.count(&before, st, text); err != nil {
			return err
		}
	}
	if w.at.Lines < s.Head.Lines {
		f := w.fault(fmt.Sprintf("missing: the published head has %d lines and ends with record %d of session %d in %s, the files end after %d lines",
			s.Head.Lines, s.Head.Seq, s.Head.Epoch, s.Head.File, w.at.Lines))
		return f
	}
	if extra != nil && w.at.Lines-s.Head.Lines > s.unproven() {
		return extra
	}
	return nil
}

// unproven is how many lines may stand behind the head.
func (s *Summary) unproven() uint64 {
	if s.Running {
		return 1 << 62 // the head moves on while the files are read
	}
	return s.Waiting
}

func (s *Summary) disagreement(w *walker) error {
	return &Fault{File: headName, Line: 1, Epoch: w.at.Epoch, Seq: w.at.Seq,
		What: fmt.Sprintf("the published head does not agree with line %d of %s, which ends the same number of lines", w.at.Line, w.at.File)}
}

func (s *Summary) count(before *place, st stamp, text []byte) error {
	s.Records++
	n := s.kinds[string(st.kind)]
	if n == nil {
		n = new(uint64)
		s.kinds[string(st.kind)] = n
	}
	*n++
	if s.Records == 1 {
		s.First = string(st.time)
	}
	s.last = append(s.last[:0], st.time...)
	if st.epoch != before.Epoch {
		s.Sessions++
		s.Unended++
		var o Session
		if err := json.Unmarshal(text, &o); err != nil {
			return fmt.Errorf("audit: the start of session %d: %w", st.epoch, err)
		}
		s.Each = append(s.Each, o)
	}
	if string(st.kind) == endText {
		s.Unended--
		at, err := time.Parse(time.RFC3339Nano, string(st.time))
		if err != nil {
			return fmt.Errorf("audit: the end of session %d: %w", st.epoch, err)
		}
		s.Each[len(s.Each)-1].Ended = at
	}
	return nil
}

// waiting reads from a ring file how many records its session has put and not yet proven on disk.
func waiting(dir string) (uint64, error) {
	f, err := os.Open(filepath.Join(dir, ringName))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("audit: ring: %w", err)
	}
	defer f.Close()
	var h [page]byte
	if _, err := io.ReadFull(f, h[:]); err != nil {
		return 0, fmt.Errorf("audit: ring: %w", err)
	}
	le := binary.LittleEndian
	if le.Uint64(h[:]) != ringMagic {
		return 0, fmt.Errorf("audit: %s is not an audit ring", f.Name())
	}
	// consumed before written cannot be promised by one read of a file; a live ring may look emptier than it is
	written, consumed := le.Uint64(h[offWritten:]), le.Uint64(h[offConsumed:])
	if consumed >= written {
		return 0, nil
	}
	return written - consumed, nil
}
