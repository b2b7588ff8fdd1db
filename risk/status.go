package risk

import (
	"oneprice/books/desk"
	"oneprice/books/venue"
)

// Use is a limit and what is in use of it, in the limit's own unit: cash of the reporting currency, a quantity, or a count.
type Use struct{ Used, Limit int64 }

// Word is what an operator has said of everything, of a venue or of a strategy.
type Word struct{ Killed, Disarmed, ReduceOnly bool }

// Status is where a Gate stands. Tables are indexed as those of Config, entry 0 of Instruments, Products and Venues unused.
type Status struct {
	Word
	Breaker                  BreakerStatus
	Gross, Net, Open         Use
	OrdersDay, TradesDay     Use
	DailyLoss, Drawdown      Use
	DayEnds                  venue.Nanos // 0 before the first valuation
	Venues                   []VenueStatus
	Products                 []Use // base units
	Instruments              []InstrumentStatus
	Strategies               []StrategyStatus
	AuditFull, JournalIsFull bool
}

// BreakerStatus is where a breaker stands; Left as Breaker.Left says.
type BreakerStatus struct {
	State    BreakerState
	Left     venue.Nanos
	Openings Use
}

// VenueStatus is where a venue stands.
type VenueStatus struct {
	Word
	Breaker              BreakerStatus
	Gross, Net, Open     Use
	OrdersDay, TradesDay Use
}

// InstrumentStatus is where an instrument stands: its worst-case position of either side, and its orders.
type InstrumentStatus struct{ Position, Open Use }

// StrategyStatus is where a strategy stands. Stopped are the sides, buy first, that repeated executions have disabled.
type StrategyStatus struct {
	Word
	OrdersDay, Streak Use
	StreakReached     bool
	Stopped           [2]bool
}

// Status states limits and what is in use of them; the slices of s are reused. Between Steps.
func (g *Gate) Status(s *Status, d *desk.Desk) {
	now, l := d.Now, &g.limits
	s.Word, s.Breaker, s.DayEnds = g.flags.word(), g.breaker.status(now), g.dayEnd
	s.Gross, s.Net, s.Open = Use{int64(g.sums.gross), int64(l.MaxGross)}, Use{g.sums.net(), int64(l.MaxNet)}, Use{int64(g.sums.orders), int64(l.MaxOpen)}
	s.OrdersDay, s.TradesDay = Use{g.orders, l.OrdersPerDay}, Use{g.trades, l.TradesPerDay}
	s.DailyLoss = Use{int64(g.dayStart - g.worth.PnL + g.plans.loss), int64(l.MaxDailyLoss)}
	s.Drawdown = Use{int64(g.high - g.worth.PnL + g.plans.loss), int64(l.MaxDrawdown)}
	s.AuditFull, s.JournalIsFull = g.full&(1<<venue.RingAudit) != 0, g.full&(1<<venue.RingJournal) != 0
	s.Venues, s.Products, s.Instruments, s.Strategies = s.Venues[:0], s.Products[:0], s.Instruments[:0], s.Strategies[:0]
	for i := range g.venues {
		v := &g.venues[i]
		s.Venues = append(s.Venues, VenueStatus{v.flags.word(), v.breaker.status(now), Use{int64(v.sums.gross), int64(v.maxGross)}, Use{v.sums.net(), int64(v.maxNet)},
			Use{int64(v.sums.orders), int64(v.maxOpen)}, Use{v.orders, v.ordersPerDay}, Use{v.trades, v.tradesPerDay}})
	}
	for i := range g.products {
		p := &g.products[i]
		s.Products = append(s.Products, Use{int64(max(p.base[0], -p.base[1])), int64(p.maxBase)})
	}
	for i := range g.slots {
		x := &g.slots[i]
		s.Instruments = append(s.Instruments, InstrumentStatus{Use{int64(max(x.parts[0].qty, -x.parts[1].qty)), int64(x.maxPos)}, Use{int64(x.orders), int64(x.maxOpen)}})
	}
	for i := range g.strats {
		x := &g.strats[i]
		s.Strategies = append(s.Strategies, StrategyStatus{x.flags.word(), Use{x.orders, x.ordersPerDay}, Use{x.streak, x.maxStreak}, x.flags&streakReached != 0,
			[2]bool{x.repeats[0].disabled, x.repeats[1].disabled}})
	}
}

// Copy makes s a copy of from that shares nothing with it; the slices of s are reused.
func (s *Status) Copy(from *Status) {
	v, p, i, t := s.Venues, s.Products, s.Instruments, s.Strategies
	*s = *from
	s.Venues, s.Products = append(v[:0], from.Venues...), append(p[:0], from.Products...)
	s.Instruments, s.Strategies = append(i[:0], from.Instruments...), append(t[:0], from.Strategies...)
}

func (f flags) word() Word { return Word{f&killed != 0, f&disarmed != 0, f&reduceOnly != 0} }

// net is the greater exposure of the two sides.
func (s *sums) net() int64 { return int64(max(s.val[0], -s.val[1])) }

func (b *Breaker) status(now venue.Nanos) BreakerStatus {
	return BreakerStatus{b.State(now), b.Left(now), Use{int64(b.openings), int64(b.cfg.OpeningsPerDay)}}
}
