package binance_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"oneprice/books"
	"oneprice/books/venue"
	"oneprice/feeds/binance/binancesim"
	"oneprice/feeds/venuesim"
	"oneprice/feeds/wire"
	"oneprice/feeds/wire/wiretest"
)

// aging starts a follower whose connections the venue ends after a span, and which gives them up itself after life.
func (m market) aging(t *testing.T, n wire.Net, clock *wire.Clock, cfg binancesim.Config, ins []*venue.Instrument, life venue.Nanos) *follower {
	sim, err := binancesim.New(cfg)
	require.NoError(t, err)
	return &follower{wiretest.Follow(t, sim, m.adapter, wire.FeedConfig{Instruments: ins, Net: n, Clock: clock, Seed: 7, Life: life}), sim, cfg.Faults}
}

// watch requires of all that comes from now on that no id comes twice and nothing is told as lost, and that every book stays
// Live. It returns what to call after each step.
func (r *follower) watch(t *testing.T) {
	last := map[[2]uint64]uint64{}
	r.Seen = func(ev []venue.Event) {
		for i := range ev {
			e := &ev[i]
			switch e.Kind {
			case venue.Gap:
				require.Fail(t, "a gap was told")
			case venue.Head, venue.Touch, venue.Trade:
				if e.Flags&venue.Snapshot != 0 {
					continue
				}
				key := [2]uint64{uint64(e.Kind), uint64(e.Inst)}
				require.Greater(t, e.Seq, last[key], "kind %d of instrument %d comes twice", e.Kind, e.Inst)
				last[key] = e.Seq
			}
		}
		for _, b := range r.Books {
			require.Equal(t, books.Live, b.State(), "%s: %s", b.Instrument().Symbol, b.Why())
		}
	}
}

// settled requires that the books lost and refused nothing.
func (r *follower) settled(t *testing.T, dropped []uint64) {
	for i, b := range r.Books {
		c := b.Counters()
		require.Zero(t, c.Gaps+c.Resyncs+c.TouchMismatched)
		require.Equal(t, dropped[i], c.StaleDropped, "a delta that the book had came once more")
		require.Positive(t, c.TouchCompared)
	}
	require.Zero(t, r.Unknown)
}

func (r *follower) dropped() (out []uint64) {
	for _, b := range r.Books {
		out = append(out, b.Counters().StaleDropped)
	}
	return out
}

// connects are those of both sessions.
func (r *follower) connects() (n, losses uint64) {
	for _, s := range r.Feed.Sessions() {
		n, losses = n+s.Counters().Connects.Load(), losses+s.Counters().Losses.Load()
	}
	return n, losses
}

// TestSwap_threeDaysWithoutAGap lets the venue end every connection after 24 hours.
func TestSwap_threeDaysWithoutAGap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n, clock := wire.NewHeld(), wire.NewClock(true)
		n.Free()
		cfg := spot.config(n, clock, 1, venuesim.NewFaults(1, venuesim.Rates{})) // five acts in five seconds
		cfg.Every, cfg.DepthEvery, cfg.Pairs = 5*venue.Second, 5*venue.Second, cfg.Pairs[:1]
		r := spot.aging(t, n, clock, cfg, spot.instruments()[:1], 0)
		r.Until(time.Minute, r.Live)
		r.More(r.Books[0], 2)
		r.Look = time.Minute
		began, dropped := clock.Now(), r.dropped()
		r.watch(t)
		r.Until(80*time.Hour, func() bool { return clock.Now()-began > 73*3600*venue.Second })
		connects, losses := r.connects()
		require.EqualValues(t, 4, connects, "one at the start and one for each of three days")
		require.Zero(t, losses)
		r.settled(t, dropped)
		require.Greater(t, r.Compared, 50_000)
	})
}

// TestSwap_isWholeInAnyOrder swaps every twenty seconds while a seed chooses which connection's bytes arrive first.
func TestSwap_isWholeInAnyOrder(t *testing.T) {
	for seed := range uint64(3) {
		wiretest.Bubble(t, seed+1, func(t *testing.T, n *wire.Held, clock *wire.Clock) {
			r := spot.aging(t, n, clock, spot.config(n, clock, 50, venuesim.NewFaults(1, venuesim.Rates{})), spot.instruments(), 20*venue.Second)
			r.Until(time.Minute, r.Live)
			for _, b := range r.Books {
				r.More(b, 2)
			}
			dropped := r.dropped()
			r.watch(t)
			r.Until(10*time.Minute, func() bool { n, _ := r.connects(); return n >= 6 })
			_, losses := r.connects()
			require.Zero(t, losses)
			r.settled(t, dropped)
		})
	}
}

func TestSwap_isNeverLiveWhileWrongUnderFaults(t *testing.T) {
	wiretest.Bubble(t, 9, func(t *testing.T, n *wire.Held, clock *wire.Clock) {
		r := spot.aging(t, n, clock, spot.config(n, clock, 50, venuesim.NewFaults(3, venuesim.AllFaults.Times(3))), spot.instruments(), 8*venue.Second)
		r.Until(10*time.Minute, func() bool { n, losses := r.connects(); return n > losses+10 && r.Compared > 3000 })
		r.faults.Set(venuesim.Rates{})
		compared := r.Compared
		r.Until(10*time.Second, func() bool { return r.Live() && r.Compared > compared+100 })
	})
}

// TestSwap_followsTheVenuesNotice announces the end of all connections, in time and too late for two to stream together.
func TestSwap_followsTheVenuesNotice(t *testing.T) {
	for name, c := range map[string]struct {
		binary bool
		grace  venue.Nanos
	}{"text": {false, 6 * venue.Second}, "binary": {true, 6 * venue.Second}, "late": {false, venue.Second}} {
		t.Run(name, func(t *testing.T) {
			wiretest.Bubble(t, 4, func(t *testing.T, n *wire.Held, clock *wire.Clock) {
				f := venuesim.NewFaults(1, venuesim.Rates{})
				var r *follower
				if c.binary {
					r = binaryFollow(t, n, clock, 50, f)
				} else {
					r = spot.follow(t, n, clock, 50, f)
				}
				r.Until(time.Minute, r.Live)
				for _, b := range r.Books {
					r.More(b, 2)
				}
				dropped, began, late := r.dropped(), clock.Now(), c.grace < 3*venue.Second
				if !late {
					r.watch(t)
				}
				r.sim.Shutdown(c.grace)
				r.Until(time.Minute, func() bool { return clock.Now()-began > 20*venue.Second })
				connects, losses := r.connects()
				require.EqualValues(t, 2, connects)
				if late {
					require.EqualValues(t, 1, losses)
					require.True(t, r.Live())
					return
				}
				require.Zero(t, losses)
				r.settled(t, dropped)
			})
		})
	}
}

func TestSwap_overSockets(t *testing.T) {
	t.Parallel()
	n, clock := &wire.Machine{}, wire.NewClock(false)
	r := spot.aging(t, n, clock, spot.config(n, clock, 1000, venuesim.NewFaults(1, venuesim.Rates{})), spot.instruments(), venue.Second)
	r.Until(20*time.Second, r.Live)
	for _, b := range r.Books {
		r.More(b, 5)
	}
	dropped := r.dropped()
	r.watch(t)
	r.Until(30*time.Second, func() bool { n, _ := r.connects(); return n >= 3 })
	for _, b := range r.Books {
		r.More(b, 5)
	}
	_, losses := r.connects()
	require.Zero(t, losses)
	r.settled(t, dropped)
}
