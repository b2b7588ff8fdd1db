package wire

import "fmt"

// Kind says what an error at the edge means for what we do next.
type Kind uint8

const (
	// Transient: try again after a wait.
	Transient Kind = iota
	// RateLimited: wait as long as the venue says.
	RateLimited
	// Auth: our credentials are wrong; stop the venue.
	Auth
	// Refused: one side says no, and would again: the venue to what we ask, or we to its certificate.
	Refused
	// Unknown: something was sent and its fate is not known; query, never resend.
	Unknown
	// Protocol: the venue said what we do not understand.
	Protocol
)

func (k Kind) String() string {
	return [...]string{"transient", "rate_limited", "auth", "refused", "unknown", "protocol"}[k]
}

// Error is the one error type of the edge.
type Error struct {
	Venue, Op string
	Kind      Kind
	Err       error
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %s: %s: %v", e.Venue, e.Op, e.Kind, e.Err) }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }
