package engine

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/engine/audit"
	"oneprice/risk"
	"oneprice/risk/ledger"
	"oneprice/risk/stops"
)

var update = flag.Bool("update", false, "rewrite the expected output of the scripts in testdata")

// TestStep_scripts runs every script in testdata. A script is a list of inputs; what each step records and sends stands
// behind "> " after it. Inputs, gathered until the next step:
//
//	book a:X seq 5 bid 100@5 99@7 ask 101@4     snapshot
//	delta a:X first 6 seq 7 bid 100@0 ask …
//	trade a:X buy 101@2
//	say new buy a:X 101@5 ioc|gtc|post [plan]   the scripted strategy asks for it in the next step
//	say cancel a:X ORDER                        orders are named #1, #2 … in the order of opening
//	plan a:X buy 101@5 / b:X sell 103@5 [in_turn] [unwind]
//	report ack|fill|cancelled|expired|rejected|… #1 [Q@P] [cum N]
//	sent out|maybe|not_sent #1 new|cancel|amend
//	stop NAME a:X[,b:X] loss N | level long|short P [limit P] | trail BPS      before the first step
//	restart                                     what was kept, held and stands at venues begins a new engine
//	kill, lift, arm, room audit full|free, gap a:X, heartbeat a:X, fx USD 1.0001
//	status a:X halted; rules a:X TICK LOT MINQTY; fees a:X MAKER TAKER; clock VENUE MS WITHIN
//	step NOW                                    NOW in milliseconds
func TestStep_scripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(f)
			require.NoError(t, err)
			got := newScript(t).run(string(text))
			if *update {
				require.NoError(t, os.WriteFile(f, []byte(got), 0o644))
				return
			}
			require.Equal(t, string(text), got, "unexpected output of %s; run go test ./engine -update and read the diff", f)
		})
	}
}

// script is an engine with three instruments: a:X and b:X linear spot against USD, c:X an inverse perpetual.
type script struct {
	t     *testing.T
	e     *Engine
	epoch uint64
	d     *desk.Desk
	batch Batch
	out   Out
	kill  venue.Kill
	say   []desk.Intent
	plans []desk.Plan
	slots []uint32 // slots[n-1] is order #n
	names map[string]venue.Inst
	log   bytes.Buffer
	stops []stops.Stop
	kept  map[string]stops.Keep // the newest of each name
}

func (s *script) Name() string { return "scripted" }

func (s *script) Decide(_ *desk.Desk, out *desk.Out) {
	for _, in := range s.say {
		*out.Intent() = in
	}
	for _, p := range s.plans {
		*out.Plan() = p
	}
	s.say, s.plans = s.say[:0], s.plans[:0]
}

const (
	ccyUSD venue.Ccy = 1
	ccyX   venue.Ccy = 2
)

func newScript(t *testing.T) *script {
	one := fixed.One
	ins := []*venue.Instrument{nil,
		{Inst: 1, Venue: 1, Name: "a:X", Kind: venue.Spot, Settle: ccyUSD, Fees: venue.Fees{Maker: 5 * fixed.Bps, Taker: 10 * fixed.Bps}},
		{Inst: 2, Venue: 2, Name: "b:X", Kind: venue.Spot, Settle: ccyUSD, Fees: venue.Fees{Maker: 5 * fixed.Bps, Taker: 10 * fixed.Bps}},
		{Inst: 3, Venue: 2, Name: "c:X", Kind: venue.Perpetual, Contract: venue.Inverse, Face: 100_00000000, Settle: ccyX, Fees: venue.Fees{Taker: 5 * fixed.Bps}},
	}
	s := &script{t: t, names: map[string]venue.Inst{}, kept: map[string]stops.Keep{}}
	for _, in := range ins[1:] {
		in.Product, in.Base, in.Quote, in.Symbol, in.Status = 1, ccyX, ccyUSD, in.Name, venue.Trading
		in.Tick, in.Lot, in.MinQty, in.Multiplier, in.Chain = 1, 1, 1, one, venue.ChainRange
		s.names[in.Name] = in.Inst
	}
	s.begin(ins, nil)
	return s
}

// begin makes the engine of a session that begins with holdings.
func (s *script) begin(ins []*venue.Instrument, held []ledger.Holding) {
	s.d = desk.New(ins, 2, 2, 16, ccyUSD, books.Config{})
	led, err := ledger.New(s.d, ledger.Config{Positions: held, Balances: []ledger.Opening{{Venue: 1, Ccy: ccyUSD, Amount: 1e14}, {Venue: 2, Ccy: ccyUSD, Amount: 1e14},
		{Venue: 1, Ccy: ccyX, Amount: 1e12}, {Venue: 2, Ccy: ccyX, Amount: 1e12}}})
	require.NoError(s.t, err)
	gate, err := risk.New(wideLimits(), s.d, &s.kill)
	require.NoError(s.t, err)
	s.epoch++
	s.e = New(Config{Desk: s.d, Ledger: led, Gate: gate, Strategies: []desk.Strategy{s}, Stops: s.newStops(), Epoch: s.epoch, Fingerprint: 77, Plans: 4, Intents: 16,
		AnswerWithin: venue.Second, MarkEvery: 10 * venue.Millisecond, SweepEvery: 10 * venue.Millisecond,
		MaxAge: []venue.Nanos{0, venue.Second, venue.Second, venue.Second}, FX: []RateSource{{Inst: 1, Ccy: ccyX}}})
}

