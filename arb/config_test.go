package arb

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"oneprice/arb/links"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

func TestNew_namesEveryFault(t *testing.T) {
	other := spot(3)
	other.Product = 9
	far := binary(2, 1, "w:A")
	ins := []*venue.Instrument{nil, spot(1), coin(2), other, binary(1, 1, "v:A"), far, binary(1, 2, "v:B")}
	for i, in := range ins {
		if in != nil {
			in.Inst = venue.Inst(i)
		}
	}
	for _, c := range []struct {
		name   string
		change func(c *Config, l *Link)
		want   []string
	}{
		{"nothing at all", func(c *Config, _ *Link) { *c = Config{} }, []string{"name: missing", "links: unexpected number of links"}},
		{"different kinds without basis", func(_ *Config, l *Link) { l.Legs[1], l.Par = 2, fixed.One },
			[]string{"links[0] x: basis: vb:BTCUSDT and vc:BTCUSD_PERP differ in kind or settlement currency"}},
		{"different quotes without a rate", func(c *Config, l *Link) { l.Legs[1], l.Basis, c.MaxFXAge = 2, true, 0 }, []string{"par: neither it nor max_fx_age"}},
		{"another product", func(_ *Config, l *Link) { l.Legs[1] = 3 }, []string{"are not of one product"}},
		{"unknown and doubled instruments", func(c *Config, l *Link) {
			k := *l
			k.Legs = []venue.Inst{1, 77}
			l.Legs = []venue.Inst{1, 1}
			c.Links = append(c.Links, k)
		}, []string{"is named twice", "links[1] x: legs[1]: unknown instrument 77"}},
		{"every figure", func(_ *Config, l *Link) {
			l.Legs, l.Basis, l.Par = []venue.Inst{1, 2}, true, fixed.One
			l.MaxBase, l.MinBase, l.MaxNotional, l.MaxLoss, l.Deadline, l.NotAfter, l.MaxAge, l.Cooldown = 0, -1, 0, 0, 0, 0, 0, -1
			l.BasisLimit, l.Allowance, l.Threshold, l.Policy, l.OnFail = 0, -1, 2*fixed.One, 9, 9
		}, []string{"max_base", "min_base", "max_notional", "max_loss", "deadline", "not_after", "max_age", "cooldown", "basis_limit", "allowance",
			"threshold", "policy", "on_fail"}},
		{"no shape", func(_ *Config, l *Link) { l.Shape = desk.HedgeOnFill }, []string{"shape: unexpected"}},
		{"a set that is not exhaustive", func(_ *Config, l *Link) { l.Shape, l.Legs = desk.OutcomeSet, []venue.Inst{4, 6} }, []string{"exhaustive: not stated"}},
		{"a triangle that does not close", func(_ *Config, l *Link) { l.Shape, l.Legs = desk.Triangle, []venue.Inst{1, 3, 2} },
			[]string{"do not join three currencies", "stays within one venue"}},
		{"binaries of different venues without review", func(_ *Config, l *Link) { l.Legs = []venue.Inst{4, 5} }, []string{"review: missing"}},
		{"a disarmed review", func(_ *Config, l *Link) {
			l.Legs, l.Review = []venue.Inst{4, 5}, review("v:A", "w:A")
			l.Review.Observe("w:A", "another text", l.Review.Rules[0].Settles)
		}, []string{"review: disarmed: the rule text of w:A changed"}},
		{"a review of something else", func(_ *Config, l *Link) { l.Legs, l.Review = []venue.Inst{4, 5}, review("v:A", "z:A") }, []string{"review: says nothing of w:A"}},
		{"a complement of nothing", func(_ *Config, l *Link) { l.Shape, l.Legs = desk.ComplementPair, []venue.Inst{4, 5} }, []string{"must be the complement"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := Config{Name: "arb", Links: []Link{link(1, 1)}, MaxFXAge: second}
			cfg.Links[0].Legs[1] = 2
			c.change(&cfg, &cfg.Links[0])
			_, err := New(cfg, ins)
			require.Error(t, err)
			for _, w := range c.want {
				require.Contains(t, err.Error(), w)
			}
			if len(c.want) > 5 {
				require.Equal(t, len(c.want), strings.Count(err.Error(), "\n")+1, "every fault once: %s", err)
			}
		})
	}
	_, err := New(Config{Name: "arb", Links: []Link{func() Link {
		l := link(4, 5)
		l.Review = review("v:A", "w:A")
		return l
	}()}}, ins)
	require.NoError(t, err)
}

func review(a, b string) *links.Record {
	at := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	rule := func(name string) links.Rules {
		return links.Rules{Instrument: name, TextHash: links.Hash("pays one if it rains"), Source: "the gauge", Settles: at, Void: "none"}
	}
	return &links.Record{Rules: []links.Rules{rule(a), rule(b)}, Reviewer: "an operator", Reviewed: at.Add(-time.Hour)}
}
