package risk

import (
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/risk/ledger"
)

func taker(in desk.Intent, p fixed.Price, q fixed.Qty) desk.Intent {
	in.TIF, in.Price, in.Qty = venue.IOC, p, q
	return in
}

func TestRules_collar(t *testing.T) {
	// The mid of the other book is 100,005; 1 % of it is 1,000.05.
	own := func(c *Config) {
		c.Instruments[perp].Collar = 100 * fixed.Bps
		c.Instruments[perp].Reference = Reference{From: []venue.Inst{spotB, spotA}, MaxAge: 3 * venue.Second}
	}
	f(t, "within", func(w *world) {
		w.passes(priced(buy(perp), 99_005_00, 100)) // 99,004.95 is the edge
		w.refuses(priced(buy(perp), 99_004_90, 100), RuleCollar, venue.PriceCollar, 1_000_050, 1_000_000, 1_000_000)
		w.passes(priced(sell(perp), 101_005_00, 100))
		w.refuses(priced(sell(perp), 101_005_10, 100), RuleCollar, venue.PriceCollar, 1_000_050, 1_000_000, 1_000_000)
	}, own)
	f(t, "second reference, converted", func(w *world) {
		w.d.Books[spotB].Invalidate(venue.SequenceGap)
		w.d.FX[usdt] = desk.FXRate{Bid: 99_000_000, Ask: 99_000_000, At: w.d.Now}
		// 100,005 USD ÷ 0.99 is 101,015.16 USDT, rounded up
		w.passes(priced(buy(perp), 100_005_10, 100))
		v := w.check(priced(buy(perp), 100_005_00, 100))
		require.Equal(t, RuleCollar, v.Rule)
	}, own)
	f(t, "reference too old", func(w *world) {
		w.d.Now += 3 * venue.Second
		w.mark()
		w.d.Books[perp].Alive(w.d.Now)
		w.passes(buy(perp))
		w.d.Now++
		w.d.Books[perp].Alive(w.d.Now)
		w.mark()
		w.refuses(sell(perp), RuleCollar, venue.NoReference, 0, 0, 0)
	}, own)
	f(t, "no reference live", func(w *world) {
		w.d.Books[spotA].Invalidate(venue.SequenceGap)
		w.d.Books[spotB].Invalidate(venue.SequenceGap)
		w.refuses(buy(perp), RuleCollar, venue.NoReference, 0, 0, 0)
	}, own)
	f(t, "no rate to convert it", func(w *world) {
		w.d.Books[spotA].Invalidate(venue.SequenceGap)
		w.d.FX[usdt].At = w.d.Now - 61*venue.Second
		v := w.check(with(buy(inv), func(in *desk.Intent) { in.Qty = 50_000 }))
		require.Equal(t, Verdict{Reason: venue.NoReference, Rule: RuleCollar}, v)
	}, func(c *Config) {
		c.Instruments[inv].Reference = Reference{From: []venue.Inst{spotB}, MaxAge: venue.Second}
	})
	f(t, "own smoothed mid lags the market", func(w *world) {
		w.step(venue.Millisecond)
		w.book(spotA, 103_000_00, 103_010_00, 50_000)
		w.step(venue.Second) // half of the way with a time constant of a second
		require.InDelta(t, 101_505_00, int64(w.g.slots[spotA].smooth), 200)
		w.passes(priced(buy(spotA), 102_500_00, 100))
		require.Equal(t, RuleCollar, w.check(priced(buy(spotA), 103_000_00, 100)).Rule)
	}, at(func(l *InstrumentLimits) { l.Collar = 100 * fixed.Bps }))
	f(t, "own mid too old", func(w *world) {
		w.d.Books[spotA].Invalidate(venue.SequenceGap)
		w.step(11 * venue.Second)
		w.seq++
		w.g.slots[spotA].maxAge = Day
		w.book(spotA, 100_000_00, 100_010_00, 50_000)
		w.refuses(buy(spotA), RuleCollar, venue.NoReference, 0, 0, 0)
		w.mark()
		w.passes(buy(spotA))
	})
}

