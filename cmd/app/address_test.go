package app

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Each session opens a first look and a feed at every venue, one of them an order side: by themselves they would say twice
// as much at once as Coinbase lets an address say.
func TestLive_whatSharesAnAddressKeepsEachVenuesLimits(t *testing.T) {
	t.Parallel()
	c, err := ReadConfig("demo", nil)
	require.NoError(t, err)
	s := withAccounts(t, c)
	e := s.Edges()
	t.Run("sessions", func(t *testing.T) {
		for name, change := range map[string]func(*LiveOptions){
			"paper":  nil,
			"orders": func(o *LiveOptions) { o.Accounts, o.Fresh, o.Holds = s.accounts(), true, s.holds },
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				trade(t, e, &logged{}, change, func(l *Live) bool { return liveBooks(l) == 6 })
			})
		}
	})
	for _, v := range s.Venues {
		require.Zero(t, v.sim.(interface{ Exceeded() uint64 }).Exceeded(), v.name)
	}
}
