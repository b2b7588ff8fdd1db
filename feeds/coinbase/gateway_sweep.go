package coinbase

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sort"
	"time"

	"github.com/shopspring/decimal"
	"github.com/valyala/fastjson"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

const (
	// overlap is how much earlier than asked the venue's lists are read, since its clock is not ours.
	overlap = 60 * venue.Second
	// cancelWithin is how long an accepted cancel may take before it counts as lost.
	cancelWithin = 3 * venue.Second
	// foundWithin is how long an order may take to show in the lists, and so the least wait before it is looked for again.
	foundWithin = 2 * venue.Second
)

func stamp(t venue.Nanos) string { return time.Unix(0, int64(t)).UTC().Format(time.RFC3339Nano) }

// compare holds our open orders against the venue's from time to time, and when something is in doubt: the user channel
// may lose an update, and a request without an answer may have been obeyed.
func (g *Gateway) compare(ctx context.Context) {
	for ctx.Err() == nil {
		t := g.clock.Timer(g.LookEvery)
		select {
		case <-ctx.Done():
		case <-g.look:
		case <-t.C:
		}
		t.Stop()
		if suspects, _ := g.suspects(); len(suspects) == 0 {
			continue
		}
		if err := g.reconcile(ctx); err != nil {
			g.count.Looks.Add(1) // the next one asks again
		}
	}
}

// suspect is an order of ours that should be open, with its id as it was known.
type suspect struct {
	*track
	id string
}

// suspects are our orders that should be open, by client id, but for those whose create is under way; since is when the
// oldest was placed of which the venue has never spoken, 0 when there is none.
func (g *Gateway) suspects() (all []suspect, since venue.Nanos) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, t := range g.tracks {
		if t.ended || !t.acked && !t.unsure {
			continue
		}
		all = append(all, suspect{t, t.id})
		if t.id == "" && (since == 0 || t.born < since) {
			since = t.born
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].client < all[j].client })
	return all, since
}

// reconcile asks what became of our orders and reports what is new.
func (g *Gateway) reconcile(ctx context.Context) error {
	suspects, since := g.suspects()
	list, err := g.rest.open(ctx, g.symbols)
	if err != nil {
		return err
	}
	if since != 0 {
		more, err := g.rest.closed(ctx, g.symbols, since-overlap)
		if err != nil {
			return err
		}
		list = append(list, more...)
	}
	seen := map[uint64]bool{}
	g.mu.Lock()
	for i := range list {
		o := &list[i]
		if !o.ours || o.in == nil || o.status.ends() && g.tracks[o.client] == nil {
			continue
		}
		seen[o.client] = true
		g.book(g.ctx, g.out, &o.stated, venue.Recovered)
		g.overdue(o)
	}
	g.mu.Unlock()
	for _, t := range suspects {
		if !seen[t.client] {
			if err := g.inquire(ctx, t.track); err != nil {
				return err
			}
		}
	}
	return nil
}

// overdue reports a cancel that the venue took and has not carried out. Under mu.
func (g *Gateway) overdue(o *listed) {
	t := g.tracks[o.client]
	if t == nil || t.ended || t.cancelAsked == 0 || o.pending || o.status == cancelQueued || o.recv-t.cancelAsked < cancelWithin {
		return
	}
	t.cancelAsked = 0
	r := t.report(venue.CancelRejected, venue.Recovered, o.recv, o.at)
	r.Reason = venue.Timeout
	g.say(g.ctx, g.out, r)
}

