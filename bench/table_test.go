package bench

import (
	"math"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRow_meetsItsBarInItsDirection(t *testing.T) {
	for _, c := range []struct {
		name string
		row  Row
		ok   bool
	}{
		{"faster than the bar", Row{Ratio: 7.01, Bar: 7}, true},
		{"at the bar", Row{Ratio: 7, Bar: 7}, true},
		{"slower than the bar", Row{Ratio: 6.99, Bar: 7}, false},
		{"cheaper than the bar", Row{Ratio: 1.14, Bar: 1.15, AtMost: true}, true},
		{"at the bar", Row{Ratio: 1.15, Bar: 1.15, AtMost: true}, true},
		{"dearer than the bar", Row{Ratio: 1.16, Bar: 1.15, AtMost: true}, false},
		{"no bar", Row{Ratio: 0.1}, true},
		{"it allocates", Row{Ratio: 99, Bar: 7, NoAlloc: true, Allocs: 1}, false},
		{"it allocates, and no bar", Row{Ratio: 99, NoAlloc: true, Allocs: 1}, false},
		{"it may allocate", Row{Ratio: 99, Bar: 7, Allocs: 1}, true},
		{"not a number", Row{Ratio: math.NaN(), Bar: 7}, false},
		{"not a number, at most", Row{Ratio: math.NaN(), Bar: 7, AtMost: true}, false},
	} {
		require.Equal(t, c.ok, c.row.OK(), c.name)
	}
}

func TestReport_failsForEveryMissedRow(t *testing.T) {
	r := Report{}
	require.ErrorContains(t, r.Verdict(), "no row")
	r.Rows = []Row{{Group: "A", Name: "good", Ratio: 8, Bar: 7}, {Group: "A", Name: "shown", Ratio: 1}}
	require.NoError(t, r.Verdict())
	r.Rows = append(r.Rows, Row{Group: "B", Name: "slow", Ratio: 6, Bar: 7}, Row{Group: "B", Name: "dear", Ratio: 2, Bar: 1.5, AtMost: true})
	require.ErrorContains(t, r.Verdict(), "B: slow: 6.00, bar >= 7")
	require.ErrorContains(t, r.Verdict(), "B: dear: 2.00, bar <= 1.5")
	require.NotContains(t, r.Verdict().Error(), "good")
	require.Equal(t, 2, r.Missed())
	var table strings.Builder
	require.NoError(t, r.Table(&table))
	require.Contains(t, table.String(), "4 rows, 2 below their bars")
	require.Equal(t, 2, strings.Count(table.String(), "MISSED"))
}

func TestReadPackages_readsWhatGoTestPrints(t *testing.T) {
	lines, err := ReadPackages(strings.NewReader("goos: linux\npkg: oneprice/arb\ncpu: x\nBenchmarkDecide/2-venues-2 \t 100\t 27.60 ns/op\t 0 B/op\nPASS\nok  \toneprice/arb\t0.5s\n"))
	require.NoError(t, err)
	require.Equal(t, []Line{{"oneprice/arb", "Decide/2-venues", "27.60 ns/op, 0 B/op"}}, lines)
	_, err = ReadPackages(strings.NewReader("FAIL\toneprice/arb [build failed]\n"))
	require.ErrorContains(t, err, "build failed")
}

func TestInto_replacesTheTableOnly(t *testing.T) {
	r := Report{Rows: []Row{{Group: "A", Name: "new", Ratio: 1}}}
	doc, err := r.Into("before\n" + Begin + "old\n" + End + "after\n")
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(doc, "before\n"+Begin))
	require.True(t, strings.HasSuffix(doc, End+"after\n"))
	require.Contains(t, doc, "| A: new |")
	require.NotContains(t, doc, "old")
	_, err = r.Into("no marks")
	require.Error(t, err)
}

// TestReadme_showsEveryBenchmark demands a row of every benchmark of this folder in the table that README.md shows.
func TestReadme_showsEveryBenchmark(t *testing.T) {
	if *update {
		require.NoError(t, refresh())
	}
	doc, err := os.ReadFile("README.md")
	require.NoError(t, err)
	files, err := os.ReadDir(".")
	require.NoError(t, err)
	n := 0
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		text, err := os.ReadFile(f.Name())
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`(?m)^func Benchmark(\w+)\(`).FindAllSubmatch(text, -1) {
			n++
			require.True(t, strings.Contains(string(doc), "\n| "+string(m[1])+": "), "README.md has no row of %s; run make bench bench-readme", m[1])
		}
	}
	require.Greater(t, n, 10)
}
