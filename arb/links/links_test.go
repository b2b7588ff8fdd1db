package links

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const text = "Resolves YES if the Federal Reserve cuts its target rate in September 2026."

var settles = time.Date(2026, 9, 17, 18, 0, 0, 0, time.UTC)

func record() *Record {
	r := &Record{Reviewer: "an operator", Reviewed: settles.Add(-240 * time.Hour), SettleSlack: time.Hour}
	for _, n := range []string{"kalshi:FED-26SEP", "polymarket:fed-sep"} {
		r.Rules = append(r.Rules, Rules{Instrument: n, TextHash: Hash(text), Source: "federalreserve.gov", Settles: settles, Void: "none"})
	}
	return r
}

func TestRecord_wholeOneIsValidAndArmed(t *testing.T) {
	r := record()
	require.NoError(t, r.Validate())
	require.True(t, r.Armed())
	require.True(t, r.Covers("polymarket:fed-sep"))
	require.False(t, r.Covers("polymarket:fed-oct"))
}

func TestRecord_validateNamesEveryFault(t *testing.T) {
	for _, c := range []struct {
		change func(r *Record)
		want   string
	}{
		{func(r *Record) { r.Rules = r.Rules[:1] }, "rules: unexpected number"},
		{func(r *Record) { r.Reviewer = "" }, "reviewer: missing"},
		{func(r *Record) { r.Reviewed = time.Time{} }, "reviewed: missing"},
		{func(r *Record) { r.SettleSlack = -1 }, "settle_slack"},
		{func(r *Record) { r.Rules[1].Settles = settles.Add(2 * time.Hour) }, "are 2h0m0s apart; the review accepts 1h0m0s"},
		{func(r *Record) { r.Rules[1].Settles = time.Time{} }, "settles: missing"},
		{func(r *Record) { r.Rules[1].Source = "a newspaper" }, "is decided by"},
		{func(r *Record) { r.Rules[1].Source = " " }, "source: missing"},
		{func(r *Record) { r.Rules[0].Void = "" }, "void: missing"},
		{func(r *Record) { r.Rules[0].TextHash = "abc" }, "text_hash"},
		{func(r *Record) { r.Rules[1].Instrument = r.Rules[0].Instrument }, "is named twice"},
	} {
		r := record()
		c.change(r)
		require.ErrorContains(t, r.Validate(), c.want)
	}
	r := record()
	r.Rules[1].Source, r.DifferentSources = "a newspaper", true
	require.NoError(t, r.Validate())
	require.Contains(t, (&Record{}).Validate().Error(), "reviewer: missing\nreviewed: missing", "all faults at once")
}

func TestObserve_changedTextDisarmsForGood(t *testing.T) {
	r := record()
	require.True(t, r.Observe("kalshi:FED-26SEP", text, settles))
	require.True(t, r.Observe("kalshi:FED-26SEP", "  Resolves YES if the Federal\n\tReserve cuts its target rate in September 2026.", settles), "white space is not a change")
	require.True(t, r.Observe("kalshi:OTHER", "anything", settles), "not covered")
	require.False(t, r.Observe("kalshi:FED-26SEP", text+" By 25 basis points.", settles))
	require.Contains(t, r.Disarmed, "kalshi:FED-26SEP changed")
	first := r.Disarmed
	require.False(t, r.Observe("kalshi:FED-26SEP", text, settles), "the old text coming back does not arm it")
	r.Disarm("another reason")
	require.Equal(t, first, r.Disarmed)
}

func TestObserve_changedSettlementDisarms(t *testing.T) {
	r := record()
	require.False(t, r.Observe("polymarket:fed-sep", text, settles.Add(time.Minute)))
	require.Contains(t, r.Disarmed, "settlement time of polymarket:fed-sep changed from 2026-09-17T18:00:00Z to 2026-09-17T18:01:00Z")
	r = record()
	r.Disarm("")
	require.False(t, r.Armed())
}
