package app

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/stretchr/testify/require"
)

// recorded is the path of a recording below ../shared/data; the test is skipped where it is not.
func recorded(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join("..", "..", "..", "shared", "data", name)
	if _, err := os.Stat(path); err != nil {
		t.Skip("the recorded data is not here: ", err)
	}
	return path
}

func inspected(t *testing.T, o InspectOptions) map[string]InstrumentReport {
	t.Helper()
	r, err := Inspect(context.Background(), o)
	require.NoError(t, err)
	out := map[string]InstrumentReport{}
	for _, i := range r.Instruments {
		out[i.Instrument] = i
	}
	return out
}

func TestInspect_bookAndTouchOfTheBinanceTrioAgree(t *testing.T) {
	t.Parallel()
	r := inspected(t, InspectOptions{CheckpointEvery: 1000, Paths: []string{
		recorded(t, "binance/spot-btcusdt.jsonl.gz"), recorded(t, "binance/usdm-btcusdt.jsonl.gz"), recorded(t, "binance/cm-btcusd_perp.jsonl.gz")}})
	require.Len(t, r, 3)
	f := func(name string, diffs, touches, trades uint64) {
		t.Helper()
		i := r[name]
		require.Equal(t, "live", i.State)
		require.Equal(t, diffs+1, i.Frames, "diffs and one snapshot")
		require.LessOrEqual(t, diffs-1, i.StaleDropped+i.DiffsApplied, "every diff was applied or older than the snapshot")
		require.Zero(t, i.Gaps)
		require.Zero(t, i.Resyncs)
		require.EqualValues(t, 1, i.Snapshots)
		require.Equal(t, touches, i.Touches)
		require.Equal(t, trades, i.Trades)
		require.Greater(t, i.TouchCompared, uint64(500))
		require.Zero(t, i.TouchMismatched)
		require.Len(t, i.Checkpoints, int(i.DiffsApplied/1000))
		require.Less(t, i.Offset.Median, int64(-1_220_000_000))
		require.Greater(t, i.Offset.Median, int64(-1_280_000_000))
		require.Len(t, i.Top10.Bids, 10)
		require.Len(t, i.Top10.Asks, 10)
	}
	f("binance:BTCUSDT", 6495, 73174, 19904)
	f("binance-usdm:BTCUSDT", 6551, 66089, 21313)
	f("binance-coinm:BTCUSD_PERP", 44795, 48355, 5235)
	require.Equal(t, Row{"61602.01000000", "1.67177000"}, r["binance:BTCUSDT"].Top10.Bids[0])
}

func TestInspect_findsFourSymbolsOnOneSocketWithLateSnapshots(t *testing.T) {
	t.Parallel()
	r := inspected(t, InspectOptions{Paths: []string{recorded(t, "binance/us-spot-4sym-20211012.jsonl.gz")}})
	require.Len(t, r, 4)
	for name, i := range r {
		require.Equal(t, "live", i.State, name)
		require.Zero(t, i.Gaps, name)
		require.Zero(t, i.TouchMismatched, name)
		require.NotZero(t, i.SnapshotLastUpdateID, name)
	}
}

func TestInspect_everyChecksumOfTheKrakenCaptureVerifies(t *testing.T) {
	t.Parallel()
	r := inspected(t, InspectOptions{Paths: []string{recorded(t, "kraken/v1-book1000-trade-ticker-20210417.jsonl.gz")}})
	require.Len(t, r, 5)
	verified := uint64(0)
	for name, i := range r {
		require.Equal(t, "live", i.State, name)
		require.Zero(t, i.ChecksumsFailed, name)
		verified += i.ChecksumsVerified
	}
	require.EqualValues(t, 2375, verified)
}

func TestInspect_coinbaseBooksHaveTheirRecordedDepth(t *testing.T) {
	t.Parallel()
	r := inspected(t, InspectOptions{Paths: []string{recorded(t, "coinbase/advanced-l2-btc-eth-20260809.jsonl.gz")}})
	require.Len(t, r, 2)
	require.Equal(t, 18769, r["coinbase:BTC-USD"].BidLevels)
	require.Equal(t, 27238, r["coinbase:BTC-USD"].AskLevels)
	require.EqualValues(t, 775, r["coinbase:BTC-USD"].Frames+r["coinbase:ETH-USD"].Frames)
	for name, i := range r {
		require.Equal(t, "live", i.State, name)
		require.Zero(t, i.Gaps, name)
	}
}

// lines reads a generated or recorded file as lines.
func lines(t *testing.T, path string) [][]byte {
	t.Helper()
	var out bytes.Buffer
	in, err := (&Survey{Files: []SurveyedFile{{Path: path}}}).Open()
	require.NoError(t, err)
	defer func() { require.NoError(t, in.Close()) }()
	for l := in.Next(); l != nil; l = in.Next() {
		fmt.Fprintf(&out, `{"recv_ns":%d,"kind":"%s"`, l.RecvNs, l.Kind)
		for _, m := range [2][2]string{{"conn", l.Conn}, {"req", l.Request}} {
			if m[1] != "" {
				fmt.Fprintf(&out, `,"%s":"%s"`, m[0], m[1])
			}
		}
		if l.Msg != nil {
			fmt.Fprintf(&out, `,"msg":%s`, l.Msg)
		}
		out.WriteString("}\n")
	}
	require.NoError(t, in.Err())
	all := bytes.SplitAfter(out.Bytes(), []byte{'\n'})
	return all[:len(all)-1] // behind the last newline is nothing
}

