package binance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/valyala/fastjson"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/sign"
	"oneprice/feeds/wire"
)

// found is an order as the venue's lists have it.
type found struct {
	client     uint64 // 0 for somebody else's
	order      uint64
	qty, cum   fixed.Qty
	price      fixed.Price
	state, tif string
	why        string
	at         venue.Nanos
}

// Sweep reports, all flagged Recovered, the open orders, the executions since an instant and the free balances of the
// account, by REST. Orders of ours that are neither in a slot nor adopted come with slot 0 and their client id; somebody
// else's with client id 0. What our slots hold and the venue does not list as open is asked for one by one, so that its
// end is reported. A Fill's Cum counts the trades swept, from the instant on, unless the order began after it.
//
// Where Run is at work it waits for the private stream, at most 5 s, so that nothing falls between the two. Any goroutine.
func (g *Gateway) Sweep(ctx context.Context, since venue.Nanos, out venue.Reports) error {
	for n := 0; n < 250 && !g.Ready(); n++ {
		g.mu.Lock()
		alive, failed := g.ctx != nil, g.failed
		g.mu.Unlock()
		if failed != nil {
			return failed
		}
		if !alive {
			break
		}
		if err := g.o.Clock.Sleep(ctx, tick); err != nil {
			return err
		}
	}
	for _, in := range g.o.Instruments {
		if err := g.sweep(ctx, in, since, out); err != nil {
			return err
		}
	}
	return g.sweepBalances(ctx, out)
}

// get makes a GET, again after a wait where the venue was busy: a read may be repeated.
func (g *Gateway) get(ctx context.Context, path string, weight int64, params []sign.Param) ([]byte, error) {
	back := wire.Backoff{Min: 100 * venue.Millisecond, Max: 2 * venue.Second}
	for tries := 0; ; tries++ {
		body, err := g.rest.call(ctx, http.MethodGet, path, weight, params)
		var e *wire.Error
		if err == nil || tries == 5 || !errors.As(err, &e) || e.Kind == wire.Auth || e.Kind == wire.Refused {
			return body, err
		}
		if err := g.o.Clock.Sleep(ctx, back.Next()); err != nil {
			return nil, err
		}
	}
}

func protocol(path string, err error) error {
	return &wire.Error{Venue: "binance", Op: path, Kind: wire.Protocol, Err: err}
}

// list makes a GET of an array.
func (g *Gateway) list(ctx context.Context, path string, weight int64, params []sign.Param) ([]*fastjson.Value, error) {
	body, err := g.get(ctx, path, weight, params)
	if err != nil {
		return nil, err
	}
	v, err := fastjson.ParseBytes(body)
	if err != nil {
		return nil, protocol(path, err)
	}
	return v.Array()
}

// sweep reports one instrument: trades first, so that an order's state is at least as new as the trades that it states.
func (g *Gateway) sweep(ctx context.Context, in *venue.Instrument, since venue.Nanos, out venue.Reports) error {
	symbol := sign.Param{Name: "symbol", Value: in.Symbol}
	trades, err := g.trades(ctx, in, since)
	if err != nil {
		return err
	}
	list, err := g.list(ctx, g.v.openOrders, g.v.openWeight, []sign.Param{symbol})
	if err != nil {
		return err
	}
	var orders []found
	for _, v := range list {
		o, ok := readOrder(in, v)
		if !ok {
			return protocol("openOrders", fmt.Errorf("an order of %s that cannot be read", in.Symbol))
		}
		orders = append(orders, o)
	}
	for _, t := range trades {
		if id := t.GetUint64("orderId"); has(orders, id, 0) == nil {
			if orders, err = g.look(ctx, in, Target{Order: id}, orders); err != nil {
				return err
			}
		}
	}
	if orders, err = g.lookOurs(ctx, in, orders); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.o.Clock.Now()
	for i := range orders {
		g.sweptOrder(in, &orders[i], now)
	}
	for _, t := range trades {
		if !g.sweptTrade(in, orders, t, now) {
			g.reports = g.reports[:0]
			return protocol("myTrades", fmt.Errorf("a trade of %s that cannot be read", in.Symbol))
		}
	}
	for i := range orders {
		g.sweptEnd(in, &orders[i], now)
	}
	g.hand(ctx, out)
	return ctx.Err()
}

