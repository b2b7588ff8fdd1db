package audit

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/risk"
)

// day is 2026-11-25T00:00:00Z.
const day = venue.Nanos(1_795_564_800) * venue.Second

// catalogue has a spot instrument (1: price 2, qty 5 decimals) and an inverse one (2).
func catalogue() Catalogue {
	return Catalogue{
		Instruments: []*venue.Instrument{nil,
			{Inst: 1, Venue: 1, Symbol: "BTCUSDT", Name: "binance:BTCUSDT", Base: 1, Quote: 2, Settle: 2, Kind: venue.Spot, PriceScale: 2, QtyScale: 5,
				Multiplier: fixed.One, Fees: venue.Fees{Maker: 100_000, Taker: 100_000}},
			{Inst: 2, Venue: 2, Symbol: "BTCUSD_PERP", Name: `coinm:"BTC"`, Base: 1, Quote: 3, Settle: 1, Kind: venue.Perpetual, Contract: venue.Inverse,
				PriceScale: 2, QtyScale: 5, Face: 100_00000000, Fees: venue.Fees{Maker: -5_000, Taker: 50_000, In: venue.FeeInBase}}},
		Venues: []string{"", "binance", "binance-coinm"}, Currencies: []string{"", "BTC", "USDT", "USD"}, Strategies: []string{"arb", "quoting"},
		Rules: riskRules(), Reporting: 3, Mode: "backtest", Build: "test", Config: "cafe", Source: "beef",
	}
}

func config(dir string) Config {
	return Config{Dir: dir, Capacity: 256, FreeBytesMin: 1 << 10, Catalogue: catalogue()}
}

// session makes the records of a small session: start, then kinds in turn, and an end.
func records(n int, at venue.Nanos, step venue.Nanos) []Record {
	rnd := rand.New(rand.NewPCG(uint64(n), uint64(at)))
	rs := make([]Record, n)
	for i := range rs {
		fill(&rs[i], rnd, uint64(i+1), at+venue.Nanos(i)*step)
	}
	rs[0].Reset(1, at)
	rs[0].SetStart(7)
	return rs
}

// fill makes one plausible record of a kind that seq chooses.
func fill(r *Record, rnd *rand.Rand, seq uint64, at venue.Nanos) {
	r.Reset(seq, at)
	in := desk.Intent{Op: venue.New, Type: venue.Limit, TIF: venue.IOC, Side: venue.Side(1 + rnd.IntN(2)), Role: venue.RoleLeg, Inst: venue.Inst(1 + rnd.IntN(2)),
		Price: fixed.Price(rnd.Int64N(10_000_000)), Qty: fixed.Qty(rnd.Int64N(1_000_000)), BookSeq: rnd.Uint64(), NotAfter: at + venue.Millisecond, Edge: 12_345}
	switch seq % 8 {
	case 0:
		r.SetIntent(&in)
		r.SetVerdict(venue.AboveMaxNotional, 0, rnd.Int64N(1e12), 1e10, -5)
	case 1:
		p := desk.Plan{ID: 3, Strategy: 1, Shape: desk.TwoVenue, N: 2, Legs: [desk.MaxLegs]desk.Intent{in, in}, Edge: 5, Base: 100, MaxLoss: 1e9, Deadline: at + 5}
		r.SetPlan(&p)
		r.SetVerdict(venue.OK, 0, 0, 0, 0)
	case 2:
		r.SetOrder(&venue.Command{Op: venue.New, Type: venue.Limit, TIF: venue.IOC, Side: venue.Buy, Venue: 1, Inst: 1, Slot: 4, Client: 1<<40 | seq,
			Price: in.Price, Qty: in.Qty, Plan: 3, Leg: 1, Role: venue.RoleLeg, Config: 7, NotAfter: at + 5})
	case 3, 4:
		rep := venue.Report{Kind: venue.Fill, Flags: venue.Maker, Venue: 1, Inst: 1, Slot: 4, FeeCcy: 2, Client: 1<<40 | seq, Recv: at - 10, At: at - 20, Cum: 50, Fill: 20,
			Price: in.Price, Open: in.Qty, Fee: 1234, Seq: 9}
		rep.SetRef([]byte("trade\"\x01\xff-" + string(rune('a'+seq%26))))
		r.SetReport(&rep)
		r.SetOf(&desk.Order{Side: venue.Sell, Role: venue.RoleQuote, Strategy: 1})
	case 5:
		r.SetBook(1, 1, books.Stale, venue.SequenceGap, 77)
	case 6:
		r.SetBreaker(2, Opened, venue.Timeout, at+venue.Second)
	case 7:
		r.SetNaked(3, 2, 2, -100)
	}
}

