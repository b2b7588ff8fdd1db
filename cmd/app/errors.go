package app

import "errors"

// Exit codes of every command.
const (
	// ExitOK: done, and what was checked holds.
	ExitOK = 0
	// ExitFailed: what was checked does not hold (a broken audit, a replay that differs, a run that failed).
	ExitFailed = 1
	// ExitUsage: the command line or the config is at fault; nothing was done.
	ExitUsage = 2
	// ExitInput: an input file is missing, cut short or corrupt; what could be read was used and printed.
	ExitInput = 3
	// ExitActed: the watchdog has ended the orders of an engine that showed no life, and none of them stands; ExitUndone: it
	// tried, and some may.
	ExitActed  = 4
	ExitUndone = 5
)

// UsageError is a fault of the command line or the config.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }
func (e *UsageError) Unwrap() error { return e.Err }

// InputError is a fault of an input file.
type InputError struct{ Err error }

func (e *InputError) Error() string { return e.Err.Error() }
func (e *InputError) Unwrap() error { return e.Err }

// exitCode is the code for an error.
func exitCode(err error) int {
	var usage *UsageError
	var faults *ConfigError
	var bare Faults
	var input *InputError
	var acted *ActedError
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &acted) && acted.Undone:
		return ExitUndone
	case errors.As(err, &acted):
		return ExitActed
	case errors.As(err, &usage), errors.As(err, &faults), errors.As(err, &bare):
		return ExitUsage
	case errors.As(err, &input):
		return ExitInput
	}
	return ExitFailed
}
