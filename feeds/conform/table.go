package conform

import (
	"errors"
	"fmt"
	"strings"
)

// The table stands in README.md between these lines.
const begins, ends = "<!-- table: make conform-readme -->\n", "<!-- end -->"

// Table is the result of every card at every venue.
type Table struct {
	venues []*Venue
	failed map[[2]string]bool
}

// NewTable is a table in which nothing has run.
func NewTable(venues []*Venue) *Table { return &Table{venues, map[[2]string]bool{}} }

// Result notes how a card went.
func (b *Table) Result(c *Card, v *Venue, failed bool) {
	b.failed[[2]string{c.Name(), v.Adapter.Name}] = failed
}

// cell is what the table says of a card at a venue.
func (b *Table) cell(c *Card, v *Venue) string {
	failed, ran := b.failed[[2]string{c.Name(), v.Adapter.Name}]
	switch why := c.Missing(v.Adapter); {
	case why != "":
		return "not offered: " + why
	case !ran:
		return "not run"
	case failed:
		return "FAILED"
	}
	return "passed"
}

// Text is the table in the form of Markdown.
func (b *Table) Text() string {
	var s strings.Builder
	s.WriteString("| card | an adapter |")
	for _, v := range b.venues {
		s.WriteString(" " + v.Adapter.Name + " |")
	}
	s.WriteString("\n|---:|---|" + strings.Repeat("---|", len(b.venues)) + "\n")
	for _, c := range Cards() {
		fmt.Fprintf(&s, "| %d | %s |", c.Number, c.Says)
		for _, v := range b.venues {
			s.WriteString(" " + b.cell(&c, v) + " |")
		}
		s.WriteByte('\n')
	}
	return s.String()
}

// Into puts the table into a document that has its two marks.
func (b *Table) Into(doc string) (string, error) {
	before, rest, ok := strings.Cut(doc, begins)
	_, after, ends2 := strings.Cut(rest, ends)
	if !ok || !ends2 {
		return "", errors.New("the document has no place for the table")
	}
	return before + begins + b.Text() + ends + after, nil
}
