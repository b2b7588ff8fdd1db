package naive

import (
	"time"

	"github.com/google/btree"
	"github.com/shopspring/decimal"
)

// cross is both legs of an arbitrage.
type cross struct {
	buy, sell Order
	edge      decimal.Decimal
}

// arbitrage buys at one venue and sells at another when the edge after fees is large enough.
type arbitrage struct {
	threshold, most decimal.Decimal
}

func newArbitrage() arbitrage {
	return arbitrage{threshold: decimal.New(5, -4), most: decimal.New(1, 0)}
}

// look compares the venue that changed with all others and returns the best cross, sized.
func (a *arbitrage) look(b *Bot, venue string) *cross {
	b.mu.RLock()
	defer b.mu.RUnlock()
	own := b.tops[venue]
	var best decimal.Decimal
	from, to := "", ""
	for other, t := range b.tops {
		if other == venue {
			continue
		}
		if edge := t.netBid.Sub(own.netAsk); edge.GreaterThan(best) {
			best, from, to = edge, venue, other
		}
		if edge := own.netBid.Sub(t.netAsk); edge.GreaterThan(best) {
			best, from, to = edge, other, venue
		}
	}
	if from == "" || best.LessThan(b.tops[from].netAsk.Mul(a.threshold)) {
		return nil
	}
	return a.size(b, from, to)
}

// size walks both ladders while the edge at the levels reached holds.
func (a *arbitrage) size(b *Bot, from, to string) *cross {
	asks, bids := ladder(b.books[from].Asks, 64), ladder(b.books[to].Bids, 64)
	pay, get := one.Add(b.fees[from]), one.Sub(b.fees[to])
	var size, ask, bid decimal.Decimal
	i, j, left, right := 0, 0, decimal.Zero, decimal.Zero
	for size.LessThan(a.most) {
		if left.IsZero() {
			if i == len(asks) {
				break
			}
			left = asks[i].q
			i++
		}
		if right.IsZero() {
			if j == len(bids) {
				break
			}
			right = bids[j].q
			j++
		}
		cost := asks[i-1].p.Mul(pay)
		if bids[j-1].p.Mul(get).Sub(cost).LessThan(cost.Mul(a.threshold)) {
			break
		}
		q := decimal.Min(left, right, a.most.Sub(size))
		size, left, right = size.Add(q), left.Sub(q), right.Sub(q)
		ask, bid = asks[i-1].p, bids[j-1].p
	}
	if size.IsZero() {
		return nil
	}
	late := time.Now().Add(500 * time.Millisecond)
	c := &cross{edge: bid.Mul(get).Sub(ask.Mul(pay))}
	c.buy = Order{Venue: from, Symbol: symbolAt(from), Strategy: "arb", Buy: true, Type: "LIMIT", TIF: "IOC", Price: ask, Qty: size, NotAfter: late}
	c.sell = Order{Venue: to, Symbol: symbolAt(to), Strategy: "arb", Type: "LIMIT", TIF: "IOC", Price: bid, Qty: size, NotAfter: late}
	return c
}

// ladder is the best levels of a tree, as many as hold what could be wanted.
func ladder(t *btree.BTreeG[level], most int) []level {
	var out []level
	sum := decimal.Zero
	t.Ascend(func(l level) bool {
		out = append(out, l)
		sum = sum.Add(l.q)
		return len(out) < most && sum.LessThan(one)
	})
	return out
}

// quoter keeps two layers a side around the microprice of one venue.
type quoter struct {
	fee, half, step, edge, band decimal.Decimal
	gamma                       decimal.Decimal
	qty                         decimal.Decimal
	live                        map[string]decimal.Decimal // working price by side and layer
	last                        float64
	variance, seconds           float64
	at                          time.Time
}

var layers = [...]string{"1", "2"}

func newQuoter(fee decimal.Decimal) quoter {
	return quoter{fee: fee, half: decimal.New(1, -2), step: decimal.New(1, -3), edge: decimal.New(1, -4), band: decimal.New(5, -3), gamma: decimal.New(1, -6),
		qty: decimal.New(1, -3), live: map[string]decimal.Decimal{}}
}

// look brings the quotes to where they should be: an order that is near enough stays.
func (s *quoter) look(b *Bot, venue string) {
	b.mu.RLock()
	t, pos := b.tops[venue], b.Gate.Position[symbolAt(venue)]
	b.mu.RUnlock()
	if t.bid.IsZero() || t.ask.IsZero() {
		return
	}
	fair := t.bid.Add(t.ask.Sub(t.bid).Mul(t.bidQty).Div(t.bidQty.Add(t.askQty)))
	s.volatility(fair)
	skew := pos.Mul(s.gamma).Mul(decimal.NewFromFloat(s.variance))
	middle := fair.Mul(one.Sub(skew))
	band := fair.Mul(s.band)
	for i, name := range layers {
		away := s.half.Add(s.fee).Add(s.step.Mul(decimal.NewFromInt(int64(i))))
		bid := decimal.Min(middle.Mul(one.Sub(away)), fair.Mul(one.Sub(s.edge))).RoundFloor(2)
		ask := decimal.Max(middle.Mul(one.Add(away)), fair.Mul(one.Add(s.edge))).RoundCeil(2)
		s.place(b, venue, "buy"+name, true, bid, band)
		s.place(b, venue, "sell"+name, false, ask, band)
	}
}

// volatility is the decayed mean of squared returns.
func (s *quoter) volatility(fair decimal.Decimal) {
	f, _ := fair.Float64()
	now := time.Now()
	if s.last > 0 {
		r, dt := f/s.last-1, now.Sub(s.at).Seconds()
		keep := 1 / (1 + dt)
		s.variance, s.seconds = s.variance*keep+r*r, s.seconds*keep+dt
	}
	s.last, s.at = f, now
}

// place sends a quote, or moves it when it has gone too far from where it should be.
func (s *quoter) place(b *Bot, venue, name string, buy bool, price, band decimal.Decimal) {
	if at, ok := s.live[name]; ok && at.Sub(price).Abs().LessThanOrEqual(band) {
		return
	}
	o := Order{Venue: venue, Symbol: symbolAt(venue), Strategy: "quoting", Buy: buy, Type: "LIMIT_MAKER", TIF: "GTC", Price: price, Qty: s.qty}
	if b.Gate.Check(&o) != "" {
		return
	}
	b.Gate.Place(&o, 1)
	b.record(&o, decimal.Zero)
	b.Sent = b.Encode(&o)
	b.Count++
	s.live[name] = price
}
