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
	"encoding/json"
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

// Table writes the rows as a Markdown table.
func (r *Report) Table(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s, %s, commit %s\n\n", r.Date, r.Machine, r.Go, r.Commit)
	b.WriteString("| row | against | ratio | 10-90 % | bar | ns | base ns | allocs | |\n|---|---|---|---|---|---|---|---|---|\n")
	for i := range r.Rows {
		x := &r.Rows[i]
		fmt.Fprintf(&b, "| %s: %s | %s | %.2f | %.2f-%.2f | %s | %.1f | %.1f | %.3g | %s |\n", x.Group, x.Name, x.Base, x.Ratio, x.Low, x.High, x.bar(), x.Ns, x.BaseNs, x.Allocs, x.verdict())
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// JSON writes the report.
func (r *Report) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
