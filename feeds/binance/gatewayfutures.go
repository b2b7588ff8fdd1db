package binance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"

	"github.com/gorilla/websocket"
	"github.com/valyala/fastjson"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/sign"
	"oneprice/feeds/wire"
)

// keyPath is where the key of the user stream is made (POST) and kept (PUT); it lives for an hour.
const (
	keyPath = "/fapi/v1/listenKey"
	keyHalf = 1800 * venue.Second
)

// openStream sets the clock where that is due, and connects to the account's user stream.
func (g *Gateway) openStream(ctx context.Context) (*line, error) {
	g.mu.Lock()
	adrift := g.adrift
	g.mu.Unlock()
	if adrift {
		var a wire.Account
		err := a.Time(ctx, g.o.Clock, venue.Millisecond, func(ctx context.Context) (venue.Nanos, error) {
			v, err := g.object(ctx, g.v.time, 1, nil)
			return millis(v, "serverTime"), err
		})
		if err != nil {
			return nil, err
		}
		g.offset.Store(int64(a.Offset))
		g.mu.Lock()
		g.adrift, g.fixed = false, true
		g.mu.Unlock()
	}
	body, err := g.rest.call(ctx, http.MethodPost, keyPath, 1, nil)
	if err != nil {
		g.denied(err)
		return nil, err
	}
	v, err := fastjson.ParseBytes(body)
	if err != nil {
		return nil, protocol(keyPath, err)
	}
	key := string(v.GetStringBytes("listenKey"))
	if key == "" {
		return nil, protocol(keyPath, errors.New("an answer without a key"))
	}
	return dialLine(ctx, &g.o.GatewayConfig, g.o.Stream+g.v.private+"?listenKey="+key)
}

// denied ends the gateway where an error says that the venue does not take our key.
func (g *Gateway) denied(err error) {
	var e *wire.Error
	if errors.As(err, &e) && e.Kind == wire.Auth {
		g.mu.Lock()
		g.failed = err
		g.mu.Unlock()
	}
}

// guarded is follow with the venue's dead-man running: orders outlive neither. Ended by its own context, the dead-man is put
// out; ended by a fault, it runs on until the next session sets it again.
func (g *Gateway) guarded(ctx context.Context) (context.Context, func(), error) {
	session, stop, err := g.follow(ctx)
	if err != nil || g.o.Shared {
		return session, stop, err
	}
	var e *wire.Error
	if err = g.countdown(session, g.o.DeadMan); err != nil && !(errors.As(err, &e) && e.Kind == wire.Unknown) { // which may have set it, and is soon set again
		stop()
		g.denied(err)
		return ctx, nil, err
	}
	session, cancel := context.WithCancel(session)
	var work sync.WaitGroup
	work.Go(func() {
		if g.alive(session) != nil {
			cancel()
		}
	})
	return session, func() {
		cancel()
		work.Wait()
		stop()
		if ctx.Err() != nil {
			g.disarm()
		}
	}, nil
}

