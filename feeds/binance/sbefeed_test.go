package binance_test

import (
	"context"
	"crypto/ed25519"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"oneprice/books"
	"oneprice/books/venue"
	"oneprice/feeds/binance"
	"oneprice/feeds/binance/binancesim"
	"oneprice/feeds/sign"
	"oneprice/feeds/venuesim"
	"oneprice/feeds/wire"
	"oneprice/feeds/wire/wiretest"
)

// binarySim is a simulator of two symbols that serves the binary streams as well, to one key.
func binarySim(t *testing.T, n wire.Net, clock *wire.Clock, acts int64, faults *venuesim.Faults) *binancesim.Sim {
	cfg := spot.config(n, clock, acts, faults)
	cfg.SBE = "127.0.0.1:0"
	public, _, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	cfg.Accounts = []binancesim.Account{{Key: "reader", Public: public, ReadOnly: true}, {Key: "old", Secret: []byte("secret")}}
	sim, err := binancesim.New(cfg)
	require.NoError(t, err)
	return sim
}

func keyOf(id string) sign.Secret { return sign.SecretOf("the test", []byte(id)) }

// binaryFollow starts a feed of the binary streams, and the simulator.
func binaryFollow(t *testing.T, n wire.Net, clock *wire.Clock, acts int64, faults *venuesim.Faults) *follower {
	sim := binarySim(t, n, clock, acts, faults)
	return &follower{wiretest.Follow(t, sim, binance.Spot, wire.FeedConfig{Instruments: spot.instruments(), Net: n, Clock: clock, Seed: 7, WS: "ws://" + sim.SBEAddr(),
		Format: wire.SBE, Key: keyOf("reader")}), sim, faults}
}

func TestBinaryFeed_followsTheVenueOverSockets(t *testing.T) {
	r := binaryFollow(t, &wire.Machine{}, wire.NewClock(false), 1000, venuesim.NewFaults(1, venuesim.Rates{}))
	r.Until(20*time.Second, func() bool { return r.Compared >= 500 && r.Trades > 0 && r.Touches > 0 })
	for _, b := range r.Books {
		r.Until(20*time.Second, func() bool { return b.State() == books.Live && b.Counters().TouchCompared > 0 })
	}
	k := r.Feed.Sessions()[0].Counters()
	require.Zero(t, k.Damaged.Load()+k.Unknown.Load()+k.Dropped.Load()+k.Losses.Load())
}

func TestBinaryFeed_livesInVirtualTime(t *testing.T) {
	wiretest.Lives(t, func(t *testing.T, n wire.Net, clock *wire.Clock) (*wiretest.Rig, func(bool)) {
		f := binaryFollow(t, n, clock, 50, venuesim.NewFaults(3, venuesim.Rates{}))
		return f.Rig, func(on bool) { f.faults.Set(map[bool]venuesim.Rates{true: venuesim.AllFaults.Times(3)}[on]) }
	})
}

// running is a simulator that runs already.
type running struct{ *binancesim.Sim }

func (running) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// TestBinaryFeed_buildsTheBooksOfTheText follows one market by both forms and compares whole books wherever both stand at
// one update id.
func TestBinaryFeed_buildsTheBooksOfTheText(t *testing.T) {
	wiretest.Bubble(t, 5, func(t *testing.T, n *wire.Held, clock *wire.Clock) {
		faults := venuesim.NewFaults(3, venuesim.Rates{})
		binary := binaryFollow(t, n, clock, 100, faults)
		text := wiretest.Follow(t, running{binary.sim}, binance.Spot, wire.FeedConfig{Instruments: spot.instruments(), Net: n, Clock: clock, Seed: 8})
		compared := 0
		meet := func(least int) {
			for compared < least {
				binary.Until(time.Minute, func() bool { return binary.Live() && binary.Books[0].Seq() >= text.Books[0].Seq() })
				text.Until(time.Minute, func() bool { return text.Live() && text.Books[0].Seq() >= binary.Books[0].Seq() })
				for i, b := range binary.Books {
					if o := text.Books[i]; b.State() == books.Live && b.Seq() == o.Seq() {
						require.Equal(t, rows(o), rows(b), "%s at %d", b.Instrument().Symbol, b.Seq())
						compared++
					}
				}
				last := binary.Books[0].Seq()
				binary.Until(time.Minute, func() bool { return binary.Books[0].Seq() != last })
			}
		}
		meet(200)
		faults.Set(venuesim.Rates{venuesim.Drop: 4000, venuesim.Duplicate: 10_000, venuesim.Reorder: 4000, venuesim.Garble: 4000, venuesim.Disconnect: 500})
		meet(1000)
		require.Positive(t, binary.Books[0].Counters().Resyncs)
		require.Positive(t, text.Books[0].Counters().Resyncs)
	})
}

// rows is all of a book.
func rows(b *books.Book) (out [2][]venue.Level) {
	for i, s := range []venue.Side{venue.Buy, venue.Sell} {
		for c := b.Rows(s); c.Next(); {
			out[i] = append(out[i], c.Level)
		}
	}
	return out
}

func TestBinaryFeed_needsAKeyThatTheVenueKnows(t *testing.T) {
	base := wire.FeedConfig{Venue: wiretest.Venue, Instruments: spot.instruments(), Net: &wire.Machine{}, Clock: wire.NewClock(false), Format: wire.SBE}
	_, err := binance.Spot.Feed(base)
	require.ErrorContains(t, err, "an Ed25519 API key, and none is given")
	with := base
	with.Key = keyOf("reader")
	_, err = binance.USDM.Feed(with)
	require.ErrorContains(t, err, "no binary streams of this market")
	with.Raw = func(_, _, _ string, _ venue.Nanos, _ []byte) {}
	_, err = binance.Spot.Feed(with)
	require.ErrorContains(t, err, "record JSON")

	sim := binarySim(t, base.Net, base.Clock, 1000, venuesim.NewFaults(1, venuesim.Rates{}))
	for _, key := range []string{"old", "stranger"} { // an HMAC key is not let in
		heard := make(chan *wire.Error, 16)
		cfg := base
		cfg.WS, cfg.Key, cfg.Report = "ws://"+sim.SBEAddr(), keyOf(key), func(e *wire.Error) {
			select {
			case heard <- e:
			default:
			}
		}
		r := wiretest.Follow(t, sim, binance.Spot, cfg)
		r.Until(10*time.Second, func() bool { return len(heard) > 0 })
		e := <-heard
		require.Equal(t, wire.Auth, e.Kind)
		require.NotContains(t, e.Error(), key)
	}
}
