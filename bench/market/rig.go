package market

import (
	"errors"
	"fmt"

	"oneprice/arb"
	"oneprice/books"
	"oneprice/books/desk"
	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/engine"
	"oneprice/engine/audit"
	"oneprice/engine/stats"
	"oneprice/feeds/binance"
	"oneprice/feeds/sign"
	"oneprice/feeds/wire"
	"oneprice/quoting"
	"oneprice/quoting/model"
	"oneprice/risk"
	"oneprice/risk/ledger"
)

// Currencies of the rig; limits are in USDT.
const (
	USDT venue.Ccy = 1 + iota
	BTC
)

// The account of the venue's published examples: nothing secret.
const (
	Key    = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
	Secret = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
)

// Above is how many ticks the second venue trades above all others, so that every update crosses it.
const Above = 300_000

// Config shapes a Rig.
type Config struct {
	// Symbols are the markets, each at every one of Venues venues; 1 and 6 where 0.
	Symbols, Venues int
	// Levels of an update.
	Levels int
	// Signed says that orders carry key and signature.
	Signed bool
	// Calm leaves the second venue where the others are: nothing crosses and no order leaves.
	Calm bool
	// Cooldown is how long the arbitrage leaves a book alone after an order.
	Cooldown venue.Nanos
	// Audit is the folder of the audit.
	Audit string
	// Latency stamps the stages one step in so many, as the loop does; 0 hardly ever.
	Latency uint32
}

// Rig is one engine with both strategies, the whole gate, an audit ring and an order encoder behind a decoder. The
// update of any market at venue 1 crosses venue 2, and one order leaves: the first leg of a plan whose second leg waits
// for it.
type Rig struct {
	Config
	Instruments []*venue.Instrument
	Engine      *engine.Engine
	Gate        *risk.Gate
	Kill        venue.Kill
	Decoder     wire.Decoder
	Orders      *binance.Orders
	Ring        *audit.Ring
	Depths      []*Depth // by symbol
	Latency     *stats.Latency
	Clock       *wire.Clock
	// Sent is the last order's request, Count how many there were.
	Sent  []byte
	Count int

	writer  *audit.Writer
	batch   engine.Batch
	out     engine.Out
	reports []venue.Report
	answers []venue.Report
	skew    venue.Nanos
	trades  uint64 // the id of the last one of Restock
}

// Symbol is the name of market k at its venues.
func Symbol(k int) string {
	if k == 0 {
		return "BTCUSDT"
	}
	return fmt.Sprintf("C%03dUSDT", k)
}

// Inst is the instrument of market k at venue v, counted from 1.
func (r *Rig) Inst(k, v int) venue.Inst { return venue.Inst(k*r.Venues + v) }

// NewRig assembles a rig, gives every book its snapshot and lets the quotes settle.
func NewRig(cfg Config) (*Rig, error) {
	if cfg.Symbols == 0 {
		cfg.Symbols = 1
	}
	if cfg.Venues == 0 {
		cfg.Venues = 6
	}
	r := &Rig{Config: cfg, Clock: wire.NewClock(false), Sent: make([]byte, 0, 1024), answers: make([]venue.Report, 0, 1024), reports: make([]venue.Report, 0, 1024)}
	r.Instruments = []*venue.Instrument{nil}
	for k := range cfg.Symbols {
		for v := range cfg.Venues {
			r.Instruments = append(r.Instruments, r.instrument(k, v+1))
		}
	}
	if err := r.assemble(); err != nil {
		return nil, err
	}
	return r, errors.Join(r.snapshots(), r.settle())
}

func (r *Rig) instrument(k, v int) *venue.Instrument {
	return &venue.Instrument{Inst: r.Inst(k, v), Venue: venue.ID(v), Product: venue.Product(k + 1), Symbol: Symbol(k), Name: fmt.Sprintf("v%d:%s", v, Symbol(k)),
		Base: BTC, Quote: USDT, Settle: USDT, Kind: venue.Spot, Status: venue.Trading, PriceScale: 2, QtyScale: 5, PriceText: 8, QtyText: 8,
		Tick: 1, Lot: 1, MinQty: 1, MaxQty: 1e9, MinNotional: 1, Multiplier: fixed.One, Fees: venue.Fees{Maker: 2 * fixed.Bps, Taker: 4 * fixed.Bps},
		Chain: venue.ChainRange}
}

