// Package model is where quoting may use floats: Avellaneda–Stoikov reservation price and spread from inventory,
// volatility and horizon, as dimensionless shares of the price. It gives integers out.
//
// Ownership: Params and Table are immutable after NewTable. A Vol belongs to one strategy on the engine goroutine.
//
// Decisions
//   - 2026-11-25: everything is relative to the price, and inventory is a share of its maximum, so that no float ever holds
//     a price, a size or money: skew = −q·γ·σ²·T and half = γ·σ²·T/2 + ln(1 + γ/κ)/γ, with q in [−1, 1].
//   - 2026-11-25: tables by volatility bucket and inventory point, built once. The logarithm is never taken on the hot path;
//     what floats remain there are the few multiplications of Vol.
//   - 2026-11-25: volatility is the ratio of two decayed sums, of squared returns and of time, not a mean of r²/dt: that one
//     explodes when two updates are a microsecond apart. Decay is 1/(1+x), not exp(−x): only + − × ÷ round alike on every
//     machine, and each product is converted explicitly so that no compiler fuses it with a sum.
//   - 2026-11-25: a bucket answers with its upper edge: volatility is never understated. Four buckets to an octave of
//     variance keep the overstatement of volatility under 12 %.
package model

import (
	"errors"
	"fmt"
	"math"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// Params of the model.
type Params struct {
	// Gamma is risk aversion per share of price at full inventory; Kappa how fast fills fade with distance, per share of
	// price: 1/Kappa is the half spread of a trader without fear (5000: 2 basis points).
	Gamma, Kappa float64
	// Horizon is the T over which inventory is at risk.
	Horizon venue.Nanos
	// Window is the decay time of the volatility estimate, Sample the least time between two returns.
	Window, Sample venue.Nanos
}

// Validate returns all faults, joined.
func (p Params) Validate() error {
	var errs []error
	rate := func(name string, v, hi float64) {
		if !(v > 0 && v <= hi) {
			errs = append(errs, fmt.Errorf("%s: unexpected %g; want more than 0, at most %g", name, v, hi))
		}
	}
	span := func(name string, v, lo venue.Nanos) {
		if v < lo || v > 86_400*venue.Second {
			errs = append(errs, fmt.Errorf("%s: unexpected %d ns; want %d ns to a day", name, v, lo))
		}
	}
	rate("gamma", p.Gamma, 1e9)
	rate("kappa", p.Kappa, 1e9)
	span("horizon", p.Horizon, venue.Millisecond)
	span("window", p.Window, venue.Millisecond)
	span("sample", p.Sample, 0)
	if p.Sample > p.Window {
		errs = append(errs, fmt.Errorf("sample: unexpected %d ns; want at most the window", p.Sample))
	}
	return errors.Join(errs...)
}

const (
	// Points is the number of inventory points on either side of flat.
	Points = 32
	// MaxOffset bounds skew and half spread: 10 % of the price.
	MaxOffset = fixed.One / 10

	row = 2*Points + 1
)

// Table holds skew and half spread as Rates by volatility bucket. Immutable, safe for concurrent use.
type Table struct {
	half []fixed.Rate
	skew []fixed.Rate // buckets × row
}

// NewTable computes the tables of p.
func NewTable(p Params) (*Table, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	t := &Table{half: make([]fixed.Rate, buckets), skew: make([]fixed.Rate, buckets*row)}
	seconds := float64(p.Horizon) / float64(venue.Second)
	calm := math.Log1p(p.Gamma/p.Kappa) / p.Gamma
	for b := range buckets {
		risk := p.Gamma * upper(b) * seconds
		t.half[b] = toRate(risk/2 + calm)
		for i := -Points; i <= Points; i++ {
			s := toRate(risk * math.Abs(float64(i)) / Points)
			if i > 0 { // long: both prices move down
				s = -s
			}
			t.skew[b*row+i+Points] = s
		}
	}
	return t, nil
}

// toRate rounds a share up and bounds it.
func toRate(share float64) fixed.Rate {
	v := math.Ceil(share * float64(fixed.One))
	if !(v < float64(MaxOffset)) { // also NaN
		return MaxOffset
	}
	return fixed.Rate(v)
}

// Half is the half spread in a bucket.
func (t *Table) Half(bucket int) fixed.Rate { return t.half[bucket] }

// Skew is how far the reservation price lies from the fair one, as a share of it, for an inventory and its maximum (> 0):
// negative when long. Inventory between points counts as the point further out, beyond the maximum as the maximum.
func (t *Table) Skew(bucket int, inventory, limit fixed.Qty) fixed.Rate {
	i := Points
	if inventory < limit && inventory > -limit {
		v, _ := fixed.MulDiv(int64(inventory), Points, int64(limit), fixed.FromZero)
		i = int(v)
	} else if inventory <= -limit {
		i = -Points
	}
	return t.skew[bucket*row+i+Points]
}

// Fair is a price at a finer grain: counts of 2^-FairBits of a Price, so that a mean of two neighbouring ticks is exact.
type Fair int64

// FairBits is the number of extra bits of a Fair.
const FairBits = 8

// Quote is the one function that turns what the model says into a price: fair × (1 + offset), moved to the tick away from
// the market, down for a bid and up for an ask. ok is false when the result is not a positive price.
func Quote(fair Fair, offset fixed.Rate, side venue.Side, tick fixed.Price) (fixed.Price, bool) {
	how := fixed.Down
	if side == venue.Sell {
		how = fixed.Up
	}
	v, ok := fixed.MulDiv(int64(fair), int64(fixed.One+offset), int64(fixed.One)<<FairBits, how)
	p := fixed.RoundTo(fixed.Price(v), tick, how)
	return p, ok && p > 0
}
