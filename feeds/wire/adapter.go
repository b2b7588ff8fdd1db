package wire

import (
	"context"

	"oneprice/books/venue"
)

// Listing is what an adapter knows of one instrument before the engine gives it an index: from a shipped table, from the
// venue's instrument list, or seen in a recording. Numbers are decimal text as the venue prints them; "" is unknown.
type Listing struct {
	Symbol              string
	Base, Quote, Settle string
	Kind                venue.Kind
	Contract            venue.Contract
	Tick, Lot           string
	MinQty, MaxQty      string
	MinNotional         string
	// Multiplier (Linear) is base units per unit of quantity, Face (Inverse) quote units per contract.
	Multiplier, Face string
	Status           venue.Status
	// PriceText and QtyText are the decimals that the venue prints.
	PriceText, QtyText uint8
	Chain              venue.Chain
	Depth              int
	Checksum           func(in *venue.Instrument, bids, asks []venue.Level) uint32
	ChecksumDepth      int
}

// Discoverer learns listings from the lines of a recording. One goroutine.
type Discoverer interface {
	// Line reads one recorded line: kind is ws, rest, send or open; request the URL or description, where known.
	Line(kind, request string, msg []byte)
	// Listings returns what was learned, in order of first sight.
	Listings() []Listing
}

// Adapter is a venue as the catalogue knows it.
type Adapter struct {
	// Name is the operator's name for the venue: binance, binance-usdm, binance-coinm, kraken, coinbase.
	Name string
	// Detect reports whether a recorded line can only come from this venue.
	Detect func(kind, request string, msg []byte) bool
	// Discover makes an empty Discoverer.
	Discover func() Discoverer
	// Listings is the shipped instrument table, as old as it says.
	Listings []Listing
	// Load asks the venue for the instruments that it lists now: every one, or, where cfg names Instruments, those at least.
	// Of cfg, Net, Clock, TLS, REST and Limits are used. It needs no key.
	// A failure is an *Error.
	Load func(ctx context.Context, cfg FeedConfig) ([]Listing, error)
	// Announces says that Feed tells every change of status and rules of its instruments by itself, so that Load need not be
	// asked again.
	Announces bool
	// Clock is where the venue tells its time; nil where Feed measures it by itself.
	Clock *ClockSource
	// Decoder makes the decoder of one connection for these instruments (each with its Inst set).
	Decoder func(id venue.ID, ins []*venue.Instrument) Decoder
	// Limits makes a fresh set of what the venue allows one address, less a margin.
	Limits func(*Clock) *Limits
	// SBE says that Feed can follow the venue's binary streams too.
	SBE bool
	// Feed makes the live feed.
	Feed func(FeedConfig) (Feeder, error)
	// Gateway makes the order side; nil where the adapter has none yet. The error says what is missing, never a key.
	Gateway func(GatewayConfig) (Gateway, error)
	// Lacks is what the venue, or this adapter, does not offer, each with its reason in a few words.
	Lacks map[Capability]string
	// BlindSpots says, a sentence each, which damage the venue's own rules cannot show.
	BlindSpots []string
}
