package fixed

import (
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
)

func TestParse_everyAcceptedForm(t *testing.T) {
	f := func(text string, scale uint8, want int64) {
		t.Helper()
		got, fault := Parse([]byte(text), scale)
		require.Equal(t, OK, fault, "of %q: %s", text, fault)
		require.Equal(t, want, got, "of %q", text)
	}
	f("0", 8, 0)
	f("-0", 8, 0)
	f("0.000000000000000000000000000000", 2, 0)
	f("0e999", 2, 0)
	f("5", 0, 5)
	f("05", 0, 5)
	f("000000000000000000000000000000000005", 1, 50)
	f("5.", 1, 50)
	f(".5", 1, 5)
	f("-.5", 1, -5)
	f("-5.10", 1, -51)
	f("5.1000000000000000000000000000000000000000", 1, 51)
	f("97234.12000000", 2, 9723412)
	f("0.00000001", 8, 1)
	f("5e-7", 7, 5)
	f("5E+2", 0, 500)
	f("5e2", 3, 500_000)
	f("1.5e1", 0, 15)
	f("1.e1", 0, 10)
	f(".5e1", 0, 5)
	f("500e-2", 0, 5)
	f("0.00012e4", 1, 12)
	f("100000000000000000000e-20", 0, 1)
	f("1e0", 0, 1)
	f("1e-000", 0, 1)
	f("9007199254740992", 0, Limit)
	f("-9007199254740992", 0, -Limit)
	f("0.009007199254740992", 18, Limit)
	f("1000000000000000000000000000000e-30", 8, 1e8)
}

func TestParse_everyRefusedForm(t *testing.T) {
	f := func(text string, scale uint8, want Fault) {
		t.Helper()
		got, fault := Parse([]byte(text), scale)
		require.Equal(t, want, fault, "of %q: got %s; want %s", text, fault, want)
		require.Zero(t, got)
	}
	f("", 0, Empty)
	for _, s := range []string{"-", ".", "-.", "+5", " 5", "5 ", "0x5", "5_0", "1,5", "1.2.3", "--5", "5-", "e5", ".e5", "-e1",
		"1e", "1e+", "1e-", "1ee5", "1e5.", "1e1e1", "1e0005", "1e+-5", "NaN", "inf", "null", "\"5\"", "5\x00", "٥"} {
		f(s, 8, Syntax)
	}
	f("0.01", 1, OffScale)
	f("1e-1", 0, OffScale)
	f("15e-1", 0, OffScale)
	f("1.0000000000000000000000000000001", 8, OffScale)
	f("0.1234567890123456789012345", 18, OffScale)
	f("9007199254740993", 0, Overflow)
	f("-9007199254740993", 0, Overflow)
	f("1", 18, Overflow)
	f("1e16", 0, Overflow)
	f("1e999", 0, Overflow)
	f("99999999999999999999999999", 0, Overflow)
	f("1000000000000000000000000000000001", 0, Overflow)
}

// oracle reads text with shopspring, for text that has Parse's grammar.
func oracle(text string, scale uint8) (int64, bool) {
	d, err := decimal.NewFromString(text)
	if err != nil {
		return 0, false
	}
	v, fault := FromDecimal(d, scale)
	return v, fault == OK
}

// number draws text of Parse's grammar.
func number(rnd *rand.Rand) string {
	var b strings.Builder
	digits := func(n int) {
		for range n {
			b.WriteByte("0000123456789"[rnd.IntN(13)])
		}
	}
	if rnd.IntN(4) == 0 {
		b.WriteByte('-')
	}
	n := rnd.IntN(1 + rnd.IntN(25))
	digits(n)
	switch {
	case rnd.IntN(3) > 0:
		b.WriteByte('.')
		digits(max(1-n, rnd.IntN(1+rnd.IntN(25))))
	case n == 0:
		digits(1)
	}
	if rnd.IntN(4) == 0 {
		b.WriteByte("eE"[rnd.IntN(2)])
		b.WriteString([]string{"", "+", "-"}[rnd.IntN(3)])
		b.WriteString(strconv.Itoa(rnd.IntN(30)))
	}
	return b.String()
}

