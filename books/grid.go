package books

import (
	"math"
	"math/bits"

	"oneprice/books/fixed"
)

// grid turns prices into tick numbers without a division. For tick = odd × 2^shift, p × odd⁻¹ (mod 2^64) rotated right by
// shift is p/tick exactly when that is at most (2^64−1)/tick, and is larger than that for every p that is not a multiple.
// This holds for all 64-bit values (Granlund and Montgomery 1994, section 9), so no tick needs a fallback.
type grid struct {
	tick    fixed.Price
	inverse uint64
	most    uint64
	shift   int
}

// newGrid makes the grid of a tick; 0 means one unit, on which every price lies.
func newGrid(tick fixed.Price) grid {
	if tick == 0 {
		tick = 1
	}
	if tick < 0 || tick > fixed.Limit {
		panic("books: tick out of range")
	}
	shift := bits.TrailingZeros64(uint64(tick))
	odd := uint64(tick) >> shift
	inverse := odd // right in the lowest 3 bits; every round doubles that
	for range 5 {
		inverse *= 2 - odd*inverse
	}
	return grid{tick, inverse, math.MaxUint64 / uint64(tick), -shift}
}

// index is p/tick for p > 0; ok is false when p is between ticks.
func (g *grid) index(p fixed.Price) (i int64, ok bool) {
	q := bits.RotateLeft64(uint64(p)*g.inverse, g.shift)
	return int64(q), q <= g.most
}
