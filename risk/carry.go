package risk

import (
	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// Names are what a Gate calls venues and strategies in its notes, by their number, so that a restart finds its own again.
type Names struct{ Venues, Strategies []string }

// Note is a small figure that a restart must know, the newest of its name.
type Note struct {
	Name  string
	Value int64
}

// NotePrefix is what the names of all notes begin with.
const NotePrefix = "limit:"

// carried is one figure that outlives the process.
type carried struct {
	name  string
	noted int64
	known bool // noted has been told, or was restored
	get   func() int64
	set   func(int64)
}

// carries lists everything that outlives the process: what is counted by the day, losses, breakers that wait, and what only
// an operator may lift.
func (g *Gate) carries(n Names) {
	if len(n.Venues) == 0 {
		return // nothing outlives it: backtests, benchmarks
	}
	add := func(name string, get func() int64, set func(int64)) {
		g.carried = append(g.carried, carried{name: NotePrefix + name, get: get, set: set})
	}
	count := func(name string, p *int64) { add(name, func() int64 { return *p }, func(v int64) { *p = v }) }
	add("day", func() int64 { return int64(g.dayEnd) }, func(v int64) { g.dayEnd = venue.Nanos(v) })
	add("lost", func() int64 { return int64(g.lostToday()) }, func(v int64) { g.lost = fixed.Cash(v) })
	add("fallen", func() int64 { return int64(g.fallen()) }, func(v int64) { g.fell = fixed.Cash(max(v, 0)) })
	count("orders", &g.orders)
	count("trades", &g.trades)
	g.breaker.carry("", add)
	for i := 1; i < len(n.Venues) && i < len(g.venues); i++ {
		v := &g.venues[i]
		count("orders:"+n.Venues[i], &v.orders)
		count("trades:"+n.Venues[i], &v.trades)
		v.breaker.carry(":"+n.Venues[i], add)
	}
	for i := 0; i < len(n.Strategies) && i < len(g.strats); i++ {
		st := &g.strats[i]
		count("strategy:"+n.Strategies[i], &st.orders)
		add("stopped:"+n.Strategies[i], st.stopped, st.stop)
	}
}

// carry adds where a breaker stands: an open one waits on, a locked one stays so.
func (b *Breaker) carry(of string, add func(string, func() int64, func(int64))) {
	add("breaker"+of, func() int64 {
		v := int64(b.openings) << 1
		if b.state == Locked {
			v |= 1
		}
		return v
	}, func(v int64) {
		if b.openings = int(v >> 1); v&1 != 0 {
			b.state = Locked
		}
	})
	add("until"+of, func() int64 {
		if b.state == Closed {
			return 0
		}
		return int64(b.until)
	}, func(v int64) {
		if v != 0 {
			b.until = venue.Nanos(v)
			if b.state != Locked {
				b.state = Open
			}
		}
	})
}

// Bits of what a strategy is stopped from; the losses in a row stand above them.
const (
	stoppedBuys = 1 << iota
	stoppedSells
	stoppedByLosses
	stoppedBits = iota
)

func (st *strategyState) stopped() int64 {
	v := st.streak << stoppedBits
	if st.repeats[0].disabled {
		v |= stoppedBuys
	}
	if st.repeats[1].disabled {
		v |= stoppedSells
	}
	if st.flags&streakReached != 0 {
		v |= stoppedByLosses
	}
	return v
}

func (st *strategyState) stop(v int64) {
	st.streak = v >> stoppedBits
	st.repeats[0].disabled, st.repeats[1].disabled = v&stoppedBuys != 0, v&stoppedSells != 0
	st.flags.set(streakReached, v&stoppedByLosses != 0)
}

// lostToday and fallen are the losses since the day's start and from the high-water mark: before the first valuation those
// that were restored.
func (g *Gate) lostToday() fixed.Cash {
	if !g.started {
		return g.lost
	}
	return g.dayStart - g.worth.PnL
}

func (g *Gate) fallen() fixed.Cash {
	if !g.started {
		return g.fell
	}
	return g.high - g.worth.PnL
}

// Notes appends what has changed since the last call and a restart must know. The engine goroutine, some times a second.
func (g *Gate) Notes(dst []Note) []Note {
	for i := range g.carried {
		c := &g.carried[i]
		if v := c.get(); v != c.noted || !c.known && v != 0 {
			c.noted, c.known = v, true
			dst = append(dst, Note{c.name, v})
		}
	}
	return dst
}

// Restore takes over what an earlier process noted. Before the first Check. What belongs to a day that is over is dropped
// when the new one is noticed.
func (g *Gate) Restore(notes []Note) {
	for _, n := range notes {
		for i := range g.carried {
			if c := &g.carried[i]; c.name == n.Name {
				c.set(n.Value)
				c.noted, c.known = n.Value, true
			}
		}
	}
}