// assemble makes everything of the rig.
func (r *Rig) assemble() error {
	d := desk.New(r.Instruments, r.Venues, 2, 4096, USDT, books.Config{})
	var opening []ledger.Opening
	for v := range r.Venues {
		opening = append(opening, ledger.Opening{Venue: venue.ID(v + 1), Ccy: USDT, Amount: 1e14}, ledger.Opening{Venue: venue.ID(v + 1), Ccy: BTC, Amount: 5e9})
	}
	led, err := ledger.New(d, ledger.Config{Balances: opening})
	if err != nil {
		return err
	}
	r.Gate, err = risk.New(r.Limits(), d, &r.Kill)
	if err != nil {
		return err
	}
	arbitrage, err := arb.New(r.Crosses(), r.Instruments)
	if err != nil {
		return err
	}
	quotes, err := quoting.New(r.Quotes(), r.Instruments)
	if err != nil {
		return err
	}
	if r.Config.Latency == 0 {
		r.Config.Latency = 1<<32 - 1
	}
	r.Latency = stats.NewLatency(r.Config.Latency, nil)
	r.Engine = engine.New(engine.Config{Desk: d, Ledger: led, Gate: r.Gate, Strategies: []desk.Strategy{arbitrage, quotes}, Epoch: 1, Fingerprint: 7, Plans: 64,
		Intents: 256, AnswerWithin: 5 * venue.Second, MarkEvery: 100 * venue.Millisecond, SweepEvery: 50 * venue.Millisecond,
		MaxAge: make([]venue.Nanos, len(r.Instruments)), Latency: r.Latency, FX: []engine.RateSource{{Inst: 1, Ccy: BTC}}})
	orders := binance.OrderConfig{RecvWindow: 5 * venue.Second, Instruments: r.Instruments}
	if r.Signed {
		orders.Key, orders.MAC = Key, sign.NewHMAC256([]byte(Secret))
	}
	r.Orders = binance.NewOrders(orders)
	r.Decoder = binance.Spot.Decoder(1, r.At(1))
	r.Ring, r.writer, err = audit.Open(audit.Config{Dir: r.Config.Audit, NoSync: true, Catalogue: r.catalogue()})
	return err
}

// At are the instruments of venue v.
func (r *Rig) At(v int) []*venue.Instrument {
	var out []*venue.Instrument
	for k := range r.Symbols {
		out = append(out, r.Instruments[r.Inst(k, v)])
	}
	return out
}

func (r *Rig) catalogue() audit.Catalogue {
	c := audit.Catalogue{Instruments: r.Instruments, Venues: make([]string, r.Venues+1), Currencies: []string{"", "USDT", "BTC"}, Strategies: []string{"", "arb", "quoting"},
		Reporting: USDT, Mode: "bench"}
	for v := range r.Venues {
		c.Venues[v+1] = fmt.Sprintf("v%d", v+1)
	}
	for i := range risk.Rules {
		c.Rules = append(c.Rules, risk.Rule(i).String())
	}
	return c
}

// snapshots gives every book a thousand levels a side.
func (r *Rig) snapshots() error {
	for k := range r.Symbols {
		r.Depths = append(r.Depths, NewDepth(Symbol(k), r.Levels, uint64(k+1)))
		for v := range r.Venues {
			moved := int64(0)
			if v == 1 && !r.Calm {
				moved = Above
			}
			dec := binance.Spot.Decoder(venue.ID(v+1), r.At(v+1))
			ev, why := dec.Rest(r.now(), "https://api/api/v3/depth?symbol="+Symbol(k)+"&limit=1000", r.Depths[k].Snapshot(1000, moved))
			if why != venue.OK {
				return fmt.Errorf("market: the snapshot of %s was refused: %s", Symbol(k), why)
			}
			r.batch.Now, r.batch.Events = r.now(), ev
			r.step()
			r.Answer()
			if s := r.Engine.Desk().Book(r.Inst(k, v+1)).State(); s != books.Live {
				return fmt.Errorf("market: the book of %s is %s", Symbol(k), s)
			}
		}
	}
	return nil
}

// Settling is how many updates of each market a new rig has seen.
const Settling = 40

// settle runs updates a tenth of a second apart until the quotes' volatility is known and they stand.
func (r *Rig) settle() error {
	for range Settling {
		r.skew += 100 * venue.Millisecond
		for k := range r.Symbols {
			r.Tick(r.Depths[k].Next())
			r.Answer()
		}
	}
	for k := range r.Symbols {
		if n := len(r.Engine.Desk().Live[r.Inst(k, 1)]); n != 2*quoteLayers {
			return fmt.Errorf("market: %d quotes stand in %s; want %d", n, Symbol(k), 2*quoteLayers)
		}
	}
	return nil
}

func (r *Rig) now() venue.Nanos { return r.Clock.Now() + r.skew }

