package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Entry is one line as a reader sees it. Money, prices and ids are decimal text, exactly as written; what a kind does not
// use is empty.
type Entry struct {
	Seq   uint64    `json:"seq"`
	Epoch uint64    `json:"epoch"`
	Time  time.Time `json:"time"`
	Kind  string    `json:"kind"`

	Verdict  string `json:"verdict"`
	Reason   string `json:"reason"`
	Rule     string `json:"rule"`
	Value    string `json:"value"`
	Limit    string `json:"limit"`
	Headroom string `json:"headroom"`
	Unit     string `json:"unit"`

	Strategy   string `json:"strategy"`
	Venue      string `json:"venue"`
	Instrument string `json:"instrument"`
	Op         string `json:"op"`
	Type       string `json:"type"`
	TIF        string `json:"tif"`
	Side       string `json:"side"`
	Role       string `json:"role"`
	Price      string `json:"price"`
	Stop       string `json:"stop"`
	Qty        string `json:"qty"`
	Edge       string `json:"edge"`
	Client     string `json:"client"`
	Target     string `json:"target"`
	Slot       uint32 `json:"slot"`
	Plan       string `json:"plan"`
	Leg        uint8  `json:"leg"`
	BookSeq    string `json:"book_seq"`

	Shape  string `json:"shape"`
	Policy string `json:"policy"`
	Legs   uint8  `json:"legs"`
	Base   string `json:"base"`
	Link   string `json:"link"`

	Report string `json:"report"`
	Sent   string `json:"sent"`
	Fill   string `json:"fill"`
	Cum    string `json:"cum"`
	Fee    string `json:"fee"`
	FeeCcy string `json:"fee_ccy"`
	Maker  bool   `json:"maker"`
	Ref    string `json:"ref"`

	State    string `json:"state"`
	Action   string `json:"action"`
	Operator string `json:"operator"`
	Text     string `json:"text"`

	// File and Line say where it stands, Raw is the line itself without its newline.
	File string `json:"-"`
	Line uint64 `json:"-"`
	Raw  []byte `json:"-"`
}

// Body is the part of the line that Formatter.Append makes: all but the chain.
func (e *Entry) Body() []byte { return e.Raw[:max(0, len(e.Raw)-closing+1)] }

// Filter chooses entries; an empty field takes all.
type Filter struct {
	Epoch        uint64
	Kind         string
	Venue        string
	Instrument   string
	Strategy     string
	Client       string
	Plan         string
	Since, Until time.Time // from Since on, before Until
}

// Match reports whether e passes.
func (f *Filter) Match(e *Entry) bool {
	same := func(want, have string) bool { return want == "" || want == have }
	return (f.Epoch == 0 || f.Epoch == e.Epoch) && same(f.Kind, e.Kind) && same(f.Venue, e.Venue) && same(f.Instrument, e.Instrument) &&
		same(f.Strategy, e.Strategy) && same(f.Client, e.Client) && same(f.Plan, e.Plan) &&
		(f.Since.IsZero() || !e.Time.Before(f.Since)) && (f.Until.IsZero() || e.Time.Before(f.Until))
}

// ErrStop, returned by a callback, ends Show without an error.
var ErrStop = errors.New("audit: stop")

// Show calls fn with each entry that passes, in order. It proves nothing: Verify does. The entry is fn's to keep. A half
// line at the very end, as a running engine leaves it, ends the walk.
func Show(dir string, f Filter, fn func(*Entry) error) error {
	files, err := dayFiles(dir)
	if err != nil {
		return err
	}
	for i, name := range files {
		err := showFile(dir, name, i == len(files)-1, func(e *Entry) error {
			if !f.Match(e) {
				return nil
			}
			return fn(e)
		})
		if errors.Is(err, ErrStop) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func showFile(dir, name string, last bool, fn func(*Entry) error) error {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 1<<18)
	for n := uint64(1); ; n++ {
		text, err := in.ReadBytes('\n')
		if err == io.EOF && (last || len(text) == 0) {
			return nil
		}
		if err != nil && err != io.EOF {
			return fmt.Errorf("audit: %s: %w", name, err)
		}
		e, err := parse(name, n, text)
		if err != nil {
			return err
		}
		if err := fn(e); err != nil {
			return err
		}
	}
}

func parse(name string, line uint64, text []byte) (*Entry, error) {
	e := &Entry{File: name, Line: line, Raw: text[:len(text)-1]}
	if err := json.Unmarshal(e.Raw, e); err != nil {
		return nil, &Fault{File: name, Line: line, What: "not valid JSON: " + err.Error()}
	}
	return e, nil
}

// Tail returns the last n entries, oldest first. Line numbers are not known from the end and stay 0.
func Tail(dir string, n int) ([]*Entry, error) {
	files, err := dayFiles(dir)
	if err != nil {
		return nil, err
	}
	var tail []*Entry
	for i := len(files) - 1; i >= 0 && len(tail) < n; i-- {
		lines, err := lastLines(filepath.Join(dir, files[i]), n-len(tail))
		if err != nil {
			return nil, err
		}
		part := make([]*Entry, 0, len(lines))
		for _, l := range lines {
			e, err := parse(files[i], 0, l)
			if err != nil {
				return nil, err
			}
			part = append(part, e)
		}
		tail = append(part, tail...)
	}
	return tail, nil
}

// lastLines reads up to n whole lines from the end of a file, without reading the rest.
func lastLines(path string, n int) ([][]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	defer f.Close()
	at, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	const chunk = 1 << 16
	var text []byte
	for at > 0 && bytes.Count(text, newline) <= n {
		size := min(at, chunk)
		at -= size
		more := make([]byte, size, int(size)+len(text))
		if _, err := f.ReadAt(more, at); err != nil {
			return nil, fmt.Errorf("audit: %s: %w", path, err)
		}
		text = append(more, text...)
	}
	text = text[:bytes.LastIndexByte(text, '\n')+1] // without a half line at the end
	var lines [][]byte
	for len(text) > 0 && len(lines) < n {
		from := bytes.LastIndexByte(text[:len(text)-1], '\n') + 1
		lines = append(lines, text[from:])
		text = text[:from]
	}
	slices.Reverse(lines)
	return lines, nil
}

var newline = []byte{'\n'}
