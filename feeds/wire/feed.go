package wire

import (
	"crypto/tls"

	"oneprice/books/venue"
	"oneprice/feeds/sign"
)

// Format is how market data is written on the wire.
type Format uint8

const (
	// JSON is what every venue speaks.
	JSON Format = iota
	// SBE is simple binary encoding, by FIX: fixed places, little endian, mantissas and exponents.
	SBE
)

// FeedConfig is what the feed of any venue is made of.
type FeedConfig struct {
	Venue venue.ID
	// Instruments are what to follow, each with its Inst set.
	Instruments []*venue.Instrument
	Net         Net
	Clock       *Clock
	TLS         *tls.Config
	// WS and REST are base addresses without a path (wss://host, https://host); "" takes the adapter's public ones.
	WS, REST string
	// Limits are the address's, from the adapter's Limits; nil when nothing else of the process reaches the venue.
	Limits *Limits
	// Format is what the streams are to be written in: SBE only where the adapter has it. Key is the id of an API key, for
	// those that are not given to everybody.
	Format Format
	Key    sign.Secret
	// Life is how old a connection may become before the feed gives it up for a new one, without a gap; 0 takes what the venue's
	// limit asks for. Venues without one have no use for it.
	Life venue.Nanos
	// Spin makes the connection busy-poll.
	Spin bool
	// Snapshots is the sink for books that come by REST, from a goroutine of their own; unused by venues whose books come
	// on the socket.
	Snapshots venue.Sink
	// Touches and Trades ask for the venue's own touch and for public trades beside the book.
	Touches, Trades bool
	// Changed, where not nil, hears that the venue has announced a change of its instruments which it does not state in full,
	// so that Load has to be asked. Called from the feed's goroutines, so it must not wait.
	Changed func()
	// Clocked, where not nil, hears the venue's clock less ours as it is measured, and how far that may be from the truth. Called
	// from goroutines of the feed or of a ClockWatch, so it must not wait.
	Clocked func(offset, within venue.Nanos)
	// Raw, where not nil, sees every message before it is decoded: kind is ws or rest. Called from the feed's goroutines.
	Raw func(kind, conn, request string, recv venue.Nanos, msg []byte)
	// Report, where not nil, hears every fault of the edge. Called from the feed's goroutines, so it must not wait.
	Report func(*Error)
	// Seed sets the jitter of reconnects.
	Seed uint64
}

// Feeder is a Feed that counts.
type Feeder interface {
	venue.Feed
	// Sessions are the feed's connections, for their counters.
	Sessions() []*Session
	// Until is the latest instant for which the venue's budget or a backoff has made the feed wait, 0 never: a book that was
	// not Live before it could not have been helped sooner. Any goroutine.
	Until() venue.Nanos
}
