package rules

import (
	"os"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

func TestRepository_obeysTheHouseRules(t *testing.T) {
	vs, err := Check(os.DirFS("../.."))
	require.NoError(t, err)
	for _, v := range vs {
		t.Error(v)
	}
}

func TestPlantedViolation_isFound(t *testing.T) {
	long := "// Package x is long.\npackage x\n"
	for range maxFile {
		long += "var _ = 0\n"
	}
	fn := "// Package x has a long function.\npackage x\n\nfunc f() {\n"
	for range maxFunc {
		fn += "\t_ = 0\n"
	}
	fn += "}\n"
	cases := []struct{ name, file, text, rule string }{
		{"feed imports engine", "feeds/kraken/x.go", "// Package x.\npackage x\n\nimport _ \"oneprice/engine\"\n", "import order"},
		{"venue imports another venue", "feeds/kraken/x.go", "// Package x.\npackage x\n\nimport _ \"oneprice/feeds/binance\"\n", "import order"},
		{"books import risk", "books/x.go", "// Package x.\npackage x\n\nimport _ \"oneprice/risk\"\n", "import order"},
		{"arb imports quoting", "arb/x.go", "// Package x.\npackage x\n\nimport _ \"oneprice/quoting\"\n", "import order"},
		{"engine imports paper", "engine/x.go", "// Package x.\npackage x\n\nimport _ \"oneprice/engine/paper\"\n", "import order"},
		{"folder without a line", "stray/x.go", "// Package x.\npackage x\n", "import order"},
		{"float in books", "books/x.go", "// Package x.\npackage x\n\nvar f float64\n", "banned word"},
		{"clock in risk", "risk/x.go", "// Package x.\npackage x\n\nimport \"time\"\n\nvar t = time.Now()\n", "banned word"},
		{"sleep in a test", "books/x_test.go", "package x\n\nimport \"time\"\n\nfunc f() { time.Sleep(1) }\n", "banned word"},
		{"unfinished work", "books/x.go", "// Package x.\npackage x // TODO later\n", "banned word"},
		{"long file", "books/x.go", long, "size"},
		{"long function", "books/x.go", fn, "size"},
		{"exported without a comment", "books/x.go", "// Package x.\npackage x\n\nfunc Open() {\n\t_ = 0\n}\n", "doc comment"},
		{"package without a comment", "books/x.go", "package x\n", "doc comment"},
		{"position written outside the ledger", "engine/x.go", "// Package x.\npackage x\n\nfunc f() { d.Positions[1].Qty = 5 }\n", "who may write"},
		{"order written outside the table", "arb/x.go", "// Package x.\npackage x\n\nfunc f() { d.Orders[1].Filled++ }\n", "who may write"},
		{"command built outside risk", "arb/x.go", "// Package x.\npackage x\n\nvar c = venue.Command{Op: 1}\n", "who may write"},
		{"visible file at the root", "notes.txt", "", "top level"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			vs, err := Check(fstest.MapFS{c.file: {Data: []byte(c.text)}})
			require.NoError(t, err)
			found := false
			for _, v := range vs {
				found = found || v.Rule == c.rule
			}
			require.True(t, found, "unexpected silence about %q; got %v", c.rule, vs)
		})
	}
}

func TestTidyTree_hasNoViolation(t *testing.T) {
	vs, err := Check(fstest.MapFS{"books/x.go": {Data: []byte("// Package books is tidy.\npackage books\n\nimport _ \"oneprice/books/fixed\"\n")}})
	require.NoError(t, err)
	require.Empty(t, vs)
}
