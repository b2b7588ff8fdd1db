package binance_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/venuesim"
)

func only(k venuesim.Fault, rate uint32) *venuesim.Faults {
	var r venuesim.Rates
	r[k] = rate
	return venuesim.NewFaults(5, r)
}

// settles stops the faults, sweeps, and waits until every order's fate is known and agrees with the simulator's books.
func (r *rig) settles(sent []*venue.Command) {
	r.t.Helper()
	r.fault.Set(venuesim.Rates{})
	for _, c := range sent {
		r.until("room for a cancel", func() bool { return r.gw.Submit(r.about(venue.Cancel, c, 0, 0)) != venue.NotSent })
	}
	again := time.Now().Add(time.Second)
	r.until("an empty venue", func() bool {
		open := len(r.openAtVenue())
		if open > 0 && time.Now().After(again) { // a cancel may have left by a connection that was just being cut
			again = again.Add(time.Second)
			for _, c := range sent {
				r.gw.Submit(r.about(venue.Cancel, c, 0, 0))
			}
		}
		return open == 0
	})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	require.NoError(r.t, r.gw.Sweep(ctx, 0, r.book))
	r.until("agreement", func() bool {
		for _, c := range sent {
			if o := r.of(c); o == nil || o.end == venue.NoReport && o.filled != o.open || o.filled < o.stated {
				return false
			}
		}
		return true
	})
	r.agrees(sent)
}

// agrees compares what was reported with the simulator's own books: no fill lost, none doubled, no order twice.
func (r *rig) agrees(sent []*venue.Command) {
	r.t.Helper()
	r.book.mu.Lock()
	defer r.book.mu.Unlock()
	var ours, theirs fixed.Qty
	trades := 0
	for _, c := range sent {
		ours += r.of(c).filled
		trades += len(r.of(c).trades)
	}
	seen := map[string]bool{}
	for _, o := range r.sim.Orders(r.key) {
		theirs += o.Cum
		trades -= len(o.Trades)
		require.False(r.t, seen[o.Client], "unexpected second order of id %s", o.Client)
		seen[o.Client] = true
	}
	require.Equal(r.t, theirs, ours)
	require.Zero(r.t, trades)
}

func TestGateway_unansweredRequestsAreAskedForAndNeverResent(t *testing.T) {
	for name, f := range map[string]*venuesim.Faults{
		"lost": only(venuesim.LostAck, 1_000_000), "late": only(venuesim.LateAck, 1_000_000), "cut": only(venuesim.CutAccepted, 1_000_000),
		"error": only(venuesim.ErrorAccepted, 1_000_000)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{faults: f})
			bid, ask := r.touch(venue.Buy), r.touch(venue.Sell)
			rests := r.send(r.new(venue.Limit, venue.GTC, venue.Buy, bid-1000, 1000))
			r.until("news of the order", func() bool { return r.of(rests).saw(venue.Ack) })
			r.until("the session again", r.gw.Ready)
			takes := r.send(r.new(venue.Limit, venue.IOC, venue.Buy, ask+500, 700))
			r.until("news of the fill", func() bool { return r.of(takes) != nil && r.of(takes).filled == 700 })
			r.settles([]*venue.Command{rests, takes})
			require.Len(t, r.sim.Orders(r.key), 2)
		})
	}
}

func TestGateway_lostCancelIsAskedFor(t *testing.T) {
	r := newRig(t, rigOptions{faults: only(venuesim.LostCancel, 1_000_000)})
	c := r.send(r.new(venue.Limit, venue.GTC, venue.Buy, r.touch(venue.Buy)-1000, 1000))
	r.until("the order", func() bool { return r.of(c).saw(venue.Ack) })
	r.send(r.about(venue.Cancel, c, 0, 0))
	r.until("an unknown cancel and the order found open", func() bool {
		o := r.of(c)
		return o.saw(venue.SentReport) && o.last.Kind == venue.Ack && o.last.Flags&venue.Recovered != 0
	})
	require.Equal(t, venue.NoReport, r.of(c).end)
	r.settles([]*venue.Command{c})
}

