// Package naive is the baseline B: the same trading written with the libraries and the means that most bots of this kind
// are written with, honestly and without errors that a good programmer would not make. fastjson with a reused parser, a
// google/btree of shopspring decimals a side, maps by name and a mutex around them, encoding/json and hmac.New for
// orders, a JSON line and a write(2) for the audit. It runs an arbitrage and a quoting strategy and the whole catalogue of
// rules; a test holds its verdicts against those of package risk.
//
// Ownership: a Bot belongs to one goroutine at a time; its mutex is part of what is measured.
//
// Decisions
//   - 2026-11-25: what an idiomatic bot would keep, it keeps: net prices by venue, fees as decimals, the tree. What most
//     compute anew (text of a price, a hash for a signature) it computes anew.
package naive

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/google/btree"
	"github.com/shopspring/decimal"
	"github.com/valyala/fastjson"
)

type level struct{ p, q decimal.Decimal }

// Book is two trees of decimals.
type Book struct {
	Bids, Asks *btree.BTreeG[level]
	Last       uint64
}

// NewBook makes an empty book.
func NewBook() *Book {
	return &Book{Bids: btree.NewG(32, func(a, b level) bool { return a.p.GreaterThan(b.p) }), Asks: btree.NewG(32, func(a, b level) bool { return a.p.LessThan(b.p) })}
}

// set writes the levels of one side.
func set(t *btree.BTreeG[level], list []*fastjson.Value) error {
	for _, l := range list {
		pair := l.GetArray()
		if len(pair) != 2 {
			return fmt.Errorf("a level of %d parts", len(pair))
		}
		p, err := decimal.NewFromString(string(pair[0].GetStringBytes()))
		if err != nil {
			return err
		}
		q, err := decimal.NewFromString(string(pair[1].GetStringBytes()))
		if err != nil {
			return err
		}
		if q.IsZero() {
			t.Delete(level{p: p})
		} else {
			t.ReplaceOrInsert(level{p, q})
		}
	}
	return nil
}

// Bot trades one market at several venues.
type Bot struct {
	mu     sync.RWMutex
	parser fastjson.Parser
	books  map[string]*Book
	tops   map[string]top
	pay    map[string]decimal.Decimal // one plus the taker fee, by venue
	gets   map[string]decimal.Decimal // one less it
	arb    arbitrage
	quotes quoter
	Gate   *Gate
	key    string
	secret []byte
	audit  *os.File
	next   int64
	// Sent is the last order's request, Count how many there were.
	Sent   []byte
	Count  int
	placed []*Order
	text   []byte // of a signature
}

// top is the touch of one venue with the prices net of fees.
type top struct{ bid, ask, bidQty, askQty, netBid, netAsk decimal.Decimal }

// Config of a Bot.
type Config struct {
	Gate        *Gate
	Venues      []string
	TakerFee    decimal.Decimal
	MakerFee    decimal.Decimal
	Key, Secret string // empty: orders are not signed
	Audit       *os.File
	Now         func() time.Time
}

// NewBot makes a bot with empty books.
func NewBot(c Config) *Bot {
	b := &Bot{books: map[string]*Book{}, tops: map[string]top{}, pay: map[string]decimal.Decimal{}, gets: map[string]decimal.Decimal{}, Gate: c.Gate, key: c.Key, secret: []byte(c.Secret), audit: c.Audit}
	for _, v := range c.Venues {
		b.books[v] = NewBook()
		b.pay[v], b.gets[v] = one.Add(c.TakerFee), one.Sub(c.TakerFee)
	}
	b.arb = newArbitrage()
	b.quotes = newQuoter(c.MakerFee)
	return b
}

// Snapshot fills a venue's book from a REST answer.
func (b *Bot) Snapshot(venue string, body []byte) error {
	v, err := b.parser.ParseBytes(body)
	if err != nil {
		return err
	}
	book := b.books[venue]
	book.Last = v.GetUint64("lastUpdateId")
	if err := set(book.Bids, v.GetArray("bids")); err != nil {
		return err
	}
	if err := set(book.Asks, v.GetArray("asks")); err != nil {
		return err
	}
	b.retop(venue, book)
	return nil
}

// symbolAt is the instrument of the one market at a venue.
func symbolAt(venue string) string { return venue + ":BTCUSDT" }

// retop notes a venue's touch and what it is net of fees, and tells the gate.
func (b *Bot) retop(venue string, book *Book) {
	bid, _ := book.Bids.Min()
	ask, _ := book.Asks.Min()
	b.tops[venue] = top{bid: bid.p, ask: ask.p, bidQty: bid.q, askQty: ask.q, netBid: bid.p.Mul(b.gets[venue]), netAsk: ask.p.Mul(b.pay[venue])}
	m := b.Gate.Markets[symbolAt(venue)]
	m.Bid, m.Ask, m.BidQty, m.AskQty, m.State, m.Seen = bid.p, ask.p, bid.q, ask.q, "live", b.Gate.Now()
}

// Update takes one depth update of a venue into its book.
func (b *Bot) Update(venue string, msg []byte) error {
	v, err := b.parser.ParseBytes(msg)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	book := b.books[venue]
	if first, last := v.GetUint64("U"), v.GetUint64("u"); last <= book.Last {
		return nil
	} else if first > book.Last+1 {
		return fmt.Errorf("a gap: %d after %d", first, book.Last)
	} else {
		book.Last = last
	}
	if err := set(book.Bids, v.GetArray("b")); err != nil {
		return err
	}
	if err := set(book.Asks, v.GetArray("a")); err != nil {
		return err
	}
	b.retop(venue, book)
	return nil
}

