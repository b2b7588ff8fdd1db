package naive

import (
	"time"

	"github.com/shopspring/decimal"
)

var half = decimal.New(5, -1)

// prices: exchange rate, notional, collar, slippage.
func (g *Gate) prices(o *Order, l *Limits, now time.Time) string {
	rate := g.Rates[l.Quote]
	if rate == nil || rate.MaxAge > 0 && (now.Sub(rate.At) > rate.MaxAge || rate.Pegged && (rate.Bid.LessThan(rate.PegLow) || rate.Ask.GreaterThan(rate.PegHigh))) {
		return "no_fx"
	}
	notional := o.Price.Mul(o.Qty)
	if notional.LessThan(l.MinNotional) {
		return "below_min_notional"
	}
	if notional.Mul(rate.High).RoundUp(8).GreaterThan(l.MaxNotional) {
		return "above_max_notional"
	}
	ref := g.Markets[l.Reference]
	if ref == nil || ref.State != "live" || now.Sub(ref.Seen) > l.ReferenceAge {
		return "no_reference"
	}
	mid := ref.Bid.Add(ref.Ask).Mul(half).Truncate(l.PriceScale)
	if o.Price.Sub(mid).Abs().GreaterThan(mid.Mul(l.Collar)) {
		return "price_collar"
	}
	return g.slips(o, l)
}

// slips: how far a taker walks beyond the touch, and its limit beyond that walk.
func (g *Gate) slips(o *Order, l *Limits) string {
	if o.Type == "LIMIT_MAKER" {
		return ""
	}
	m := g.Markets[o.Symbol]
	touch, there := m.Ask, m.AskQty
	if !o.Buy {
		touch, there = m.Bid, m.BidQty
	}
	crosses := there.Sign() > 0 && (o.Buy && o.Price.GreaterThanOrEqual(touch) || !o.Buy && o.Price.LessThanOrEqual(touch))
	switch {
	case !crosses && o.TIF == "GTC":
		return ""
	case there.Sign() <= 0:
		return "no_reference"
	case !crosses:
		return ""
	}
	worst := touch
	if o.Qty.GreaterThan(there) {
		worst = m.Walk(o.Buy, o.Qty)
	}
	reach := worst
	if (o.Buy && o.Price.LessThan(worst)) || (!o.Buy && o.Price.GreaterThan(worst)) {
		reach = o.Price
	}
	if reach.Sub(touch).Abs().GreaterThan(touch.Mul(l.Guard)) || (reach.Equal(worst) && o.Price.Sub(worst).Abs().GreaterThan(worst.Mul(l.Guard))) {
		return "slippage"
	}
	return ""
}

// worst is what one side of an instrument becomes when everything of it fills, with an order of qty at price added.
func (g *Gate) worst(symbol string, buy bool, qty, price decimal.Decimal, l *Limits) side {
	w, pos, m, rate := g.Working[symbol], g.Position[symbol], g.Markets[symbol], g.Rates[l.Quote]
	pending, top := w.Sell.Add(qty), decimal.Max(w.SellWorst, price)
	end := pos.Sub(pending)
	if buy {
		pending, top = w.Buy.Add(qty), decimal.Max(w.BuyWorst, price)
		end = pos.Add(pending)
	}
	if pending.IsZero() && end.IsZero() || rate == nil {
		return side{}
	}
	s := side{qty: end, mag: end.Abs().Mul(decimal.Max(top, m.Ask)).Mul(rate.High).RoundUp(8)}
	s.val = s.mag
	switch {
	case end.Sign() < 0 && !buy:
		s.val = s.mag.Neg()
	case (end.Sign() > 0) != buy: // it only reduces, and counts at its least
		s.val = end.Mul(m.Bid).Mul(rate.Low).RoundDown(8)
	}
	if s.lock = pending; buy {
		s.lock = pending.Mul(top).Mul(l.OnePay).RoundUp(8)
	}
	return s
}

// exposes: position, exposures and balances if everything fills, this order included. A limit binds only what grows.
func (g *Gate) exposes(o *Order, l *Limits) string {
	sign, old, other, base, net := int64(1), g.buys[o.Symbol], g.sells[o.Symbol], g.baseBuy, g.netBuy
	if !o.Buy {
		sign, old, other, base, net = -1, other, old, g.baseSell, g.netSell
	}
	s := decimal.NewFromInt(sign)
	next := g.worst(o.Symbol, o.Buy, o.Qty, o.Price, l)
	if next.qty.Mul(s).GreaterThan(l.MaxPosition) {
		return "position_limit"
	}
	more := next.qty.Sub(old.qty).Mul(s)
	if more.Sign() > 0 && base[l.Product].Mul(s).Add(more).GreaterThan(g.MaxBase[l.Product]) {
		return "product_limit"
	}
	v := g.Venues[o.Venue]
	if more = next.val.Sub(old.val).Mul(s); more.Sign() > 0 {
		if net[o.Venue].Mul(s).Add(more).GreaterThan(v.MaxNet) {
			return "venue_position_limit"
		}
		if net[everything].Mul(s).Add(more).GreaterThan(g.Global.MaxNet) {
			return "net_exposure"
		}
	}
	if more = decimal.Max(next.mag, other.mag).Sub(decimal.Max(old.mag, other.mag)); more.Sign() > 0 {
		if g.gross[o.Venue].Add(more).GreaterThan(v.MaxGross) {
			return "venue_exposure"
		}
		if g.gross[everything].Add(more).GreaterThan(g.Global.MaxGross) {
			return "gross_exposure"
		}
		if g.gross[everything].Add(more).GreaterThan(g.Equity.Mul(g.Global.Leverage)) {
			return "margin_limit"
		}
	}
	if !o.Buy && l.MayShort {
		return ""
	}
	currency, why := l.Quote, "no_balance"
	if !o.Buy {
		currency, why = l.Base, "short_not_allowed"
	}
	if more = next.lock.Sub(old.lock); more.Sign() > 0 && g.locked[o.Venue+currency].Add(more).GreaterThan(g.Balance[o.Venue+currency]) {
		return why
	}
	return ""
}