func TestGateway_whatNeverArrivedIsProvenAbsent(t *testing.T) {
	r := newRig(t, rigOptions{})
	c := r.new(venue.Limit, venue.GTC, venue.Buy, r.touch(venue.Buy)-1000, 1000)
	r.gw.Adopt(left(c)) // as after a restart: the journal has it, and nobody knows whether it left
	r.until("proof", func() bool { o := r.of(c); return o.saw(venue.NotFound) && o.end == venue.NotFound && o.last.Proves() })
	notFound := 0
	for _, k := range r.of(c).kinds {
		if k == venue.NotFound {
			notFound++
		}
	}
	require.GreaterOrEqual(t, notFound, 2, "one not-found proves nothing")
	require.Empty(t, r.sim.Orders(r.key))
}

func TestGateway_sessionExpiryAndRestartKeepTheOrders(t *testing.T) {
	for _, k := range []venuesim.Fault{venuesim.SessionExpiry, venuesim.Restart} {
		t.Run(k.String(), func(t *testing.T) {
			f := venuesim.NewFaults(5, venuesim.Rates{})
			r := newRig(t, rigOptions{faults: f})
			bid := r.touch(venue.Buy)
			c := r.send(r.new(venue.Limit, venue.GTC, venue.Buy, bid-1000, 1000))
			r.until("the order", func() bool { return r.of(c).saw(venue.Ack) })
			var rates venuesim.Rates
			rates[k] = 1_000_000
			f.Set(rates)
			sent := []*venue.Command{c}
			if k == venuesim.SessionExpiry {
				sent = append(sent, r.send(r.new(venue.Limit, venue.GTC, venue.Buy, bid-1000, 1000)))
			}
			select {
			case <-r.lost:
			case <-time.After(200 * time.Millisecond): // a Restart that goes on and on lets nobody in
			}
			f.Set(venuesim.Rates{})
			r.until("the session", r.gw.Ready)
			r.settles(sent)
		})
	}
}

func TestGateway_leavesAConnectionThatWillEndOnceNoAnswerIsOnItsWay(t *testing.T) {
	f := only(venuesim.LateAck, 1_000_000)
	r := newRig(t, rigOptions{faults: f})
	c := r.send(r.new(venue.Limit, venue.GTC, venue.Buy, r.touch(venue.Buy)-1000, 1000))
	r.sim.Shutdown(10 * venue.Second)
	r.until("the order", func() bool { return r.of(c).saw(venue.Ack) })
	select {
	case <-r.lost: // a new session asks what the old one may have missed
	case <-time.After(5 * time.Second):
		require.Fail(t, "the connection was not replaced")
	}
	r.until("the session", r.gw.Ready)
	require.False(t, r.of(c).saw(venue.SentReport))
	f.Set(venuesim.Rates{})
	r.settles([]*venue.Command{c})
}

func TestGateway_limitAndBanKeepItQuiet(t *testing.T) {
	for _, k := range []venuesim.Fault{venuesim.LimitOrders, venuesim.Banned} {
		t.Run(k.String(), func(t *testing.T) {
			r := newRig(t, rigOptions{faults: only(k, 1_000_000)})
			bid := r.touch(venue.Buy)
			c := r.send(r.new(venue.Limit, venue.GTC, venue.Buy, bid-1000, 1000))
			r.until("the refusal", func() bool { return r.of(c).saw(venue.RejectedReport) })
			require.Equal(t, venue.RateLimited, r.of(c).why)
			require.Equal(t, venue.NotSent, r.gw.Submit(r.new(venue.Limit, venue.GTC, venue.Buy, bid-1000, 1000)))
			r.fault.Set(venuesim.Rates{})
			var again *venue.Command
			r.until("the end of it", func() bool {
				again = r.new(venue.Limit, venue.GTC, venue.Buy, bid-1000, 1000)
				return r.gw.Submit(again) == venue.Out
			})
			r.until("an order", func() bool { return r.of(again).saw(venue.Ack) })
		})
	}
}

