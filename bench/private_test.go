package bench

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"github.com/valyala/fastjson"

	"oneprice/bench/market"
	"oneprice/bench/naive"
	"oneprice/bench/pair"
	"oneprice/books/venue"
	"oneprice/feeds/binance"
	"oneprice/feeds/coinbase"
	"oneprice/feeds/sign"
	"oneprice/feeds/wire"
)

// must takes the whole request of an order.
func must(out []byte, ok bool) []byte {
	if !ok {
		panic("bench: an order was not encoded")
	}
	return out
}

// ecKey is a fresh key as Coinbase hands them out.
func ecKey(b testing.TB) sign.Secret {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(b, err)
	der, err := x509.MarshalECPrivateKey(key)
	require.NoError(b, err)
	return sign.SecretOf("bench", pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))
}

// BenchmarkAuthorisation is from an approved command to bytes that can be written, authorised ahead, against the same
// bytes with the signature made in line by the plain idiom.
func BenchmarkAuthorisation(b *testing.B) {
	group(b, func(b *testing.B) {
		r := rig(b, market.Config{Levels: 2})
		cmd, dst := command(r), make([]byte, 0, 4096)
		next := func() *venue.Command { cmd.Price++; cmd.Client++; return &cmd }
		plain := binance.OrderConfig{RecvWindow: 5 * venue.Second, Instruments: r.Instruments}
		session := binance.NewOrders(plain)
		_, ed, err := ed25519.GenerateKey(rand.Reader)
		require.NoError(b, err)
		rs := pair.Run(rounds, slice,
			pair.Candidate{Name: "ed25519.Sign", Run: pair.Loop(func() {
				dst = must(session.Place(dst[:0], next(), cmd.Decided))
				dst = base64.StdEncoding.AppendEncode(dst, ed25519.Sign(ed, signed))
			})},
			pair.Candidate{Name: "session", Run: pair.Loop(func() { dst = must(session.Place(dst[:0], next(), cmd.Decided)) })})
		faster(b, "binance, a session by Ed25519", &rs[1], &rs[0], 15, true)

		theirs, o := bot(b, r, true), naive.Order{Venue: "v1", Symbol: "v1:BTCUSDT", Buy: true, TIF: "IOC", Qty: decimal.New(123_456, -5)}
		plain.Key, plain.MAC = market.Key, sign.NewHMAC256([]byte(market.Secret))
		prepared := binance.NewOrders(plain)
		rs = pair.Run(rounds, slice,
			pair.Candidate{Name: "encoding/json, hmac.New", Run: pair.Loop(func() { o.Price = decimal.New(int64(next().Price), -2); theirs.Sent = theirs.Encode(&o) })},
			pair.Candidate{Name: "our encoder, hmac.New", Run: pair.Loop(func() {
				dst = must(session.Place(dst[:0], next(), cmd.Decided))
				dst = append(dst, naive.Sign([]byte(market.Secret), signed)...)
			})},
			pair.Candidate{Name: "prepared", Run: pair.Loop(func() { dst = must(prepared.Place(dst[:0], next(), cmd.Decided)) })})
		faster(b, "binance, HMAC of every order", &rs[2], &rs[0], 2.5, true)
		faster(b, "binance, HMAC of every order", &rs[2], &rs[1], 0, true)
		authoriseREST(b, r, next, dst)
	})
}

