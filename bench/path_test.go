package bench

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"oneprice/arb"
	"oneprice/bench/market"
	"oneprice/bench/naive"
	"oneprice/bench/pair"
	"oneprice/bench/reference"
	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/engine/audit"
	"oneprice/feeds/binance"
	"oneprice/feeds/sign"
	"oneprice/risk"
)

// names of venues and strategies, by index.
var (
	venueNames    = []string{"", "v1", "v2", "v3", "v4", "v5", "v6"}
	strategyNames = []string{"", "arb", "quoting"}
)

// burst is how many messages run between two looks at the clock: few enough that plans at work are few, as they are in
// life.
const burst = 8

func rig(b testing.TB, c market.Config) *market.Rig {
	c.Audit = folder(b)
	r, err := market.NewRig(c)
	require.NoError(b, err)
	b.Cleanup(func() { r.Close() })
	return r
}

// gate is the baseline's gate over the books and limits of a rig.
func gate(r *market.Rig) *naive.Gate {
	limits := r.Limits()
	g := naive.NewGate(&limits, r.Engine.Desk(), venueNames, strategyNames, time.Now)
	g.Worth(decimal.Zero, decimal.New(35_000_000, 0), time.Now())
	return g
}

// bot is the baseline over the books of a rig.
func bot(b testing.TB, r *market.Rig, signed bool) *naive.Bot {
	f, err := os.Create(filepath.Join(folder(b), "audit.jsonl"))
	require.NoError(b, err)
	b.Cleanup(func() { f.Close() })
	c := naive.Config{Gate: gate(r), Venues: venueNames[1:],
		TakerFee: decimal.New(4, -4), MakerFee: decimal.New(2, -4), Audit: f}
	if signed {
		c.Key, c.Secret = market.Key, market.Secret
	}
	bot := naive.NewBot(c)
	for v, name := range venueNames[1:] {
		moved := int64(0)
		if v == 1 {
			moved = market.Above
		}
		require.NoError(b, bot.Snapshot(name, market.NewDepth("BTCUSDT", r.Levels, 1).Snapshot(1000, moved)))
	}
	return bot
}

// ahead receives the messages of a burst outside of what is timed; every burst is as long as the first.
type ahead struct {
	depths []*market.Depth
	msgs   [][]byte
	k      int
}

func (a *ahead) fill(n int) {
	for len(a.msgs) < n {
		a.msgs = append(a.msgs, nil)
	}
	for i := range a.msgs {
		a.msgs[i] = market.Received(a.msgs[i], a.depths[a.k].Next())
		a.k = (a.k + 1) % len(a.depths)
	}
}

// ours is the product's path from message to order.
func ours(name string, r *market.Rig) pair.Candidate {
	a := ahead{depths: r.Depths}
	orders := 1
	if r.Calm {
		orders = 0
	}
	return pair.Candidate{Name: name, Burst: burst,
		Before: func(n int) { r.Answer(); a.fill(n) },
		Run: func(int) {
			for _, m := range a.msgs {
				if r.Tick(m) != orders {
					panic("bench: a message without its order")
				}
			}
		}}
}

// theirs is the baseline's.
func theirs(name string, bot *naive.Bot, levels int) pair.Candidate {
	a := ahead{depths: []*market.Depth{market.NewDepth("BTCUSDT", levels, 1)}}
	started := false
	return pair.Candidate{Name: name, Burst: burst,
		Before: func(n int) { bot.Answer(); a.fill(n) },
		Run: func(int) {
			for _, m := range a.msgs {
				if n := bot.Step("v1", m); n != 1 && started {
					panic(fmt.Sprintf("bench: the baseline sent %d orders for one message", n))
				}
				started = true // the first message brings the quotes too
			}
		}}
}

// BenchmarkTick is tick to order in process: message, decode, book, both strategies, risk, audit, encoded order.
func BenchmarkTick(b *testing.B) {
	group(b, func(b *testing.B) {
		for _, n := range []int{2, 20, 100} {
			signed, plain := rig(b, market.Config{Levels: n, Signed: true}), rig(b, market.Config{Levels: n})
			rs := pair.Run(rounds, slice, theirs("B", bot(b, signed, true), n), theirs("B, unsigned", bot(b, plain, false), n), ours("signed", signed), ours("unsigned", plain))
			faster(b, fmt.Sprintf("signed, %d levels", n), &rs[2], &rs[0], map[int]float64{2: 9, 20: 15, 100: 20}[n], true)
			faster(b, fmt.Sprintf("unsigned, %d levels", n), &rs[3], &rs[1], 20, true)
		}
	})
}

// quiet is the least of every block of n rounds: a difference of two times is only worth anything in quiet rounds.
func quiet(v []float64, n int) (out []float64) {
	for b := range slices.Chunk(v, n) {
		out = append(out, slices.Min(b))
	}
	return out
}

