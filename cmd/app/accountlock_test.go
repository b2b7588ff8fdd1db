package app

import (
	"crypto/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/engine/audit"
	"oneprice/feeds"
	"oneprice/feeds/sign"
)

func TestAccount_isTradedOnByOneEngineAlone(t *testing.T) {
	venues := []VenueEntry{{}}
	for _, name := range []string{"kraken", "binance"} {
		a, err := feeds.ByName(name)
		require.NoError(t, err)
		venues = append(venues, VenueEntry{Name: "my " + name, Adapter: a})
	}
	key := func() sign.Secret { return sign.SecretOf("a test", []byte(rand.Text())) }
	shared := key()
	session := func(kraken, binance sign.Secret) (*Trading, *OrderOptions) {
		return &Trading{Assembly: &Assembly{Table: &Table{Venues: venues}}},
			&OrderOptions{Accounts: map[string]Account{"my kraken": {Name: "main", Key: kraken}, "my binance": {Name: "main", Key: binance}}}
	}
	one, o := session(key(), shared)
	require.NoError(t, one.hold(o))
	two, o := session(key(), shared)
	err := two.hold(o)
	require.ErrorContains(t, err, "my binance: another engine on this machine trades on account main; end it first")
	require.Equal(t, ExitUsage, exitCode(err))
	require.NoError(t, two.letGo())
	three, o := session(shared, key()) // the same text at another venue is another account
	require.NoError(t, three.hold(o))
	require.NoError(t, three.letGo())
	require.NoError(t, one.letGo())
	require.NoError(t, two.hold(o))
	require.NoError(t, two.letGo())
}

func TestDataFolder_belongsToOneEngineAlone(t *testing.T) {
	dir := t.TempDir()
	_, w, err := audit.Open(audit.Config{Dir: dir + "/audit"})
	require.NoError(t, err)
	defer func() { require.NoError(t, w.Close()) }()
	_, err = Demo(t.Context(), DemoOptions{Config: "demo", Seed: 1, Out: dir})
	require.ErrorContains(t, err, "is in use by another engine")
}
