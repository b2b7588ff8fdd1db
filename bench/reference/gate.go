package reference

import (
	"sync"
	"time"

	"github.com/shopspring/decimal"
)

// GateRules is how many rules Gate checks.
const GateRules = 11

// Gate is eleven limits with decimals behind a mutex, as most bots write them.
type Gate struct {
	mu                                                   sync.Mutex
	kill                                                 bool
	breaker                                              map[string]bool
	maxQty, maxNotional, maxPos, maxGross, band, maxLoss decimal.Decimal
	pos, openBuy, openSell, ref                          map[string]decimal.Decimal
	gross, pnl                                           decimal.Decimal
	openN                                                map[string]int
	bookTS                                               map[string]time.Time
	tokens                                               float64
	last                                                 time.Time
}

// NewGate makes a Gate whose limits do not bind.
func NewGate() *Gate {
	return &Gate{breaker: map[string]bool{}, maxQty: decimal.New(1, 10), maxNotional: decimal.New(1, 12), maxPos: decimal.New(1, 12), maxGross: decimal.New(1, 15),
		band: decimal.New(5, -2), maxLoss: decimal.New(1, 9), pos: map[string]decimal.Decimal{"BTCUSDT": decimal.New(5, -1)},
		openBuy: map[string]decimal.Decimal{"BTCUSDT": decimal.New(1, -1)}, openSell: map[string]decimal.Decimal{},
		ref: map[string]decimal.Decimal{"BTCUSDT": decimal.New(9_723_412, -2)}, openN: map[string]int{}, bookTS: map[string]time.Time{"BTCUSDT": time.Now()}}
}

// Check reports whether an order passes.
func (s *Gate) Check(venue, symbol string, px, qty decimal.Decimal, buy bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kill || s.breaker[venue] || qty.Sign() <= 0 || qty.GreaterThan(s.maxQty) {
		return false
	}
	n := px.Mul(qty)
	if n.GreaterThan(s.maxNotional) {
		return false
	}
	ref := s.ref[symbol]
	if px.Sub(ref).Abs().Div(ref).GreaterThan(s.band) {
		return false
	}
	p := s.pos[symbol]
	if buy {
		if p.Add(s.openBuy[symbol]).Add(qty).GreaterThan(s.maxPos) {
			return false
		}
	} else if p.Sub(s.openSell[symbol]).Sub(qty).LessThan(s.maxPos.Neg()) {
		return false
	}
	if s.gross.Add(n).GreaterThan(s.maxGross) || s.openN[venue] > 100 || s.pnl.LessThan(s.maxLoss.Neg()) {
		return false
	}
	now := time.Now()
	if now.Sub(s.bookTS[symbol]) > time.Hour {
		return false
	}
	s.tokens += now.Sub(s.last).Seconds() * 1e9
	if s.tokens > 1e9 {
		s.tokens = 1e9
	}
	s.last = now
	s.tokens--
	return true
}
