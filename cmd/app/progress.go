package app

import (
	"os"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// bar shows how much of the input files has been read, on the error stream and only when that is a terminal.
type bar struct{ b *progressbar.ProgressBar }

// progress makes the bar for reading those files.
func (c *cli) progress(what string, paths []string) bar {
	f, ok := c.err.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return bar{}
	}
	total := int64(0)
	for _, p := range paths {
		if st, err := os.Stat(p); err == nil {
			total += st.Size()
		}
	}
	return bar{progressbar.NewOptions64(total, progressbar.OptionSetWriter(f), progressbar.OptionSetDescription(what),
		progressbar.OptionShowBytes(true), progressbar.OptionClearOnFinish(), progressbar.OptionSetWidth(30))}
}

// tell takes the number of bytes read. A bar that cannot be drawn must not stop the work it shows.
func (b bar) tell(read int64) {
	if b.b != nil {
		_ = b.b.Set64(read)
	}
}

// end takes the bar away.
func (b bar) end() {
	if b.b != nil {
		_ = b.b.Clear()
	}
}
