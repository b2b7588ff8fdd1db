package app

import (
	"context"
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
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	over := make(chan error, 2)
	for _, accounts := range []map[string]Account{nil, s.accounts()} {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		o := LiveOptions{Edges: s.Edges(), Config: "demo", Out: t.TempDir(), Mode: "demo", Accounts: accounts, Fresh: true, Holds: s.holds, Status: func(l *Live) {
			if liveBooks(l) == 6 {
				stop()
			}
		}}
		go func() {
			_, err := RunLive(ctx, o)
			over <- err
		}()
	}
	for range 2 {
		require.NoError(t, <-over)
	}
	require.NoError(t, ctx.Err(), "all books are live in time")
	for _, v := range s.Venues {
		require.Zero(t, v.sim.(interface{ Exceeded() uint64 }).Exceeded(), v.name)
	}
}
