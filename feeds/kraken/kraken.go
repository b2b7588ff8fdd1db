// Package kraken is the market data of Kraken Spot: book, trade, ticker, instrument and status of websocket v2, and book
// and trade of websocket v1 as older recordings have them (venues/kraken.md, sections 1 and 4).
//
// Public channels carry no sequence: the integrity check is the CRC-32 that comes with every book message and that the
// book compares after it applied the frame. Frames are counted per instrument so that they have an id.
//
// Ownership: a decoder belongs to the goroutine of its connection and dies with it.
//
// Decisions
//   - 2026-11-25: one adapter for v1 and v2; an array is v1, an object v2 (or a v1 event). They name pairs differently
//     (XBT/USD, BTC/USD) and print with different decimals, so an instrument is of one of the two.
//   - 2026-11-25: v1 prints more decimals than the pair list states (354.15000000 for XMR/USD, whose pair_decimals is 2),
//     and its checksum is over that text; so a discovered v1 pair takes PriceText and QtyText from the data.
//   - 2026-11-25: the checksum covers ten levels a side, so a refused message (Malformed, OffScale, TooLarge, BadLevel)
//     could hide below them for ever. The message after a refused one therefore opens with a Gap of every book seen on
//     the connection.
//   - 2026-11-25: a pair whose stated tick or lot differs from the instrument's is Halted: orders on another grid would
//     be refused or wrong. The operator restarts with the new grid.
//   - 2026-11-25: a ticker becomes a Touch without an id (subscribe with event_trigger bbo, else it comes with trades
//     only); v1 tickers are ignored; trade snapshots are history and ignored.
package kraken

import (
	"bytes"
	"strings"

	"oneprice/books/venue"
	"oneprice/feeds/wire"
)

// defaultDepth is what the venue gives when the subscription names no depth.
const defaultDepth = 10

// Adapter is the venue as the catalogue knows it.
var Adapter = wire.Adapter{
	Name:      "kraken",
	Detect:    detect,
	Discover:  func() wire.Discoverer { return newDiscoverer() },
	Listings:  listings(),
	Load:      load,
	Decoder:   func(id venue.ID, ins []*venue.Instrument) wire.Decoder { return newDecoder(id, ins) },
	Announces: true,
	Limits:    limits,
	Feed:      newFeed,
	Gateway: func(cfg wire.GatewayConfig) (wire.Gateway, error) {
		tier, err := ParseTier(cfg.Tier)
		if err != nil {
			return nil, err
		}
		return NewGateway(GatewayOptions{GatewayConfig: cfg, Tier: tier, NoDeadMan: cfg.Shared})
	},
	Lacks: map[wire.Capability]string{
		wire.FOK:        "websocket v2 takes GTC, IOC and GTD",
		wire.BinaryFeed: "JSON alone",
	},
	BlindSpots: []string{
		"The checksum covers the best ten levels of each side: a change lost or altered below them is seen only when it rises into them.",
		"There is no sequence: a lost message is seen at the next one of the same pair, and only if it moved the best ten levels.",
		"Two messages of one pair that were swapped are not seen when the later one restores what both would have left, nor when both lie below the best ten.",
		"A repeated update changes nothing and is not counted as a duplicate: the book after it has the checksum it states.",
		"A v1 snapshot carries no checksum; the first update after it proves it.",
		"Trades and tickers carry neither sequence nor checksum: a lost one is not seen.",
	},
}

// detect reports whether a recorded line can only be Kraken Spot.
func detect(_, request string, msg []byte) bool {
	if strings.Contains(request, "kraken.com") && !strings.Contains(request, "futures") {
		return true
	}
	if len(msg) > 2 && msg[0] == '[' && msg[1]-'0' <= 9 {
		name, _ := tail(msg)
		return bytes.HasPrefix(name, []byte("book-")) || string(name) == "trade"
	}
	head := msg[:min(len(msg), 200)]
	for _, channel := range []string{`{"channel":"book",`, `{"channel":"trade",`, `{"channel":"ticker",`} {
		if bytes.HasPrefix(head, []byte(channel)) {
			return bytes.Contains(head, []byte(`"data":[{"symbol":"`))
		}
	}
	return bytes.HasPrefix(head, []byte(`{"connectionID":`)) && bytes.Contains(head, []byte(`"event":"systemStatus"`))
}

// tail is the channel name and the pair at the end of a v1 message, …,"book-1000","XBT/USD"], or nil.
func tail(msg []byte) (name, pair []byte) {
	n := len(msg)
	if n < 8 || msg[n-1] != ']' || msg[n-2] != '"' {
		return nil, nil
	}
	i := bytes.LastIndexByte(msg[:n-2], '"')
	if i < 3 || msg[i-1] != ',' || msg[i-2] != '"' {
		return nil, nil
	}
	j := bytes.LastIndexByte(msg[:i-2], '"')
	if j < 0 {
		return nil, nil
	}
	return msg[j+1 : i-2], msg[i+1 : n-2]
}
