package ledger

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

func mark(d *desk.Desk, i venue.Inst, bid, ask fixed.Price) {
	in := d.Instruments[i]
	d.Now += venue.Millisecond
	var f [3]venue.Event
	f[0].SetHead(1, i, venue.Snapshot|venue.Last, d.Now, d.Now, 0, 0, uint64(d.Now), venue.NoChecksum, 2)
	f[1] = venue.Event{Kind: venue.Levels, Flags: venue.Bids, N: 1, Inst: i, W: [6]int64{int64(bid), int64(in.Lot)}}
	f[2] = venue.Event{Kind: venue.Levels, Flags: venue.Asks | venue.Last, N: 1, Inst: i, W: [6]int64{int64(ask), int64(in.Lot)}}
	d.Books[i].Apply(f[:])
}

func charged(r *venue.Report, fee fixed.Cash, c venue.Ccy) *venue.Report {
	r.Fee, r.FeeCcy = fee, c
	return r
}

func named(r *venue.Report, id string) *venue.Report {
	r.SetRef([]byte(id))
	return r
}

func TestFill_byHand(t *testing.T) {
	l, d := newLedger(t, Config{})
	// buy 1 at 100, buy 1 at 101, sell 1 at 103, sell 2 at 99: flat at +2.5, then short 1 at 99
	for _, x := range []struct {
		side          venue.Side
		q             fixed.Qty
		p             fixed.Price
		qty           fixed.Qty
		avg           fixed.Price
		realised, usd fixed.Cash
	}{
		{venue.Buy, 10_000, 100_00, 10_000, 100_00, 0, -cash(100)},
		{venue.Buy, 10_000, 101_00, 20_000, 100_50, 0, -cash(201)},
		{venue.Sell, 10_000, 103_00, 10_000, 100_50, 2_50000000, -cash(98)},
		{venue.Sell, 20_000, 99_00, -10_000, 99_00, 1_00000000, cash(100)},
		{venue.Buy, 10_000, 98_00, 0, 0, 2_00000000, cash(2)},
	} {
		require.Equal(t, venue.OK, l.Fill(fill(spot, x.q, x.p), x.side))
		require.Equal(t, desk.Position{Qty: x.qty, Avg: x.avg, Realised: x.realised}, d.Positions[spot])
		require.Equal(t, x.usd, d.Balances[1][usd])
	}
}

func TestFill_averageIsRoundedAgainstUs(t *testing.T) {
	l, d := newLedger(t, Config{})
	l.Fill(fill(spot, 10_000, 100_00), venue.Buy)
	l.Fill(fill(spot, 20_000, 100_01), venue.Buy)
	require.EqualValues(t, 100_01, d.Positions[spot].Avg)
	l.Fill(fill(spot, 60_000, 100_00), venue.Sell)
	l.Fill(fill(spot, 10_000, 100_01), venue.Sell)
	require.EqualValues(t, 100_00, d.Positions[spot].Avg)
	// inverse: 1 contract at 30,000 and 1 at 30,000.01
	l.Fill(fill(inv, 10_000, 30_000_00), venue.Buy)
	l.Fill(fill(inv, 10_000, 30_000_01), venue.Buy)
	require.EqualValues(t, 30_000_01, d.Positions[inv].Avg)
	l.Fill(fill(inv, 40_000, 30_000_00), venue.Sell)
	l.Fill(fill(inv, 20_000, 30_000_01), venue.Sell)
	require.EqualValues(t, 30_000_00, d.Positions[inv].Avg)
}

func TestFill_inversePaysInCoins(t *testing.T) {
	l, d := newLedger(t, Config{})
	l.Fill(fill(inv, 1_000_000, 50_000_00), venue.Buy) // 100 contracts of 100 USD
	require.Zero(t, d.Balances[1][btc])
	l.Fill(charged(fill(inv, 1_000_000, 40_000_00), 1000, btc), venue.Sell)
	// 10,000 × (1/50,000 − 1/40,000) = −0.05
	require.EqualValues(t, -5_000_000-1000, d.Positions[inv].Realised)
	require.EqualValues(t, -5_000_000-1000, d.Balances[1][btc])
	require.EqualValues(t, 1000, d.Positions[inv].Fees)
}

