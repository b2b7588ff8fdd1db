package binance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/valyala/fastjson"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/sign"
	"oneprice/feeds/wire"
)

// rest is the gateway's signed REST side. Its methods may be called from any goroutine.
type rest struct {
	g      *Gateway
	client http.Client
	weight *wire.Limiter
	key    string
}

// refusedError is an error that the venue stated.
type refusedError struct {
	status, code int
	msg          string
}

func (e *refusedError) Error() string {
	return fmt.Sprintf("HTTP %d, code %d: %s", e.status, e.code, e.msg)
}

const maxBody = 32 << 20

// call makes one signed request and returns its body. A failure is a *wire.Error: Unknown when the request may have been
// carried out, else what the venue stated, as a refusedError, or Transient.
func (r *rest) call(ctx context.Context, method, path string, weight int64, params []sign.Param) ([]byte, error) {
	g := r.g
	if err := r.weight.Wait(ctx, g.o.Clock, weight); err != nil {
		return nil, err
	}
	if wait := venue.Nanos(g.shut.Load()) - g.o.Clock.Now(); wait > 0 {
		if err := g.o.Clock.Sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
	target := g.o.REST + path
	if params != nil {
		target += "?" + r.query(params)
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, target, nil)
	if err != nil {
		return nil, &wire.Error{Venue: "binance", Op: path, Kind: wire.Refused, Err: err}
	}
	req.Header.Set("X-MBX-APIKEY", r.key)
	g.count.Rest.Add(1)
	resp, err := r.client.Do(req)
	if err != nil {
		kind := wire.Unknown
		if method == http.MethodGet {
			kind = wire.Transient
		}
		return nil, &wire.Error{Venue: "binance", Op: path, Kind: kind, Err: bare(err)}
	}
	defer resp.Body.Close()
	if used, ok := usedWeight(resp.Header); ok {
		r.weight.Stated(used)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return nil, &wire.Error{Venue: "binance", Op: path, Kind: wire.Unknown, Err: err}
	}
	if resp.StatusCode != http.StatusOK {
		return nil, r.refusal(path, resp, body)
	}
	return body, nil
}

// query spells the parameters, with time and signature.
func (r *rest) query(params []sign.Param) string {
	g := r.g
	var b []byte
	for _, p := range params {
		b = append(append(append(b, p.Name...), '='), url.QueryEscape(p.Value)...)
		b = append(b, '&')
	}
	b = append(b, "recvWindow="...)
	b = strconv.AppendInt(b, int64(g.o.Window/venue.Millisecond), 10)
	b = append(b, "&timestamp="...)
	b = strconv.AppendInt(b, int64((g.o.Clock.Now()+venue.Nanos(g.offset.Load()))/venue.Millisecond), 10)
	g.mu.Lock() // an HMAC belongs to one goroutine at a time
	defer g.mu.Unlock()
	return string(g.signer.AppendREST(append(b, "&signature="...), b))
}

// bare takes the address, which carries the signature, off an error of net/http.
func bare(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// refusal reads an error of the venue.
func (r *rest) refusal(path string, resp *http.Response, body []byte) error {
	var p fastjson.Parser
	e := &refusedError{status: resp.StatusCode, msg: "no body that we can read"}
	if v, err := p.ParseBytes(body); err == nil {
		e.code, e.msg = v.GetInt("code"), string(v.GetStringBytes("msg"))
	}
	kind := wire.Refused
	switch f, _ := classify(e.status, e.code, []byte(e.msg)); f {
	case unsure:
		kind = wire.Unknown
	case limited, banned:
		kind = wire.RateLimited
		wait := venue.Second
		if n, err := strconv.ParseInt(resp.Header.Get("Retry-After"), 10, 32); err == nil && n > 0 {
			wait = venue.Nanos(n) * venue.Second
		} else if f == banned {
			wait = 120 * venue.Second
		}
		until := int64(r.g.o.Clock.Now() + wait)
		r.g.shut.Store(max(r.g.shut.Load(), until))
	case badKey, offClock, expired:
		kind = wire.Auth
	}
	return &wire.Error{Venue: "binance", Op: path, Kind: kind, Err: e}
}

// run cancels by REST what Submit queued while there was no connection.
func (r *rest) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case c := <-r.g.queue:
			if c.Op == venue.CancelAll {
				r.cancelAll(ctx, &c)
			} else {
				r.cancel(ctx, &c)
			}
		case a := <-r.g.want:
			r.tradesOf(ctx, &a)
		}
	}
}

