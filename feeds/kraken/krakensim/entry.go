package krakensim

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"oneprice/books/fixed"
	"oneprice/books/match"
	"oneprice/books/venue"
	"oneprice/feeds/venuesim"
)

// costMin is the least value of an order, as the instrument channel states it.
var costMin = decimal.RequireFromString("0.5")

var clientForm = regexp.MustCompile(`^([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|[0-9a-fA-F]{32}|[ -~]{1,18})$`)

// addOne takes an add_order.
func (s *Sim) addOne(x *peer, a *account, q *command, p *params) {
	if s.cfg.Faults.Strikes(venuesim.LimitOrders, q.in) {
		s.deny(x, q, "EOrder:Rate limit exceeded")
		return
	}
	if why := s.deadline(p.Deadline, q.in); why != "" {
		s.deny(x, q, why)
		return
	}
	if a.ReadOnly {
		s.deny(x, q, "EGeneral:Permission denied")
		return
	}
	o, why := s.check(a, p, p.Symbol, q.in)
	if why == "" && p.Validate {
		x.reply(s.result(q, q.Method, `"result":{},"success":true`), q.in)
		return
	}
	if why == "" {
		why = s.enter(o, q.in)
	}
	if why != "" {
		s.deny(x, q, why)
		return
	}
	s.accept(x, q, fmt.Sprintf(`"result":{"order_id":%q%s},"success":true`, o.id, clientItem(o)))
	s.place(o, q.in)
}

// addBatch takes a batch_add: its form is judged as a whole, the rest order by order.
func (s *Sim) addBatch(x *peer, a *account, q *command, p *params) {
	if len(p.Orders) < 2 || len(p.Orders) > 15 {
		s.deny(x, q, "EGeneral:Invalid arguments:orders")
		return
	}
	if why := s.deadline(p.Deadline, q.in); why != "" {
		s.deny(x, q, why)
		return
	}
	var list []*order
	for _, raw := range p.Orders {
		var each params
		if json.Unmarshal(raw, &each) != nil {
			s.deny(x, q, "EGeneral:Invalid arguments:orders")
			return
		}
		o, why := s.check(a, &each, p.Symbol, q.in)
		if why != "" {
			s.deny(x, q, why)
			return
		}
		list = append(list, o)
	}
	var items []string
	var good []*order
	for _, o := range list {
		if why := s.enter(o, q.in); why != "" {
			items = append(items, fmt.Sprintf(`{"error":%q%s}`, why, clientItem(o)))
			continue
		}
		items = append(items, fmt.Sprintf(`{"order_id":%q%s}`, o.id, clientItem(o)))
		good = append(good, o)
	}
	s.accept(x, q, `"result":[`+strings.Join(items, ",")+`],"success":true`)
	for _, o := range good {
		s.place(o, q.in)
	}
}

func clientItem(o *order) string {
	if o.client == "" {
		return ""
	}
	return fmt.Sprintf(`,"cl_ord_id":%q`, o.client)
}

