package audit

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"

	"github.com/valyala/fastjson"
)

// Fault names the first record of a folder that is not as it was written.
type Fault struct {
	File string `json:"file"`
	// Line counts from 1 in File.
	Line uint64 `json:"line"`
	// Epoch and Seq are those that the place should hold.
	Epoch uint64 `json:"epoch"`
	Seq   uint64 `json:"seq"`
	What  string `json:"what"`
	// torn: the file ends within this line, as a killed process leaves it.
	torn bool
}

func (f *Fault) Error() string {
	return fmt.Sprintf("audit: %s line %d (session %d, record %d): %s", f.File, f.Line, f.Epoch, f.Seq, f.What)
}

// place is a position between two lines of a folder and what is known there. The head's Chain is not kept up to date:
// chain is, and head spells it.
type place struct {
	Head
	chain link
	// ended: the session before was closed in order.
	ended bool
}

// head is the place as a head.
func (p *place) head() Head {
	h := p.Head
	h.Chain = p.chain.String()
	return h
}

// stamp is what the walk reads of every line. Its texts are valid until the next line.
type stamp struct {
	seq, epoch uint64
	time, kind []byte
}

// read takes the stamp from the start of a line, which Formatter.Append always writes in this form.
func (s *stamp) read(text []byte) bool {
	ok := skip(&text, `{"seq":`) && number(&text, &s.seq) && skip(&text, `,"epoch":`) && number(&text, &s.epoch)
	return ok && skip(&text, `,"time":"`) && word(&text, &s.time) && skip(&text, `,"kind":"`) && word(&text, &s.kind)
}

func skip(text *[]byte, want string) bool {
	if len(*text) < len(want) || string((*text)[:len(want)]) != want {
		return false
	}
	*text = (*text)[len(want):]
	return true
}

func number(text *[]byte, v *uint64) bool {
	n := 0
	for *v = 0; n < len(*text) && (*text)[n]-'0' <= 9; n++ {
		*v = *v*10 + uint64((*text)[n]-'0')
	}
	*text = (*text)[n:]
	return n > 0 && n < 20
}

// word takes what is left of a string that needs no escaping, and its closing quote.
func word(text *[]byte, v *[]byte) bool {
	n := bytes.IndexByte(*text, '"')
	if n < 0 {
		return false
	}
	*v, *text = (*text)[:n], (*text)[n+1:]
	return true
}

// walker reads the lines of a folder in chain order and checks each against the one before.
type walker struct {
	dir   string
	files []string // still to come
	f     *os.File
	in    *bufio.Reader
	name  string // of the open file, with the lines and bytes read of it
	line  uint64
	bytes int64
	sum   joiner
	at    place // behind the last proven line
}

// dayFiles lists the day files of a folder in order.
func dayFiles(dir string) ([]string, error) {
	all, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	var files []string
	for _, e := range all {
		if _, ok := dayOfFile(e.Name()); ok {
			files = append(files, e.Name())
		}
	}
	sort.Strings(files)
	return files, nil
}

