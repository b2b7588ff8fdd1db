// Package wire is the edge that all venues share: where connections and time come from, websocket sessions that stay alive,
// books fetched by REST, allowances, and the readers that turn a venue's text into fixed-point records.
//
// Ownership: a Session's reading goroutine owns its socket, buffer and decoder; its writing goroutine what is sent. A
// Decoder, a Doc and Frames belong to one goroutine. Net, Clock and Limiter are safe for concurrent use.
//
// Decisions
//   - 2026-11-25: every connection comes from a Net and every wait from a Clock that the caller passes in, so that a whole
//     adapter runs inside a testing/synctest bubble over a network that releases one write at a time.
//   - 2026-11-25: gorilla/websocket with NextReader and one reused buffer: its cost per message is a few tens of
//     nanoseconds more than a hand-written frame loop, and whether the connection spins or parks matters a hundred times
//     more. Spinning is therefore a net.Conn beneath gorilla, not another client.
//   - 2026-11-25: a feed keeps no book state. A lost connection, a damaged message and a full ring become Gap records; the
//     book decides what they mean and the engine asks for a snapshot.
//   - 2026-11-25: a snapshot waits for room in the ring, a delta does not: a delta that waited would hold up the socket and
//     everything behind it.
//   - 2026-11-25: of two connections that overlap only one publishes, and the other's messages wait (Pair). Rejected: taking
//     from whichever is first, which would need a lock, or a ring more, for every message of the year to be ahead for three
//     seconds of a day.
package wire

import (
	"context"
	"net"
	"sync/atomic"
	"time"

	"oneprice/books/venue"
)

// Net is where every connection comes from: the machine's own network, or a held one in tests. Safe for concurrent use.
type Net interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
	Listen(network, address string) (net.Listener, error)
}

// Machine is the machine's own network. The zero value is ready.
type Machine struct{ dialer net.Dialer }

// DialContext connects; TCP_NODELAY is on, as is Go's default.
func (m *Machine) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return m.dialer.DialContext(ctx, network, address)
}

// Listen listens.
func (m *Machine) Listen(network, address string) (net.Listener, error) {
	return net.Listen(network, address)
}

// Clock is the one source of time and of waits for feeds, gateways and simulators. UTC is anchored once, then monotonic.
// Safe for concurrent use. In a testing/synctest bubble it follows the bubble's time.
type Clock struct {
	anchor time.Time
	utc    int64
	// owners counts the phases given, nil on a machine's clock; phase is this one's, 0 for a new one with every wait.
	owners *atomic.Int64
	phase  int64
}

// turn is the grid of virtual time: every wait ends at a multiple of it and the phase of its owner, one nanosecond each. So
// no two owners wake at one instant, and which of them came first does not depend on how fast the machine let them run.
// Above the owners of clocks are those of held connections.
const (
	turn   = int64(50 * venue.Microsecond)
	owners = turn / 2
)

// NewClock anchors a clock now. phased is for virtual time: waits then end at instants of their owners.
func NewClock(phased bool) *Clock {
	now := time.Now()
	c := &Clock{anchor: now, utc: now.UnixNano()}
	if phased {
		c.owners = new(atomic.Int64)
	}
	return c
}

// Own is this clock for one more goroutine that waits. To be called where things are made one after the other, since the
// order gives the phases; a goroutine must not have two waits of one clock under way at once. On a machine's clock all
// are alike; of none there is none.
func (c *Clock) Own() *Clock {
	if c == nil || c.owners == nil {
		return c
	}
	o := *c
	o.phase = c.next()
	return &o
}

func (c *Clock) next() int64 { return 1 + c.owners.Add(1)%(owners-1) }

// Off is this clock as a machine would show it whose time is wrong by d. Its waits are as long.
func (c *Clock) Off(d venue.Nanos) *Clock {
	o := *c
	o.utc += int64(d)
	return &o
}

// Now is UTC in nanoseconds; it never goes back.
func (c *Clock) Now() venue.Nanos { return venue.Nanos(c.utc + int64(time.Since(c.anchor))) }

// Timer returns a timer that fires after d.
func (c *Clock) Timer(d venue.Nanos) *time.Timer { return time.NewTimer(c.span(d)) }

// Sleep waits for d or for the end of ctx, whose error it then returns.
func (c *Clock) Sleep(ctx context.Context, d venue.Nanos) error {
	t := c.Timer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Deadline is the instant d from now in the form that net.Conn wants.
func (c *Clock) Deadline(d venue.Nanos) time.Time { return time.Now().Add(c.span(d)) }

// Turn waits, in virtual time, for an instant at which only this clock's owner wakes: before whatever two goroutines would
// do in an order of the machine's. It does nothing on a machine's clock.
func (c *Clock) Turn(ctx context.Context) error {
	if c.owners == nil {
		return nil
	}
	return c.Sleep(ctx, 1)
}

// span is d, longer until the owner's next instant where the clock is phased.
func (c *Clock) span(d venue.Nanos) time.Duration {
	if c.owners == nil {
		return time.Duration(d)
	}
	phase := c.phase
	if phase == 0 {
		phase = c.next()
	}
	return onPhase(time.Duration(d), phase)
}

// onPhase is the wait until the first instant of a phase that is no sooner than d from now.
func onPhase(d time.Duration, phase int64) time.Duration {
	at := time.Now().UnixNano() + int64(d)
	return d + time.Duration((turn-(at-phase)%turn)%turn)
}

// Apart is a network on which connections of one owner are made at instants of its own.
func Apart(n Net, c *Clock) Net {
	if c == nil || c.owners == nil {
		return n
	}
	return apart{n, c.Own()}
}

type apart struct {
	Net
	clock *Clock
}

func (a apart) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if err := a.clock.Turn(ctx); err != nil {
		return nil, err
	}
	return a.Net.DialContext(ctx, network, address)
}
