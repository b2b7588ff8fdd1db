// Package recording reads and writes recorded market data: one JSON object per line, plain, gzip or zstd.
//
//	{"recv_ns": <int or null>, "kind": "...", "conn": "...", "url": "..." | "req": "...", "msg": <raw venue JSON>}
//
// A Reader yields the lines of one file, Merge joins several on receive time. The venue's message is handed on verbatim,
// as a slice of the read buffer with wire.Slack readable bytes behind it, so decoders work on it exactly as on a socket's.
//
// Ownership: a Reader, a Merged and a Writer belong to one goroutine. What Next yields is valid until the next call.
//
// Decisions
//   - 2026-11-25: klauspost/compress for gzip and zstd, on the calling goroutine: on the recorded Binance trio it needs
//     about half the processor time of compress/gzip, and a second goroutine would cost more CPU than it hides.
//   - 2026-11-25: the keys are scanned in the order in which recorders write them (recv_ns, kind, conn, url or req, msg)
//     without looking inside msg; any other line takes the slow way, which accepts every order and validates the line.
//     A message that is damaged inside is the decoder's to refuse: it knows more of it than a JSON validator does.
//   - 2026-11-25: a file that ends early is an error of the whole run but not of its first part: every line before the
//     fault is handed out, then Next answers false and Err names file, line and offset.
//   - 2026-11-25: time never goes back within a file. File order is arrival order, so a receive time that is missing or
//     less than the one before takes the one before, and is counted.
package recording

import (
	"bytes"
	"io"
	"os"

	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// Kinds of a Line. Others are passed on as they are written.
const (
	// WS is a websocket message received, Rest a REST response body, Send a message that the recorder sent, Open a
	// connection opened, Tick a decoded callback.
	WS   = "ws"
	Rest = "rest"
	Send = "send"
	Open = "open"
	Tick = "tick"
	// Damaged is a line that is not a line of a recording; Msg is all of it. Never written by a recorder.
	Damaged = "damaged"
)

// Line is one recorded line. Its strings stay valid; Msg is valid until the next call of Next.
type Line struct {
	// RecvNs is the recorder's clock at receipt, UTC; see the package comment for null and for going back.
	RecvNs venue.Nanos
	Kind   string
	// Conn names the recorder's connection, "" where there was only one. Request is the url or req, where known.
	Conn, Request string
	// Msg is the venue's message with wire.Slack readable bytes behind it; nil when the line has none. A message that was
	// not JSON is its plain text.
	Msg []byte
	// No is the line's number from 1, Offset the position of its first byte in the uncompressed text.
	No, Offset int64
	// File is the index of the file among those merged, 0 for a single one.
	File int
}

// Stats counts what a Reader has met so far.
type Stats struct {
	// Lines counts lines yielded, Damaged those among them that were no lines of a recording.
	Lines, Damaged int64
	// NullTimes counts lines without a receive time, Backwards those whose time was less than that of the line before.
	NullTimes, Backwards int64
	// Bytes is the uncompressed length read; Read the length read of the file itself.
	Bytes, Read int64
	// FirstDamaged is the number of the first damaged line, 0 when there is none.
	FirstDamaged int64
}

const (
	firstBuffer = 1 << 18
	// lineMax bounds one line: a full exchangeInfo is 20 MB, so a longer line is a file that is no recording.
	lineMax = 1 << 28
)

// Reader yields the lines of one file.
type Reader struct {
	path  string
	file  *os.File
	src   source
	buf   []byte // cap is len + wire.Slack
	r, w  int    // unread bytes are buf[r:w]
	base  int64  // offset in the text of buf[0]
	no    int64
	last  venue.Nanos
	names interned
	text  []byte // an unescaped message
	stats Stats
	end   bool
	err   error
}

// OpenFile opens a recording; its compression is recognised by its first bytes. The error names the path.
func OpenFile(path string) (*Reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &Fault{Path: path, What: "cannot be opened", Do: "give the path of a recording (.jsonl, .jsonl.gz or .jsonl.zst)", Err: err}
	}
	if st, err := f.Stat(); err != nil || st.IsDir() {
		f.Close()
		return nil, &Fault{Path: path, What: "is not a file", Do: "name the recordings in the folder one by one", Err: err}
	}
	r := &Reader{path: path, file: f, buf: make([]byte, firstBuffer, firstBuffer+wire.Slack)}
	if err := r.src.open(f); err != nil {
		f.Close()
		return nil, &Fault{Path: path, What: r.src.format() + " cannot be read", Do: "copy the file again or record anew", Err: err}
	}
	return r, nil
}

// Path is the path given to OpenFile.
func (r *Reader) Path() string { return r.path }

// Stats returns the counts so far.
func (r *Reader) Stats() Stats {
	s := r.stats
	s.Read = r.src.raw.n
	return s
}

