// Package reference is our own earlier prototype of the baseline, kept as it was measured before the product was built:
// the honesty of package naive is judged against it in the same run.
//
// Ownership: one goroutine.
package reference

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/google/btree"
	"github.com/shopspring/decimal"
	"github.com/valyala/fastjson"
)

type level struct{ p, q decimal.Decimal }

// Base decodes, keeps a book, looks for a cross at the touch, checks three limits, encodes and signs.
type Base struct {
	mu         sync.RWMutex
	p          fastjson.Parser
	bids, asks *btree.BTreeG[level]
	tops       map[string][4]decimal.Decimal
	key        []byte
	out        string
	maxQ, maxN decimal.Decimal
	pos        map[string]decimal.Decimal
	id         int64
}

// NewBase makes a Base over so many venues.
func NewBase(venues int) *Base {
	b := &Base{bids: btree.NewG(32, func(a, b level) bool { return a.p.GreaterThan(b.p) }), asks: btree.NewG(32, func(a, b level) bool { return a.p.LessThan(b.p) }),
		tops: map[string][4]decimal.Decimal{}, key: []byte("NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"),
		maxQ: decimal.New(1, 9), maxN: decimal.New(1, 15), pos: map[string]decimal.Decimal{}}
	for i := 1; i < venues; i++ {
		b.tops[fmt.Sprint("v", i)] = [4]decimal.Decimal{decimal.New(97230, 0), decimal.New(1, 0), decimal.New(97240, 0), decimal.New(1, 0)}
	}
	return b
}

type order struct {
	Symbol, Side, Type, TimeInForce, Quantity, Price, NewClientOrderID string
	Timestamp                                                          int64
}

// Step takes one depth update to an order and its signature.
func (b *Base) Step(msg []byte) {
	v, err := b.p.ParseBytes(msg)
	if err != nil {
		panic(err)
	}
	b.mu.Lock()
	for k, t := range [2]*btree.BTreeG[level]{b.bids, b.asks} {
		for _, l := range v.GetArray([2]string{"b", "a"}[k]) {
			pq := l.GetArray()
			p, _ := decimal.NewFromString(string(pq[0].GetStringBytes()))
			q, _ := decimal.NewFromString(string(pq[1].GetStringBytes()))
			if q.IsZero() {
				t.Delete(level{p: p})
			} else {
				t.ReplaceOrInsert(level{p, q})
			}
		}
	}
	b.mu.Unlock()
	b.mu.RLock()
	bb, _ := b.bids.Min()
	ba, _ := b.asks.Min()
	b.mu.RUnlock()
	var bestE, px, qty decimal.Decimal
	side, first := "BUY", true
	for _, t := range b.tops {
		if e := t[0].Sub(ba.p); first || e.GreaterThan(bestE) {
			bestE, px, qty, side, first = e, ba.p, decimal.Min(t[1], ba.q), "BUY", false
		}
		if e := bb.p.Sub(t[2]); e.GreaterThan(bestE) {
			bestE, px, qty, side = e, bb.p, decimal.Min(t[3], bb.q), "SELL"
		}
	}
	if qty.GreaterThan(b.maxQ) || px.Mul(qty).GreaterThan(b.maxN) || b.pos["BTCUSDT"].Add(qty).GreaterThan(b.maxQ) {
		return
	}
	b.id++
	o := order{"BTCUSDT", side, "LIMIT", "IOC", qty.String(), px.String(), strconv.FormatInt(b.id, 10), time.Now().UnixMilli()}
	j, _ := json.Marshal(&o)
	h := hmac.New(sha256.New, b.key)
	h.Write(j)
	b.out = hex.EncodeToString(h.Sum(nil))
}
