package kraken

import (
	"context"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/valyala/fastjson"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// pageSize is how many entries the venue's histories give at once; mostPages bounds a history that never ends.
const (
	pageSize  = 50
	mostPages = 200
)

// Sweep implements venue.Gateway: open orders, the executions since an instant, orders that ended since, and free balances,
// all flagged Recovered. What both Sweep and Run find is reported twice and known by its ids.
func (g *Gateway) Sweep(ctx context.Context, since venue.Nanos, out venue.Reports) error {
	w := g.newSweep(since)
	if err := w.pairs(ctx); err != nil {
		return err
	}
	// Open orders last: one that ends meanwhile is then missed in none of the lists but perhaps shown in two.
	from := strconv.FormatInt(int64(max(since/venue.Second-1, 0)), 10)
	if err := w.history(ctx, "TradesHistory", "trades", "&start="+from, w.trade); err != nil {
		return err
	}
	if err := w.history(ctx, "ClosedOrders", "closed", "&start="+from, w.order); err != nil {
		return err
	}
	err := g.rest.private(ctx, "OpenOrders", "", 1, func(v *fastjson.Value) error { return w.each(v.GetObject("open"), w.order) })
	if err != nil {
		return err
	}
	if err := w.strangers(ctx); err != nil {
		return err
	}
	if err := g.rest.private(ctx, "BalanceEx", "", 1, w.balances); err != nil {
		return err
	}
	return w.report(ctx, out)
}

// sweep gathers what REST says before any of it is reported, so that a sweep that fails half-way has said nothing.
type sweep struct {
	g     *Gateway
	doc   wire.Doc
	names map[string]*venue.Instrument // by every name of REST
	// altnames are the names that REST is asked by.
	altnames map[*venue.Instrument]string
	orders   []*sweptOrder
	found    map[string]*sweptOrder // by the venue's id
	trades   []sweptTrade
	seen     map[string]bool // trades, and the orders that strangers asks for
	free     []sweptBalance
	asked    venue.Nanos
	since    venue.Nanos
}

func (g *Gateway) newSweep(since venue.Nanos) *sweep {
	return &sweep{g: g, names: map[string]*venue.Instrument{}, altnames: map[*venue.Instrument]string{}, found: map[string]*sweptOrder{}, seen: map[string]bool{},
		asked: g.cfg.Clock.Now(), since: since}
}

type sweptOrder struct {
	id, status, reason string
	in                 *venue.Instrument
	client             uint64 // 0 foreign
	side               venue.Side
	ioc                bool
	price              fixed.Price
	qty, cum           fixed.Qty
	at                 venue.Nanos
}

type sweptTrade struct {
	id, order string
	in        *venue.Instrument
	side      venue.Side
	price     fixed.Price
	qty       fixed.Qty
	fee       fixed.Cash
	feeIn     venue.Ccy
	maker     bool
	at        venue.Nanos
}

type sweptBalance struct {
	ccy  venue.Ccy
	free fixed.Cash
}

// pairs learns the older names of our instruments.
func (w *sweep) pairs(ctx context.Context) error {
	return w.g.rest.public(ctx, "AssetPairs", func(v *fastjson.Value) error {
		return w.each(v.GetObject(), func(name string, p *fastjson.Value) error {
			in := w.g.state.ins[symbolOf(p)] // the map never changes
			if in != nil {
				w.names[name], w.names[string(p.GetStringBytes("altname"))], w.names[in.Symbol] = in, in, in
				w.names[string(p.GetStringBytes("wsname"))] = in
				w.altnames[in] = string(p.GetStringBytes("altname"))
			}
			return nil
		})
	})
}

// each visits an object's entries in the order of the answer.
func (w *sweep) each(o *fastjson.Object, f func(name string, v *fastjson.Value) error) (err error) {
	if o == nil {
		return errBadAnswer
	}
	o.Visit(func(name []byte, v *fastjson.Value) {
		if err == nil {
			err = f(string(name), v)
		}
	})
	return err
}

// history reads all pages of a list. Newest come first, so that what happens meanwhile repeats entries and hides none.
func (w *sweep) history(ctx context.Context, name, list, form string, f func(string, *fastjson.Value) error) error {
	for page := range mostPages {
		n := 0
		err := w.g.rest.private(ctx, name, fmt.Sprintf("%s&ofs=%d", form, page*pageSize), 2, func(v *fastjson.Value) error {
			o := v.GetObject(list)
			if o != nil {
				n = o.Len()
			}
			return w.each(o, f)
		})
		if err != nil || n < pageSize {
			return err
		}
	}
	return &wire.Error{Venue: "kraken", Op: name, Kind: wire.Protocol, Err: fmt.Errorf("more than %d entries since the last durable point; sweep from a later one", mostPages*pageSize)}
}

// order takes an entry of OpenOrders, ClosedOrders or QueryOrders.
func (w *sweep) order(id string, v *fastjson.Value) error {
	in := w.names[string(v.GetStringBytes("descr", "pair"))]
	if in == nil {
		return nil // a pair that we do not trade
	}
	o := &sweptOrder{id: id, in: in, status: string(v.GetStringBytes("status")), reason: string(v.GetStringBytes("reason")), side: sideOf(v.Get("descr", "type"))}
	o.client, _ = wire.ParseClientUUID(v.GetStringBytes("cl_ord_id"))
	o.ioc = strings.EqualFold(string(v.GetStringBytes("time_in_force")), "ioc") || strings.EqualFold(string(v.GetStringBytes("timeinforce")), "ioc")
	limit := v.Get("descr", "price")
	if strings.HasSuffix(string(v.GetStringBytes("descr", "ordertype")), "-limit") {
		limit = v.Get("descr", "price2")
	}
	for _, f := range [3]struct {
		v     *fastjson.Value
		scale uint8
		to    *int64
	}{{limit, in.PriceScale, (*int64)(&o.price)}, {v.Get("vol"), in.QtyScale, (*int64)(&o.qty)}, {v.Get("vol_exec"), in.QtyScale, (*int64)(&o.cum)}} {
		n, why := w.doc.Fixed(f.v, f.scale)
		if why != venue.OK {
			return fmt.Errorf("order %s: a number is %s", id, why)
		}
		*f.to = n
	}
	at := v.Get("closetm")
	if at == nil || at.Type() != fastjson.TypeNumber {
		at = v.Get("opentm")
	}
	o.at = instant(at)
	if old := w.found[id]; old != nil { // in two lists: the later one asked for is the open one
		*old = *o
		return nil
	}
	w.found[id] = o
	w.orders = append(w.orders, o)
	return nil
}

// trade takes an entry of TradesHistory.
func (w *sweep) trade(id string, v *fastjson.Value) error {
	in := w.names[string(v.GetStringBytes("pair"))]
	if in == nil || w.seen[id] {
		return nil
	}
	w.seen[id] = true
	t := sweptTrade{id: id, order: string(v.GetStringBytes("ordertxid")), in: in, side: sideOf(v.Get("type")), maker: v.GetBool("maker"), at: instant(v.Get("time"))}
	qty, why := w.doc.Fixed(v.Get("vol"), in.QtyScale)
	if why != venue.OK {
		return fmt.Errorf("trade %s: volume is %s", id, why)
	}
	t.qty = fixed.Qty(qty)
	w.g.mu.Lock()
	t.price, why = w.g.priceOf(v.Get("price"), &order{in: in, side: t.side})
	if why == venue.OK {
		t.fee, why = w.g.cash(v.Get("fee"), true)
	}
	w.g.mu.Unlock()
	if why != venue.OK {
		return fmt.Errorf("trade %s: price or fee is %s", id, why)
	}
	t.feeIn = in.Quote // REST states fees in the quote currency only
	w.trades = append(w.trades, t)
	return nil
}

// strangers asks by id for the orders of trades that are in neither list: they were opened and closed before the window.
func (w *sweep) strangers(ctx context.Context) error {
	var ids []string
	for _, t := range w.trades {
		if w.found[t.order] == nil && !w.seen[t.order] {
			w.seen[t.order] = true
			ids = append(ids, t.order)
		}
	}
	for len(ids) > 0 {
		n := min(len(ids), pageSize)
		err := w.g.rest.private(ctx, "QueryOrders", "&txid="+strings.Join(ids[:n], "%2C"), 1, func(v *fastjson.Value) error {
			return w.each(v.GetObject(), w.order)
		})
		if err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}

// balances takes what is free of each asset: the balance less what open orders hold.
func (w *sweep) balances(v *fastjson.Value) error {
	return w.each(v.GetObject(), func(asset string, b *fastjson.Value) error {
		ccy := w.g.currency(asset)
		if ccy == 0 {
			return nil
		}
		w.g.mu.Lock()
		have, why := w.g.cash(b.Get("balance"), false)
		held := fixed.Cash(0)
		if why == venue.OK && b.Exists("hold_trade") {
			held, why = w.g.cash(b.Get("hold_trade"), true)
		}
		w.g.mu.Unlock()
		if why != venue.OK {
			return fmt.Errorf("balance of %s is %s", asset, why)
		}
		w.free = append(w.free, sweptBalance{ccy, have - held})
		return nil
	})
}

// report turns what was gathered into reports: orders, then trades, then ends, then balances.
func (w *sweep) report(ctx context.Context, out venue.Reports) error {
	g := w.g
	g.mu.Lock()
	defer g.mu.Unlock()
	g.catchUp()
	now := g.cfg.Clock.Now()
	known := map[*sweptOrder]*order{}
	for _, s := range w.orders {
		o := w.adopt(s)
		known[s] = o
		g.acknowledge(o, venue.Recovered, now, s.at)
	}
	sort.SliceStable(w.trades, func(i, j int) bool { return w.trades[i].at < w.trades[j].at })
	for i := range w.trades {
		t := &w.trades[i]
		o := g.state.byID[t.order]
		if o == nil { // of an order that even QueryOrders does not show: foreign
			o = &order{in: t.in, side: t.side}
		}
		r := g.report(venue.Fill, o, now, t.at)
		r.Flags, r.Fill, r.Price, r.Fee, r.FeeCcy = venue.Recovered, t.qty, t.price, t.fee, t.feeIn
		if t.maker {
			r.Flags |= venue.Maker
		}
		if !r.SetRef([]byte(t.id)) {
			return &wire.Error{Venue: "kraken", Op: "TradesHistory", Kind: wire.Protocol, Err: fmt.Errorf("trade id %q is longer than a report holds", t.id)}
		}
	}
	for _, s := range w.orders {
		w.ended(known[s], s, now)
	}
	w.settle(now)
	for _, b := range w.free {
		g.balanceIs(b.ccy, b.free, now, now, venue.Recovered)
	}
	g.deliver(ctx, out)
	return ctx.Err()
}

// adopt is the order that REST shows, with its numbers.
func (w *sweep) adopt(s *sweptOrder) *order {
	g := w.g
	o := g.state.byID[s.id]
	if o == nil && s.client != 0 {
		o = g.state.orders[s.client]
	}
	if o == nil {
		o = &order{in: s.in, client: s.client}
		if s.client != 0 {
			g.state.orders[s.client] = o
		}
	}
	g.state.name(o, []byte(s.id))
	o.side, o.price, o.qty = s.side, s.price, s.qty
	o.cum = max(o.cum, s.cum)
	if s.ioc {
		o.tif = venue.IOC
	}
	return o
}

// ended reports an order that is over.
func (w *sweep) ended(o *order, s *sweptOrder, now venue.Nanos) {
	g := w.g
	switch s.status {
	case "canceled", "expired":
		kind, why := g.endOf(o, s.status == "expired", s.reason)
		r := g.report(kind, o, now, s.at)
		r.Flags, r.Reason = venue.Recovered, why
	case "closed":
	default:
		return
	}
	for _, op := range [3]venue.Op{venue.New, venue.Cancel, venue.Amend} {
		for r := g.state.pending(o, op); r != nil; r = g.state.pending(o, op) {
			r.answered = true
		}
	}
	g.state.end(o, g)
}

// instant reads seconds of UTC with a fraction; 0 for what is none.
func instant(v *fastjson.Value) venue.Nanos {
	if v == nil {
		return 0
	}
	d, ok := exact(v)
	if !ok {
		return 0
	}
	return venue.Nanos(d.Shift(9).IntPart())
}
