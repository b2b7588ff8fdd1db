//go:build !planted

package engine

import (
	"oneprice/books/desk"
	"oneprice/books/venue"
)

// keep and resend are what a binary with planted faults does besides.
func (e *Engine) keep(*venue.Command) {}
func (e *Engine) resend(*desk.Order)  {}
