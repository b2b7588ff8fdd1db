package risk

import (
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/venue"
	"oneprice/risk/ledger"
)

// restarted is a gate that begins anew with what the ones before had noted; profit and loss count from 0 again.
func (w *world) restarted() {
	w.notes = w.g.Notes(w.notes)
	g, err := New(w.cfg, w.d, &w.kill)
	require.NoError(w.t, err)
	g.Restore(w.notes)
	require.Empty(w.t, g.Notes(nil), "what was restored is not told again")
	w.g = g
	w.mark()
	more := w.g.Notes(nil)
	require.Empty(w.t, more, "%v", more)
}

func TestNotes_limitsGoOnAfterARestart(t *testing.T) {
	named := func(c *Config) { c.Names = Names{[]string{"", "a", "b"}, []string{"own", "maker"}} }
	f(t, "daily loss", func(w *world) {
		w.lose(9_000)
		w.restarted()
		w.passes(buy(spotA))
		w.lose(1_001)
		require.Equal(t, RuleDailyLoss, w.check(sell(spotA)).Rule)
		w.restarted()
		require.Equal(t, RuleDailyLoss, w.check(sell(spotA)).Rule)
		w.step(Day)
		w.passes(sell(spotA))
	}, named)
	f(t, "a day that ended meanwhile", func(w *world) {
		w.passes(buy(spotA))
		w.lose(9_000)
		notes := w.g.Notes(nil)
		w.d.Now += Day
		g, err := New(w.cfg, w.d, &w.kill)
		require.NoError(t, err)
		g.Restore(notes)
		w.g = g
		w.step(0)
		require.Zero(t, w.g.orders)
		w.g.OnWorth(ledger.Worth{PnL: -cash(9_000), Equity: cash(1_000_000), OK: true}, w.d.Now)
		w.passes(sell(spotA))
	}, named)
	f(t, "drawdown", func(w *world) {
		w.g.OnWorth(ledger.Worth{PnL: cash(15_000), Equity: cash(1_000_000), OK: true}, w.d.Now)
		w.lose(19_000)
		w.restarted()
		w.step(Day)
		w.lose(1_001)
		require.Equal(t, RuleDrawdown, w.check(buy(spotA)).Rule)
	}, named, func(c *Config) { c.Global.MaxDailyLoss = cash(50_000) })
	f(t, "orders per day", func(w *world) {
		w.passes(buy(spotA))
		w.restarted()
		w.passes(sell(spotA))
		w.restarted()
		require.Equal(t, RuleOrdersDay, w.check(priced(buy(spotA), 99_800_00, 100)).Rule)
	}, named, func(c *Config) { c.Venues[1].OrdersPerDay = 2 })
	f(t, "repeated executions and losses wait for an operator", func(w *world) {
		w.g.strats[0].repeats[0].disabled = true
		w.g.strats[1].streak, w.g.strats[1].flags = 101, streakReached
		w.restarted()
		require.Equal(t, RuleRepeats, w.check(buy(spotA)).Rule)
		in := sell(spotA)
		in.Strategy = 1
		require.Equal(t, RuleLossStreak, w.check(in).Rule)
		w.g.OnOperator(venue.OpArm, 0, w.d.Now)
		w.passes(buy(spotA))
		w.passes(in)
		w.restarted()
		w.passes(priced(buy(spotA), 99_800_00, 100))
	}, named)
	f(t, "breakers", func(w *world) {
		open := func() {
			for range DefaultBreaker.Failures {
				w.g.OnTimeout(1, w.d.Now)
			}
		}
		open()
		w.restarted()
		require.Equal(t, RuleVenueBreaker, w.check(buy(spotA)).Rule)
		require.Equal(t, 300*venue.Second, w.g.Breaker(1).Left(w.d.Now))
		w.step(300 * venue.Second)
		require.Equal(t, HalfOpen, w.g.Breaker(1).State(w.d.Now))
		w.g.OnOperator(venue.OpBreakerReset, 0, w.d.Now)
		for range DefaultBreaker.OpeningsPerDay {
			w.g.Breaker(1).until = 0
			open()
			if w.g.Breaker(1).state != Locked {
				w.g.Breaker(1).close()
				w.g.breaker.close()
			}
		}
		w.restarted()
		require.Equal(t, Locked, w.g.Breaker(1).State(w.d.Now), "only an operator re-arms it")
	}, named)
}
