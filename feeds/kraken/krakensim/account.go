package krakensim

import (
	"encoding/base64"
	"fmt"
	"sync/atomic"

	"github.com/shopspring/decimal"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/venuesim"
)

// AccountConfig is one account of the simulator. Rates are fractions: 0.0025 is 25 basis points.
type AccountConfig struct {
	// Key is the API key, Secret its private key in base64.
	Key, Secret string
	// Tier is 0 for Starter, 1 for Intermediate, 2 for Pro.
	Tier         int
	Maker, Taker decimal.Decimal
	// Balances by asset (BTC, USD). An asset that is missing is none.
	Balances map[string]decimal.Decimal
	// ReadOnly is a key that may not trade.
	ReadOnly bool
}

// AccountCounters are exact tallies of an account, readable from any thread: what was refused, by rule.
type AccountCounters struct {
	Orders, Amends, Cancels, Trades, Signatures, Nonces, Tokens, Rates, DeadMan atomic.Uint64
}

// limitsOf are the venue's limits by tier: the trading counter's threshold and its decay in hundredths per second, the REST
// counter and its decay, and open orders per pair.
var limitsOf = [3]struct{ threshold, decay, rest, restDecay, open int64 }{
	{60, 100, 15, 33, 60}, {125, 234, 20, 50, 80}, {180, 375, 20, 100, 225},
}

// account is one account: everything under Sim.mu.
type account struct {
	AccountConfig
	owner   uint32 // in the books
	secret  []byte
	nonce   uint64
	tokens  map[string]venue.Nanos // when each was given out
	balance map[string]decimal.Decimal
	orders  []*order
	trades  []*trade
	rates   []bucket // by pair
	rest    bucket
	dead    venue.Nanos // when everything is cancelled, 0 never
	ledger  uint64
	count   AccountCounters
}

func newAccounts(list []AccountConfig, pairs int) (out []*account, err error) {
	for i, c := range list {
		a := &account{AccountConfig: c, owner: uint32(i + 1), tokens: map[string]venue.Nanos{}, balance: map[string]decimal.Decimal{}, rates: make([]bucket, pairs)}
		if a.secret, err = base64.StdEncoding.DecodeString(c.Secret); err != nil {
			return nil, fmt.Errorf("the private key of account %d is not base64: %w", i, err)
		}
		if c.Tier < 0 || c.Tier >= len(limitsOf) {
			return nil, fmt.Errorf("account %d has tier %d", i, c.Tier)
		}
		for name, b := range c.Balances {
			a.balance[name] = b
		}
		out = append(out, a)
	}
	return out, nil
}

// bucket is a counter that falls by itself, in billionths of a hundredth.
type bucket struct {
	level int64
	at    venue.Nanos
}

func (b *bucket) now(at venue.Nanos, decay int64) int64 {
	if d := at - b.at; d > 0 {
		b.level = max(0, b.level-int64(min(d, 1000*venue.Second))*decay)
		b.at = at
	}
	return b.level
}

// hundredth of a count in a bucket's unit; a count is 100 of them.
const hundredth = int64(venue.Second)

// order is one order of an account.
type order struct {
	acc          *account
	pair         int
	id, client   string
	number       uint64 // in the book
	side         venue.Side
	kind, tif    string // limit, stop-loss, stop-loss-limit; gtc, ioc
	post         bool
	price, stop  fixed.Price
	qty, cum     fixed.Qty
	cost, fee    decimal.Decimal
	opened, born venue.Nanos // born: since the last change
	closed       venue.Nanos
	status       string // pending, open, closed, canceled, expired; as REST says it
	reason       string
	waits        bool // a stop that has not been triggered
}

func (o *order) over() bool { return o.status != "open" && o.status != "pending" }

// trade is one fill of an order.
type trade struct {
	o     *order
	id    string
	n     uint64
	price fixed.Price
	qty   fixed.Qty
	cum   fixed.Qty
	cost  decimal.Decimal
	fee   decimal.Decimal
	maker bool
	at    venue.Nanos
}

// ident makes an id of the venue's form from a number.
func ident(kind byte, n uint64) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	n = n*0x9e3779b97f4a7c15 ^ n<<7 // so that neighbours differ in every place; one to one
	var b [16]byte
	for i := range b {
		b[i] = digits[n&31]
		n = n>>5 | n<<59
	}
	return fmt.Sprintf("%c%s-%s-%s", kind, b[:5], b[5:10], b[10:])
}

// held is what an account's open orders keep of an asset.
func (s *Sim) held(a *account, asset string) decimal.Decimal {
	sum := decimal.Zero
	for _, o := range a.orders {
		if o.over() {
			continue
		}
		p := s.pairs[o.pair]
		base, quote := assets(p.Symbol)
		left := fixed.Decimal(o.qty-o.cum, p.QtyScale)
		switch {
		case o.side == venue.Sell && asset == base:
			sum = sum.Add(left)
		case o.side == venue.Buy && asset == quote:
			sum = sum.Add(left.Mul(fixed.Decimal(max(o.price, o.stop), p.PriceScale)))
		}
	}
	return sum
}

// Held is one order as the simulator's own books have it.
type Held struct {
	Symbol, ID, Client, Status, Reason string
	Side                               venue.Side
	Price                              fixed.Price
	Qty, Cum                           fixed.Qty
	Trades                             []string
}

// Orders are all orders that an account ever had, oldest first, at the scales of their pairs.
func (s *Sim) Orders(key string) []Held {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.account(key)
	if a == nil {
		return nil
	}
	var out []Held
	for _, o := range a.orders {
		h := Held{Symbol: s.pairs[o.pair].Symbol, ID: o.id, Client: o.client, Status: o.status, Reason: o.reason, Side: o.side, Price: o.price, Qty: o.qty, Cum: o.cum}
		for _, t := range a.trades {
			if t.o == o {
				h.Trades = append(h.Trades, t.id)
			}
		}
		out = append(out, h)
	}
	return out
}

// Balance is what an account has of an asset, and what of it open orders hold.
func (s *Sim) Balance(key, asset string) (total, held decimal.Decimal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.account(key); a != nil {
		return a.balance[asset], s.held(a, asset)
	}
	return total, held
}

// Touch is the best level of a side now.
func (s *Sim) Touch(symbol string, side venue.Side) venue.Level {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.find(symbol); p != nil {
		return p.Book.Best(side)
	}
	return venue.Level{}
}

// AccountCounters are the tallies of an account, nil for none.
func (s *Sim) AccountCounters(key string) *AccountCounters {
	if a := s.account(key); a != nil {
		return &a.count
	}
	return nil
}

// account finds one; the list never changes.
func (s *Sim) account(key string) *account {
	for _, a := range s.accounts {
		if a.Key == key {
			return a
		}
	}
	return nil
}

// Armed reports whether the countdown of an account runs.
func (s *Sim) Armed(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.account(key)
	return a != nil && a.dead != 0
}

// Change changes the status or the grid of a pair, as Pairs' Changes do at their times. It reports whether the symbol is known.
func (s *Sim) Change(symbol string, c venuesim.Change) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.find(symbol)
	if p == nil {
		return false
	}
	p.Change(c)
	s.listed(s.cfg.Clock.Now())
	return true
}

// listed tells the subscribers of the instrument channel what holds now.
func (s *Sim) listed(now venue.Nanos) {
	for _, x := range s.subs {
		if x.status {
			x.reply(s.instruments("update"), now)
		}
	}
}
