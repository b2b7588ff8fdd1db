package app

import (
	"fmt"
	"strconv"
	"strings"

	"oneprice/books/fixed"
	"oneprice/books/venue"

	"github.com/shopspring/decimal"
	"go.yaml.in/yaml/v3"
)

// One convention holds in the whole file. Money is a plain number in the reporting currency (5000). A rate is in basis
// points with its unit (7.5bps). A span has its unit (2s, 250ms, 5m, 24h). A factor is a plain number (3, 0.25). An
// amount is a plain number of the currency or instrument that the field names. A count is a plain integer.
// Each type below is one of these; a value of 0 is refused except where the type's name says Zero or Signed.

type (
	// Text is a name.
	Text string
	// Flag is true or false.
	Flag bool
	// Count is a positive integer.
	Count int64
	// Money is reporting currency at 10^-8.
	Money fixed.Cash
	// Bps is a rate at 10^-8, above zero.
	Bps fixed.Rate
	// ZeroBps is a rate that may be zero.
	ZeroBps fixed.Rate
	// SignedBps is a rate that may be zero or negative: a rebate, an edge or a basis.
	SignedBps fixed.Rate
	// Factor is a plain number at 10^-8, above zero.
	Factor fixed.Rate
	// Span is nanoseconds, above zero.
	Span venue.Nanos
	// ZeroSpan is nanoseconds that may be zero.
	ZeroSpan venue.Nanos
	// Amount is an exact decimal, above zero.
	Amount struct{ decimal.Decimal }
	// Digits is a scale: 0 to 18.
	Digits uint8
)

func (t *Text) read(s string) string {
	if s == "" {
		return "is empty; write a name"
	}
	*t = Text(s)
	return ""
}

func (f *Flag) read(s string) string {
	if s != "true" && s != "false" {
		return quoted(s) + "; write true or false"
	}
	*f = s == "true"
	return ""
}

func (c *Count) read(s string) string {
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil || v <= 0 || v > fixed.Limit {
		return quoted(s) + "; write a whole number above 0, such as 10"
	}
	*c = Count(v)
	return ""
}

func (d *Digits) read(s string) string {
	v, err := strconv.ParseUint(s, 10, 8)
	if err != nil || v > fixed.MaxScale {
		return quoted(s) + "; write a number of decimals from 0 to 18"
	}
	*d = Digits(v)
	return ""
}

func (m *Money) read(s string) string {
	v, what := number(s, fixed.CashScale, "an amount of the reporting currency without a unit, such as 5000")
	if what == "" && v <= 0 {
		what = quoted(s) + "; zero is not unlimited: write an amount above 0"
	}
	*m = Money(v)
	return what
}

func (f *Factor) read(s string) string {
	v, what := number(s, fixed.RateScale, "a plain number, such as 0.25")
	if what == "" && v <= 0 {
		what = quoted(s) + "; write a number above 0"
	}
	*f = Factor(v)
	return what
}

func (b *Bps) read(s string) string {
	v, what := bps(s)
	if what == "" && v <= 0 {
		what = quoted(s) + "; write a rate above 0bps"
	}
	*b = Bps(v)
	return what
}

func (b *ZeroBps) read(s string) string {
	v, what := bps(s)
	if what == "" && v < 0 {
		what = quoted(s) + "; write a rate of 0bps or more"
	}
	*b = ZeroBps(v)
	return what
}

func (b *SignedBps) read(s string) string {
	v, what := bps(s)
	*b = SignedBps(v)
	return what
}

func (p *Span) read(s string) string {
	v, what := span(s)
	if what == "" && v <= 0 {
		what = quoted(s) + "; write a span above 0, such as 2s"
	}
	*p = Span(v)
	return what
}

func (p *ZeroSpan) read(s string) string {
	v, what := span(s)
	*p = ZeroSpan(v)
	return what
}

func (a *Amount) read(s string) string {
	d, err := decimal.NewFromString(s)
	if err != nil || d.Sign() <= 0 || len(s) > 40 || d.Exponent() > 18 || d.Exponent() < -18 {
		return quoted(s) + "; write a number above 0 without a unit, such as 0.5"
	}
	a.Decimal = d
	return ""
}

func quoted(s string) string { return strconv.Quote(shorten(s)) }