// Step takes one depth update of a venue all the way to an order. It reports how many orders left.
func (b *Bot) Step(venue string, msg []byte) int {
	if err := b.Update(venue, msg); err != nil {
		panic("naive: " + err.Error())
	}
	n := b.Count
	if p := b.arb.look(b, venue); p != nil {
		b.plan(p)
	}
	b.quotes.look(b, venue)
	return b.Count - n
}

// plan takes both legs of a cross through the gate and sends the first: the second follows its fill.
func (b *Bot) plan(p *cross) {
	if b.Gate.Check(&p.buy) != "" {
		return
	}
	b.Gate.Place(&p.buy, 1)
	if b.Gate.Check(&p.sell) != "" {
		b.Gate.Place(&p.buy, -1)
		return
	}
	b.Gate.Place(&p.sell, 1)
	b.placed = append(b.placed, &p.buy, &p.sell)
	b.record(&p.buy, p.edge)
	b.Sent = b.Encode(&p.buy)
	b.Count++
}

// Wants is what both strategies would say of a venue's touch with no quote standing: both legs of the best cross, where
// there is one, and every quote.
func (b *Bot) Wants(venue string) []Order {
	var out []Order
	if c := b.arb.look(b, venue); c != nil {
		out = append(out, c.buy, c.sell)
	}
	for _, q := range b.quotes.wants(b, venue) {
		out = append(out, b.quotes.order(venue, &q))
	}
	return out
}

// Levels are a venue's levels of a side as price and quantity, best first.
func (b *Bot) Levels(venue string, bids bool) (out [][2]decimal.Decimal) {
	t := b.books[venue].Asks
	if bids {
		t = b.books[venue].Bids
	}
	t.Ascend(func(l level) bool {
		out = append(out, [2]decimal.Decimal{l.p, l.q})
		return true
	})
	return out
}

// Answer ends every order that a plan has placed.
func (b *Bot) Answer() {
	for _, o := range b.placed {
		b.Gate.Place(o, -1)
	}
	b.placed = b.placed[:0]
}

// line is one line of the audit.
type line struct {
	Time                                     time.Time
	Event, Venue, Symbol, Strategy, Side, ID string
	Price, Qty, Edge                         decimal.Decimal
	Verdict                                  string
}

// record writes the decision and its order before the order leaves.
func (b *Bot) record(o *Order, edge decimal.Decimal) {
	l := line{time.Now(), "order", o.Venue, o.Symbol, o.Strategy, sideOf(o), itoa(b.next + 1), o.Price, o.Qty, edge, "approved"}
	text, err := json.Marshal(&l)
	if err == nil {
		_, err = b.audit.Write(append(text, '\n'))
	}
	if err != nil {
		panic("naive: the audit: " + err.Error())
	}
}

func sideOf(o *Order) string {
	if o.Buy {
		return "BUY"
	}
	return "SELL"
}

// request is an order.place request of Binance's WS API.
type request struct {
	ID     string `json:"id"`
	Method string `json:"method"`
	Params params `json:"params"`
}

type params struct {
	APIKey           string `json:"apiKey,omitempty"`
	NewClientOrderID string `json:"newClientOrderId"`
	NewOrderRespType string `json:"newOrderRespType"`
	Price            string `json:"price"`
	Quantity         string `json:"quantity"`
	RecvWindow       int    `json:"recvWindow"`
	Side             string `json:"side"`
	Symbol           string `json:"symbol"`
	TimeInForce      string `json:"timeInForce"`
	Timestamp        int64  `json:"timestamp"`
	Type             string `json:"type"`
	Signature        string `json:"signature,omitempty"`
}

// Encode makes the request of an order, signed where the bot has a key.
func (b *Bot) Encode(o *Order) []byte {
	b.next++
	id := itoa(b.next)
	p := params{NewClientOrderID: id, NewOrderRespType: "ACK", Price: o.Price.String(), Quantity: o.Qty.String(), RecvWindow: 5000, Side: sideOf(o), Symbol: "BTCUSDT",
		TimeInForce: o.TIF, Timestamp: time.Now().UnixMilli(), Type: "LIMIT"}
	if b.key != "" {
		p.APIKey = b.key
		p.Signature = b.sign(&p)
	}
	out, err := json.Marshal(&request{ID: id, Method: "order.place", Params: p})
	if err != nil {
		panic("naive: " + err.Error())
	}
	return out
}

// sign makes the signature over the parameters sorted by name.
func (b *Bot) sign(p *params) string {
	t := append(append(b.text[:0], "apiKey="...), p.APIKey...)
	t = append(append(t, "&newClientOrderId="...), p.NewClientOrderID...)
	t = append(append(t, "&newOrderRespType="...), p.NewOrderRespType...)
	t = append(append(t, "&price="...), p.Price...)
	t = append(append(t, "&quantity="...), p.Quantity...)
	t = strconv.AppendInt(append(t, "&recvWindow="...), int64(p.RecvWindow), 10)
	t = append(append(t, "&side="...), p.Side...)
	t = append(append(t, "&symbol="...), p.Symbol...)
	t = append(append(t, "&timeInForce="...), p.TimeInForce...)
	t = strconv.AppendInt(append(t, "&timestamp="...), p.Timestamp, 10)
	b.text = append(append(t, "&type="...), p.Type...)
	return Sign(b.secret, b.text)
}

// Sign is HMAC-SHA256 in hexadecimal, the key hashed anew each time.
func Sign(secret, text []byte) string {
	h := hmac.New(sha256.New, secret)
	h.Write(text)
	return hex.EncodeToString(h.Sum(nil))
}
