package venue

import "oneprice/books/fixed"

// Kind is what an instrument is.
type Kind uint8

const (
	NoKind Kind = iota
	Spot
	Perpetual
	Dated
	Stock
	Binary
)

func (k Kind) String() string {
	return [...]string{"none", "spot", "perpetual", "dated", "stock", "binary"}[k]
}

// Contract says what one unit of Qty is.
type Contract uint8

const (
	// Linear: value in quote = price × qty × Multiplier.
	Linear Contract = iota
	// Inverse: qty counts contracts of Face quote units each; long P&L in coin = n·Face·(1/entry − 1/exit). Never
	// decoded into coins: ladder walks convert per level and round down.
	Inverse
)

func (c Contract) String() string { return [...]string{"linear", "inverse"}[c] }

// Chain is the rule that ties one book delta to the one before.
type Chain uint8

const (
	// ChainNone: no sequence on the book itself (Kraken: checksum; Coinbase: the connection is numbered).
	ChainNone Chain = iota
	// ChainRange: first ≤ last applied + 1 ≤ last + 1 (Binance spot: U, u).
	ChainRange
	// ChainPrev: prev = last applied; the first delta after a snapshot has first ≤ snapshot ≤ last (Binance futures: pu).
	ChainPrev
)

func (c Chain) String() string { return [...]string{"none", "range", "prev"}[c] }

// Status of an instrument as its venue states it.
type Status uint8

const (
	// Unlisted: not known to trade; the zero value refuses orders.
	Unlisted Status = iota
	Trading
	CancelOnly
	PostOnlyMode
	LimitOnly
	ReduceOnly
	Halted
)

func (s Status) String() string {
	return [...]string{"unlisted", "trading", "cancel_only", "post_only", "limit_only", "reduce_only", "halted"}[s]
}

// FeeIn says in which currency a fill's fee is charged.
type FeeIn uint8

const (
	FeeInSettle FeeIn = iota
	FeeInBase
	FeeInQuote
)

// Fees of an instrument at the account's tier; an unknown tier is the worst one. A negative rate is a rebate.
type Fees struct {
	Maker, Taker fixed.Rate
	In           FeeIn
}

// Rules are the grid and the bounds of an instrument's orders, which its venue may change while it trades. A MaxQty of 0
// says that the venue states none.
type Rules struct {
	Tick                fixed.Price
	Lot, MinQty, MaxQty fixed.Qty
	MinNotional         fixed.Cash
}

// Level is one price of a book side.
type Level struct {
	Price fixed.Price
	Qty   fixed.Qty
}

// Instrument is one symbol at one venue. Immutable while running but for what a StatusChange, TickChange or FeeChange
// brings; those are written by the engine only, so that other goroutines keep a copy (wire.Copies). Prices and quantities
// are at the scales of its Product.
type Instrument struct {
	Inst    Inst
	Venue   ID
	Product Product
	// Symbol is the venue's own name, Name is venue:symbol as shown to operators.
	Symbol, Name        string
	Base, Quote, Settle Ccy
	Kind                Kind
	Contract            Contract
	// Complement marks the NO side of a binary whose adapter has already turned prices into 1 − p and flipped sides.
	Complement bool
	Status     Status

	// PriceScale and QtyScale are the Product's.
	PriceScale, QtyScale uint8
	// PriceText and QtyText are the decimals that the venue prints, for checksums over the text.
	PriceText, QtyText uint8

	Tick fixed.Price
	Lot  fixed.Qty
	// MinQty and MaxQty bound one order; a MaxQty of 0 says that the venue states none (Kraken).
	MinQty, MaxQty fixed.Qty
	MinNotional    fixed.Cash // in Quote
	// Multiplier is base units per unit of Qty at 10^-8, for Linear. Face is quote units per contract, for Inverse.
	Multiplier fixed.Rate
	Face       fixed.Cash
	Fees       Fees

	Chain Chain
	// Depth is the number of levels per side that the subscription keeps; levels pushed out get no delete message and
	// are cut by the book. 0 keeps all.
	Depth int
	// Checksum computes the venue's book checksum over the best ChecksumDepth levels of each side, best first. Nil: the
	// venue has none. It must not retain its arguments nor allocate.
	Checksum      func(in *Instrument, bids, asks []Level) uint32
	ChecksumDepth int
}

// Rules are those in force.
func (in *Instrument) Rules() Rules {
	return Rules{in.Tick, in.Lot, in.MinQty, in.MaxQty, in.MinNotional}
}

// SetRules puts other rules in force.
func (in *Instrument) SetRules(r Rules) {
	in.Tick, in.Lot, in.MinQty, in.MaxQty, in.MinNotional = r.Tick, r.Lot, r.MinQty, r.MaxQty, r.MinNotional
}

// Rests reports whether an order may go on resting in an instrument of this status. In a market that is halted, delisted or
// takes cancels alone it would wait, out of reach of a new price, for whatever the market reopens at.
func (s Status) Rests() bool {
	switch s {
	case Trading, PostOnlyMode, LimitOnly, ReduceOnly:
		return true
	}
	return false
}

