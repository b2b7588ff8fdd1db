package recording

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"
)

// Writer writes a recording, zstd compressed. One goroutine.
type Writer struct {
	path string
	file *os.File
	enc  *zstd.Encoder
	line []byte
	err  error // the first failure; every later call repeats it
}

// Create makes a new file; it must not exist, since a recording is never overwritten.
func Create(path string) (*Writer, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, fmt.Errorf("recording %s cannot be created: %w", path, err)
	}
	enc, err := zstd.NewWriter(f, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedDefault))
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("recording %s: %w", path, err)
	}
	return &Writer{path: path, file: f, enc: enc}, nil
}

// Write adds one line. l.Msg is written verbatim where it is JSON (line breaks between its tokens become spaces), else as
// a JSON string; l.No, l.Offset and l.File are not written. A RecvNs of 0 is written as null.
func (w *Writer) Write(l *Line) error {
	if w.err != nil {
		return w.err
	}
	w.line = appendLine(w.line[:0], l)
	if _, err := w.enc.Write(w.line); err != nil {
		w.err = fmt.Errorf("recording %s: %w", w.path, err)
	}
	return w.err
}

// Flush makes what was written readable in the file.
func (w *Writer) Flush() error {
	if w.err == nil {
		if err := w.enc.Flush(); err != nil {
			w.err = fmt.Errorf("recording %s: %w", w.path, err)
		}
	}
	return w.err
}

// Close ends the file and makes it durable. It reports the first failure of the whole recording.
func (w *Writer) Close() error {
	encErr := w.enc.Close()
	syncErr := w.file.Sync()
	closeErr := w.file.Close()
	for _, err := range []error{encErr, syncErr, closeErr} {
		if err != nil && w.err == nil {
			w.err = fmt.Errorf("recording %s: %w", w.path, err)
		}
	}
	return w.err
}

func appendLine(b []byte, l *Line) []byte {
	b = append(b, `{"recv_ns":`...)
	if l.RecvNs == 0 {
		b = append(b, "null"...)
	} else {
		b = strconv.AppendInt(b, int64(l.RecvNs), 10)
	}
	b = appendMember(b, `,"kind":`, l.Kind)
	b = appendMember(b, `,"conn":`, l.Conn)
	key := `,"req":`
	if strings.Contains(l.Request, "://") {
		key = `,"url":`
	}
	b = appendMember(b, key, l.Request)
	if l.Msg != nil {
		b = append(b, `,"msg":`...)
		b = appendMsg(b, l.Msg)
	}
	return append(b, '}', '\n')
}

func appendMember(b []byte, key, value string) []byte {
	if value == "" {
		return b
	}
	return appendText(append(b, key...), value)
}

// appendText writes a JSON string. Bytes that are no UTF-8 become U+FFFD: JSON has no way to hold them.
func appendText(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', byte(c))
		case c < 0x20:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			b = utf8.AppendRune(b, c)
		}
	}
	return append(b, '"')
}

// appendMsg writes a message so that it stays on one line. Raw line breaks in valid JSON stand between tokens, where a
// space means the same.
func appendMsg(b, msg []byte) []byte {
	if !valid(msg) {
		return appendText(b, string(msg))
	}
	from := len(b)
	b = append(b, msg...)
	for i, c := range b[from:] {
		if c == '\n' || c == '\r' {
			b[from+i] = ' '
		}
	}
	return b
}
