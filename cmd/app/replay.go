package app

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"

	"oneprice/engine"
	"oneprice/engine/audit"
	"oneprice/engine/tape"
)

// ReplayOptions are the options of replay.
type ReplayOptions struct {
	Tape string
	// Audit is the folder that the session wrote.
	Audit string
	// Progress is told, now and then, how many drains have been stepped.
	Progress func(drains int64)
}

// ReplayReport is what replay prints.
type ReplayReport struct {
	Tape    string `json:"tape"`
	Audit   string `json:"audit"`
	Mode    string `json:"mode"`
	Build   string `json:"build"`
	Same    bool   `json:"identical"`
	Drains  uint64 `json:"drains"`
	Records uint64 `json:"records"`
	// Compared is how many lines of the audit were compared, byte for byte.
	Compared  uint64 `json:"lines_compared"`
	Decisions string `json:"decisions_sha256"`
	// First is the first difference.
	First *Difference `json:"first_difference,omitempty"`
	// OtherBuild warns that another binary wrote the tape.
	OtherBuild bool   `json:"other_build"`
	Fault      string `json:"fault,omitempty"`
}

// Difference is where replay and audit part.
type Difference struct {
	Seq    uint64 `json:"seq"`
	Audit  string `json:"audit"`
	Replay string `json:"replay"`
}

// errDiffers says that a replay came to other decisions.
var errDiffers = errors.New("the replay differs from the audit")

// Replay runs a tape through a fresh engine and compares every record with the audit, byte for byte.
func Replay(ctx context.Context, o ReplayOptions) (*ReplayReport, error) {
	rd, err := tape.Open(o.Tape)
	if err != nil {
		return nil, &InputError{err}
	}
	defer rd.Close()
	h := rd.Header()
	var meta tapeMeta
	if err := json.Unmarshal(h.Meta, &meta); err != nil {
		return nil, &InputError{fmt.Errorf("%s: the tape's table of instruments cannot be read: %w", o.Tape, err)}
	}
	c, err := ParseConfig(o.Tape, h.Config, meta.Facts)
	if err != nil {
		return nil, err
	}
	a, err := Assemble(c, meta.Facts)
	if err != nil {
		return nil, err
	}
	if r := meta.Rebalancing; r != nil {
		a.only(a.trader(r.Orders), r.Orders)
	}
	t := &Trading{Assembly: a, operator: meta.Operator, opening: meta.Opening}
	if err := t.decider(meta.Epoch); err != nil {
		return nil, err
	}
	r := &ReplayReport{Tape: o.Tape, Audit: o.Audit, Mode: meta.Mode, Build: h.Build, OtherBuild: h.Build != version().build()}
	cmp, err := newComparer(o.Audit, &meta, a, r)
	if err != nil {
		return nil, err
	}
	if err := t.rerun(ctx, rd, cmp, o.Progress); err != nil {
		r.Fault = err.Error()
		return r, &InputError{fmt.Errorf("%s: %w", o.Tape, err)}
	}
	if err := cmp.end(); err != nil {
		return r, err
	}
	sum := cmp.digest.Sum()
	r.Drains, r.Decisions, r.Same = rd.Drains(), hex.EncodeToString(sum[:]), r.First == nil
	if !r.Same {
		return r, fmt.Errorf("%w at record %d of the session: audit %s, replay %s", errDiffers, r.First.Seq, r.First.Audit, r.First.Replay)
	}
	return r, nil
}

// rerun steps every drain of the tape.
func (t *Trading) rerun(ctx context.Context, rd *tape.Reader, cmp *comparer, tell func(int64)) error {
	var b engine.Batch
	var out engine.Out
	for {
		switch err := rd.Next(&b); {
		case err == io.EOF:
			t.Engine.Finish(&out)
			cmp.take(out.Records)
			return nil
		case errors.Is(err, tape.ErrTorn):
			return nil // a killed session: what was taped is compared
		case err != nil:
			return err
		}
		t.Engine.Step(&b, &out)
		cmp.take(out.Records)
		if rd.Drains()&0x3fff == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			if tell != nil {
				tell(int64(rd.Drains()))
			}
		}
	}
}

// comparer formats the replay's records and holds them against the lines of the audit.
type comparer struct {
	format *audit.Formatter
	digest *audit.Digest
	r      *ReplayReport
	next   func() ([]byte, bool) // the session's next line
	stop   func()
	fault  error // of reading lines
	buf    []byte
}

// newComparer proves the audit and walks the lines of one of its sessions beside the replay.
func newComparer(dir string, meta *tapeMeta, a *Assembly, r *ReplayReport) (*comparer, error) {
	if s, err := audit.Verify(dir); err != nil {
		return nil, fmt.Errorf("audit %s does not verify, so there is nothing to compare with: %w", dir, err)
	} else if s.Records == 0 {
		return nil, &InputError{fmt.Errorf("audit %s has no records", dir)}
	}
	c := &comparer{digest: audit.NewDigest(), r: r}
	c.next, c.stop = iter.Pull(func(yield func([]byte) bool) {
		c.fault = audit.Show(dir, audit.Filter{}, func(e *audit.Entry) error {
			if e.Epoch == meta.Epoch && !yield(e.Body()) {
				return errEnough
			}
			return nil
		})
	})
	cat := a.catalogue(meta.Mode, meta.Waiver, meta.Operator)
	cat.Build = r.Build
	var err error
	c.format, err = audit.NewFormatter(meta.Epoch, &cat)
	return c, err
}

// errEnough stops the walk over an audit.
var errEnough = errors.New("enough")

// take compares one drain's records.
func (c *comparer) take(rs []audit.Record) {
	c.digest.Add(rs)
	for i := range rs {
		c.r.Records++
		c.buf = c.format.Append(c.buf[:0], &rs[i])
		want, ok := c.next()
		switch {
		case !ok:
			c.differ(rs[i].Seq, "(no more records)", string(c.buf))
			continue
		case string(want) != string(c.buf):
			c.differ(rs[i].Seq, string(want), string(c.buf))
		}
		c.r.Compared++
	}
}

// end says what the audit has beyond the replay.
func (c *comparer) end() error {
	if want, ok := c.next(); ok {
		c.differ(c.r.Records+1, string(want), "(no more records)")
	}
	c.stop()
	if c.fault != nil && !errors.Is(c.fault, errEnough) {
		return &InputError{c.fault}
	}
	return nil
}

func (c *comparer) differ(seq uint64, want, got string) {
	if c.r.First == nil {
		c.r.First = &Difference{seq, want, got}
	}
}

// Text writes the report for a person.
func (r *ReplayReport) Text(w io.Writer) {
	fmt.Fprintf(w, "%s (%s, build %s)\n%d drains, %d records, %d lines of %s compared\n", r.Tape, r.Mode, r.Build, r.Drains, r.Records, r.Compared, r.Audit)
	if r.OtherBuild {
		fmt.Fprintln(w, "another build wrote this tape; differences may come from that")
	}
	if r.Same {
		fmt.Fprintf(w, "identical: decisions %s\n", r.Decisions)
		return
	}
	if r.First != nil {
		fmt.Fprintf(w, "first difference at record %d\n  audit:  %s\n  replay: %s\n", r.First.Seq, r.First.Audit, r.First.Replay)
	}
}
