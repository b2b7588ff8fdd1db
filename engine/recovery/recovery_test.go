package recovery

import (
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/engine/journal"
	"oneprice/risk/ledger"
)

const (
	usd, coin  venue.Ccy = 1, 2
	id                   = uint64(3)<<32 | 7
	second               = venue.Second
	oneCoin              = fixed.Cash(1e8)
	thousandUS           = fixed.Cash(1000e8)
)

// rig is a start-up on one venue, with one order of the journal: a buy of 4 at 100 of which 1 has filled, at prices and
// quantities without decimals.
func rig(policy Policy) *Case {
	in := &venue.Instrument{Inst: 1, Venue: 1, Name: "a:X", Symbol: "X", Base: coin, Quote: usd, Settle: usd, Kind: venue.Spot, Multiplier: fixed.One, Tick: 1, Lot: 1}
	fill := journal.Fill{Report: venue.Report{Kind: venue.Fill, Client: id, Fill: 1, Cum: 1, Price: 100}, Side: venue.Buy, VenueName: "a", Instrument: "a:X"}
	fill.SetRef([]byte("t1"))
	s := &journal.State{Known: map[journal.Trade]struct{}{fill.Trade(): {}}, Fills: []journal.Fill{fill}, CheckpointAt: 1,
		Balances: []journal.Balance{{Venue: "a", Currency: "USD", Amount: thousandUS}, {Venue: "a", Currency: "X", Amount: 5 * oneCoin}},
		Orders: []journal.Order{{Order: desk.Order{State: desk.PartlyFilled, Side: venue.Buy, Type: venue.Limit, TIF: venue.GTC, Client: id, Price: 100, Qty: 4, Filled: 1, SentAt: 10 * second},
			VenueName: "a", Instrument: "a:X"}}}
	return &Case{Names: Names{Instruments: []*venue.Instrument{nil, in}, Venues: []string{"", "a"}, Currencies: []string{"", "USD", "X"}, Reporting: usd},
		State: s, Policy: policy, Within: 5 * second}
}

func says(k venue.ReportKind, client uint64, change ...func(*venue.Report)) venue.Report {
	r := venue.Report{Kind: k, Flags: venue.Recovered, Venue: 1, Inst: 1, Client: client, Price: 100, Open: 4, Cum: 1}
	for _, f := range change {
		f(&r)
	}
	return r
}

func trade(ref string, qty, cum fixed.Qty) venue.Report {
	r := says(venue.Fill, id, func(r *venue.Report) { r.Fill, r.Cum = qty, cum })
	r.SetRef([]byte(ref))
	return r
}

// states are the venue's free balances.
func states(dollars, coins fixed.Cash) []venue.Report {
	return []venue.Report{{Kind: venue.Balance, Venue: 1, FeeCcy: usd, Cum: fixed.Qty(dollars)}, {Kind: venue.Balance, Venue: 1, FeeCcy: coin, Cum: fixed.Qty(coins)}}
}

func sweep(dollars, coins fixed.Cash, rs ...venue.Report) []venue.Report {
	return append(rs, states(dollars, coins)...)
}

func TestJudge_standingOrderIsCancelledAdoptedOrRefusedAsConfigured(t *testing.T) {
	// 100 are spent, and the order holds back 300 more.
	free, coins := thousandUS-400*oneCoin, 6*oneCoin
	v := rig(Cancel).Judge(sweep(free, coins, says(venue.Ack, id)), nil, 100*second)
	require.Equal(t, []Target{{1, 1, id}}, v.Cancel)
	v = rig(Refuse).Judge(sweep(free, coins, says(venue.Ack, id)), nil, 100*second)
	require.Empty(t, v.Cancel)
	require.Contains(t, v.Differences[0], "order 3-7 of a:X stands at the venue, 4 at 100, and the config says to refuse")
	v = rig(Adopt).Judge(sweep(free, coins, says(venue.Ack, id)), nil, 100*second)
	require.Empty(t, v.Differences)
	require.Empty(t, v.Cancel)
	require.Len(t, v.Opening.Orders, 1)
	o := v.Opening.Orders[0]
	require.Equal(t, desk.PartlyFilled, o.State)
	require.EqualValues(t, 3, o.Remaining())
	require.Equal(t, []ledger.Holding{{Inst: 1, Qty: 1, Avg: 100}}, v.Opening.Positions)
	require.Equal(t, []ledger.Opening{{Venue: 1, Ccy: usd, Amount: thousandUS - 100*oneCoin}, {Venue: 1, Ccy: coin, Amount: 6 * oneCoin}}, v.Opening.Balances)
	require.Len(t, v.Opening.Seen, 1)
}