// write runs one session of records through Open, Put, Drain and Close.
func write(t testing.TB, cfg Config, rs []Record) Summary {
	t.Helper()
	ring, w, err := Open(cfg)
	require.NoError(t, err)
	put(t, ring, w, rs)
	require.NoError(t, w.Close())
	s, err := Verify(cfg.Dir)
	require.NoError(t, err)
	require.True(t, s.OK)
	return s
}

// put hands records over in uneven pieces, draining when the ring is full.
func put(t testing.TB, ring *Ring, w *Writer, rs []Record) {
	t.Helper()
	for i, size := 0, 1; i < len(rs); size = size%23 + 1 {
		n := min(size, len(rs)-i)
		if !ring.Put(rs[i : i+n]) {
			_, err := w.Drain()
			require.NoError(t, err)
			continue
		}
		i += n
	}
}

func TestWriter_everyRecordIsOneChainedLine(t *testing.T) {
	dir := t.TempDir()
	rs := records(2000, day+venue.Second, 100*venue.Second) // three days
	rs[len(rs)-1].Reset(2000, rs[1998].At)
	rs[1999].SetEnd()
	s := write(t, config(dir), rs)
	require.EqualValues(t, 2000, s.Records)
	require.Equal(t, 3, s.Files)
	require.Equal(t, 1, s.Sessions)
	require.Zero(t, s.Unended)
	require.Equal(t, "2026-11-25T00:00:01.000000000Z", s.First)
	require.EqualValues(t, 2000, s.Head.Lines)
	require.Equal(t, uint64(1), s.Kinds["end"])

	next, err := NewFormatter(1, ptr(catalogue()))
	require.NoError(t, err)
	i := 0
	require.NoError(t, Show(dir, Filter{}, func(e *Entry) error {
		require.Equal(t, string(next.Append(nil, &rs[i])), string(e.Body()), "replay compares these")
		require.Equal(t, int64(rs[i].At), e.Time.UnixNano())
		require.Equal(t, rs[i].Kind.String(), e.Kind)
		i++
		return nil
	}))
	require.Equal(t, 2000, i)
}

func ptr[T any](v T) *T { return &v }

func TestOpen_sessionsFollowEachOtherInOneChain(t *testing.T) {
	dir := t.TempDir()
	write(t, config(dir), records(10, day+5*86400*venue.Second, 1))
	s := write(t, config(dir), records(20, day, 1)) // an earlier day: stays in the last file
	require.EqualValues(t, 30, s.Records)
	require.Equal(t, 1, s.Files)
	require.Equal(t, 2, s.Sessions)
	require.Equal(t, 2, s.Unended)
	cfg := config(dir)
	cfg.Epoch = 2
	_, _, err := Open(cfg)
	require.ErrorContains(t, err, "session 2 is not after the last one, 2")
	cfg.Epoch = 9
	require.EqualValues(t, 9, write(t, cfg, records(3, day, 1)).Head.Epoch)
}

func TestOpen_emptySessionsLeaveNoTrace(t *testing.T) {
	dir := t.TempDir()
	for range 3 {
		require.Zero(t, write(t, config(dir), nil).Records)
	}
	require.EqualValues(t, 4, write(t, config(dir), records(1, day, 1)).Head.Epoch)
}

func TestOpen_oneEnginePerFolder(t *testing.T) {
	dir := t.TempDir()
	_, w, err := Open(config(dir))
	require.NoError(t, err)
	_, _, err = Open(config(dir))
	require.ErrorContains(t, err, "in use by another engine")
	s, err := Verify(dir)
	require.NoError(t, err)
	require.True(t, s.Running)
	require.NoError(t, w.Close())
	s, err = Verify(dir)
	require.NoError(t, err)
	require.False(t, s.Running)
}

