package sign

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"sort"
	"testing"
	"time"
)

// pair times two ways in turns and reports both and the median of their ratios, which a busy machine hardly moves.
func pair(b *testing.B, slow, fast func()) {
	const turns, each = 21, 40
	var ratios []int64 // in hundredths
	var slowSum, fastSum time.Duration
	for b.Loop() {
		for range turns {
			t0 := time.Now()
			for range each {
				slow()
			}
			t1 := time.Now()
			for range each {
				fast()
			}
			s, f := t1.Sub(t0), time.Since(t1)
			slowSum, fastSum = slowSum+s, fastSum+f
			ratios = append(ratios, int64(s)*100/max(int64(f), 1))
		}
	}
	sort.Slice(ratios, func(i, j int) bool { return ratios[i] < ratios[j] })
	n := float64(len(ratios) * each)
	b.ReportMetric(float64(ratios[len(ratios)/2])/100, "ratio")
	b.ReportMetric(float64(slowSum)/n, "slow-ns")
	b.ReportMetric(float64(fastSum)/n, "fast-ns")
	b.ReportMetric(0, "ns/op")
}

// The messages are as long as a Binance order with and without its optional fields.
func BenchmarkHMAC(b *testing.B) {
	key, dst := []byte(binanceSecret), make([]byte, 0, 256)
	for _, data := range [][]byte{bytes.Repeat([]byte("symbol=BTC"), 15), bytes.Repeat([]byte("symbol=BTC"), 25)} {
		m := NewHMAC256(key)
		prepared := func() { dst = m.Append(dst[:0], data) }
		name := map[int]string{150: "150B", 250: "250B"}[len(data)]
		b.Run(name+"/prepared_over_bare_Sum256", func(b *testing.B) {
			pair(b, prepared, func() {
				s := sha256.Sum256(data)
				dst = append(dst[:0], s[:]...)
			})
		})
		b.Run(name+"/hmac.New_over_prepared", func(b *testing.B) {
			pair(b, func() {
				h := hmac.New(sha256.New, key)
				h.Write(data)
				dst = append(dst[:0], hex.EncodeToString(h.Sum(nil))...)
			}, func() { dst = m.AppendHex(dst[:0], data) })
		})
	}
}

func BenchmarkKraken(b *testing.B) {
	k, key, dst := kraken(b, krakenSecret), must64(krakenSecret), make([]byte, 0, 256)
	path, nonce, body := []byte("/0/private/AddOrder"), []byte("1616492376594"), []byte(krakenBody)
	b.Run("hmac.New_over_prepared", func(b *testing.B) {
		pair(b, func() {
			s := sha256.Sum256([]byte(string(nonce) + string(body)))
			h := hmac.New(sha512.New, key)
			h.Write(append(append([]byte(nil), path...), s[:]...))
			dst = append(dst[:0], base64.StdEncoding.EncodeToString(h.Sum(nil))...)
		}, func() { dst = k.Append(dst[:0], path, nonce, body) })
	})
}

func BenchmarkCoinbase(b *testing.B) {
	dst := make([]byte, 0, 2048)
	for name, key := range map[string]string{"ES256": coinbaseEC, "EdDSA": coinbaseEd} {
		c := coinbase(b, key)
		p := pool(b, c, newFakeClock(someTime))
		b.Run(name+"/in_line_over_pool", func(b *testing.B) {
			pair(b, func() {
				dst = c.token(dst[:0], "POST", orders, someTime, fresh())
			}, func() {
				tok, _ := p.Bearer("POST", orders, someTime)
				dst = append(dst[:0], tok...)
			})
		})
	}
}
