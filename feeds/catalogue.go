// Package feeds is the catalogue of venues: which adapters there are, and which of them a recorded line belongs to.
//
// Ownership: the catalogue is read-only after start-up and safe for concurrent use.
//
// Decisions
//   - 2026-11-25: a plain list in the program, not registration by init: what a binary can trade is to be read in one
//     place, and the order is the same on every start.
package feeds

import (
	"fmt"
	"strings"

	"oneprice/feeds/binance"
	"oneprice/feeds/coinbase"
	"oneprice/feeds/kraken"
	"oneprice/feeds/wire"
)

var adapters = []*wire.Adapter{&binance.Spot, &binance.USDM, &binance.COINM, &coinbase.Adapter, &kraken.Adapter}

// Adapters lists every adapter. The list and the adapters must not be changed.
func Adapters() []*wire.Adapter { return adapters }

// Names lists the names of every adapter, in the order of Adapters.
func Names() []string {
	names := make([]string, len(adapters))
	for i, a := range adapters {
		names[i] = a.Name
	}
	return names
}

// ByName finds an adapter; the error lists the known names.
func ByName(name string) (*wire.Adapter, error) {
	for _, a := range adapters {
		if a.Name == name {
			return a, nil
		}
	}
	return nil, fmt.Errorf("unknown venue %q; known venues: %s", name, strings.Join(Names(), ", "))
}

// Limits makes a set of every venue's limits by the adapter's name, for all that one process opens.
func Limits(c *wire.Clock) map[string]*wire.Limits {
	out := map[string]*wire.Limits{}
	for _, a := range adapters {
		out[a.Name] = a.Limits(c)
	}
	return out
}

// Detect finds the adapter that a recorded line can only come from. Nil when none claims it, or more than one does: ask
// again with the next line.
func Detect(kind, request string, msg []byte) *wire.Adapter {
	var found *wire.Adapter
	for _, a := range adapters {
		if !a.Detect(kind, request, msg) {
			continue
		}
		if found != nil {
			return nil
		}
		found = a
	}
	return found
}
