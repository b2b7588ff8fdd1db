package wiretest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"oneprice/books"
	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// Server is a simulated venue that replays a recording.
type Server interface {
	Addr() string
	Run(context.Context) error
}

// replayed is a Server whose truth is what decoding the same recording here gave.
type replayed struct {
	Server
	tops map[string][2][]venue.Level // by symbol and id
}

func at(symbol string, id uint64) string { return fmt.Sprint(symbol, " ", id) }

// Matches implements Simulator.
func (r *replayed) Matches(symbol string, id uint64, bids, asks []venue.Level) (same, known bool) {
	t, known := r.tops[at(symbol, id)]
	return known && slices.Equal(t[0], bids) && slices.Equal(t[1], asks), known
}

// Freeze implements Simulator; a recording does not stop.
func (r *replayed) Freeze(string, bool) bool { return false }

// Replay lets a feed follow a recording that start serves over loopback sockets, and requires that its books are those which
// decoding the recording gives, at so many deltas at least. The test is skipped where there is no recording.
func Replay(t *testing.T, name string, a wire.Adapter, least int, start func(n wire.Net, clock *wire.Clock, path string, ins []*venue.Instrument) (Server, error)) {
	lines := Lines(t, name)
	lines = lines[:min(len(lines), 20_000)] // more than is played here
	d := a.Discover()
	for _, l := range lines {
		d.Line(l.Kind, l.URL, l.Msg)
	}
	var ins []*venue.Instrument
	for i, l := range d.Listings() { // old orders are finer than their lot: sizes are read as finely as they are printed
		one := Instruments(t, []wire.Listing{l}, 0, max(l.QtyText, wire.Decimals([]byte(l.Lot)))-wire.Decimals([]byte(l.Lot)))[0]
		one.Inst = venue.Inst(i + 1)
		ins = append(ins, one)
	}
	n, clock := &wire.Machine{}, wire.NewClock(false)
	s, err := start(n, clock, Path(t, name), ins)
	require.NoError(t, err)
	r := Follow(t, &replayed{s, decoded(a, ins, lines)}, a, wire.FeedConfig{Instruments: ins, Net: n, Clock: clock, Seed: 7})
	r.Until(60*time.Second, func() bool {
		applied := 0
		for _, b := range r.Books {
			applied += int(b.Counters().Applied)
		}
		return applied >= least && r.Compared >= least && r.Live()
	})
	require.Less(t, r.Unknown, r.Compared/20, "ids that decoding the recording does not give")
	require.Zero(t, r.Feed.Sessions()[0].Counters().Losses.Load())
}

// decoded are the best levels after every frame of a recording.
func decoded(a wire.Adapter, ins []*venue.Instrument, lines []Line) map[string][2][]venue.Level {
	dec, out := a.Decoder(Venue, ins), map[string][2][]venue.Level{}
	var bs []*books.Book
	for _, in := range ins {
		bs = append(bs, books.New(in, books.Config{}))
	}
	for _, l := range lines {
		var evs []venue.Event
		switch l.Kind {
		case "ws":
			evs, _ = dec.Decode(l.Recv, l.Msg)
		case "rest":
			evs, _ = dec.Rest(l.Recv, l.URL, l.Msg)
		}
		for i := 0; i < len(evs); i++ {
			if e := &evs[i]; e.Kind == venue.Head {
				n := e.Count()
				b := bs[e.Inst-1]
				b.Apply(evs[i : i+1+n])
				if b.State() == books.Live {
					out[at(b.Instrument().Symbol, b.Seq())] = Tops(b)
				}
				i += n
			}
		}
	}
	return out
}
