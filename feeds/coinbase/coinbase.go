// Package coinbase is the market data of Coinbase Advanced Trade: level2, market_trades, ticker and heartbeats, as
// wss://advanced-trade-ws.coinbase.com sends them (venues/coinbase.md, section 1).
//
// The venue numbers every message of a connection, whatever its channel, with sequence_num. The decoder keeps that one
// counter: a number at or below it is a duplicate, a number beyond the next is a gap of every book that the connection
// carries. There is no checksum.
//
// Ownership: a decoder belongs to the goroutine of its connection and dies with it.
//
// Decisions
//   - 2026-11-25: the counter is per connection. The documentation says "per product", a text that comes from another
//     feed; in the recording one counter runs through all channels and both products, 0 to 1029 without a hole.
//   - 2026-11-25: the counter moves only when a message was taken. One that is refused (Malformed, OffScale, TooLarge,
//     BadLevel) counts as lost, so the next message shows the gap even though the refused one showed its number.
//   - 2026-11-25: a ticker becomes a Touch without an id. It is not in step with the batched book (see touches), so it
//     may make a book more careful but never proves or disproves one.
//   - 2026-11-25: a market_trades snapshot is history and is ignored; a batch is listed newest first and is turned round.
//   - 2026-11-25: the scanner takes l2_data only when its number is the next one; duplicates, gaps and every other
//     channel go through the JSON parser, so that the counter's rules are written once. They are a quarter of the
//     messages and a hundredth of the bytes.
package coinbase

import (
	"bytes"
	"strings"

	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// Adapter is the venue as the catalogue knows it.
var Adapter = wire.Adapter{
	Name:     "coinbase",
	Detect:   detect,
	Discover: func() wire.Discoverer { return newDiscoverer() },
	Listings: listings(),
	Load:     load,
	Clock:    &clock,
	Decoder:  func(id venue.ID, ins []*venue.Instrument) wire.Decoder { return newDecoder(id, ins) },
	Limits:   limits,
	Feed:     newFeed,
	Gateway: func(cfg wire.GatewayConfig) (wire.Gateway, error) {
		return NewGateway(GatewayOptions{GatewayConfig: cfg})
	},
	Lacks: map[wire.Capability]string{
		wire.StopLoss:      "a stop has a limit price",
		wire.FillIDs:       "the user channel tells totals",
		wire.BalanceStream: "no channel tells balances",
		wire.Nonces:        "tokens carry a time",
		wire.BookChecksum:  "the connection is numbered and has no checksum",
		wire.BinaryFeed:    "JSON alone",
		wire.DeadMan:       "the venue has no countdown: oneprice watchdog stands for it",
	},
	BlindSpots: []string{
		"There is no checksum: a level that was altered in transit is seen only when the text is no longer a valid number on the grid or when the book crosses.",
		"sequence_num numbers the connection, not the book: a gap makes every book of the connection stale, whichever message was lost.",
		"A message lost after the last one received is not seen until the next arrives; heartbeats come once a second.",
		"Messages lost before the first one of a connection are not seen.",
		"The REST book has no sequence, so it can neither seed nor verify a book.",
		"The ticker is not in step with the batched book, so a difference between the two proves nothing.",
	},
}

// detect reports whether a recorded line can only be Coinbase Advanced Trade.
func detect(_, request string, msg []byte) bool {
	if strings.Contains(request, "advanced-trade-ws") || strings.Contains(request, "api.coinbase.com/api/v3/brokerage") {
		return true
	}
	head := msg[:min(len(msg), 200)]
	return bytes.HasPrefix(head, []byte(`{"channel":`)) && bytes.Contains(head, []byte(`"sequence_num":`)) &&
		bytes.Contains(head, []byte(`"timestamp":`))
}
