package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"oneprice/books/desk"
	"oneprice/books/venue"
	"oneprice/engine"
	"oneprice/engine/audit"
	"oneprice/feeds/wire"
)

// at are the flags that point a command at simulators.
func at(s *Simulators) (flags []string) {
	e := s.Edges()
	for _, v := range s.Venues {
		flags = append(flags, "--ws", v.name+"="+e.WS[v.name], "--rest", v.name+"="+e.REST[v.name])
	}
	return flags
}

func TestMain_runTradesAgainstSimulatorsAtAnAddress(t *testing.T) {
	t.Parallel()
	sims := simulated(t)
	var r ran
	var v LiveResult
	for span := 3 * time.Second; v.Orders == 0 && span < patience; span *= 2 { // its start alone may take that on a busy machine
		r, v = run(t, append(at(sims), "run", "--config", "demo", "--for", span.String(), "--out", t.TempDir(), "--metrics", "", "--json")...), LiveResult{}
		require.Equal(t, ExitOK, r.code, r.err)
		require.NoError(t, json.Unmarshal([]byte(r.out), &v))
	}
	require.Equal(t, 6, v.BooksLive, "%v", v.NotLive)
	require.NotZero(t, v.Orders)
	require.True(t, v.AuditOK)
	require.NotContains(t, r.err, "level=", "nothing was wrong")
}

func TestMain_whatRecordWritesBacktestReads(t *testing.T) {
	t.Parallel()
	sims, dir := simulated(t), t.TempDir()
	r := run(t, append(at(sims), "record", "--config", "demo", "--for", "4s", "--out", dir, "--json")...)
	require.Equal(t, ExitOK, r.code, r.err)
	var rec RecordReport
	require.NoError(t, json.Unmarshal([]byte(r.out), &rec))
	require.Len(t, rec.Files, 3, "one per venue")
	config := filepath.Join(t.TempDir(), "demo.yaml")
	require.NoError(t, os.WriteFile(config, []byte(example(t, "demo")), 0o600))
	r = run(t, append([]string{"backtest", "--config", config, "--out", t.TempDir(), "--json"}, rec.Files...)...)
	require.Equal(t, ExitOK, r.code, r.err)
	var v Result
	require.NoError(t, json.Unmarshal([]byte(r.out), &v))
	require.Equal(t, rec.Messages, v.Frames, "every message is read back")
	require.Len(t, v.Instruments, 6)
	for _, in := range v.Instruments {
		require.Equal(t, "live", in.State, "%+v", in)
		require.Zero(t, in.Gaps, "%+v", in)
		require.NotZero(t, in.DiffsApplied, "%+v", in)
	}
}

func TestLive_endsWithNothingOpen(t *testing.T) {
	sims := simulated(t)
	for _, p := range []engine.Policy{engine.Spin, engine.Park, engine.Inline} {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			r := trade(t, sims.Edges(), &logged{}, func(o *LiveOptions) { o.Wait = p.String() }, func(l *Live) bool { return openOrders(l) > 0 })
			require.Equal(t, []string{}, r.OpenAtExit)
			disarmed := 0
			require.NoError(t, audit.Show(r.AuditDir, audit.Filter{}, func(e *audit.Entry) error {
				if strings.Contains(string(e.Raw), `"kind":"operator","action":"disarm"`) {
					disarmed++
				}
				require.False(t, disarmed > 0 && e.Kind == "order" && strings.Contains(string(e.Raw), `"op":"new"`) && strings.Contains(string(e.Raw), `"role":"quote"`), "%s", e.Raw)
				return nil
			}))
			require.Equal(t, 1, disarmed)
		})
	}
}

func TestLive_namesWhatIsStillOpen(t *testing.T) {
	c, err := ReadConfig("demo", nil)
	require.NoError(t, err)
	a, err := Assemble(c, &Facts{Prices: []FoundPrice{{"binance:BTCUSDT", "60000"}, {"binance:ETHUSDT", "3000"}}})
	require.NoError(t, err)
	l := &Live{Trading: &Trading{Assembly: a}}
	require.NoError(t, l.decider(1))
	in := l.Find("binance:BTCUSDT")
	d := l.Engine.Desk()
	d.Orders[3] = desk.Order{State: desk.Unknown, Side: venue.Sell, Inst: in.Inst, Price: 60_000_00, Qty: 150_000}
	d.Live[in.Inst] = append(d.Live[in.Inst], 3)
	require.Len(t, l.open(), 1)
	require.Regexp(t, `^binance:BTCUSDT sell [0-9.]+ at [0-9.]+: unknown$`, l.open()[0])
}

