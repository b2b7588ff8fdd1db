package wire

import "context"

// Ender is a gateway that can end orders by REST alone, without Run: for who stands in for an engine that is gone.
type Ender interface {
	// End cancels what stands on the account, whatever placed it: on a shared account the orders with our ids alone. It reads
	// the list, cancels, and reads it again. An error says that the venue could not be asked or did not obey; the figures hold
	// what was done all the same. Any goroutine.
	End(ctx context.Context) (Ended, error)
}

// Ended is what an Ender did. Found stood and was to go, Left of it stands still; Foreign was left alone.
type Ended struct{ Found, Left, Foreign int }