func saved(t *testing.T, ls [][]byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.jsonl")
	require.NoError(t, os.WriteFile(path, bytes.Join(ls, nil), 0o600))
	return path
}

// generated is one generated recording as lines.
func generated(t *testing.T, market int) [][]byte {
	t.Helper()
	paths, err := WriteSynthetic(t.TempDir(), SyntheticOptions{Seed: 3, Seconds: 5})
	require.NoError(t, err)
	return lines(t, paths[market])
}

// nth finds the n-th line from the middle on that holds the text.
func nth(t *testing.T, ls [][]byte, text string, n int) int {
	t.Helper()
	for i := len(ls) / 2; i < len(ls); i++ {
		if bytes.Contains(ls[i], []byte(text)) {
			if n--; n < 0 {
				return i
			}
		}
	}
	t.Fatalf("unexpected: no line holds %q", text)
	return 0
}

// without is a copy of lines with line i replaced by others.
func without(ls [][]byte, i int, others ...[]byte) [][]byte {
	out := append([][]byte{}, ls[:i]...)
	return append(append(out, others...), ls[i+1:]...)
}

func TestInspect_noticesDamageByTheVenuesRule(t *testing.T) {
	t.Parallel()
	for market, name := range []string{"binance:BTCUSDT", "binance-usdm:BTCUSDT", "binance-coinm:BTCUSD_PERP"} {
		whole := generated(t, market)
		clean := inspected(t, InspectOptions{Paths: []string{saved(t, whole)}})[name]
		require.Equal(t, "live", clean.State)
		require.Zero(t, clean.Gaps)
		require.NotZero(t, clean.TouchCompared)
		require.Zero(t, clean.TouchMismatched)
		i, j := nth(t, whole, "depthUpdate", 3), nth(t, whole, "depthUpdate", 4)
		swapped := without(whole, i, whole[j])
		swapped = without(swapped, j, whole[i])
		stale := map[string][][]byte{
			"dropped": without(whole, i),
			"swapped": swapped,
			"cut":     without(whole, i, append(whole[i][:len(whole[i])/2:len(whole[i])/2], '\n')),
			"altered": without(whole, i, bytes.Replace(whole[i], []byte(`"b":[["`), []byte(`"b":[["x`), 1)),
		}
		for kind, ls := range stale {
			t.Run(name+" "+kind, func(t *testing.T) {
				r := inspected(t, InspectOptions{Paths: []string{saved(t, ls)}})[name]
				require.Equal(t, "stale", r.State, "no later snapshot: it stays so to the end")
				require.Equal(t, "sequence_gap", r.Why)
				require.NotZero(t, r.Gaps)
				require.NotEmpty(t, r.Broken)
				require.Zero(t, r.Resyncs)
			})
		}
		t.Run(name+" duplicated", func(t *testing.T) {
			r := inspected(t, InspectOptions{Paths: []string{saved(t, without(whole, i, whole[i], whole[i]))}})[name]
			require.Equal(t, clean.Frames+1, r.Frames)
			require.Equal(t, clean.StaleDropped+1, r.StaleDropped)
			r.Frames, r.StaleDropped, r.Offset = clean.Frames, clean.StaleDropped, clean.Offset
			require.Equal(t, clean, r, "a duplicate changes nothing else")
		})
		t.Run(name+" healed by a later snapshot", func(t *testing.T) {
			snap := 0
			for n, l := range whole {
				if bytes.Contains(l, []byte("lastUpdateId")) {
					snap = n
				}
			}
			require.NotZero(t, snap)
			early := without(whole, snap-1) // damage before the snapshot only
			r := inspected(t, InspectOptions{Paths: []string{saved(t, early)}})[name]
			require.Equal(t, "live", r.State)
		})
		t.Run(name+" touch", func(t *testing.T) {
			k := nth(t, whole, "bookTicker", 0)
			for ; !touchIsMet(whole, k); k = k + 1 + nth(t, whole[k+1:], "bookTicker", 0) - len(whole[k+1:])/2 {
			}
			bad := bytes.Replace(whole[k], []byte(`"B":"`), []byte(`"B":"9`), 1)
			r := inspected(t, InspectOptions{Paths: []string{saved(t, without(whole, k, bad))}})[name]
			require.NotZero(t, r.TouchMismatched)
			require.Equal(t, "stale", r.State)
			require.Equal(t, "touch_mismatch", r.Broken[0].Why)
		})
	}
}