// paces: own orders on the other side, repetition, rates.
func (g *Gate) paces(o *Order, l *Limits, now time.Time) string {
	w := g.Working[o.Symbol]
	if (o.Buy && w.Sell.Sign() > 0 && o.Price.GreaterThanOrEqual(w.SellWorst)) || (!o.Buy && w.Buy.Sign() > 0 && o.Price.LessThanOrEqual(w.BuyWorst)) {
		return "self_match"
	}
	key := o.Symbol + o.Strategy + o.Price.String() + o.Qty.String()
	if o.Buy {
		key += "buy"
	}
	if at, dup := g.seen[key]; dup && now.Sub(at) < g.Strategies[o.Strategy].DuplicateWindow {
		return "duplicate_intent"
	}
	if !g.Buckets[o.Venue+"/soft"].has(now, 0) {
		return "message_rate"
	}
	if !g.Buckets[o.Venue].has(now, 1) || !g.Buckets[o.Strategy].has(now, 1) {
		return "order_rate"
	}
	if !g.Buckets[o.Venue+"/messages"].has(now, 1) || !g.Buckets[o.Strategy+"/messages"].has(now, 1) {
		return "message_rate"
	}
	for _, name := range [...]string{o.Venue, o.Strategy, o.Venue + "/messages", o.Strategy + "/messages"} {
		g.Buckets[name].Tokens--
	}
	g.OrdersToday[o.Venue]++
	g.OrdersToday[o.Strategy]++
	g.OrdersToday[everything]++
	g.seen[key] = now
	return ""
}

// Place counts an approved order as working; n is -1 when it is over.
func (g *Gate) Place(o *Order, n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	w, q := g.Working[o.Symbol], o.Qty.Mul(decimal.NewFromInt(int64(n)))
	w.Orders += n
	if o.Buy {
		if w.Buy = w.Buy.Add(q); n > 0 {
			w.BuyWorst = decimal.Max(w.BuyWorst, o.Price)
		} else if w.Buy.IsZero() {
			w.BuyWorst = decimal.Zero
		}
	} else {
		if w.Sell = w.Sell.Add(q); n > 0 && (w.SellWorst.IsZero() || o.Price.LessThan(w.SellWorst)) {
			w.SellWorst = o.Price
		} else if w.Sell.IsZero() {
			w.SellWorst = decimal.Zero
		}
	}
	g.Working[o.Symbol] = w
	for _, name := range [...]string{o.Symbol, o.Venue, everything} {
		g.Open[name] += n
	}
	g.refresh(o.Symbol)
}

// refresh moves every sum by what an instrument contributes now.
func (g *Gate) refresh(symbol string) {
	l := g.Limits[symbol]
	oldBuy, oldSell := g.buys[symbol], g.sells[symbol]
	buy, sell := g.worst(symbol, true, decimal.Zero, decimal.Zero, l), g.worst(symbol, false, decimal.Zero, decimal.Zero, l)
	gross := decimal.Max(buy.mag, sell.mag).Sub(decimal.Max(oldBuy.mag, oldSell.mag))
	for _, name := range [...]string{l.Venue, everything} {
		g.gross[name] = g.gross[name].Add(gross)
		g.netBuy[name] = g.netBuy[name].Add(buy.val.Sub(oldBuy.val))
		g.netSell[name] = g.netSell[name].Add(sell.val.Sub(oldSell.val))
	}
	g.baseBuy[l.Product] = g.baseBuy[l.Product].Add(buy.qty.Sub(oldBuy.qty))
	g.baseSell[l.Product] = g.baseSell[l.Product].Add(sell.qty.Sub(oldSell.qty))
	g.locked[l.Venue+l.Quote] = g.locked[l.Venue+l.Quote].Add(buy.lock.Sub(oldBuy.lock))
	g.locked[l.Venue+l.Base] = g.locked[l.Venue+l.Base].Add(sell.lock.Sub(oldSell.lock))
	g.buys[symbol], g.sells[symbol] = buy, sell
}
