package coinbasesim

import (
	"fmt"
	"net/http"
	"slices"

	"oneprice/books/fixed"
	"oneprice/books/match"
	"oneprice/books/venue"
)

const (
	// maxEdits of one order; the venue has a number and does not name it.
	maxEdits = 100
	// mostCancels of one request.
	mostCancels = 100
)

// createRequest is the body of POST /orders. The parts of a configuration are text; only post_only is a boolean.
type createRequest struct {
	Client    string                   `json:"client_order_id"`
	Product   string                   `json:"product_id"`
	Side      string                   `json:"side"`
	Config    map[string]configuration `json:"order_configuration"`
	STP       string                   `json:"self_trade_prevention_id"`
	Portfolio string                   `json:"retail_portfolio_id"`
}

type configuration struct {
	Size      string `json:"base_size"`
	Price     string `json:"limit_price"`
	PostOnly  *bool  `json:"post_only"`
	Stop      string `json:"stop_price"`
	Direction string `json:"stop_direction"`
}

// shapes are the configurations that are known here: their time in force, and what they must and may hold.
var shapes = map[string]struct {
	tif        string
	rule       venue.TIF
	post, stop bool
}{
	"limit_limit_gtc":           {"GOOD_UNTIL_CANCELLED", venue.GTC, true, false},
	"sor_limit_ioc":             {"IMMEDIATE_OR_CANCEL", venue.IOC, false, false},
	"limit_limit_fok":           {"FILL_OR_KILL", venue.FOK, false, false},
	"stop_limit_stop_limit_gtc": {"GOOD_UNTIL_CANCELLED", venue.GTC, false, true},
}

// refusal is the venue's answer to an order that it does not take: HTTP 200.
func refusal(word, preview string) reply {
	return ok(`{"success":false,"failure_reason":"UNKNOWN_FAILURE_REASON","order_id":"","error_response":{"error":%q,"message":"","error_details":"",`+
		`"preview_failure_reason":%q,"new_order_failure_reason":%q}}`, word, preview, word)
}

// create obeys POST /orders.
func (s *Sim) create(a *account, _ *http.Request, body []byte, now venue.Nanos) reply {
	var q createRequest
	if err := strict(body, &q); err != nil {
		return bad(http.StatusBadRequest, "INVALID_ARGUMENT", err.Error())
	}
	if q.Client == "" || len(q.Client) > 128 {
		return bad(http.StatusBadRequest, "INVALID_ARGUMENT", "client_order_id is missing or too long")
	}
	if o := a.byClient[q.Client]; o != nil {
		s.count.Duplicates.Add(1)
		return s.created(o)
	}
	o, no := s.read(a, &q)
	if no.code != 0 {
		return no
	}
	o.born = now
	p := s.products[o.product]
	if why := s.fits(p, o.price, o.size); why != "" {
		return refusal(why, "PREVIEW_"+why)
	}
	if s.blocked {
		return refusal("ORDER_ENTRY_DISABLED", "PREVIEW_ORDER_ENTRY_DISABLED")
	}
	if o.postOnly && crosses(p, o.side, o.price) {
		return refusal("INVALID_LIMIT_PRICE_POST_ONLY", "PREVIEW_INVALID_LIMIT_PRICE_POST_ONLY")
	}
	if s.need(o, o.price, o.size).GreaterThan(s.pays(o).free()) {
		return refusal("INSUFFICIENT_FUND", "PREVIEW_INSUFFICIENT_FUND")
	}
	s.admit(o, now)
	return s.created(o)
}

