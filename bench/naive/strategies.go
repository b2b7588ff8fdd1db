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
	pay, get := b.pay[from], b.gets[to]
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
	low, high         [len(layers)]decimal.Decimal // each layer's price as a factor of the middle: half spread, maker fee, steps
	under, over, band decimal.Decimal
	near              decimal.Decimal // the band at the last fair value
	gamma, qty        decimal.Decimal
	live              map[string]decimal.Decimal // working price by side and layer
	wishes            []wish
	last              float64
	variance, seconds float64
	at                time.Time
}

var layers = [...]string{"1", "2"}

func newQuoter(fee decimal.Decimal) quoter {
	half, step, edge := decimal.New(1, -2), decimal.New(1, -3), decimal.New(1, -4)
	s := quoter{under: one.Sub(edge), over: one.Add(edge), band: decimal.New(5, -3), gamma: decimal.New(1, -6), qty: decimal.New(1, -3), live: map[string]decimal.Decimal{}}
	for i := range layers {
		away := half.Add(fee).Add(step.Mul(decimal.NewFromInt(int64(i))))
		s.low[i], s.high[i] = one.Sub(away), one.Add(away)
	}
	return s
}

// wish is one quote as it should be.
type wish struct {
	name  string
	buy   bool
	price decimal.Decimal
}

// look brings the quotes to where they should be: an order that is near enough stays.
func (s *quoter) look(b *Bot, venue string) {
	for _, q := range s.wants(b, venue) {
		if at, ok := s.live[q.name]; ok && at.Sub(q.price).Abs().LessThanOrEqual(s.near) {
			continue
		}
		o := s.order(venue, &q)
		if b.Gate.Check(&o) != "" {
			continue
		}
		b.Gate.Place(&o, 1)
		b.record(&o, decimal.Zero)
		b.Sent = b.Encode(&o)
		b.Count++
		s.live[q.name] = q.price
	}
}

// wants computes every quote from the microprice, volatility and position.
func (s *quoter) wants(b *Bot, venue string) []wish {
	b.mu.RLock()
	t, pos := b.tops[venue], b.Gate.Position[symbolAt(venue)]
	b.mu.RUnlock()
	if t.bid.IsZero() || t.ask.IsZero() {
		return nil
	}
	fair := t.bid.Add(t.ask.Sub(t.bid).Mul(t.bidQty).Div(t.bidQty.Add(t.askQty)))
	s.volatility(fair)
	middle := fair
	if !pos.IsZero() {
		middle = fair.Mul(one.Sub(pos.Mul(s.gamma).Mul(decimal.NewFromFloat(s.variance))))
	}
	s.near = fair.Mul(s.band)
	under, over := fair.Mul(s.under), fair.Mul(s.over)
	s.wishes = s.wishes[:0]
	for i := range layers {
		bid := decimal.Min(middle.Mul(s.low[i]), under).RoundFloor(2)
		ask := decimal.Max(middle.Mul(s.high[i]), over).RoundCeil(2)
		s.wishes = append(s.wishes, wish{"buy" + layers[i], true, bid}, wish{"sell" + layers[i], false, ask})
	}
	return s.wishes
}

// order is the post-only order of a quote.
func (s *quoter) order(venue string, q *wish) Order {
	return Order{Venue: venue, Symbol: symbolAt(venue), Strategy: "quoting", Buy: q.buy, Type: "LIMIT_MAKER", TIF: "GTC", Price: q.price, Qty: s.qty}
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
