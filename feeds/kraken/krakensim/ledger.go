package krakensim

import (
	"fmt"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// assets are the two of a symbol.
func assets(symbol string) (base, quote string) {
	base, quote, _ = strings.Cut(symbol, "/")
	return base, quote
}

// book books a fill: the order, the balances, and what is told of both.
func (s *Sim) book(o *order, price fixed.Price, qty fixed.Qty, maker bool, now venue.Nanos) {
	a, p := o.acc, s.pairs[o.pair]
	base, quote := assets(p.Symbol)
	q := fixed.Decimal(qty, p.QtyScale)
	t := &trade{o: o, price: price, qty: qty, cost: q.Mul(fixed.Decimal(price, p.PriceScale)), maker: maker, at: now}
	rate := a.Taker
	if maker {
		rate = a.Maker
	}
	t.fee = t.cost.Mul(rate).RoundCeil(8)
	s.lastTrade++
	t.id, t.n = ident('T', s.lastTrade), s.lastTrade
	o.cum += qty
	t.cum = o.cum
	o.cost, o.fee = o.cost.Add(t.cost), o.fee.Add(t.fee)
	a.trades = append(a.trades, t)
	a.count.Trades.Add(1)
	sign := decimal.NewFromInt(1)
	if o.side == venue.Sell {
		sign = sign.Neg()
	}
	done := o.cum >= o.qty
	if done {
		o.status, o.closed = "closed", now
	}
	rated := func(x *peer) string { return s.rateItem(x, o, now) }
	s.publish(a, chExecutions, now, func(x *peer) string { return s.tradeItem(t, rated(x)) })
	s.moves(a, t, base, q.Mul(sign), decimal.Zero, now)
	s.moves(a, t, quote, t.cost.Mul(sign).Neg(), t.fee, now)
	if done {
		s.execution(o, "filled", "filled", false, now)
	}
}

// moves changes a balance and tells it.
func (s *Sim) moves(a *account, t *trade, asset string, amount, fee decimal.Decimal, now venue.Nanos) {
	a.balance[asset] = a.balance[asset].Add(amount).Sub(fee)
	a.ledger++
	s.publish(a, chBalances, now, func(*peer) string {
		return fmt.Sprintf(`{"asset":%q,"asset_class":"currency","amount":%s,"balance":%s,"fee":%s,"ledger_id":%q,"ref_id":%q,"timestamp":%q,"type":"trade","category":"trade","wallet_type":"spot","wallet_id":"main"}`,
			asset, amount, a.balance[asset], fee, ident('L', a.ledger), t.id, stamp(now))
	})
}

func (s *Sim) balanceItems(a *account) (out []string) {
	var names []string
	for name := range a.balance {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		b := a.balance[name]
		out = append(out, fmt.Sprintf(`{"asset":%q,"asset_class":"currency","balance":%s,"wallets":[{"type":"spot","id":"main","balance":%s}]}`, name, b, b))
	}
	return out
}

// execution tells the state of an order.
func (s *Sim) execution(o *order, kind, status string, whole bool, now venue.Nanos) {
	s.publish(o.acc, chExecutions, now, func(x *peer) string { return s.item(o, kind, status, whole, now, s.rateItem(x, o, now)) })
}

func orderStatus(o *order) string {
	if o.cum > 0 {
		return "partially_filled"
	}
	return "new"
}

// rateItem is the pair's counter, for whoever asked for it.
func (s *Sim) rateItem(x *peer, o *order, now venue.Nanos) string {
	if !x.rate {
		return ""
	}
	n := o.acc.rates[o.pair].now(now, limitsOf[o.acc.Tier].decay) / hundredth
	return fmt.Sprintf(`,"ratecounter":%d.%02d`, n/100, n%100)
}

// item is an order in the executions channel. whole is everything; else, as the venue does, an event names little more than
// the order.
func (s *Sim) item(o *order, kind, status string, whole bool, now venue.Nanos, more string) string {
	p := s.pairs[o.pair]
	m := fmt.Appendf(nil, `{"order_id":%q,"exec_type":%q,"order_status":%q,"timestamp":%q%s`, o.id, kind, status, stamp(now), more)
	if kind == "canceled" || kind == "expired" || kind == "filled" {
		m = fmt.Appendf(m, `,"cum_qty":%s,"cum_cost":%s`, fixed.Append(nil, int64(o.cum), p.QtyScale), o.cost)
		m = append(m, clientItem(o)...)
		if o.reason != "" {
			m = fmt.Appendf(m, `,"cancel_reason":%q,"reason":%q`, o.reason, o.reason)
		}
	}
	if whole {
		m = append(m, clientItem(o)...)
		m = fmt.Appendf(m, `,"symbol":%q,"side":%q,"order_type":%q,"time_in_force":%q,"order_qty":%s,"cum_qty":%s,"cum_cost":%s`, p.Symbol, o.side, o.kind,
			strings.ToUpper(o.tif), fixed.Append(nil, int64(o.qty), p.QtyScale), fixed.Append(nil, int64(o.cum), p.QtyScale), o.cost)
		if o.price > 0 {
			m = fmt.Appendf(m, `,"limit_price_type":"static","limit_price":%s`, fixed.Append(nil, int64(o.price), p.PriceScale))
		}
		if o.stop > 0 {
			m = fmt.Appendf(m, `,"triggers":{"reference":"last","price":%s,"price_type":"static","status":%q}`, fixed.Append(nil, int64(o.stop), p.PriceScale),
				map[bool]string{true: "untriggered", false: "triggered"}[o.waits])
		}
		if o.post {
			m = append(m, `,"post_only":true`...)
		}
	}
	return string(append(m, '}'))
}

// tradeItem is a fill in the executions channel. The one that completes an order still says partially_filled.
func (s *Sim) tradeItem(t *trade, more string) string {
	o := t.o
	p := s.pairs[o.pair]
	_, quote := assets(p.Symbol)
	ind := "t"
	if t.maker {
		ind = "m"
	}
	price := fixed.Append(nil, int64(t.price), p.PriceScale)
	return fmt.Sprintf(`{"order_id":%q%s,"exec_id":%q,"exec_type":"trade","trade_id":%d,"symbol":%q,"side":%q,"order_type":%q,"last_qty":%s,"last_price":%s,"liquidity_ind":%q,"cost":%s,"order_status":"partially_filled","cum_qty":%s,"fees":[{"asset":%q,"qty":%s}],"timestamp":%q%s}`,
		o.id, clientItem(o), t.id, t.n, p.Symbol, o.side, o.kind, fixed.Append(nil, int64(t.qty), p.QtyScale), price, ind, t.cost,
		fixed.Append(nil, int64(t.cum), p.QtyScale), quote, t.fee, stamp(t.at), more)
}
