package wire

import "oneprice/books/venue"

// Slack is the number of readable bytes that must lie behind a message inside its slice's capacity, so that word-wide
// loads at its end stay inside. Their content does not matter.
const Slack = 64

// Decoder turns the raw messages of one connection into Events. One goroutine owns it.
type Decoder interface {
	// Decode reads one websocket message received at recv. It returns the message's records, valid until the next call:
	// whole frames, each Head followed by its Levels, the record that ends a Put flagged venue.Last (a large snapshot is
	// cut into parts, each ending with Last). A message is decoded whole or not at all: with a reason other than OK or
	// Ignored it returns no records. cap(msg)-len(msg) must be at least Slack.
	Decode(recv venue.Nanos, msg []byte) ([]venue.Event, venue.Reason)
	// Rest reads the body of a REST answer (a book snapshot, instrument lists are Ignored here); request is the URL or a
	// short description as recorded, used to find the symbol where the body has none.
	Rest(recv venue.Nanos, request string, body []byte) ([]venue.Event, venue.Reason)
}

// Refuser is a Decoder that can say what the venue refused: an answer to a request of ours, which Decode ignores.
type Refuser interface {
	// Refusal is the venue's text when the message that Decode has ignored last was a refusal, "" otherwise. Asked right
	// after that Decode, on its goroutine; it answers each refusal once.
	Refusal() string
}

// Leaver is a Decoder that hears when the venue is about to end the connection.
type Leaver interface {
	// Leaving reports whether the message that Decode has ignored last said so. Asked right after that Decode, on its
	// goroutine; it answers each notice once.
	Leaving() bool
}
