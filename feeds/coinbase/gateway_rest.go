package coinbase

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/valyala/fastjson"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/sign"
	"oneprice/feeds/wire"
)

const (
	// pageSize is how many records are asked for at once, maxPages how many answers one question may take.
	pageSize, maxPages = "250", 200
	// maxIDsPerQuestion bounds the length of an address.
	maxIDsPerQuestion = 40
)

// rest asks cold questions: GET requests with tokens. Safe for concurrent use.
type rest struct {
	target
	key    *sign.Coinbase
	pool   *sign.Pool
	each   bool
	base   string
	client *http.Client
	all    *wire.Limiter
}

// newRest fills in what o leaves to us.
func newRest(o *GatewayOptions) (*rest, error) {
	if o.Net == nil || o.Clock == nil || o.Signer == nil {
		return nil, errors.New("coinbase: the REST lacks a network, a clock or a key")
	}
	if o.REST == "" {
		o.REST = publicREST
	}
	if o.Timeout == 0 {
		o.Timeout = 5 * venue.Second
	}
	t, err := newTarget(o.REST, o.TLS)
	if err != nil {
		return nil, err
	}
	t.net, t.clock, t.timeout, t.kill = o.Net, o.Clock, o.Timeout, o.Kill
	pool, err := sign.NewPool(o.Signer, o.Clock, sign.Route{Method: http.MethodPost, Path: pathOrders}, sign.Route{Method: http.MethodPost, Path: pathBatchCancel},
		sign.Route{Method: http.MethodPost, Path: pathEdit}, sign.Route{Method: http.MethodGet, Path: pathBatch}, sign.Route{Method: http.MethodGet, Path: pathFills})
	if err != nil {
		return nil, fmt.Errorf("coinbase: %w", err)
	}
	return &rest{target: t, key: o.Signer, pool: pool, each: o.SignEach, base: o.REST, client: t.client(),
		all: wire.NewLimiter(o.Clock, privatePerSecond, venue.Second)}, nil
}

// bearer is the token of a request: a prepared one, else one made now.
func (r *rest) bearer(method, path string) (string, error) {
	now := r.clock.Now()
	if !r.each {
		if b, ok := r.pool.Bearer(method, path, now); ok {
			return b, nil
		}
	}
	b, err := r.key.Append([]byte("Bearer "), method, path, now)
	return string(b), err
}

// get asks one question. The answer is the caller's.
func (r *rest) get(ctx context.Context, path string, query url.Values) (*fastjson.Value, error) {
	if err := r.all.Wait(ctx, r.clock, 1); err != nil {
		return nil, err
	}
	address := r.base + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, r.fault(path, wire.Refused, err)
	}
	if path != pathTime { // which is public: a wrong clock makes wrong tokens
		bearer, err := r.bearer(http.MethodGet, path)
		if err != nil {
			return nil, r.fault(path, wire.Auth, err)
		}
		req.Header.Set("Authorization", bearer)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, r.fault(path, wire.Transient, err)
	}
	defer resp.Body.Close()
	r.heed(resp.StatusCode, resp.Header)
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, r.fault(path, wire.Transient, err)
	}
	switch code := resp.StatusCode; {
	case code == http.StatusTooManyRequests:
		return nil, r.fault(path, wire.RateLimited, errors.New(resp.Status))
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return nil, r.fault(path, wire.Auth, errors.New(resp.Status))
	case code >= 400 && code < 500:
		return nil, r.fault(path, wire.Refused, fmt.Errorf("%s: %s", resp.Status, body[:min(len(body), 300)]))
	case code != http.StatusOK:
		return nil, r.fault(path, wire.Transient, errors.New(resp.Status))
	}
	v, err := fastjson.ParseBytes(body)
	if err != nil {
		return nil, r.fault(path, wire.Protocol, err)
	}
	return v, nil
}

func (r *rest) fault(path string, k wire.Kind, err error) error {
	return &wire.Error{Venue: "coinbase", Op: path, Kind: k, Err: err}
}

// ask is get, asked again a few times where the venue is merely busy: a question changes nothing.
func (r *rest) ask(ctx context.Context, path string, query url.Values) (*fastjson.Value, error) {
	wait := wire.Backoff{Min: 100 * venue.Millisecond, Max: 2 * venue.Second}
	for tries := 1; ; tries++ {
		v, err := r.get(ctx, path, query)
		var e *wire.Error
		if err == nil || tries == 4 || !errors.As(err, &e) || e.Kind != wire.Transient && e.Kind != wire.RateLimited {
			return v, err
		}
		if err := r.clock.Sleep(ctx, wait.Next()); err != nil {
			return nil, err
		}
	}
}

