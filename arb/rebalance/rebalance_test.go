package rebalance

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// level is a price with lots.
type level struct {
	price fixed.Price
	lots  int64
}

// setup is a portfolio: venues 1.., currency 1 is cash and the reporting one, the others are coins.
type setup struct {
	cfg   Config
	d     *desk.Desk
	mids  []fixed.Price // by currency
	books map[venue.Inst][2][]level
}

// newSetup makes coins × venues markets. lots is the worth of a lot and held the balances in lots, by venue and currency.
func newSetup(t testing.TB, venues, coins int, price func(c venue.Ccy) fixed.Price, lot func(c venue.Ccy) fixed.Qty, fee func(v venue.ID) fixed.Rate, ladder func(in *venue.Instrument, mid fixed.Price) [2][]level) *setup {
	ins := []*venue.Instrument{nil}
	for v := 1; v <= venues; v++ {
		for c := 2; c <= coins+1; c++ {
			in := &venue.Instrument{Inst: venue.Inst(len(ins)), Venue: venue.ID(v), Product: venue.Product(c), Base: venue.Ccy(c), Quote: 1, Settle: 1, Kind: venue.Spot, Status: venue.Trading,
				PriceScale: 2, QtyScale: 6, Tick: 1, Lot: lot(venue.Ccy(c)), MinQty: 1, Multiplier: fixed.One, Name: fmt.Sprintf("v%d:c%d", v, c)}
			in.Fees.Taker = fee(in.Venue)
			ins = append(ins, in)
		}
	}
	s := &setup{d: desk.New(ins, venues, coins+1, 2, 1, books.Config{}), mids: make([]fixed.Price, coins+2), books: map[venue.Inst][2][]level{}}
	for c := 2; c <= coins+1; c++ {
		s.mids[c] = price(venue.Ccy(c))
		r := fixed.Rate(s.mids[c]) * fixed.One / 100
		s.d.FX[c] = desk.FXRate{Bid: r, Ask: r}
	}
	for _, in := range ins[1:] {
		s.books[in.Inst] = ladder(in, s.mids[in.Base])
		s.live(t, in)
	}
	return s
}

// live fills a book.
func (s *setup) live(t testing.TB, in *venue.Instrument) {
	var frame []venue.Event
	frame = append(frame, venue.Event{})
	for k, side := range s.books[in.Inst] {
		for _, l := range side {
			var e venue.Event
			e.Kind, e.Flags, e.N, e.Venue, e.Inst = venue.Levels, venue.Bids<<k, 1, in.Venue, in.Inst
			e.W[0], e.W[1] = int64(l.price), l.lots*int64(in.Lot)
			frame = append(frame, e)
		}
	}
	frame[0].SetHead(in.Venue, in.Inst, venue.Snapshot, 1, 1, 0, 0, 1, venue.NoChecksum, len(frame)-1)
	frame[len(frame)-1].Flags |= venue.Last
	s.d.Books[in.Inst].Apply(frame)
	require.Equal(t, books.Live, s.d.Books[in.Inst].State())
}

// finer is the same portfolio with lots of a part of the size.
func (s *setup) finer(t testing.TB, by int64) *setup {
	var ins []*venue.Instrument
	for _, in := range s.d.Instruments {
		if in != nil {
			c := *in
			in = &c
			in.QtyScale += 2
		}
		ins = append(ins, in)
	}
	f := &setup{cfg: s.cfg, d: desk.New(ins, len(s.d.Balances)-1, len(s.d.FX)-1, 2, 1, books.Config{}), mids: s.mids, books: map[venue.Inst][2][]level{}}
	copy(f.d.FX, s.d.FX)
	for v := range f.d.Balances {
		copy(f.d.Balances[v], s.d.Balances[v])
	}
	for i, b := range s.books {
		for k := range b {
			b[k] = append([]level(nil), b[k]...)
			for l := range b[k] {
				b[k][l].lots *= by
			}
		}
		f.books[i] = b
		f.live(t, ins[i])
	}
	return f
}

