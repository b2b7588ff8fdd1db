package risk

import (
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/risk/ledger"
)

// f runs one rule: at the limit it passes, one step beyond it refuses with these figures.
func f(t *testing.T, name string, run func(w *world), change ...func(*Config)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Helper()
		run(newWorld(t, change...))
	})
}

// at changes the limits of spotA.
func at(change func(*InstrumentLimits)) func(*Config) {
	return func(c *Config) { change(&c.Instruments[spotA]) }
}

func with(in desk.Intent, change func(*desk.Intent)) desk.Intent {
	change(&in)
	return in
}

// priced is an intent of another price and quantity.
func priced(in desk.Intent, p fixed.Price, q fixed.Qty) desk.Intent {
	in.Price, in.Qty = p, q
	return in
}

func TestRules_shapeAndPermission(t *testing.T) {
	bad := func(name string, change func(*desk.Intent)) {
		f(t, name, func(w *world) { w.refuses(with(buy(spotA), change), RuleShape, venue.BadIntent, 0, 0, 0) })
	}
	bad("no op", func(in *desk.Intent) { in.Op = venue.NoOp })
	bad("no side", func(in *desk.Intent) { in.Side = venue.NoSide })
	bad("no instrument", func(in *desk.Intent) { in.Inst = 0 })
	bad("unknown instrument", func(in *desk.Intent) { in.Inst = 99 })
	bad("no price", func(in *desk.Intent) { in.Price = 0 })
	bad("no quantity", func(in *desk.Intent) { in.Qty = 0 })
	bad("negative", func(in *desk.Intent) { in.Qty = -10 })
	bad("beyond range", func(in *desk.Intent) { in.Price = fixed.Limit + 1 })
	bad("no tif", func(in *desk.Intent) { in.TIF = 0 })
	bad("post-only ioc", func(in *desk.Intent) { in.Type, in.TIF = venue.PostOnly, venue.IOC })
	bad("stop without stop", func(in *desk.Intent) { in.Type = venue.StopLimit })

	f(t, "strategy unknown", func(w *world) {
		w.refuses(with(buy(spotA), func(in *desk.Intent) { in.Strategy = 9 }), RuleAllow, venue.NotAllowed, 0, 0, 0)
	})
	for name, c := range map[string]func(*Config){
		"instrument": func(c *Config) { c.Instruments[spotA] = InstrumentLimits{} },
		"strategy":   func(c *Config) { c.Strategies[0].Allowed = false },
	} {
		f(t, "not allowed: "+name, func(w *world) { w.refuses(buy(spotA), RuleAllow, venue.NotAllowed, 0, 0, 0) }, c)
	}
	f(t, "restricted", func(w *world) { w.refuses(buy(spotA), RuleRestricted, venue.Restricted, 0, 0, 0) }, at(func(l *InstrumentLimits) { l.Restricted = true }))
	f(t, "late", func(w *world) {
		in := with(buy(spotA), func(in *desk.Intent) { in.NotAfter = w.d.Now })
		w.passes(in)
		require.Equal(t, w.d.Now, w.out.Command().NotAfter)
		in.NotAfter--
		w.refuses(in, RuleLate, venue.Late, int64(w.d.Now), int64(w.d.Now-1), -1)
	})
}

func TestRules_missingLimitRefuses(t *testing.T) {
	for name, c := range map[string]func(*Config){
		"max_qty":      at(func(l *InstrumentLimits) { l.MaxQty = 0 }),
		"max_position": at(func(l *InstrumentLimits) { l.MaxPosition = 0 }),
		"max_notional": at(func(l *InstrumentLimits) { l.MaxNotional = 0 }),
		"collar":       at(func(l *InstrumentLimits) { l.Collar = 0 }),
		"guard":        at(func(l *InstrumentLimits) { l.Guard = 0 }),
		"reference":    at(func(l *InstrumentLimits) { l.Reference = Reference{} }),
		"max_age":      at(func(l *InstrumentLimits) { l.MaxAge = 0 }),
		"session":      at(func(l *InstrumentLimits) { l.Session = Session{} }),
		"product":      func(c *Config) { c.Products[1].MaxBase = 0 },
		"venue gross":  func(c *Config) { c.Venues[1].MaxGross = 0 },
		"venue orders": func(c *Config) { c.Venues[1].Orders = Rate{} },
		"breaker":      func(c *Config) { c.Venues[1].Breaker.Failures = 0 },
		"strategy":     func(c *Config) { c.Strategies[0].MaxRepeats = 0 },
		"global net":   func(c *Config) { c.Global.MaxNet = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c(&w.cfg)
			_, err := New(w.cfg, w.d, &w.kill)
			require.ErrorContains(t, err, "risk: ", "a missing limit is a config fault")
			w.g = build(w.cfg, w.d, &w.kill)
			w.mark()
			w.refuses(buy(spotA), RuleMissing, venue.NoReference, 0, 0, 0)
		})
	}
}

