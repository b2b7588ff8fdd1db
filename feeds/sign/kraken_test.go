package sign

import (
	"encoding/base64"
	"math"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books/venue"
)

// The venue's published example keys (spot REST and futures WebSocket authentication pages).
const (
	krakenSecret  = "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="
	futuresSecret = "7zxMEF5p/Z8l2p2U7Ghv6x14Af+Fx+92tPgUdVQ748FOIrEoT9bgT+bTRfXc5pz8na+hL/QdrCVG7bh9KpT0eMTm"
	krakenBody    = "nonce=1616492376594&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25"
)

func kraken(t testing.TB, key string) *Kraken {
	t.Helper()
	k, err := NewKraken(SecretOf("a test", []byte(key)))
	require.NoError(t, err)
	return k
}

func TestKraken_signsTheVenuesExample(t *testing.T) {
	k := kraken(t, krakenSecret)
	for range 2 { // a signature leaves no trace in the next
		got := k.Append([]byte("API-Sign: "), []byte("/0/private/AddOrder"), []byte("1616492376594"), []byte(krakenBody))
		require.Equal(t, "API-Sign: 4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ==", string(got))
		require.Equal(t, unhex(t, "23a1c1b34c6a11d641af0f24684896cb90f66fb991125c83dc357bdc3dc146f1"), k.sum[:])
	}
}

func TestKraken_answersTheVenuesChallenge(t *testing.T) {
	got := kraken(t, futuresSecret).AppendChallenge(nil, []byte("c100b894-1729-464d-ace1-52dbce11db42"))
	require.Equal(t, "4JEpF3ix66GA2B+ooK128Ift4XQVtc137N9yeg4Kqsn9PI0Kpzbysl9M1IeCEdjg0zl00wkVqcsnG4bmnlMb3A==", string(got))
}

func TestKraken_refusesWhatIsNoKeyOfIts(t *testing.T) {
	short := base64.StdEncoding.EncodeToString(make([]byte, 31))
	for _, text := range []string{"", "not base64!", krakenSecret[:50], short} {
		_, err := NewKraken(SecretOf("environment variable K", []byte(text)))
		var k *KeyError
		require.ErrorAs(t, err, &k, text)
		require.Equal(t, "environment variable K", k.Where)
	}
}

func TestKraken_allocatesNothing(t *testing.T) {
	k := kraken(t, krakenSecret)
	dst, path, nonce, body := make([]byte, 0, 128), []byte("/0/private/AddOrder"), []byte("1616492376594"), []byte(krakenBody)
	require.Zero(t, testing.AllocsPerRun(100, func() { dst = k.Append(dst[:0], path, nonce, body) }))
	k.Close()
	require.Panics(t, func() { k.Append(nil, path, nonce, body) })
}

func TestNonces_followTheClockAndNeverStandStill(t *testing.T) {
	var n Nonces
	require.Equal(t, uint64(1_700_000_000_000_001), n.Next(1_700_000_000_000_001_999))
	require.Equal(t, uint64(1_700_000_000_000_002), n.Next(1_700_000_000_000_001_999))
	require.Equal(t, uint64(1_700_000_000_000_003), n.Next(5), "a clock that went back")
	require.Equal(t, uint64(1_700_000_000_000_004), n.Next(-5), "a clock before 1970")
	require.Equal(t, uint64(1_800_000_000_000_000), n.Next(1_800_000_000_000_000_000))
	n.Raise(7)
	require.Equal(t, uint64(1_800_000_000_000_001), n.Next(0), "a lower mark changes nothing")
	n.Raise(1_900_000_000_000_000)
	require.Equal(t, uint64(1_900_000_000_000_001), n.Next(0))
	n.Raise(math.MaxUint64 - 1)
	require.Equal(t, uint64(math.MaxUint64), n.Next(0))
	require.Panics(t, func() { n.Next(0) }, "nothing wraps")
}

func TestNonces_areUniqueAndRiseInEveryGoroutine(t *testing.T) {
	var n Nonces
	const workers, each = 8, 2000
	got := make([][]uint64, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				got[w] = append(got[w], n.Next(venue.Nanos(1_700_000_000_000_000_000+i)))
			}
		})
	}
	wg.Wait()
	seen := map[uint64]bool{}
	for _, g := range got {
		for i, v := range g {
			require.False(t, seen[v])
			require.True(t, i == 0 || v > g[i-1])
			seen[v] = true
		}
	}
	require.Len(t, seen, workers*each)
}
