package arb

import (
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// Currencies of the tests.
const (
	usd venue.Ccy = iota + 1
	usdt
	btc
	eth
	currencies = int(eth)
)

const second = venue.Second

// rig is a desk with books that a test fills by hand. Prices have two decimals and quantities five unless an instrument
// says otherwise.
type rig struct {
	t   testing.TB
	d   *desk.Desk
	out *desk.Out
	seq uint64
}

func newRig(t testing.TB, ins ...*venue.Instrument) *rig {
	all := []*venue.Instrument{nil}
	for i, in := range ins {
		in.Inst = venue.Inst(i + 1)
		all = append(all, in)
	}
	r := &rig{t: t, d: desk.New(all, 20, currencies, 16, usd, books.Config{Window: 256}), out: desk.NewOut(16, 16)}
	r.d.Now = 1000 * second
	return r
}

// spot is a linear instrument in BTC/USDT with a tick of 0.01 and a lot of 0.00001.
func spot(v venue.ID) *venue.Instrument {
	return &venue.Instrument{
		Venue: v, Product: 1, Name: "v" + string(rune('a'+v)) + ":BTCUSDT", Base: btc, Quote: usdt, Settle: usdt, Kind: venue.Spot,
		Status: venue.Trading, PriceScale: 2, QtyScale: 5, Tick: 1, Lot: 1, MinQty: 1, Multiplier: fixed.One,
	}
}

// coin is an inverse perpetual of 100 USD a contract; a contract is 10^5 units of quantity.
func coin(v venue.ID) *venue.Instrument {
	return &venue.Instrument{
		Venue: v, Product: 1, Name: "v" + string(rune('a'+v)) + ":BTCUSD_PERP", Base: btc, Quote: usd, Settle: btc, Kind: venue.Perpetual,
		Contract: venue.Inverse, Face: 100 * 1e8, Status: venue.Trading, PriceScale: 2, QtyScale: 5, Tick: 10, Lot: 1e5, MinQty: 1e5,
	}
}

// link is a link without surprises between two instruments.
func link(a, b venue.Inst) Link {
	return Link{
		Name: "x", Shape: desk.TwoVenue, Legs: []venue.Inst{a, b}, Threshold: 1, MaxBase: fixed.Limit, MaxNotional: fixed.Limit,
		OnFail: desk.Unwind, MaxLoss: 1e8, Deadline: second, NotAfter: second / 2, MaxAge: second, BasisLimit: fixed.One / 10,
	}
}

func (r *rig) strategy(links ...Link) *Strategy {
	s, err := New(Config{Name: "arb", Links: links, MaxFXAge: 10 * second}, r.d.Instruments)
	require.NoError(r.t, err)
	return s
}

// levels are price, quantity pairs.
type levels []int64

// book replaces a book and marks it changed, received now.
func (r *rig) book(i venue.Inst, bids, asks levels) {
	b := r.d.Books[i]
	r.seq++
	frame := make([]venue.Event, 1)
	for side, ls := range map[uint8]levels{venue.Bids: bids, venue.Asks: asks} {
		for k := 0; k < len(ls); k += 2 {
			e := venue.Event{Kind: venue.Levels, Flags: side, N: 1, Inst: i}
			e.W[0], e.W[1] = ls[k], ls[k+1]
			frame = append(frame, e)
		}
	}
	frame[0].SetHead(1, i, venue.Snapshot, r.d.Now, 0, 0, 0, r.seq, venue.NoChecksum, len(frame)-1)
	b.Apply(frame)
	require.Equal(r.t, books.Live, b.State(), "unexpected state because of %s", b.Why())
	r.d.Changed = append(r.d.Changed, i)
}

// decide runs one drain and returns its plans.
func (r *rig) decide(s desk.Strategy) []desk.Plan {
	r.out.Reset()
	s.Decide(r.d, r.out)
	r.d.Changed = r.d.Changed[:0]
	return r.out.Plans()
}

func figure(t testing.TB, s *Strategy, name string) uint64 {
	for _, f := range s.Stats() {
		if f.Name == name {
			return f.Value
		}
	}
	require.Fail(t, "no figure "+name)
	return 0
}