// wideLimits never bind in a script that does not aim at them.
func wideLimits() risk.Config {
	wide := fixed.Cash(1e15)
	rate := risk.Rate{N: 1000, Per: venue.Second, Burst: 1000}
	c := risk.Config{Fingerprint: 77, Instruments: make([]risk.InstrumentLimits, 4), Products: make([]risk.ProductLimits, 2), Venues: make([]risk.VenueLimits, 3),
		Strategies: make([]risk.StrategyLimits, 2), Currencies: make([]risk.CurrencyLimits, 3)}
	for i := 1; i <= 3; i++ {
		c.Instruments[i] = risk.InstrumentLimits{Allowed: true, MaxQty: 1e6, MaxPosition: 1e7, MaxNotional: wide, Collar: fixed.One / 2,
			Reference: risk.Reference{Smooth: venue.Second, MaxAge: 10 * venue.Second}, Guard: fixed.One / 5, MaxAge: venue.Second, MaxLag: venue.Second,
			MaxOpen: 8, MayShort: true, Margin: fixed.One / 10, Session: risk.AllDay}
	}
	c.Products[1] = risk.ProductLimits{MaxBase: 1e12}
	for v := 1; v <= 2; v++ {
		c.Venues[v] = risk.VenueLimits{Allowed: true, MaxGross: wide, MaxNet: wide, MaxOpen: 8, Orders: rate, Messages: rate, CancelReserve: 10, Soft: rate,
			OrdersPerDay: 1e6, TradesPerDay: 1e6, MaxClockOffset: venue.Second, Breaker: risk.DefaultBreaker}
	}
	for i := range c.Strategies {
		c.Strategies[i] = risk.StrategyLimits{Allowed: true, Orders: rate, Messages: rate, OrdersPerDay: 1e6, DuplicateWindow: 1, MaxLossStreak: 100,
			MaxRepeats: 100, RepeatWindow: venue.Second}
	}
	for i := 1; i <= 2; i++ {
		c.Currencies[i] = risk.CurrencyLimits{MaxAge: 10 * venue.Second, Haircut: fixed.Bps}
	}
	c.Global = risk.GlobalLimits{MaxGross: wide, MaxNet: wide, MaxOpen: 16, OrdersPerDay: 1e6, TradesPerDay: 1e6, MaxDailyLoss: wide, MaxDrawdown: wide,
		MaxLeverage: 100 * fixed.One, MaxPlanLoss: wide, MaxMarkAge: 10 * venue.Second, MaxDelay: 10 * venue.Second, Breaker: risk.DefaultBreaker}
	return c
}

// run executes a script and returns it with what came out.
func (s *script) run(text string) string {
	out := &s.log
	sc := bufio.NewScanner(strings.NewReader(text))
	for sc.Scan() {
		line := sc.Text()
		if strings.HasPrefix(line, "> ") {
			continue
		}
		fmt.Fprintln(out, line)
		f := strings.Fields(line)
		if len(f) == 0 || strings.HasPrefix(line, "#") {
			continue
		}
		s.line(f, out)
	}
	return out.String()
}

func (s *script) line(f []string, out *bytes.Buffer) {
	switch f[0] {
	case "book", "delta":
		s.frame(f)
	case "say":
		s.sayLine(f[1:])
	case "plan":
		s.planLine(f[1:])
	case "report":
		s.reportLine(f[1:])
	case "sent":
		o := s.order(f[2])
		sent := map[string]venue.Sent{"out": venue.Out, "maybe": venue.Maybe, "not_sent": venue.NotSent}[f[1]]
		op := map[string]venue.Op{"new": venue.New, "cancel": venue.Cancel, "amend": venue.Amend}[f[3]]
		s.batch.Reports = append(s.batch.Reports, venue.Report{Kind: venue.SentReport, Flags: uint8(sent), Seq: uint64(op), Inst: o.Inst, Venue: o.Venue, Slot: o.Slot, Client: o.Client})
	case "stop":
		s.stopLine(f[1:])
	case "restart":
		s.restart()
	case "kill", "lift", "disarm", "arm", "room", "gap", "heartbeat", "fx", "status", "rules", "fees", "clock":
		s.control(f)
	case "step":
		s.step(venue.Nanos(1_800_000_000_000+s.number(f[1]))*venue.Millisecond, out)
	default:
		s.t.Fatalf("unknown line %q", strings.Join(f, " "))
	}
}

