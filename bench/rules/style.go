package rules

import (
	"go/ast"
	"go/token"
	"regexp"
	"strconv"
	"strings"
)

// banned are words that may not stand in the code of some folders, with what to use instead.
var banned = []struct {
	word    *regexp.Regexp
	folders string // space separated prefixes; "" is everywhere
	except  string
	tests   bool
	instead string
}{
	{regexp.MustCompile(`\bfloat(32|64)\b`), "books risk arb engine feeds quoting", "quoting/model", false, "an integer of package fixed, or shopspring/decimal at an edge"},
	{regexp.MustCompile(`\btime\.Now\(`), "books risk arb quoting engine/orders engine/legs engine/paper engine/tape", "", false, "Now as an argument; only the loop and feeds/wire read a clock"},
	{regexp.MustCompile(`\bmath/rand`), "books risk arb quoting engine", "", false, "nothing: decisions are deterministic"},
	{regexp.MustCompile(`\btime\.Sleep\(`), "", "", true, "a condition, a channel or testing/synctest"},
	{regexp.MustCompile(`\brecover\(\)`), "books risk arb quoting engine", "", false, "a stop: a broken invariant ends the process"},
	{regexp.MustCompile(`\bfmt\.Print`), "books risk arb quoting engine feeds", "", false, "a returned value; printing is for cmd"},
	{regexp.MustCompile(`"log"|"log/slog"`), "books risk arb quoting", "", false, "a Reason or a counter"},
	{regexp.MustCompile(`"encoding/json"`), "books risk arb quoting ", "", false, "fastjson on cold paths"},
	{regexp.MustCompile(`"sync"`), "books/desk risk arb quoting engine/orders engine/legs engine/paper", "", false, "one owner: the engine goroutine"},
	{regexp.MustCompile(`\b(TODO|FIXME|XXX)\b`), "", "bench/rules", true, "an issue, or the work itself"},
}

// words finds banned words outside comments of other folders.
func words(s *source) []Violation {
	var out []Violation
	for _, b := range banned {
		if s.test && !b.tests || b.except != "" && within(s.dir, b.except) || s.dir == "bench/rules" || !inFolders(s.dir, b.folders) {
			continue
		}
		n := 0
		for l := range strings.Lines(s.text) {
			n++
			code := l
			if i := strings.Index(l, "//"); i >= 0 && !strings.Contains(b.word.String(), "TODO") {
				code = l[:i]
			}
			if m := b.word.FindString(code); m != "" {
				out = append(out, Violation{s.name, n, "banned word", m + ": use " + b.instead})
			}
		}
	}
	return out
}

func inFolders(dir, folders string) bool {
	if folders == "" {
		return true
	}
	for _, f := range strings.Fields(folders) {
		if within(dir, f) {
			return true
		}
	}
	return false
}

const (
	maxFile, maxTestFile, maxFunc = 500, 800, 70
)

// sizes bounds files and functions.
func sizes(s *source) []Violation {
	var out []Violation
	limit := maxFile
	if s.test {
		limit = maxTestFile
	}
	if s.lines > limit {
		out = append(out, Violation{s.name, 1, "size", "file has " + strconv.Itoa(s.lines) + " lines; at most " + strconv.Itoa(limit)})
	}
	for _, d := range s.file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || s.test {
			continue
		}
		if n := s.line(f.End()) - s.line(f.Pos()) + 1; n > maxFunc {
			out = append(out, Violation{s.name, s.line(f.Pos()), "size", f.Name.Name + " has " + strconv.Itoa(n) + " lines; at most " + strconv.Itoa(maxFunc)})
		}
	}
	return out
}

// docs asks for a comment on every exported type and function; a group of constants or one-line methods next to each
// other may share the comment of the first.
func docs(s *source) []Violation {
	if s.test {
		return nil
	}
	var out []Violation
	covered := 0 // the line up to which the last comment's block reaches
	for _, d := range s.file.Decls {
		start, end := s.line(d.Pos()), s.line(d.End())
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Doc != nil || start == covered+1 && start == end {
				covered = end
				continue
			}
			if d.Name.IsExported() && exportedRecv(d) && !wellKnown[d.Name.Name] {
				out = append(out, Violation{s.name, start, "doc comment", d.Name.Name + " is exported and has none"})
			}
		case *ast.GenDecl:
			if d.Tok != token.TYPE || d.Doc != nil {
				continue
			}
			for _, sp := range d.Specs {
				if t := sp.(*ast.TypeSpec); t.Name.IsExported() && t.Doc == nil && t.Comment == nil {
					out = append(out, Violation{s.name, s.line(t.Pos()), "doc comment", t.Name.Name + " is exported and has none"})
				}
			}
		}
	}
	return out
}

// wellKnown are methods whose meaning their interface fixes.
var wellKnown = map[string]bool{"String": true, "Error": true, "Unwrap": true, "Is": true, "MarshalJSON": true, "UnmarshalYAML": true, "Len": true, "Less": true, "Swap": true}

// exportedRecv reports whether a function is visible outside: a method of an unexported type is not.
func exportedRecv(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return true
	}
	t := f.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return true
		}
	}
}

// packageDocs asks for a package comment in some file of every package that is not a main.
func packageDocs(files []*source) []Violation {
	has, first := map[string]bool{}, map[string]*source{}
	for _, s := range files {
		if s.test {
			continue
		}
		if first[s.dir] == nil {
			first[s.dir] = s
		}
		if s.file.Doc != nil {
			has[s.dir] = true
		}
	}
	var out []Violation
	for dir, s := range first {
		if !has[dir] {
			out = append(out, Violation{s.name, 1, "doc comment", "package " + s.file.Name.Name + " has no package comment"})
		}
	}
	return out
}