// walk begins at a head: the origin, or where a head says that the proven part ends.
func walk(dir string, from Head) (*walker, error) {
	files, err := dayFiles(dir)
	if err != nil {
		return nil, err
	}
	w := &walker{dir: dir, at: place{Head: from}}
	if w.at.chain, err = from.link(); err != nil {
		return nil, err
	}
	if from.File == "" {
		w.files = files
		return w, nil
	}
	i := sort.SearchStrings(files, from.File)
	if i == len(files) || files[i] != from.File {
		return nil, &Fault{File: from.File, Line: from.Line, Epoch: from.Epoch, Seq: from.Seq, What: "the file is missing; the published head ends in it"}
	}
	w.files = files[i+1:]
	if err := w.resume(from); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

// resume opens the head's file behind the head's line, and checks that this line is there.
func (w *walker) resume(h Head) error {
	f, err := os.Open(filepath.Join(w.dir, h.File))
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	w.f = f
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	if size < h.Bytes {
		return &Fault{File: h.File, Line: h.Line, Epoch: h.Epoch, Seq: h.Seq,
			What: fmt.Sprintf("the file ends at byte %d, before the published head at %d", size, h.Bytes)}
	}
	tail := make([]byte, min(h.Bytes, int64(closing)))
	if _, err := f.ReadAt(tail, h.Bytes-int64(len(tail))); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	if string(tail) != chainKey+h.Chain+chainEnd {
		return &Fault{File: h.File, Line: h.Line, Epoch: h.Epoch, Seq: h.Seq, What: "the line does not carry the published head's chain"}
	}
	if _, err := f.Seek(h.Bytes, io.SeekStart); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	w.in = bufio.NewReaderSize(f, 1<<18)
	w.name, w.line, w.bytes = h.File, h.Line, h.Bytes
	return nil
}

// next returns the next line, without its newline, and what it says. io.EOF ends the walk; a *Fault names a broken line
// and leaves the walk before it. The line is valid until the next call.
func (w *walker) next() ([]byte, stamp, error) {
	for {
		if w.in == nil {
			if len(w.files) == 0 {
				return nil, stamp{}, io.EOF
			}
			if err := w.openNext(); err != nil {
				return nil, stamp{}, err
			}
		}
		text, err := w.read()
		if err == io.EOF && len(text) == 0 {
			if err := w.close(); err != nil {
				return nil, stamp{}, err
			}
			continue
		}
		if err == io.EOF {
			f := w.fault("the file ends within this line")
			f.torn = true
			return text, stamp{}, f
		}
		if err != nil {
			return nil, stamp{}, fmt.Errorf("audit: %s: %w", w.name, err)
		}
		s, err := w.check(text)
		return text[:len(text)-1], s, err
	}
}

// read returns the next line in the reader's buffer, or a copy where it is longer than that.
func (w *walker) read() ([]byte, error) {
	text, err := w.in.ReadSlice('\n')
	if err != bufio.ErrBufferFull {
		return text, err
	}
	long := bytes.Clone(text)
	rest, err := w.in.ReadBytes('\n')
	return append(long, rest...), err
}

func (w *walker) openNext() error {
	f, err := os.Open(filepath.Join(w.dir, w.files[0]))
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	w.f, w.in = f, bufio.NewReaderSize(f, 1<<18)
	w.name, w.line, w.bytes = w.files[0], 0, 0
	w.files = w.files[1:]
	return nil
}

func (w *walker) close() error {
	if w.f == nil {
		return nil
	}
	f := w.f
	w.f, w.in = nil, nil
	return f.Close()
}

// fault makes the fault of the line that comes after the walk's place.
func (w *walker) fault(what string) *Fault {
	f := &Fault{File: w.name, Line: w.line + 1, Epoch: w.at.Epoch, Seq: w.at.Seq + 1, What: what}
	if w.at.ended || w.at.Lines == 0 {
		f.Epoch, f.Seq = w.at.Epoch+1, 1
	}
	return f
}

// check proves one line, newline included, and moves the walk past it.
func (w *walker) check(text []byte) (stamp, error) {
	var s stamp
	formed := s.read(text)
	cut := len(text) - closing
	if cut < 0 || !bytes.HasPrefix(text[cut:], []byte(chainKey)) {
		return s, w.fault("no chain at the end of the line")
	}
	body, stated := text[:cut], text[cut+len(chainKey):]
	after := w.sum.join(w.at.chain, body)
	var want [2 * len(after)]byte
	hex.Encode(want[:], after[:])
	if !bytes.Equal(stated[:len(want)], want[:]) || string(stated[len(want):]) != chainEnd {
		if what := w.order(s); formed && what != "" {
			return s, w.fault("the chain is broken: " + what)
		}
		return s, w.fault("the chain is broken: this line was altered")
	}
	if !formed || fastjson.ValidateBytes(text) != nil {
		return s, w.fault("not a line of an audit")
	}
	if what := w.order(s); what != "" {
		return s, w.fault(what)
	}
	w.at.chain = after
	w.at.Epoch, w.at.Seq, w.at.ended = s.epoch, s.seq, string(s.kind) == endText
	w.line++
	w.bytes += int64(len(text))
	w.at.Lines++
	w.at.File, w.at.Line, w.at.Bytes = w.name, w.line, w.bytes
	return s, nil
}

// order says what is wrong with a line's place in its session; "" when it is the next.
func (w *walker) order(s stamp) string {
	switch {
	case s.epoch == w.at.Epoch && w.at.Lines > 0:
		if w.at.ended {
			return fmt.Sprintf("record %d follows the end of session %d", s.seq, s.epoch)
		}
		if s.seq > w.at.Seq+1 {
			return fmt.Sprintf("record %d stands here: the one that belongs here is missing or moved", s.seq)
		}
		if s.seq <= w.at.Seq {
			return fmt.Sprintf("record %d stands here again", s.seq)
		}
	case s.epoch > w.at.Epoch:
		if s.seq != 1 {
			return fmt.Sprintf("session %d begins with record %d: earlier ones are missing", s.epoch, s.seq)
		}
	default:
		return fmt.Sprintf("a record of session %d stands here again", s.epoch)
	}
	return ""
}