func TestOpen_refusesABadCapacityAndAFullDisk(t *testing.T) {
	cfg := config(t.TempDir())
	cfg.Capacity = 100
	_, _, err := Open(cfg)
	require.ErrorContains(t, err, "power of two")
	cfg.Capacity, cfg.FreeBytesMin = 256, 1<<60
	_, _, err = Open(cfg)
	require.ErrorContains(t, err, "no space left on device")
	require.NotContains(t, err.Error(), "\n")
	left, err := filepath.Glob(filepath.Join(cfg.Dir, "ring*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestDigest_isTheSameWhateverTheSession(t *testing.T) {
	rs := records(500, day, 1)
	sum := func(dir string, epoch uint64, change func(*Record)) [32]byte {
		own := append([]Record(nil), rs...)
		for i := range own {
			change(&own[i])
		}
		cfg := config(dir)
		cfg.Epoch = epoch
		ring, w, err := Open(cfg)
		require.NoError(t, err)
		put(t, ring, w, own)
		require.NoError(t, w.Close())
		return w.Decisions()
	}
	same := func(*Record) {}
	want := sum(t.TempDir(), 1, same)
	require.Equal(t, want, sum(t.TempDir(), 5, func(r *Record) {
		if r.Config != 0 {
			r.Config = 99
		}
		if r.Client != 0 {
			r.Client += 4 << 40
		}
	}))
	require.NotEqual(t, want, sum(t.TempDir(), 1, func(r *Record) {
		if r.Seq == 300 {
			r.Price++
		}
	}))
	d := NewDigest()
	d.Add(rs[:100])
	d.Add(rs[100:])
	require.Equal(t, want, d.Sum())
	require.Equal(t, want, d.Sum())
}

func TestTailAndShow_chooseEntries(t *testing.T) {
	dir := t.TempDir()
	rs := records(1000, day, 200*venue.Second)
	write(t, config(dir), rs)
	for _, n := range []int{0, 1, 7, 600, 999, 1000, 5000} {
		tail, err := Tail(dir, n)
		require.NoError(t, err)
		require.Len(t, tail, min(n, 1000))
		for i, e := range tail {
			require.EqualValues(t, 1000-len(tail)+i+1, e.Seq)
		}
	}
	n := 0
	require.NoError(t, Show(dir, Filter{Kind: "order", Venue: "binance", Plan: "3"}, func(e *Entry) error {
		require.EqualValues(t, 2, e.Seq%8)
		require.Equal(t, "binance:BTCUSDT", e.Instrument)
		n++
		if n == 50 {
			return ErrStop
		}
		return nil
	}))
	require.Equal(t, 50, n)
	// a running engine may be within a line
	name := filepath.Join(dir, "trades_2026-11-27.jsonl")
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(name, append(b, `{"seq":1001,"ep`...), 0o600))
	tail, err := Tail(dir, 1)
	require.NoError(t, err)
	require.EqualValues(t, 1000, tail[0].Seq)
	require.NoError(t, Show(dir, Filter{Since: tail[0].Time}, func(e *Entry) error {
		require.EqualValues(t, 1000, e.Seq)
		return nil
	}))
}

func TestFormatter_writesWhatAReaderNeeds(t *testing.T) {
	f, err := NewFormatter(7, ptr(catalogue()))
	require.NoError(t, err)
	at := day + 3*venue.Second + 45
	check := func(want string, set func(*Record)) {
		t.Helper()
		var r Record
		r.Reset(42, at)
		set(&r)
		got := string(f.Append(nil, &r)) + "}"
		require.JSONEq(t, `{"seq":42,"epoch":7,"time":"2026-11-25T00:00:03.000000045Z",`+want+`}`, got)
		require.NoError(t, json.Unmarshal([]byte(got), new(Entry)), "readers take every line")
	}
	in := desk.Intent{Op: venue.New, Type: venue.Limit, TIF: venue.IOC, Side: venue.Buy, Role: venue.RoleTake, Strategy: 0, Inst: 1, Price: 5_000_001, Qty: 150_000,
		BookSeq: 9_007_199_254_740_993, NotAfter: at, Edge: 150_000, ReduceOnly: true}
	check(`"kind":"decision","verdict":"refused","reason":"above_max_notional","rule":"max_notional","value":"75000.015","limit":"50000","headroom":"-25000.015",
		"unit":"USD","strategy":"arb","venue":"binance","instrument":"binance:BTCUSDT","op":"new","type":"limit","tif":"ioc","side":"buy","role":"take","price":"50000.01",
		"qty":"1.5","edge":"0.0015","book_seq":"9007199254740993","not_after":"2026-11-25T00:00:03.000000045Z","reduce_only":true`, func(r *Record) {
		r.SetIntent(&in)
		r.SetVerdict(venue.AboveMaxNotional, uint8(ruleNamed("max_notional")), 7_500_001_500_000, 5_000_000_000_000, -2_500_001_500_000)
	})
	check(`"kind":"plan","verdict":"refused","reason":"above_max_qty","rule":"max_qty","value":"2","limit":"1.5","headroom":"-0.5","unit":"qty","strategy":"quoting",
		"shape":"triangle","policy":"in_turn","on_fail":"hold","plan":"4","legs":2,"refused_leg":1,"edge":"0","base":"0.00007","max_loss":"12.5"`, func(r *Record) {
		p := desk.Plan{ID: 4, Strategy: 1, Shape: desk.Triangle, Policy: desk.InTurn, OnFail: desk.Hold, N: 2, Base: 7, MaxLoss: 12_50000000}
		p.Legs[0].Inst, p.Legs[1].Inst = 2, 1
		r.SetPlan(&p)
		r.SetVerdict(venue.AboveMaxQty, uint8(ruleNamed("max_qty")), 200_000, 150_000, -50_000)
		r.SetRefusedLeg(&p, 1)
	})
	for _, c := range []struct {
		rule, unit, value string
		inst              venue.Inst
	}{{"balance", "USDT", "0.5", 1}, {"margin", "BTC", "0.5", 2}, {"min_notional", "USD", "0.5", 2}, {"short", "BTC", "0.5", 1}, {"short", "qty", "500", 2},
		{"collar", "fraction", "0.5", 1}, {"book_age", "seconds", "0.05", 1}, {"open_venue", "count", "50000000", 1}, {"fx", "raw", "50000000", 1},
		{"tick", "price", "500000", 1}, {"gross", "USD", "0.5", 1}} {
		var r Record
		r.Reset(1, at)
		r.SetIntent(&desk.Intent{Inst: c.inst})
		r.SetVerdict(venue.Overflowed, uint8(ruleNamed(c.rule)), 50_000_000, 0, 0)
		require.Contains(t, string(f.Append(nil, &r)), `"value":"`+c.value+`","limit":"0","headroom":"0","unit":"`+c.unit+`"`, c.rule)
	}
	check(`"kind":"report","report":"sent","venue":"binance","instrument":"binance:BTCUSDT","client":"5","slot":3,"op":"cancel","sent":"maybe"`, func(r *Record) {
		r.SetReport(&venue.Report{Kind: venue.SentReport, Flags: uint8(venue.Maybe), Venue: 1, Inst: 1, Client: 5, Slot: 3, Seq: uint64(venue.Cancel)})
	})
	check(`"kind":"report","report":"balance","venue":"binance-coinm","balance":"-0.00000001","ccy":"BTC"`, func(r *Record) {
		r.SetReport(&venue.Report{Kind: venue.Balance, Venue: 2, Cum: -1, FeeCcy: 1})
	})
	check(`"kind":"book","venue":"binance-coinm","instrument":"coinm:\"BTC\"","state":"stale","reason":"too_old","book_seq":"3"`, func(r *Record) {
		r.SetBook(2, 2, books.Stale, venue.TooOld, 3)
	})
	check(`"kind":"instrument","venue":"binance","instrument":"binance:BTCUSDT","status":"halted","reason":"off_scale","tick":"0.1","lot":"0.001","min_qty":"0.002","max_qty":"9","min_notional":"5","maker_fee":"0.0005","taker_fee":"0.001"`, func(r *Record) {
		in := venue.Instrument{Inst: 1, Venue: 1, Status: venue.Halted, Fees: venue.Fees{Maker: 5 * fixed.Bps, Taker: 10 * fixed.Bps}}
		in.SetRules(venue.Rules{Tick: 10, Lot: 100, MinQty: 200, MaxQty: 900_000, MinNotional: 5_00000000})
		r.SetListed(&in, venue.OffScale)
	})
	check(`"kind":"clock","venue":"binance-coinm","reason":"clock_offset","offset_ms":"-600.5","within_ms":"2","limit_ms":"500"`, func(r *Record) {
		r.SetClock(2, -600_500*venue.Microsecond, 2*venue.Millisecond, 500*venue.Millisecond, true)
	})
	check(`"kind":"breaker","state":"half_open"`, func(r *Record) { r.SetBreaker(0, HalfOpen, venue.OK, 0) })
	check(`"kind":"operator","venue":"binance","action":"kill","operator":"12"`, func(r *Record) { r.SetOperator(venue.OpKill, 1, 12, venue.OK) })
	check(`"kind":"operator","venue":"binance","action":"lift","strategy":"quoting","operator":"2"`, func(r *Record) {
		var e venue.Event
		e.SetOperator(venue.OpLift, 1, 2, 0)
		e.SetStrategy(1)
		r.SetCommand(&e)
	})
	check(`"kind":"operator","action":"note","operator":"2","text":"anna: the venue is well again, a"`, func(r *Record) {
		var e venue.Event
		require.Equal(t, "nd quiet", string(e.SetNote([]byte("anna: the venue is well again, and quiet"), 2, 0)))
		r.SetCommand(&e)
	})
	check(`"kind":"leg","strategy":"quoting","instrument":"99","op":"out_of_range","price":"5","plan":"8","leg":1`, func(r *Record) {
		p := desk.Plan{ID: 8, Strategy: 1}
		p.Legs[1] = desk.Intent{Op: 77, Inst: 99, Price: 5}
		r.SetLeg(&p, 1)
	})
	var unnamed Record
	unnamed.SetIntent(&desk.Intent{Strategy: 9})
	var e Entry
	require.NoError(t, json.Unmarshal(append(f.Append(nil, &unnamed), '}'), &e))
	require.Equal(t, "9", e.Strategy, "text, as every reader wants it")
}

func riskRules() []string {
	var names []string
	for i := range risk.Rules {
		names = append(names, risk.Rule(i).String())
	}
	return names
}

func ruleNamed(name string) int {
	i := slices.Index(riskRules(), name)
	if i < 0 {
		panic("no rule " + name)
	}
	return i
}

func TestUnits_areOfRulesThatExist(t *testing.T) {
	for name := range unitOf {
		require.Contains(t, riskRules(), name)
	}
}

func TestLine_timeEqualsTheLibrary(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	var l line
	for range 5000 {
		at := venue.Nanos(rnd.Int64() - rnd.Int64())
		l.b = l.b[:0]
		l.time("", at)
		require.Equal(t, `"`+time.Unix(0, int64(at)).UTC().Format("2006-01-02T15:04:05.000000000Z07:00")+`"`, string(l.b))
	}
}

func TestStartLine_describesTheInstruments(t *testing.T) {
	dir := t.TempDir()
	write(t, config(dir), records(1, day, 1))
	b, err := os.ReadFile(filepath.Join(dir, "trades_2026-11-25.jsonl"))
	require.NoError(t, err)
	line := string(b)
	for _, want := range []string{`"mode":"backtest"`, `"config":"cafe"`, `"source":"beef"`, `"reporting":"USD"`, `"face":"100"`, `"maker":"-0.00005"`, `"fee_in":"base"`, `"config_id":"0000000000000007"`} {
		require.Truef(t, strings.Contains(line, want), "missing %s in %s", want, line)
	}
	require.NotContains(t, line, "waiver")
}

func TestVerify_describesEachSession(t *testing.T) {
	dir := t.TempDir()
	rs := records(3, day, venue.Second)
	rs[2].Reset(3, rs[2].At)
	rs[2].SetEnd()
	cfg := config(dir)
	cfg.Catalogue.Waiver = "as \"agreed\"\nwith the desk"
	write(t, cfg, rs)
	s := write(t, config(dir), records(1, day+venue.Second, 1)) // killed
	began := time.Unix(0, int64(day)).UTC()
	require.Equal(t, []Session{{"backtest", "beef", cfg.Catalogue.Waiver, began, began.Add(2 * time.Second)}, {"backtest", "beef", "", began.Add(time.Second), time.Time{}}}, s.Each)
}