// read makes an order of a request, or the answer that there is none.
func (s *Sim) read(a *account, q *createRequest) (*order, reply) {
	i := slices.IndexFunc(s.products, func(p *product) bool { return p.Symbol == q.Product })
	if i < 0 {
		return nil, refusal("INVALID_PRODUCT_ID", "PREVIEW_INVALID_PRODUCT_ID")
	}
	o := &order{a: a, product: i, client: q.Client}
	switch q.Side {
	case "BUY":
		o.side = venue.Buy
	case "SELL":
		o.side = venue.Sell
	default:
		return nil, bad(http.StatusBadRequest, "INVALID_ARGUMENT", "side is not BUY or SELL")
	}
	if len(q.Config) != 1 {
		return nil, bad(http.StatusBadRequest, "INVALID_ARGUMENT", "order_configuration must hold one configuration")
	}
	var c configuration
	for o.key, c = range q.Config { // just one
		break
	}
	shape, known := shapes[o.key]
	if !known {
		return nil, refusal("UNSUPPORTED_ORDER_CONFIGURATION", "UNKNOWN_PREVIEW_FAILURE_REASON")
	}
	if c.PostOnly != nil && !shape.post || (c.Stop != "") != shape.stop || (c.Direction != "") != shape.stop {
		return nil, bad(http.StatusBadRequest, "INVALID_ARGUMENT", "unknown field in "+o.key)
	}
	o.tif, o.postOnly = shape.tif, c.PostOnly != nil && *c.PostOnly
	p := s.products[i]
	price, why := fixed.Parse([]byte(c.Price), p.PriceScale)
	if why == fixed.OffScale {
		return nil, refusal("INVALID_PRICE_PRECISION", "PREVIEW_INVALID_PRICE_PRECISION")
	}
	size, whySize := fixed.Parse([]byte(c.Size), p.QtyScale)
	if whySize == fixed.OffScale {
		return nil, refusal("INVALID_SIZE_PRECISION", "PREVIEW_INVALID_SIZE_PRECISION")
	}
	if why != fixed.OK || whySize != fixed.OK || price <= 0 || size <= 0 {
		return nil, bad(http.StatusBadRequest, "INVALID_ARGUMENT", "base_size or limit_price is no number")
	}
	o.price, o.size = fixed.Price(price), fixed.Qty(size)
	if shape.stop {
		stop, why := fixed.Parse([]byte(c.Stop), p.PriceScale)
		up := c.Direction == "STOP_DIRECTION_STOP_UP"
		if why != fixed.OK || stop <= 0 || !up && c.Direction != "STOP_DIRECTION_STOP_DOWN" {
			return nil, bad(http.StatusBadRequest, "INVALID_ARGUMENT", "stop_price or stop_direction")
		}
		o.stop, o.waits = fixed.Price(stop), true
		if up != (o.side == venue.Buy) || up == (p.last >= o.stop) && p.last > 0 {
			return nil, refusal("INVALID_STOP_PRICE", "PREVIEW_INVALID_STOP_PRICE")
		}
	}
	return o, reply{}
}

// fits names what is wrong with an order's numbers, "" when nothing is.
func (s *Sim) fits(p *product, price fixed.Price, size fixed.Qty) string {
	least := fixed.Decimal(fixed.Cash(fixed.One), fixed.CashScale) // quote_min_size
	switch {
	case p.Status == venue.Unlisted:
		return "UNTRADABLE_PRODUCT"
	case !p.Status.Rests():
		return "ORDER_ENTRY_DISABLED"
	case price%p.Tick != 0:
		return "INVALID_PRICE_PRECISION"
	case size%p.Lot != 0:
		return "INVALID_SIZE_PRECISION"
	case size < p.Lot:
		return "INVALID_BASE_SIZE_TOO_SMALL"
	case size > 3400*fixed.Qty(fixed.Pow10(p.QtyScale)):
		return "INVALID_BASE_SIZE_TOO_LARGE"
	case fixed.Decimal(price, p.PriceScale).Mul(fixed.Decimal(size, p.QtyScale)).LessThan(least):
		return "INVALID_QUOTE_SIZE_TOO_SMALL"
	}
	return ""
}

func crosses(p *product, side venue.Side, price fixed.Price) bool {
	b := p.Book.Best(side.Other())
	return b.Qty > 0 && (side == venue.Buy && price >= b.Price || side == venue.Sell && price <= b.Price)
}

// admit takes an order in: it has an id from now on, and trades or rests unless it waits for its stop.
func (s *Sim) admit(o *order, now venue.Nanos) {
	s.orderIDs++
	o.book = s.orderIDs
	o.id = fmt.Sprintf("%08x-0000-4000-8000-%012x", o.a.owner, s.orderIDs)
	o.status = statusOpen
	o.a.orders = append(o.a.orders, o)
	o.a.byID[o.id], o.a.byClient[o.client] = o, o
	s.orders[o.book] = o
	s.hold(o)
	if !o.waits {
		s.match(o, now)
	}
	s.tell(o, now)
}

