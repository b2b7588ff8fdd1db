package rebalance

import (
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// portfolio is one venue with one coin at 10.00, a lot of 0.001, and books of 100 lots a side.
func portfolio(t *testing.T) *setup {
	s := newSetup(t, 1, 1, func(venue.Ccy) fixed.Price { return 1000 }, func(venue.Ccy) fixed.Qty { return 1000 }, func(venue.ID) fixed.Rate { return 10 * fixed.Bps },
		func(_ *venue.Instrument, mid fixed.Price) [2][]level {
			return [2][]level{{{mid - 1, 60}, {mid - 3, 40}}, {{mid + 1, 60}, {mid + 3, 40}}}
		})
	s.cfg.Assets = []Asset{{Name: "cash", Ccys: []venue.Ccy{1}, Weight: fixed.One / 2, Band: 100 * fixed.Bps}, {Name: "coin", Ccys: []venue.Ccy{2}, Weight: fixed.One / 2, Band: 100 * fixed.Bps}}
	s.d.Balances[1][1], s.d.Balances[1][2] = 1_00000000, 5000_0000 // 1.00 of cash, 5.00 in coins
	s.d.Now = venue.Second
	return s
}

func TestMake_tradesNothingInsideItsBands(t *testing.T) {
	s := portfolio(t)
	s.d.Balances[1][1] = 4_95000000
	s.cfg.Aim = fixed.One / 10
	p, err := Make(&s.cfg, s.d)
	require.NoError(t, err)
	require.Empty(t, p.Trades)
	require.True(t, p.Inside)
}

func TestMake_aimsInsideOfTheBandAndBeyondWhatTheBookShows(t *testing.T) {
	s := portfolio(t)
	p, err := Make(&s.cfg, s.d)
	require.NoError(t, err)
	require.False(t, p.Inside, "the book shows half of what must be sold")
	require.EqualValues(t, 100_000, p.Trades[0].Qty)

	s.cfg.Depth = 3
	f := func(aim, least, most fixed.Rate) {
		s.cfg.Aim = aim
		p, err := Make(&s.cfg, s.d)
		require.NoError(t, err)
		require.True(t, p.Inside)
		require.Len(t, p.Trades, 1)
		after := p.Holdings[1].After
		require.True(t, after >= least && after <= most, "%d", after)
		require.Greater(t, p.Trades[0].Cost, p.Trades[0].Fee)
		require.EqualValues(t, 997, p.Trades[0].Limit)
	}
	f(0, 50_800_000, 51_000_000) // no farther than its edge
	f(fixed.One/10, 49_900_000, 50_100_000)
}

func TestTrader_worksAnOrderOffInPieces(t *testing.T) {
	s := portfolio(t)
	tr := NewTrader(s.cfg, []Order{{Trade{Inst: 1, Side: venue.Sell, Qty: 90_000, Limit: 997}, 50_000, 20 * fixed.Bps}}, 10*venue.Second)
	out := desk.NewOut(8, 1)
	decide := func(past venue.Nanos, rs ...venue.Report) []desk.Intent {
		s.d.Now += past
		s.d.Reports = rs
		out.Reset()
		tr.Decide(s.d, out)
		return out.Intents()
	}
	in := decide(0)
	require.Len(t, in, 1)
	require.Equal(t, desk.Intent{Op: venue.New, Type: venue.Limit, TIF: venue.IOC, Side: venue.Sell, Role: venue.RoleTake, Inst: 1, Price: 998, Qty: 50_000, BookSeq: in[0].BookSeq}, in[0],
		"no more than a piece, no farther than the guard")
	require.Empty(t, decide(0), "it waits for what comes of it")

	o := &s.d.Orders[1]
	*o = desk.Order{State: desk.Unknown, Inst: 1, Slot: 1, Client: 7, Role: venue.RoleTake, Side: venue.Sell, Qty: 50_000}
	s.d.Live[1] = append(s.d.Live[1], 1)
	require.Empty(t, decide(5*venue.Second), "nothing is sent beside an order of unknown fate")
	o.State, o.Filled, s.d.Live[1] = desk.Expired, 30_000, s.d.Live[1][:0]
	in = decide(0, venue.Report{Inst: 1, Slot: 1})
	require.Len(t, in, 1)
	require.EqualValues(t, 50_000, in[0].Qty)
	require.False(t, tr.Done())

	*o = desk.Order{State: desk.Filled, Inst: 1, Slot: 1, Client: 8, Role: venue.RoleTake, Side: venue.Sell, Qty: 50_000, Filled: 50_000}
	in = decide(venue.Second, venue.Report{Inst: 1, Slot: 1})
	require.EqualValues(t, 10_000, in[0].Qty, "what is left")
	require.Empty(t, decide(10*venue.Second))
	require.True(t, tr.Done(), "its time is over")
	p, err := tr.Result()
	require.NoError(t, err)
	require.EqualValues(t, 80_000, p.Trades[0].Qty)
}

func TestTrader_purchaseWaitsForTheSaleThatPaysForIt(t *testing.T) {
	s := portfolio(t)
	tr := NewTrader(s.cfg, []Order{{Trade{Inst: 1, Side: venue.Buy, Qty: 50_000, Limit: 1003}, 50_000, fixed.One / 10}}, 10*venue.Second)
	out := desk.NewOut(8, 1)
	s.d.Balances[1][1] = 50_000000 // 0.50, and 50 lots cost 0.5015 and a fee
	tr.Decide(s.d, out)
	require.Empty(t, out.Intents())
	s.d.Balances[1][1] = 51_000000
	tr.Decide(s.d, out)
	require.Len(t, out.Intents(), 1)
}
