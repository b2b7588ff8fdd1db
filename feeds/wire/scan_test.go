package wire

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"oneprice/books/fixed"
	"oneprice/books/venue"
)

// slacked is text with Slack bytes of junk behind it, digits included, to show that readers stop where they must.
func slacked(text string) []byte {
	return append([]byte(text), []byte(strings.Repeat("7\"}x9.e-", Slack/8))...)
}

// number makes decimal text of many shapes, valid most of the time.
func number(r *rand.Rand) string {
	digits := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte('0' + r.IntN(10))
			if r.IntN(3) == 0 {
				b[i] = '0'
			}
		}
		return string(b)
	}
	s := digits(1 + r.IntN(9))
	if r.IntN(10) == 0 {
		s = digits(r.IntN(22))
	}
	if r.IntN(5) > 0 {
		s += "." + digits(r.IntN(10)) + strings.Repeat("0", r.IntN(10))
	}
	switch r.IntN(40) {
	case 0:
		s = "-" + s
	case 1:
		s += fmt.Sprintf("e%d", r.IntN(20)-10)
	case 2:
		s = strings.Replace(s, ".", "..", 1)
	case 3:
		s += "E"
	}
	return s
}

func TestFixed_agreesWithParseAndDecimal(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	exact, refused := 0, 0
	for range 400_000 {
		text, scale := number(r), uint8(r.IntN(11))
		if r.IntN(20) == 0 {
			scale = uint8(r.IntN(fixed.MaxScale + 1))
		}
		want, fault := fixed.Parse([]byte(text), scale)
		b := slacked(text + `"`)
		got, next := Fixed(b, 0, scale)
		if fault != fixed.OK {
			refused++
			why := map[fixed.Fault]venue.Reason{fixed.Empty: venue.Malformed, fixed.Syntax: venue.Malformed, fixed.OffScale: venue.OffScale, fixed.Overflow: venue.TooLarge}[fault]
			require.Equal(t, why, Why(next), "%q at %d", text, scale)
			continue
		}
		exact++
		require.Equal(t, len(text), next, "%q at %d", text, scale)
		require.Equal(t, want, got, "%q at %d", text, scale)
		d, err := decimal.NewFromString(text)
		require.NoError(t, err, text)
		require.True(t, d.Equal(fixed.Decimal(got, scale)), "%q at %d gave %d", text, scale, got)
	}
	require.Greater(t, exact, 100_000)
	require.Greater(t, refused, 50_000)
}

func TestFixed_namesTheReason(t *testing.T) {
	for _, c := range []struct {
		text  string
		scale uint8
		want  int64
		why   venue.Reason
	}{
		{"61737.63000000", 2, 6173763, venue.OK},
		{"61737.63100000", 2, 0, venue.OffScale},
		{"61737.63000001", 2, 0, venue.OffScale},
		{"61737.630000001", 2, 0, venue.OffScale},
		{"61737.630000000", 2, 6173763, venue.OK},
		{"35", 0, 35, venue.OK},
		{"35", 8, 3500000000, venue.OK},
		{"9999999.99999999", 8, 999999999999999, venue.OK},
		{"90071992.54740992", 8, fixed.Limit, venue.OK},
		{"90071992.54740993", 8, 0, venue.TooLarge},
		{"123456789012345678901234", 0, 0, venue.TooLarge},
		{"5e-7", 8, 50, venue.OK},
		{"5.5E+2", 0, 550, venue.OK},
		{".5", 1, 5, venue.OK},
		{"5.", 1, 50, venue.OK},
		{"-1.5", 1, -15, venue.OK},
		{"", 2, 0, venue.Malformed},
		{".", 2, 0, venue.Malformed},
		{"-", 2, 0, venue.Malformed},
		{"1..3", 2, 0, venue.Malformed},
		{"1e", 2, 0, venue.Malformed},
		{"x", 2, 0, venue.Malformed},
	} {
		got, next := Fixed(slacked(c.text+`"`), 0, c.scale)
		require.Equal(t, c.why, Why(next), c.text)
		require.Equal(t, c.want, got, c.text)
		if c.why == venue.OK {
			require.Equal(t, len(c.text), next, c.text)
		}
	}
}