func TestFill_feeInBaseShrinksWhatIsHeld(t *testing.T) {
	l, d := newLedger(t, Config{})
	require.Equal(t, venue.OK, l.Fill(charged(fill(spot, 10_000, 100_00), 100_000, btc), venue.Buy)) // 0.001
	require.EqualValues(t, 9_990, d.Positions[spot].Qty)
	require.EqualValues(t, 99_900_000, d.Balances[1][btc])
	require.Equal(t, -cash(100), d.Balances[1][usd])
	require.EqualValues(t, -10_000_000, d.Positions[spot].Realised, "0.001 bought at 100 is gone")
	require.EqualValues(t, 10_000_000, d.Positions[spot].Fees)
	// finer than the quantity scale: the position shrinks first, the remainder is kept
	l.Fill(charged(fill(spot, 10_000, 100_00), 1_000, btc), venue.Buy)
	require.EqualValues(t, 19_989, d.Positions[spot].Qty)
	l.Fill(charged(fill(spot, 10_000, 100_00), 9_000, btc), venue.Buy)
	require.EqualValues(t, 29_989, d.Positions[spot].Qty)
	require.EqualValues(t, 299_890_000, d.Balances[1][btc])
}

func TestFill_duplicatesReversalsAndFaults(t *testing.T) {
	l, d := newLedger(t, Config{Horizon: 4})
	a := named(fill(spot, 10_000, 100_00), "1")
	require.Equal(t, venue.OK, l.Fill(a, venue.Buy))
	require.Equal(t, venue.Duplicate, l.Fill(a, venue.Buy))
	require.Equal(t, venue.OK, l.Fill(named(fill(fine, 10_000, 100_00), "1"), venue.Buy), "another instrument")
	require.EqualValues(t, 10_000, d.Positions[spot].Qty)

	back := *a
	back.Finality = venue.Reversed
	require.Equal(t, venue.OK, l.Fill(&back, venue.Buy))
	require.Equal(t, venue.Duplicate, l.Fill(&back, venue.Buy))
	require.Zero(t, d.Positions[spot].Qty)
	require.Zero(t, d.Positions[spot].Realised)
	require.EqualValues(t, -1, d.Balances[1][usd], "0.0001 × 0.00000100 × … of the other instrument, rounded against us")

	for i := range 4 {
		require.Equal(t, venue.OK, l.Fill(named(fill(spot, 1, 1), fmt.Sprint("n", i)), venue.Buy))
	}
	require.Equal(t, venue.OK, l.Fill(a, venue.Buy), "beyond the horizon it is forgotten")
	anonymous := fill(spot, 1, 1)
	require.Equal(t, venue.OK, l.Fill(anonymous, venue.Buy))
	require.Equal(t, venue.OK, l.Fill(anonymous, venue.Buy), "without an id nothing is a duplicate")

	bad := func(change func(r *venue.Report), sd venue.Side) {
		r := fill(spot, 1, 1)
		change(r)
		require.Equal(t, venue.Malformed, l.Fill(r, sd))
	}
	bad(func(r *venue.Report) { r.Inst = 0 }, venue.Buy)
	bad(func(r *venue.Report) { r.Inst = 99 }, venue.Buy)
	bad(func(r *venue.Report) { r.Fill = 0 }, venue.Buy)
	bad(func(r *venue.Report) { r.Price = -1 }, venue.Buy)
	bad(func(r *venue.Report) { r.Fee, r.FeeCcy = 1, 0 }, venue.Buy)
	bad(func(r *venue.Report) { r.Fee, r.FeeCcy = 1, 77 }, venue.Buy)
	bad(func(*venue.Report) {}, venue.NoSide)
}

