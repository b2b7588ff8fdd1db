package binancesim

import (
	"crypto/ed25519"
	"fmt"
	"slices"
	"strings"

	"oneprice/books/fixed"
	"oneprice/books/match"
	"oneprice/books/venue"
)

// Account is a client of the venue. Its orders and balances survive a Restart.
type Account struct {
	// Key is the API key's id; Secret its HMAC secret, or Public its Ed25519 public key.
	Key    string
	Secret []byte
	Public ed25519.PublicKey
	// Funds are the opening free balances.
	Funds []Funds
	// Maker and Taker are the commission rates, charged in what a trade brings.
	Maker, Taker fixed.Rate
	// ReadOnly is a key that may not trade.
	ReadOnly bool
	// Leverage is what a position at USD-M may be worth in units of its margin, 0 for 20. Hedge is an account in two-way mode,
	// whose orders without a side of the position are refused.
	Leverage int64
	Hedge    bool
}

// Funds is an amount of one asset at 10^-8.
type Funds struct {
	Asset        string
	Free, Locked fixed.Cash
}

// account is an Account at work. The simulator's mutex guards it.
type account struct {
	Account
	n      uint32 // owner of its orders in the books
	funds  []Funds
	orders []*order // by id
	trades []*trade
	burst  int64 // unfilled orders counted in the window under way
	window venue.Nanos
	listen string // key of its user stream at futures, "" none
	held   []*position
	dead   map[*pair]venue.Nanos // when a countdown cancels everything, at futures
}

// order is one order of a client.
type order struct {
	a             *account
	p             *pair
	id            uint64
	client        string
	side          venue.Side
	typ, tif      string
	price, stop   fixed.Price
	qty, cum      fixed.Qty
	quote         fixed.Cash
	funds         fixed.Cash  // of a MARKET order by amount
	reach         fixed.Price // of a MARKET order: the worst that it trades at
	status        string
	expiry        string
	born, updated venue.Nanos
	waits         bool // for its stop
	reduces       bool // may only reduce a position
	execution     uint64
}

// trade is one fill of a client's order.
type trade struct {
	o     *order
	id    uint64
	price fixed.Price
	qty   fixed.Qty
	quote fixed.Cash
	fee   fixed.Cash
	gain  fixed.Cash // realised by closing a position
	asset string
	maker bool
	at    venue.Nanos
}

func (o *order) open() bool { return o.status == "NEW" || o.status == "PARTIALLY_FILLED" }

func (o *order) left() fixed.Qty { return o.qty - o.cum }

func (o *order) future() bool { return o.p.kind == USDM }

// postOnly is a type at spot, a time in force at futures.
func (o *order) postOnly() bool { return o.typ == "LIMIT_MAKER" || o.tif == "GTX" }

// assets splits a symbol into base and quote.
func assets(symbol string) (base, quote string) {
	for _, q := range []string{"FDUSD", "USDT", "USDC", "USD", "EUR", "BTC"} {
		if b, ok := strings.CutSuffix(symbol, q); ok && b != "" {
			return b, q
		}
	}
	return symbol, "USDT"
}

// worth is a quantity at a price, at 10^-8 of the quote asset, rounded up.
func (p *pair) worth(price fixed.Price, q fixed.Qty) fixed.Cash {
	v, ok := fixed.MulDiv3(int64(price), int64(q), fixed.Pow10(fixed.CashScale), fixed.Pow10(p.PriceScale), fixed.Pow10(p.QtyScale), fixed.Up)
	if !ok {
		panic(fmt.Sprintf("binancesim: %d at %d of %s is worth more than can be counted", q, price, p.Symbol))
	}
	return fixed.Cash(v)
}

// amount is a quantity of the base asset at 10^-8.
func (p *pair) amount(q fixed.Qty) fixed.Cash {
	v, ok := fixed.Rescale(int64(q), p.QtyScale, fixed.CashScale, fixed.Up)
	if !ok {
		panic("binancesim: a quantity beyond what can be counted")
	}
	return fixed.Cash(v)
}

