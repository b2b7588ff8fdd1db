package naive

import (
	"time"

	"github.com/shopspring/decimal"

	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/risk"
)

// NewGate makes a gate with the limits of cfg and the state of d. Instruments are known by their names, venues and
// strategies by the names given (by index). now is its clock.
func NewGate(cfg *risk.Config, d *desk.Desk, venues, strategies []string, now func() time.Time) *Gate {
	g := &Gate{Now: now, VenueAllowed: map[string]bool{}, Allowed: map[string]bool{}, StrategyAllowed: map[string]bool{}, Status: map[string]string{},
		BreakerOpen: map[string]bool{}, Stopped: map[string]bool{}, Fired: map[string]bool{}, Limits: map[string]*Limits{}, Venues: map[string]VenueLimits{}, Strategies: map[string]StrategyLimits{},
		MaxBase: map[string]decimal.Decimal{}, Markets: map[string]*Market{}, Position: map[string]decimal.Decimal{}, Working: map[string]Working{},
		Balance: map[string]decimal.Decimal{}, Rates: map[string]*Rate{}, Offset: map[string]time.Duration{},
		Open: map[string]int{}, OrdersToday: map[string]int{}, TradesToday: map[string]int{}, Streak: map[string]int{}, Buckets: map[string]*Bucket{},
		MarkedAt: now(), seen: map[string]time.Time{}, buys: map[string]side{}, sells: map[string]side{}, gross: map[string]decimal.Decimal{},
		netBuy: map[string]decimal.Decimal{}, netSell: map[string]decimal.Decimal{}, baseBuy: map[string]decimal.Decimal{}, baseSell: map[string]decimal.Decimal{},
		locked: map[string]decimal.Decimal{}}
	for v := 1; v < len(cfg.Venues); v++ {
		g.venue(venues[v], &cfg.Venues[v], now())
	}
	for i := 1; i < len(cfg.Strategies); i++ {
		l, name := &cfg.Strategies[i], strategies[i]
		g.StrategyAllowed[name] = l.Allowed
		g.Strategies[name] = StrategyLimits{int(l.OrdersPerDay), int(l.MaxLossStreak), time.Duration(l.DuplicateWindow)}
		g.Buckets[name], g.Buckets[name+"/messages"] = bucket(l.Orders, 0, now()), bucket(l.Messages, 0, now())
	}
	c := &cfg.Global
	g.Global = GlobalLimits{cash(c.MaxGross), cash(c.MaxNet), cash(c.MaxDailyLoss), cash(c.MaxDrawdown), rate(c.MaxLeverage), int(c.MaxOpen), int(c.OrdersPerDay),
		int(c.TradesPerDay), time.Duration(c.MaxMarkAge)}
	for i := 1; i < len(d.FX); i++ {
		g.fx(venue.Ccy(i), cfg, d)
	}
	for _, in := range d.Instruments[1:] {
		g.instrument(in, cfg, d, venues)
	}
	return g
}

func cash(c fixed.Cash) decimal.Decimal { return fixed.Decimal(c, fixed.CashScale) }
func rate(r fixed.Rate) decimal.Decimal { return fixed.Decimal(r, fixed.RateScale) }

func bucket(r risk.Rate, reserve int64, now time.Time) *Bucket {
	n := float64(r.Burst - reserve)
	return &Bucket{Tokens: n, Burst: n, PerSecond: float64(r.N) / (time.Duration(r.Per)).Seconds(), Last: now}
}

func (g *Gate) venue(name string, l *risk.VenueLimits, now time.Time) {
	g.VenueAllowed[name] = l.Allowed
	g.Venues[name] = VenueLimits{cash(l.MaxGross), cash(l.MaxNet), int(l.MaxOpen), int(l.OrdersPerDay), int(l.TradesPerDay), time.Duration(l.MaxClockOffset)}
	g.Buckets[name], g.Buckets[name+"/messages"], g.Buckets[name+"/soft"] = bucket(l.Orders, 0, now), bucket(l.Messages, l.CancelReserve, now), bucket(l.Soft, 0, now)
}

