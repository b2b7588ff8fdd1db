// Package rules holds the house rules as checks over a source tree: the import order, banned words by folder, sizes, doc
// comments, who may write what, and the visible top level. Its test runs them over this repository and over planted
// violations.
//
// Ownership: pure functions over an fs.FS.
//
// Decisions
//   - 2026-11-25: go/parser and go/ast, not a linter plugin: the rules need no types, and a newcomer can read them.
package rules

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"sort"
	"strings"
)

// Violation is one broken rule.
type Violation struct {
	File string
	Line int
	Rule string
	Text string
}

func (v Violation) String() string {
	return fmt.Sprintf("%s:%d: %s: %s", v.File, v.Line, v.Rule, v.Text)
}

// source is one parsed file.
type source struct {
	name, dir string
	test      bool
	lines     int
	fset      *token.FileSet
	file      *ast.File
	text      string
}

func (s *source) line(p token.Pos) int { return s.fset.Position(p).Line }

// Check runs every rule over the tree.
func Check(tree fs.FS) ([]Violation, error) {
	files, err := load(tree)
	if err != nil {
		return nil, err
	}
	var out []Violation
	for _, s := range files {
		out = append(out, imports(s)...)
		out = append(out, words(s)...)
		out = append(out, sizes(s)...)
		out = append(out, docs(s)...)
		out = append(out, writers(s)...)
	}
	out = append(out, packageDocs(files)...)
	top, err := topLevel(tree)
	if err != nil {
		return nil, err
	}
	out = append(out, top...)
	sort.Slice(out, func(i, j int) bool {
		return out[i].File < out[j].File || out[i].File == out[j].File && out[i].Line < out[j].Line
	})
	return out, nil
}

// load parses every Go file outside testdata and hidden folders. A nested module is not ours to judge here.
func load(tree fs.FS) ([]*source, error) {
	var out []*source
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "bin" || d.Name() == "out") {
				return fs.SkipDir
			}
			if name != "." {
				if _, err := fs.Stat(tree, path.Join(name, "go.mod")); err == nil {
					return fs.SkipDir
				}
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		b, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		s := &source{name: name, dir: path.Dir(name), test: strings.HasSuffix(name, "_test.go"), fset: token.NewFileSet(), text: string(b)}
		s.lines = strings.Count(s.text, "\n")
		s.file, err = parser.ParseFile(s.fset, name, b, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		out = append(out, s)
		return nil
	})
	return out, err
}

// topLevel says what may be seen at the root.
func topLevel(tree fs.FS) ([]Violation, error) {
	allowed := " engine books feeds quoting arb risk bench cmd go.mod go.sum Makefile README.md bin out "
	es, err := fs.ReadDir(tree, ".")
	if err != nil {
		return nil, err
	}
	var out []Violation
	for _, e := range es {
		if n := e.Name(); !strings.HasPrefix(n, ".") && !strings.Contains(allowed, " "+n+" ") {
			out = append(out, Violation{n, 0, "top level", "not one of" + allowed})
		}
	}
	return out, nil
}