func TestNew_namesEveryFault(t *testing.T) {
	w := newWorld(t)
	w.cfg.Instruments[spotA].MaxQty = 0
	w.cfg.Instruments[perp].Margin = -1
	w.cfg.Instruments[perp].Reference.From = []venue.Inst{perp, 77, yes}
	w.cfg.Venues[2].CancelReserve = w.cfg.Venues[2].Messages.Burst
	w.cfg.Currencies[usdt].MaxAge = 0
	w.cfg.Currencies[btc].Haircut = fixed.One
	w.cfg.Global.MaxDelay = 400 * Day
	w.cfg.Global.Breaker.MaxWait = 1
	_, err := New(w.cfg, w.d, &w.kill)
	for _, want := range []string{"max_qty is missing", "margin is -1", "no reference for itself", "reference instrument 77 is not known", "of another product",
		"cancel_reserve leaves nothing", "quote currency has no max_age", "haircut is outside", "max_delay is", "max_wait is less"} {
		require.ErrorContains(t, err, want)
	}
}

func TestRules_killArmRoom(t *testing.T) {
	f(t, "kill lets cancels pass", func(w *world) {
		o := w.rest(buy(spotA))
		w.g.OnOperator(venue.OpKill, 0, w.d.Now)
		require.True(t, w.kill.On())
		w.refuses(buy(spotA), RuleKill, venue.Killed, 0, 0, 0)
		w.refuses(desk.Intent{Op: venue.Amend, Inst: spotA, Target: o.Client, Price: o.Price, Qty: 50}, RuleKill, venue.Killed, 0, 0, 0)
		w.passes(desk.Intent{Op: venue.Cancel, Inst: spotA, Target: o.Client})
		require.Equal(t, o.Slot, w.out.Command().Slot)
		require.Equal(t, venue.ID(1), w.out.Command().Venue)
		w.passes(desk.Intent{Op: venue.CancelAll, Inst: spotA})
		w.g.OnOperator(venue.OpLift, 0, w.d.Now)
		w.passes(sell(spotA))
	})
	f(t, "kill of one venue", func(w *world) {
		w.g.OnOperator(venue.OpKill, 1, w.d.Now)
		w.refuses(buy(spotA), RuleKill, venue.Killed, 0, 0, 0)
		w.passes(buy(spotB))
	})
	f(t, "live starts disarmed", func(w *world) {
		w.refuses(buy(spotA), RuleArmed, venue.NotArmed, 0, 0, 0)
		w.g.OnOperator(venue.OpArm, 0, w.d.Now)
		w.refuses(buy(spotA), RuleClock, venue.ClockOffset, 0, 0, 0)
		w.g.OnClock(1, venue.Second)
		w.passes(buy(spotA))
		w.g.OnClock(1, -venue.Second-1)
		w.refuses(buy(spotA), RuleClock, venue.ClockOffset, int64(venue.Second)+1, int64(venue.Second), int64(venue.Second))
		w.g.OnOperator(venue.OpDisarm, 1, w.d.Now)
		w.refuses(buy(spotA), RuleArmed, venue.NotArmed, 0, 0, 0)
	}, func(c *Config) { c.Live = true })
	for ring, why := range map[uint8]venue.Reason{venue.RingAudit: venue.AuditBehind, venue.RingCommand: venue.CommandRingFull, venue.RingJournal: venue.JournalFull} {
		f(t, why.String(), func(w *world) {
			o := w.rest(buy(spotA))
			w.g.Room(ring, true)
			w.refuses(buy(spotA), RuleRoom, why, 0, 0, 0)
			w.passes(desk.Intent{Op: venue.Cancel, Inst: spotA, Target: o.Client})
			w.g.Room(ring, false)
			w.passes(sell(spotA))
		})
	}
	f(t, "a full tape stops nothing", func(w *world) {
		w.g.Room(venue.RingTape, true)
		w.passes(buy(spotA))
	})
	f(t, "reduce-only", func(w *world) {
		w.g.OnOperator(venue.OpReduceOnly, 0, w.d.Now)
		w.refuses(sell(perp), RuleReduceOnly, venue.ReduceOnlyMode, 100, 0, 0)
		w.hold(perp, 100, 100_000_00)
		w.refuses(priced(sell(perp), 100_100_00, 110), RuleReduceOnly, venue.ReduceOnlyMode, 110, 100, 100)
		w.refuses(buy(perp), RuleReduceOnly, venue.ReduceOnlyMode, 100, 0, 0)
		w.rest(sell(perp))
		w.refuses(priced(sell(perp), 100_200_00, 20), RuleReduceOnly, venue.ReduceOnlyMode, 20, 100, 100)
	})
	f(t, "an intent that asks to reduce", func(w *world) {
		in := with(buy(perp), func(in *desk.Intent) { in.ReduceOnly = true })
		w.refuses(in, RuleReduceOnly, venue.ReduceOnlyMode, 100, 0, 0)
		w.hold(perp, -100, 100_000_00)
		w.passes(in)
		require.EqualValues(t, venue.ReduceOnlyFlag, w.out.Command().Flags)
	})
}