// BenchmarkLinear holds what a level costs between 100 and 300 levels against what it costs between 20 and 100.
func BenchmarkLinear(b *testing.B) {
	group(b, func(b *testing.B) {
		var cs []pair.Candidate
		for _, n := range []int{20, 100, 300} {
			cs = append(cs, ours(fmt.Sprint(n), rig(b, market.Config{Levels: n})))
		}
		const block = 9
		rs := pair.Run(11*block, slice, cs...)
		few, some, many := quiet(rs[0].Rounds, block), quiet(rs[1].Rounds, block), quiet(rs[2].Rounds, block)
		steep, flat := make([]float64, len(few)), make([]float64, len(few))
		for i := range steep {
			steep[i], flat[i] = (many[i]-some[i])/200, (some[i]-few[i])/80
		}
		q, lo, hi := pair.Ratios(steep, flat)
		add(b, Row{Name: "a level, 100 to 300", Base: "20 to 100", Ratio: q, Low: lo, High: hi, Bar: 1.15, AtMost: true, Ns: pair.Quantile(steep, 0.5), BaseNs: pair.Quantile(flat, 0.5)})
	})
}

// BenchmarkHonesty holds the baseline against our prototypes of it.
func BenchmarkHonesty(b *testing.B) {
	group(b, func(b *testing.B) {
		for _, n := range []int{2, 20, 100} {
			bot := bot(b, rig(b, market.Config{Levels: n, Signed: true}), true)
			proto := reference.NewBase(6)
			a1, a2 := ahead{depths: []*market.Depth{market.NewDepth("BTCUSDT", n, 1)}}, ahead{depths: []*market.Depth{market.NewDepth("BTCUSDT", n, 1)}}
			o := naive.Order{Venue: "v1", Symbol: "v1:BTCUSDT", Buy: true, TIF: "IOC", Price: decimal.New(9_723_413, -2), Qty: decimal.New(123_456, -5)}
			rs := pair.Run(rounds, slice,
				pair.Candidate{Name: "prototype", Burst: burst, Before: a1.fill, Run: func(int) {
					for _, m := range a1.msgs {
						proto.Step(m)
					}
				}},
				pair.Candidate{Name: "B", Burst: burst, Before: a2.fill, Run: func(int) {
					for _, m := range a2.msgs {
						if err := bot.Update("v1", m); err != nil {
							panic(err)
						}
						bot.Sent = bot.Encode(&o)
					}
				}})
			costs(b, fmt.Sprintf("B decode, book, encode, %d levels", n), &rs[1], &rs[0], 1.15, false)
		}
		g, in := checked(b)
		proto := reference.NewGate()
		px, qty := decimal.New(9_723_450, -2), decimal.New(123, -5)
		k := 0
		rs := pair.Run(rounds, slice, pair.Candidate{Name: "prototype, a rule", Run: func(n int) {
			for ; n > 0; n-- {
				if !proto.Check("binance", "BTCUSDT", px, qty, n&1 == 0) {
					panic("bench: the prototype refused")
				}
			}
		}}, pair.Candidate{Name: "B", Run: func(n int) {
			for ; n > 0; n-- {
				theirCheck(g, in, &k)
			}
		}})
		for i := range rs[0].Rounds {
			rs[0].Rounds[i] /= reference.GateRules
			rs[1].Rounds[i] /= naive.Rules
		}
		costs(b, "B gate, a rule", &rs[1], &rs[0], 1.25, false)
	})
}

// checked is the baseline's gate with the orders that work in a rig, and an order that passes it.
func checked(b testing.TB) (*naive.Gate, naive.Order) {
	r := rig(b, market.Config{Levels: 2})
	d, g := r.Engine.Desk(), gate(r)
	for _, slot := range d.Live[1] {
		o := d.Order(slot)
		g.Place(&naive.Order{Venue: "v1", Symbol: "v1:BTCUSDT", Buy: o.Side == venue.Buy, Price: fixed.Decimal(o.Price, 2), Qty: fixed.Decimal(o.Qty, 5)}, 1)
	}
	ask := d.Book(1).Best(venue.Sell)
	return g, naive.Order{Venue: "v1", Symbol: "v1:BTCUSDT", Strategy: "arb", Buy: true, Type: "LIMIT", TIF: "IOC", Price: fixed.Decimal(ask.Price, 2), Qty: decimal.New(1234, -5)}
}

// theirCheck varies the quantity, so that no order repeats the last one.
func theirCheck(g *naive.Gate, o naive.Order, k *int) {
	*k++
	o.Qty = decimal.New(int64(1000+*k&255), -5)
	if why := g.Check(&o); why != "" {
		panic("bench: the baseline refused: " + why)
	}
}

