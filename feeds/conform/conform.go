// Package conform is what every adapter must do, as numbered cards: each runs an adapter's feed or gateway against the
// venue's simulator over loopback sockets and holds what was reported against the simulator's own books. `make conform`
// prints the table of cards and venues that README.md keeps. Only tests import it.
//
// Ownership: a card owns its simulator, gateway and T; cards share nothing and run side by side.
//
// Decisions
//   - 2026-11-25: an adapter says what it lacks, not what it can: a card is left out only for a reason that somebody wrote
//     down.
//   - 2026-11-25: gateways and instruments come from the catalogue's own functions (Adapter.Gateway, Adapter.Load), with the
//     spans that live trading has. A card is slow where the venue's answer must be given up on.
//   - 2026-11-25: every card of a gateway ends with the same question, whatever it was about: does each order that the
//     simulator has agree with what was reported of it, and does the money?
package conform

import (
	"fmt"
	"testing"

	"oneprice/books/fixed"
	"oneprice/books/venue"
	"oneprice/feeds/sign"
	"oneprice/feeds/venuesim"
	"oneprice/feeds/wire"
	"oneprice/feeds/wire/wiretest"
)

// Venue is an adapter and how its simulator is opened.
type Venue struct {
	Adapter *wire.Adapter
	// Pairs are what the simulator lists, two of them, the first a BTC and the second an ETH against one quote currency; the
	// scales, tick and lot are the venue's.
	Pairs []venuesim.PairConfig
	// Open makes a simulator that listens and does not run yet.
	Open func(tb testing.TB, o Opening) Sim
}

// Opening is what a simulator is made of. Its one account has Funds of each currency.
type Opening struct {
	Net          wire.Net
	Clock        *wire.Clock
	Faults       *venuesim.Faults
	Pairs        []venuesim.PairConfig
	Acts         int64 // per millisecond and pair, in thousandths
	Maker, Taker fixed.Rate
	Funds        []Money
}

// Money is an amount of a currency.
type Money struct {
	Currency string
	Amount   fixed.Cash
}

// Sim is a simulated venue with one account.
type Sim interface {
	wiretest.Simulator
	// Login is where a gateway connects, and with what key.
	Login() Login
	// Touch is the first pair's best price and size on a side.
	Touch(venue.Side) venue.Level
	// Orders are the account's orders, oldest first, at the pair's scales.
	Orders() []Order
	// Balance is what the account has of a currency, and what of that is free, each rounded down. Where contracts are traded,
	// positions count as bought: the total has what they hold of their base and lacks what they cost, so that fills lead to it
	// as they do at spot; free is then the wallet, and of a base the position.
	Balance(currency string) (total, free fixed.Cash)
	// Change changes the status or the grid of a pair; false for a symbol that is not known.
	Change(symbol string, c venuesim.Change) bool
	// Stranger lets another program on the account rest a buy order of the first pair.
	Stranger(tb testing.TB, price fixed.Price, qty fixed.Qty)
	// Armed reports whether the venue's dead-man runs for the account; false where it has none.
	Armed() bool
	// BurnNonce sends a valid request with a nonce that is half a second ahead of time; nothing where there are none.
	BurnNonce(testing.TB)
}

// Login is an address and a key. Binary is where the binary feed is, where there is one. Wrong is a secret of the right form that is not the key's.
type Login struct {
	WS, REST, Binary   string
	Tier               string
	Key, Secret, Wrong sign.Secret
}

// Order is an order as the venue has it. Client is ours, 0 for somebody else's.
type Order struct {
	ID, Name string
	Client   uint64
	Price    fixed.Price
	Qty, Cum fixed.Qty
	Open     bool
}

// Card is one thing that an adapter must do.
type Card struct {
	// Number is the card's for good: tens are groups.
	Number int
	// Says is the promise, in a sentence.
	Says string
	// Needs is what the venue must offer.
	Needs []wire.Capability
	// Acts is how busy the market is, 0 not at all. Late is by how much the gateway's clock is behind the venue's.
	Acts int64
	Late venue.Nanos
	// Solo cards run while no other does.
	Solo bool
	// Alone cards make their gateway themselves, or none.
	Alone bool
	Run   func(*T)
}

// Missing is why an adapter cannot be asked for a card, "" when it can.
func (c *Card) Missing(a *wire.Adapter) string {
	for _, n := range c.Needs {
		if why := a.Lacks[n]; why != "" {
			return why
		}
	}
	return ""
}

// Test runs a card against a venue.
func (c *Card) Test(tb testing.TB, v *Venue) {
	t := open(tb, v, c)
	if !c.Alone {
		t.start(nil)
		t.ready()
	}
	c.Run(t)
	if !c.Alone {
		t.faults.Set(venuesim.Rates{})
		t.agree()
	}
}

// Cards are all of them, by number.
func Cards() []Card {
	var out []Card
	for _, group := range [][]Card{feedCards, orderCards, changeCards, refusalCards, faultCards, recoveryCards, listingCards} {
		out = append(out, group...)
	}
	return out
}

// Name is how a card is called in a test run.
func (c *Card) Name() string { return fmt.Sprintf("%02d", c.Number) }