func TestKill_ofAnotherThreadMovesNoDecision(t *testing.T) {
	w := fast(t)
	w.kill.Set()
	require.Equal(t, venue.OK, w.check(buy(spotA)).Reason, "a replay cannot know when another thread closed the gate")
	require.True(t, w.kill.Blocks(w.out.Command()), "the socket's side stops it")
	w.g.OnOperator(venue.OpKill, 0, w.d.Now)
	require.Equal(t, RuleKill, w.check(sell(spotA)).Rule)
}

func TestNew_unknownVenueOrCurrency(t *testing.T) {
	for _, change := range []func(in *venue.Instrument){
		func(in *venue.Instrument) { in.Venue = 9 }, func(in *venue.Instrument) { in.Venue = 0 },
		func(in *venue.Instrument) { in.Base = 99 }, func(in *venue.Instrument) { in.Quote = 99 },
	} {
		w := newWorld(t)
		change(w.d.Instruments[spotA])
		_, err := New(w.cfg, w.d, &w.kill)
		require.ErrorContains(t, err, "its venue or a currency is not known")
		w.g = build(w.cfg, w.d, &w.kill)
		w.mark()
		w.refuses(buy(spotA), RuleAllow, venue.NotAllowed, 0, 0, 0)
	}
}

func TestRules_statusAndSession(t *testing.T) {
	for _, c := range []struct {
		s        venue.Status
		limit    bool
		postOnly bool
	}{{venue.Unlisted, false, false}, {venue.Trading, true, true}, {venue.CancelOnly, false, false}, {venue.PostOnlyMode, false, true},
		{venue.LimitOnly, true, true}, {venue.ReduceOnly, false, false}, {venue.Halted, false, false}} {
		f(t, c.s.String(), func(w *world) {
			w.d.Instruments[spotA].Status = c.s
			in := buy(spotA)
			for _, pass := range []bool{c.limit, c.postOnly} {
				if pass {
					w.passes(in)
				} else {
					w.refuses(in, RuleStatus, venue.InstrumentHalted, int64(c.s), int64(venue.Trading), int64(venue.Trading))
				}
				in.Type, in.Price = venue.PostOnly, in.Price-10
			}
		})
	}
	f(t, "reduce-only status lets a reduction pass", func(w *world) {
		w.d.Instruments[perp].Status = venue.ReduceOnly
		w.hold(perp, 100, 100_000_00)
		w.passes(sell(perp))
	})
	hours := func(open, closed venue.Nanos) func(*Config) {
		return at(func(l *InstrumentLimits) { l.Session = Session{open, closed} })
	}
	tod := start % Day
	f(t, "session opens", func(w *world) { w.passes(buy(spotA)) }, hours(tod, tod+1))
	f(t, "session closes", func(w *world) {
		w.refuses(buy(spotA), RuleSession, venue.SessionClosed, int64(tod), int64(tod), int64(tod))
	}, hours(tod-1, tod))
	f(t, "over midnight", func(w *world) { w.passes(buy(spotA)) }, hours(tod, tod-1))
	f(t, "over midnight, closed", func(w *world) {
		w.refuses(buy(spotA), RuleSession, venue.SessionClosed, int64(tod), int64(tod), int64(tod))
	}, hours(tod+1, tod))
	f(t, "expiry", func(w *world) { w.passes(buy(spotA)) }, at(func(l *InstrumentLimits) { l.Expiry = start }))
	f(t, "expired", func(w *world) {
		require.Equal(t, RuleSession, w.check(buy(spotA)).Rule)
	}, at(func(l *InstrumentLimits) { l.Expiry = start - 1 }))
}

