// Package bench holds the latency budgets: every row is a ratio between the product and a baseline measured in the same
// process and run, with a bar that it must meet. `make bench` runs them, prints one table, writes out/bench.json, and
// fails when a bar is missed.
//
// Ownership: rows are collected by one goroutine.
//
// Decisions
//   - 2026-11-25: the rows are benchmarks of this package, so that the ordinary tools pick and run one of them; a row runs
//     once, whatever -benchtime says, since its rounds are its own.
package bench

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Row is one measured ratio.
type Row struct {
	Group string `json:"group"`
	Name  string `json:"name"`
	// Base is what it is held against.
	Base string `json:"base"`
	// Ratio is the median of same-round ratios, Low and High their 10th and 90th percentiles. It says how many times
	// faster than Base, or where AtMost is set, how many times Base it costs.
	Ratio float64 `json:"ratio"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
	// Bar is what Ratio must reach, or with AtMost must not exceed; 0 for a row that is only shown.
	Bar    float64 `json:"bar,omitempty"`
	AtMost bool    `json:"at_most,omitempty"`
	// Ns and BaseNs are median times, for the reader only.
	Ns     float64 `json:"ns"`
	BaseNs float64 `json:"base_ns"`
	// Allocs per operation, where counted; a row of the hot path must have none.
	Allocs  float64 `json:"allocs"`
	NoAlloc bool    `json:"no_alloc,omitempty"`
}

// OK reports whether the row meets its bar.
func (r *Row) OK() bool {
	switch {
	case r.NoAlloc && r.Allocs >= 0.001: // less is the growth of something that stays
		return false
	case r.Bar == 0:
		return true
	case r.AtMost:
		return r.Ratio <= r.Bar
	}
	return r.Ratio >= r.Bar
}

// verdict is the last column.
func (r *Row) verdict() string {
	switch {
	case !r.OK():
		return "MISSED"
	case r.Bar == 0:
		return "shown"
	}
	return "ok"
}

// bar is the bar as text.
func (r *Row) bar() string {
	switch {
	case r.Bar == 0:
		return "-"
	case r.AtMost:
		return fmt.Sprintf("<= %.4g", r.Bar)
	}
	return fmt.Sprintf(">= %.4g", r.Bar)
}

// Report is what a run gives.
type Report struct {
	Date    string `json:"date"`
	Machine string `json:"machine"`
	Go      string `json:"go"`
	Commit  string `json:"commit"`
	Rows    []Row  `json:"rows"`
	// Packages are the benchmarks of the packages themselves: shown, without bars.
	Packages []Line `json:"packages,omitempty"`
}

// Line is one benchmark of a package with what it reported.
type Line struct {
	Package string `json:"package"`
	Name    string `json:"name"`
	Figures string `json:"figures"`
}

// ReadPackages reads what `go test -bench` printed. A package that failed is an error.
func ReadPackages(in io.Reader) (out []Line, err error) {
	of := ""
	for lines := bufio.NewScanner(in); lines.Scan(); {
		l := lines.Text()
		if name, ok := strings.CutPrefix(l, "pkg: "); ok {
			of = name
		}
		if strings.HasPrefix(l, "FAIL") || strings.HasPrefix(l, "--- FAIL") {
			err = errors.Join(err, fmt.Errorf("a package's benchmarks failed: %s", l))
		}
		f := strings.Fields(l)
		if len(f) < 4 || !strings.HasPrefix(f[0], "Benchmark") {
			continue
		}
		x := Line{Package: of, Name: strings.TrimPrefix(f[0], "Benchmark")}
		if i := strings.LastIndex(x.Name, "-"); i > 0 {
			x.Name = x.Name[:i] // the number of processors
		}
		for i := 2; i+1 < len(f); i += 2 {
			x.Figures += f[i] + " " + f[i+1] + ", "
		}
		x.Figures = strings.TrimSuffix(x.Figures, ", ")
		out = append(out, x)
	}
	return out, err
}

// Missed counts the rows below their bars.
func (r *Report) Missed() int {
	n := 0
	for i := range r.Rows {
		if !r.Rows[i].OK() {
			n++
		}
	}
	return n
}

// Table writes the rows as a Markdown table, those of the packages below.
func (r *Report) Table(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s, %s, commit %s: %d rows, %d below their bars.\n\n", r.Date, r.Machine, r.Go, r.Commit, len(r.Rows), r.Missed())
	b.WriteString("| row | against | ratio | 10–90 % | bar | ns | base ns | allocs | |\n|---|---|---|---|---|---|---|---|---|\n")
	for i := range r.Rows {
		x := &r.Rows[i]
		fmt.Fprintf(&b, "| %s: %s | %s | %.2f | %.2f-%.2f | %s | %.1f | %.1f | %.3g | %s |\n", x.Group, x.Name, x.Base, x.Ratio, x.Low, x.High, x.bar(), x.Ns, x.BaseNs, x.Allocs, x.verdict())
	}
	if len(r.Packages) > 0 {
		b.WriteString("\n| benchmark of a package | figures |\n|---|---|\n")
	}
	for _, l := range r.Packages {
		fmt.Fprintf(&b, "| %s %s | %s |\n", strings.TrimPrefix(l.Package, "oneprice/"), l.Name, l.Figures)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Verdict says what the run comes to: an error that names every row below its bar, or that there was none at all.
func (r *Report) Verdict() error {
	if len(r.Rows) == 0 {
		return errors.New("bench: no row was measured")
	}
	var missed []error
	for i := range r.Rows {
		if x := &r.Rows[i]; !x.OK() {
			missed = append(missed, fmt.Errorf("bench: %s: %s: %.2f, bar %s, %.3g allocations", x.Group, x.Name, x.Ratio, x.bar(), x.Allocs))
		}
	}
	return errors.Join(missed...)
}

// The marks between which a document shows the table.
const (
	Begin = "<!-- the table, written by make bench-readme -->\n"
	End   = "<!-- end of the table -->\n"
)

// Into puts the table into a document in place of the one it shows.
func (r *Report) Into(doc string) (string, error) {
	i, j := strings.Index(doc, Begin), strings.Index(doc, End)
	if i < 0 || j < i {
		return "", errors.New("bench: the document has no place for the table")
	}
	var b strings.Builder
	if err := r.Table(&b); err != nil {
		return "", err
	}
	return doc[:i+len(Begin)] + b.String() + doc[j:], nil
}

// JSON writes the report.
func (r *Report) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
