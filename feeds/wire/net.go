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
	// phase makes every timer end on a nanosecond of its own, so that in virtual time no two goroutines wake at once and
	// the order of events comes from the seed alone.
	phase  atomic.Int64
	phased bool
}

// NewClock anchors a clock now. phased gives every wait an extra span of its own, below a microsecond, for virtual time.
func NewClock(phased bool) *Clock {
	now := time.Now()
	return &Clock{anchor: now, utc: now.UnixNano(), phased: phased}
}

// Off is this clock as a machine would show it whose time is wrong by d. Its waits are as long.
func (c *Clock) Off(d venue.Nanos) *Clock {
	return &Clock{anchor: c.anchor, utc: c.utc + int64(d), phased: c.phased}
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

func (c *Clock) span(d venue.Nanos) time.Duration {
	if c.phased {
		d += venue.Nanos(c.phase.Add(1) % 1000)
	}
	return time.Duration(d)
}