func TestFill_overflowBooksNothing(t *testing.T) {
	for name, run := range map[string]func(l *Ledger, d *desk.Desk) venue.Reason{
		"quantity": func(l *Ledger, d *desk.Desk) venue.Reason {
			l.Fill(fill(yes, fixed.Limit, 0), venue.Buy)
			return l.Fill(named(fill(yes, 1, 1), "x"), venue.Buy)
		},
		"cash": func(l *Ledger, d *desk.Desk) venue.Reason {
			return l.Fill(named(fill(spot, fixed.Limit, fixed.Limit), "x"), venue.Buy)
		},
		"balance": func(l *Ledger, d *desk.Desk) venue.Reason {
			d.Balances[1][usd] = -fixed.Limit
			return l.Fill(named(fill(spot, 10_000, 100_00), "x"), venue.Buy)
		},
		"second balance": func(l *Ledger, d *desk.Desk) venue.Reason {
			d.Balances[1][btc] = fixed.Limit
			return l.Fill(named(fill(spot, 10_000, 100_00), "x"), venue.Buy)
		},
		"fee balance": func(l *Ledger, d *desk.Desk) venue.Reason {
			d.Balances[1][bnb] = -fixed.Limit
			return l.Fill(named(charged(fill(spot, 10_000, 100_00), 1, bnb), "x"), venue.Buy)
		},
		"fees": func(l *Ledger, d *desk.Desk) venue.Reason {
			l.ccys[bnb].fees = fixed.Limit
			return l.Fill(named(charged(fill(spot, 10_000, 100_00), 1, bnb), "x"), venue.Buy)
		},
		"inverse without a price": func(l *Ledger, d *desk.Desk) venue.Reason {
			return l.Fill(named(fill(inv, 1, 0), "x"), venue.Buy)
		},
	} {
		t.Run(name, func(t *testing.T) {
			l, d := newLedger(t, Config{})
			why := run(l, d)
			before := fmt.Sprint(d.Positions, d.Balances, l.accounts, l.ccys)
			require.Equal(t, venue.Overflowed, why)
			why = run(l, d)
			require.Equal(t, venue.Overflowed, why, "the trade is not remembered")
			require.Equal(t, before, fmt.Sprint(d.Positions, d.Balances, l.accounts, l.ccys))
		})
	}
}

func TestBook_flowsMoveBalancesAndOnlyTheirOwnKindMovesProfit(t *testing.T) {
	l, d := newLedger(t, Config{Balances: []Opening{{1, usd, cash(1000)}}})
	require.Equal(t, Worth{Equity: cash(1000), OK: true}, l.Worth())
	require.Equal(t, venue.OK, l.Book(Deposit, 1, usd, cash(500)))
	require.Equal(t, venue.OK, l.Book(Transfer, 1, usd, -cash(200)))
	require.Equal(t, Worth{Equity: cash(1300), OK: true}, l.Worth())
	for _, k := range []FlowKind{Funding, Interest, Rebate, Settlement, Correction} {
		require.Equal(t, venue.OK, l.Book(k, 1, usd, -cash(10)))
	}
	require.Equal(t, Worth{PnL: -cash(50), Equity: cash(1250), OK: true}, l.Worth())
	require.Equal(t, cash(1250), d.Balances[1][usd])
	require.Equal(t, venue.Malformed, l.Book(NoFlow, 1, usd, 1))
	require.Equal(t, venue.Malformed, l.Book(flowKinds, 1, usd, 1))
	require.Equal(t, venue.Malformed, l.Book(Deposit, 9, usd, 1))
	require.Equal(t, venue.Malformed, l.Book(Deposit, 1, 0, 1))
	require.Equal(t, venue.Overflowed, l.Book(Funding, 1, usd, fixed.Limit))
	require.Equal(t, Worth{PnL: -cash(50), Equity: cash(1250), OK: true}, l.Worth())
}

func TestWorth_marksAtTheWorseSide(t *testing.T) {
	l, d := newLedger(t, Config{Balances: []Opening{{1, usd, cash(100_000)}, {1, btc, cash(1)}}})
	l.Fill(fill(perp, 1_000_000, 100_000_00), venue.Buy) // 100 contracts of 0.01
	require.False(t, l.Worth().OK, "no mark yet")
	mark(d, perp, 100_100_00, 100_200_00)
	u, ok := l.Unrealised(perp)
	require.True(t, ok)
	require.Equal(t, cash(100), u)
	require.Equal(t, Worth{PnL: cash(100), Equity: cash(200_100), OK: true}, l.Worth())
	l.Fill(fill(perp, 2_000_000, 100_000_00), venue.Sell)
	require.Equal(t, Worth{PnL: -cash(200), Equity: cash(199_800), OK: true}, l.Worth())
	d.Books[perp].Invalidate(venue.SequenceGap)
	require.Equal(t, -cash(200), l.Worth().PnL, "the last Live book's mark stands")
	l.Fill(fill(perp, 1_000_000, 100_000_00), venue.Buy)

	// a loss in coins converts at the ask, a gain at the bid
	l.Fill(fill(inv, 1_000_000, 50_000_00), venue.Buy)
	l.Fill(fill(inv, 1_000_000, 40_000_00), venue.Sell)
	require.Equal(t, -cash(5005), l.Worth().PnL)
	l.Book(Funding, 1, btc, 10_000_000)
	require.Equal(t, cash(5000), l.Worth().PnL)

	// without a rate a balance counts as nothing, but a result does not
	d.FX[btc] = desk.FXRate{}
	require.False(t, l.Worth().OK)
	l.Book(Funding, 1, btc, -5_000_000)
	require.Equal(t, Worth{Equity: cash(100_000), OK: true}, l.Worth())
	l.Book(Deposit, 1, btc, -cash(2))
	require.False(t, l.Worth().OK, "a debt of unknown size")
}

