package ledger

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

const (
	usd venue.Ccy = 1 + iota
	btc
	bnb
)

const (
	spot venue.Inst = 1 + iota
	perp            // linear, a contract is 0.01 BTC
	inv             // inverse, a contract is 100 USD
	yes
	no_
	fine // spot with 8 + 8 decimals
)

func cash(v int64) fixed.Cash { return fixed.Cash(v) * 100_000_000 }

func newDesk() *desk.Desk {
	mk := func(i venue.Inst, k venue.Kind, base, settle venue.Ccy) *venue.Instrument {
		return &venue.Instrument{Inst: i, Venue: 1, Product: 1, Name: fmt.Sprint("x", i), Base: base, Quote: usd, Settle: settle, Kind: k,
			PriceScale: 2, QtyScale: 4, Tick: 1, Lot: 1, Multiplier: fixed.One, Status: venue.Trading}
	}
	ins := []*venue.Instrument{nil, mk(spot, venue.Spot, btc, usd), mk(perp, venue.Perpetual, btc, usd), mk(inv, venue.Perpetual, btc, btc),
		mk(yes, venue.Binary, 0, usd), mk(no_, venue.Binary, 0, usd), mk(fine, venue.Spot, btc, usd)}
	ins[perp].Multiplier = fixed.One / 100
	ins[inv].Contract, ins[inv].Face, ins[inv].Multiplier = venue.Inverse, cash(100), 0
	ins[no_].Complement = true
	ins[fine].PriceScale, ins[fine].QtyScale = 8, 8
	d := desk.New(ins, 1, 3, 1, usd, books.Config{})
	d.FX[btc] = desk.FXRate{Bid: 100_000 * fixed.One, Ask: 100_100 * fixed.One}
	d.FX[bnb] = desk.FXRate{Bid: 600 * fixed.One, Ask: 601 * fixed.One}
	return d
}

func newLedger(t testing.TB, cfg Config) (*Ledger, *desk.Desk) {
	d := newDesk()
	l, err := New(d, cfg)
	require.NoError(t, err)
	return l, d
}

func fill(i venue.Inst, q fixed.Qty, p fixed.Price) *venue.Report {
	return &venue.Report{Kind: venue.Fill, Venue: 1, Inst: i, Fill: q, Price: p}
}

// model is average cost as a textbook writes it, in decimals with 60 digits of division.
type model struct {
	in                    *venue.Instrument
	qty, avg, realised    decimal.Decimal // avg in quote for linear; for inverse the average of 1/price
	fees, baseFees, other decimal.Decimal
	quoteFlow, baseFlow   decimal.Decimal
}

var (
	hundredth = decimal.New(1, -2)
	one       = decimal.NewFromInt(1)
)

// unit is the value of one unit of quantity at price p: what a long pays.
func (m *model) unit(p decimal.Decimal) decimal.Decimal {
	switch {
	case m.in.Contract == venue.Inverse:
		return fixed.Decimal(m.in.Face, 8).DivRound(p, 60).Neg()
	case m.in.Inst == perp:
		return p.Mul(hundredth)
	}
	return p
}

func (m *model) trade(dq, p decimal.Decimal) {
	if dq.IsZero() {
		return
	}
	u := decimal.Zero
	if !p.IsZero() {
		u = m.unit(p)
	}
	if m.qty.Sign()*dq.Sign() >= 0 {
		m.avg = m.avg.Mul(m.qty).Add(u.Mul(dq)).DivRound(m.qty.Add(dq), 60)
		m.qty = m.qty.Add(dq)
		return
	}
	closed := decimal.Min(m.qty.Abs(), dq.Abs())
	if m.qty.Sign() < 0 {
		closed = closed.Neg()
	}
	m.realised = m.realised.Add(u.Sub(m.avg).Mul(closed))
	was := m.qty.Sign()
	if m.qty = m.qty.Add(dq); m.qty.Sign() != was {
		m.avg = u
	}
}

// book is one fill with its fee.
func (m *model) book(dq, p, fee decimal.Decimal, ccy venue.Ccy) {
	m.trade(dq, p)
	pay := p
	if m.in.Complement {
		pay = p.Sub(one) // a sell of YES pays 1 − p for NO
	}
	m.quoteFlow = m.quoteFlow.Sub(dq.Mul(pay))
	m.baseFlow = m.baseFlow.Add(dq)
	switch {
	case ccy == bnb:
		m.other = m.other.Add(fee)
	case m.in.Kind == venue.Spot && ccy == btc:
		before := m.baseFees.RoundUp(int32(m.in.QtyScale))
		if m.baseFees.Sign() < 0 {
			before = m.baseFees.RoundCeil(int32(m.in.QtyScale))
		}
		m.baseFees = m.baseFees.Add(fee)
		m.trade(before.Sub(m.baseFees.RoundCeil(int32(m.in.QtyScale))), decimal.Zero)
	default:
		m.fees = m.fees.Add(fee)
	}
}

func floor(d decimal.Decimal) fixed.Cash {
	v, fault := fixed.FromDecimal(d.RoundFloor(8), 8)
	if fault != fixed.OK {
		panic(fault)
	}
	return fixed.Cash(v)
}