// follow connects to the user stream, takes its events and keeps its key alive. Orders do not outlive it: the context that it
// returns ends with it. The returned function ends the stream.
//
// Nothing on the stream says that it is served from now on, but that the venue answers a ping on it.
func (g *Gateway) follow(ctx context.Context) (context.Context, func(), error) {
	user, err := g.openStream(ctx)
	if err != nil {
		return ctx, nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	served := make(chan struct{})
	answer := sync.OnceFunc(func() { close(served) })
	user.ws.SetPongHandler(func(string) error { answer(); return nil })
	closes := context.AfterFunc(ctx, user.close)
	var wg sync.WaitGroup
	wg.Go(func() {
		g.read(&session{l: user}, g.stream) // why it ended does not matter: Sweep finds what it did not say
		cancel()
	})
	wg.Go(func() {
		for g.o.Clock.Sleep(ctx, keyHalf) == nil {
			if _, err := g.rest.call(ctx, http.MethodPut, keyPath, 1, nil); err != nil {
				cancel() // a new session has a new key
			}
		}
	})
	stop := func() {
		cancel()
		user.tail.Close()
		wg.Wait()
		closes()
	}
	late := g.o.Clock.Timer(g.o.Answer)
	defer late.Stop()
	if err = user.ws.WriteControl(websocket.PingMessage, nil, g.o.Clock.Deadline(g.o.Answer)); err == nil {
		select {
		case <-served:
			return ctx, stop, nil
		case <-ctx.Done():
			err = errors.New("it ended at once")
		case <-late.C:
			err = errors.New("no answer to a ping")
		}
	}
	stop()
	return ctx, nil, &wire.Error{Venue: g.v.name, Op: "follow the user stream", Kind: wire.Transient, Err: err}
}

// stream takes one message of the user stream. Under mu.
func (g *Gateway) stream(s *session, recv venue.Nanos, msg []byte) {
	v, err := g.parser.ParseBytes(msg)
	if err != nil {
		g.count.Damaged.Add(1)
		s.over = true
		return
	}
	g.event(s, recv, v)
}

const (
	// span is the longest time that one list of futures trades covers; the venue keeps them for half a year.
	span    = 7 * 24 * 3600 * venue.Second
	longest = 25 * span
)

// spans are the trades of an instrument since an instant, one span after another.
func (g *Gateway) spans(ctx context.Context, in *venue.Instrument, since venue.Nanos) ([]*fastjson.Value, error) {
	now := g.o.Clock.Now() + venue.Nanos(g.offset.Load())
	var all []*fastjson.Value
	last := uint64(0)
	for from := max(since, now-longest) / venue.Millisecond; from <= now/venue.Millisecond; {
		to := from + span/venue.Millisecond - 1
		some, err := g.list(ctx, g.v.trades, g.v.tradesWeight, []sign.Param{{Name: "symbol", Value: in.Symbol}, {Name: "startTime", Value: strconv.FormatInt(int64(from), 10)},
			{Name: "endTime", Value: strconv.FormatInt(int64(to), 10)}, {Name: "limit", Value: strconv.Itoa(page)}})
		if err != nil {
			return nil, err
		}
		for _, t := range some {
			if id := t.GetUint64("id"); id > last {
				all, last = append(all, t), id
			}
		}
		if len(some) < page {
			from = to + 1
			continue
		}
		next := venue.Nanos(some[page-1].GetInt64("time")) // some of its trades come again
		if next <= from {
			return nil, protocol(g.v.trades, fmt.Errorf("more than %d trades of %s in a millisecond", page, in.Symbol))
		}
		from = next
	}
	return all, nil
}

// sweepWallet reports what is in the wallet, and the positions.
func (g *Gateway) sweepWallet(ctx context.Context, out venue.Reports) error {
	assets, err := g.list(ctx, g.v.balances, g.v.balanceWeight, []sign.Param{})
	if err != nil {
		return err
	}
	positions, err := g.list(ctx, "/fapi/v3/positionRisk", 5, []sign.Param{})
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.o.Clock.Now()
	for _, b := range assets {
		g.balance(now, millis(b, "updateTime"), b.GetStringBytes("asset"), b.GetStringBytes("balance"))
	}
	for _, p := range positions {
		g.position(now, millis(p, "updateTime"), p.GetStringBytes("symbol"), p.GetStringBytes("positionSide"), p.GetStringBytes("positionAmt"))
	}
	for i := range g.reports {
		g.reports[i].Flags |= venue.Recovered
	}
	g.hand(ctx, out)
	return ctx.Err()
}

// checkFutures asks what the account may do and what it pays. What the key may do is not told here.
func (g *Gateway) checkFutures(ctx context.Context, a *wire.Account) error {
	v, err := g.object(ctx, "/fapi/v1/accountConfig", 5, []sign.Param{})
	if err != nil {
		return err
	}
	var why string
	switch {
	case v.GetBool("dualSidePosition"):
		why = "is in hedge mode; set its position mode to one-way"
	case !v.GetBool("canTrade"):
		why = "may not trade futures"
	}
	if why != "" {
		return &wire.Error{Venue: g.v.name, Op: "check", Kind: wire.Auth, Err: fmt.Errorf("account %q %s", g.o.Account, why)}
	}
	for _, in := range g.o.Instruments {
		const path = "/fapi/v1/commissionRate"
		v, err := g.object(ctx, path, 20, []sign.Param{{Name: "symbol", Value: in.Symbol}})
		if err != nil {
			return err
		}
		fees := in.Fees
		for _, f := range [...]struct {
			name string
			to   *fixed.Rate
		}{{"makerCommissionRate", &fees.Maker}, {"takerCommissionRate", &fees.Taker}} {
			n, fault := fixed.Parse(v.GetStringBytes(f.name), fixed.RateScale)
			if fault != fixed.OK {
				return protocol(path, fmt.Errorf("%s of %s is %s", f.name, in.Symbol, fault))
			}
			*f.to = fixed.Rate(n)
		}
		a.Fees = append(a.Fees, fees)
	}
	return nil
}
