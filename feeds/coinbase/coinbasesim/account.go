package coinbasesim

import (
	"crypto"
	"fmt"
	"strings"

	"github.com/shopspring/decimal"

	"oneprice/books/fixed"
	"oneprice/books/match"
	"oneprice/books/venue"
)

// Account is one portfolio: its API key, its money and its fee rates.
type Account struct {
	// Key is the key's name, organizations/…/apiKeys/…; Public its ed25519.PublicKey or *ecdsa.PublicKey.
	Key    string
	Public crypto.PublicKey
	Money  []Money
	// Maker and Taker are rates; a negative one is a rebate.
	Maker, Taker fixed.Rate
	// ReadOnly is a key that may not trade.
	ReadOnly bool
}

// Money is an amount of a currency.
type Money struct {
	Currency string
	Amount   fixed.Cash
}

// OrderState is an order as the venue has it.
type OrderState struct {
	ID, Client, Symbol, Status string
	Price                      fixed.Price
	Qty, Cum                   fixed.Qty
	Fees                       decimal.Decimal
	Trades                     int
}

// account is one portfolio at work. Sim.mu guards it.
type account struct {
	Account
	owner    uint32 // in the books
	purses   []*purse
	orders   []*order // in the order of their coming
	byID     map[string]*order
	byClient map[string]*order
	fills    []*fill
	recent   []*order // those that ended last, for the replay to who comes back
	sessions int
	second   venue.Nanos // the allowance's
	used     int
}

// purse is the money of one currency; what is not held is free.
type purse struct {
	currency    string
	total, held decimal.Decimal
}

// order is one order of a client.
type order struct {
	a            *account
	book         uint64 // its id in the book
	product      int
	id, client   string
	key, tif     string // of the configuration; time in force
	side         venue.Side
	price, stop  fixed.Price
	size, cum    fixed.Qty
	postOnly     bool
	waits        bool // its stop has not traded
	status       string
	value, fees  decimal.Decimal
	held         decimal.Decimal
	trades       int
	why          string // of its end
	born, traded venue.Nanos
	edits        []change
}

type change struct {
	price fixed.Price
	size  fixed.Qty
	at    venue.Nanos
}

// fill is one execution.
type fill struct {
	o     *order
	id    string
	price fixed.Price
	size  fixed.Qty
	fee   decimal.Decimal
	maker bool
	at    venue.Nanos
}

const statusOpen, statusFilled, statusCancelled = "OPEN", "FILLED", "CANCELLED"

func newAccount(cfg Account, owner uint32) *account {
	a := &account{Account: cfg, owner: owner, byID: map[string]*order{}, byClient: map[string]*order{}}
	for _, m := range cfg.Money {
		p := a.purse(m.Currency)
		p.total = p.total.Add(fixed.Decimal(m.Amount, fixed.CashScale))
	}
	return a
}

// account finds an account by its key's name.
func (s *Sim) account(key string) *account {
	for _, a := range s.accounts {
		if a.Key == key {
			return a
		}
	}
	return nil
}

func (a *account) purse(currency string) *purse {
	for _, p := range a.purses {
		if p.currency == currency {
			return p
		}
	}
	p := &purse{currency: currency}
	a.purses = append(a.purses, p)
	return p
}

func (p *purse) free() decimal.Decimal { return p.total.Sub(p.held) }

// sides are the currencies of a product.
func sides(symbol string) (base, quote string) {
	base, quote, _ = strings.Cut(symbol, "-")
	return base, quote
}

// need is what an order holds: what it may still cost, fee included, or the base it may still sell.
func (s *Sim) need(o *order, price fixed.Price, size fixed.Qty) decimal.Decimal {
	p := s.products[o.product]
	left := fixed.Decimal(size-o.cum, p.QtyScale)
	if o.side == venue.Sell {
		return left
	}
	cost := left.Mul(fixed.Decimal(price, p.PriceScale))
	return cost.Add(cost.Mul(fixed.Decimal(max(o.a.Taker, o.a.Maker, 0), fixed.RateScale)))
}

// pays is the purse that an order holds money of.
func (s *Sim) pays(o *order) *purse {
	base, quote := sides(s.products[o.product].Symbol)
	if o.side == venue.Sell {
		return o.a.purse(base)
	}
	return o.a.purse(quote)
}

// hold makes an order hold what it needs now.
func (s *Sim) hold(o *order) {
	want := decimal.Decimal{}
	if o.status == statusOpen {
		want = s.need(o, o.price, o.size)
	}
	p := s.pays(o)
	p.held = p.held.Add(want).Sub(o.held)
	o.held = want
}

// executed books the trades of clients' orders in one act of a market and tells those that rested. The act's taker is told
// by who placed it.
func (s *Sim) executed(i int, r *match.Result, now venue.Nanos) {
	var touched []*order
	for n := range r.Trades {
		t := &r.Trades[n]
		if t.TakerOwner > 0 {
			s.trade(s.orders[t.TakerID], t, false, now)
		}
		if t.MakerOwner == 0 {
			continue
		}
		o := s.orders[t.MakerID]
		s.trade(o, t, true, now)
		if len(touched) == 0 || touched[len(touched)-1] != o {
			touched = append(touched, o)
		}
	}
	for _, o := range touched {
		s.tell(o, now)
	}
}

// trade books one execution.
func (s *Sim) trade(o *order, t *match.Trade, maker bool, now venue.Nanos) {
	p, a := s.products[o.product], o.a
	rate := a.Taker
	if maker {
		rate = a.Maker
	}
	size := fixed.Decimal(t.Qty, p.QtyScale)
	value := size.Mul(fixed.Decimal(t.Price, p.PriceScale))
	fee := value.Mul(fixed.Decimal(rate, fixed.RateScale))
	base, quote := sides(p.Symbol)
	b, q := a.purse(base), a.purse(quote)
	if o.side == venue.Buy {
		b.total, q.total = b.total.Add(size), q.total.Sub(value).Sub(fee)
	} else {
		b.total, q.total = b.total.Sub(size), q.total.Add(value).Sub(fee)
	}
	o.cum, o.value, o.fees = o.cum+t.Qty, o.value.Add(value), o.fees.Add(fee)
	o.trades, o.traded = o.trades+1, now
	s.fillIDs++
	a.fills = append(a.fills, &fill{o: o, id: fmt.Sprintf("%08x-0000-4000-9000-%012x", o.product, s.fillIDs), price: t.Price, size: t.Qty, fee: fee, maker: maker, at: now})
	if o.cum == o.size {
		s.finish(o, statusFilled, "")
		return
	}
	s.hold(o)
}

// finish ends an order.
func (s *Sim) finish(o *order, status, why string) {
	o.status, o.why = status, why
	s.hold(o)
	delete(s.orders, o.book)
	a := o.a
	a.recent = append(a.recent, o)
	if len(a.recent) > replayed {
		a.recent = a.recent[1:]
	}
}

// Orders are all orders of a key, in the order of their coming.
func (s *Sim) Orders(key string) []OrderState {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []OrderState
	if a := s.account(key); a != nil {
		for _, o := range a.orders {
			out = append(out, OrderState{ID: o.id, Client: o.client, Symbol: s.products[o.product].Symbol, Status: o.status, Price: o.price, Qty: o.size,
				Cum: o.cum, Fees: o.fees, Trades: o.trades})
		}
	}
	return out
}

// Balance is what a key has of a currency, and what of it is free.
func (s *Sim) Balance(key, currency string) (total, free decimal.Decimal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.account(key); a != nil {
		p := a.purse(currency)
		return p.total, p.free()
	}
	return total, free
}
