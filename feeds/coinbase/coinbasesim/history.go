package coinbasesim

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// statuses are what orders may be asked for by.
var statuses = []string{"OPEN", "FILLED", "CANCELLED", "EXPIRED", "FAILED", "PENDING", "QUEUED", "CANCEL_QUEUED"}

// filter reads the query of a list; a parameter that the list does not know is an error, since a client that sends one
// counts on it.
func filter(r *http.Request, known ...string) (url.Values, string) {
	q := r.URL.Query()
	names := make([]string, 0, len(q))
	for name := range q {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, "unknown parameter " + name
		}
	}
	return q, ""
}

// since reads an instant; absent is the beginning.
func since(text string) (venue.Nanos, error) {
	if text == "" {
		return 0, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	return venue.Nanos(t.UnixNano()), err
}

// page cuts a list of n at limit and cursor: records from..to, and the next cursor, "" at the end.
func page(q url.Values, n int) (from, to int, next string) {
	limit := 1000
	if l, err := strconv.Atoi(q.Get("limit")); err == nil && l > 0 {
		limit = min(l, limit)
	}
	if c, err := strconv.Atoi(q.Get("cursor")); err == nil && c > 0 {
		from = min(c, n)
	}
	to = min(from+limit, n)
	if to < n {
		next = strconv.Itoa(to)
	}
	return from, to, next
}

// listOrders answers GET /orders/historical/batch, newest first.
func (s *Sim) listOrders(a *account, r *http.Request, _ []byte, _ venue.Nanos) reply {
	q, why := filter(r, "order_status", "product_ids", "start_date", "limit", "cursor")
	if why != "" {
		return bad(http.StatusBadRequest, "INVALID_ARGUMENT", why)
	}
	want := q["order_status"]
	if slices.Contains(want, statusOpen) && len(want) > 1 {
		return bad(http.StatusBadRequest, "INVALID_ARGUMENT", "Cannot pair open orders with other order types")
	}
	for _, w := range want {
		if !slices.Contains(statuses, w) {
			return bad(http.StatusBadRequest, "INVALID_ARGUMENT", "unknown order_status "+w)
		}
	}
	from, err := since(q.Get("start_date"))
	if err != nil {
		return bad(http.StatusBadRequest, "INVALID_ARGUMENT", err.Error())
	}
	var found []*order
	for _, o := range slices.Backward(a.orders) {
		if o.born >= from && (len(want) == 0 || slices.Contains(want, o.status)) && named(q["product_ids"], s.products[o.product].Symbol) {
			found = append(found, o)
		}
	}
	lo, hi, next := page(q, len(found))
	m := []byte(`{"orders":[`)
	for i, o := range found[lo:hi] {
		if i > 0 {
			m = append(m, ',')
		}
		m = append(m, s.record(o)...)
	}
	return ok(`%s],"sequence":"0","has_next":%t,"cursor":%q}`, m, next != "", next)
}

// named reports whether a list that may be absent names something.
func named(list []string, name string) bool { return len(list) == 0 || slices.Contains(list, name) }

// oneOrder answers GET /orders/historical/{id}.
func (s *Sim) oneOrder(a *account, r *http.Request, _ []byte, _ venue.Nanos) reply {
	o := a.byID[r.PathValue("id")]
	if o == nil {
		return bad(http.StatusNotFound, "NOT_FOUND", "order with this orderID was not found")
	}
	return ok(`{"order":%s}`, s.record(o))
}

// record is an order as REST tells it.
func (s *Sim) record(o *order) []byte {
	p := s.products[o.product]
	last, message, reject := "null", "", "REJECT_REASON_UNSPECIFIED"
	if o.traded != 0 {
		last = `"` + stamp(o.traded) + `"`
	}
	if o.status == statusCancelled {
		message = o.why
	}
	m := fmt.Appendf(nil, `{"order_id":%q,"product_id":%q,"user_id":"%d","order_configuration":%s,"side":%q,"client_order_id":%q,"status":%q,"time_in_force":%q,`+
		`"created_time":%q,"filled_size":"`, o.id, p.Symbol, o.a.owner, s.configured(o), word(o.side), o.client, o.status, o.tif, stamp(o.born))
	m = number(m, int64(o.cum), p.QtyScale)
	m = fmt.Appendf(m, `","average_filled_price":%q,"fee":"","number_of_fills":"%d","filled_value":%q,"pending_cancel":false,"size_in_quote":false,"total_fees":%q,`+
		`"size_inclusive_of_fees":false,"total_value_after_fees":%q,"trigger_status":%q,"order_type":%q,"reject_reason":%q,"settled":%t,"product_type":"SPOT",`+
		`"reject_message":"","cancel_message":%q,"order_placement_source":"RETAIL_ADVANCED","outstanding_hold_amount":%q,"is_liquidation":false,"last_fill_time":%s,"edit_history":[`,
		o.average(p).String(), o.trades, o.value.String(), o.fees.String(), o.value.Add(o.fees).String(), o.trigger(), strings.ToUpper(o.kind()), reject, o.status == statusFilled,
		message, o.held.String(), last)
	for i, e := range o.edits {
		if i == 0 {
			continue // what was placed
		}
		if i > 1 {
			m = append(m, ',')
		}
		m = number(append(m, `{"price":"`...), int64(e.price), p.PriceScale)
		m = number(append(m, `","size":"`...), int64(e.size), p.QtyScale)
		m = fmt.Appendf(m, `","replace_accept_timestamp":%q}`, stamp(e.at))
	}
	return append(m, `]}`...)
}

// listFills answers GET /orders/historical/fills, newest first.
func (s *Sim) listFills(a *account, r *http.Request, _ []byte, _ venue.Nanos) reply {
	q, why := filter(r, "order_ids", "trade_ids", "product_ids", "start_sequence_timestamp", "limit", "cursor")
	if why != "" {
		return bad(http.StatusBadRequest, "INVALID_ARGUMENT", why)
	}
	from, err := since(q.Get("start_sequence_timestamp"))
	if err != nil {
		return bad(http.StatusBadRequest, "INVALID_ARGUMENT", err.Error())
	}
	var found []*fill
	for _, f := range slices.Backward(a.fills) {
		if f.at >= from && named(q["order_ids"], f.o.id) && named(q["trade_ids"], f.id) && named(q["product_ids"], s.products[f.o.product].Symbol) {
			found = append(found, f)
		}
	}
	lo, hi, next := page(q, len(found))
	m := []byte(`{"fills":[`)
	for i, f := range found[lo:hi] {
		if i > 0 {
			m = append(m, ',')
		}
		p := s.products[f.o.product]
		liquidity := "TAKER"
		if f.maker {
			liquidity = "MAKER"
		}
		m = fmt.Appendf(m, `{"entry_id":"entry-%s","trade_id":%q,"order_id":%q,"trade_time":%q,"trade_type":"FILL","price":"`, f.id, f.id, f.o.id, stamp(f.at))
		m = number(m, int64(f.price), p.PriceScale)
		m = number(append(m, `","size":"`...), int64(f.size), p.QtyScale)
		m = fmt.Appendf(m, `","commission":%q,"product_id":%q,"sequence_timestamp":%q,"liquidity_indicator":%q,"size_in_quote":false,"user_id":"%d","side":%q,"retail_portfolio_id":""}`,
			f.fee.String(), p.Symbol, stamp(f.at), liquidity, a.owner, word(f.o.side))
	}
	return ok(`%s],"cursor":%q}`, m, next)
}

// listAccounts answers GET /accounts.
func (s *Sim) listAccounts(a *account, r *http.Request, _ []byte, now venue.Nanos) reply {
	q, why := filter(r, "limit", "cursor")
	if why != "" {
		return bad(http.StatusBadRequest, "INVALID_ARGUMENT", why)
	}
	lo, hi, next := page(q, len(a.purses))
	m := []byte(`{"accounts":[`)
	for i, p := range a.purses[lo:hi] {
		if i > 0 {
			m = append(m, ',')
		}
		m = fmt.Appendf(m, `{"uuid":"%08x-0000-4000-a000-%012x","name":"%s Wallet","currency":%q,"available_balance":{"value":%q,"currency":%q},"default":false,"active":true,`+
			`"created_at":%q,"type":"ACCOUNT_TYPE_CRYPTO","ready":true,"hold":{"value":%q,"currency":%q}}`,
			a.owner, lo+i, p.currency, p.currency, p.free().String(), p.currency, stamp(now), p.held.String(), p.currency)
	}
	return ok(`%s],"has_next":%t,"cursor":%q,"size":%d}`, m, next != "", next, hi-lo)
}

// summary answers GET /transaction_summary. The totals are numbers, as the venue's are.
func (s *Sim) summary(a *account, r *http.Request, _ []byte, _ venue.Nanos) reply {
	if _, why := filter(r, "product_type", "contract_expiry_type", "product_venue"); why != "" {
		return bad(http.StatusBadRequest, "INVALID_ARGUMENT", why)
	}
	return ok(`{"total_volume":1000.5,"total_fees":25.25,"fee_tier":{"pricing_tier":"Advanced 1","usd_from":"0","usd_to":"10000","taker_fee_rate":%q,"maker_fee_rate":%q,`+
		`"aop_from":"","aop_to":""},"margin_rate":null,"goods_and_services_tax":null}`,
		fixed.AppendTrim(nil, int64(a.Taker), fixed.RateScale), fixed.AppendTrim(nil, int64(a.Maker), fixed.RateScale))
}
