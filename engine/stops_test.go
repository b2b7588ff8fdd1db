package engine

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/engine/audit"
	"oneprice/risk/ledger"
	"oneprice/risk/stops"
)

// newStops makes the stops of a session from what the script says and what earlier sessions kept.
func (s *script) newStops() *stops.Stops {
	ins := s.d.Instruments
	terms := make([]stops.Terms, len(ins))
	for i := range terms {
		terms[i] = stops.Terms{Slip: fixed.One / 10, MaxQty: 1e6, MaxNotional: 1e15, MaxAge: venue.Second}
	}
	x, err := stops.New(s.stops, terms, ins)
	require.NoError(s.t, err)
	var kept []stops.Keep
	for _, name := range slices.Sorted(maps.Keys(s.kept)) {
		kept = append(kept, s.kept[name])
	}
	require.NoError(s.t, x.Restore(kept, s.d))
	return x
}

// stopLine reads a stop, and begins anew with it.
func (s *script) stopLine(f []string) {
	require.Zero(s.t, s.d.Now, "stops come before the first step")
	x := stops.Stop{Name: f[0]}
	for _, name := range strings.Split(f[1], ",") {
		x.Insts = append(x.Insts, s.inst(name))
	}
	switch f[2] {
	case "loss":
		x.Kind, x.MaxLoss = stops.Loss, fixed.Cash(s.number(f[3])*1e8)
	case "trail":
		x.Kind, x.Trail = stops.Trail, fixed.Rate(s.number(f[3]))*fixed.Bps
	case "level":
		x.Kind, x.Closes, x.Level = stops.Level, venue.Buy, fixed.Price(s.number(f[4]))
		if f[3] == "short" {
			x.Closes = venue.Sell
		}
		if len(f) > 5 {
			x.Limit = fixed.Price(s.number(f[6]))
		}
	}
	s.stops = append(s.stops, x)
	s.begin(s.d.Instruments, nil)
}

// restart begins a new engine with the positions and the orders of the last one, as recovery would, and with what it kept.
func (s *script) restart() {
	var held []ledger.Holding
	var adopted []desk.Order
	for i, p := range s.d.Positions {
		if p.Qty != 0 {
			held = append(held, ledger.Holding{Inst: venue.Inst(i), Qty: p.Qty, Avg: p.Avg})
		}
		for _, slot := range s.d.Live[i] {
			adopted = append(adopted, s.d.Orders[slot])
		}
	}
	s.begin(s.d.Instruments, held)
	require.NoError(s.t, s.e.Adopt(adopted))
}

func TestStops_actsHaveTheNamesOfTheAudit(t *testing.T) {
	f, err := audit.NewFormatter(1, &audit.Catalogue{Stops: []string{"operator"}})
	require.NoError(t, err)
	for a := stops.Armed; a <= stops.Spent; a++ {
		var r audit.Record
		r.SetStop(uint8(a), 0, 0, 0, 0, 0, 0, 0, 0)
		require.Contains(t, string(f.Append(nil, &r)), `"act":"`+a.String()+`","guard":"operator"`)
	}
}

func TestLoop_stopIsKeptBeforeItsOrderLeaves(t *testing.T) {
	j := &book{room: 1 << 20}
	r := newRig(t, func(c *LoopConfig) { c.Journal = j })
	r.stopLine(words("fall", "a:X", "trail", "100"))
	r.loop.cfg.Engine = r.e
	r.put(words("book", "a:X", "seq", "5", "bid", "1000@50", "ask", "1001@40"))
	require.True(t, r.turn())
	r.want("buy", "1001@5")
	r.put(words("delta", "a:X", "first", "6", "seq", "6", "bid", "1000@51"))
	require.True(t, r.turn())
	o := r.gate.got[0]
	r.rep[0] = venue.Report{Kind: venue.Fill, Venue: 1, Inst: 1, Slot: o.Slot, Client: o.Client, Fill: 5, Cum: 5, Price: 1001, FeeCcy: ccyUSD}
	r.loop.sent = append(r.loop.sent, r.rep[0])
	require.True(t, r.turn())
	r.gate.before = func() {
		require.Equal(t, []string{"close:a:X fall", "stop:fall fired"}, j.noted[len(j.noted)-2:], "what is closed first, then its guard")
	}
	r.put(words("delta", "a:X", "first", "7", "seq", "7", "bid", "1000@0", "985@50"))
	require.True(t, r.turn())
	require.Len(t, r.gate.got, 2)
	require.Equal(t, venue.RoleStop, r.gate.got[1].Role)
	require.EqualValues(t, 5, r.gate.got[1].Qty)
}
