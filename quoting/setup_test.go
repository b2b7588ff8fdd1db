package quoting

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/quoting/model"
)

const (
	usdt venue.Ccy = iota + 1
	btc

	second = venue.Second
	me     = 7 // the strategy's number in the engine
)

// rig is a desk with books and own orders that a test moves by hand, and an obedient venue.
type rig struct {
	t    testing.TB
	d    *desk.Desk
	out  *desk.Out
	s    *Strategy
	seq  uint64
	free uint32 // next order slot
	// client is the last client id; none is ever used again.
	client uint64
}

// spot is BTC/USDT: tick 0.01, lot 0.00001.
func spot(v venue.ID) *venue.Instrument {
	return &venue.Instrument{
		Venue: v, Product: 1, Name: "v" + string(rune('a'+v)) + ":BTCUSDT", Base: btc, Quote: usdt, Settle: usdt, Kind: venue.Spot,
		Status: venue.Trading, PriceScale: 2, QtyScale: 5, Tick: 1, Lot: 1, MinQty: 1, Multiplier: fixed.One,
	}
}

// plain quotes one layer of 0.001 at 1 % from the microprice, with next to no model: no skew, half spread from MinHalf.
func plain(i venue.Inst) Quote {
	return Quote{
		Inst: i, MinHalf: 1_000_000, Layers: 1, Qty: 100, MaxInventory: 10_000, PerSecond: 100, Burst: 100, PostOnly: true, Amend: true,
		NotAfter: second, Pull: Pull{MaxAge: second, MaxVol: fixed.One, Fills: 3, Window: second, Pause: 5 * second},
		Model: model.Params{Gamma: 1e-6, Kappa: 1e9, Horizon: second, Window: second, Sample: 0},
	}
}

// newRig makes a strategy of one Quote over the instruments and warms its volatility up.
func newRig(t testing.TB, q Quote, ins ...*venue.Instrument) *rig {
	all := []*venue.Instrument{nil}
	for i, in := range ins {
		in.Inst = venue.Inst(i + 1)
		all = append(all, in)
	}
	r := &rig{t: t, d: desk.New(all, 4, 4, 64, usdt, books.Config{Window: 256}), out: desk.NewOut(64, 8), free: 1}
	s, err := New(Config{Name: "quoting", Quotes: []Quote{q}}, all)
	require.NoError(t, err)
	r.s = s
	r.d.Now = 1000 * second
	for range 2 {
		r.d.Now += second / 2
		for i := range ins {
			r.touch(venue.Inst(i+1), 99_99, 100_01)
		}
		r.out.Reset()
		s.Decide(r.d, r.out)
		r.d.Changed = r.d.Changed[:0]
	}
	r.obey()
	return r
}

// touch gives a book one level of 1.0 on each side.
func (r *rig) touch(i venue.Inst, bid, ask fixed.Price) {
	r.seq++
	frame := make([]venue.Event, 3)
	frame[0].SetHead(1, i, venue.Snapshot, r.d.Now, 0, 0, 0, r.seq, venue.NoChecksum, 2)
	for k, p := range [2]fixed.Price{bid, ask} {
		e := &frame[k+1]
		e.Kind, e.Inst, e.N, e.Flags = venue.Levels, i, 1, [2]uint8{venue.Bids, venue.Asks}[k]
		e.W[0], e.W[1] = int64(p), 100_000
	}
	b := r.d.Books[i]
	b.Apply(frame)
	require.Equal(r.t, books.Live, b.State(), "unexpected state because of %s", b.Why())
	r.changed(i)
}

// changed notes that an instrument changed in this drain, as the engine does.
func (r *rig) changed(i venue.Inst) {
	if !slices.Contains(r.d.Changed, i) {
		r.d.Changed = append(r.d.Changed, i)
	}
}

// lose makes a book Stale.
func (r *rig) lose(i venue.Inst, why venue.Reason) {
	r.d.Books[i].Invalidate(why)
	r.changed(i)
}

// decide runs one drain and returns what the strategy wants.
func (r *rig) decide() []desk.Intent {
	r.out.Reset()
	r.s.Decide(r.d, r.out)
	r.d.Changed, r.d.Reports = r.d.Changed[:0], r.d.Reports[:0]
	return r.out.Intents()
}

// obey does at once what was asked in the last drain.
func (r *rig) obey() {
	for i := range r.out.Intents() {
		in := &r.out.Intents()[i]
		switch in.Op {
		case venue.New:
			r.open(in, desk.Open)
		case venue.Amend:
			o := r.find(in.Target)
			o.Price, o.Qty = in.Price, in.Qty
		case venue.Cancel:
			r.close(r.find(in.Target), desk.Cancelled)
		}
	}
	for i := range r.out.Plans() {
		r.open(&r.out.Plans()[i].Legs[0], desk.Sent)
	}
}

func (r *rig) open(in *desk.Intent, st desk.OrderState) *desk.Order {
	o := &r.d.Orders[r.free]
	r.client++
	*o = desk.Order{State: st, Side: in.Side, Type: in.Type, TIF: in.TIF, Role: in.Role, Inst: in.Inst, Slot: r.free, Client: r.client,
		Strategy: me, Price: in.Price, Qty: in.Qty}
	r.d.Live[in.Inst] = append(r.d.Live[in.Inst], r.free)
	r.free++
	return o
}

func (r *rig) find(client uint64) *desk.Order {
	for i := range r.d.Orders {
		if o := &r.d.Orders[i]; o.Client == client && o.State != desk.NoOrder {
			return o
		}
	}
	require.Fail(r.t, "no such order")
	return nil
}

func (r *rig) close(o *desk.Order, st desk.OrderState) {
	o.State = st
	live := r.d.Live[o.Inst][:0]
	for _, s := range r.d.Live[o.Inst] {
		if s != o.Slot {
			live = append(live, s)
		}
	}
	r.d.Live[o.Inst] = live
}

// fill books a fill as engine and ledger would and reports it.
func (r *rig) fill(o *desk.Order, q fixed.Qty) {
	o.Filled += q
	r.d.Positions[o.Inst].Qty += fixed.Qty(o.Side.Sign()) * q
	if o.Filled >= o.Qty {
		r.close(o, desk.Filled)
	} else {
		o.State = desk.PartlyFilled
	}
	r.d.Reports = append(r.d.Reports, venue.Report{Kind: venue.Fill, Inst: o.Inst, Slot: o.Slot, Client: o.Client, Fill: q, Cum: o.Filled, Price: o.Price})
}

// live returns the own working orders of a side, as they are listed.
func (r *rig) live(i venue.Inst, side venue.Side) (out []*desk.Order) {
	for _, s := range r.d.Live[i] {
		if o := &r.d.Orders[s]; o.Side == side {
			out = append(out, o)
		}
	}
	return out
}

func (r *rig) figure(name string) uint64 {
	for _, f := range r.s.Stats() {
		if f.Name == name {
			return f.Value
		}
	}
	require.Fail(r.t, "no figure "+name)
	return 0
}
