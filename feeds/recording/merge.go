package recording

import "errors"

// Merged joins recordings on receive time. Lines of equal time come in the order of the files, and lines of one file
// always in file order.
type Merged struct {
	files []*Reader
	heads []Line // the next line of each file
	have  []bool
	cur   int // the file whose line was handed out last, -1 before the first
}

// Merge joins readers, which it then owns.
func Merge(files ...*Reader) *Merged {
	return &Merged{files: files, heads: make([]Line, len(files)), have: make([]bool, len(files)), cur: -1}
}

// Next returns the next line, or nil at the end of all files. A file that fails ends early and the others go on: Err
// has its fault. The line is valid until the next call.
func (m *Merged) Next() *Line {
	if m.cur >= 0 {
		m.advance(m.cur)
	} else {
		for i := range m.files {
			m.advance(i)
		}
	}
	// A plain scan: there are few files, and their heads lie in one or two cache lines each.
	first := -1
	for i := range m.heads {
		if m.have[i] && (first < 0 || m.heads[i].RecvNs < m.heads[first].RecvNs) {
			first = i
		}
	}
	if first < 0 {
		return nil
	}
	m.cur = first
	return &m.heads[first]
}

func (m *Merged) advance(i int) {
	m.have[i] = m.files[i].Next(&m.heads[i])
	m.heads[i].File = i
}

// Files returns the readers in the order given.
func (m *Merged) Files() []*Reader { return m.files }

// Err joins the faults of all files, nil when every one ended well.
func (m *Merged) Err() error {
	var all []error
	for _, f := range m.files {
		if err := f.Err(); err != nil {
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}

// Close closes every file.
func (m *Merged) Close() error {
	var all []error
	for _, f := range m.files {
		all = append(all, f.Close())
	}
	return errors.Join(all...)
}