func TestWorth_holdingsWithoutABalance(t *testing.T) {
	l, d := newLedger(t, Config{Balances: []Opening{{1, usd, cash(100)}}})
	mark(d, yes, 40, 42)
	mark(d, no_, 40, 42)
	l.Fill(fill(yes, 100_000, 41), venue.Buy) // 10 at 0.41
	require.Equal(t, Worth{PnL: -10_000_000, Equity: cash(100) - 10_000_000, OK: true}, l.Worth())
	l.Fill(fill(no_, 100_000, 41), venue.Sell) // 10 NO at 0.59
	require.Equal(t, cash(100)-cash(10), d.Balances[1][usd])
	require.Equal(t, Worth{PnL: -20_000_000, Equity: cash(100) - 20_000_000, OK: true}, l.Worth(), "YES and NO together are worth 1 less the spread")

	d.FX[btc] = desk.FXRate{}
	mark(d, spot, 99_00, 100_00)
	l.Fill(fill(spot, 10_000, 100_00), venue.Buy)
	require.Equal(t, -cash(1)-20_000_000, l.Worth().PnL)
	require.Equal(t, cash(100)-cash(1)-20_000_000, l.Worth().Equity, "valued by its own book")
	// a binary without bids is worth nothing, one without asks owes everything
	l.accounts[yes].bid, l.accounts[no_].ask = 0, 0
	d.Books[yes].Invalidate(venue.SequenceGap)
	d.Books[no_].Invalidate(venue.SequenceGap)
	require.Equal(t, cash(100)-cash(1)-cash(10), l.Worth().Equity)
}

func TestNew_namesEveryFault(t *testing.T) {
	d := newDesk()
	d.Instruments[perp].Settle = btc
	d.Instruments[inv].Face = 0
	d.Instruments[fine].Multiplier = 0
	_, err := New(d, Config{Balances: []Opening{{9, usd, 1}, {1, usd, fixed.Limit}, {1, usd, 1}}, Positions: []Holding{{99, 1, 1}, {inv, 1, 0}}})
	for _, want := range []string{"x2: a linear contract that settles in another", "x3: face 0", "x6: multiplier 0", "venue 9 in currency 1: unknown",
		"venue 1 in currency 1: too large", "instrument 99: unknown", "x3: too large, or without a price"} {
		require.ErrorContains(t, err, want)
	}
}

func TestNew_holdingsCostWhatTheyCost(t *testing.T) {
	l, d := newLedger(t, Config{Positions: []Holding{{spot, 10_000, 100_00}, {perp, -10_000, 100_00}}})
	require.Equal(t, desk.Position{Qty: 10_000, Avg: 100_00}, d.Positions[spot])
	require.Zero(t, d.Balances[1][usd])
	l.Fill(fill(spot, 10_000, 110_00), venue.Sell)
	require.Equal(t, cash(10), d.Positions[spot].Realised)
	require.Equal(t, cash(110), d.Balances[1][usd])
	l.Fill(fill(perp, 10_000, 90_00), venue.Buy)
	require.EqualValues(t, 10_000_000, d.Positions[perp].Realised)
}

