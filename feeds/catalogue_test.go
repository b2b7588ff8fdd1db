package feeds

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestByName_findsEveryAdapterAndListsThemForAnother(t *testing.T) {
	require.NotEmpty(t, Adapters())
	seen := map[string]bool{}
	for _, a := range Adapters() {
		found, err := ByName(a.Name)
		require.NoError(t, err)
		require.Same(t, a, found)
		require.False(t, seen[a.Name], "unexpected second %s", a.Name)
		seen[a.Name] = true
		require.NotEmpty(t, a.BlindSpots, a.Name)
		require.NotEmpty(t, a.Listings, a.Name)
		require.NotNil(t, a.Decoder)
		require.NotNil(t, a.Discover)
		require.NotNil(t, a.Detect)
	}
	_, err := ByName("mtgox")
	require.ErrorContains(t, err, `unknown venue "mtgox"`)
	require.ErrorContains(t, err, strings.Join(Names(), ", "))
}

func TestDetect_claimsOnlyWhatOneVenueSends(t *testing.T) {
	f := func(want, kind, request, msg string) {
		t.Helper()
		a := Detect(kind, request, []byte(msg))
		if want == "" {
			require.Nil(t, a, msg)
			return
		}
		require.NotNil(t, a, msg)
		require.Equal(t, want, a.Name)
	}
	f("binance", "ws", "", `{"stream":"btcusdt@bookTicker","data":{"u":5,"s":"BTCUSDT","b":"1.0","B":"2.0","a":"3.0","A":"4.0"}}`)
	f("binance-usdm", "ws", "", `{"stream":"x","data":{"e":"depthUpdate","E":1,"T":1,"s":"BTCUSDT","U":1,"u":2,"pu":0,"b":[],"a":[]}}`)
	f("binance-coinm", "ws", "", `{"stream":"x","data":{"e":"depthUpdate","E":1,"T":1,"s":"BTCUSD_PERP","ps":"BTCUSD","U":1,"u":2,"pu":0,"b":[],"a":[]}}`)
	f("kraken", "ws", "", `[1360,{"b":[["0.000022860","31571.61559016","1618678134.490367"]],"c":"993647625"},"book-1000","ADA/XBT"]`)
	f("coinbase", "ws", "", `{"channel":"heartbeats","client_id":"","timestamp":"2026-08-09T21:05:48.228568804Z","sequence_num":0,"events":[]}`)
	f("", "rest", "depth limit=1000", `{"lastUpdateId":5,"bids":[["1.0","2.0"]],"asks":[]}`)
	f("", "ws", "", `{}`)
	f("", "ws", "", `nonsense`)
	f("", "open", "wss://example.org", "")
}