// page is the most that a list of trades has.
const page = 1000

// trades are the account's trades in an instrument since an instant, oldest first.
func (g *Gateway) trades(ctx context.Context, in *venue.Instrument, since venue.Nanos) ([]*fastjson.Value, error) {
	if g.v.futures {
		return g.spans(ctx, in, since)
	}
	next := sign.Param{Name: "startTime", Value: strconv.FormatInt(int64(since/venue.Millisecond), 10)}
	var all []*fastjson.Value
	for {
		some, err := g.list(ctx, g.v.trades, g.v.tradesWeight, []sign.Param{{Name: "symbol", Value: in.Symbol}, next, {Name: "limit", Value: strconv.Itoa(page)}})
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
		if len(some) < page {
			return all, nil
		}
		next = sign.Param{Name: "fromId", Value: strconv.FormatUint(some[page-1].GetUint64("id")+1, 10)}
	}
}

// has finds an order by the venue's id or ours.
func has(orders []found, order, client uint64) *found {
	for i := range orders {
		if o := &orders[i]; order != 0 && o.order == order || client != 0 && o.client == client {
			return o
		}
	}
	return nil
}

// look asks for one order; one that the venue does not know is left out.
func (g *Gateway) look(ctx context.Context, in *venue.Instrument, t Target, orders []found) ([]found, error) {
	body, err := g.get(ctx, g.v.order, g.v.orderWeight, []sign.Param{{Name: "symbol", Value: in.Symbol}, name(t)})
	var stated *refusedError
	if errors.As(err, &stated) && stated.code == -2013 {
		return orders, nil
	}
	if err != nil {
		return orders, err
	}
	v, err := fastjson.ParseBytes(body)
	if err != nil {
		return orders, protocol("order", err)
	}
	o, ok := readOrder(in, v)
	if !ok {
		return orders, protocol("order", fmt.Errorf("order %d of %s cannot be read", t.Order, in.Symbol))
	}
	return append(orders, o), nil
}

// lookOurs asks for what the slots hold and no list had.
func (g *Gateway) lookOurs(ctx context.Context, in *venue.Instrument, orders []found) ([]found, error) {
	for i := range g.ids.slots {
		s := &g.ids.slots[i]
		if s.owner.Load() == 0 || s.ended.Load() || s.inst() != in.Inst || s.asked.Load() != 0 || s.next.Load() != 0 {
			continue // what is on its way has its answer coming, or a query
		}
		t := s.target()
		if has(orders, t.Order, t.Client) != nil {
			continue
		}
		if t.Order != 0 {
			t.Client = 0
		}
		var err error
		n := len(orders)
		if orders, err = g.look(ctx, in, t, orders); err == nil && len(orders) == n && t.Order == 0 {
			t.Gone = true
			orders, err = g.look(ctx, in, t, orders)
		}
		if err != nil {
			return orders, err
		}
	}
	return orders, nil
}

// readOrder reads an order of openOrders, order and their like.
func readOrder(in *venue.Instrument, v *fastjson.Value) (o found, ok bool) {
	var ok1, ok2 bool
	o.qty, ok1 = qtyOf(in, v, "origQty")
	o.cum, ok2 = qtyOf(in, v, "executedQty")
	price, fault := fixed.Parse(v.GetStringBytes("price"), in.PriceScale)
	o.price, o.order, o.at = fixed.Price(price), v.GetUint64("orderId"), millis(v, "updateTime")
	o.state, o.tif, o.why = string(v.GetStringBytes("status")), string(v.GetStringBytes("timeInForce")), string(v.GetStringBytes("expiryReason"))
	o.client, _ = parseOurs(v.GetStringBytes("clientOrderId"))
	return o, ok1 && ok2 && fault == fixed.OK && o.order != 0
}

