package rules

import (
	"go/ast"
	"go/token"
	"strings"
)

// owned names the fields of the Desk that one package alone may assign, wherever the assignment stands, and the value
// types that one package alone may build. Tests may build what they need, and so may the cards of feeds/conform, which are
// tests.
var owned = []struct{ field, owner string }{
	{"Positions", "risk/ledger"},
	{"Balances", "risk/ledger"},
	{"Orders", "engine/orders"},
	{"Working", "engine/orders"},
	{"Live", "engine/orders"},
}

var built = []struct{ typ, owner string }{
	{"venue.Command", "risk"},
	{"risk.Approved", "risk"},
}

// writers checks who assigns what.
func writers(s *source) []Violation {
	if s.test || s.dir == "books/desk" || s.dir == "feeds/conform" || s.dir == "bench/rules" {
		return nil
	}
	var out []Violation
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.AssignStmt:
			if x.Tok == token.DEFINE {
				return true
			}
			for _, l := range x.Lhs {
				out = append(out, assigned(s, l)...)
			}
		case *ast.IncDecStmt:
			out = append(out, assigned(s, x.X)...)
		case *ast.CompositeLit:
			for _, b := range built {
				if sel, ok := x.Type.(*ast.SelectorExpr); ok && name(sel) == b.typ && s.dir != b.owner && len(x.Elts) > 0 {
					out = append(out, Violation{s.name, s.line(x.Pos()), "who may write", b.typ + " is built by " + b.owner + " only"})
				}
			}
		}
		return true
	})
	return out
}

// assigned reports a write to an owned field of a Desk: an expression such as d.Positions[i].Qty or desk.Live[i].
func assigned(s *source, e ast.Expr) []Violation {
	indexed := false
	for {
		switch x := e.(type) {
		case *ast.IndexExpr:
			e, indexed = x.X, true
		case *ast.ParenExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.SelectorExpr:
			if indexed {
				for _, o := range owned {
					if x.Sel.Name == o.field && s.dir != o.owner && deskLike(x.X) {
						return []Violation{{s.name, s.line(x.Pos()), "who may write", "Desk." + o.field + " is written by " + o.owner + " only"}}
					}
				}
			}
			e, indexed = x.X, false
		default:
			return nil
		}
	}
}

// deskLike reports whether an expression is, by its name, a Desk: d, desk, or a field of that name.
func deskLike(e ast.Expr) bool {
	switch x := e.(type) {
	case *ast.Ident:
		return x.Name == "d" || strings.EqualFold(x.Name, "desk")
	case *ast.SelectorExpr:
		return x.Sel.Name == "d" || strings.EqualFold(x.Sel.Name, "desk")
	case *ast.CallExpr:
		if f, ok := x.Fun.(*ast.SelectorExpr); ok {
			return strings.EqualFold(f.Sel.Name, "desk")
		}
	}
	return false
}

func name(s *ast.SelectorExpr) string {
	if x, ok := s.X.(*ast.Ident); ok {
		return x.Name + "." + s.Sel.Name
	}
	return s.Sel.Name
}