// outcome is what trading lots in a market does, in decimals: base, quote, and its cost.
func (s *setup) outcome(in *venue.Instrument, lots int64) (base, quote, cost float64) {
	if lots == 0 {
		return 0, 0, 0
	}
	side, n, sign := s.books[in.Inst][1], lots, int64(1)
	if lots < 0 {
		side, n, sign = s.books[in.Inst][0], -lots, -1
	}
	lot, cash := fixed.Decimal(in.Lot, in.QtyScale), decimal.Zero
	left := n
	for _, l := range side {
		part := min(left, l.lots)
		cash = cash.Add(fixed.Decimal(l.price, 2).Mul(lot).Mul(decimal.NewFromInt(part)))
		left -= part
	}
	fee := cash.Mul(fixed.Decimal(in.Fees.Taker, fixed.RateScale))
	b := lot.Mul(decimal.NewFromInt(lots))
	q := cash.Mul(decimal.NewFromInt(-sign)).Sub(fee)
	lost := b.Mul(fixed.Decimal(s.mids[in.Base], 2)).Add(q).Neg()
	return b.InexactFloat64(), q.InexactFloat64(), decimal.Max(lost, fee).InexactFloat64()
}

// exhaustive tries every combination of lots that the books hold, and returns the least gap and the least cost at it.
type exhaustive struct {
	*setup
	held [][]float64
	best [2]float64
}

func (x *exhaustive) try(i int, cost float64) {
	ins := x.d.Instruments
	if i == len(ins) {
		if g := x.gap(); g < x.best[0]-1e-6 || g < x.best[0]+1e-6 && cost < x.best[1] {
			x.best = [2]float64{g, cost}
		}
		return
	}
	in := ins[i]
	depth := func(k int) (n int64) {
		for _, l := range x.books[in.Inst][k] {
			n += l.lots
		}
		return n
	}
	for lots := -depth(0); lots <= depth(1); lots++ {
		if lots != 0 && max(lots, -lots) < minimum(in, 0) {
			continue
		}
		b, q, c := x.outcome(in, lots)
		x.held[in.Venue][in.Base] += b
		x.held[in.Venue][in.Quote] += q
		x.try(i+1, cost+c)
		x.held[in.Venue][in.Base] -= b
		x.held[in.Venue][in.Quote] -= q
	}
}

// gap is what lies outside of the bands or is overdrawn.
func (x *exhaustive) gap() (gap float64) {
	worth := func(v, c int) float64 {
		if c == 1 {
			return x.held[v][c]
		}
		return x.held[v][c] * float64(x.mids[c]) / 100
	}
	var total float64
	by := make([]float64, len(x.mids))
	for v := range x.held {
		for c := 1; c < len(x.mids); c++ {
			by[c] += worth(v, c)
			total += worth(v, c)
			gap += max(-worth(v, c)-1e-7, 0)
		}
	}
	rate := func(r fixed.Rate) float64 { return float64(r) / float64(fixed.One) }
	out := func(part, whole float64, w, b fixed.Rate) float64 {
		return max(rate(w-b)*whole-part-1e-5, part-rate(w+b)*whole-1e-5, 0)
	}
	for _, a := range x.cfg.Assets {
		c := int(a.Ccys[0])
		gap += out(by[c], total, a.Weight, a.Band)
		for _, sh := range a.Venues {
			gap += out(worth(int(sh.Venue), c), by[c], sh.Weight, sh.Band)
		}
	}
	return gap
}