// authoriseREST is BenchmarkAuthorisation at the venues that are asked by HTTP.
func authoriseREST(b *testing.B, r *market.Rig, next func() *venue.Command, dst []byte) {
	maker, err := sign.NewCoinbase("organizations/o/apiKeys/k", "api.coinbase.com", ecKey(b))
	require.NoError(b, err)
	path, now := coinbase.PostCreate.Path(), r.Clock.Now()
	pool, err := sign.NewPool(maker, r.Clock, sign.Route{Method: "POST", Path: path})
	require.NoError(b, err)
	orders, in, token := coinbase.NewOrders("api.coinbase.com", r.Instruments[1:2]), r.Instruments[1], make([]byte, 0, 2048)
	rs := pair.Run(rounds, slice,
		pair.Candidate{Name: "a token for each order", Run: pair.Loop(func() {
			if token, err = maker.Append(append(token[:0], "Bearer "...), "POST", path, now); err != nil {
				panic(err)
			}
			dst = must(orders.Place(dst[:0], in, next(), string(token)))
		})},
		pair.Candidate{Name: "pool", Run: pair.Loop(func() {
			bearer, ok := pool.Bearer("POST", path, now)
			if !ok {
				panic("bench: the pool has no token")
			}
			dst = must(orders.Place(dst[:0], in, next(), bearer))
		})})
	faster(b, "coinbase, tokens by ES256", &rs[1], &rs[0], 15, true)

	key := make([]byte, 64)
	rand.Read(key)
	api, err := sign.NewKraken(sign.SecretOf("bench", []byte(base64.StdEncoding.EncodeToString(key))))
	require.NoError(b, err)
	where, nonce := []byte("/0/private/AddOrder"), []byte("1767225600123456")
	body := []byte("nonce=1767225600123456&ordertype=limit&pair=XBTUSD&price=97234.1&timeinforce=IOC&type=buy&volume=1.23456000&cl_ord_id=018f6e4a-0000-7000-8000-00000000002a")
	rs = pair.Run(rounds, slice,
		pair.Candidate{Name: "hmac.New", Run: pair.Loop(func() {
			s := sha256.Sum256(append(append([]byte(nil), nonce...), body...))
			h := hmac.New(sha512.New, key)
			h.Write(where)
			h.Write(s[:])
			dst = append(dst[:0], base64.StdEncoding.EncodeToString(h.Sum(nil))...)
		})},
		pair.Candidate{Name: "prepared", Run: pair.Loop(func() { dst = api.Append(dst[:0], where, nonce, body) })})
	faster(b, "kraken, signature of a request", &rs[1], &rs[0], 2.5, true)
}

// told are fills as the venues tell them, and the numbers that whoever books one has to read from it.
var told = []struct {
	name, text string
	numbers    [][]string
}{
	{"binance", `{"e":"executionReport","E":1767225600123,"s":"BTCUSDT","c":"op00000000000000a1","S":"BUY","o":"LIMIT","f":"GTC","q":"1.23456000","p":"97234.12000000","P":"0.00000000","F":"0.00000000","g":-1,` +
		`"C":"","x":"TRADE","X":"PARTIALLY_FILLED","r":"NONE","i":4293153,"l":"0.00100000","z":"0.00500000","L":"97234.12000000","n":"0.01944682","N":"USDT","T":1767225600122,"t":912837,"I":8641984,"w":true,` +
		`"m":true,"M":false,"O":1767225590123,"Z":"486.17060000","Y":"97.23412000","Q":"0.00000000","W":1767225590123,"V":"NONE"}`,
		[][]string{{"q"}, {"z"}, {"l"}, {"p"}, {"L"}, {"n"}}},
	{"kraken", `{"channel":"executions","type":"update","data":[{"order_id":"OK4GJX-KSTLS-7DZZO5","cl_ord_id":"018f6e4a-0000-7000-8000-00000000002a","order_userref":0,"exec_id":"TKBXRK-PWZZI-2NFMKM","exec_type":"trade",` +
		`"trade_id":365573,"symbol":"BTC/USD","side":"buy","order_type":"limit","last_qty":0.00100000,"last_price":97234.1,"liquidity_ind":"m","cost":97.23410,"order_status":"partially_filled","cum_qty":0.00500000,` +
		`"fees":[{"asset":"USD","qty":0.01944}],"timestamp":"2026-01-01T00:00:00.123456Z"}],"sequence":8}`,
		[][]string{{"data", "0", "last_qty"}, {"data", "0", "last_price"}, {"data", "0", "cum_qty"}, {"data", "0", "fees", "0", "qty"}}},
	{"coinbase", `{"channel":"user","client_id":"","timestamp":"2026-01-01T00:00:00.123456789Z","sequence_num":42,"events":[{"type":"update","orders":[{"order_id":"0c9d6a2e-6f1b-4f0e-9d5d-1c7b9f2d5a11",` +
		`"client_order_id":"018f6e4a-0000-7000-8000-00000000002a","cumulative_quantity":"0.005","leaves_quantity":"1.22956","avg_price":"97234.12","total_fees":"0.0972341","status":"OPEN","product_id":"BTC-USD",` +
		`"creation_time":"2026-01-01T00:00:00.000000Z","order_side":"BUY","order_type":"Limit","cancel_reason":"","reject_reason":"","total_value_after_fees":"486.2678341","filled_value":"486.1706",` +
		`"number_of_fills":"5","contract_expiry_type":"UNKNOWN_CONTRACT_EXPIRY_TYPE","product_type":"SPOT","risk_managed_by":"UNKNOWN_RISK_MANAGEMENT_TYPE","time_in_force":"GOOD_UNTIL_CANCELLED",` +
		`"trigger_status":"INVALID_ORDER_TYPE","outstanding_hold_amount":"119555.18"}]}]}`,
		[][]string{{"events", "0", "orders", "0", "cumulative_quantity"}, {"events", "0", "orders", "0", "leaves_quantity"}, {"events", "0", "orders", "0", "avg_price"}, {"events", "0", "orders", "0", "total_fees"}}},
}

