package recording

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"oneprice/books/venue"
	"oneprice/feeds/wire"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
)

const three = `{"recv_ns":100,"kind":"open","conn":"a","url":"wss://x/y"}
{"recv_ns":101,"kind":"ws","conn":"a","msg":{"p":"1.50","s":"}\"{"}}
{"recv_ns":102,"kind":"rest","req":"depth limit=5","msg":[1.10, 2]}
`

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, data, 0o600))
	return path
}

func gz(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := io.WriteString(w, text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func zst(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b)
	require.NoError(t, err)
	_, err = io.WriteString(w, text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

// all reads a file to its end; messages are copied.
func all(t *testing.T, path string) ([]Line, Stats, error) {
	t.Helper()
	r, err := OpenFile(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	var lines []Line
	var l Line
	for r.Next(&l) {
		if l.Msg != nil {
			require.GreaterOrEqual(t, cap(l.Msg)-len(l.Msg), wire.Slack)
			l.Msg = append([]byte{}, l.Msg...)
		}
		lines = append(lines, l)
	}
	return lines, r.Stats(), r.Err()
}

func TestReader_recognisesTheThreeFormats(t *testing.T) {
	for name, data := range map[string][]byte{"plain": []byte(three), "gzip": gz(t, three), "zstd": zst(t, three),
		"two gzip members": append(gz(t, three[:70]), gz(t, three[70:])...)} {
		t.Run(name, func(t *testing.T) {
			lines, st, err := all(t, write(t, "any.name", data))
			require.NoError(t, err)
			require.Len(t, lines, 3)
			require.Equal(t, Line{RecvNs: 100, Kind: Open, Conn: "a", Request: "wss://x/y", No: 1}, lines[0])
			require.Equal(t, Line{RecvNs: 101, Kind: WS, Conn: "a", Msg: []byte(`{"p":"1.50","s":"}\"{"}`), No: 2, Offset: 59}, lines[1])
			require.Equal(t, Line{RecvNs: 102, Kind: Rest, Request: "depth limit=5", Msg: []byte(`[1.10, 2]`), No: 3, Offset: 128}, lines[2])
			require.EqualValues(t, 3, st.Lines)
			require.EqualValues(t, len(three), st.Bytes)
			require.EqualValues(t, len(data), st.Read)
			require.Zero(t, st.Damaged)
		})
	}
}

func TestReader_takesKeysInAnyOrderAndTextMessages(t *testing.T) {
	lines, st, err := all(t, write(t, "f", []byte(`
{ "msg" : {"a": [1, {"b":"]"}], "kind":"no"} , "kind":"ws", "recv_ns" : 7, "extra":[1,{"x":null}], "conn":"c\u0041" }
{"recv_ns":8,"kind":"ws","msg":"not json: {\"x\" \\ \u00e9"}
{"recv_ns":9,"kind":"ws","conn":"a\"b","msg":{"t":1}}`+"\r\n"+
		`{"recv_ns":10,"kind":"ws","msg":null}
{"recv_ns":11,"kind":"ws","msg":12.50}
{"recv_ns":12,"kind":"ws","conn":0,"msg":{"last":"line without newline"}}`)))
	require.NoError(t, err)
	require.Zero(t, st.Damaged)
	require.Len(t, lines, 6)
	require.Equal(t, `{"a": [1, {"b":"]"}], "kind":"no"}`, string(lines[0].Msg))
	require.Equal(t, "cA", lines[0].Conn)
	require.EqualValues(t, 7, lines[0].RecvNs)
	require.EqualValues(t, 2, lines[0].No, "the empty first line is counted")
	require.Equal(t, `not json: {"x" \ é`, string(lines[1].Msg))
	require.Equal(t, `a"b`, lines[2].Conn)
	require.Nil(t, lines[3].Msg)
	require.Equal(t, "12.50", string(lines[4].Msg))
	require.Equal(t, "0", lines[5].Conn)
}

func TestReader_keepsFileOrderWhenTimeIsMissingOrGoesBack(t *testing.T) {
	lines, st, err := all(t, write(t, "f", []byte(`{"recv_ns":null,"kind":"ws","msg":{}}
{"recv_ns":50,"kind":"ws","msg":{}}
{"recv_ns":null,"kind":"ws","msg":{}}
{"recv_ns":40,"kind":"ws","msg":{}}
{"recv_ns":51,"kind":"ws","msg":{}}
`)))
	require.NoError(t, err)
	var times []venue.Nanos
	for _, l := range lines {
		times = append(times, l.RecvNs)
	}
	require.Equal(t, []venue.Nanos{0, 50, 50, 50, 51}, times)
	require.EqualValues(t, 2, st.NullTimes)
	require.EqualValues(t, 1, st.Backwards)
}

func TestReader_countsDamagedLinesAndGoesOn(t *testing.T) {
	bad := []string{`garbage`, `{}`, `[]`, `"x"`, `{"recv_ns":1,"kind":"ws","msg":{"a":1}`, `{"recv_ns":1.5,"kind":"ws","msg":{}}`,
		`{"recv_ns":-4,"kind":"ws","msg":{}}`, `{"recv_ns":99999999999999999999,"kind":"ws","msg":{}}`, `{"kind":"ws","msg":{}}`,
		`{"recv_ns":1,"msg":{}}`, `{"recv_ns":1,"kind":"","msg":{}}`, `{"recv_ns":1,"kind":"ws","msg":}`, "\x00\xff", `{"recv_ns":`,
		`{"recv_ns":1,"kind":"ws`, `{"recv_ns":1,"kind":"ws","msg"`, `{"recv_ns":1,"kind":"ws","conn":"\`, strings.Repeat("[", 1<<20)}
	var text strings.Builder
	for i, b := range bad {
		fmt.Fprintf(&text, "{\"recv_ns\":%d,\"kind\":\"ws\",\"msg\":{}}\n%s\n", 10+i, b)
	}
	lines, st, err := all(t, write(t, "f", []byte(text.String())))
	require.NoError(t, err)
	require.Len(t, lines, 2*len(bad))
	for i := range bad {
		require.Equal(t, WS, lines[2*i].Kind)
		require.Equal(t, Damaged, lines[2*i+1].Kind, bad[i])
		require.EqualValues(t, 10+i, lines[2*i+1].RecvNs)
		require.EqualValues(t, 2*i+2, lines[2*i+1].No)
		require.Equal(t, bad[i], string(lines[2*i+1].Msg))
	}
	require.EqualValues(t, len(bad), st.Damaged)
	require.EqualValues(t, 2, st.FirstDamaged)
}

func TestReader_namesWhereAFileEndsEarly(t *testing.T) {
	var text strings.Builder
	for i := range 20000 {
		fmt.Fprintf(&text, "{\"recv_ns\":%d,\"kind\":\"ws\",\"msg\":{\"n\":\"%d\"}}\n", 1000+i, i*i*i)
	}
	whole := text.String()
	corrupt := gz(t, whole)
	corrupt[len(corrupt)/2] ^= 0xff
	badSum := gz(t, whole)
	badSum[len(badSum)-6] ^= 1
	corruptZ := zst(t, whole)
	corruptZ[len(corruptZ)*3/4] ^= 0x55
	f := func(name string, data []byte, atLeast int, want string) {
		t.Helper()
		path := write(t, name, data)
		lines, _, err := all(t, path)
		var fault *Fault
		require.True(t, errors.As(err, &fault), "%s: got %v", name, err)
		require.GreaterOrEqual(t, len(lines), atLeast)
		require.EqualValues(t, len(lines)+1, fault.Line, "the fault names the first line that is not whole")
		for i, l := range lines {
			require.EqualValues(t, i+1, l.No)
			if strings.HasPrefix(name, "cut") { // a flipped bit may decompress to other text before it is noticed
				require.Equal(t, WS, l.Kind)
			}
		}
		require.Contains(t, err.Error(), path)
		require.Contains(t, err.Error(), want)
		require.NotContains(t, err.Error(), "\n")
	}
	f("cut.jsonl", []byte(whole[:len(whole)-5]), 19999, "cut in the middle of a line")
	f("cut.gz", gz(t, whole)[:len(corrupt)*2/3], 5000, "gzip is cut short")
	f("corrupt.gz", corrupt, 5000, "gzip is corrupt")
	f("sum.gz", badSum, 20000, "gzip is corrupt")
	z := zst(t, whole)
	f("cut.zst", z[:len(z)-10], 1000, "zstd is cut short")
	f("corrupt.zst", corruptZ, 0, "zstd is corrupt")
}

func TestOpenFile_refusesWhatIsNoFile(t *testing.T) {
	_, err := OpenFile(filepath.Join(t.TempDir(), "absent.jsonl"))
	require.ErrorContains(t, err, "absent.jsonl: cannot be opened: no such file or directory; give the path")
	_, err = OpenFile(t.TempDir())
	require.ErrorContains(t, err, "is not a file")
	_, err = OpenFile(write(t, "x.gz", []byte{0x1f, 0x8b, 9, 9, 9, 9, 9, 9, 9, 9}))
	require.ErrorContains(t, err, "gzip cannot be read")
	lines, _, err := all(t, write(t, "empty", nil))
	require.NoError(t, err)
	require.Empty(t, lines)
}

func TestReader_takesVeryLongLines(t *testing.T) {
	long := `{"recv_ns":5,"kind":"rest","req":"depth","msg":{"x":"` + strings.Repeat("a", 12<<20) + `"}}`
	lines, st, err := all(t, write(t, "f.gz", gz(t, three+long+"\n"+three)))
	require.NoError(t, err)
	require.Len(t, lines, 7)
	require.Len(t, lines[3].Msg, 12<<20+8)
	require.EqualValues(t, len(three), lines[3].Offset)
	require.Zero(t, st.Damaged)
}

func TestReader_nextDoesNotAllocate(t *testing.T) {
	var text strings.Builder
	for i := range 60000 {
		fmt.Fprintf(&text, "{\"recv_ns\":%d,\"kind\":\"ws\",\"conn\":\"c%d\",\"msg\":{\"n\":\"%d\"}}\n", 1000+i, i%3, i)
	}
	for name, data := range map[string][]byte{"plain": []byte(text.String()), "gzip": gz(t, text.String()), "zstd": zst(t, text.String())} {
		r, err := OpenFile(write(t, "f", data))
		require.NoError(t, err)
		var l Line
		for range 20000 {
			require.True(t, r.Next(&l))
		}
		n := testing.AllocsPerRun(30, func() {
			for range 1000 {
				if !r.Next(&l) {
					t.Fatal("unexpected end")
				}
			}
		})
		require.LessOrEqual(t, n, 3.0, "%s: allocations in 1000 lines (a new huffman table now and then is the decompressor's)", name)
		require.NoError(t, r.Close())
	}
}

func TestMerge_ordersByTimeAndBreaksTiesByFile(t *testing.T) {
	text := func(name string, times ...any) string {
		var b strings.Builder
		for i, at := range times {
			fmt.Fprintf(&b, "{\"recv_ns\":%v,\"kind\":\"ws\",\"conn\":\"%s%d\",\"msg\":{}}\n", at, name, i)
		}
		return b.String()
	}
	open := func(text string) *Reader {
		r, err := OpenFile(write(t, "f", []byte(text)))
		require.NoError(t, err)
		return r
	}
	m := Merge(open(text("a", 10, 30, "null", 25, 40)), open(text("b", 10, 20, 30, 30)+"{\"recv_ns\":99,"), open(""), open(text("c", 5, 50)))
	var got []string
	for l := m.Next(); l != nil; l = m.Next() {
		got = append(got, fmt.Sprintf("%d:%d:%s", l.File, l.RecvNs, l.Conn))
	}
	require.Equal(t, []string{"3:5:c0", "0:10:a0", "1:10:b0", "1:20:b1", "0:30:a1", "0:30:a2", "0:30:a3", "1:30:b2", "1:30:b3", "0:40:a4", "3:50:c1"}, got)
	require.ErrorContains(t, m.Err(), "line 5")
	require.NoError(t, m.Close())
}

func TestWriter_writesWhatReaderReads(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.jsonl.zst")
	w, err := Create(path)
	require.NoError(t, err)
	in := []Line{
		{RecvNs: 5, Kind: Open, Conn: `a"b`, Request: "wss://x"},
		{RecvNs: 6, Kind: WS, Conn: "a", Msg: []byte(`{"p": "1.50", "e":"\/x"}`)},
		{RecvNs: 7, Kind: WS, Msg: []byte("no json \"\n\x01")},
		{RecvNs: 8, Kind: Rest, Request: "depth limit=5", Msg: []byte("{\n  \"a\": [1e-7]\r\n}")},
		{RecvNs: 8, Kind: WS, Msg: []byte(`{"cut":`)},
	}
	for i := range in {
		require.NoError(t, w.Write(&in[i]))
	}
	require.NoError(t, w.Close())
	out, st, err := all(t, path)
	require.NoError(t, err)
	require.Zero(t, st.Damaged)
	require.Len(t, out, len(in))
	in[3].Msg = []byte(`{   "a": [1e-7]  }`)
	for i := range in {
		out[i].No, out[i].Offset = 0, 0
		require.Equal(t, in[i], out[i])
	}
	_, err = Create(path)
	require.ErrorContains(t, err, "cannot be created")
}

// TestReader_readsTheRecordedTrio also prints what a line costs; the time is not asserted.
func TestReader_readsTheRecordedTrio(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "data", "binance")
	var files []*Reader
	for _, name := range []string{"spot-btcusdt", "usdm-btcusdt", "cm-btcusd_perp"} {
		r, err := OpenFile(filepath.Join(dir, name+".jsonl.gz"))
		if err != nil {
			t.Skip("the recorded data is not here: ", err)
		}
		files = append(files, r)
	}
	m := Merge(files...)
	start := cpu()
	lines, bytes := 0, int64(0)
	last := venue.Nanos(0)
	for l := m.Next(); l != nil; l = m.Next() {
		lines++
		if l.RecvNs < last {
			t.Fatal("unexpected time going back")
		}
		last = l.RecvNs
	}
	used := cpu() - start
	require.NoError(t, m.Err())
	for _, f := range files {
		bytes += f.Stats().Bytes
		require.Zero(t, f.Stats().Damaged)
		require.Zero(t, f.Stats().Backwards)
	}
	require.NoError(t, m.Close())
	require.Equal(t, 291914, lines)
	t.Logf("%d lines, %d bytes: %v of processor time per line", lines, bytes, used/time.Duration(lines))
}

func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func FuzzReader_neverPanics(f *testing.F) {
	for _, line := range strings.SplitAfter(three, "\n") {
		f.Add([]byte(line))
	}
	f.Add([]byte(`{ "msg":"\u00`))
	f.Fuzz(func(t *testing.T, line []byte) {
		line = bytes.ReplaceAll(line, []byte{'\n'}, nil)
		var r Reader
		var fast, slow fields
		padded := append(append([]byte{}, line...), make([]byte, wire.Slack)...)[:len(line)]
		var l Line
		r.read(padded, &l)
		if scanFast(line, &fast) && r.scanSlow(line, &slow) {
			require.Equal(t, string(slow.kind), string(fast.kind))
			require.Equal(t, string(slow.conn), string(fast.conn))
			require.Equal(t, string(slow.request), string(fast.request))
			require.Equal(t, string(slow.msg), string(fast.msg))
			require.Equal(t, slow.recv, fast.recv)
		}
	})
}