func TestRules_slippage(t *testing.T) {
	// Asks: 5 at 100,010 and 5 at 100,011; bids: 5 at 100,000 and 5 at 99,999.
	guard := func(r fixed.Rate) func(*Config) { return at(func(l *InstrumentLimits) { l.Guard = r }) }
	f(t, "walk at the limit", func(w *world) {
		w.passes(taker(buy(spotA), 100_011_00, 60_000))
	}, guard(1000)) // 1 in 100,010 is 0.9999 of 10^-5
	f(t, "walk beyond", func(w *world) {
		w.passes(taker(buy(spotA), 100_010_00, 50_000))
		w.refuses(taker(buy(spotA), 100_011_00, 60_000), RuleSlippage, venue.Slippage, 1000, 999, 999)
		w.refuses(taker(sell(spotA), 99_999_00, 60_000), RuleSlippage, venue.Slippage, 1000, 999, 999)
		w.passes(taker(buy(spotA), 100_010_00, 60_000)) // the limit price stops the walk at the touch
	}, guard(999))
	f(t, "limit price far beyond the walk", func(w *world) {
		w.passes(taker(buy(spotA), 100_510_00, 100)) // 500 of 100,010 is 0.49995 %
		w.refuses(taker(buy(spotA), 100_520_00, 100), RuleSlippage, venue.Slippage, 509_950, 500_000, 500_000)
		w.refuses(taker(sell(spotA), 99_490_00, 100), RuleSlippage, venue.Slippage, 510_000, 500_000, 500_000)
	}, guard(500_000))
	f(t, "a resting order that crosses is a taker too", func(w *world) {
		require.Equal(t, RuleSlippage, w.check(priced(buy(spotA), 100_520_00, 100)).Rule)
		w.passes(with(priced(buy(spotA), 100_520_00, 100), func(in *desk.Intent) { in.Type = venue.PostOnly }))
	}, guard(500_000))
	f(t, "nothing to take", func(w *world) {
		w.passes(taker(buy(spotA), 100_000_00, 100)) // an IOC behind the touch takes nothing
		w.d.Books[spotA].Invalidate(venue.SequenceGap)
		w.seq++
		var e [2]venue.Event
		e[0].SetHead(1, spotA, venue.Snapshot|venue.Last, w.d.Now, w.d.Now, 0, 0, w.seq, venue.NoChecksum, 1)
		e[1] = venue.Event{Kind: venue.Levels, Flags: venue.Bids | venue.Last, N: 1, Inst: spotA, W: [6]int64{100_000_00, 100}}
		w.d.Books[spotA].Apply(e[:])
		w.refuses(taker(buy(spotA), 100_010_00, 100), RuleSlippage, venue.NoReference, 0, 0, 0)
	})
}

func TestRules_position(t *testing.T) {
	limit := func(c *Config) { c.Instruments[perp].MaxPosition = 300 }
	f(t, "position, working and intent together", func(w *world) {
		w.hold(perp, 100, 100_000_00)
		w.rest(buy(perp))
		w.passes(priced(buy(perp), 99_800_00, 100))
		w.refuses(priced(buy(perp), 99_800_00, 110), RulePosition, venue.PositionLimit, 310, 300, 100)
		w.passes(priced(sell(perp), 100_100_00, 400))
		w.refuses(priced(sell(perp), 100_100_00, 410), RulePosition, venue.PositionLimit, 310, 300, 400)
	}, limit)
	f(t, "what reduces passes beyond the limit", func(w *world) {
		w.hold(perp, 1000, 100_000_00)
		w.passes(priced(sell(perp), 100_100_00, 700))
		w.refuses(priced(buy(perp), 99_900_00, 20), RulePosition, venue.PositionLimit, 1020, 300, -700)
	}, limit)
	f(t, "an Unknown order counts in full", func(w *world) {
		o := w.rest(priced(buy(perp), 99_900_00, 300))
		o.State = desk.Unknown
		w.work(perp)
		w.refuses(priced(buy(perp), 99_800_00, 20), RulePosition, venue.PositionLimit, 320, 300, 0)
		o.State = desk.Cancelled
		w.work(perp)
		w.passes(priced(buy(perp), 99_800_00, 20))
	}, limit)
	f(t, "an amend counts for what it adds", func(w *world) {
		o := w.rest(priced(buy(perp), 99_900_00, 200))
		amend := desk.Intent{Op: venue.Amend, Inst: perp, Target: o.Client, Price: 99_900_00, Qty: 300}
		w.passes(amend)
		require.Equal(t, venue.Buy, w.out.Command().Side)
		require.Equal(t, o.Slot, w.out.Command().Slot)
		amend.Qty = 310
		w.refuses(amend, RulePosition, venue.PositionLimit, 310, 300, 100)
		o.Filled = 100
		w.d.Positions[perp].Qty = 100
		w.work(perp)
		w.d.Now++
		amend.Qty = 300
		w.passes(amend)
		amend.Target = 999
		w.refuses(amend, RuleTarget, venue.UnknownTarget, 0, 0, 0)
		amend.Target, amend.Side = o.Client, venue.Sell
		w.refuses(amend, RuleTarget, venue.UnknownTarget, 0, 0, 0)
		o.State, amend.Side = desk.Unknown, venue.NoSide
		w.refuses(amend, RuleTarget, venue.UnknownTarget, 0, 0, 0)
		amend.Op = venue.Cancel
		w.passes(amend)
		o.State = desk.Filled
		w.refuses(amend, RuleTarget, venue.UnknownTarget, 0, 0, 0)
	}, limit)
	f(t, "product in base units over all instruments", func(w *world) {
		w.hold(spotA, 200, 100_000_00)
		w.rest(buy(spotB))
		w.passes(priced(buy(perp), 99_900_00, 700))
		w.refuses(priced(buy(perp), 99_900_00, 710), RuleProduct, venue.ProductLimit, 1010, 1000, 700)
		// an inverse contract counts its coins at the lowest price: 705 USD ÷ 100,000 is 70.5 units, away from zero
		w.rest(priced(buy(perp), 99_900_00, 630))
		w.refuses(priced(buy(inv), 99_900_00, 70_500), RuleProduct, venue.ProductLimit, 1001, 1000, 70)
		w.passes(priced(buy(inv), 99_900_00, 69_900))
		w.passes(sell(perp))
	}, func(c *Config) { c.Products[1].MaxBase = 1000 })
}