func TestGateway_sweepFindsWhatTheStreamDidNotSay(t *testing.T) {
	both(t, func(t *testing.T, hmac bool) {
		r := newRig(t, rigOptions{hmac: hmac})
		bid, ask := r.touch(venue.Buy), r.touch(venue.Sell)
		rests := r.send(r.new(venue.Limit, venue.GTC, venue.Buy, bid-1000, 1000))
		takes := r.send(r.new(venue.Limit, venue.IOC, venue.Buy, ask+500, 700))
		r.until("both", func() bool { return r.of(rests).saw(venue.Ack) && r.of(takes) != nil && r.of(takes).filled == 700 })
		swept := newBook()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(t, r.gw.Sweep(ctx, 0, swept))
		require.EqualValues(t, 700, swept.orders[takes.Client].filled)
		require.True(t, swept.orders[rests.Client].saw(venue.Ack))
		require.NotZero(t, swept.orders[rests.Client].last.Flags&venue.Recovered)
		for i, f := range r.sim.Balances(r.key) {
			require.EqualValues(t, f.Free, swept.balances[venue.Ccy(i+1)], f.Asset)
			r.until("the same balance of "+f.Asset+" by the stream", func() bool { return r.book.balances[venue.Ccy(i+1)] == fixed.Qty(f.Free) })
		}
	})
}

func TestGateway_cancelsByRestWithoutAConnection(t *testing.T) {
	r := newRig(t, rigOptions{})
	c := r.send(r.new(venue.Limit, venue.GTC, venue.Buy, r.touch(venue.Buy)-1000, 1000))
	r.until("the order", func() bool { return r.of(c).saw(venue.Ack) })
	var rates venuesim.Rates
	rates[venuesim.Restart], rates[venuesim.Refuse] = 1_000_000, 1_000_000
	r.fault.Set(rates)
	r.until("the loss", func() bool { return !r.gw.Ready() })
	require.Equal(t, venue.NotSent, r.gw.Submit(r.new(venue.Limit, venue.GTC, venue.Buy, r.touch(venue.Buy)-1000, 1000)))
	r.send(r.about(venue.Cancel, c, 0, 0))
	r.until("the cancel", func() bool { return r.of(c).end == venue.Cancelled })
	require.False(t, r.gw.Ready())
	require.Empty(t, r.openAtVenue())
}

// rounds makes every repetition (-count) one with other faults.
var rounds atomic.Uint64

// TestGateway_agreesWithTheVenueUnderAllFaults trades against a moving market while everything goes wrong.
func TestGateway_agreesWithTheVenueUnderAllFaults(t *testing.T) {
	rates := venuesim.PrivateFaults
	rates[venuesim.Restart], rates[venuesim.CutAccepted], rates[venuesim.SessionExpiry] = 500, 10_000, 5000
	r := newRig(t, rigOptions{faults: venuesim.NewFaults(10+rounds.Add(1), rates), acts: 500})
	r.agreesUnderFaults(2500 * time.Millisecond)
}

// agreesUnderFaults trades for a while and then compares.
func (r *rig) agreesUnderFaults(span time.Duration) {
	t := r.t
	var sent []*venue.Command
	end := time.After(span)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-end:
			r.settles(sent)
			kinds := map[string]int{}
			for _, c := range sent {
				for _, k := range r.of(c).kinds {
					kinds[k.String()]++
				}
			}
			t.Log(len(sent), "orders", kinds, "struck", strings.Join(strikes(r.fault), " "))
			require.NotZero(t, kinds["fill"]*kinds["cancelled"]*kinds["sent"]*kinds["amended"])
			return
		case <-tick.C:
		}
		bid, ask := r.touch(venue.Buy), r.touch(venue.Sell)
		side, price := venue.Buy, bid
		if n%2 == 0 {
			side, price = venue.Sell, ask
		}
		var c *venue.Command
		switch n % 5 {
		case 0:
			c = r.new(venue.Limit, venue.IOC, side, ask, 300)
		case 1, 2:
			c = r.new(venue.PostOnly, venue.GTC, side, price, 2000)
		default:
			c = r.new(venue.Limit, venue.GTC, side, price, 1500)
		}
		if len(sent) > 500 {
			continue
		}
		if r.gw.Submit(c) != venue.NotSent {
			sent = append(sent, c)
		}
		if len(sent) > 6 {
			old := sent[len(sent)-6]
			if n%3 == 0 {
				r.gw.Submit(r.about(venue.Cancel, old, 0, 0))
			} else {
				r.gw.Submit(r.about(venue.Amend, old, old.Price, old.Qty-100))
				mid := sent[len(sent)-4]
				r.gw.Submit(r.about(venue.Amend, mid, mid.Price-10, mid.Qty))
			}
		}
	}
}

func strikes(f *venuesim.Faults) (out []string) {
	for i, n := range f.Counts() {
		if n > 0 {
			out = append(out, venuesim.Fault(i).String())
		}
	}
	return out
}
