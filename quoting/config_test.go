package quoting

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/quoting/model"
)

func TestNew_namesEveryFault(t *testing.T) {
	foreign, dollars := spot(3), spot(4)
	foreign.Product = 9
	dollars.Quote = 3
	lots := spot(2)
	lots.Lot, lots.MinQty = 1000, 2000
	ins := []*venue.Instrument{nil, spot(1), lots, foreign, dollars}
	for i, in := range ins {
		if in != nil {
			in.Inst = venue.Inst(i)
		}
	}
	for _, c := range []struct {
		name   string
		change func(q *Quote)
		want   []string
	}{
		{"unknown instrument", func(q *Quote) { q.Inst = 9 }, []string{"quotes[0]: inst: unknown instrument 9"}},
		{"quantity", func(q *Quote) { q.Inst, q.Qty = 2, 1500 }, []string{"not a multiple of the lot", "below the venue's minimum"}},
		{"every figure", func(q *Quote) {
			q.MinHalf, q.MinEdge, q.Hysteresis, q.Layers, q.Qty, q.MaxInventory, q.PerSecond, q.Burst = -1, -1, -1, 9, 0, 0, 0, 0
			q.NotAfter, q.Pull, q.Model = 0, Pull{}, model.Params{}
		}, []string{"min_half", "min_edge", "hysteresis", "layers", "step", "qty: unexpected", "minimum", "max_inventory", "per_second", "burst", "not_after", "pull.max_age",
			"pull.window", "pull.pause", "pull.max_vol", "pull.fills", "gamma", "kappa", "horizon", "window"}},
		{"references", func(q *Quote) {
			q.Fair = Fair{Source: Weighted, Refs: []Ref{{3, fixed.One}, {4, fixed.One}, {77, fixed.One}, {1, 0}}, MinWeight: 4 * fixed.One}
		}, []string{"refs[0]", "refs[1]", "refs[2]: unknown instrument", "refs[3].weight", "min_weight"}},
		{"own with references", func(q *Quote) { q.Fair.Refs = []Ref{{2, fixed.One}} }, []string{"unexpected with source own"}},
		{"external without one", func(q *Quote) { q.Fair.Source = External }, []string{"fair.refs: unexpected number; got 0; want 1"}},
		{"no such source", func(q *Quote) { q.Fair.Source = 9 }, []string{"fair.source"}},
		{"hedge at itself", func(q *Quote) { q.Hedge = &Hedge{Inst: 1} }, []string{"hedge.inst: unexpected instrument 1"}},
		{"hedge without limits", func(q *Quote) { q.Hedge = &Hedge{Inst: 3, Slip: -1, Allowance: -1, Retry: -1} },
			[]string{"hedge.inst: vd:BTCUSDT is not of the same product", "hedge.slip", "hedge.allowance", "hedge.max_loss", "hedge.max_carry", "hedge.deadline", "hedge.not_after", "hedge.retry"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := plain(1)
			c.change(&q)
			_, err := New(Config{Name: "quoting", Quotes: []Quote{q}}, ins)
			require.Error(t, err)
			for _, w := range c.want {
				require.ErrorContains(t, err, w)
			}
		})
	}
	_, err := New(Config{}, ins)
	require.ErrorContains(t, err, "name: missing\nquotes: none")
	_, err = New(Config{Name: "quoting", Quotes: []Quote{plain(1), plain(1)}}, ins)
	require.ErrorContains(t, err, "quoted twice")
	require.Equal(t, 1, strings.Count(err.Error(), "quotes["))
}