// next is the millisecond after the last step's.
func (s *script) next() string {
	return strconv.FormatInt(int64(s.d.Now/venue.Millisecond)-1_800_000_000_000+1, 10)
}

func (s *script) number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	require.NoError(s.t, err)
	return n
}

func (s *script) inst(name string) venue.Inst {
	i, ok := s.names[name]
	require.True(s.t, ok, "unknown instrument %s", name)
	return i
}

// order is the order named #n; a script that names one which was not opened is at fault.
func (s *script) order(name string) *desk.Order {
	n := int(s.number(strings.TrimPrefix(name, "#")))
	if n > len(s.slots) {
		s.t.Fatalf("order %s was never opened; so far:\n%s", name, s.log.String())
	}
	return s.d.Order(s.slots[n-1])
}

// level reads P@Q.
func (s *script) level(text string) (fixed.Price, fixed.Qty) {
	p, q, ok := strings.Cut(text, "@")
	require.True(s.t, ok, "%q is not P@Q", text)
	return fixed.Price(s.number(p)), fixed.Qty(s.number(q))
}

func (s *script) step(now venue.Nanos, out *bytes.Buffer) {
	s.batch.Now = now
	for i := range s.batch.Events {
		if e := &s.batch.Events[i]; e.Kind == venue.Head {
			e.W[0] = int64(now)
		} else if e.Kind != venue.Levels && e.Kind != venue.FX {
			e.W[4] = int64(now)
		}
	}
	s.e.Step(&s.batch, &s.out)
	for _, k := range s.out.Keeps {
		s.kept[k.Name] = k
	}
	for i := range s.out.Records {
		fmt.Fprintln(out, "> "+s.show(&s.out.Records[i]))
	}
	for i := range s.out.Commands {
		fmt.Fprintf(out, "> command %s %s\n", s.out.Commands[i].Op, s.orderName(s.out.Commands[i].Slot))
	}
	for _, i := range s.out.Resync {
		fmt.Fprintf(out, "> resync %s\n", s.d.Instrument(i).Name)
	}
	s.batch = Batch{}
}

// orderName is #n for the n-th slot opened.
func (s *script) orderName(slot uint32) string {
	for n, x := range s.slots {
		if x == slot {
			return fmt.Sprintf("#%d", n+1)
		}
	}
	s.slots = append(s.slots, slot)
	return fmt.Sprintf("#%d", len(s.slots))
}

// show is one record as the scripts print it.
func (s *script) show(r *audit.Record) string {
	name := "-"
	if r.Inst != 0 {
		name = s.d.Instrument(r.Inst).Name
	}
	switch r.Kind {
	case audit.Decision, audit.Leg:
		return fmt.Sprintf("%s %s %s %s %d@%d %s rule=%s", r.Kind, r.Op, r.Side, name, r.Price, r.Qty, r.Reason, risk.Rule(r.Rule))
	case audit.Planned:
		return fmt.Sprintf("plan %d legs=%d %s rule=%s", r.Plan, r.Leg, r.Reason, risk.Rule(r.Rule))
	case audit.Order:
		return fmt.Sprintf("order %s %s %s %s %d@%d role=%s", s.orderName(r.Slot), r.Op, r.Side, name, r.Price, r.Qty, r.Role)
	case audit.Reported:
		o := s.d.Order(r.Slot)
		return fmt.Sprintf("report %s %s %s now %s filled %d position %d", venue.ReportKind(r.Sub), s.orderName(r.Slot), r.Reason, o.State, o.Filled, s.d.Position(r.Inst).Qty)
	case audit.Book:
		return fmt.Sprintf("book %s %s %s seq=%d", name, books.State(r.Sub), r.Reason, r.BookSeq)
	case audit.Breaker:
		return fmt.Sprintf("breaker of venue %d %s", r.Venue, audit.BreakerState(r.Sub))
	case audit.Stop:
		return fmt.Sprintf("stop %s %s %s touch %d level %d loss %d qty %d", s.e.cfg.Stops.Names()[r.Link], stops.Act(r.Sub), name, r.Price, r.Stop, r.Value/1e8, r.Qty)
	case audit.Listed:
		return fmt.Sprintf("instrument %s %s %s tick=%d lot=%d min=%d maker=%d taker=%d", name, venue.Status(r.Sub), r.Reason, r.Price, r.Qty, r.Cum, r.Edge, r.Allowance)
	case audit.Clock:
		return fmt.Sprintf("clock of venue %d %s %d of %d", r.Venue, r.Reason, r.Value, r.Limit)
	case audit.Naked:
		return fmt.Sprintf("naked plan %d %s %d", r.Plan, name, r.Qty)
	}
	return fmt.Sprintf("%s %s", r.Kind, r.Reason)
}