func TestRules_exposure(t *testing.T) {
	// spotA is valued in the reporting currency at its ask of 100,010: 0.01 is 1,000.10 USD.
	one := int64(1000_10000000)
	net := func(v *VenueLimits) { v.MaxNet = fixed.Cash(3 * one) }
	f(t, "venue net", func(w *world) {
		w.hold(spotA, 100, 100_000_00)
		w.passes(priced(buy(spotA), 99_900_00, 200))
		w.refuses(priced(buy(spotA), 99_900_00, 210), RuleVenueNet, venue.VenuePositionLimit, 3*one+one/10, 3*one, 2*one)
		w.passes(sell(spotA))
		w.hold(spotA, -100, 100_000_00)
		w.passes(priced(sell(spotA), 100_010_00, 200))
		w.refuses(priced(sell(spotA), 100_010_00, 210), RuleVenueNet, venue.VenuePositionLimit, 3*one+one/10, 3*one, 2*one)
		w.passes(priced(buy(spotA), 99_800_00, 400))
	}, func(c *Config) { net(&c.Venues[1]) })
	f(t, "venue gross", func(w *world) {
		w.hold(spotA, 100, 100_000_00)
		w.passes(priced(buy(spotA), 99_900_00, 200))
		w.refuses(priced(buy(spotA), 99_900_00, 210), RuleVenueGross, venue.VenueExposure, 3*one+one/10, 3*one, 2*one)
		w.passes(priced(sell(spotA), 100_000_00, 200)) // the worst of the short side is less than what is held
	}, func(c *Config) { c.Venues[1].MaxGross = fixed.Cash(3 * one) })
	f(t, "gross of a working short beside a long", func(w *world) {
		w.hold(spotA, 100, 100_000_00)
		w.rest(priced(buy(spotA), 99_900_00, 100))
		// 4 worse short than 1 long + 1 working: 3 × 100,100 against 2 × 100,010
		w.refuses(priced(sell(spotA), 100_100_00, 400), RuleVenueGross, venue.VenueExposure, 3003_00000000, 3*one, one)
		w.passes(priced(sell(spotA), 100_010_00, 400))
	}, func(c *Config) { c.Venues[1].MaxGross = fixed.Cash(3 * one) })
	f(t, "global net and gross", func(w *world) {
		w.hold(spotA, 100, 100_000_00)
		v := w.check(priced(buy(perp), 99_900_00, 300))
		require.Equal(t, RuleNet, v.Rule)
		require.EqualValues(t, one, v.Limit-v.Headroom)
		w.hold(spotA, -100, 100_000_00)
		v = w.check(priced(buy(perp), 99_900_00, 300))
		require.Equal(t, RuleGross, v.Rule, "what nets still adds up")
	}, func(c *Config) { c.Global.MaxNet, c.Global.MaxGross = fixed.Cash(3*one), fixed.Cash(3*one) })
	f(t, "leverage", func(w *world) {
		w.g.OnWorth(ledger.Worth{Equity: fixed.Cash(one), OK: true}, w.d.Now)
		w.passes(priced(buy(spotA), 99_900_00, 200))
		w.refuses(priced(buy(spotA), 99_900_00, 210), RuleLeverage, venue.MarginLimit, 2*one+one/10, 2*one, 2*one)
		w.g.OnWorth(ledger.Worth{Equity: -1, OK: true}, w.d.Now)
		w.refuses(priced(buy(spotA), 99_900_00, 100), RuleLeverage, venue.MarginLimit, one, 0, 0)
		w.hold(spotA, 100, 100_000_00)
		w.passes(sell(spotA))
	}, func(c *Config) { c.Global.MaxLeverage = 2 * fixed.One })
	f(t, "overflow is a refusal", func(w *world) {
		w.g.maxPart = 1
		w.refuses(buy(spotA), RulePosition, venue.Overflowed, 0, 0, 0)
	})
	f(t, "a binary costs at most 1", func(w *world) {
		w.refuses(priced(sell(yes), 40, 10_000), RuleMaxNotional, venue.AboveMaxNotional, 60_000_000, 59_000_000, 59_000_000)
		w.passes(priced(buy(yes), 40, 10_000))
	}, func(c *Config) { c.Instruments[yes].MaxNotional = 59_000_000 })
}

