package bench

import (
	"os/exec"
	"regexp"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"oneprice/books/venue"
	"oneprice/engine/audit"
)

// inlined are the small functions of the path from message to order that must cost no call, by package. books/fixed has a
// list of its own.
var inlined = map[string][]string{
	"books":         {"(*Book).Best", "(*Book).State", "(*Book).Recv", "(*Book).Lag", "(*Book).alive", "(*lag).note", "(*lag).value", "(*grid).index", "(*side).mark", "(*side).clear", "bit"},
	"books/venue":   {"(*Event).Level", "(*Event).SetHead", "(*Event).SetTouch", "(*Event).Count", "(*Event).Recv", "(*Event).First", "(*Kill).Blocks", "Side.Sign", "Side.Other"},
	"feeds/wire":    {"(*Clock).Now", "Load8", "Lit", "NonDigit", "Parse8", "leading", "Why", "(*Frames).Add", "(*Frames).Close", "(*Frames).End"},
	"feeds/binance": {"(*window).word", "(*window).half", "unlike", "setLevels", "closed", "appendUint", "(*Decoder).reserve"},
	"engine/ring":   {"(*Bell).Ring", "(*Token).Try", "(*Token).Release"},
	"engine/audit":  {"(*Record).Reset", "(*Record).intent", "(*Record).SetPlan", "(*Record).SetVerdict", "(*Ring).Waiting"},
	"engine/stats":  {"(*Histogram).Add", "(*Latency).Mark", "(*Latency).Offer", "bucket"},
	"risk":          {"(*bucket).lacks", "(*bucket).take", "(*bucket).wait", "(*grid).on", "(*scale).raw", "(*Gate).spend", "(*candidate).note", "beyond", "lowest", "side"},
	"arb":           {"(*cross).gross", "(*cross).net", "atLeast"},
}

// TestBudget_smallFunctionsOfThePathCostNoCall asks the compiler: a busy machine cannot break it.
func TestBudget_smallFunctionsOfThePathCostNoCall(t *testing.T) {
	line := regexp.MustCompile(`can inline ([^\s:]+)`)
	for pkg, names := range inlined {
		out, err := exec.Command("go", "build", "-gcflags=-m", "oneprice/"+pkg).CombinedOutput()
		require.NoError(t, err, "%s", out)
		got := map[string]bool{}
		for _, m := range line.FindAllSubmatch(out, -1) {
			got[string(m[1])] = true
		}
		for _, name := range names {
			require.True(t, got[name], "%s of %s is no longer inlined", name, pkg)
		}
	}
}

// TestBudget_sizes: whole lines of the cache for what crosses threads, no pointers to chase in what is compared.
func TestBudget_sizes(t *testing.T) {
	require.EqualValues(t, 64, unsafe.Sizeof(venue.Event{}))
	require.EqualValues(t, 128, unsafe.Sizeof(venue.Report{}))
	require.EqualValues(t, 128, unsafe.Sizeof(venue.Command{}))
	require.EqualValues(t, 256, unsafe.Sizeof(audit.Record{}))
}

// TestBudget_theLoopAllocatesNothing takes messages through session's sink, ring, loop, engine, audit and encoder.
func TestBudget_theLoopAllocatesNothing(t *testing.T) {
	l := live(t, 20)
	for range 2000 { // slices grow to what the busiest drain needed
		play(l)
	}
	require.Zero(t, testing.AllocsPerRun(100, func() { play(l) }))
}