// private reads a fill as every decoder must: the document and its numbers. What the gateways do beyond it, names, times
// and the order's own state, is left out, to the disadvantage of the row.
func private(text string, numbers [][]string) func() {
	var doc wire.Doc
	msg := []byte(text)
	return func() {
		v := doc.Parse(msg)
		for _, path := range numbers {
			if _, why := doc.Fixed(v.Get(path...), 8); why != venue.OK {
				panic("bench: a number of a report was refused: " + why.String())
			}
		}
	}
}

// BenchmarkReport holds what the engine does with a fill, ledger, orders, risk, strategies and audit, against the decoding
// of it. A fill is a Step of its own.
func BenchmarkReport(b *testing.B) {
	group(b, func(b *testing.B) {
		r := rig(b, market.Config{Levels: 20, Calm: true})
		var fills []venue.Report
		cs := []pair.Candidate{{Name: "engine", Burst: burst, Before: func(n int) { fills = r.Restock(fills[:0], n) }, Run: func(int) {
			for i := range fills {
				r.Book(fills[i : i+1])
			}
		}}}
		for _, m := range told {
			cs = append(cs, pair.Candidate{Name: m.name + "'s decode", Run: pair.Loop(private(m.text, m.numbers))})
		}
		rs := pair.Run(rounds, slice/4, cs...) // fills need time between them, and the rig's limits end after an hour of it
		for i, m := range told {
			costs(b, m.name+", report to ledger", &rs[0], &rs[i+1], 3, true)
		}
	})
}

// TestReportRow_booksEveryFill holds the row to its work: every fill moves the ledger, and the samples are JSON.
func TestReportRow_booksEveryFill(t *testing.T) {
	r := rig(t, market.Config{Levels: 20, Calm: true})
	for range 40 {
		fills := r.Restock(nil, burst)
		want := r.Booked()
		for i := range fills {
			if r.Engine.Desk().Order(fills[i].Slot).Side == venue.Buy {
				want += int64(fills[i].Fill)
			} else {
				want -= int64(fills[i].Fill)
			}
			r.Book(fills[i : i+1])
			require.Equal(t, want, r.Booked())
		}
	}
	for _, m := range told {
		require.NoError(t, fastjson.Validate(m.text), m.name)
		private(m.text, m.numbers)()
	}
}
