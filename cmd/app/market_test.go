package app

import (
	"context"
	"testing"

	"oneprice/books/venue"

	"github.com/stretchr/testify/require"
)

func TestMarket_filesOfOneVenueKeepTheirUnnamedSnapshots(t *testing.T) {
	paths := []string{recorded(t, "binance/spot-btcusdt.jsonl.gz"), recorded(t, "binance/us-spot-4sym-20211012.jsonl.gz")}
	r, err := Inspect(context.Background(), InspectOptions{Paths: paths})
	require.NoError(t, err)
	require.Len(t, r.Instruments, 5)
	for _, i := range r.Instruments {
		require.Equal(t, "live", i.State, i.Instrument)
		require.Zero(t, i.Gaps, i.Instrument)
	}
	require.Len(t, r.Venues, 1)
	require.Zero(t, r.Venues[0].Unknown)
}

func TestMarket_everyMessageEndsWithLast(t *testing.T) {
	for _, name := range []string{"binance/us-spot-4sym-20211012", "coinbase/advanced-l2-btc-eth-20260809", "kraken/v1-book1000-trade-ticker-20210417"} {
		s, err := NewSurvey([]string{recorded(t, name+".jsonl.gz")}, "", Quick)
		require.NoError(t, err)
		table := NewTable()
		require.NoError(t, s.Facts().Watch(table))
		m := NewMarket(table, s)
		in, err := s.Open()
		require.NoError(t, err)
		events := 0
		for l := in.Next(); l != nil; l = in.Next() {
			if ev := m.Decode(l); len(ev) > 0 {
				events += len(ev)
				require.NotZero(t, ev[len(ev)-1].Flags&venue.Last, "%s line %d", name, l.No)
			}
		}
		require.NoError(t, in.Err())
		require.NoError(t, in.Close())
		require.Positive(t, events)
	}
}

func TestMarket_decodeAndApplyDoNotAllocate(t *testing.T) {
	paths, err := WriteSynthetic(t.TempDir(), SyntheticOptions{Seed: 5, Seconds: 20})
	require.NoError(t, err)
	s, err := NewSurvey(paths, "", Quick)
	require.NoError(t, err)
	table := NewTable()
	require.NoError(t, s.Facts().Watch(table))
	m := NewMarket(table, s)
	w := newWatch(table, 0)
	shelf := NewShelf(table, w.changed)
	in, err := s.Open()
	require.NoError(t, err)
	defer func() { require.NoError(t, in.Close()) }()
	step := func(lines int) {
		for range lines {
			l := in.Next()
			if l == nil {
				t.Fatal("unexpected end of the recording")
			}
			w.line = l
			shelf.Apply(m.Decode(l))
		}
	}
	step(4000)
	require.LessOrEqual(t, testing.AllocsPerRun(30, func() { step(100) }), 1.0, "in 100 lines (a block of the decompressor now and then)")
}

func TestPrepare_findsTheFirstPrices(t *testing.T) {
	paths, err := WriteSynthetic(t.TempDir(), SyntheticOptions{Seed: 5, Seconds: 2})
	require.NoError(t, err)
	r, err := Prepare("backtest", paths, "")
	require.NoError(t, err)
	require.Len(t, r.Facts.Prices, 3)
	a, err := r.Assemble()
	require.NoError(t, err)
	require.Empty(t, a.Untraded)
	require.Len(t, a.Instruments, 4, "what the config names is not added twice")
	for _, in := range a.Instruments[1:] {
		require.Equal(t, venue.Product(1), in.Product)
	}
}

func TestPrepare_watchesWhatTheConfigDoesNotName(t *testing.T) {
	r, err := Prepare("backtest", []string{recorded(t, "kraken/v1-book1000-trade-ticker-20210417.jsonl.gz")}, "")
	require.NoError(t, err)
	a, err := r.Assemble()
	require.NoError(t, err)
	require.Len(t, a.Untraded, 3)
	require.Len(t, a.Instruments, 1+3+5)
	in := a.Find("kraken:XMR/USD")
	require.NotNil(t, in)
	require.False(t, a.Risk.Instruments[in.Inst].Allowed)
	require.NotNil(t, in.Checksum)
}

func TestDetect_namesNoVenueWhereTwoCouldHaveSentIt(t *testing.T) {
	path := saved(t, [][]byte{[]byte(`{"recv_ns":1,"kind":"rest","req":"depth limit=1000","msg":{"lastUpdateId":5,"bids":[["1.0","2.0"]],"asks":[["2.0","2.0"]]}}` + "\n")})
	_, err := NewSurvey([]string{path}, "", Quick)
	require.ErrorContains(t, err, "name it with --venue (binance, ")
	s, err := NewSurvey([]string{path}, "binance-usdm", Quick)
	require.NoError(t, err)
	require.Equal(t, "binance-usdm", s.Files[0].Adapter.Name)
	_, err = NewSurvey([]string{path}, "binance-usd", Quick)
	require.ErrorContains(t, err, "unknown venue")
}