func TestRules_bookAndMarks(t *testing.T) {
	f(t, "not live", func(w *world) {
		w.d.Books[spotA].Invalidate(venue.SequenceGap)
		v := w.check(buy(spotA))
		require.Equal(t, venue.BookNotLive, v.Reason)
		require.Equal(t, RuleBookState, v.Rule)
	})
	f(t, "age", func(w *world) {
		w.d.Now += 5 * venue.Second
		w.mark()
		w.passes(buy(spotA))
		w.d.Now++
		w.mark()
		limit := int64(5 * venue.Second)
		w.refuses(buy(spotA), RuleBookAge, venue.BookTooOld, limit+1, limit, limit)
	})
	f(t, "lag", func(w *world) {
		limit := int64(venue.Second)
		for _, late := range []venue.Nanos{0, venue.Second, venue.Second + 1} {
			w.d.Now += 2 * venue.Second
			w.seq++
			var e [1]venue.Event
			e[0].SetHead(1, spotA, venue.Last, w.d.Now, w.d.Now-late, w.seq, w.seq-1, w.seq, venue.NoChecksum, 0)
			w.d.Books[spotA].Apply(e[:])
			w.mark()
			if int64(late) <= limit {
				w.passes(buy(spotA))
			}
		}
		w.refuses(buy(spotA), RuleBookLag, venue.Lagging, limit+1, limit, limit)
	})
	f(t, "marks", func(w *world) {
		w.d.Now += venue.Second
		w.passes(buy(spotA))
		w.d.Now++
		limit := int64(venue.Second)
		w.refuses(sell(spotA), RuleMarkAge, venue.NoReference, limit+1, limit, limit)
	})
	f(t, "no worth", func(w *world) {
		w.g.OnWorth(ledger.Worth{}, w.d.Now)
		w.refuses(buy(spotA), RuleMarkAge, venue.NoReference, 0, 0, 0)
	})
}