// number reads decimal text at a scale.
func number(s string, scale uint8, want string) (int64, string) {
	v, f := fixed.Parse([]byte(s), scale)
	switch f {
	case fixed.OK:
		return v, ""
	case fixed.OffScale:
		return 0, fmt.Sprintf("%s has more than %d decimals; write fewer", quoted(s), scale)
	case fixed.Overflow:
		return 0, quoted(s) + " is too large; the most is " + string(fixed.AppendTrim(nil, fixed.Limit, scale))
	}
	return 0, quoted(s) + "; write " + want
}

// bps reads "7.5bps".
func bps(s string) (int64, string) {
	const want = "a rate in basis points with its unit, such as 7.5bps"
	digits, ok := strings.CutSuffix(s, "bps")
	if !ok {
		return 0, quoted(s) + "; write " + want
	}
	return number(strings.TrimSuffix(digits, " "), fixed.RateScale-4, want) // 1 bp = 10^-4
}

var units = []struct {
	name string
	ns   venue.Nanos
}{{"ns", 1}, {"us", venue.Microsecond}, {"ms", venue.Millisecond}, {"s", venue.Second}, {"m", 60 * venue.Second}, {"h", 3600 * venue.Second}}

// span reads "250ms": digits, perhaps with a fraction, and one unit.
func span(s string) (int64, string) {
	i := strings.LastIndexAny(s, "0123456789") + 1
	unit := strings.TrimPrefix(s[i:], " ")
	for _, u := range units {
		if u.name != unit {
			continue
		}
		mant, f := fixed.Parse([]byte(s[:i]), 3)
		if f != fixed.OK || mant < 0 || mant > 0 && int64(u.ns) > (1<<62)/mant {
			break
		}
		if mant*int64(u.ns)%1000 != 0 {
			return 0, quoted(s) + " is not a whole number of nanoseconds"
		}
		return mant * int64(u.ns) / 1000, ""
	}
	return 0, quoted(s) + "; write a span with its unit (ns, us, ms, s, m, h), such as 2s"
}

// Entry is one named part of a config, in file order.
type Entry[T any] struct {
	Name  string
	Line  int
	Value T
}

// Named is a mapping from names that the operator chooses, kept in file order so that every index made from it is the
// same on every run.
type Named[T any] []Entry[T]

func (m *Named[T]) walk(w *walker, n *yaml.Node, path string) {
	w.members(n, path, func(key, val *yaml.Node) {
		e := Entry[T]{Name: key.Value, Line: key.Line}
		if key.Value == "" {
			w.fault(key.Line, path, "a name is empty")
		}
		w.into(val, &e.Value, join(path, key.Value))
		*m = append(*m, e)
	})
}

// Find returns the named part, nil when there is none.
func (m Named[T]) Find(name string) *T {
	for i := range m {
		if m[i].Name == name {
			return &m[i].Value
		}
	}
	return nil
}

// Names lists the names in file order.
func (m Named[T]) Names() []string {
	names := make([]string, len(m))
	for i := range m {
		names[i] = m[i].Name
	}
	return names
}

// Layered is a complete default and what single names have otherwise.
type Layered[T any] struct {
	Default T
	By      Named[T]
}

func (l *Layered[T]) walk(w *walker, n *yaml.Node, path string) {
	var rest []*yaml.Node
	found := false
	w.members(n, path, func(key, val *yaml.Node) {
		if key.Value != "default" {
			rest = append(rest, key, val)
			return
		}
		found = true
		w.into(val, &l.Default, join(path, "default"))
	})
	if !found && n.Kind == yaml.MappingNode {
		w.fault(n.Line, join(path, "default"), "is missing; write the limits that hold where nothing else is said")
	}
	before := w.partial
	w.partial = true
	for i := 0; i < len(rest); i += 2 {
		e := Entry[T]{Name: rest[i].Value, Line: rest[i].Line, Value: l.Default}
		w.into(rest[i+1], &e.Value, join(path, e.Name))
		l.By = append(l.By, e)
	}
	w.partial = before
}

// For returns what holds for a name.
func (l *Layered[T]) For(name string) *T {
	if v := l.By.Find(name); v != nil {
		return v
	}
	return &l.Default
}
