package wire

import (
	"strings"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// Rules are what a listing states, at the scales of a product. Where it states no tick or lot, they are one unit of the last
// decimal that the venue prints. Bounds of a size that are finer than the grid mean the next lot inside. A reason other than
// OK names what cannot be kept: OffScale for a grid finer than the scales, TooLarge for a number beyond them, Malformed for
// what is none.
func (l *Listing) Rules(price, qty uint8) (r venue.Rules, what string, why venue.Reason) {
	read := func(name, text string, scale uint8) int64 {
		if text == "" || why != venue.OK {
			return 0
		}
		v, fault := fixed.Parse([]byte(text), scale)
		switch {
		case fault == fixed.OffScale:
			what, why = name, venue.OffScale
		case fault == fixed.Overflow:
			what, why = name, venue.TooLarge
		case fault != fixed.OK || v < 0:
			what, why = name, venue.Malformed
		}
		return v
	}
	r.Tick, r.Lot = fixed.Price(read("tick", l.TickText(), price)), fixed.Qty(read("lot", l.LotText(), qty))
	if why == venue.OK && r.Tick <= 0 {
		what, why = "tick", venue.Malformed
	}
	if why == venue.OK && r.Lot <= 0 {
		what, why = "lot", venue.Malformed
	}
	least := CutDecimals(l.MinQty, qty)
	r.MinQty, r.MaxQty = fixed.Qty(read("least size", least, qty)), fixed.Qty(read("greatest size", CutDecimals(l.MaxQty, qty), qty))
	if TrimZeros(least) != TrimZeros(l.MinQty) {
		r.MinQty++
	}
	r.MinNotional = fixed.Cash(read("least notional", l.MinNotional, fixed.CashScale))
	if why != venue.OK {
		return venue.Rules{}, what, why
	}
	return onLots(r), "", venue.OK
}

// onLots moves the bounds of a size to lots inside them.
func onLots(r venue.Rules) venue.Rules {
	r.MinQty = max(fixed.RoundTo(r.MinQty, r.Lot, fixed.Up), r.Lot)
	r.MaxQty = fixed.RoundTo(r.MaxQty, r.Lot, fixed.Down)
	return r
}

// TickText is the tick; where it is unknown, one unit of the last decimal printed. LotText is the lot in the same way.
func (l *Listing) TickText() string { return stepOr(l.Tick, l.PriceText) }
func (l *Listing) LotText() string  { return stepOr(l.Lot, l.QtyText) }

func stepOr(step string, text uint8) string {
	if step == "" {
		return Step(text)
	}
	return step
}

// TrimZeros takes the zeros off the end of a decimal fraction.
func TrimZeros(s string) string {
	if !strings.Contains(s, ".") {
		return s
	}
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}