// match lets an order meet the book.
func (s *Sim) match(o *order, now venue.Nanos) {
	p, i := s.products[o.product], o.product
	if s.meetsOwn(o) {
		s.finish(o, statusCancelled, "SELF_TRADE_PREVENTION")
		return
	}
	rule := shapes[o.key].rule
	r := p.Book.Add(match.Order{ID: o.book, Owner: o.a.owner, Side: o.side, Price: o.price, Qty: o.size - o.cum}, match.Rules{TIF: rule})
	rests := r.Rests > 0
	p.Client(r, func(r *match.Result) { s.happened(i, r, now) })
	if o.status == statusOpen && !rests {
		s.finish(o, statusCancelled, "")
	}
}

// meetsOwn reports whether an order could trade with another of its account. Which of the two the venue lets go is not
// documented; here it is the newer one, whole.
func (s *Sim) meetsOwn(o *order) bool {
	for _, x := range o.a.orders {
		if x.status == statusOpen && !x.waits && x.product == o.product && x.side != o.side &&
			(o.side == venue.Buy && x.price <= o.price || o.side == venue.Sell && x.price >= o.price) {
			return true
		}
	}
	return false
}

// stops lets orders into the book whose stop has traded.
func (s *Sim) stops(now venue.Nanos) {
	for _, a := range s.accounts {
		for _, o := range a.orders {
			last := s.products[o.product].last
			if o.waits && o.status == statusOpen && last > 0 && (o.side == venue.Buy && last >= o.stop || o.side == venue.Sell && last <= o.stop) {
				o.waits = false
				s.match(o, now)
				s.tell(o, now)
			}
		}
	}
}

func (s *Sim) created(o *order) reply {
	return ok(`{"success":true,"failure_reason":"UNKNOWN_FAILURE_REASON","order_id":%q,"success_response":{"order_id":%q,"product_id":%q,"side":%q,"client_order_id":%q},`+
		`"order_configuration":%s}`, o.id, o.id, s.products[o.product].Symbol, word(o.side), o.client, s.configured(o))
}

// configured is an order's configuration as it was placed; edits stand in its history.
func (s *Sim) configured(o *order) []byte {
	p := s.products[o.product]
	price, size := o.price, o.size
	if len(o.edits) > 0 {
		price, size = o.edits[0].price, o.edits[0].size
	}
	m := number(fmt.Appendf(nil, `{%q:{"base_size":"`, o.key), int64(size), p.QtyScale)
	m = number(append(m, `","limit_price":"`...), int64(price), p.PriceScale)
	m = append(m, '"')
	if shapes[o.key].post {
		m = fmt.Appendf(m, `,"post_only":%t`, o.postOnly)
	}
	if o.stop != 0 {
		m = number(append(m, `,"stop_price":"`...), int64(o.stop), p.PriceScale)
		m = fmt.Appendf(m, `","stop_direction":"STOP_DIRECTION_STOP_%s"`, map[venue.Side]string{venue.Buy: "UP", venue.Sell: "DOWN"}[o.side])
	}
	return append(m, `}}`...)
}

// batchCancel obeys POST /orders/batch_cancel.
func (s *Sim) batchCancel(a *account, _ *http.Request, body []byte, now venue.Nanos) reply {
	var q struct {
		Orders []string `json:"order_ids"`
	}
	if err := strict(body, &q); err != nil {
		return bad(http.StatusBadRequest, "INVALID_ARGUMENT", err.Error())
	}
	if len(q.Orders) == 0 || len(q.Orders) > mostCancels {
		return bad(http.StatusBadRequest, "INVALID_ARGUMENT", "too many or no order_ids")
	}
	m := []byte(`{"results":[`)
	for i, id := range q.Orders {
		if i > 0 {
			m = append(m, ',')
		}
		why := "UNKNOWN_CANCEL_FAILURE_REASON"
		o := a.byID[id]
		switch {
		case o == nil:
			why = "UNKNOWN_CANCEL_ORDER"
		case o.status == statusFilled:
			why = "ORDER_IS_FULLY_FILLED"
		case o.status != statusOpen:
			why = "DUPLICATE_CANCEL_REQUEST"
		default:
			s.withdraw(o, now)
			s.finish(o, statusCancelled, "User requested cancel")
			s.tell(o, now)
			m = fmt.Appendf(m, `{"success":true,"failure_reason":%q,"order_id":%q}`, why, id)
			continue
		}
		m = fmt.Appendf(m, `{"success":false,"failure_reason":%q,"order_id":%q}`, why, id)
	}
	return ok("%s]}", m)
}

