package app

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// tests are the test functions of a package, and every string that its files hold.
func tests(t *testing.T, pkg string) (names, text map[string]bool) {
	names, text = map[string]bool{}, map[string]bool{}
	files, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(pkg), "*.go"))
	require.NoError(t, err)
	require.NotEmpty(t, files, pkg)
	for _, path := range files {
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Recv == nil && strings.HasPrefix(n.Name.Name, "Test") && strings.HasSuffix(path, "_test.go") {
					names[n.Name.Name] = true
				}
			case *ast.BasicLit:
				if n.Kind == token.STRING {
					s, err := strconv.Unquote(n.Value)
					require.NoError(t, err)
					text[s] = true
				}
			}
			return true
		})
	}
	return names, text
}

// The checklist names tests that are there, each control of the issue once, with a limit and where it is enforced.
func TestControls_nameTestsThatExist(t *testing.T) {
	c, err := ReadConfig("demo", nil)
	require.NoError(t, err)
	have := map[string]bool{}
	for _, x := range c.Controls() {
		require.False(t, have[x.Control], x.Control)
		have[x.Control] = true
		require.NotEmpty(t, x.Limit, x.Control)
		require.NotEmpty(t, x.Enforced, x.Control)
		require.NotEmpty(t, x.Tests, x.Control)
		for _, ref := range x.Tests {
			names, text := tests(t, ref.Package)
			require.True(t, names[ref.Test], "%s: there is no %s", x.Control, ref.text())
			require.True(t, ref.Case == "" || text[ref.Case], "%s: there is no case of %s", x.Control, ref.text())
		}
	}
	for _, want := range []string{"maximum order value", "maximum order size", "price collar", "aggregate exposure", "duplicate orders", "message limits", "repeated executions",
		"permissions", "kill", "kill of a venue", "kill of a strategy", "dead-man", "reduce-only", "self-match", "feed quality", "alerts", "reconciliation", "entering = leaving",
		"attribution", "clock", "breaker", "daily loss", "drawdown", "orders per day"} {
		require.True(t, have[want], want)
		delete(have, want)
	}
	require.Empty(t, have)
}

func TestCheck_printsTheControls(t *testing.T) {
	var out, errs bytes.Buffer
	require.Equal(t, ExitOK, Main([]string{"check", "demo", "--controls"}, &out, &errs), errs.String())
	require.Contains(t, out.String(), "maximum order value")
	require.Contains(t, out.String(), "risk.Gate: max_notional")
	out.Reset()
	require.Equal(t, ExitOK, Main([]string{"check", "demo", "--controls", "--json"}, &out, &errs), errs.String())
	var r ControlsReport
	require.NoError(t, json.Unmarshal(out.Bytes(), &r))
	c, err := ReadConfig("demo", nil)
	require.NoError(t, err)
	require.Equal(t, c.Controls(), r.Controls)
	require.Equal(t, ExitUsage, Main([]string{"check", "demo", "--controls", "--live"}, &out, &errs))
}