// Tick takes one message all the way: clock, decode, apply, decide, check, audit, encode. It reports how many orders
// left.
func (r *Rig) Tick(msg []byte) int {
	now := r.now()
	ev, why := r.Decoder.Decode(now, msg)
	if why != venue.OK {
		panic("market: a message was refused: " + why.String())
	}
	r.batch.Now, r.batch.Events, r.batch.Reports = now, ev, nil
	return r.step()
}

func (r *Rig) step() int {
	r.Latency.Begin()
	r.Engine.Step(&r.batch, &r.out)
	if !r.Ring.Put(r.out.Records) {
		panic("market: the audit is full")
	}
	r.Latency.Mark(stats.Record)
	for i := range r.out.Commands {
		r.encode(&r.out.Commands[i])
	}
	r.Latency.Mark(stats.Submit)
	r.Latency.End()
	return len(r.out.Commands)
}

// encode makes an order's request and notes what the venue will answer: a quote rests, anything else expires unfilled.
func (r *Rig) encode(c *venue.Command) {
	sent, ok := r.Orders.Place(r.Sent[:0], c, c.Decided)
	if ok {
		r.Sent = sent
		r.Count++
	}
	r.reports = append(r.reports, venue.Report{Kind: venue.SentReport, Flags: uint8(venue.Out), Venue: c.Venue, Inst: c.Inst, Slot: c.Slot,
		Client: c.Client, Recv: r.batch.Now, At: r.batch.Now, Seq: uint64(c.Op)})
	answer := venue.Report{Kind: venue.Expired, Venue: c.Venue, Inst: c.Inst, Slot: c.Slot, Client: c.Client, Recv: r.batch.Now, At: r.batch.Now}
	if c.TIF == venue.GTC {
		answer.Kind = venue.Ack
	}
	r.answers = append(r.answers, answer)
}

// Answer lets the venues answer every order that left, in the same instant as the last message, in which no new plan is
// made, and writes the audit when it fills up.
func (r *Rig) Answer() {
	for len(r.reports) > 0 {
		r.batch.Reports = append(append(r.batch.Reports[:0:0], r.reports...), r.answers...)
		r.reports, r.answers, r.batch.Events = r.reports[:0], r.answers[:0], nil
		r.step()
	}
	r.write()
}

// write empties the audit's ring when it is half full.
func (r *Rig) write() {
	if r.Ring.Waiting() > r.Ring.Capacity()/2 {
		if _, err := r.writer.Drain(); err != nil {
			panic("market: " + err.Error())
		}
	}
}

// Close ends the audit.
func (r *Rig) Close() error { return r.writer.Close() }

const (
	quoteLayers = 2
	// cooldown of a Live: longer than the turn in which the loop hears that an order has left.
	cooldown = venue.Millisecond
)

// Quotes are two layers a side, a percent from each market's middle at venue 1, that stay where they are.
func (r *Rig) Quotes() quoting.Config {
	c := quoting.Config{Name: "quoting"}
	for k := range r.Symbols {
		c.Quotes = append(c.Quotes, quoting.Quote{
			Inst: r.Inst(k, 1), MinHalf: fixed.One / 100, MinEdge: fixed.Bps, Layers: quoteLayers, Step: fixed.One / 1000, Qty: 100, MaxInventory: 1e9,
			Hysteresis: fixed.One / 200, PerSecond: 100_000, Burst: 100_000, PostOnly: true, Amend: true, NotAfter: venue.Second,
			Pull:  quoting.Pull{MaxAge: 3600 * venue.Second, MaxVol: fixed.One, Fills: 30, Window: venue.Second, Pause: venue.Second},
			Model: model.Params{Gamma: 1e-6, Kappa: 1e9, Horizon: venue.Second, Window: venue.Second},
		})
	}
	return c
}

// Crosses links every pair of venues of every market.
func (r *Rig) Crosses() arb.Config {
	c := arb.Config{Name: "arb", MaxFXAge: 3600 * venue.Second}
	for k := range r.Symbols {
		for b := 2; b <= r.Venues; b++ {
			for a := 1; a < b; a++ {
				c.Links = append(c.Links, arb.Link{Name: fmt.Sprintf("%s %d-%d", Symbol(k), a, b), Shape: desk.TwoVenue, Legs: []venue.Inst{r.Inst(k, a), r.Inst(k, b)},
					Threshold: 5 * fixed.Bps, MinBase: 1, MaxBase: 100_000, MaxNotional: 1e15, Policy: desk.InTurn, OnFail: desk.Unwind, Allowance: 5 * fixed.Bps,
					MaxLoss: 1e10, Deadline: venue.Second, NotAfter: venue.Second / 2, MaxAge: 3600 * venue.Second, BasisLimit: fixed.One / 10, Cooldown: r.Cooldown})
			}
		}
	}
	return c
}
