// Package binance is the market data of Binance: spot (and Binance.US, which speaks the same protocol), USD-M and COIN-M
// futures: depthUpdate, bookTicker, trade, and the REST book (venues/binance.md, sections 1, 4 and 6).
//
// A message that has the shape of the venue's own is decoded in one pass by a scanner that compares every byte it does
// not convert (depth.go, ticker.go, snapshot.go) and writes Events directly; any other valid JSON goes to a general
// parser (fallback.go), which gives the same records. Chain rules (U, u, pu) are the book's business, not the decoder's.
//
// Ownership: a Decoder belongs to the goroutine of its connection; the adapters and the table are read-only.
//
// Decisions
//   - 2026-11-25: scanners are positional, with the shape of an instrument's numbers assumed from the last one seen
//     (shape.go). Times faster than fastjson with a reused parser and plain conversion, in the same run (bench_test.go):
//     20 levels 7.3, 100 levels 7.1; recorded depth 7.6 (spot), 6.1 (USD-M), 5.6 (COIN-M); bookTicker 5.4 to 5.7; trade
//     6.9 to 7.3; the fallback 1.0. Rejected: counting the digits of each number before the next is found (5.3 at 100
//     levels), one branch for a whole level instead of two (no gain), unsafe loads (window.go needs no bounds checks
//     either), bytes.IndexByte per quote (slower than a byte loop).
//   - 2026-11-25: aggTrade is ignored. It reports the fills of trade once more, and both may run on one socket.
//   - 2026-11-25: partial books (@depth5, 10, 20) and the RPI book are ignored: they share depthUpdate with the book
//     but not its levels. Only the stream's name tells, so without the combined wrapper do not subscribe to them.
//   - 2026-11-25: prices and sizes are decoded as printed. A 1000SHIB contract is an instrument of the base 1000SHIB,
//     as the venue itself lists it, with multiplier 1; nothing is rescaled here.
//   - 2026-11-25: spot comes by the binary streams (sbe.go) where the operator asks for it, since they want an API key. Times
//     faster than the scanner of the same depth updates in the same run: 20 levels 2.3 (160 ns), 100 levels 2.4. Conversion
//     is exact without a division, and one branch judges three levels; a level at a time it was 2.2 and 2.0. The touch is
//     left out under load, never late, and takes no part in the chain. Books still begin by REST as text.
//   - 2026-11-25: a connection is given up at an age between 22.5 and 23 hours of the venue's 24, or when the venue says that
//     it will end it, for one that streams already (wire.Pair). The order connection is instead made anew once no request
//     waits for its answer: ids of requests belong to a connection, and a session takes three messages.
//   - 2026-11-25: an unknown symbol is answered before the rest of the message is read. It may carry the messages of a
//     thousand symbols nobody asked for, and nothing depends on whether they are well formed.
//   - 2026-11-25: the USD-M gateway is the spot one with other paths and words (gatewayproduct.go), and a user stream on a
//     connection of its own, which must have answered a ping before orders go, since nothing else says that it is served. The
//     two end together. Amends are in place (order.modify) and lose the queue; a refused FOK is told as expired, as spot
//     does; balances are wallets. Stops are left out: conditional orders are a service of their own.
package binance

import (
	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// product is what differs between the three adapters.
type product struct {
	name  string
	chain venue.Chain
	kind  venue.Kind // of a symbol without a delivery date
	coin  bool       // inverse contracts, settled in the coin
}

var (
	spot  = product{name: "binance", chain: venue.ChainRange, kind: venue.Spot}
	usdm  = product{name: "binance-usdm", chain: venue.ChainPrev, kind: venue.Perpetual}
	coinm = product{name: "binance-coinm", chain: venue.ChainPrev, kind: venue.Perpetual, coin: true}
)

// Spot, USDM and COINM are the venue's three products as the catalogue knows them.
var (
	Spot  = spot.adapter("An altered U is seen only when it exceeds the last id + 1.")
	USDM  = usdm.adapter("An altered U is seen only in the first depthUpdate after a snapshot: later ones are chained by pu alone.")
	COINM = coinm.adapter("An altered U is seen only in the first depthUpdate after a snapshot: later ones are chained by pu alone.")
)

// blind is true of every product: there is no checksum, and only depthUpdate carries a chain.
var blind = []string{
	"There is no checksum: a price or size altered inside a depthUpdate that keeps its ids is seen only at the touch, when a bookTicker carries the same u, or when the book crosses.",
	"A snapshot altered in its levels is believed until a depthUpdate overwrites them, with the same exceptions.",
	"bookTicker and trade carry no chain: one that is lost, repeated or swapped is not seen.",
	"Levels outside the snapshot's depth are unknown until they change.",
	"A message lost after the last depthUpdate received is not seen until the next one; a quiet symbol sends none.",
	"An event time altered to another valid time is believed.",
}

// conditional is why futures have no stops here.
const conditional = "conditional orders are a service of their own (algoOrder)"

func (p product) decoder(id venue.ID, ins []*venue.Instrument) wire.Decoder {
	return newDecoder(id, ins, p.chain)
}

func (p product) adapter(more ...string) wire.Adapter {
	a := wire.Adapter{
		Name:     p.name,
		Detect:   func(kind, request string, msg []byte) bool { return p.detect(kind, request, msg) },
		Discover: func() wire.Discoverer { return newDiscoverer(p) },
		Listings: p.listings(),
		Load:     p.load,
		Decoder:  p.decoder,
		Limits:   func(c *wire.Clock) *wire.Limits { return limits(p.name, c) },
		Feed:     p.feed,
		Lacks: map[wire.Capability]string{
			wire.Nonces:       "requests carry a time and a window",
			wire.BookChecksum: "the book has ids and no checksum",
		},
		BlindSpots: append(append([]string(nil), blind...), more...),
	}
	if a.SBE = p.kind == venue.Spot; !a.SBE {
		a.Lacks[wire.BinaryFeed] = "built for spot alone"
		a.Lacks[wire.StopLoss], a.Lacks[wire.StopLimit] = conditional, conditional
	}
	if p.kind == venue.Spot {
		a.Lacks[wire.DeadMan] = "the venue has no countdown: oneprice watchdog stands for it"
	}
	a.Gateway, a.Clock = p.gateway(), p.clock()
	return a
}