// Notional is the quote value of q at p, rounded once as asked: price × qty × multiplier for Linear, contracts × face
// for Inverse. ok is false on overflow and for an instrument without a Multiplier or Face.
func (in *Instrument) Notional(p fixed.Price, q fixed.Qty, r fixed.Rounding) (fixed.Cash, bool) {
	if in.Contract == Inverse {
		v, ok := fixed.MulDiv(int64(q), int64(in.Face), fixed.Pow10(in.QtyScale), r)
		return fixed.Cash(v), ok && in.Face > 0
	}
	if in.Multiplier == fixed.One {
		return cashOf(int64(p), int64(q), in.PriceScale+in.QtyScale, r)
	}
	// p/10^ps × q/10^qs × m/10^8, as a count of 10^-8
	v, ok := fixed.MulDiv3(int64(p), int64(q), int64(in.Multiplier), fixed.Pow10(in.PriceScale), fixed.Pow10(in.QtyScale), r)
	return fixed.Cash(v), ok && in.Multiplier > 0
}

// HeldBack is the most of a currency that a working spot order may hold back, rounded up: its cost at the limit with the
// higher fee, or what it sells. ok is false on overflow.
func (in *Instrument) HeldBack(s Side, p fixed.Price, q fixed.Qty) (c Ccy, amount fixed.Cash, ok bool) {
	if s == Sell {
		v, ok := fixed.Rescale(int64(q), in.QtyScale, fixed.CashScale, fixed.Up)
		return in.Base, fixed.Cash(v), ok
	}
	n, ok := in.Notional(p, q, fixed.Up)
	if !ok {
		return in.Quote, 0, false
	}
	fee, ok := fixed.MulDiv(int64(n), int64(max(in.Fees.Maker, in.Fees.Taker, 0)), int64(fixed.One), fixed.Up)
	v, fits := fixed.Add(n, fixed.Cash(fee))
	return in.Quote, v, ok && fits
}

// BaseQty is the quantity of base, at QtyScale, that q stands for at price p, rounded as asked: what two instruments of
// one product are compared by. ok is false on overflow, for an instrument without a Multiplier or Face and, for Inverse,
// at a price that is not positive.
func (in *Instrument) BaseQty(p fixed.Price, q fixed.Qty, r fixed.Rounding) (fixed.Qty, bool) {
	if in.Contract != Inverse {
		if in.Multiplier == fixed.One {
			return q, true
		}
		v, ok := fixed.MulDiv(int64(q), int64(in.Multiplier), int64(fixed.One), r)
		return fixed.Qty(v), ok && in.Multiplier > 0
	}
	// q/10^qs contracts × face/10^8 ÷ (p/10^ps), as a count of 10^-qs: q × face × 10^ps ÷ (10^8 × p)
	v, ok := fixed.MulDiv3(int64(q), int64(in.Face), fixed.Pow10(in.PriceScale), int64(p), fixed.Pow10(fixed.CashScale), r)
	return fixed.Qty(v), ok && in.Face > 0
}

// FromBase is the inverse of BaseQty, with the same refusals: the venue quantity, not yet rounded to a lot, that makes
// base at price p.
func (in *Instrument) FromBase(p fixed.Price, base fixed.Qty, r fixed.Rounding) (fixed.Qty, bool) {
	if in.Contract != Inverse {
		if in.Multiplier == fixed.One {
			return base, true
		}
		v, ok := fixed.MulDiv(int64(base), int64(fixed.One), int64(in.Multiplier), r)
		return fixed.Qty(v), ok
	}
	v, ok := fixed.MulDiv3(int64(base), int64(p), fixed.Pow10(fixed.CashScale), int64(in.Face), fixed.Pow10(in.PriceScale), r)
	return fixed.Qty(v), ok && p > 0
}

// Coin is the base-currency value at 10^-8 of q at price p, rounded once as asked: what an Inverse contract settles,
// margins and pays fees in. The refusals are those of BaseQty.
func (in *Instrument) Coin(p fixed.Price, q fixed.Qty, r fixed.Rounding) (fixed.Cash, bool) {
	if in.Contract != Inverse {
		v, ok := fixed.MulDiv(int64(q), int64(in.Multiplier), fixed.Pow10(in.QtyScale), r)
		return fixed.Cash(v), ok && in.Multiplier > 0
	}
	// not by way of BaseQty, whose scale may be coarser than 10^-8
	v, ok := fixed.MulDiv3(int64(q), int64(in.Face), fixed.Pow10(in.PriceScale), int64(p), fixed.Pow10(in.QtyScale), r)
	return fixed.Cash(v), ok && in.Face > 0
}

// cashOf is a × b at the sum of two scales, as Cash.
func cashOf(a, b int64, scale uint8, r fixed.Rounding) (fixed.Cash, bool) {
	var v int64
	var ok bool
	switch {
	case scale <= fixed.CashScale:
		if v, ok = fixed.Mul(a, b); ok {
			v, ok = fixed.Mul(v, fixed.Pow10(fixed.CashScale-scale))
		}
	case scale-fixed.CashScale <= fixed.MaxScale:
		v, ok = fixed.MulDiv(a, b, fixed.Pow10(scale-fixed.CashScale), r)
	default:
		v, ok = fixed.MulDiv3(a, b, 1, fixed.Pow10(fixed.MaxScale), fixed.Pow10(scale-fixed.CashScale-fixed.MaxScale), r)
	}
	return fixed.Cash(v), ok
}