// withdraw takes an order out of the book, where it is in it.
func (s *Sim) withdraw(o *order, now venue.Nanos) {
	if o.waits {
		return
	}
	p, i := s.products[o.product], o.product
	p.Client(p.Book.Cancel(o.book), func(r *match.Result) { s.happened(i, r, now) })
}

// edit obeys POST /orders/edit: price and total of a limit order that rests. What is missing counts as zero. The order
// keeps its place only when the price stays and the size does not grow.
func (s *Sim) edit(a *account, _ *http.Request, body []byte, now venue.Nanos) reply {
	var q struct {
		Order string `json:"order_id"`
		Price string `json:"price"`
		Size  string `json:"size"`
	}
	if err := strict(body, &q); err != nil {
		return bad(http.StatusBadRequest, "INVALID_ARGUMENT", err.Error())
	}
	no := func(why, preview string) reply {
		return ok(`{"success":false,"errors":[{"edit_failure_reason":%q,"preview_failure_reason":%q}]}`, why, preview)
	}
	o := a.byID[q.Order]
	if o == nil || o.status != statusOpen {
		return no("ORDER_NOT_FOUND", "")
	}
	if o.key != "limit_limit_gtc" {
		return no("ONLY_LIMIT_ORDER_EDITS_SUPPORTED", "")
	}
	p, i := s.products[o.product], o.product
	price, why := fixed.Parse([]byte(q.Price), p.PriceScale)
	size, whySize := fixed.Parse([]byte(q.Size), p.QtyScale)
	o2 := *o
	o2.price, o2.size = fixed.Price(price), fixed.Qty(size)
	switch word := s.fits(p, o2.price, o2.size); {
	case why != fixed.OK || price <= 0:
		return no("INVALID_EDITED_PRICE", "PREVIEW_INVALID_PRICE_PRECISION")
	case whySize != fixed.OK || size <= 0:
		return no("INVALID_EDITED_SIZE", "PREVIEW_INVALID_SIZE_PRECISION")
	case o2.size <= o.cum:
		return no("CANNOT_EDIT_TO_BELOW_FILLED_SIZE", "")
	case word != "":
		return no("INVALID_ORDER_EDIT", "PREVIEW_"+word)
	case len(o.edits) > maxEdits:
		return no("EXCEEDED_MAX_ALLOWED_EDIT_REQUEST_COUNT", "")
	case o.postOnly && o2.price != o.price && crosses(p, o.side, o2.price):
		return no("COMMANDER_REJECTED_EDIT_ORDER", "PREVIEW_INVALID_LIMIT_PRICE_POST_ONLY")
	case s.need(o, o2.price, o2.size).Sub(o.held).GreaterThan(s.pays(o).free()):
		return no("COMMANDER_REJECTED_EDIT_ORDER", "PREVIEW_INSUFFICIENT_FUND")
	}
	if len(o.edits) == 0 {
		o.edits = append(o.edits, change{o.price, o.size, o.born})
	}
	o.edits = append(o.edits, change{o2.price, o2.size, now})
	keeps := o2.price == o.price && o2.size < o.size
	same := o2.price == o.price && o2.size == o.size
	if keeps {
		p.Client(p.Book.Reduce(o.book, o2.size-o.cum), func(r *match.Result) { s.happened(i, r, now) })
	} else if !same {
		s.withdraw(o, now)
	}
	o.price, o.size = o2.price, o2.size
	s.hold(o)
	if !keeps && !same {
		// Out of the book while it looks for its own, and in again.
		o.waits = true
		own := s.meetsOwn(o)
		o.waits = false
		if own {
			s.finish(o, statusCancelled, "SELF_TRADE_PREVENTION")
		} else {
			s.match(o, now)
		}
	}
	s.tell(o, now)
	return ok(`{"success":true,"errors":[]}`)
}
