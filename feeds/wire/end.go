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

// EndAll is how every Ender works: it asks what stands, ends it, and asks again.
func EndAll[T any](standing func() (T, Ended, error), end func(T) error) (Ended, error) {
	list, out, err := standing()
	if err != nil || out.Found == 0 {
		return out, err
	}
	out.Left = out.Found
	if err := end(list); err != nil {
		return out, err
	}
	_, after, err := standing()
	if err == nil {
		out.Left = after.Found
	}
	return out, err
}
