package wire

import (
	"context"

	"oneprice/books/venue"
)

// Account is what a venue says of an account and of itself.
type Account struct {
	// Offset is the venue's clock less ours, and Within how far it may be from the truth: half of what the question took, and
	// the venue's rounding.
	Offset, Within venue.Nanos
	// Trade and Withdraw say what the key may do. Stated is false where the venue does not tell: then an order will show.
	Stated, Trade, Withdraw bool
	// Fees are the account's rates in each of GatewayConfig.Instruments.
	Fees []venue.Fees
}

// offsetTries is how often the venue's clock is asked for: the first question also opens the connection.
const offsetTries = 3

// Time measures the venue's clock: ask returns what it shows, cut to a whole multiple of grain. The quickest of a few answers
// counts.
func (a *Account) Time(ctx context.Context, c *Clock, grain venue.Nanos, ask func(context.Context) (venue.Nanos, error)) error {
	for n := range offsetTries {
		began := c.Now()
		shown, err := ask(ctx)
		if err != nil {
			return err
		}
		took := c.Now() - began
		if within := (took + grain) / 2; n == 0 || within < a.Within {
			a.Offset, a.Within = shown+grain/2-(began+took/2), within
		}
	}
	return nil
}
