package app

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"oneprice/books/venue"
)

func TestZone_daysBeginByItsOwnClock(t *testing.T) {
	f := func(zone string, starts time.Duration, now, want string) {
		t.Helper()
		var z Zone
		require.Empty(t, z.read(zone))
		at, err := time.Parse(time.RFC3339, now)
		require.NoError(t, err)
		next := z.next(venue.Nanos(at.UnixNano()), ZeroSpan(starts))
		require.Equal(t, want, time.Unix(0, int64(next)).UTC().Format(time.RFC3339))
	}
	f("UTC", 0, "2026-11-25T13:00:00Z", "2026-11-26T00:00:00Z")
	f("UTC", 0, "2026-11-25T00:00:00Z", "2026-11-26T00:00:00Z")
	f("Europe/Zurich", 0, "2026-11-25T13:00:00Z", "2026-11-25T23:00:00Z")
	f("Europe/Zurich", 0, "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z") // 23 hours
	f("Europe/Zurich", 0, "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z") // 25 hours
	f("America/New_York", 17*time.Hour, "2026-11-25T13:00:00Z", "2026-11-25T22:00:00Z")
	f("America/New_York", 17*time.Hour, "2026-11-25T22:00:00Z", "2026-11-26T22:00:00Z")
	f("America/New_York", 150*time.Minute, "2026-03-08T00:00:00Z", "2026-03-08T06:30:00Z") // 02:30 does not exist there: an hour before, or after
	for _, bad := range []string{"", "Local", "Mars/Olympus"} {
		require.Contains(t, new(Zone).read(bad), "is no time zone")
	}
}

func TestZone_isReadFromTheConfig(t *testing.T) {
	text, ok := exampleText("demo")
	require.True(t, ok)
	with := func(zone string) (*Config, error) {
		return ParseConfig("x", bytes.Replace(text, []byte("    max_daily_loss:"), []byte("    reset_zone: "+zone+"\n    max_daily_loss:"), 1), nil)
	}
	c, err := with("Europe/Zurich")
	require.NoError(t, err)
	require.Equal(t, "Europe/Zurich", c.Limits.Global.ResetZone.at.String())
	require.NotNil(t, c.Limits.Global.risk().NextDay)
	_, err = with("Mars/Olympus")
	require.ErrorContains(t, err, "is no time zone; write its IANA name")
}