func TestUint_readsUpTo19Digits(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 100_000 {
		v := r.Uint64N(1e19) >> r.UintN(64)
		text := fmt.Sprintf("%0*d", r.IntN(20), v)
		got, next := Uint(slacked(text+`,`), 0)
		require.Equal(t, len(text), next, text)
		require.Equal(t, v, got, text)
	}
	for text, why := range map[string]venue.Reason{"": venue.Malformed, "-1": venue.Malformed, "x": venue.Malformed, "10000000000000000000": venue.TooLarge} {
		_, next := Uint(slacked(text+","), 0)
		require.Equal(t, why, Why(next), text)
	}
}

func TestTime_agreesWithTheStandardLibrary(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 200_000 {
		at := time.Unix(r.Int64N(9_214_646_400), 0).UTC() // to the end of 2261
		text := at.Format("2006-01-02T15:04:05")
		if n := r.IntN(10); n > 0 {
			text += fmt.Sprintf(".%0*d", n, r.Int64N(int64(fixed.Pow10(uint8(n)))))
		}
		text += "Z"
		if r.IntN(4) == 0 { // one byte changed: both must agree whether it is a time
			b := []byte(text)
			b[r.IntN(len(b))] = "0123456789:-TZ. +"[r.IntN(17)]
			text = string(b)
		}
		got, next := Time(slacked(text+`"`), 0)
		if next > 0 { // what follows the Z is the caller's
			text = text[:next]
		}
		want, err := time.Parse(time.RFC3339Nano, text)
		if err != nil || want.Year() < 1970 || want.Year() > 2261 {
			require.Equal(t, venue.Malformed, Why(next), text)
			continue
		}
		require.Equal(t, len(text), next, text)
		require.EqualValues(t, want.UnixNano(), got, text)
	}
}

func TestTime_refusesWhatItDoesNotKnow(t *testing.T) {
	for _, text := range []string{"2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z",
		"2026-04-31T00:00:00Z", "2100-02-29T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-12-31T23:59:60Z",
		"2026-01-01T00:00:00+00:00", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00.1234567891Z", "2026-01-01 00:00:00Z", "1969-12-31T23:59:59Z", ""} {
		_, next := Time(slacked(text+`"`), 0)
		require.Equal(t, venue.Malformed, Why(next), text)
	}
	at, next := Time(slacked("2024-02-29T23:59:59.000000001Z"), 0)
	require.Equal(t, 30, next)
	require.EqualValues(t, time.Date(2024, 2, 29, 23, 59, 59, 1, time.UTC).UnixNano(), at)
}

func TestLit_stepsOverALiteralOnly(t *testing.T) {
	b := []byte(`{"u":1`)
	require.Equal(t, 5, Lit(b, 0, `{"u":`))
	require.Equal(t, venue.Malformed, Why(Lit(b, 1, `{"u":`)))
	require.Equal(t, venue.Malformed, Why(Lit(b, 4, `:1234`)))
}

func TestReaders_allocateNothing(t *testing.T) {
	n, u, at := slacked(`61737.63000000"`), slacked("1723161255208,"), slacked("2026-08-09T20:32:50.714964855Z")
	require.Zero(t, testing.AllocsPerRun(100, func() {
		Fixed(n, 0, 2)
		Fixed(n, 0, 1)
		Uint(u, 0)
		Time(at, 0)
	}))
}

func BenchmarkFixed(b *testing.B) {
	n := slacked(`61737.63000000"`)
	for b.Loop() {
		Fixed(n, 0, 2)
	}
}

func BenchmarkUint(b *testing.B) {
	n := slacked(`1723161255208,`)
	for b.Loop() {
		Uint(n, 0)
	}
}

func BenchmarkTime(b *testing.B) {
	n := slacked("2026-08-09T20:32:50.714964Z")
	for b.Loop() {
		Time(n, 0)
	}
}
