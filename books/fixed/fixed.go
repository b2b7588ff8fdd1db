// Package fixed holds the integers that stand for money: Price, Qty, Cash and Rate.
//
// A Price or Qty is a count of 10^-scale where the scale belongs to the Product and is not stored in the value, so
// values of one product compare as plain integers. A Cash is a count of 10^-8 of a named currency, a Rate a count of
// 10^-8 of one. Every operation that can lose a digit takes a named Rounding; every operation that can overflow says
// so. Nothing wraps or saturates.
//
// Ownership: values only; every function is pure and safe for concurrent use.
//
// Decisions
//   - 2026-11-25: plain int64 with the scale outside, not a struct that carries its scale: a book holds millions of
//     values of one scale, and a carried scale would double them and put a branch on every comparison.
//   - 2026-11-25: Limit is 2^53, leaving 2^10 of headroom in an int64, so that a sum of a thousand maximal values
//     cannot overflow and a value survives a trip through a JSON reader that uses doubles.
package fixed

// Price is a count of 10^-scale of the quote currency for one unit of the base; the scale is the Product's.
type Price int64

// Qty is a count of 10^-scale of the base unit, or of contracts; the scale is the Product's. Never negative in a book;
// signed in a position.
type Qty int64

// Cash is a count of 10^-8 of a named currency. The currency travels beside it, never inside it.
type Cash int64

// Rate is a count of 10^-8 of one: a fee, an edge, a weight, an exchange rate. 0.1 % is 100_000.
type Rate int64

const (
	// CashScale and RateScale are the fixed scales of Cash and Rate.
	CashScale = 8
	RateScale = 8
	// MaxScale is the largest scale a Product may choose: 10^18 still fits in an int64.
	MaxScale = 18
	// Limit is the largest magnitude that Parse and MulDiv return.
	Limit = 1 << 53
	// One is the Rate 1.
	One Rate = 100_000_000
	// Bps is one basis point as a Rate.
	Bps Rate = 10_000
)

// Rounding names the direction in which a result that does not fit its scale is moved.
type Rounding uint8

const (
	// Down rounds toward negative infinity.
	Down Rounding = iota
	// Up rounds toward positive infinity.
	Up
	// ToZero drops the digits that do not fit.
	ToZero
	// FromZero moves any remainder away from zero.
	FromZero
	// HalfEven rounds to nearest, ties to the even neighbour.
	HalfEven
)

// Fault says why text is not a number of the wanted scale. OK is zero.
type Fault uint8

const (
	OK Fault = iota
	// Empty: no digits at all.
	Empty
	// Syntax: a byte that does not belong in a decimal number.
	Syntax
	// OffScale: a digit other than zero beyond the scale. The value is never rounded.
	OffScale
	// Overflow: beyond Limit.
	Overflow
)

func (f Fault) String() string {
	return [...]string{"ok", "empty", "not a number", "more decimals than the scale", "too large"}[f]
}