// BenchmarkRisk holds the whole catalogue against the baseline's, on an IOC buy at the touch that passes all of it.
func BenchmarkRisk(b *testing.B) {
	group(b, func(b *testing.B) {
		g, o := checked(b)
		r := rig(b, market.Config{Levels: 2})
		d := r.Engine.Desk()
		in := desk.Intent{Op: venue.New, Type: venue.Limit, TIF: venue.IOC, Side: venue.Buy, Role: venue.RoleTake, Strategy: 1, Inst: 1, Price: d.Book(1).Best(venue.Sell).Price}
		var out risk.Approved
		k, j := 0, 0
		rs := pair.Run(rounds, slice,
			pair.Candidate{Name: "B", Run: func(n int) {
				for ; n > 0; n-- {
					theirCheck(g, o, &j)
				}
			}},
			pair.Candidate{Name: "gate", Run: func(n int) {
				for ; n > 0; n-- {
					k++
					in.Qty = fixed.Qty(1000 + k&255)
					d.Now += 2
					if v := r.Gate.Check(&in, d, &out); v.Reason != venue.OK {
						panic("bench: the gate refused: " + v.Reason.String())
					}
				}
			}})
		faster(b, "check, whole catalogue", &rs[1], &rs[0], 60, true)
	})
}

// signed is what a signature row signs.
var signed = []byte("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=IOC&quantity=0.00123&price=97234.12&newClientOrderId=a1b2c3d4e5f6&recvWindow=5000&timestamp=1767225600123")

// BenchmarkOrder holds encoder and signature against encoding/json and hmac.New.
func BenchmarkOrder(b *testing.B) {
	group(b, func(b *testing.B) {
		r := rig(b, market.Config{Levels: 2})
		theirs := bot(b, r, false)
		cmd := command(r)
		o := naive.Order{Venue: "v1", Symbol: "v1:BTCUSDT", Buy: true, TIF: "IOC"}
		orders := binance.NewOrders(binance.OrderConfig{RecvWindow: 5 * venue.Second, Instruments: r.Instruments})
		dst := make([]byte, 0, 1024)
		p := int64(9_723_412)
		rs := pair.Run(rounds, slice,
			pair.Candidate{Name: "encoding/json", Run: pair.Loop(func() {
				p++
				o.Price, o.Qty = decimal.New(p, -2), decimal.New(123_456, -5)
				theirs.Sent = theirs.Encode(&o)
			})},
			pair.Candidate{Name: "orders", Run: pair.Loop(func() {
				cmd.Price++
				cmd.Client++
				if _, ok := orders.Place(dst, &cmd, cmd.Decided); !ok {
					panic("bench: an order was not encoded")
				}
			})})
		faster(b, "encode", &rs[1], &rs[0], 8, true)

		text := signed
		mac, secret := sign.NewHMAC256([]byte(market.Secret)), []byte(market.Secret)
		sink := ""
		rs = pair.Run(rounds, slice,
			pair.Candidate{Name: "SHA-256", Run: pair.Loop(func() { s := sha256.Sum256(text); dst = append(dst[:0], s[:]...) })},
			pair.Candidate{Name: "prepared", Run: pair.Loop(func() { dst = mac.Append(dst[:0], text) })},
			pair.Candidate{Name: "hmac.New", Run: pair.Loop(func() { sink = naive.Sign(secret, text) })},
			pair.Candidate{Name: "prepared, hex", Run: pair.Loop(func() { dst = mac.AppendHex(dst[:0], text) })})
		costs(b, "HMAC, prepared state", &rs[1], &rs[0], 1.75, true)
		faster(b, "HMAC in hexadecimal", &rs[3], &rs[2], 0, true)
		sum += int64(len(sink))
	})
}

// command is the last order that left a rig.
func command(r *market.Rig) venue.Command {
	var c venue.Command
	c.Op, c.Type, c.TIF, c.Side, c.Inst, c.Venue = venue.New, venue.Limit, venue.IOC, venue.Buy, 1, 1
	c.Price, c.Qty, c.Client, c.Decided = 9_723_412, 123_456, 1<<40, r.Clock.Now()
	return c
}

// auditLine is what write(2) writes: as many bytes as a record has.
var auditLine = make([]byte, 256)

