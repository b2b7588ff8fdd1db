package risk

import (
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/desk"
	"oneprice/books/venue"
)

const second = venue.Second

func TestBreaker_opensAtTheThresholdWithinTheWindow(t *testing.T) {
	b := NewBreaker(DefaultBreaker)
	for i := range 4 {
		require.False(t, b.Fail(venue.Nanos(i)*second, false))
	}
	require.Equal(t, Closed, b.State(4*second))
	require.True(t, b.Fail(60*second, false), "the first is exactly 60 s old")
	require.Equal(t, Open, b.State(60*second))
	require.Equal(t, 300*second, b.Left(60*second))
	require.Equal(t, second, b.Left(359*second))

	b = NewBreaker(DefaultBreaker)
	for i := range 4 {
		b.Fail(venue.Nanos(i)*second, false)
	}
	require.False(t, b.Fail(60*second+1, false), "the first has left the window")
	require.True(t, b.Fail(61*second, false), "five since the second")
}

func TestBreaker_oneProbeThenClosesOrWaitsLonger(t *testing.T) {
	trip := func(b *Breaker, at venue.Nanos) {
		for range 5 {
			b.Fail(at, false)
		}
	}
	b := NewBreaker(BreakerConfig{Failures: 5, Window: 60 * second, Wait: 300 * second, MaxWait: 1000 * second, OpeningsPerDay: 10})
	trip(&b, 0)
	ok, _ := b.Allows(300*second - 1)
	require.False(t, ok)
	ok, probe := b.Allows(300 * second)
	require.True(t, ok)
	require.True(t, probe)
	b.Probe(300 * second)
	ok, _ = b.Allows(301 * second)
	require.False(t, ok, "exactly one probe")
	require.False(t, b.Fail(301*second, false), "a late failure from before does not speak for the probe")
	require.False(t, b.Succeed(false))
	require.True(t, b.Fail(302*second, true))
	require.Equal(t, 600*second, b.Left(302*second), "a failed probe doubles the wait")

	b.Probe(902 * second)
	b.Return()
	ok, _ = b.Allows(903 * second)
	require.True(t, ok, "a probe that never left may be tried again")
	b.Probe(903 * second)
	b.Fail(903*second, true)
	require.Equal(t, 1000*second, b.Left(903*second), "the wait is capped")

	b.Probe(1903 * second)
	require.True(t, b.Succeed(true))
	require.Equal(t, Closed, b.State(1903*second))
	trip(&b, 1904*second)
	require.Equal(t, 300*second, b.Left(1904*second), "success resets the wait")
}

func TestBreaker_locksAfterTooManyOpenings(t *testing.T) {
	cfg := DefaultBreaker
	cfg.Failures, cfg.OpeningsPerDay = 1, 2
	b := NewBreaker(cfg)
	b.Fail(0, false)
	b.Probe(300 * second)
	b.Succeed(true)
	b.NewDay()
	b.Fail(301*second, false)
	require.Equal(t, Open, b.State(301*second), "yesterday's opening does not count")
	b.Probe(700 * second)
	b.Fail(701*second, true)
	require.Equal(t, Locked, b.State(1<<60), "no time ends it")
	require.EqualValues(t, -1, b.Left(1<<60))
	b.NewDay()
	require.Equal(t, Locked, b.State(1<<60))
	b.Reset()
	require.Equal(t, Closed, b.State(0))
}

func TestBreaker_neverMoreThanOneProbe(t *testing.T) {
	// Any sequence of calls keeps this: while half open, at most one probe is out, and only it closes.
	b := NewBreaker(BreakerConfig{Failures: 2, Window: 5, Wait: 3, MaxWait: 12, OpeningsPerDay: 1 << 30})
	now, out, seed := venue.Nanos(0), 0, uint64(1)
	for range 200_000 {
		seed = seed*6364136223846793005 + 1442695040888963407
		now += venue.Nanos(seed >> 62)
		was := b.State(now)
		switch seed >> 32 % 6 {
		case 0:
			if b.Fail(now, false) {
				require.Equal(t, Closed, was)
				out = 0
			}
		case 1:
			if ok, probe := b.Allows(now); ok && probe {
				require.Zero(t, out)
				b.Probe(now)
				out++
			} else {
				require.Equal(t, was == Closed, ok)
			}
		case 2:
			if b.Fail(now, out > 0) && out > 0 {
				out = 0
			}
		case 3:
			if b.Succeed(out > 0) {
				require.Equal(t, 1, out)
				out = 0
			}
		case 4:
			require.False(t, b.Succeed(false))
		case 5:
			b.Return()
			out = 0
		}
		require.LessOrEqual(t, out, 1)
		require.LessOrEqual(t, b.Left(now), venue.Nanos(12))
	}
}

// fails reports n failures of an order.
func (w *world) fails(o *desk.Order, n int) {
	for range n {
		w.report(o, venue.RejectedReport, venue.VenueRejected)
	}
}

