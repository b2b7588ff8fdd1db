package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"oneprice/bench/pair"
)

// report collects the rows of this run.
var report = &Report{}

var (
	packages = flag.String("packages", "", "what go test -bench printed for the packages, to be shown in the table")
	peers    = flag.String("peers", "", "rows measured in bench/peers, a report in JSON")
	update   = flag.Bool("update", false, "TestReadme writes README.md from out/bench.json")
)

// TestMain prints the table of the benchmarks that ran and fails when a row misses its bar.
func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if len(report.Rows) > 0 || *packages != "" {
		if err := errors.Join(finish(), report.Verdict()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// finish collects what was measured elsewhere, and writes table and JSON.
func finish() (err error) {
	report.Date, report.Go, report.Machine = time.Now().UTC().Format("2006-01-02 15:04 UTC"), runtime.Version(), machine()
	if out, err := exec.Command("git", "rev-parse", "--short", "HEAD").Output(); err == nil {
		report.Commit = strings.TrimSpace(string(out))
	}
	if *peers != "" {
		text, fault := os.ReadFile(*peers)
		var more Report
		if fault == nil {
			fault = json.Unmarshal(text, &more)
		}
		report.Rows, err = append(report.Rows, more.Rows...), errors.Join(err, fault)
	}
	if *packages != "" {
		text, fault := os.ReadFile(*packages)
		lines, fault2 := ReadPackages(bytes.NewReader(text))
		report.Packages, err = lines, errors.Join(err, fault, fault2)
	}
	var table, text bytes.Buffer
	err = errors.Join(err, report.Table(&table), report.JSON(&text), os.MkdirAll("../out", 0o755), os.WriteFile("../out/bench.json", text.Bytes(), 0o644))
	fmt.Print(table.String())
	return err
}

// machine is the processor's name and how many we may use.
func machine() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	name := runtime.GOARCH
	if err == nil {
		for l := range strings.Lines(string(text)) {
			if k, v, ok := strings.Cut(l, ":"); ok && strings.TrimSpace(k) == "model name" {
				name = strings.TrimSpace(v)
				break
			}
		}
	}
	return fmt.Sprintf("%d x %s", runtime.NumCPU(), name)
}

const (
	rounds = 61
	slice  = 2 * time.Millisecond
)

// group runs rows once, as the benchmark of that name.
func group(b *testing.B, f func(b *testing.B)) {
	b.Helper()
	if b.N > 1 {
		return
	}
	f(b)
	b.ReportMetric(0, "ns/op")
}

// faster adds a row: how many times faster ours is than base.
func faster(b *testing.B, name string, ours, base *pair.Result, bar float64, noAlloc bool) {
	q, lo, hi := ours.Ratio(base)
	add(b, Row{Name: name, Base: base.Name, Ratio: q, Low: lo, High: hi, Bar: bar, Ns: ours.Median(), BaseNs: base.Median(), Allocs: ours.Allocs, NoAlloc: noAlloc})
}

// costs adds a row: how many times base ours costs.
func costs(b *testing.B, name string, ours, base *pair.Result, bar float64, noAlloc bool) {
	q, lo, hi := base.Ratio(ours)
	add(b, Row{Name: name, Base: base.Name, Ratio: q, Low: lo, High: hi, Bar: bar, AtMost: true, Ns: ours.Median(), BaseNs: base.Median(), Allocs: ours.Allocs, NoAlloc: noAlloc})
}

func add(b *testing.B, r Row) {
	r.Group = strings.TrimPrefix(b.Name(), "Benchmark")
	if i := strings.LastIndex(r.Group, "-"); i > 0 {
		r.Group = r.Group[:i]
	}
	if slices.ContainsFunc(report.Rows, func(x Row) bool { return x.Group == r.Group && x.Name == r.Name && x.Base == r.Base }) {
		return
	}
	report.Rows = append(report.Rows, r)
	b.ReportMetric(r.Ratio, strings.ReplaceAll(r.Name, " ", "_")+"-x")
}

// folder is where a benchmark keeps its audit: in memory where there is such a file system.
func folder(b testing.TB) string {
	if dir, err := os.MkdirTemp("/dev/shm", "oneprice-bench-"); err == nil {
		b.Cleanup(func() { os.RemoveAll(dir) })
		return dir
	}
	return filepath.Join(b.TempDir(), "audit")
}

// refresh writes the table of the last run into README.md.
func refresh() error {
	text, err := os.ReadFile("../out/bench.json")
	if err != nil {
		return err
	}
	var last Report
	if err := json.Unmarshal(text, &last); err != nil {
		return err
	}
	doc, err := os.ReadFile("README.md")
	if err != nil {
		return err
	}
	now, err := last.Into(string(doc))
	if err != nil {
		return err
	}
	return os.WriteFile("README.md", []byte(now), 0o644)
}