func TestJudge_fillThatTheJournalMissedIsBooked(t *testing.T) {
	c := rig(Cancel)
	v := c.Judge(sweep(thousandUS-400*oneCoin, 9*oneCoin, trade("t1", 1, 1), trade("t2", 3, 4), says(venue.Ack, id, func(r *venue.Report) { r.Cum = 4 })), nil, 100*second)
	require.Empty(t, v.Differences)
	require.Empty(t, v.Cancel, "it is filled")
	require.EqualValues(t, 4, v.Opening.Positions[0].Qty)
	require.Contains(t, v.Did[len(v.Did)-1], "trade t2 of order 3-7, 3 a:X at 100, was not in the journal and is booked")
	// Judged again with the same evidence, nothing is booked twice.
	require.EqualValues(t, 4, c.Judge(sweep(thousandUS-400*oneCoin, 9*oneCoin, trade("t2", 3, 4), says(venue.Ack, id, func(r *venue.Report) { r.Cum = 4 })), nil, 101*second).Opening.Positions[0].Qty)
}

func TestJudge_fillThatNobodyShowsLeavesABalanceThatDiffers(t *testing.T) {
	v := rig(Cancel).Judge(sweep(thousandUS-400*oneCoin, 9*oneCoin, says(venue.Cancelled, id)), nil, 100*second)
	require.Equal(t, []string{"a: the venue states 600 USD free, our books say 900", "a: the venue states 9 X free, our books say 6"}, v.Differences)
}

func TestJudge_venuesWordIsTakenWhereTheConfigSaysSo(t *testing.T) {
	c := rig(Cancel)
	c.Believe = true
	v := c.Judge(sweep(thousandUS-400*oneCoin, 9*oneCoin, says(venue.Cancelled, id)), nil, 100*second)
	require.Empty(t, v.Differences)
	require.Contains(t, v.Did, "a: the venue's word is taken for 600 USD; our books said 900")
	require.Equal(t, []ledger.Opening{{Venue: 1, Ccy: usd, Amount: thousandUS - 400*oneCoin}, {Venue: 1, Ccy: coin, Amount: 9 * oneCoin}}, v.Opening.Balances)
}

func TestJudge_orderThatNoListShowsIsGoneOnlyAfterTwoSweepsPastItsWindow(t *testing.T) {
	c := rig(Cancel)
	none := sweep(thousandUS-100*oneCoin, 6*oneCoin)
	require.Equal(t, 1, c.Judge(none, nil, 14*second).Wait, "a request may still be accepted")
	require.Equal(t, 1, c.Judge(none, nil, 15*second).Wait, "one not found proves nothing")
	v := c.Judge(none, nil, 17*second)
	require.Zero(t, v.Wait)
	require.Empty(t, v.Differences)
	require.Contains(t, v.Did[0], "is not at the venue")
}

func TestJudge_gatewaysProveWhatListsDoNotShow(t *testing.T) {
	c := rig(Cancel)
	proof := says(venue.NotFound, id, func(r *venue.Report) { r.Reason = venue.Timeout })
	v := c.Judge(sweep(thousandUS-100*oneCoin, 6*oneCoin), []venue.Report{proof}, 11*second)
	require.Zero(t, v.Wait, "its gateway has waited")
	require.Empty(t, v.Differences)
	v = rig(Cancel).Judge(sweep(thousandUS-400*oneCoin, 9*oneCoin), []venue.Report{trade("t2", 3, 4), says(venue.Cancelled, id)}, 11*second)
	require.Empty(t, v.Differences)
	require.EqualValues(t, 4, v.Opening.Positions[0].Qty)
	v = rig(Cancel).Judge(sweep(thousandUS-400*oneCoin, 6*oneCoin, says(venue.Ack, id)), []venue.Report{says(venue.Cancelled, id)}, 11*second)
	require.Len(t, v.Cancel, 1, "the sweep is newer")
}

func TestJudge_tradeThatStreamAndSweepTellCountsOnce(t *testing.T) {
	for _, seen := range [][]venue.Report{nil, {trade("t2", 1, 2)}, {trade("t2", 1, 2), trade("t2", 1, 2)}} {
		v := rig(Adopt).Judge(sweep(thousandUS-400*oneCoin, 7*oneCoin, trade("t2", 1, 2), says(venue.Ack, id, func(r *venue.Report) { r.Cum = 2 })), seen, 100*second)
		require.Empty(t, v.Differences)
		require.Len(t, v.News, 1)
		require.EqualValues(t, 2, v.Opening.Orders[0].Remaining(), "what may still fill is never less than the truth")
	}
}