func TestRules_tickLotSize(t *testing.T) {
	f(t, "tick", func(w *world) {
		w.refuses(priced(buy(spotA), 99_900_01, 100), RuleTick, venue.BadTick, 99_900_01, 10, 10)
		w.d.Instruments[spotA].Tick = 1
		w.passes(priced(buy(spotA), 99_900_01, 100))
	})
	f(t, "lot", func(w *world) { w.refuses(priced(buy(spotA), 99_900_00, 101), RuleLot, venue.BadLot, 101, 10, 10) })
	f(t, "tick or lot unknown", func(w *world) {
		w.d.Instruments[spotA].Lot = 0
		w.refuses(buy(spotA), RuleMissing, venue.NoReference, 0, 0, 0)
	})
	f(t, "min qty", func(w *world) {
		w.passes(priced(buy(spotA), 99_900_00, 20))
		w.refuses(priced(buy(spotA), 99_900_00, 10), RuleMinQty, venue.BelowMinQty, 10, 20, 20)
	})
	f(t, "max qty", func(w *world) {
		w.passes(priced(buy(spotA), 99_900_00, 200))
		w.refuses(priced(buy(spotA), 99_900_00, 210), RuleMaxQty, venue.AboveMaxQty, 210, 200, 200)
	}, at(func(l *InstrumentLimits) { l.MaxQty = 200 }))
	f(t, "max qty of the venue", func(w *world) {
		w.d.Instruments[spotA].MaxQty = 150
		w.passes(priced(buy(spotA), 99_900_00, 150))
		w.refuses(priced(buy(spotA), 99_900_00, 160), RuleMaxQty, venue.AboveMaxQty, 160, 150, 150)
	})
	f(t, "min notional", func(w *world) {
		w.d.Instruments[spotA].MinNotional = cash(999) // 0.01 × 99,900
		w.build()
		w.passes(buy(spotA))
		w.refuses(priced(buy(spotA), 99_899_90, 100), RuleMinNotional, venue.BelowMinNotional, 99_899_900_000, 99_900_000_000, 99_900_000_000)
	})
	f(t, "max notional", func(w *world) {
		w.passes(buy(spotA))
		w.refuses(priced(buy(spotA), 99_900_10, 100), RuleMaxNotional, venue.AboveMaxNotional, 99_900_100_000, 99_900_000_000, 99_900_000_000)
	}, at(func(l *InstrumentLimits) { l.MaxNotional = cash(999) }))
	f(t, "max notional of an inverse contract in its face", func(w *world) {
		w.passes(priced(buy(inv), 99_900_00, 50_000)) // 5 contracts of 100 USD
		w.refuses(priced(buy(inv), 99_800_00, 50_010), RuleMaxNotional, venue.AboveMaxNotional, 50_010_000_000, 50_000_000_000, 50_000_000_000)
	}, func(c *Config) { c.Instruments[inv].MaxNotional = cash(500) })
}

func TestRules_exchangeRate(t *testing.T) {
	f(t, "worse side and haircut", func(w *world) {
		// 0.01 × 99,900 USDT × 1.001 × 1.001 = 1000.998999 USD
		w.refuses(buy(spotB), RuleMaxNotional, venue.AboveMaxNotional, 1000_99899900+1-1, 1000_99899899, 1000_99899899)
	}, func(c *Config) { c.Instruments[spotB].MaxNotional = 1000_99899899 })
	f(t, "at the limit", func(w *world) { w.passes(buy(spotB)) }, func(c *Config) { c.Instruments[spotB].MaxNotional = 1000_99899900 })
	f(t, "age", func(w *world) {
		w.d.FX[usdt].At = w.d.Now - 60*venue.Second
		w.passes(buy(spotB))
		w.d.FX[usdt].At--
		limit := int64(60 * venue.Second)
		w.refuses(sell(spotB), RuleFX, venue.NoFX, limit+1, limit, limit)
		w.passes(buy(spotA))
	})
	f(t, "peg", func(w *world) {
		w.d.FX[usdt] = desk.FXRate{Bid: 98_000_000, Ask: 98_100_000, At: w.d.Now}
		w.passes(buy(spotB))
		w.d.FX[usdt].Bid--
		w.refuses(sell(spotB), RuleFX, venue.NoFX, 97_999_999, 98_000_000, 98_000_000)
		w.d.FX[usdt] = desk.FXRate{Bid: 101_000_000, Ask: 102_000_001, At: w.d.Now}
		w.refuses(sell(spotB), RuleFX, venue.NoFX, 102_000_001, 102_000_000, 102_000_000)
	})
	f(t, "never seen", func(w *world) {
		w.d.FX[usdt] = desk.FXRate{}
		w.build()
		w.refuses(buy(spotB), RuleFX, venue.NoFX, 0, 0, 0)
	})
	f(t, "a position that cannot be valued stops everything new", func(w *world) {
		w.d.FX[usdt] = desk.FXRate{}
		w.d.Positions[spotB] = desk.Position{Qty: 100, Avg: 100_000_00}
		w.build()
		w.refuses(buy(spotA), RuleFX, venue.NoFX, 1, 0, -1)
		w.d.FX[usdt] = desk.FXRate{Bid: 1e8, Ask: 1e8, At: w.d.Now}
		w.mark()
		w.passes(buy(spotA))
	})
	f(t, "a crossed rate is none", func(w *world) {
		w.d.FX[usdt] = desk.FXRate{Bid: 1e8, Ask: 1e8 - 1, At: w.d.Now}
		w.refuses(buy(spotB), RuleFX, venue.NoFX, 0, 0, 0)
	})
}
