package coinbasesim

import (
	"fmt"

	"oneprice/feeds/venuesim"
)

// NewReplay serves a recording of one connection: all its channels, whatever a client subscribes to, since the venue's numbers
// run through all of them. A fresh book is in no recording: a client that loses one has to connect again.
func NewReplay(cfg venuesim.ReplayConfig) (*venuesim.Replay, error) {
	r, err := venuesim.NewReplay(cfg, venuesim.ReplayVenue{Sockets: []string{"/{$}"}, Asked: true})
	if err != nil {
		return nil, fmt.Errorf("coinbasesim: %w", err)
	}
	return r, nil
}