// random makes a portfolio whose combinations can be counted.
func random(t *testing.T, rnd *rand.Rand) *setup {
	venues, coins := 1+rnd.IntN(3), 1+rnd.IntN(3)
	most := map[bool]int64{true: 1, false: 2}[venues*coins > 6]
	if venues*coins <= 4 {
		most = 4
	}
	lots := map[venue.Ccy]fixed.Qty{}
	s := newSetup(t, venues, coins, func(venue.Ccy) fixed.Price { return fixed.Price(1000 + rnd.IntN(1_000_000)) },
		func(c venue.Ccy) fixed.Qty {
			if lots[c] == 0 {
				lots[c] = fixed.Qty(1 + rnd.IntN(1000))
			}
			return lots[c]
		},
		func(venue.ID) fixed.Rate { return fixed.Rate(rnd.IntN(40)) * fixed.Bps },
		func(in *venue.Instrument, mid fixed.Price) (l [2][]level) {
			half := fixed.Price(1 + rnd.Int64N(int64(mid)/500+1))
			near := 1 + rnd.Int64N(most)
			l[0], l[1] = []level{{mid - half, near}}, []level{{mid + half, near}}
			if far := most - near; far > 0 {
				l[0], l[1] = append(l[0], level{mid - 2*half - 1, far}), append(l[1], level{mid + 2*half + 1, far})
			}
			return l
		})
	// Balances are a few lots of each, so that the lots that may be traded matter.
	weight := fixed.One
	for c := coins + 1; c >= 1; c-- {
		a := Asset{Name: fmt.Sprint(c), Ccys: []venue.Ccy{venue.Ccy(c)}, Weight: weight, Band: fixed.Rate(1+rnd.IntN(1500)) * fixed.Bps}
		if c > 1 {
			a.Weight = weight / fixed.Rate(1+rnd.IntN(3))
			if a.Weight == weight {
				a.Weight /= 2
			}
		}
		weight -= a.Weight
		if rnd.IntN(2) == 0 {
			for v := 1; v <= venues; v++ {
				a.Venues = append(a.Venues, Share{venue.ID(v), fixed.One / fixed.Rate(venues), fixed.Rate(500+rnd.IntN(3000)) * fixed.Bps})
			}
		}
		s.cfg.Assets = append(s.cfg.Assets, a)
		for v := 1; v <= venues; v++ {
			n := rnd.Int64N(6)
			coins := n * 1_0000000 * (1 + rnd.Int64N(9)) / 10
			if c > 1 {
				coins = n * int64(lots[venue.Ccy(c)]) * 100
			}
			s.d.Balances[v][c] = fixed.Cash(coins)
		}
	}
	// Cash is worth about as much as the coins.
	for v := 1; v <= venues; v++ {
		sum := fixed.Cash(0)
		for c := 2; c <= coins+1; c++ {
			x, _ := s.d.FX[c].Bid.Apply(s.d.Balances[v][c], fixed.Down)
			sum += x
		}
		s.d.Balances[v][1] += sum * fixed.Cash(rnd.IntN(3)) / 2
	}
	return s
}

// checked compares a plan with every combination there is. It reports whether trades were wanted, and whether every band
// can be reached.
func checked(t *testing.T, seed uint64) (moved, inside bool) {
	s := random(t, rand.New(rand.NewPCG(seed, 1)))
	p, err := Make(&s.cfg, s.d)
	require.NoError(t, err)
	x := &exhaustive{setup: s, best: [2]float64{1e18, 1e18}}
	for v := range s.d.Balances {
		row := make([]float64, len(s.d.Balances[v]))
		for c, n := range s.d.Balances[v] {
			row[c] = float64(n) / 1e8
		}
		x.held = append(x.held, row)
	}
	x.try(1, 0)
	inside = x.best[0] < 1e-6

	// With lots of a hundredth all of these combinations are there, and many more.
	fine, err := Make(&s.cfg, s.finer(t, 100).d)
	require.NoError(t, err)
	if inside {
		require.True(t, fine.Inside, "seed %d: %+v", seed, fine)
		require.LessOrEqual(t, counted(fine), x.best[1]*1.01+1e-4, "seed %d with fine lots: the least cost is %v\n%+v", seed, x.best, fine)
	}

	for _, tr := range p.Trades {
		in := s.d.Instruments[tr.Inst]
		b, q, _ := s.outcome(in, int64(tr.Qty/in.Lot)*tr.Side.Sign())
		x.held[in.Venue][in.Base] += b
		x.held[in.Venue][in.Quote] += q
	}
	require.LessOrEqual(t, x.gap(), x.best[0]*1.05+1e-4, "seed %d: the least gap is %v\n%+v", seed, x.best, p)
	if inside {
		require.True(t, p.Inside, "seed %d: %+v", seed, p)
		require.LessOrEqual(t, counted(p), x.best[1]*1.01+1e-4, "seed %d: the least cost is %v\n%+v", seed, x.best, p)
	}
	return len(p.Trades) > 0, inside
}

// counted is the cost of a plan as the search counts it: no trade below its fee.
func counted(p *Plan) float64 {
	sum := fixed.Cash(0)
	for _, tr := range p.Trades {
		sum += max(tr.Cost, tr.Fee)
	}
	return float64(sum) / 1e8
}

func TestMake_costsWithinAHundredthOfAnExhaustiveSearch(t *testing.T) {
	seeds := uint64(30)
	if os.Getenv("ONEPRICE_LONG") != "" {
		seeds = 2000
	}
	trading, reached := 0, 0
	for seed := range seeds {
		moved, inside := checked(t, seed)
		if moved {
			trading++
		}
		if inside {
			reached++
		}
	}
	t.Logf("%d portfolios: %d want trades, %d can reach every band", seeds, trading, reached)
	require.Greater(t, min(trading, reached), int(seeds/5))
}