func TestSnapshot_isExact(t *testing.T) {
	l, d := newLedger(t, Config{Balances: []Opening{{1, usd, cash(1000)}}})
	mark(d, spot, 101_00, 102_00)
	l.Fill(charged(fill(spot, 30_000, 100_01), 5, usd), venue.Buy)
	l.Fill(charged(fill(spot, 10_000, 101_01), 7, bnb), venue.Sell)
	l.Book(Funding, 1, usd, -3)
	s := l.Snapshot()
	require.Len(t, s.Lines, 1)
	x := s.Lines[0]
	for got, want := range map[*decimal.Decimal]string{&x.Qty: "2", &x.Avg: "100.01", &x.Realised: "0.99999995", &x.Fees: "0.00000005", &x.Unrealised: "1.98",
		&s.Totals[0].Balance: "800.97999992", &s.Totals[0].Fees: "0.00000005", &s.Totals[0].PnL: "0.99999992", &s.Totals[0].Flows[Funding]: "-0.00000003",
		&s.Totals[2].PnL: "-0.00000007"} {
		require.Equal(t, want, got.String())
	}
	require.True(t, x.Marked)
	require.Equal(t, l.Worth(), s.Worth)
}

func TestLedger_allocatesNothing(t *testing.T) {
	l, d := newLedger(t, Config{Horizon: 64})
	mark(d, spot, 99_00, 100_00)
	r := charged(fill(spot, 10, 100_00), 1, btc)
	id := uint64(0)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		id++
		r.Ref[0], r.Ref[1], r.Ref[2] = 2, byte(id), byte(id>>8)
		if l.Fill(r, venue.Side(1+id%2)) != venue.OK || !l.Worth().OK || l.Book(Funding, 1, usd, 1) != venue.OK {
			t.Fatal("unexpected refusal")
		}
	}))
}

func TestSeen_equalsAMap(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 20 {
		n := 1 << (1 + r.IntN(6))
		s := newSeen(n)
		var ring []trade
		for range 3000 {
			k := trade{inst: venue.Inst(r.IntN(3)), venue: venue.ID(r.IntN(2)), reversed: r.IntN(5) == 0}
			k.ref[0], k.ref[39], k.ref[8] = 39, byte(r.IntN(40)), byte(r.IntN(2))
			known := false
			for _, x := range ring {
				known = known || x == k
			}
			require.Equal(t, known, s.has(&k))
			if !known {
				s.add(&k)
				if ring = append(ring, k); len(ring) > n {
					ring = ring[1:]
				}
			}
		}
	}
}

func FuzzWide(f *testing.F) {
	f.Add(int64(1)<<62, int64(-3), uint64(7), uint64(9), uint64(11), uint8(0))
	f.Fuzz(func(t *testing.T, x, y int64, m, d, e uint64, how uint8) {
		if d == 0 || e == 0 || x == -1<<63 || y == -1<<63 {
			return
		}
		w := product(x, y)
		want := new(big.Int).Mul(big.NewInt(x), big.NewInt(y))
		require.Zero(t, want.Cmp(w.big()))
		if !w.fits() {
			return
		}
		n := w.neg()
		require.Zero(t, new(big.Int).Neg(want).Cmp(n.big()))
		sum, ok := w.add(product(y, 5))
		exact := new(big.Int).Add(want, new(big.Int).Mul(big.NewInt(y), big.NewInt(5)))
		if ok {
			require.Zero(t, exact.Cmp(sum.big()))
		}
		r := fixed.Rounding(how % 4)
		got, ok := w.mulDiv(m, d, e, r)
		num := new(big.Int).Mul(want, new(big.Int).SetUint64(m))
		den := new(big.Int).Mul(new(big.Int).SetUint64(d), new(big.Int).SetUint64(e))
		q, rem := new(big.Int).QuoRem(num, den, new(big.Int))
		if rem.Sign() != 0 && (r == fixed.FromZero || (r == fixed.Up && num.Sign() > 0) || (r == fixed.Down && num.Sign() < 0)) {
			q.Add(q, big.NewInt(int64(num.Sign())))
		}
		limit := new(big.Int).Lsh(big.NewInt(1), 126)
		if ok {
			require.Zero(t, q.Cmp(got.big()), "%v × %v ÷ %v ÷ %v %v", w.big(), m, d, e, r)
			c, fits := got.cash()
			require.Equal(t, q.IsInt64() && q.Int64() <= fixed.Limit && q.Int64() >= -fixed.Limit, fits)
			if fits {
				require.Equal(t, q.Int64(), int64(c))
			}
		} else {
			require.GreaterOrEqual(t, new(big.Int).Abs(q).Cmp(limit), 0)
		}
	})
}
