package app

import (
	"fmt"
	"reflect"
	"sort"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Fault is one thing wrong with a config: where, what, and what to write instead.
type Fault struct {
	// Line is the line in the file, 0 when it concerns the whole.
	Line int `json:"line"`
	// Path names the field: venues.binance.fees.maker, products.BTC.instruments[1].
	Path string `json:"path"`
	Text string `json:"fault"`
}

func (f Fault) String() string {
	switch {
	case f.Line == 0 && f.Path == "":
		return f.Text
	case f.Line == 0:
		return f.Path + ": " + f.Text
	case f.Path == "":
		return fmt.Sprintf("line %d: %s", f.Line, f.Text)
	}
	return fmt.Sprintf("line %d: %s: %s", f.Line, f.Path, f.Text)
}

// Faults is every fault of a config at once, in the order of its lines.
type Faults []Fault

func (fs Faults) Error() string { return (&ConfigError{"config", fs}).Error() }

// ConfigError is why a config cannot be used.
type ConfigError struct {
	Path   string
	Faults Faults
}

func (e *ConfigError) Error() string {
	if len(e.Faults) == 1 {
		return e.Path + ": " + e.Faults[0].String()
	}
	text := fmt.Sprintf("%s: %d faults:", e.Path, len(e.Faults))
	for _, f := range e.Faults {
		text += "\n  " + f.String()
	}
	return text
}

// walker fills a tree of structs from YAML nodes. Rules, all of them faults with line and path when broken: a mapping's
// keys are the struct's yaml tags and nothing else; each key at most once; a field without the tag option "optional"
// must be there; scalars are read from their text by the field's own type, never through a float.
type walker struct {
	faults Faults
	// where is the line of each path that was present.
	where map[string]int
	// partial switches the check for missing fields off, for overrides of a default.
	partial bool
	// given are the fields that the structure walked next has from a default.
	given map[string]bool
	// form is the number of faults of form, once the second pass runs.
	form int
}

// scalar is a field that reads itself from the text of a YAML scalar. The answer is "" or what to write instead.
type scalar interface{ read(text string) string }

// composite is a field that reads itself from a node.
type composite interface {
	walk(w *walker, n *yaml.Node, path string)
}

// line is where a path stands, or what holds it where the path itself was not written.
func (w *walker) line(path string) int {
	for path != "" {
		if n := w.where[path]; n != 0 {
			return n
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return 0
}

// meaning opens the second pass, over what the first has read. A field that is at fault already is left alone then.
func (w *walker) meaning() { w.form = len(w.faults) }

func (w *walker) fault(line int, path, format string, args ...any) {
	for _, f := range w.faults[:w.form] {
		if path != "" && (f.Path == path || strings.HasPrefix(f.Path, path+".") || strings.HasPrefix(path, f.Path+".") && f.Path != "") {
			return
		}
	}
	w.faults = append(w.faults, Fault{line, path, fmt.Sprintf(format, args...)})
}

// value fills v from n.
func (w *walker) value(n *yaml.Node, v reflect.Value, path string) {
	w.where[path] = n.Line
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		w.fault(n.Line, path, "anchors and aliases are not read here; write the value out")
		return
	}
	switch f := v.Addr().Interface().(type) {
	case scalar:
		w.scalar(n, f, path)
		return
	case composite:
		f.walk(w, n, path)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		w.structure(n, v, path)
	case reflect.Slice:
		w.list(n, v, path)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		w.value(n, v.Elem(), path)
	default:
		panic("config: a field of kind " + v.Kind().String() + " at " + path)
	}
}

func (w *walker) scalar(n *yaml.Node, f scalar, path string) {
	if n.Kind != yaml.ScalarNode {
		w.fault(n.Line, path, "one value belongs here, not %s", kindOf(n))
		return
	}
	if n.Tag == "!!null" {
		w.fault(n.Line, path, "has no value; write one or take the line out")
		return
	}
	if what := f.read(n.Value); what != "" {
		w.fault(n.Line, path, "%s", what)
	}
}

// structure fills a struct from a mapping.
func (w *walker) structure(n *yaml.Node, v reflect.Value, path string) {
	seen, given, partial := map[string]bool{}, w.given, w.partial
	w.given, w.partial = nil, false // groups within are whole or not there
	defer func() { w.partial = partial }()
	w.members(n, path, func(key, val *yaml.Node) {
		i, known := fieldOf(v.Type(), key.Value)
		if !known {
			w.fault(key.Line, join(path, key.Value), "there is no such field%s", nearest(key.Value, namesOf(v.Type())))
			return
		}
		seen[key.Value] = true
		w.value(val, v.Field(i), join(path, key.Value))
	})
	if partial || n.Kind != yaml.MappingNode {
		return
	}
	for i := range v.NumField() {
		name, options, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		if name != "" && options != "optional" && !seen[name] && !given[name] {
			w.fault(n.Line, join(path, name), "is missing; %s", v.Type().Field(i).Tag.Get("want"))
		}
	}
}

// members calls do for each pair of a mapping, and faults anything else and repeated keys.
func (w *walker) members(n *yaml.Node, path string, do func(key, val *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		w.fault(n.Line, path, "fields belong here (name: value), not %s", kindOf(n))
		return
	}
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, val := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			w.fault(key.Line, path, "a field's name must be plain text")
			continue
		}
		if line, twice := first[key.Value]; twice {
			w.fault(key.Line, join(path, key.Value), "was given on line %d already; keep one of them", line)
			continue
		}
		first[key.Value] = key.Line
		do(key, val)
	}
}

func (w *walker) list(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.SequenceNode {
		w.fault(n.Line, path, "a list belongs here ([a, b] or lines that begin with -), not %s", kindOf(n))
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, item := range n.Content {
		w.value(item, v.Index(i), path+"["+strconv.Itoa(i)+"]")
	}
}

func fieldOf(t reflect.Type, name string) (int, bool) {
	for i := range t.NumField() {
		if tag, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ","); tag == name && tag != "" {
			return i, true
		}
	}
	return 0, false
}

func namesOf(t reflect.Type) (names []string) {
	for i := range t.NumField() {
		if tag, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ","); tag != "" {
			names = append(names, tag)
		}
	}
	return names
}

func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a group of fields"
	case yaml.SequenceNode:
		return "a list"
	}
	return strconv.Quote(shorten(n.Value))
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// shorten keeps faults on one readable line, and what may be a secret out of it.
func shorten(s string) string {
	if secretLike(s) {
		return "(hidden)"
	}
	if len(s) > 40 {
		return s[:37] + "..."
	}
	return s
}

// nearest proposes the known name that is closest, or lists them.
func nearest(name string, known []string) string {
	if len(known) == 0 {
		return ""
	}
	best, least := "", len(name)/2+1
	for _, k := range known {
		if d := distance(name, k); d < least {
			best, least = k, d
		}
	}
	if best != "" {
		return "; did you mean " + best + "?"
	}
	sort.Strings(known)
	if len(known) > 16 {
		return "; known here: " + strings.Join(known[:16], ", ") + fmt.Sprintf(" and %d more", len(known)-16)
	}
	return "; known here: " + strings.Join(known, ", ")
}

// distance is the number of single-letter edits between two names.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := last
			if a[i] != b[j] {
				cost = 1 + min(last, row[j], row[j+1])
			}
			last, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}

// into is value for a pointer.
func (w *walker) into(n *yaml.Node, to any, path string) {
	w.value(n, reflect.ValueOf(to).Elem(), path)
}