func TestRules_balances(t *testing.T) {
	strict := func(c *Config) { c.Instruments[spotA].MayShort = false }
	f(t, "a spot buy binds its cost and worst fee", func(w *world) {
		w.d.Balances[1][usd] = 999_99900000 // 0.01 × 99,900 × 1.001
		w.passes(buy(spotA))
	})
	f(t, "one unit short", func(w *world) {
		w.d.Balances[1][usd] = 999_99900000 - 1
		w.refuses(buy(spotA), RuleBalance, venue.NoBalance, 999_99900000, 999_99899999, 999_99899999)
	})
	f(t, "what works binds too, at its worst price", func(w *world) {
		w.d.Balances[1][usd] = 2 * 999_99900000
		w.rest(buy(spotA))
		w.passes(priced(buy(spotA), 99_800_00, 100))
		w.refuses(priced(buy(spotA), 99_800_00, 110), RuleBalance, venue.NoBalance, 2_099_99790000, 1_999_99800000, 999_99900000)
	})
	f(t, "a spot sell needs its base", func(w *world) {
		w.d.Balances[1][btc] = 2_000_000 // 0.02
		w.rest(sell(spotA))
		w.passes(priced(sell(spotA), 100_200_00, 100))
		w.refuses(priced(sell(spotA), 100_200_00, 110), RuleShort, venue.ShortNotAllowed, 2_100_000, 2_000_000, 1_000_000)
	}, strict)
	f(t, "a borrow lets it pass", func(w *world) {
		w.d.Balances[1][btc] = 0
		w.passes(sell(spotA))
	})
	f(t, "margin and worst fee of a derivative", func(w *world) {
		// 0.01 × 100,010 × (10 % + 0.1 %) at the mark
		w.d.Balances[2][usdt] = 101_01010000
		w.passes(buy(perp))
		w.d.Balances[2][usdt]--
		w.refuses(priced(buy(perp), 99_800_00, 100), RuleMargin, venue.MarginLimit, 101_01010000, 101_01009999, 101_01009999)
	})
	f(t, "unrealised loss binds margin", func(w *world) {
		w.hold(perp, 100, 101_000_00)
		w.mark()
		require.EqualValues(t, 10_00000000, w.g.slots[perp].loss)
		require.EqualValues(t, 101_01010000+10_00000000, w.g.locks[2][usdt])
		w.hold(perp, -100, 99_010_00)
		w.mark()
		require.EqualValues(t, 10_00000000, w.g.slots[perp].loss)
		w.hold(inv, 1_000_000, 200_000_00) // 100 contracts of 100 USD: 0.05 coins then, 0.1 now
		w.mark()
		require.EqualValues(t, 5_000_000, w.g.slots[inv].loss)
	})
	f(t, "margin of an inverse contract is in coins", func(w *world) {
		// 5 contracts: 500 USD ÷ 99,900 = 0.00500501 up, × 10.1 %
		w.d.Balances[2][btc] = 50551
		w.passes(priced(buy(inv), 99_900_00, 50_000))
		w.d.Balances[2][btc] = 50550
		w.refuses(priced(buy(inv), 99_900_10, 50_000), RuleMargin, venue.MarginLimit, 50551, 50550, 50550)
	})
	f(t, "a binary is sold only when held", func(w *world) {
		w.refuses(priced(sell(yes), 50, 100), RuleShort, venue.ShortNotAllowed, 100, 0, 0)
		w.hold(yes, 100, 40)
		w.passes(priced(sell(yes), 50, 100))
		w.refuses(priced(sell(yes), 50, 110), RuleShort, venue.ShortNotAllowed, 110, 100, 100)
		// NO is bought as a sell at 1 − p and costs p
		w.d.Balances[1][usd] = 520520
		w.passes(priced(sell(no_), 48, 100))
		w.refuses(priced(sell(no_), 47, 100), RuleBalance, venue.NoBalance, 530530, 520520, 520520)
		w.refuses(priced(buy(no_), 45, 100), RuleShort, venue.ShortNotAllowed, 100, 0, 0)
		w.hold(no_, -100, 52)
		w.passes(priced(buy(no_), 45, 100))
	}, func(c *Config) { c.Instruments[yes].MayShort, c.Instruments[no_].MayShort = false, false })
}