// deadline judges a deadline; "" is no objection.
func (s *Sim) deadline(text string, now venue.Nanos) string {
	if text == "" {
		return ""
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	switch at := venue.Nanos(t.UnixNano()); {
	case err != nil || at > now+60*venue.Second:
		return "EGeneral:Invalid arguments:deadline"
	case at <= now:
		return "EService:Deadline elapsed"
	}
	return ""
}

// number reads an unquoted decimal at a scale. A quoted one, which other venues take, is an invalid argument.
func number(raw json.RawMessage, scale uint8) (int64, fixed.Fault) {
	if len(raw) == 0 || raw[0]-'0' > 9 {
		return 0, fixed.Syntax
	}
	return fixed.Parse(raw, scale)
}

// check judges the form of an order and makes it.
func (s *Sim) check(a *account, p *params, symbol string, now venue.Nanos) (*order, string) {
	i := -1
	for n, c := range s.pairs {
		if c.Symbol == symbol {
			i = n
		}
	}
	if i < 0 {
		return nil, "EQuery:Unknown asset pair"
	}
	o := &order{acc: a, pair: i, kind: p.OrderType, tif: p.TimeInForce, post: p.PostOnly, status: "pending", cost: decimal.Zero, fee: decimal.Zero}
	if o.tif == "" {
		o.tif = "gtc"
	}
	if len(p.ClientID) > 0 {
		if json.Unmarshal(p.ClientID, &o.client) != nil || !clientForm.MatchString(o.client) || p.OrderUserref != nil {
			return nil, "EGeneral:Invalid arguments:cl_ord_id"
		}
	}
	switch {
	case p.Side == "buy":
		o.side = venue.Buy
	case p.Side == "sell":
		o.side = venue.Sell
	default:
		return nil, "EGeneral:Invalid arguments:side"
	}
	stop, limit := strings.HasPrefix(o.kind, "stop-loss"), o.kind == "limit" || o.kind == "stop-loss-limit"
	switch {
	case !stop && !limit && o.kind != "market":
		return nil, "EGeneral:Invalid arguments:order_type"
	case o.tif != "gtc" && o.tif != "ioc": // gtd would need expiries; fok is none of the websocket's
		return nil, "EGeneral:Invalid arguments:time_in_force"
	case o.post && (o.kind != "limit" || o.tif != "gtc"):
		return nil, "EGeneral:Invalid arguments:post_only"
	case limit != (len(p.Limit) > 0):
		return nil, "EGeneral:Invalid arguments:limit_price"
	case stop != (p.Triggers != nil):
		return nil, "EGeneral:Invalid arguments:triggers"
	}
	if stop {
		if p.Triggers.Reference != "last" && p.Triggers.Reference != "" || p.Triggers.PriceType != "static" && p.Triggers.PriceType != "" {
			return nil, "EGeneral:Invalid arguments:triggers"
		}
		if why := s.price(p.Triggers.Price, i, &o.stop); why != "" {
			return nil, why
		}
		o.waits = true
	}
	if limit {
		if why := s.price(p.Limit, i, &o.price); why != "" {
			return nil, why
		}
	}
	if why := s.size(p.Qty, i, o); why != "" {
		return nil, why
	}
	o.opened, o.born = now, now
	return o, ""
}

// price reads a price on the pair's tick.
func (s *Sim) price(raw json.RawMessage, i int, to *fixed.Price) string {
	p := s.pairs[i]
	n, f := number(raw, p.PriceScale)
	switch {
	case f == fixed.OffScale:
		return "EOrder:Invalid price:" + p.Symbol + " price can only be specified up to " + fmt.Sprint(p.PriceScale) + " decimals."
	case f != fixed.OK || n <= 0:
		return "EOrder:Invalid price"
	case n%int64(p.Tick) != 0:
		return "EOrder:Tick size check failed"
	}
	*to = fixed.Price(n)
	return ""
}

// size reads a quantity, with the pair's minimums.
func (s *Sim) size(raw json.RawMessage, i int, o *order) string {
	p := s.pairs[i]
	n, f := number(raw, p.QtyScale)
	switch {
	case f != fixed.OK || n < 0:
		return "EGeneral:Invalid arguments:volume"
	case n < int64(p.Lot):
		return "EOrder:Order minimum not met"
	case n%int64(p.Lot) != 0:
		return "EGeneral:Invalid arguments:volume"
	}
	o.qty = fixed.Qty(n)
	if price := max(o.price, o.stop); price > 0 && fixed.Decimal(o.qty, p.QtyScale).Mul(fixed.Decimal(price, p.PriceScale)).LessThan(costMin) {
		return "EOrder:Cost minimum not met"
	}
	return ""
}

// enter judges an order of good form against the account and the market, and takes it in.
func (s *Sim) enter(o *order, now venue.Nanos) string {
	a, p := o.acc, s.pairs[o.pair]
	open := int64(0)
	for _, x := range a.orders {
		if x.over() {
			continue
		}
		if x.pair == o.pair {
			open++
		}
		if o.client != "" && x.client == o.client {
			return "EGeneral:Invalid arguments:cl_ord_id"
		}
	}
	takes := o.kind == "market" || !o.waits && s.crosses(o)
	switch {
	case open >= limitsOf[a.Tier].open:
		return "EOrder:Orders limit exceeded"
	case !p.Status.Rests(), p.Status == venue.PostOnlyMode && !o.post, p.Status == venue.LimitOnly && o.price == 0:
		return "EService:Market in " + statusWords[p.Status] + " mode"
	}
	if !s.spend(a, o.pair, 1, now) {
		return "EOrder:Rate limit exceeded"
	}
	switch {
	case !s.affords(o):
		return "EOrder:Insufficient funds"
	case o.post && takes:
		return "EOrder:Post only order"
	}
	s.lastOrder++
	o.number = s.lastOrder
	o.id = ident('O', o.number)
	o.status = "open"
	a.orders = append(a.orders, o)
	a.count.Orders.Add(1)
	s.execution(o, "pending_new", "pending_new", true, now)
	return ""
}

// spend takes counts of the pair's trading counter; false when it would go over the threshold.
func (s *Sim) spend(a *account, i int, cost int64, now venue.Nanos) bool {
	l := limitsOf[a.Tier]
	b := &a.rates[i]
	if b.now(now, l.decay)+cost*100*hundredth > l.threshold*100*hundredth {
		a.count.Rates.Add(1)
		return false
	}
	b.level += cost * 100 * hundredth
	return true
}

// crosses reports whether an order would trade at once.
func (s *Sim) crosses(o *order) bool {
	t := s.pairs[o.pair].Book.Best(o.side.Other())
	return t.Qty > 0 && (o.price == 0 || o.side == venue.Buy && o.price >= t.Price || o.side == venue.Sell && o.price <= t.Price)
}

// affords reports whether the account has what the order may cost, the taker's fee included.
func (s *Sim) affords(o *order) bool {
	p := s.pairs[o.pair]
	base, quote := assets(p.Symbol)
	qty := fixed.Decimal(o.qty-o.cum, p.QtyScale)
	if o.side == venue.Sell {
		return o.acc.balance[base].Sub(s.held(o.acc, base)).GreaterThanOrEqual(qty)
	}
	price := max(o.price, o.stop)
	if price == 0 {
		price = p.Book.Best(venue.Sell).Price
	}
	cost := qty.Mul(fixed.Decimal(price, p.PriceScale)).Mul(decimal.NewFromInt(1).Add(o.acc.Taker))
	return o.acc.balance[quote].Sub(s.held(o.acc, quote)).GreaterThanOrEqual(cost)
}

// place makes an order live: it trades, rests, or waits for its trigger.
func (s *Sim) place(o *order, now venue.Nanos) {
	s.execution(o, "new", "new", false, now)
	if !o.waits {
		s.work(o, now)
	}
}

// work sends an order to the book.
func (s *Sim) work(o *order, now venue.Nanos) {
	p := s.pairs[o.pair]
	if s.meetsOwn(o) {
		s.finish(o, "canceled", "STP: cancel newest", now)
		return
	}
	price, tif := o.price, venue.GTC
	if price == 0 { // a market order, or a stop that became one
		price, tif = 1, venue.IOC
		if o.side == venue.Buy {
			price = fixed.Limit
		}
	}
	if o.tif == "ioc" {
		tif = venue.IOC
	}
	res := p.Book.Add(match.Order{ID: o.number, Owner: o.acc.owner, Side: o.side, Price: price, Qty: o.qty - o.cum}, match.Rules{TIF: tif})
	p.Client(res, func(r *match.Result) { s.happened(o.pair, r, now) })
	if !o.over() && tif == venue.IOC {
		s.finish(o, "canceled", "IOC order: unfilled remainder", now)
	}
}

// meetsOwn reports whether an order would trade with one of its own account.
func (s *Sim) meetsOwn(o *order) bool {
	for _, x := range o.acc.orders {
		if x != o && !x.over() && !x.waits && x.pair == o.pair && x.side != o.side &&
			(o.price == 0 || o.side == venue.Buy && o.price >= x.price || o.side == venue.Sell && o.price <= x.price) {
			return true
		}
	}
	return false
}

// finish ends an order that is not filled.
func (s *Sim) finish(o *order, status, reason string, now venue.Nanos) {
	o.status, o.reason, o.closed = status, reason, now
	s.execution(o, status, status, false, now)
}
