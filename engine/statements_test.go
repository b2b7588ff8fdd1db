package engine

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/engine/audit"
)

// states puts a balance of venue 1 into the next step.
func (s *script) states(c venue.Ccy, free fixed.Cash) {
	s.batch.Reports = append(s.batch.Reports, venue.Report{Kind: venue.Balance, Venue: 1, FeeCcy: c, Cum: fixed.Qty(free)})
}

// halted is whether the last step halted venue 1 over its account.
func (s *script) halted() bool {
	for i := range s.out.Records {
		if r := &s.out.Records[i]; r.Kind == audit.Operator && r.Sub == uint8(venue.OpDisarm) && r.Reason == venue.AccountDiffers && r.Venue == 1 {
			return true
		}
	}
	return false
}

func (s *script) at(ms int) { s.run(fmt.Sprintf("step %d\n", ms)) }

func TestStep_aBalanceThatStaysDifferentHaltsItsVenue(t *testing.T) {
	s := working(t) // a buy of 5 at 999 rests, and may hold back its cost and fee
	s.states(ccyUSD, 1e14+2)
	s.at(10)
	require.Equal(t, venue.AccountDiffers, s.out.Records[0].Reason)
	s.at(5000)
	require.False(t, s.halted(), "within its grace")
	s.at(5100)
	require.True(t, s.halted())
	require.Equal(t, venue.Cancel, s.out.Commands[0].Op, "its orders are cancelled")
	s.run("book a:X seq 9 bid 1000@50 ask 1001@40\nbook b:X seq 9 bid 1000@50 ask 1001@40\nsay new buy a:X 998@5 post\nsay new buy b:X 998@5 post\nstep 5110\n")
	var said []venue.Reason
	for i := range s.out.Records {
		if s.out.Records[i].Kind == audit.Decision {
			said = append(said, s.out.Records[i].Reason)
		}
	}
	require.Equal(t, []venue.Reason{venue.NotArmed, venue.OK}, said, "the other venue goes on")
	s.at(20000)
	require.False(t, s.halted(), "said once")
}

func TestStep_aBalanceMayLackWhatWorkingOrdersHoldBack(t *testing.T) {
	s := working(t)
	cost := fixed.Cash(999 * 5 * 1e8)
	fee := cost / 1000
	for i, c := range []struct {
		free   fixed.Cash
		agrees bool
	}{{1e14, true}, {1e14 - cost, true}, {1e14 - cost - fee, true}, {1e14 - cost - fee - 2, false}} {
		s.states(ccyUSD, c.free)
		s.at(10 + i)
		require.Equal(t, c.agrees, s.out.Records[0].Reason == venue.OK, "%d", c.free)
	}
}

func TestStep_aFillThatOvertakesABalanceIsNoDifference(t *testing.T) {
	s := working(t)
	cost := fixed.Cash(999 * 5 * 1e8)
	s.states(ccyX, 1e12+5e8) // the venue has booked the fill that we have not heard of
	s.at(10)
	require.Equal(t, venue.AccountDiffers, s.out.Records[0].Reason)
	s.run("report fill #1 999@5 id x1\nstep 20\n")
	s.at(10_000)
	require.False(t, s.halted(), "the fill made it agree")
	s.states(ccyUSD, 1e14) // said before the fill, heard after it
	s.states(ccyUSD, 1e14-cost)
	s.at(10_010)
	s.at(30_000)
	require.False(t, s.halted(), "the newer statement agrees")
}

func TestStep_aPositionThatStaysDifferentHaltsItsVenue(t *testing.T) {
	s := working(t)
	s.batch.Reports = append(s.batch.Reports, venue.Report{Kind: venue.PositionIs, Venue: 1, Inst: 1, Cum: 7})
	s.at(10)
	s.at(5100)
	require.True(t, s.halted())
	s = working(t)
	s.batch.Reports = append(s.batch.Reports, venue.Report{Kind: venue.PositionIs, Venue: 1, Inst: 1, Cum: 7},
		venue.Report{Kind: venue.Balance, Venue: 1, FeeCcy: 99, Cum: 7}, venue.Report{Kind: venue.PositionIs, Venue: 1})
	s.at(10)
	require.Equal(t, venue.Malformed, s.out.Records[1].Reason)
	require.Equal(t, venue.Malformed, s.out.Records[2].Reason)
	s.batch.Reports = append(s.batch.Reports, venue.Report{Kind: venue.PositionIs, Venue: 1, Inst: 1})
	s.at(20)
	s.at(9000)
	require.False(t, s.halted(), "it agreed in time")
}
