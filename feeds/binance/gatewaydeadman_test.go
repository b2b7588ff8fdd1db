package binance_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/venue"
	"oneprice/feeds/binance"
	"oneprice/feeds/venuesim"
)

func TestDeadMan_cancelsWhatAnEngineThatIsCutOffHasLeft(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{usdm: true, change: func(o *binance.GatewayOptions) { o.DeadMan = 8 * venue.Second }})
	c := r.send(r.new(venue.Limit, venue.GTC, venue.Buy, r.touch(venue.Buy)-1000, 1000))
	r.until("the order", func() bool { return r.of(c).saw(venue.Ack) })
	require.True(t, r.sim.Armed(r.key))
	n := r.sim.Counters().Countdowns.Load()
	r.until("another setting while the engine lives", func() bool { return r.sim.Counters().Countdowns.Load() >= n+2 })
	var rates venuesim.Rates
	rates[venuesim.TooMany], rates[venuesim.Restart], rates[venuesim.Refuse] = 1_000_000, 1_000_000, 1_000_000
	r.fault.Set(rates)
	r.until("the loss", func() bool { return !r.gw.Ready() })
	r.until("the venue's own cancel", func() bool { return len(r.openAtVenue()) == 0 })
	require.False(t, r.sim.Armed(r.key))
	r.fault.Set(venuesim.Rates{})
	r.until("the next session", func() bool { return r.gw.Ready() && r.sim.Armed(r.key) })
}

func TestDeadMan_isLeftAloneOnASharedAccount(t *testing.T) {
	r := newRig(t, rigOptions{usdm: true, change: func(o *binance.GatewayOptions) { o.Shared = true }})
	require.False(t, r.sim.Armed(r.key))
}
