package rules

import (
	"strconv"
	"strings"
)

// layers is the allowed import order, one line per folder prefix, longest match first: what it may import of ours. A
// folder may always import itself and what lies beneath it where a line says "own".
const layers = `
books/fixed:
books/planted:
books/venue:        books/fixed books/planted
books/match:        books/fixed books/venue
books/desk:         books/fixed books/venue books
books:              books/fixed books/venue
feeds/wire:         books feeds/sign own
feeds/sign:         books own
feeds/recording:    books feeds/wire own
feeds/evm:          books feeds/wire feeds/sign own
feeds/venuesim:     books feeds/wire feeds/recording own
feeds/conform:      books feeds own
feeds/*:            books feeds/wire feeds/sign feeds/evm feeds/venuesim own
feeds:              books feeds
risk/ledger:        books own
risk/sizing:        books own
risk/stops:         books own
risk:               books risk
arb:                books own
quoting:            books own
engine/ring:        books
engine/orders:      books
engine/legs:        books
engine/stats:       books
engine/mapped:
engine/audit:       books engine/mapped
engine/journal:     books engine/mapped engine/orders
engine/paper:       books engine
engine/tape:        books engine
engine/console:     books engine risk
engine/recovery:    books risk risk/ledger risk/stops engine/journal engine/orders
engine:             books risk engine/ring engine/orders engine/legs engine/audit engine/journal engine/stats
cmd:                books feeds risk arb quoting engine cmd
bench:              books feeds risk arb quoting engine cmd bench
`

type layer struct {
	prefix string
	may    []string
}

var order = parseLayers(layers)

func parseLayers(text string) []layer {
	var out []layer
	for l := range strings.Lines(strings.TrimSpace(text)) {
		prefix, may, _ := strings.Cut(l, ":")
		out = append(out, layer{strings.TrimSpace(prefix), strings.Fields(may)})
	}
	return out
}

// layerOf finds the line for a folder: the first whose prefix fits.
func layerOf(dir string) (layer, bool) {
	for _, l := range order {
		if star, ok := strings.CutSuffix(l.prefix, "/*"); ok && strings.HasPrefix(dir, star+"/") {
			return l, true
		}
		if within(dir, l.prefix) {
			return l, true
		}
	}
	return layer{}, false
}

func within(dir, prefix string) bool { return dir == prefix || strings.HasPrefix(dir, prefix+"/") }

// imports checks one file against the order. Tests of a venue may also use its simulator, the cards and the chassis;
// tests anywhere may use what is below them and their own package.
func imports(s *source) []Violation {
	l, known := layerOf(s.dir)
	if !known {
		return []Violation{{s.name, 1, "import order", "folder " + s.dir + " has no line in bench/rules/imports.go"}}
	}
	var out []Violation
	for _, im := range s.file.Imports {
		p, err := strconv.Unquote(im.Path.Value)
		ours, ok := strings.CutPrefix(p, "oneprice/")
		if err != nil || !ok || allowedImport(l, s, ours) {
			continue
		}
		out = append(out, Violation{s.name, s.line(im.Pos()), "import order", s.dir + " may not import " + ours})
	}
	return out
}

func allowedImport(l layer, s *source, ours string) bool {
	if s.test && within(ours, "feeds/conform") && strings.HasPrefix(s.dir, "feeds/") {
		return true
	}
	if s.test && (ours == s.dir || strings.HasPrefix(s.dir, "engine") && (within(ours, "risk") || within(ours, "engine"))) {
		return true
	}
	for _, m := range l.may {
		if m == "own" {
			m = ownRoot(l, s.dir)
		}
		if within(ours, m) && !(m == "books" && s.dir == "books") {
			return true
		}
	}
	return false
}

// ownRoot is the folder that "own" stands for: the venue's own under feeds, else the line's prefix.
func ownRoot(l layer, dir string) string {
	if star, ok := strings.CutSuffix(l.prefix, "/*"); ok {
		name, _, _ := strings.Cut(strings.TrimPrefix(dir, star+"/"), "/")
		return star + "/" + name
	}
	return l.prefix
}