// pages asks page after page and hands each record of the list to each.
func (r *rest) pages(ctx context.Context, path, list string, query url.Values, each func(*fastjson.Value) error) error {
	query.Set("limit", pageSize)
	for range maxPages {
		v, err := r.ask(ctx, path, query)
		if err != nil {
			return err
		}
		for _, x := range v.GetArray(list) {
			if err := each(x); err != nil {
				return r.fault(path, wire.Protocol, err)
			}
		}
		next := string(v.GetStringBytes("cursor"))
		if next == "" || v.Exists("has_next") && !v.GetBool("has_next") {
			return nil
		}
		query.Set("cursor", next)
	}
	return r.fault(path, wire.Protocol, fmt.Errorf("more than %d pages", maxPages))
}

// listed is an order of a list.
type listed struct {
	stated
	ours   bool
	symbol string
	born   venue.Nanos
}

// open lists the orders that may still fill. The venue wants OPEN asked for alone.
func (r *rest) open(ctx context.Context, symbols map[string]*venue.Instrument) ([]listed, error) {
	var out []listed
	for _, status := range [][]string{{"OPEN"}, {"PENDING", "QUEUED", "CANCEL_QUEUED"}} {
		more, err := r.list(ctx, symbols, url.Values{"order_status": status})
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

// closed lists the orders that were placed since an instant and have ended.
func (r *rest) closed(ctx context.Context, symbols map[string]*venue.Instrument, since venue.Nanos) ([]listed, error) {
	return r.list(ctx, symbols, url.Values{"order_status": {"FILLED", "CANCELLED", "EXPIRED", "FAILED"}, "start_date": {stamp(since)}})
}

func (r *rest) list(ctx context.Context, symbols map[string]*venue.Instrument, query url.Values) ([]listed, error) {
	var out []listed
	err := r.pages(ctx, pathBatch, "orders", query, func(v *fastjson.Value) error {
		o, err := readListed(v, symbols, r.clock.Now())
		out = append(out, o)
		return err
	})
	return out, err
}

// order asks for one order by the venue's id.
func (r *rest) order(ctx context.Context, id string, symbols map[string]*venue.Instrument) (listed, error) {
	v, err := r.ask(ctx, pathHistorical+url.PathEscape(id), nil)
	if err != nil {
		return listed{}, err
	}
	o, err := readListed(v.Get("order"), symbols, r.clock.Now())
	if err != nil {
		err = r.fault(pathHistorical, wire.Protocol, err)
	}
	return o, err
}

// readListed reads an order as REST states it. One in an instrument that is not traded here keeps in nil and no numbers.
func readListed(v *fastjson.Value, symbols map[string]*venue.Instrument, recv venue.Nanos) (listed, error) {
	var doc wire.Doc
	o := listed{symbol: string(v.GetStringBytes("product_id"))}
	o.recv, o.at = recv, recv
	o.client, o.ours = wire.ParseClientUUID(v.GetStringBytes("client_order_id"))
	o.id, o.status = v.GetStringBytes("order_id"), phaseOf(v.GetStringBytes("status"))
	if len(o.id) == 0 || len(o.id) > maxID {
		return o, fmt.Errorf("an order without a usable id: %.200s", v)
	}
	if t, why := doc.Time(v.Get("created_time")); why == venue.OK {
		o.born, o.at = t, t
	}
	if t, why := doc.Time(v.Get("last_fill_time")); why == venue.OK {
		o.at = t
	}
	if o.in = symbols[o.symbol]; o.in == nil {
		return o, nil
	}
	o.side, o.tif = sideOf(v.GetStringBytes("side")), tifOf(v.GetStringBytes("time_in_force"))
	o.pending = v.GetBool("pending_cancel")
	o.reason = endReason(v, "cancel_message")
	o.price, o.qty = inForce(v.Get("order_configuration"), o.in)
	if conf := v.Get("order_configuration", "limit_limit_gtc"); conf.GetBool("post_only") {
		o.kind = venue.PostOnly
	}
	if edits := v.GetArray("edit_history"); len(edits) > 0 {
		last := edits[len(edits)-1]
		if p, why := fixed.Parse(last.GetStringBytes("price"), o.in.PriceScale); why == fixed.OK {
			o.price = fixed.Price(p)
		}
		if q, why := fixed.Parse(last.GetStringBytes("size"), o.in.QtyScale); why == fixed.OK {
			o.qty = fixed.Qty(q)
		}
	}
	var why venue.Reason
	if o.cum, why = quantity(&doc, v.Get("filled_size"), o.in); why == venue.OK {
		why = totals(v.Get("average_filled_price"), v.Get("total_fees"), &o.stated)
	}
	if why != venue.OK {
		return o, fmt.Errorf("order %s: %s", o.id, why)
	}
	return o, nil
}
