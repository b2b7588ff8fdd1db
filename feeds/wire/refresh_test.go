package wire

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// told collects what is put, as "full" says with or without room.
type told struct {
	full bool
	all  [][]venue.Event
}

func (t *told) Put(ev []venue.Event) venue.Reason {
	if t.full {
		return venue.RingFull
	}
	t.all = append(t.all, ev)
	return venue.OK
}

func TestRefresh_tellsWhatHoldsAtEachIntervalAndWhenAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := &venue.Instrument{Inst: 3, Venue: 2, Symbol: "X", PriceScale: 2, QtyScale: 3}
		listing := Listing{Symbol: "X", Tick: "0.1", Lot: "0.01", MinQty: "0.025", MaxQty: "9.019", MinNotional: "5", Status: venue.Trading}
		ls, loads, down := []Listing{listing}, 0, error(nil)
		a := &Adapter{Load: func(context.Context, FeedConfig) ([]Listing, error) {
			loads++
			return ls, down
		}}
		var faults []*Error
		clock := NewClock(true)
		r := NewRefresh(a, FeedConfig{Clock: clock, Instruments: []*venue.Instrument{in}, Report: func(e *Error) { faults = append(faults, e) }}, 60*venue.Second)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		out := &told{}
		go r.Run(ctx, out)
		pass := func(wait venue.Nanos) {
			require.NoError(t, clock.Sleep(ctx, wait))
			synctest.Wait()
		}
		state := func(wait venue.Nanos) (e []venue.Event) {
			n := len(out.all)
			pass(wait)
			require.Len(t, out.all, n+1)
			return out.all[n]
		}
		synctest.Wait()
		require.Zero(t, loads)
		ev := state(61 * venue.Second)
		require.Len(t, ev, 2)
		require.Equal(t, venue.Rules{Tick: 10, Lot: 10, MinQty: 30, MaxQty: 9010, MinNotional: 5 * fixed.Cash(fixed.One)}, ev[0].Rules(), "sizes on lots, inside their bounds")
		require.Equal(t, venue.Trading, ev[1].Status())
		require.Equal(t, venue.Last, ev[1].Flags)
		require.Zero(t, ev[0].Flags)

		pass(2 * venue.Second)
		ls = nil
		r.Ask()
		ev = state(100 * venue.Millisecond)
		require.Len(t, ev, 1)
		require.Equal(t, venue.Unlisted, ev[0].Status())
		require.EqualValues(t, 2, loads)

		listing.Tick = "0.001"
		ls = []Listing{listing}
		ev = state(62 * venue.Second)
		require.Len(t, ev, 1)
		require.Equal(t, venue.Halted, ev[0].Status())
		require.Equal(t, venue.OffScale, ev[0].Why())

		n := len(out.all)
		down = &Error{"v", "load instruments", Transient, errors.New("away")}
		pass(62 * venue.Second)
		require.Len(t, out.all, n, "who does not answer changes nothing")
		require.Len(t, faults, 1)

		down, out.full = nil, true
		r.Ask()
		pass(1500 * venue.Millisecond)
		out.full = false
		state(2 * venue.Second) // without room it asks again soon
	})
}

func TestRefresh_isNotNeededWhereTheFeedTells(t *testing.T) {
	load := func(context.Context, FeedConfig) ([]Listing, error) { return nil, nil }
	require.Nil(t, NewRefresh(&Adapter{Load: load, Announces: true}, FeedConfig{}, 1))
	require.Nil(t, NewRefresh(&Adapter{}, FeedConfig{}, 1))
	require.NotNil(t, NewRefresh(&Adapter{Load: load}, FeedConfig{}, 1))
}

func TestRules_nameWhatCannotBeKept(t *testing.T) {
	good := Listing{Tick: "0.1", Lot: "1", MinQty: "1", MinNotional: "1"}
	for what, spoil := range map[string]func(*Listing){
		"tick": func(l *Listing) { l.Tick = "0.001" }, "lot": func(l *Listing) { l.Lot = "0.5" }, "greatest size": func(l *Listing) { l.MaxQty = "99999999999999999999" },
		"least size": func(l *Listing) { l.MinQty = "few" }, "least notional": func(l *Listing) { l.MinNotional = "-1" },
	} {
		l := good
		spoil(&l)
		_, got, why := l.Rules(2, 0)
		require.Equal(t, what, got)
		require.NotEqual(t, venue.OK, why)
	}
	for _, zero := range []string{"0", "0.0"} {
		l := good
		l.Tick = zero
		_, what, why := l.Rules(2, 0)
		require.Equal(t, "tick", what)
		require.Equal(t, venue.Malformed, why)
	}
	r, _, why := (&Listing{PriceText: 1, QtyText: 0}).Rules(2, 0)
	require.Equal(t, venue.OK, why)
	require.Equal(t, venue.Rules{Tick: 10, Lot: 1, MinQty: 1}, r)
}