// Err is why the file could not be read to its end, nil at a clean end. A *Fault.
func (r *Reader) Err() error { return r.err }

// Close releases the file. It may be called at any time, once.
func (r *Reader) Close() error {
	r.src.close()
	r.end = true
	return r.file.Close()
}

// Next reads the next line into l and reports whether there was one. After false, Err says whether the file ended well.
func (r *Reader) Next(l *Line) bool {
	for {
		raw, ok := r.line(l)
		if !ok {
			return false
		}
		if n := len(raw); n > 0 && raw[n-1] == '\r' {
			raw = raw[:n-1]
		}
		if len(raw) > 0 {
			r.read(raw, l)
			return true
		}
	}
}

// read fills l from one line's text.
func (r *Reader) read(raw []byte, l *Line) {
	r.stats.Lines++
	var f fields
	if !scanFast(raw, &f) && !r.scanSlow(raw, &f) {
		r.stats.Damaged++
		if r.stats.FirstDamaged == 0 {
			r.stats.FirstDamaged = l.No
		}
		l.RecvNs, l.Kind, l.Conn, l.Request, l.Msg = r.last, Damaged, "", "", slack(raw)
		return
	}
	switch {
	case f.noTime:
		r.stats.NullTimes++
	case venue.Nanos(f.recv) < r.last:
		r.stats.Backwards++
	default:
		r.last = venue.Nanos(f.recv)
	}
	l.RecvNs = r.last
	l.Kind = r.names.kind(f.kind)
	l.Conn = r.names.of(f.conn)
	l.Request = r.names.of(f.request)
	switch {
	case len(f.msg) == 0:
		l.Msg = nil
	case f.msg[0] == '"':
		r.text = unescape(r.text[:0], f.msg)
		l.Msg = slack(r.text)
	default:
		l.Msg = slack(f.msg)
	}
}

// slack limits the capacity of a slice of a buffer that ends in wire.Slack spare bytes.
func slack(b []byte) []byte { return b[: len(b) : len(b)+wire.Slack] }

// line returns the next line without its newline and sets l's number and offset.
func (r *Reader) line(l *Line) ([]byte, bool) {
	from := r.r
	for {
		if i := bytes.IndexByte(r.buf[from:r.w], '\n'); i >= 0 {
			raw := r.buf[r.r : from+i]
			r.no++
			l.No, l.Offset = r.no, r.base+int64(r.r)
			r.r = from + i + 1
			return raw, true
		}
		if r.end {
			return r.lastLine(l)
		}
		seen := r.w - r.r
		r.fill()
		from = r.r + seen
	}
}

// lastLine returns what stands behind the last newline. A whole line there is a line; a cut one is a fault of the file.
func (r *Reader) lastLine(l *Line) ([]byte, bool) {
	raw := r.buf[r.r:r.w]
	if len(raw) == 0 {
		return nil, false
	}
	at := r.base + int64(r.r)
	r.r = r.w
	r.no++
	if r.err != nil {
		return nil, false // the fault already names this line
	}
	if !valid(bytes.TrimRight(raw, "\r")) {
		r.err = &Fault{Path: r.path, Line: r.no, Offset: at, What: "the file is cut in the middle of a line", Do: redo}
		return nil, false
	}
	l.No, l.Offset = r.no, at
	return raw, true
}

// fill moves the unread bytes to the front and reads more behind them. Called only while not at the end.
func (r *Reader) fill() {
	if r.r > 0 {
		copy(r.buf, r.buf[r.r:r.w])
		r.base += int64(r.r)
		r.w -= r.r
		r.r = 0
	}
	if r.w == len(r.buf) {
		if r.w >= lineMax {
			r.fail("the line is longer than 256 MB", "this is not a recording of market data", nil)
			return
		}
		bigger := make([]byte, 2*len(r.buf), 2*len(r.buf)+wire.Slack)
		copy(bigger, r.buf)
		r.buf = bigger
	}
	n, err := r.src.Read(r.buf[r.w:])
	r.w += n
	r.stats.Bytes += int64(n)
	switch {
	case err == io.EOF:
		r.end = true
	case err == io.ErrUnexpectedEOF:
		r.fail("the "+r.src.format()+" is cut short", redo, err)
	case err != nil:
		r.fail("the "+r.src.format()+" is corrupt", redo, err)
	}
}

// fail ends the file after the lines already read.
func (r *Reader) fail(what, do string, err error) {
	r.end = true
	no := r.no + 1 + int64(bytes.Count(r.buf[r.r:r.w], []byte{'\n'}))
	r.err = &Fault{Path: r.path, Line: no, Offset: r.base + int64(r.w), What: what, Do: do, Err: err}
}