// inquire asks for one order of ours that no list shows.
func (g *Gateway) inquire(ctx context.Context, t *track) error {
	g.mu.Lock()
	id, done := t.id, t.ended
	g.mu.Unlock()
	switch {
	case done:
		return nil
	case id != "":
		o, err := g.rest.order(ctx, id, g.symbols)
		var e *wire.Error
		if err == nil {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.book(g.ctx, g.out, &o.stated, venue.Recovered)
			return nil
		}
		if !errors.As(err, &e) || e.Kind != wire.Refused {
			return err
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if t.ended || t.id != "" && !t.unsure {
		return nil
	}
	now := g.clock.Now()
	r := t.report(venue.NotFound, venue.Recovered, now, now)
	switch {
	case t.id != "":
		t.unsure = false // it was there: said once
	case now < t.until:
		if t.missed != 0 {
			return nil // said before
		}
		t.missed = now
	case t.misses == 0:
		t.misses, t.missed = 1, now
	case now-t.missed < foundWithin:
		return nil
	default:
		r.Reason = venue.Timeout
		t.ended = true
		g.forget(t)
	}
	g.say(g.ctx, g.out, r)
	return nil
}

// trade is one execution of an order.
type trade struct {
	id         []byte
	price      fixed.Price
	size       fixed.Qty
	fee        fixed.Cash
	maker      bool
	reversed   bool
	at         venue.Nanos
	order, seq string
}

// Sweep reports all orders that are open or were placed since the instant, with their trades by the venue's ids, what ended
// them, and the free balances; orders of others with Client 0. What was reported before changes nothing when it is
// reported again: fills carry their order's total. Reports of Sweep and Run never interleave within one order.
func (g *Gateway) Sweep(ctx context.Context, since venue.Nanos, out venue.Reports) error {
	suspects, unsure := g.suspects()
	if unsure != 0 {
		since = min(since, unsure)
	}
	// Open orders first: one that ends between the two questions is then in both, not in neither.
	list, err := g.rest.open(ctx, g.symbols)
	if err != nil {
		return err
	}
	done, err := g.rest.closed(ctx, g.symbols, since-overlap)
	if err != nil {
		return err
	}
	orders := merged(list, done)
	for _, t := range suspects {
		if t.id == "" || orders.at[t.id] > 0 {
			continue
		}
		o, err := g.rest.order(ctx, t.id, g.symbols)
		var e *wire.Error
		if err != nil && errors.As(err, &e) && e.Kind == wire.Refused {
			continue // NotFound below
		}
		if err != nil {
			return err
		}
		orders.add(o)
	}
	trades, err := g.rest.trades(ctx, orders)
	if err != nil {
		return err
	}
	known := map[uint64]bool{}
	for i := range orders.list {
		o := &orders.list[i]
		known[o.client] = known[o.client] || o.ours
		g.tell(ctx, out, o, trades[string(o.id)], since)
	}
	for _, t := range suspects {
		if !known[t.client] {
			g.missing(ctx, out, t.track)
		}
	}
	return g.balances(ctx, out)
}

// missing reports an order that no list shows.
func (g *Gateway) missing(ctx context.Context, out venue.Reports, t *track) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !t.ended && t.unsure || t.id != "" && !t.ended {
		now := g.clock.Now()
		g.say(ctx, out, t.report(venue.NotFound, venue.Recovered, now, now))
	}
}

// found are orders without repetition, oldest first.
type found struct {
	list []listed
	at   map[string]int // place in list, from 1
}

func merged(lists ...[]listed) *found {
	f := &found{at: map[string]int{}}
	for _, l := range lists {
		for _, o := range l {
			f.add(o)
		}
	}
	sort.SliceStable(f.list, func(i, j int) bool { return f.list[i].born < f.list[j].born })
	for i, o := range f.list {
		f.at[string(o.id)] = i + 1
	}
	return f
}

// add puts an order in; the later statement stays.
func (f *found) add(o listed) {
	if i := f.at[string(o.id)]; i > 0 {
		f.list[i-1] = o
		return
	}
	f.list = append(f.list, o)
	f.at[string(o.id)] = len(f.list)
}

// tell reports one order: that it is there, its trades, and what is left to say.
func (g *Gateway) tell(ctx context.Context, out venue.Reports, o *listed, trades []trade, since venue.Nanos) {
	if o.in == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if !o.ours {
		g.foreign(ctx, out, o, trades, since)
		return
	}
	t := g.adopt(&o.stated)
	over := t.ended
	t.unsure = !over // has it acknowledged again
	if t.kind == venue.NoType {
		t.kind = o.kind
	}
	if !over && o.status != failed && o.status != noPhase {
		g.ack(ctx, out, t, o.id, venue.Recovered, o.recv, o.at)
	}
	var cum fixed.Qty
	var value decimal.Decimal
	var fee fixed.Cash
	for i := range trades {
		x := &trades[i]
		r := t.report(venue.Fill, venue.Recovered|venue.CumulativeOnly, o.recv, x.at)
		if x.maker {
			r.Flags |= venue.Maker
		}
		r.SetRef(x.id)
		r.Fill, r.Price, r.Fee, r.FeeCcy = x.size, x.price, x.fee, t.in.Quote
		if x.reversed {
			r.Finality, r.Flags = venue.Reversed, r.Flags&^venue.CumulativeOnly
			g.say(ctx, out, r)
			continue
		}
		cum, fee = cum+x.size, fee+x.fee
		value = value.Add(fixed.Decimal(x.price, t.in.PriceScale).Mul(fixed.Decimal(x.size, t.in.QtyScale)))
		r.Cum = cum
		if cum > t.cum {
			r.Fill, r.Fee = min(x.size, cum-t.cum), fee-t.fee
			t.cum, t.value, t.fee = cum, value, fee
			g.count.Fills.Add(1)
		}
		g.say(ctx, out, r)
	}
	g.book(ctx, out, &o.stated, venue.Recovered)
	if over && o.status.ends() { // Run has said so; who sweeps may not have heard it
		g.sayEnd(ctx, out, t, &o.stated, venue.Recovered, false)
	}
}

// foreign reports an order that another placed and its trades since the instant.
func (g *Gateway) foreign(ctx context.Context, out venue.Reports, o *listed, trades []trade, since venue.Nanos) {
	r := venue.Report{Kind: venue.Ack, Flags: venue.Recovered, Venue: g.Venue, Inst: o.in.Inst, Recv: o.recv, At: o.at, Cum: o.cum, Price: o.price, Open: o.qty}
	if !o.status.ends() {
		r.SetRef(o.id)
		g.say(ctx, out, r)
	}
	for _, x := range trades {
		if x.at < since {
			continue
		}
		f := venue.Report{Kind: venue.Fill, Flags: venue.Recovered, Venue: g.Venue, Inst: o.in.Inst, Recv: o.recv, At: x.at, Fill: x.size, Price: x.price,
			Fee: x.fee, FeeCcy: o.in.Quote}
		if x.maker {
			f.Flags |= venue.Maker
		}
		if x.reversed {
			f.Finality = venue.Reversed
		}
		f.SetRef(x.id)
		g.say(ctx, out, f)
	}
}

// trades asks for the executions of the orders that have any, by order id and oldest first.
func (r *rest) trades(ctx context.Context, orders *found) (map[string][]trade, error) {
	var ids []string
	for i := range orders.list {
		if o := &orders.list[i]; o.in != nil && o.cum > 0 {
			ids = append(ids, string(o.id))
		}
	}
	out := map[string][]trade{}
	for len(ids) > 0 {
		n := min(len(ids), maxIDsPerQuestion)
		err := r.pages(ctx, pathFills, "fills", url.Values{"order_ids": ids[:n]}, func(v *fastjson.Value) error {
			i := orders.at[string(v.GetStringBytes("order_id"))]
			if i == 0 {
				return nil // more than was asked for
			}
			x, err := readTrade(v, orders.list[i-1].in)
			out[x.order] = append(out[x.order], x)
			return err
		})
		if err != nil {
			return nil, err
		}
		ids = ids[n:]
	}
	for _, xs := range out {
		sort.SliceStable(xs, func(i, j int) bool {
			return xs[i].at < xs[j].at || xs[i].at == xs[j].at && xs[i].seq < xs[j].seq
		})
	}
	return out, nil
}

// readTrade reads an execution.
func readTrade(v *fastjson.Value, in *venue.Instrument) (trade, error) {
	var doc wire.Doc
	x := trade{id: v.GetStringBytes("trade_id"), order: string(v.GetStringBytes("order_id")), seq: string(v.GetStringBytes("entry_id"))}
	x.maker = wire.Is(v.Get("liquidity_indicator"), "MAKER")
	x.reversed = wire.Is(v.Get("trade_type"), "REVERSAL")
	price, why := doc.Fixed(v.Get("price"), in.PriceScale)
	x.price = fixed.Price(price)
	at, whyTime := doc.Time(v.Get("sequence_timestamp"))
	if whyTime != venue.OK {
		at, whyTime = doc.Time(v.Get("trade_time"))
	}
	x.at = at
	size, ok := exact(v.Get("size"))
	if v.GetBool("size_in_quote") && price > 0 {
		size = size.DivRound(fixed.Decimal(x.price, in.PriceScale), int32(in.QtyScale))
	}
	qty, whyQty := fixed.FromDecimal(size, in.QtyScale)
	x.size = fixed.Qty(qty)
	fee, okFee := exact(v.Get("commission"))
	cash, whyFee := fixed.FromDecimal(fee.RoundCeil(fixed.CashScale), fixed.CashScale)
	x.fee = fixed.Cash(cash)
	if why != venue.OK || whyTime != venue.OK || !ok || !okFee || whyQty != fixed.OK || whyFee != fixed.OK || price <= 0 || qty <= 0 || len(x.id) > maxID {
		return x, fmt.Errorf("a trade that cannot be read: %.300s", v)
	}
	return x, nil
}

// balances reports what is free of each currency that the process knows, at most what a Cash holds.
func (g *Gateway) balances(ctx context.Context, out venue.Reports) error {
	var order []venue.Ccy
	sums := map[venue.Ccy]decimal.Decimal{}
	err := g.rest.pages(ctx, pathAccounts, "accounts", url.Values{}, func(v *fastjson.Value) error {
		c := g.Currency(string(v.GetStringBytes("currency")))
		if c == 0 {
			return nil
		}
		free, ok := exact(v.Get("available_balance", "value"))
		if !ok {
			return fmt.Errorf("a balance that cannot be read: %.200s", v)
		}
		if _, known := sums[c]; !known {
			order = append(order, c)
		}
		sums[c] = sums[c].Add(free)
		return nil
	})
	if err != nil {
		return err
	}
	now := g.clock.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range order {
		v, why := fixed.FromDecimal(sums[c].RoundFloor(fixed.CashScale), fixed.CashScale)
		if why == fixed.Overflow {
			v = fixed.Limit
		}
		g.say(ctx, out, venue.Report{Kind: venue.Balance, Flags: venue.Recovered, Venue: g.Venue, FeeCcy: c, Recv: now, At: now, Cum: fixed.Qty(v)})
	}
	return nil
}
