package bench

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"
	"unsafe"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"github.com/valyala/fastjson"

	"oneprice/bench/market"
	"oneprice/bench/naive"
	"oneprice/engine/audit"
	"oneprice/engine/stats"
	"oneprice/feeds/binance"
	"oneprice/feeds/sign"
)

// The candidates of every row do the same work. The tests here and the agreement tests hold them to it; the rows of
// decoding, and of the path's books, intents and verdicts, have theirs beside them.

func TestBookRow_bothSeeTheSameTouchAfterEveryMessage(t *testing.T) {
	for _, drift := range []int64{0, 1, 8} {
		us, moved := walk(1<<13, 100, drift)
		a, b := ourBook(&player{walk: us, moved: moved, depth: 100}), theirBook(&player{walk: us, moved: moved, depth: 100})
		for range 20 {
			a.Before(0)
			b.Before(0)
			from := sum
			a.Run(0)
			ours := sum - from
			from = sum
			b.Run(0)
			require.Equal(t, sum-from, ours) // of prices and quantities of both touches after each of the messages
		}
	}
}

// fields are an order's parameters, numbers without trailing zeros.
func fields(t *testing.T, request []byte) map[string]string {
	v, err := fastjson.ParseBytes(request)
	require.NoError(t, err, string(request))
	require.Equal(t, "order.place", string(v.GetStringBytes("method")))
	out := map[string]string{}
	v.GetObject("params").Visit(func(k []byte, v *fastjson.Value) {
		switch key := string(k); key {
		case "price", "quantity":
			out[key] = decimal.RequireFromString(string(v.GetStringBytes())).String()
		case "newClientOrderId", "timestamp", "signature":
			out[key] = "some" // each has its own
		default:
			out[key] = v.String()
		}
	})
	return out
}

func TestTickRow_bothSendTheSameOrder(t *testing.T) {
	for _, n := range []int{2, 20, 100} {
		r := rig(t, market.Config{Levels: n, Signed: true})
		theirs := bot(t, r, true)
		a := market.NewDepth("BTCUSDT", n, 1)
		for range market.Settling {
			require.NoError(t, theirs.Update("v1", a.Next()))
		}
		for i := range 300 {
			require.Equal(t, 1, r.Tick(r.Depths[0].Next()))
			sent := theirs.Step("v1", a.Next())
			require.True(t, sent == 1 || i == 0, "the first brings the quotes too")
			if i > 0 {
				require.Equal(t, fields(t, theirs.Sent), fields(t, r.Sent), "%d levels", n)
			}
			r.Answer()
			theirs.Answer()
		}
	}
}

func TestOrderRow_bothEncodeTheSameOrder(t *testing.T) {
	r := rig(t, market.Config{Levels: 2})
	theirs, cmd := bot(t, r, false), command(r)
	orders := binance.NewOrders(binance.OrderConfig{RecvWindow: 5_000_000_000, Instruments: r.Instruments})
	ours, ok := orders.Place(nil, &cmd, cmd.Decided)
	require.True(t, ok)
	require.Equal(t, fields(t, theirs.Encode(&naive.Order{Venue: "v1", Symbol: "v1:BTCUSDT", Buy: true, TIF: "IOC", Price: decimal.New(9_723_412, -2), Qty: decimal.New(123_456, -5)})),
		fields(t, ours))
}

func TestSignatureRows_allSignTheSameBytes(t *testing.T) {
	mac := sign.NewHMAC256([]byte(market.Secret))
	require.Equal(t, naive.Sign([]byte(market.Secret), signed), string(mac.AppendHex(nil, signed)))
	require.Equal(t, naive.Sign([]byte(market.Secret), signed), hex.EncodeToString(mac.Append(nil, signed)))
	require.Len(t, mac.Append(nil, signed), sha256.Size)
}

func TestAuditRow_bothKeepAsManyBytes(t *testing.T) {
	require.EqualValues(t, len(auditLine), unsafe.Sizeof(audit.Record{}))
}

// TestRows_areTheProductAtWork runs what the rows of ours against ours hold against each other.
func TestRows_areTheProductAtWork(t *testing.T) {
	for _, n := range []int{2, 16} {
		c := signal(t, n)
		c.Run(100)
		require.Zero(t, testing.AllocsPerRun(10, func() { c.Run(10) }), fmt.Sprint(n, " venues"))
	}
	for _, c := range []market.Config{{Levels: 2, Latency: 1}, {Levels: 20, Symbols: 64, Venues: 2}} {
		r := rig(t, c)
		x := ours("", r)
		for range 20 {
			x.Before(burst)
			x.Run(burst) // panics where a message brings no order
		}
		if c.Latency > 0 {
			r.Latency.Close()
			stages := r.Latency.Snapshot()
			for _, s := range []stats.Stage{stats.Apply, stats.Decide, stats.Check, stats.Record, stats.Submit, stats.Whole} {
				require.GreaterOrEqual(t, stages[s].Count(), uint64(20*burst), "the stage %v was not stamped", s)
			}
		}
	}
}
