// Package sizing turns a bankroll into a size: Kelly and fixed-fractional, in integers, always rounding down.
//
// Ownership: pure functions, safe for concurrent use. They propose; the gate decides.
//
// Decisions
//   - 2026-11-25: what cannot be computed (no loss given, no stop distance, an overflow, a missing maximum) is size 0,
//     not an error: a sizer runs on the hot path, and no size is the safe answer there.
//   - 2026-11-25: a stake never exceeds the bankroll, whatever the multiplier: borrowing is a decision of its own.
package sizing

import (
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// DefaultMultiplier is a quarter of Kelly.
const DefaultMultiplier = fixed.One / 4

// Kelly returns the fraction f = (p·b − q)/b of the bankroll, where b = |win ÷ loss| and q = 1 − p, rounded down and
// clamped to [0, One]. It is 0 for p outside (0, One), a negative edge, and a win or loss of 0.
func Kelly(p fixed.Rate, win, loss fixed.Cash) fixed.Rate {
	if p <= 0 || p >= fixed.One || win == 0 || loss == 0 || !within(win) || !within(loss) {
		return 0
	}
	// p − q·|loss|/|win|: rounding the second term up rounds the whole down.
	lost, ok := fixed.MulDiv(int64(fixed.One-p), abs(loss), abs(win), fixed.Up)
	if !ok {
		return 0 // the loss dwarfs the win
	}
	return max(p-fixed.Rate(lost), 0)
}

// Stake returns bankroll × fraction × multiplier, rounded down and at most limit and the bankroll; 0 when any of the four
// is not positive or the product leaves the range of Cash.
func Stake(bankroll fixed.Cash, fraction, multiplier fixed.Rate, limit fixed.Cash) fixed.Cash {
	if bankroll <= 0 || fraction <= 0 || multiplier <= 0 || limit <= 0 {
		return 0
	}
	v, ok := fixed.MulDiv3(int64(bankroll), int64(fraction), int64(multiplier), int64(fixed.One), int64(fixed.One), fixed.Down)
	if !ok {
		return 0
	}
	return min(fixed.Cash(v), limit, bankroll)
}

// Lots returns the largest whole number of lots whose notional at price p does not exceed cash (in Quote), at most
// MaxQty where the venue states one; 0 when that is below the instrument's minimum quantity or notional, or cash would buy more than fits a Qty.
func Lots(in *venue.Instrument, p fixed.Price, cash fixed.Cash) fixed.Qty {
	if cash <= 0 || p <= 0 {
		return 0
	}
	var v int64
	var ok bool
	if in.Contract == venue.Inverse {
		v, ok = fixed.MulDiv(int64(cash), fixed.Pow10(in.QtyScale), int64(in.Face), fixed.Down)
	} else {
		v, ok = fixed.MulDiv3(int64(cash), fixed.Pow10(in.PriceScale), fixed.Pow10(in.QtyScale), int64(p), int64(in.Multiplier), fixed.Down)
	}
	if !ok {
		return 0
	}
	return tradable(in, p, fixed.Qty(v))
}

// FixedFraction returns the largest tradable quantity that loses at most equity × fraction when it enters at entry and
// leaves at stop, and whose notional at entry is at most limit (in Quote). equity is in the settlement currency: quote
// for Linear, coin for Inverse. 0 when entry and stop are equal or any argument is not positive.
func FixedFraction(in *venue.Instrument, equity fixed.Cash, fraction fixed.Rate, entry, stop fixed.Price, limit fixed.Cash) fixed.Qty {
	if equity <= 0 || fraction <= 0 || entry <= 0 || stop <= 0 || entry == stop || limit <= 0 {
		return 0
	}
	risk, ok := min(fraction, fixed.One).Apply(equity, fixed.Down)
	if !ok {
		return 0
	}
	distance := int64(max(entry-stop, stop-entry))
	var v int64
	if in.Contract == venue.Inverse {
		// A contract loses face × |1/entry − 1/stop| = face × distance ÷ (entry × stop) coins; worth is the quote value
		// of all contracts that together lose risk.
		var worth int64
		worth, ok = fixed.MulDiv3(int64(risk), int64(entry), int64(stop), distance, fixed.Pow10(in.PriceScale), fixed.Down)
		if ok {
			v, ok = fixed.MulDiv(worth, fixed.Pow10(in.QtyScale), int64(in.Face), fixed.Down)
		}
	} else {
		v, ok = fixed.MulDiv3(int64(risk), fixed.Pow10(in.PriceScale), fixed.Pow10(in.QtyScale), distance, int64(in.Multiplier), fixed.Down)
	}
	if !ok {
		return 0
	}
	return tradable(in, entry, min(fixed.Qty(v), Lots(in, entry, limit)))
}

// tradable rounds q down to what the instrument accepts at price p, 0 when that is nothing.
func tradable(in *venue.Instrument, p fixed.Price, q fixed.Qty) fixed.Qty {
	if in.Lot <= 0 {
		return 0
	}
	if in.MaxQty > 0 {
		q = min(q, in.MaxQty)
	}
	q = fixed.RoundTo(q, in.Lot, fixed.Down)
	if q <= 0 || q < in.MinQty {
		return 0
	}
	if worth, ok := in.Notional(p, q, fixed.Down); !ok || worth < in.MinNotional {
		return 0
	}
	return q
}

func within(c fixed.Cash) bool { return c >= -fixed.Limit && c <= fixed.Limit }

func abs(c fixed.Cash) int64 { return int64(max(c, -c)) }