func TestFaultLog_tellsEachFaultOnceAndThenCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &logged{}
		f := newFaultLog(slog.New(slog.NewTextHandler(out, nil)))
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() {
			defer close(done)
			f.run(ctx)
		}()
		hear := f.of("k")
		for port := range 30 { // once in a second
			hear(&wire.Error{Venue: "kraken", Op: "read", Kind: wire.Transient, Err: fmt.Errorf("read tcp 127.0.0.1:%d: reset", 4000+port)})
			<-time.After(time.Second)
		}
		hear(&wire.Error{Venue: "kraken", Op: "subscribe", Kind: wire.Refused, Err: errors.New(strings.Repeat("no ", 500))})
		stop()
		<-done
		require.Len(t, out.with(`level=WARN msg="kraken: read: transient: read tcp 127.0.0.1:4000: reset" venue=k op=read kind=transient`), 1)
		again := out.with(`msg="again: kraken: read: transient: read tcp 127.0.0.1:4000: reset"`)
		require.Len(t, again, 3, "%q", again)
		require.Regexp(t, "times=(9|10)\n$", again[0])
		long := out.with("kraken: subscribe: refused: no no")
		require.Len(t, long, 1)
		require.Less(t, len(long[0]), 500)
	})
}

func TestFaultLog_isBoundedAndNeverWaits(t *testing.T) {
	out := &logged{}
	f := newFaultLog(slog.New(slog.NewJSONHandler(out, nil)))
	hear := f.of("v")
	for i := range 2 * faultsQueued { // nobody reads
		hear(&wire.Error{Venue: "v", Op: "decode", Err: fmt.Errorf("%c%c%c", 'a'+i/676, 'a'+i/26%26, 'a'+i%26)})
	}
	ctx, stop := context.WithCancel(context.Background())
	stop()
	f.run(ctx)
	require.Equal(t, faultsKnown+1, len(f.known))
	require.Len(t, out.with(`"msg":"`+faultsFurther+`"`), 1)
	require.Len(t, out.with(`"msg":"more faults than could be written","times":1024`), 1)
}

func TestScreen_logLinesStandAboveTheDrawing(t *testing.T) {
	var b bytes.Buffer
	s := &screen{w: &b, tty: true}
	s.put([]byte("one\ntwo\n"))
	_, err := io.WriteString(s, "fault\n")
	require.NoError(t, err)
	s.put([]byte("three\n"))
	require.Equal(t, "one\ntwo\n"+"\x1b[2A\x1b[J"+"fault\none\ntwo\n"+"\x1b[2A\x1b[J"+"three\n", b.String())
}

func TestSpinners_haveAProcessorEach(t *testing.T) {
	out := &logged{}
	log := slog.New(slog.NewTextHandler(out, nil))
	f := func(p engine.Policy, conns, n int, want engine.Policy, connsSpin bool, line string) {
		t.Helper()
		got, spin := spinners(p, conns, n, log)
		require.Equal(t, want, got)
		require.Equal(t, connsSpin, spin)
		require.Len(t, out.with(line), map[bool]int{true: 1}[line != ""], "%q", out.b.String())
		out.b.Reset()
	}
	f(engine.Spin, 3, 5, engine.Spin, true, "")
	f(engine.Spin, 3, 4, engine.Spin, false, "the engine and 3 connections need 5 processors and there are 4, so the connections park")
	f(engine.Spin, 3, 1, engine.Park, false, "there is one processor, so engine and connections park")
	f(engine.Park, 3, 64, engine.Park, false, "")
	f(engine.Inline, 3, 64, engine.Inline, false, "")
}

func TestSim_venuesTakeThePortsAfterTheFirst(t *testing.T) {
	f := func(address string, n int, want string) {
		t.Helper()
		got, err := portAfter(address, n)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	f("127.0.0.1:0", 2, "127.0.0.1:0")
	f("127.0.0.1:9000", 2, "127.0.0.1:9002")
	f("[::1]:9000", 0, "[::1]:9000")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	r := run(t, "sim", "--listen", ln.Addr().String())
	require.Equal(t, ExitFailed, r.code)
	require.Contains(t, r.err, "address already in use")
	require.Equal(t, 1, strings.Count(r.err, "\n"))
	r = run(t, "sim", "--listen", "localhost")
	require.Equal(t, ExitUsage, r.code)
}
