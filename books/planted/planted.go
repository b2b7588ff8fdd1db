// Package planted names faults that the simulation must find: each is what an engine of this kind has been wrong about
// before. They exist in a binary built with the tag planted alone, where the environment chooses one; anywhere else On is
// the constant false, and the compiler leaves nothing of them.
//
// Decisions
//   - 2026-11-25: a hook where the fault would be made, not a wrong twin of the code: the twin would be kept right by nobody.
package planted

// Bug is one planted fault.
type Bug string

// The faults, by what they do.
const (
	// ResendOnTimeout sends an order again that had no answer in time.
	ResendOnTimeout Bug = "resend-on-timeout"
	// TimeoutIsRejected takes an order that had no answer in time for rejected.
	TimeoutIsRejected Bug = "timeout-is-rejected"
	// FillTwice books a fill again that is told again.
	FillTwice Bug = "fill-twice"
	// CancelCloses ends an order with its cancel's acknowledgement, whatever fills are missing.
	CancelCloses Bug = "cancel-closes"
	// WorkingIgnored leaves orders at work out of the exposure.
	WorkingIgnored Bug = "working-ignored"
	// KillAtDecision looks at the kill gate when an order is decided and not before it is written.
	KillAtDecision Bug = "kill-at-decision"
)

// All are all of them.
var All = [...]Bug{ResendOnTimeout, TimeoutIsRejected, FillTwice, CancelCloses, WorkingIgnored, KillAtDecision}