// fund finds a balance, new at its first use.
func (a *account) fund(asset string) *Funds {
	for i := range a.funds {
		if a.funds[i].Asset == asset {
			return &a.funds[i]
		}
	}
	a.funds = append(a.funds, Funds{Asset: asset})
	return &a.funds[len(a.funds)-1]
}

// locks is what an order reserves for so much of it.
func (o *order) locks(q fixed.Qty) (asset string, amount fixed.Cash) {
	base, quote := assets(o.p.Symbol)
	if o.typ == market {
		return quote, 0
	}
	if o.side == venue.Buy {
		return quote, o.p.worth(o.price, q)
	}
	return base, o.p.amount(q)
}

// reserve moves what an order may spend from free to locked; false when there is not enough. At futures nothing moves: there
// must be margin.
func (o *order) reserve() bool {
	if o.future() {
		return o.a.covers(o)
	}
	asset, amount := o.locks(o.qty)
	f := o.a.fund(asset)
	if f.Free < amount {
		return false
	}
	f.Free -= amount
	f.Locked += amount
	return true
}

// release gives back what so much of an order had reserved.
func (o *order) release(q fixed.Qty) {
	if o.future() {
		return
	}
	asset, amount := o.locks(q)
	f := o.a.fund(asset)
	f.Locked -= amount
	f.Free += amount
}

// fill books one trade of an order and tells its client.
func (s *Sim) fill(o *order, id uint64, price fixed.Price, q fixed.Qty, maker bool, now venue.Nanos) {
	base, quote := assets(o.p.Symbol)
	t := &trade{o: o, id: id, price: price, qty: q, quote: o.p.worth(price, q), maker: maker, at: now}
	rate := o.a.Taker
	if maker {
		rate = o.a.Maker
	}
	o.release(q)
	switch {
	case o.future():
		o.a.moves(t, rate)
	case o.side == venue.Buy:
		t.asset = base
		t.fee = feeOf(rate, o.p.amount(q))
		o.a.fund(quote).Free -= t.quote
		o.a.fund(base).Free += o.p.amount(q) - t.fee
	default:
		t.asset = quote
		t.fee = feeOf(rate, t.quote)
		o.a.fund(base).Free -= o.p.amount(q)
		o.a.fund(quote).Free += t.quote - t.fee
	}
	o.cum += q
	o.quote += t.quote
	o.status, o.updated = "PARTIALLY_FILLED", now
	if o.cum == o.qty {
		o.status = "FILLED"
	}
	o.a.trades = append(o.a.trades, t)
	if o.future() {
		s.tellPosition(o.a, o.p, now)
		s.tell(o, "TRADE", t, "", now)
		return
	}
	credit := int64(1)
	if maker {
		credit = 5
	}
	o.a.burst = max(o.a.burst-credit, 0)
	s.tell(o, "TRADE", t, "", now)
	s.tellFunds(o.a, now, base, quote)
}

func feeOf(r fixed.Rate, of fixed.Cash) fixed.Cash {
	fee, ok := r.Apply(of, fixed.Up)
	if !ok {
		panic("binancesim: a fee beyond what can be counted")
	}
	return fee
}

// enter puts an order that may trade into the book and books what it does.
func (s *Sim) enter(o *order, now venue.Nanos) {
	rules := match.Rules{TIF: map[string]venue.TIF{"": venue.GTC, "GTC": venue.GTC, "GTX": venue.GTC, "IOC": venue.IOC, "FOK": venue.FOK}[o.tif], PostOnly: o.postOnly()}
	price := o.price
	if o.typ == market {
		rules.TIF, price = venue.IOC, o.reach
	}
	res := o.p.Book.Add(match.Order{ID: o.id, Owner: o.a.n, Side: o.side, Price: price, Qty: o.left()}, rules)
	trades := slices.Clone(res.Trades)
	rests := res.Rests
	o.p.Client(res, func(r *match.Result) { s.happened(o.p, r, now) })
	for i := range trades {
		s.fill(o, o.p.trades-uint64(len(trades)-1-i), trades[i].Price, trades[i].Qty, false, now)
	}
	if o.left() > 0 && rests == 0 {
		o.expiry = map[string]string{"IOC": "UNFILLED_IOC_QUANTITY_EXPIRED", "FOK": "UNFILLED_FOK_ORDER_EXPIRED"}[o.tif]
		s.finish(o, "EXPIRED", "", now)
	}
}