func TestJudge_orderIsFoundUnderTheIdOfItsAmend(t *testing.T) {
	c := rig(Cancel)
	c.State.Orders[0].NextClient = id + 1
	v := c.Judge(sweep(thousandUS, 6*oneCoin, says(venue.Cancelled, id), says(venue.Ack, id+1, func(r *venue.Report) { r.Cum = 0 })), nil, 100*second)
	require.Equal(t, []Target{{1, 1, id + 1}}, v.Cancel, "replaced, not cancelled")
	c = rig(Adopt)
	c.State.Orders[0].Alias = id + 1
	v = c.Judge(sweep(thousandUS-400*oneCoin, 6*oneCoin, says(venue.Ack, id+1)), nil, 100*second)
	require.EqualValues(t, id+1, v.Opening.Orders[0].Alias)
	require.Equal(t, id, v.Opening.Orders[0].Client)
}

func TestJudge_orderOfOursThatNoJournalKnowsIsCancelled(t *testing.T) {
	v := rig(Adopt).Judge(sweep(thousandUS-400*oneCoin, 6*oneCoin, says(venue.Ack, id), says(venue.Ack, id+9)), nil, 100*second)
	require.Equal(t, []Target{{1, 1, id + 9}}, v.Cancel)
	require.Contains(t, v.Did[len(v.Did)-1], "no journal knows it")
}

func TestJudge_foreignOrderStopsAnAccountOfOursAloneAndIsLeftOnASharedOne(t *testing.T) {
	foreign := says(venue.Ack, 0, func(r *venue.Report) { r.SetRef([]byte("F1")) })
	all := sweep(77, 77, says(venue.Cancelled, id), foreign)
	v := rig(Cancel).Judge(all, nil, 100*second)
	require.Empty(t, v.Cancel)
	require.Contains(t, v.Differences[0], "order F1 of a:X, not ours, stands at the venue, though the account is ours alone")
	c := rig(Cancel)
	c.Shared = []bool{false, true}
	v = c.Judge(all, nil, 100*second)
	require.Empty(t, v.Differences)
	require.Empty(t, v.Cancel)
	require.Equal(t, []string{"order F1 of a:X, not ours, stands at the venue"}, v.Foreign)
}

func TestJudge_firstStartHoldsTheConfigsBalancesAgainstTheVenues(t *testing.T) {
	c := rig(Cancel)
	c.State, c.Balances = &journal.State{}, []ledger.Opening{{Venue: 1, Ccy: usd, Amount: thousandUS}}
	require.Empty(t, c.Judge(states(thousandUS, 0), nil, second).Differences)
	require.Equal(t, []string{"a: the venue states 999 USD free, our books say 1000"}, c.Judge(states(thousandUS-oneCoin, 0), nil, second).Differences)
	require.Equal(t, []string{"a: the venue states 1000 USD free, our books say 0", "a: the venue states 2 X free, our books say 0"}, func() []string {
		c.Balances = nil
		return c.Judge(states(thousandUS, 2*oneCoin), nil, second).Differences
	}())
}

func TestJudge_namesThatTheConfigLacksAreDifferences(t *testing.T) {
	c := rig(Cancel)
	c.State.Orders[0].Instrument, c.State.Fills[0].Instrument = "a:Y", "a:Z"
	c.State.Balances = append(c.State.Balances, journal.Balance{Venue: "b", Currency: "USD", Amount: oneCoin})
	c.State.Positions = []journal.Position{{Instrument: "a:X", PriceScale: 2, Qty: 3}}
	v := c.Judge(sweep(thousandUS, 5*oneCoin), nil, 100*second)
	require.Len(t, v.Differences, 4)
	require.Contains(t, v.Differences[0], "order 3-7 of a:Y may be open, but the config has no such instrument")
	require.Contains(t, v.Differences[1], "the journal holds 1 USD at b, which the config does not name")
	require.Contains(t, v.Differences[2], "price_scale: 2 and qty_scale: 0")
	require.Contains(t, v.Differences[3], "a fill of a:Z")
}

// What a sweep shows is part of the opening, whether or not the journal still knows its order: told again, it is no news.
func TestJudge_everyTradeOfTheSweepIsSeen(t *testing.T) {
	ended := says(venue.Fill, id-1, func(r *venue.Report) { r.Fill, r.Cum = 2, 2 })
	ended.SetRef([]byte("t0"))
	v := rig(Adopt).Judge(sweep(thousandUS-400*oneCoin, 6*oneCoin, ended, says(venue.Ack, id)), nil, 100*second)
	require.Empty(t, v.Differences)
	require.Contains(t, v.Opening.Seen, ended)
}