// touchIsMet reports whether the touch on line k carries the id that the next depth message ends with.
func touchIsMet(ls [][]byte, k int) bool {
	if !bytes.Contains(ls[k], []byte("bookTicker")) {
		return false
	}
	_, id, _ := bytes.Cut(ls[k], []byte(`"u":`))
	id, _, _ = bytes.Cut(id, []byte(","))
	for _, l := range ls[k+1:] {
		if bytes.Contains(l, []byte("depthUpdate")) {
			return bytes.Contains(l, append([]byte(`"u":`), append(id, ',')...))
		}
	}
	return false
}

func TestInspect_coinbaseAndKrakenNoticeDamage(t *testing.T) {
	t.Parallel()
	f := func(file, mark, why string, dropped func([][]byte, int) [][]byte) {
		t.Helper()
		ls := lines(t, recorded(t, file))
		i := nth(t, ls, mark, 10)
		r := inspected(t, InspectOptions{Paths: []string{saved(t, dropped(ls, i))}})
		stale := 0
		for _, in := range r {
			if in.State == "stale" {
				stale++
				require.Equal(t, why, in.Why)
			}
		}
		require.NotZero(t, stale)
	}
	drop := func(ls [][]byte, i int) [][]byte { return without(ls, i) }
	f("coinbase/advanced-l2-btc-eth-20260809.jsonl.gz", `"l2_data"`, "sequence_gap", drop)
	kraken := "kraken/v1-book1000-trade-ticker-20210417.jsonl.gz"
	f(kraken, `"book-1000","ETH/CHF"`, "checksum_mismatch", func(ls [][]byte, i int) [][]byte {
		_, sum, _ := bytes.Cut(ls[i], []byte(`"c":"`))
		sum, _, _ = bytes.Cut(sum, []byte(`"`))
		return without(ls, i, bytes.Replace(ls[i], sum, []byte("1234567890"), 1))
	})
	f(kraken, `"book-1000","ETH/CHF"`, "checksum_mismatch", func(ls [][]byte, _ int) [][]byte {
		for range 30 { // one of so many moves the best ten
			ls = without(ls, nth(t, ls, `"book-1000","ETH/CHF"`, 0))
		}
		return ls
	})
}

func TestInspect_countsDamagedLinesAndGoesOn(t *testing.T) {
	t.Parallel()
	ls := generated(t, 0)
	i := nth(t, ls, "bookTicker", 0)
	r, err := Inspect(context.Background(), InspectOptions{Paths: []string{saved(t, without(ls, i, []byte("garbage\n"), ls[i], []byte("{\"recv_ns\":1,\"kind\":\"ws\",\"msg\":{\"stream\":\"btcusdt@bookTicker\",\"data\":{\"u\":}}}\n")))}})
	require.NoError(t, err)
	require.EqualValues(t, 1, r.Damaged)
	require.EqualValues(t, i+1, r.Files[0].FirstDamaged)
	require.EqualValues(t, 1, r.Files[0].Backwards)
	require.EqualValues(t, 1, r.Venues[0].Refused)
	require.EqualValues(t, i+3, r.Venues[0].FirstRefusedLine)
	require.NotEmpty(t, r.Venues[0].BlindSpots)
	require.Equal(t, "live", r.Instruments[0].State, "the chain of the book is whole")
}

func TestInspect_reportsWhatItReadOfACutFile(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(bytes.Join(generated(t, 1), nil))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	path := filepath.Join(t.TempDir(), "cut.gz")
	require.NoError(t, os.WriteFile(path, b.Bytes()[:b.Len()/2], 0o600))
	r, err := Inspect(context.Background(), InspectOptions{Paths: []string{path}})
	require.ErrorContains(t, err, "cut short")
	require.Equal(t, ExitInput, exitCode(err))
	require.NotNil(t, r)
	require.NotZero(t, r.Lines)
	require.Contains(t, r.Fault, "gzip is cut short")
}

func TestInspect_aReopenedConnectionStartsAnew(t *testing.T) {
	t.Parallel()
	ls := generated(t, 0)
	open := []byte(`{"recv_ns":1723161253000000000,"kind":"open","url":"wss://stream.binance.com:9443/stream"}` + "\n")
	i := nth(t, ls, "depthUpdate", 0)
	r := inspected(t, InspectOptions{Paths: []string{saved(t, append([][]byte{open}, without(ls, i, ls[i], open)...))}})["binance:BTCUSDT"]
	require.Equal(t, "stale", r.State)
	require.Equal(t, "connection_lost", r.Broken[0].Why)
	require.Len(t, r.Broken, 1)
}

func TestInspect_readsAllAgainWhereAQuickLookMissedASymbol(t *testing.T) {
	t.Parallel()
	ls := generated(t, 0)
	var all [][]byte
	for len(all) < 2*quietLines+500 {
		all = append(all, ls...)
	}
	late := bytes.ReplaceAll(ls[0], []byte("BTCUSDT"), []byte("ETHUSDT"))
	require.True(t, strings.Contains(string(late), "ETHUSDT"))
	r := inspected(t, InspectOptions{Paths: []string{saved(t, append(all, late))}})
	require.Contains(t, r, "binance:ETHUSDT")
}