// BenchmarkAudit holds the enqueueing of one record against write(2) of the same bytes.
func BenchmarkAudit(b *testing.B) {
	group(b, func(b *testing.B) {
		ring, w, err := audit.Open(audit.Config{Dir: filepath.Join(b.TempDir(), "a"), NoSync: true})
		require.NoError(b, err)
		b.Cleanup(func() { w.Close() })
		f, err := os.Create(filepath.Join(b.TempDir(), "x"))
		require.NoError(b, err)
		b.Cleanup(func() { f.Close() })
		recs, seq := make([]audit.Record, 1), uint64(0)
		recs[0].Reset(1, 1)
		recs[0].Kind = audit.Start
		const many = 4096
		rs := pair.Run(rounds, slice,
			pair.Candidate{Name: "write(2)", Burst: many, Before: func(int) { mustDo(f.Truncate(0)) }, Run: pair.Loop(func() {
				_, err := f.Write(auditLine)
				mustDo(err)
			})},
			pair.Candidate{Name: "ring", Burst: many,
				Before: func(int) {
					if ring.Waiting() > ring.Capacity()/2 {
						_, err := w.Drain()
						mustDo(err)
					}
				},
				Run: pair.Loop(func() {
					seq++
					recs[0].Seq = seq
					if !ring.Put(recs) {
						panic("bench: the ring is full")
					}
				})})
		faster(b, "enqueue", &rs[1], &rs[0], 40, true)
	})
}

func mustDo(err error) {
	if err != nil {
		panic(err)
	}
}

// BenchmarkStamps holds a step with sampled stage stamps against one without.
func BenchmarkStamps(b *testing.B) {
	group(b, func(b *testing.B) {
		rs := pair.Run(2*rounds, slice, ours("no stamps", rig(b, market.Config{Levels: 2})), ours("stamps", rig(b, market.Config{Levels: 2, Latency: 64})))
		costs(b, "stage stamps, one tick in 64", &rs[1], &rs[0], 1.05, true)
	})
}

// BenchmarkScale holds a step among 128 instruments against one alone, messages in turn for all of them.
func BenchmarkScale(b *testing.B) {
	group(b, func(b *testing.B) {
		rs := pair.Run(rounds, slice, ours("2 instruments", rig(b, market.Config{Levels: 20, Venues: 2})), ours("128 instruments", rig(b, market.Config{Levels: 20, Symbols: 64, Venues: 2})))
		costs(b, "step, 128 instruments", &rs[1], &rs[0], 1.5, true)
	})
}

// signal is Decide of an arb strategy over n venues of one market of which one has changed and none crosses.
func signal(b testing.TB, n int) pair.Candidate {
	r := rig(b, market.Config{Levels: 2, Venues: 3})
	base := *r.Instruments[1]
	ins := []*venue.Instrument{nil}
	for i := range n {
		in := base
		in.Inst, in.Venue, in.Name = venue.Inst(i+1), venue.ID(i+1), fmt.Sprint("v", i+1)
		ins = append(ins, &in)
	}
	d := desk.New(ins, n, 2, 16, market.USDT, books.Config{})
	c := arb.Config{Name: "arb"}
	for i := 2; i <= n; i++ {
		for j := 1; j < i; j++ {
			c.Links = append(c.Links, arb.Link{Name: fmt.Sprint(i, j), Shape: desk.TwoVenue, Legs: []venue.Inst{venue.Inst(j), venue.Inst(i)}, Threshold: fixed.Bps,
				MaxBase: 1e6, MaxNotional: 1e15, OnFail: desk.Unwind, MaxLoss: 1e8, Deadline: venue.Second, NotAfter: venue.Second, MaxAge: venue.Second, BasisLimit: fixed.One / 10})
		}
	}
	s, err := arb.New(c, ins)
	require.NoError(b, err)
	d.Now = 1000 * venue.Second
	for i := 1; i <= n; i++ {
		d.Books[i].Apply(frame(nil, []change{{true, 9_723_411, 100}, {false, 9_723_413, 100}}, venue.Snapshot, 1))
		d.Changed = append(d.Changed, venue.Inst(i))
	}
	out := desk.NewOut(8, 8)
	s.Decide(d, out)
	k := 0
	return pair.Candidate{Name: fmt.Sprintf("%d venues", n), Run: pair.Loop(func() {
		k++
		d.Changed = append(d.Changed[:0], venue.Inst(1+k%n))
		s.Decide(d, out)
	})}
}

// BenchmarkSignal is what one more venue adds to the look for a cross.
func BenchmarkSignal(b *testing.B) {
	group(b, func(b *testing.B) {
		rs := pair.Run(2*rounds, slice, signal(b, 2), signal(b, 16))
		per := make([]float64, len(rs[0].Rounds))
		for i := range per {
			per[i] = (rs[1].Rounds[i] - rs[0].Rounds[i]) / 14
		}
		quiet := (rs[1].Least() - rs[0].Least()) / 14
		add(b, Row{Name: "signal, ns for one more venue (16 against 2)", Base: "quiet rounds", Ratio: quiet, Low: pair.Quantile(per, 0.1), High: pair.Quantile(per, 0.9), Bar: 2.5, AtMost: true,
			Ns: rs[1].Median(), BaseNs: rs[0].Median()})
	})
}
