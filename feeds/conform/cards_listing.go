package conform

import (
	"context"

	"github.com/stretchr/testify/require"

	"oneprice/books/venue"
	"oneprice/feeds/venuesim"
	"oneprice/feeds/wire"
	"oneprice/feeds/wire/wiretest"
)

var listingCards = []Card{
	{Number: 90, Says: "tells another tick and lot once the venue has them, and its book lives on", Alone: true, Acts: busy, Run: func(t *T) {
		r, news := t.listed()
		r.Until(patience, r.Live)
		was, p := t.in.Rules(), t.venue.Pairs[0]
		require.True(t, t.sim.Change(t.in.Symbol, venuesim.Change{Status: venue.Trading, Tick: 5 * p.Tick, Lot: 2 * p.Lot}))
		r.Until(patience, func() bool {
			now := news.rules[1]
			return now.Tick == 5*was.Tick && now.Lot == 2*p.Lot && news.status[1] != venue.Halted
		})
		require.Positive(t, news.rules[1].MinQty)
		require.Zero(t, news.rules[1].MinQty%(2*p.Lot), "a least size on the new lots")
		if now, told := news.rules[2]; told {
			require.Equal(t, t.feed.Instruments[1].Tick, now.Tick, "the other has kept its own")
		}
		t.heard(r)
		require.Equal(t, news.status[2], t.feed.Instruments[1].Status)
	}},
	{Number: 91, Says: "tells that an instrument is halted, takes cancels alone, is not listed any more, and trades again", Alone: true, Acts: busy, Run: func(t *T) {
		r, news := t.listed()
		r.Until(patience, r.Live)
		for _, s := range []venue.Status{venue.Halted, venue.CancelOnly, venue.Trading, venue.Unlisted, venue.Trading} {
			require.True(t, t.sim.Change(t.in.Symbol, venuesim.Change{Status: s}))
			r.Until(patience, func() bool { return news.status[1] == s })
			require.Equal(t, venue.Trading, news.status[2])
		}
		t.heard(r)
	}},
	{Number: 92, Says: "says that an instrument whose tick is finer than the product's scale is not to be traded, and why", Alone: true, Run: func(t *T) {
		for _, in := range t.feed.Instruments { // as if the product had been assembled for coarser grids
			in.PriceScale, in.PriceText, in.Tick = in.PriceScale-2, in.PriceText-1, 1
		}
		r, news := t.listed()
		r.Until(patience, func() bool { news.drain(); return news.status[1] == venue.Halted })
		require.Equal(t, venue.OffScale, news.why[1])
	}},
	{Number: 93, Says: "maps the refusal of a price between new ticks, and an order that stands there can be cancelled", Run: func(t *T) {
		c := t.resting()
		c.Price -= c.Price%(10*t.in.Tick) - t.in.Tick
		t.placed(c)
		require.True(t, t.sim.Change(t.in.Symbol, venuesim.Change{Status: venue.Trading, Tick: 10 * t.venue.Pairs[0].Tick}))
		between := t.resting()
		between.Price = c.Price
		require.Equal(t, venue.BadTick, t.refused(between))
		t.cancelled(c)
		on := t.resting()
		on.Price -= on.Price % (10 * t.in.Tick)
		t.placed(on)
	}},
	{Number: 94, Says: "maps the refusal of an order for a halted instrument, whose orders can be cancelled", Run: func(t *T) {
		c := t.placed(t.resting())
		require.True(t, t.sim.Change(t.in.Symbol, venuesim.Change{Status: venue.Halted}))
		require.Equal(t, venue.InstrumentHalted, t.refused(t.resting()))
		t.cancelled(c)
	}},
	{Number: 95, Says: "measures again and again how far the venue's clock is from ours", Late: 700 * venue.Millisecond, Alone: true, Run: func(t *T) {
		t.feed.Clock = t.cfg.Clock
		type measured struct{ offset, within venue.Nanos }
		heard := make(chan measured, 64)
		t.feed.Clocked = func(offset, within venue.Nanos) {
			select {
			case heard <- measured{offset, within}:
			default:
			}
		}
		if w := wire.NewClockWatch(t.venue.Adapter, t.feed, 500*venue.Millisecond); w != nil {
			t.goes(func(ctx context.Context) error { w.Run(ctx); return nil })
		}
		r, n := t.follow(), 0
		r.Until(2*patience, func() bool {
			for {
				select {
				case m := <-heard:
					require.Positive(t, int64(m.within))
					require.LessOrEqual(t, max(m.offset-t.card.Late, t.card.Late-m.offset), m.within, "%v", m)
					n++
				default:
					return n >= 2
				}
			}
		})
	}},
}

// news is what was told of instruments, by Inst.
type news struct {
	out    chan []venue.Event
	status map[venue.Inst]venue.Status
	why    map[venue.Inst]venue.Reason
	rules  map[venue.Inst]venue.Rules
}

// listed follows the venue with everything that tells what it changes.
func (t *T) listed() (*wiretest.Rig, *news) {
	n := &news{out: make(chan []venue.Event, 64), status: map[venue.Inst]venue.Status{}, why: map[venue.Inst]venue.Reason{}, rules: map[venue.Inst]venue.Rules{}}
	for _, in := range t.feed.Instruments {
		n.status[in.Inst] = in.Status
	}
	refresh := wire.NewRefresh(t.venue.Adapter, t.feed, 500*venue.Millisecond)
	if refresh != nil {
		t.feed.Changed = refresh.Ask
		t.goes(func(ctx context.Context) error {
			refresh.Run(ctx, n)
			return nil
		})
	}
	r := t.follow()
	r.Seen = func(ev []venue.Event) { n.take(ev); n.drain() }
	return r, n
}

// Put implements venue.Sink.
func (n *news) Put(ev []venue.Event) venue.Reason {
	select {
	case n.out <- ev:
		return venue.OK
	default:
		return venue.RingFull
	}
}

// drain takes what the refresher has told.
func (n *news) drain() {
	for {
		select {
		case ev := <-n.out:
			n.take(ev)
		default:
			return
		}
	}
}

func (n *news) take(ev []venue.Event) {
	for i := range ev {
		switch e := &ev[i]; e.Kind {
		case venue.StatusChange:
			n.status[e.Inst], n.why[e.Inst] = e.Status(), e.Why()
		case venue.TickChange:
			n.rules[e.Inst] = e.Rules()
		}
	}
}
