package app

import (
	"context"
	"errors"
	"fmt"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/engine"
	"oneprice/engine/audit"
	"oneprice/engine/ring"
	"oneprice/feeds/wire"
)

const (
	// shadowEvery is how often an idle loop plays its shadow: a record that meets a play waits for the rest of that one
	// message, but with 20 µs between plays a step costs a third more than with 5 (bench, group Paced).
	shadowEvery = 5 * venue.Microsecond
	// shadowTick is how far the shadow's own time moves with a message, so that allowances and cooldowns pass in it.
	shadowTick = 10 * venue.Millisecond
	// shadowLevels are what each of its messages changes on either side of a book.
	shadowLevels = 8
)

// shadow is a second instance of a session's engine for engine.Shadow to play: books, strategies, limits and rings of its
// own, a clock that counts messages, and a little market in which the instruments of a product move apart now and then,
// so that orders are decided, checked and handed over. Its gateway answers that every order expired or rests; its audit
// forgets. One goroutine.
type shadow struct {
	*Trading
	in      *ring.Ring[venue.Event]
	loop    *engine.Loop
	now     venue.Nanos
	pits    []shadowPit // of the instruments that have a price
	next    int
	seq     uint64
	random  uint64
	frames  wire.Frames
	answers []venue.Report
}

// shadowPit is one instrument's market.
type shadowPit struct {
	in        *venue.Instrument
	base, mid fixed.Price
	space     fixed.Price
	qty       fixed.Qty
	open      bool
}

// keepWarm is what a loop that spins plays while idle: the shadow of its session. A loop that does not spin has none.
func keepWarm(p engine.Policy, c *Config, f *Facts, clock venue.Clock) (*engine.Shadow, error) {
	if p != engine.Spin {
		return nil, nil
	}
	s, err := newShadow(c, f)
	if err != nil {
		return nil, err
	}
	return engine.NewShadow(clock, shadowEvery, s.play), nil
}

// newShadow makes the shadow of a session from the same config and facts.
func newShadow(c *Config, f *Facts) (*shadow, error) {
	a, err := Assemble(c, f)
	if err != nil {
		return nil, fmt.Errorf("shadow: %w", err)
	}
	for _, in := range a.Instruments[1:] {
		in.Chain, in.ChecksumDepth, in.Checksum = venue.ChainNone, 0, nil // its messages follow by being made one after another
	}
	s := &shadow{Trading: &Trading{Assembly: a}, in: ring.Events(1<<10, nil), now: 1_800_000_000 * venue.Second, random: 1, answers: make([]venue.Report, 0, 1024)}
	if err := s.decider(1); err != nil {
		return nil, fmt.Errorf("shadow: %w", err)
	}
	for _, p := range f.Prices {
		if in := a.Find(p.Instrument); in != nil {
			if v, fault := fixed.Parse([]byte(p.Price), in.PriceScale); fault == fixed.OK && v > 0 {
				s.pits = append(s.pits, s.pit(in, fixed.Price(v)))
			}
		}
	}
	if len(s.pits) == 0 {
		return nil, errors.New("shadow: no instrument has a price")
	}
	cfg := engine.LoopConfig{Engine: s.Engine, Events: []*ring.Ring[venue.Event]{s.in}, Sources: []engine.Source{s}, Gateways: make([]venue.Gateway, len(a.Venues)),
		Feeds: make([]venue.Feed, len(a.Venues)), Audit: s, Clock: s, Policy: engine.Inline, DrainRecords: 1 << 10}
	for i := range cfg.Gateways {
		cfg.Gateways[i] = s
	}
	s.loop = engine.NewLoop(cfg)
	for range 4096 { // whatever grows has grown, and the quotes stand
		s.play()
	}
	return s, nil
}

// pit lays an instrument's market around a price; a level holds as much as the largest order.
func (s *shadow) pit(in *venue.Instrument, p fixed.Price) shadowPit {
	x := shadowPit{in: in, base: p, space: max(in.Tick, fixed.RoundTo(p/20_000, in.Tick, fixed.Down)), qty: 1000 * in.Lot}
	if l := &s.Risk.Instruments[in.Inst]; l.MaxQty > 0 {
		x.qty = l.MaxQty
	}
	return x
}

// play steps one message of the shadow's market.
func (s *shadow) play() {
	s.now += shadowTick
	p := &s.pits[s.next]
	s.next = (s.next + 1) % len(s.pits)
	s.in.Put(s.message(p))
	s.loop.Turn()
}

// message changes the quantities of a book, and one time in eight moves it by up to half a percent.
func (s *shadow) message(p *shadowPit) []venue.Event {
	s.random ^= s.random << 13
	s.random ^= s.random >> 7
	s.random ^= s.random << 17
	s.seq++
	f := &s.frames
	f.Reset()
	moves, flags := s.random&7 == 0 || !p.open, uint8(0)
	if !p.open {
		flags = venue.Snapshot
	}
	f.Open(p.in.Venue, p.in.Inst, flags, s.now, s.seq)
	if moves && p.open {
		s.side(p, venue.Bids, -p.space, 0)
		s.side(p, venue.Asks, p.space, 0)
	}
	if moves {
		p.mid = fixed.RoundTo(p.base+p.base*fixed.Price(int64(s.random>>32%201)-100)/20_000, p.in.Tick, fixed.Down)
	}
	q := p.qty + p.in.Lot*fixed.Qty(s.random>>8&63)
	s.side(p, venue.Bids, -p.space, q)
	s.side(p, venue.Asks, p.space, q)
	f.Close(0, venue.NoChecksum)
	p.open = true
	return f.End()
}

// side sets the levels of one side to a quantity; a price that would not be above zero has none.
func (s *shadow) side(p *shadowPit, side uint8, step fixed.Price, q fixed.Qty) {
	for at, n := p.mid+step, 0; n < shadowLevels && at > 0; at, n = at+step, n+1 {
		s.frames.Level(side, at, q)
	}
}

// Now is the shadow's own time.
func (s *shadow) Now() venue.Nanos { return s.now }

// Put forgets the records.
func (s *shadow) Put([]audit.Record) bool { return true }

// Submit is the way out that leads nowhere: what was asked takes effect, and nothing ever fills.
func (s *shadow) Submit(c *venue.Command) venue.Sent {
	r := venue.Report{Kind: venue.Expired, Venue: c.Venue, Inst: c.Inst, Slot: c.Slot, Client: c.Client, Recv: s.now, At: s.now}
	switch {
	case c.Op == venue.Cancel:
		r.Kind, r.Client = venue.Cancelled, c.Target
	case c.Op == venue.Amend:
		r.Kind, r.Client, r.Seq, r.Open, r.Price = venue.Amended, c.Target, c.Client, c.Qty, c.Price
	case c.TIF == venue.GTC:
		r.Kind = venue.Ack
	}
	s.answers = append(s.answers, r)
	return venue.Out
}

// Due gives the answers of what was submitted before.
func (s *shadow) Due(_ venue.Nanos, dst []venue.Report) []venue.Report {
	dst = append(dst, s.answers...)
	s.answers = s.answers[:0]
	return dst
}

// Next, Run and Sweep complete Source and Gateway; nobody calls them.
func (s *shadow) Next() (venue.Nanos, bool)                               { return s.now, len(s.answers) > 0 }
func (s *shadow) Run(ctx context.Context, _ venue.Reports) error          { <-ctx.Done(); return nil }
func (s *shadow) Sweep(context.Context, venue.Nanos, venue.Reports) error { return nil }