// place finds the slot of an order: by its client id, or by the venue's where a cancel gave it another.
func (g *Gateway) whereIs(o *found) (i uint32, owner uint64) {
	if at, own, ok := g.ids.find(o.client); ok && g.ids.slots[at].cold(own) {
		return at, own
	}
	for n := range g.ids.slots {
		if s := &g.ids.slots[n]; s.order.Load() == o.order && s.owner.Load() != 0 && s.cold(s.owner.Load()) {
			return uint32(n), s.owner.Load()
		}
	}
	return 0, o.client
}

// sweptOrder reports that an order is, or was, at the venue.
func (g *Gateway) sweptOrder(in *venue.Instrument, o *found, now venue.Nanos) {
	i, owner := g.whereIs(o)
	if i != 0 {
		s := &g.ids.slots[i]
		next := s.next.Load()
		if next != 0 && next == o.client {
			g.takesOver(i, owner, o.order, now, o.at)
		}
		if known := s.order.Load(); known != 0 && known != o.order && s.wire.Load() != o.client {
			return // an order that has been replaced
		}
		if next == 0 && o.client != 0 {
			s.wire.Store(o.client) // one of an earlier run may have had another
		}
		s.order.Store(o.order)
		s.acked = true
		s.answered(owner)
	}
	r := g.report(venue.Ack, i, owner, in.Inst, now, o.at)
	r.Flags, r.Price, r.Open, r.Cum = venue.Recovered, o.price, o.qty, o.cum
	setNumber(r, o.order)
}

func (g *Gateway) sweptTrade(in *venue.Instrument, orders []found, t *fastjson.Value, now venue.Nanos) bool {
	o := has(orders, t.GetUint64("orderId"), 0)
	var i uint32
	var owner uint64
	if o != nil {
		i, owner = g.whereIs(o)
	}
	r := g.report(venue.Fill, i, owner, in.Inst, now, millis(t, "time"))
	if !g.trade(r, in, t) {
		return false
	}
	if o == nil {
		return true
	}
	var sum fixed.Qty
	for k := range g.reports {
		if x := &g.reports[k]; x.Kind == venue.Fill && x.Client == owner && x.Slot == i {
			sum += x.Fill
		}
	}
	r.Cum, r.Open = min(sum, o.cum), o.qty
	if i != 0 {
		s := &g.ids.slots[i]
		s.cum.Store(max(s.cum.Load(), int64(r.Cum)))
	}
	return true
}

// sweptEnd reports how an order ended that is not open.
func (g *Gateway) sweptEnd(in *venue.Instrument, o *found, now venue.Nanos) {
	i, owner := g.whereIs(o)
	if i != 0 {
		s := &g.ids.slots[i]
		if s.order.Load() != o.order || s.next.Load() != 0 {
			return
		}
		s.cum.Store(max(s.cum.Load(), int64(o.cum)))
		if o.state == "FILLED" {
			s.ended.Store(true)
		}
	}
	k, why, over := terminalOf(o.state, o.why, o.tif, int64(o.cum))
	if !over {
		return
	}
	r := &venue.Report{}
	if i != 0 {
		if r = g.ends(k, i, owner, o.cum, why, now, o.at); r == nil {
			return
		}
	} else {
		r = g.report(k, 0, owner, in.Inst, now, o.at)
		r.Cum, r.Reason, r.Price, r.Open = o.cum, why, o.price, o.qty
	}
	r.Flags |= venue.Recovered
	setNumber(r, o.order)
}

// sweepBalances reports what is free.
func (g *Gateway) sweepBalances(ctx context.Context, out venue.Reports) error {
	if g.v.futures {
		return g.sweepWallet(ctx, out)
	}
	body, err := g.get(ctx, g.v.balances, g.v.balanceWeight, []sign.Param{{Name: "omitZeroBalances", Value: "false"}})
	if err != nil {
		return err
	}
	v, err := fastjson.ParseBytes(body)
	if err != nil {
		return protocol("account", err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.o.Clock.Now()
	for _, b := range v.GetArray("balances") {
		g.balance(now, millis(v, "updateTime"), b.GetStringBytes("asset"), b.GetStringBytes("free"))
	}
	for i := range g.reports {
		g.reports[i].Flags |= venue.Recovered
	}
	g.hand(ctx, out)
	return ctx.Err()
}
