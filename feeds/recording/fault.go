package recording

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// Fault is why a recording could not be read to its end, in one line: what, where, what to do.
type Fault struct {
	Path string
	// Line is the number of the line at which it happened, 0 before the first; Offset the position in the uncompressed
	// text up to which the file was readable.
	Line, Offset int64
	What, Do     string
	Err          error
}

const redo = "all lines before it were read; copy the file again or record anew for the rest"

func (f *Fault) Error() string {
	var b strings.Builder
	b.WriteString(f.Path)
	if f.Line > 0 {
		fmt.Fprintf(&b, ": line %d (byte %d of the text)", f.Line, f.Offset)
	}
	b.WriteString(": " + f.What)
	if f.Err != nil {
		b.WriteString(": " + plain(f.Err))
	}
	return b.String() + "; " + f.Do
}

func (f *Fault) Unwrap() error { return f.Err }

// plain is the text of an error without the path, which the Fault already names.
func plain(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}