func TestParse_agreesWithDecimal(t *testing.T) {
	rnd := rand.New(rand.NewPCG(6, 1))
	good := 0
	for range 100_000 {
		text, scale := number(rnd), uint8(rnd.IntN(MaxScale+1))
		got, fault := Parse([]byte(text), scale)
		want, ok := oracle(text, scale)
		require.Equal(t, ok, fault == OK, "of %q at %d: %s", text, scale, fault)
		require.NotContains(t, []Fault{Syntax, Empty}, fault, "of %q", text)
		if ok {
			good++
			require.Equal(t, want, got, "of %q at %d", text, scale)
		}
	}
	require.Greater(t, good, 20_000, "too few of the drawn numbers are valid for this to prove anything")
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"5", "-5.10", "5e-7", "1e999", "", ".", "00.00", "1000000000000000000000001e-24"} {
		f.Add(s, uint8(8))
	}
	f.Fuzz(func(t *testing.T, text string, scale uint8) {
		scale %= MaxScale + 1
		got, fault := Parse([]byte(text), scale)
		if fault != OK {
			require.Zero(t, got)
			if fault == OffScale || fault == Overflow {
				return // the digits up to the fault were a number; what follows may be anything
			}
			// What decimal reads and Parse calls no number is one of the documented differences.
			if _, err := decimal.NewFromString(text); err == nil {
				e := strings.IndexAny(text, "eE")
				long := e >= 0 && len(strings.TrimLeft(text[e+1:], "+-")) > 3
				require.True(t, long || strings.HasPrefix(text, "+"), "unexpected refusal of %q: %s", text, fault)
			}
			return
		}
		want, ok := oracle(text, scale)
		require.True(t, ok, "unexpected value %d of %q", got, text)
		require.Equal(t, want, got, "of %q at %d", text, scale)
	})
}

func TestAppend_isTheExactDecimal(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 1))
	check := func(v int64, scale uint8) {
		text := string(Append([]byte("p="), v, scale))[2:]
		want := decimal.NewFromBigInt(big.NewInt(v), -int32(scale)).StringFixed(int32(scale))
		if v < 0 && !strings.HasPrefix(want, "-") {
			want = "-" + want
		}
		require.Equal(t, want, text)
		short := string(AppendTrim([]byte("00.00"), v, scale))[5:]
		require.Equal(t, decimal.NewFromBigInt(big.NewInt(v), -int32(scale)).String(), short)
		if v > Limit || v < -Limit {
			return
		}
		for _, s := range []string{text, short} {
			back, fault := Parse([]byte(s), scale)
			require.Equal(t, OK, fault, "of %q", s)
			require.Equal(t, v, back)
		}
		back, fault := FromDecimal(Decimal(v, scale), scale)
		require.Equal(t, OK, fault)
		require.Equal(t, v, back)
	}
	for scale := range uint8(MaxScale + 1) {
		for _, v := range []int64{0, 1, -1, 9, 10, 11, 99, 100, 101, 12345, -100000, Limit, -Limit, math.MaxInt64, math.MinInt64} {
			check(v, scale)
		}
	}
	for range 50_000 {
		check(wide(rnd), uint8(rnd.IntN(MaxScale+1)))
	}
}

func TestFromDecimal_namesTheFault(t *testing.T) {
	f := func(text string, scale uint8, v int64, want Fault) {
		t.Helper()
		got, fault := FromDecimal(decimal.RequireFromString(text), scale)
		require.Equal(t, want, fault, "of %q", text)
		require.Equal(t, v, got)
	}
	e := func(coefficient int64, exponent int32, scale uint8, want Fault) {
		t.Helper()
		got, fault := FromDecimal(decimal.New(coefficient, exponent), scale)
		require.Equal(t, want, fault, "of %de%d", coefficient, exponent)
		require.Zero(t, got)
	}
	f("1.50", 2, 150, OK)
	f("1.505", 2, 0, OffScale)
	f("9007199254740993", 0, 0, Overflow)
	f("100000000000000000000", 0, 0, Overflow)
	e(1, 2_000_000_000, 0, Overflow)
	e(-1, math.MaxInt32, 18, Overflow)
	e(1, math.MinInt32, 18, OffScale)
	e(0, math.MaxInt32, 18, OK)
	e(0, math.MinInt32, 18, OK)
	f("10e-1", 0, 1, OK)
}

func TestText_allocatesNothing(t *testing.T) {
	text, buf := []byte("-97234.12000000"), make([]byte, 0, 64)
	var v int64
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		v, _ = Parse(text, 8)
		buf = Append(buf[:0], v, 8)
		buf = AppendTrim(buf, v, 8)
		v, _ = MulDiv(v, 3, 7, HalfEven)
		v, _ = MulDiv3(v, 3, 7, 2, 5, HalfEven)
	}))
}

func BenchmarkText(b *testing.B) {
	text, buf := []byte("97234.12000000"), make([]byte, 0, 64)
	v, _ := Parse(text, 8)
	b.Run("parse", func(b *testing.B) {
		for range b.N {
			v, _ = Parse(text, 8)
		}
	})
	b.Run("append", func(b *testing.B) {
		for range b.N {
			buf = Append(buf[:0], v, 8)
		}
	})
	b.Run("decimal-parse", func(b *testing.B) {
		for range b.N {
			_, _ = decimal.NewFromString("97234.12000000")
		}
	})
	b.Run("decimal-string", func(b *testing.B) {
		d := Decimal(v, 8)
		for range b.N {
			_ = d.StringFixed(8)
		}
	})
	b.Run("muldiv", func(b *testing.B) {
		for range b.N {
			v, _ = MulDiv(v, 100_000_007, 100_000_000, Down)
			v &= 1<<40 - 1
		}
	})
}
