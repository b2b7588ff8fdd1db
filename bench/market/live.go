package market

import (
	"context"
	"time"

	"oneprice/books/venue"
	"oneprice/engine"
	"oneprice/engine/audit"
	"oneprice/engine/ring"
	"oneprice/engine/stats"
)

// Live is a rig behind the product's own loop and rings under the inline policy, as a spinning session runs it: the
// goroutine that has decoded a message publishes it, drains, decides and sends.
type Live struct {
	*Rig
	Loop *engine.Loop
	// Send, where not nil, takes an order's request to its socket.
	Send func(request []byte) error
	// At is Nanotime when the last order had been encoded and, where there is a Send, sent.
	At int64

	events *ring.Ring[venue.Event]
	back   *ring.Ring[venue.Report]
	inline bool
	due    bool // the order of the last message has not left
}

// NewLive makes a rig with a loop around it.
func NewLive(cfg Config) (*Live, error) {
	cfg.Cooldown = cooldown
	return newLive(cfg, engine.LoopConfig{Policy: engine.Inline}, 1<<14)
}

// NewShadow makes a rig that is played to keep another one warm. As the product's, it leaves the caches to that one: its
// rings are small, its messages few, and its audit forgets.
func NewShadow(cfg Config) (*Live, error) {
	cfg.Cooldown = cooldown
	l, err := newLive(cfg, engine.LoopConfig{Policy: engine.Inline}, 1<<9)
	if err != nil {
		return nil, err
	}
	l.Loop.Record(forgetful{})
	for _, d := range l.Depths {
		d.Messages, d.at = d.Messages[:16], 0
	}
	return l, nil
}

// forgetful is an audit that keeps nothing.
type forgetful struct{}

func (forgetful) Put([]audit.Record) bool { return true }

// NewParked makes a calm rig behind a loop that sleeps while nothing arrives, with room for so many records. Loop.Run must
// run; tick wakes it for what time alone brings.
func NewParked(cfg Config, records int, tick <-chan time.Time) (*Live, error) {
	cfg.Calm = true
	return newLive(cfg, engine.LoopConfig{Policy: engine.Park, Bell: ring.NewBell(), Tick: tick}, records)
}

func newLive(cfg Config, c engine.LoopConfig, records int) (*Live, error) {
	r, err := NewRig(cfg)
	if err != nil {
		return nil, err
	}
	l := &Live{Rig: r, events: ring.Events(records, c.Bell), back: ring.Reports(1<<10, c.Bell), inline: c.Policy == engine.Inline}
	gateways := make([]venue.Gateway, r.Venues+1)
	for i := range gateways {
		gateways[i] = l
	}
	c.Engine, c.Events, c.Reports = r.Engine, []*ring.Ring[venue.Event]{l.events}, []*ring.Ring[venue.Report]{l.back}
	c.Gateways, c.Feeds, c.Audit, c.Clock, c.DrainRecords = gateways, make([]venue.Feed, r.Venues+1), r.Ring, skewed{r}, 1<<14
	l.Loop = engine.NewLoop(c)
	return l, nil
}

// Waiting is how many records the engine has not drained. Any goroutine.
func (l *Live) Waiting() int { return l.events.Len() }

// skewed is the rig's clock.
type skewed struct{ r *Rig }

func (c skewed) Now() venue.Nanos { return c.r.now() }

// Put is the session's sink: publish, and run the engine where it has no thread of its own.
func (l *Live) Put(ev []venue.Event) venue.Reason {
	why := l.events.Put(ev)
	if why == venue.OK && l.inline {
		l.due = true
		l.Loop.Offer()
	}
	return why
}

// Submit is the gateway: encode, send. A machine that pauses for longer than the cooldown sees the cross of one message
// twice; the second order goes nowhere, since nobody asks for it.
func (l *Live) Submit(c *venue.Command) venue.Sent {
	sent, ok := l.Orders.Place(l.Sent[:0], c, c.Decided)
	if !ok {
		return venue.NotSent
	}
	if l.Sent = sent; l.due {
		if l.Send != nil && l.Send(sent) != nil {
			return venue.Maybe
		}
		l.At, l.due = stats.Nanotime(), false
	}
	l.Count++
	l.answers = append(l.answers, venue.Report{Kind: venue.Expired, Venue: c.Venue, Inst: c.Inst, Slot: c.Slot, Client: c.Client, Recv: c.Decided, At: c.Decided})
	return venue.Out
}

// Run and Sweep complete the gateway; there is nothing to run.
func (l *Live) Run(ctx context.Context, _ venue.Reports) error          { <-ctx.Done(); return nil }
func (l *Live) Sweep(context.Context, venue.Nanos, venue.Reports) error { return nil }

// Play takes one message all the way to an order and returns when the order was ready. Settle must follow.
func (l *Live) Play(msg []byte) int64 {
	now := l.now()
	ev, why := l.Decoder.Decode(now, msg)
	if why != venue.OK || l.Put(ev) != venue.OK {
		panic("market: a message was refused: " + why.String())
	}
	return l.At
}

// Settle lets the venues answer that the order expired unfilled, writes the audit when it fills up, and moves time on past
// the cooldown.
func (l *Live) Settle() {
	if len(l.answers) > 0 {
		if l.back.Put(l.answers) != venue.OK {
			panic("market: no room for the answers")
		}
		l.answers = l.answers[:0]
		l.Loop.Offer()
	}
	l.write()
	l.skew += cooldown + 1
}