// tradesOf fetches the trades of one order.
func (r *rest) tradesOf(ctx context.Context, a *ask) {
	g := r.g
	s := &g.ids.slots[a.slot]
	list, err := g.list(ctx, g.v.trades, g.v.tradesWeight, []sign.Param{{Name: "symbol", Value: g.instrument(s.inst()).Symbol},
		{Name: "orderId", Value: strconv.FormatUint(s.order.Load(), 10)}, {Name: "limit", Value: "1000"}})
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.o.Clock.Now()
	if err == nil && s.cold(a.owner) {
		g.traded(a.slot, a.owner, now, list)
	}
	g.idle(a.owner, now) // a question that failed is asked again
	g.publish()
}

// name says which order is meant.
func name(t Target) sign.Param {
	if t.Order != 0 {
		return sign.Param{Name: "orderId", Value: strconv.FormatUint(t.Order, 10)}
	}
	id := string(wire.AppendClientID(nil, t.Client))
	if t.Gone {
		id += goneMark
	}
	return sign.Param{Name: "origClientOrderId", Value: id}
}

// cancel cancels one order, and what may replace it.
func (r *rest) cancel(ctx context.Context, c *venue.Command) {
	t := Target{Client: c.Target}
	if _, s := r.g.holder(c); s != nil {
		t = s.target()
		if next := s.next.Load(); next != 0 {
			r.one(ctx, c, Target{Client: next}, false)
		}
	}
	r.one(ctx, c, t, true)
}

// one sends one cancel and reports what became of it; loud says that its failure counts.
func (r *rest) one(ctx context.Context, c *venue.Command, t Target, loud bool) {
	g := r.g
	sent := g.o.Clock.Now()
	in := g.instrument(c.Inst)
	params := []sign.Param{{Name: "symbol", Value: in.Symbol}, name(t)}
	if !g.v.futures {
		params = append(params, sign.Param{Name: "newClientOrderId", Value: string(wire.AppendClientID(nil, t.Client)) + goneMark})
	}
	body, err := r.call(ctx, http.MethodDelete, g.v.order, 1, params)
	g.mu.Lock()
	defer g.mu.Unlock()
	defer g.publish()
	now := g.o.Clock.Now()
	if err == nil {
		if v, perr := g.parser.ParseBytes(body); perr == nil {
			g.cancelled(now, v)
			return
		}
		g.count.Damaged.Add(1)
	}
	if ctx.Err() != nil || !loud {
		return
	}
	f, why := unsure, venue.Timeout
	var e *wire.Error
	var stated *refusedError
	if errors.As(err, &e) && e.Kind != wire.Unknown && errors.As(err, &stated) {
		f, why = classify(stated.status, stated.code, []byte(stated.msg))
	}
	i, s := g.holder(c)
	switch {
	case s == nil || !s.cold(c.Target):
		g.cancelledForeign(now, c.Target, false, f, why, nil)
	case f == unsure:
		g.unknown(i, c.Target, venue.Cancel, sent, now, why)
	default:
		g.report(venue.CancelRejected, i, c.Target, c.Inst, now, 0).Reason = why
		g.ask(i, c.Target, venue.Cancel, sent, now)
	}
}

// cancelAll cancels what stands in an instrument, or in all; on a shared account our orders one by one.
func (r *rest) cancelAll(ctx context.Context, c *venue.Command) {
	g := r.g
	if g.o.Shared {
		for i := range g.ids.slots {
			s := &g.ids.slots[i]
			owner := s.owner.Load()
			if owner == 0 || s.ended.Load() || c.Inst != 0 && c.Inst != s.inst() {
				continue
			}
			one := *c
			one.Slot, one.Target, one.Inst = uint32(i), owner, s.inst()
			r.cancel(ctx, &one)
		}
		return
	}
	for _, in := range g.o.Instruments {
		if c.Inst != 0 && c.Inst != in.Inst {
			continue
		}
		body, err := r.call(ctx, http.MethodDelete, g.v.cancelAll, 1, []sign.Param{{Name: "symbol", Value: in.Symbol}})
		if err != nil {
			continue // the orders stand or not: the stream, queries and Sweep say which
		}
		g.mu.Lock()
		if v, perr := g.parser.ParseBytes(body); perr == nil {
			for _, o := range v.GetArray() { // futures list none: the stream does
				g.cancelled(g.o.Clock.Now(), o)
			}
		}
		g.publish()
		g.mu.Unlock()
	}
}

// qtyOf reads a quantity of an instrument.
func qtyOf(in *venue.Instrument, v *fastjson.Value, key string) (fixed.Qty, bool) {
	q, fault := fixed.Parse(v.GetStringBytes(key), in.QtyScale)
	return fixed.Qty(q), fault == fixed.OK
}