// finish ends an order that is in no book any more.
func (s *Sim) finish(o *order, status, renamed string, now venue.Nanos) {
	o.status, o.updated = status, now
	o.release(o.left())
	was := o.client
	if renamed != "" {
		o.client = renamed
	}
	s.tell(o, status, nil, was, now)
	base, quote := assets(o.p.Symbol)
	s.tellFunds(o.a, now, base, quote)
}

// take cancels an open order; renamed is the client id that it gets.
func (s *Sim) take(o *order, renamed string, now venue.Nanos) {
	s.withdraw(o, now)
	s.finish(o, "CANCELED", renamed, now)
}

// withdraw takes an open order out of the book, or from among the stops.
func (s *Sim) withdraw(o *order, now venue.Nanos) {
	if o.waits {
		o.waits = false
		o.p.stops = slices.DeleteFunc(o.p.stops, func(x *order) bool { return x == o })
	} else {
		o.p.Client(o.p.Book.Cancel(o.id), func(r *match.Result) { s.happened(o.p, r, now) })
	}
}

// makers books the trades of resting clients' orders; ids count up to the pair's last trade.
func (s *Sim) makers(p *pair, trades []match.Trade, now venue.Nanos) {
	for i := range trades {
		t := &trades[i]
		if t.MakerOwner == 0 {
			continue
		}
		for _, o := range s.accounts[t.MakerOwner-1].orders {
			if o.id == t.MakerID {
				s.fill(o, p.trades-uint64(len(trades)-1-i), t.Price, t.Qty, true, now)
			}
		}
	}
}

// triggers lets the stops work that the last trade has reached.
func (s *Sim) triggers(p *pair, now venue.Nanos) {
	for i := 0; i < len(p.stops); {
		o := p.stops[i]
		if p.last == 0 || o.side == venue.Buy && p.last < o.stop || o.side == venue.Sell && p.last > o.stop {
			i++
			continue
		}
		p.stops = slices.Delete(p.stops, i, i+1)
		o.waits = false
		s.enter(o, now)
		i = 0 // its trades may have moved the price
	}
}

// OrderState is what the simulator knows of one order, for tests that compare.
type OrderState struct {
	ID       uint64
	Client   string
	Side     venue.Side
	Price    fixed.Price
	Qty, Cum fixed.Qty
	Status   string
	Trades   []uint64
}

// Orders are all orders of an account, oldest first.
func (s *Sim) Orders(key string) []OrderState {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []OrderState
	if a := s.account(key); a != nil {
		for _, o := range a.orders {
			x := OrderState{o.id, o.client, o.side, o.price, o.qty, o.cum, o.status, nil}
			for _, t := range a.trades {
				if t.o == o {
					x.Trades = append(x.Trades, t.id)
				}
			}
			out = append(out, x)
		}
	}
	return out
}

// Balances are the balances of an account.
func (s *Sim) Balances(key string) []Funds {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.account(key); a != nil {
		return slices.Clone(a.funds)
	}
	return nil
}

// account finds an account by its key, nil when there is none.
func (s *Sim) account(key string) *account {
	for _, a := range s.accounts {
		if a.Key == key {
			return a
		}
	}
	return nil
}

// Touch is the best level of a side now.
func (s *Sim) Touch(symbol string, side venue.Side) venue.Level {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.pair(symbol); p != nil {
		return p.Book.Best(side)
	}
	return venue.Level{}
}