func TestLedger_equalsTheModel(t *testing.T) {
	for _, c := range []struct {
		name string
		i    venue.Inst
		fees []venue.Ccy
		max  int64 // price
	}{
		{"spot, fees in quote", spot, []venue.Ccy{usd}, 20_000_000}, {"spot, fees in base", spot, []venue.Ccy{btc}, 20_000_000},
		{"spot, fees in another", spot, []venue.Ccy{bnb}, 20_000_000}, {"spot, all kinds", spot, []venue.Ccy{usd, btc, bnb}, 20_000_000},
		{"fine spot", fine, []venue.Ccy{usd, btc}, 20_000_00000000}, {"linear", perp, []venue.Ccy{usd, bnb}, 20_000_000},
		{"inverse", inv, []venue.Ccy{btc, bnb}, 20_000_000}, {"yes", yes, []venue.Ccy{usd}, 99}, {"no", no_, []venue.Ccy{usd}, 99},
	} {
		t.Run(c.name, func(t *testing.T) {
			for seed := range uint64(40) {
				r := rand.New(rand.NewPCG(seed, uint64(c.i)))
				l, d := newLedger(t, Config{Horizon: 16})
				m := &model{in: d.Instruments[c.i]}
				for n := range 60 {
					rep := fill(c.i, fixed.Qty(1+r.Int64N(30_000)), fixed.Price(1+r.Int64N(c.max)))
					if r.IntN(4) == 0 && d.Positions[c.i].Qty != 0 {
						rep.Fill = max(d.Positions[c.i].Qty, -d.Positions[c.i].Qty) // to flat, or twice as much
					}
					rep.Fee, rep.FeeCcy = fixed.Cash(r.Int64N(100_000)-20_000), c.fees[r.IntN(len(c.fees))]
					sd := venue.Side(1 + r.IntN(2))
					if r.IntN(8) == 0 {
						rep.Finality = venue.Reversed
					}
					require.Equal(t, venue.OK, l.Fill(rep, sd))
					sign := decimal.NewFromInt(sd.Sign())
					if rep.Finality == venue.Reversed {
						sign = sign.Neg()
						rep.Fee = -rep.Fee
					}
					m.book(fixed.Decimal(rep.Fill, m.in.QtyScale).Mul(sign), fixed.Decimal(rep.Price, m.in.PriceScale), fixed.Decimal(rep.Fee, 8), rep.FeeCcy)
					compare(t, l, d, m, n+1)
				}
			}
		})
	}
}

// compare holds every figure against the model.
func compare(t *testing.T, l *Ledger, d *desk.Desk, m *model, fills int) {
	in := m.in
	p, a, tm := &d.Positions[in.Inst], &l.accounts[in.Inst], &l.terms[in.Inst]
	require.True(t, fixed.Decimal(p.Qty, in.QtyScale).Equal(m.qty), "quantity %v, want %v", p.Qty, m.qty)

	// realised − cost is exactly the sum of all cash flows, whatever was rounded between the two
	s, ok := a.realised.add(a.cost.neg())
	require.True(t, ok)
	require.Equal(t, a.flow, s)

	// realised is the model's, rounded against us by less than a raw unit a fill
	unit := decimal.New(int64(fills), -12)
	exact := tm.decimal(a.realised)
	require.True(t, exact.LessThanOrEqual(m.realised.Add(decimal.New(1, -40))), "%v, want at most %v", exact, m.realised)
	require.True(t, exact.Add(unit).GreaterThan(m.realised), "%v, want %v", exact, m.realised)
	require.Equal(t, floor(exact)-fixed.Cash(m.fees.Shift(8).IntPart()), p.Realised)

	if m.qty.IsZero() {
		require.True(t, a.cost.zero())
		require.Zero(t, p.Avg)
	} else if !m.avg.IsZero() {
		avg := m.avg
		switch {
		case in.Contract == venue.Inverse:
			avg = fixed.Decimal(in.Face, 8).Neg().DivRound(m.avg, 60)
		case in.Inst == perp:
			avg = avg.Div(hundredth)
		}
		slack := decimal.New(1, -10)
		up, down := avg.Add(slack).RoundCeil(int32(in.PriceScale)), avg.Sub(slack).RoundFloor(int32(in.PriceScale))
		got := fixed.Decimal(p.Avg, in.PriceScale)
		require.True(t, got.GreaterThanOrEqual(down) && got.LessThanOrEqual(up), "average %v, want %v", got, avg)
		if p.Qty > 0 {
			require.True(t, got.Add(slack).GreaterThanOrEqual(avg), "the average of a long is rounded up: %v, want %v", got, avg)
		} else {
			require.True(t, got.Sub(slack).LessThanOrEqual(avg), "the average of a short is rounded down: %v, want %v", got, avg)
		}
	}
	b := d.Balances[1]
	require.Equal(t, floor(m.other.Neg()), b[bnb])
	switch {
	case in.Kind == venue.Spot:
		require.Equal(t, floor(m.quoteFlow)-fixed.Cash(m.fees.Shift(8).IntPart()), b[usd])
		require.Equal(t, floor(m.baseFlow.Sub(m.baseFees)), b[btc])
	case in.Kind == venue.Binary:
		require.Equal(t, floor(m.quoteFlow.Sub(m.fees)), b[usd])
	case in.Contract == venue.Inverse:
		require.Equal(t, floor(exact)-fixed.Cash(m.fees.Shift(8).IntPart()), b[btc])
	default:
		require.Equal(t, floor(exact)-fixed.Cash(m.fees.Shift(8).IntPart()), b[usd])
	}
	// unrealised at any mark
	mark := fixed.Price(1 + int64(fills)*7919%99)
	a.bid, a.ask = mark, mark
	u, ok := a.unrealised(tm)
	require.True(t, ok)
	want := decimal.Zero
	if !m.qty.IsZero() {
		want = m.unit(fixed.Decimal(mark, in.PriceScale)).Sub(m.avg).Mul(m.qty)
	}
	got := fixed.Decimal(u, 8)
	require.True(t, got.Sub(want).Abs().LessThanOrEqual(decimal.New(1, -8).Add(unit)), "unrealised %v, want %v", got, want)
}