func TestGate_venueBreaker(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Global.Breaker.Failures = 100 })
	o := w.rest(buy(spotA))
	w.fails(o, 4)
	w.passes(sell(spotA))
	w.fails(o, 1)
	w.d.Now += second / 2
	w.refuses(buy(spotA), RuleVenueBreaker, venue.BreakerOpen, 300, 300, -300)
	w.passes(buy(spotB))
	w.passes(desk.Intent{Op: venue.Cancel, Inst: spotA, Target: o.Client})
	w.step(299 * second)
	w.refuses(buy(spotA), RuleVenueBreaker, venue.BreakerOpen, 1, 300, -1)
	w.step(second)
	plan := &desk.Plan{ID: 1, N: 1, MaxLoss: 1, Legs: [desk.MaxLegs]desk.Intent{buy(spotA)}}
	var out [desk.MaxLegs]Approved
	require.Equal(t, RuleVenueBreaker, w.g.CheckPlan(plan, w.d, out[:]).Rule, "a leg is never a probe")
	probe := w.rest(priced(buy(spotA), 99_800_00, 100))
	require.NotZero(t, probe.Flags&venue.Probe)
	w.refuses(sell(spotA), RuleVenueBreaker, venue.BreakerOpen, 0, 300, 0)
	w.report(o, venue.Ack, venue.OK)
	require.Equal(t, RuleVenueBreaker, w.check(sell(spotA)).Rule, "another order's success does not close it")
	w.report(probe, venue.Ack, venue.OK)
	w.passes(sell(spotA))
	require.Zero(t, w.out.Command().Flags)
}

func TestGate_probeThatFailsOrNeverLeaves(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Global.Breaker.Failures = 100 })
	o := w.rest(buy(spotA))
	w.fails(o, 5)
	w.step(300 * second)
	probe := w.rest(priced(buy(spotA), 99_800_00, 100))
	w.g.OnReport(&venue.Report{Kind: venue.SentReport, Flags: uint8(venue.NotSent), Venue: 1, Inst: spotA}, probe, w.d)
	w.rest(priced(buy(spotA), 99_700_00, 100))
	w.g.OnTimeout(1, w.d.Now)
	w.refuses(sell(spotA), RuleVenueBreaker, venue.BreakerOpen, 600, 600, -600)
	w.step(600 * second)
	probe = w.rest(priced(buy(spotA), 99_600_00, 100))
	w.g.OnReport(&venue.Report{Kind: venue.SentReport, Flags: uint8(venue.Maybe), Venue: 1, Inst: spotA}, probe, w.d)
	w.refuses(sell(spotA), RuleVenueBreaker, venue.BreakerOpen, -1, 1200, 0) // the third opening of the day
	w.step(Day)
	require.Equal(t, RuleVenueBreaker, w.check(sell(spotA)).Rule)
	w.g.OnOperator(venue.OpBreakerReset, 1, w.d.Now)
	w.passes(sell(spotA))
}

func TestGate_globalBreakerCountsEveryVenue(t *testing.T) {
	w := newWorld(t)
	a, b := w.rest(buy(spotA)), w.rest(buy(spotB))
	w.fails(a, 3)
	w.fails(b, 1)
	w.passes(sell(perp))
	w.g.OnFault(2, w.d.Now)
	w.g.OnFault(2, w.d.Now)
	w.passes(buy(perp)) // what is wrong with one venue's data says nothing of the others
	w.fails(b, 1)
	w.refuses(sell(spotA), RuleGlobalBreaker, venue.GlobalBreakerOpen, 300, 300, -300)
	w.step(300 * second)
	probe := w.rest(priced(buy(spotA), 99_800_00, 100))
	require.Equal(t, RuleGlobalBreaker, w.check(buy(spotB)).Rule)
	w.g.OnTimeout(2, w.d.Now)
	require.Equal(t, HalfOpen, w.g.breaker.State(w.d.Now), "the probe is at another venue")
	w.report(probe, venue.RejectedReport, venue.PostOnlyCross)
	w.passes(sell(spotA))
	w.g.OnOperator(venue.OpBreakerReset, 0, w.d.Now)
}

func TestWeigh_whatCountsAsFailure(t *testing.T) {
	for _, c := range []struct {
		kind  venue.ReportKind
		flags uint8
		why   venue.Reason
		want  weight
	}{
		{venue.Ack, 0, 0, success}, {venue.Fill, 0, 0, success}, {venue.Amended, 0, 0, success},
		{venue.Cancelled, 0, venue.UserCancel, success}, {venue.RejectedReport, 0, venue.OrderRate, unsent}, {venue.RejectedReport, 0, venue.RateLimited, failure}, {venue.Expired, 0, venue.Unfilled, soft},
		{venue.RejectedReport, 0, venue.PostOnlyCross, soft}, {venue.RejectedReport, 0, venue.Unfilled, soft},
		{venue.CancelRejected, 0, 0, soft}, {venue.RejectedReport, 0, venue.Late, unsent},
		{venue.RejectedReport, 0, venue.VenueRejected, failure}, {venue.RejectedReport, 0, venue.InsufficientFunds, failure},
		{venue.RejectedReport, 0, venue.AuthFailed, failure}, {venue.AmendRejected, 0, venue.BadTick, failure},
		{venue.AmendRejected, 0, venue.UnknownTarget, soft}, {venue.AmendRejected, 0, venue.BookNotLive, soft}, {venue.RejectedReport, 0, venue.UnknownTarget, failure},
		{venue.SentReport, uint8(venue.Maybe), 0, failure}, {venue.SentReport, uint8(venue.NotSent), 0, unsent},
		{venue.SentReport, uint8(venue.Out), 0, nothing}, {venue.Balance, 0, 0, nothing}, {venue.NotFound, 0, 0, nothing},
	} {
		require.Equal(t, c.want, weigh(&venue.Report{Kind: c.kind, Flags: c.flags, Reason: c.why}), "%v %v", c.kind, c.why)
	}
}