// fx is the rate of a currency, with the haircut taken off on either side; none where none was seen.
func (g *Gate) fx(ccy venue.Ccy, cfg *risk.Config, d *desk.Desk) {
	q := d.FX[ccy]
	if q.Bid <= 0 {
		return
	}
	r := &Rate{Bid: rate(q.Bid), Ask: rate(q.Ask), At: time.Unix(0, int64(q.At)), Low: rate(q.Bid), High: rate(q.Ask)}
	if ccy != d.Reporting {
		c := &cfg.Currencies[ccy]
		r.Low, r.High = r.Bid.Mul(rate(fixed.One-c.Haircut)).RoundDown(8), r.Ask.Mul(rate(fixed.One+c.Haircut)).RoundUp(8)
		r.MaxAge, r.Pegged, r.PegLow, r.PegHigh = time.Duration(c.MaxAge), c.Pegged, rate(c.PegLow), rate(c.PegHigh)
	}
	g.Rates[nameOf("currency", int(ccy))] = r
}

// product and currencies by name, for a handful of each.
func nameOf(kind string, i int) string { return kind + itoa(int64(i)) }

func (g *Gate) instrument(in *venue.Instrument, cfg *risk.Config, d *desk.Desk, venues []string) {
	c, name, v := &cfg.Instruments[in.Inst], in.Name, venues[in.Venue]
	p := func(x fixed.Price) decimal.Decimal { return fixed.Decimal(x, in.PriceScale) }
	q := func(x fixed.Qty) decimal.Decimal { return fixed.Decimal(x, in.QtyScale) }
	fee := max(in.Fees.Taker, in.Fees.Maker, 0)
	l := &Limits{Venue: v, PriceScale: int32(in.PriceScale), Product: nameOf("product", int(in.Product)), Base: nameOf("currency", int(in.Base)), Quote: nameOf("currency", int(in.Quote)), Restricted: c.Restricted,
		Tick: p(in.Tick), Lot: q(in.Lot), MinQty: q(in.MinQty), VenueMaxQty: q(in.MaxQty), MinNotional: cash(in.MinNotional),
		MaxQty: q(c.MaxQty), MaxPosition: q(c.MaxPosition), MaxNotional: cash(c.MaxNotional), Collar: rate(c.Collar), Guard: rate(c.Guard), WorstFee: rate(fee),
		OnePay: rate(fixed.One + fee), ReferenceAge: time.Duration(c.Reference.MaxAge), MaxAge: time.Duration(c.MaxAge), MaxLag: time.Duration(c.MaxLag),
		MaxOpen: int(c.MaxOpen), MayShort: c.MayShort, Opens: time.Duration(c.Session.Open), Closes: time.Duration(c.Session.Close)}
	if len(c.Reference.From) > 0 {
		l.Reference = d.Instruments[c.Reference.From[0]].Name
	} else {
		l.Reference = name
	}
	g.Limits[name], g.Allowed[name], g.Status[name] = l, c.Allowed, in.Status.String()
	g.MaxBase[l.Product] = q(cfg.Products[in.Product].MaxBase)
	g.Position[name] = q(d.Positions[in.Inst].Qty)
	for _, ccy := range []venue.Ccy{in.Base, in.Quote} {
		g.Balance[v+nameOf("currency", int(ccy))] = cash(d.Balances[in.Venue][ccy])
	}
	m := &Market{}
	m.Walk = func(buy bool, qty decimal.Decimal) decimal.Decimal {
		side := venue.Sell
		if buy {
			side = venue.Buy
		}
		n, _ := fixed.FromDecimal(qty, in.QtyScale)
		return p(d.Books[in.Inst].Take(side, fixed.Qty(n)).Worst)
	}
	g.Markets[name] = m
	g.Look(in, d)
	g.refresh(name)
}

// Look takes an instrument's touch and trust from its book.
func (g *Gate) Look(in *venue.Instrument, d *desk.Desk) {
	b, m := d.Books[in.Inst], g.Markets[in.Name]
	bid, ask := b.Best(venue.Buy), b.Best(venue.Sell)
	m.Bid, m.BidQty = fixed.Decimal(bid.Price, in.PriceScale), fixed.Decimal(bid.Qty, in.QtyScale)
	m.Ask, m.AskQty = fixed.Decimal(ask.Price, in.PriceScale), fixed.Decimal(ask.Qty, in.QtyScale)
	m.Seen, m.Lag = time.Unix(0, int64(b.Recv())), time.Duration(b.Lag())
	if m.State = "stale"; b.State() == books.Live {
		m.State = "live"
	}
}
